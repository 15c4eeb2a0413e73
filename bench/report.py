# SPDX-License-Identifier: Apache-2.0
"""One table out of all rows: medians, ratios, costs."""
import statistics

# row: (whom to compare with, that one's row, wanted ratio)
LIMITS = {
    "cold sequential": ("curl", "cold sequential", 0.6),
    "warm from disk": ("ext4", "warm from disk", 0.95),
    "warm page cache": ("ext4", "warm page cache", 0.95),
    "random 4 KiB cold, 1": ("curl", "random 4 KiB cold, 1", 0.4),
    "random 64 KiB cold, 8": ("curl", "random 64 KiB cold, 8", 0.6),
    "random 4 KiB warm, 1": ("ext4", "random 4 KiB warm, 1", 0.95),
    "random 4 KiB warm, 8": ("ext4", "random 4 KiB warm, 8", 0.8),
    "find cold": ("curl", "find cold", None),
    "find again": ("ext4", "find again", None),
    "tar cold": ("curl", "tar cold", None),
    "64 x 16 MiB cold, 8": ("curl", "64 x 16 MiB cold, 8", 0.8),
    "64 x 16 MiB warm, 8": ("ext4", "64 x 16 MiB warm, 8", 0.95),
    "small files cold, 8": ("curl", "small files cold, 8", None),
    "small files warm, 1": ("ext4", "small files warm, 1", None),
    "first byte, new": ("curl", "first byte, new", None),
    "first byte, running": ("curl", "first byte, running", None),
    "cold sequential@40": ("curl", "cold sequential, 8@40", 0.85),
    "thin sequential@40": ("curl", "thin sequential, 8@40", 0.85),
    "random 64 KiB cold, 8@40": ("curl", "random 64 KiB cold, 8@40", 0.95),
    "find cold@40": ("curl", "find cold@40", None),
    "tar cold@40": ("curl", "tar cold, 8@40", None),
    "write large": ("curl", "write large", 0.7),
    "write 8 large at once": ("curl", "write 8 large at once", None),
    # What is wanted below was told where one curl makes 8300 files/s.
    "small writes, 1": ("curl", "small writes, 1", 0.18),
    "small writes, 8": ("curl", "small writes, 1", 0.36),
    "small writes, back": ("curl", "small writes, 1", 0.36),
    "small writes, 16@40": ("curl", "small writes, 8@40", None),
    "small writes, back@40": ("curl", "small writes, 8@40", None),
    "two slow caches": ("bearerfs", "one slow cache", 1.75),
    "near cache, far origin, cold":
        ("bearerfs", "near cache alone, cold", 0.9),
    "near cache, far origin, warm":
        ("bearerfs", "near cache alone, warm", 0.9),
}

# row: wanted of bearerfs, in the row's unit; rows in LESS want at most, the
# others at least. These count on a machine that has nothing else to do, but
# for those far away, which wait more than they work.
WANTED = {
    "find cold": 45000,
    "find again": 150000,
    "tar cold": 4000,
    "small files cold, 8": 5000,
    "small files warm, 1": 80000,
    "open cached, shared costs": 50,
    "first byte, new": 3,
    "first byte, running": 0.5,
    "random 64 KiB cold, 8@40": 175,
    "find cold@40": 12000,
    "tar cold@40": 300,
    "small writes, 1": 1500,
    "small writes, 8": 3000,
    "small writes, back": 3000,
    "small writes, 16@40": 160,
    "small writes, back@40": 160,
    "p99 with stalls / p50 without": 3,
    "asked for twice": 5,
    "two slow caches": 350,
}

# row: what of its costs bearerfs may have at most.
COSTS = {
    "cold sequential": {"cpu_s_per_gb": 1.4},
    "warm from disk": {"cpu_s_per_gb": 0.6},
    "random 4 KiB cold, 1": {"amplification": 16.1},
    "random 64 KiB cold, 8": {"amplification": 1.1},
}
# Units of which less is better.
LESS = ("ms", "us", "x", "%")
PEAK_BYTES_MAX = 256 << 20
# Costs of which nothing is worth telling.
ALSO_ZERO = ("cpu_s_per_gb", "amplification", "requests")
# The programs that a user could take instead.
PEERS = ("rclone", "httpdirfs")


