/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool_power.c - the power fails: of each file
 * what was flushed is there, or also what came later, or zeros in its place,
 * or what it had before it was emptied for another entry; of the names those
 * that were flushed, or all.
 *
 * What was promised is there, to the byte; what is given away to be sent is
 * what was promised and nothing else; what was flushed is listed.
 *
 * Flushes are seen by --wrap: each keeps a copy of the file in a directory
 * beside the spool.
 */
#include "base/io.h"
#include "tests/unit/cache/spool/spool_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SEQUENCES = 150, BUFFER = 256 * 1024, NAMES = 64 };

static char shadow[200]; /* "": nothing is kept */
static char buffer[BUFFER];
static unsigned reused; /* files that had what they had before */

static size_t load(int fd)
{
	ssize_t n = io_pread(fd, buffer, sizeof(buffer), 0);

	if (n < 0 || n == BUFFER)
		_exit(1);
	return (size_t)n;
}

static void save(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || io_pwrite(fd, bytes, size, 0) < 0)
		_exit(1);
	(void)close(fd);
}

static void keep_file(int fd)
{
	struct stat about;
	char path[300];

	if (shadow[0] == '\0' || fstat(fd, &about) < 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/%llu", shadow,
	    (unsigned long long)about.st_ino);
	save(path, buffer, load(fd));
}

/* What a file had before it is emptied may be on the disk until it is flushed
 * the next time. */
static void old_path(char out[300], unsigned long long inode)
{
	(void)snprintf(out, 300, "%s/%llu.old", shadow, inode);
}

static void keep_old(int fd)
{
	struct stat about;
	char path[300];

	if (shadow[0] == '\0' || fstat(fd, &about) < 0 || about.st_size == 0)
		return;
	old_path(path, about.st_ino);
	save(path, buffer, load(fd));
}

static void forget_old(int fd)
{
	struct stat about;
	char path[300];

	if (shadow[0] == '\0' || fstat(fd, &about) < 0)
		return;
	old_path(path, about.st_ino);
	(void)unlink(path);
}

/* A row of names with the files they lead to. */
struct names {
	unsigned count;
	struct {
		char name[60];
		unsigned long long inode;
	} list[NAMES];
};

