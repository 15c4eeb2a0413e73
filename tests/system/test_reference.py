#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`bearerfs token verify` against libscitokens, over thousands of tokens.

Seeded random tokens of all four profiles, most of them wrong in one to three
ways, are judged by both. Every difference must fall into a class of the table
EXPLAINED, which says who is right by which text; any other fails. So does a
class that no token falls into any more.
"""
import base64
import collections
import json
import os
import random
import sqlite3
import subprocess
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

import bed
from bed import mount

SEED = 20261129
COUNT = 6000
ISSUER = "https://issuer.test/vo"
AUDIENCE = "https://origin.test"
WLCG_ANY = "https://wlcg.cern.ch/jwt/v1/any"
# What is asked of both: SciTokens' verb, ours, and a path.
TESTS = [("read", "/john/data"), ("write", "/john/data"), ("read", "/john")]
ENDED = "it ended the process"
HERE = os.path.dirname(os.path.abspath(__file__))


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Keys:
    def __init__(self):
        self.es = ec.generate_private_key(ec.SECP256R1())
        self.rs = rsa.generate_private_key(65537, 2048)
        self.rogue = ec.generate_private_key(ec.SECP256R1())

    def jwks(self):
        e, r = (k.public_key().public_numbers() for k in (self.es, self.rs))
        return {"keys": [
            {"kid": "es", "alg": "ES256", "use": "sig", "kty": "EC",
             "crv": "P-256", "x": b64(e.x.to_bytes(32, "big")),
             "y": b64(e.y.to_bytes(32, "big"))},
            {"kid": "rs", "alg": "RS256", "use": "sig", "kty": "RSA",
             "n": b64(r.n.to_bytes(256, "big")),
             "e": b64(r.e.to_bytes(3, "big"))}]}

    def sign(self, header, payload, how):
        data = f"{header}.{payload}".encode()
        if how == "rs":
            raw = self.rs.sign(data, padding.PKCS1v15(), hashes.SHA256())
        elif how == "hmac":
            mac = hmac.HMAC(b"secret", hashes.SHA256())
            mac.update(data)
            raw = mac.finalize()
        elif how == "none":
            raw = b""
        else:
            key = self.rogue if how == "rogue" else self.es
            der = key.sign(data, ec.ECDSA(hashes.SHA256()))
            r, s = utils.decode_dss_signature(der)
            raw = der if how == "der" else (
                r.to_bytes(32, "big") + s.to_bytes(32, "big"))
            if how == "bit":
                raw = bytes([raw[0] ^ 1]) + raw[1:]
            elif how == "short":
                raw = raw[:-1]
        return f"{header}.{payload}.{b64(raw)}"


def profiles(now):
    base = {"iss": ISSUER, "sub": "ada", "aud": AUDIENCE, "iat": now - 60,
            "nbf": now - 60, "exp": now + 86400, "jti": "a1b2",
            "scope": "read:/john"}
    v1 = {k: v for k, v in base.items() if k not in ("sub", "jti", "aud")}
    return {"scitokens1": ({}, {**v1, "aud": AUDIENCE}),
            "scitokens2": ({}, {**base, "ver": "scitoken:2.0"}),
            "wlcg": ({}, {**base, "wlcg.ver": "1.0",
                          "scope": "storage.read:/john"}),
            "at+jwt": ({"typ": "at+jwt"}, {**base, "client_id": "c"})}


PATHS = ["/", "/john", "/johnathan", "/joh", "/john/", "//john", "/./john",
         "/john/.", "/john/..", "/../john", "/a/../john", "/%6aohn", "/%6Aohn",
         "/%256aohn", "/john%2fdata", "/john%2Fdata", "/%2e%2e/john", "/%00",
         "/john%", "/john%zz", "/john\\data", "/john/data", "/john/data/x",
         "/John", "", "john", "/john?x", "/john#x", "/jo hn", "/jöhn", "/*",
         "/john//data", "/john/data/"]
WORDS = ["read", "write", "storage.read", "storage.create", "storage.modify",
         "storage.stage", "openid", "Read", "queue", "compute.read",
         "https://scitokens.org/v1/authz/read", "readx", ""]


def scope(rng):
    words = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        word = rng.choice(WORDS[:5] if rng.random() < 0.7 else WORDS)
        words.append(word if rng.random() < 0.1
                     else word + ":" + rng.choice(PATHS))
    return rng.choice([" ", " ", " ", "  ", "\t", ","]).join(words)


WRONG = [None, 1, 1.5, True, [], {}, "x", "", [1], {"a": [{"b": None}]}, "1"]


def change(rng, header, claims, now):
    """Make one thing wrong, or odd. @return how it is to be signed, or None"""
    kind = rng.randrange(9)
    if kind == 0:
        claims.pop(rng.choice(sorted(claims)), None)
    elif kind == 1:
        claims[rng.choice(sorted(claims) + ["aud", "scope", "ver"])] = (
            rng.choice(WRONG))
    elif kind == 2:
        claims["aud"] = rng.choice(
            ["ANY", WLCG_ANY, "any", [AUDIENCE, "x"], ["x", "ANY"], ["x"],
             ["x", WLCG_ANY], AUDIENCE + "/", AUDIENCE.upper(), [], "",
             [AUDIENCE, 1], "https://other.test"])
    elif kind == 3:
        claims[rng.choice(["exp", "nbf", "iat"])] = rng.choice(
            [0, -1, 1, now - 3600, now - 30, now + 3600, now + 7200, 2 ** 31,
             2 ** 53, 1e300, now + 3600.5, now - 30.5, str(now + 60)])
    elif kind == 4:
        change_header(rng, header)
    elif kind == 5:
        return rng.choice(["rogue", "bit", "short", "der", "none", "hmac", "rs"])
    elif kind == 6:
        claims[rng.choice(["ver", "wlcg.ver"])] = rng.choice(
            ["1.0", "1.1", "1.3", "2.0", "0.1", "scitoken:1.0", "scitokens:1.0",
             "scitokens:2.0", "scitoken:2.0", "scitoken:3.0", ""])
    elif kind == 7:
        claims[rng.choice(["extra", "nonce", "opt", "groups"])] = (
            rng.choice(WRONG))
    else:
        claims["iss"] = rng.choice(
            [ISSUER + "/", ISSUER.upper(), "https://evil.test", "", [ISSUER],
             ISSUER.replace("https", "http"), ISSUER + "?x"])
    return None


def change_header(rng, header):
    name = rng.choice(["kid", "kid", "alg", "typ", "crit", "jwk"])
    if name == "kid":
        header["kid"] = rng.choice(["rs", "unknown", "", 1, None, "es "])
        if rng.random() < 0.3:
            del header["kid"]
    elif name == "alg":
        header["alg"] = rng.choice(
            ["none", "None", "HS256", "ES384", "RS256", "PS256", "es256", "",
             1, None])
    elif name == "typ":
        header["typ"] = rng.choice(
            ["JWT", "at+jwt", "application/at+jwt", "AT+JWT", "x", 1])
    elif name == "crit":
        header["crit"] = rng.choice([["exp"], ["b64"], [], "x"])
    else:
        header["jwk"] = {"kty": "oct", "k": "c2VjcmV0"}


def make(rng, keys, now):
    """One token with its header and claims as they are in it."""
    profile = rng.choice(["scitokens1", "scitokens2", "wlcg", "at+jwt"])
    head, claims = (dict(part) for part in profiles(now)[profile])
    how = rng.choice(["es", "es", "es", "rs"])
    head = {"alg": how.upper() + "256", "kid": how, **head}
    if rng.random() < 0.6:
        claims["scope"] = scope(rng)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        how = change(rng, head, claims, now) or how
    text = keys.sign(b64(json.dumps(head).encode()),
                     b64(json.dumps(claims).encode()), how)
    spoil = rng.random()
    if spoil < 0.02:
        text = rng.choice([text[:-5], text + "=", text.replace(".", "..", 1),
                           text + ".x", text.split(".")[0], text[1:], "." + text])
    return {"token": text, "head": head, "claims": claims, "how": how,
            "spoiled": spoil < 0.02}


class Library:
    """The other process; started again when a token ends it."""

    def __init__(self, cache):
        self.env = {**os.environ, "XDG_CACHE_HOME": cache}
        self.child = None
        self.crashes = 0

    def judge(self, case):
        if self.child is None:
            self.child = subprocess.Popen(
                ["/usr/bin/python3", "-B", os.path.join(HERE, "reference.py")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True,
                env=self.env)
        self.child.stdin.write(json.dumps(case) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if line:
            return json.loads(line)
        self.close()
        self.crashes += 1
        return {"valid": False, "allowed": [False] * len(TESTS),
                "why": ENDED}

    def close(self):
        if self.child is not None:
            self.child.stdin.close()
            self.child.wait(20)
            self.child.stdout.close()
            self.child = None


def fill_cache(folder, jwks):
    """As libscitokens keeps keys: good for days, not to be asked for."""
    folder = os.path.join(folder, "scitokens")
    os.makedirs(folder, 0o700)
    later = int(time.time()) + 86400
    with sqlite3.connect(os.path.join(folder, "scitokens_cpp.sqllite")) as base:
        base.execute("CREATE TABLE keycache (issuer text UNIQUE PRIMARY KEY "
                     "NOT NULL, keys text NOT NULL)")
        base.execute("INSERT INTO keycache VALUES (?, ?)", (ISSUER, json.dumps(
            {"expires": later * 2, "next_update": later, "jwks": jwks})))
    base.close()


def words(case):
    return [w for w in str(case["claims"].get("scope", "")).split(" ") if w]


def is_wlcg(case):
    return "wlcg.ver" in case["claims"] and "ver" not in case["claims"]


def has_word(case, start):
    return any(word.startswith(start) for word in words(case))


def simple(path):
    """As 0.7.3 reads a scope's path: `..` climbs, nothing is decoded."""
    kept = []
    for part in path.split("/"):
        if part == "..":
            kept[-1:] = []
        elif part not in ("", "."):
            kept.append(part)
    return "/" + "/".join(kept)


