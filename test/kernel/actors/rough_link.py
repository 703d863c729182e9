"""A link between two network namespaces that loses, doubles and reorders packets at random.

    rough_link.py NETNS_A NETNS_B MTU LOSS DOUBLE DELAY_MS [third-ack]

Two TUN devices, rough0 in either namespace: 10.99.0.1 and fd99::1 in A, 10.99.0.2 and fd99::2 in B. LOSS and DOUBLE are
probabilities; each packet waits between 0 and DELAY_MS, and so overtakes others. `third-ack` drops what a client in A
sends between its SYN and its first data. Says "ready", and on SIGTERM what it did, as JSON.
"""

import fcntl
import heapq
import json
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
FIN, SYN, RST, ACK = 1, 2, 4, 16


def open_tun(name, netns, number, mtu):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    for command in (
        f"ip link set {name} netns {netns}",
        f"ip -n {netns} link set {name} name rough0",
        f"ip -n {netns} link set rough0 mtu {mtu} up",
        f"ip -n {netns} address add 10.99.0.{number}/24 dev rough0",
    ):
        subprocess.run(command.split(), check=True)
    if mtu >= 1280:
        subprocess.run(f"ip -n {netns} -6 address add fd99::{number}/64 dev rough0 nodad".split(), check=True)
    return fd


def tcp_of(packet):
    """Flags, bytes of payload, and the connection; None where it is not TCP."""
    if packet[0] >> 4 == 4:
        if packet[9] != 6:
            return None
        at, end, addresses = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big"), packet[12:20]
    else:
        if packet[6] != 6:
            return None
        at, end, addresses = 40, len(packet), packet[8:40]
    return packet[at + 13], end - at - (packet[at + 12] >> 4) * 4, addresses + packet[at : at + 4]


def main():
    netns_a, netns_b, mtu, loss, double, delay_ms, *rest = sys.argv[1:]
    loss, double, delay = float(loss), float(double), float(delay_ms) / 1000
    chance = random.SystemRandom()
    name = f"rough{os.getpid()}"
    ends = [open_tun(f"{name}a", netns_a, 1, int(mtu)), open_tun(f"{name}b", netns_b, 2, int(mtu))]
    did = {"packets": 0, "lost": 0, "doubled": 0, "overtaken": 0, "thirdAcks": 0}
    spoken = set()
    waiting = []
    last_sent = {ends[0]: 0, ends[1]: 0}
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    print("ready", flush=True)
    while not ended:
        patience = max(0, waiting[0][0] - time.monotonic()) if waiting else 0.1
        for fd in select.select(ends, [], [], min(patience, 0.1))[0]:
            packet = os.read(fd, 65536)
            other = ends[1] if fd == ends[0] else ends[0]
            did["packets"] += 1
            tcp = tcp_of(packet)
            if "third-ack" in rest and fd == ends[0] and tcp:
                flags, length, connection = tcp
                if length > 0:
                    spoken.add(connection)
                elif not flags & (SYN | FIN | RST) and connection not in spoken:
                    did["thirdAcks"] += 1
                    continue
            if chance.random() < loss:
                did["lost"] += 1
                continue
            copies = 2 if chance.random() < double else 1
            did["doubled"] += copies - 1
            for _ in range(copies):
                at = time.monotonic() + chance.random() * delay
                heapq.heappush(waiting, (at, did["packets"], other, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, number, fd, packet = heapq.heappop(waiting)
            did["overtaken"] += number < last_sent[fd]
            last_sent[fd] = max(last_sent[fd], number)
            os.write(fd, packet)
    print(json.dumps(did), flush=True)


main()
