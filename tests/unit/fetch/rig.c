/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fetch/rig.c - see rig.h.
 */
#include "rig.h"

#include "base/clock.h"
#include "base/ident.h"
#include "fetch/sink.h"
#include "tokens/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

void rig_init(struct rig *rig, const struct rig_config *config)
{
	struct tokens_config token_config = {
	    .clock = clock_system(),
	    .token_file = config->token_file,
	    .source_path = "/",
	    .uid = geteuid(),
	};
	struct fetch_source servers[FETCH_SERVERS_MAX];
	struct fetch_config fetch_config;
	struct err err = ERR_INIT;

	memset(rig, 0, sizeof(*rig));
	if (config->token_file == NULL)
		assert_int_equal(
		    setenv("BEARER_TOKEN", "opaque-token-one", 1), 0);
	assert_int_equal(
	    fetch_source_parse(&rig->source, config->url, true, &err), 0);
	assert_int_equal(tokens_new(&rig->tokens, &token_config, &err), 0);
	for (unsigned i = 0; i < config->server_count; i++)
		assert_int_equal(fetch_source_parse(&servers[i],
		                     config->servers[i], true, &err),
		    0);
	fetch_config = (struct fetch_config){
	    .clock = config->clock != NULL ? config->clock : clock_system(),
	    .tokens = rig->tokens,
	    .source = &rig->source,
	    .servers = servers,
	    .server_count = config->server_count,
	    .immutable = config->immutable,
	    .ca_file = config->ca_file,
	    .redirect_hosts = config->redirect_hosts,
	    .redirect_host_count = config->redirect_host_count,
	    .timeout_ms = config->timeout_ms == 0 ? 60000 : config->timeout_ms,
	    .shared = config->shared,
	    .federated = config->federated,
	    .trouble = config->trouble,
	    .trouble_arg = config->trouble_arg,
	};
	assert_int_equal(fetch_new(&rig->fetch, &fetch_config, &err), 0);
}

void rig_fini(struct rig *rig)
{
	if (rig->fetch != NULL) {
		fetch_stop(rig->fetch);
		fetch_free(rig->fetch);
	}
	tokens_free(rig->tokens);
	memset(rig, 0, sizeof(*rig));
}

void answer_init(struct answer *answer, uint64_t offset, size_t room)
{
	memset(answer, 0, sizeof(*answer));
	(void)pthread_mutex_init(&answer->mutex, NULL);
	(void)pthread_cond_init(&answer->cond, NULL);
	answer->offset = offset;
	answer->room = room;
	answer->bytes = calloc(1, room + 1);
	assert_non_null(answer->bytes);
}

void answer_fini(struct answer *answer)
{
	free(answer->bytes);
	(void)pthread_mutex_destroy(&answer->mutex);
	(void)pthread_cond_destroy(&answer->cond);
}

int answer_wait(struct answer *answer)
{
	struct timespec until;
	bool done;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	(void)pthread_mutex_lock(&answer->mutex);
	while (!answer->done) {
		if (pthread_cond_timedwait(
		        &answer->cond, &answer->mutex, &until) != 0)
			break;
	}
	done = answer->done;
	(void)pthread_mutex_unlock(&answer->mutex);
	assert_true(done);
	return answer->code;
}

static void finish(struct answer *answer, int code, const struct err *err)
{
	(void)pthread_mutex_lock(&answer->mutex);
	answer->code = code;
	if (err != NULL)
		answer->err = *err;
	answer->done = true;
	answer->times++;
	(void)pthread_cond_broadcast(&answer->cond);
	(void)pthread_mutex_unlock(&answer->mutex);
}

static void on_stat(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct answer *answer = arg;

	if (code == 0)
		answer->stat = *stat;
	finish(answer, code, err);
}

static const struct ident nobody = {.uid = 0};

void rig_stat(struct rig *rig, const char *path, struct answer *answer)
{
	fetch_stat(rig->fetch, &nobody, path, 0, on_stat, answer);
}

void rig_stat_bare(struct rig *rig, const char *path, struct answer *answer)
{
	fetch_stat_bare(rig->fetch, path, 0, on_stat, answer);
}

static int on_entry(void *arg, const char *name, const struct fetch_stat *stat)
{
	struct answer *answer = arg;
	size_t used = strlen(answer->names);

	answer->entries++;
	memcpy(answer->etag, stat->version.etag, sizeof(answer->etag));
	if (used + strlen(name) + 3 < sizeof(answer->names)) {
		(void)strcat(answer->names, name);
		(void)strcat(
		    answer->names, stat->kind == FETCH_DIRECTORY ? "/," : ",");
	}
	return 0;
}

static void on_restart(void *arg)
{
	struct answer *answer = arg;

	answer->restarts++;
	answer->entries = 0;
	answer->names[0] = '\0';
}

static void on_list_done(void *arg, int code, const struct err *err)
{
	finish(arg, code, err);
}

void rig_list(struct rig *rig, const char *path, struct answer *answer)
{
	struct fetch_lister lister = {.entry = on_entry,
	    .restart = on_restart,
	    .done = on_list_done,
	    .arg = answer};

	(void)fetch_list(rig->fetch, &nobody, path, true, &lister);
}

static void on_quota(void *arg, int code, const struct fetch_quota *quota)
{
	struct answer *answer = arg;

	if (code == 0)
		answer->quota = *quota;
	finish(answer, code, NULL);
}

void rig_quota(struct rig *rig, struct answer *answer)
{
	fetch_quota(rig->fetch, &nobody, on_quota, answer);
}

static int on_begin(void *arg, const char *etag)
{
	struct answer *answer = arg;

	answer->begins++;
	(void)strncpy(answer->etag, etag, sizeof(answer->etag) - 1);
	return answer->begin_code;
}

static void on_write(
    void *arg, uint64_t offset, const void *bytes, size_t size_bytes)
{
	struct answer *answer = arg;

	if (offset != answer->offset + answer->size ||
	    size_bytes > answer->room - answer->size) {
		answer->gap = true;
		return;
	}
	memcpy(answer->bytes + answer->size, bytes, size_bytes);
	answer->size += size_bytes;
}

static void on_digest(void *arg, const struct fetch_digest *digest)
{
	struct answer *answer = arg;

	(void)pthread_mutex_lock(&answer->mutex);
	fetch_digest_text(answer->digest, digest);
	(void)pthread_mutex_unlock(&answer->mutex);
}

uint64_t rig_range(
    struct rig *rig, const struct fetch_range *range, struct answer *answer)
{
	struct fetch_sink sink = {.begin = on_begin,
	    .digest = on_digest,
	    .write = on_write,
	    .done = on_list_done,
	    .arg = answer};
	struct fetch_range asked = *range;

	if (asked.ident == NULL)
		asked.ident = &nobody;
	return fetch_range(rig->fetch, &asked, &sink);
}

uint8_t rig_byte(uint64_t offset)
{
	return (uint8_t)(offset * 31 + (offset >> 8) * 7 + (offset >> 20));
}

bool answer_is_right(const struct answer *answer)
{
	if (answer->gap || answer->size != answer->room)
		return false;
	for (size_t i = 0; i < answer->size; i++) {
		if (answer->bytes[i] != rig_byte(answer->offset + i))
			return false;
	}
	return true;
}
