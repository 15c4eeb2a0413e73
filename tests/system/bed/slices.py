# SPDX-License-Identifier: Apache-2.0
"""nginx as a cache of slices in front of the nginx origin.

It checks every token itself, for what it has already too, and hands it on for
what it has not. Right in all ranges and conditions, GET and HEAD only. How it
misbehaves: slices are kept one by one, so after a file was replaced a range
comes from the old version or from the new one with its ETag, a whole file is
cut where they meet, and this lasts until they are too old (an hour here).

Answers tell X-Cache-Status: HIT or MISS.
"""
from bed.nginx import Nginx
from bed.procs import answers

CONFIG = """\
daemon off;
{processes}
pid {folder}/run/nginx.pid;
error_log {folder}/run/error.log warn;
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
events {{ worker_connections 2048; }}
http {{
    log_format bed escape=json '{{"time":$msec,"method":"$request_method",'
        '"uri":"$request_uri","status":$status,"bytes":$body_bytes_sent,'
        '"range":"$http_range","depth":"$http_depth",'
        '"if_match":"$http_if_match","connection":$connection,'
        '"protocol":"$server_protocol","cache":"$upstream_cache_status"}}';
    access_log {folder}/run/access.log bed;
    client_body_temp_path {folder}/run/body;
    proxy_temp_path {folder}/run/proxy;
    fastcgi_temp_path {folder}/run/fastcgi;
    uwsgi_temp_path {folder}/run/uwsgi;
    scgi_temp_path {folder}/run/scgi;
    proxy_cache_path {folder}/run/slices keys_zone=slices:4m max_size=1g
        inactive=1h use_temp_path=off;
    lua_package_path "{folder}/?.lua;;";
    init_by_lua_block {{ require("bearer").load("{folder}/bearer.json") }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        server_name localhost;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        set $bed_base {base};
        set $bed_skew {skew};
        set $bed_scope "";
        access_by_lua_block {{ require("bearer").check() }}
        location {base} {{
            if ($request_method !~ "^(GET|HEAD)$") {{ return 405; }}
            slice {slice};
            proxy_cache slices;
            proxy_cache_key $uri$slice_range;
            proxy_cache_valid 200 206 1h;
            proxy_set_header Range $slice_range;
            proxy_set_header Authorization $http_authorization;
            proxy_set_header Connection "";
            proxy_http_version 1.1;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {ca};
            proxy_ssl_name localhost;
            proxy_pass https://127.0.0.1:{behind};
            add_header X-Cache-Status $upstream_cache_status;
            {extra}
        }}
    }}
}}
"""


class Slices(Nginx):
    name = "slices"
    config = CONFIG

    def __init__(self, bed, name=None, origin=None, slice_size="64k",
                 extra=""):
        """@param origin  a server of the bed, started; None: bed.nginx"""
        super().__init__(bed, name, extra=extra)
        self.origin = origin or bed.nginx
        self.slice_size = slice_size

    def settings(self):
        return dict(super().settings(), behind=self.origin.port,
                    ca=self.bed.ca.cert, slice=self.slice_size)

    def ready(self):
        return answers(self.port)
