/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/keys.h: each rule of the keys' life, on a clock of our own;
 * and tokens/verify/keyfile.h, what is kept between mounts. */
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/sign.h"
#include "tokens/verify/keyfile.h"
#include "tokens/verify/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ISS "https://i.example"

enum { WALL_S = 1000000, NOW_MS = 5000 };

static char texts[2][MAKE_BYTES]; /* two sets of keys */

static int make_sets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct sign_key *key = sign_key_new("P-256");
		char jwk[MAKE_BYTES];

		sign_jwk(jwk, key, ",\"kid\":\"a\"");
		sign_jwks(texts[i], jwk, NULL, NULL);
		sign_key_free(key);
	}
	return 0;
}

static struct jwks *set_of(unsigned which)
{
	struct err err = ERR_INIT;
	struct jwks *set;

	assert_int_equal(
	    jwks_parse(&set, texts[which], strlen(texts[which]), &err), 0);
	return set;
}

/* Keys that were fetched at NOW_MS and WALL_S. */
static void fetched(struct keys *keys, int64_t max_age_s)
{
	struct keys_life life = keys_life(WALL_S, max_age_s);

	keys_init(keys);
	keys_begin(keys, NOW_MS);
	assert_true(keys_install(keys, set_of(0), &life));
}

static void lives_stay_within_their_bounds(void **state)
{
	static const struct {
		int64_t max_age_s;
		uint64_t refresh_s;
		uint64_t expires_s;
	} rows[] = {
	    {-1, KEYS_REFRESH_S, KEYS_LIFE_MIN_S},
	    {0, KEYS_REFRESH_MIN_S, KEYS_LIFE_MIN_S},
	    {599, KEYS_REFRESH_MIN_S, KEYS_LIFE_MIN_S},
	    {601, 601, KEYS_LIFE_MIN_S},
	    {7200, 7200, KEYS_LIFE_MIN_S},
	    {86400, KEYS_REFRESH_MAX_S, KEYS_LIFE_MIN_S},
	    {3 * 86400, KEYS_REFRESH_MAX_S, 3 * 86400},
	    {5 * 86400, KEYS_REFRESH_MAX_S, KEYS_LIFE_MAX_S},
	    {INT64_MAX, KEYS_REFRESH_MAX_S, KEYS_LIFE_MAX_S},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		for (unsigned k = 0; k < 50; k++) {
			struct keys_life life =
			    keys_life(WALL_S, rows[i].max_age_s);
			uint64_t refresh = life.refresh_s - WALL_S;

			assert_int_equal(life.fetched_s, WALL_S);
			assert_true(refresh <= rows[i].refresh_s);
			assert_true(refresh >
			    rows[i].refresh_s - rows[i].refresh_s / 10 - 1);
			assert_int_equal(
			    life.expires_s - WALL_S, rows[i].expires_s);
			assert_true(keys_life_is_sane(&life, WALL_S));
		}
	}
}

static void keys_are_due_at_once_when_there_are_none(void **state)
{
	struct keys keys;

	(void)state;
	keys_init(&keys);
	assert_null(keys_usable(&keys, WALL_S));
	assert_int_equal(keys_due_ms(&keys, NOW_MS, WALL_S), NOW_MS);
	keys_fini(&keys);
}

static void keys_serve_until_they_expire_and_not_after(void **state)
{
	struct keys keys;

	(void)state;
	fetched(&keys, -1);
	assert_non_null(keys_usable(&keys, WALL_S));
	assert_non_null(keys_usable(&keys, WALL_S + KEYS_LIFE_MIN_S - 1));
	assert_null(keys_usable(&keys, WALL_S + KEYS_LIFE_MIN_S));
	keys_fini(&keys);
}

