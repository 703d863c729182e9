"""wait_to_connect.py PORT HELLO: a connection that begins to be made now, and is made only when it is told to.

Listens on PORT with no room for another connection, begins to connect there itself, and says `waiting` when it does. With
the next line on stdin it makes room, sends HELLO when it is connected, and says its own port.
"""
import select
import socket
import sys

port = int(sys.argv[1])
with open(sys.argv[2], "rb") as file:
    hello = file.read()
listener = socket.socket()
listener.bind(("127.0.0.1", port))
listener.listen(0)
# The kernel takes one more than the backlog says.
first = socket.create_connection(("127.0.0.1", port))
late = socket.socket()
late.setblocking(False)
late.connect_ex(("127.0.0.1", port))
print("waiting", flush=True)
sys.stdin.readline()
accepted = [listener.accept()[0]]
# The SYN is sent again a second later, and later.
select.select([], [late], [], 20)
late.setblocking(True)
late.sendall(hello)
accepted.append(listener.accept()[0])
while len(accepted[1].recv(65536)) == 0:
    pass
accepted[1].sendall(b"x")
print(late.getsockname()[1], flush=True)
