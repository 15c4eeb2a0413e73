/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_upkeep.c - looking after a directory: what it
 * holds is told, what is damaged is found and dropped, it is made smaller,
 * and what came from somewhere is taken out, bytes and all, while a store
 * works on it.
 */
#include "base/stats.h"
#include "cache/store/impl.h"
#include "cache/store/upkeep.h"
#include "cache/store/uses.h"
#include "tests/unit/cache/store/store_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MIB = 1024 * 1024,
	CACHE_MIB = 40,
	LARGE_BLOCKS = 8,
	LARGE_BYTES = (LARGE_BLOCKS - 1) * STORE_BLOCK_BYTES + 1000,
	SMALL_BYTES = 5000,
	HERE_FILES = 6,
	FINDINGS_MAX = 64,
};

static const char here[] = "https://here.example:443";
static const char there[] = "https://there.example:8443";

static struct bed bed;

static int set_up(void **state)
{
	(void)state;
	bed_init_in_memory(&bed, (uint64_t)CACHE_MIB * MIB);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bed_fini(&bed);
	return 0;
}

static struct store_object *open_file(
    const char *origin, const char *path, uint64_t size_bytes)
{
	struct store_identity identity = {.origin = origin,
	    .path = path,
	    .size_bytes = size_bytes,
	    .mtime_s = 1,
	    .etag = "\"e\""};
	struct store_object *object = NULL;

	assert_int_equal(store_object_open(bed.store, &identity, &object), 0);
	return object;
}

static unsigned blocks_of(uint64_t size_bytes)
{
	return (
	    unsigned)((size_bytes + STORE_BLOCK_BYTES - 1) / STORE_BLOCK_BYTES);
}

static void keep(
    const char *origin, const char *path, uint64_t size_bytes, uint64_t seed)
{
	struct store_object *object = open_file(origin, path, size_bytes);
	unsigned count = blocks_of(size_bytes);

	assert_int_equal(
	    bed_keep(bed.store, object, size_bytes, seed, 0, count), count);
	store_object_close(object);
}

static unsigned load(
    const char *origin, const char *path, uint64_t size_bytes, uint64_t seed)
{
	struct store_object *object = open_file(origin, path, size_bytes);
	unsigned found = 0;

	for (unsigned i = 0; i < blocks_of(size_bytes); i++)
		found += (unsigned)bed_load(&bed, object, size_bytes, seed, i);
	store_object_close(object);
	return found;
}

/* Six large files and small ones here, of which the last large one has the
 * bytes of the first; one of each there, the large one with the bytes of the
 * second. */
static void fill(void)
{
	char path[64];

	for (unsigned i = 0; i < HERE_FILES; i++) {
		(void)snprintf(path, sizeof(path), "/exp/%s/large%u",
		    i < 3 ? "a" : "ab", i);
		keep(here, path, LARGE_BYTES, i == HERE_FILES - 1 ? 0 : i);
		(void)snprintf(path, sizeof(path), "/exp/%s/small%u",
		    i < 3 ? "a" : "ab", i);
		keep(here, path, SMALL_BYTES, 100 + i);
	}
	keep(there, "/large", LARGE_BYTES, 1);
	keep(there, "/small", SMALL_BYTES, 200);
}

static unsigned load_here(unsigned i)
{
	char large[64];
	char small[64];

	(void)snprintf(
	    large, sizeof(large), "/exp/%s/large%u", i < 3 ? "a" : "ab", i);
	(void)snprintf(
	    small, sizeof(small), "/exp/%s/small%u", i < 3 ? "a" : "ab", i);
	return load(here, large, LARGE_BYTES, i == HERE_FILES - 1 ? 0 : i) +
	    load(here, small, SMALL_BYTES, 100 + i);
}

static unsigned load_there(void)
{
	return load(there, "/large", LARGE_BYTES, 1) +
	    load(there, "/small", SMALL_BYTES, 200);
}

static struct upkeep *look_after(void)
{
	const struct upkeep_config config = {
	    .clock = &bed.clock, .dir = bed.cache};
	struct err err = ERR_INIT;
	struct upkeep *upkeep = NULL;

	if (upkeep_open(&upkeep, &config, &err) < 0)
		fail_msg("%s", err.text);
	return upkeep;
}

