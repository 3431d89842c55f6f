"""Which rules a ledger is judged under: named, its writer's, a journal's, its schema's; what cannot be decided is said, not picked."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from release_dossier.cli.ledger import ledger
from release_dossier.errors import Refused, counted
from release_dossier.ledger.account import possible_orders, replay
from release_dossier.ledger.checks import Check
from release_dossier.ledger.columns import Addition, Bet, Group, Ledger, Market, Standing, Stewardship, User
from release_dossier.ledger.fast.big import from_ledger
from release_dossier.ledger.fast.judge import by_columns
from release_dossier.ledger.judged import by_rows
from release_dossier.ledger.rulesets import (
    NAMED,
    Era,
    Eras,
    always,
    economics,
    named,
    parse_ruleset,
    parse_timeline,
    possible,
    release,
    release_of,
)
from release_dossier.ledger.schema import FAMILIES, KNOWN, RELEASES, lived_through, told
from release_dossier.ledger.settlement import Row
from release_dossier.ledger.verify import Verified, explained, verify
from release_dossier.ledger.whose import eras_deployed, writer
from release_dossier.sources.ledgers import read_ledger, rules_for, verify_ledger
from tests.ledger.test_ledgers import SHARED, unpacked

NOW = NAMED["v3.8.1"][0]
SECOND = 1_000_000


def town(orders: list[tuple[str, int, str, int]], *, result: str = "", balances: dict[str, int] | None = None, **more: Any) -> Ledger:
    """A ledger of one market made by mod for 10 credits, with (user, amount, side, second) as orders."""
    bets = tuple(Bet(i, u, 1, a, side, at * SECOND, False) for i, (u, a, side, at) in enumerate(orders, 1))
    market = Market(
        id=1, created_at=0, closes_at=10**15, resolved=bool(result), resolved_at=1000 * SECOND if result else None, result=result,
        lifecycle="resolved" if result else "published", cost=10, creator="mod", steward="mod", rejected_at=None, deleted=False,
    )  # fmt: skip
    names = [*sorted({u for u, *_ in orders}), "mod"]
    users = tuple(User(i, u, "REGULAR", 0, (balances or {}).get(u, 0), False) for i, u in enumerate(names, 1))
    base: dict[str, Any] = {
        "users": users, "bets": bets, "markets": (market,), "groups": (), "members": (), "additions": (), "stewardships": (),
        "standings": (), "snapshots": (), "schema": "v3.5.0–v3.8.1", "migration": "20260618090000", "known": True, "digest": "",
        "applied": tuple((m, 0) for m in sorted(KNOWN)),
    }  # fmt: skip
    return Ledger(**base | more)


def settled(ledger: Ledger, eras: Any) -> Ledger:
    """The same ledger with the balances the rules give (the likeliest outcome)."""
    a = replay(ledger, eras, {})
    users = tuple(msgspec.structs.replace(u, balance=a.expected(u.username)[1]) for u in ledger.users)
    return msgspec.structs.replace(ledger, users=users)


def judged(ledger: Ledger, eras: Any = None, **more: Any) -> Verified:
    return verify(ledger, eras, journal=None, answers=None, written_by=more.pop("written_by", ""), **more)


def check(v: Verified, id: str) -> Check:
    return next(c for c in v.checks if c.id == id)


# Simultaneous orders

TIED = [("a", 10, "YES", 1), ("b", 7, "NO", 1), ("c", 30, "YES", 2), ("d", 1, "NO", 3)]


def test_orders_in_one_microsecond_are_never_picked() -> None:
    """Where their order changes a payout, each outcome is shown and the user is undecided; nobody is accused whichever is stored."""
    eras = named("v3.8.1")
    base = town(TIED, result="YES")
    a = replay(base, eras, {})
    line = next(x for x in a.lines["a"] if x.what == "payout")
    assert len(line.outcomes) == 2
    for outcome in line.outcomes:
        balances = {u: a.expected(u)[1] for u in ("b", "c", "d", "mod")} | {"a": -11 + outcome}
        v = judged(msgspec.structs.replace(base, users=town(TIED, result="YES", balances=balances).users), eras)
        r6 = check(v, "R6")
        assert (r6.state, r6.violations, v.verdict) == ("inconclusive", 0, "inconclusive")
        mine = next(e for e in r6.undecided if e.user == "a")
        assert " or ".join(map(str, line.outcomes)) in mine.why
    off = judged(town(TIED, result="YES", balances={"a": 500}), eras)
    assert "a" in {e.user for e in check(off, "R6").examples}


def test_orders_whose_order_changes_nothing_decide_nothing() -> None:
    """Two equal orders of one user in one microsecond, and a tie that pays the same both ways, leave a verdict as it was."""
    eras = named("v3.8.1")
    v = judged(settled(town([("a", 5, "YES", 1), ("a", 5, "YES", 1), ("b", 7, "NO", 2)], result="YES"), eras), eras)
    assert (v.verdict, check(v, "S15").state) == ("pass", "warn")


def test_a_sale_between_simultaneous_orders_has_each_price() -> None:
    """Priced with the other order before and after it."""
    before = [("a", 100, "YES", 1), ("b", 300, "YES", 2), ("c", 10_000, "NO", 3), ("d", 5_000, "YES", 4)]
    bet = ("e", 50_000, "YES", 5)
    a = replay(town([*before, bet, ("a", -5, "YES", 5)]), named("v3.8.1"), {6: 10**6})
    (sale,) = a.sales
    alone = replay(town([*before, ("a", -5, "YES", 5)]), named("v3.8.1"), {5: 10**6}).sales[0]
    after = replay(town([*before, bet, ("a", -5, "YES", 6)]), named("v3.8.1"), {6: 10**6}).sales[0]
    assert alone.price != after.price
    assert (sale.low, sale.high) == tuple(sorted((alone.low, after.low)))
    assert set(sale.outcomes) == {5 * alone.price, 5 * after.price}
    assert "a" in a.tied


def test_more_orders_than_can_be_tried_are_said_to_be_so() -> None:
    """Eight in one microsecond: nobody of that market is accused or cleared."""
    rows = tuple(Row(f"u{i}", i % 2 == 0, i + 1, 0, i) for i in range(8))
    assert possible_orders(rows)[1] is False
    v = judged(town([(f"u{i}", i + 1, "YES" if i % 2 else "NO", 1) for i in range(8)], result="YES"), named("v3.8.1"))
    r6 = check(v, "R6")
    assert (r6.state, r6.looked_at) == ("fail", 1)  # the maker of the market has too much, and took no part in it
    assert len(r6.undecided) == 8


MANY = [  # as they lie; this order and the reverse forbid the sale of `a`, others allow it
    ("a", 2, "YES", 1), ("c", 7, "NO", 1), ("b", 3, "NO", 1), ("c", 8, "NO", 1), ("c", 3, "NO", 1), ("b", 4, "YES", 1), ("a", -3, "YES", 2),
]  # fmt: skip


def test_a_sale_after_more_orders_than_can_be_tried_accuses_nobody() -> None:
    """Another order of six in one microsecond allows it: no forbidden sale, no wrong sum, no unexplained credit, by every engine."""
    eras = named("v3.8.1")
    came = [(*MANY[i][:3], n) for n, i in enumerate([0, 2, 5, 4, 1, 3, 6], 1)]
    balances = {u.username: u.balance for u in settled(town(came), eras).users}
    ledger = town(MANY, balances=balances)
    assert check(judged(settled(town([(*o[:3], n) for n, o in enumerate(MANY, 1)]), eras), eras), "R1").state == "fail"
    big = from_ledger(ledger)
    assert big is not None
    for engine in (by_rows(ledger), by_columns(big, "numba", 1)):
        v = judged(ledger, eras, engine=engine)
        assert not [c.id for c in v.checks if c.state == "fail"]
        assert (v.verdict, check(v, "R6").state, v.totals["unexplained"]) == ("inconclusive", "inconclusive", "0")
        assert [m for m in v.markets if m["unexplained"] != "0"] == []
    richer = msgspec.structs.replace(ledger, users=tuple(msgspec.structs.replace(u, balance=u.balance + 9) for u in ledger.users))
    assert check(judged(richer, eras), "T").why == "orders of one microsecond may have come in more ways than were tried"


@pytest.mark.parametrize("result", ["", "YES", "NO", "N/A"])
def test_an_order_of_rows_that_has_no_answer_is_not_the_one_that_held(result: str) -> None:
    """Bought and sold in one microsecond: with the sale first the weights sum to nothing, and that accuses nobody, by every engine."""
    eras = named("v3.8.1")
    orders = [("a", 1, "NO", 1), ("b", 1, "NO", 1), ("a", -1, "NO", 1), ("b", 5, "YES", 2)]
    came = settled(town([(*o[:3], n) for n, o in enumerate(orders, 1)], result=result), eras)
    ledger = town(orders, result=result, balances={u.username: u.balance for u in came.users})
    big = from_ledger(ledger)
    assert big is not None
    for engine in (by_rows(ledger), by_columns(big, "numba", 1)):
        v = judged(ledger, eras, engine=engine)
        assert not [c.id for c in v.checks if c.state == "fail"]
        assert (check(v, "R4").state, v.findings) == ("pass", ())
        assert "a" in [e.user for e in check(v, "R6").undecided]


# Nobody named any rules


def test_a_market_an_older_release_has_an_answer_for_is_not_without_one() -> None:
    """A pool of -1 has none since v3.0 and one before: where nobody named the rules it is no accusation, and named it is as it was."""
    orders = [("a", 2, "YES", 1), ("a", 3, "YES", 2), ("a", 2, "YES", 3), ("b", 2, "YES", 4), ("a", -10, "YES", 5)]
    old: dict[str, Any] = {"schema": "v2.1.0–v3.1.0", "migration": "20251020140500"}
    old["applied"] = (("20251013080000", 0), ("20251020140500", 0))
    assert check(judged(town(orders, **old), named("v2.1.0")), "R4").state == "pass"
    assert check(judged(town(orders, **old), named("v3.1.0")), "R4").state == "fail"
    for rows, state in ((town(orders, **old), "pass"), (town(orders), "fail")):
        assert check(judged(rows), "R4").state == state
    assert judged(settled(town(orders), named("v3.8.1"))).ruleset == "v3.8.1"  # other builds of its schema explain nothing


def test_a_ledger_of_no_release_accuses_nobody_by_rules_nobody_named() -> None:
    """What no build explains is shown as undecided, counted nowhere, and fails under rules that are named."""
    g = town([("a", 10, "YES", 1), ("b", 4, "NO", 2)], schema="before migrations were kept", migration="none", applied=())
    v = judged(msgspec.structs.replace(g, users=tuple(msgspec.structs.replace(u, balance=777) for u in g.users)))
    for id in ("R6", "T"):
        c = check(v, id)
        assert (c.state, c.violations, c.examples, c.undecided != ()) == ("inconclusive", 0, (), True)
    assert v.verdict == "inconclusive"


def test_a_ledger_the_newest_release_explains_passes_and_says_so() -> None:
    """Every credit where v3.8.1 puts it: pass, with the note that nobody named the rules."""
    v = judged(settled(town([("a", 10, "YES", 1), ("b", 10, "NO", 2)], result="YES"), named("v3.8.1")))
    assert (v.verdict, v.ruleset) == ("pass", "v3.8.1")
    assert "no rules were named" in v.notes[0]


def test_a_ledger_another_release_explains_is_inconclusive_not_wrong() -> None:
    """A sale of shares nobody unlocked, lawful before #774: not a fault, unless no release allows it."""
    history = [("a", 10, "YES", 1), ("a", -5, "YES", 2), ("b", 3, "NO", 3)]
    old = settled(town(history, result="YES"), named("v3.5.2"))
    v = judged(old)
    assert (v.verdict, check(v, "R6").state) == ("inconclusive", "inconclusive")
    assert "any build of v3.5.0–v3.8.1" in v.ruleset
    robbed = msgspec.structs.replace(old, users=tuple(msgspec.structs.replace(u, balance=u.balance - 5000) for u in old.users))
    assert judged(robbed).verdict == "fail"
    assert judged(old, named("v3.5.2")).verdict == "pass"
    assert judged(old, written_by="v3.5.2").verdict == "pass"
    assert judged(old, written_by="52b0004").ledger["written_by_how"] == "declared"


