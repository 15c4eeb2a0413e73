/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/federation/pelican.c - a director's answer, see pelican.h.
 *
 *     X-Pelican-Namespace: namespace=/ns, require-token=true,
 *         collections-url=https://origin:8443
 *     X-Pelican-Authorization: issuer=https://a, issuer=https://b
 *     X-Pelican-Token-Generation: issuer=https://a, max-scope-depth=3,
 *         strategy=OAuth2, base-path=/ns
 *     Link: <https://cache:8443/ns/x>; rel="duplicate"; pri=1; depth=1, ...
 */
#include "fetch/pelican.h"

#include "base/path.h"
#include "fetch/answers/header.h"
#include "fetch/federation/pelican_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const struct pelican_answer *answer;
	struct pelican_facts *facts;
	bool require_seen;
	bool collections_seen;
	bool rules_spoilt;  /* issuers and base paths are not to be used */
	const char *refuse; /* why the answer is, to follow "it"; or NULL */
};

static int refuse(struct reader *reader, const char *reason)
{
	reader->refuse = reason;
	return -EBADMSG;
}

static int take_name(struct reader *reader, const struct pelican_fact *fact)
{
	int code;

	if (reader->facts->namespace_path != NULL)
		return refuse(reader, "names two namespaces");
	code = pelican_path(&reader->facts->namespace_path, fact);
	return code == -EBADMSG ? refuse(reader,
	                              "names a namespace that is no absolute "
	                              "path without '//', '.' and '..'")
	                        : code;
}

static int take_collections(
    struct reader *reader, const struct pelican_fact *fact)
{
	struct pelican_facts *facts = reader->facts;
	int code;

	if (reader->collections_seen)
		return refuse(reader, "names two servers for listings");
	reader->collections_seen = true;
	if (fact->value_bytes == 0)
		return 0; /* older directors write "none" so */
	code = pelican_url(
	    &facts->collections_url, NULL, fact->value, fact->value_bytes);
	if (code == 0 || code == -ENOMEM)
		return code;
	pelican_ignore(
	    &facts->ignored, "collections-url %s", pelican_url_fault(code));
	return 0;
}

static int take_namespace(
    struct reader *reader, const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;
	struct pelican_fact fact;
	int code = 0;

	while (code == 0) {
		code = pelican_next_fact(&fact, &text, end);
		if (code < 0)
			return refuse(
			    reader, "describes it by no list of key=value");
		if (code == 0)
			return 0;
		code = 0;
		if (pelican_key_is(&fact, "namespace")) {
			code = take_name(reader, &fact);
		} else if (pelican_key_is(&fact, "collections-url")) {
			code = take_collections(reader, &fact);
		} else if (pelican_key_is(&fact, "require-token")) {
			if (reader->require_seen)
				return refuse(reader,
				    "says twice whether a token is needed");
			reader->require_seen = true;
			/* Words of Go's strconv.ParseBool. */
			reader->facts->token_required =
			    !pelican_value_is(&fact, "false") &&
			    !pelican_value_is(&fact, "f") &&
			    !pelican_value_is(&fact, "0");
		}
	}
	return code;
}

/* A header on tokens was read, or not. */
static int close_rules(struct reader *reader, const char *name, int code)
{
	if (code == 0 || code == -ENOMEM)
		return code;
	reader->rules_spoilt = true;
	pelican_ignore(&reader->facts->ignored,
	    "%s: malformed, not usable or too long; tokens are left to the "
	    "servers to judge",
	    name);
	return 0;
}

static int take_field(struct reader *reader, const struct header_field *field)
{
	struct pelican_facts *facts = reader->facts;
	const char *text = field->value;
	size_t size_bytes = field->value_bytes;

	if (header_is(field, "Link"))
		return pelican_read_links(
		    facts, reader->answer->url, text, size_bytes);
	if (header_is(field, "X-Pelican-Namespace"))
		return take_namespace(reader, text, size_bytes);
	if (header_is(field, "X-Pelican-Authorization"))
		return close_rules(reader, "X-Pelican-Authorization",
		    pelican_read_authorization(
		        &facts->issuers, text, size_bytes));
	if (header_is(field, "X-Pelican-Token-Generation"))
		return close_rules(reader, "X-Pelican-Token-Generation",
		    pelican_read_generation(
		        &facts->generation, &facts->ignored, text, size_bytes));
	return 0;
}

/* Nothing has been read yet; what was belonged to an interim answer. */
static void begin(struct reader *reader)
{
	struct pelican_facts *facts = reader->facts;

	pelican_facts_fini(facts);
	facts->token_required = true;
	*reader = (struct reader){.answer = reader->answer, .facts = facts};
}

static int take_lines(struct reader *reader)
{
	const char *at = reader->answer->headers;
	const char *end = at + reader->answer->headers_bytes;
	struct header_field field;
	int code = 0;

	while (at < end && code == 0) {
		const char *line = at;
		size_t size_bytes;

		at = memchr(line, '\n', (size_t)(end - line));
		at = at == NULL ? end : at + 1;
		size_bytes = (size_t)(at - line);
		if (header_status_line(line, size_bytes) > 0) {
			begin(reader);
			continue;
		}
		code = header_split(line, size_bytes, &field);
		if (code == 0)
			code = take_field(reader, &field);
		else if (code == -ENOMSG)
			code = 0;
		else
			code = refuse(reader, "has a malformed header line");
	}
	return code;
}

static void drop_rules(struct pelican_facts *facts)
{
	struct pelican_generation *generation = &facts->generation;

	pelican_free_texts(facts->issuers.names, &facts->issuers.count);
	pelican_free_texts(
	    generation->issuers.names, &generation->issuers.count);
	pelican_free_texts(
	    generation->base_paths, &generation->base_path_count);
}

/* All lines have been read. */
static int check(struct reader *reader, struct err *err)
{
	const struct pelican_facts *facts = reader->facts;

	if (facts->namespace_path == NULL)
		return err_set(err, -ENOMSG,
		    "director: its answer has no X-Pelican-Namespace; see "
		    "that director_endpoint is a Pelican director");
	if (!path_is_within(reader->answer->path, facts->namespace_path))
		return err_set(err, -EBADMSG,
		    "director: its answer is about '%.200s', which does not "
		    "hold '%.200s'",
		    facts->namespace_path, reader->answer->path);
	if (reader->rules_spoilt)
		drop_rules(reader->facts);
	return 0;
}

int pelican_facts_read(struct pelican_facts *out,
    const struct pelican_answer *answer, struct err *err)
{
	struct reader reader = {.answer = answer, .facts = out};
	int code;

	*out = (struct pelican_facts){.namespace_path = NULL};
	if (answer->headers_bytes > PELICAN_HEADERS_BYTES_MAX)
		return err_set(err, -EBADMSG,
		    "director: its answer has more than %d KiB of headers",
		    PELICAN_HEADERS_BYTES_MAX / 1024);
	begin(&reader);
	code = take_lines(&reader);
	if (code == 0)
		code = check(&reader, err);
	else if (reader.refuse != NULL)
		(void)err_set(
		    err, code, "director: its answer %s", reader.refuse);
	else
		(void)err_set(err, code, "director: %s", err_message(code));
	if (code < 0)
		pelican_facts_fini(out);
	return code;
}

void pelican_facts_fini(struct pelican_facts *facts)
{
	while (facts->server_count > 0)
		free(facts->servers[--facts->server_count].url);
	drop_rules(facts);
	free(facts->namespace_path);
	free(facts->collections_url);
	*facts = (struct pelican_facts){.namespace_path = NULL};
}
