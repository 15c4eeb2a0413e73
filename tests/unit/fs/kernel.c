/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/fs/kernel.c - see kernel.h. */
#include "tests/unit/fs/kernel.h"

#include "base/stats.h"
#include "fs/session.h"
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/fake_drafts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	WAIT_S = 60,
	REQUEST_BYTES_MAX = 8192,
	UNIQUES_MAX = 1 << 20,
};

/* What is known of one request, by its unique number. */
struct asked {
	bool expects;   /* an answer */
	bool interrupt; /* "try again" (-EAGAIN) is an answer to it */
	struct reply *reply;
};

struct kernel_private {
	int fd; /* our end */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct asked *asked;
	uint64_t next_unique;
	bool refuse;
	bool stopped;
};

static struct kernel_private *current; /* whom the mount writes to */

static ssize_t take_reply(
    int fd, struct iovec *vectors, int count, void *userdata)
{
	struct kernel_private *private = current;
	const struct fuse_out_header *header = vectors[0].iov_base;
	struct reply *reply = fake_memory(sizeof(*reply) + header->len);
	ssize_t total = (ssize_t)vectors[0].iov_len;
	bool refuse;

	(void)fd;
	(void)userdata;
	assert(vectors[0].iov_len == sizeof(*header));
	reply->error = header->error;
	for (int i = 1; i < count; i++) {
		memcpy(reply->bytes + reply->size_bytes, vectors[i].iov_base,
		    vectors[i].iov_len);
		reply->size_bytes += vectors[i].iov_len;
		total += (ssize_t)vectors[i].iov_len;
	}
	assert((uint32_t)total == header->len);
	(void)pthread_mutex_lock(&private->mutex);
	assert(header->unique < private->next_unique);
	/* Exactly one reply, and none to what wants none. */
	assert(private->asked[header->unique].expects ||
	    (private->asked[header->unique].interrupt &&
	        header->error == -EAGAIN));
	assert(private->asked[header->unique].reply == NULL);
	private->asked[header->unique].reply = reply;
	refuse = private->refuse && reply->size_bytes > 0;
	if (refuse) {
		private->refuse = false;
		reply->error = -ENOENT;
	}
	(void)pthread_cond_broadcast(&private->changed);
	(void)pthread_mutex_unlock(&private->mutex);
	if (refuse) {
		errno = ENOENT;
		return -1;
	}
	return total;
}

static ssize_t give_request(int fd, void *bytes, size_t room, void *userdata)
{
	ssize_t n = read(fd, bytes, room);

	(void)userdata;
	if (n != 0)
		return n;
	errno = ENODEV; /* as after an unmount */
	return -1;
}

static void *serve(void *arg)
{
	struct fs *fs = arg;
	int code = fs_run(fs);

	assert(code == 0);
	return NULL;
}

static void say_init(struct kernel *kernel)
{
	const struct fuse_init_in init = {
	    .major = FUSE_KERNEL_VERSION,
	    .minor = 38,
	    .max_readahead = 128 * 1024,
	    .flags = 0x3fffffff & ~(uint32_t)FUSE_INIT_EXT,
	};
	uint64_t unique =
	    kernel_send(kernel, FUSE_INIT, 0, &init, sizeof(init), NULL, 0);

	assert(kernel_reply(kernel, unique)->error == 0);
	kernel_sync(kernel);
}

