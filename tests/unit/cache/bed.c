/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/bed.c - see bed.h. */
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct cache_limits plain = {
    .pool_blocks = 256,
    .meta_bytes = 1024 * 1024,
    .idle_objects = 4,
    /* A whole file of the tests may wait for a slow disk. */
    .writer_blocks = 160,
};

static int may(void *arg, const struct ident *ident, const char *path,
    enum cache_want want, bool *ask)
{
	struct bed *bed = arg;
	int code =
	    bed->judge != NULL ? bed->judge(bed, ident, path, want) : bed->door;

	*ask = code == -EACCES || code == -EKEYREJECTED || code == -EAGAIN;
	if (code == BED_NEVER)
		code = -EACCES;
	return code;
}

static int ended(void *arg, const struct ident *ident, const char *path,
    enum cache_want want, bool *ask)
{
	struct bed *bed = arg;

	(void)ident;
	(void)path;
	(void)want;
	*ask = bed->ended == -EACCES;
	return bed->ended;
}

static void await(void *arg, const struct ident *ident, const char *path,
    uint64_t deadline_ms, void (*answer)(void *answer_arg, int code),
    void *answer_arg)
{
	struct bed *bed = arg;

	(void)ident;
	(void)path;
	(void)deadline_ms;
	assert_true(bed->await_count < 16);
	bed->await[bed->await_count++] =
	    (struct bed_await){.answer = answer, .arg = answer_arg};
}

static unsigned reach(void *arg, const struct ident *ident, const char *path,
    void (*name)(void *name_arg, const char *name), void *name_arg)
{
	struct bed *bed = arg;

	(void)path;
	if (bed->reach_tgid != 0 && bed->reach_tgid != ident->tgid)
		return 0;
	for (unsigned i = 0; i < bed->reach_count && name != NULL; i++)
		name(name_arg, bed->reach[i]);
	return bed->reach_count;
}

static void refused(void *arg, const struct ident *ident, const char *path,
    enum cache_want want, int code)
{
	struct bed *bed = arg;

	bed->refused =
	    (struct bed_refusal){.uid = ident->uid, .want = want, .code = code};
	(void)snprintf(
	    bed->refused.path, sizeof(bed->refused.path), "%s", path);
	bed->refused_count++;
}

static int start(struct bed *bed, const struct cache_limits *limits,
    const char *dir, bool immutable)
{
	struct err err = ERR_INIT;
	const struct cache_config config = {
	    .clock = &bed->clock,
	    .origin = "https://origin.example",
	    .source_path = "/src",
	    .dir = dir,
	    .size_bytes = 64 * 1024 * 1024,
	    .attr_ttl_ms = BED_ATTR_TTL_MS,
	    .negative_ttl_ms = 5000,
	    .timeout_ms = BED_TIMEOUT_MS,
	    .reads_waiting_max = 8,
	    .immutable = immutable,
	    .shared = bed->shared,
	    .offline = bed->offline,
	    .may = may,
	    .ended = ended,
	    .await = await,
	    .reach = reach,
	    .refused = refused,
	    .arg = bed,
	};

	bed->clock.hand_driven = 1;
	if (atomic_load(&bed->clock.monotonic_ms) == 0)
		atomic_store(&bed->clock.monotonic_ms, 1000000);
	atomic_store(&bed->clock.wall_s, 1000000);
	fake_reset();
	return cache_new_limited(
	    &bed->cache, &config, limits != NULL ? limits : &plain, &err);
}

int bed_try_start(struct bed *bed)
{
	return start(bed, NULL, NULL, false);
}

void bed_start_as(struct bed *bed, const struct cache_limits *limits, bool disk,
    bool immutable)
{
	if (disk && bed->dir[0] == '\0') {
		(void)strcpy(bed->dir, "/tmp/bearerfs-unit-XXXXXX");
		assert_non_null(mkdtemp(bed->dir));
	}
	assert_int_equal(
	    start(bed, limits, disk ? bed->dir : NULL, immutable), 0);
}

void bed_start(struct bed *bed, const struct cache_limits *limits, bool disk)
{
	bed_start_as(bed, limits, disk, false);
}

void bed_end(struct bed *bed)
{
	fake_stop();
	cache_stop(bed->cache);
	cache_free(bed->cache);
	bed->cache = NULL;
	/* Whoever waited for a token has been answered; a late answer must
	 * touch nothing. */
	for (unsigned i = 0; i < bed->await_count; i++)
		if (!bed->await[i].done)
			bed->await[i].answer(bed->await[i].arg, -ECANCELED);
}

static int remove_one(
    const char *path, const struct stat *stat, int kind, struct FTW *place)
{
	(void)stat;
	(void)kind;
	(void)place;
	return remove(path);
}

