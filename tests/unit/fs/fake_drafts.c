/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/fs/fake_drafts.c - see fake_drafts.h. */
#include "tests/unit/fs/fake_drafts.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/path.h"
#include "tests/unit/fs/fake_cache.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WAIT_S = 60, WORN_MAX = 16, FIRST_NUMBER = 1000000 };

struct draft {
	struct list in;
	struct drafts *drafts;
	unsigned refs; /* one is the table's, while it is unsent */
	unsigned writers;
	uid_t uid;
	char path[PATH_BYTES_MAX];
	struct draft_attr attr;
	unsigned char *bytes;
	size_t room_bytes;
	bool parted; /* removed, replaced, or a conflict */
	bool removed;
};

enum kind {
	OPEN,
	WRITE,
	TRUNCATE,
	SET,
	READ,
	SYNC,
	FLUSH,
	COPY,
	MKDIR,
	RMDIR,
	UNLINK,
	RENAME,
};

struct call {
	struct list in;
	enum kind kind;
	struct draft *draft; /* one reference, or NULL */
	struct ident ident;
	char path[PATH_BYTES_MAX];
	char to[PATH_BYTES_MAX];
	unsigned how;
	uint32_t mode;
	uint64_t offset_bytes;
	size_t size_bytes;
	unsigned char *bytes;
	bool flag; /* append, or replace */
	struct draft_set set;
	union {
		drafts_open_fn open;
		draft_fn plain;
		cache_read_fn read;
		void (*copy)(void *arg, int64_t code);
	} answer;
	void *arg;
};

struct worn {
	char path[PATH_BYTES_MAX];
	uint64_t version;
	struct drafts_worn is;
};

struct drafts {
	const struct clock *clock;
	struct cache *cache;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct list all;
	struct list held;
	size_t held_count;
	size_t alive_count;
	size_t sent_count;
	size_t call_count;
	size_t open_count;
	uint64_t next_number;
	int fail;
	bool hold;
	bool keep;
	bool shared;
	struct worn worn[WORN_MAX];
	unsigned worn_count;
};

static void enter(struct drafts *drafts)
{
	(void)pthread_mutex_lock(&drafts->mutex);
}

static void leave(struct drafts *drafts)
{
	(void)pthread_mutex_unlock(&drafts->mutex);
}

struct drafts *fake_drafts_new(
    const struct clock *clock, struct cache *cache, bool shared)
{
	struct drafts *drafts = fake_memory(sizeof(*drafts));

	drafts->clock = clock;
	drafts->cache = cache;
	drafts->shared = shared;
	drafts->next_number = FIRST_NUMBER;
	(void)pthread_mutex_init(&drafts->mutex, NULL);
	(void)pthread_cond_init(&drafts->changed, NULL);
	list_init(&drafts->all);
	list_init(&drafts->held);
	return drafts;
}

/* Under the lock. */
static void drop(struct draft *draft)
{
	struct drafts *drafts = draft->drafts;

	assert(draft->refs > 0);
	if (--draft->refs > 0)
		return;
	assert(draft->writers == 0);
	list_remove(&draft->in);
	drafts->alive_count--;
	free(draft->bytes);
	free(draft);
}

void fake_drafts_free(struct drafts *drafts)
{
	assert(list_is_empty(&drafts->held));
	assert(drafts->open_count == 0);
	while (!list_is_empty(&drafts->all)) {
		struct draft *draft =
		    CONTAINER_OF(drafts->all.next, struct draft, in);

		/* What is left is the table's. */
		assert(draft->refs == 1 && draft->attr.unsent);
		drop(draft);
	}
	(void)pthread_mutex_destroy(&drafts->mutex);
	(void)pthread_cond_destroy(&drafts->changed);
	free(drafts);
}

/* Under the lock. */
static struct draft *at(struct drafts *drafts, uid_t uid, const char *path)
{
	struct list *in = drafts->all.next;

	for (; in != &drafts->all; in = in->next) {
		struct draft *draft = CONTAINER_OF(in, struct draft, in);

		if (!draft->parted && strcmp(draft->path, path) == 0 &&
		    (!drafts->shared || draft->uid == uid))
			return draft;
	}
	return NULL;
}

