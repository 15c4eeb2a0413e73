/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_names_model.c - random files and names against
 * a plain tree: each answer, what each open file reads, and at the end what
 * the server has; while files are sent in the background, or at each close.
 *
 * BEARERFS_SEQUENCES: how many sequences; BEARERFS_SEED: the first one.
 */
#include "tests/unit/cache/drafts/names_desk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	SEQUENCES = 100,
	STEPS = 120,
	PARTS = 3,
	PATHS = PARTS + PARTS * PARTS + PARTS * PARTS * PARTS,
	HANDLES = 6,
	FILES = 512,
	TEXT = 64,
};

/* A file, whatever its names. */
struct file {
	char text[TEXT];
	unsigned size;
	bool gone; /* it has no name any more: what only the server had of it
	              cannot be had */
};

/* What has a name. */
struct name {
	bool directory;
	struct file *file; /* NULL, and no directory: there is nothing */
};

struct handle {
	struct draft *draft;
	struct file *file;
};

static struct desk desk;
static struct name names[PATHS];
static struct handle handles[HANDLES];
static struct file files[FILES];
static unsigned file_count;
static uint64_t seed;

/* What was done, where BEARERFS_TRACE is set. */
static void trace(const char *format, ...) PRINTF_LIKE(1, 2);
static void trace(const char *format, ...)
{
	va_list args;

	if (getenv("BEARERFS_TRACE") == NULL)
		return;
	va_start(args, format);
	vprint_message(format, args);
	va_end(args);
	print_message("\n");
}

static unsigned any(unsigned below)
{
	return (unsigned)(bed_random(&seed) >> 16) % below;
}

/* Paths are numbered: 3 at the root, 9 below them, 27 below those. */
static unsigned parent(unsigned path)
{
	if (path < PARTS)
		return PATHS; /* the root */
	if (path < PARTS + PARTS * PARTS)
		return (path - PARTS) / PARTS;
	return PARTS + (path - PARTS - PARTS * PARTS) / PARTS;
}

static const char *text_of(unsigned path)
{
	static char texts[PATHS][32];

	for (unsigned i = 0; texts[path][0] == '\0' && i < PATHS; i++)
		(void)snprintf(texts[i], sizeof(texts[i]), "%.20s/%c",
		    i < PARTS ? "" : texts[parent(i)],
		    'a' + (int)((i < PARTS ? i : i - PARTS) % PARTS));
	return texts[path];
}

static bool exists(unsigned path)
{
	return names[path].directory || names[path].file != NULL;
}

static bool has_parent(unsigned path)
{
	return parent(path) == PATHS || names[parent(path)].directory;
}

static bool is_empty(unsigned path)
{
	for (unsigned i = 0; i < PATHS; i++)
		if (exists(i) && parent(i) == path)
			return false;
	return true;
}

/* One where something can be, as a rule; or is. */
static unsigned some(void)
{
	unsigned path = any(PATHS);

	for (unsigned tries = 0; tries < 6 && !has_parent(path); tries++)
		path = any(PATHS);
	return path;
}

static unsigned some_there(void)
{
	unsigned path = any(PATHS);

	for (unsigned tries = 0; tries < 40 && !exists(path); tries++)
		path = any(PATHS);
	return path;
}

/* ---- files ---- */

static void fill(char out[TEXT], unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		out[i] = (char)('a' + any(26));
	out[size] = '\0';
}

static void write_some(struct handle *handle)
{
	char text[TEXT];
	struct file *file = handle->file;
	unsigned size = 1 + any(20);
	unsigned at = any(file->size + 1);

	if (file->size + size >= TEXT)
		return; /* no room for it here */
	fill(text, size);
	trace("write %u at %u: %s", (unsigned)(handle - handles), at, text);
	desk_write(handle->draft, at, text);
	(void)memcpy(file->text + at, text, size);
	if (file->size < at + size)
		file->size = at + size;
	file->text[file->size] = '\0';
}

static void read_all(const struct handle *handle)
{
	char *text = desk_text(&desk, handle->draft);

	assert_true(text != NULL || handle->file->gone);
	if (text != NULL)
		assert_string_equal(text, handle->file->text);
	free(text);
}

static void close_handle(struct handle *handle)
{
	trace("close %u", (unsigned)(handle - handles));
	assert_int_equal(desk_flush(&desk, handle->draft), 0);
	desk_close(&desk, handle->draft);
	handle->draft = NULL;
}

static void open_some(void)
{
	struct handle *handle = &handles[any(HANDLES)];
	unsigned path = some();
	unsigned how = any(3) == 0 ? DRAFTS_OPEN_TRUNCATE : 0;

	if (names[path].directory || !has_parent(path) || file_count == FILES)
		return;
	if (handle->draft != NULL)
		close_handle(handle);
	if (names[path].file == NULL)
		names[path].file = &files[file_count++];
	handle->file = names[path].file;
	trace("open %s %u as %u", text_of(path), how,
	    (unsigned)(handle - handles));
	handle->draft = desk_open(&desk, text_of(path), how);
	if (how != 0) {
		handle->file->size = 0;
		handle->file->text[0] = '\0';
	}
	if (any(4) > 0)
		write_some(handle);
	if (any(2) > 0)
		close_handle(handle);
}

static void use_some(void)
{
	struct handle *handle = &handles[any(HANDLES)];

	if (handle->draft == NULL)
		return;
	switch (any(4)) {
	case 0:
		close_handle(handle);
		break;
	case 1:
		read_all(handle);
		break;
	case 2:
		assert_int_equal(desk_flush(&desk, handle->draft), 0);
		break;
	default:
		write_some(handle);
	}
}

