"""R8: every number the server showed, held against the ledger as it stood: right, wrong, old and saying so, old and called fresh."""

from __future__ import annotations

import json
import lzma
import random
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from release_dossier.ledger.account import market_rows, replay
from release_dossier.ledger.answers import r8
from release_dossier.ledger.checks import Check
from release_dossier.ledger.columns import Bet, Group, Member
from release_dossier.ledger.rulesets import Eras, economics, named, possible, stamp
from release_dossier.ledger.schema import RELEASES
from release_dossier.ledger.settlement import positions
from release_dossier.ledger.shown import asking
from release_dossier.ledger.stood import Stood
from release_dossier.ledger.verify import verify
from release_dossier.sources.ledgers import read_ledger, verify_ledger
from tests.ledger.test_checks import EDGE, family
from tests.ledger.test_ledgers import SHARED
from tests.ledger.test_rules import SECOND, settled, town

ERAS = named("v3.8.1")
ORDERS = [("alice", 10, "YES", 10), ("bob", 10, "NO", 20), ("alice", 10, "YES", 30), ("bob", 10, "NO", 40), ("carol", 30, "YES", 50)]


def at(second: float) -> str:
    return f"1970-01-01T00:{int(second) // 60:02d}:{int(second) % 60:02d}.{int(second % 1 * 10)}Z"


def answer(path: str, body: Any, second: float = 55, **more: Any) -> dict[str, Any]:
    return {"path": path, "at": at(second), "as": "alice", "status": 200, "body": body, **more}


def judged(*answers: Any) -> Check:
    of_group = any("market-groups" in x["path"] for x in answers if isinstance(x, dict) and isinstance(x.get("path"), str))
    ledger = settled(town(ORDERS, members=(Member(7, 1),) if of_group else ()), ERAS)
    return r8(answers, ledger, replay(ledger, ERAS, {}), ERAS)


RIGHT: list[tuple[str, Any]] = [
    (
        "/v0/markets/positions/1",
        {"ok": True, "result": [{"username": "alice", "yesSharesOwned": 50, "noSharesOwned": 0, "value": 50}, {"username": "bob"}]},
    ),
    (
        "/v0/markets/positions/1",
        [{"Username": "bob", "YesSharesOwned": 0, "NoSharesOwned": 20, "Value": 20, "totalSpent": 20}, {"Username": "alice"}],
    ),
    ("/v0/markets/positions/1/carol", {"username": "carol", "yesSharesOwned": 0, "noSharesOwned": 0, "value": 0}),
    ("/v0/userposition/1", {"ok": True, "result": {"YesSharesOwned": 50, "Value": 50, "yesSellableShares": 50}}),
    (
        "/v0/users/alice/financial",
        {
            "financial": {
                "accountBalance": -21,
                "amountBorrowed": 21,
                "equity": -42,
                "amountInPlay": 48,
                "amountInPlayActive": 48,
                "realizedValue": 0,
                "totalSpent": 20,
                "totalSpentInPlay": 20,
                "tradingProfits": 28,
                "workProfits": 0,
            }
        },
    ),
    ("/v0/portfolio/alice", {"portfolioItems": [{"marketId": 1, "yesSharesOwned": 50, "noSharesOwned": 0}], "totalSharesOwned": 50}),
    (
        "/v0/market-groups/7/leaderboard",
        {
            "leaderboard": [
                {
                    "username": "bob",
                    "currentValue": 20,
                    "totalSpent": 20,
                    "profit": 0,
                    "answers": [{"answerMarketId": 1, "currentValue": 20, "totalSpent": 20, "profit": 0, "noSharesOwned": 20}],
                },
                {"username": "alice"},
            ],
            "total": 2,
        },
    ),
    (
        "/v0/market-groups/7/positions",
        {
            "positions": [
                {
                    "username": "alice",
                    "yesSharesOwned": 50,
                    "noSharesOwned": 0,
                    "value": 50,
                    "totalSpent": 20,
                    "answers": [{"marketId": 1, "yesSharesOwned": 50, "value": 50}],
                },
                {"username": "bob", "noSharesOwned": 20},
            ],
            "total": 2,
        },
    ),
    (
        "/v0/market-groups/7/bets?limit=1&offset=4",
        {"total": 5, "bets": [{"answerMarketId": 1, "username": "alice", "amount": 10, "probability": 0.75, "placedAt": at(10)}]},
    ),
    ("/v0/userinfo/bob", {"accountBalance": -21}),
    ("/v0/usercredit/carol", {"credit": 469}),
    ("/v0/markets/1", {"probabilityChanges": [{"probability": 0.5}, {"probability": 0.75}], "totalVolume": 10, "numUsers": 1}),
    ("/v0/markets/bets/1?limit=1", [{"username": "alice", "amount": 10, "probability": 0.75, "placedAt": at(10)}]),
    ("/v0/markets/active", {"markets": [{"market": {"id": 1}, "totalVolume": 70, "numUsers": 3}]}),
    ("/v0/markets/1/leaderboard?limit=1", {"result": {"leaderboard": [{"username": "alice", "currentValue": 50, "totalSpent": 20}]}}),
    (
        "/v0/global/leaderboard?limit=1",
        {"result": {"entries": [{"username": "carol", "totalSpent": 30, "totalCurrentValue": 0, "totalProfit": -30}]}},
    ),
    (
        "/v0/system/metrics",
        {"moneyUtilized": {"activeBetVolume": {"value": 70}, "marketCreationFees": {"value": 10}, "participationFees": {"value": 3}}},
    ),
]
NAMES = ["alice", "bob", "carol", "dan", "eve", "fay"]
EARLY = {"/v0/markets/1": 15}  # shown after the first order


