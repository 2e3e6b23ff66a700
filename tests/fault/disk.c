/*
 * NAME
 *	disk - the possible contents of a directory on disk after a power loss
 *
 * DESCRIPTION
 *	When a flush ends, the operations that it covers are applied to `durable`, and are no longer
 *	pending.
 *
 * DIAGNOSTICS
 *	Calls abort() if a trace is invalid or exceeds the limits of disk.h.
 */

#include "disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The FNV-1a hash of 64 bits: offset basis and prime. */
#define HASH_INITIAL 0xcbf29ce484222325U
#define HASH_FACTOR  0x100000001b3U

/* ---- states ---- */

/* Find a name; "" finds an element that is not used. Returns NULL if there is none. */
static struct disk_name *
find_name(struct disk_state *state, const char *name)
{
	for (size_t i = 0; i < DISK_NAMES_MAX; i++) {
		if (strcmp(state->names[i].name, name) == 0) {
			return &state->names[i];
		}
	}
	return NULL;
}

/* Give a file a name, which may replace another file. */
static void
set_name(struct disk_state *state, const char *name, unsigned file)
{
	struct disk_name *entry = find_name(state, name);

	if (entry == NULL) {
		entry = find_name(state, "");
	}
	if (entry == NULL) {
		test_fail("too many names");
	} else {
		memcpy(entry->name, name, strlen(name) + 1);
		entry->file = file;
	}
}

/* Remove a name if it refers to this file. */
static void
remove_name(struct disk_state *state, const char *name, unsigned file)
{
	struct disk_name *entry = name[0] == '\0' ? NULL : find_name(state, name);

	if (entry != NULL && entry->file == file) {
		entry->name[0] = '\0';
	}
}

/* Extend the content to `length` bytes with zeros. */
static void
ensure_length(struct bytes *content, size_t length)
{
	size_t missing = length > content->length ? length - content->length : 0;

	bytes_add_repeated(content, '\0', missing);
}

static void
truncate_file(struct disk_file *file, size_t length)
{
	ensure_length(&file->content, length);
	memset(file->content.at + length, 0, file->content.length - length);
	file->size = length;
}

/* Apply one operation to a state. */
static void
apply(struct disk_state *state, const struct disk_effect *effect)
{
	struct disk_file *file = &state->files[effect->file];

	switch (effect->kind) {
	case EFFECT_DATA:
		ensure_length(&file->content, effect->offset + effect->length);
		memcpy(file->content.at + effect->offset, effect->bytes, effect->length);
		break;
	case EFFECT_EXTEND:
		ensure_length(&file->content, effect->offset);
		if (effect->offset > file->size) {
			file->size = effect->offset;
		}
		break;
	case EFFECT_TRUNCATE:
		truncate_file(file, effect->offset);
		break;
	case EFFECT_NAME:
		remove_name(state, effect->old_name, effect->file);
		set_name(state, effect->name, effect->file);
		break;
	case EFFECT_UNNAME:
		remove_name(state, effect->name, effect->file);
		break;
	}
}

void
disk_choose(const struct disk *disk, const bool chosen[], struct disk_state *state)
{
	*state = disk->durable;
	state->file_count = disk->live.file_count;
	for (unsigned i = 0; i < state->file_count; i++) {
		const struct bytes *content = &disk->durable.files[i].content;

		state->files[i].content = (struct bytes){0};
		bytes_add(&state->files[i].content, bytes_string(content), content->length);
	}
	for (size_t i = 0; i < disk->pending_count; i++) {
		if (chosen[i]) {
			apply(state, &disk->pending[i]);
		}
	}
}

void
disk_state_destroy(struct disk_state *state)
{
	for (unsigned i = 0; i < DISK_FILES_MAX; i++) {
		bytes_free(&state->files[i].content);
	}
}

