"""What the rules give for one market: probabilities, payouts, positions, values, what may be sold. Float for float as the server does it.

Sources: docs/ledger-checks.md. Every operation is one IEEE 754 double multiply, divide or add in the server's order, so results are equal
bit for bit on amd64. Rounding is half away from zero, integer division cuts toward zero. Credits and shares are exact integers.

A market whose weights sum to nothing (1+Y+N ≤ 0), whose probability is not finite or whose shares leave 64 bits has no answer: `Degenerate`
says after which order, and nothing is computed from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, isfinite, trunc

import msgspec

from release_dossier.errors import counted
from release_dossier.ledger.rulesets import Ruleset

INT64 = 2**63


class Row(msgspec.Struct, frozen=True):
    """An order of one market, in order of settlement: `amount` is credits of a buy or minus the shares of a sale."""

    user: str
    yes: bool
    amount: int
    placed_at: int
    id: int


class Degenerate(Exception):
    """The market has no answer from this order on."""

    def __init__(self, why: str, row: Row | None) -> None:
        self.why, self.row = why, row
        super().__init__(why)


class Position(msgspec.Struct, frozen=True):
    """A user's net shares of one side, and what they are worth."""

    yes: int
    no: int
    value: int

    def of(self, yes: bool) -> int:
        """Shares of one side."""
        return self.yes if yes else self.no


NOTHING = Position(0, 0, 0)


class Quote(msgspec.Struct, frozen=True):
    """What a user may sell of one side at a moment: `sellable` shares at `price` credits each; `why` when nothing may be sold."""

    owned: int
    value: int
    sellable: int
    price: int
    why: str


def go_round(x: float) -> int:
    """Half away from zero."""
    whole = trunc(x)
    return whole + int(copysign(1, x)) if abs(x - whole) >= 0.5 else whole


def probabilities(rows: Sequence[Row], weight: int) -> list[float]:
    """Probability of YES before the first order and after each.

    Raises:
        Degenerate: weights sum to nothing, or the result is not finite.
    """
    yes = no = 0
    out = [0.5]
    for row in rows:
        if row.yes:
            yes += row.amount
        else:
            no += row.amount
        total = float(weight) + float(yes) + float(no)
        if total == 0.0:
            raise Degenerate(f"the weights sum to 0 after order {row.id}", row)
        p = (0.5 * float(weight) + float(yes)) / total
        if not isfinite(p):
            raise Degenerate(f"the probability is not finite after order {row.id}", row)
        out.append(p)
    return out


def volume(rows: Sequence[Row]) -> int:
    """Sum of the signed amounts."""
    return sum(r.amount for r in rows)


def payouts(rows: Sequence[Row], weight: int) -> tuple[float, list[int]]:
    """Final probability, and what each order is credited of the pool; the credits sum to the volume exactly.

    Raises:
        Degenerate: see `probabilities`; or shares beyond 64 bits.
    """
    p = probabilities(rows, weight)
    r, total, n = p[-1], volume(rows), len(rows)
    if total == 1:
        yes_sum = sum(x.amount for x in rows if x.yes)
        no_sum = total - yes_sum
        pool = (1, 0) if yes_sum > no_sum else (0, 1) if no_sum > yes_sum else (0, 0)
    else:
        pool = (go_round(float(total) * r), go_round(float(total) * (1.0 - r)))
    course = [abs(r - p[i + 1]) * float(row.amount) for i, row in enumerate(rows)]
    sums = [0.0, 0.0]
    for c, row in zip(course, rows, strict=True):
        sums[not row.yes] += c
    factors = [abs(float(pool[i]) / sums[i]) if sums[i] > 0 else 0.0 for i in (0, 1)]
    out = []
    for c, row in zip(course, rows, strict=True):
        share = c * factors[not row.yes]
        if not isfinite(share) or abs(share) >= INT64:
            raise Degenerate(f"order {row.id} gets more shares than 64 bits hold", row)
        out.append(go_round(share))
    excess = sum(out) - total
    each, rest = divmod(abs(excess), n) if n else (0, 0)
    if excess > 0:
        out = [x - each - (i >= n - rest) for i, x in enumerate(out)]
    elif excess < 0:
        out = [x + each + (i < rest) for i, x in enumerate(out)]
    return r, out


