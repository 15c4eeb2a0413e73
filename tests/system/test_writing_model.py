#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random sequences of file operations on a writable mount and on a local
directory: the same results, the same contents, and at the end the same on the
server's disk. What a server cannot do (links, owners) is not in it."""
import errno
import os
import random
import stat
import subprocess
import sys
import time

import bed
from bed.disks import HERE
from bed.procs import slow
from bed.writing import SERVERS, WritingCase, tree

LONG = os.environ.get("BED_LONG") == "1"
SEQUENCES = 1500 if LONG else 60  # on each server
STEPS = 25
DEEP = 120  # operations of a long sequence, most through open descriptors
# To see again what failed: its seed, printed first, and how it was drawn.
SEED = os.environ.get("BED_SEED")
NAMES = ("a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/f", "ü x")


class Side:
    """One of the two directories; both do the same."""

    def __init__(self, top):
        self.top = top
        self.fds = []

    def at(self, name):
        return os.path.join(self.top, name)

    def open(self, name, flags):
        self.fds.append(os.open(self.at(name), flags, 0o644))
        return len(self.fds)

    def fd(self, index):
        return self.fds[index % len(self.fds)]

    def pwrite(self, index, data, at):
        return os.pwrite(self.fd(index), data, at)

    def write(self, index, data):
        return os.write(self.fd(index), data)

    def pread(self, index, size, at):
        return os.pread(self.fd(index), size, at)

    def truncate(self, index, size):
        return os.ftruncate(self.fd(index), size)

    def sync(self, index):
        return os.fsync(self.fd(index))

    def size(self, index):
        got = os.fstat(self.fd(index))
        return None if stat.S_ISDIR(got.st_mode) else got.st_size

    def close(self, index):
        return os.close(self.fds.pop(index % len(self.fds)))

    def mode(self, name):
        return os.stat(self.at(name)).st_mode & 0o777

    def stat(self, name):
        got = os.lstat(self.at(name))
        directory = os.path.isdir(self.at(name))
        return directory, None if directory else got.st_size

    def read(self, name):
        with open(self.at(name), "rb") as file:
            return file.read()

    def list(self, name):
        return sorted(os.listdir(self.at(name)))

    def mkdir(self, name):
        return os.mkdir(self.at(name))

    def rmdir(self, name):
        return os.rmdir(self.at(name))

    def unlink(self, name):
        return os.unlink(self.at(name))

    def rename(self, old, new):
        return os.rename(self.at(old), self.at(new))

    def resize(self, name, size):
        return os.truncate(self.at(name), size)

    def chmod(self, name, mode):
        os.chmod(self.at(name), mode)
        return os.stat(self.at(name)).st_mode & 0o777

    def utime(self, name, when):
        os.utime(self.at(name), (when, when))
        return os.stat(self.at(name)).st_mtime

    def end(self):
        while self.fds:
            os.close(self.fds.pop())


def draw_step(draw, fds, deep=False):
    """(operation, arguments); what needs a descriptor only when there is. Deep
    sequences have few names, and much that goes through descriptors."""
    flags = draw.choice((
        os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT,
        os.O_RDWR | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_APPEND,
        os.O_RDWR | os.O_CREAT | os.O_EXCL, os.O_WRONLY | os.O_TRUNC))
    names = ("a", "b", "d/a") if deep else NAMES
    name = draw.choice(names)
    index = draw.randrange(100)
    at = draw.choice((0, 1, 100, 4096, 65536, 70000, 200000))
    data = draw.randbytes(draw.choice((0, 1, 10, 4096, 66000)))
    steps = [("open", name, flags)] * 6 + [
        ("stat", name), ("read", name), ("list", draw.choice(("", "d",
                                                              "d/e"))),
        ("mkdir", name), ("rmdir", name), ("unlink", name),
        ("rename", name, draw.choice(names)), ("resize", name, at),
        ("chmod", name, draw.choice((0o644, 0o755, 0o600))),
        ("utime", name, 1000000000 + at)]
    if fds:
        steps += [("pwrite", index, data, at)] * 5 + [
            ("write", index, data), ("write", index, data),
            ("pread", index, 70000, at), ("pread", index, 70000, at),
            ("truncate", index, at), ("sync", index), ("size", index),
            ("close", index), ("close", index), ("close", index)]
    if fds and deep:
        steps += [("pread", index, 70000, at), ("size", index),
                  ("pread", index, 300000, 0)] * 4
    return draw.choice(steps)


def do(side, step):
    try:
        return getattr(side, step[0])(*step[1:])
    except OSError as problem:
        return "errno", errno.errorcode[problem.errno]


def sequence(seed, mounted, local, steps=STEPS, deep=False, pause=0):
    """Both sides do the same; what differs is told. `pause`: seconds, now and
    then: what is known of a file ages."""
    draw = random.Random(seed)
    sides = [Side(mounted), Side(local)]
    told = []
    for _ in range(steps):
        step = draw_step(draw, sides[1].fds, deep)
        if pause and draw.random() < 0.04:
            time.sleep(pause)
            told.append("pause")
        got, wanted = [do(side, step) for side in sides]
        told.append(f"{[str(word)[:40] for word in step]} {str(wanted)[:60]}")
        if got != wanted:
            return f"{seed}: {str(got)[:200]}, not {str(wanted)[:200]}\n" + \
                "\n".join(told)
    for side in sides:
        side.end()
    got, wanted = [tree(side.top) for side in sides]
    if got != wanted:
        return f"{seed}: other trees: {sorted(got)}, {sorted(wanted)}\n" + \
            "\n".join(told)
    return None


def run(first, count, mounted, local, how=""):
    """In a process of its own: what touches a mount may hang."""
    more = {"steps": DEEP, "deep": True} if how else {}
    if how == "slow":
        more["pause"] = 1.2
    for seed in range(first, first + count):
        for top in (mounted, local):
            subprocess.run(["find", top, "-mindepth", "1", "-delete"],
                           check=True)
        wrong = sequence(seed, mounted, local, **more)
        if wrong:
            print(wrong)
            sys.exit(1)
        print("sequence", seed, flush=True)


class Model(WritingCase):
    deadline = 6000 if LONG else 400

    def against(self, server, how="", count=SEQUENCES, **options):
        first = int(SEED or random.randrange(1 << 30))
        count = 1 if SEED else max(5, int(count / max(1, slow)))
        m = self.writable(server, self._testMethodName, **options)
        local = self.dir + "/local"
        os.mkdir(local)
        done = bed.mount.run(
            ["/usr/bin/python3", "-B", HERE + "/test_writing_model.py",
             "sequences", str(first), str(count), m.path, local, how],
            self.deadline - 60, check=False)
        self.assertEqual(done.returncode, 0,
                         done.stdout[-6000:] + done.stderr)
        self.assertEqual(done.stdout.count("sequence "), count)
        # With write=back the last closes promised no more than the spool.
        m.command("flush", m.path)
        self.assert_same(m, tree(local))
        self.assertEqual(self.unsent(m), [])
        self.no_leftovers(m.disk)


for word in SERVERS:
    setattr(Model, "test_" + word,
            lambda self, server=word: self.against(server))
    setattr(Model, f"test_{word}_deep",
            lambda self, server=word: self.against(
                server, "deep", SEQUENCES // 6, write="back"))

if __name__ == "__main__":
    if sys.argv[1:2] == ["sequences"]:
        run(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
    else:
        bed.main(deadline=9000 if LONG else 1200)
