/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/verify.c - how many tokens a core verifies in a second: tokens never
 * seen before (taken apart, signature, claims), by ES256 and by RS256; and
 * the same token again, as an open of a cached file has it.
 *
 *     verify [SECONDS]      one JSON object on stdout
 */
#include "base/clock.h"
#include "tokens/tokens.h"
#include "tokens/verify/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum {
	TEXT_BYTES = 4096,
	TOKENS = 256, /* different ones, taken in turn */
};

static _Noreturn void stop(const char *what)
{
	(void)fprintf(stderr, "verify: %s\n", what);
	exit(1);
}

static size_t base64(char *out, const void *bytes, size_t size_bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               "abcdefghijklmnopqrstuvwxyz"
	                               "0123456789-_";
	const unsigned char *p = bytes;
	size_t used = 0;

	for (size_t i = 0; i < size_bytes; i += 3) {
		size_t left = size_bytes - i;
		uint32_t bits = (uint32_t)p[i] << 16;

		if (left > 1)
			bits |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			bits |= p[i + 2];
		for (size_t k = 0; k < 4 && k <= left; k++)
			out[used++] = alphabet[bits >> (18 - 6 * k) & 63];
	}
	out[used] = '\0';
	return used;
}

static void number(
    char out[TEXT_BYTES], EVP_PKEY *key, const char *name, int size_bytes)
{
	unsigned char bytes[512];
	BIGNUM *value = NULL;

	if (EVP_PKEY_get_bn_param(key, name, &value) != 1)
		stop("no number in a key");
	if (size_bytes == 0)
		size_bytes = BN_num_bytes(value);
	if (BN_bn2binpad(value, bytes, size_bytes) != size_bytes)
		stop("a number does not fit");
	(void)base64(out, bytes, (size_t)size_bytes);
	BN_free(value);
}

static void write_keys(const char *path, EVP_PKEY *ec, EVP_PKEY *rsa)
{
	char x[TEXT_BYTES];
	char y[TEXT_BYTES];
	char n[TEXT_BYTES];
	FILE *file = fopen(path, "w");

	if (file == NULL)
		stop("no file for the keys");
	number(x, ec, OSSL_PKEY_PARAM_EC_PUB_X, 32);
	number(y, ec, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
	number(n, rsa, OSSL_PKEY_PARAM_RSA_N, 0);
	(void)fprintf(file,
	    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\","
	    "\"x\":\"%s\",\"y\":\"%s\"},{\"kty\":\"RSA\",\"kid\":\"r\","
	    "\"n\":\"%s\",\"e\":\"AQAB\"}]}",
	    x, y, n);
	if (fclose(file) != 0)
		stop("the keys were not written");
}

static size_t sign(unsigned char out[512], EVP_PKEY *key, const char *text)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const unsigned char *p = out;
	ECDSA_SIG *parsed;
	size_t size = 512;

	if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(context, out, &size, (const unsigned char *)text,
	        strlen(text)) != 1)
		stop("signing failed");
	EVP_MD_CTX_free(context);
	if (EVP_PKEY_is_a(key, "RSA"))
		return size;
	parsed = d2i_ECDSA_SIG(NULL, &p, (long)size);
	(void)BN_bn2binpad(ECDSA_SIG_get0_r(parsed), out, 32);
	(void)BN_bn2binpad(ECDSA_SIG_get0_s(parsed), out + 32, 32);
	ECDSA_SIG_free(parsed);
	return 64;
}

