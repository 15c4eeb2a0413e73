/* SPDX-License-Identifier: Apache-2.0 */
/* fs/killed.c - see killed.h. */
#include "fs/killed.h"

#include "base/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	STAT_BYTES = 2048,
	/* Numbers of fields in proc(5), where "state" is 3. */
	FIELD_STATE = 3,
	FIELD_FLAGS = 9,
	FIELD_PENDING = 31,
	FIELD_EXIT_CODE = 52,
	EXITING = 0x4, /* PF_EXITING of include/linux/sched.h */
	SIGNAL_OF_EXIT_CODE = 0x7f,
};

/* The fields behind the name, which may hold anything. */
static bool tells_of_death(char *text)
{
	const uint64_t kill_bit = UINT64_C(1) << (SIGKILL - 1);
	char *name_end = strrchr(text, ')');
	char *rest = NULL;
	char *word;
	uint64_t flags = 0;
	unsigned field = FIELD_STATE;

	if (!name_end)
		return false;
	word = strtok_r(name_end + 1, " \n", &rest);
	for (; word; word = strtok_r(NULL, " \n", &rest), field++) {
		uint64_t value = strtoull(word, NULL, 10);

		if (field == FIELD_STATE && strchr("ZXx", word[0]))
			return true;
		if (field == FIELD_FLAGS)
			flags = value;
		/* Whatever signal ends a process, each of its threads is given
		 * this one (complete_signal()). */
		if (field == FIELD_PENDING && (value & kill_bit))
			return true;
		if (field == FIELD_EXIT_CODE)
			return (flags & EXITING) &&
			    (value & SIGNAL_OF_EXIT_CODE);
	}
	return false;
}

/* /proc may hide the processes of others (hidepid). */
static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

bool is_killed(pid_t pid)
{
	char path[64];
	char text[STAT_BYTES];
	ssize_t n;
	int fd;

	if (pid <= 0)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return is_gone(pid);
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n < 0)
		return is_gone(pid);
	text[n] = '\0';
	return tells_of_death(text);
}
