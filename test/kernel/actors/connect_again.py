"""connect_again.py HELLO PORT BYTES [PORT BYTES...]: sends the first BYTES of HELLO to each port of 127.0.0.1 by one socket.

Between them the socket leaves its connection by connect(2) with AF_UNSPEC, and connects again.
"""
import ctypes
import os
import socket
import sys
import time

SOCKADDR_UNSPEC = bytes(16)

with open(sys.argv[1], "rb") as file:
    hello = file.read()
libc = ctypes.CDLL(None, use_errno=True)
connection = socket.socket()
turns = list(zip(sys.argv[2::2], sys.argv[3::2]))
for at, (port, count) in enumerate(turns):
    if at > 0 and libc.connect(connection.fileno(), SOCKADDR_UNSPEC, len(SOCKADDR_UNSPEC)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    connection.connect(("127.0.0.1", int(port)))
    connection.sendall(hello[: int(count)])
    time.sleep(0.2)
