/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/stats.tbl.h - every counter: COUNTER(name, kind, help)
 *
 * The names are interface: `bearerfs status --json` and the metrics show
 * them, tests/check_man.py fails when one is missing from the man page.
 */
COUNTER(fs_requests, counter, "FUSE requests received")
COUNTER(fs_reads, counter, "READ requests received")
COUNTER(fs_read_bytes, counter, "bytes given to readers")
COUNTER(fs_interrupted, counter, "requests answered EINTR")
COUNTER(fs_waiting, gauge, "requests that wait for an answer")
COUNTER(fs_nodes, gauge, "inodes the kernel knows")
COUNTER(cache_memory_hits, counter, "blocks found in memory")
COUNTER(cache_disk_hits, counter, "blocks read from the cache directory")
COUNTER(cache_misses, counter, "blocks that had to be fetched")
COUNTER(cache_fetched_bytes, counter, "bytes fetched into blocks")
COUNTER(cache_used_bytes, counter, "bytes of fetched blocks that were read")
COUNTER(cache_ahead_bytes, counter,
    "bytes asked for that no reader had asked for yet")
COUNTER(cache_ahead_refused, counter,
    "times that less was fetched ahead for want of budget")
COUNTER(cache_kept_blocks, counter, "blocks written to the cache directory")
COUNTER(cache_shared_bytes, counter, "bytes saved by sharing equal blocks")
COUNTER(cache_dropped_writes, counter,
    "blocks not kept: writer behind or disk full")
COUNTER(cache_corrupt_blocks, counter,
    "blocks that did not verify and were dropped")
COUNTER(cache_checksums_equal, counter,
    "files whose bytes are what the server's checksum says")
COUNTER(cache_checksums_differed, counter,
    "files whose bytes were not, and were dropped")
COUNTER(cache_evicted_packs, counter, "packs evicted from the cache directory")
COUNTER(cache_evicted_bytes, counter, "bytes evicted from the cache directory")
COUNTER(cache_carried_bytes, counter,
    "bytes in use that eviction kept out of packs that went")
COUNTER(
    cache_disk_bytes, gauge, "bytes the cache directory occupies, as last seen")
COUNTER(cache_pool_blocks, gauge, "block buffers in use")
COUNTER(drafts_sent_files, counter, "written files that servers have taken")
COUNTER(drafts_sent_bytes, counter, "bytes of these files")
COUNTER(fetch_requests, counter, "HTTP requests sent")
COUNTER(fetch_received_bytes, counter, "body bytes received")
COUNTER(fetch_retries, counter, "requests sent again after a failure")
COUNTER(fetch_failovers, counter, "reads that went on at another server")
COUNTER(fetch_hedges, counter,
    "ranges asked of a second server because the first was late")
COUNTER(fetch_hedges_won, counter,
    "of these, how many the second server answered first")
COUNTER(fetch_hedge_bytes, counter, "bytes asked for a second time by them")
COUNTER(fetch_refusals, counter, "answers 401 and 403")
COUNTER(fetch_bad_answers, counter,
    "answers that broke the rules of HTTP or of the request")
COUNTER(fetch_connections, counter, "connections opened")
COUNTER(tokens_reads, counter, "times the source of a token was read")
COUNTER(tokens_renewals, counter, "times a newer token was found")
COUNTER(tokens_asked, counter, "questions to the token agent for a token")
