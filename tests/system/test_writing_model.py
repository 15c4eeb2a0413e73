#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random sequences of file operations (sides.py) on a writable mount and on a
local directory: the same results, the same contents, and at the end of each
sequence the same on the server's disk."""
import os
import random
import subprocess
import sys
import time
import unittest

import bed
from bed.disks import HERE
from bed.procs import slow
from bed.writing import SERVERS, WritingCase, tree
from sides import Side, do, draw_step

LONG = os.environ.get("BED_LONG") == "1"
# To see again what failed: its seed, printed first; and how many from there on.
SEED = os.environ.get("BED_SEED")
COUNT = os.environ.get("BED_COUNT")
# What a sequence consists of. "deep": many operations, most of them through
# open descriptors. "slow": pauses in which what is known of a file ages.
HOW = {"short": {"steps": 25},
       "deep": {"steps": 120, "deep": True},
       "slow": {"steps": 120, "deep": True, "pause": 1.2}}
# {name of the test: (how, sequences, of a long run, options of the mount)}
KINDS = {"": ("short", 60, 3000, {}),
         "_back": ("short", 0, 1000, {"write": "back"}),
         "_deep": ("deep", 10, 500, {"write": "back"}),
         "_deep_through": ("deep", 0, 300, {}),
         "_slow": ("slow", 0, 40, {"attr_ttl": "1s"})}


def difference(got, wanted):
    """Names whose entries differ, '' for none."""
    return ", ".join(
        f"{name!r}: {len(got[name] or '') if name in got else 'absent'}, not "
        f"{len(wanted[name] or '') if name in wanted else 'absent'}"
        for name in sorted({*got, *wanted})
        if name not in got or name not in wanted or got[name] != wanted[name])


def settled(disk, wanted):
    """What still differs on the server's disk after a while: with write=back,
    and for what is sent once nobody has it open."""
    end = time.monotonic() + 20 * max(1.0, slow)
    while True:
        try:
            wrong = difference(tree(disk), wanted)
        except FileNotFoundError as problem:
            wrong = str(problem)  # it was just renamed
        if not wrong or time.monotonic() > end:
            return wrong and f"on the server: {wrong}"
        time.sleep(0.01)


def sequence(seed, mounted, disk, local, steps, deep=False, pause=0):
    """Both sides do the same; what differs is told."""
    draw = random.Random(seed)
    sides = [Side(mounted), Side(local)]
    told = []
    wrong = ""
    began = time.monotonic()
    for _ in range(steps):
        if pause and draw.random() < 0.04:
            for side in sides:
                side.age(pause / len(sides))
            told.append("pause")
        step = draw_step(draw, sides[1].fds, deep)
        got, wanted = [do(side, step) for side in sides]
        told.append(f"{time.monotonic() - began:.3f} "
                    f"{[str(word)[:40] for word in step]} {str(wanted)[:60]}")
        if got != wanted:
            wrong = f"{str(got)[:200]}, not {str(wanted)[:200]}"
            break
    for side in sides:
        side.end()
    if not wrong:
        wanted = tree(local)
        wrong = difference(tree(mounted), wanted) or settled(disk, wanted)
    return wrong and f"{seed}: {wrong}\n" + "\n".join(told)


def run(first, count, mounted, disk, local, how):
    """In a process of its own: what touches a mount may hang."""
    for seed in range(first, first + count):
        for top in (mounted, local):
            subprocess.run(["find", top, "-mindepth", "1", "-delete"],
                           check=True)
        # What comes late is of the sequence before.
        wrong = settled(disk, {})
        if wrong:
            print(f"{seed}: before it, {wrong}")
            sys.exit(1)
        wrong = sequence(seed, mounted, disk, local, **HOW[how])
        if wrong:
            print(wrong)
            sys.exit(1)
        print("sequence", seed, flush=True)


class Model(WritingCase):
    deadline = 6000 if LONG else 400

    def against(self, server, how, count, options):
        first = int(SEED or random.randrange(1 << 30))
        count = int(COUNT or (1 if SEED else max(5, count / max(1, slow))))
        m = self.writable(server, self._testMethodName, **options)
        local = self.dir + "/local"
        os.mkdir(local)
        done = bed.mount.run(
            ["/usr/bin/python3", "-B", HERE + "/test_writing_model.py",
             "sequences", str(first), str(count), m.path, m.disk, local, how],
            self.deadline - 60, check=False)
        self.assertEqual(done.returncode, 0,
                         done.stdout[-6000:] + done.stderr)
        self.assertEqual(done.stdout.count("sequence "), count)
        m.command("flush", m.path)
        self.assert_same(m, tree(local))
        self.assertEqual(self.unsent(m), [])
        self.no_leftovers(m.disk)


def add(server, kind, how, short, long, options):
    count = long if LONG else short

    @unittest.skipUnless(count or COUNT or SEED, "of the long run")
    def test(self):
        self.against(server, how, count, options)
    setattr(Model, f"test_{server}{kind}", test)


for word in SERVERS:
    for kind, what in KINDS.items():
        add(word, kind, *what)

if __name__ == "__main__":
    if sys.argv[1:2] == ["sequences"]:
        run(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
    else:
        bed.main(deadline=9000 if LONG else 1200)
