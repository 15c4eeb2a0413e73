/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/fetch/store.c - see store.h. */
#include "store.h"

#include "base/ident.h"
#include "base/path.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const struct ident nobody = {.uid = 0};

struct store_file *store_find(struct store *store, const char *path)
{
	for (unsigned i = 0; i < STORE_FILES_MAX; i++) {
		struct store_file *file = &store->files[i];

		if (file->there && strcmp(file->path, path) == 0)
			return file;
	}
	return NULL;
}

static struct store_file *make(struct store *store, const char *path)
{
	struct store_file *file = store_find(store, path);

	for (unsigned i = 0; file == NULL && i < STORE_FILES_MAX; i++) {
		if (!store->files[i].there)
			file = &store->files[i];
	}
	assert(file != NULL);
	*file = (struct store_file){
	    .there = true, .version = ++store->versions, .mtime_s = time(NULL)};
	(void)snprintf(file->path, sizeof(file->path), "%s", path);
	return file;
}

void store_put(struct store *store, const char *path, uint64_t size)
{
	struct store_file *file = make(store, path);

	file->size = size;
	file->mtime_s = 1000000 + store->versions;
}

void store_mkdir(struct store *store, const char *path)
{
	make(store, path)->directory = true;
}

void store_remove(struct store *store, const char *path)
{
	struct store_file *file = store_find(store, path);

	if (file != NULL)
		file->there = false;
}

unsigned store_temporaries(struct store *store)
{
	unsigned count = 0;

	for (unsigned i = 0; i < STORE_FILES_MAX; i++)
		count += store->files[i].there &&
		    fetch_is_temporary(path_name(store->files[i].path));
	return count;
}

/* Decoded, without a slash at the end. */
static void take_path(char out[512], const char *text, size_t size_bytes)
{
	char decoded[8192];
	int decoded_bytes = path_decode(decoded, text, size_bytes);

	assert(decoded_bytes > 0);
	if (decoded_bytes > 1 && decoded[decoded_bytes - 1] == '/')
		decoded[decoded_bytes - 1] = '\0';
	assert(strlen(decoded) < 512);
	memcpy(out, decoded, strlen(decoded) + 1);
}

static void destination(char out[512], const struct server_request *request)
{
	char line[8192];
	const char *path;

	(void)server_header(request, "Destination", line, sizeof(line));
	path = strstr(line, "://");
	assert(path != NULL);
	path = strchr(path + 3, '/');
	assert(path != NULL);
	take_path(out, path, strcspn(path, "?"));
}

static void answer(
    struct store *store, struct server_peer *peer, int status, const char *body)
{
	bool xrootd = strcmp(store->software, "XrootD") == 0;

	server_say(peer,
	    "HTTP/1.1 %d Said\r\nServer: %s\r\n%sContent-Length: %zu\r\n\r\n%s",
	    status, store->software,
	    xrootd ? "" : "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
	    strlen(body), body);
}

static int describe(
    struct store *store, const char *path, bool below, char *out, size_t room)
{
	size_t used =
	    (size_t)snprintf(out, room, "<D:multistatus xmlns:D=\"DAV:\">");

	if (store_find(store, path) == NULL)
		return 404;
	for (unsigned i = 0; i < STORE_FILES_MAX; i++) {
		const struct store_file *file = &store->files[i];
		time_t mtime_s = file->mtime_s;
		char date[64];
		struct tm tm;

		if (!file->there ||
		    !(strcmp(file->path, path) == 0 ||
		        (below && path_is_within(file->path, path))))
			continue;
		(void)gmtime_r(&mtime_s, &tm);
		(void)strftime(date, sizeof(date), "%a, %d %b %Y %T GMT", &tm);
		used += (size_t)snprintf(out + used, room - used,
		    "<D:response><D:href>%s</D:href><D:propstat><D:prop>"
		    "<D:resourcetype>%s</D:resourcetype><D:getcontentlength>"
		    "%" PRIu64 "</D:getcontentlength><D:getlastmodified>%s"
		    "</D:getlastmodified>",
		    file->path, file->directory ? "<D:collection/>" : "",
		    file->size, date);
		if (store->conditions)
			used += (size_t)snprintf(out + used, room - used,
			    "<D:getetag>\"%u\"</D:getetag>", file->version);
		used += (size_t)snprintf(out + used, room - used,
		    "</D:prop><D:status>HTTP/1.1 200 OK</D:status>"
		    "</D:propstat></D:response>");
	}
	(void)snprintf(out + used, room - used, "</D:multistatus>");
	return 207;
}

static int put(struct store *store, const struct server_request *request,
    const char *path, uint64_t shorter)
{
	struct store_file *file = store_find(store, path);
	char condition[160];
	char etag[32];

	(void)server_header(
	    request, "If-None-Match", condition, sizeof(condition));
	if (store->conditions && condition[0] != '\0' && file != NULL)
		return 412;
	(void)server_header(request, "If-Match", condition, sizeof(condition));
	(void)snprintf(
	    etag, sizeof(etag), "\"%u\"", file == NULL ? 0 : file->version);
	if (store->conditions && condition[0] != '\0' &&
	    strcmp(condition, etag) != 0)
		return 412;
	if (file != NULL && file->directory)
		return 409;
	file = make(store, path);
	file->size = request->body_bytes - shorter;
	file->sum = request->body_sum;
	return 201;
}

