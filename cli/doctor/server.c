/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/doctor/server.c - what `bearerfs doctor` sees of the server, see
 * impl.h: does it answer, does it list, may the token read, and by
 * what are versions of a file told apart.
 */
#include "base/path.h"

#include <errno.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/doctor/impl.h"
#include "cli/options/options.h"

enum { FIND_DEPTH_MAX = 4 }; /* directories down to the first file */

bool doctor_contact(struct doctor *doctor)
{
	struct fetch_stat stat;
	struct err err = ERR_INIT;
	int code =
	    ask_stat(doctor->fetch, NULL, doctor->source.path, &stat, &err);

	if (code < 0 && fetch_untrusted(doctor->fetch))
		doctor_line(doctor->report, DOCTOR_FAIL, "server",
		    "%s; check the host name, or name the authority that "
		    "signed with -o ca_file=FILE",
		    err.text);
	else if (code == 0 || code == -EACCES || code == -ENOENT)
		doctor_line(doctor->report, DOCTOR_OK, "server",
		    "answers; what needs a token was not asked");
	else
		doctor_fail(doctor, "server", code, err.text);
	return true;
}

bool doctor_source(struct doctor *doctor)
{
	struct start_facts *facts = &doctor->facts;
	struct err err = ERR_INIT;
	int code = start_look(facts, doctor->tokens, doctor->fetch,
	    &doctor->ident, doctor->source.path, -1);

	if (code < 0) {
		doctor_line(doctor->report, DOCTOR_FAIL, "server",
		    "%s; free memory and descriptors", err_message(code));
		return false;
	}
	switch (start_judge(facts, doctor->options->source, false, &err)) {
	case START_GO:
		doctor_line(doctor->report, DOCTOR_OK, "server",
		    "answers to the token");
		break;
	case START_REFUSE:
		doctor_line(
		    doctor->report, DOCTOR_FAIL, "server", "%s", err.text);
		break;
	case START_WARN:
		/* What is said of a token has its remedy. */
		doctor_fail(doctor, "server", err.code,
		    facts->code < 0 ? facts->err.text : err.text);
		break;
	}
	return true;
}

static const char *way_of_listing(const struct doctor *doctor)
{
	return fetch_has_dav(doctor->fetch) ? "WebDAV" : "index pages";
}

static void tell_listing(struct doctor *doctor, int code,
    const struct ask_listing *listing, const char *why)
{
	struct doctor_report *report = doctor->report;

	if (code == -EACCES && doctor->facts.reach)
		doctor_line(report, DOCTOR_OK, "abilities",
		    "the token leads to what lies below, without a list");
	else if (code < 0)
		doctor_line(report, DOCTOR_WARN, "abilities",
		    "directories cannot be listed, files open by their path: "
		    "%s; ask for WebDAV (PROPFIND) or index pages there",
		    why);
	else
		doctor_line(report, DOCTOR_OK, "abilities",
		    "lists directories by %s: %s%u name%s here",
		    way_of_listing(doctor), listing->more ? "more than " : "",
		    listing->count, listing->count == 1 ? "" : "s");
}

static void take_first(void *arg, const char *name)
{
	char *first = arg;

	if (first[0] == '\0')
		(void)memcpy(first, name, strlen(name) + 1);
}

enum step { STEP_DOWN, STEP_FILE, STEP_NOWHERE };

/* From a directory to what is in it: `path` goes along. `first`: it is the
 * source, whose listing is told. */
static enum step step_down(
    struct doctor *doctor, char path[PATH_BYTES_MAX], bool first)
{
	char parent[PATH_BYTES_MAX];
	char reached[PATH_NAME_BYTES_MAX + 1] = "";
	struct ask_listing listing;
	struct err err = ERR_INIT;
	const char *name = reached;
	bool file = false;
	int code =
	    ask_list(doctor->fetch, &doctor->ident, path, &listing, &err);

	if (first)
		tell_listing(doctor, code, &listing, err.text);
	if (code == -ENOTDIR)
		return STEP_FILE; /* a scope led to it */
	if (code == -EACCES) {
		(void)tokens_reach(
		    doctor->tokens, &doctor->ident, path, take_first, reached);
	} else if (code == 0) {
		file = listing.file[0] != '\0';
		name = file ? listing.file : listing.directory;
	}
	(void)memcpy(parent, path, strlen(path) + 1);
	if (name[0] == '\0' || path_join(path, parent, name) < 0)
		return STEP_NOWHERE;
	return file ? STEP_FILE : STEP_DOWN;
}

