"""The laws a ledger is held to. Each looks at rows it can name, counts exactly, and shows at most twenty violations, largest first.

S and T speak of rows and sums, R of what a replay gives, J of what was asked for. What a ledger alone cannot show: docs/ledger-checks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Literal

import msgspec

from release_dossier.errors import counted
from release_dossier.ledger.account import Accounts, Sale
from release_dossier.ledger.columns import Bet, Ledger, Market
from release_dossier.ledger.receipts import Matched
from release_dossier.ledger.rulesets import Eras
from release_dossier.ledger.schema import lost
from release_dossier.limits import LEDGER_EXAMPLES_MAX

State = Literal["pass", "fail", "warn", "inconclusive", "missing"]


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One violation. Amounts are decimal strings; `difference` is found minus what was expected, or minus its nearer end."""

    user: str | None = None
    market: str | None = None
    expected: str | None = None
    expected_low: str | None = None
    expected_high: str | None = None
    found: str | None = None
    difference: str = "0"
    why: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One law: `looked_at` of `of` rows, users, markets or sales; `why` says what could not be looked at, or what a warning is about."""

    id: str
    title: str
    state: State
    looked_at: int
    of: int
    violations: int = 0
    examples: tuple[Example, ...] = ()
    why: str = ""
    undecided: tuple[Example, ...] = ()  # what the rows cannot decide, with every outcome


def conclude(
    id: str, title: str, of: int, found: Iterable[Example], *, warn: bool = False, why: str = "", looked_at: int | None = None
) -> Check:
    """A check that looked: pass without violations, else fail (or warn)."""
    if of == 0:
        return absent(id, title, "there is nothing of the kind")
    examples = sorted(found, key=lambda e: (-abs(int(e.difference)), e.user or "", int(e.market or 0), e.why))
    state: State = "pass" if not examples else "warn" if warn else "fail"
    return Check(
        id=id, title=title, state=state, looked_at=of if looked_at is None else looked_at, of=of,
        violations=len(examples), examples=tuple(examples[:LEDGER_EXAMPLES_MAX]), why=why,
    )  # fmt: skip


def absent(id: str, title: str, why: str) -> Check:
    """A check that could not look at anything."""
    return Check(id=id, title=title, state="missing", looked_at=0, of=0, why=why)


def _bet(b: Bet, why: str) -> Example:
    market = None if b.market_id is None else str(b.market_id)
    whose = f" of {b.username}" if b.username is not None else ""
    where = f" in market {market}" if market is not None else ""
    return Example(user=b.username, market=market, found=str(b.amount), why=f"order {b.id}{whose}{where} {why}")


def _market(m: Market, why: str) -> Example:
    return Example(user=m.creator or None, market=str(m.id), why=f"market {m.id} {why}")


# Rows


def s1(g: Ledger) -> Check:
    rows = [b for b in g.bets if not b.deleted]
    bad = [_bet(b, lacks) for b in rows if (lacks := _lacks(b))]
    return conclude("S1", "Every order has a user, a market, a side, a time and an amount", len(rows), bad)


def _lacks(b: Bet) -> str:
    """What an order has not; empty where it has all."""
    each = (("user", b.username), ("market", b.market_id), ("time", b.placed_at))
    out = [f"has no {what}" for what, value in each if value is None]
    out += [f"has the side {b.outcome or 'nothing'}, not YES or NO"] if b.outcome not in ("YES", "NO") else []
    return " and ".join([*out, "is over no credits"] if b.amount == 0 else out)


def s2(g: Ledger) -> Check:
    markets, users = {m.id for m in g.markets}, {u.username for u in g.users}
    rows = [b for b in g.bets if not b.deleted]
    lost = []
    for b in rows:
        gone = ["no such user"] * (b.username not in users) + ["no such market"] * (b.market_id not in markets)
        if gone:
            lost.append(_bet(b, f"has {' and '.join(gone)}"))
    return conclude("S2", "Every order belongs to a market and a user that exist", len(rows), lost)


def s3(g: Ledger) -> Check:
    first: dict[tuple[str | None, int | None], Bet] = {}
    for b in g.live:
        first.setdefault((b.username, b.market_id), b)
    return conclude(
        "S3",
        "Nobody sells in a market before buying in it",
        len(first),
        (_bet(b, "is a sale and their first") for b in first.values() if b.amount < 0),
    )


def s4(g: Ledger) -> Check:
    ends = {m.id: m.resolved_at for m in g.markets if m.resolved and m.resolved_at is not None}
    rows = [b for b in g.live if b.market_id in ends]
    out = []
    for b in rows:
        # By how much: a slow insert is late by little, one that never looked whether the market is open by any time.
        late = (b.placed_at or 0) - ends[b.market_id or 0]
        if late >= 0:
            out.append(_bet(b, f"came {_seconds(late)} after that was resolved"))
    return conclude("S4", "No order came after its market was resolved", len(rows), out)


def _seconds(microseconds: int) -> str:
    return f"{microseconds / 1_000_000:,.3f} s"


def s4b(g: Ledger) -> Check:
    life = {m.id: m for m in g.markets}
    rows = [b for b in g.live if b.market_id in life]
    out = []
    for b in rows:
        m = life[b.market_id]  # type: ignore[index]
        assert b.placed_at is not None
        if m.created_at is not None and b.placed_at < m.created_at:
            out.append(_bet(b, f"came {_seconds(m.created_at - b.placed_at)} before that was made"))
        elif m.closes_at is not None and b.placed_at > m.closes_at:
            out.append(_bet(b, f"came {_seconds(b.placed_at - m.closes_at)} after that closed"))
    return conclude("S4b", "Every order lies within the life of its market", len(rows), out)


STATES, SUMMARIES = "20251103090000", "20260607090000"  # migrations that brought a market's state, and summaries of it


def left_alone(g: Ledger, eras: Eras, migration: str, at: int | None) -> bool:
    """Whether a build from before v3.2 wrote rows when a migration of v3.2 had run: rolled back to, it leaves alone what it does not know.
    It is known by the cost it does not store, which came with that release too."""
    since = dict(g.applied).get(migration)
    if at is None or since is None or at < since:
        return False
    return any(eras.eras[i].rules.create_cost_stored is False for i in eras.holding(at))


def s5(g: Ledger, eras: Eras) -> Check:
    bad: list[Example] = []
    left: list[Example] = []
    for m in g.markets:
        words = f"says resolved {m.resolved}, result {m.result or 'none'}, state {m.lifecycle or 'none'}"
        if m.resolved != (m.result in ("YES", "NO", "N/A")):
            bad.append(_market(m, words))
        elif m.lifecycle is not None and m.resolved != (m.lifecycle == "resolved"):
            (left if m.resolved and left_alone(g, eras, STATES, m.resolved_at) else bad).append(_market(m, words))
    why = "resolved by an older build, rolled back to, which leaves the state alone" if left and not bad else ""
    return conclude("S5", "Resolved, result and state of a market agree", len(g.markets), bad or left, warn=not bad, why=why)


def s6(g: Ledger) -> Check:
    shut = {m.id: m.lifecycle for m in g.markets if m.lifecycle in ("proposed", "rejected", "cancelled")}
    rows = list(g.live)
    return conclude(
        "S6",
        "No order lies on a market that was never published",
        len(rows),
        (_bet(b, f"lies on a market that is {shut[b.market_id]}") for b in rows if b.market_id in shut),
    )


def _groups(g: Ledger) -> list[tuple[int, str, list[bool]]]:
    resolved = {m.id: m.resolved for m in g.markets}
    done: dict[int, list[bool]] = {}
    for m in g.members:
        done.setdefault(m.group_id, []).append(resolved.get(m.market_id, False))
    return [(x.id, x.lifecycle, done.get(x.id, [])) for x in g.groups or () if not x.deleted]


def s7(g: Ledger) -> Check:
    groups = _groups(g)
    bad = [
        Example(why=f"group {i} is {life} and {sum(done)} of its {len(done)} markets are resolved")
        for i, life, done in groups
        if (life == "resolved") and not all(done)
    ]
    return conclude("S7", "A resolved group has only resolved markets", len(groups), bad)


def s8(g: Ledger) -> Check:
    groups = _groups(g)
    odd = [
        Example(why=f"group {i} is {life} with {sum(done)} of {len(done)} markets resolved: it can never be resolved")
        for i, life, done in groups
        if life != "resolved" and any(done)
    ]
    return conclude("S8", "No market of an open group was resolved alone", len(groups), odd, warn=True)


def s9(a: Accounts) -> Check:
    """Sales the rules allow can take a pool below nothing, and the server goes on: what comes of it is known while the market has an
    answer."""
    odd = {s.market for s in a.stuck} | {s.market for s in a.sales if s.against}
    bad: list[Example] = []
    lawful: list[Example] = []
    for market, rows in a.rows.items():
        pool = sum(r.amount for r in rows)
        if pool < 0:
            low = next(r for r, after in zip(rows, accumulate(x.amount for x in rows), strict=True) if after < 0)
            (bad if market in odd else lawful).append(
                Example(
                    user=low.user,
                    market=str(market),
                    expected="0",
                    found=str(pool),
                    difference=str(pool),
                    why=f"the pool of market {market} is {pool}; order {low.id} by {low.user} took it below nothing",
                )
            )
    below = sum(abs(int(e.difference)) for e in lawful)
    words = f"{counted(below, 'credit')} below nothing by sales these rules allow, and nothing backs them" if lawful else ""
    return conclude("S9", "No pool is below nothing", len(a.rows), bad or lawful, warn=not bad, why=words)


def s10(g: Ledger, eras: Eras) -> Check:
    if all(m.cost is None for m in g.markets):
        return absent("S10", "What markets cost is stored as it was charged", "the schema stores no cost")
    children = {m.market_id for m in g.members}
    wrong = [_market(m, f"is part of a group and cost {m.cost}") for m in g.markets if m.id in children and m.cost]
    if wrong:
        return conclude("S10", "What markets cost is stored as it was charged", len(g.markets), wrong)
    odd = [
        _market(m, f"cost {m.cost}, not {eras.one(m.created_at).create_market_cost}")
        for m in g.markets
        if m.id not in children and m.cost != eras.one(m.created_at).create_market_cost
    ]
    return conclude(
        "S10",
        "What markets cost is stored as it was charged",
        len(g.markets),
        odd,
        warn=True,
        why=OTHER_COST,
    )


OTHER_COST = "another cost than the rules' is legal for seeded and older markets"


def with_costs_of_groups(c: Check, g: Ledger, eras: Eras) -> Check:
    """S10 with what groups and answers added to them cost: another amount than the rules' was charged as it is stored, and warns."""
    groups = [x for x in g.groups or () if not x.deleted]
    answers = [x for x in g.additions or () if x.status == "approved"]
    if c.state not in ("pass", "warn") or not (groups or answers):
        return c
    odd = [
        Example(user=x.creator, why=f"group {x.id} of {x.creator} cost {x.cost}, not {due}")
        for x in groups
        if x.cost != (due := eras.one(x.created_at).create_market_cost)
    ] + [
        Example(user=x.proposed_by, why=f"answer {x.id} of {x.proposed_by} cost {x.cost}, not {due}")
        for x in answers
        if x.cost != (due := eras.one(x.reviewed_at).add_answer_cost)
    ]
    looked_at, found = c.looked_at + len(groups) + len(answers), c.violations + len(odd)
    state, why = ("warn", OTHER_COST) if found else (c.state, c.why)
    examples = (*c.examples, *odd)[:LEDGER_EXAMPLES_MAX]
    return msgspec.structs.replace(
        c, state=state, why=why, looked_at=looked_at, of=c.of + len(groups) + len(answers), violations=found, examples=examples
    )


