/* SPDX-License-Identifier: Apache-2.0 */
/* cache/spool/replay.c - see replay.h. */
#include "cache/spool/replay.h"

#include "base/path.h"
#include "cache/spool/format.h"
#include "cache/spool/item.h"
#include "cache/spool/journal.h"
#include "cache/spool/tries.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* A record that is whole and says what cannot be. */
enum { NONSENSE = -EBADMSG };

void replay_fini(struct replay *replay)
{
	spool_item_fini(&replay->item);
	ranges_fini(&replay->ours);
}

/* Take a text out of a payload. */
static int take_text(struct replay *replay, enum spool_text which,
    struct journal_view *view, size_t size_bytes)
{
	const uint8_t *at = view->payload;

	if (size_bytes > view->payload_bytes ||
	    size_bytes >= SPOOL_TEXT_BYTES_MAX ||
	    memchr(at, '\0', size_bytes) != NULL)
		return NONSENSE;
	view->payload += size_bytes;
	view->payload_bytes -= size_bytes;
	return item_text(&replay->item, which, at, size_bytes);
}

/* Take the fixed part of a payload. */
static bool take(struct journal_view *view, void *out, size_t size_bytes)
{
	if (view->payload_bytes < size_bytes)
		return false;
	memcpy(out, view->payload, size_bytes);
	view->payload += size_bytes;
	view->payload_bytes -= size_bytes;
	return true;
}

static int replay_begun(struct replay *replay, struct journal_view *view)
{
	struct spool_item *item = &replay->item;
	struct disk_begun begun;
	int code;

	if (replay->begun || !take(view, &begun, sizeof(begun)))
		return NONSENSE;
	item->kind = le32toh(begun.kind);
	item->from = le32toh(begun.from);
	if (item->kind < SPOOL_FILE || item->kind > SPOOL_TEMPORARY ||
	    item->from > SPOOL_FROM_CONDOR)
		return NONSENSE;
	item->attr.mode = le32toh(begun.mode);
	item->since_s = item->when_s = le64toh(begun.since_s);
	item->base.exists = (le32toh(begun.flags) & DISK_EXISTS) != 0;
	item->base.size_bytes = le64toh(begun.base_bytes);
	item->base.mtime_s = (int64_t)le64toh((uint64_t)begun.base_mtime_s);
	item->attr.size_bytes = replay->limit_bytes =
	    le64toh(begun.limit_bytes);
	code =
	    take_text(replay, SPOOL_ORIGIN, view, le16toh(begun.origin_bytes));
	if (code == 0)
		code = take_text(
		    replay, SPOOL_PATH, view, le16toh(begun.path_bytes));
	if (code == 0)
		code =
		    take_text(replay, SPOOL_TO, view, le16toh(begun.to_bytes));
	if (code == 0)
		code = take_text(replay, SPOOL_CREDENTIAL, view,
		    le16toh(begun.credential_bytes));
	if (code == 0)
		code = take_text(
		    replay, SPOOL_ETAG, view, le16toh(begun.etag_bytes));
	if (code == 0 &&
	    (!path_is_normal(item->text[SPOOL_PATH]) ||
	        replay->limit_bytes > SPOOL_FILE_BYTES_MAX))
		code = NONSENSE;
	item->state = item->kind == SPOOL_FILE ? SPOOL_OPEN : SPOOL_CLOSED;
	replay->durable = item->kind != SPOOL_FILE;
	replay->begun = code == 0;
	return code;
}

static int replay_state(struct replay *replay, struct journal_view *view)
{
	struct spool_item *item = &replay->item;
	struct disk_state state;
	uint32_t number;
	int code;

	if (!take(view, &state, sizeof(state)))
		return NONSENSE;
	number = le32toh(state.state);
	if (number < SPOOL_OPEN || number > SPOOL_ASIDE ||
	    le64toh(state.limit_bytes) > replay->limit_bytes)
		return NONSENSE;
	item->state = number;
	item->code = (int32_t)le32toh((uint32_t)state.code);
	item->when_s = le64toh(state.when_s);
	item->attr.size_bytes = le64toh(state.size_bytes);
	replay->limit_bytes = le64toh(state.limit_bytes);
	ranges_cut(&replay->ours, replay->limit_bytes);
	replay->durable = (le32toh(state.flags) & DISK_DURABLE) != 0;
	replay->dropped = (le32toh(state.flags) & DISK_DROPPED) != 0;
	memcpy(replay->boot, state.boot, sizeof(replay->boot));
	code = take_text(replay, SPOOL_PART, view, le16toh(state.part_bytes));
	if (code == 0)
		code = take_text(
		    replay, SPOOL_WHY, view, le16toh(state.why_bytes));
	if (code == 0 && item->state == SPOOL_SENDING)
		code = tries_read(item, view->payload, view->payload_bytes);
	return code;
}