@pytest.mark.parametrize(("path", "body"), RIGHT, ids=lambda x: x if isinstance(x, str) else "")
def test_right_numbers_are_right_and_any_other_is_wrong(path: str, body: Any) -> None:
    """Each page as the server gives it passes; with any one number changed by one it fails and names the number."""
    second = EARLY.get(path, 55)
    assert judged(answer(path, body, second)).state == judged(answer(f"/api{path}", body, second)).state == "pass"
    text = json.dumps(body)
    places = [m for m in re.finditer(r"(?<=: )-?[0-9.]+", text) if not text[: m.start()].endswith(('"id": ', 'arketId": '))]
    assert places
    for m in places:
        changed = text[: m.start()] + str(json.loads(m[0]) + 7) + text[m.end() :]
        found = judged(answer(path, json.loads(changed), second))
        assert (found.state, found.violations) == ("fail", 1), changed
        assert path.split("?")[0] in found.examples[0].why


def test_a_sum_of_several_markets_may_mix_moments() -> None:
    """Read market by market while orders come in: any of the orders of the last quarter second seen or not seen; nothing beyond."""
    ledger = town([("alice", 50, "YES", 1), ("alice", 60, "YES", 2), ("bob", 9, "NO", 3)])
    second = msgspec.structs.replace(ledger.markets[0], id=2)
    bets = [msgspec.structs.replace(b, market_id=2 if b.id == 2 else 1) for b in ledger.bets]
    bets += [
        msgspec.structs.replace(bets[0], id=8, market_id=2, amount=-20, placed_at=54_800_000),
        msgspec.structs.replace(bets[0], id=9, market_id=1, amount=30, placed_at=54_900_000),
    ]
    ledger = settled(msgspec.structs.replace(ledger, markets=(*ledger.markets, second), bets=tuple(bets)), ERAS)
    a = replay(ledger, ERAS, {})

    def shares(*unseen: int) -> int:
        rows = [[r for r in a.rows[m] if r.id not in unseen] for m in (1, 2)]
        return sum(p.yes + p.no for p in (positions(r, ERAS.eras[0].rules, "")["alice"] for r in rows))

    mixtures = [shares(), shares(8), shares(9), shares(8, 9)]
    assert max(mixtures) == shares(8) > max(shares(), shares(8, 9))
    for number, state in (*((n, "pass") for n in mixtures), (max(mixtures) + 1, "fail"), (min(mixtures) - 1, "fail")):
        page = answer("/v0/portfolio/alice", {"portfolioItems": [], "totalSharesOwned": number})
        assert r8([page], ledger, a, ERAS).state == state, (number, mixtures)
    stood = Stood(ledger, a, ERAS)
    balances = [n for t in (54_700_000, 54_800_000, 54_900_000) for n in stood.balance("alice", t)]
    assert stood.balance("alice", 54_700_000) < (max(balances), 0) > stood.balance("alice", 54_900_000)
    for number, state in (*((n, "pass") for n in balances), (max(balances) + 1, "fail"), (min(balances) - 1, "fail")):
        assert r8([answer("/v0/userinfo/alice", {"accountBalance": number})], ledger, a, ERAS).state == state, (number, balances)
    later = answer("/v0/portfolio/alice", {"portfolioItems": [], "totalSharesOwned": shares(8)}, 56)
    assert r8([later], ledger, a, ERAS).state == "fail"


def test_a_metric_that_calls_itself_a_future_feature_is_not_judged() -> None:
    """v2.x says that no bonuses are paid and shows 0; since v3.0 the same field is what users hold."""
    ledger = settled(town([("alice", 10, "YES", 10)], result="YES"), ERAS)
    held = sum(max(0, u.balance) for u in ledger.users)
    assert held == 0
    users = (*ledger.users, msgspec.structs.replace(ledger.users[0], id=9, username="rich", initial=30, balance=30))
    ledger = msgspec.structs.replace(ledger, users=users)
    for explanation, value, state in (
        ("System bonuses paid to users (future feature)", 0, "missing"),
        ("System bonuses paid to users and realized profits currently held in user balances", 0, "fail"),
        ("System bonuses paid to users and realized profits currently held in user balances", 30, "pass"),
    ):
        metric = {"moneyUtilized": {"bonusesPaid": {"value": value, "explanation": explanation}}}
        assert r8([answer("/v0/system/metrics", metric)], ledger, replay(ledger, ERAS, {}), ERAS).state == state


