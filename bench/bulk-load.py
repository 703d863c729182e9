# SPDX-License-Identifier: Apache-2.0
"""Load for bulk.ts: two connections on loopback between the same two processes, in bursts, after real TLS handshakes.

    bulk-load.py WATCHED OTHER ROUNDS BYTES CERTIFICATE KEY

Both ends of the first connection belong to the cgroup WATCHED, both ends of the second to OTHER: that is all that they
differ in. A round sends one burst over each, in turns first; a burst ends when all of it has been read. Each process
has a processor of its own where there are two. The data goes over the connection as it is, without TLS: what ciphers
cost would only hide what a packet costs. Prints two lines a round: nanoseconds of the
watched burst, and of the other.
"""

import os
import socket
import ssl
import sys
import time

CHUNK = 256 * 1024
# Neither autotuned buffers nor the first page faults are what is measured.
WARM_UP_ROUNDS = 20


def enter(cgroup):
    with open(os.path.join(cgroup, "cgroup.procs"), "w") as processes:
        processes.write(str(os.getpid()))


def pin(which):
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[which % len(processors)]})


def serve(listeners, rounds, size, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.num_tickets = 0
    connections = [context.wrap_socket(one.accept()[0], server_side=True) for one in listeners]
    room = bytearray(CHUNK)
    for turn in range(rounds):
        for which in order(turn):
            fd, left = connections[which].fileno(), size
            while left > 0:
                left -= os.readv(fd, [room])
            os.write(fd, b"!")


def connect(address):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(address))


def order(turn):
    return (0, 1) if turn % 2 == 0 else (1, 0)


def main():
    watched, other, certificate, key = sys.argv[1], sys.argv[2], sys.argv[5], sys.argv[6]
    rounds, size = int(sys.argv[3]) + WARM_UP_ROUNDS, int(sys.argv[4])
    listeners = []
    for cgroup in (watched, other):
        # A socket belongs to the cgroup of its maker, an accepted one to that of its listener.
        enter(cgroup)
        listeners.append(socket.create_server(("127.0.0.1", 0)))
    server = os.fork()
    if server == 0:
        pin(1)
        serve(listeners, rounds, size, certificate, key)
        os._exit(0)
    pin(0)
    connections = []
    for cgroup, listener in zip((watched, other), listeners):
        enter(cgroup)
        connections.append(connect(listener.getsockname()))
    chunk = memoryview(bytes(CHUNK))
    for turn in range(rounds):
        took = [0, 0]
        for which in order(turn):
            fd = connections[which].fileno()
            start = time.monotonic_ns()
            left = size
            while left > 0:
                left -= os.write(fd, chunk[:left])
            os.read(fd, 1)
            took[which] = time.monotonic_ns() - start
        if turn >= WARM_UP_ROUNDS:
            print(*took, sep="\n")
    os.waitpid(server, 0)


main()