def positions(rows: Sequence[Row], rules: Ruleset, result: str) -> dict[str, Position]:
    """Every user's position: `result` is YES, NO, another word for a market resolved without either, or empty while it is open."""
    if not rows:
        return {}
    r, paid = payouts(rows, rules.settlement_weight)
    return _valued(rows, _net(rows, paid), r, result, rules)


def _net(rows: Sequence[Row], paid: Sequence[int]) -> dict[str, tuple[int, int]]:
    sides: dict[str, list[int]] = {}
    for row, x in zip(rows, paid, strict=True):
        sides.setdefault(row.user, [0, 0])[not row.yes] += x
    out = {}
    for user, (yes, no) in sides.items():
        yes, no = max(0, yes), max(0, no)
        out[user] = (yes - no, 0) if yes > no else (0, no - yes)
    return out


def _valued(rows: Sequence[Row], shares: dict[str, tuple[int, int]], r: float, result: str, rules: Ruleset) -> dict[str, Position]:
    values: dict[str, int] = {}
    for user, (yes, no) in shares.items():
        if result == "YES":
            values[user] = yes
        elif result == "NO":
            values[user] = no
        elif result:
            values[user] = 0
        else:
            value = float(yes) * r if yes > 0 else float(no) * (1.0 - r) if no > 0 else 0.0
            if not isfinite(value) or abs(value) >= INT64:
                raise Degenerate(f"the value of {user}'s shares leaves 64 bits", None)
            values[user] = go_round(value)
    earliest: dict[str, int] = {}
    for row in rows:
        earliest.setdefault(row.user, row.placed_at)
    open_target = sum(y + n for y, n in shares.values()) if rules.valuation == "shares" else volume(rows)
    target = volume(rows) if result in ("YES", "NO") else open_target
    holders = sorted((u for u, v in values.items() if v > 0), key=lambda u: (-values[u], earliest[u], u))
    if holders and (result in ("YES", "NO") or not result):
        gap = target - sum(values[u] for u in holders)
        each, rest = divmod(abs(gap), len(holders))
        step = 1 if gap > 0 else -1
        for i, user in enumerate(holders):
            values[user] += step * (each + (i < rest))
    kept = set(holders or values)  # where nobody holds a value above nothing, each keeps his own
    return {u: Position(y, n, values[u] if u in kept else 0) for u, (y, n) in shares.items()}


