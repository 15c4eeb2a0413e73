/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/federation/pelican_impl.h - what the files behind pelican.h share: pelican.c
 * reads an answer, pelican_rules.c its headers on tokens, pelican_links.c
 * its servers, pelican_federation.c the discovery document, pelican_text.c
 * the texts of all of them.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef FETCH_FEDERATION_PELICAN_IMPL_H
#define FETCH_FEDERATION_PELICAN_IMPL_H

#include "base/attr.h"
#include "fetch/pelican.h"

#include <stdbool.h>
#include <stddef.h>

/** Note that something was passed over. */
void pelican_ignore(struct pelican_ignored *ignored, const char *format, ...)
    PRINTF_LIKE(2, 3);

/** A copy, owned; NULL when out of memory. */
char *pelican_copy(const char *text, size_t size_bytes);

/** Free texts and forget them. */
void pelican_free_texts(char **texts, unsigned *count);

/**
 * The URL that `text` means, seen from `base_url`: owned, https, without
 * fragment, user and authz=.
 *
 * @param base_url  NULL: the text is a whole URL.
 * @retval 0
 * @retval -EPROTONOSUPPORT  not https.
 * @retval -EBADMSG          no URL, or one that is too long.
 * @retval -ENOMEM           out of memory.
 */
NODISCARD int pelican_url(
    char **out, const char *base_url, const char *text, size_t size_bytes);

/** What is wrong with a URL that pelican_url() did not take. */
const char *pelican_url_fault(int code);

/** One key=value of an X-Pelican header, borrowed from it. */
struct pelican_fact {
	const char *key;
	size_t key_bytes;
	const char *value; /* without blanks around it */
	size_t value_bytes;
};

/**
 * Take the next key=value of a field value, moving `*at` behind it. Values
 * are neither quoted nor encoded, so a comma in one cannot be told from the
 * one behind it: what then follows is no key=value, and that is found.
 *
 * @return 1; 0 at the end; -EBADMSG when it is none.
 */
NODISCARD int pelican_next_fact(
    struct pelican_fact *out, const char **at, const char *end);

/** Whether it has that key, that value; letters' case does not matter. */
bool pelican_key_is(const struct pelican_fact *fact, const char *key);
bool pelican_value_is(const struct pelican_fact *fact, const char *word);

/** The value as a path of the federation, owned; slashes at its end do not
 *  count. @retval -EBADMSG or -ENOMEM */
NODISCARD int pelican_path(char **out, const struct pelican_fact *fact);

/** Read a value of X-Pelican-Authorization. @retval -EBADMSG part of it
 *  cannot be used, or -ENOMEM */
NODISCARD int pelican_read_authorization(
    struct pelican_issuers *out, const char *text, size_t size_bytes);

/** Read a value of X-Pelican-Token-Generation; the same results. Depth and
 *  strategy that make no sense are passed over. */
NODISCARD int pelican_read_generation(struct pelican_generation *out,
    struct pelican_ignored *ignored, const char *text, size_t size_bytes);

/** Add the servers of a Link header to the facts, each in its place.
 *  @retval 0 or -ENOMEM */
NODISCARD int pelican_read_links(struct pelican_facts *facts,
    const char *base_url, const char *text, size_t size_bytes);

#endif
