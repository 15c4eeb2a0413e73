# SPDX-License-Identifier: Apache-2.0
"""The table of what goes wrong with credentials, for test_faults.py: each row
plants one fault and says which errno a program gets (in the order of the
manual's table), and which lines the log has of it, with the remedy."""
import base64
import errno
import hashlib
import hmac
import json
import os
import re
import time

from bed.issuer import AUDIENCE

BYTES = 70000
FILE = "alice/a.bin"
STRANGER = 2001
NOBODY_LISTENS = "https://localhost:1"
# What the log says once of a token that is missing, not now, or not whole.
STATE = re.compile(r'msg="(no token|token not usable|token looks cut short)"')
SKEW = 1205  # longer than the table takes


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

    # Keys.

    def issuer_down(self, **claims):
        """No keys can be had, so the server is to prove the token."""
        self.options.update(issuer=NOBODY_LISTENS, audience=AUDIENCE,
                            base_path=self.bed.base)
        self.claims(iss=NOBODY_LISTENS, **claims)

    def keys_kept(self, life=86400, **claims):
        """The same, where a mount before has kept them so long; see
        tokens/verify/keyfile.h."""
        self.issuer_down(**claims)
        began = int(time.time()) - 60
        with open(self.test.jwks) as file:
            body = (f"{NOBODY_LISTENS} {began} {began + 3600} {began + life}"
                    f"\n{file.read()}")
        self.options["cache_dir"] = self.path("cache")
        os.makedirs(self.path("cache/keys"), 0o700)
        os.chmod(self.path("cache"), 0o700)
        name = hashlib.sha256(NOBODY_LISTENS.encode()).hexdigest()
        total = hashlib.sha256(body.encode()).hexdigest()
        write(self.path(f"cache/keys/{name}.keys"),
              f"bearerfs-keys 1 {total}\n{body}")

    # Servers.

    def server(self, code, times=None, how="claims", token=None):
        """A folder of its own on the lying server, which refuses."""
        getattr(self, how)(scope="read:/")
        self.token = token or self.token
        folder = os.path.basename(self.folder)
        self.bed.put(f"{folder}/{FILE}", BYTES, seed=FILE)
        self.test.refuse(folder, code, times)
        self.url += "/" + folder

    def clock(self, name, **claims):
        """A server whose clock is not ours."""
        self.claims(**claims)
        self.url = self.test.clocks[name].url

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
MAYBE = ""  # a line of the state, or none
NOKEY, EXPIRED, REJECTED, ACCESS = (
    errno.ENOKEY, errno.EKEYEXPIRED, errno.EKEYREJECTED, errno.EACCES)

OPAQUE = f"opaque.{os.urandom(16).hex()}"
NO_KEYS = 'msg="issuer keys not fetched" .*errno=EHOSTUNREACH why=".*"'

