/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/question.c - see question.h. */
#include "cache/paths/question.h"

#include "base/path.h"
#include "cache/core.h"
#include "cache/paths/listing.h"
#include "cache/paths/question_impl.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static bool may_join(const struct question *question, const struct asker *asker)
{
	/* Another user's may have to wait for their turn. */
	return access_same(question->cache, &question->ident, &asker->ident) ||
	    (question->cache->config.shared && asker->proven && !asker->alone &&
	        question->ident.uid == asker->ident.uid);
}

static struct question *find_question(
    struct meta *meta, const struct asker *asker, bool list)
{
	for (struct list *item = meta->questions.next; item != &meta->questions;
	     item = item->next) {
		struct question *question =
		    CONTAINER_OF(item, struct question, place);

		if (question->list == list &&
		    strcmp(question->path, asker->path) == 0 &&
		    may_join(question, asker))
			return question;
	}
	return NULL;
}

void question_put(struct question *question)
{
	struct meta *meta = &question->cache->meta;
	bool last;

	meta_enter(meta);
	last = --question->refs == 0;
	meta_leave(meta);
	if (!last)
		return;
	cache_listing_put(question->listing);
	free(question);
}

/* Whether the same listing is on its way already. */
static bool is_asked(const struct meta *meta, const struct question *question)
{
	for (struct list *item = meta->questions.next; item != &meta->questions;
	     item = item->next) {
		const struct question *other =
		    CONTAINER_OF(item, struct question, place);

		if (other->list && strcmp(other->path, question->path) == 0 &&
		    other->ident.uid == question->ident.uid)
			return true;
	}
	return false;
}

static struct question *question_new(
    struct cache *cache, const struct ident *ident, const char *path, bool list)
{
	size_t path_bytes = strlen(path) + 1;
	struct question *question = calloc(1, sizeof(*question) + path_bytes);

	if (question == NULL)
		return NULL;
	list_init(&question->place);
	list_init(&question->askers);
	atomic_init(&question->wanted, false);
	question->refs = 2;
	question->cache = cache;
	question->ident = *ident;
	question->list = list;
	question->look = meta_look_now(cache);
	(void)memcpy(question->path, path, path_bytes);
	if (list)
		question->listing =
		    listing_new(&cache->listing_room, ident->uid, cache->seed);
	if (question->listing != NULL)
		listing_set_place(question->listing, was_place(path));
	if ((list && question->listing == NULL) ||
	    cache_server_path(cache, question->server_path, path) < 0) {
		cache_listing_put(question->listing);
		free(question);
		return NULL;
	}
	return question;
}

static void send_question(struct question *question)
{
	struct cache *cache = question->cache;
	struct fetch *fetch = cache->config.fetch;
	uint64_t number = 0;

	if (question->list)
		number = fetch_list(fetch, &question->ident,
		    question->server_path, !question->ahead,
		    &(struct fetch_lister){
		        .entry = question_list_entry,
		        .restart = question_list_restart,
		        .done = question_list_done,
		        .arg = question,
		    });
	else
		fetch_stat(fetch, &question->ident, question->server_path, 0,
		    question_stat_answered, question);
	meta_enter(&cache->meta);
	question->number = number;
	meta_leave(&cache->meta);
	/* Who came before the number was known. */
	if (question->ahead && atomic_load(&question->wanted))
		fetch_hurry(fetch, number, question->ident.uid);
	question_put(question);
}

/* Whether a listing is known that will do. */
static bool is_known(
    struct cache *cache, const char *path, enum question_lend lend)
{
	struct cache_listing *known = meta_find_listing(cache, path, false);
	uint64_t now_ms = cache_now_ms(cache);
	bool does = known != NULL &&
	    (lend == LEND_NOTHING || listing_is_shown(known) ||
	        (lend == LEND_FILES && listing_is_lent(known, now_ms)) ||
	        (lend == LEND_ABSENCES &&
	            listing_lends_absences(known, now_ms)));

	cache_listing_put(known);
	return does;
}

void question_list_ahead(struct cache *cache, const struct ident *ident,
    const char *path, uint32_t entries_max, enum question_lend lend)
{
	struct meta *meta = &cache->meta;
	struct question *question;

	if (is_known(cache, path, lend))
		return;
	question = question_new(cache, ident, path, true);
	if (question == NULL)
		return;
	question->ahead = true;
	question->entries_max = entries_max;
	question->lend = lend;
	meta_enter(meta);
	if (is_asked(meta, question)) {
		meta_leave(meta);
		cache_listing_put(question->listing);
		free(question);
		return;
	}
	list_push(&meta->questions, &question->place);
	meta_leave(meta);
	send_question(question);
}

/* Somebody waits for a question that may have been asked ahead. @return its
 * number, when it is to be hurried. */
static uint64_t want(struct question *question)
{
	if (!question->ahead || atomic_exchange(&question->wanted, true))
		return 0;
	return question->number;
}

void question_ask(struct asker *asker)
{
	struct cache *cache = asker->cache;
	struct meta *meta = &cache->meta;
	bool list = asker->to.kind == ASK_LIST;
	struct question *fresh = NULL;
	struct question *question;
	/* The asker may be gone once it has joined. */
	uid_t uid = asker->ident.uid;
	uint64_t hurry = 0;

	meta_enter(meta);
	question = find_question(meta, asker, list);
	if (question == NULL) {
		fresh = question_new(
		    asker->cache, &asker->ident, asker->path, list);
		question = fresh;
		if (fresh != NULL)
			list_push(&meta->questions, &fresh->place);
	}
	if (question != NULL) {
		list_push(&question->askers, &asker->place);
		hurry = want(question);
	}
	meta_leave(meta);
	if (question == NULL)
		ask_refuse(asker, -ENOMEM, NULL);
	else if (fresh != NULL)
		send_question(fresh);
	else if (hurry != 0)
		fetch_hurry(cache->config.fetch, hurry, uid);
}

/* Take those out who have not been looked at, each once. */
static void take_askers(struct meta *meta, struct list *out)
    REQUIRES(meta_lock);
static void take_askers(struct meta *meta, struct list *out)
{
	for (struct list *place = meta->questions.next;
	     place != &meta->questions; place = place->next) {
		struct question *question =
		    CONTAINER_OF(place, struct question, place);
		struct list *item = question->askers.next;

		while (item != &question->askers) {
			struct asker *asker =
			    CONTAINER_OF(item, struct asker, place);

			item = item->next;
			if (asker->looked)
				continue;
			asker->looked = true;
			list_remove(&asker->place);
			list_push(out, &asker->place);
		}
	}
}

void questions_serve(struct cache *cache)
{
	struct list askers;
	struct asker *asker;

	list_init(&askers);
	meta_enter(&cache->meta);
	take_askers(&cache->meta, &askers);
	meta_leave(&cache->meta);
	while ((asker = question_next_asker(&askers)) != NULL)
		ask_offline(asker);
}
