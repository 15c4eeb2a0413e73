/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/writing.c - see writing.h. */
#include "fetch/servers/writing.h"

#include "fetch/answers/response.h"

void writing_saw(struct writing *writing, const struct response *response)
{
	/* As profile_saw(): a proxy's own error is no answer of the server. */
	if (response->status < 200 || response->status >= 500)
		return;
	if (response->xrootd || !response->dated)
		writing->software = WRITING_XROOTD;
	else if (response->nginx)
		writing->software = WRITING_NGINX;
	else if (response->apache)
		writing->software = WRITING_APACHE;
	else
		writing->software = WRITING_OTHER;
}

bool writing_put_is_whole(const struct writing *writing)
{
	return writing->software == WRITING_NGINX ||
	    writing->software == WRITING_APACHE;
}

bool writing_keeps_conditions(const struct writing *writing)
{
	return writing->software == WRITING_APACHE ||
	    (writing->software == WRITING_OTHER && writing->refused_condition);
}

bool writing_keeps_overwrite(const struct writing *writing)
{
	return writing->software == WRITING_NGINX ||
	    writing->software == WRITING_APACHE;
}

bool writing_moves_as_is(const struct writing *writing)
{
	return writing->software == WRITING_NGINX ||
	    writing->software == WRITING_APACHE ||
	    writing->software == WRITING_XROOTD;
}

bool writing_moves_beside(const struct writing *writing)
{
	return writing->software == WRITING_XROOTD && writing->led;
}

bool writing_plain_destination(const struct writing *writing)
{
	return writing->software == WRITING_XROOTD;
}
