#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does what stands between a client and a real server break as it says? Every
fault of bed/between.py, and every answer of bed/director.py, seen by a plain
client."""
import json
import ssl
import time
import unittest
from http.client import HTTPException, IncompleteRead

import bed
from bed import between, content, space, wall
from bed.nginx import Nginx

NAME = "alice/data.bin"
SIZE = 300000


class Case(bed.Case):
    @classmethod
    def setUpClass(cls):
        one = cls().bed
        one.put(NAME, SIZE)
        cls.good = one.token("read:/alice")
        cls.want = content.stream(NAME, 0, SIZE)

    def ask(self, url, token=None, **more):
        return bed.ask(url, token, ca=self.bed.ca.cert, **more)


class Faults(Case):
    """One relay in front of nginx, another in front of XRootD."""

    def near(self, server=None):
        server = server or self.bed.nginx
        near = self.bed.between("near-" + server.name, server)
        near.heal()
        self.addCleanup(near.heal)
        return near

    def get(self, near, **more):
        return self.ask(f"{near.url}/{NAME}", self.good, **more)

    def well(self, near):
        answer = self.get(near)
        self.assertEqual((answer.status, answer.body), (200, self.want))

    def test_that_everything_passes(self):
        for server in (self.bed.nginx, self.bed.xrootd, self.bed.slices,
                       self.bed.xcache_roots):
            near = self.near(server)
            with self.subTest(server.name):
                self.well(near)
                there, here = (self.ask(
                    f"{one.url}/{NAME}", self.good,
                    headers={"Range": "bytes=1000-1999"})
                    for one in (server, near))
                self.assertEqual(here.body, self.want[1000:2000])
                for header in ("Content-Range", "ETag", "Last-Modified",
                               "Content-Length"):
                    self.assertEqual(here.headers[header],
                                     there.headers[header])
                self.assertIn(self.ask(f"{near.url}/{NAME}").status,
                              (401, 403))
                self.assertEqual(self.get(near, method="HEAD").headers[
                    "Content-Length"], str(SIZE))
        listing = self.ask(self.near().url + "/alice/", self.good,
                           method="PROPFIND", headers={"Depth": "1"})
        self.assertEqual(listing.status, 207)
        self.assertIn(b"data.bin", listing.body)

    def test_that_a_lost_server_is_a_bad_gateway_until_it_is_back(self):
        server = self.bed.add(Nginx(self.bed, "nginx-behind"))
        near = self.near(server)
        self.well(near)
        server.stop()
        self.assertEqual(self.get(near).status, 502)
        server.start(server.port)
        self.well(near)

    def test_that_faults_are_chosen_and_counted(self):
        near = self.near()
        mark = near.mark()
        near.fault("500", path=".*data.bin", times=1)
        near.fault("502", method="PROPFIND")
        self.assertEqual(self.get(near).status, 500)
        self.well(near)
        self.assertEqual(self.get(near, method="PROPFIND").status, 502)
        self.assertEqual([one["status"] for one in near.requests(mark)],
                         [500, 200, 502])
        with self.assertRaises(ValueError):
            near.fault("no such fault")

    def test_that_statuses_and_pages_come(self):
        for server in (self.bed.nginx, self.bed.xrootd):
            near = self.near(server)
            for status in ("500", "502", "503", "429", "404", "403"):
                with self.subTest(status, server=server.name):
                    near.fault(status, times=1)
                    answer = self.get(near)
                    self.assertEqual(answer.status, int(status))
                    self.assertEqual(answer.headers["Retry-After"], "1"
                                     if status in ("503", "429") else None)
            near.fault("login page", times=1)
            answer = self.get(near, headers={"Range": "bytes=0-99"})
            self.assertEqual(answer.status, 200)
            self.assertIn("text/html", answer.headers["Content-Type"])
            self.assertIn(b"Sign in", answer.body)
            self.well(near)

    def test_that_bodies_break(self):
        near = self.near()
        near.fault("truncation", times=1)
        with self.assertRaises(IncompleteRead) as caught:
            self.get(near)
        self.assertEqual(len(caught.exception.partial), between.SOME)
        near.fault("reset in mid-body", times=1)
        with self.assertRaises((ConnectionResetError, IncompleteRead)):
            self.get(near)
        for fault in ("stall before header", "stall in mid-body"):
            near.fault(fault, times=1)
            with self.subTest(fault), self.assertRaises(TimeoutError):
                self.get(near, timeout=1)
        self.well(near)

    def test_that_it_is_slow(self):
        near = self.near()
        near.fault("slow")
        began = time.monotonic()
        self.get(near, headers={"Range": "bytes=0-10239"})
        self.assertGreater(time.monotonic() - began, 0.8)

    def test_that_bytes_and_sizes_are_wrong(self):
        near = self.near()
        near.fault("wrong bytes", times=1)
        part = self.get(near, headers={"Range": "bytes=0-9999"})
        self.assertEqual((part.status, len(part.body)), (206, 10000))
        self.assertFalse(any(map(int.__eq__, part.body, self.want)))
        near.fault("wrong size")
        part = self.get(near, headers={"Range": "bytes=0-9"})
        self.assertEqual(part.headers["Content-Range"],
                         f"bytes 0-9/{SIZE + 1000}")
        self.assertEqual(self.get(near, method="HEAD").headers[
            "Content-Length"], str(SIZE + 1000))
        whole = self.get(near)
        self.assertEqual(len(whole.body), SIZE + 1000)
        self.assertEqual(whole.body[:SIZE], self.want)
        self.assertIn(
            b"getcontentlength>%d<" % (SIZE + 1000),
            self.get(near, method="PROPFIND", headers={"Depth": "0"}).body)

    def test_that_bytes_are_stale(self):
        old = self.bed.folder("old")
        path = self.bed.folder(f"old{self.bed.base}/alice") + "/data.bin"
        content.write(path, "old", SIZE)
        content.touch(path, 2 * 86400)
        stale = self.bed.add(Nginx(self.bed, "nginx-stale", data=old))
        near = self.near()
        near.fault("stale", stale=stale)
        self.assertEqual(self.get(near).body, content.stream("old", 0, SIZE))
        near.heal()
        self.well(near)

    def test_that_certificates_are_bad(self):
        near = self.near()
        for fault, word in (("wrong name", "Hostname mismatch"),
                            ("expired", "expired")):
            near.fault(fault)
            with self.subTest(fault), \
                    self.assertRaises(ssl.SSLCertVerificationError) as caught:
                self.get(near)
            self.assertIn(word, str(caught.exception))
            near.heal()
            self.well(near)

    def test_that_connections_are_refused_and_cut(self):
        near = self.near()
        near.fault("stall in mid-body", times=1)
        near.fault("refused")
        with self.assertRaises(ConnectionRefusedError):
            self.get(near)
        near.heal()
        self.well(near)

    def test_that_it_restarts(self):
        near = self.near()
        port = near.port
        near.fault("restart")
        self.assertEqual(near.port, port)
        self.well(near)

    @unittest.skipUnless(space.own_network(), "no network of its own")
    def test_that_a_black_hole_says_nothing(self):
        near = self.near()
        near.fault("black hole")
        with self.assertRaises(TimeoutError):
            self.get(near, timeout=1)
        self.assertEqual(
            self.ask(f"{self.bed.nginx.url}/{NAME}", self.good).status, 200)
        near.heal()
        self.assertNotIn("drop", wall.nft("list", "ruleset"))
        self.well(near)

    def test_that_each_fault_of_the_matrix_is_there(self):
        self.assertEqual(set(between.FAULTS), {
            "refused", "black hole", "wrong name", "expired",
            "stall before header", "stall in mid-body", "reset in mid-body",
            "truncation", "slow", "500", "502", "503", "429", "404", "403",
            "wrong size", "wrong bytes", "stale", "login page", "restart"})


class Directing(Case):
    def setUp(self):
        self.director = self.bed.director
        self.director.honest()
        self.director.config(starting=False, discovery={}, headers={})
        self.caches = [self.bed.slices, self.bed.xcache_roots]
        self.director.namespace("/exp", caches=self.caches,
                                origins=[self.bed.nginx])

    def direct(self, path, token=None, **more):
        return self.ask(self.director.at(path), token, **more)

    def base(self, server):
        return f"https://localhost:{server.port}"

    def links(self, answer):
        return answer.headers["Link"].split(", ")

    def test_that_the_federation_is_described(self):
        path = "/.well-known/pelican-configuration"
        document = json.loads(self.direct(path).body)
        self.assertEqual(document["director_endpoint"], self.director.at())
        self.assertEqual(set(document), {
            "director_endpoint", "namespace_registration_endpoint",
            "jwks_uri", "broker_endpoint", "discovery_endpoint",
            "director_advertise_endpoints"})
        self.director.config(discovery={"director_endpoint": None,
                                        "more": [1]})
        document = json.loads(self.direct(path).body)
        self.assertNotIn("director_endpoint", document)
        self.assertEqual(document["more"], [1])

    def test_that_reads_are_led_to_caches(self):
        first, second = map(self.base, self.caches)
        for path in (f"/exp/{NAME}",
                     f"/api/v1.0/director/object/exp/{NAME}"):
            answer = self.direct(path)
            self.assertEqual(answer.status, 307)
            self.assertTrue(answer.headers["Server"].startswith("pelican/"))
            self.assertEqual(answer.headers["Location"],
                             f"{first}/exp/{NAME}")
            self.assertEqual(self.links(answer), [
                f'<{first}/exp/{NAME}>; rel="duplicate"; pri=1; depth=2',
                f'<{second}/exp/{NAME}>; rel="duplicate"; pri=2; depth=2'])
        issuer = self.bed.issuer.url
        self.assertEqual(
            answer.headers["X-Pelican-Namespace"],
            "namespace=/exp, require-token=true, collections-url=" +
            self.base(self.bed.nginx))
        self.assertEqual(answer.headers["X-Pelican-Authorization"],
                         f"issuer={issuer}")
        self.assertEqual(
            answer.headers["X-Pelican-Token-Generation"],
            f"issuer={issuer}, max-scope-depth=3, strategy=OAuth2, "
            "base-path=/exp")
        self.assertEqual(self.direct(f"/exp/{NAME}?redirect=false").status,
                         200)

    def test_that_a_token_lands_in_the_location_alone(self):
        answer = self.direct(f"/exp/{NAME}?x=1", self.good)
        self.assertTrue(answer.headers["Location"].endswith(
            f"/exp/{NAME}?x=1&authz={self.good}"))
        self.assertNotIn(self.good, answer.headers["Link"])

    def test_that_origins_are_asked_for(self):
        origin = self.base(self.bed.nginx)
        for path, method in ((f"/exp/{NAME}", "PROPFIND"),
                             (f"/exp/{NAME}?directread", "GET"),
                             (f"/api/v1.0/director/origin/exp/{NAME}",
                              "GET")):
            with self.subTest(path, method=method):
                answer = self.direct(path, method=method)
                self.assertEqual(answer.status, 307)
                self.assertEqual(self.links(answer), [
                    f'<{origin}/exp/{NAME}>; rel="duplicate"; pri=1; '
                    'depth=2'])

    def test_that_refusals_are_those_of_a_director(self):
        for path, method, token, status in (
                ("/other/x", "GET", None, 404),
                ("/expo/x", "GET", None, 404),
                (f"/exp/{NAME}", "PUT", None, 405),
                (f"/exp/{NAME}", "GET", "opaque", 307),
                (f"/exp/{NAME}", "GET", self.bed.token(lifetime=5), 401),
                (f"/exp/{NAME}", "GET", self.bed.token(lifetime=-5), 401)):
            with self.subTest(path, method=method, status=status):
                answer = self.direct(path, token, method=method)
                self.assertEqual(answer.status, status)
                if status in (404, 405):
                    self.assertEqual(json.loads(answer.body)["status"],
                                     "error")
                if status == 401:
                    self.assertIn("invalid_token",
                                  answer.headers["WWW-Authenticate"])
        self.director.config(starting=True)
        self.assertEqual(self.direct(f"/exp/{NAME}").status, 429)

    def test_that_tests_shape_it(self):
        dead = "https://localhost:1"
        self.director.namespaces([
            {"prefix": "/exp", "caches": [dead] * 9, "origins": []},
            {"prefix": "/exp/alice", "caches": ["http://plain.bed.test"],
             "origins": [dead], "issuers": ["https://a", "https://b"],
             "require_token": False, "collections": None,
             "strategy": "Vault", "scope_depth": 7, "writable": True}])
        self.assertEqual(len(self.links(self.direct("/exp/x"))), 6)
        self.assertEqual(self.direct("/exp/x", method="PROPFIND").status,
                         404)
        answer = self.direct("/exp/alice")
        self.assertEqual(self.links(answer), [
            '<http://plain.bed.test/exp/alice>; rel="duplicate"; pri=1; '
            'depth=0'])
        self.assertEqual(answer.headers["X-Pelican-Namespace"],
                         "namespace=/exp/alice, require-token=false")
        self.assertEqual(
            answer.headers.get_all("X-Pelican-Authorization"),
            ["issuer=https://a", "issuer=https://b"])
        self.assertEqual(self.direct("/exp/alice", method="PUT").status, 307)
        self.director.config(headers={"Link": None, "X-Odd": ["1", "2"]})
        answer = self.direct("/exp/x")
        self.assertIsNone(answer.headers["Link"])
        self.assertEqual(answer.headers.get_all("X-Odd"), ["1", "2"])
        self.director.lie("raw", data=b"garbage\r\n\r\n", times=1)
        with self.assertRaises(HTTPException):
            self.direct("/exp/x")


if __name__ == "__main__":
    bed.main(deadline=600)
