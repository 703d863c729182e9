"""A TLS 1.3 client or server that cuts its hellos into pieces on the way out, and logs what it said.

    cut_tls.py server HOST PORT LOG CUT CERTIFICATE KEY [CURVE]
    cut_tls.py client HOST PORT LOG CUT SERVER_NAME [OPTION...]

CUT, joined by commas: whole; bytes (one byte a write, TCP_NODELAY); records=N (the hello in TLS records of N bytes).
OPTION: fastopen (the hello on the SYN), from=PORT (the client's own port), alpn=N (N names, which make a long hello),
connections=N (this many at once, each in a thread), destination-options (an IPv6 extension header on each packet),
hold=FILE (the connection stays open as long as there is such a file, and a few packets go there and back).
The log gets one JSON object a connection: {"pid", "serverName", "sent": [hello in hex, ...]}; the hellos are what OpenSSL
gave out, before any cutting.
"""

import json
import os
import socket
import ssl
import sys
import threading
import time

HANDSHAKE, CLIENT_HELLO, SERVER_HELLO = 22, 1, 2
IPV6_DSTOPTS = 59
TIMEOUT = 60
DOT = b"."
log_lock = threading.Lock()


def records_of(data):
    while data:
        end = 5 + int.from_bytes(data[3:5], "big")
        yield data[:end]
        data = data[end:]


class Cutter:
    def __init__(self, connection, cut, destination=None):
        self.connection = connection
        self.destination = destination
        self.cuts = dict(part.partition("=")[::2] for part in cut.split(","))
        self.sent = []

    def send(self, data):
        out = b""
        for record in records_of(data):
            payload = record[5:]
            if record[0] == HANDSHAKE and payload[0] in (CLIENT_HELLO, SERVER_HELLO):
                self.sent.append(payload.hex())
                size = int(self.cuts.get("records", len(payload)))
                for at in range(0, len(payload), size):
                    piece = payload[at : at + size]
                    out += record[:3] + len(piece).to_bytes(2, "big") + piece
            else:
                out += record
        if self.destination:
            out = out[self.connection.sendto(out, socket.MSG_FASTOPEN, self.destination) :]
            self.destination = None
        if "bytes" in self.cuts:
            for at in range(len(out)):
                self.connection.sendall(out[at : at + 1])
        else:
            self.connection.sendall(out)


def shake_hands(connection, context, cut, log, destination=None, **options):
    """Returns what the handshake was about, when both ends are through with it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, **options)
    cutter = Cutter(connection, cut, destination)
    names = []
    if options.get("server_side"):
        context.sni_callback = lambda _object, name, _context: names.append(name)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            if outgoing.pending:
                cutter.send(outgoing.read())
            data = connection.recv(65536)
            if not data:
                raise ConnectionError("closed during the handshake")
            incoming.write(data)
    if outgoing.pending:
        cutter.send(outgoing.read())
    name = options.get("server_hostname") or (names[0] if names else None)
    with log_lock, open(log, "a") as file:
        file.write(json.dumps({"pid": os.getpid(), "serverName": name, "sent": cutter.sent}) + "\n")


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def serve(host, port, log, cut, certificate, key, curve=None):
    listener = socket.socket(family_of(host))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    listener.bind((host, int(port)))
    listener.listen(128)

    def talk(connection):
        with connection:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            if curve:
                context.set_ecdh_curve(curve)
            connection.settimeout(TIMEOUT)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            shake_hands(connection, context, cut, log, server_side=True)
            # Until the client is through with it.
            while data := connection.recv(65536):
                if data.strip(DOT) == b"":
                    connection.sendall(data)

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=talk, args=(connection,), daemon=True).start()


def connect(host, port, log, cut, name, options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if "alpn" in options:
        context.set_alpn_protocols([f"protocol-number-{number:08}" for number in range(int(options["alpn"]))])
    connection = socket.socket(family_of(host))
    connection.settimeout(TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if "destination-options" in options:
        # Next header and length are the kernel's; PadN fills the eight bytes (RFC 8200 section 4.2).
        connection.setsockopt(socket.IPPROTO_IPV6, IPV6_DSTOPTS, bytes([0, 0, 1, 4, 0, 0, 0, 0]))
    if "from" in options:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.bind(("", int(options["from"])))
    destination = (host, int(port))
    if "fastopen" not in options:
        connection.connect(destination)
        destination = None
    shake_hands(connection, context, cut, log, destination, server_hostname=name)
    if "hold" in options:
        for _ in range(40):
            connection.sendall(DOT)
            time.sleep(0.01)
        while os.path.exists(options["hold"]):
            time.sleep(0.05)
    # The server's tickets may still be on their way.
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass
    connection.close()


def client(host, port, log, cut, name, *words):
    options = dict(word.partition("=")[::2] for word in words)
    count = int(options.get("connections") or 1)
    failed = []

    def one(number):
        try:
            connect(host, port, log, cut, name if count == 1 else f"{number}.{name}", options)
        except OSError as error:
            failed.append(f"{number}: {error}")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
        time.sleep(0.002)
    for thread in threads:
        thread.join()
    if failed:
        sys.exit("\n".join(failed))


if sys.argv[1] == "server":
    serve(*sys.argv[2:])
else:
    client(*sys.argv[2:])