@pytest.mark.parametrize(("seed", "value"), [("initialMarketProbability", 0.3), ("initialMarketYes", 4), ("initialMarketNo", 1)])
def test_a_probability_shown_by_another_prior_is_not_judged(seed: str, value: float) -> None:
    """The operator's own prior moves what is shown and no money: such numbers are left out, all others judged as ever."""
    usual = {"initialMarketProbability": 0.5, "initialMarketYes": 0, "initialMarketNo": 0, "initialMarketSubsidization": 10}
    ledger = settled(town(ORDERS), ERAS)
    shown = answer("/v0/markets/1", {"probabilityChanges": [{"probability": value}]})
    spent = answer("/v0/users/alice/financial", {"financial": {"totalSpent": 99_999, "totalSpentInPlay": 99_999}})
    worth = answer("/v0/markets/positions/1/alice", {"username": "alice", "value": 51})
    for setup, states in (({**usual, seed: value}, ("missing", "fail")), (usual, ("fail", "fail"))):
        eras = ERAS.under(economics({"marketcreation": setup}, "setup"), "setup")
        assert [r8([page], ledger, replay(ledger, eras, {}), eras).state for page in (shown, worth)] == list(states)
        assert r8([spent], ledger, replay(ledger, eras, {}), eras).violations == 2


@pytest.mark.parametrize(
    ("rules", "kept", "profit"), [("v3.8.1", 0, -7), ("v3.0.1", 3, None), ("v3.2.0", None, None)], ids=["full", "none", "threshold"]
)
def test_fees_are_kept_or_a_stewards_profit(rules: str, kept: int | None, profit: int | None) -> None:
    """Once a market is resolved its fees are the steward's where work is paid in full; a release that reckoned otherwise is not judged."""
    eras = named(rules)
    ledger = settled(town(ORDERS, result="YES"), eras)

    def shown(path: str, body: Any) -> Check:
        return r8([answer(path, body) | {"at": "1970-01-01T00:20:00Z"}], ledger, replay(ledger, eras, {}), eras)

    for wrong in (0, 1):
        fees = shown("/v0/system/metrics", {"moneyUtilized": {"participationFees": {"value": (kept or 0) + wrong}}})
        work = shown("/v0/users/mod/financial", {"financial": {"workProfits": (profit or 0) + wrong}})
        assert fees.state == ("missing" if kept is None else "fail" if wrong else "pass")
        assert work.state == ("missing" if profit is None else "fail" if wrong else "pass")


def test_an_answer_left_open_does_not_keep_its_group_open() -> None:
    """The steward's profit and the fees are those of a resolved group, as its steward was paid; not before, and nothing is said once
    somebody bought what was left open."""
    group = family("YES", "", lifecycle="resolved")
    late = msgspec.structs.replace(group, bets=(*group.bets, Bet(99, "mod", 2, 5, "YES", EDGE + 60 * SECOND, False)))
    for g, moment, kept, profit in (
        (group, EDGE + 70 * SECOND, 0, -6),
        (group, EDGE - SECOND, 2, 0),
        (late, EDGE + 50 * SECOND, 0, -6),
        (late, EDGE + 70 * SECOND, None, None),
    ):
        when = {"at": stamp(moment).replace(" ", "T")}
        for wrong in (0, 1):
            fees = answer("/v0/system/metrics", {"moneyUtilized": {"participationFees": {"value": (kept or 0) + wrong}}}) | when
            work = answer("/v0/users/zoe/financial", {"financial": {"workProfits": (profit or 0) + wrong}}) | when
            states = [r8([page], g, replay(g, ERAS, {}), ERAS).state for page in (fees, work)]
            assert states == ["missing" if kept is None else "fail" if wrong else "pass"] * 2, (moment, wrong)


def test_what_is_no_balance_is_judged_though_the_balance_is_wrong() -> None:
    """A wrong balance is R6's to name; what a user spent is wrong or right all the same."""
    ledger = settled(town(ORDERS), ERAS)
    users = tuple(msgspec.structs.replace(u, balance=u.balance + 5) for u in ledger.users)
    ledger = msgspec.structs.replace(ledger, users=users)
    shown = [answer("/v0/users/alice/financial", {"financial": {"accountBalance": -16, "totalSpent": 27}})]
    found = r8(shown, ledger, replay(ledger, ERAS, {}), ERAS)
    assert [(e.found, e.expected) for e in found.examples] == [("27", "20")]


def fresh(stale: bool, made: float, value: int) -> Any:
    return {
        "result": {
            "positions": [{"username": "alice", "yesSharesOwned": value}],
            "freshness": {"generatedAt": at(made), "isStale": stale},
        }
    }


def test_an_answer_that_says_it_is_stale_is_judged_at_its_own_time() -> None:
    """What was right when it was made warns, with its age; what never was right fails."""
    old = judged(answer("/v0/markets/positions/1", fresh(True, 15, 10)))
    assert (old.state, "40.0 s old" in old.why) == ("warn", True)
    assert judged(answer("/v0/markets/positions/1", fresh(True, 15, 11))).state == "fail"


def test_an_answer_that_claims_to_be_fresh_and_is_not_fails() -> None:
    """The same old number, with isStale false: fail, and the reader is told what it claimed."""
    found = judged(answer("/v0/markets/positions/1", fresh(False, 15, 10)))
    assert (found.state, "calls itself fresh" in found.examples[0].why) == ("fail", True)


def test_an_order_while_an_answer_was_on_its_way_accuses_nobody() -> None:
    """A tenth of a second after an order the number from before it may have been read; a second after, not."""
    body = [{"username": "carol", "yesSharesOwned": 0, "totalSpent": 0}, {"username": "alice"}, {"username": "bob"}]
    assert judged(answer("/v0/markets/positions/1", body, 50.1)).state == "pass"
    assert judged(answer("/v0/markets/positions/1", body, 51)).state == "fail"


