#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""./bootstrap demo: the whole path on real servers, told in plain words.

Every step is checked; the first one that does not hold ends the demo with
exit status 1. It runs in namespaces and a folder of its own (bed/space.py),
so nothing of it is left when it ends.
"""
import os
import shutil
import sys
import time

import bed
from bed import content, mount
from bed.agent import Agent
from bed.provider import Provider

STARS = "/usr/share/astrometry"
CATALOGUES = ["index-tycho2-07.littleendian.fits",
              "index-tycho2-09.littleendian.fits"]
WAVE = "strain.h5"
# An HDF5 file as a detector's day looks: a long series, compressed in chunks,
# with attributes; and a reader that wants one second of it.
WRITE_HDF5 = """
import h5py, numpy, sys
chance = numpy.random.default_rng(17)
with h5py.File(sys.argv[1], "w") as file:
    strain = chance.normal(0, 1e-21, 4096 * 1024)
    at = 4096 * 600 + numpy.arange(4096)
    strain[at] += 1e-20 * numpy.sin((at - at[0]) ** 2 / 2e4)
    data = file.create_dataset("strain/Strain", data=strain, chunks=(65536,),
                               compression="gzip", compression_opts=1)
    data.attrs["Xspacing"] = 1 / 4096
"""
READ_HDF5 = """
import h5py, sys
with h5py.File(sys.argv[1], "r") as file:
    data = file["strain/Strain"]
    second = data[4096 * 600:4096 * 601]
    print(f"{len(data)} samples; loudest of second 600: "
          f"{abs(second).max():.3e}")
"""
# What a job computes: in which second the detector saw most.
JOB = """
import h5py, numpy, sys
with h5py.File(sys.argv[1], "r") as file:
    strain = file["strain/Strain"][:].reshape(-1, 4096)
loudest = abs(strain).max(axis=1)
with h5py.File(sys.argv[2], "w") as file:
    file["loudest"] = loudest
print(f"job.py: {len(loudest)} seconds looked through")
"""
READ_RESULT = """
import h5py, sys
with h5py.File(sys.argv[1], "r") as file:
    print(f"loudest is second {file['loudest'][:].argmax()}")
