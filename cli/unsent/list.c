/* SPDX-License-Identifier: Apache-2.0 */
/* cli/unsent/list.c - see list.h. */
#include "cli/unsent/list.h"

#include "base/clock.h"
#include "cache/spool/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/control/describe.h"
#include "cli/plan/places.h"
#include "cli/plan/spool_place.h"
#include "cli/unsent/place.h"

int unsent_open(struct spool **out, const char *dir, struct err *err)
{
	const struct spool_config config = {.clock = clock_system(),
	    .dir = dir,
	    .size_bytes = SPOOL_FILE_BYTES_MAX};
	char inner[PATH_MAX];
	struct stat about;
	int n = snprintf(inner, sizeof(inner), "%s/v1", dir);

	*out = NULL;
	if (n < 0 || n >= PATH_MAX || stat(inner, &about) < 0)
		return err_set(err, -ENOENT, "spool '%s': there is none", dir);
	return spool_open(out, &config, err);
}

struct each {
	spool_item_fn each;
	void *arg;
};

static int pass_on(void *arg, const struct spool_item *item)
{
	const struct each *each = arg;

	return item->attr.state == SPOOL_SENT && item->kind == SPOOL_FILE
	    ? 0
	    : each->each(each->arg, item);
}

int unsent_each(const char *dir, spool_item_fn each, void *arg, struct err *err)
{
	const struct spool_filter all = {.any_uid = true};
	struct each to = {.each = each, .arg = arg};
	struct spool *spool = NULL;
	int code = unsent_open(&spool, dir, err);

	if (code == 0)
		code = spool_list(spool, &all, pass_on, &to, err);
	spool_close(spool);
	return code == -ENOENT ? 0 : code;
}

const char *unsent_state(enum spool_state state)
{
	switch (state) {
	case SPOOL_OPEN:
		return "open";
	case SPOOL_CLOSED:
		return "waiting";
	case SPOOL_SENDING:
		return "sending";
	case SPOOL_SENT:
		return "sent";
	case SPOOL_FAILED:
		return "failed";
	case SPOOL_CONFLICT:
		return "conflict";
	case SPOOL_ASIDE:
		return "aside";
	case SPOOL_DAMAGED:
	default:
		return "damaged";
	}
}

static const char *kind_name(enum spool_kind kind)
{
	switch (kind) {
	case SPOOL_MKDIR:
		return "mkdir";
	case SPOOL_RENAME:
		return "rename";
	case SPOOL_UNLINK:
		return "unlink";
	case SPOOL_TEMPORARY:
		return "temporary";
	case SPOOL_FILE:
	default:
		return "file";
	}
}

/* What can be done, as words behind "bearerfs flush". */
enum { CURES_MAX = 4 };

static unsigned cures_of(
    const struct spool_item *item, const char *out[CURES_MAX])
{
	unsigned count = 0;

	/* A mount has it, and tries again when it is told to. */
	if (item->busy && item->attr.state == SPOOL_FAILED) {
		out[count++] = "";
		return count;
	}
	if (item->busy || item->attr.state == SPOOL_DAMAGED ||
	    item->cure == SPOOL_CURE_BY_HAND || item->cure == SPOOL_CURE_WAIT)
		return 0;
	if (item->cure == SPOOL_CURE_FLUSH) {
		out[count++] = "";
		return count;
	}
	if (item->cure == SPOOL_CURE_DECIDE) {
		out[count++] = "--as PATH";
		out[count++] = "--overwrite";
	}
	out[count++] = "--export DIR";
	out[count++] = "--drop";
	return count;
}

/* The default one need not be named. */
static bool is_default(const char *dir)
{
	const struct places_env env = places_env();
	struct err none = ERR_INIT;
	char text[PATH_MAX];

	return spool_place(text, NULL, &env, &none) == 0 &&
	    strcmp(text, dir) == 0;
}

/* A word for a shell: as it is, or in quotes. */
static void add_word(struct buf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789/._-+:=@%,";

	if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
		(void)buf_append(out, word, strlen(word));
		return;
	}
	(void)buf_append(out, "'", 1);
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			(void)buf_append(out, "'\\''", 4);
		else
			(void)buf_append(out, word, 1);
	}
	(void)buf_append(out, "'", 1);
}

static void add_command(struct buf *out, const struct spool_item *item,
    const char *dir, const char *words)
{
	(void)buf_printf(out, "bearerfs flush");
	if (words[0] != '\0')
		(void)buf_printf(
		    out, " --number %" PRIu64 " %s", item->serial, words);
	if (!is_default(dir)) {
		struct buf option;

		buf_init(&option, (size_t)2 * PATH_MAX);
		(void)buf_printf(&option, "spool_dir=%s", dir);
		(void)buf_append(out, " -o ", 4);
		add_word(out, buf_text(&option));
		buf_fini(&option);
	}
}

bool unsent_has_cure(const struct spool_item *item)
{
	const char *words[CURES_MAX];

	return cures_of(item, words) > 0;
}

void unsent_cure(
    struct buf *out, const struct spool_item *item, const char *dir)
{
	const char *words[CURES_MAX];

