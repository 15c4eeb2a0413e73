#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with credentials: one table. Each row plants one fault in a
mount of its own and says which errno a program gets (in the order of the
manual's table), which line the log has, with its remedy, and that no byte was
served, or just the right ones."""
import base64
import concurrent.futures
import errno
import hashlib
import hmac
import json
import os
import re
import socket
import threading
import time

import bed
from bed import content
from bed.issuer import AUDIENCE
from bed.procs import Failed

BYTES = 70000
FILE = "alice/a.bin"
# A key that is not in the set has the set read again; until that is done the
# server decides, so these rows come to their errno a moment later.
AFTER_A_LOOK = {"unknown key", "another key's name"}
AT_ONCE = 4
STRANGER = 2001
NOBODY_LISTENS = "https://localhost:1"
# What the log says once of a fault, and no more until it changes.
REFUSAL = re.compile(r'msg="(no token|token not usable)"')


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def write(path, data, mode=0o600):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(fd, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    os.chmod(path, mode)


class Fault:
    """A row while it runs: where it plants, and what its mount is given."""

    def __init__(self, test, name, folder):
        self.test, self.bed, self.name, self.folder = (
            test, test.bed, name, folder)
        self.token = None
        self.options = {"timeout": "3s", "attr_ttl": "0s"}
        self.env = {}
        self.url = self.bed.lying.url

    def path(self, name="planted"):
        return os.path.join(self.folder, name)

    # Token files.

    def file(self, data, mode=0o600, owner=0):
        write(self.path(), data, mode)
        os.chown(self.path(), owner, -1)
        self.options["token_file"] = self.path()

    def make(self, how, *more):
        how(self.path(), *more)
        self.options["token_file"] = self.path()

    def link(self, target):
        if target is None:
            target = self.path("real")
            write(target, self.bed.token("read:/alice"))
        self.make(lambda path: os.symlink(target, path))

    def listener(self, path):
        self.test.listen(path, lambda end: None)

    # Tokens.

    def claims(self, **claims):
        self.token = self.bed.token(**{"scope": "read:/alice", **claims})

    def verified(self, **claims):
        """The same, where the mount checks it by a file of keys."""
        self.trust()
        self.claims(**claims)

    def trust(self):
        self.options.update(issuer=self.bed.issuer.url, audience=AUDIENCE,
                            base_path=self.bed.base, jwks=self.test.jwks)

    def algorithm(self, alg):
        """A signature that anybody can make."""
        self.trust()
        body = self.bed.token("read:/alice").split(".")[1]
        head = b64(json.dumps({"alg": alg, "kid": "es"}).encode())
        with open(self.test.jwks, "rb") as file:
            mac = hmac.digest(file.read(), f"{head}.{body}".encode(),
                              hashlib.sha256)
        self.token = f"{head}.{body}.{b64(mac) if alg != 'none' else ''}"

    def issuer_down(self, scope):
        """No keys can be had, so the server is to prove the token."""
        self.options.update(issuer=NOBODY_LISTENS, audience=AUDIENCE,
                            base_path=self.bed.base)
        self.claims(iss=NOBODY_LISTENS, scope=scope)

    # Servers.

    def server(self, code, times=None, verified=False, opaque=False):
        """A folder of its own on the lying server, which refuses."""
        (self.verified if verified else self.claims)(scope="read:/")
        if opaque:
            self.token = f"opaque.{os.urandom(16).hex()}"
        folder = os.path.basename(self.folder)
        self.bed.put(f"{folder}/{FILE}", BYTES, seed=FILE)
        self.test.refuse(folder, code, times)
        self.url += "/" + folder

    # Agents.

    def agent(self, answer, owner=0):
        self.test.listen(self.path("agent"), answer)
        os.chown(self.path("agent"), owner, -1)
        self.options.update(agent=self.path("agent"), account="acc")


def says(text):
    """An agent that answers so, then closes."""
    def answer(end):
        end.recv(65536)
        end.sendall(text.encode() if isinstance(text, str) else text)
    return answer


def hangs(end):
    end.recv(65536)
    end.recv(1)  # until the other gives up


def good_in_pieces(token):
    text = json.dumps({"status": "success", "access_token": token,
                       "issuer": "https://i.test",
                       "expires_at": int(time.time()) + 3600})

    def answer(end):
        end.recv(65536)
        for at in range(0, len(text), 40):
            end.sendall(text[at:at + 40].encode())
            time.sleep(0.002)
    return answer


OK = 0
NOKEY, EXPIRED, REJECTED, ACCESS = (
    errno.ENOKEY, errno.EKEYEXPIRED, errno.EKEYREJECTED, errno.EACCES)

# name: (how it is planted, errno, the one line that the log has of it with
# its remedy). None: for what a server, a verification or a scope refuses there
# is one line for each path, with the errno, and its remedy behind a semicolon;
# what works has no such line.
FAULTS = {
    # No token.
    "missing file": (lambda f: f.options.update(token_file=f.path()), NOKEY,
     "no token in '.*; write one there, mode 600"),
    "empty file": (lambda f: f.file(""), NOKEY,
     "it is empty.*; write one"),
    "white space only": (lambda f: f.file(" \n\t\n"), NOKEY,
     "it is empty.*; write one"),
    "garbled bytes": (lambda f: f.file(b"\x00\xff\x1b[31m"), NOKEY,
     "a character that no bearer token has; write"),
    "line break inside": (lambda f: f.file("abc\r\nX-Evil: 1"), NOKEY,
     "a character that no bearer token has; write"),
    "cut JWT": (lambda f: f.file(f.bed.token().rsplit(".", 1)[0]), NOKEY,
     "cut short or garbled .2 of 3 parts.; write"),
    "JWT cut in its claims": (lambda f: f.file(f.bed.token()[:120]), NOKEY,
     "cut short or garbled .*; write"),
    "JSON without a token": (lambda f: f.file('{"token":"x"}'), NOKEY,
     "JSON without one text .*; write"),
    "cut JSON": (lambda f: f.file('{"access_token":"x"'), NOKEY,
     "begins as JSON and is cut short.*; write"),
    "empty access_token": (lambda f: f.file('{"access_token":""}'), NOKEY,
     "it is empty.*; write one"),
    "longer than 64 KiB": (lambda f: f.file("a" * 65537), NOKEY,
     "has 65537 bytes; a token has at most 64 KiB"),
    "cut macaroon": (lambda f: f.file("MDAyOWxvY2F0aW9uIGh0dHBzOi8vZGNh"),
                     NOKEY,
     "the macaroon is cut short or garbled; write"),
    "world-readable": (lambda f: f.file(f.bed.token(), 0o644), NOKEY,
     "mode 0644.; run: chmod 600 /"),
    "group-readable": (lambda f: f.file(f.bed.token(), 0o640), NOKEY,
     "mode 0640.; run: chmod 600 /"),
    "world-writable": (lambda f: f.file(f.bed.token(), 0o602), NOKEY,
     "mode 0602.; run: chmod 600 /"),
    "somebody else's": (lambda f: f.file(f.bed.token(), 0o600, STRANGER),
                        NOKEY,
     "belongs to user 2001; run: chown 0 /"),
    "FIFO": (lambda f: f.make(os.mkfifo, 0o600), NOKEY,
     "is a FIFO; a token file must be"),
    "socket": (lambda f: f.make(f.listener), NOKEY,
     "is a socket; a token file must be"),
    "device": (lambda f: f.options.update(token_file="/dev/zero"), NOKEY,
     "is a device; a token file must be"),
    "2 GiB": (lambda f: (f.file(""), os.truncate(f.path(), 2 << 30)), NOKEY,
     "has 2147483648 bytes; a token has at most"),
    "directory": (lambda f: f.make(os.mkdir), NOKEY,
     "is a directory; a token file must be"),
    "link to a good one": (lambda f: f.link(None), OK, None),
    "link to nothing": (lambda f: f.link("nowhere"), NOKEY,
     "No such file or directory.; write one there"),
    "below a file": (lambda f: (f.file(""), f.options.update(
        token_file=f.path() + "/x")), NOKEY,
     "no token in .*; write one there"),
    # Times.
    "ended": (lambda f: f.claims(lifetime=-10), EXPIRED,
     "ended at .*no newer one came; get a new one"),
    "ended, verified": (lambda f: f.verified(lifetime=-10), EXPIRED,
     "ended at .*no newer one came; get a new one"),
    "not yet valid": (lambda f: f.claims(nbf=int(time.time()) + 3600), EXPIRED,
     "is not valid before .*; check the clock"),
    "not yet valid, verified": (
        lambda f: f.verified(nbf=int(time.time()) + 3600), EXPIRED,
     "is not valid before .*; check the clock"),
    "issued in the future": (
        lambda f: f.verified(iat=int(time.time()) + 3600), EXPIRED, None),
    "exp is a text": (lambda f: f.claims(exp="tomorrow"), NOKEY,
     "claim 'exp' is of the wrong kind.*; write"),
    "exp is negative": (lambda f: f.claims(exp=-1), NOKEY,
     "claim 'exp' is no time; write"),
    "no exp": (lambda f: f.verified(exp=None), REJECTED, None),
    # Does not verify.
    "wrong issuer": (lambda f: f.verified(iss="https://evil.test"),
                     REJECTED, None),
    "issuer with a slash": (
        lambda f: f.verified(iss=f.bed.issuer.url + "/"), REJECTED, None),
    "forged": (lambda f: f.verified(rogue=True), REJECTED, None),
    "unknown key": (lambda f: f.verified(headers={"kid": "gone"}),
                    REJECTED, None),
    "another key's name": (lambda f: f.verified(headers={"kid": "rs"}),
                           REJECTED, None),
    "alg none": (lambda f: f.algorithm("none"), REJECTED, None),
    "alg HS256 with the public key": (lambda f: f.algorithm("HS256"),
                                      REJECTED, None),
    "wrong audience": (lambda f: f.verified(aud="https://other.test"),
                       REJECTED, None),
    "no audience": (lambda f: f.verified(aud=None), REJECTED, None),
    "audience any of SciTokens 1": (lambda f: f.verified(aud="ANY", ver=None),
                                    REJECTED, None),
    "unknown version": (lambda f: f.verified(ver="scitoken:9.0"),
                        REJECTED, None),
    "no jti": (lambda f: f.verified(jti=None), REJECTED, None),
    "storage word without a path": (
        lambda f: f.verified(scope="storage.read", ver=None,
                             **{"wlcg.ver": "1.0"}), REJECTED, None),
    # Good, and not for this path.
    "scope elsewhere": (lambda f: f.verified(scope="read:/bob"), ACCESS, None),
    "look-alike": (lambda f: f.verified(scope="read:/ali read:/alicent"),
                   ACCESS, None),
    "dots in the scope": (lambda f: f.verified(scope="read:/bob/../alice"),
                          ACCESS, None),
    "encoded dots": (lambda f: f.verified(scope="read:/bob/%2e%2e/alice"),
                     ACCESS, None),
    "encoded slash": (lambda f: f.verified(scope="read:/alice%2fa.bin"),
                      ACCESS, None),
    "encoded NUL": (lambda f: f.verified(scope="read:/alice%00"), ACCESS,
                    None),
    "encoded too often": (
        lambda f: f.verified(scope="read:/%2525252561lice"), ACCESS, None),
    "encoded and right": (lambda f: f.verified(scope="read:/%61lice"), OK,
                          None),
    "other case": (lambda f: f.verified(scope="read:/Alice"), ACCESS, None),
    "relative scope": (lambda f: f.verified(scope="read:alice"), ACCESS, None),
    "write scope for reading": (lambda f: f.verified(scope="write:/alice"),
                                ACCESS, None),
    "no scope": (lambda f: f.verified(scope=None), REJECTED, None),
    # Keys that are not at hand.
    "issuer down, no keys": (lambda f: f.issuer_down("read:/alice"), OK, None),
    # Servers.
    "401 for ever": (lambda f: f.server(401), REJECTED, None),
    "403 for ever": (lambda f: f.server(403), ACCESS, None),
    "401 once": (lambda f: f.server(401, 1), OK, None),
    "403 once": (lambda f: f.server(403, 1), OK, None),
    "401, opaque": (lambda f: f.server(401, opaque=True), REJECTED, None),
    "403, opaque": (lambda f: f.server(403, opaque=True), ACCESS, None),
    "401, verified": (lambda f: f.server(401, verified=True), REJECTED, None),
    "403, verified": (lambda f: f.server(403, verified=True), REJECTED, None),
    # Agents.
    "agent missing": (lambda f: f.options.update(agent=f.path("none")),
                      NOKEY,
     "no token agent .*; start oidc-agent there"),
    "agent hangs": (lambda f: f.agent(hangs), NOKEY,
     "does not answer for account 'acc'; see whether"),
    "agent closes early": (lambda f: f.agent(lambda end: None), NOKEY,
     "closes before its answer is whole.*; start"),
    "agent talks nonsense": (lambda f: f.agent(says("no JSON\n")), NOKEY,
     "answers with no JSON object.*; start"),
    "agent gives half": (
        lambda f: f.agent(says('{"status":"success","access_tok')), NOKEY,
     "closes before its answer is whole.*; start"),
    "agent without end": (lambda f: f.agent(says("{" + " " * 300000)),
                          NOKEY,
     "an answer without an end.*; start"),
    "agent locked": (lambda f: f.agent(says(
        '{"status":"failure","error":"Agent locked"}')), NOKEY,
     "locked, and account 'acc' with it; run: oidc-add --unlock"),
    "agent knows no account": (lambda f: f.agent(says(
        '{"status":"failure","error":"Account not loaded."}')), NOKEY,
     "no account 'acc' loaded; run: oidc-add acc"),
    "agent gives an ended token": (lambda f: f.agent(says(json.dumps(
        {"status": "success", "access_token": f.bed.token(lifetime=-10),
         "issuer": "x", "expires_at": int(time.time()) + 600}))),
        NOKEY,
     "that had ended at .*; check the clock"),
    "agent of somebody else": (
        lambda f: f.agent(good_in_pieces(f.bed.token()), STRANGER),
        NOKEY,
     "is of user 2001.*; name your own"),
    "agent in pieces": (
        lambda f: f.agent(good_in_pieces(f.bed.token("read:/alice"))), OK,
        None),
}


class Faults(bed.Case):
    deadline = 400

    def setUp(self):
        self.source = self.bed.put(FILE, BYTES, seed=FILE)
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

    def test_every_fault_has_its_errno_and_its_line(self):
        planted = []
        for name, (plant, wanted, line) in FAULTS.items():
            folder = os.path.join(self.dir, re.sub(r"\W+", "-", name))
            os.makedirs(folder)
            fault = Fault(self, name, folder)
            plant(fault)
            m = self.make_mount(fault.url, fault.token, env=fault.env,
                                **fault.options)
            planted.append((name, m, wanted, line, fault.token))
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(
                lambda row: self.row(*row[:3]), planted))
        wrong = []
        for (name, m, wanted, line, token), (problem, log) in zip(
                planted, results):
            if os.environ.get("FAULTS_SHOW"):
                print(f"== {name}: {problem}\n{log}")
            if problem:
                wrong.append(f"{name}: {problem}\n{log}")
            said = [one for one in log.splitlines() if " level=warn" in one
                    and REFUSAL.search(one)]
            told = [one for one in log.splitlines()
                    if ' msg="refused"' in one]
            if not line and wanted != OK and not (
                    told and len(told) == len(set(told)) and all(
                        f"errno={errno.errorcode[wanted]} " in one and
                        re.search('path=".*alice.*why=".*; .*"', one)
                        for one in told)):
                wrong.append(f"{name}: no line of its refusal\n{log}")
            if line and not (len(said) == 1 and re.search(line, said[0])):
                wrong.append(f"{name}: not one line {line!r}\n{log}")
            if wanted == OK and said:
                wrong.append(f"{name}: a warning\n{log}")
            if token and token.split(".")[-1] and \
                    token.split(".")[-1] in log:
                wrong.append(f"{name}: the token stands in the log")
        self.assertGreaterEqual(len(planted), 40)
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_a_write_is_refused_before_any_server_is_asked(self):
        """Mounts are read-only so far, whatever the token allows."""
        for scope in "read:/alice", "write:/alice read:/alice":
            m = self.mount(self.bed.lying.url, self.bed.token(scope))
            mark = self.bed.lying.mark()
            for flags in os.O_WRONLY, os.O_WRONLY | os.O_CREAT:
                with self.assertRaises(OSError) as caught:
                    os.close(os.open(m.at("alice/new.bin"), flags))
                self.assertEqual(caught.exception.errno, errno.EROFS
                                 if flags & os.O_CREAT else errno.ENOENT)
            self.assertNotIn("PUT", [asked["method"] for asked in
                                     self.bed.lying.requests(mark)])
            m.stop()


if __name__ == "__main__":
    bed.main(deadline=600)
