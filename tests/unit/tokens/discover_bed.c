/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tokens/discover_bed.c - see discover_bed.h. */
#include "tests/unit/tokens/discover_bed.h"

#include "tests/unit/tokens/make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

struct discover_bed discover_bed;

char *discover_bed_in_dir(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", discover_bed.dir, name);
	return path;
}

int discover_bed_set_up(void **state)
{
	(void)state;
	make_no_environment();
	make_directory(discover_bed.dir);
	discover_bed.discover = NULL;
	discover_bed.found = (struct finding){.count = 0};
	return 0;
}

int discover_bed_tear_down(void **state)
{
	(void)state;
	finding_fini(&discover_bed.found);
	discover_free(discover_bed.discover);
	make_remove(discover_bed.dir);
	make_no_environment();
	return 0;
}

/* A user id that has no file in /tmp, whatever machine this is. */
uid_t discover_bed_uid_of_test(void)
{
	return geteuid();
}

void discover_bed_begin(const char *token_file)
{
	const struct tokens_config config = {
	    .token_file = token_file, .uid = discover_bed_uid_of_test()};
	struct err err = ERR_INIT;

	discover_free(discover_bed.discover);
	discover_bed.discover = NULL;
	assert_int_equal(
	    discover_new(&discover_bed.discover, &config, NULL, &err), 0);
}

void discover_bed_look(uint64_t now_s)
{
	finding_fini(&discover_bed.found);
	discover_look(discover_bed.discover, false, now_s, &discover_bed.found);
}

void discover_bed_put(const char *path, const char *name, uint64_t expires_s)
{
	char text[MAKE_BYTES];

	make_token(text, name, expires_s);
	make_replaced(path, text, 0600);
}

void discover_bed_found(const char *name)
{
	assert_non_null(finding_first(&discover_bed.found));
	assert_string_equal(
	    finding_first(&discover_bed.found)->claims.subject, name);
}

bool discover_bed_own_token_in_tmp(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/tmp/bt_u%u",
	    (unsigned)discover_bed_uid_of_test());
	return access(path, F_OK) == 0;
}