def s11(g: Ledger) -> Check:
    members = {(m.group_id, m.market_id) for m in g.members}
    rows = g.additions or ()
    bad = [
        Example(
            user=x.proposed_by,
            why=f"answer {x.id} is {x.status}; it has {'a' if (x.group_id, x.market_id) in members else 'no'} market of its own",
        )
        for x in rows
        if (x.status == "approved") != ((x.group_id, x.market_id) in members)
    ]
    return conclude("S11", "Approved answers have their market, others none", len(rows), bad)


def debts(eras: Eras) -> tuple[int, int]:
    """The narrowest and the widest limit there was."""
    every = [rules.max_debt for e in eras.eras for rules in e.possible]
    return min(every), max(every)


def _last_spent(g: Ledger, users: set[str]) -> dict[str, int]:
    """When each of them last bought, made a market or a group, or had an answer added: what the limit is looked at for."""
    children = {m.market_id for m in g.members}
    spent = [(b.username, b.placed_at) for b in g.live if b.amount > 0]
    spent += [(m.creator, m.created_at) for m in g.markets if not m.deleted and m.id not in children]
    spent += [(x.creator, x.created_at) for x in g.groups or () if not x.deleted]
    spent += [(x.proposed_by, x.reviewed_at) for x in g.additions or () if x.status == "approved"]
    found: dict[str, int] = {}
    for user, at in spent:
        if user in users and at is not None:
            found[user] = max(at, found.get(user, at))
    return found


