"""Every user's statement of account: each debit and credit the rules give, in order, with the formula behind it, to the balance.

* A buy costs its amount and, on a user's first order in a market, the participation fee.
* A sale is priced on the history before it. What dust was taken off is known where the request is (receipts), else an interval: up to
  the cap, for a request may have asked for anything. What of it a server that sold all it was asked for could not have taken is
  `irregular`: neither claimed nor granted.
* A sale the rules forbid counts nothing, so that its whole credit shows as a difference.
* A market resolved YES or NO pays each positive value; resolved otherwise, each order's signed amount goes back, fees stay.
* Where several rules may have been in force, or orders share a microsecond and their order matters, every outcome stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise, permutations, product
from math import factorial, prod

import msgspec

from release_dossier.errors import counted
from release_dossier.ledger.columns import Group, Ledger, Market, Stewardship
from release_dossier.ledger.rulesets import Eras, Ruleset
from release_dossier.ledger.settlement import Degenerate, Position, Quote, Row, may_sell, positions, probabilities, volume
from release_dossier.limits import LEDGER_ORDERS_MAX, LEDGER_OUTCOMES_MAX


class Line(msgspec.Struct, frozen=True):
    """One debit or credit of a user: between `low` and `high` credits, equal where nothing is unknown.

    `outcomes` are the credits each ruleset or order of rows that may have held gives, where they differ. `irregular` is how much above
    `low` the least is that a sale carried out as asked for gives.
    """

    at: int | None
    market: int | None
    what: str
    low: int
    high: int
    formula: str
    outcomes: tuple[int, ...] = ()
    irregular: int = 0


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
    outcomes: tuple[int, ...] = ()  # gross credits under each ruleset or order of rows that may have held, where they differ
    irregular: int = 0  # of the dust up to `low`, what a server that sold all it was asked for could not have taken

    @property
    def dust(self) -> tuple[int, int]:
        """What may have been taken off it, least and most; nothing is said where its price itself is not known."""
        gross = self.shares * self.price
        return (0, 0) if self.against or self.outcomes else (gross - self.high, gross - self.low)

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
    """A market the rules have no answer for, from which order on; `users` are those whose account that leaves open."""

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
    tied: frozenset[str]  # users whose account depends on the order of simultaneous orders, or on which of several rules held
    unjudged: frozenset[str]  # users whose account a market without an answer leaves open
    countless: frozenset[int]  # markets with more possible orders of rows than were tried

    @property
    def beyond(self) -> frozenset[str]:
        """Users of whom nothing is claimed: a market of theirs has no answer, or more possible orders of its rows than were tried."""
        return self.unjudged | {r.user for m in self.countless for r in self.rows[m]}

    def expected(self, user: str) -> tuple[int, int]:
        """What a user's balance must lie between."""
        mine = self.lines.get(user, ())
        return sum(x.low for x in mine), sum(x.high for x in mine)

    def nearest(self, user: str, balance: int) -> tuple[int, int]:
        """The same, where lines have several outcomes: of those that a balance lies between, the nearest."""
        low, high = self.expected(user)
        several = [x for x in self.lines.get(user, ()) if x.outcomes and x.what != "sale"]
        if not several or not low <= balance <= high:
            return low, high
        wide = high - low - sum(x.high - x.low for x in several)
        ends = {low - sum(x.low for x in several)}
        for x in several:
            ends = {end + outcome for end in ends for outcome in x.outcomes}
            if len(ends) > LEDGER_OUTCOMES_MAX:
                return low, high
        end = min(ends, key=lambda end: (max(end - balance, balance - end - wide, 0), end))
        return end, end + wide

    def off(self, user: str, balance: int) -> int:
        """How much more than that a balance is, or less; 0 within it."""
        low, high = self.nearest(user, balance)
        return balance - high if balance > high else balance - low if balance < low else 0

    def irregular(self, user: str) -> int:
        """How far above the low end of that the least is that sales carried out as asked for give."""
        return sum(x.irregular for x in self.lines.get(user, ()))


def market_rows(ledger: Ledger) -> dict[int, tuple[Row, ...]]:
    """Live orders of each market, in order of settlement."""
    out: dict[int, list[Row]] = {}
    for b in ledger.live:
        assert b.market_id is not None
        assert b.username is not None
        assert b.placed_at is not None
        out.setdefault(b.market_id, []).append(Row(b.username, b.outcome == "YES", b.amount, b.placed_at, b.id))
    return {m: tuple(rows) for m, rows in sorted(out.items())}


