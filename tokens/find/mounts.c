/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/mounts.c - see mounts.h. */
#include "tokens/find/mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw */
enum { FIELD_DEVICE = 2, FIELD_OPTIONAL = 6 };

static const char type[] = "fuse.bearerfs";

static int add(struct mounts *mounts, dev_t device)
{
	if (mounts_have(mounts, device))
		return 0;
	if (mounts->count == mounts->room) {
		unsigned room = mounts->room > 0 ? 2 * mounts->room : 8;
		dev_t *devices =
		    realloc(mounts->devices, room * sizeof(*devices));

		if (devices == NULL)
			return -ENOMEM;
		mounts->devices = devices;
		mounts->room = room;
	}
	mounts->devices[mounts->count++] = device;
	return 0;
}

/* MAJOR:MINOR */
static bool read_device(dev_t *out, const char *word)
{
	char *end;
	unsigned long major_number = strtoul(word, &end, 10);
	unsigned long minor_number;

	if (end == word || *end != ':')
		return false;
	word = end + 1;
	minor_number = strtoul(word, &end, 10);
	*out = makedev((unsigned)major_number, (unsigned)minor_number);
	return end != word && *end == '\0';
}

static bool is_word(const struct mounts_reader *reader, const char *text)
{
	return reader->size_bytes == strlen(text) &&
	    memcmp(reader->word, text, reader->size_bytes) == 0;
}

static int end_word(struct mounts_reader *reader)
{
	int code = 0;

	if (reader->field == FIELD_DEVICE &&
	    reader->size_bytes < sizeof(reader->word)) {
		reader->word[reader->size_bytes] = '\0';
		reader->have_device =
		    read_device(&reader->device, reader->word);
	} else if (reader->separator == 0 && reader->field >= FIELD_OPTIONAL &&
	    is_word(reader, "-")) {
		reader->separator = reader->field;
	} else if (reader->separator != 0 &&
	    reader->field == reader->separator + 1 && reader->have_device &&
	    is_word(reader, type)) {
		code = add(reader->mounts, reader->device);
	}
	reader->field++;
	reader->size_bytes = 0;
	return code;
}

int mounts_feed(
    struct mounts_reader *reader, const char *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++) {
		char c = bytes[i];
		int code;

		if (c != ' ' && c != '\n') {
			if (reader->size_bytes < sizeof(reader->word))
				reader->word[reader->size_bytes++] = c;
			continue;
		}
		code = end_word(reader);
		if (code < 0)
			return code;
		if (c == '\n')
			*reader =
			    (struct mounts_reader){.mounts = reader->mounts};
	}
	return 0;
}

static int read_all(struct mounts *mounts, int fd)
{
	struct mounts_reader reader = {.mounts = mounts};
	char bytes[16 * 1024];
	size_t done_bytes = 0;

	while (done_bytes <= MOUNTS_BYTES_MAX) {
		ssize_t n = read(fd, bytes, sizeof(bytes));
		int code;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : -errno;
		code = mounts_feed(&reader, bytes, (size_t)n);
		if (code < 0)
			return code;
		done_bytes += (size_t)n;
	}
	return -EMSGSIZE;
}

int mounts_read(struct mounts *out, int fd)
{
	int code;

	*out = (struct mounts){.count = 0};
	code = read_all(out, fd);
	if (code < 0)
		mounts_fini(out);
	return code;
}

void mounts_fini(struct mounts *mounts)
{
	free(mounts->devices);
	*mounts = (struct mounts){.count = 0};
}

bool mounts_have(const struct mounts *mounts, dev_t device)
{
	for (unsigned i = 0; i < mounts->count; i++) {
		if (mounts->devices[i] == device)
			return true;
	}
	return false;
}
