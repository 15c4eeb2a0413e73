/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/issuer.c - see issuer.h. */
#include "tokens/verify/issuer.h"

#include "tokens/claims/json.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "https://"
#define OPENID "/.well-known/openid-configuration"
#define OAUTH  "/.well-known/oauth-authorization-server"

enum { SCHEME_BYTES = sizeof(SCHEME) - 1 };

static_assert(
    ISSUER_BYTES_MAX + sizeof(OAUTH) < ISSUER_URL_BYTES_MAX, "it fits");

/* https, a host without a user, no fragment, nothing but visible ASCII that
 * may stand in a URL. */
static bool is_https(const char *url, size_t bytes_max)
{
	const char *host = url + SCHEME_BYTES;
	size_t host_bytes;

	if (strncmp(url, SCHEME, SCHEME_BYTES) != 0 || strlen(url) > bytes_max)
		return false;
	host_bytes = strcspn(host, "/?#");
	if (host_bytes == 0 || host[0] == ':' ||
	    memchr(host, '@', host_bytes) != NULL)
		return false;
	for (const char *p = host; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f || strchr("\"<>\\^`{|}#", *p))
			return false;
	}
	return true;
}

int issuer_check(const char *issuer, struct err *err)
{
	if (is_https(issuer, ISSUER_BYTES_MAX) && strchr(issuer, '?') == NULL)
		return 0;
	return err_set(err, -EINVAL,
	    "issuer: '%.120s' is no issuer's name; it is an https URL "
	    "without user, '?' and '#', as the token's 'iss' has it",
	    issuer);
}

void issuer_url(
    char out[ISSUER_URL_BYTES_MAX], const char *issuer, enum issuer_form form)
{
	size_t n = strlen(issuer);
	size_t host = SCHEME_BYTES + strcspn(issuer + SCHEME_BYTES, "/");

	assert(n <= ISSUER_BYTES_MAX);
	if (issuer[n - 1] == '/')
		n--;
	if (form == ISSUER_OPENID)
		(void)snprintf(
		    out, ISSUER_URL_BYTES_MAX, "%.*s" OPENID, (int)n, issuer);
	else
		(void)snprintf(out, ISSUER_URL_BYTES_MAX, "%.*s" OAUTH "%.*s",
		    (int)host, issuer, (int)(n - host), issuer + host);
}

int issuer_read(char out[ISSUER_URL_BYTES_MAX], const char *text,
    size_t size_bytes, const char *issuer, struct err *err)
{
	__attribute__((cleanup(token_json_freep))) cJSON *object = NULL;
	const cJSON *name = NULL;
	const cJSON *uri = NULL;
	int code = token_json_parse_large(
	    &object, text, size_bytes, ISSUER_DOCUMENT_BYTES_MAX);

	if (code == -ENOMEM)
		return err_set(err, code, "out of memory");
	if (code < 0)
		return err_set(err, code, "it is no JSON object");
	if (token_json_member(&name, object, "issuer") < 0 ||
	    !cJSON_IsString(name) || strcmp(name->valuestring, issuer) != 0)
		return err_set(err, -EINVAL,
		    "it speaks for another issuer (its 'issuer' is not "
		    "'%.120s'); set issuer= to the very text that tokens "
		    "have as 'iss'",
		    issuer);
	if (token_json_member(&uri, object, "jwks_uri") < 0 ||
	    !cJSON_IsString(uri) ||
	    !is_https(uri->valuestring, ISSUER_URL_BYTES_MAX - 1))
		return err_set(err, -EINVAL, "its 'jwks_uri' is no https URL");
	(void)memcpy(out, uri->valuestring, strlen(uri->valuestring) + 1);
	return 0;
}

static int fetch(struct buf *out, struct tokens_document_facts *facts,
    const char *url, const struct issuer_source *source, struct err *err)
{
	int code;

	buf_clear(out);
	*facts = (struct tokens_document_facts){.max_age_s = -1};
	code = source->document(source->arg, url, out, facts, err);
	if (code == 0)
		code = buf_code(out);
	if (code < 0 && err->code == 0)
		(void)err_set(err, code, "%s", err_message(code));
	return code;
}

static int find_keys(char uri[ISSUER_URL_BYTES_MAX], struct buf *document,
    const char *issuer, const struct issuer_source *source, struct err *err)
{
	struct tokens_document_facts facts;
	int code = -EINVAL;

	for (int form = ISSUER_OPENID; form <= ISSUER_OAUTH; form++) {
		char url[ISSUER_URL_BYTES_MAX];
		struct err why = ERR_INIT;

		issuer_url(url, issuer, (enum issuer_form)form);
		code = fetch(document, &facts, url, source, &why);
		if (code == 0)
			code = issuer_read(uri, buf_text(document),
			    document->size_bytes, issuer, &why);
		if (code == 0) {
			*err = (struct err)ERR_INIT;
			return 0;
		}
		/* The first one's complaint is the one that helps: the second
		 * place is a rare one. */
		if (form == ISSUER_OPENID)
			(void)err_set(
			    err, code, "'%.200s': %.250s", url, why.text);
		if (code == -ENOMEM)
			break;
	}
	return code;
}

int issuer_fetch(struct buf *out, struct tokens_document_facts *facts,
    const char *issuer, const struct issuer_source *source, struct err *err)
{
	char uri[ISSUER_URL_BYTES_MAX];
	struct err why = ERR_INIT;
	int code = find_keys(uri, out, issuer, source, err);

	if (code < 0)
		return code;
	code = fetch(out, facts, uri, source, &why);
	if (code < 0)
		return err_set(err, code, "'%.200s': %.250s", uri, why.text);
	return 0;
}
