/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/finding.h: a finding arrives as it was sent, and nothing that
 * was made up is taken for one. */
#include "base/secret.h"
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tokens/callers/looker.h"
#include "tokens/find/finding.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct finding sent;
static struct finding got;
static char *bytes;
static size_t size_bytes;

static int set_up(void **state)
{
	(void)state;
	sent = got = (struct finding){.count = 0};
	bytes = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	finding_fini(&sent);
	finding_fini(&got);
	free(bytes);
	return 0;
}

static void add(const char *text, const char *source)
{
	struct token *token = make_parsed(text);

	if (source != NULL)
		assert_int_equal(token_set_source(token, source), 0);
	finding_add(&sent, token);
}

static void encode(void)
{
	free(bytes);
	bytes = NULL;
	assert_int_equal(finding_encode(&sent, &bytes, &size_bytes), 0);
}

static int decode(void)
{
	finding_fini(&got);
	return finding_decode(&got, bytes, size_bytes);
}

static void assert_arrives(void)
{
	encode();
	assert_int_equal(decode(), 0);
	assert_int_equal(got.count, sent.count);
	for (unsigned i = 0; i < got.count; i++) {
		assert_true(
		    secret_equal(got.tokens[i]->text, sent.tokens[i]->text));
		assert_string_equal(
		    token_source(got.tokens[i]), token_source(sent.tokens[i]));
		assert_string_equal(
		    token_kind(got.tokens[i]), token_kind(sent.tokens[i]));
	}
	assert_int_equal(got.problem.code, sent.problem.code);
	if (sent.problem.code != 0)
		assert_string_equal(got.problem.text, sent.problem.text);
}

static void assert_is_none(int code)
{
	assert_int_equal(code, -EBADMSG);
	assert_int_equal(got.count, 0);
	assert_int_equal(got.problem.code, 0);
}

static void a_finding_arrives_as_it_was_sent(void **state)
{
	char text[MAKE_BYTES];

	(void)state;
	assert_arrives();
	(void)err_set(&sent.problem, -ENOKEY, "no token; get one");
	assert_arrives();
	make_token(text, "ada", 1000);
	add(text, "/tmp/bt_u1001");
	assert_arrives();
	assert_string_equal(got.tokens[0]->claims.subject, "ada");
	add("opaque", NULL);
	add(" {\"access_token\": \" inner \"}\n", "$BEARER_TOKEN");
	assert_arrives();
	sent.problem.code = 0;
	assert_arrives();
}

static void fill(struct finding *finding, char *text, char *source)
{
	memset(text, 'a', TOKENS_TEXT_BYTES_MAX);
	text[TOKENS_TEXT_BYTES_MAX] = '\0';
	memset(source, 's', PATH_BYTES_MAX - 1);
	source[PATH_BYTES_MAX - 1] = '\0';
	memset(finding->problem.text, 't', sizeof(finding->problem.text) - 1);
	finding->problem.code = -EPERM;
	for (unsigned i = 0; i < FINDING_TOKENS_MAX; i++)
		add(text, source);
}

static void the_largest_one_fits(void **state)
{
	static char text[TOKENS_TEXT_BYTES_MAX + 1];
	static char source[PATH_BYTES_MAX];

	(void)state;
	fill(&sent, text, source);
	assert_arrives();
	assert_true(size_bytes <= FINDING_BYTES_MAX);
	assert_true((int)FINDING_BYTES_MAX <= (int)LOOKER_ANSWER_BYTES_MAX);
}

static void send_two(void)
{
	char text[MAKE_BYTES];

	make_token(text, "ada", 1000);
	add(text, "/a");
	add("opaque", "/b");
	(void)err_set(&sent.problem, -EPERM, "why");
	encode();
}

static void one_that_is_cut_or_longer_is_none(void **state)
{
	size_t whole;
	char *longer;

	(void)state;
	send_two();
	whole = size_bytes;
	for (size_bytes = 0; size_bytes < whole; size_bytes++) {
		/* A copy of just this size: a byte read behind it is seen. */
		char *cut = malloc(size_bytes > 0 ? size_bytes : 1);

		assert_non_null(cut);
		memcpy(cut, bytes, size_bytes);
		finding_fini(&got);
		assert_is_none(finding_decode(&got, cut, size_bytes));
		free(cut);
	}
	longer = calloc(1, whole + 1);
	assert_non_null(longer);
	memcpy(longer, bytes, whole);
	assert_int_equal(finding_decode(&got, longer, whole), 0);
	finding_fini(&got);
	assert_is_none(finding_decode(&got, longer, whole + 1));
	free(longer);
}

