"""Replaying many markets over columns: every sale priced on the history before it, every settlement, and what both do to each user.

Rows lie market by market in order of settlement. A market is replayed whole or, where a number is not safe in 64 bits, handed over whole:
then nothing of it is in the sums, and its `state` says so.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from release_dossier.ledger.fast import kernel as k
from release_dossier.ledger.fast import lanes
from release_dossier.ledger.fast.compiled import compiled
from release_dossier.ledger.rulesets import Ruleset

ALLOWED, TOO_MANY, GUARDED = range(3)  # whether a sale was within the rules; the reference says why not
UNKNOWN = -1  # what a sale asked for, without a receipt


class Rows(NamedTuple):
    """Orders: market i has those from start[i] to start[i + 1]. `user` numbers all users, `mine` those of the market, `rule` the rules in
    force, `asked` what a sale's request asked for."""

    start: Any
    user: Any
    mine: Any
    yes: Any
    amount: Any
    rule: Any
    asked: Any


class Markets(NamedTuple):
    """One entry a market. Given: `result`, `rule` at resolution. Found: the rest; `first_sale` counts users whose first order is a sale."""

    result: Any
    rule: Any
    users: Any
    buyers: Any
    volume: Any
    paid: Any
    first_sale: Any
    state: Any


class Sales(NamedTuple):
    """One entry a sale, in order of rows: market i has those from start[i] to start[i + 1]. `beyond` is by how much a user's sales in the
    market exceed the most their position was worth, at their first sale."""

    start: Any
    row: Any
    sellable: Any
    price: Any
    low: Any
    high: Any
    irregular: Any
    against: Any
    beyond: Any
    state: Any


class Flows(NamedTuple):
    """What the rules add to each user's balance, at least and at most; and how far above the least sales carried out as asked for are."""

    low: Any
    high: Any
    irregular: Any


def some_markets(result: Any, rule: Any, state: Any) -> Markets:
    """Markets of which only what is given is known."""
    users, buyers, volume, paid, first_sale = np.zeros((5, len(state)), np.int64)
    return Markets(result, rule, users, buyers, volume, paid, first_sale, state)


def some_sales(row: Any, start: Any) -> Sales:
    """Sales not priced yet: their rows, and where the markets' orders begin."""
    sellable, price, low, high, irregular, beyond = np.zeros((6, len(row)), np.int64)
    against, state = np.zeros((2, len(row)), np.int8)
    return Sales(np.searchsorted(row, start), row, sellable, price, low, high, irregular, against, beyond, state)


def rules_row(rules: Ruleset) -> Any:
    """A ruleset as the kernel reads it."""
    return np.array(
        [
            rules.settlement_weight, int(rules.valuation == "shares"), k.SELLS.index(rules.sell), int(rules.sale_credit == "net"),
            max(0, rules.max_dust), rules.initial_bet_fee, rules.buy_fee,
        ],
        dtype=np.int64,
    )  # fmt: skip


@compiled
def tally(
    market: Any, user: Any, amount: Any, at: Any, ends: Any, opened: Any, closed: Any, shut: Any, markets: int, users: int
) -> tuple[int, int, int, int, int, int, int]:
    """One pass over orders. How many are in markets that ended, in known markets; then how many break S1 (by amount), S2, S4, S4b, S6.

    Moments, and `shut`, are by market; the smallest number is no moment.
    """
    none = -9223372036854775808
    ended, known, zero, s2, s4, s4b, s6 = 0, 0, 0, 0, 0, 0, 0
    for i in range(len(market)):
        m = market[i]
        if ends[m] != none:
            ended += 1
            if at[i] >= ends[m]:
                s4 += 1
        if m < markets:
            known += 1
            if (opened[m] != none and at[i] < opened[m]) or (closed[m] != none and at[i] > closed[m]):
                s4b += 1
        if m >= markets or user[i] >= users:
            s2 += 1
        if amount[i] == 0:
            zero += 1
        if shut[m]:
            s6 += 1
    return ended, known, zero, s2, s4, s4b, s6


