/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/fs.c - a mount's life: mount, serve, stop, free; see fs.h.
 *
 * The loop is our own: fuse_session_loop() would stay in read(2) after a
 * stop from another thread, and would not hear of answers that come back
 * (fs/wait.h). It reads without waiting first and polls only when there is
 * nothing to read, so a busy mount costs one system call a request.
 *
 * Order of the end: the loop has ended; fetches are cancelled and the cache
 * has answered all that waited (its READs at once, the rest through our
 * mail); what came back is answered here; handles are closed; only then the
 * mount and the session go.
 *
 * Threads: fs_run() makes its caller the FUSE thread; fs_free() is called
 * when no other thread knows the mount any more.
 */
#include "fs/fs.h"

#include "base/log.h"
#include "base/stats.h"
#include "fs/device.h"
#include "fs/mountpoint.h"
#include "fs/reply.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	OPTIONS_MAX = 16,
	COMPLAINT_BYTES = 256,
};

/* What libfuse has to say goes where our lines go. */
static void log_from_libfuse(enum fuse_log_level level, const char *format,
    va_list arguments) __attribute__((format(printf, 2, 0)));

static void log_from_libfuse(
    enum fuse_log_level level, const char *format, va_list arguments)
{
	char text[COMPLAINT_BYTES];

	(void)vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_line(level <= FUSE_LOG_ERR ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG,
	    LOG_FS, "libfuse", "text=%s", LOG_TEXT(text));
}

/* "fsname=" + source, with what libfuse takes as syntax escaped. */
static char *name_option(const char *source)
{
	static const char key[] = "fsname=";
	char *option = malloc(sizeof(key) + 2 * strlen(source));
	char *out = option;

	if (!option)
		return NULL;
	out = stpcpy(out, key);
	for (; *source; source++) {
		if (*source == ',' || *source == '\\')
			*out++ = '\\';
		*out++ = *source;
	}
	*out = '\0';
	return option;
}

static struct fuse_session *session_new(struct fs *fs)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;
	char *name = name_option(fs->config.source);
	char max_read[32];
	const char *options[] = {
	    name,
	    "subtype=bearerfs",
	    "nosuid",
	    "nodev",
	    max_read,
	    fs->config.read_only ? "ro" : "rw",
	    fs->config.allow_other ? "allow_other" : NULL,
	    /* Or the kernel would ask nobody before it lets a user watch a
	     * directory (inotify(7)) in which others open files. */
	    fs->config.allow_other ? "default_permissions" : NULL,
	    fs->config.no_exec ? "noexec" : NULL,
	};
	int code = name ? fuse_opt_add_arg(&args, "bearerfs") : -1;

	(void)snprintf(
	    max_read, sizeof(max_read), "max_read=%d", CACHE_READ_BYTES_MAX);
	for (unsigned i = 0; i < ARRAY_COUNT(options) && code == 0; i++) {
		if (!options[i])
			continue;
		code = fuse_opt_add_arg(&args, "-o");
		if (code == 0)
			code = fuse_opt_add_arg(&args, options[i]);
	}
	if (code == 0)
		session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
	fuse_opt_free_args(&args);
	free(name);
	return session;
}

static void free_texts(struct fs *fs)
{
	/* Ours since fs_prepare(), const only for whoever reads them. */
	free((void *)(uintptr_t)fs->config.source);
	free((void *)(uintptr_t)fs->config.mountpoint);
	free((void *)(uintptr_t)fs->config.origin);
}

int fs_prepare(struct fs **out, const struct fs_config *config, struct err *err)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	int code;

	*out = NULL;
	if (!fs)
		return err_set(err, -ENOMEM, "mount: out of memory");
	fs->config = *config;
	fs->config.source = strdup(config->source);
	fs->config.mountpoint = strdup(config->mountpoint);
	fs->config.origin = strdup(config->origin);
	fs->device_fd = -1;
	code = mail_init(&fs->mail);
	if (code < 0)
		goto without_mail;
	code = nodes_init(&fs->nodes);
	if (code < 0)
		goto without_nodes;
	code = -ENOMEM;
	if (!fs->config.source || !fs->config.mountpoint || !fs->config.origin)
		goto without_session;
	fuse_set_log_func(log_from_libfuse);
	fs->session = session_new(fs);
	if (!fs->session)
		goto without_session;
	*out = fs;
	return 0;

without_session:
	mail_enter(&fs->mail);
	nodes_fini(&fs->nodes);
	mail_leave(&fs->mail);
without_nodes:
	mail_fini(&fs->mail);
without_mail:
	free_texts(fs);
	free(fs);
	assert(code < 0);
	(void)err_set(err, code, "mount: %s", err_message(code));
	return code;
}

int fs_attach(
    struct fs *fs, int fd, const struct fuse_custom_io *io, struct err *err)
{
	fs->below = io;
	return device_use(fs, fd, err);
}

/* libfuse and fusermount3 tell the reason of a failure on stderr only: read
 * it from there, as one line. */
static int mount_quietly(struct fs *fs, char complaint[COMPLAINT_BYTES])
{
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int text = memfd_create("complaint", MFD_CLOEXEC);
	ssize_t n = 0;
	int code;

	complaint[0] = '\0';
	if (saved >= 0 && text >= 0)
		(void)dup2(text, STDERR_FILENO);
	code = fuse_session_mount(fs->session, fs->config.mountpoint);
	if (saved >= 0 && text >= 0) {
		(void)dup2(saved, STDERR_FILENO);
		n = pread(text, complaint, COMPLAINT_BYTES - 1, 0);
	}
	if (saved >= 0)
		(void)close(saved);
	if (text >= 0)
		(void)close(text);
	complaint[n > 0 ? n : 0] = '\0';
	complaint[strcspn(complaint, "\n")] = '\0';
	return code;
}

