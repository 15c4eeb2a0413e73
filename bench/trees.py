# SPDX-License-Identifier: Apache-2.0
"""The rows of many small files: opening, listing, walking. See
scenarios.py."""
import hashlib
import statistics
import subprocess
import time

from bed.issuer import AUDIENCE
from watch import Watch, cold_start, curl_once

FIND = ["-type", "f", "-printf", "%s\\n"]
# Of a listing, whatever its form: at least the name, twice.
NAME_BYTES = 10
# What must come out the same whoever shows the tree. httpdirfs takes times
# from index pages, which tell no seconds.
TAR = ["--format=gnu", "--sort=name", "--owner=0", "--group=0",
       "--numeric-owner", "--mode=u=rwX,go=rX", "--mtime=@0"]


def first(rig, contender):
    """Open a file and read one byte; the mount new, and running."""
    if contender.kind == "disk":
        return
    if contender.kind == "net":
        rig.warm_origin("tree/d0", "tree/d1")
        with Watch(rig, contender) as watch:
            times = [curl_once(rig, f"tree/d1/f{100 + i}") for i in range(9)]
        yield watch.row("first byte, new", statistics.median(times) * 1000,
                        "ms", 0, 9 * rig.file_bytes)
        with Watch(rig, contender) as watch:
            got = rig.curl_get("files", url=rig.url() + "/tree/d%llu/f%llu",
                               seed=2000000, size=rig.file_bytes, count=100)
        yield watch.row("first byte, running",
                        got["seconds"] / got["ops"] * 1000, "ms", 0,
                        got["bytes"])
        return
    times = []
    for i in range(3):
        cold_start(rig, contender, "tree/d0", "tree/d1", "tree/d2")
        with Watch(rig, contender) as watch:
            times.append(first_of(rig, contender, 100 * i))
    yield watch.row("first byte, new", statistics.median(times), "ms", 0,
                    rig.file_bytes)
    # Not in the order of names: what is fetched ahead is another row.
    rig.warm_origin("tree/d10")
    with Watch(rig, contender) as watch:
        times = [first_of(rig, contender, 1000 + 37 * i % 100)
                 for i in range(20)]
    yield watch.row("first byte, running", statistics.median(times), "ms",
                    0, 20 * rig.file_bytes)


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
        yield watch.row("find cold", rig.files / got["seconds"], "files/s",
                        0, rig.files * NAME_BYTES)
        return
    if contender.kind == "mount":
        cold_start(rig, contender, "tree")
        with Watch(rig, contender) as watch:
            took = find_once(rig, contender)
        yield watch.row("find cold", rig.files / took, "files/s", 0,
                        rig.files * NAME_BYTES)
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
                            some / got["seconds"], "files/s", got["bytes"],
                            got["bytes"])
        return
    if contender.kind != "mount":
        return
    cold_start(rig, contender, "tree")
    with Watch(rig, contender) as watch:
        took, digest = tar_once(contender.at(), names)
    if digest != tar_once(rig.local(), names)[1]:
        raise ValueError(f"{contender.name}: tar differs")
    yield watch.row("tar cold", some / took, "files/s",
                    some * rig.file_bytes, some * rig.file_bytes)


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


def small(rig, contender):
    """open, read, close of small files: cold by eight, warm by one."""
    options = {"seed": 2000000, "size": rig.file_bytes}
    if contender.kind == "net":
        rig.warm_origin("tree")
        with Watch(rig, contender) as watch:
            got = rig.curl_get("files", url=rig.url() + "/tree/d%llu/f%llu",
                               count=rig.files, readers=8, **options)
        yield watch.row("small files cold, 8", got["ops"] / got["seconds"],
                        "/s", got["bytes"], got["bytes"])
        return
    options.update(block=4096, path=contender.at("tree/d%llu/f%llu"))
    if contender.kind == "mount":
        cold_start(rig, contender, "tree")
        with Watch(rig, contender) as watch:
            got = rig.reader("files", count=rig.files, readers=8, **options)
        yield watch.row("small files cold, 8", got["ops"] / got["seconds"],
                        "/s", got["bytes"], got["bytes"])
    else:
        rig.reader("files", count=rig.files, **options)
    with Watch(rig, contender) as watch:
        got = rig.reader("files", count=rig.files, **options)
    # The listings may be asked for again, the files may not.
    yield watch.row("small files warm, 1", got["ops"] / got["seconds"], "/s",
                    got["bytes"], warm_bytes=got["bytes"] // 4)


def opens(rig, contender):
    """open(2) and close(2) of a cached file: on a mount of one user, and on
    one that all users share, where the kernel keeps no name and the caller is
    found out and judged each time. Both verify the token."""
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
        times = [rig.reader("opens", path=path, count=5000)
                 for _ in range(5)]
        best[kind] = min(got["seconds"] / got["ops"] for got in times) * 1e6
        yield {"row": f"open cached, {kind}", "unit": "us",
               "value": best[kind]}
        for name in more:
            contender.options.pop(name)
    yield {"row": "open cached, shared costs", "unit": "us",
           "value": best["shared"] - best["private"]}