def s12(g: Ledger, a: Accounts, eras: Eras) -> Check:
    """By the limit of when they last spent, beyond which a server lets nobody spend; who never did, by the widest there was."""
    least, most = debts(eras)
    known = not any(x.startswith("market_group") for x in lost(g.lacks, g.applied))
    spent = _last_spent(g, {u.username for u in g.users if u.balance < -least}) if least < most and known else {}
    bad, explained = [], 0
    for u in g.users:
        at = spent.get(u.username)
        floor = -(most if at is None else max(rules.max_debt for rules in eras.at(at)))
        if u.balance >= floor:
            continue
        taken = sum(x.high for x in a.lines.get(u.username, ()) if x.what == "refund" and x.high < 0)
        if u.balance >= floor + taken:
            explained += 1
        else:
            short = u.balance - floor
            bad.append(
                Example(
                    user=u.username,
                    expected=str(floor),
                    found=str(u.balance),
                    difference=str(short),
                    why=f"{u.username} owes {counted(-u.balance, 'credit')}, {-short} more than allowed",
                )
            )
    why = f"{counted(explained, 'user')} below it lawfully, after a market they had sold in was resolved N/A" if explained else ""
    return conclude("S12", "Nobody owes more than the limit", len(g.users), bad, why=why)


def s13(g: Ledger) -> Check:
    bad = [_market(m, "was rejected and resolved") for m in g.markets if m.rejected_at is not None and m.resolved]
    return conclude("S13", "No rejected market was resolved", len(g.markets), bad)