static const struct upkeep_progress quiet;

static struct upkeep_info info_of(struct upkeep *upkeep)
{
	struct upkeep_info info;
	struct err err = ERR_INIT;

	assert_int_equal(upkeep_info(upkeep, &info, &quiet, &err), 0);
	return info;
}

static void what_it_holds_is_told(void **state)
{
	struct upkeep *upkeep;
	struct upkeep_info info;
	uint64_t all = 7 * LARGE_BYTES + 7 * SMALL_BYTES;

	(void)state;
	fill();
	upkeep = look_after();
	info = info_of(upkeep);
	assert_int_equal(info.objects, 14);
	assert_int_equal(info.blocks, 7 * LARGE_BLOCKS + 7);
	assert_int_equal(info.bytes, all);
	assert_int_equal(info.unique_bytes, all - 2 * LARGE_BYTES);
	assert_int_equal(info.map_count, 7);
	assert_true(info.pack_count >= 3);
	assert_int_equal(info.disk_bytes,
	    info.pack_bytes + info.map_bytes + info.table_bytes);
	assert_true(info.pack_bytes >= info.unique_bytes);
	assert_true(info.free_bytes > 0);
	assert_int_equal(info.source_count, 2);
	assert_string_equal(info.sources[0].origin, here);
	assert_int_equal(info.sources[0].objects, 12);
	assert_int_equal(
	    info.sources[0].bytes, 6 * (LARGE_BYTES + SMALL_BYTES));
	assert_string_equal(info.sources[1].origin, there);
	assert_int_equal(info.sources[1].blocks, LARGE_BLOCKS + 1);
	upkeep_info_fini(&info);
	upkeep_close(upkeep);
}

static void an_empty_one_holds_nothing(void **state)
{
	struct upkeep *upkeep = look_after();
	struct upkeep_info info = info_of(upkeep);

	(void)state;
	assert_int_equal(info.objects, 0);
	assert_int_equal(info.bytes, 0);
	assert_int_equal(info.source_count, 0);
	upkeep_info_fini(&info);
	upkeep_close(upkeep);
}

static void what_is_no_cache_is_left_alone(void **state)
{
	struct upkeep_config config = {.clock = &bed.clock};
	struct upkeep *upkeep;
	struct err err = ERR_INIT;
	char path[600];
	struct stat stat_;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/none", bed.dir);
	config.dir = path;
	assert_int_equal(upkeep_open(&upkeep, &config, &err), -ENOENT);
	assert_null(upkeep);
	assert_int_equal(stat(path, &stat_), -1);
	config.dir = bed.dir;
	assert_int_equal(upkeep_open(&upkeep, &config, &err), -ENOENT);
	/* Another version's. */
	(void)snprintf(path, sizeof(path), "%s/format", bed.cache);

	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, "\x63", 1, 8), 1);
	(void)close(fd);
	config.dir = bed.cache;
	assert_int_equal(upkeep_open(&upkeep, &config, &err), -EPROTO);
	assert_non_null(strstr(err.text, "another version"));
	/* Open to others. */
	assert_int_equal(chmod(bed.cache, 0777), 0);
	assert_int_equal(upkeep_open(&upkeep, &config, &err), -EACCES);
	assert_int_equal(chmod(bed.cache, 0700), 0);
}

/* What a check found. */
struct findings {
	unsigned count;
	struct {
		enum upkeep_damage damage;
		char text[128];
		uint64_t block;
	} found[FINDINGS_MAX];
	uint64_t done;
	uint64_t all;
};

static void note_finding(void *arg, const struct upkeep_finding *finding)
{
	struct findings *findings = arg;

	if (findings->count == FINDINGS_MAX)
		return;
	findings->found[findings->count].damage = finding->damage;
	findings->found[findings->count].block = finding->block;
	(void)snprintf(findings->found[findings->count].text,
	    sizeof(findings->found->text), "%.60s%.30s%.30s", finding->origin,
	    finding->path, finding->file);
	findings->count++;
}

static void note_progress(void *arg, uint64_t done_bytes, uint64_t all_bytes)
{
	struct findings *findings = arg;

	assert_true(done_bytes >= findings->done && done_bytes <= all_bytes);
	findings->done = done_bytes;
	findings->all = all_bytes;
}

