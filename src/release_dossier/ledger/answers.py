"""R8: numbers the server showed, each held against the replay of the ledger as it stood when it was shown.

Looked at: the list of positions of a market and one user's position. An answer that declares itself stale is judged at its own time of
making; one that says it is fresh is judged at the time it was given. Other answers are counted and not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from release_dossier.ledger.account import Accounts
from release_dossier.ledger.checks import Check, Example, conclude
from release_dossier.ledger.columns import Ledger
from release_dossier.ledger.rulesets import Eras, microseconds
from release_dossier.ledger.settlement import NOTHING, Degenerate, Position, positions

_LIST = re.compile(r"/v0/markets/positions/(\d+)\Z")
_ONE = re.compile(r"/v0/markets/positions/(\d+)/([a-z0-9]+)\Z")
TITLE = "Every number shown was what the ledger gives"


def r8(answers: Iterable[Any], g: Ledger, a: Accounts, eras: Eras) -> Check:
    """Judge answers: records `path, at, as, status, body`."""
    found: list[Example] = []
    seen = judged = 0
    for answer in answers:
        seen += 1
        asked = _asked(answer)
        if asked is None:
            continue
        market, user, shown, at = asked
        try:
            held = _stood(market, at, g, a, eras)
        except Degenerate:
            continue
        judged += 1
        found += _differences(market, user, shown, held)
    check = conclude("R8", TITLE, seen, found, looked_at=judged)
    return check if judged else Check(id="R8", title=TITLE, state="missing", looked_at=0, of=seen, why="no answer shows positions")


def _asked(answer: Any) -> tuple[int, str | None, list[Mapping[str, Any]], int] | None:
    """(market, one user or None for all, positions shown, moment) of an answer that shows positions."""
    if not isinstance(answer, Mapping) or answer.get("status") != 200:
        return None
    path, at = str(answer.get("path", "")).split("?")[0], microseconds(str(answer.get("at", "")))
    one, many = _ONE.match(path), _LIST.match(path)
    if at is None or not (one or many):
        return None
    body = answer.get("body")
    result = body.get("result", body) if isinstance(body, Mapping) else body
    fresh = result.get("freshness") if isinstance(result, Mapping) else None
    if isinstance(fresh, Mapping) and fresh.get("isStale"):
        at = microseconds(str(fresh.get("generatedAt"))) or at
    if many:
        shown = result.get("positions") if isinstance(result, Mapping) else result
        rows = [x for x in shown if isinstance(x, Mapping)] if isinstance(shown, list) else None
        return None if rows is None else (int(many[1]), None, rows, at)
    assert one is not None
    return (int(one[1]), one[2], [result], at) if isinstance(result, Mapping) else None


def _stood(market_id: int, at: int, g: Ledger, a: Accounts, eras: Eras) -> dict[str, Position]:
    rows = [r for r in a.rows.get(market_id, ()) if r.placed_at <= at]
    market = next((m for m in g.markets if m.id == market_id), None)
    done = market is not None and market.resolved and (market.resolved_at or 0) <= at
    return positions(rows, eras.one(at), market.result if market is not None and done else "")


def _differences(market: int, user: str | None, shown: list[Mapping[str, Any]], held: Mapping[str, Position]) -> Iterator[Example]:
    for x in shown:
        low = {k.lower(): v for k, v in x.items()}
        name = str(low.get("username") or user)
        mine = held.get(name, NOTHING)
        for key, right in (("yessharesowned", mine.yes), ("nosharesowned", mine.no), ("value", mine.value)):
            served = low.get(key)
            if isinstance(served, int) and served != right:
                words = f"{name} was shown {key.replace('sharesowned', ' shares')} {served} in market {market}, the ledger gives {right}"
                yield Example(
                    user=name, market=str(market), expected=str(right), found=str(served), difference=str(served - right), why=words
                )
