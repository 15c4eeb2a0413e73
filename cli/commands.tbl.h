/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/commands.tbl.h - every command: COMMAND(name, arguments, help)
 *
 * The names and arguments are interface: tests/check_man.py holds them
 * against --help and the man page.
 */
COMMAND(mount, "SOURCE MOUNTPOINT [-f] [-o OPTION[,OPTION...]]",
    "mount a source; `mount` itself may be left out")
COMMAND(umount, "[--lazy] [--timeout TIME] MOUNTPOINT",
    "send what is unsent, end a mount and wait for it; also of one that hangs\n"
    "      or is dead")
COMMAND(exec, "SOURCE MOUNTPOINT [-o OPTION[,OPTION...]] -- COMMAND [ARG...]",
    "run a command with a mount that it alone sees; its exit status, or 74\n"
    "      when something that it wrote was not sent")
COMMAND(status, "[--json] [MOUNTPOINT]",
    "state of token, server and cache of one mount, or of all of yours")
COMMAND(flush,
    "[--timeout TIME] [-o OPTION[,OPTION...]] [PATH]\n"
    "  flush --number N --as PATH|--overwrite|--export DIR|--drop\n"
    "      [-o OPTION[,OPTION...]]",
    "wait until writes are on the server; decide what becomes of one that\n"
    "      could not be sent")
COMMAND(explain, "[--json] PATH",
    "why a path of a mount gives what it gives, and what to do")
COMMAND(metrics, "[MOUNTPOINT]",
    "numbers of one mount, or of all of yours, for Prometheus")
COMMAND(prefetch, "[--json] PATH...",
    "fill the cache with files of mounts, and with all files of directories")
COMMAND(doctor, "[--json] [-o OPTION[,OPTION...]] SOURCE",
    "check what a mount of the source needs, without mounting")
COMMAND(token,
    "show|path [--json] [-o OPTION[,OPTION...]] [SOURCE]\n"
    "  token verify [--jwks FILE] [--issuer URL] [--audience NAME]\n"
    "      [--scope SCOPE:PATH] [--json] [--batch] [--signature-only]\n"
    "      [-o OPTION[,OPTION...]]",
    "claims of the token that would be used, where it lies; whether one on\n"
    "      stdin is good")
COMMAND(cache,
    "info [--json] [-o OPTION[,OPTION...]]\n"
    "  cache check [-o OPTION[,OPTION...]]\n"
    "  cache prune SIZE [-o OPTION[,OPTION...]]\n"
    "  cache drop SOURCE|--all [-o OPTION[,OPTION...]]",
    "what the cache holds; is all of it right; make it smaller; take a\n"
    "      source's files out of it")