static int note_name(void *arg, int dir_fd, const char *name)
{
	struct names *names = arg;
	struct stat about;

	if (fstatat(dir_fd, name, &about, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(about.st_mode))
		return 0;
	if (names->count == NAMES)
		_exit(1);
	(void)snprintf(names->list[names->count].name,
	    sizeof(names->list[0].name), "%.50s", name);
	names->list[names->count++].inode = about.st_ino;
	return 0;
}

static void keep_names(int fd)
{
	struct names names = {0};
	struct stat about;
	struct stat next;
	char path[300];

	if (shadow[0] == '\0' || fstat(fd, &about) < 0 ||
	    !S_ISDIR(about.st_mode) || fstatat(fd, "next", &next, 0) < 0)
		return;
	if (io_each_name(fd, ".", note_name, &names) < 0)
		_exit(1);
	(void)snprintf(path, sizeof(path), "%s/names", shadow);
	save(path, &names, sizeof(names));
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __real_ftruncate64(int fd, off64_t size);
int __wrap_ftruncate64(int fd, off64_t size);

int __wrap_ftruncate64(int fd, off64_t size)
{
	if (size == 0)
		keep_old(fd);
	return __real_ftruncate64(fd, size);
}

int __wrap_fdatasync(int fd)
{
	keep_file(fd);
	forget_old(fd);
	return __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
	keep_names(fd);
	return __real_fsync(fd);
}

/* What a file has now, under whatever name. @return whether it is there */
static bool load_now(const struct model *model, const struct names *names,
    unsigned long long inode, size_t *size)
{
	char path[300];
	int fd = -1;

	for (unsigned i = 0; i < names->count && fd < 0; i++) {
		if (names->list[i].inode != inode)
			continue;
		(void)snprintf(path, sizeof(path), "%s/v1/%s", model->bed.dir,
		    names->list[i].name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return false;
	*size = load(fd);
	(void)close(fd);
	return true;
}

/* What is kept beside the spool. */
static bool load_kept(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	*size = load(fd);
	(void)close(fd);
	return true;
}

/* One file as the disk may have it. */
static void cut_file(struct model *model, const struct names *current,
    const char *to, unsigned long long inode)
{
	char path[300];
	unsigned how = (unsigned)(bed_random(&model->random) % 4);
	size_t flushed = 0;
	size_t now = 0;
	size_t old = 0;
	static char latest[BUFFER];

	if (load_now(model, current, inode, &now))
		memcpy(latest, buffer, now);
	else
		how = 0; /* it has gone since */
	old_path(path, inode);
	if (how == 3 && load_kept(path, &old)) {
		reused++;
		save(to, buffer, old);
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/%llu", shadow, inode);
	(void)load_kept(path, &flushed);
	if (how == 0) {
		save(to, buffer, flushed);
	} else if (how == 1) {
		save(to, latest, now);
	} else {
		/* Its size reached the disk, its last bytes did not. */
		if (now < flushed)
			flushed = now;
		memset(buffer + flushed, 0, now - flushed);
		save(to, buffer, now);
	}
}

/* The power fails: another directory, as the disk may have it. */
static void cut_power(struct model *model)
{
	struct names names = {0};
	struct names current = {0};
	char path[600];
	char from[600];
	char to[600];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/names", shadow);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		assert_int_equal(
		    io_read_all(fd, &names, sizeof(names)), sizeof(names));
		(void)close(fd);
	}
	(void)snprintf(from, sizeof(from), "%s/v1", model->bed.dir);
	assert_int_equal(io_each_name(AT_FDCWD, from, note_name, &current), 0);
	if (bed_random(&model->random) % 2 == 0)
		names = current;
	(void)snprintf(path, sizeof(path), "%s/after", model->bed.top);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/after/v1", model->bed.top);
	assert_int_equal(mkdir(path, 0700), 0);
	for (unsigned i = 0; i < names.count; i++) {
		(void)snprintf(
		    to, sizeof(to), "%.200s/%s", path, names.list[i].name);
		cut_file(model, &current, to, names.list[i].inode);
	}
	(void)snprintf(
	    model->bed.dir, sizeof(model->bed.dir), "%s/after", model->bed.top);
	model->bed.boot[0]++;
}

struct seen {
	struct model *model;
	bool listed[MODEL_FILES];
	unsigned promised;
	unsigned count;
};

static bool as_promised(
    const struct model_file *file, const struct spool_entry *entry)
{
	size_t size;
	uint8_t *bytes = bed_whole(entry, &size);
	bool same = file->promised && size == file->promised_size &&
	    memcmp(bytes, file->promised_bytes, size) == 0;

	/* One that was set aside, and so flushed, and then closed by a
	 * person. */
	if (!file->promised && file->state != SPOOL_OPEN)
		same =
		    size == file->size && memcmp(bytes, file->bytes, size) == 0;
	free(bytes);
	return same;
}

static int see(void *arg, const struct spool_item *item)
{
	struct seen *seen = arg;
	struct model_file *file = model_find(seen->model, item->serial);
	bool to_send =
	    item->state == SPOOL_CLOSED || item->state == SPOOL_FAILED;
	struct spool_entry *entry;
	struct err err = ERR_INIT;
	bool as;

	seen->count++;
	/* One that was removed may be back. */
	if (file == NULL)
		return 0;
	seen->listed[file - seen->model->files] = true;
	if (item->state == SPOOL_DAMAGED) {
		assert_false(file->listed);
		return 0;
	}
	assert_int_equal(
	    spool_take(seen->model->bed.spool, item->serial, &entry, &err), 0);
	as = as_promised(file, entry);
	spool_release(entry);
	/* What is sent is what was promised, or closed. */
	if (to_send || file->promised)
		assert_true(as);
	if (file->promised && item->state == SPOOL_ASIDE &&
	    file->promised_state != SPOOL_ASIDE && file->state != SPOOL_ASIDE)
		fail_msg("promised %d, then %d, found %d: %s",
		    (int)file->promised_state, (int)file->state,
		    (int)item->state, item->text[SPOOL_WHY]);
	seen->promised += file->promised;
	return 0;
}

/* Also one more look: adoption must not make more of it. */
static int give(void *arg, struct spool_entry *entry)
{
	struct seen *seen = arg;
	struct spool_item item;
	struct model_file *file;

	assert_int_equal(spool_item_of(entry, &item), 0);
	file = model_find(seen->model, item.serial);
	spool_item_fini(&item);
	if (file != NULL)
		assert_true(as_promised(file, entry));
	spool_release(entry);
	return 0;
}

static unsigned fail_power(uint64_t seed)
{
	struct model *model = model_new(seed);
	struct seen seen = {.model = model};
	struct err err = ERR_INIT;
	const struct spool_filter all = {.any_uid = true};

	(void)snprintf(shadow, sizeof(shadow), "%s/shadow", model->bed.top);
	assert_int_equal(mkdir(shadow, 0700), 0);
	for (unsigned life = 0; life < 2; life++) {
		unsigned count =
		    1 + (unsigned)(bed_random(&model->random) % 40);

		assert_true(model_run(model, count, 0, false));
	}
	cut_power(model);
	shadow[0] = '\0';
	model->bed.spool = bed_second(&model->bed);
	assert_int_equal(
	    spool_list(model->bed.spool, &all, see, &seen, &err), 0);
	for (unsigned i = 0; i < MODEL_FILES; i++)
		if (model->files[i].exists && model->files[i].listed &&
		    model->files[i].state != SPOOL_SENT)
			assert_true(seen.listed[i]);
	assert_int_equal(
	    spool_adopt(model->bed.spool, &all, give, &seen, &err), 0);
	assert_int_equal(
	    spool_adopt(model->bed.spool, &all, give, &seen, &err), 0);
	spool_close(model->bed.spool);
	model->bed.spool = NULL;
	model_free(model);
	return seen.promised;
}

static void what_was_promised_survives_the_power(void **state)
{
	const char *seed_text =
	    getenv("BEARERFS_SEED"); // NOLINT(concurrency-mt-unsafe)
	const char *count_text =
	    getenv("BEARERFS_SEQUENCES"); // NOLINT(concurrency-mt-unsafe)
	uint64_t seed = seed_text == NULL ? (uint64_t)time(NULL)
	                                  : strtoull(seed_text, NULL, 10);
	uint64_t count =
	    count_text == NULL ? SEQUENCES : strtoull(count_text, NULL, 10);
	unsigned promised = 0;

	(void)state;
	print_message("BEARERFS_SEED=%llu\n", (unsigned long long)seed);
	for (uint64_t i = 0; i < count; i++)
		promised += fail_power(seed + i);
	print_message("%u promises held, %u files reused\n", promised, reused);
	assert_true(promised > 0);
	assert_true(reused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_promised_survives_the_power),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