static void start(struct kernel *kernel, bool shared, bool writable)
{
	static const struct fuse_custom_io io = {
	    .read = give_request, .writev = take_reply};
	struct kernel_private *private = calloc(1, sizeof(*private));
	struct fs_config config = {
	    .source = "https://origin.example.org/a,b\\c",
	    .mountpoint = "/mnt",
	    .origin = "https://origin.example.org",
	    .uid = 1000,
	    .gid = 1001,
	    .umask = 022,
	    .read_only = !writable,
	    .allow_other = shared,
	};
	struct err err = ERR_INIT;
	int fds[2];
	int code;

	*kernel = (struct kernel){
	    .clock = {.hand_driven = 1, .monotonic_ms = 1000000},
	    .caller = getpid(),
	    .uid = 1000,
	    .private = private,
	};
	assert(private != NULL);
	private->asked = calloc(UNIQUES_MAX, sizeof(private->asked[0]));
	assert(private->asked != NULL);
	private->next_unique = 1;
	(void)pthread_mutex_init(&private->mutex, NULL);
	(void)pthread_cond_init(&private->changed, NULL);
	code = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
	assert(code == 0);
	private->fd = fds[0];
	current = private;
	kernel->cache = fake_new(&kernel->clock);
	config.clock = &kernel->clock;
	config.cache = kernel->cache;
	if (writable)
		kernel->drafts =
		    fake_drafts_new(&kernel->clock, kernel->cache, shared);
	config.drafts = kernel->drafts;
	code = fs_prepare(&kernel->fs, &config, &err);
	assert(code == 0);
	code = fs_attach(kernel->fs, fds[1], &io, &err);
	assert(code == 0);
	code = pthread_create(&private->thread, NULL, serve, kernel->fs);
	assert(code == 0);
	say_init(kernel);
}

void kernel_start(struct kernel *kernel)
{
	start(kernel, false, false);
}

void kernel_start_shared(struct kernel *kernel)
{
	start(kernel, true, false);
}

void kernel_start_writable(struct kernel *kernel)
{
	start(kernel, false, true);
}

void kernel_start_shared_writable(struct kernel *kernel)
{
	start(kernel, true, true);
}

void kernel_cancel(struct kernel *kernel)
{
	struct kernel_private *private = kernel->private;

	if (private->stopped)
		return;
	/* libfuse keeps an INTERRUPT that came after its request was answered;
	 * each further request rids it of one, and its end does not. */
	for (unsigned i = 0; i < 4; i++)
		kernel_sync(kernel);
	private->stopped = true;
	fs_stop(kernel->fs);
	(void)pthread_join(private->thread, NULL);
	if (kernel->drafts)
		drafts_stop(kernel->drafts);
	cache_stop(kernel->cache);
}

void kernel_stop(struct kernel *kernel)
{
	struct kernel_private *private = kernel->private;

	kernel_cancel(kernel);
	fs_free(kernel->fs);
	if (kernel->drafts)
		fake_drafts_free(kernel->drafts);
	fake_free(kernel->cache);
	for (uint64_t i = 1; i < private->next_unique; i++) {
		assert(!private->asked[i].expects ||
		    private->asked[i].reply != NULL);
		free(private->asked[i].reply);
	}
	assert(stats_get(STATS_fs_waiting) == 0);
	assert(stats_get(STATS_fs_nodes) == 0);
	(void)close(private->fd);
	(void)pthread_mutex_destroy(&private->mutex);
	(void)pthread_cond_destroy(&private->changed);
	free(private->asked);
	free(private);
	current = NULL;
}

uint64_t kernel_send(struct kernel *kernel, enum fuse_opcode opcode,
    uint64_t node, const void *body, size_t body_bytes, const void *more,
    size_t more_bytes)
{
	struct kernel_private *private = kernel->private;
	unsigned char message[REQUEST_BYTES_MAX];
	struct fuse_in_header header = {
	    .opcode = (uint32_t)opcode,
	    .nodeid = node,
	    .uid = kernel->uid,
	    .gid = 1000,
	    .pid = (uint32_t)kernel->caller,
	};
	size_t n = sizeof(header) + body_bytes + more_bytes;
	ssize_t sent;

	assert(n <= sizeof(message));
	(void)pthread_mutex_lock(&private->mutex);
	header.unique = private->next_unique++;
	assert(header.unique < UNIQUES_MAX);
	private->asked[header.unique].expects = opcode != FUSE_FORGET &&
	    opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
	private->asked[header.unique].interrupt = opcode == FUSE_INTERRUPT;
	(void)pthread_mutex_unlock(&private->mutex);
	header.len = (uint32_t)n;
	memcpy(message, &header, sizeof(header));
	if (body_bytes > 0)
		memcpy(message + sizeof(header), body, body_bytes);
	if (more_bytes > 0)
		memcpy(message + sizeof(header) + body_bytes, more, more_bytes);
	sent = send(private->fd, message, n, MSG_NOSIGNAL);
	assert(sent == (ssize_t)n);
	return header.unique;
}

