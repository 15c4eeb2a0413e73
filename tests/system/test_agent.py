#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Short-lived tokens that are renewed under running programs: by the real
oidc-agent from a real issuer, by HTCondor's and htgettoken's ways of writing
files; and what an agent that is gone, locked or stopped costs.

BED_LONG=1: tokens of 20 s under reads of 90 s, an agent away for 60 s."""
import errno
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import threading
import time

import bed
from bed import content
from bed.agent import Agent
from bed.procs import Proc
from bed.provider import Provider
from bed.writing import WritingCase

LONG = bool(os.environ.get("BED_LONG"))
# Of access tokens, and for how long programs run on them, seconds.
LIFE = 20 if LONG or bed.slow > 1 else 10
RUN = 90 if LONG or bed.slow > 1 else 30
AWAY = 60 if LONG else 2
SIZE = 24 << 20
FILES = 40


def opened(path):
    """0, or the errno of opening and reading a file once."""
    try:
        with open(path, "rb", buffering=0) as file:
            file.read(1)
        return 0
    except OSError as error:
        return error.errno


def write(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
              "w") as file:
        file.write(text)


class Case(bed.Case):
    deadline = 400

    @property
    def provider(self):
        """In the issuer's place, before any server starts."""
        return self.bed.servers.get("issuer") or \
            self.bed.add(Provider(self.bed, lifetime=LIFE))

    def agent(self, account="tb"):
        provider = self.provider
        name = "agent-" + account
        return self.bed.servers.get(name) or \
            self.bed.add(Agent(self.bed, provider, name, account))

    def agents_mount(self, agent, **options):
        return self.mount(self.bed.nginx.url, None, agent=agent.socket,
                          account=agent.account, **options)


class Programs:
    """What runs while tokens come and go: a slow reader, a find loop and a
    random reader on one mount. Each error is kept."""

    def __init__(self, case, name, m):
        self.case, self.name, self.mount = case, name, m
        self.errors, self.done = [], {}
        self.end = time.monotonic() + RUN
        self.threads = [threading.Thread(target=self.guard, args=(what,))
                        for what in (self.slow, self.find, self.random)]
        for thread in self.threads:
            thread.start()

    def guard(self, what):
        try:
            self.done[what.__name__] = what()
        except (OSError, AssertionError) as error:
            self.errors.append(f"{self.name}: {what.__name__}: {error!r}")

    def slow(self):
        """The whole file once, in as many pieces as there is time for."""
        step = 256 << 10
        pause = RUN / (SIZE / step)
        digest = hashlib.sha256()
        with open(self.mount.at("alice/slow.bin"), "rb",
                  buffering=0) as file:
            while piece := file.read(step):
                digest.update(piece)
                time.sleep(pause)
        self.case.assertEqual(digest.hexdigest(), self.case.slow_sha)
        return file.closed

    def find(self):
        rounds = 0
        while time.monotonic() < self.end:
            names = os.listdir(self.mount.at("alice/many"))
            self.case.assertEqual(len(names), FILES)
            for name in names:
                os.stat(self.mount.at("alice/many", name))
            rounds += 1
            time.sleep(0.3)
        return rounds

    def random(self):
        chance = random.Random(7)
        reads = 0
        with open(self.case.random_path, "rb") as real:
            while time.monotonic() < self.end:
                with open(self.mount.at("alice/random.bin"), "rb",
                          buffering=0) as file:
                    for _ in range(8):
                        at = chance.randrange(SIZE - 4096)
                        self.case.assertEqual(os.pread(file.fileno(), 4096,
                                                       at),
                                              os.pread(real.fileno(), 4096,
                                                       at))
                        reads += 1
                time.sleep(0.1)
        return reads

    def join(self):
        for thread in self.threads:
            thread.join()


