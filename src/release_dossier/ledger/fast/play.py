"""Playing markets: orders nobody placed, such as the rules allow, each market from a seed of its own, with what every user gains and loses.

Written apart from the replay: what a sale credits and a market pays is entered here as it happens, order by order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from release_dossier.ledger.fast import kernel as k
from release_dossier.ledger.fast.compiled import compiled


class Orders(NamedTuple):
    """Orders of many markets, market i from start[i] to start[i + 1]; times are microseconds, `asked` what a sale asked for, else -1."""

    start: Any
    user: Any
    mine: Any
    yes: Any
    amount: Any
    at: Any
    asked: Any
    paid: Any


class Game(NamedTuple):
    """One entry a market: seed of its chance, when it opens, mean microseconds between orders, who may come, result; found: buyers."""

    seed: Any
    opens: Any
    pace: Any
    from_user: Any
    guests: Any
    result: Any
    buyers: Any
    state: Any


@compiled
def roll(state: Any, sides: int) -> int:
    """A number below `sides` (at most 2^31), by the minimal standard generator of Park and Miller."""
    state[0] = state[0] * 48271 % 2147483647
    return state[0] % sides  # type: ignore[no-any-return]


@compiled
def stake(state: Any) -> int:
    """Credits of a buy: most are small, few are large."""
    size = roll(state, 100)
    return 1 + roll(state, 50 if size < 70 else 500 if size < 95 else 5000)


@compiled
def play(first: int, last: int, orders: Orders, game: Game, rules: Any, users: int, sales: int, refused: int, gain: Any) -> None:
    """Play markets first..last: `sales` of 100 orders try to sell; `refused` 1 where a sale with dust above the cap is none."""
    most = 0
    guests = 0
    for m in range(first, last):
        most = max(most, orders.start[m + 1] - orders.start[m])
        guests = max(guests, game.guests[m])
    p = np.empty(most + 3, np.float64)
    x = np.empty(most + 2, np.int64)
    lots = np.empty(most + 2, np.int64)
    held = np.empty((4, guests + 1), np.int64)
    number = np.empty(guests, np.int64)
    dice = np.empty(1, np.int64)
    for m in range(first, last):
        dice[0] = game.seed[m]
        number[: game.guests[m]] = -1
        play_one(m, orders, game, rules, users, sales, refused, gain, p, x, lots, held, number, dice)


@compiled
def play_one(
    m: int, orders: Orders, game: Game, rules: Any, users: int, sales: int, refused: int, gain: Any,
    p: Any, x: Any, lots: Any, held: Any, number: Any, dice: Any,
) -> None:  # fmt: skip
    """Play one market to its end, and pay it out."""
    begin = orders.start[m]
    n = orders.start[m + 1] - begin
    amount = orders.amount[begin : begin + n]
    yes = orders.yes[begin : begin + n]
    user = orders.mine[begin : begin + n]
    weight = rules[k.WEIGHT]
    seen = 0
    v = 0
    y = 0
    now = game.opens[m]
    p[0] = 0.5
    for i in range(n):
        now += 1 + roll(dice, 2 * game.pace[m])
        orders.at[begin + i] = now
        orders.asked[begin + i] = -1
        orders.paid[begin + i] = 0
        sold = False
        if i > 0 and roll(dice, 100) < sales:
            sold = sell(i, seen, v, y, begin, orders, rules, refused, p, x, lots, held, dice)
        if not sold:
            guest = roll(dice, game.guests[m])
            guest = guest if guest < roll(dice, game.guests[m]) + 1 else roll(dice, game.guests[m])
            orders.user[begin + i] = (game.from_user[m] + guest) % users
            amount[i] = stake(dice)
            yes[i] = roll(dice, 2)
            gain[orders.user[begin + i]] -= amount[i] + rules[k.BUY_FEE]
            if number[guest] < 0:
                number[guest] = seen
                seen += 1
                game.buyers[m] += 1
                gain[orders.user[begin + i]] -= rules[k.FIRST_FEE]
            user[i] = number[guest]
        v += amount[i]
        y += amount[i] if yes[i] == 1 else 0
        p[i + 1] = (0.5 * float(weight) + float(y)) / (float(weight) + float(y) + float(v - y))
        gain[orders.user[begin + i]] += orders.paid[begin + i]
    if game.result[m] == k.OTHER:
        for i in range(n):
            gain[orders.user[begin + i]] += amount[i]
    elif game.result[m] != k.OPEN and n > 0:
        game.state[m] = k.settled(n, seen, v, y, game.result[m], p, amount, yes, user, x, held[0], held[1], held[2], held[3])
        for i in range(n):
            if held[3, user[i]] > 0:
                gain[orders.user[begin + i]] += held[3, user[i]]
                held[3, user[i]] = 0


@compiled
def sell(
    i: int, seen: int, v: int, y: int, begin: int, orders: Orders, rules: Any, refused: int, p: Any, x: Any, lots: Any, held: Any, dice: Any
) -> bool:
    """Make order i a sale of somebody who holds something he may sell; whether there was one within four tries."""
    amount = orders.amount[begin:]
    yes = orders.yes[begin:]
    user = orders.mine[begin:]
    for _ in range(4):
        j = roll(dice, i)
        who = user[j]
        side = yes[j]
        state, owned, other, value, sellable, price = k.quoted(
            i, seen, v, y, rules, who, side, p, amount, yes, user, x, held[0], held[1], lots
        )
        most = sellable if sellable < v else v
        if state == k.HANDED or most <= 0:
            continue
        shares = most if roll(dice, 4) == 0 else 1 + roll(dice, most if most < 1000000 else 1000000)
        user[i] = who
        yes[i] = side
        amount[i] = -shares
        if rules[k.SELL] == k.PROJECTION or rules[k.SELL] == k.LOTS_PROJECTION:
            after = v - shares
            after_y = y - shares if side == 1 else y
            weight = rules[k.WEIGHT]
            p[i + 1] = (0.5 * float(weight) + float(after_y)) / (float(weight) + float(after_y) + float(after - after_y))
            state, good = k.projected(
                i, seen, v, y, rules, who, side, shares, owned, other, value, price, p, amount, yes, user, x, held[0], held[1]
            )
            if state == k.HANDED or good == 0:
                continue
        over = roll(dice, price) if shares < sellable else roll(dice, 2 * price + 2)
        if refused == 1 and over > rules[k.DUST]:
            over = rules[k.DUST] if shares == sellable or rules[k.DUST] < price else 0
        dust = over if over < rules[k.DUST] else rules[k.DUST]
        gross = shares * price
        orders.user[begin + i] = orders.user[begin + j]
        orders.asked[begin + i] = gross + over
        orders.paid[begin + i] = gross if rules[k.NET] == 0 else gross - dust if gross > dust else 0
        return True
    return False
