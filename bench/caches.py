# SPDX-License-Identifier: Apache-2.0
"""The rows of caches in front of an origin: those that stall, those that are
slow alone, those that are near while the origin is far. See scenarios.py.

A cache is the origin itself seen through a delay proxy of its own."""
import contextlib
import os
import random
import statistics
import time

from watch import WARM_BYTES, Watch, cold_start, megabytes, warm_start

BLOCK = 65536
NEAR_MS, FAR_MS = 40, 120
# 2 % of one cache's answers.
STALLS = {"stall_every": 50, "stall_ms": 2000}
STALL_READS = 800
RATE = int(os.environ.get("BENCH_CACHE_RATE", 200_000_000))


@contextlib.contextmanager
def mounted(contender, source, *caches):
    """The contender mounts that, until the end of the block."""
    before = dict(contender.options)
    contender.source = source
    contender.options["server"] = ";".join(caches) or None
    try:
        yield
    finally:
        contender.stop()
        contender.source = None
        contender.options = before


def counted(contender, *names):
    counters = contender.mount.counters()
    return {name: counters["fetch_" + name] for name in names}


def times_of(rig, contender, count):
    """Milliseconds of each of so many reads of 64 KiB anywhere, each checked;
    sorted. The first ones, in which connections are made, do not count."""
    times = []
    places = list(range(rig.big_bytes // BLOCK))
    random.Random(rig.fresh_rng()).shuffle(places)
    with open(rig.local("big.dat"), "rb", buffering=0) as want, \
            open(contender.at("big.dat"), "rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for place in places[:count + 50]:
            begun = time.monotonic()
            got = os.pread(file.fileno(), BLOCK, place * BLOCK)
            times.append((time.monotonic() - begun) * 1000)
            if got != os.pread(want.fileno(), BLOCK, place * BLOCK):
                raise ValueError(f"tail: wrong bytes in block {place}")
    return sorted(times[50:])


def tail(rig, contender):
    """p99 of a read while one of two caches stalls now and then, against the
    median while none does."""
    if contender.kind != "mount" or contender.foreign:
        return
    far = rig.server("far", FAR_MS)
    caches = [rig.server("a", NEAR_MS), rig.server("b", NEAR_MS)]
    with mounted(contender, far, *caches):
        cold_start(rig, contender, "big.dat")
        with Watch(rig, contender) as watch:
            times = times_of(rig, contender, STALL_READS // 4)
        median = statistics.median(times)
        yield watch.row("read, caches well, p50", median, "ms")
    caches[0] = rig.server("stalls", NEAR_MS, **STALLS)
    with mounted(contender, far, *caches):
        cold_start(rig, contender, "big.dat")
        with Watch(rig, contender) as watch:
            times = times_of(rig, contender, STALL_READS)
        found = counted(contender, "hedges", "hedges_won", "hedge_bytes",
                        "received_bytes", "failovers")
        p99 = times[len(times) * 99 // 100]
        yield dict(watch.row("read, one stalls, p50",
                             statistics.median(times), "ms"), **found)
        yield dict(watch.row("read, one stalls, p99", p99, "ms"), **found)
        yield dict(watch.row("p99 with stalls / p50 without", p99 / median,
                             "x"), **found)
        yield watch.row(
            "asked for twice",
            100 * found["hedge_bytes"] / found["received_bytes"], "%")


def two(rig, contender):
    """One large file from caches of which each alone is the limit."""
    if contender.kind != "mount" or contender.foreign:
        return
    caches = [rig.server(name, 2, total=RATE) for name in ("one", "two")]
    for row, used in (("one slow cache", caches[:1]),
                      ("two slow caches", caches)):
        with mounted(contender, rig.server("far", FAR_MS), *used):
            cold_start(rig, contender, "big.dat")
            with Watch(rig, contender) as watch:
                got = rig.reader("seq", path=contender.at("big.dat"), seed=1,
                                 size=rig.big_bytes)
            yield watch.row(row, megabytes(got), "MB/s", got["bytes"],
                            got["bytes"])


def through(rig, contender):
    """One large file through a cache that is near while the origin is far,
    against one for which the cache is the origin."""
    if contender.kind != "mount" or contender.foreign:
        return
    near = rig.server("near", NEAR_MS)
    for row, source, caches in (
            ("near cache alone", near, ()),
            ("near cache, far origin", rig.server("far", FAR_MS), (near,))):
        with mounted(contender, source, *caches):
            cold_start(rig, contender, "big.dat")
            for kind in ("cold", "warm"):
                if kind == "warm":
                    # What the writer had no time for stays behind.
                    rig.reader("seq", path=contender.at("big.dat"), seed=1,
                               size=rig.big_bytes)
                    warm_start(rig, contender)
                with Watch(rig, contender) as watch:
                    got = rig.reader("seq", path=contender.at("big.dat"),
                                     seed=1, size=rig.big_bytes)
                yield watch.row(
                    f"{row}, {kind}", megabytes(got), "MB/s", got["bytes"],
                    got["bytes"] if kind == "cold" else 0,
                    WARM_BYTES if kind == "warm" else None)
