/*
 * disk.h - what a disk may hold of a directory when the power is cut
 *
 * DESIGN
 *	Operations on files are known one after the other, as a trace has them. What was flushed is
 *	on the disk. Each other operation is pending: it may be there or not, in any combination,
 *	and each sector of a write by itself, and apart from the length to which the write has
 *	extended the file.
 *
 *	A flush holds from its end, for what was done before its beginning.
 */

#ifndef DISK_H
#define DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness.h"
#include "text.h"
#include "trace.h"

/* Files and names in a directory at most, and pending operations. */
#define DISK_FILES_MAX   64
#define DISK_NAMES_MAX   32
#define DISK_PENDING_MAX 8192

/* Bytes that a disk writes as a whole. */
#define DISK_SECTOR 512

struct disk_file {
	struct text content; /* may go on behind the size */
	size_t size;
};

struct disk_name {
	char name[TRACE_NAME_SIZE]; /* "": none */
	unsigned file;
};

/* Names, and the files that have had them. A file keeps its number. */
struct disk_state {
	struct disk_file files[DISK_FILES_MAX];
	unsigned file_count;
	struct disk_name names[DISK_NAMES_MAX];
};

enum disk_effect_kind {
	EFFECT_DATA,     /* bytes in a file, of one sector */
	EFFECT_EXTEND,   /* a file is at least so long */
	EFFECT_TRUNCATE, /* a file is so long */
	EFFECT_NAME,     /* a file has a new name, instead of `old_name` if that is not "" */
	EFFECT_UNNAME    /* a file has lost a name */
};

struct disk_effect {
	enum disk_effect_kind kind;
	unsigned file;
	uint64_t step; /* number of the step that it comes from */
	size_t offset;
	const char *bytes; /* in the trace */
	size_t length;
	char name[TRACE_NAME_SIZE];
	char old_name[TRACE_NAME_SIZE];
};

/* A flush that has begun. */
struct disk_flush {
	uint64_t ticket; /* 0: none */
	uint64_t step;
	bool directory;
	unsigned file;
};

#define DISK_FLUSHES_MAX 64

/* A disk while steps are taken one after the other. */
struct disk {
	struct disk_state durable;
	struct disk_state live; /* as a running system sees it; only names and file numbers count */
	uint64_t inodes[DISK_FILES_MAX];
	struct disk_effect pending[DISK_PENDING_MAX];
	size_t pending_count;
	struct disk_flush flushes[DISK_FLUSHES_MAX];
	uint64_t steps; /* taken so far */
};

/* Begin with the files that are in a directory, all of which are on the disk. */
void disk_init(struct disk *disk, const struct path *directory);

/* Take a step; its data must stay where it is. Returns whether it has changed what may be there. */
bool disk_step(struct disk *disk, const struct step *step, const char *data);

/* Release all memory. */
void disk_destroy(struct disk *disk);

/*
 * Make in `state` what is there if of the pending operations those are that `chosen` says: one for
 * each, in order. disk_state_destroy() releases it.
 */
void disk_choose(const struct disk *disk, const bool chosen[], struct disk_state *state);
void disk_state_destroy(struct disk_state *state);

/* A number that differs for states that differ, but for one pair in a great many. */
uint64_t disk_state_hash(const struct disk_state *state);

/* Write a state into an empty directory. */
void disk_state_write(const struct disk_state *state, const struct path *directory);

#endif
