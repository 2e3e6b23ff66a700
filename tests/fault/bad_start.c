/*
 * NAME
 *	bad_start - directories in which a server must not start
 *
 * SYNOPSIS
 *	bad_start [--short] [--workers N] [--seed N]
 *
 * DESCRIPTION
 *	In each the mailbox, another file of the server or the disk is unusable. The server must
 *	write the one expected line, exit with status 1, and leave names, types, modes and contents
 *	unchanged.
 *
 *	For permissions, if the test is run by root, the server gets --user nobody. Full and
 *	read-only disks are mounted in a private mount namespace; where unshare() is not permitted,
 *	these cases are skipped with a message. --short has no effect.
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

/* Bytes compared of a file or link; bytes of a write() that fills a disk. */
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

static void
setup_records(const struct path *directory)
{
	files_write_in(directory->name, "mailbox", records, sizeof records - 1);
	/* The server would change any other mode. */
	REQUIRE_CALL(chmod(files_path(directory->name, "mailbox").name, S_IRUSR | S_IWUSR));
}

/* A valid mailbox with its mailbox.commit. */
static void
setup_all(const struct path *directory)
{
	setup_records(directory);
	files_write_in(directory->name, "mailbox.commit", commit, sizeof commit - 1);
}

static void
setup_dangling_link(const struct path *directory)
{
	REQUIRE_CALL(symlink("nowhere", files_path(directory->name, "mailbox").name));
}

static void
setup_device(const struct path *directory)
{
	REQUIRE_CALL(symlink("/dev/full", files_path(directory->name, "mailbox").name));
}

/* If the test is run by root, chown a file to the user of --user. */
static void
give_to_nobody(const struct path *directory, const char *name)
{
	const struct passwd *entry;

	if (geteuid() == 0) {
		entry = getpwnam("nobody"); /* NOLINT(concurrency-mt-unsafe): there is one thread */
		REQUIRE(entry != NULL, "there is no user nobody");
		REQUIRE_CALL(
		    chown(files_path(directory->name, name).name, entry->pw_uid, entry->pw_gid));
	}
}

static void
setup_unreadable(const struct path *directory)
{
	setup_all(directory);
	give_to_nobody(directory, "mailbox");
	give_to_nobody(directory, "mailbox.commit");
	REQUIRE_CALL(chmod(files_path(directory->name, "mailbox").name, 0));
}

static void
setup_unreadable_commit(const struct path *directory)
{
	setup_all(directory);
	give_to_nobody(directory, "mailbox");
	give_to_nobody(directory, "mailbox.commit");
	REQUIRE_CALL(chmod(files_path(directory->name, "mailbox.commit").name, 0));
}

static void
setup_unwritable(const struct path *directory)
{
	REQUIRE_CALL(chmod(directory->name, 0555));
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
	REQUIRE_CALL(mount("none", directory->name, "tmpfs", 0, SMALL_DISK));
}

static void
remount_read_only(const struct path *directory)
{
	REQUIRE_CALL(mount("none", directory->name, "tmpfs", MS_REMOUNT | MS_RDONLY, SMALL_DISK));
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
	file = open(
	    files_path(directory->name, "ballast").name, O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR);
	REQUIRE_CALL(file);
	while (write(file, block, sizeof block) > 0) {
	}
	close(file);
}

/* ---- names that are taken ---- */

/* What a file of the server must not be. */
enum obstacle {
	OBSTACLE_DIRECTORY,
	OBSTACLE_LINK,
	OBSTACLE_FIFO,
	OBSTACLE_HARD_LINK,
	OBSTACLE_OWNER, /* a file of another user; needs root */
	OBSTACLES
};

/* The reason in the log: for the mailbox, which is opened; for other names, which are checked. */
static const struct {
	const char *name;
	const char *mailbox_reason;
	const char *reason;
} obstacles[OBSTACLES] = {
    [OBSTACLE_DIRECTORY] = {"a directory", "cannot open: Is a directory", "not a regular file"},
    [OBSTACLE_LINK] = {"a link", "is a symbolic link", "not a regular file"},
    [OBSTACLE_FIFO] = {"a pipe", "not a regular file", "not a regular file"},
    [OBSTACLE_HARD_LINK] = {"a hard link", "has another hard link", "has another hard link"},
    [OBSTACLE_OWNER] = {"of another user", "belongs to another user", "belongs to another user"},
};