	if (cures_of(item, words) > 0)
		add_command(out, item, dir, words[0]);
}

static void put_text(struct buf *out, const char *name, const char *text)
{
	(void)buf_printf(out, ",\"%s\":", name);
	(void)buf_json(out, text[0] != '\0' ? text : NULL);
}

static void put_time(struct buf *out, const char *name, uint64_t at_s)
{
	char stamp[CLOCK_STAMP_BYTES];

	clock_stamp(stamp, at_s);
	put_text(out, name, stamp);
}

static void put_cures(
    struct buf *out, const struct spool_item *item, const char *dir)
{
	const char *words[CURES_MAX];
	unsigned count = cures_of(item, words);

	(void)buf_printf(out, ",\"cures\":[");
	for (unsigned i = 0; i < count; i++) {
		struct buf command;

		buf_init(&command, (size_t)4 * PATH_MAX);
		add_command(&command, item, dir, words[i]);
		if (i > 0)
			(void)buf_append(out, ",", 1);
		(void)buf_json(out, buf_text(&command));
		buf_fini(&command);
	}
	(void)buf_printf(out, "]");
}

void unsent_json(
    struct buf *out, const struct spool_item *item, const char *dir)
{
	(void)buf_printf(out,
	    "{\"number\":%" PRIu64 ",\"kind\":\"%s\",\"state\":\"%s\","
	    "\"busy\":%s,\"uid\":%u,\"size_bytes\":%" PRIu64
	    ",\"disk_bytes\":%" PRIu64 ",\"missing_bytes\":%" PRIu64,
	    item->serial, kind_name(item->kind), unsent_state(item->attr.state),
	    item->busy ? "true" : "false", (unsigned)item->uid,
	    item->attr.size_bytes, item->disk_bytes, item->missing_bytes);
	put_text(out, "origin", item->text[SPOOL_ORIGIN]);
	put_text(out, "server_path", item->text[SPOOL_PATH]);
	put_text(out, "to", item->text[SPOOL_TO]);
	put_time(out, "since", item->since_s);
	put_time(out, "state_since", item->when_s);
	put_text(out, "errno", item->code != 0 ? err_name(item->code) : "");
	put_text(out, "why", item->text[SPOOL_WHY]);
	put_text(out, "spool_dir", dir);
	put_text(out, "place", item->place);
	put_cures(out, item, dir);
	(void)buf_append(out, "}", 1);
}

/* The path as its user knows it. */
static void add_path(struct buf *out, const struct spool_item *item,
    const struct unsent_mount *mount)
{
	char shown[PATH_BYTES_MAX];
	const char *path = item->text[SPOOL_PATH];

	if (item->attr.state == SPOOL_DAMAGED) {
		(void)buf_visible(out, item->place);
		return;
	}
	if (mount != NULL && unsent_shown_path(mount, shown, path) == 0) {
		(void)buf_visible(out, shown);
		return;
	}
	(void)buf_visible(out, item->text[SPOOL_ORIGIN]);
	(void)buf_visible(out, path);
}

void unsent_line(struct buf *out, const struct spool_item *item,
    const struct unsent_mount *mount)
{
	add_path(out, item, mount);
	(void)buf_append(out, ", ", 2);
	describe_bytes(out, item->attr.size_bytes);
	(void)buf_printf(out, ", %s", unsent_state(item->attr.state));
	if (item->code != 0)
		(void)buf_printf(out, ": %s", err_name(item->code));
	if (item->text[SPOOL_WHY][0] != '\0') {
		(void)buf_append(out, ": ", 2);
		(void)buf_visible(out, item->text[SPOOL_WHY]);
	}
}

void unsent_text(struct buf *out, const struct spool_item *item,
    const char *dir, const struct unsent_mount *mount)
{
	const char *words[CURES_MAX];
	unsigned count = cures_of(item, words);
	char stamp[CLOCK_STAMP_BYTES];

	clock_stamp(stamp, item->since_s);
	(void)buf_printf(out, "  %" PRIu64 " %s ", item->serial,
	    unsent_state(item->attr.state));
	if (item->kind != SPOOL_FILE)
		(void)buf_printf(out, "%s ", kind_name(item->kind));
	add_path(out, item, mount);
	(void)buf_append(out, ", ", 2);
	describe_bytes(out, item->attr.size_bytes);
	(void)buf_printf(out, ", since %s\n", stamp);
	if (item->code != 0 || item->text[SPOOL_WHY][0] != '\0') {
		(void)buf_printf(out,
		    "    %s: ", item->code != 0 ? err_name(item->code) : "why");
		(void)buf_visible(out, item->text[SPOOL_WHY]);
		(void)buf_append(out, "\n", 1);
	}
	if (item->attr.state == SPOOL_DAMAGED) {
		(void)buf_printf(out, "    look at ");
		(void)buf_visible(out, dir);
		(void)buf_printf(out, "/v1/%s\n", item->place);
	}
	for (unsigned i = 0; i < count; i++) {
		(void)buf_append(out, "    ", 4);
		add_command(out, item, dir, words[i]);
		(void)buf_append(out, "\n", 1);
	}
}
