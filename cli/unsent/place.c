/* SPDX-License-Identifier: Apache-2.0 */
/* cli/unsent/place.c - see place.h. */
#include "cli/unsent/place.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control/control.h"
#include "cli/plan/places.h"
#include "cli/plan/spool_place.h"

/* Cut a line off a text. NULL: there is none. */
static char *next_line(char **text)
{
	char *line = *text;
	char *end = strchr(line, '\n');

	if (end == NULL)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line;
}

/* A percent-encoded path. */
static int take_path(char *out, size_t room_bytes, char *line)
{
	if (line == NULL || strlen(line) >= room_bytes)
		return -EPROTO;
	if (path_decode(out, line, strlen(line)) < 0 || !path_is_normal(out))
		return -EPROTO;
	return 0;
}

static int take_apart(struct unsent_mount *out, char *text)
{
	char copy[3 * PATH_BYTES_MAX];
	char *line = next_line(&text);
	int code;

	if (line == NULL || strlen(line) >= sizeof(out->origin))
		return -EPROTO;
	(void)snprintf(out->origin, sizeof(out->origin), "%s", line);
	line = next_line(&text);
	code = take_path(copy, sizeof(copy), line);
	if (code == 0 && strlen(copy) >= sizeof(out->source_path))
		code = -EPROTO;
	if (code < 0)
		return code;
	(void)snprintf(out->source_path, sizeof(out->source_path), "%.*s",
	    (int)sizeof(out->source_path) - 1, copy);
	line = next_line(&text);
	if (line == NULL)
		return 0;
	code = take_path(copy, sizeof(copy), line);
	if (code < 0 || strlen(copy) >= sizeof(out->dir))
		return -EPROTO;
	(void)snprintf(out->dir, sizeof(out->dir), "%.*s",
	    (int)sizeof(out->dir) - 1, copy);
	return 0;
}

int unsent_mount_ask(
    struct unsent_mount *out, const struct mount_entry *entry, struct err *err)
{
	struct buf answer;
	int code;

	out->entry = *entry;
	out->origin[0] = out->source_path[0] = out->dir[0] = '\0';
	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX);
	code = control_query(entry, "spool", &answer, err);
	if (code == 0) {
		(void)buf_append(&answer, "", 1);
		code = buf_code(&answer);
	}
	if (code == 0) {
		code = take_apart(out, answer.bytes);
		if (code < 0)
			(void)err_set(err, code,
			    "its answer is not understood; is the mount of "
			    "another version?");
	}
	buf_fini(&answer);
	return code;
}

bool unsent_is_of(const struct unsent_mount *mount, const char *dir,
    const struct spool_item *item)
{
	return mount->dir[0] != '\0' && strcmp(mount->dir, dir) == 0 &&
	    strcmp(mount->origin, item->text[SPOOL_ORIGIN]) == 0 &&
	    path_is_within(item->text[SPOOL_PATH], mount->source_path);
}

/* `path` is below `from`: put it below `to`. */
static int carry(char out[PATH_BYTES_MAX], const char *path, const char *from,
    const char *to)
{
	const char *rest;
	int n;

	if (!path_is_within(path, from))
		return -ENOENT;
	rest = strcmp(from, "/") == 0 ? path : path + strlen(from);
	if (strcmp(rest, "/") == 0)
		rest = "";
	if (strcmp(to, "/") == 0 && rest[0] != '\0')
		to = "";
	n = snprintf(out, PATH_BYTES_MAX, "%s%s", to, rest);
	return n < 0 || n >= PATH_BYTES_MAX ? -ENAMETOOLONG : 0;
}

int unsent_server_path(const struct unsent_mount *mount,
    char out[PATH_BYTES_MAX], const char *inside)
{
	return carry(out, inside, "/", mount->source_path);
}

int unsent_shown_path(const struct unsent_mount *mount,
    char out[PATH_BYTES_MAX], const char *server_path)
{
	return carry(out, server_path, mount->source_path, mount->entry.point);
}