/* The names of the server's files. */
static const char *const names[] = {
    "mailbox", "mailbox.backup", "mailbox.commit", "mailbox.commit.new"};

static const char *const name_options[] = {"", "--keep", "--keep --sync"};

/* Numbers of try_name(). */
#define NAME_CASES (OBSTACLES * ARRAY_LENGTH(names) * ARRAY_LENGTH(name_options))

static void
make_obstacle(const struct path *directory, const char *name, enum obstacle obstacle)
{
	struct path path = files_path(directory->name, name);
	struct path other = files_path(directory->name, "elsewhere");

	files_write_string(other.name, records);
	switch (obstacle) {
	case OBSTACLE_DIRECTORY:
		REQUIRE_CALL(mkdir(path.name, S_IRWXU));
		break;
	case OBSTACLE_LINK:
		REQUIRE_CALL(symlink("elsewhere", path.name));
		break;
	case OBSTACLE_FIFO:
		REQUIRE_CALL(mkfifo(path.name, S_IRWXU));
		break;
	case OBSTACLE_HARD_LINK:
		REQUIRE_CALL(link(other.name, path.name));
		break;
	default:
		files_write_string(path.name, records);
		REQUIRE_CALL(chmod(path.name, S_IRUSR | S_IWUSR));
		give_to_nobody(directory, name);
		break;
	}
}

/* ---- the cases ---- */

enum need {
	NEED_NOTHING,
	NEED_USER, /* a server that does not run as root */
	NEED_MOUNT /* permission to mount */
};

static const struct bad_start {
	const char *name; /* what is wrong with the mailbox */
	const char *options;
	setup_function *setup;
	const char *line; /* expected in the log, after "smtpd: " */
	enum need need;
} bad_starts[] = {
    {"a link to nowhere", "", setup_dangling_link, "mailbox: is a symbolic link", NEED_NOTHING},
    {"a link to a device", "", setup_device, "mailbox: is a symbolic link", NEED_NOTHING},
    {"unreadable", "", setup_unreadable, "mailbox: cannot open: Permission denied", NEED_USER},
    {"unreadable", "--keep", setup_unreadable, "mailbox: cannot open: Permission denied",
	NEED_USER},
    {"in an unwritable directory", "", setup_unwritable, "mailbox: cannot open: Permission denied",
	NEED_USER},
    {"in an unwritable directory", "--keep", setup_unwritable,
	"mailbox: cannot open: Permission denied", NEED_USER},
    {"on a read-only disk", "", setup_read_only, "mailbox: cannot open: Read-only file system",
	NEED_MOUNT},
    {"on a read-only disk", "--keep", setup_read_only,
	"mailbox: cannot open: Read-only file system", NEED_MOUNT},
    {"missing on a read-only disk", "--sync", setup_read_only_and_empty,
	"mailbox: cannot open: Read-only file system", NEED_MOUNT},
    {"with no space for a commit file", "--keep", setup_full,
	"mailbox or mailbox.commit: cannot initialize: No space left on device", NEED_MOUNT},
    {"with no space for a commit file", "--keep --sync", setup_full,
	"mailbox or mailbox.commit: cannot initialize: No space left on device", NEED_MOUNT},
    {"with no right to a commit file", "--keep", setup_unwritable_with_records,
	"mailbox or mailbox.commit: cannot initialize: Permission denied", NEED_USER},
    {"whose commit file is unreadable", "--keep", setup_unreadable_commit,
	"mailbox.commit: cannot read: Permission denied", NEED_USER},
};

