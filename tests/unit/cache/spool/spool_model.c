/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/spool/spool_model.c - see spool_model.h. */
#include "tests/unit/cache/spool/spool_model.h"

#include "tests/unit/cache/spool/kill_shim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PART "/.part" /* what files are sent as */

static const struct spool_filter all = {.any_uid = true};

struct model *model_new(uint64_t seed)
{
	struct model *model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(model != MAP_FAILED);
	model->random = seed;
	bed_init(&model->bed);
	spool_close(model->bed.spool);
	model->bed.spool = NULL;
	return model;
}

void model_free(struct model *model)
{
	bed_fini(&model->bed);
	(void)munmap(model, sizeof(*model));
}

/* ---- a life ---- */

struct life {
	struct model *model;
	struct spool_entry *entries[MODEL_FILES];
	uint64_t sent; /* changes of what is on its way */
};

/* What went wrong in a child; the parent sees the status. */
static void must(bool right, const char *what, unsigned line)
{
	if (right)
		return;
	(void)fprintf(stderr, "line %u: %s\n", line, what);
	_exit(1);
}
#define MUST(condition) must((condition), #condition, __LINE__)

static uint32_t pick(struct model *model, uint32_t range)
{
	return (uint32_t)(bed_random(&model->random) % range);
}

struct model_file *model_find(struct model *model, uint64_t serial)
{
	for (unsigned i = 0; i < MODEL_FILES; i++)
		if (model->files[i].exists && model->files[i].serial == serial)
			return &model->files[i];
	return NULL;
}

static bool same(
    const struct model_file *file, const uint8_t *bytes, size_t size)
{
	return file->size == size && memcmp(file->bytes, bytes, size) == 0;
}

static int take_one(void *arg, struct spool_entry *entry)
{
	struct life *life = arg;
	struct spool_item item;
	struct model_file *file;
	struct err err = ERR_INIT;
	size_t size;
	uint8_t *bytes;

	MUST(spool_item_of(entry, &item) == 0);
	/* What one was being sent as: the server has it no more. */
	if (item.kind == SPOOL_TEMPORARY) {
		MUST(strcmp(item.text[SPOOL_PATH], PART) == 0);
		spool_item_fini(&item);
		return spool_remove(&entry, &err);
	}
	MUST(item.text[SPOOL_PART][0] == '\0');
	bytes = bed_whole(entry, &size);
	file = model_find(life->model, item.serial);
	MUST(file != NULL);
	MUST(file->state == SPOOL_CLOSED || file->state == SPOOL_FAILED);
	MUST(same(file, bytes, size));
	free(bytes);
	spool_item_fini(&item);
	file->state = SPOOL_CLOSED;
	file->changes = 0;
	life->entries[file - life->model->files] = entry;
	life->model->adopted++;
	return 0;
}

static void begin_life(struct life *life)
{
	struct model *model = life->model;
	struct err err = ERR_INIT;

	model->bed.spool = bed_second(&model->bed);
	MUST(spool_adopt(model->bed.spool, &all, take_one, life, &err) == 0);
	for (unsigned i = 0; i < MODEL_FILES; i++) {
		struct model_file *file = &model->files[i];

		if (!file->exists || life->entries[i] != NULL)
			continue;
		MUST(file->state == SPOOL_ASIDE ||
		    file->state == SPOOL_CONFLICT);
		MUST(spool_take(model->bed.spool, file->serial,
		         &life->entries[i], &err) == 0);
		file->changes = 0;
		model->aside++;
	}
}

/* From here on the operation is on its way; then it has returned. */
static struct model_file *begin(struct model *model, unsigned which)
{
	model->after = model->files[which];
	model->which = which;
	model->writing = false;
	return &model->after;
}

static void done(struct model *model, int code, const struct err *err)
{
	if (code < 0)
		(void)fprintf(stderr, "%s\n", err->text);
	MUST(code >= 0);
	model->files[model->which] = model->after;
	model->pending = false;
	model->operations++;
}

/* The operation, when it returns, promises the file as it will be. */
static void promise(struct model_file *after)
{
	after->listed = after->promised = true;
	after->promised_state = after->state;
	after->promised_size = after->size;
	memcpy(after->promised_bytes, after->bytes, sizeof(after->bytes));
}