def s14(g: Ledger) -> Check:
    gone = [_bet(b, "is marked deleted") for b in g.bets if b.deleted]
    gone += [Example(user=u.username, why=f"user {u.username} is marked deleted") for u in g.users if u.deleted]
    gone += [_market(m, "is marked deleted") for m in g.markets if m.deleted]
    return conclude("S14", "No user, market or order is marked deleted", len(g.users) + len(g.markets) + len(g.bets), gone)


def s15(a: Accounts) -> Check:
    ties = []
    for market, rows in a.rows.items():
        ties += [
            Example(user=y.user, market=str(market), why=f"orders {x.id} and {y.id} share a microsecond")
            for x, y in pairwise(rows)
            if x.placed_at == y.placed_at
        ]
    return conclude("S15", "No two orders of a market share a microsecond", sum(len(r) for r in a.rows.values()), ties, warn=True)


Sums = tuple[int, int, int, int | None]  # volume, number of orders, newest order, moment of the last


def sums(a: Accounts) -> dict[int, Sums]:
    """Of each market."""
    return {
        m: (sum(r.amount for r in rows), len(rows), max(r.id for r in rows), max(r.placed_at for r in rows)) for m, rows in a.rows.items()
    }


def s16(g: Ledger, summed: Mapping[int, Sums], eras: Eras) -> Check:
    fresh = [s for s in g.snapshots or () if not s.stale]
    bad: list[Example] = []
    left: list[Example] = []
    for s in fresh:
        *have, last = summed.get(s.market_id, (0, 0, 0, None))
        if [s.volume, s.bets, s.last_bet] != have:
            (left if left_alone(g, eras, SUMMARIES, last) else bad).append(
                Example(
                    market=str(s.market_id),
                    expected=str(have[0]),
                    found=str(s.volume),
                    difference=str(s.volume - have[0]),
                    why=f"the summary of market {s.market_id} calls itself fresh and counts {counted(s.bets, 'order')}, volume {s.volume}",
                )
            )
    return conclude(
        "S16",
        "Summaries that call themselves fresh are right",
        len(g.snapshots or ()),
        bad or left,
        warn=not bad,
        why="the last order was taken by an older build, rolled back to, which leaves summaries alone" if left and not bad else "",
        looked_at=len(fresh) if fresh else len(g.snapshots or ()),
    )


def former_stewards(g: Ledger) -> set[str]:
    """Who was steward of a market for a while."""
    return {name for s in g.stewardships or () for name in (s.before, s.after) if name}


