/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_inode.c - which node a name and a version lead to, and
 * how long a node lives.
 */
#include "base/stats.h"
#include "fs/inode.h"
#include "fs/wait.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 100000, DEEP = 20000 };

static struct fs_mail mail;
static struct fs_nodes nodes;

static const struct cache_attr dir = {.kind = CACHE_DIRECTORY, .version = 1};

static struct cache_attr file(uint64_t version)
{
	return (struct cache_attr){.kind = CACHE_FILE,
	    .version = version,
	    .size_bytes = version * 10,
	    .mtime_s = (int64_t)version * 100};
}

UNCHECKED static int start(void **state)
{
	(void)state;
	assert_int_equal(mail_init(&mail), 0);
	mail_enter(&mail);
	return nodes_init(&nodes);
}

UNCHECKED static int stop(void **state)
{
	(void)state;
	nodes_fini(&nodes);
	mail_leave(&mail);
	mail_fini(&mail);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
	return 0;
}

static struct fs_node *take(struct fs_node *parent, const char *name,
    struct cache_attr attr) REQUIRES(fuse_thread)
{
	struct fs_node *node = node_take(&nodes, parent, name, &attr);

	assert_non_null(node);
	return node;
}

static void assert_path(const struct fs_node *node, const char *expected)
    REQUIRES(fuse_thread)
{
	char path[PATH_BYTES_MAX];

	assert_int_equal(node_path(node, path), 0);
	assert_string_equal(path, expected);
}

static void a_path_is_the_names_from_the_root(void **state)
{
	struct fs_node *a;
	struct fs_node *b;

	(void)state;
	mail_assert_here(&mail);
	a = take(nodes.root, "a", dir);
	b = take(a, "b c%#", file(1));
	assert_path(nodes.root, "/");
	assert_path(a, "/a");
	assert_path(b, "/a/b c%#");
}

static void the_longest_path_fits_and_a_longer_one_is_refused(void **state)
{
	struct fs_node *node;
	char name[PATH_NAME_BYTES_MAX + 1];
	char path[PATH_BYTES_MAX];

	(void)state;
	mail_assert_here(&mail);
	node = nodes.root;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	for (unsigned i = 0; i < 15; i++)
		node = take(node, name, dir);
	/* 15 * 256 = 3840; 4095 is the most, its NUL not counted. */
	name[254] = '\0';
	assert_int_equal(node_path(take(node, name, dir), path), 0);
	assert_int_equal(strlen(path), PATH_BYTES_MAX - 1);
	name[254] = 'n';
	assert_int_equal(node_path(take(node, name, dir), path), -ENAMETOOLONG);
}

static void the_same_version_is_the_same_node(void **state)
{
	struct fs_node *node;

	(void)state;
	mail_assert_here(&mail);
	node = take(nodes.root, "f", file(7));
	assert_ptr_equal(take(nodes.root, "f", file(7)), node);
	assert_int_equal(node->lookup_count, 2);
	assert_int_equal(node->size_bytes, 70);
	assert_int_equal(node->mtime_s, 700);
	assert_ptr_not_equal(take(nodes.root, "g", file(7)), node);
	assert_ptr_equal(node_of(&nodes, node_id(&nodes, node)), node);
	/* Every user is shown it: it tells no address. */
	assert_int_not_equal(node_id(&nodes, node), (uintptr_t)node);
	assert_true(node_id(&nodes, node) >> 63 == 1);
}

static void another_version_takes_the_name_and_leaves_the_old_node(void **state)
{
	struct fs_node *old;
	struct fs_node *fresh;
	struct cache_attr was;
	struct cache_attr is;

	(void)state;
	mail_assert_here(&mail);
	was = file(7);
	is = file(8);
	old = take(nodes.root, "f", was);
	fresh = take(nodes.root, "f", is);
	assert_ptr_not_equal(fresh, old);
	assert_int_equal(old->lookup_count, 1);
	assert_false(node_is(old, &was)); /* what is there is another */
	assert_true(node_is(fresh, &is));
	assert_false(node_is(fresh, &was));
	assert_path(old, "/f");
	assert_int_equal(old->size_bytes, 70);
	assert_true(fresh->number != old->number);
	assert_ptr_equal(take(nodes.root, "f", is), fresh);
	/* Back again: the old node had lost its name. */
	assert_ptr_not_equal(take(nodes.root, "f", was), old);
}

