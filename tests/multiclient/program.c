/*
 * NAME
 *	program - runs multiclient as a program, and keeps what it says
 *
 * DESCRIPTION
 *	Its output goes to files without a name, not to pipes, so that no thread has to read while it
 *	runs.
 */

#include "program.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

extern char **environ;

/* A file that is gone when it is closed. */
static int
nameless_file(void)
{
	char path[] = "/tmp/multiclient.XXXXXX";
	int descriptor = mkstemp(path);

	ck_assert_int_ge(descriptor, 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_ge(fcntl(descriptor, F_SETFD, FD_CLOEXEC), 0);
	return descriptor;
}

void
program_start(struct program *program, const char *variable, const char *const arguments[])
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread changes the environment. */
	char *path = getenv(variable);
	char *words[PROGRAM_ARGUMENTS_MAX + 2] = {path};
	posix_spawn_file_actions_t actions;
	size_t i;

	ck_assert_msg(path != NULL, "%s is not set: run this with make check", variable);
	/* posix_spawn() promises not to change them. */
	for (i = 0; i < PROGRAM_ARGUMENTS_MAX && arguments[i] != NULL; i++) {
		memcpy(&words[i + 1], &arguments[i], sizeof words[0]);
	}
	*program = (struct program){.out = nameless_file(), .error = nameless_file()};
	ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
	ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, program->out, 1), 0);
	ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, program->error, 2), 0);
	ck_assert_int_eq(posix_spawn(&program->pid, path, &actions, NULL, words, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
}

static char *
read_all(int descriptor)
{
	off_t size = lseek(descriptor, 0, SEEK_END);
	char *text = calloc((size_t)size + 1, 1);

	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(pread(descriptor, text, (size_t)size, 0), size);
	ck_assert_int_eq(close(descriptor), 0);
	return text;
}

void
program_finish(struct program *program)
{
	int status;

	ck_assert_int_eq(waitpid(program->pid, &status, 0), program->pid);
	program->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	program->output = read_all(program->out);
	program->errors = read_all(program->error);
}

void
program_run(struct program *program, const char *const arguments[])
{
	program_start(program, "MULTICLIENT", arguments);
	program_finish(program);
}

void
program_release(struct program *program)
{
	free(program->output);
	free(program->errors);
}

const char *
program_last_line(const struct program *program)
{
	size_t at = strlen(program->output);

	if (at > 0) {
		at--;
	}
	while (at > 0 && program->output[at - 1] != '\n') {
		at--;
	}
	return program->output + at;
}
