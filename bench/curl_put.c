/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/curl_put.c - the limit of writing over the network: libcurl with
 * connections that are kept, one PUT for each file and nothing else.
 *
 *   curl_put url=U/f%llu seed=S count=N writers=N size=N
 *
 * Token in BEARER_TOKEN, authority in CURL_CA_BUNDLE. Each writer has one
 * connection, HTTP/1.1. The server must say that it made the file. What it
 * has then is for the caller to compare. Output as reader's.
 */
#include <stdatomic.h>

#include "curl_tool.h"
#include "pattern.h"

struct job {
	const char *url;
	uint64_t seed;
	uint64_t count;
	uint64_t size_bytes;
	_Atomic uint64_t next;
	_Atomic uint64_t bytes;
};

/* One body as it goes. */
struct body {
	uint64_t seed;
	uint64_t size_bytes;
	uint64_t sent_bytes;
};

static size_t on_read(char *out, size_t one, size_t room, void *arg)
{
	struct body *body = arg;
	size_t done = 0;

	room *= one;
	while (done < room && body->sent_bytes < body->size_bytes) {
		uint64_t page[PATTERN_PAGE_WORDS];
		uint64_t within = body->sent_bytes % PATTERN_PAGE_BYTES;
		uint64_t n = PATTERN_PAGE_BYTES - within;

		if (n > body->size_bytes - body->sent_bytes)
			n = body->size_bytes - body->sent_bytes;
		if (n > room - done)
			n = room - done;
		pattern_page(
		    page, body->seed, body->sent_bytes / PATTERN_PAGE_BYTES);
		(void)memcpy(
		    out + done, (const unsigned char *)page + within, n);
		done += n;
		body->sent_bytes += n;
	}
	return done;
}

static size_t on_answer(char *bytes, size_t one, size_t size_bytes, void *arg)
{
	(void)bytes;
	(void)one;
	(void)arg;
	return size_bytes;
}

static void *writer(void *arg)
{
	struct job *job = arg;
	struct body body;
	/* Libcurl asks before each PUT whether it may, which costs a round
	 * trip. */
	CURL *easy = connection("Expect:");

	set(curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L));
	set(curl_easy_setopt(
	    easy, CURLOPT_UPLOAD_BUFFERSIZE, 2 * 1024 * 1024L));
	set(curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read));
	set(curl_easy_setopt(easy, CURLOPT_READDATA, &body));
	set(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer));
	set(curl_easy_setopt(
	    easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->size_bytes));
	for (uint64_t nth; (nth = job->next++) < job->count;) {
		char url[NAME_BYTES];
		long status = 0;

		name_of(url, job->url, nth, 0);
		body = (struct body){
		    .seed = job->seed + nth, .size_bytes = job->size_bytes};
		set(curl_easy_setopt(easy, CURLOPT_URL, url));
		set(curl_easy_perform(easy));
		set(curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status));
		if (status != 201)
			die("%s: status %ld", url, status);
		job->bytes += job->size_bytes;
	}
	curl_easy_cleanup(easy);
	return NULL;
}

int main(int argc, char **argv)
{
	struct job job = {
	    .url = option(argc, argv, "url", NULL),
	    .seed = number(argc, argv, "seed", 0),
	    .count = number(argc, argv, "count", 1),
	    .size_bytes = number(argc, argv, "size", 0),
	};
	uint64_t writers = number(argc, argv, "writers", 1);
	double begun;

	if (job.url == NULL)
		die("curl_put url=U/f%%llu writers=N ...");
	set(curl_global_init(CURL_GLOBAL_DEFAULT));
	begun = now_s();
	run_workers("writers", writers, writer, &job);
	print_result(begun, job.bytes, job.count);
	return 0;
}