static void idle_keys_are_not_asked_for(void **state)
{
	struct keys keys;

	(void)state;
	fetched(&keys, -1);
	assert_int_equal(keys_due_ms(&keys, NOW_MS, WALL_S), UINT64_MAX);
	assert_int_equal(
	    keys_due_ms(&keys, NOW_MS, WALL_S + 10 * KEYS_LIFE_MAX_S),
	    UINT64_MAX);
	keys_fini(&keys);
}

static void used_keys_are_refreshed_ahead(void **state)
{
	struct keys keys;
	uint64_t later_ms = NOW_MS + 2 * KEYS_SPACING_MS;
	uint64_t due;

	(void)state;
	fetched(&keys, -1);
	keys_note_use(&keys);
	due = keys_due_ms(&keys, NOW_MS, WALL_S);
	assert_int_equal(due, NOW_MS + (keys.life.refresh_s - WALL_S) * 1000);
	/* While they are: not yet; then: now. */
	assert_true(
	    keys_due_ms(&keys, later_ms, keys.life.refresh_s - 1) > later_ms);
	assert_int_equal(
	    keys_due_ms(&keys, later_ms, keys.life.refresh_s), later_ms);
	assert_non_null(keys_usable(&keys, keys.life.refresh_s));
	keys_fini(&keys);
}

static void a_clock_set_back_has_them_asked_for(void **state)
{
	struct keys keys;
	uint64_t later_ms = NOW_MS + 2 * KEYS_SPACING_MS;

	(void)state;
	fetched(&keys, -1);
	keys_note_use(&keys);
	assert_true(keys_due_ms(&keys, later_ms, WALL_S - KEYS_CLOCK_BACK_S) >
	    later_ms);
	assert_int_equal(
	    keys_due_ms(&keys, later_ms, WALL_S - KEYS_CLOCK_BACK_S - 1),
	    later_ms);
	keys_fini(&keys);
}

static void nothing_is_asked_twice_in_a_minute(void **state)
{
	struct keys keys;

	(void)state;
	fetched(&keys, -1);
	assert_int_equal(keys_note_miss(&keys, "b", NOW_MS + 1), KEYS_ASKED);
	assert_int_equal(
	    keys_due_ms(&keys, NOW_MS + 1, WALL_S), NOW_MS + KEYS_SPACING_MS);
	assert_int_equal(
	    keys_due_ms(&keys, NOW_MS + 90000, WALL_S + 90), NOW_MS + 90000);
	keys_fini(&keys);
}

/* A fetch that begins at `now_ms` and brings the same keys. */
static void fetch_again(struct keys *keys, uint64_t now_ms)
{
	struct keys_life life = keys_life(WALL_S, -1);

	keys_begin(keys, now_ms);
	assert_false(keys_install(keys, set_of(0), &life));
}

static void an_unknown_key_is_asked_for_once(void **state)
{
	struct keys keys;
	uint64_t now = NOW_MS + KEYS_SPACING_MS;

	(void)state;
	fetched(&keys, -1);
	assert_int_equal(keys_note_miss(&keys, "b", now), KEYS_ASKED);
	assert_int_equal(keys_note_miss(&keys, "b", now + 5), KEYS_ASKED);
	assert_int_equal(keys_due_ms(&keys, now + 5, WALL_S), now + 5);
	fetch_again(&keys, now + 6);
	assert_int_equal(keys_note_miss(&keys, "b", now + 7), KEYS_ABSENT);
	assert_int_equal(keys_due_ms(&keys, now + 7, WALL_S), UINT64_MAX);
	/* Another one may be asked for, and "no name" is a name. */
	assert_int_equal(keys_note_miss(&keys, "c", now + 8), KEYS_ASKED);
	assert_int_equal(keys_note_miss(&keys, NULL, now + 8), KEYS_ASKED);
	fetch_again(&keys, now + KEYS_SPACING_MS + 6);
	assert_int_equal(keys_note_miss(&keys, "c", now + 70000), KEYS_ABSENT);
	assert_int_equal(keys_note_miss(&keys, NULL, now + 70000), KEYS_ABSENT);
	/* The issuer may have it later: it is asked, and what it has answered
	 * stands until then. */
	now += KEYS_MISS_LIFE_MS;
	assert_false(keys.missed);
	assert_int_equal(keys_note_miss(&keys, "b", now), KEYS_ABSENT);
	assert_true(keys.missed);
	fetch_again(&keys, now + 1);
	assert_int_equal(keys_note_miss(&keys, "b", now + 2), KEYS_ABSENT);
	assert_false(keys.missed);
	keys_fini(&keys);
}

