/* SPDX-License-Identifier: Apache-2.0 */
/* base/stats.c - see stats.h. */
#include "base/stats.h"

#include <assert.h>
#include <stdatomic.h>

/* One cache line each: the FUSE, fetch and disk threads count at once. */
static struct {
	_Alignas(64) _Atomic int64_t value;
} values[STATS_COUNT];

static const struct {
	const char *name;
	const char *kind;
	const char *help;
} rows[STATS_COUNT] = {
#define COUNTER(name, kind, help) {#name, #kind, help},
#include "base/stats.tbl.h"
#undef COUNTER
};

void stats_add(enum stats_counter counter, int64_t amount)
{
	assert(counter < STATS_COUNT);
	(void)atomic_fetch_add_explicit(
	    &values[counter].value, amount, memory_order_relaxed);
}

uint64_t stats_get(enum stats_counter counter)
{
	int64_t value;

	assert(counter < STATS_COUNT);
	value =
	    atomic_load_explicit(&values[counter].value, memory_order_relaxed);
	return value < 0 ? 0 : (uint64_t)value;
}

const char *stats_name(enum stats_counter counter)
{
	assert(counter < STATS_COUNT);
	return rows[counter].name;
}

const char *stats_kind(enum stats_counter counter)
{
	assert(counter < STATS_COUNT);
	return rows[counter].kind;
}

const char *stats_help(enum stats_counter counter)
{
	assert(counter < STATS_COUNT);
	return rows[counter].help;
}