/* Invalid contents of mailbox.commit. */
static const char *const bad_commits[] = {
    "",
    "\n",
    "garbage\n",
    "134 2\n",
    "00000000000000000134 00000000000000000002",
    "00000000000000000134 00000000000000000002\r\n",
    "00000000000000000134 00000000000000000002\n\n",
    "00000000000000000134-00000000000000000002\n",
    "                 134                    2\n",
    "0x000000000000000086 00000000000000000002\n",
    "-0000000000000000134 00000000000000000002\n",
    "00000000000000000134 -0000000000000000002\n",
    "+0000000000000000134 00000000000000000002\n",
    "0000000000000000013a 00000000000000000002\n",
    /* A length of 2^63, 2^64 and more: no file is so long. */
    "09223372036854775808 00000000000000000002\n",
    "18446744073709551616 00000000000000000002\n",
    "99999999999999999999 00000000000000000002\n",
    /* A number of 2^63, 2^64 - 1, 2^64 and more: the largest is 2^63 - 1. */
    "00000000000000000134 09223372036854775808\n",
    "00000000000000000134 18446744073709551615\n",
    "00000000000000000134 18446744073709551616\n",
    "00000000000000000134 99999999999999999999\n",
};

/* Numbers of try_case(). */
#define CASES (ARRAY_LENGTH(bad_starts) + ARRAY_LENGTH(bad_commits))

/* ---- snapshots ---- */

/* Compare names. */
static int
by_name(const struct dirent **one, const struct dirent **other)
{
	return strcmp((*one)->d_name, (*other)->d_name);
}

/* Append name, mode, size and content of one entry. */
static void
add_entry(struct bytes *snapshot, const struct path *file, const char *name)
{
	char block[CONTENT_SIZE];
	struct stat status;
	ssize_t length = 0;

	REQUIRE_CALL(lstat(file->name, &status));
	bytes_add_format(snapshot, "%s: mode %o, %jd bytes: ", name, (unsigned)status.st_mode,
	    S_ISDIR(status.st_mode) ? (intmax_t)0 : (intmax_t)status.st_size);
	if (S_ISREG(status.st_mode)) {
		int source = open(file->name, O_RDONLY | O_CLOEXEC);

		length = source == -1 ? 0 : read(source, block, sizeof block);
		close(source);
	} else if (S_ISLNK(status.st_mode)) {
		length = readlink(file->name, block, sizeof block);
	}
	bytes_add(snapshot, block, length < 0 ? 0 : (size_t)length);
	bytes_add_string(snapshot, "\n");
}

