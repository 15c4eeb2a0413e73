#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Is the bed of caches, clusters and federations sound? Every file comes right
through every path with a token, and not at all without; and the real servers
misbehave as bed/xcache.py, slices.py and cluster.py say, which other tests
rely on."""
import hashlib
import os
import signal
import subprocess
import unittest
from http.client import HTTPException
from urllib.parse import urlsplit

import bed
from bed import content, space
from bed.nginx import Nginx
from bed.slices import Slices
from bed.xcache import XCache
from bed.xrootd import ROOTS, XRootD

# Around the 64 KiB of the caches' blocks and slices.
SIZES = {"empty": 0, "one": 1, "block": 65536, "more": 65537,
         "sub/some": 300001, "large": 3 << 20}


def files():
    return {f"alice/{name}": size for name, size in SIZES.items()}


class Case(bed.Case):
    """Files in the common tree, and in the cluster."""

    @classmethod
    def setUpClass(cls):
        one = cls().bed
        for name, size in files().items():
            one.put(name, size)
            one.cluster.put(name, size)
        cls.good = one.token("read:/alice")

    def ask(self, url, token=None, **more):
        return bed.ask(url, token, ca=self.bed.ca.cert, **more)


class Paths(Case):
    def curl(self, urls, token):
        """[(status, sha256)] of each in turn, redirects followed; the token
        on stdin, not in argv."""
        lines = ["silent", "show-error", "location-trusted",
                 f'cacert = "{self.bed.ca.cert}"', "max-time = 60",
                 'write-out = "%{http_code}\\n"']
        if token:
            lines.append(f'header = "Authorization: Bearer {token}"')
        for number, url in enumerate(urls):
            lines += [f'url = "{url}"', f'output = "{self.dir}/{number}"']
        done = subprocess.run(["curl", "-K", "-"], input="\n".join(lines),
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        statuses = [int(line) for line in done.stdout.split()]
        self.assertEqual(len(statuses), len(urls))
        return [(status, content.sha256(f"{self.dir}/{number}"))
                for number, status in enumerate(statuses)]

    def through(self, server, base=None):
        base = base or server.url
        names = list(files()) * 2  # a miss, then a hit where it is a cache
        urls = [f"{base}/{name}" for name in names]
        for name, got in zip(names, self.curl(urls, self.good)):
            want = content.stream(name, 0, files()[name])
            with self.subTest(name, server=server.name):
                self.assertEqual(
                    got, (200, hashlib.sha256(want).hexdigest()))
        for why, token in (
                ("none", None),
                ("ended", self.bed.token("read:/alice", lifetime=-400)),
                ("scope", self.bed.token("read:/bob"))):
            for name, (status, _) in zip(names, self.curl(urls[:len(SIZES)],
                                                          token)):
                with self.subTest(name, server=server.name, token=why):
                    self.assertIn(status, (401, 403))

    def test_that_all_come_from_xrootd_with_roots(self):
        self.through(self.bed.roots)

    def test_that_all_come_through_an_xcache_over_roots(self):
        self.through(self.bed.xcache_roots)

    def test_that_all_come_through_an_xcache_over_https(self):
        self.through(self.bed.xcache_https)

    def test_that_all_come_through_an_xcache_of_nginx(self):
        origin = self.bed.add(Nginx(self.bed, "nginx-query",
                                    query_token=True))
        self.through(self.bed.add(XCache(self.bed, "xcache-nginx", origin,
                                         "https")))

    def test_that_all_come_through_the_cache_of_slices(self):
        self.through(self.bed.slices)

    def test_that_all_come_through_the_redirector(self):
        self.through(self.bed.cluster)
        for server in self.bed.cluster.servers:
            found = [names for _, _, names in os.walk(server.data)]
            self.assertEqual(sum(map(len, found)), len(SIZES) // 2)

    def test_that_all_come_through_the_director(self):
        director = self.bed.director
        caches = [self.bed.slices, self.bed.xcache_roots,
                  self.bed.xcache_https]
        for first in range(3):
            director.namespace("/exp", caches=caches[first:] +
                               caches[:first], origins=[self.bed.nginx])
            self.through(director, director.at("/exp"))

    def test_that_they_start_anew_where_they_were(self):
        for server in (self.bed.slices, self.bed.xcache_roots,
                       self.bed.director, self.bed.cluster.servers[0]):
            port = server.port
            server.restart()
            self.assertEqual(server.port, port)
        bed.wait_for(self.bed.cluster.joined, "the server to log in again")
        self.through(self.bed.cluster)


class Misbehaving(Case):
    def part(self, url, first, last):
        answer = self.ask(url, self.good,
                          headers={"Range": f"bytes={first}-{last}"})
        self.assertEqual(answer.status, 206)
        return answer

    def mixes(self, cache):
        """Shows that the cache serves two versions at once."""
        name, size = f"alice/mixed-{cache.name}", 1 << 20
        path = self.bed.put(name, size)
        url = f"{cache.url}/{name}"
        self.part(url, 0, 999)
        # In its place, as an XRootD origin does: who has it open sees it.
        content.write(path, "another " + name, size, "r+b")
        content.touch(path, 3600)
        old = content.stream(name, 0, size)
        new = content.stream("another " + name, 0, size)
        first = self.part(url, 0, 999)
        self.assertEqual(first.body, old[:1000])
        last = self.part(url, 600000, 600999)
        self.assertEqual(last.body, new[600000:601000])
        return first, last

    def test_that_an_xcache_has_no_validators_and_never_looks_again(self):
        for cache in (self.bed.xcache_roots, self.bed.xcache_https):
            with self.subTest(cache.name):
                first, last = self.mixes(cache)
                for answer in (first, last):
                    for header in ("ETag", "Last-Modified", "Age", "Date"):
                        self.assertIsNone(answer.headers[header])
                url = f"{cache.url}/alice/kept-{cache.name}"
                self.bed.put(f"alice/kept-{cache.name}", 70000)
                want = content.stream(f"alice/kept-{cache.name}", 0, 70000)
                self.assertEqual(self.ask(url, self.good).body, want)
                self.bed.put(f"alice/kept-{cache.name}", 70000, seed="new")
                self.assertEqual(self.ask(url, self.good).body, want)
                os.unlink(f"{self.bed.data}/exp/alice/kept-{cache.name}")
                self.assertEqual(self.ask(url, self.good).body, want)
                self.assertEqual(
                    self.ask(url, self.good, method="HEAD").status, 200)

    def test_that_an_xcache_over_https_lists_nothing(self):
        for cache, status in ((self.bed.xcache_roots, 207),
                              (self.bed.xcache_https, 500)):
            for depth, want in (("0", 207), ("1", status)):
                with self.subTest(cache.name, depth=depth):
                    self.assertEqual(self.ask(
                        cache.url + "/alice", self.good, method="PROPFIND",
                        headers={"Depth": depth}).status, want)

    def test_that_an_xcache_takes_no_writes(self):
        writer = self.bed.token("write:/alice read:/alice")
        self.assertEqual(self.ask(
            self.bed.xcache_roots.url + "/alice/new", writer, method="PUT",
            body=b"new").status, 500)

    def test_that_an_xcache_hangs_on_a_miss_when_its_origin_is_down(self):
        for leg in ("roots", "https"):
            origin = self.bed.add(XRootD(self.bed, "gone-" + leg,
                                         more=ROOTS))
            cache = self.bed.add(XCache(self.bed, "orphan-" + leg, origin,
                                        leg))
            url = cache.url + "/alice/"
            self.assertEqual(self.ask(url + "block", self.good).status, 200)
            with self.subTest(leg):
                origin.pause()
                self.assertEqual(
                    self.ask(url + "block", self.good).status, 200)
                with self.assertRaises(TimeoutError):
                    self.ask(url + "more", self.good, timeout=2)
                origin.stop()
                self.assertEqual(
                    self.ask(url + "block", self.good).status, 200)
                if leg == "https":
                    self.assertEqual(
                        self.ask(url + "large", self.good).status, 405)
                else:
                    with self.assertRaises(TimeoutError):
                        self.ask(url + "large", self.good, timeout=2)
            cache.stop(signal.SIGKILL)

    def test_that_the_cache_of_slices_mixes_versions(self):
        cache = self.bed.slices
        first, last = self.mixes(cache)
        self.assertEqual(first.headers["X-Cache-Status"], "HIT")
        self.assertNotEqual(first.headers["ETag"], last.headers["ETag"])
        # Where they meet a whole file is cut.
        with self.assertRaises(HTTPException):
            self.ask(f"{cache.url}/alice/mixed-{cache.name}", self.good)
        # A condition is answered by each slice for itself.
        answer = self.ask(
            f"{cache.url}/alice/mixed-{cache.name}", self.good, headers={
                "If-Match": first.headers["ETag"],
                "Range": "bytes=600000-600999"})
        self.assertEqual(answer.status, 412)

    def test_that_the_cache_of_slices_lives_without_its_origin(self):
        origin = self.bed.add(Nginx(self.bed, "gone-nginx"))
        cache = self.bed.add(Slices(self.bed, "orphan-slices", origin))
        url = cache.url + "/alice/"
        self.assertEqual(self.ask(url + "block", self.good).status, 200)
        origin.stop()
        self.assertEqual(self.ask(url + "block", self.good).status, 200)
        self.assertEqual(self.ask(url + "block").status, 401)
        self.assertEqual(self.ask(url + "more", self.good).status, 502)
        self.assertEqual(self.ask(url, self.good, method="PROPFIND").status,
                         405)
        cache.stop()


class Redirecting(Case):
    def listed(self, url):
        """Which names a server of the cluster tells, asked at `url`."""
        text = self.ask(url, self.good, method="PROPFIND",
                        headers={"Depth": "1"}).body.decode()
        return {name for name in SIZES if f"/exp/alice/{name}<" in text}

    def test_that_a_redirector_gives_the_token_away(self):
        cluster = self.bed.cluster
        for method, status in (("GET", 302), ("HEAD", 307),
                               ("PROPFIND", 307)):
            answer = self.ask(cluster.url + "/alice/one?some=thing",
                              self.good, method=method)
            self.assertEqual(answer.status, status)
            to = urlsplit(answer.headers["Location"])
            number = cluster.files["alice/one"]
            self.assertEqual(
                (to.scheme, to.hostname, to.port),
                ("https", space.address(number),
                 cluster.servers[number].port))
            self.assertEqual(
                to.query, f"authz=Bearer%20{self.good}&some=thing")
        self.assertEqual(self.ask(cluster.url + "/alice/none",
                                  self.good).status, 404)

    @unittest.skipUnless(space.own_network(), "servers of one address")
    def test_that_a_listing_is_that_of_one_server(self):
        cluster = self.bed.cluster
        servers, all_names = set(), set()
        tried = []
        for _ in range(2):
            url = cluster.url + "/alice?tried=" + ",".join(tried)
            to = self.ask(url, self.good, method="PROPFIND",
                          headers={"Depth": "1"}).headers["Location"]
            names = self.listed(to)
            self.assertFalse(names & all_names)
            all_names |= names
            servers.add(urlsplit(to).port)
            tried.append(urlsplit(to).hostname)
        self.assertEqual(servers, {one.port for one in cluster.servers})
        self.assertEqual(all_names, {"empty", "one", "block", "more",
                                     "large"})
        self.assertEqual(self.ask(
            cluster.url + "/alice?tried=" + ",".join(tried), self.good,
            method="PROPFIND", headers={"Depth": "1"}).status, 404)


if __name__ == "__main__":
    bed.main(deadline=600)