/* ---- names ---- */

static void make_directory(void)
{
	unsigned path = some();
	int code = desk_mkdir(&desk, text_of(path));

	trace("mkdir %s: %d", text_of(path), code);
	if (exists(path)) {
		assert_int_equal(code, -EEXIST);
	} else if (!has_parent(path)) {
		assert_true(code == -ENOENT || code == -ENOTDIR);
	} else {
		assert_int_equal(code, 0);
		names[path].directory = true;
	}
}

static void remove_directory(void)
{
	unsigned path = some_there();
	int code;

	if (!exists(path) || names[path].file != NULL)
		return;
	code = desk_rmdir(&desk, text_of(path));
	trace("rmdir %s: %d", text_of(path), code);
	assert_int_equal(code, is_empty(path) ? 0 : -ENOTEMPTY);
	if (code == 0)
		names[path] = (struct name){0};
}

static void remove_file(void)
{
	unsigned path = some_there();

	if (names[path].directory)
		return;
	trace("unlink %s", text_of(path));
	assert_int_equal(desk_unlink(&desk, text_of(path)),
	    names[path].file == NULL ? -ENOENT : 0);
	if (names[path].file != NULL)
		names[path].file->gone = true;
	names[path] = (struct name){0};
}

/* The number of a path; PATHS: it is none of ours, too deep. */
static unsigned number_of(const char *text)
{
	for (unsigned i = 0; i < PATHS; i++)
		if (strcmp(text_of(i), text) == 0)
			return i;
	return PATHS;
}

static void move_names(unsigned from, unsigned to)
{
	struct name moved[PATHS];
	char text[64];

	if (names[to].file != NULL)
		names[to].file->gone = true;
	(void)memcpy(moved, names, sizeof(names));
	for (unsigned i = 0; i < PATHS; i++)
		if (path_is_within(text_of(i), text_of(from)))
			moved[i] = (struct name){0};
	for (unsigned i = 0; i < PATHS; i++) {
		if (!exists(i) || !path_is_within(text_of(i), text_of(from)))
			continue;
		(void)snprintf(text, sizeof(text), "%s%s", text_of(to),
		    text_of(i) + strlen(text_of(from)));
		moved[number_of(text)] = names[i];
	}
	(void)memcpy(names, moved, sizeof(names));
}

/* How deep what is below a path reaches. */
static bool fits(unsigned from, unsigned to)
{
	char text[64];

	for (unsigned i = 0; i < PATHS; i++) {
		if (!exists(i) || !path_is_within(text_of(i), text_of(from)))
			continue;
		(void)snprintf(text, sizeof(text), "%s%s", text_of(to),
		    text_of(i) + strlen(text_of(from)));
		if (number_of(text) == PATHS)
			return false;
	}
	return true;
}

static int rename_code(unsigned from, unsigned to, bool replace)
{
	if (!exists(from))
		return -ENOENT;
	if (exists(to) && !replace)
		return -EEXIST;
	if (from == to || !exists(to))
		return 0;
	if (names[from].directory && !names[to].directory)
		return -ENOTDIR;
	if (!names[from].directory && names[to].directory)
		return -EISDIR;
	return names[to].directory && !is_empty(to) ? -ENOTEMPTY : 0;
}

static void rename_some(void)
{
	unsigned from = some_there();
	unsigned to = any(3) == 0 ? some_there() : some();
	bool replace = any(5) > 0;
	struct reply reply;
	int code;

	/* What the kernel sees to by itself. */
	if (!has_parent(to) || !fits(from, to) ||
	    (from != to && path_is_within(text_of(to), text_of(from))))
		return;
	reply_init(&reply);
	drafts_rename(desk.drafts, &desk.ident, text_of(from), text_of(to),
	    replace, reply_code, &reply);
	code = reply_wait(&reply);
	trace("rename %s %s %d: %d", text_of(from), text_of(to), replace, code);
	assert_int_equal(code, rename_code(from, to, replace));
	if (code == 0 && from != to)
		move_names(from, to);
}

/* ---- a sequence ---- */

static void compare(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < PATHS; i++) {
		desk_served(text_of(i),
		    names[i].directory          ? "/"
		        : names[i].file != NULL ? names[i].file->text
		                                : NULL);
		count += exists(i);
	}
	assert_int_equal(tree_count(), count);
}

static void run_one(void)
{
	desk_begin(&desk);
	desk.back = any(2) == 0;
	desk_start(&desk);
	tree_late(any(2) == 0);
	(void)memset(names, 0, sizeof(names));
	(void)memset(files, 0, sizeof(files));
	file_count = 0;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned what = any(20);

		if (what < 6)
			open_some();
		else if (what < 10)
			use_some();
		else if (what < 13)
			make_directory();
		else if (what < 14)
			remove_directory();
		else if (what < 15)
			remove_file();
		else
			rename_some();
	}
	for (unsigned i = 0; i < HANDLES; i++)
		if (handles[i].draft != NULL) {
			read_all(&handles[i]);
			close_handle(&handles[i]);
		}
	assert_int_equal(desk_send_all(&desk), 0);
	compare();
	desk_until_empty(&desk);
	desk_end(&desk);
}

static unsigned number(const char *variable, unsigned otherwise)
{
	const char *text = getenv(variable);

	return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

static void names_are_as_in_a_plain_tree(void **state)
{
	unsigned sequences = number("BEARERFS_SEQUENCES", SEQUENCES);
	unsigned first = number("BEARERFS_SEED", 1);

	(void)state;
	for (unsigned i = 0; i < sequences; i++) {
		seed = first + i;
		print_message("sequence %u\n", first + i);
		run_one();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_as_in_a_plain_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