/* Return a description of all entries of a directory. */
static struct bytes
take_snapshot(const struct path *directory)
{
	struct bytes snapshot = {0};
	struct dirent **entries;
	int count = scandir(directory->name, &entries, NULL, by_name);

	REQUIRE_CALL(count);
	for (int i = 0; i < count; i++) {
		struct path file = files_path(directory->name, entries[i]->d_name);

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
enter_mount_namespace(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Check that the server logs "smtpd: " and this line, refuses to start, and changes nothing. */
static void
expect_refusal(
    const struct sandbox *sandbox, const char *options, const char *line, struct bytes *failures)
{
	struct bytes before = take_snapshot(&sandbox->directory);
	struct bytes expected = {0};
	struct server server = {.managed = false};
	struct bytes after;

	bytes_add_format(&expected, "smtpd: %s\n", line);
	control_map_clear(sandbox->control_map);
	if (sandbox_start(sandbox, &server, options) != SERVER_ENDED) {
		bytes_add_string(failures, "the server starts; ");
		sandbox_stop(&server, failures);
	} else {
		sandbox_check_end(&server, server_end(&server), EXIT_FAILURE, failures);
		if (strcmp(bytes_string(&server.log), bytes_string(&expected)) != 0) {
			bytes_add_format(failures, "its log is %s", bytes_string(&server.log));
		}
		server_destroy(&server);
	}
	after = take_snapshot(&sandbox->directory);
	if (before.length != after.length ||
	    memcmp(bytes_string(&before), bytes_string(&after), after.length) != 0) {
		bytes_add_format(failures, "the directory was\n%sand is\n%s", bytes_string(&before),
		    bytes_string(&after));
	}
	bytes_free(&before);
	bytes_free(&after);
	bytes_free(&expected);
}

/* Unmount the directory and make it writable, so that it can be removed. */
static void
make_removable(const struct sandbox *sandbox)
{
	umount(sandbox->directory.name);
	chmod(sandbox->directory.name, 0755);
}

/* Make the directory again, empty. */
static void
empty_directory(const struct sandbox *sandbox)
{
	make_removable(sandbox);
	REQUIRE(files_remove_tree(sandbox->directory.name), "%s", sandbox->directory.name);
	REQUIRE_CALL(mkdir(sandbox->directory.name, S_IRWXU));
	REQUIRE_CALL(chmod(sandbox->directory.name, 0755));
}

/* Run one row of bad_starts. */
static void
try_bad_start(struct sandbox *sandbox, const struct bad_start *row)
{
	struct bytes failures = {0};
	char options[DESCRIPTION_SIZE];
	char description[DESCRIPTION_SIZE];
	bool switches_user = row->need == NEED_USER && geteuid() == 0;

	snprintf(
	    options, sizeof options, "%s%s", row->options, switches_user ? " --user nobody" : "");
	snprintf(
	    description, sizeof description, "a mailbox that is %s, %s", row->name, row->options);
	empty_directory(sandbox);
	row->setup(&sandbox->directory);
	expect_refusal(sandbox, options, row->line, &failures);
	sandbox_report(sandbox, description, &failures);
}

/* Run one of bad_commits. */
static void
try_bad_commit(struct sandbox *sandbox, const char *content, const char *options)
{
	struct bytes failures = {0};
	struct bytes description = {0};

	empty_directory(sandbox);
	setup_records(&sandbox->directory);
	files_write_in(sandbox->directory.name, "mailbox.commit", content, strlen(content));
	expect_refusal(sandbox, options,
	    "mailbox.commit: invalid contents: see smtpd(8), DIAGNOSTICS", &failures);
	bytes_add_format(&description, "%s, with mailbox.commit ", options);
	bytes_add_visible(&description, content, strlen(content));
	sandbox_report(sandbox, description.at, &failures);
	bytes_free(&description);
}

/* Run one combination of a name, an obstacle and options. */
static void
try_name(struct sandbox *sandbox, size_t number)
{
	const char *options = name_options[number % ARRAY_LENGTH(name_options)];
	const char *name = names[number / ARRAY_LENGTH(name_options) % ARRAY_LENGTH(names)];
	enum obstacle obstacle =
	    (enum obstacle)(number / ARRAY_LENGTH(name_options) / ARRAY_LENGTH(names));
	bool is_mailbox = strcmp(name, "mailbox") == 0;
	struct bytes failures = {0};
	struct bytes description = {0};
	struct bytes line = {0};

	if (obstacle == OBSTACLE_OWNER && geteuid() != 0) {
		return;
	}
	bytes_add_format(
	    &description, "%s that is %s, %s", name, obstacles[obstacle].name, options);
	bytes_add_format(&line, "%s: %s", name,
	    is_mailbox ? obstacles[obstacle].mailbox_reason : obstacles[obstacle].reason);
	empty_directory(sandbox);
	if (!is_mailbox) {
		setup_records(&sandbox->directory);
	}
	make_obstacle(&sandbox->directory, name, obstacle);
	expect_refusal(sandbox, options, line.at, &failures);
	sandbox_report(sandbox, description.at, &failures);
	bytes_free(&description);
	bytes_free(&line);
}

/*
 * Run one row of bad_starts, or one of bad_commits with each option. `mounts`: disks may be
 * mounted.
 */
static void
try_case(struct sandbox *sandbox, size_t number, bool mounts)
{
	const struct bad_start *row;

	if (number >= ARRAY_LENGTH(bad_starts)) {
		const char *content = bad_commits[number - ARRAY_LENGTH(bad_starts)];

		try_bad_commit(sandbox, content, "--keep");
		try_bad_commit(sandbox, content, "--keep --sync");
		return;
	}
	row = &bad_starts[number];
	if (row->need != NEED_MOUNT || mounts) {
		try_bad_start(sandbox, row);
	} else {
		fprintf(stderr, "left out, disks may not be mounted: %s\n", row->name);
	}
}

static void
work(struct sandbox *sandbox, void *context)
{
	bool mounts = enter_mount_namespace();
	size_t next;

	(void)context;
	while ((next = sandbox_take(sandbox)) < NAME_CASES + CASES) {
		if (next < NAME_CASES) {
			try_name(sandbox, next);
		} else {
			try_case(sandbox, next - NAME_CASES, mounts);
		}
	}
	make_removable(sandbox);
}

int
main(int argc, char *argv[])
{
	struct harness harness = harness_start("bad_start", argc, argv);

	server_require();
	harness_run(&harness, "directories", work, NULL);
	return harness_finish(&harness);
}