def median(results, row, contender, key="value"):
    found = [one[key] for one in results if one["row"] == row
             and one["contender"] == contender and key in one]
    return statistics.median(found) if found else None


def number(value, digits=4):
    return "-" if value is None else f"{value:.{digits}g}"


def ratio_of(results, row):
    """Text for the ratio of bearerfs to the one it is compared with."""
    words = []
    other, other_row, wanted = LIMITS.get(row, (None, None, None))
    own = median(results, row, "bearerfs")
    limit = median(results, other_row, other)
    pages = median(results, row, "tmpfs")
    if own is not None and limit:
        text = f"{own / limit:.2f} x {other}"
        if pages:
            text += f" ({own / pages:.2f} x tmpfs)"
        if other_row != row and ", " in other_row:
            text += f" ({other_row.partition(', ')[2].partition('@')[0]})"
        if wanted is not None:
            text += f", wanted {wanted}" + missed(own / limit >= wanted)
        words.append(text)
    unit = next(one["unit"] for one in results if one["row"] == row)
    less = unit in LESS
    words += peer_of(results, row, own, less)
    if own is not None and row in WANTED:
        wanted = WANTED[row]
        words.append(f"wanted {wanted} {unit}" + missed(
            own <= wanted if less else own >= wanted))
    return "; ".join(words)


def peer_of(results, row, own, less):
    """Text for the ratio to the best program that a user could take
    instead; `less` is better where times are measured."""
    peers = [(value, name) for name in PEERS
             if (value := median(results, row, name))]
    if own is None or not peers:
        return []
    value, name = min(peers) if less else max(peers)
    return [f"{own / value:.3g} x {name}"]


def missed(good):
    return "" if good else ": MISSED"


def verify_text(row):
    """Lines on the verification of tokens."""
    wanted = 10000
    good = row["es256_per_s"] >= wanted
    return (f"tokens verified in a second by one core: "
            f"ES256 {row['es256_per_s']} (wanted {wanted}{missed(good)}), "
            f"RS256 {row['rs256_per_s']}; judged again: "
            f"{row['known_per_s']}")


def costs_of(results, row):
    """Text for what bearerfs needed."""
    words = []
    for key, unit in (("cpu_s_per_gb", "CPU s/GB"),
                      ("amplification", "x amplification"),
                      ("requests", "requests"),
                      ("requests_per_file", "a file"),
                      ("peak_bytes", "MiB"),
                      ("dropped_blocks", "blocks not kept")):
        value = median(results, row, "bearerfs", key)
        most = COSTS.get(row, {}).get(key)
        if value or (value == 0 and key in ALSO_ZERO):
            shown = value / 1048576 if key == "peak_bytes" else value
            words.append(f"{number(shown, 3 if key != 'requests' else 6)} "
                         f"{unit}")
            if most is not None and value > most:
                words[-1] += f" (wanted {most}: MISSED)"
    return ", ".join(words)


def text(results):
    names = [name for name in ("bearerfs", "curl", "ext4", "tmpfs", "rclone",
                               "httpdirfs")
             if any(one["contender"] == name for one in results)]
    rows = list(dict.fromkeys(one["row"] for one in results))
    units = {one["row"]: one["unit"] for one in results}
    table = [["row", "unit"] + names + ["bearerfs is", "bearerfs needs"]]
    for row in rows:
        table.append([row, units[row]]
                     + [number(median(results, row, name)) for name in names]
                     + [ratio_of(results, row), costs_of(results, row)])
    widths = [max(len(line[i]) for line in table)
              for i in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in
                       zip(line, widths)).rstrip() for line in table]
    for name in names:
        peak = max((one.get("peak_bytes", 0) for one in results
                    if one["contender"] == name), default=0)
        if peak:
            lines.append(f"peak memory of {name}: {peak / 1048576:.0f} MiB"
                         + missed(name != "bearerfs"
                                  or peak <= PEAK_BYTES_MAX))
    return "\n".join(lines)
