# SPDX-License-Identifier: Apache-2.0
"""XRootD over HTTPS with SciTokens authorization, as Debian ships it.

libscitokens trusts only the machine's CA bundle and has no option for
another, so the process sees a bundle with our authority in a mount table of
its own. It refuses to run as root. It listens on all addresses of its
(normally private) network. How it misbehaves: it answers 403 to everything
that a token does not allow, has no ETag, breaks open-ended ranges, and
refuses to stat what lies above a token's scope.

cluster.py and xcache.py are made of it.
"""
import os
import shutil

from bed.procs import Proc, Server

CONFIG = """\
all.export {base}
oss.localroot {data}
all.adminpath {folder}/admin
all.pidpath {folder}/admin
xrd.port {port}
if exec xrootd
xrd.protocol http:{port} libXrdHttp.so
fi
xrd.tls {cert} {key}
xrd.tlsca certfile {ca}
http.header2cgi Authorization authz
http.listingdeny {deny}
ofs.authorize 1
ofs.authlib libXrdAccSciTokens.so config={folder}/scitokens.cfg
xrootd.chksum max 2 adler32 crc32c md5
{more}
"""
# The protocol of its own clients beside HTTP, on the same port: roots://, with
# a token for the login already.
ROOTS = """\
xrootd.seclib libXrdSec.so
sec.protocol ztn
xrootd.tls capable all
"""
SCITOKENS = """\
[Global]
audience = {audience}

[Issuer bed]
issuer = {issuer}
base_path = {base}
"""


class XRootD(Server):
    name = "xrootd"
    user = "xrootd"

    def __init__(self, bed, name=None, data=None, listing=True, more=""):
        """
        @param listing  whether GET of a directory gives an HTML page
        @param more     lines of its configuration: ROOTS
        """
        super().__init__(bed, name)
        self.data = data or bed.data
        self.listing = listing
        self.more = more
        self.cert, self.key = bed.ca.server(self.name, user=self.user)

    @property
    def url(self):
        return f"https://localhost:{self.port}{self.bed.base}"

    def settings(self):
        """What stands in the braces of the configuration."""
        return {"base": self.bed.base, "data": self.data,
                "folder": self.folder, "port": self.port,
                "cert": self.cert, "key": self.key,
                "ca": self.bed.ca.cert, "audience": self.bed.audience,
                "issuer": self.bed.issuer.url,
                "deny": "no" if self.listing else "yes",
                "more": self.more}

    def environment(self):
        return {"PATH": "/usr/bin:/bin", "HOME": self.folder + "/cache",
                "XDG_CACHE_HOME": self.folder + "/cache",
                "LANG": "C.UTF-8"}

    def prepare(self):
        """Configuration, and folders that it may write to."""
        values = self.settings()
        for name, text in (("xrootd.cfg", CONFIG),
                           ("scitokens.cfg", SCITOKENS)):
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(text.format(**values))
        for name in ("admin", "cache"):
            path = os.path.join(self.folder, name)
            os.makedirs(path, exist_ok=True)
            shutil.chown(path, self.user, self.user)

    def spawn(self, program, log):
        return Proc([program, "-c", self.folder + "/xrootd.cfg",
                     "-n", "bed"], log, user=self.user,
                    env=self.environment(), cwd=self.folder + "/admin",
                    bundle=self.bed.ca.bundle)

    def launch(self):
        self.prepare()
        return self.spawn("xrootd", self.log)

    def ready(self):
        return self.serves_token()
