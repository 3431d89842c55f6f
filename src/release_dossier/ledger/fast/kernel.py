"""Settlement and sales of one market over columns: the arithmetic of `ledger/settlement.py`, in its order, bit for bit.

Users of a market are numbered in the order of their first orders, so that equal values rank by number, as they do by time in the
reference. A market with two orders in one microsecond, or any number near the limits of 64 bits, is not for this kernel: it says `HANDED`
and the reference replays it. The functions are plain Python that also compiles; `p[i]` is the probability before order i.
"""

from __future__ import annotations

from typing import Any

from release_dossier.ledger.fast.compiled import compiled

# columns of a row of rules
WEIGHT, VALUATION, SELL, NET, DUST, FIRST_FEE, BUY_FEE = range(7)
SELLS = ("one_to_one", "owned", "projection", "lots_projection", "lots_consume")
ONE_TO_ONE, OWNED, PROJECTION, LOTS_PROJECTION, LOTS_CONSUME = range(5)
OPEN, YES, NO, OTHER = range(4)  # results of a market
DONE, HANDED = 0, 1  # whether the kernel has the answer or leaves it to the reference
SAFE = 4503599627370496.0  # 2^52: every double below it with no fraction is exactly that integer


@compiled
def rounded(x: float) -> int:
    """Half away from zero; |x| below 2^52."""
    whole = int(x)
    rest = x - whole
    return whole + (1 if rest >= 0.5 else 0) - (1 if rest <= -0.5 else 0)


@compiled
def chances(n: int, weight: int, amount: Any, yes: Any, p: Any) -> int:
    """Fill p[0..n]; HANDED where the weights sum to nothing, or a probability is not finite."""
    y = 0
    v = 0
    p[0] = 0.5
    for i in range(n):
        v += amount[i]
        if yes[i] == 1:
            y += amount[i]
        total = float(weight) + float(y) + float(v - y)
        if total == 0.0:
            return HANDED
        chance = (0.5 * float(weight) + float(y)) / total
        if not (abs(chance) < 1e300):
            return HANDED
        p[i + 1] = chance
    return DONE


@compiled
def credit(n: int, v: int, y: int, p: Any, amount: Any, yes: Any, x: Any) -> int:
    """Fill x[0..n) with what each order gets of the pool `v`, of which `y` on YES; they sum to `v`."""
    r = p[n]
    if v == 1:
        pool_yes = 1 if y > v - y else 0
        pool_no = 1 if v - y > y else 0
    else:
        whole_yes = float(v) * r
        whole_no = float(v) * (1.0 - r)
        if not (abs(whole_yes) < SAFE and abs(whole_no) < SAFE):
            return HANDED
        pool_yes = rounded(whole_yes)
        pool_no = rounded(whole_no)
    sum_yes = 0.0
    sum_no = 0.0
    for i in range(n):
        c = abs(r - p[i + 1]) * float(amount[i])
        sum_yes += c if yes[i] == 1 else 0.0
        sum_no += 0.0 if yes[i] == 1 else c
    factor_yes = abs(float(pool_yes) / sum_yes) if sum_yes > 0 else 0.0
    factor_no = abs(float(pool_no) / sum_no) if sum_no > 0 else 0.0
    given = 0
    for i in range(n):
        share = abs(r - p[i + 1]) * float(amount[i]) * (factor_yes if yes[i] == 1 else factor_no)
        if not (abs(share) < SAFE):
            return HANDED
        x[i] = rounded(share)
        given += x[i]
    excess = given - v
    if excess > 0:
        each = excess // n
        rest = excess - each * n
        for i in range(n):
            x[i] -= each + (1 if i >= n - rest else 0)
    elif excess < 0:
        each = (-excess) // n
        rest = -excess - each * n
        for i in range(n):
            x[i] += each + (1 if i < rest else 0)
    return DONE