def paths(case):
    return [word.split(":", 1)[1] for word in words(case) if ":" in word]


def covers(case, path, allowing):
    """Whether a word of the scope covers the path, by WLCG 2.2.1."""
    for word in words(case):
        verb, _, at = word.partition(":")
        at = at if ":" in word else "/"
        for _ in range(4):
            at = urllib.parse.unquote(at)
        if verb in allowing and ".." not in at.split("/") and (
                (path + "/").startswith(simple(at).rstrip("/") + "/")):
            return True
    return False


def prefix_only(case, path):
    """A scope's path is a prefix of the text, and no parent of the path."""
    return any(path.startswith(p) and path != p and path[len(p)] != "/"
               for p in map(simple, paths(case)) if p != "/")


def odd_times(case):
    return any(isinstance(case["claims"].get(name), float)
               for name in ("exp", "nbf", "iat"))


# name: (ours, what ours says, what theirs says, what must be so, why)
VERDICTS = {
    "crit": ("no", "extensions ('crit')", "", lambda c: "crit" in c["head"],
             "RFC 7515, section 4.1.11: an extension that is not understood "
             "makes the token invalid; the library does not look at it"),
    "claims": ("no", "lacks the claim", "",
               lambda c: {"sub", "jti", "client_id"} - set(c["claims"]),
               "sub and jti: SciTokens claims 2.0, WLCG 2.1.1, RFC 9068 2.2; "
               "client_id: RFC 9068 2.2; the library asks for none of them"),
    "client-id-kind": ("no", "'client_id' is of the wrong kind", "",
                       lambda c: not isinstance(c["claims"]["client_id"], str),
                       "RFC 8693, section 4.3: client_id is a text"),
    "negative-time": ("no", "is no time", "",
                      lambda c: any(c["claims"].get(name) == -1
                                    for name in ("nbf", "iat", "exp")),
                      "no issuer lived before 1970: garbled"),
    "wlcg-no-path": ("no", "storage word without a path", "", is_wlcg,
                     "WLCG 2.2.1: storage.* without a path: the token MUST be "
                     "rejected; the library takes / for it"),
    "aud-optional": ("yes", "", "'aud' claim is mandatory",
                     lambda c: "ver" not in c["claims"] and not is_wlcg(c),
                     "SciTokens claims 1.0: aud is optional"),
    "iat-optional": ("yes", "", "'iat' claim is mandatory",
                     lambda c: "ver" not in c["claims"] and not is_wlcg(c),
                     "SciTokens claims 1.0 know no iat"),
    "nbf-optional": ("yes", "", "'nbf' claim is mandatory",
                     lambda c: is_wlcg(c) or "typ" in c["head"],
                     "WLCG 2.1.1 and RFC 9068 2.2: nbf is optional; the "
                     "library remembers the profile of a token before"),
    "scope-optional": ("yes", "", "'scope' claim is mandatory",
                       lambda c: "scope" not in c["claims"],
                       "WLCG 2.2 and RFC 9068 2.2.3: optional. Such a token "
                       "is valid and allows nothing"),
    "no-kid": ("yes", "", "Key ID empty", lambda c: "kid" not in c["head"]
               or c["head"]["kid"] in ("", None),
               "RFC 7515, section 4.1.4: kid is optional; one key fits alg"),
    "typ-case": ("yes", "", "'client_id' claim verification",
                 lambda c: c["head"].get("typ") in ("AT+JWT",
                                                    "application/at+jwt"),
                 "RFC 7515, section 4.1.9: media types know no case, and "
                 "RFC 9068, section 4 names both"),
    "fractions": ("yes", "", "std::bad_cast", odd_times,
                  "RFC 7519, section 2: a NumericDate may have a fraction"),
    "wlcg-minor": ("yes", "", "Unknown WLCG profile version",
                   lambda c: str(c["claims"]["wlcg.ver"]).startswith("1."),
                   "WLCG 4.3.3: any minor of a known major version"),
    "scitoken-1.0": ("yes", "", "Unknown profile version in token: scitoken:1",
                     lambda c: c["claims"]["ver"] == "scitoken:1.0",
                     "SciTokens' documents write it so"),
}

