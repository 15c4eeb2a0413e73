# SPDX-License-Identifier: Apache-2.0
"""All of it together: one folder, one authority, one issuer, the servers."""
import os

from bed import content
from bed.apache import Apache
from bed.between import Between
from bed.ca import CA
from bed.cluster import Cluster
from bed.director import Director
from bed.issuer import AUDIENCE, Issuer
from bed.lying import Lying
from bed.nginx import Nginx
from bed.slices import Slices
from bed.xcache import XCache
from bed.xrootd import ROOTS, XRootD

BASE = "/exp"


class Bed:
    """Servers start when first asked for and are shared by the test file.

    @var data  what all servers show: data/exp is the issuer's base path, so
               scope `read:/alice` opens data/exp/alice
    """
    audience = AUDIENCE
    base = BASE

    def __init__(self, folder):
        self.root = folder
        self.servers = {}
        self.given = []  # all tokens, for leaks.py
        self.data = os.path.join(folder, "data")
        os.makedirs(self.data + BASE)
        self.ca = CA(self.folder("ca"))

    def folder(self, name):
        path = os.path.join(self.root, name)
        os.makedirs(path, mode=0o755, exist_ok=True)
        return path

    def add(self, server):
        self.servers[server.name] = server
        return server.start()

    def get(self, kind):
        return self.servers.get(kind.name) or self.add(kind(self))

    @property
    def issuer(self):
        return self.get(Issuer)

    @property
    def xrootd(self):
        return self.get(XRootD)

    @property
    def nginx(self):
        return self.get(Nginx)

    @property
    def apache(self):
        return self.get(Apache)

    @property
    def lying(self):
        return self.get(Lying)

    @property
    def roots(self):
        """An XRootD with roots:// beside HTTPS, on the same files."""
        return self.servers.get("roots") or \
            self.add(XRootD(self, "roots", more=ROOTS))

    @property
    def cluster(self):
        return self.get(Cluster)

    @property
    def xcache_roots(self):
        return self.servers.get("xcache-roots") or \
            self.add(XCache(self, "xcache-roots", self.roots, "roots"))

    @property
    def xcache_https(self):
        return self.servers.get("xcache-https") or \
            self.add(XCache(self, "xcache-https", self.xrootd, "https"))

    @property
    def slices(self):
        return self.get(Slices)

    @property
    def director(self):
        return self.get(Director)

    def between(self, name, server):
        """What is between a client and `server` and can break."""
        return self.servers.get(name) or \
            self.add(Between(self, name, server))

    def another_lying(self, name):
        """One more lying server, say as the target of a redirect."""
        return self.servers.get(name) or self.add(Lying(self, name))

    def put(self, name, size=None, seed=None, data=None, age=86400):
        """Make a file under data/exp.

        @param size, seed  content.stream(seed); the seed is by default the
                           name
        @param data        its bytes, instead
        @param age         seconds since its last change
        @return            its path on disk
        """
        path = os.path.join(self.data + BASE, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # A new file under the name, as on servers that replace by rename.
        fresh = os.path.join(self.root, "new-file")
        if data is not None:
            with open(fresh, "wb") as file:
                file.write(data)
        else:
            content.write(fresh, name if seed is None else seed, size or 0)
        content.touch(fresh, age)
        content.keep_sum(fresh)
        os.rename(fresh, path)
        return path

    def token(self, scope="read:/", **more):
        return self.issuer.token(scope, **more)

    def logs(self):
        return "".join(server.logs() for server in self.servers.values())

    def stop(self):
        for server in self.servers.values():
            server.stop()
