/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/known.c - what is known of a path without asking: for those who
 * want to know why it gives what it gives. */
#include "cache/core.h"
#include "cache/paths/ask.h"

#include <errno.h>
#include <stdlib.h>

struct knowing {
	struct cache_known known;
	cache_known_fn answer;
	void *arg;
};

static void add_facts(void *arg, int code, const struct cache_facts *facts)
{
	struct knowing *knowing = arg;

	if (code == 0)
		knowing->known.facts = *facts;
	knowing->answer(knowing->arg, code, code == 0 ? &knowing->known : NULL);
	free(knowing);
}

/* Whether the one who asks is served without a server. */
static bool is_offline(const struct cache *cache, const struct ident *ident,
    const char *server_path, const struct meta_attr *attr)
{
	return offline_now(cache) &&
	    access_door(cache, ident, server_path,
	        attr->kind == CACHE_FILE ? CACHE_BYTES : CACHE_LOOK, NULL) == 0;
}

static void tell(struct cache *cache, const char *path,
    const struct meta_attr *attr, bool offline, cache_known_fn answer,
    void *arg)
{
	struct knowing *knowing = malloc(sizeof(*knowing));

	if (knowing == NULL) {
		answer(arg, -ENOMEM, NULL);
		return;
	}
	*knowing = (struct knowing){
	    .known = {.kind = attr->kind,
	        .made_up = attr->made_up,
	        .size_bytes = attr->version.size_bytes,
	        .fresh = cache_now_ms(cache) < attr->fresh_until_ms,
	        .offline = offline},
	    .answer = answer,
	    .arg = arg};
	facts_answer(cache, path,
	    &(struct ask_to){
	        .kind = ASK_FACTS, .answer.facts = add_facts, .arg = knowing},
	    attr);
}

void cache_known(struct cache *cache, const struct ident *ident,
    const char *path, cache_known_fn answer, void *arg)
{
	static const struct cache_known absent = {.absent = true};
	char server_path[PATH_BYTES_MAX];
	struct meta_attr attr;
	int code = cache_server_path(cache, server_path, path);

	/* To its owner it is told whatever their token is. */
	if (code == 0 && cache->config.shared)
		code = access_door(cache, ident, server_path, CACHE_LOOK, NULL);
	if (code < 0)
		answer(arg, code, NULL);
	else if (meta_find(cache, path, &attr) == META_ABSENT)
		answer(arg, 0, &absent);
	else if (meta_recall(cache, path, &attr) ||
	    meta_find_old(cache, path, &attr) == META_THERE)
		tell(cache, path, &attr,
		    is_offline(cache, ident, server_path, &attr), answer, arg);
	else
		answer(arg, -ENODATA, NULL);
}