@compiled
def net(n: int, users: int, x: Any, yes: Any, user: Any, shares_yes: Any, shares_no: Any) -> None:
    """Net shares of each user: what is below nothing on a side counts nothing, then the smaller side goes."""
    for u in range(users):
        shares_yes[u] = 0
        shares_no[u] = 0
    for i in range(n):
        if yes[i] == 1:
            shares_yes[user[i]] += x[i]
        else:
            shares_no[user[i]] += x[i]
    for u in range(users):
        a = shares_yes[u] if shares_yes[u] > 0 else 0
        b = shares_no[u] if shares_no[u] > 0 else 0
        if a > b:
            shares_yes[u] = a - b
            shares_no[u] = 0
        else:
            shares_yes[u] = 0
            shares_no[u] = b - a


@compiled
def worth(users: int, r: float, v: int, valuation: int, who: int, shares_yes: Any, shares_no: Any) -> tuple[int, int]:
    """(state, value) of one user's shares while the market is open."""
    outstanding = 0
    held = 0
    holders = 0
    mine = 0
    for u in range(users):
        raw = 0.0
        if shares_yes[u] > 0:
            raw = float(shares_yes[u]) * r
        elif shares_no[u] > 0:
            raw = float(shares_no[u]) * (1.0 - r)
        if not (abs(raw) < SAFE):
            return HANDED, 0
        value = rounded(raw)
        outstanding += shares_yes[u] + shares_no[u]
        if value > 0:
            held += value
            holders += 1
        if u == who:
            mine = value
    if mine <= 0:
        return DONE, 0
    gap = (outstanding if valuation == 1 else v) - held
    size = gap if gap > 0 else -gap
    each = size // holders
    rest = size - each * holders
    if rest > 0:
        rank = 0
        for u in range(users):
            value = 0
            if shares_yes[u] > 0:
                value = rounded(float(shares_yes[u]) * r)
            elif shares_no[u] > 0:
                value = rounded(float(shares_no[u]) * (1.0 - r))
            if value > mine or (value == mine and u < who):
                rank += 1
        if rank < rest:
            each += 1
    return DONE, mine + each if gap > 0 else mine - each


@compiled
def sold(shares: int, lots: Any, head: int, end: int) -> int:
    """Take shares from the lots head..end, the oldest first: which lot is the oldest then."""
    while shares > 0 and head < end:
        taken = shares if shares < lots[head] else lots[head]
        lots[head] -= taken
        shares -= taken
        if lots[head] == 0:
            head += 1
    return head


@compiled
def unlocked(n: int, x: Any, amount: Any, yes: Any, user: Any, who: int, side: int, consume: bool, lots: Any) -> int:
    """Shares of his buys that a later buy of somebody else unlocked; with `consume`, less what was sold of them before."""
    count = 0
    head = 0
    end = 0
    for i in range(n):
        if amount[i] > 0:
            if user[i] != who:
                end = count
            elif yes[i] == side and x[i] > 0:
                lots[count] = x[i]
                count += 1
        elif consume and amount[i] < 0 and user[i] == who and yes[i] == side:
            head = sold(-amount[i], lots, head, end)
    total = 0
    for j in range(head if consume else 0, end):
        total += lots[j]
    return total


@compiled
def quoted(
    n: int, users: int, v: int, y: int, rules: Any, who: int, side: int,
    p: Any, amount: Any, yes: Any, user: Any, x: Any, shares_yes: Any, shares_no: Any, lots: Any,
) -> tuple[int, int, int, int, int, int]:  # fmt: skip
    """(state, his shares of the side, of the other, their value, how many he may sell, the price of one) on the first n orders."""
    if n == 0:
        return DONE, 0, 0, 0, 0, 0
    if credit(n, v, y, p, amount, yes, x) == HANDED:
        return HANDED, 0, 0, 0, 0, 0
    net(n, users, x, yes, user, shares_yes, shares_no)
    state, value = worth(users, p[n], v, rules[VALUATION], who, shares_yes, shares_no)
    if state == HANDED:
        return HANDED, 0, 0, 0, 0, 0
    owned = shares_yes[who] if side == 1 else shares_no[who]
    other = shares_no[who] if side == 1 else shares_yes[who]
    if owned <= 0:
        return DONE, owned, other, value, 0, 0
    if rules[SELL] == ONE_TO_ONE:
        return DONE, owned, other, value, owned, 1
    price = value // owned if value > 0 else 0
    if price <= 0:
        return DONE, owned, other, value, 0, 0
    if rules[SELL] == OWNED or rules[SELL] == PROJECTION:
        return DONE, owned, other, value, owned, price
    free = unlocked(n, x, amount, yes, user, who, side, rules[SELL] == LOTS_CONSUME, lots)
    free = free if free < owned else owned
    if free <= 0:
        return DONE, owned, other, value, 0, 0
    return DONE, owned, other, value, free, price


