/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_config.c - the configuration file and -o: whatever the
 * bytes are, the answer is 0 or an error with a sentence, and options are
 * whole after it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/config.h"
#include "cli/options/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void try_config(const char *text, size_t size_bytes)
{
	struct config *config = calloc(1, sizeof(*config));
	struct options options;
	struct err err = ERR_INIT;

	assert(config != NULL);
	assert(options_init(&options) == 0);
	config->options = &options;
	memcpy(config->wanted, "a", 2);
	/* Twice, as two files would be. */
	for (int i = 0; i < 2; i++) {
		int code = config_parse(config, "f", text, size_bytes, &err);

		assert(code <= 0);
		if (code < 0) {
			assert(err.code == code && err.text[0] != '\0');
			assert(strpbrk(err.text, "\n\r\x1b") == NULL);
		}
	}
	assert(options.ro);
	assert(options.umask <= 0777 && options.timeout >= 1000);
	options_fini(&options);
	free(config);
}

static void try_options(const char *text, size_t size_bytes)
{
	struct options options;
	struct err err = ERR_INIT;
	char *copy = malloc(size_bytes + 1);
	int code;

	assert(copy != NULL);
	memcpy(copy, text, size_bytes);
	copy[size_bytes] = '\0';
	assert(options_init(&options) == 0);
	code = options_parse(&options, copy, OPTIONS_SLOPPY, &err);
	assert(code <= 0);
	if (code < 0)
		assert(err.code == code && err.text[0] != '\0');
	assert(options.ro && options.cache_size <= 1ULL << 50);
	options_fini(&options);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	try_config((const char *)data, size_bytes);
	try_options((const char *)data, size_bytes);
	return 0;
}
