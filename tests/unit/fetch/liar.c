/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/fetch/liar.c - see liar.h. */
#include "tests/unit/fetch/liar.h"

#include "base/attr.h"
#include "fetch/fetch.h"
#include "tests/unit/fetch/rig.h"

#include <assert.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MTIME_TEXT "Tue, 14 Nov 2023 22:13:20 GMT"
#define GENUINE    "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"

static const char genuine[] =
    GENUINE "Last-Modified: " MTIME_TEXT "\r\nETag: \"one\"\r\n";

static void say_bytes(struct server_peer *peer, uint64_t first, uint64_t last)
{
	size_t size_bytes = (size_t)(last - first + 1);
	uint8_t *bytes = malloc(size_bytes);

	assert(bytes != NULL);
	for (size_t i = 0; i < size_bytes; i++)
		bytes[i] = rig_byte(first + i);
	server_send(peer, bytes, size_bytes);
	free(bytes);
}

static void say_part(
    struct server_peer *peer, const char *more, uint64_t first, uint64_t last)
{
	server_say(peer,
	    "HTTP/1.1 206 Partial Content\r\nContent-Length: %" PRIu64
	    "\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64 "/%d\r\n%s\r\n",
	    last - first + 1, first, last, (int)LIAR_FILE_BYTES, more);
}

static bool say_propfind(const struct liar *liar, struct server_peer *peer)
{
	char body[1024];
	bool changed = atomic_load(&liar->changed) > 0;
	int size = snprintf(body, sizeof(body),
	    "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">"
	    "<D:response><D:href>/f</D:href><D:propstat><D:prop>"
	    "<D:resourcetype/><D:getcontentlength>%d</D:getcontentlength>"
	    "<D:getlastmodified>%s</D:getlastmodified></D:prop>"
	    "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
	    "</D:multistatus>",
	    LIAR_FILE_BYTES + (changed ? 1 : 0), MTIME_TEXT);

	server_say(peer,
	    "HTTP/1.1 207 Multi-Status\r\nContent-Type: text/xml\r\n"
	    "Content-Length: %d\r\n\r\n%s",
	    size, body);
	return true;
}

static bool say_status(
    struct server_peer *peer, const char *status, const char *more)
{
	server_say(peer,
	    "HTTP/1.1 %s\r\n" GENUINE "Content-Length: 3\r\n%s\r\nno\n", status,
	    more);
	return true;
}

static bool say_chunks(struct server_peer *peer,
    const struct server_request *request, uint64_t size_bytes)
{
	server_say(peer,
	    "HTTP/1.1 206 Partial Content\r\n" GENUINE
	    "Transfer-Encoding: chunked\r\nLast-Modified: " MTIME_TEXT
	    "\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64
	    "/%d\r\n\r\n%" PRIx64 "\r\n",
	    request->first, request->last, (int)LIAR_FILE_BYTES, size_bytes);
	say_bytes(peer, request->first, request->first + size_bytes - 1);
	server_say(peer, "\r\n0\r\n\r\n");
	return true;
}

static bool say_cut(struct server_peer *peer,
    const struct server_request *request, const char *headers,
    uint64_t size_bytes)
{
	say_part(peer, headers, request->first, request->last);
	if (size_bytes > 0)
		say_bytes(
		    peer, request->first, request->first + size_bytes - 1);
	return false;
}

static bool say_genuine(
    struct server_peer *peer, const struct server_request *request)
{
	say_part(peer, genuine, request->first, request->last);
	say_bytes(peer, request->first, request->last);
	return true;
}

static bool say_headers_only(struct server_peer *peer, unsigned count)
{
	server_say(peer, "HTTP/1.1 206 Partial Content\r\n");
	for (unsigned i = 0; i < count; i++)
		server_say(peer, "X-Header-%u: one more\r\n", i);
	return false;
}

static void say_junk(struct server_peer *peer, size_t size_bytes)
{
	char *junk = malloc(size_bytes);

	assert(junk != NULL);
	memset(junk, 'x', size_bytes);
	server_send(peer, junk, size_bytes);
	free(junk);
}

/* The right bytes under headers that are not. */
static bool say_under(struct server_peer *peer,
    const struct server_request *request, const char *headers)
{
	say_part(peer, headers, request->first, request->last);
	say_bytes(peer, request->first, request->last);
	return true;
}

/* ---- lies: each in one way, of the same form ---- */