static void an_attempt_on_its_way_is_waited_for(void **state)
{
	struct keys keys;
	uint64_t now = NOW_MS + KEYS_SPACING_MS;
	struct err err = ERR_INIT;

	(void)state;
	fetched(&keys, -1);
	assert_int_equal(keys_note_miss(&keys, "b", now), KEYS_ASKED);
	keys_begin(&keys, now + 1);
	assert_int_equal(keys_note_miss(&keys, "b", now + 2), KEYS_ASKED);
	assert_false(keys.missed);
	/* It may have been answered before "c" was published. */
	assert_int_equal(keys_note_miss(&keys, "c", now + 3), KEYS_ASKED);
	assert_true(keys.missed);
	(void)err_set(&err, -ETIMEDOUT, "down");
	keys_fail(&keys, WALL_S, &err);
	keys.missed = false;
	assert_int_equal(keys_note_miss(&keys, "b", now + 4), KEYS_ASKED);
	assert_true(keys.missed);
	keys_fini(&keys);
}

static void a_failure_does_not_answer_for_an_unknown_key(void **state)
{
	struct keys keys;
	uint64_t now = NOW_MS + KEYS_SPACING_MS;
	struct err err = ERR_INIT;

	(void)state;
	fetched(&keys, -1);
	assert_int_equal(keys_note_miss(&keys, "b", now), KEYS_ASKED);
	keys_begin(&keys, now + 1);
	(void)err_set(&err, -ETIMEDOUT, "down");
	keys_fail(&keys, WALL_S, &err);
	assert_int_equal(keys_note_miss(&keys, "b", now + 2), KEYS_ASKED);
	assert_true(
	    keys_due_ms(&keys, now + 2, WALL_S) >= now + 1 + KEYS_SPACING_MS);
	keys_fini(&keys);
}

/* Somebody who makes up names gets one fetch a minute out of us. */
static void many_unknown_keys_cost_one_fetch_a_minute(void **state)
{
	struct keys keys;
	unsigned fetches = 0;
	uint64_t end = NOW_MS + 10 * KEYS_SPACING_MS;

	(void)state;
	fetched(&keys, -1);
	for (uint64_t now = NOW_MS; now < end; now += 10) {
		char kid[32];

		(void)snprintf(kid, sizeof(kid), "made-up-%u", (unsigned)now);
		assert_int_equal(keys_note_miss(&keys, kid, now), KEYS_ASKED);
		if (keys_due_ms(&keys, now, WALL_S) <= now) {
			fetches++;
			fetch_again(&keys, now);
		}
	}
	assert_int_equal(fetches, 9);
	keys_fini(&keys);
}

/* How long after each of many failures the next attempt is due. */
static void check_backoff(struct keys *keys, uint64_t most_ms)
{
	uint64_t now = NOW_MS + KEYS_SPACING_MS;
	uint64_t expected = KEYS_SPACING_MS;
	struct err err = ERR_INIT;

	(void)err_set(&err, -EHOSTUNREACH, "unreachable");
	for (unsigned i = 0; i < 40; i++) {
		uint64_t due;

		keys_begin(keys, now);
		keys_fail(keys, WALL_S + KEYS_REFRESH_MAX_S, &err);
		keys_note_use(keys);
		due = keys_due_ms(keys, now, WALL_S + KEYS_REFRESH_MAX_S);
		assert_true(due - now >= expected);
		assert_true(due - now <= expected + expected / 10);
		expected = expected * 2 > most_ms ? most_ms : expected * 2;
		now = due;
	}
	assert_int_equal(keys->problem.code, -EHOSTUNREACH);
}

