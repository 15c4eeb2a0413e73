#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Caches in front of an origin: whatever happens at one of them, the reader
gets the origin's bytes, and a cache is believed no more than it deserves."""
import concurrent.futures
import errno
import json
import os
import sys
import time

import bed
from bed import content, mount
from bed.actor import Actor
from bed.lying import Lying
from bed.nginx import Nginx
from bed.procs import free_port

SIZE = 3_000_001
LONG = "BED_LONG" in os.environ
# name, lie, its arguments: of the cache, told about one file.
FAULTS = [
    ("silent_before_the_header", "stall", {}),
    ("silent_in_mid_body", "stall", {"at": 40000}),
    ("reset_in_mid_body", "reset", {"at": 40000}),
    ("truncated", "truncate", {"at": 40000}),
    ("closed", "close", {}),
    ("slow", "drip", {"size": 1024, "every": 0.1}),
    ("status_500", "status", {"code": 500}),
    ("status_503", "status", {"code": 503, "headers": {"Retry-After": "60"}}),
    ("status_429", "status", {"code": 429, "headers": {"Retry-After": "60"}}),
    ("not_there", "status", {"code": 404}),
    ("not_allowed_there", "status", {"code": 403}),
    ("login_page", "body", {"headers": {"Content-Type": "text/html"},
                            "body": "<html>log in</html>"}),
    ("another_etag", "headers", {"set": {"ETag": '"another"'}}),
    ("another_total", "content_range", {"value": f"bytes 0-9/{SIZE + 1}"}),
    ("surplus", "surplus", {"bytes": 10, "declared": True}),
    ("redirect_to_itself", "loop", {}),
]
# Reads the files again and again, as new ones each time, until the time is
# over; each must have its hash.
READER = """
import hashlib, json, os, sys, time
end = time.monotonic() + float(sys.argv[1])
wanted, rounds = json.loads(sys.argv[2]), 0
while time.monotonic() < end or rounds == 0:
    for path, want in wanted.items():
        fd = os.open(path, os.O_RDONLY)
        digest = hashlib.sha256()
        while True:
            got = os.read(fd, 1 << 20)
            if not got:
                break
            digest.update(got)
        # The kernel's pages are not what is to be read.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        assert digest.hexdigest() == want, path
    rounds += 1
"""


