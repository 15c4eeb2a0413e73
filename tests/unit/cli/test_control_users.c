/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket and users who did not mount: kept out of a private
 * mount, told who they are on a shared one, and unable to keep each other or
 * the owner out. Clients are processes with other ids; /run is the test's
 * own. Needs root. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/control/control.h"

#define DIR    "/run/bearerfs"
#define SOCKET DIR "/0-53.sock"

enum { ADA = 2001, BOB = 2002, MANY = 1000 };

static bool possible;
static struct control *control;
static struct err err;
static struct control_request last; /* as it was asked */
static uint64_t now_ms = 1000000;

static int answer(void *arg, struct control_request *request, struct buf *out,
    struct err *why)
{
	(void)arg;
	(void)why;
	last = *request;
	if (strcmp(request->text, "much") == 0) {
		for (int i = 0; i < 60000; i++)
			(void)buf_printf(out, "line %08d\n", i);
		return 0;
	}
	return buf_printf(out, "%s\n", request->owner ? "owner" : "guest");
}

static void start(bool shared)
{
	if (!possible)
		skip();
	err = (struct err)ERR_INIT;
	assert_int_equal(
	    control_new(&control,
	        &(struct control_config){
	            .minor = 53, .shared = shared, .answer = answer},
	        &err),
	    0);
}

static int stop(void **state)
{
	(void)state;
	control_free(control);
	control = NULL;
	(void)rmdir(DIR);
	return 0;
}

static void turn(void)
{
	struct pollfd fds[CONTROL_POLL_MAX];
	unsigned count = control_poll(control, fds);

	if (poll(fds, count, 1) < 0)
		fail();
	control_turn(control, fds, count, now_ms);
}

static mode_t mode_of(const char *path)
{
	struct stat about;

	assert_int_equal(stat(path, &about), 0);
	return about.st_mode & 07777;
}

