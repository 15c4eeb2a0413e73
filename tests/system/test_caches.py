#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real caches before real origins: XCache over both legs, nginx's cache of
slices. What they are known to get wrong (test_bed_paths) reaches no program;
what is right in them is used."""
import errno
import hashlib
import os
import signal
import time

import bed
from bed import content, mount
from bed.procs import READY, slow
from bed.xcache import XCache
from bed.xrootd import ROOTS, XRootD

# Around the 64 KiB of the caches' blocks and slices.
SIZES = {"empty": 0, "one": 1, "block": 65536, "more": 65537,
         "sub/some": 300001, "large": 3 << 20}
TTL = 1
MIXED = 1 << 20
UNFIT = "it shows no version of what it gives"


class Case(bed.Case):
    @classmethod
    def setUpClass(cls):
        for name, size in SIZES.items():
            cls().bed.put(f"real/{name}", size)

    def pairs(self):
        """(cache, the origin behind it)"""
        yield self.bed.xcache_roots, self.bed.roots
        yield self.bed.xcache_https, self.bed.xrootd
        yield self.bed.slices, self.bed.nginx

    def begin(self, cache, origin, **more):
        options = {"server": cache.url, "timeout": "20s", "cache_size": "0",
                   "attr_ttl": f"{TTL}s", "negative_ttl": "1s", **more}
        return self.mount(origin.url, self.bed.token("read:/"), **options)

    def read(self, m, name):
        return mount.run(["cat", m.at(name)], text=False).stdout

    def ask(self, cache, name, first=None, last=None):
        headers = {} if first is None else {"Range": f"bytes={first}-{last}"}
        return bed.ask(f"{cache.url}/{name}", self.bed.token("read:/"),
                       ca=self.bed.ca.cert, headers=headers)

    def check_all(self, m, why):
        for name, size in SIZES.items():
            want = content.stream(f"real/{name}", 0, size)
            got = self.read(m, "real/" + name)
            self.assertEqual(hashlib.sha256(got).hexdigest(),
                             hashlib.sha256(want).hexdigest(), (why, name))

    def from_cache(self, m):
        return m.status()["servers"][0]["received_bytes"]


class Right(Case):
    def test_that_every_file_is_right_through_each(self):
        for cache, origin in self.pairs():
            for immutable in (True, None):
                if immutable or cache is self.bed.slices:
                    self.give_all(cache, origin, immutable)
                    continue
                m = self.begin(cache, origin)
                self.check_all(m, cache.name)
                m.wait_log(UNFIT)
                m.stop()

    def give_all(self, cache, origin, immutable):
        """The first mount fills the cache. One that is late with something,
        on a busy machine, is left for the origin, which is right; the next
        one finds more in it."""
        end = time.monotonic() + READY
        late = True
        while late:
            m = self.begin(cache, origin, immutable=immutable)
            self.check_all(m, (cache.name, immutable))
            late = self.was_late(m) and time.monotonic() < end
            given = self.from_cache(m)
            m.stop()
        self.assertGreaterEqual(given, sum(SIZES.values()), cache.name)

    @staticmethod
    def was_late(m):
        """Whether it has left a server, or asked another one besides."""
        return m.counters()["fetch_hedges"] > 0 or \
            "errno=ETIMEDOUT" in m.log_text()

    def change(self, name, cache):
        """A file of which the cache has a part, and then another one of the
        same size at the origin."""
        path = self.bed.put(name, MIXED)
        self.assertEqual(self.ask(cache, name, 0, 999).status, 206)

        def replace():
            # In its place, as an XRootD origin does.
            content.write(path, "another " + name, MIXED, "r+b")
            content.touch(path, 3600)
        return replace

    def follow(self, cache, origin, name):
        """Old bytes, then new ones, never both."""
        replace = self.change(name, cache)
        old = content.stream(name, 0, MIXED)
        new = content.stream("another " + name, 0, MIXED)
        m = self.begin(cache, origin)
        self.assertEqual(self.read(m, name), old)
        with open(m.at(name), "rb", buffering=0) as before:
            self.assertEqual(before.read(1000), old[:1000])
            replace()
            end = time.monotonic() + TTL + 1.5 * max(1.0, slow)
            while True:
                try:
                    got = self.read(m, name)
                except bed.Failed as failure:
                    # It changed between open(2) and the last byte.
                    self.assertIn(os.strerror(errno.ESTALE), str(failure))
                    got = None
                late = time.monotonic() > end
                self.assertIn(got, (old, new, None), cache.name)
                if got == new:
                    break
                self.assertFalse(late, f"{cache.name}: still the old one")
                time.sleep(0.1)
            # Whoever has the old one open is told.
            os.posix_fadvise(before.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            for offset in range(0, MIXED, 1 << 17):
                try:
                    got = os.pread(before.fileno(), 4096, offset)
                except OSError as error:
                    self.assertEqual(error.errno, errno.ESTALE)
                else:
                    self.assertEqual(got, old[offset:offset + 4096])
        # A mount that has never seen the old one.
        self.assertEqual(self.read(self.begin(cache, origin), name), new)

    def test_that_a_replaced_file_is_followed(self):
        for cache, origin in self.pairs():
            with self.subTest(cache.name):
                self.follow(cache, origin, f"real/mixed-{cache.name}")


class Failing(Case):
    def test_that_a_cache_whose_origin_is_gone_keeps_nobody(self):
        """XCache hangs on what it has not; over https it says 405 where
        nobody listens."""
        for leg in ("roots", "https"):
            behind = self.bed.add(XRootD(self.bed, "gone-" + leg,
                                         more=ROOTS))
            cache = self.bed.add(XCache(self.bed, "orphan-" + leg, behind,
                                        leg))
            self.assertEqual(self.ask(cache, "real/block").status, 200)
            for gone in (behind.pause, behind.stop):
                gone()
                m = self.begin(cache, self.bed.xrootd, immutable=True)
                with self.subTest(leg, gone=gone.__name__):
                    for name in ("block", "large"):
                        began = time.monotonic()
                        self.assertEqual(
                            self.read(m, "real/" + name),
                            content.stream("real/" + name, 0, SIZES[name]))
                        # Twice that: the machine is shared.
                        self.assertLess(time.monotonic() - began,
                                        4 * max(1.0, slow))
                m.stop()
            cache.stop(signal.SIGKILL)

    def spoil(self, cache, name):
        """The disk of a cache has gone bad."""
        path = os.path.join(cache.data, self.bed.base.lstrip("/"), name)
        with open(path, "r+b") as file:
            file.seek(30000)
            byte = file.read(1)
            file.seek(30000)
            file.write(bytes([byte[0] ^ 1]))

    def test_that_a_cache_with_wrong_bytes_is_named_and_left(self):
        cache, origin = self.bed.xcache_roots, self.bed.roots
        for name in ("bad-small", "bad-large"):
            size = 200001 if name == "bad-small" else 3 << 20
            self.bed.put(f"real/{name}", size)
            want = content.stream(f"real/{name}", 0, size)
            self.assertEqual(self.ask(cache, f"real/{name}").body, want)
            # Until its writer has put it on the disk, and closed it.
            bed.wait_for(lambda: self.spoilt(cache, f"real/{name}", want),
                         "the cache to have bad bytes")
            m = self.begin(cache, origin, immutable=True)
            if name == "bad-small":
                self.assertEqual(self.read(m, f"real/{name}"), want)
            else:
                # It is given as it comes, and found out then.
                self.read(m, f"real/{name}")
                m.wait_log("wrong bytes from a cache")
                bed.wait_for(
                    lambda: self.read(m, f"real/{name}") == want,
                    "right bytes", 20)
            m.wait_log("wrong bytes from a cache")
            log = [line for line in m.log_text().splitlines()
                   if "wrong bytes from a cache" in line]
            self.assertEqual(len(log), 1, log)
            self.assertIn(f"localhost:{cache.port}", log[0])
            self.assertIn("checksum", m.status()["servers"][0]["last_error"])
            self.assertIn("do not fit the checksum", m.command(
                "explain", m.at(f"real/{name}")).stdout)
            m.stop()

    def spoilt(self, cache, name, want):
        if self.ask(cache, name).body != want:
            return True
        self.spoil(cache, name)
        time.sleep(0.2)
        return False


if __name__ == "__main__":
    bed.main(deadline=600)
