/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/drafts/fake_tree.c - see fake_tree.h. */
#include "tests/unit/cache/drafts/fake_tree.h"

#include "base/ident.h"
#include "base/list.h"
#include "base/path.h"
#include "cache/cache.h"
#include "cache/note.h"
#include "fetch/change.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 512, PATH_BYTES = 256, NOTES_BYTES = 4096 };

struct node {
	char path[PATH_BYTES]; /* "": free */
	bool directory;
	uint8_t *bytes;
	size_t size_bytes;
	unsigned number;
};

struct cache_file {
	char path[PATH_BYTES];
	struct fetch_version version;
};

struct cache_listing {
	size_t count;
};

/* What is to be done, or answered, by the thread. */
struct ask {
	struct list in;
	enum tree_op op;
	bool lookup; /* or to open, or to read */
	char from[PATH_BYTES];
	char to[PATH_BYTES];
	enum fetch_kind kind;
	bool replace;
	bool cancelled;
	uint64_t number;
	struct fetch_bytes bytes;
	enum fetch_condition condition;
	struct fetch_version version;
	fetch_published_fn published;
	fetch_changed_fn changed;
	cache_attr_fn attr_fn;
	cache_open_fn open_fn;
	cache_read_fn read_fn;
	struct cache_file *file;
	uint64_t offset_bytes;
	size_t size_bytes;
	void *arg;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct node nodes[NODES];
static unsigned numbers;
static struct list asks;
static struct list looks;
static bool held, late, ended;
static int refusals[TREE_OPS];
static unsigned counts[TREE_OPS];
static unsigned open_files;
static char notes[NOTES_BYTES];
static pthread_t thread;

static void enter(void)
{
	(void)pthread_mutex_lock(&mutex);
}

static void leave(void)
{
	(void)pthread_mutex_unlock(&mutex);
}

/* ---- the tree; under the lock ---- */

static struct node *find(const char *path)
{
	for (unsigned i = 0; i < NODES; i++)
		if (strcmp(nodes[i].path, path) == 0)
			return &nodes[i];
	return NULL;
}

static bool is_empty(const char *path)
{
	for (unsigned i = 0; i < NODES; i++)
		if (nodes[i].path[0] != '\0' &&
		    strcmp(nodes[i].path, path) != 0 &&
		    path_is_within(nodes[i].path, path))
			return false;
	return true;
}

/* 0, or why nothing can be put there. */
static int parent_code(const char *path)
{
	char parent[PATH_BYTES_MAX];
	const struct node *node;

	path_parent(parent, path);
	node = find(parent);
	return node == NULL ? -ENOENT : node->directory ? 0 : -ENOTDIR;
}

static void drop(struct node *node)
{
	free(node->bytes);
	*node = (struct node){0};
}

static struct node *put(
    const char *path, bool directory, uint8_t *bytes, size_t size_bytes)
{
	struct node *node = find(path);

	if (node == NULL)
		node = find("");
	assert(node != NULL);
	free(node->bytes);
	*node = (struct node){.directory = directory,
	    .bytes = bytes,
	    .size_bytes = size_bytes,
	    .number = ++numbers};
	(void)snprintf(node->path, sizeof(node->path), "%s", path);
	return node;
}

static struct fetch_version version_of(const struct node *node)
{
	struct fetch_version version = {.size_bytes = node->size_bytes,
	    .mtime_s = 1000 + (int64_t)node->number};

	(void)snprintf(
	    version.etag, sizeof(version.etag), "\"%u\"", node->number);
	return version;
}

static struct cache_attr attr_of(const struct node *node)
{
	return (struct cache_attr){
	    .kind = node->directory ? CACHE_DIRECTORY : CACHE_FILE,
	    .size_bytes = node->size_bytes,
	    .mtime_s = 1000 + (int64_t)node->number,
	    .version = node->directory ? 1 : 5000000 + node->number};
}

/* ---- what the server does ---- */

static int do_move(const struct ask *ask)
{
	struct node *from = find(ask->from);
	struct node *to = find(ask->to);
	char path[PATH_BYTES_MAX + PATH_BYTES];
	int code = parent_code(ask->to);

	if (from == NULL || code < 0)
		return from == NULL ? -ENOENT : code;
	if (from->directory != (ask->kind == FETCH_DIRECTORY))
		return from->directory ? -EISDIR : -ENOTDIR;
	if (to != NULL && !ask->replace)
		return -EEXIST;
	if (to != NULL && to->directory)
		return from->directory ? -EEXIST : -EISDIR;
	if (to != NULL && from->directory)
		return -ENOTDIR;
	if (to != NULL)
		drop(to);
	for (unsigned i = 0; i < NODES; i++) {
		if (nodes[i].path[0] == '\0' ||
		    !path_is_within(nodes[i].path, ask->from))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", ask->to,
		    nodes[i].path + strlen(ask->from));
		assert(strlen(path) < PATH_BYTES);
		(void)memcpy(nodes[i].path, path, strlen(path) + 1);
	}
	return 0;
}

