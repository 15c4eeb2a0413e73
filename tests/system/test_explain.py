#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does `bearerfs explain` name each cause, and what to do, without touching
the mount? And does it, with `status`, tell each user their own alone?"""
import errno
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import bed
from bed import mount
from bed.actor import Actor, drop
from bed.issuer import AUDIENCE
from bed.mount import run
from bed.procs import wait_for

BYTES = 150000
ADA, BOB = 2001, 2002
NAMES = {"state", "path", "mountpoint", "source", "server_path", "url",
         "token", "read", "look", "scope_needed", "stopped_at", "said",
         "caches", "server_silent_ms", "cache", "written", "refusals", "ok",
         "errno", "verdict"}


def attempt(path):
    """The errno of reading a file, 0 for none."""
    try:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 16):
                pass
        return 0
    except OSError as error:
        return error.errno


class Explaining(bed.Case):
    """Helpers: `explain` in both forms, which must agree."""

    def ask(self, m, path, user=None, cwd=None, deadline=30):
        """(exit status, object, text), of one path in both forms."""
        answers = []
        for words in (["--json"], []):
            child = subprocess.run(
                [*mount.as_user(user), m.binary, "explain", *words, path],
                env=m.env, cwd=cwd, capture_output=True, timeout=deadline *
                max(1.0, bed.slow), check=False)
            self.assertEqual(child.stderr, b"", child.stderr)
            answers.append(child)
        status = answers[0].returncode
        self.assertEqual(status, answers[1].returncode)
        found = json.loads(answers[0].stdout)
        text = answers[1].stdout.decode()
        self.assertEqual(status, 0 if found["ok"] else 1)
        last = text.splitlines()[-1]
        grade = "ok" if found["ok"] else found["errno"]
        self.assertTrue(last.startswith(f"verdict: {grade}: "), last)
        return status, found, text

    def wrong(self, m, path, code, *words, **more):
        """The verdict has this errno and says these; each has a remedy."""
        status, found, text = self.ask(m, path, **more)
        self.assertEqual(status, 1, text)
        self.assertEqual(found["errno"], errno.errorcode[code], text)
        for word in (";", *words):
            self.assertIn(word, found["verdict"])
        return found, text

    def well(self, m, path, **more):
        status, found, text = self.ask(m, path, **more)
        self.assertEqual(status, 0, text)
        return found, text


class Credentials(Explaining):
    def setUp(self):
        self.bed.put("alice/a.bin", BYTES)
        self.bed.put("bob/b.bin", BYTES)
        self.url = self.bed.nginx.url

    def test_a_file_that_is_well(self):
        m = self.mount(self.url, self.bed.token("read:/", sub="ada"))
        found, text = self.well(m, m.at("alice/a.bin"))
        self.assertEqual(set(found), NAMES)
        self.assertIn("is asked when it is used", found["verdict"])
        self.assertEqual(attempt(m.at("alice/a.bin")), 0)

        def kept():
            return self.well(m, m.at("alice/a.bin"))[0]["cache"][
                "cached_percent"] == 100
        wait_for(kept, "the file to be in the cache")
        found, text = self.well(m, m.at("alice/a.bin"))
        self.assertEqual(found["state"], "running")
        self.assertEqual(found["path"], m.at("alice/a.bin"))
        self.assertEqual(found["server_path"], "/exp/alice/a.bin")
        self.assertEqual(found["url"], self.url + "/alice/a.bin")
        self.assertEqual(found["mountpoint"], m.path)
        self.assertEqual(found["source"], self.url)
        token = found["token"]
        self.assertEqual((token["state"], token["kind"], token["subject"],
                          token["scope"]), ("valid", "jwt", "ada", "read:/"))
        self.assertEqual(token["source"], m.token_file)
        self.assertEqual(token["audience"], AUDIENCE)
        self.assertGreater(token["left_s"], 0)
        self.assertEqual(found["said"]["status"], 206)
        self.assertEqual(found["cache"]["kind"], "file")
        self.assertEqual(found["cache"]["size_bytes"], BYTES)
        self.assertEqual(found["cache"]["freshness"], "fresh")
        self.assertEqual(found["refusals"], [])
        for word in ("read: allowed", "look: allowed", "100 % of it here",
                     "HTTP 206", "scope: read:/", "kind: JWT",
                     "url: " + self.url + "/alice/a.bin"):
            self.assertIn(word, text)
        # A directory is looked at.
        found, text = self.well(m, m.at("alice"))
        self.assertEqual(found["cache"]["kind"], "directory")

    def test_no_token(self):
        m = self.mount(self.url, None, token_file=self.dir + "/none",
                       timeout="1s")
        self.assertEqual(attempt(m.at("alice/a.bin")), errno.ENOKEY)
        found, text = self.wrong(m, m.at("alice/a.bin"), errno.ENOKEY,
                                 "no token in", "; write one there, mode 600")
        self.assertEqual(found["token"]["state"], "missing")
        # The program got stuck on the way there.
        refused = m.status()["refusals"]
        self.assertEqual([one["errno"] for one in refused], ["ENOKEY"])
        self.assertEqual(refused[0]["path"], m.at("alice"))
        self.assertEqual(refused[0]["text"], found["verdict"])

    def test_an_ended_token(self):
        m = self.mount(self.url, self.bed.token("read:/", lifetime=-5),
                       timeout="1s")
        self.assertEqual(attempt(m.at("alice")), errno.EKEYEXPIRED)
        found, text = self.wrong(m, m.at("alice"), errno.EKEYEXPIRED,
                                 "ended at", "; get a new one")
        self.assertEqual(found["token"]["state"], "expired")
        self.assertEqual(found["token"]["left_s"], 0)
        self.assertEqual(found["read"]["errno"], "EKEYEXPIRED")
        self.assertEqual([one["errno"] for one in found["refusals"]],
                         ["EKEYEXPIRED"])
        self.assertIn("refused lately:", text)
        # A new one heals it, at once.
        m.set_token(self.bed.token("read:/"))
        found, text = self.well(m, m.at("alice"))
        self.assertEqual(found["token"]["state"], "valid")
        self.assertEqual(len(found["refusals"]), 1)

    def test_a_scope_that_leaves_it_out(self):
        m = self.mount(self.url, self.bed.token("storage.read:/bob"),
                       timeout="3s", base_path="/exp")
        self.assertEqual(attempt(m.at("alice/a.bin")), errno.EACCES)
        found, text = self.wrong(
            m, m.at("alice"), errno.EACCES, "HTTP 403", "storage.read:/bob",
            "; get a token that does: with 'storage.read:/alice'")
        self.assertEqual(found["scope_needed"], "storage.read:/alice")
        self.assertEqual(found["token"]["scope"], "storage.read:/bob")
        self.assertEqual(found["said"]["status"], 403)
        self.assertEqual(found["look"]["errno"], "EACCES")
        self.assertTrue(found["look"]["ask"])
        self.assertEqual(found["refusals"][0]["text"], found["verdict"])
        self.assertIn("scope needed: storage.read:/alice\n", text)
        self.assertIn("look: refused, EACCES: ", text)
        # A program is stopped there on its way.
        found, text = self.wrong(
            m, m.at("alice/a.bin"), errno.EACCES,
            "on the way, at '/exp/alice': the server refused")
        self.assertEqual(found["stopped_at"], "/exp/alice")
        self.assertEqual(found["refusals"][0]["path"], m.at("alice"))
        # Above what it allows is well.
        self.assertEqual(os.listdir(m.path), ["bob"])
        found, text = self.well(m, m.path)
        self.assertIn("names that lead there", found["verdict"])
        self.assertEqual(found["refusals"], [])

    def test_one_that_is_known_here_to_leave_it_out(self):
        keys = os.path.join(self.dir, "jwks")
        with open(keys, "w") as file:
            json.dump(self.bed.issuer.jwks(), file)
        m = self.mount(self.url, self.bed.token("read:/bob"), jwks=keys,
                       issuer=self.bed.issuer.url, audience=AUDIENCE,
                       base_path="/exp")
        mark = self.bed.nginx.mark()
        self.wrong(m, m.at("alice/a.bin"), errno.EACCES, "does not cover",
                   "with 'read:/alice/a.bin'")
        # Nothing was asked of the server, by anybody.
        self.assertEqual(self.bed.nginx.requests(mark), [])
        self.assertEqual(m.status()["refusals"], [])

    def test_a_server_that_refuses(self):
        lying = self.bed.lying
        self.addCleanup(lying.honest)
        lying.lie("status", code=401, path=".*/alice.*")
        m = self.mount(lying.url, self.bed.token("read:/"), timeout="3s")
        self.assertEqual(attempt(m.at("alice/a.bin")), errno.EKEYREJECTED)
        found, text = self.wrong(m, m.at("alice"), errno.EKEYREJECTED,
                                 "HTTP 401", "issuer and audience")
        self.assertEqual(found["said"]["status"], 401)

    def test_status_shows_them(self):
        m = self.mount(self.url, self.bed.token("read:/bob"), timeout="3s")
        for _ in range(3):
            self.assertEqual(attempt(m.at("alice")), errno.EACCES)
        refused = m.status()["refusals"]
        self.assertEqual(len(refused), 1)
        one = refused[0]
        self.assertEqual(set(one), {
            "at", "first_at", "count", "uid", "pid", "right", "path",
            "server_path", "errno", "text"})
        self.assertGreaterEqual(one["count"], 3)
        self.assertEqual((one["uid"], one["pid"], one["right"], one["path"],
                          one["server_path"], one["errno"]),
                         (0, os.getpid(), "look", m.at("alice"),
                          "/exp/alice", "EACCES"))
        self.assertIn("; get a token", one["text"])
        text = m.command("status", m.path).stdout
        self.assertIn("refused lately:\n", text)
        self.assertRegex(text, re.escape(m.at("alice")) +
                         r" \(\d+ times\): .*; get a token")
        # One line in the log, with the very sentence.
        lines = [line for line in m.log_text().splitlines()
                 if 'msg="refused"' in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(one["text"], lines[0].replace("\\x27", "'"))


class Paths(Explaining):
    def setUp(self):
        self.bed.put("alice/a.bin", BYTES)
        self.m = self.mount(self.bed.nginx.url, self.bed.token("read:/"))

    def test_every_way_to_name_one(self):
        m = self.m
        os.makedirs(self.dir + "/deep/er")
        os.symlink(m.path, self.dir + "/link")
        os.symlink("../link/alice", self.dir + "/deep/chain")
        bound = self.dir + "/bound"
        os.mkdir(bound)
        subprocess.run(["mount", "--bind", m.at("alice"), bound], check=True)
        self.addCleanup(subprocess.run, ["umount", bound], check=True)
        for path, cwd in ((m.at("alice/a.bin"), "/"),
                          (m.at("alice/../alice/./a.bin"), "/"),
                          (m.at("none/../alice//a.bin"), "/"),
                          ("../mnt/alice/a.bin", m.folder + "/run"),
                          ("a.bin", m.at("alice")),
                          (".//a.bin", m.at("alice")),
                          ("../../link/alice/a.bin", self.dir + "/deep/er"),
                          (self.dir + "/deep/chain/a.bin", "/"),
                          (bound + "/a.bin", "/")):
            with self.subTest(path):
                found, _ = self.well(m, path, cwd=cwd)
                self.assertEqual(found["server_path"], "/exp/alice/a.bin")
        found, _ = self.well(m, m.path)
        self.assertEqual(found["server_path"], "/exp")
        found, _ = self.well(m, bound)
        self.assertEqual(found["server_path"], "/exp/alice")

    def test_a_file_that_is_not_there(self):
        m = self.m
        found, _ = self.well(m, m.at("alice/none/deeper"))
        self.assertEqual(found["cache"]["kind"], None)
        self.assertEqual(attempt(m.at("alice/none")), errno.ENOENT)
        self.wrong(m, m.at("alice/none/deeper"), errno.ENOENT,
                   "on the way, at '/exp/alice/none'", "; check the path")
        found, text = self.wrong(m, m.at("alice/none"), errno.ENOENT,
                                 "; check the path")
        self.assertEqual(found["cache"]["kind"], "absent")

    def test_outside_of_all_mounts(self):
        m = self.m
        for path in "/etc/passwd", "/", m.at(".."), self.dir, "none":
            done = m.command("explain", path, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stdout, "")
            self.assertIn("no bearerfs mount there", done.stderr)
        for words in [], ["a", "b"], ["--lazy", m.path]:
            done = m.command("explain", *words, check=False)
            self.assertEqual(done.returncode, 2)
        done = m.command("explain", "", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("name a file", done.stderr)

    def test_garbled_names(self):
        m = self.m
        for name in (b"\xff\xfe\x80", b"a\nb\x1b[31m", b"%2e%2e/%00",
                     b"?a=b#c", b"\"'\\{}", b"x" * 255,
                     "\u202e\u20ac".encode()):
            with self.subTest(name):
                path = m.path.encode() + b"/alice/" + name
                found, text = self.well(m, os.fsdecode(path))
                self.assertNotIn("\x1b", text)
                self.assertEqual(text.count("verdict: "), 1)
                self.assertTrue(found["url"].isascii())
        done = m.command("explain", m.at("a/" * 2100), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("longer than a path can be", done.stderr)


class Silence(Explaining):
    def setUp(self):
        self.bed.put("alice/a.bin", BYTES)
        self.bed.put("alice/b.bin", BYTES)

    def test_a_server_that_hangs(self):
        """Told while the program still waits, and afterwards."""
        lying = self.bed.lying
        m = self.mount(lying.url, self.bed.token("read:/"), timeout="8s")
        self.assertEqual(attempt(m.at("alice/a.bin")), 0)
        self.addCleanup(lying.honest)
        lying.lie("stall", path=".*/b.bin")
        codes = []
        reader = threading.Thread(
            target=lambda: codes.append(attempt(m.at("alice/b.bin"))))
        reader.start()
        wait_for(lambda: m.status()["server_silent_ms"] > 1500,
                 "the server to be silent")
        begun = time.monotonic()
        found, _ = self.wrong(m, m.at("alice/b.bin"), errno.ETIMEDOUT,
                              "silent for", "; see that it runs")
        self.assertLess(time.monotonic() - begun, 8 * max(1.0, bed.slow))
        self.assertGreater(found["server_silent_ms"], 1000)
        reader.join(60)
        self.assertEqual(codes, [errno.ETIMEDOUT])
        found, text = self.wrong(m, m.at("alice/b.bin"), errno.ETIMEDOUT,
                                 "no answer came", "; see that the server")
        self.assertIsNone(found["said"]["status"])
        self.assertIn(" ago no answer, ", text)

    def test_a_server_that_is_gone(self):
        lying = self.bed.another_lying("gone")
        m = self.mount(lying.url, self.bed.token("read:/"), timeout="3s",
                       attr_ttl="1s")
        self.assertEqual(attempt(m.at("alice/a.bin")), 0)
        lying.stop()
        self.assertEqual(attempt(m.at("alice/b.bin")), errno.EHOSTUNREACH)
        self.wrong(m, m.at("alice/b.bin"), errno.EHOSTUNREACH,
                   "no answer came", "; see that the server runs")

    def test_servers_that_err(self):
        lying = self.bed.lying
        self.addCleanup(lying.honest)
        m = self.mount(lying.url, self.bed.token("read:/"), timeout="3s",
                       attr_ttl="0s")
        for code, word in (500, "error inside"), (507, "no space or quota"):
            lying.lie("status", code=code, path=".*/alice/a.bin")
            self.assertNotEqual(attempt(m.at("alice/a.bin")), 0)
            found, _ = self.wrong(m, m.at("alice/a.bin"), errno.EIO,
                                  f"HTTP {code}", word, "; try again")
            self.assertEqual(found["said"]["status"], code)
            lying.honest()
        self.assertEqual(attempt(m.at("alice/a.bin")), 0)
        self.well(m, m.at("alice/a.bin"))

    def test_a_mount_that_is_stopped(self):
        m = self.mount(self.bed.nginx.url, self.bed.token("read:/"))
        os.kill(m.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, m.pid, signal.SIGCONT)
        begun = time.monotonic()
        found, text = self.wrong(m, m.at("alice/a.bin"), errno.ETIMEDOUT,
                                 "is stopped", f"kill -CONT {m.pid}")
        self.assertLess(time.monotonic() - begun, 20 * max(1.0, bed.slow))
        self.assertEqual(found["state"], "silent")
        self.assertEqual(set(found), {"state", "path", "mountpoint", "source",
                                      "ok", "errno", "verdict"})
        os.kill(m.pid, signal.SIGCONT)
        self.well(m, m.at("alice/a.bin"))

    def test_a_mount_whose_process_died(self):
        m = self.mount(self.bed.nginx.url, self.bed.token("read:/"))
        os.kill(m.pid, signal.SIGKILL)
        wait_for(lambda: not m.running(), "its end")
        found, text = self.wrong(m, m.at("alice/a.bin"), errno.ECONNREFUSED,
                                 "has ended", "umount --lazy " + m.path)
        self.assertEqual(found["state"], "dead")
        m.crash()


# Connect to a socket as often as is asked for, and hold on.
HOARD = r"""
import socket, sys, time
held = []
for _ in range(int(sys.argv[2])):
    end = socket.socket(socket.AF_UNIX)
    end.connect(sys.argv[1])
    held.append(end)
