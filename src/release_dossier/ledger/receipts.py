"""Receipts: the journal of requests. What a sale asked for makes its dust exact; what was accepted is held against the rows (J1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from release_dossier.ledger.columns import Bet, Ledger
from release_dossier.ledger.rulesets import microseconds


class Order(msgspec.Struct, frozen=True):
    """An accepted buy or sale: `shares` is what the reply says was sold, None where it does not say."""

    number: int
    user: str
    market: int
    yes: bool
    sale: bool
    asked: int
    shares: int | None
    at: int | None


class Journal(msgspec.Struct, frozen=True):
    """Accepted orders in the order of the journal, how many requests were read, and how many lines could not be."""

    orders: tuple[Order, ...]
    requests: int
    unreadable: int


def read_journal(records: Iterable[Any]) -> Journal:
    """Orders the server accepted, from records `started_at, actor, method, path, body, status, reply`. A bad record hides no other."""
    orders, requests, unreadable = [], 0, 0
    for number, r in enumerate(records):
        if not isinstance(r, Mapping):
            unreadable += 1
            continue
        requests += 1
        path, body, status = r.get("path"), r.get("body"), r.get("status")
        if path not in ("/v0/bet", "/v0/sell") or r.get("method") != "POST" or not isinstance(status, int) or not 200 <= status < 300:
            continue
        order = _order(number, r, body, path == "/v0/sell")
        if order is None:
            unreadable += 1
        else:
            orders.append(order)
    return Journal(tuple(orders), requests, unreadable)


def _order(number: int, r: Mapping[str, Any], body: Any, sale: bool) -> Order | None:
    if not isinstance(body, Mapping) or not isinstance(r.get("actor"), str):
        return None
    market, amount, outcome = body.get("marketId"), body.get("amount"), body.get("outcome")
    if not isinstance(market, int) or not isinstance(amount, int) or outcome not in ("YES", "NO"):
        return None
    reply = r.get("reply")
    result = reply.get("result", reply) if isinstance(reply, Mapping) else {}
    result = result if isinstance(result, Mapping) else {}
    shares = result.get("sharesSold")
    when = result.get("transactionAt") or result.get("placedAt")
    return Order(
        number, r["actor"], market, outcome == "YES", sale, amount,
        shares if isinstance(shares, int) else None,
        microseconds(when) if isinstance(when, str) else None,
    )  # fmt: skip


class Matched(msgspec.Struct, frozen=True):
    """Requests beside rows: what each sale asked for by bet id, accepted orders without a row, rows no request explains."""

    asked: dict[int, int]
    without_row: tuple[Order, ...]
    rows_without: int


def match(journal: Journal, ledger: Ledger) -> Matched:
    """Give every accepted order its row: same user, market and side, the same moment where the reply says one, else the first that fits."""
    free: dict[tuple[str, int, bool, bool], list[Bet]] = {}
    for b in ledger.live:
        assert b.username is not None
        assert b.market_id is not None
        free.setdefault((b.username, b.market_id, b.outcome == "YES", b.amount < 0), []).append(b)
    asked: dict[int, int] = {}
    lost: list[Order] = []
    later: list[Order] = []
    for exact in (True, False):
        for order in journal.orders if exact else later:
            rows = free.get((order.user, order.market, order.yes, order.sale), [])
            row = next((b for b in rows if _fits(order, b, exact)), None)
            if row is None:
                (later if exact else lost).append(order)
                continue
            rows.remove(row)
            if order.sale:
                asked[row.id] = order.asked
    return Matched(asked, tuple(lost), sum(len(rows) for rows in free.values()))


def _fits(order: Order, b: Bet, exact: bool) -> bool:
    size = abs(b.amount) == order.asked if not order.sale else order.shares is None or -b.amount == order.shares
    return size and (not exact or (order.at is not None and order.at == b.placed_at))