bool drafts_may_create_blindly(
    struct drafts *drafts, const struct ident *ident, const char *path)
{
	(void)drafts;
	(void)ident;
	return strstr(path, "blind") != NULL;
}

struct draft *drafts_find(
    struct drafts *drafts, const struct ident *ident, const char *path)
{
	struct draft *draft;

	assert(path_is_normal(path));
	enter(drafts);
	draft = at(drafts, ident->uid, path);
	if (draft)
		draft->refs++;
	leave(drafts);
	return draft;
}

struct draft *draft_get(struct draft *draft)
{
	enter(draft->drafts);
	draft->refs++;
	leave(draft->drafts);
	return draft;
}

void draft_put(struct draft *draft)
{
	struct drafts *drafts = draft->drafts;

	enter(drafts);
	drop(draft);
	leave(drafts);
}

void draft_attr(const struct draft *draft, struct draft_attr *out)
{
	enter(draft->drafts);
	*out = draft->attr;
	leave(draft->drafts);
}

/* Under the lock: it differs from what the server has. */
static void change(struct draft *draft)
{
	if (!draft->attr.unsent && !draft->removed)
		draft->refs++;
	draft->attr.unsent = !draft->removed;
	draft->attr.attr.mtime_s++;
}

static void resize(struct draft *draft, size_t size_bytes)
{
	unsigned char *bytes = draft->bytes;
	size_t old_bytes = draft->attr.attr.size_bytes;

	assert(size_bytes <= FAKE_DRAFT_BYTES_MAX);
	if (size_bytes > draft->room_bytes) {
		draft->bytes = fake_memory(size_bytes * 2);
		draft->room_bytes = size_bytes * 2;
		if (bytes)
			memcpy(draft->bytes, bytes, old_bytes);
		free(bytes);
	}
	if (size_bytes > old_bytes)
		memset(draft->bytes + old_bytes, 0, size_bytes - old_bytes);
	draft->attr.attr.size_bytes = size_bytes;
}

/* Under the lock; the one reference is the caller's. */
static struct draft *add(struct drafts *drafts, uid_t uid, const char *path)
{
	struct draft *draft = fake_memory(sizeof(*draft));

	draft->drafts = drafts;
	draft->refs = 1;
	draft->uid = uid;
	(void)strcpy(draft->path, path);
	draft->attr.attr = (struct cache_attr){
	    .kind = CACHE_FILE,
	    .mtime_s = 1800000000,
	    .version = drafts->next_number++,
	};
	draft->attr.mtime_ns = 123;
	list_push(&drafts->all, &draft->in);
	drafts->alive_count++;
	return draft;
}

void fake_drafts_adopt(
    struct drafts *drafts, const char *path, size_t size_bytes)
{
	struct draft *draft;

	enter(drafts);
	draft = add(drafts, 1000, path);
	resize(draft, size_bytes);
	memset(draft->bytes, 'a', size_bytes);
	draft->attr.unsent = true;
	leave(drafts);
}

/* Under the lock: the server has it. */
static void send_now(struct draft *draft)
{
	struct drafts *drafts = draft->drafts;
	uint64_t version = drafts->next_number++;

	if (!draft->attr.unsent || draft->parted || drafts->keep)
		return;
	fake_put_was(drafts->cache, draft->path,
	    (int64_t)draft->attr.attr.size_bytes, version,
	    draft->attr.attr.version);
	draft->attr.unsent = false;
	drafts->sent_count++;
	drop(draft);
}

void fake_drafts_send(struct drafts *drafts, const char *path)
{
	bool keep;
	struct draft *draft;

	enter(drafts);
	draft = at(drafts, 1000, path);
	keep = drafts->keep;
	drafts->keep = false;
	assert(draft != NULL);
	send_now(draft);
	drafts->keep = keep;
	leave(drafts);
}

void fake_drafts_part(struct drafts *drafts, const char *path)
{
	struct draft *draft;

	enter(drafts);
	draft = at(drafts, 1000, path);
	assert(draft != NULL);
	draft->parted = true;
	draft->attr.code = -ESTALE;
	leave(drafts);
}

