"""send_hellos.py PORT FILE[:bytes]...

Connects to 127.0.0.1:PORT once for each FILE, sends what is in it - in one write, or with `:bytes` each byte in a write
of its own - and waits for the first answer. Prints first who it is: pid and start time, in clock ticks since boot.
"""
import socket
import sys

with open("/proc/self/stat") as stat:
    fields = stat.read().rsplit(")", 1)
print(fields[0].split()[0], fields[1].split()[19], flush=True)

for word in sys.argv[2:]:
    file, _, how = word.partition(":")
    with open(file, "rb") as hello:
        data = hello.read()
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = 1 if how == "bytes" else len(data)
        for at in range(0, len(data), step):
            connection.sendall(data[at:at + step])
        connection.recv(1)
