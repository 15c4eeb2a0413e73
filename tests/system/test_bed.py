#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Is the bed itself sound? Each server answers right with and without a
token, and a test that hangs or is killed leaves nothing. The other system
tests mean nothing where this one or test_liar fails."""
import glob
import json
import os
import re
import socket
import ssl
import subprocess
import sys

import bed
from bed import content, procs, space


class Servers(bed.Case):
    """What facts the other tests build upon, seen by a plain client."""

    @classmethod
    def setUpClass(cls):
        one = cls().bed
        one.put("alice/data.bin", 200000)
        one.put("alice/sub/x.txt", data=b"x\n")
        one.put("alice/sp ace+\u00fc&.txt", data=b"dangerous\n")
        one.put("bob/secret.bin", 1000)
        cls.good = one.token("read:/alice")
        cls.want = content.stream("alice/data.bin", 0, 200000)

    def ask(self, url, token=None, **more):
        return bed.ask(url, token, ca=self.bed.ca.cert, **more)

    def refuses(self, server, status_without, status_other):
        url = server.url + "/alice/data.bin"
        issuer = self.bed.issuer
        self.assertEqual(self.ask(url).status, status_without)
        for why, token in (
                ("ended", issuer.token("read:/alice", lifetime=-400)),
                ("audience", issuer.token("read:/alice", aud="https://x")),
                ("rogue key", issuer.token("read:/alice", rogue=True)),
                ("issuer", issuer.token("read:/alice",
                                        iss="https://localhost:1"))):
            with self.subTest(why):
                self.assertEqual(self.ask(url, token).status,
                                 status_without)
        with self.subTest("path outside the scope"):
            self.assertEqual(
                self.ask(server.url + "/bob/secret.bin", self.good).status,
                status_other)

    def serves(self, server):
        url = server.url + "/alice/data.bin"
        got = self.ask(url, self.good)
        self.assertEqual((got.status, len(got.body)), (200, 200000))
        self.assertEqual(got.body, self.want)
        part = self.ask(url, self.good, headers={"Range": "bytes=7-65543"})
        self.assertEqual(part.status, 206)
        self.assertEqual(part.headers["Content-Range"],
                         "bytes 7-65543/200000")
        self.assertEqual(part.body, self.want[7:65544])
        rs = self.bed.issuer.token("read:/alice", kid="rs")
        self.assertEqual(self.ask(url, rs).status, 200)
        listing = self.ask(server.url + "/alice", self.good,
                           method="PROPFIND", headers={"Depth": "1"})
        if listing.status == 301:  # Apache wants the slash
            listing = self.ask(server.url + "/alice/", self.good,
                               method="PROPFIND", headers={"Depth": "1"})
        self.assertEqual(listing.status, 207)
        text = listing.body.decode()
        self.assertIn("data.bin", text)
        self.assertRegex(text, r"getcontentlength[^>]*>200000<")
        return text

    def test_that_xrootd_with_scitokens_serves_and_refuses(self):
        text = self.serves(self.bed.xrootd)
        self.assertNotIn("getetag", text)
        self.refuses(self.bed.xrootd, 403, 403)
        # Above the token's reach not even a stat is allowed.
        self.assertEqual(self.ask(
            self.bed.xrootd.url, self.good, method="PROPFIND",
            headers={"Depth": "0"}).status, 403)

    def test_that_nginx_serves_and_refuses(self):
        text = self.serves(self.bed.nginx)
        self.assertNotIn("getetag", text)
        self.refuses(self.bed.nginx, 401, 403)
        answer = self.ask(self.bed.nginx.url + "/alice/data.bin")
        self.assertIn("Bearer", answer.headers["WWW-Authenticate"])

    def test_that_nginx_has_conditions_and_index_pages(self):
        nginx = self.bed.nginx
        url = nginx.url + "/alice/data.bin"
        etag = self.ask(url, self.good).headers["ETag"]
        for condition, status in ((etag, 200), ('"other"', 412)):
            self.assertEqual(self.ask(
                url, self.good, headers={"If-Match": condition}).status,
                status)
        page = self.ask(nginx.html_url + "/alice/", self.good)
        self.assertEqual(page.status, 200)
        self.assertIn(b'<a href="data.bin">', page.body)
        self.assertEqual(self.ask(nginx.html_url + "/bob/",
                                  self.good).status, 403)
        self.assertEqual(self.ask(
            nginx.html_url + "/alice/", self.good, method="PROPFIND",
            headers={"Depth": "1"}).status, 405)
        rows = json.loads(
            self.ask(nginx.json_url + "/alice/", self.good).body)
        self.assertIn(("data.bin", 200000),
                      [(row["name"], row.get("size")) for row in rows])

    def test_that_nginx_counts_requests(self):
        nginx = self.bed.nginx
        mark = nginx.mark()
        self.ask(nginx.url + "/alice/data.bin", self.good,
                 headers={"Range": "bytes=0-9"})
        seen = nginx.requests(mark)
        self.assertEqual(len(seen), 1)
        self.assertEqual((seen[0]["method"], seen[0]["status"],
                          seen[0]["range"], seen[0]["bytes"]),
                         ("GET", 206, "bytes=0-9", 10))

    def test_that_apache_serves_and_refuses(self):
        text = self.serves(self.bed.apache)
        self.assertIn("getetag", text)
        url = self.bed.apache.url + "/alice/data.bin"
        self.assertEqual(self.ask(url).status, 401)
        self.assertEqual(self.ask(url, self.bed.issuer.token(
            "read:/alice", lifetime=-400)).status, 401)
        self.assertEqual(self.ask(url, self.bed.issuer.token(
            "read:/alice", aud="https://x")).status, 401)
        self.assertEqual(self.ask(url, self.bed.issuer.token(
            "read:/alice", rogue=True)).status, 401)

    def test_that_certificates_are_trusted_through_our_authority_only(self):
        with self.assertRaises(ssl.SSLError):
            bed.ask(self.bed.nginx.url, self.good,
                    ca="/etc/ssl/certs/ca-certificates.crt")
        for host in space.HOSTS:
            self.assertEqual(socket.gethostbyname(host), "127.0.0.1")

    def test_that_a_paused_server_goes_on_afterwards(self):
        nginx = self.bed.nginx
        nginx.pause()
        self.addCleanup(nginx.resume)
        with self.assertRaises(OSError):
            self.ask(nginx.url + "/alice/data.bin", self.good, timeout=0.5)
        nginx.resume()
        self.assertEqual(
            self.ask(nginx.url + "/alice/data.bin", self.good).status, 200)

    def test_that_a_restarted_server_keeps_its_port(self):
        nginx = self.bed.nginx
        port = nginx.port
        nginx.restart()
        self.assertEqual(nginx.port, port)
        self.assertEqual(
            self.ask(nginx.url + "/alice/data.bin", self.good).status, 200)


HUNG = """
import sys, time
sys.path.insert(0, {here!r})
import bed