@compiled
def sellers(market: Any, user: Any, legal: Any, last: Any) -> int:
    """Pairs of market and user with a lawful sale; sales lie market by market. `last` has an entry a user, all -1 before."""
    count = 0
    for i in range(len(market)):
        if legal[i] and last[user[i]] != market[i]:
            last[user[i]] = market[i]
            count += 1
    return count


@compiled
def group_buyers(order: Any, start: Any, group: Any, user: Any, amount: Any, last: Any, out: Any) -> int:
    """Fill `out` with each pair of group and user who bought in one of its markets, as group * (users + 1) + user; how many there are.

    `order` has markets group by group; `last` has an entry a user, all below any group before.
    """
    count = 0
    for m in order:
        for i in range(start[m], start[m + 1]):
            u = user[i]
            if amount[i] > 0 and last[u] != group[m]:
                last[u] = group[m]
                out[count] = group[m] * (len(last) + 1) + u
                count += 1
    return count


@compiled
def number_users(first: int, last: int, rows: Rows, markets: Markets, slot: Any) -> None:
    """Number the users of each market by their first orders. `slot` has an entry a user, all -1 before and after."""
    for m in range(first, last):
        count = 0
        for i in range(rows.start[m], rows.start[m + 1]):
            u = rows.user[i]
            if slot[u] < 0:
                slot[u] = count
                count += 1
            rows.mine[i] = slot[u]
        for i in range(rows.start[m], rows.start[m + 1]):
            slot[rows.user[i]] = -1
        markets.users[m] = count


@compiled
def price_sales(m: int, first: int, last: int, rows: Rows, users: int, sales: Sales, rules: Any, p: Any, weight: int) -> None:
    """Price the sales first..last of market m that fall under rules of `weight`, whose probabilities are `p`."""
    begin = rows.start[m]
    n = rows.start[m + 1] - begin
    amount = rows.amount[begin : begin + n]
    yes = rows.yes[begin : begin + n]
    user = rows.mine[begin : begin + n]
    d = lanes.desk(n, users, amount, user)
    x = np.empty(n + 1, np.int64)
    shares = np.empty((2, users), np.int64)
    # of each lane: its order, the number of its rules, what was ordered before it, and of that on YES
    at, under, volume, volume_yes = lane = np.empty((4, lanes.LANES), np.int64)
    out = np.empty((4, lanes.LANES), np.int64)
    v = 0
    y = 0
    i = 0
    seen = 0
    s = first
    while s < last:
        count = 0
        while s + count < last and count < lanes.LANES:
            at[count] = sales.row[s + count] - begin
            under[count] = rows.rule[begin + at[count]]
            while i < at[count]:
                v += amount[i]
                y += amount[i] if yes[i] == 1 else 0
                seen = max(seen, user[i] + 1)
                i += 1
            volume[count] = v
            volume_yes[count] = y
            count += 1
        if at[0] > 0 and user[at[count - 1]] < seen:
            lanes.price_eight(count, lane, rules, seen, p, amount, yes, user, d, out)
        else:
            out[0, :] = k.HANDED
        for j in range(count):
            sell = rules[under[j], k.SELL]
            alone = out[0, j] == k.HANDED or sell == k.PROJECTION or sell == k.LOTS_PROJECTION or sell == k.ONE_TO_ONE
            if rules[under[j], k.WEIGHT] == weight and alone:
                decide(s + j, at[j], users, volume[j], volume_yes[j], rules[under[j]], p, amount, yes, user, x, shares, d.lots, sales)
            elif rules[under[j], k.WEIGHT] == weight:
                sales.state[s + j] = out[0, j]
                sales.sellable[s + j] = out[1, j]
                sales.price[s + j] = out[2, j]
                sales.against[s + j] = TOO_MANY if -amount[at[j]] > out[1, j] else ALLOWED
        s += count
    credited(first, last, rows, rules, weight, sales)


