#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Large files are sent while they are written: to nginx and Apache, which
take chunks and throw away what is cut. Until the close nobody sees any of it,
whatever the writer does; then the file stands there as it was closed, and
nothing else does."""
import errno
import glob
import os
import signal
import subprocess

import bed
from bed.writing import NEW, WritingCase

MIB = 1 << 20
PIECE = bytes(range(256)) * 4096
SERVERS = ("nginx", "apache")
LEAST = 6  # pieces, after which sending has begun
FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL


class Ahead(WritingCase):
    def setUp(self):
        super().setUp()
        # What a server that was ended has left there.
        self.left = set(self.body_files())

    def body_files(self):
        return glob.glob(f"{self.bed.nginx.folder}/run/body/**",
                         recursive=True)

    def bodies(self):
        """What nginx has of bodies that have not ended."""
        found = 0
        for path in set(self.body_files()) - self.left:
            try:
                found += os.path.getsize(path) if os.path.isfile(path) else 0
            except FileNotFoundError:
                pass  # it has ended
        return found

    def begin(self, m, name, pieces=LEAST):
        fd = os.open(m.at(name), FLAGS, 0o644)
        for _ in range(pieces):
            os.write(fd, PIECE)
        return fd

    def until_sending(self, least=4 * MIB):
        bed.wait_for(lambda: self.bodies() >= least,
                     "nginx to have the begin of it", 20)

    def until_ended(self):
        bed.wait_for(lambda: self.bodies() == 0,
                     "nginx to have thrown it away", 20)

    def test_that_it_is_on_its_way_before_the_close(self):
        m = self.writable("nginx", "ahead")
        fd = self.begin(m, "f")
        self.until_sending()
        os.write(fd, PIECE)
        self.until_sending(6 * MIB)
        self.assertEqual(os.listdir(m.disk), [])
        os.write(fd, b"end")
        os.close(fd)
        self.assert_same(m, {"f": PIECE * (LEAST + 1) + b"end"})
        sent = m.counters()["drafts_sent_files"]
        self.assertEqual(sent, 1)

    def test_what_writers_do_to_it(self):
        """Each leaves what it is to be, and no other bytes or names."""
        def patch(m, fd):
            os.pwrite(fd, b"HEAD", 0)
            return {"f": b"HEAD" + PIECE[4:] + PIECE * (LEAST - 1)}

        def cut(m, fd):
            os.ftruncate(fd, 5)
            return {"f": PIECE[:5]}

        def rename(m, fd):
            os.rename(m.at("f"), m.at("g"))
            return {"g": PIECE * LEAST}

        def unlink(m, fd):
            os.unlink(m.at("f"))
            return {}

        def time(m, fd):
            os.utime(fd, (1e9, 1e9))
            return {"f": PIECE * LEAST}

        def fsync(m, fd):
            os.fsync(fd)
            os.write(fd, b"more")
            return {"f": PIECE * LEAST + b"more"}

        def twice(m, fd):
            os.close(os.dup(fd))
            os.write(fd, b"more")
            return {"f": PIECE * LEAST + b"more"}

        for server in SERVERS:
            for do in (patch, cut, rename, unlink, time, fsync, twice):
                with self.subTest(server, do=do.__name__):
                    m = self.writable(server, f"{do.__name__}-{server}")
                    fd = self.begin(m, "f")
                    if server == "nginx":
                        self.until_sending()
                    wanted = do(m, fd)
                    os.close(fd)
                    self.wait_sent(m)
                    self.assert_same(m, wanted)
                    if do is time and server == "nginx":
                        self.assertEqual(
                            os.stat(m.disk + "/f").st_mtime, 1e9)
                    self.until_ended()
                    m.stop()

    def test_that_a_kill_leaves_nothing(self):
        m = self.writable("nginx", "killed")
        fd = self.begin(m, "f")
        self.until_sending()
        os.kill(m.pid, signal.SIGKILL)
        self.until_ended()
        with self.assertRaises(OSError):
            os.write(fd, PIECE)
        with self.assertRaises(OSError):
            os.close(fd)
            os.stat(m.at("f"))
        m.crash()
        self.assertEqual(os.listdir(m.disk), [])
        # What was open is put aside, and listed.
        again = self.make_again("nginx", m.disk, spool_dir=m.options[
            "spool_dir"]).start()
        one, = self.unsent(again)
        self.assertEqual((one["state"], one["size_bytes"]),
                         ("aside", LEAST * MIB))

    def test_what_is_written_anew(self):
        for server in SERVERS:
            with self.subTest(server):
                m = self.writable(server, "anew-" + server)
                with open(m.disk + "/f", "w") as file:
                    file.write("old")
                fd = os.open(m.at("f"), os.O_WRONLY | os.O_TRUNC)
                for _ in range(LEAST):
                    os.write(fd, PIECE)
                if server == "nginx":
                    self.until_sending()
                self.assert_same(m, {"f": b"old"})
                os.close(fd)
                self.assert_same(m, {"f": PIECE * LEAST})
                # Somebody else comes in between.
                fd = os.open(m.at("f"), os.O_WRONLY | os.O_TRUNC)
                for _ in range(LEAST):
                    os.write(fd, PIECE)
                with open(m.disk + "/f", "w") as file:
                    file.write("another's")
                with self.assertRaises(OSError) as caught:
                    os.close(fd)
                self.assertEqual(caught.exception.errno, errno.ESTALE)
                self.assert_same(m, {"f": b"another's"})

    def test_that_anothers_file_stays(self):
        for server in SERVERS:
            with self.subTest(server):
                m = self.writable(server, "other-" + server)
                fd = self.begin(m, "f")
                with open(m.disk + "/f", "w") as file:
                    file.write("another's")
                with self.assertRaises(FileExistsError):
                    os.close(fd)
                self.assert_same(m, {"f": b"another's"})
                one, = self.unsent(m)
                self.assertEqual((one["errno"], one["size_bytes"]),
                                 ("EEXIST", LEAST * MIB))

    def test_a_server_that_restarts_in_between(self):
        m = self.writable("nginx", "restart")
        # Not from here: what this process starts would close it as well. A
        # shell does so itself, and what is sent then replaces an empty file.
        with subprocess.Popen(["sh", "-c", f"exec cat > {m.at('f')}"],
                              stdin=subprocess.PIPE) as writer:
            writer.stdin.write(PIECE * LEAST)
            self.until_sending()
            self.bed.nginx.restart()
            writer.stdin.write(PIECE)
            writer.stdin.close()
            self.assertEqual(writer.wait(60), 0)
        self.assert_same(m, {"f": PIECE * (LEAST + 1)})

    def test_xrootd_which_must_be_told_the_length(self):
        m = self.writable("xrootd", "xrootd")
        for name in ("f", "g"):
            fd = self.begin(m, name)
            self.assertEqual(os.listdir(m.disk),
                             ["f"] if name == "g" else [])
            os.close(fd)
        self.assert_same(m, {"f": PIECE * LEAST, "g": PIECE * LEAST})

    def test_eight_at_once(self):
        m = self.writable("nginx", "eight")
        fds = [self.begin(m, f"f{nth}", 2) for nth in range(8)]
        for _ in range(8):
            for fd in fds:
                os.write(fd, PIECE)
        for fd in fds:
            os.close(fd)
        self.assert_same(m, {f"f{nth}": PIECE * 10 for nth in range(8)})
        # One more does without asking anew.
        self.assertEqual(self.put(m.at("small"), b"x", NEW), ("done", "0"))


if __name__ == "__main__":
    bed.main(deadline=300)
