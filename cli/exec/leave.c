/* SPDX-License-Identifier: Apache-2.0 */
/* cli/exec/leave.c - see leave.h. */
#include "cli/exec/leave.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"
#include "cache/spool/unsent.h"
#include "fs/fs.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/env.h"
#include "cli/mounts.h"
#include "cli/options.h"
#include "cli/plan.h"
#include "cli/say.h"
#include "cli/unsent/list.h"
#include "cli/unsent/talk.h"

/* Below $_CONDOR_SCRATCH_DIR. */
#define UNSENT_DIR "/bearerfs-unsent"

enum {
	AGAIN_MS = 1000, /* before what failed is tried again */
	TOLD_MAX = 4096, /* files; more are counted only */
	PLACE_BYTES = sizeof(((struct spool_item *)NULL)->place),
	WHERE_BYTES_MAX = 16 * PATH_BYTES_MAX,
};

bool leave_may_heal(int code)
{
	switch (-code) {
	case EAGAIN:
	case EBUSY:
	case ECANCELED:
	case EHOSTUNREACH:
	case EIO:
	case EKEYEXPIRED:
	case EKEYREJECTED:
	case ENOKEY:
	case ENOMEM:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

/* ---- waiting ---- */

static int find_mount(struct mount_entry *out, const struct leave *leave)
{
	const struct plan *plan = leave->plan;
	struct err ignored = ERR_INIT;
	char *end = NULL;
	int code;

	if (!leave->private) {
		code = mounts_at(out, plan->mountpoint, &ignored);
		return code == 1 ? 0 : -ENOENT;
	}
	*out = (struct mount_entry){.owner = geteuid()};
	out->major = (unsigned)strtoul(plan->channel->device, &end, 10);
	if (*end != ':')
		return -ENOENT;
	out->minor = (unsigned)strtoul(end + 1, NULL, 10);
	return 0;
}

/* What the mount said last. */
struct moved {
	uint64_t files, unsent_bytes, sent_bytes;
};

/* Whether something has reached the server since, or is on its way there. */
static bool has_moved(struct moved *moved, const struct mount_entry *entry)
{
	struct err ignored = ERR_INIT;
	struct moved now = *moved;
	struct buf answer;
	bool is_more;

	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX);
	if (control_query(entry, "unsent", &answer, &ignored) == 0) {
		char *end = NULL;

		now.files = strtoull(buf_text(&answer), &end, 10);
		now.unsent_bytes = strtoull(end, &end, 10);
		now.sent_bytes = strtoull(end, &end, 10);
	}
	buf_fini(&answer);
	is_more = now.files < moved->files ||
	    now.unsent_bytes < moved->unsent_bytes ||
	    now.sent_bytes > moved->sent_bytes;
	*moved = now;
	return is_more;
}

/* COMMAND's, as far as can be told: of this source, and of its time. */
static bool is_ours(const struct leave *leave, const struct spool_item *item)
{
	const struct plan *plan = leave->plan;

	return item->uid == geteuid() && item->kind != SPOOL_TEMPORARY &&
	    item->attr.state != SPOOL_DAMAGED &&
	    strcmp(item->text[SPOOL_ORIGIN], plan->source.origin) == 0 &&
	    path_is_within(item->text[SPOOL_PATH], plan->source.path) &&
	    (item->since_s >= leave->began_s || item->when_s >= leave->began_s);
}

struct hope {
	const struct leave *leave;
	bool any;
};

static int look_for_hope(void *arg, const struct spool_item *item)
{
	struct hope *hope = arg;

	if (is_ours(hope->leave, item) && item->attr.state == SPOOL_FAILED &&
	    leave_may_heal(item->code))
		hope->any = true;
	return 0;
}

static bool may_heal(const struct leave *leave)
{
	struct hope hope = {.leave = leave};
	struct err ignored = ERR_INIT;

	return unsent_each(leave->plan->spool_dir, look_for_hope, &hope,
	           &ignored) == 0 &&
	    hope.any;
}

/* @return whether it is worth to go on. */
static bool goes_on(const struct leave *leave, int code)
{
	if (code == -EINTR || unsent_signals(NULL) > 0)
		return false;
	if (code == -ETIMEDOUT)
		return true; /* bytes may have moved */
	if (code != -EIO || !may_heal(leave))
		return false;
	(void)poll(NULL, 0, AGAIN_MS);
	return unsent_signals(NULL) == 0;
}

static void wait_for(const struct leave *leave, const struct mount_entry *entry)
{
	const uint64_t timeout_ms = leave->plan->timeout_ms;
	uint64_t now_ms = clock_now_ms(clock_system());
	uint64_t end_ms = now_ms + timeout_ms;
	struct moved moved = {.files = 0};
	struct err err = ERR_INIT;
	int code;

	(void)has_moved(&moved, entry);
	do {
		struct unsent_wait wait = {.entry = entry,
		    .path = "/",
		    .timeout_ms = end_ms - now_ms,
		    .signals_max = 1};

		code = unsent_wait(&wait, &err);
		if (code == 0)
			return;
		if (!wait.reached && code != -EINTR && code != -ETIMEDOUT) {
			say("exec: the mount does not answer (%s)", err.text);
			return;
		}
		if (has_moved(&moved, entry))
			end_ms = clock_now_ms(clock_system()) + timeout_ms;
		if (!goes_on(leave, code))
			break;
		now_ms = clock_now_ms(clock_system());
	} while (now_ms < end_ms);
}

void leave_flush(const struct leave *leave)
{
	struct mount_entry entry;
	sigset_t ending;
	int code;

	if (!leave->plan->options->rw)
		return;
	code = find_mount(&entry, leave);
	if (code < 0) {
		say("exec: the mount cannot be asked to send what is unsent");
		return;
	}
	(void)sigemptyset(&ending);
	(void)sigaddset(&ending, SIGINT);
	(void)sigaddset(&ending, SIGTERM);
	unsent_catch_signals();
	(void)sigprocmask(SIG_UNBLOCK, &ending, NULL);
	wait_for(leave, &entry);
	(void)sigprocmask(SIG_BLOCK, &ending, NULL);
}

/* ---- what is left ---- */

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

	if (!is_ours(rest->leave, item) || item->busy)
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