Step = Callable[[int, int], None]  # how many of how many are done


def replay(ledger: Ledger, eras: Eras, asked: Mapping[int, int], step: Step | None = None) -> Accounts:
    """Replay a ledger under the rules of their time.

    Args:
        asked: bet id of a sale → credits its request asked for, where a receipt says.
        step: told how many of how many orders are replayed, market by market.
    """
    rows = market_rows(ledger)
    done, total = 0, sum(map(len, rows.values()))
    book = Book()
    markets = {m.id: m for m in ledger.markets}
    children = {m.market_id: m.group_id for m in ledger.members}
    for u in ledger.users:
        book.add(u.username, None, None, "initial balance", u.initial, u.initial, "as the account was made")
    for market_id, history in rows.items():
        replay_market(book, market_id, history, markets.get(market_id), eras, asked)
        done += len(history)
        if step is not None:
            step(done, total)
    costs_of(book, ledger, children, eras)
    _work(book, ledger, rows, children, eras)
    for lines in book.lines.values():
        lines.sort(key=lambda x: (x.at is not None, x.at or 0))
    unjudged = frozenset(u for s in book.stuck for u in s.users)
    return Accounts(
        lines=book.lines, sales=tuple(book.sales), settled=tuple(book.settled), stuck=tuple(book.stuck), rows=rows,
        tied=frozenset(book.tied), unjudged=unjudged, countless=frozenset(book.countless),
    )  # fmt: skip


def replay_market(book: Book, market_id: int, history: Sequence[Row], market: Market | None, eras: Eras, asked: Mapping[int, int]) -> None:
    """Enter what one market did to its users; None: no row tells of it, only orders."""
    _orders(book, market_id, history, eras, asked)
    if market is not None and market.resolved:
        _settle(book, market, history, eras)
    else:
        _open_check(book, market_id, history, eras)


class Book:
    """What replaying fills."""

    def __init__(self) -> None:
        self.lines: dict[str, list[Line]] = {}
        self.sales: list[Sale] = []
        self.settled: list[Settled] = []
        self.stuck: list[Stuck] = []
        self.tied: set[str] = set()
        self.countless: set[int] = set()

    def add(self, user: str, at: int | None, market: int | None, what: str, low: int, high: int, formula: str) -> None:
        if low or high or what == "sale":
            self.lines.setdefault(user, []).append(Line(at, market, what, low, high, formula))

    def either(self, user: str, at: int | None, market: int | None, what: str, outcomes: Sequence[int], formula: str) -> None:
        """One of several amounts, each of which may be the right one."""
        distinct = tuple(dict.fromkeys(outcomes))
        if len(distinct) > 1:
            self.tied.add(user)
            self.lines.setdefault(user, []).append(Line(at, market, what, min(distinct), max(distinct), formula, distinct))
        else:
            self.add(user, at, market, what, distinct[0], distinct[0], formula)


def possible_orders(history: Sequence[Row]) -> tuple[list[tuple[Row, ...]], bool]:
    """The orders rows may have had: by time, and simultaneous ones each way round; the first is by id. False: there are more than these.

    Two rows of one user, side and amount are the same row twice: their order changes nothing.
    """
    if not any(a.placed_at == b.placed_at for a, b in pairwise(history)):
        return [tuple(history)], True
    ties = [list(rows) for _, rows in groupby(history, key=lambda r: r.placed_at)]
    if prod(factorial(len(t)) for t in ties) > LEDGER_ORDERS_MAX:
        turned = sorted(history, key=lambda r: (r.placed_at, -r.id))
        return [tuple(history), tuple(turned)], False
    out: dict[tuple[tuple[str, bool, int], ...], tuple[Row, ...]] = {}
    for choice in product(*(permutations(t) for t in ties)):
        rows = tuple(r for t in choice for r in t)
        out.setdefault(tuple((r.user, r.yes, r.amount) for r in rows), rows)
    return list(out.values()), True


