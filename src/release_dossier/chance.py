"""Chance: how far a figure stands out from those released before it, exactly and without a distribution assumed.

Figures measured alike are taken as exchangeable: had nothing changed, the newest would be as likely to hold any rank among them
as any other. So its rank alone gives p (a permutation test of one against n), and the order statistics of those before give an
interval for their median. Of few figures little follows: with n before, p is never below 2 / (n + 1), which is said instead of hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import msgspec

LEVEL = 0.05  # two-sided


class Standing(msgspec.Struct, frozen=True):
    """One figure beside `n` before it.

    Args:
        p: two-sided, of a figure this far out if nothing changed; 1 where there are none before.
        effect: how far it is from their median, in its own unit; None without any.
        low, high: of the effect, at least 95 % sure; None below six figures, which give no such interval.
        needed: how many more figures it takes before any figure could be told from chance.
    """

    n: int
    p: float
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    needed: int = 0


def standing(value: float, before: Sequence[float]) -> Standing:
    """`value` among those `before` it. Finite numbers in one unit; order does not matter."""
    n = len(before)
    needed = max(0, round(2 / LEVEL) - 1 - n)
    if not n:
        return Standing(0, 1.0, needed=needed)
    beyond = min(sum(x <= value for x in before), sum(x >= value for x in before))
    p = min(1.0, 2 * (beyond + 1) / (n + 1))
    ordered = sorted(before)
    median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    k = _covering(n)
    if not k:
        return Standing(n, p, value - median, needed=needed)
    return Standing(n, p, value - median, value - ordered[n - k], value - ordered[k - 1], needed)


def _covering(n: int) -> int:
    """The largest k so that the k-th smallest and the k-th largest of n hold their median between them at `LEVEL`; 0 where none do."""
    k, tail = 0, 0.0
    while True:
        tail += comb(n, k) / 2**n
        if 2 * tail > LEVEL:
            return k
        k += 1


def adjusted(ps: Sequence[float]) -> tuple[float, ...]:
    """q of each p: the share of false alarms if everything up to it were called a change (Benjamini and Hochberg 1995)."""
    m, least = len(ps), 1.0
    out = [1.0] * m
    for rank, i in reversed(list(enumerate(sorted(range(m), key=lambda i: ps[i]), 1))):
        least = min(least, ps[i] * (m / rank))
        out[i] = least
    return tuple(out)