def test_a_schema_no_release_has_decides_nothing_that_depends_on_rules() -> None:
    """Without a migration table and without rules, a difference may be other rules'; a late order is wrong under any."""
    v = judged(town([("a", 10, "YES", 1)], result="YES", balances={"a": 77}, applied=(), migration="none"))
    assert (v.verdict, check(v, "R6").state) == ("inconclusive", "inconclusive")
    late = judged(town([("a", 10, "YES", 2000)], result="YES", applied=(), migration="none"))
    assert (late.verdict, check(late, "S4").state) == ("fail", "fail")


def test_a_late_order_is_named_with_its_user_its_market_and_how_late() -> None:
    """On the moment of the end is late already, by nothing; a moment before is not."""
    orders = [("amy", 10, "YES", 10), ("amy", 10, "YES", 999), ("bob", 10, "NO", 1000), ("amy", 3, "NO", 2501)]
    found = check(judged(town(orders, result="YES"), named("v3.8.1")), "S4")
    assert [(e.user, e.market, e.why) for e in found.examples] == [
        ("amy", "1", "order 4 of amy in market 1 came 1,501.000 s after that was resolved"),
        ("bob", "1", "order 3 of bob in market 1 came 0.000 s after that was resolved"),
    ]


def test_every_release_and_every_mixture_of_neighbours_may_have_been() -> None:
    """A build between #773 and #774 has shares and projection: it counts as possible for a ledger of its schema."""
    eras = possible([("v3.5.0–v3.8.1", None, RELEASES["v3.5.0–v3.8.1"])])
    between = msgspec.structs.replace(NAMED["v3.6.0"][0], valuation="shares")
    assert between in eras.at(0)
    assert eras.one(0) == NOW


