"""For which TCP sockets of some processes a map of socket storage keeps something: kept_sockets.py MAP_ID PID...

Prints a line for each socket: "kept" or "free", and its local and remote ports. The sockets are borrowed by pidfd_getfd(2); bpf(2) takes
a socket's descriptor for the key.
"""
import ctypes
import os
import platform
import re
import socket
import struct
import sys

PIDFD_GETFD = 438
BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
MAP_LOOKUP_ELEM, MAP_GET_FD_BY_ID = 1, 14

libc = ctypes.CDLL(None, use_errno=True)


def called(*arguments: int) -> int:
    result = libc.syscall(*(ctypes.c_long(argument) for argument in arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def bpf(command: int, attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes)
    return called(BPF, command, ctypes.addressof(buffer), len(attributes))


def sockets_of(pid: int):
    process = os.pidfd_open(pid)
    for number in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:"):
            yield socket.socket(fileno=called(PIDFD_GETFD, process, int(number), 0))


def is_kept(storage: int, size: int, fd: int) -> bool:
    key, value = ctypes.c_int(fd), ctypes.create_string_buffer(size)
    try:
        bpf(MAP_LOOKUP_ELEM, struct.pack("=IIQQQ", storage, 0, ctypes.addressof(key), ctypes.addressof(value), 0))
    except FileNotFoundError:
        return False
    return True


storage = bpf(MAP_GET_FD_BY_ID, struct.pack("=III", int(sys.argv[1]), 0, 0))
with open(f"/proc/self/fdinfo/{storage}") as told:
    size = int(re.search(r"value_size:\s*(\d+)", told.read()).group(1))
for pid in sys.argv[2:]:
    for one in sockets_of(int(pid)):
        if one.family != socket.AF_INET or one.type != socket.SOCK_STREAM:
            continue
        try:
            remote = one.getpeername()[1]
        except OSError:
            remote = 0
        print("kept" if is_kept(storage, size, one.fileno()) else "free", one.getsockname()[1], remote)
