#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Hold every C file against .clang-format; with --write, mend it."""
import pathlib
import subprocess
import sys

write = "--write" in sys.argv
program, root = [a for a in sys.argv[1:] if a != "--write"][:2]
root = pathlib.Path(root)
files = sorted(path for folder in
               ("base", "tokens", "fetch", "cache", "fs", "cli", "tests",
                "bench")
               for path in (root / folder).rglob("*.[ch]"))
if not files:
    sys.exit(f"{root}: no source found")
arguments = ["-i"] if write else ["--dry-run", "--Werror"]
sys.exit(subprocess.run([program, *arguments, *map(str, files)],
                        check=False).returncode)
