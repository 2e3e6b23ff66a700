#!/usr/bin/env python3
"""check_records: compare the mailbox with the messages that a mail program has sent

    check_records.py PROTOCOL TAP-DIRECTORY MAILBOX MESSAGE COUNT

PROTOCOL is SMTP or ESMTP. TAP-DIRECTORY has the recordings of tap.py. The expected content of
MAILBOX and its backups is computed from the recordings alone. There must be COUNT messages. Each must
end with the body of the file MESSAGE, which shows that the program has not changed that; headers may
differ. With a + after COUNT there may be more messages, of any text.

Prints a summary of the conversations: HELO or EHLO, RSET, NOOP, commands refused or without a reply,
and the features of ESMTP that were used. Exit status 1, with a reason on standard error, if a check fails.
"""

import collections
import glob
import os
import re
import sys

# Name of the server.
NETID = b"netid"

DELIVERED = re.compile(rb"250 OK:  delivered message ([0-9]+)")
RECORD_START = re.compile(rb">*Received: from .* by " + NETID + rb" \(CS4410MP3\)")


Message = collections.namedtuple("Message", "number host sender recipients body")


class Wrong(Exception):
    """The conversation or the mailbox is invalid."""


# ---- the conversations ----


def replies(stream):
    """The replies of a server, each the list of its lines."""
    lines = []
    for line in stream.split(b"\r\n")[:-1]:
        lines.append(line)
        if line[3:4] != b"-":
            yield lines
            lines = []


def code(reply):
    """The code of a reply as a number; 0 where there is none."""
    return int(reply[0][:3]) if reply else 0


def exchanges(client, server):
    """Pairs of a command, or a complete body, and the reply to it; the greeting is only checked."""
    answers = replies(server)
    greeting = next(answers, None)
    if code(greeting) != 220:
        raise Wrong(f"no greeting but {greeting}")
    while client:
        command, end, client = client.partition(b"\n")
        if not end:
            raise Wrong(f"a command without an end: {command!r}")
        reply = next(answers, None)
        yield command.rstrip(b"\r"), reply
        if code(reply) == 354:
            body, end, client = (b"\r\n" + client).partition(b"\r\n.\r\n")
            if not end:
                raise Wrong("a body without an end")
            yield body[2:] + b"\r\n", next(answers, None)


def address(argument, protocol):
    """The address after the colon in this protocol."""
    path = argument.partition(b":")[2].strip(b" \t")
    if protocol == "SMTP":
        return path
    return path if path.startswith(b"<>") else re.match(rb"<?([^>\s]*)", path)[1]


def decoded(body):
    """A body with dots unstuffed (RFC 5321 section 4.5.2) and LF as line end."""
    lines = body.split(b"\r\n")[:-1] if body != b"\r\n" else []
    return b"".join(line[line.startswith(b".") and line != b"." :] + b"\n" for line in lines)


def quoted(body):
    """A decoded body as it is stored: lines like the first of a record are quoted."""
    lines = body.split(b"\n")
    return b"\n".join(b">" + line if RECORD_START.fullmatch(line) else line for line in lines)