static void do_create(struct life *life, unsigned which)
{
	struct model *model = life->model;
	struct model_file *after = begin(model, which);
	struct err err = ERR_INIT;
	struct spool_wish wish;
	struct spool_item item;
	int code;

	memset(after, 0, sizeof(*after));
	after->exists = true;
	after->state = SPOOL_OPEN;
	after->mode = 0644;
	(void)snprintf(after->path, sizeof(after->path), "/f%u", which);
	wish = bed_wish(after->path);
	if (pick(model, 2) == 0) {
		after->size = pick(model, MODEL_BYTES / 2);
		wish = bed_wish_base(after->path, after->size);
		for (uint32_t i = 0; i < after->size; i++)
			after->bytes[i] = bed_base_byte(i);
	}
	model->pending = true;
	code =
	    spool_create(model->bed.spool, &wish, &life->entries[which], &err);
	if (code == 0 && spool_item_of(life->entries[which], &item) == 0) {
		after->serial = item.serial;
		spool_item_fini(&item);
	}
	done(model, code, &err);
}

static void do_write(struct life *life, unsigned which)
{
	struct model *model = life->model;
	struct model_file *after = begin(model, which);
	struct err err = ERR_INIT;
	uint32_t size = 1 + pick(model, pick(model, 4) == 0 ? 9000 : 40);
	uint32_t start = pick(model, MODEL_BYTES - size);

	if (pick(model, 3) == 0 && after->size + size <= MODEL_BYTES)
		start = after->size; /* behind the others */
	for (uint32_t i = 0; i < size; i++)
		after->bytes[start + i] = (uint8_t)bed_random(&model->random);
	model->start = start;
	model->end = start + size;
	if (after->size < model->end)
		after->size = model->end;
	after->changes++;
	model->writing = model->pending = true;
	done(model,
	    spool_write(
	        life->entries[which], after->bytes + start, size, start, &err),
	    &err);
}

static void do_truncate(struct life *life, unsigned which)
{
	struct model *model = life->model;
	struct model_file *after = begin(model, which);
	struct err err = ERR_INIT;
	uint32_t size = pick(model, MODEL_BYTES);

	if (size < after->size)
		memset(after->bytes + size, 0, after->size - size);
	after->size = size;
	after->changes++;
	model->pending = true;
	done(model, spool_truncate(life->entries[which], size, &err), &err);
}

static void do_fill(struct life *life, unsigned which)
{
	struct model *model = life->model;
	uint8_t bytes[4000];
	struct err err = ERR_INIT;
	uint32_t start = pick(model, MODEL_BYTES);

	(void)begin(model, which);
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = bed_base_byte(start + i);
	model->pending = true;
	done(model,
	    spool_fill(life->entries[which], bytes, sizeof(bytes), start, &err),
	    &err);
}

static void finish_for(
    struct life *life, unsigned which, enum spool_promise kind)
{
	struct model *model = life->model;
	struct model_file *after = begin(model, which);
	struct err err = ERR_INIT;

	after->state = SPOOL_CLOSED;
	if (kind == SPOOL_TO_POWER)
		promise(after);
	model->pending = true;
	done(model, spool_finish(life->entries[which], kind, &err), &err);
}

static void do_finish(struct life *life, unsigned which)
{
	finish_for(
	    life, which, pick(life->model, 2) ? SPOOL_TO_KILL : SPOOL_TO_POWER);
}

static void do_reopen(struct life *life, unsigned which)
{
	struct model *model = life->model;
	struct err err = ERR_INIT;

	begin(model, which)->state = SPOOL_OPEN;
	model->after.promised = false;
	model->pending = true;
	done(model, spool_reopen(life->entries[which], &err), &err);
}

static uint64_t begin_sending(struct life *life, unsigned which)
{
	struct model *model = life->model;
	struct err err = ERR_INIT;
	uint64_t changes;

	begin(model, which)->state = SPOOL_SENDING;
	model->pending = true;
	done(model,
	    spool_sending(life->entries[which], pick(model, 2) ? PART : NULL,
	        &changes, &err),
	    &err);
	return changes;
}

static void end_sending(struct life *life, unsigned which, uint64_t changes)
{
	static const struct spool_version version = {.exists = true};
	struct model *model = life->model;
	struct err err = ERR_INIT;

	begin(model, which)->state = SPOOL_SENT;
	model->pending = true;
	done(model, spool_sent(life->entries[which], changes, &version, &err),
	    &err);
}