def test_who_is_left_out_of_the_positions_of_a_market_is_missed() -> None:
    """Two hold shares and a third lost hers: a list of two or three is right; without a holder, empty or with a stranger it is wrong."""
    for names, wrong in (
        (["alice", "bob"], False),
        (["alice", "bob", "carol"], False),
        (["alice", "carol"], True),
        (["alice"], True),
        ([], True),
        (["alice", "alice"], True),
        (["alice", "bob", "carol", "dave"], True),
    ):
        body = {"result": {"positions": [{"username": n} for n in names]}}
        found = judged(answer("/v0/markets/positions/1", body))
        assert (found.state, found.looked_at) == ("fail" if wrong else "pass", 1), names
        assert not wrong or "users with a position" in found.examples[0].why
        gone = ", ".join(x for x in ("alice", "bob") if x not in names)
        assert not (wrong and gone) or found.examples[0].why.endswith(f"; not shown: {gone}")
    assert judged(answer("/v0/markets/positions/1", [], 5)).state == "pass"  # before the first order
    twice = judged(answer("/v0/markets/positions/1", [{"username": n} for n in ("alice", "bob", "bob")]))
    assert (twice.state, "users with a position, listed again in market 1: 1" in twice.examples[0].why) == ("fail", True)


@pytest.mark.parametrize(
    ("path", "key", "all_of_them"),
    [
        ("/v0/markets/positions/1", "positions", 2),
        ("/v0/market-groups/7/positions", "positions", 2),
        ("/v0/markets/1/leaderboard", "leaderboard", 2),
        ("/v0/market-groups/7/leaderboard", "leaderboard", 2),
        ("/v0/markets/bets/1", "bets", 5),
        ("/v0/market-groups/7/bets", "bets", 5),
    ],
)
def test_a_page_of_a_list_has_as_many_as_it_was_asked_for(path: str, key: str, all_of_them: int) -> None:
    """One fewer than a page holds is missed, wherever the page begins; a server that lists everything whatever it is asked is right too."""
    for query, least in (
        ("", all_of_them),
        ("?limit=1", 1),
        ("?limit=1&offset=1", 1),
        (f"?offset={all_of_them}", 0),
        ("?limit=x", all_of_them),
    ):
        for n in range(all_of_them + 2):
            found = judged(
                answer(
                    path + query,
                    {"result": {key: [{"username": u} for u in NAMES[:n]]}},
                )
            )
            assert (found.state == "pass") == (least <= n <= all_of_them + (path.endswith("positions/1"))), (query, n)


def test_a_query_is_read_as_the_server_reads_it() -> None:
    """The first of a name, a sign before a number, zeros, and numbers no list is as long as."""
    for query, read in (
        ("limit=5&limit=30", (True, 5, 0)),
        ("limit=%2B5", (True, 5, 0)),
        ("limit=0000000005", (True, 5, 0)),
        ("offset=10000000000", (True, 0, 10**10)),
        (f"limit={2**63}", (True, 0, 0)),
        ("limit=-3&offset=1", (True, 0, 1)),
        ("limit=&limit=5", (False, 0, 0)),
        ("x=1", (False, 0, 0)),
    ):
        assert asking(query, None)[1:] == read, query


def test_a_list_of_orders_that_was_cut_off() -> None:
    """All of them where no part is asked for; nothing at all is an empty list."""
    ledger = settled(town([("alice", 1, "YES", i + 1) for i in range(40)]), ERAS)
    for body, query, right in (
        ([{}] * 40, "", True),
        ([{}] * 20, "", False),
        (None, "", False),
        ([{}] * 20, "?limit=20", True),
        ([{}] * 19, "?limit=20", False),
    ):
        found = r8([answer("/v0/markets/bets/1" + query, {"result": body})], ledger, replay(ledger, ERAS, {}), ERAS)
        assert (found.state == "pass") == right, (body and len(body), query)


def test_several_orders_while_an_answer_was_on_its_way() -> None:
    """As many as there were after any of them; of several markets, anything between."""
    orders = [("alice", 10, "YES", 10), ("bob", 10, "NO", 20), *((f"u{i}", 10, "YES", 30 + i / 100) for i in range(3))]
    ledger = settled(town([(u, a, side, t) for u, a, side, t in orders]), ERAS)  # type: ignore[misc]
    for n, right in (1, False), (2, True), (3, True), (4, True), (5, True), (6, False):
        shown = answer("/v0/markets/bets/1", {"result": [{}] * n}, 30.1)
        assert (r8([shown], ledger, replay(ledger, ERAS, {}), ERAS).state == "pass") == right, n


@pytest.mark.parametrize(("query", "least"), [("", 22), ("?x=1", 22), *((f"?limit={x}", 20) for x in ("x", "0", "-1")), ("?limit=21", 21)])
def test_a_part_of_a_list_is_as_long_as_usual_where_no_number_says_how_long(query: str, least: int) -> None:
    """Positions: the 22 of 25 who hold shares unless a part is asked for, then twenty of them, or as many as the number says."""
    ledger = settled(town([(f"u{i:02d}", 10, "YES", i + 1) for i in range(25)]), ERAS)
    for n in (least - 1, least):
        body = {"result": {"positions": [{"username": f"u{i:02d}"} for i in range(n)]}}
        found = r8([answer("/v0/markets/positions/1" + query, body)], ledger, replay(ledger, ERAS, {}), ERAS)
        assert (found.state == "pass") == (n == least)


