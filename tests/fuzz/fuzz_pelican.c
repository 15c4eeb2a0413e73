/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pelican - a director's headers, or, when it begins with a brace or a
 * blank, a federation's document. What is accepted must keep the promises of
 * pelican.h.
 */
#include "base/err.h"
#include "base/path.h"
#include "fetch/pelican.h"
#include "fetch/source.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_url(const char *url)
{
	const char *query = strchr(url, '?');
	struct source_host host;

	check(strlen(url) < FETCH_URL_BYTES_MAX);
	check(source_host_of(&host, url) == 0);
	check(host.tls && host.port != 0 && host.host[0] != '\0');
	check(strpbrk(url, "# \t\r\n") == NULL);
	if (query != NULL) {
		check(strncasecmp(query + 1, "authz=", 6) != 0);
		check(strcasestr(query, "&authz=") == NULL);
	}
}

static void check_issuers(const struct pelican_issuers *issuers)
{
	check(issuers->count <= PELICAN_ISSUERS_MAX);
	for (unsigned i = 0; i < issuers->count; i++) {
		check_url(issuers->names[i]);
		check(strlen(issuers->names[i]) <= PELICAN_ISSUER_BYTES_MAX);
		check(strpbrk(issuers->names[i], "?\"<>") == NULL);
		for (unsigned j = 0; j < i; j++)
			check(
			    strcmp(issuers->names[i], issuers->names[j]) != 0);
	}
}

static void check_servers(const struct pelican_facts *facts)
{
	check(facts->server_count <= PELICAN_SERVERS_MAX);
	for (unsigned i = 0; i < facts->server_count; i++) {
		const struct pelican_server *server = &facts->servers[i];

		check_url(server->url);
		check(server->priority >= PELICAN_PRIORITY_NONE);
		check(server->depth >= PELICAN_DEPTH_NONE);
		for (unsigned j = 0; j < i; j++)
			check(strcmp(server->url, facts->servers[j].url) != 0);
		if (i == 0 || server->priority == PELICAN_PRIORITY_NONE)
			continue;
		check(server[-1].priority != PELICAN_PRIORITY_NONE);
		check(server[-1].priority <= server->priority);
	}
}

static void read_headers(const char *text, size_t size_bytes)
{
	const struct pelican_answer answer = {.url = "https://d/ns/x",
	    .path = "/ns/x",
	    .headers = text,
	    .headers_bytes = size_bytes};
	struct pelican_facts facts;
	struct err err = ERR_INIT;
	int code = pelican_facts_read(&facts, &answer, &err);

	check(code == err.code && (code == 0) == (err.text[0] == '\0'));
	check(code == 0 || code == -EBADMSG || code == -ENOMSG);
	if (code < 0)
		return;
	check(path_is_normal(facts.namespace_path));
	check(path_is_within(answer.path, facts.namespace_path));
	if (facts.collections_url != NULL)
		check_url(facts.collections_url);
	check_issuers(&facts.issuers);
	check_issuers(&facts.generation.issuers);
	check(facts.generation.base_path_count <= PELICAN_BASE_PATHS_MAX);
	for (unsigned i = 0; i < facts.generation.base_path_count; i++)
		check(path_is_normal(facts.generation.base_paths[i]));
	check_servers(&facts);
	check(
	    (facts.ignored.count > 0) == (facts.ignored.first.text[0] != '\0'));
	pelican_facts_fini(&facts);
}

static void read_document(const char *text, size_t size_bytes)
{
	struct pelican_federation federation;
	struct err err = ERR_INIT;
	int code = pelican_federation_read(&federation, text, size_bytes, &err);

	check(code == err.code && (code == 0) == (err.text[0] == '\0'));
	check(code == 0 || code == -EBADMSG);
	if (code < 0)
		return;
	if (federation.director_url != NULL)
		check_url(federation.director_url);
	if (federation.registry_url != NULL)
		check_url(federation.registry_url);
	if (federation.jwks_url != NULL)
		check_url(federation.jwks_url);
	check(federation.director_count <= PELICAN_DIRECTORS_MAX);
	for (unsigned i = 0; i < federation.director_count; i++)
		check_url(federation.directors[i]);
	pelican_federation_fini(&federation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	const char *text = (const char *)data;

	if (size_bytes > 0 && (text[0] == '{' || text[0] == ' '))
		read_document(text, size_bytes);
	else
		read_headers(text, size_bytes);
	return 0;
}
