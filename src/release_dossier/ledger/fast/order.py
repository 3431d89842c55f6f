"""Putting orders market by market, each in order of time and id, in one pass over rows that lie in order of ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from release_dossier.ledger.fast.compiled import compiled


def by_market(market: Any, markets: int, at: Any) -> Any:
    """The order of rows by market, time and place; the rows lie in order of ids."""
    order, start = counted(market.astype(np.int64), markets)
    for m in late(start, order, at).tolist():
        mine = order[start[m] : start[m + 1]]
        mine[:] = mine[np.argsort(at[mine], kind="stable")]
    return order


@compiled
def counted(market: Any, markets: int) -> tuple[Any, Any]:
    """A counting sort: the order of rows by market, and where each market begins."""
    start = np.zeros(markets + 1, np.int64)
    for i in range(len(market)):
        start[market[i] + 1] += 1
    for m in range(markets):
        start[m + 1] += start[m]
    place = start[:markets].copy()
    order = np.empty(len(market), np.int64)
    for i in range(len(market)):
        order[place[market[i]]] = i
        place[market[i]] += 1
    return order, start


@compiled
def late(start: Any, order: Any, at: Any) -> Any:
    """Markets in which some row is earlier than the one before it."""
    found = np.zeros(len(start) - 1, np.int8)
    for m in range(len(start) - 1):
        for i in range(start[m] + 1, start[m + 1]):
            if at[order[i]] < at[order[i - 1]]:
                found[m] = 1
                break
    return np.flatnonzero(found)
