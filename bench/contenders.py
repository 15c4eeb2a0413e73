# SPDX-License-Identifier: Apache-2.0
"""Who is measured. A contender that mounts has start(fresh), stop(), at();
the others are told apart by `kind`: "net" asks the origin itself, "disk" is
the local file system."""
import contextlib
import os
import shutil
import subprocess

from bed.mount import Mount
from bed.procs import Proc, wait_for


class Contender:
    name = ""
    kind = "mount"
    foreign = False

    def __init__(self, rig):
        self.rig = rig
        self.pid = None
        self.folder = f"{rig.folder}/{self.name}"
        self.peak_bytes = 0

    def start(self, fresh):
        pass

    def stop(self):
        pass

    def writes(self):
        """Whether it can write; then it has start(fresh, back), of which
        `back` is that close(2) does not wait for the server."""
        return False

    def writes_back(self):
        """Whether it can be told not to wait."""
        return False

    def flush(self):
        """Wait for what close(2) did not."""

    def cpu_s(self):
        """Processor time of the mount's process so far."""
        if self.pid is None:
            return 0.0
        with open(f"/proc/{self.pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def dropped(self):
        """Blocks that the cache did not keep so far, where that is told."""
        return 0

    def reset_peak(self):
        """Begin anew with the largest memory, where the kernel can
        (CONFIG_PROC_PAGE_MONITOR); else rows show it since the start."""
        self.note_peak()
        if self.pid is None:
            return
        with contextlib.suppress(FileNotFoundError), \
                open(f"/proc/{self.pid}/clear_refs", "w") as file:
            file.write("5")

    def note_peak(self):
        """Largest memory of the mount's process since reset_peak(), in
        bytes."""
        if self.pid is None:
            return 0
        with open(f"/proc/{self.pid}/status") as file:
            found = next((int(line.split()[1]) * 1024 for line in file
                          if line.startswith("VmHWM:")), 0)  # dead: none
        self.peak_bytes = max(self.peak_bytes, found)
        return found


class Bearerfs(Contender):
    name = "bearerfs"

    def __init__(self, rig, options=""):
        super().__init__(rig)
        self.mount = None
        self.source = None  # another one than the rig's
        self.options = dict(word.partition("=")[::2] for word in
                            options.split(",") if word)

    def writes(self):
        return True

    writes_back = writes

    def flush(self):
        if self.mount.options.get("write") == "back":
            subprocess.run([self.mount.binary, "flush", self.mount.path],
                           env=self.mount.env, check=True)

    def start(self, fresh, back=None):
        """@param back  None: only to read; else to write as well"""
        self.stop()
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder, exist_ok=True)
        options = {"token_file": self.rig.token_file, "cache_size": "16G"}
        if back is not None:
            options.update(rw=True, spool_dir=self.folder + "/spool",
                           spool_size="16G",
                           write="back" if back else "through")
        options.update(self.options)
        self.mount = Mount(self.rig.bed, self.folder,
                           self.source or self.rig.url(), **options)
        self.mount.start()
        self.pid = self.mount.pid

    def stop(self):
        if self.mount:
            self.note_peak()
            self.mount.stop()
            self.mount = self.pid = None

    def dropped(self):
        return self.mount.counters()["cache_dropped_writes"] \
            if self.mount else 0

    def at(self, name=""):
        return f"{self.folder}/mnt/{name}"


class Foreign(Contender):
    """Another program that mounts, run in the foreground."""
    foreign = True
    back = None

    def argv(self):
        raise NotImplementedError

    def start(self, fresh, back=None):
        self.stop()
        self.back = back
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("mnt", "cache"):
            os.makedirs(f"{self.folder}/{name}", exist_ok=True)
        env = dict(self.rig.env, HOME=self.folder,
                   RCLONE_WEBDAV_BEARER_TOKEN=self.rig.env["BEARER_TOKEN"])
        self.proc = Proc(self.argv(), self.folder + "/log", env=env)
        self.pid = self.proc.pid
        wait_for(lambda: os.path.ismount(self.folder + "/mnt"),
                 f"{self.name} to mount: see {self.folder}/log")

    def stop(self):
        if self.pid is None:
            return
        if self.proc.running():
            self.note_peak()
        subprocess.run(["umount", "-l", self.folder + "/mnt"], check=False,
                       stderr=subprocess.DEVNULL)
        self.proc.stop()
        self.pid = None

    def at(self, name=""):
        return f"{self.folder}/mnt/{name}"


class Rclone(Foreign):
    """As its manual advises for reading: a full cache on disk. To write, told
    to send at once, sixteen files at a time; it cannot be told to wait."""
    name = "rclone"

    def writes(self):
        return True

    def argv(self):
        words = ["--read-only"] if self.back is None else [
            "--vfs-write-back", "0s", "--transfers", "16"]
        return ["rclone", "mount", ":webdav:/", self.folder + "/mnt",
                "--config", "/dev/null", *words, "--webdav-url", self.rig.url(),
                "--webdav-vendor", "other",
                "--ca-cert", self.rig.bed.ca.cert,
                "--vfs-cache-mode", "full",
                "--cache-dir", self.folder + "/cache"]


class Httpdirfs(Foreign):
    """It cannot send a token: it reads where none is asked for."""
    name = "httpdirfs"

    def argv(self):
        # Its check wants Accept-Ranges, which nginx leaves out of a 206.
        return ["httpdirfs", "-f", "--no-range-check", "--cache",
                "--cache-location",
                self.folder + "/cache", "--cacert", self.rig.bed.ca.cert,
                self.rig.url(base="/open/"), self.folder + "/mnt"]


class Curl(Contender):
    name = "curl"
    kind = "net"


class Ext4(Contender):
    """The origin's own files, read locally."""
    name = "ext4"
    kind = "disk"

    def at(self, name=""):
        return self.rig.local(name)


class Tmpfs(Contender):
    """A file in pages of 4 KiB, as the kernel keeps those of FUSE (ext4's
    come in large folios): what of the page cache a mount could reach."""
    name = "tmpfs"
    kind = "pages"

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "huge=never", "none",
                        self.folder], check=True)
        shutil.copyfile(self.rig.local("big.dat"), self.at("big.dat"))

    def stop(self):
        if os.path.ismount(self.folder):
            subprocess.run(["umount", self.folder], check=True)

    def at(self, name=""):
        return f"{self.folder}/{name}"


def contenders(rig, names="", options=""):
    wanted = [name for name in names.split(",") if name]
    found = [Bearerfs(rig, options), Curl(rig), Ext4(rig), Tmpfs(rig)]
    for kind in (Rclone, Httpdirfs):
        if shutil.which(kind.name):
            found.append(kind(rig))
    return [one for one in found if not wanted or one.name in wanted]