static int move(
    struct store *store, const struct server_request *request, const char *path)
{
	struct store_file *file;
	struct store_file *there;
	char to[512];
	char keep[8];

	destination(to, request);
	there = store_find(store, to);
	(void)server_header(request, "Overwrite", keep, sizeof(keep));
	if (there != NULL && store->overwrite && strcmp(keep, "F") == 0)
		return 412;
	if (there != NULL && there->directory)
		return 409;
	file = store_find(store, path);
	if (file == NULL)
		return 404;
	if (there != NULL)
		there->there = false;
	(void)snprintf(file->path, sizeof(file->path), "%s", to);
	return 204;
}

static int act(struct store *store, const struct server_request *request,
    const char *path, uint64_t shorter)
{
	struct store_file *file = store_find(store, path);

	if (strcmp(request->method, "PUT") == 0)
		return put(store, request, path, shorter);
	if (strcmp(request->method, "MOVE") == 0)
		return move(store, request, path);
	if (strcmp(request->method, "MKCOL") == 0) {
		if (file != NULL)
			return 405;
		store_mkdir(store, path);
		return 201;
	}
	if (file == NULL)
		return 404;
	if (strcmp(request->method, "DELETE") != 0)
		return 405;
	file->there = false;
	return 204;
}

static void note(struct store *store, const char *method, const char *how)
{
	size_t used = strlen(store->log);

	(void)snprintf(store->log + used, sizeof(store->log) - used, "%s%s%s",
	    used == 0 ? "" : " ", method, how);
}

static bool serve(struct store *store, const struct server_request *request,
    struct server_peer *peer)
{
	char body[16384] = "";
	char header[64];
	char path[512];
	bool faulty = false;
	int status;

	take_path(path, request->target, strcspn(request->target, "?"));
	if (server_header(request, "Authorization", header, sizeof(header))[0])
		atomic_fetch_add(&store->with_token, 1);
	if (strstr(request->headers, "chunked") != NULL)
		atomic_fetch_add(&store->chunked, 1);
	if (strstr(request->headers, "100-continue") != NULL)
		atomic_fetch_add(&store->expected, 1);
	if (store->method != NULL &&
	    strcmp(store->method, request->method) == 0) {
		if (store->skip > 0)
			store->skip--;
		else if (store->times > 0 && store->times-- > 0)
			faulty = true;
	}
	if (faulty && store->status == 417 &&
	    strstr(request->headers, "100-continue") == NULL)
		faulty = false;
	if (faulty && store->meanwhile != NULL)
		store->meanwhile(store);
	note(store, request->method,
	    !faulty              ? ""
	        : store->lost    ? "(lost)"
	        : store->dropped ? "(dropped)"
	                         : "(faulty)");
	if (faulty && (store->dropped || store->mute))
		return false;
	if (faulty && store->redirect != NULL) {
		server_say(peer,
		    "HTTP/1.1 307 Over there\r\nDate: Thu, 01 Jan 1970 "
		    "00:00:00 GMT\r\nServer: %s\r\nLocation: %s\r\n"
		    "Content-Length: 0\r\n\r\n",
		    store->software, store->redirect);
		return true;
	}
	if (faulty && store->status != 0) {
		answer(store, peer, store->status, "");
		return true;
	}
	if (strcmp(request->method, "PROPFIND") == 0)
		status = describe(store, path,
		    strcmp(
		        server_header(request, "Depth", header, sizeof(header)),
		        "1") == 0,
		    body, sizeof(body));
	else
		status = act(store, request, path, faulty ? store->shorter : 0);
	if (faulty && store->lost)
		return false;
	answer(store, peer, status, body);
	return true;
}

static bool on_request(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	struct store *store = arg;
	bool goes_on;

	(void)pthread_mutex_lock(&store->mutex);
	goes_on = serve(store, request, peer);
	(void)pthread_mutex_unlock(&store->mutex);
	if (!goes_on && store->mute)
		server_be_silent(peer);
	return goes_on;
}

void store_init(struct store *store, const char *software, uint32_t timeout_ms)
{
	memset(store, 0, sizeof(*store));
	(void)pthread_mutex_init(&store->mutex, NULL);
	store->software = software;
	store->conditions = strcmp(software, "Apache") == 0;
	store->overwrite = strcmp(software, "XrootD") != 0;
	store->server = server_new(true, on_request, store);
	store_mkdir(store, "/");
	store_mkdir(store, "/d");
	rig_init(&store->rig,
	    &(struct rig_config){.url = server_url(store->server),
	        .ca_file = server_ca_file(store->server),
	        .timeout_ms = timeout_ms});
}

void store_fini(struct store *store)
{
	rig_fini(&store->rig);
	server_free(store->server);
	(void)pthread_mutex_destroy(&store->mutex);
}

