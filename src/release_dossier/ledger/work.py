"""What the server's own analytics say of fees for taking part: kept by the house, or a steward's profit.

While only a part of the work was paid, each build reckoned in its own way: nothing is said of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

from release_dossier.ledger.columns import Group, Market
from release_dossier.ledger.stood import Stood


def work_profit(s: Stood, user: str, at: int) -> int | None:
    """Fees of the resolved markets and groups a user is steward of, less what they cost; None where this cannot be known."""
    rules = s.eras.one(at)
    if rules.work_profit != "full" or s.ledger.stewardships:
        return None  # who was steward when it was shown is in no row of today
    found = 0
    for m in _standalone(s):
        if m.steward == user and s.result(m.id, at) not in ("", "N/A"):
            found += rules.initial_bet_fee * len(_buyers(s, [m.id], at)) - (m.cost or rules.create_market_cost)
    for g in s.ledger.groups or ():
        if g.steward != user or (end := _resolved(s, g, at)) is None:
            continue
        answers = _answers(s, g)
        if _left_open_since(s, answers, end, at):
            return None
        found += rules.initial_bet_fee * len(_buyers(s, answers, at)) - (g.cost or rules.create_market_cost)
    return found


def fees_kept(s: Stood, at: int) -> int | None:
    """Fees of everybody's first order that no steward was paid; None where this cannot be known."""
    rules = s.eras.one(at)
    if rules.work_profit == "threshold":
        return None
    if rules.work_profit == "none":
        return rules.initial_bet_fee * sum(len(_buyers(s, [m], at)) for m in s.accounts.rows)
    alone = sum(len(_buyers(s, [m.id], at)) for m in _standalone(s) if s.result(m.id, at) in ("", "N/A"))
    for g in s.ledger.groups or ():
        answers, end = _answers(s, g), _resolved(s, g, at)
        if end is None:
            alone += len(_buyers(s, answers, at))
        elif _left_open_since(s, answers, end, at):
            return None
    return rules.initial_bet_fee * alone


def _standalone(s: Stood) -> list[Market]:
    children = {m.market_id for m in s.ledger.members}
    return [m for m in s.ledger.markets if m.id not in children]


def _answers(s: Stood, g: Group) -> list[int]:
    return [m.market_id for m in s.ledger.members if m.group_id == g.id]


def _resolved(s: Stood, g: Group, at: int) -> int | None:
    """When a group was resolved, None while it was not: by its answers, but for those it left open."""
    done = [m for i in _answers(s, g) if (m := s.markets.get(i)) is not None and m.resolved]
    end = max((m.resolved_at or 0 for m in done), default=0)
    return end if g.lifecycle == "resolved" and done and end <= at else None


def _left_open_since(s: Stood, answers: Sequence[int], end: int, at: int) -> bool:
    """Whether somebody bought a first time in a group after it was resolved, of whom nobody knows where the fee is counted."""
    return len(_buyers(s, answers, at)) > len(_buyers(s, answers, end))


def _buyers(s: Stood, markets: Sequence[int], at: int) -> set[str]:
    return {r.user for m in markets for r in s.rows(m, at) if r.amount > 0}
