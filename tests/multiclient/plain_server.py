#!/usr/bin/env python3
"""plain_server: a mail server written from the assignment alone, in one file

    plain_server.py [-p PORT] [-t SECONDS]

It listens on 127.0.0.1, port PORT (8765; 0: any free one), and prints that port on standard error
when it is ready. SECONDS is how long a client may be dormant (10). It stores mail in the current
directory. multiclient --grade must find nothing wrong with it: where the assignment leaves
something open, it decides otherwise than smtpd does.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time

NETID = "plain"
THREADS = 32
GROUP = 32


class Pool:
    """Monitor: hands each connection from the producer to one of the idle consumers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.is_idle = threading.Condition(self.lock)
        self.has_work = threading.Condition(self.lock)
        self.idle = 0
        self.connections = []

    def await_idle(self):
        with self.lock:
            while self.idle <= len(self.connections):
                self.is_idle.wait()

    def put(self, connection):
        with self.lock:
            self.connections.append(connection)
            self.has_work.notify()

    def get(self):
        with self.lock:
            self.idle += 1
            self.is_idle.notify()
            while not self.connections:
                self.has_work.wait()
            self.idle -= 1
            return self.connections.pop(0)


class Mailbox:
    """Monitor: numbers the messages, appends them, and has each group of them backed up."""

    def __init__(self):
        self.lock = threading.Lock()
        self.is_due = threading.Condition(self.lock)
        self.is_done = threading.Condition(self.lock)
        self.number = 0
        self.due = False
        open("mailbox", "w").close()

    def deliver(self, host, sender, recipients, lines):
        with self.lock:
            while self.due:
                self.is_done.wait()
            self.number += 1
            record = ["Received: from %s by %s (CS4410MP3)" % (host, NETID)]
            record.append("Number: %d" % self.number)
            record.append("From: " + sender)
            record += ["To: " + recipient for recipient in recipients]
            with open("mailbox", "a", encoding="latin-1", newline="") as mailbox:
                mailbox.write("\n".join(record + [""] + lines + ["", ""]))
            if self.number % GROUP == 0:
                self.due = True
                self.is_due.notify()
            return self.number

    def back_up(self):
        """The backup thread."""
        while True:
            with self.lock:
                while not self.due:
                    self.is_due.wait()
                with open("mailbox", "rb") as mailbox:
                    content = mailbox.read()
                name = "mailbox.%d-%d" % (self.number - GROUP + 1, self.number)
                with open(name, "wb") as backup:
                    backup.write(content)
                open("mailbox", "w").close()
                self.due = False
                self.is_done.notify_all()


class Dormant(Exception):
    """The client has sent no valid command, or no data, for too long."""


class Client:
    """One connection, from its greeting to its end."""

    def __init__(self, connection, mailbox, timeout):
        self.connection = connection
        self.mailbox = mailbox
        self.timeout = timeout
        self.buffer = b""
        self.host = None
        self.clear()

    def clear(self):
        self.sender = None
        self.recipients = []

    def reply(self, text):
        self.connection.sendall((text + "\r\n").encode("latin-1"))

    def extend(self):
        self.deadline = time.monotonic() + self.timeout

    def read_line(self, in_data):
        """Return the next line; None at the end of file."""
        while b"\r\n" not in self.buffer:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise Dormant
            self.connection.settimeout(left)
            try:
                received = self.connection.recv(4096)
            except socket.timeout:
                raise Dormant from None
            if not received:
                return None
            self.buffer += received
            if in_data:
                self.extend()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def serve(self):
        try:
            self.reply("220 %s SMTP CS4410MP3" % NETID)
            self.extend()
            line = self.read_line(False)
            while line is not None:
                if self.obey(line):
                    self.extend()
                line = self.read_line(False)
        except Dormant:
            self.reply("421 4.4.2 %s Error: timeout exceeded" % NETID)
        except OSError:
            pass

    def obey(self, line):
        """Reply to a command. Returns whether it was a valid one."""
        words = line.split()
        if words[:1] == ["HELO"]:
            return self.obey_helo(words[1:])
        if line.startswith("MAIL FROM:"):
            return self.obey_mail(line[len("MAIL FROM:"):].strip())
        if line.startswith("RCPT TO:"):
            return self.obey_rcpt(line[len("RCPT TO:"):].strip())
        if words[:1] == ["DATA"]:
            return self.obey_data(words[1:])
        self.reply("500 Error: command not recognized")
        return False

    def obey_helo(self, words):
        if len(words) != 1:
            self.reply("501 Syntax:  HELO yourhostname")
        elif self.host is not None:
            self.reply("503 Error: duplicate HELO")
        else:
            self.host = words[0]
            self.reply("250 " + NETID)
            return True
        return False

    def obey_mail(self, address):
        if not address:
            self.reply("501 Syntax: MAIL FROM: <address>")
        elif self.host is None:
            self.reply("503 Error: need HELO command")
        elif len(address.split()) > 1:
            self.reply("555 <%s>: Sender address rejected" % address)
        elif self.sender is not None:
            self.reply("503 Error: nested MAIL command")
        else:
            self.sender = address
            self.reply("250 OK")
            return True
        return False

    def obey_rcpt(self, address):
        if not address:
            self.reply("501 Syntax: RCPT TO: <address>")
        elif self.host is None:
            self.reply("503 Error: need HELO command")
        elif self.sender is None:
            self.reply("503 Error: need MAIL command")
        elif len(address.split()) > 1:
            self.reply("555 <%s>: Recipient address invalid" % address)
        else:
            self.recipients.append(address)
            self.reply("250 OK")
            return True
        return False

    def obey_data(self, words):
        if words:
            self.reply("501 Syntax: DATA")
            return False
        if self.host is None:
            self.reply("503 Error: need HELO command")
            return False
        if not self.recipients:
            self.reply("503 Error: need RCPT command")
            return False
        self.reply("354 End data with <CR><LF>.<CR><LF>")
        self.extend()
        lines = []
        line = self.read_line(True)
        while line not in (None, "."):
            lines.append(line)
            line = self.read_line(True)
        if line is None:
            return False
        number = self.mailbox.deliver(self.host, self.sender, self.recipients, lines)
        self.reply("250 OK: delivered message %d" % number)
        self.clear()
        return True


def consume(pool, mailbox, timeout):
    """A thread of the pool: serve one connection after the other."""
    while True:
        connection = pool.get()
        with connection:
            Client(connection, mailbox, timeout).serve()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-p", type=int, default=8765)
    parser.add_argument("-t", type=float, default=10.0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    pool, mailbox = Pool(), Mailbox()
    threading.Thread(target=mailbox.back_up, daemon=True).start()
    for _ in range(THREADS):
        threading.Thread(target=consume, args=(pool, mailbox, options.t), daemon=True).start()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", options.p))
    listener.listen(128)
    print("Server coming up on 127.0.0.1:%d" % listener.getsockname()[1], file=sys.stderr, flush=True)
    while True:
        pool.await_idle()
        pool.put(listener.accept()[0])


if __name__ == "__main__":
    main()
