#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does the lying server lie as asked, and is it honest otherwise? The tests
of lies mean nothing where this one fails."""
import gzip
import http.client
import socket
import ssl
import time

import bed
from bed import content


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


if __name__ == "__main__":
    bed.main()
