/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket, both ends in one process: where it lies, whom it
 * trusts, and that no client can hold the daemon up. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/control/control.h"

static char dir[] = "/tmp/test_control.XXXXXX";
static struct control *control;
static struct err err;
static const uint64_t now_ms = 1000000;

/* Of the request "late": told to be there, asked for, forgotten. */
static bool late_came;
static unsigned late_asked;
static unsigned late_forgotten;
static uint64_t late_latest_ms; /* what the answerer says; 0: nothing */
static uid_t asker;

static int answer_late(struct control_request *asked, struct buf *out)
{
	late_asked++;
	asked->memo = late_came ? NULL : &late_came;
	asked->latest_ms = late_latest_ms;
	return late_came ? buf_printf(out, "at last\n") : -EINPROGRESS;
}

static void forget(void *arg, struct control_request *asked)
{
	(void)arg;
	assert_ptr_equal(asked->memo, &late_came);
	late_forgotten++;
}

static int answer(
    void *arg, struct control_request *asked, struct buf *out, struct err *why)
{
	const char *request = asked->text;

	(void)arg;
	assert_true(asked->owner);
	assert_int_equal(asked->peer.pid, getpid());
	asker = asked->peer.uid;
	if (strcmp(request, "late") == 0)
		return answer_late(asked, out);
	if (strcmp(request, "status") == 0)
		return buf_printf(out, "all is well\nreally\n");
	if (strcmp(request, "much") == 0) {
		for (int i = 0; i < 60000; i++)
			(void)buf_printf(out, "line %08d\n", i);
		return 0;
	}
	if (strcmp(request, "toomuch") == 0) {
		for (int i = 0; i < 600000; i++)
			(void)buf_printf(out, "line %d\n", i);
		return 0;
	}
	if (strcmp(request, "fail") == 0)
		return err_set(why, -EIO, "the disk is wet");
	if (strcmp(request, "stop") == 0) {
		asked->hold = true;
		return 0;
	}
	return -EINVAL;
}

static int make(struct control **out, unsigned minor)
{
	return control_new(out,
	    &(struct control_config){
	        .minor = minor, .answer = answer, .forget = forget},
	    &err);
}

static int fresh(void **state)
{
	(void)state;
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	if (mkdtemp(dir) == NULL || setenv("XDG_RUNTIME_DIR", dir, 1) < 0)
		return -1;
	err = (struct err)ERR_INIT;
	late_came = false;
	late_asked = 0;
	late_forgotten = 0;
	late_latest_ms = 0;
	return make(&control, 53);
}

static int done(void **state)
{
	char path[128];

	(void)state;
	control_free(control);
	control = NULL;
	(void)snprintf(path, sizeof(path), "%s/bearerfs", dir);
	(void)rmdir(path);
	return rmdir(dir);
}

/* Turn as long as something is ready now. */
static void turn_at(uint64_t ms)
{
	struct pollfd fds[CONTROL_POLL_MAX];

	for (int i = 0; i < 64; i++) {
		unsigned count = control_poll(control, fds);

		if (poll(fds, count, 0) == 0 && i > 0)
			break;
		control_turn(control, fds, count, ms);
	}
}

static int connect_here(void)
{
	int fd = control_connect(0, 53, geteuid(), 5000, &err);

	assert_true(fd >= 0);
	return fd;
}

/* The daemon's side in a thread, for clients that wait. */
static atomic_bool stop_turning;

static void *turn_thread(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop_turning)) {
		struct pollfd fds[CONTROL_POLL_MAX];
		unsigned count = control_poll(control, fds);

		(void)poll(fds, count, 10);
		control_turn(control, fds, count, now_ms);
	}
	return NULL;
}

static int ask(const char *request, struct buf *out)
{
	pthread_t thread;
	int fd = connect_here();
	int code;

	atomic_store(&stop_turning, false);
	assert_int_equal(pthread_create(&thread, NULL, turn_thread, NULL), 0);
	buf_init(out, CONTROL_ANSWER_BYTES_MAX);
	code = control_ask(fd, request, out, &err);
	atomic_store(&stop_turning, true);
	(void)pthread_join(thread, NULL);
	(void)close(fd);
	return code;
}