static int do_copy(const struct ask *ask)
{
	const struct node *from = find(ask->from);
	uint8_t *bytes;
	int code = parent_code(ask->to);

	if (from == NULL || code < 0)
		return from == NULL ? -ENOENT : code;
	if (from->directory || find(ask->to) != NULL)
		return from->directory ? -EISDIR : -EEXIST;
	bytes = malloc(from->size_bytes + 1);
	assert(bytes != NULL);
	(void)memcpy(bytes, from->bytes, from->size_bytes);
	(void)put(ask->to, false, bytes, from->size_bytes);
	return 0;
}

static int do_change(const struct ask *ask)
{
	struct node *node = find(ask->from);
	int code;

	switch (ask->op) {
	case TREE_DELETE:
		if (node == NULL || node->directory)
			return node == NULL ? -ENOENT : -EISDIR;
		drop(node);
		return 0;
	case TREE_MKCOL:
		code = parent_code(ask->from);
		if (code < 0 || node != NULL)
			return node != NULL ? -EEXIST : code;
		(void)put(ask->from, true, NULL, 0);
		return 0;
	case TREE_RMDIR:
		if (node == NULL || !node->directory)
			return node == NULL ? -ENOENT : -ENOTDIR;
		if (!is_empty(ask->from))
			return -ENOTEMPTY;
		drop(node);
		return 0;
	case TREE_MOVE:
		return do_move(ask);
	case TREE_COPY:
		return do_copy(ask);
	case TREE_PUBLISH:
	case TREE_OPS:
		break;
	}
	return -EIO;
}

/* Whether the condition holds. */
static int judge(const struct ask *ask)
{
	const struct node *node = find(ask->from);
	struct fetch_version now;
	int code = parent_code(ask->from);

	if (code < 0)
		return code;
	if (node != NULL && node->directory)
		return -EISDIR;
	if (ask->condition == FETCH_IF_ABSENT && node != NULL)
		return -EEXIST;
	if (ask->condition != FETCH_IF_SAME)
		return 0;
	if (node == NULL)
		return -ESTALE;
	now = version_of(node);
	return fetch_version_equal(&now, &ask->version) ? 0 : -ESTALE;
}

/* Without the lock. */
static int do_publish(struct ask *ask, struct fetch_published *out)
{
	uint8_t *bytes = malloc(ask->bytes.size_bytes + 1);
	size_t at = 0;
	int code = 0;

	assert(bytes != NULL);
	while (code == 0 && at < ask->bytes.size_bytes) {
		int64_t n = ask->bytes.read(ask->bytes.arg, at, bytes + at,
		    ask->bytes.size_bytes - at, false);

		assert(n != 0);
		if (n < 0)
			code = (int)n;
		else
			at += (size_t)n;
	}
	enter();
	if (ask->cancelled)
		code = -ECANCELED;
	if (code == 0 && refusals[TREE_PUBLISH] != 0)
		code = refusals[TREE_PUBLISH];
	if (code == 0)
		code = judge(ask);
	if (code == 0) {
		out->version = version_of(put(ask->from, false, bytes, at));
		out->version_known = true;
		out->proof = FETCH_SIZE;
		out->sent = true;
		bytes = NULL;
	}
	leave();
	free(bytes);
	return code;
}

static void serve_change(struct ask *ask)
{
	struct fetch_published published = {.leftover = ""};
	struct err err = ERR_INIT;
	int code;

	if (ask->op == TREE_PUBLISH) {
		code = ended || ask->cancelled ? -ECANCELED
		                               : do_publish(ask, &published);
		if (code < 0)
			(void)err_set(&err, code, "the server says so");
		ask->published(ask->arg, code, &published, &err);
		ask->bytes.release(ask->bytes.arg);
	} else {
		enter();
		code = ended                 ? -ECANCELED
		    : refusals[ask->op] != 0 ? refusals[ask->op]
		                             : do_change(ask);
		leave();
		if (code < 0)
			(void)err_set(&err, code, "the server says so");
		ask->changed(ask->arg, code, &err);
	}
	free(ask);
}

/* ---- what the cache says ---- */

