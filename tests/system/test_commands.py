#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Do the commands keep their promises: what a start refuses and what it only
warns of, umount and status on mounts that hang or are dead, the token kept
out of /proc, the ways to end a mount?"""
import contextlib
import errno
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import bed
from bed import mount
from bed.procs import gone, wait_for

LINE = "bearerfs: "


class Commands(bed.Case):
    def setUp(self):
        self.bed.put("alice/a.txt", data=b"hello\n")
        self.url = self.bed.nginx.url
        self.token = self.bed.token("read:/")

    def prepare(self, source=None, token=None, **more):
        return self.make_mount(source or self.url, token or self.token,
                               daemon=True, **more)

    def begin(self, m, words=(), deadline=60):
        """Start it; (exit status, lines on stderr)."""
        done = mount.run([*m.argv, *words], deadline, check=False, env=m.env)
        m.pid = m.find()
        lines = done.stderr.splitlines()
        for line in lines:
            self.assertTrue(line.startswith(LINE), done.stderr)
        return done.returncode, lines

    def refused(self, m, *words):
        """It does not start, and one line says why."""
        status, lines = self.begin(m)
        self.assertEqual(status, 1, lines)
        self.assertEqual(len(lines), 1, lines)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertIsNone(m.device())
        self.assertIsNone(m.pid, "a process is left")

    def warned(self, m, *words):
        """It starts, and one line says what is missing."""
        status, lines = self.begin(m)
        self.assertEqual(status, 0, lines)
        self.assertEqual(len(lines), 1, lines)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertIsNotNone(m.device())

    def silent_start(self, m):
        status, lines = self.begin(m)
        self.assertEqual((status, lines), (0, []))
        self.assertIsNotNone(m.device())

    def ended(self, m):
        wait_for(lambda: not m.running(), "the process to end")
        self.assertIsNone(m.device())
        self.assertEqual(os.listdir(m.folder + "/run/bearerfs"), [])

    def ours(self, m):
        """What status says of all mounts, but not those that were there
        before this test's own mount namespace."""
        told = m.command("status", "--json", check=False).stdout
        return [one for one in json.loads(told)
                if one["mountpoint"].startswith(self.dir + "/")]

    def listing(self, m):
        try:
            return os.listdir(m.path)
        except OSError:
            return None

    def read(self, m):
        return mount.run(["cat", m.at("alice/a.txt")]).stdout


