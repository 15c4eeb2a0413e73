#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each lie of a server gives the right bytes or an errno of the manual page:
never a wrong byte, a crash, a hang, or the token to somebody else.

A lie is told once (a retry may get over it) and for ever. The cases of a
kind run side by side, each on a file of its own.
"""
import concurrent.futures
import errno
import os
import re
import sys
import time
import unittest

import bed
from bed import content, mount
from bed.procs import slow

SIZE = 300_001  # five blocks, the last one short
TIMEOUT = 4
# What a reader may get instead of bytes: ERRORS in the manual page.
ERRNOS = {"EIO", "ESTALE", "ETIMEDOUT", "EHOSTUNREACH", "EACCES",
          "EKEYREJECTED", "ENOENT"}
READ = """
import errno, hashlib, sys
try:
    with open(sys.argv[1], "rb", buffering=0) as file:
        digest = hashlib.sha256()
        while True:
            got = file.read(1 << 17)
            if not got:
                break
            digest.update(got)
    print(digest.hexdigest())
except OSError as error:
    print(errno.errorcode[error.errno])
"""
LIST = """
import errno, json, os, sys
try:
    print(json.dumps(sorted(os.listdir(sys.argv[1]))))
except OSError as error:
    print(errno.errorcode[error.errno])
"""

# (name, lie, arguments): told of the bytes of a file (GET).
BYTES = [
    ("cut_at_0", "truncate", {"at": 0}),
    ("cut_in_a_page", "truncate", {"at": 1000}),
    ("cut_at_a_block", "truncate", {"at": 65536}),
    ("cut_before_the_end", "truncate", {"at": 65535}),
    ("reset_before_the_header", "reset", {}),
    ("reset_in_mid_body", "reset", {"at": 40000}),
    ("closed", "close", {}),
    ("silent_before_the_header", "stall", {}),
    ("silent_in_mid_body", "stall", {"at": 30000}),
    ("range_ignored", "full", {}),
    ("no_content_range", "content_range", {"value": None}),
    ("range_elsewhere", "content_range",
     {"value": f"bytes 1-65536/{SIZE}"}),
    ("range_of_another_total", "content_range",
     {"value": f"bytes 0-65535/{SIZE + 1}"}),
    ("range_that_is_none", "content_range", {"value": "bytes */12"}),
    ("range_of_garbage", "content_range", {"value": "bytes 0--1/x"}),
    ("range_that_overflows", "content_range",
     {"value": "bytes 18446744073709551616-18446744073709551617/"
               "18446744073709551620"}),
    ("surplus", "surplus", {"bytes": 10}),
    ("surplus_declared", "surplus", {"bytes": 10, "declared": True}),
    ("surplus_of_a_block", "surplus", {"bytes": 65536, "declared": True}),
    ("short", "short", {"bytes": 1}),
    ("short_by_a_block", "short", {"bytes": 65536}),
    ("gzip", "gzip", {}),
    ("said_to_be_gzip", "headers", {"set": {"Content-Encoding": "gzip"}}),
    ("another_etag", "headers", {"set": {"ETag": '"another"'}}),
    ("etag_of_garbage", "headers", {"set": {"ETag": '"' + "x" * 4000}}),
    ("length_negative", "headers", {"set": {"Content-Length": "-5"}}),
    ("length_of_garbage", "headers", {"set": {"Content-Length": "1e3"}}),
    ("length_twice", "headers", {"set": {"Content-Length": "7, 7"}}),
    ("redirect_to_itself", "loop", {}),
    ("redirect_without_target", "status", {"code": 302}),
    ("redirect_to_nonsense", "redirect", {"to": "ht!tp://["}),
    ("redirect_to_a_file", "redirect", {"to": "file:///etc/passwd"}),
    ("status_200_of_a_login_page", "body",
     {"status": 200, "headers": {"Content-Type": "text/html"},
      "body": "<html>log in</html>"}),
    ("status_204", "status", {"code": 204}),
    ("status_304", "status", {"code": 304}),
    ("status_206_empty", "body", {"status": 206, "body": ""}),
    ("status_400", "status", {"code": 400}),
    ("status_401", "status", {"code": 401}),
    ("status_403", "status", {"code": 403}),
    ("status_404", "status", {"code": 404}),
    ("status_412", "status", {"code": 412}),
    ("status_416", "status", {"code": 416}),
    ("status_418", "status", {"code": 418}),
    ("status_429", "status", {"code": 429, "headers": {"Retry-After": "1"}}),
    ("status_500", "status", {"code": 500}),
    ("status_502", "status", {"code": 502}),
    ("status_503", "status", {"code": 503, "headers": {"Retry-After": "1"}}),
    ("status_503_for_an_hour", "status",
     {"code": 503, "headers": {"Retry-After": "3600"}}),
    ("status_503_for_ages", "status",
     {"code": 503, "headers": {"Retry-After": "99999999999999999999"}}),
    ("status_503_until_a_day_that_is_none", "status",
     {"code": 503, "headers": {"Retry-After": "Fri, 31 Feb 2040"}}),
    ("endless_headers", "endless_headers", {}),
    ("long_header", "long_header", {"size": 1 << 20}),
    ("endless_body", "endless_body", {"status": 200, "repeat": "spam"}),
    ("endless_206", "endless_body",
     {"status": 206, "repeat": "spam",
      "headers": {"Content-Range": f"bytes 0-65535/{SIZE}"}}),
    ("not_http", "raw", {"data": "SSH-2.0-OpenSSH_9.2\r\n"}),
    ("nothing_but_newlines", "raw", {"data": "\r\n" * 1000}),
    ("http_09", "raw", {"data": "just bytes"}),
    ("status_line_of_garbage", "raw", {"data": "HTTP/1.1 abc\r\n\r\n"}),
    ("chunk_of_garbage", "raw",
     {"data": "HTTP/1.1 206 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
              "zz\r\nabc\r\n0\r\n\r\n"}),
]

MULTI = '<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">'
ENTRY = ("<D:response><D:href>/exp/{dir}/{name}</D:href><D:propstat><D:prop>"
         "<D:getcontentlength>{size}</D:getcontentlength></D:prop>"
         "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>")
DIRECTORY = ("<D:response><D:href>/exp/{dir}/</D:href><D:propstat><D:prop>"
             "<D:resourcetype><D:collection/></D:resourcetype></D:prop>"
             "<D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
             "</D:response>")
BOMB = ('<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">' +
        "".join(f'<!ENTITY a{i} "' + f"&a{i - 1 if i else ''};" * 10 + '">'
                for i in range(12)) +
        ']><D:multistatus xmlns:D="DAV:">&a11;</D:multistatus>')

# Told of a listing (PROPFIND); {dir} is the directory's name.
LISTINGS = [
    ("cut", "truncate", {"at": 300}),
    ("empty", "body", {"status": 207, "body": ""}),
    ("not_xml", "body", {"status": 207, "body": "hello"}),
    ("cut_in_a_tag", "body", {"status": 207, "body": MULTI + "<D:resp"}),
    ("not_closed", "body", {"status": 207, "body": MULTI}),
    ("bomb", "body", {"status": 207, "body": BOMB}),
    ("external_entity", "body", {"status": 207, "body":
     '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + MULTI +
     "&e;</D:multistatus>"}),
    ("deep", "body", {"status": 207, "body": "<a>" * 200000}),
    ("endless_name", "endless_body",
     {"status": 207, "head": MULTI + "<D:response><D:href>/exp/",
      "repeat": "x" * 1000}),
    ("endless_depth", "endless_body",
     {"status": 207, "head": MULTI, "repeat": "<D:x>"}),
    ("endless_attribute", "endless_body",
     {"status": 207, "head": MULTI + '<D:response a="', "repeat": "y" * 999}),
    ("html", "body", {"status": 200, "body": "<html>log in</html>",
                      "headers": {"Content-Type": "text/html"}}),
    ("silent", "stall", {}),
    ("silent_in_mid_body", "stall", {"at": 200}),
    ("status_500", "status", {"code": 500}),
    ("status_403", "status", {"code": 403}),
    ("status_503", "status", {"code": 503, "headers": {"Retry-After": "1"}}),
    ("redirect_to_itself", "loop", {}),
    ("endless_headers", "endless_headers", {}),
]


class Lies(bed.Case):
    deadline = 400

    def start(self, **more):
        lying = self.bed.lying
        lying.honest()
        return lying, self.mount(
            lying.url, self.bed.token("read:/"), timeout=f"{TIMEOUT}s",
            **more)

    def read(self, m, name, program=READ):
        begun = time.monotonic()
        got = mount.run([sys.executable, "-c", program, m.at(name)],
                        deadline=10 * TIMEOUT).stdout.strip()
        return got, time.monotonic() - begun

    def each(self, cases, look):
        """look(name, lie, args) of each case, eight side by side; all
        complaints together."""
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda case: look(*case), cases))
        wrong = [line for line in found if line]
        self.assertEqual(wrong, [])

    def check_bytes(self, m, name, times, honest):
        path = f"lies/{times}-{name}.bin"
        got, seconds = self.read(m, path)
        if seconds > (2 * TIMEOUT + 6) * max(1.0, slow):
            return f"{name}: took {seconds:.1f} s"
        if got == honest[path]:
            return None
        if re.fullmatch("[0-9a-f]{64}", got):
            return f"{name}: WRONG BYTES"
        return None if got in ERRNOS else f"{name}: {got}"

    def prepare(self, times):
        honest = {}
        for name, _, _ in BYTES:
            path = f"lies/{times}-{name}.bin"
            self.bed.put(path, SIZE)
            honest[path] = content.sha256(f"{self.bed.data}/exp/{path}")
        return honest

    def lie_in_each(self, lying, times):
        for name, lie, args in BYTES:
            lying.lie(lie, path=f"/exp/lies/{times}-{name}.bin",
                      method="GET", times=times, **args)

    def test_that_a_lie_told_once_is_got_over(self):
        lying, m = self.start()
        honest = self.prepare(1)
        self.lie_in_each(lying, 1)
        # These say that the file is another now, or is not ours: a retry
        # would ask for what is no longer there.
        final = {"another_etag", "status_404", "status_412", "status_416",
                 "status_503_for_an_hour", "status_503_for_ages",
                 "silent_before_the_header", "silent_in_mid_body",
                 "range_of_another_total", "status_304", "status_204",
                 "status_206_empty"}

        def look(name, _lie, _args):
            wrong = self.check_bytes(m, name, 1, honest)
            if wrong or name in final:
                return wrong
            got, _ = self.read(m, f"lies/1-{name}.bin")
            return None if got == honest[f"lies/1-{name}.bin"] else \
                f"{name}: {got} after one lie"

        self.each(BYTES, look)

    def test_that_a_lie_told_for_ever_never_gives_wrong_bytes(self):
        lying, m = self.start()
        honest = self.prepare(None)
        self.lie_in_each(lying, None)
        self.each(BYTES, lambda name, *_:
                  self.check_bytes(m, name, None, honest))
        # And when the server comes to its senses, so does the mount.
        lying.honest()

        def again(name, _lie, _args):
            path = f"lies/None-{name}.bin"
            end = time.monotonic() + 60 * max(1.0, slow)
            while True:
                got, _ = self.read(m, path)
                if got == honest[path]:
                    return None
                if time.monotonic() > end:
                    return f"{name}: still {got} from an honest server"
                time.sleep(0.5)

        self.each(BYTES, again)
        self.assertLess(m.memory(), 256 << 20 if slow <= 1 else 4 << 30)

    def test_that_a_listing_is_complete_or_refused(self):
        lying, m = self.start(attr_ttl="0s", negative_ttl="0s")
        for name, lie, args in LISTINGS:
            for part in ("a", "b", "c"):
                self.bed.put(f"list/{name}/{part}", 10)
            lying.lie(lie, path=f"/exp/list/{name}/?", method="PROPFIND",
                      **args)

        def look(name, _lie, _args):
            got, seconds = self.read(m, f"list/{name}", LIST)
            if seconds > (2 * TIMEOUT + 6) * max(1.0, slow):
                return f"{name}: took {seconds:.1f} s"
            if got == '["a", "b", "c"]' or got in ERRNOS:
                return None
            return f"{name}: {got}"

        self.each(LISTINGS, look)
        self.assertLess(m.memory(), 256 << 20 if slow <= 1 else 4 << 30)
        lying.honest()

        def again(name, _lie, _args):
            end = time.monotonic() + 60 * max(1.0, slow)
            while True:
                got, _ = self.read(m, f"list/{name}", LIST)
                if got == '["a", "b", "c"]':
                    return None
                if time.monotonic() > end:
                    return f"{name}: still {got} from an honest server"
                time.sleep(0.5)

        self.each(LISTINGS, again)

    def test_that_names_cannot_leave_their_directory(self):
        lying, m = self.start()
        os.makedirs(self.bed.data + "/exp/names", exist_ok=True)
        names = ["..", ".", "a/b", "../../etc/passwd", "%2e%2e", "x%2fy",
                 "n%00l", "good", "%", "a" * 256, "b" * 255,
                 "new%0aline", "/exp/names/absolute", "//other/z"]
        body = MULTI + DIRECTORY.format(dir="names") + "".join(
            ENTRY.format(dir="names", name=name, size=1) for name in names)
        lying.lie("body", path="/exp/names/?", method="PROPFIND", status=207,
                  body=body + "</D:multistatus>")
        got = os.listdir(m.at("names"))
        for name in got:
            self.assertNotIn("/", name)
            self.assertNotIn(name, ("", ".", ".."))
            self.assertLessEqual(len(os.fsencode(name)), 255)
        self.assertIn("good", got)
        self.assertIn("b" * 255, got)
        self.assertNotIn("passwd", got)

    def test_that_sizes_from_a_listing_are_held_to(self):
        """A listing that lies about a size gives an error, not other
        bytes; one that cannot be a size hides the entry or fails."""
        lying, m = self.start()
        for number, size in enumerate(
                (0, 1, SIZE + 1, 2 * SIZE, "-1", "1e9", "",
                 "99999999999999999999999", "9223372036854775807")):
            name = f"size{number}"
            self.bed.put(f"{name}/f", SIZE)
            entries = ENTRY.format(dir=name, name="f", size=size)
            lying.lie("body", path=f"/exp/{name}/f", method="PROPFIND",
                      status=207, body=MULTI + entries + "</D:multistatus>")
            got, _ = self.read(m, f"{name}/f")
            whole = content.stream(f"{name}/f", 0, SIZE)
            if re.fullmatch("[0-9a-f]{64}", got):
                self.assertIn(got, self.prefixes(whole, size), size)
            else:
                self.assertIn(got, ERRNOS, size)

    def prefixes(self, whole, size):
        """An empty file needs no byte; else only the true one is right."""
        import hashlib
        right = {hashlib.sha256(whole).hexdigest()}
        if size in (0, ""):
            right.add(hashlib.sha256(b"").hexdigest())
        return right

    def test_that_the_token_goes_to_nobody_else(self):
        lying, m = self.start()
        two = self.bed.another_lying("second")
        mine = lying.mark()
        others = two.mark()
        for number, to in enumerate((
                two.on("other.bed.test"), two.on("localhost"), two.http_url,
                lying.on("other.bed.test"), lying.http_url,
                two.on("localhost").replace("https://", "https://x@"),
                two.on("localhost").replace("https:", ""))):
            name = f"redirected{number}.bin"
            self.bed.put(name, SIZE)
            target = to + "/" + name
            lying.lie("redirect", path=f"/exp/{name}", method="GET",
                      to=target + "?authz=Bearer%20stolen&x=1", times=20)
            got, _ = self.read(m, name)
            self.assertTrue(got in ERRNOS or got == content.sha256(
                f"{self.bed.data}/exp/{name}"), (to, got))
        seen = two.requests(others) + lying.requests(mine)
        for request in seen:
            host = request["headers"].get("host", "")
            if request["token"] is not None:
                self.assertTrue(request["tls"], request)
                self.assertEqual(host, lying.url.split("/")[2], request)
            self.assertNotIn("authz", request["path"])
        for request in two.requests(others):
            self.assertIsNone(request["token"], request)
            self.assertNotIn("authorization", request["headers"])

    def test_that_a_named_host_gets_the_token_and_its_parameters(self):
        lying = self.bed.lying
        two = self.bed.another_lying("second")
        host = two.on("other.bed.test").split("/")[2]
        _, m = self.start(redirect_hosts=host)
        self.bed.put("pool.bin", SIZE)
        mark = two.mark()
        lying.lie("redirect", path="/exp/pool.bin", method="GET",
                  to=two.on("other.bed.test") +
                  "/pool.bin?once=1%202&authz=Bearer%20x&z", status=307)
        got, _ = self.read(m, "pool.bin")
        self.assertEqual(
            got, content.sha256(self.bed.data + "/exp/pool.bin"))
        asked = two.requests(mark)
        self.assertTrue(asked)
        for request in asked:
            self.assertIsNotNone(request["token"], request)
            self.assertEqual(request["path"], "/exp/pool.bin?once=1%202&z")

    def test_that_the_token_shows_nowhere(self):
        """A server that echoes the token into headers and bodies."""
        lying, m = self.start(log="debug")
        with open(m.token_file) as file:
            token = file.read().strip()
        self.bed.put("echo.bin", SIZE)
        for code in (400, 401, 403, 500):
            lying.lie("status", path="/exp/echo.bin", method="GET", times=2,
                      code=code, body=f"bad Authorization: Bearer {token}",
                      headers={"WWW-Authenticate":
                               f'Bearer error="x", error_description="'
                               f'{token}"', "X-Echo": token})
        for _ in range(4):
            self.read(m, "echo.bin")
        text = m.log_text() + m.command("status", m.path).stdout + \
            m.command("status", "--json", m.path).stdout
        for piece in (token, token.split(".")[2], token[10:60]):
            self.assertNotIn(piece, text)
        with open(f"/proc/{m.pid}/cmdline", "rb") as file:
            self.assertNotIn(token.encode(), file.read())
        for folder, _, names in os.walk(m.folder + "/cache"):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(token.encode(), file.read(), name)


if __name__ == "__main__":
    bed.main(deadline=1200)
