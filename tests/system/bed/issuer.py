# SPDX-License-Identifier: Apache-2.0
"""A token issuer: discovery document and keys over HTTPS, tokens at will.

The documents are static files, served by a process of their own (so that a
test that hangs in the kernel cannot stop it). Tokens are made here, with any
claims, good or bad.
"""
import base64
import json
import os
import time
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bed.procs import Server, python

AUDIENCE = "https://bed.test/data"


class Issuer(Server):
    name = "issuer"

    def __init__(self, bed, name=None):
        super().__init__(bed, name)
        self.cert, self.key = bed.ca.server(self.name)
        self.web = os.path.join(self.folder, "web")
        os.makedirs(os.path.join(self.web, ".well-known"))
        self.keys = {
            "es": (ec.generate_private_key(ec.SECP256R1()), "ES256"),
            "rs": (rsa.generate_private_key(65537, 2048), "RS256"),
        }
        # Signs like ours and is in no list of keys.
        self.rogue = ec.generate_private_key(ec.SECP256R1())

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def launch(self):
        self.publish()
        return python("bed.statics", [self.web, str(self.port), self.cert,
                                      self.key], self.log)

    def publish(self):
        """Write the documents: https://HOST/.well-known/..., /jwks."""
        config = {"issuer": self.url, "jwks_uri": self.url + "/jwks",
                  "token_endpoint": self.url + "/token"}
        path = os.path.join(self.web, ".well-known/openid-configuration")
        for path, content in ((path, config),
                              (os.path.join(self.web, "jwks"), self.jwks())):
            with open(path, "w") as file:
                json.dump(content, file)

    def jwks(self):
        keys = []
        for kid, (key, alg) in self.keys.items():
            numbers = key.public_key().public_numbers()
            if alg == "ES256":
                own = {"kty": "EC", "crv": "P-256", "x": b64(numbers.x, 32),
                       "y": b64(numbers.y, 32)}
            else:
                own = {"kty": "RSA", "n": b64(numbers.n, 256),
                       "e": b64(numbers.e, 3)}
            keys.append({"kid": kid, "alg": alg, "use": "sig", **own})
        return {"keys": keys}

    def token(self, scope="read:/", lifetime=3600, kid="es", rogue=False,
              headers=None, **claims):
        """A compact JWT.

        @param scope     as in the claim; None leaves it out
        @param lifetime  seconds until `exp`; negative: it ended already
        @param kid       "es" (ES256) or "rs" (RS256)
        @param rogue     signed by a key that the issuer does not know
        @param claims    more claims, or others; None takes one away
        """
        now = int(time.time())
        body = {"iss": self.url, "sub": "ada", "aud": AUDIENCE,
                "iat": now - 5, "nbf": now - 5, "exp": now + int(lifetime),
                "jti": str(uuid.uuid4()), "ver": "scitoken:2.0",
                "scope": scope}
        if lifetime < 0:
            body["nbf"] = body["iat"] = body["exp"] - 3600
        body.update(claims)
        body = {k: v for k, v in body.items() if v is not None}
        key, alg = self.keys[kid]
        text = jwt.encode(body, self.rogue if rogue else key, algorithm=alg,
                          headers={"kid": kid, **(headers or {})})
        text = text if isinstance(text, str) else text.decode()
        self.bed.given.append(text)
        return text


def b64(number, size):
    return base64.urlsafe_b64encode(
        number.to_bytes(size, "big")).rstrip(b"=").decode()
