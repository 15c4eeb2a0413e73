/* SPDX-License-Identifier: Apache-2.0 */
/* base/clock.c - see clock.h. */
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

const struct clock *clock_system(void)
{
	static const struct clock system = {0};

	return &system;
}

uint64_t clock_now_ms(const struct clock *clock)
{
	struct timespec now;

	if (clock->hand_driven)
		return atomic_load(&clock->monotonic_ms);
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

uint64_t clock_slept_ms(const struct clock *clock)
{
	struct timespec now;
	uint64_t awake_ms;
	uint64_t all_ms;

	if (clock->hand_driven)
		return atomic_load(&clock->slept_ms);
	awake_ms = clock_now_ms(clock);
	if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return 0;
	all_ms =
	    (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
	return all_ms > awake_ms ? all_ms - awake_ms : 0;
}

uint64_t clock_wall_s(const struct clock *clock)
{
	struct timespec now;

	if (clock->hand_driven)
		return atomic_load(&clock->wall_s);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec < 0 ? 0 : (uint64_t)now.tv_sec;
}

void clock_random(void *out, unsigned long size_bytes)
{
	char *at = out;

	while (size_bytes > 0) {
		ssize_t n = getrandom(at, size_bytes, 0);

		if (n < 0) {
			/* The kernel's pool cannot fail once it is up. */
			assert(errno == EINTR);
			continue;
		}
		at += n;
		size_bytes -= (unsigned long)n;
	}
}

uint64_t clock_jitter(uint64_t range)
{
	uint64_t random = 0;

	if (range == 0)
		return 0;
	clock_random(&random, sizeof(random));
	return random % range;
}

void clock_stamp(char out[CLOCK_STAMP_BYTES], uint64_t wall_s)
{
	time_t when = (time_t)wall_s;
	struct tm parts;

	out[0] = '\0';
	if (gmtime_r(&when, &parts) != NULL)
		(void)strftime(
		    out, CLOCK_STAMP_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
