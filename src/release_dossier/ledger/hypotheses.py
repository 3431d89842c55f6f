"""Known defects whose signature fits what is wrong: where to look first, never part of a verdict.

A signature says what a defect would have done to each user; it fits as far as that is, to the credit, what each accused user is off by.
Signatures are tried in this order: a sale that raced an order, another rule (the ledger replayed with one dimension changed), a payout made
again or never, an account written back, fees, refunds, payouts computed before the market was stored as resolved. Only accused users and
the markets they touched are replayed, so that a guess costs little; beyond a bound nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set

import msgspec

from release_dossier.errors import counted
from release_dossier.ledger.account import Accounts, Line, Sale, replay
from release_dossier.ledger.checks import Check
from release_dossier.ledger.columns import Ledger
from release_dossier.ledger.receipts import Matched, Order
from release_dossier.ledger.rulesets import Eras, Ruleset, stamp
from release_dossier.ledger.settlement import Degenerate, Row, may_sell, positions, sell
from release_dossier.limits import LEDGER_GUESS_ORDERS_MAX, LEDGER_GUESSES_MAX

# dimension, value, name, words
RULES: tuple[tuple[str, str | int | bool, str, str], ...] = (
    ("settlement_weight", 10, "settlement weight", "positions, sales and payouts with weight 10 of the prior (as before #657)"),
    ("settlement_weight", 1, "settlement weight", "positions, sales and payouts with weight 1 of the prior (as since #657)"),
    ("valuation", "volume", "valuation", "open positions valued to the whole volume (as before #773)"),
    ("valuation", "shares", "valuation", "open positions valued to the outstanding shares (as since #773)"),
    ("sell", "owned", "over-cashout", "every owned share could be sold, again and again (as before #770)"),
    ("sell", "projection", "selling rule", "sales bounded by their projection (as #770 to #774)"),
    ("sell", "lots_projection", "selling rule", "sales of unlocked lots that earlier sales did not use up (as #774 to #784)"),
    ("sell", "lots_consume", "selling rule", "sales of unlocked lots that earlier sales used up (as since #784)"),
    ("sale_credit", "gross", "sale dust", "dust was not taken off the credit of a sale (as before #740)"),
    ("max_dust", 2**62, "dust uncapped", "everything beyond whole shares was taken as dust, without its cap"),
    ("work_profit", "threshold", "work profit", "the steward got only what fees exceed the cost of the market by (as in #743)"),
    ("work_profit", "none", "work profit", "the steward got nothing of the fees (as before #743)"),
    ("work_profit", "full", "work profit", "the steward got all fees (as since #750)"),
    ("group_na_work_profit", True, "work profit on N/A", "work profit was paid on a group resolved N/A (as before #755)"),
)


class Guess(msgspec.Struct, frozen=True):
    """A defect that fits: how many of the accused it explains to the credit."""

    fits: str
    words: str
    explains: int
    of: int
    market: str = ""
    at: str = ""


ALWAYS_SAID = ("over-cashout", "late order", "half a request", "another row than asked")
GUESS_SHARE_MIN = 4  # one in so many of the accused: what explains fewer fits some small number by chance
RACE_MICROSECONDS = 40_000  # between an order and a sale that did not see it: up to some 30 ms where this was watched
WHERE_MAX = 12  # markets named in one guess
RACING_ORDERS_MAX = 4  # orders a sale may not have seen


class Accused(msgspec.Struct, frozen=True):
    """The replayed part of a ledger, and by how much users are off in it."""

    accounts: Accounts
    off: Mapping[str, int]
    stored: Mapping[str, int]

    def lines(self, user: str) -> Sequence[Line]:
        return self.accounts.lines.get(user, ())

    def fits(self, user: str, credits: int) -> bool:
        """Whether so many credits more than the rules give would make the user's balance right."""
        return self.fits_within(user, credits, credits)

    def fits_within(self, user: str, least: int, most: int) -> bool:
        """Whether some number of credits between the two would, and not none at all."""
        low, high = self.accounts.expected(user)
        least, most = max(least, self.stored[user] - high), min(most, self.stored[user] - low)
        return least < most or least == most != 0