static void the_directory_follows_the_environment(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(control_dir(out, sizeof(out), 7, "/run/user/7"), 0);
	assert_string_equal(out, "/run/user/7/bearerfs");
	assert_int_equal(control_dir(out, sizeof(out), 0, NULL), 0);
	assert_string_equal(out, "/run/bearerfs");
	assert_int_equal(control_dir(out, sizeof(out), 7, NULL), 0);
	assert_string_equal(out, "/tmp/bearerfs-7");
	assert_int_equal(control_dir(out, sizeof(out), 7, "relative"), 0);
	assert_string_equal(out, "/tmp/bearerfs-7");
	assert_int_equal(control_dir(out, 12, 7, "/run/user/7"), -ENAMETOOLONG);
}

static void the_socket_lies_in_a_closed_directory_of_ours(void **state)
{
	char want[128];
	struct stat about;

	(void)state;
	(void)snprintf(want, sizeof(want), "%s/bearerfs/0-53.sock", dir);
	assert_string_equal(control_path(control), want);
	assert_int_equal(stat(want, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0600);
	*strrchr(want, '/') = '\0';
	assert_int_equal(stat(want, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0700);
}

static void an_open_directory_is_refused(void **state)
{
	char path[128];
	struct control *second = NULL;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/bearerfs", dir);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(make(&second, 54), -EACCES);
	assert_non_null(strstr(err.text, "chmod 700"));
	assert_int_equal(
	    control_connect(0, 53, geteuid(), 1000, &err), -EACCES);
	assert_int_equal(chmod(path, 0700), 0);
}

/* A path longer than a socket's address can hold. */
static void a_long_runtime_directory_works(void **state)
{
	char longer[400];
	char below[450];
	struct control *second = NULL;
	int fd;

	(void)state;
	(void)snprintf(longer, sizeof(longer), "%s/%0200d", dir, 1);
	assert_int_equal(mkdir(longer, 0700), 0);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", longer, 1), 0);
	assert_int_equal(make(&second, 54), 0);
	fd = control_connect(0, 54, geteuid(), 1000, &err);
	assert_true(fd >= 0);
	(void)close(fd);
	control_free(second);
	(void)snprintf(below, sizeof(below), "%s/bearerfs", longer);
	(void)rmdir(below);
	(void)rmdir(longer);
}

static void an_answer_comes_whole(void **state)
{
	struct buf out;

	(void)state;
	assert_int_equal(ask("status", &out), 0);
	assert_string_equal(buf_text(&out), "all is well\nreally\n");
	buf_fini(&out);
	/* More than a socket holds at once. */
	assert_int_equal(ask("much", &out), 0);
	assert_int_equal(out.size_bytes, 60000 * 14);
	assert_int_equal(
	    memcmp(out.bytes + 59999 * 14, "line 00059999", 13), 0);
	buf_fini(&out);
}

static void errors_come_as_sentences(void **state)
{
	struct buf out;

	(void)state;
	assert_int_equal(ask("fail", &out), -EPROTO);
	assert_string_equal(err.text, "the disk is wet");
	buf_fini(&out);
	assert_int_equal(ask("nonsense", &out), -EPROTO);
	assert_string_equal(err.text, "no such request");
	buf_fini(&out);
	assert_int_equal(ask("toomuch", &out), -EPROTO);
	assert_string_equal(err.text, "Message too long");
	buf_fini(&out);
}

static bool has_ended(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void who_does_not_ask_in_time_is_dropped(void **state)
{
	int fd = connect_here();

	(void)state;
	turn_at(now_ms);
	assert_int_equal(send(fd, "stat", 4, 0), 4);
	turn_at(now_ms + CONTROL_DEADLINE_MS - 1);
	assert_false(has_ended(fd));
	turn_at(now_ms + CONTROL_DEADLINE_MS);
	assert_true(has_ended(fd));
	(void)close(fd);
}

static void who_does_not_take_the_answer_in_time_is_dropped(void **state)
{
	int fd = connect_here();
	char first;

	(void)state;
	turn_at(now_ms);
	assert_int_equal(send(fd, "much\n", 5, 0), 5);
	turn_at(now_ms + 1); /* as much as fits */
	assert_int_equal(recv(fd, &first, 1, 0), 1);
	turn_at(now_ms + 1 + CONTROL_DEADLINE_MS);
	/* What was sent can be read; then comes the end, too early. */
	char text[4096];
	size_t all = 1;
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text), MSG_DONTWAIT)) > 0)
		all += (size_t)n;
	assert_true(n == 0 || errno == ECONNRESET);
	assert_true(all < 60000 * 14);
	(void)close(fd);
}

