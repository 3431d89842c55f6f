"""Ledgers by seed: as many bets as asked for, on every path that moves money, correct under a chosen ruleset to the credit.

Everything follows from the seed and the sizes; nothing from the machine, the number of threads or the run. Markets are played in cohorts
of about a million bets, one after the other in time, so that a ledger of any size is made in bounded memory.
What is wrong with a ledger on purpose: `mutants.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from release_dossier.errors import Refused
from release_dossier.ledger import columns as c
from release_dossier.ledger.fast import kernel as k
from release_dossier.ledger.fast.market import rules_row
from release_dossier.ledger.fast.play import Game, Orders, play
from release_dossier.ledger.rulesets import Ruleset
from release_dossier.ledger.schema import FAMILIES

COHORT_BETS = 1 << 20
EPOCH = 1_767_225_600_000_000  # 2026-01-01 in microseconds: the first market opens then
COHORT_TIME = 40 * 86_400_000_000  # microseconds between two cohorts
OPEN_TIME = 10 * 86_400_000_000  # microseconds a market takes orders
PROPOSED, REJECTED, PUBLISHED, RESOLVED = range(4)
LIFECYCLES = ("proposed", "rejected", "published", "resolved")
RESULTS = ("", "YES", "NO", "N/A")
NEVER = -1  # no such moment
GROUP_SIZES = (2, 3, 4, 5)


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `sales` of 100 orders try to be sales. The schema is the one of the rules' release."""

    seed: int
    bets: int
    markets: int
    users: int
    sales: int
    rules: Ruleset

    @property
    def players(self) -> int:
        """Users who may do something; one in fifty never does."""
        return self.users - max(1, self.users // 50)

    @property
    def family(self) -> int:
        """0: as in v2.1.0, no state or cost of a market; 1: as in v3.2.0, no groups; 2: everything."""
        if self.rules.create_cost_stored is False:
            return 0
        return 1 if self.rules.work_profit == "threshold" else 2


class Bets(msgspec.Struct):
    """Rows of `bets` in order of their ids. `user` and `market` number users and markets from 0."""

    id: Any
    user: Any
    market: Any
    amount: Any
    yes: Any
    at: Any
    asked: Any
    paid: Any

    @staticmethod
    def joined(parts: list[Bets]) -> Bets:
        """Cohorts as one."""
        return Bets(*(np.concatenate([getattr(p, f) for p in parts]) for f in Bets.__struct_fields__))


class World(msgspec.Struct, kw_only=True):
    """A ledger being made: columns of users and markets, rows of what is rare. Users are numbered from 0, as are markets."""

    spec: Spec
    names: list[str]
    initial: Any
    balance: Any
    created: Any
    closes: Any
    resolved_at: Any
    rejected_at: Any
    result: Any
    lifecycle: Any
    cost: Any
    creator: Any
    steward: Any
    group: Any
    size: Any
    buyers: Any
    moderators: Any
    groups: list[c.Group]
    additions: list[c.Addition]
    stewardships: list[c.Stewardship]
    standings: list[c.Standing]
    snapshots: list[c.Snapshot]
    deleted_bets: set[int]


def generate(spec: Spec) -> tuple[World, Iterator[Bets]]:
    """A world and its bets, cohort by cohort. Balances are those after the last bet once all cohorts were taken.

    Raises:
        Refused: `ledger.generate` for sizes nothing can be made of.
    """
    for name, value, least, most in (
        ("--bets", spec.bets, 0, 2_000_000_000), ("--markets", spec.markets, 1, 50_000_000), ("--users", spec.users, 8, 50_000_000),
        ("--sales", spec.sales, 0, 90), ("--seed", spec.seed, 0, 2**63 - 1),
    ):  # fmt: skip
        if not least <= value <= most:
            raise Refused("ledger.generate", at=name, found=str(value), expected=f"{least} to {most}")
    world = _plan(spec)
    return world, _cohorts(world)


def mix(seed: int, stream: int, index: Any) -> Any:
    """Chance by place: 62 bits for each index of a stream (splitmix64)."""
    with np.errstate(over="ignore"):
        z = np.asarray(index).astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15 + stream * 0xD1342543DE82EF95) % 2**64)
        z = z * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((z ^ (z >> np.uint64(31))) >> np.uint64(2)).astype(np.int64)


