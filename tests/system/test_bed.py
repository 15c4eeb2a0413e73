#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Is the bed itself sound? Each server answers right with and without a
token, and the lying server lies as asked. The other system tests mean
nothing where this one fails."""
import glob
import gzip
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time

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


class Lies(bed.Case):
    """One test a lie, and the honest server first."""

    @classmethod
    def setUpClass(cls):
        cls().bed.put("lies/a.bin", 300000)
        cls.want = content.stream("lies/a.bin", 0, 300000)

    def setUp(self):
        self.liar = self.bed.lying
        self.liar.honest()
        self.liar.config(accept=None, open=False, etag=True,
                         conditions=True, dav=True, dates=True)
        self.url = self.liar.url + "/lies/a.bin"

    def ask(self, url=None, token="any", **more):
        return bed.ask(url or self.url, token, ca=self.bed.ca.cert, **more)

    def part(self, first=0, last=9, **more):
        return self.ask(headers={"Range": f"bytes={first}-{last}"}, **more)

    def test_that_it_is_honest_unless_told_otherwise(self):
        got = self.ask()
        self.assertEqual(got.body, self.want)
        part = self.part(100, 199)
        self.assertEqual((part.status, part.body), (206, self.want[100:200]))
        self.assertEqual(part.headers["Content-Range"],
                         "bytes 100-199/300000")
        self.assertEqual(part.headers["ETag"], got.headers["ETag"])
        self.assertEqual(self.ask(headers={"If-Match": '"x"'}).status, 412)
        self.assertEqual(self.part(300000, 300001).status, 416)
        self.assertEqual(self.ask(token=None).status, 401)
        self.assertEqual(self.ask(self.url + "x").status, 404)
        self.assertEqual(self.ask(method="HEAD").headers["Content-Length"],
                         "300000")
        listing = self.ask(self.liar.url + "/lies/", method="PROPFIND",
                           headers={"Depth": "1"})
        self.assertEqual(listing.status, 207)
        self.assertIn(got.headers["ETag"].encode(), listing.body)

    def test_that_it_takes_only_the_tokens_it_was_given(self):
        self.liar.config(accept=["good"])
        self.assertEqual(self.ask(token="bad").status, 401)
        self.assertEqual(self.ask(token="good").status, 200)

    def test_that_it_records_what_it_was_asked(self):
        mark = self.liar.mark()
        self.part(token="seen")
        seen = self.liar.requests(mark)[0]
        self.assertEqual((seen["method"], seen["path"], seen["token"],
                          seen["status"], seen["headers"]["range"]),
                         ("GET", "/exp/lies/a.bin", "seen", 206,
                          "bytes=0-9"))

    def test_that_lies_are_counted_and_chosen(self):
        self.liar.lie("status", path=".*a.bin", method="GET", times=1,
                      skip=1, code=503, headers={"Retry-After": "7"})
        codes = [self.ask().status for _ in range(3)]
        self.assertEqual(codes, [200, 503, 200])
        self.liar.lie("status", ranged=True, code=403)
        self.assertEqual((self.ask().status, self.part().status), (200, 403))

    def test_that_it_truncates(self):
        self.liar.lie("truncate", at=1234)
        with self.assertRaises(http.client.IncompleteRead) as caught:
            self.ask()
        self.assertEqual(len(caught.exception.partial), 1234)

    def test_that_it_resets(self):
        for at in (None, 1000):
            self.liar.honest()
            self.liar.lie("reset", at=at)
            with self.assertRaises((ConnectionError, ssl.SSLError,
                                    http.client.HTTPException)):
                self.ask()

    def test_that_it_closes_instead_of_answering(self):
        self.liar.lie("close")
        with self.assertRaises((http.client.RemoteDisconnected,
                                ConnectionError, ssl.SSLError)):
            self.ask()

    def test_that_it_stalls_until_released(self):
        for at in (None, 70000):
            self.liar.honest()
            self.liar.lie("stall", at=at, times=1)
            with self.assertRaises(TimeoutError):
                self.ask(timeout=0.5)
            self.assertEqual(self.ask().status, 200)

    def test_that_it_delays_and_drips(self):
        self.liar.lie("delay", seconds=0.4, times=1)
        began = time.monotonic()
        self.assertEqual(self.ask().body, self.want)
        self.assertGreaterEqual(time.monotonic() - began, 0.39)
        self.liar.lie("drip", size=4, every=0.1, times=1)
        began = time.monotonic()
        self.assertEqual(self.part(0, 15).body, self.want[:16])
        self.assertGreaterEqual(time.monotonic() - began, 0.29)

    def test_that_it_gives_everything_for_a_range(self):
        self.liar.lie("full")
        got = self.part()
        self.assertEqual((got.status, len(got.body)), (200, 300000))

    def test_that_its_content_range_is_wrong(self):
        self.liar.lie("content_range", value="bytes 5-14/20", times=1)
        self.assertEqual(self.part().headers["Content-Range"],
                         "bytes 5-14/20")
        self.liar.lie("content_range", value=None, times=1)
        self.assertIsNone(self.part().headers["Content-Range"])

    def test_that_it_sends_too_much_and_too_little(self):
        self.liar.lie("surplus", bytes=5, declared=True, times=1)
        got = self.part()
        self.assertEqual(got.body, self.want[:10] + b"#####")
        self.liar.lie("short", bytes=3, times=1)
        got = self.part()
        self.assertEqual(got.body, self.want[:7])
        self.assertEqual(got.headers["Content-Range"], "bytes 0-9/300000")
        self.liar.lie("surplus", bytes=5, times=1)
        self.assertEqual(self.raw_tail(), self.want[:10] + b"#####")

    def raw_tail(self):
        """Everything after the header, to the end of the connection."""
        context = ssl.create_default_context(cafile=self.bed.ca.cert)
        with socket.create_connection(("127.0.0.1", self.liar.port),
                                      30) as plain, \
                context.wrap_socket(plain, server_hostname="localhost") as s:
            s.sendall(b"GET /exp/lies/a.bin HTTP/1.1\r\nHost: localhost\r\n"
                      b"Authorization: Bearer x\r\nRange: bytes=0-9\r\n\r\n")
            got = b""
            while True:
                more = s.recv(65536)
                if not more:
                    return got.partition(b"\r\n\r\n")[2]
                got += more

    def test_that_it_flips_a_byte(self):
        self.liar.lie("flip", at=5)
        got = self.part().body
        self.assertEqual(got[5], self.want[5] ^ 0xff)
        self.assertEqual(got[:5] + got[6:], self.want[:5] + self.want[6:10])

    def test_that_it_changes_headers(self):
        self.liar.lie("headers", set={"ETag": '"new"'}, drop=["Accept-Ranges"])
        got = self.part()
        self.assertEqual(got.headers["ETag"], '"new"')
        self.assertIsNone(got.headers["Accept-Ranges"])

    def test_that_a_new_file_is_a_new_version(self):
        before = self.ask().headers["ETag"]
        self.bed.put("lies/b.bin", 10, seed=1)
        one = self.ask(self.liar.url + "/lies/b.bin")
        self.bed.put("lies/b.bin", 10, seed=2, age=1000)
        two = self.ask(self.liar.url + "/lies/b.bin")
        self.assertNotEqual(one.headers["ETag"], two.headers["ETag"])
        self.assertNotEqual(one.body, two.body)
        self.assertEqual(self.ask().headers["ETag"], before)

    def test_that_it_compresses_unasked(self):
        self.liar.lie("gzip")
        got = self.part()
        self.assertEqual(got.headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(got.body), self.want[:10])

    def test_that_it_redirects_elsewhere_and_the_other_host_tells(self):
        other = self.bed.another_lying("other")
        target = other.on("other.bed.test") + "/lies/a.bin"
        self.liar.lie("redirect", to=target, status=307)
        got = self.part()
        self.assertEqual((got.status, got.headers["Location"]),
                         (307, target))
        mark = other.mark()
        bed.ask(target, token=None, ca=self.bed.ca.cert)
        bed.ask(target, token="followed", ca=self.bed.ca.cert)
        self.assertEqual([row["token"] for row in other.requests(mark)],
                         [None, "followed"])

    def test_that_it_redirects_to_itself_for_ever(self):
        self.liar.lie("loop")
        first = self.ask().headers["Location"]
        second = bed.ask(f"https://localhost:{self.liar.port}{first}",
                         "x", ca=self.bed.ca.cert).headers["Location"]
        self.assertNotEqual(first, second)

    def test_that_http_without_tls_is_recorded_too(self):
        mark = self.liar.mark()
        connection = http.client.HTTPConnection("localhost",
                                                self.liar.http_port)
        connection.request("GET", "/exp/lies/a.bin")
        self.assertEqual(connection.getresponse().status, 401)
        connection.close()
        self.assertFalse(self.liar.requests(mark)[0]["tls"])

    def test_that_its_headers_never_end(self):
        self.liar.lie("endless_headers")
        with self.assertRaises(http.client.HTTPException):
            self.ask()
        self.liar.honest()
        self.liar.lie("long_header", size=100000)
        with self.assertRaises(http.client.LineTooLong):
            self.ask()

    def test_that_a_propfind_never_ends(self):
        self.liar.lie("endless_body", method="PROPFIND",
                      headers={"Content-Type": "application/xml"},
                      head='<D:multistatus xmlns:D="DAV:">',
                      repeat="<D:response><D:href>/exp/x</D:href>"
                      "</D:response>")
        connection = http.client.HTTPSConnection(
            "localhost", self.liar.port, timeout=30,
            context=ssl.create_default_context(cafile=self.bed.ca.cert))
        connection.request("PROPFIND", "/exp/lies/",
                           headers={"Authorization": "Bearer x"})
        answer = connection.getresponse()
        self.assertEqual(answer.status, 207)
        self.assertEqual(len(answer.read(8 << 20)), 8 << 20)
        connection.close()

    def test_that_any_answer_can_be_given(self):
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
        self.liar.lie("body", method="PROPFIND", status=207, body=bomb,
                      times=1)
        got = self.ask(method="PROPFIND")
        self.assertEqual((got.status, got.body), (207, bomb))
        self.liar.lie("raw", data=b"\x00\xffnonsense\r\n\r\n", times=1)
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.ask()


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