void unsent_places_fini(struct unsent_places *places)
{
	for (unsigned i = 0; i < places->mount_count; i++)
		free(places->mounts[i]);
	for (unsigned i = 0; i < places->dir_count; i++)
		free(places->dirs[i]);
	*places = (struct unsent_places){.mount_count = 0};
}

static int add_dir(struct unsent_places *places, const char *dir)
{
	for (unsigned i = 0; i < places->dir_count; i++) {
		if (strcmp(places->dirs[i], dir) == 0)
			return 0;
	}
	if (places->dir_count == ARRAY_COUNT(places->dirs))
		return -E2BIG;
	places->dirs[places->dir_count] = strdup(dir);
	if (places->dirs[places->dir_count] == NULL)
		return -ENOMEM;
	places->dir_count++;
	return 0;
}

int unsent_places_init(
    struct unsent_places *places, const char *wanted, struct err *err)
{
	const struct places_env env = places_env();
	struct err none = ERR_INIT;
	char dir[PATH_MAX];
	char real[PATH_MAX];
	int code;

	*places = (struct unsent_places){.mount_count = 0};
	if (spool_place(dir, wanted, &env, &none) < 0)
		return 0;
	/* As a mount tells it. */
	code = add_dir(places, realpath(dir, real) != NULL ? real : dir);
	return code < 0 ? err_set(err, code, "spool: %s", err_message(code))
	                : 0;
}

const struct unsent_mount *unsent_places_add(struct unsent_places *places,
    const struct mount_entry *entry, struct err *err)
{
	struct unsent_mount *mount;
	int code = -E2BIG;

	if (places->mount_count == UNSENT_MOUNTS_MAX) {
		(void)err_set(err, code, "too many mounts");
		return NULL;
	}
	mount = malloc(sizeof(*mount));
	if (mount == NULL) {
		(void)err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	code = unsent_mount_ask(mount, entry, err);
	if (code == 0 && mount->dir[0] != '\0') {
		code = add_dir(places, mount->dir);
		if (code < 0)
			(void)err_set(err, code, "%s", err_message(code));
	}
	if (code < 0) {
		free(mount);
		return NULL;
	}
	places->mounts[places->mount_count++] = mount;
	return mount;
}

struct add_own {
	struct unsent_places *places;
	void (*left_out)(
	    void *arg, const struct mount_entry *entry, const struct err *why);
	void *arg;
};

static bool is_known(
    const struct unsent_places *places, const struct mount_entry *entry)
{
	for (unsigned i = 0; i < places->mount_count; i++) {
		const struct mount_entry *other = &places->mounts[i]->entry;

		if (other->major == entry->major &&
		    other->minor == entry->minor)
			return true; /* bind mounts */
	}
	return false;
}

static int add_if_own(void *arg, const struct mount_entry *entry)
{
	struct add_own *own = arg;
	struct err why = ERR_INIT;

	if (!mounts_is_bearerfs(entry) || entry->owner != geteuid() ||
	    is_known(own->places, entry))
		return 0;
	if (unsent_places_add(own->places, entry, &why) == NULL &&
	    own->left_out != NULL)
		own->left_out(own->arg, entry, &why);
	return 0;
}

int unsent_places_add_own(struct unsent_places *places,
    void (*left_out)(
        void *arg, const struct mount_entry *entry, const struct err *why),
    void *arg, struct err *err)
{
	struct add_own own = {
	    .places = places, .left_out = left_out, .arg = arg};

	return mounts_each(add_if_own, &own, err);
}

const struct unsent_mount *unsent_places_owner(
    const struct unsent_places *places, const char *dir,
    const struct spool_item *item)
{
	const struct unsent_mount *best = NULL;

	/* The innermost source. */
	for (unsigned i = 0; i < places->mount_count; i++) {
		const struct unsent_mount *mount = places->mounts[i];

		if (unsent_is_of(mount, dir, item) &&
		    (best == NULL ||
		        strlen(mount->source_path) > strlen(best->source_path)))
			best = mount;
	}
	return best;
}