def test_an_upgrade_leaves_its_trace_in_the_migrations() -> None:
    """Families rows were made under, each since its first migration; one that was only passed through by the first start is none."""
    applied = [(m, 100 * i) for i, (_, added) in enumerate(FAMILIES) for m in added]
    assert [f for f, _, _ in lived_through(applied, [150, 350])] == ["v2.1.0–v3.1.0", "v3.5.0–v3.8.1"]
    assert [f for f, _, _ in lived_through(applied, [])] == ["v3.5.0–v3.8.1"]
    assert [f for f, _, _ in lived_through([(m, None) for m, _ in applied], [5])] == ["v3.5.0–v3.8.1"]


@pytest.mark.captured
@pytest.mark.parametrize("case", ["upgraded-a", "upgraded-b"])
def test_ledgers_that_lived_through_upgrades(case: str) -> None:
    """Without a timeline: inconclusive, nobody accused; with the journal, whose servers are named, exact and pass."""
    if not SHARED.exists():
        pytest.skip("needs ../shared: ledgers real builds wrote")
    folder = SHARED / "upgraded" / case
    alone = verify_ledger(folder / "ledger.sqlite")
    assert (alone.verdict, check(alone, "R6").violations) == ("inconclusive", 0)
    width = sum(high - low for low, high in (alone.accounts.expected(u.username) for u in alone.source.users))
    assert 300 < width < 990
    v = verify_ledger(folder / "ledger.sqlite", receipts=str(folder / "journal.ndjson.xz"))
    assert (v.verdict, v.ruleset.split()[0]) == ("pass", "journal")


