/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tokens/fake_agent.c - see fake_agent.h. */
#include "tests/unit/tokens/fake_agent.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { STEP_MS = 5 };

static void send_all(int fd, const char *text, size_t bytes, size_t piece)
{
	for (size_t at = 0; at < bytes; at += piece) {
		size_t n = bytes - at < piece ? bytes - at : piece;

		if (send(fd, text + at, n, MSG_NOSIGNAL) < 0)
			return;
		if (piece == 1 && at % 64 == 0)
			(void)poll(NULL, 0, 1);
	}
}

static void flood(int fd, const char *text)
{
	while (send(fd, text, strlen(text), MSG_NOSIGNAL) > 0)
		continue;
}

static void keep(struct fake_agent *agent, int fd)
{
	struct pollfd gone = {.fd = fd, .events = POLLIN};

	while (!atomic_load(&agent->stopping) && poll(&gone, 1, STEP_MS) == 0)
		continue;
}

/* The answer, as the way is now. */
static void answer(struct fake_agent *agent, int fd, const char *text)
{
	switch (atomic_load(&agent->way)) {
	case FAKE_KEEPS:
		send_all(fd, text, strlen(text), strlen(text));
		keep(agent, fd);
		break;
	case FAKE_PIECES:
		send_all(fd, text, strlen(text), 1);
		break;
	case FAKE_HALF:
		send_all(fd, text, strlen(text) / 2, FAKE_TEXT_BYTES);
		break;
	case FAKE_FLOODS:
		flood(fd, text);
		break;
	case FAKE_SAYS:
		send_all(fd, text, strlen(text), FAKE_TEXT_BYTES);
		break;
	case FAKE_CLOSES:
	case FAKE_HANGS:
	default:
		break;
	}
}

static void serve(struct fake_agent *agent, int fd)
{
	static __thread char text[FAKE_TEXT_BYTES];
	char question[FAKE_TEXT_BYTES];
	ssize_t n = recv(fd, question, sizeof(question) - 1, 0);
	bool lists;

	if (n <= 0)
		return;
	question[n] = '\0';
	lists = strstr(question, "loaded_accounts") != NULL;
	(void)pthread_mutex_lock(&agent->mutex);
	if (!lists)
		memcpy(agent->question, question, (size_t)n + 1);
	(void)pthread_mutex_unlock(&agent->mutex);
	(void)atomic_fetch_add(lists ? &agent->listed : &agent->asked, 1);
	while (atomic_load(&agent->way) == FAKE_HANGS &&
	    !atomic_load(&agent->stopping))
		(void)poll(NULL, 0, STEP_MS);
	(void)pthread_mutex_lock(&agent->mutex);
	memcpy(text, lists ? agent->accounts : agent->text, sizeof(text));
	(void)pthread_mutex_unlock(&agent->mutex);
	answer(agent, fd, text);
}

static void *run(void *arg)
{
	struct fake_agent *agent = arg;
	struct pollfd ready = {.fd = agent->fd, .events = POLLIN};

	while (!atomic_load(&agent->stopping)) {
		int fd;

		if (poll(&ready, 1, STEP_MS) <= 0)
			continue;
		fd = accept(agent->fd, NULL, NULL);
		if (fd < 0)
			continue;
		serve(agent, fd);
		(void)close(fd);
	}
	return NULL;
}

/* Under a path that may be longer than sun_path. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char near[] = "/tmp/bearerfs-agent-XXXXXX";

	assert_true(fd >= 0);
	assert_non_null(mkdtemp(near));
	(void)snprintf(
	    address.sun_path, sizeof(address.sun_path), "%s/s", near);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    rename(address.sun_path, path) < 0 || listen(fd, 8) < 0)
		fail();
	(void)rmdir(near);
	return fd;
}

void fake_agent_start(struct fake_agent *agent, const char *path)
{
	memset(agent, 0, sizeof(*agent));
	(void)snprintf(agent->path, sizeof(agent->path), "%s", path);
	(void)snprintf(agent->accounts, sizeof(agent->accounts),
	    "{\"status\":\"success\",\"info\":[\"tb\"]}");
	(void)pthread_mutex_init(&agent->mutex, NULL);
	agent->fd = listen_at(path);
	assert_int_equal(pthread_create(&agent->thread, NULL, run, agent), 0);
}

void fake_agent_stop(struct fake_agent *agent)
{
	atomic_store(&agent->stopping, true);
	(void)pthread_join(agent->thread, NULL);
	(void)close(agent->fd);
	(void)unlink(agent->path);
	(void)pthread_mutex_destroy(&agent->mutex);
}

void fake_agent_says(
    struct fake_agent *agent, enum fake_way way, const char *text)
{
	(void)pthread_mutex_lock(&agent->mutex);
	(void)snprintf(agent->text, sizeof(agent->text), "%s", text);
	(void)pthread_mutex_unlock(&agent->mutex);
	atomic_store(&agent->way, way);
}

void fake_agent_gives(
    struct fake_agent *agent, const char *token, unsigned long long expires_s)
{
	char text[FAKE_TEXT_BYTES];

	(void)snprintf(text, sizeof(text),
	    "{\"status\":\"success\",\"access_token\":\"%s\","
	    "\"issuer\":\"https://issuer.example/\",\"expires_at\":%llu}",
	    token, expires_s);
	fake_agent_says(agent, FAKE_SAYS, text);
}

pid_t fake_agent_stranger(const char *path, uid_t uid)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, 9);
		if (uid == 0 || setresuid(uid, uid, uid) == 0)
			(void)listen_at(path);
		(void)!write(ready[1], "x", 1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	return pid;
}