# name: (how it is planted, errno, the line that the log has of the token's
# state with its remedy, a line that it has besides). A refused path has one
# line in any case, with the errno, and the remedy behind a semicolon. None:
# the token's state is no reason for a line.
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
    "JWT cut in its header": (
        lambda f: f.server(401, token=f.bed.token()[:20]), REJECTED,
     "begins as a JWT and is none.*; write it there again",
     "the server refused .*cut short or garbled; write it to '/.*' again"),
    # Perhaps somebody's opaque token looks so: their server knows.
    "what looks so and is taken": (
        lambda f: f.file(f.bed.token()[:20]), OK,
     "begins as a JWT and is none.*; write it there again"),
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
    "link to itself": (lambda f: f.link("planted"), NOKEY,
     "Too many levels of symbolic links; remove one"),
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
        lambda f: f.verified(iat=int(time.time()) + 3600), EXPIRED,
     "is not valid before .*; check the clock"),
    # It begins while it is waited for.
    "issued a second from now": (
        lambda f: f.verified(iat=int(time.time()) + 2), OK, MAYBE),
    # Nobody looks at it here then.
    "issued in the future, not verified": (
        lambda f: f.claims(iat=int(time.time()) + 3600), OK, None),
    # The server's clock is not ours.
    "ended by the server's clock": (
        lambda f: f.clock("ahead", lifetime=SKEW // 2), REJECTED, None,
     "by its clock the token ended at .* 120[0-9] s behind the server's; set"),
    "not begun by the server's clock": (
        lambda f: f.clock("behind"), REJECTED, None,
     "by its clock the token begins only at .* 120[0-9] s ahead of the "
     "server's; set"),
    "just issued, where the clock is behind": (
        lambda f: f.clock("ahead", nbf=int(time.time()) + SKEW - 5), EXPIRED,
     "is not valid before .*; check the clock",
     'msg="refused" .*120[0-9] s behind the server\'s: set it'),
    "ended, where the clock is ahead": (
        lambda f: f.clock("behind", lifetime=-5), EXPIRED,
     "ended at .*; get a new one",
     'msg="refused" .*120[0-9] s ahead of the server\'s: set it'),
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
    "encoded backslash": (lambda f: f.verified(scope="read:/alice%5c"),
                          ACCESS, None),
    "overlong dots": (
        lambda f: f.verified(scope="read:/bob/%c0%ae%c0%ae/alice"), ACCESS,
        None),
    "broken encoding": (lambda f: f.verified(scope="read:/alic%6"), ACCESS,
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
    # Keys that are not at hand: the server decides.
    "issuer down, no keys": (lambda f: f.issuer_down(), OK, None, NO_KEYS),
    "issuer down, no keys, 401": (
        lambda f: f.server(401, how="issuer_down"), REJECTED, None, NO_KEYS),
    "issuer down, no keys, 403": (
        lambda f: f.server(403, how="issuer_down"), ACCESS, None, NO_KEYS),
    "issuer down, keys that have expired": (
        lambda f: f.keys_kept(life=59, rogue=True), OK, None, NO_KEYS),
    # And keys that a mount before has kept.
    "issuer down, keys kept": (lambda f: f.keys_kept(), OK, None),
    "issuer down, keys kept, forged": (
        lambda f: f.keys_kept(rogue=True), REJECTED, None, "changed or forged"),
    "issuer down, keys kept, elsewhere": (
        lambda f: f.keys_kept(scope="read:/bob"), ACCESS, None),
    "issuer down, keys kept, 403": (
        lambda f: f.server(403, how="keys_kept"), REJECTED, None),
    "issuer down, keys kept, unknown key": (
        lambda f: f.keys_kept(headers={"kid": "new"}), OK, None, NO_KEYS),
    # Servers.
    "401 for ever": (lambda f: f.server(401), REJECTED, None),
    "403 for ever": (lambda f: f.server(403), ACCESS, None),
    "401 once": (lambda f: f.server(401, 1), OK, None),
    "403 once": (lambda f: f.server(403, 1), OK, None),
    "401, opaque": (lambda f: f.server(401, token=OPAQUE), REJECTED, None),
    "403, opaque": (lambda f: f.server(403, token=OPAQUE), ACCESS, None),
    "401, verified": (lambda f: f.server(401, how="verified"), REJECTED, None),
    "403, verified": (lambda f: f.server(403, how="verified"), REJECTED, None),
    "401 once, verified": (lambda f: f.server(401, 1, how="verified"), OK,
                           None),
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
        EXPIRED,
     "from 'agent:acc' ended at .*; check the clock .*run: oidc-add acc"),
    "agent of somebody else": (
        lambda f: f.agent(good_in_pieces(f.bed.token()), STRANGER),
        NOKEY,
     "is of user 2001.*; name your own"),
    "agent in pieces": (
        lambda f: f.agent(good_in_pieces(f.bed.token("read:/alice"))), OK,
        None),
}