def _orders(book: Book, market: int, history: Sequence[Row], eras: Eras, asked: Mapping[int, int]) -> None:
    seen: set[str] = set()
    orders, all_of_them = possible_orders(history)
    if not all_of_them:
        book.countless.add(market)
        book.tied |= {r.user for r in history}
    for i, row in enumerate(history):
        rules = eras.at(row.placed_at)
        if row.user not in seen:
            seen.add(row.user)
            fees = [-r.initial_bet_fee for r in rules]
            book.either(row.user, row.placed_at, market, "participation fee", fees, "first order in this market")
        side = "YES" if row.yes else "NO"
        if row.amount > 0:
            book.add(row.user, row.placed_at, market, "buy", -row.amount, -row.amount, f"{counted(row.amount, 'credit')} on {side}")
            book.either(row.user, row.placed_at, market, "buy fee", [-r.buy_fee for r in rules], "each buy")
        elif row.amount < 0:
            before = [history[:i]] if len(orders) == 1 else [o[: o.index(row)] for o in orders]
            try:
                sale = _sale(market, before, row, eras, asked.get(row.id))
            except Degenerate as e:
                _stick(book, market, history, e)
                return
            if sale.against and not all_of_them:
                book.add(row.user, row.placed_at, market, "sale", 0, 0, "more orders of these rows are possible than were tried")
                continue
            book.sales.append(sale)
            if sale.outcomes:
                book.tied.add(row.user)
            formula = f"forbidden: {sale.against}" if sale.against else _sale_words(sale, side, row.id in asked)
            line = Line(row.placed_at, market, "sale", sale.low, sale.high, formula, sale.outcomes, sale.irregular)
            book.lines.setdefault(row.user, []).append(line)


def _sale_words(sale: Sale, side: str, known: bool) -> str:
    dust = sale.shares * sale.price - sale.low
    taken = f" − {dust} dust" if dust and known else f" − up to {dust} dust" if dust else ""
    regular = f" ({dust - sale.irregular} if it sold all it was asked for)" if sale.irregular else ""
    return f"{counted(sale.shares, f'{side} share')} × {sale.price}{taken}{regular}"


def _sale(market: int, befores: Sequence[Sequence[Row]], row: Row, eras: Eras, asked: int | None) -> Sale:
    """A sale under every ruleset that may have been in force and on every history that may have been before it.

    The sale happened: where one of them allows it and another does not, or has no answer, one that allows it held. The interval covers all
    that may have.
    """
    priced: dict[tuple[int, object], tuple[Quote, str] | Degenerate] = {}
    outcomes = []
    for i, before in enumerate(_distinct(befores)):
        for rules in reversed(eras.at(row.placed_at)):
            key = (i, (rules.settlement_weight, rules.valuation, rules.sell))
            if key not in priced:
                priced[key] = _priced(before, row, rules)
            answer = priced[key]
            if not isinstance(answer, Degenerate):
                outcomes.append(_sale_under(market, row, rules, asked, *answer))
    if not outcomes:
        raise next(x for x in priced.values() if isinstance(x, Degenerate))
    allowed = [o for o in outcomes if not o.against] or outcomes
    gross = tuple(dict.fromkeys(0 if o.against else o.shares * o.price for o in outcomes))
    nets = {(o.low, o.high) for o in outcomes}
    low = min(o.low for o in allowed)
    return msgspec.structs.replace(
        allowed[0], low=low, high=max(o.high for o in allowed), outcomes=gross if len(nets) > 1 else (),
        irregular=min(o.low + o.irregular for o in allowed) - low,
    )  # fmt: skip


def _priced(before: Sequence[Row], row: Row, rules: Ruleset) -> tuple[Quote, str] | Degenerate:
    try:
        return may_sell(before, row.user, row.yes, -row.amount, rules)
    except Degenerate as e:
        return e


def _distinct(histories: Sequence[Sequence[Row]]) -> Sequence[Sequence[Row]]:
    return histories if len(histories) == 1 else list(dict.fromkeys(map(tuple, histories)))


def _sale_under(market: int, row: Row, rules: Ruleset, asked: int | None, q: Quote, against: str) -> Sale:
    shares = -row.amount
    gross = shares * q.price
    irregular = 0
    if against:
        low = high = 0
    elif rules.sale_credit == "gross":
        low = high = gross
    else:
        cap = max(0, rules.max_dust)
        least, most = (0, cap) if asked is None else (min(cap, max(0, asked - gross)),) * 2
        low, high = max(0, gross - most), max(0, gross - least)
        if asked is None and shares < q.sellable:
            # Sold short of everything he may sell, what was asked for was less than one share more.
            irregular = max(0, gross - min(cap, q.price - 1)) - low
    return Sale(
        bet=row.id, user=row.user, market=market, at=row.placed_at, shares=shares, sellable=q.sellable,
        price=q.price, low=low, high=high, against=against, irregular=irregular,
    )  # fmt: skip


