"""A FUSE file system that serves one program and, once told to, never answers again.

Usage: hung-mount.py MOUNT-POINT PROGRAM. Prints the pids of two processes: one runs from the mount, the other has a
file of it mapped. At the line `read` on its input it serves no content any more, and the second process locks its own
memory map for good; at the line `all` it answers nothing any more. It ends with its input, and the mount and the
processes with it.
To be run in a mount namespace of its own. Wire format: <linux/fuse.h>, protocol 7.31.
"""
import ctypes, errno, mmap, os, select, struct, sys, threading, time

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 15, 18, 25, 26, 36, 42
FOREVER = 1 << 30
PR_SET_PDEATHSIG, PR_SET_NAME, SIGKILL = 1, 15, 9
libc = ctypes.CDLL(None, use_errno=True)


def attributes(node, size):
    mode = 0o40755 if node == 1 else 0o100755
    return struct.pack('<6Q3I7I', node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def reply(device, unique, body=b'', error=0):
    os.write(device, struct.pack('<IiQ', 16 + len(body), -error, unique) + body)


def answer(device, request, content):
    _, opcode, unique, node = struct.unpack_from('<IIQQ', request)
    body = request[40:]
    size = len(content) if node != 1 else 0
    if opcode == INIT:
        reply(device, unique, struct.pack('<IIIIHHIIHHI7I', 7, 31, 65536, 0, 12, 10, 131072, 1, 32, 0, 0, *[0] * 7))
    elif opcode == LOOKUP:
        if body.rstrip(b'\0') != b'program':
            return reply(device, unique, error=errno.ENOENT)
        # The name stays known, its attributes do not: stat(2) asks again, readlink does not.
        reply(device, unique, struct.pack('<QQQQII', 2, 0, FOREVER, 0, 0, 0) + attributes(2, len(content)))
    elif opcode == GETATTR:
        reply(device, unique, struct.pack('<QII', 0, 0, 0) + attributes(node, size))
    elif opcode == OPEN:
        reply(device, unique, struct.pack('<QII', 0, 0, 0))
    elif opcode == READ:
        _, offset, length = struct.unpack_from('<QQI', body)
        reply(device, unique, content[offset:offset + length])
    elif opcode in (RELEASE, FLUSH):
        reply(device, unique)
    elif opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
        reply(device, unique, error=errno.ENOSYS)


def run_program(mount_point, begin):
    os.read(begin, 1)
    os.execv(mount_point + '/program', ['program', '600'])


def lock_memory_map(mount_point, begin):
    """Reading one's own memory by way of /proc faults with the map's lock held; a writer then queues before readers."""
    os.read(begin, 1)
    file = os.open(mount_point + '/program', os.O_RDONLY)
    mapped = mmap.mmap(file, 1 << 20, mmap.MAP_PRIVATE, mmap.PROT_READ)
    libc.prctl(PR_SET_NAME, b'locked', 0, 0, 0)
    os.read(begin, 1)
    ranges = [line.split()[0] for line in open('/proc/self/maps') if '/program' in line]
    address = int(ranges[0].split('-')[0], 16)
    memory = os.open('/proc/self/mem', os.O_RDONLY)
    threading.excepthook = lambda _: None  # it fails when the mount ends
    threading.Thread(target=os.pread, args=(memory, 1, address + (900 << 10))).start()
    time.sleep(0.2)
    libc.mmap(None, ctypes.c_size_t(4096), 3, 0x22, -1, 0)  # PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS
    mapped.close()


def fork(role, device, mount_point):
    begin, begin_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(device)  # or the mount would outlive its server
        libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        role(mount_point, begin)
        os._exit(0)
    os.write(begin_end, b'x')
    return pid, begin_end


def main(mount_point, program):
    # Longer than what running it reads, so that hashing it must ask for more.
    content = open(program, 'rb').read() + bytes(1 << 20)
    device = os.open('/dev/fuse', os.O_RDWR)
    options = b'fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other' % device
    if libc.mount(b'tlsnap-test', mount_point.encode(), b'fuse', 0, options) != 0:
        sys.exit('mount: ' + os.strerror(ctypes.get_errno()))
    runs, _ = fork(run_program, device, mount_point)
    locks, lock = fork(lock_memory_map, device, mount_point)
    print(runs, locks, flush=True)
    hung = ''
    while True:
        for file in select.select([device, 0], [], [])[0]:
            if file == device:
                request = os.read(device, 1 << 18)
                (opcode,) = struct.unpack_from('<I', request, 4)
                if hung == '' or (hung == 'read' and opcode != READ):
                    answer(device, request, content)
                continue
            hung = os.read(0, 4096).decode().strip()
            if hung == '':
                os.kill(runs, SIGKILL)
                os.kill(locks, SIGKILL)
                os._exit(0)
            os.write(lock, b'x')
            print(hung, flush=True)


main(*sys.argv[1:])