class Renewed(Case):
    def condor(self, creds, ended):
        """HTCondor: by rename; now and then the directory goes for a moment
        and comes back with everything in it."""
        turn = 0
        while True:
            text = json.dumps({"access_token": self.bed.token(
                lifetime=LIFE), "expires_in": LIFE})
            if turn % 3 == 2:
                shutil.rmtree(creds)
                time.sleep(0.3)
            os.makedirs(creds, mode=0o755, exist_ok=True)
            write(creds + "/scitokens.use.tmp", text)
            os.rename(creds + "/scitokens.use.tmp", creds + "/scitokens.use")
            turn += 1
            if ended.wait(LIFE / 2):
                return

    def written(self, path, ended):
        """htgettoken: removed, then made anew; others: truncated, then
        written."""
        turn = 0
        while True:
            text = self.bed.token(lifetime=LIFE) + "\n"
            if turn % 2 == 0 and os.path.exists(path):
                os.unlink(path)
                time.sleep(0.2)
                write(path + ".new", text)
                os.rename(path + ".new", path)
            else:
                with open(os.open(path, os.O_WRONLY | os.O_CREAT |
                                  os.O_TRUNC, 0o600), "w") as file:
                    file.write(text[:len(text) // 2])
                    file.flush()
                    time.sleep(0.2)
                    file.write(text[len(text) // 2:])
            turn += 1
            if ended.wait(LIFE / 2):
                return

    def prepare(self):
        self.random_path = self.bed.put("alice/random.bin", SIZE)
        self.slow_sha = content.sha256(self.bed.put("alice/slow.bin", SIZE))
        for i in range(FILES):
            self.bed.put(f"alice/many/{i}", 10 + i)

    def test_that_no_renewal_is_noticed(self):
        """Three mounts side by side, for some lives of a token: not an
        error, no request with a token that had ended (nginx would refuse it,
        401), and no more refreshes than the margin asks for."""
        agent = self.agent()
        nginx = self.bed.nginx
        self.prepare()
        ended = threading.Event()
        creds = self.dir + "/creds"
        path = self.dir + "/bt"
        writers = [threading.Thread(target=self.condor, args=(creds, ended)),
                   threading.Thread(target=self.written, args=(path, ended))]
        for writer in writers:
            writer.start()
        try:
            bed.wait_for(lambda: os.path.exists(creds + "/scitokens.use") and
                         os.path.exists(path), "the first tokens")
            often = {"cache_size": "0", "attr_ttl": "1s", "timeout": "30s"}
            url = nginx.url
            mark = nginx.mark()
            refreshed = len(self.provider.answers())
            begin = time.monotonic()
            mounts = {
                "agent": self.agents_mount(agent, **often),
                "condor": self.mount(url, None, env={"_CONDOR_CREDS": creds},
                                     **often),
                "file": self.mount(url, None, env={"BEARER_TOKEN_FILE": path},
                                   **often)}
            running = [Programs(self, name, m) for name, m in mounts.items()]
            for programs in running:
                programs.join()
        finally:
            ended.set()
            for writer in writers:
                writer.join()
        self.assertEqual([e for p in running for e in p.errors], [])
        for programs in running:
            self.assertGreater(programs.done["find"], 5)
            self.assertGreater(programs.done["random"], 50)
        refused = [r for r in nginx.requests(mark)
                   if r["status"] in (401, 403)]
        self.assertEqual(refused, [])
        counters = {name: m.counters() for name, m in mounts.items()}
        for name, count in counters.items():
            self.assertEqual(count["fetch_refusals"], 0, name)
            self.assertGreaterEqual(count["tokens_renewals"],
                                    RUN // LIFE - 1, name)
        self.count(counters["agent"]["tokens_asked"], refreshed,
                   time.monotonic() - begin, len(nginx.requests(mark)))
        self.assertEqual(mounts["agent"].status()["token"]["source"],
                         "agent:tb")

    def count(self, asked, before, seconds, requests):
        """The margin is half a life, and a tenth of it jitter."""
        answers = self.provider.answers(before)
        refreshes = [a for a in answers if a["status"] == 200]
        most = seconds / (LIFE / 2 - LIFE / 20 - 1) + 2
        least = RUN / LIFE - 1
        print(f"tokens of {LIFE} s for {seconds:.0f} s: {len(refreshes)} "
              f"refreshes ({least:.0f} to {most:.0f} expected), {asked} "
              f"questions, {requests} requests", file=sys.stderr)
        self.assertEqual(len(answers), len(refreshes))
        self.assertLessEqual(asked, most)
        self.assertLessEqual(len(refreshes), most)
        self.assertGreaterEqual(len(refreshes), least)


class Troubled(Case):
    """What goes wrong with an agent: its line, its errno, and its end."""

    def test_that_each_trouble_names_its_cure(self):
        """Killed, locked and stopped, side by side, each with an agent and
        an account of its own."""
        self.bed.put("alice/a.bin", 100)
        agents = {name: self.agent(name)
                  for name in ("killed", "locked", "stopped", "back")}
        mounts = {name: self.agents_mount(
            agent, timeout="300s" if name == "back" else "4s")
            for name, agent in agents.items()}
        for name, m in mounts.items():
            self.assertEqual(opened(m.at("alice/a.bin")), 0, name)
        agents["killed"].stop(signal.SIGKILL)
        agents["back"].stop(signal.SIGKILL)
        agents["locked"].lock()
        agents["stopped"].pause()
        says = {"killed": "oidc-add killed",
                "locked": "oidc-add --unlock",
                "stopped": "does not answer for account 'stopped'"}
        # None of it is felt as long as the last token lives.
        for name, m in mounts.items():
            bed.wait_for(
                lambda m=m: m.status()["token"]["state"] == "expired",
                f"the token of {name} to end", 6 * LIFE)
        waiting = self.wait_in(mounts["back"])
        for name, text in says.items():
            m = mounts[name]
            self.assertEqual(opened(m.at("alice/a.bin")), errno.EKEYEXPIRED,
                             name)
            m.wait_log(text)
            token = m.status()["token"]
            self.assertEqual(token["source"], "agent:" + name)
            self.assertIn(text, token["problem"])
            self.assertIn("errno=EKEYEXPIRED", m.log_text())
            self.assertIn(f"'{name}'", token["problem"])
        self.assertTrue(waiting.is_alive())
        time.sleep(AWAY)
        self.assertTrue(waiting.is_alive())
        agents["killed"].start()
        agents["back"].start()
        agents["locked"].unlock()
        agents["stopped"].resume()
        for name, m in mounts.items():
            bed.wait_for(lambda m=m: opened(m.at("alice/a.bin")) == 0,
                         f"{name} to heal", 60)
        waiting.join()
        self.assertEqual(self.waited, 0)

    def wait_in(self, m):
        """An operation that began without a good token, and waits."""
        def run():
            self.waited = opened(m.at("alice/a.bin"))
        self.waited = None
        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def test_that_a_strangers_socket_is_not_asked(self):
        """It learns nothing, not even that somebody wants a token."""
        self.bed.put("alice/a.bin", 100)
        path = self.dir + "/sock"
        heard = self.dir + "/heard"
        os.chmod(self.dir, 0o777)
        stranger = Proc([sys.executable, "-c", (
            "import socket, sys\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            "s.bind(sys.argv[1]); s.listen(5)\n"
            "while True:\n"
            "    c = s.accept()[0]\n"
            "    open(sys.argv[2], 'ab').write(c.recv(4096))\n"),
            path, heard], self.dir + "/stranger.log", user="nobody")
        try:
            bed.wait_for(lambda: os.path.exists(path), "the stranger")
            os.chown(path, 0, 0)  # whoever listens counts as well
            os.chmod(path, 0o666)
            self.provider  # before the server
            m = self.mount(self.bed.nginx.url, None, agent=path,
                           account="tb", timeout="4s")
            self.assertEqual(opened(m.at("alice/a.bin")), errno.ENOKEY)
            m.wait_log("is of user")
            self.assertIn("agent=SOCKET", m.status()["token"]["problem"])
            time.sleep(0.5)
            self.assertFalse(os.path.exists(heard) and
                             os.path.getsize(heard))
        finally:
            stranger.stop()

    def test_that_the_environment_names_an_agent(self):
        """Without any option: the socket of $OIDC_SOCK, its only account;
        and the command line tells what a mount would take."""
        self.bed.put("alice/a.bin", 100)
        agent = self.agent()
        m = self.mount(self.bed.nginx.url, None, timeout="10s",
                       env={"OIDC_SOCK": agent.socket})
        self.assertEqual(opened(m.at("alice/a.bin")), 0)
        self.assertEqual(m.status()["token"]["source"], "agent:tb")
        shown = json.loads(m.command("token", "show", "--json").stdout)
        self.assertEqual(shown["source"], "agent:tb")
        self.assertEqual(shown["subject"], "ada")
        self.assertEqual(m.command("token", "path").stdout.strip(),
                         "agent:tb")
        missing = m.command("token", "show", "-o", "account=none",
                            check=False)
        self.assertEqual(missing.returncode, 77)
        self.assertIn("oidc-add none", missing.stderr)


class Uploads(Case, WritingCase):
    """What is written with an agent: with which token, and at what price."""

    def begin(self, name):
        agent = self.agent()
        self.provider.settings(lifetime_s=3600)
        self.addCleanup(self.provider.settings, lifetime_s=LIFE)
        disk = self.place(name)
        m = self.mount(f"{self.bed.nginx.url}/{name}", None, rw=True,
                       agent=agent.socket, account=agent.account,
                       spool_dir=f"{self.dir}/spool-{name}",
                       base_path=self.bed.base, log="debug")
        m.disk = disk
        return m

    def asked(self, since):
        """Scopes of directories that the issuer was asked for."""
        return [a["scope"] for a in self.provider.answers(since)
                if a["scope"] and "openid" not in a["scope"]]

    def changes(self, mark):
        """(method, path, scope of the token) of what changed something."""
        return [(r["method"], r["uri"].removeprefix(self.bed.base),
                 r["scope"]) for r in self.bed.nginx.requests(mark)
                if r["method"] not in ("GET", "HEAD", "PROPFIND", "OPTIONS")]

    def test_that_each_directory_has_a_token_of_its_own(self):
        m = self.begin("own")
        mark, since = self.bed.nginx.mark(), len(self.provider.answers())
        for name in ("a", "b"):
            os.mkdir(m.at(name))
            for i in range(60):
                self.put_here(m.at(name, f"f{i}"), b"x" * 100)
        os.rename(m.at("a/f0"), m.at("b/moved"))
        os.unlink(m.at("a/f1"))
        self.put_here(m.at("a/f2"), b"y" * 50)
        wanted = {f"a/f{i}": b"x" * 100 for i in range(3, 60)}
        wanted |= {f"b/f{i}": b"x" * 100 for i in range(60)}
        self.assert_same(m, {"a": None, "b": None, "b/moved": b"x" * 100,
                             "a/f2": b"y" * 50, **wanted})
        changes = self.changes(mark)
        self.assertGreater(len(changes), 120)
        for method, path, scope in changes:
            parts = scope.split(" ")
            self.assertLessEqual(len(parts), 2, (method, path, scope))
            self.assertTrue(all(part.startswith("storage.") and
                                ":/own" in part for part in parts),
                            (method, path, scope))
            if len(parts) == 1:
                self.assertEqual(os.path.dirname(path.rstrip("/")),
                                 scope.split(":")[1], (method, path, scope))
        self.assertIn(("MOVE", "/own/a/f0",
                       "storage.modify:/own/a storage.modify:/own/b"),
                      changes)
        # Two rights in three directories, and both of the renaming.
        scopes = self.asked(since)
        print(f"{len(changes)} changes with {len(scopes)} questions: "
              f"{scopes}", file=sys.stderr)
        self.assertEqual(set(scopes), {scope for _, _, scope in changes})
        # One that nobody used for five seconds was dropped: the agent takes
        # some for an answer.
        self.assertLessEqual(len(scopes), 8)
        self.assert_no_token(m, mark)

    def put_here(self, path, data):
        with open(path, "wb") as file:
            file.write(data)

    def assert_no_token(self, m, mark):
        """Neither on disk nor in the log."""
        for top, _, names in os.walk(m.folder):
            for name in names:
                path = os.path.join(top, name)
                if path.startswith(m.path + "/") or \
                        not os.path.isfile(path):
                    continue
                with open(path, "rb") as file:
                    self.assertNotIn(b"eyJ", file.read(), path)
        self.assertNotIn("eyJ", m.log_text())

    def test_that_an_issuer_without_such_scopes_does_no_harm(self):
        """One line, and the token that the account has."""
        m = self.begin("whole")
        self.provider.settings(whole_scopes=True)
        self.addCleanup(self.provider.settings, whole_scopes=False)
        mark = self.bed.nginx.mark()
        for i in range(10):
            self.put_here(m.at(f"f{i}"), b"x" * 10)
        self.assertEqual(len(os.listdir(m.disk)), 10)
        self.assertTrue(all("storage.read:/" in scope
                            for _, _, scope in self.changes(mark)))
        line = "change with all that the account's token allows"
        m.wait_log(line)
        lines = [one for one in m.log_text().splitlines() if line in one]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("storage.modify:/whole", lines[0])

    def test_that_one_that_the_server_refuses_is_made_up_for(self):
        """The client and the server differ in what "/" means: the scope names
        another directory there."""
        agent = self.agent()
        disk = self.place("other")
        m = self.mount(f"{self.bed.nginx.url}/other", None, rw=True,
                       agent=agent.socket, account=agent.account,
                       spool_dir=f"{self.dir}/spool-other", base_path="/")
        for i in range(5):
            self.put_here(m.at(f"f{i}"), b"x" * 10)
        self.assertEqual(len(os.listdir(disk)), 5)
        m.wait_log("see that base_path is")


if __name__ == "__main__":
    bed.main(deadline=900)