class Conversation:
    """One connection: its messages, and remarks for the summary."""

    def __init__(self, client, server, protocol):
        self.protocol = protocol
        self.messages = []
        self.remarks = []
        self.host = self.sender = None
        self.recipients = []
        was_data = False
        for sent, reply in exchanges(client, server):
            if was_data:
                self.add_body(sent, reply)
            else:
                self.add_command(sent, reply)
            was_data = code(reply) == 354

    def add_command(self, sent, reply):
        verb = sent[:4].upper()
        good = 200 <= code(reply) < 400
        self.remark(verb.decode("ascii", "replace"), code(reply), sent)
        if good and verb in (b"HELO", b"EHLO"):
            self.host = sent[4:].strip()
        if good and verb == b"MAIL":
            self.sender = address(sent, self.protocol)
        if good and verb == b"RCPT":
            self.recipients.append(address(sent, self.protocol))
        if good and verb in (b"HELO", b"EHLO", b"RSET"):
            self.sender, self.recipients = None, []

    def add_body(self, body, reply):
        match = DELIVERED.fullmatch(reply[0]) if reply else None
        if not match:
            raise Wrong(f"a message was answered with {reply}")
        self.messages.append(
            Message(int(match[1]), self.host, self.sender, self.recipients, decoded(body)))
        self.sender, self.recipients = None, []

    def remark(self, verb, reply_code, sent):
        """Add what the summary says about a command and its reply, if anything."""
        if reply_code == 0:
            self.remarks.append(f"{verb} unanswered")
        elif reply_code >= 400 and self.protocol == "ESMTP":
            raise Wrong(f"{verb} was refused with {reply_code}")
        elif reply_code >= 400:
            self.remarks.append(f"{verb} {reply_code}")
        elif verb in ("HELO", "EHLO", "RSET", "NOOP"):
            self.remarks.append(verb)
        elif verb == "MAIL":
            self.remarks += [word.decode() for word in re.findall(rb" (SIZE|BODY)=", sent.upper())]


def is_pipelined(talk):
    """Whether RCPT was sent before the reply to MAIL."""
    return re.search(rb"^> MAIL [^\n]*\n> RCPT ", talk, re.MULTILINE | re.IGNORECASE)


# ---- the mailbox ----


def record(message):
    lines = [b"Received: from %s by %s (CS4410MP3)" % (message.host, NETID)]
    lines += [b"Number: %d" % message.number, b"From: " + message.sender]
    lines += [b"To: " + recipient for recipient in message.recipients]
    return b"\n".join(lines) + b"\n\n" + quoted(message.body) + b"\n"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def read_records(mailbox):
    """The backups of the mailbox, in the order of their numbers, and the mailbox."""
    numbers = [re.fullmatch(rb".*\.([0-9]+)-[0-9]+", os.fsencode(path))
               for path in glob.glob(mailbox + ".*-*")]
    backups = sorted((match for match in numbers if match), key=lambda match: int(match[1]))
    return b"".join(read(path) for path in [match[0] for match in backups] + [mailbox])


def compare(expected, stored):
    if expected == stored:
        return
    at = len(os.path.commonprefix([expected, stored]))
    raise Wrong(f"byte {at} of the mailbox: {stored[at:at + 60]!r}, not {expected[at:at + 60]!r}")


def check(protocol, directory, mailbox, original, count):
    """Check all conversations and the mailbox. Returns the summary."""
    message_body = read(original).partition(b"\n\n")[2]
    paths = sorted(glob.glob(os.path.join(directory, "*.client")))
    messages, remarks = [], []
    for path in paths:
        stem = path[: -len(".client")]
        conversation = Conversation(read(path), read(stem + ".server"), protocol)
        messages += conversation.messages
        remarks += conversation.remarks
        if is_pipelined(read(stem + ".talk")):
            remarks.append("pipelined")
    messages.sort()
    least = int(count.rstrip("+"))
    has_own_text = count.endswith("+")
    total = max(least, len(messages)) if has_own_text else least
    if [message.number for message in messages] != list(range(1, total + 1)):
        raise Wrong(
            f"not {count} messages but the numbers {[message.number for message in messages]}, "
            f"after {', '.join(remarks) or 'nothing'}")
    for message in messages if not has_own_text else []:
        # Some programs add empty lines of their own; emailjs adds three.
        if not message.body.endswith(tuple(message_body + b"\n" * lines for lines in range(4))):
            raise Wrong(f"the body is not that of MESSAGE: ...{message.body[-200:]!r}")
    compare(b"".join(record(message) for message in messages), read_records(mailbox))
    return ", ".join(dict.fromkeys(remarks))


def main():
    protocol, directory, mailbox, original, count = sys.argv[1:]
    try:
        print(check(protocol, directory, mailbox, original, count))
    except Wrong as wrong:
        sys.exit(f"check_records: {wrong}")


main()
