/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS records that OpenSSL has read ahead of libcurl: each one is taken,
 * whether or not the socket has more, and however long it is.
 */
#include "fetch/calls/request.h"
#include "fetch/calls/tls_ahead.h"
#include "fetch/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"
#include "server.h"

enum { FILE_BYTES = 600000, SHORT_BYTES = 20000 };

static size_t record_bytes; /* of the body; 0: of all lengths in turns */

/* A range in such records, then silence on a connection that stays. */
static bool script(
    void *arg, const struct server_request *request, struct server_peer *peer)
{
	static uint8_t bytes[FILE_BYTES];
	size_t end = (size_t)request->last + 1;
	size_t length = 1;

	(void)arg;
	if (!request->ranged || end > FILE_BYTES)
		return false;
	for (size_t i = request->first; i < end; i++)
		bytes[i] = rig_byte(i);
	/* A head in two records, too. */
	server_say(peer, "HTTP/1.1 206 Partial Content\r\nETag: ");
	server_say(peer,
	    "\"one\"\r\nContent-Range: bytes %u-%u/%u\r\n"
	    "Content-Length: %u\r\n\r\n",
	    (unsigned)request->first, (unsigned)request->last,
	    (unsigned)FILE_BYTES, (unsigned)(end - request->first));
	for (size_t at = request->first; at < end; at += length) {
		length = record_bytes != 0 ? record_bytes
		                           : (length * 7 + 13) % 16384 + 1;
		if (length > end - at)
			length = end - at;
		server_send(peer, bytes + at, length);
	}
	return true;
}

/* A new engine reads twice over one connection. @return records it saw */
static uint64_t read_twice(size_t size_bytes)
{
	struct server *server = server_new(true, script, NULL);
	const struct fetch_version version = {.size_bytes = FILE_BYTES};
	const struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .pin_etag = "\"one\"",
	    .length_bytes = size_bytes,
	    .demand = true};
	struct rig rig;
	uint64_t records;

	rig_init(&rig,
	    &(struct rig_config){
	        .url = server_url(server), .ca_file = server_ca_file(server)});
	for (unsigned i = 0; i < 2; i++) {
		struct answer answer;

		answer_init(&answer, 0, size_bytes);
		(void)rig_range(&rig, &range, &answer);
		assert_int_equal(answer_wait(&answer), 0);
		assert_true(answer_is_right(&answer));
		answer_fini(&answer);
	}
	/* None was given up and asked for again. */
	assert_int_equal(server_requests(server), 2);
	fetch_stop(rig.fetch);
	records = rig.fetch->loop.records;
	rig_fini(&rig);
	server_free(server);
	return records;
}

static void full_records_all_arrive(void **state)
{
	(void)state;
	record_bytes = 16384;
	assert_true(read_twice(FILE_BYTES) >= 2 * (FILE_BYTES / 16384));
}

static void records_of_all_lengths_all_arrive(void **state)
{
	(void)state;
	record_bytes = 0;
	assert_true(read_twice(FILE_BYTES) >= 2 * (FILE_BYTES / 16384));
}

/* Hundreds of them are read at once. */
static void tiny_records_all_arrive(void **state)
{
	(void)state;
	record_bytes = 7;
	assert_true(read_twice(SHORT_BYTES) >= 2 * (SHORT_BYTES / 7));
}

static void a_handle_without_connection_holds_nothing(void **state)
{
	uint64_t records = 0;
	CURL *easy;

	(void)state;
	assert_int_equal(request_start_curl(), CURLE_OK);
	easy = curl_easy_init();
	assert_non_null(easy);
	tls_ahead_prepare(easy, &records);
	assert_false(tls_ahead_holds(easy));
	curl_easy_cleanup(easy);
	assert_int_equal(records, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(full_records_all_arrive),
	    cmocka_unit_test(records_of_all_lengths_all_arrive),
	    cmocka_unit_test(tiny_records_all_arrive),
	    cmocka_unit_test(a_handle_without_connection_holds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
