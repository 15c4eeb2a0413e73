/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/change_lines.c - header lines of changes: where to, and of when. See
 * change_call.h.
 *
 * Sources: RFC 4918 section 10.3; nginx 1.22 gives a file the time of the Date
 * of its PUT; ownCloud's X-OC-Mtime.
 */
#include "fetch/changes/change_call.h"
#include "fetch/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Bytes that would end a header line, or be another name after it. */
static bool fits_plainly(const char *path)
{
	for (; *path != '\0'; path++) {
		if ((unsigned char)*path < ' ' || *path == 0x7f)
			return false;
	}
	return true;
}

/* Absolute, as XRootD wants it; RFC 4918 does too. XRootD 5.5.3 takes it as it
 * stands, but for what follows the last printable character of ASCII: "caf"
 * would come of "caf\xc3\xa9". The '?', which begins parameters, is one. */
int change_destination(struct buf *line, const struct fetch *fetch,
    const struct change_ask *ask, struct err *err)
{
	const struct fetch_server *server = fetch->origin;

	(void)buf_printf(line, "Destination: ");
	if (!writing_plain_destination(&server->writing)) {
		return server_url_of(
		    line, server, fetch->root, ask->to, ask->directory);
	}
	if (!fits_plainly(ask->to) ||
	    profile_name_ok(&server->profile, ask->to) < 0)
		return err_set(err, -EINVAL,
		    "this server cannot rename to a name with control "
		    "characters or a '?'");
	(void)buf_printf(line, "%s%s?", server->source.origin, ask->to);
	return buf_code(line);
}

void change_times(char date[CHANGE_DATE_BYTES], char mtime[CHANGE_DATE_BYTES],
    int64_t mtime_s)
{
	static const char days[][4] = {
	    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t time_s = mtime_s;
	struct tm tm;

	/* A date of HTTP has four digits of a year. */
	if (time_s < 0 || gmtime_r(&time_s, &tm) == NULL ||
	    tm.tm_year >= 9999 - 1900)
		return;
	(void)snprintf(date, CHANGE_DATE_BYTES,
	    "Date: %s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
	    tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	(void)snprintf(
	    mtime, CHANGE_DATE_BYTES, "X-OC-Mtime: %" PRId64, mtime_s);
}