def test_a_row_of_a_group_adds_up_every_market_of_it() -> None:
    """An answer that is left out of a row and out of its sum is missed."""
    orders = [("alice", 10, "YES", 10), ("bob", 10, "NO", 20)]
    one = town(orders)
    two = msgspec.structs.replace(
        one,
        markets=(*one.markets, msgspec.structs.replace(one.markets[0], id=2)),
        bets=(*one.bets, *(msgspec.structs.replace(b, id=b.id + 2, market_id=2) for b in one.bets)),
        members=(Member(7, 1), Member(7, 2)),
    )
    ledger = settled(two, ERAS)
    for shares, wrong in (30, False), (15, True):
        body = {"positions": [{"username": "alice", "yesSharesOwned": shares}, {"username": "bob"}], "total": 2}
        found = r8([answer("/v0/market-groups/7/positions", body)], ledger, replay(ledger, ERAS, {}), ERAS)
        assert found.state == ("fail" if wrong else "pass")
    assert "YES shares in group 7" in found.examples[0].why
    for answers, wrong in ([{}, {}], False), ([{}], True):
        body = {"positions": [{"username": "alice", "answers": answers}, {"username": "bob"}], "total": 2}
        found = r8([answer("/v0/market-groups/7/positions", body)], ledger, replay(ledger, ERAS, {}), ERAS)
        assert found.state == ("fail" if wrong else "pass")
    assert "showed alice answers of group 7: 1; the ledger gives 2" in found.examples[0].why


def test_a_leaderboard_says_how_long_it_is() -> None:
    """`total` of a market's is the length of the page, of a group's of all pages."""
    for path, total, wrong in (
        ("/v0/markets/1/leaderboard?limit=1", 1, False),
        ("/v0/markets/1/leaderboard?limit=1", 3, True),
        ("/v0/market-groups/7/leaderboard?limit=1", 2, False),
        ("/v0/market-groups/7/leaderboard?limit=1", 1, True),
    ):
        assert judged(answer(path, {"leaderboard": [{"username": "bob"}], "total": total})).state == ("fail" if wrong else "pass")


def test_a_list_that_keeps_an_old_number_silently_warns() -> None:
    """Lists say nothing of their age: what was right before is a warning with its age, what never was fails."""
    before = {"markets": [{"market": {"id": 1}, "totalVolume": 30}]}
    old = judged(answer("/v0/markets", before))
    assert (old.state, "without saying so" in old.why) == ("warn", True)
    assert judged(answer("/v0/markets", {"markets": [{"market": {"id": 1}, "totalVolume": 31}]})).state == "fail"


def test_what_is_not_known_is_counted_and_not_judged() -> None:
    """Other pages and refusals never count as looked at."""
    found = judged(answer(*RIGHT[0]), answer("/v0/home", {"x": 1}), answer("/v0/markets/positions/1", [], status=404))
    assert (found.state, found.looked_at, found.of) == ("pass", 1, 3)
    assert "2 answers" in found.why
    assert judged(answer("/v0/home", {})).state == "missing"


@pytest.mark.parametrize(
    "record", [None, "text", {"path": 5}, answer("/v0/home", {}, status="200"), answer("/v0/home", {}, at="today"), {"path": "/v0/home"}]
)
def test_a_record_that_is_no_answer_leaves_the_check_open(record: Any) -> None:
    """Whatever it would have shown was not looked at: said with its place, beside right answers and alone; what is wrong stays wrong."""
    wrong = answer("/v0/markets/positions/1/carol", {"username": "carol", "yesSharesOwned": 5, "noSharesOwned": 0, "value": 0})
    stale = answer("/v0/markets", {"markets": [{"market": {"id": 1}, "totalVolume": 30}]})
    for others, state in (((answer(*RIGHT[0]),), "inconclusive"), ((), "inconclusive"), ((stale,), "inconclusive"), ((wrong,), "fail")):
        found = judged(*others, record)
        assert (found.state, found.looked_at, found.of) == (state, len(others), len(others) + 1)
        assert f"1 record could not be read as an answer, the first is record {len(others) + 1}" in found.why


def test_r8_is_required_when_answers_are_given() -> None:
    """Answers that show nothing known leave the verdict inconclusive, never a pass."""
    ledger = settled(town(ORDERS), ERAS)
    v = verify(ledger, ERAS, journal=None, answers=[answer("/v0/home", {})], written_by="")
    assert v.verdict == "inconclusive"


