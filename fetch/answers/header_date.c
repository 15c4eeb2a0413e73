/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/header_date.c - HTTP-date (RFC 9110, section 5.6.7): IMF-fixdate and
 * the two obsolete forms that a recipient must accept. See header.h.
 *
 * A pattern a form: the text is walked once, letter by letter. strptime(3)
 * is not used because it reads names in the locale's language and skips
 * blanks where none may stand.
 */
#include "fetch/answers/header.h"

#include <errno.h>
#include <string.h>

struct date {
	int year; /* as written: two or four digits */
	int month;
	int day;
	int hour;
	int minute;
	int second;
};

struct text {
	const char *at;
	const char *end;
};

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* The index of a three-letter name, in its exact case; -1: none. */
static int take_name(struct text *text, const char *names)
{
	if (text->end - text->at < 3)
		return -1;
	for (int i = 0; names[(size_t)i * 3] != '\0'; i++) {
		if (memcmp(names + (size_t)i * 3, text->at, 3) == 0) {
			text->at += 3;
			return i;
		}
	}
	return -1;
}

/* Exactly `digits` digits; -1: they are not there. */
static int take_digits(struct text *text, int digits)
{
	int value = 0;

	if (text->end - text->at < digits)
		return -1;
	for (int i = 0; i < digits; i++) {
		char c = *text->at++;

		if (c < '0' || c > '9')
			return -1;
		value = value * 10 + (c - '0');
	}
	return value;
}

static bool take_text(struct text *text, const char *wanted)
{
	size_t size_bytes = strlen(wanted);

	if ((size_t)(text->end - text->at) < size_bytes ||
	    memcmp(text->at, wanted, size_bytes) != 0)
		return false;
	text->at += size_bytes;
	return true;
}

/* What follows the three letters in the form of RFC 850. */
static bool take_day_rest(struct text *text)
{
	static const char *const rests[] = {
	    "day,", "sday,", "nesday,", "rsday,", "urday,"};

	for (size_t i = 0; i < ARRAY_COUNT(rests); i++) {
		if (take_text(text, rests[i]))
			return true;
	}
	return false;
}

static bool take_time(struct text *text, struct date *date)
{
	date->hour = take_digits(text, 2);
	if (!take_text(text, ":"))
		return false;
	date->minute = take_digits(text, 2);
	if (!take_text(text, ":"))
		return false;
	date->second = take_digits(text, 2);
	return true;
}

static bool take_part(struct text *text, char part, struct date *date)
{
	switch (part) {
	case 'w':
		return take_name(text, day_names) >= 0;
	case 'W':
		return take_day_rest(text);
	case 'D':
		date->day = take_digits(text, 2);
		return true;
	case 'd':
		date->day = take_digits(text, take_text(text, " ") ? 1 : 2);
		return true;
	case 'M':
		date->month = take_name(text, month_names);
		return true;
	case 'Y':
		date->year = take_digits(text, 4);
		return true;
	case 'y':
		date->year = take_digits(text, 2);
		return true;
	case 'T':
		return take_time(text, date);
	case 'Z':
		return take_text(text, "GMT");
	default:
		return take_text(text, (char[2]){part, '\0'});
	}
}

/*
 * Match the text against a form: w weekday name (3 letters), W its rest up
 * to a comma, D two-digit day, d the same with a blank for its first digit,
 * M month name, Y four-digit year, y two-digit, T hh:mm:ss, Z
 * "GMT", others themselves. A number that is not there becomes -1, which no calendar has.
 */
static bool matches(
    const char *at, size_t size_bytes, const char *form, struct date *date)
{
	struct text text = {at, at + size_bytes};

	for (const char *part = form; *part != '\0'; part++) {
		if (!take_part(&text, *part, date))
			return false;
	}
	return text.at == text.end;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool exists(const struct date *date)
{
	static const int days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (date->month < 0 || date->year < 1970)
		return false;
	/* 60: a leap second, which POSIX time does not have. */
	if (date->hour < 0 || date->hour > 23 || date->minute < 0 ||
	    date->minute > 59 || date->second < 0 || date->second > 60)
		return false;
	return date->day >= 1 &&
	    date->day <=
	    days[date->month] + (date->month == 1 && is_leap(date->year));
}

static int64_t seconds_of(const struct date *date)
{
	static const int before[] = {
	    0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t past = date->year - 1;
	int64_t days = past * 365 + past / 4 - past / 100 + past / 400 - 719162;

	days += before[date->month] + date->day - 1;
	if (date->month > 1 && is_leap(date->year))
		days++;
	return ((days * 24 + date->hour) * 60 + date->minute) * 60 +
	    date->second;
}

int header_date(
    const char *text, size_t size_bytes, int64_t now_s, int64_t *out_s)
{
	struct date date = {0};

	if (matches(text, size_bytes, "w, D M Y T Z", &date) ||
	    matches(text, size_bytes, "w M d T Y", &date)) {
		if (!exists(&date))
			return -EBADMSG;
		*out_s = seconds_of(&date);
		return 0;
	}
	if (!matches(text, size_bytes, "wW D-M-y T Z", &date) || date.year < 0)
		return -EBADMSG;
	/* Two digits: the year of this century, unless that is more than 50
	 * years ahead. A year has 31556952 s on the average. */
	date.year += 2000 + (int)((now_s / 31556952 + 1970 - 2000) / 100) * 100;
	if (!exists(&date))
		return -EBADMSG;
	if (seconds_of(&date) > now_s + INT64_C(50) * 31556952)
		date.year -= 100;
	if (!exists(&date))
		return -EBADMSG;
	*out_s = seconds_of(&date);
	return 0;
}