@compiled
def projected(
    n: int, users: int, v: int, y: int, rules: Any, who: int, side: int, shares: int, owned: int, other: int, value: int, price: int,
    p: Any, amount: Any, yes: Any, user: Any, x: Any, shares_yes: Any, shares_no: Any,
) -> tuple[int, int]:  # fmt: skip
    """(state, 1 if the guard of #770 lets the sale pass): order n is the sale itself, so the history after it are n + 1 orders."""
    after_y = y - shares if side == 1 else y
    if credit(n + 1, v - shares, after_y, p, amount, yes, x) == HANDED:
        return HANDED, 0
    net(n + 1, users, x, yes, user, shares_yes, shares_no)
    state, after = worth(users, p[n + 1], v - shares, rules[VALUATION], who, shares_yes, shares_no)
    if state == HANDED:
        return HANDED, 0
    left = shares_yes[who] if side == 1 else shares_no[who]
    turned = shares_no[who] if side == 1 else shares_yes[who]
    most = value - shares * price
    most = most if most > 0 else 0
    return DONE, 1 if owned - left >= shares and turned <= other and after <= most else 0


@compiled
def settled(
    n: int, users: int, v: int, y: int, result: int, p: Any, amount: Any, yes: Any, user: Any, x: Any,
    shares_yes: Any, shares_no: Any, order: Any, value: Any,
) -> int:  # fmt: skip
    """Fill value[0..users) with what each user is paid when the market resolves YES or NO; 0 or below is not paid."""
    if credit(n, v, y, p, amount, yes, x) == HANDED:
        return HANDED
    net(n, users, x, yes, user, shares_yes, shares_no)
    held = 0
    holders = 0
    for u in range(users):
        value[u] = shares_yes[u] if result == YES else shares_no[u]
        if value[u] > 0:
            held += value[u]
            order[holders] = u
            holders += 1
    if holders == 0:
        return DONE
    gap = v - held
    size = gap if gap > 0 else -gap
    each = size // holders
    rest = size - each * holders
    step = 1 if gap > 0 else -1
    if rest > 0:
        heap(holders, order, value)
    for j in range(holders):
        value[order[j]] += step * (each + (1 if j < rest else 0))
    return DONE


@compiled
def heap(count: int, order: Any, value: Any) -> None:
    """Sort order[0..count) by value, largest first, equal values by number."""
    for begin in range(count // 2 - 1, -1, -1):
        sift(begin, count, order, value)
    for end in range(count - 1, 0, -1):
        order[0], order[end] = order[end], order[0]
        sift(0, end, order, value)


@compiled
def sift(begin: int, end: int, order: Any, value: Any) -> None:
    """One step of `heap`: the last in rank of a subtree goes to its root."""
    root = begin
    while True:
        child = 2 * root + 1
        if child >= end:
            return
        a = order[child]
        if child + 1 < end:
            b = order[child + 1]
            if value[b] < value[a] or (value[b] == value[a] and b > a):
                child += 1
                a = b
        b = order[root]
        if value[a] < value[b] or (value[a] == value[b] and a > b):
            order[root], order[child] = a, b
            root = child
        else:
            return
