/*
 * NAME
 *	environment - the variables that a test program reads
 */

#include "environment.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"

const char *
environment_get(const char *name, const char *otherwise)
{
	const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): no thread changes it */

	return value == NULL || value[0] == '\0' ? otherwise : value;
}

const char *
environment_require(const char *name)
{
	const char *value = environment_get(name, NULL);

	REQUIRE(value != NULL, "%s is not set: run this with make", name);
	return value;
}

bool
environment_sanitized(void)
{
	return strcmp(environment_get("VARIANT", "plain"), "plain") != 0;
}