static struct upkeep_check check(struct findings *findings)
{
	struct upkeep_progress progress = {
	    .tell = note_progress, .arg = findings};
	struct upkeep *upkeep = look_after();
	struct upkeep_check result;
	struct err err = ERR_INIT;

	*findings = (struct findings){.count = 0};
	assert_int_equal(
	    upkeep_check(upkeep, &result, note_finding, &progress, &err), 0);
	assert_int_equal(
	    result.damaged < FINDINGS_MAX ? result.damaged : FINDINGS_MAX,
	    findings->count);
	upkeep_close(upkeep);
	return result;
}

static void what_is_right_is_found_right(void **state)
{
	struct findings findings;
	struct upkeep_check result;

	(void)state;
	fill();
	result = check(&findings);
	assert_int_equal(result.damaged, 0);
	assert_int_equal(result.objects, 14);
	assert_int_equal(result.blocks, 7 * LARGE_BLOCKS + 7);
	assert_int_equal(result.bytes, 7 * (LARGE_BYTES + SMALL_BYTES));
	assert_int_equal(findings.done, result.bytes);
	assert_int_equal(findings.all, result.bytes);
}

/* A byte of a file is another one. */
struct flip {
	const char *part; /* of its path */
	off_t at;
	bool done;
};

static void flip_byte(void *arg, const char *path)
{
	struct flip *flip = arg;
	uint8_t byte;
	struct stat stat_;

	if (flip->done || strstr(path, flip->part) == NULL)
		return;

	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &stat_), 0);
	if (stat_.st_size > flip->at) {
		assert_int_equal(pread(fd, &byte, 1, flip->at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, flip->at), 1);
		flip->done = true;
	}
	(void)close(fd);
}

static void flip_in(const char *part, off_t at)
{
	struct flip flip = {.part = part, .at = at};

	bed_each_file(bed.cache, flip_byte, &flip);
	assert_true(flip.done);
}

static void damage_is_found_once_and_dropped(void **state)
{
	struct findings findings;
	struct upkeep_check result;
	uint64_t corrupt;

	(void)state;
	/* The first pack begins with the first file's first block. */
	keep(here, "/first", LARGE_BYTES, 1);
	keep(here, "/second", SMALL_BYTES, 2);
	corrupt = stats_get(STATS_cache_corrupt_blocks);
	flip_in("/packs/", 3 * STORE_BLOCK_BYTES + 70);
	flip_in(
	    "/packs/", (LARGE_BLOCKS - 1) * STORE_BLOCK_BYTES + 4096 + 1000);
	result = check(&findings);
	assert_int_equal(result.damaged, 2);
	assert_int_equal(stats_get(STATS_cache_corrupt_blocks) - corrupt, 2);
	assert_int_equal(findings.found[0].damage, UPKEEP_BLOCK);
	assert_string_equal(
	    findings.found[0].text, "https://here.example:443/first");
	assert_int_equal(findings.found[0].block, 3);
	assert_int_equal(findings.found[1].damage, UPKEEP_RECORD);
	assert_string_equal(
	    findings.found[1].text, "https://here.example:443/second");
	assert_int_equal(result.blocks, LARGE_BLOCKS - 1);
	result = check(&findings);
	assert_int_equal(result.damaged, 0);
	assert_int_equal(
	    load(here, "/first", LARGE_BYTES, 1), LARGE_BLOCKS - 1);
	assert_int_equal(load(here, "/second", SMALL_BYTES, 2), 0);
	keep(here, "/first", LARGE_BYTES, 1);
	keep(here, "/second", SMALL_BYTES, 2);
	assert_int_equal(load(here, "/first", LARGE_BYTES, 1), LARGE_BLOCKS);
	assert_int_equal(load(here, "/second", SMALL_BYTES, 2), 1);
}

/* The bytes are right, but a reader would not find them: the check of the
 * sums, behind the head and them, is not. */
static void a_record_whose_check_is_wrong_is_found(void **state)
{
	enum { HEAD = 40 + 24 + 6 + 3 + 7 }; /* rounded up to 8 */
	struct findings findings;

	(void)state;
	keep(here, "/alone", SMALL_BYTES, 2);
	flip_in("/packs/", HEAD + 128 + 5);
	assert_int_equal(check(&findings).damaged, 1);
	assert_int_equal(findings.found[0].damage, UPKEEP_RECORD);
	assert_int_equal(check(&findings).damaged, 0);
	assert_int_equal(load(here, "/alone", SMALL_BYTES, 2), 0);
}