@pytest.mark.captured
def test_no_repaired_build_is_accused_without_rules() -> None:
    """Every ledger of a correct build, judged without naming rules: pass or inconclusive, never fail."""
    if not SHARED.exists():
        pytest.skip("needs ../shared: ledgers real builds wrote")
    cases = [*SHARED.glob("known-bugs/*/fixed"), *SHARED.glob("captured/*-small"), SHARED / "mutants/00-unchanged"]
    found = {"/".join(c.parts[-2:]): verify_ledger(c / "ledger.sqlite").verdict for c in cases}
    assert "fail" not in found.values(), found


def era(version: str, start: int | None, end: int | None) -> dict[str, Any]:
    def when(second: int | None) -> str | None:
        return None if second is None else f"1970-01-01T00:{second // 60:02d}:{second % 60:02d}Z"

    return {"version": version, "from": when(start), "until": when(end), "rules": msgspec.to_builtins(NAMED[version][0])}


SOLD_ALONE = [("a", 10, "YES", 1), ("a", -5, "YES", 20), ("b", 3, "NO", 30)]


def test_a_row_between_two_eras_is_judged_under_both() -> None:
    """Where they differ its user is undecided, with both outcomes; where they agree nothing changes; inside one era it is exact."""
    eras = parse_timeline([era("v3.5.2", None, 10), era("v3.8.1", 25, None)], "t.json")
    base = town(SOLD_ALONE, result="YES")
    for stored in (1, 0):  # credited under the older rules, or not at all
        a = replay(base, eras, {2: 5})
        balances = {u.username: a.expected(u.username)[stored] for u in base.users}
        v = judged(town(SOLD_ALONE, result="YES", balances=balances), eras)
        undecided = {e.user: e.why for e in check(v, "R6").undecided}
        assert "a" in undecided
        assert "sale in market 1 is" in undecided["a"]
    inside = parse_timeline([era("v3.5.2", None, 22), era("v3.8.1", 25, None)], "t.json")
    assert judged(settled(base, inside), inside).verdict == "pass"


def test_where_eras_overlap_either_may_have_held() -> None:
    """A rolling deployment: both; and an era that ends before it begins is refused."""
    eras = parse_timeline([era("v3.5.2", 0, 40), era("v3.8.1", 20, None)], "t.json")
    assert eras.at(30 * SECOND) == (NAMED["v3.5.2"][0], NOW)
    assert (eras.at(10 * SECOND), eras.at(50 * SECOND)) == ((NAMED["v3.5.2"][0],), (NOW,))
    with pytest.raises(Refused) as e:
        parse_timeline([era("v3.8.1", 40, 20)], "t.json")
    assert e.value.code == "ledger.timeline"


def test_a_row_after_an_era_within_another_is_judged_under_the_longer_one() -> None:
    """A trial of a newer release while the older went on: what lies between the older and the next is of those two."""
    eras = parse_timeline([era("v3.5.2", 0, 40), era("v3.8.1", 10, 20), era("v3.8.1", 60, None)], "t.json")
    assert eras.at(50 * SECOND) == (NAMED["v3.5.2"][0], NOW)
    both = parse_timeline([era("v3.5.2", 0, 40), era("v3.6.0", 60, None), era("v3.8.1", 60, None)], "t.json")
    assert len(both.at(50 * SECOND)) == 3
    assert len(parse_timeline([era("v3.5.2", 10, 40)], "t.json").at(5 * SECOND)) == 1


def test_records_of_deployments_are_a_timeline() -> None:
    """Each version until the next; rows older than the first record leave the rules unknown."""
    deployed = [("v3.5.2", 0), ("v3.8.1", 25 * SECOND)]
    eras = eras_deployed(deployed, 0)
    assert eras is not None
    v = judged(settled(town(SOLD_ALONE, result="YES"), eras), deployed=deployed)
    assert (v.verdict, v.ruleset, v.ledger["written_by"]) == ("pass", "deployed v3.5.2 → v3.8.1", "v3.5.2, then v3.8.1")
    assert "records of deployments" in v.ledger["written_by_how"]
    assert eras_deployed([("v3.8.1", SECOND)], 0) is None
    assert eras_deployed([("some-branch", 0)], 0) is None


def test_economics_the_server_says_are_compared() -> None:
    """A setup that differs from what the ledger is judged by is said; the same is not."""
    ledger = settled(town([("a", 10, "YES", 1)]), named("v3.8.1"))
    for cost, said in ((10, False), (25, True)):
        setup = {"path": "/v0/setup", "at": "1970-01-01T01:00:00Z", "status": 200, "body": {"marketincentives": {"createMarketCost": cost}}}
        v = verify(ledger, named("v3.8.1"), journal=None, answers=[setup], written_by="")
        assert any("create_market_cost 25" in n for n in v.notes) is said


# Names and files


@pytest.mark.parametrize(("name", "means"), [("v3.8", "v3.8.1"), ("3.8.0", "v3.8.0"), ("v3.5", "v3.5.2"), ("v9", None), ("v3", None)])
def test_names_of_releases(name: str, means: str | None) -> None:
    """With and without v; two numbers mean the last of three."""
    assert release(name) == means


