"""Putting orders market by market, each in order of time and id, from rows that lie in order of ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from release_dossier.ledger.fast.compiled import compiled


@compiled
def count(market: Any, counts: Any) -> None:
    """How many rows each market has; numbers beyond `counts` are of none."""
    for i in range(len(market)):
        if market[i] < len(counts):
            counts[market[i]] += 1


@compiled
def put(market: Any, first: int, last: int, live: Any, free: Any, where: Any, rows: Any, out: Any) -> None:
    """Put the live rows of markets `first` to `last` in the next free place of each, which `where` then has.

    Columns of `rows` and `out`: id, user, amount, whether the side is YES (1), moment.
    """
    ids, users, amounts, sides, moments = rows
    id_, user, amount, yes, at = out
    for i in range(len(market)):
        m = market[i]
        if live[i] and first <= m < last:
            k = free[m - first]
            free[m - first] = k + 1
            where[i] = k
            id_[k] = ids[i]
            user[k] = users[i]
            amount[k] = amounts[i]
            yes[k] = sides[i] == 1
            at[k] = moments[i]


@compiled
def late(start: Any, at: Any) -> Any:
    """Markets in which some row is earlier than the one before it."""
    found = np.zeros(len(start) - 1, np.int8)
    for m in range(len(start) - 1):
        for i in range(start[m] + 1, start[m + 1]):
            if at[i] < at[i - 1]:
                found[m] = 1
                break
    return np.flatnonzero(found)
