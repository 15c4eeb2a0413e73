/* SPDX-License-Identifier: Apache-2.0 */
/* fs/turn.c - see turn.h. */
#include "fs/turn.h"

#include "fs/look.h"
#include "fs/session.h"

static struct fs_turn *turn_of(struct list *in)
{
	return CONTAINER_OF(in, struct fs_turn, in);
}

/* Where there is none any more, or one that is too long, nothing is done. */
static bool path_of(const struct fs_place *place, char path[PATH_BYTES_MAX])
    REQUIRES(fuse_thread)
{
	if (!place->node || place->node->nameless)
		return false;
	return (place->name ? child_path(place->node, place->name, path)
	                    : node_path(place->node, path)) == 0;
}

static bool takes(const struct fs_turn *taker, const struct fs_place *place)
    REQUIRES(fuse_thread)
{
	char path[PATH_BYTES_MAX];
	char taken[PATH_BYTES_MAX];

	return path_of(place, path) &&
	    ((path_of(&taker->at, taken) && path_is_within(path, taken)) ||
	        (path_of(&taker->to, taken) && path_is_within(path, taken)));
}

static bool is_in_the_way(const struct fs_turn *first,
    const struct fs_turn *later) REQUIRES(fuse_thread)
{
	return (first->takes &&
	           (takes(first, &later->at) || takes(first, &later->to))) ||
	    (later->takes &&
	        (takes(later, &first->at) || takes(later, &first->to)));
}

static bool is_free(const struct fs *fs, const struct fs_turn *turn)
    REQUIRES(fuse_thread)
{
	if (fs->takers == 0)
		return true;
	for (struct list *in = fs->turns.next; in != &turn->in; in = in->next)
		if (is_in_the_way(turn_of(in), turn))
			return false;
	return true;
}

static struct fs_turn *next_free(struct fs *fs) REQUIRES(fuse_thread)
{
	for (struct list *in = fs->turns.next; in != &fs->turns; in = in->next)
		if (!turn_of(in)->going && is_free(fs, turn_of(in)))
			return turn_of(in);
	return NULL;
}

/* Those that are free begin. What ends in its very begin does not nest. */
static void go_on(struct fs *fs) REQUIRES(fuse_thread)
{
	struct fs_turn *turn;

	if (fs->turns_beginning)
		return;
	fs->turns_beginning = true;
	while (fs->turns_waiting > 0 && (turn = next_free(fs)) != NULL) {
		turn->going = true;
		fs->turns_waiting--;
		turn->begin(turn);
	}
	fs->turns_beginning = false;
}

void turn_take(
    struct fs *fs, struct fs_turn *turn, void (*begin)(struct fs_turn *turn))
{
	turn->begin = begin;
	list_push(&fs->turns, &turn->in);
	fs->takers += turn->takes;
	turn->going = is_free(fs, turn);
	if (turn->going)
		begin(turn);
	else
		fs->turns_waiting++;
}

void turn_over(struct fs *fs, struct fs_turn *turn)
{
	if (list_is_empty(&turn->in))
		return;
	list_remove(&turn->in);
	fs->takers -= turn->takes;
	go_on(fs);
}
