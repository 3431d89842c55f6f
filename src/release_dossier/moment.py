"""A moment as documents write it: RFC 3339 with its offset.

Anything else is None, never a guess: Python's own parser accepts more with every version, and a decision must be the same on all of them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["moment", "stamp"]
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-5][0-9])\Z"
)


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
    """RFC 3339 UTC to the millisecond, with `Z`."""
    return t.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
