/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/document.c - see document.h. */
#include "fetch/document.h"

#include "base/clock.h"
#include "fetch/answers/header.h"
#include "fetch/calls/request.h"
#include "fetch/document_impl.h"
#include "fetch/source.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

/* One answer as it comes. */
struct answer {
	struct buf *body;
	int64_t max_age_s; /* -1: not said */
	uint64_t end_ms;   /* of all requests together, monotonic */
	int code;          /* why it was cut off; 0: it was not */
};

bool fetch_document_proxied(void)
{
	return request_wants_proxy();
}

/* The seconds of a directive "max-age=N"; -1: it is another one. */
static int64_t max_age_of(const char *text, size_t size_bytes)
{
	static const char name[] = "max-age=";
	size_t n = sizeof(name) - 1;
	uint64_t value;

	while (size_bytes > 0 && (*text == ' ' || *text == '\t')) {
		text++;
		size_bytes--;
	}
	while (size_bytes > 0 &&
	    (text[size_bytes - 1] == ' ' || text[size_bytes - 1] == '\t'))
		size_bytes--;
	if (size_bytes <= n || strncasecmp(text, name, n) != 0 ||
	    header_content_length(text + n, size_bytes - n, &value) < 0)
		return -1;
	return value <= INT64_MAX ? (int64_t)value : -1;
}

/* RFC 9111, section 5.2: directives with commas between; the first max-age
 * counts. */
static void read_cache_control(
    struct answer *answer, const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;

	while (text < end && answer->max_age_s < 0) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		const char *stop = comma != NULL ? comma : end;

		answer->max_age_s = max_age_of(text, (size_t)(stop - text));
		text = comma != NULL ? comma + 1 : end;
	}
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	struct header_field field;

	if (header_status_line(line, size * count) > 0)
		answer->max_age_s = -1; /* of this answer, not of a 1xx */
	else if (header_split(line, size * count, &field) == 0 &&
	    header_is(&field, "Cache-Control"))
		read_cache_control(answer, field.value, field.value_bytes);
	return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;

	answer->code = buf_append(answer->body, bytes, size * count);
	return answer->code == 0 ? size * count : 0;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now,
    curl_off_t sent_total, curl_off_t sent)
{
	const atomic_bool *stop = arg;

	(void)total;
	(void)now;
	(void)sent_total;
	(void)sent;
	return atomic_load(stop) ? 1 : 0;
}

void document_set_up(CURL *easy, const struct fetch_document_config *config)
{
	if (config->stop != NULL) {
		(void)curl_easy_setopt(
		    easy, CURLOPT_XFERINFOFUNCTION, on_progress);
		(void)curl_easy_setopt(easy, CURLOPT_XFERINFODATA,
		    (void *)(uintptr_t)config->stop);
		(void)curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	}
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	(void)curl_easy_setopt(
	    easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (!config->proxied)
		(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "bearerfs");
	request_set_trust(easy, config->ca_file, config->ca_dir);
}

static void set_up(CURL *easy, const struct fetch_document_config *config,
    struct answer *answer)
{
	document_set_up(easy, config);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, answer);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
}

