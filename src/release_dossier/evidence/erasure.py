"""An erasure: a person's signed word that an artifact was removed for good, and why.

It says what is gone, so that nothing is missing silently: decisions that stood on it keep standing and show it as withheld, new ones count
what it carried as missing. Erasing a failure's artifact does not take the failure back.
"""

from __future__ import annotations

import msgspec


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """The artifact with this digest was removed."""

    artifact: str
    person: str
    reason: str
    signed_at: str
