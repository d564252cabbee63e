"""Joins the lobby by plain lines, as a guest: python3 plain.py HOST [NICK]"""
import socket, sys, threading
sock = socket.create_connection((sys.argv[1], 25252))
sock.sendall(f"/nick {sys.argv[2]}\n".encode() if len(sys.argv) > 2 else b"\n")
def show():
    for line in sock.makefile(encoding="utf-8"): print(line, end="", flush=True)
reader = threading.Thread(target=show); reader.start()
for line in sys.stdin: sock.sendall(line.encode())  # one line, one message
sock.shutdown(socket.SHUT_WR)
reader.join()
