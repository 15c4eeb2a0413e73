#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What does a mount come to hold that lives long? Rounds of mounting, reading,
evicting and changing, and a walk over more files than anyone has: memory,
descriptors and files of the cache are bounded, and so do not grow."""
import collections
import glob
import os

import bed
from bed import content, mount
from bed.procs import slow

MIB = 1 << 20
LONG = os.environ.get("BED_LONG") == "1"
MEMORY = 256 * MIB


class Rounds(bed.Case):
    """A mount that stays, and one a round on the same cache directory."""
    deadline = 3600 if LONG else 240
    ROUNDS = 1000 if LONG else 20
    KEPT = 6  # of the names that come with each round
    CACHE = 12 * MIB  # less than a round and those before have

    def setUp(self):
        self.nginx = self.bed.nginx
        self.store = self.dir + "/shared"

    def make(self):
        return self.make_mount(self.nginx.url, self.bed.token("read:/"),
                               timeout="20s", cache_dir=self.store,
                               cache_size=str(self.CACHE), attr_ttl="0s")

    def change(self, turn):
        """Files of old names have new bytes, others come and go."""
        files = {"rounds/large.bin": 3 * MIB, "rounds/small.bin": 20000,
                 "rounds/sub/middle.bin": 200_000 + turn % 7,
                 f"rounds/new{turn}.bin": MIB,
                 f"rounds/dir{turn}/new.bin": 3000}
        for name, size in files.items():
            # Each version older than "just now", and of a time of its own.
            self.bed.put(name, size, seed=f"{name} {turn}",
                         age=2_000_000 - turn * 10)
        old = f"{self.bed.data}/exp/rounds/"
        if turn >= self.KEPT:
            gone = turn - self.KEPT
            os.unlink(f"{old}new{gone}.bin")
            os.unlink(f"{old}dir{gone}/new.bin")
            os.rmdir(f"{old}dir{gone}")
        return files

    def read(self, m, files, turn):
        for name, size in files.items():
            with open(m.at(name), "rb", buffering=0) as file:
                got = file.readall()
            self.assertTrue(
                got == content.stream(f"{name} {turn}", 0, size),
                f"round {turn}: {name}")
        # The kernel remembers names until it is told that they are gone.
        for name in (f"never{turn}", f"new{turn - self.KEPT}.bin",
                     f"dir{turn - self.KEPT}"):
            with self.assertRaises(FileNotFoundError):
                os.stat(m.at("rounds", name))
        os.listdir(m.at("rounds"))

    def drop(self, turn):
        """Now and then all at once, as `cache prune` and `drop` do."""
        words = {3: ["prune", str(4 * MIB)], 7: ["drop", self.nginx.url]}
        if turn % 10 in words:
            # What a mount is writing stays, and is told.
            mount.run([mount.binary(), "cache", *words[turn % 10], "-o",
                       "cache_dir=" + self.store], check=False)

    def held(self, m):
        counters = m.counters()
        places = glob.glob(self.store + "/**", recursive=True)
        return {
            "descriptors": len(os.listdir(f"/proc/{m.pid}/fd")),
            "threads": len(os.listdir(f"/proc/{m.pid}/task")),
            "memory": m.memory("VmRSS"),
            "nodes": counters["fs_nodes"],
            "waiting": counters["fs_waiting"],
            # Of the directories of maps there are 256 in the end.
            "files": sum(map(os.path.isfile, places)),
            "disk": sum(os.lstat(path).st_blocks * 512 for path in places
                        if os.path.lexists(path)),
            "mounts": self.mounted(),
        }

    def mounted(self):
        with open("/proc/self/mountinfo") as file:
            return sum(self.dir in line for line in file)

    def test_that_rounds_leave_nothing_behind(self):
        stays, m = self.make().start(), self.make()
        seen = collections.defaultdict(list)
        for turn in range(self.ROUNDS):
            files = self.change(turn)
            m.start()
            first, second = (m, stays) if turn % 2 else (stays, m)
            self.read(first, files, turn)
            self.read(second, files, turn)
            self.drop(turn)
            if turn % 5 == 4:
                m.crash()
            else:
                m.stop()
            if turn % 2:
                for what, value in self.held(stays).items():
                    seen[what].append(value)
        self.assertGreater(stays.counters()["cache_evicted_packs"],
                           self.ROUNDS // 4)
        self.compare(seen)

    def compare(self, seen):
        """The last half against the first one: what is allowed is what goes
        up and down, not what a round adds."""
        rounds = self.ROUNDS // 4  # looked at in each half
        allowed = {"descriptors": 40, "threads": 0, "nodes": 12, "waiting": 0,
                   "files": 24, "mounts": 0, "memory": 4 * MIB,
                   "disk": 4 * MIB}
        for what, values in seen.items():
            first, last = max(values[:rounds]), max(values[rounds:])
            with self.subTest(what=what, first=first, last=last):
                print(f"{what}: {first} in the first half, {last} in the "
                      f"last", flush=True)
                # A sanitizer keeps what was freed.
                if what != "memory" or slow == 1:
                    self.assertLessEqual(last, first + allowed[what])
        self.assertLessEqual(max(seen["disk"]), self.CACHE + MIB)
        if slow == 1:
            self.assertLessEqual(max(seen["memory"]), MEMORY)


class Walk(bed.Case):
    """A tree that is on no disk: the lying server makes up its listings."""
    deadline = 3600 if LONG else 240
    DIRS = 1000 if LONG else 20
    FILES = 1000

    def test_that_a_walk_is_bounded(self):
        lying = self.bed.lying
        lying.lie("forest", path="/exp/forest(/.*)?", method="PROPFIND|HEAD",
                  dirs=self.DIRS, files=self.FILES)
        m = self.mount(lying.url, self.bed.token("read:/"), timeout="60s",
                       attr_ttl="300s")
        mark = lying.mark()
        got = mount.run(
            ["sh", "-c", 'find "$1" -type f -printf "%s\\n" | sort | uniq -c',
             "walk", m.at("forest")], self.deadline).stdout.split()
        self.assertEqual(list(map(int, got)), [self.DIRS * self.FILES, 42])
        lists = [one["path"].rstrip("/") for one in lying.requests(mark)
                 if one["headers"].get("depth") == "1"]
        self.assertEqual(len(lists), self.DIRS + 1)
        self.assertEqual(len(set(lists)), self.DIRS + 1)
        print(f"peak {m.memory() >> 20} MiB, {m.counters()['fs_nodes']} nodes",
              flush=True)
        if slow == 1:
            self.assertLessEqual(m.memory(), MEMORY)


if __name__ == "__main__":
    bed.main(deadline=5400 if LONG else 600)