class Servers(bed.Case):
    @classmethod
    def setUpClass(cls):
        case = cls()
        cls.files = {name: case.bed.put(f"servers/{name}.bin", SIZE)
                     for name in [fault[0] for fault in FAULTS] +
                     ["well", "gone", "down", "stale", "larger", "ended"]}

    def setUp(self):
        self.origin = self.bed.lying
        self.near = self.bed.another_lying("near")
        for server in (self.origin, self.near):
            server.honest()
            server.config(accept=None)

    def begin(self, near=None, **more):
        options = {"server": near or self.near.on("localhost"),
                   "timeout": "20s", "cache_size": "0", **more}
        return self.mount(self.origin.url, "a-token", **options)

    def read(self, m, name):
        """The file through the mount is the origin's."""
        got = mount.run(["sha256sum", m.at(f"servers/{name}.bin")])
        self.assertEqual(got.stdout.split()[0],
                         content.sha256(self.files[name]), name)

    def gets(self, server, since, name):
        return [one for one in server.requests(since)
                if one["method"] == "GET" and f"/{name}.bin" in one["path"]]

    def test_that_bytes_come_from_the_cache_and_the_rest_from_the_origin(self):
        marks = self.near.mark(), self.origin.mark()
        m = self.begin()
        self.read(m, "well")
        self.assertTrue(self.gets(self.near, marks[0], "well"))
        self.assertFalse(self.gets(self.origin, marks[1], "well"))
        self.assertEqual({one["method"] for one in
                          self.near.requests(marks[0])}, {"GET"})
        servers = m.status()["servers"]
        self.assertEqual([one["role"] for one in servers],
                         ["cache", "origin"])
        self.assertGreaterEqual(servers[0]["received_bytes"], SIZE)
        self.assertGreater(servers[0]["share_percent"], 90)
        self.assertIn("(cache) up", m.command("status", m.path).stdout)

    def survive(self, m, marks, name):
        self.read(m, name)
        self.assertTrue(self.gets(self.near, marks[0], name), name)
        got = self.gets(self.origin, marks[1], name)
        self.assertGreater(sum(one["sent"] for one in got), SIZE // 2, name)
        told = json.loads(m.command(
            "explain", "--json", m.at(f"servers/{name}.bin")).stdout)
        self.assertEqual(len(told["caches"]), 1, name)

    def test_that_any_fault_of_a_cache_is_survived(self):
        marks = self.near.mark(), self.origin.mark()
        for name, lie, args in FAULTS:
            self.near.lie(lie, path=f".*/{name}.bin.*", method="GET", **args)
        # A mount each: a cache that rests would not be asked for the next.
        # They are made here, for they end with the thread that made them.
        mounts = {fault[0]: self.begin() for fault in FAULTS}
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(self.survive, m, marks, name)
                         for name, m in mounts.items()]:
                done.result()

    def test_that_a_cache_that_is_not_there_costs_nothing(self):
        m = self.begin(f"https://localhost:{free_port()}")
        self.read(m, "gone")
        self.assertEqual(m.status()["servers"][0]["state"], "down")
        text = m.command("explain", m.at("servers/gone.bin")).stdout
        self.assertIn("no answer", text)

    def test_that_an_old_or_other_version_is_passed_over(self):
        """A cache with files of its own: of the same size, and larger."""
        data = self.bed.folder("other-data")
        os.makedirs(data + "/exp/servers", exist_ok=True)
        for name, size in (("stale", SIZE), ("larger", SIZE + 1)):
            path = f"{data}/exp/servers/{name}.bin"
            content.write(path, "something else", size)
            content.touch(path, 2 * 86400)
        stale = self.bed.servers.get("stale") or \
            self.bed.add(Lying(self.bed, "stale", data=data))
        m = self.begin(stale.url)
        for name in ("stale", "larger"):
            mark = stale.mark()
            self.read(m, name)
            self.assertTrue(self.gets(stale, mark, name))
        m.wait_log("cache passed over for a file")

    def test_that_an_ended_token_is_refused_twice_at_most(self):
        for name in ("two", "three"):
            self.bed.another_lying(name).honest()
        caches = [self.near] + [self.bed.another_lying(name)
                                for name in ("two", "three")]
        m = self.begin(";".join(one.url for one in caches))
        with open(m.at("servers/ended.bin"), "rb", buffering=0) as file:
            file.read(10)
            marks = [one.mark() for one in (*caches, self.origin)]
            for one in (*caches, self.origin):
                one.config(accept=["another"])
            with self.assertRaises(OSError) as got:
                os.pread(file.fileno(), 10, 2_500_000)
        self.assertEqual(got.exception.errno, errno.EKEYREJECTED)
        asked = [len(one.requests(mark)) for one, mark in
                 zip((*caches, self.origin), marks)]
        self.assertLessEqual(max(asked), 1, asked)
        self.assertLessEqual(sum(asked), 2, asked)
        # A refusal is a matter of the token: no cache rests for it.
        self.assertEqual(m.status()["servers"][0]["state"], "up")

    def test_that_a_token_goes_only_to_servers_that_are_named(self):
        self.bed.another_lying("two").honest()
        other = self.bed.another_lying("two")
        self.near.lie("redirect", path=".*/well.bin",
                      to=other.on("other.bed.test") + "/servers/well.bin")
        mark = other.mark()
        m = self.begin()
        self.read(m, "well")
        self.assertEqual({one["token"] for one in other.requests(mark)},
                         {None})

    def test_that_doctor_looks_at_each(self):
        self.near.lie("status", code=500, ranged=True)
        m = self.make_mount(self.origin.url, "a-token", server=";".join((
            self.near.url, f"https://localhost:{free_port()}")))
        got = mount.run([m.binary, "doctor", self.origin.url, "-o",
                         m.option_text()], env=m.env, check=False)
        lines = [line for line in got.stdout.splitlines() if line.split()[1] == "server:"
                 and "localhost" in line]
        self.assertEqual(len(lines), 2, got.stdout)
        self.assertIn("status 500", lines[0])
        self.assertTrue(all(line.startswith("warn") for line in lines))
        self.near.honest()
        got = mount.run([m.binary, "doctor", self.origin.url, "-o",
                         m.option_text()], env=m.env, check=False)
        self.assertIn("gives the origin's version", got.stdout)

    def test_that_users_of_a_mount_prove_their_tokens_to_the_origin(self):
        """Its bytes come from the cache; that it gives them to somebody
        proves nothing."""
        near = self.bed.servers.get("near-nginx") or self.bed.add(
            Nginx(self.bed, "near-nginx"))
        self.bed.put("ada/x.bin", SIZE)
        m = self.mount(self.bed.nginx.url, None, server=near.url,
                       allow_other=True, cache_size="0", timeout="10s",
                       base_path=self.bed.base)
        for folder in (self.dir, m.folder):
            os.chmod(folder, 0o755)
        marks = near.mark(), self.bed.nginx.mark()
        users = [Actor(self.dir, uid, self.bed.token(scope))
                 for uid, scope in ((1001, "read:/ada"), (1002, "read:/bob"))]
        for user in users:
            self.addCleanup(user.end)
        self.assertEqual(users[0].do("read", m.at("ada/x.bin")), 4096)
        self.assertEqual(users[1].code("read", m.at("ada/x.bin")),
                         errno.EACCES)
        of = [{one["status"] for one in server.requests(mark)
               if one["method"] == "GET"}
              for server, mark in zip((near, self.bed.nginx), marks)]
        self.assertEqual(of[0], {206})  # never asked with the other's
        self.assertIn(206, of[1])       # one byte


class Restarts(bed.Case):
    """A cache that is killed and started again under readers."""

    def test_that_readers_do_not_notice(self):
        seconds, every, readers = (120, 5, 8) if LONG else (9, 1.5, 3)
        near = self.bed.servers.get("near-nginx") or self.bed.add(
            Nginx(self.bed, "near-nginx"))
        paths = [self.bed.put(f"restarts/{i}.bin", 8 << 20)
                 for i in range(4)]
        m = self.mount(self.bed.nginx.url, self.bed.token(), server=near.url,
                       cache_size="0", timeout="30s")
        wanted = json.dumps({
            m.at(f"restarts/{i}.bin"): content.sha256(path)
            for i, path in enumerate(paths)})
        mark = near.mark()
        with concurrent.futures.ThreadPoolExecutor(readers) as pool:
            reading = [pool.submit(mount.run, [
                sys.executable, "-c", READER, str(seconds), wanted], 180)
                       for _ in range(readers)]
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(every)
                near.proc.stop(9)
                time.sleep(every / 3)
                near.start(near.port)
            for done in reading:
                done.result()
        self.assertTrue(near.requests(mark))
        self.assertGreater(m.status()["servers"][0]["received_bytes"], 0)


if __name__ == "__main__":
    bed.main(deadline=900)
