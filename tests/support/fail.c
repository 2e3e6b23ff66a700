/*
 * NAME
 *	fail - the end of a test because of errno
 */

#include "fail.h"

#include <errno.h>
#include <string.h>

void
test_fail_errno_at(const char *file, int line, const char *what)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the program ends here */
	test_fail_at(file, line, "%s: %s", what, strerror(errno));
}
