#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The commands' side of writing: what a start refuses, what status, explain
and metrics tell of what is unsent, and whether flush and umount keep their
promises, with a mount and without."""
import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time

import bed
from bed import mount
from bed.nginx import Nginx
from bed.procs import wait_for

HELLO = b"hello\n" * 1000
HOLD = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
os.write(fd, sys.stdin.buffer.read1(1 << 20))
print("written", flush=True)
sys.stdin.buffer.read()
try:
    os.close(fd)
    print(0)
except OSError as error:
    print(error.errno)
"""


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
        """The files that `status --json` lists of all spools, mounted and
        not; names that may be left on the server are told besides."""
        found = json.loads(m.command("status", "--json", *words,
                                     check=False).stdout)
        return [entry for one in found for entry in one.get("unsent", [])
                if entry["kind"] == "file"]

    def flush(self, m, *words, deadline=60):
        done = m.command("flush", *words, check=False, deadline=deadline)
        for line in done.stderr.splitlines():
            self.assertTrue(line.startswith("bearerfs: "), done.stderr)
        return done.returncode, done.stderr

    def holder(self, path, data=HELLO):
        """A process of its own that has written and has it open: one of ours
        that started another would close it there, which sends it. Ends with
        end()."""
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        child.stdin.write(data)
        child.stdin.flush()
        self.assertEqual(child.stdout.readline(), b"written\n")

        def end():
            """@return the errno of its close, 0 when there was none"""
            child.stdin.close()
            code = int(child.stdout.readline() or b"-1")
            child.stdout.close()
            child.wait()
            return code
        return end

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
        counters = m.counters()
        self.assertEqual((counters["drafts_sent_files"],
                          counters["drafts_sent_bytes"]), (1, len(HELLO)))
        self.assertIn("nothing waits to be sent",
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

    # When it does not.

    def of_server(self, server, **more):
        """A writable mount of a server of its own."""
        self.url = f"{server.url}/alice/{self.folder}"
        return self.writable(timeout="2s", **more)

    def own_nginx(self):
        server = Nginx(self.bed, "own" + self.folder[-6:])
        server.start()
        self.addCleanup(server.stop)
        return server

    def test_that_what_could_not_be_sent_is_told_and_sent_by_flush(self):
        server = self.own_nginx()
        m = self.of_server(server)
        end = self.holder(m.at("late.txt"))
        server.stop()
        self.assertIn(end(), (errno.EHOSTUNREACH, errno.ETIMEDOUT))
        entry, = self.unsent(m)
        self.assertEqual(
            (entry["kind"], entry["size_bytes"], entry["server_path"]),
            ("file", len(HELLO), f"/exp/alice/{self.folder}/late.txt"))
        self.assertIn(entry["errno"], ("EHOSTUNREACH", "ETIMEDOUT"))
        self.assertTrue(entry["why"])
        self.assertTrue(entry["busy"])
        status = m.status()
        self.assertEqual(status["writing"]["drafts"]["unsent_files"], 1)
        self.assertEqual([one for one in status["unsent"]
                          if one["kind"] == "file"], [entry])
        text = m.command("status", m.path).stdout
        self.assertIn("1 file is not on the server yet", text)
        self.assertIn(m.at("late.txt"), text)
        self.assertIn("bearerfs_unsent_files{", m.command(
            "metrics", m.path).stdout)
        told = json.loads(m.command(
            "explain", "--json", m.at("late.txt"), check=False).stdout)
        self.assertEqual(told["written"]["size_bytes"], len(HELLO))
        self.assertEqual(told["written"]["send_errno"], entry["errno"])
        self.assertFalse(told["ok"])
        status, lines = self.flush(m, "--timeout", "1s", m.path)
        self.assertEqual(status, 74, lines)
        self.assertIn("in the spool", lines)
        done = m.command("umount", "--timeout", "1s", m.path, check=False)
        self.assertEqual(done.returncode, 74, done.stderr)
        self.assertIn(m.at("late.txt"), done.stderr)
        self.assertIsNone(m.device())
        # Without the mount.
        text = m.command("status").stdout
        self.assertIn("of no mount", text)
        self.assertIn(f"{self.folder}/late.txt", text)
        entry, = self.unsent(m)
        self.assertFalse(entry["busy"])
        self.assertEqual(entry["cures"], ["bearerfs flush"])
        option = ("-o", f"ca_file={self.bed.ca.cert},timeout=2s")
        status, lines = self.flush(m, "--timeout", "1s", *option)
        self.assertEqual(status, 74, lines)
        server.start(server.port)
        self.assertEqual(self.flush(m, *option), (0, ""))
        self.assertEqual(self.on_server("late.txt"), HELLO)
        self.assertEqual(self.unsent(m), [])

    def conflict(self, name="old.txt"):
        """A mount and the number of a file of ours in conflict with the
        server's."""
        m = self.writable()
        with self.assertRaises(OSError) as caught:
            with open(m.at(name), "wb") as file:
                file.write(HELLO)
                file.flush()
                self.bed.put(f"alice/{self.folder}/{name}", data=b"theirs\n",
                             age=0)
        self.assertEqual(caught.exception.errno, errno.ESTALE)
        self.assertEqual(self.on_server(name), b"theirs\n")
        entry, = wait_for(lambda: [e for e in self.unsent(m)
                                   if not e["busy"]],
                          "the mount to let go of it")
        self.assertEqual((entry["state"], entry["errno"]),
                         ("conflict", "ESTALE"))
        number = str(entry["number"])
        self.assertEqual(entry["cures"], [
            f"bearerfs flush --number {number} {words}" for words in
            ("--as PATH", "--overwrite", "--export DIR", "--drop")])
        self.options = ("-o", f"ca_file={self.bed.ca.cert}")
        return m, number

    def test_that_a_conflict_is_sent_under_another_name(self):
        m, number = self.conflict()
        text = m.command("status", m.path).stdout
        self.assertIn(f"flush --number {number} --as PATH", text)
        self.assertIn("conflicts since the mount began: 1", text)
        status, lines = self.flush(m, *self.options)
        self.assertEqual(status, 74, lines)
        self.assertIn("conflict", lines)
        # Nor is it sent for who asks for the mount, or the file, alone.
        for path in (m.path, m.at("old.txt")):
            status, lines = self.flush(m, path)
            self.assertEqual(status, 74, lines)
            self.assertIn(m.at("old.txt"), lines)
        self.write(m.at("other.txt"))
        self.assertEqual(self.flush(m, m.at("other.txt")), (0, ""))
        # Nothing is replaced by that.
        status, lines = self.flush(
            m, *self.options, "--number", number, "--as", m.at("old.txt"))
        self.assertEqual(status, 74, lines)
        self.assertIn("EEXIST", lines)
        self.assertEqual(self.flush(
            m, *self.options, "--number", number, "--as", m.at("mine.txt")),
            (0, ""))
        self.assertEqual(self.on_server("old.txt"), b"theirs\n")
        self.assertEqual(self.on_server("mine.txt"), HELLO)
        self.assertEqual(self.unsent(m), [])
        self.assertEqual(self.flush(m), (0, ""))

    def test_that_a_conflict_is_sent_over_the_servers_version(self):
        m, number = self.conflict()
        self.assertEqual(self.flush(
            m, *self.options, "--number", number, "--overwrite"), (0, ""))
        self.assertEqual(self.on_server("old.txt"), HELLO)
        self.assertEqual(self.unsent(m), [])

    def test_that_a_conflict_is_taken_out_as_a_file(self):
        m, number = self.conflict()
        out = self.dir + "/out"
        told = m.command("flush", "--number", number, "--export", out)
        with open(told.stdout.rstrip("\n"), "rb") as file:
            self.assertEqual(file.read(), HELLO)
        self.assertEqual(self.on_server("old.txt"), b"theirs\n")
        self.assertEqual(self.unsent(m), [])

    def test_that_a_conflict_is_dropped_when_a_person_says_so(self):
        m, number = self.conflict()
        for words in ((), ("--drop", "--overwrite"), ("--drop", m.path)):
            done = m.command("flush", "--number", number, *words, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
        done = m.command("flush", "--number", "999", "--drop", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is none", done.stderr)
        self.assertEqual(len(self.unsent(m)), 1)
        m.command("flush", "--number", number, "--drop")
        self.assertEqual(self.unsent(m), [])

    def test_that_what_was_open_at_a_crash_is_kept_aside(self):
        m = self.writable()
        end = self.holder(m.at("half.txt"))
        entry, = self.unsent(m)
        self.assertEqual((entry["state"], entry["busy"], entry["cures"]),
                         ("open", True, []))
        m.crash()
        self.assertNotEqual(end(), 0)
        entry, = self.unsent(m)
        self.assertEqual(entry["size_bytes"], len(HELLO))
        option = ("-o", f"ca_file={self.bed.ca.cert}")
        status, lines = self.flush(m, *option)
        self.assertEqual(status, 74, lines)
        self.assertFalse(os.path.exists(self.home + "/half.txt"))
        again = self.make_mount(self.url, self.token, daemon=True, rw=True,
                                spool_dir=m.folder + "/state/bearerfs/spool")
        again.start()
        entry, = [one for one in again.status()["unsent"]
                  if one["kind"] == "file"]
        self.assertEqual(entry["state"], "aside")
        number = str(entry["number"])
        text = again.command("status", again.path).stdout
        self.assertIn(f"--number {number}", text)
        self.assertEqual(self.flush(
            m, *option, "--number", number, "--overwrite"), (0, ""))
        self.assertEqual(self.on_server("half.txt"), HELLO)

    def half_changed(self, name):
        """A file of which a few bytes were changed in place when its mount
        died: the mount, the number of the entry, what was to become of it."""
        base = os.urandom(300000)
        self.bed.put(f"alice/{self.folder}/{name}", data=base, age=60)
        os.chmod(os.path.join(self.home, name), 0o666)
        m = self.writable()
        fd = os.open(m.at(name), os.O_RDWR)
        os.pwrite(fd, b"ours", 100000)
        m.crash()
        with self.assertRaises(OSError):
            os.close(fd)
        entry, = self.unsent(m)
        self.assertGreater(entry["missing_bytes"], 200000)
        option = ("-o", f"ca_file={self.bed.ca.cert}", "--number",
                  str(entry["number"]))
        # It is put aside by whoever looks after the spool.
        self.assertEqual(self.flush(m, *option[:2])[0], 74)
        return m, option, base[:100000] + b"ours" + base[100004:]

    def test_that_what_is_missing_of_the_base_is_fetched(self):
        for name, words in (("over", ("--overwrite",)),
                            ("as", ("--as", f"/exp/alice/{self.folder}/new"))):
            m, option, wanted = self.half_changed(name)
            self.assertEqual(self.flush(m, *option, *words), (0, ""))
            self.assertTrue(self.on_server(
                "new" if name == "as" else name) == wanted)
            self.assertEqual(self.unsent(m), [])

    def test_that_versions_are_never_mixed(self):
        m, option, wanted = self.half_changed("in-place")
        theirs = os.urandom(300000)
        self.bed.put(f"alice/{self.folder}/in-place", data=theirs, age=30)
        for words in (("--overwrite",), ("--as", "/exp/alice/other")):
            status, lines = self.flush(m, *option, *words)
            self.assertEqual(status, 74, lines)
            self.assertIn("not that one any more", lines)
            self.assertIn("--export DIR", lines)
        os.unlink(self.home + "/in-place")
        status, lines = self.flush(m, *option, "--overwrite")
        self.assertEqual(status, 74, lines)
        self.assertIn("no such file any more", lines)
        # What is here can be had.
        out = self.dir + "/out"
        m.command("flush", *option, "--export", out)
        found, = [os.path.join(place, one) for place, _, files in os.walk(out)
                  for one in files if one.endswith(".partial")]
        with open(found, "rb") as file:
            file.seek(100000)
            self.assertEqual(file.read(4), b"ours")

    def test_that_two_signals_end_the_wait_of_umount(self):
        server = self.own_nginx()
        m = self.of_server(server, write="back")
        end = self.holder(m.at("late.txt"))
        server.stop()
        self.assertEqual(end(), 0)
        child = subprocess.Popen([m.binary, "umount", m.path], env=m.env,
                                 stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        time.sleep(0.5)
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
        _, lines = child.communicate(timeout=30)
        self.assertEqual(child.returncode, 74, lines)
        self.assertIn("late.txt", lines)
        self.assertIsNone(m.device())
        self.assertEqual(len(self.unsent(m)), 1)


if __name__ == "__main__":
    bed.main()
