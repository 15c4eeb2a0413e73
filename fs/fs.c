/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/fs.c - a mount's life: prepare, serve, stop, free; see fs.h. mount.c has
 * the kernel mount it.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMPLAINT_BYTES = 256 };

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
	list_init(&fs->turns);
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
	atomic_store(&fs->stopping, true); /* nothing begins any more */
	mail_enter(&fs->mail);
	/* libfuse need not complain of replies that nobody takes any more. */
	fuse_session_exit(fs->session);
	mail_drain(&fs->mail);
	files_close_all(fs);
	dirs_close_all(fs);
	assert(atomic_load(&fs->mail.lingering) == 0);
	assert(list_is_empty(&fs->turns));
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
