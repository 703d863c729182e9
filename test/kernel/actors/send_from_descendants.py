"""send_from_descendants.py PORT FILE

Waits for a line on stdin. Then sends what is in FILE to PORT on 127.0.0.1 four times: from itself, from a child, from a
grandchild, and from a grandchild whose parent has ended, so that another process has adopted it. Prints one line of JSON
for each: who, its pid, and its own port.
"""
import json
import os
import socket
import sys
import time

port, hello = int(sys.argv[1]), open(sys.argv[2], "rb").read()


def send(who):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(hello)
    line = {"who": who, "pid": os.getpid(), "ppid": os.getppid(), "port": connection.getsockname()[1]}
    os.write(1, (json.dumps(line) + "\n").encode())
    connection.recv(1)
    connection.close()


def fork(body):
    pid = os.fork()
    if pid == 0:
        body()
        os._exit(0)
    return pid


def leave_behind():
    parent = os.getpid()

    def adopted():
        while os.getppid() == parent:
            time.sleep(0.005)
        send("adopted")

    fork(adopted)


print("ready", flush=True)
sys.stdin.readline()
send("self")
os.waitpid(fork(lambda: send("child")), 0)
os.waitpid(fork(lambda: os.waitpid(fork(lambda: send("grandchild")), 0)), 0)
os.waitpid(fork(leave_behind), 0)
time.sleep(1)
