/* SPDX-License-Identifier: Apache-2.0 */
/* What is learned of a host, and what is not. */
#include "fetch/answers/response.h"
#include "fetch/servers/profile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void dav_is_asked_until_it_is_known_to_be_missing(void **state)
{
	struct profile profile;

	(void)state;
	profile_init(&profile);
	assert_true(profile_ask_dav(&profile, 0));
	profile_dav_fails(&profile, 1000);
	assert_false(profile_ask_dav(&profile, 1000));
	assert_false(
	    profile_ask_dav(&profile, 1000 + PROFILE_DAV_BELIEVED_MS - 1));
	/* A proxy may have answered then. */
	assert_true(profile_ask_dav(&profile, 1000 + PROFILE_DAV_BELIEVED_MS));
	assert_int_equal(profile.dav, PROFILE_DAV_UNKNOWN);
}

static void a_host_with_dav_loses_it_only_after_several_refusals(void **state)
{
	struct profile profile;

	(void)state;
	profile_init(&profile);
	profile_dav_works(&profile);
	for (int round = 0; round < 3; round++) {
		for (int i = 1; i < PROFILE_DAV_REFUSALS_MAX; i++) {
			profile_dav_fails(&profile, 0);
			assert_true(profile_ask_dav(&profile, 0));
		}
		profile_dav_works(&profile);
	}
	for (int i = 0; i < PROFILE_DAV_REFUSALS_MAX; i++)
		profile_dav_fails(&profile, 0);
	assert_false(profile_ask_dav(&profile, 0));
}

static void bytes_are_trusted_early_only_if_all_came_with_proof(void **state)
{
	struct profile profile;

	(void)state;
	profile_init(&profile);
	assert_false(profile_validates(&profile));
	profile_data(&profile, true);
	assert_true(profile_validates(&profile));
	profile_data(&profile, false);
	assert_false(profile_validates(&profile));
	profile_data(&profile, true);
	assert_false(profile_validates(&profile));
}

static void question_marks_are_refused_where_they_cut_names(void **state)
{
	struct profile profile;
	struct response response;

	(void)state;
	profile_init(&profile);
	response_clear(&response);
	assert_int_equal(profile_name_ok(&profile, "/a?b"), 0);

	response.status = 200;
	response.dated = true;
	profile_saw(&profile, &response);
	assert_int_equal(profile_name_ok(&profile, "/a?b"), 0);

	response.xrootd = true;
	profile_saw(&profile, &response);
	assert_int_equal(profile_name_ok(&profile, "/a?b"), -EINVAL);
	assert_int_equal(profile_name_ok(&profile, "/a%3Fb#&"), 0);

	/* A proxy that hides the name does not make up a Date. */
	response.xrootd = false;
	response.dated = false;
	profile_saw(&profile, &response);
	assert_int_equal(profile_name_ok(&profile, "/a?b"), -EINVAL);

	/* Nor does one in its own errors, which say nothing of the origin. */
	response.dated = true;
	profile_saw(&profile, &response);
	response.dated = false;
	response.status = 502;
	profile_saw(&profile, &response);
	assert_int_equal(profile_name_ok(&profile, "/a?b"), 0);

	/* An interim answer has no Date and says nothing. */
	response.dated = true;
	profile_saw(&profile, &response);
	response.dated = false;
	response.status = 103;
	profile_saw(&profile, &response);
	assert_int_equal(profile_name_ok(&profile, "/a?b"), 0);
}

static void a_host_without_checksums_is_asked_again_some_day(void **state)
{
	static const struct fetch_digest none = {.known = false};
	static const struct fetch_digest md5 = {
	    .known = true, .algorithm = FETCH_MD5};
	enum fetch_algorithm algorithm = FETCH_ADLER32;
	struct profile profile;

	(void)state;
	profile_init(&profile);
	assert_int_equal(
	    profile_digests(&profile, &algorithm, 1000), FETCH_DIGESTS_UNKNOWN);
	profile_digest(&profile, &none, 1000);
	assert_int_equal(profile_digests(&profile, &algorithm,
	                     1000 + PROFILE_DIGEST_NONE_MS - 1),
	    FETCH_DIGESTS_NONE);
	assert_int_equal(profile_digests(&profile, &algorithm,
	                     1000 + PROFILE_DIGEST_NONE_MS),
	    FETCH_DIGESTS_UNKNOWN);
	profile_digest(&profile, &md5, 2000);
	assert_int_equal(
	    profile_digests(&profile, &algorithm, 2000), FETCH_DIGESTS_TOLD);
	assert_int_equal(algorithm, FETCH_MD5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dav_is_asked_until_it_is_known_to_be_missing),
	    cmocka_unit_test(
	        a_host_with_dav_loses_it_only_after_several_refusals),
	    cmocka_unit_test(
	        bytes_are_trusted_early_only_if_all_came_with_proof),
	    cmocka_unit_test(question_marks_are_refused_where_they_cut_names),
	    cmocka_unit_test(a_host_without_checksums_is_asked_again_some_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