static void torn_entries_are_found(void **state)
{
	struct findings findings;
	struct upkeep_check result;

	(void)state;
	keep(here, "/first", LARGE_BYTES, 1);
	/* Past the head, in the sums of the second entry: 40 bytes and the
	 * texts, rounded up to 32. */
	flip_in("/maps/", 96 + 160 + 40);
	result = check(&findings);
	assert_int_equal(result.damaged, 1);
	assert_int_equal(findings.found[0].damage, UPKEEP_BLOCK);
	assert_int_equal(findings.found[0].block, 1);
	assert_int_equal(
	    load(here, "/first", LARGE_BYTES, 1), LARGE_BLOCKS - 1);
}

static void maps_that_are_none_are_removed(void **state)
{
	struct findings findings;
	struct upkeep_check result;
	char command[800];
	FILE *shell;

	(void)state;
	keep(here, "/first", LARGE_BYTES, 1);
	/* A head that is none, a copy under another name, a directory. */
	(void)snprintf(command, sizeof(command),
	    "cd %s/v1-*/maps && m=$(echo */*) && d=${m%%/*} && "
	    "cp $m $d/0123456789abcdef0123456789abcdef && "
	    "echo noise > $d/noise && mkdir -p 00/dir && echo ok",
	    bed.cache);
	shell = popen(command, "re"); // NOLINT(cert-env33-c)
	assert_non_null(shell);
	assert_non_null(fgets(command, sizeof(command), shell));
	assert_int_equal(pclose(shell), 0);
	result = check(&findings);
	/* Empty directories are nothing. */
	assert_int_equal(result.damaged, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(findings.found[i].damage, UPKEEP_MAP);
	result = check(&findings);
	assert_int_equal(result.damaged, 0);
	assert_int_equal(load(here, "/first", LARGE_BYTES, 1), LARGE_BLOCKS);
}

static void noise_in_tables_is_cleared(void **state)
{
	struct findings findings;
	struct upkeep_check result;

	(void)state;
	keep(here, "/first", SMALL_BYTES, 1);
	flip_in("/blocks-", 100);
	flip_in("/objects-", 4096 + 200);
	flip_in("/objects-", 4096 + 300);
	result = check(&findings);
	assert_int_equal(result.damaged, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(findings.found[i].damage, UPKEEP_ENTRY);
	assert_string_equal(findings.found[0].text, "blocks");
	assert_string_equal(findings.found[2].text, "objects");
	assert_int_equal(check(&findings).damaged, 0);
}

/* Else a check would make everything look wanted. */
static void looking_is_no_use(void **state)
{
	struct findings findings;
	struct generation *generation;
	struct uses uses;

	(void)state;
	keep(here, "/large", LARGE_BYTES, 1);
	keep(here, "/small", SMALL_BYTES, 2);
	assert_int_equal(check(&findings).blocks, LARGE_BLOCKS + 1);
	generation = generation_get(bed.store);
	bed_tend(&bed);
	for (size_t i = 0; i < generation->packs.writer_live_count; i++) {
		uses_read(generation, generation->packs.writer_live[i], &uses);
		assert_int_equal(uses_count(uses.used), 0);
	}
	generation_put(bed.store, generation);
}

static void it_is_pruned_to_a_size(void **state)
{
	struct findings findings = {.count = 0};
	struct upkeep_progress progress = {
	    .tell = note_progress, .arg = &findings};
	struct upkeep *upkeep;
	struct err err = ERR_INIT;
	char path[32];
	uint64_t left;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		(void)snprintf(path, sizeof(path), "/f%u", i);
		keep(here, path, LARGE_BYTES, i);
	}
	/* These are used. */
	assert_int_equal(load(here, "/f5", LARGE_BYTES, 5), LARGE_BLOCKS);
	bed_reopen(&bed);
	upkeep = look_after();
	assert_int_equal(
	    upkeep_prune(upkeep, (uint64_t)10 * MIB, &left, &progress, &err),
	    0);
	assert_true(left <= (uint64_t)10 * MIB && left > (uint64_t)8 * MIB);
	assert_true(bed_disk_bytes(bed.cache) <= (uint64_t)10 * MIB);
	assert_true(findings.all > 0);
	assert_int_equal(load(here, "/f5", LARGE_BYTES, 5), LARGE_BLOCKS);
	assert_int_equal(load(here, "/f59", LARGE_BYTES, 59), LARGE_BLOCKS);
	assert_int_equal(load(here, "/f30", LARGE_BYTES, 30), 0);
	/* Smaller already. */
	assert_int_equal(
	    upkeep_prune(upkeep, (uint64_t)20 * MIB, &left, &quiet, &err), 0);
	assert_true(left > (uint64_t)8 * MIB);
	/* To nothing: but for what is being written. */
	keep(here, "/writing", LARGE_BYTES, 99);
	assert_int_equal(upkeep_prune(upkeep, 0, &left, &quiet, &err), 0);
	assert_true(left > 0 && left < (uint64_t)3 * MIB);
	assert_int_equal(load(here, "/writing", LARGE_BYTES, 99), LARGE_BLOCKS);
	upkeep_close(upkeep);
}

static void who_evicts_already_is_waited_for_and_told(void **state)
{
	struct upkeep *upkeep;
	struct generation *generation = generation_get(bed.store);
	struct err err = ERR_INIT;
	uint64_t left;

	(void)state;
	fill();
	upkeep = look_after();
	assert_int_equal(flock(generation->packs_fd, LOCK_EX), 0);
	assert_int_equal(upkeep_prune(upkeep, 0, &left, &quiet, &err), -EBUSY);
	assert_non_null(strstr(err.text, "try again"));
	assert_int_equal(flock(generation->packs_fd, LOCK_UN), 0);
	generation_put(bed.store, generation);
	upkeep_close(upkeep);
}

/* Are those bytes anywhere in the directory? */
struct hunt {
	const uint8_t *bytes;
	size_t size_bytes;
	bool found;
};

static void hunt_in(void *arg, const char *path)
{
	struct hunt *hunt = arg;
	struct stat stat_;
	uint8_t *all;
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &stat_), 0);
	all = malloc((size_t)stat_.st_size + 1);
	assert_non_null(all);
	assert_int_equal(
	    fread(all, 1, (size_t)stat_.st_size, file), (size_t)stat_.st_size);
	if (memmem(all, (size_t)stat_.st_size, hunt->bytes, hunt->size_bytes) !=
	    NULL)
		hunt->found = true;
	free(all);
	(void)fclose(file);
}

