/* SPDX-License-Identifier: Apache-2.0 */
/* base/heap.c - see heap.h. */
#include "base/heap.h"

#include <malloc.h>

void heap_keep(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, HEAP_PIECE_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_SPARE_BYTES);
}
