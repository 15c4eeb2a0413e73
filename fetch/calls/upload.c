/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/upload.c - what libcurl is given of an upload. See request.h.
 *
 * TLS makes records of 16 KiB, each of which would go out by itself: four times
 * the packets and wake-ups that a fast network needs. So the socket is corked
 * while there is more: the kernel fills its segments, and keeps at most a part
 * of one back. Not when the last byte is given, nor when more has to be waited
 * for; whatever else ends an upload in its middle ends the connection.
 *
 * Threads: the fetch thread. libcurl's callbacks come there too.
 * Sources: tcp(7), TCP_CORK; libcurl's manual.
 */
#include "fetch/calls/request.h"
#include "fetch/changes/feed.h"
#include "fetch/engine.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

static void set_cork(struct request *request, int cork)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (request->corked == (cork != 0) ||
	    curl_easy_getinfo(request->easy, CURLINFO_ACTIVESOCKET, &fd) !=
	        CURLE_OK ||
	    fd == CURL_SOCKET_BAD)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &cork, sizeof(cork));
	request->corked = cork != 0;
}

/* The server takes bytes, as far as the kernel tells: that is progress, and
 * an upload has its time from there on. But what is small the kernel takes at
 * once, and of what is sent again and again that would tell nothing. */
static size_t on_upload(char *bytes, size_t size, size_t count, void *arg)
{
	struct request *request = arg;
	struct fetch *fetch = request->fetch;
	uint64_t until_ms = fetch->now_ms + fetch->timeout_ms;
	size_t taken;

	fetch_assert_thread(fetch);
	request->heard_ms = fetch->now_ms;
	server_heard(request->call->server, fetch->now_ms);
	if (feed_size_bytes(request->upload) > FEED_SMALL_BYTES &&
	    request->call->deadline_ms < until_ms)
		request->call->deadline_ms = until_ms;
	taken = feed_take(request->upload, bytes, size * count);
	set_cork(
	    request, taken <= size * count && feed_has_more(request->upload));
	return taken;
}

/* libcurl sends again over another connection. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct request *request = arg;

	fetch_assert_thread(request->fetch);
	if (origin != SEEK_SET || offset < 0)
		return CURL_SEEKFUNC_FAIL;
	request->corked = false;
	feed_seek(request->upload, (uint64_t)offset);
	return CURL_SEEKFUNC_OK;
}

CURLcode request_set_upload(struct request *request)
{
	CURL *easy = request->easy;

	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, request);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, request);
	return curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
}

/* Whenever it is told libcurl makes its room anew. */
static void set_room(struct request *request)
{
	size_t room_bytes = feed_room_bytes(request->upload);

	if (request->room_bytes == room_bytes)
		return;
	(void)curl_easy_setopt(
	    request->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)room_bytes);
	request->room_bytes = room_bytes;
}

void request_upload(struct request *request, struct feed *upload)
{
	request->upload = feed_get(upload);
	request->corked = false;
	feed_begin(request->upload, request->easy);
	set_room(request);
	/* -1: in chunks (RFC 9112 section 7.1). */
	(void)curl_easy_setopt(request->easy, CURLOPT_INFILESIZE_LARGE,
	    feed_grows(upload) ? (curl_off_t)-1
	                       : (curl_off_t)feed_size_bytes(upload));
}