typedef bool (*lie_fn)(struct liar *liar, struct server_peer *peer,
    const struct server_request *request);

static uint64_t size_of(const struct server_request *request)
{
	return request->last - request->first + 1;
}

static bool half(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	return say_cut(peer, request, genuine, size_of(request) / 2);
}

static bool a_tenth(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	if (size_of(request) <= 6000)
		return say_genuine(peer, request);
	return say_cut(peer, request, genuine, size_of(request) / 10);
}

static bool half_of_another(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	return say_cut(peer, request,
	    GENUINE "ETag: \"zero\"\r\nLast-Modified: " MTIME_TEXT "\r\n",
	    size_of(request) / 2);
}

static bool other_bytes(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	say_part(peer, genuine, request->first + 1, request->last + 1);
	say_bytes(peer, request->first + 1, request->last + 1);
	return true;
}

static bool without_range(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	server_say(peer,
	    "HTTP/1.1 206 Partial Content\r\n%sContent-Length: %" PRIu64
	    "\r\n\r\n",
	    genuine, size_of(request));
	say_bytes(peer, request->first, request->last);
	return true;
}

static bool the_whole_file(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	(void)request;
	server_say(peer, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n",
	    genuine, (int)LIAR_FILE_BYTES);
	say_bytes(peer, 0, LIAR_FILE_BYTES - 1);
	return true;
}

static bool another_total(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	server_say(peer,
	    "HTTP/1.1 206 Partial Content\r\n%sContent-Length: %" PRIu64
	    "\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64 "/%d\r\n\r\n",
	    genuine, size_of(request), request->first, request->last,
	    LIAR_FILE_BYTES + 7);
	say_bytes(peer, request->first, request->last);
	return true;
}

static bool one_too_many(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	return say_chunks(peer, request, size_of(request) + 1);
}

static bool too_few(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	return say_chunks(peer, request, size_of(request) / 2);
}

static bool compressed(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	return say_under(peer, request, GENUINE "Content-Encoding: gzip\r\n");
}

static bool another_time(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	return say_under(peer, request,
	    GENUINE "Last-Modified: Tue, 14 Nov 2023 23:13:20 GMT\r\n");
}

static bool as_xrootd(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)say_under(peer, request, "Server: XrootD/v5.5.3\r\n");
	atomic_fetch_add(&liar->sent, 1);
	return true;
}

static bool as_xrootd_changed(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	atomic_store(&liar->changed, 1);
	return as_xrootd(liar, peer, request);
}

static bool many_headers(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	(void)request;
	return say_headers_only(peer, 2000);
}

static bool a_huge_header(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	(void)request;
	server_say(peer, "HTTP/1.1 206 Partial Content\r\nX: ");
	say_junk(peer, 200000);
	return false;
}

static bool long_headers(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	(void)request;
	server_say(peer, "HTTP/1.1 206 Partial Content\r\n");
	for (int i = 0; i < 10; i++) {
		server_say(peer, "X-Long: ");
		say_junk(peer, 15000);
		server_say(peer, "\r\n");
	}
	return false;
}

static bool another_protocol(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	(void)request;
	server_say(peer, "220 smtp.example.org ESMTP\r\n");
	return false;
}

static bool nothing(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	(void)peer;
	(void)request;
	return false;
}

static bool silence(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	(void)request;
	server_be_silent(peer);
	return false;
}

static bool after_hints(struct liar *liar, struct server_peer *peer,
    const struct server_request *request)
{
	(void)liar;
	server_say(peer,
	    "HTTP/1.1 103 Early Hints\r\nContent-Range: bytes 0-1/2\r\n\r\n");
	return say_genuine(peer, request);
}

enum when { ALWAYS, FIRST, LATER, THIRDS };

