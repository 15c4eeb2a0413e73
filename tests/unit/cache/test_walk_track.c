/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/walk_track.c: how far ahead of a walk, and that a wrong guess
 * ends. */
#include "cache/ahead/walk_track.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES = 1000, MOST = 64 };

/* A directory whose entries are taken, and asked for as there is room: the
 * ones that follow the last, or the first ones. */
struct scene {
	struct walk_track track;
	uint32_t count; /* of entries; 0: all */
	bool taken[ENTRIES];
	bool asked[ENTRIES];
	unsigned in_vain; /* asked for, of which nothing has come yet */
};

static void take(struct scene *scene, uint32_t index)
{
	struct walk_step step = {.index = index, .hit = scene->asked[index]};
	uint32_t count = scene->count > 0 ? scene->count : ENTRIES;
	uint32_t room;

	if (scene->track.taken > 0 && index > scene->track.last) {
		step.next = index == scene->track.last + 1;
		for (uint32_t i = scene->track.last + 1; i < index; i++)
			step.passed += scene->asked[i] && !scene->taken[i];
	}
	scene->taken[index] = true;
	walk_track_take(&scene->track, &step, MOST);
	room = walk_track_room(&scene->track);
	for (uint32_t k = 0; k < count && room > 0; k++) {
		uint32_t i = (index + k) % count;

		if (scene->taken[i] || scene->asked[i])
			continue;
		scene->asked[i] = true;
		scene->track.asked++;
		room--;
	}
	scene->in_vain = 0;
	for (uint32_t i = 0; i < count; i++)
		scene->in_vain += scene->asked[i] && !scene->taken[i];
}

static void one_entry_is_no_walk(void **state)
{
	struct scene scene = {0};

	(void)state;
	take(&scene, 17);
	assert_int_equal(scene.in_vain, 0);
	take(&scene, 500);
	take(&scene, 100);
	assert_int_equal(scene.in_vain, 0);
}

static void two_neighbours_are(void **state)
{
	struct scene scene = {0};

	(void)state;
	take(&scene, 17);
	take(&scene, 18);
	assert_int_equal(scene.in_vain, WALK_WINDOW_FIRST);
	assert_true(scene.asked[19]);
}

static void the_window_grows_with_its_hits_and_is_bounded(void **state)
{
	struct scene scene = {0};
	unsigned before = 0;

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		take(&scene, i);
		assert_true(scene.in_vain >= before);
		assert_true(scene.in_vain <= MOST);
		before = scene.in_vain;
	}
	assert_int_equal(before, MOST);
	/* From then on each was asked for before it was taken. */
	assert_int_equal(scene.track.hits, 198);
	assert_int_equal(walk_track_heritage(&scene.track), MOST);
}

static void one_that_takes_every_tenth_costs_as_much_again(void **state)
{
	struct scene scene = {0};

	(void)state;
	take(&scene, 0);
	take(&scene, 1);
	for (uint32_t i = 10; i < ENTRIES; i += 10)
		take(&scene, i);
	assert_true(scene.in_vain <= scene.track.taken);
	assert_true(scene.in_vain <= MOST);
	/* And where it goes on it begins with nothing. */
	assert_int_equal(walk_track_heritage(&scene.track), 0);
}

static void any_order_is_a_walk_after_a_while(void **state)
{
	struct scene scene = {.count = 100};

	(void)state;
	/* Each entry once, far from the last one. */
	for (uint32_t i = 0, k = 0; i < 100; i++, k = (k + 37) % 100) {
		take(&scene, k);
		assert_true(scene.in_vain <= MOST);
		assert_true(scene.in_vain <=
		    scene.track.taken + WALK_WINDOW_GROWS * scene.track.hits);
	}
	assert_true(scene.track.hits > 50);
	/* Elsewhere it begins with the share that was well guessed. */
	scene.track.forward = false;
	scene.track.asked = 4 * scene.track.hits;
	assert_int_equal(
	    walk_track_heritage(&scene.track), scene.track.window / 4);
}

static void who_comes_late_was_not_passed(void **state)
{
	struct scene scene = {0};

	(void)state;
	/* Several readers that take what follows: nearly in order. */
	for (uint32_t i = 0; i < 400; i += 4) {
		take(&scene, i + 1);
		take(&scene, i);
		take(&scene, i + 3);
		take(&scene, i + 2);
	}
	assert_true(scene.track.passed <= 4);
	take(&scene, 400);
	assert_true(walk_track_heritage(&scene.track) >= MOST - 4);
}

static void room_is_inherited_but_not_lost(void **state)
{
	struct walk_track track = {0};

	(void)state;
	walk_track_inherit(&track, 10);
	assert_int_equal(walk_track_room(&track), 10);
	walk_track_inherit(&track, 5);
	assert_int_equal(walk_track_room(&track), 10);
	track.asked = 12;
	assert_int_equal(walk_track_room(&track), 0);
	track.hits = 3;
	assert_int_equal(walk_track_room(&track), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_entry_is_no_walk),
	    cmocka_unit_test(two_neighbours_are),
	    cmocka_unit_test(the_window_grows_with_its_hits_and_is_bounded),
	    cmocka_unit_test(one_that_takes_every_tenth_costs_as_much_again),
	    cmocka_unit_test(any_order_is_a_walk_after_a_while),
	    cmocka_unit_test(who_comes_late_was_not_passed),
	    cmocka_unit_test(room_is_inherited_but_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
