#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`bearerfs prefetch`: what is named is in the cache afterwards, each byte
fetched once, whoever asks gets no more than their own token gives, and each
way in which it cannot be done says so."""
import json
import os
import pty
import signal
import subprocess
import time

import bed
from bed import content, mount
from bed.actor import drop
from bed.nginx import Nginx
from bed.procs import slow

MIB = 1 << 20
ADA, BOB = 2001, 2002


class Prefetch(bed.Case):
    deadline = 180

    def setUp(self):
        self.nginx = self.bed.nginx

    def start(self, server=None, scope="read:/", **options):
        options.setdefault("timeout", "20s")
        options.setdefault("attr_ttl", "300s")
        return self.mount((server or self.nginx).url, self.bed.token(scope),
                          **options)

    def prefetch(self, m, *names, check=True, words=("--json",), deadline=90):
        """Exit status, what it says on stdout (taken apart), its lines."""
        got = m.command("prefetch", *words,
                        *[m.at(name) for name in names], check=False,
                        deadline=deadline)
        told = json.loads(got.stdout) if "--json" in words else got.stdout
        if check:
            self.assertEqual(got.returncode, 0, got.stderr)
            self.assertEqual(got.stderr, "")
            self.assertEqual(told["state"], "complete")
        return got.returncode, told, got.stderr

    def tree(self, root, dirs=3, files=20, size=3000):
        for d in range(dirs):
            for f in range(files):
                self.bed.put(f"{root}/d{d}/f{f}", size + f)
        return dirs * files, dirs * sum(size + f for f in range(files))

    def asked(self, mark, method=None):
        return [one for one in self.nginx.requests(mark)
                if method in (None, one["method"])]

    def check_file(self, m, name, size):
        with open(m.at(name), "rb") as file:
            self.assertEqual(file.read(), content.stream(name, 0, size))


class Counts(Prefetch):
    def test_that_a_large_file_is_fetched_in_long_ranges_once(self):
        size = 48 * MIB + 12345
        self.bed.put("large.bin", size)
        m = self.start()
        mark = self.nginx.mark()
        _, told, _ = self.prefetch(m, "large.bin")
        self.assertEqual(told["files"], 1)
        self.assertEqual(told["kept_bytes"], size)
        self.assertEqual(told["brought_bytes"], size)
        gets = self.asked(mark, "GET")
        self.assertEqual(sum(one["bytes"] for one in gets), size)
        # 8 MiB each; the first three, sent before it is known that the
        # server validates bytes, 2 MiB.
        self.assertLessEqual(len(gets), 7 + 3 * 3)
        self.assertLessEqual(len(self.asked(mark)) - len(gets), 2)
        # Nothing went through the kernel; all of it is on the disk.
        self.assertEqual(
            os.getxattr(m.at("large.bin"), "user.bearerfs.cached"), b"100")
        mark = self.nginx.mark()
        _, told, _ = self.prefetch(m, "large.bin")
        self.assertEqual(told["brought_bytes"], 0)
        self.assertEqual(told["kept_bytes"], size)
        self.check_file(m, "large.bin", size)
        self.assertEqual(self.asked(mark), [])
        self.assertEqual(m.counters()["cache_dropped_writes"], 0)

    def test_that_a_tree_costs_a_listing_a_directory_and_a_get_a_file(self):
        files, size = self.tree("tree")
        m = self.start()
        mark = self.nginx.mark()
        _, told, _ = self.prefetch(m, "tree")
        self.assertEqual((told["files"], told["bytes"]), (files, size))
        self.assertEqual((told["kept_files"], told["brought_bytes"]),
                         (files, size))
        gets = self.asked(mark, "GET")
        self.assertEqual(len(gets), files)
        self.assertEqual(sum(one["bytes"] for one in gets), size)
        lists = [one["uri"].rstrip("/") for one in self.asked(mark)
                 if one["depth"] == "1"]
        self.assertEqual(len(lists), 4)
        self.assertEqual(len(set(lists)), 4)
        # What the word "tree" is.
        self.assertLessEqual(len(self.asked(mark)) - len(gets) - 4, 1)
        mark = self.nginx.mark()
        _, told, _ = self.prefetch(m, "tree", "tree/d0/f1")
        self.assertEqual(told["brought_bytes"], 0)
        self.assertEqual(told["kept_files"], files + 1)
        self.assertEqual(self.asked(mark), [])

    def test_that_what_is_not_believed_costs_a_question_a_file(self):
        files, _ = self.tree("aging", dirs=2, files=30)
        m = self.start(attr_ttl="0s")
        mark = self.nginx.mark()
        _, told, _ = self.prefetch(m, "aging")
        self.assertEqual(told["kept_files"], files)
        self.assertEqual(len(self.asked(mark, "GET")), files)
        self.assertLessEqual(len(self.asked(mark, "PROPFIND")), files + 4)

    def test_that_what_it_has_brought_is_served_without_a_server(self):
        size = 3 * MIB
        for name in ("off/a.bin", "off/sub/b.bin"):
            self.bed.put(name, size)
        for server in (self.nginx, self.bed.xrootd):
            m = self.start(server, attr_ttl="1s")
            self.prefetch(m, "off")
            server.stop()
            try:
                time.sleep(1.1)
                for name in ("off/a.bin", "off/sub/b.bin"):
                    self.check_file(m, name, size)
                    self.assertRegex(os.getxattr(
                        m.at(name), "user.bearerfs.freshness").decode(),
                        r"^offline \d+ s$")
            finally:
                server.start(server.port)

    def test_that_it_shows_a_bar_on_a_terminal_and_is_quiet_without(self):
        self.bed.put("bar.bin", 8 * MIB)
        slow_server = self.bed.add(Nginx(
            self.bed, "slow", extra="limit_rate 4m;"))
        m = self.start(slow_server)
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            [m.binary, "prefetch", m.at("bar.bin")], env=m.env, stderr=theirs,
            stdout=subprocess.PIPE, text=True)
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += os.read(ours, 4096)
            except OSError:
                break
        os.close(ours)
        self.assertEqual(child.wait(60), 0)
        self.assertIn(b"prefetch [", seen)
        self.assertIn(b"of 8.0 MiB", seen)
        self.assertIn("1 of 1 files in the cache", child.stdout.read())
        child.stdout.close()
        status, text, lines = self.prefetch(m, "bar.bin", words=(),
                                            check=False)
        self.assertEqual((status, lines), (0, ""))
        self.assertIn("8.0 MiB, 0 bytes of them new", text)


class Limits(Prefetch):
    def test_that_more_than_fits_is_not_begun(self):
        self.bed.put("fits/a.bin", 30 * MIB)
        self.bed.put("fits/b.bin", 30 * MIB)
        self.bed.put("full.bin", 60 * MIB)
        self.bed.put("full2.bin", 60 * MIB)
        m = self.start(cache_size="64M")
        mark = self.nginx.mark()
        status, told, lines = self.prefetch(m, "fits", check=False)
        self.assertEqual((status, told["state"]), (1, "too_large"))
        self.assertEqual(told["kept_files"], 0)
        self.assertEqual(self.asked(mark, "GET"), [])
        self.assertEqual(len(lines.splitlines()), 1)
        self.assertRegex(lines, r"cache_size=\d+M$")
        # As much as fits stays, though the cache is full of other things.
        mount.run(["cat", m.at("full.bin")], text=False)
        self.prefetch(m, "fits/a.bin")
        mount.run(["cat", m.at("full2.bin")], text=False)
        mark = self.nginx.mark()
        self.check_file(m, "fits/a.bin", 30 * MIB)
        self.assertEqual(self.asked(mark, "GET"), [])

    def test_that_an_uncached_mount_says_so(self):
        self.bed.put("un.bin", 1000)
        m = self.start(cache_size="0")
        status, told, lines = self.prefetch(m, "un.bin", check=False)
        self.assertEqual((status, told["state"]), (1, "uncached"))
        self.assertIn("cache_size", lines)

    def test_that_a_path_that_is_on_no_mount_says_so(self):
        m = self.start()
        got = m.command("prefetch", "/etc/passwd", check=False)
        self.assertEqual(got.returncode, 1)
        self.assertIn("no bearerfs mount there", got.stderr)
        self.assertEqual(m.command("prefetch", check=False).returncode, 2)

    def test_that_what_is_not_there_or_refused_is_one_line_each(self):
        self.bed.put("ada/x.bin", 1000)
        self.bed.put("bob/y.bin", 1000)
        m = self.start(scope="read:/ada", base_path="/exp")
        status, told, lines = self.prefetch(
            m, "ada/x.bin", "ada/none", check=False)
        self.assertEqual((status, told["state"]), (1, "partial"))
        self.assertEqual(told["kept_files"], 1)
        self.assertEqual([one["errno"] for one in told["failures"]],
                         ["ENOENT"])
        self.assertEqual(told["failures"][0]["path"], m.at("ada/none"))
        status, told, lines = self.prefetch(m, "bob/y.bin", check=False)
        self.assertEqual(status, 77)
        self.assertEqual([one["errno"] for one in told["failures"]],
                         ["EACCES"])
        self.assertEqual(len(lines.splitlines()), 1)
        self.assertTrue(lines.startswith("bearerfs: prefetch '"))
        self.assertIn(";", lines)

    def test_that_no_token_and_no_server_end_it_with_one_line(self):
        for name in ("a", "b", "c"):
            self.bed.put("end/" + name, 1000)
        m = self.mount(self.nginx.url, None, timeout="2s")
        status, told, lines = self.prefetch(
            m, "end/a", "end/b", "end/c", check=False)
        self.assertEqual((status, len(lines.splitlines())), (77, 1), lines)
        self.assertEqual(told["failures"][0]["errno"], "ENOKEY")
        self.assertEqual(told["failed"], 3)
        m = self.start(timeout="2s")
        self.nginx.stop()
        try:
            status, told, lines = self.prefetch(
                m, "end/a", "end/b", check=False)
        finally:
            self.nginx.start(self.nginx.port)
        self.assertEqual(status, 69, lines)
        self.assertEqual(told["kept_files"], 0)

    def test_that_a_file_may_vanish_or_change_meanwhile(self):
        lying = self.bed.lying
        lying.honest()
        for name in ("a", "gone", "z"):
            self.bed.put("vanish/" + name, 200000)
        m = self.start(lying)
        lying.lie("status", path=".*/vanish/gone", method="GET", code=404)
        status, told, _ = self.prefetch(m, "vanish", check=False)
        lying.honest()
        self.assertEqual((status, told["state"]), (1, "partial"))
        self.assertEqual(told["kept_files"], 2)
        self.assertEqual([(one["path"], one["errno"])
                          for one in told["failures"]],
                         [(m.at("vanish/gone"), "ENOENT")])

    def test_that_a_young_file_is_waited_for(self):
        self.bed.put("young.bin", 100000, age=0)
        m = self.start()
        self.prefetch(m, "young.bin")
        self.assertEqual(
            os.getxattr(m.at("young.bin"), "user.bearerfs.cached"), b"100")


class Ends(Prefetch):
    SIZE = 48 * MIB  # twice what is on its way at once

    def begin(self, m, name):
        child = subprocess.Popen(
            [m.binary, "prefetch", "--json", m.at(name)], env=m.env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        bed.wait_for(
            lambda: m.counters()["cache_fetched_bytes"] > 0, "the first bytes")
        return child

    def slow_mount(self, name):
        self.bed.put(name, self.SIZE)
        server = self.bed.add(Nginx(
            self.bed, "slow-" + name, extra="limit_rate 512k;"))
        return self.start(server)

    def test_that_an_interrupt_leaves_all_well(self):
        m = self.slow_mount("int.bin")
        child = self.begin(m, "int.bin")
        child.send_signal(signal.SIGINT)
        out, lines = child.communicate(timeout=30 * max(1.0, slow))
        self.assertEqual(child.returncode, -signal.SIGINT)
        self.assertEqual(json.loads(out)["state"], "interrupted")
        self.assertIn("interrupted; what is in the cache stays", lines)
        bed.wait_for(lambda: m.status()["cache"]["objects"] <= 1 and
                     m.status()["cache"]["reads_waiting"] == 0,
                     "what was on its way", 60 * max(1.0, slow))
        fetched = m.counters()["cache_fetched_bytes"]
        self.assertLess(fetched, self.SIZE)
        _, told, _ = self.prefetch(m, "int.bin")
        self.assertLess(told["brought_bytes"], self.SIZE)
        # Together each byte once.
        self.assertEqual(m.counters()["cache_fetched_bytes"], self.SIZE)
        self.check_file(m, "int.bin", self.SIZE)

    def test_that_it_ends_with_the_mount(self):
        m = self.slow_mount("end.bin")
        child = self.begin(m, "end.bin")
        m.stop()
        out, lines = child.communicate(timeout=30 * max(1.0, slow))
        self.assertIn(child.returncode, (1, 69), lines)
        self.assertNotEqual(json.loads(out)["state"], "complete")

    def test_that_a_stopped_mount_is_told(self):
        self.bed.put("stop.bin", 1000)
        m = self.start()
        m.status()
        os.kill(m.pid, signal.SIGSTOP)
        try:
            status, told, _ = self.prefetch(m, "stop.bin", check=False)
        finally:
            os.kill(m.pid, signal.SIGCONT)
        self.assertEqual((status, told["state"]), (69, "silent"))

    def test_that_readers_go_first(self):
        """A reader's file comes while a prefetch fills all there is."""
        m = self.slow_mount("first.bin")
        self.bed.put("reader.bin", 100000)
        child = self.begin(m, "first.bin")
        self.check_file(m, "reader.bin", 100000)
        self.assertIsNone(child.poll())
        child.kill()
        child.communicate()


