/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/door/refusals.c - see refusals.h. */
#include "tokens/door/refusals.h"

#include "base/path.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void refusals_fini(struct refusals *refusals)
{
	for (unsigned i = 0; i < REFUSALS_KEPT; i++)
		free(refusals->kept[i].path);
	*refusals = (struct refusals){.turn = 0};
}

/* Keeping. */

static bool is_same(
    const struct tokens_refusal *a, const struct tokens_refusal *b)
{
	return a->uid == b->uid && a->right == b->right &&
	    a->why.code == b->why.code && strcmp(a->path, b->path) == 0;
}

static unsigned count_of(const struct refusals *refusals, uid_t uid)
{
	unsigned count = 0;

	for (unsigned i = 0; i < REFUSALS_KEPT; i++)
		count += refusals->kept[i].path != NULL &&
		    refusals->kept[i].what.uid == uid;
	return count;
}

static struct refusal_kept *oldest_of(struct refusals *refusals, uid_t uid)
{
	struct refusal_kept *oldest = NULL;

	for (unsigned i = 0; i < REFUSALS_KEPT; i++) {
		struct refusal_kept *kept = &refusals->kept[i];

		if (kept->path != NULL && kept->what.uid == uid &&
		    (oldest == NULL || kept->turn < oldest->turn))
			oldest = kept;
	}
	return oldest;
}

/* Who has the most: of two, the one who was refused longer ago. */
static struct refusal_kept *oldest_of_greediest(struct refusals *refusals)
{
	struct refusal_kept *victim = NULL;
	unsigned most = 0;

	for (unsigned i = 0; i < REFUSALS_KEPT; i++) {
		uid_t uid = refusals->kept[i].what.uid;
		unsigned count = count_of(refusals, uid);
		struct refusal_kept *oldest = oldest_of(refusals, uid);

		if (victim == NULL || count > most ||
		    (count == most && oldest->turn < victim->turn)) {
			most = count;
			victim = oldest;
		}
	}
	return victim;
}

/* A place for a refusal that is not kept yet: all are in use in the end. */
static struct refusal_kept *make_room(
    struct refusals *refusals, uid_t uid, bool shared)
{
	unsigned part = shared ? REFUSALS_OF_UID_MAX : REFUSALS_KEPT;

	if (count_of(refusals, uid) >= part)
		return oldest_of(refusals, uid);
	for (unsigned i = 0; i < REFUSALS_KEPT; i++) {
		if (refusals->kept[i].path == NULL)
			return &refusals->kept[i];
	}
	return oldest_of_greediest(refusals);
}

void refusals_keep(struct refusals *refusals, const struct tokens_refusal *what,
    bool shared, uint64_t now_s)
{
	struct refusal_kept *kept = NULL;
	char *path;

	refusals->turn++;
	for (unsigned i = 0; i < REFUSALS_KEPT && kept == NULL; i++) {
		if (refusals->kept[i].path != NULL &&
		    is_same(&refusals->kept[i].what, what))
			kept = &refusals->kept[i];
	}
	if (kept == NULL) {
		path = strdup(what->path);
		if (path == NULL)
			return;
		kept = make_room(refusals, what->uid, shared);
		free(kept->path);
		kept->what = *what;
		kept->path = path;
		kept->what.path = path;
		kept->what.first_s = now_s;
		kept->what.count = 0;
	}
	kept->what.pid = what->pid;
	kept->what.why = what->why;
	kept->what.last_s = now_s;
	kept->what.count++;
	kept->turn = refusals->turn;
}

unsigned refusals_of(const struct refusals *refusals, bool all, uid_t uid,
    const char *path, const struct tokens_refusal *out[REFUSALS_KEPT])
{
	uint64_t turns[REFUSALS_KEPT];
	unsigned count = 0;

	for (unsigned i = 0; i < REFUSALS_KEPT; i++) {
		const struct refusal_kept *kept = &refusals->kept[i];
		unsigned at = count;

		if (kept->path == NULL || (!all && kept->what.uid != uid) ||
		    (path != NULL && !path_is_within(path, kept->path)))
			continue;
		for (; at > 0 && turns[at - 1] < kept->turn; at--) {
			turns[at] = turns[at - 1];
			out[at] = out[at - 1];
		}
		turns[at] = kept->turn;
		out[at] = &kept->what;
		count++;
	}
	return count;
}

/* Telling. */

/* FNV-1a: a collision keeps one line back. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size_bytes)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < size_bytes; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t hash_of(uid_t uid, const char *path, int code)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	hash = hash_bytes(hash, &uid, sizeof(uid));
	hash = hash_bytes(hash, &code, sizeof(code));
	return hash_bytes(hash, path, strlen(path)) | 1;
}

static struct refusal_told *find_told(struct refusals *refusals, uint64_t hash)
{
	for (unsigned i = 0; i < REFUSALS_KNOWN; i++) {
		if (refusals->known[i].hash == hash)
			return &refusals->known[i];
	}
	return NULL;
}

/* The burst of a user; who is new takes the place of the one that began
 * longest ago. */
static struct refusal_burst *burst_of(
    struct refusals *refusals, uid_t uid, uint64_t now_ms)
{
	struct refusal_burst *place = &refusals->bursts[0];

	for (unsigned i = 0; i < REFUSALS_USERS; i++) {
		struct refusal_burst *burst = &refusals->bursts[i];

		if (burst->lines > 0 && burst->uid == uid) {
			if (now_ms - burst->began_ms < REFUSALS_BURST_MS)
				return burst;
			burst->lines = 0;
			burst->began_ms = now_ms;
			return burst;
		}
		if (place->lines > 0 &&
		    (burst->lines == 0 || burst->began_ms < place->began_ms))
			place = burst;
	}
	*place = (struct refusal_burst){.uid = uid, .began_ms = now_ms};
	return place;
}

bool refusals_tell(struct refusals *refusals, uid_t uid, const char *path,
    int code, uint64_t now_ms, uint64_t *untold)
{
	uint64_t hash = hash_of(uid, path, code);
	struct refusal_told *told = find_told(refusals, hash);
	struct refusal_burst *burst;

	if (told != NULL && now_ms - told->told_ms < REFUSALS_AGAIN_MS)
		return false;
	burst = burst_of(refusals, uid, now_ms);
	if (burst->lines == REFUSALS_BURST) {
		burst->untold++;
		return false;
	}
	burst->lines++;
	if (told == NULL) {
		told = &refusals->known[refusals->oldest];
		refusals->oldest = (refusals->oldest + 1) % REFUSALS_KNOWN;
	}
	*told = (struct refusal_told){.hash = hash, .told_ms = now_ms};
	*untold = burst->untold;
	burst->untold = 0;
	return true;
}
