# SPDX-License-Identifier: Apache-2.0
"""The rows. A scenario is a generator: it sets a contender up, measures, and
yields dicts with row, value (higher is better, except rows in ms and us), and what
was seen on the way. Every byte is checked, or the run ends."""
import contextlib
import hashlib
import os
import statistics
import subprocess
import time

from bed.issuer import AUDIENCE

FIND = ["-type", "f", "-printf", "%s\\n"]
# What must come out the same whoever shows the tree.
TAR = ["--format=gnu", "--sort=name", "--owner=0", "--group=0",
       "--numeric-owner", "--mode=u=rwX,go=rX"]


class Watch:
    """Counts what one measurement costs: the origin's requests and bytes,
    the mount's processor time."""

    def __init__(self, rig, contender):
        self.rig = rig
        self.contender = contender

    def __enter__(self):
        self.mark = self.rig.origin.mark()
        self.cpu = self.contender.cpu_s()
        self.dropped = self.contender.dropped()
        return self

    def __exit__(self, *problem):
        self.cpu = self.contender.cpu_s() - self.cpu
        self.dropped = self.contender.dropped() - self.dropped
        self.contender.note_peak()

    def row(self, name, value, unit, wanted_bytes=0):
        requests, sent = self.rig.origin.count(self.mark)
        row = {"row": name, "value": value, "unit": unit,
               "requests": requests, "sent_bytes": sent,
               "cpu_s": round(self.cpu, 3),
               "peak_bytes": self.contender.peak_bytes,
               "dropped_blocks": self.dropped}
        if wanted_bytes:
            row["bytes"] = wanted_bytes
            row["cpu_s_per_gb"] = round(self.cpu / wanted_bytes * 1e9, 3)
            row["amplification"] = round(sent / wanted_bytes, 3)
        return row


def idle_class():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


@contextlib.contextmanager
def kept_awake():
    """No core sleeps meanwhile: each has work that gives way to all other. A
    virtual core that slept takes 40 to 100 us to come back, twice in each
    request to a mount: that measures the hypervisor."""
    spinners = [subprocess.Popen(["sh", "-c", "while :; do :; done"],
                                 preexec_fn=idle_class)
                for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def megabytes(result):
    return result["bytes"] / result["seconds"] / 1e6


def cold_start(rig, contender, *names):
    """A new cache, a new mount, nothing of it in the page cache; the
    origin's own files in memory."""
    rig.drop_caches()
    rig.warm_origin(*names)
    contender.start(fresh=True)


def warm_start(rig, contender):
    """The same cache, a new mount, an empty page cache."""
    contender.stop()
    rig.drop_caches()
    contender.start(fresh=False)


def curl_once(rig, name):
    """Seconds of one curl process that takes a whole file."""
    begun = time.monotonic()
    done = subprocess.run(
        ["curl", "-sf", "--http1.1", "-o", "/dev/null", "-w",
         "%{size_download}", "--cacert", rig.bed.ca.cert, "-H",
         "@" + rig.header_file, f"{rig.url()}/{name}"],
        check=True, stdout=subprocess.PIPE)
    took = time.monotonic() - begun
    if int(done.stdout) != os.path.getsize(rig.local(name)):
        raise ValueError(f"curl took {done.stdout} bytes of {name}")
    return took


def seq(rig, contender):
    """One large file from its begin to its end."""
    if contender.kind == "net":
        rig.warm_origin("big.dat")
        rig.port()
        with Watch(rig, contender) as watch:
            took = curl_once(rig, "big.dat")
        yield watch.row("cold sequential", rig.big_bytes / took / 1e6,
                        "MB/s", rig.big_bytes)
        with Watch(rig, contender) as watch:
            got = rig.curl_get("seq", url=rig.url() + "/big.dat", seed=1,
                               size=rig.big_bytes, block=16 << 20, readers=8)
        yield watch.row("cold sequential, 8", megabytes(got), "MB/s",
                        got["bytes"])
        return
    if contender.kind in ("disk", "pages") and rig.delay_ms:
        return
    big = {"path": contender.at("big.dat"), "seed": 1}
    if contender.kind == "mount":
        cold_start(rig, contender, "big.dat")
        with Watch(rig, contender) as watch:
            got = rig.reader("seq", size=rig.big_bytes, **big)
        yield watch.row("cold sequential", megabytes(got), "MB/s",
                        got["bytes"])
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
        yield watch.row(
            "warm from disk", megabytes(got), "MB/s", got["bytes"])
    # The second pass over fresh pages moves them to the active list, which is
    # no steady state: it is not timed, for either side.
    rig.reader("seq", size=rig.big_bytes, check=0, **big)
    with Watch(rig, contender) as watch:
        got = rig.reader("seq", size=rig.big_bytes, check=0, **big)
    yield watch.row("warm page cache", megabytes(got), "MB/s", got["bytes"])
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
                        got["bytes"])
        return
    cold_start(rig, contender, "big.dat")
    with Watch(rig, contender) as watch:
        got = rig.reader("seq", size=rig.big_bytes,
                         path=contender.at("big.dat"), seed=1)
    yield watch.row("thin sequential", megabytes(got), "MB/s", got["bytes"])