/* Which GETs are lied to, and how: by `tell`, or by a mere status. */
static const struct {
	enum when when;
	lie_fn tell;
	const char *status;
	const char *more;
} lies[] = {
    [CUT_ONCE] = {FIRST, half, NULL, NULL},
    [CUT_OFTEN] = {ALWAYS, a_tenth, NULL, NULL},
    [CUT_SOMETIMES] = {THIRDS, half, NULL, NULL},
    [CUT_THEN_CHANGED] = {FIRST, half_of_another, NULL, NULL},
    [WRONG_RANGE_ONCE] = {FIRST, other_bytes, NULL, NULL},
    [WRONG_RANGE] = {ALWAYS, other_bytes, NULL, NULL},
    [NO_RANGE] = {ALWAYS, without_range, NULL, NULL},
    [WHOLE_FILE] = {ALWAYS, the_whole_file, NULL, NULL},
    [WRONG_TOTAL_ONCE] = {FIRST, another_total, NULL, NULL},
    [SURPLUS] = {ALWAYS, one_too_many, NULL, NULL},
    [SHORT_ONCE] = {FIRST, too_few, NULL, NULL},
    [GZIP_ONCE] = {FIRST, compressed, NULL, NULL},
    [PAGE_ONCE] = {FIRST, NULL, "200 OK", "Content-Type: text/html\r\n"},
    [ENDLESS_HEADERS] = {ALWAYS, many_headers, NULL, NULL},
    [LONG_HEADERS] = {ALWAYS, long_headers, NULL, NULL},
    [ENDLESS_HEADER] = {ALWAYS, a_huge_header, NULL, NULL},
    [NO_HTTP] = {ALWAYS, another_protocol, NULL, NULL},
    [BUSY_ONCE] = {FIRST, NULL, "503 Service Unavailable",
        "Retry-After: 0\r\n"},
    [BUSY_LONG] = {ALWAYS, NULL, "503 Service Unavailable",
        "Retry-After: 3600\r\n"},
    [ERROR_ALWAYS] = {ALWAYS, NULL, "500 Internal Server Error", ""},
    [NOT_FOUND] = {ALWAYS, NULL, "404 Not Found", ""},
    [PRECONDITION_FAILED] = {ALWAYS, NULL, "412 Precondition Failed", ""},
    [NOT_SATISFIABLE_ONCE] = {FIRST, NULL, "416 Range Not Satisfiable", ""},
    [LOCKED] = {ALWAYS, NULL, "423 Locked", ""},
    [REFUSED] = {ALWAYS, NULL, "403 Forbidden", ""},
    [NO_VALIDATOR] = {ALWAYS, as_xrootd, NULL, NULL},
    [NO_VALIDATOR_CHANGED] = {ALWAYS, as_xrootd_changed, NULL, NULL},
    [OTHER_TIME] = {ALWAYS, another_time, NULL, NULL},
    [RESET_ONCE] = {FIRST, nothing, NULL, NULL},
    [SILENT] = {ALWAYS, silence, NULL, NULL},
    [SILENT_LATER] = {LATER, silence, NULL, NULL},
    [INTERIM] = {ALWAYS, after_hints, NULL, NULL},
};

static bool is_due(enum when when, unsigned nth)
{
	switch (when) {
	case FIRST:
		return nth == 1;
	case LATER:
		return nth > 1;
	case THIRDS:
		return nth % 3 == 0;
	case ALWAYS:
		break;
	}
	return true;
}

static bool answer_get(struct liar *liar, const struct server_request *request,
    struct server_peer *peer)
{
	unsigned nth = atomic_fetch_add(&liar->gets, 1) + 1;
	enum lie lie = liar->lie;

	if (lie == GENUINELY || !is_due(lies[lie].when, nth))
		return say_genuine(peer, request);
	if (lies[lie].status != NULL)
		return say_status(peer, lies[lie].status, lies[lie].more);
	return lies[lie].tell(liar, peer, request);
}

static void wait_for_gate(const struct liar *liar)
{
	struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < 60000; i++) {
		if (atomic_load(&liar->sent) >= liar->gate)
			return;
		(void)nanosleep(&pause, NULL);
	}
	assert(false);
}

bool liar_answer(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	struct liar *liar = arg;
	char pin[FETCH_ETAG_BYTES];

	if (strcmp(request->method, "PROPFIND") == 0) {
		atomic_fetch_add(&liar->propfinds, 1);
		wait_for_gate(liar);
		return say_propfind(liar, peer);
	}
	assert(strcmp(request->method, "GET") == 0);
	if (strcmp(server_header(request, "If-Match", pin, sizeof(pin)),
	        "\"one\"") == 0)
		atomic_fetch_add(&liar->asked_with_pin, 1);
	if (liar->elsewhere[0] != '\0') {
		server_say(peer,
		    "HTTP/1.1 307 Temporary Redirect\r\n" GENUINE
		    "Location: %s%s?authz=Bearer%%20x&uuid=1\r\n"
		    "Content-Length: 0\r\n\r\n",
		    liar->elsewhere, request->target);
		return true;
	}
	return answer_get(liar, request, peer);
}
