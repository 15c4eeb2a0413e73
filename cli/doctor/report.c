/* SPDX-License-Identifier: Apache-2.0 */
/* cli/doctor/report.c - the lines of `bearerfs doctor`, see checks.h. */
#include "fetch/fetch.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/doctor/checks.h"

void doctor_line(struct doctor_report *report, enum doctor_grade grade,
    const char *name, const char *format, ...)
{
	static const char *const words[] = {"ok  ", "warn", "FAIL"};
	static const char *const names[] = {"ok", "warn", "FAIL"};
	char text[2 * ERR_TEXT_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report->failed = report->failed || grade == DOCTOR_FAIL;
	if (report->json) {
		(void)buf_printf(&report->out,
		    "%s{\"name\":\"%s\",\"result\":\"%s\",\"text\":",
		    report->count > 0 ? "," : "", name, names[grade]);
		(void)buf_json(&report->out, text);
		if (report->more != NULL)
			(void)buf_printf(&report->out, ",\"%s\":%s",
			    report->more_name, report->more);
		(void)buf_printf(&report->out, "}");
	} else {
		for (char *at = text; *at != '\0'; at++)
			if ((unsigned char)*at < ' ' || *at == 0x7f)
				*at = '?';
		(void)buf_printf(
		    &report->out, "%s %s: %s\n", words[grade], name, text);
	}
	report->more = NULL;
	report->count++;
}

const char *doctor_cure(int code)
{
	switch (-code) {
	case EACCES:
		return "get a token whose scope covers the source's path";
	case ENOKEY:
	case EKEYEXPIRED:
		return "get a new token";
	case EKEYREJECTED:
		return "get a token of an issuer and for an audience that this "
		       "server takes";
	default:
		return "check host and port, and whether the server runs";
	}
}

void doctor_clock(struct doctor_report *report, bool known, int64_t skew_s)
{
	uint64_t off_s = skew_s < 0 ? 0 - (uint64_t)skew_s : (uint64_t)skew_s;

	if (!known)
		doctor_line(report, DOCTOR_OK, "clock",
		    "not compared: the server told no time");
	else if (off_s > TOKENS_SKEW_MAX_S)
		doctor_line(report, DOCTOR_WARN, "clock",
		    "this machine's is %" PRIu64
		    " s %s the server's; set the clock",
		    off_s, skew_s < 0 ? "behind" : "ahead of");
	else
		doctor_line(
		    report, DOCTOR_OK, "clock", "agrees with the server's");
}

void doctor_validators(struct doctor_report *report,
    const struct fetch_version *version, const char *etag)
{
	bool strong = version->etag[0] != '\0' || etag[0] != '\0';
	bool timed = version->mtime_s >= 0;

	if (version->etag[0] != '\0' && etag[0] != '\0')
		doctor_line(report, DOCTOR_OK, "validators",
		    "files have a strong ETag");
	else if (strong && timed)
		doctor_line(report, DOCTOR_OK, "validators",
		    "files have a time, and %s have a strong ETag",
		    etag[0] != '\0' ? "bytes" : "attributes");
	else if (strong)
		doctor_line(report, DOCTOR_OK, "validators",
		    "%s have a strong ETag; files have no time",
		    etag[0] != '\0' ? "bytes" : "attributes");
	else if (timed)
		doctor_line(report, DOCTOR_OK, "validators",
		    "files have a time and no strong ETag: after each range "
		    "the time is asked for once more");
	else
		doctor_line(report, DOCTOR_WARN, "validators",
		    "files have neither a strong ETag nor a time, so a change "
		    "that keeps the size is not seen; ask for ETag or "
		    "Last-Modified there");
}
