#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Directories: complete at any size, exact in every name, on each server."""
import errno
import os
import shutil
import stat
import time

import bed
from bed import mount
from bed.procs import slow

# Each byte that a file name can have, in names that are syntax somewhere:
# in URLs, XML, HTML, JSON or a shell.
NAMES = [
    "plain", "sp ace", " leading", "trailing ", "100%", "%41", "%2541",
    "%zz", "a%2Fb", "hash#1", "amp&amp;", "a&b", "<tag>", 'quo"te', "apo'st",
    "semi;colon", "pl+us", "equ=al", "at@home", "comma,", "col:on",
    "pa(ren)", "br[acket]", "cur{ly}", "til~de", "back\\slash", "star*",
    "excl!", "dollar$", "caret^", "grave`", "pipe|", "dot.", "-dash", "grüße", "日本語", "e\u0301", "\u202etrick", "😀",
    "UPPER", "upper", "a\u00a0b", "tab\there",
]
# nginx lists no dot file, and gives it to who asks by name.
DOTS = ["..two", "...", ".hidden"]
LONGEST = "n" * 255
ODD = ["que?stion", "?", "a?b=c"]  # XRootD cuts such a name at the '?'


class Names(bed.Case):
    deadline = 240

    def setUp(self):
        shutil.rmtree(self.bed.data + "/exp/names", ignore_errors=True)

    def fill(self, folder, names):
        for name in names:
            self.bed.put(f"{folder}/{name}", data=name.encode())

    def look(self, url, names, servers_names=(), unlisted=()):
        m = self.mount(url, self.bed.token("read:/"), timeout="20s")
        listed = os.listdir(m.at("names"))
        for name in names:
            self.assertIn(name, listed)
            with open(m.at("names", name), "rb") as file:
                self.assertEqual(file.read(), name.encode(), name)
        self.assertEqual(sorted(listed), sorted([*names, *servers_names]))
        for name in unlisted:
            with open(m.at("names", name), "rb") as file:
                self.assertEqual(file.read(), name.encode(), name)
        # Without a listing first, in a mount that has seen none.
        fresh = self.mount(url, self.bed.token("read:/"), timeout="20s")
        for name in [*names, *unlisted]:
            self.assertEqual(os.stat(fresh.at("names", name)).st_size,
                             len(name.encode()), name)
        self.assertFalse(os.path.exists(fresh.at("names", "absent")))
        return m

    def test_that_nginx_shows_each_name(self):
        names = NAMES + ODD + [LONGEST]
        self.fill("names", names + DOTS)
        self.look(self.bed.nginx.url, names, unlisted=DOTS)

    def test_that_apache_shows_each_name(self):
        names = NAMES + ODD + [LONGEST] + DOTS
        self.fill("names", names)
        self.look(self.bed.apache.url, names)

    def test_that_index_pages_show_each_name(self):
        names = NAMES + ODD + [LONGEST]
        self.fill("names", names + DOTS)
        self.look(self.bed.nginx.html_url, names, unlisted=DOTS)
        self.look(self.bed.nginx.json_url, names, unlisted=DOTS)

    def test_that_xrootd_shows_each_name_or_refuses_it(self):
        """It cuts names at a '?', and those of 255 bytes by one in its
        listings: such are refused, never another file's bytes."""
        names = NAMES + DOTS + ["que", "a"]
        self.fill("names", names + ODD)
        m = self.look(self.bed.xrootd.url, names, ODD)
        for name in ODD:
            with self.assertRaises(OSError) as raised:
                with open(m.at("names", name), "rb") as file:
                    file.read()
            self.assertEqual(raised.exception.errno, errno.EINVAL, name)


