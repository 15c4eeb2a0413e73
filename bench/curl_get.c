/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/curl_get.c - the limit over the network: libcurl with connections
 * that are kept, doing what a row's reader asks for and nothing else.
 *
 *   curl_get random url=U seed=S size=N block=N count=N readers=N rng=S
 *            [seconds=N]
 *   curl_get seq    url=U seed=S size=N readers=N chunk=N   parallel ranges
 *   curl_get files  url=U/d%llu/f%llu seed=S size=N count=N readers=N
 *   curl_get list   url=U/d%llu count=N readers=N   PROPFIND, Depth 1
 *
 * Token in BEARER_TOKEN, authority in CURL_CA_BUNDLE. Each reader has one
 * connection, HTTP/1.1. Every body is checked for status, length and bytes.
 * Output as reader's.
 */
#include <stdatomic.h>

#include "curl_tool.h"
#include "pattern.h"

enum mode { RANDOM, SEQUENTIAL, FILES, LIST };

struct job {
	enum mode mode;
	const char *url;
	uint64_t seed;
	uint64_t size_bytes;
	uint64_t block_bytes;
	uint64_t count;
	uint64_t readers;
	uint64_t rng;
	double until;
	_Atomic uint64_t next;
	_Atomic uint64_t ops;
	_Atomic uint64_t bytes;
};

/* One answer as it comes. */
struct answer {
	bool check;
	uint64_t seed;
	uint64_t offset;
	uint64_t got_bytes;
};

static size_t on_body(char *bytes, size_t one, size_t size_bytes, void *arg)
{
	struct answer *answer = arg;

	(void)one;
	if (answer->check &&
	    !pattern_ok((const unsigned char *)bytes, size_bytes, answer->seed,
	        answer->offset + answer->got_bytes))
		die("WRONG BYTES at %llu",
		    (unsigned long long)(answer->offset + answer->got_bytes));
	answer->got_bytes += size_bytes;
	return size_bytes;
}

static void perform(
    CURL *easy, const struct answer *answer, long wanted, uint64_t wanted_bytes)
{
	long status = 0;

	set(curl_easy_perform(easy));
	set(curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status));
	if (status != wanted)
		die("status %ld", status);
	if (answer->check && answer->got_bytes != wanted_bytes)
		die("%llu bytes, not %llu",
		    (unsigned long long)answer->got_bytes,
		    (unsigned long long)wanted_bytes);
}

static void get_range(struct job *job, CURL *easy, struct answer *answer,
    uint64_t offset, uint64_t size_bytes)
{
	char range[64];

	(void)snprintf(range, sizeof(range), "%llu-%llu",
	    (unsigned long long)offset,
	    (unsigned long long)(offset + size_bytes - 1));
	set(curl_easy_setopt(easy, CURLOPT_URL, job->url));
	set(curl_easy_setopt(easy, CURLOPT_RANGE, range));
	*answer = (struct answer){true, job->seed, offset, 0};
	perform(easy, answer, 206, size_bytes);
}

/* The nth file or directory; `files` hold 100 a directory. */
static void get_nth(
    struct job *job, CURL *easy, struct answer *answer, uint64_t nth)
{
	bool list = job->mode == LIST;
	char url[NAME_BYTES];

	name_of(url, job->url, list ? nth : nth / 100, nth);
	set(curl_easy_setopt(easy, CURLOPT_URL, url));
	*answer = (struct answer){!list, job->seed + nth, 0, 0};
	perform(easy, answer, list ? 207 : 200, job->size_bytes);
}

static void get_one(
    struct job *job, CURL *easy, struct answer *answer, uint64_t nth)
{
	uint64_t blocks = job->size_bytes / job->block_bytes;
	uint64_t offset = nth * job->block_bytes;
	uint64_t n = job->block_bytes;

	if (job->mode == FILES || job->mode == LIST) {
		get_nth(job, easy, answer, nth);
		return;
	}
	if (job->mode == RANDOM)
		offset = pattern_mix(job->rng + nth) % blocks * n;
	else if (offset + n > job->size_bytes)
		n = job->size_bytes - offset;
	get_range(job, easy, answer, offset, n);
}

static void *reader(void *arg)
{
	struct job *job = arg;
	struct answer answer;
	CURL *easy = connection(job->mode == LIST ? "Depth: 1" : NULL);

	set(curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 512 * 1024L));
	set(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body));
	set(curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer));
	if (job->mode == LIST)
		set(curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PROPFIND"));
	while (job->until <= 0 || now_s() < job->until) {
		uint64_t nth = job->next++;

		if (nth >= job->count)
			break;
		get_one(job, easy, &answer, nth);
		job->ops++;
		job->bytes += answer.got_bytes;
	}
	curl_easy_cleanup(easy);
	return NULL;
}

static enum mode mode_of(const char *word)
{
	static const char *const words[] = {"random", "seq", "files", "list"};

	for (int i = 0; i < 4; i++) {
		if (strcmp(word, words[i]) == 0)
			return (enum mode)i;
	}
	die("curl_get random|seq|files|list url=U ...");
}

int main(int argc, char **argv)
{
	struct job job = {
	    .mode = mode_of(argc > 1 ? argv[1] : ""),
	    .url = option(argc, argv, "url", NULL),
	    .seed = number(argc, argv, "seed", 0),
	    .size_bytes = number(argc, argv, "size", 0),
	    .block_bytes = number(argc, argv, "block", 1 << 20),
	    .count = number(argc, argv, "count", 0),
	    .readers = number(argc, argv, "readers", 1),
	    .rng = number(argc, argv, "rng", 1),
	};
	uint64_t seconds = number(argc, argv, "seconds", 0);
	double begun;

	if (job.url == NULL)
		die("curl_get: url=U ...");
	set(curl_global_init(CURL_GLOBAL_DEFAULT));
	if (job.mode == SEQUENTIAL)
		job.count =
		    (job.size_bytes + job.block_bytes - 1) / job.block_bytes;
	begun = now_s();
	if (seconds > 0)
		job.until = begun + (double)seconds;
	run_workers("readers", job.readers, reader, &job);
	print_result(begun, job.bytes, job.ops);
	return 0;
}
