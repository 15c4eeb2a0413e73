#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The edges of close: FUSE's FLUSH comes at each close of each duplicate, and
not at all for what a mapping stores after the last one. The server ends with
the right bytes, and nothing is sent twice that was sent once; with a token
that may only create as well. And what a file costs in requests."""
import os
import stat
import time

import bed
from bed import mount
from bed.writing import NEW, SERVERS, WritingCase

MIB = 1 << 20
LONG = os.environ.get("BED_LONG") == "1"
EVERYTHING = "storage.read:/ storage.create:/ storage.modify:/"
CREATE_ONLY = "storage.read:/ storage.create:/"
# What says that these are scopes of WLCG: XRootD knows no other creation.
WLCG = {"wlcg.ver": "1.0", "ver": None}
# Requests for one small file that is new. What keeps nginx from overwriting is
# a MOVE: its PUT, and a look at what stands there, come before that.
SMALL_FILE = {"nginx": 3, "apache": 2, "xrootd": 4}

# argv[1]: a file to be made.
CHILD = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
os.write(fd, b"one ")
if os.fork() == 0:
    os.close(fd)      # a FLUSH of what the parent still writes
    os._exit(0)
os.wait()
os.write(fd, b"two")
os.close(fd)
"""
DUP = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
more = os.dup(fd)
os.close(fd)          # of a file that nobody has written yet
os.write(more, b"dup")
again = os.dup(more)
os.close(more)
os.close(again)
"""
MAPPED = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
os.write(fd, bytes(8192))
map = mmap.mmap(fd, 8192)
os.close(fd)
map[4096:4101] = b"later"
del map
"""


