/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/fake_fetch.c - see fake_fetch.h. */
#include "tests/unit/cache/fake_fetch.h"

#include "base/err.h"

/* A test that answers what nobody has asked is wrong in every build. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct fake fake;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void fake_reset(void)
{
	(void)pthread_mutex_lock(&mutex);
	(void)memset(&fake, 0, sizeof(fake));
	fake.validates = true;
	fake.quota.available_bytes = -1;
	fake.quota.used_bytes = -1;
	fake.digests = FETCH_DIGESTS_NONE;
	(void)pthread_mutex_unlock(&mutex);
}

unsigned fake_ranges(void)
{
	unsigned count;

	(void)pthread_mutex_lock(&mutex);
	count = fake.range_count;
	(void)pthread_mutex_unlock(&mutex);
	return count;
}

unsigned fake_digests(void)
{
	unsigned count;

	(void)pthread_mutex_lock(&mutex);
	count = fake.digest_count;
	(void)pthread_mutex_unlock(&mutex);
	return count;
}

unsigned fake_stats(void)
{
	unsigned count;

	(void)pthread_mutex_lock(&mutex);
	count = fake.stat_count;
	(void)pthread_mutex_unlock(&mutex);
	return count;
}

unsigned char fake_byte(uint64_t content, uint64_t offset_bytes)
{
	uint64_t mixed =
	    (offset_bytes / 8 + content * 977) * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned char)(mixed >> (offset_bytes % 8 * 8));
}

void fake_from(unsigned i, unsigned server)
{
	fake.range[i].sink.from(fake.range[i].sink.arg, server);
}

int fake_begin(unsigned i, const char *etag)
{
	return fake.range[i].sink.begin(fake.range[i].sink.arg, etag);
}

void fake_send(unsigned i, uint64_t size_bytes)
{
	struct fake_range *range = &fake.range[i];

	while (size_bytes > 0) {
		unsigned char piece[16384];
		size_t part =
		    size_bytes < sizeof(piece) ? size_bytes : sizeof(piece);
		uint64_t offset = range->offset_bytes + range->sent_bytes;

		assert(range->sent_bytes + part <= range->length_bytes);
		for (size_t k = 0; k < part; k++)
			piece[k] = fake_byte(fake.content, offset + k);
		range->sent_bytes += part;
		size_bytes -= part;
		range->sink.write(range->sink.arg, offset, piece, part);
	}
}

void fake_done(unsigned i, int code)
{
	struct err err = ERR_INIT;

	assert(i < fake_ranges() && !fake.range[i].done);
	fake.range[i].done = true;
	fake.range[i].sink.done(fake.range[i].sink.arg, code, &err);
}

void fake_finish(unsigned i, const char *etag)
{
	struct fake_range *range = &fake.range[i];
	int code = fake_begin(i, etag);

	if (code == 0)
		fake_send(i, range->length_bytes - range->sent_bytes);
	fake_done(i, code);
}

void fake_finish_all(const char *etag)
{
	for (unsigned i = 0; i < fake_ranges(); i++)
		if (!fake.range[i].done)
			fake_finish(i, etag);
}

void fake_answer_stat(unsigned i, int code, const struct fetch_stat *stat)
{
	struct err err = ERR_INIT;

	assert(i < fake_stats() && !fake.stat[i].done);
	fake.stat[i].done = true;
	fake.stat[i].answer(fake.stat[i].arg, code, stat, &err);
}

void fake_answer_bare(unsigned i, int code)
{
	struct err err = ERR_INIT;

	assert(i < fake.bare_count && !fake.bare[i].done);
	fake.bare[i].done = true;
	fake.bare[i].answer(fake.bare[i].arg, code, NULL, &err);
}

void fake_answer_digest(unsigned i, int code, const struct fetch_digest *digest)
{
	assert(i < fake_digests() && !fake.digest[i].done);
	fake.digest[i].done = true;
	fake.digest[i].answer(fake.digest[i].arg, code, digest);
}

struct fetch_digest fake_sum(
    enum fetch_algorithm algorithm, uint64_t content, uint64_t size_bytes)
{
	struct fetch_sum *sum = fetch_sum_new(algorithm);
	struct fetch_digest digest;

	assert(sum != NULL);
	for (uint64_t at = 0; at < size_bytes; at++) {
		unsigned char byte = fake_byte(content, at);

		fetch_sum_add(sum, &byte, 1);
	}
	fetch_sum_end(sum, &digest);
	fetch_sum_free(sum);
	return digest;
}

struct fetch_stat fake_file(
    uint64_t size_bytes, int64_t mtime_s, const char *etag)
{
	struct fetch_stat stat = {
	    .kind = FETCH_FILE,
	    .exact = true,
	    .version = {.size_bytes = size_bytes, .mtime_s = mtime_s},
	};

	(void)snprintf(
	    stat.version.etag, sizeof(stat.version.etag), "%s", etag);
	return stat;
}

void fake_stop(void)
{
	struct err err = ERR_INIT;
	unsigned ranges;
	unsigned stats;
	unsigned digests;

	/* What is asked from here on is answered by who asks it. */
	(void)pthread_mutex_lock(&mutex);
	fake.stopped = true;
	ranges = fake.range_count;
	stats = fake.stat_count;
	digests = fake.digest_count;
	(void)pthread_mutex_unlock(&mutex);
	for (unsigned i = 0; i < ranges; i++)
		if (!fake.range[i].done)
			fake_done(i, -ECANCELED);
	for (unsigned i = 0; i < stats; i++)
		if (!fake.stat[i].done)
			fake_answer_stat(i, -ECANCELED, NULL);
	for (unsigned i = 0; i < digests; i++)
		if (!fake.digest[i].done)
			fake_answer_digest(i, -ECANCELED, NULL);
	for (unsigned i = 0; i < fake.bare_count; i++)
		if (!fake.bare[i].done)
			fake_answer_bare(i, -ECANCELED);
	for (unsigned i = 0; i < fake.list_count; i++) {
		if (fake.list[i].done)
			continue;
		fake.list[i].done = true;
		fake.list[i].lister.done(
		    fake.list[i].lister.arg, -ECANCELED, &err);
	}
}