void draft_done(struct draft *draft, const struct ident *ident)
{
	struct drafts *drafts = draft->drafts;

	assert(ident != NULL);
	enter(drafts);
	assert(draft->writers > 0);
	draft->writers--;
	drafts->open_count--;
	if (draft->writers == 0)
		send_now(draft);
	leave(drafts);
}

void draft_unused(struct draft *draft, const struct ident *ident)
{
	draft_done(draft, ident);
}

/* ---- calls, done ---- */

static int do_open(
    struct drafts *drafts, const struct call *call, struct draft **out)
{
	struct draft *draft = at(drafts, call->ident.uid, call->path);
	struct cache_attr attr;
	bool there = draft != NULL;

	if (!there) {
		int code = fake_look(drafts->cache, call->path, &attr);

		if (code < 0 && code != -ENOENT)
			return code;
		there = code == 0;
		if (there && attr.kind != CACHE_FILE)
			return -EISDIR;
	}
	if (there && (call->how & DRAFTS_OPEN_EXCLUSIVE))
		return -EEXIST;
	if (!there && !(call->how & DRAFTS_OPEN_CREATE))
		return -ENOENT;
	if (!draft) {
		draft = add(drafts, call->ident.uid, call->path);
		if (there) {
			resize(draft, attr.size_bytes);
			draft->attr.attr.was = attr.version;
			draft->attr.attr.mtime_s = attr.mtime_s;
			for (size_t i = 0; i < attr.size_bytes; i++)
				draft->bytes[i] = fake_byte(attr.version, i);
		} else {
			draft->attr.mode = call->mode;
			change(draft);
		}
	} else {
		draft->refs++;
	}
	if (there && (call->how & DRAFTS_OPEN_TRUNCATE)) {
		resize(draft, 0);
		change(draft);
	}
	draft->writers++;
	drafts->open_count++;
	*out = draft;
	return 0;
}

static int do_write(struct draft *draft, const struct call *call)
{
	size_t at_bytes = call->flag ? draft->attr.attr.size_bytes
	                             : (size_t)call->offset_bytes;
	size_t end_bytes = at_bytes + call->size_bytes;

	if (end_bytes > draft->attr.attr.size_bytes)
		resize(draft, end_bytes);
	memcpy(draft->bytes + at_bytes, call->bytes, call->size_bytes);
	change(draft);
	return (int)call->size_bytes;
}

static void do_set(struct draft *draft, const struct draft_set *set)
{
	if (set->mode != DRAFT_KEEP)
		draft->attr.mode = (uint32_t)set->mode;
	if (set->mtime_s != DRAFT_KEEP) {
		draft->attr.attr.mtime_s = set->mtime_s;
		draft->attr.mtime_ns = set->mtime_ns;
	}
}

static int do_remove(struct drafts *drafts, const struct call *call)
{
	struct draft *draft = at(drafts, call->ident.uid, call->path);
	struct cache_attr attr;
	int code = fake_look(drafts->cache, call->path, &attr);

	if (code < 0 && !(code == -ENOENT && draft))
		return code;
	if (draft) {
		draft->parted = true;
		draft->removed = true;
		if (draft->attr.unsent) {
			draft->attr.unsent = false;
			drop(draft);
		}
	}
	fake_remove(drafts->cache, call->path);
	return 0;
}

static int do_rename(struct drafts *drafts, const struct call *call)
{
	struct draft *draft = at(drafts, call->ident.uid, call->path);
	struct cache_attr attr;
	struct cache_attr there;
	int code = fake_look(drafts->cache, call->path, &attr);
	bool replaces = fake_look(drafts->cache, call->to, &there) == 0;
	struct call remove = *call;

	if (code < 0 && !(code == -ENOENT && draft))
		return code;
	replaces = replaces || at(drafts, call->ident.uid, call->to);
	if (replaces && !call->flag)
		return -EEXIST;
	(void)strcpy(remove.path, call->to);
	if (replaces)
		(void)do_remove(drafts, &remove);
	if (draft)
		(void)strcpy(draft->path, call->to);
	if (code < 0)
		return 0;
	fake_remove(drafts->cache, call->path);
	fake_put(drafts->cache, call->to,
	    attr.kind == CACHE_DIRECTORY ? -1 : (int64_t)attr.size_bytes,
	    attr.version, 1000);
	return 0;
}