def settle(contender):
    """Let a mount finish what it writes behind the reader's back: wait
    until it has used no processor time for half a second."""
    deadline = time.monotonic() + 60
    last = -1.0
    while time.monotonic() < deadline and contender.cpu_s() != last:
        last = contender.cpu_s()
        time.sleep(0.5)


def fill(rig, contender, read):
    """Have everything in the mount's cache on disk: read on, each time with
    an empty page cache, until the origin is asked for nothing more."""
    for _ in range(4):
        settle(contender)
        warm_start(rig, contender)
        mark = rig.origin.mark()
        read()
        if rig.origin.count(mark)[1] < 1 << 20:
            return
    raise ValueError(f"{contender.name} does not keep what was read")


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
    yield watch.row(row, got["ops"] / got["seconds"], "/s", got["bytes"])


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
                        got["ops"] / got["seconds"], "/s", got["bytes"])


def first(rig, contender):
    """Open a file and read one byte; the mount new, and running."""
    if contender.kind == "disk":
        return
    if contender.kind == "net":
        times = [curl_once(rig, f"tree/d1/f{100 + i}") for i in range(9)]
        yield {"row": "first byte, new", "unit": "ms",
               "value": statistics.median(times) * 1000}
        got = rig.curl_get("files", url=rig.url() + "/tree/d%llu/f%llu",
                           seed=2000000, size=rig.file_bytes, count=100)
        yield {"row": "first byte, running", "unit": "ms",
               "value": got["seconds"] / got["ops"] * 1000}
        return
    times = []
    for i in range(3):
        cold_start(rig, contender)
        times.append(first_of(rig, contender, 100 * i))
    yield {"row": "first byte, new", "unit": "ms",
           "value": statistics.median(times)}
    times = [first_of(rig, contender, 1000 + i) for i in range(20)]
    yield {"row": "first byte, running", "unit": "ms",
           "value": statistics.median(times)}


def first_of(rig, contender, nth):
    return rig.reader("first", seed=2000000 + nth, path=contender.at(
        f"tree/d{nth // 100}/f{nth}"))["seconds"] * 1000


def find(rig, contender):
    """find, with the size of each file, over 20000 files in 200 folders."""
    folders = rig.files // 100
    if contender.kind == "net":
        rig.port()
        with Watch(rig, contender) as watch:
            got = rig.curl_get("list", url=rig.url() + "/tree/d%llu/",
                               count=folders, readers=8)
        yield watch.row("find cold", rig.files / got["seconds"], "files/s")
        return
    if contender.kind == "mount":
        cold_start(rig, contender, "tree")
        with Watch(rig, contender) as watch:
            took = find_once(rig, contender)
        yield watch.row("find cold", rig.files / took, "files/s")
    elif rig.delay_ms:
        return
    else:
        find_once(rig, contender)
    if not rig.delay_ms:
        with Watch(rig, contender) as watch:
            took = find_once(rig, contender)
        yield watch.row("find again", rig.files / took, "files/s")


def find_once(rig, contender):
    begun = time.monotonic()
    done = subprocess.run(["find", contender.at("tree")] + FIND, check=True,
                          stdout=subprocess.PIPE)
    took = time.monotonic() - begun
    sizes = done.stdout.split()
    if len(sizes) != rig.files or \
            sum(map(int, sizes)) != rig.files * rig.file_bytes:
        raise ValueError(f"{contender.name}: find shows {len(sizes)} files, "
                         f"{sum(map(int, sizes))} bytes")
    return took