static void do_send(struct life *life, unsigned which)
{
	static const enum spool_state ends[] = {
	    SPOOL_FAILED, SPOOL_CONFLICT, SPOOL_ASIDE};
	struct model *model = life->model;
	struct err err = ERR_INIT;
	uint64_t changes = begin_sending(life, which);

	if (pick(model, 2) == 0) {
		enum spool_state end = ends[pick(model, 3)];

		begin(model, which)->state = end;
		promise(&model->after);
		model->pending = true;
		done(model,
		    spool_stop(life->entries[which], end, -EIO, "no", &err),
		    &err);
		return;
	}
	end_sending(life, which, changes);
}

static void do_names(struct life *life, unsigned which)
{
	struct model *model = life->model;
	struct model_file *after = begin(model, which);
	struct err err = ERR_INIT;
	struct spool_attr attr = {.mode = pick(model, 01000)};

	if (pick(model, 2) == 0) {
		after->mode = attr.mode;
		model->pending = true;
		done(model, spool_set(life->entries[which], &attr, &err), &err);
		return;
	}
	(void)snprintf(after->path, sizeof(after->path), "/f%u.%u", which,
	    pick(model, 1000));
	model->pending = true;
	done(
	    model, spool_rename(life->entries[which], after->path, &err), &err);
}

static void do_remove(struct life *life, unsigned which)
{
	struct model *model = life->model;
	struct err err = ERR_INIT;

	begin(model, which)->exists = false;
	model->pending = true;
	done(model, spool_remove(&life->entries[which], &err), &err);
}

/* As most files go, whose own files then serve another one. */
static void do_all(struct life *life, unsigned which)
{
	do_create(life, which);
	do_write(life, which);
	finish_for(life, which, SPOOL_TO_KILL);
	end_sending(life, which, begin_sending(life, which));
	do_remove(life, which);
}

static void step_open(struct life *life, unsigned which)
{
	struct err err = ERR_INIT;

	switch (pick(life->model, 8)) {
	case 0:
		do_truncate(life, which);
		break;
	case 1:
		do_fill(life, which);
		break;
	case 2:
		do_finish(life, which);
		break;
	case 3:
		begin(life->model, which)->listed = true;
		life->model->pending = true;
		done(life->model, spool_sync(life->entries[which], &err), &err);
		break;
	default:
		do_write(life, which);
		break;
	}
}

static void step(struct life *life)
{
	struct model *model = life->model;
	unsigned which = pick(model, MODEL_FILES);
	enum spool_state state = model->files[which].state;

	if (!model->files[which].exists && pick(model, 4) == 0)
		do_all(life, which);
	else if (!model->files[which].exists)
		do_create(life, which);
	else if (pick(model, 12) == 0)
		do_remove(life, which);
	else if (pick(model, 8) == 0)
		do_names(life, which);
	else if (state == SPOOL_OPEN)
		step_open(life, which);
	else if (state == SPOOL_ASIDE || state == SPOOL_CONFLICT)
		do_finish(life, which);
	else if (pick(model, 2) == 0 || state == SPOOL_SENT)
		do_reopen(life, which);
	else if (pick(model, 4) == 0)
		do_fill(life, which);
	else
		do_send(life, which);
}

/* What is open is what the model says, to the byte. */
static void check_open(const struct life *life)
{
	for (unsigned i = 0; i < MODEL_FILES; i++) {
		const struct model_file *file = &life->model->files[i];
		size_t size;
		uint8_t *bytes;

		if (!file->exists)
			continue;
		bytes = bed_whole(life->entries[i], &size);
		MUST(same(file, bytes, size));
		MUST(spool_attr(life->entries[i]).state == file->state);
		MUST(spool_attr(life->entries[i]).mode == file->mode);
		MUST(spool_attr(life->entries[i]).changes == file->changes);
		free(bytes);
	}
}

void model_live(struct model *model, unsigned count)
{
	struct life life = {.model = model};

	begin_life(&life);
	for (unsigned i = 0; i < count; i++) {
		step(&life);
		if (i % 8 == 0)
			check_open(&life);
	}
	check_open(&life);
	for (unsigned i = 0; i < MODEL_FILES; i++)
		if (model->files[i].exists)
			spool_release(life.entries[i]);
	spool_close(model->bed.spool);
}

/* ---- what is left of it ---- */

/* Whether found bytes are old ones with some of the write on its way. */
static bool mixed(const struct model *model, const struct model_file *old,
    const uint8_t *bytes, size_t size)
{
	const struct model_file *new = &model->after;

	if (!model->writing || size < old->size || size > new->size)
		return false;
	for (size_t i = 0; i < size; i++) {
		uint8_t before = i < old->size ? old->bytes[i] : 0;

		if (bytes[i] != before &&
		    (i < model->start || i >= model->end ||
		        bytes[i] != new->bytes[i]))
			return false;
	}
	return true;
}

