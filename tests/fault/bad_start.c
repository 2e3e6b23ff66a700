/*
 * NAME
 *	bad_start - directories in which a server must not start
 *
 * SYNOPSIS
 *	bad_start [--short] [--workers N] [--seed N]
 *
 * DESCRIPTION
 *	In each the mailbox, mailbox.commit or the disk is unusable. The server must write the one
 *	expected line, exit with status 1, and leave names, types, modes and contents unchanged.
 *
 *	For permissions, if the test is run by root, the server gets --user nobody. Full and read-only
 *	disks are mounted in a private mount namespace; where unshare() is not permitted, these cases
 *	are skipped with a message. --short has no effect.
 */

#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control_map.h"
#include "harness.h"
#include "sandbox.h"
#include "server.h"

#define DESCRIPTION_SIZE 256

/* Bytes compared of a file or link. */
#define CONTENT_SIZE 65536

/* Mount options of a small disk. */
#define SMALL_DISK "size=16k,mode=0755"

/* Two records, and their mailbox.commit. */
static const char records[] =
    "Received: from c0 by netid (CS4410MP3)\nNumber: 1\nFrom: a\nTo: b\n\n\n"
    "Received: from c0 by netid (CS4410MP3)\nNumber: 2\nFrom: a\nTo: b\n\n\n";
static const char commit[] = "00000000000000000134 00000000000000000002\n";

/* ---- setup of the directories ---- */

typedef void setup_function(const struct path *directory);

