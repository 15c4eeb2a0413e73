/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/federation_ask.c - the questions to a federation, and what follows
 * from their answers: see federation.h. */
#include "base/clock.h"
#include "base/log.h"
#include "fetch/federation/director.h"
#include "fetch/federation/federation_impl.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Of those that are advertised so many are asked in a row. */
	DIRECTORS_ASKED_MAX = 3,
};

/* Remember how a question went. */
static void note_step(struct federation *federation,
    struct federation_step *step, int code, int status, const struct err *err)
    REQUIRES(federation_lock);

static void note_step(struct federation *federation,
    struct federation_step *step, int code, int status, const struct err *err)
{
	step->at_s = clock_wall_s(federation->clock);
	step->code = code;
	step->status = status;
	(void)snprintf(
	    step->why, sizeof(step->why), "%s", code < 0 ? err->text : "");
}

static struct federation_outcome outcome_of(
    int code, const struct director_said *said)
{
	struct federation_outcome outcome = {.code = code,
	    .jitter = (uint32_t)clock_jitter(FEDERATION_JITTER_RANGE)};

	if (said != NULL && said->wait_asked)
		outcome.wait_ms = (uint64_t)said->wait_s * 1000;
	return outcome;
}

static const char *cure_of_document(int code)
{
	switch (-code) {
	case ENOENT:
		return "no federation is there; check its name";
	case EPROTO:
		return "check the name, or name the authority that signed "
		       "with -o ca_file=FILE";
	case EHOSTUNREACH:
	case ETIMEDOUT:
		return "check the network and the federation's name";
	default:
		return "that is no federation's document; check its name, or "
		       "tell who runs it";
	}
}

static const char *cure_of_director(int code)
{
	switch (-code) {
	case ENOENT:
		return "check the path, which begins with a namespace";
	case EPROTO:
		return "name the authority that signed with -o ca_file=FILE, "
		       "or tell who runs the federation";
	case EHOSTUNREACH:
	case ETIMEDOUT:
		return "check the network";
	case EBUSY:
		return "it is asked again soon";
	default:
		return "tell who runs the federation";
	}
}

/* Put who was asked, and the cure, around a sentence. */
static int explain(struct err *err, int code, const char *what, const char *url,
    const char *cure)
{
	struct err why = *err;

	return err_set(err, code, "%s %.200s: %.300s%s%s", what, url, why.text,
	    strchr(why.text, ';') != NULL ? "" : "; ",
	    strchr(why.text, ';') != NULL ? "" : cure);
}

static int get_document(struct federation *federation, const char *url,
    int *status, struct err *err)
{
	struct tokens_document_facts facts;
	struct pelican_federation document;
	struct buf text;
	int code;

	buf_init(&text, PELICAN_DOCUMENT_BYTES_MAX);
	code = fetch_document(&federation->ask, url, &text, &facts, err);
	*status = facts.status;
	if (code == 0)
		code = pelican_federation_read(
		    &document, buf_text(&text), text.size_bytes, err);
	buf_fini(&text);
	if (code < 0)
		return code;
	if (federation->has_document)
		pelican_federation_fini(&federation->document);
	federation->document = document;
	federation->has_document = true;
	return 0;
}

/* The document, when it is due. One that cannot be had leaves the old one in
 * force. */
static int refresh_document(struct federation *federation, struct err *err)
{
	uint64_t now_ms = clock_now_ms(federation->clock);
	struct federation_outcome outcome;
	char url[FETCH_NAME_BYTES + 64];
	int status = 0;
	bool due;
	int code;

	federation_enter(federation);
	due = federation_times_wants_document(&federation->times, now_ms);
	federation_leave(federation);
	if (!due && federation->has_document)
		return 0;
	(void)snprintf(url, sizeof(url),
	    "https://%s/.well-known/pelican-configuration",
	    strstr(federation->source.origin, "://") + 3);
	code = get_document(federation, url, &status, err);
	if (code < 0)
		code = explain(
		    err, code, "federation", url, cure_of_document(code));
	outcome = outcome_of(code, NULL);
	federation_enter(federation);
	(void)snprintf(federation->documents.url,
	    sizeof(federation->documents.url), "%s", url);
	note_step(federation, &federation->documents, code, status, err);
	federation_times_document(
	    &federation->times, clock_now_ms(federation->clock), &outcome);
	federation_leave(federation);
	return federation->has_document ? 0 : code;
}

/* What one director, or the server that has none, says. */
struct answers {
	struct pelican_facts caches;
	struct pelican_facts origins;
	bool has_origins;
	struct director_said said;
};

static void answers_fini(struct answers *answers)
{
	pelican_facts_fini(&answers->caches);
	if (answers->has_origins)
		pelican_facts_fini(&answers->origins);
}

static int ask_about(struct federation *federation, const char *url,
    enum director_about about, struct pelican_facts *facts,
    struct answers *answers, struct err *err)
{
	const struct director_question question = {
	    .url = url, .path = federation->source.path, .about = about};

	return director_ask(
	    &federation->ask, &question, facts, &answers->said, err);
}

