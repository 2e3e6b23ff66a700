/*
 * trace.h - what a server did to the files in its directory, in the order in which it did it
 *
 * A trace is a file of steps, each a `struct step` followed by `data_length` bytes and then by as many
 * more as bring the next step to a multiple of TRACE_ALIGNMENT. Several servers, one after the other,
 * may add to the same trace.
 */

#ifndef TRACE_H
#define TRACE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a file's name, with a NUL. */
#define TRACE_NAME_SIZE 64

#define TRACE_ALIGNMENT 8

enum step_kind {
	STEP_CREATE,     /* `name` for a new file `inode` */
	STEP_WRITE,      /* the data, at `offset` of `inode` */
	STEP_TRUNCATE,   /* `inode` to `offset` bytes */
	STEP_RENAME,     /* `name` to `new_name` */
	STEP_UNLINK,     /* `name` */
	STEP_SYNC_BEGIN, /* of `inode`, 0 for the directory; what was done before is on the disk */
	STEP_SYNC_END,   /* at this moment. `number` is the same in both */
	STEP_READY,      /* the server said that it is ready */
	STEP_ACKNOWLEDGED, /* it is about to send the 250 for message `number` */
};

struct step {
	enum step_kind kind;
	uint64_t inode;
	uint64_t offset; /* bytes */
	uint64_t data_length;
	uint64_t number;
	char name[TRACE_NAME_SIZE];
	char new_name[TRACE_NAME_SIZE];
};

/* A trace in memory, and how far it has been read. */
struct trace {
	char *bytes;
	size_t length;
	size_t at;
};

/* Read a trace from a file. It is abort() that ends the program if that cannot be done. */
struct trace trace_load(const char *path);

/* The next step, with its data; NULL after the last. Both stay where they are. */
const struct step *trace_next(struct trace *trace, const char **data);

/* Release its memory. */
void trace_free(struct trace *trace);

#endif
