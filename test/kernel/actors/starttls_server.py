"""A server that speaks a few lines of a protocol, and then TLS on the same connection.

    starttls_server.py PROTOCOL PORT CERTIFICATE KEY        PROTOCOL: smtp, imap, postgres, ldap
"""

import socket
import ssl
import sys


def line(file, wanted):
    """Reads lines up to one that holds `wanted`; returns its first word."""
    while text := file.readline():
        if wanted in text.upper():
            return text.split()[0].decode()
    raise ConnectionError("closed")


def smtp(connection, file):
    connection.sendall(b"220 mail.example ESMTP\r\n")
    line(file, b"EHLO")
    connection.sendall(b"250-mail.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n")
    line(file, b"STARTTLS")
    connection.sendall(b"220 go ahead\r\n")


def imap(connection, file):
    connection.sendall(b"* OK imap.example\r\n")
    tag = line(file, b"CAPABILITY")
    connection.sendall(f"* CAPABILITY IMAP4rev1 STARTTLS\r\n{tag} OK done\r\n".encode())
    tag = line(file, b"STARTTLS")
    connection.sendall(f"{tag} OK begin\r\n".encode())


def postgres(connection, file):
    # SSLRequest: length 8, code 80877103 (PostgreSQL documentation, message formats).
    assert file.read(8) == bytes([0, 0, 0, 8, 4, 210, 22, 47])
    connection.sendall(b"S")


def ldap(connection, file):
    # The extended request for 1.3.6.1.4.1.1466.20037 (RFC 4511 section 4.14.1), and its success with the same message id.
    head = file.read(2)
    message = file.read(head[1])
    assert b"1.3.6.1.4.1.1466.20037" in message
    connection.sendall(bytes([0x30, 12]) + message[:3] + bytes([0x78, 7, 0x0A, 1, 0, 4, 0, 4, 0]))


protocol, port, certificate, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", int(port)))
while True:
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Unbuffered: what follows belongs to TLS.
    {"smtp": smtp, "imap": imap, "postgres": postgres, "ldap": ldap}[protocol](connection, connection.makefile("rb", 0))
    with context.wrap_socket(connection, server_side=True) as tls:
        while tls.recv(1024):
            pass
