# SPDX-License-Identifier: Apache-2.0
"""A real token issuer, oidc-provider of npm: refresh tokens that rotate, JWT
access tokens (ES256) of a chosen life.

It takes the issuer's place in a bed: add it before the first server, and all
servers trust it; `bed.token()` signs with the same keys.

    provider = self.bed.add(Provider(self.bed, lifetime=20))

`./bootstrap` installs oidc-provider into build/provider; the server itself
is provider/server.js beside this file.
"""
import base64
import json
import os
import shutil

from cryptography.hazmat.primitives.asymmetric import ec

from bed.client import ask
from bed.issuer import Issuer, b64
from bed.procs import Failed, Proc, tail

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
MODULES = os.environ.get("BED_PROVIDER") or ROOT + "/build/provider"
CLIENT = "agent"
SECRET = "of-the-test-bed"
SCOPE = "read:/ write:/ storage.read:/ storage.create:/ storage.modify:/"


class Provider(Issuer):
    def __init__(self, bed, lifetime=3600, scope=SCOPE):
        super().__init__(bed, "issuer")
        self.lifetime = lifetime
        self.scope = scope
        self.answers_file = os.path.join(self.folder, "answers.log")
        if not os.path.isdir(MODULES + "/node_modules/oidc-provider"):
            raise Failed(f"{MODULES}/node_modules has no oidc-provider; "
                         "run: ./bootstrap packages")

    def private_keys(self):
        """The bed's keys as oidc-provider wants them. RSA stays ours: access
        tokens are ES256."""
        keys = []
        for key in self.jwks()["keys"]:
            private = self.keys[key["kid"]][0]
            if isinstance(private, ec.EllipticCurvePrivateKey):
                number = private.private_numbers().private_value
                keys.append({**key, "d": b64(number, 32)})
            else:
                n = private.private_numbers()
                keys.append({**key, **{
                    name: b64(value, (value.bit_length() + 7) // 8)
                    for name, value in (
                        ("d", n.d), ("p", n.p), ("q", n.q),
                        ("dp", n.dmp1), ("dq", n.dmq1), ("qi", n.iqmp))}})
        return keys

    def launch(self):
        config = {
            "issuer": self.url, "port": self.port, "cert": self.cert,
            "key": self.key, "keys": self.private_keys(),
            "client_id": CLIENT, "client_secret": SECRET,
            "audience": self.bed.audience, "scope": self.scope,
            "lifetime_s": self.lifetime, "log": self.answers_file}
        path = os.path.join(self.folder, "provider.json")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                          0o600), "w") as file:
            json.dump(config, file)
        # Modules are looked for beside the script.
        shutil.copyfile(HERE + "/provider/server.js",
                        self.folder + "/server.js")
        shutil.copyfile(HERE + "/provider/package.json",
                        self.folder + "/package.json")
        link = self.folder + "/node_modules"
        if not os.path.islink(link):
            os.symlink(MODULES + "/node_modules", link)
        return Proc(["node", self.folder + "/server.js", path], self.log,
                    cwd=self.folder,
                    env={"PATH": os.environ["PATH"], "HOME": self.folder,
                         "NODE_ENV": "production"})

    def post(self, path, value=None):
        answer = ask(f"https://127.0.0.1:{self.port}{path}", method="POST",
                     body=json.dumps(value or {}))
        if answer.status != 200:
            raise Failed(f"{path}: {answer.status} {answer.body!r}\n"
                         f"{tail(self.log)}")
        return json.loads(answer.body)

    def grant(self):
        """A first refresh token, as a login would end in."""
        return self.post("/bed/grant")["refresh_token"]

    def settings(self, **values):
        """lifetime_s of access tokens from now on; delay_ms before each
        answer; fail: this error instead."""
        return self.post("/bed/settings", values)

    def answers(self, since=0):
        """Of the token endpoint: dicts with time, status, error, scope,
        expires_in. Each is a refresh somebody asked for."""
        try:
            with open(self.answers_file) as file:
                return [json.loads(line) for line in file][since:]
        except FileNotFoundError:
            return []


def claims(token):
    text = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
