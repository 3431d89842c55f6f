"""Receipts: the journal of requests. What a sale asked for makes its dust exact; what was accepted is held against the rows (J1)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import msgspec

from release_dossier.ledger.columns import Bet, Ledger
from release_dossier.ledger.rulesets import microseconds

_RESOLVE = re.compile(r"/v0/markets/(\d+)/resolve|/v0/resolve/(\d+)")


class Order(msgspec.Struct, frozen=True):
    """An accepted buy or sale: `shares` is what the reply says was sold, `begun` and `done` when the request was; None where the journal
    does not say."""

    number: int
    user: str
    market: int
    yes: bool
    sale: bool
    asked: int
    shares: int | None
    at: int | None
    begun: int | None = None
    done: int | None = None


class Journal(msgspec.Struct, frozen=True):
    """Accepted orders in the order of the journal, how many requests were read, the numbers of those that could not be, from 0, and which
    servers answered: (version, first request, end of the last), where the journal says."""

    orders: tuple[Order, ...]
    requests: int
    unreadable: tuple[int, ...]
    versions: tuple[tuple[str, int, int], ...] = ()
    resolves: tuple[tuple[int, int], ...] = ()  # market → requests to resolve it that were accepted


def read_journal(records: Iterable[Any]) -> Journal:
    """Orders the server accepted, from records `started_at, actor, method, path, body, status, reply`. A bad record hides no other.

    A record that was kept twice, as a log shipped again is, counts once: the same order, begun and done at the same moments.
    """
    orders, requests, unreadable = [], 0, list[int]()
    spans: list[tuple[int, int, str]] = []
    resolves: Counter[int] = Counter()
    seen: set[tuple[Order, str]] = set()
    for number, r in enumerate(records):
        if not isinstance(r, Mapping):
            unreadable.append(number)
            continue
        requests += 1
        span = _span(r)
        if span is not None:
            spans.append(span)
        path, body, status = asked_for(r), r.get("body"), r.get("status")
        resolved = _RESOLVE.fullmatch(path) if r.get("method") == "POST" else None
        if resolved and isinstance(status, int) and 200 <= status < 300:
            resolves[int(resolved[1] or resolved[2])] += 1
        if path not in ("/v0/bet", "/v0/sell") or r.get("method") != "POST" or not isinstance(status, int) or not 200 <= status < 300:
            continue
        order = _order(number, r, body, path == "/v0/sell")
        if order is None:
            unreadable.append(number)
            continue
        once = msgspec.structs.replace(order, number=0), str(r.get("started_at"))
        if order.at is None or not r.get("started_at") or once not in seen:
            orders.append(order)
        seen.add(once)
    return Journal(tuple(orders), requests, tuple(unreadable), _versions(spans), tuple(sorted(resolves.items())))


def asked_for(record: Mapping[str, Any]) -> str:
    """The path of a request as the server has it: what stands before it serves the same at `/api`, and what is asked behind a question
    mark is no part of it. Empty where there is none."""
    path = record.get("path")
    return path.partition("?")[0].removeprefix("/api") if isinstance(path, str) else ""


def _span(r: Mapping[str, Any]) -> tuple[int, int, str] | None:
    """(start, end, version) of a request that says which server answered it."""
    version, start, end = r.get("version"), r.get("started_at"), r.get("ended_at")
    first = microseconds(start) if isinstance(start, str) else None
    if not isinstance(version, str) or not version or first is None:
        return None
    last = microseconds(end) if isinstance(end, str) else None
    return first, first if last is None else last, version


def _versions(spans: list[tuple[int, int, str]]) -> tuple[tuple[str, int, int], ...]:
    runs: list[tuple[str, int, int]] = []
    for first, last, version in sorted(spans):
        if runs and runs[-1][0] == version:
            runs[-1] = (version, runs[-1][1], max(runs[-1][2], last))
        else:
            runs.append((version, first, last))
    return tuple(runs)


def _order(number: int, r: Mapping[str, Any], body: Any, sale: bool) -> Order | None:
    if not isinstance(body, Mapping) or not isinstance(r.get("actor"), str):
        return None
    market, amount, outcome = body.get("marketId"), body.get("amount"), body.get("outcome")
    if not _whole(market) or not _whole(amount) or outcome not in ("YES", "NO"):
        return None
    reply = r.get("reply")
    result = reply.get("result", reply) if isinstance(reply, Mapping) else {}
    result = result if isinstance(result, Mapping) else {}
    shares = result.get("sharesSold")
    if shares is not None and (not _whole(shares) or shares < 0):
        return None
    when = result.get("transactionAt") or result.get("placedAt")
    at, begun, done = (microseconds(x) if isinstance(x, str) else None for x in (when, r.get("started_at"), r.get("ended_at")))
    return Order(number, r["actor"], market, outcome == "YES", sale, amount, shares, at, begun, done)


def _whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


class Matched(msgspec.Struct, frozen=True):
    """Requests beside rows: the order of each row by bet id, accepted orders without a row, those whose row says another size than the
    request or its reply, and rows no request explains. A sale that may as well be another request's is no row's order."""

    orders: dict[int, Order]
    without_row: tuple[Order, ...]
    misstated: tuple[tuple[Order, Bet], ...]
    rows_without: int

    @property
    def asked(self) -> dict[int, int]:
        """What each sale asked for, by bet id."""
        return {bet: order.asked for bet, order in self.orders.items() if order.sale}


def match(journal: Journal, ledger: Ledger) -> Matched:
    """Give every accepted order its row: same user, market and side, and the first of `WAYS` that fits, in order of time."""
    rows: dict[Key, list[Bet]] = {}
    for b in ledger.live:
        assert b.username is not None
        assert b.market_id is not None
        rows.setdefault((b.username, b.market_id, b.outcome == "YES", b.amount < 0), []).append(b)
    requests: dict[Key, list[Order]] = {}
    for order in sorted(journal.orders, key=lambda o: (o.begun or 0, o.number)):
        requests.setdefault((order.user, order.market, order.yes, order.sale), []).append(order)
    orders: dict[int, Order] = {}
    without_row: list[Order] = []
    misstated: list[tuple[Order, Bet]] = []
    for key, asked in requests.items():
        free, left = rows.get(key, []), asked
        for fits in WAYS:
            pairs = _paired(left, free, fits)
            orders |= {row.id: order for order, row in pairs if not order.sale or _sure(order, row, left, free, fits)}
            misstated += [x for x in pairs if fits is _same_moment]
            taken, done = {row.id for _, row in pairs}, {order.number for order, _ in pairs}
            free, left = [b for b in free if b.id not in taken], [o for o in left if o.number not in done]
        without_row += left
        rows[key] = free
    without_row.sort(key=lambda o: o.number)
    misstated.sort(key=lambda x: x[0].number)
    return Matched(orders, tuple(without_row), tuple(misstated), sum(map(len, rows.values())))


Key = tuple[str, int, bool, bool]  # user, market, whether YES, whether a sale
Fits = Callable[[Order, Bet], bool]


def _paired(orders: Sequence[Order], rows: Sequence[Bet], fits: Fits) -> list[tuple[Order, Bet]]:
    """Each order with the first row that fits and is nobody's yet."""
    free, pairs = list(rows), []
    for order in orders:
        row = next((b for b in free if fits(order, b)), None)
        if row is not None:
            free.remove(row)
            pairs.append((order, row))
    return pairs


