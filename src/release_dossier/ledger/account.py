"""Every user's statement of account: each debit and credit the rules give, in order, with the formula behind it, to the balance.

* A buy costs its amount and, on a user's first order in a market, the participation fee.
* A sale is priced on the history before it. What dust was taken off is known where the request is (receipts), else an interval.
* A sale the rules forbid counts nothing, so that its whole credit shows as a difference.
* A market resolved YES or NO pays each positive value; resolved otherwise, each order's signed amount goes back, fees stay.
* Where two rules may have been in force, or two orders share a microsecond and their order matters, both outcomes stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from release_dossier.ledger.columns import Ledger, Market
from release_dossier.ledger.rulesets import Eras, Ruleset
from release_dossier.ledger.settlement import Degenerate, Row, may_sell, positions, probabilities, volume


class Line(msgspec.Struct, frozen=True):
    """One debit or credit of a user: between `low` and `high` credits, equal where nothing is unknown."""

    at: int | None
    market: int | None
    what: str
    low: int
    high: int
    formula: str


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """One sale, replayed. `against` says why the rules forbid it, empty when they do not; credits are then 0."""

    bet: int
    user: str
    market: int
    at: int
    shares: int
    sellable: int
    price: int
    low: int
    high: int
    against: str

    @property
    def minted(self) -> int:
        """Credits paid beyond the shares that left the pool."""
        return 0 if self.against else self.shares * (self.price - 1)


class Settled(msgspec.Struct, frozen=True):
    """A resolved market: its pool and what its holders are paid of it."""

    market: int
    result: str
    volume: int
    paid: int
    winners: tuple[tuple[str, int], ...]


class Stuck(msgspec.Struct, frozen=True):
    """A market the rules have no answer for, from which order on."""

    market: int
    why: str
    bet: int | None
    users: tuple[str, ...]


class Accounts(msgspec.Struct, frozen=True):
    """Everything replayed from the rows."""

    lines: dict[str, list[Line]]
    sales: tuple[Sale, ...]
    settled: tuple[Settled, ...]
    stuck: tuple[Stuck, ...]
    rows: dict[int, tuple[Row, ...]]
    tied: frozenset[str]  # users whose payout depends on the order of simultaneous orders
    unjudged: frozenset[str]  # users of markets that have no answer

    def expected(self, user: str) -> tuple[int, int]:
        """What a user's balance must lie between."""
        mine = self.lines.get(user, ())
        return sum(x.low for x in mine), sum(x.high for x in mine)


def market_rows(ledger: Ledger) -> dict[int, tuple[Row, ...]]:
    """Live orders of each market, in order of settlement."""
    out: dict[int, list[Row]] = {}
    for b in ledger.live:
        assert b.market_id is not None
        assert b.username is not None
        assert b.placed_at is not None
        out.setdefault(b.market_id, []).append(Row(b.username, b.outcome == "YES", b.amount, b.placed_at, b.id))
    return {m: tuple(rows) for m, rows in sorted(out.items())}


def replay(ledger: Ledger, eras: Eras, asked: Mapping[int, int]) -> Accounts:
    """Replay a ledger under the rules of their time.

    Args:
        asked: bet id of a sale → credits its request asked for, where a receipt says.
    """
    rows = market_rows(ledger)
    book = _Book()
    markets = {m.id: m for m in ledger.markets}
    children = {m.market_id: m.group_id for m in ledger.members}
    for u in ledger.users:
        book.add(u.username, None, None, "initial balance", u.initial, u.initial, "as the account was made")
    for market_id, history in rows.items():
        _orders(book, market_id, history, eras, asked)
        market = markets.get(market_id)
        if market is not None and market.resolved:
            _settle(book, market, history, eras)
        else:
            _open_check(book, market_id, history, eras)
    _costs(book, ledger, children, eras)
    _work(book, ledger, rows, children, eras)
    for lines in book.lines.values():
        lines.sort(key=lambda x: (x.at is not None, x.at or 0))
    unjudged = frozenset(u for s in book.stuck for u in s.users)
    return Accounts(book.lines, tuple(book.sales), tuple(book.settled), tuple(book.stuck), rows, frozenset(book.tied), unjudged)


class _Book:
    """What replaying fills."""

    def __init__(self) -> None:
        self.lines: dict[str, list[Line]] = {}
        self.sales: list[Sale] = []
        self.settled: list[Settled] = []
        self.stuck: list[Stuck] = []
        self.tied: set[str] = set()

    def add(self, user: str, at: int | None, market: int | None, what: str, low: int, high: int, formula: str) -> None:
        if low or high or what == "sale":
            self.lines.setdefault(user, []).append(Line(at, market, what, min(low, high), max(low, high), formula))


