/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/fetch/cluster.c - see cluster.h. */
#include "cluster.h"

#include <assert.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MTIME_TEXT "Tue, 14 Nov 2023 22:13:20 GMT"
#define DATE       "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"

enum { MTIME_S = 1700000000, LATE_MS = 150 };

static pthread_mutex_t last_mutex = PTHREAD_MUTEX_INITIALIZER;

static void say_bytes(struct server_peer *peer, uint64_t first, uint64_t size)
{
	uint8_t *bytes = malloc(size);

	assert(bytes != NULL);
	for (uint64_t i = 0; i < size; i++)
		bytes[i] = rig_byte(first + i);
	server_send(peer, bytes, size);
	free(bytes);
}

static void say_head(struct server_peer *peer,
    const struct server_request *request, int total, const char *version)
{
	server_say(peer,
	    "HTTP/1.1 206 Partial Content\r\n" DATE "Content-Length: %" PRIu64
	    "\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64 "/%d\r\n%s\r\n",
	    request->last - request->first + 1, request->first, request->last,
	    total, version);
}

static bool say_status(
    struct server_peer *peer, const char *status, const char *more)
{
	server_say(peer,
	    "HTTP/1.1 %s\r\n" DATE "Content-Length: 3\r\n%s\r\nno\n", status,
	    more);
	return true;
}

static void say_slowly(struct server_peer *peer, uint64_t first, uint64_t size)
{
	uint64_t end = first + size;

	do {
		say_bytes(peer, first, end - first < 1024 ? end - first : 1024);
		first += 1024;
	} while (first < end && server_pause(peer, 100));
}

/* A genuine answer, or one that is wrong in its headers alone. */
static bool say_version(struct server_peer *peer,
    const struct server_request *request, enum fault fault)
{
	const char *version =
	    "Last-Modified: " MTIME_TEXT "\r\nETag: \"one\"\r\n";
	int total = CLUSTER_FILE_BYTES;

	if (fault == FAULT_OTHER_SIZE)
		total++;
	if (fault == FAULT_OTHER_TIME)
		version = "Last-Modified: Tue, 14 Nov 2023 22:13:21 GMT\r\n";
	if (fault == FAULT_OTHER_ETAG)
		version =
		    "Last-Modified: " MTIME_TEXT "\r\nETag: \"other\"\r\n";
	if (fault == FAULT_NO_VERSION)
		version = "";
	say_head(peer, request, total, version);
	say_bytes(peer, request->first, request->last - request->first + 1);
	return true;
}

static bool say_parts(
    struct server_peer *peer, const struct server_request *request)
{
	uint64_t size_bytes = request->last - request->first + 1;

	say_head(peer, request, CLUSTER_FILE_BYTES,
	    "Last-Modified: " MTIME_TEXT "\r\nETag: \"one\"\r\n");
	for (uint64_t part = 0; part < 3; part++) {
		uint64_t from = size_bytes * part / 3;

		if (part > 0 && !server_pause(peer, LATE_MS))
			return false;
		say_bytes(peer, request->first + from,
		    size_bytes * (part + 1) / 3 - from);
	}
	return true;
}

static bool say_half(struct member *member, struct server_peer *peer,
    const struct server_request *request, enum fault fault)
{
	uint64_t size_bytes = request->last - request->first + 1;

	say_head(peer, request, CLUSTER_FILE_BYTES,
	    "Last-Modified: " MTIME_TEXT "\r\nETag: \"one\"\r\n");
	if (fault == FAULT_SLOW) {
		say_slowly(peer, request->first, size_bytes);
		return true;
	}
	say_bytes(peer, request->first, size_bytes / 2);
	if (fault == FAULT_CUT_ONCE)
		atomic_store(&member->fault, FAULT_NONE);
	if (fault == FAULT_SILENT_MID)
		server_be_silent(peer);
	return false;
}

static bool on_get(struct member *member, struct server_peer *peer,
    const struct server_request *request)
{
	enum fault fault = (enum fault)atomic_load(&member->fault);

	switch (fault) {
	case FAULT_SILENT:
		server_be_silent(peer);
		return false;
	case FAULT_LATE:
		return server_pause(peer, LATE_MS) &&
		    say_version(peer, request, fault);
	case FAULT_PAUSE_MID:
		return say_parts(peer, request);
	case FAULT_SILENT_MID:
	case FAULT_CUT:
	case FAULT_CUT_ONCE:
	case FAULT_SLOW:
		return say_half(member, peer, request, fault);
	case FAULT_500:
		return say_status(peer, "500 Internal Server Error", "");
	case FAULT_503:
		return say_status(
		    peer, "503 Service Unavailable", "Retry-After: 300\r\n");
	case FAULT_404:
		return say_status(peer, "404 Not Found", "");
	case FAULT_412:
		return say_status(peer, "412 Precondition Failed", "");
	case FAULT_416:
		return say_status(peer, "416 Range Not Satisfiable", "");
	case FAULT_403:
		return say_status(peer, "403 Forbidden", "");
	case FAULT_PAGE:
		return say_status(
		    peer, "200 OK", "Content-Type: text/html\r\n");
	case FAULT_NONE:
	case FAULT_DOWN:
	case FAULT_OTHER_SIZE:
	case FAULT_OTHER_TIME:
	case FAULT_OTHER_ETAG:
	case FAULT_NO_VERSION:
	case FAULT_COUNT:
		break;
	}
	return say_version(peer, request, fault);
}

