/*
 * capture.h - what a test writes to standard output or standard error
 */

#ifndef CAPTURE_H
#define CAPTURE_H

#include "bytes.h"

struct capture {
	int descriptor; /* the one redirected */
	int saved;      /* its duplicate from before */
	int file;       /* of the output */
};

/* Redirect `descriptor` to a file without a name. */
struct capture capture_begin(int descriptor);

/* Return and forget what was written since capture_begin(), or since it was last taken. */
struct bytes capture_take(const struct capture *capture);

/* Take what was written, and fail unless it is `expected`. */
void capture_expect(const struct capture *capture, const char *expected);

/* Restore the descriptor. */
void capture_end(struct capture *capture);

/*
 * Fixtures for tests that compare standard error: it is captured in `errors`. The second form also
 * enters a new directory.
 */
extern struct capture errors;
void capture_errors(void);
void capture_errors_in_directory(void);
void capture_errors_end(void);

#endif