@compiled
def decide(
    s: int, at: int, users: int, v: int, y: int, rule: Any, p: Any, amount: Any, yes: Any, user: Any, x: Any, held: Any, lots: Any,
    sales: Sales,
) -> None:  # fmt: skip
    """Enter what a sale might have been, priced alone: where its lane says nothing, or the guard of #770 must look."""
    shares, who, side = -amount[at], user[at], yes[at]
    state, owned, other, value, sellable, price = k.quoted(
        at, users, v, y, rule, who, side, p, amount, yes, user, x, held[0], held[1], lots
    )
    against = TOO_MANY if shares > sellable else ALLOWED
    guarded = rule[k.SELL] == k.PROJECTION or rule[k.SELL] == k.LOTS_PROJECTION
    if guarded and state == k.DONE and against == ALLOWED:
        state, good = k.projected(
            at, users, v, y, rule, who, side, shares, owned, other, value, price, p, amount, yes, user, x, held[0], held[1]
        )
        if good == 0:
            against = GUARDED
    sales.state[s] = state
    sales.sellable[s] = sellable
    sales.price[s] = price
    sales.against[s] = against


@compiled
def credited(first: int, last: int, rows: Rows, rules: Any, weight: int, sales: Sales) -> None:
    """What each sale under rules of `weight` credits, at least and at most: dust is known from the request, else up to the cap; and, short
    of everything, below a share's price if it sold all it was asked for."""
    for s in range(first, last):
        i = sales.row[s]
        rule, shares, asked = rows.rule[i], -rows.amount[i], rows.asked[i]
        if rules[rule, k.WEIGHT] != weight:
            continue
        gross = shares * sales.price[s]
        least = 0
        most = 0
        regular = 0
        if sales.against[s] != ALLOWED:
            gross = 0
        elif rules[rule, k.NET] == 1:
            cap = rules[rule, k.DUST]
            if asked >= 0:
                over = asked - gross
                over = over if over > 0 else 0
                least = over if over < cap else cap
                most = least
                regular = least
            else:
                below = sales.price[s] - 1
                most = cap
                regular = below if shares < sales.sellable[s] and below < cap else cap
        sales.low[s] = gross - most if gross > most else 0
        sales.high[s] = gross - least if gross > least else 0
        sales.irregular[s] = (gross - regular if gross > regular else 0) - sales.low[s]


@compiled
def replay(first: int, last: int, rows: Rows, markets: Markets, sales: Sales, rules: Any, flows: Flows, priced: Any) -> None:
    """Replay markets first..last, whose users are numbered, but for those handed over; priced[m] is 1 where the sales of m have been."""
    most = 0
    users = 0
    for m in range(first, last):
        most = max(most, rows.start[m + 1] - rows.start[m])
        users = max(users, markets.users[m])
    p = np.empty(most + 2, np.float64)
    x = np.empty(most + 1, np.int64)
    held = np.empty((9, users + 1), np.int64)
    for m in range(first, last):
        begin = rows.start[m]
        end = rows.start[m + 1]
        n = end - begin
        if markets.state[m] == k.HANDED:
            continue
        if priced[m] == 0:
            for weight in weights(begin, end, rows, rules):
                if weight > 0:
                    if k.chances(n, weight, rows.amount[begin:end], rows.yes[begin:end], p) == k.DONE:
                        price_sales(m, sales.start[m], sales.start[m + 1], rows, markets.users[m], sales, rules, p, weight)
                    else:
                        markets.state[m] = k.HANDED
        settle(m, rows, markets, sales, rules, p, x, held)
        if markets.state[m] == k.DONE:
            for i in range(begin, end):
                u = rows.mine[i]
                if held[6, u] != 0 or held[7, u] != 0 or held[8, u] != 0:
                    flows.low[rows.user[i]] += held[6, u]
                    flows.high[rows.user[i]] += held[7, u]
                    flows.irregular[rows.user[i]] += held[8, u]
                    held[6, u] = 0
                    held[7, u] = 0
                    held[8, u] = 0


