#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ways to read a file that may hang their process, so each runs in one.

    readers.py mmap PATH               sha256 of the file, through a mapping
    readers.py direct PATH             the same with O_DIRECT
    readers.py verify PATH SEED SIZE COUNT DRAW
                                       COUNT random pieces against the
                                       stream of bytes they must hold
    readers.py part PATH SEED OFFSET SIZE
                                       one piece against the stream
"""
import hashlib
import mmap
import os
import random
import sys

from bed import content


def by_mmap(path):
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            return hashlib.sha256().hexdigest()
        with mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as view:
            digest = hashlib.sha256()
            for at in range(0, size, 1 << 20):
                digest.update(view[at:at + (1 << 20)])
            return digest.hexdigest()


def by_direct(path):
    """Aligned buffer, whole pages: what O_DIRECT asks for."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    digest = hashlib.sha256()
    with mmap.mmap(-1, 1 << 20) as view:
        at = 0
        while True:
            got = os.preadv(fd, [view], at)
            if got == 0:
                break
            digest.update(view[:got])
            at += got
    os.close(fd)
    return digest.hexdigest()


def check(fd, seed, at, size, total):
    want = content.stream(seed, at, max(0, min(size, total - at)))
    got = os.pread(fd, size, at)
    while len(got) < len(want):
        more = os.pread(fd, size - len(got), at + len(got))
        if not more:
            break
        got += more
    if got != want:
        first = next((i for i, (a, b) in enumerate(zip(got, want))
                      if a != b), min(len(got), len(want)))
        sys.exit(f"wrong byte at {at + first}: piece {at}+{size}, "
                 f"got {len(got)} bytes of {len(want)}")


def verify(path, seed, total, count, draw):
    chance = random.Random(draw)
    fd = os.open(path, os.O_RDONLY)
    for _ in range(count):
        size = chance.choice([1, 7, 511, 4096, 65536, 100003, 262144])
        check(fd, seed, chance.randrange(total + 1), size, total)
    os.close(fd)


def main(how, path, *words):
    if how == "mmap":
        print(by_mmap(path))
    elif how == "direct":
        print(by_direct(path))
    elif how == "verify":
        verify(path, words[0], *map(int, words[1:]))
    elif how == "part":
        fd = os.open(path, os.O_RDONLY)
        at, size = map(int, words[1:])
        check(fd, words[0], at, size, at + size)
        os.close(fd)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