def _plan(spec: Spec) -> World:
    """Everything but the orders: who there is, which markets, when they open, how they end."""
    count, rules = spec.markets, spec.rules
    every = np.arange(count)
    chance = mix(spec.seed, 1, every) % 100
    moderators = np.arange(max(4, min(spec.users // 20, 10_000)))
    lifecycle = np.full(count, PUBLISHED, np.int8)
    if spec.family > 0 and count > 4:
        lifecycle[chance < 4] = REJECTED
        lifecycle[(chance >= 4) & (chance < 7)] = PROPOSED
    group = np.full(count, -1, np.int64)
    if spec.family == 2:
        _group_up(spec, group, lifecycle)
    size = _sizes(spec, lifecycle)
    first = np.concatenate(([0], np.cumsum(size)))[:-1]
    cohort = first // COHORT_BETS
    created = EPOCH + cohort * COHORT_TIME + mix(spec.seed, 2, every) % (5 * 86_400_000_000)
    world = World(
        spec=spec,
        names=[f"user{i:07d}" for i in range(spec.users)],
        initial=np.full(spec.users, 1_000_000 + 2_000 * (spec.bets // spec.users), np.int64),
        balance=np.zeros(spec.users, np.int64),
        created=created,
        closes=created + 30 * 86_400_000_000,
        resolved_at=np.full(count, NEVER, np.int64),
        rejected_at=np.where(lifecycle == REJECTED, created + 3_600_000_000, NEVER),
        result=np.zeros(count, np.int8),
        lifecycle=lifecycle,
        cost=np.full(count, rules.create_market_cost, np.int64),
        creator=moderators[mix(spec.seed, 3, every) % (len(moderators) - 1)],
        steward=np.zeros(count, np.int64),
        group=group,
        size=size,
        buyers=np.zeros(count, np.int64),
        moderators=moderators,
        groups=[], additions=[], stewardships=[], standings=[], snapshots=[], deleted_bets=set(),
    )  # fmt: skip
    world.steward = world.creator.copy()
    odd_cost = (mix(spec.seed, 4, every) % 50 == 0) & (spec.family > 0)
    world.cost[odd_cost] = rules.create_market_cost + 7  # made while another cost was set
    _endings(world)
    if spec.family == 2:
        _found_groups(world)
    if spec.family > 0:
        _stewards(world)
        _standings(world)
    world.balance = world.initial.copy()
    _charge(world)
    return world


def _group_up(spec: Spec, group: Any, lifecycle: Any) -> None:
    """Runs of two to five neighbours become the answers of a group, one market in five."""
    number, m = 0, 0
    sizes = mix(spec.seed, 5, np.arange(len(group))) % 4
    begins = mix(spec.seed, 6, np.arange(len(group))) % 8 == 0
    while m < len(group):
        end = m + GROUP_SIZES[sizes[m]]
        if begins[m] and end <= len(group):
            group[m:end] = number
            lifecycle[m:end] = PUBLISHED
            number, m = number + 1, end
        else:
            m += 1


def _sizes(spec: Spec, lifecycle: Any) -> Any:
    """How many orders each market gets: between a quarter and nearly twice the mean, all together as many as asked for."""
    traded = lifecycle == PUBLISHED
    if not traded.any():
        lifecycle[0] = PUBLISHED
        traded[0] = True
    share = np.where(traded, 256 + mix(spec.seed, 7, np.arange(len(lifecycle))) % 1537, 0)
    through = np.cumsum(share)
    upto = (through.astype(np.float64) / float(through[-1]) * spec.bets).astype(np.int64)
    upto[-1] = spec.bets
    return np.diff(np.concatenate(([0], upto)))


def _endings(world: World) -> None:
    """How each market ends: 40 of 100 YES, 30 NO, 10 N/A, the rest stay open; a group ends as one."""
    spec = world.spec
    every = np.arange(spec.markets)
    grouped = world.group >= 0
    place = np.where(grouped, spec.markets + world.group, every)
    draw = mix(spec.seed, 8, place) % 100
    ends = np.select([draw < 40, draw < 70, draw < 80], [k.YES, k.NO, k.OTHER], k.OPEN).astype(np.int8)
    if spec.markets == 1:
        ends[0] = k.YES
    winner = mix(spec.seed, 9, place) % 5
    first = np.concatenate(([True], world.group[1:] != world.group[:-1]))
    order = every - np.maximum.accumulate(np.where(first, every, 0))
    in_group = np.where(order == winner % 2, k.YES, k.NO)
    ends = np.where(grouped & (ends != k.OPEN) & (ends != k.OTHER), in_group, ends).astype(np.int8)
    ends[world.lifecycle != PUBLISHED] = k.OPEN
    done = ends != k.OPEN
    world.result[:] = ends
    world.lifecycle[done] = RESOLVED
    group_start = world.created[np.maximum.accumulate(np.where(first, every, 0))]
    world.created = np.where(grouped, group_start, world.created)
    world.closes = world.created + 30 * 86_400_000_000
    world.resolved_at[done] = (world.created + OPEN_TIME * 2 + 86_400_000_000 + place % 1000)[done]


def _found_groups(world: World) -> None:
    """The groups of grouped markets, their answers, and the costs of both. One open group in ten has an answer resolved alone."""
    spec, names = world.spec, world.names
    members = np.flatnonzero(world.group >= 0)
    if not len(members):
        return
    starts = members[np.concatenate(([True], np.diff(world.group[members]) != 0))]
    for g, m in enumerate(starts.tolist()):
        mine = np.flatnonzero(world.group[m : m + 5] == g) + m
        who = int(world.creator[m])
        world.creator[mine] = world.steward[mine] = who
        world.cost[mine] = 0
        life = "resolved" if world.result[m] != k.OPEN else "published"
        moment = int(world.created[m])
        draw = int(mix(spec.seed, 10, g))
        if life == "published" and draw % 10 == 0:
            world.result[m], world.lifecycle[m] = k.YES, RESOLVED
            world.resolved_at[m] = moment + OPEN_TIME * 2 + 86_400_000_000
        world.groups.append(
            c.Group(
                id=g + 1, created_at=moment, lifecycle=life, cost=spec.rules.create_market_cost, creator=names[who], steward=names[who],
                rejected_at=None, deleted=False,
            )
        )  # fmt: skip
        proposer = names[(draw // 10) % spec.players]
        answer = len(world.additions) + 1
        if draw % 3 == 0:
            world.additions.append(c.Addition(answer, g + 1, int(mine[-1]) + 1, "approved", proposer, spec.rules.add_answer_cost))
        elif draw % 3 == 1:
            world.additions.append(
                c.Addition(answer, g + 1, 0, "rejected" if draw % 2 else "pending", proposer, spec.rules.add_answer_cost)
            )
    rejected = len(world.groups) + 1
    who = int(world.moderators[0])
    world.groups.append(
        c.Group(
            id=rejected, created_at=EPOCH + 1, lifecycle="rejected", cost=spec.rules.create_market_cost, creator=names[who],
            steward=names[who], rejected_at=EPOCH + 3_600_000_000, deleted=False,
        )
    )  # fmt: skip


def _stewards(world: World) -> None:
    """One market in eight gets another steward, before or after it is resolved."""
    spec = world.spec
    changed = np.flatnonzero((mix(spec.seed, 11, np.arange(spec.markets)) % 8 == 0) & (world.group < 0) & (world.lifecycle > REJECTED))
    for m in changed.tolist():
        draw = int(mix(spec.seed, 12, m))
        before = int(world.creator[m])
        after = int(world.moderators[draw % (len(world.moderators) - 1)])
        moment = int(world.created[m]) + (OPEN_TIME if draw % 2 else 3 * OPEN_TIME)
        world.stewardships.append(c.Stewardship(m + 1, world.names[before], moment, world.names[after]))
        world.steward[m] = after


def steward_then(world: World, m: int) -> int:
    """Who is paid when market m resolves."""
    change = next((s for s in world.stewardships if s.market_id == m + 1), None)
    late = change is not None and change.at > int(world.resolved_at[m])
    return int(world.creator[m]) if late else int(world.steward[m])


def _standings(world: World) -> None:
    """Every moderator is made one before his first market; the last one is suspended at once and makes none."""
    for u in world.moderators.tolist():
        world.standings.append(c.Standing(world.names[u], "active", EPOCH - 1_000_000))
    world.standings.append(c.Standing(world.names[int(world.moderators[-1])], "suspended", EPOCH - 500_000))


def _charge(world: World) -> None:
    """Costs of markets, groups and answers, and what rejections give back."""
    spec = world.spec
    own = world.group < 0
    np.subtract.at(world.balance, world.creator[own], world.cost[own])
    back = own & (world.rejected_at != NEVER)
    np.add.at(world.balance, world.creator[back], world.cost[back])
    number = {name: i for i, name in enumerate(world.names)} if world.groups else {}
    for g in world.groups:
        world.balance[number[g.creator]] -= g.cost if g.rejected_at is None else 0
    for a in world.additions:
        world.balance[number[a.proposed_by]] -= a.cost if a.status == "approved" else 0
    if spec.family == 0:
        world.cost[:] = 0  # charged, but in no row


def _cohorts(world: World) -> Iterator[Bets]:
    """Play the markets, about a million bets at a time; then pay the stewards."""
    spec = world.spec
    through = np.concatenate(([0], np.cumsum(world.size)))
    first = 0
    group_buyers: set[tuple[int, int]] = set()
    payable = _groups_to_pay(world)
    while first < spec.markets:
        last = int(np.searchsorted(through, through[first] + COHORT_BETS, "left"))
        last = max(first + 1, min(last, spec.markets))
        while last < spec.markets and world.group[last] >= 0 and world.group[last] == world.group[last - 1]:
            last += 1
        bets = _play(world, first, last, int(through[first]))
        _collect_buyers(world, bets, payable, group_buyers)
        _summaries(world, bets, first, last)
        yield bets
        first = last
    _work(world, payable, group_buyers)


def _play(world: World, first: int, last: int, before: int) -> Bets:
    spec = world.spec
    n = int(world.size[first:last].sum())
    start = np.concatenate(([0], np.cumsum(world.size[first:last])))
    z = np.zeros
    orders = Orders(start, z(n, np.int32), z(n, np.int32), z(n, np.int8), z(n, np.int64), z(n, np.int64), z(n, np.int64), z(n, np.int64))
    every = np.arange(first, last)
    sizes = world.size[first:last]
    guests = np.minimum(spec.players, 2 + sizes // (2 + mix(spec.seed, 13, every) % 8))
    game = Game(
        1 + mix(spec.seed, 14, every) % 2147483646, world.created[first:last], np.maximum(1, OPEN_TIME // np.maximum(1, sizes)),
        mix(spec.seed, 15, every) % spec.players, guests, world.result[first:last], z(last - first, np.int64), z(last - first, np.int8),
    )  # fmt: skip
    refused = int(spec.rules.dust_over_cap == "refused")
    play(0, last - first, orders, game, rules_row(spec.rules), spec.players, spec.sales, refused, world.balance)
    if game.state.any():
        raise Refused("ledger.generate", at="--bets", found="a market beyond 64 bits", expected="fewer bets a market")
    world.buyers[first:last] = game.buyers
    order = np.argsort(orders.at, kind="stable")
    market = np.repeat(every, sizes)
    return Bets(
        np.arange(before + 1, before + n + 1), orders.user[order], market[order], orders.amount[order], orders.yes[order],
        orders.at[order], orders.asked[order], orders.paid[order],
    )  # fmt: skip


def _groups_to_pay(world: World) -> Any:
    """Which groups pay a steward when they resolve: those with an answer that is not N/A."""
    pays = np.zeros(len(world.groups) + 1, bool)
    if world.spec.family == 2:
        resolved = np.array([g.lifecycle == "resolved" for g in world.groups] + [False])
        answered = np.flatnonzero((world.group >= 0) & ((world.result == k.YES) | (world.result == k.NO)))
        pays[world.group[answered]] = True
        if world.spec.rules.group_na_work_profit:
            pays[world.group[world.group >= 0]] = True
        pays &= resolved
    return pays


def _collect_buyers(world: World, bets: Bets, payable: Any, found: set[tuple[int, int]]) -> None:
    group = world.group[bets.market]
    take = (group >= 0) & (bets.amount > 0) & payable[group]
    pairs = np.unique(group[take] * world.spec.users + bets.user[take])
    found.update(zip((pairs // world.spec.users).tolist(), (pairs % world.spec.users).tolist(), strict=True))


def profit(rules: Ruleset, fees: int, cost: int) -> int:
    """What a steward gets of participation fees."""
    if rules.work_profit == "none":
        return 0
    return fees if rules.work_profit == "full" else max(0, fees - (cost or rules.create_market_cost))


def _work(world: World, payable: Any, group_buyers: set[tuple[int, int]]) -> None:
    """Participation fees to the stewards: of each market resolved YES or NO on its own, of each group once."""
    rules, fee = world.spec.rules, world.spec.rules.initial_bet_fee
    if rules.work_profit == "none":
        return
    resolved_group = np.array([g.lifecycle == "resolved" for g in world.groups] + [False])
    alone = ((world.result == k.YES) | (world.result == k.NO)) & ~((world.group >= 0) & resolved_group[world.group])
    late = {s.market_id - 1 for s in world.stewardships if s.at > int(world.resolved_at[s.market_id - 1])}
    who = world.steward.copy()
    if late:
        which = np.array(sorted(late))
        who[which] = world.creator[which]
    fees = fee * world.buyers
    if rules.work_profit == "threshold":
        fees = np.maximum(0, fees - np.where(world.cost != 0, world.cost, rules.create_market_cost))
    np.add.at(world.balance, who[alone], fees[alone])
    counts = np.bincount([g for g, _ in group_buyers], minlength=len(world.groups) + 1) if group_buyers else None
    number = {name: i for i, name in enumerate(world.names)} if world.groups else {}
    for g in np.flatnonzero(payable).tolist():
        buyers = int(counts[g]) if counts is not None else 0
        world.balance[number[world.groups[g].steward]] += profit(rules, fee * buyers, world.groups[g].cost)


def _summaries(world: World, bets: Bets, first: int, last: int) -> None:
    """Stored summaries of six markets in ten: right where they call themselves fresh, behind where they are stale."""
    if world.spec.family == 0:
        return
    here = bets.market - first
    volume = np.zeros(last - first, np.int64)
    np.add.at(volume, here, bets.amount)
    count = np.bincount(here, minlength=last - first)
    newest = np.zeros(last - first, np.int64)
    np.maximum.at(newest, here, bets.id)
    draw = mix(world.spec.seed, 16, np.arange(first, last)) % 10
    for i in np.flatnonzero((draw < 6) & (count > 0)).tolist():
        stale = bool(draw[i] == 0)
        world.snapshots.append(c.Snapshot(first + i + 1, int(volume[i]) - 5 * stale, int(count[i]) - stale, int(newest[i]), stale))


def migrations(family: int) -> list[str]:
    """The migrations a database of this family ran."""
    return [m for _, added in FAMILIES[: family + 2] for m in added]


def as_ledger(world: World, bets: Bets) -> c.Ledger:
    """The world as a ledger that was read, without a file between."""
    family, names, gone = world.spec.family, world.names, world.deleted_bets
    users, markets, amounts, sides, moments = (getattr(bets, f).tolist() for f in ("user", "market", "amount", "yes", "at"))
    moderators = set(world.moderators.tolist())
    return c.Ledger(
        users=tuple(
            c.User(i + 1, name, "MODERATOR" if i in moderators else "REGULAR", start, now, False)
            for i, (name, start, now) in enumerate(zip(names, world.initial.tolist(), world.balance.tolist(), strict=True))
        ),
        bets=tuple(
            c.Bet(b, names[u], m + 1, a, "YES" if y else "NO", t, b in gone)
            for b, u, m, a, y, t in zip(bets.id.tolist(), users, markets, amounts, sides, moments, strict=True)
        ),
        markets=tuple(market(world, m) for m in range(world.spec.markets)),
        groups=tuple(world.groups) if family == 2 else None,
        members=tuple(c.Member(int(world.group[m]) + 1, m + 1) for m in np.flatnonzero(world.group >= 0).tolist()),
        additions=tuple(world.additions) if family == 2 else None,
        stewardships=tuple(world.stewardships) if family else None,
        standings=tuple(world.standings) if family else None,
        snapshots=tuple(world.snapshots) if family else None,
        schema=FAMILIES[family + 1][0], migration=migrations(family)[-1], known=True, digest="",
        applied=tuple((m, EPOCH - 3_600_000_000) for m in migrations(family)),
    )  # fmt: skip


def market(world: World, m: int) -> c.Market:
    """Row m of `markets`."""
    family = world.spec.family

    def moment(column: Any) -> int | None:
        return None if column[m] == NEVER else int(column[m])

    return c.Market(
        id=m + 1,
        created_at=int(world.created[m]),
        closes_at=int(world.closes[m]),
        resolved=bool(world.lifecycle[m] == RESOLVED),
        resolved_at=moment(world.resolved_at),
        result=RESULTS[world.result[m]],
        lifecycle=LIFECYCLES[world.lifecycle[m]] if family else None,
        cost=int(world.cost[m]) if family else None,
        creator=world.names[world.creator[m]],
        steward=world.names[world.steward[m]] if family else "",
        rejected_at=moment(world.rejected_at),
        deleted=False,
    )


def requests(bets: Bets) -> dict[int, int]:
    """Bet id of each sale → credits its request asked for: what a journal of requests would say."""
    sold = bets.asked >= 0
    return dict(zip(bets.id[sold].tolist(), bets.asked[sold].tolist(), strict=True))
