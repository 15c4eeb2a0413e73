/* SPDX-License-Identifier: Apache-2.0 */
/* cli/mounts.c - see mounts.h. */
#include "cli/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* A line on its way; once something is wrong, it stays so. */
struct cursor {
	const char *at;
	bool wrong;
};

/* A field up to the next space, with \040 and the like undone. */
static void take_field(struct cursor *line, char *out, size_t room_bytes)
{
	const char *at = line->at;
	size_t used = 0;

	while (*at != '\0' && *at != ' ' && *at != '\n') {
		char c = *at++;

		if (c == '\\' && is_octal(at[0]) && is_octal(at[1]) &&
		    is_octal(at[2])) {
			c = (char)((at[0] - '0') * 64 + (at[1] - '0') * 8 +
			    (at[2] - '0'));
			at += 3;
		}
		if (used + 1 >= room_bytes) {
			line->wrong = true;
			break;
		}
		out[used++] = c;
	}
	out[used] = '\0';
	line->wrong = line->wrong || used == 0;
	line->at = *at == ' ' ? at + 1 : at;
}

/* A decimal number and the byte behind it. */
static uint64_t take_number(struct cursor *line, char behind, uint64_t most)
{
	char *end = NULL;
	uint64_t number;

	errno = 0;
	number = strtoull(line->at, &end, 10);
	if (line->at[0] < '0' || line->at[0] > '9' || errno != 0 ||
	    number > most || *end != behind) {
		line->wrong = true;
		return 0;
	}
	line->at = end + 1;
	return number;
}

/* What follows `word` where it begins an option in a list with commas
 * between; NULL when none does. */
static const char *option_of(const char *options, const char *word)
{
	size_t word_bytes = strlen(word);
	const char *found = options;

	while ((found = strstr(found, word)) != NULL) {
		if (found == options || found[-1] == ',')
			return found + word_bytes;
		found += word_bytes;
	}
	return NULL;
}

static void take_options(struct mount_entry *out, const char *options)
{
	const char *owner = option_of(options, "user_id=");
	const char *shared = option_of(options, "allow_other");

	out->owner = owner != NULL ? (uid_t)strtoul(owner, NULL, 10) : 0;
	out->shared = shared != NULL && (*shared == ',' || *shared == '\0');
}

int mounts_parse(struct mount_entry *out, const char *text)
{
	char skipped[4096] = "";
	struct cursor line = {.at = text};

	memset(out, 0, sizeof(*out));
	/* 36 35 98:0 /root /point rw,noatime shared:1 - type source rw,... */
	out->id = take_number(&line, ' ', UINT64_MAX);
	(void)take_number(&line, ' ', UINT64_MAX); /* the parent */
	out->major = (unsigned)take_number(&line, ':', UINT_MAX);
	out->minor = (unsigned)take_number(&line, ' ', UINT_MAX);
	take_field(&line, out->root, sizeof(out->root));
	take_field(&line, out->point, sizeof(out->point));
	take_field(&line, skipped, sizeof(skipped));
	out->read_only = strncmp(skipped, "ro", 2) == 0 &&
	    (skipped[2] == ',' || skipped[2] == '\0');
	do { /* optional fields, up to a lone dash */
		take_field(&line, skipped, sizeof(skipped));
	} while (!line.wrong && strcmp(skipped, "-") != 0);
	take_field(&line, out->type, sizeof(out->type));
	take_field(&line, out->source, sizeof(out->source));
	take_field(&line, skipped, sizeof(skipped));
	take_options(out, skipped);
	return line.wrong ? -EINVAL : 0;
}

static int walk(
    FILE *file, struct mount_entry *entry, mounts_fn each, void *arg)
{
	char *line = NULL;
	size_t room_bytes = 0;
	int code = 0;

	while (code == 0 && getline(&line, &room_bytes, file) >= 0) {
		/* A line with longer fields is of no mount of ours. */
		if (mounts_parse(entry, line) == 0)
			code = each(arg, entry);
	}
	free(line);
	return code;
}

int mounts_each(mounts_fn each, void *arg, struct err *err)
{
	struct mount_entry *entry = malloc(sizeof(*entry));
	FILE *file;
	int code;

	if (entry == NULL)
		return err_set(err, -ENOMEM, "list of mounts: out of memory");
	file = fopen("/proc/self/mountinfo", "re");
	if (file == NULL) {
		free(entry);
		return err_set(err, -errno, "/proc/self/mountinfo: %s",
		    err_message(errno));
	}
	code = walk(file, entry, each, arg);
	free(entry);
	(void)fclose(file);
	return code;
}

struct search {
	struct mount_entry *out;
	const char *path; /* of mounts_at() */
	uint64_t id;      /* 0: by device */
	dev_t device;
	int found;
};

static int match_point(void *arg, const struct mount_entry *entry)
{
	struct search *search = arg;

	if (strcmp(entry->point, search->path) == 0) {
		*search->out = *entry; /* the last one lies on top */
		search->found = 1;
	}
	return 0;
}

int mounts_at(struct mount_entry *out, const char *point, struct err *err)
{
	struct search search = {.out = out, .path = point};
	int code = mounts_each(match_point, &search, err);

	return code < 0 ? code : search.found;
}

bool mounts_is_bearerfs(const struct mount_entry *entry)
{
	return strcmp(entry->type, MOUNTS_TYPE) == 0;
}

static int match_file(void *arg, const struct mount_entry *entry)
{
	struct search *search = arg;

	if (search->id != 0
	        ? entry->id == search->id
	        : makedev(entry->major, entry->minor) == search->device) {
		*search->out = *entry;
		search->found = 1;
	}
	return 0;
}

int mounts_of_file(struct mount_entry *out, const char *path, struct err *err)
{
	struct search search = {.out = out};
	struct statx about;
	int code;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &about) < 0)
		return err_set(
		    err, -errno, "'%s': %s", path, err_message(errno));
	/* The mount's id where the kernel tells it (5.8): a btrfs subvolume's
	 * device stands in no list. */
	if ((about.stx_mask & STATX_MNT_ID) != 0)
		search.id = about.stx_mnt_id;
	search.device = makedev(about.stx_dev_major, about.stx_dev_minor);
	code = mounts_each(match_file, &search, err);
	return code < 0 ? code : search.found;
}

bool mounts_is_network(const char *type)
{
	static const char *const types[] = {"nfs", "nfs4", "cifs", "smb3",
	    "smbfs", "afs", "ceph", "lustre", "gpfs", "beegfs", "panfs", "9p",
	    "pvfs2", "orangefs", "coda", "gfs2", "ocfs2", "fuse.sshfs",
	    "fuse.glusterfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.s3fs",
	    "fuse.rclone", "fuse.juicefs", "fuse.davfs", "fuse.moosefs",
	    "fuse.mfs", "fuse.lizardfs", "fuse.eosxd", "fuse.quobyte"};

	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		if (strcmp(type, types[i]) == 0)
			return true;
	}
	return false;
}
