/* SPDX-License-Identifier: Apache-2.0 */
/* cli/doctor/profile.c - what the server can do of that which not every
 * server does right, told by `bearerfs doctor`: see checks.h. */
#include "fetch/abilities.h"

#include <string.h>

#include "cli/doctor/checks.h"

enum { PROFILE_TEXT_BYTES = 1024 };

static const char *word_of(enum fetch_ability ability)
{
	static const char *const words[] = {
	    [FETCH_ABILITY_UNKNOWN] = "unknown",
	    [FETCH_ABILITY_YES] = "yes",
	    [FETCH_ABILITY_NO] = "no",
	    [FETCH_ABILITY_WRONG] = "wrong",
	};

	return words[ability];
}

void doctor_profile(
    struct doctor_report *report, const struct fetch_abilities *abilities)
{
	const struct {
		const char *name;
		const char *text;
		enum fetch_ability ability;
	} rows[] = {
	    {"open_range", "open ranges", abilities->open_range},
	    {"range_past_end", "ranges past the end", abilities->past_end},
	    {"multi_range", "several ranges at once", abilities->multi_range},
	    {"checksum", "checksums", abilities->checksum},
	    {"listed_etag", "ETags in listings", abilities->listed_etag},
	    {"escaped_names", "names encoded", abilities->escaped},
	    {"http2", "HTTP/2", abilities->http2},
	};
	const char *algorithm = abilities->checksum == FETCH_ABILITY_YES
	    ? fetch_digest_name(abilities->algorithm)
	    : NULL;
	struct buf text;
	struct buf json;

	buf_init(&text, PROFILE_TEXT_BYTES);
	buf_init(&json, PROFILE_TEXT_BYTES);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		(void)buf_printf(&text, "%s%s %s", i > 0 ? ", " : "",
		    rows[i].text, word_of(rows[i].ability));
		if (rows[i].ability == FETCH_ABILITY_YES &&
		    strcmp(rows[i].name, "checksum") == 0)
			(void)buf_printf(&text, " (%s)", algorithm);
		(void)buf_printf(&json, "%s\"%s\":\"%s\"", i > 0 ? "," : "{",
		    rows[i].name, word_of(rows[i].ability));
	}
	(void)buf_printf(&json, ",\"checksum_algorithm\":");
	(void)buf_json(&json, algorithm);
	(void)buf_append(&json, "}", 1);
	report->more_name = "abilities";
	report->more = buf_text(&json);
	doctor_line(report, DOCTOR_OK, "profile", "%s", buf_text(&text));
	buf_fini(&text);
	buf_fini(&json);
}
