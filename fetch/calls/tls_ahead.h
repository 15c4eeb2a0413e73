/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/tls_ahead.h - several TLS records with one recv(2).
 *
 * OpenSSL asks the socket for five bytes of each record and then for its
 * body; a record holds 16 KiB at most. Told to read ahead it takes what there
 * is, up to four records, and half of the kernel's work for a transfer is
 * saved. But libcurl (before 8.15) looks at the socket alone to learn whether
 * there is more, and would wait for ever for a record that OpenSSL has taken
 * already: so the loop asks here, after each turn, and calls libcurl again.
 *
 * That ends when what is left is a part of a record: OpenSSL has seen its
 * head and waits for the body, or no head came of another call.
 *
 * Threads: the fetch thread.
 * Sources: SSL_CTX_set_read_ahead(3), SSL_has_pending(3),
 * SSL_CTX_set_msg_callback(3), CURLOPT_SSL_CTX_FUNCTION(3).
 */
#ifndef FETCH_CALLS_TLS_AHEAD_H
#define FETCH_CALLS_TLS_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

/**
 * Have a handle's new connections read ahead, if libcurl's TLS is the OpenSSL
 * that this program was built with; nothing otherwise.
 * @param records  counts the heads of records that come; outlives the connections
 */
void tls_ahead_prepare(CURL *easy, uint64_t *records);

/** Does OpenSSL hold bytes for this transfer that may be a record? */
bool tls_ahead_holds(CURL *easy);

#endif