/* ----------------------------------------------------------- fetch.h */

bool fetch_version_equal(
    const struct fetch_version *a, const struct fetch_version *b)
{
	return a->size_bytes == b->size_bytes && a->mtime_s == b->mtime_s &&
	    strcmp(a->etag, b->etag) == 0;
}

void fetch_stat(struct fetch *fetch, const struct ident *ident,
    const char *path, uint64_t deadline_ms, fetch_stat_fn answer, void *arg)
{
	struct fake_stat *stat;
	unsigned number;
	bool stopped;

	(void)fetch;
	(void)deadline_ms;
	(void)pthread_mutex_lock(&mutex);
	assert(fake.stat_count < FAKE_LISTS_MAX);
	number = fake.stat_count++;
	stat = &fake.stat[number];
	(void)snprintf(stat->path, sizeof(stat->path), "%s", path);
	stat->ident = *ident;
	stat->answer = answer;
	stat->arg = arg;
	stopped = fake.stopped;
	(void)pthread_mutex_unlock(&mutex);
	if (stopped)
		fake_answer_stat(number, -ECANCELED, NULL);
}

void fetch_stat_bare(struct fetch *fetch, const char *path,
    uint64_t deadline_ms, fetch_stat_fn answer, void *arg)
{
	struct fake_bare *bare;

	(void)fetch;
	(void)deadline_ms;
	assert(fake.bare_count < 64);
	bare = &fake.bare[fake.bare_count++];
	(void)snprintf(bare->path, sizeof(bare->path), "%s", path);
	bare->answer = answer;
	bare->arg = arg;
	if (fake.stopped)
		fake_answer_bare(fake.bare_count - 1, -ECANCELED);
}

void fetch_blame(struct fetch *fetch, const struct ident *ident,
    const char *path, unsigned servers)
{
	(void)fetch;
	(void)ident;
	(void)path;
	(void)atomic_fetch_or(&fake.blamed, servers);
}

enum fetch_digests fetch_digests(
    struct fetch *fetch, enum fetch_algorithm *algorithm)
{
	enum fetch_digests digests = (enum fetch_digests)fake.digests;

