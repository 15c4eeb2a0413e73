#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Are whole files compared with the server's checksum, and what becomes of
bytes that do not fit?"""
import errno
import hashlib
import os
import re
import time
import zlib

import bed
from bed import content, mount
from bed.procs import slow, wait_for
from bed.xrootd import XRootD

SMALL = 100000
LARGE = 12 * 1024 * 1024 + 777
DIFFERS = "bytes do not fit the server's checksum"


def adler(data):
    return "%08x" % zlib.adler32(data)


class Sums(bed.Case):
    def checksum(self, m, name):
        try:
            return os.getxattr(m.at(name), "user.bearerfs.checksum").decode()
        except OSError as error:
            self.assertEqual(error.errno, errno.ENODATA)
            return None

    def wait_count(self, m, name, wanted):
        wait_for(lambda: m.counters()[name] >= wanted, name)
        self.assertEqual(m.counters()[name], wanted)

    def read(self, m, name):
        return mount.run(["cat", m.at(name)], text=False).stdout

    def fails(self, m, name):
        done = mount.run(["cat", m.at(name)], check=False)
        self.assertIn(os.strerror(errno.EIO), done.stderr)


class OfXRootD(Sums):
    def setUp(self):
        self.server = self.bed.xrootd

    def test_that_files_of_any_size_are_compared(self):
        m = self.mount(self.server.url, self.bed.token("read:/"))
        sizes = (1, 4096, SMALL, 1 << 20, (1 << 20) + 1, LARGE)
        for size in sizes:
            self.bed.put(f"x{size}", size)
        for turn, size in enumerate(sizes):
            name = f"x{size}"
            want = content.stream(name, 0, size)
            self.assertEqual(self.read(m, name), want)
            self.wait_count(m, "cache_checksums_equal", turn + 1)
            self.assertEqual(self.checksum(m, name),
                             "adler32:" + adler(want))
        self.assertEqual(m.counters()["cache_checksums_differed"], 0)

    def test_that_many_small_files_leave_the_server_standing(self):
        """XRootD 5.5.3 ends, or stalls, when it is asked for bytes and their
        checksum together, or for many checksums at once; what it is asked
        for shows whether it could have."""
        server = self.bed.add(XRootD(self.bed, "traced",
                                     more="http.trace all\n"))
        count, size = 100, 2000
        want = b""
        for number in range(count):
            name = f"many/{number:03}"
            self.bed.put(name, size)
            want += content.stream(name, 0, size)
        m = self.mount(server.url, self.bed.token("read:/"))
        pid = server.proc.pid
        begun = time.monotonic()
        got = mount.run(["sh", "-c", f"cat {m.at('many')}/*"],
                        text=False).stdout
        # Less than one silence of the server.
        self.assertLess(time.monotonic() - begun, 9 * max(1.0, slow))
        self.assertEqual(got, want)
        self.wait_count(m, "cache_checksums_equal", count)
        self.assertEqual(m.counters()["cache_checksums_differed"], 0)
        self.assertEqual((server.proc.pid, server.proc.running()),
                         (pid, True))
        with open(server.log, errors="replace") as file:
            seen = [" ".join(got) for got in re.findall(
                r"Parsing first line: (HEAD|GET) /exp/many/\d|"
                r"hdr line: (Want-Digest):|(Checksum) for HEAD",
                file.read())]
        seen = [one.strip() for one in seen]
        self.assertEqual(seen.count("GET"), count)
        # None but by HEAD, and none before the last one is told.
        self.assertEqual([one for one in seen if one != "GET"],
                         ["HEAD", "Want-Digest", "Checksum"] * count)
        server.stop()

    def test_that_nothing_is_known_before_all_was_read(self):
        self.bed.put("part", LARGE)
        m = self.mount(self.server.url, self.bed.token("read:/"))
        with open(m.at("part"), "rb", buffering=0) as file:
            file.read(4096)
        self.assertIsNone(self.checksum(m, "part"))

    def test_that_an_earlier_files_checksum_is_not_taken_for_anothers(self):
        """XRootD 5.5.3 puts it on answers that were not asked for one."""
        for i in range(8):
            self.bed.put(f"k{i}", SMALL + i)
        self.bed.put("large", LARGE)
        m = self.mount(self.server.url, self.bed.token("read:/"))
        for i in range(8):
            self.read(m, f"k{i}")
            with open(m.at("large"), "rb", buffering=0) as file:
                os.pread(file.fileno(), 65536, i * 1500000)
        self.assertEqual(self.read(m, "large"),
                         content.stream("large", 0, LARGE))
        self.wait_count(m, "cache_checksums_equal", 9)
        self.assertEqual(m.counters()["cache_checksums_differed"], 0)

    def test_that_random_reads_end_in_a_comparison(self):
        self.bed.put("random", LARGE)
        m = self.mount(self.server.url, self.bed.token("read:/"))
        with open(m.at("random"), "rb", buffering=0) as file:
            for at in sorted(range(0, LARGE, 65536),
                             key=lambda at: at * 7919 % LARGE):
                self.assertEqual(os.pread(file.fileno(), 4096, at),
                                 content.stream("random", at, min(
                                     4096, LARGE - at)))
        self.wait_count(m, "cache_checksums_equal", 1)


class OfNginx(Sums):
    def test_that_where_none_is_offered_none_is_asked_for(self):
        server = self.bed.nginx
        for name, size in (("small", SMALL), ("large", LARGE)):
            self.bed.put("n" + name, size)
        m = self.mount(server.url, self.bed.token("read:/"),
                       base_path="/exp")
        mark = server.mark()
        for name, size in (("nlarge", LARGE), ("nsmall", SMALL)):
            self.assertEqual(self.read(m, name),
                             content.stream(name, 0, size))
            self.assertIsNone(self.checksum(m, name))
        asked = server.requests(mark)
        self.assertEqual([one for one in asked if one["method"] == "HEAD"],
                         [])
        counters = m.counters()
        self.assertEqual(counters["cache_fetched_bytes"], LARGE + SMALL)
        self.assertEqual(counters["cache_checksums_equal"], 0)


class OfALiar(Sums):
    def setUp(self):
        self.liar = self.bed.lying
        self.liar.honest()
        self.liar.config(accept=None, open=False, etag=True,
                         conditions=True, dav=True, dates=True)

    def put(self, name, size):
        self.bed.put(name, size)
        return content.stream(name, 0, size)

    def digest(self, name, value, **more):
        """Have the server tell a checksum of a file."""
        self.liar.lie("headers", path=f".*/{name}", method="GET|HEAD",
                      set={"Digest": value}, **more)

    def asked(self, name, method, mark=0):
        return [one for one in self.liar.requests(mark)
                if one["method"] == method and one["path"].endswith(
                    "/" + name)]

    def start(self):
        m = self.mount(self.liar.url, "any", attr_ttl="1s")
        os.stat(m.path)
        return m

    def test_that_right_ones_cost_one_request_at_most(self):
        small, large = self.put("ls", SMALL), self.put("ll", LARGE)
        self.digest("ls", "md5=" + hashlib.md5(small).hexdigest())
        self.digest("ll", "sha-256=" + hashlib.sha256(large).hexdigest())
        m = self.start()
        mark = self.liar.mark()
        self.assertEqual(self.read(m, "ls"), small)
        self.assertEqual(self.checksum(m, "ls"),
                         "md5:" + hashlib.md5(small).hexdigest())
        self.assertEqual(self.read(m, "ll"), large)
        self.wait_count(m, "cache_checksums_equal", 2)
        self.read(m, "ll")
        self.assertEqual(len(self.asked("ls", "GET", mark)), 1)
        self.assertEqual(len(self.asked("ls", "HEAD", mark)), 0)
        self.assertEqual(len(self.asked("ll", "HEAD", mark)), 1)

    def test_that_wrong_bytes_of_a_small_file_reach_nobody(self):
        want = self.put("sw", SMALL)
        self.digest("sw", "adler32=" + adler(b"another file"))
        m = self.start()
        self.fails(m, "sw")
        m.wait_log(DIFFERS)
        line = [one for one in m.log_text().splitlines() if DIFFERS in one]
        self.assertEqual(len(line), 1)
        for word in ("/sw", self.liar.url.split("/exp")[0], "EIO",
                     "told=adler32:" + adler(b"another file"),
                     "computed=adler32:" + adler(want)):
            self.assertIn(word, line[0])
        self.assertIsNone(self.checksum(m, "sw"))
        # Not by a page or two, either.
        with open(m.at("sw"), "rb", buffering=0) as file:
            for at in (0, 4096, 90000):
                with self.assertRaises(OSError) as caught:
                    os.pread(file.fileno(), 512, at)
                self.assertEqual(caught.exception.errno, errno.EIO)
        # The server is mended: nothing of it was kept.
        self.liar.honest()
        wait_for(lambda: mount.run(["cat", m.at("sw")],
                                   check=False).returncode == 0,
                 "the server to be believed")
        self.assertEqual(self.read(m, "sw"), want)

    def test_that_a_byte_that_was_wrong_once_is_fetched_again(self):
        """A flipped byte and the checksum of the right ones."""
        want = self.put("fw", SMALL)
        wrong = bytearray(want)
        wrong[777] ^= 0xff
        self.liar.lie("body", path=".*/fw", method="GET", times=1,
                      status=206, body=bytes(wrong), headers={
                          "Content-Range": f"bytes 0-{SMALL - 1}/{SMALL}",
                          "ETag": self.etag("fw"),
                          "Digest": "adler32=" + adler(want)})
        self.digest("fw", "adler32=" + adler(want))
        m = self.start()
        self.assertEqual(self.read(m, "fw"), want)
        self.assertIn(DIFFERS, m.log_text())
        self.assertEqual(self.checksum(m, "fw"), "adler32:" + adler(want))

    def etag(self, name):
        got = bed.ask(self.liar.url + "/" + name, "any", method="HEAD",
                      ca=self.bed.ca.cert)
        return got.headers["ETag"]

    def test_that_wrong_bytes_of_a_large_file_are_dropped_then_eio(self):
        want = self.put("lw", LARGE)
        right = "adler32=" + adler(want)
        self.liar.lie("headers", path=".*/lw", method="HEAD",
                      set={"Digest": right})
        # So that the server is known to tell any.
        self.digest("told", "adler32=" + adler(self.put("told", SMALL)))
        self.liar.lie("flip", path=".*/lw", method="GET", at=LARGE - 99)
        m = self.start()
        self.read(m, "told")
        self.read(m, "lw")
        self.wait_count(m, "cache_checksums_differed", 1)
        m.wait_log("to be fetched again")
        self.again(m, "lw", wrong=True)
        self.wait_count(m, "cache_checksums_differed", 2)
        m.wait_log("readers get EIO")
        time.sleep(1.2)  # attributes are asked for anew
        self.fails(m, "lw")
        self.assertIsNone(self.checksum(m, "lw"))

    def again(self, m, name, wrong=False):
        """Read until the bytes come from the server once more: what was
        dropped is shown as another inode when its attributes are. When they
        are wrong again, a reader that is not at its end yet gets EIO."""
        def fetched():
            mark = self.liar.mark()
            done = mount.run(["cat", m.at(name)], text=False,
                             check=not wrong)
            if done.returncode != 0:
                self.assertIn(os.strerror(errno.EIO).encode(), done.stderr)
            return done.stdout if self.asked(name, "GET", mark) else None
        return wait_for(fetched, "bytes to be fetched again")

    def test_that_a_large_file_is_right_again_when_its_server_is(self):
        want = self.put("lm", LARGE)
        self.liar.lie("headers", path=".*/lm", method="HEAD",
                      set={"Digest": "adler32=" + adler(want)})
        self.digest("told2", "adler32=" + adler(self.put("told2", SMALL)))
        self.liar.lie("flip", path=".*/lm", method="GET", at=4711)
        m = self.start()
        self.read(m, "told2")
        self.assertNotEqual(self.read(m, "lm"), want)
        self.wait_count(m, "cache_checksums_differed", 1)
        self.liar.honest()
        self.liar.lie("headers", path=".*/lm", method="HEAD",
                      set={"Digest": "adler32=" + adler(want)})
        self.assertEqual(self.again(m, "lm"), want)
        self.wait_count(m, "cache_checksums_equal", 2)
        # From the cache, and in another mount of it, too.
        self.assertEqual(self.read(m, "lm"), want)

    def test_that_a_file_that_changes_is_not_blamed(self):
        """The checksum is late: it is of the file's next version."""
        name = "lc"
        self.put(name, LARGE)
        self.digest("told3", "adler32=" + adler(self.put("told3", SMALL)))
        self.liar.lie("headers", path=f".*/{name}", method="HEAD",
                      set={"Digest": "adler32=" + adler(b"next"),
                           "ETag": None, "Last-Modified": None})
        m = self.start()
        self.read(m, "told3")
        os.stat(m.at(name))
        # Held until it has changed: is it the same version still?
        self.liar.lie("delay", path=f".*/{name}", method="PROPFIND",
                      seconds=3600)
        mark = self.liar.mark()
        self.read(m, name)
        wait_for(lambda: self.asked(name, "PROPFIND", mark), "the question")
        self.assertEqual(len(self.asked(name, "HEAD", mark)), 1)
        os.utime(f"{self.bed.data}{self.bed.base}/{name}", (1000, 1000))
        self.liar.honest()
        wait_for(lambda: len(self.asked(name, "PROPFIND", mark)) > 1,
                 "the question once more")
        self.assertEqual(self.read(m, name),
                         content.stream(name, 0, LARGE))
        self.assertEqual(m.counters()["cache_checksums_differed"], 0)
        self.assertNotIn(DIFFERS, m.log_text())

    def test_that_nonsense_is_no_checksum(self):
        for turn, value in enumerate((
                "adler32=", "adler32=zz", "=", "md5=====", ",,,;q=",
                "sha-256=:abc:", "unixsum=30637", "adler32=" + "0" * 9000)):
            name = f"g{turn}"
            want = self.put(name, SMALL)
            self.digest(name, value)
            m = self.start()
            self.assertEqual(self.read(m, name), want)
            self.assertIsNone(self.checksum(m, name))
            self.assertEqual(m.counters()["cache_checksums_differed"], 0)
            m.stop()

    def test_that_a_server_that_cannot_make_them_still_gives_bytes(self):
        self.digest("told4", "adler32=" + adler(self.put("told4", SMALL)))
        want = self.put("no", LARGE)
        self.liar.lie("status", path=".*/no", method="HEAD", code=500)
        m = self.start()
        self.read(m, "told4")
        self.assertEqual(self.read(m, "no"), want)
        wait_for(lambda: self.asked("no", "HEAD"), "the question")
        self.assertEqual(self.read(m, "no"), want)
        self.assertEqual(len(self.asked("no", "HEAD")), 1)


if __name__ == "__main__":
    bed.main(deadline=600)
