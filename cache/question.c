/* SPDX-License-Identifier: Apache-2.0 */
/* cache/question.c - see question.h. */
#include "cache/question.h"

#include "base/clock.h"
#include "base/path.h"
#include "cache/core.h"
#include "cache/listing.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* One question in flight. */
struct question {
	struct list place; /* meta.questions */
	struct cache *cache;
	struct ident ident; /* whose token asks */
	bool list;
	struct list askers;
	unsigned refs; /* whoever sends it, and the answer; under meta_lock */

	/* Of one that is asked ahead. */
	bool ahead;
	atomic_bool wanted;   /* somebody has come to wait for it */
	uint64_t number;      /* for fetch_hurry(); 0 until known */
	uint32_t entries_max; /* more of them are not worth it */
	bool given_up;
	bool lend;

	struct meta_look look;
	struct cache_listing *listing; /* being filled */
	char server_path[PATH_BYTES_MAX];
	char path[];
};

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

static void question_put(struct question *question)
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

/* It is answered: nobody joins it any more. */
static void end_question(struct question *question, struct list *askers)
{
	struct meta *meta = &question->cache->meta;

	list_init(askers);
	meta_enter(meta);
	list_remove(&question->place);
	list_move_all(askers, &question->askers);
	meta_leave(meta);
}

static struct asker *next_asker(struct list *askers)
{
	struct list *item = list_pop(askers);

	return item == NULL ? NULL : CONTAINER_OF(item, struct asker, place);
}

/* Whether the answer to a question may be given to one who joined it: it is
 * the answer to their own token, or the door is open to them by itself. Else
 * they are sent on. */
static bool is_for(
    const struct question *question, struct asker *asker, int code)
{
	struct cache *cache = question->cache;

	if (access_same(cache, &question->ident, &asker->ident))
		return true;
	if (!access_is_of_token(code) &&
	    access_door(cache, &asker->ident, question->server_path,
	        ask_want(asker->to.kind), NULL) == 0)
		return true;
	ask_again(asker);
	return false;
}

/* One whose own token a server has refused: shown what their scopes lead to.
 */
static bool answer_reach(
    const struct question *question, const struct asker *asker, int code)
{
	return question->cache->config.shared && access_is_refused(code) &&
	    reach_answer(question->cache, &asker->ident, asker->path,
	        question->server_path, &asker->to);
}

/* Answer one who wants to know of attributes. */
static void give_attr(const struct question *question, struct asker *asker,
    int code, const struct meta_attr *attr)
{
	if (code < 0 && !answer_reach(question, asker, code)) {
		ask_refuse(asker, code, attr);
		return;
	}
	if (code == 0)
		ask_answer_attr(question->cache, &asker->ident, asker->path,
		    &asker->to, attr);
	free(asker);
}

/* Servers may say "not there" in place of "not for you": to whom the door is
 * not open by itself that says nothing to anybody else. */
static bool is_absent_for_all(const struct question *question)
{
	const struct cache *cache = question->cache;

	return !cache->config.shared ||
	    access_door(cache, &question->ident, question->server_path,
	        CACHE_LOOK, NULL) == 0;
}

/* Answer all that joined. @return whether one of them has looked a file up. */
static bool give_all(struct question *question, struct list *askers, int code,
    const struct meta_attr *attr)
{
	bool found = false;
	struct asker *asker;

	while ((asker = next_asker(askers)) != NULL) {
		found = found ||
		    (code == 0 && attr->kind == CACHE_FILE &&
		        asker->to.kind == ASK_LOOKUP);
		if (is_for(question, asker, code))
			give_attr(question, asker, code, attr);
	}
	return found;
}