/* List the source, and go down to a file: `path` is the source's. */
static bool find_file(struct doctor *doctor, char path[PATH_BYTES_MAX])
{
	enum step step = STEP_DOWN;

	for (unsigned depth = 0; step == STEP_DOWN && depth < FIND_DEPTH_MAX;
	     depth++)
		step = step_down(doctor, path, depth == 0);
	return step == STEP_FILE;
}

/* What the server does right: reading does without, so nothing here is a
 * failure. */
static void look_at_profile(struct doctor *doctor, const char *path,
    const struct fetch_version *version)
{
	struct fetch_abilities abilities;
	struct err err = ERR_INIT;

	if (ask_abilities(doctor->fetch, &doctor->ident, path, version,
	        &abilities, &err) < 0)
		doctor_line(doctor->report, DOCTOR_WARN, "profile",
		    "not found out: %s; run doctor again", err.text);
	else
		doctor_profile(doctor->report, &abilities);
}

/* What stands in front of the origin: the mount works without, so nothing
 * here is a failure. */
static void look_at_caches(struct doctor *doctor, const char *path,
    const struct fetch_version *version)
{
	const char *name;

	for (unsigned i = 0; (name = doctor_cache(doctor, i)) != NULL; i++) {
		char etag[FETCH_ETAG_BYTES];
		struct err err = ERR_INIT;
		int code = ask_byte(doctor->fetch,
		    &(struct fetch_range){.ident = &doctor->ident,
		        .path = path,
		        .version = version,
		        .only = i + 1},
		    etag, &err);

		if (code == 0)
			doctor_line(doctor->report, DOCTOR_OK, "server",
			    "%s gives the origin's version of '%s'", name,
			    path);
		else
			doctor_line(doctor->report, DOCTOR_WARN, "server",
			    "%s%s", err.text,
			    strchr(err.text, ';') != NULL
			        ? ""
			        : "; reads go past it: tell who runs it, or "
			          "leave it out");
	}
}

bool doctor_abilities(struct doctor *doctor)
{
	const struct start_facts *facts = &doctor->facts;
	struct doctor_report *report = doctor->report;
	char path[PATH_BYTES_MAX];
	char etag[FETCH_ETAG_BYTES] = "";
	struct fetch_stat stat;
	struct err err = ERR_INIT;
	int code;

	if (facts->code < 0 && !(facts->code == -EACCES && facts->reach))
		return true;
	(void)memcpy(
	    path, doctor->source.path, strlen(doctor->source.path) + 1);
	if (facts->code == 0 && !facts->directory) {
		doctor_line(report, DOCTOR_OK, "abilities",
		    "would list directories by %s", way_of_listing(doctor));
	} else if (!find_file(doctor, path)) {
		doctor_line(
		    report, DOCTOR_OK, "reading", "not tried: no file is near");
		return true;
	}
	code = ask_stat(doctor->fetch, &doctor->ident, path, &stat, &err);
	if (code == 0 && stat.version.size_bytes > 0)
		code = ask_byte(doctor->fetch,
		    &(struct fetch_range){.ident = &doctor->ident,
		        .path = path,
		        .version = &stat.version,
		        .only = FETCH_ONLY_ORIGIN},
		    etag, &err);
	if (code < 0) {
		doctor_fail(doctor, "reading", code, err.text);
		return true;
	}
	if (stat.version.size_bytes > 0)
		doctor_line(
		    report, DOCTOR_OK, "reading", "'%s' can be read", path);
	else
		doctor_line(report, DOCTOR_OK, "reading",
		    "not tried: '%s' is empty", path);
	doctor_validators(report, &stat.version, etag);
	if (stat.version.size_bytes > 0)
		look_at_profile(doctor, path, &stat.version);
	if (stat.version.size_bytes > 0)
		look_at_caches(doctor, path, &stat.version);
	return true;
}

bool doctor_time_of_server(struct doctor *doctor)
{
	int64_t skew_s = 0;
	bool known = fetch_skew_s(doctor->fetch, &skew_s);

	doctor_clock(doctor->report, known, skew_s);
	return true;
}
