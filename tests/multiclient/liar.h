/*
 * liar.h - a mail server that is right in everything but one lie, of which the client must tell
 *
 * Its threads are those of this process. What it says it takes from multiclient's own oracle: the
 * liar proves that lies are seen, not that the oracle is right.
 */

#ifndef MULTICLIENT_LIAR_H
#define MULTICLIENT_LIAR_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "../../multiclient/oracle.h"
#include "../../multiclient/reply.h"
#include "box.h"

#define LIAR_THREADS 32

enum lie {
	LIE_NONE,

	/* About each reply that is `answer`: */
	LIE_CHANGED, /* one character is another */
	LIE_BARE_LF,
	LIE_NO_LF,
	LIE_SPACED, /* a space before CRLF */
	LIE_DROPPED,
	LIE_DOUBLED,
	LIE_EXTRA,   /* one byte too many */
	LIE_DELAYED, /* the first of them, for much longer than anybody waits */
	LIE_HANG_UP, /* end of file in its place */
	LIE_RESET,   /* a reset in its place */

	/* About time: */
	LIE_EARLY,
	LIE_LATE,
	LIE_NEVER,
	LIE_SILENT_CLOSE,     /* closes in time, and does not say why */
	LIE_NOT_CLOSED,       /* says it, and does not close */
	LIE_REJECTED_EXTENDS, /* a rejected command is taken for a sign of life */
	LIE_PARTIAL_EXTENDS,  /* so is half a line */
	LIE_ACCEPTED_IGNORED, /* an accepted command is not */
	LIE_DATA_IGNORED,     /* nor is data */

	/* About lines and data: */
	LIE_CASE,           /* lower case is not understood */
	LIE_NEEDS_CR,       /* a bare LF ends no command */
	LIE_SHORT_LINES,    /* 2,048 bytes are too long */
	LIE_HALF_LINE,      /* half a line is obeyed when the client leaves */
	LIE_SMUGGLED,       /* <LF>.<LF> ends a message */
	LIE_SMUGGLED_CRLF,  /* <LF>.<CR><LF> ends a message */
	LIE_HALF_DATA,      /* half a message is delivered when the client leaves */
	LIE_VANISHED,       /* a whole message is not, if the client has left by then */
	LIE_WAITS_FOR_DATA, /* input that came with DATA is thrown away */

	/* About everything: */
	LIE_MUTE,  /* accepts, and never says a word */
	LIE_STOPS, /* stops answering after a while */
	LIE_DIES,  /* is gone after a while */
	LIE_OTHER  /* is no mail server at all */
};

struct liar {
	/* To be set before liar_start(): */
	enum lie lie;
	enum reply_type reply_type; /* which reply it is about */
	double timeout;             /* T, in seconds */
	const char *netid;
	struct box box; /* begun by the caller */

	/* Its own: */
	char port[8];
	int listener;
	atomic_bool stop;
	atomic_uint replies;
	atomic_uint turns; /* how often the lie was told, if that matters to it */
	pthread_t threads[LIAR_THREADS];
};

/* Listen on a free port of 127.0.0.1, in `port`, and serve. Fails the test if that cannot be. */
void liar_start(struct liar *liar);

/* End all connections and threads. */
void liar_stop(struct liar *liar);

#endif