@pytest.mark.captured
def test_answers_of_real_servers() -> None:
    """Every captured answer: wrong numbers only where the truth names R8; the pages of every release are understood."""
    if not SHARED.exists():
        pytest.skip("needs ../shared: answers real servers gave")
    for file in sorted(SHARED.rglob("answers.ndjson.xz")):
        case = file.parent
        if "load" in case.name or "medium" in case.name or "upgraded" in case.name:
            continue
        truth = json.loads((case / "truth.json").read_text())["violated"] if (case / "truth.json").exists() else []
        receipts = case / "journal.ndjson.xz"
        v = verify_ledger(
            case / "ledger.sqlite",
            ruleset=str(case / "rules.json"),
            answers=str(file),
            receipts=str(receipts) if receipts.exists() else None,
        )
        found = next(c for c in v.checks if c.id == "R8")
        shows_what_it_paid = case.parts[-2:] == ("04-work-profit", "buggy")  # the profit of work it cut short, which the truth leaves to R6
        wanted = shows_what_it_paid or any(x["check"].startswith("R8") for x in truth)
        assert (found.state == "fail") == wanted, (case, found.examples[:1])
        assert found.looked_at > found.of * (0.3 if "11-" in str(case) else 0.7), case


@pytest.mark.captured
@pytest.mark.parametrize(
    ("page", "field"),
    [
        ("/v0/markets/positions/3", "value"),
        ("/v0/market-groups/1/positions", "yesSharesOwned"),
        ("/v0/users/bob/financial", "accountBalance"),
        ("/v0/userposition/1", "Value"),
        ("/v0/usercredit/bob", "credit"),
        ("/v0/markets/bets/1", "probability"),
        ("/v0/markets/bets/1", "amount"),
        ("/v0/markets/1/leaderboard", "currentValue"),
        ("/v0/read/markets/1/summary", "totalVolume"),
        ("/v0/markets/1", "numUsers"),
        ("/v0/market-groups/1", "lastProbability"),
        ("/v0/market-groups/1", "totalVolume"),
        ("/v0/market-groups/1", "probability"),
    ],
)
def test_a_changed_answer_of_a_real_server_is_found(page: str, field: str, tmp_path: Path) -> None:
    """One number of one page of v3.8.1's own answers changed: R8 fails, once."""
    if not SHARED.exists():
        pytest.skip("needs ../shared: answers real servers gave")
    case = SHARED / "captured/v3.8.1-small"
    records = [json.loads(x) for x in lzma.decompress((case / "answers.ndjson.xz").read_bytes()).splitlines()]

    def change(x: Any) -> bool:
        """Add 7 to the last such number; whether there was one."""
        inside = x.values() if isinstance(x, dict) else x if isinstance(x, list) else ()
        if any(change(y) for y in reversed(list(inside))):
            return True
        if isinstance(x, dict) and isinstance(x.get(field), (int, float)) and x.get("username") != "admin":
            x[field] += 7
            return True
        return False

    assert any(change(r["body"]) for r in records if r["path"].split("?")[0] == page and r["status"] == 200 and r["as"] != "newbie")
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, records)))
    receipts = str(case / "journal.ndjson.xz")
    v = verify_ledger(case / "ledger.sqlite", ruleset="v3.8.1", answers=str(tmp_path / "a.ndjson"), receipts=receipts)
    assert next(c.violations for c in v.checks if c.id == "R8") == 1


def test_a_wrong_page_does_not_make_right_credits_doubtful() -> None:
    """With no rules named and every credit where the newest build puts it, a page no build would show is R8's alone."""
    ledger = settled(town(ORDERS), ERAS)
    right = answer("/v0/markets/positions/1", {"result": {"positions": [{"username": "alice"}, {"username": "bob"}]}})
    wrong = answer("/v0/markets/positions/1", {"result": {"positions": [{"username": "alice"}]}})
    for shown, state in (right, "pass"), (wrong, "fail"):
        v = verify(ledger, None, journal=None, answers=[shown], written_by="")
        states = {c.id: c.state for c in v.checks}
        assert (states["R8"], states["R6"]) == (state, "pass")
        assert any("every credit is where v3.8.1 puts it" in n for n in v.notes)


def test_a_number_of_any_build_that_may_have_shown_it_is_right() -> None:
    """Where several rules may have been in force, each of them in each era explains a number; one that none gives stays wrong."""
    orders = [("alice", 10, "YES", 10), ("bob", 40, "NO", 20), ("bob", 3, "YES", 30), ("carol", 10, "YES", 40), ("bob", -5, "NO", 50)]
    ledger = town(orders)
    eras = possible([("old", None, RELEASES["v2.1.0–v3.1.0"]), ("new", 40_000_000, RELEASES["v3.5.0–v3.8.1"])])
    shown: dict[float, set[int]] = {}
    for era, second in zip(eras.eras, (35, 55), strict=True):
        for rules in era.possible:
            worth = positions(market_rows(ledger)[1][: 5 if second == 55 else 3], rules, "")["alice"].value
            shown.setdefault(second, set()).add(worth)
    assert all(len(values) > 1 for values in shown.values())
    for second, values in shown.items():
        for worth in range(min(values) - 2, max(values) + 3):
            page = answer("/v0/markets/positions/1/alice", {"username": "alice", "value": worth}, second)
            found = r8([page], ledger, replay(ledger, eras, {}), eras)
            assert (found.state == "pass") is (worth in values), (second, worth, found.examples)


UPGRADED = [("alice", 10, "YES", 10), ("bob", 40, "NO", 20), ("bob", 3, "YES", 30)]