class Hung(bed.Case):
    def test_that_never_ends(self):
        self.bed.nginx
        print("it hangs now", flush=True)
        time.sleep(3600)

bed.main(deadline={deadline})
"""


class Space(bed.Case):
    """What keeps a hung or killed test from harming the next one."""

    def test_that_the_space_is_private(self):
        flags = os.environ[space.MARK].split()
        self.assertIn("--mount", flags)
        if "--pid" in flags:
            self.assertEqual(os.getpid(), 1)

    def nested(self, deadline):
        """A test file in a space of its own that hangs."""
        script = self.dir + "/hung.py"
        with open(script, "w") as file:
            file.write(HUNG.format(here=os.path.dirname(
                os.path.abspath(__file__)), deadline=deadline))
        env = {name: value for name, value in os.environ.items()
               if not name.startswith("BED_")}
        child = subprocess.Popen(
            [sys.executable, "-B", script], env=env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        return child

    def others(self):
        return {path for path in glob.glob("/proc/[0-9]*")
                if not procs.gone(int(path.split("/")[2]))}

    def test_that_a_test_file_that_hangs_ends_and_tells_where(self):
        before = self.others()
        child = self.nested(3)
        _, err = child.communicate(timeout=120)
        self.assertEqual(child.returncode, 124)
        self.assertIn("in test_that_never_ends", err)
        bed.wait_for(lambda: not self.others() - before,
                     "everything that it started to end")

    def test_that_a_killed_test_file_leaves_no_process(self):
        before = self.others()
        child = self.nested(600)
        self.assertIn("it hangs now", child.stdout.readline())
        self.assertGreater(len(self.others() - before), 2)
        child.kill()
        bed.wait_for(lambda: not self.others() - before - {
            f"/proc/{child.pid}"}, "everything that it started to end")

    def test_that_a_stopped_process_is_gone(self):
        proc = procs.Proc(["sleep", "600"], self.dir + "/log")
        self.assertTrue(proc.running())
        proc.stop()
        self.assertFalse(proc.running())
        self.assertFalse(os.path.exists(f"/proc/{proc.pid}"))

    def test_that_content_is_the_same_from_any_offset(self):
        whole = content.stream("s", 0, 100000)
        for at, size in ((0, 1), (1, 15), (15, 2), (4095, 5000), (99999, 1)):
            self.assertEqual(content.stream("s", at, size),
                             whole[at:at + size])
        self.assertNotEqual(content.stream("t", 0, 100), whole[:100])
        self.assertEqual(len(set(re.findall(b"(?s).{16}", whole))), 6250)


if __name__ == "__main__":
    bed.main()