static void a_directory_keeps_its_node(void **state)
{
	struct cache_attr later = dir;
	struct fs_node *node;

	(void)state;
	mail_assert_here(&mail);
	later.version = 99;
	node = take(nodes.root, "d", dir);
	assert_ptr_equal(take(nodes.root, "d", later), node);
	assert_true(node_is(node, &later));
}

static void another_kind_is_another_node(void **state)
{
	struct fs_node *node;

	(void)state;
	mail_assert_here(&mail);
	node = take(nodes.root, "x", file(1));
	assert_ptr_not_equal(take(nodes.root, "x", dir), node);
	assert_ptr_not_equal(take(nodes.root, "x", file(1)), node);
}

static void a_node_lives_until_the_last_lookup_is_forgotten(void **state)
{
	struct fs_node *node;

	(void)state;
	mail_assert_here(&mail);
	node = take(nodes.root, "f", file(1));
	(void)take(nodes.root, "f", file(1));
	(void)take(nodes.root, "f", file(1));
	node_forget(&nodes, node, 2);
	assert_int_equal(stats_get(STATS_fs_nodes), 1);
	node_forget(&nodes, node, 1);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
	node_forget(&nodes, nodes.root, 1); /* never freed */
	assert_path(nodes.root, "/");
}

static void a_pinned_node_outlives_its_lookups(void **state)
{
	struct fs_node *node;

	(void)state;
	mail_assert_here(&mail);
	node = take(nodes.root, "f", file(1));
	node_pin(node);
	node_forget(&nodes, node, 1);
	assert_int_equal(stats_get(STATS_fs_nodes), 1);
	assert_path(node, "/f");
	/* Found again while it lives. */
	assert_ptr_equal(take(nodes.root, "f", file(1)), node);
	node_forget(&nodes, node, 1);
	node_unpin(&nodes, node);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

/* The kernel forgets in any order: here from the top. */
static void parents_live_as_long_as_their_children(void **state)
{
	struct fs_node *first;
	struct fs_node *node;

	(void)state;
	mail_assert_here(&mail);
	first = node = take(nodes.root, "d", dir);
	for (unsigned i = 1; i < DEEP; i++) {
		struct fs_node *child = take(node, "d", dir);

		node_forget(&nodes, node, 1);
		node = child;
	}
	assert_int_equal(stats_get(STATS_fs_nodes), DEEP);
	assert_int_equal(first->lookup_count, 0);
	node_forget(&nodes, node, 1);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

static void many_names_are_found_again(void **state)
{
	static struct fs_node *taken[MANY];
	char name[32];

	(void)state;
	mail_assert_here(&mail);
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "name-%u", i);
		taken[i] = take(nodes.root, name, file(i + 1));
	}
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "name-%u", i);
		assert_ptr_equal(take(nodes.root, name, file(i + 1)), taken[i]);
	}
	assert_true(nodes.bucket_count >= MANY);
	for (unsigned i = 0; i < MANY; i++)
		node_forget(&nodes, taken[i], 2);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

