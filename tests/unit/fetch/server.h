/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fetch/server.h - a scripted HTTP server inside the test: what a
 * test wants a server to say, it says, byte by byte.
 *
 * On loopback, on a port that the kernel picks, with TLS under a certificate
 * made for the run or without. A thread a connection; the script runs there.
 *
 * Threads: server_new() and server_free() on one; the script on many.
 */
#ifndef TESTS_UNIT_FETCH_SERVER_H
#define TESTS_UNIT_FETCH_SERVER_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;
struct server_peer; /* a connection, as the script sees it */

struct server_request {
	char method[16];
	char target[8192];
	char headers[16384]; /* lines, CRLF between them */
	unsigned number;     /* of all requests to this server, from 1 */
	unsigned connection; /* of all connections, from 1 */
	bool ranged;
	uint64_t first; /* of ranged */
	uint64_t last;
	uint64_t body_bytes;
	uint64_t body_sum; /* of its bytes as numbers, each times its place */
};

/** Answer a request through server_say() and server_send(). Return whether
 *  the connection goes on. */
typedef bool (*server_fn)(
    void *arg, const struct server_request *request, struct server_peer *peer);

/** Start; asserts that it could. */
struct server *server_new(bool tls, server_fn script, void *arg);

/** The same on another address: another host. "127.0.0.2" has a good
 *  certificate too. (Addresses, because names would be looked up by threads
 *  of libcurl's.) */
struct server *server_new_at(
    const char *address_text, bool tls, server_fn script, void *arg);

/** Make a new certificate for the servers to come: those that trust the old
 *  one do not trust it. */
void server_forget_certificate(void);

/** Close all connections, end all threads. */
void server_free(struct server *server);

/** "https://127.0.0.1:PORT", borrowed. */
const char *server_url(const struct server *server);

/** The file with its certificate, for ca_file; NULL without TLS. */
const char *server_ca_file(const struct server *server);

/** Requests so far. */
unsigned server_requests(const struct server *server);
unsigned server_connections(const struct server *server);

/** Send text, bytes. A peer that has gone is no failure. */
void server_say(struct server_peer *peer, const char *format, ...)
    PRINTF_LIKE(2, 3);
void server_send(
    struct server_peer *peer, const void *bytes, size_t size_bytes);

/** Be silent until the client closes or the server ends. */
void server_be_silent(struct server_peer *peer);

/** Wait. @return false: the client has gone, or the server ends. */
bool server_pause(struct server_peer *peer, int wait_ms);

/** The value of a header, copied to `out` (its size); "" when absent. */
const char *server_header(const struct server_request *request,
    const char *name, char *out, size_t size_bytes);

#endif