def hypotheses(
    g: Ledger,
    eras: Eras,
    asked: Mapping[int, int],
    checks: Sequence[Check],
    resolves: Mapping[int, int],
    matched: Matched | None = None,
) -> list[dict[str, str]]:
    """Guesses for what `checks` found wrong, those that explain most first.

    Args:
        resolves: market → how many requests to resolve it a journal says were accepted.
        matched: the requests of that journal beside the rows.
    """
    by_id = {c.id: c for c in checks}
    off = {e.user: int(e.difference) for e in by_id["R6"].examples if e.user and e.difference != "0"} if "R6" in by_id else {}
    oversold = {e.user for e in by_id["R1"].examples if e.user} if "R1" in by_id and by_id["R1"].state == "fail" else set()
    found = [*_of_checks(by_id), *_of_requests(matched, by_id["J1"].of if "J1" in by_id else 0)]
    part = _touched(g, off.keys() | oversold)
    if (off or oversold) and len(part.bets) <= LEDGER_GUESS_ORDERS_MAX:
        a = replay(part, eras, asked)
        accused = Accused(a, off, {u.username: u.balance for u in g.users if u.username in off})
        found += _raced(accused, eras, matched.orders if matched is not None else {})
        found += _other_rules(part, a, eras, asked, off)
        found += _paid_again_or_never(accused)
        found += _written_back(accused)
        found += [x for x in (_everywhere(name, words, predict, accused) for name, words, predict in EVERYWHERE) if x is not None]
        found += _paid_as_if_open(part, accused, eras)
    whole = {x.fits for x in found if x.explains == x.of}
    found = [x for x in found if x.fits in ALWAYS_SAID or ((x.explains == x.of or not whole) and x.explains * GUESS_SHARE_MIN >= x.of)]
    found += _resolved_again(g, resolves, off)
    found.sort(key=lambda x: -x.explains / x.of)
    return [{k: str(v) for k, v in msgspec.to_builtins(x).items()} for x in found[:LEDGER_GUESSES_MAX]]


def _of_checks(by_id: Mapping[str, Check]) -> list[Guess]:
    out = []
    for id, name, thing, words in (
        ("R1", "over-cashout", "sale", "went beyond what the rules let go (as before #770, #774 and #784)"),
        ("S4", "late order", "order", "came after the market was resolved: it was open when the order was checked, not when it was stored"),
        ("S18", "suspended maker", "market", "made by a suspended moderator (as before #733)"),
    ):
        c = by_id.get(id)
        if c is not None and c.state == "fail":
            out.append(
                Guess(name, f"{counted(c.violations, thing)} {words}", c.violations, max(c.violations, c.of), c.examples[0].market or "")
            )
    return out


def _of_requests(matched: Matched | None, requests: int) -> list[Guess]:
    out = []
    if matched is not None and (lost := matched.without_row):
        words = "accepted and left no row: credit and row were not one transaction (as before #669 and #684)"
        out.append(Guess("half a request", f"{counted(len(lost), 'request')} {words}", len(lost), requests, str(lost[0].market)))
    if matched is not None and (other := matched.misstated):
        words = "of another size than the request that was accepted: what was charged or sold is not what was stored"
        out.append(Guess("another row than asked", f"{counted(len(other), 'row')} {words}", len(other), requests, str(other[0][0].market)))
    return out


