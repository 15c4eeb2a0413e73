/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_drafts_model.c - random operations on drafts
 * and on plain memory: what is read, and what the server gets, is the same.
 * BEARERFS_SEQUENCES has it do more of them, BEARERFS_SEED begin elsewhere.
 */
#include "tests/unit/cache/drafts/desk.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	FILES = 3,
	HANDLES = 3,
	SIZE_MAX_BYTES = 300000,
	STEPS = 60,
	BATCH = 5,
};

/* A file as it ought to be. */
struct model {
	char path[16];
	bool exists; /* for who looks here */
	uint8_t *bytes;
	size_t size_bytes;
	struct draft *handle[HANDLES];
	unsigned open;
};

struct play {
	struct desk desk;
	struct model file[FILES];
	uint64_t random;
	bool fails; /* the server takes nothing */
	bool held;
	bool late; /* what is held has been read whole */
};

static struct play play;

static unsigned below(unsigned limit)
{
	return (unsigned)(bed_random(&play.random) % limit);
}

static void set_size(struct model *file, size_t size)
{
	if (size > file->size_bytes)
		(void)memset(
		    file->bytes + file->size_bytes, 0, size - file->size_bytes);
	file->size_bytes = size;
}

/* ---- changes: several on their way at once ---- */

struct step {
	struct reply reply;
	int code;
};

static void issue_write(struct model *file, struct step *step)
{
	size_t size = 1 + below(below(2) ? 100 : 50000);
	size_t offset = below(SIZE_MAX_BYTES - (unsigned)size);
	bool append = below(3) == 0 && file->size_bytes + size < SIZE_MAX_BYTES;
	uint8_t *bytes = malloc(size);

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)bed_random(&play.random);
	draft_write(file->handle[below(file->open)], bytes, size, offset,
	    append, reply_code, &step->reply);
	if (append)
		offset = file->size_bytes;
	if (offset + size > file->size_bytes)
		set_size(file, offset + size);
	(void)memcpy(file->bytes + offset, bytes, size);
	step->code = (int)size;
	free(bytes);
}

static void issue_truncate(struct model *file, struct step *step)
{
	size_t size = below(4) == 0 ? 0 : below(SIZE_MAX_BYTES);

	draft_truncate(
	    file->handle[below(file->open)], size, reply_code, &step->reply);
	set_size(file, size);
	step->code = 0;
}

