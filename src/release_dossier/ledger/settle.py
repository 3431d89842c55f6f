"""Positions, payouts and what may be sold, of any market after any order, as plain data: what the server should show and pay, computed from
the rows alone; and who would be paid differently under other rules, or in another ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import msgspec

from release_dossier.errors import Refused, meant
from release_dossier.ledger.account import Accounts, market_rows, possible_orders, replay
from release_dossier.ledger.columns import Ledger, Market
from release_dossier.ledger.rulesets import Eras, Ruleset
from release_dossier.ledger.settlement import Degenerate, Row, Sold, positions, probabilities, quote, sell, volume


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which market (None: all), after which order (None: the last), as if resolved how (None: as it is; empty: open), and a sale to try:
    (user, whether YES, credits asked for)."""

    market: int | None = None
    after: int | None = None
    result: str | None = None
    sale: tuple[str, bool, int] | None = None


def settle(ledger: Ledger, eras: Eras, asked: Question) -> list[dict[str, Any]]:
    """Every market with orders (or the one asked for): volume, probability, positions, what may be sold while it is open, and payouts.

    Raises:
        Refused: `ledger.unknown-market`, `ledger.unknown-order`, `ledger.unknown-user`.
    """
    rows = market_rows(ledger)
    if asked.sale is not None:
        names = {u.username for u in ledger.users} | {b.username for b in ledger.bets if b.username}
        if asked.sale[0] not in names:
            near = meant(asked.sale[0], sorted(names))
            raise Refused("ledger.unknown-user", at="--sell", found=asked.sale[0], expected="a username of the ledger", help=near)
    known = {m.id: m for m in ledger.markets}
    only = asked.market
    if asked.after is not None:
        only = next((m for m, history in rows.items() if any(r.id == asked.after for r in history)), None)
        if only is None or asked.market not in (None, only):
            raise Refused("ledger.unknown-order", at="--after", found=str(asked.after), expected="an order of the market")
    if only is not None and only not in known and only not in rows:
        raise Refused("ledger.unknown-market", at="--market", found=str(only), expected=f"one of {len(known)} markets")
    chosen = [only] if only is not None else sorted(set(known) | set(rows))
    return [_market(m, known.get(m), _until(rows.get(m, ()), asked.after), eras, asked) for m in chosen]


def _until(history: Sequence[Row], after: int | None) -> Sequence[Row]:
    if after is None:
        return history
    return history[: next(i for i, r in enumerate(history) if r.id == after) + 1]


def _market(number: int, market: Market | None, history: Sequence[Row], eras: Eras, asked: Question) -> dict[str, Any]:
    as_it_is = market.result if market is not None and market.resolved and asked.after is None else ""
    result = as_it_is if asked.result is None else asked.result
    moment = (
        market.resolved_at if market is not None and as_it_is else history[-1].placed_at if history and asked.after is not None else None
    )
    item: dict[str, Any] = {"id": number, "volume": str(volume(history)), "orders": len(history), "result": result, "why": ""}
    item["state"] = (market.lifecycle or "") if market is not None else ""
    orders, all_of_them = possible_orders(history)
    found: list[dict[str, Any]] = []
    stuck = ""
    for rules, rows in product(reversed(eras.at(moment)), orders):
        try:
            found.append(_answer(rows, rules, result, asked))
        except Degenerate as e:
            stuck = stuck or f"no answer: {e.why}"
    if not found:
        nothing: dict[str, Any] = {"probability": None, "probability_shown": None, "positions": [], "payouts": []}
        return {**item, **nothing, "why": stuck}
    others = [other for i, other in enumerate(found) if i and other not in found[:i]]
    if others or stuck or not all_of_them:
        ways = ["simultaneous orders may have come another way"] * (len(orders) > 1)
        ways += ["the rules of either of two eras may have held"] * (len(eras.at(moment)) > 1)
        more = " in more ways than were tried" if not all_of_them else f", or there is {stuck}" if stuck else ""
        item |= {"why": f"not decided by the rows: {' and '.join(ways)}{more}", "others": others}
    return {**item, **found[0]}


def _answer(rows: Sequence[Row], rules: Ruleset, result: str, asked: Question) -> dict[str, Any]:
    """Of one order of rows, under one ruleset.

    Raises:
        Degenerate: it has no answer.
    """
    held = positions(rows, rules, result)
    paid = {u: p.value for u, p in held.items() if p.value > 0} if result in ("YES", "NO") else refunds(rows) if result else {}
    sale = {"sale": _sale(rows, asked.sale, rules, result)} if asked.sale else {}
    return {
        "probability": probabilities(rows, rules.settlement_weight)[-1], "probability_shown": _shown(rows, rules),
        "positions": [_position(rows, u, p.yes, p.no, p.value, rules, result) for u, p in sorted(held.items())],
        "payouts": [{"user": u, "credits": str(x)} for u, x in sorted(paid.items()) if x], **sale,
    }  # fmt: skip


