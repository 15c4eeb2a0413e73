/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options/nearest.c - see nearest.h. */
#include "cli/options/nearest.h"

#include <string.h>

/* Edits (insert, drop, replace a letter) that turn one word into the other:
 * Levenshtein's distance, with one row of the table. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NEAREST_BYTES_MAX + 1];
	size_t a_bytes = strlen(a);
	size_t b_bytes = strlen(b);

	if (a_bytes > NEAREST_BYTES_MAX || b_bytes > NEAREST_BYTES_MAX)
		return NEAREST_BYTES_MAX;
	for (size_t j = 0; j <= b_bytes; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_bytes; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_bytes; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_bytes];
}

const char *nearest_word(
    const char *word, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	/* A third of the letters may be wrong, at least one. */
	unsigned best = (unsigned)(strlen(word) / 3 + 2);

	for (size_t i = 0; i < count; i++) {
		unsigned edits = distance(word, candidates[i]);

		if (edits < best && edits < strlen(candidates[i])) {
			best = edits;
			nearest = candidates[i];
		}
	}
	return nearest;
}
