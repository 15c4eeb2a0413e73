/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/delay_proxy.c - a network that is far away: passes TCP connections
 * on and gives each byte a fixed time on its way, in each direction.
 *
 *   delay_proxy listen=PORT connect=PORT delay_us=20000 [rate=BYTES]
 *               [total=BYTES] [stall_every=N stall_ms=MS]
 *
 * Both ends are on 127.0.0.1. Bandwidth is not limited: what arrives at one
 * moment leaves at one moment, `delay_us` later. With `rate` each connection
 * carries so many bytes a second in each direction, as one does whose window
 * is small for its distance; several together carry more. With `total` all of
 * them together carry no more than that towards the client, as of a server
 * whose line is the limit. Of `stall_every` answers one waits `stall_ms` more
 * before its first byte; a connection's first answer, of TLS, is none. TCP's
 * handshake with the
 * client is answered by the kernel at once; so that a new connection costs
 * its round trip, what the client sends first is taken as if it had been
 * sent one round trip after accept(2). No loss, no slow start of the far
 * network. One thread, one poll(2) loop; the error of a delivery is what
 * poll's wake-up takes, some 60 us.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "delay_way.h"

enum { CONNECTIONS_MAX = 256 };

struct connection {
	bool used;
	bool broken;
	struct pipe_way ways[2];
};

static struct connection connections[CONNECTIONS_MAX];
static struct chunk *spare;
static double delay_s;

static struct chunk *chunk_new(void)
{
	struct chunk *chunk = spare;

	if (chunk != NULL) {
		spare = chunk->next;
		return chunk;
	}
	chunk = malloc(sizeof(*chunk));
	if (chunk == NULL)
		die("out of memory");
	return chunk;
}

static void chunk_drop(struct chunk *chunk)
{
	chunk->next = spare;
	spare = chunk;
}

static void way_fini(struct pipe_way *way)
{
	while (way->head != NULL) {
		struct chunk *chunk = way->head;

		way->head = chunk->next;
		chunk_drop(chunk);
	}
}

static void connection_end(struct connection *connection)
{
	way_fini(&connection->ways[0]);
	way_fini(&connection->ways[1]);
	(void)close(connection->ways[0].from);
	(void)close(connection->ways[1].from);
	connection->used = false;
}

static void set_up(int fd)
{
	int on = 1;

	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("fcntl: %s", strerrordesc_np(errno));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static struct sockaddr_in address(uint16_t port)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr = {htonl(INADDR_LOOPBACK)},
	};

	return to;
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in to = address(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		die("socket: %s", strerrordesc_np(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    listen(fd, 128) < 0)
		die("port %u: %s", port, strerrordesc_np(errno));
	return fd;
}

static void take_connection(int listener, uint16_t port)
{
	struct sockaddr_in to = address(port);
	struct connection *connection = connections;
	int client = accept(listener, NULL, NULL);
	int server;

	if (client < 0)
		return;
	while (connection < connections + CONNECTIONS_MAX && connection->used)
		connection++;
	server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection == connections + CONNECTIONS_MAX || server < 0 ||
	    connect(server, (struct sockaddr *)&to, sizeof(to)) < 0) {
		(void)close(client);
		if (server >= 0)
			(void)close(server);
		return;
	}
	set_up(client);
	set_up(server);
	*connection = (struct connection){.used = true};
	connection->ways[0] = (struct pipe_way){
	    .from = client, .to = server, .not_before = now_s() + 2 * delay_s};
	connection->ways[1] =
	    (struct pipe_way){.from = server, .to = client, .answers = true};
}

static void receive(struct connection *connection, struct pipe_way *way)
{
	while (has_room(way)) {
		struct chunk *chunk = chunk_new();
		ssize_t n = recv(way->from, chunk->bytes, CHUNK_BYTES, 0);

		if (n <= 0) {
			double now = now_s();

			chunk_drop(chunk);
			if (n < 0 && errno == EAGAIN)
				return;
			connection->broken = connection->broken || n < 0;
			way->ended = true;
			way->end_due =
			    (now < way->not_before ? way->not_before : now) +
			    delay_s;
			return;
		}
		if (!way->answers)
			connection->ways[1].asked = true;
		chunk->next = NULL;
		chunk->due = sent_at(way, (size_t)n) + delay_s;
		chunk->size_bytes = (size_t)n;
		chunk->sent_bytes = 0;
		if (way->head == NULL)
			way->head = chunk;
		else
			way->tail->next = chunk;
		way->tail = chunk;
		way->in_flight_bytes += (size_t)n;
		/* Others are to have their part of what all may carry. */
		if (total_bytes_s > 0)
			return;
	}
}

