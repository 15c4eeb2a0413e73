/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_evict.c - the bound: it holds, least
 * recently used packs go first, maps go with their files, a full disk and a
 * stopped evictor are lived with, descriptors are few.
 */
#include "base/stats.h"
#include "tests/unit/cache/store/store_bed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024, FILE_BYTES = 8 * 65536, FILE_BLOCKS = 8 };

/* The disk as it is, or as a test wants it. */
static struct statvfs64 fake_disk;
static bool disk_is_fake;

int __real_fstatvfs64(int fd, struct statvfs64 *out);
int __wrap_fstatvfs64(int fd, struct statvfs64 *out);

int __wrap_fstatvfs64(int fd, struct statvfs64 *out)
{
	if (!disk_is_fake)
		return __real_fstatvfs64(fd, out);
	*out = fake_disk;
	return 0;
}

/* A quota, which statvfs(2) knows nothing of. */
static uint64_t quota_bytes; /* 0: none */
static const char *quota_dir;

ssize_t __real_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset);
ssize_t __wrap_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset);

ssize_t __wrap_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset)
{
	if (quota_bytes != 0 && bed_disk_bytes(quota_dir) > quota_bytes) {
		errno = EDQUOT;
		return -1;
	}
	return __real_pwritev64(fd, vectors, count, offset);
}

static unsigned directories_seen;

static int set_up(void **state)
{
	static struct bed bed;

	disk_is_fake = false;
	bed_init_in_memory(&bed, (uint64_t)16 * MIB);
	*state = &bed;
	return 0;
}

static int tear_down(void **state)
{
	bed_fini(*state);
	disk_is_fake = false;
	return 0;
}

static struct store_object *file_of(struct bed *bed, unsigned i)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "/f%u", i);
	return bed_object(bed->store, name, FILE_BYTES);
}

/* Keep file `i`, whose bytes nobody else has. */
static unsigned keep_file(struct bed *bed, unsigned i)
{
	struct store_object *object = file_of(bed, i);
	unsigned kept =
	    bed_keep(bed->store, object, FILE_BYTES, i, 0, FILE_BLOCKS);

	store_object_close(object);
	return kept;
}

/* How many blocks of file `i` are there. */
static unsigned load_file(struct bed *bed, unsigned i)
{
	struct store_object *object = file_of(bed, i);
	unsigned there = 0;

	for (unsigned b = 0; b < FILE_BLOCKS; b++)
		there += (unsigned)bed_load(bed, object, FILE_BYTES, i, b);
	store_object_close(object);
	return there;
}

