#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fail when the manual, --help and the program do not say the same.

Held against each other: commands, options with their defaults, errnos,
counters, the names of `status --json`, extended attributes, exit statuses.
The pages must also pass groff without a warning.

    check_man.py ROOT BEARERFS      look
    check_man.py --self-test ROOT BEARERFS
                                    plant a mistake of each kind; each must
                                    be found
"""
import pathlib
import re
import subprocess
import sys

PAGES = ("bearerfs.1", "bearerfs.conf.5", "mount.bearerfs.8")

OPTIONS = "cli/options/options.tbl.h"
# Errnos that come from the kernel or libfuse, without a line of ours.
FROM_KERNEL = {"ENOTCONN"}
# Of the spool's disk, as it comes.
FROM_DISK = {"ENOSPC"}
# Never given to a program: ends of calls inside, answers to the kernel
# alone, or about the start of a mount.
INSIDE = {"ECANCELED", "ENODEV", "ENOSYS", "EAGAIN", "ENOBUFS", "ERRNO",
          "EMSGSIZE", "EBADMSG", "EILSEQ", "EPROTONOSUPPORT"}
# Where an errno on its way to a program is written down.
ERRNO_FILES = ("fs/attr.c", "fs/dir.c", "fs/file.c", "fs/inode.c", "fs/ops.c",
               "fs/reply.c", "fs/wait.c", "fs/xattr.c", "fetch/calls/retry.c",
               "cache/access.c", "cache/bytes/read.c", "cache/bytes/fill.c",
               "cache/paths/listing.c", "fetch/reads/list.c", "fs/create.c",
               "fs/lookup.c", "fs/names.c", "fs/name_wait.c", "fs/opening.c",
               "fs/rename.c", "fs/setattr.c", "fs/truncate.c", "fs/write.c",
               "cache/drafts/begin.c", "cache/drafts/change.c",
               "cache/drafts/open.c", "cache/drafts/open_base.c",
               "cache/drafts/names/directory.c",
               "cache/drafts/names/names.c", "cache/drafts/names/rename.c",
               "cache/drafts/names/rename_there.c",
               "cache/drafts/names/unlink.c", "cache/drafts/send/flight.c")
# Where `status --json` and `explain --json` are written, and the functions
# that are given a name there.
JSON_FILES = {"STATUS": ("cli/control/describe.c", "cli/control/refusals.c",
                         "tokens/describe.c", "fetch/servers/server_describe.c",
                         "fetch/federation/federation_describe.c",
                         "cache/cache.c", "cache/ahead/budget_show.c",
                         "cache/store/store.c", "cache/drafts/tell.c",
                         "cli/unsent/list.c", "cli/status.c"),
              "EXPLAIN": ("cli/control/reasons_tell.c", "cli/explain.c"),
              "CACHE": ("cli/cache_show.c",)}
JSON_NAMES = (r'\\"(\w+)\\":', r'put_field\(\s*out, "(\w+)"',
              r'put_(?:text|time)\(\s*out, "(\w+)"',
              r'add_(?:errno|text_or_null|door|text|step|names)\(\s*out, "(\w+)"')


def sources(root, binary):
    """Everything that is compared, as texts by name."""
    texts = {}
    for name in ("cli/commands.tbl.h", OPTIONS,
                 "base/stats.tbl.h", "fetch/calls/status.tbl.h",
                 *ERRNO_FILES, *sum(JSON_FILES.values(), ())):
        texts[name] = (root / name).read_text(encoding="utf-8")
    for path in sorted((root / "cli").rglob("*.c")):
        name = path.relative_to(root).as_posix()
        texts[name] = path.read_text(encoding="utf-8")
    for page in PAGES:
        texts[page] = (root / "man" / page).read_text(encoding="utf-8")
    for name, words in (("--help", ["--help"]),
                        ("mount --help", ["mount", "--help"])):
        run = subprocess.run([binary, *words], capture_output=True, text=True,
                             timeout=60, check=False)
        if run.returncode != 0 or run.stderr:
            raise SystemExit(f"bearerfs {name}: exit {run.returncode}: "
                             f"{run.stderr}")
        texts[name] = run.stdout
    return texts


def section(page, name):
    found = re.search(rf"(?ms)^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", page)
    return found[1] if found else ""


def rows(text, macro):
    """Arguments of each MACRO(...) row, strings joined and unquoted."""
    text = re.sub(r"(?s)/\*.*?\*/", "", text)
    found = []
    for row in re.finditer(
            rf'(?ms)^{macro}\(((?:"(?:[^"\\]|\\.)*"|[^")])*)\)', text):
        fields = re.findall(
            r'((?:"(?:[^"\\]|\\.)*"\s*)+)|([^,\s"][^,"]*)', row[1])
        found.append([
            "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', quoted))
            if quoted else bare.strip() for quoted, bare in fields])
    return found


def items(text, macro):
    """Words behind `.It MACRO`, one item may name several."""
    names = []
    for line in re.findall(rf"(?m)^\.It {macro} (.*)$", text):
        line = re.sub(r" Ns .*?(?= , |$)", "", line)
        names += [w for w in re.split(rf" , (?:{macro} )?| ", line)
                  if re.fullmatch(r"[\w.]+", w)]
    return names


def differ(what, left, left_name, right, right_name):
    wrong = []
    for name in sorted(set(left) - set(right)):
        wrong.append(f"{what} {name}: in {left_name} and not in {right_name}")
    for name in sorted(set(right) - set(left)):
        wrong.append(f"{what} {name}: in {right_name} and not in {left_name}")
    if not left or not right:
        wrong.append(f"{what}: nothing found to compare")
    return wrong


def check_commands(texts):
    names = [row[0] for row in rows(texts["cli/commands.tbl.h"], "COMMAND")]
    man = section(texts["bearerfs.1"], "COMMANDS")
    in_man = {line.split()[0]
              for line in re.findall(r"(?m)^\.It Cm (.*)$", man)}
    in_help = re.findall(r"(?m)^  ([a-z]+) ", texts["--help"])
    return (differ("command", names, "cli/commands.tbl.h", in_man, "COMMANDS")
            + differ("command", names, "cli/commands.tbl.h", in_help,
                     "--help"))


def check_options(texts):
    table = rows(texts[OPTIONS], "OPTION")
    names = [row[0] for row in table]
    man = section(texts["bearerfs.1"], "OPTIONS")
    in_man = [n for n in items(man, "Cm") if n != "Ar"]
    in_help = re.findall(r"(?m)^  ([a-z_]+)(?:=| )",
                         texts["mount --help"].split("times s m h d:")[1])
    wrong = differ("option", names, OPTIONS, in_man, "OPTIONS")
    wrong += differ("option", names, OPTIONS, in_help,
                    "mount --help")
    for row in table:
        name, kind, fallback = row[0], row[1], row[5]
        if kind == "FLAG" or not fallback:
            continue
        item = re.search(rf"(?ms)^\.It Cm {name} Ns.*?(?=^\.It |^\.El)", man)
        said = item and re.search(
            r"(?ms)^Default:\n?(?:\.(?:Pa|Li) )?\s*(\S+?)\s*\.?$", item[0])
        if not said or said[1] != fallback:
            wrong.append(f"option {name}: its default is {fallback}, OPTIONS "
                         f"says {said[1] if said else 'nothing'}")
        if f"[{fallback}]" not in texts["mount --help"]:
            wrong.append(f"option {name}: --help does not show {fallback}")
    generic = [row[0] for row in rows(texts[OPTIONS], "GENERIC")]
    taken = man.split("change nothing here:")
    in_man = re.findall(r"(?m)^\.Cm ([\w]+) ,?$", taken[-1])
    return wrong + differ(
        "option of mount(8)", generic, OPTIONS,
        [n for n in in_man] + re.findall(r"(?m)^\.Cm (exec)$", taken[-1]),
        "OPTIONS")


def check_errnos(texts):
    used = FROM_KERNEL | FROM_DISK
    for row in rows(texts["fetch/calls/status.tbl.h"], "STATUS"):
        if row[2] != "0":
            used.add(row[2])
    for name in ERRNO_FILES:
        code = re.sub(r"(?s)/\*.*?\*/", "", texts[name])
        used |= set(re.findall(r"-(E[A-Z0-9]+)\b", code))
    used -= INSIDE
    man = re.findall(r"(?m)^\.It Bq Er (\w+)$",
                     section(texts["bearerfs.1"], "ERRORS"))
    return differ("errno", used, "the sources", man, "ERRORS")


def check_counters(texts):
    names = [row[0] for row in rows(texts["base/stats.tbl.h"], "COUNTER")]
    listed = section(texts["bearerfs.1"], "STATUS").split("It Li counters")
    return differ("counter", names, "base/stats.tbl.h",
                  items(listed[-1], "Li"), "STATUS")


def check_json(texts):
    wrong = []
    for title, files in JSON_FILES.items():
        man = section(texts["bearerfs.1"], title)
        for file in files:
            names = [name for pattern in JSON_NAMES
                     for name in re.findall(pattern, texts[file])]
            wrong += [f"JSON name {name}: in {file} and not in {title}"
                      for name in names
                      if not re.search(rf"\b{name}\b", man)]
            if not names:
                wrong.append(f"JSON names: none found in {file}")
    return wrong


def check_attributes(texts):
    prefix = re.search(r'#define PREFIX "([\w.]+)"', texts["fs/xattr.c"])
    names = re.findall(r'PREFIX "(\w+)"', texts["fs/xattr.c"])
    man = items(section(texts["bearerfs.1"], "EXTENDED ATTRIBUTES"), "Li")
    return differ("attribute", [prefix[1] + n for n in names], "fs/xattr.c",
                  man, "EXTENDED ATTRIBUTES")


def check_statuses(texts):
    numbers = {"STATUS_OK": "0", "STATUS_FAILED": "1", "STATUS_USAGE": "2",
               "EX_UNAVAILABLE": "69", "EX_IOERR": "74", "EX_NOPERM": "77"}
    used = {number for word, number in numbers.items()
            for name, text in texts.items()
            if name.startswith("cli/") and re.search(rf"\b{word}\b", text)}
    man = re.findall(r"(?m)^\.It (\d+)$",
                     section(texts["bearerfs.1"], "EXIT STATUS"))
    return differ("exit status", used, "cli/", man, "EXIT STATUS")


def check_groff(texts):
    wrong = []
    for page in PAGES:
        run = subprocess.run(
            ["groff", "-mdoc", "-ww", "-Tutf8", "-z"], input=texts[page],
            capture_output=True, text=True, timeout=60, check=False)
        for line in run.stderr.splitlines():
            wrong.append(f"man/{page}: {line}")
        if run.returncode != 0:
            wrong.append(f"man/{page}: groff ended with {run.returncode}")
    return wrong


CHECKS = (check_commands, check_options, check_errnos, check_counters,
          check_json, check_attributes, check_statuses, check_groff)


def look(texts):
    return [line for check in CHECKS for line in check(texts)]


# (text, pattern, replacement): each makes one thing false.
PLANTED = (
    ("bearerfs.1", r"(?m)^\.It Cm umount .*$", ".It Cm unmount"),
    ("cli/commands.tbl.h", r"\Z", 'COMMAND(mend, "", "mends it")\n'),
    ("--help", r"(?m)^  status .*\n", ""),
    ("bearerfs.1", r"(?m)^\.It Cm attr_ttl .*$", ".It Cm atr_ttl"),
    ("bearerfs.1", r"Default: 60s", "Default: 61s"),
    (OPTIONS, r'"120s"', '"121s"'),
    (OPTIONS, r"\Z",
     'OPTION(sighing, FLAG, 0, 0, "", "no", "sighs while it reads")\n'),
    ("mount --help", r"(?m)^  cache_size=.*\n", ""),
    ("bearerfs.1", r"(?m)^\.Cm _netdev ,$", ".Cm netdev ,"),
    ("bearerfs.1", r"(?m)^\.It Bq Er ESTALE$", ".It Bq Er EXDEV"),
    ("fetch/calls/status.tbl.h", r"\Z", 'STATUS(418, FINAL, EMLINK, "tea")\n'),
    ("fs/file.c", r"\Z", "int f(void) { return -ENXIO; }\n"),
    ("base/stats.tbl.h", r"\Z", 'COUNTER(fs_sighs, counter, "sighs")\n'),
    ("bearerfs.1", r"(?m)^\.It Li fs_reads$", ".It Li fs_read"),
    ("cli/control/describe.c", r"\\\"uptime_s\\\"", r'\\"uptime_ms\\"'),
    ("tokens/describe.c", r'put_field\(out, "issuer"',
     'put_field(out, "iss"'),
    ("cli/control/reasons_tell.c", r'add_text_or_null\(out, "verdict"',
     'add_text_or_null(out, "vredict"'),
    ("cli/explain.c", r'\\"mountpoint\\"', r'\\"monutpoint\\"'),
    ("fs/xattr.c", r'PREFIX "etag"', 'PREFIX "tag"'),
    ("bearerfs.1", r"(?m)^\.It 69$", ".It 70"),
    ("bearerfs.1", r"(?m)^\.Sh FILES$", ".Sh FILES\n.Bogus"),
)


def self_test(texts):
    wrong = []
    before = set(look(texts))
    for name, pattern, replacement in PLANTED:
        planted = dict(texts)
        planted[name], count = re.subn(pattern, replacement, texts[name], 1)
        if count != 1:
            wrong.append(f"cannot plant {pattern!r} in {name}")
        elif set(look(planted)) <= before:
            wrong.append(f"planted mistake not found: {pattern!r} in {name}")
    return wrong


def main(words):
    planting = words[:1] == ["--self-test"]
    root, binary = words[1 if planting else 0:]
    texts = sources(pathlib.Path(root), binary)
    wrong = self_test(texts) if planting else look(texts)
    print("\n".join(wrong) or "man: agrees")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