static void failures_are_asked_again_later_and_later(void **state)
{
	struct keys keys;

	(void)state;
	keys_init(&keys);
	check_backoff(&keys, KEYS_BACKOFF_BARE_MAX_MS);
	assert_null(keys_usable(&keys, WALL_S));
	keys_fini(&keys);
	fetched(&keys, -1);
	check_backoff(&keys, KEYS_BACKOFF_MAX_MS);
	/* The old keys serve all the while. */
	assert_non_null(keys_usable(&keys, WALL_S + KEYS_LIFE_MIN_S - 1));
	fetch_again(&keys, NOW_MS);
	assert_int_equal(keys.problem.code, 0);
	assert_int_equal(keys.failures, 0);
	keys_fini(&keys);
}

static void other_keys_are_told_from_the_same(void **state)
{
	struct keys keys;
	struct keys_life life = keys_life(WALL_S, -1);

	(void)state;
	fetched(&keys, -1);
	assert_false(keys_install(&keys, set_of(0), &life));
	assert_true(keys_install(&keys, set_of(1), &life));
	keys_fini(&keys);
}

/* The files. */

static struct keys_life life_now(void)
{
	return (struct keys_life){.fetched_s = WALL_S,
	    .refresh_s = WALL_S + KEYS_REFRESH_S,
	    .expires_s = WALL_S + KEYS_LIFE_MIN_S};
}

struct place {
	char root[256];
	char dir[300];
	char file[300 + KEYFILE_NAME_BYTES];
};

static void make_place(struct place *place, const char *issuer)
{
	char name[KEYFILE_NAME_BYTES];

	make_directory(place->root);
	(void)snprintf(place->dir, sizeof(place->dir), "%s/keys", place->root);
	keyfile_name(name, issuer);
	(void)snprintf(
	    place->file, sizeof(place->file), "%s/%s", place->dir, name);
}

static int write_set(const struct place *place, const struct keys_life *life)
{
	struct err err = ERR_INIT;

	return keyfile_write(
	    place->dir, ISS, life, texts[0], strlen(texts[0]), &err);
}

static int read_set(
    const struct place *place, const char *issuer, uint64_t wall_s)
{
	struct keys_life life;
	struct err err = ERR_INIT;
	struct jwks *set;
	struct jwks *wanted = set_of(0);
	int code = keyfile_read(&set, &life, place->dir, issuer, wall_s, &err);

	assert_int_equal(code, err.code);
	if (code == 0) {
		struct keys_life was = life_now();

		assert_memory_equal(&life, &was, sizeof(life));
		assert_true(jwks_same(set, wanted));
	} else {
		assert_null(set);
		assert_true(err.text[0] != '\0');
	}
	jwks_put(set);
	jwks_put(wanted);
	return code;
}

static void keys_come_back_as_they_were_kept(void **state)
{
	struct keys_life life = life_now();
	struct place place;
	struct stat about;

	(void)state;
	make_place(&place, ISS);
	assert_int_equal(read_set(&place, ISS, WALL_S), -ENOENT);
	assert_int_equal(write_set(&place, &life), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S + 5), 0);
	/* Again, over the old one. */
	assert_int_equal(write_set(&place, &life), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S + 5), 0);
	assert_int_equal(stat(place.file, &about), 0);
	assert_int_equal(about.st_mode & 07777, 0600);
	assert_int_equal(stat(place.dir, &about), 0);
	assert_int_equal(about.st_mode & 07777, 0700);
	assert_int_equal(about.st_nlink, 2);
	make_remove(place.root);
}

