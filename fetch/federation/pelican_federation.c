/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/pelican_federation.c - a federation's discovery document, see
 * pelican.h. */
#include "fetch/answers/json.h"
#include "fetch/federation/pelican_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The members that matter. */
static const struct {
	const char *name;
	bool list;
	bool needed; /* unusable, it spoils the document */
} members[] = {
    {"director_endpoint", false, true},
    {"namespace_registration_endpoint", false, false},
    {"jwks_uri", false, false},
    {"director_advertise_endpoints", true, false},
};

enum { DIRECTOR, REGISTRY, JWKS, DIRECTORS, MEMBER_COUNT };

struct reader {
	struct pelican_federation *out;
	unsigned member; /* whose value is being read; MEMBER_COUNT: none */
	bool seen[MEMBER_COUNT];
	const char *reason; /* why it is refused, to follow "it"; or NULL */
	const char *about;  /* the member concerned; or NULL */
};

static int refuse(struct reader *reader, const char *reason, const char *about)
{
	reader->reason = reason;
	reader->about = about;
	return -EBADMSG;
}

/* A value that cannot be used. */
static int unusable(struct reader *reader)
{
	const char *name = members[reader->member].name;

	if (members[reader->member].needed)
		return refuse(reader, "has no https URL as", name);
	pelican_ignore(&reader->out->ignored, "'%s' is no https URL", name);
	return 0;
}

static int put_director(struct pelican_federation *out, char *url)
{
	if (out->director_count == PELICAN_DIRECTORS_MAX) {
		free(url);
		pelican_ignore(&out->ignored,
		    "more than %d directors are advertised",
		    PELICAN_DIRECTORS_MAX);
	} else {
		out->directors[out->director_count++] = url;
	}
	return 0;
}

static int put_url(struct reader *reader, char *url)
{
	switch (reader->member) {
	case DIRECTOR:
		reader->out->director_url = url;
		return 0;
	case REGISTRY:
		reader->out->registry_url = url;
		return 0;
	case JWKS:
		reader->out->jwks_url = url;
		return 0;
	default: /* DIRECTORS */
		return put_director(reader->out, url);
	}
}

static int take_url(struct reader *reader, const struct json_text *text)
{
	char *url;
	size_t n;
	int code;

	if (text->size_bytes == 0 && !text->bad)
		return 0;
	if (text->bad || memchr(text->bytes, '?', text->size_bytes) != NULL)
		return unusable(reader);
	code = pelican_url(&url, NULL, text->bytes, text->size_bytes);
	if (code == -ENOMEM)
		return code;
	if (code < 0)
		return unusable(reader);
	/* Paths are put behind it. */
	for (n = strlen(url); url[n - 1] == '/'; n--)
		url[n - 1] = '\0';
	return put_url(reader, url);
}

static int take_key(struct reader *reader, const struct json_text *text)
{
	for (unsigned i = 0; i < MEMBER_COUNT; i++) {
		if (!json_text_is(text, members[i].name))
			continue;
		if (reader->seen[i])
			return refuse(reader, "has twice", members[i].name);
		reader->seen[i] = true;
		reader->member = i;
		return 0;
	}
	reader->member = MEMBER_COUNT;
	return 0;
}

/* Something opens: the document itself, or the value of a member. */
static int take_opening(struct reader *reader, const struct json *json)
{
	int code;

	if (json->depth == 1)
		return json->in_object[1]
		    ? 0
		    : refuse(reader, "is no object", NULL);
	if (reader->member == MEMBER_COUNT ||
	    (members[reader->member].list && json->depth == 2 &&
	        !json->in_object[2]))
		return 0;
	code = unusable(reader);
	reader->member = MEMBER_COUNT; /* what is in it is nothing of ours */
	return code;
}

static int on_event(void *arg, enum json_event event, const struct json *json)
{
	struct reader *reader = arg;

	if (event == JSON_OPENED)
		return take_opening(reader, json);
	if (event == JSON_KEY && json->depth == 1)
		return take_key(reader, &json->text);
	if (event == JSON_CLOSED || reader->member == MEMBER_COUNT ||
	    (event == JSON_WORD && json_text_is(&json->text, "null")))
		return 0;
	if (event == JSON_STRING &&
	    (json->depth == 2) == members[reader->member].list)
		return take_url(reader, &json->text);
	return unusable(reader);
}

static int parse(struct reader *reader, const char *text, size_t size_bytes)
{
	struct json json;
	int code = 0;

	json_init(&json, on_event, reader);
	for (size_t i = 0; i < size_bytes && code == 0; i++)
		code = json_byte(&json, text[i]);
	if (code == 0 && !json_complete(&json))
		code = refuse(reader, "ends too early", NULL);
	if (json.reason != NULL)
		reader->reason = json.reason;
	return code;
}

int pelican_federation_read(struct pelican_federation *out, const char *text,
    size_t size_bytes, struct err *err)
{
	struct reader reader = {.out = out, .member = MEMBER_COUNT};
	int code;

	*out = (struct pelican_federation){.director_url = NULL};
	if (size_bytes > PELICAN_DOCUMENT_BYTES_MAX)
		code = refuse(&reader, "is larger than 64 KiB", NULL);
	else
		code = parse(&reader, text, size_bytes);
	if (code == 0)
		return 0;
	pelican_federation_fini(out);
	if (code != -EBADMSG)
		return err_set(err, code, "federation: %s", err_message(code));
	return err_set(err, code,
	    "federation: its pelican-configuration %s%s%s%s; see that the "
	    "name is that of a Pelican federation",
	    reader.reason, reader.about != NULL ? " '" : "",
	    reader.about != NULL ? reader.about : "",
	    reader.about != NULL ? "'" : "");
}

void pelican_federation_fini(struct pelican_federation *federation)
{
	free(federation->director_url);
	free(federation->registry_url);
	free(federation->jwks_url);
	pelican_free_texts(federation->directors, &federation->director_count);
	*federation = (struct pelican_federation){.director_url = NULL};
}
