"""A ledger as rows: only the columns that move or guard money. Times are microseconds since 1970 UTC, None where the row has none.

Amounts are Python integers, so sums widen. Rows are as the database has them, soft-deleted ones included and marked.
"""

from __future__ import annotations

import msgspec


class User(msgspec.Struct, frozen=True):
    """A row of `users`."""

    id: int
    username: str
    user_type: str
    initial: int
    balance: int
    deleted: bool


class Bet(msgspec.Struct, frozen=True):
    """A row of `bets`: a buy stores credits, a sale stores minus the number of shares."""

    id: int
    username: str | None
    market_id: int | None
    amount: int
    outcome: str
    placed_at: int | None
    deleted: bool


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `markets`. `cost` is None where the schema has no `proposal_cost`, `lifecycle` where it has no `lifecycle_status`."""

    id: int
    created_at: int | None
    closes_at: int | None
    resolved: bool
    resolved_at: int | None
    result: str
    lifecycle: str | None
    cost: int | None
    creator: str
    steward: str
    rejected_at: int | None
    deleted: bool


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `market_groups`."""

    id: int
    created_at: int | None
    lifecycle: str
    cost: int
    creator: str
    steward: str
    rejected_at: int | None
    deleted: bool


class Member(msgspec.Struct, frozen=True):
    """A row of `market_group_members`: `market_id` is a child of `group_id`."""

    group_id: int
    market_id: int


class Addition(msgspec.Struct, frozen=True):
    """A row of `market_group_answer_additions`."""

    id: int
    group_id: int
    market_id: int
    status: str
    proposed_by: str
    cost: int
    reviewed_at: int | None = None


class Stewardship(msgspec.Struct, frozen=True):
    """A change of steward of a market: who it was `before` as its group had it, which may be another than the market's own."""

    market_id: int
    before: str
    at: int
    after: str = ""


class Standing(msgspec.Struct, frozen=True):
    """A change of a moderator's standing."""

    username: str
    status: str
    at: int


class Snapshot(msgspec.Struct, frozen=True):
    """A row of `market_accounting_snapshots`."""

    market_id: int
    volume: int
    bets: int
    last_bet: int
    stale: bool


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """Everything read. Optional tables are None where the schema has none. `schema` names the release family, `migration` the newest
    one applied, `known` whether all of it is known, `doubt` what is not, `lacks` the optional tables and columns it has not,
    `applied` when each migration ran."""

    users: tuple[User, ...]
    bets: tuple[Bet, ...]
    markets: tuple[Market, ...]
    groups: tuple[Group, ...] | None
    members: tuple[Member, ...]
    additions: tuple[Addition, ...] | None
    stewardships: tuple[Stewardship, ...] | None
    standings: tuple[Standing, ...] | None
    snapshots: tuple[Snapshot, ...] | None
    schema: str
    migration: str
    known: bool
    digest: str
    doubt: str = ""
    lacks: tuple[str, ...] = ()
    applied: tuple[tuple[str, int | None], ...] = ()

    @property
    def live(self) -> tuple[Bet, ...]:
        """Bets that are not soft-deleted and have what a bet needs, in the order of settlement: time, then id."""
        rows = [b for b in self.bets if not b.deleted and b.username is not None and b.market_id is not None and b.placed_at is not None]
        return tuple(sorted(rows, key=lambda b: (b.placed_at, b.id)))