/* Run something as another user while the daemon turns; its exit status. */
static int as(uid_t uid, int (*run)(void))
{
	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		(void)alarm(60);
		if (setresgid(uid, uid, uid) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			_exit(99);
		_exit(run());
	}
	while (waitpid(child, &status, WNOHANG) == 0)
		turn();
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* What is said to "status": 'o', 'g', 'm' (too many of theirs), 't' (too many
 * users), 's' (somebody else's), or an errno. */
static int ask(void)
{
	struct err why = ERR_INIT;
	struct buf out;
	int fd = control_connect(0, 53, 0, 5000, &why);
	int code = fd;

	buf_init(&out, 4096);
	if (fd >= 0)
		code = control_ask(fd, "status", &out, &why);
	if (code == 0)
		return buf_text(&out)[0];
	if (code == -EPROTO && strstr(why.text, "you ask too many"))
		return 'm';
	if (code == -EPROTO && strstr(why.text, "too many users"))
		return 't';
	if (code == -EPROTO && strstr(why.text, "somebody else's"))
		return 's';
	return -code;
}

static int ask_without_runtime_dir(void)
{
	(void)unsetenv("XDG_RUNTIME_DIR");
	return ask();
}

static void a_private_mount_is_closed_to_others(void **state)
{
	(void)state;
	start(false);
	assert_int_equal(mode_of(DIR), 0700);
	assert_int_equal(mode_of(SOCKET), 0600);
	assert_int_equal(as(ADA, ask), EACCES);
	/* Modes are one wall; who asks is another. */
	assert_int_equal(chmod(DIR, 0711), 0);
	assert_int_equal(as(ADA, ask), EACCES);
	assert_int_equal(chmod(SOCKET, 0666), 0);
	assert_int_equal(as(ADA, ask), 's');
	assert_int_equal(as(0, ask), 'o');
}

static void a_shared_mount_knows_who_asks(void **state)
{
	(void)state;
	start(true);
	assert_int_equal(mode_of(DIR), 0711);
	assert_int_equal(mode_of(SOCKET), 0666);
	assert_int_equal(as(ADA, ask_without_runtime_dir), 'g');
	assert_false(last.owner);
	assert_int_equal(last.peer.uid, ADA);
	assert_int_equal(last.peer.gid, ADA);
	assert_true(last.peer.pid > 0 && last.peer.pid != getpid());
	assert_int_equal(as(0, ask), 'o');
	assert_true(last.owner);
	assert_int_equal(last.peer.uid, 0);
}

/* It is where everybody looks, also when root has a runtime directory, which
 * is closed to others; and root's private mounts work beside it. */
static void it_is_found_whatever_roots_environment_is(void **state)
{
	struct control *second = NULL;

	(void)state;
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/nowhere", 1), 0);
	start(true);
	assert_string_equal(control_path(control), SOCKET);
	assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
	assert_int_equal(
	    control_new(&second,
	        &(struct control_config){.minor = 54, .answer = answer}, &err),
	    0);
	assert_int_equal(mode_of(DIR), 0711);
	assert_int_equal(mode_of(DIR "/0-54.sock"), 0600);
	control_free(second);
}

/* A user's own directory stays closed. */
static int make_in_an_open_directory(void)
{
	struct control *own = NULL;
	struct err why = ERR_INIT;
	int code;

	if (setenv("XDG_RUNTIME_DIR", "/run/ada", 1) < 0 ||
	    mkdir("/run/ada/bearerfs", 0711) < 0)
		return 98;
	code = control_new(&own,
	    &(struct control_config){.minor = 55, .answer = answer}, &why);
	(void)rmdir("/run/ada/bearerfs");
	return -code;
}

static void an_open_directory_of_a_user_is_refused(void **state)
{
	(void)state;
	start(false);
	assert_int_equal(mkdir("/run/ada", 0700), 0);
	assert_int_equal(chown("/run/ada", ADA, ADA), 0);
	assert_int_equal(as(ADA, make_in_an_open_directory), EACCES);
	(void)rmdir("/run/ada");
}

static int hoard(void)
{
	struct err why = ERR_INIT;

	for (int i = 0; i < MANY; i++) {
		if (control_connect(0, 53, 0, 5000, &why) < 0)
			return 97;
	}
	/* Held until this process ends, and then some. */
	return ask();
}

/* Sit on places in a process of its own. @return its pid. */
static pid_t sit(uid_t uid, unsigned count, int *ready_fd)
{
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct err why = ERR_INIT;

		(void)alarm(60);
		if (setresgid(uid, uid, uid) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			_exit(99);
		for (unsigned i = 0; i < count; i++) {
			if (control_connect(0, 53, 0, 5000, &why) < 0)
				_exit(97);
		}
		(void)!write(ends[1], "r", 1);
		(void)pause();
		_exit(0);
	}
	(void)close(ends[1]);
	*ready_fd = ends[0];
	return child;
}

static void sit_down(pid_t *child, uid_t uid, unsigned count)
{
	int ready_fd;
	struct pollfd ready = {.events = POLLIN};

	*child = sit(uid, count, &ready_fd);
	ready.fd = ready_fd;
	while (poll(&ready, 1, 0) == 0)
		turn();
	for (int i = 0; i < 4; i++)
		turn();
	(void)close(ready_fd);
}

static void stand_up(pid_t child)
{
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
}

static void a_thousand_connections_of_one_user_stop_nobody_else(void **state)
{
	pid_t child;

	(void)state;
	start(true);
	assert_int_equal(as(ADA, hoard), 'm');
	sit_down(&child, ADA, MANY);
	assert_int_equal(as(ADA, ask), 'm');
	assert_int_equal(as(BOB, ask), 'g');
	assert_int_equal(as(0, ask), 'o');
	/* Who asks nothing has to go after a while. */
	now_ms += CONTROL_DEADLINE_MS;
	turn();
	assert_int_equal(as(ADA, ask), 'g');
	stand_up(child);
}

static void many_users_leave_places_for_the_owner(void **state)
{
	enum {
		USERS = CONTROL_GUESTS_MAX / CONTROL_GUESTS_OF_UID_MAX,
		OWNERS = CONTROL_CLIENTS_MAX - CONTROL_GUESTS_MAX,
	};
	pid_t children[USERS + 1];

	(void)state;
	start(true);
	/* The owner's own take none of the guests'. */
	sit_down(&children[USERS], 0, OWNERS - 1);
	for (unsigned i = 0; i < USERS; i++) {
		assert_int_equal(as(BOB, ask), 'g');
		sit_down(&children[i], 3000 + i, CONTROL_GUESTS_OF_UID_MAX);
	}
	assert_int_equal(as(BOB, ask), 't');
	assert_int_equal(as(0, ask), 'o');
	stand_up(children[USERS]);
	/* Nobody waits in a queue, not even when all is full. */
	sit_down(&children[USERS], 0, OWNERS);
	assert_int_equal(as(BOB, ask), 't');
	assert_int_equal(as(0, ask), 't');
	for (unsigned i = 0; i <= USERS; i++)
		stand_up(children[i]);
	assert_int_equal(as(BOB, ask), 'g');
}

/* Ask for much and take none of it. */
static int take_nothing(void)
{
	struct err why = ERR_INIT;
	int fd = control_connect(0, 53, 0, 60000, &why);

	if (fd < 0 || control_tell(fd, "much") < 0)
		return 97;
	(void)usleep(300 * 1000);
	return ask();
}

static void a_slow_reader_stops_nobody(void **state)
{
	(void)state;
	start(true);
	assert_int_equal(as(ADA, take_nothing), 'g');
	assert_int_equal(as(BOB, ask), 'g');
}

static int own_run(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", "/run", "tmpfs", 0, "mode=755") == 0 &&
	    unsetenv("XDG_RUNTIME_DIR") == 0;
}

#define CASE(name) cmocka_unit_test_teardown(name, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_private_mount_is_closed_to_others),
	    CASE(a_shared_mount_knows_who_asks),
	    CASE(it_is_found_whatever_roots_environment_is),
	    CASE(an_open_directory_of_a_user_is_refused),
	    CASE(a_thousand_connections_of_one_user_stop_nobody_else),
	    CASE(many_users_leave_places_for_the_owner),
	    CASE(a_slow_reader_stops_nobody),
	};

	possible = own_run();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
