/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/heap.h - what malloc() does with memory that was freed.
 *
 * By itself glibc finds out how large pieces are, and keeps two of them at the
 * end of a heap. While several programs write, each by pieces of 1 MiB, nearly
 * each piece would come from the system and go back to it: 256 page faults.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

enum {
	HEAP_PIECE_BYTES = 4 * 1024 * 1024, /* larger ones go back */
	HEAP_SPARE_BYTES = 32 * 1024 * 1024,
};

/** Keep so much of each heap from now on. Threads: before the first. */
void heap_keep(void);

#endif