static void an_answer_may_come_later(void **state)
{
	int fd = connect_here();
	char text[64] = "";

	(void)state;
	turn_at(now_ms);
	assert_int_equal(send(fd, "late\n", 5, 0), 5);
	turn_at(now_ms + 1);
	assert_true(late_asked > 0);
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
	late_came = true;
	turn_at(now_ms + CONTROL_DEADLINE_MS);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 11);
	assert_string_equal(text, "ok\nat last\n");
	assert_true(has_ended(fd));
	assert_int_equal(late_forgotten, 0);
	assert_int_equal(asker, geteuid());
	(void)close(fd);
}

static void who_waits_too_long_or_goes_is_forgotten(void **state)
{
	int fd = connect_here();
	char text[64] = "";

	(void)state;
	turn_at(now_ms);
	assert_int_equal(send(fd, "late\n", 5, 0), 5);
	turn_at(now_ms + 1);
	(void)close(fd);
	turn_at(now_ms + 2);
	assert_int_equal(late_forgotten, 1);
	fd = connect_here();
	turn_at(now_ms);
	assert_int_equal(send(fd, "late\n", 5, 0), 5);
	turn_at(now_ms + 1);
	turn_at(now_ms + 1 + CONTROL_DEADLINE_MS);
	assert_int_equal(late_forgotten, 2);
	assert_true(recv(fd, text, sizeof(text), 0) > 6);
	assert_int_equal(memcmp(text, "error no answer", 15), 0);
	(void)close(fd);
	/* At the end of the daemon too. */
	fd = connect_here();
	turn_at(now_ms);
	assert_int_equal(send(fd, "late\n", 5, 0), 5);
	turn_at(now_ms + 1);
	control_free(control);
	control = NULL;
	assert_int_equal(late_forgotten, 3);
	(void)close(fd);
}

static void a_request_without_end_is_dropped(void **state)
{
	char noise[CONTROL_REQUEST_BYTES_MAX + 1];
	int fd = connect_here();

	(void)state;
	memset(noise, 'a', sizeof(noise));
	turn_at(now_ms);
	assert_int_equal(send(fd, noise, sizeof(noise) - 1, MSG_NOSIGNAL),
	    sizeof(noise) - 1);
	turn_at(now_ms + 1);
	assert_false(has_ended(fd));
	assert_int_equal(send(fd, noise, 1, MSG_NOSIGNAL), 1);
	turn_at(now_ms + 1);
	assert_true(has_ended(fd));
	(void)close(fd);
}

static void more_clients_than_places_are_served_in_turn(void **state)
{
	enum { MANY = CONTROL_CLIENTS_MAX + 4 };
	int fds[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		fds[i] = connect_here();
		turn_at(now_ms);
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(send(fds[i], "status\n", 7, MSG_NOSIGNAL), 7);
	for (int i = 0; i < 4; i++)
		turn_at(now_ms + 1);
	for (int i = 0; i < MANY; i++) {
		char text[64];

		assert_true(recv(fds[i], text, sizeof(text), 0) > 3);
		assert_int_equal(memcmp(text, "ok\n", 3), 0);
		(void)close(fds[i]);
	}
}

static void a_held_connection_ends_with_the_daemon(void **state)
{
	int fd = connect_here();
	char text[16];
	bool heard = false;

	(void)state;
	turn_at(now_ms);
	assert_int_equal(control_tell(fd, "stop"), 0);
	turn_at(now_ms + 1);
	turn_at(now_ms + 10 * CONTROL_DEADLINE_MS);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 3);
	assert_false(has_ended(fd));
	control_free(control);
	control = NULL;
	assert_int_equal(control_await_end(fd, &heard), 0);
	assert_int_equal(
	    control_connect(0, 53, geteuid(), 1000, &err), -ENOENT);
	(void)close(fd);
}

