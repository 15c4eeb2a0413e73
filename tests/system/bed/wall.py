# SPDX-License-Identifier: Apache-2.0
"""Black holes: what is sent to a port is lost, and nobody says so.

Only in a network of the test file's own (bed/space.py), whose packet filter
is nobody else's. A connection that is there already is silent as well.
"""
import json
import subprocess

from bed.procs import Failed
from bed.space import own_network

TABLE = "bed"


def nft(*words):
    if not own_network():
        raise Failed("no black holes without a network of one's own")
    done = subprocess.run(["nft", *words], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise Failed(f"nft {' '.join(words)}: {done.stderr}")
    return done.stdout


def drop(port):
    """From now on, in both directions."""
    nft("add", "table", "inet", TABLE)
    nft("add", "chain", "inet", TABLE, "in",
        "{ type filter hook input priority 0; }")
    for side in ("dport", "sport"):
        nft("add", "rule", "inet", TABLE, "in", "tcp", side, str(port),
            "drop")


def let(port):
    """As if nothing had been; what was lost comes again."""
    rules = json.loads(nft("-j", "list", "chain", "inet", TABLE, "in"))
    for row in rules["nftables"]:
        rule = row.get("rule")
        if rule and any(port == part.get("match", {}).get("right")
                        for part in rule["expr"]):
            nft("delete", "rule", "inet", TABLE, "in", "handle",
                str(rule["handle"]))
