/*
 * faulty_server.h - a mail server with at most one defect, which multiclient must report
 *
 * Its threads are those of this process. Its replies come from multiclient's own oracle: the tests
 * show that defects are detected, not that the oracle is correct.
 */

#ifndef MULTICLIENT_FAULTY_SERVER_H
#define MULTICLIENT_FAULTY_SERVER_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "faulty_mailbox.h"
#include "oracle.h"
#include "reply.h"

#define FAULTY_SERVER_THREADS 32

enum defect {
	DEFECT_NONE,

	/* About each reply of `reply_type`: */
	DEFECT_CHANGED, /* one character is another */
	DEFECT_BARE_LF,
	DEFECT_NO_LF,
	DEFECT_SPACED, /* a space before CRLF */
	DEFECT_DROPPED,
	DEFECT_DOUBLED,
	DEFECT_EXTRA,   /* one byte too many */
	DEFECT_DELAYED, /* the first one, for longer than any client waits */
	DEFECT_HANG_UP, /* end of file in its place */
	DEFECT_RESET,   /* a reset in its place */

	/* About time: */
	DEFECT_EARLY,
	DEFECT_LATE,
	DEFECT_NEVER,
	DEFECT_SILENT_CLOSE,     /* closes in time without a 421 */
	DEFECT_NOT_CLOSED,       /* sends the 421, and does not close */
	DEFECT_REJECTED_EXTENDS, /* a rejected command restarts the timeout */
	DEFECT_PARTIAL_EXTENDS,  /* any input restarts it */
	DEFECT_ACCEPTED_IGNORED, /* an accepted command does not restart it */
	DEFECT_DATA_IGNORED,     /* data does not restart it */
	DEFECT_VERY_LATE,        /* later than --grade accepts */
	DEFECT_NEVER_IN_COMMAND, /* the 421 never comes to a dormant client in the command phase */
	DEFECT_NEVER_IN_DATA,    /* the 421 never comes in the data phase */
	DEFECT_PARTIAL_LINE_EXTENDS, /* an incomplete line restarts the timeout */
	DEFECT_SLOW_GREETING,        /* the first two greetings come after more than 2 s */

	/* About lines and data: */
	DEFECT_CASE,           /* lower case is not recognized */
	DEFECT_NEEDS_CR,       /* a bare LF does not end a command */
	DEFECT_SHORT_LINES,    /* a line of 2,048 bytes is too long */
	DEFECT_HALF_LINE,      /* half a line is executed when the client closes */
	DEFECT_SMUGGLED,       /* <LF>.<LF> ends a message */
	DEFECT_SMUGGLED_CRLF,  /* <LF>.<CR><LF> ends a message */
	DEFECT_HALF_DATA,      /* half a message is delivered when the client closes */
	DEFECT_VANISHED,       /* a whole message is not delivered if the client has closed */
	DEFECT_WAITS_FOR_DATA, /* input after DATA in the same segment is discarded */
	DEFECT_DOT_ENDS,       /* any line that begins with a dot ends a message */
	DEFECT_ONE_MESSAGE,    /* a connection ends after its first message */
	DEFECT_PERCENT,        /* an address with % is refused */
	DEFECT_FIVE_ERRORS,    /* the fifth error ends the connection */

	/* About many clients: */
	DEFECT_SERVES_31,
	DEFECT_SERVES_33,
	DEFECT_ACCEPTS_33, /* accepts one client more than it serves */
	DEFECT_STALLS,     /* while a client floods with errors, others are served slowly */

	/* About everything: */
	DEFECT_SENDS_NOTHING, /* accepts, and sends nothing */
	DEFECT_STOPS,         /* sends no more replies after `replies_before` */
	DEFECT_CRASHES,       /* ends its connections and accepts no more after `replies_before` */
	DEFECT_OTHER          /* is no mail server at all */
};

struct faulty_server {
	/* Set before faulty_server_start(): */
	enum defect defect;
	enum reply_type reply_type; /* of which replies have the defect, if it is about replies */
	double timeout;             /* T, in seconds */
	unsigned replies_before;    /* before DEFECT_STOPS or DEFECT_CRASHES; 0: 1200 */
	const char *netid;

	/* Set by the server: */
	struct faulty_mailbox faulty_mailbox;
	char port[8];
	int listener;
	atomic_bool stop;
	atomic_uint replies; /* sent so far, on all connections */
	atomic_uint turns;   /* how often the defect was applied, for defects that depend on it */
	atomic_uint floods;  /* connections that flood */
	atomic_uint serving; /* connections that are served */
	size_t thread_count;
	pthread_t threads[FAULTY_SERVER_THREADS + 1];
};

/*
 * Create the mailbox in `directory`, listen on a free port of 127.0.0.1, stored in `port`, and
 * serve. The test fails on error.
 */
void faulty_server_start(
    struct faulty_server *faulty_server, enum mailbox_defect mailbox_defect, const char *directory);

/* End all connections and threads, and free the memory. */
void faulty_server_stop(struct faulty_server *faulty_server);

#endif