/* st_ino: the same for the same thing, whatever the node's address is. */
static void a_number_tells_parent_name_and_version_apart(void **state)
{
	struct cache_attr attr;
	struct fs_node *a;
	struct fs_node *b;
	uint64_t number;

	(void)state;
	mail_assert_here(&mail);
	attr = file(1);
	a = take(nodes.root, "a", dir);
	b = take(nodes.root, "b", dir);
	number = take(a, "f", attr)->number;
	assert_true(number == node_number(a, "f", &attr));
	assert_true(number != node_number(b, "f", &attr));
	assert_true(number != node_number(a, "g", &attr));
	attr.version = 2;
	assert_true(number != node_number(a, "f", &attr));
	stop(NULL);
	start(NULL);
	mail_assert_here(&mail);
	a = take(nodes.root, "a", dir);
	assert_true(number == take(a, "f", file(1))->number);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

static void a_node_goes_on_as_the_next_version(void **state)
{
	struct cache_attr draft;
	struct cache_attr sent;
	struct cache_attr other;
	struct fs_node *node;

	(void)state;
	mail_assert_here(&mail);
	draft = file(100);
	draft.was = 7;
	sent = file(8);
	sent.was = 100;
	other = file(9);
	other.was = 55;
	node = take(nodes.root, "f", file(7));
	assert_true(node_would_be(node, &draft));
	assert_int_equal(node->version, 7);
	assert_ptr_equal(take(nodes.root, "f", draft), node);
	assert_int_equal(node->version, 100);
	assert_int_equal(node->size_bytes, 1000);
	assert_false(node_is(node, &other));
	assert_true(node_is(node, &sent));
	assert_int_equal(node->version, 8);
	/* What is about to replace it is not what it becomes. */
	draft.was = 8;
	node->leaving++;
	assert_false(node_is(node, &draft));
	node->leaving--;
	assert_true(node_is(node, &draft));
}

static void move(struct fs_node *node, struct fs_node *parent, const char *name)
    REQUIRES(fuse_thread)
{
	struct fs_room *room = node_room();

	assert_non_null(room);
	node_move(&nodes, node, parent, name, &room);
	assert_null(room);
}

/* mv d a; mkdir d; mv a d/a */
static void a_directory_that_was_moved_keeps_its_number_alone(void **state)
{
	struct fs_node *moved;
	struct fs_node *made;
	uint64_t number;

	(void)state;
	mail_assert_here(&mail);
	moved = take(nodes.root, "d", dir);
	number = moved->number;
	move(moved, nodes.root, "a");
	assert_true(moved->number == number);
	made = take(nodes.root, "d", dir);
	assert_true(made->number != number);
	assert_true(made->number == node_number(nodes.root, "d", &dir));
	move(moved, made, "a");
	assert_true(moved->number == number);
}

static void a_moved_node_takes_what_is_below_along(void **state)
{
	static const char name[] = "a name that is longer than the first one";
	struct fs_node *a;
	struct fs_node *b;
	struct fs_node *f;
	struct fs_node *there;

	(void)state;
	mail_assert_here(&mail);
	a = take(nodes.root, "a", dir);
	b = take(nodes.root, "b", dir);
	f = take(a, "f", file(1));
	there = take(b, name, dir);
	move(a, b, name);
	assert_true(there->nameless);
	assert_ptr_equal(node_named(&nodes, b, name), a);
	assert_null(node_named(&nodes, nodes.root, "a"));
	assert_path(f, "/b/a name that is longer than the first one/f");
	assert_ptr_equal(take(a, "f", file(1)), f);
	move(a, b, "short");
	assert_path(f, "/b/short/f");
	assert_string_equal(node_name(a), "short");
	/* Onto itself, and below itself (a server says so): it stays. */
	move(a, b, "short");
	move(b, a, "b");
	assert_path(f, "/b/short/f");
	/* The parents go when nothing holds them. */
	move(a, nodes.root, name);
	node_forget(&nodes, b, 1);
	assert_int_equal(stats_get(STATS_fs_nodes), 4);
	node_forget(&nodes, there, 1);
	node_forget(&nodes, f, 2);
	node_forget(&nodes, a, 1);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_path_is_the_names_from_the_root),
	    CASE(the_longest_path_fits_and_a_longer_one_is_refused),
	    CASE(the_same_version_is_the_same_node),
	    CASE(another_version_takes_the_name_and_leaves_the_old_node),
	    CASE(a_directory_keeps_its_node),
	    CASE(another_kind_is_another_node),
	    CASE(a_node_lives_until_the_last_lookup_is_forgotten),
	    CASE(a_pinned_node_outlives_its_lookups),
	    CASE(parents_live_as_long_as_their_children),
	    CASE(many_names_are_found_again),
	    CASE(a_number_tells_parent_name_and_version_apart),
	    CASE(a_node_goes_on_as_the_next_version),
	    CASE(a_moved_node_takes_what_is_below_along),
	    CASE(a_directory_that_was_moved_keeps_its_number_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
