/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/xml_tag.h - what stands between '<' and '>'; private to xml.c.
 */
#ifndef FETCH_ANSWERS_XML_TAG_H
#define FETCH_ANSWERS_XML_TAG_H

#include "fetch/answers/xml.h"

/** Take a start, end or empty tag. @return xml's code */
NODISCARD int xml_tag_take(
    struct xml *xml, const char *text, size_t size_bytes);

#endif
