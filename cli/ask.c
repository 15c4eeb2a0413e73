/* SPDX-License-Identifier: Apache-2.0 */
/* cli/ask.c - see ask.h. */
#include "cli/ask.h"

#include "base/clock.h"

#include <errno.h>
#include <semaphore.h>
#include <string.h>

/* An answer on its way from the fetch thread. Posting is the last thing that
 * is done with it there. */
struct answer {
	sem_t come;
	int code;
	struct err *err;
	struct fetch_stat *stat;
	struct ask_listing *listing;
	bool file_is_empty; /* of the listing */
	char *etag;
	struct fetch_abilities *abilities;
};

static uint64_t deadline_ms(void)
{
	return clock_now_ms(clock_system()) + ASK_WAIT_MS;
}

static void begin(struct answer *answer, struct err *err)
{
	*answer = (struct answer){.err = err};
	(void)sem_init(&answer->come, 0, 0);
}

/* fetch answers every question exactly once. */
static int wait_answer(struct answer *answer)
{
	while (sem_wait(&answer->come) < 0 && errno == EINTR)
		continue;
	(void)sem_destroy(&answer->come);
	return answer->code;
}

static void take_done(void *arg, int code, const struct err *err)
{
	struct answer *answer = arg;

	answer->code = code;
	if (code < 0)
		*answer->err = *err;
	(void)sem_post(&answer->come);
}

static void take_stat(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct answer *answer = arg;

	if (code == 0)
		*answer->stat = *stat;
	take_done(arg, code, err);
}

int ask_stat(struct fetch *fetch, const struct ident *ident, const char *path,
    struct fetch_stat *out, struct err *err)
{
	struct answer answer;

	begin(&answer, err);
	answer.stat = out;
	if (ident != NULL)
		fetch_stat(
		    fetch, ident, path, deadline_ms(), take_stat, &answer);
	else
		fetch_stat_bare(fetch, path, deadline_ms(), take_stat, &answer);
	return wait_answer(&answer);
}

static void keep(char out[PATH_NAME_BYTES_MAX + 1], const char *name)
{
	(void)memcpy(out, name, strlen(name) + 1);
}

static int take_entry(
    void *arg, const char *name, const struct fetch_stat *stat)
{
	struct answer *answer = arg;
	struct ask_listing *listing = answer->listing;
	bool empty = stat->exact && stat->version.size_bytes == 0;

	if (listing->count == ASK_LISTED_MAX) {
		listing->more = true;
		return -EOVERFLOW; /* ends it */
	}
	listing->count++;
	if (stat->kind == FETCH_DIRECTORY) {
		if (listing->directory[0] == '\0')
			keep(listing->directory, name);
	} else if (listing->file[0] == '\0' ||
	    (answer->file_is_empty && !empty)) {
		keep(listing->file, name);
		answer->file_is_empty = empty;
	}
	return 0;
}

static void forget_entries(void *arg)
{
	struct answer *answer = arg;

	*answer->listing = (struct ask_listing){.count = 0};
}

int ask_list(struct fetch *fetch, const struct ident *ident, const char *path,
    struct ask_listing *out, struct err *err)
{
	struct answer answer;
	const struct fetch_lister lister = {.entry = take_entry,
	    .restart = forget_entries,
	    .done = take_done,
	    .arg = &answer};
	int code;

	*out = (struct ask_listing){.count = 0};
	begin(&answer, err);
	answer.listing = out;
	fetch_list(fetch, ident, path, deadline_ms(), &lister);
	code = wait_answer(&answer);
	return out->more ? 0 : code;
}

static int take_begin(void *arg, const char *etag)
{
	struct answer *answer = arg;

	(void)memcpy(answer->etag, etag, strlen(etag) + 1);
	return 0;
}

static void take_bytes(
    void *arg, uint64_t offset_bytes, const void *bytes, size_t size_bytes)
{
	(void)arg;
	(void)offset_bytes;
	(void)bytes;
	(void)size_bytes;
}

int ask_byte(struct fetch *fetch, const struct fetch_range *of,
    char etag[FETCH_ETAG_BYTES], struct err *err)
{
	struct answer answer;
	const struct fetch_sink sink = {.begin = take_begin,
	    .write = take_bytes,
	    .done = take_done,
	    .arg = &answer};
	struct fetch_range range = *of;

	range.length_bytes = 1;
	range.deadline_ms = deadline_ms();
	range.demand = true;
	etag[0] = '\0';
	begin(&answer, err);
	answer.etag = etag;
	(void)fetch_range(fetch, &range, &sink);
	return wait_answer(&answer);
}

static void take_abilities(void *arg, int code,
    const struct fetch_abilities *abilities, const struct err *err)
{
	struct answer *answer = arg;

	if (code == 0)
		*answer->abilities = *abilities;
	take_done(arg, code, err);
}

int ask_abilities(struct fetch *fetch, const struct ident *ident,
    const char *path, const struct fetch_version *version,
    struct fetch_abilities *out, struct err *err)
{
	struct answer answer;

	begin(&answer, err);
	answer.abilities = out;
	fetch_abilities(fetch, ident, path, version, take_abilities, &answer);
	return wait_answer(&answer);
}
