/*
 * NAME
 *	multiclient - test a CS4410MP3 mail server with many connections at once
 *
 * SYNOPSIS
 *	multiclient [-h HOST] [-p PORT] [-c CONNECTIONS] [-n OPERATIONS] [-s SEED] [-t SECONDS]
 *	    [-d DIRECTORY] [--netid NAME] [--no-timeouts] [--patience SECONDS] [-q] [HOST [PORT]]
 *
 * DESCRIPTION
 *	See multiclient --help. Who does what: a plan says what must occur, a script turns it and the
 *	seed into what one connection sends, with the oracle's word for the reply to each; a driver
 *	plays the script on a wire and compares; ledger and archive look at numbers and files.
 *
 *	Nothing here is shared with the server, so that no mistake is made twice.
 */

#include <stdio.h>

#include "options.h"
#include "run.h"

int
main(int count, char *arguments[])
{
	struct options options = {0};

	switch (options_parse(&options, count, arguments, stdout, stderr)) {
	case OPTIONS_OK:
		return (int)run(&options);
	case OPTIONS_EXIT:
		return RUN_OK;
	case OPTIONS_ERROR:
		break;
	}
	return RUN_USAGE;
}
