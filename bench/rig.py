# SPDX-License-Identifier: Apache-2.0
"""What is measured against: an nginx origin over TLS that checks tokens, a
proxy that puts it far away, the data, and the tools."""
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import uuid

from bed.bed import Bed
from bed.nginx import Nginx
from bed.client import ask
from bed.procs import Proc, answers, free_port, wait_for

# One worker: one core at most is the origin's. sendfile(2) cannot be used
# with TLS here (no kTLS), so large output buffers are what keeps the origin
# from being the limit; request counting is a buffered log.
OPEN_MAX = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/run/nginx.pid;
error_log {folder}/run/error.log warn;
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
events {{ worker_connections 4096; }}
http {{
    log_format bench '$request_method $status $bytes_sent $request_uri';
    access_log {folder}/run/access.log bench buffer=1m;
    client_body_temp_path {folder}/run/body;
    proxy_temp_path {folder}/run/proxy;
    fastcgi_temp_path {folder}/run/fastcgi;
    uwsgi_temp_path {folder}/run/uwsgi;
    scgi_temp_path {folder}/run/scgi;
    default_type application/octet-stream;
    sendfile off;
    output_buffers 2 512k;
    tcp_nodelay on;
    keepalive_requests 100000000;
    keepalive_timeout 3600s;
    open_file_cache max=OPEN_FILES inactive=3600s;
    open_file_cache_valid 3600s;
    http2_max_concurrent_streams 256;
    lua_package_path "{folder}/?.lua;;";
    init_by_lua_block {{ require("bearer").load("{folder}/bearer.json") }}
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=1024;
        server_name localhost;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        ssl_session_cache shared:bench:10m;
        set $bed_scope "";
        location {base} {{
            set $bed_base {base};
            set $bed_skew 0;
            access_by_lua_block {{ require("bearer").check() }}
            root {data};
            dav_ext_methods PROPFIND OPTIONS;
        }}
        # What is written there is not what the kept descriptors have.
        location {base}/write/ {{
            set $bed_base {base};
            set $bed_skew 0;
            access_by_lua_block {{ require("bearer").check() }}
            root {data};
            open_file_cache off;
            client_max_body_size 0;
            client_body_buffer_size 1m;
            dav_methods PUT DELETE MKCOL COPY MOVE;
            dav_ext_methods PROPFIND OPTIONS;
        }}
        # The same without a token, for those who cannot send one.
        location = /open {{ rewrite ^ /open/ last; }}
        location /open/ {{
            alias {data}{base}/;
            autoindex on;
        }}
    }}
}}
"""


# What touch_memory() has touched at most; but for full_memory()'s row those of
# writing take less.
TOUCH_BYTES = 6 << 30
# Run by a child, with which the memory goes again.
TOUCH = """\
import mmap, sys
mmap.mmap(-1, int(sys.argv[1]), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS |
          mmap.MAP_POPULATE)
