/*
 * grade_stored.h - read the server's files, and find messages in them. Belongs to one thread.
 *
 * A message is found by its sender, which occurs in no other message of any run.
 */

#ifndef MULTICLIENT_GRADE_STORED_H
#define MULTICLIENT_GRADE_STORED_H

#include "buffer.h"
#include "grade_state.h"

/* Bytes of a text in a finding, with its NUL; a longer one is cut. */
#define FINDING_SIZE 512

/* What is wrong in the files, if anything. */
struct finding {
	bool wrong;
	char expected[FINDING_SIZE];
	char received[FINDING_SIZE];
};

/* Read the files, and set what is wrong in them. */
typedef void check_function(struct grade *grade, unsigned demand, struct finding *finding);

/*
 * Call `check` until it finds nothing wrong, or until grade->deadline, because a server may need a
 * moment to write. If something is wrong then, the demand has failed.
 */
void stored_judge(struct grade *grade, unsigned demand, check_function *check);

/* Replace `text` by a file. Returns false, with that as the finding, if it cannot be read. */
bool stored_read_file(
    const struct grade *grade, const char *name, struct buffer *text, struct finding *finding);

/*
 * Replace `text` by that of all backups, in the order of their numbers, and then of `mailbox`.
 * Returns false, with that as the finding, if the directory or a file cannot be read, or if there
 * is no memory.
 */
bool stored_read_files(const struct grade *grade, struct buffer *text, struct finding *finding);

/* Return the offset of a text at or after `from`; SIZE_MAX: it does not occur. */
size_t stored_find(const struct buffer *text, size_t from, struct span wanted);

/* Return the offset of the LF before the line `From:` of a message; SIZE_MAX: it does not occur. */
size_t stored_find_sender(const struct buffer *text, size_t from, const struct message *message);

/* Write the beginning of bytes as a text in which each is visible. */
void stored_show(char text[FINDING_SIZE], struct span bytes);

/* Do the same with the record of a message in the files; without one, write that it is missing. */
void stored_show_found(
    char text[FINDING_SIZE], const struct buffer *files, const struct message *message);

#endif
