/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/caveat.c - see caveat.h; and macaroon_scope(), which tells what is
 * left in the words of a scope. */
#include "tokens/claims/caveat.h"

#include "tokens/claims/macaroon.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	READS = 1u << TOKENS_READ,
	CREATES = 1u << TOKENS_CREATE,
	MODIFIES = 1u << TOKENS_MODIFY,
	TIME_BYTES = 19, /* 2019-04-17T09:51:22 */
};

static const struct activity {
	const char *name;
	unsigned rights;
} activities[] = {
    {"DOWNLOAD", READS},
    {"LIST", READS},
    {"READ_METADATA", READS},
    {"UPLOAD", CREATES},
    {"MANAGE", CREATES | MODIFIES},
    {"DELETE", MODIFIES},
    {"UPDATE_METADATA", MODIFIES},
    {"STAGE", 0},
};

void caveats_init(struct caveats *caveats)
{
	*caveats = (struct caveats){
	    .expires_s = UINT64_MAX,
	    .activities = (1u << ARRAY_COUNT(activities)) - 1,
	    .path_known = true,
	    .path = "/",
	};
}

unsigned caveats_rights(const struct caveats *caveats)
{
	unsigned rights = 0;

	for (size_t i = 0; i < ARRAY_COUNT(activities); i++)
		if ((caveats->activities & 1u << i) != 0)
			rights |= activities[i].rights;
	return rights;
}

/* Two or four digits. */
static bool take_digits(const char *text, size_t count, unsigned *out)
{
	*out = 0;
	for (size_t i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = *out * 10 + (unsigned)(text[i] - '0');
	}
	return true;
}

/* Days from 1970-01-01 to a day of the proleptic Gregorian calendar. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t shifted = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * shifted + 2) / 5 +
	    day - 1 - 719468;
}

/* "Z", "+01:00" or "-01:30" in seconds to be taken off. */
static bool take_zone(const char *text, size_t size_bytes, int64_t *out)
{
	unsigned hours;
	unsigned minutes;

	*out = 0;
	if (size_bytes == 1 && text[0] == 'Z')
		return true;
	if (size_bytes != 6 || (text[0] != '+' && text[0] != '-') ||
	    text[3] != ':' || !take_digits(text + 1, 2, &hours) ||
	    !take_digits(text + 4, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*out = ((int64_t)hours * 60 + minutes) * 60;
	if (text[0] == '-')
		*out = -*out;
	return true;
}

/* A time of RFC 3339; a fraction of a second is not granted. */
static bool take_time(const char *text, size_t size_bytes, uint64_t *out)
{
	static const unsigned lengths[] = {
	    31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned year, month, day, hour, minute, second;
	size_t at = TIME_BYTES;
	int64_t zone;
	int64_t when;

	if (size_bytes <= TIME_BYTES || text[4] != '-' || text[7] != '-' ||
	    text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
	    !take_digits(text, 4, &year) || !take_digits(text + 5, 2, &month) ||
	    !take_digits(text + 8, 2, &day) ||
	    !take_digits(text + 11, 2, &hour) ||
	    !take_digits(text + 14, 2, &minute) ||
	    !take_digits(text + 17, 2, &second))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1] ||
	    hour > 23 || minute > 59 || second > 60)
		return false;
	if (text[at] == '.') {
		at++;
		while (at < size_bytes && text[at] >= '0' && text[at] <= '9')
			at++;
		if (text[at - 1] == '.')
			return false;
	}
	if (!take_zone(text + at, size_bytes - at, &zone))
		return false;
	when = days_of(year, month, day) * 86400 + (int64_t)hour * 3600 +
	    (int64_t)minute * 60 + second - zone;
	*out = when > 0 ? (uint64_t)when : 0;
	return true;
}

static void take_before(
    struct caveats *caveats, const char *text, size_t size_bytes)
{
	uint64_t when;

	if (take_time(text, size_bytes, &when) && when < caveats->expires_s)
		caveats->expires_s = when;
}

/* Names between commas; unknown ones allow nothing that we know of. */
static void take_activities(
    struct caveats *caveats, const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;
	unsigned named = 0;

	while (text < end) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		const char *stop = comma != NULL ? comma : end;
		size_t n = (size_t)(stop - text);

		for (size_t i = 0; i < ARRAY_COUNT(activities); i++)
			if (strlen(activities[i].name) == n &&
			    memcmp(activities[i].name, text, n) == 0)
				named |= 1u << i;
		text = comma != NULL ? comma + 1 : end;
	}
	caveats->activities &= named;
}

/* A path below the one so far, even when it begins with a slash. */
static bool add_path(
    char path[PATH_BYTES_MAX], const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;

	while (text < end) {
		const char *slash = memchr(text, '/', (size_t)(end - text));
		const char *stop = slash != NULL ? slash : end;
		size_t n = (size_t)(stop - text);
		char name[PATH_NAME_BYTES_MAX + 1];

		if (n > 0 && (n != 1 || text[0] != '.')) {
			if (!path_name_ok(text, n))
				return false;
			memcpy(name, text, n);
			name[n] = '\0';
			if (path_join(path, path, name) < 0)
				return false;
		}
		text = slash != NULL ? slash + 1 : end;
	}
	return true;
}

void caveat_take(
    struct caveats *caveats, const unsigned char *bytes, size_t size_bytes)
{
	static const struct {
		const char *name;
		void (*take)(struct caveats *, const char *, size_t);
	} kinds[] = {
	    {"before:", take_before},
	    {"activity:", take_activities},
	};
	const char *text = (const char *)bytes;

	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		size_t n = strlen(kinds[i].name);

		if (size_bytes >= n && memcmp(text, kinds[i].name, n) == 0) {
			kinds[i].take(caveats, text + n, size_bytes - n);
			return;
		}
	}
	if (size_bytes >= 5 && memcmp(text, "path:", 5) == 0 &&
	    !add_path(caveats->path, text + 5, size_bytes - 5))
		caveats->path_known = false;
}

int macaroon_scope(char **out, const struct macaroon *macaroon)
{
	static const struct {
		unsigned right;
		const char *word;
	} words[] = {
	    {READS, "storage.read:"},
	    {CREATES, "storage.create:"},
	    {MODIFIES, "storage.modify:"},
	};
	struct buf text;
	int code;

	*out = NULL;
	if (macaroon->path == NULL)
		return 0;
	/* Each byte of a path may take three. */
	buf_init(&text, ARRAY_COUNT(words) * (3 * PATH_BYTES_MAX + 32));
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		if ((macaroon->rights & words[i].right) == 0)
			continue;
		(void)buf_printf(&text, "%s%s", text.size_bytes > 0 ? " " : "",
		    words[i].word);
		(void)path_encode(&text, macaroon->path);
	}
	code = buf_copy_text(&text, out);
	buf_fini(&text);
	return code;
}
