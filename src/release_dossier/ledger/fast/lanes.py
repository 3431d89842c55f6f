"""Eight sales of a market priced side by side: each order before them is read once for all eight.

What a share is worth at a sale hangs on every order before it, each rounded on its own, so every order is looked at for every sale. Side by
side the processor does eight at once, and the sums of each sale are still added in the order of the server. A lane that is out of the
ordinary says so and is priced alone by `kernel.quoted`.
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
def course(begin: int, end: int, lo: int, p: Any, yes: Any, d: Desk) -> None:
    """Add orders begin..end to the sums of lanes lo and up."""
    rate = d.lane[RATE]
    for i in range(begin, end):
        total = d.lane[SUM_YES] if yes[i] == 1 else d.lane[SUM_NO]
        weight = d.weight[i]
        chance = p[i + 1]
        if lo == 0:
            for j in range(LANES):
                total[j] += abs(rate[j] - chance) * weight
        else:
            for j in range(lo, LANES):
                total[j] += abs(rate[j] - chance) * weight


@compiled
def give(begin: int, end: int, lo: int, p: Any, yes: Any, user: Any, d: Desk) -> None:
    """Give orders begin..end their shares in lanes lo and up, rounded half away from zero."""
    rate = d.lane[RATE]
    given = d.lane[GIVEN]
    wrong = d.lane[WRONG]
    for i in range(begin, end):
        per = d.lane[PER_YES] if yes[i] == 1 else d.lane[PER_NO]
        row = d.held[2 * user[i] + (0 if yes[i] == 1 else 1)]
        size = abs(d.weight[i])
        sign = 1.0 if d.weight[i] >= 0.0 else -1.0
        chance = p[i + 1]
        if lo == 0:
            for j in range(LANES):
                share = abs(rate[j] - chance) * size * per[j]
                whole = (share + MAGIC) - MAGIC
                whole += 1.0 if share - whole == 0.5 else 0.0
                whole *= sign
                row[j] += whole
                given[j] += whole
                if not share < NEAR:
                    wrong[j] = 1.0
        else:
            for j in range(lo, LANES):
                share = abs(rate[j] - chance) * size * per[j]
                whole = (share + MAGIC) - MAGIC
                whole += 1.0 if share - whole == 0.5 else 0.0
                whole *= sign
                row[j] += whole
                given[j] += whole
                if not share < NEAR:
                    wrong[j] = 1.0


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
    count: int, at: Any, volume: Any, volume_yes: Any, rules: Any, users: int, p: Any, amount: Any, yes: Any, user: Any, d: Desk, out: Any
) -> None:
    """Price up to eight sales, orders at[0] < at[1] < …; out[0] state, out[1] how many he may sell, out[2] the price of one."""
    lane = d.lane
    lane[:, :] = 0.0
    d.held[: 2 * users, :] = 0.0
    for j in range(LANES):
        lane[RATE, j] = p[at[j if j < count else count - 1]]
    begin = 0
    for j in range(count):
        course(begin, at[j], j, p, yes, d)
        begin = at[j]
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
    begin = 0
    for j in range(count):
        give(begin, at[j], j, p, yes, user, d)
        begin = at[j]
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
    for j in range(count):
        out[0, j] = k.DONE
        out[1, j] = 0
        out[2, j] = 0
        if lane[WRONG, j] > 0.0:
            out[0, j] = k.HANDED
        else:
            offer(j, at[j], volume[j], rules[j], users, p, amount, yes, user, d, out)


@compiled
def offer(j: int, n: int, v: int, rule: Any, users: int, p: Any, amount: Any, yes: Any, user: Any, d: Desk, out: Any) -> None:
    """What the seller of lane j, whose sale is order n, may sell and at which price."""
    who = user[n]
    side = yes[n]
    net = d.held[2 * who, j]
    owned = int(net if side == 1 else -net)
    mine = int(d.value[who, j])
    if owned <= 0 or mine <= 0:
        return
    holders = int(d.lane[HOLDERS, j])
    gap = (int(d.lane[SHARES, j]) if rule[k.VALUATION] == 1 else v) - int(d.lane[WORTH, j])
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
            if d.value[u, j] > d.value[who, j] or (d.value[u, j] == d.value[who, j] and u < who):
                rank += 1
        if rank < rest:
            price = more
    if price <= 0:
        return
    if rule[k.SELL] != k.OWNED:
        free = lots_free(j, n, who, side, p, amount, yes, d, out[3, j], rule[k.SELL] == k.LOTS_CONSUME)
        owned = free if free < owned else owned
    if owned > 0:
        out[1, j] = owned
        out[2, j] = price


@compiled
def lots_free(j: int, n: int, who: int, side: int, p: Any, amount: Any, yes: Any, d: Desk, excess: int, consume: bool) -> int:
    """As `kernel.unlocked`, over the seller's own orders: a buy of somebody else shows in the count of buys between two of them."""
    per = PER_YES if side == 1 else PER_NO
    count = 0
    head = 0
    end = 0
    mine = 0
    foreign = 0
    for q in range(d.first[who], d.first[who + 1]):
        i = d.own[q]
        if i >= n:
            break
        if d.buys[i] - mine != foreign:
            foreign = d.buys[i] - mine
            end = count
        if amount[i] > 0:
            mine += 1
            if yes[i] == side:
                x = k.rounded(abs(d.lane[RATE, j] - p[i + 1]) * d.weight[i] * d.lane[per, j])
                if excess > 0 and i >= n - excess:
                    x -= 1
                elif excess < 0 and i < -excess:
                    x += 1
                if x > 0:
                    d.lots[count] = x
                    count += 1
        elif consume and amount[i] < 0 and yes[i] == side:
            left = -amount[i]
            while left > 0 and head < end:
                taken = left if left < d.lots[head] else d.lots[head]
                d.lots[head] -= taken
                left -= taken
                if d.lots[head] == 0:
                    head += 1
    if d.buys[n] - mine != foreign:
        end = count
    total = 0
    for q in range(head if consume else 0, end):
        total += d.lots[q]
    return total