const struct reply *kernel_reply(struct kernel *kernel, uint64_t unique)
{
	struct kernel_private *private = kernel->private;
	const struct reply *reply;
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	(void)pthread_mutex_lock(&private->mutex);
	while (!private->asked[unique].reply)
		if (pthread_cond_timedwait(
		        &private->changed, &private->mutex, &until) != 0)
			break;
	reply = private->asked[unique].reply;
	(void)pthread_mutex_unlock(&private->mutex);
	assert(reply != NULL); /* the request was never answered */
	return reply;
}

bool kernel_is_answered(struct kernel *kernel, uint64_t unique)
{
	struct kernel_private *private = kernel->private;
	bool answered;

	(void)pthread_mutex_lock(&private->mutex);
	answered = private->asked[unique].reply != NULL;
	(void)pthread_mutex_unlock(&private->mutex);
	return answered;
}

void kernel_refuse_next(struct kernel *kernel)
{
	struct kernel_private *private = kernel->private;

	(void)pthread_mutex_lock(&private->mutex);
	private->refuse = true;
	(void)pthread_mutex_unlock(&private->mutex);
}

/* A foreign attribute is answered at once, without the cache. */
void kernel_sync(struct kernel *kernel)
{
	const struct fuse_getxattr_in in = {.size = 0};
	static const char name[] = "security.capability";
	uint64_t unique = kernel_send(kernel, FUSE_GETXATTR, FUSE_ROOT_ID, &in,
	    sizeof(in), name, sizeof(name));

	assert(kernel_reply(kernel, unique)->error == -ENODATA);
}

/* Copy a reply's structure. */
static int copy_out(
    struct kernel *kernel, uint64_t unique, void *out, size_t size_bytes)
{
	const struct reply *reply = kernel_reply(kernel, unique);

	memset(out, 0, size_bytes);
	if (reply->error < 0)
		return reply->error;
	assert(reply->size_bytes == size_bytes);
	memcpy(out, reply->bytes, size_bytes);
	return 0;
}

uint64_t send_lookup(struct kernel *kernel, uint64_t parent, const char *name)
{
	return kernel_send(
	    kernel, FUSE_LOOKUP, parent, name, strlen(name) + 1, NULL, 0);
}

int do_lookup(struct kernel *kernel, uint64_t parent, const char *name,
    struct fuse_entry_out *out)
{
	return copy_out(
	    kernel, send_lookup(kernel, parent, name), out, sizeof(*out));
}

int do_getattr(struct kernel *kernel, uint64_t node, struct fuse_attr_out *out)
{
	const struct fuse_getattr_in in = {0};

	return copy_out(kernel,
	    kernel_send(kernel, FUSE_GETATTR, node, &in, sizeof(in), NULL, 0),
	    out, sizeof(*out));
}

uint64_t send_open(struct kernel *kernel, uint64_t node, uint32_t flags)
{
	const struct fuse_open_in in = {.flags = flags};

	return kernel_send(kernel, FUSE_OPEN, node, &in, sizeof(in), NULL, 0);
}

int do_open(struct kernel *kernel, uint64_t node, struct fuse_open_out *out)
{
	return copy_out(kernel, send_open(kernel, node, 0), out, sizeof(*out));
}

uint64_t send_read(struct kernel *kernel, uint64_t node, uint64_t handle,
    uint64_t offset_bytes, uint32_t size_bytes)
{
	const struct fuse_read_in in = {
	    .fh = handle, .offset = offset_bytes, .size = size_bytes};

	return kernel_send(kernel, FUSE_READ, node, &in, sizeof(in), NULL, 0);
}

static int release(struct kernel *kernel, enum fuse_opcode opcode,
    uint64_t node, uint64_t handle)
{
	const struct fuse_release_in in = {.fh = handle};

	return kernel_reply(
	    kernel, kernel_send(kernel, opcode, node, &in, sizeof(in), NULL, 0))
	    ->error;
}

