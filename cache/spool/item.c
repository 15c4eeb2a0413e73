/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/item.c - what is told of an entry: made, copied, freed.
 */
#include "cache/spool/item.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void spool_item_fini(struct spool_item *item)
{
	for (unsigned i = 0; i < SPOOL_TEXTS; i++) {
		free(item->text[i]);
		item->text[i] = NULL;
	}
}

int item_text(struct spool_item *item, enum spool_text which, const void *bytes,
    size_t size_bytes)
{
	char *copy = malloc(size_bytes + 1);

	if (copy == NULL)
		return -ENOMEM;
	if (size_bytes > 0)
		memcpy(copy, bytes, size_bytes);
	copy[size_bytes] = '\0';
	free(item->text[which]);
	item->text[which] = copy;
	return 0;
}

int item_init(struct spool_item *item)
{
	int code = 0;

	*item = (struct spool_item){.state = SPOOL_DAMAGED};
	for (unsigned i = 0; i < SPOOL_TEXTS && code == 0; i++)
		code = item_text(item, i, "", 0);
	if (code < 0)
		spool_item_fini(item);
	return code;
}

int item_copy(struct spool_item *out, const struct spool_item *item)
{
	int code = 0;

	*out = *item;
	memset(out->text, 0, sizeof(out->text));
	for (unsigned i = 0; i < SPOOL_TEXTS && code == 0; i++)
		code = item_text(out, i, item->text[i], strlen(item->text[i]));
	if (code < 0)
		spool_item_fini(out);
	else
		out->base.etag = out->text[SPOOL_ETAG];
	return code;
}
