"""What can be wrong with a ledger, on purpose: each mutation is what one known or imaginable defect would have written.

A mutation changes a world that was correct, in the first places where the defect makes a difference, and says which check must find it.
Some lie inside the interval that dust leaves open, and show only where the requests are known: docs/ledger-mutants.md says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import floor

import msgspec
import numpy as np

from release_dossier.errors import Refused, meant
from release_dossier.ledger import columns as c
from release_dossier.ledger.fast import kernel as k
from release_dossier.ledger.generate import NEVER, PROPOSED, PUBLISHED, REJECTED, RESOLVED, Bets, World, profit, steward_then
from release_dossier.ledger.rulesets import Ruleset
from release_dossier.ledger.settlement import Degenerate, Row, go_round, may_sell, positions, probabilities, quote, volume

PLACES = 5  # at how many places a mutation bites


class Made(msgspec.Struct):
    """A world and all its bets, while it is being changed."""

    world: World
    bets: Bets

    @property
    def rules(self) -> Ruleset:
        return self.world.spec.rules

    def rows(self, m: int) -> list[Row]:
        """Orders of market m; users are named by their number."""
        b = self.bets
        where = np.flatnonzero(b.market == m)
        rows = [Row(str(b.user[i]), bool(b.yes[i]), int(b.amount[i]), int(b.at[i]), int(b.id[i])) for i in where.tolist()]
        return sorted(rows, key=lambda r: (r.placed_at, r.id))

    def pay(self, user: int | str, credits: int) -> int:
        """Change a balance behind the ledger's back; 1 where there was something to change."""
        self.world.balance[int(user)] += credits
        return int(credits != 0)

    def ended(self, *results: int, alone: bool = False) -> Iterator[int]:
        """Markets with such a result and orders; `alone` those of no group."""
        w = self.world
        for m in np.flatnonzero(np.isin(w.result, results) & (w.size > 0)).tolist():
            if not alone or w.group[m] < 0:
                yield m

    def open(self) -> Iterator[int]:
        """Markets that take orders and have some."""
        w = self.world
        yield from np.flatnonzero((w.lifecycle == PUBLISHED) & (w.size > 0)).tolist()

    def number(self, name: str) -> int:
        """The number of a user."""
        return self.world.names.index(name)

    def order(self, m: int, user: int | str, amount: int, yes: bool, credits: int, at: int | None = None) -> int:
        """One more order in market m, which changes his balance by `credits`."""
        rows = self.rows(m)
        moment = at if at is not None else (rows[-1].placed_at if rows else int(self.world.created[m])) + 1_000_000
        new = (int(self.bets.id.max(initial=0)) + 1, int(user), m, amount, int(yes), moment, -1, 0)
        self.bets = Bets(*(np.append(getattr(self.bets, f), x) for f, x in zip(Bets.__struct_fields__, new, strict=True)))
        self.world.size[m] += 1
        self.pay(user, credits)
        self._summarised(m)
        return 1

    def _summarised(self, m: int) -> None:
        """A summary that called itself fresh says now that it is not."""
        self.world.snapshots = [msgspec.structs.replace(s, stale=True) if s.market_id == m + 1 else s for s in self.world.snapshots]


