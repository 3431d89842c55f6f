"""The identity of a ledger: SHA-256 over its columns, the same however the rows lay and whichever way they were read.

Each column of `users`, `markets` and `bets` is hashed on its own in order of ids: numbers as 8 bytes little-endian, words in UTF-8 with a
zero after each, no value as the smallest number. Names in `bets` are the places of their users, and those no user has the places after, in
order of appearance. So a hundred million rows are hashed as they are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np

from release_dossier.digest import digest_of
from release_dossier.ledger import columns as c

NONE = -(2**63)  # no moment, no market, no cost
SIDES = {"YES": 1, "NO": 0}
OTHER_SIDE = 2
LONG = 100_000  # rows from which a column is worth a thread


class Columns:
    """Hashes of the columns of one table, fed in pieces."""

    def __init__(self) -> None:
        self.hashes: dict[str, Any] = {}

    def add(self, **pieces: Any) -> None:
        """Another piece of each column: an array, or words. Long columns are hashed two at a time."""

        def one(name: str) -> None:
            piece = pieces[name]
            self.hashes[name].update(numbers(piece) if isinstance(piece, np.ndarray) else words(piece))

        for name in pieces:
            self.hashes.setdefault(name, hashlib.sha256())
        if max(map(len, pieces.values()), default=0) < LONG:
            for name in pieces:
                one(name)
            return
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, pieces))

    def value(self) -> dict[str, str]:
        """The digest of each column."""
        return {name: h.hexdigest() for name, h in sorted(self.hashes.items())}


def numbers(column: Any) -> Any:
    """A column of numbers as it is hashed."""
    plain: Any = np.ascontiguousarray(column, "<i8")
    return memoryview(plain).cast("B") if len(column) else b""


def words(column: Iterable[str | None]) -> bytes:
    """A column of words as it is hashed."""
    text = "".join(f"{w}\0" if w is not None else "\x01\0" for w in column)
    return text.encode("utf-8", "surrogateescape")


def identity(small: c.Ledger, users: Columns, markets: Columns, bets: Columns) -> str:
    """The digest of a ledger, of which `small` has every table but those three."""
    rest = msgspec.structs.replace(small, users=(), markets=(), bets=(), digest="")
    return digest_of(
        {
            "users": users.value(),
            "markets": markets.value(),
            "bets": bets.value(),
            "rest": hashlib.sha256(msgspec.json.encode(rest)).hexdigest(),
        }
    )


def of_ledger(g: c.Ledger) -> str:
    """The digest of a ledger of rows, which are in order of ids; numbers beyond 64 bits are hashed as their digits."""
    users, markets, bets = Columns(), Columns(), Columns()
    users.add(
        id=_column(u.id for u in g.users), username=[u.username for u in g.users], user_type=[u.user_type for u in g.users],
        initial=_column(u.initial for u in g.users), balance=_column(u.balance for u in g.users),
        deleted=_column(u.deleted for u in g.users),
    )  # fmt: skip
    markets.add(
        id=_column(m.id for m in g.markets), created_at=_column(m.created_at for m in g.markets),
        closes_at=_column(m.closes_at for m in g.markets), resolved=_column(m.resolved for m in g.markets),
        resolved_at=_column(m.resolved_at for m in g.markets), result=[m.result for m in g.markets],
        lifecycle=[m.lifecycle for m in g.markets], cost=_column(m.cost for m in g.markets), creator=[m.creator for m in g.markets],
        steward=[m.steward for m in g.markets], rejected_at=_column(m.rejected_at for m in g.markets),
        deleted=_column(m.deleted for m in g.markets),
    )  # fmt: skip
    place: dict[str | None, int] = {u.username: i for i, u in enumerate(g.users)}
    strangers: list[str] = []
    user = np.empty(len(g.bets), np.int64)
    for i, b in enumerate(g.bets):
        if b.username is not None and b.username not in place:
            place[b.username] = len(place)
            strangers.append(b.username)
        user[i] = NONE if b.username is None else place[b.username]
    bets.add(
        id=_column(b.id for b in g.bets), user=user, market=_column(b.market_id for b in g.bets),
        amount=_column(b.amount for b in g.bets), placed_at=_column(b.placed_at for b in g.bets),
        side=_column(SIDES.get(b.outcome, OTHER_SIDE) for b in g.bets), deleted=_column(b.deleted for b in g.bets),
        strangers=strangers, sides=odd_sides(b.outcome for b in g.bets),
    )  # fmt: skip
    return identity(g, users, markets, bets)


def odd_sides(sides: Iterable[str]) -> list[str]:
    """Sides that are neither, in order of rows."""
    return [s for s in sides if s not in SIDES]


def _column(values: Iterable[int | None]) -> Any:
    whole = [NONE if v is None else int(v) for v in values]
    try:
        return np.array(whole, np.int64)
    except OverflowError:
        return _digits(whole)


def _digits(values: Sequence[int]) -> list[str]:
    return [str(v) for v in values]