static int read_file(const struct ask *ask, uint8_t **bytes)
{
	const struct node *node;
	int code = 0;

	enter();
	/* It asks for the bytes by name: of a file that was moved away nobody
	 * has them. */
	node = find(ask->file->path);
	if (node == NULL ||
	    1000 + (int64_t)node->number != ask->file->version.mtime_s)
		code = -ESTALE;
	if (code == 0) {
		*bytes = malloc(ask->size_bytes + 1);
		assert(*bytes != NULL);
		assert(ask->offset_bytes + ask->size_bytes <= node->size_bytes);
		(void)memcpy(
		    *bytes, node->bytes + ask->offset_bytes, ask->size_bytes);
	}
	leave();
	return code;
}

static void serve_look(struct ask *ask)
{
	struct cache_attr attr = {.version = 1};
	struct cache_file *file = NULL;
	const struct node *node;
	uint8_t *bytes = NULL;
	int code = 0;

	if (ask->read_fn != NULL) {
		struct iovec vector;

		code = read_file(ask, &bytes);
		vector = (struct iovec){bytes, ask->size_bytes};
		ask->read_fn(ask->arg, code, &vector, code == 0 ? 1 : 0);
		free(bytes);
		free(ask);
		return;
	}
	enter();
	node = find(ask->from);
	code = node == NULL ? -ENOENT : 0;
	if (code == 0)
		attr = attr_of(node);
	if (code == 0 && ask->open_fn != NULL) {
		code = node->directory ? -EISDIR : 0;
		if (code == 0) {
			file = calloc(1, sizeof(*file));
			assert(file != NULL);
			(void)strcpy(file->path, ask->from);
			file->version = version_of(node);
			open_files++;
		}
	}
	leave();
	if (ask->open_fn != NULL)
		ask->open_fn(ask->arg, code, file, code == 0 ? &attr : NULL);
	else
		ask->attr_fn(ask->arg, code, code == 0 ? &attr : NULL);
	free(ask);
}

/* ---- the thread ---- */

static void *serve(void *arg)
{
	struct list *first;

	(void)arg;
	enter();
	for (;;) {
		first = list_pop(&looks);
		if (first == NULL && (!held || ended))
			first = list_pop(&asks);
		if (first != NULL) {
			struct ask *ask = CONTAINER_OF(first, struct ask, in);

			leave();
			if (ask->lookup)
				serve_look(ask);
			else
				serve_change(ask);
			enter();
		} else if (ended) {
			break;
		} else {
			(void)pthread_cond_wait(&wake, &mutex);
		}
	}
	leave();
	return NULL;
}

void tree_begin(void)
{
	enter();
	for (unsigned i = 0; i < NODES; i++)
		drop(&nodes[i]);
	(void)put("/", true, NULL, 0);
	list_init(&asks);
	list_init(&looks);
	held = late = ended = false;
	(void)memset(refusals, 0, sizeof(refusals));
	(void)memset(counts, 0, sizeof(counts));
	notes[0] = '\0';
	leave();
	(void)pthread_create(&thread, NULL, serve, NULL);
}

void tree_end(void)
{
	enter();
	ended = true;
	(void)pthread_cond_broadcast(&wake);
	leave();
	(void)pthread_join(thread, NULL);
}

void tree_hold(bool hold)
{
	enter();
	held = hold;
	(void)pthread_cond_broadcast(&wake);
	leave();
}

unsigned tree_waiting(void)
{
	unsigned count = 0;

	enter();
	for (struct list *in = asks.next; in != &asks; in = in->next)
		count++;
	leave();
	return count;
}

void tree_refuse(enum tree_op op, int code)
{
	enter();
	refusals[op] = code;
	leave();
}

unsigned tree_asked(enum tree_op op)
{
	unsigned count;

	enter();
	count = counts[op];
	leave();
	return count;
}

void tree_late(bool is_late)
{
	enter();
	late = is_late;
	leave();
}

void tree_put(const char *path, const char *text)
{
	uint8_t *bytes = text == NULL ? NULL : (uint8_t *)strdup(text);

	enter();
	(void)put(path, text == NULL, bytes, text == NULL ? 0 : strlen(text));
	leave();
}

void tree_remove(const char *path)
{
	struct node *node;

	enter();
	node = find(path);
	assert(node != NULL);
	drop(node);
	leave();
}

char *tree_get(const char *path)
{
	const struct node *node;
	char *text = NULL;

	enter();
	node = find(path);
	if (node != NULL && node->directory)
		text = strdup("/");
	else if (node != NULL)
		text = strndup((const char *)node->bytes, node->size_bytes);
	leave();
	return text;
}

