#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Are the bytes right, from each real server, for files of awkward sizes,
however they are read?"""
import concurrent.futures
import hashlib
import os

import bed
from bed import content, mount

HERE = os.path.dirname(os.path.abspath(__file__))
READER = ["/usr/bin/python3", "-B", HERE + "/readers.py"]
SIZES = [0, 1, 2, 4095, 4096, 4097, 65535, 65536, 65537, 131071, 1 << 20,
         (3 << 20) + 1]
BIG = "big.bin"
BIG_SIZE = (40 << 20) + 12345


def name(size):
    return f"size-{size}.bin"


class Reading:
    """For each server: see the subclasses."""
    server = None

    @classmethod
    def setUpClass(cls):
        one = cls().bed
        for size in SIZES:
            one.put(name(size), size)
        one.put(BIG, BIG_SIZE)
        cls.sums = {
            which: content.sha256(one.data + one.base + "/" + which)
            for which in [name(size) for size in SIZES] + [BIG]}

    def setUp(self):
        self.m = self.mount(getattr(self.bed, self.server).url,
                            self.bed.token("read:/"), base_path="/exp",
                            timeout="60s")

    def reader(self, *words):
        return mount.run([*READER, *map(str, words)],
                         deadline=120).stdout.strip()

    def test_that_sizes_and_times_are_the_servers(self):
        for size in SIZES:
            ours = os.stat(self.m.at(name(size)))
            theirs = os.stat(f"{self.bed.data}{self.bed.base}/{name(size)}")
            self.assertEqual(ours.st_size, size)
            self.assertEqual(int(ours.st_mtime), int(theirs.st_mtime))
        self.assertEqual(sorted(os.listdir(self.m.path)),
                         sorted(os.listdir(self.bed.data + self.bed.base)))

    def test_that_every_size_reads_right_by_cat(self):
        for size in SIZES:
            with self.subTest(size=size):
                got = mount.run(["cat", self.m.at(name(size))], text=False)
                self.assertEqual(hashlib.sha256(got.stdout).hexdigest(),
                                 self.sums[name(size)])

    def test_that_every_size_reads_right_by_mmap_and_direct(self):
        for size in SIZES:
            for how in ("mmap", "direct"):
                with self.subTest(size=size, how=how):
                    self.assertEqual(self.reader(how, self.m.at(name(size))),
                                     self.sums[name(size)])

    def test_that_dd_with_odd_offsets_and_sizes_reads_right(self):
        path = self.m.at(BIG)
        for skip, count in ((0, 1), (1, 1), (4095, 2), (65535, 2),
                            (65537, 65535), (99991, 300007),
                            (BIG_SIZE - 1, 10), (BIG_SIZE, 10),
                            ((1 << 20) - 1, (2 << 20) + 3)):
            with self.subTest(skip=skip, count=count):
                got = mount.run(
                    ["dd", "if=" + path, "status=none", "bs=65521",
                     f"skip={skip}", f"count={count}",
                     "iflag=skip_bytes,count_bytes,fullblock"], text=False)
                size = max(0, min(count, BIG_SIZE - skip))
                self.assertTrue(
                    got.stdout == content.stream(BIG, skip, size))
        got = mount.run(["dd", "if=" + path, "status=none", "bs=4999"],
                        text=False)
        self.assertEqual(hashlib.sha256(got.stdout).hexdigest(),
                         self.sums[BIG])

    def test_that_random_pieces_are_right(self):
        self.reader("verify", self.m.at(BIG), BIG, BIG_SIZE, 400, 1)

    def test_that_eight_readers_at_once_read_right(self):
        path = self.m.at(BIG)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            work = [pool.submit(mount.run, ["sha256sum", path], 120)
                    for _ in range(4)]
            for draw in range(2, 5):
                work.append(pool.submit(
                    self.reader, "verify", path, BIG, BIG_SIZE, 150, draw))
            work.append(pool.submit(self.reader, "direct", path))
            got = [one.result() for one in work]
        for one in got[:4]:
            self.assertEqual(one.stdout.split()[0], self.sums[BIG])
        self.assertEqual(got[7], self.sums[BIG])

    def test_that_a_second_mount_reads_what_the_first_kept(self):
        self.assertEqual(self.sum_of(self.m, BIG), self.sums[BIG])
        self.m.stop()
        again = self.mount(self.m.source, self.bed.token("read:/"),
                           base_path="/exp",
                           cache_dir=self.m.options["cache_dir"])
        self.assertEqual(self.sum_of(again, BIG), self.sums[BIG])
        counters = again.counters()
        self.assertEqual(counters["cache_fetched_bytes"], 0)
        self.assertGreaterEqual(counters["cache_disk_hits"],
                                BIG_SIZE // 65536)
        self.assertEqual(counters["cache_corrupt_blocks"], 0)

    def sum_of(self, m, which):
        return mount.run(["sha256sum", m.at(which)],
                         120).stdout.split()[0]


class FromXRootD(Reading, bed.Case):
    server = "xrootd"


class FromNginx(Reading, bed.Case):
    server = "nginx"


class FromApache(Reading, bed.Case):
    server = "apache"


class AsAnOrdinaryUser(bed.Case):
    """The common case: no root, through fusermount3."""

    def reads_and_unmounts(self, daemon):
        self.bed.put("mine.bin", 100000)
        m = self.mount(self.bed.nginx.url, self.bed.token("read:/"),
                       base_path="/exp", user="nobody", daemon=daemon)
        got = mount.run(["cat", m.at("mine.bin")], user="nobody", text=False)
        self.assertTrue(got.stdout == content.stream("mine.bin", 0, 100000))
        owner = mount.run(["stat", "-c", "%U", m.at("mine.bin")],
                          user="nobody")
        self.assertEqual(owner.stdout.strip(), "nobody")
        # The mount is its user's: the kernel keeps even root out.
        self.assertIn("Permission denied", mount.run(
            ["cat", m.at("mine.bin")], check=False).stderr)
        m.command("umount", m.path)
        bed.wait_for(lambda: not m.running(), "its process to end")
        self.assertIsNone(m.device())

    def test_that_a_mount_in_the_foreground_works(self):
        self.reads_and_unmounts(False)

    def test_that_a_mount_that_detaches_works(self):
        self.reads_and_unmounts(True)


class BeyondFourGiB(bed.Case):
    """A sparse file of 5 GiB with islands of data where an offset of 32 bits
    would wrap, and the same bytes' places modulo 4 GiB left empty."""
    SIZE = 5 << 30
    ISLANDS = [0, (1 << 31) - 50000, (1 << 32) - 100000, (1 << 32) - 20000,
               (1 << 32) + 65536, SIZE - 70001]
    PIECE = 70001

    def sparse(self):
        path = self.bed.put("sparse.bin", 0)
        with open(path, "r+b") as file:
            file.truncate(self.SIZE)
            for at in self.ISLANDS:
                file.seek(at)
                file.write(content.stream("sparse", at, self.PIECE))
        content.touch(path)

    def reads_right(self, server):
        self.sparse()
        m = self.mount(server.url, self.bed.token("read:/"),
                       base_path="/exp", timeout="60s")
        path = m.at("sparse.bin")
        self.assertEqual(os.stat(path).st_size, self.SIZE)
        for at in self.ISLANDS:
            with self.subTest(at=at):
                mount.run([*READER, "part", path, "sparse", str(at),
                           str(self.PIECE)])
        # The sea between them, on both sides of 4 GiB.
        for at in ((1 << 30), (1 << 32) - 300000, (1 << 32) + 300000):
            got = mount.run(
                ["dd", "if=" + path, "status=none", "bs=150001", "count=1",
                 f"skip={at}", "iflag=skip_bytes,fullblock"], text=False)
            self.assertTrue(got.stdout == bytes(150001))

    def test_that_both_sides_are_right_from_xrootd(self):
        self.reads_right(self.bed.xrootd)

    def test_that_both_sides_are_right_from_nginx(self):
        self.reads_right(self.bed.nginx)

    def test_that_both_sides_are_right_from_apache(self):
        self.reads_right(self.bed.apache)


if __name__ == "__main__":
    bed.main(deadline=900)
