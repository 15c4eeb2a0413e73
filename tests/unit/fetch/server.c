/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fetch/server.c - see server.h.
 */
#include "server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { PEERS_MAX = 512 };

struct server_peer {
	struct server *server;
	pthread_t thread;
	int fd;
	SSL *ssl; /* NULL: plain */
	unsigned connection;
};

struct server {
	server_fn script;
	void *arg;
	int fd;
	pthread_t thread;
	atomic_bool ending;
	atomic_uint requests;
	atomic_uint connections;
	struct server_peer peers[PEERS_MAX]; /* one each connection, ever */
	unsigned peer_count;                 /* the accepting thread's */
	SSL_CTX *tls;
	char ca_file[64];
	char url[64];
};

static EVP_PKEY *make_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	assert(key != NULL);
	return key;
}

static X509 *make_certificate(EVP_PKEY *for_key)
{
	X509 *made = X509_new();
	X509_NAME *name = X509_get_subject_name(made);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(
	    NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1,IP:127.0.0.2");

	assert(X509_set_version(made, 2) == 1);
	assert(ASN1_INTEGER_set(X509_get_serialNumber(made), 1) == 1);
	assert(X509_gmtime_adj(X509_getm_notBefore(made), -3600) != NULL);
	assert(X509_gmtime_adj(X509_getm_notAfter(made), 86400) != NULL);
	assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	           (const unsigned char *)"127.0.0.1", -1, -1, 0) == 1);
	assert(X509_set_issuer_name(made, name) == 1);
	assert(X509_set_pubkey(made, for_key) == 1);
	assert(X509_add_ext(made, names, -1) == 1);
	assert(X509_sign(made, for_key, EVP_sha256()) > 0);
	X509_EXTENSION_free(names);
	return made;
}

/* One for all servers of the process, so that a client that trusts one
 * trusts all. */
static EVP_PKEY *key;
static X509 *certificate;

static void make_tls(struct server *server)
{
	int fd;
	FILE *file;

	if (key == NULL) {
		key = make_key();
		certificate = make_certificate(key);
	}
	server->tls = SSL_CTX_new(TLS_server_method());
	assert(server->tls != NULL);
	assert(SSL_CTX_use_certificate(server->tls, certificate) == 1);
	assert(SSL_CTX_use_PrivateKey(server->tls, key) == 1);
	(void)snprintf(server->ca_file, sizeof(server->ca_file),
	    "/tmp/bearerfs-test-ca-XXXXXX");
	fd = mkstemp(server->ca_file);
	assert(fd >= 0);
	file = fdopen(fd, "w");
	assert(file != NULL && PEM_write_X509(file, certificate) == 1);
	assert(fclose(file) == 0);
}

void server_forget_certificate(void)
{
	X509_free(certificate);
	EVP_PKEY_free(key);
	certificate = NULL;
	key = NULL;
}

