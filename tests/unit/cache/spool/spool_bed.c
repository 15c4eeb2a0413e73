/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/spool/spool_bed.c - see spool_bed.h. */
#include "tests/unit/cache/spool/spool_bed.h"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int remove_one(
    const char *path, const struct stat *about, int kind, struct FTW *where)
{
	(void)about;
	(void)where;
	/* A link, to /dev/null say, would lead it astray. */
	if (kind == FTW_DP || kind == FTW_DNR)
		(void)chmod(path, 0700);
	return remove(path);
}

void bed_remove(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct spool *bed_second(struct bed *bed)
{
	struct err err = ERR_INIT;
	struct spool *spool;
	struct spool_config config = {.clock = &bed->clock,
	    .dir = bed->dir,
	    .size_bytes = bed->size_bytes,
	    .boot = bed->boot};

	if (spool_open(&spool, &config, &err) < 0)
		fail_msg("%s", err.text);
	return spool;
}

void bed_init(struct bed *bed)
{
	*bed = (struct bed){.clock = {.hand_driven = 1, .wall_s = 1000},
	    .boot = {1},
	    .size_bytes = BED_SIZE};
	(void)snprintf(bed->top, sizeof(bed->top), "/dev/shm/spool-XXXXXX");
	assert_non_null(mkdtemp(bed->top));
	(void)snprintf(bed->dir, sizeof(bed->dir), "%s/state/spool", bed->top);
	bed->spool = bed_second(bed);
}

void bed_fini(struct bed *bed)
{
	spool_close(bed->spool);
	bed_remove(bed->top);
}

void bed_again(struct bed *bed)
{
	spool_close(bed->spool);
	bed->spool = bed_second(bed);
}

void bed_limit_open(unsigned most)
{
	static struct rlimit before;
	struct rlimit now;

	if (most > 0)
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	if (most > 0)
		now.rlim_cur = most;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
}

void bed_reboot(struct bed *bed)
{
	bed->boot[0]++;
	bed_again(bed);
}

struct spool_wish bed_wish(const char *path)
{
	return (struct spool_wish){.kind = SPOOL_FILE,
	    .uid = BED_UID,
	    .from = SPOOL_FROM_FILE,
	    .origin = BED_ORIGIN,
	    .path = path,
	    .credential = "/run/user/1000/bt_u1000",
	    .mode = 0644};
}

struct spool_wish bed_wish_base(const char *path, uint64_t base_bytes)
{
	struct spool_wish wish = bed_wish(path);

	wish.keep_base = true;
	wish.base = (struct spool_version){.exists = true,
	    .size_bytes = base_bytes,
	    .mtime_s = 77,
	    .etag = "\"abc\""};
	return wish;
}

static struct spool_entry *create(
    struct bed *bed, const struct spool_wish *wish)
{
	struct err err = ERR_INIT;
	struct spool_entry *entry;

	if (spool_create(bed->spool, wish, &entry, &err) < 0)
		fail_msg("%s", err.text);
	return entry;
}

struct spool_entry *bed_file(struct bed *bed, const char *path)
{
	struct spool_wish wish = bed_wish(path);

	return create(bed, &wish);
}

struct spool_entry *bed_file_base(
    struct bed *bed, const char *path, uint64_t base_bytes)
{
	struct spool_wish wish = bed_wish_base(path, base_bytes);

	return create(bed, &wish);
}

uint8_t bed_base_byte(uint64_t offset)
{
	return (uint8_t)('a' + offset % 26);
}

void bed_write(struct spool_entry *entry, uint64_t offset, const char *text)
{
	struct err err = ERR_INIT;

	if (spool_write(entry, text, strlen(text), offset, &err) < 0)
		fail_msg("%s", err.text);
}

uint8_t *bed_whole(const struct spool_entry *entry, size_t *size)
{
	struct err err = ERR_INIT;
	size_t at = 0;
	uint8_t *bytes;

	*size = (size_t)spool_attr(entry).size_bytes;
	bytes = malloc(*size + 1);
	assert_non_null(bytes);
	bytes[*size] = '\0';
	while (at < *size) {
		struct spool_piece piece = spool_map(entry, at);

		assert_true(piece.size_bytes > 0);
		assert_true(at + piece.size_bytes <= *size);
		assert_int_not_equal(piece.where, SPOOL_END);
		if (piece.where == SPOOL_HERE)
			assert_int_equal(
			    spool_read(entry, bytes + at, *size - at, at, &err),
			    piece.size_bytes);
		for (size_t i = 0;
		     piece.where == SPOOL_BASE && i < piece.size_bytes; i++)
			bytes[at + i] = bed_base_byte(at + i);
		at += (size_t)piece.size_bytes;
	}
	assert_int_equal(spool_map(entry, at).where, SPOOL_END);
	return bytes;
}

void bed_expect(const struct spool_entry *entry, const char *text)
{
	size_t size;
	uint8_t *bytes = bed_whole(entry, &size);

	assert_int_equal(size, strlen(text));
	assert_memory_equal(bytes, text, size);
	free(bytes);
}

struct count {
	enum spool_state state;
	bool any;
	unsigned count;
};

static int count_item(void *arg, const struct spool_item *item)
{
	struct count *count = arg;

	assert_int_equal(item->state, item->attr.state);
	count->count += count->any || item->state == count->state;
	return 0;
}

static const struct spool_filter all = {.any_uid = true};

unsigned bed_count(struct bed *bed, enum spool_state state)
{
	struct count count = {.state = state};
	struct err err = ERR_INIT;

	assert_int_equal(
	    spool_list(bed->spool, &all, count_item, &count, &err), 0);
	return count.count;
}

unsigned bed_count_all(struct bed *bed)
{
	struct count count = {.any = true};
	struct err err = ERR_INIT;

	assert_int_equal(
	    spool_list(bed->spool, &all, count_item, &count, &err), 0);
	return count.count;
}

struct wanted {
	const char *path;
	struct spool_item item;
	struct spool_entry *entry;
	unsigned count;
};

static int find_item(void *arg, const struct spool_item *item)
{
	struct wanted *wanted = arg;

	if (strcmp(item->text[SPOOL_PATH], wanted->path) != 0)
		return 0;
	wanted->item = *item;
	for (unsigned i = 0; i < SPOOL_TEXTS; i++)
		wanted->item.text[i] = strdup(item->text[i]);
	return 1;
}

struct spool_item bed_item(struct bed *bed, const char *path)
{
	struct wanted wanted = {.path = path};
	struct err err = ERR_INIT;

	assert_true(
	    spool_list(bed->spool, &all, find_item, &wanted, &err) >= 0);
	return wanted.item;
}

static int keep_one(void *arg, struct spool_entry *entry)
{
	struct wanted *wanted = arg;
	struct spool_item item;

	assert_int_equal(spool_item_of(entry, &item), 0);
	assert_int_equal(item.state, SPOOL_CLOSED);
	wanted->count++;
	if (wanted->path != NULL &&
	    strcmp(item.text[SPOOL_PATH], wanted->path) == 0)
		wanted->entry = entry;
	else
		spool_release(entry);
	spool_item_fini(&item);
	return 0;
}

static void adopt(struct bed *bed, struct wanted *wanted)
{
	struct err err = ERR_INIT;

	if (spool_adopt(bed->spool, &all, keep_one, wanted, &err) != 0)
		fail_msg("%s", err.text);
}

unsigned bed_adopt(struct bed *bed)
{
	struct wanted wanted = {.path = NULL};

	adopt(bed, &wanted);
	return wanted.count;
}

struct spool_entry *bed_take(struct bed *bed, const char *path)
{
	struct wanted wanted = {.path = path};

	adopt(bed, &wanted);
	return wanted.entry;
}

static unsigned look(const struct bed *bed, const char *ending, char out[512])
{
	char path[200];
	struct dirent *found;
	unsigned count = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/v1", bed->dir);
	dir = opendir(path);
	assert_non_null(dir);
	while (
	    (found = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe)
		size_t length = strlen(found->d_name);
		size_t wanted = strlen(ending);

		if (length < wanted ||
		    strcmp(found->d_name + length - wanted, ending) != 0)
			continue;
		count++;
		if (out != NULL)
			(void)snprintf(
			    out, 512, "%s/%.255s", path, found->d_name);
	}
	(void)closedir(dir);
	return count;
}

unsigned bed_files(const struct bed *bed, const char *ending)
{
	return look(bed, ending, NULL);
}

void bed_path(const struct bed *bed, const char *ending, char out[512])
{
	assert_int_equal(look(bed, ending, out), 1);
}

uint64_t bed_random(uint64_t *state)
{
	/* splitmix64 */
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}