int document_code_of(CURLcode result)
{
	/* Those that are not named are rare or cannot happen here. */
	if (result == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	if (result == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	if (result == CURLE_COULDNT_RESOLVE_HOST ||
	    result == CURLE_COULDNT_RESOLVE_PROXY ||
	    result == CURLE_COULDNT_CONNECT)
		return -EHOSTUNREACH;
	if (result == CURLE_SSL_CONNECT_ERROR ||
	    result == CURLE_PEER_FAILED_VERIFICATION ||
	    result == CURLE_SSL_CACERT_BADFILE)
		return -EPROTO;
	return -EIO;
}

static int code_of_status(long status)
{
	if (status == 200)
		return 0;
	if (status == 404 || status == 410)
		return -ENOENT;
	if (status == 401 || status == 403)
		return -EACCES;
	return -EIO;
}

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 ||
	    status == 307 || status == 308;
}

/* Leave the next request what is left; curl takes 0 for "no limit". */
static int limit_time(CURL *easy, uint64_t end_ms, struct err *err)
{
	uint64_t now_ms = clock_now_ms(clock_system());

	if (now_ms >= end_ms)
		return err_set(err, -ETIMEDOUT, "no answer in time");
	(void)curl_easy_setopt(
	    easy, CURLOPT_TIMEOUT_MS, (long)(end_ms - now_ms));
	(void)curl_easy_setopt(
	    easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(end_ms - now_ms));
	return 0;
}

static int ask(CURL *easy, struct answer *answer, const char *url,
    struct err *err, const char *problem)
{
	CURLcode result;
	int code = limit_time(easy, answer->end_ms, err);

	buf_clear(answer->body);
	answer->max_age_s = -1;
	answer->code = 0;
	if (code < 0)
		return code;
	if (curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK)
		return err_set(err, -ENOMEM, "out of memory");
	result = curl_easy_perform(easy);
	if (answer->code == -EMSGSIZE)
		return err_set(err, -EMSGSIZE, "larger than %zu KiB",
		    answer->body->limit_bytes / 1024);
	if (answer->code < 0)
		return err_set(err, answer->code, "out of memory");
	if (result != CURLE_OK)
		return err_set(err, document_code_of(result), "%s",
		    problem[0] != '\0' ? problem : curl_easy_strerror(result));
	return 0;
}

/* The URL that a redirect leads to, in `url`. */
static int follow(CURL *easy, struct buf *url, struct err *err)
{
	char *target = NULL;
	struct source_host host;

	(void)curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &target);
	if (target == NULL || source_host_of(&host, target) < 0)
		return err_set(
		    err, -EIO, "a redirect to something that is no address");
	if (!host.tls)
		return err_set(
		    err, -EPROTONOSUPPORT, "a redirect that leaves https");
	/* A copy: the text is the handle's. */
	buf_clear(url);
	if (buf_append(url, target, strlen(target)) < 0)
		return err_set(
		    err, buf_code(url), "%s", err_message(buf_code(url)));
	return 0;
}

static int walk(CURL *easy, struct answer *answer, struct buf *url,
    struct tokens_document_facts *facts, struct err *err)
{
	char problem[CURL_ERROR_SIZE] = "";

	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, problem);
	for (unsigned followed = 0; followed <= DOCUMENT_REDIRECTS_MAX;
	     followed++) {
		long status = 0;
		int code = ask(easy, answer, buf_text(url), err, problem);

		if (code < 0)
			return code;
		(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		facts->status = (int)status;
		facts->max_age_s = answer->max_age_s;
		if (!is_redirect(status)) {
			code = code_of_status(status);
			return code < 0 ? err_set(err, code, "HTTP %ld", status)
			                : 0;
		}
		code = follow(easy, url, err);
		if (code < 0)
			return code;
	}
	return err_set(
	    err, -ELOOP, "more than %d redirects", DOCUMENT_REDIRECTS_MAX);
}

int document_begin(CURL **easy, const char *url, struct err *err)
{
	struct source_host host;

	*easy = NULL;
	if (source_host_of(&host, url) < 0 || !host.tls)
		return err_set(err, -EINVAL, "not an https URL");
	if (request_start_curl() == CURLE_OK)
		*easy = curl_easy_init();
	if (*easy == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int fetch_document(const struct fetch_document_config *config, const char *url,
    struct buf *out, struct tokens_document_facts *facts, struct err *err)
{
	struct answer answer = {
	    .body = out,
	    .end_ms = clock_now_ms(clock_system()) + config->timeout_ms,
	};
	struct buf where;
	CURL *easy;
	int code;

	*facts = (struct tokens_document_facts){.max_age_s = -1};
	code = document_begin(&easy, url, err);
	if (code < 0)
		return code;
	buf_init(&where, FETCH_URL_BYTES_MAX);
	code = buf_append(&where, url, strlen(url));
	if (code < 0)
		(void)err_set(err, code, "%s", err_message(code));
	set_up(easy, config, &answer);
	if (code == 0)
		code = walk(easy, &answer, &where, facts, err);
	buf_fini(&where);
	curl_easy_cleanup(easy);
	return code;
}
