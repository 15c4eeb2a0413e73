/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/drafts/post.c - see post.h. */
#include "tests/unit/cache/drafts/post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TICKS_MAX = 1000 };

int post_file(struct desk *desk, const char *path, const char *text)
{
	struct draft *draft =
	    desk_open(desk, path, DRAFTS_OPEN_CREATE | DRAFTS_OPEN_TRUNCATE);
	int code;

	assert_int_equal(desk_write(draft, 0, text), (int)strlen(text));
	code = desk_flush(desk, draft);
	desk_close(desk, draft);
	return code;
}

void post_pass(struct desk *desk, uint64_t ms)
{
	(void)atomic_fetch_add(&desk->bed.clock.monotonic_ms, ms);
	drafts_tick(desk->drafts);
}

int post_ticks(struct desk *desk, struct reply *reply)
{
	for (unsigned i = 0; i < TICKS_MAX && !reply_is_here(reply); i++) {
		post_pass(desk, 1);
		(void)usleep(1000);
	}
	return reply_wait(reply);
}

struct awaited {
	unsigned (*count)(void);
	unsigned least;
};

static bool has_come(void *arg)
{
	const struct awaited *awaited = arg;

	return awaited->count() >= awaited->least;
}

void post_until(unsigned (*count)(void), unsigned least)
{
	desk_until(has_come, &(struct awaited){count, least});
}

void post_expect_unsent(
    struct desk *desk, uint64_t files, uint64_t bytes, uint64_t failed)
{
	struct drafts_count count;

	drafts_count(desk->drafts, &count);
	assert_int_equal(count.unsent_files, files);
	assert_int_equal(count.unsent_bytes, bytes);
	assert_int_equal(count.failed, failed);
}

uint64_t post_conflicts(struct desk *desk)
{
	struct drafts_count count;

	drafts_count(desk->drafts, &count);
	return count.conflicts;
}

void post_expect_item(
    struct desk *desk, const char *path, enum spool_state state, int code)
{
	struct spool_item item = bed_item(&desk->bed, path);

	assert_int_equal(item.state, state);
	assert_int_equal(item.code, code);
	spool_item_fini(&item);
}

void post_describes(struct desk *desk, const char *text)
{
	struct buf buf;

	buf_init(&buf, 1024 * 1024);
	assert_int_equal(drafts_describe(desk->drafts, true, 0, &buf), 0);
	if (strstr(buf_text(&buf), text) == NULL)
		fail_msg("%s is not in %s", text, buf_text(&buf));
	buf_fini(&buf);
}
