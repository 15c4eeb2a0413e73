/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/entity.h - character references in the attributes of HTML: numbers,
 * and the names that writers of index pages use (amp, lt, gt, quot, apos).
 * What is none of these stands for itself.
 *
 * Threads: any. Source: HTML standard 13.2.5.72 and following.
 */
#ifndef FETCH_ANSWERS_ENTITY_H
#define FETCH_ANSWERS_ENTITY_H

#include "base/attr.h"

#include <stddef.h>

/** Decode in place: a reference is never shorter than what it stands for.
 *  @return the new size */
NODISCARD size_t entity_decode(char *text, size_t size_bytes);

#endif
