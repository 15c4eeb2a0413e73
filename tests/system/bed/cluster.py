# SPDX-License-Identifier: Apache-2.0
"""A cluster of XRootD: a redirector and data servers, each an xrootd with its
cmsd, each with some of the files.

    cluster = self.bed.cluster
    cluster.put("alice/a.bin", 3 << 20)    # on one of them, in turn
    cluster.url                            # the redirector's

The redirector has no files: it answers with 307 (302 to GET) to the server
that has what was asked for, by its address, with the token in the query, even
when it came in a header. A directory is on any that has it: PROPFIND leads to
one of them, in turn, who lists its own files only. `?tried=HOST,HOST` leads to
another one, or to 404 when there is none left.

In a network of the test's own the servers have addresses of their own.
"""
import os
import signal

from bed import content, space
from bed.client import ask
from bed.procs import answers, free_port, slow, wait_for
from bed.xrootd import XRootD

# What both daemons of a member read. The waits are for clusters whose servers
# come one by one over minutes (90 s before anybody is redirected).
MEMBER = """\
all.role {role}
all.manager {host}:{manager}
cms.delay startup 1 servers 1 lookup 1 qdl 1 drop 2 suspend 1
cms.space min 1m 1k
if exec cmsd
xrd.port {cms}
else
http.desthttps yes
fi
"""


class Member(XRootD):
    def __init__(self, cluster, name, role, data, host="localhost"):
        super().__init__(cluster.bed, f"{cluster.name}-{name}", data)
        self.cluster = cluster
        self.role = role
        self.host = host
        self.cms = None
        self.cms_port = 0
        self.cms_log = os.path.join(self.folder, "cmsd.log")

    def settings(self):
        cluster = self.cluster
        return dict(super().settings(), more=MEMBER.format(
            role=self.role, cms=self.cms_port, host=self.host,
            manager=cluster.redirector.cms_port))

    def launch(self):
        self.stop_cms()
        self.cms_port = self.cms_port or free_port()
        self.prepare()
        self.cms = self.spawn("cmsd", self.cms_log)
        # An xrootd that finds no cmsd looks again only after seconds.
        wait_for(lambda: self.cms_listens() or not self.cms.running(),
                 f"cmsd of {self.name}")
        return self.spawn("xrootd", self.log)

    def cms_listens(self):
        """A manager's on its port, a server's on a socket for its xrootd."""
        if self.role == "manager":
            return answers(self.cms_port)
        return os.path.exists(
            self.folder + "/admin/bed/.olb/olbd.admin")

    def ready(self):
        if self.role == "server":
            return super().ready()
        url = f"https://127.0.0.1:{self.port}{self.bed.base}/"
        try:
            return ask(url, timeout=20).status == 403
        except OSError:
            return False

    def stop_cms(self, sig=signal.SIGTERM):
        if self.cms:
            self.cms.stop(sig)

    def stop(self, sig=signal.SIGTERM):
        super().stop(sig)
        self.stop_cms(sig)

    def pause(self):
        super().pause()
        self.cms.pause()

    def resume(self):
        super().resume()
        self.cms.resume()

    def log_files(self):
        return [self.log, self.cms_log]


class Cluster:
    """
    @var redirector  a Member
    @var servers     the Members that have files
    @var files       names as given to put(): the number of the server
    """

    name = "cluster"

    def __init__(self, bed, name=None, count=2):
        self.bed = bed
        self.name = name or self.name
        self.folder = bed.folder(self.name)
        self.files = {}
        self.turn = 0
        self.servers = []
        self.redirector = Member(self, "redirector", "manager",
                                 self.place("nothing"))
        for number in range(count):
            self.servers.append(Member(self, f"server{number}", "server",
                                       self.place(f"data{number}"),
                                       space.address(number)))

    @property
    def members(self):
        return [self.redirector, *self.servers]

    def place(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path + self.bed.base, exist_ok=True)
        return path

    @property
    def url(self):
        return self.redirector.url

    def put(self, name, size=None, seed=None, data=None, age=86400):
        """As Bed.put(), on the next of the servers. The directories above it
        are on all of them."""
        number = self.files.get(name, self.turn)
        if name not in self.files:
            self.turn = (self.turn + 1) % len(self.servers)
        for server in self.servers:
            os.makedirs(os.path.dirname(
                os.path.join(server.data + self.bed.base, name)),
                exist_ok=True)
        path = self.path(name, number)
        fresh = os.path.join(self.folder, "new-file")
        if data is not None:
            with open(fresh, "wb") as file:
                file.write(data)
        else:
            content.write(fresh, name if seed is None else seed, size or 0)
        content.touch(fresh, age)
        os.rename(fresh, path)
        self.files[name] = number
        return path

    def path(self, name, number=None):
        if number is None:
            number = self.files[name]
        return os.path.join(self.servers[number].data + self.bed.base, name)

    def start(self):
        for member in self.members:
            member.start()
        wait_for(self.joined, f"{len(self.servers)} servers to log in at "
                 f"the redirector\n{self.logs()}", 60 * max(1.0, slow))
        return self

    def joined(self):
        """Whether the redirector leads to all that run."""
        with open(self.redirector.cms_log, errors="replace") as file:
            text = file.read()
        if not all(f":{server.port} logged in" in text
                   for server in self.servers):
            return False
        answer = ask(self.url + "/", self.bed.token("read:/"),
                     method="PROPFIND", headers={"Depth": "0"})
        return answer.status == 307

    def stop(self, sig=signal.SIGTERM):
        for member in reversed(self.members):
            member.stop(sig)

    def logs(self):
        return "".join(member.logs() for member in self.members)