static void keys_of_another_time_or_issuer_are_not_taken(void **state)
{
	struct keys_life life = life_now();
	struct place place;
	char to[sizeof(place.dir) + KEYFILE_NAME_BYTES];
	char name[KEYFILE_NAME_BYTES];

	(void)state;
	make_place(&place, ISS);
	assert_int_equal(write_set(&place, &life), 0);
	assert_int_equal(
	    read_set(&place, ISS, WALL_S + KEYS_LIFE_MIN_S), -EBADMSG);
	assert_int_equal(read_set(&place, ISS, WALL_S - 1), -EBADMSG);
	/* Another issuer's file, under this one's name. */
	keyfile_name(name, "https://j.example");
	(void)snprintf(to, sizeof(to), "%s/%s", place.dir, name);
	assert_int_equal(rename(place.file, to), 0);
	assert_int_equal(
	    read_set(&place, "https://j.example", WALL_S), -EBADMSG);
	/* A life longer than any that is given. */
	life.expires_s = WALL_S + KEYS_LIFE_MAX_S + 1;
	assert_int_equal(write_set(&place, &life), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S), -EBADMSG);
	life = life_now();
	life.refresh_s = WALL_S + KEYS_REFRESH_MAX_S + 1;
	assert_int_equal(write_set(&place, &life), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S), -EBADMSG);
	make_remove(place.root);
}

/* Each byte of the file, changed; each cut. */
static void a_damaged_file_is_as_none(void **state)
{
	struct keys_life life = life_now();
	struct place place;
	char bytes[MAKE_BYTES];
	ssize_t n;
	int fd;

	(void)state;
	make_place(&place, ISS);
	assert_int_equal(write_set(&place, &life), 0);
	fd = open(place.file, O_RDWR);
	assert_true(fd >= 0);
	n = read(fd, bytes, sizeof(bytes));
	assert_true(n > 100 && n < (ssize_t)sizeof(bytes));
	for (ssize_t i = 0; i < n; i++) {
		char other = (char)(bytes[i] ^ 0x01);

		assert_int_equal(pwrite(fd, &other, 1, i), 1);
		assert_int_equal(read_set(&place, ISS, WALL_S), -EBADMSG);
		assert_int_equal(pwrite(fd, &bytes[i], 1, i), 1);
	}
	assert_int_equal(read_set(&place, ISS, WALL_S), 0);
	for (ssize_t i = n - 1; i >= 0; i--) {
		assert_int_equal(ftruncate(fd, i), 0);
		assert_int_equal(read_set(&place, ISS, WALL_S), -EBADMSG);
	}
	(void)close(fd);
	make_remove(place.root);
}

static void files_that_are_not_ours_alone_are_not_taken(void **state)
{
	struct keys_life life = life_now();
	struct place place;
	char other[sizeof(place.file) + 2];

	(void)state;
	make_place(&place, ISS);
	assert_int_equal(write_set(&place, &life), 0);
	assert_int_equal(chmod(place.file, 0644), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S), -EBADMSG);
	assert_int_equal(chmod(place.file, 0600), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S), 0);
	/* A link, a directory, a FIFO that nobody writes. */
	(void)snprintf(other, sizeof(other), "%s.x", place.file);
	assert_int_equal(rename(place.file, other), 0);
	assert_int_equal(symlink(other, place.file), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S), -EBADMSG);
	assert_int_equal(unlink(place.file), 0);
	assert_int_equal(mkdir(place.file, 0700), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S), -EBADMSG);
	assert_int_equal(rmdir(place.file), 0);
	assert_int_equal(mkfifo(place.file, 0600), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S), -EBADMSG);
	assert_int_equal(unlink(place.file), 0);
	/* A directory in which others write: neither read nor written. */
	assert_int_equal(rename(other, place.file), 0);
	assert_int_equal(chmod(place.dir, 0770), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S), -EPERM);
	assert_int_equal(write_set(&place, &life), -EPERM);
	make_remove(place.root);
}