unsigned tree_count(void)
{
	unsigned count = 0;

	enter();
	for (unsigned i = 0; i < NODES; i++)
		count += nodes[i].path[0] != '\0';
	leave();
	return count - 1;
}

unsigned tree_open_files(void)
{
	unsigned count;

	enter();
	count = open_files;
	leave();
	return count;
}

char *tree_notes(void)
{
	char *copy;

	enter();
	copy = strdup(notes);
	notes[0] = '\0';
	leave();
	return copy;
}

static void note(const char *kind, const char *path, const char *to)
{
	size_t bytes;

	enter();
	bytes = strlen(notes);
	(void)snprintf(notes + bytes, sizeof(notes) - bytes, "%s%s %s%s%s",
	    bytes == 0 ? "" : ", ", kind, path, to == NULL ? "" : " ",
	    to == NULL ? "" : to);
	leave();
}

/* ---- questions ---- */

/* The mount's path of a server's. */
static void mount_path(char out[PATH_BYTES], const char *path)
{
	assert(strncmp(path, "/src", 4) == 0 && strlen(path) < PATH_BYTES);
	(void)strcpy(out, path[4] == '\0' ? "/" : path + 4);
}

static void look(struct ask *what)
{
	struct ask *ask = malloc(sizeof(*ask));
	bool now;

	assert(ask != NULL);
	*ask = *what;
	ask->lookup = true;
	list_init(&ask->in);
	enter();
	now = !late || ended;
	if (!now) {
		list_push(&looks, &ask->in);
		(void)pthread_cond_signal(&wake);
	}
	leave();
	if (now)
		serve_look(ask);
}

void cache_lookup(struct cache *cache, const struct ident *ident,
    const char *path, cache_attr_fn to, void *arg)
{
	struct ask ask = {.attr_fn = to, .arg = arg};

	(void)cache;
	(void)ident;
	(void)snprintf(ask.from, sizeof(ask.from), "%s", path);
	look(&ask);
}

void cache_open(struct cache *cache, const struct ident *ident,
    const char *path, cache_open_fn to, void *arg)
{
	struct ask ask = {.open_fn = to, .arg = arg};

	(void)cache;
	(void)ident;
	(void)snprintf(ask.from, sizeof(ask.from), "%s", path);
	look(&ask);
}

void cache_read(struct cache_file *file, const struct ident *ident,
    uint64_t offset_bytes, size_t size_bytes, cache_read_fn to, void *arg)
{
	struct ask ask = {.read_fn = to,
	    .arg = arg,
	    .file = file,
	    .offset_bytes = offset_bytes,
	    .size_bytes = size_bytes};
	uint64_t there = file->version.size_bytes - offset_bytes;

	(void)ident;
	if (ask.size_bytes > there)
		ask.size_bytes = (size_t)there;
	look(&ask);
}

void cache_close(struct cache_file *file)
{
	enter();
	open_files--;
	leave();
	free(file);
}

void cache_file_version(
    const struct cache_file *file, struct fetch_version *out)
{
	*out = file->version;
}

bool cache_path_version(
    struct cache *cache, const char *path, struct fetch_version *out)
{
	const struct node *node;

	(void)cache;
	enter();
	node = find(path);
	if (node != NULL && !node->directory)
		*out = version_of(node);
	else
		node = NULL;
	leave();
	return node != NULL;
}

uint64_t cache_told(
    const struct cache *cache, const struct fetch_version *version)
{
	(void)cache;
	return version->size_bytes * 1000003 + (uint64_t)version->mtime_s;
}

void cache_note_file(struct cache *cache, const char *path,
    const struct fetch_version *version, uint64_t was)
{
	(void)cache;
	(void)version;
	(void)was;
	note("file", path, NULL);
}

void cache_note_directory(struct cache *cache, const char *path)
{
	(void)cache;
	note("directory", path, NULL);
}

void cache_note_gone(struct cache *cache, const char *path)
{
	(void)cache;
	note("gone", path, NULL);
}

void cache_note_moved(struct cache *cache, const char *from, const char *to)
{
	(void)cache;
	note("moved", from, to);
}

void cache_note_doubt(struct cache *cache, const char *path)
{
	(void)cache;
	note("doubt", path, NULL);
}

void cache_keep(struct cache *cache, const char *path,
    const struct fetch_version *version,
    int64_t (*read)(
        void *arg, uint64_t offset_bytes, void *out, size_t size_bytes),
    void *arg)
{
	(void)cache;
	(void)path;
	(void)version;
	(void)read;
	(void)arg;
}