def s17(g: Ledger, a: Accounts) -> Check:
    busy = {user for user, lines in a.lines.items() if any(x.what != "initial balance" for x in lines)} | {b.username for b in g.bets}
    busy |= {m.creator for m in g.markets} | {m.steward for m in g.markets} | former_stewards(g)
    idle = [u for u in g.users if u.username not in busy]
    bad = [
        Example(
            user=u.username,
            expected=str(u.initial),
            found=str(u.balance),
            difference=str(u.balance - u.initial),
            why=f"{u.username} never did anything and has {u.balance - u.initial:+} credits",
        )
        for u in idle
        if u.balance != u.initial
    ]
    return conclude("S17", "Who never did anything has what they began with", len(idle), bad)


def s18(g: Ledger) -> Check:
    title = "No suspended moderator made a market"
    if g.standings is None:
        return absent("S18", title, "the schema keeps no moderators' standing")
    spans: dict[str, list[tuple[int, int | None]]] = {}
    for s in sorted(g.standings, key=lambda s: s.at):
        open_ = spans.setdefault(s.username, [])
        still = bool(open_) and open_[-1][1] is None
        if s.status == "suspended" and not still:
            open_.append((s.at, None))
        elif s.status != "suspended" and still:
            open_[-1] = (open_[-1][0], s.at)
    answers = {x.market_id for x in g.additions or () if x.status == "approved"}  # made by whoever approved, in the name of the group's
    bad = [
        _market(m, f"was made by {m.creator} while suspended")
        for m in g.markets
        if m.created_at is not None
        and m.id not in answers
        and any(a <= m.created_at and (b is None or m.created_at < b) for a, b in spans.get(m.creator, ()))
    ]
    return conclude("S18", title, len(g.markets), bad)


# Replay


def r1(a: Accounts) -> Check:
    bad = []
    for s in a.sales:
        if s.against:
            most = s.sellable if s.shares > s.sellable else 0  # the guard on what a sale leaves lets nothing of it go
            words = f"{s.user} sold {counted(s.shares, 'share')} in market {s.market} (order {s.bet}): {s.against}"
            bad.append(_sale(s, str(most), s.shares - most, words))
    return conclude("R1", "Nobody sold more than they might", len(a.sales), bad)


def _sale(s: Sale, expected: str, difference: int, why: str) -> Example:
    return Example(user=s.user, market=str(s.market), expected=expected, found=str(s.shares), difference=str(difference), why=why)


def r2(a: Accounts) -> Check:
    stuck = {s.market for s in a.stuck}
    judged = [s for s in a.settled if s.market not in stuck]
    return conclude(
        "R2",
        "What a resolved market gives out is its pool",
        len(a.settled) + len(stuck & set(a.rows)),
        (),
        looked_at=len(judged),
        why="held by how payouts are made, and re-added here",
    )


def r3(a: Accounts) -> Check:
    odd = [
        Example(
            market=str(s.market),
            expected=str(s.volume),
            found=str(s.paid),
            difference=str(s.paid - s.volume),
            why=f"market {s.market} resolved {s.result} pays {s.paid} of a pool of {s.volume}"
            + (": nobody held the winning side" if s.paid == 0 else ""),
        )
        for s in a.settled
        if s.paid != s.volume
    ]
    return conclude(
        "R3",
        "Every pool is paid out",
        len(a.settled),
        odd,
        warn=True,
        why="legal under these rules, and credits are burned or made by it" if odd else "",
    )


def r4(a: Accounts) -> Check:
    bad = [Example(market=str(s.market), why=f"market {s.market} has no answer any more: {s.why}") for s in a.stuck]
    return conclude("R4", "Every market has an answer", len(a.rows), bad)


def r5(a: Accounts) -> Check:
    sales = [s for s in a.sales if s.minted > 0]
    odd = [
        Example(
            user=s.user,
            market=str(s.market),
            expected=str(s.shares),
            found=str(s.shares * s.price),
            difference=str(s.minted),
            why=f"{s.user} got {counted(s.price, 'credit')} for {'each of ' * (s.shares != 1)}{counted(s.shares, 'share')}"
            f" in market {s.market}: {s.minted} out of nothing",
        )
        for s in sales
    ]
    return conclude(
        "R5",
        "No sale makes credits",
        len(a.sales),
        odd,
        warn=True,
        why="legal under these rules, and nothing backs these credits" if odd else "",
    )


