/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control/answer.c - see answer.h. */
#include "cli/control/answer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"
#include "fs/fs.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control/control.h"
#include "cli/control/describe.h"
#include "cli/control/metrics_tell.h"
#include "cli/control/reasons.h"
#include "cli/prefetch/serve.h"
#include "cli/say.h"
#include "cli/unsent/serve.h"

enum what { STATUS, EXPLAIN, METRICS, STOP, PREFETCH };

/* A request's words. */
struct words {
	enum what what;
	bool json;
	const char *path; /* of EXPLAIN: percent-encoded */
};

/* What one request waits for. Whoever answers has a reference: the client may
 * be gone by then. */
struct job {
	atomic_uint references;
	struct ident ident;
	atomic_bool looked; /* for the token of who asks */
	/* Of EXPLAIN: */
	char path[PATH_BYTES_MAX]; /* in the mount */
	struct reasons reasons;    /* `known` until it is told: the teller's */
	bool asked;                /* what is known */
	atomic_bool told;
	uint64_t latest_ms;
};

static void put(struct job *job)
{
	if (atomic_fetch_sub(&job->references, 1) == 1)
		free(job);
}

static void has_looked(
    void *arg, int code, struct token *token, const struct err *err)
{
	struct job *job = arg;

	(void)code; /* what there is now is described */
	(void)err;
	token_put(token);
	atomic_store(&job->looked, true);
	put(job);
}

static void is_known(void *arg, int code, const struct cache_known *known)
{
	struct job *job = arg;

	job->reasons.known_code = code;
	if (code == 0)
		job->reasons.known = *known;
	atomic_store(&job->told, true);
	put(job);
}

/* The path that is asked about, checked. */
static int take_path(struct job *job, const struct describe *mount,
    const char *encoded, struct err *err)
{
	size_t size_bytes = strlen(encoded);
	char *path = malloc(size_bytes + 1);
	int code;

	if (path == NULL)
		return -ENOMEM;
	code = path_decode(path, encoded, size_bytes);
	if (code >= 0)
		code = path_is_normal(path) ? 0 : -EINVAL;
	if (code == 0)
		memcpy(job->path, path, strlen(path) + 1);
	free(path);
	if (code == 0)
		code = reasons_server_path(
		    mount, job->reasons.server_path, job->path);
	return code < 0
	    ? err_set(err, code, "explain: no path of the mount: %s",
	          err_message(code))
	    : 0;
}

/* Have the token of who asks looked for. */
static int begin(struct job **out, const struct describe *mount,
    const struct control_request *request, const struct words *words,
    struct err *err)
{
	struct job *job = calloc(1, sizeof(*job));
	int code = 0;

	if (job == NULL)
		return -ENOMEM;
	if (words->what == EXPLAIN)
		code = take_path(job, mount, words->path, err);
	if (code < 0) {
		free(job);
		return code;
	}
	job->ident = request->peer;
	tokens_identify(mount->tokens, &job->ident);
	atomic_init(&job->references, 2);
	atomic_init(&job->looked, false);
	atomic_init(&job->told, false);
	/* Somebody may just have put a newer one in the place of one that has
	 * ended. */
	tokens_want(mount->tokens,
	    &(struct tokens_query){.ident = &job->ident,
	        .path = words->what == EXPLAIN ? job->reasons.server_path
	                                       : mount->source_path,
	        .right = TOKENS_LOOK,
	        .deadline_ms = clock_now_ms(clock_system()) + ANSWER_TOKEN_MS},
	    has_looked, job);
	*out = job;
	return 0;
}

void answer_forget(void *arg, struct control_request *request)
{
	(void)arg;
	if (unsent_is_asked(request->text)) {
		unsent_forget(request);
		return;
	}
	put(request->memo);
	request->memo = NULL;
}

/* Ask the cache, once; @return whether it has told, or was given its time. */
static bool has_known(struct job *job, const struct describe *mount)
{
	uint64_t now_ms = clock_now_ms(clock_system());

	if (!job->asked) {
		job->asked = true;
		job->latest_ms = now_ms + ANSWER_CACHE_MS;
		(void)atomic_fetch_add(&job->references, 1);
		cache_known(
		    mount->cache, &job->ident, job->path, is_known, job);
	}
	return atomic_load(&job->told) || now_ms >= job->latest_ms;
}

static int explain(struct job *job, const struct describe *mount,
    const struct describe_to *to, bool json, struct buf *out)
{
	struct reasons reasons = {.known_code = -ETIMEDOUT};
	struct reasons_verdict verdict;

	if (atomic_load(&job->told))
		reasons = job->reasons;
	else
		memcpy(reasons.server_path, job->reasons.server_path,
		    sizeof(reasons.server_path));
	reasons_find(&reasons, mount, to);
	reasons_judge(&reasons, &verdict);
	(void)buf_printf(out, verdict.code == 0 ? "well\n" : "wrong\n");
	if (json)
		reasons_json(&reasons, mount, to, out);
	else
		reasons_text(&reasons, mount, to, out);
	return buf_code(out);
}

