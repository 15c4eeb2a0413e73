/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/places_condor.c - HTCondor's files among the places, which come
 * and go while a job runs; see places.h. */
#include "base/log.h"
#include "tokens/find/places.h"
#include "tokens/find/source.h"

#include <stdlib.h>
#include <string.h>

static int by_condor_order(const void *a, const void *b)
{
	const struct source *const *left = a;
	const struct source *const *right = b;

	return condor_order(
	    path_name((*left)->name), path_name((*right)->name));
}

/* Mark the source of one of HTCondor's files; `add` it if it is new. */
static void note_listed(struct places *places, const char *name, bool add)
{
	char path[PATH_BYTES_MAX];
	struct source *source = NULL;

	if (path_join(path, places->condor_dir, name) < 0)
		return;
	for (unsigned i = places->fixed_count; i < places->count; i++) {
		if (strcmp(places->sources[i]->name, path) == 0)
			source = places->sources[i];
	}
	/* Without memory this file is passed over until the next look. */
	if (source == NULL && add && places->count < PLACES_MAX)
		source = places_add(places, path, true);
	if (source != NULL)
		source->listed = true;
}

/* Drop HTCondor's files that are gone, but not those whose token is in use. */
static void drop_unlisted(struct places *places)
{
	unsigned kept = places->fixed_count;

	for (unsigned i = kept; i < places->count; i++) {
		struct source *source = places->sources[i];

		if (source->listed || source->chosen)
			places->sources[kept++] = source;
		else
			token_source_free(source);
	}
	places->count = kept;
}

static void merge_listed(
    struct places *places, const struct condor_files *files)
{
	for (unsigned i = places->fixed_count; i < places->count; i++)
		places->sources[i]->listed = false;
	for (unsigned i = 0; i < files->count; i++)
		note_listed(places, files->names[i], false);
	drop_unlisted(places);
	for (unsigned i = 0; i < files->count; i++)
		note_listed(places, files->names[i], true);
	qsort(places->sources + places->fixed_count,
	    places->count - places->fixed_count, sizeof(struct source *),
	    by_condor_order);
}

void places_list_condor(struct places *places)
{
	struct condor_files files;
	struct err *problem = &places->condor_problem;

	if (places->condor_dir == NULL)
		return;
	problem->code = 0;
	if (condor_list(&files, places->condor_dir, &places->rules, problem) <
	        0 &&
	    problem->code != places->condor_told)
		log_line(LOG_LEVEL_WARN, LOG_TOKENS, "token passed over",
		    "source=%s why=%s", LOG_TEXT(places->condor_dir),
		    LOG_TEXT(problem->text));
	places->condor_told = problem->code;
	merge_listed(places, &files);
	condor_files_fini(&files);
}
