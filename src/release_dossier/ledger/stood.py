"""A ledger as it stood at a moment: what its rows up to then give, for holding a shown number against."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from copy import copy
from functools import cached_property
from itertools import accumulate

import msgspec

from release_dossier.ledger.account import Accounts, possible_orders
from release_dossier.ledger.columns import Ledger, Market
from release_dossier.ledger.rulesets import Eras, Ruleset
from release_dossier.ledger.settlement import NOTHING, Degenerate, Position, Quote, Row, positions, probabilities, quote, volume


class Held(msgspec.Struct, frozen=True):
    """What a user has of one market he ordered in: its worth by the shown probability, the sum of his signed amounts."""

    market: int
    value: int
    spent: int
    resolved: bool


class Stood:
    """Answers about any moment. What was computed for a history is kept: many answers show the same market."""

    def __init__(self, ledger: Ledger, accounts: Accounts, eras: Eras) -> None:
        self.ledger, self.accounts, self.eras = ledger, accounts, eras
        self.markets = {m.id: m for m in ledger.markets}
        self.stored = {u.username: u.balance for u in ledger.users}
        self._times = {m: [r.placed_at for r in rows] for m, rows in accounts.rows.items()}
        self._markets_of: dict[str, list[int]] = {}
        for m, rows in accounts.rows.items():
            for user in {r.user for r in rows}:
                self._markets_of.setdefault(user, []).append(m)
        self._children: dict[int, list[int]] = {}
        for child in ledger.members:
            self._children.setdefault(child.group_id, []).append(child.market_id)
        self._reordered: dict[int, list[Stood]] = {}
        self._held: dict[tuple[str, int], tuple[Held, ...]] = {}
        self._positions: dict[tuple[int, int, str, Ruleset], dict[str, Position]] = {}
        self._probabilities: dict[tuple[int, int, int], list[float]] = {}
        self._balances: dict[str, tuple[list[int], list[int], list[int]]] = {}

    def rows(self, market: int, at: int) -> Sequence[Row]:
        """Orders of a market up to a moment."""
        return self.accounts.rows.get(market, ())[: bisect_right(self._times.get(market, []), at)]

    @cached_property
    def _moments(self) -> list[int]:
        """Whenever something happened, in order: sorted when the first number is wrong, and most never are."""
        return sorted({m.resolved_at for m in self.ledger.markets if m.resolved_at}.union(*self._times.values()))

    def moments(self, begin: int, end: int) -> list[int]:
        """`begin`, and when something happened after it and not after `end`."""
        return [begin, *self._moments[bisect_right(self._moments, begin) : bisect_right(self._moments, end)]]

    def result(self, market: int, at: int) -> str:
        """How a market had been resolved by then; empty while it was open."""
        m: Market | None = self.markets.get(market)
        return m.result if m is not None and m.resolved and (m.resolved_at or 0) <= at else ""

    def positions(self, market: int, at: int, weight: int = 0) -> dict[str, Position]:
        """Everybody's position; with a weight, as the pages that use the shown probability reckon.

        Raises:
            Degenerate: the market had no answer then.
        """
        rules = self.eras.one(at)
        if weight:
            rules = _weighed(rules, weight)
        rows, result = self.rows(market, at), self.result(market, at)
        key = (market, len(rows), result, rules)
        if key not in self._positions:
            self._positions[key] = positions(rows, rules, result)
        return self._positions[key]

    def position(self, market: int, user: str, at: int) -> Position:
        """One user's."""
        return self.positions(market, at).get(user, NOTHING)

    def spent(self, market: int, user: str, at: int) -> int:
        """Sum of a user's signed amounts in a market."""
        return sum(r.amount for r in self.rows(market, at) if r.user == user)

    def markets_of(self, user: str) -> Sequence[int]:
        """Every market a user ever ordered in."""
        return self._markets_of.get(user, ())

    def changed(self, market: int | None, user: str | None, since: int, at: int) -> bool:
        """Whether an order came or a result since a moment: in a market, else in any a user ordered in, else in any at all."""
        mine = [market] if market is not None else self.markets_of(user) if user is not None else self.accounts.rows
        return any(self.result(m, at) != self.result(m, since) or len(self.rows(m, at)) != len(self.rows(m, since)) for m in mine)

    def tied(self, market: int | None, user: str | None) -> list[int]:
        """Markets with simultaneous orders: that market, else those a user ordered in, else all."""
        mine = [market] if market is not None else self.markets_of(user) if user is not None else self.accounts.rows
        return [m for m in mine if self.reordered(m)]

    def reordered(self, market: int) -> Sequence[Stood]:
        """The same ledger, for each other way the simultaneous orders of a market may have come."""
        if market not in self._reordered:
            others = possible_orders(self.accounts.rows.get(market, ()))[0][1:]
            self._reordered[market] = [self._with({**self.accounts.rows, market: order}) for order in others]
        return self._reordered[market]

    def _with(self, rows: dict[int, tuple[Row, ...]]) -> Stood:
        """The same moments, and the same statements of account, which hold every order's outcomes."""
        other = copy(self)
        other.accounts = msgspec.structs.replace(self.accounts, rows=rows)
        other._reordered, other._held, other._positions, other._probabilities = {}, {}, {}, {}
        return other

    def children(self, group: int) -> Sequence[int]:
        """Every market of a group."""
        return self._children.get(group, ())

    def held(self, user: str, at: int) -> tuple[Held, ...]:
        """What a user has of every market, as analytics reckon it: by the weight of the shown probability.

        Raises:
            Degenerate: one of the markets had no answer then.
        """
        if (user, at) not in self._held:
            weight = self._display_weight(at)
            self._held[user, at] = tuple(
                Held(m, self.positions(m, at, weight).get(user, NOTHING).value, self.spent(m, user, at), bool(self.result(m, at)))
                for m in self.markets_of(user)
            )
        return self._held[user, at]

    def spent_in(self, user: str, at: int, open_only: bool = False) -> int:
        """Sum of a user's signed amounts in every market, or in those that were open; whatever the shown probability is."""
        return sum(self.spent(m, user, at) for m in self.markets_of(user) if not (open_only and self.result(m, at)))

    def quote(self, market: int, user: str, yes: bool, at: int) -> Quote:
        """What a user might have sold."""
        return quote(self.rows(market, at), user, yes, self.eras.one(at))

    def probabilities(self, market: int, at: int) -> list[float]:
        """The shown probability before the first order and after each.

        Raises:
            Degenerate: the market had no answer then.
        """
        rows, weight = self.rows(market, at), self._display_weight(at)
        key = (market, len(rows), weight)
        if key not in self._probabilities:
            self._probabilities[key] = probabilities(rows, weight)
        return self._probabilities[key]

    def _display_weight(self, at: int) -> int:
        weight = self.eras.one(at).display_weight
        if not weight:
            raise Degenerate("its probability is shown by a prior of the operator's own", None)
        return weight

    def volume(self, market: int, at: int) -> int:
        """Sum of the signed amounts."""
        return volume(self.rows(market, at))

    def balance(self, user: str, at: int) -> tuple[int, int]:
        """What a user's statement of account came to, as an interval; a line without a time counts always."""
        if user not in self._balances:
            lines = sorted(self.accounts.lines.get(user, ()), key=lambda x: x.at or 0)
            self._balances[user] = (
                [x.at or 0 for x in lines],
                [0, *accumulate(x.low for x in lines)],
                [0, *accumulate(x.high for x in lines)],
            )
        times, low, high = self._balances[user]
        n = bisect_right(times, at)
        return low[n], high[n]

    def off(self, user: str) -> bool:
        """Whether the stored balance is not what the statement of account comes to: R6 says so already."""
        return self.accounts.off(user, self.stored.get(user, 0)) != 0


def _weighed(rules: Ruleset, weight: int) -> Ruleset:
    return msgspec.structs.replace(rules, settlement_weight=weight)


__all__ = ["Degenerate", "Held", "Stood"]
