"""A server that accepts a connection, and closes it in a child of its own, without a word.

    silent_workers.py PORT read|leave

Prints the child's pid.
"""

import os
import socket
import sys
import time

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
while True:
    connection, _ = listener.accept()
    pid = os.fork()
    if pid == 0:
        if sys.argv[2] == "read":
            connection.recv(65536)
        # The parent's descriptor is closed by then, and the hello is there.
        time.sleep(0.05)
        connection.close()
        os._exit(0)
    connection.close()
    os.waitpid(pid, 0)
    print(pid, flush=True)
