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
#include <pthread.h>
#include <stdatomic.h>

#include <curl/curl.h>

#include "pattern.h"
#include "tool.h"

enum { WRITERS_MAX = 64, URL_BYTES = 4096 };

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

static void set(CURLcode code)
{
	if (code != CURLE_OK)
		die("curl: %s", curl_easy_strerror(code));
}

static CURL *connection(struct body *body)
{
	const char *token = getenv("BEARER_TOKEN");
	struct curl_slist *headers = NULL;
	CURL *easy = curl_easy_init();
	char line[8192];

	if (easy == NULL || token == NULL)
		die("curl_put: no memory, or no BEARER_TOKEN");
	(void)snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
	headers = curl_slist_append(headers, line);
	/* Libcurl asks before each PUT whether it may, which costs a round
	 * trip. */
	headers = curl_slist_append(headers, "Expect:");
	set(curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers));
	set(curl_easy_setopt(
	    easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1));
	set(curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("CURL_CA_BUNDLE")));
	set(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
	set(curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L));
	set(curl_easy_setopt(
	    easy, CURLOPT_UPLOAD_BUFFERSIZE, 2 * 1024 * 1024L));
	set(curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read));
	set(curl_easy_setopt(easy, CURLOPT_READDATA, body));
	set(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer));
	return easy; /* its headers live as long as the program */
}

static void *writer(void *arg)
{
	struct job *job = arg;
	struct body body;
	CURL *easy = connection(&body);

	set(curl_easy_setopt(
	    easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->size_bytes));
	for (uint64_t nth; (nth = job->next++) < job->count;) {
		char url[URL_BYTES];
		long status = 0;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		/* The format is the caller's own argument. */
		(void)snprintf(
		    url, sizeof(url), job->url, (unsigned long long)nth);
#pragma GCC diagnostic pop
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
	pthread_t threads[WRITERS_MAX];
	double begun;

	if (job.url == NULL || writers == 0 || writers > WRITERS_MAX)
		die("curl_put url=U/f%%llu and writers=1..%d", WRITERS_MAX);
	set(curl_global_init(CURL_GLOBAL_DEFAULT));
	begun = now_s();
	for (uint64_t i = 0; i < writers; i++) {
		if (pthread_create(&threads[i], NULL, writer, &job) != 0)
			die("cannot make a thread");
	}
	for (uint64_t i = 0; i < writers; i++)
		(void)pthread_join(threads[i], NULL);
	(void)printf("{\"seconds\": %.9f, \"bytes\": %llu, \"ops\": %llu}\n",
	    now_s() - begun, (unsigned long long)job.bytes,
	    (unsigned long long)job.count);
	return 0;
}
