/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/question_answer.c - what the server said goes to those who asked,
 * as far as it is for them. See question.h. */
#include "cache/core.h"
#include "cache/paths/listing.h"
#include "cache/paths/question.h"
#include "cache/paths/question_impl.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

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

/* Answer all that joined. @return whether one of them has looked it up, and it
 * is a file, or not there. */
static bool give_all(struct question *question, struct list *askers, int code,
    const struct meta_attr *attr)
{
	bool found = false;
	struct asker *asker;

	while ((asker = question_next_asker(askers)) != NULL) {
		found = found ||
		    (asker->to.kind == ASK_LOOKUP &&
		        (code == -ENOENT ||
		            (code == 0 && attr->kind == CACHE_FILE)));
		if (is_for(question, asker, code))
			give_attr(question, asker, code, attr);
	}
	return found;
}

/* Whether it tells of what was before we changed it. */
static bool is_outdated(struct question *question)
{
	struct meta *meta = &question->cache->meta;
	bool outdated;

	meta_enter(meta);
	outdated = question->outdated;
	meta_leave(meta);
	return outdated;
}

/* The answer is of what was there before we changed it. */
static void ask_all_again(struct list *askers)
{
	struct asker *asker;

	while ((asker = question_next_asker(askers)) != NULL)
		ask_again(asker);
}

/* What the server told, or what a token's reach lets be made up instead.
 * @return the code then. */
static int attr_of(const struct question *question, int code,
    const struct fetch_stat *stat, struct meta_attr *out, bool *made_up)
{
	struct cache *cache = question->cache;

	if (code == 0) {
		meta_attr_of(
		    out, stat, cache->seed, &cache->suspects, &question->look);
		was_apply(&cache->written, &cache->suspects,
		    was_key_of(question->path), out);
	} else if (access_is_refused(code) && !cache->config.shared &&
	    reach_any(cache, &question->ident, question->server_path)) {
		*made_up = true;
		*out = reach_attr();
		code = 0;
	}
	return code;
}

/* @return whether it was stored, or is not to be; false: it is outdated. */
static bool store_attr(
    struct question *question, int code, struct meta_attr *attr, bool made_up)
{
	struct cache *cache = question->cache;
	const struct meta_attr *there = code == 0 ? attr : NULL;
	bool current;

	if (is_outdated(question))
		return false;
	if (code != 0 && (code != -ENOENT || !is_absent_for_all(question)))
		return true;
	current =
	    meta_store(cache, question->path, there, made_up, &question->look);
	attr->fresh_until_ms =
	    meta_fresh_until(cache, there, question->look.asked_ms);
	return current;
}

void question_stat_answered(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct question *question = arg;
	struct cache *cache = question->cache;
	struct meta_attr attr = {0};
	bool made_up = false;
	bool current;
	bool looked = false;
	struct list askers;

	(void)err; /* fetch has logged it */
	code = attr_of(question, code, stat, &attr, &made_up);
	current = store_attr(question, code, &attr, made_up);
	end_question(question, &askers);
	if (!current)
		ask_all_again(&askers);
	else
		looked = give_all(question, &askers, code, &attr);
	if (looked && code == 0)
		walk_finds(cache, &question->ident, question->path);
	else if (looked)
		walk_misses(cache, &question->ident, question->path);
	question_put(question);
}

int question_list_entry(
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

void question_list_restart(void *arg)
{
	struct question *question = arg;

	listing_clear(question->listing);
}

/* Complete, or made up of the token's scopes, or a refusal. */
static int seal(struct question *question, int code, bool *outdated)
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
	if (code == 0 && question->lend != LEND_NOTHING)
		listing_lend(
		    question->listing, question->look.asked_ms + META_LENT_MS);
	if (code == 0 && question->lend == LEND_ABSENCES)
		listing_lend_absences(question->listing,
		    meta_fresh_until(cache, NULL, question->look.asked_ms));
	if (code == 0)
		*outdated = !meta_store_listing(
		    cache, question->path, question->listing, made_up);
	return code;
}

/* What was changed here while it was on its way is in it as well. */
static void amend(struct question *question)
{
	struct cache_listing *amended = meta_fold(
	    question->cache, question->path, listing_get(question->listing));

	if (amended == NULL)
		return; /* too large: those who wait are told what was */
	cache_listing_put(question->listing);
	question->listing = amended;
}

/* One of those who asked, in the end of a question. */
static void give_listing(
    struct question *question, struct asker *asker, int code)
{
	if (question->given_up) {
		ask_again(asker); /* who came too late */
		return;
	}
	if (!is_for(question, asker, code))
		return;
	if (code < 0 && !answer_reach(question, asker, code)) {
		ask_refuse(asker, code, NULL);
		return;
	}
	if (code == 0) {
		listing_show(question->listing);
		asker->to.answer.list(
		    asker->to.arg, 0, listing_get(question->listing));
	}
	free(asker);
}

void question_list_done(void *arg, int code, const struct err *err)
{
	struct question *question = arg;
	struct list askers;
	struct asker *asker;
	bool outdated;

	(void)err; /* fetch has logged it */
	outdated = is_outdated(question);
	if (!outdated)
		code = seal(question, code, &outdated);
	if (code == 0 && !outdated)
		amend(question);
	end_question(question, &askers);
	if (outdated)
		ask_all_again(&askers);
	while ((asker = question_next_asker(&askers)) != NULL)
		give_listing(question, asker, code);
	if (code == 0 && !outdated &&
	    (!question->ahead || atomic_load(&question->wanted)))
		walk_enters(question->cache, &question->ident, question->path);
	question_put(question);
}