def test_commits_name_their_release() -> None:
    """Seven digits or more of a tag's commit; what names none is none."""
    assert release_of("3d978faa") == "v3.8.1"
    assert release_of("deadbeef") is None


SETUP = """
economics:
  marketincentives: {createMarketCost: 25, multipleChoiceBinary: {addAnswerCost: 4}}
  user: {maximumDebtAllowed: 100}
  betting: {maxDustPerSale: 3, betFees: {initialBetFee: 2, buySharesFee: 1}}
"""


def test_what_groups_and_answers_cost_is_held_against_the_rules() -> None:
    """Stored and charged otherwise than the rules say: lawful for older rows, so it warns, with whose. Rejected answers cost nothing."""
    eras = named("v3.8.1")
    group = Group(id=7, created_at=5, lifecycle="published", cost=10, creator="mod", steward="mod", rejected_at=None, deleted=False)
    answer = Addition(3, 7, 2, "approved", "ann", 2, 9)
    for cost, added, said in ((10, 2, ()), (50, 2, ("group 7 of mod cost 50, not 10",)), (10, 20, ("answer 3 of ann cost 20, not 2",))):
        for status in ("approved", "rejected"):
            groups = (msgspec.structs.replace(group, cost=cost),)
            answers = (msgspec.structs.replace(answer, cost=added, status=status),)
            ledger = msgspec.structs.replace(town(TIED), groups=groups, additions=answers)
            s10 = check(judged(ledger, eras), "S10")
            due = said if status == "approved" or "group" in "".join(said) else ()
            assert (tuple(e.why for e in s10.examples), s10.state) == (due, "warn" if due else "pass")
            assert s10.of == s10.looked_at == 2 + (status == "approved")
    gone = msgspec.structs.replace(town(TIED), groups=(msgspec.structs.replace(group, cost=50, deleted=True),))
    assert check(judged(gone, eras), "S10").state == "pass"
    dear = msgspec.structs.replace(eras.eras[0].rules, create_market_cost=50, add_answer_cost=20)
    then = Eras("then", (Era(None, 7, "dear", dear), Era(8, None, "v3.8.1", eras.eras[0].rules)))
    older = msgspec.structs.replace(town(TIED), groups=(msgspec.structs.replace(group, cost=50),), additions=(answer,))
    assert not [e.why for e in check(judged(older, then), "S10").examples if "group" in e.why or "answer" in e.why]


def test_economics_come_from_the_setup_file(tmp_path: Path) -> None:
    """SocialPredict's own file, with whatever rules hold; a ledger with those fees passes under them and not without."""
    file = tmp_path / "setup.yaml"
    file.write_text(SETUP)
    eras = named("v3.8.1").under({"create_market_cost": 25, "initial_bet_fee": 2, "buy_fee": 1, "max_debt": 100}, "x")
    good = settled(town([("a", 10, "YES", 1), ("b", 5, "NO", 2)], result="YES"), eras)
    assert judged(good, eras).verdict == "pass"
    assert judged(good, named("v3.8.1")).verdict == "fail"
    case = unpacked("v3.8.1", tmp_path)
    v = verify_ledger(case / "ledger.sqlite", ruleset="v3.8.1", economics=str(file))
    assert v.ruleset == "v3.8.1 with setup.yaml"
    assert any("fees of 2" in x.formula for lines in v.accounts.lines.values() for x in lines)
    assert verify_ledger(case / "ledger.sqlite", economics=str(file)).ruleset.endswith("with the setup file")