static int do_copy(struct drafts *drafts, const struct call *call)
{
	struct cache_attr attr;
	int code = fake_look(drafts->cache, call->path, &attr);

	if (code < 0)
		return code;
	resize(call->draft, attr.size_bytes);
	for (size_t i = 0; i < attr.size_bytes; i++)
		call->draft->bytes[i] = fake_byte(attr.version, i);
	change(call->draft);
	return (int)attr.size_bytes;
}

/* Under the lock. */
static int perform(
    struct drafts *drafts, const struct call *call, struct draft **opened)
{
	switch (call->kind) {
	case OPEN:
		return do_open(drafts, call, opened);
	case WRITE:
		return do_write(call->draft, call);
	case TRUNCATE:
		if (call->size_bytes > FAKE_DRAFT_BYTES_MAX)
			return -EFBIG;
		resize(call->draft, call->size_bytes);
		change(call->draft);
		return 0;
	case SET:
		do_set(call->draft, &call->set);
		return 0;
	case FLUSH:
		send_now(call->draft);
		return 0;
	case COPY:
		return do_copy(drafts, call);
	case MKDIR:
		fake_put(drafts->cache, call->path, -1, 5, 1000);
		return 0;
	case RMDIR:
	case UNLINK:
		return do_remove(drafts, call);
	case RENAME:
		return do_rename(drafts, call);
	case READ:
	case SYNC:
		break;
	}
	return 0;
}

static void answer_read(const struct call *call, int code)
{
	unsigned char *bytes = fake_memory(call->size_bytes + 1);
	struct draft *draft = call->draft;
	size_t size_bytes = 0;
	struct iovec vector;

	enter(draft->drafts);
	if (call->offset_bytes < draft->attr.attr.size_bytes) {
		size_bytes = draft->attr.attr.size_bytes - call->offset_bytes;
		if (size_bytes > call->size_bytes)
			size_bytes = call->size_bytes;
		memcpy(bytes, draft->bytes + call->offset_bytes, size_bytes);
	}
	leave(draft->drafts);
	vector = (struct iovec){bytes, size_bytes};
	call->answer.read(call->arg, code, &vector, size_bytes > 0 ? 1 : 0);
	free(bytes);
}

static void finish(struct drafts *drafts, struct call *call, int code)
{
	struct draft *opened = NULL;
	struct draft_attr attr;
	struct draft *draft = call->draft;

	enter(drafts);
	if (code == 0)
		code = perform(drafts, call, &opened);
	if (opened)
		attr = opened->attr;
	leave(drafts);
	if (call->kind == OPEN)
		call->answer.open(
		    call->arg, code, opened, opened ? &attr : NULL);
	else if (call->kind == READ)
		answer_read(call, code);
	else if (call->kind == COPY)
		call->answer.copy(call->arg, code);
	else
		call->answer.plain(call->arg, code);
	free(call->bytes);
	free(call);
	if (draft)
		draft_put(draft);
}

/* ---- calls, held ---- */

static struct call *call_new(enum kind kind, struct draft *draft, void *arg)
{
	struct call *call = fake_memory(sizeof(*call));

	call->kind = kind;
	call->draft = draft ? draft_get(draft) : NULL;
	call->arg = arg;
	return call;
}

static void take(struct drafts *drafts, struct call *call)
{
	bool hold;
	int code;

	enter(drafts);
	hold = drafts->hold;
	code = drafts->fail;
	drafts->fail = 0;
	drafts->call_count++;
	if (hold) {
		list_push(&drafts->held, &call->in);
		drafts->held_count++;
		(void)pthread_cond_broadcast(&drafts->changed);
	}
	leave(drafts);
	if (!hold)
		finish(drafts, call, code);
}

static struct call *take_held(struct drafts *drafts)
{
	struct list *in;

