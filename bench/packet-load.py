# SPDX-License-Identifier: Apache-2.0
"""Load for packet.ts: one connection on loopback, two processes, COUNT times one byte there and one back.

    packet-load.py COUNT CERTIFICATE KEY

The data follows a real TLS handshake and goes over the connection as it is, without TLS: what ciphers cost would only
hide what a packet costs.
"""

import os
import socket
import ssl
import sys


def serve(listener, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.num_tickets = 0
    raw, _ = listener.accept()
    connection = context.wrap_socket(raw, server_side=True)
    fd = connection.fileno()
    while byte := os.read(fd, 1):
        os.write(fd, byte)


def main():
    count, certificate, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    listener = socket.create_server(("127.0.0.1", 0))
    server = os.fork()
    if server == 0:
        serve(listener, certificate, key)
        os._exit(0)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    raw = socket.create_connection(listener.getsockname())
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = context.wrap_socket(raw)
    fd = connection.fileno()
    for _ in range(count):
        os.write(fd, b"x")
        os.read(fd, 1)
    connection.shutdown(socket.SHUT_WR)
    os.waitpid(server, 0)


main()
