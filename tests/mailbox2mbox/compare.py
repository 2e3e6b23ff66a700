#!/usr/bin/env python3
"""compare.py: compare the messages that a mail reader finds with the records of a mailbox

    compare.py FORM DIRECTORY PATH ...

DIRECTORY has the mailbox and its backups. Each PATH has the messages, in this FORM:

    mbox        an mbox, read by Python's mailbox module
    beginning   an mbox that was converted earlier: it has the first messages, at least one
    maildir     a maildir; the mail reader may have added header fields
    split       a directory with one file a message

Every message must be there once, with its envelope and its body. Exit status 1, with a reason on
standard error, if not.
"""

import mailbox
import os
import re
import sys

RECORD = re.compile(
    rb"^Received: from (.*) by netid \(CS4410MP3\)\nNumber: ([0-9]+)\nFrom: (.*)\n((?:To: .*\n)+)\n",
    re.MULTILINE)
QUOTED_RECORD = re.compile(rb"^>(>*Received: from .* by .* \(CS4410MP3\))$", re.MULTILINE)
QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
HEADER = re.compile(rb"([!-9;-~]+:.*\n([!-9;-~]+:.*\n|[ \t].*\n)*)(\n|$(?![\s\S]))")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def parts(text):
    """Split a message at the empty line after its header. The header is empty if it has none."""
    match = HEADER.match(text)
    return (match[1], text[match.end():]) if match else (b"", text)


def records(directory):
    """The records of all files: a dictionary from the number to the pair of envelope and text.

    The envelope is the header fields that mailbox2mbox makes of it.
    """
    found = {}
    names = [name for name in os.listdir(directory)
             if re.fullmatch(r"mailbox(\.[0-9]+-[0-9]+)?", name)]
    for name in names:
        text = read(os.path.join(directory, name))
        matches = list(RECORD.finditer(text))
        ends = [match.start() for match in matches[1:]] + [len(text)]
        for match, end in zip(matches, ends):
            envelope = [b"X-Smtpd-Number: " + match[2], b"X-Envelope-From: " + match[3]]
            envelope += [b"X-Envelope-" + line for line in match[4].splitlines()]
            envelope += [match[0].partition(b"\n")[0]]
            body = QUOTED_RECORD.sub(rb"\1", text[match.end(): end - 1])
            found[int(match[2])] = (b"\n".join(envelope) + b"\n", body)
    return found


def messages(form, path):
    """The messages, without the "From " line before each, and with ">From " lines unquoted."""
    if form in ("mbox", "beginning"):
        box = mailbox.mbox(path, create=False)
        texts = [box.get_bytes(key) for key in box.keys()]
    elif form == "maildir":
        texts = [read(os.path.join(path, folder, name))
                 for folder in ("cur", "new") for name in os.listdir(os.path.join(path, folder))]
    else:
        # The empty line that ends a message of an mbox is still there.
        texts = [read(os.path.join(path, name)).partition(b"\n")[2][:-1] for name in os.listdir(path)]
    return [QUOTED_FROM.sub(rb"\1", text) for text in texts]


def check_header(form, found, wanted):
    if form == "maildir":
        # Fields may have been moved or added, and mutt counts bytes and lines itself.
        found = set(found.splitlines())
        wanted = {line for line in wanted.splitlines()
                  if not line.startswith((b"Content-Length:", b"Lines:", b"Status:"))}
        if wanted <= found:
            return
    if found != wanted:
        sys.exit(f"compare.py: the header {found!r}, not {wanted!r}")


def compare(form, wanted, path):
    numbers = []
    for text in messages(form, path):
        header, body = parts(text)
        numbers.append(int(re.search(rb"^X-Smtpd-Number: (.*)$", header, re.MULTILINE)[1]))
        envelope, stored = wanted[numbers[-1]]
        own_header, stored_body = parts(stored)
        check_header(form, header, envelope + own_header)
        if body != stored_body:
            at = len(os.path.commonprefix([body, stored_body]))
            sys.exit(f"compare.py: message {numbers[-1]}, byte {at} of the body: "
                     f"{body[at:at + 60]!r}, not {stored_body[at:at + 60]!r}")
    if form in ("maildir", "split"):
        numbers.sort()
    last = len(numbers) if form == "beginning" else len(wanted)
    if numbers != list(range(1, last + 1)) or not numbers:
        sys.exit(f"compare.py: {len(numbers)} messages, not 1 to {last}: {numbers[:10]}...")


def main():
    form, directory = sys.argv[1:3]
    wanted = records(directory)
    if sorted(wanted) != list(range(1, len(wanted) + 1)):
        sys.exit("compare.py: the records are not numbered from 1")
    for path in sys.argv[3:]:
        compare(form, wanted, path)


main()