"""
PYTHON = ["/usr/bin/python3", "-B", "-c"]


class Wrong(Exception):
    """A step of the demo did not show what it says."""


def say(text=""):
    print(text, flush=True)


def step(number, text):
    say(f"\n--- {number}. {text}")


def show(text):
    for line in text.rstrip().splitlines():
        say("      | " + line)


def expect(true, what):
    if not true:
        raise Wrong(what)


def size_text(size):
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 10000 or unit == "GB":
            return f"{size:.0f} {unit}"
        size /= 1000


class Demo:
    def __init__(self, folder):
        self.folder = folder
        self.bed = bed.Bed(folder)
        self.mounts = []
        self.sums = {}

    def mount(self, source, token, **options):
        """A detached mount, as a user would make it; shown as typed."""
        folder = self.bed.folder(f"mount{len(self.mounts)}")
        options = {"cache_dir": self.bed.folder("cache"),
                   "base_path": "/exp", **options}
        one = mount.Mount(self.bed, folder, source, token, daemon=True,
                          **options)
        self.mounts.append(one)
        say("    $ bearerfs \\\n          " + one.source + " \\\n          " +
            one.path + " \\\n          -o " +
            one.option_text().replace(",", ",\\\n             "))
        began = time.monotonic()
        one.start()
        say(f"    mounted in {(time.monotonic() - began) * 1000:.0f} ms; the "
            f"command has returned, process {one.pid} serves the mount")
        return one

    def umount(self, one):
        say(f"    $ bearerfs umount {one.path}")
        one.command("umount", one.path)
        expect(not one.device(), "the mount is gone after umount")
        bed.wait_for(lambda: not one.running(), "the process to end", 30)
        expect(not one.findings(), "no sanitizer report")
        say("    unmounted, and its process has ended")

    def files(self):
        step(1, "The data: real scientific files")
        target = f"{self.bed.data}/exp/alice"
        os.makedirs(target)
        for name in CATALOGUES:
            shutil.copyfile(f"{STARS}/{name}", f"{target}/{name}")
        mount.run([*PYTHON, WRITE_HDF5, f"{target}/{WAVE}"], 120)
        self.bed.put("bob/private.txt", data=b"bob's, not alice's\n")
        for name in CATALOGUES + [WAVE]:
            content.touch(f"{target}/{name}")
            self.sums[name] = content.sha256(f"{target}/{name}")
            say(f"    {name}: {size_text(os.path.getsize(f'{target}/{name}'))}"
                f", sha256 {self.sums[name][:16]}...")
        say("    Two indexes of the Tycho-2 star catalogue in FITS, as Debian "
            "ships them,\n    and a series of a detector in HDF5, written "
            "just now. They lie in the\n    servers' directory /exp/alice.")

    def servers(self):
        step(2, "The servers, on this machine's loopback, over TLS")
        provider = self.bed.add(Provider(self.bed))
        self.agent = self.bed.add(Agent(self.bed, provider))
        say(f"    token issuer             {provider.url} (oidc-provider)")
        say(f"    token agent              {self.agent.socket} (oidc-agent)")
        say(f"    XRootD 5 with SciTokens  {self.bed.xrootd.url}")
        say(f"    XCache in front of it    {self.bed.xcache_https.url}")
        say(f"    nginx with bearer check  {self.bed.nginx.url}")

    def tokens(self):
        step(3, "A token: what may be done, where, until when")
        self.token = self.bed.token("read:/alice", lifetime=3600)
        say("    Minted for an hour with scope read:/alice. Without it, both "
            "servers refuse:")
        for server in (self.bed.xrootd, self.bed.nginx):
            url = f"{server.url}/alice/{WAVE}"
            bare = bed.ask(url, ca=self.bed.ca.cert, method="HEAD").status
            good = bed.ask(url, self.token, ca=self.bed.ca.cert,
                           method="HEAD").status
            say(f"    {server.name}: without {bare}, with {good}")
            expect(bare in (401, 403) and good == 200,
                   f"{server.name} checks the token")

    def read(self, number, server, what):
        step(number, f"Mount {what}, and read with ordinary programs")
        one = self.mount(server.url, self.token)
        say(f"    $ ls -l {one.at('alice')}")
        listing = mount.run(["ls", "-l", one.at("alice")]).stdout
        show(listing)
        for name in self.sums:
            expect(name in listing, f"{name} is listed")
        self.hdf5(one)
        began = time.monotonic()
        total = 0
        for name, want in self.sums.items():
            got = mount.run(["sha256sum", one.at("alice", name)], 300)
            expect(got.stdout.split()[0] == want,
                   f"{name} from {server.name} has the origin's sha256")
            total += os.path.getsize(one.at("alice", name))
        say(f"    $ sha256sum alice/*: all {len(self.sums)} equal the "
            f"origin's; {size_text(total)} in "
            f"{time.monotonic() - began:.1f} s, through TLS")
        return one

    def hdf5(self, one):
        before = one.counters()["cache_fetched_bytes"]
        path = one.at("alice", WAVE)
        got = mount.run([*PYTHON, READ_HDF5, path], 120).stdout
        show(got)
        fetched = one.counters()["cache_fetched_bytes"] - before
        whole = size_text(os.path.getsize(path))
        say(f"    h5py read one second out of {whole}"
            f": {size_text(fetched)} were fetched for it.")

    def cached(self):
        step(6, "A regional cache in front of the origin, and an agent's "
             "token")
        say("    The token comes from the agent, which renews it; no file has "
            "it. Files here\n    never change once published (immutable): "
            "XCache shows no versions.")
        one = self.mount(self.bed.xrootd.url, None, immutable=True,
                         server=self.bed.xcache_https.url,
                         agent=self.agent.socket, account=self.agent.account,
                         cache_dir=self.bed.folder("cache-of-its-own"))
        for name, want in self.sums.items():
            got = mount.run(["sha256sum", one.at("alice", name)], 300)
            expect(got.stdout.split()[0] == want, f"{name} by the cache")
        got = [server["received_bytes"] for server in
               one.status()["servers"]]
        say(f"    The same sums. Both are measured, and the better one is "
            f"asked: {size_text(got[0])}\n    came from the cache, "
            f"{size_text(sum(got[1:]))} from the origin.")
        expect(got[0] > 0, "the cache was read from")
        return one

    def result(self):
        """A batch job's end: what it computed goes home."""
        step(7, "A job writes its result home: bearerfs exec")
        home = f"{self.bed.data}/exp/alice/home"
        os.makedirs(home)
        os.chmod(home, 0o777)
        folder = self.bed.folder("job")
        token = self.bed.token("read:/alice write:/alice/home")
        one = mount.Mount(self.bed, folder, self.bed.nginx.url, token,
                          base_path="/exp", rw=True,
                          spool_dir=folder + "/spool")
        one.argv = [one.binary, "exec", one.source, one.path, "-o",
                    one.option_text(), "--", *PYTHON, JOB,
                    one.at("alice", WAVE), one.at("alice/home/result.h5")]
        say(f"    $ bearerfs exec {one.source} {one.path} \\\n"
            "          -o rw,... -- python3 job.py   (its token may write "
            "below /alice/home)")
        show(mount.run(one.argv, 120, env=one.env).stdout)
        got = mount.run([*PYTHON, READ_RESULT, home + "/result.h5"]).stdout
        say("    The command has ended, and the mount with it. On the "
            "server's disk:")
        show(mount.run(["ls", "-l", home]).stdout + got)
        expect("second 600" in got, "the result is on the server, whole")

    def status(self, one):
        step(8, "What the mount says about itself")
        say(f"    $ bearerfs status {one.path}")
        text = one.command("status", one.path).stdout
        show(text)
        expect(self.token.split(".")[2] not in text,
               "status does not show the token")

    def again(self):
        step(9, "A second mount reads from the local cache")
        one = self.mount(self.bed.nginx.url, self.token)
        mark = self.bed.nginx.mark()
        began = time.monotonic()
        for name, want in self.sums.items():
            got = mount.run(["sha256sum", one.at("alice", name)], 300)
            expect(got.stdout.split()[0] == want, f"{name} from the cache")
        took = time.monotonic() - began
        gets = [row for row in self.bed.nginx.requests(mark)
                if row["method"] == "GET"]
        counters = one.counters()
        say(f"    The same sums in {took:.1f} s. Bytes of files fetched: "
            f"{counters['cache_fetched_bytes']}; GET requests in nginx's "
            f"log: {len(gets)}.")
        expect(counters["cache_fetched_bytes"] == 0 and not gets,
               "nothing was fetched again")
        return one

    def refused(self, one):
        step(10, "What the token does not allow")
        path = one.at("bob", "private.txt")
        got = mount.run(["cat", path], check=False)
        show(f"$ cat {path}\n{got.stderr}")
        expect(got.returncode != 0 and "Permission denied" in got.stderr,
               "a path outside the scope is EACCES")

    def ended(self):
        step(11, "When a token ends, and when a new one comes")
        short = self.bed.token("read:/alice", lifetime=8)
        one = self.mount(self.bed.nginx.url, short, timeout="3s",
                         attr_ttl="1s")
        path = one.at("alice", WAVE)
        mount.run(["head", "-c", "1", path])
        say("    This mount's token lives 8 seconds. Now they have passed:")
        time.sleep(10)
        got = mount.run(["cat", path], check=False, text=False)
        error = got.stderr.decode()
        show(f"$ cat {path}\n{error}")
        expect(got.returncode != 0 and "Key has expired" in error,
               "an ended token is EKEYEXPIRED")
        say("    and the log has a line with the reason and the cure:")
        lines = [line for line in one.log_text().splitlines()
                 if "EKEYEXPIRED" in line or "ended" in line]
        expect(lines, "the log tells why")
        show(lines[-1])
        one.set_token(self.bed.token("read:/alice"))
        say("    A new token is put into the file; no mount again, no restart:")
        got = bed.wait_for(
            lambda: mount.run(["sha256sum", path], check=False).stdout,
            "the new token to be found", 30)
        expect(got.split()[0] == self.sums[WAVE], "reading goes on")
        show(f"$ sha256sum {path}\n{got}")
        return one

    def run(self):
        say("bearerfs demo: files that only a token may read, mounted.\n"
            "Servers, mounts and files live in namespaces and a folder of "
            "their own\nand are gone when this ends.")
        self.files()
        self.servers()
        self.tokens()
        first = self.read(4, self.bed.xrootd, "the XRootD server")
        second = self.read(5, self.bed.nginx, "the nginx server")
        cached = self.cached()
        self.result()
        self.status(second)
        self.umount(second)
        third = self.again()
        self.refused(third)
        fourth = self.ended()
        step(12, "Unmount")
        for one in (first, cached, third, fourth):
            self.umount(one)
        say("\nAll of it held. Nothing is left: the mounts are gone, the "
            "servers stop now,\nand their folder is removed.")


def main():
    folder = bed.enter(600 * max(1.0, bed.slow))
    demo = Demo(folder)
    try:
        demo.run()
    except (Wrong, bed.Failed, OSError) as error:
        print(f"\ndemo: this does not hold: {error}", file=sys.stderr)
        for one in demo.mounts:
            print(one.log() + one.findings(), file=sys.stderr)
        print(demo.bed.logs(), file=sys.stderr)
        sys.exit(1)
    finally:
        for one in demo.mounts:
            one.kill()
        demo.bed.stop()


if __name__ == "__main__":
    main()
