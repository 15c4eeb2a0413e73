/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control/reasons.c - see reasons.h: what is known, and what follows from
 * it. reasons_tell.c puts it into words. */
#include "cli/control/reasons.h"

#include "base/clock.h"
#include "base/ident.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/control/describe.h"

/* Whose questions to the server are looked at: all that is asked on a mount
 * of one user is theirs. */
static uid_t asker(const struct describe *mount, const struct describe_to *to)
{
	return mount->shared ? to->ident->uid : geteuid();
}

int reasons_server_path(
    const struct describe *mount, char out[PATH_BYTES_MAX], const char *path)
{
	const char *root =
	    strcmp(mount->source_path, "/") == 0 ? "" : mount->source_path;
	const char *below = strcmp(path, "/") == 0 ? "" : path;
	int n = snprintf(out, PATH_BYTES_MAX, "%s%s", root, below);

	if (n == 0)
		memcpy(out, "/", 2);
	return n >= 0 && n < PATH_BYTES_MAX ? 0 : -ENAMETOOLONG;
}

static bool is_refused(int code)
{
	return code < 0 && code != -EAGAIN;
}

/* Whether a refusal is one of a directory that is shown all the same: the
 * names in it lead to what the token allows. */
static bool is_shown(const struct describe *mount, const struct ident *ident,
    const char *path, int code)
{
	return (code == -EACCES || code == -EKEYREJECTED) &&
	    tokens_reach(mount->tokens, ident, path, NULL, NULL) > 0;
}

static bool is_recent(const struct fetch_said *said, uint64_t now_s)
{
	return said->at_s + REASONS_SAID_S >= now_s;
}

/* Whether a program is stopped at this directory. */
static bool stops(struct reasons_stop *stop, const struct describe *mount,
    const struct describe_to *to, uint64_t now_s)
{
	const char *path = stop->server_path;
	struct tokens_explained look;
	struct fetch_said said;

	tokens_explain(mount->tokens, to->ident, path, TOKENS_LOOK, &look);
	stop->code = look.code;
	(void)snprintf(stop->why, sizeof(stop->why), "%s", look.why.text);
	if (is_refused(look.code))
		return !is_shown(mount, to->ident, path, look.code);
	if (!fetch_said(mount->fetch, asker(mount, to), path, &said) ||
	    (said.status != 404 && said.status != 410) ||
	    !is_recent(&said, now_s))
		return false;
	stop->code = -ENOENT;
	(void)snprintf(stop->why, sizeof(stop->why),
	    "the server said that there is no such directory (HTTP %d); check "
	    "the path",
	    said.status);
	return true;
}

/* Look at the directories between the root and the path. */
static void find_stop(struct reasons *out, const struct describe *mount,
    const struct describe_to *to)
{
	const char *path = out->server_path;
	size_t n = strcmp(mount->source_path, "/") == 0
	    ? 0
	    : strlen(mount->source_path);
	const char *slash = path + n;

	for (int i = 0; i < REASONS_DEPTH_MAX && *slash != '\0'; i++) {
		slash = strchr(slash + 1, '/');
		if (slash == NULL)
			break;
		(void)snprintf(out->stop.server_path,
		    sizeof(out->stop.server_path), "%.*s", (int)(slash - path),
		    path);
		if (stops(&out->stop, mount, to, out->now_s))
			return;
	}
	out->stop.server_path[0] = '\0';
}

/* What caches said of the path. */
static void find_tried(struct reasons *out, const struct describe *mount,
    const struct describe_to *to)
{
	out->tried_count = 0;
	for (unsigned nth = 1; nth < FETCH_SERVERS_MAX; nth++) {
		struct reasons_tried *tried = &out->tried[out->tried_count];
		bool known = fetch_said_by(mount->fetch, nth, asker(mount, to),
		    out->server_path, &tried->said, tried->url);

		if (known)
			out->tried_count++;
	}
}

/* What who asks has written there, and is not, or not only, on the server. */
static void find_draft(struct reasons *out, const struct describe *mount,
    const struct describe_to *to)
{
	const char *path = out->server_path;
	struct draft *draft;

	out->has_draft = false;
	if (mount->drafts == NULL)
		return;
	if (strcmp(mount->source_path, "/") != 0)
		path += strlen(mount->source_path);
	draft =
	    drafts_find(mount->drafts, to->ident, path[0] != '\0' ? path : "/");
	if (draft == NULL)
		return;
	out->has_draft = true;
	draft_attr(draft, &out->draft);
	draft_put(draft);
}

void reasons_find(struct reasons *out, const struct describe *mount,
    const struct describe_to *to)
{
	const char *path = out->server_path;

	tokens_explain(mount->tokens, to->ident, path, TOKENS_LOOK, &out->look);
	tokens_explain(mount->tokens, to->ident, path, TOKENS_READ, &out->read);
	out->leads =
	    tokens_reach(mount->tokens, to->ident, path, NULL, NULL) > 0;
	out->has_said =
	    fetch_said(mount->fetch, asker(mount, to), path, &out->said);
	find_tried(out, mount, to);
	find_draft(out, mount, to);
	out->silent_ms = fetch_silent_ms(mount->fetch);
	out->now_s = clock_wall_s(clock_system());
	find_stop(out, mount, to);
}