def quote(rows: Sequence[Row], user: str, yes: bool, rules: Ruleset) -> Quote:
    """What `user` may sell of one side on this history.

    Raises:
        Degenerate: the history has no answer.
    """
    if not rows:
        return Quote(0, 0, 0, 0, "the market has no orders")
    r, paid = payouts(rows, rules.settlement_weight)
    mine = _valued(rows, _net(rows, paid), r, "", rules).get(user, NOTHING)
    owned = mine.of(yes)
    if owned <= 0:
        return Quote(0, mine.value, 0, 0, "holds no such shares")
    if rules.sell == "one_to_one":
        return Quote(owned, mine.value, owned, 1, "")
    if mine.value <= 0 or mine.value // owned <= 0:
        return Quote(owned, mine.value, 0, 0, "their shares are worth less than a credit each")
    if rules.sell in ("owned", "projection"):
        return Quote(owned, mine.value, owned, mine.value // owned, "")
    unlocked = min(_unlocked(rows, paid, user, yes, consume=rules.sell == "lots_consume"), owned)
    if unlocked <= 0:
        return Quote(owned, mine.value, 0, 0, "none of their shares is unlocked by a later order of somebody else")
    price = min(mine.value, unlocked * (mine.value // owned)) // unlocked
    return Quote(
        owned, mine.value, unlocked if price > 0 else 0, price, "" if price > 0 else "their shares are worth less than a credit each"
    )


def _unlocked(rows: Sequence[Row], paid: Sequence[int], user: str, yes: bool, *, consume: bool) -> int:
    """Shares of the user's buys that a later buy of somebody else unlocked; with `consume`, less what was sold of them before."""
    lots: list[int] = []
    head = end = 0
    for row, x in zip(rows, paid, strict=True):
        if row.amount > 0 and row.user == user and row.yes == yes and x > 0:
            lots.append(x)
        elif row.amount > 0 and row.user != user:
            end = len(lots)
        elif consume and row.amount < 0 and row.user == user and row.yes == yes:
            left = -row.amount
            while left > 0 and head < end:
                taken = min(left, lots[head])
                lots[head] -= taken
                left -= taken
                if lots[head] == 0:
                    head += 1
    return sum(lots[head:end]) if consume else sum(lots[:end])


def may_sell(rows: Sequence[Row], user: str, yes: bool, shares: int, rules: Ruleset) -> tuple[Quote, str]:
    """The quote on this history, and why selling `shares` of it is against the rules; empty when it is not."""
    q = quote(rows, user, yes, rules)
    if shares > q.sellable:
        return q, q.why or f"{q.sellable} of their {counted(q.owned, 'share')} may be sold"
    if rules.sell in ("projection", "lots_projection"):
        return q, _projected(rows, user, yes, shares, q, rules)
    return q, ""


class Sold(msgspec.Struct, frozen=True):
    """What a request to sell comes to: `shares` at `price`, `value` of them, `dust` taken off, `credit` paid; `refused` when nothing is."""

    shares: int
    price: int
    value: int
    dust: int
    credit: int
    refused: str = ""


def sell(rows: Sequence[Row], user: str, yes: bool, requested: int, rules: Ruleset) -> Sold:
    """What the server answers to a request for `requested` credits on this history.

    Raises:
        Degenerate: the history has no answer.
    """
    q = quote(rows, user, yes, rules)
    if q.price <= 0:
        return Sold(0, 0, 0, 0, 0, f"NO_POSITION: {q.why}")
    if requested < q.price:
        return Sold(0, q.price, 0, 0, 0, f"INVALID_AMOUNT: less than one share, which is {q.price}")
    shares = min(requested // q.price, q.sellable)
    value = shares * q.price
    over = max(0, requested - value)
    if rules.dust_over_cap == "refused" and 0 < rules.max_dust < over:
        return Sold(0, q.price, 0, over, 0, f"DUST_CAP_EXCEEDED: {over} beyond {rules.max_dust}")
    against = may_sell(rows, user, yes, shares, rules)[1]
    if against:
        return Sold(0, q.price, 0, 0, 0, f"INSUFFICIENT_SHARES: {against}")
    dust = over if rules.dust_over_cap == "refused" else min(over, max(0, rules.max_dust))
    return Sold(shares, q.price, value, dust, value if rules.sale_credit == "gross" else max(0, value - dust))


def _projected(rows: Sequence[Row], user: str, yes: bool, shares: int, q: Quote, rules: Ruleset) -> str:
    """The guard of #770: after the sale the seller holds that many fewer, no more of the other side, and is worth that much less."""
    now = positions(rows, rules, "").get(user, NOTHING)
    last = rows[-1]
    after = positions([*rows, Row(user, yes, -shares, last.placed_at + 1, last.id + 1)], rules, "").get(user, NOTHING)
    if now.of(yes) - after.of(yes) < shares:
        return f"after it they would still hold {counted(after.of(yes), 'share')}"
    if after.of(not yes) > now.of(not yes):
        return "after it they would hold more of the other side"
    if after.value > max(0, now.value - shares * q.price):
        return f"after it their position would still be worth {after.value}"
    return ""
