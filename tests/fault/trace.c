/*
 * NAME
 *	trace - read a trace that the shim has written
 */

#include "trace.h"

#include <stdlib.h>

#include "files.h"

struct trace
trace_load(const char *path)
{
	struct bytes content = files_read(path);

	return (struct trace){.bytes = content.at, .length = content.length};
}

const struct step *
trace_next(struct trace *trace, const char **data)
{
	const struct step *step;
	size_t padded;

	if (trace->at >= trace->length) {
		return NULL;
	}
	step = (const struct step *)(void *)(trace->bytes + trace->at);
	*data = trace->bytes + trace->at + sizeof *step;
	padded =
	    ((size_t)step->data_length + TRACE_ALIGNMENT - 1) / TRACE_ALIGNMENT * TRACE_ALIGNMENT;
	trace->at += sizeof *step + padded;
	return step;
}

void
trace_free(struct trace *trace)
{
	free(trace->bytes);
	*trace = (struct trace){0};
}