static void change(struct model *file)
{
	struct step step[BATCH];
	unsigned count = 1 + below(BATCH);

	for (unsigned i = 0; i < count; i++) {
		reply_init(&step[i].reply);
		if (below(4) == 0)
			issue_truncate(file, &step[i]);
		else
			issue_write(file, &step[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		/* An answer that is late is not waited for. */
		while (play.late && !reply_is_here(&step[i].reply)) {
			desk_tick(&play.desk);
			(void)usleep(100);
		}
		assert_int_equal(reply_wait(&step[i].reply), step[i].code);
	}
}

/* ---- looking ---- */

static void compare(struct model *file, size_t offset, size_t size)
{
	static uint8_t out[SIZE_MAX_BYTES + 10];
	size_t end =
	    offset + size < file->size_bytes ? offset + size : file->size_bytes;
	size_t wanted = offset < end ? end - offset : 0;

	assert_int_equal(desk_read(&play.desk, file->handle[below(file->open)],
	                     offset, out, size),
	    wanted);
	assert_memory_equal(out, file->bytes + offset, wanted);
}

static void look(struct model *file)
{
	struct draft_attr attr;

	draft_attr(file->handle[0], &attr);
	assert_int_equal(attr.attr.size_bytes, file->size_bytes);
	compare(file, below(SIZE_MAX_BYTES), 1 + below(SIZE_MAX_BYTES));
	compare(file, 0, SIZE_MAX_BYTES);
}

static void compare_server(const struct model *file)
{
	size_t size = 0;
	uint8_t *bytes = fake_get(file->path, &size, NULL);

	assert_int_equal(bytes != NULL, file->exists);
	if (bytes != NULL) {
		assert_int_equal(size, file->size_bytes);
		assert_memory_equal(bytes, file->bytes, size);
	}
	free(bytes);
}

/* ---- opening and closing ---- */

static void open_one(struct model *file)
{
	unsigned how = 0;

	if (file->open == HANDLES)
		return;
	if (!file->exists || below(2) == 0)
		how |= DRAFTS_OPEN_CREATE;
	/* That would wait without a tick. */
	if (below(4) == 0 && !(play.late && play.held))
		how |= DRAFTS_OPEN_TRUNCATE;
	file->handle[file->open++] = desk_open(&play.desk, file->path, how);
	file->exists = true;
	if ((how & DRAFTS_OPEN_TRUNCATE) != 0)
		set_size(file, 0);
}

static void flush(struct model *file)
{
	int code = desk_flush(&play.desk, file->handle[below(file->open)]);

	if (play.desk.back) {
		assert_int_equal(code, 0);
	} else if (!play.fails) {
		assert_int_equal(code, 0);
		compare_server(file);
	} else {
		assert_true(code == 0 || code == -EDQUOT);
		if (code == 0)
			compare_server(file);
	}
}

static void close_one(struct model *file)
{
	if (below(4) != 0)
		flush(file);
	desk_close(&play.desk, file->handle[--file->open]);
}

static void step(struct model *file)
{
	unsigned what = below(20);

	if (file->open == 0 || what == 0) {
		open_one(file);
	} else if (what < 8) {
		change(file);
	} else if (what < 13) {
		look(file);
	} else if (what < 15) {
		flush(file);
	} else if (what == 15) {
		assert_int_equal(desk_sync(&play.desk, file->handle[0]), 0);
	} else if (what < 18) {
		close_one(file);
	} else if (what == 18) {
		/* What is on its way hears what the server says now. */
		if (!play.desk.back)
			desk_until_quiet(&play.desk);
		play.fails = !play.fails;
		fake_send_code(play.fails ? -EDQUOT : 0);
	} else if (play.desk.back) {
		play.held = !play.held;
		fake_send_hold(play.held);
	}
	if (below(8) == 0)
		desk_tick(&play.desk);
}

static void begin(uint64_t seed)
{
	play = (struct play){.random = seed};
	desk_init(&play.desk);
	play.desk.back = below(2) == 0;
	play.late = below(2) == 0;
	fake_send_late(play.late);
	if (below(2) == 0)
		fake_cache_later();
	for (unsigned i = 0; i < FILES; i++) {
		struct model *file = &play.file[i];

		(void)snprintf(file->path, sizeof(file->path), "/m%u", i);
		file->bytes = calloc(1, SIZE_MAX_BYTES);
		assert_non_null(file->bytes);
		file->exists = below(2) == 0;
		if (!file->exists)
			continue;
		file->size_bytes = below(SIZE_MAX_BYTES);
		for (size_t k = 0; k < file->size_bytes; k++)
			file->bytes[k] = (uint8_t)bed_random(&play.random);
		(void)fake_put(file->path, file->bytes, file->size_bytes);
	}
	desk_start(&play.desk);
}

static void end(void)
{
	for (unsigned i = 0; i < FILES; i++)
		while (play.file[i].open > 0)
			close_one(&play.file[i]);
	fake_send_code(0);
	fake_send_hold(false);
	/* What had failed is tried again until it has worked. */
	for (unsigned i = 0; i < 10000 && bed_count_all(&play.desk.bed) > 0;
	     i++)
		desk_tick(&play.desk);
	desk_until_empty(&play.desk);
	for (unsigned i = 0; i < FILES; i++) {
		compare_server(&play.file[i]);
		free(play.file[i].bytes);
	}
	desk_stop(&play.desk);
	desk_fini(&play.desk);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void a_draft_is_a_plain_file(void **state)
{
	uint64_t count = number_of("BEARERFS_SEQUENCES", 30);
	uint64_t seed = number_of("BEARERFS_SEED", 1);

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		print_message(
		    "sequence %llu\n", (unsigned long long)(seed + i));
		begin((seed + i) * UINT64_C(0x9e3779b97f4a7c15) + 1);
		for (unsigned k = 0; k < STEPS; k++)
			step(&play.file[below(FILES)]);
		end();
	}
}

/* ---- several at once ---- */

enum { WRITERS = 3, ROUNDS = 60, PART = 20000 };

static void *write_part(void *arg)
{
	unsigned number = *(unsigned *)arg;
	uint64_t random = number + 7;
	struct draft *draft =
	    desk_open(&play.desk, "/shared", DRAFTS_OPEN_CREATE);
	uint64_t start = (uint64_t)number * PART;
	char text[2] = {0};

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t at = start + bed_random(&random) % PART;
		char back[2] = {0};

		text[0] = (char)('a' + i % 26);
		assert_int_equal(desk_write(draft, at, text), 1);
		assert_int_equal(desk_read(&play.desk, draft, at, back, 1), 1);
		assert_int_equal(back[0], text[0]);
		if (i % 7 == number)
			assert_int_equal(desk_flush(&play.desk, draft), 0);
		if (i % 13 == number)
			assert_int_equal(desk_sync(&play.desk, draft), 0);
	}
	desk_close(&play.desk, draft);
	return NULL;
}

static void play_together(bool back)
{
	static uint8_t wanted[WRITERS * PART];
	pthread_t thread[WRITERS];
	unsigned number[WRITERS];
	size_t last = 0;
	size_t size = 0;
	uint8_t *bytes;

	play = (struct play){.random = 1};
	desk_init(&play.desk);
	play.desk.back = back;
	fake_cache_later();
	desk_start(&play.desk);
	for (unsigned i = 0; i < WRITERS; i++) {
		number[i] = i;
		assert_int_equal(
		    pthread_create(&thread[i], NULL, write_part, &number[i]),
		    0);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		(void)pthread_join(thread[i], NULL);
	desk_until_empty(&play.desk);
	(void)memset(wanted, 0, sizeof(wanted));
	for (unsigned i = 0; i < WRITERS; i++) {
		uint64_t random = i + 7;

		for (unsigned k = 0; k < ROUNDS; k++) {
			size_t at =
			    (size_t)i * PART + bed_random(&random) % PART;

			wanted[at] = (uint8_t)('a' + k % 26);
			if (at >= last)
				last = at + 1;
		}
	}
	bytes = fake_get("/shared", &size, NULL);
	assert_non_null(bytes);
	assert_int_equal(size, last);
	assert_memory_equal(bytes, wanted, last);
	free(bytes);
	desk_stop(&play.desk);
	desk_fini(&play.desk);
}

static void many_write_one_file(void **state)
{
	(void)state;
	play_together(false);
	play_together(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_draft_is_a_plain_file),
	    cmocka_unit_test(many_write_one_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
