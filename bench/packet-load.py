# SPDX-License-Identifier: Apache-2.0
"""Load for packet.ts and packet-bulk.ts: one connection on loopback, two processes, data after a real TLS handshake.

    packet-load.py turns COUNT CERTIFICATE KEY    COUNT times one byte there and one back
    packet-load.py bulk BYTES CERTIFICATE KEY     BYTES one way, in writes of 256 KiB

The data goes over the connection as it is, without TLS: what ciphers cost would only hide what a packet costs.
Prints the nanoseconds that the data took.
"""

import os
import socket
import ssl
import sys
import time

CHUNK = 256 * 1024


def serve(listener, mode, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.num_tickets = 0
    raw, _ = listener.accept()
    connection = context.wrap_socket(raw, server_side=True)
    fd = connection.fileno()
    if mode == "turns":
        while byte := os.read(fd, 1):
            os.write(fd, byte)
    else:
        room = bytearray(CHUNK)
        while os.readv(fd, [room]) > 0:
            pass
    os.write(fd, b"!")


def main():
    mode, amount, certificate, key = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    listener = socket.create_server(("127.0.0.1", 0))
    server = os.fork()
    if server == 0:
        serve(listener, mode, certificate, key)
        os._exit(0)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    raw = socket.create_connection(listener.getsockname())
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = context.wrap_socket(raw)
    fd = connection.fileno()
    start = time.monotonic_ns()
    if mode == "turns":
        for _ in range(amount):
            os.write(fd, b"x")
            os.read(fd, 1)
    else:
        chunk = bytes(CHUNK)
        for _ in range(amount // CHUNK):
            os.write(fd, chunk)
    connection.shutdown(socket.SHUT_WR)
    # The server's last byte: all of it has arrived.
    os.read(fd, 1)
    print(time.monotonic_ns() - start)
    os.waitpid(server, 0)


main()
