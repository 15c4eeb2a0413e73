/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/dav_expat.h - expat as dav.c needs it: transparent to bytes, with
 * memory that is counted. Namespace and name are parted by '|'.
 *
 * expat is told an encoding of our own, "bytes": each byte that UTF-8 or XML
 * would refuse becomes one character of the private use area (U+E000 + byte)
 * and is turned back into that byte by dav_expat_byte(). So a file name in
 * any encoding passes unchanged, and a document never fails for one name.
 *
 * expat keeps each distinct element name for ever, so an endless document of
 * distinct names would take memory without end; hence the counting.
 *
 * Threads: a struct dav_expat belongs to one thread at a time.
 */
#ifndef FETCH_DAV_EXPAT_H
#define FETCH_DAV_EXPAT_H

#include "base/attr.h"

#include <expat.h>
#include <stdbool.h>
#include <stddef.h>

struct dav_expat {
	XML_Parser xml;
	size_t memory_bytes; /* that expat holds */
	bool memory_refused; /* a bound stopped it, not the machine */
};

/** -ENOMEM: there is nothing to free. */
NODISCARD int dav_expat_init(struct dav_expat *expat);

void dav_expat_fini(struct dav_expat *expat);

/** XML_Parse(); `size_bytes` fits an int. false: XML_GetErrorCode() says. */
NODISCARD bool dav_expat_parse(
    struct dav_expat *expat, const char *bytes, size_t size_bytes, bool last);

/** The first byte that a text from expat stands for.
 *  @return how much of `text` it took */
size_t dav_expat_byte(char *out, const char *text, size_t size_bytes);

#endif
