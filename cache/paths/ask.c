/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/ask.c - see ask.h. */
#include "cache/paths/ask.h"

#include "base/path.h"
#include "cache/core.h"
#include "cache/paths/listing.h"
#include "cache/paths/question.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ask_answer_code(
    const struct ask_to *to, int code, const struct meta_attr *attr)
{
	struct cache_attr absent = {
	    .fresh_until_ms = attr == NULL ? 0 : attr->fresh_until_ms};

	assert(code < 0);
	switch (to->kind) {
	case ASK_LOOKUP:
		to->answer.lookup(
		    to->arg, code, code == -ENOENT ? &absent : NULL);
		break;
	case ASK_OPEN:
		to->answer.open(to->arg, code, NULL, NULL);
		break;
	case ASK_FACTS:
		to->answer.facts(to->arg, code, NULL);
		break;
	case ASK_LIST:
		to->answer.list(to->arg, code, NULL);
		break;
	}
}

void ask_answer_attr(struct cache *cache, const struct ident *ident,
    const char *path, const struct ask_to *to, const struct meta_attr *attr)
{
	struct cache_attr shown;

	switch (to->kind) {
	case ASK_LOOKUP:
		meta_attr_show(attr, &shown);
		to->answer.lookup(to->arg, 0, &shown);
		break;
	case ASK_OPEN:
		open_answer(cache, ident, path, to, attr);
		break;
	case ASK_FACTS:
		facts_answer(cache, path, to, attr);
		break;
	case ASK_LIST:
		assert(false);
	}
}

/* Answer from what is fresh, or was. */
static bool answer_from(struct cache *cache, const struct ident *ident,
    const char *path, const struct ask_to *to, bool old)
{
	struct meta_attr attr;
	struct cache_listing *listing;
	enum meta_answer answer;

	if (to->kind == ASK_LIST) {
		listing = old ? meta_find_old_listing(cache, path)
		              : meta_find_listing(cache, path, false);
		if (listing != NULL)
			listing = meta_fold(cache, path, listing);
		if (listing == NULL)
			return false;
		listing_show(listing);
		to->answer.list(to->arg, 0, listing);
		return true;
	}
	answer = old ? meta_find_old(cache, path, &attr)
	             : meta_find(cache, path, &attr);
	if (answer == META_UNKNOWN && !old && to->kind == ASK_LOOKUP)
		answer = meta_find_lent(cache, path, &attr);
	if (answer == META_THERE)
		ask_answer_attr(cache, ident, path, to, &attr);
	else if (answer == META_ABSENT)
		ask_answer_code(to, -ENOENT, &attr);
	return answer != META_UNKNOWN;
}

/* The door is open: answer without a question. */
static bool answer_known(struct cache *cache, const struct ident *ident,
    const char *path, const struct ask_to *to)
{
	return answer_from(cache, ident, path, to, false) ||
	    (offline_now(cache) && answer_from(cache, ident, path, to, true));
}

/* The server has refused this path: a directory made up of the token's
 * scopes may still be shown, as long as it is believed. */
static bool answer_made_up(struct cache *cache, const struct ident *ident,
    const char *path, const char *server_path, const struct ask_to *to)
{
	struct cache_listing *listing;
	struct meta_attr attr;

	if (cache->config.shared || offline_now(cache))
		return reach_answer(cache, ident, path, server_path, to);
	if (!reach_any(cache, ident, server_path))
		return false;
	if (to->kind != ASK_LIST) {
		if (!meta_find_made_up(cache, path, &attr))
			return false;
		ask_answer_attr(cache, ident, path, to, &attr);
		return true;
	}
	listing = meta_find_listing(cache, path, true);
	if (listing == NULL)
		return false;
	to->answer.list(to->arg, 0, listing);
	return true;
}

/* One who has waited for a server that nobody can reach. */
static bool answer_offline(struct asker *asker)
{
	struct cache *cache = asker->cache;
	char server_path[PATH_BYTES_MAX];

	return offline_now(cache) &&
	    cache_server_path(cache, server_path, asker->path) == 0 &&
	    access_door(cache, &asker->ident, server_path,
	        ask_want(asker->to.kind), NULL) == 0 &&
	    answer_from(cache, &asker->ident, asker->path, &asker->to, true);
}

