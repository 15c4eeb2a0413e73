# SPDX-License-Identifier: Apache-2.0
"""XCache: an xrootd that keeps on disk what it fetched from an origin.

It checks every token itself, for what it has already too, and hands it on to
the origin for what it has not. How XCache 5.5.3 misbehaves, beside what
xrootd.py says: no validators, and what it has once it never compares again;
its modification times are its own; PUT is 500; while its origin is down it
serves what it has and leaves who asks for something else waiting (over https:
only while the origin is silent; where nobody listens it says 405).

Two ways lead to its origin:
- "roots": XRootD's own protocol over TLS. The user's token goes along, but
  for its login the cache needs one of its own.
- "https": through davix. The token goes along in the query (authz=), which an
  nginx behind it must look at (Nginx(query_token=True)). No listings at all.
"""
import os
import shutil

from bed.client import ask
from bed.xrootd import XRootD

CACHE = """\
ofs.osslib libXrdPss.so
pss.cachelib libXrdPfc.so
pss.origin {origin}
pfc.ram 1g
pfc.blocksize 64k
pfc.prefetch 0
"""


class XCache(XRootD):
    def __init__(self, bed, name, origin, leg="roots"):
        """
        @param origin  a server of the bed, started; with the leg "roots" an
                       XRootD with more=ROOTS
        """
        super().__init__(bed, name)
        self.origin = origin
        self.leg = leg
        self.data = os.path.join(self.folder, "kept")
        self.login = os.path.join(self.folder, "login.token")
        self.trusted = os.path.join(self.folder, "trusted")

    def settings(self):
        origin = f"{self.leg}://localhost:{self.origin.port}"
        return dict(super().settings(), more=CACHE.format(origin=origin))

    def environment(self):
        env = dict(super().environment(), X509_CERT_DIR=self.trusted)
        if self.leg == "roots":
            env["BEARER_TOKEN_FILE"] = self.login
        return env

    def prepare(self):
        super().prepare()
        os.makedirs(self.data, exist_ok=True)
        shutil.chown(self.data, self.user, self.user)
        self.trust()
        if os.path.exists(self.login):
            os.unlink(self.login)
        with open(os.open(self.login, os.O_WRONLY | os.O_CREAT, 0o400),
                  "w") as file:
            file.write(self.bed.token("read:/", lifetime=86400))
        shutil.chown(self.login, self.user, self.user)

    def ready(self):
        """It refuses a token that is good and opens nothing, for which it
        has fetched the issuer's keys. What it opens would go to the origin,
        which may not like it."""
        try:
            return ask(f"https://127.0.0.1:{self.port}{self.bed.base}/",
                       self.bed.token("read:/nowhere"),
                       timeout=20).status == 403
        except OSError:
            return False

    def trust(self):
        """Our authority under the name by which OpenSSL looks for it."""
        os.makedirs(self.trusted, exist_ok=True)
        link = os.path.join(self.trusted, self.bed.ca.subject_hash() + ".0")
        if not os.path.lexists(link):
            os.symlink(self.bed.ca.cert, link)