/* Continue a hash with these bytes. */
static uint64_t
hash(uint64_t value, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		value = (value ^ (unsigned char)bytes[i]) * HASH_FACTOR;
	}
	return value;
}

uint64_t
disk_state_hash(const struct disk_state *state)
{
	uint64_t sum = 0;

	/* A sum, because the order of names has no meaning. The NUL ends the name. */
	for (size_t i = 0; i < DISK_NAMES_MAX; i++) {
		const struct disk_name *name = &state->names[i];

		if (name->name[0] != '\0') {
			const struct disk_file *file = &state->files[name->file];
			uint64_t value = hash(HASH_INITIAL, name->name, strlen(name->name) + 1);

			sum += hash(value, bytes_string(&file->content), file->size);
		}
	}
	return sum;
}

void
disk_state_write(const struct disk_state *state, const struct path *directory)
{
	for (size_t i = 0; i < DISK_NAMES_MAX; i++) {
		const struct disk_name *name = &state->names[i];

		if (name->name[0] != '\0') {
			const struct disk_file *file = &state->files[name->file];

			files_write_in(
			    directory->name, name->name, bytes_string(&file->content), file->size);
		}
	}
}

/* ---- steps ---- */

/* Return the number of the file with this inode: the latest one, because inodes are reused. */
static unsigned
find_file(const struct disk *disk, uint64_t inode)
{
	for (unsigned i = disk->live.file_count; i > 0; i--) {
		if (disk->inodes[i - 1] == inode) {
			return i - 1;
		}
	}
	test_fail("no such file");
	return 0;
}

/* Add a new file. Returns its number. */
static unsigned
add_file(struct disk *disk, uint64_t inode)
{
	unsigned file = disk->live.file_count++;

	if (file >= DISK_FILES_MAX) {
		test_fail("too many files");
	}
	disk->inodes[file] = inode;
	disk->live.files[file] = (struct disk_file){0};
	disk->durable.files[file] = (struct disk_file){0};
	return file;
}

static void
add_pending(struct disk *disk, const struct disk_effect *effect)
{
	if (disk->pending_count >= DISK_PENDING_MAX) {
		test_fail("too many operations without a flush");
	}
	disk->pending[disk->pending_count] = *effect;
	disk->pending[disk->pending_count++].step = disk->steps;
}

/* Add the operations of a write: one for each sector, and one for the length. */
static void
add_write(struct disk *disk, const struct step *step, const char *data)
{
	struct disk_effect effect = {
	    .kind = EFFECT_DATA,
	    .file = find_file(disk, step->inode),
	    .offset = (size_t)step->offset,
	};
	size_t end = (size_t)(step->offset + step->data_length);

	while (effect.offset < end) {
		size_t space = DISK_SECTOR - effect.offset % DISK_SECTOR;

		effect.length = end - effect.offset < space ? end - effect.offset : space;
		effect.bytes = data + (effect.offset - step->offset);
		add_pending(disk, &effect);
		effect.offset += effect.length;
	}
	if (end > disk->live.files[effect.file].size) {
		disk->live.files[effect.file].size = end;
		effect.kind = EFFECT_EXTEND;
		add_pending(disk, &effect);
	}
}

static void
add_truncation(struct disk *disk, const struct step *step)
{
	const struct disk_effect effect = {
	    .kind = EFFECT_TRUNCATE,
	    .file = find_file(disk, step->inode),
	    .offset = (size_t)step->offset,
	};

	disk->live.files[effect.file].size = effect.offset;
	add_pending(disk, &effect);
}