	(void)fetch;
	if (digests == FETCH_DIGESTS_TOLD)
		*algorithm = (enum fetch_algorithm)fake.algorithm;
	return digests;
}

bool fetch_digests_apart(struct fetch *fetch)
{
	(void)fetch;
	return fake.apart;
}

void fetch_digest(struct fetch *fetch, const struct fetch_digest_ask *ask,
    fetch_digest_fn answer, void *arg)
{
	struct fake_digest *digest;
	unsigned number;
	bool stopped;

	(void)fetch;
	(void)pthread_mutex_lock(&mutex);
	assert(fake.digest_count < 64);
	number = fake.digest_count++;
	digest = &fake.digest[number];
	(void)snprintf(digest->path, sizeof(digest->path), "%s", ask->path);
	digest->answer = answer;
	digest->arg = arg;
	stopped = fake.stopped;
	(void)pthread_mutex_unlock(&mutex);
	if (stopped)
		fake_answer_digest(number, -ECANCELED, NULL);
}

bool fetch_unreachable(struct fetch *fetch, struct fetch_reach *out)
{
	(void)fetch;
	*out = fake.reach;
	return fake.lost;
}

/* Numbers of listings, apart from those of ranges. */
enum { LISTS = 1000000 };

uint64_t fetch_list(struct fetch *fetch, const struct ident *ident,
    const char *path, bool demand, const struct fetch_lister *lister)
{
	struct fake_list *list;
	unsigned number;

	(void)fetch;
	(void)pthread_mutex_lock(&mutex);
	assert(fake.list_count < FAKE_LISTS_MAX);
	number = fake.list_count++;
	list = &fake.list[number];
	list->demand = demand;
	(void)snprintf(list->path, sizeof(list->path), "%s", path);
	list->ident = *ident;
	list->lister = *lister;
	(void)pthread_mutex_unlock(&mutex);
	return LISTS + number;
}

void fetch_hurry(struct fetch *fetch, uint64_t number, uid_t uid)
{
	(void)fetch;
	(void)pthread_mutex_lock(&mutex);
	if (number >= LISTS)
		fake.list[number - LISTS].hurried = true;
	else
		fake.range[number - 1].hurried = true;
	fake.hurried_by = uid;
	(void)pthread_mutex_unlock(&mutex);
}

uint64_t fetch_range(struct fetch *fetch, const struct fetch_range *wanted,
    const struct fetch_sink *sink)
{
	struct fake_range *range;
	unsigned number;
	bool stopped;

	(void)fetch;
	(void)pthread_mutex_lock(&mutex);
	assert(fake.range_count < FAKE_MAX);
	number = ++fake.range_count;
	range = &fake.range[number - 1];
	(void)snprintf(range->path, sizeof(range->path), "%s", wanted->path);
	range->ident = *wanted->ident;
	range->offset_bytes = wanted->offset_bytes;
	range->length_bytes = wanted->length_bytes;
	range->version = *wanted->version;
	range->demand = wanted->demand;
	range->digest = wanted->digest;
	range->only = wanted->only;
	range->sink = *sink;
	if (wanted->pin_etag != NULL)
		(void)snprintf(
		    range->pin, sizeof(range->pin), "%s", wanted->pin_etag);
	assert(range->length_bytes > 0);
	assert(range->offset_bytes + range->length_bytes <=
	    range->version.size_bytes);
	stopped = fake.stopped;
	(void)pthread_mutex_unlock(&mutex);
	if (stopped)
		fake_done(number - 1, -ECANCELED);
	return number;
}

void fetch_cancel(struct fetch *fetch, uint64_t number)
{
	(void)fetch;
	(void)pthread_mutex_lock(&mutex);
	fake.range[number - 1].cancelled = true;
	(void)pthread_mutex_unlock(&mutex);
}

void fetch_quota(struct fetch *fetch, const struct ident *ident,
    fetch_quota_fn answer, void *arg)
{
	(void)fetch;
	(void)ident;
	fake.quota_count++;
	answer(arg, 0, &fake.quota);
}

bool fetch_validates_bytes(struct fetch *fetch)
{
	(void)fetch;
	return fake.validates;
}

uint64_t fetch_silent_ms(struct fetch *fetch)
{
	(void)fetch;
	return fake.silent_ms;
}
