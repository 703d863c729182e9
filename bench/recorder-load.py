# SPDX-License-Identifier: Apache-2.0
"""Load for dump.ts: COUNT connections on loopback to itself, each with a ClientHello of another JA3.

    recorder-load.py COUNT

Each has another three cipher suites, and 400 bytes of padding (RFC 7685), which makes it as long as a browser's.
"""

import socket
import sys

PADDING = b"\x00\x15\x01\x90" + bytes(400)


def hello(number):
    suites = b"".join((1 + (number // 100**place) % 100).to_bytes(2, "big") for place in range(3))
    body = b"\x03\x03" + bytes(32) + b"\x00" + len(suites).to_bytes(2, "big") + suites + b"\x01\x00"
    body += len(PADDING).to_bytes(2, "big") + PADDING
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


listener = socket.create_server(("127.0.0.1", 0))
for number in range(int(sys.argv[1])):
    sent = hello(number)
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    client.sendall(sent)
    server.recv(len(sent), socket.MSG_WAITALL)
    client.close()
    server.close()
