/* SPDX-License-Identifier: Apache-2.0 */
/* cli/prefetch/job.c - what a client of `bearerfs prefetch` asks for, one by
 * one; see impl.h. */
#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control/describe.h"
#include "cli/control/reasons.h"
#include "cli/prefetch/impl.h"

void job_answered(struct job *job)
{
	struct session *session = job->session;
	const uint64_t one = 1;

	job->asked--;
	/* 8 bytes to an event that is read on: at worst it is awake. Before
	 * the mutex is free: the session may end when it is. */
	(void)!write(session->wake_fd, &one, sizeof(one));
	session_leave(session);
}

static void take_attr(void *arg, int code, const struct cache_attr *attr)
{
	struct job *job = arg;

	session_enter(job->session);
	job_note_code(job, code);
	if (code == 0)
		job->attr = *attr;
	job_answered(job);
}

static void take_listing(void *arg, int code, struct cache_listing *listing)
{
	struct job *job = arg;

	session_enter(job->session);
	job_note_code(job, code);
	job->listing = listing;
	job_answered(job);
}

static void take_file(
    void *arg, int code, struct cache_file *file, const struct cache_attr *attr)
{
	struct job *job = arg;

	session_enter(job->session);
	job_note_code(job, code);
	job->file = file;
	if (code == 0)
		job->attr = *attr;
	job_answered(job);
}

void job_ask(struct job *job)
{
	struct cache *cache = job->session->mount->cache;
	const struct ident *ident = &job->session->ident;

	session_enter(job->session);
	job->asked = 1;
	session_leave(job->session);
	if (job->kind == JOB_LOOK)
		cache_lookup(cache, ident, job->path, take_attr, job);
	else if (job->kind == JOB_LIST)
		cache_list(cache, ident, job->path, take_listing, job);
	else
		cache_open(cache, ident, job->path, take_file, job);
}

static bool read_words(struct job *job, const char *line)
{
	static const char *const words[] = {
	    [JOB_LOOK] = "look ", [JOB_LIST] = "list ", [JOB_KEEP] = "keep "};
	const char *path;
	char *end;

	for (int kind = JOB_LOOK; kind <= JOB_KEEP; kind++) {
		if (strncmp(line, words[kind], 5) == 0)
			job->kind = (enum job_kind)kind;
	}
	if (job->kind == JOB_NONE)
		return false;
	errno = 0;
	job->number = strtoull(line + 5, &end, 10);
	if (errno != 0 || end == line + 5 || *end != ' ')
		return false;
	path = end + 1;
	job->path = malloc(strlen(path) + 1);
	return job->path != NULL &&
	    path_decode(job->path, path, strlen(path)) >= 0 &&
	    path_is_normal(job->path);
}

void job_end(struct job *job)
{
	struct session *session = job->session;

	if (job->listing != NULL)
		cache_listing_put(job->listing);
	if (job->file != NULL)
		cache_close(job->file);
	if (job->kind != JOB_NONE)
		session->job_count--;
	free(job->path);
	*job = (struct job){.session = session};
}

int job_begin(struct session *session, const char *line)
{
	for (unsigned i = 0; i < PREFETCH_JOBS_MAX; i++) {
		struct job *job = &session->jobs[i];

		if (job->kind != JOB_NONE)
			continue;
		if (!read_words(job, line)) {
			free(job->path);
			*job = (struct job){.session = session};
			return -EPROTO;
		}
		session->job_count++;
		job_ask(job);
		return 0;
	}
	return -EPROTO; /* more than were agreed upon */
}

/* Why, with its remedy where the token is the cause. */
void job_fail(struct job *job)
{
	struct session *session = job->session;
	char server_path[PATH_BYTES_MAX];
	struct err why = ERR_INIT;
	const char *text = err_message(job->code);

	if ((job->code == -ENOKEY || job->code == -EKEYEXPIRED ||
	        job->code == -EKEYREJECTED || job->code == -EACCES) &&
	    reasons_server_path(session->mount, server_path, job->path) == 0 &&
	    tokens_may(session->mount->tokens, &session->ident, server_path,
	        job->kind == JOB_LIST ? TOKENS_LIST : TOKENS_READ,
	        &why) == job->code)
		text = why.text;
	(void)buf_printf(&session->out, "X %" PRIu64 " %s ", job->number,
	    err_name(job->code));
	(void)buf_visible(&session->out, text);
	(void)buf_append(&session->out, "\n", 1);
	job_end(job);
}

static void add_name(struct buf *out, const char *name)
{
	(void)path_encode(out, name);
	(void)buf_append(out, "\n", 1);
}

/* As much of a listing as the client takes. */
static void tell_listing(struct job *job)
{
	struct buf *out = &job->session->out;
	size_t count = cache_listing_count(job->listing);

	while (job->next_entry < count &&
	    session_out_bytes(job->session) < PREFETCH_OUT_BYTES) {
		struct cache_attr attr;
		const char *name;
		bool known;

		cache_listing_entry(
		    job->listing, job->next_entry++, &name, &attr, &known);
		if (attr.kind == CACHE_DIRECTORY)
			(void)buf_printf(out, "D %" PRIu64 " ", job->number);
		else if (!known)
			(void)buf_printf(out, "U %" PRIu64 " ", job->number);
		else
			(void)buf_printf(out, "F %" PRIu64 " %" PRIu64 " ",
			    job->number, attr.size_bytes);
		add_name(out, name);
	}
	if (job->next_entry < count)
		return;
	(void)buf_printf(out, "E %" PRIu64 "\n", job->number);
	job_end(job);
}

static void tell_look(struct job *job)
{
	struct buf *out = &job->session->out;

	if (job->attr.kind == CACHE_DIRECTORY)
		(void)buf_printf(out, "D %" PRIu64 "\n", job->number);
	else
		(void)buf_printf(out, "F %" PRIu64 " %" PRIu64 "\n",
		    job->number, job->attr.size_bytes);
	(void)buf_printf(out, "E %" PRIu64 "\n", job->number);
	job_end(job);
}

void job_go_on(struct job *job, uint64_t now_ms)
{
	unsigned asked;
	bool open;
	int code;

	if (job->kind == JOB_NONE)
		return;
	session_enter(job->session);
	asked = job->asked;
	code = job->code;
	open = job->file != NULL;
	session_leave(job->session);
	/* The client has gone: what is on its way is waited for. */
	if (job->session->gone && asked == 0)
		job_end(job);
	else if (asked > 0 && !open)
		return;
	else if (code < 0 && !open)
		job_fail(job);
	else if (job->kind == JOB_KEEP)
		job_keep_on(job, now_ms);
	else if (job->kind == JOB_LIST)
		tell_listing(job);
	else
		tell_look(job);
}
