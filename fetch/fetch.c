/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/fetch.c - making and ending the engine; what others may ask of it.
 * The calls themselves: range.c, stat.c, list.c, quota.c.
 *
 * Threads: every function may be called from any thread; fetch_new(),
 * fetch_stop() and fetch_free() by one at a time.
 */
#include "fetch/fetch.h"

#include "base/clock.h"
#include "base/secret.h"
#include "fetch/calls/call.h"
#include "fetch/calls/request.h"
#include "fetch/changes/feeder.h"
#include "fetch/engine.h"
#include "fetch/servers/fleet.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

UNCHECKED void fetch_assert_thread(const struct fetch *fetch)
{
	assert(pthread_equal(pthread_self(), fetch->loop_thread));
}

static int copy_text(char **out, const char *text)
{
	if (text == NULL)
		return 0;
	*out = strdup(text);
	return *out == NULL ? -ENOMEM : 0;
}

static int copy_hosts(struct fetch *fetch, const struct fetch_config *config)
{
	unsigned count = config->redirect_host_count;

	if (count == 0)
		return 0;
	fetch->redirect_hosts = calloc(count, sizeof(char *));
	if (fetch->redirect_hosts == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		if (copy_text(&fetch->redirect_hosts[i],
		        config->redirect_hosts[i]) < 0)
			return -ENOMEM;
		fetch->redirect_host_count++;
	}
	return 0;
}

static int copy_config(struct fetch *fetch, const struct fetch_config *config)
{
	fetch->clock = config->clock;
	fetch->tokens = config->tokens;
	fetch->immutable = config->immutable;
	fetch->timeout_ms = config->timeout_ms;
	fetch->proxied = request_wants_proxy();
	if (copy_text(&fetch->ca_file, config->ca_file) < 0 ||
	    copy_text(&fetch->ca_dir, config->ca_dir) < 0)
		return -ENOMEM;
	return copy_hosts(fetch, config);
}

/* The caches in their order, and the origin behind them; of a federation
 * places for those that it will name. */
static int make_servers(struct fetch *fetch, const struct fetch_config *config)
{
	unsigned caches = config->server_count;
	unsigned last = config->federated ? FETCH_SERVERS_MAX - 1 : caches;

	assert(caches <= FETCH_CACHES_MAX);
	fetch->servers = calloc(last + 1, sizeof(*fetch->servers));
	if (fetch->servers == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i <= last; i++) {
		struct fetch_server *server = &fetch->servers[i];

		server_init(server,
		    i < caches ? &config->servers[i] : config->source,
		    config->shared);
		server->place = i;
		server->number = i;
		atomic_store(&server->absent, config->federated && i >= caches);
	}
	fetch->server_count = last + 1;
	fetch->numbers = last + 1;
	fetch->origin = &fetch->servers[last];
	fetch->origin->is_origin = true;
	fetch->listings = fetch->origin;
	fleet_init(fetch, config);
	return 0;
}

