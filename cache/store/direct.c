/* SPDX-License-Identifier: Apache-2.0 */
/* cache/store/direct.c - see direct.h. */
#include "cache/store/direct.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

int direct_begin(struct direct *direct)
{
	direct->queue = 0;
	atomic_init(&direct->flying, 0);
	atomic_init(&direct->ending, false);
	atomic_init(&direct->closed, false);
	atomic_init(&direct->refused, false);
	return syscall(SYS_io_setup, DIRECT_READS_MAX, &direct->queue) < 0
	    ? -errno
	    : 0;
}

/* The last one out closes. Whoever asks counts itself first and looks at
 * `ending` second, whoever ends does it the other way round: one of the two
 * sees the other. */
static void close_when_empty(struct direct *direct)
{
	if (atomic_load(&direct->ending) && atomic_load(&direct->flying) == 0 &&
	    !atomic_exchange(&direct->closed, true))
		(void)syscall(SYS_io_destroy, direct->queue);
}

static void land(struct direct *direct)
{
	unsigned before = atomic_fetch_sub(&direct->flying, 1);

	assert(before > 0);
	if (before == 1)
		close_when_empty(direct);
}

/* @return 0, or -errno of io_submit(2). */
static int submit(const struct direct *direct, struct direct_read *read)
{
	struct iocb *iocbs[] = {&read->iocb};
	long n;

	do
		n = syscall(SYS_io_submit, direct->queue, 1, iocbs);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	return n < 0 ? -errno : -EAGAIN;
}

int direct_ask(struct direct *direct, struct direct_read *read, int fd,
    void *bytes, size_t size_bytes, uint64_t offset_bytes)
{
	int code = -EAGAIN;

	if (direct->queue == 0 ||
	    atomic_load_explicit(&direct->refused, memory_order_relaxed))
		return -EAGAIN;
	read->iocb = (struct iocb){
	    .aio_data = (uint64_t)(uintptr_t)read,
	    .aio_lio_opcode = IOCB_CMD_PREAD,
	    .aio_rw_flags = RWF_NOWAIT,
	    .aio_fildes = (uint32_t)fd,
	    .aio_buf = (uint64_t)(uintptr_t)bytes,
	    .aio_nbytes = size_bytes,
	    .aio_offset = (int64_t)offset_bytes,
	};
	(void)atomic_fetch_add(&direct->flying, 1);
	if (!atomic_load(&direct->ending))
		code = submit(direct, read);
	if (code == 0)
		return 0;
	if (code == -EINVAL || code == -EOPNOTSUPP || code == -ENOSYS)
		atomic_store_explicit(
		    &direct->refused, true, memory_order_relaxed);
	land(direct);
	return -EAGAIN;
}

void direct_serve(struct direct *direct)
{
	struct io_event events[DIRECT_ANSWERS_MAX];

	while (!atomic_load(&direct->closed)) {
		long count = syscall(SYS_io_getevents, direct->queue, 1,
		    DIRECT_ANSWERS_MAX, events, NULL);

		if (count < 0 && errno != EINTR)
			return; /* EINVAL: it was closed */
		for (long i = 0; i < count; i++) {
			struct direct_read *read =
			    (struct direct_read *)(uintptr_t)events[i].data;

			assert(atomic_load(&direct->flying) > 0);
			read->done(read, (ssize_t)events[i].res);
			land(direct);
		}
	}
}

void direct_end(struct direct *direct)
{
	if (direct->queue == 0)
		return;
	atomic_store(&direct->ending, true);
	close_when_empty(direct);
}