static bool is_anywhere(const void *bytes, size_t size_bytes)
{
	struct hunt hunt = {.bytes = bytes, .size_bytes = size_bytes};

	bed_each_file(bed.cache, hunt_in, &hunt);
	return hunt.found;
}

static bool is_block_anywhere(uint64_t seed, uint64_t index)
{
	uint8_t bytes[512];

	bed_fill(bytes, sizeof(bytes), seed, index);
	return is_anywhere(bytes, sizeof(bytes));
}

static struct upkeep_dropped drop(const char *origin, const char *path)
{
	struct upkeep *upkeep = look_after();
	struct upkeep_dropped dropped;
	struct err err = ERR_INIT;

	assert_int_equal(
	    upkeep_drop(upkeep, origin, path, &dropped, &quiet, &err), 0);
	upkeep_close(upkeep);
	return dropped;
}

static void what_came_from_somewhere_goes_with_its_bytes(void **state)
{
	struct upkeep_dropped dropped;
	struct findings findings;

	(void)state;
	fill();
	assert_true(is_block_anywhere(2, 3));
	dropped = drop(here, "/exp/a");
	assert_int_equal(dropped.objects, 6);
	assert_true(dropped.bytes >= LARGE_BYTES);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(load_here(i), 0);
	/* By whole parts of the path, of that origin. */
	for (unsigned i = 3; i < HERE_FILES; i++)
		assert_int_equal(load_here(i), LARGE_BLOCKS + 1);
	assert_int_equal(load_there(), LARGE_BLOCKS + 1);
	for (unsigned b = 0; b < LARGE_BLOCKS; b++) {
		/* Two others have the bytes of the first two. */
		assert_true(is_block_anywhere(0, b));
		assert_true(is_block_anywhere(1, b));
		assert_false(is_block_anywhere(2, b));
		assert_true(is_block_anywhere(3, b));
	}
	for (unsigned i = 0; i < HERE_FILES; i++)
		assert_int_equal(is_block_anywhere(100 + i, 0), i >= 3);
	assert_false(is_anywhere("/exp/a/", 7));
	assert_int_equal(check(&findings).damaged, 0);
	/* The rest of that origin; what only it had goes now. */
	dropped = drop(here, "/");
	assert_int_equal(dropped.objects, 6);
	assert_false(is_block_anywhere(0, 0));
	assert_true(is_block_anywhere(1, 0));
	assert_int_equal(load_there(), LARGE_BLOCKS + 1);
	assert_int_equal(drop(here, "/").objects, 0);
}

