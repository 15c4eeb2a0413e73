/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/cluster.c - see cluster.h.
 */
#include "fetch/reads/cluster.h"

#include "fetch/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void cluster_init(struct cluster *cluster)
{
	*cluster = (struct cluster){.led = false};
	buf_init(&cluster->tried, CLUSTER_TRIED_BYTES_MAX);
}

void cluster_fini(struct cluster *cluster)
{
	buf_fini(&cluster->tried);
}

void cluster_forget(struct cluster *cluster)
{
	cluster->led = false;
	cluster->count = 0;
	buf_clear(&cluster->tried);
}

static bool is_among(const struct cluster *cluster, const char *host)
{
	const char *at = buf_text(&cluster->tried);
	size_t size_bytes = strlen(host);

	while (*at != '\0') {
		size_t one_bytes = strcspn(at, ",");

		if (one_bytes == size_bytes &&
		    memcmp(at, host, size_bytes) == 0)
			return true;
		at += one_bytes;
		at += *at == ',' ? 1 : 0;
	}
	return false;
}

int cluster_asked(struct cluster *cluster, const char *url)
{
	struct source_host at;
	char host[sizeof(at.host) + 2];
	int code;

	if (source_host_of(&at, url) < 0)
		return -EBADMSG;
	/* By host alone: that is what `tried=` takes. */
	if (strchr(at.host, ':') != NULL)
		(void)snprintf(host, sizeof(host), "[%s]", at.host);
	else
		(void)snprintf(host, sizeof(host), "%s", at.host);
	if (is_among(cluster, host))
		return 0;
	if (cluster->count == CLUSTER_SERVERS_MAX)
		return -E2BIG;
	(void)buf_printf(
	    &cluster->tried, "%s%s", cluster->count == 0 ? "" : ",", host);
	code = buf_code(&cluster->tried);
	if (code < 0)
		return code == -ENOMEM ? code : -E2BIG;
	cluster->count++;
	return 1;
}

const char *cluster_tried(const struct cluster *cluster)
{
	return cluster->count == 0 ? NULL : buf_text(&cluster->tried);
}