static int start(struct fetch *fetch, struct err *err)
{
	sigset_t all;
	sigset_t before;
	int code;

	fetch->mailbox = mailbox_new();
	if (fetch->mailbox == NULL)
		return err_set(err, -ENOMEM, "out of memory or descriptors");
	code = loop_init(fetch, err);
	if (code < 0)
		return code;
	/* The thread begins with signals blocked: they are the main's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&fetch->thread, NULL, loop_main, fetch);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		return err_set(
		    err, -code, "fetch thread: %s", err_message(code));
	fetch->started = true;
	return 0;
}

int fetch_new(
    struct fetch **out, const struct fetch_config *config, struct err *err)
{
	AUTO(fetch) fetch = NULL;
	int code;

	if (request_start_curl() != CURLE_OK)
		return err_set(err, -EIO, "libcurl: %s",
		    curl_easy_strerror(request_start_curl()));
	fetch = calloc(1, sizeof(*fetch));
	if (fetch == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	fetch->loop.epoll = -1;
	fetch->network.fd = -1;
	TAILQ_INIT(&fetch->calls);
	fetch->shared = config->shared;
	LIST_INIT(&fetch->confirms);
	said_init(&fetch->said);
	if (make_servers(fetch, config) < 0 || copy_config(fetch, config) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	code = start(fetch, err);
	if (code < 0)
		return code;
	*out = STEAL(fetch);
	return 0;
}

void fetch_stop(struct fetch *fetch)
{
	if (!fetch->started)
		return;
	mailbox_close(fetch->mailbox);
	(void)pthread_join(fetch->thread, NULL);
	fetch->started = false;
}

void fetch_free(struct fetch *fetch)
{
	if (fetch == NULL)
		return;
	fetch_stop(fetch);
	feeder_free(fetch->feeder);
	loop_fini(fetch);
	secret_put(fetch->bearer.header);
	for (unsigned i = 0; i < fetch->server_count; i++)
		server_fini(&fetch->servers[i]);
	free(fetch->servers);
	said_fini(&fetch->said);
	mailbox_put(fetch->mailbox);
	for (unsigned i = 0; i < fetch->redirect_host_count; i++)
		free(fetch->redirect_hosts[i]);
	free(fetch->redirect_hosts);
	free(fetch->ca_file);
	free(fetch->ca_dir);
	free(fetch);
}

bool fetch_version_equal(
    const struct fetch_version *a, const struct fetch_version *b)
{
	if (a->size_bytes != b->size_bytes)
		return false;
	if (a->etag[0] != '\0' && b->etag[0] != '\0')
		return strcmp(a->etag, b->etag) == 0;
	if (a->mtime_s >= 0 && b->mtime_s >= 0)
		return a->mtime_s == b->mtime_s;
	return true;
}

/* What to do about a call, on its way to the loop. */
struct note {
	struct post post;
	uint64_t number;
	uid_t uid; /* who waits */
	bool cancel;
};

static void deliver_note(struct post *post, struct fetch *fetch)
{
	struct note *note = CONTAINER_OF(post, struct note, post);

	fetch_assert_thread(fetch);
	if (note->cancel)
		call_cancel(fetch, note->number);
	else
		call_hurry(fetch, note->number, note->uid);
	free(note);
}

static void send_note(
    struct fetch *fetch, uint64_t number, uid_t uid, bool cancel)
{
	struct note *note = malloc(sizeof(*note));

	/* A call that is not ended ends by itself, one that is not hurried
	 * has its turn. */
	if (note == NULL)
		return;
	*note = (struct note){.post.deliver = deliver_note,
	    .number = number,
	    .uid = uid,
	    .cancel = cancel};
	if (!mailbox_send(fetch->mailbox, &note->post))
		free(note);
}

void fetch_hurry(struct fetch *fetch, uint64_t number, uid_t uid)
{
	send_note(fetch, number, uid, false);
}

void fetch_cancel(struct fetch *fetch, uint64_t number)
{
	send_note(fetch, number, 0, true);
}

bool fetch_validates_bytes(struct fetch *fetch)
{
	return profile_validates(&fetch->origin->profile);
}

bool fetch_has_dav(struct fetch *fetch)
{
	return atomic_load(&fetch->origin->profile.has_dav);
}

bool fetch_untrusted(struct fetch *fetch)
{
	return atomic_load(&fetch->untrusted);
}

bool fetch_skew_s(struct fetch *fetch, int64_t *skew_s)
{
	return server_skew_s(fetch->origin, skew_s);
}

enum fetch_digests fetch_digests(
    struct fetch *fetch, enum fetch_algorithm *algorithm)
{
	return profile_digests(
	    &fetch->origin->profile, algorithm, clock_now_ms(fetch->clock));
}

bool fetch_digests_apart(struct fetch *fetch)
{
	return profile_digests_apart(&fetch->origin->profile);
}

bool fetch_unreachable(struct fetch *fetch, struct fetch_reach *out)
{
	return server_unreachable(fetch->origin, out);
}

uint64_t fetch_silent_ms(struct fetch *fetch)
{
	uint64_t now_ms = clock_now_ms(fetch->clock);
	uint64_t least_ms = UINT64_MAX;

	/* Of those that somebody waits for. */
	for (unsigned i = 0; i < fetch->server_count; i++) {
		const struct fetch_server *server = &fetch->servers[i];
		uint64_t silent_ms = server_silent_ms(server, now_ms);

		if (server_is_asked(server) && silent_ms < least_ms)
			least_ms = silent_ms;
	}
	return least_ms == UINT64_MAX ? 0 : least_ms;
}

bool fetch_said(
    struct fetch *fetch, uid_t uid, const char *path, struct fetch_said *out)
{
	return said_find(
	    &fetch->said, &(struct said_by){.uid = uid}, path, out);
}

bool fetch_said_by(struct fetch *fetch, unsigned nth, uid_t uid,
    const char *path, struct fetch_said *out, char name[FETCH_NAME_BYTES])
{
	struct fetch_server *server;

	name[0] = '\0';
	if (nth == 0 || nth >= fetch->server_count)
		return false;
	server = &fetch->servers[nth - 1];
	if (server->is_origin)
		return false;
	server_name(server, name);
	return name[0] != '\0' &&
	    said_find(&fetch->said,
	        &(struct said_by){.uid = uid, .server = server_said_as(server)},
	        path, out);
}
