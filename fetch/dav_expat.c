/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/dav_expat.c - see dav_expat.h. */
#include "fetch/dav_expat.h"

#include <errno.h>
#include <stdlib.h>

enum { MEMORY_BYTES_MAX = 1024 * 1024 }; /* 60 KiB are usual */

/* The parser that calls expat on this thread: expat's allocator gets no
 * argument of ours. */
static _Thread_local struct dav_expat *current;

/* Each block is led by its size. */
union block {
	size_t size_bytes;
	max_align_t aligned;
};

static bool charge(size_t size_bytes)
{
	if (size_bytes > MEMORY_BYTES_MAX ||
	    current->memory_bytes + size_bytes > MEMORY_BYTES_MAX) {
		current->memory_refused = true;
		return false;
	}
	current->memory_bytes += size_bytes;
	return true;
}

static void counted_free(void *pointer)
{
	union block *block = pointer;

	if (block == NULL)
		return;
	block--;
	current->memory_bytes -= block->size_bytes;
	free(block);
}

static void *counted_realloc(void *pointer, size_t size_bytes)
{
	union block *old = pointer;
	union block *block;
	size_t old_bytes = 0;

	if (old != NULL)
		old_bytes = (--old)->size_bytes;
	if (!charge(size_bytes))
		return NULL;
	block = realloc(old, sizeof(*block) + size_bytes);
	if (block == NULL) {
		current->memory_bytes -= size_bytes;
		return NULL;
	}
	current->memory_bytes -= old_bytes;
	block->size_bytes = size_bytes;
	return block + 1;
}

static void *counted_malloc(size_t size_bytes)
{
	return counted_realloc(NULL, size_bytes);
}

static const XML_Memory_Handling_Suite counted = {
    counted_malloc, counted_realloc, counted_free};

static bool is_plain(int byte)
{
	return byte == '\t' || byte == '\n' || byte == '\r' ||
	    (byte >= 0x20 && byte < 0x80);
}

static int know_bytes(void *data, const XML_Char *name, XML_Encoding *info)
{
	(void)data;
	(void)name;
	for (int byte = 0; byte < 256; byte++)
		info->map[byte] = is_plain(byte) ? byte : 0xE000 + byte;
	info->convert = NULL;
	info->release = NULL;
	info->data = NULL;
	return XML_STATUS_OK;
}

int dav_expat_init(struct dav_expat *expat)
{
	expat->memory_bytes = 0;
	expat->memory_refused = false;
	current = expat;
	expat->xml = XML_ParserCreate_MM("bytes", &counted, "|");
	if (expat->xml == NULL)
		return -ENOMEM;
	XML_SetUnknownEncodingHandler(expat->xml, know_bytes, NULL);
	return 0;
}

void dav_expat_fini(struct dav_expat *expat)
{
	current = expat;
	XML_ParserFree(expat->xml);
	current = NULL;
}

bool dav_expat_parse(
    struct dav_expat *expat, const char *bytes, size_t size_bytes, bool last)
{
	current = expat;
	return XML_Parse(expat->xml, bytes, (int)size_bytes, last) ==
	    XML_STATUS_OK;
}

size_t dav_expat_byte(char *out, const char *text, size_t size_bytes)
{
	const unsigned char *in = (const unsigned char *)text;

	/* U+E000 to U+E0FF */
	if (size_bytes >= 3 && in[0] == 0xEE && in[1] <= 0x83) {
		*out = (char)((in[1] & 3) << 6 | (in[2] & 0x3F));
		return 3;
	}
	*out = *text;
	return 1;
}