def tar(rig, contender):
    """tar of the small files (of a tenth of them far away)."""
    some = rig.files if not rig.delay_ms else rig.files // 10
    # In the order in which tar takes the whole tree.
    names = sorted(f"tree/d{i}" for i in range(rig.files // 100))
    names = names[:some // 100]
    if contender.kind == "net":
        rig.warm_origin("tree")
        rig.port()
        for readers in (1, 8):
            if rig.delay_ms and readers == 1:
                continue
            with Watch(rig, contender) as watch:
                got = rig.curl_get(
                    "files", url=rig.url() + "/tree/d%llu/f%llu",
                    seed=2000000, size=rig.file_bytes, count=some,
                    readers=readers)
            yield watch.row("tar cold" + (", 8" if readers > 1 else ""),
                            some / got["seconds"], "files/s", got["bytes"])
        return
    if contender.kind != "mount":
        return
    cold_start(rig, contender, "tree")
    with Watch(rig, contender) as watch:
        took, digest = tar_once(contender.at(), names)
    if digest != tar_once(rig.local(), names)[1]:
        raise ValueError(f"{contender.name}: tar differs")
    yield watch.row("tar cold", some / took, "files/s",
                    some * rig.file_bytes)


def tar_once(where, names):
    begun = time.monotonic()
    child = subprocess.Popen(["tar", "cf", "-", "-C", where] + TAR + names,
                             stdout=subprocess.PIPE)
    digest = hashlib.sha256()
    while piece := child.stdout.read(1 << 20):
        digest.update(piece)
    if child.wait() != 0:
        raise ValueError(f"tar of {where}: status {child.returncode}")
    return time.monotonic() - begun, digest.hexdigest()


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
                        got["bytes"])
        return
    options["path"] = contender.at("large/d%llu/f%llu")
    if contender.kind == "mount":
        cold_start(rig, contender, "large")
        with Watch(rig, contender) as watch:
            got = rig.reader("files", **options)
        yield watch.row("64 x 16 MiB cold, 8", megabytes(got), "MB/s",
                        got["bytes"])
        fill(rig, contender, lambda: rig.reader("files", **options))
    warm_start(rig, contender)
    with Watch(rig, contender) as watch:
        got = rig.reader("files", **options)
    yield watch.row("64 x 16 MiB warm, 8", megabytes(got), "MB/s",
                    got["bytes"])


def small(rig, contender):
    """open, read, close of small files: cold by eight, warm by one."""
    if contender.kind == "net":
        return
    options = {"seed": 2000000, "size": rig.file_bytes, "block": 4096,
               "path": contender.at("tree/d%llu/f%llu")}
    if contender.kind == "mount":
        cold_start(rig, contender, "tree")
        with Watch(rig, contender) as watch:
            got = rig.reader("files", count=rig.files, readers=8, **options)
        yield watch.row("small files cold, 8", got["ops"] / got["seconds"],
                        "/s", got["bytes"])
    else:
        rig.reader("files", count=rig.files, **options)
    for how, cores in ((", cores asleep", contextlib.nullcontext),
                       ("", kept_awake)):
        with cores(), Watch(rig, contender) as watch:
            got = rig.reader("files", count=rig.files, **options)
        yield watch.row("small files warm, 1" + how,
                        got["ops"] / got["seconds"], "/s", got["bytes"])


def opens(rig, contender):
    """open(2) and close(2) of a cached file: on a mount of one user, and on
    one that all users share, where the kernel keeps no name and the caller is
    found out and judged each time. Both verify the token. With the cores
    kept awake, and as they are."""
    if contender.name != "bearerfs":
        return
    path = contender.at("opened")
    size = rig.file_bytes
    rig.bed.put("opened", size, seed=7)
    trust = {"issuer": rig.bed.issuer.url, "audience": AUDIENCE,
             "base_path": rig.bed.base}
    shared = {"allow_other": True, "token_file": None}
    best = {}
    for kind, more in (("private", trust), ("shared", {**trust, **shared})):
        contender.options.update(more)
        cold_start(rig, contender)
        rig.reader("opens", path=path, count=100)  # it is known, and cached
        for how, cores in ((", cores asleep", contextlib.nullcontext),
                           ("", kept_awake)):
            with cores():
                times = [rig.reader("opens", path=path, count=5000)
                         for _ in range(5)]
            best[kind + how] = min(
                got["seconds"] / got["ops"] for got in times) * 1e6
        for name in more:
            contender.options.pop(name)
    for name, value in best.items():
        yield {"row": f"open cached, {name}", "unit": "us", "value": value}
    for how in ("", ", cores asleep"):
        yield {"row": "open cached, shared costs" + how, "unit": "us",
               "value": best["shared" + how] - best["private" + how]}


ALL = {"seq": seq, "thin": thin, "rand4k": rand4k, "rand64k": rand64k,
       "randwarm": randwarm, "first": first, "find": find, "tar": tar,
       "large": large, "small": small, "opens": opens}
# Those that are also run far away.
FAR = {"seq", "thin", "rand64k", "find", "tar"}
# Bytes a second of one connection, in the scenarios that are about that.
RATES = {"thin": 12500000}
