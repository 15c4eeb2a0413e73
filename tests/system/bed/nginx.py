# SPDX-License-Identifier: Apache-2.0
"""nginx with a bearer check in front of DAV and of index pages.

    /exp/...   DAV: PROPFIND (without getetag), PUT, MOVE, ...
    /html/...  the same files with index pages in HTML, no PROPFIND
    /json/...  the same with index pages in JSON

It serves HTTP/2 and 1.1, ETag on GET, If-Match, 401 with WWW-Authenticate
and 403 as RFC 6750 wants them. Its log counts requests.
"""
import json
import os
import shutil
import uuid

from cryptography.hazmat.primitives import serialization

from bed.client import ask
from bed.procs import Proc, Server, wait_for

CONFIG = """\
daemon off;
{processes}
pid {folder}/run/nginx.pid;
error_log {folder}/run/error.log warn;
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
events {{ worker_connections 2048; }}
http {{
    log_format bed escape=json '{{"time":$msec,"method":"$request_method",'
        '"uri":"$request_uri","status":$status,"bytes":$body_bytes_sent,'
        '"range":"$http_range","depth":"$http_depth",'
        '"if_match":"$http_if_match","connection":$connection,'
        '"protocol":"$server_protocol","scope":"$bed_scope"}}';
    access_log {folder}/run/access.log bed;
    client_body_temp_path {folder}/run/body;
    proxy_temp_path {folder}/run/proxy;
    fastcgi_temp_path {folder}/run/fastcgi;
    uwsgi_temp_path {folder}/run/uwsgi;
    scgi_temp_path {folder}/run/scgi;
    client_max_body_size 0;
    sendfile on;
    default_type application/octet-stream;
    lua_package_path "{folder}/?.lua;;";
    init_by_lua_block {{ require("bearer").load("{folder}/bearer.json") }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        server_name localhost;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        set $bed_base {base};
        set $bed_scope "";
        set $bed_skew {skew};
        set $bed_query {query};
        access_by_lua_block {{ require("bearer").check() }}
        header_filter_by_lua_block {{ require("bearer").date() }}
        location {base} {{
            root {data};
            dav_methods PUT DELETE MKCOL COPY MOVE;
            dav_ext_methods PROPFIND OPTIONS;
            create_full_put_path on;
            {extra}
        }}
        location /html/ {{
            set $bed_base /html;
            alias {data}{base}/;
            autoindex on;
            {extra}
        }}
        location /json/ {{
            set $bed_base /json;
            alias {data}{base}/;
            autoindex on;
            autoindex_format json;
            {extra}
        }}
    }}
}}
"""


SETTLED = b"/settled-"


class Nginx(Server):
    name = "nginx"
    user = "www-data"
    config = CONFIG

    def __init__(self, bed, name=None, data=None, extra="", workers=0,
                 skew=0, query_token=False):
        """
        @param extra    lines for every location, such as "limit_rate 1m;"
        @param skew     seconds that its clock is ahead of ours
        @param query_token  take ?authz=Bearer%20... too, as XCache sends it
        @param workers  0: one process that serves (can be paused);
                        more: a master and workers, as in production
        """
        super().__init__(bed, name)
        self.data = data or bed.data
        self.extra = extra
        self.workers = workers
        self.skew = skew
        self.query_token = query_token
        self.cert, self.key = bed.ca.server(self.name, user=self.user)

    @property
    def url(self):
        return f"https://localhost:{self.port}{self.bed.base}"

    @property
    def html_url(self):
        return f"https://localhost:{self.port}/html"

    @property
    def json_url(self):
        return f"https://localhost:{self.port}/json"

    def settings(self):
        """What stands in the braces of the configuration."""
        processes = f"worker_processes {self.workers};" if self.workers \
            else "master_process off;"
        return {"folder": self.folder, "port": self.port, "data": self.data,
                "cert": self.cert, "key": self.key, "base": self.bed.base,
                "extra": self.extra, "processes": processes,
                "skew": self.skew, "query": int(self.query_token)}

    def launch(self):
        here = os.path.dirname(os.path.abspath(__file__))
        shutil.copyfile(here + "/bearer.lua", self.folder + "/bearer.lua")
        keys = {}
        for kid, (key, alg) in self.bed.issuer.keys.items():
            keys[kid] = {"alg": alg, "pem": key.public_key().public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo).decode()}
        with open(self.folder + "/bearer.json", "w") as file:
            json.dump({"issuer": self.bed.issuer.url, "keys": keys,
                       "audience": self.bed.audience}, file)
        with open(self.folder + "/nginx.conf", "w") as file:
            file.write(self.config.format(**self.settings()))
        os.makedirs(self.folder + "/run", exist_ok=True)
        shutil.chown(self.folder + "/run", self.user)
        return Proc(["nginx", "-c", self.folder + "/nginx.conf",
                     "-e", self.folder + "/run/error.log"],
                    self.log, user=self.user)

    def ready(self):
        return self.serves_token()

    def log_files(self):
        return [self.log, self.folder + "/run/error.log",
                self.folder + "/run/access.log"]

    def lines(self, since=0):
        """The access log from there on, up to this moment.

        A line is written when its answer has been sent, which a client may
        notice earlier. So ask for something of our own and wait for its
        line: one process writes them in order.
        """
        name = SETTLED + uuid.uuid4().hex.encode()
        ask(f"https://127.0.0.1:{self.port}{name.decode()}")

        def settled():
            with open(self.folder + "/run/access.log", "rb") as file:
                file.seek(since)
                text = file.read()
            return text if name in text and text.endswith(b"\n") else None
        return wait_for(settled, "nginx to write its log")

    def mark(self):
        """A place in the access log, for requests(since)."""
        self.lines()
        return os.path.getsize(self.folder + "/run/access.log")

    def requests(self, since=0):
        """What was asked since mark(): dicts with time, method, uri, status,
        bytes, range, depth, if_match, connection, protocol."""
        return [json.loads(line) for line in self.lines(since).splitlines()
                if SETTLED not in line]