def _shown(history: Sequence[Row], rules: Ruleset) -> float | None:
    """None where the operator shows it by another prior, or where that weight has no answer: neither moves money."""
    try:
        return probabilities(history, rules.display_weight)[-1] if rules.display_weight else None
    except Degenerate:
        return None


def _position(history: Sequence[Row], user: str, yes: int, no: int, value: int, rules: Ruleset, result: str) -> dict[str, Any]:
    out: dict[str, Any] = {"user": user, "yes": str(yes), "no": str(no), "value": str(value)}
    if not result and (yes or no):
        q = quote(history, user, yes > 0, rules)
        out |= {"sellable": str(q.sellable), "price": str(q.price), "worth": str(q.sellable * q.price), "why": q.why}
    return out


def _sale(history: Sequence[Row], sale: tuple[str, bool, int], rules: Ruleset, result: str) -> dict[str, str]:
    closed = Sold(0, 0, 0, 0, 0, f"MARKET_CLOSED: resolved {result}")
    sold = closed if result else sell(history, sale[0], sale[1], sale[2], rules)
    return {k: str(v) for k, v in msgspec.to_builtins(sold).items()}


def refunds(history: Sequence[Row]) -> dict[str, int]:
    """What a market resolved without a side gives back: the signed sum of a user's orders."""
    back: dict[str, int] = {}
    for r in history:
        back[r.user] = back.get(r.user, 0) + r.amount
    return back


def compare(a: tuple[Ledger, Eras], b: tuple[Ledger, Eras], most: int) -> dict[str, Any]:
    """Who would be paid differently, by how much, and for what: two ledgers, or two rulesets on one. Differences are of b from a.

    Users are told apart by name and markets by number. At most `most` of each are listed, the largest first; counts are exact.
    """
    first, second = replay(*a, {}), replay(*b, {})
    users: list[dict[str, Any]] = []
    for name in sorted({*_names(a[0], first), *_names(b[0], second)}):
        x, y = first.expected(name), second.expected(name)
        if x != y:
            users.append(
                {"user": name, "a": _interval(x), "b": _interval(y), "difference": _difference(x, y), "for": _why(name, first, second)}
            )
    markets: list[dict[str, Any]] = []
    paid = [{s.market: s for s in side.settled} for side in (first, second)]
    for number in sorted(set(paid[0]) | set(paid[1])):
        one, two = (p.get(number) for p in paid)
        if (one and (one.result, one.paid, one.winners)) != (two and (two.result, two.paid, two.winners)):
            markets.append({"market": str(number), "a": _paid(one), "b": _paid(two)})
    users.sort(key=lambda u: (-abs(int(u["difference"])), u["user"]))
    return {
        "users": users[:most], "users_differ": len(users), "of_users": len({*_names(a[0], first), *_names(b[0], second)}),
        "markets": markets[:most], "markets_differ": len(markets),
        "difference": str(sum(int(u["difference"]) for u in users)),
    }  # fmt: skip


def _names(ledger: Ledger, accounts: Accounts) -> set[str]:
    return {u.username for u in ledger.users} | set(accounts.lines)


def _interval(x: tuple[int, int]) -> str:
    return str(x[0]) if x[0] == x[1] else f"{x[0]} to {x[1]}"


def _difference(x: tuple[int, int], y: tuple[int, int]) -> str:
    """Of the nearer ends where they are apart, else of the upper ends."""
    return str(y[0] - x[1] if y[0] > x[1] else y[1] - x[0] if y[1] < x[0] else y[1] - x[1])


def _paid(s: Any) -> dict[str, str] | None:
    return None if s is None else {"result": s.result, "volume": str(s.volume), "paid": str(s.paid)}


def _why(user: str, a: Accounts, b: Accounts) -> list[dict[str, str]]:
    """Kinds of lines that differ, with their sums."""
    sums: dict[tuple[str, str], list[int]] = {}
    for i, side in enumerate((a, b)):
        for x in side.lines.get(user, ()):
            key = (x.what, "" if x.market is None else str(x.market))
            sums.setdefault(key, [0, 0])[i] += x.high
    odd: Mapping[tuple[str, str], list[int]] = {k: v for k, v in sums.items() if v[0] != v[1]}
    ordered = sorted(odd.items(), key=lambda kv: (-abs(kv[1][1] - kv[1][0]), kv[0]))
    return [{"what": k[0], "market": k[1], "a": str(v[0]), "b": str(v[1])} for k, v in ordered[:5]]