struct cache_listing *cache_listing_over(struct cache *cache,
    const struct cache_listing *listing, const struct cache_over *entries,
    size_t count)
{
	struct cache_listing *over = malloc(sizeof(*over));
	char text[64];

	(void)cache;
	assert(over != NULL);
	*over = (struct cache_listing){.count = listing->count + count};
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)entries[i].attr.size_bytes);
		note("over", entries[i].name, text);
	}
	return over;
}

void cache_listing_put(struct cache_listing *listing)
{
	free(listing);
}

bool fetch_version_equal(
    const struct fetch_version *a, const struct fetch_version *b)
{
	return strcmp(a->etag, b->etag) == 0 &&
	    a->size_bytes == b->size_bytes && a->mtime_s == b->mtime_s;
}

/* ---- changes ---- */

static uint64_t change(struct ask *what)
{
	struct ask *ask = malloc(sizeof(*ask));
	static uint64_t last;
	uint64_t number;

	assert(ask != NULL);
	*ask = *what;
	list_init(&ask->in);
	enter();
	counts[ask->op]++;
	ask->number = number = ++last;
	if (ended) {
		leave();
		serve_change(ask);
		return number;
	}
	list_push(&asks, &ask->in);
	(void)pthread_cond_signal(&wake);
	leave();
	return number;
}

void fetch_temporary(struct fetch *fetch, const struct ident *ident,
    const char *path, enum fetch_condition condition, char out[PATH_BYTES_MAX])
{
	(void)fetch;
	(void)ident;
	(void)path;
	(void)condition;
	out[0] = '\0';
}

uint64_t fetch_publish(struct fetch *fetch, const struct fetch_publish *what,
    fetch_published_fn to, void *arg)
{
	struct ask ask = {.op = TREE_PUBLISH,
	    .bytes = what->bytes,
	    .condition = what->condition,
	    .published = to,
	    .arg = arg};

	(void)fetch;
	mount_path(ask.from, what->path);
	if (what->condition == FETCH_IF_SAME)
		ask.version = *what->version;
	return change(&ask);
}

/* No test has a file of that size. */
int fetch_grown(
    struct fetch *fetch, uint64_t number, uint64_t size_bytes, bool whole)
{
	(void)fetch;
	(void)number;
	(void)size_bytes;
	(void)whole;
	abort();
}

void fetch_cancel(struct fetch *fetch, uint64_t number)
{
	(void)fetch;
	enter();
	for (struct list *in = asks.next; in != &asks; in = in->next) {
		struct ask *ask = CONTAINER_OF(in, struct ask, in);

		if (ask->number != number)
			continue;
		/* It is answered though others are held. */
		ask->cancelled = true;
		list_remove(in);
		list_push(&looks, in);
		break;
	}
	(void)pthread_cond_signal(&wake);
	leave();
}

static void simple(
    enum tree_op op, const char *path, fetch_changed_fn to, void *arg)
{
	struct ask ask = {.op = op, .changed = to, .arg = arg};

	mount_path(ask.from, path);
	(void)change(&ask);
}

void fetch_delete(struct fetch *fetch, const struct ident *ident,
    const char *path, fetch_changed_fn to, void *arg)
{
	(void)fetch;
	(void)ident;
	simple(TREE_DELETE, path, to, arg);
}

void fetch_mkcol(struct fetch *fetch, const struct ident *ident,
    const char *path, fetch_changed_fn to, void *arg)
{
	(void)fetch;
	(void)ident;
	simple(TREE_MKCOL, path, to, arg);
}

void fetch_rmdir(struct fetch *fetch, const struct ident *ident,
    const char *path, fetch_changed_fn to, void *arg)
{
	(void)fetch;
	(void)ident;
	simple(TREE_RMDIR, path, to, arg);
}

static void two(enum tree_op op, const struct fetch_move *move,
    fetch_changed_fn to, void *arg)
{
	struct ask ask = {.op = op,
	    .kind = move->kind,
	    .replace = move->replace,
	    .changed = to,
	    .arg = arg};

	mount_path(ask.from, move->from);
	mount_path(ask.to, move->to);
	(void)change(&ask);
}

void fetch_move(struct fetch *fetch, const struct fetch_move *move,
    fetch_changed_fn to, void *arg)
{
	(void)fetch;
	two(TREE_MOVE, move, to, arg);
}

void fetch_copy(struct fetch *fetch, const struct fetch_move *move,
    fetch_changed_fn to, void *arg)
{
	(void)fetch;
	two(TREE_COPY, move, to, arg);
}
