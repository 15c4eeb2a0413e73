/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control/refusals.c - see refusals.h. */
#include "cli/control/refusals.h"

#include "base/clock.h"
#include "tokens/tokens.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control/describe.h"

enum { SHOWN_MAX = 8 }; /* to a person */

void refusals_path(const struct describe *mount, char out[PATH_BYTES_MAX],
    const char *server_path)
{
	const char *below = server_path;

	if (strcmp(mount->source_path, "/") != 0 &&
	    path_is_within(server_path, mount->source_path))
		below += strlen(mount->source_path);
	if (strcmp(below, "/") == 0)
		below = "";
	(void)snprintf(out, PATH_BYTES_MAX, "%s%s", mount->mountpoint, below);
}

static const char *right_name(enum tokens_right right)
{
	switch (right) {
	case TOKENS_READ:
		return "read";
	case TOKENS_CREATE:
		return "create";
	case TOKENS_MODIFY:
		return "modify";
	case TOKENS_LIST:
		return "list";
	case TOKENS_LOOK:
	default:
		return "look";
	}
}

static void add_json(const struct describe *mount,
    const struct tokens_refusal *refusal, struct buf *out)
{
	char path[PATH_BYTES_MAX];
	char first[CLOCK_STAMP_BYTES];
	char last[CLOCK_STAMP_BYTES];

	clock_stamp(first, refusal->first_s);
	clock_stamp(last, refusal->last_s);
	refusals_path(mount, path, refusal->path);
	(void)buf_printf(out,
	    "{\"at\":\"%s\",\"first_at\":\"%s\",\"count\":%" PRIu64
	    ",\"uid\":%u,\"pid\":%d,\"right\":\"%s\",\"path\":",
	    last, first, refusal->count, (unsigned)refusal->uid,
	    (int)refusal->pid, right_name(refusal->right));
	(void)buf_json(out, path);
	(void)buf_printf(out, ",\"server_path\":");
	(void)buf_json(out, refusal->path);
	(void)buf_printf(
	    out, ",\"errno\":\"%s\",\"text\":", err_name(refusal->why.code));
	(void)buf_json(out, refusal->why.text);
	(void)buf_append(out, "}", 1);
}

void refusals_json(const struct describe *mount,
    const struct refusals_wanted *wanted, struct buf *out)
{
	unsigned count = 0;
	struct tokens_refusal *found =
	    tokens_refusals(mount->tokens, wanted->uid, wanted->path, &count);

	(void)buf_append(out, "[", 1);
	for (unsigned i = 0; i < count; i++) {
		if (i > 0)
			(void)buf_append(out, ",", 1);
		add_json(mount, &found[i], out);
	}
	(void)buf_append(out, "]", 1);
	free(found);
}

static void add_text(const struct describe *mount,
    const struct tokens_refusal *refusal, struct buf *out)
{
	char path[PATH_BYTES_MAX];
	char stamp[CLOCK_STAMP_BYTES];

	clock_stamp(stamp, refusal->last_s);
	refusals_path(mount, path, refusal->path);
	(void)buf_printf(out, "  %s %s ", stamp, err_name(refusal->why.code));
	(void)buf_visible(out, path);
	if (mount->shared)
		(void)buf_printf(out, " user %u", (unsigned)refusal->uid);
	if (refusal->count > 1)
		(void)buf_printf(out, " (%" PRIu64 " times)", refusal->count);
	(void)buf_append(out, ": ", 2);
	(void)buf_visible(out, refusal->why.text);
	(void)buf_append(out, "\n", 1);
}

void refusals_text(const struct describe *mount,
    const struct refusals_wanted *wanted, struct buf *out)
{
	unsigned count = 0;
	struct tokens_refusal *found =
	    tokens_refusals(mount->tokens, wanted->uid, wanted->path, &count);

	if (count > 0)
		(void)buf_printf(out, "refused lately:\n");
	for (unsigned i = 0; i < count && i < SHOWN_MAX; i++)
		add_text(mount, &found[i], out);
	if (count > SHOWN_MAX)
		(void)buf_printf(
		    out, "  and %u others; see --json\n", count - SHOWN_MAX);
	free(found);
}