static void stat_answered(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct question *question = arg;
	struct cache *cache = question->cache;
	struct meta_attr attr = {0};
	bool made_up = false;
	struct list askers;

	(void)err; /* fetch has logged it */
	if (code == 0) {
		meta_attr_of(&attr, stat, cache->seed, &cache->suspects,
		    &question->look);
	} else if (access_is_refused(code) && !cache->config.shared &&
	    reach_any(cache, &question->ident, question->server_path)) {
		made_up = true;
		code = 0;
		attr = reach_attr();
	}
	if (code == 0 || (code == -ENOENT && is_absent_for_all(question))) {
		meta_store(cache, question->path, code == 0 ? &attr : NULL,
		    made_up, &question->look);
		attr.fresh_until_ms = meta_fresh_until(
		    cache, code == 0 ? &attr : NULL, question->look.asked_ms);
	}
	end_question(question, &askers);
	if (give_all(question, &askers, code, &attr))
		walk_finds(cache, &question->ident, question->path);
	question_put(question);
}

static int list_entry(
    void *arg, const char *name, const struct fetch_stat *stat)
{
	struct question *question = arg;

	if (question->ahead && !atomic_load(&question->wanted) &&
	    cache_listing_count(question->listing) >= question->entries_max) {
		question->given_up = true;
		return -EFBIG;
	}
	return listing_add(question->listing, name, stat);
}

static void list_restart(void *arg)
{
	struct question *question = arg;

	listing_clear(question->listing);
}

/* Complete, or made up of the token's scopes, or a refusal. */
static int seal(struct question *question, int code)
{
	struct cache *cache = question->cache;
	struct listing_times times = ask_listing_times(cache, &question->look);
	bool made_up = false;

	if (access_is_refused(code) && !cache->config.shared) {
		struct cache_listing *listing = reach_listing(
		    cache, &question->ident, question->server_path);

		if (listing == NULL)
			return code;
		cache_listing_put(question->listing);
		question->listing = listing;
		made_up = true;
		code = 0;
	}
	if (code == 0)
		code = listing_seal(question->listing, &times);
	if (code == 0 && question->lend)
		listing_lend(
		    question->listing, question->look.asked_ms + META_LENT_MS);
	if (code == 0)
		meta_store_listing(
		    cache, question->path, question->listing, made_up);
	return code;
}

static void list_done(void *arg, int code, const struct err *err)
{
	struct question *question = arg;
	struct list askers;
	struct asker *asker;

	(void)err; /* fetch has logged it */
	code = seal(question, code);
	end_question(question, &askers);
	while ((asker = next_asker(&askers)) != NULL) {
		if (question->given_up) {
			ask_again(asker); /* who came too late */
			continue;
		}
		if (!is_for(question, asker, code))
			continue;
		if (code < 0 && !answer_reach(question, asker, code)) {
			ask_refuse(asker, code, NULL);
			continue;
		}
		if (code == 0) {
			listing_show(question->listing);
			asker->to.answer.list(
			    asker->to.arg, 0, listing_get(question->listing));
		}
		free(asker);
	}
	if (code == 0 && (!question->ahead || atomic_load(&question->wanted)))
		walk_enters(question->cache, &question->ident, question->path);
	question_put(question);
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
	question->look.asked_ms = cache_now_ms(cache);
	question->look.wall_s = clock_wall_s(cache->config.clock);
	(void)memcpy(question->path, path, path_bytes);
	if (list)
		question->listing =
		    listing_new(&cache->listing_room, ident->uid, cache->seed);
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
		        .entry = list_entry,
		        .restart = list_restart,
		        .done = list_done,
		        .arg = question,
		    });
	else
		fetch_stat(fetch, &question->ident, question->server_path, 0,
		    stat_answered, question);
	meta_enter(&cache->meta);
	question->number = number;
	meta_leave(&cache->meta);
	/* Who came before the number was known. */
	if (question->ahead && atomic_load(&question->wanted))
		fetch_hurry(fetch, number, question->ident.uid);
	question_put(question);
}

/* Whether a listing is known that will do. */
static bool is_known(struct cache *cache, const char *path, bool lend)
{
	struct cache_listing *known = meta_find_listing(cache, path, false);
	bool does = known != NULL &&
	    (!lend || listing_is_shown(known) ||
	        listing_is_lent(known, cache_now_ms(cache)));

	cache_listing_put(known);
	return does;
}

void question_list_ahead(struct cache *cache, const struct ident *ident,
    const char *path, uint32_t entries_max, bool lend)
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
	while ((asker = next_asker(&askers)) != NULL)
		ask_offline(asker);
}
