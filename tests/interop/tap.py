#!/usr/bin/env python3
"""tap: relay connections between a mail program and the server, and record both directions

    tap.py SERVER-PORT DIRECTORY COMMAND [ARGUMENT ...]

Listens on a free port of 127.0.0.1 and runs the command with SMTP_PORT set to it. Every connection
is relayed unchanged to SERVER-PORT of 127.0.0.1, including the end of each direction. When connection
N has ended, the files N.client and N.server hold the bytes of each side. N.talk has the lines of both
in the order of their arrival, those of the client after "> " and those of the server after "< ".

Ends when the command and then all open connections have ended, with the command's exit status.
"""

import os
import selectors
import socket
import subprocess
import sys
import threading

CHUNK_SIZE = 65536

# Seconds after which a direction without data ends the connection.
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
    server_port, directory, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    listener = socket.create_server(("127.0.0.1", 0))
    environment = dict(os.environ, SMTP_PORT=str(listener.getsockname()[1]))
    process = subprocess.Popen(command, env=environment)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(os.pidfd_open(process.pid), selectors.EVENT_READ)
    threads = []
    while True:
        ready = [key.fileobj for key, _ in selector.select()]
        if listener in ready:
            client, _ = listener.accept()
            path = os.path.join(directory, str(len(threads) + 1))
            threads.append(threading.Thread(target=serve, args=(client, server_port, path)))
            threads[-1].start()
        else:
            break
    for thread in threads:
        thread.join()
    return process.wait()


sys.exit(main())
