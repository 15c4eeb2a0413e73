#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cache directory under a disk that is full, fails, lies, vanishes or
turns read-only, and under mounts that are killed: every byte that is read is
the origin's, reads go on uncached, and all is well again when the disk is.

A file system in a file (loop device) is the disk; what no real one does on
demand, fault_shim.c does in front of the mount's system calls."""
import errno
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

import bed
from bed import content, mount
from bed.disks import (HERE, KILL_BEFORE, KILL_WITHIN, OFF, READS_FAIL,
                       READS_LIE, WRITES_ARE_SHORT, WRITES_FAIL, Disk, Faults)
from bed.procs import Failed, slow

MIB = 1 << 20
unless_sanitized = unittest.skipIf(
    slow > 1, "a sanitizer wants to be in front itself")
LONG = os.environ.get("BED_LONG") == "1"


class Torture(bed.Case):
    deadline = 2400 if LONG else 600

    def setUp(self):
        self.nginx = self.bed.nginx
        self.store = self.dir + "/shared"
        self.count = 0  # of files made by wait_kept()
        self.been = set()  # files that read() has read

    def disk(self, *words):
        disk = Disk(self.dir, *words)
        self.addCleanup(disk.detach)
        self.store = disk.place + "/cache"
        return disk

    def start(self, **more):
        return self.mount(self.nginx.url, self.bed.token("read:/"),
                          timeout="20s", cache_dir=self.store, **more)

    def put(self, folder, count, size):
        names = [f"{folder}/{n}.bin" for n in range(count)]
        for name in names:
            self.bed.put(name, size)
        return names

    def mixed(self, folder="mixed"):
        """About 30 MiB in large and small files."""
        return (self.put(folder + "/large", 4, 6 * MIB)
                + self.put(folder + "/middle", 20, 200000)
                + self.put(folder + "/small", 60, 9000))

    def read(self, m, names):
        for name in names:
            self.been.add(m.at(name))
            got = mount.run(["sha256sum", m.at(name)], 120)
            self.assertEqual(
                got.stdout.split()[0],
                content.sha256(f"{self.bed.data}/exp/{name}"), name)

    def forget_pages(self):
        """What is read next comes from a mount, and there from the disk."""
        content.forget_pages([*self.been, *content.files(self.store)])

    def info(self):
        return json.loads(mount.run(
            [mount.binary(), "cache", "info", "--json", "-o",
             "cache_dir=" + self.store], 120).stdout)

    def check(self):
        """bearerfs cache check: what it found."""
        done = mount.run([mount.binary(), "cache", "check", "-o",
                          "cache_dir=" + self.store], 120, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.stderr.splitlines()

    def state(self, m):
        return m.status()["cache"]["state"]

    def wait_kept(self, m, size=3 * MIB):
        """What is read now is kept; the name of such a file.

        It is new, for which there is a tenth of a cache that is full of what
        was read again and again (cache/store/evict_plan.h): with the pack
        that is being written on, a file may take no more.
        """
        name = ""

        def kept():
            nonlocal name
            self.count += 1
            name, = self.put(f"fresh{self.count}", 1, size)
            self.read(m, [name])
            time.sleep(0.5)
            return os.getxattr(
                m.at(name), "user.bearerfs.cached") == b"100"
        bed.wait_for(kept, "blocks to be kept again", 30, every=0.5)
        return name

    def body_bytes(self, mark):
        return sum(one["bytes"] for one in self.nginx.requests(mark)
                   if one["method"] == "GET")

    def assert_cached(self, m, names, share=0.9):
        """Little of it is fetched."""
        self.forget_pages()
        mark = self.nginx.mark()
        self.read(m, names)
        size = sum(os.path.getsize(f"{self.bed.data}/exp/{name}")
                   for name in names)
        self.assertLess(self.body_bytes(mark), size * (1 - share))

    # Space.

    def test_that_a_full_disk_is_lived_with_and_left(self):
        disk = self.disk(64)
        names = self.mixed()
        more = self.put("more", 6, 6 * MIB)
        m = self.start()
        self.read(m, names)
        disk.fill()
        self.read(m, more)
        self.forget_pages()
        self.read(m, names + more)
        disk.empty()
        kept = self.wait_kept(m)
        self.assertEqual(self.state(m), "on")
        m.stop()
        self.assertEqual(self.check(), [])
        self.assert_cached(self.start(), [kept])

    def test_that_the_reserve_holds_on_a_small_disk(self):
        disk = self.disk(64)
        m = self.start(cache_size="10G")
        for n in range(20):
            self.read(m, self.put(f"turn{n}", 1, 6 * MIB))
            room = os.statvfs(disk.place)
            self.assertGreater(room.f_bavail, room.f_blocks // 50)
        bed.wait_for(lambda: os.statvfs(disk.place).f_bavail * 20 >=
                     os.statvfs(disk.place).f_blocks - 1024, "the reserve")
        self.assertGreater(m.counters()["cache_evicted_packs"], 0)

    def test_that_no_inodes_are_lived_with(self):
        disk = self.disk(64, "-N", "64")
        names = self.mixed()
        made = []
        m = self.start()
        self.read(m, names)
        for n in range(64):
            try:
                with open(f"{disk.place}/inode{n}", "x") as file:
                    made.append(file.name)
            except OSError as problem:
                self.assertEqual(problem.errno, errno.ENOSPC)
                break
        more = self.mixed("other")
        self.read(m, more)
        self.forget_pages()
        self.read(m, names + more)
        for name in made:
            os.unlink(name)
        self.wait_kept(m)

    def test_that_a_mount_begun_on_a_full_disk_recovers(self):
        disk = self.disk(32)
        names = self.put("some", 2, 3 * MIB)
        disk.fill()
        m = self.start()
        m.wait_log("cache directory is off")
        self.read(m, names)
        self.assertIn("keeps nothing new", self.state(m))
        self.assertIn("keeps nothing new",
                      m.command("status", m.path).stdout)
        disk.empty()
        m.wait_log("cache directory opened again")
        self.assert_cached(m, [self.wait_kept(m, MIB)])

    # A disk that goes.

    def test_that_a_read_only_disk_is_lived_with_and_left(self):
        disk = self.disk(64)
        names = self.mixed()
        m = self.start()
        self.read(m, names[:10])
        disk.break_off()
        self.read(m, names)
        self.forget_pages()
        self.read(m, names)
        self.read(m, self.put("more", 2, MIB))
        self.assertIn("keeps nothing new", self.state(m))
        disk.repair()
        bed.wait_for(lambda: m.log_text().count(
            "cache directory opened again") > 1, "the disk to be found", 30)
        self.read(m, names)
        self.assert_cached(m, [self.wait_kept(m)])

    def test_that_a_disk_unmounted_under_it_comes_back(self):
        disk = self.disk(64)
        names = self.mixed()
        m = self.start()
        self.read(m, names)
        mount.run(["umount", "-l", disk.place])
        # What is below the mount point now is a directory like any.
        self.forget_pages()
        self.read(m, names)
        m.wait_log("cache directory opened again")
        self.wait_kept(m)
        disk.attach()
        self.read(m, names)
        bed.wait_for(lambda: m.log_text().count(
            "cache directory opened again") > 1, "the disk to be found", 30)
        self.forget_pages()
        self.read(m, names)
        self.wait_kept(m)

    def test_that_a_directory_that_is_removed_again_and_again_is_made(self):
        names = self.mixed()
        m = self.start()
        for turn in range(4):
            self.read(m, names)
            if turn == 1:
                os.rename(self.store, self.store + ".away")
            else:
                shutil.rmtree(self.store)
            self.forget_pages()
            self.read(m, names)
            bed.wait_for(lambda: os.path.exists(self.store + "/format"),
                         "the directory to be made again", 20)
        self.wait_kept(m)
        # Something else in its place; then nothing.
        shutil.rmtree(self.store)
        with open(self.store, "w") as file:
            file.write("no directory\n")
        m.wait_log("cache directory is off")
        self.read(m, names)
        os.unlink(self.store)
        self.wait_kept(m)

    # A disk that fails.

    def faulty(self, *modes):
        names = self.mixed()
        faults = Faults(self.dir, self.store)
        m = self.start(cache_size="24M", env=faults.env)
        for mode, per_mille, error in modes:
            faults.set(mode, per_mille, error)
            for _ in range(3):
                self.read(m, names)
                self.forget_pages()
        self.assertGreater(faults.seen(), 20)
        faults.set(OFF)
        self.read(m, names)
        self.assert_cached(m, [self.wait_kept(m, MIB)])
        # Damage that was only told of is none.
        self.read(m, names)
        m.stop()
        self.check()
        self.assertEqual(self.check(), [])
        self.read(self.start(cache_size="24M"), names)

    @unless_sanitized
    def test_that_writes_that_fail_lose_nothing(self):
        self.faulty((WRITES_FAIL, 100, errno.ENOSPC),
                    (WRITES_FAIL, 100, errno.EDQUOT),
                    (WRITES_FAIL, 100, errno.EIO),
                    (WRITES_FAIL, 300, errno.EROFS),
                    (WRITES_FAIL, 1000, errno.ENOSPC))

    @unless_sanitized
    def test_that_short_writes_are_finished(self):
        self.faulty((WRITES_ARE_SHORT, 500, 0))

    @unless_sanitized
    def test_that_reads_that_fail_are_fetched(self):
        self.faulty((READS_FAIL, 100, errno.EIO),
                    (READS_FAIL, 1000, errno.EIO))

    @unless_sanitized
    def test_that_reads_that_lie_are_never_believed(self):
        self.faulty((READS_LIE, 50, 0), (READS_LIE, 500, 0))

    # Kills.

    def load(self, m, names, draw):
        """Readers who read on until the mount is gone."""
        return [subprocess.Popen(
            ["cat", *[m.at(name) for name in
                      draw.sample(names, len(names))]],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(3)]

    @staticmethod
    def begin(m):
        """It may be killed before it has begun."""
        try:
            m.start()
        except Failed:
            pass

    def occupied(self):
        """Bytes that the directory's files have of the disk."""
        found = 0
        for path in glob.glob(self.store + "/v1-*/**", recursive=True):
            try:
                found += os.stat(path).st_blocks * 512 \
                    if os.path.isfile(path) else 0
            except FileNotFoundError:
                pass
        return found

    def killed(self, rounds, kill, **more):
        """Two mounts on one directory that is a third of what is read; one
        of them is killed each round."""
        draw = random.Random(rounds)
        names = self.mixed() + self.mixed("second")
        staying = self.start(cache_size="20M")
        stay_readers = []
        # One again and again: at their ends all are searched for tokens.
        m = self.make_mount(
            self.nginx.url, self.bed.token("read:/"), timeout="20s",
            cache_dir=self.store, cache_size="20M", **more)
        for turn in range(rounds):
            self.begin(m)
            readers = self.load(m, names, draw)
            if turn % 4 == 0:
                for reader in stay_readers:
                    reader.kill()
                    reader.wait()
                stay_readers = self.load(staying, names, draw)
            kill(m, draw)
            for reader in readers:
                reader.wait(60)
            if turn % 10 == 9:
                self.forget_pages()
                self.read(staying, draw.sample(names, 12))
        for reader in stay_readers:
            reader.kill()
            reader.wait()
        self.forget_pages()
        self.read(staying, names)
        # Who evicted when it was killed holds nothing up.
        before = staying.counters()["cache_evicted_packs"]
        self.read(staying, self.put("last", 6, 6 * MIB))
        bed.wait_for(lambda: staying.counters()["cache_evicted_packs"]
                     > before, "somebody to evict")
        # A walk is no snapshot: it may see a pack that goes and one that
        # takes its place.
        bed.wait_for(lambda: self.occupied() <= 20 * MIB,
                     "the bound to be kept", 5)
        staying.stop()
        # Half an entry may stand at the end of a page: it is found once.
        found = self.check()
        self.assertLess(len(found), rounds + 2, found)
        self.assertEqual(self.check(), [])
        self.read(self.start(cache_size="20M"), names)

    def test_that_random_kills_leave_right_bytes(self):
        def kill(m, draw):
            time.sleep(draw.random() * 0.4)
            m.crash()
        self.killed(200 if LONG else 40, kill)

    @unless_sanitized
    def test_that_kills_at_each_step_leave_right_bytes(self):
        """In front of, or within, its nth change of the directory."""
        faults = Faults(self.dir, self.store)
        step, died = 0, 0

        def kill(m, draw):
            nonlocal step, died
            step += 1
            # It dies by itself; a mount that has less to do is killed.
            try:
                bed.wait_for(lambda: not m.running(), "it to die", 4)
                died += 1
            except Failed:
                pass
            m.crash()
            nth = step if step < 20 else draw.randrange(20, 400)
            faults.set(KILL_WITHIN if step % 2 else KILL_BEFORE, nth=nth)
        faults.set(KILL_BEFORE, nth=30)
        self.killed(120 if LONG else 30, kill, env=faults.env)
        # Or nothing was tried.
        self.assertGreater(died, step // 2)

    def test_that_a_stopped_evictor_stops_no_one(self):
        """SIGSTOP, as a suspended laptop or a debugger does."""
        names = self.mixed() + self.mixed("second")
        one, two = (self.start(cache_size="20M") for _ in range(2))
        readers = self.load(one, names, random.Random(1))
        time.sleep(0.5)
        os.kill(one.pid, signal.SIGSTOP)
        self.read(two, names)
        self.forget_pages()
        self.read(two, names)
        os.kill(one.pid, signal.SIGCONT)
        for reader in readers:
            reader.wait(60)
        self.read(one, names)

    def test_that_eviction_under_readers_lasts(self):
        """A cache a tenth of what is read, two mounts, eight readers; for a
        minute in the long run."""
        count = 8
        for number in range(count):
            self.bed.put(f"busy/{number}.bin", 12 * MIB)
        mounts = [self.start(cache_size="10M") for _ in range(2)]
        ends = time.monotonic() + (60 if LONG else 8)
        turn = 0
        while time.monotonic() < ends:
            turn += 1
            readers = [subprocess.Popen(
                [sys.executable, HERE + "/readers.py", "verify",
                 mounts[n % 2].at(f"busy/{n}.bin"), f"busy/{n}.bin",
                 str(12 * MIB), "100", str(turn * count + n)],
                stderr=subprocess.PIPE, text=True) for n in range(count)]
            for reader in readers:
                _, said = reader.communicate(timeout=200 * max(1.0, slow))
                self.assertEqual(reader.returncode, 0, said)
            self.forget_pages()


if __name__ == "__main__":
    bed.main(deadline=9000 if LONG else 3000)