/* Why a mount failed: libfuse gives no errno. */
static int explain_failure(
    const struct fs *fs, const char *complaint, struct err *err)
{
	const char *where = fs->config.mountpoint;

	if (access("/dev/fuse", F_OK) < 0)
		return err_set(err, -ENODEV,
		    "mount '%s': no /dev/fuse; run: modprobe fuse (as root)",
		    where);
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return err_set(err, -EACCES,
		    "mount '%s': /dev/fuse: %s; ask the administrator for "
		    "mode 0666",
		    where, err_message(errno));
	if (complaint[0])
		return err_set(err, -EPERM, "mount '%s': %s", where, complaint);
	if (!mountpoint_is_privileged())
		return err_set(err, -EPERM,
		    "mount '%s': not allowed without root; install fusermount3 "
		    "(package fuse3), or use: bearerfs exec",
		    where);
	return err_set(err, -EPERM, "mount '%s': the kernel refused", where);
}

/* It is mounted; libfuse takes a descriptor by this name. */
static int take_channel(
    struct fs **out, const struct fs_config *config, struct err *err)
{
	AUTO(fs) fs = NULL;
	char name[32];
	int code = fs_prepare(&fs, config, err);

	if (code < 0)
		return code;
	assert(fs != NULL);
	(void)snprintf(name, sizeof(name), "/dev/fd/%d", config->channel->fd);
	if (fuse_session_mount(fs->session, name) < 0)
		return err_set(err, -EBADF,
		    "mount '%s': its channel cannot be used",
		    config->mountpoint);
	(void)snprintf(
	    fs->device, sizeof(fs->device), "%s", config->channel->device);
	fs->elsewhere = true;
	code = device_use(fs, fuse_session_fd(fs->session), err);
	if (code == 0)
		*out = STEAL(fs);
	return code;
}

int fs_new(struct fs **out, const struct fs_config *config, struct err *err)
{
	AUTO(fs) fs = NULL;
	char complaint[COMPLAINT_BYTES];
	struct mountpoint mount;
	int code;

	*out = NULL;
	if (config->channel != NULL)
		return take_channel(out, config, err);
	code = mountpoint_prepare(config->mountpoint, err);
	if (code == 0)
		code = fs_prepare(&fs, config, err);
	if (code < 0)
		return code;
	assert(fs != NULL);
	if (mount_quietly(fs, complaint) < 0)
		return explain_failure(fs, complaint, err);
	code = device_use(fs, fuse_session_fd(fs->session), err);
	if (code < 0)
		return code;
	if (mountpoint_find(&mount, config->mountpoint) == 0 && mount.ours)
		(void)snprintf(
		    fs->device, sizeof(fs->device), "%s", mount.device);
	*out = STEAL(fs);
	return 0;
}

int fs_device(const struct fs *fs, unsigned *major, unsigned *minor)
{
	char *end = NULL;

	*major = (unsigned)strtoul(fs->device, &end, 10);
	if (end == fs->device || *end != ':')
		return -ENOENT;
	*minor = (unsigned)strtoul(end + 1, NULL, 10);
	return 0;
}

static int serve(struct fs *fs) REQUIRES(fuse_thread)
{
	int code = 0;

	while (code >= 0 && !atomic_load(&fs->stopping)) {
		mail_drain(&fs->mail);
		code = fuse_session_receive_buf(fs->session, &fs->request);
		if (code == 0)
			return 0; /* unmounted */
		if (code > 0) {
			device_served(fs);
			stats_add(STATS_fs_requests, 1);
			fuse_session_process_buf(fs->session, &fs->request);
			if (fs->has_init && !atomic_load(&fs->ready)) {
				device_raise_read_ahead(fs);
				atomic_store(&fs->ready, true);
			}
			continue;
		}
		if (code == -EAGAIN) {
			code = device_wait(fs);
			files_tend(fs);
		} else if (code == -EINTR) {
			code = 0;
		}
	}
	return code < 0 ? code : 0;
}

int fs_run(struct fs *fs)
{
	int code;

	mail_enter(&fs->mail);
	code = serve(fs);
	mail_leave(&fs->mail);
	return code;
}

void fs_stop(struct fs *fs)
{
	atomic_store(&fs->stopping, true);
	mail_ring(&fs->mail);
}

bool fs_is_ready(const struct fs *fs)
{
	return atomic_load(&fs->ready);
}

void fs_free(struct fs *fs)
{
	if (!fs)
		return;
	mail_enter(&fs->mail);
	/* libfuse need not complain of replies that nobody takes any more. */
	fuse_session_exit(fs->session);
	mail_drain(&fs->mail);
	files_close_all(fs);
	dirs_close_all(fs);
	assert(atomic_load(&fs->mail.lingering) == 0);
	fuse_session_unmount(fs->session);
	/* libfuse leaves it mounted when the connection was aborted. */
	if (fs->device[0] && !fs->elsewhere)
		mountpoint_detach_dead(fs->config.mountpoint);
	fuse_session_destroy(fs->session);
	nodes_fini(&fs->nodes);
	mail_leave(&fs->mail);
	mail_fini(&fs->mail);
	free(fs->request.mem);
	free(fs->page);
	free_texts(fs);
	free(fs);
}
