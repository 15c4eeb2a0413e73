#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with credentials: the table of faults.py, each row in a
mount of its own; below it what takes more than one step. Keys that are rotated
are in test_trust.py."""
import concurrent.futures
import errno
import hashlib
import json
import os
import re
import socket
import threading

import bed
from bed import content, mount
from bed.issuer import AUDIENCE
from bed.nginx import Nginx
from bed.procs import Failed
from faults import (BYTES, FAULTS, FILE, MAYBE, OK, REJECTED, SKEW, STATE,
                    Fault, write)

# A key that is not in the set has the set read again; until that is done the
# server decides, so these rows come to their errno a moment later.
AFTER_A_LOOK = {"unknown key", "another key's name"}
AT_ONCE = 4


class Faults(bed.Case):
    deadline = 400

    def setUp(self):
        self.source = self.bed.put(FILE, BYTES, seed=FILE)
        self.clocks = {
            name: self.bed.servers.get(name) or self.bed.add(
                Nginx(self.bed, name, skew=skew))
            for name, skew in (("ahead", SKEW), ("behind", -SKEW))}
        self.jwks = os.path.join(self.dir, "jwks")
        with open(self.jwks, "w") as file:
            json.dump(self.bed.issuer.jwks(), file)

    def listen(self, path, answer):
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        os.chmod(path, 0o600)
        listening.listen(8)
        self.addCleanup(listening.close)

        def one(end):
            with end:
                try:
                    end.settimeout(60)
                    answer(end)
                except OSError:
                    pass

        def serve():
            while True:
                try:
                    end, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=[end], daemon=True).start()
        threading.Thread(target=serve, daemon=True).start()

    def refuse(self, folder, code, times):
        self.bed.lying.lie("status", code=code, times=times,
                           path=f"/exp/{folder}/alice/a.bin", method="GET")

    def attempt(self, m):
        """@return the errno, bytes read"""
        data = b""
        try:
            with open(m.at(FILE), "rb", buffering=0) as file:
                while more := file.read(1 << 16):
                    data += more
        except OSError as error:
            return error.errno, data
        return 0, data

    def row(self, name, m, wanted):
        """@return what is wrong with the row, its log"""
        try:
            m.start()
        except Failed as failure:
            return f"did not start: {failure}", m.log()
        if name in AFTER_A_LOOK:
            bed.wait_for(lambda: all(self.attempt(m)[0] == wanted
                                     for _ in range(3)), name, 60)
        code, data = self.attempt(m)
        log = m.log()
        m.stop()
        if code != wanted:
            return (f"{errno.errorcode.get(code, code)} instead of "
                    f"{errno.errorcode.get(wanted, wanted)}"), log
        good = content.sha256(self.source)
        if wanted == 0 and hashlib.sha256(data).hexdigest() != good:
            return "other bytes", log
        if wanted != 0 and data:
            return f"{len(data)} bytes were served", log
        return None, log

    def check_log(self, log, wanted, line, besides):
        """@return what is wrong with the log of a row"""
        lines = log.splitlines()
        states = [one for one in lines if " level=warn" in one
                  and STATE.search(one)]
        told = [one for one in lines if ' msg="refused"' in one]
        if line is None and states:
            return "a line of the token's state"
        if line not in (None, MAYBE) and not (
                len(states) == 1 and re.search(line, states[0])):
            return f"not one line {line!r}"
        if besides and not re.search(besides, log):
            return f"no line {besides!r}"
        if wanted == OK:
            return "a refusal" if told else None
        if not told or len(told) != len(set(told)) or not all(
                f"errno={errno.errorcode[wanted]} " in one and
                re.search('path=".*alice.*why=".*; .*"', one)
                for one in told):
            return "no line of its refusal, or not one for each path"
        return None

    def test_every_fault_has_its_errno_and_its_line(self):
        planted = []
        for name, (plant, wanted, *lines) in FAULTS.items():
            folder = os.path.join(self.dir, re.sub(r"\W+", "-", name))
            os.makedirs(folder)
            fault = Fault(self, name, folder)
            plant(fault)
            m = self.make_mount(fault.url, fault.token, env=fault.env,
                                **fault.options)
            planted.append((name, m, wanted, *lines, None)[:5] +
                           (fault.token,))
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(
                lambda row: self.row(*row[:3]), planted))
        wrong = []
        for (name, _, wanted, line, besides, token), (problem, log) in zip(
                planted, results):
            if os.environ.get("FAULTS_SHOW"):
                print(f"== {name}: {problem}\n{log}")
            problem = problem or self.check_log(log, wanted, line, besides)
            if token and (token.split(".")[-1] or token) in log:
                problem = "the token stands in the log"
            if problem:
                wrong.append(f"{name}: {problem}\n{log}")
        self.assertGreaterEqual(len(planted), 40)
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_a_write_is_refused_before_any_server_is_asked(self):
        """Mounts are read-only so far, whatever the token allows."""
        for scope in "read:/alice", "write:/alice read:/alice":
            m = self.mount(self.bed.lying.url, self.bed.token(scope))
            mark = self.bed.lying.mark()
            for name, flags in (("alice/new.bin", os.O_WRONLY | os.O_CREAT),
                                (FILE, os.O_WRONLY),
                                (FILE, os.O_RDWR | os.O_TRUNC)):
                with self.assertRaises(OSError) as caught:
                    os.close(os.open(m.at(name), flags))
                self.assertEqual(caught.exception.errno, errno.EROFS, name)
            for asked in self.bed.lying.requests(mark):
                self.assertIn(asked["method"], ("PROPFIND", "HEAD", "GET"))
            m.stop()

    def test_a_reading_token_is_not_good_for_writing(self):
        """What a mount that writes would say, `token verify` says."""
        for scope, wish, status in (
                ("read:/alice", "read:/alice/a", 0),
                ("read:/alice", "write:/alice/a", 1),
                ("storage.read:/alice", "write:/alice/a", 1),
                ("write:/alice", "write:/alice/a", 0),
                ("write:/ali", "write:/alice/a", 1),
                ("write:/alice", "read:/alice/a", 1)):
            done = mount.run(
                [mount.binary(), "token", "verify", "--jwks", self.jwks,
                 "--audience", AUDIENCE, "--scope", wish], check=False,
                stdin=self.bed.token(scope), text=True)
            self.assertEqual(done.returncode, status, (scope, wish))
            if status:
                self.assertIn("does not cover", done.stderr)

    def test_half_a_token_is_shown_as_that(self):
        """By what is run when a job has failed, too."""
        half = os.path.join(self.dir, "half")
        write(half, self.bed.token()[:20])
        options = f"token_file={half},ca_file={self.bed.ca.cert}"
        self.addCleanup(self.bed.lying.config, accept=None)
        self.bed.lying.config(accept=[])
        for words, says in (
                (["token", "show"], f"'{half}' begins as a JWT and is none"),
                (["doctor", self.bed.lying.url],
                 f"cut short or garbled; write it to '{half}' again")):
            done = mount.run([mount.binary(), *words, "-o", options],
                             check=False, env={"HOME": self.dir})
            self.assertIn(says, done.stdout + done.stderr, words)

    def test_a_token_that_its_server_revokes(self):
        """Good, then refused while it is in use, then good again."""
        self.addCleanup(self.bed.lying.honest)
        for how in "claims", "verified":
            folder = os.path.join(self.dir, how)
            os.makedirs(folder)
            fault = Fault(self, how, folder)
            fault.server(401, times=0, how=how)
            m = self.mount(fault.url, fault.token, **fault.options)
            self.assertEqual(self.attempt(m)[0], 0)
            self.bed.lying.lie("status", code=401, path=f".*/{how}/.*")
            # What is cached is not given with it either.
            for _ in range(2):
                self.assertEqual(self.attempt(m), (REJECTED, b""))
            m.wait_log("the server refused the token for")
            self.bed.lying.honest()
            self.assertEqual(self.attempt(m)[0], 0)
            m.stop()


if __name__ == "__main__":
    bed.main(deadline=600)