# name: (ours, what must be so, why)
GRANTS = {
    "prefix": ("no", prefix_only,
               "WLCG 2.2.1: whole components; repaired in scitokens-cpp 1.4.1"),
    "dots": ("no", lambda c, p: any(".." in path for path in paths(c)),
             "WLCG 2.2.1: not normal; scitokens-cpp refuses it from 1.4.1"),
    "relative": ("no", lambda c, p: any(not path.startswith("/")
                                        for path in paths(c)),
                 "WLCG 2.2.1: absolute paths; `read:` is not `read`"),
    "create": ("no", lambda c, p: has_word(c, "storage.create"),
               "WLCG 2.2.1: create does not overwrite; the library has one "
               "word, write, for both"),
    "vocabulary": ("yes", lambda c, p: not is_wlcg(c)
                   and covers(c, p, {"storage.read", "storage.create",
                                     "storage.modify"}),
                   "both vocabularies are understood whatever the profile "
                   "(the library: storage.* with wlcg.ver only)"),
    "percent": ("yes", lambda c, p: any("%" in path for path in paths(c))
                and covers(c, p, set(WORDS[:5])),
                "WLCG 2.2.1: components are percent-encoded; decoded in "
                "scitokens-cpp from 1.4.1 on"),
}


def explain_verdict(case, ours, theirs):
    for name, (who, mine, other, holds, _) in VERDICTS.items():
        if ((ours == "valid") == (who == "yes") and mine in ours
                and other in theirs["why"] and holds(case)):
            return name
    return None


