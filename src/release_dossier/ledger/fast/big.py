"""A large ledger as columns. Users and markets are numbered by their rows in order of ids; names and markets no table knows come after.

Orders come in parts, each with whole markets, and whole groups of markets, so that a part is judged without the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from release_dossier.ledger import columns as c

NONE = -(2**63)  # no moment, no cost
SPAN_ROWS = 131_072  # moments looked at together
SAFE = 2**52  # amounts and balances below it add up in 64 bits whatever the number of rows


class Users(msgspec.Struct, frozen=True):
    """Columns of `users`; `names` goes on with names that only other tables know."""

    id: Any
    names: list[str]
    types: list[str]
    initial: Any
    balance: Any
    deleted: Any


class Markets(msgspec.Struct, frozen=True):
    """Columns of `markets`: result and lifecycle number `words`, creator and steward number names; -1 is the empty name."""

    id: Any
    created_at: Any
    closes_at: Any
    resolved: Any
    resolved_at: Any
    result: Any
    lifecycle: Any
    cost: Any
    creator: Any
    steward: Any
    rejected_at: Any
    deleted: Any
    words: list[str]
    has_lifecycle: bool
    has_cost: bool


class Orders(msgspec.Struct, frozen=True):
    """Live orders of whole markets, in order of market, time and id. `odd` are those whose side is neither YES nor NO."""

    id: Any
    user: Any
    market: Any
    amount: Any
    yes: Any
    at: Any
    odd: dict[int, str]  # row → the side it says


class Big(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger: `small` has every table but users, bets and markets. `rest` are bets that are deleted, or lack a user, market or time.

    `strange` are the ids of markets that orders name and no row has, numbered after the markets.
    """

    small: c.Ledger
    users: Users
    markets: Markets
    strange: list[int]
    rest: tuple[c.Bet, ...]
    live: int
    parts: Callable[[], Iterator[Orders]]
    moments: tuple[int, ...]  # sorted; one of each span between migrations in which rows were made
    last_order: int | None
    lots: tuple[tuple[int, int], ...] = ()  # first and last market of each part, where parts can be read apart
    lot: Callable[[int, int], Orders] | None = None  # reads one of them

    def market_id(self, number: int) -> int:
        """The id of a market by its number."""
        known = len(self.markets.id)
        return int(self.markets.id[number]) if number < known else self.strange[number - known]

    def user(self, number: int) -> c.User:
        """A row of `users`."""
        u = self.users
        return c.User(
            int(u.id[number]), u.names[number], u.types[number], int(u.initial[number]), int(u.balance[number]), bool(u.deleted[number])
        )

    def market(self, number: int) -> c.Market:
        """A row of `markets`."""
        return self.markets_of([number])[0]

    def markets_of(self, numbers: Sequence[int]) -> list[c.Market]:
        """Rows of `markets`, by their numbers."""
        m, names, some = self.markets, self.users.names, np.asarray(numbers, np.int64)

        def column(values: Any) -> list[Any]:
            out: list[Any] = values[some].tolist()
            return out

        def moments(values: Any) -> list[int | None]:
            return [None if x == NONE else x for x in column(values)]

        def people(values: Any) -> list[str]:
            return ["" if x < 0 else names[x] for x in column(values)]

        none = [None] * len(some)
        lifecycle = [m.words[x] for x in column(m.lifecycle)] if m.has_lifecycle else none
        each = zip(
            column(m.id), moments(m.created_at), moments(m.closes_at), column(m.resolved), moments(m.resolved_at), column(m.result),
            lifecycle, column(m.cost) if m.has_cost else none, people(m.creator), people(m.steward), moments(m.rejected_at),
            column(m.deleted), strict=True,
        )  # fmt: skip
        return [
            c.Market(
                id=number, created_at=created_at, closes_at=closes_at, resolved=resolved, resolved_at=resolved_at, result=m.words[result],
                lifecycle=stage, cost=cost, creator=creator, steward=steward, rejected_at=rejected_at, deleted=deleted,
            )
            for number, created_at, closes_at, resolved, resolved_at, result, stage, cost, creator, steward, rejected_at, deleted in each
        ]  # fmt: skip

    def bet(self, part: Orders, row: int) -> c.Bet:
        """A row of `bets`."""
        side = part.odd.get(row, "YES" if part.yes[row] else "NO")
        return c.Bet(
            int(part.id[row]), self.users.names[part.user[row]], self.market_id(int(part.market[row])), int(part.amount[row]), side,
            int(part.at[row]), False,
        )  # fmt: skip