def _orders(book: _Book, market: int, history: Sequence[Row], eras: Eras, asked: Mapping[int, int]) -> None:
    seen: set[str] = set()
    for i, row in enumerate(history):
        rules = eras.one(row.placed_at)
        if row.user not in seen:
            seen.add(row.user)
            fee = -rules.initial_bet_fee
            book.add(row.user, row.placed_at, market, "participation fee", fee, fee, "first order in this market")
        side = "YES" if row.yes else "NO"
        if row.amount > 0:
            book.add(row.user, row.placed_at, market, "buy", -row.amount, -row.amount, f"{row.amount} credits on {side}")
            book.add(row.user, row.placed_at, market, "buy fee", -rules.buy_fee, -rules.buy_fee, "each buy")
        elif row.amount < 0:
            try:
                sale = _sale(market, history[:i], row, eras, asked.get(row.id))
            except Degenerate as e:
                _stick(book, market, history, e)
                return
            book.sales.append(sale)
            formula = f"forbidden: {sale.against}" if sale.against else _sale_words(sale, side, row.id in asked)
            book.add(row.user, row.placed_at, market, "sale", sale.low, sale.high, formula)


def _sale_words(sale: Sale, side: str, known: bool) -> str:
    dust = sale.shares * sale.price - sale.low
    taken = f" − {dust} dust" if dust and known else f" − up to {dust} dust" if dust else ""
    return f"{sale.shares} {side} shares × {sale.price}{taken}"


def _sale(market: int, before: Sequence[Row], row: Row, eras: Eras, asked: int | None) -> Sale:
    """A sale under every ruleset that may have been in force; the interval covers them all."""
    outcomes = [_sale_under(market, before, row, rules, asked) for rules in eras.at(row.placed_at)]
    first = outcomes[-1]
    low, high = min(o.low for o in outcomes), max(o.high for o in outcomes)
    against = first.against if all(o.against for o in outcomes) else ""
    return msgspec.structs.replace(first, low=low, high=high, against=against)


def _sale_under(market: int, before: Sequence[Row], row: Row, rules: Ruleset, asked: int | None) -> Sale:
    shares = -row.amount
    q, against = may_sell(before, row.user, row.yes, shares, rules)
    gross = shares * q.price
    if against:
        low = high = 0
    elif rules.sale_credit == "gross":
        low = high = gross
    else:
        cap = max(0, rules.max_dust)
        if asked is not None:
            least = most = min(cap, max(0, asked - gross))
        else:
            # Short of everything he may sell, the request was for less than one share more.
            least, most = 0, min(cap, q.price - 1) if shares < q.sellable else cap
        low, high = max(0, gross - most), max(0, gross - least)
    return Sale(
        bet=row.id, user=row.user, market=market, at=row.placed_at, shares=shares, sellable=q.sellable,
        price=q.price, low=low, high=high, against=against,
    )  # fmt: skip


def _stick(book: _Book, market: int, history: Sequence[Row], e: Degenerate) -> None:
    users = tuple(sorted({r.user for r in history}))
    if not any(s.market == market for s in book.stuck):
        book.stuck.append(Stuck(market, e.why, e.row.id if e.row else None, users))


def _open_check(book: _Book, market: int, history: Sequence[Row], eras: Eras) -> None:
    """An open market moves no money, but one that has no answer any more is said to have none."""
    try:
        probabilities(history, eras.eras[-1].rules.settlement_weight)
    except Degenerate as e:
        _stick(book, market, history, e)


def _settle(book: _Book, market: Market, history: Sequence[Row], eras: Eras) -> None:
    if market.result not in ("YES", "NO"):
        for row in history:
            book.add(row.user, market.resolved_at, market.id, "refund", row.amount, row.amount, f"resolved {market.result}: order {row.id}")
        book.settled.append(Settled(market.id, market.result, volume(history), volume(history), ()))
        return
    try:
        paid = _paid(history, market, eras)
    except Degenerate as e:
        _stick(book, market.id, history, e)
        return
    last = paid[0]
    for user in sorted({u for p in paid for u in p}):
        amounts = [p.get(user, 0) for p in paid]
        if min(amounts) != max(amounts):
            book.tied.add(user)
        formula = f"resolved {market.result}: value of his {market.result} shares"
        book.add(user, market.resolved_at, market.id, "payout", min(amounts), max(amounts), formula)
    winners = tuple(sorted(last.items(), key=lambda x: (-x[1], x[0])))
    book.settled.append(Settled(market.id, market.result, volume(history), sum(last.values()), winners))


