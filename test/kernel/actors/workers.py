"""A TLS server that hands its connections to worker processes: workers.py fork|prefork PORT KEY CERT.

Prints `CLIENT_PORT PID` for each connection, as the worker that shook hands on it.
"""
import os
import socket
import ssl
import sys

kind, port, key, certificate = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)


def serve(connection, address):
    print(address[1], os.getpid(), flush=True)
    with context.wrap_socket(connection, server_side=True) as secure:
        secure.recv(1)


if kind == "prefork":
    for _ in range(3):
        if os.fork() == 0:
            while True:
                serve(*listener.accept())
    while True:
        os.wait()

while True:
    accepted = listener.accept()
    if os.fork() == 0:
        serve(*accepted)
        os._exit(0)
    accepted[0].close()
