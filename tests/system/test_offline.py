#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The laptop that walks away: what is known is served while no server can be
reached, and the mount comes back by itself when one can."""
import errno
import os
import subprocess
import threading
import time

import bed
from bed import content, mount
from bed.procs import slow

SIZE = 3 << 20


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def code_of(call):
    try:
        call()
        return 0
    except OSError as error:
        return error.errno


class Offline(bed.Case):
    deadline = 240

    def begin(self, server, lifetime=3600, **options):
        """A mount whose tree is known and in part cached."""
        for name in ("a.bin", "sub/b.bin", "sub/uncached.bin"):
            self.bed.put("alice/" + name, SIZE)
        m = self.mount(server.url, self.bed.token("read:/alice",
                                                  lifetime=lifetime),
                       attr_ttl="1s", negative_ttl="1s", **options)
        self.walk(m)
        for name in ("a.bin", "sub/b.bin"):
            self.check(m, name)
        time.sleep(2.1)  # all of it is old now
        return m

    def walk(self, m):
        return sorted(os.path.relpath(os.path.join(top, name), m.path)
                      for top, _, names in os.walk(m.at("alice"))
                      for name in names)

    def check(self, m, name):
        with open(m.at("alice", name), "rb") as file:
            self.assertEqual(
                file.read(), content.stream("alice/" + name, 0, SIZE))

    def freshness(self, m, name):
        return os.getxattr(m.at("alice", name),
                           "user.bearerfs.freshness").decode()

    def look_around(self, m):
        """Everything that was known is there, without a wait."""
        begun = time.monotonic()
        self.assertEqual(self.walk(m), ["alice/a.bin", "alice/sub/b.bin",
                                        "alice/sub/uncached.bin"])
        self.assertEqual(os.stat(m.at("alice/sub/uncached.bin")).st_size,
                         SIZE)
        self.assertEqual(code_of(lambda: os.stat(m.at("alice/sub/none"))),
                         errno.ENOENT)
        for name in ("a.bin", "sub/b.bin"):
            self.check(m, name)
        self.assertRegex(self.freshness(m, "a.bin"), r"^offline \d+ s$")
        return time.monotonic() - begun

    def back(self, m, name="a.bin"):
        """The new version is seen, soon."""
        self.bed.put("alice/" + name, SIZE, seed="another")
        bed.wait_for(lambda: self.freshness(m, name) == "fresh",
                     "the mount to come back", 30 * max(1.0, slow))
        with open(m.at("alice", name), "rb") as file:
            self.assertEqual(file.read(), content.stream("another", 0, SIZE))
        m.wait_log("online again")
        self.assertEqual(m.status()["cache"]["offline"], "allowed")

    def test_that_a_stopped_server_is_done_without(self):
        for server in (self.bed.nginx, self.bed.xrootd):
            m = self.begin(server)
            server.stop()
            self.look_around(m)
            self.assertLess(self.look_around(m), 2 * max(1.0, slow))
            state = m.status()["cache"]
            self.assertEqual(state["offline"], "now")
            self.assertIn("no server can be reached",
                          m.command("status", m.path).stdout)
            told = m.command("explain", m.at("alice/a.bin")).stdout
            self.assertIn("what is known of it is served", told)
            server.start(server.port)
            self.back(m)
            m.stop()

    def test_that_the_network_may_go(self):
        m = self.begin(self.bed.nginx)
        ip("link", "set", "lo", "down")
        try:
            self.look_around(m)
            self.assertLess(self.look_around(m), 2 * max(1.0, slow))
        finally:
            ip("link", "set", "lo", "up")
        self.back(m)

    def test_that_a_server_that_hangs_is_as_good_as_none(self):
        """Connections stay, nothing comes: a network behind which all is
        lost."""
        m = self.begin(self.bed.nginx, timeout="8s")
        self.bed.nginx.pause()
        try:
            self.look_around(m)
            self.assertLess(self.look_around(m), 2 * max(1.0, slow))
            # Bytes that are not here are waited for, as long as ever.
            with open(m.at("alice/sub/uncached.bin"), "rb") as file:
                self.assertIn(code_of(lambda: file.read(10)),
                              (errno.ETIMEDOUT, errno.EHOSTUNREACH))
        finally:
            self.bed.nginx.resume()
        self.back(m)

    def test_that_no_is_no(self):
        m = self.begin(self.bed.nginx, timeout="3s", offline="no")
        self.bed.nginx.stop()
        try:
            self.assertIn(code_of(lambda: os.stat(m.at("alice/a.bin"))),
                          (errno.ETIMEDOUT, errno.EHOSTUNREACH))
            self.assertEqual(m.status()["cache"]["offline"], "no")
        finally:
            self.bed.nginx.start(self.bed.nginx.port)

    def test_that_an_ended_token_does_for_its_grace(self):
        m = self.begin(self.bed.nginx, lifetime=10, timeout="4s",
                       offline_grace="12s")
        ends = time.time() + 10
        self.bed.nginx.stop()
        try:
            bed.wait_for(lambda: m.status()["token"]["state"] == "expired",
                         "the token to end", 60)
            self.look_around(m)
            # Over: it is waited for another in vain.
            time.sleep(max(0, ends + 13 - time.time()))
            for _ in range(2):
                self.assertEqual(
                    code_of(lambda: os.listdir(m.at("alice"))),
                    errno.EKEYEXPIRED)
        finally:
            self.bed.nginx.start(self.bed.nginx.port)
        m.set_token(self.bed.token("read:/alice"))
        self.back(m)

    def test_that_an_ended_token_opens_nothing_while_there_is_a_server(self):
        m = self.begin(self.bed.nginx, lifetime=8, timeout="3s")
        bed.wait_for(lambda: m.status()["token"]["state"] == "expired",
                     "the token to end", 60)
        self.assertEqual(code_of(lambda: os.listdir(m.at("alice"))),
                         errno.EKEYEXPIRED)
        with self.assertRaises(OSError) as caught:
            self.check(m, "a.bin")
        self.assertEqual(caught.exception.errno, errno.EKEYEXPIRED)

    def test_that_a_refusal_stands(self):
        lying = self.bed.lying
        lying.honest()
        m = self.begin(lying)
        lying.lie("status", path="/exp/alice/a.bin", code=403)
        self.assertEqual(code_of(lambda: os.stat(m.at("alice/a.bin"))),
                         errno.EACCES)
        lying.stop()
        try:
            self.check(m, "sub/b.bin")
            done = threading.Event()

            def look():
                code_of(lambda: os.stat(m.at("alice/a.bin")))
                done.set()

            threading.Thread(target=look, daemon=True).start()
            self.assertFalse(done.wait(3))
        finally:
            lying.start(lying.port)
        self.assertTrue(done.wait(30 * max(1.0, slow)))

    def test_that_readers_go_on_while_it_goes_and_comes(self):
        """Nobody gets an error of what is cached, whatever the network
        does."""
        m = self.begin(self.bed.nginx)
        wrong = []
        end = time.monotonic() + 8

        def work():
            while time.monotonic() < end:
                try:
                    self.look_around_quietly(m)
                except (OSError, AssertionError) as error:
                    wrong.append(repr(error))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            ip("link", "set", "lo", "down")
            time.sleep(1.5)
            ip("link", "set", "lo", "up")
            time.sleep(1.0)
        for thread in threads:
            thread.join()
        self.assertEqual(wrong[:3], [])

    def look_around_quietly(self, m):
        self.walk(m)
        for name in ("a.bin", "sub/b.bin"):
            self.check(m, name)
        time.sleep(0.01)

    def test_that_many_users_have_it_only_when_asked_for(self):
        """With allow_other offline is off unless it is named."""
        for option, state in ((None, "no"), ("yes", "allowed")):
            m = self.mount(self.bed.nginx.url, allow_other=True,
                           offline=option, timeout="4s")
            self.assertEqual(m.status()["cache"]["offline"], state)
            m.stop()


if __name__ == "__main__":
    bed.main(deadline=900)
