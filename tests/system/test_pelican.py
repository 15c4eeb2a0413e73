#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A federation as a source: its director names caches and an origin, which
are used as it says, and believed no further; what is hostile about it costs
neither a token nor a byte."""
import errno
import json
import os
import time
import unittest
from urllib.parse import urlsplit

import bed
from bed import content, mount
from bed.actor import Actor
from bed.nginx import Nginx
from bed.procs import free_port

SIZE = 3_000_001
LONG = "BED_LONG" in os.environ


def netloc(server):
    return urlsplit(server.url).netloc


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


    def test_that_a_real_xcache_serves_what_never_changes(self):
        """It shows no version of what it gives: federations' files do not
        change, unless the user says that these do."""
        want = self.put("pelican/xcache.bin")
        self.director.namespace("/exp", caches=[self.bed.xcache_roots],
                                origins=[self.bed.roots])
        # A miss may take it longer than a reader waits for a cache.
        answer = bed.ask(self.bed.xcache_roots.url + "/pelican/xcache.bin",
                         self.bed.token(), ca=self.bed.ca.cert, timeout=60)
        self.assertEqual(answer.status, 200)
        for options, least, most in (({}, 90, 100),
                                     ({"immutable": "no"}, 0, 50)):
            m = self.begin(**options)
            self.read(m, "pelican/xcache.bin", want)
            cache = m.status()["servers"][0]
            self.assertEqual(cache["role"], "cache")
            self.assertGreaterEqual(cache["share_percent"], least)
            self.assertLessEqual(cache["share_percent"], most)

    def test_that_listings_come_from_where_the_director_says(self):
        want = self.put("pelican/apart/x.bin", 1000)
        lister = self.bed.servers.get("lister") or self.bed.add(
            Nginx(self.bed, "lister"))
        self.director.namespace("/exp", caches=[], origins=[self.bed.nginx],
                                collections=f"https://{netloc(lister)}")
        marks = lister.mark(), self.bed.nginx.mark()
        m = self.begin()
        self.assertEqual(os.listdir(m.at("pelican/apart")), ["x.bin"])
        self.read(m, "pelican/apart/x.bin", want)
        self.assertEqual({one["method"] for one in lister.requests(marks[0])},
                         {"PROPFIND"})
        self.assertIn("GET", {one["method"] for one in
                              self.bed.nginx.requests(marks[1])})
        self.assertEqual([one["role"] for one in m.status()["servers"]],
                         ["listings", "origin"])

    def test_that_without_listings_files_open_by_their_path(self):
        want = self.put("pelican/unlisted.bin", 1000)
        self.director.namespace("/exp", caches=[self.bed.slices],
                                origins=[self.bed.nginx], collections=None)
        m = self.begin()
        with self.assertRaises(OSError) as got:
            os.listdir(m.at("pelican"))
        self.assertEqual(got.exception.errno, errno.EOPNOTSUPP)
        self.read(m, "pelican/unlisted.bin", want)

    def test_that_an_origin_that_is_not_told_is_where_listings_are(self):
        want = self.put("pelican/untold.bin", 1000)
        self.director.namespace(
            "/exp", caches=[self.bed.slices], origins=[],
            collections=f"https://{netloc(self.bed.nginx)}")
        m = self.begin()
        self.read(m, "pelican/untold.bin", want)
        self.assertEqual(m.status()["servers"][-1]["url"],
                         f"https://{netloc(self.bed.nginx)}")

    def test_that_a_host_without_a_director_serves_itself(self):
        want = self.put("pelican/alone.bin")
        self.director.config(discovery={"director_endpoint": None})
        parts = f"https://{self.director.host}"
        self.director.lie("redirect", path="/exp.*", status=307,
                          to="https://other.bed.test/exp")
        m = self.begin(timeout="5s")
        self.assertEqual([one["url"] for one in m.status()["servers"]],
                         [parts])
        # What a user names stands for what the federation would name.
        self.director.honest()
        self.director.config(discovery={})
        m = self.begin(server=f"https://{netloc(self.bed.slices)}")
        self.read(m, "pelican/alone.bin", want)
        self.assertEqual([one["url"] for one in m.status()["servers"]],
                         [f"https://{netloc(server)}" for server in
                          (self.bed.slices, self.bed.nginx)])


class Changing(Case):
    def test_that_the_director_is_asked_when_all_caches_fail(self):
        wants = [self.put(f"pelican/change{i}.bin") for i in range(2)]
        dead = f"https://localhost:{free_port()}"
        self.director.namespace("/exp", caches=[dead],
                                origins=[self.bed.nginx])
        m = self.begin()
        self.director.namespace("/exp", caches=[self.bed.slices],
                                origins=[self.bed.nginx])
        self.read(m, "pelican/change0.bin", wants[0])
        bed.wait_for(lambda: [one["url"] for one in m.status()["servers"]] ==
                     [f"https://{netloc(server)}" for server in
                      (self.bed.slices, self.bed.nginx)],
                     "the new servers", 20)
        self.read(m, "pelican/change1.bin", wants[1])
        self.assertGreater(m.status()["servers"][0]["received_bytes"], 0)

    def test_that_a_mount_starts_without_a_network(self):
        want = self.put("pelican/late.bin")
        port = self.director.port
        self.director.stop()
        try:
            m = self.begin()
            lines = [line for line in m.log().splitlines()
                     if line.startswith("bearerfs: ")]
            self.assertEqual(len(lines), 1, lines)
            self.assertIn("mounted; reading works when it answers", lines[0])
            self.assertIn("pelican-configuration", lines[0])
            self.assertIn("check the network", lines[0])
            text = m.command("status", m.path).stdout
            self.assertIn("federation: ", text)
        finally:
            self.director.start(port)
            self.setUp()
        # It is waited for: nobody need try again.
        self.read(m, "pelican/late.bin", want)
        self.assertIsNone(self.federation(m)["document"]["problem"])

    def test_that_reading_fails_in_time_while_nobody_answers(self):
        port = self.director.port
        self.director.stop()
        try:
            m = self.begin(timeout="1s")
            before = time.monotonic()
            got = mount.run(["cat", m.at("pelican/x")], check=False)
            self.assertLess(time.monotonic() - before, 15)
            self.assertIn("No route to host", got.stderr)
            told = m.command("explain", m.at("pelican/x"), check=False)
            self.assertIn("pelican-configuration", told.stdout)
        finally:
            self.director.start(port)

    @unittest.skipUnless(LONG, "waits for the director's next turn")
    def test_that_one_that_has_just_started_is_asked_again(self):
        want = self.put("pelican/starting.bin", 1000)
        self.director.config(starting=True)
        m = self.begin()
        m.wait_log("HTTP 429")
        self.director.config(starting=False)
        self.read(m, "pelican/starting.bin", want)

    def refused(self, source, *words, **options):
        """No mount comes of it, and one line says why."""
        m = self.make_mount(source, self.bed.token(), **options)
        got = mount.run([m.binary, source, m.path, "-f", "-o",
                         m.option_text()], env=m.env, check=False)
        self.assertEqual(got.returncode, 1, got.stderr)
        said = [line for line in got.stderr.splitlines()
                if line.startswith("bearerfs: ")]
        self.assertEqual(len(said), 1, got.stderr)
        for word in words:
            self.assertIn(word, said[0])

    def test_that_what_waiting_cannot_heal_is_refused(self):
        host = self.director.host
        self.refused(f"pelican://{host}/nowhere", "director",
                     "/nowhere", "check the path")
        self.director.lie("status", code=404, path="/.well-known.*")
        self.refused(self.source, "pelican-configuration", "404",
                     "check its name")
        self.director.honest()
        self.refused(self.source, "ca_file",
                     ca_file="/etc/ssl/certs/ca-certificates.crt")
        self.refused(f"pelican://{host}", "no namespace")
        self.director.lie("status", code=500, path="/.well-known.*")
        self.refused(self.source, "500", "-o check", check=True)


class Hostile(Case):
    def test_that_no_token_goes_where_it_must_not(self):
        """Not to the director, not over http, not to where it redirects, nor
        to one that is named in a way that counts for nothing."""
        want = self.put("pelican/hostile.bin")
        thief = self.bed.another_lying("thief")
        thief.honest()
        other = thief.on("other.bed.test") + "/pelican/hostile.bin"
        slices = f"https://{netloc(self.bed.slices)}/exp"
        marks = thief.mark(), self.director.mark()
        self.director.lie("headers", path="/api/v1.0/director/object/.*", set={
            "Location": other,
            "Link": f'<{thief.http_url}>; rel="duplicate"; pri=1, '
                    f'<{other}>; rel="describedby"; pri=1, '
                    f'<{slices}?authz=old>; rel="duplicate"; pri=2'})
        m = self.begin()
        self.read(m, "pelican/hostile.bin", want)
        self.assertEqual(thief.requests(marks[0]), [])
        self.assertEqual({one["token"] for one in self.asked(marks[1])},
                         {None})
        told = self.federation(m)
        self.assertEqual(told["caches"],
                         [f"https://{netloc(self.bed.slices)}"])
        self.assertGreater(told["passed_over"], 0)
        self.assertNotIn("authz", json.dumps(m.status()))

    def test_that_a_host_that_is_dropped_gets_no_token(self):
        """A redirect there took it before, and does not any more."""
        self.bed.lying.honest()
        self.put("pelican/drop0.bin"), self.put("pelican/drop1.bin")
        near = self.bed.another_lying("near")
        near.honest()
        near.config(open=True, accept=None)
        self.director.namespace("/exp", caches=[near.on("localhost")],
                                origins=[self.bed.lying])
        m = self.begin("a-token")
        mark = near.mark()
        self.read(m, "pelican/drop0.bin",
                  content.sha256(self.bed.data + "/exp/pelican/drop0.bin"))
        self.assertEqual({one["token"] for one in near.requests(mark)},
                         {"a-token"})
        dead = f"https://localhost:{free_port()}"
        self.director.namespace("/exp", caches=[dead],
                                origins=[self.bed.lying])
        near.lie("close")
        self.assertTrue(os.stat(m.at("pelican/drop1.bin")).st_size)
        mount.run(["head", "-c", "1000", m.at("pelican/drop1.bin")])
        bed.wait_for(lambda: self.federation(m)["caches"] == [dead],
                     "the other cache", 20)
        near.honest()
        self.bed.lying.lie("redirect", path=".*drop1.bin", method="GET",
                           to=near.on("localhost") + "/pelican/drop1.bin")
        mark = near.mark()
        self.read(m, "pelican/drop1.bin",
                  content.sha256(self.bed.data + "/exp/pelican/drop1.bin"))
        self.assertEqual({one["token"] for one in near.requests(mark)},
                         {None})

    LIES = [
        ("redirect", {"status": 307, "to": "/api/v1.0/director/object/exp"},
         "/api/.*"),
        ("loop", {}, "/.well-known/.*"),
        ("status", {"code": 200, "body": "<html>log in</html>",
                    "headers": {"Content-Type": "text/html"}},
         "/.well-known/.*"),
        ("endless_body", {"status": 200, "repeat": "x" * 65536}, ".*"),
        ("endless_headers", {}, ".*"),
        ("long_header", {"size": 1 << 20}, "/api/.*"),
        ("raw", {"data": "SSH-2.0-OpenSSH_9.2\r\n"}, ".*"),
        ("headers", {"set": {"X-Pelican-Namespace": "namespace=/other"}},
         "/api/.*"),
        ("headers", {"drop": ["X-Pelican-Namespace"]}, "/api/.*"),
        ("truncate", {"at": 10}, "/.well-known/.*"),
        ("stall", {}, "/.well-known/.*"),
    ]

    def test_that_whatever_it_says_the_mount_lives_and_waits(self):
        """Not one of these starts a mount that works, ends one, or is asked
        without end."""
        for what, args, path in self.LIES[::1 if LONG else 2]:
            with self.subTest(what, path=path):
                self.director.honest()
                mark = self.director.mark()
                self.director.lie(what, path=path, **args)
                m = self.begin(timeout="2s")
                line = next(line for line in m.log().splitlines()
                            if line.startswith("bearerfs: "))
                self.assertIn("; mounted; reading works when it answers",
                              line)
                self.assertIn(self.director.host, line)
                self.assertLess(len(self.asked(mark)), 8)
                self.assertLess(m.memory(), 100 << 20)
                self.assertEqual([one["token"] for one in
                                  self.asked(mark) if one["token"]], [])
                m.stop()

    def test_that_a_lifetime_of_nothing_is_not_believed(self):
        self.director.config(headers={
            "Cache-Control": "max-age=0, no-store", "Age": "9999999",
            "Expires": "0", "Retry-After": "0"})
        self.director.lie("headers", path="/.well-known/.*",
                          set={"Cache-Control": "max-age=0"})
        mark = self.director.mark()
        m = self.begin()
        time.sleep(2)
        self.assertEqual(len(self.asked(mark)), 3)
        self.assertGreater(self.federation(m)["next_in_s"], 600)


class Telling(Case):
    def doctor(self, token=None, *words, **options):
        m = self.make_mount(self.source, token or self.bed.token(), **options)
        got = mount.run([m.binary, "doctor", *words, self.source, "-o",
                         m.option_text()], env=m.env, check=False)
        return got.returncode, got.stdout

    def test_that_doctor_names_each_step(self):
        self.put("pelican/doctor.bin", 1000)
        dead = f"https://localhost:{free_port()}"
        self.director.namespace("/exp", caches=[self.bed.slices, dead],
                                origins=[self.bed.nginx])
        status, text = self.doctor()
        self.assertEqual(status, 0, text)
        for line in (
                f"ok   source: pelican://{self.director.host}/exp",
                f"ok   federation: pelican://{self.director.host} names the "
                f"director https://{self.director.host}",
                "ok   director: the namespace /exp: origin "
                f"https://{netloc(self.bed.nginx)}, listings at the same, 2 "
                "caches",
                "ok   signature: good",
                "ok   scope: covers /exp",
                "ok   server: answers to the token",
                f"ok   server: https://{netloc(self.bed.slices)} gives the "
                "origin's version"):
            self.assertIn(line, text)
        self.assertIn(f"warn server: {dead}", text)

    def test_that_doctor_says_where_it_ends(self):
        for lie, path, name in (
                ({"code": 404}, "/.well-known/.*", "federation"),
                ({"code": 500}, "/api/.*", "director")):
            self.director.honest()
            self.director.lie("status", path=path, **lie)
            status, text = self.doctor()
            self.assertEqual(status, 1)
            fails = [line for line in text.splitlines()
                     if line.startswith("FAIL")]
            self.assertEqual(len(fails), 1, text)
            self.assertIn(f"FAIL {name}: ", fails[0])
            self.assertIn(str(lie["code"]), fails[0])
            self.assertIn("; ", fails[0])
            # The token is looked at all the same.
            self.assertIn("ok   token: found", text)

    def test_that_tokens_are_verified_by_the_federations_word(self):
        self.put("ada/pelican.bin", 1000)
        rogue = self.bed.token(rogue=True)
        status, text = self.doctor(rogue)
        self.assertEqual(status, 1)
        self.assertIn("FAIL signature", text)
        # Of two issuers it is not clear what their scopes mean.
        self.director.namespaces([{
            "prefix": "/exp", "caches": [], "origins": [self.bed.nginx],
            "issuers": [self.bed.issuer.url, "https://other.bed.test"]}])
        status, text = self.doctor()
        self.assertIn("does not tell what the scopes", text)

    def test_that_users_of_a_mount_are_told_apart(self):
        """By the federation's word where the audience is set; else the
        servers prove their tokens."""
        self.put("ada/shared.bin", 1000)
        for options in {}, {"audience": self.bed.audience}:
            m = self.mount(self.source, None, allow_other=True,
                           cache_size="0", timeout="10s", **options)
            for folder in (self.dir, m.folder):
                os.chmod(folder, 0o755)
            users = [Actor(self.dir, uid, self.bed.token(scope))
                     for uid, scope in ((1001, "read:/ada"),
                                        (1002, "read:/bob"))]
            for user in users:
                self.addCleanup(user.end)
            self.assertEqual(users[0].do("read", m.at("ada/shared.bin")),
                             1000)
            self.assertEqual(users[1].code("read", m.at("ada/shared.bin")),
                             errno.EACCES)
            self.assertEqual("tokens verified by the federation" in m.log(),
                             bool(options))
            m.stop()

    def test_that_status_and_explain_tell_who_said_what(self):
        self.put("pelican/told.bin", 1000)
        m = self.begin()
        with open(m.at("pelican/told.bin"), "rb") as file:
            file.read()
        line = f"federation: director https://{self.director.host}, " \
            f"namespace /exp: origin https://{netloc(self.bed.nginx)}, " \
            f"caches https://{netloc(self.bed.slices)}; asked "
        self.assertIn(line, m.command("status", m.path).stdout)
        self.assertIn(line, m.command(
            "explain", m.at("pelican/told.bin")).stdout)
        told = json.loads(m.command(
            "explain", "--json", m.at("pelican/told.bin")).stdout)
        self.assertEqual(told["federation"]["namespace"], "/exp")


if __name__ == "__main__":
    bed.main(deadline=600)
