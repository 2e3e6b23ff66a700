/*
 * capture.h - what a test writes to standard output or standard error
 */

#ifndef CAPTURE_H
#define CAPTURE_H

#include "bytes.h"

struct capture {
	int descriptor; /* whose output is captured */
	int saved;      /* where it went before */
	int file;       /* where it goes now */
};

/* Have all that is written to `descriptor` from now on kept in a file without a name. */
struct capture capture_begin(int descriptor);

/* Return what came since the last call or, at first, since the beginning. */
struct bytes capture_take(const struct capture *capture);

/* Fail unless that is `expected`, a string. */
void capture_expect(const struct capture *capture, const char *expected);

/* Let the output go again where it went. */
void capture_end(struct capture *capture);

#endif