static void small_files_side_by_side_are_told_apart(void **state)
{
	struct findings findings;
	char path[32];

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		(void)snprintf(path, sizeof(path), "/%s/%u",
		    i % 2 == 0 ? "goes" : "stays", i);
		keep(here, path, 300, 500 + i);
	}
	assert_int_equal(drop(here, "/goes").objects, 6);
	for (unsigned i = 0; i < 12; i++) {
		uint8_t bytes[300];

		bed_fill(bytes, sizeof(bytes), 500 + i, 0);
		assert_int_equal(is_anywhere(bytes, sizeof(bytes)), i % 2 == 1);
		(void)snprintf(path, sizeof(path), "/stays/%u", i);
		if (i % 2 == 1)
			assert_int_equal(load(here, path, 300, 500 + i), 1);
	}
	assert_false(is_anywhere("/goes/", 6));
	assert_int_equal(check(&findings).damaged, 0);
}

static int count_entry(void *arg, const struct table_entry *entry)
{
	(void)entry;
	(*(unsigned *)arg)++;
	return 0;
}

/* Entries of blocks that something could be shared with. */
static unsigned count_entries(void)
{
	struct generation *generation = generation_get(bed.store);
	const struct table *table = &generation->blocks;
	unsigned count = 0;

	for (uint32_t i = 0; i < table->buckets; i++)
		assert_int_equal(
		    table_each_of(table, i, count_entry, &count), 0);
	generation_put(bed.store, generation);
	return count;
}

static void nothing_is_shared_with_what_goes(void **state)
{
	(void)state;
	fill();
	assert_int_equal(count_entries(), 5 * LARGE_BLOCKS);
	/* The second file's blocks stay for the one there, but are fetched
	 * again for others. */
	(void)drop(here, "/");
	assert_int_equal(count_entries(), 0);
	assert_int_equal(load_there(), LARGE_BLOCKS + 1);
}

static void packs_of_which_nothing_is_left_go(void **state)
{
	struct upkeep *upkeep;
	struct upkeep_info info;
	char path[32];

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		(void)snprintf(path, sizeof(path), "/f%u", i);
		keep(here, path, LARGE_BYTES, i);
	}
	bed_reopen(&bed);
	assert_int_equal(drop(here, "/").objects, 20);
	upkeep = look_after();
	info = info_of(upkeep);
	assert_int_equal(info.pack_count, 0);
	assert_int_equal(info.map_count, 0);
	upkeep_info_fini(&info);
	upkeep_close(upkeep);
}

