/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/listing_room.c - see listing_room.h. */
#include "cache/paths/listing_room.h"

#include <assert.h>
#include <stdlib.h>

static void enter(struct listing_room *room) ACQUIRES(listing_lock);
static void leave(struct listing_room *room) RELEASES(listing_lock);

static UNCHECKED void enter(struct listing_room *room)
{
	(void)pthread_mutex_lock(&room->mutex);
}

static UNCHECKED void leave(struct listing_room *room)
{
	(void)pthread_mutex_unlock(&room->mutex);
}

UNCHECKED void listing_room_init(struct listing_room *room,
    struct suspects *suspects, struct written *written, bool apart,
    size_t limit_bytes)
{
	(void)pthread_mutex_init(&room->mutex, NULL);
	room->suspects = suspects;
	room->written = written;
	room->apart = apart;
	room->limit_bytes = limit_bytes;
	room->used_bytes = 0;
	list_init(&room->users);
}

UNCHECKED void listing_room_fini(struct listing_room *room)
{
	assert(room->used_bytes == 0 && list_is_empty(&room->users));
	(void)pthread_mutex_destroy(&room->mutex);
}

static struct listing_user *find(struct listing_room *room, uid_t uid)
    REQUIRES(listing_lock);
static struct listing_user *find(struct listing_room *room, uid_t uid)
{
	for (struct list *item = room->users.next; item != &room->users;
	     item = item->next) {
		struct listing_user *user =
		    CONTAINER_OF(item, struct listing_user, place);

		if (user->uid == uid)
			return user;
	}
	return NULL;
}

struct listing_user *listing_room_join(struct listing_room *room, uid_t uid)
{
	struct listing_user *user;

	if (!room->apart)
		uid = 0;
	enter(room);
	user = find(room, uid);
	if (user == NULL) {
		user = malloc(sizeof(*user));
		if (user != NULL) {
			*user = (struct listing_user){.uid = uid};
			list_init(&user->place);
			list_push(&room->users, &user->place);
		}
	}
	if (user != NULL)
		user->listings++;
	leave(room);
	return user;
}

void listing_room_leave(
    struct listing_room *room, struct listing_user *user, size_t bytes)
{
	enter(room);
	room->used_bytes -= bytes;
	user->used_bytes -= bytes;
	if (--user->listings == 0) {
		assert(user->used_bytes == 0);
		list_remove(&user->place);
		free(user);
	}
	leave(room);
}

bool listing_room_take(
    struct listing_room *room, struct listing_user *user, size_t bytes)
{
	size_t left_bytes;
	bool fits;

	enter(room);
	left_bytes = room->limit_bytes - room->used_bytes;
	fits = bytes <= left_bytes &&
	    (!room->apart || user->used_bytes + bytes <= left_bytes - bytes);
	if (fits) {
		room->used_bytes += bytes;
		user->used_bytes += bytes;
	}
	leave(room);
	return fits;
}

void listing_room_give(
    struct listing_room *room, struct listing_user *user, size_t bytes)
{
	enter(room);
	room->used_bytes -= bytes;
	user->used_bytes -= bytes;
	leave(room);
}
