/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/document_impl.h - what document.c and director.c share: a request
 * without a token to a host that a user or a federation named.
 *
 * Threads: any; a handle belongs to one at a time.
 */
#ifndef FETCH_DOCUMENT_IMPL_H
#define FETCH_DOCUMENT_IMPL_H

#include "base/attr.h"
#include "fetch/document.h"

#include <curl/curl.h>

/** A handle for an https URL, to be cleaned up with libcurl's own. */
NODISCARD int document_begin(CURL **easy, const char *url, struct err *err);

/** TLS, HTTP/1.1, no redirects, no token; `config` lives as long. */
void document_set_up(CURL *easy, const struct fetch_document_config *config);

/** The errno, negative, for what libcurl gives up with. */
NODISCARD int document_code_of(CURLcode result);

#endif
