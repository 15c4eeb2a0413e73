/* SPDX-License-Identifier: Apache-2.0 */
/* cli/prefetch/talk.c - see talk.h. */
#include "cli/prefetch/talk.h"

#include "base/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/control/control.h"
#include "cli/mount/harden.h"
#include "cli/mounts.h"
#include "cli/prefetch/serve.h"

enum { IN_BYTES_MAX = 256 * 1024 };

static int not_understood(struct err *err)
{
	return err_set(err, -EPROTO,
	    "an answer that is not understood; is the mount of another "
	    "version?");
}

/* More bytes behind those that are not used up. */
static int receive(struct talk *talk, struct err *err)
{
	char chunk[16 * 1024];
	struct buf *in = &talk->in;
	ssize_t n;

	if (talk->used_bytes > 0) {
		memmove(in->bytes, in->bytes + talk->used_bytes,
		    in->size_bytes - talk->used_bytes);
		in->size_bytes -= talk->used_bytes;
		talk->used_bytes = 0;
	}
	n = recv(talk->fd, chunk, sizeof(chunk), 0);
	if (n < 0 && errno == EINTR)
		return err_set(err, -EINTR, "interrupted");
	if (n < 0 && errno == EAGAIN)
		return err_set(err, -ETIMEDOUT, "it gives no sign of life");
	if (n <= 0)
		return err_set(err, -ECONNRESET, "its process has ended");
	if (buf_append(in, chunk, (size_t)n) < 0)
		return not_understood(err);
	return 0;
}

/* The next line, without its end; borrowed until the next one. */
static int next_line(struct talk *talk, char **line, struct err *err)
{
	struct buf *in = &talk->in;
	int code = 0;

	while (code == 0) {
		char *end = NULL;

		if (in->size_bytes > talk->used_bytes) {
			*line = in->bytes + talk->used_bytes;
			end = memchr(
			    *line, '\n', in->size_bytes - talk->used_bytes);
		}
		if (end != NULL) {
			*end = '\0';
			talk->used_bytes = (size_t)(end + 1 - in->bytes);
			return 0;
		}
		code = receive(talk, err);
	}
	return code;
}

static bool take_number(char **at, uint64_t *out)
{
	char *end;

	if (**at != ' ')
		return false;
	errno = 0;
	*out = strtoull(*at + 1, &end, 10);
	if (errno != 0 || end == *at + 1)
		return false;
	*at = end;
	return true;
}

static int hear_greeting(struct talk *talk, struct err *err)
{
	char *line;
	int code = next_line(talk, &line, err);

	if (code < 0)
		return code;
	if (strncmp(line, "error ", 6) == 0)
		return err_set(err, -EPROTO, "%s", line + 6);
	if (strcmp(line, "ok") != 0)
		return not_understood(err);
	code = next_line(talk, &line, err);
	if (code < 0)
		return code;
	if (strncmp(line, "cache ", 6) == 0) {
		line += 5;
		return take_number(&line, &talk->room_bytes) &&
		        take_number(&line, &talk->ttl_ms)
		    ? 0
		    : not_understood(err);
	}
	if (strncmp(line, "uncached ", 9) != 0)
		return not_understood(err);
	(void)snprintf(talk->why, sizeof(talk->why), "%s", line + 9);
	return 0;
}

int talk_begin(
    struct talk *talk, const struct mount_entry *entry, struct err *err)
{
	int code;

	*talk = (struct talk){.fd = -1};
	if (entry->shared)
		harden_show();
	talk->fd = control_connect(
	    entry->major, entry->minor, entry->owner, TALK_SILENT_MS, err);
	if (talk->fd < 0)
		return talk->fd;
	buf_init(&talk->in, IN_BYTES_MAX);
	code = control_tell(talk->fd, "prefetch");
	if (code < 0)
		(void)err_set(err, code, "its process has ended");
	else
		code = hear_greeting(talk, err);
	if (code < 0)
		talk_end(talk);
	return code;
}

void talk_end(struct talk *talk)
{
	(void)close(talk->fd);
	buf_fini(&talk->in);
}

int talk_ask(struct talk *talk, const char *word, uint64_t number,
    const char *path, struct err *err)
{
	struct buf line;
	int code;

	buf_init(&line, PREFETCH_LINE_BYTES_MAX);
	(void)buf_printf(&line, "%s %" PRIu64 " ", word, number);
	(void)path_encode(&line, path);
	code = buf_code(&line);
	if (code == 0)
		code = control_tell(talk->fd, buf_text(&line));
	buf_fini(&line);
	if (code < 0)
		(void)err_set(err, code == -EPIPE ? -ECONNRESET : code,
		    "its process has ended");
	return code == -EPIPE ? -ECONNRESET : code;
}

/* The rest of a line; a name is decoded in its place. */
static bool take_text(char *at, bool name, const char **out)
{
	*out = "";
	if (*at == '\0')
		return true;
	if (*at != ' ')
		return false;
	*out = at + 1;
	if (!name)
		return true;
	return path_decode(at + 1, at + 1, strlen(at + 1)) >= 0 &&
	    path_name_ok(at + 1, strlen(at + 1));
}

int talk_hear(struct talk *talk, struct talk_line *out, struct err *err)
{
	char *line;
	int code = next_line(talk, &line, err);
	bool good;

	if (code != 0)
		return code;
	*out = (struct talk_line){.what = line[0], .text = ""};
	if (strcmp(line, ".") == 0)
		return 0;
	if (line[0] == '\0' || strchr("FDUPKEX", line[0]) == NULL)
		return not_understood(err);
	line++;
	good = take_number(&line, &out->number);
	if (good && strchr("FPK", out->what) != NULL)
		good = take_number(&line, &out->bytes);
	if (good && out->what == 'K')
		good = take_number(&line, &out->brought);
	if (good)
		good = take_text(line, out->what != 'X', &out->text);
	return good ? 0 : not_understood(err);
}