static bool on_propfind(struct server_peer *peer)
{
	char body[1024];
	int size = snprintf(body, sizeof(body),
	    "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">"
	    "<D:response><D:href>/f</D:href><D:propstat><D:prop>"
	    "<D:resourcetype/><D:getcontentlength>%d</D:getcontentlength>"
	    "<D:getlastmodified>" MTIME_TEXT "</D:getlastmodified></D:prop>"
	    "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
	    "</D:multistatus>",
	    (int)CLUSTER_FILE_BYTES);

	server_say(peer,
	    "HTTP/1.1 207 Multi-Status\r\n" DATE "Content-Type: text/xml\r\n"
	    "Content-Length: %d\r\n\r\n%s",
	    size, body);
	return true;
}

static bool on_request(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	struct member *member = arg;

	(void)pthread_mutex_lock(&last_mutex);
	(void)server_header(request, "Authorization", member->last[LAST_TOKEN],
	    sizeof(member->last[LAST_TOKEN]));
	(void)snprintf(member->last[LAST_TARGET],
	    sizeof(member->last[LAST_TARGET]), "%.63s", request->target);
	(void)pthread_mutex_unlock(&last_mutex);
	if (request->ranged) {
		(void)atomic_fetch_add(&member->gets, 1);
		return on_get(member, peer, request);
	}
	(void)atomic_fetch_add(&member->other, 1);
	return on_propfind(peer);
}

void cluster_begin(struct cluster *cluster, const struct cluster_config *config)
{
	char urls[CLUSTER_MAX][128];
	const char *names[CLUSTER_MAX];
	struct rig_config rig = {
	    .server_count = config->federated ? 0 : config->caches,
	    .servers = names,
	    .immutable = config->immutable,
	    .federated = config->federated,
	    .timeout_ms = config->timeout_ms,
	    .trouble = config->trouble,
	    .trouble_arg = config->trouble_arg};

	assert(config->caches < CLUSTER_MAX);
	memset(cluster, 0, sizeof(*cluster));
	cluster->count = config->caches + 1;
	cluster->origin = &cluster->members[config->caches];
	cluster->origin->is_origin = true;
	for (unsigned i = 0; i < cluster->count; i++) {
		struct member *member = &cluster->members[i];

		member->server = server_new(config->tls, on_request, member);
		(void)snprintf(urls[i], sizeof(urls[i]), "%s%s",
		    server_url(member->server),
		    config->prefix != NULL && !member->is_origin
		        ? config->prefix
		        : "");
		names[i] = urls[i];
	}
	rig.url = urls[config->caches];
	rig.ca_file = server_ca_file(cluster->origin->server);
	rig_init(&cluster->rig, &rig);
}

void cluster_end(struct cluster *cluster)
{
	rig_fini(&cluster->rig);
	for (unsigned i = 0; i < cluster->count; i++) {
		if (cluster->members[i].server != NULL)
			server_free(cluster->members[i].server);
	}
}

static void source_at(
    const struct cluster *cluster, unsigned member, struct fetch_source *out)
{
	struct err err = ERR_INIT;

	assert_int_equal(
	    fetch_source_parse(
	        out, server_url(cluster->members[member].server), true, &err),
	    0);
}

void cluster_name(
    struct cluster *cluster, const unsigned *caches, unsigned count)
{
	struct fetch_servers *servers = calloc(1, sizeof(*servers));

	assert(servers != NULL);
	source_at(cluster, cluster->count - 1, &servers->origin);
	servers->cache_count = count;
	for (unsigned i = 0; i < count; i++)
		source_at(cluster, caches[i], &servers->caches[i]);
	assert_int_equal(fetch_servers_set(cluster->rig.fetch, servers), 0);
	free(servers);
}

void cluster_fault(struct cluster *cluster, unsigned at, enum fault fault)
{
	struct member *member = &cluster->members[at];

	atomic_store(&member->fault, (int)fault);
	if (fault == FAULT_DOWN) {
		server_free(member->server);
		member->server = NULL;
	}
}

unsigned cluster_gets(struct cluster *cluster, unsigned at)
{
	return atomic_load(&cluster->members[at].gets);
}

const char *cluster_last(struct cluster *cluster, unsigned at, enum last what)
{
	/* The lock is for what came before. */
	(void)pthread_mutex_lock(&last_mutex);
	(void)pthread_mutex_unlock(&last_mutex);
	return cluster->members[at].last[what];
}

int cluster_read(struct cluster *cluster, const char *etag, uint64_t offset,
    uint64_t size_bytes)
{
	struct fetch_version version = {
	    .size_bytes = CLUSTER_FILE_BYTES, .mtime_s = MTIME_S};
	const struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .pin_etag = etag,
	    .offset_bytes = offset,
	    .length_bytes = size_bytes,
	    .demand = true};
	struct answer answer;
	int code;

	answer_init(&answer, offset, size_bytes);
	(void)rig_range(&cluster->rig, &range, &answer);
	code = answer_wait(&answer);
	assert_int_equal(answer.times, 1);
	assert_false(answer.gap);
	if (code == 0)
		assert_true(answer_is_right(&answer));
	answer_fini(&answer);
	return code;
}
