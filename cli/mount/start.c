/* SPDX-License-Identifier: Apache-2.0 */
/* cli/mount/start.c - see start.h. */
#include "cli/mount/start.h"

#include "base/clock.h"
#include "fetch/fetch.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The answer on its way from the fetch thread. The write to the event is the
 * last thing that is done with it there. */
struct answer {
	struct start_facts *facts;
	int event_fd;
};

static void take_answer(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct answer *answer = arg;
	struct start_facts *facts = answer->facts;
	const uint64_t one = 1;

	facts->code = code;
	if (code < 0)
		facts->err = *err;
	else
		facts->directory = stat->kind == FETCH_DIRECTORY;
	/* 8 bytes to a fresh event cannot fail. */
	(void)!write(answer->event_fd, &one, sizeof(one));
}

/* Wait for the answer, which comes in any case; a signal hurries it. */
static bool wait_answer(int event_fd, int signal_fd, struct fetch *fetch)
{
	struct pollfd fds[2] = {{.fd = event_fd, .events = POLLIN},
	    {.fd = signal_fd, .events = POLLIN}};
	bool given_up = false;
	uint64_t count;

	while (fds[0].revents == 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break; /* ENOMEM: the read below waits as well */
		if (fds[1].fd >= 0 && fds[1].revents != 0) {
			given_up = true;
			fetch_stop(fetch);
			fds[1].fd = -1;
		}
	}
	/* Taking it makes the fetch thread's writes visible here. */
	(void)!read(event_fd, &count, sizeof(count));
	return given_up;
}

/* Ask for the source's root; `ident` NULL: without a token. */
static int ask(struct start_facts *facts, struct fetch *fetch,
    const struct ident *ident, const char *path, int signal_fd)
{
	uint64_t until_ms = clock_now_ms(clock_system()) + START_LOOK_MS;
	struct answer answer = {.facts = facts};
	bool given_up;

	answer.event_fd = eventfd(0, EFD_CLOEXEC);
	if (answer.event_fd < 0)
		return -errno;
	if (ident != NULL)
		fetch_stat(fetch, ident, path, until_ms, take_answer, &answer);
	else
		fetch_stat_bare(fetch, path, until_ms, take_answer, &answer);
	given_up = wait_answer(answer.event_fd, signal_fd, fetch);
	(void)close(answer.event_fd);
	return given_up ? -ECANCELED : 0;
}

/* Without a token a server that is there and may be trusted says no. */
static bool is_about_token(int code)
{
	return code == -EACCES || code == -ENOKEY || code == -EKEYREJECTED;
}

int start_look_bare(struct start_facts *facts, struct fetch *fetch,
    const char *path, int signal_fd)
{
	int code;

	*facts = (struct start_facts){.asked = true};
	code = ask(facts, fetch, NULL, path, signal_fd);
	facts->untrusted = facts->code < 0 && fetch_untrusted(fetch);
	if (is_about_token(facts->code)) {
		facts->code = 0;
		facts->directory = true;
	}
	return code;
}

int start_look(struct start_facts *facts, struct tokens *tokens,
    struct fetch *fetch, const struct ident *ident, const char *path,
    int signal_fd)
{
	int code = 0;

	*facts = (struct start_facts){.directory = false};
	facts->token_code = tokens_state(tokens, &facts->token_err);
	if (facts->token_code == -EKEYEXPIRED) {
		struct start_facts unused = {.directory = false};

		/* It may be that the clock is wrong: any answer tells. */
		code = ask(&unused, fetch, NULL, path, signal_fd);
		facts->token_code = tokens_state(tokens, &facts->token_err);
	}
	/* Without a token the answer would be about the token, and one that
	 * has ended would be waited for. */
	if (code < 0 || facts->token_code < 0)
		return code;
	facts->asked = true;
	code = ask(facts, fetch, ident, path, signal_fd);
	facts->untrusted = facts->code < 0 && fetch_untrusted(fetch);
	facts->reach = tokens_reach(tokens, ident, path, NULL, NULL) > 0;
	return code;
}

/* Something that may come later. */
static enum start_verdict may_heal(bool check, const char *source, int code,
    const char *what, const char *later, struct err *out)
{
	(void)err_set(out, code, "source '%s': %s; %s", source, what,
	    check ? "not mounted because of -o check" : later);
	return check ? START_REFUSE : START_WARN;
}

static enum start_verdict judge_failure(const struct start_facts *facts,
    const char *source, bool check, struct err *out)
{
	if (facts->untrusted) {
		(void)err_set(out, facts->code,
		    "source '%s': %s; check the host name, or name the "
		    "authority that signed with -o ca_file=FILE",
		    source, facts->err.text);
		return START_REFUSE;
	}
	switch (-facts->code) {
	case ENOENT:
		(void)err_set(out, facts->code,
		    "source '%s': does not exist on the server; check the path",
		    source);
		return START_REFUSE;
	case EACCES:
		/* A token for what lies below, or a server that tells nothing
		 * of a directory above a token's reach. */
		if (facts->reach)
			return START_GO;
		return may_heal(check, source, facts->code, facts->err.text,
		    "mounted; reading fails with EACCES until a token allows "
		    "it",
		    out);
	case ENOKEY:
	case EKEYEXPIRED:
	case EKEYREJECTED:
		return may_heal(check, source, facts->code, facts->err.text,
		    "mounted; reading fails until a good token comes", out);
	default:
		return may_heal(check, source, facts->code, facts->err.text,
		    "mounted; reading works when the server answers", out);
	}
}

enum start_verdict start_judge(const struct start_facts *facts,
    const char *source, bool check, struct err *out)
{
	if (facts->token_code < 0 && !facts->asked) {
		(void)err_set(out, facts->token_code, "%s%s",
		    facts->token_err.text,
		    check ? "; not mounted because of -o check" : "");
		return check ? START_REFUSE : START_WARN;
	}
	if (facts->code < 0)
		return judge_failure(facts, source, check, out);
	if (!facts->directory) {
		(void)err_set(out, -ENOTDIR,
		    "source '%s': is a file, and only a directory can be "
		    "mounted; mount the directory that holds it",
		    source);
		return START_REFUSE;
	}
	return START_GO;
}