class Shared(Prefetch):
    def run_as(self, m, uid, scope, *names):
        token = os.path.join(self.dir, f"token{uid}")
        with open(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                          0o600), "w") as file:
            file.write(self.bed.token(scope))
        os.chown(token, uid, uid)
        env = {**m.env, "BEARER_TOKEN_FILE": token}
        got = subprocess.run(
            drop(uid) + [m.binary, "prefetch", "--json",
                         *[m.at(name) for name in names]],
            env=env, text=True, capture_output=True)
        return got.returncode, json.loads(got.stdout), got.stderr

    def test_that_each_prefetches_what_their_own_token_allows(self):
        for name in ("ada/x.bin", "bob/y.bin"):
            self.bed.put("shared/" + name, 100000)
        m = self.mount(self.nginx.url, None, allow_other=True, timeout="5s",
                       attr_ttl="1h", base_path=self.bed.base)
        os.chmod(m.folder, 0o755)
        status, told, lines = self.run_as(
            m, ADA, "read:/shared/ada", "shared/ada")
        self.assertEqual((status, told["kept_files"]), (0, 1), lines)
        mark = self.nginx.mark()
        # What is in the cache by another's token is closed all the same.
        for name in ("shared/ada", "shared/ada/x.bin"):
            status, told, lines = self.run_as(
                m, BOB, "read:/shared/bob", name)
            self.assertEqual((status, told["kept_files"]), (77, 0), lines)
            self.assertEqual(told["bytes"], 0)
        gets = [one for one in self.asked(mark, "GET")
                if one["status"] in (200, 206)]
        self.assertEqual(gets, [])
        status, told, lines = self.run_as(
            m, BOB, "read:/shared/bob", "shared/bob")
        self.assertEqual((status, told["kept_files"]), (0, 1), lines)

    def test_that_a_mount_of_one_is_theirs_alone(self):
        self.bed.put("own.bin", 1000)
        m = self.make_mount(self.nginx.url, self.bed.token("read:/"),
                            user="nobody")
        m.start()
        got = subprocess.run(
            [m.binary, "prefetch", m.at("own.bin")], env=m.env, text=True,
            capture_output=True)
        self.assertEqual(got.returncode, 77, got.stderr)
        self.assertIn("who alone may prefetch", got.stderr)


if __name__ == "__main__":
    bed.main(deadline=900)
