#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bearerfs cache: what it says of a directory is so, it finds and drops what
is damaged, makes it smaller, takes a source out of it, while mounts run on it
and while none does."""
import glob
import json
import os
import pty
import re
import select
import subprocess
import time

import bed
from bed import content, mount

MIB = 1 << 20
LARGE = 12 * MIB
SMALL = 20000


class CacheCommand(bed.Case):
    deadline = 300

    def setUp(self):
        self.nginx = self.bed.nginx
        self.store = self.dir + "/store"
        self.env = {**os.environ, "XDG_CACHE_HOME": self.dir + "/elsewhere"}

    def start(self, **options):
        return self.mount(self.nginx.url, self.bed.token("read:/"),
                          timeout="20s", cache_dir=self.store, **options)

    def fill(self):
        names = []
        for folder in ("one", "two"):
            for n in range(2):
                names.append(f"{folder}/large{n}.bin")
                self.bed.put(names[-1], LARGE)
            for n in range(5):
                names.append(f"{folder}/small{n}.bin")
                self.bed.put(names[-1], SMALL)
        # The same bytes once more.
        names.append("two/same.bin")
        self.bed.put(names[-1], LARGE, seed="one/large0.bin")
        return names

    def read(self, m, names):
        for name in names:
            got = mount.run(["sha256sum", m.at(name)], 120)
            self.assertEqual(
                got.stdout.split()[0],
                content.sha256(f"{self.bed.data}/exp/{name}"), name)

    def warm(self):
        """A directory that a mount, which has ended, has filled."""
        names = self.fill()
        m = self.start()
        self.read(m, names)
        m.stop()
        return names

    def cache(self, *words, check=True, here=True):
        where = ["-o", "cache_dir=" + self.store] if here else []
        return mount.run([mount.binary(), "cache", *words, *where],
                         120, check=check, env=self.env)

    def info(self):
        return json.loads(self.cache("info", "--json").stdout)

    def forget_pages(self, paths=()):
        content.forget_pages([*paths, *content.files(self.store)])

    def used(self):
        return sum(os.stat(path).st_blocks * 512 for path in
                   glob.glob(self.store + "/**", recursive=True)
                   if os.path.isfile(path))

    def test_that_info_tells_what_is_there(self):
        names = self.warm()
        said = self.info()
        self.assertEqual(said["dir"], self.store)
        self.assertEqual(said["objects"], len(names))
        self.assertEqual(said["bytes"], 5 * LARGE + 10 * SMALL)
        self.assertEqual(said["unique_bytes"], 4 * LARGE + 10 * SMALL)
        self.assertEqual(said["size_bytes"], 10 << 30)
        self.assertEqual(len(said["sources"]), 1)
        source = said["sources"][0]
        self.assertTrue(self.nginx.url.startswith(source["origin"]))
        self.assertEqual(source["objects"], len(names))
        counters = said["counters"]
        self.assertEqual(counters["misses"], 5 * LARGE // 65536 + 10)
        self.assertEqual(counters["shared_bytes"], LARGE)
        self.assertLess(abs(counters["since_s"] - time.time()), 120)
        text = self.cache("info").stdout
        self.assertIn(f"holds: {len(names)} files, 60.2 MiB", text)
        self.assertIn("12.0 MiB of them saved", text)
        self.assertIn(source["origin"], text)

    def test_that_mounts_add_up_their_counts(self):
        names = self.warm()
        m = self.start()
        self.read(m, names)
        m.stop()
        said = self.info()["counters"]
        self.assertGreaterEqual(said["disk_hits"], 4 * LARGE // 65536)

    def test_that_check_passes_what_is_right(self):
        self.warm()
        done = self.cache("check")
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, r"^15 files, 970 blocks, 60\.2 MiB are "
                         r"right\n$")

    def damage(self, count):
        """A byte of each of so many blocks of a pack."""
        pack = max(glob.glob(self.store + "/v1-*/packs/*"),
                   key=os.path.getsize)
        with open(pack, "r+b") as file:
            for n in range(count):
                file.seek(n * 65536 + 100)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))

    def test_that_check_finds_damage_and_drops_it(self):
        names = self.warm()
        self.damage(5)
        self.forget_pages()
        done = self.cache("check", check=False)
        self.assertEqual(done.returncode, 1)
        lines = done.stderr.splitlines()
        self.assertGreaterEqual(len(lines), 6, lines)
        for line in lines:
            self.assertTrue(line.startswith("bearerfs: cache "), line)
        self.assertRegex(lines[0], r"/exp/(one|two)/.*, block \d+: does not "
                         r"verify; dropped, to be fetched again$")
        self.assertEqual(self.cache("check").stderr, "")
        self.assertGreaterEqual(self.info()["counters"]["corrupt_blocks"], 5)
        # Fetched again, and that only.
        m = self.start()
        mark = self.nginx.mark()
        self.read(m, names)
        body = sum(one["bytes"] for one in self.nginx.requests(mark)
                   if one["method"] == "GET")
        self.assertLess(body, LARGE)
        self.assertGreater(body, 0)

    def test_that_check_works_under_a_mount(self):
        names = self.warm()
        m = self.start()
        self.damage(3)
        self.forget_pages(m.at(name) for name in names)
        readers = [subprocess.Popen(
            ["sh", "-c", f"while :; do cat {m.at(name)} >/dev/null; done"])
            for name in names[:3]]
        try:
            self.assertEqual(self.cache("check", check=False).returncode, 1)
            for _ in range(3):
                self.assertEqual(self.cache("check").stderr, "")
        finally:
            for reader in readers:
                reader.kill()
                reader.wait()
        self.read(m, names)

    def test_that_prune_makes_it_smaller(self):
        names = self.warm()
        before = self.info()["disk_bytes"]
        size = before - 20 * MIB
        done = self.cache("prune", str(size), check=False)
        # Packs of 40 MiB: less may be left than was asked for.
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLessEqual(self.info()["disk_bytes"], size)
        self.read(self.start(), names)

    def test_that_prune_works_under_a_mount(self):
        names = self.fill()
        m = self.start(cache_size="256M")
        self.read(m, names)

        def kept():
            """On a busy machine the writer leaves out what it is late with:
            that is read again."""
            if self.info()["objects"] == len(names):
                return True
            self.forget_pages(m.at(name) for name in names)
            self.read(m, names)
            return False
        bed.wait_for(kept, "all to be kept", every=0.5)
        self.cache("prune", "20M")
        self.assertLessEqual(self.info()["disk_bytes"], 20 * MIB)
        bed.wait_for(lambda: self.used() <= 20 * MIB, "space to be free")
        self.read(m, names)
        # What is being written stays, and is told.
        done = self.cache("prune", "0", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("mounts are writing", done.stderr)
        self.read(m, names)

    def test_that_a_source_is_dropped(self):
        names = self.warm()
        said = self.cache("drop", self.nginx.url + "/two")
        self.assertRegex(said.stdout, r"^8 files dropped, \d")
        left = self.info()
        self.assertEqual(left["objects"], 7)
        self.assertEqual(left["unique_bytes"], 2 * LARGE + 5 * SMALL)
        with open(f"{self.bed.data}/exp/two/large1.bin", "rb") as file:
            gone = file.read(64)
        with open(f"{self.bed.data}/exp/one/large1.bin", "rb") as file:
            there = file.read(64)
        held = b"".join(open(path, "rb").read() for path in
                        glob.glob(self.store + "/v1-*/packs/*"))
        self.assertNotIn(gone, held)
        self.assertIn(there, held)
        self.assertNotIn(b"/exp/two/", held)
        self.assertEqual(self.cache("check").stderr, "")
        # The rest is still found.
        m = self.start()
        mark = self.nginx.mark()
        self.read(m, [name for name in names if name.startswith("one/")])
        self.assertEqual(sum(one["bytes"] for one in self.nginx.requests(mark)
                             if one["method"] == "GET"), 0)

    def test_that_a_source_is_dropped_under_its_mount(self):
        names = self.warm()
        m = self.start()
        self.read(m, names)
        self.cache("drop", self.nginx.url)
        self.assertEqual(self.info()["objects"], 0)
        self.forget_pages(m.at(name) for name in names)
        self.read(m, names)
        self.assertEqual(m.counters()["cache_corrupt_blocks"], 0)
        bed.wait_for(lambda: self.info()["objects"] > 0, "it to be kept")

    def test_that_a_named_source_is_dropped_from_its_directory(self):
        names = self.warm()
        home = self.dir + "/home"
        os.makedirs(home + "/.config/bearerfs")
        with open(home + "/.config/bearerfs/bearerfs.conf", "w") as file:
            file.write(f"[exp]\nsource = {self.nginx.url}/one\n"
                       f"cache_dir = {self.store}\n")
        env = {**os.environ, "HOME": home}
        env.pop("XDG_CONFIG_HOME", None)
        mount.run([mount.binary(), "cache", "drop", "exp"], 60, env=env)
        self.assertEqual(self.info()["objects"], len(names) - 7)

    def test_that_all_is_dropped(self):
        names = self.warm()
        m = self.start()
        self.read(m, names[:2])
        self.assertRegex(self.cache("drop", "--all").stdout,
                         rf"^{len(names)} files dropped, ")
        self.assertEqual(self.info()["objects"], 0)
        self.assertLess(self.used(), MIB)
        self.assertEqual(len(glob.glob(self.store + "/v1-*")), 1)
        m.wait_log("cache directory opened again")
        self.forget_pages(m.at(name) for name in names)
        self.read(m, names)

    def test_what_is_refused(self):
        self.warm()
        for words, status, said in (
                ((), 2, "write info, check"),
                (("frob",), 2, "write info, check, prune or drop"),
                (("prune",), 2, "prune to a SIZE"),
                (("prune", "much"), 2, "prune to a SIZE"),
                (("drop",), 2, "drop a SOURCE, or --all"),
                (("drop", self.nginx.url, "--all"), 2, "or --all"),
                (("info", "more"), 2, "one too many"),
                (("check", "--json"), 2, "--json goes with info"),
                (("info", "--all"), 2, "--all goes with drop"),
                (("drop", "ftp://x/"), 1, "scheme is not supported"),
                (("drop", "unnamed"), 1, "unnamed")):
            done = self.cache(*words, check=False)
            self.assertEqual(done.returncode, status, words)
            self.assertIn(said, done.stderr, words)
            self.assertEqual(done.stdout, "")
        os.chmod(self.store, 0o777)
        done = self.cache("info", check=False)
        self.assertEqual(done.returncode, 77)
        self.assertIn("chmod 700", done.stderr)
        os.chmod(self.store, 0o700)
        with open(self.store + "/format", "r+b") as file:
            file.seek(8)
            file.write(b"\x09")
        done = self.cache("check", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another version", done.stderr)

    def test_that_none_is_made_where_there_is_none(self):
        for words in (("info",), ("check",), ("prune", "0"),
                      ("drop", "--all"), ("drop", self.nginx.url)):
            done = self.cache(*words)
            self.assertIn("nothing is cached there", done.stderr)
            self.assertFalse(os.path.exists(self.store))
            self.cache(*words, here=False)
            self.assertFalse(os.path.exists(self.dir + "/elsewhere"))
        said = json.loads(self.cache("info", "--json").stdout)
        self.assertEqual((said["objects"], said["sources"]), (0, []))

    def test_that_a_terminal_sees_a_bar_and_nobody_else(self):
        self.bed.put("much.bin", 600 * MIB)
        m = self.start()
        self.read(m, ["much.bin"])
        m.stop()
        self.forget_pages()
        argv = [mount.binary(), "cache", "check", "-o",
                "cache_dir=" + self.store]
        master, slave = pty.openpty()
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=slave,
                                 env=self.env)
        os.close(slave)
        seen = b""
        while True:
            ready, _, _ = select.select([master], [], [], 60)
            try:
                part = os.read(master, 4096) if ready else b""
            except OSError:
                part = b""
            if not part:
                break
            seen += part
        self.assertEqual(child.wait(60), 0)
        child.stdout.close()
        os.close(master)
        text = seen.decode()
        self.assertRegex(text, r"check \[#*\.*\] \d+ %  [\d.]+ MiB of 60")
        # It is taken away in the end.
        self.assertTrue(text.endswith("\r\x1b[K"), repr(text[-80:]))
        self.assertIsNone(re.search(r"[\r\x1b]", self.cache("check").stderr))


if __name__ == "__main__":
    bed.main(deadline=1500)
