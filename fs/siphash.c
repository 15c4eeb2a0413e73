/* SPDX-License-Identifier: Apache-2.0 */
/* fs/siphash.c - see siphash.h. */
#include "fs/siphash.h"

static uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void mix(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* Up to eight bytes, little-endian whatever the machine is. */
static uint64_t load(const unsigned char *bytes, size_t size_bytes)
{
	uint64_t word = 0;

	for (size_t i = 0; i < size_bytes; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

static void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix(v);
	v[0] ^= word;
}

uint64_t siphash(
    uint64_t key0, uint64_t key1, const void *bytes, size_t size_bytes)
{
	const unsigned char *at = bytes;
	size_t left = size_bytes;
	uint64_t v[4] = {
	    key0 ^ 0x736f6d6570736575,
	    key1 ^ 0x646f72616e646f6d,
	    key0 ^ 0x6c7967656e657261,
	    key1 ^ 0x7465646279746573,
	};

	for (; left >= 8; left -= 8, at += 8)
		absorb(v, load(at, 8));
	absorb(v, load(at, left) | (uint64_t)size_bytes << 56);
	v[2] ^= 0xff;
	mix(v);
	mix(v);
	mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
