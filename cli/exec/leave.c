/* SPDX-License-Identifier: Apache-2.0 */
/* cli/exec/leave.c - see leave.h. */
#include "cli/exec/leave.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"
#include "cache/spool/unsent.h"
#include "fs/fs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control/control.h"
#include "cli/mounts.h"
#include "cli/options/options.h"
#include "cli/plan/plan.h"
#include "cli/say.h"
#include "cli/unsent/list.h"
#include "cli/unsent/talk.h"

enum { AGAIN_MS = 1000 }; /* before what failed is tried again */

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

bool leave_is_ours(const struct leave *leave, const struct spool_item *item)
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

	if (leave_is_ours(hope->leave, item) &&
	    item->attr.state == SPOOL_FAILED && leave_may_heal(item->code))
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
	(void)pthread_sigmask(SIG_UNBLOCK, &ending, NULL);
	wait_for(leave, &entry);
	(void)pthread_sigmask(SIG_BLOCK, &ending, NULL);
}
