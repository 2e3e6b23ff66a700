/*
 * contents.h - what the files of a stopped server hold, to be searched for records
 */

#ifndef CONTENTS_H
#define CONTENTS_H

#include "bytes.h"

struct contents {
	struct bytes ours;  /* the mailbox and its backups */
	struct bytes moved; /* what another program has moved away */
	struct bytes copy;  /* and what it has copied before it removed it */
};

/* Read the files of a directory. */
struct contents contents_read(const char *directory);

void contents_free(struct contents *contents);

/* Count the places after an empty line that begin with this text. */
unsigned contents_count(const struct bytes *content, const char *text);

#endif
