/*
 * target.h - what a fuzz target is
 *
 * Each file fuzz_NAME.c is linked into two programs: with libFuzzer it searches for inputs that
 * break a promise, and with replay.c it is shown those that are kept in corpus/NAME.
 */

#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>
#include <stdint.h>

/* The target's name, and that of its corpus. */
extern const char target_name[];

/* Try an input; abort() if a promise is broken. Returns 0. The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#endif