static void a_store_goes_on_while_something_is_dropped(void **state)
{
	struct store_object *large;
	struct store_object *small;
	uint64_t corrupt;

	(void)state;
	fill();
	large = open_file(here, "/exp/a/large0", LARGE_BYTES);
	small = open_file(here, "/exp/a/small0", SMALL_BYTES);
	assert_int_equal(bed_load(&bed, large, LARGE_BYTES, 0, 2), 1);
	assert_int_equal(bed_load(&bed, small, SMALL_BYTES, 100, 0), 1);
	corrupt = stats_get(STATS_cache_corrupt_blocks);
	(void)drop(here, "/");
	bed_tend(&bed);
	assert_int_equal(bed_load(&bed, large, LARGE_BYTES, 0, 2), 0);
	assert_int_equal(bed_load(&bed, small, SMALL_BYTES, 100, 0), 0);
	/* Fetched again, kept again, in a place of its own. */
	assert_int_equal(
	    bed_keep(bed.store, large, LARGE_BYTES, 0, 0, LARGE_BLOCKS),
	    LARGE_BLOCKS);
	assert_int_equal(bed_keep(bed.store, small, SMALL_BYTES, 100, 0, 1), 1);
	for (unsigned b = 0; b < LARGE_BLOCKS; b++)
		assert_int_equal(bed_load(&bed, large, LARGE_BYTES, 0, b), 1);
	assert_int_equal(bed_load(&bed, small, SMALL_BYTES, 100, 0), 1);
	assert_int_equal(stats_get(STATS_cache_corrupt_blocks), corrupt);
	store_object_close(large);
	store_object_close(small);
}

static void all_can_go_at_once(void **state)
{
	struct upkeep *upkeep;
	struct upkeep_dropped dropped;
	struct err err = ERR_INIT;

	(void)state;
	fill();
	upkeep = look_after();
	assert_int_equal(upkeep_drop_all(upkeep, &dropped, &err), 0);
	upkeep_close(upkeep);
	assert_int_equal(dropped.objects, 14);
	for (uint64_t seed = 0; seed < HERE_FILES; seed++)
		assert_false(is_block_anywhere(seed, 1));
	/* The store that runs notices, and goes on. */
	bed_tend(&bed);
	assert_int_equal(load_there(), 0);
	keep(there, "/large", LARGE_BYTES, 1);
	assert_int_equal(load(there, "/large", LARGE_BYTES, 1), LARGE_BLOCKS);
}

static void counts_of_all_mounts_are_added_up(void **state)
{
	struct upkeep *upkeep;
	struct upkeep_info info;
	struct store *other;

	(void)state;
	other = bed_second(&bed);
	stats_add(STATS_cache_misses, 7);
	stats_add(STATS_cache_memory_hits, 3);
	store_close(other);
	/* The first one has seen the same process count; it adds its own. */
	atomic_fetch_add(&bed.clock.monotonic_ms, 20000);
	store_tend(bed.store);
	upkeep = look_after();
	info = info_of(upkeep);
	assert_int_equal(info.counts.values[UPKEEP_MISSES], 14);
	assert_int_equal(info.counts.values[UPKEEP_MEMORY_HITS], 6);
	assert_int_equal(info.counts.since_s, atomic_load(&bed.clock.wall_s));
	upkeep_info_fini(&info);
	upkeep_close(upkeep);
	/* Nothing came since: nothing is added. */
	bed_reopen(&bed);
	upkeep = look_after();
	info = info_of(upkeep);
	assert_int_equal(info.counts.values[UPKEEP_MISSES], 14);
	upkeep_info_fini(&info);
	upkeep_close(upkeep);
	/* Spoilt, they begin anew. */
	flip_in("/counts", 20);
	stats_add(STATS_cache_misses, 1);
	bed_reopen(&bed);
	upkeep = look_after();
	info = info_of(upkeep);
	assert_int_equal(info.counts.values[UPKEEP_MISSES], 1);
	upkeep_info_fini(&info);
	upkeep_close(upkeep);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(what_it_holds_is_told),
	    TEST(an_empty_one_holds_nothing),
	    TEST(what_is_no_cache_is_left_alone),
	    TEST(what_is_right_is_found_right),
	    TEST(damage_is_found_once_and_dropped),
	    TEST(a_record_whose_check_is_wrong_is_found),
	    TEST(torn_entries_are_found),
	    TEST(maps_that_are_none_are_removed),
	    TEST(noise_in_tables_is_cleared),
	    TEST(looking_is_no_use),
	    TEST(it_is_pruned_to_a_size),
	    TEST(who_evicts_already_is_waited_for_and_told),
	    TEST(what_came_from_somewhere_goes_with_its_bytes),
	    TEST(small_files_side_by_side_are_told_apart),
	    TEST(nothing_is_shared_with_what_goes),
	    TEST(packs_of_which_nothing_is_left_go),
	    TEST(a_store_goes_on_while_something_is_dropped),
	    TEST(all_can_go_at_once),
	    TEST(counts_of_all_mounts_are_added_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