def explain_grant(case, ours, path):
    for name, (who, holds, _) in GRANTS.items():
        if ours == (who == "yes") and holds(case, path):
            return name
    return None


class Reference(bed.Case):
    def ours(self, cases, scope=None):
        more = ["--scope", scope] if scope else []
        done = mount.run(
            [mount.binary(), "token", "verify", "--batch", "--jwks", self.jwks,
             "--issuer", ISSUER, "--audience", AUDIENCE, *more], check=False,
            stdin="".join(case["token"] + "\n" for case in cases), text=True)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), len(cases), done.stderr)
        return lines

    def judge_all(self, count):
        """@return (case, our verdict and grants, theirs), `count` of them"""
        keys, now = Keys(), int(time.time())
        rng = random.Random(SEED)
        cases = [make(rng, keys, now) for _ in range(count)]
        self.jwks = os.path.join(self.dir, "jwks")
        with open(self.jwks, "w") as file:
            json.dump(keys.jwks(), file)
        fill_cache(self.dir, keys.jwks())
        library = Library(self.dir)
        self.addCleanup(library.close)
        theirs = [library.judge(
            {"token": case["token"], "issuer": ISSUER, "audience": [AUDIENCE],
             "tests": TESTS}) for case in cases]
        ours = zip(self.ours(cases),
                   *(self.ours(cases, f"{word}:{path}")
                     for word, path in TESTS))
        return list(zip(cases, ours, theirs))

    def test_differences_are_explained(self):
        classes, unexplained = collections.Counter(), []
        both = collections.Counter()
        for case, (ours, *grants), theirs in self.judge_all(COUNT):
            shown = (case["head"], case["claims"], case["how"], ours, theirs)
            if theirs["why"] == ENDED:
                classes["library-crash"] += 1
                continue
            both[ours == "valid", theirs["valid"]] += 1
            if (ours == "valid") != theirs["valid"]:
                name = explain_verdict(case, ours, theirs)
                classes[name] += 1
                if name is None:
                    unexplained.append(shown)
                continue
            for line, allowed, (word, path) in zip(grants, theirs["allowed"],
                                                   TESTS):
                if ours != "valid" or (line == "valid") == allowed:
                    both["grant", line == "valid"] += ours == "valid"
                    continue
                name = explain_grant(case, line == "valid", path)
                classes[name] += 1
                if name is None:
                    unexplained.append((word, path, line, allowed, *shown))
        print(f"{COUNT} tokens: {dict(both)}; {dict(classes)}")
        self.assertEqual(unexplained, [], f"{len(unexplained)} unexplained")
        # Neither side may be empty, or nothing was compared.
        for what in (True, True), (False, False), ("grant", True), (
                "grant", False):
            self.assertGreater(both[what], COUNT // 20, what)
        # A class that nothing falls into any more is to be taken out.
        self.assertEqual(set(classes) - {"library-crash"},
                         set(VERDICTS) | set(GRANTS))
        self.assertLess(classes["library-crash"], COUNT // 50)


if __name__ == "__main__":
    bed.main(deadline=180)
