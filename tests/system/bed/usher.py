# SPDX-License-Identifier: Apache-2.0
"""The process behind bed/director.py: what a Pelican director answers."""
import base64
import json
import posixpath
import re
import sys
import time
import urllib.parse
import uuid

from bed import stand
from bed.honest import Plan
from bed.liar import Handler

WELL_KNOWN = "/.well-known/pelican-configuration"
QUERY = re.compile(r"/api/v1\.0/director/(object|origin)(/.*)")
LINKS_MAX = 6
# A token that ends sooner than this many seconds is refused.
TOO_SHORT = 10
WRITES = ("PUT", "DELETE", "MKCOL", "MOVE")


def ends_in(token):
    """Seconds until a JWT's `exp`; None for what is no JWT."""
    try:
        text = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(
            text + "=" * (-len(text) % 4)))
        return claims["exp"] - time.time()
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def problem(status, text, headers=None):
    body = json.dumps({"status": "error", "msg": text}).encode()
    return Plan(status, {"Content-Type": "application/json; charset=utf-8",
                         **(headers or {})}, body)


class Usher(Handler):
    """@var config  what Director.config() has set"""
    server_version = "pelican/7.14.0"
    config = {"namespaces": [], "starting": False, "discovery": {},
              "headers": {}}

    def version_string(self):
        return self.server_version

    def plan(self, whole=False):
        path, _, query = self.path.partition("?")
        if path == WELL_KNOWN:
            return self.discovery()
        if path.startswith("/.well-known/"):
            return self.document({"keys": []})
        if self.config["starting"]:
            return problem(429, "the director has just started and does not "
                           "know all servers yet")
        asked = QUERY.fullmatch(path)
        at_origin = bool(asked) and asked[1] == "origin"
        path = asked[2] if asked else path
        return self.lead(urllib.parse.unquote(path), path, query, at_origin)

    def document(self, value):
        return Plan(200, {"Content-Type": "application/json"},
                    json.dumps(value).encode())

    def discovery(self):
        own = "https://" + self.headers["Host"]
        value = {"director_endpoint": own,
                 "namespace_registration_endpoint": own,
                 "jwks_uri": own + "/.well-known/issuer.jwks",
                 "broker_endpoint": own, "discovery_endpoint": own,
                 "director_advertise_endpoints": [own]}
        value.update(self.config["discovery"])
        return self.document({name: one for name, one in value.items()
                              if one is not None})

    def namespace(self, path):
        """The one with the longest prefix, by whole components."""
        found = [one for one in self.config["namespaces"]
                 if (path + "/").startswith(one["prefix"].rstrip("/") + "/")]
        return max(found, key=lambda one: len(one["prefix"]), default=None)

    def lead(self, path, sent, query, at_origin):
        if posixpath.normpath(path) != path.rstrip("/"):
            return problem(400, "a path that is not clean")
        left = ends_in(self.token) if self.token else None
        if left is not None and left < TOO_SHORT:
            return problem(401, "the token has ended or is about to", {
                "WWW-Authenticate": 'Bearer error="invalid_token", '
                'error_description="token is expired"'})
        space = self.namespace(path)
        if space is None:
            return problem(404, "no namespace found for path. Either it "
                           "doesn't exist, or the Director is experiencing "
                           "problems")
        if self.command in WRITES and not space.get("writable"):
            return problem(405, f"no origin can do {self.command} here")
        words = urllib.parse.parse_qs(query, keep_blank_values=True)
        at_origin = at_origin or "directread" in words or \
            self.command in ("PROPFIND", *WRITES)
        servers = space["origins"] if at_origin else \
            space["caches"] or space["origins"]
        if not servers:
            return problem(404, "no " + ("origin" if at_origin else "cache") +
                           f" found for {path}")
        return self.answer(space, path, sent, query, servers)

    def answer(self, space, path, sent, query, servers):
        depth = len([one for one in
                     path[len(space["prefix"].rstrip("/")):].split("/")
                     if one])
        links = [f'<{server}{sent}>; rel="duplicate"; pri={rank}; '
                 f'depth={depth}'
                 for rank, server in enumerate(servers[:LINKS_MAX], 1)]
        words = [word for word in query.split("&")
                 if word and word != "redirect=false"]
        if self.token:
            # Raw, as directors do: whoever follows has it in a log.
            words.append("authz=" + self.token)
        to = servers[0] + sent + ("?" + "&".join(words) if words else "")
        headers = {"Link": ", ".join(links), **self.facts(space)}
        if "redirect=false" in query.split("&"):
            status = 200
        else:
            status, headers["Location"] = 307, to
        headers.update(self.config["headers"])
        return Plan(status, headers)

    def facts(self, space):
        """The X-Pelican- headers."""
        name = [f"namespace={space['prefix']}", "require-token=" +
                ("true" if space.get("require_token", True) else "false")]
        if space.get("collections"):
            name.append(f"collections-url={space['collections']}")
        headers = {
            "X-Pelican-Namespace": ", ".join(name),
            "X-Pelican-JobId": self.headers.get("X-Pelican-JobId") or
            str(uuid.uuid4()),
        }
        issuers = space.get("issuers") or []
        if issuers:
            headers["X-Pelican-Authorization"] = [
                "issuer=" + one for one in issuers]
            headers["X-Pelican-Token-Generation"] = ", ".join([
                f"issuer={issuers[0]}",
                f"max-scope-depth={space.get('scope_depth', 3)}",
                f"strategy={space.get('strategy', 'OAuth2')}",
                f"base-path={space.get('base_path', space['prefix'])}"])
        return headers


if __name__ == "__main__":
    stand.main(Usher, *sys.argv[1:])