/* What a state looks like when nobody has the entry. */
static bool fits(enum spool_state was, enum spool_state found)
{
	switch (was) {
	case SPOOL_OPEN:
		return found == SPOOL_ASIDE;
	case SPOOL_SENDING:
		return found == SPOOL_CLOSED;
	case SPOOL_CLOSED: /* a failed one is to be sent as well */
		return found == SPOOL_CLOSED || found == SPOOL_FAILED;
	case SPOOL_SENT:
	case SPOOL_FAILED:
	case SPOOL_CONFLICT:
	case SPOOL_ASIDE:
	case SPOOL_DAMAGED:
		break;
	}
	return found == was;
}

struct verify {
	struct model *model;
	unsigned found;
	bool seen[MODEL_FILES];
};

static struct model_file *owner_of(struct model *model, uint64_t serial)
{
	struct model_file *file = model_find(model, serial);

	/* One that was begun and whose number nobody heard of. */
	if (file == NULL && model->pending &&
	    !model->files[model->which].exists && model->after.exists)
		file = &model->files[model->which];
	return file;
}

static int verify_item(void *arg, const struct spool_item *item)
{
	struct verify *verify = arg;
	struct model *model = verify->model;
	struct model_file *file = owner_of(model, item->serial);
	bool on_its_way;
	struct model_file old;
	struct spool_entry *entry;
	struct err err = ERR_INIT;
	size_t size;
	uint8_t *bytes;

	if (item->kind == SPOOL_TEMPORARY)
		return 0;
	if (file == NULL || item->busy)
		fail_msg("entry %llu: %s", (unsigned long long)item->serial,
		    item->text[SPOOL_WHY]);
	old = *file;
	on_its_way = model->pending && file == &model->files[model->which];
	if (!old.exists)
		old = model->after;
	assert_false(verify->seen[file - model->files]);
	verify->seen[file - model->files] = true;
	verify->found++;
	assert_int_equal(
	    spool_take(model->bed.spool, item->serial, &entry, &err), 0);
	bytes = bed_whole(entry, &size);
	assert_true(same(&old, bytes, size) ||
	    (on_its_way &&
	        (same(&model->after, bytes, size) ||
	            mixed(model, &old, bytes, size))));
	assert_true(fits(old.state, item->state) ||
	    (on_its_way && fits(model->after.state, item->state)));
	assert_true(strcmp(old.path, item->text[SPOOL_PATH]) == 0 ||
	    (on_its_way &&
	        strcmp(model->after.path, item->text[SPOOL_PATH]) == 0));
	assert_true(old.mode == item->attr.mode ||
	    (on_its_way && model->after.mode == item->attr.mode));
	file->exists = true;
	file->serial = item->serial;
	file->state = item->state;
	file->mode = item->attr.mode;
	file->size = (uint32_t)size;
	memset(file->bytes, 0, sizeof(file->bytes));
	memcpy(file->bytes, bytes, size);
	(void)snprintf(
	    file->path, sizeof(file->path), "%s", item->text[SPOOL_PATH]);
	free(bytes);
	spool_release(entry);
	return 0;
}

void model_verify(struct model *model)
{
	struct verify verify = {.model = model};
	struct err err = ERR_INIT;

	model->bed.spool = bed_second(&model->bed);
	if (spool_list(model->bed.spool, &all, verify_item, &verify, &err) != 0)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < MODEL_FILES; i++) {
		struct model_file *file = &model->files[i];
		bool on_its_way = model->pending && i == model->which;

		if (!file->exists || verify.seen[i])
			continue;
		/* Gone are only those that the server has or nobody wants. */
		assert_true(file->state == SPOOL_SENT ||
		    (on_its_way &&
		        (!model->after.exists ||
		            model->after.state == SPOOL_SENT)));
		file->exists = false;
	}
	model->pending = false;
	spool_close(model->bed.spool);
	model->bed.spool = NULL;
}

bool model_run(
    struct model *model, unsigned count, unsigned nth, bool in_the_middle)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		kill_at(nth, in_the_middle);
		model_live(model, count);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(
	    WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILL_STATUS);
	model->kills += WEXITSTATUS(status) != 0;
	model_verify(model);
	return WEXITSTATUS(status) == 0;
}
