"""reconnecting_tls.py HOST PORT NAME: holds a TLS connection, and makes a new one when it is lost.

Prints a line for each: `connected LOCAL_PORT` and `lost ERRNO`. Server names are NAME-0, NAME-1 and so on.
"""
import errno
import select
import socket
import ssl
import sys

host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

for attempt in range(10):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    raw = socket.socket(family)
    raw.connect((host, port))
    connection = context.wrap_socket(raw, server_hostname=f"{name}-{attempt}")
    print("connected", connection.getsockname()[1], flush=True)
    connection.setblocking(False)
    while True:
        select.select([connection], [], [])
        # The kernel's own word: reading through TLS would turn it into an end of file.
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            if error or not connection.recv(4096):
                break
        except ssl.SSLWantReadError:
            pass
    print("lost", errno.errorcode.get(error, error), flush=True)
    connection.close()
