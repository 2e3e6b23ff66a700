/*
 * target.h - interface of a fuzz target
 *
 * Each fuzz_NAME.c is linked into two programs: with libFuzzer to search for inputs that fail, and
 * with replay.c to run the inputs of corpus/NAME.
 */

#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Name of the target and of its corpus. */
extern const char target_name[];

/* Run an input. Calls abort() on a failure. Returns 0. libFuzzer demands this name. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#endif