def price_many(m: int, rows: Rows, markets: Markets, sales: Sales, rules: Any, pool: Any, threads: int) -> None:
    """Price the sales of one large market on several threads, each a run of them of about the same work."""
    begin, end = int(rows.start[m]), int(rows.start[m + 1])
    first, last = int(sales.start[m]), int(sales.start[m + 1])
    for weight in weights(begin, end, rows, rules):
        p = np.empty(end - begin + 2, np.float64)
        if not weight:
            continue
        if k.chances(end - begin, weight, rows.amount[begin:end], rows.yes[begin:end], p) == k.HANDED:
            markets.state[m] = k.HANDED
            continue
        through = np.cumsum(sales.row[first:last] - begin)
        cut = np.searchsorted(through, np.linspace(0, through[-1], 8 * threads + 1)[1:-1])
        bounds = sorted({first, last, *(first + int(x) for x in cut)})
        args = (rows, int(markets.users[m]), sales, rules, p, weight)
        list(pool.map(lambda span: price_sales(m, span[0], span[1], *args), pairwise(bounds)))  # noqa: B023


@compiled
def weights(begin: int, end: int, rows: Rows, rules: Any) -> tuple[int, int]:
    """The weights under which sales of these rows are priced: at most two were ever in force, 0 for none."""
    one = 0
    two = 0
    for i in range(begin, end):
        if rows.amount[i] < 0:
            weight = rules[rows.rule[i], k.WEIGHT]
            if one == 0 or weight == one:
                one = weight
            else:
                two = weight
    return one, two


@compiled
def settle(m: int, rows: Rows, markets: Markets, sales: Sales, rules: Any, p: Any, x: Any, held: Any) -> None:
    """Add up market m into held[6] to held[8], per user of the market; with state HANDED they mean nothing."""
    begin = rows.start[m]
    end = rows.start[m + 1]
    n = end - begin
    users = markets.users[m]
    amount = rows.amount[begin:end]
    yes = rows.yes[begin:end]
    user = rows.mine[begin:end]
    # 0, 1 shares · 2 order · 3 value · 4 taken by sales · 5 most their position was worth · 6, 7 low and high · 8 irregular
    held[:, :users] = 0
    v = 0
    y = 0
    seen = 0
    s = sales.start[m]
    result = markets.result[m]
    for i in range(n):
        u = user[i]
        rule = rows.rule[begin + i]
        v += amount[i]
        if yes[i] == 1:
            y += amount[i]
        low = amount[i] if result == k.OTHER else 0
        high = low
        if u == seen:
            seen += 1
            low -= rules[rule, k.FIRST_FEE]
            high -= rules[rule, k.FIRST_FEE]
            if amount[i] < 0:
                markets.first_sale[m] += 1
        if amount[i] > 0:
            low -= amount[i] + rules[rule, k.BUY_FEE]
            high -= amount[i] + rules[rule, k.BUY_FEE]
            held[2, u] = 1
        elif amount[i] < 0:
            if sales.state[s] == k.HANDED:
                markets.state[m] = k.HANDED
                return
            low += sales.low[s]
            high += sales.high[s]
            held[8, u] += sales.irregular[s]
            if sales.against[s] == ALLOWED:
                held[4, u] += sales.high[s]
                held[5, u] = max(held[5, u], sales.sellable[s] * sales.price[s])
            s += 1
        held[6, u] += low
        held[7, u] += high
    for u in range(users):
        markets.buyers[m] += held[2, u]
    markets.volume[m] = v
    for s in range(sales.start[m], sales.start[m + 1]):
        u = user[sales.row[s] - begin]
        sales.beyond[s] = max(0, held[4, u] - held[5, u])
        held[4, u] = 0
    if result == k.YES or result == k.NO:
        weight = rules[markets.rule[m], k.WEIGHT]
        state = k.chances(n, weight, amount, yes, p)
        if state == k.DONE:
            state = k.settled(n, users, v, y, result, p, amount, yes, user, x, held[0], held[1], held[2], held[3])
        if state == k.HANDED:
            markets.state[m] = k.HANDED
            return
        for u in range(users):
            if held[3, u] > 0:
                held[6, u] += held[3, u]
                held[7, u] += held[3, u]
                markets.paid[m] += held[3, u]
    elif result == k.OTHER:
        markets.paid[m] = v
    elif k.chances(n, rules[markets.rule[m], k.WEIGHT], amount, yes, p) == k.HANDED:
        markets.state[m] = k.HANDED
