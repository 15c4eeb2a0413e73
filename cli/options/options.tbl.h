/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/options/options.tbl.h - every option of -o and of the configuration file:
 *
 * OPTION(name, kind, low, high, argument, fallback, help)
 *   kind      FLAG, PATH (absolute), SERVER_PATH, LIST (';' between), SIZE
 *             (bytes), TIME (milliseconds), ID, MODE (octal), LEVEL, CHOICE
 *             (one of the words of `argument`, '|' between)
 *   low, high bounds of a number, in its unit
 *   fallback  as a user would write it; "" = not set; what that means stands
 *             in the help
 * GENERIC(name, help): what mount(8) and fstab(5) add; taken, no effect here
 *
 * The names are interface: tests/check_man.py holds them against --help and
 * the man page.
 */
OPTION(ro, FLAG, 0, 0, "", "yes", "read only; writing fails with EROFS")
OPTION(rw, FLAG, 0, 0, "", "no",
    "files may be written; of ro and rw the last one counts")
OPTION(token_file, PATH, 0, 0, "FILE", "",
    "where the token is (default: discovered, see TOKENS)")
OPTION(token_write_file, PATH, 0, 0, "FILE", "",
    "where the token for writing is (default: the same)")
OPTION(agent, PATH, 0, 0, "SOCKET", "",
    "the token agent's socket (default: $OIDC_SOCK)")
OPTION(account, LIST, 0, 0, "NAME", "",
    "of the agent, or its issuer's https:// address (default: the only one)")
OPTION(issuer, LIST, 0, 0, "URL[;...]", "",
    "whose tokens are verified here (default: none are)")
OPTION(
    jwks, PATH, 0, 0, "FILE", "", "keys to verify with (default: the issuer's)")
OPTION(audience, LIST, 0, 0, "NAME[;...]", "",
    "for whom a token must be (default: the server judges)")
OPTION(base_path, SERVER_PATH, 0, 0, "PATH", "/",
    "server path that the scope \"/\" means")
OPTION(server, LIST, 0, 0, "URL[;...]", "",
    "caches to read from, the best first; behind them is SOURCE")
OPTION(redirect_hosts, LIST, 0, 0, "PATTERN[;...]", "",
    "more hosts to which a redirect may take the token")
OPTION(cache_dir, PATH, 0, 0, "DIR", "",
    "block cache (default: $XDG_CACHE_HOME/bearerfs)")
OPTION(cache_size, SIZE, 0, 1ULL << 50, "SIZE", "10G",
    "bound of the block cache; 0 keeps nothing on disk")
OPTION(spool_dir, PATH, 0, 0, "DIR", "",
    "unsent writes (default: $XDG_STATE_HOME/bearerfs/spool)")
OPTION(spool_size, SIZE, 1, 1ULL << 60, "SIZE", "10G",
    "what one user's unsent writes may occupy")
OPTION(write, CHOICE, 0, 0, "through|back", "through",
    "close(2) returns when the server has the file, or when the spool has it")
OPTION(fsync, CHOICE, 0, 0, "spool|server", "spool", "what fsync(2) waits for")
OPTION(uid, ID, 0, 4294967294ULL, "N", "",
    "owner that stat shows (default: the mounting user)")
OPTION(gid, ID, 0, 4294967294ULL, "N", "",
    "group that stat shows (default: the mounting user's)")
OPTION(umask, MODE, 0, 0777, "MODE", "",
    "bits missing from the modes (default: 022; 077 with rw and without "
    "allow_other)")
OPTION(attr_ttl, TIME, 0, 30ULL * 86400000, "TIME", "60s",
    "how long attributes and listings are believed")
OPTION(negative_ttl, TIME, 0, 30ULL * 86400000, "TIME", "5s",
    "how long the absence of a name is believed")
OPTION(immutable, FLAG, 0, 0, "", "",
    "files under SOURCE never change once published (default: no; yes for "
    "pelican:// and osdf://)")
OPTION(offline, CHOICE, 0, 0, "no|yes|auto", "auto",
    "serve what is known while no server can be reached; auto: yes, but no "
    "with allow_other")
OPTION(offline_grace, TIME, 0, 3650ULL * 86400000, "TIME", "",
    "how long past its end a token may do for that (default: 7d, 0 with "
    "allow_other)")
OPTION(allow_other, FLAG, 0, 0, "", "no",
    "one mount for all users, each under their own token; needs root")
OPTION(noexec, FLAG, 0, 0, "", "no", "programs on the mount cannot be run")
OPTION(check, FLAG, 0, 0, "", "no",
    "refuse to start unless the source answers to the token")
OPTION(timeout, TIME, 1000, 86400000, "TIME", "120s",
    "longest that any file operation may take")
OPTION(ca_file, PATH, 0, 0, "FILE", "",
    "trust roots, one PEM file (default: the system's)")
OPTION(ca_dir, PATH, 0, 0, "DIR", "",
    "trust roots, hashed (default: /etc/grid-security/certificates)")
OPTION(insecure_http, FLAG, 0, 0, "", "no",
    "allow an http:// source, which never gets a token")
OPTION(log, LEVEL, 0, 3, "LEVEL", "info", "error, warn, info or debug")
OPTION(log_file, PATH, 0, 0, "FILE", "",
    "where the log goes (default: syslog; stderr with -f)")

GENERIC("defaults", "fstab's placeholder")
GENERIC("auto", "mount at boot")
GENERIC("noauto", "do not mount at boot")
GENERIC("user", "any user may mount it")
GENERIC("users", "any user may mount and unmount it")
GENERIC("nouser", "only root may mount it")
GENERIC("owner", "the owner of the device may mount it")
GENERIC("group", "the group of the device may mount it")
GENERIC("_netdev", "mount when the network is up")
GENERIC("nofail", "no failure at boot")
GENERIC("nosuid", "always in force")
GENERIC("nodev", "always in force")
GENERIC("exec", "the default")
GENERIC("noatime", "there are no access times")
GENERIC("nodiratime", "there are no access times")
GENERIC("relatime", "there are no access times")
GENERIC("async", "the default")
