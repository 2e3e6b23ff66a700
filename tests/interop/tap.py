#!/usr/bin/env python3
"""tap: relay connections between a mail program and the server, and record both directions

    tap.py SERVER-PORT DIRECTORY

Listens on a free port of 127.0.0.1 and prints it. Every connection is relayed unchanged to
SERVER-PORT of 127.0.0.1, including the end of each direction. When connection N has ended, the files
N.client and N.server hold the bytes of each side, and N.talk the lines of both in their order.

Ends after the end of file on standard input, when all open connections have ended.
"""

import os
import selectors
import socket
import sys
import threading

CHUNK_SIZE = 65536

# Time limit of an idle connection in seconds.
PATIENCE = 60


def pass_on(source, target, direction, record, talk, lock):
    """Relay one direction until its end."""
    try:
        while chunk := source.recv(CHUNK_SIZE):
            with lock:
                record.write(chunk)
                talk.append((direction, chunk))
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # One side is lost: shut down the other one, too.
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def write_talk(path, talk):
    """Write both directions, each chunk split into lines."""
    with open(path, "wb") as file:
        for direction, chunk in talk:
            for line in chunk.splitlines():
                file.write(direction + b" " + line + b"\n")


def serve(client, server_port, path):
    """Relay one connection."""
    server = socket.create_connection(("127.0.0.1", server_port))
    talk = []
    lock = threading.Lock()
    for end in (client, server):
        end.settimeout(PATIENCE)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with open(path + ".client", "wb") as sent, open(path + ".server", "wb") as replied:
        back = threading.Thread(
            target=pass_on, args=(server, client, b"<", replied, talk, lock))
        back.start()
        pass_on(client, server, b">", sent, talk, lock)
        back.join()
    write_talk(path + ".talk", talk)
    client.close()
    server.close()


def main():
    server_port, directory = int(sys.argv[1]), sys.argv[2]
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    threads = []
    while True:
        ready = [key.fileobj for key, _ in selector.select()]
        if listener in ready:
            client, _ = listener.accept()
            path = os.path.join(directory, str(len(threads) + 1))
            threads.append(threading.Thread(target=serve, args=(client, server_port, path)))
            threads[-1].start()
        elif sys.stdin in ready:
            break
    for thread in threads:
        thread.join()


main()