/* Send what is due. */
static void deliver(struct connection *connection, struct pipe_way *way)
{
	while (way->head != NULL && way->head->due <= now_s()) {
		struct chunk *chunk = way->head;
		ssize_t n = send(way->to, chunk->bytes + chunk->sent_bytes,
		    chunk->size_bytes - chunk->sent_bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			connection->broken = true;
			return;
		}
		chunk->sent_bytes += (size_t)n;
		way->in_flight_bytes -= (size_t)n;
		if (chunk->sent_bytes < chunk->size_bytes)
			return;
		way->head = chunk->next;
		chunk_drop(chunk);
	}
	if (way->head == NULL && way->ended && !way->shut &&
	    way->end_due <= now_s()) {
		way->shut = true;
		(void)shutdown(way->to, SHUT_WR);
	}
}

/* What to wait for on the two sockets, and until when at the latest. */
static void ask(
    struct connection *connection, struct pollfd *polls, double *until)
{
	double now = now_s();

	polls[0] = (struct pollfd){.fd = connection->ways[0].from};
	polls[1] = (struct pollfd){.fd = connection->ways[1].from};
	for (int i = 0; i < 2; i++) {
		struct pipe_way *way = &connection->ways[i];
		double due = way->head != NULL ? way->head->due : way->end_due;
		bool waits = way->head != NULL || (way->ended && !way->shut);

		if (!way->ended && has_room(way))
			polls[i].events |= POLLIN;
		else if (!way->ended && room_at(way) > now &&
		    room_at(way) < *until)
			*until = room_at(way);
		if (waits && due <= now)
			polls[1 - i].events |= POLLOUT; /* its buffer is full */
		else if (waits && due < *until)
			*until = due;
	}
	/* A socket that nothing is asked of would report its end for ever. */
	for (int i = 0; i < 2; i++) {
		if (polls[i].events == 0)
			polls[i].fd = -1;
	}
}

static void serve(struct connection *connection, const struct pollfd *polls)
{
	for (int i = 0; i < 2; i++) {
		struct pipe_way *way = &connection->ways[i];

		if (!way->ended &&
		    (polls[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			receive(connection, way);
	}
	deliver(connection, &connection->ways[0]);
	deliver(connection, &connection->ways[1]);
	if (connection->broken ||
	    (connection->ways[0].shut && connection->ways[1].shut))
		connection_end(connection);
}

int main(int argc, char **argv)
{
	static struct pollfd polls[1 + 2 * CONNECTIONS_MAX];
	static struct connection *asked[CONNECTIONS_MAX];
	uint16_t upstream = (uint16_t)number(argc, argv, "connect", 0);
	int listener = listen_on((uint16_t)number(argc, argv, "listen", 0));

	delay_s = (double)number(argc, argv, "delay_us", 20000) / 1e6;
	rate_bytes_s = (double)number(argc, argv, "rate", 0);
	total_bytes_s = (double)number(argc, argv, "total", 0);
	stall_every = number(argc, argv, "stall_every", 0);
	stall_s = (double)number(argc, argv, "stall_ms", 0) / 1e3;
	for (nfds_t turn = 0;; turn++) {
		double until = now_s() + 3600;
		struct timespec wait;
		double left;
		nfds_t count = 0;

		polls[0] = (struct pollfd){.fd = listener, .events = POLLIN};
		for (int i = 0; i < CONNECTIONS_MAX; i++) {
			if (!connections[i].used)
				continue;
			ask(&connections[i], &polls[1 + 2 * count], &until);
			asked[count++] = &connections[i];
		}
		left = until - now_s();
		if (left < 0)
			left = 0;
		wait.tv_sec = (time_t)left;
		wait.tv_nsec = (long)((left - (double)wait.tv_sec) * 1e9);
		if (ppoll(polls, 1 + 2 * count, &wait, NULL) < 0 &&
		    errno != EINTR)
			die("poll: %s", strerrordesc_np(errno));
		for (nfds_t i = 0; i < count; i++) {
			nfds_t at = (turn + i) % count;

			serve(asked[at], &polls[1 + 2 * at]);
		}
		if ((polls[0].revents & POLLIN) != 0)
			take_connection(listener, upstream);
	}
}
