/* SPDX-License-Identifier: Apache-2.0 */
/* cli/progress.c - see progress.h. */
#include "cli/progress.h"

#include "base/buf.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/control/describe.h"

enum {
	STEP_MS = 100,
	FIRST_MS = 300, /* what is done sooner shows nothing */
	RATE_MS = 1000, /* before that no rate is known */
	BAR_COLUMNS_MAX = 40,
	COLUMNS = 80, /* where the terminal does not say */
};

/* To the terminal; what it does not take is not shown. */
static void put(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

static unsigned columns_of_terminal(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0
	    ? size.ws_col
	    : COLUMNS;
}

void progress_begin(
    struct progress *progress, const char *what, enum progress_unit unit)
{
	uint64_t now_ms = clock_now_ms(clock_system());

	*progress = (struct progress){.what = what,
	    .unit = unit,
	    .on = isatty(STDERR_FILENO) == 1,
	    .began_ms = now_ms,
	    .next_ms = now_ms + FIRST_MS};
}

static void add_bytes(
    struct buf *out, uint64_t done, uint64_t all, uint64_t spent_ms)
{
	uint64_t rate;

	(void)buf_printf(out, "  ");
	describe_bytes(out, done);
	(void)buf_printf(out, " of ");
	describe_bytes(out, all);
	if (spent_ms < RATE_MS || done == 0)
		return;
	rate = done / (spent_ms / 100) * 10;
	(void)buf_printf(out, ", ");
	describe_bytes(out, rate);
	(void)buf_printf(out, "/s");
	if (rate == 0)
		return;
	(void)buf_printf(out, ", ");
	describe_duration(out, (all - done) / rate);
	(void)buf_printf(out, " left");
}

/* "[####....]", as wide as there is room. */
static void add_bar(struct buf *out, unsigned percent, unsigned room)
{
	char bar[BAR_COLUMNS_MAX + 1];
	unsigned width = room < BAR_COLUMNS_MAX ? room : BAR_COLUMNS_MAX;

	memset(bar, '.', width);
	memset(bar, '#', width * percent / 100);
	bar[width] = '\0';
	(void)buf_printf(out, "[%s]", bar);
}

void progress_line(char out[PROGRESS_LINE_BYTES],
    const struct progress *progress, uint64_t done, uint64_t all,
    uint64_t now_ms, unsigned columns)
{
	enum { AROUND = 4, BAR_COLUMNS_MIN = 10 };
	unsigned percent = all == 0 || done >= all
	    ? 100
	    : (unsigned)((double)done * 100 / (double)all);
	struct buf tail;
	struct buf line;
	size_t used;

	if (done > all)
		done = all;
	buf_init(&tail, PROGRESS_LINE_BYTES);
	buf_init(&line, PROGRESS_LINE_BYTES);
	(void)buf_printf(&tail, " %u %%", percent);
	if (progress->unit == PROGRESS_BYTES)
		add_bytes(&tail, done, all, now_ms - progress->began_ms);
	(void)buf_printf(&line, "%s ", progress->what);
	used = line.size_bytes + tail.size_bytes + AROUND;
	if (columns >= used + BAR_COLUMNS_MIN)
		add_bar(&line, percent, columns - (unsigned)used);
	(void)buf_append(&line, tail.bytes, tail.size_bytes);
	/* A line that is too long would be broken, and stay. */
	(void)snprintf(out, PROGRESS_LINE_BYTES, "%.*s",
	    columns > 1 ? (int)columns - 1 : 1, buf_text(&line));
	buf_fini(&tail);
	buf_fini(&line);
}

void progress_show(struct progress *progress, uint64_t done, uint64_t all)
{
	uint64_t now_ms;
	char line[PROGRESS_LINE_BYTES];

	if (!progress->on)
		return;
	now_ms = clock_now_ms(clock_system());
	if (now_ms < progress->next_ms)
		return;
	progress->next_ms = now_ms + STEP_MS;
	progress_line(line, progress, done, all, now_ms, columns_of_terminal());
	put("\r\033[K");
	put(line);
	progress->shown = true;
}

void progress_clear(struct progress *progress)
{
	if (progress->shown)
		put("\r\033[K");
	progress->shown = false;
}
