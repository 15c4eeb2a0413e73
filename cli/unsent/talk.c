/* SPDX-License-Identifier: Apache-2.0 */
/* cli/unsent/talk.c - see talk.h. */
#include "cli/unsent/talk.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control/control.h"
#include "cli/mounts.h"
#include "cli/progress.h"
#include "cli/say.h"

enum { STEP_MS = 200 };

/* What a mount is asked for at once: it counts the time from then on. */
#define ONCE_MS_MAX UINT64_C(100000000000)

static volatile sig_atomic_t signal_count;
static volatile sig_atomic_t signal_last;

static void note_signal(int number)
{
	signal_last = number;
	signal_count++;
}

void unsent_catch_signals(void)
{
	/* No SA_RESTART: what waits is to be woken. */
	struct sigaction action = {.sa_handler = note_signal};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

int unsent_signals(int *last)
{
	if (last != NULL)
		*last = signal_last;
	return signal_count;
}

void unsent_end_by_signal(void)
{
	if (signal_count == 0)
		return;
	(void)signal(signal_last, SIG_DFL);
	(void)raise(signal_last);
}

struct talk {
	struct unsent_wait *wait;
	struct progress bar;
	uint64_t all_bytes; /* the most that was unsent, and what was sent */
	int signals_told;
};

static void show(struct talk *talk)
{
	struct buf answer;
	struct err ignored = ERR_INIT;
	uint64_t files, unsent, sent;

	if (!talk->bar.on)
		return;
	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX);
	if (control_query(talk->wait->entry, "unsent", &answer, &ignored) ==
	    0) {
		char *end = NULL;

		files = strtoull(buf_text(&answer), &end, 10);
		unsent = strtoull(end, &end, 10);
		sent = strtoull(end, &end, 10);
		if (unsent > talk->all_bytes)
			talk->all_bytes = unsent;
		unsent -= sent < unsent ? sent : unsent;
		if (files > 0)
			progress_show(&talk->bar, talk->all_bytes - unsent,
			    talk->all_bytes);
	}
	buf_fini(&answer);
}

/* Whether signals end it; the first of several is told what it means. */
static bool is_interrupted(struct talk *talk)
{
	int count = signal_count;

	if (count >= talk->wait->signals_max)
		return true;
	if (count > talk->signals_told) {
		talk->signals_told = count;
		progress_clear(&talk->bar);
		say("still waiting for unsent writes; once more ends the "
		    "wait, and they stay in the spool");
	}
	return false;
}

/* @retval 0 the answer is there, -EINTR, -ETIMEDOUT */
static int await(struct talk *talk, int fd, uint64_t end_ms)
{
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

		if (is_interrupted(talk))
			return -EINTR;
		if (poll(&poll_fd, 1, STEP_MS) > 0)
			return 0;
		if (clock_now_ms(clock_system()) >= end_ms)
			return -ETIMEDOUT;
		show(talk);
	}
}

/* "sent", or "unsent ERRNO SENTENCE" */
static int take(const char *text, struct err *err)
{
	static const char unsent[] = "unsent ";
	static const char timeout[] = "ETIMEDOUT ";
	const char *sentence;

	if (strcmp(text, "sent\n") == 0)
		return 0;
	if (strncmp(text, unsent, sizeof(unsent) - 1) != 0)
		return err_set(err, -EPROTO,
		    "the answer is not understood; is the mount "
		    "of another version?");
	text += sizeof(unsent) - 1;
	sentence = text + strcspn(text, " \n");
	sentence += strspn(sentence, " ");
	return err_set(err,
	    strncmp(text, timeout, sizeof(timeout) - 1) == 0 ? -ETIMEDOUT
	                                                     : -EIO,
	    "%.*s", (int)strcspn(sentence, "\n"), sentence);
}

static int ask(struct talk *talk, int fd, uint64_t once_ms, struct err *err)
{
	enum { MARGIN_MS = 5000 };
	struct buf text;
	int code;

	buf_init(&text, CONTROL_REQUEST_BYTES_MAX);
	(void)buf_printf(&text, "flush %" PRIu64 " ", once_ms);
	(void)path_encode(&text, talk->wait->path);
	code = buf_code(&text);
	if (code == 0)
		code = control_tell(fd, buf_text(&text));
	buf_fini(&text);
	if (code == 0)
		code = await(talk, fd,
		    clock_now_ms(clock_system()) + once_ms + MARGIN_MS);
	if (code < 0)
		return err_set(err, code, "%s", err_message(code));
	buf_init(&text, CONTROL_ANSWER_BYTES_MAX);
	code = control_hear(fd, &text, err);
	if (code == 0) {
		talk->wait->reached = true;
		code = take(buf_text(&text), err);
	}
	buf_fini(&text);
	return code;
}

static int ask_once(struct talk *talk, uint64_t once_ms, struct err *err)
{
	int fd = control_reach(talk->wait->entry, err);
	int code;

	if (fd < 0)
		return fd;
	code = ask(talk, fd, once_ms, err);
	(void)close(fd);
	return code;
}

int unsent_wait(struct unsent_wait *wait, struct err *err)
{
	struct talk talk = {.wait = wait};
	uint64_t now_ms = clock_now_ms(clock_system());
	uint64_t end_ms = wait->timeout_ms > UINT64_MAX - now_ms
	    ? UINT64_MAX
	    : now_ms + wait->timeout_ms;
	int code;

	wait->reached = false;
	progress_begin(&talk.bar, "sending", PROGRESS_BYTES);
	do {
		uint64_t once_ms = end_ms > now_ms ? end_ms - now_ms : 0;

		if (once_ms > ONCE_MS_MAX)
			once_ms = ONCE_MS_MAX;
		code = ask_once(&talk, once_ms, err);
		now_ms = clock_now_ms(clock_system());
		/* A guest of a shared mount is let wait for some seconds. */
	} while (code == -ETIMEDOUT && wait->reached && now_ms < end_ms);
	progress_clear(&talk.bar);
	return code;
}
