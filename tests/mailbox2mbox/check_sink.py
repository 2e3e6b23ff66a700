#!/usr/bin/env python3
"""check_sink.py: read torn records with sink.py of README.txt

    check_sink.py README.txt

Record 2 of 3 is torn after each of its bytes. Record 3 follows an empty line, as the server writes it
after any bytes that it leaves. sink.py must find messages 1 and 3. If the first line of record 2 is
not whole, its bytes are text of message 1; otherwise they change neither. Then bytes of another
program follow the torn record 2, and it is written again: sink.py must find messages 2 and 3. Exit
status 1, with a reason on standard error, if not.
"""

import pathlib
import re
import sys
import tempfile


def record(number):
    return (b"Received: from h by netid (CS4410MP3)\nNumber: %d\n" % number
            + b"From: a\nTo: b\nTo: c\n\nfirst\n\nlast\n\n")


# What sink.py must find of record(): sender, recipients, body.
MESSAGE = ("a", ["b", "c"], b"first\n\nlast\n")


def load(readme):
    """Return the names defined by sink.py, which README.txt shows."""
    text = pathlib.Path(readme).read_text(encoding="ascii")
    shown = re.search(r"^    \$ cat sink\.py\n(.*?)^    \$ ", text, re.M | re.S)[1]
    module = {}
    exec(re.sub(r"^    ", "", shown, flags=re.M), module)
    return module


def messages(sink, directory, content):
    """Return what sink.py finds in a mailbox with this content, by number."""
    (directory / "mailbox").write_bytes(content)
    return sink.messages()


def separator(text):
    """Return what the server writes after the text, before the next record."""
    return b"" if text.endswith(b"\n\n") else b"\n" if text.endswith(b"\n") else b"\n\n"


def main():
    sink = load(sys.argv[1])["Sink"]()
    first_line = record(2).index(b"\n")
    with tempfile.TemporaryDirectory() as name:
        sink.path = directory = pathlib.Path(name)
        for length in range(1, len(record(2))):
            torn = record(1) + record(2)[:length]
            torn += separator(torn)
            found = messages(sink, directory, torn + record(3))
            glued = torn[len(record(1)):-1] if length < first_line else b""
            body = MESSAGE[2] + (b"\n" + glued if glued else b"")
            wanted = {1: (*MESSAGE[:2], body), 3: MESSAGE}
            if {number: found.get(number) for number in wanted} != wanted:
                sys.exit(f"check_sink.py: torn after {length} bytes: {found}")
            for other in b"x", b"x\n", b"x\n\n", b"\n\nx\n\ny":
                torn = record(1) + record(2)[:length] + other
                found = messages(sink, directory, torn + separator(torn) + record(2) + record(3))
                if found[2] != MESSAGE or found[3] != MESSAGE:
                    sys.exit(f"check_sink.py: torn after {length} bytes by {other}: {found}")


main()
