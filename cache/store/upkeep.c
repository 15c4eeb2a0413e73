/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/upkeep.c - opening a directory to look after it, pruning it,
 * emptying it; see upkeep.h.
 */
#include "cache/store/upkeep.h"

#include "cache/store/evict.h"
#include "cache/store/evict_maps.h"
#include "cache/store/generation.h"
#include "cache/store/impl.h"
#include "cache/store/tend.h"
#include "cache/store/upkeep_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int upkeep_open(
    struct upkeep **out, const struct upkeep_config *config, struct err *err)
{
	const struct store_config store = {
	    .clock = config->clock, .dir = config->dir};
	struct upkeep *upkeep = calloc(1, sizeof(*upkeep));
	int code;

	*out = NULL;
	if (upkeep == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	code = store_open_existing(&upkeep->store, &store, err);
	if (code < 0) {
		free(upkeep);
		return code;
	}
	upkeep->generation = generation_get(upkeep->store);
	upkeep->let_go_ms = config->let_go_ms;
	*out = upkeep;
	return 0;
}

void upkeep_close(struct upkeep *upkeep)
{
	if (upkeep == NULL)
		return;
	generation_put(upkeep->store, upkeep->generation);
	store_close(upkeep->store);
	free(upkeep);
}

int upkeep_fail(const struct upkeep *upkeep, int code, struct err *err)
{
	return err_set(err, code, "cache directory '%s': %s",
	    upkeep->store->dir,
	    code == -EBUSY ? "another process is at it; try again"
	                   : err_message(code));
}

int upkeep_count(struct upkeep *upkeep, struct usage *out, struct err *err)
{
	int code = usage_count(upkeep->store, upkeep->generation, out);

	return code < 0 ? upkeep_fail(upkeep, code, err) : 0;
}

void upkeep_tell(const struct upkeep_progress *progress, uint64_t done_bytes,
    uint64_t all_bytes)
{
	if (progress->tell != NULL)
		progress->tell(progress->arg,
		    done_bytes < all_bytes ? done_bytes : all_bytes, all_bytes);
}

static void pause_ms(long ms)
{
	struct timespec pause = {
	    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	(void)nanosleep(&pause, NULL);
}

/* As evict_by(), waiting for a while for another one that evicts. */
static int evict_patiently(struct upkeep *upkeep, uint64_t bytes)
{
	enum { TRIES = 50, PAUSE_MS = 100 };
	int code = -EBUSY;

	for (unsigned i = 0; i < TRIES && code == -EBUSY; i++) {
		if (i > 0)
			pause_ms(PAUSE_MS);
		code = evict_by(upkeep->store, upkeep->generation, bytes);
	}
	return code;
}

/* What is occupied now. */
static int used_bytes(struct upkeep *upkeep, uint64_t *out, struct err *err)
{
	struct usage usage;
	int code = upkeep_count(upkeep, &usage, err);

	*out = usage.disk_bytes;
	usage_fini(&usage);
	return code;
}

int upkeep_prune(struct upkeep *upkeep, uint64_t size_bytes,
    uint64_t *left_bytes, const struct upkeep_progress *progress,
    struct err *err)
{
	enum { STEP_BYTES = 64 << 20 };
	uint64_t start_bytes;
	int code = used_bytes(upkeep, &start_bytes, err);

	*left_bytes = start_bytes;
	while (code == 0 && *left_bytes > size_bytes) {
		uint64_t before = *left_bytes;
		uint64_t over = before - size_bytes;

		upkeep_tell(
		    progress, start_bytes - before, start_bytes - size_bytes);
		code = evict_patiently(
		    upkeep, over < STEP_BYTES ? over : STEP_BYTES);
		if (code < 0)
			return upkeep_fail(upkeep, code, err);
		code = used_bytes(upkeep, left_bytes, err);
		/* Nothing is left but what is being written. */
		if (*left_bytes >= before)
			break;
	}
	evict_dead_maps(upkeep->store, upkeep->generation);
	return code < 0 ? code : used_bytes(upkeep, left_bytes, err);
}

int upkeep_drop_all(
    struct upkeep *upkeep, struct upkeep_dropped *out, struct err *err)
{
	const struct format_file *old = &upkeep->generation->format;
	struct format_wish wish = {.spoilt = le64toh(old->generation)};
	struct format_file format;
	struct stat stat;
	const struct upkeep_progress quiet = {.tell = NULL};
	struct upkeep_info info;
	int code = upkeep_info(upkeep, &info, &quiet, err);
	int dir_fd;

	*out = (struct upkeep_dropped){
	    .objects = info.objects, .bytes = info.disk_bytes};
	upkeep_info_fini(&info);
	if (code < 0)
		return code;
	dir_fd = directory_open(upkeep->store->dir, false, err);
	if (dir_fd < 0)
		return dir_fd;
	code = format_have(upkeep->store, dir_fd, &wish, &format, &stat);
	if (code == 0)
		generation_clean(dir_fd, &format);
	(void)close(dir_fd);
	return code < 0 ? upkeep_fail(upkeep, code, err) : 0;
}
