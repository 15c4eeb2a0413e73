# SPDX-License-Identifier: Apache-2.0
"""Apache httpd with mod_dav and mod_oauth2: the one with getetag in its
PROPFIND and with conditional writes. It judges signature, times and
audience, not the scope's path."""
import os
import shutil

from bed.procs import Proc, Server

MODULES = ["mpm_event", "authn_core", "authz_core", "authz_user", "dav",
           "dav_fs", "dav_lock", "dir", "mime", "setenvif", "ssl",
           "socache_shmcb", "oauth2"]
CONFIG = """\
ServerName localhost
ServerRoot {folder}
DefaultRuntimeDir {folder}/run
PidFile {folder}/run/apache.pid
Listen 127.0.0.1:{port}
{modules}
ErrorLog {folder}/run/error.log
LogLevel warn
LogFormat "%{{usec}}t %m %U %>s %B %{{Range}}i" bed
CustomLog {folder}/run/access.log bed
TypesConfig /dev/null
DocumentRoot {data}
DavLockDB {folder}/run/locks
MaxRequestWorkers 75
ThreadsPerChild 75
KeepAliveTimeout 60
SSLEngine on
SSLCertificateFile {cert}
SSLCertificateKeyFile {key}
SSLSessionCache none
OAuth2TokenVerify jwks_uri {issuer}/jwks \
jwks_uri.ssl_verify=false&verify.iat=optional
<Directory />
    Require all denied
</Directory>
<Directory {data}>
    Options None
    AllowOverride None
    DirectoryIndex disabled
    Dav On
    AuthType oauth2
    Require oauth2_claim aud:{audience}
</Directory>
"""


class Apache(Server):
    name = "apache"
    user = "www-data"

    def __init__(self, bed, name=None, data=None):
        super().__init__(bed, name)
        self.data = data or bed.data
        self.cert, self.key = bed.ca.server(self.name, user=self.user)

    @property
    def url(self):
        return f"https://localhost:{self.port}{self.bed.base}"

    def launch(self):
        modules = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
            for name in MODULES)
        with open(self.folder + "/apache.conf", "w") as file:
            file.write(CONFIG.format(
                folder=self.folder, port=self.port, data=self.data,
                cert=self.cert, key=self.key, modules=modules,
                issuer=self.bed.issuer.url, audience=self.bed.audience))
        os.makedirs(self.folder + "/run", exist_ok=True)
        shutil.chown(self.folder + "/run", self.user)
        # -X: one process, which can be paused and leaves no children.
        return Proc(["apache2", "-X", "-f", self.folder + "/apache.conf"],
                    self.log, user=self.user,
                    env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})

    def ready(self):
        return self.serves_token()

    def log_files(self):
        return [self.log, self.folder + "/run/error.log",
                self.folder + "/run/access.log"]
