/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/director.c - see director.h. */
#include "fetch/federation/director.h"

#include "base/buf.h"
#include "base/path.h"
#include "fetch/answers/header.h"
#include "fetch/calls/request.h"
#include "fetch/document_impl.h"
#include "fetch/fetch.h"
#include "fetch/pelican.h"
#include "fetch/source.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* An answer as it comes. */
struct answer {
	struct buf headers; /* of the last one: not of a 1xx */
	size_t body_bytes;
	bool cut;      /* the rest of the body is not wanted */
	bool director; /* its Server header says so */
	struct director_said *said;
};

static void take_field(struct answer *answer, const struct header_field *field)
{
	static const char name[] = "pelican/";
	uint64_t value;

	if (header_is(field, "Server"))
		answer->director = field->value_bytes >= sizeof(name) - 1 &&
		    strncasecmp(field->value, name, sizeof(name) - 1) == 0;
	else if (header_is(field, "Retry-After") &&
	    header_content_length(field->value, field->value_bytes, &value) ==
	        0) {
		answer->said->wait_asked = true;
		answer->said->wait_s =
		    value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
	}
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	struct header_field field;

	if (header_status_line(line, size * count) > 0) {
		buf_clear(&answer->headers);
		answer->said->wait_asked = false;
		answer->director = false;
	} else if (header_split(line, size * count, &field) == 0) {
		take_field(answer, &field);
	}
	return buf_append(&answer->headers, line, size * count) == 0
	    ? size * count
	    : 0;
}

static size_t on_body(const char *bytes, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;

	(void)bytes;
	answer->body_bytes += size * count;
	answer->cut = answer->body_bytes > DIRECTOR_BODY_BYTES_MAX;
	return answer->cut ? 0 : size * count;
}

static int make_url(struct buf *out, const struct director_question *question)
{
	static const char *const places[] = {
	    [DIRECTOR_CACHES] = "/api/v1.0/director/object",
	    [DIRECTOR_ORIGINS] = "/api/v1.0/director/origin",
	    [DIRECTOR_SELF] = "",
	};

	const char *place = places[question->about];

	(void)buf_append(out, question->url, strlen(question->url));
	(void)buf_append(out, place, strlen(place));
	(void)path_encode(out, question->path);
	/* It is a directory that is asked about: no server need look. */
	if (question->about != DIRECTOR_SELF)
		(void)buf_append(out, "?skipstat", 9);
	return buf_code(out);
}

static void set_up(CURL *easy, const struct fetch_document_config *config,
    struct answer *answer, enum director_about about)
{
	document_set_up(easy, config);
	(void)curl_easy_setopt(
	    easy, CURLOPT_TIMEOUT_MS, (long)config->timeout_ms);
	(void)curl_easy_setopt(
	    easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->timeout_ms);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, answer);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
	/* A server's answer would be the data. */
	if (about == DIRECTOR_SELF)
		(void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
}

static int perform(
    CURL *easy, struct answer *answer, const char *url, struct err *err)
{
	char problem[CURL_ERROR_SIZE] = "";
	CURLcode result;
	long status = 0;

	if (curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK)
		return err_set(err, -ENOMEM, "out of memory");
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, problem);
	result = curl_easy_perform(easy);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	answer->said->status = (int)status;
	if (buf_code(&answer->headers) == -EMSGSIZE)
		return err_set(err, -EMSGSIZE, "more than %d KiB of headers",
		    PELICAN_HEADERS_BYTES_MAX / 1024);
	if (buf_code(&answer->headers) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (result != CURLE_OK && !answer->cut)
		return err_set(err, document_code_of(result), "%s",
		    problem[0] != '\0' ? problem : curl_easy_strerror(result));
	return 0;
}

/* A status that is no answer. What stands in front of a director that is
 * away says 404 as well. */
static int code_of(const struct answer *answer, struct err *err)
{
	int status = answer->said->status;

	if (status == 404 && answer->director)
		return err_set(err, -ENOENT,
		    "HTTP 404: it knows no such namespace, or no server that "
		    "has it");
	if (status == 405)
		return err_set(err, -EOPNOTSUPP,
		    "HTTP 405: no server of the namespace does that");
	if (status == 429)
		return err_set(err, -EBUSY,
		    "HTTP 429: it has just started, or is asked too much");
	return err_set(err, -EIO, "HTTP %d%s", status,
	    answer->director ? "" : ", and not of a director");
}

/* 2xx and 3xx are answers; a server that speaks for itself refuses who has no
 * token, and says what it is all the same. */
static bool is_answer(int status, enum director_about about)
{
	if (status >= 200 && status < 400)
		return true;
	return about == DIRECTOR_SELF && status >= 400 && status < 500;
}

static int ask(CURL *easy, struct answer *answer, const char *url,
    const struct director_question *question, struct pelican_facts *out,
    struct err *err)
{
	struct pelican_answer read = {.url = url, .path = question->path};
	int code = perform(easy, answer, url, err);

	if (code < 0)
		return code;
	if (!is_answer(answer->said->status, question->about))
		return code_of(answer, err);
	read.headers = buf_text(&answer->headers);
	read.headers_bytes = answer->headers.size_bytes;
	return pelican_facts_read(out, &read, err);
}

int director_ask(const struct fetch_document_config *config,
    const struct director_question *question, struct pelican_facts *out,
    struct director_said *said, struct err *err)
{
	struct answer answer = {.said = said};
	struct buf where;
	CURL *easy;
	int code;

	*said = (struct director_said){.status = 0};
	code = document_begin(&easy, question->url, err);
	if (code < 0)
		return code;
	buf_init(&where, FETCH_URL_BYTES_MAX);
	buf_init(&answer.headers, PELICAN_HEADERS_BYTES_MAX);
	code = make_url(&where, question);
	if (code < 0)
		(void)err_set(err, code, "%s", err_message(code));
	set_up(easy, config, &answer, question->about);
	if (code == 0)
		code = ask(easy, &answer, buf_text(&where), question, out, err);
	curl_easy_cleanup(easy);
	buf_fini(&answer.headers);
	buf_fini(&where);
	return code;
}
