"""Lengths of time as people write them: "90m", "4h", "1d12h"."""

from __future__ import annotations

import re

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


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
