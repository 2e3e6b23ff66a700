/*
 * NAME
 *	capture - what a test writes to standard output or standard error
 */

#include "capture.h"

#include <stdio.h>
#include <unistd.h>

#include "suite.h"

struct capture
capture_begin(int descriptor)
{
	struct capture capture = {.descriptor = descriptor, .saved = dup(descriptor)};
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ne(capture.saved, -1);
	capture.file = dup(fileno(file));
	ck_assert_int_ne(capture.file, -1);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(dup2(capture.file, descriptor), descriptor);
	return capture;
}

struct bytes
capture_take(const struct capture *capture)
{
	struct bytes taken = {.at = NULL};
	char piece[4096];
	off_t offset = 0;
	ssize_t got;

	while ((got = pread(capture->file, piece, sizeof piece, offset)) > 0) {
		bytes_add(&taken, piece, (size_t)got);
		offset += got;
	}
	ck_assert_int_eq(got, 0);
	/* The descriptors share one position: the next output begins at the first byte again. */
	ck_assert_int_eq(ftruncate(capture->file, 0), 0);
	ck_assert_int_eq(lseek(capture->file, 0, SEEK_SET), 0);
	return taken;
}

void
capture_expect(const struct capture *capture, const char *expected)
{
	struct bytes taken = capture_take(capture);

	bytes_assert_string("output", &taken, expected);
	bytes_free(&taken);
}

void
capture_end(struct capture *capture)
{
	ck_assert_int_eq(dup2(capture->saved, capture->descriptor), capture->descriptor);
	ck_assert_int_eq(close(capture->saved), 0);
	ck_assert_int_eq(close(capture->file), 0);
}

struct capture errors;

void
capture_errors(void)
{
	errors = capture_begin(STDERR_FILENO);
}

void
capture_errors_in_directory(void)
{
	suite_enter_directory();
	capture_errors();
}

void
capture_errors_end(void)
{
	capture_end(&errors);
}
