# SPDX-License-Identifier: Apache-2.0
"""The rows of writing: how long until the server has it. See scenarios.py."""
import contextlib
import os
import shutil
import subprocess
import time

from watch import Watch

FOLDER = "write"
SMALL = "small-"
SMALL_COUNT = 1000
SMALL_BYTES = 4096
LARGE_BYTES = 1 << 30
TOGETHER = 8
# What other programs send behind the writer's back is waited for so long.
PATIENCE_S = 600


def empty(rig, name):
    """A new folder on the server. Of what was there small files stay: on ext4
    without a journal each unlinked inode makes new ones dearer for a
    minute, so whoever comes next would pay."""
    top = rig.local(FOLDER)
    path = f"{top}/{name}"
    os.makedirs(top, exist_ok=True)
    for one in os.listdir(top):
        if not one.startswith(SMALL):
            shutil.rmtree(f"{top}/{one}")
    os.makedirs(path)
    for one in (top, path):
        shutil.chown(one, rig.origin.user)
    return path


def stands(path, count, size):
    """Whether the server has all files, whole."""
    with os.scandir(path) as found:
        sizes = [one.stat().st_size for one in found
                 if one.name.startswith("f")]
    return len(sizes) == count and all(one == size for one in sizes)


def wait_until_stands(path, count, size):
    deadline = time.monotonic() + PATIENCE_S
    while not stands(path, count, size):
        if time.monotonic() > deadline:
            raise ValueError(f"{path}: not all files have come")
        time.sleep(0.005)


def check(rig, path, count, size, seed):
    """Compare every byte that the server has."""
    wait_until_stands(path, count, size)
    rig.reader("files", path=path + "/f%llu", flat=1, seed=seed,
               count=count, readers=2, size=size)


@contextlib.contextmanager
def touched_memory(rig):
    rig.touch_memory()
    yield


def upload(rig, contender, name, writers, count, size, memory=touched_memory):
    """Write so many files; (seconds until the server has them, Watch).
    @param name  of a folder that is not there yet"""
    path = empty(rig, name)
    seed = rig.fresh_rng()
    options = {"seed": seed, "count": count, "size": size,
               "writers": writers}
    with memory(rig), Watch(rig, contender) as watch:
        begun = time.monotonic()
        if contender.kind == "net":
            rig.run([rig.tool("curl_put"),
                     f"url={rig.url()}/{FOLDER}/{name}/f%llu"] + [
                         f"{key}={value}" for key, value in options.items()])
        else:
            at = contender.at(f"{FOLDER}/{name}")
            rig.run([rig.tool("writer"), f"path={at}/f%llu"] + [
                f"{key}={value}" for key, value in options.items()])
            contender.flush()
            if contender.foreign:
                wait_until_stands(path, count, size)
        took = time.monotonic() - begun
    if not contender.foreign and not stands(path, count, size):
        raise ValueError(f"{name}: the server has not got all that close(2) "
                         f"or flush promised")
    check(rig, path, count, size, seed)
    return took, watch


def row_of(watch, name, value, unit, count, size):
    row = watch.row(name, value, unit)
    row["bytes"] = count * size
    row["cpu_s_per_gb"] = round(watch.cpu / row["bytes"] * 1e9, 3)
    row["requests_per_file"] = round(row["requests"] / count, 2)
    return row


def put(rig, contender):
    """One large file, until it stands on the server."""
    size = min(LARGE_BYTES, rig.big_bytes)
    if contender.kind == "net":
        took, watch = curls(rig, contender, "one", 1, size)
        yield row_of(watch, "write large", size / took / 1e6, "MB/s", 1, size)
    elif contender.kind == "mount" and contender.writes():
        contender.start(fresh=True, back=False)
        took, watch = upload(rig, contender, "one", 1, 1, size)
        yield row_of(watch, "write large", size / took / 1e6, "MB/s", 1, size)


def curls(rig, contender, name, count, size, memory=touched_memory):
    """The curl program, so many at once, each with a local file that was
    written before; as upload()."""
    seed = 5
    path = empty(rig, name)
    files = [f"{rig.folder}/upload{nth}" for nth in range(count)]
    for nth, file in enumerate(files):
        subprocess.run([rig.tool("reader"), "write", f"path={file}",
                        f"seed={seed + nth}", f"size={size}"], check=True,
                       stdout=subprocess.DEVNULL)
    with memory(rig), Watch(rig, contender) as watch:
        begun = time.monotonic()
        running = [subprocess.Popen(
            ["curl", "-sf", "--http1.1", "-T", file, "--cacert",
             rig.bed.ca.cert, "-H", "@" + rig.header_file,
             f"{rig.url()}/{FOLDER}/{name}/f{nth}"],
            stdout=subprocess.DEVNULL) for nth, file in enumerate(files)]
        if any([one.wait() for one in running]):
            raise ValueError("curl failed")
        took = time.monotonic() - begun
    check(rig, path, count, size, seed)
    for file in files:
        os.unlink(file)
    return took, watch


def puts(rig, contender):
    """1000 small files, until they stand on the server: by one writer and by
    eight; far away by sixteen; and by one who does not wait for it."""
    far = rig.delay_ms > 0
    if contender.kind == "net":
        for writers in (8,) if far else (1, 8):
            yield small_row(rig, contender, writers, str(writers))
    elif contender.kind == "mount" and contender.writes():
        for writers in (16,) if far else (1, 8):
            contender.start(fresh=True, back=False)
            yield small_row(rig, contender, writers, str(writers))
        if contender.writes_back():
            contender.start(fresh=True, back=True)
            yield small_row(rig, contender, 1, "back")


def small_row(rig, contender, writers, name):
    took, watch = upload(rig, contender, f"{SMALL}{name}-{rig.rng}", writers,
                         SMALL_COUNT, SMALL_BYTES)
    return row_of(watch, f"small writes, {name}", SMALL_COUNT / took,
                  "files/s", SMALL_COUNT, SMALL_BYTES)


def together(rig, contender):
    """Eight large files at once: these fill all memory, three times over with
    the kernel's pages, spool and server, so all is in use before. The curl
    programs read from the disk."""
    size = min(LARGE_BYTES, rig.big_bytes)
    if contender.kind == "disk" or contender.kind == "pages":
        return
    if contender.kind == "net":
        took, watch = curls(rig, contender, "eight", TOGETHER, size,
                            type(rig).full_memory)
    elif contender.writes():
        contender.start(fresh=True, back=False)
        took, watch = upload(rig, contender, "eight", TOGETHER, TOGETHER,
                             size, type(rig).full_memory)
    else:
        return
    yield row_of(watch, "write 8 large at once",
                 TOGETHER * size / took / 1e6, "MB/s", TOGETHER, size)