def payouts(rows: Sequence[Row], rules: Ruleset, result: str, twist: str = "") -> dict[str, int]:
    """What each user is paid, by a settlement that differs from the right one in one place."""
    weight = 10 if twist == "settlement-weight" else rules.settlement_weight
    p = probabilities(rows, weight)
    r, total, n = p[-1], volume(rows), len(rows)
    whole: Callable[[float], int] = {"bankers-rounding": round, "shares-floor": floor}.get(twist, go_round)  # type: ignore[assignment]
    pool_whole: Callable[[float], int] = {"bankers-rounding": round, "pool-floor": floor}.get(twist, go_round)  # type: ignore[assignment]
    yes_sum = sum(x.amount for x in rows if x.yes)
    ones = (1, 0) if yes_sum > total - yes_sum else (0, 1) if total - yes_sum > yes_sum else (0, 0)
    pool = ones if total == 1 else (pool_whole(float(total) * r), pool_whole(float(total) * (1.0 - r)))
    before = twist == "chance-before-the-order"
    course = [abs(r - p[i if before else i + 1]) * float(row.amount) for i, row in enumerate(rows)]
    sums = [sum(x for x, row in zip(course, rows, strict=True) if row.yes is side) for side in (True, False)]
    factors = [abs(pool[i] / sums[i]) if sums[i] > 0 else 0.0 for i in (0, 1)]
    if twist == "factor-at-most-one":
        factors = [min(1.0, f) for f in factors]
    given = [whole(x * factors[not row.yes]) for x, row in zip(course, rows, strict=True)]
    excess = sum(given) - total
    each, rest = divmod(abs(excess), n)
    step = -1 if excess > 0 else 1
    newest = (excess > 0) != (twist in ("excess-to-earliest", "excess-turned"))
    given = [x + step * (each + (i >= n - rest if newest else i < rest)) for i, x in enumerate(given)]
    if twist == "excess-kept":
        given = [whole(x * factors[not row.yes]) for x, row in zip(course, rows, strict=True)]
    return _winners(rows, given, total, result, twist)


