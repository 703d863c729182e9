"""Connects from a thread with a name of its own: named_thread.py PORT NAME. Prints pid and tid."""
import ctypes
import os
import socket
import ssl
import sys
import threading

PR_SET_NAME = 15


def work():
    ctypes.CDLL(None).prctl(PR_SET_NAME, sys.argv[2].encode(), 0, 0, 0)
    context = ssl._create_unverified_context()
    plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    with context.wrap_socket(plain, server_hostname="thread.example") as secure:
        secure.send(b"x")
    print(os.getpid(), threading.get_native_id())


thread = threading.Thread(target=work)
thread.start()
thread.join()