	enter(drafts);
	in = list_pop(&drafts->held);
	if (in)
		drafts->held_count--;
	leave(drafts);
	return in ? CONTAINER_OF(in, struct call, in) : NULL;
}

void fake_drafts_answer(struct drafts *drafts, int code)
{
	struct call *call = take_held(drafts);

	assert(call != NULL);
	finish(drafts, call, code);
}

void fake_drafts_hold(struct drafts *drafts, bool hold)
{
	enter(drafts);
	drafts->hold = hold;
	leave(drafts);
}

void fake_drafts_await_held(struct drafts *drafts, size_t count)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	enter(drafts);
	while (drafts->held_count < count)
		if (pthread_cond_timedwait(
		        &drafts->changed, &drafts->mutex, &until) != 0)
			break;
	assert(drafts->held_count >= count);
	leave(drafts);
}

void fake_drafts_fail_next(struct drafts *drafts, int code)
{
	enter(drafts);
	drafts->fail = code;
	leave(drafts);
}

void fake_drafts_keep(struct drafts *drafts, bool keep)
{
	enter(drafts);
	drafts->keep = keep;
	leave(drafts);
}

static size_t counted(struct drafts *drafts, const size_t *count)
{
	size_t now;

	enter(drafts);
	now = *count;
	leave(drafts);
	return now;
}

size_t fake_drafts_alive(struct drafts *drafts)
{
	return counted(drafts, &drafts->alive_count);
}

size_t fake_drafts_open(struct drafts *drafts)
{
	return counted(drafts, &drafts->open_count);
}

size_t fake_drafts_sent(struct drafts *drafts)
{
	return counted(drafts, &drafts->sent_count);
}

size_t fake_drafts_calls(struct drafts *drafts)
{
	return counted(drafts, &drafts->call_count);
}

void drafts_stop(struct drafts *drafts)
{
	struct call *call;

	fake_drafts_hold(drafts, false);
	while ((call = take_held(drafts)))
		finish(drafts, call, -ECANCELED);
}

/* ---- the header's calls ---- */

void drafts_open(struct drafts *drafts, const struct drafts_ask *ask,
    drafts_open_fn answer, void *arg)
{
	struct call *call = call_new(OPEN, NULL, arg);

	assert(path_is_normal(ask->path));
	(void)strcpy(call->path, ask->path);
	call->ident = *ask->ident;
	call->how = ask->how;
	call->mode = ask->mode;
	call->answer.open = answer;
	take(drafts, call);
}

void draft_write(struct draft *draft, const void *bytes, size_t size_bytes,
    uint64_t offset_bytes, bool append, draft_fn answer, void *arg)
{
	struct call *call = call_new(WRITE, draft, arg);

	call->bytes = fake_memory(size_bytes + 1);
	memcpy(call->bytes, bytes, size_bytes);
	call->size_bytes = size_bytes;
	call->offset_bytes = offset_bytes;
	call->flag = append;
	call->answer.plain = answer;
	take(draft->drafts, call);
}

void draft_truncate(
    struct draft *draft, uint64_t size_bytes, draft_fn answer, void *arg)
{
	struct call *call = call_new(TRUNCATE, draft, arg);

	call->size_bytes = size_bytes;
	call->answer.plain = answer;
	take(draft->drafts, call);
}

void draft_set(struct draft *draft, const struct draft_set *set,
    draft_fn answer, void *arg)
{
	struct call *call = call_new(SET, draft, arg);

	call->set = *set;
	call->answer.plain = answer;
	take(draft->drafts, call);
}

void draft_read(struct draft *draft, const struct ident *ident,
    uint64_t offset_bytes, size_t size_bytes, cache_read_fn answer, void *arg)
{
	struct call *call = call_new(READ, draft, arg);

	call->ident = *ident;
	call->offset_bytes = offset_bytes;
	call->size_bytes = size_bytes;
	call->answer.read = answer;
	take(draft->drafts, call);
}

void draft_sync(
    struct draft *draft, const struct ident *ident, draft_fn answer, void *arg)
{
	struct call *call = call_new(SYNC, draft, arg);

	call->ident = *ident;
	call->answer.plain = answer;
	take(draft->drafts, call);
}