int do_release(struct kernel *kernel, uint64_t node, uint64_t handle)
{
	return release(kernel, FUSE_RELEASE, node, handle);
}

int do_opendir(struct kernel *kernel, uint64_t node, struct fuse_open_out *out)
{
	const struct fuse_open_in in = {0};

	return copy_out(kernel,
	    kernel_send(kernel, FUSE_OPENDIR, node, &in, sizeof(in), NULL, 0),
	    out, sizeof(*out));
}

int do_releasedir(struct kernel *kernel, uint64_t node, uint64_t handle)
{
	return release(kernel, FUSE_RELEASEDIR, node, handle);
}

uint64_t send_readdir(struct kernel *kernel, uint64_t node, uint64_t handle,
    uint64_t offset, uint32_t size_bytes, bool plus)
{
	const struct fuse_read_in in = {
	    .fh = handle, .offset = offset, .size = size_bytes};

	return kernel_send(kernel, plus ? FUSE_READDIRPLUS : FUSE_READDIR, node,
	    &in, sizeof(in), NULL, 0);
}

void do_forget(struct kernel *kernel, uint64_t node, uint64_t lookup_count)
{
	const struct fuse_forget_in in = {.nlookup = lookup_count};

	(void)kernel_send(kernel, FUSE_FORGET, node, &in, sizeof(in), NULL, 0);
}

void do_interrupt(struct kernel *kernel, uint64_t unique)
{
	const struct fuse_interrupt_in in = {.unique = unique};

	(void)kernel_send(kernel, FUSE_INTERRUPT, 0, &in, sizeof(in), NULL, 0);
}

int do_create(struct kernel *kernel, uint64_t parent, const char *name,
    uint32_t flags, struct fuse_entry_out *entry, struct fuse_open_out *opened)
{
	const struct fuse_create_in in = {
	    .flags = flags | O_CREAT, .mode = S_IFREG | 0644, .umask = 022};
	const struct reply *reply = kernel_reply(kernel,
	    kernel_send(kernel, FUSE_CREATE, parent, &in, sizeof(in), name,
	        strlen(name) + 1));

	if (reply->error < 0)
		return reply->error;
	assert(reply->size_bytes == sizeof(*entry) + sizeof(*opened));
	memcpy(entry, reply->bytes, sizeof(*entry));
	memcpy(opened, reply->bytes + sizeof(*entry), sizeof(*opened));
	return 0;
}

uint64_t send_write(struct kernel *kernel, uint64_t node, uint64_t handle,
    uint64_t offset_bytes, const char *text, uint32_t flags)
{
	const struct fuse_write_in in = {
	    .fh = handle,
	    .offset = offset_bytes,
	    .size = (uint32_t)strlen(text),
	    .flags = flags,
	};

	return kernel_send(
	    kernel, FUSE_WRITE, node, &in, sizeof(in), text, strlen(text));
}

uint64_t send_flush(struct kernel *kernel, uint64_t node, uint64_t handle)
{
	const struct fuse_flush_in in = {.fh = handle};

	return kernel_send(kernel, FUSE_FLUSH, node, &in, sizeof(in), NULL, 0);
}

uint64_t send_name(struct kernel *kernel, enum fuse_opcode opcode,
    uint64_t parent, const char *name)
{
	return kernel_send(
	    kernel, opcode, parent, name, strlen(name) + 1, NULL, 0);
}

uint64_t send_rename(struct kernel *kernel, uint64_t parent, const char *name,
    uint64_t new_parent, const char *new_name, uint32_t flags)
{
	const struct fuse_rename2_in in = {
	    .newdir = new_parent, .flags = flags};
	char names[2 * 256];
	size_t n = strlen(name) + 1;

	(void)strcpy(names, name);
	(void)strcpy(names + n, new_name);
	return kernel_send(kernel, FUSE_RENAME2, parent, &in, sizeof(in), names,
	    n + strlen(new_name) + 1);
}

uint64_t send_setattr(
    struct kernel *kernel, uint64_t node, const struct fuse_setattr_in *in)
{
	return kernel_send(
	    kernel, FUSE_SETATTR, node, in, sizeof(*in), NULL, 0);
}
