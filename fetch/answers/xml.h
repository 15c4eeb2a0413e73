/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/xml.h - a push parser of XML as servers write it in answers: tags,
 * attributes for namespaces, text, the five entities, character numbers,
 * CDATA; comments and processing instructions are passed over. A DOCTYPE is
 * refused, and with it every other entity.
 *
 * Why not expat: it is told one encoding and fails on the first byte outside
 * of it, or on a control byte, while XRootD writes file names as they are,
 * so that one odd name would hide a whole directory; it keeps every distinct
 * name for ever; and it is four times slower (measured: 0.3 M entries a
 * second). Here bytes pass unchanged, also CR, and memory is one struct.
 *
 * Strict where a cut or damaged document must be told from a whole one: tags
 * must match, attributes and references be well formed, one root. Lenient
 * where that harms nothing: which bytes a name may hold, attributes twice.
 *
 * Threads: a struct xml belongs to one thread at a time.
 * Sources: XML 1.0 (5th edition), Namespaces in XML 1.0 (3rd edition).
 */
#ifndef FETCH_ANSWERS_XML_H
#define FETCH_ANSWERS_XML_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	XML_DEPTH_MAX = 32,         /* open elements */
	XML_TAG_BYTES_MAX = 4096,   /* between '<' and '>' */
	XML_NAMES_BYTES_MAX = 8192, /* of open elements and prefixes */
	XML_BINDINGS_MAX = 64,      /* prefixes in force */
};

/** Receives the document. Non-zero from start or end ends the parsing. */
struct xml_target {
	void *arg;
	/** An element; its name without prefix is borrowed. `in_space`: it
	 *  belongs to the namespace asked for. */
	int (*start)(
	    void *arg, const char *name, size_t size_bytes, bool in_space);
	/** A piece of text, references decoded; borrowed. */
	void (*text)(void *arg, const char *bytes, size_t size_bytes);
	int (*end)(void *arg);
};

/* A namespace declaration in force. */
struct xml_binding {
	uint16_t depth; /* of the element that made it */
	uint16_t from;  /* its prefix, in `names` */
	uint16_t size_bytes;
	bool in_space;
};

/* The members are private to xml.c. */
struct xml {
	struct xml_target target; /* copied */
	const char *space;        /* borrowed: the namespace asked for */
	int code;                 /* the first failure */
	const char *reason;       /* constant text */
	unsigned char state;
	bool root_seen;
	char quote;       /* within a tag: that ends the value, or 0 */
	unsigned matched; /* of "--", "]]", "?", the mark at the start */
	unsigned depth;
	unsigned binding_count;
	size_t names_bytes;
	size_t tag_bytes;
	uint16_t opened[XML_DEPTH_MAX + 1]; /* names_bytes before each */
	uint16_t named[XML_DEPTH_MAX + 1];  /* size of each name */
	struct xml_binding bindings[XML_BINDINGS_MAX];
	char names[XML_NAMES_BYTES_MAX];
	char tag[XML_TAG_BYTES_MAX]; /* one that was cut; also references */
};

/** Begin a document. `space` is constant text: "DAV:". */
void xml_init(
    struct xml *xml, const char *space, const struct xml_target *target);

/**
 * Take the next bytes, cut anywhere. After a failure every further call
 * gives the same code.
 *
 * @retval 0         taken.
 * @retval -EBADMSG  not well formed, or a bound is passed; see `reason`.
 * @retval other     what the target gave.
 */
NODISCARD int xml_feed(struct xml *xml, const char *bytes, size_t size_bytes);

/** The document has ended: -EBADMSG unless it is complete. */
NODISCARD int xml_end(struct xml *xml);

#endif