def r6(g: Ledger, a: Accounts, intervals: int | None = None) -> Check:
    """`intervals`: how many users are known to an interval only, where `g` does not hold them all."""
    judged = [u for u in g.users if not u.deleted]
    beyond = a.beyond
    bad, unsure, open_ = [], [], 0
    for u in judged:
        low, high = a.expected(u.username)
        off = a.off(u.username, u.balance)
        open_ += low != high
        if off and u.username not in beyond:
            bad.append(_account(u.username, u.balance, a, off))
        elif off or u.username in a.tied:
            unsure.append(_undecided(u.username, u.balance, low, high, a))
        elif u.balance < low + a.irregular(u.username):
            unsure.append(_irregular(u.username, u.balance, low, high, low + a.irregular(u.username)))
    open_ = open_ if intervals is None else intervals
    words = f"{counted(open_, 'user')} known to an interval only; --receipts would tell exactly" if open_ else ""
    if unsure:
        words = f"{counted(len(unsure), 'user')} not to be decided from the rows: {', '.join(str(e.user) for e in unsure[:5])}"
    check = conclude("R6", "Every user has exactly the credits the rules give", len(judged), bad, looked_at=len(judged) - len(unsure))
    return msgspec.structs.replace(
        check,
        state="inconclusive" if unsure and not bad else check.state,
        why=words or check.why,
        undecided=tuple(unsure[:LEDGER_EXAMPLES_MAX]),
    )


def _undecided(user: str, balance: int, low: int, high: int, a: Accounts) -> Example:
    """Both outcomes, and which line of their account has them."""
    parts = []
    for x in [x for x in a.lines.get(user, ()) if x.outcomes][:3]:
        where = "" if x.market is None else f" in market {x.market}"
        parts.append(f"{x.what}{where} is {' or '.join(map(str, x.outcomes))}")
    if user in a.unjudged:
        parts.append("a market of theirs has no answer any more")
    words = (
        f"{user} has {balance}; their statement of account comes to {low} to {high}: {'; '.join(parts) or 'its orders have no one order'}"
    )
    return Example(user=user, expected_low=str(low), expected_high=str(high), found=str(balance), why=words)


def _irregular(user: str, balance: int, low: int, high: int, regular: int) -> Example:
    """Both outcomes: what sales carried out as asked for come to, and what any request may have made of them."""
    words = (
        f"{user} has {balance}; their statement of account comes to {regular}{f' to {high}' if high > regular else ''} if each sale sold "
        f"all it was asked for ({counted(regular - balance, 'credit')} too few), and to {low} to {high} if not"
    )
    return Example(user=user, expected_low=str(low), expected_high=str(high), found=str(balance), why=words)


def _account(user: str, balance: int, a: Accounts, off: int) -> Example:
    low, high = a.nearest(user, balance)
    comes_to = f"{low}" if low == high else f"{low} to {high}"
    comes_to += ", the nearest of its outcomes" if (low, high) != a.expected(user) else ""
    wrong = f"{counted(abs(off), 'credit')} too {'many' if off > 0 else 'few'}"
    words = f"{user} has {wrong}: balance {balance}, their statement of account comes to {comes_to}"
    near = high if off > 0 else low
    return Example(
        user=user, expected=str(near), expected_low=str(low), expected_high=str(high), found=str(balance), difference=str(off), why=words
    )


def r7(a: Accounts) -> Check:
    taken: dict[tuple[str, int], int] = {}
    most: dict[tuple[str, int], int] = {}
    for s in a.sales:
        if not s.against:
            key = (s.user, s.market)
            taken[key] = taken.get(key, 0) + s.high
            most[key] = max(most.get(key, 0), s.sellable * s.price)
    odd = [
        Example(
            user=u,
            market=str(m),
            expected=str(most[u, m]),
            found=str(t),
            difference=str(t - most[u, m]),
            why=f"{u} took {counted(t, 'credit')} out of market {m} by selling; their position was never worth more than {most[u, m]}",
        )
        for (u, m), t in taken.items()
        if t > most[u, m]
    ]
    return conclude(
        "R7",
        "Nobody sold more than their position was ever worth",
        len(taken),
        odd,
        warn=True,
        why="legal under these rules" if odd else "",
    )


