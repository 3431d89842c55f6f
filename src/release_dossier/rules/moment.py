"""Moments as documents write them, spans as people read them.

A moment is RFC 3339 with its offset. Anything else is None, never a guess: Python's own parser accepts more with every version, and a
decision must be the same on all of them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-5][0-9])\Z"
)
_LAST = datetime.max.replace(tzinfo=UTC)
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
DAY_HOURS = 72  # hours from which people count in days


@lru_cache(maxsize=16_384)
def moment(text: str) -> datetime | None:
    """The moment in UTC; None for what is not RFC 3339 with an offset, or lies outside of the calendar. Remembered: documents do not
    change, and are decided about again."""
    if not _RFC3339.match(text):
        return None
    try:
        t = datetime.fromisoformat(text)
        return t if t.tzinfo is UTC else t.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def stamp(t: datetime) -> str:
    """RFC 3339 UTC to the millisecond."""
    return t.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def after(t: datetime, seconds: int) -> datetime:
    """`t` and so many seconds, the last moment of the calendar where that lies beyond it."""
    try:
        return t + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST


def span(seconds: float) -> str:
    """A span in its two largest units, `26 h`, `1 h 30 min`, `3 d 2 h`: whole seconds, the rest cut off."""
    left = int(seconds)
    units = _UNITS if left >= DAY_HOURS * 3_600 else _UNITS[1:]
    parts = []
    for name, size in units:
        if left >= size:
            parts.append(f"{left // size} {name}")
            left %= size
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"