"""


class Origin(Nginx):
    name = "bench-origin"
    config = CONFIG.replace("OPEN_FILES", str(OPEN_MAX // 2))

    def lines(self, since=0):
        """The log from there on. USR1 makes nginx write what it buffers."""
        name = "/settled-" + uuid.uuid4().hex
        ask(f"https://127.0.0.1:{self.port}{name}")
        self.proc.popen.send_signal(signal.SIGUSR1)

        def settled():
            with open(self.folder + "/run/access.log") as file:
                file.seek(since)
                text = file.read()
            return text if name in text and text.endswith("\n") else None
        return wait_for(settled, "nginx to write its log")

    def count(self, since):
        """(requests, bytes sent) since mark()."""
        found = [line.split(" ", 3) for line in
                 self.lines(since).splitlines()]
        found = [words for words in found
                 if not words[3].startswith("/settled-")]
        return len(found), sum(int(words[2]) for words in found)


class Rig:
    """@var delay_ms  round trip of the contenders' URLs
    @var rate      bytes a second of one of their connections; 0: no limit
    @var files      count of small files, 100 a directory"""

    file_bytes = 4096
    large_count = 64
    large_bytes = 16 << 20

    def __init__(self, folder, build, big_bytes, files):
        self.folder = folder
        self.build = build
        self.big_bytes = big_bytes
        self.files = files
        self.delay_ms = 0
        self.rate = 0
        self.proxies = {}
        self.rng = 0
        os.environ["BEARERFS"] = build + "/bearerfs"
        # The origin keeps files open, as many as it may.
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_MAX, OPEN_MAX))
        self.bed = Bed(folder)
        self.token_file = folder + "/token"
        self.header_file = folder + "/header"

    def tool(self, name):
        return f"{self.build}/bench/{name}"

    def start(self):
        self.make_data()
        self.origin = self.bed.add(Origin(self.bed))
        token = self.bed.token("read:/ write:/", lifetime=86400)
        for path, text in ((self.token_file, token), (
                self.header_file, "Authorization: Bearer " + token)):
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600),
                      "w") as file:
                file.write(text + "\n")
        self.env = dict(os.environ, BEARER_TOKEN=token,
                        CURL_CA_BUNDLE=self.bed.ca.cert)

    def stop(self):
        for proxy, _ in self.proxies.values():
            proxy.stop()
        self.bed.stop()

    # Data.

    def local(self, name=""):
        return os.path.join(self.bed.data + self.bed.base, name)

    def write(self, name, seed, size):
        path = self.local(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run([self.tool("reader"), "write", f"path={path}",
                        f"seed={seed}", f"size={size}"], check=True,
                       stdout=subprocess.DEVNULL)

    def make_data(self):
        self.write("big.dat", 1, self.big_bytes)
        for nth in range(self.large_count):
            self.write(f"large/d0/f{nth}", 1000 + nth, self.large_bytes)
        # A small file is a piece that `reader write` made: one process
        # for each of 20000 would take minutes.
        for nth in range(self.files):
            path = self.local(f"tree/d{nth // 100}/f{nth}")
            if nth % 100 == 0:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(page(2000000 + nth))
        old = int(time.time()) - 86400
        for where, _, names in os.walk(self.local(), topdown=False):
            for name in names:
                os.utime(os.path.join(where, name), (old, old))
            os.utime(where, (old, old))

    def warm_origin(self, *names):
        """Have files in the page cache: the origin's disk is not what is
        measured."""
        for name in names:
            path = self.local(name)
            if os.path.isdir(path):
                subprocess.run(["tar", "cf", "-", path], check=True,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
            else:
                with open(path, "rb") as file:
                    while file.read(1 << 20):
                        pass

    def drop_caches(self):
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("3")

    def touch_memory(self):
        """Have a virtual machine's memory at hand: what its host took back
        while it was free costs eight times as much at the next touch, and
        whoever writes first would pay for all who follow."""
        with open("/proc/meminfo") as file:
            about = dict(line.split(":") for line in file)
        free = int(about["MemAvailable"].split()[0]) << 10
        subprocess.run([sys.executable, "-c", TOUCH,
                        str(min(TOUCH_BYTES, free // 2))], check=True)

    @contextlib.contextmanager
    def full_memory(self):
        """Have all memory in use, by pages of a file that make room for others:
        of what touch_memory() has touched the host takes back in seconds what
        is still free, so that it does not serve a row that fills all of it."""
        os.sync()
        path = self.folder + "/hole"
        try:
            with open(path, "wb") as file:
                file.truncate(os.sysconf("SC_PHYS_PAGES")
                              * os.sysconf("SC_PAGE_SIZE"))
            with open(path, "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass
            yield
        finally:
            os.unlink(path)

    # Network.

    def port(self, delay_ms=None):
        delay = self.delay_ms if delay_ms is None else delay_ms
        if delay == 0:
            return self.origin.port
        return self.proxy(delay_us=delay * 500, rate=self.rate)

    def proxy(self, name="", **options):
        """The port of a delay proxy in front of the origin, started when it
        is first asked for.
        @param name     tells several of the same options apart
        @param options  as delay_proxy.c has them"""
        key = (name, *sorted(options.items()))
        if key not in self.proxies:
            port = free_port()
            proxy = Proc([self.tool("delay_proxy"), f"listen={port}",
                          f"connect={self.origin.port}"] + [
                              f"{one}={value}" for one, value
                              in options.items()],
                         self.folder + "/proxy.log")
            wait_for(lambda: answers(port), "the delay proxy")
            self.proxies[key] = proxy, port
        return self.proxies[key][1]

    def server(self, name="", delay_ms=0, **options):
        """URL of a server as far away; also of one without any delay."""
        port = self.proxy(name, delay_us=delay_ms * 500, **options)
        return f"https://localhost:{port}{self.bed.base}"

    def url(self, delay_ms=None, base=None):
        return (f"https://localhost:{self.port(delay_ms)}"
                f"{base or self.bed.base}")

    # Measuring.

    def run(self, argv, **more):
        """A tool's JSON object."""
        done = subprocess.run(argv, env=self.env, check=True,
                              stdout=subprocess.PIPE, **more)
        return json.loads(done.stdout)

    def reader(self, mode, **options):
        return self.run([self.tool("reader"), mode] + [
            f"{name}={value}" for name, value in options.items()])

    def curl_get(self, mode, **options):
        return self.run([self.tool("curl_get"), mode] + [
            f"{name}={value}" for name, value in options.items()])

    def fresh_rng(self):
        """Another sequence of random offsets each time."""
        self.rng += 1000000
        return self.rng


def page(seed):
    """pattern_page() of pattern.h for page 0, in Python."""
    mask = (1 << 64) - 1
    step = 0x9E3779B97F4A7C15
    x = (seed * 0x100000001B3 + step) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    x ^= x >> 31
    return b"".join(((x + i * step) & mask).to_bytes(8, "little")
                    for i in range(512))