/* Exit: the directory cannot be set up. */
static _Noreturn void
give_up(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

static void
require(int result, const char *what)
{
	if (result == -1) {
		give_up(what);
	}
}

static void
setup_records(const struct path *directory)
{
	path_write(directory, "mailbox", records, sizeof records - 1);
}

/* A valid mailbox with its mailbox.commit. */
static void
setup_all(const struct path *directory)
{
	setup_records(directory);
	path_write(directory, "mailbox.commit", commit, sizeof commit - 1);
}

static void
setup_directory(const struct path *directory)
{
	require(mkdir(path_in(directory, "mailbox").path, S_IRWXU), "mkdir");
}

static void
setup_link(const struct path *directory)
{
	path_write(directory, "elsewhere", records, sizeof records - 1);
	require(symlink("elsewhere", path_in(directory, "mailbox").path), "symlink");
}

static void
setup_dangling_link(const struct path *directory)
{
	require(symlink("nowhere", path_in(directory, "mailbox").path), "symlink");
}

static void
setup_pipe(const struct path *directory)
{
	require(mkfifo(path_in(directory, "mailbox").path, S_IRWXU), "mkfifo");
}

static void
setup_device(const struct path *directory)
{
	require(symlink("/dev/full", path_in(directory, "mailbox").path), "symlink");
}

static void
setup_commit_directory(const struct path *directory)
{
	setup_records(directory);
	require(mkdir(path_in(directory, "mailbox.commit").path, S_IRWXU), "mkdir");
}

static void
setup_commit_link(const struct path *directory)
{
	setup_records(directory);
	path_write(directory, "elsewhere", commit, sizeof commit - 1);
	require(symlink("elsewhere", path_in(directory, "mailbox.commit").path), "symlink");
}

static void
setup_commit_pipe(const struct path *directory)
{
	setup_records(directory);
	require(mkfifo(path_in(directory, "mailbox.commit").path, S_IRWXU), "mkfifo");
}

/* If the test is run by root, chown a file to the user of --user. */
static void
give_to_nobody(const struct path *directory, const char *name)
{
	const struct passwd *entry;

	if (geteuid() == 0) {
		entry = getpwnam("nobody"); /* NOLINT(concurrency-mt-unsafe): there is one thread */
		if (entry == NULL) {
			give_up("nobody");
		} else {
			require(chown(path_in(directory, name).path, entry->pw_uid, entry->pw_gid),
			    name);
		}
	}
}

static void
setup_unreadable(const struct path *directory)
{
	setup_all(directory);
	require(chmod(path_in(directory, "mailbox").path, 0), "chmod");
}

static void
setup_unreadable_commit(const struct path *directory)
{
	setup_all(directory);
	give_to_nobody(directory, "mailbox");
	require(chmod(path_in(directory, "mailbox.commit").path, 0), "chmod");
}

static void
setup_unwritable(const struct path *directory)
{
	require(chmod(directory->path, 0555), "chmod");
}

/* The mailbox can be written, but no commit file created. */
static void
setup_unwritable_with_records(const struct path *directory)
{
	setup_records(directory);
	give_to_nobody(directory, "mailbox");
	setup_unwritable(directory);
}

/* Mount a small tmpfs on the directory. */
static void
mount_disk(const struct path *directory)
{
	require(mount("none", directory->path, "tmpfs", 0, SMALL_DISK), "mount");
}

static void
remount_read_only(const struct path *directory)
{
	require(
	    mount("none", directory->path, "tmpfs", MS_REMOUNT | MS_RDONLY, SMALL_DISK), "mount");
}

static void
setup_read_only(const struct path *directory)
{
	mount_disk(directory);
	setup_all(directory);
	remount_read_only(directory);
}

static void
setup_read_only_and_empty(const struct path *directory)
{
	mount_disk(directory);
	remount_read_only(directory);
}

/* Records without a commit file, on a full disk. */
static void
setup_full(const struct path *directory)
{
	static const char block[CONTENT_SIZE];
	int file;

	mount_disk(directory);
	setup_records(directory);
	file = open(path_in(directory, "ballast").path, O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR);
	if (file == -1) {
		give_up("ballast");
	}
	while (write(file, block, sizeof block) > 0) {
	}
	close(file);
}

/* ---- the cases ---- */

enum need {
	NEED_NOTHING,
	NEED_USER, /* a server that does not run as root */
	NEED_MOUNT /* permission to mount */
};

static const struct bad_start {
	const char *name;
	const char *options;
	setup_function *setup;
	const char *line; /* the expected message after "smtpd: " */
	enum need need;
} bad_starts[] = {
    {"a directory", "", setup_directory, "mailbox: Is a directory", NEED_NOTHING},
    {"a link", "", setup_link, "mailbox: is a symbolic link: Too many levels of symbolic links",
	NEED_NOTHING},
    {"a link to nowhere", "", setup_dangling_link,
	"mailbox: is a symbolic link: Too many levels of symbolic links", NEED_NOTHING},
    {"a link to a device", "", setup_device,
	"mailbox: is a symbolic link: Too many levels of symbolic links", NEED_NOTHING},
    {"a pipe", "", setup_pipe, "mailbox: not a regular file", NEED_NOTHING},
    {"a directory", "--keep", setup_directory, "mailbox: Is a directory", NEED_NOTHING},
    {"a link", "--keep", setup_link,
	"mailbox: is a symbolic link: Too many levels of symbolic links", NEED_NOTHING},
    {"a pipe", "--keep", setup_pipe, "mailbox: not a regular file", NEED_NOTHING},
    {"unreadable", "", setup_unreadable, "mailbox: Permission denied", NEED_USER},
    {"unreadable", "--keep", setup_unreadable, "mailbox: Permission denied", NEED_USER},
    {"in an unwritable directory", "", setup_unwritable, "mailbox: Permission denied", NEED_USER},
    {"in an unwritable directory", "--keep", setup_unwritable, "mailbox: Permission denied",
	NEED_USER},
    {"on a read-only disk", "", setup_read_only, "mailbox: Read-only file system", NEED_MOUNT},
    {"on a read-only disk", "--keep", setup_read_only, "mailbox: Read-only file system",
	NEED_MOUNT},
    {"missing on a read-only disk", "--sync", setup_read_only_and_empty,
	"mailbox: Read-only file system", NEED_MOUNT},
    {"with no space for a commit file", "--keep", setup_full,
	"mailbox: cannot initialize: No space left on device", NEED_MOUNT},
    {"with no space for a commit file", "--keep --sync", setup_full,
	"mailbox: cannot initialize: No space left on device", NEED_MOUNT},
    {"with no right to a commit file", "--keep", setup_unwritable_with_records,
	"mailbox: cannot initialize: Permission denied", NEED_USER},
    {"whose commit file is a directory", "--keep", setup_commit_directory,
	"mailbox.commit: not a regular file", NEED_NOTHING},
    {"whose commit file is a link", "--keep", setup_commit_link,
	"mailbox.commit: Too many levels of symbolic links", NEED_NOTHING},
    {"whose commit file is a pipe", "--keep", setup_commit_pipe,
	"mailbox.commit: not a regular file", NEED_NOTHING},
    {"whose commit file is unreadable", "--keep", setup_unreadable_commit,
	"mailbox.commit: Permission denied", NEED_USER},
};

/* Contents of mailbox.commit that are invalid by themselves, or (line NULL) for the two records. */
static const struct bad_commit {
	const char *line;
	const char *content;
} bad_commits[] = {
    {"invalid contents", ""},
    {"invalid contents", "\n"},
    {"invalid contents", "garbage\n"},
    {"invalid contents", "134 2\n"},
    {"invalid contents", "00000000000000000134 00000000000000000002"},
    {"invalid contents", "00000000000000000134 00000000000000000002\r\n"},
    {"invalid contents", "00000000000000000134 00000000000000000002\n\n"},
    {"invalid contents", "00000000000000000134-00000000000000000002\n"},
    {"invalid contents", "                 134                    2\n"},
    {"invalid contents", "0x000000000000000086 00000000000000000002\n"},
    {"invalid contents", "-0000000000000000134 00000000000000000002\n"},
    {"invalid contents", "00000000000000000134 -0000000000000000002\n"},
    {"invalid contents", "+0000000000000000134 00000000000000000002\n"},
    {"invalid contents", "0000000000000000013a 00000000000000000002\n"},
    /* Longer than a file can be; more than 64 bits. */
    {"invalid contents", "09223372036854775808 00000000000000000002\n"},
    {"invalid contents", "18446744073709551616 00000000000000000002\n"},
    {"invalid contents", "99999999999999999999 00000000000000000002\n"},
    {"invalid contents", "00000000000000000134 18446744073709551615\n"},
    {"invalid contents", "00000000000000000134 18446744073709551616\n"},
    {"invalid contents", "00000000000000000134 99999999999999999999\n"},
    /* Bytes without a message. */
    {"invalid contents", "00000000000000000134 00000000000000000000\n"},
    {NULL, "00000000000000000135 00000000000000000002\n"},
    {NULL, "00000000000000000135 00000000000000000032\n"},
    {NULL, "09223372036854775807 00000000000000000002\n"},
};

/* ---- snapshots ---- */

/* Compare names. */
static int
by_name(const struct dirent **one, const struct dirent **other)
{
	return strcmp((*one)->d_name, (*other)->d_name);
}

/* Append name, mode, size and content of one entry. */
static void
add_entry(struct text *snapshot, const struct path *file, const char *name)
{
	char block[CONTENT_SIZE];
	struct stat status;
	ssize_t length = 0;

	require(lstat(file->path, &status), file->path);
	text_add_format(snapshot, "%s: mode %o, %jd bytes: ", name, (unsigned)status.st_mode,
	    S_ISDIR(status.st_mode) ? (intmax_t)0 : (intmax_t)status.st_size);
	if (S_ISREG(status.st_mode)) {
		int source = open(file->path, O_RDONLY | O_CLOEXEC);

		length = source == -1 ? 0 : read(source, block, sizeof block);
		close(source);
	} else if (S_ISLNK(status.st_mode)) {
		length = readlink(file->path, block, sizeof block);
	}
	text_add(snapshot, block, length < 0 ? 0 : (size_t)length);
	text_add_string(snapshot, "\n");
}

/* Return a description of all entries of a directory. */
static struct text
take_snapshot(const struct path *directory)
{
	struct text snapshot = {0};
	struct dirent **entries;
	int count = scandir(directory->path, &entries, NULL, by_name);

	require(count, directory->path);
	for (int i = 0; i < count; i++) {
		struct path file = path_in(directory, entries[i]->d_name);

		if (strcmp(entries[i]->d_name, "..") != 0) {
			add_entry(&snapshot, &file, entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
	return snapshot;
}

/* ---- running the cases ---- */

/* Enter a private mount namespace. Returns false if that is not permitted. */
static bool
enter_name_space(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Check that the server refuses to start with this line and changes nothing. */
static void
expect_refusal(
    const struct sandbox *sandbox, const char *options, const char *line, struct text *complaint)
{
	struct text before = take_snapshot(&sandbox->directory);
	struct text expected = {0};
	struct server server = {.managed = false};
	struct text after;

	text_add_format(&expected, "smtpd: %s\n", line);
	control_map_clear(sandbox->control_map);
	if (sandbox_start(sandbox, &server, options) != SERVER_ENDED) {
		text_add_string(complaint, "the server starts; ");
		sandbox_stop(&server, complaint);
	} else {
		sandbox_check_end(&server, server_end(&server), EXIT_FAILURE, complaint);
		if (strcmp(text_string(&server.log), text_string(&expected)) != 0) {
			text_add_format(complaint, "it says %s", text_string(&server.log));
		}
		server_destroy(&server);
	}
	after = take_snapshot(&sandbox->directory);
	if (strcmp(text_string(&before), text_string(&after)) != 0) {
		text_add_format(complaint, "the directory was\n%sand is\n%s", text_string(&before),
		    text_string(&after));
	}
	text_free(&before);
	text_free(&after);
	text_free(&expected);
}

/* Unmount the directory and make it writable, so that it can be removed. */
static void
release(const struct sandbox *sandbox)
{
	umount(sandbox->directory.path);
	chmod(sandbox->directory.path, 0755);
}

/* Make the directory again, empty. */
static void
begin(const struct sandbox *sandbox)
{
	release(sandbox);
	path_remove(&sandbox->directory);
	path_make_directory(&sandbox->directory);
	require(chmod(sandbox->directory.path, 0755), sandbox->directory.path);
}

/* Run one row of bad_starts. */
static void
try_bad_start(struct sandbox *sandbox, const struct bad_start *row)
{
	struct text complaint = {0};
	char options[DESCRIPTION_SIZE];
	char description[DESCRIPTION_SIZE];
	bool becomes = row->need == NEED_USER && geteuid() == 0;

	snprintf(options, sizeof options, "%s%s", row->options, becomes ? " --user nobody" : "");
	snprintf(
	    description, sizeof description, "a mailbox that is %s, %s", row->name, row->options);
	begin(sandbox);
	row->setup(&sandbox->directory);
	expect_refusal(sandbox, options, row->line, &complaint);
	sandbox_report(sandbox, description, &complaint);
}

/* Run one row of bad_commits. */
static void
try_bad_commit(struct sandbox *sandbox, const struct bad_commit *row, const char *options)
{
	struct text complaint = {0};
	struct text description = {0};
	struct text line = {0};

	if (row->line == NULL) {
		text_add_string(&line, "mailbox: shorter than mailbox.commit says");
	} else {
		text_add_format(&line, "mailbox.commit: %s", row->line);
	}
	begin(sandbox);
	setup_records(&sandbox->directory);
	path_write(&sandbox->directory, "mailbox.commit", row->content, strlen(row->content));
	expect_refusal(sandbox, options, line.bytes, &complaint);
	text_add_format(&description, "%s, with mailbox.commit ", options);
	text_add_visible(&description, row->content, strlen(row->content));
	sandbox_report(sandbox, description.bytes, &complaint);
	text_free(&description);
	text_free(&line);
}

static void
work(struct sandbox *sandbox, void *context)
{
	bool mounts = enter_name_space();
	size_t next;

	(void)context;
	while (
	    (next = sandbox_take(sandbox)) < ARRAY_LENGTH(bad_starts) + ARRAY_LENGTH(bad_commits)) {
		if (next >= ARRAY_LENGTH(bad_starts)) {
			try_bad_commit(
			    sandbox, &bad_commits[next - ARRAY_LENGTH(bad_starts)], "--keep");
			try_bad_commit(sandbox, &bad_commits[next - ARRAY_LENGTH(bad_starts)],
			    "--keep --sync");
		} else if (bad_starts[next].need != NEED_MOUNT || mounts) {
			try_bad_start(sandbox, &bad_starts[next]);
		} else {
			fprintf(stderr, "left out, disks may not be mounted: %s\n",
			    bad_starts[next].name);
		}
	}
	release(sandbox);
}

int
main(int argc, char *argv[])
{
	struct harness harness = harness_start("bad_start", argc, argv);

	server_require();
	harness_run(&harness, "directories", work, NULL);
	return harness_finish(&harness);
}