static int replay_range(struct replay *replay, struct journal_view *view)
{
	struct disk_range range;
	uint64_t start;
	uint64_t end;
	int code;

	if (!take(view, &range, sizeof(range)))
		return NONSENSE;
	start = le64toh(range.offset_bytes);
	if (__builtin_add_overflow(start, le64toh(range.size_bytes), &end) ||
	    end > replay->limit_bytes)
		return NONSENSE;
	code = ranges_reserve(&replay->ours);
	if (code == 0)
		ranges_add(&replay->ours, start, end);
	return code;
}

static int replay_small(struct replay *replay, struct journal_view *view)
{
	struct spool_item *item = &replay->item;
	struct disk_attr attr;
	struct disk_base base;
	uint64_t limit;

	if (view->kind == DISK_LIMIT) {
		if (!take(view, &limit, sizeof(limit)) ||
		    le64toh(limit) > replay->limit_bytes)
			return NONSENSE;
		replay->limit_bytes = le64toh(limit);
		ranges_cut(&replay->ours, replay->limit_bytes);
		return 0;
	}
	if (view->kind == DISK_ATTR) {
		if (!take(view, &attr, sizeof(attr)))
			return NONSENSE;
		item->attr.mode = le32toh(attr.mode);
		item->attr.has_mtime =
		    (le32toh(attr.flags) & DISK_HAS_MTIME) != 0;
		item->attr.mtime_s = (int64_t)le64toh((uint64_t)attr.mtime_s);
		item->attr.mtime_ns = le32toh(attr.mtime_ns);
		return 0;
	}
	if (!take(view, &base, sizeof(base)))
		return NONSENSE;
	item->base.exists = (le32toh(base.flags) & DISK_EXISTS) != 0;
	item->base.size_bytes = le64toh(base.size_bytes);
	item->base.mtime_s = (int64_t)le64toh((uint64_t)base.mtime_s);
	tries_forget(item);
	return take_text(replay, SPOOL_ETAG, view, le32toh(base.etag_bytes));
}

static int replay_name(struct replay *replay, struct journal_view *view)
{
	char path[SPOOL_TEXT_BYTES_MAX];

	if (view->payload_bytes >= sizeof(path))
		return NONSENSE;
	memcpy(path, view->payload, view->payload_bytes);
	path[view->payload_bytes] = '\0';
	tries_forget(&replay->item);
	/* What cannot be one leaves the path that it had. */
	return path_is_normal(path)
	    ? take_text(replay, SPOOL_PATH, view, view->payload_bytes)
	    : NONSENSE;
}

static int replay_record(struct replay *replay, struct journal_view *view)
{
	if (view->kind != DISK_BEGUN && !replay->begun)
		return NONSENSE;
	switch (view->kind) {
	case DISK_BEGUN:
		return replay_begun(replay, view);
	case DISK_STATE:
		return replay_state(replay, view);
	case DISK_RANGE:
		return replay_range(replay, view);
	case DISK_LIMIT:
	case DISK_ATTR:
	case DISK_BASE:
		return replay_small(replay, view);
	case DISK_NAME:
		return replay_name(replay, view);
	default:
		return NONSENSE;
	}
}