def _winners(rows: Sequence[Row], given: Sequence[int], total: int, result: str, twist: str) -> dict[str, int]:
    sides: dict[str, list[int]] = {}
    first: dict[str, int] = {}
    for row, x in zip(rows, given, strict=True):
        sides.setdefault(row.user, [0, 0])[not row.yes] += x
        first.setdefault(row.user, row.placed_at)
    value = {}
    for user, (yes, no) in sides.items():
        a, b = (yes, no) if twist == "clamp-removed" else (max(0, yes), max(0, no))
        net = a - b if twist != "sides-not-netted" else a if result == "YES" else -b
        value[user] = max(0, net if result == "YES" else -net)
    holders = sorted((u for u, v in value.items() if v > 0), key=lambda u: (-value[u], first[u], u))
    if not holders or twist == "gap-kept":
        return value
    if twist == "smallest-first":
        holders.reverse()
    gap = total - sum(value[u] for u in holders)
    if twist == "gap-by-size":
        held = sum(value[u] for u in holders)
        return {u: v + gap * v // held for u, v in value.items()}
    each, rest = divmod(abs(gap), len(holders))
    for i, user in enumerate(holders):
        value[user] += (1 if gap > 0 else -1) * (each + (i < rest))
    if twist == "last-winner-off-by-one":
        value[holders[-1]] -= 1
    return value


def _word(result: int) -> str:
    return "YES" if result == k.YES else "NO"


def twisted(twist: str, made: Made) -> int:
    """Markets paid by a settlement that differs in one place."""
    places = 0
    for m in made.ended(k.YES, k.NO):
        rows, word = made.rows(m), _word(made.world.result[m])
        try:
            right, wrong = payouts(rows, made.rules, word), payouts(rows, made.rules, word, twist)
        except Degenerate:
            continue
        places += max([made.pay(u, max(0, wrong[u]) - max(0, right[u])) for u in right], default=0)
        if places == PLACES:
            break
    return places


def repaid(how: Callable[[Made, int], Mapping[str, int]], results: tuple[int, ...], alone: bool, made: Made) -> int:
    """Markets where `how` says what each user has too much, or too little."""
    places = 0
    for m in made.ended(*results, alone=alone):
        places += max([made.pay(u, x) for u, x in how(made, m).items()], default=0)
        if places == PLACES:
            break
    return places


def _paid_again(made: Made, m: int) -> dict[str, int]:
    return {u: max(0, v) for u, v in payouts(made.rows(m), made.rules, _word(made.world.result[m])).items()}


def _paid_as_open(made: Made, m: int) -> dict[str, int]:
    rows = made.rows(m)
    held = positions(rows, made.rules, "")
    return {u: max(0, held[u].value) - x for u, x in _paid_again(made, m).items()}


def _other_side_paid(made: Made, m: int) -> dict[str, int]:
    rows, word = made.rows(m), _word(made.world.result[m])
    other = payouts(rows, made.rules, "NO" if word == "YES" else "YES")
    return {u: max(0, other[u]) - x for u, x in _paid_again(made, m).items()}


def _swapped(made: Made, m: int) -> dict[str, int]:
    paid = sorted(_paid_again(made, m).items(), key=lambda x: x[1])
    (a, low), (b, high) = paid[0], paid[-1]
    return {a: high - low, b: low - high} if a != b else {}


def _unpaid(made: Made, m: int) -> dict[str, int]:
    return {u: -x for u, x in _paid_again(made, m).items()}


def _cut_short(made: Made, m: int) -> dict[str, int]:
    paid = sorted(u for u, x in _paid_again(made, m).items() if x > 0)
    return {u: -x for u, x in _paid_again(made, m).items() if u in paid[len(paid) // 2 :]}


def _refunds(made: Made, m: int) -> dict[str, int]:
    back: dict[str, int] = {}
    for r in made.rows(m):
        back[r.user] = back.get(r.user, 0) - r.amount
    return back


def _sales_ignored(made: Made, m: int) -> dict[str, int]:
    back: dict[str, int] = {}
    for r in made.rows(m):
        back[r.user] = back.get(r.user, 0) - min(0, r.amount)
    return back


def _fees_back(made: Made, m: int) -> dict[str, int]:
    return {r.user: made.rules.initial_bet_fee for r in made.rows(m)}


def _fee_each_buy(made: Made, m: int) -> dict[str, int]:
    out: dict[str, int] = {}
    for r in made.rows(m):
        if r.amount > 0:
            out[r.user] = out.get(r.user, made.rules.initial_bet_fee) - made.rules.initial_bet_fee
    return out


def _buy_fee(made: Made, m: int) -> dict[str, int]:
    out: dict[str, int] = {}
    for r in made.rows(m):
        out[r.user] = out.get(r.user, 0) - (r.amount > 0)
    return out


def _fees(made: Made, m: int) -> int:
    return int(made.world.buyers[m]) * made.rules.initial_bet_fee


def _work(made: Made, m: int) -> int:
    return profit(made.rules, _fees(made, m), int(made.world.cost[m]))


def _work_threshold(made: Made, m: int) -> dict[str, int]:
    less = max(0, _fees(made, m) - (int(made.world.cost[m]) or made.rules.create_market_cost))
    return {str(steward_then(made.world, m)): less - _work(made, m)}


def _work_twice(made: Made, m: int) -> dict[str, int]:
    return {str(steward_then(made.world, m)): _work(made, m)}


def _work_unpaid(made: Made, m: int) -> dict[str, int]:
    return {str(steward_then(made.world, m)): -_work(made, m)}


def _work_on_na(made: Made, m: int) -> dict[str, int]:
    return {str(steward_then(made.world, m)): _fees(made, m)}


def _work_to_creator(made: Made, m: int) -> dict[str, int]:
    then, creator = steward_then(made.world, m), int(made.world.creator[m])
    return {} if then == creator else {str(then): -_work(made, m), str(creator): _work(made, m)}


def grouped(na: bool, made: Made) -> int:
    """Stewards of groups: paid for a group resolved N/A; or for each answer instead of once."""
    w, places = made.world, 0
    for g, group in enumerate(w.groups):
        mine = np.flatnonzero(w.group == g)
        if group.lifecycle != "resolved" or not len(mine) or bool((w.result[mine] == k.OTHER).all()) != na:
            continue
        each = int(w.buyers[mine].sum()) * made.rules.initial_bet_fee
        take = np.isin(made.bets.market, mine) & (made.bets.amount > 0)
        once = len(np.unique(made.bets.user[take])) * made.rules.initial_bet_fee
        places += made.pay(made.number(group.steward), once if na else each - once)
    return places


def sold(how: Callable[[Made, int, int], int], made: Made) -> int:
    """Sales that credited something else: `how` says by how much, given the place of the row and the credits before dust."""
    places = 0
    for i in np.flatnonzero(made.bets.asked >= 0).tolist():
        rows = [r for r in made.rows(int(made.bets.market[i])) if (r.placed_at, r.id) < (int(made.bets.at[i]), int(made.bets.id[i]))]
        price = quote(rows, str(made.bets.user[i]), bool(made.bets.yes[i]), made.rules).price
        places += made.pay(int(made.bets.user[i]), how(made, i, -int(made.bets.amount[i]) * price))
        if places == PLACES:
            break
    return places


def _dust_kept(made: Made, i: int, gross: int) -> int:
    return gross - int(made.bets.paid[i])


def _dust_uncapped(made: Made, i: int, gross: int) -> int:
    return max(0, gross - max(0, int(made.bets.asked[i]) - gross)) - int(made.bets.paid[i])


def _sold_twice(made: Made, i: int, _: int) -> int:
    return int(made.bets.paid[i])


def _shares_for_credits(made: Made, i: int, gross: int) -> int:
    return -int(made.bets.amount[i]) - int(made.bets.paid[i]) if gross != -int(made.bets.amount[i]) else 0


def _other_valuation(made: Made, i: int, gross: int) -> int:
    b = made.bets
    rows = [r for r in made.rows(int(b.market[i])) if (r.placed_at, r.id) < (int(b.at[i]), int(b.id[i]))]
    other = msgspec.structs.replace(made.rules, valuation="volume" if made.rules.valuation == "shares" else "shares")
    price = quote(rows, str(b.user[i]), bool(b.yes[i]), other).price
    return price * -int(b.amount[i]) - gross if price else 0


def beyond(how: str, made: Made) -> int:
    """A sale more than the rules let go, at the end of open markets."""
    places = 0
    for m in made.open():
        rows = made.rows(m)
        for user, yes in sorted({(r.user, r.yes) for r in rows}):
            q = quote(rows, user, yes, made.rules)
            shares = {"over-cashout": q.owned, "sale-of-nothing": q.owned + 5}[how]
            if shares <= 0 or not may_sell(rows, user, yes, shares, made.rules)[1] or shares >= volume(rows):
                continue
            places += made.order(m, user, -shares, yes, shares * max(1, q.price))
            break
        if places == PLACES:
            break
    return places


def self_cash_out(made: Made) -> int:
    """Bought and sold again at once, without an order of anybody else between (#774)."""
    for m in made.open():
        rows, user = made.rows(m), str(made.world.spec.users - 1)
        last = rows[-1].placed_at
        bought = [*rows, Row(user, True, 300, last + 1, 10**9), Row(user, True, 1, last + 2, 10**9 + 1)]
        q = quote(bought, user, True, msgspec.structs.replace(made.rules, sell="owned"))
        if q.sellable and may_sell(bought, user, True, q.sellable, made.rules)[1]:
            fee = 0 if any(r.user == user for r in rows) else made.rules.initial_bet_fee
            made.order(m, user, 300, True, -300 - fee - made.rules.buy_fee)
            made.order(m, user, 1, True, -1 - made.rules.buy_fee)
            return made.order(m, user, -q.sellable, True, q.sellable * q.price)
    return 0


def lots_not_consumed(made: Made) -> int:
    """What was sold is sold again: earlier sales do not use up what was bought (#784)."""
    loose = msgspec.structs.replace(made.rules, sell="lots_projection")
    for m in made.open():
        rows = made.rows(m)
        for user, yes in sorted({(r.user, r.yes) for r in rows}):
            strict, wide = quote(rows, user, yes, made.rules), quote(rows, user, yes, loose)
            if wide.sellable > strict.sellable and wide.sellable < volume(rows):
                return made.order(m, user, -wide.sellable, yes, wide.sellable * wide.price)
    return 0


def bankers(made: Made) -> int:
    """A market of three orders in which a share is exactly a half: one in thirty thousand small markets has such a one."""
    w = made.world
    m = next((m for m in np.flatnonzero(w.lifecycle == PROPOSED).tolist()), None)
    if m is None or made.rules.settlement_weight != 1:
        return 0
    w.lifecycle[m], w.result[m], w.resolved_at[m], w.buyers[m] = RESOLVED, k.YES, w.created[m] + 60_000_000, 2
    fee = made.rules.initial_bet_fee
    for number, amount, yes, first in ((0, 3, True, fee), (1, 12, True, fee), (1, 15, False, 0)):
        made.order(m, number, amount, yes, -amount - first - made.rules.buy_fee)
    rows = made.rows(m)
    made.pay(steward_then(w, m), _work(made, m))
    wrong, right = payouts(rows, made.rules, "YES", "bankers-rounding"), payouts(rows, made.rules, "YES")
    for user, paid in wrong.items():
        made.pay(user, paid)
    return int(wrong != right)


def pool_below_nothing(made: Made) -> int:
    """Five legal orders that bring the pool to -1: the market has no answer any more (of v3.8.1 itself)."""
    w = made.world
    m = next((m for m in np.flatnonzero((w.lifecycle == PUBLISHED) & (w.group < 0)).tolist()), None)
    if m is None or made.rules.settlement_weight != 1:
        return 0
    for i in np.flatnonzero(made.bets.market == m).tolist():
        w.balance[made.bets.user[i]] += int(made.bets.amount[i]) - int(made.bets.paid[i]) + made.rules.buy_fee * (made.bets.amount[i] > 0)
    for r in {r.user for r in made.rows(m)}:
        w.balance[int(r)] += made.rules.initial_bet_fee
    keep = made.bets.market != m
    made.bets = Bets(*(getattr(made.bets, f)[keep] for f in Bets.__struct_fields__))
    w.size[m] = 0
    fee = made.rules.initial_bet_fee
    for user, amount, credits in ((0, 2, -2 - fee), (0, 3, -3), (0, 2, -2), (1, 2, -2 - fee)):
        made.order(m, user, amount, True, credits - made.rules.buy_fee)
    return made.order(m, 0, -10, True, 10)


def a_row(how: str, made: Made) -> int:
    """Rows that cannot be, or not there."""
    w, fee, some = made.world, made.rules.initial_bet_fee, np.flatnonzero(made.world.size > 0)
    m = int(some[0])
    if how == "late-order":
        done = next(made.ended(k.YES, k.NO, k.OTHER), None)
        if done is None:
            return 0
        user = made.rows(done)[0].user
        return made.order(done, user, 9, True, -9 - made.rules.buy_fee, int(w.resolved_at[done]) + 40_000)
    if how == "order-before-market":
        first = int(np.flatnonzero(made.bets.market == m)[0])
        made.bets.at[first] = w.created[m] - 5_000_000
        return 1
    if how == "unpublished-order":
        shut = np.flatnonzero((w.lifecycle == PROPOSED) | (w.lifecycle == REJECTED))
        return made.order(int(shut[0]), 0, 9, True, -9 - fee - made.rules.buy_fee) if len(shut) else 0
    if how == "order-of-nothing":
        return made.order(next(made.open(), m), made.rows(m)[0].user, 0, True, 0)
    if how == "order-nowhere":
        made.bets.market[np.flatnonzero(made.bets.market == m)[-1]] = w.spec.markets + 41
        return 1
    if how == "sale-first":
        stranger = next(u for u in range(w.spec.users) if str(u) not in {r.user for r in made.rows(m)})
        return made.order(m, stranger, -1, True, -fee)
    if how == "order-marked-deleted":
        w.deleted_bets.add(int(made.bets.id[0]))
        return 1
    if how == "order-without-row":
        b = made.bets
        moved = np.flatnonzero((b.amount > 0) & (w.result[b.market] != k.OTHER))  # N/A gives back what was charged: nobody is off by it
        made.bets = Bets(*(np.delete(getattr(b, f), moved[-1:]) for f in Bets.__struct_fields__))
        return len(moved[-1:])
    raise AssertionError(how)


def a_market(how: str, made: Made) -> int:
    """Markets and groups whose columns contradict each other, or what was charged."""
    w, rules = made.world, made.rules
    rejected = np.flatnonzero(w.lifecycle == REJECTED).tolist()
    for m in rejected[:PLACES]:
        if how == "rejection-not-refunded":
            made.pay(int(w.creator[m]), -int(w.cost[m]))
        elif how == "rejection-refunded-twice":
            made.pay(int(w.creator[m]), int(w.cost[m]))
        elif how == "rejection-at-current-cost":
            made.pay(int(w.creator[m]), 3)
        elif how == "rejected-resolved":
            w.lifecycle[m], w.result[m], w.resolved_at[m] = RESOLVED, k.OTHER, w.rejected_at[m] + 9
    if how.startswith("reject"):
        return len(rejected[:PLACES])
    if how == "market-not-charged":
        own = np.flatnonzero((w.group < 0) & (w.rejected_at == NEVER))
        return made.pay(int(w.creator[own[0]]), int(w.cost[own[0]]) or rules.create_market_cost) if len(own) else 0
    if how == "state-contradicts-result":
        ended = [*made.ended(k.OTHER), *made.ended(k.YES, k.NO)][:1]
        w.result[ended] = k.OPEN
        return len(ended)
    children = np.flatnonzero(w.group >= 0)
    if how == "answer-with-a-cost":
        w.cost[children[:1]] = rules.create_market_cost
        return len(children[:1])
    done = [m for m in children.tolist() if w.groups[int(w.group[m])].lifecycle == "resolved"]
    if how == "group-half-resolved":
        for m in done[:1]:
            w.lifecycle[m], w.result[m] = PUBLISHED, k.OPEN
        return len(done[:1])
    raise AssertionError(how)


def an_answer(how: str, made: Made) -> int:
    """Answers of groups that were not charged, or approved without a market."""
    w = made.world
    for i, a in enumerate(w.additions):
        if how == "answer-not-charged" and a.status == "approved":
            return made.pay(made.number(a.proposed_by), a.cost)
        if how == "approved-without-market" and a.status != "approved":
            made.pay(made.number(a.proposed_by), -a.cost)
            w.additions[i] = msgspec.structs.replace(a, status="approved", market_id=0)
            return 1
    return 0


def a_user(how: str, made: Made) -> int:
    """Balances that moved without a row."""
    w, b = made.world, made.bets
    buy = int(np.flatnonzero(b.amount > 0)[-1])
    who, amount = int(b.user[buy]), int(b.amount[buy])
    if how == "partial-bet":
        return made.pay(who, -amount - made.rules.initial_bet_fee - made.rules.buy_fee)
    if how == "lost-update":
        return made.pay(who, amount)
    if how == "sale-without-row":
        return made.pay(who, 57)
    if how == "one-credit":
        return made.pay(who, 1)
    if how == "debt-beyond-limit":
        by = int(w.balance[who]) + made.rules.max_debt + 1_000_000
        w.balance[who] -= by
        w.initial[who] -= by
        return 1
    if how == "money-of-nobody":
        busy = set(b.user.tolist()) | set(w.creator.tolist()) | set(w.steward.tolist())
        busy |= {made.number(a.proposed_by) for a in w.additions} | {made.number(g.creator) for g in w.groups}
        idle = next((u for u in range(w.spec.users) if u not in busy), None)
        return 0 if idle is None else made.pay(idle, 5)
    if how == "two-mixed-up":
        other = int(next((u for u in b.user.tolist() if u != who), who))
        return max(made.pay(who, 20), made.pay(other, -20)) if other != who else 0
    raise AssertionError(how)


def suspended(made: Made) -> int:
    """A market made while its creator was suspended (#733)."""
    w = made.world
    w.standings.append(c.Standing(w.names[int(w.creator[-1])], "suspended", int(w.created[-1]) - 1))
    return int(w.spec.family > 0)


def stale(made: Made) -> int:
    """A summary that calls itself fresh and is behind (#786)."""
    for i, s in enumerate(made.world.snapshots):
        if not s.stale:
            made.world.snapshots[i] = msgspec.structs.replace(s, volume=s.volume - 3, bets=s.bets - 1)
            return 1
    return 0


class Mutant(msgspec.Struct, frozen=True):
    """A mutation: the check that must find it, what it changes, and what the defect is."""

    check: str
    make: Callable[[Made], int]
    about: str


def _twists() -> dict[str, Mutant]:
    about = {
        "shares-floor": "shares of an order are rounded down",
        "pool-floor": "the pools of YES and NO are rounded down",
        "settlement-weight": "settled with the weight of the display, 10 (before #657)",
        "chance-before-the-order": "an order is measured from the probability before it",
        "factor-at-most-one": "the factor of a side is cut at one, as the documents say",
        "excess-to-earliest": "what was given too much is taken from the earliest orders",
        "excess-kept": "what was given too much or too little stays",
        "clamp-removed": "a side below nothing counts against the other",
        "sides-not-netted": "shares of the losing side are not taken off",
        "gap-kept": "what is left of the pool is not handed out",
        "gap-by-size": "what is left of the pool is handed out by size, not by head",
        "smallest-first": "what is left goes to the smallest holders first",
        "last-winner-off-by-one": "the last winner gets a credit less",
    }
    return {name: Mutant("R6", partial(twisted, name), words) for name, words in about.items()}


_BOTH, _NA = (k.YES, k.NO), (k.OTHER,)
MUTANTS: dict[str, Mutant] = {
    **_twists(),
    "double-resolve": Mutant("R6", partial(repaid, _paid_again, _BOTH, False), "a market pays twice: two requests to resolve it"),
    "payout-before-save": Mutant("R6", partial(repaid, _paid_as_open, _BOTH, False), "paid as if the market were still open (#441)"),
    "losers-paid": Mutant("R6", partial(repaid, _other_side_paid, _BOTH, False), "the other side is paid"),
    "winners-swapped": Mutant("R6", partial(repaid, _swapped, _BOTH, False), "two users get each other's payout; the sum is right"),
    "payout-missing": Mutant("R6", partial(repaid, _unpaid, _BOTH, False), "resolved, and nobody is paid"),
    "payout-cut-short": Mutant("R6", partial(repaid, _cut_short, _BOTH, False), "resolving broke off half way: the rest is never paid"),
    "na-not-refunded": Mutant("R6", partial(repaid, _refunds, _NA, False), "a market resolved N/A gives nothing back"),
    "na-ignores-sales": Mutant("R6", partial(repaid, _sales_ignored, _NA, False), "N/A gives back buys and forgets sales"),
    "na-refunds-fees": Mutant("R6", partial(repaid, _fees_back, _NA, False), "N/A gives participation fees back"),
    "fee-on-every-bet": Mutant("R6", partial(repaid, _fee_each_buy, (0, 1, 2, 3), False), "the participation fee is charged on every bet"),
    "fee-not-charged": Mutant("R6", partial(repaid, _fees_back, (0, 1, 2, 3), False), "the participation fee is not charged, but paid on"),
    "buy-fee-charged": Mutant("R6", partial(repaid, _buy_fee, (0, 1, 2, 3), False), "each buy costs a credit more"),
    "work-profit-threshold": Mutant("R6", partial(repaid, _work_threshold, _BOTH, True), "the steward gets fees less cost (#743)"),
    "work-profit-twice": Mutant("R6", partial(repaid, _work_twice, _BOTH, True), "the steward is paid twice"),
    "work-profit-unpaid": Mutant("R6", partial(repaid, _work_unpaid, _BOTH, True), "the steward is not paid"),
    "work-profit-to-creator": Mutant("R6", partial(repaid, _work_to_creator, _BOTH, True), "the fees go to who made the market"),
    "work-profit-on-na": Mutant("R6", partial(repaid, _work_on_na, _NA, True), "the steward is paid for a market resolved N/A"),
    "group-na-work-profit": Mutant("R6", partial(grouped, True), "the steward is paid for a group resolved N/A (#755)"),
    "work-profit-each-answer": Mutant("R6", partial(grouped, False), "a group pays its steward for each answer"),
    "dust-not-taken": Mutant("R6", partial(sold, _dust_kept), "a sale credits its dust too (before #740)"),
    "dust-uncapped": Mutant("R6", partial(sold, _dust_uncapped), "dust above the cap is taken (before #736)"),
    "sold-twice": Mutant("R6", partial(sold, _sold_twice), "a sale is credited twice (before #684)"),
    "sale-at-one-credit": Mutant(
        "R6", partial(sold, _shares_for_credits), "a share is sold for a credit, whatever it is worth (before #436)"
    ),
    "sale-other-valuation": Mutant("R6", partial(sold, _other_valuation), "a sale is priced by the other valuation (before #773)"),
    "over-cashout": Mutant("R1", partial(beyond, "over-cashout"), "everything owned is sold, unlocked or not (before #770)"),
    "sale-of-nothing": Mutant("R1", partial(beyond, "sale-of-nothing"), "more is sold than is owned"),
    "self-cash-out": Mutant("R1", self_cash_out, "bought and sold at once (before #774)"),
    "lots-not-consumed": Mutant("R1", lots_not_consumed, "sold lots can be sold again (before #784)"),
    "pool-below-nothing": Mutant("R4", pool_below_nothing, "five legal orders bring the pool to -1 (live in v3.8.1)"),
    **{
        name: Mutant(check, partial(a_row, name), words)
        for name, check, words in (
            ("late-order", "S4", "an order after its market was resolved"),
            ("order-before-market", "S4b", "an order before its market was made"),
            ("unpublished-order", "S6", "an order on a market nobody approved"),
            ("order-of-nothing", "S1", "an order over no credits"),
            ("order-nowhere", "S2", "an order on a market that does not exist"),
            ("sale-first", "S3", "a sale by who never bought"),
            ("order-marked-deleted", "S14", "an order is marked deleted"),
            ("order-without-row", "R6", "an order was charged and its row is gone"),
        )
    },
    **{
        name: Mutant(check, partial(a_market, name), words)
        for name, check, words in (
            ("rejection-not-refunded", "R6", "a rejected market's cost is not given back"),
            ("rejection-refunded-twice", "R6", "a rejected market's cost is given back twice"),
            ("rejection-at-current-cost", "R6", "a rejection gives back today's cost, not the stored one (before #713)"),
            ("rejected-resolved", "S13", "a rejected market is resolved"),
            ("market-not-charged", "R6", "a market is made and not charged: parallel requests"),
            ("state-contradicts-result", "S5", "a market is resolved and has no result"),
            ("answer-with-a-cost", "S10", "an answer of a group has a cost of its own"),
            ("group-half-resolved", "S7", "a group is resolved, one of its answers is not"),
        )
    },
    "answer-not-charged": Mutant("R6", partial(an_answer, "answer-not-charged"), "an approved answer is not charged"),
    "approved-without-market": Mutant("S11", partial(an_answer, "approved-without-market"), "an approved answer has no market"),
    **{
        name: Mutant(check, partial(a_user, name), words)
        for name, check, words in (
            ("partial-bet", "R6", "charged, and no order made (before #669)"),
            ("lost-update", "R6", "a write of the whole user row undid an order"),
            ("sale-without-row", "R6", "credited, and no sale made (before #684)"),
            ("one-credit", "R6", "one user has one credit too many"),
            ("debt-beyond-limit", "S12", "a user owes more than the limit (before #430)"),
            ("money-of-nobody", "S17", "a user who never did anything has more than they began with"),
            ("two-mixed-up", "R6", "20 credits of one user are with another; the sum is right"),
        )
    },
    "bankers-rounding": Mutant("R6", bankers, "halves are rounded to even"),
    "suspended-market": Mutant("S18", suspended, "a suspended moderator makes a market (before #733)"),
    "stale-summary": Mutant("S16", stale, "a summary calls itself fresh and is behind (#786)"),
}


def mutate(name: str, made: Made) -> int:
    """Make a correct world wrong; at how many places.

    Raises:
        Refused: `ledger.unknown-mutant`; `ledger.nothing-to-mutate` where the world has no place for it.
    """
    if name not in MUTANTS:
        raise Refused("ledger.unknown-mutant", at="--mutant", found=name, expected=", ".join(MUTANTS), help=meant(name, MUTANTS))
    places = MUTANTS[name].make(made)
    if not places:
        raise Refused(
            "ledger.nothing-to-mutate", at=f"--mutant {name}", found="no place where it makes a difference",
            expected="more bets, another seed, or rules under which it is wrong",
        )  # fmt: skip
    return places
