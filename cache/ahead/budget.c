/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/budget.c - see budget.h. */
#include "cache/ahead/budget.h"

#include <assert.h>
#include <stdlib.h>

enum { PAGE_BYTES = 4096, BLOCK_PAGES_MAX = 16 };

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t owed(int64_t balance_bytes)
{
	return balance_bytes < 0 ? -balance_bytes : 0;
}

void budget_init(struct budget *budget)
{
	*budget = (struct budget){.left_bytes = BUDGET_MOUNT_BYTES};
}

static void give(struct budget *budget, int64_t bytes)
{
	budget->left_bytes =
	    smaller(budget->left_bytes + bytes, BUDGET_MOUNT_MAX_BYTES);
}

/* The mount lends what a file owes, and has what it cannot use. */
static void book(struct budget *budget, struct budget_file *file, int64_t bytes)
{
	int64_t before = owed(file->balance_bytes);
	int64_t over;

	file->balance_bytes += bytes;
	over = file->balance_bytes - BUDGET_FILE_MAX_BYTES;
	if (over > 0)
		file->balance_bytes -= over;
	give(
	    budget, before - owed(file->balance_bytes) + (over > 0 ? over : 0));
}

static size_t directory_bytes(const struct budget_file *file)
{
	return (size_t)file->chunk_count * sizeof(struct budget_note *);
}

static size_t chunk_bytes(void)
{
	return BUDGET_CHUNK_BLOCKS * sizeof(struct budget_note);
}

void budget_end(struct budget *budget, struct budget_file *file)
{
	if (file->balance_bytes > 0)
		give(budget, file->balance_bytes);
	file->balance_bytes = 0;
	if (file->chunks == NULL)
		return;
	for (uint64_t i = 0; i < file->chunk_count; i++) {
		if (file->chunks[i] != NULL)
			budget->notes_bytes -= chunk_bytes();
		free(file->chunks[i]);
	}
	budget->notes_bytes -= directory_bytes(file);
	free(file->chunks);
	file->chunks = NULL;
}

struct budget_note *budget_find(const struct budget_file *file, uint64_t index)
{
	struct budget_note *chunk;

	if (file->chunks == NULL)
		return NULL;
	assert(index / BUDGET_CHUNK_BLOCKS < file->chunk_count);
	chunk = file->chunks[index / BUDGET_CHUNK_BLOCKS];
	return chunk == NULL ? NULL : &chunk[index % BUDGET_CHUNK_BLOCKS];
}

/* Zeros, as long as notes may occupy more. */
static void *take(struct budget *budget, size_t count, size_t each_bytes)
{
	size_t bytes = count * each_bytes;
	void *taken;

	if (bytes > BUDGET_NOTES_MAX_BYTES - budget->notes_bytes)
		return NULL;
	taken = calloc(count, each_bytes);
	if (taken != NULL)
		budget->notes_bytes += bytes;
	return taken;
}

struct budget_note *budget_make(struct budget *budget, struct budget_file *file,
    uint64_t block_count, uint64_t index)
{
	struct budget_note **chunk;

	assert(index < block_count);
	if (file->chunks == NULL) {
		file->chunk_count = (block_count - 1) / BUDGET_CHUNK_BLOCKS + 1;
		if (file->chunk_count > BUDGET_CHUNKS_MAX)
			return NULL;
		file->chunks = take(budget, (size_t)file->chunk_count,
		    sizeof(struct budget_note *));
		if (file->chunks == NULL)
			return NULL;
	}
	chunk = &file->chunks[index / BUDGET_CHUNK_BLOCKS];
	if (*chunk == NULL)
		*chunk = take(
		    budget, BUDGET_CHUNK_BLOCKS, sizeof(struct budget_note));
	return *chunk == NULL ? NULL : &(*chunk)[index % BUDGET_CHUNK_BLOCKS];
}

bool budget_may(const struct budget *budget, const struct budget_file *file,
    uint64_t guess_bytes)
{
	int64_t balance;

	/* More than that no file can pay for. */
	if (guess_bytes > BUDGET_FILE_MAX_BYTES + BUDGET_FILE_BYTES)
		return false;
	balance = file->balance_bytes - (int64_t)guess_bytes;
	return balance >= 0 ||
	    (balance >= -BUDGET_FILE_BYTES &&
	        owed(balance) - owed(file->balance_bytes) <=
	            budget->left_bytes);
}

void budget_ask(struct budget *budget, struct budget_file *file,
    struct budget_note *note, uint32_t size_bytes, bool guess)
{
	*note =
	    (struct budget_note){.how = guess ? BUDGET_GUESS : BUDGET_ASKED};
	if (guess)
		book(budget, file, -(int64_t)size_bytes);
}

void budget_gap(
    struct budget *budget, struct budget_file *file, uint64_t gap_bytes)
{
	book(budget, file, -(int64_t)gap_bytes);
}

void budget_miss(struct budget *budget, struct budget_file *file,
    struct budget_note *note, uint32_t missing_bytes)
{
	/* What was read of it has been paid for. */
	if (note->pages != 0)
		return;
	if (note->how == BUDGET_GUESS)
		book(budget, file, missing_bytes);
	note->how = BUDGET_ELSE;
}

/* Bytes in so many pages of a block: its last one may be short. */
static uint32_t bytes_of(uint16_t pages, uint32_t size_bytes)
{
	uint32_t bytes =
	    (uint32_t)__builtin_popcount(pages) * (uint32_t)PAGE_BYTES;
	uint32_t last = (size_bytes - 1) / PAGE_BYTES;

	if ((pages >> last & 1) != 0)
		bytes -= (last + 1) * PAGE_BYTES - size_bytes;
	return bytes;
}

/* What a block counts: see budget.h. */
static int64_t worth(const struct budget_note *note, uint32_t size_bytes)
{
	int64_t surplus =
	    2 * (int64_t)bytes_of(note->pages, size_bytes) - size_bytes;

	if (note->pages == 0)
		return note->how == BUDGET_GUESS ? -(int64_t)size_bytes : 0;
	return surplus > 0 ? surplus : 0;
}

uint32_t budget_use(struct budget *budget, struct budget_file *file,
    struct budget_note *note, uint32_t size_bytes, uint16_t pages)
{
	uint16_t fresh = (uint16_t)(pages & ~note->pages);
	int64_t before;
	uint32_t used;

	assert(size_bytes > 0 && size_bytes <= BLOCK_PAGES_MAX * PAGE_BYTES);
	if (note->how == BUDGET_ELSE || fresh == 0)
		return 0;
	before = worth(note, size_bytes);
	note->pages = (uint16_t)(note->pages | fresh);
	book(budget, file, worth(note, size_bytes) - before);
	used = bytes_of(fresh, size_bytes);
	file->used_bytes += used;
	return used;
}