def _resolved_again(g: Ledger, resolves: Mapping[int, int], off: Mapping[str, int]) -> list[Guess]:
    """Markets that a journal says were resolved more than once. What each request paid, of which side, is in no row: all it touches may be
    off by it."""
    again = {m: n for m, n in sorted(resolves.items()) if n > 1}
    paid = {m.id: m for m in g.markets if m.id in again}
    near = {b.username for b in g.bets if b.market_id in again} | {m.steward or m.creator for m in paid.values()}
    if not again or off.keys().isdisjoint(near):
        return []
    each = [f"{n} for market {m}" for m, n in again.items()]
    more = f" and of {counted(len(each) - WHERE_MAX, 'more market')}" if len(each) > WHERE_MAX else ""
    words = f"more than one request to resolve a market was accepted, and each may have paid: {', '.join(each[:WHERE_MAX])}{more}"
    first = next(iter(again))
    when = paid[first].resolved_at if first in paid else None
    return [Guess("double resolve", words, len(off.keys() & near), len(off), str(first), "" if when is None else stamp(when))]


def _raced(x: Accused, eras: Eras, orders: Mapping[int, Order]) -> list[Guess]:
    """Sales the server let go, or priced, without the orders placed just before them: a bet takes no lock on the market a sale reads."""
    found: list[tuple[Sale, int]] = []
    for s in x.accounts.sales:
        if s.against or s.user in x.off:
            rows = x.accounts.rows[s.market]
            i = next(i for i, r in enumerate(rows) if r.id == s.bet)
            late = next(
                (rows[k].placed_at for k in _just_before(rows, i, orders) if _let_go(s, rows[:k], rows[i], eras, x, orders.get(s.bet))),
                None,
            )
            if late is not None:
                found.append((s, s.at - late))
    if not found:
        return []
    wrong = sum(bool(s.against) for s in x.accounts.sales) + len(x.off.keys() - {s.user for s in x.accounts.sales if s.against})
    who = _who(sorted({s.user for s, _ in found}))
    words = (
        f"{counted(len(found), 'sale')} of {who} went as if orders up to {max(late for _, late in found) / 1000:.1f} ms before had not been"
        " there: they were being made at once, and a bet takes no lock on the market a sale reads"
    )
    first = min((s for s, _ in found), key=lambda s: s.at)
    return [Guess("raced order", words, min(len(found), wrong), wrong, str(first.market), stamp(first.at))]


def _just_before(rows: Sequence[Row], i: int, orders: Mapping[int, Order]) -> range:
    """Places of the rows in front of row `i` that may have been on their way when it was made, the nearest first: not those whose request
    a journal says was done before this one began."""
    first, mine = i, orders.get(rows[i].id)
    while first > max(0, i - RACING_ORDERS_MAX) and rows[first - 1].placed_at >= rows[i].placed_at - RACE_MICROSECONDS:
        other = orders.get(rows[first - 1].id)
        if mine and other and mine.begun is not None and other.done is not None and other.done < mine.begun:
            break
        first -= 1
    return range(i - 1, first - 1, -1)


def _let_go(s: Sale, before: Sequence[Row], row: Row, eras: Eras, x: Accused, order: Order | None) -> bool:
    """Whether on that history the sale was allowed and, where its seller is off, made the balance what it is."""
    rules = eras.one(s.at)
    if order is not None:
        sold = sell(before, s.user, row.yes, order.asked, rules)
        return sold.shares == s.shares and (s.user not in x.off or x.fits(s.user, sold.credit - s.high))
    quote, against = may_sell(before, s.user, row.yes, s.shares, rules)
    more, cap = s.shares * (quote.price - (0 if s.against else s.price)), max(0, rules.max_dust)
    return not against and (s.user not in x.off or x.fits_within(s.user, more - cap, more + (0 if s.against else cap)))


def _touched(g: Ledger, users: Set[str]) -> Ledger:
    """The part of a ledger that the accounts of some users are made of."""
    groups = {m.market_id: m.group_id for m in g.members}
    near = {b.market_id for b in g.bets if b.username in users} | {m.id for m in g.markets if {m.creator, m.steward} & users}
    near |= {s.market_id for s in g.stewardships or () if {s.before, s.after} & users}
    whole = {groups[m] for m in near if m in groups} | {x.id for x in g.groups or () if {x.creator, x.steward} & users}
    near |= {m for m, group in groups.items() if group in whole}
    return msgspec.structs.replace(
        g, bets=tuple(b for b in g.bets if b.market_id in near), markets=tuple(m for m in g.markets if m.id in near)
    )


