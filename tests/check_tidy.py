#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run clang-tidy over every source of ours, two at a time."""
import concurrent.futures
import json
import pathlib
import subprocess
import sys

program, root, build = sys.argv[1:4]
root = pathlib.Path(root).resolve()
commands = json.loads((pathlib.Path(build) / "compile_commands.json")
                      .read_text())
OURS = ("base", "tokens", "fetch", "cache", "fs", "cli")
files = sorted({command["file"] for command in commands
                if pathlib.Path(command["file"]).resolve()
                .relative_to(root).parts[0] in OURS})
if not files:
    sys.exit("no source of ours in compile_commands.json")


def tidy(path):
    done = subprocess.run([program, "-p", build, "--quiet", path], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    return done.returncode, done.stdout


failed = 0
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for path, (code, out) in zip(files, pool.map(tidy, files)):
        if code != 0 or "error:" in out:
            failed += 1
            print(out)
print(f"clang-tidy: {len(files)} files, {failed} with findings")
sys.exit(failed != 0)
