/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of `bearerfs prefetch`: what a mount says is taken apart or
 * refused, paths are made of names, and what came of it is told in full. */
#include "tests/unit/cli/json_check.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/command.h"
#include "cli/prefetch/mount.h"
#include "cli/prefetch/talk.h"
#include "cli/prefetch/tally.h"

static struct talk talk;
static int mount_end; /* what a mount would write to */

static int begin(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	talk = (struct talk){.fd = ends[0]};
	buf_init(&talk.in, 256 * 1024);
	mount_end = ends[1];
	return 0;
}

static int end(void **state)
{
	(void)state;
	talk_end(&talk);
	if (mount_end >= 0)
		(void)close(mount_end);
	return 0;
}

static void mount_says(const char *text)
{
	assert_int_equal(
	    write(mount_end, text, strlen(text)), (ssize_t)strlen(text));
}

static struct talk_line hear(void)
{
	struct talk_line line;
	struct err err = ERR_INIT;

	assert_int_equal(talk_hear(&talk, &line, &err), 0);
	return line;
}

static void each_kind_of_line_is_understood(void **state)
{
	struct talk_line line;

	(void)state;
	mount_says("F 7 123 a%20b\nD 7 c\nU 7 %25\nF 8 5\nE 7\n.\nP 9 64\n"
	           "K 9 100 36\nX 9 EACCES no; ask for a%20scope\n");
	line = hear();
	assert_int_equal(line.what, 'F');
	assert_int_equal(line.number, 7);
	assert_int_equal(line.bytes, 123);
	assert_string_equal(line.text, "a b");
	line = hear();
	assert_int_equal(line.what, 'D');
	assert_string_equal(line.text, "c");
	line = hear();
	assert_string_equal(line.text, "%");
	line = hear();
	assert_int_equal(line.bytes, 5);
	assert_string_equal(line.text, "");
	assert_int_equal(hear().what, 'E');
	assert_int_equal(hear().what, '.');
	assert_int_equal(hear().bytes, 64);
	line = hear();
	assert_int_equal(line.bytes, 100);
	assert_int_equal(line.brought, 36);
	/* What is no name stays as it is. */
	assert_string_equal(hear().text, "EACCES no; ask for a%20scope");
}

static void a_line_may_come_in_pieces(void **state)
{
	const char *text = "K 1 2 3\n";
	struct talk_line line;

	(void)state;
	for (unsigned cut = 1; cut < strlen(text); cut++) {
		char first[16];

		(void)snprintf(first, sizeof(first), "%.*s", (int)cut, text);
		mount_says(".\n");
		mount_says(first);
		assert_int_equal(hear().what, '.');
		mount_says(text + cut);
		line = hear();
		assert_int_equal(line.number, 1);
		assert_int_equal(line.brought, 3);
	}
}

static void what_is_no_line_is_not_understood(void **state)
{
	static const char *const lines[] = {"\n", "Z 1\n", "F\n", "F 1\n",
	    "F x 1\n", "F 1 2 a/b\n", "F 1 2 ..\n", "D 1 %00\n", "K 1 2\n",
	    "E 99999999999999999999\n", "D 1 \n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		struct talk_line line;
		struct err err = ERR_INIT;

		mount_says(lines[i]);
		assert_int_equal(talk_hear(&talk, &line, &err), -EPROTO);
		assert_string_not_equal(err.text, "");
	}
}

static void the_end_and_silence_are_told_apart(void **state)
{
	const struct timeval soon = {.tv_usec = 1000};
	struct talk_line line;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
	    setsockopt(talk.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)),
	    0);
	assert_int_equal(talk_hear(&talk, &line, &err), -ETIMEDOUT);
	(void)close(mount_end);
	mount_end = -1;
	assert_int_equal(talk_hear(&talk, &line, &err), -ECONNRESET);
	assert_int_equal(talk_ask(&talk, "keep", 1, "/a", &err), -ECONNRESET);
}

static void a_question_is_one_line_whatever_is_in_a_path(void **state)
{
	struct err err = ERR_INIT;
	char got[64] = "";

	(void)state;
	assert_int_equal(talk_ask(&talk, "keep", 12, "/a\nb c", &err), 0);
	assert_true(read(mount_end, got, sizeof(got) - 1) > 0);
	assert_string_equal(got, "keep 12 /a%0Ab%20c\n");
}

