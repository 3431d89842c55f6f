"""Each law at its edge, the last row that is within it and the first that is not; and what groups, costs and stewards come to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from release_dossier.ledger.account import possible_orders, replay
from release_dossier.ledger.columns import Addition, Bet, Group, Ledger, Market, Member, Standing, User
from release_dossier.ledger.fast.big import from_ledger
from release_dossier.ledger.fast.judge import by_columns
from release_dossier.ledger.judged import by_rows
from release_dossier.ledger.rulesets import Eras, always, named
from release_dossier.ledger.settlement import Row
from release_dossier.limits import LEDGER_ORDERS_MAX
from tests.ledger.test_rules import SECOND, settled, town

ERAS = named("v3.8.1")
RULES = ERAS.eras[0].rules
BUY = [("a", 5, "YES", 10)]
EDGE = 1000 * SECOND  # when the market of `town` is resolved


def found(g: Ledger, id: str, eras: Eras = ERAS) -> tuple[str, int]:
    """State and count of a check, which both engines give."""
    big = from_ledger(g)
    assert big is not None
    said = [next(c for c in e.judge(eras, {}).checks if c.id == id) for e in (by_rows(g), by_columns(big, "numba", 1))]
    assert said[0] == said[1]
    return said[0].state, said[0].violations


def with_market(g: Ledger, **more: Any) -> Ledger:
    return msgspec.structs.replace(g, markets=(msgspec.structs.replace(g.markets[0], **more),))


def with_order(g: Ledger, at: int, **more: Any) -> Ledger:
    order = msgspec.structs.replace(Bet(99, "a", 1, 5, "YES", at, False), **more)
    return msgspec.structs.replace(g, bets=(*g.bets, order))


def with_balance(g: Ledger, user: str, balance: int) -> Ledger:
    users = tuple(msgspec.structs.replace(u, balance=balance if u.username == user else u.balance) for u in g.users)
    return msgspec.structs.replace(g, users=users)


def with_user(g: Ledger, name: str, balance: int = 0, initial: int = 0) -> Ledger:
    return msgspec.structs.replace(g, users=(*g.users, User(99, name, "REGULAR", initial, balance, False)))


def suspended(created_at: int) -> Ledger:
    standings = (Standing("mod", "suspended", 100), Standing("mod", "active", 200))
    return msgspec.structs.replace(with_market(town(BUY), created_at=created_at), standings=standings)


OPEN, DONE = town(BUY), town(BUY, result="YES")


@pytest.mark.parametrize(
    ("id", "within", "beyond"),
    [
        ("S1", with_order(OPEN, 20), with_order(OPEN, 20, amount=0)),
        ("S1", OPEN, with_order(OPEN, 20, username=None)),
        ("S1", OPEN, with_order(OPEN, 20, market_id=None)),
        ("S1", with_order(OPEN, 20, username=None, deleted=True), with_order(OPEN, 20, outcome="yes")),
        ("S2", with_order(OPEN, 20), with_order(OPEN, 20, market_id=2)),
        ("S2", OPEN, with_order(OPEN, 20, username="ghost")),
        ("S4", with_order(DONE, EDGE - 1), with_order(DONE, EDGE)),
        ("S4b", with_order(OPEN, 0), with_order(OPEN, -1)),
        ("S4b", with_order(OPEN, 10**15), with_order(OPEN, 10**15 + 1)),
        ("S5", DONE, with_market(DONE, result="")),
        ("S5", with_market(OPEN, lifecycle=None), with_market(OPEN, lifecycle="resolved")),
        ("S6", OPEN, with_market(OPEN, lifecycle="rejected")),
        ("S6", DONE, with_market(OPEN, lifecycle="cancelled")),
        ("S12", with_balance(OPEN, "a", -500), with_balance(OPEN, "a", -501)),
        ("S13", with_market(OPEN, rejected_at=5), with_market(DONE, rejected_at=5)),
        ("S14", OPEN, with_order(OPEN, 20, deleted=True)),
        ("S14", OPEN, with_market(OPEN, deleted=True)),
        ("S17", with_user(OPEN, "idle", 7, 7), with_user(OPEN, "idle", 8, 7)),
        ("S18", suspended(99), suspended(100)),
        ("S18", suspended(200), suspended(199)),
    ],
)
def test_each_law_at_its_edge(id: str, within: Ledger, beyond: Ledger) -> None:
    """One passes and the next fails once, by rows and by columns."""
    assert (found(within, id), found(beyond, id)) == (("pass", 0), ("fail", 1))


@pytest.mark.parametrize("name", ["steward", "creator"])
def test_whose_market_it_is_is_not_idle(name: str) -> None:
    """What somebody has who makes or keeps markets is R6's to say: S17 looks only at those who did nothing."""
    g = with_user(with_market(OPEN, **{name: "zoe"}), "zoe", balance=3)
    assert found(g, "S17")[1] == 0
    assert found(with_user(OPEN, "zoe", balance=3), "S17") == ("fail", 1)


