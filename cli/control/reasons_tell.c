/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control/reasons_tell.c - why a path gives what it gives, told to programs
 * and people; see reasons.h. */
#include "base/clock.h"
#include "base/ident.h"
#include "fetch/federation.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/control/describe.h"
#include "cli/control/reasons.h"
#include "cli/control/refusals.h"

static struct refusals_wanted wanted_refusals(
    const struct reasons *reasons, const struct describe_to *to)
{
	return (struct refusals_wanted){.uid = to->all ? NULL : &to->ident->uid,
	    .path = reasons->server_path};
}

static const char *kind_of(const struct reasons *reasons)
{
	if (reasons->known_code < 0)
		return NULL;
	if (reasons->known.absent)
		return "absent";
	return reasons->known.kind == CACHE_DIRECTORY ? "directory" : "file";
}

/* Why nothing is told of the cache; NULL: something is, or nothing is there.
 */
static const char *cache_problem(int code)
{
	if (code == 0 || code == -ENODATA)
		return NULL;
	if (code == -ETIMEDOUT)
		return "the cache's disk does not answer";
	return "it is told to those alone who may see the file";
}

/* JSON. */

static void add_errno(struct buf *out, const char *name, int code)
{
	(void)buf_printf(out, ",\"%s\":", name);
	(void)buf_json(out, code < 0 ? err_name(code) : NULL);
}

static void add_text_or_null(
    struct buf *out, const char *name, const char *text)
{
	(void)buf_printf(out, ",\"%s\":", name);
	(void)buf_json(out, text != NULL && text[0] != '\0' ? text : NULL);
}

static void add_door(
    struct buf *out, const char *name, const struct tokens_explained *door)
{
	(void)buf_printf(out, ",\"%s\":{\"ask\":%s,\"outside\":%s", name,
	    door->ask ? "true" : "false", door->outside ? "true" : "false");
	add_errno(out, "errno", door->code);
	add_text_or_null(out, "text", door->why.text);
	(void)buf_append(out, "}", 1);
}

/* The names of one that was said; the object is the caller's to close. */
static void add_one_said(struct buf *out, const struct fetch_said *said)
{
	char stamp[CLOCK_STAMP_BYTES];

	clock_stamp(stamp, said->at_s);
	(void)buf_printf(out,
	    "{\"at\":\"%s\",\"redirected\":%s,\"status\":", stamp,
	    said->redirected ? "true" : "false");
	if (said->status != 0)
		(void)buf_printf(out, "%d", said->status);
	else
		(void)buf_json(out, NULL);
	add_text_or_null(out, "text", said->why);
}

static void add_said(struct buf *out, const struct reasons *reasons)
{
	(void)buf_printf(out, ",\"said\":");
	if (reasons->has_said) {
		add_one_said(out, &reasons->said);
		(void)buf_append(out, "}", 1);
	} else {
		(void)buf_json(out, NULL);
	}
	(void)buf_printf(out, ",\"caches\":[");
	for (unsigned i = 0; i < reasons->tried_count; i++) {
		if (i > 0)
			(void)buf_append(out, ",", 1);
		add_one_said(out, &reasons->tried[i].said);
		add_text_or_null(out, "url", reasons->tried[i].url);
		(void)buf_append(out, "}", 1);
	}
	(void)buf_append(out, "]", 1);
}

static void add_cache(struct buf *out, const struct reasons *reasons)
{
	const struct cache_known *known = &reasons->known;
	bool there = reasons->known_code == 0 && !known->absent;

	(void)buf_printf(out, ",\"cache\":{\"kind\":");
	(void)buf_json(out, kind_of(reasons));
	if (there && known->kind == CACHE_FILE)
		(void)buf_printf(out,
		    ",\"size_bytes\":%" PRIu64 ",\"cached_percent\":%d",
		    known->size_bytes, known->facts.cached_percent);
	else
		(void)buf_printf(
		    out, ",\"size_bytes\":null,\"cached_percent\":null");
	add_text_or_null(
	    out, "freshness", there ? known->facts.freshness : NULL);
	add_text_or_null(out, "problem", cache_problem(reasons->known_code));
	(void)buf_append(out, "}", 1);
}

