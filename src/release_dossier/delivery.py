"""A delivery: one payload on its way to one destination, its tries, and what an answer means.

1. The id is made from project, destination and bytes: the same payload for the same destination is one delivery, at every call and retry.
2. An answer of 2xx is delivered. 408, 425, 429, 5xx and silence are worth another try, and so is a 403 that says it is one of too many
   requests; everything else is the receiver's no.
3. Tries are spread as Standard Webhooks proposes, over three days, then it has failed for good. A receiver's Retry-After is heeded within
   those bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import ceil

import msgspec

from release_dossier.digest import digest_of
from release_dossier.moment import stamp

BACKOFF_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)  # after try 1, 2, …: the specification's own schedule
RETRY_AFTER_SECONDS_MAX = 86_400


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """Something to send. `body` is the artifact with the exact bytes; `about` what the destination needs beside it."""

    id: str
    destination: str
    kind: str
    audience: str
    dossier: str
    body: str
    about: dict[str, str]
    queued_at: str


class Began(msgspec.Struct, frozen=True, kw_only=True):
    """Try `n` of a delivery is about to leave."""

    id: str
    n: int
    at: str


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How try `n` ended: `delivered`, `refused` (the receiver's last word) or `failed` (again at `next_at`)."""

    id: str
    n: int
    at: str
    outcome: str
    status: int
    detail: str
    next_at: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery and all its tries. A try without an end was killed."""

    delivery: Delivery
    began: tuple[Began, ...] = ()
    ended: tuple[Ended, ...] = ()

    @property
    def outcome(self) -> str:
        """`queued`, `interrupted`, or how the last try ended."""
        if not self.began:
            return "queued"
        last = self.ended[-1] if self.ended else None
        return last.outcome if last is not None and last.n == self.began[-1].n else "interrupted"

    @property
    def pending(self) -> bool:
        """Whether it is still to be sent."""
        return self.outcome in ("queued", "interrupted", "failed")

    @property
    def stopped(self) -> bool:
        """Whether it was given up before a receiver said no: for a setting of ours, or for silence. Sent again, it is tried again."""
        return self.outcome == "refused" and self.ended[-1].status == 0

    @property
    def next_at(self) -> str:
        """Not before this moment; empty for at once."""
        return self.ended[-1].next_at if self.outcome == "failed" else ""


def delivery_id(project: str, destination: str, payload: str) -> str:
    """`msg_…`: the idempotency key a receiver sees."""
    return "msg_" + digest_of([project, destination, payload])[7:39]


def ended(began: Began, at: datetime, status: int, detail: str, headers: Mapping[str, str]) -> Ended:
    """How a try ended. `status` is 0 where nobody answered."""
    moment = stamp(at)
    if 200 <= status < 300:
        return Ended(id=began.id, n=began.n, at=moment, outcome="delivered", status=status, detail=detail)
    again = status in (0, 408, 425) or status >= 500 or asked_too_often(status, headers)
    if not again or began.n > len(BACKOFF_SECONDS):
        why = detail if not again else f"{detail}; given up after {began.n} tries"
        return Ended(id=began.id, n=began.n, at=moment, outcome="refused", status=status, detail=why)
    wait = BACKOFF_SECONDS[began.n - 1]
    wait = max(wait, min(_asked(headers.get("retry-after", ""), at), RETRY_AFTER_SECONDS_MAX))
    next_at = stamp(at + timedelta(seconds=wait))
    return Ended(id=began.id, n=began.n, at=moment, outcome="failed", status=status, detail=detail, next_at=next_at)


def asked_too_often(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer is about how many requests there were, not about this one: 429, or the 403 GitHub gives for its limits
    (docs.github.com, "Rate limits for the REST API", exceeding the rate limit)."""
    return status == 429 or (status == 403 and (headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers))


def _asked(text: str, at: datetime) -> int:
    """Seconds a Retry-After asks for: a number, or the moment of an HTTP date (RFC 9110, 10.2.3). 0 for anything else."""
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return 0
    return max(0, ceil((then.replace(tzinfo=then.tzinfo or UTC) - at).total_seconds()))
