/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/redirect.c - see redirect.h.
 */
#include "fetch/calls/redirect.h"

#include "fetch/servers/server.h"
#include "fetch/source.h"

#include <errno.h>
#include <string.h>

/* The path of an absolute URL, without query: pointer and size. */
static const char *path_of(const char *url, size_t *size_bytes)
{
	const char *at = strstr(url, "://");

	at = at == NULL ? url : at + 3;
	at += strcspn(at, "/?#");
	*size_bytes = strcspn(at, "?#");
	return at;
}

/* nginx and Apache send a directory that was asked without a slash to its
 * name with one; behind a proxy that ends TLS the target has the wrong
 * scheme or port, so only host and path are compared and the target itself
 * is not used. */
static bool adds_a_slash(const char *base_url, const char *target_url)
{
	struct source_host base;
	struct source_host target;
	size_t base_bytes;
	size_t target_bytes;
	const char *base_path = path_of(base_url, &base_bytes);
	const char *target_path = path_of(target_url, &target_bytes);

	if (target_bytes != base_bytes + 1 || target_path[base_bytes] != '/' ||
	    memcmp(base_path, target_path, base_bytes) != 0)
		return false;
	if (source_host_of(&base, base_url) < 0 ||
	    source_host_of(&target, target_url) < 0)
		return false;
	return strcmp(base.host, target.host) == 0;
}

int redirect_look(struct redirect *out, struct buf *url,
    const struct redirect_rules *rules, const struct redirect_seen *seen,
    struct err *err)
{
	struct source_host host;
	int code;

	if (seen->location[0] == '\0')
		return err_set(err, -EBADMSG, "a redirect without a Location");
	code = source_resolve(url, seen->base_url, seen->location);
	if (code == -ENOMEM)
		return err_set(err, code, "out of memory");
	if (code < 0 || source_host_of(&host, buf_text(url)) < 0)
		return err_set(err, code < 0 ? code : -EBADMSG,
		    "a redirect to something that is no web address");

	*out = (struct redirect){.kind = REDIRECT_SLASH};
	if (adds_a_slash(seen->base_url, buf_text(url)))
		return 0;
	if (seen->followed >= REDIRECTS_MAX)
		return err_set(
		    err, -ELOOP, "more than %d redirects", (int)REDIRECTS_MAX);
	/* Its name is not told: the server chose it, and may have put the token
	 * into it. */
	if (rules->tls && !host.tls)
		return err_set(
		    err, -EPROTONOSUPPORT, "a redirect that leaves https");
	out->kind = REDIRECT_AWAY;
	out->token_may_go =
	    source_token_may_go(NULL, rules->hosts, rules->host_count, &host);
	for (unsigned i = 0; i < rules->server_count; i++)
		out->token_may_go = out->token_may_go ||
		    (!atomic_load(&rules->servers[i].absent) &&
		        source_token_may_go(
		            &rules->servers[i].source, NULL, 0, &host));
	return 0;
}
