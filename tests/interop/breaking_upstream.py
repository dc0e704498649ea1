"""Takes requests, notes each in a file, and breaks the connection in the place of an answer, unless the path is /well."""

import contextlib
import socket
import sys
import threading

port, path = int(sys.argv[1]), sys.argv[2]
lock = threading.Lock()


def head_of(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(65536)
        if not part:
            return None
        head += part
    return head


def serve(connection):
    with contextlib.suppress(OSError), connection:
        while head := head_of(connection):
            line = head.split(b"\r\n")[0].decode("ascii", "replace")
            with lock, open(path, "a", encoding="ascii") as log:
                log.write(line + "\n")
            if " /well " not in line:
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


listener = socket.create_server(("127.0.0.1", port))
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
