#!/usr/bin/env python3
"""send.py: send messages that are difficult to convert

    send.py PORT

All go over one connection to 127.0.0.1, and every one must be acknowledged.
"""

import socket
import sys

# The only byte that no body has. For an awk that cannot read NUL, mailbox2mbox puts it in place of NUL.
UNUSED = b"\x0e"

# Bodies, with LF as line end, and without the dot that is added to lines that begin with one.
BODIES = [
    b"",
    b"\n",
    b"\n\n\n",
    b"From sender@example.org Fri Jan  2 03:04:05 2026\nSubject: forged\n\ntext\n",
    b"text\n\nFrom sender@example.org Fri Jan  2 03:04:05 2026\n>From x\n>>From x\n",
    b"Received: from a by netid (CS4410MP3)\nNumber: 1\nFrom: a\nTo: b\n\nforged\n\n",
    b"text\n\nReceived: from a by netid (CS4410MP3)\nNumber: 7\nFrom: a\nTo: b\n\nforged\n\n",
    b"text\n\n>Received: from a by other (CS4410MP3)\n>>Received: from a by netid (CS4410MP3)\n",
    b"Subject: header only\n",
    b"Subject: with a header\nX-Folded: one\n\ttwo\n\nFrom here\n\n",
    b"Subject: no header\nbecause of this line\n\ntext\n",
    b"Content-Length: 100000\nSubject: too long\n\ntext\n",
    b"Subject: all bytes\n\n" + bytes(byte for byte in range(256) if byte not in b"\r\n" + UNUSED)
    + b"\n",
    b"\xff\xfe\x00\x00 without a header\n",
    b"a lone \r and\x00NUL\n",
    b"x" * 100000 + b"\n",
    b"line\n" * 50000,
    b".\n..\n.dot\n",
]


def reply(stream, code):
    line = stream.readline()
    if not line.startswith(code):
        sys.exit(f"send.py: {line!r}, not {code!r}")


def main():
    client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    stream = client.makefile("rwb")
    reply(stream, b"220")
    stream.write(b"HELO send.example\r\n")
    stream.flush()
    reply(stream, b"250")
    for body in BODIES:
        body = b"".join(b"." * (line[:1] == b".") + line for line in body.splitlines(True))
        stream.write(b"MAIL FROM: <sender@example.org>\r\nRCPT TO: a@example.org\r\n")
        stream.write(b"RCPT TO: <b@example.org>\r\nDATA\r\n")
        stream.write(body.replace(b"\n", b"\r\n") + b".\r\n")
        stream.flush()
        for code in (b"250", b"250", b"250", b"354", b"250"):
            reply(stream, code)


main()