def _other_rules(g: Ledger, a: Accounts, eras: Eras, asked: Mapping[int, int], off: Mapping[str, int]) -> list[Guess]:
    out = []
    stored = {u.username: u.balance for u in g.users}
    for dimension, value, name, words in RULES:
        if all(getattr(r, dimension) == value for e in eras.eras for r in e.possible):
            continue
        other = replay(g, _changed(eras, dimension, value), asked)
        fits = [u for u in off if _explains(a.expected(u), other.expected(u), stored[u])]
        if len(fits) * 2 > len(off):
            at = sorted(_moved(a, other, fits), key=lambda x: (x[0] or 0, x[1] or 0))
            where = f" in {counted(len(at), 'place')}" if at else ""
            market = next((str(m) for _, m in at if m is not None), "")
            when = stamp(at[0][0]) if at and at[0][0] is not None else ""
            out.append(Guess(name, f"{words} explains {_who(fits)}{where}", len(fits), len(off), market, when))
    return out


def _moved(a: Accounts, b: Accounts, users: Sequence[str]) -> set[tuple[int | None, int | None]]:
    """Where two replays give users something else: moment and market."""
    out = set()
    for u in users:
        one, two = ({(x.at, x.market, x.what): x.high for x in side.lines.get(u, ())} for side in (a, b))
        out |= {(k[0], k[1]) for k in one.keys() | two.keys() if one.get(k) != two.get(k)}
    return out


def _explains(now: tuple[int, int], other: tuple[int, int], stored: int) -> bool:
    """Whether another rule puts a balance where it is, and not by knowing less."""
    return other[0] <= stored <= other[1] and other[1] - other[0] <= now[1] - now[0]


def _changed(eras: Eras, dimension: str, value: str | int | bool) -> Eras:
    def with_it(r: Ruleset) -> Ruleset:
        return msgspec.structs.replace(r, **{dimension: value})

    return Eras(
        eras.name, tuple(msgspec.structs.replace(e, rules=with_it(e.rules), others=tuple(map(with_it, e.others))) for e in eras.eras)
    )


def _who(users: Sequence[str]) -> str:
    return ", ".join(sorted(users)[:3]) + (f" and {len(users) - 3} more" if len(users) > 3 else "")


def _paid_again_or_never(x: Accused) -> list[Guess]:
    """A market whose winners have whole payouts too many, or lack one: resolved more than once, or stopped midway."""
    out = []
    for s in x.accounts.settled:
        won = {u: credits for u, credits in s.winners if u in x.off and credits}
        when = next((line.at for u in won for line in x.lines(u) if line.market == s.market and line.what == "payout"), None)
        at = "" if when is None else stamp(when)
        times = {n: [u for u, credits in won.items() if x.fits(u, n * credits)] for n in range(1, 10)}
        n, again = max(times.items(), key=lambda found: len(found[1]))
        # Many times a small payout of one user comes to any difference.
        if again and len(again) * 2 >= len(s.winners) and (n == 1 or len(again) > 1):
            have = "has" if len(again) == 1 else "have"
            words = f"market {s.market} was paid {n + 1} times: {_who(again)} {have} its payout more than once"
            out.append(Guess("double resolve", words, len(again), len(x.off), str(s.market), at))
        never = [u for u, credits in won.items() if x.fits(u, -credits)]
        if never:
            words = f"market {s.market} did not pay {_who(never)}: the resolve stopped midway, and a second one is refused"
            out.append(Guess("half a resolve", words, len(never), len(x.off), str(s.market), at))
    return out