/* The namespace may forbid to ask its origin: then none is told. */
static int ask_origins(struct federation *federation, const char *url,
    struct answers *out, struct err *err)
{
	int code = ask_about(
	    federation, url, DIRECTOR_ORIGINS, &out->origins, out, err);

	out->has_origins = code == 0;
	return code == -ENOENT || code == -EOPNOTSUPP ? 0 : code;
}

static int ask_director(struct federation *federation, const char *url,
    struct answers *out, struct err *err)
{
	int code =
	    ask_about(federation, url, DIRECTOR_CACHES, &out->caches, out, err);

	out->has_origins = false;
	if (code < 0)
		return code;
	code = ask_origins(federation, url, out, err);
	if (code < 0)
		pelican_facts_fini(&out->caches);
	return code;
}

/* The next director to be asked behind the one that the document names
 * first; NULL: there is none. */
static const char *director_at(
    const struct pelican_federation *document, unsigned nth)
{
	const char *first = document->director_url;

	if (nth == 0)
		return first;
	for (unsigned i = 0; i < document->director_count; i++) {
		if (strcmp(document->directors[i], first) != 0 && --nth == 0)
			return document->directors[i];
	}
	return NULL;
}

/* Ask one after the other; `url` is of the last one asked. */
static int ask_directors(struct federation *federation, const char **url,
    struct answers *out, struct err *err)
{
	int code = -ENOENT;

	for (unsigned i = 0; i < DIRECTORS_ASKED_MAX; i++) {
		const char *next = director_at(&federation->document, i);

		if (next == NULL || atomic_load(&federation->stop))
			break;
		*url = next;
		code = ask_director(federation, next, out, err);
		/* A director that knows no such namespace speaks for all. */
		if (code == 0 || code == -ENOENT)
			break;
	}
	return code;
}

/* A host without a director serves the objects itself. It may tell nothing of
 * a namespace: then that is the path. */
static int ask_self(struct federation *federation, const char *url,
    struct answers *out, struct err *err)
{
	int code =
	    ask_about(federation, url, DIRECTOR_SELF, &out->caches, out, err);

	out->has_origins = false;
	if (code == -ENOMSG) {
		out->caches = (struct pelican_facts){.token_required = true,
		    .namespace_path = strdup(federation->source.path)};
		code = out->caches.namespace_path == NULL ? -ENOMEM : 0;
	}
	if (code == 0 && out->caches.collections_url == NULL) {
		out->caches.collections_url = strdup(url);
		if (out->caches.collections_url == NULL) {
			pelican_facts_fini(&out->caches);
			code = err_set(err, -ENOMEM, "out of memory");
		}
	}
	return code;
}

/* Take over what was told. */
static int take(
    struct federation *federation, struct answers *answers, struct err *err)
{
	struct fetch_servers *servers = calloc(1, sizeof(*servers));
	struct fetch_servers *before = federation->servers;
	struct pelican_facts old = federation->facts;
	bool had = federation->has_facts;
	int code;

	if (servers == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	code = federation_servers_of(servers, federation->source.path,
	    &answers->caches, answers->has_origins ? &answers->origins : NULL,
	    err);
	if (code < 0) {
		free(servers);
		return code;
	}
	federation_enter(federation);
	federation->servers = servers;
	federation->facts = answers->caches;
	federation->has_facts = true;
	federation_leave(federation);
	answers->caches = (struct pelican_facts){.server_count = 0};
	free(before);
	if (had)
		pelican_facts_fini(&old);
	return 0;
}

static int ask_for_servers(struct federation *federation, struct err *err)
{
	struct answers answers = {.has_origins = false};
	struct federation_outcome outcome;
	char self[FETCH_NAME_BYTES];
	const char *url = self;
	int code;

	(void)snprintf(self, sizeof(self), "https://%.500s",
	    strstr(federation->source.origin, "://") + 3);
	code = federation->document.director_url != NULL
	    ? ask_directors(federation, &url, &answers, err)
	    : ask_self(federation, url, &answers, err);
	if (code == 0) {
		code = take(federation, &answers, err);
		answers_fini(&answers);
	}
	if (code < 0)
		code =
		    explain(err, code, "director", url, cure_of_director(code));
	outcome = outcome_of(code, &answers.said);
	federation_enter(federation);
	(void)snprintf(federation->director.url,
	    sizeof(federation->director.url), "%s", url);
	note_step(
	    federation, &federation->director, code, answers.said.status, err);
	federation_times_director(
	    &federation->times, clock_now_ms(federation->clock), &outcome);
	federation_leave(federation);
	return code;
}

int federation_ask(struct federation *federation, struct err *err)
{
	int code = refresh_document(federation, err);

	if (code == 0)
		code = ask_for_servers(federation, err);
	if (code < 0 && !atomic_load(&federation->stop))
		log_line(LOG_LEVEL_WARN, LOG_FETCH, "federation not asked",
		    "errno=%s why=%s", err_name(code), LOG_TEXT(err->text));
	return code;
}
