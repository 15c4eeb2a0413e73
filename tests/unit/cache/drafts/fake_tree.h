/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/fake_tree.h - a server of directories and files in
 * memory: what cache.h and note.h tell of it, and fetch/change.h to it. Changes
 * are done and answered on a thread of their own, when the test lets them.
 *
 * Stands before the real libraries in link order. Paths are the mount's; the
 * server's are "/src" and those.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef TESTS_UNIT_CACHE_DRAFTS_FAKE_TREE_H
#define TESTS_UNIT_CACHE_DRAFTS_FAKE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tree_op {
	TREE_PUBLISH,
	TREE_DELETE,
	TREE_MKCOL,
	TREE_RMDIR,
	TREE_MOVE,
	TREE_COPY,
	TREE_OPS,
};

/** Begin with a root; end (answers all with -ECANCELED). */
void tree_begin(void);
void tree_end(void);

/** Nothing is done until it is let go. Those that are asked for wait. */
void tree_hold(bool hold);
unsigned tree_waiting(void);

/** The server refuses the next ones of that kind; 0: no more. */
void tree_refuse(enum tree_op op, int code);

/** Of that kind were asked so many. */
unsigned tree_asked(enum tree_op op);

/** Look-ups are answered later, by that thread. */
void tree_late(bool late);

void tree_put(const char *path, const char *text); /* NULL: a directory */
void tree_remove(const char *path);

/** What is there: its text (malloc'ed), "/" of a directory, NULL: nothing. */
char *tree_get(const char *path);

/** How many names there are, besides the root. */
unsigned tree_count(void);

/** Files of the cache that are open. */
unsigned tree_open_files(void);

/** What the cache was told: the last of each kind, "kind path[ to]", in the
 *  order in which they came since the last question; malloc'ed. */
char *tree_notes(void);

#endif