class Edges(WritingCase):
    deadline = 900 if LONG else 180

    def near(self, server):
        near = self.bed.between("near-" + server, getattr(self.bed, server))
        self.addCleanup(near.heal)
        return near

    def begin(self, what, server, scope, **more):
        """A mount behind something that counts requests."""
        near = self.near(server)
        m = self.make_writable(server, f"{what}-{server}",
                               token=self.bed.token(scope, **WLCG),
                               **more)
        m.argv[m.argv.index(m.source)] = m.source = m.source.replace(
            getattr(self.bed, server).url, near.url)
        return near, m.start()

    def bodies(self, near, mark, name):
        """How often bytes were sent for a file, whatever name they had."""
        return [one for one in near.requests(mark) if one["method"] == "PUT"]

    def on_disk(self, m, name):
        with open(os.path.join(m.disk, name), "rb") as file:
            return file.read()

    def edge(self, what, wanted, sent, command):
        """@param sent  how often bytes may be sent at most, {scope: count}"""
        for server in SERVERS:
            for scope, most in sent.items():
                if server == "apache" and scope == CREATE_ONLY:
                    continue  # it looks at no scopes
                with self.subTest(server, scope=scope):
                    what_now = what + ("-only" if scope == CREATE_ONLY
                                       else "")
                    near, m = self.begin(what_now, server, scope)
                    mark = near.mark()
                    command(m.at("f"))
                    bed.wait_for(
                        lambda: os.path.exists(m.disk + "/f") and
                        self.on_disk(m, "f") == wanted,
                        "the right bytes on the server", 20)
                    self.wait_sent(m)
                    time.sleep(0.3)
                    self.assertEqual(self.on_disk(m, "f"), wanted)
                    puts = self.bodies(near, mark, "f")
                    self.assertLessEqual(len(puts), most, puts)
                    self.assertEqual(os.listdir(m.disk), ["f"])
                    m.stop()

    def test_a_shells_redirection(self):
        self.edge("echo", b"hi\n", {EVERYTHING: 2, CREATE_ONLY: 1},
                  lambda path: self.sh(f"sh -c 'echo hi > {path}'"))

    def test_a_program_that_writes_and_closes(self):
        self.edge("cp", b"x" * 5000, {EVERYTHING: 1, CREATE_ONLY: 1},
                  lambda path: self.put(path, b"x" * 5000, NEW))

    def test_a_child_that_closes(self):
        # What the child's close sent is the first half.
        self.edge("child", b"one two", {EVERYTHING: 2},
                  lambda path: mount.run(["/usr/bin/python3", "-c", CHILD,
                                          path]))

    def test_a_child_that_closes_with_a_token_that_only_creates(self):
        """The half that went cannot be replaced: the writer hears of it, and
        has all of it in the spool."""
        for server in ("nginx", "xrootd"):
            with self.subTest(server):
                _, m = self.begin("child-only", server, CREATE_ONLY)
                done = mount.run(["/usr/bin/python3", "-c", CHILD,
                                  m.at("f")], check=False)
                self.assertIn("File exists", done.stderr)
                self.assertEqual(self.on_disk(m, "f"), b"one ")
                one, = self.unsent(m)
                self.assertEqual((one["errno"], one["size_bytes"]),
                                 ("EEXIST", 7))

    def test_a_duplicate(self):
        self.edge("dup", b"dup", {EVERYTHING: 2, CREATE_ONLY: 1},
                  lambda path: mount.run(["/usr/bin/python3", "-c", DUP,
                                          path]))

    def test_stores_after_the_close(self):
        self.edge("mapped", bytes(4096) + b"later" + bytes(4091),
                  {EVERYTHING: 2},
                  lambda path: mount.run(["/usr/bin/python3", "-c", MAPPED,
                                          path]))

    def test_a_file_that_nobody_writes(self):
        self.edge("empty", b"", {EVERYTHING: 1, CREATE_ONLY: 1},
                  lambda path: self.sh(f": > {path}"))

    def test_that_only_creating_overwrites_nothing(self):
        for server in ("nginx", "xrootd"):
            with self.subTest(server):
                _, m = self.begin("only", server, CREATE_ONLY)
                with open(m.disk + "/f", "wb") as file:
                    file.write(b"theirs")
                os.chmod(m.disk + "/f", 0o666)
                stage, code = self.put(m.at("f"), b"mine")
                self.assertIn((stage, code), [
                    ("open", "EACCES"), ("close", "EEXIST"),
                    ("close", "EACCES"), ("close", "EKEYREJECTED")])
                self.assertEqual(self.on_disk(m, "f"), b"theirs")
                if stage == "close":
                    self.assertEqual(len(self.unsent(m)), 1)

    def test_what_is_open_and_unlinked(self):
        for server in SERVERS:
            with self.subTest(server):
                _, m = self.begin("unlinked", server, EVERYTHING)
                fd = os.open(m.at("f"), os.O_RDWR | os.O_CREAT, 0o644)
                os.write(fd, b"secret")
                os.unlink(m.at("f"))
                self.assertEqual(os.pread(fd, 100, 0), b"secret")
                os.write(fd, b" more")
                self.assertEqual(os.fstat(fd).st_size, 11)
                os.close(fd)
                self.assertEqual(os.listdir(m.disk), [])
                self.assertEqual(os.listdir(m.path), [])
                self.assertEqual(self.unsent(m), [])

    def test_what_is_open_and_leaves_the_server(self):
        """Readers and writers read it whole, also what they have not read
        yet and what is only on the server."""
        data = os.urandom(300000)
        changed = data[:100] + b"changed" + data[107:]
        for server in SERVERS:
            with self.subTest(server):
                m = self.writable(server, f"leaves-{server}")
                for name in ("read", "written", "replaced"):
                    with open(os.path.join(m.disk, name), "wb") as file:
                        file.write(data)
                    os.chmod(file.name, 0o666)
                fds = [os.open(m.at("read"), os.O_RDONLY),
                       os.open(m.at("written"), os.O_RDWR),
                       os.open(m.at("replaced"), os.O_RDONLY)]
                os.pwrite(fds[1], b"changed", 100)
                os.unlink(m.at("read"))
                os.unlink(m.at("written"))
                with open(m.at("new"), "wb") as file:
                    file.write(b"new")
                os.rename(m.at("new"), m.at("replaced"))
                for fd, wanted in zip(fds, (data, changed, data)):
                    self.assertEqual(os.fstat(fd).st_size, 300000)
                    self.assertTrue(os.pread(fd, 400000, 0) == wanted)
                    os.close(fd)
                self.assert_same(m, {"replaced": b"new"})
                self.assertEqual(self.unsent(m), [])

    def test_a_cut_to_the_same_length_is_none(self):
        m = self.writable("nginx", "same", write="back")
        self.put(m.at("f"), b"old" * 1000, NEW)
        self.wait_sent(m)
        reader = os.open(m.at("f"), os.O_RDONLY)
        self.assertEqual(os.pread(reader, 6, 0), b"oldold")
        os.truncate(m.at("f"), 3000)
        self.assertEqual(self.unsent(m), [])
        # Still the same file to who has it open.
        self.sh(f"printf new | dd of={m.at('f')} conv=notrunc status=none")
        self.assertEqual(os.fstat(reader).st_ino, os.stat(m.at("f")).st_ino)
        self.assertEqual(os.pread(reader, 6, 0), b"newold")
        os.close(reader)
        self.wait_sent(m)
        self.assert_same(m, {"f": b"new" + b"old" * 999})

    def test_a_file_that_is_made_and_not_opened(self):
        for write in ("through", "back"):
            m = self.writable("nginx", "made" + write, write=write)
            self.sh(f"python3 -c 'import os; os.mknod(\"{m.at('f')}\")'")
            bed.wait_for(lambda: os.listdir(m.disk) == ["f"], "it to be sent")
            self.assert_same(m, {"f": b""})

    def test_a_directory_that_is_open_and_removed(self):
        m = self.writable("nginx", "gone")
        os.mkdir(m.at("d"))
        fd = os.open(m.at("d"), os.O_RDONLY)
        os.rmdir(m.at("d"))
        self.assertTrue(stat.S_ISDIR(os.fstat(fd).st_mode))
        os.close(fd)

    def test_that_a_mode_outlives_writing(self):
        m = self.writable("apache", "mode")
        with open(os.path.join(m.disk, "f"), "wb") as file:
            file.write(b"a")
        os.chmod(file.name, 0o666)
        told = self.sh(
            "cd \"$HOME\"; chmod 711 f; touch -d @1000000000 f; exec 3>>f;"
            "stat --cached=never -c %a-%Y f; echo b >&3; exec 3>&-;"
            "stat --cached=never -c %a f; : > f; "
            "stat --cached=never -c %a f", m.path).stdout.split()
        self.assertEqual(told, ["711-1000000000", "711", "711"])

    def test_what_a_small_file_costs(self):
        for server in SERVERS:
            with self.subTest(server):
                near, m = self.begin("cost", server, EVERYTHING)
                os.listdir(m.path)
                self.put(m.at("first"), b"x", NEW)
                mark = near.mark()
                for number in range(10):
                    self.assertEqual(
                        self.put(m.at(f"n{number}"), b"x" * 5000, NEW),
                        ("done", "0"))
                asked = [one["method"] for one in near.requests(mark)]
                self.assertLessEqual(len(asked), 10 * SMALL_FILE[server],
                                     asked)
                # What was written is read without being fetched.
                mark = near.mark()
                for number in range(10):
                    got = mount.run(["cat", m.at(f"n{number}")], text=False)
                    self.assertEqual(got.stdout, b"x" * 5000)
                self.assertEqual([one for one in near.requests(mark)
                                  if one["method"] == "GET"], [])

    def test_a_copy_by_the_server_stays_there(self):
        for server in ("nginx", "apache"):
            with self.subTest(server):
                near, m = self.begin("copies", server, EVERYTHING)
                data = os.urandom(300000)
                self.put(m.at("from"), data, NEW)
                mark = near.mark()
                for number in range(5):
                    self.sh(f"cp {m.at('from')} {m.at(f'to{number}')}")
                asked = [one["method"] for one in near.requests(mark)]
                self.assertEqual(asked.count("COPY"), 5, asked)
                self.assertNotIn("DELETE", asked)
                self.assertNotIn("PUT", asked)
                self.assert_same(m, {name: data for name in [
                    "from", *(f"to{number}" for number in range(5))]})

    def test_that_write_back_and_fsync_do_as_they_say(self):
        near, m = self.begin("back", "nginx", EVERYTHING, write="back",
                             timeout="4s")
        # Where nothing is known a name may stand already.
        self.assertEqual(os.listdir(m.path), [])
        near.fault("refused")
        self.assertEqual(self.put(m.at("f"), b"later", NEW), ("done", "0"))
        self.assertEqual(os.stat(m.at("f")).st_size, 5)
        self.assertEqual(len(self.unsent(m)), 1)
        near.heal()
        bed.wait_for(lambda: os.listdir(m.disk) == ["f"], "it to be sent", 30)
        self.wait_sent(m)
        near, m = self.begin("fsync", "nginx", EVERYTHING, fsync="server")
        fd = os.open(m.at("f"), NEW, 0o644)
        os.write(fd, b"now")
        os.fsync(fd)
        self.assertEqual(self.on_disk(m, "f"), b"now")
        os.close(fd)

    def test_that_thousands_wait_with_few_descriptors(self):
        """Many more unsent files than the 1024 that a mount may have open;
        and in the next one, after a kill."""
        count = 5000 if os.environ.get("BED_LONG") == "1" else 700
        near = self.near("nginx")
        m = self.make_writable("nginx", "many", write="back", timeout="4s")
        m.argv = ["prlimit", "--nofile=1024:1024", *m.argv]
        m.argv[m.argv.index(m.source)] = m.source = m.source.replace(
            self.bed.nginx.url, near.url)
        m.start()
        wanted = {f"f{number}": b"%d" % number for number in range(count)}
        # Where nothing is known a name may stand already.
        self.assertEqual(os.listdir(m.path), [])
        near.fault("refused")
        for name, data in wanted.items():
            with open(m.at(name), "xb") as file:
                file.write(data)
        self.assertLess(len(os.listdir(f"/proc/{m.pid}/fd")), 1000)
        for name in ("f0", "f350", f"f{count - 1}"):
            with open(m.at(name), "rb") as file:
                self.assertEqual(file.read(), wanted[name])
        with open(m.at("f17"), "ab") as file:
            file.write(b" and more")
        wanted["f17"] += b" and more"
        os.rename(m.at("f18"), m.at("g18"))
        wanted["g18"] = wanted.pop("f18")
        self.assertEqual(len(self.unsent(m)), len(wanted))
        m.crash()
        near.heal()
        m.start()
        self.wait_sent(m, 120)
        self.assert_same(m, wanted)

    def test_memory_of_eight_large_files_at_once(self):
        large = 1024 if LONG else 64
        m = self.writable("nginx", "eight")
        faults = m.page_faults()
        self.sh(f"for n in 1 2 3 4 5 6 7 8; do dd if=/dev/zero bs=1M "
                f"count={large} status=none of={m.at('f$n')} & done; wait",
                deadline=800)
        faults = m.page_faults() - faults
        for number in range(1, 9):
            self.assertEqual(os.path.getsize(f"{m.disk}/f{number}"),
                             large * MIB)
        if bed.slow <= 1:
            self.assertLess(m.memory(), 256 * MIB)
            # What one WRITE had is there for the next one. What there is of
            # buffers is touched once.
            self.assertLess(faults, 8 * large * 8 + 16 * MIB // 4096)


if __name__ == "__main__":
    bed.main(deadline=1200)