def test_numbers_of_rules_have_their_range() -> None:
    """No cap and no limit may be said as the largest number there is; what is counted in credits stays where every engine counts it."""
    for key, most in (("max_debt", 2**63 - 1), ("max_dust", 2**63 - 1), ("initial_bet_fee", 2**50), ("settlement_weight", 2**50)):
        assert getattr(parse_ruleset({key: most}, "x"), key) == most
        with pytest.raises(Refused) as e:
            parse_ruleset({key: most + 1}, "x")
        assert (e.value.code, e.value.at, e.value.expected) == ("ledger.ruleset", f"x {key}", f"at most {most}")
    eras = always("no cap", msgspec.structs.replace(NOW, max_dust=2**63 - 1))
    base = settled(town([("b", 40, "NO", 1), ("a", 30, "YES", 2), ("b", 3, "NO", 3), ("a", -9, "YES", 4)]), eras)
    near = tuple(msgspec.structs.replace(b, placed_at=b.placed_at // 1000) for b in base.bets if b.placed_at)
    users = tuple(msgspec.structs.replace(u, balance=u.balance + 99 * (u.username == "a")) for u in base.users)
    v = judged(msgspec.structs.replace(base, bets=near, users=users), eras)  # what fits such a sale is not counted out one by one
    assert [(e.user, e.difference) for e in check(v, "R6").examples] == [("a", "99")]


def test_a_build_from_before_v3_settles_by_the_weight_of_its_setup_file() -> None:
    """`initialMarketSubsidization` was the prior of both until #657, and only of what is shown since; beginning elsewhere than at one half
    is refused where it moves money, and not where it does not."""
    mine = economics({"marketcreation": {"initialMarketSubsidization": 40}}, "x")
    weights = [(r.settlement_weight, r.display_weight) for r in (named(n).under(mine, "x").eras[0].rules for n in ("v2.1.0", "v3.0.1"))]
    assert weights == [(40, 40), (1, 40)]
    other = economics({"marketcreation": {"initialMarketSubsidization": 40, "initialMarketProbability": 0.3}}, "x")
    assert named("v3.8.1").under(other, "x").eras[0].rules.display_weight == 0
    with pytest.raises(Refused) as e:
        named("v2.1.0").under(other, "setup.yaml")
    assert (e.value.code, e.value.at) == ("ledger.ruleset", "setup.yaml marketcreation")
    old: dict[str, Any] = {"schema": "v2.1.0–v3.1.0", "migration": "20251020140500"}
    old["applied"] = (("20251013080000", 0), ("20251020140500", 0))
    ledger = settled(town([("a", 10, "YES", 1), ("b", 5, "NO", 2)], result="YES", **old), named("v3.1.0"))
    assert judged(ledger, economics=other).verdict == "pass"


@pytest.mark.parametrize("text", ["- 1", "economics: 5", "economics: {user: {maximumDebtAllowed: lots}}", "a: [", "initial_bet_fee: -1"])
def test_setup_files_are_refused_by_key(text: str, tmp_path: Path) -> None:
    """No economics, text where a number belongs, no YAML: refused, never ignored."""
    file = tmp_path / "setup.yaml"
    file.write_text(text)
    case = unpacked("v3.8.1", tmp_path)
    with pytest.raises(Refused) as e:
        verify_ledger(case / "ledger.sqlite", ruleset="v3.8.1", economics=str(file))
    assert e.value.code == "ledger.ruleset"


def test_answers_of_setup_are_economics_too() -> None:
    """As the server gives them at /v0/setup, whatever the case of their keys."""
    value = {"MarketIncentives": {"CreateMarketCost": 12}, "Betting": {"BetFees": {"InitialBetFee": 3}}}
    assert economics(value, "x") == {"create_market_cost": 12, "initial_bet_fee": 3}


def test_a_ruleset_file_of_a_build_in_between(tmp_path: Path) -> None:
    """Named by its file; the same rules as a record give the same verdict."""
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(msgspec.to_builtins(NAMED["v3.6.0"][0])))
    eras = rules_for(str(file), None)
    assert eras == always("mine.json", NAMED["v3.6.0"][0])


# Schemas


def test_schemas_are_told_by_all_their_migrations() -> None:
    """One that no release has is unknown wherever it lies; a skipped one, an empty table and columns that contradict are said."""
    everything = sorted(KNOWN)
    assert told(everything, ()).doubt == ""
    assert told(everything, ()).family == "v3.5.0–v3.8.1"
    assert told(everything[:13], ()).family == "v3.2.0–v3.4.0"
    assert "20260120090000" in told([*everything, "20260120090000"], ()).doubt
    assert "skipped" in told([m for m in everything if m != "20251117090000"], ()).doubt
    assert "empty" in told([], ()).doubt
    assert "markets.lifecycle_status" in told(None, ()).doubt
    assert told(None, ("markets.lifecycle_status", "markets.proposal_cost")).doubt == ""


def test_missing_columns_narrow_the_checks_and_say_which(tmp_path: Path) -> None:
    """A ledger without a table or column is judged as far as it goes, with what is not seen."""
    case = unpacked("v3.8.1", tmp_path / "c") if (tmp_path / "c").mkdir() is None else tmp_path
    with closing(sqlite3.connect(case / "ledger.sqlite")) as db, db:
        db.execute("DROP TABLE moderator_role_audits")
        db.execute("ALTER TABLE markets DROP COLUMN rejected_at")
    v = verify_ledger(case / "ledger.sqlite", ruleset="v3.8.1")
    narrowed = {x["lacks"]: x["checks"] for x in v.ledger["narrowed"]}
    assert narrowed == {"moderator_role_audits": ["S18"], "markets.rejected_at": ["S13", "R6", "T"]}
    assert check(v, "S18").state == "missing"
    shutil.rmtree(case)


ASTRAY = {  # what is gone though its migration ran → the checks that would accuse
    "market_groups": {"R6", "T"},
    "market_group_members": {"S10", "S11", "R6", "T"},
    "market_group_answer_additions": {"R6", "T"},
    "market_stewardship_audits": set[str](),
    "markets.rejected_at": {"R6", "T"},
    "markets.steward_username": {"R6"},
}


@pytest.mark.parametrize("gone", ASTRAY)
@pytest.mark.parametrize("engine", ["python", "numba"])
def test_a_table_that_was_dropped_accuses_nobody(gone: str, engine: str, tmp_path: Path) -> None:
    """What it would have explained is left open, in words that name it; what does not depend on it still fails."""
    folder = tmp_path / "c"
    folder.mkdir()
    file = unpacked("v3.8.1", folder) / "ledger.sqlite"
    table, _, column = gone.partition(".")
    with closing(sqlite3.connect(file)) as db, db:
        db.execute(f"ALTER TABLE {table} DROP COLUMN {column}" if column else f"DROP TABLE {table}")
    v = verify_ledger(file, ruleset="v3.8.1", engine=engine)
    assert {c.id for c in v.checks if c.state == "inconclusive"} == ASTRAY[gone]
    assert v.verdict == ("inconclusive" if ASTRAY[gone] else "pass")
    for c in (check(v, i) for i in ASTRAY[gone]):
        assert (gone in c.why, c.violations, c.examples) == (True, 0, ())
    assert (v.hypotheses, v.totals["unexplained"]) == ((), "0")
    assert [m for m in v.markets if m["unexplained"] != "0"] == []
    words = CliRunner().invoke(ledger, ["verify", str(file), "--ruleset", "v3.8.1", "--engine", engine]).output
    assert f"note: {gone} is not there, though its migration ran: " in words
    assert "too few" not in words
    if ASTRAY[gone]:
        assert words.endswith(f"next: dossier ledger verify on a ledger that has {gone}, too\n")
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE bets SET username = 'stranger' WHERE id = 4")
        db.execute("UPDATE users SET account_balance = account_balance + 5 WHERE username = 'bob'")
    v = verify_ledger(file, ruleset="v3.8.1", engine=engine)
    assert (v.verdict, check(v, "S2").state, check(v, "R6").state) == ("fail", "fail", "inconclusive")


@pytest.mark.captured
@pytest.mark.parametrize("table", ["market_groups", "market_group_members", "market_group_answer_additions"])
@pytest.mark.parametrize("engine", ["python", "numba", "duckdb"])
def test_a_folder_without_a_table_another_speaks_of_accuses_nobody(table: str, engine: str, tmp_path: Path) -> None:
    """No file is an empty table, unless rows of another table say that it had some."""
    if not SHARED.exists():
        pytest.skip("needs ../shared: ledgers real builds wrote")
    case = SHARED / "captured" / "v3.8.1-small"
    shutil.copytree(case / "parquet", tmp_path / "p")
    (tmp_path / "p" / f"{table}.parquet").unlink()
    v = verify_ledger(tmp_path / "p", ruleset=str(case / "rules.json"), engine=engine)
    assert (v.verdict, check(v, "R6").state) == ("inconclusive", "inconclusive")
    assert table in check(v, "R6").why
    other = SHARED / "captured" / "v3.8.1-medium"
    shutil.copytree(other / "parquet", tmp_path / "q")
    (tmp_path / "q" / "market_group_answer_additions.parquet").unlink()
    v = verify_ledger(tmp_path / "q", ruleset=str(other / "rules.json"), engine=engine)
    assert ("market_group_answer_additions" in str(v.notes)) == bool(read_ledger(other / "ledger.sqlite").additions)


@pytest.mark.captured
def test_what_an_older_release_never_had_excuses_nothing() -> None:
    if not SHARED.exists():
        pytest.skip("needs ../shared: ledgers real builds wrote")
    case = SHARED / "captured" / "v2.1.0-small"
    g = read_ledger(case / "ledger.sqlite")
    users = (msgspec.structs.replace(g.users[0], balance=g.users[0].balance + 500), *g.users[1:])
    v = judged(msgspec.structs.replace(g, users=users), named("v2.1.0"))
    assert (v.verdict, check(v, "R6").state) == ("fail", "fail")
    assert not [n for n in v.notes if "is not there" in n]


# Whose ledger it is


def test_whose_ledger_it_is() -> None:
    """The caller, the journal, an answer at /version, in that order; who contradicts is named; nobody: about the environment."""
    answers = [{"path": "/v0/version", "status": 200, "body": {"version": "v3.8.0", "commit": "9ef6530b06da"}}]
    assert writer("", None, ()).how.startswith("unknown")
    assert (writer("", None, answers).build, writer("v3.8.0", None, answers).others) == ("9ef6530b06da", ())
    both = writer("v3.8.1", None, answers)
    assert (both.build, both.how) == ("v3.8.1", "declared")
    assert both.others[0].startswith("9ef6530b06da")
    v = judged(settled(town([("a", 10, "YES", 1)]), named("v3.8.1")))
    assert v.ledger["written_by"] is None
    assert "environment" in v.ledger["written_by_how"]


# Dust without receipts

SOLD_SHORT = [("a", 50, "NO", 1), ("b", 25, "NO", 2), ("a", -1, "NO", 3)]


def test_who_was_steward_for_a_while_is_paid_for_it() -> None:
    """A change of a group's steward names the group's, not the market's own: the change before a market was resolved says whose it was."""
    eras = named("v3.8.1")
    changes = (
        Stewardship(1, "mod", 500 * SECOND, "amy"),
        Stewardship(1, "mod", 2000 * SECOND, "zoe"),
        Stewardship(1, "zoe", 3000 * SECOND, "eve"),
    )
    base = town(TIED[:1], result="YES")
    market = msgspec.structs.replace(base.markets[0], steward="eve")
    more = tuple(User(i, u, "MODERATOR", 0, 0, False) for i, u in enumerate(("amy", "zoe", "eve", "old"), 9))
    first = Stewardship(1, "old", 200 * SECOND, "mod")
    at_once = msgspec.structs.replace(changes[0], at=1000 * SECOND)
    for known, paid in (
        (changes, "amy"),
        ((at_once, *changes[1:]), "amy"),
        (changes[1:], "mod"),
        (changes[:1], "eve"),
        ((), "eve"),
        ((first, *changes[1:]), "mod"),
    ):
        ledger = msgspec.structs.replace(base, users=(*base.users, *more), markets=(market,), stewardships=known)
        lines = replay(ledger, eras, {}).lines
        assert [u for u, mine in lines.items() if any(x.what == "stewardship" for x in mine)] == [paid], known
        v = judged(settled(ledger, eras), eras)
        assert (check(v, "S17").state in ("pass", "missing"), v.verdict) == (True, "pass")
    without_names = tuple(msgspec.structs.replace(s, after="") for s in changes)
    ledger = msgspec.structs.replace(base, users=(*base.users, *more), markets=(market,), stewardships=without_names)
    assert any(x.what == "stewardship" for x in replay(ledger, eras, {}).lines["mod"])


def test_who_is_suspended_twice_is_free_once_let_go() -> None:
    """Suspended again while suspended is one suspension; an answer approved meanwhile was not made by whom its group belongs to."""
    base = town(TIED, result="YES")
    says = lambda *spans: tuple(Standing("mod", status, at) for at, status in spans)  # noqa: E731
    twice = says((-9, "suspended"), (-8, "suspended"), (-5, "active"))
    cases = [
        (twice, "pass"), (says((-9, "suspended"), (-5, "active"), (-3, "suspended")), "fail"), (twice[:2], "fail"),
        ((*twice, *says((-4, "suspended"), (-3, "active"), (1, "suspended"))), "pass"),
    ]  # fmt: skip
    for standings, state in cases:
        ledger = msgspec.structs.replace(base, standings=standings)
        assert check(judged(settled(ledger, named("v3.8.1")), named("v3.8.1")), "S18").state == state, standings
    answer = Addition(1, 7, 1, "approved", "a", 2)
    for status, state in (("approved", "pass"), ("pending", "fail")):
        more = {"standings": twice[:2], "additions": (msgspec.structs.replace(answer, status=status),)}
        assert check(judged(msgspec.structs.replace(base, **more), named("v3.8.1")), "S18").state == state


def test_dust_only_a_request_could_explain_is_undecided() -> None:
    """One share of many, at one credit each: a credit less is no accusation and no pass, alone or in the sum; two less is a fault."""
    eras = named("v3.8.1")
    base = town(SOLD_SHORT)
    a = replay(base, eras, {})
    (sale,) = a.sales
    assert (sale.against, sale.price, sale.shares < sale.sellable, sale.low, sale.high) == ("", 1, True, 0, 1)
    right = {u: a.expected(u)[1] for u in ("a", "b", "mod")}

    def less(credits: int) -> Verified:
        return judged(msgspec.structs.replace(base, users=town(SOLD_SHORT, balances=right | {"a": right["a"] - credits}).users), eras)

    assert [(check(less(n), "R6").state, check(less(n), "T").state) for n in (0, 1, 2)] == [
        ("pass", "pass"), ("inconclusive", "inconclusive"), ("fail", "fail"),
    ]  # fmt: skip
    (mine,) = check(less(1), "R6").undecided
    assert (mine.user, mine.expected_low, mine.expected_high) == ("a", str(right["a"] - 1), str(right["a"]))
    assert "if each sale sold all it was asked for" in mine.why
    assert check(less(2), "R6").examples[0].difference == "-1"


def test_no_request_leaves_the_interval_of_a_ledger_alone() -> None:
    """Whatever a receipt says was asked for, the account it gives lies inside the one without receipts."""
    base, eras = town(SOLD_SHORT), named("v3.8.1")
    low, high = replay(base, eras, {}).expected("a")
    for asked in range(1, 8):
        exact = replay(base, eras, {3: asked}).expected("a")
        assert low <= exact[0] == exact[1] <= high


def test_a_balance_between_two_outcomes_is_wrong_whichever_held() -> None:
    """Two orders of one microsecond give alice 9 or 14: a balance of neither is claimed from the nearer one, by every engine, and her
    statement of account says the same."""
    tie = town([("alice", 10, "YES", 1), ("bob", 7, "YES", 1), ("carol", 1, "NO", 2)], result="YES")
    a = replay(tie, named("v3.8.1"), {})
    low, high = a.expected("alice")
    assert high - low == 5
    for balance, state, off in (
        (low, "inconclusive", 0),
        (high, "inconclusive", 0),
        (low + 1, "fail", 1),
        (high - 2, "fail", -2),
        (high + 1, "fail", 1),
    ):
        g = settled(tie, named("v3.8.1"))
        g = msgspec.structs.replace(
            g, users=tuple(msgspec.structs.replace(u, balance=balance if u.username == "alice" else u.balance) for u in g.users)
        )
        big = from_ledger(g)
        assert big is not None
        for engine in (by_rows(g), by_columns(big, "numba", 1)):
            v = verify(g, named("v3.8.1"), journal=None, answers=None, written_by="", engine=engine)
            c = check(v, "R6")
            assert (c.state, [(e.user, e.difference) for e in c.examples]) == (state, [("alice", str(off))] if off else [])
            assert v.totals["unexplained"] == str(abs(off))
            assert not c.examples or ("the nearest of its outcomes" in c.examples[0].why) == (low < balance < high)
            said = explained(v, "alice").outcome
            assert said.startswith(f"{counted(abs(off), 'credit')} too {'many' if off > 0 else 'few'}" if off else "no difference")
            assert said.endswith("these rows alone do not decide it") == (off == 0)
