/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/window.h - a part of a pack in memory, for who goes through
 * small files' records one after the other.
 *
 * Threads: a window belongs to one. May wait.
 */
#ifndef CACHE_STORE_WINDOW_H
#define CACHE_STORE_WINDOW_H

#include "cache/store/format.h"

#include <stddef.h>
#include <stdint.h>

struct generation;
struct store;

struct window {
	struct store *store;
	struct generation *generation;
	uint8_t *bytes; /* STORE_SCRATCH_BYTES, the caller's */
	struct place place;
	size_t size_bytes;
};

/** The bytes from a place on, at least those of the largest record if there
 *  are as many. Good until the next call. */
uint8_t *window_at(
    struct window *window, struct place place, size_t *size_bytes);

/** Read anew at the next call. */
void window_forget(struct window *window);

#endif