def _paid(history: Sequence[Row], market: Market, eras: Eras) -> list[dict[str, int]]:
    """Payouts under every ruleset that may have been in force, and with simultaneous orders the other way round."""
    orders = [history]
    if any(a.placed_at == b.placed_at for a, b in pairwise(history)):
        orders.append(sorted(history, key=lambda r: (r.placed_at, -r.id)))
    out = []
    for rules in reversed(eras.at(market.resolved_at)):
        for rows in orders:
            held = positions(rows, rules, market.result)
            out.append({u: p.value for u, p in held.items() if p.value > 0})
    return out


def _costs(book: _Book, ledger: Ledger, children: Mapping[int, int], eras: Eras) -> None:
    """What making markets, groups and answers costs, and what a rejection gives back."""
    for m in ledger.markets:
        if m.id in children or m.deleted:
            continue
        rules = eras.one(m.created_at)
        stored = m.cost is not None if rules.create_cost_stored is None else rules.create_cost_stored and m.cost is not None
        cost = m.cost if stored and m.cost is not None else rules.create_market_cost
        book.add(
            m.creator, m.created_at, m.id, "creating a market", -cost, -cost, "its proposal cost" if stored else "the cost of its time"
        )
        if m.rejected_at is not None:
            back = (m.cost or 0) or eras.one(m.rejected_at).create_market_cost
            book.add(m.creator, m.rejected_at, m.id, "rejected: cost back", back, back, "the stored cost, else the cost of that time")
    for g in ledger.groups or ():
        if not g.deleted:
            book.add(g.creator, g.created_at, None, "creating a group", -g.cost, -g.cost, f"group {g.id}")
            if g.rejected_at is not None:
                back = g.cost or eras.one(g.rejected_at).create_market_cost
                book.add(g.creator, g.rejected_at, None, "rejected: cost back", back, back, f"group {g.id}")
    for a in ledger.additions or ():
        if a.status == "approved":
            book.add(a.proposed_by, None, a.market_id or None, "adding an answer", -a.cost, -a.cost, f"answer {a.id} of group {a.group_id}")


def stewards(ledger: Ledger) -> dict[int, list[tuple[int, str]]]:
    """market → (moment of a change of steward, who it was before), in order of time."""
    changes: dict[int, list[tuple[int, str]]] = {}
    for s in ledger.stewardships or ():
        changes.setdefault(s.market_id, []).append((s.at, s.before))
    return {market: sorted(known) for market, known in changes.items()}


def steward_of(market: Market, at: int | None, changes: Mapping[int, Sequence[tuple[int, str]]]) -> str:
    """Who was steward of a market at a moment, given the `stewards` of its ledger."""
    later = (before for when, before in changes.get(market.id, ()) if at is not None and when > at)
    return next(later, market.steward) or market.creator


def _work(book: _Book, ledger: Ledger, rows: Mapping[int, Sequence[Row]], children: Mapping[int, int], eras: Eras) -> None:
    """The steward's share: participation fees of a market resolved on its own, or of a whole group once."""
    groups = {g.id: g for g in ledger.groups or () if not g.deleted}
    done: dict[int, list[Market]] = {}
    changes = stewards(ledger)
    for m in ledger.markets:
        if not m.resolved:
            continue
        group = groups.get(children.get(m.id, -1))
        if group is not None and group.lifecycle == "resolved":
            done.setdefault(group.id, []).append(m)
        elif m.result in ("YES", "NO"):
            rules = eras.one(m.resolved_at)
            fees = rules.initial_bet_fee * len(_buyers(rows.get(m.id, ())))
            pay = (
                fees
                if rules.work_profit == "full"
                else max(0, fees - (m.cost or rules.create_market_cost))
                if rules.work_profit == "threshold"
                else 0
            )
            book.add(
                steward_of(m, m.resolved_at, changes), m.resolved_at, m.id, "stewardship", pay, pay, f"{rules.work_profit}: fees of {fees}"
            )
    for group_id, members in sorted(done.items()):
        at = max((m.resolved_at or 0 for m in members), default=0) or None
        rules = eras.one(at)
        if all(m.result not in ("YES", "NO") for m in members) and not rules.group_na_work_profit:
            continue
        buyers = set().union(*(_buyers(rows.get(m.id, ())) for m in members))
        fees = rules.initial_bet_fee * len(buyers)
        group = groups[group_id]
        pay = (
            fees
            if rules.work_profit == "full"
            else max(0, fees - (group.cost or rules.create_market_cost))
            if rules.work_profit == "threshold"
            else 0
        )
        book.add(group.steward or group.creator, at, None, "stewardship", pay, pay, f"group {group_id}: fees of {fees}")


def _buyers(rows: Sequence[Row]) -> set[str]:
    return {r.user for r in rows if r.amount > 0}
