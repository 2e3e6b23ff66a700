/*
 * disk.h - the possible contents of a directory on disk after a power loss
 *
 * DESIGN
 *	The operations on files are those of a trace, in its order. What was flushed is durable.
 *	Each other operation is pending: it may be on the disk or not, in any combination. The
 *	sectors of a write, and the new length of the file, count as separate operations.
 *
 *	When a flush ends, the operations on its file from before its beginning are durable; if it
 *	is that of the directory, those on names are.
 */

#ifndef DISK_H
#define DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "harness.h"
#include "trace.h"

/* Limits: files with or without a name, names, pending operations. */
#define DISK_FILES_MAX   64
#define DISK_NAMES_MAX   32
#define DISK_PENDING_MAX 8192

/* Bytes that a disk writes atomically. */
#define DISK_SECTOR 512

struct disk_file {
	struct bytes content; /* what is after `size` is not in the file, or not yet */
	size_t size;
};

struct disk_name {
	char name[TRACE_NAME_SIZE]; /* "": none */
	unsigned file;
};

/* Names, and the files that have had them. The number of a file never changes. */
struct disk_state {
	struct disk_file files[DISK_FILES_MAX];
	unsigned file_count;
	struct disk_name names[DISK_NAMES_MAX];
};

enum disk_effect_kind {
	EFFECT_DATA,     /* bytes in a file, of one sector */
	EFFECT_EXTEND,   /* a file has at least `offset` bytes */
	EFFECT_TRUNCATE, /* a file has `offset` bytes */
	EFFECT_NAME,     /* a file has a new name, instead of `old_name` if that is not "" */
	EFFECT_UNNAME    /* a file has lost a name */
};

/* One operation. */
struct disk_effect {
	enum disk_effect_kind kind;
	unsigned file;
	uint64_t step; /* number of the step of the trace that it comes from */
	size_t offset;
	const char *bytes; /* in the trace; `length` of them */
	size_t length;
	char name[TRACE_NAME_SIZE];
	char old_name[TRACE_NAME_SIZE];
};

/* A flush that has begun. */
struct disk_flush {
	uint64_t ticket; /* 0: this element is not used */
	uint64_t step;   /* number of the step in which it began */
	bool directory;
	unsigned file; /* unless it is that of the directory */
};

/* Limit of flushes under way at once. */
#define DISK_FLUSHES_MAX 64

/* A disk while the steps of a trace are applied to it. */
struct disk {
	struct disk_state durable;
	struct disk_state live; /* as the running system sees it: names, file numbers, sizes */
	uint64_t inodes[DISK_FILES_MAX]; /* by file number */
	struct disk_effect pending[DISK_PENDING_MAX];
	size_t pending_count;
	struct disk_flush flushes[DISK_FLUSHES_MAX];
	uint64_t steps; /* applied so far */
};

/* Initialize with the files of a directory, all of which are durable. */
void disk_init(struct disk *disk, const struct path *directory);

/* Apply a step. `data` must stay valid. */
void disk_step(struct disk *disk, const struct step *step, const char *data);

/* Release all memory. */
void disk_destroy(struct disk *disk);

/*
 * Store in `state` the durable contents with those pending operations applied for which `chosen`
 * is true (one element for each, in order). Release it with disk_state_destroy().
 */
void disk_choose(const struct disk *disk, const bool chosen[], struct disk_state *state);
void disk_state_destroy(struct disk_state *state);

/* Return a 64-bit hash of a state. */
uint64_t disk_state_hash(const struct disk_state *state);

/* Write a state into an empty directory. */
void disk_state_write(const struct disk_state *state, const struct path *directory);

#endif
