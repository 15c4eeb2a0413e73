/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/sum.c - computing checksums; see digest.h. The two of 32 bits are
 * computed here, the rest by OpenSSL.
 */
#include "fetch/digest.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

struct fetch_sum {
	enum fetch_algorithm algorithm;
	bool failed;
	uint32_t low; /* of Adler-32; the whole CRC */
	uint32_t high;
	EVP_MD_CTX *context;
};

enum {
	ADLER_BASE = 65521,
	/* So many bytes at once before `high` may overflow (zlib's NMAX), a
	 * multiple of a stride. */
	ADLER_RUN_BYTES = 5536,
	ADLER_STRIDE_BYTES = 32,
};

/* `high` grows by 32 times `low` and by each byte as often as it is counted
 * from here on: sums that a compiler can do many at a time. */
static void adler_stride(
    uint32_t *low, uint32_t *high, const uint8_t bytes[ADLER_STRIDE_BYTES])
{
	uint32_t sum = 0;
	uint32_t weighed = 0;

	for (uint32_t i = 0; i < ADLER_STRIDE_BYTES; i++) {
		sum += bytes[i];
		weighed += (ADLER_STRIDE_BYTES - i) * bytes[i];
	}
	*high += ADLER_STRIDE_BYTES * *low + weighed;
	*low += sum;
}

static void add_adler32(
    struct fetch_sum *sum, const uint8_t *bytes, size_t size_bytes)
{
	uint32_t low = sum->low;
	uint32_t high = sum->high;

	while (size_bytes > 0) {
		size_t run =
		    size_bytes < ADLER_RUN_BYTES ? size_bytes : ADLER_RUN_BYTES;
		size_t at = 0;

		for (; at + ADLER_STRIDE_BYTES <= run; at += ADLER_STRIDE_BYTES)
			adler_stride(&low, &high, bytes + at);
		for (; at < run; at++) {
			low += bytes[at];
			high += low;
		}
		low %= ADLER_BASE;
		high %= ADLER_BASE;
		bytes += run;
		size_bytes -= run;
	}
	sum->low = low;
	sum->high = high;
}

enum { CRC_SLICES = 8 };
static const uint32_t crc_polynomial = 0x82f63b78; /* reflected */
static uint32_t crc_table[CRC_SLICES][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void make_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? crc_polynomial : 0);
		crc_table[0][i] = crc;
	}
	for (unsigned slice = 1; slice < CRC_SLICES; slice++) {
		for (unsigned i = 0; i < 256; i++) {
			uint32_t crc = crc_table[slice - 1][i];

			crc_table[slice][i] =
			    crc >> 8 ^ crc_table[0][crc & 0xff];
		}
	}
}

/* Eight bytes at a time, by as many tables. */
static uint32_t crc_stride(uint32_t crc, const uint8_t bytes[CRC_SLICES])
{
	uint32_t next = 0;

	for (unsigned i = 0; i < CRC_SLICES; i++) {
		uint8_t byte = bytes[i];

		if (i < sizeof(crc))
			byte ^= (uint8_t)(crc >> (8 * i));
		next ^= crc_table[CRC_SLICES - 1 - i][byte];
	}
	return next;
}

static void add_crc32c(
    struct fetch_sum *sum, const uint8_t *bytes, size_t size_bytes)
{
	uint32_t crc = sum->low;

	for (; size_bytes >= CRC_SLICES; size_bytes -= CRC_SLICES) {
		crc = crc_stride(crc, bytes);
		bytes += CRC_SLICES;
	}
	for (; size_bytes > 0; size_bytes--)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *bytes++) & 0xff];
	sum->low = crc;
}

static const EVP_MD *function_of(enum fetch_algorithm algorithm)
{
	switch (algorithm) {
	case FETCH_MD5:
		return EVP_md5();
	case FETCH_SHA1:
		return EVP_sha1();
	case FETCH_SHA256:
		return EVP_sha256();
	case FETCH_SHA512:
		return EVP_sha512();
	case FETCH_ADLER32:
	case FETCH_CRC32C:
	case FETCH_ALGORITHM_COUNT:
	default:
		return NULL;
	}
}

static bool begin(struct fetch_sum *sum)
{
	const EVP_MD *function = function_of(sum->algorithm);

	if (sum->algorithm == FETCH_ADLER32) {
		sum->low = 1;
		return true;
	}
	if (sum->algorithm == FETCH_CRC32C) {
		(void)pthread_once(&crc_once, make_crc_table);
		sum->low = UINT32_MAX;
		return true;
	}
	sum->context = EVP_MD_CTX_new();
	return sum->context != NULL && function != NULL &&
	    EVP_DigestInit_ex(sum->context, function, NULL) == 1;
}

struct fetch_sum *fetch_sum_new(enum fetch_algorithm algorithm)
{
	struct fetch_sum *sum = calloc(1, sizeof(*sum));

	if (sum == NULL)
		return NULL;
	sum->algorithm = algorithm;
	if (begin(sum))
		return sum;
	fetch_sum_free(sum);
	return NULL;
}

void fetch_sum_free(struct fetch_sum *sum)
{
	if (sum == NULL)
		return;
	EVP_MD_CTX_free(sum->context);
	free(sum);
}

enum fetch_algorithm fetch_sum_algorithm(const struct fetch_sum *sum)
{
	return sum->algorithm;
}

void fetch_sum_add(struct fetch_sum *sum, const void *bytes, size_t size_bytes)
{
	if (sum->algorithm == FETCH_ADLER32)
		add_adler32(sum, bytes, size_bytes);
	else if (sum->algorithm == FETCH_CRC32C)
		add_crc32c(sum, bytes, size_bytes);
	else if (EVP_DigestUpdate(sum->context, bytes, size_bytes) != 1)
		sum->failed = true;
}

static void put_number(uint8_t out[4], uint32_t number)
{
	for (unsigned i = 0; i < 4; i++)
		out[i] = (uint8_t)(number >> (24 - 8 * i));
}

void fetch_sum_end(struct fetch_sum *sum, struct fetch_digest *out)
{
	*out =
	    (struct fetch_digest){.known = true, .algorithm = sum->algorithm};
	if (sum->algorithm == FETCH_ADLER32)
		put_number(out->bytes, sum->high << 16 | sum->low);
	else if (sum->algorithm == FETCH_CRC32C)
		put_number(out->bytes, ~sum->low);
	else
		out->known = !sum->failed &&
		    EVP_DigestFinal_ex(sum->context, out->bytes, NULL) == 1;
}