print("ready", flush=True)
time.sleep(60)
"""


class Users(Explaining):
    """What others than the mount's owner are told."""

    def setUp(self):
        self.bed.put("ada/a.bin", BYTES)
        self.bed.put("bob/b.bin", BYTES)
        self.binary = shutil.copy(mount.binary(), self.dir + "/bearerfs")

    def shared(self):
        m = self.mount(self.bed.nginx.url, None, allow_other=True,
                       timeout="5s", base_path="/exp")
        os.chmod(m.folder, 0o755)
        return m

    def user(self, uid, scope):
        actor = Actor(self.dir, uid, self.bed.token(scope))
        self.addCleanup(actor.end)
        return actor

    def command(self, actor, *words):
        """`bearerfs WORDS...` as this user, with their token."""
        return subprocess.run(
            [*drop(actor.uid), self.binary, *words], text=True,
            env={"BEARER_TOKEN_FILE": actor.token_file, "PATH": "/usr/bin"},
            capture_output=True, timeout=60, check=False)

    def told(self, actor, *words):
        done = self.command(actor, *words, "--json")
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout)

    def test_a_private_mount_tells_nobody_else(self):
        m = self.mount(self.bed.nginx.url, self.bed.token("read:/"))
        os.chmod(m.folder, 0o755)
        ada = self.user(ADA, "read:/")
        done = self.command(ada, "status")
        self.assertEqual(done.stdout, "no bearerfs mounts of yours\n")
        done = self.command(ada, "status", m.path)
        self.assertEqual(done.returncode, 69)
        done = self.command(ada, "explain", m.at("ada/a.bin"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "verdict: E.*: ")
        done = self.command(ada, "umount", m.path)
        self.assertNotEqual(done.returncode, 0)
        # Its socket is closed by mode, and by who asks.
        socket_path = glob.glob(m.folder + "/run/bearerfs/*.sock")[0]
        self.assertEqual(os.stat(socket_path).st_mode & 0o777, 0o600)
        os.chmod(m.folder + "/run", 0o755)
        os.chmod(m.folder + "/run/bearerfs", 0o755)
        os.chmod(socket_path, 0o666)
        heard = run([*drop(ADA), sys.executable, "-c", """
import socket, sys
end = socket.socket(socket.AF_UNIX)
end.connect(sys.argv[1])
try:
    end.sendall(b"status\\n")
except BrokenPipeError:
    pass
print(end.recv(100).decode())""", socket_path]).stdout
        self.assertIn("error this mount is somebody else's", heard)
        self.assertTrue(m.running())

    def test_each_user_is_told_their_own(self):
        m = self.shared()
        ada, bob = self.user(ADA, "read:/ada"), self.user(BOB, "read:/bob")
        self.assertEqual(ada.code("read", m.at("ada/a.bin")), 0)
        self.assertEqual(bob.code("read", m.at("bob/b.bin")), 0)
        self.assertEqual(ada.code("read", m.at("bob/b.bin")), errno.EACCES)
        self.assertEqual(bob.code("list", m.at("ada")), errno.EACCES)
        for actor, own, other in (ada, "bob", "/ada"), (bob, "ada", "/bob"):
            found, = self.told(actor, "status")
            self.assertEqual(found["mountpoint"], m.path)
            self.assertTrue(found["shared"])
            self.assertEqual(found["token"]["state"], "valid")
            self.assertEqual(found["token"]["source"], actor.token_file)
            self.assertEqual({one["uid"] for one in found["refusals"]},
                             {actor.uid})
            self.assertTrue(all(one["path"].startswith(m.at(own))
                                for one in found["refusals"]), found)
            for name in "servers", "cache", "counters", "warnings":
                self.assertNotIn(name, found)
            text = self.command(actor, "status", m.path).stdout
            self.assertIn("shared by many users", text)
            self.assertIn(f"user {actor.uid}", text)
            self.assertNotIn(m.at(other[1:]), text)
        # The owner is told everything.
        found = m.status()
        self.assertEqual({one["uid"] for one in found["refusals"]},
                         {ADA, BOB})
        self.assertIn("counters", found)
        # Each refusal is a line that says who.
        for uid in ADA, BOB:
            self.assertTrue([
                line for line in m.log_text().splitlines()
                if 'msg="refused"' in line and f"uid={uid} pid=" in line])

    def test_a_path_is_explained_to_who_asks(self):
        m = self.shared()
        ada, bob = self.user(ADA, "read:/ada"), self.user(BOB, "read:/bob")
        self.assertEqual(bob.code("read", m.at("bob/b.bin")), 0)
        found = self.told(bob, "explain", m.at("bob/b.bin"))
        self.assertTrue(found["ok"], found)
        self.assertEqual(found["cache"]["kind"], "file")
        self.assertEqual(found["said"]["status"], 206)
        # Nothing of it is known to her, not even that it is there.
        there = self.told(ada, "explain", m.at("bob/b.bin"))
        none = self.told(ada, "explain", m.at("bob/none"))
        for found in there, none:
            self.assertIsNone(found["said"])
            self.assertIsNone(found["cache"]["kind"])
            self.assertEqual(found["refusals"], [])
            self.assertEqual(found["token"]["source"], ada.token_file)
            for name in "path", "server_path", "url", "scope_needed":
                found.pop(name)
            found["token"].pop("left_s")
        self.assertEqual(there, none)
        self.assertEqual(ada.code("read", m.at("bob/b.bin")), errno.EACCES)
        done = self.command(ada, "explain", m.at("bob/b.bin"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("read:/ada", done.stdout)
        self.assertRegex(done.stdout.splitlines()[-1],
                         "^verdict: EACCES: .*; get a token")
        # Who has no token is told what to do about it.
        eve = Actor(self.dir, 2003)
        self.addCleanup(eve.end)
        found = self.told(eve, "explain", m.path)
        self.assertEqual((found["errno"], found["token"]["state"]),
                         ("ENOKEY", "missing"))

    def test_only_the_owner_ends_it(self):
        m = self.shared()
        ada = self.user(ADA, "read:/ada")
        done = self.command(ada, "umount", m.path)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(ada.code("read", m.at("ada/a.bin")), 0)

    def test_one_user_cannot_keep_others_out(self):
        m = self.shared()
        ada = self.user(ADA, "read:/ada")
        major, minor = m.device()
        hoarder = subprocess.Popen(
            [*drop(BOB), sys.executable, "-c", HOARD,
             f"/run/bearerfs/{major}-{minor}.sock", "1000"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(hoarder.stdout.close)
        self.addCleanup(hoarder.wait)
        self.addCleanup(hoarder.kill)
        self.assertEqual(hoarder.stdout.readline(), "ready\n")
        for _ in range(5):
            begun = time.monotonic()
            self.assertEqual(len(self.told(ada, "status")), 1)
            self.assertEqual(m.status()["state"], "running")
            self.assertLess(time.monotonic() - begun, 15 * max(1.0, bed.slow))
        self.assertEqual(ada.code("read", m.at("ada/a.bin")), 0)


if __name__ == "__main__":
    bed.main(deadline=600)
