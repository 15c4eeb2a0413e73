#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does `bearerfs token verify` say of tokens what it promises: exit status,
one line, claims as JSON, many at once, any payload of a signed text?"""
import base64
import json
import os

import bed
from bed import mount
from bed.issuer import AUDIENCE

LINE = "bearerfs: "


class Verifying(bed.Case):
    def setUp(self):
        self.issuer = self.bed.issuer
        self.keys = os.path.join(self.dir, "jwks")
        with open(self.keys, "w") as file:
            json.dump(self.issuer.jwks(), file)

    def run_it(self, text, *words, raw=False):
        return mount.run([mount.binary(), "token", "verify", *words], check=False,
                         stdin=text, text=not raw)

    def verify(self, text, *words):
        return self.run_it(text, "--jwks", self.keys, *words)

    def good(self, text, *words):
        done = self.verify(text, *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def bad(self, text, *words, says=""):
        """Refused with one line that tells nothing of the token."""
        done = self.verify(text, *words)
        self.assertEqual(done.returncode, 1, done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith(LINE))
        self.assertIn(says, lines[0])
        for part in text.strip().split("."):
            if len(part) > 20:
                self.assertNotIn(part, done.stderr + done.stdout)
        return done.stdout

    def test_good_tokens_are_good(self):
        for kid in "es", "rs":
            for more in ((), ("--issuer", self.issuer.url),
                         ("--audience", AUDIENCE),
                         ("--issuer", self.issuer.url, "--audience", AUDIENCE,
                          "--scope", "read:/exp/a")):
                text = self.issuer.token("read:/", kid=kid)
                self.assertEqual(self.good(text, *more), "")
                self.assertEqual(self.good(f"\n{text} \n", *more), "")

    def test_bad_tokens_are_bad(self):
        text = self.issuer.token()
        self.bad(self.issuer.token(rogue=True), says="forged")
        self.bad(self.issuer.token(lifetime=-5), says="ended at")
        self.bad(text, "--issuer", "https://other.example", says="issuer")
        self.bad(text, "--audience", "https://other.example",
                 says="audience")
        self.bad(text, "--scope", "write:/exp", says="scope")
        self.bad(self.issuer.token("read:/john"), "--scope",
                 "read:/johnathan", says="scope")
        self.bad(self.issuer.token(jti=None), says="jti")
        self.bad(text[:-2])
        self.bad(text + "A")
        head, body, tail = text.split(".")
        other = self.issuer.token("write:/").split(".")
        self.bad(f"{head}.{other[1]}.{tail}", says="forged")
        none = base64.urlsafe_b64encode(b'{"alg":"none"} ').decode()
        self.bad(f"{none}.{body}.", says="'none'")
        for text in "", "\n", "opaque", ".", "..", "a.b.c", "x" * 70000, \
                "x" * 3000000, "two words", "\x00", "{", '{"a":1}':
            self.bad(text)

    def test_json_has_the_claims_of_what_is_good(self):
        text = self.issuer.token("read:/a", extra={"a": [1, "b"]})
        found = json.loads(self.good(text, "--json"))
        self.assertEqual(set(found), {"valid", "errno", "problem", "profile",
                                      "claims"})
        self.assertIs(found["valid"], True)
        self.assertEqual(found["profile"], "SciTokens 2.0")
        body = text.split(".")[1]
        self.assertEqual(found["claims"], json.loads(
            base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
        found = json.loads(self.bad(self.issuer.token(rogue=True), "--json"))
        self.assertIs(found["valid"], False)
        self.assertEqual(found["errno"], "EKEYREJECTED")
        self.assertIsNone(found["claims"])

    def test_many_are_answered_line_by_line(self):
        texts = [self.issuer.token(rogue=number % 3 == 1,
                                   lifetime=-9 if number % 3 == 2 else 900)
                 for number in range(300)]
        done = self.verify("\n".join([*texts, "", "x" * 100000, "last"]),
                           "--batch")
        self.assertEqual(done.returncode, 1)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 303)
        for number, line in enumerate(lines[:300]):
            self.assertTrue(line.startswith(
                ("valid", "invalid EKEYREJECTED ", "invalid EKEYEXPIRED ")
                [number % 3]), line)
        for line, errno in zip(lines[300:], ("EINVAL", "EMSGSIZE", "EAGAIN")):
            self.assertTrue(line.startswith(f"invalid {errno} "), line)
        self.assertEqual(self.good("\n".join(texts[::3]) + "\n", "--batch"),
                         "valid\n" * 100)
        for line in self.good(texts[0], "--batch", "--json").splitlines():
            self.assertIs(json.loads(line)["valid"], True)

    def test_any_signed_payload_comes_out_as_it_is(self):
        import jwt
        key, _ = self.issuer.keys["rs"]
        for payload in b"", b"text\r\n", bytes(range(256)) * 40, b"{":
            text = jwt.api_jws.PyJWS().encode(payload, key, "RS256",
                                              {"kid": "rs"})
            text = text if isinstance(text, bytes) else text.encode()
            words = ("--jwks", self.keys, "--signature-only")
            done = self.run_it(text, *words, raw=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (0, payload, b""))
            done = self.run_it(text[:-8] + b"AAAAAAAA", *words, raw=True)
            self.assertEqual((done.returncode, done.stdout), (1, b""))

    def test_keys_come_from_the_issuer(self):
        roots = ("-o", "ca_file=" + self.bed.ca.cert)
        issuer = ("--issuer", self.issuer.url)
        done = self.run_it(self.issuer.token(), *issuer, *roots)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.run_it(self.issuer.token(rogue=True), *issuer, *roots)
        self.assertEqual(done.returncode, 1)
        self.assertIn("forged", done.stderr)
        # One that names another issuer is refused whoever that is.
        done = self.run_it(self.issuer.token(iss="https://localhost:1"),
                           *issuer, *roots)
        self.assertEqual(done.returncode, 1)
        # An issuer whose certificate nobody trusts, and one that is down.
        for words, url in ((("-o", "ca_dir=" + self.dir), self.issuer.url),
                           (roots, "https://localhost:1")):
            done = self.run_it(self.issuer.token(iss=url), "--issuer", url,
                               *words)
            self.assertEqual(done.returncode, 1)
            self.assertIn("openid-configuration", done.stderr)

    def test_mistakes_are_usage(self):
        for words in ((), ("--jwks",), ("--jwks", self.keys, "token"),
                      ("--jwks", self.keys, "--unknown"),
                      ("--jwks", self.keys, "--scope", "read"),
                      ("--jwks", self.keys, "--audience", "ANY"),
                      ("--issuer", "http://i.example"),
                      ("--jwks", self.dir + "/none"),
                      ("--jwks", self.keys, "--batch", "--signature-only")):
            done = self.run_it("", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertEqual(done.stdout, "")
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


if __name__ == "__main__":
    bed.main(deadline=300)
