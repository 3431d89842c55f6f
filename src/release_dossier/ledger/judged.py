"""What judging a ledger gives, whoever does it: the reference over rows, or an engine over columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from release_dossier.ledger.account import Accounts, replay
from release_dossier.ledger.checks import Check, all_checks
from release_dossier.ledger.columns import Ledger
from release_dossier.ledger.rulesets import Eras


class Judged(msgspec.Struct, frozen=True):
    """Accounts (of an engine: those the checks' examples need), the checks a ledger alone allows, totals, how many sales were replayed."""

    accounts: Accounts
    checks: list[Check]
    totals: dict[str, str]
    sales: int


class Facts(msgspec.Struct, frozen=True):
    """How large a ledger is; `moments` when rows were made, sorted, at least one of each span between migrations; the last order."""

    users: int
    markets: int
    bets: int
    moments: Sequence[int]
    last_order: int | None


class Engine(msgspec.Struct, frozen=True):
    """Who judges: under some rules, given what sales asked for. `whole` gives all rows, `around` those a user's account is made of."""

    name: str
    facts: Facts
    judge: Callable[[Eras, Mapping[int, int]], Judged]
    whole: Callable[[], Ledger]
    around: Callable[[str], Ledger]


def by_rows(g: Ledger) -> Engine:
    """The reference, which every engine must equal to the byte."""

    def judge(eras: Eras, asked: Mapping[int, int]) -> Judged:
        accounts = replay(g, eras, asked)
        return Judged(accounts, all_checks(g, accounts, eras), _totals(g, accounts), len(accounts.sales))

    live = [b.placed_at for b in g.live if b.placed_at is not None]
    facts = Facts(len(g.users), len(g.markets), len(live), _moments(g), max(live, default=None))
    return Engine("python", facts, judge, lambda: g, lambda user: g)


def _moments(g: Ledger) -> list[int]:
    found = [b.placed_at for b in g.bets] + [m.created_at for m in g.markets] + [m.resolved_at for m in g.markets]
    return sorted(t for t in found if t is not None)


def _totals(ledger: Ledger, a: Accounts) -> dict[str, str]:
    off = 0
    for u in ledger.users:
        low, high = a.expected(u.username)
        if not u.deleted and u.username not in a.unjudged:
            off += u.balance - high if u.balance > high else low - u.balance if u.balance < low else 0
    legal = [s for s in a.sales if not s.against]
    return {
        "minted": str(sum(s.minted for s in legal) + sum(max(0, s.paid - s.volume) for s in a.settled)),
        "burned": str(sum(max(0, s.volume - s.paid) for s in a.settled)),
        "unexplained": str(off),
        "dust_low": str(sum(s.shares * s.price - s.high for s in legal)),
        "dust_high": str(sum(s.shares * s.price - s.low for s in legal)),
    }