static void paths_are_made_of_names(void **state)
{
	struct prefetch_mount mount = {.count = 0};
	char path[PATH_BYTES_MAX];
	struct wanted *wanted;

	(void)state;
	assert_int_equal(prefetch_mount_add(&mount, "here/", "/in/mount"), 0);
	assert_int_equal(prefetch_mount_add(&mount, "/m", "/"), 0);
	for (size_t parent = 0; parent < 3; parent++) {
		wanted = wanted_add(&mount, "sub");
		assert_non_null(wanted);
		wanted->parent = parent;
	}
	assert_int_equal(wanted_path(&mount, 2, false, path), 0);
	assert_string_equal(path, "/in/mount/sub");
	assert_int_equal(wanted_path(&mount, 2, true, path), 0);
	assert_string_equal(path, "here/sub");
	assert_int_equal(wanted_path(&mount, 3, false, path), 0);
	assert_string_equal(path, "/sub");
	assert_int_equal(wanted_path(&mount, 4, true, path), 0);
	assert_string_equal(path, "here/sub/sub");
	/* As deep as names can stand in each other, and deeper. */
	for (size_t i = 0; i < PATH_BYTES_MAX; i++) {
		wanted = wanted_add(&mount, "d");
		assert_non_null(wanted);
		wanted->parent = mount.count - 2;
	}
	assert_int_equal(
	    wanted_path(&mount, mount.count - 1, false, path), -ENAMETOOLONG);
	prefetch_mount_fini(&mount);
}

/* Run with stdout and stderr in files; what was written to them. */
static int tell(struct tally *tally, bool json, char out[4096])
{
	char name[] = "/tmp/bearerfs-unit-XXXXXX";
	int fd = mkstemp(name);
	int kept = dup(STDOUT_FILENO);
	int status;
	ssize_t n;

	assert_true(fd >= 0 && kept >= 0);
	(void)unlink(name);
	assert_true(dup2(fd, STDOUT_FILENO) >= 0);
	status = tally_tell(tally, json);
	assert_true(dup2(kept, STDOUT_FILENO) >= 0);
	n = pread(fd, out, 4095, 0);
	assert_true(n >= 0);
	out[n] = '\0';
	(void)close(fd);
	(void)close(kept);
	return status;
}

static void the_exit_status_is_that_of_all_failures(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		int status;
	} cases[] = {
	    {"ENOENT", NULL, STATUS_FAILED},
	    {"EACCES", "ENOKEY", EX_NOPERM},
	    {"EACCES", "ENOENT", STATUS_FAILED},
	    {"EHOSTUNREACH", "ETIMEDOUT", EX_UNAVAILABLE},
	    {"EIO", NULL, EX_IOERR},
	    {"ENEW", NULL, STATUS_FAILED},
	};
	char out[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct tally tally;

		tally_init(&tally);
		tally_fail(&tally, "/m/a", cases[i].first, "why");
		if (cases[i].second != NULL)
			tally_fail(&tally, "/m/b", cases[i].second, "why");
		assert_int_equal(tell(&tally, true, out), cases[i].status);
		assert_non_null(strstr(out, "\"state\":\"partial\""));
		tally_fini(&tally);
	}
}

/* Without a thousand lines on the terminal. */
static void fail_often(struct tally *tally, unsigned times)
{
	int kept = dup(STDERR_FILENO);
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_true(kept >= 0 && nowhere >= 0);
	assert_true(dup2(nowhere, STDERR_FILENO) >= 0);
	for (unsigned i = 0; i < times; i++)
		tally_fail(tally, "/m/\"x", "ENOENT", "not \n there");
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	(void)close(nowhere);
}

static void all_of_it_is_told_as_json(void **state)
{
	struct tally tally;
	char out[4096];

	(void)state;
	tally_init(&tally);
	tally.files = tally.kept_files = 2;
	tally.bytes = tally.kept_bytes = 10;
	assert_int_equal(tell(&tally, true, out), STATUS_OK);
	assert_true(json_is_valid(out));
	assert_non_null(strstr(out, "\"state\":\"complete\""));
	assert_int_equal(tell(&tally, false, out), STATUS_OK);
	assert_string_equal(
	    out, "2 of 2 files in the cache, 10 bytes, 0 bytes of them new\n");
	fail_often(&tally, TALLY_FAILURES_MAX + 1);
	assert_int_equal(tally.failures, TALLY_FAILURES_MAX + 1);
	assert_true(buf_code(&tally.json) == 0);
	tally_fini(&tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	    TEST(each_kind_of_line_is_understood),
	    TEST(a_line_may_come_in_pieces),
	    TEST(what_is_no_line_is_not_understood),
	    TEST(the_end_and_silence_are_told_apart),
	    TEST(a_question_is_one_line_whatever_is_in_a_path),
#undef TEST
	    cmocka_unit_test(paths_are_made_of_names),
	    cmocka_unit_test(the_exit_status_is_that_of_all_failures),
	    cmocka_unit_test(all_of_it_is_told_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
