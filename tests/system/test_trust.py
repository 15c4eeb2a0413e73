#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A mount with a configured issuer: is a token judged by its keys, are these
fetched once and kept, and is no other issuer ever asked for anything?"""
import errno
import json
import os

from cryptography.hazmat.primitives.asymmetric import ec

import bed
from bed import mount
from bed.issuer import AUDIENCE, Issuer

BYTES = 100000


def opened(path):
    """0, or the errno of opening and reading a file once."""
    try:
        with open(path, "rb", buffering=0) as file:
            file.read(1)
        return 0
    except OSError as error:
        return error.errno


class Trust(bed.Case):
    def setUp(self):
        self.bed.put("alice/a.bin", BYTES)
        self.bed.put("bob/b.bin", BYTES)
        self.options = {"issuer": self.bed.issuer.url, "audience": AUDIENCE,
                        "base_path": self.bed.base, "timeout": "5s",
                        "attr_ttl": "1h", "immutable": True}

    def begin(self, token=None, source=None, **more):
        return self.mount(source or self.bed.nginx.url,
                          token or self.bed.token(),
                          **{**self.options, **more})

    def becomes(self, m, name, wanted, seconds=30):
        """A new token is seen within the time that any file is looked at."""
        bed.wait_for(lambda: opened(m.at(name)) == wanted,
                     f"{name} to give {errno.errorcode.get(wanted, 0)}",
                     seconds, every=0.2)

    def asked(self, issuer, what):
        with open(issuer.log) as file:
            return sum(f"GET {what} " in line for line in file)

    def jwks(self):
        path = self.dir + "/jwks"
        with open(path, "w") as file:
            json.dump(self.bed.issuer.jwks(), file)
        return path

    def check_rejections(self, m, name):
        """Each token in turn, over what lies in the cache."""
        good = self.bed.token()
        for token, wanted in (
                (self.bed.token(rogue=True), errno.EKEYREJECTED),
                (good, 0),
                (self.bed.token(aud="https://other.example"),
                 errno.EKEYREJECTED),
                (self.bed.token("read:/bob"), errno.EACCES),
                (self.bed.token(iss="https://other.example"),
                 errno.EKEYREJECTED),
                (self.bed.token(jti=None), errno.EKEYREJECTED),
                (good, 0)):
            m.set_token(token)
            self.becomes(m, name, wanted)

    def test_a_key_file_decides_over_what_is_cached(self):
        m = self.begin(jwks=self.jwks())
        self.assertEqual(opened(m.at("alice/a.bin")), 0)
        self.check_rejections(m, "alice/a.bin")
        self.assertEqual(opened(m.at("alice/a.bin")), 0)

    def test_a_stranger_is_never_asked(self):
        stranger = self.bed.add(Issuer(self.bed, "stranger"))
        m = self.begin(jwks=self.jwks())
        self.assertEqual(opened(m.at("alice/a.bin")), 0)
        before = self.asked(stranger, "/jwks")
        m.set_token(stranger.token())
        self.becomes(m, "alice/a.bin", errno.EKEYREJECTED)
        self.assertEqual(self.asked(stranger, "/jwks"), before)
        self.assertEqual(
            self.asked(stranger, "/.well-known/openid-configuration"), 0)

    def test_keys_are_fetched_once_and_kept(self):
        issuer = self.bed.add(Issuer(self.bed, "keeper"))
        m = self.begin(issuer=issuer.url)
        bed.wait_for(lambda: self.kept(m), "keys to be kept", 30)
        self.assertEqual(os.stat(m.options["cache_dir"] + "/keys").st_mode
                         & 0o7777, 0o700)
        self.assertEqual(os.stat(self.kept(m)).st_mode & 0o7777, 0o600)
        # Not of the issuer that the server trusts: it judges by itself.
        m.set_token(issuer.token(rogue=True))
        self.becomes(m, "alice/a.bin", errno.EKEYREJECTED)
        self.assertEqual(self.asked(issuer, "/jwks"), 1)
        m.stop()
        again = self.mount(self.bed.nginx.url, issuer.token(rogue=True),
                           **{**self.options, "issuer": issuer.url,
                              "cache_dir": m.options["cache_dir"]})
        self.assertEqual(opened(again.at("alice/a.bin")), errno.EKEYREJECTED)
        self.assertEqual(self.asked(issuer, "/jwks"), 1)

    def test_a_rotated_key_is_taken_up(self):
        """Old and new tokens, by keys that a mount before has kept, and by
        those that the issuer has now."""
        issuer = self.bed.add(Issuer(self.bed, "rotating"))
        old = issuer.token()
        first = self.begin(old, source=self.bed.lying.url, issuer=issuer.url)
        bed.wait_for(lambda: self.kept(first), "keys to be kept", 30)
        first.stop()
        issuer.keys = {
            "next": (ec.generate_private_key(ec.SECP256R1()), "ES256")}
        issuer.publish()
        m = self.begin(old, source=self.bed.lying.url, issuer=issuer.url,
                       cache_dir=first.options["cache_dir"])
        self.assertEqual(opened(m.at("alice/a.bin")), 0)
        self.assertEqual(self.asked(issuer, "/jwks"), 1)
        # A key that is not known has the issuer asked at once.
        m.set_token(issuer.token("read:/alice", kid="next"))
        self.becomes(m, "bob/b.bin", errno.EACCES)
        m.wait_log("issuer has other keys")
        self.assertEqual(opened(m.at("alice/a.bin")), 0)
        m.set_token(issuer.token(kid="next", rogue=True))
        self.becomes(m, "alice/a.bin", errno.EKEYREJECTED)
        self.assertEqual(self.asked(issuer, "/jwks"), 2)
        # The old key is not there any more; until the issuer has been asked
        # again, a minute later, the server decides.
        m.set_token(old)
        self.becomes(m, "alice/a.bin", 0)
        if os.environ.get("BED_LONG"):
            self.becomes(m, "alice/a.bin", errno.EKEYREJECTED, 90)
            self.assertEqual(self.asked(issuer, "/jwks"), 3)

    def kept(self, m):
        """The one file of keys, None when there is none."""
        folder = m.options["cache_dir"] + "/keys"
        names = os.listdir(folder) if os.path.isdir(folder) else []
        names = [name for name in names if name.endswith(".keys")]
        self.assertLess(len(names), 2)
        return os.path.join(folder, names[0]) if names else None

    def test_an_issuer_that_is_down_stops_nobody(self):
        m = self.begin(issuer="https://localhost:1")
        self.assertEqual(opened(m.at("alice/a.bin")), errno.EKEYREJECTED)
        m.wait_log("issuer keys not fetched")
        m.set_token(self.bed.token(iss="https://localhost:1"))
        # It cannot be verified, and the server does not take it.
        self.becomes(m, "alice/a.bin", errno.EKEYREJECTED)

    def test_bad_options_stop_the_start(self):
        for option, value, says in (
                ("issuer", "http://i.example", "issuer"),
                ("audience", "ANY", "audience"),
                ("jwks", self.dir + "/none", "jwks")):
            m = self.make_mount(self.bed.nginx.url, self.bed.token(),
                                **{**self.options, option: value})
            done = mount.run(m.argv, check=False, env=m.env)
            self.assertEqual(done.returncode, 1)
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    bed.main(deadline=300)
