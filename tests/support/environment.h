/*
 * environment.h - the variables that a test program reads
 *
 * SMTPD and MULTICLIENT are the absolute paths of the programs. VARIANT is the sanitizer in use,
 * `thread` or `address`, or `plain`. TMPDIR is the directory for temporary files. tests/fault/ has
 * others of its own.
 */

#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <stdbool.h>

/* Return the variable `name`, or `otherwise` if it is not set or empty. */
const char *environment_get(const char *name, const char *otherwise);

/* Return the variable `name`. The test fails if it is not set or empty. */
const char *environment_require(const char *name);

/* Return whether a sanitizer is in use: memory and time then depend on it, not on the server. */
bool environment_sanitized(void);

#endif
