/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums: read from header fields, computed, told. */
#include "fetch/answers/digest_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef void (*take_fn)(
    struct fetch_digest *digest, const char *text, size_t size_bytes);

/* The text lies at the end of its memory, so that a byte too far is seen. */
static void take(struct fetch_digest *digest, take_fn how, const char *text)
{
	size_t size_bytes = strlen(text);
	char *copy = malloc(size_bytes + 1);

	assert_non_null(copy);
	copy = memcpy(copy, text, size_bytes);
	how(digest, copy, size_bytes);
	free(copy);
}

static void gives(take_fn how, const char *text, const char *expected)
{
	struct fetch_digest digest = {.known = false};
	char shown[FETCH_DIGEST_TEXT_BYTES];

	take(&digest, how, text);
	fetch_digest_text(shown, &digest);
	assert_string_equal(shown, expected);
}

#define SHA256_ABC                                                       \
	"sha-256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff" \
	"61f20015ad"

static void what_servers_say_is_read(void **state)
{
	(void)state;
	/* XRootD 5.5.3 */
	gives(digest_header_digest, "adler32=084b021f", "adler32:084b021f");
	gives(digest_header_digest, "crc32c=rIUYow==", "crc32c:ac8518a3");
	gives(digest_header_digest, "md5=/jqlmZf0VkgHNrWfcrb9sw==",
	    "md5:fe3aa59997f456480736b59f72b6fdb3");
	/* dCache, others */
	gives(digest_header_digest, "ADLER32=084B021F", "adler32:084b021f");
	gives(digest_header_digest, "md5=900150983cd24fb0d6963f7d28e17f72",
	    "md5:900150983cd24fb0d6963f7d28e17f72");
	gives(digest_header_digest,
	    "SHA=qZk+NkcGgWq6PiVxeFDCbJzQ2J0=, unixsum=30637",
	    "sha-1:a9993e364706816aba3e25717850c26c9cd0d89d");
	/* RFC 9530 */
	gives(digest_header_repr,
	    "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:",
	    SHA256_ABC);
	gives(digest_header_repr,
	    "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:;a=1 , "
	    "unixsum=:AA==:",
	    SHA256_ABC);
	/* ownCloud */
	gives(digest_header_oc, "SHA1:a9993e364706816aba3e25717850c26c9cd0d89d",
	    "sha-1:a9993e364706816aba3e25717850c26c9cd0d89d");
	gives(digest_header_oc, "ADLER32:084b021f MD5:nonsense",
	    "adler32:084b021f");
}

static void the_strongest_counts(void **state)
{
	struct fetch_digest digest = {.known = false};

	(void)state;
	gives(digest_header_digest,
	    "adler32=084b021f, md5=900150983cd24fb0d6963f7d28e17f72",
	    "md5:900150983cd24fb0d6963f7d28e17f72");
	gives(digest_header_digest,
	    "md5=900150983cd24fb0d6963f7d28e17f72,adler32=084b021f",
	    "md5:900150983cd24fb0d6963f7d28e17f72");
	/* Of two of a kind the first; over several fields, too. */
	gives(digest_header_digest, "adler32=084b021f,adler32=00000000",
	    "adler32:084b021f");
	take(&digest, digest_header_digest, "adler32=084b021f");
	take(&digest, digest_header_digest, "crc32c=rIUYow==");
	take(&digest, digest_header_digest, "adler32=084b021f");
	assert_int_equal(digest.algorithm, FETCH_CRC32C);
}

static void what_cannot_be_read_is_none(void **state)
{
	static const char *const texts[] = {"", ",", "=", "adler32",
	    "adler32=", "adler32=084b021", "adler32=084b021ff",
	    "adler32=084b021g", "adler32=084b 21f", "adler32=\"084b021f\"",
	    "adler32=:084b021f:", "adler33=084b021f", "adler32x=084b021f",
	    "crc32c=rIUYow=", "crc32c=rIUYow===", "crc32c=rIUYo===",
	    "crc32c=rIUY_w==", "crc32c=rIUYox==", "unixsum=30637",
	    "md5=rIUYow==", "sha-256=", ";q=1", "=084b021f"};
	static const char *const wrapped[] = {"sha-256=ungWv48Bz",
	    "md5=:", "md5=::", "md5=:AA==:", "adler32=084b021f",
	    "adler32=:084b021f", "sha-256=?1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		gives(digest_header_digest, texts[i], "");
		gives(digest_header_oc, texts[i], "");
		gives(digest_header_repr, texts[i],
		    strcmp(texts[i], "adler32=:084b021f:") == 0
		        ? "adler32:084b021f"
		        : "");
	}
	for (size_t i = 0; i < ARRAY_COUNT(wrapped); i++)
		gives(digest_header_repr, wrapped[i], "");
	/* The rest of the list is read all the same. */
	gives(digest_header_digest, "md5=?,,=,adler32 = 084b021f ,",
	    "adler32:084b021f");
}

