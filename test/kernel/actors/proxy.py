"""A proxy that opens a tunnel to where it is asked to, once and again: HTTP CONNECT (RFC 9110) or SOCKS5 (RFC 1928).

    proxy.py http|socks PORT
"""

import socket
import sys
import threading


def asked_by_http(file):
    target = file.readline().split()[1].decode()
    while file.readline().strip():
        pass
    host, _, port = target.rpartition(":")
    return host, int(port), b"HTTP/1.1 200 Connection established\r\n\r\n"


def asked_by_socks(connection, file):
    _, methods = file.read(2)
    file.read(methods)
    connection.sendall(bytes([5, 0]))
    _, _, _, kind = file.read(4)
    host = socket.inet_ntoa(file.read(4)) if kind == 1 else file.read(file.read(1)[0]).decode()
    return host, int.from_bytes(file.read(2), "big"), bytes([5, 0, 0, 1, 127, 0, 0, 1, 0, 0])


def pass_on(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def talk(kind, connection):
    file = connection.makefile("rb", 0)
    host, port, answer = asked_by_http(file) if kind == "http" else asked_by_socks(connection, file)
    onward = socket.create_connection((host, port))
    connection.sendall(answer)
    back = threading.Thread(target=pass_on, args=(onward, connection))
    back.start()
    pass_on(connection, onward)
    back.join()
    connection.close()
    onward.close()


kind, port = sys.argv[1:]
listener = socket.create_server(("127.0.0.1", int(port)))
while True:
    threading.Thread(target=talk, args=(kind, listener.accept()[0]), daemon=True).start()