def upgrade(until: int | None, since: int | None) -> Eras:
    """v2.1.0 until a second, v3.8.1 since one."""
    old, new = (named(v).eras[0] for v in ("v2.1.0", "v3.8.1"))
    ends = [None if t is None else t * 1_000_000 for t in (until, since)]
    return Eras("upgrade", (msgspec.structs.replace(old, end=ends[0]), msgspec.structs.replace(new, start=ends[1])))


@pytest.mark.parametrize(("until", "since"), [(30, 60), (55, 50)], ids=["between", "in both"])
def test_between_two_eras_what_either_gives_is_right(until: int, since: int) -> None:
    """The last request of a build has its answer, and pages are read, before the next build's first; there both rules may hold, outside of
    it only one, and what the earlier one says nothing of is not judged."""
    ledger, eras = town(UPGRADED), upgrade(until, since)
    rows = market_rows(ledger)[1]
    old, new = (positions(rows, e.rules, "")["alice"].value for e in eras.eras)
    assert old != new

    def state(second: float, worth: int) -> str:
        page = answer("/v0/markets/positions/1/alice", {"username": "alice", "value": worth}, second)
        return r8([page], ledger, replay(ledger, eras, {}), eras).state

    assert [state(52, x) for x in (old, new, old + new)] == ["pass", "pass", "fail"]
    assert [state(30, x) for x in (old, new)] == ["pass", "fail"]
    assert [state(70, x) for x in (old, new)] == ["fail", "pass"]
    sellable = answer("/v0/userposition/1", {"value": old, "yesSellableShares": 100_000}, 52)
    assert r8([sellable], ledger, replay(ledger, eras, {}), eras).state == "pass"


def test_a_kept_page_is_right_by_the_rules_it_was_made_under() -> None:
    """A page a build made and the next one serves as fresh is old by its rules only, and warns; once an order or a result came since, one
    that claims nothing about when it was made, or shows what neither gave, is wrong."""
    later = [*UPGRADED, ("dan", 1, "NO", 80)]
    eras = upgrade(40, 50)
    old, new = (positions(market_rows(town(UPGRADED))[1], e.rules, "")["alice"].value for e in eras.eras)
    assert old != new

    def found(worth: int, made: float | None = 35, orders: Any = UPGRADED, result: str = "", page: str = "leaderboard") -> Check:
        fresh = {"isStale": False} | ({"generatedAt": at(made)} if made else {})
        rows = {"leaderboard": [{"username": "alice", "currentValue": worth}, {"username": "bob"}]}
        body = rows if page == "leaderboard" else {"portfolioItems": [{"marketId": 1, "value": worth}]}
        path = "/v0/markets/1/leaderboard" if page == "leaderboard" else "/v0/portfolio/alice"
        ledger = town(orders, result=result)
        return r8([answer(path, {"result": body | {"freshness": fresh}}, 1100)], ledger, replay(ledger, eras, {}), eras)

    kept = found(old)
    assert kept.state == "warn"
    assert "1 number was right by the rules they were made under, and nothing but the rules changed since" in kept.why
    assert "(/v0/markets/1/leaderboard) 1065.0 s before" in kept.why
    assert (found(old, page="portfolio").state, found(new).state, found(new, made=None).state) == ("warn", "pass", "pass")
    wrong = [found(old, made=None), found(old, made=60), found(old, orders=later), found(old, result="YES"), found(old + new)]
    assert [x.state for x in wrong] == ["fail"] * len(wrong)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v0/userposition/1", {"yesSellableShares": 100_000}),
        ("/v0/users/mod/financial", {"financial": {"workProfits": 100_000}}),
        ("/v0/system/metrics", {"moneyUtilized": {"participationFees": {"value": 100_000}}}),
    ],
)
def test_a_number_some_builds_cannot_be_held_to_is_not_right(path: str, body: Any) -> None:
    """Wrong for the newest build and not known for an older one: with no rules named that is open, never a pass; with rules it is wrong."""
    ledger = settled(town(ORDERS), ERAS)
    for eras, verdict in ((None, "inconclusive"), (ERAS, "fail")):
        v = verify(ledger, eras, journal=None, answers=[answer(path, body)], written_by="")
        assert (v.verdict, check_of(v, "R8").state) == (verdict, verdict)


@pytest.mark.captured
@pytest.mark.parametrize("case", ["captured/v2.1.0-small", "upgraded/upgraded-a", "upgraded/upgraded-b"])
def test_answers_of_an_older_build_are_right_where_no_rules_are_named(case: str, tmp_path: Path) -> None:
    """Real answers of builds that are not the newest their schema fits accuse nobody; one number that no build gives does."""
    folder = SHARED / case
    if not folder.exists():
        pytest.skip("needs ../shared: answers real servers gave")
    assert check_of(verify_ledger(folder / "ledger.sqlite", answers=str(folder / "answers.ndjson.xz")), "R8").state in ("pass", "warn")
    with lzma.open(folder / "answers.ndjson.xz", "rt") as f:
        lines = [json.loads(line) for line in f]
    page = next(x for x in reversed(lines) if x["status"] == 200 and x["body"] and re.fullmatch(r"/v0/markets/positions/\d+", x["path"]))
    body = page["body"]
    rows = body if isinstance(body, list) else body["result"]
    rows[0]["Value" if "Value" in rows[0] else "value"] += 1_000
    (tmp_path / "answers.ndjson").write_text("\n".join(map(json.dumps, lines)))
    found = check_of(verify_ledger(folder / "ledger.sqlite", answers=str(tmp_path / "answers.ndjson")), "R8")
    assert (found.state, found.violations) == ("fail", 1)


