"""Moments reckoned with, spans as people read them. `release_dossier.moment` says what a moment is and how it is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from release_dossier.moment import moment, stamp

__all__ = ["after", "moment", "span", "stamp"]

_LAST = datetime.max.replace(tzinfo=UTC)
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
DAY_HOURS = 72  # hours from which people count in days


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