def _sure(order: Order, row: Bet, orders: Sequence[Order], rows: Sequence[Bet], fits: Fits) -> bool:
    """Whether a row is this order's and what it asked for is known: not where a request that is not in the journal, as in one that begins
    later than the ledger, may have made it, nor where requests that asked for different amounts were on their way at once."""
    if fits in (_same, _same_moment):
        return True
    others = {o.asked for o in orders if fits(o, row)}
    complete = sum(fits(order, b) for b in rows) == sum(fits(o, row) for o in orders)
    return complete and (fits is not _meanwhile or len(others) == 1)


def _same_moment(order: Order, b: Bet) -> bool:
    return order.at == b.placed_at


def _same_size(order: Order, b: Bet) -> bool:
    return b.amount == order.asked if not order.sale else -b.amount == order.shares


def _of_any_size(order: Order, _: Bet) -> bool:
    return order.sale and order.shares is None


def _may_be(order: Order, b: Bet) -> bool:
    return _same_size(order, b) or _of_any_size(order, b)


def _same(order: Order, b: Bet) -> bool:
    return _same_moment(order, b) and _may_be(order, b)


def _meanwhile(order: Order, b: Bet) -> bool:
    return order.begun is not None and order.done is not None and order.begun <= (b.placed_at or 0) <= order.done and _may_be(order, b)


# the moment a reply names; written while the request was on its way; the size alone; the moment alone; a sale of which no size is said
WAYS: tuple[Fits, ...] = (_same, _meanwhile, _same_size, _same_moment, _of_any_size)
