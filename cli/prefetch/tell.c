/* SPDX-License-Identifier: Apache-2.0 */
/* cli/prefetch/tell.c - why nothing more of a mount is prefetched; see
 * tally.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/control/describe.h"
#include "cli/mounts.h"
#include "cli/prefetch/tally.h"

enum { TEXT_BYTES = ERR_TEXT_BYTES + 128, MIB = 1024 * 1024 };

void tally_too_large(struct tally *tally, const struct mount_entry *entry,
    uint64_t disk_bytes, uint64_t room_bytes, unsigned room_percent)
{
	struct buf text;

	buf_init(&text, ERR_TEXT_BYTES);
	describe_bytes(&text, disk_bytes);
	(void)buf_printf(&text,
	    " with what they take on disk, and the cache is sure to have room "
	    "for ");
	describe_bytes(&text, room_bytes);
	(void)buf_printf(&text,
	    ", so that nothing was fetched; name less, or mount with -o "
	    "cache_size=%" PRIu64 "M",
	    disk_bytes / room_percent * 100 / MIB + 1);
	tally_stop(tally, "too_large", STATUS_FAILED, entry->point, "ENOSPC",
	    buf_text(&text));
	buf_fini(&text);
}

void tally_uncached(
    struct tally *tally, const struct mount_entry *entry, const char *why)
{
	char text[TEXT_BYTES];

	(void)snprintf(text, sizeof(text),
	    "this mount keeps nothing on disk (%.256s); mount it with a "
	    "cache_dir, and a cache_size above 0",
	    why);
	tally_stop(
	    tally, "uncached", STATUS_FAILED, entry->point, "ENODEV", text);
}

void tally_interrupted(struct tally *tally, const struct mount_entry *entry)
{
	tally_stop(tally, "interrupted", STATUS_FAILED, entry->point, "EINTR",
	    "interrupted; what is in the cache stays, and another prefetch "
	    "goes on from there");
}

void tally_silent(
    struct tally *tally, const struct mount_entry *entry, const struct err *why)
{
	bool ours = entry->owner == geteuid() || geteuid() == 0;
	char text[TEXT_BYTES];

	(void)snprintf(text, sizeof(text), "the mount does not go on (%s); %s",
	    why->text,
	    ours ? "bearerfs status tells whether it answers"
	         : "tell your administrator");
	tally_stop(tally, "silent", EX_UNAVAILABLE, entry->point,
	    err_name(why->code), text);
}

void tally_refused(
    struct tally *tally, const struct mount_entry *entry, const struct err *why)
{
	char text[TEXT_BYTES];

	(void)snprintf(text, sizeof(text), "%s%s", why->text,
	    strchr(why->text, ';') != NULL ? ""
	                                   : "; ask the one who mounted it");
	tally_stop(tally, "refused", EX_NOPERM, entry->point,
	    err_name(why->code), text);
}
