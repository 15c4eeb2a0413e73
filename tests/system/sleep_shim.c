/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/system/sleep_shim.c - a machine that has slept, for one process:
 * preloaded into it (LD_PRELOAD), it moves the clocks that go on in a sleep by
 * as many seconds as the file $SLEPT says, once that is there.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long slept_s(void)
{
	const char *path = getenv("SLEPT");
	FILE *file = path != NULL ? fopen(path, "re") : NULL;
	long seconds = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%ld", &seconds) != 1)
		seconds = 0;
	(void)fclose(file);
	return seconds;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	int code;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	code = real(which, now);
	if (code == 0 && (which == CLOCK_BOOTTIME))
		now->tv_sec += slept_s();
	return code;
}
