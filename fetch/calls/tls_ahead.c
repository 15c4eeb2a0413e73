/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/tls_ahead.c - see tls_ahead.h.
 */
#include "fetch/calls/tls_ahead.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

enum {
	/* Of TLS 1.3: head, text, its kind, tag. */
	RECORD_BYTES = 5 + SSL3_RT_MAX_PLAIN_LENGTH + 1 + 16,
	/* More than fits into the processor's nearer caches costs more than it
	 * saves: with 512 KiB reading was a third slower when that was
	 * measured. */
	BUFFER_RECORDS = 4,
};

/* NOLINTNEXTLINE(readability-function-size): OpenSSL's parameters */
static void on_message(int sent, int version, int kind, const void *bytes,
    size_t size_bytes, SSL *ssl, void *arg)
{
	uint64_t *records = arg;

	(void)version;
	(void)bytes;
	(void)size_bytes;
	(void)ssl;
	if (sent == 0 && kind == SSL3_RT_HEADER)
		(*records)++;
}

static CURLcode on_context(CURL *easy, void *context, void *arg)
{
	SSL_CTX *ctx = context;

	(void)easy;
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(
	    ctx, (size_t)RECORD_BYTES * BUFFER_RECORDS);
	SSL_CTX_set_msg_callback(ctx, on_message);
	SSL_CTX_set_msg_callback_arg(ctx, arg);
	return CURLE_OK;
}

/* The function is given whatever libcurl's TLS library has for a context. */
static bool is_our_openssl(void)
{
	static const char name[] = "OpenSSL/";
	const char *version = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return version != NULL &&
	    strncmp(version, name, sizeof(name) - 1) == 0 &&
	    strtoul(version + sizeof(name) - 1, NULL, 10) ==
	    OPENSSL_VERSION_MAJOR;
}

void tls_ahead_prepare(CURL *easy, uint64_t *records)
{
	if (!is_our_openssl())
		return;
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, records);
}

bool tls_ahead_holds(CURL *easy)
{
	const struct curl_tlssessioninfo *tls = NULL;

	/* Without `internals` when it has no connection (any more). */
	return curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) ==
	    CURLE_OK &&
	    tls != NULL && tls->internals != NULL &&
	    tls->backend == CURLSSLBACKEND_OPENSSL &&
	    SSL_has_pending(tls->internals) != 0 &&
	    /* Or it has tried, and waits for the body. */
	    strcmp(SSL_rstate_string(tls->internals), "RB") != 0;
}