def check_of(v: Any, name: str) -> Check:
    return next(c for c in v.checks if c.id == name)


LISTS = re.compile(
    r"/v0/(?:markets/(?P<positions>positions)/|markets/bets/|markets/\d+/leaderboard|market-groups/\d+/(?:positions|leaderboard))"
)


@pytest.mark.captured
def test_parts_of_real_lists_and_rows_left_out_of_them() -> None:
    """Every list v3.8.1 gave as a whole: any part of it is right where it was asked for; without a row that belongs there it is missed."""
    if not SHARED.exists():
        pytest.skip("needs ../shared: answers real servers gave")
    case, rng = SHARED / "captured/v3.8.1-small", random.Random(20261128)
    ledger = read_ledger(case / "ledger.sqlite")
    replayed = replay(ledger, ERAS, {})
    seen = 0
    for line in lzma.decompress((case / "answers.ndjson.xz").read_bytes()).splitlines():
        record = json.loads(line)
        found = LISTS.match(record["path"])
        if found is None or record["status"] != 200 or "?" in record["path"]:
            continue
        result = record["body"]["result"]
        rows = result if isinstance(result, list) else result.get("positions", result.get("leaderboard", result.get("bets")))
        rows[:] = [x for x in rows if not found["positions"] or x["yesSharesOwned"] + x["noSharesOwned"]]
        if not rows:
            continue
        seen, whole = seen + 1, list(rows)
        limit, offset = rng.randrange(1, 6), rng.randrange(3)
        rows[:] = whole[offset : offset + limit]
        more = {} if "market-groups" in record["path"] or isinstance(result, list) else {"total": len(rows)}
        part = record | {"path": f"{record['path']}?limit={limit}&offset={offset}"}
        if more:
            part["body"] = {"result": {**result, **more}}
        assert r8([part], ledger, replayed, ERAS).state in ("pass", "warn"), part["path"]
        rows[:] = whole
        del rows[rng.randrange(len(rows))]
        assert r8([record], ledger, replayed, ERAS).state == "fail", record["path"]
    assert seen > 40


def test_a_number_of_simultaneous_orders_is_right_whichever_came_first() -> None:
    """A page of either order of two in one microsecond is right, in a market and over all; what neither gives is wrong. Of more orders than
    are tried nothing is claimed."""

    def pages(rows: Any) -> list[dict[str, Any]]:
        held = positions(rows, ERAS.eras[0].rules, "")
        mine = held["alice"]
        found = [{"username": u, "yesSharesOwned": p.yes, "noSharesOwned": p.no, "value": p.value} for u, p in held.items()]
        return [
            answer("/v0/markets/positions/1", found),
            answer("/v0/portfolio/alice", {"portfolioItems": [], "totalSharesOwned": mine.yes + mine.no}),
        ]

    def shown(ledger: Any, answers: list[dict[str, Any]]) -> Check:
        return r8(answers, ledger, replay(ledger, ERAS, {}), ERAS)

    ledger = settled(town([*ORDERS[:3], ("bob", 10, "NO", 50), ORDERS[4]]), ERAS)
    rows = market_rows(ledger)[1]
    one, other = pages(rows), pages((*rows[:3], rows[4], rows[3]))
    assert one != other
    assert [shown(ledger, x).state for x in (one, other)] == ["pass", "pass"]
    other[0]["body"][0]["value"] += 100
    assert (shown(ledger, other).state, shown(ledger, other).violations) == ("fail", 1)
    many = settled(town([*ORDERS[:3], *((u, 3 + i, "NO" if i % 2 else "YES", 50) for i, u in enumerate("bcdefg"))]), ERAS)
    rows = market_rows(many)[1]
    wrong = pages((*rows[:3], *(rows[i] for i in (5, 3, 8, 4, 7, 6))))
    check = shown(many, wrong)
    assert (check.state, check.violations) == ("inconclusive", 0)
    assert "may have come in more ways than were tried" in check.why


def test_creation_fees_are_those_the_build_of_their_time_reckons() -> None:
    """Before #750 so many markets at the cost of the day, whatever was stored; since, what was stored, once for a group. A ledger that was
    rolled back to an older build is shown by it as that reckons."""
    dear = msgspec.structs.replace(town(ORDERS).markets[0], id=2, cost=25)
    part = msgspec.structs.replace(dear, id=3, cost=0)
    plain = town(ORDERS)
    ledger = msgspec.structs.replace(plain, markets=(*plain.markets, dear, part), groups=(GROUP,), members=(Member(7, 3),))
    for rules, shown in (("v3.4.0", 30), ("v3.8.1", 10 + 25 + GROUP.cost)):
        eras = named(rules)
        for number, state in ((shown, "pass"), (shown + 1, "fail")):
            page = answer("/v0/system/metrics", {"moneyUtilized": {"marketCreationFees": {"value": number}}})
            assert r8([page], ledger, replay(ledger, eras, {}), eras).state == state, (rules, number)


GROUP = Group(
    id=7, created_at=0, lifecycle="published", cost=12, creator="mod", steward="mod", rejected_at=None, deleted=False,
)  # fmt: skip
