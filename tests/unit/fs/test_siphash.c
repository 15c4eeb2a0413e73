/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_siphash.c - the hash of names against values computed by
 * another implementation (itself checked with the paper's vector for 2-4).
 */
#include "base/attr.h"
#include "fs/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint64_t key0 = 0x0706050403020100;
static const uint64_t key1 = 0x0f0e0d0c0b0a0908;

static void known_inputs_have_known_hashes(void **state)
{
	static const struct {
		size_t size_bytes;
		uint64_t hash;
	} known[] = {
	    {0, 0xabac0158050fc4dc},
	    {1, 0xc9f49bf37d57ca93},
	    {7, 0xd3927d989bb11140},
	    {8, 0x369095118d299a8e},
	    {9, 0x25a48eb36c063de4},
	    {15, 0xd320d86d2a519956},
	    {16, 0xcc4fdd1a7d908b66},
	    {63, 0x9d199062b7bbb3a8},
	};
	unsigned char bytes[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	for (unsigned i = 0; i < ARRAY_COUNT(known); i++)
		assert_true(siphash(key0, key1, bytes, known[i].size_bytes) ==
		    known[i].hash);
}

static void each_half_of_the_key_matters(void **state)
{
	uint64_t hash = siphash(key0, key1, "name", 4);

	(void)state;
	assert_true(siphash(key0 ^ 1, key1, "name", 4) != hash);
	assert_true(siphash(key0, key1 ^ 1, "name", 4) != hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_inputs_have_known_hashes),
	    cmocka_unit_test(each_half_of_the_key_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