static void sum_gives(enum fetch_algorithm algorithm, const char *bytes,
    size_t size_bytes, size_t step, const char *expected)
{
	AUTO(fetch_sum) sum = fetch_sum_new(algorithm);
	char shown[FETCH_DIGEST_TEXT_BYTES];
	struct fetch_digest digest;

	assert_non_null(sum);
	assert_int_equal(fetch_sum_algorithm(sum), algorithm);
	for (size_t at = 0; at < size_bytes; at += step)
		fetch_sum_add(sum, bytes + at,
		    size_bytes - at < step ? size_bytes - at : step);
	fetch_sum_end(sum, &digest);
	fetch_digest_text(shown, &digest);
	assert_string_equal(shown, expected);
}

static void sums_are_those_of_the_books(void **state)
{
	(void)state;
	for (size_t step = 1; step < 10; step++) {
		sum_gives(
		    FETCH_ADLER32, "Wikipedia", 9, step, "adler32:11e60398");
		sum_gives(
		    FETCH_CRC32C, "123456789", 9, step, "crc32c:e3069283");
		sum_gives(FETCH_MD5, "abc", 3, step,
		    "md5:900150983cd24fb0d6963f7d28e17f72");
		sum_gives(FETCH_SHA1, "abc", 3, step,
		    "sha-1:a9993e364706816aba3e25717850c26c9cd0d89d");
		sum_gives(FETCH_SHA256, "abc", 3, step, SHA256_ABC);
		sum_gives(FETCH_SHA512, "abc", 3, step,
		    "sha-512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2"
		    "0a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423"
		    "643ce80e2a9ac94fa54ca49f");
	}
	sum_gives(FETCH_ADLER32, "", 0, 1, "adler32:00000001");
	sum_gives(FETCH_CRC32C, "", 0, 1, "crc32c:00000000");
}

static uint32_t slow_adler32(const uint8_t *bytes, size_t size_bytes)
{
	uint32_t low = 1;
	uint32_t high = 0;

	for (size_t i = 0; i < size_bytes; i++) {
		low = (low + bytes[i]) % 65521;
		high = (high + low) % 65521;
	}
	return high << 16 | low;
}

static uint32_t slow_crc32c(const uint8_t *bytes, size_t size_bytes)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < size_bytes; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static uint32_t quick(
    enum fetch_algorithm algorithm, const uint8_t *bytes, size_t size_bytes)
{
	AUTO(fetch_sum) sum = fetch_sum_new(algorithm);
	struct fetch_digest digest;

	fetch_sum_add(sum, bytes, size_bytes);
	fetch_sum_end(sum, &digest);
	return (uint32_t)digest.bytes[0] << 24 |
	    (uint32_t)digest.bytes[1] << 16 | (uint32_t)digest.bytes[2] << 8 |
	    digest.bytes[3];
}

static void the_quick_way_gives_what_the_slow_way_gives(void **state)
{
	enum { BYTES = 256 * 1024 };
	uint8_t *bytes = malloc(BYTES);
	uint32_t seed = 1;

	(void)state;
	assert_non_null(bytes);
	/* The worst for what may overflow first. */
	memset(bytes, 0xff, BYTES);
	assert_int_equal(
	    quick(FETCH_ADLER32, bytes, BYTES), slow_adler32(bytes, BYTES));
	for (size_t i = 0; i < BYTES; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
	for (size_t size = 0; size < 200; size++) {
		const uint8_t *end = bytes + BYTES - size;

		assert_int_equal(
		    quick(FETCH_ADLER32, end, size), slow_adler32(end, size));
		assert_int_equal(
		    quick(FETCH_CRC32C, end, size), slow_crc32c(end, size));
	}
	for (size_t size = 5500; size < 5600; size++)
		assert_int_equal(quick(FETCH_ADLER32, bytes, size),
		    slow_adler32(bytes, size));
	assert_int_equal(
	    quick(FETCH_CRC32C, bytes, BYTES), slow_crc32c(bytes, BYTES));
	free(bytes);
}

static void equal_is_of_one_kind_and_known(void **state)
{
	struct fetch_digest a = {.known = true, .algorithm = FETCH_ADLER32};
	struct fetch_digest b = a;

	(void)state;
	assert_true(fetch_digest_equal(&a, &b));
	/* Bytes behind its size are none of it. */
	b.bytes[4] = 1;
	assert_true(fetch_digest_equal(&a, &b));
	b.bytes[3] = 1;
	assert_false(fetch_digest_equal(&a, &b));
	b = a;
	b.algorithm = FETCH_CRC32C;
	assert_false(fetch_digest_equal(&a, &b));
	b = a;
	b.known = a.known = false;
	assert_false(fetch_digest_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_servers_say_is_read),
	    cmocka_unit_test(the_strongest_counts),
	    cmocka_unit_test(what_cannot_be_read_is_none),
	    cmocka_unit_test(sums_are_those_of_the_books),
	    cmocka_unit_test(the_quick_way_gives_what_the_slow_way_gives),
	    cmocka_unit_test(equal_is_of_one_kind_and_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
