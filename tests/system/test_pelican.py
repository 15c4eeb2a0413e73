#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A federation as a source: its director names caches and an origin, which
are used as it says, and believed no further; what is hostile about it costs
neither a token nor a byte."""
import errno
import json
import os
import signal
import time
from urllib.parse import urlsplit

import bed
from bed import content, mount
from bed.nginx import Nginx
from bed.procs import free_port

SIZE = 3_000_001


class Case(bed.Case):
    def setUp(self):
        self.director = self.bed.director
        self.director.honest()
        self.director.config(starting=False, discovery={}, headers={})
        self.director.namespace("/exp", caches=[self.bed.slices],
                                origins=[self.bed.nginx])
        self.source = f"pelican://{self.director.host}/exp"

    def put(self, name, size=SIZE):
        return content.sha256(self.bed.put(name, size))

    def read(self, m, name, want, deadline=60):
        got = mount.run(["sha256sum", m.at(name)], deadline)
        self.assertEqual(got.stdout.split()[0], want, name)

    def begin(self, token=None, **options):
        options = {"timeout": "20s", "cache_size": "0", **options}
        return self.mount(self.source, token or self.bed.token(), **options)

    def asked(self, since, path=""):
        """What the director was asked, by method and path."""
        return [one for one in self.director.requests(since)
                if path in one["path"]]

    def federation(self, m):
        return m.status()["federation"]


class Reading(Case):
    def test_that_bytes_come_from_caches_and_versions_from_the_origin(self):
        want = self.put("pelican/through.bin")
        self.director.namespace(
            "/exp", caches=[self.bed.slices, self.bed.xcache_roots],
            origins=[self.bed.nginx])
        mark = self.director.mark()
        m = self.begin()
        self.assertIn("through.bin", os.listdir(m.at("pelican")))
        self.read(m, "pelican/through.bin", want)
        servers = m.status()["servers"]
        self.assertEqual([one["role"] for one in servers],
                         ["cache", "cache", "origin"])
        self.assertGreater(servers[0]["share_percent"], 90)
        told = self.federation(m)
        self.assertEqual(told["namespace"], "/exp")
        self.assertEqual(told["issuers"], [self.bed.issuer.url])
        self.assertEqual(len(told["caches"]), 2)
        self.assertEqual(told["director"]["status"], 307)
        self.assertIsNone(told["director"]["problem"])
        self.assertGreater(told["next_in_s"], 600)
        # Asked once each, without a token, and never followed.
        self.assertEqual([one["path"].partition("?")[0] for one in
                          self.asked(mark)],
                         ["/.well-known/pelican-configuration",
                          "/api/v1.0/director/object/exp",
                          "/api/v1.0/director/origin/exp"])
        self.assertEqual({one["token"] for one in self.asked(mark)}, {None})


if __name__ == "__main__":
    bed.main(deadline=600)
