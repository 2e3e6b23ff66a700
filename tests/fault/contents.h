/*
 * contents.h - what the files of a stopped server hold, to be searched for records
 */

#ifndef CONTENTS_H
#define CONTENTS_H

#include "bytes.h"

struct contents {
	struct bytes ours;  /* the mailbox, and its backups up to mailbox.65-96 */
	struct bytes moved; /* CONTROL_MOVED: the mailbox that another program has moved */
	/* CONTROL_COPY: what the shim copied; in between_runs, the mailbox that was moved first. */
	struct bytes copy;
};

/* Read the files of a directory, each after an empty line. One that is missing counts as empty. */
struct contents contents_read(const char *directory);

void contents_free(struct contents *contents);

/* Count the places after an empty line that begin with this text. */
unsigned contents_count(const struct bytes *content, const char *text);

#endif
