/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/scope.h: what a scope claim allows and leads to. */
#include "base/path.h"
#include "tests/unit/oom.h"
#include "tokens/claims/scope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool allows(const char *claim, const char *base, enum tokens_right right,
    const char *path)
{
	struct scope_list list;
	bool yes;

	assert_int_equal(scope_list_parse(&list, claim), 0);
	yes = scope_allows(&list, base, right, path);
	scope_list_fini(&list);
	return yes;
}

static void scopes_match_by_whole_components(void **state)
{
	static const struct {
		const char *claim;
		const char *base;
		enum tokens_right right;
		const char *path;
		bool yes;
	} rows[] = {
	    {"read:/", "/", TOKENS_READ, "/", true},
	    {"read:/", "/", TOKENS_READ, "/a/b", true},
	    {"read", "/", TOKENS_READ, "/a/b", true},
	    {"read:/john", "/", TOKENS_READ, "/john", true},
	    {"read:/john", "/", TOKENS_READ, "/john/x", true},
	    {"read:/john", "/", TOKENS_READ, "/johnathan", false},
	    {"read:/john", "/", TOKENS_READ, "/john.bak", false},
	    {"read:/john", "/", TOKENS_READ, "/joh", false},
	    {"read:/john", "/", TOKENS_READ, "/", false},
	    {"read:/john/", "/", TOKENS_READ, "/john/x", true},
	    {"read://john//x/", "/", TOKENS_READ, "/john/x", true},
	    {"read:/./john/.", "/", TOKENS_READ, "/john/x", true},
	    {"read:/alice", "/exp", TOKENS_READ, "/exp/alice/x", true},
	    {"read:/alice", "/exp", TOKENS_READ, "/alice/x", false},
	    {"read:/", "/exp", TOKENS_READ, "/exp", true},
	    {"read:/", "/exp", TOKENS_READ, "/expo", false},
	    {"read:/a write:/b", "/", TOKENS_READ, "/b", false},
	    {"read:/a write:/b", "/", TOKENS_MODIFY, "/b", true},
	    {"read:/a write:/b", "/", TOKENS_MODIFY, "/a", false},
	    {"  read:/a   read:/b ", "/", TOKENS_READ, "/b", true},
	    /* WLCG: create does not overwrite, modify does not read. */
	    {"storage.read:/a", "/", TOKENS_READ, "/a/x", true},
	    {"storage.create:/a", "/", TOKENS_CREATE, "/a/x", true},
	    {"storage.create:/a", "/", TOKENS_MODIFY, "/a/x", false},
	    {"storage.create:/a", "/", TOKENS_READ, "/a/x", false},
	    {"storage.modify:/a", "/", TOKENS_MODIFY, "/a/x", true},
	    {"storage.modify:/a", "/", TOKENS_CREATE, "/a/x", true},
	    {"storage.modify:/a", "/", TOKENS_READ, "/a/x", false},
	    {"storage.stage:/a", "/", TOKENS_READ, "/a/x", false},
	    {"storage.read", "/", TOKENS_READ, "/", false}, /* needs a path */
	    /* Not for files. */
	    {"queue execute condor:/READ openid wlcg.groups:/cms", "/",
	        TOKENS_READ, "/READ", false},
	    {"gwdatafind.read read:/ligo", "/", TOKENS_READ, "/ligo/x", true},
	    {"readx:/", "/", TOKENS_READ, "/a", false},
	    {"rea:/", "/", TOKENS_READ, "/a", false},
	    {"READ:/", "/", TOKENS_READ, "/a", false},
	    {":/", "/", TOKENS_READ, "/a", false},
	    {"read:", "/", TOKENS_READ, "/a", false},
	    {"read:a", "/", TOKENS_READ, "/a", false},
	    {"read:/a:b", "/", TOKENS_READ, "/a:b/c", true},
	    {NULL, "/", TOKENS_READ, "/", false},
	    {"", "/", TOKENS_READ, "/", false},
	    /* Percent signs: decoded, and nothing may hide behind them. */
	    {"read:/a%20b", "/", TOKENS_READ, "/a b/c", true},
	    {"read:/a%20b", "/", TOKENS_READ, "/a%20b/c", false},
	    {"read:/a%2520b", "/", TOKENS_READ, "/a b/c", true},
	    {"read:/%2e%2e", "/", TOKENS_READ, "/..x", false},
	    {"read:/a/%2e/b", "/", TOKENS_READ, "/a/b", true},
	    {"read:/a%2fb", "/", TOKENS_READ, "/a/b", false},
	    {"read:/a%5cb", "/", TOKENS_READ, "/a\\b", false},
	    {"read:/a%00b", "/", TOKENS_READ, "/a", false},
	    {"read:/100%", "/", TOKENS_READ, "/100%", false},
	    {"read:/a%zz", "/", TOKENS_READ, "/a%zz", false},
	    {"read:/a/../b", "/", TOKENS_READ, "/b", false},
	    {"read:/..", "/", TOKENS_READ, "/", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (allows(rows[i].claim, rows[i].base, rows[i].right,
		        rows[i].path) != rows[i].yes)
			fail_msg("row %zu: '%s' on '%s'", i, rows[i].claim,
			    rows[i].path);
	}
}

/* What a scope with a path that cannot be trusted would grant, nobody says;
 * a verifier has to know that it stood there. */
static void untrusted_paths_are_counted(void **state)
{
	struct scope_list list;

	(void)state;
	assert_int_equal(scope_list_parse(&list,
	                     "read:/a read:/b/../c storage.read read:x "
	                     "openid read:/d%"),
	    0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.bad_count, 4);
	scope_list_fini(&list);
}

/* Property: a scope opens exactly its path and what lies below it. */
static void a_scope_opens_its_path_and_what_lies_below(void **state)
{
	static const char *const paths[] = {"/", "/a", "/a/b", "/a/b/c", "/ab",
	    "/a/bc", "/b", "/a b", "/A", "/a/b/c/d", "/abc/d"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		for (size_t j = 0; j < ARRAY_COUNT(paths); j++) {
			char claim[64] = "read:";

			for (const char *p = paths[i]; *p != '\0'; p++) {
				char code[8];

				/* Every byte in its encoded form. */
				(void)snprintf(code, sizeof(code),
				    *p == '/' ? "%c" : "%%%02x", *p);
				strcat(claim, code);
			}
			assert_int_equal(
			    allows(claim, "/", TOKENS_READ, paths[j]),
			    path_is_within(paths[j], paths[i]));
		}
	}
}

static void the_number_of_scopes_is_bounded(void **state)
{
	char *claim = malloc((SCOPE_COUNT_MAX + 1) * 8 + 1);

	(void)state;
	assert_non_null(claim);
	for (int extra = 0; extra < 2; extra++) {
		struct scope_list list;
		size_t used = 0;
		int code;

		for (int i = 0; i < SCOPE_COUNT_MAX + extra; i++) {
			memcpy(claim + used, "read:/a ", 8);
			used += 8;
		}
		claim[used] = '\0';
		code = scope_list_parse(&list, claim);
		assert_int_equal(code, extra == 0 ? 0 : -EINVAL);
		if (code == 0) {
			assert_int_equal(list.count, SCOPE_COUNT_MAX);
			scope_list_fini(&list);
		}
	}
	free(claim);
}

static void long_paths_are_bounded(void **state)
{
	char claim[PATH_BYTES_MAX + 800] = "read:";
	char path[PATH_BYTES_MAX + 400] = "";
	struct scope_list list;

	(void)state;
	/* One name of 255 bytes is one; of 256 is none. */
	for (size_t n = 255; n <= 256; n++) {
		claim[5] = '/';
		memset(claim + 6, 'a', n);
		claim[6 + n] = '\0';
		assert_int_equal(scope_list_parse(&list, claim), 0);
		assert_int_equal(list.count, n == 255 ? 1 : 0);
		assert_int_equal(list.bad_count, n == 255 ? 0 : 1);
		scope_list_fini(&list);
	}
	/* A path that fits alone and not behind its base allows nothing. */
	while (strlen(path) + 2 < PATH_BYTES_MAX)
		strcat(path, "/a");
	(void)snprintf(claim, sizeof(claim), "read:%s", path);
	assert_true(allows(claim, "/", TOKENS_READ, path));
	assert_false(allows(claim, "/b", TOKENS_READ, path));
	assert_false(allows(claim, "/b", TOKENS_READ, "/b"));
}

static void collect(void *arg, const char *name)
{
	char *all = arg;

	strcat(all, name);
	strcat(all, ",");
}

static void names_lead_to_what_the_scopes_allow(void **state)
{
	static const struct {
		const char *claim;
		const char *base;
		const char *path;
		const char *names;
	} rows[] = {
	    {"read:/alice/run1", "/", "/", "alice,"},
	    {"read:/alice/run1", "/", "/alice", "run1,"},
	    {"read:/alice/run1", "/", "/alice/run1", ""},
	    {"read:/alice/run1", "/", "/alice/run1/x", ""},
	    {"read:/alice/run1", "/", "/ali", ""},
	    {"read:/alice/run1", "/", "/bob", ""},
	    {"read:/alice", "/exp", "/", "exp,"},
	    {"read:/alice", "/exp", "/exp", "alice,"},
	    {"read:/", "/exp", "/", "exp,"},
	    {"read:/", "/exp", "/exp", ""},
	    {"read:/", "/", "/", ""},
	    {"read:/a/x read:/a/y storage.create:/b openid write:/c/d", "/",
	        "/", "a,b,c,"},
	    {"read:/a/x read:/a/y read:/a/x/z", "/", "/a", "x,y,"},
	    {"storage.stage:/tape/x", "/", "/", "tape,"},
	    {"read:/a%20b/c", "/", "/", "a b,"},
	    {"read:/a/../b read:c", "/", "/", ""},
	    {NULL, "/", "/", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct scope_list list;
		char names[256] = "";
		unsigned commas = 0;
		unsigned count;

		assert_int_equal(scope_list_parse(&list, rows[i].claim), 0);
		count = scope_reach(
		    &list, rows[i].base, rows[i].path, collect, names);
		assert_string_equal(names, rows[i].names);
		for (const char *p = names; *p != '\0'; p++)
			commas += *p == ',';
		assert_int_equal(count, commas);
		assert_int_equal(
		    scope_reach(&list, rows[i].base, rows[i].path, NULL, NULL),
		    count);
		scope_list_fini(&list);
	}
}

static void an_unknown_base_is_guessed_for_showing_names(void **state)
{
	static const struct {
		const char *claim;
		const char *source;
		const char *base;
	} rows[] = {
	    {"read:/exp/alice", "/exp", "/"}, /* below the mount's root */
	    {"read:/exp", "/exp/data", "/"},  /* above it */
	    {"read:/", "/exp", "/"},
	    {"read:/alice", "/exp", "/exp"}, /* else it means what is below */
	    {"read:/alice", "/", "/"},
	    {NULL, "/exp", "/exp"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct scope_list list;

		assert_int_equal(scope_list_parse(&list, rows[i].claim), 0);
		assert_string_equal(
		    scope_guess_base(&list, rows[i].source), rows[i].base);
		scope_list_fini(&list);
	}
}

/* strdup(3) allocates inside libc, where no wrapper sees it. */
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = malloc(n);

	return copy != NULL ? memcpy(copy, text, n) : NULL;
}

static int parse_once(void *arg)
{
	struct scope_list list;
	int code = scope_list_parse(&list, arg);

	scope_list_fini(&list);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	char claim[] = "read:/a write:/b openid storage.read:/c";

	(void)state;
	assert_int_equal(oom_each(parse_once, claim), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scopes_match_by_whole_components),
	    cmocka_unit_test(untrusted_paths_are_counted),
	    cmocka_unit_test(a_scope_opens_its_path_and_what_lies_below),
	    cmocka_unit_test(the_number_of_scopes_is_bounded),
	    cmocka_unit_test(long_paths_are_bounded),
	    cmocka_unit_test(names_lead_to_what_the_scopes_allow),
	    cmocka_unit_test(an_unknown_base_is_guessed_for_showing_names),
	    cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
