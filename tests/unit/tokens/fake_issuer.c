/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tokens/fake_issuer.c - see fake_issuer.h. */
#include "tests/unit/tokens/fake_issuer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEYS FAKE_ISSUER "/keys"

void fake_issuer_init(struct fake_issuer *issuer, const char *text)
{
	memset(issuer, 0, sizeof(*issuer));
	(void)pthread_mutex_init(&issuer->mutex, NULL);
	(void)pthread_cond_init(&issuer->released, NULL);
	issuer->text = text;
}

void fake_issuer_fini(struct fake_issuer *issuer)
{
	(void)pthread_cond_destroy(&issuer->released);
	(void)pthread_mutex_destroy(&issuer->mutex);
}

void fake_issuer_serve(struct fake_issuer *issuer, const char *text)
{
	(void)pthread_mutex_lock(&issuer->mutex);
	issuer->text = text;
	(void)pthread_mutex_unlock(&issuer->mutex);
}

void fake_issuer_hang(struct fake_issuer *issuer, bool hangs)
{
	(void)pthread_mutex_lock(&issuer->mutex);
	issuer->hangs = hangs;
	(void)pthread_cond_broadcast(&issuer->released);
	(void)pthread_mutex_unlock(&issuer->mutex);
}

bool fake_issuer_is_waiting(struct fake_issuer *issuer)
{
	bool waiting;

	(void)pthread_mutex_lock(&issuer->mutex);
	waiting = issuer->waiting;
	(void)pthread_mutex_unlock(&issuer->mutex);
	return waiting;
}

unsigned fake_issuer_fetches(struct fake_issuer *issuer)
{
	unsigned count;

	(void)pthread_mutex_lock(&issuer->mutex);
	count = issuer->fetches;
	assert_int_equal(issuer->alien, 0);
	(void)pthread_mutex_unlock(&issuer->mutex);
	return count;
}

unsigned fake_issuer_given(struct fake_issuer *issuer)
{
	unsigned count;

	(void)pthread_mutex_lock(&issuer->mutex);
	count = issuer->given_count;
	(void)pthread_mutex_unlock(&issuer->mutex);
	return count;
}

/* The key set that it gives this time; NULL: it is down. */
static const char *answer(struct fake_issuer *issuer, const char *url)
{
	const char *text;

	(void)pthread_mutex_lock(&issuer->mutex);
	issuer->waiting = issuer->hangs;
	while (issuer->hangs)
		(void)pthread_cond_wait(&issuer->released, &issuer->mutex);
	text = issuer->text;
	issuer->alien +=
	    strncmp(url, FAKE_ISSUER "/", strlen(FAKE_ISSUER "/")) != 0;
	issuer->fetches += strcmp(url, KEYS) == 0 ||
	    (text == NULL && strstr(url, "openid") != NULL);
	if (text != NULL && strcmp(url, KEYS) == 0 &&
	    issuer->given_count < FAKE_GIVEN_MAX)
		issuer->given[issuer->given_count++] = text;
	(void)pthread_mutex_unlock(&issuer->mutex);
	return text;
}

int fake_issuer_document(void *arg, const char *url, struct buf *out,
    struct tokens_document_facts *facts, struct err *err)
{
	const char *text = answer(arg, url);

	facts->max_age_s = -1;
	if (text == NULL)
		return err_set(err, -EHOSTUNREACH, "the issuer is down");
	if (strcmp(url, KEYS) == 0)
		return buf_append(out, text, strlen(text));
	return buf_printf(
	    out, "{\"issuer\":\"" FAKE_ISSUER "\",\"jwks_uri\":\"" KEYS "\"}");
}
