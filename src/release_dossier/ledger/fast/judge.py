"""Judging a ledger of columns: the kernel replays, the screen drops what cannot break a law, and the reference says what is left.

Every check here is the reference's own function, on the rows that may break it and one that does not; counts are those of the whole.
What the kernel hands over (simultaneous orders, several rules that may have held, numbers near 64 bits) the reference replays, market by
market, and its lines are added to the sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from heapq import nsmallest
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np

from release_dossier import errors
from release_dossier.ledger import checks as law
from release_dossier.ledger import columns as c
from release_dossier.ledger.account import (
    Accounts,
    Book,
    Line,
    Sale,
    Settled,
    costs_of,
    group_work,
    profit_of,
    replay_market,
    steward_of,
    stewards,
)
from release_dossier.ledger.credits import degenerate
from release_dossier.ledger.fast import kernel as k
from release_dossier.ledger.fast.big import NONE, Big, Orders
from release_dossier.ledger.fast.market import (
    ALLOWED,
    Flows,
    Markets,
    Rows,
    Sales,
    group_buyers,
    number_users,
    price_many,
    rules_row,
    sellers,
    some_markets,
    some_sales,
    tally,
)
from release_dossier.ledger.fast.market import (
    replay as replay_columns,
)
from release_dossier.ledger.judged import Engine, Facts, Judged
from release_dossier.ledger.rulesets import Eras, Ruleset
from release_dossier.ledger.settlement import Row, may_sell
from release_dossier.limits import LEDGER_EXAMPLES_MAX as MOST
from release_dossier.limits import LEDGER_MARKETS_MAX

NOTHING = "there is nothing of the kind"  # as `conclude` says it
UNTOUCHED, MANY = -1, -2  # no market, or not only one, moved a user's credits
HEAVY = 100_000_000  # orders times sales from which one market's sales are priced by every thread
Step = Callable[[int, int], None]


class Found:
    """The violations of one check: how many, and those to show."""

    def __init__(self) -> None:
        self.count = 0
        self.shown: list[Any] = []

    def add(self, count: int, shown: Iterable[Any]) -> None:
        self.count += count
        self.shown += shown


class Terms:
    """Rules by moment: `rows` are the distinct rulesets, `index` says which was in force, -1 where more than one may have been."""

    def __init__(self, eras: Eras) -> None:
        self.eras = eras
        edges = {e.start for e in eras.eras if e.start is not None} | {e.end + 1 for e in eras.eras if e.end is not None}
        self.edges = np.array(sorted(edges), np.int64)
        moments = [int(self.edges[0]) - 1, *self.edges.tolist()] if len(edges) else [0]
        self.rules: list[Ruleset] = []
        self.at = np.array([self._of(eras.at(m)) for m in moments], np.int8)
        self.newest = self._of(eras.at(None))
        self.last = self._number(eras.eras[-1].rules)
        self.rows = np.array([rules_row(r) for r in self.rules], np.int64)

    def _number(self, rules: Ruleset) -> int:
        if rules not in self.rules:
            self.rules.append(rules)
        return self.rules.index(rules)

    def _of(self, possible: Sequence[Ruleset]) -> int:
        return self._number(possible[0]) if len(possible) == 1 else -1

    def index(self, moments: Any) -> Any:
        """Number of the rules at each moment, of the newest where there is none."""
        if not len(self.edges) and self.at[0] == self.newest:
            return np.full(len(moments), self.newest, np.int8)
        return np.where(moments == NONE, self.newest, self.at[np.searchsorted(self.edges, moments, "right")])

    def values(self, index: Any, field: str) -> Any:
        """A dimension of the rules, by number."""
        return np.array([getattr(r, field) for r in self.rules], np.int64)[index]


BY_MARKET = ("volume", "paid", "buyers", "pairs", "orders", "newest", "last", "minted_sales", "ended", "forbidden")
BY_USER = ("low", "high", "irregular", "busy")
SUMS = ("minted", "burned", "dust_low", "dust_high", "seen", "settled")


class Share(NamedTuple):
    """What a judge found of some markets, to be carried to another."""

    first: int
    last: int
    by_market: dict[str, Any]
    by_user: dict[str, Any]
    sums: dict[str, int]
    of: dict[str, int]
    found: dict[str, tuple[int, list[Any]]]
    book: Book
    handed: dict[int, tuple[Row, ...]]
    handed_numbers: list[int]
    rows: dict[int, tuple[Row, ...]]
    sample: c.Bet | None
    sale: Sale | None
    group_pairs: list[Any]
    group_buyers: Any
    taken: dict[int, int]
    bought: dict[int, int]


class Judge:
    """One judging: what is found part by part, and what comes of it at the end."""

    def __init__(self, big: Big, eras: Eras, asked: Mapping[int, int], threads: int) -> None:
        self.big, self.eras, self.asked, self.threads = big, eras, asked, threads
        self.terms = Terms(eras)
        self.known_users, self.known_markets = len(big.users.id), len(big.markets.id)
        self.count = self.known_markets + len(big.strange)
        n = self.count
        self.volume, self.paid, self.buyers, self.pairs, self.orders, self.newest, self.last = (np.zeros(n, np.int64) for _ in range(7))
        self.low, self.high, self.irregular = (np.zeros(len(big.users.names), np.int64) for _ in range(3))
        self.busy = np.zeros(len(big.users.names), bool)
        self.book = Book()
        self.handed: dict[int, tuple[Row, ...]] = {}
        self.handed_numbers: list[int] = []
        self.ended, self.forbidden = np.zeros(n, bool), np.zeros(n, bool)
        self.rows: dict[int, tuple[Row, ...]] = {}
        self.found = {i: Found() for i in ("S1", "S2", "S3", "S4", "S4b", "S6", "S15", "R1", "R3", "R5", "R7")}
        self.of = dict.fromkeys(("S4", "S4b", "R1", "R7"), 0)
        self.sample: c.Bet | None = None
        self.sale: Sale | None = None
        self.minted = self.burned = self.dust_low = self.dust_high = 0
        self.seen = 0
        self.group_pairs: list[Any] = []  # buyers of groups whose markets may lie in several parts
        self.settled = 0
        self.minted_sales = np.zeros(n, np.int64)
        self.line = np.full(len(big.users.names), UNTOUCHED, np.int64)
        self.debts = law.debts(eras)
        self.below = np.append(big.users.balance < -self.debts[0], np.zeros(len(self.low) - self.known_users, bool))
        self.taken: dict[int, int] = {}
        self.bought: dict[int, int] = {}
        self._prepare()

    def _prepare(self) -> None:
        big, m = self.big, self.big.markets
        pad = self.count - self.known_markets

        def padded(column: Any, value: Any) -> Any:
            return np.concatenate([column, np.full(pad, value, np.asarray(column).dtype)])

        words = np.array([{"YES": k.YES, "NO": k.NO}.get(w, k.OTHER) for w in m.words] or [0], np.int8)
        self.resolved = padded(m.resolved, False)
        self.result = np.where(self.resolved, padded(words[m.result] if len(m.id) else np.zeros(0, np.int8), 0), k.OPEN).astype(np.int8)
        self.resolved_at = padded(np.where(m.resolved, m.resolved_at, NONE), NONE)
        self.created_at, self.closes_at = padded(m.created_at, NONE), padded(m.closes_at, NONE)
        self.rule = np.where(self.resolved, self.terms.index(self.resolved_at), self.terms.last).astype(np.int64)
        shut = np.array([w in ("proposed", "rejected", "cancelled") for w in m.words] or [False])
        self.shut = padded(shut[m.lifecycle] if m.has_lifecycle and len(m.id) else np.zeros(len(m.id), bool), False)
        place = {int(x): i for i, x in enumerate(m.id.tolist())} if big.small.members else {}
        self.child = np.full(self.count, -1, np.int64)
        self.is_child = np.zeros(self.count, bool)
        for member in big.small.members:
            if member.market_id in place:
                self.child[place[member.market_id]] = member.group_id
                self.is_child[place[member.market_id]] = True
        alive = {g.id for g in big.small.groups or () if g.lifecycle == "resolved"}
        mine = np.isin(self.child, np.array(sorted(alive), np.int64)) & self.is_child
        self.together, left = mine & self.resolved, mine & ~self.resolved
        ends: dict[int, int] = {}
        for i in np.flatnonzero(self.together & np.isin(self.child, self.child[left])).tolist():
            ends[int(self.child[i])] = max(ends.get(int(self.child[i]), 0), int(self.resolved_at[i]))
        self.left = {i: end for i in np.flatnonzero(left).tolist() if (end := ends.get(int(self.child[i]))) is not None}
        self.sharing = self.together.copy()
        self.sharing[list(self.left)] = True  # answers left open when their group was resolved: who bought until then paid a fee, too
        paid = np.flatnonzero(self.sharing)
        self.groups, first_of = np.unique(self.child[paid], return_index=True)  # those whose steward is paid
        self.group_first = paid[first_of]
        self.group_last = np.zeros(len(self.groups), np.int64)
        self.group_last[np.searchsorted(self.groups, self.child[paid])] = paid
        self.group_buyers = np.zeros(len(self.groups), np.int64)  # of those that lie in one part

    # One part of the orders

    def part(self, p: Orders) -> None:
        """Replay a part and collect what its rows may break."""
        if not len(p.id):
            return
        numbers, first, sizes = _runs(p.market)
        tied = np.flatnonzero((p.at[1:] == p.at[:-1]) & (p.market[1:] == p.market[:-1]))
        where = np.repeat(np.arange(len(numbers)), sizes)
        rows, markets, sales = self._columns(p, numbers, np.append(first, len(p.id)), where, tied)
        self._replay(rows, markets, sales)
        done = markets.state == k.DONE
        self.volume[numbers], self.paid[numbers] = np.add.reduceat(p.amount, first), markets.paid
        self.buyers[numbers], self.pairs[numbers], self.orders[numbers] = markets.buyers, markets.users, sizes
        self.newest[numbers], self.last[numbers] = np.maximum.reduceat(p.id, first), np.maximum.reduceat(p.at, first)
        self.busy[p.user] = True
        for i in np.flatnonzero(~done).tolist():
            self._hand_over(p, int(numbers[i]), int(rows.start[i]), int(rows.start[i + 1]))
        self._row_checks(p, tied, rows.start, markets)
        self._sale_checks(p, rows, where, done, sales)
        self._settled_checks(numbers[done])
        self._group_buyers(p, numbers, rows.start)
        self._refunds(p)
        self._keep_rows(p, numbers, rows.start)

    def share(self, first: int, last: int) -> Share:
        """What judging some parts gave, of the markets with numbers `first` to `last`: for `add` of another judge of the same ledger."""
        by_market = {x: getattr(self, x)[first:last] for x in BY_MARKET}
        by_user = {x: getattr(self, x) for x in BY_USER}
        sums = {x: getattr(self, x) for x in SUMS}
        return Share(
            first, last, by_market, by_user, sums, self.of, {k: (f.count, f.shown) for k, f in self.found.items()}, self.book, self.handed,
            self.handed_numbers, self.rows, self.sample, self.sale, self.group_pairs, self.group_buyers, self.taken,
            self.bought,
        )  # fmt: skip

    def add(self, x: Share) -> None:
        """What another judge found of other markets. Shares are added in order of their markets, so that the first sample is the first."""
        for name, column in x.by_market.items():
            getattr(self, name)[x.first : x.last] = column
        self.low += x.by_user["low"]
        self.high += x.by_user["high"]
        self.irregular += x.by_user["irregular"]
        self.busy |= x.by_user["busy"]
        for name, value in x.sums.items():
            setattr(self, name, getattr(self, name) + value)
        for name, count in x.of.items():
            self.of[name] += count
        for name, (count, shown) in x.found.items():
            self.found[name].add(count, shown)
        for user, lines in x.book.lines.items():
            self.book.lines.setdefault(user, []).extend(lines)
        self.book.sales += x.book.sales
        self.book.settled += x.book.settled
        self.book.stuck += x.book.stuck
        self.book.tied |= x.book.tied
        self.book.countless |= x.book.countless
        self.handed |= x.handed
        self.handed_numbers += x.handed_numbers
        self.rows |= x.rows
        self.sample, self.sale = self.sample or x.sample, self.sale or x.sale
        self.group_pairs += x.group_pairs
        self.group_buyers += x.group_buyers
        for i, amount in x.taken.items():
            self.taken[i] = self.taken.get(i, 0) + amount
        for i, at in x.bought.items():
            self.bought[i] = max(at, self.bought.get(i, at))

    def replay_only(self, p: Orders) -> None:
        """The kernel's part of judging a part, for who measures it."""
        numbers, first, sizes = _runs(p.market)
        none = np.zeros(0, np.int64)
        self._replay(*self._columns(p, numbers, np.append(first, len(p.id)), np.repeat(np.arange(len(numbers)), sizes), none))

    def _columns(self, p: Orders, numbers: Any, start: Any, where: Any, tied: Any) -> tuple[Rows, Markets, Sales]:
        """A part as the kernel takes it; what only the reference may judge is handed over at once."""
        rule = self.terms.index(p.at)
        state = np.zeros(len(numbers), np.int8)
        state[where[tied]] = k.HANDED
        state[where[rule < 0]] = k.HANDED
        if p.amount.max() >= 2**50 or p.amount.min() <= -(2**50):
            state[where[np.abs(p.amount) >= 2**50]] = k.HANDED
        state[self.rule[numbers] < 0] = k.HANDED
        sold = np.flatnonzero(p.amount < 0)
        asked = np.full(len(p.id), -1, np.int64)
        if self.asked and len(sold):
            asked[sold] = [self.asked.get(i, -1) for i in p.id[sold].tolist()]
        rows = Rows(start, p.user, np.empty(len(p.id), np.int32), p.yes, p.amount, np.maximum(rule, 0), asked)
        return rows, some_markets(self.result[numbers], np.maximum(self.rule[numbers], 0), state), some_sales(sold, start)

    def _replay(self, rows: Rows, markets: Markets, sales: Sales) -> None:
        count = len(markets.state)
        weight = np.diff(rows.start) * (1 + np.diff(sales.start) // 8)
        heavy = np.flatnonzero((weight > HEAVY // 8) & (markets.state == k.DONE))
        cut = np.searchsorted(np.cumsum(weight), np.linspace(0, weight.sum(), 8 * self.threads + 1)[1:-1])
        spans = list(pairwise(sorted({0, count, *(int(x) for x in cut)})))
        users = len(self.low)

        def number(span: tuple[int, int]) -> None:
            number_users(span[0], span[1], rows, markets, np.full(users, -1, np.int32))

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(number, pairwise(sorted({0, count // 2, count}))))
            for m in heavy.tolist():
                price_many(m, rows, markets, sales, self.terms.rows, pool, self.threads)
            others = [Flows(*np.zeros((3, users), np.int64)) for _ in range(self.threads - 1)]
            free = [Flows(self.low, self.high, self.irregular), *others]
            priced = np.zeros(count, np.int8)
            priced[heavy] = 1

            def run(span: tuple[int, int]) -> None:
                mine = free.pop()
                replay_columns(span[0], span[1], rows, markets, sales, self.terms.rows, mine, priced)
                free.append(mine)

            list(pool.map(run, spans))
        for f in others:
            self.low += f.low
            self.high += f.high
            self.irregular += f.irregular

    def _history(self, p: Orders, begin: int, end: int) -> tuple[Row, ...]:
        names = self.big.users.names
        rows = zip(*(x[begin:end].tolist() for x in (p.user, p.yes, p.amount, p.at, p.id)), strict=True)
        return tuple(Row(names[u], bool(y), a, t, i) for u, y, a, t, i in rows)

    def _hand_over(self, p: Orders, number: int, begin: int, end: int) -> None:
        history = self._history(p, begin, end)
        self.handed_numbers.append(number)
        market = self.big.market(number) if number < self.known_markets else None
        self.handed[self.big.market_id(number)] = history
        replay_market(self.book, self.big.market_id(number), history, market, self.eras, self.asked)
        self.buyers[number] = len({r.user for r in history if r.amount > 0})
        self.pairs[number] = len({r.user for r in history})

    def _pick(self, p: Orders, rows: Any) -> list[int]:
        """Of rows that break a law, those to show: by user, market and words, as the reference sorts."""
        names, at = self.big.users.names, self.big.market_id
        return nsmallest(MOST, rows.tolist(), key=lambda i: (names[p.user[i]], at(int(p.market[i])), f"order {p.id[i]} "))

    def _row_checks(self, p: Orders, tied: Any, start: Any, markets: Markets) -> None:
        odd = np.array(sorted(p.odd), np.int64)
        ends, opened, closed = self.resolved_at, self.created_at, self.closes_at
        ended, known, zero, s2, s4, s4b, s6 = tally(
            p.market, p.user, p.amount, p.at, ends, opened, closed, self.shut, self.known_markets, self.known_users
        )
        self.of["S4"] += int(ended)
        self.of["S4b"] += int(known)
        none = np.zeros(0, np.int64)
        at, m = p.at, p.market
        broken = {
            "S1": np.union1d(np.flatnonzero(p.amount == 0) if zero else none, odd).astype(np.int64),
            "S2": np.flatnonzero((m >= self.known_markets) | (p.user >= self.known_users)) if s2 else none,
            "S4": np.flatnonzero((ends[m] != NONE) & (at >= ends[m])) if s4 else none,
            "S4b": np.flatnonzero(
                (m < self.known_markets) & (((opened[m] != NONE) & (at < opened[m])) | ((closed[m] != NONE) & (at > closed[m])))
            )
            if s4b
            else none,
            "S6": np.flatnonzero(self.shut[m]) if s6 else none,
            "S3": self._first_sales(p, start, np.flatnonzero((markets.first_sale > 0) | (markets.state == k.HANDED))),
        }
        for name, rows in broken.items():
            if len(rows):
                self.found[name].add(len(rows), [self.big.bet(p, i) for i in self._pick(p, rows)])
        if len(tied):
            names, at = self.big.users.names, self.big.market_id
            shown = nsmallest(
                MOST, tied.tolist(), key=lambda i: (names[p.user[i + 1]], at(int(p.market[i])), f"orders {p.id[i]} and {p.id[i + 1]} ")
            )
            pairs = [(at(int(p.market[i])), self._history(p, i, i + 2)) for i in shown]
            self.found["S15"].add(len(tied), pairs)
        if self.sample is None:
            self.sample = self.big.bet(p, 0)

    def _first_sales(self, p: Orders, start: Any, markets: Any) -> Any:
        out = []
        for m in markets.tolist():
            seen: set[int] = set()
            for i in range(int(start[m]), int(start[m + 1])):
                user = int(p.user[i])
                if user not in seen:
                    seen.add(user)
                    if p.amount[i] < 0:
                        out.append(i)
        return np.array(out, np.int64)

    def _sale_of(self, p: Orders, sales: Sales, s: int, against: str) -> Sale:
        i = int(sales.row[s])
        return Sale(
            bet=int(p.id[i]), user=self.big.users.names[p.user[i]], market=self.big.market_id(int(p.market[i])), at=int(p.at[i]),
            shares=-int(p.amount[i]), sellable=int(sales.sellable[s]), price=int(sales.price[s]), low=int(sales.low[s]),
            high=int(sales.high[s]), against=against, irregular=int(sales.irregular[s]),
        )  # fmt: skip

    def _sale_checks(self, p: Orders, rows: Rows, where: Any, done: Any, sales: Sales) -> None:
        mine = np.flatnonzero(done[where[sales.row]]) if len(sales.row) else np.zeros(0, np.int64)
        if not len(mine):
            return
        names, at = self.big.users.names, self.big.market_id
        row = sales.row[mine]
        shares, price, legal = -p.amount[row], sales.price[mine], sales.against[mine] == ALLOWED
        minted = np.where(legal, shares * (price - 1), 0)
        gross = np.where(legal, shares * price, 0)
        self.seen += len(mine)
        np.add.at(self.minted_sales, p.market[row], minted)
        self.forbidden[p.market[row[~legal]]] = True
        self.minted += int(minted.sum())
        self.dust_low += int((gross - np.where(legal, sales.high[mine], 0)).sum())
        self.dust_high += int((gross - np.where(legal, sales.low[mine], 0)).sum())
        if self.sale is None:
            self.sale = self._sale_of(p, sales, int(mine[0]), "" if legal[0] else self._against(p, rows, where, int(row[0])))

        def key(i: int) -> tuple[str, int, str]:
            r = int(row[i])
            return names[p.user[r]], at(int(p.market[r])), f"{price[i]} credits for each of {shares[i]}"

        for i in _largest(minted, lambda i: key(i)):
            self.found["R5"].add(0, [self._sale_of(p, sales, int(mine[i]), "")])
        self.found["R5"].count += int((minted > 0).sum())
        most = sales.sellable[mine]
        bad = np.where(legal, 0, np.where(shares > most, shares - most, shares))
        self.found["R1"].count += int((bad > 0).sum())
        for i in _largest(
            bad, lambda i: (*key(i)[:2], f"sold {errors.counted(int(shares[i]), 'share')} in market {key(i)[1]} (order {p.id[row[i]]})")
        ):
            self.found["R1"].shown.append(self._sale_of(p, sales, int(mine[i]), self._against(p, rows, where, int(row[i]))))
        self._cashed_out(p, sales, mine, where, legal)

    def _against(self, p: Orders, rows: Rows, where: Any, i: int) -> str:
        begin = int(rows.start[where[i]])
        history = self._history(p, begin, i + 1)
        last = history[-1]
        return may_sell(history[:-1], last.user, last.yes, -last.amount, self.eras.one(last.placed_at))[1]

    def _cashed_out(self, p: Orders, sales: Sales, mine: Any, where: Any, legal: Any) -> None:
        """Users who took more out of a market than their position was ever worth: all their sales in it."""
        row = sales.row[mine]
        pair = where[row].astype(np.int64) * (len(self.low) + 1) + p.user[row]
        last = np.full(len(self.low), -1, np.int64)
        self.of["R7"] += int(sellers(where[row], p.user[row], legal, last))
        beyond = sales.beyond[mine]
        self.found["R7"].count += int((beyond > 0).sum())
        names, at = self.big.users.names, self.big.market_id
        for i in _largest(beyond, lambda i: (names[p.user[row[i]]], at(int(p.market[row[i]])), "")):
            all_of_it = mine[np.flatnonzero((pair == pair[i]) & legal)]
            self.found["R7"].shown += [self._sale_of(p, sales, int(s), "") for s in all_of_it.tolist()]

    def _settled_checks(self, numbers: Any) -> None:
        ended = numbers[self.resolved[numbers]]
        self.settled += len(ended)
        self.ended[ended] = True
        gap = self.paid[ended] - self.volume[ended]
        self.minted += int(np.maximum(gap, 0).sum())
        self.burned += int(np.maximum(-gap, 0).sum())
        at = self.big.market_id
        self.found["R3"].count += int((gap != 0).sum())
        for i in _largest(np.abs(gap), lambda i: ("", at(int(ended[i])), "")):
            self.found["R3"].shown.append(self._settled(int(ended[i])))

    def _settled(self, number: int) -> Settled:
        word = self.big.markets.words[self.big.markets.result[number]]
        return Settled(self.big.market_id(number), word, int(self.volume[number]), int(self.paid[number]), ())

    def _group_buyers(self, p: Orders, numbers: Any, start: Any) -> None:
        mine = np.flatnonzero(self.sharing[numbers])
        if not len(mine):
            return
        amount = p.amount
        for i in mine.tolist() if self.left else ():
            if (end := self.left.get(int(numbers[i]))) is not None:
                rows = slice(int(start[i]), int(start[i + 1]))
                amount = amount.copy() if amount is p.amount else amount
                amount[rows][p.at[rows] > end] = 0
        group = self.child[numbers]
        order = mine[np.argsort(group[mine], kind="stable")]
        out = np.empty(int(np.diff(start)[mine].sum()), np.int64)
        count = group_buyers(order, start, group, p.user, amount, np.full(len(self.low), NONE, np.int64), out)
        if not count:
            return
        pairs = out[:count]
        names, _, sizes = _runs(pairs // (len(self.low) + 1))
        place = np.searchsorted(self.groups, names)
        whole = (self.group_first[place] >= numbers[0]) & (self.group_last[place] <= numbers[-1])
        self.group_buyers[place[whole]] = sizes[whole]
        if not whole.all():
            self.group_pairs.append(pairs[np.repeat(~whole, sizes)])

    def _keep_rows(self, p: Orders, numbers: Any, start: Any) -> None:
        """Whole histories of markets whose pool is below nothing, and one other."""
        low = np.flatnonzero(self.volume[numbers] < 0)
        few = int(np.argmin(np.diff(start)))
        for i in [*low.tolist(), *([] if self.rows else [few])]:
            self.rows[self.big.market_id(int(numbers[i]))] = self._history(p, int(start[i]), int(start[i + 1]))

    def _refunds(self, p: Orders) -> None:
        """What N/A refunds took from users who owe more than the limit, and when they last bought where there were several limits."""
        take = np.flatnonzero(self.below[p.user] & (p.amount < 0) & (self.result[p.market] == k.OTHER))
        for i in take.tolist():
            self.taken[int(p.user[i])] = self.taken.get(int(p.user[i]), 0) + int(p.amount[i])
        if self.debts[0] < self.debts[1]:
            for i in np.flatnonzero(self.below[p.user] & (p.amount > 0)).tolist():
                self.bought[int(p.user[i])] = max(int(p.at[i]), self.bought.get(int(p.user[i]), NONE))

    # What the other tables say, once all parts are through

    def costs(self) -> None:
        """Costs of markets by columns where one ruleset held and nothing was rejected; of others, groups and answers, by the reference."""
        big, m = self.big, self.big.markets
        n = self.known_markets
        index = self.terms.index(m.created_at)
        grouped, back = self.is_child[:n], m.rejected_at != NONE
        simple = ~grouped & ~back & (index >= 0)
        own = self.terms.values(np.maximum(index, 0), "create_market_cost")
        stored = np.array([r.create_cost_stored is not False for r in self.terms.rules])[np.maximum(index, 0)] & m.has_cost
        cost = np.where(stored, m.cost, own) if n else np.zeros(0, np.int64)
        who = np.flatnonzero(simple & (m.creator >= 0))
        for column in (self.low, self.high):
            np.subtract.at(column, m.creator[who], cost[who])
        self._touch(m.creator[who][cost[who] != 0], who[cost[who] != 0])
        other = np.flatnonzero(~simple & (~grouped | back)).tolist()
        children = {x.market_id: x.group_id for x in big.small.members}
        costs_of(self.book, msgspec.structs.replace(big.small, markets=tuple(big.markets_of(other))), children, self.eras)

    def work(self) -> None:
        """Stewards' fees, likewise."""
        big, m, n = self.big, self.big.markets, self.known_markets
        changes = stewards(big.small)
        alone = self.resolved[:n] & ~self.together[:n] & ((self.result[:n] == k.YES) | (self.result[:n] == k.NO))
        changed = np.isin(m.id, np.array(sorted(changes), np.int64))
        simple = alone & ~changed & (self.rule[:n] >= 0)
        index = np.maximum(self.rule[:n], 0)
        fees = self.terms.values(index, "initial_bet_fee") * self.buyers[:n]
        cost = np.where(m.cost != 0, m.cost, self.terms.values(index, "create_market_cost")) if m.has_cost else self.terms.values(
            index, "create_market_cost"
        )  # fmt: skip
        kinds = np.array([("none", "threshold", "full").index(r.work_profit) for r in self.terms.rules])[index]
        pay = np.select([kinds == 2, kinds == 1], [fees, np.maximum(0, fees - cost)], 0)
        who = np.where(m.steward >= 0, m.steward, m.creator)
        take = np.flatnonzero(simple & (who >= 0))
        for column in (self.low, self.high):
            np.add.at(column, who[take], pay[take])
        self._touch(who[take][pay[take] != 0], take[pay[take] != 0])
        odd = np.flatnonzero(alone & ~simple).tolist()
        for i, row in zip(odd, big.markets_of(odd), strict=True):
            steward = steward_of(row, row.resolved_at, changes)
            profit_of(self.book, steward, row.resolved_at, row.id, int(self.buyers[i]), row.cost or 0, self.eras.at(row.resolved_at))
        members: dict[int, list[c.Market]] = {}
        together = np.flatnonzero(self.together[:n]).tolist()
        for group, row in zip(self.child[together].tolist(), big.markets_of(together), strict=True):
            members.setdefault(group, []).append(row)
        groups = {g.id: g for g in big.small.groups or ()}
        buyers = self._buyers_of_groups()
        for g, mine in sorted(members.items()):
            group_work(self.book, groups[g], mine, buyers.get(g, 0), self.eras)

    def _buyers_of_groups(self) -> dict[int, int]:
        """How many users bought in each group. A part names its pairs group by group, and none twice."""
        out = {g: n for g, n in zip(self.groups.tolist(), self.group_buyers.tolist(), strict=True) if n}
        runs: dict[int, list[Any]] = {}
        for pairs in self.group_pairs:
            groups, first, sizes = _runs(pairs // (len(self.low) + 1))
            for group, at, n in zip(groups.tolist(), first.tolist(), sizes.tolist(), strict=True):
                runs.setdefault(group, []).append(pairs[at : at + n])
        return out | {group: len(np.unique(np.concatenate(x))) for group, x in runs.items()}

    def entered(self) -> None:
        """Add what the reference replayed to the sums."""
        names = self.big.users.names
        self.number = {name: i for i, name in enumerate(names)} if self.book.lines or self.handed else {}
        for name, lines in self.book.lines.items():
            i = self.number.get(name)
            if i is not None:
                self.busy[i] = True
                self.low[i] += sum(x.low for x in lines)
                self.high[i] += sum(x.high for x in lines)
                self.irregular[i] += sum(x.irregular for x in lines)
            lines.sort(key=lambda x: (x.at is not None, x.at or 0))
        self.seen += len(self.book.sales)
        place = {self.big.market_id(i): i for i in self.handed_numbers}
        for s in self.book.sales:
            self.minted_sales[place[s.market]] += s.minted
            if s.against:
                self.forbidden[place[s.market]] = True
                self.found["R1"].add(1, [s])
                continue
            self.found["R5"].add(int(s.minted > 0), [s])
            self.minted += s.minted
            self.dust_low += s.dust[0]
            self.dust_high += s.dust[1]
        cashed = law.r7(self._accounts(sales=self.book.sales))
        self.of["R7"] += cashed.of
        self.found["R7"].add(cashed.violations, self.book.sales)
        for x in self.book.settled:
            self.settled += 1
            self.volume[place[x.market]], self.paid[place[x.market]] = x.volume, x.paid
            self.ended[place[x.market]] = True
            self.found["R3"].add(int(x.paid != x.volume), [x])
            self.minted += max(0, x.paid - x.volume)
            self.burned += max(0, x.volume - x.paid)

    def _touch(self, users: Any, markets: Any) -> None:
        """Remember the only market that moved a user's credits; MANY where there are several, or one that is none."""
        before = self.line[users]
        self.line[users] = np.where((before == UNTOUCHED) | (before == markets), markets, MANY)
        # A user named twice here keeps the last of his markets: whether they differ is seen by looking again.
        self.line[users[self.line[users] != markets]] = MANY

    def by_market(self) -> list[dict[str, str]]:
        """Credits minted, burned and unexplained of each market, as `credits.by_market`."""
        u = self.big.users
        off = np.abs(np.where(u.deleted | self.outside, 0, self.off))
        wrong = np.flatnonzero(off)
        unexplained = np.zeros(self.count, np.int64)
        nowhere = 0
        if len(wrong):
            for p in self.big.parts():
                mine = np.flatnonzero(np.isin(p.user, wrong))
                self._touch(p.user[mine], p.market[mine].astype(np.int64))
            place = {self.big.market_id(i): i for i in range(self.count)}
            for name in {u.names[i] for i in wrong.tolist()} & self.book.lines.keys():
                i = self.number[name]
                for x in self.book.lines[name]:
                    self._touch(np.array([i]), np.array([MANY if x.market is None else place.get(x.market, MANY)]))
            only = self.line[wrong]
            np.add.at(unexplained, only[only >= 0], off[wrong][only >= 0])
            nowhere = int(off[wrong][only < 0].sum())
        gap = np.where(self.ended, self.paid - self.volume, 0)
        parts = (self.minted_sales, np.maximum(gap, 0), np.maximum(-gap, 0), unexplained)
        size = np.max(np.abs(np.array(parts)), axis=0) if self.count else np.zeros(0, np.int64)
        at = self.big.market_id
        shown: list[tuple[int, int | None]] = [(int(size[i]), i) for i in _largest(size, lambda i: ("", at(i), ""), LEDGER_MARKETS_MAX)]
        shown += [(nowhere, None)] if nowhere else []
        shown.sort(key=lambda x: (-x[0], 0 if x[1] is None else at(x[1])))
        names = ("minted_by_sales", "minted_by_payouts", "burned", "unexplained")
        return [
            {"market": "" if i is None else str(at(i))}
            | {w: str(int(x[i]) if i is not None else nowhere if w == "unexplained" else 0) for w, x in zip(names, parts, strict=True)}
            for _, i in shown[:LEDGER_MARKETS_MAX]
        ]

    # The checks

    def _accounts(self, **what: Any) -> Accounts:
        empty: dict[str, Any] = {
            "lines": {}, "sales": (), "settled": (), "stuck": tuple(self.book.stuck), "rows": {}, "tied": frozenset(self.book.tied),
            "unjudged": frozenset(u for s in self.book.stuck for u in s.users), "countless": frozenset(self.book.countless),
        }  # fmt: skip
        return Accounts(**(empty | what))

    def _ledger(
        self, *, users: Iterable[int] = (), markets: Iterable[int] = (), bets: Sequence[c.Bet] = (), closed: bool = False, **more: Any
    ) -> c.Ledger:
        """The ledger with only some rows; `closed`: and the users and markets of those bets."""
        big = self.big
        some_users, some_markets = set(users), set(markets)
        if closed:
            number = self.number or {name: i for i, name in enumerate(big.users.names)}
            some_users |= {number[b.username] for b in bets if b.username in number and number[b.username] < self.known_users}
            some_markets |= {i for i in self._places(b.market_id for b in bets) if i >= 0}
        return msgspec.structs.replace(
            big.small, users=tuple(big.user(i) for i in sorted(some_users)), markets=tuple(big.markets_of(sorted(some_markets))),
            bets=tuple(bets), **more,
        )  # fmt: skip

    def _places(self, markets: Iterable[int | None]) -> list[int]:
        """Numbers of the markets with these ids, -1 where a row has none."""
        wanted = np.array([NONE if x is None else x for x in markets], np.int64)
        ids = np.append(self.big.markets.id, NONE)
        at = np.searchsorted(self.big.markets.id, wanted)
        found: list[int] = np.where((ids[at] == wanted) & (wanted != NONE), at, -1).tolist()
        return found

    def _first(self, rows: Any, violations: Any, key: Callable[[int], Any]) -> list[int]:
        """Rows to show of those that break a law, and one that does not where there is none."""
        shown = nsmallest(MOST, np.flatnonzero(violations).tolist(), key=key)
        return shown or list(range(min(1, len(rows))))

    def by_rows(self) -> list[law.Check]:
        """Laws about single orders."""
        rest = [b for b in self.big.rest if not b.deleted]
        sample = [self.sample] if self.sample else []
        out = []
        for check, name, of, extra in (
            (law.s1, "S1", self.big.live + len(rest), rest), (law.s2, "S2", self.big.live + len(rest), rest),
            (law.s3, "S3", int(self.pairs.sum()), ()), (law.s4, "S4", self.of["S4"], ()), (law.s4b, "S4b", self.of["S4b"], ()),
            (law.s6, "S6", self.big.live, ()),
        ):  # fmt: skip
            found = self.found[name]
            made = check(self._ledger(bets=(found.shown or sample) + list(extra), closed=True))
            count = found.count + made.violations - len(found.shown)
            out.append(counted(made, of, count))
        if not self.big.markets.has_lifecycle and self.known_markets:
            out = [law.absent(x.id, x.title, "the schema has no state of a market") if x.id == "S6" else x for x in out]
        return out

    def by_markets(self) -> list[law.Check]:
        """Laws about markets and groups."""
        big, m, n = self.big, self.big.markets, self.known_markets
        names = [*big.users.names, ""]

        def who(i: int) -> tuple[str, int]:
            return names[m.creator[i]], int(m.id[i])

        def held(check: Callable[[c.Ledger], law.Check], violations: Any, **more: Any) -> law.Check:
            made: law.Check = check(self._ledger(markets=self._first(m.id, violations, who), **more))
            return counted(made, n, int(violations.sum()))

        words = np.array([w in ("YES", "NO", "N/A") for w in m.words] or [False])
        ends = np.array([w == "resolved" for w in m.words] or [False])
        says = words[m.result] if n else np.zeros(0, bool)
        lifecycle = ends[m.lifecycle] if n else np.zeros(0, bool)
        out = [
            self._s5(held, m.resolved != says, lifecycle if m.has_lifecycle else m.resolved),
            held(law.s13, (m.rejected_at != NONE) & m.resolved),
            self._s10(held),
            self._s18(held),
            *self._groups(),
        ]
        gone = np.flatnonzero(big.users.deleted).tolist()
        lost = np.flatnonzero(m.deleted).tolist()
        bets = [b for b in big.rest if b.deleted]
        s14 = law.s14(self._ledger(users=gone or range(min(1, self.known_users)), markets=lost, bets=bets))
        return [*out, counted(s14, self.known_users + n + big.live + len(big.rest), len(gone) + len(lost) + len(bets))]

    def _s5(self, held: Callable[..., law.Check], wrong: Any, state: Any) -> law.Check:
        """Markets whose result does not fit, and what their state says of whether they are resolved."""
        resolved = self.big.markets.resolved
        left = np.zeros(self.known_markets, bool)
        if any(e.rules.create_cost_stored is False for e in self.eras.eras):
            odd = np.flatnonzero(resolved & ~state & ~wrong).tolist()
            for i, row in zip(odd, self.big.markets_of(odd), strict=True):
                left[i] = law.left_alone(self.big.small, self.eras, law.STATES, row.resolved_at)
        bad = wrong | ((resolved != state) & ~left)
        return held(lambda g: law.s5(g, self.eras), bad if bad.any() else left)

    def _s10(self, held: Callable[..., law.Check]) -> law.Check:
        m, n = self.big.markets, self.known_markets
        if not m.has_cost:
            return law.s10(self._ledger(markets=range(min(1, n))), self.eras)
        child = self.is_child[:n]
        wrong = child & (m.cost != 0)
        index = self.terms.index(m.created_at)
        right = self.terms.values(np.where(index >= 0, index, 0), "create_market_cost")
        between = np.flatnonzero(index < 0).tolist()
        for i, row in zip(between, self.big.markets_of(between), strict=True):
            right[i] = self.eras.one(row.created_at).create_market_cost
        made = held(lambda g: law.s10(g, self.eras), wrong if wrong.any() else ~child & (m.cost != right))
        return law.with_costs_of_groups(made, self.big.small, self.eras)

    def _s18(self, held: Callable[..., law.Check]) -> law.Check:
        big, m = self.big, self.big.markets
        if big.small.standings is None:
            return law.s18(self._ledger(markets=range(min(1, self.known_markets))))
        suspended = {s.username for s in big.small.standings if s.status == "suspended"}
        number = {name: i for i, name in enumerate(big.users.names) if name in suspended}
        theirs = np.flatnonzero(np.isin(m.creator, np.array(sorted(number.values()), np.int64))).tolist()
        broken = law.s18(self._ledger(markets=theirs))
        violations = np.zeros(self.known_markets, bool)
        bad = {int(x.market or 0) for x in broken.examples}
        violations[[i for i in theirs if int(m.id[i]) in bad]] = True
        made = held(law.s18, violations)
        return msgspec.structs.replace(made, violations=broken.violations) if made.state != "missing" else made

    def _groups(self) -> list[law.Check]:
        small = self.big.small
        if small.groups is None:
            g = self._ledger()
            return [law.absent(x.id, x.title, "the schema has no groups") for x in (law.s7(g), law.s8(g), law.s11(g))]
        done: dict[int, list[bool]] = {}
        resolved = np.append(self.big.markets.resolved, False)[self._places(x.market_id for x in small.members)].tolist()
        for member, its in zip(small.members, resolved, strict=True):
            done.setdefault(member.group_id, []).append(its)
        live = [g for g in small.groups if not g.deleted]
        out = []
        for check, odd in (
            (law.s7, [g for g in live if g.lifecycle == "resolved" and not all(done.get(g.id, []))]),
            (law.s8, [g for g in live if g.lifecycle != "resolved" and any(done.get(g.id, []))]),
        ):
            some = odd or live[:1]
            ids = {g.id for g in some}
            members = tuple(x for x in small.members if x.group_id in ids)
            markets = [i for i in self._places(x.market_id for x in members) if i >= 0]
            out.append(counted(check(self._ledger(markets=markets, groups=tuple(some), members=members)), len(live), len(odd)))
        return [*out, law.s11(self._ledger())]

    def by_replay(self) -> list[law.Check]:
        """Laws about what the replay gave."""
        traded = int((self.orders > 0).sum())
        stuck = {s.market for s in self.book.stuck}
        odd = [_forbidden(self.big.market_id(i)) for i in np.flatnonzero(self.forbidden & (self.volume < 0)).tolist()]
        s9 = law.s9(self._accounts(rows=self.rows, sales=tuple(odd)))
        ties: dict[int, tuple[Row, ...]] = {}
        for market, pair in self.found["S15"].shown:
            ties[market] = tuple(sorted({*ties.get(market, ()), *pair}, key=lambda r: (r.placed_at, r.id)))
        s15 = law.s15(self._accounts(rows=ties or self.rows))
        sale = [self.sale] if self.sale else []
        r1, r5, r7 = (f(self._accounts(sales=self.found[n].shown or sale)) for n, f in (("R1", law.r1), ("R5", law.r5), ("R7", law.r7)))
        settled = self.found["R3"].shown or ([Settled(0, "", 0, 0, ())] if self.settled else [])
        r2 = law.r2(self._accounts(settled=settled, stuck=(), rows={}))
        both = len({x.market for x in self.book.settled} & stuck)
        of = self.settled + len(stuck)
        r2 = counted(r2, of, 0) if self.settled else law.r2(self._accounts(rows=dict.fromkeys(stuck, ())))
        return [
            counted(s9, traded, s9.violations),
            counted(s15, self.big.live, self.found["S15"].count),
            counted(r1, self.seen, self.found["R1"].count),
            msgspec.structs.replace(r2, looked_at=self.settled - both) if of else r2,
            counted(law.r3(self._accounts(settled=settled)), self.settled, self.found["R3"].count),
            counted(law.r4(self._accounts(rows=self.rows)), traded, len(stuck)),
            counted(r5, self.seen, self.found["R5"].count),
            counted(r7, self.of["R7"], self.found["R7"].count),
            self._s16(),
        ]

    def _s16(self) -> law.Check:
        small = self.big.small
        if small.snapshots is None:
            return law.absent("S16", "Summaries that call themselves fresh are right", "the schema has no summaries")
        fresh = {s.market_id for s in small.snapshots if not s.stale}
        ids = [*self.big.markets.id.tolist(), *self.big.strange]
        mine = [i for i in np.flatnonzero(self.orders).tolist() if ids[i] in fresh]
        sums = zip(*(x[mine].tolist() for x in (self.volume, self.orders, self.newest, self.last)), strict=True)
        summed = dict(zip((ids[i] for i in mine), sums, strict=True))
        return law.s16(small, summed, self.eras)

    def by_users(self) -> list[law.Check]:
        """Laws about users: R6, T, S12, S17."""
        u, n = self.big.users, self.known_users
        judged = ~u.deleted
        low, high = u.initial + self.low[:n], u.initial + self.high[:n]
        off = np.where(u.balance > high, u.balance - high, np.where(u.balance < low, u.balance - low, 0))
        self.off = off
        beyond = {x for s in self.book.stuck for x in s.users} | {r.user for m in self.book.countless for r in self.handed[m]}
        irregular = self.irregular[:n]
        doubtful = [i for x in sorted(self.book.tied | beyond) if (i := self.number.get(x, n)) < n]
        doubtful += np.flatnonzero(judged & (off == 0) & (u.balance < low + irregular)).tolist()
        self.outside = np.zeros(n, bool)
        self.outside[[i for x in beyond if (i := self.number.get(x, n)) < n]] = True
        lines = {u.names[i]: self._lines_of(i, int(low[i]), int(high[i])) for i in doubtful}
        between = self._accounts(lines=lines)
        for i in [i for i in doubtful if not off[i]]:
            off[i] = between.off(u.names[i], int(u.balance[i]))
        violations = judged & (off != 0) & ~self.outside
        shown = nsmallest(MOST, np.flatnonzero(violations).tolist(), key=lambda i: (-abs(int(off[i])), u.names[i]))
        some = sorted({*shown, *doubtful, *np.flatnonzero(judged)[:1].tolist()})
        lines |= {u.names[i]: self._lines_of(i, int(low[i]), int(high[i])) for i in some if u.names[i] not in lines}
        rows = {m: self.handed[m] for m in self.book.countless}
        r6 = law.r6(self._ledger(users=some), self._accounts(lines=lines, rows=rows), int((judged & (low != high)).sum()))
        unsure = r6.of - r6.looked_at
        r6 = msgspec.structs.replace(counted(r6, int(judged.sum()), int(violations.sum())), looked_at=int(judged.sum()) - unsure)
        if r6.violations == 0 and unsure:
            r6 = msgspec.structs.replace(r6, state="inconclusive")
        low_sum, high_sum, odd, total = (int(x[judged].sum()) for x in (low, high, irregular, u.balance))
        t = law.all_balances(low_sum, high_sum, odd, total, stuck=any(s.users for s in self.book.stuck), ties=bool(rows))
        return [r6, t, self._s12(), self._s17()]

    def _lines_of(self, i: int, low: int, high: int) -> list[Line]:
        """A statement of account: the lines that were entered one by one, and one for everything else."""
        mine = self.book.lines.get(self.big.users.names[i], [])
        base = (low - sum(x.low for x in mine), high - sum(x.high for x in mine))
        rest = int(self.irregular[i]) - sum(x.irregular for x in mine)
        return [Line(None, None, "everything else", *base, "", (), rest), *mine]

    def _s12(self) -> law.Check:
        u, n = self.big.users, self.known_users
        below = np.flatnonzero(self.below[:n]).tolist()
        lines = {u.names[i]: [Line(None, None, "refund", self.taken[i], self.taken[i], "")] for i in below if i in self.taken}
        markets = np.flatnonzero(np.isin(self.big.markets.creator, below)).tolist() if self.debts[0] < self.debts[1] else ()
        bets = [c.Bet(0, u.names[i], 0, 1, "YES", at, False) for i, at in self.bought.items()]
        some = self._ledger(users=below or range(min(1, n)), markets=markets, bets=bets)
        made = law.s12(some, self._accounts(lines=lines), self.eras)
        return counted(made, n, made.violations)

    def _s17(self) -> law.Check:
        u, m, n = self.big.users, self.big.markets, self.known_users
        busy = self.busy.copy()
        for column in (m.creator, m.steward):
            busy[column[column >= 0]] = True
        gone = {b.username for b in self.big.rest} | law.former_stewards(self.big.small)
        if gone:
            busy[[i for i, name in enumerate(u.names) if name in gone]] = True
        idle = ~busy[:n]
        gap = u.balance - u.initial
        violations = idle & (gap != 0)
        shown = nsmallest(MOST, np.flatnonzero(violations).tolist(), key=lambda i: (-abs(int(gap[i])), u.names[i]))
        made = law.s17(self._ledger(users=shown or np.flatnonzero(idle)[:1].tolist()), self._accounts())
        return counted(made, int(idle.sum()), int(violations.sum()))

    def totals(self) -> dict[str, str]:
        """The sums the contract names."""
        judged = ~self.big.users.deleted & ~self.outside
        return {
            "minted": str(self.minted),
            "burned": str(self.burned),
            "unexplained": str(int(np.abs(self.off[judged]).sum())),
            "dust_low": str(self.dust_low),
            "dust_high": str(self.dust_high),
        }


def by_columns(big: Big, name: str, threads: int, step: Step | None = None) -> Engine:
    """An engine over columns."""
    facts = Facts(len(big.users.id), len(big.markets.id), big.live, big.moments, big.last_order)

    def judge(eras: Eras, asked: Mapping[int, int]) -> Judged:
        return judged(big, eras, asked, threads, step)

    return Engine(name, facts, judge, lambda: whole(big), lambda users, most: around(big, users, most))


def whole(big: Big) -> c.Ledger:
    """Every row, as the readers of rows give them."""
    bets = [*big.rest]
    for p in big.parts():
        bets += [big.bet(p, i) for i in range(len(p.id))]
    users = tuple(big.user(i) for i in range(len(big.users.id)))
    markets = tuple(big.markets_of(range(len(big.markets.id))))
    return msgspec.structs.replace(big.small, users=users, markets=markets, bets=tuple(sorted(bets, key=lambda b: b.id)))


def judged(big: Big, eras: Eras, asked: Mapping[int, int], threads: int = 1, step: Step | None = None) -> Judged:
    """Replay a ledger and hold it to every law, as `replay` and `all_checks` do of rows."""
    j = Judge(big, eras, asked, threads)
    done = 0
    for part in big.parts():
        j.part(part)
        done += len(part.id)
        if step:
            step(done, big.live)
    return concluded(j)


def concluded(j: Judge) -> Judged:
    """What comes of all parts together."""
    j.costs()
    j.work()
    j.entered()
    found = [*j.by_rows(), *j.by_markets(), *j.by_replay(), *j.by_users()]
    found.sort(key=lambda x: law.order_of(x.id))
    gone = {
        m: rows
        for m, rows in sorted((j.handed | j.rows).items())
        if m in {s.market for s in j.book.stuck} or sum(r.amount for r in rows) < 0
    }
    accounts = j._accounts(rows=gone, stuck=tuple(sorted(j.book.stuck, key=lambda s: s.market)))
    return Judged(accounts, found, j.totals(), j.by_market(), degenerate(accounts), j.seen)


def around(big: Big, users: Sequence[str], most: int) -> c.Ledger:
    """The ledger of some users: every market they ordered in, made or are stewards of, and its group, whole; cut short beyond `most`
    orders."""
    some = set(users)
    if not some:
        return big.small
    numbers = np.array([i for i, name in enumerate(big.users.names) if name in some], np.int64)
    m, small = big.markets, big.small
    groups = {x.market_id: x.group_id for x in small.members}
    near = {int(i) for i in m.id[np.isin(m.creator, numbers) | np.isin(m.steward, numbers)]}
    near |= {s.market_id for s in small.stewardships or () if {s.before, s.after} & some}
    near |= {b.market_id for b in big.rest if b.username in some and b.market_id is not None}
    for p in big.parts():
        near |= {big.market_id(i) for i in np.unique(p.market[np.isin(p.user, numbers)]).tolist()}
    whole_groups = {groups[i] for i in near if i in groups} | {g.id for g in small.groups or () if g.creator in some or g.steward in some}
    near |= {i for i, g in groups.items() if g in whole_groups}
    ids = np.append(m.id, np.array(big.strange, np.int64))
    wanted = np.isin(ids, np.array(sorted(near), np.int64))
    bets = [b for b in big.rest if b.market_id in near]
    for p in big.parts():
        bets += [big.bet(p, i) for i in np.flatnonzero(wanted[p.market])[: most + 1].tolist()]
    return msgspec.structs.replace(
        small, users=tuple(big.user(int(i)) for i in numbers if i < len(big.users.id)), bets=tuple(bets),
        markets=tuple(big.markets_of(np.flatnonzero(wanted[: len(m.id)]).tolist())),
    )  # fmt: skip


def _forbidden(market: int) -> Sale:
    """A sale that stands for those a market had against the rules."""
    return Sale(bet=0, user="", market=market, at=0, shares=0, sellable=0, price=0, low=0, high=0, against="forbidden")


def counted(check: law.Check, of: int, violations: int) -> law.Check:
    """A check made from some rows, with the counts of all."""
    if of == 0:
        return law.absent(check.id, check.title, NOTHING)
    if check.state == "missing" and check.why == NOTHING:  # no row was worth showing
        return law.Check(id=check.id, title=check.title, state="pass", looked_at=of, of=of)
    return msgspec.structs.replace(check, looked_at=of if check.looked_at == check.of else check.looked_at, of=of, violations=violations)


def _runs(column: Any) -> tuple[Any, Any, Any]:
    """Distinct neighbours of a column: their values, where each run begins, how long it is."""
    first = np.concatenate(([0], np.flatnonzero(column[1:] != column[:-1]) + 1))
    return column[first], first, np.diff(np.append(first, len(column)))


def _largest(values: Any, key: Callable[[int], tuple[str, int, str]], most: int = MOST) -> list[int]:
    """Places of the largest positive values, equal ones by `key`: as many as are shown."""
    places = np.flatnonzero(values > 0)
    if len(places) > most:
        least = -np.partition(-values[places], most - 1)[most - 1]
        places = places[values[places] >= least]
    return nsmallest(most, places.tolist(), key=lambda i: (-int(values[i]), *key(i)))
