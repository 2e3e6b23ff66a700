/*
 * DESCRIPTION
 *	Replies are added at the end, and sent bytes are removed from the beginning. The replies to
 *	completed messages are inserted later, before the replies to the commands that followed.
 */

#include "output.h"

#include <string.h>

void
output_init(struct output *output, const char *netid)
{
	output->netid = netid;
	output->length = 0;
}

void
output_clear(struct output *output)
{
	output->length = 0;
}

void
output_add(struct output *output, enum reply reply)
{
	output_add_with(output, reply, output->netid, strlen(output->netid));
}

void
output_add_with(struct output *output, enum reply reply, const char *insert, size_t length)
{
	output->length += reply_format(reply, insert, length, output->bytes + output->length);
}

void
output_insert(
    struct output *output, size_t offset, enum reply reply, const char *insert, size_t length)
{
	char line[REPLY_SIZE];
	size_t line_length = reply_format(reply, insert, length, line);
	char *at = output->bytes + offset;

	memmove(at + line_length, at, output->length - offset);
	memcpy(at, line, line_length);
	output->length += line_length;
}

bool
output_is_full(const struct output *output, size_t reserved)
{
	return output->length + reserved > OUTPUT_SIZE - REPLY_SIZE;
}

void
output_sent(struct output *output, size_t length)
{
	output->length -= length;
	memmove(output->bytes, output->bytes + length, output->length);
}