def _stick(book: Book, market: int, history: Sequence[Row], e: Degenerate) -> None:
    users = tuple(sorted({r.user for r in history}))
    if not any(s.market == market for s in book.stuck):
        book.stuck.append(Stuck(market, e.why, e.row.id if e.row else None, users))


def _open_check(book: Book, market: int, history: Sequence[Row], eras: Eras) -> None:
    """An open market pays nothing: one that has no answer any more is said to have none, and where every sale had its price, every account
    is known all the same. One answer, under rules or in an order of rows that may have held, is enough."""
    found = None
    for rules, rows in product(eras.eras[-1].possible[::-1], possible_orders(history)[0]):
        try:
            probabilities(rows, rules.settlement_weight)
        except Degenerate as e:
            found = found or e
        else:
            return
    assert found is not None
    _stick(book, market, (), found)


def _settle(book: Book, market: Market, history: Sequence[Row], eras: Eras) -> None:
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
    pool = volume(history)
    for user in sorted({u for p in paid for u in p}):
        likeliest = next(p[user] for p in paid if user in p)
        formula = f"resolved {market.result}: {_payout_words(likeliest, market.result, pool)}"
        book.either(user, market.resolved_at, market.id, "payout", [p[user].value if user in p else 0 for p in paid], formula)
    winners = tuple(sorted(((u, p.value) for u, p in paid[0].items()), key=lambda x: (-x[1], x[0])))
    book.settled.append(Settled(market.id, market.result, pool, sum(credits for _, credits in winners), winners))


def _payout_words(p: Position, result: str, pool: int) -> str:
    """A credit for each share, and what this leaves of the pool, or what it lacks, in even parts."""
    shares = p.of(result == "YES")
    words = counted(shares, f"{result} share")
    if p.value == shares:
        return words
    more = p.value - shares
    return f"{words} {'+' if more > 0 else '−'} {abs(more)}, an even part of what the pool of {pool} {'leaves' if more > 0 else 'lacks'}"


def _paid(history: Sequence[Row], market: Market, eras: Eras) -> list[dict[str, Position]]:
    """Payouts under every ruleset that may have been in force and in every order simultaneous rows may have had; the likeliest first. Where
    only some of them have an answer, nobody was paid under the others."""
    out: list[dict[str, Position]] = []
    unanswered: list[Degenerate] = []
    for rules in reversed(eras.at(market.resolved_at)):
        for rows in possible_orders(history)[0]:
            try:
                held = positions(rows, rules, market.result)
            except Degenerate as e:
                unanswered.append(e)
            else:
                out.append({u: p for u, p in held.items() if p.value > 0})
    if not out:
        raise unanswered[0]
    return [*out, *[{}] * bool(unanswered)]


def costs_of(book: Book, ledger: Ledger, children: Mapping[int, int], eras: Eras) -> None:
    """What making markets, groups and answers costs, and what a rejection gives back: the stored cost, else the cost of that time.

    A part of a group costs nothing. Rejected with its group it gives nothing back; rejected alone, the server gives the cost of that time.
    Marked deleted, a market or group cost what it cost: the mark gives nothing back.
    """
    groups = {g.id: g for g in ledger.groups or ()}
    for m in ledger.markets:
        group = groups.get(children.get(m.id, -1))
        if m.id not in children:
            costs = [-(m.cost if m.cost is not None and _stored(r, m) else r.create_market_cost) for r in eras.at(m.created_at)]
            stored = m.cost is not None and _stored(eras.one(m.created_at), m)
            formula = "its proposal cost" if stored else "the cost of its time"
            book.either(m.creator, m.created_at, m.id, "creating a market", costs, formula)
        alone = m.id not in children or group is None or group.rejected_at != m.rejected_at
        if m.rejected_at is not None and alone:
            back = [m.cost or r.create_market_cost for r in eras.at(m.rejected_at)]
            book.either(m.creator, m.rejected_at, m.id, "rejected: cost back", back, "the stored cost, else the cost of that time")
    for g in ledger.groups or ():
        book.add(g.creator, g.created_at, None, "creating a group", -g.cost, -g.cost, f"group {g.id}")
        if g.rejected_at is not None:
            back = [g.cost or r.create_market_cost for r in eras.at(g.rejected_at)]
            book.either(g.creator, g.rejected_at, None, "rejected: cost back", back, f"group {g.id}")
    for a in ledger.additions or ():
        if a.status == "approved":
            formula = f"answer {a.id} of group {a.group_id}"
            book.add(a.proposed_by, a.reviewed_at, a.market_id or None, "adding an answer", -a.cost, -a.cost, formula)


