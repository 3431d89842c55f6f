"""Where credits come from nothing and go to nothing: minted, burned and unexplained, of each market and in total; and markets that have no
answer, with the orders that led there."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from release_dossier.ledger.account import Accounts
from release_dossier.ledger.columns import Ledger
from release_dossier.limits import LEDGER_EXAMPLES_MAX, LEDGER_MARKETS_MAX


def totals(g: Ledger, a: Accounts) -> dict[str, str]:
    """Credits minted by sales and by payouts beyond a pool, burned with pools nobody won, and unexplained by the rules, in total."""
    beyond = a.beyond
    off = sum(abs(a.off(u.username, u.balance)) for u in g.users if not u.deleted and u.username not in beyond)
    legal = [s for s in a.sales if not s.against]
    return {
        "minted": str(sum(s.minted for s in legal) + sum(max(0, s.paid - s.volume) for s in a.settled)),
        "burned": str(sum(max(0, s.volume - s.paid) for s in a.settled)),
        "unexplained": str(off),
        "dust_low": str(sum(s.dust[0] for s in legal)),
        "dust_high": str(sum(s.dust[1] for s in legal)),
    }


def by_market(g: Ledger, a: Accounts) -> list[dict[str, str]]:
    """The same of each market that has any, largest first. Unexplained is a market's where it alone moved an accused user's credits;
    what several markets may have done is in the line without a market. Too many and too few credits add up, as in the total."""
    lines: dict[int | None, dict[str, int]] = {}

    def add(market: int | None, what: str, credits: int) -> None:
        if credits:
            line = lines.setdefault(market, dict.fromkeys(("minted_by_sales", "minted_by_payouts", "burned", "unexplained"), 0))
            line[what] += credits

    for s in a.sales:
        add(s.market, "minted_by_sales", s.minted)
    for m in a.settled:
        add(m.market, "minted_by_payouts", max(0, m.paid - m.volume))
        add(m.market, "burned", max(0, m.volume - m.paid))
    beyond = a.beyond
    for u in g.users:
        off = 0 if u.deleted or u.username in beyond else a.off(u.username, u.balance)
        if off:
            touched = {x.market for x in a.lines.get(u.username, ()) if x.what != "initial balance"}
            add(touched.pop() if len(touched) == 1 else None, "unexplained", abs(off))
    largest = sorted(lines.items(), key=lambda kv: (-max(map(abs, kv[1].values())), kv[0] or 0))
    return [
        {"market": "" if market is None else str(market), **{k: str(v) for k, v in line.items()}}
        for market, line in largest[:LEDGER_MARKETS_MAX]
    ]


KINDS = (
    ("weights sum", "weights-sum-to-nothing"),
    ("not finite", "probability-not-finite"),
    ("64 bits", "beyond-64-bits"),
)


def degenerate(a: Accounts) -> list[dict[str, Any]]:
    """Markets that have no answer any more, or whose pool is below nothing: which kind, whose, and the orders that led there."""
    stuck = {s.market: s for s in a.stuck}
    found = []
    for market, rows in a.rows.items():
        pools = list(accumulate(r.amount for r in rows))
        if market in stuck:
            why = stuck[market].why
            kind = next((name for part, name in KINDS if part in why), "no-answer")
            last = next((i for i, r in enumerate(rows) if r.id == stuck[market].bet), len(rows) - 1)
        elif pools and pools[-1] < 0:
            why, kind, last = f"its pool is {pools[-1]}", "pool-below-nothing", next(i for i, p in enumerate(pools) if p < 0)
        else:
            continue
        first = max(0, last + 1 - LEDGER_EXAMPLES_MAX)
        orders = [
            {"order": str(r.id), "user": r.user, "side": "YES" if r.yes else "NO", "amount": str(r.amount), "pool": str(pool)}
            for r, pool in zip(rows[first : last + 1], pools[first : last + 1], strict=True)
        ]
        users = sorted({r.user for r in rows})
        shown: dict[str, Any] = {"type": "degenerate-market", "kind": kind, "market": str(market), "why": why}
        found.append(shown | {"orders": orders, "users": users[:LEDGER_EXAMPLES_MAX]})
    return found