/* Add a change of names: create, rename or unlink. */
static void
add_naming(struct disk *disk, const struct step *step)
{
	struct disk_effect effect = {.kind = EFFECT_NAME};

	if (step->kind == STEP_CREATE) {
		effect.file = add_file(disk, step->inode);
		memcpy(effect.name, step->name, sizeof effect.name);
	} else {
		const struct disk_name *entry = find_name(&disk->live, step->name);

		if (entry == NULL) {
			test_fail("no such name");
			return;
		}
		effect.file = entry->file;
		if (step->kind == STEP_RENAME) {
			memcpy(effect.name, step->new_name, sizeof effect.name);
			memcpy(effect.old_name, step->name, sizeof effect.old_name);
		} else {
			effect.kind = EFFECT_UNNAME;
			memcpy(effect.name, step->name, sizeof effect.name);
		}
	}
	apply(&disk->live, &effect);
	add_pending(disk, &effect);
}

/* Return the flush with this ticket. */
static struct disk_flush *
find_flush(struct disk *disk, uint64_t ticket)
{
	for (size_t i = 0; i < DISK_FLUSHES_MAX; i++) {
		if (disk->flushes[i].ticket == ticket) {
			return &disk->flushes[i];
		}
	}
	test_fail("no such flush");
	return NULL;
}

static void
begin_flush(struct disk *disk, const struct step *step)
{
	struct disk_flush *flush = find_flush(disk, 0);

	*flush = (struct disk_flush){
	    .ticket = step->number, .step = disk->steps, .directory = step->inode == 0};
	if (!flush->directory) {
		flush->file = find_file(disk, step->inode);
	}
}

/* Return whether a flush makes an operation durable. */
static bool
covers(const struct disk_flush *flush, const struct disk_effect *effect)
{
	bool of_directory = effect->kind == EFFECT_NAME || effect->kind == EFFECT_UNNAME;

	return effect->step < flush->step && of_directory == flush->directory &&
	       (of_directory || effect->file == flush->file);
}

static void
end_flush(struct disk *disk, const struct step *step)
{
	struct disk_flush *flush = find_flush(disk, step->number);
	size_t kept = 0;

	for (size_t i = 0; i < disk->pending_count; i++) {
		if (covers(flush, &disk->pending[i])) {
			apply(&disk->durable, &disk->pending[i]);
		} else {
			disk->pending[kept++] = disk->pending[i];
		}
	}
	disk->pending_count = kept;
	flush->ticket = 0;
}

void
disk_step(struct disk *disk, const struct step *step, const char *data)
{
	disk->steps++;
	switch (step->kind) {
	case STEP_CREATE:
	case STEP_RENAME:
	case STEP_UNLINK:
		add_naming(disk, step);
		break;
	case STEP_WRITE:
		add_write(disk, step, data);
		break;
	case STEP_TRUNCATE:
		add_truncation(disk, step);
		break;
	case STEP_SYNC_BEGIN:
		begin_flush(disk, step);
		break;
	case STEP_SYNC_END:
		end_flush(disk, step);
		break;
	case STEP_READY:
	case STEP_ACKNOWLEDGED:
		break;
	}
}

/* ---- init and destroy ---- */

/* Load a file of the directory. */
static void
load_file(struct disk *disk, const struct path *directory, const char *name)
{
	struct path path = files_path(directory->name, name);
	struct disk_file *file;
	struct stat status;
	unsigned number;

	if (stat(path.name, &status) == -1) {
		test_fail_errno(path.name);
	}
	number = add_file(disk, status.st_ino);
	file = &disk->durable.files[number];
	file->content = files_read(path.name);
	file->size = file->content.length;
	disk->live.files[number].size = file->size;
	set_name(&disk->durable, name, number);
	set_name(&disk->live, name, number);
}

void
disk_init(struct disk *disk, const struct path *directory)
{
	DIR *entries = opendir(directory->name);
	const struct dirent *entry;

	memset(disk, 0, sizeof *disk);
	if (entries == NULL) {
		test_fail_errno(directory->name);
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	while ((entry = readdir(entries)) != NULL) {
		if (entry->d_name[0] != '.') {
			load_file(disk, directory, entry->d_name);
		}
	}
	closedir(entries);
}

void
disk_destroy(struct disk *disk)
{
	disk_state_destroy(&disk->durable);
}