/* A WLCG token of usual size. */
static void make(char out[TEXT_BYTES], EVP_PKEY *key, unsigned serial)
{
	char header[128];
	char claims[1024];
	unsigned char signature[512];
	unsigned long long now = clock_wall_s(clock_system());
	size_t signature_bytes;
	size_t used;

	(void)snprintf(header, sizeof(header),
	    "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
	    EVP_PKEY_is_a(key, "RSA") ? "RS256" : "ES256",
	    EVP_PKEY_is_a(key, "RSA") ? "r" : "e");
	(void)snprintf(claims, sizeof(claims),
	    "{\"wlcg.ver\":\"1.0\",\"iss\":\"https://issuer.example/vo\","
	    "\"sub\":\"3c8a6a0e-8d8b-4e7c-9f57-5b7d2b1f0e11\","
	    "\"aud\":\"https://store.example:1094\",\"jti\":\"%u\","
	    "\"iat\":%llu,\"nbf\":%llu,\"exp\":%llu,\"scope\":\"openid "
	    "offline_access storage.read:/ storage.create:/user/ada\","
	    "\"wlcg.groups\":[\"/vo\",\"/vo/analysis\"]}",
	    serial, now, now, now + 86400);
	used = base64(out, header, strlen(header));
	out[used++] = '.';
	used += base64(out + used, claims, strlen(claims));
	signature_bytes = sign(signature, key, out);
	out[used++] = '.';
	(void)base64(out + used, signature, signature_bytes);
}

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void judge(struct trust *trust, struct token *token)
{
	struct err why = ERR_INIT;

	if (trust_judge(trust, token, &why) != 0)
		stop(why.text);
}

/* Tokens a second that nobody has seen before. */
static double fresh(struct trust *trust, EVP_PKEY *key, double run_s)
{
	static char texts[TOKENS][TEXT_BYTES];
	double begun;
	uint64_t count = 0;

	for (unsigned i = 0; i < TOKENS; i++)
		make(texts[i], key, i);
	begun = seconds();
	while (seconds() - begun < run_s) {
		for (unsigned i = 0; i < TOKENS; i++, count++) {
			struct token *token = NULL;
			struct err err = ERR_INIT;

			if (token_parse(
			        &token, texts[i], strlen(texts[i]), &err) < 0)
				stop(err.text);
			judge(trust, token);
			token_put(token);
		}
	}
	return (double)count / (seconds() - begun);
}

/* Judgements a second of one that is known. */
static double known(struct trust *trust, EVP_PKEY *key, double run_s)
{
	char text[TEXT_BYTES];
	struct token *token = NULL;
	struct err err = ERR_INIT;
	double begun;
	uint64_t count = 0;

	make(text, key, 0);
	if (token_parse(&token, text, strlen(text), &err) < 0)
		stop(err.text);
	begun = seconds();
	while (seconds() - begun < run_s) {
		for (unsigned i = 0; i < 4096; i++, count++)
			judge(trust, token);
	}
	token_put(token);
	return (double)count / (seconds() - begun);
}

int main(int argc, char **argv)
{
	static const char *const issuers[] = {"https://issuer.example/vo"};
	static const char *const audiences[] = {"https://store.example:1094"};
	char path[] = "/tmp/bearerfs-bench-XXXXXX";
	double run_s = argc > 1 ? strtod(argv[1], NULL) : 2.0;
	EVP_PKEY *ec = EVP_EC_gen("P-256");
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	struct tokens_trust config = {.issuers = issuers,
	    .issuer_count = 1,
	    .audiences = audiences,
	    .audience_count = 1,
	    .jwks_file = path};
	struct trust *trust = NULL;
	struct err err = ERR_INIT;
	int fd = mkstemp(path);

	if (ec == NULL || rsa == NULL || fd < 0)
		stop("no keys, or no file for them");
	(void)close(fd);
	write_keys(path, ec, rsa);
	if (trust_new(&trust, clock_system(), &config, &err) < 0)
		stop(err.text);
	(void)printf("{\"es256_per_s\":%.0f,\"rs256_per_s\":%.0f,"
	             "\"known_per_s\":%.0f}\n",
	    fresh(trust, ec, run_s), fresh(trust, rsa, run_s),
	    known(trust, ec, run_s));
	trust_free(trust);
	(void)unlink(path);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(rsa);
	return 0;
}
