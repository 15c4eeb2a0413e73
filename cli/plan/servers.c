/* SPDX-License-Identifier: Apache-2.0 */
/* cli/plan/servers.c - see servers.h. */
#include "cli/plan/servers.h"

#include <errno.h>
#include <string.h>

#include "cli/options/names.h"

/* The hosts are what differs: two paths of one host are one server. */
static int check(const struct servers *servers, const struct fetch_source *last,
    const struct fetch_source *origin, struct err *err)
{
	if (origin->tls && !last->tls)
		return err_set(err, -EPROTONOSUPPORT,
		    "option server: http:// is not encrypted; use https://");
	if (strcmp(last->origin, origin->origin) == 0)
		return err_set(err, -EINVAL,
		    "option server: '%s' is that of the source, which is "
		    "always the last; leave it out",
		    last->origin);
	for (unsigned i = 0; i < servers->count; i++) {
		if (strcmp(last->origin, servers->of[i].origin) == 0)
			return err_set(err, -EINVAL,
			    "option server: '%s' is named twice", last->origin);
	}
	return 0;
}

static int take(struct servers *out, const char *url,
    const struct fetch_source *origin, struct err *err)
{
	struct fetch_source *last = &out->of[out->count];
	int code;

	if (out->count == SERVERS_MAX)
		return err_set(err, -EINVAL,
		    "option server: more than %d URLs; name fewer",
		    (int)SERVERS_MAX);
	code = fetch_source_parse(last, url, true, err);
	if (code < 0)
		return err_wrap(err, "option server");
	code = check(out, last, origin, err);
	if (code == 0)
		out->count++;
	return code;
}

int servers_parse(struct servers *out, const char *list,
    const struct fetch_source *origin, struct err *err)
{
	struct names names;
	int code = names_split(&names, "server", list, err);

	out->count = 0;
	for (unsigned i = 0; code == 0 && i < names.count; i++)
		code = take(out, names.names[i], origin, err);
	names_fini(&names);
	return code;
}