void ask_offline(struct asker *asker)
{
	if (answer_offline(asker))
		free(asker);
	else
		question_ask(asker);
}

void ask_refuse(struct asker *asker, int code, const struct meta_attr *attr)
{
	char server_path[PATH_BYTES_MAX];

	if ((code == -EHOSTUNREACH || code == -ETIMEDOUT) &&
	    answer_offline(asker)) {
		free(asker);
		return;
	}
	if (cache_server_path(asker->cache, server_path, asker->path) == 0)
		access_tell(asker->cache, &asker->ident, server_path,
		    ask_want(asker->to.kind), code);
	ask_answer_code(&asker->to, code, attr);
	free(asker);
}

static void admitted(void *arg, int code);

/* Where the door is not open: wait, or ask the server, or tell. */
static void stay_outside(struct asker *asker, const char *server_path, int code,
    bool may_ask, bool waited)
{
	struct cache *cache = asker->cache;

	if (access_can_wait(code) && !waited) {
		access_wait(cache,
		    &(struct access_ask){
		        .ident = &asker->ident,
		        .path = server_path,
		        .deadline_ms =
		            cache_now_ms(cache) + cache->config.timeout_ms,
		        .code = code,
		        .answer = admitted,
		        .arg = asker,
		    });
		return;
	}
	if (access_is_refused(code) &&
	    (may_ask ? answer_made_up(cache, &asker->ident, asker->path,
	                   server_path, &asker->to)
	             : reach_answer(cache, &asker->ident, asker->path,
	                   server_path, &asker->to))) {
		free(asker);
	} else if (may_ask) {
		question_ask(asker);
	} else {
		ask_refuse(asker, code, NULL);
	}
}

static void judge(struct asker *asker, bool waited)
{
	struct cache *cache = asker->cache;
	char server_path[PATH_BYTES_MAX];
	bool may_ask = false;
	int code = cache_server_path(cache, server_path, asker->path);

	if (code == 0)
		code = access_door(cache, &asker->ident, server_path,
		    ask_want(asker->to.kind), &may_ask);
	asker->proven = code == 0;
	if (code < 0)
		stay_outside(asker, server_path, code, may_ask, waited);
	else if (answer_known(cache, &asker->ident, asker->path, &asker->to))
		free(asker);
	else
		question_ask(asker);
}

static void admitted(void *arg, int code)
{
	struct asker *asker = arg;

	if (code == 0) {
		judge(asker, true);
		return;
	}
	ask_refuse(asker, code, NULL);
}

void ask_again(struct asker *asker)
{
	asker->alone = true;
	judge(asker, false);
}

void ask(struct cache *cache, const struct ident *ident, const char *path,
    const struct ask_to *to)
{
	char server_path[PATH_BYTES_MAX];
	size_t path_bytes = strlen(path) + 1;
	struct asker *asker;
	bool may_ask = false;
	int code = cache_server_path(cache, server_path, path);

	if (code < 0) {
		ask_answer_code(to, code, NULL);
		return;
	}
	code = access_door(
	    cache, ident, server_path, ask_want(to->kind), &may_ask);
	if (code == 0 && answer_known(cache, ident, path, to))
		return;
	asker = malloc(sizeof(*asker) + path_bytes);
	if (asker == NULL) {
		ask_answer_code(to, -ENOMEM, NULL);
		return;
	}
	list_init(&asker->place);
	asker->cache = cache;
	asker->ident = *ident;
	asker->proven = code == 0;
	asker->alone = false;
	asker->looked = false;
	asker->to = *to;
	(void)memcpy(asker->path, path, path_bytes);
	if (code != 0) {
		stay_outside(asker, server_path, code, may_ask, false);
		return;
	}
	question_ask(asker);
}

void cache_lookup(struct cache *cache, const struct ident *ident,
    const char *path, cache_attr_fn answer, void *arg)
{
	ask(cache, ident, path,
	    &(struct ask_to){
	        .kind = ASK_LOOKUP, .answer.lookup = answer, .arg = arg});
}

void cache_list(struct cache *cache, const struct ident *ident,
    const char *path, cache_listing_fn answer, void *arg)
{
	ask(cache, ident, path,
	    &(struct ask_to){
	        .kind = ASK_LIST, .answer.list = answer, .arg = arg});
	walk_lists(cache, ident, path);
}
