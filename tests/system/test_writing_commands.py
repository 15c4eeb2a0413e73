#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The commands' side of writing: what a start refuses, what status, explain
and metrics tell of what is unsent, and whether flush and umount keep their
promises, with a mount and without."""
import errno
import json
import os
import stat
import time

import bed
from bed import mount
from bed.procs import wait_for

HELLO = b"hello\n" * 1000


class Writing(bed.Case):
    def setUp(self):
        self.folder = "w" + os.path.basename(self.dir)
        self.bed.put(f"alice/{self.folder}/old.txt", data=b"old\n")
        self.home = os.path.join(self.bed.data, "exp/alice", self.folder)
        os.chmod(self.home, 0o777)
        os.chmod(self.home + "/old.txt", 0o666)
        self.url = f"{self.bed.nginx.url}/alice/{self.folder}"
        self.token = self.bed.token("read:/ write:/")

    def prepare(self, **more):
        return self.make_mount(self.url, self.token, daemon=True, **more)

    def writable(self, **more):
        more = {"rw": True, "timeout": "5s", **more}
        return self.prepare(**more).start()

    def on_server(self, name):
        with open(os.path.join(self.home, name), "rb") as file:
            return file.read()

    def write(self, path, data=HELLO):
        with open(path, "wb") as file:
            file.write(data)

    def refused_write(self, path, code, data=HELLO):
        with self.assertRaises(OSError) as caught:
            self.write(path, data)
        self.assertEqual(caught.exception.errno, code)

    def unsent(self, m, *words):
        """What `status --json` lists of all spools, mounted and not."""
        found = json.loads(m.command("status", "--json", *words,
                                     check=False).stdout)
        return [entry for one in found for entry in one.get("unsent", [])]

    def flush(self, m, *words, deadline=60):
        done = m.command("flush", *words, check=False, deadline=deadline)
        for line in done.stderr.splitlines():
            self.assertTrue(line.startswith("bearerfs: "), done.stderr)
        return done.returncode, done.stderr

    # What a start does.

    def refused(self, m, *words):
        done = mount.run(m.argv, check=False, env=m.env)
        lines = done.stderr.splitlines()
        self.assertEqual((done.returncode, len(lines)), (1, 1), done.stderr)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertIsNone(m.device())

    def test_that_a_spool_that_cannot_be_used_is_refused_with_the_cure(self):
        m = self.prepare(rw=True)
        cache = m.folder + "/cache"
        foreign = self.dir + "/foreign"
        os.mkdir(foreign, 0o700)
        os.chown(foreign, 1234, 1234)
        file = self.dir + "/file"
        self.write(file)
        for place, word in ((cache + "/spool", "cache directory"),
                            (cache, "cache directory"),
                            (m.path + "/spool", "below the mount point"),
                            (foreign, "1234"), (file, "not a directory")):
            with self.subTest(place):
                one = self.prepare(rw=True, spool_dir=place,
                                   cache_dir=cache)
                if place.startswith(m.path):
                    one = self.prepare(rw=True, spool_dir=place.replace(
                        m.path, self.dir + "/mount%d/mnt" %
                        len(self.mounts)))
                self.refused(one, word, "spool directory", "elsewhere"
                             if "below" in word else "spool_dir=DIR")
        self.refused(self.prepare(rw=True, spool_dir="spool"), "spool_dir",
                     "absolute")

    def test_that_the_spool_is_made_where_it_belongs(self):
        m = self.writable()
        place = m.folder + "/state/bearerfs/spool"
        self.assertEqual(stat.S_IMODE(os.stat(place).st_mode), 0o700)
        self.assertFalse(m.status()["read_only"])
        self.assertEqual(m.status()["writing"]["spool_dir"], place)
        self.assertEqual(stat.S_IMODE(os.stat(m.at("old.txt")).st_mode) &
                         0o077, 0)
        other = self.writable(umask="022")
        self.assertEqual(stat.S_IMODE(os.stat(other.at("old.txt")).st_mode)
                         & 0o077, 0o044)
        third = self.prepare().start()
        self.assertTrue(third.status()["read_only"])
        self.assertIsNone(third.status()["writing"])
        self.assertFalse(os.path.exists(third.folder + "/state"))
        self.refused_write(third.at("new"), errno.EROFS)

    # When all goes well.

    def test_that_what_was_written_is_sent_and_told_so(self):
        m = self.writable()
        self.write(m.at("new.txt"))
        self.assertEqual(self.on_server("new.txt"), HELLO)
        self.assertEqual(self.flush(m), (0, ""))
        self.assertEqual(self.flush(m, m.path), (0, ""))
        self.assertEqual(self.flush(m, m.at("new.txt")), (0, ""))
        self.assertEqual(self.unsent(m), [])
        self.assertIn("all are on the server",
                      m.command("status", m.path).stdout)
        done = m.command("umount", m.path, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIsNone(m.device())

    def test_that_umount_waits_for_what_is_written_back(self):
        m = self.writable(write="back")
        for i in range(20):
            self.write(m.at(f"f{i}"), HELLO * (i + 1))
        done = m.command("umount", m.path, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for i in range(20):
            self.assertEqual(self.on_server(f"f{i}"), HELLO * (i + 1))
        self.assertEqual(self.unsent(m), [])


if __name__ == "__main__":
    bed.main()