class Starting(Commands):
    def test_that_a_good_start_is_silent_and_leaves_the_terminal(self):
        m = self.prepare()
        self.silent_start(m)
        self.assertEqual(self.read(m), "hello\n")
        self.assertEqual(os.readlink(f"/proc/{m.pid}/cwd"), "/")
        self.assertEqual(os.getsid(m.pid), m.pid)
        for fd in (0, 1, 2):
            self.assertEqual(os.readlink(f"/proc/{m.pid}/fd/{fd}"),
                             "/dev/null")

    def test_that_a_server_that_is_down_is_a_warning_and_heals(self):
        self.bed.nginx.stop()
        m = self.prepare(timeout="5s", attr_ttl="1s")
        try:
            self.warned(m, self.url, "mounted")
            with self.assertRaises(OSError) as seen:
                os.listdir(m.path)
            self.assertIn(seen.exception.strerror,
                          ("No route to host", "Connection timed out"))
        finally:
            self.bed.nginx.restart()

        wait_for(lambda: self.listing(m), "the mount to find its server")

    def test_that_a_missing_token_is_a_warning_and_heals(self):
        m = self.prepare(timeout="5s")
        os.unlink(m.token_file)
        self.warned(m, "token")
        with self.assertRaises(OSError) as seen:
            os.listdir(m.path)
        self.assertEqual(seen.exception.strerror,
                         "Required key not available")
        m.set_token(self.token)
        wait_for(lambda: self.listing(m), "the token to be found")
        self.assertEqual(self.read(m), "hello\n")

    def test_that_an_ended_token_is_a_warning(self):
        m = self.prepare(token=self.bed.token("read:/", lifetime=-60),
                         timeout="5s")
        self.warned(m, "token")
        with self.assertRaises(OSError) as seen:
            os.listdir(m.path)
        self.assertEqual(seen.exception.strerror, "Key has expired")

    def test_that_a_token_for_what_lies_below_starts_in_silence(self):
        m = self.prepare(self.bed.xrootd.url, self.bed.token("read:/alice"),
                         base_path="/exp")
        self.silent_start(m)
        self.assertEqual(self.read(m), "hello\n")

    def test_that_check_refuses_what_would_be_a_warning(self):
        m = self.prepare(check=True)
        os.unlink(m.token_file)
        self.refused(m, "token", "-o check")
        self.bed.nginx.stop()
        try:
            self.refused(self.prepare(check=True), self.url, "-o check")
        finally:
            self.bed.nginx.restart()
        self.silent_start(self.prepare(check=True))

    def test_that_an_untrusted_server_is_refused(self):
        self.refused(self.prepare(ca_file=None), "certificate", "ca_file")

    def test_that_a_server_with_another_name_is_refused(self):
        cert, key = self.bed.ca.server("elsewhere", ["elsewhere.bed.test"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def shake_hands():
                with contextlib.suppress(OSError):
                    while True:
                        one, _ = listener.accept()
                        with contextlib.suppress(OSError), \
                                context.wrap_socket(one, server_side=True):
                            pass
            thread = threading.Thread(target=shake_hands, daemon=True)
            thread.start()
            port = listener.getsockname()[1]
            self.refused(self.prepare(f"https://localhost:{port}/exp"),
                         "localhost", "name")
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()

    def test_that_http_is_refused(self):
        self.refused(self.prepare("http://localhost:1/exp"), "https://")

    def test_that_a_file_and_a_missing_source_are_refused(self):
        self.refused(self.prepare(self.url + "/alice/a.txt"), "is a file")
        self.refused(self.prepare(self.url + "/no/such"), "does not exist")

    def test_that_mount_points_that_do_not_fit_are_refused(self):
        m = self.prepare()
        os.rmdir(m.path)
        self.refused(m, "make the directory")
        with open(m.path, "w"):
            self.refused(m, "not a directory")
        os.unlink(m.path)
        os.mkdir(m.path)
        self.silent_start(m)
        again = mount.run(m.argv, check=False, env=m.env)
        self.assertEqual(again.returncode, 1)
        self.assertEqual(len(again.stderr.splitlines()), 1)
        self.assertIn("mounted there already", again.stderr)
        self.assertEqual(self.read(m), "hello\n")

    def test_that_nothing_of_a_mount_may_lie_on_a_mount(self):
        first = self.prepare()
        self.silent_start(first)
        for name in ("cache_dir", "log_file", "token_file"):
            with self.subTest(option=name):
                self.refused(self.prepare(**{name: first.at("alice/a.txt")}),
                             "bearerfs mount")
                m = self.prepare()
                m = self.prepare(**{name: self.dir + "/mount%d/mnt/x"
                                    % len(self.mounts)})
                self.refused(m, "below the mount point")

    def test_that_bad_options_are_refused_with_the_nearest_name(self):
        self.refused(self.prepare(cachesize="1G"), "'cache_size'")
        self.refused(self.prepare(attr_ttl="soon"), "attr_ttl", "30s")
        self.refused(self.prepare(allow_others=True), "'allow_other'")
        self.refused(self.prepare(allow_other=True), "token_file")

    def test_that_a_dead_mount_makes_room(self):
        m = self.prepare()
        self.silent_start(m)
        os.kill(m.pid, signal.SIGKILL)
        wait_for(lambda: gone(m.pid), "the killed process to end")
        self.silent_start(m)
        self.assertEqual(self.read(m), "hello\n")

    def test_that_a_killed_caller_leaves_no_process(self):
        self.bed.nginx.pause()
        try:
            m = self.prepare()
            caller = subprocess.Popen(m.argv, env=m.env)
            wait_for(lambda: m.find() not in (None, caller.pid) or
                     len(self.matching(m)) > 1, "the child to start")
            caller.kill()
            caller.wait()
            wait_for(lambda: not self.matching(m), "the child to end")
            self.assertIsNone(m.device())
        finally:
            self.bed.nginx.resume()

    def matching(self, m):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if m.path.encode() in file.read().split(b"\0"):
                        found.append(int(pid))
            except OSError:
                continue
        return found

    def test_that_a_section_of_the_configuration_is_a_source(self):
        m = self.prepare("exp")
        os.makedirs(m.folder + "/home/.config/bearerfs")
        file = m.folder + "/home/.config/bearerfs/bearerfs.conf"
        with open(file, "w") as out:
            out.write(f"[exp]\nsource = {self.url}\numask = 077\n")
        self.silent_start(m)
        self.assertEqual(os.stat(m.at("alice/a.txt")).st_mode & 0o777, 0o400)
        bad = self.prepare("exp")
        os.makedirs(bad.folder + "/home/.config/bearerfs")
        with open(file.replace(m.folder, bad.folder), "w") as out:
            out.write(f"[exp]\nsource = {self.url}\numaks = 077\n")
        self.refused(bad, "bearerfs.conf line 3", "'umask'")


class Secrets(Commands):
    def test_that_the_environment_and_command_line_do_not_show_the_token(
            self):
        m = self.prepare(env={"BEARER_TOKEN": self.token}, token_file=None)
        self.silent_start(m)
        self.assertEqual(self.read(m), "hello\n")
        self.assertEqual(m.status()["token"]["source"], "$BEARER_TOKEN")
        for name in ("environ", "cmdline"):
            with open(f"/proc/{m.pid}/{name}", "rb") as file:
                self.assertNotIn(self.token.encode(), file.read())
        shown = m.command("token", "show").stdout
        self.assertIn("scope: read:/", shown)
        self.assertNotIn(self.token, shown)
        self.assertNotIn(self.token, m.log_text())

    def test_that_the_owner_cannot_look_into_the_process(self):
        m = self.make_mount(self.url, self.token, daemon=True, user="nobody")
        m.start()
        for name in ("environ", "mem", "fd/0"):
            done = mount.run(["cat", f"/proc/{m.pid}/{name}"], check=False,
                             user="nobody")
            self.assertIn("Permission denied", done.stderr)
        with open(f"/proc/{m.pid}/limits") as file:
            self.assertRegex(file.read(), r"Max core file size +0 +0 ")

    def test_that_token_path_and_show_tell_where_and_whether(self):
        m = self.prepare()
        words = ["-o", "token_file=" + m.token_file]
        self.assertEqual(m.command("token", "path", *words).stdout,
                         m.token_file + "\n")
        told = json.loads(m.command("token", "show", "--json", *words).stdout)
        self.assertEqual(told["state"], "valid")
        self.assertEqual(told["scope"], "read:/")
        m.set_token(self.bed.token("read:/", lifetime=-60))
        done = m.command("token", "show", *words, check=False)
        self.assertEqual(done.returncode, 77)
        os.unlink(m.token_file)
        done = m.command("token", "path", *words, check=False)
        self.assertEqual((done.returncode, done.stdout), (77, ""))


class Ending(Commands):
    def setUp(self):
        super().setUp()
        self.m = self.prepare()
        self.silent_start(self.m)
        self.assertEqual(self.read(self.m), "hello\n")

    def test_that_umount_returns_when_the_process_has_ended(self):
        self.m.command("umount", self.m.path)
        self.assertTrue(gone(self.m.pid))
        self.ended(self.m)

    def test_that_open_files_hold_umount_off_and_lazy_does_not_care(self):
        fd = os.open(self.m.at("alice/a.txt"), os.O_RDONLY | os.O_DIRECT)
        try:
            done = self.m.command("umount", self.m.path, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("--lazy", done.stderr)
            self.assertEqual(self.read(self.m), "hello\n")
            self.m.command("umount", "--lazy", self.m.path)
            with self.assertRaises(OSError) as seen:
                os.read(fd, 6)
            self.assertEqual(seen.exception.errno, errno.ENOTCONN)
        finally:
            with contextlib.suppress(OSError):
                os.close(fd)
        self.ended(self.m)

    def test_that_signals_end_it(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signal=number):
                os.kill(self.m.pid, number)
                self.ended(self.m)
                self.silent_start(self.m)

    def test_that_an_unmount_from_outside_ends_it(self):
        mount.run(["umount", self.m.path])
        self.ended(self.m)

    def test_that_links_and_relative_paths_name_the_mount(self):
        link = self.dir + "/link"
        os.symlink(self.m.path, link)
        self.assertIn(self.url, self.m.command("status", link).stdout)
        os.chdir(self.m.folder)
        try:
            self.assertIn(self.url, self.m.command("status", "mnt").stdout)
            self.assertIn(self.url,
                          self.m.command("status", "mnt/alice").stdout)
            self.m.command("umount", "../link")
        finally:
            os.chdir("/")
        self.ended(self.m)

    def test_that_a_stopped_process_is_named_and_its_mount_taken_away(self):
        os.kill(self.m.pid, signal.SIGSTOP)
        begin = time.monotonic()
        told = self.m.command("status", "--json", self.m.path, check=False)
        self.assertEqual(told.returncode, 69)
        self.assertEqual(json.loads(told.stdout)["state"], "silent")
        done = self.m.command("umount", self.m.path, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not answer", done.stderr)
        self.assertIsNone(self.m.device())
        self.assertLess(time.monotonic() - begin, 60)
        os.kill(self.m.pid, signal.SIGCONT)
        self.ended(self.m)

    def test_that_a_dead_mount_is_told_and_taken_away(self):
        os.kill(self.m.pid, signal.SIGKILL)
        wait_for(lambda: gone(self.m.pid), "the killed process to end")
        told = self.m.command("status", "--json", self.m.path, check=False)
        self.assertEqual(told.returncode, 69)
        self.assertEqual([one["state"] for one in self.ours(self.m)],
                         ["dead"])
        self.m.command("umount", self.m.path)
        self.ended(self.m)

    def test_that_what_is_no_mount_is_told_so(self):
        for command in ("umount", "status"):
            done = self.m.command(command, "/proc", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("no bearerfs mount", done.stderr)


class Asking(Commands):
    def test_that_status_lists_all_mounts_and_answers_while_one_hangs(self):
        first = self.prepare(timeout="30s", attr_ttl="0")
        self.silent_start(first)
        second = self.prepare(env={"XDG_RUNTIME_DIR": first.folder + "/run"})
        self.silent_start(second)
        self.bed.nginx.pause()
        try:
            hung = subprocess.Popen(["ls", first.at("alice")],
                                    stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
            wait_for(lambda: first.counters()["fs_waiting"] > 0,
                     "a request to wait")
            told = self.ours(first)
            self.assertEqual({one["mountpoint"] for one in told},
                             {first.path, second.path})
            self.assertEqual({one["state"] for one in told}, {"running"})
            # Other mounts of this machine may be in any state.
            text = first.command("status", check=False).stdout
            self.assertIn(second.path, text)
            hung.kill()
            hung.wait()
        finally:
            self.bed.nginx.resume()

    def test_that_other_users_are_told_nothing(self):
        m = self.prepare()
        self.silent_start(m)
        copy = self.dir + "/bearerfs"
        mount.run(["cp", m.binary, copy])
        done = mount.run([copy, "status", m.path], check=False,
                         user="nobody")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("token", done.stdout)
        done = mount.run([copy, "umount", m.path], check=False,
                         user="nobody")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.read(m), "hello\n")

    def test_that_an_ordinary_user_mounts_asks_and_unmounts(self):
        m = self.make_mount(self.url, self.token, daemon=True, user="nobody")
        m.start()
        done = mount.run(["cat", m.at("alice/a.txt")], user="nobody")
        self.assertEqual(done.stdout, "hello\n")
        self.assertEqual(m.status()["state"], "running")
        m.command("umount", m.path)
        self.ended(m)


class Helper(Commands):
    """mount(8) calls the program of a type; the one of fuse3 stands in for
    it here, in this test's own mount namespace."""

    PLACE = "/usr/sbin/mount.fuse3"

    def setUp(self):
        super().setUp()
        mount.run(["mount", "--bind", mount.binary(), self.PLACE])
        # -l: a process that just started by it may still be ending.
        self.addCleanup(mount.run, ["umount", "-l", self.PLACE])

    def call(self, m, *words, **more):
        return mount.run(["mount", "-t", "fuse3", *words, self.url, m.path,
                          "-o", m.option_text()], env=m.env, **more)

    def test_that_mount_and_umount_work(self):
        m = self.prepare()
        self.call(m)
        m.pid = self.find(m)
        self.assertEqual(self.read(m), "hello\n")
        mount.run(["umount", m.path])
        self.ended(m)

    def find(self, m):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if m.path.encode() in file.read().split(b"\0"):
                        return int(pid)
            except OSError:
                continue
        return None

    def test_that_options_of_fstab_pass_and_noexec_is_kept(self):
        m = self.prepare(_netdev=True, nofail=True, noexec=True)
        self.call(m)
        m.pid = self.find(m)
        with open("/proc/self/mountinfo") as file:
            line = [one for one in file if f" {m.path} " in one]
        self.assertRegex(line[0], "ro,nosuid,nodev,noexec")

    def test_that_a_fake_mount_checks_and_does_not_mount(self):
        m = self.prepare()
        self.call(m, "-f")
        self.assertIsNone(m.device())
        bad = self.prepare(cachesize="1G")
        done = self.call(bad, "-f", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("'cache_size'", done.stderr)
        self.call(bad, "-f", "-s")


if __name__ == "__main__":
    bed.main(deadline=900)
