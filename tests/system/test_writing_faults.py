#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong while files are written, on real servers: for each fault the
errno of the call that failed, the line with its remedy, where the data are;
the old file whole; and after the fault, all sent. Never success without the
data on the server, never data gone."""
import errno
import glob
import os
import re
import threading
import time

import bed
from bed import content, mount
from bed.cutter import Cutter
from bed.disks import Disk
from bed.nginx import Nginx
from bed.procs import slow
from bed.writing import AGAIN, NEW, SERVERS, WritingCase

MIB = 1 << 20
OLD = b"old content\n" * 100
NEWER = b"new content\n" * 999
LARGE = 8 * MIB + 777
LONG = os.environ.get("BED_LONG") == "1"


def servers(*names):
    """One test a server."""
    def decorate(method):
        def run(self):
            for name in names:
                with self.subTest(name):
                    method(self, name)
        run.__name__ = method.__name__
        return run
    return decorate


each_server = servers(*SERVERS)
# What waits for long: in the short run of the server whose way is longest.
each_server_in_time = servers(*(SERVERS if LONG else ("xrootd",)))


class Faults(WritingCase):
    deadline = 400

    def near(self, server):
        near = self.bed.between("near-" + server, getattr(self.bed, server))
        self.addCleanup(near.heal)
        return near

    def begin(self, what, server, near=None, old=True, **more):
        """A mount of a place with an old file f, seen once."""
        m = self.make_writable(server, f"{what}-{server}",
                               **{"timeout": "20s", **more})
        if near is not None:
            m.argv[m.argv.index(m.source)] = m.source = m.source.replace(
                getattr(self.bed, server).url, near.url)
        if old:
            self.make_old(m)
        m.start()
        if old:
            self.assertEqual(mount.run(["cat", m.at("f")], text=False).stdout,
                             OLD)
        return m

    def make_old(self, m, name="f", data=OLD):
        """A new file under the name: XRootD keeps a checksum with each."""
        new = os.path.join(self.dir, "new-file")
        with open(new, "wb") as file:
            file.write(data)
        os.chmod(new, 0o666)
        content.touch(new)
        os.rename(new, os.path.join(m.disk, name))

    def disk(self, m, name="f"):
        try:
            with open(os.path.join(m.disk, name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def assert_held(self, m, name, data, code, state="failed"):
        """It is in the spool, whole, listed with errno and reason; and the
        log has one line with the remedy."""
        found = [one for one in self.unsent(m)
                 if one["server_path"].endswith("/" + name)]
        self.assertEqual(len(found), 1, found)
        one, = found
        self.assertEqual((one["state"], one["errno"], one["size_bytes"]),
                         (state, code, len(data)), one)
        self.assertTrue(one["why"], one)
        self.assertTrue(one["cures"], one)
        self.assertRegex(m.log_text(), (
            rf'level=warn .*msg="file not sent.* path="/{re.escape(name)}" '
            r'.*why=".+" kept=spool .*cure=".+"'))
        return one

    def sends(self, m, name, data):
        """After the fault."""
        done = m.command("flush", m.path, "--timeout", "20s", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.disk(m, name) == data)
        self.assertEqual(self.unsent(m), [])

    def decide(self, m, number, *words):
        """About one file that `m` has not sent."""
        m.command("flush", "-o", f"ca_file={self.bed.ca.cert},spool_dir="
                  f"{m.options['spool_dir']}", "--number", str(number), *words)

    # What servers say.

    @each_server_in_time
    def test_statuses(self, server):
        near = self.near(server)
        m = self.begin("status", server, near, timeout="12s")
        expected = {403: ("EKEYREJECTED", "EACCES"), 409: ("ENOENT",),
                    413: ("EFBIG",), 501: ("EOPNOTSUPP",),
                    507: ("EDQUOT",)}
        for status, errnos in expected.items():
            near.lie("status", method="PUT", code=status)
            stage, code = self.put(m.at("f"), NEWER)
            self.assertEqual(stage, "close", status)
            self.assertIn(code, errnos, status)
            self.assertEqual(self.disk(m), OLD)
            one = self.assert_held(m, "f", NEWER, code)
            if status != 403:
                self.assertIn(str(status), one["why"])
            # It is read here as it was written.
            self.assertTrue(mount.run(["cat", m.at("f")], text=False).stdout
                            == NEWER)
            near.heal()
            self.sends(m, "f", NEWER)
            self.assertEqual(self.put(m.at("f"), OLD), ("done", "0"))
        near.lie("status", method="MOVE" if server == "xrootd" else "PUT",
                 code=423)
        self.assertEqual(self.put(m.at("f"), NEWER), ("close", "EBUSY"))
        self.assert_held(m, "f", NEWER, "EBUSY")
        near.heal()
        self.sends(m, "f", NEWER)
        # Once is made up for.
        for status in (401, 403, 500, 502, 503, 429):
            near.lie("status", method="PUT", code=status, times=1)
            self.assertEqual(self.put(m.at("f"), OLD), ("done", "0"), status)
            self.assertEqual(self.disk(m), OLD)
            near.heal()
        self.no_leftovers(m.disk)

    def test_a_precondition_that_fails_is_a_conflict(self):
        near = self.near("apache")
        m = self.begin("status412", "apache", near)
        near.lie("status", method="PUT", code=412)
        stage, code = self.put(m.at("f"), NEWER)
        self.assertEqual((stage, code), ("close", "ESTALE"))
        self.assert_held(m, "f", NEWER, "ESTALE", "conflict")
        self.assertEqual(self.disk(m), OLD)

    # A server that is gone.

    @each_server_in_time
    def test_a_server_that_is_down_at_close(self, server):
        near = self.near(server)
        m = self.begin("down", server, near, timeout="4s")
        near.fault("refused")
        stage, code = self.put(m.at("f"), NEWER)
        self.assertEqual(stage, "close")
        self.assertIn(code, ("EHOSTUNREACH", "ETIMEDOUT"))
        self.assertEqual(self.disk(m), OLD)
        self.assert_held(m, "f", NEWER, code)
        near.heal()
        # By itself.
        bed.wait_for(lambda: self.disk(m) == NEWER, "it to be sent", 30)
        self.wait_sent(m)

    @each_server_in_time
    def test_an_upload_that_is_cut_or_stalls(self, server):
        line = Cutter(getattr(self.bed, server).port)
        self.addCleanup(line.close)
        url = getattr(self.bed, server).url
        m = self.make_writable(server, f"cut-{server}", timeout="4s")
        m.argv[m.argv.index(m.source)] = m.source = re.sub(
            r":\d+/", f":{line.port}/", m.source)
        self.assertIn("https://localhost", url)
        self.make_old(m)
        m.start()
        data = content.stream("large", 0, LARGE)
        for fault in (line.cut, line.stall):
            fault(after=2 * MIB)
            stage, code = self.put(m.at("f"), data)
            self.assertEqual(stage, "close")
            self.assertIn(code, ("ETIMEDOUT", "EIO", "EHOSTUNREACH"))
            self.assertEqual(self.disk(m), OLD)
            self.assert_held(m, "f", data, code)
            line.heal()
            bed.wait_for(lambda: self.disk(m) == data, "it to be sent", 40)
            self.wait_sent(m)
            self.assertEqual(self.put(m.at("f"), OLD), ("done", "0"))

    @each_server
    def test_an_answer_that_is_lost(self, server):
        near = self.near(server)
        m = self.begin("lost", server, near)
        methods = ("PUT", "MOVE") if server == "xrootd" else ("PUT",)
        for turn, method in enumerate(methods):
            near.lie("lost", method=method, times=1)
            data = NEWER + b"%d" % turn
            self.assertEqual(self.put(m.at("f"), data), ("done", "0"))
            self.assertEqual(self.disk(m), data)
            near.lie("lost", method=method, times=1)
            self.assertEqual(self.put(m.at(f"new{turn}"), data, NEW),
                             ("done", "0"))
            self.assertEqual(self.disk(m, f"new{turn}"), data)
            near.heal()
        self.no_leftovers(m.disk)
        self.assertEqual(self.unsent(m), [])

    @each_server
    def test_who_writes_on_does_not_wait_for_a_silent_server(self, server):
        near = self.near(server)
        m = self.begin("silent", server, near, write="back", timeout="30s")
        for lie in ("stall", "mute"):
            data = content.stream(lie, 0, 100000)
            since = near.mark()
            near.lie(lie, method="PUT")
            self.assertEqual(self.put(m.at("f"), NEWER), ("done", "0"))
            bed.wait_for(lambda: "PUT" in [
                one["method"] for one in near.requests(since)], "its upload")
            began = time.monotonic()
            self.assertEqual(self.put(m.at("f"), data), ("done", "0"))
            self.assertLess(time.monotonic() - began, 10 * max(1, slow))
            near.heal()
            bed.wait_for(lambda: self.disk(m) == data, "it to be sent", 60)
            self.wait_sent(m)
        self.no_leftovers(m.disk)

    def test_a_network_that_is_gone_for_a_while(self):
        gone_s = 60 if LONG else 8
        near = self.near("nginx")
        m = self.begin("network", "nginx", near, timeout="4s")
        near.fault("black hole")
        began = time.monotonic()
        for name in ("f", "g", "h") if LONG else ("f", "g"):
            stage, code = self.put(m.at(name), NEWER, deadline=60)
            self.assertIn((stage, code), [
                (stage, code) for stage in ("open", "close")
                for code in ("ETIMEDOUT", "EHOSTUNREACH")])
        held = {one["server_path"] for one in self.unsent(m)}
        self.assertLess(time.monotonic() - began, 60 * max(1, slow))
        time.sleep(max(0, gone_s - (time.monotonic() - began)))
        self.assertEqual(self.disk(m), OLD)
        near.heal()
        bed.wait_for(lambda: not self.unsent(m), "all to be sent", 60)
        for path in held:
            self.assertEqual(self.disk(m, path.rsplit("/", 1)[1]), NEWER)
        self.assertIn("f", [path.rsplit("/", 1)[1] for path in held])

    # Tokens.

    def test_a_token_that_ends_and_is_renewed_late(self):
        life = int((8 if LONG else 4) * max(1, slow))
        late_s = 10 if LONG else 4
        m = self.begin("renewed", "nginx", timeout="60s",
                       token=self.bed.token("read:/ write:/", lifetime=life))
        time.sleep(life + 1)
        threading.Timer(late_s, m.set_token,
                        [self.bed.token("read:/ write:/")]).start()
        began = time.monotonic()
        self.assertEqual(self.put(m.at("f"), NEWER), ("done", "0"))
        self.assertGreater(time.monotonic() - began, late_s - 2)
        self.assertEqual(self.disk(m), NEWER)

    @each_server
    def test_a_token_that_may_not_write(self, server):
        if server == "apache":
            return  # it looks at no scopes
        m = self.begin("scope", server, token=self.bed.token("read:/"))
        stage, code = self.put(m.at("f"), NEWER)
        self.assertIn(stage, ("open", "close"))
        self.assertIn(code, ("EACCES", "EKEYREJECTED"))
        self.assertEqual(self.disk(m), OLD)
        if stage == "close":
            self.assert_held(m, "f", NEWER, code)
            m.set_token(self.bed.token("read:/ write:/"))
            self.sends(m, "f", NEWER)

    # Others.

    @each_server
    def test_a_file_that_another_changes(self, server):
        m = self.begin("conflict", server)
        fd = os.open(m.at("f"), os.O_WRONLY)
        os.write(fd, b"mine")
        self.make_old(m, data=b"theirs\n" * 50)
        with self.assertRaises(OSError) as caught:
            os.close(fd)
        self.assertEqual(caught.exception.errno, errno.ESTALE)
        self.assertEqual(self.disk(m), b"theirs\n" * 50)
        one = self.assert_held(m, "f", OLD, "ESTALE", "conflict")
        # The path shows theirs; ours goes where its user says.
        self.assertEqual(mount.run(["cat", m.at("f")], text=False).stdout,
                         b"theirs\n" * 50)
        text = m.command("status", m.path).stdout
        self.assertIn(f"--number {one['number']}", text)
        self.decide(m, one["number"], "--as", m.at("mine"))
        self.assertEqual(self.disk(m, "mine"), b"mine" + OLD[4:])
        self.assertEqual(self.disk(m), b"theirs\n" * 50)
        self.assertEqual(self.unsent(m), [])

    @each_server
    def test_two_mounts_that_write_one_file(self, server):
        m = self.begin("two", server, attr_ttl="0s", negative_ttl="0s")
        other = self.make_again(server, m.disk, timeout="4s", attr_ttl="0s",
                                negative_ttl="0s").start()
        for turn in range(4 if LONG else 2):
            name = "f" if turn % 2 else f"new{turn}"
            results = [None, None]

            def write(n, where):
                results[n] = self.put(where.at(name), b"%d" % n * 100000,
                                      AGAIN if turn % 2 else NEW)
            threads = [threading.Thread(target=write, args=pair)
                       for pair in ((0, m), (1, other))]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
            won = [n for n in (0, 1) if results[n] == ("done", "0")]
            self.assertTrue(won, results)
            for n in {0, 1} - set(won):
                self.assertIn(results[n][1], ("ESTALE", "EEXIST"), results)
            self.assertIn(self.disk(m, name),
                          [b"%d" % n * 100000 for n in won])
            held = len(self.unsent(m)) + len(self.unsent(other))
            for where in (m, other):
                for one in self.unsent(where):
                    self.assertEqual(one["state"], "conflict")
                    self.decide(where, one["number"], "--drop")
            self.assertLessEqual(held, 1)

    @each_server
    def test_a_directory_that_becomes_a_file(self, server):
        m = self.begin("became", server)
        os.mkdir(m.at("d"))
        fd = os.open(m.at("d/x"), NEW, 0o644)
        os.write(fd, NEWER)
        os.rmdir(m.disk + "/d")
        self.make_old(m, "d")
        with self.assertRaises(OSError) as caught:
            os.close(fd)
        self.assertEqual(caught.exception.errno, errno.ENOTDIR)
        self.assertEqual(self.disk(m, "d"), OLD)
        one = self.assert_held(m, "d/x", NEWER, "ENOTDIR")
        self.assertIn("is a file", one["why"])

    # The disk of the spool.

    def test_a_spool_that_is_full_at_each_write(self):
        disk = Disk(self.dir, 24)
        self.addCleanup(disk.detach)
        m = self.begin("full", "nginx", spool_dir=disk.place + "/spool")
        data = content.stream("d", 0, 30 * MIB)
        stage, code = self.put(m.at("f"), data)
        self.assertEqual((stage, code), ("write", "ENOSPC"))
        self.assertNotEqual(len(self.disk(m)), len(data))
        self.make_old(m)
        # The kernel tells of the end of a file after its close has returned.
        bed.wait_for(lambda: not glob.glob(disk.place + "/spool/v1/*.d"),
                     "what was written of f to be let go of")
        disk.fill()
        stage, code = self.put(m.at("g"), NEWER)
        self.assertEqual(code, "ENOSPC")
        self.assertIn(stage, ("open", "write", "close"))
        self.assertIn(self.disk(m, "g"), (None, b""))
        disk.empty()
        self.assertEqual(self.put(m.at("h"), NEWER), ("done", "0"))
        self.assertEqual(self.disk(m, "h"), NEWER)

    def test_a_users_limit(self):
        m = self.begin("limit", "nginx", spool_size="3M")
        stage, code = self.put(m.at("g"), bytes(5 * MIB))
        self.assertEqual((stage, code), ("write", "ENOSPC"))
        self.assertEqual(self.put(m.at("h"), bytes(2 * MIB)), ("done", "0"))
        # What was sent counts no more.
        self.assertEqual(self.put(m.at("i"), bytes(2 * MIB)), ("done", "0"))

    def test_a_real_lock_and_a_real_limit(self):
        tight = self.bed.add(Nginx(self.bed, "nginx-tight",
                                   extra="client_max_body_size 1m;"))
        m = self.begin("tight", "nginx", tight)
        self.assertEqual(self.put(m.at("f"), bytes(2 * MIB)),
                         ("close", "EFBIG"))
        self.assertEqual(self.disk(m), OLD)
        self.assert_held(m, "f", bytes(2 * MIB), "EFBIG")


if __name__ == "__main__":
    bed.main(deadline=1500)
