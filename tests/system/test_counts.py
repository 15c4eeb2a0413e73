#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How many requests and bytes does an operation cost? Exact on any machine:
what the server's log shows, not the time."""
import os
import random
import resource
import time
import unittest

import bed
from bed import content, mount
from bed.procs import slow

MIB = 1 << 20
LONG = os.environ.get("BED_LONG") == "1"


class Counts(bed.Case):
    deadline = 180

    def setUp(self):
        self.nginx = self.bed.nginx

    def start(self, **options):
        options.setdefault("timeout", "60s")
        return self.mount(self.nginx.url, self.bed.token("read:/"),
                          base_path="/exp", **options)

    def asked(self, mark, method=None):
        return [one for one in self.nginx.requests(mark)
                if method in (None, one["method"])]

    def sparse(self, name, size, islands=()):
        """A file of zeros with some bytes in it, quickly made."""
        path = self.bed.put(name, 0)
        with open(path, "r+b") as file:
            file.truncate(size)
            for at in islands:
                file.seek(at)
                file.write(content.stream(name, at, 4096))
        content.touch(path)
        return path


class OfASequentialRead(Counts):
    SIZE = 1 << 30

    def read_cold(self, size, **options):
        name = f"seq-{size}.bin"
        self.sparse(name, size, range(0, size - 4096, 97 * MIB + 4096))
        m = self.start(**options)
        mark = self.nginx.mark()
        got = mount.run(["sha256sum", m.at(name)], 170).stdout.split()[0]
        gets = self.asked(mark, "GET")
        self.assertEqual(got, content.sha256(
            f"{self.bed.data}{self.bed.base}/{name}"))
        self.assertEqual(sum(one["bytes"] for one in gets), size)
        self.assertLessEqual(len(gets), size // MIB + 8)
        # Its attributes, at most for each part of the path.
        self.assertLessEqual(len(self.asked(mark)) - len(gets), 2)
        counters = m.counters()
        self.assertEqual(counters["cache_fetched_bytes"], size)
        self.assertEqual(counters["cache_used_bytes"], size)

    def test_that_each_byte_of_a_gib_is_fetched_once_in_long_ranges(self):
        self.read_cold(self.SIZE)

    def test_that_a_small_file_is_one_request(self):
        self.bed.put("small.bin", 50000)
        m = self.start()
        mark = self.nginx.mark()
        mount.run(["cat", m.at("small.bin")])
        gets = self.asked(mark, "GET")
        self.assertEqual([one["bytes"] for one in gets], [50000])
        self.assertLessEqual(len(self.asked(mark)), 2)


class OfAWalk(Counts):
    DIRS = 200
    FILES = 100

    @classmethod
    def setUpClass(cls):
        root = f"{cls().bed.data}{cls().bed.base}/walk"
        old = time.time() - 86400
        for d in range(cls.DIRS):
            os.makedirs(f"{root}/d{d}")
            for f in range(cls.FILES):
                path = f"{root}/d{d}/f{d * cls.FILES + f}"
                with open(path, "wb") as file:
                    file.write(b"%d" % f)
                os.utime(path, (old, old))

    def test_that_find_lists_each_directory_once_and_asks_nothing_else(self):
        m = self.start(attr_ttl="300s")
        os.stat(m.path)
        mark = self.nginx.mark()
        got = mount.run(["find", m.at("walk"), "-type", "f", "-printf",
                         "%s\n"], 170).stdout.split()
        self.assertEqual(len(got), self.DIRS * self.FILES)
        asked = [(one["method"], one["depth"], one["uri"].rstrip("/"))
                 for one in self.asked(mark)]
        lists = [one for one in asked if one[1] == "1"]
        self.assertEqual(len(set(lists)), self.DIRS + 1)
        self.assertEqual(len(lists), self.DIRS + 1)
        # That there is such a directory; find asks for the space, too.
        self.assertLessEqual(
            {one[2] for one in asked if one not in lists},
            {self.bed.base + "/walk", self.bed.base})
        self.assertLessEqual(len(asked) - len(lists), 2)
        # And again: nothing at all.
        mark = self.nginx.mark()
        mount.run(["find", m.at("walk"), "-printf", "%s\n"], 170)
        self.assertEqual(self.asked(mark), [])
        if slow == 1:
            self.assertLessEqual(m.memory(), 256 * MIB)

    def test_that_each_file_of_a_walk_is_asked_for_once(self):
        m = self.start(attr_ttl="300s")
        mark = self.nginx.mark()
        some = ["walk/d%d" % d for d in range(10)]
        mount.run(["tar", "cf", "/dev/null", "--sort=name", "-C", m.path] +
                  some, 170)
        mount.run(["sh", "-c", "cat " + " ".join(
            m.at(one) + "/*" for one in some) + " > /dev/null"])
        uris = [one["uri"] for one in self.asked(mark, "GET")]
        self.assertEqual(len(uris), len(set(uris)))
        # tar to /dev/null reads nothing; cat does.
        wanted = {f"{self.bed.base}/walk/d{d}/f{d * self.FILES + f}"
                  for d in range(10) for f in range(self.FILES)}
        self.assertLessEqual(wanted, set(uris))
        # What was asked for ahead of a walk that has ended.
        self.assertLessEqual(len(uris) - len(wanted), 64)


class OfLooks(Counts):
    """Files that are taken by their names, where nobody lists."""
    FILES = 300

    def setUp(self):
        super().setUp()
        for f in range(self.FILES):
            self.bed.put(f"named/f{f:03}", 2000)

    def take(self, m, names):
        for name in names:
            with open(m.at("named/" + name), "rb") as file:
                self.assertEqual(
                    file.read(), content.stream("named/" + name, 0, 2000))

    def test_that_many_of_one_directory_cost_one_request_each(self):
        m = self.start(attr_ttl="300s")
        names = [f"f{f:03}" for f in range(self.FILES)]
        mark = self.nginx.mark()
        self.take(m, names)
        gets = [one["uri"] for one in self.asked(mark, "GET")]
        self.assertEqual(len(gets), self.FILES)
        self.assertEqual(len(set(gets)), self.FILES)
        asked = self.asked(mark, "PROPFIND")
        self.assertGreaterEqual(
            len([one for one in asked if one["depth"] == "1"]), 1)
        # How many are looked up before the listing has come, and after it
        # is too old to be lent, is a matter of time; fewer than all.
        self.assertLess(len(asked), self.FILES)
        # What was taken out of the listing is known: nothing is asked again.
        mark = self.nginx.mark()
        self.take(m, names)
        self.assertEqual(self.asked(mark), [])

    def test_that_a_few_of_one_directory_are_not_worth_its_listing(self):
        m = self.start(attr_ttl="300s")
        mark = self.nginx.mark()
        self.take(m, [f"f{f:03}" for f in range(0, 70, 10)])
        self.assertEqual([one for one in self.asked(mark, "PROPFIND")
                          if one["depth"] == "1"], [])

    def test_that_a_file_which_came_after_the_listing_is_found(self):
        m = self.start(attr_ttl="300s")
        mark = self.nginx.mark()
        self.take(m, [f"f{f:03}" for f in range(100)])
        self.assertNotEqual([one for one in self.asked(mark, "PROPFIND")
                             if one["depth"] == "1"], [])
        self.addCleanup(os.unlink, self.bed.put("named/later", 2000))
        self.take(m, ["later"])


class OfAnOpen(Counts):
    def test_that_an_unchanged_file_costs_one_question_at_most(self):
        self.bed.put("same.bin", 300000)
        m = self.start(attr_ttl="1s")
        mount.run(["cat", m.at("same.bin")])
        for _ in range(3):
            time.sleep(1.2)
            mark = self.nginx.mark()
            got = mount.run(["cat", m.at("same.bin")], text=False).stdout
            self.assertEqual(got, content.stream("same.bin", 0, 300000))
            asked = self.asked(mark)
            self.assertLessEqual(len(asked), 1)
            self.assertEqual([one for one in asked
                              if one["method"] == "GET"], [])

    def test_that_within_its_lifetime_it_costs_nothing(self):
        self.bed.put("fresh.bin", 300000)
        m = self.start(attr_ttl="300s")
        mount.run(["cat", m.at("fresh.bin")])
        mark = self.nginx.mark()
        for _ in range(20):
            mount.run(["cat", m.at("fresh.bin")])
        self.assertEqual(self.asked(mark), [])

    def test_that_what_the_kernel_has_is_not_read_again(self):
        """The page cache is the kernel's own: it asks the mount for no byte
        of it, though the file is opened each time."""
        self.bed.put("pages.bin", 8 * MIB)
        m = self.start(attr_ttl="1s")
        mount.run(["cat", m.at("pages.bin")], text=False)
        before = m.counters()
        self.assertGreater(before["fs_reads"], 0)
        for turn in range(3):
            time.sleep(1.2 * (turn == 1))  # its attributes are looked at anew
            got = mount.run(["sha256sum", m.at("pages.bin")]).stdout
            self.assertEqual(got.split()[0], content.sha256(
                f"{self.bed.data}{self.bed.base}/pages.bin"))
        after = m.counters()
        self.assertEqual(after["fs_reads"], before["fs_reads"])
        self.assertEqual(after["fs_read_bytes"], before["fs_read_bytes"])


@unittest.skipUnless(LONG and slow == 1, "for a machine left alone")
class OfAProcessor(Counts):
    """Seconds of it in the mount for each GB: the best of some tries, which
    is what the program needs when nothing else is in its way."""
    SIZE = 512 * MIB
    TRIES = 5
    deadline = 900

    @staticmethod
    def seconds(m):
        with open(f"/proc/{m.pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def best(self, start):
        """The least that reading the file takes, of a mount that start()
        gives anew; seconds per GB."""
        least = 1e9
        for _ in range(self.TRIES):
            m = start()
            os.stat(m.at("much.bin"))
            before = self.seconds(m)
            mount.run(["dd", "bs=1M", "of=/dev/null",
                       "if=" + m.at("much.bin")], 300)
            # What it writes after the reader has gone counts as well.
            bed.wait_for(lambda: self.is_quiet(m), "the writer to end", 60)
            least = min(least, self.seconds(m) - before)
            m.stop()
        print(f"{least / self.SIZE * 1e9:.2f} s/GB", flush=True)
        return least / self.SIZE * 1e9

    def is_quiet(self, m):
        before = self.seconds(m)
        time.sleep(0.5)
        return self.seconds(m) - before < 0.03

    def curl(self):
        """What curl needs for the same bytes here and now."""
        least = 1e9
        for _ in range(self.TRIES):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            mount.run(["curl", "-sf", "-o", "/dev/null", "--cacert",
                       self.bed.ca.cert, "-H", "Authorization: Bearer " +
                       self.bed.token("read:/"),
                       self.nginx.url + "/much.bin"], 300)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            least = min(least, after.ru_utime - before.ru_utime +
                        after.ru_stime - before.ru_stime)
        print(f"curl {least / self.SIZE * 1e9:.2f} s/GB", flush=True)
        return least / self.SIZE * 1e9

    def test_that_a_cold_read_is_cheap(self):
        """1.4 s/GB where curl needs 0.65 (1.5 GB/s), and in proportion where
        the processor is slower or shared."""
        self.bed.put("much.bin", self.SIZE)
        self.assertLessEqual(self.best(self.start),
                             1.4 * max(1, self.curl() / 0.65))

    def test_that_a_read_from_the_disk_is_cheap(self):
        self.bed.put("much.bin", self.SIZE)
        store = self.dir + "/shared"
        m = self.start(cache_dir=store)
        mount.run(["cat", m.at("much.bin")], 300, text=False)
        m.stop()

        def start():
            content.forget_pages(
                os.path.join(folder, name) for folder, _, names
                in os.walk(store) for name in names)
            return self.start(cache_dir=store)
        mark = self.nginx.mark()
        self.assertLessEqual(self.best(start), 0.6)
        self.assertLess(sum(one["bytes"] for one in self.asked(mark, "GET")),
                        self.SIZE // 10)


class OfPieces(Counts):
    """Reads that are no pass through a file: what is fetched stays within
    the budget (cache/ahead/budget.h), and status tells."""
    SIZE = 1 << 30
    FILE_BUDGET = 8 * MIB

    def read_pieces(self, pieces, check=lambda m: None):
        """Read (offset, size) one after the other: requests, bytes fetched,
        bytes that the kernel was given of them."""
        self.sparse("pieces.bin", self.SIZE)
        m = self.start()
        fd = os.open(m.at("pieces.bin"), os.O_RDONLY)
        mark = self.nginx.mark()
        for at, size in pieces:
            self.assertEqual(len(os.pread(fd, size, at)), size)
        check(m)
        os.close(fd)
        used = m.counters()["cache_used_bytes"]
        m.stop()
        gets = self.asked(mark, "GET")
        return len(gets), sum(one["bytes"] for one in gets), used

    def random_pieces(self, count, size, step):
        places = random.Random(1).sample(range(0, self.SIZE - size, step),
                                         count)
        return [(at, size) for at in places]

    def test_that_isolated_pages_cost_a_block_each(self):
        told = {}

        def check(m):
            told.update(m.status()["cache"])
            told["text"] = m.command("status", m.path).stdout

        requests, fetched, used = self.read_pieces(
            self.random_pieces(1000, 4096, 4096), check)
        self.assertLessEqual(requests, 1000)
        self.assertLessEqual(fetched, 64 * MIB)
        self.assertEqual(used, 1000 * 4096)
        self.assertLessEqual(told["amplification"], 16)
        self.assertEqual(told["budget_bytes"], 64 * MIB)
        self.assertEqual([(one["path"], one["fetched_bytes"],
                           one["used_bytes"]) for one in told["files"]],
                         [("/pieces.bin", fetched, used)])
        self.assertIn(f"cache: {fetched // MIB} MiB fetched, "
                      f"{used // MIB} read of /pieces.bin\n", told["text"])

    def test_that_whole_blocks_cost_what_they_are(self):
        requests, fetched, _ = self.read_pieces(
            self.random_pieces(500, 65536, 65536))
        self.assertLessEqual(requests, 500)
        self.assertLessEqual(fetched, 500 * 65536)

    def test_that_a_dense_random_reader_stays_within_twice(self):
        draw = random.Random(2)
        _, fetched, used = self.read_pieces(
            [(draw.randrange(0, 32 * MIB), draw.randrange(1, 65536))
             for _ in range(1500)])
        self.assertGreater(used, 24 * MIB)
        self.assertLessEqual(fetched, 2 * used)

    def test_that_a_strided_reader_stays_within_twice(self):
        for step in (2 * 65536, 5 * 65536):
            with self.subTest(step=step):
                _, fetched, used = self.read_pieces(
                    [(at, 65536) for at in range(0, 400 * step, step)])
                self.assertLessEqual(fetched, 2 * used + self.FILE_BUDGET)

    def test_that_what_looks_like_the_begin_of_streams_is_bounded(self):
        """Two pages here, two there: the kernel reads on, too."""
        pieces = []
        for at, _ in self.random_pieces(500, 65536, 65536):
            pieces += [(at, 4096), (at + 4096, 4096)]
        _, fetched, used = self.read_pieces(pieces)
        touched = 500 * 2 * 65536  # its read-ahead may touch the next one
        self.assertLessEqual(fetched, max(touched, 2 * used) +
                             self.FILE_BUDGET)

    def test_that_a_tree_of_baskets_costs_few_requests(self):
        """As ROOT and HDF5 do: the header, the index at the end, then
        pieces in order with small gaps."""
        draw = random.Random(3)
        pieces = [(0, 4096), (self.SIZE - 4096, 4096),
                  (self.SIZE - 40000, 16384)]
        at = 100 * MIB
        while len(pieces) < 1000:
            pieces.append((at, draw.randrange(8192, 32768)))
            at += pieces[-1][1] + draw.randrange(0, 16384)
        requests, fetched, used = self.read_pieces(pieces)
        self.assertLessEqual(requests, 250)
        self.assertLessEqual(fetched, 2 * used + self.FILE_BUDGET)


if __name__ == "__main__":
    bed.main(deadline=1800)