static void set_time(const char *path, long seconds_ago)
{
	struct timespec now;
	struct timespec times[2];

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	times[0] = times[1] = (struct timespec){
	    .tv_sec = now.tv_sec - seconds_ago, .tv_nsec = now.tv_nsec};
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Below v1-.../packs/ or maps/, call with each path. */
struct below {
	const char *part;
	void (*each)(void *arg, const char *path);
	void *arg;
};

static void filter(void *arg, const char *path)
{
	const struct below *below = arg;

	if (strstr(path, below->part) != NULL)
		below->each(below->arg, path);
}

static void each_of(const struct bed *bed, const char *part,
    void (*each)(void *arg, const char *path), void *arg)
{
	struct below below = {.part = part, .each = each, .arg = arg};

	bed_each_file(bed->cache, filter, &below);
}

static void count_one(void *arg, const char *path)
{
	(void)path;
	(*(unsigned *)arg)++;
}

static unsigned count_of(const struct bed *bed, const char *part)
{
	unsigned count = 0;

	each_of(bed, part, count_one, &count);
	return count;
}

static void unlink_one(void *arg, const char *path)
{
	(void)arg;
	assert_int_equal(unlink(path), 0);
}

static void make_old(void *arg, const char *path)
{
	set_time(path, *(long *)arg);
}

static void the_bound_holds_while_ten_times_as_much_is_kept(void **state)
{
	struct bed *bed = *state;

	for (unsigned i = 0; i < 320; i++) {
		assert_int_equal(keep_file(bed, i), FILE_BLOCKS);
		assert_true(bed_disk_bytes(bed->cache) <= bed->size_bytes);
		if (i % 16 == 0)
			bed_tend(bed);
	}
	/* And is made use of. */
	assert_true(bed_disk_bytes(bed->cache) > bed->size_bytes / 2);
	assert_int_equal(load_file(bed, 319), FILE_BLOCKS);
}

static void add_bytes(void *arg, const char *path)
{
	struct stat stat_;

	assert_int_equal(stat(path, &stat_), 0);
	*(uint64_t *)arg += (uint64_t)stat_.st_blocks * 512;
}

/* What is shown to people is what happened on the disk. */
static void what_was_kept_and_what_went_is_counted_once(void **state)
{
	enum { FILES = 20 };
	struct bed *bed = *state;
	uint64_t kept = stats_get(STATS_cache_kept_blocks);
	uint64_t shared_bytes = stats_get(STATS_cache_shared_bytes);
	uint64_t gone = stats_get(STATS_cache_evicted_packs);
	uint64_t gone_bytes = stats_get(STATS_cache_evicted_bytes);
	struct store_object *same = file_of(bed, FILES);
	uint64_t before_bytes = 0;
	uint64_t after_bytes = 0;
	unsigned packs;

	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(keep_file(bed, i), FILE_BLOCKS);
	assert_int_equal(stats_get(STATS_cache_kept_blocks) - kept,
	    (uint64_t)FILES * FILE_BLOCKS);
	assert_int_equal(stats_get(STATS_cache_shared_bytes), shared_bytes);
	/* The bytes of another one. */
	assert_int_equal(
	    bed_keep(bed->store, same, FILE_BYTES, 0, 0, FILE_BLOCKS),
	    FILE_BLOCKS);
	store_object_close(same);
	assert_int_equal(
	    stats_get(STATS_cache_shared_bytes) - shared_bytes, FILE_BYTES);

	packs = count_of(bed, "/packs/");
	each_of(bed, "/packs/", add_bytes, &before_bytes);
	bed_evict(bed->store, (uint64_t)3 * MIB);
	each_of(bed, "/packs/", add_bytes, &after_bytes);
	assert_true(after_bytes < before_bytes);
	assert_int_equal(stats_get(STATS_cache_evicted_packs) - gone,
	    packs - count_of(bed, "/packs/"));
	assert_int_equal(stats_get(STATS_cache_evicted_bytes) - gone_bytes,
	    before_bytes - after_bytes);
}

static void make_directory(void *arg, const char *path)
{
	(void)arg;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void make_fifo(void *arg, const char *path)
{
	(void)arg;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void make_link(void *arg, const char *path)
{
	(void)arg;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
}

/* Packs are made again, whatever has taken the counter's name. */
static void what_stands_in_the_way_of_the_counter_goes(void **state)
{
	void (*const ways[])(void *arg, const char *path) = {
	    make_directory, make_fifo, make_link};
	struct bed *bed = *state;
	unsigned file = 0;

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(keep_file(bed, file++), FILE_BLOCKS);
		each_of(bed, "/next", ways[i], NULL);
		/* More than the pack that is being written takes. */
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(keep_file(bed, file++), FILE_BLOCKS);
	}
	for (unsigned k = 0; k < file; k++)
		assert_int_equal(load_file(bed, k), FILE_BLOCKS);
}

static void the_bound_holds_for_any_tiny_size(void **state)
{
	(void)state;
	for (uint64_t size = 0; size <= (uint64_t)6 * MIB; size += 700000) {
		struct bed bed;
		unsigned kept = 0;

		bed_init_in_memory(&bed, size);
		for (unsigned i = 0; i < 30; i++) {
			kept += keep_file(&bed, i);
			atomic_fetch_add(&bed.clock.monotonic_ms, 300);
			store_tend(bed.store);
			assert_true(bed_disk_bytes(bed.cache) <=
			    (size < 64 * 1024 ? 64 * 1024 : size));
		}
		/* One pack and the tables. */
		assert_int_equal(kept > 0, size >= (uint64_t)MIB + 65536);
		bed_fini(&bed);
	}
}

static void two_writers_hold_one_bound(void **state)
{
	struct bed *bed = *state;
	struct store *other = bed_second(bed);
	uint64_t size = FILE_BYTES;

	for (unsigned i = 0; i < 100; i++) {
		struct store_object *object =
		    bed_object(other, i % 2 ? "/x" : "/y", size);

		assert_int_equal(keep_file(bed, i), FILE_BLOCKS);
		assert_int_equal(
		    bed_keep(other, object, size, 5000 + i, 0, FILE_BLOCKS),
		    FILE_BLOCKS);
		store_object_close(object);
		assert_true(bed_disk_bytes(bed->cache) <= bed->size_bytes);
	}
	store_close(other);
}

static void what_was_used_last_stays(void **state)
{
	struct bed *bed = *state;
	long age = 1000;

	/* The first file's pack is the oldest by its making. */
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(keep_file(bed, i), FILE_BLOCKS);
	bed_reopen(bed);
	each_of(bed, "/packs/", make_old, &age);
	each_of(bed, "/maps/", make_old, &age);
	/* A use counts, once it was tended. */
	assert_int_equal(load_file(bed, 0), FILE_BLOCKS);
	bed_tend(bed);
	for (unsigned i = 100; i < 124; i++)
		assert_int_equal(keep_file(bed, i), FILE_BLOCKS);
	assert_int_equal(load_file(bed, 0), FILE_BLOCKS);
	assert_true(load_file(bed, 4) < FILE_BLOCKS);
}

static void newest(void *arg, const char *path)
{
	struct stat stat_;

	assert_int_equal(stat(path, &stat_), 0);
	if (stat_.st_mtim.tv_sec > *(long *)arg)
		*(long *)arg = stat_.st_mtim.tv_sec;
}

static long newest_of(const struct bed *bed, const char *part)
{
	long time = 0;

	each_of(bed, part, newest, &time);
	return time;
}

static void use_is_noted_on_disk_at_most_each_ten_seconds(void **state)
{
	struct bed *bed = *state;
	struct store_object *object;
	long age = 1000;
	long before;

	assert_int_equal(keep_file(bed, 0), FILE_BLOCKS);
	bed_reopen(bed);
	object = file_of(bed, 0);
	bed_tend(bed);
	each_of(bed, "/maps/", make_old, &age);
	before = newest_of(bed, "/maps/");
	assert_int_equal(bed_load(bed, object, FILE_BYTES, 0, 0), 1);
	bed_tend(bed);
	assert_true(newest_of(bed, "/maps/") < before + 900);
	atomic_fetch_add(&bed->clock.monotonic_ms, 10 * 1000);
	assert_int_equal(bed_load(bed, object, FILE_BYTES, 0, 0), 1);
	bed_tend(bed);
	assert_true(newest_of(bed, "/maps/") > before + 900);
	store_object_close(object);
}

static void maps_go_with_their_files(void **state)
{
	struct bed *bed = *state;
	long age = 1000;

	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(keep_file(bed, i), FILE_BLOCKS);
	/* Closing notes the last use of what is open. */
	bed_reopen(bed);
	each_of(bed, "/packs/", make_old, &age);
	each_of(bed, "/maps/", make_old, &age);
	assert_int_equal(count_of(bed, "/maps/"), 10);
	for (unsigned i = 100; i < 140; i++)
		assert_int_equal(keep_file(bed, i), FILE_BLOCKS);
	/* Their maps go after the packs, a few directories at a time. */
	for (unsigned i = 0; i < 40; i++)
		bed_tend(bed);
	assert_true(count_of(bed, "/maps/") < 33);
	assert_true(count_of(bed, "/maps/") > 20);
	for (unsigned i = 130; i < 140; i++)
		assert_int_equal(load_file(bed, i), FILE_BLOCKS);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(load_file(bed, i), 0);
}

/* Its first block may be on its way. */
static void a_young_map_without_blocks_stays(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(keep_file(bed, 0), FILE_BLOCKS);
	bed_reopen(bed);
	each_of(bed, "/packs/", unlink_one, NULL);
	/* Another pack tells that the first is gone. All directories are
	 * looked through twice. */
	assert_int_equal(keep_file(bed, 1), FILE_BLOCKS);
	atomic_store(&bed->clock.wall_s, (uint64_t)time(NULL));
	for (unsigned i = 0; i < 32; i++) {
		atomic_fetch_add(&bed->clock.monotonic_ms, 2000);
		store_tend(bed->store);
	}
	assert_int_equal(count_of(bed, "/maps/"), 2);
	atomic_fetch_add(&bed->clock.wall_s, 10);
	for (unsigned i = 0; i < 32; i++)
		bed_tend(bed);
	assert_int_equal(count_of(bed, "/maps/"), 1);
	assert_int_equal(load_file(bed, 1), FILE_BLOCKS);
}

static void maps_alone_cannot_fill_the_cache(void **state)
{
	struct bed *bed = *state;

	/* Equal files: their bytes are kept once, their maps a thousand
	 * times and more. */
	for (unsigned i = 0; i < 6000; i++) {
		struct store_object *object = file_of(bed, i);

		(void)bed_keep(bed->store, object, FILE_BYTES, 1, 0, 2);
		store_object_close(object);
		if (i % 100 == 0) {
			assert_true(
			    bed_disk_bytes(bed->cache) <= bed->size_bytes);
			atomic_fetch_add(&bed->clock.monotonic_ms, 1000);
		}
	}
	assert_true(bed_disk_bytes(bed->cache) <= bed->size_bytes);
	assert_true(count_of(bed, "/maps/") > 10);
}

static int lock_below(const struct bed *bed, const char *name)
{
	DIR *dir = opendir(bed->cache);
	struct dirent *entry;
	char path[600] = "";

	assert_non_null(dir);
	while (
	    (entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe)
		if (strncmp(entry->d_name, "v1-", 3) == 0)
			(void)snprintf(path, sizeof(path), "%s/%.64s/%s",
			    bed->cache, entry->d_name, name);
	}
	(void)closedir(dir);

	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	return fd;
}

static void a_stopped_evictor_stops_no_one_and_the_bound_holds(void **state)
{
	struct bed *bed = *state;
	int lock = lock_below(bed, "packs");
	unsigned kept = 0;

	for (unsigned i = 0; i < 60; i++) {
		kept += keep_file(bed, i);
		bed_tend(bed);
		assert_true(bed_disk_bytes(bed->cache) <= bed->size_bytes);
	}
	/* Full, and goes no further. */
	assert_true(kept > 20 * FILE_BLOCKS && kept < 40 * FILE_BLOCKS);
	assert_int_equal(keep_file(bed, 99), 0);
	/* What is there is served. */
	assert_int_equal(load_file(bed, 0), FILE_BLOCKS);
	(void)close(lock);
	bed_tend(bed);
	assert_int_equal(keep_file(bed, 99), FILE_BLOCKS);
}

static void a_held_reservation_lock_costs_no_more_than_not_keeping(void **state)
{
	struct bed *bed = *state;
	int lock = lock_below(bed, ".");

	assert_int_equal(keep_file(bed, 1), 0);
	assert_int_equal(load_file(bed, 1), 0);
	(void)close(lock);
	bed_tend(bed);
	assert_int_equal(keep_file(bed, 1), FILE_BLOCKS);
	assert_int_equal(load_file(bed, 1), FILE_BLOCKS);
}

static void a_filling_disk_shrinks_the_cache(void **state)
{
	struct bed *bed = *state;

	for (unsigned i = 0; i < 24; i++)
		assert_int_equal(keep_file(bed, i), FILE_BLOCKS);
	fake_disk = (struct statvfs64){.f_bsize = 4096,
	    .f_frsize = 4096,
	    .f_blocks = 100 * MIB / 4096,
	    .f_bavail = 1 * MIB / 4096};
	disk_is_fake = true;
	/* 1 MiB is free and 5 are to be: at least 4 of ours have to go. */
	bed_tend(bed);
	assert_true(bed_disk_bytes(bed->cache) < (uint64_t)9 * MIB);
	assert_true(store_size_bytes(bed->store) < (uint64_t)9 * MIB);
	/* None at all is left. */
	fake_disk.f_bavail = 0;
	fake_disk.f_blocks = (fsblkcnt64_t)1000 * MIB / 4096;
	bed_tend(bed);
	bed_reopen(bed);
	bed_tend(bed);
	assert_true(bed_disk_bytes(bed->cache) < (uint64_t)MIB);
	assert_int_equal(keep_file(bed, 50), 0);
	assert_int_equal(load_file(bed, 50), 0);
	/* The disk was emptied. */
	disk_is_fake = false;
	bed_tend(bed);
	assert_int_equal(keep_file(bed, 50), FILE_BLOCKS);
	assert_int_equal(load_file(bed, 50), FILE_BLOCKS);
}

/* The usual size of a cache, on a disk that has a three hundredth of it. */
static void a_small_disk_has_small_packs(void **state)
{
	struct bed bed;

	(void)state;
	fake_disk = (struct statvfs64){.f_bsize = 4096,
	    .f_frsize = 4096,
	    .f_blocks = 32 * MIB / 4096,
	    .f_bavail = 20 * MIB / 4096};
	disk_is_fake = true;
	bed_init_in_memory(&bed, (uint64_t)10 << 30);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(keep_file(&bed, i), FILE_BLOCKS);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(load_file(&bed, i), FILE_BLOCKS);
	assert_true(count_of(&bed, "/packs/") >= 5);
	bed_fini(&bed);
	disk_is_fake = false;
}

static void a_quota_below_the_bound_is_one(void **state)
{
	struct bed *bed = *state;
	unsigned kept = 0;

	quota_dir = bed->cache;
	quota_bytes = (uint64_t)6 * MIB;
	for (unsigned i = 0; i < 60; i++) {
		kept += keep_file(bed, i);
		bed_tend(bed);
	}
	/* A pack goes for each one that has no room. */
	assert_true(kept > 55 * FILE_BLOCKS);
	assert_int_equal(load_file(bed, 59), FILE_BLOCKS);
	assert_true(bed_disk_bytes(bed->cache) <= quota_bytes + MIB);
	quota_bytes = 0;
}

static void eviction_begins_high_and_ends_low_some_at_a_time(void **state)
{
	struct bed bed;
	uint64_t size_bytes = (uint64_t)100 * MIB;
	uint64_t before;
	unsigned runs = 0;

	(void)state;
	bed_init_in_memory(&bed, size_bytes);
	before = stats_get(STATS_cache_evicted_packs);
	for (unsigned i = 0; bed_disk_bytes(bed.cache) < size_bytes * 93 / 100;
	     i++)
		assert_int_equal(keep_file(&bed, i), FILE_BLOCKS);
	bed_tend(&bed);
	assert_int_equal(stats_get(STATS_cache_evicted_packs), before);
	for (unsigned i = 1000;
	     bed_disk_bytes(bed.cache) < size_bytes * 955 / 1000; i++)
		assert_int_equal(keep_file(&bed, i), FILE_BLOCKS);
	assert_int_equal(stats_get(STATS_cache_evicted_packs), before);
	for (;; runs++) {
		before = stats_get(STATS_cache_evicted_packs);
		bed_tend(&bed);
		if (stats_get(STATS_cache_evicted_packs) == before)
			break;
		assert_true(stats_get(STATS_cache_evicted_packs) - before <= 2);
	}
	assert_true(runs > 2);
	assert_true(bed_disk_bytes(bed.cache) <= size_bytes * 91 / 100);
	assert_true(bed_disk_bytes(bed.cache) >= size_bytes * 88 / 100);
	bed_fini(&bed);
}

static int count_directory(
    const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)ftw;
	directories_seen += type == FTW_D && strstr(path, "/maps/") != NULL;
	return 0;
}

static unsigned count_map_directories(const struct bed *bed)
{
	directories_seen = 0;
	assert_int_equal(nftw(bed->cache, count_directory, 16, FTW_PHYS), 0);
	return directories_seen;
}

static void few_inodes_cost_maps_and_not_the_rest(void **state)
{
	struct bed *bed = *state;

	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(keep_file(bed, i), FILE_BLOCKS);
	fake_disk = (struct statvfs64){.f_bsize = 4096,
	    .f_frsize = 4096,
	    .f_blocks = 100 * MIB / 4096,
	    .f_bavail = 90 * MIB / 4096,
	    .f_files = 1000,
	    .f_ffree = 40,
	    .f_favail = 40};
	disk_is_fake = true;
	for (unsigned i = 0; i < 3; i++)
		bed_tend(bed);
	assert_true(count_of(bed, "/maps/") <= 5);
	assert_int_equal(count_of(bed, "/packs/"), 10);
	/* Where maps have none left to give, packs have. */
	for (unsigned i = 0; i < 20; i++)
		bed_tend(bed);
	assert_int_equal(count_of(bed, "/maps/"), 0);
	assert_true(count_of(bed, "/packs/") < 5);
	assert_true(count_map_directories(bed) == 0);
	disk_is_fake = false;
	bed_tend(bed);
	assert_int_equal(keep_file(bed, 50), FILE_BLOCKS);
}

/* Descriptors of this process whose file's name has `part` in it. */
static unsigned open_descriptors(const char *part)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while (
	    (entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe)
		char target[600];
		ssize_t n = readlinkat(
		    dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		count += strstr(target, part) != NULL;
	}
	(void)closedir(dir);
	return count;
}

static void descriptors_are_few_and_let_go_of_what_was_unlinked(void **state)
{
	enum { FILES = 176 };
	struct bed bed;
	struct store_object *objects[FILES];

	(void)state;
	bed_init_in_memory(&bed, (uint64_t)100 * MIB);
	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(keep_file(&bed, i), FILE_BLOCKS);
	assert_true(count_of(&bed, "/packs/") > 80);
	for (unsigned i = 0; i < FILES; i++) {
		objects[i] = file_of(&bed, i);
		for (unsigned b = 0; b < FILE_BLOCKS; b++)
			assert_int_equal(
			    bed_load(&bed, objects[i], FILE_BYTES, i, b), 1);
	}
	/* And the one that is written, by two descriptors. */
	assert_true(open_descriptors("/packs/") <= 64 + 2);
	assert_true(open_descriptors("/packs/") > 32);
	assert_true(open_descriptors("/maps/") <= 64);
	assert_true(open_descriptors("/maps/") > 32);
	each_of(&bed, "/packs/", unlink_one, NULL);
	each_of(&bed, "/maps/", unlink_one, NULL);
	bed_tend(&bed);
	assert_int_equal(open_descriptors("(deleted)"), 0);
	for (unsigned i = 0; i < FILES; i++)
		store_object_close(objects[i]);
	assert_int_equal(load_file(&bed, 5), 0);
	assert_int_equal(keep_file(&bed, 5), FILE_BLOCKS);
	assert_int_equal(load_file(&bed, 5), FILE_BLOCKS);
	bed_fini(&bed);
}

/* flock(2) follows a descriptor into a child that was not meant to have it:
 * a lock would outlive its holder. */
static void descriptors_are_closed_on_exec(void **state)
{
	struct bed *bed = *state;
	DIR *dir;
	struct dirent *entry;
	unsigned looked = 0;

	assert_int_equal(keep_file(bed, 1), FILE_BLOCKS);

	struct store_object *object = file_of(bed, 1);

	assert_int_equal(bed_load(bed, object, FILE_BYTES, 1, 0), 1);
	dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while (
	    (entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe)
		char target[600];
		ssize_t n = readlinkat(
		    dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		int flags;

		if (n < 0)
			continue;
		target[n] = '\0';
		if (strncmp(target, bed->dir, strlen(bed->dir)) != 0)
			continue;
		flags = fcntl((int)strtol(entry->d_name, NULL, 10), F_GETFD);
		assert_true((flags & FD_CLOEXEC) != 0);
		looked++;
	}
	(void)closedir(dir);
	/* Directories, tables, a map, and a pack to read and to write. */
	assert_true(looked >= 8);
	store_object_close(object);
}

static void numbers_of_packs_are_never_given_out_twice(void **state)
{
	struct bed *bed = *state;
	char last[16][600] = {{0}};

	/* All packs go, and the counter with them, more than once. */
	for (unsigned round = 0; round < 16; round++) {
		assert_int_equal(keep_file(bed, round), FILE_BLOCKS);

		DIR *dir;
		struct dirent *entry;
		char path[600];
		int lock = lock_below(bed, "packs");

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", lock);
		dir = opendir(path);
		assert_non_null(dir);
		while ((entry = readdir( // NOLINT(concurrency-mt-unsafe)
		            dir)) != NULL) {
			if (entry->d_name[0] == '.')
				continue;
			(void)snprintf(last[round], sizeof(last[round]), "%s",
			    entry->d_name);
			for (unsigned i = 0; i < round; i++)
				assert_string_not_equal(last[i], last[round]);
			assert_int_equal(unlinkat(lock, entry->d_name, 0), 0);
		}
		(void)closedir(dir);
		(void)close(lock);
		if (round % 2 == 0)
			each_of(bed, "/next", unlink_one, NULL);
		bed_reopen(bed);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(the_bound_holds_while_ten_times_as_much_is_kept),
	    TEST(what_was_kept_and_what_went_is_counted_once),
	    TEST(what_stands_in_the_way_of_the_counter_goes),
	    cmocka_unit_test(the_bound_holds_for_any_tiny_size),
	    TEST(two_writers_hold_one_bound),
	    TEST(what_was_used_last_stays),
	    TEST(use_is_noted_on_disk_at_most_each_ten_seconds),
	    TEST(maps_go_with_their_files),
	    TEST(a_young_map_without_blocks_stays),
	    TEST(maps_alone_cannot_fill_the_cache),
	    TEST(a_stopped_evictor_stops_no_one_and_the_bound_holds),
	    TEST(a_held_reservation_lock_costs_no_more_than_not_keeping),
	    TEST(a_filling_disk_shrinks_the_cache),
	    cmocka_unit_test(a_small_disk_has_small_packs),
	    TEST(a_quota_below_the_bound_is_one),
	    cmocka_unit_test(eviction_begins_high_and_ends_low_some_at_a_time),
	    TEST(few_inodes_cost_maps_and_not_the_rest),
	    cmocka_unit_test(
	        descriptors_are_few_and_let_go_of_what_was_unlinked),
	    TEST(descriptors_are_closed_on_exec),
	    TEST(numbers_of_packs_are_never_given_out_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
