"""Connects in one process and shakes hands in another, to which the socket goes over SCM_RIGHTS: pass_socket.py PORT.

Prints the pids of the one that connected and of the one that got the socket.
"""
import os
import socket
import ssl
import sys

ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
receiver = os.fork()
if receiver == 0:
    _, descriptors, _, _ = socket.recv_fds(theirs, 1, 1)
    context = ssl._create_unverified_context()
    with context.wrap_socket(socket.socket(fileno=descriptors[0]), server_hostname="passed.example") as secure:
        secure.send(b"x")
    os._exit(0)

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    socket.send_fds(ours, [b"x"], [connection.fileno()])
os.wait()
print(os.getpid(), receiver)
