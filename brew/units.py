"""Sizes and lengths of time as people write them: "8G", "512 MiB"; "90m", "4h", "1d12h"."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?")
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def mib(size: int) -> str:
    """Bytes as MiB with a digit where it matters.

    >>> mib(5 * 2**20), mib(2**30), mib(3000)
    ('5.0 MiB', '1024 MiB', '0.0 MiB')
    """
    value = size / 2**20
    return f"{value:.0f} MiB" if value >= 100 else f"{value:.1f} MiB"


def size(text: str) -> int | None:
    """The bytes that "8G", "512 MiB" or "4096" mean, in steps of 1024; None where it is no size or zero.

    >>> size("8G"), size("1.5 MiB"), size("4096"), size("much")
    (8589934592, 1572864, 4096, None)
    """
    parts = _SIZE.fullmatch("".join(text.lower().split()))
    return int(float(parts[1]) * 1024 ** "bkmgt".index(parts[2] or "b")) or None if parts else None


def seconds(text: str) -> float | None:
    """The length in seconds, None where `text` is none or is zero; a number alone counts seconds.

    >>> seconds("1h30m"), seconds("45"), seconds("2 h"), seconds("soon")
    (5400.0, 45.0, 7200.0, None)
    """
    compact = "".join(text.lower().split())
    if _NUMBER.fullmatch(compact):
        return float(compact) or None
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts) or None
