/*
 * NAME
 *	contents - what the files of a stopped server hold
 */

#include "contents.h"

#include <string.h>

#include "control.h"
#include "files.h"

/* Append a file, if it exists, after an empty line. */
static void
add_file(struct bytes *contents, const char *directory, const char *name)
{
	struct path path = files_path(directory, name);

	bytes_add_string(contents, "\n\n");
	files_read_append(path.name, contents);
}

struct contents
contents_read(const char *directory)
{
	struct contents contents = {0};

	add_file(&contents.ours, directory, "mailbox.1-32");
	add_file(&contents.ours, directory, "mailbox.33-64");
	add_file(&contents.ours, directory, "mailbox.65-96");
	add_file(&contents.ours, directory, "mailbox");
	add_file(&contents.moved, directory, CONTROL_MOVED);
	add_file(&contents.copy, directory, CONTROL_COPY);
	return contents;
}

void
contents_free(struct contents *contents)
{
	bytes_free(&contents->ours);
	bytes_free(&contents->moved);
	bytes_free(&contents->copy);
}

unsigned
contents_count(const struct bytes *content, const char *text)
{
	const char *start = content->at, *at = start;
	unsigned count = 0;

	while ((at = strstr(at, text)) != NULL) {
		if (at - start >= 2 && at[-1] == '\n' && at[-2] == '\n') {
			count++;
		}
		at++;
	}
	return count;
}
