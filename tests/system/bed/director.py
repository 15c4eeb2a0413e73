# SPDX-License-Identifier: Apache-2.0
"""A Pelican federation: discovery document and director, in front of the
bed's real caches and origins. Both are one host, as in small federations.

    director = self.bed.director
    director.namespace("/exp", caches=[self.bed.slices], origins=[
        self.bed.nginx])
    ask(director.at("/exp/alice/a.bin"))   # 307, Link: ..., X-Pelican-...

The real ones cannot be had here, so it says, header by header, what they say.
It is a bed.Lying whose honest answers are a director's: lie(), requests(),
mark() and on() are there as well, and "headers" (set, drop), "status", "stall"
and "raw" make it a hostile one.
"""
import urllib.parse

from bed.client import ask
from bed.lying import Lying


def base_of(server):
    """https://HOST:PORT of a server of the bed, or a URL as it is."""
    if isinstance(server, str):
        return server
    parts = urllib.parse.urlsplit(server.url)
    return f"{parts.scheme}://{parts.netloc}"


class Director(Lying):
    name = "director"
    program = "bed.usher"

    @property
    def host(self):
        """For pelican://HOST/path."""
        return f"localhost:{self.port}"

    def at(self, path=""):
        return f"https://{self.host}{path}"

    def ready(self):
        try:
            return ask(self.at("/.well-known/pelican-configuration"),
                       timeout=20).status == 200
        except OSError:
            return False

    def namespace(self, prefix, caches=(), origins=(), collections=True,
                  **more):
        """Have this namespace alone; namespaces() for several.

        @param caches, origins  servers of the bed, or URLs of hosts that may
                                be dead or hostile; best first
        @param collections      True: the first origin; a URL; None: it has
                                no listings
        @param more             as of namespaces()
        """
        self.namespaces([{"prefix": prefix, "caches": caches,
                          "origins": origins, "collections": collections,
                          **more}])

    def namespaces(self, rows):
        """
        @param rows  dicts with prefix, caches, origins, collections (as of
                     namespace()), and: issuers (default: the bed's; []: none
                     is told), require_token (True), base_path (the prefix),
                     scope_depth (3), strategy ("OAuth2"), writable (False)
        """
        made = []
        for row in rows:
            row = dict(row)
            for kind in ("caches", "origins"):
                row[kind] = [base_of(one) for one in row.get(kind, ())]
            if row.get("collections", True) is True:
                row["collections"] = next(iter(row["origins"]), None)
            row.setdefault("issuers", [self.bed.issuer.url])
            made.append(row)
        self.config(namespaces=made)

    def config(self, **settings):
        """
        @param namespaces  as made by namespaces()
        @param starting    True: 429, as for minutes after its start
        @param discovery   members of the document: others, more, or none
                           (None); {"director_endpoint": None} is a
                           federation of one server
        @param headers     of each answer about a path: others, more, several
                           (a list), or none (None)
        """
        super().config(**settings)