void server_send(struct server_peer *peer, const void *bytes, size_t size_bytes)
{
	const char *at = bytes;

	while (size_bytes > 0) {
		ssize_t sent;

		if (peer->ssl != NULL)
			sent = SSL_write(peer->ssl, at,
			    size_bytes > 16384 ? 16384 : (int)size_bytes);
		else
			sent = send(peer->fd, at, size_bytes, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		at += sent;
		size_bytes -= (size_t)sent;
	}
}

void server_say(struct server_peer *peer, const char *format, ...)
{
	char text[16384];
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	assert(size >= 0 && (size_t)size < sizeof(text));
	server_send(peer, text, (size_t)size);
}

static ssize_t receive(struct server_peer *peer, char *out, size_t size_bytes)
{
	if (peer->ssl != NULL)
		return SSL_read(peer->ssl, out, (int)size_bytes);
	return recv(peer->fd, out, size_bytes, 0);
}

void server_be_silent(struct server_peer *peer)
{
	struct pollfd waiting = {.fd = peer->fd, .events = POLLRDHUP};

	while (!atomic_load(&peer->server->ending)) {
		if (poll(&waiting, 1, 50) > 0)
			return;
	}
}

bool server_pause(struct server_peer *peer, int wait_ms)
{
	struct pollfd waiting = {.fd = peer->fd, .events = POLLRDHUP};

	return poll(&waiting, 1, wait_ms) == 0 &&
	    !atomic_load(&peer->server->ending);
}

const char *server_header(const struct server_request *request,
    const char *name, char *out, size_t size_bytes)
{
	const char *line = request->headers;
	size_t name_bytes = strlen(name);

	out[0] = '\0';
	while (*line != '\0') {
		size_t line_bytes = strcspn(line, "\r\n");

		if (line_bytes > name_bytes + 1 && line[name_bytes] == ':' &&
		    strncasecmp(line, name, name_bytes) == 0) {
			(void)snprintf(out, size_bytes, "%.*s",
			    (int)(line_bytes - name_bytes - 2),
			    line + name_bytes + 2);
			return out;
		}
		line += line_bytes;
		line += strspn(line, "\r\n");
	}
	return out;
}

static void read_range(struct server_request *request)
{
	char text[128];

	(void)server_header(request, "Range", text, sizeof(text));
	request->ranged = sscanf(text, "bytes=%" SCNu64 "-%" SCNu64,
	                      &request->first, &request->last) == 2;
}

static void add_body(
    struct server_request *request, const char *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		request->body_sum +=
		    (uint64_t)(unsigned char)bytes[i] * ++request->body_bytes;
}

/* One request: headers to the empty line, and a body of known length, of which
 * a sum is kept. @return false: the peer has gone. */
static bool read_request(
    struct server_peer *peer, struct server_request *request)
{
	static const char end[] = "\r\n\r\n";
	char text[32768];
	char number[32];
	size_t size_bytes = 0;
	size_t body_bytes;
	char *body;
	char *line_end;

	do {
		ssize_t got = receive(
		    peer, text + size_bytes, sizeof(text) - 1 - size_bytes);

		if (got <= 0)
			return false;
		size_bytes += (size_t)got;
		text[size_bytes] = '\0';
		body = strstr(text, end);
	} while (body == NULL);
	*body = '\0';
	body += sizeof(end) - 1;
	line_end = strstr(text, "\r\n");
	assert(line_end != NULL);
	assert(
	    sscanf(text, "%15s %8191s", request->method, request->target) == 2);
	(void)snprintf(
	    request->headers, sizeof(request->headers), "%s", line_end + 2);
	(void)server_header(request, "Content-Length", number, sizeof(number));
	body_bytes = strtoul(number, NULL, 10);
	size_bytes -= (size_t)(body - text);
	request->body_bytes = 0;
	request->body_sum = 0;
	add_body(request, body, size_bytes);
	if (strstr(request->headers, "100-continue") != NULL)
		server_say(peer, "HTTP/1.1 100 Continue\r\n\r\n");
	while (size_bytes < body_bytes) {
		ssize_t got = receive(peer, text, sizeof(text));

		if (got <= 0)
			return false;
		add_body(request, text, (size_t)got);
		size_bytes += (size_t)got;
	}
	read_range(request);
	return true;
}

static bool shake_hands(struct server_peer *peer)
{
	if (peer->server->tls == NULL)
		return true;
	peer->ssl = SSL_new(peer->server->tls);
	assert(peer->ssl != NULL);
	assert(SSL_set_fd(peer->ssl, peer->fd) == 1);
	return SSL_accept(peer->ssl) == 1;
}

static void *peer_main(void *arg)
{
	struct server_peer *peer = arg;
	struct server *server = peer->server;
	struct server_request *request = calloc(1, sizeof(*request));
	bool goes_on;

	assert(request != NULL);
	goes_on = shake_hands(peer);
	while (goes_on && read_request(peer, request)) {
		request->number = atomic_fetch_add(&server->requests, 1) + 1;
		request->connection = peer->connection;
		goes_on = server->script(server->arg, request, peer);
	}
	free(request);
	SSL_free(peer->ssl);
	/* The descriptor stays open until server_free() has looked at it. */
	(void)shutdown(peer->fd, SHUT_RDWR);
	return NULL;
}

static void *accept_main(void *arg)
{
	struct server *server = arg;

	while (!atomic_load(&server->ending)) {
		struct server_peer *peer = &server->peers[server->peer_count];
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
		int one = 1;

		if (fd < 0)
			continue;
		assert(server->peer_count < PEERS_MAX);
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		server->peer_count++;
		*peer = (struct server_peer){.server = server,
		    .fd = fd,
		    .connection =
		        atomic_fetch_add(&server->connections, 1) + 1};
		assert(
		    pthread_create(&peer->thread, NULL, peer_main, peer) == 0);
	}
	return NULL;
}

struct server *server_new(bool tls, server_fn script, void *arg)
{
	return server_new_at("127.0.0.1", tls, script, arg);
}

struct server *server_new_at(
    const char *address_text, bool tls, server_fn script, void *arg)
{
	struct server *server = calloc(1, sizeof(*server));
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);

	assert(server != NULL);
	/* SSL_write() to a client that has gone. */
	(void)signal(SIGPIPE, SIG_IGN);
	server->script = script;
	server->arg = arg;
	if (tls)
		make_tls(server);
	assert(inet_pton(AF_INET, address_text, &address.sin_addr) == 1);
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(server->fd >= 0);
	assert(bind(server->fd, (struct sockaddr *)&address, size) == 0);
	assert(listen(server->fd, 64) == 0);
	assert(
	    getsockname(server->fd, (struct sockaddr *)&address, &size) == 0);
	(void)snprintf(server->url, sizeof(server->url), "%s://%s:%u",
	    tls ? "https" : "http", address_text,
	    (unsigned)ntohs(address.sin_port));
	assert(pthread_create(&server->thread, NULL, accept_main, server) == 0);
	return server;
}

void server_free(struct server *server)
{
	atomic_store(&server->ending, true);
	(void)shutdown(server->fd, SHUT_RDWR); /* wakes accept() */
	assert(pthread_join(server->thread, NULL) == 0);
	for (unsigned i = 0; i < server->peer_count; i++) {
		(void)shutdown(server->peers[i].fd, SHUT_RDWR);
		assert(pthread_join(server->peers[i].thread, NULL) == 0);
		(void)close(server->peers[i].fd);
	}
	(void)close(server->fd);
	if (server->tls != NULL) {
		SSL_CTX_free(server->tls);
		(void)unlink(server->ca_file);
	}
	free(server);
}

const char *server_url(const struct server *server)
{
	return server->url;
}

const char *server_ca_file(const struct server *server)
{
	return server->tls == NULL ? NULL : server->ca_file;
}

unsigned server_requests(const struct server *server)
{
	return atomic_load(&server->requests);
}

unsigned server_connections(const struct server *server)
{
	return atomic_load(&server->connections);
}
