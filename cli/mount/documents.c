/* SPDX-License-Identifier: Apache-2.0 */
/* cli/mount/documents.c - see documents.h. */
#include "cli/mount/documents.h"

#include "fetch/document.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

enum { TIMEOUT_MAX_MS = 20000 }; /* keys are small, and asked for again */

static struct {
	struct fetch_document_config config; /* set before any thread */
	char ca_file[PATH_MAX];
	char ca_dir[PATH_MAX];
	pthread_mutex_t mutex;
	pthread_cond_t opened;
	bool open;
} documents = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .opened = PTHREAD_COND_INITIALIZER,
};

static const char *keep(char copy[PATH_MAX], const char *text)
{
	if (text == NULL)
		return NULL;
	(void)snprintf(copy, PATH_MAX, "%s", text);
	return copy;
}

void documents_prepare(
    const char *ca_file, const char *ca_dir, uint32_t timeout_ms)
{
	documents.config = (struct fetch_document_config){
	    .ca_file = keep(documents.ca_file, ca_file),
	    .ca_dir = keep(documents.ca_dir, ca_dir),
	    .timeout_ms =
	        timeout_ms < TIMEOUT_MAX_MS ? timeout_ms : TIMEOUT_MAX_MS,
	    .proxied = fetch_document_proxied(),
	};
}

void documents_open(void)
{
	(void)pthread_mutex_lock(&documents.mutex);
	documents.open = true;
	(void)pthread_cond_broadcast(&documents.opened);
	(void)pthread_mutex_unlock(&documents.mutex);
}

int documents_get(void *arg, const char *url, struct buf *out,
    struct tokens_document_facts *facts, struct err *err)
{
	(void)arg;
	(void)pthread_mutex_lock(&documents.mutex);
	while (!documents.open)
		(void)pthread_cond_wait(&documents.opened, &documents.mutex);
	(void)pthread_mutex_unlock(&documents.mutex);
	return fetch_document(&documents.config, url, out, facts, err);
}