void draft_flush(
    struct draft *draft, const struct ident *ident, draft_fn answer, void *arg)
{
	struct call *call = call_new(FLUSH, draft, arg);

	call->ident = *ident;
	call->answer.plain = answer;
	take(draft->drafts, call);
}

void drafts_copy(struct drafts *drafts, const struct ident *ident,
    const char *from, struct draft *to, void (*answer)(void *arg, int64_t code),
    void *arg)
{
	struct call *call = call_new(COPY, to, arg);

	(void)strcpy(call->path, from);
	call->ident = *ident;
	call->answer.copy = answer;
	take(drafts, call);
}

static struct call *name_call(enum kind kind, const struct ident *ident,
    const char *path, draft_fn answer, void *arg)
{
	struct call *call = call_new(kind, NULL, arg);

	assert(path_is_normal(path));
	(void)strcpy(call->path, path);
	call->ident = *ident;
	call->answer.plain = answer;
	return call;
}

void drafts_mkdir(struct drafts *drafts, const struct ident *ident,
    const char *path, draft_fn answer, void *arg)
{
	take(drafts, name_call(MKDIR, ident, path, answer, arg));
}

void drafts_rmdir(struct drafts *drafts, const struct ident *ident,
    const char *path, draft_fn answer, void *arg)
{
	take(drafts, name_call(RMDIR, ident, path, answer, arg));
}

void drafts_unlink(struct drafts *drafts, const struct ident *ident,
    const char *path, draft_fn answer, void *arg)
{
	take(drafts, name_call(UNLINK, ident, path, answer, arg));
}

void drafts_rename(struct drafts *drafts, const struct ident *ident,
    const char *from, const char *to, bool replace, draft_fn answer, void *arg)
{
	struct call *call = name_call(RENAME, ident, from, answer, arg);

	(void)strcpy(call->to, to);
	call->flag = replace;
	take(drafts, call);
}

/* Nothing leaves here by being sent. */
int drafts_hold_listed(struct drafts *drafts, const struct ident *ident,
    const char *path, struct drafts_held **out)
{
	(void)drafts;
	(void)ident;
	(void)path;
	*out = NULL;
	return 0;
}

void drafts_held_put(struct drafts_held *held)
{
	assert(held == NULL);
}

struct cache_listing *drafts_list(struct drafts *drafts,
    const struct ident *ident, const char *path, struct cache_listing *listing)
{
	struct list *in;

	(void)ident;
	enter(drafts);
	for (in = drafts->all.next; in != &drafts->all; in = in->next) {
		struct draft *draft = CONTAINER_OF(in, struct draft, in);
		char parent[PATH_BYTES_MAX];

		path_parent(parent, draft->path);
		if (!draft->parted && strcmp(parent, path) == 0)
			listing = fake_listing_with(
			    listing, path_name(draft->path), &draft->attr.attr);
	}
	leave(drafts);
	return listing;
}

bool drafts_worn(struct drafts *drafts, const char *path,
    const struct cache_attr *attr, struct drafts_worn *out)
{
	bool found = false;

	enter(drafts);
	for (unsigned i = 0; i < drafts->worn_count && !found; i++) {
		found = drafts->worn[i].version == attr->version &&
		    strcmp(drafts->worn[i].path, path) == 0;
		if (found)
			*out = drafts->worn[i].is;
	}
	leave(drafts);
	return found;
}

int drafts_wear(struct drafts *drafts, const char *path,
    const struct cache_attr *attr, const struct draft_set *set)
{
	struct worn *worn;

	enter(drafts);
	assert(drafts->worn_count < WORN_MAX);
	worn = &drafts->worn[drafts->worn_count++];
	(void)strcpy(worn->path, path);
	worn->version = attr->version;
	if (set->mode != DRAFT_KEEP)
		worn->is.mode = (uint32_t)set->mode;
	worn->is.has_mtime = set->mtime_s != DRAFT_KEEP;
	worn->is.mtime_s = set->mtime_s;
	worn->is.mtime_ns = set->mtime_ns;
	leave(drafts);
	return 0;
}