def _stored(rules: Ruleset, market: Market) -> bool:
    """Whether the row says what making it cost: a migration left 0 where the release that made it stored nothing."""
    return market.cost is not None if rules.create_cost_stored is None else rules.create_cost_stored


def stewards(ledger: Ledger) -> dict[int, list[Stewardship]]:
    """market → its changes of steward, in order of time."""
    changes: dict[int, list[Stewardship]] = {}
    for s in ledger.stewardships or ():
        changes.setdefault(s.market_id, []).append(s)
    return {market: sorted(known, key=lambda s: s.at) for market, known in changes.items()}


def steward_of(market: Market, at: int | None, changes: Mapping[int, Sequence[Stewardship]]) -> str:
    """Who was steward of a market at a moment, given the `stewards` of its ledger: who is now, unless it changed later; then whom the
    change before that moment made it, or who was found by the first."""
    mine = changes.get(market.id, ())
    before = [s for s in mine if at is not None and s.at <= at]
    later = [s for s in mine if at is not None and s.at > at]
    then = ((before[-1].after if before else "") or later[0].before) if later else market.steward
    return then or market.steward or market.creator


def _work(book: Book, ledger: Ledger, rows: Mapping[int, Sequence[Row]], children: Mapping[int, int], eras: Eras) -> None:
    """The steward's share: participation fees of a market resolved on its own, or of a whole group once."""
    groups = {g.id: g for g in ledger.groups or ()}
    done: dict[int, list[Market]] = {}
    changes = stewards(ledger)
    left: dict[int, list[int]] = {}
    for m in ledger.markets:
        group = groups.get(children.get(m.id, -1))
        if group is not None and group.lifecycle == "resolved":
            if m.resolved:
                done.setdefault(group.id, []).append(m)
            else:
                left.setdefault(group.id, []).append(m.id)
        elif not m.resolved:
            continue
        elif m.result in ("YES", "NO"):
            buyers = len(_buyers(rows.get(m.id, ())))
            steward = steward_of(m, m.resolved_at, changes)
            profit_of(book, steward, m.resolved_at, m.id, buyers, m.cost or 0, eras.at(m.resolved_at))
    for group_id, members in sorted(done.items()):
        at = max(m.resolved_at or 0 for m in members)
        before = [[r for r in rows.get(m, ()) if r.placed_at <= at] for m in left.get(group_id, ())]
        bought = set().union(*map(_buyers, [*(rows.get(m.id, ()) for m in members), *before]))
        group_work(book, groups[group_id], members, len(bought), eras)


def group_work(book: Book, group: Group, members: Sequence[Market], buyers: int, eras: Eras) -> None:
    """The steward's share of a resolved group: once, and only where an answer is not N/A. An answer left open when it was resolved had
    its buyers too."""
    at = max((m.resolved_at or 0 for m in members), default=0) or None
    rules = eras.at(at)
    if all(m.result not in ("YES", "NO") for m in members):
        rules = tuple(r for r in rules if r.group_na_work_profit)
    if rules:
        profit_of(book, group.steward or group.creator, at, None, buyers, group.cost, rules, f"group {group.id}: ")


def profit_of(
    book: Book, steward: str, at: int | None, market: int | None, buyers: int, cost: int, rules: Sequence[Ruleset], where: str = ""
) -> None:
    """Nothing, all participation fees, or what they exceed the cost of the market by."""
    pays = []
    for r in rules:
        fees = r.initial_bet_fee * buyers
        left = max(0, fees - (cost or r.create_market_cost))
        pays.append(fees if r.work_profit == "full" else left if r.work_profit == "threshold" else 0)
    likeliest = rules[-1]
    words = (
        f"{where}{likeliest.work_profit}: fees of {likeliest.initial_bet_fee} from {'each of ' * (buyers != 1)}{counted(buyers, 'buyer')}"
    )
    book.either(steward, at, market, "stewardship", list(reversed(pays)), words)


def _buyers(rows: Sequence[Row]) -> set[str]:
    return {r.user for r in rows if r.amount > 0}
