#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The cache directory: shared by the mounts of its owner, bounded, and never
the source of a wrong byte, whatever happened to it."""
import os
import random
import shutil
import subprocess
import sys
import time

import bed
from bed import content, mount
from bed.procs import slow

SIZE = 24 << 20
LONG = os.environ.get("BED_LONG") == "1"


class Cache(bed.Case):
    deadline = 3600 if LONG else 300

    def setUp(self):
        self.nginx = self.bed.nginx
        self.store = self.dir + "/shared"
        os.mkdir(self.store, 0o700)

    def start(self, **options):
        return self.mount(self.nginx.url, self.bed.token("read:/"),
                          timeout="20s", cache_dir=self.store, **options)

    def fill(self, count=3, size=SIZE, small=40):
        """Large files and small ones, all read once."""
        names = [f"cached/large{n}.bin" for n in range(count)]
        for name in names:
            self.bed.put(name, size)
        for number in range(small):
            name = f"cached/small{number}.bin"
            self.bed.put(name, 1 + number * 1000)
            names.append(name)
        return names

    def check(self, m, names):
        for name in names:
            got = mount.run(["sha256sum", m.at(name)], 120)
            self.assertEqual(
                got.stdout.split()[0],
                content.sha256(f"{self.bed.data}/exp/{name}"), name)

    def warm(self, names, **options):
        """A mount that reads all and is ended, so that all is kept."""
        m = self.start(**options)
        self.check(m, names)
        m.stop()

    def body_bytes(self, mark):
        return sum(one["bytes"] for one in self.nginx.requests(mark)
                   if one["method"] == "GET")

    def forget_pages(self, paths=()):
        """What the store reads next comes from the disk; what is read of
        these files, from their mount."""
        content.forget_pages([*paths, *content.files(self.store)])

    def test_that_a_second_mount_fetches_nothing(self):
        names = self.fill()
        self.warm(names)
        self.forget_pages()
        m = self.start()
        mark = self.nginx.mark()
        self.check(m, names)
        self.assertEqual(self.body_bytes(mark), 0)
        self.assertEqual(os.getxattr(
            m.at(names[0]), "user.bearerfs.cached"), b"100")

    def test_that_two_mounts_at_once_share(self):
        names = self.fill()
        one, two = self.start(), self.start()
        mark = self.nginx.mark()
        size = sum(os.path.getsize(f"{self.bed.data}/exp/{name}")
                   for name in names)
        self.check(one, names)
        time.sleep(1.5)  # the writer is behind the readers
        self.check(two, names)
        # A few blocks may still have been on their way.
        self.assertLess(self.body_bytes(mark), size * 3 // 2)
        readers = [subprocess.Popen(
            ["sha256sum", m.at(name)], stdout=subprocess.PIPE, text=True)
            for m in (one, two) for name in names[:3] for _ in range(2)]
        for reader in readers:
            out, _ = reader.communicate(timeout=120)
            name = "cached/" + os.path.basename(out.split()[1])
            self.assertEqual(out.split()[0], content.sha256(
                f"{self.bed.data}/exp/{name}"))

    def test_that_equal_blocks_are_kept_once(self):
        self.bed.put("equal/a.bin", SIZE, seed="same")
        self.bed.put("equal/b.bin", SIZE, seed="same")
        self.warm(["equal/a.bin"])
        first = self.used()
        self.warm(["equal/a.bin", "equal/b.bin"])
        self.assertLess(self.used() - first, SIZE // 8)

    def used(self):
        total = 0
        for folder, _, names in os.walk(self.store):
            for name in names:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
        return total

    def test_that_the_bound_holds(self):
        limit = 64 << 20
        for number in range(12):
            self.bed.put(f"bound/{number}.bin", 16 << 20)
        m = self.start(cache_size="64M")
        for number in range(12):
            self.check(m, [f"bound/{number}.bin"])
            self.assertLess(self.used(), limit * 5 // 4)
        bed.wait_for(lambda: self.used() <= limit, "the bound to hold")
        self.check(m, [f"bound/{number}.bin" for number in range(12)])
        self.assertGreater(m.counters()["cache_evicted_bytes"], 0)

    def harm(self, how, names):
        """Damage each file of the cache, then read everything."""
        self.warm(names)
        draw = random.Random(how)
        for folder, _, files in os.walk(self.store):
            for file in sorted(files):
                path = os.path.join(folder, file)
                HARMS[how](path, draw)
        self.forget_pages()
        m = self.start()
        self.check(m, names)
        m.stop()
        # Mended: a third mount reads from what the second kept.
        self.check(self.start(), names)

    def test_that_flipped_bits_are_never_read(self):
        self.harm("flip", self.fill())

    def test_that_cut_files_are_never_padded(self):
        self.harm("cut", self.fill())

    def test_that_emptied_files_are_misses(self):
        self.harm("empty", self.fill())

    def test_that_noise_is_a_miss(self):
        self.harm("noise", self.fill())

    def test_that_zeros_are_misses(self):
        self.harm("zeros", self.fill())

    def test_that_directories_in_their_place_are_misses(self):
        self.harm("directory", self.fill())

    def test_that_swapped_files_are_misses(self):
        names = self.fill()
        self.warm(names)
        for folder, _, files in os.walk(self.store):
            files = sorted(files)
            for a, b in zip(files[::2], files[1::2]):
                a, b = os.path.join(folder, a), os.path.join(folder, b)
                os.rename(a, a + ".x")
                os.rename(b, a)
                os.rename(a + ".x", b)
        self.forget_pages()
        self.check(self.start(), names)

    def test_that_damage_under_a_live_mount_is_mended(self):
        names = self.fill()
        self.warm(names)
        m = self.start()
        self.check(m, names[3:5])
        for draw in range(3):
            for folder, _, files in os.walk(self.store + "/"):
                for file in files:
                    if "packs" in folder or "maps" in folder:
                        HARMS["flip"](os.path.join(folder, file),
                                      random.Random(draw))
            self.forget_pages(m.at(name) for name in names)
            self.check(m, names)
        self.assertGreater(m.counters()["cache_corrupt_blocks"], 0)

    def kinds(self):
        """The files of the directory by what they hold."""
        found = {}
        for folder, _, files in os.walk(self.store):
            for file in sorted(files):
                path = os.path.join(folder, file)
                kind = next((k for k in ("packs", "maps")
                             if f"/{k}" in folder), file.split("-")[0])
                found.setdefault(kind, []).append(path)
        return found

    def read_all(self, m, names):
        """As check(), without a process for each file."""
        for name in names:
            with open(m.at(name), "rb", buffering=0) as file:
                got = file.readall()
            self.assertTrue(got == content.stream(name, 0, len(got)), name)
            self.assertEqual(
                len(got), os.path.getsize(f"{self.bed.data}/exp/{name}"))

    DECOY = "cached/decoy.bin"
    DECOY_BYTES = 6 << 20

    def forget_files(self, m, names):
        """What is read next comes from the mount: the kernel has it no more,
        and most buffers of the mount are the decoy's. Where reading was slow
        it has more of them than the decoy takes."""
        content.forget_pages(m.at(name) for name in [*names, self.DECOY])
        content.forget_pages(path for paths in self.kinds().values()
                             for path in paths)
        self.read_all(m, [self.DECOY])

    def harm_live(self, m, names, how, kind):
        """Damage all files of a kind under a mount that has them open: right
        bytes at once, and soon nothing is fetched any more and no damage told
        of."""
        draw = random.Random(f"{how} {kind}")
        self.forget_files(m, names)
        for path in self.kinds().get(kind, ()):
            try:
                HARMS[how](path, draw)
            except FileNotFoundError:
                continue  # of a generation that goes
        content.forget_pages(path for paths in self.kinds().values()
                             for path in paths)
        self.read_all(m, names)
        blocks = sum(-(-os.path.getsize(f"{self.bed.data}/exp/{name}") //
                       65536) for name in names)
        told = 0

        def mended():
            nonlocal told
            self.forget_files(m, names)
            before = m.counters()
            told = before["cache_corrupt_blocks"]
            mark = self.nginx.mark()
            self.read_all(m, names)
            after = m.counters()
            hits = after["cache_disk_hits"] - before["cache_disk_hits"]
            if before["cache_pool_blocks"] > self.DECOY_BYTES // 65536:
                hits += after["cache_memory_hits"] - \
                    before["cache_memory_hits"]
            return self.body_bytes(mark) == 0 and hits >= blocks
        bed.wait_for(mended, f"{how} of {kind} to be mended", 60, every=0.5)
        self.assertEqual(m.counters()["cache_corrupt_blocks"], told)

    def test_that_all_damage_under_a_live_mount_is_mended(self):
        """Each kind of file and each way to damage one; all pairs of them in
        the long run."""
        names = self.fill(count=2, size=1 << 20, small=6)
        self.bed.put(self.DECOY, self.DECOY_BYTES)
        for _ in range(2):  # at the end of the second use is noted
            m = self.start(cache_size="64M")  # packs of 1 MiB
            self.read_all(m, [*names, self.DECOY])
            m.stop()
            content.forget_pages(self.kinds()["packs"])
        m = self.start(cache_size="64M")
        kinds = ("packs", "maps", "blocks", "objects", "format", "next",
                 "uses", "counts")
        self.assertEqual(set(self.kinds()), set(kinds))
        hows = list(HARMS)
        for turn, kind in enumerate(kinds):
            for how in hows if LONG else [hows[turn % len(hows)]]:
                with self.subTest(kind=kind, how=how):
                    self.harm_live(m, names, how, kind)
        self.assertGreater(m.counters()["cache_corrupt_blocks"], 0)
        # Others use the directory as well, and find all of it there once they
        # have mended what the first had in memory.
        m.stop()
        self.read_all(self.start(cache_size="64M"), names)
        content.forget_pages(path for paths in self.kinds().values()
                             for path in paths)
        mark = self.nginx.mark()
        last = self.start(cache_size="64M")
        self.read_all(last, names)
        self.assertEqual(self.body_bytes(mark), 0)
        self.assertEqual(last.counters()["cache_corrupt_blocks"], 0)

    def test_that_a_removed_directory_harms_no_reader(self):
        names = self.fill()
        m = self.start()
        self.check(m, names)
        shutil.rmtree(self.store)
        self.forget_pages(m.at(name) for name in names)
        self.check(m, names)

    def test_that_a_killed_mount_leaves_a_good_cache(self):
        names = self.fill()
        for turn in range(6):
            m = self.start()
            reader = subprocess.Popen(
                ["cat", *[m.at(name) for name in names]],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.05 + 0.1 * turn)
            m.crash()
            reader.wait(60)
        self.forget_pages()
        self.check(self.start(), names)

    def test_that_a_full_disk_means_uncached_reads(self):
        names = self.fill()
        small = self.dir + "/small"
        os.mkdir(small)
        mount.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", small])
        self.addCleanup(mount.run, ["umount", "-l", small])
        m = self.mount(self.nginx.url, self.bed.token("read:/"),
                       timeout="20s", cache_dir=small + "/cache")
        self.check(m, names)
        with open(small + "/filler", "wb") as file:
            try:
                file.write(bytes(16 << 20))
            except OSError:
                pass
        self.check(m, names)
        os.unlink(small + "/filler")
        self.check(m, names)

    def test_that_a_read_only_directory_means_uncached_reads(self):
        names = self.fill(count=1)
        place = self.dir + "/ro"
        os.mkdir(place)
        mount.run(["mount", "-t", "tmpfs", "none", place])
        self.addCleanup(mount.run, ["umount", "-l", place])
        m = self.mount(self.nginx.url, self.bed.token("read:/"),
                       timeout="20s", cache_dir=place + "/cache")
        self.check(m, names[:2])
        # -f: the writer may have a file open for writing.
        subprocess.run(["mount", "-o", "remount,ro", place], check=False,
                       stderr=subprocess.DEVNULL)
        self.check(m, names)

    def test_that_eviction_under_readers_gives_right_bytes(self):
        """A cache a tenth of what is read, two mounts, eight readers."""
        count = 8
        for number in range(count):
            self.bed.put(f"busy/{number}.bin", 12 << 20)
        mounts = [self.start(cache_size="10M") for _ in range(2)]
        program = [sys.executable, os.path.dirname(
            os.path.abspath(__file__)) + "/readers.py"]
        readers = [subprocess.Popen(
            [*program, "verify", mounts[n % 2].at(f"busy/{n}.bin"),
             f"busy/{n}.bin", str(12 << 20), "150", str(n)],
            stderr=subprocess.PIPE, text=True) for n in range(count)]
        for reader in readers:
            _, said = reader.communicate(timeout=200 * max(1.0, slow))
            self.assertEqual(reader.returncode, 0, said)


def flip(path, draw):
    size = os.path.getsize(path)
    if size == 0:
        return
    with open(path, "r+b") as file:
        # A byte in each 64 KiB of what is there, and the first one.
        for start in range(0, size, 65536):
            at = start + draw.randrange(min(65536, size - start))
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ (1 << draw.randrange(8))]))


def cut(path, draw):
    os.truncate(path, draw.randrange(os.path.getsize(path) + 1))


def empty(path, _):
    os.truncate(path, 0)


def noise(path, draw):
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        for at in range(0, size, 1 << 20):
            file.seek(at)
            file.write(draw.randbytes(min(1 << 20, size - at)))


def zeros(path, _):
    size = os.path.getsize(path)
    os.truncate(path, 0)
    os.truncate(path, size)


def directory(path, _):
    os.unlink(path)
    os.mkdir(path)


def swap(path, _):
    """With the next one beside it, or the same again for an only one."""
    folder = os.path.dirname(path)
    others = sorted(name for name in os.listdir(folder)
                    if os.path.isfile(os.path.join(folder, name)))
    at = others.index(os.path.basename(path))
    other = os.path.join(folder, others[(at + 1) % len(others)])
    if other != path:
        os.rename(path, path + ".x")
        os.rename(other, path)
        os.rename(path + ".x", other)


HARMS = {"flip": flip, "cut": cut, "empty": empty, "noise": noise,
         "zeros": zeros, "directory": directory, "swap": swap}

if __name__ == "__main__":
    bed.main(deadline=3000)