void sent_init(struct sent *sent, uint64_t size)
{
	memset(sent, 0, sizeof(*sent));
	(void)pthread_mutex_init(&sent->mutex, NULL);
	(void)pthread_cond_init(&sent->cond, NULL);
	sent->size = size;
	sent->fails_at = UINT64_MAX;
	sent->cold_at = UINT64_MAX;
	sent->warm_at = UINT64_MAX;
	sent->cancels_at = UINT64_MAX;
}

uint64_t sent_sum(uint64_t size)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < size; i++)
		sum += (uint64_t)rig_byte(i) * (i + 1);
	return sum;
}

/* Seldom as much as there is room for. */
static int64_t read_bytes(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes, bool nowait)
{
	struct sent *sent = arg;
	uint8_t *bytes = out;
	size_t given = size_bytes > 50000 ? 50000 : size_bytes;

	assert(offset_bytes + size_bytes <= sent->size);
	/* The loop is to hear of the end meanwhile. */
	if (nowait &&
	    ((offset_bytes + given > sent->cold_at &&
	         offset_bytes < sent->warm_at) ||
	        offset_bytes + given > sent->cancels_at))
		return -EAGAIN;
	atomic_fetch_add(&sent->waited, !nowait);
	if (offset_bytes + given > sent->fails_at)
		return -EIO;
	if (offset_bytes + given > sent->cancels_at) {
		while (atomic_load(&sent->number) == 0)
			(void)usleep(100);
		fetch_cancel(sent->fetch, atomic_load(&sent->number));
		(void)usleep(20000); /* the loop has heard of it */
	}
	for (size_t i = 0; i < given; i++)
		bytes[i] = rig_byte(offset_bytes + i);
	return (int64_t)given;
}

static void release(void *arg)
{
	struct sent *sent = arg;

	(void)pthread_mutex_lock(&sent->mutex);
	atomic_fetch_add(&sent->released, 1);
	(void)pthread_cond_broadcast(&sent->cond);
	(void)pthread_mutex_unlock(&sent->mutex);
}

static void on_published(void *arg, int code,
    const struct fetch_published *published, const struct err *err)
{
	struct sent *sent = arg;

	(void)pthread_mutex_lock(&sent->mutex);
	sent->code = code;
	sent->err = *err;
	sent->published = *published;
	(void)snprintf(
	    sent->leftover, sizeof(sent->leftover), "%s", published->leftover);
	sent->answers++;
	(void)pthread_cond_broadcast(&sent->cond);
	(void)pthread_mutex_unlock(&sent->mutex);
}

uint64_t store_begin(struct store *store, struct sent *sent, const char *path,
    enum fetch_condition condition, const struct fetch_version *version)
{
	uint64_t number;

	sent->fetch = store->rig.fetch;
	fetch_temporary(
	    store->rig.fetch, &nobody, path, condition, sent->temporary);
	number = fetch_publish(store->rig.fetch,
	    &(struct fetch_publish){.ident = &nobody,
	        .temporary = sent->temporary,
	        .path = path,
	        .bytes = {.size_bytes = sent->size,
	            .read = read_bytes,
	            .release = release,
	            .arg = sent},
	        .condition = condition,
	        .version = version,
	        .mtime_s = -1},
	    on_published, sent);
	atomic_store(&sent->number, number);
	return number;
}

int sent_wait(struct sent *sent)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	(void)pthread_mutex_lock(&sent->mutex);
	while (sent->answers == 0 || atomic_load(&sent->released) == 0) {
		if (pthread_cond_timedwait(&sent->cond, &sent->mutex, &until) !=
		    0)
			break;
	}
	(void)pthread_mutex_unlock(&sent->mutex);
	assert_int_equal(sent->answers, 1);
	assert_int_equal(atomic_load(&sent->released), 1);
	return sent->code;
}

int store_publish(struct store *store, struct sent *sent, const char *path,
    enum fetch_condition condition, const struct fetch_version *version)
{
	(void)store_begin(store, sent, path, condition, version);
	return sent_wait(sent);
}

static void on_changed(void *arg, int code, const struct err *err)
{
	struct sent *sent = arg;
	static const struct fetch_published nothing = {.leftover = ""};

	on_published(sent, code, &nothing, err);
}

int store_change(
    struct store *store, const char *what, const char *path, const char *to)
{
	struct fetch *fetch = store->rig.fetch;
	struct sent sent;

	sent_init(&sent, 0);
	atomic_store(&sent.released, 1);
	if (strcmp(what, "delete") == 0)
		fetch_delete(fetch, &nobody, path, on_changed, &sent);
	else if (strcmp(what, "mkcol") == 0)
		fetch_mkcol(fetch, &nobody, path, on_changed, &sent);
	else if (strcmp(what, "rmdir") == 0)
		fetch_rmdir(fetch, &nobody, path, on_changed, &sent);
	else
		fetch_move(fetch,
		    &(struct fetch_move){.ident = &nobody,
		        .from = path,
		        .to = to,
		        .replace = strcmp(what, "move") == 0},
		    on_changed, &sent);
	return sent_wait(&sent);
}