static void add_draft(struct buf *out, const struct reasons *reasons)
{
	const struct draft_attr *draft = &reasons->draft;

	(void)buf_printf(out, ",\"written\":");
	if (!reasons->has_draft) {
		(void)buf_printf(out, "null");
		return;
	}
	(void)buf_printf(out,
	    "{\"unsent\":%s,\"size_bytes\":%" PRIu64 ",\"send_errno\":",
	    draft->unsent ? "true" : "false", draft->attr.size_bytes);
	(void)buf_json(out, draft->code < 0 ? err_name(draft->code) : NULL);
	(void)buf_append(out, "}", 1);
}

static void add_places(struct buf *out, const struct reasons *reasons,
    const struct describe *mount)
{
	char path[PATH_BYTES_MAX];
	struct buf url;

	refusals_path(mount, path, reasons->server_path);
	(void)buf_printf(out, "{\"state\":\"running\",\"path\":");
	(void)buf_json(out, path);
	add_text_or_null(out, "mountpoint", mount->mountpoint);
	add_text_or_null(out, "source", mount->source);
	add_text_or_null(out, "server_path", reasons->server_path);
	buf_init(&url, (size_t)4 * PATH_BYTES_MAX);
	(void)buf_printf(&url, "%s", mount->origin);
	(void)path_encode(&url, reasons->server_path);
	add_text_or_null(out, "url", buf_text(&url));
	buf_fini(&url);
}

void reasons_json(const struct reasons *reasons, const struct describe *mount,
    const struct describe_to *to, struct buf *out)
{
	const struct refusals_wanted wanted = wanted_refusals(reasons, to);
	struct reasons_verdict verdict;

	reasons_judge(reasons, &verdict);
	add_places(out, reasons, mount);
	(void)buf_printf(out, ",\"token\":");
	(void)tokens_describe_used(
	    mount->tokens, to->ident, reasons->server_path, TOKENS_READ, out);
	add_door(out, "read", &reasons->read);
	add_door(out, "look", &reasons->look);
	add_text_or_null(out, "scope_needed", reasons->read.needed);
	add_text_or_null(out, "stopped_at", reasons->stop.server_path);
	add_said(out, reasons);
	(void)buf_printf(
	    out, ",\"server_silent_ms\":%" PRIu64, reasons->silent_ms);
	add_cache(out, reasons);
	add_draft(out, reasons);
	if (to->all)
		describe_federation(mount, out);
	(void)buf_printf(out, ",\"refusals\":");
	refusals_json(mount, &wanted, out);
	(void)buf_printf(
	    out, ",\"ok\":%s", verdict.code == 0 ? "true" : "false");
	add_errno(out, "errno", verdict.code);
	add_text_or_null(out, "verdict", verdict.text);
	(void)buf_printf(out, "}\n");
}

/* Text. */

static void put_door(
    struct buf *out, const char *what, const struct tokens_explained *door)
{
	if (door->code == 0 && door->outside) {
		(void)buf_printf(out,
		    "%s: the token's scope leaves it out, and no server has "
		    "refused it so far\n",
		    what);
	} else if (door->code == 0) {
		(void)buf_printf(out, "%s: allowed\n", what);
	} else if (door->code == -EAGAIN) {
		(void)buf_printf(out, "%s: the server decides\n", what);
	} else {
		(void)buf_printf(
		    out, "%s: refused, %s: ", what, err_name(door->code));
		(void)buf_visible(out, door->why.text);
		(void)buf_append(out, "\n", 1);
	}
}

static void put_one_said(
    struct buf *out, const struct fetch_said *said, uint64_t now_s)
{
	describe_duration(out, now_s > said->at_s ? now_s - said->at_s : 0);
	if (said->status != 0)
		(void)buf_printf(out, " ago HTTP %d, ", said->status);
	else
		(void)buf_printf(out, " ago no answer, ");
	(void)buf_visible(out, said->why);
	(void)buf_printf(
	    out, said->redirected ? " (where it redirects to)\n" : "\n");
}

