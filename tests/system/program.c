/*
 * NAME
 *	program - starting the server's program, whatever may come of it
 *
 * DESCRIPTION
 *	The program stays in the process group of the test, which Check ends with the test, and asks
 *	to be killed when its parent dies.
 */

#define _GNU_SOURCE

#include "program.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "suite.h"

/* Exit status of a child that could not become the server. */
#define CANNOT_EXECUTE 127

/* Bytes of output that the server can leave unread: the most that any user may ask for. */
#define PIPE_SIZE (1024 * 1024)

#define BLOCK_SIZE   4096
#define MILLISECONDS 1000

void
arguments_add(struct arguments *arguments, const char *argument)
{
	ck_assert_uint_lt(arguments->count, ARGUMENTS_MAX - 1);
	arguments->list[arguments->count++] = argument;
	arguments->list[arguments->count] = NULL;
}

void
arguments_set(struct arguments *arguments, const char *words)
{
	char *rest;

	arguments->count = 0;
	arguments_add(arguments, "smtpd");
	ck_assert_uint_lt(strlen(words), sizeof arguments->words);
	memcpy(arguments->words, words, strlen(words) + 1);
	for (char *word = strtok_r(arguments->words, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		arguments_add(arguments, word);
	}
}

void
program_pipe(int pipe_ends[static 2])
{
	ck_assert_int_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
	/* If it stays smaller, only a very talkative server will have to wait. */
	fcntl(pipe_ends[1], F_SETPIPE_SZ, PIPE_SIZE);
}

/* In the child: make `descriptor` the standard stream `stream`. */
static void
redirect(int descriptor, int stream)
{
	if (descriptor == -1) {
		close(stream);
	} else if (dup2(descriptor, stream) == -1) {
		_exit(CANNOT_EXECUTE);
	}
}

/* In the child: become the server. */
static _Noreturn void
execute(const char *directory, const struct arguments *arguments, int output, int errors)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	redirect(nothing, STDIN_FILENO);
	redirect(output, STDOUT_FILENO);
	redirect(errors, STDERR_FILENO);
	/* Under nohup the tests inherit that it is ignored; the server must not. */
	signal(SIGHUP, SIG_DFL);
	if (chdir(directory) == 0) { /* what is executed changes nothing of its arguments here */
		execv(suite_server(), (char *const *)arguments->list);
	}
	_exit(CANNOT_EXECUTE);
}

pid_t
program_start(const char *directory, const struct arguments *arguments, int output, int errors)
{
	pid_t process = fork();

	ck_assert_int_ne(process, -1);
	if (process == 0) {
		execute(directory, arguments, output, errors);
	}
	return process;
}

/* Read what there is into `text`. Returns whether there may be more. */
static bool
gather(int source, struct text *text)
{
	char block[BLOCK_SIZE];
	ssize_t length = read(source, block, sizeof block);

	if (length > 0) {
		text_add(text, block, (size_t)length);
	}
	return length > 0;
}

/* Read both streams until the program has closed them. */
static void
gather_all(pid_t process, int output, int errors, struct outcome *outcome)
{
	struct pollfd sources[] = {
	    {.fd = output, .events = POLLIN}, {.fd = errors, .events = POLLIN}};
	struct text *texts[] = {&outcome->output, &outcome->errors};
	double deadline = clock_now() + PATIENCE;

	while (sources[0].fd != -1 || sources[1].fd != -1) {
		double left = deadline - clock_now();

		if (left <= 0 || poll(sources, 2, (int)(left * MILLISECONDS) + 1) == -1) {
			kill(process, SIGKILL);
			ck_abort_msg("the server has not ended by itself; it said %s",
			    text_visible(text_string(&outcome->errors), outcome->errors.length));
		}
		for (unsigned i = 0; i < 2; i++) {
			if (sources[i].revents != 0 && !gather(sources[i].fd, texts[i])) {
				sources[i].fd = -1;
			}
		}
	}
}

struct outcome
program_run(const char *directory, const struct arguments *arguments)
{
	struct outcome outcome = {0};
	int output[2];
	int errors[2];
	pid_t process;

	program_pipe(output);
	program_pipe(errors);
	process = program_start(directory, arguments, output[1], errors[1]);
	close(output[1]);
	close(errors[1]);
	gather_all(process, output[0], errors[0], &outcome);
	close(output[0]);
	close(errors[0]);
	ck_assert_int_eq(waitpid(process, &outcome.status, 0), process);
	return outcome;
}

struct outcome
program_run_words(const char *directory, const char *words)
{
	struct arguments arguments;

	arguments_set(&arguments, words);
	return program_run(directory, &arguments);
}

void
outcome_free(struct outcome *outcome)
{
	text_free(&outcome->output);
	text_free(&outcome->errors);
}
