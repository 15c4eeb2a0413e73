#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does `bearerfs doctor` find each fault that is planted, and name its cure?"""
import email.utils
import json
import os
import time

import bed
from bed import mount
from bed.procs import free_port


class Doctor(bed.Case):
    def setUp(self):
        self.bed.put("alice/a.txt", data=b"hello\n")
        self.url = self.bed.nginx.url
        self.keys = os.path.join(self.dir, "jwks")
        with open(self.keys, "w") as file:
            json.dump(self.bed.issuer.jwks(), file)
        self.text = self.bed.token("read:/")

    def look(self, source=None, token=None, words=(), mode=0o600, **options):
        """(exit status, {name: (grade, text)}); never the token."""
        token = self.text if token is None else token
        m = self.make_mount(source or self.url, token, **options)
        os.chmod(m.token_file, mode)
        done = mount.run([m.binary, "doctor", *words, "-o", m.option_text(),
                          m.source], check=False, env=m.env)
        self.assertEqual(done.stderr, "")
        for part in token.split("."):
            if len(part) > 20:
                self.assertNotIn(part, done.stdout)
        if "--json" in words:
            return done.returncode, {
                one["name"]: (one["result"], one["text"])
                for one in json.loads(done.stdout)}
        found = {}
        for line in done.stdout.splitlines():
            grade, rest = line[:4].strip(), line[5:]
            self.assertIn(grade, ("ok", "warn", "FAIL"))
            name, text = rest.split(": ", 1)
            found[name] = (grade, text)
        return done.returncode, found

    def fails(self, name, *words, **more):
        """This check alone fails, with the cure behind a semicolon."""
        status, found = self.look(**more)
        self.assertEqual(status, 1, found)
        failed = [n for n, (grade, _) in found.items() if grade == "FAIL"]
        self.assertIn(name, failed, found)
        text = found[name][1]
        for word in words:
            self.assertIn(word, text)

    def test_a_good_source_is_good(self):
        for words in (), ("--json",):
            status, found = self.look(words=words, jwks=self.keys)
            self.assertEqual(status, 0, found)
            self.assertEqual({grade for grade, _ in found.values()}, {"ok"},
                             found)
            for name in ("source", "trust", "cache", "fuse", "token",
                         "times", "signature", "scope", "server", "abilities",
                         "reading", "validators", "profile", "clock"):
                self.assertIn(name, found)
        self.assertIn("WebDAV: 1 name here", found["abilities"][1])
        self.assertIn("/alice/a.txt' can be read", found["reading"][1])
        # nginx has an ETag with the bytes, none in PROPFIND.
        self.assertIn("bytes have a strong ETag", found["validators"][1])
        self.assertEqual(found["signature"][1], "good")
        self.assertIn("MiB free", found["cache"][1])

    def test_faults_of_the_token(self):
        self.fails("token", "; write one there", token_file=self.dir + "/no")
        self.fails("token", "ended",
                   token=self.bed.token(lifetime=-10))
        self.fails("token", "token", token="two words\n")
        self.fails("token", "chmod 600", mode=0o644)
        self.fails("server", "'read:/bob'", "; get a token that",
                   token=self.bed.token("read:/bob"),
                   source=self.url + "/alice")

    def test_faults_of_signature_and_scope(self):
        """Told as found here, not as a server's words."""
        self.fails("signature", "the token does not verify: its signature",
                   "; get a new token of the issuer", jwks=self.keys,
                   token=self.bed.token(rogue=True))
        status, found = self.look(
            jwks=self.keys, base_path="/exp", source=self.url + "/alice",
            token=self.bed.token("read:/alice"))
        self.assertEqual(status, 0, found)
        self.assertEqual(found["scope"], ("ok", "covers /exp/alice"))
        self.fails("scope", "the token's scope 'read:/bob' does not cover",
                   "; get a token that does", jwks=self.keys,
                   base_path="/exp", token=self.bed.token("read:/bob"),
                   source=self.url + "/alice")

    def test_faults_of_the_server(self):
        self.fails("server", "; check host and port",
                   source=f"https://localhost:{free_port()}/exp")
        self.fails("server", "ca_file=FILE",
                   ca_file="/etc/ssl/certs/ca-certificates.crt")
        self.fails("server", "; check the path", source=self.url + "/none")
        self.fails("server", "; mount the directory",
                   source=self.url + "/alice/a.txt")

    def test_faults_of_this_machine(self):
        self.fails("source", "; write https://", source="https://u@h/x")
        self.fails("source", "https://", source="http://localhost/x")
        self.fails("options", "; see", timeout="never")
        self.fails("trust", "; name what", ca_file=self.dir + "/none")
        self.fails("cache", "; choose another", cache_dir=self.keys)

    def test_a_clock_that_differs_is_warned_of(self):
        lying = self.bed.lying
        for off, says in (-300, "ahead of"), (300, "behind"):
            lying.lie("headers", set={"Date": email.utils.formatdate(
                time.time() + off, usegmt=True)})
            self.addCleanup(lying.honest)
            status, found = self.look(source=lying.url)
            self.assertEqual(status, 0, found)
            self.assertEqual(found["clock"][0], "warn", found)
            self.assertIn(says, found["clock"][1])
            self.assertIn("WebDAV", found["abilities"][1])
            self.assertIn("; set the clock", found["clock"][1])
            lying.honest()

    def test_a_server_without_dav_is_told(self):
        lying = self.bed.lying
        self.addCleanup(lying.config, dav=True)
        lying.config(dav=False)
        # A file: this server has no index pages to be mounted by.
        status, found = self.look(source=lying.url + "/alice/a.txt")
        self.assertEqual(status, 1, found)
        self.assertIn("; mount the directory", found["server"][1])
        self.assertIn("index pages", found["abilities"][1])
        self.assertIn("can be read", found["reading"][1])

    def test_index_pages_are_listed(self):
        for url in self.bed.nginx.html_url, self.bed.nginx.json_url:
            status, found = self.look(source=url + "/alice")
            self.assertEqual(status, 0, found)
            self.assertIn("by index pages: 1 name here", found["abilities"][1])
            self.assertIn("can be read", found["reading"][1])
            self.assertIn("strong ETag", found["validators"][1])

    def test_a_token_for_what_lies_below_is_followed(self):
        for scope in "read:/alice", "read:/alice/a.txt":
            status, found = self.look(token=self.bed.token(scope),
                                      base_path="/exp")
            self.assertEqual(status, 0, found)
            self.assertIn("leads to what lies below", found["abilities"][1])
            self.assertIn("/exp/alice/a.txt' can be", found["reading"][1])

    def test_xrootd_is_good_without_validators(self):
        status, found = self.look(source=self.bed.xrootd.url)
        self.assertEqual(status, 0, found)
        self.assertIn("by WebDAV", found["abilities"][1])
        self.assertIn("a time and no strong ETag", found["validators"][1])

    def test_what_real_servers_do_right_is_told(self):
        """XRootD 5.5.3 answers an open range with nothing, claims bytes that
        are behind the end, and writes names into listings as they are."""
        right = {"open_range": "yes", "range_past_end": "yes",
                 "multi_range": "yes", "checksum": "no",
                 "checksum_algorithm": None, "escaped_names": "yes"}
        for server, wanted in (
                (self.bed.nginx, {**right, "listed_etag": "no",
                                  "http2": "yes"}),
                (self.bed.apache, {**right, "listed_etag": "yes",
                                   "http2": "no"}),
                (self.bed.xrootd, {"open_range": "wrong",
                                   "range_past_end": "wrong",
                                   "multi_range": "yes", "checksum": "yes",
                                   "checksum_algorithm": "adler32",
                                   "listed_etag": "no",
                                   "escaped_names": "no", "http2": "no"})):
            with self.subTest(server.name):
                m = self.make_mount(server.url, self.text)
                got = mount.run([m.binary, "doctor", "--json", "-o",
                                 m.option_text(), m.source], env=m.env)
                line = next(one for one in json.loads(got.stdout)
                            if one["name"] == "profile")
                self.assertEqual(line["abilities"], wanted)
                self.assertEqual(line["result"], "ok")
        _, found = self.look(self.bed.xrootd.url)
        self.assertEqual(
            found["profile"][1], "open ranges wrong, ranges past the end "
            "wrong, several ranges at once yes, checksums yes (adler32), "
            "ETags in listings no, names encoded no, HTTP/2 no")

    def test_what_cannot_be_listed_or_read_is_told(self):
        lying = self.bed.lying
        self.addCleanup(lying.honest)
        # The source itself is there (Depth: 0 and then 1).
        lying.lie("status", method="PROPFIND", code=403, skip=1)
        status, found = self.look(source=lying.url)
        self.assertEqual(status, 0, found)
        self.assertEqual(found["abilities"][0], "warn", found)
        self.assertIn("; ask for WebDAV", found["abilities"][1])
        self.assertIn("not tried", found["reading"][1])
        lying.honest()
        lying.lie("status", method="GET", code=403)
        self.fails("reading", "; get a token", source=lying.url)

    def test_validators_are_judged(self):
        lying = self.bed.lying
        self.addCleanup(lying.config, etag=True, dates=True, dav=True)
        for settings, grade, words in (
                ({"etag": True}, "ok", "files have a strong ETag"),
                ({"etag": "weak"}, "ok", "a time and no strong ETag"),
                ({"etag": False}, "ok", "a time and no strong ETag"),
                ({"etag": False, "dates": False, "dav": False}, "warn",
                 "neither a strong ETag nor a time")):
            lying.config(**settings)
            # Without PROPFIND a file is the one thing it tells about.
            path = "" if settings.get("dav", True) else "/alice/a.txt"
            _, found = self.look(source=lying.url + path)
            self.assertEqual(found["validators"][0], grade, found)
            self.assertIn(words, found["validators"][1])
            self.assertEqual("; " in found["validators"][1], grade == "warn")

    def test_redirect_hosts_are_passed_on(self):
        lying, pool = self.bed.lying, self.bed.another_lying("pool")
        self.addCleanup(lying.honest)
        host = "other.bed.test"
        lying.lie("redirect", method="GET",
                  to=pool.on(host) + "/alice/a.txt")
        self.fails("reading", source=lying.url)
        mark = pool.mark()
        status, found = self.look(source=lying.url, redirect_hosts=host)
        self.assertEqual(status, 0, found)
        self.assertIn("can be read", found["reading"][1])
        self.assertEqual(pool.requests(mark)[0]["token"], self.text)

    def test_it_goes_on_without_a_token(self):
        """A token that is missing or has ended hides no other fault."""
        lying = self.bed.lying
        self.addCleanup(lying.honest)
        ended = self.bed.token(lifetime=-10)
        for more in {"token_file": self.dir + "/no"}, {"token": ended}:
            mark = lying.mark()
            status, found = self.look(source=lying.url, jwks=self.keys, **more)
            self.assertEqual(status, 1, found)
            self.assertEqual(found["token"][0], "FAIL")
            self.assertEqual(found["server"][0], "ok", found)
            self.assertIn("answers; ", found["server"][1])
            self.assertIn("agrees", found["clock"][1])
            for name in ("times", "signature", "scope", "abilities",
                         "reading", "validators"):
                self.assertNotIn(name, found)
            for request in lying.requests(mark):
                self.assertIsNone(request["token"])
        # By the server's clock it has not ended.
        lying.lie("headers", set={"Date": email.utils.formatdate(
            time.time() - 300, usegmt=True)})
        self.fails("token", "clock", token=ended, source=lying.url)
        lying.honest()
        self.fails("server", "; check host and port", token=ended,
                   source=f"https://localhost:{free_port()}/exp")
        self.fails("server", "ca_file=FILE", token_file=self.dir + "/no",
                   ca_file="/etc/ssl/certs/ca-certificates.crt")


if __name__ == "__main__":
    bed.main(deadline=300)