static void any_changed_byte_gives_a_sound_one_or_none(void **state)
{
	(void)state;
	send_two();
	for (size_t i = 0; i < size_bytes; i++) {
		for (int value = 0; value < 256; value++) {
			char before = bytes[i];
			int code;

			bytes[i] = (char)value;
			code = decode();
			if (code != 0)
				assert_is_none(code);
			bytes[i] = before;
		}
	}
}

/* Numbers and texts of a forger's choice. */
struct forged {
	int32_t code;
	int32_t count;
	int32_t why_bytes;
	char why[4];
	int32_t text_bytes;
	char text[8];
	int32_t place_bytes;
	char place[4];
};

static struct forged sound(void)
{
	return (struct forged){
	    -EPERM, 1, 4, {"why!"}, 8, {"opaque.."}, 4, {"/tmp"}};
}

static int decode_forged(const struct forged *forged)
{
	finding_fini(&got);
	return finding_decode(&got, (const char *)forged, sizeof(*forged));
}

static void numbers_are_not_believed(void **state)
{
	struct forged forged = sound();
	static const int32_t sizes[] = {-1, INT32_MIN, INT32_MAX, 0x10000,
	    0x10001, 4096, ERR_TEXT_BYTES, 0, 3, 5};

	(void)state;
	assert_int_equal(decode_forged(&forged), 0);
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		forged = sound();
		forged.why_bytes = sizes[i];
		assert_is_none(decode_forged(&forged));
		forged = sound();
		forged.text_bytes = sizes[i];
		assert_is_none(decode_forged(&forged));
		forged = sound();
		forged.place_bytes = sizes[i];
		assert_is_none(decode_forged(&forged));
		forged = sound();
		forged.count = sizes[i];
		assert_is_none(decode_forged(&forged));
	}
	forged = sound();
	forged.code = EPERM;
	assert_is_none(decode_forged(&forged));
	forged.code = INT32_MIN;
	assert_is_none(decode_forged(&forged));
	forged.code = 0; /* with a sentence */
	assert_is_none(decode_forged(&forged));
}

static void texts_are_not_believed(void **state)
{
	struct forged forged = sound();

	(void)state;
	forged.text[0] = ' '; /* would be stripped */
	assert_is_none(decode_forged(&forged));
	forged = sound();
	forged.text[3] = '\0';
	assert_is_none(decode_forged(&forged));
	forged.text[3] = '\n';
	assert_is_none(decode_forged(&forged));
	forged = sound();
	forged.place[2] = '\0';
	assert_is_none(decode_forged(&forged));
	forged = sound();
	forged.why[0] = '\0';
	assert_is_none(decode_forged(&forged));
}

/* Where one token may stand in JSON, none may stand around it. */
static void a_text_is_the_token_and_nothing_else(void **state)
{
	static const char json[] = "{\"access_token\":\"a\"}";
	struct {
		int32_t numbers[4];
		char text[sizeof(json) - 1];
	} forged = {.numbers = {0, 1, 0, sizeof(json) - 1}};
	char all[sizeof(forged) + sizeof(int32_t)];
	static const int32_t no_place;

	(void)state;
	memcpy(forged.text, json, sizeof(forged.text));
	memcpy(all, &forged, sizeof(forged.numbers) + sizeof(forged.text));
	memcpy(all + sizeof(forged.numbers) + sizeof(forged.text), &no_place,
	    sizeof(no_place));
	assert_is_none(finding_decode(&got, all,
	    sizeof(forged.numbers) + sizeof(forged.text) + sizeof(no_place)));
}

static int there_and_back(void *arg)
{
	int code = finding_encode(&sent, &bytes, &size_bytes);

	(void)arg;
	if (code == 0)
		code = finding_decode(&got, bytes, size_bytes);
	finding_fini(&got);
	free(bytes);
	bytes = NULL;
	return code;
}

static void the_way_survives_every_failed_allocation(void **state)
{
	(void)state;
	send_two();
	free(bytes);
	bytes = NULL;
	assert_true(oom_each(there_and_back, NULL) > 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_finding_arrives_as_it_was_sent),
	    TEST(the_largest_one_fits),
	    TEST(one_that_is_cut_or_longer_is_none),
	    TEST(any_changed_byte_gives_a_sound_one_or_none),
	    TEST(numbers_are_not_believed),
	    TEST(texts_are_not_believed),
	    TEST(a_text_is_the_token_and_nothing_else),
	    TEST(the_way_survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
