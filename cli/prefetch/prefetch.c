/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/prefetch/prefetch.c - `bearerfs prefetch`: fill the caches of mounts with
 * files.
 *
 * The mounts are asked through their control sockets, as the process that
 * asks: nothing passes through the mount point, so that nothing is copied
 * into the kernel's page cache, and a mount that hangs stops nobody.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/mounts.h"
#include "cli/prefetch/mount.h"
#include "cli/prefetch/tally.h"
#include "cli/say.h"

static const struct arguments_form form = {
    .command = "prefetch",
    .letters = ":h",
    .json = true,
    .positions_min = 1,
    .positions_max = INT_MAX,
    .positions = "at least one PATH",
};

static volatile sig_atomic_t interrupted; /* the signal */

static void note_signal(int signal)
{
	interrupted = signal;
}

static void catch_signals(void)
{
	/* No SA_RESTART: what waits is to be woken. */
	struct sigaction action = {.sa_handler = note_signal};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

/* Whoever started this process is to see what ended it. */
static void end_as_interrupted(void)
{
	if (interrupted == 0)
		return;
	(void)signal(interrupted, SIG_DFL);
	(void)raise(interrupted);
}

struct mounts {
	struct prefetch_mount *mounts;
	size_t count;
};

static struct prefetch_mount *mount_of(
    struct mounts *all, const struct mount_entry *entry)
{
	struct prefetch_mount *mounts = all->mounts;

	for (size_t i = 0; i < all->count; i++) {
		if (mounts[i].entry.major == entry->major &&
		    mounts[i].entry.minor == entry->minor)
			return &mounts[i];
	}
	mounts = reallocarray(mounts, all->count + 1, sizeof(*mounts));
	if (mounts == NULL)
		return NULL;
	all->mounts = mounts;
	mounts[all->count] = (struct prefetch_mount){.entry = *entry};
	return &mounts[all->count++];
}

/* Find the mount of a path. */
static int sort_in(struct mounts *all, struct tally *tally, const char *path)
{
	struct mount_entry entry;
	struct prefetch_mount *mount;
	char inside[PATH_BYTES_MAX];
	struct err err = ERR_INIT;
	int code = mounts_holding(&entry, inside, path, &err);

	if (code <= 0) {
		tally_fail(tally, path, err_name(code < 0 ? code : ENODEV),
		    code < 0 ? err.text
		             : "no bearerfs mount there; bearerfs status "
		               "lists them");
		return 0;
	}
	mount = mount_of(all, &entry);
	return mount == NULL ? -ENOMEM
	                     : prefetch_mount_add(mount, path, inside);
}

static int run(const struct arguments *arguments, struct tally *tally)
{
	struct mounts all = {.count = 0};
	int code = 0;

	for (int i = 0; i < arguments->position_count && code == 0; i++)
		code = sort_in(&all, tally, arguments->positions[i]);
	for (size_t i = 0; i < all.count && code == 0 && interrupted == 0; i++)
		prefetch_mount_run(&all.mounts[i], tally, &interrupted);
	for (size_t i = 0; i < all.count; i++)
		prefetch_mount_fini(&all.mounts[i]);
	free(all.mounts);
	return code;
}

int command_prefetch(int argc, char **argv)
{
	struct arguments arguments;
	struct tally tally;
	int status = arguments_take(&arguments, &form, argc, argv);
	int code;

	if (status != STATUS_OK)
		return status;
	if (arguments.help)
		return command_help("prefetch");
	catch_signals();
	tally_init(&tally);
	code = run(&arguments, &tally);
	status = code < 0
	    ? say_exit(STATUS_FAILED, "prefetch: %s", err_message(code))
	    : tally_tell(&tally, arguments.json);
	tally_fini(&tally);
	end_as_interrupted();
	return status;
}
