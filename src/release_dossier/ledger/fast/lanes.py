"""Eight sales of a market priced side by side: each order before them is read once for all eight.

What a share is worth at a sale hangs on every order before it, each rounded on its own, so every order is looked at for every sale. Side by
side the processor does eight at once, and the sums of each sale are still added in the order of the server. A lane that is out of the
ordinary says so and is priced alone by `kernel.quoted`.

Each step is one call for all lanes: a call counts references of every array it is given, which would take longer than the work.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from release_dossier.ledger.fast import kernel as k
from release_dossier.ledger.fast.compiled import compiled

LANES = 8
MAGIC = 6755399441055744.0  # 1.5 * 2^52: adding and taking it away rounds a double below 2^51 to a whole number, halves to even
NEAR = 1125899906842624.0  # 2^50: far enough below that
RATE, SUM_YES, SUM_NO, PER_YES, PER_NO, GIVEN, WRONG, SHARES, WORTH, HOLDERS = range(10)  # rows of `lane`


class Desk(NamedTuple):
    """Scratch of one market: `held` two sides a user and `value` one, each a row of lanes; the orders of user u are
    `own[first[u]:first[u + 1]]`, and `buys[i]` counts buys before order i."""

    held: Any
    value: Any
    lane: Any
    first: Any
    own: Any
    buys: Any
    lots: Any
    weight: Any


@compiled
def desk(n: int, users: int, amount: Any, user: Any) -> Desk:
    """Scratch for a market of n orders."""
    first = np.zeros(users + 1, np.int64)
    own = np.empty(n, np.int32)
    buys = np.empty(n + 1, np.int64)
    for i in range(n):
        first[user[i] + 1] += 1
    for u in range(users):
        first[u + 1] += first[u]
    place = first[:users].copy()
    buys[0] = 0
    for i in range(n):
        own[place[user[i]]] = i
        place[user[i]] += 1
        buys[i + 1] = buys[i] + (1 if amount[i] > 0 else 0)
    return Desk(
        np.empty((2 * users, LANES), np.float64), np.empty((users, LANES), np.float64), np.empty((10, LANES), np.float64),
        first, own, buys, np.empty(n, np.int64), amount.astype(np.float64),
    )  # fmt: skip


@compiled
def course(count: int, at: Any, p: Any, yes: Any, d: Desk) -> None:
    """Add the orders before each sale to the sums of its lane: those between two sales to the lanes of later ones."""
    rate = d.lane[RATE]
    begin = 0
    for lo in range(count):
        for i in range(begin, at[lo]):
            total = d.lane[SUM_YES] if yes[i] == 1 else d.lane[SUM_NO]
            weight = d.weight[i]
            chance = p[i + 1]
            for j in range(lo, LANES):
                total[j] += abs(rate[j] - chance) * weight
        begin = at[lo]


@compiled
def give(count: int, at: Any, p: Any, yes: Any, user: Any, d: Desk) -> None:
    """Give the orders before each sale their shares, rounded half away from zero."""
    rate = d.lane[RATE]
    given = d.lane[GIVEN]
    wrong = d.lane[WRONG]
    begin = 0
    for lo in range(count):
        for i in range(begin, at[lo]):
            per = d.lane[PER_YES] if yes[i] == 1 else d.lane[PER_NO]
            row = d.held[2 * user[i] + (0 if yes[i] == 1 else 1)]
            size = abs(d.weight[i])
            sign = 1.0 if d.weight[i] >= 0.0 else -1.0
            chance = p[i + 1]
            for j in range(lo, LANES):
                share = abs(rate[j] - chance) * size * per[j]
                whole = (share + MAGIC) - MAGIC
                whole += 1.0 if share - whole == 0.5 else 0.0
                whole *= sign
                row[j] += whole
                given[j] += whole
                if not share < NEAR:
                    wrong[j] = 1.0
        begin = at[lo]


@compiled
def appraise(users: int, d: Desk) -> None:
    """Net each user's sides and value them, adding up shares, values and holders of each lane."""
    rate = d.lane[RATE]
    shares = d.lane[SHARES]
    worth = d.lane[WORTH]
    holders = d.lane[HOLDERS]
    wrong = d.lane[WRONG]
    for u in range(users):
        yes = d.held[2 * u]
        no = d.held[2 * u + 1]
        value = d.value[u]
        for j in range(LANES):
            net = max(yes[j], 0.0) - max(no[j], 0.0)
            raw = abs(net) * (rate[j] if net > 0.0 else 1.0 - rate[j])
            size = abs(raw)
            whole = (size + MAGIC) - MAGIC
            whole += 1.0 if size - whole == 0.5 else 0.0
            whole = whole if raw > 0.0 else 0.0  # what is worth less than nothing makes no holder
            yes[j] = net
            value[j] = whole
            shares[j] += abs(net)
            worth[j] += whole
            holders[j] += 1.0 if whole > 0.0 else 0.0
            if not size < NEAR:
                wrong[j] = 1.0


