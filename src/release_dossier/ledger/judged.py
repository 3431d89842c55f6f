"""What judging a ledger gives, whoever does it: the reference over rows, or an engine over columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from release_dossier.ledger.account import Accounts, Step, replay
from release_dossier.ledger.checks import Check, all_checks
from release_dossier.ledger.columns import Ledger
from release_dossier.ledger.credits import by_market, degenerate, totals
from release_dossier.ledger.rulesets import Eras


class Judged(msgspec.Struct, frozen=True):
    """Accounts (of an engine: only the markets without an answer), the checks a ledger alone allows, credits in total and by market,
    markets that have no answer, how many sales were replayed."""

    accounts: Accounts
    checks: list[Check]
    totals: dict[str, str]
    markets: list[dict[str, str]]
    findings: list[dict[str, Any]]
    sales: int


class Facts(msgspec.Struct, frozen=True):
    """How large a ledger is; `moments` when rows were made, sorted, at least one of each span between migrations; the last order."""

    users: int
    markets: int
    bets: int
    moments: Sequence[int]
    last_order: int | None


class Engine(msgspec.Struct, frozen=True):
    """Who judges: under some rules, given what sales asked for. `whole` gives all rows, `touched` those that the accounts of
    some users are made of, cut short beyond so many orders."""

    name: str
    facts: Facts
    judge: Callable[[Eras, Mapping[int, int]], Judged]
    whole: Callable[[], Ledger]
    touched: Callable[[Sequence[str], int], Ledger]


def by_rows(g: Ledger, step: Step | None = None) -> Engine:
    """The reference, which every engine must equal to the byte; `step` is told how many of how many orders are replayed."""

    def judge(eras: Eras, asked: Mapping[int, int]) -> Judged:
        accounts = replay(g, eras, asked, step)
        checks = all_checks(g, accounts, eras)
        return Judged(accounts, checks, totals(g, accounts), by_market(g, accounts), degenerate(accounts), len(accounts.sales))

    live = [b.placed_at for b in g.live if b.placed_at is not None]
    facts = Facts(len(g.users), len(g.markets), len(live), _moments(g), max(live, default=None))
    return Engine("python", facts, judge, lambda: g, lambda users, most: g)


def _moments(g: Ledger) -> list[int]:
    found = [b.placed_at for b in g.bets] + [m.created_at for m in g.markets] + [m.resolved_at for m in g.markets]
    return sorted(t for t in found if t is not None)