static void a_living_socket_is_not_replaced_and_a_dead_one_is(void **state)
{
	struct control *second = NULL;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	(void)state;
	assert_int_equal(make(&second, 53), -EADDRINUSE);
	turn_at(now_ms);
	/* What a killed daemon leaves behind. */
	(void)snprintf(path, sizeof(path), "%s/bearerfs/0-60.sock", dir);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)close(fd);
	assert_int_equal(
	    control_connect(0, 60, geteuid(), 1000, &err), -ECONNREFUSED);
	assert_int_equal(make(&second, 60), 0);
	control_sweep(0, 60, geteuid()); /* it lives: nothing is removed */
	assert_int_equal(access(path, F_OK), 0);
	control_free(second);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)close(fd);
	control_sweep(0, 60, geteuid());
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(
	    control_connect(0, 60, geteuid(), 1000, &err), -ENOENT);
}

static void an_answer_may_take_as_long_as_its_answerer_says(void **state)
{
	char text[64] = "";
	int fd = connect_here();

	(void)state;
	late_latest_ms = now_ms + 3 * CONTROL_DEADLINE_MS;
	turn_at(now_ms);
	assert_int_equal(send(fd, "late\n", 5, 0), 5);
	turn_at(now_ms);
	turn_at(now_ms + 3 * CONTROL_DEADLINE_MS - 1);
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
	assert_int_equal(late_forgotten, 0);
	/* Once it is there it has to be taken as any other. */
	late_came = true;
	turn_at(now_ms + 3 * CONTROL_DEADLINE_MS - 1);
	turn_at(now_ms + 3 * CONTROL_DEADLINE_MS - 1);
	assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(text, "ok\nat last\n");
	(void)close(fd);
	late_came = false;
	fd = connect_here();
	turn_at(now_ms);
	assert_int_equal(send(fd, "late\n", 5, 0), 5);
	turn_at(now_ms);
	turn_at(late_latest_ms);
	turn_at(late_latest_ms);
	memset(text, 0, sizeof(text));
	assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_non_null(strstr(text, "error no answer was found in time"));
	(void)close(fd);
}

static void a_daemon_that_does_not_answer_costs_the_deadline(void **state)
{
	struct buf out;
	int fd = control_connect(0, 53, geteuid(), 20, &err);

	(void)state;
	buf_init(&out, 1000);
	assert_int_equal(control_ask(fd, "status", &out, &err), -ETIMEDOUT);
	buf_fini(&out);
	(void)close(fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(the_directory_follows_the_environment),
	    CASE(the_socket_lies_in_a_closed_directory_of_ours),
	    CASE(an_open_directory_is_refused),
	    CASE(a_long_runtime_directory_works),
	    CASE(an_answer_comes_whole),
	    CASE(errors_come_as_sentences),
	    CASE(who_does_not_ask_in_time_is_dropped),
	    CASE(who_does_not_take_the_answer_in_time_is_dropped),
	    CASE(an_answer_may_come_later),
	    CASE(an_answer_may_take_as_long_as_its_answerer_says),
	    CASE(who_waits_too_long_or_goes_is_forgotten),
	    CASE(a_request_without_end_is_dropped),
	    CASE(more_clients_than_places_are_served_in_turn),
	    CASE(a_held_connection_ends_with_the_daemon),
	    CASE(a_living_socket_is_not_replaced_and_a_dead_one_is),
	    CASE(a_daemon_that_does_not_answer_costs_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
