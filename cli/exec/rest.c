/* SPDX-License-Identifier: Apache-2.0 */
/* cli/exec/rest.c - what is unsent when the mount has ended; see leave.h. */
#include "base/buf.h"
#include "base/path.h"
#include "cache/spool/unsent.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/env.h"
#include "cli/exec/leave.h"
#include "cli/options/options.h"
#include "cli/plan/plan.h"
#include "cli/say.h"
#include "cli/unsent/list.h"

/* Below $_CONDOR_SCRATCH_DIR. */
#define UNSENT_DIR "/bearerfs-unsent"

enum {
	TOLD_MAX = 4096, /* files; of more the first are moved */
	PLACE_BYTES = sizeof(((struct spool_item *)NULL)->place),
	WHERE_BYTES_MAX = 16 * PATH_BYTES_MAX,
};

struct rest {
	const struct leave *leave;
	const char *scratch; /* NULL: it stays in the spool */
	struct {
		uint64_t serial;
		char *what; /* "https://host/path: why" */
	} * files;
	unsigned count;
};

static void describe(struct buf *out, const struct spool_item *item)
{
	(void)buf_visible(out, item->text[SPOOL_ORIGIN]);
	(void)buf_visible(out, item->text[SPOOL_PATH]);
	if (item->attr.state == SPOOL_OPEN || item->attr.state == SPOOL_ASIDE)
		(void)buf_printf(out, ": was not closed");
	else if (item->text[SPOOL_WHY][0] != '\0')
		(void)buf_printf(out, ": %s", item->text[SPOOL_WHY]);
}

/* An entry is named by its journal; the bytes of a file lie beside it. */
static const char *data_place(
    char out[PLACE_BYTES], const struct spool_item *item)
{
	size_t size_bytes;

	(void)snprintf(out, PLACE_BYTES, "%s", item->place);
	size_bytes = strlen(out);
	if (item->kind == SPOOL_FILE && size_bytes > 2 &&
	    strcmp(out + size_bytes - 2, ".j") == 0)
		out[size_bytes - 1] = 'd';
	return out;
}

/* It stays where it is. */
static void tell(const struct rest *rest, const struct spool_item *item)
{
	char place[PLACE_BYTES];
	const char *dir = rest->leave->plan->spool_dir;
	struct buf line;

	buf_init(&line, WHERE_BYTES_MAX);
	describe(&line, item);
	(void)buf_printf(
	    &line, "; its data are in %s/v1/%s", dir, data_place(place, item));
	if (unsent_has_cure(item)) {
		(void)buf_printf(&line, "; run: ");
		unsent_cure(&line, item, dir);
	}
	say("exec: not sent: %s", buf_text(&line));
	buf_fini(&line);
}

/* Noted for the move: who lists the spool does not change it. */
static int note(struct rest *rest, const struct spool_item *item)
{
	struct buf line;
	int code;

	buf_init(&line, WHERE_BYTES_MAX);
	describe(&line, item);
	rest->files[rest->count].serial = item->serial;
	rest->files[rest->count].what = strdup(buf_text(&line));
	code = rest->files[rest->count].what == NULL ? -ENOMEM : 0;
	buf_fini(&line);
	return code;
}

static int take_rest(void *arg, const struct spool_item *item)
{
	struct rest *rest = arg;
	int code = 0;

	if (!leave_is_ours(rest->leave, item) || item->busy)
		return 0;
	if (rest->count < TOLD_MAX && rest->scratch != NULL &&
	    item->kind == SPOOL_FILE)
		code = note(rest, item);
	else
		tell(rest, item);
	rest->count += rest->count < TOLD_MAX;
	return code;
}

static void move(
    struct spool *spool, const char *dir, const struct rest *rest, unsigned nth)
{
	const char *what = rest->files[nth].what;
	char name[SPOOL_TEXT_BYTES_MAX + 32];
	struct spool_entry *entry = NULL;
	struct err err = ERR_INIT;
	int code = spool_take(spool, rest->files[nth].serial, &entry, &err);

	if (code == 0)
		code = spool_export(&entry, dir, name, &err);
	if (code == 0)
		say("exec: not sent: %s; moved to %s/%s", what, dir, name);
	else
		say("exec: not sent: %s; could not be moved to %s (%s), and "
		    "stays in %s as number %" PRIu64,
		    what, dir, err.text, rest->leave->plan->spool_dir,
		    rest->files[nth].serial);
	spool_release(entry);
}

static void move_all(const struct rest *rest)
{
	char dir[PATH_MAX];
	struct spool *spool = NULL;
	struct err err = ERR_INIT;
	int n = snprintf(dir, sizeof(dir), "%s" UNSENT_DIR, rest->scratch);
	int code = n < 0 || n >= PATH_MAX
	    ? err_set(&err, -ENAMETOOLONG, "_CONDOR_SCRATCH_DIR: too long")
	    : unsent_open(&spool, rest->leave->plan->spool_dir, &err);

	if (code < 0)
		say("exec: what is unsent stays in %s: %s",
		    rest->leave->plan->spool_dir, err.text);
	for (unsigned i = 0; i < rest->count; i++) {
		if (code == 0 && rest->files[i].what != NULL)
			move(spool, dir, rest, i);
		free(rest->files[i].what);
	}
	spool_close(spool);
}

bool leave_settle(const struct leave *leave)
{
	struct rest rest = {
	    .leave = leave, .scratch = env_get("_CONDOR_SCRATCH_DIR")};
	struct err err = ERR_INIT;
	bool any;
	int code = 0;

	if (!leave->plan->options->rw)
		return false;
	if (rest.scratch != NULL && rest.scratch[0] != '/')
		rest.scratch = NULL;
	rest.files = calloc(TOLD_MAX, sizeof(*rest.files));
	if (rest.files == NULL)
		code = err_set(&err, -ENOMEM, "out of memory");
	else
		code =
		    unsent_each(leave->plan->spool_dir, take_rest, &rest, &err);
	if (code < 0)
		say("exec: spool '%s': %s; see bearerfs status",
		    leave->plan->spool_dir, err.text);
	any = rest.count > 0 || code < 0;
	if (rest.scratch != NULL && rest.count > 0)
		move_all(&rest);
	free(rest.files);
	return any;
}