static void put_said(struct buf *out, const struct reasons *reasons)
{
	if (!reasons->has_said) {
		(void)buf_printf(out,
		    "server: has not been asked for this very path lately\n");
	} else {
		(void)buf_printf(out, "server: ");
		put_one_said(out, &reasons->said, reasons->now_s);
	}
	for (unsigned i = 0; i < reasons->tried_count; i++) {
		(void)buf_printf(out, "server: %s: ", reasons->tried[i].url);
		put_one_said(out, &reasons->tried[i].said, reasons->now_s);
	}
}

static void put_cache(struct buf *out, const struct reasons *reasons)
{
	const struct cache_known *known = &reasons->known;
	const char *problem = cache_problem(reasons->known_code);

	(void)buf_printf(out, "cache: ");
	if (problem != NULL)
		(void)buf_printf(out, "%s", problem);
	else if (reasons->known_code < 0)
		(void)buf_printf(out, "nothing is known of it");
	else if (known->absent)
		(void)buf_printf(out, "it is known not to be there");
	else if (known->kind == CACHE_DIRECTORY)
		(void)buf_printf(
		    out, "a directory, %s", known->facts.freshness);
	else {
		(void)buf_printf(out, "a file of ");
		describe_bytes(out, known->size_bytes);
		(void)buf_printf(out, ", %d %% of it here, %s",
		    known->facts.cached_percent, known->facts.freshness);
	}
	(void)buf_append(out, "\n", 1);
}

/* What is written here. */
static void put_draft(struct buf *out, const struct reasons *reasons)
{
	const struct draft_attr *draft = &reasons->draft;

	if (!reasons->has_draft)
		return;
	(void)buf_printf(out, "written here: ");
	describe_bytes(out, draft->attr.size_bytes);
	if (!draft->unsent)
		(void)buf_printf(out, ", and on the server\n");
	else if (draft->code < 0)
		(void)buf_printf(out,
		    ", not on the server: %s, %s; it is tried again, bearerfs "
		    "status tells why, bearerfs flush tries at once\n",
		    err_name(draft->code), err_message(draft->code));
	else
		(void)buf_printf(out,
		    ", not on the server yet; bearerfs flush waits for it\n");
}

static void put_places(struct buf *out, const struct reasons *reasons,
    const struct describe *mount)
{
	char path[PATH_BYTES_MAX];

	refusals_path(mount, path, reasons->server_path);
	(void)buf_visible(out, path);
	(void)buf_printf(out, "\nmount: %s on ", mount->source);
	(void)buf_visible(out, mount->mountpoint);
	(void)buf_printf(
	    out, ", pid %d\nurl: %s", (int)getpid(), mount->origin);
	(void)path_encode(out, reasons->server_path);
	(void)buf_append(out, "\n", 1);
}

void reasons_text(const struct reasons *reasons, const struct describe *mount,
    const struct describe_to *to, struct buf *out)
{
	const struct refusals_wanted wanted = wanted_refusals(reasons, to);
	struct reasons_verdict verdict;

	reasons_judge(reasons, &verdict);
	put_places(out, reasons, mount);
	(void)tokens_describe_used_text(
	    mount->tokens, to->ident, reasons->server_path, TOKENS_READ, out);
	describe_end_line(out);
	put_door(out, "read", &reasons->read);
	put_door(out, "look", &reasons->look);
	if (reasons->read.needed[0] != '\0') {
		(void)buf_printf(out, "scope needed: ");
		(void)buf_visible(out, reasons->read.needed);
		(void)buf_append(out, "\n", 1);
	}
	if (mount->federation != NULL && to->all)
		(void)federation_describe_text(mount->federation, out);
	put_said(out, reasons);
	put_cache(out, reasons);
	put_draft(out, reasons);
	refusals_text(mount, &wanted, out);
	(void)buf_printf(out,
	    "verdict: %s: ", verdict.code == 0 ? "ok" : err_name(verdict.code));
	(void)buf_visible(out, verdict.text);
	(void)buf_append(out, "\n", 1);
}
