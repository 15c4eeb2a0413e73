/* SPDX-License-Identifier: Apache-2.0 */
/* cli/unsent/serve.c - see serve.h. */
#include "cli/unsent/serve.h"

#include "base/clock.h"
#include "base/path.h"
#include "cache/drafts/drafts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control/control.h"
#include "cli/control/describe.h"

enum { ANSWER_MARGIN_MS = 2000 }; /* behind the deadline of a flush */

static const char flush_word[] = "flush ";

/* What a flush waits for. Whoever answers has a reference: the client may be
 * gone by then. */
struct flush {
	atomic_uint references;
	atomic_bool told;
	struct err why;
	int code;
};

static void put(struct flush *flush)
{
	if (atomic_fetch_sub(&flush->references, 1) == 1)
		free(flush);
}

static void is_flushed(void *arg, int code, const struct err *err)
{
	struct flush *flush = arg;

	flush->code = code;
	if (code < 0 && err != NULL)
		flush->why = *err;
	atomic_store(&flush->told, true);
	put(flush);
}

bool unsent_is_asked(const char *text)
{
	return strcmp(text, "unsent") == 0 || strcmp(text, "spool") == 0 ||
	    strncmp(text, flush_word, sizeof(flush_word) - 1) == 0;
}

void unsent_forget(struct control_request *request)
{
	put(request->memo);
	request->memo = NULL;
}

static int tell_counts(const struct describe *mount, struct buf *out)
{
	struct drafts_count count = {.unsent_files = 0};

	if (mount->drafts != NULL)
		drafts_count(mount->drafts, &count);
	return buf_printf(out,
	    "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	    count.unsent_files, count.unsent_bytes, count.sent_bytes,
	    count.failed, count.conflicts);
}

static int tell_place(const struct describe *mount, struct buf *out)
{
	(void)buf_printf(out, "%s\n", mount->origin);
	(void)path_encode(out, mount->source_path);
	(void)buf_append(out, "\n", 1);
	if (mount->drafts != NULL) {
		(void)path_encode(out, mount->spool_dir);
		(void)buf_append(out, "\n", 1);
	}
	return buf_code(out);
}

/* "MS /PATH", checked. */
static int take_words(const char *text, uint64_t *wait_ms,
    char path[PATH_BYTES_MAX], struct err *err)
{
	enum { DIGITS_MAX = 12 };
	size_t digits = strspn(text, "0123456789");
	char *decoded;
	int code = -EINVAL;

	if (digits == 0 || digits > DIGITS_MAX || text[digits] != ' ')
		return -EINVAL;
	*wait_ms = strtoull(text, NULL, 10);
	text += digits + 1;
	decoded = malloc(strlen(text) + 1);
	if (decoded == NULL)
		return -ENOMEM;
	if (path_decode(decoded, text, strlen(text)) >= 0 &&
	    path_is_normal(decoded) && strlen(decoded) < PATH_BYTES_MAX) {
		memcpy(path, decoded, strlen(decoded) + 1);
		code = 0;
	}
	free(decoded);
	return code < 0 ? err_set(err, code, "flush: no path of the mount") : 0;
}

static int begin(const struct describe *mount, struct control_request *request,
    struct err *err)
{
	char path[PATH_BYTES_MAX];
	uint64_t now_ms = clock_now_ms(clock_system());
	uint64_t wait_ms = 0;
	struct flush *flush;
	int code = take_words(
	    request->text + sizeof(flush_word) - 1, &wait_ms, path, err);

	if (code < 0)
		return code;
	if (!request->owner && wait_ms > UNSENT_GUEST_MS)
		wait_ms = UNSENT_GUEST_MS;
	flush = calloc(1, sizeof(*flush));
	if (flush == NULL)
		return -ENOMEM;
	atomic_init(&flush->references, 2);
	atomic_init(&flush->told, false);
	request->memo = flush;
	request->latest_ms = now_ms + wait_ms + ANSWER_MARGIN_MS;
	drafts_flush(mount->drafts, path, now_ms + wait_ms, is_flushed, flush);
	return 0;
}

static int tell_flushed(const struct flush *flush, bool owner, struct buf *out)
{
	if (flush->code == 0)
		return buf_printf(out, "sent\n");
	return buf_printf(out, "unsent %s %s\n", err_name(flush->code),
	    owner && flush->why.text[0] != '\0' ? flush->why.text
	                                        : err_message(flush->code));
}

int unsent_answer(const struct describe *mount, struct control_request *request,
    struct buf *out, struct err *err)
{
	int code = 0;

	if (strcmp(request->text, "unsent") == 0)
		return tell_counts(mount, out);
	if (strcmp(request->text, "spool") == 0)
		return tell_place(mount, out);
	if (mount->drafts == NULL)
		return buf_printf(out, "sent\n");
	if (request->memo == NULL)
		code = begin(mount, request, err);
	if (code < 0)
		return code;
	if (!atomic_load(&((struct flush *)request->memo)->told))
		return -EINPROGRESS;
	code = tell_flushed(request->memo, request->owner, out);
	unsent_forget(request);
	return code;
}
