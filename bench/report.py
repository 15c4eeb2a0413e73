# SPDX-License-Identifier: Apache-2.0
"""One table out of all rows: medians, ratios, costs."""
import statistics

# row: (whom to compare with, that one's row, wanted ratio). Rows in ms want
# at most, the others at least.
LIMITS = {
    "cold sequential": ("curl", "cold sequential", 0.5),
    "warm from disk": ("ext4", "warm from disk", 0.75),
    "warm page cache": ("ext4", "warm page cache", 0.95),
    "random 4 KiB cold, 1": ("curl", "random 4 KiB cold, 1", 0.3),
    "random 64 KiB cold, 8": ("curl", "random 64 KiB cold, 8", 0.6),
    "random 4 KiB warm, 1": ("ext4", "random 4 KiB warm, 1", 0.95),
    "random 4 KiB warm, 8": ("ext4", "random 4 KiB warm, 8", 0.8),
    "find cold": ("rclone", "find cold", 2.0),
    "find again": ("ext4", "find again", None),
    "tar cold": ("curl", "tar cold", None),
    "64 x 16 MiB cold, 8": ("curl", "64 x 16 MiB cold, 8", 0.8),
    "64 x 16 MiB warm, 8": ("ext4", "64 x 16 MiB warm, 8", 0.95),
    "small files warm, 1": ("ext4", "small files warm, 1", None),
    "cold sequential@40": ("curl", "cold sequential, 8@40", 0.85),
    "random 64 KiB cold, 8@40": ("curl", "random 64 KiB cold, 8@40", None),
    "find cold@40": ("curl", "find cold@40", None),
    "tar cold@40": ("curl", "tar cold, 8@40", None),
}


def median(results, row, contender, key="value"):
    found = [one[key] for one in results if one["row"] == row
             and one["contender"] == contender and key in one]
    return statistics.median(found) if found else None


def number(value, digits=4):
    return "-" if value is None else f"{value:.{digits}g}"


def ratio_of(results, row):
    """Text for the ratio of bearerfs to the one it is compared with."""
    if row not in LIMITS:
        return ""
    other, other_row, wanted = LIMITS[row]
    own = median(results, row, "bearerfs")
    limit = median(results, other_row, other)
    if own is None or not limit:
        return ""
    text = f"{own / limit:.2f} x {other}"
    pages = median(results, row, "tmpfs")
    if pages:
        text += f" ({own / pages:.2f} x tmpfs)"
    if other_row != row and ", 8" in other_row:
        text += " (8)"
    if wanted is not None:
        good = own / limit >= wanted
        text += f", wanted {wanted}" + ("" if good else ": MISSED")
    return text


def verify_text(row):
    """Lines on the verification of tokens."""
    wanted = 10000
    missed = "" if row["es256_per_s"] >= wanted else ": MISSED"
    return (f"tokens verified in a second by one core: "
            f"ES256 {row['es256_per_s']} (wanted {wanted}{missed}), "
            f"RS256 {row['rs256_per_s']}; judged again: "
            f"{row['known_per_s']}")


def costs_of(results, row):
    """Text for what bearerfs needed."""
    words = []
    for key, unit in (("cpu_s_per_gb", "CPU s/GB"),
                      ("amplification", "x amplification"),
                      ("requests", "requests"),
                      ("dropped_blocks", "blocks not kept")):
        value = median(results, row, "bearerfs", key)
        if value or (value == 0 and key != "dropped_blocks"):
            words.append(f"{number(value, 3 if key != 'requests' else 6)} "
                         f"{unit}")
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
            lines.append(f"peak memory of {name}: {peak / 1048576:.0f} MiB")
    return "\n".join(lines)