def test_a_refund_takes_a_seller_below_the_limit_and_no_further() -> None:
    """Resolved N/A, the shares that were sold are taken back: so far below the limit is lawful, a credit more is not."""
    orders = [("a", 9, "YES", 1), ("b", 9, "NO", 2), ("a", -3, "YES", 3)]
    g = town(orders, result="N/A")
    assert [found(with_balance(g, "a", x), "S12")[1] for x in (-500, -503, -504)] == [0, 0, 1]
    assert found(with_balance(g, "b", -501), "S12") == ("fail", 1)
    assert found(with_balance(town(orders, result="YES"), "a", -501), "S12") == ("fail", 1)


# What the rules give


def lines(g: Ledger, what: str, eras: Eras = ERAS) -> dict[str, list[int]]:
    """Every credit of one sort, by user, which the columns give too."""
    found(settled(g, eras), "R6", eras)
    assert found(settled(g, eras), "R6", eras)[0] == "pass"
    out: dict[str, list[int]] = {}
    for user, mine in replay(g, eras, {}).lines.items():
        for x in mine:
            if x.what == what:
                assert x.low == x.high
                out.setdefault(user, []).append(x.low)
    return out


def family(*results: str, rejected: int | None = None, **more: Any) -> Ledger:
    """A group of eve's, kept by zoe, with a market of mod's for each result; a and b buy in each, c only ever sells."""
    first = town(BUY).markets[0]
    markets = tuple(_child(first, i, result, rejected) for i, result in enumerate(results, 1))
    kept = Group(id=7, created_at=0, lifecycle="published", cost=8, creator="eve", steward="zoe", rejected_at=rejected, deleted=False)
    group = msgspec.structs.replace(kept, **more)
    orders = [(user, m, amount) for m in range(1, len(results) + 1) for user, amount in (("a", 5), ("b", 6), ("c", -1))]
    bets = tuple(Bet(i, user, m, amount, "YES", i * SECOND, False) for i, (user, m, amount) in enumerate(orders, 1))
    users = tuple(User(i, name, "REGULAR", 0, 0, False) for i, name in enumerate(("a", "b", "c", "eve", "mod", "zoe"), 1))
    members = tuple(Member(7, m.id) for m in markets)
    return msgspec.structs.replace(town(BUY), users=users, markets=markets, bets=bets, groups=(group,), members=members)


def _child(first: Market, id: int, result: str, rejected: int | None) -> Market:
    life = {"lifecycle": "resolved", "resolved": True, "resolved_at": EDGE + id} if result else {}
    return msgspec.structs.replace(first, id=id, result=result, cost=0, rejected_at=rejected, **life)


def test_a_group_pays_its_steward_once_and_not_where_all_is_na() -> None:
    """Each buyer of any of its markets counts once, who only sold does not; one answer that is not N/A is enough."""
    done = {"lifecycle": "resolved"}
    assert lines(family("YES", "N/A", **done), "stewardship") == {"zoe": [2]}
    assert lines(family("N/A", "N/A", **done), "stewardship") == {}
    assert lines(family("YES", "NO", steward="", **done), "stewardship") == {"eve": [2]}
    paid = always("na", msgspec.structs.replace(RULES, group_na_work_profit=True))
    assert lines(family("N/A", "N/A", **done), "stewardship", paid) == {"zoe": [2]}


@pytest.mark.parametrize(("cost", "due"), [(8, 12), (0, 10), (30, 0)])
def test_a_threshold_is_the_stored_cost_or_else_the_rules(cost: int, due: int) -> None:
    """Fees of 5 from each of 4 buyers, less what the market cost; 10 by the rules where nothing is stored."""
    eras = always("t", msgspec.structs.replace(RULES, work_profit="threshold", initial_bet_fee=5))
    g = with_market(town([(u, 9, "YES", i) for i, u in enumerate("abcd", 1)], result="YES"), cost=cost)
    assert lines(g, "stewardship", eras) == ({"mod": [due]} if due else {})