class Sizes(bed.Case):
    deadline = 400

    def test_that_a_hundred_thousand_entries_are_all_there(self):
        folder = self.bed.data + "/exp/many"
        os.makedirs(folder)
        for number in range(100_000):
            os.close(os.open(f"{folder}/entry-{number:06}",
                             os.O_CREAT | os.O_WRONLY))
        for name in ("nginx", "xrootd", "apache"):
            server = getattr(self.bed, name)
            m = self.mount(server.url, self.bed.token("read:/"),
                           timeout="120s")
            begun = time.monotonic()
            got = mount.run(["ls", "-f", m.at("many")], 200).stdout.split()
            seconds = time.monotonic() - begun
            self.assertEqual(
                sorted(got), sorted(
                    [".", ".."] + [f"entry-{n:06}" for n in range(100_000)]))
            # Attributes came with the names: no request for any of them.
            before = m.counters()["fetch_requests"]
            count = sum(1 for one in os.scandir(m.at("many"))
                        if one.stat(follow_symlinks=False).st_size == 0)
            self.assertEqual(count, 100_000)
            self.assertEqual(m.counters()["fetch_requests"], before)
            self.assertLess(m.memory(),
                            (256 << 20) if slow <= 1 else (4 << 30))
            print(f"{name}: 100000 entries in {seconds:.2f} s")
            m.stop()

    def test_that_a_walk_asks_once_for_each_directory(self):
        folder = self.bed.data + "/exp/tree"
        for one in range(200):
            os.makedirs(f"{folder}/d{one:03}")
            for two in range(100):
                with open(f"{folder}/d{one:03}/f{two:03}", "w") as file:
                    file.write(f"{one}/{two}")
        nginx = self.bed.nginx
        m = self.mount(nginx.url, self.bed.token("read:/"), timeout="60s")
        mark = nginx.mark()
        begun = time.monotonic()
        got = mount.run(["find", m.at("tree"), "-type", "f", "-size",
                         "-10c"], 200).stdout.split()
        seconds = time.monotonic() - begun
        self.assertEqual(len(got), 20_000)
        self.assertEqual(len(set(got)), 20_000)
        asked = nginx.requests(mark)
        # 201 listings, and a few questions for what lies above.
        self.assertLessEqual(len(asked), 201 + 8)
        self.assertEqual({one["method"] for one in asked}, {"PROPFIND"})
        mark = nginx.mark()
        mount.run(["find", m.at("tree"), "-type", "f"], 200)
        self.assertEqual(len(nginx.requests(mark)), 0)
        print(f"20000 files in {seconds:.2f} s")

    def test_that_an_empty_directory_is_one(self):
        os.makedirs(self.bed.data + "/exp/empty")
        for name in ("nginx", "xrootd", "apache"):
            m = self.mount(getattr(self.bed, name).url,
                           self.bed.token("read:/"), timeout="20s")
            self.assertEqual(os.listdir(m.at("empty")), [], name)
            info = os.stat(m.at("empty"))
            self.assertTrue(stat.S_ISDIR(info.st_mode))
            self.assertEqual(info.st_uid, os.getuid())
            with self.assertRaises(NotADirectoryError):
                self.bed.put("file", 10)
                os.listdir(m.at("file"))
            with self.assertRaises(IsADirectoryError):
                with open(m.at("empty"), "rb"):
                    pass


class Reach(bed.Case):
    """Above a token's reach (XRootD refuses even to stat the parents)."""

    def test_that_a_path_below_is_reached(self):
        self.bed.put("alice/deep/a.txt", data=b"alice's")
        self.bed.put("bob/b.txt", data=b"bob's")
        m = self.mount(self.bed.xrootd.url, self.bed.token("read:/alice"),
                       timeout="20s", base_path="/exp")
        with open(m.at("alice/deep/a.txt"), "rb") as file:
            self.assertEqual(file.read(), b"alice's")
        self.assertEqual(os.listdir(m.path), ["alice"])
        self.assertIn("deep", os.listdir(m.at("alice")))
        with self.assertRaises(PermissionError) as raised:
            with open(m.at("bob/b.txt"), "rb"):
                pass
        self.assertEqual(raised.exception.errno, errno.EACCES)

    def test_that_a_scope_far_below_shows_the_way(self):
        self.bed.put("alice/run/one/a.txt", data=b"one")
        self.bed.put("alice/run/two/a.txt", data=b"two")
        m = self.mount(self.bed.xrootd.url,
                       self.bed.token("read:/alice/run/one"),
                       timeout="20s", base_path="/exp")
        self.assertEqual(os.listdir(m.path), ["alice"])
        self.assertEqual(os.listdir(m.at("alice")), ["run"])
        self.assertEqual(os.listdir(m.at("alice/run")), ["one"])
        self.assertEqual(os.listdir(m.at("alice/run/one")), ["a.txt"])


if __name__ == "__main__":
    bed.main(deadline=1500)