void bed_wipe(struct bed *bed)
{
	if (bed->dir[0] != '\0')
		(void)nftw(bed->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	bed->dir[0] = '\0';
}

void bed_pass(struct bed *bed, uint64_t ms)
{
	(void)atomic_fetch_add(&bed->clock.monotonic_ms, ms);
	(void)atomic_fetch_add(&bed->clock.wall_s, ms / 1000);
	cache_tick(bed->cache);
}

static void opened(
    void *arg, int code, struct cache_file *file, const struct cache_attr *attr)
{
	struct bed_answer *answer = arg;

	answer->code = code;
	answer->file = file;
	if (code == 0)
		answer->attr = *attr;
	(void)atomic_fetch_add(&answer->count, 1);
}

struct cache_file *bed_open(struct bed *bed, const char *path,
    uint64_t size_bytes, int64_t mtime_s, const char *etag)
{
	struct bed_answer answer = {0};
	struct fetch_stat stat = fake_file(size_bytes, mtime_s, etag);
	unsigned before = fake.stat_count;

	cache_open(bed->cache, &bed->ident, path, opened, &answer);
	if (fake.stat_count > before)
		fake_answer_stat(before, 0, &stat);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.attr.size_bytes, size_bytes);
	return answer.file;
}

struct cache_file *bed_try_open(
    struct bed *bed, const char *path, uint64_t size_bytes)
{
	static struct bed_answer answer;
	struct fetch_stat stat = fake_file(size_bytes, 1000, "\"x\"");
	unsigned before = fake.stat_count;

	answer = (struct bed_answer){0};
	cache_open(bed->cache, &bed->ident, path, opened, &answer);
	if (fake.stat_count > before)
		fake_answer_stat(before, 0, &stat);
	assert_int_equal(answer.count, 1);
	if (answer.code != -ENOMEM)
		assert_int_equal(answer.code, 0);
	return answer.file;
}

int bed_open_code(struct bed *bed, const char *path)
{
	struct bed_answer answer = {0};

	cache_open(bed->cache, &bed->ident, path, opened, &answer);
	assert_int_equal(answer.count, 1);
	assert_null(answer.file);
	return answer.code;
}

static void has_read(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	struct bed_answer *answer = arg;
	uint64_t offset = answer->offset_bytes;

	answer->code = code;
	answer->size_bytes = 0;
	for (int i = 0; i < vector_count; i++) {
		const unsigned char *bytes = vectors[i].iov_base;

		for (size_t k = 0; k < vectors[i].iov_len; k++)
			if (bytes[k] != fake_byte(answer->content, offset + k))
				answer->code = -EBADMSG;
		offset += vectors[i].iov_len;
		answer->size_bytes += vectors[i].iov_len;
	}
	(void)atomic_fetch_add(&answer->count, 1);
}

void bed_read(struct bed *bed, struct cache_file *file, uint64_t offset_bytes,
    size_t size_bytes, struct bed_answer *answer)
{
	*answer = (struct bed_answer){
	    .offset_bytes = offset_bytes, .content = fake.content};
	cache_read(
	    file, &bed->ident, offset_bytes, size_bytes, has_read, answer);
}

static void looked(void *arg, int code, const struct cache_attr *attr)
{
	struct bed_answer *answer = arg;

	answer->code = code;
	if (attr != NULL)
		answer->attr = *attr;
	(void)atomic_fetch_add(&answer->count, 1);
}

void bed_lookup(struct bed *bed, const char *path, struct bed_answer *answer)
{
	*answer = (struct bed_answer){0};
	cache_lookup(bed->cache, &bed->ident, path, looked, answer);
}

static void listed(void *arg, int code, struct cache_listing *listing)
{
	struct bed_answer *answer = arg;

	answer->code = code;
	answer->listing = listing;
	(void)atomic_fetch_add(&answer->count, 1);
}

void bed_list(struct bed *bed, const char *path, struct bed_answer *answer)
{
	*answer = (struct bed_answer){0};
	cache_list(bed->cache, &bed->ident, path, listed, answer);
}

/* Longer than any machine takes that is not broken. */
enum { PATIENCE_MS = 60000 };

void bed_wait(const struct bed_answer *answer)
{
	for (unsigned i = 0; i < PATIENCE_MS; i++) {
		if (atomic_load(&answer->count) > 0)
			return;
		(void)usleep(1000);
	}
	fail_msg("no answer came");
}

void bed_wait_ranges(unsigned count)
{
	for (unsigned i = 0; i < PATIENCE_MS; i++) {
		if (fake_ranges() >= count)
			return;
		(void)usleep(1000);
	}
	fail_msg("only %u ranges were asked for", fake_ranges());
}