def numbered(words: list[str], known: dict[str, int], extra: list[str] | None = None) -> Any:
    """Numbers of words; those not known yet are given the next and appended to `extra`."""
    out = np.empty(len(words), np.int32)
    for i, word in enumerate(words):
        number = known.get(word)
        if number is None:
            number = len(known)
            known[word] = number
            if extra is not None:
                extra.append(word)
        out[i] = number
    return out


def from_ledger(g: c.Ledger) -> Big | None:
    """A ledger of rows as columns; None where a number is beyond what columns add up safely, or two users have one name."""
    known = {u.username: i for i, u in enumerate(g.users)}
    whole = [abs(b.amount) for b in g.bets] + [abs(x) for u in g.users for x in (u.initial, u.balance)]
    if len(known) != len(g.users) or "" in known or max(whole, default=0) >= SAFE or len({m.id for m in g.markets}) != len(g.markets):
        return None
    names = [u.username for u in g.users]
    users = Users(
        np.array([u.id for u in g.users], np.int64), names, [u.user_type for u in g.users],
        np.array([u.initial for u in g.users], np.int64), np.array([u.balance for u in g.users], np.int64),
        np.array([u.deleted for u in g.users], bool),
    )  # fmt: skip
    live = g.live
    user = numbered([b.username or "" for b in live], known, names)
    place = {m.id: i for i, m in enumerate(g.markets)}
    strange: list[int] = []
    market = np.empty(len(live), np.int64)
    for i, b in enumerate(live):
        assert b.market_id is not None
        if b.market_id not in place:
            place[b.market_id] = len(place)
            strange.append(b.market_id)
        market[i] = place[b.market_id]
    markets = _markets(g, known, names)
    at = np.array([b.placed_at for b in live], np.int64)
    order = np.argsort(market, kind="stable")
    odd = {int(i): live[j].outcome for i, j in enumerate(order) if live[j].outcome not in ("YES", "NO")}
    orders = Orders(
        np.array([b.id for b in live], np.int64)[order], user[order], market[order], np.array([b.amount for b in live], np.int64)[order],
        np.array([b.outcome == "YES" for b in live], np.int8)[order], at[order], odd,
    )  # fmt: skip
    alive = {id(b) for b in live}
    made = [at, markets.created_at, markets.resolved_at, np.array([b.placed_at for b in g.bets if b.placed_at is not None], np.int64)]
    return Big(
        small=msgspec.structs.replace(g, users=(), bets=(), markets=()), users=users, markets=markets, strange=strange,
        rest=tuple(b for b in g.bets if id(b) not in alive), live=len(live), parts=lambda: iter((orders,)),
        moments=spans(g.applied, made), last_order=int(at.max()) if len(at) else None,
    )  # fmt: skip


def _markets(g: c.Ledger, known: dict[str, int], names: list[str]) -> Markets:
    def moments(field: str) -> Any:
        return np.array([NONE if getattr(m, field) is None else getattr(m, field) for m in g.markets], np.int64)

    def people(field: str) -> Any:
        return np.array([known[name] if (name := getattr(m, field)) else -1 for m in g.markets], np.int64)

    for m in g.markets:
        for name in (m.creator, m.steward):
            if name and name not in known:
                known[name] = len(known)
                names.append(name)
    words: dict[str, int] = {}
    result = numbered([m.result for m in g.markets], words)
    lifecycle = numbered([m.lifecycle or "" for m in g.markets], words)
    return Markets(
        id=np.array([m.id for m in g.markets], np.int64), created_at=moments("created_at"), closes_at=moments("closes_at"),
        resolved=np.array([m.resolved for m in g.markets], bool), resolved_at=moments("resolved_at"), result=result, lifecycle=lifecycle,
        cost=moments("cost"), creator=people("creator"), steward=people("steward"), rejected_at=moments("rejected_at"),
        deleted=np.array([m.deleted for m in g.markets], bool), words=list(words),
        has_lifecycle=any(m.lifecycle is not None for m in g.markets), has_cost=any(m.cost is not None for m in g.markets),
    )  # fmt: skip


def spans(applied: Sequence[tuple[str, int | None]], made: Iterable[Any]) -> tuple[int, ...]:
    """For each span between two migrations in which a row was made, the first such moment."""
    bounds = np.array(sorted({t for _, t in applied if t is not None}), np.int64)
    first: dict[int, int] = {}
    for moments in made:
        for begin in range(0, len(moments), SPAN_ROWS):
            some = moments[begin : begin + SPAN_ROWS]
            some = some[some != NONE]
            low, high = np.searchsorted(bounds, (some.min(), some.max()), "right").tolist() if len(some) else (0, -1)
            for i in range(low, high + 1):
                mine = some if low == high else some[np.searchsorted(bounds, some, "right") == i]
                if len(mine):
                    first[i] = min(first.get(i, int(mine.min())), int(mine.min()))
    return tuple(sorted(first.values()))
