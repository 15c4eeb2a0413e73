/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/stripe.h - over how many servers the long ranges of streams are
 * spread: found by measuring. Pure: rates in, numbers out.
 *
 * The best server alone, until two are seen to bring noticeably more; then
 * the range goes where it will have come first, by what is under way there
 * already and by how fast that server's bytes came while it was busy. A
 * second server that brings nothing (the line is the limit, or the reader) is
 * given up again, and tried ever more seldom.
 *
 * cache/ahead/climb.h finds how many ranges are under way at once, in the same
 * way and of its own: more ranges, or more servers, are kept when they bring
 * more bytes, so that each leaves the other what the other has found.
 *
 * Threads: the structs belong to one thread at a time.
 */
#ifndef FETCH_SERVERS_STRIPE_H
#define FETCH_SERVERS_STRIPE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	/* Shorter ranges take as long as their round trip. */
	STRIPE_RANGE_BYTES = 1024 * 1024,
	STRIPE_PERIOD_MS = 300,
	/* A longer one was no period: nothing was asked for meanwhile. */
	STRIPE_PERIOD_MAX_MS = 600,
	STRIPE_GAIN_PERCENT = 15, /* less is no reason for one more */
	STRIPE_LOSS_PERCENT = 5,  /* less does not keep it */
	STRIPE_REST_FIRST = 8,    /* periods after a try in vain; doubled... */
	STRIPE_REST_MAX = 256,    /* ...up to this */
	STRIPE_REST_GOOD = 64,    /* until fewer are tried */
	/* Streams leave a server that gives less than so many per cent. */
	STRIPE_MOVE_PERCENT = 70,
};

struct stripe {
	unsigned width; /* servers; 0: one */
	unsigned home;  /* n: the nth has the ranges while it is one; 0: none */
	unsigned before; /* the try; 0: none is being made */
	bool down;       /* the next try is with fewer */
	bool settling;   /* the next period has ranges of before in it */
	uint64_t rate_bytes_per_s; /* that `before` gave */
	unsigned rest;             /* periods until the next try */
	unsigned rest_next;
	uint64_t bytes; /* of long ranges, since the period began */
	uint64_t period_ms;
	bool idle; /* no long range was under way at some moment of it */
};

/** One server's. */
struct stripe_lane {
	uint64_t rate_bytes_per_s; /* of all its transfers; 0: not known */
	uint64_t bytes;            /* since the period began */
	bool idle;
};

/** How many servers share the long ranges now; at least one. */
unsigned stripe_width(const struct stripe *stripe);

/** Some time of a period has gone.
 *  @param most  servers that could be used.
 *  @return whether the period has ended, and lanes are to be told. */
bool stripe_tick(
    struct stripe *stripe, uint64_t now_ms, bool busy, unsigned most);

/** The period that has ended took so long. */
void stripe_lane_note(struct stripe_lane *lane, uint64_t period_ms);

/** Whether streams that one server has go to `other` from now on: what a
 *  server gives to one transfer among several says little, so only what it
 *  gives to all of them together counts. */
bool stripe_moves(
    const struct stripe_lane *home, const struct stripe_lane *other);

/** A server among those that may be asked. */
struct stripe_load {
	uint64_t rate_bytes_per_s; /* 0: not known */
	uint64_t bytes;            /* under way */
};

/** Where `bytes` more will have come first; of equals the earlier.
 *  @param count  > 0. */
unsigned stripe_pick(
    const struct stripe_load loads[], unsigned count, uint64_t bytes);

#endif
