/* SPDX-License-Identifier: Apache-2.0 */
/* cli/prefetch/tally.c - see tally.h. */
#include "cli/prefetch/tally.h"

#include "base/err.h"

#include <inttypes.h>
#include <string.h>

#include "cli/command.h"
#include "cli/control/describe.h"
#include "cli/say.h"

enum {
	JSON_BYTES_MAX = 16 * 1024 * 1024,
	LINE_BYTES_MAX = 4096,
};

/* What an errno asks for, and what a script is told. */
static const struct cure {
	const char *name;
	int status;
	const char *text;
} cures[] = {
    {"ENOKEY", EX_NOPERM, "bearerfs doctor tells where a token is looked for"},
    {"EKEYEXPIRED", EX_NOPERM, "get a new token"},
    {"EKEYREJECTED", EX_NOPERM, "bearerfs explain tells more"},
    {"EACCES", EX_NOPERM, "bearerfs explain tells which scope it needs"},
    {"EHOSTUNREACH", EX_UNAVAILABLE, "try again when the server is there"},
    {"ETIMEDOUT", EX_UNAVAILABLE, "try again when the server answers"},
    {"EIO", EX_IOERR, "bearerfs status and the log tell more"},
    {"ENOENT", STATUS_FAILED, "it is not there, or not any more"},
    {"ESTALE", STATUS_FAILED, "it changes on the server; try again"},
    {"EAGAIN", STATUS_FAILED, "it is being written; try again in a minute"},
    {"ENOTSUP", STATUS_FAILED,
        "the server tells neither its time nor an ETag, so that none of its "
        "versions can be kept"},
    {"ENOSPC", STATUS_FAILED,
        "the cache's disk is full; make room on it, or mount with another "
        "cache_dir"},
    {"EDQUOT", STATUS_FAILED,
        "your quota on the cache's disk is used up; make room on it, or "
        "mount with another cache_dir"},
    {"EROFS", STATUS_FAILED, "mount with another cache_dir"},
};

static const struct cure *cure_of(const char *name)
{
	static const struct cure other = {
	    "", STATUS_FAILED, "bearerfs explain tells more"};

	for (size_t i = 0; i < ARRAY_COUNT(cures); i++) {
		if (strcmp(cures[i].name, name) == 0)
			return &cures[i];
	}
	return &other;
}

void tally_init(struct tally *tally)
{
	*tally = (struct tally){.status = STATUS_OK};
	buf_init(&tally->json, JSON_BYTES_MAX);
}

void tally_fini(struct tally *tally)
{
	buf_fini(&tally->json);
}

static void note(struct tally *tally, int status, const char *path,
    const char *name, const char *text)
{
	struct buf *json = &tally->json;

	/* Of several kinds none says more. */
	tally->status = tally->failures == 0 || tally->status == status
	    ? status
	    : STATUS_FAILED;
	if (tally->failures++ >= TALLY_FAILURES_MAX)
		return;
	(void)buf_printf(json, "%s{\"path\":", json->size_bytes > 0 ? "," : "");
	(void)buf_json(json, path);
	(void)buf_printf(json, ",\"errno\":");
	(void)buf_json(json, name);
	(void)buf_printf(json, ",\"text\":");
	(void)buf_json(json, text);
	(void)buf_printf(json, "}");
}

void tally_fail(
    struct tally *tally, const char *path, const char *name, const char *text)
{
	const struct cure *cure = cure_of(name);

	if (strchr(text, ';') != NULL)
		say("prefetch '%.1000s': %s", path, text);
	else
		say("prefetch '%.1000s': %s; %s", path, text, cure->text);
	note(tally, cure->status, path, name, text);
}

void tally_stop(struct tally *tally, const char *state, int status,
    const char *path, const char *name, const char *text)
{
	say("prefetch '%.1000s': %s", path, text);
	tally->state = state;
	note(tally, status, path, name, text);
}

static void add_json(const struct tally *tally, struct buf *out)
{
	const char *state = tally->state;

	if (state == NULL)
		state = tally->failures == 0 ? "complete" : "partial";
	(void)buf_printf(out,
	    "{\"state\":\"%s\",\"files\":%" PRIu64 ",\"bytes\":%" PRIu64
	    ",\"kept_files\":%" PRIu64 ",\"kept_bytes\":%" PRIu64
	    ",\"brought_bytes\":%" PRIu64 ",\"failed\":%" PRIu64
	    ",\"failures\":[%s]}\n",
	    state, tally->files, tally->bytes, tally->kept_files,
	    tally->kept_bytes, tally->brought_bytes, tally->failures,
	    buf_code(&tally->json) == 0 ? buf_text(&tally->json) : "");
}

static void add_text(const struct tally *tally, struct buf *out)
{
	(void)buf_printf(out, "%" PRIu64 " of %" PRIu64 " files in the cache, ",
	    tally->kept_files, tally->files);
	describe_bytes(out, tally->kept_bytes);
	(void)buf_printf(out, ", ");
	describe_bytes(out, tally->brought_bytes);
	(void)buf_printf(out, " of them new\n");
}

int tally_tell(struct tally *tally, bool json)
{
	struct buf out;
	int code;

	buf_init(&out, JSON_BYTES_MAX + LINE_BYTES_MAX);
	if (json)
		add_json(tally, &out);
	else
		add_text(tally, &out);
	code = buf_code(&out);
	if (code == 0)
		code = say_out(buf_text(&out));
	buf_fini(&out);
	return code < 0
	    ? say_exit(STATUS_FAILED, "prefetch: %s", err_message(code))
	    : tally->status;
}
