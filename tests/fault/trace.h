/*
 * trace.h - the file operations of a server in their order
 *
 * A trace is a file of steps. Each is a `struct step`, `data_length` bytes of data, and padding to
 * a multiple of TRACE_ALIGNMENT. Several servers, one after the other, may append to the same
 * trace.
 */

#ifndef TRACE_H
#define TRACE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a file name, with its NUL. */
#define TRACE_NAME_SIZE 64

#define TRACE_ALIGNMENT 8

enum step_kind {
	STEP_CREATE,       /* create `name`, the file `inode` */
	STEP_WRITE,        /* write the data at `offset` of `inode` */
	STEP_TRUNCATE,     /* truncate `inode` to `offset` bytes */
	STEP_RENAME,       /* rename `name` to `new_name` */
	STEP_UNLINK,       /* `name` */
	STEP_SYNC_BEGIN,   /* begin to flush `inode`, or the directory if it is 0 */
	STEP_SYNC_END,     /* end of the flush with the same `number` */
	STEP_READY,        /* the server writes the readiness line */
	STEP_ACKNOWLEDGED, /* the server sends the 250 for message `number` */
};

struct step {
	enum step_kind kind;
	uint64_t inode;
	uint64_t offset;      /* bytes */
	uint64_t data_length; /* bytes */
	uint64_t number;      /* of a message, or the ticket of a flush */
	char name[TRACE_NAME_SIZE];
	char new_name[TRACE_NAME_SIZE];
};

/* A trace in memory, and the offset of the next step. */
struct trace {
	char *bytes;
	size_t length;
	size_t at;
};

/* Read a trace from a file. Calls abort() on failure. */
struct trace trace_load(const char *path);

/* Return the next step and set `*data`; NULL after the last. Both are valid until trace_free(). */
const struct step *trace_next(struct trace *trace, const char **data);

/* Free its memory. */
void trace_free(struct trace *trace);

#endif
