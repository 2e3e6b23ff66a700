#!/usr/bin/env python3
"""tap: stand between a mail program and the server, and write down what each says

    tap.py SERVER-PORT DIRECTORY

Listens on a free port of 127.0.0.1 and prints it. Every connection is passed on to SERVER-PORT of
127.0.0.1, byte by byte and with the ends of both directions where they were. When it has ended, the
Nth has left the files N.client and N.server with what either has said, and N.talk with both, a line
each, in the order in which they went by.

Ends with the end of file on standard input, after the connections that are open have ended.
"""

import os
import selectors
import socket
import sys
import threading

CHUNK_SIZE = 65536

# Seconds after which a connection on which nothing is said is given up.
PATIENCE = 60


def pass_on(source, target, direction, record, talk, lock):
    """Pass on one direction until its end."""
    try:
        while chunk := source.recv(CHUNK_SIZE):
            with lock:
                record.write(chunk)
                talk.append((direction, chunk))
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # One of the two is gone: the other shall know.
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def write_talk(path, talk):
    """Write both directions, each chunk in lines."""
    with open(path, "wb") as file:
        for direction, chunk in talk:
            for line in chunk.splitlines():
                file.write(direction + b" " + line + b"\n")


def serve(client, server_port, path):
    """Pass on one connection."""
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