static void a_file_too_large_is_as_none(void **state)
{
	struct keys_life life = life_now();
	struct place place;

	(void)state;
	make_place(&place, ISS);
	assert_int_equal(write_set(&place, &life), 0);
	assert_int_equal(truncate(place.file, 1L << 31), 0);
	assert_int_equal(read_set(&place, ISS, WALL_S), -EBADMSG);
	make_remove(place.root);
}

static int read_jwks(const char *path)
{
	struct err err = ERR_INIT;
	struct jwks *set;
	int code = keyfile_read_jwks(&set, path, &err);

	assert_int_equal(code, err.code);
	assert_int_equal(code == 0, set != NULL);
	if (code < 0)
		assert_non_null(strstr(err.text, "jwks '"));
	jwks_put(set);
	return code;
}

static void a_users_own_key_file_is_read(void **state)
{
	char dir[256];
	char path[300];
	char link[300];

	(void)state;
	make_directory(dir);
	(void)snprintf(path, sizeof(path), "%s/set", dir);
	(void)snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(read_jwks(path), -ENOENT);
	make_file(path, texts[0], 0644);
	assert_int_equal(read_jwks(path), 0);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(read_jwks(link), 0);
	make_file(path, texts[0], 0666);
	assert_int_equal(read_jwks(path), -EPERM);
	make_file(path, "{}", 0644);
	assert_int_equal(read_jwks(path), -EINVAL);
	assert_int_equal(truncate(path, JWKS_BYTES_MAX + 1), 0);
	assert_int_equal(read_jwks(path), -EMSGSIZE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_jwks(path), -EINVAL);
	assert_int_equal(read_jwks(dir), -EINVAL);
	make_remove(dir);
}

static int run_file(void *arg)
{
	const struct place *place = arg;
	struct keys_life life = life_now();
	struct err err = ERR_INIT;
	struct jwks *set = NULL;
	int code = keyfile_write(
	    place->dir, ISS, &life, texts[0], strlen(texts[0]), &err);

	if (code == 0)
		code = keyfile_read(&set, &life, place->dir, ISS, WALL_S, &err);
	jwks_put(set);
	return code;
}

static void every_failed_allocation_is_told(void **state)
{
	struct place place;

	(void)state;
	make_place(&place, ISS);
	assert_true(oom_each(run_file, &place) > 5);
	make_remove(place.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lives_stay_within_their_bounds),
	    cmocka_unit_test(keys_are_due_at_once_when_there_are_none),
	    cmocka_unit_test(keys_serve_until_they_expire_and_not_after),
	    cmocka_unit_test(idle_keys_are_not_asked_for),
	    cmocka_unit_test(used_keys_are_refreshed_ahead),
	    cmocka_unit_test(a_clock_set_back_has_them_asked_for),
	    cmocka_unit_test(nothing_is_asked_twice_in_a_minute),
	    cmocka_unit_test(an_unknown_key_is_asked_for_once),
	    cmocka_unit_test(an_attempt_on_its_way_is_waited_for),
	    cmocka_unit_test(a_failure_does_not_answer_for_an_unknown_key),
	    cmocka_unit_test(many_unknown_keys_cost_one_fetch_a_minute),
	    cmocka_unit_test(failures_are_asked_again_later_and_later),
	    cmocka_unit_test(other_keys_are_told_from_the_same),
	    cmocka_unit_test(keys_come_back_as_they_were_kept),
	    cmocka_unit_test(keys_of_another_time_or_issuer_are_not_taken),
	    cmocka_unit_test(a_damaged_file_is_as_none),
	    cmocka_unit_test(files_that_are_not_ours_alone_are_not_taken),
	    cmocka_unit_test(a_file_too_large_is_as_none),
	    cmocka_unit_test(a_users_own_key_file_is_read),
	    cmocka_unit_test(every_failed_allocation_is_told),
	};

	return cmocka_run_group_tests(tests, make_sets, NULL);
}