def test_what_a_rejection_gives_back() -> None:
    """A group what it cost; its markets, rejected with it, nothing; one that is rejected alone the cost of its time."""
    back = "rejected: cost back"
    assert lines(family("", "", rejected=50), back) == {"eve": [8]}
    alone = family("", "", rejected=50)
    alone = msgspec.structs.replace(alone, groups=(msgspec.structs.replace(alone.groups[0], rejected_at=None),))  # type: ignore[index]
    assert lines(alone, back) == {"mod": [10, 10]}
    assert lines(family("", "", rejected=50, cost=0), back) == {"eve": [10]}
    assert lines(with_market(OPEN, rejected_at=50, cost=13), back) == {"mod": [13]}


def test_what_is_marked_deleted_was_paid_for() -> None:
    """A market or a group marked deleted; an answer that waits was not."""
    made = ("creating a market", "creating a group", "adding an answer")
    assert lines(OPEN, made[0]) == {"mod": [-10]}
    assert lines(with_market(OPEN, deleted=True), made[0]) == {"mod": [-10]}
    assert lines(family("", deleted=True), made[1]) == lines(family(""), made[1]) != {}
    for status, cost in (("approved", {"a": [-2]}), ("pending", {})):
        waiting = msgspec.structs.replace(family(""), additions=(Addition(1, 7, 1, status, "a", 2, 60),))
        assert lines(waiting, made[2]) == cost


def test_as_many_orders_as_may_be_tried_are_tried() -> None:
    """At the limit every order of simultaneous rows stands, one more and it is said that there are others."""
    count, ways = 1, 1
    while ways * (count + 1) <= LEDGER_ORDERS_MAX:
        count += 1
        ways *= count
    rows = [Row(f"u{i}", True, 1 + i, 5, i) for i in range(count + 1)]
    tried, all_of_them = possible_orders(rows[:count])
    assert (len(tried), all_of_them) == (ways, True)
    tried, all_of_them = possible_orders(rows)
    assert (len(tried), all_of_them) == (2, False)


@pytest.mark.parametrize(
    ("wrong", "id", "words"),
    [
        (with_order(OPEN, 20, amount=0), "S1", "order 99 of a in market 1 is over no credits"),
        (with_order(OPEN, 20, username=None, outcome="yes"), "S1", "order 99 in market 1 has no user and has the side yes, not YES or NO"),
        (with_order(OPEN, 20, market_id=2), "S2", "order 99 of a in market 2 has no such market"),
        (with_order(OPEN, 20, username="ghost"), "S2", "order 99 of ghost in market 1 has no such user"),
        (with_order(OPEN, -1500), "S4b", "order 99 of a in market 1 came 0.002 s before that was made"),
        (with_order(OPEN, 10**15 + 5 * SECOND), "S4b", "order 99 of a in market 1 came 5.000 s after that closed"),
        (with_market(OPEN, lifecycle="proposed"), "S6", "order 1 of a in market 1 lies on a market that is proposed"),
    ],
)
def test_what_is_wrong_with_an_order_is_said(wrong: Ledger, id: str, words: str) -> None:
    """Which part of it, and by how much: not that it is one of several things."""
    assert found(wrong, id) == ("fail", 1)
    said = next(c for c in by_rows(wrong).judge(ERAS, {}).checks if c.id == id)
    assert said.examples[0].why == words


def test_of_a_sale_that_leaves_too_much_nothing_might_go() -> None:
    """The guard of v3.6 refuses a sale of fewer shares than are owned: expected is none, and the difference all of it."""
    orders = [("b", 1, "NO", 1), ("a", 10, "YES", 2), ("a", -3, "YES", 3)]
    g, eras = settled(town(orders), named("v3.6")), named("v3.6")
    assert found(g, "R1", eras) == ("fail", 1)
    example = next(c for c in by_rows(g).judge(eras, {}).checks if c.id == "R1").examples[0]
    assert "after it they would still hold" in example.why
    assert (example.expected, example.found, example.difference) == ("0", "3", "3")


def test_a_payout_says_what_it_is_made_of() -> None:
    """Shares, and the even part of what they leave of the pool, or of what it lacks."""
    over = [("a", 1, "YES", 1), ("b", 2, "YES", 2), ("a", -3, "YES", 3), ("c", 3, "YES", 4), ("c", 1, "YES", 5), ("a", 1, "NO", 6)]
    for orders, user, words in (
        (over, "c", "resolved YES: 84 YES shares − 60, an even part of what the pool of 5 lacks"),
        ([("a", 10, "YES", 1), ("b", 10, "NO", 2)], "a", "resolved YES: 15 YES shares + 5, an even part of what the pool of 20 leaves"),
        ([("a", 10, "YES", 1)], "a", "resolved YES: 10 YES shares"),
    ):
        lines = replay(town(orders, result="YES"), ERAS, {}).lines[user]
        assert [x.formula for x in lines if x.what == "payout"] == [words]
