# SPDX-License-Identifier: Apache-2.0
"""The rows. A scenario is a generator: it sets a contender up, measures, and
yields dicts with row, value (higher is better, except rows in ms and us), and
what was seen on the way. Every byte is checked, or the run ends. Here are
those of large files; trees.py has those of small ones, caches.py those of
several servers, writes.py those of writing."""
import math

from caches import tail, through, two
from trees import find, first, opens, small, tar
from watch import (WARM_BYTES, Watch, cold_start, curl_once, fill, megabytes,
                   warm_start)
from writes import put, puts, together


def seq(rig, contender):
    """One large file from its begin to its end."""
    if contender.kind == "net":
        rig.warm_origin("big.dat")
        rig.port()
        with Watch(rig, contender) as watch:
            took = curl_once(rig, "big.dat")
        yield watch.row("cold sequential", rig.big_bytes / took / 1e6,
                        "MB/s", rig.big_bytes, rig.big_bytes)
        with Watch(rig, contender) as watch:
            got = rig.curl_get("seq", url=rig.url() + "/big.dat", seed=1,
                               size=rig.big_bytes, block=16 << 20, readers=8)
        yield watch.row("cold sequential, 8", megabytes(got), "MB/s",
                        got["bytes"], got["bytes"])
        return
    if contender.kind in ("disk", "pages") and rig.delay_ms:
        return
    big = {"path": contender.at("big.dat"), "seed": 1}
    if contender.kind == "mount":
        cold_start(rig, contender, "big.dat")
        with Watch(rig, contender) as watch:
            got = rig.reader("seq", size=rig.big_bytes, **big)
        yield watch.row("cold sequential", megabytes(got), "MB/s",
                        got["bytes"], got["bytes"])
        if rig.delay_ms:
            return
        fill(rig, contender,
             lambda: rig.reader("seq", size=rig.big_bytes, **big))
    if contender.kind == "pages":
        contender.start()
        rig.reader("seq", size=rig.big_bytes, check=0, **big)
    else:
        warm_start(rig, contender)
        with Watch(rig, contender) as watch:
            got = rig.reader("seq", size=rig.big_bytes, **big)
        yield watch.row("warm from disk", megabytes(got), "MB/s",
                        got["bytes"], warm_bytes=WARM_BYTES)
    # The second pass over fresh pages moves them to the active list, which is
    # no steady state: it is not timed, for either side.
    rig.reader("seq", size=rig.big_bytes, check=0, **big)
    with Watch(rig, contender) as watch:
        got = rig.reader("seq", size=rig.big_bytes, check=0, **big)
    yield watch.row("warm page cache", megabytes(got), "MB/s", got["bytes"],
                    warm_bytes=WARM_BYTES)
    rig.reader("seq", size=rig.big_bytes, **big)


def thin(rig, contender):
    """The same where one connection carries little: several are needed."""
    if contender.kind not in ("net", "mount") or not rig.delay_ms:
        return
    if contender.kind == "net":
        rig.warm_origin("big.dat")
        rig.port()
        with Watch(rig, contender) as watch:
            got = rig.curl_get("seq", url=rig.url() + "/big.dat", seed=1,
                               size=rig.big_bytes, block=16 << 20, readers=8)
        yield watch.row("thin sequential, 8", megabytes(got), "MB/s",
                        got["bytes"], got["bytes"])
        return
    cold_start(rig, contender, "big.dat")
    with Watch(rig, contender) as watch:
        got = rig.reader("seq", size=rig.big_bytes,
                         path=contender.at("big.dat"), seed=1)
    yield watch.row("thin sequential", megabytes(got), "MB/s", got["bytes"],
                    got["bytes"])


def random_cold(rig, contender, row, block, readers, count, seconds):
    options = {"seed": 1, "size": rig.big_bytes, "block": block,
               "count": count, "readers": readers, "rng": rig.fresh_rng(),
               "seconds": seconds}
    if contender.kind == "net":
        rig.warm_origin("big.dat")
        rig.port()
        with Watch(rig, contender) as watch:
            got = rig.curl_get(
                "random", url=rig.url() + "/big.dat", **options)
    elif contender.kind == "mount":
        cold_start(rig, contender, "big.dat")
        with Watch(rig, contender) as watch:
            got = rig.reader(
                "random", path=contender.at("big.dat"), **options)
    else:
        return
    # Chance takes some blocks twice.
    blocks = rig.big_bytes // block
    distinct = blocks * -math.expm1(-got["ops"] / blocks)
    yield watch.row(row, got["ops"] / got["seconds"], "/s", got["bytes"],
                    int(0.9 * distinct) * block)


def rand4k(rig, contender):
    """4 KiB anywhere, one reader."""
    yield from random_cold(rig, contender, "random 4 KiB cold, 1", 4096, 1,
                           8000, 10)


def rand64k(rig, contender):
    """64 KiB anywhere, eight readers."""
    yield from random_cold(rig, contender, "random 64 KiB cold, 8", 65536, 8,
                           16000 if not rig.delay_ms else 1000, 10)


def randwarm(rig, contender):
    """4 KiB anywhere in a file that is in the cache on disk."""
    if contender.kind == "net":
        return
    big = {"path": contender.at("big.dat"), "seed": 1,
           "size": rig.big_bytes}
    if contender.kind == "mount":
        cold_start(rig, contender, "big.dat")
        rig.reader("seq", **big)
        fill(rig, contender, lambda: rig.reader("seq", **big))
    for readers, count in ((1, 20000), (8, 60000)):
        warm_start(rig, contender)
        with Watch(rig, contender) as watch:
            got = rig.reader("random", block=4096, count=count,
                             readers=readers, rng=rig.fresh_rng(),
                             seconds=15, **big)
        yield watch.row(f"random 4 KiB warm, {readers}",
                        got["ops"] / got["seconds"], "/s", got["bytes"],
                        warm_bytes=WARM_BYTES)


def large(rig, contender):
    """64 files of 16 MiB, eight readers."""
    options = {"seed": 1000, "size": rig.large_bytes, "readers": 8,
               "count": rig.large_count}
    if contender.kind == "net":
        rig.warm_origin("large")
        with Watch(rig, contender) as watch:
            got = rig.curl_get(
                "files", url=rig.url() + "/large/d%llu/f%llu", **options)
        yield watch.row("64 x 16 MiB cold, 8", megabytes(got), "MB/s",
                        got["bytes"], got["bytes"])
        return
    options["path"] = contender.at("large/d%llu/f%llu")
    if contender.kind == "mount":
        cold_start(rig, contender, "large")
        with Watch(rig, contender) as watch:
            got = rig.reader("files", **options)
        yield watch.row("64 x 16 MiB cold, 8", megabytes(got), "MB/s",
                        got["bytes"], got["bytes"])
        fill(rig, contender, lambda: rig.reader("files", **options))
    warm_start(rig, contender)
    with Watch(rig, contender) as watch:
        got = rig.reader("files", **options)
    yield watch.row("64 x 16 MiB warm, 8", megabytes(got), "MB/s",
                    got["bytes"], warm_bytes=WARM_BYTES)


ALL = {"seq": seq, "thin": thin, "rand4k": rand4k, "rand64k": rand64k,
       "randwarm": randwarm, "first": first, "find": find, "tar": tar,
       "large": large, "small": small, "opens": opens, "tail": tail,
       "two": two, "through": through, "put": put, "puts": puts,
       "together": together}
# Those that are also run far away.
FAR = {"seq", "thin", "rand64k", "find", "tar", "puts"}
# Bytes a second of one connection, in the scenarios that are about that.
RATES = {"thin": 12500000}
