/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/walk_ask.c - see walk_ask.h. */
#include "cache/ahead/walk_ask.h"

#include "cache/core.h"
#include "cache/paths/question.h"

#include <stdlib.h>
#include <string.h>

struct walk_ask {
	struct list place;
	bool file;
	enum question_lend lend;
	uint32_t entries_max;
	struct meta_attr attr;
	char path[];
};

static struct walk_ask *add(struct list *asks, const char *path)
{
	size_t path_bytes = strlen(path) + 1;
	struct walk_ask *ask = malloc(sizeof(*ask) + path_bytes);

	if (ask == NULL)
		return NULL;
	(void)memcpy(ask->path, path, path_bytes);
	list_init(&ask->place);
	list_push(asks, &ask->place);
	return ask;
}

static void add_listing(struct list *asks, const char *path,
    uint32_t entries_max, enum question_lend lend)
{
	struct walk_ask *ask = add(asks, path);

	if (ask == NULL)
		return;
	ask->file = false;
	ask->lend = lend;
	ask->entries_max = entries_max;
}

void walk_ask_listing(struct list *asks, const char *path, uint32_t entries_max)
{
	add_listing(asks, path, entries_max, LEND_NOTHING);
}

void walk_ask_lent(struct list *asks, const char *path, uint32_t entries_max,
    enum question_lend lend)
{
	add_listing(asks, path, entries_max, lend);
}

void walk_ask_file(
    struct list *asks, const char *path, const struct meta_attr *attr)
{
	struct walk_ask *ask = add(asks, path);

	if (ask == NULL)
		return;
	ask->file = true;
	ask->attr = *attr;
}

/* The door is open to these bytes. */
static void ask_file(
    struct cache *cache, const struct ident *ident, const struct walk_ask *ask)
{
	const struct object_key key = object_key_of(ask->path, &ask->attr);
	struct object *object;
	struct todo todo;

	todo_init(&todo);
	cache_enter(cache);
	object = object_open(cache, &key);
	if (object != NULL) {
		object_fetch_ahead(object, ident,
		    (WALK_FILE_BYTES - 1) / CACHE_BLOCK_BYTES + 1, &todo);
		object_put(object, &todo);
	}
	cache_leave(cache, &todo);
}

static void ask_one(
    struct cache *cache, const struct ident *ident, const struct walk_ask *ask)
{
	char server_path[PATH_BYTES_MAX];

	if (cache_server_path(cache, server_path, ask->path) < 0 ||
	    access_door(cache, ident, server_path,
	        ask->file ? CACHE_BYTES : CACHE_LIST, NULL) < 0)
		return;
	if (ask->file)
		ask_file(cache, ident, ask);
	else
		question_list_ahead(
		    cache, ident, ask->path, ask->entries_max, ask->lend);
}

void walk_ask_all(
    struct cache *cache, const struct ident *ident, struct list *asks)
{
	struct list *item;

	while ((item = list_pop(asks)) != NULL) {
		struct walk_ask *ask =
		    CONTAINER_OF(item, struct walk_ask, place);

		ask_one(cache, ident, ask);
		free(ask);
	}
}