int replay_run(struct replay *replay, const void *bytes, size_t size_bytes,
    uint64_t serial)
{
	struct journal_cursor cursor = {
	    .bytes = bytes, .size_bytes = size_bytes, .serial = serial};
	struct journal_view view;
	enum journal_next next;
	int code;

	*replay = (struct replay){.sequence = 0};
	code = item_init(&replay->item);
	replay->item.serial = serial;
	while (code == 0) {
		next = journal_next(&cursor, &view);
		if (next == JOURNAL_NOISE)
			code = NONSENSE;
		if (next != JOURNAL_RECORD)
			break;
		code = replay_record(replay, &view);
		if (code == 0) {
			replay->end_bytes = cursor.at_bytes;
			replay->sequence = cursor.sequence;
		}
	}
	replay->item.base.etag = replay->item.text[SPOOL_ETAG];
	if (code == NONSENSE || code == -ENOSPC) {
		replay->noise = true;
		code = 0;
	}
	return code;
}

void replay_size(struct replay *replay, const struct stat *data)
{
	replay->item.attr.size_bytes = (uint64_t)data->st_size;
	if (replay->limit_bytes > replay->item.attr.size_bytes)
		replay->limit_bytes = replay->item.attr.size_bytes;
	ranges_cut(&replay->ours, replay->limit_bytes);
}

enum spool_cure replay_cure(enum spool_state state)
{
	switch (state) {
	case SPOOL_OPEN:
	case SPOOL_CLOSED:
	case SPOOL_SENDING:
	case SPOOL_SENT:
	case SPOOL_FAILED:
		return SPOOL_CURE_FLUSH;
	case SPOOL_CONFLICT:
		return SPOOL_CURE_DECIDE;
	case SPOOL_ASIDE:
		return SPOOL_CURE_LOOK;
	case SPOOL_DAMAGED:
		break;
	}
	return SPOOL_CURE_BY_HAND;
}

/* Why an entry is put aside, or NULL. */
static const char *reason(const struct replay *replay, const struct stat *data,
    const uint8_t boot[SPOOL_BOOT_BYTES])
{
	static const uint8_t unknown[SPOOL_BOOT_BYTES];
	const struct spool_item *item = &replay->item;

	if (replay->noise)
		return "its journal is damaged; what can be read of it may be "
		       "older than its data";
	if (item->kind == SPOOL_FILE && data == NULL)
		return "its data file is gone";
	if (item->state == SPOOL_OPEN)
		return "it was still being written when its writer ended";
	if (item->kind == SPOOL_FILE &&
	    (uint64_t)data->st_size != item->attr.size_bytes)
		return "its data file has not the size that it had at the end";
	if (!replay->durable && item->state != SPOOL_ASIDE &&
	    (memcmp(boot, replay->boot, SPOOL_BOOT_BYTES) != 0 ||
	        memcmp(boot, unknown, SPOOL_BOOT_BYTES) == 0))
		return "the machine went down before it was on the disk";
	return NULL;
}

/* Put it aside, with the sentence, unless another was given first. */
static void put_aside(
    struct replay *replay, const struct stat *data, const char *why, bool new)
{
	struct spool_item *item = &replay->item;

	item->state = SPOOL_ASIDE;
	if (!new && item->text[SPOOL_WHY][0] != '\0')
		return;
	item->code = replay->noise || data == NULL ? -EBADMSG : -EINTR;
	/* Without memory there is no sentence. */
	if (item_text(item, SPOOL_WHY, why, strlen(why)) < 0)
		item->text[SPOOL_WHY][0] = '\0';
}

bool replay_judge(struct replay *replay, const struct stat *data,
    const uint8_t boot[SPOOL_BOOT_BYTES])
{
	struct spool_item *item = &replay->item;
	const char *why;
	bool new;

	if (!replay->begun) {
		item->state = SPOOL_DAMAGED;
		item->cure = SPOOL_CURE_BY_HAND;
		item->code = -EBADMSG;
		return false;
	}
	why = reason(replay, data, boot);
	/* Who dropped it has ended, and nobody can read it any more. */
	if (replay->dropped)
		item->state = SPOOL_SENT;
	/* The server has it, whatever became of it here. */
	if (item->state == SPOOL_SENT)
		why = NULL;
	/* Nobody is at it: it is to be sent. */
	if (item->state == SPOOL_SENDING)
		item->state = SPOOL_CLOSED;
	new = why != NULL && item->state != SPOOL_ASIDE;
	if (why != NULL)
		put_aside(replay, data, why, new);
	if (item->kind == SPOOL_FILE && data != NULL)
		replay_size(replay, data);
	item->cure = replay_cure(item->state);
	return new;
}
