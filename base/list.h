/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/list.h - doubly linked lists through a member of what they hold.
 *
 * A member that is in no list points at itself, so that removing it twice
 * does nothing.
 *
 * Threads: none of its own; the list's owner names the lock.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_insert_after(struct list *place, struct list *item)
{
	item->next = place->next;
	item->prev = place;
	place->next->prev = item;
	place->next = item;
}

/** Append at the end of a list. */
static inline void list_push(struct list *list, struct list *item)
{
	list_insert_after(list->prev, item);
}

static inline void list_push_front(struct list *list, struct list *item)
{
	list_insert_after(list, item);
}

static inline void list_remove(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

/** Take the first one out; NULL when the list is empty. */
static inline struct list *list_pop(struct list *list)
{
	struct list *item = list->next;

	if (item == list)
		return NULL;
	list->next = item->next;
	item->next->prev = list;
	list_init(item);
	return item;
}

/** Move everything from one list to the end of another. */
static inline void list_move_all(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#endif