def t(g: Ledger, a: Accounts) -> Check:
    users = [u for u in g.users if not u.deleted]
    low, high = (sum(a.expected(u.username)[i] for u in users) for i in (0, 1))
    irregular = sum(a.irregular(u.username) for u in users)
    return all_balances(low, high, irregular, sum(u.balance for u in users), stuck=any(s.users for s in a.stuck), ties=bool(a.countless))


def all_balances(low: int, high: int, irregular: int, total: int, *, stuck: bool, ties: bool) -> Check:
    """T, from the sums of what every user must have and has."""
    off = total - high if total > high else total - low if total < low else 0
    title = "All balances together are what the rules give"
    if stuck:
        return Check(id="T", title=title, state="inconclusive", looked_at=0, of=1, why="a market has no answer any more")
    if ties and off:
        why = "orders of one microsecond may have come in more ways than were tried"
        return Check(id="T", title=title, state="inconclusive", looked_at=0, of=1, why=why)
    found = (
        [
            Example(
                expected=str(high if off > 0 else low),
                expected_low=str(low),
                expected_high=str(high),
                found=str(total),
                difference=str(off),
                why=f"all balances together are {counted(abs(off), 'credit')} too {'high' if off > 0 else 'low'}",
            )
        ]
        if off
        else []
    )
    if not off and total < low + irregular:
        why = f"all balances together are {total}: {low} to {high}, and at least {low + irregular} if each sale sold all it was asked for"
        return Check(id="T", title=title, state="inconclusive", looked_at=0, of=1, why=why)
    return conclude("T", title, 1, found)


def j1(matched: Matched, orders: int, unreadable: Sequence[int]) -> Check:
    bad = [
        Example(
            user=o.user,
            market=str(o.market),
            expected=str(o.asked),
            difference=str(o.asked),
            why=f"{'a sale' if o.sale else 'an order'} of {o.user} over {counted(o.asked, 'credit')} in market {o.market} was accepted"
            f" (request {o.number}) and has no row",
        )
        for o in matched.without_row
    ]
    for o, row in matched.misstated:
        told = o.shares if o.sale and o.shares is not None else o.asked
        words = f"request {o.number} of {o.user} in market {o.market} was accepted over {told} {'shares' if o.sale else 'credits'}"
        bad.append(
            Example(
                user=o.user,
                market=str(o.market),
                expected=str(told),
                found=str(abs(row.amount)),
                difference=str(abs(row.amount) - told),
                why=f"{words}; its row {row.id} says {abs(row.amount)}",
            )
        )
    words = f"{counted(matched.rows_without, 'row')} without a request in this journal" if matched.rows_without else ""
    check = conclude("J1", "Every accepted request has its row", orders, bad, why=words)
    if unreadable and check.state in ("pass", "missing"):
        words = f"{counted(len(unreadable), 'request')} of the journal could not be read, the first is request {unreadable[0]}"
        return msgspec.structs.replace(check, state="inconclusive", of=orders + len(unreadable), looked_at=orders, why=words)
    return check


ROWS: tuple[Callable[[Ledger], Check], ...] = (s1, s2, s3, s4, s4b, s6, s7, s8, s11, s13, s14, s18)
GROUPED = ("S7", "S8", "S11")


def all_checks(g: Ledger, a: Accounts, eras: Eras) -> list[Check]:
    """Every check a ledger alone allows, in order of their names."""
    out = [check(g) for check in ROWS]
    if g.groups is None:
        out = [absent(c.id, c.title, "the schema has no groups") if c.id in GROUPED else c for c in out]
    if all(m.lifecycle is None for m in g.markets) and g.markets:
        out = [absent(c.id, c.title, "the schema has no state of a market") if c.id == "S6" else c for c in out]
    out += [
        s5(g, eras),
        s9(a),
        with_costs_of_groups(s10(g, eras), g, eras),
        s12(g, a, eras),
        s15(a),
        s17(g, a),
        t(g, a),
        r1(a),
        r2(a),
        r3(a),
        r4(a),
        r5(a),
        r6(g, a),
        r7(a),
    ]
    out.append(
        s16(g, sums(a), eras)
        if g.snapshots is not None
        else absent("S16", "Summaries that call themselves fresh are right", "the schema has no summaries")
    )
    return sorted(out, key=lambda c: order_of(c.id))


def order_of(id: str) -> tuple[int, int, str]:
    """S before T before R before J, by number."""
    digits = "".join(c for c in id if c.isdigit())
    return "STRJ".index(id[0]), int(digits or 0), id