def _written_back(x: Accused) -> list[Guess]:
    """A user known to the credit who is off by exactly one thing of his, undone: an older row of his was written over a newer one."""
    out = []
    for user in x.off:
        low, high = x.accounts.expected(user)
        if low != high:
            continue
        undone = next((step for step in _steps(x.lines(user)) if step.low == step.high and x.fits(user, -step.low)), None)
        if undone is not None:
            words = f"{user} is off by exactly one {undone.what}: a write of the whole user row undid it (as a profile edit does)"
            market, at = "" if undone.market is None else str(undone.market), "" if undone.at is None else stamp(undone.at)
            out.append(Guess("lost update", words, 1, len(x.off), market, at))
    return out


def _steps(lines: Sequence[Line]) -> list[Line]:
    """Lines of one moment in one market are one step of a balance: an order and its fee."""
    out: list[Line] = []
    for x in lines:
        if out and x.at is not None and (out[-1].at, out[-1].market) == (x.at, x.market):
            what = x.what if x.what in ("buy", "sale") else out[-1].what
            out[-1] = Line(x.at, x.market, what, out[-1].low + x.low, out[-1].high + x.high, "")
        elif x.what != "initial balance":
            out.append(x)
    return out


Predict = Callable[[Sequence[Line]], int]


def _more_fees(lines: Sequence[Line]) -> int:
    fees = [x.high for x in lines if x.what == "participation fee"]
    return (fees[0] if fees else 0) * (sum(x.what == "buy" for x in lines) - len(fees))


def _no_fees(lines: Sequence[Line]) -> int:
    return -sum(x.high for x in lines if x.what == "participation fee")


def _sales_kept(lines: Sequence[Line]) -> int:
    return -sum(x.high for x in lines if x.what == "refund" and x.high < 0)


def _fees_back(lines: Sequence[Line]) -> int:
    void = {x.market for x in lines if x.what == "refund"}
    return -sum(x.high for x in lines if x.what == "participation fee" and x.market in void)


def _costs_kept(lines: Sequence[Line]) -> int:
    return -sum(x.high for x in lines if x.what == "rejected: cost back")


def _steward_twice(lines: Sequence[Line]) -> int:
    return sum(x.high for x in lines if x.what == "stewardship")


EVERYWHERE: tuple[tuple[str, str, Predict], ...] = (
    ("fee on every order", "the participation fee was charged on every order, not on the first in a market", _more_fees),
    ("fee not charged", "the participation fee was never charged", _no_fees),
    ("refund without sales", "markets resolved N/A gave orders back and left sales", _sales_kept),
    ("refund of fees", "markets resolved N/A gave the participation fee back", _fees_back),
    ("cost not given back", "a rejected proposal did not give its cost back", _costs_kept),
    ("steward paid twice", "work profit was paid twice", _steward_twice),
)


def _everywhere(name: str, words: str, predict: Predict, x: Accused) -> Guess | None:
    fits = [u for u in x.off if x.fits(u, predict(x.lines(u)))]
    return Guess(name, f"{words}: explains {_who(fits)}", len(fits), len(x.off)) if len(fits) * 2 > len(x.off) else None


def _paid_as_if_open(g: Ledger, x: Accused, eras: Eras) -> list[Guess]:
    """Payouts computed before the market was stored as resolved: everybody got the value of an open position, losers too (#441)."""
    for shown in ("shares", "volume"):
        predicted = dict.fromkeys(x.off, 0)
        for m in g.markets:
            history = x.accounts.rows.get(m.id, ())
            if not m.resolved or m.result not in ("YES", "NO") or not history:
                continue
            rules = msgspec.structs.replace(eras.one(m.resolved_at), valuation=shown)
            try:
                open_, closed = positions(history, rules, ""), positions(history, rules, m.result)
            except Degenerate:
                continue
            for u in predicted.keys() & open_.keys():
                predicted[u] += max(0, open_[u].value) - max(0, closed[u].value)
        fits = [u for u in x.off if x.fits(u, predicted[u])]
        if len(fits) * 2 > len(x.off):
            words = f"payouts were computed before the market was stored as resolved (as before #441): explains {_who(fits)}"
            return [Guess("payout before save", words, len(fits), len(x.off))]
    return []
