/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/spool.c - opening and closing a spool; the locks.
 */
#include "cache/spool/spool.h"

#include "base/clock.h"
#include "base/io.h"
#include "cache/spool/files.h"
#include "cache/spool/impl.h"
#include "cache/spool/lease.h"
#include "cache/spool/spare.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void spool_work_enter(struct spool_entry *entry) UNCHECKED
{
	(void)pthread_mutex_lock(&entry->work);
}

void spool_work_leave(struct spool_entry *entry) UNCHECKED
{
	(void)pthread_mutex_unlock(&entry->work);
}

void spool_common_enter(struct spool *spool) UNCHECKED
{
	(void)pthread_mutex_lock(&spool->common);
}

void spool_common_leave(struct spool *spool) UNCHECKED
{
	(void)pthread_mutex_unlock(&spool->common);
}

void spool_facts_enter(struct spool *spool) UNCHECKED
{
	(void)pthread_mutex_lock(&spool->facts);
}

void spool_facts_leave(struct spool *spool) UNCHECKED
{
	(void)pthread_mutex_unlock(&spool->facts);
}

/* The kernel's name for this run of the machine, as bytes; zeros, which are
 * never believed, when it cannot be read. */
static void read_boot(uint8_t boot[SPOOL_BOOT_BYTES])
{
	char text[64];
	unsigned digits = 0;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : io_read_all(fd, text, sizeof(text));

	if (fd >= 0)
		(void)close(fd);
	memset(boot, 0, SPOOL_BOOT_BYTES);
	for (ssize_t i = 0; i < n && digits < 2 * SPOOL_BOOT_BYTES; i++) {
		unsigned value;

		if (text[i] >= '0' && text[i] <= '9')
			value = (unsigned)(text[i] - '0');
		else if (text[i] >= 'a' && text[i] <= 'f')
			value = (unsigned)(text[i] - 'a') + 10;
		else
			continue;
		boot[digits / 2] = (uint8_t)(boot[digits / 2] * 16 + value);
		digits++;
	}
}

int spool_open(
    struct spool **out, const struct spool_config *config, struct err *err)
{
	struct spool *spool = calloc(1, sizeof(*spool));
	int code;

	*out = NULL;
	if (spool == NULL)
		return err_set(err, -ENOMEM, "spool: out of memory");
	if (strlen(config->dir) >= sizeof(spool->dir)) {
		free(spool);
		return err_set(err, -ENAMETOOLONG,
		    "spool directory: its name is too long");
	}
	(void)snprintf(spool->dir, sizeof(spool->dir), "%s", config->dir);
	spool->clock = config->clock;
	spool->size_bytes = config->size_bytes;
	if (config->boot != NULL)
		memcpy(spool->boot, config->boot, sizeof(spool->boot));
	else
		read_boot(spool->boot);
	spool->dir_fd = spool->claims_fd = spool->next_fd = -1;
	spool->owners_fd = -1;
	spool->awake_max = rest_awake_max();
	code = files_open_spool(spool, err);
	if (code < 0) {
		files_close_spool(spool);
		free(spool);
		return code;
	}
	(void)pthread_mutex_init(&spool->common, NULL);
	(void)pthread_mutex_init(&spool->facts, NULL);
	spool_common_enter(spool);
	spool->claim_fd = -1;
	spool_common_leave(spool);
	*out = spool;
	return 0;
}

void spool_close(struct spool *spool)
{
	if (spool == NULL)
		return;
	spare_end(spool);
	spool_facts_enter(spool);
	assert(spool->entries == 0);
	free(spool->owned.list);
	spool_facts_leave(spool);
	lease_end(spool);
	files_close_spool(spool);
	(void)pthread_mutex_destroy(&spool->facts);
	(void)pthread_mutex_destroy(&spool->common);
	free(spool);
}

int spool_used(struct spool *spool, uid_t uid, uint64_t *bytes, struct err *err)
{
	int code = lease_used(spool, uid, bytes);

	return code < 0 ? err_set(err, code, "spool '%s': %s", spool->dir,
	                      err_message(code))
	                : 0;
}
