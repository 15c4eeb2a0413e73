# SPDX-License-Identifier: Apache-2.0
"""What a measurement stands on: a mount that is cold, or warm, and the proof
that it was; and what the measurement costs."""
import os
import subprocess
import time


# What the origin may send when all is in the cache: is it still the same?
WARM_BYTES = 1 << 20


class Watch:
    """Counts what one measurement costs: the origin's requests and bytes,
    the mount's processor time and largest memory."""

    def __init__(self, rig, contender):
        self.rig = rig
        self.contender = contender

    def __enter__(self):
        self.contender.reset_peak()
        self.mark = self.rig.origin.mark()
        self.cpu = self.contender.cpu_s()
        self.dropped = self.contender.dropped()
        return self

    def __exit__(self, *problem):
        self.cpu = self.contender.cpu_s() - self.cpu
        self.dropped = self.contender.dropped() - self.dropped
        self.peak_bytes = self.contender.note_peak()

    def row(self, name, value, unit, wanted_bytes=0, cold_bytes=0,
            warm_bytes=None):
        """
        @param wanted_bytes  what readers were given
        @param cold_bytes    what the origin must have sent at least
        @param warm_bytes    what it may have sent at most
        Raises ValueError when the measurement was not what it is called.
        """
        requests, sent = self.rig.origin.count(self.mark)
        if sent < cold_bytes:
            raise ValueError(f"{name}: not cold: the origin sent {sent} "
                             f"bytes of {cold_bytes}")
        if warm_bytes is not None and sent > warm_bytes:
            raise ValueError(f"{name}: not warm: the origin sent {sent} "
                             f"bytes, and {warm_bytes} would do")
        row = {"row": name, "value": value, "unit": unit,
               "requests": requests, "sent_bytes": sent,
               "cpu_s": round(self.cpu, 3),
               "peak_bytes": self.peak_bytes,
               "dropped_blocks": self.dropped}
        if wanted_bytes:
            row["bytes"] = wanted_bytes
            row["cpu_s_per_gb"] = round(self.cpu / wanted_bytes * 1e9, 3)
            row["amplification"] = round(sent / wanted_bytes, 3)
        return row


def megabytes(result):
    return result["bytes"] / result["seconds"] / 1e6


def cold_start(rig, contender, *names):
    """A new cache, a new mount, nothing of it in the page cache; the
    origin's own files in memory."""
    rig.drop_caches()
    rig.warm_origin(*names)
    contender.start(fresh=True)


def warm_start(rig, contender):
    """The same cache, a new mount, an empty page cache."""
    contender.stop()
    rig.drop_caches()
    contender.start(fresh=False)


def settle(contender):
    """Let a mount finish what it writes behind the reader's back: wait
    until it has used no processor time for half a second."""
    deadline = time.monotonic() + 60
    last = -1.0
    while time.monotonic() < deadline and contender.cpu_s() != last:
        last = contender.cpu_s()
        time.sleep(0.5)


def fill(rig, contender, read):
    """Have everything in the mount's cache on disk: read on, each time with
    an empty page cache, until the origin is asked for nothing more."""
    for _ in range(4):
        settle(contender)
        warm_start(rig, contender)
        mark = rig.origin.mark()
        read()
        if rig.origin.count(mark)[1] <= WARM_BYTES:
            return
    raise ValueError(f"{contender.name} does not keep what was read")


def curl_once(rig, name):
    """Seconds of one curl process that takes a whole file."""
    begun = time.monotonic()
    done = subprocess.run(
        ["curl", "-sf", "--http1.1", "-o", "/dev/null", "-w",
         "%{size_download}", "--cacert", rig.bed.ca.cert, "-H",
         "@" + rig.header_file, f"{rig.url()}/{name}"],
        check=True, stdout=subprocess.PIPE)
    took = time.monotonic() - begun
    if int(done.stdout) != os.path.getsize(rig.local(name)):
        raise ValueError(f"curl took {done.stdout} bytes of {name}")
    return took
