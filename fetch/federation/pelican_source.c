/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/pelican_source.c - pelican:// and osdf:// URLs: see pelican.h. */
#include "fetch/fetch.h"
#include "fetch/pelican.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PELICAN "pelican://"
#define OSDF    "osdf://"
/* The federation that osdf:// stands for. */
#define OSDF_HOST "osg-htc.org"

static bool begins(const char *text, const char *with)
{
	return strncasecmp(text, with, strlen(with)) == 0;
}

bool pelican_is_source(const char *url)
{
	return begins(url, PELICAN) || begins(url, OSDF);
}

/* The same as https://, which says what a host and a path are. "osdf://a/b" is
 * "osdf:///a/b": there is no host in it. */
static int rewrite(char *out, size_t size_bytes, const char *url)
{
	int n;

	if (begins(url, PELICAN)) {
		n = snprintf(
		    out, size_bytes, "https://%s", url + sizeof(PELICAN) - 1);
	} else {
		const char *path = url + sizeof(OSDF) - 1;

		n = snprintf(out, size_bytes, "https://" OSDF_HOST "/%s",
		    path + (path[0] == '/'));
	}
	return n < 0 || (size_t)n >= size_bytes ? -EINVAL : 0;
}

int pelican_source_parse(
    struct fetch_source *out, const char *url, struct err *err)
{
	char text[FETCH_URL_BYTES_MAX];
	char name[FETCH_NAME_BYTES];
	int code = rewrite(text, sizeof(text), url);

	if (code < 0)
		return err_set(err, code, "source: too long");
	if (begins(url, PELICAN "/"))
		return err_set(err, -EINVAL,
		    "source: no federation; write "
		    "pelican://FEDERATION/NAMESPACE");
	code = fetch_source_parse(out, text, false, err);
	if (code < 0)
		return code;
	if (out->path[1] == '\0')
		return err_set(err, -EINVAL,
		    "source: no namespace of the federation; write "
		    "pelican://FEDERATION/NAMESPACE or osdf:///NAMESPACE");
	/* Of a name that fills it the scheme takes two bytes more. */
	if (snprintf(name, sizeof(name), "%s%s", PELICAN,
	        out->origin + strlen("https://")) >= (int)sizeof(name))
		return err_set(err, -EINVAL, "source: too long");
	memcpy(out->origin, name, sizeof(name));
	return 0;
}