static int stop(const struct describe *mount, struct control_request *request,
    struct err *err)
{
	if (!request->owner)
		return err_set(err, -EPERM, "only its owner may end a mount");
	log_line(LOG_LEVEL_INFO, LOG_CLI, "stopping", "asked=\"umount\"");
	fs_stop(mount->fs);
	request->hold = true;
	return 0;
}

static int tell_state(const struct describe *mount,
    const struct describe_to *to, bool json, struct buf *out)
{
	return json ? describe_json(mount, to, out)
	            : describe_text(mount, to, out);
}

/* The connection is no business of the control socket from now on. */
static int prefetch(const struct describe *mount,
    struct control_request *request, struct err *err)
{
	int code;

	if (mount->prefetches == NULL)
		return err_set(
		    err, -ENOSYS, "this mount cannot prefetch: out of memory");
	code = prefetch_serve_begin(
	    mount->prefetches, mount, &request->peer, request->fd, err);
	request->taken = code == 0;
	return code;
}

/* "status", "status json", "explain [json] /PATH", "metrics", "stop",
 * "prefetch". */
static bool read_words(struct words *out, const char *text)
{
	*out = (struct words){.what = STOP};
	if (strcmp(text, "stop") == 0)
		return true;
	out->what = PREFETCH;
	if (strcmp(text, "prefetch") == 0)
		return true;
	out->what = METRICS;
	if (strcmp(text, "metrics") == 0)
		return true;
	out->what = STATUS;
	out->json = strcmp(text, "status json") == 0;
	if (out->json || strcmp(text, "status") == 0)
		return true;
	if (strncmp(text, "explain ", 8) != 0)
		return false;
	out->what = EXPLAIN;
	out->json = strncmp(text + 8, "json ", 5) == 0;
	out->path = text + 8 + (out->json ? 5 : 0);
	return true;
}

/* Answer what had to wait for something, if it has come. */
static int answer_job(const struct describe *mount, struct job *job,
    const struct words *words, bool all, struct buf *out)
{
	const struct describe_to to = {.ident = &job->ident, .all = all};

	if (!atomic_load(&job->looked))
		return -EINPROGRESS;
	if (words->what == STATUS)
		return tell_state(mount, &to, words->json, out);
	return has_known(job, mount)
	    ? explain(job, mount, &to, words->json, out)
	    : -EINPROGRESS;
}

int answer_request(void *arg, struct control_request *request, struct buf *out,
    struct err *err)
{
	const struct describe *mount = arg;
	const struct describe_to to = {
	    .ident = &request->peer, .all = request->owner};
	struct job *job = request->memo;
	struct words words;
	int code = 0;

	if (unsent_is_asked(request->text))
		return unsent_answer(mount, request, out, err);
	if (!read_words(&words, request->text))
		return -EINVAL;
	if (words.what == STOP)
		return stop(mount, request, err);
	if (words.what == PREFETCH)
		return prefetch(mount, request, err);
	if (words.what == METRICS && !request->owner)
		return err_set(err, -EPERM,
		    "the numbers of all its users are told to its owner");
	if (words.what == METRICS)
		return metrics_tell(mount, out);
	/* The token of a mount of one user is always at hand. */
	if (words.what == STATUS && !mount->shared)
		return tell_state(mount, &to, words.json, out);
	if (job == NULL)
		code = begin(&job, mount, request, &words, err);
	if (code < 0)
		return code;
	request->memo = job;
	code = answer_job(mount, job, &words, request->owner, out);
	if (code != -EINPROGRESS)
		answer_forget(arg, request);
	return code;
}

struct control *answer_open(struct describe *mount)
{
	struct control *control = NULL;
	unsigned major, minor;
	struct err err = ERR_INIT;
	int code = fs_device(mount->fs, &major, &minor);

	if (code == 0)
		code = control_new(&control,
		    &(struct control_config){
		        .major = major,
		        .minor = minor,
		        .shared = mount->shared,
		        .answer = answer_request,
		        .forget = answer_forget,
		        .arg = mount,
		    },
		    &err);
	else
		code = err_set(&err, code,
		    "control socket: the mount is not in the list of mounts");
	if (code < 0) {
		say("%s; status and umount cannot ask this mount", err.text);
		log_line(LOG_LEVEL_WARN, LOG_CLI, "no control socket", "why=%s",
		    LOG_TEXT(err.text));
	}
	return control;
}