static bool is_there(const struct reasons *reasons)
{
	return reasons->known_code == 0 && !reasons->known.absent;
}

static bool is_directory(const struct reasons *reasons)
{
	return is_there(reasons) && reasons->known.kind == CACHE_DIRECTORY;
}

/* Conclude; @return true, so that a rule ends with it. */
PRINTF_LIKE(3, 4)
static bool conclude(
    struct reasons_verdict *verdict, int code, const char *format, ...)
{
	va_list args;

	verdict->code = code;
	va_start(args, format);
	(void)vsnprintf(verdict->text, sizeof(verdict->text), format, args);
	va_end(args);
	return true;
}

/* Each rule says whether it decides. */

static bool by_offline(
    const struct reasons *reasons, struct reasons_verdict *verdict)
{
	return is_there(reasons) && reasons->known.offline &&
	    conclude(verdict, 0,
	        "no server can be reached; what is known of it is served "
	        "(%s)%s",
	        reasons->known.facts.freshness,
	        is_directory(reasons) ||
	                reasons->known.facts.cached_percent == 100
	            ? ""
	            : ", and of its bytes what is cached");
}

static bool by_token(
    const struct reasons *reasons, struct reasons_verdict *verdict)
{
	const struct tokens_explained *token = &reasons->read;

	if (is_directory(reasons) || is_refused(reasons->look.code))
		token = &reasons->look;
	if (!is_refused(token->code))
		return false;
	if (reasons->leads &&
	    (token->code == -EACCES || token->code == -EKEYREJECTED))
		return conclude(verdict, 0,
		    "a directory above what the token allows: it shows the "
		    "names that lead there");
	return conclude(verdict, token->code, "%s", token->why.text);
}

static bool by_way(
    const struct reasons *reasons, struct reasons_verdict *verdict)
{
	const struct reasons_stop *stop = &reasons->stop;

	return stop->server_path[0] != '\0' &&
	    conclude(verdict, stop->code, "on the way, at '%.200s': %s",
	        stop->server_path, stop->why);
}

static bool by_status(const struct reasons *reasons, const char *ago,
    struct reasons_verdict *verdict)
{
	const struct fetch_said *said = &reasons->said;
	int status = said->status;

	/* Refusals are the door's, which knows of newer tokens. */
	if (status == 401 || status == 403)
		return false;
	if (status < 300)
		return said->code != 0 &&
		    conclude(verdict, -EIO,
		        "the server's answer %s was of no use (HTTP %d: %s); "
		        "tell its administrator",
		        ago, status, said->why);
	if (status == 404 || status == 410)
		return !(is_there(reasons) && reasons->known.fresh) &&
		    conclude(verdict, -ENOENT,
		        "the server said %s that there is no such file (HTTP "
		        "%d); check the path",
		        ago, status);
	return conclude(verdict, -EIO,
	    "the server said %s: HTTP %d, %s; try again, or tell its "
	    "administrator",
	    ago, status, said->why);
}

/* What was said of the path. */
static bool by_server(
    const struct reasons *reasons, struct reasons_verdict *verdict)
{
	uint64_t age_s = reasons->now_s > reasons->said.at_s
	    ? reasons->now_s - reasons->said.at_s
	    : 0;
	char ago[40];

	if (reasons->known_code == 0 && reasons->known.absent)
		return conclude(verdict, -ENOENT,
		    "the server says that there is no such file; check the "
		    "path");
	if (!reasons->has_said || !is_recent(&reasons->said, reasons->now_s))
		return false;
	(void)snprintf(ago, sizeof(ago), "%" PRIu64 " s ago", age_s);
	if (reasons->said.status != 0)
		return by_status(reasons, ago, verdict);
	return conclude(verdict, reasons->said.code,
	    "no answer came %s: %s; see that the server runs and can be "
	    "reached",
	    ago, reasons->said.why);
}

/* What is written here is what programs see. */
static bool by_draft(
    const struct reasons *reasons, struct reasons_verdict *verdict)
{
	const struct draft_attr *draft = &reasons->draft;

	if (!reasons->has_draft || !draft->unsent)
		return false;
	if (draft->code == 0)
		return conclude(verdict, 0,
		    "written here, and not on the server yet; bearerfs flush "
		    "waits for it");
	return conclude(verdict, draft->code,
	    "written here, and could not be sent; the data are in the spool: "
	    "bearerfs status tells why, bearerfs flush tries again");
}

void reasons_judge(
    const struct reasons *reasons, struct reasons_verdict *verdict)
{
	if (by_draft(reasons, verdict) || by_offline(reasons, verdict) ||
	    by_token(reasons, verdict) || by_way(reasons, verdict) ||
	    by_server(reasons, verdict))
		return;
	if (reasons->silent_ms >= 1000)
		(void)conclude(verdict, -ETIMEDOUT,
		    "the server has been silent for %" PRIu64
		    " s; see that it runs and can be reached",
		    reasons->silent_ms / 1000);
	else
		(void)conclude(verdict, 0, "%s",
		    is_there(reasons)
		        ? "nothing hinders it"
		        : "nothing is known against it; the server is asked "
		          "when it is used");
}
