# records.awk - check the records of one server, sent by send_until_acknowledged
#
#     cat mailbox.1-32 ... mailbox | awk -v netid=NETID -f records.awk
#
# Prints the name of the attempt of each record, in order. Checked are the numbers, from 1 without
# a gap, the four lines of the envelope, and every line of the body. The first error goes to
# standard error, and the exit status is 1.

function wrong(what)
{
	print "line " NR ": " what ": " $0 >"/dev/stderr"
	status = 1
	exit
}

function expect(line)
{
	if ($0 != line)
		wrong("'" line "' expected")
}

BEGIN {
	RECEIVED = 1; NUMBER = 2; FROM = 3; TO = 4; BLANK = 5; BODY = 6; END_OF_RECORD = 7
	state = RECEIVED
}

state == RECEIVED {
	expect("Received: from client by " netid " (CS4410MP3)")
	state = NUMBER
	next
}

state == NUMBER {
	expect("Number: " ++number)
	state = FROM
	next
}

state == FROM {
	name = $2
	if (!sub(/@client$/, "", name) || name !~ /^[0-9]+-[0-9]+$/)
		wrong("the name of an attempt expected")
	expect("From: " name "@client")
	state = TO
	next
}

state == TO {
	expect("To: mailbox@client")
	state = BLANK
	next
}

state == BLANK {
	expect("")
	# As in send_until_acknowledged.c: 1 to 40 lines. awk takes the name MESSAGE-ATTEMPT as MESSAGE.
	lines = 1 + name % 40
	line = 0
	state = BODY
	next
}

state == BODY {
	expect(name " line " ++line " of " lines)
	if (line == lines)
		state = END_OF_RECORD
	next
}

state == END_OF_RECORD {
	expect("")
	print name
	state = RECEIVED
}

END {
	if (status == 0 && state != RECEIVED) {
		print "the last record, of attempt " name ", is incomplete" >"/dev/stderr"
		status = 1
	}
	exit status
}