@compiled
def price_eight(
    count: int, sale: Any, rules: Any, users: int, p: Any, amount: Any, yes: Any, user: Any, d: Desk, out: Any
) -> None:  # fmt: skip
    """Price up to eight sales: sale[0] their orders, ascending, sale[1] numbers of their rules, sale[2] and [3] what was ordered before, in
    all and on YES. Fills out[0] state, out[1] how many he may sell, out[2] the price of one."""
    at, under, volume, volume_yes = sale
    lane = d.lane
    lane[:, :] = 0.0
    d.held[: 2 * users, :] = 0.0
    for j in range(LANES):
        lane[RATE, j] = p[at[j if j < count else count - 1]]
    course(count, at, p, yes, d)
    for j in range(count):
        v = volume[j]
        y = volume_yes[j]
        r = lane[RATE, j]
        pool_yes = float(v) * r
        pool_no = float(v) * (1.0 - r)
        if not (abs(pool_yes) < NEAR and abs(pool_no) < NEAR):
            lane[WRONG, j] = 1.0
            pool_yes = 0.0
            pool_no = 0.0
        pool_yes = float(k.rounded(pool_yes))
        pool_no = float(k.rounded(pool_no))
        if v == 1:
            pool_yes = 1.0 if y > v - y else 0.0
            pool_no = 1.0 if v - y > y else 0.0
        lane[PER_YES, j] = abs(pool_yes / lane[SUM_YES, j]) if lane[SUM_YES, j] > 0.0 else 0.0
        lane[PER_NO, j] = abs(pool_no / lane[SUM_NO, j]) if lane[SUM_NO, j] > 0.0 else 0.0
    give(count, at, p, yes, user, d)
    for j in range(count):
        excess = int(lane[GIVEN, j]) - volume[j]
        n = at[j]
        out[3, j] = excess
        if excess >= n or -excess >= n or not (abs(lane[GIVEN, j]) < NEAR):
            lane[WRONG, j] = 1.0
        elif excess > 0:
            for i in range(n - excess, n):
                d.held[2 * user[i] + (0 if yes[i] == 1 else 1), j] -= 1.0
        else:
            for i in range(-excess):
                d.held[2 * user[i] + (0 if yes[i] == 1 else 1), j] += 1.0
    appraise(users, d)
    offer(count, at, volume, rules, under, users, yes, user, d, out)
    release(count, at, rules, under, p, amount, yes, user, d, out)


@compiled
def offer(count: int, at: Any, volume: Any, rules: Any, under: Any, users: int, yes: Any, user: Any, d: Desk, out: Any) -> None:
    """What the seller of each lane has of his side, and at which price he may sell it."""
    lane, held, values = d.lane, d.held, d.value
    for j in range(count):
        out[0, j] = k.HANDED if lane[WRONG, j] > 0.0 else k.DONE
        out[1, j] = 0
        out[2, j] = 0
        n, rule = at[j], under[j]
        who, side = user[n], yes[n]
        net = held[2 * who, j]
        owned = int(net if side == 1 else -net)
        mine = int(values[who, j])
        if lane[WRONG, j] > 0.0 or owned <= 0 or mine <= 0:
            continue
        holders = int(lane[HOLDERS, j])
        gap = (int(lane[SHARES, j]) if rules[rule, k.VALUATION] == 1 else volume[j]) - int(lane[WORTH, j])
        size = gap if gap > 0 else -gap
        each = size // holders
        rest = size - each * holders
        step = 1 if gap > 0 else -1
        value = mine + step * each
        price = value // owned if value > 0 else 0
        more = (value + step) // owned if value + step > 0 else 0
        if rest > 0 and more != price:
            rank = 0
            for u in range(users):
                if values[u, j] > values[who, j] or (values[u, j] == values[who, j] and u < who):
                    rank += 1
            if rank < rest:
                price = more
        if price > 0:
            out[1, j] = owned
            out[2, j] = price


@compiled
def release(count: int, at: Any, rules: Any, under: Any, p: Any, amount: Any, yes: Any, user: Any, d: Desk, out: Any) -> None:
    """Leave each seller what later buys of others unlocked and he did not sell, where the rules ask for it; as `kernel.unlocked`, over the
    seller's own orders: a buy of somebody else shows in the count of buys between two of them."""
    lane, first, own, buys, lots = d.lane, d.first, d.own, d.buys, d.lots
    for j in range(count):
        if out[1, j] == 0 or rules[under[j], k.SELL] != k.LOTS_CONSUME:
            continue
        n, excess = at[j], out[3, j]
        who, side = user[n], yes[n]
        per = PER_YES if side == 1 else PER_NO
        held, head, end, mine, foreign = 0, 0, 0, 0, 0
        for q in range(first[who], first[who + 1]):
            i = own[q]
            if i >= n:
                break
            if buys[i] - mine != foreign:
                foreign = buys[i] - mine
                end = held
            if amount[i] > 0:
                mine += 1
                if yes[i] == side:
                    x = k.rounded(abs(lane[RATE, j] - p[i + 1]) * d.weight[i] * lane[per, j])
                    if excess > 0 and i >= n - excess:
                        x -= 1
                    elif excess < 0 and i < -excess:
                        x += 1
                    if x > 0:
                        lots[held] = x
                        held += 1
            elif amount[i] < 0 and yes[i] == side:
                head = k.sold(-amount[i], lots, head, end)
        if buys[n] - mine != foreign:
            end = held
        free = 0
        for q in range(head, end):
            free += lots[q]
        out[1, j] = min(out[1, j], free)
        out[2, j] = out[2, j] if free > 0 else 0
