"""What a result says beyond its checks: credits of each market, policy, markets without an answer, and guesses at the cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from release_dossier.ledger.account import market_rows, replay
from release_dossier.ledger.columns import Bet
from release_dossier.ledger.fast.big import from_ledger
from release_dossier.ledger.fast.judge import by_columns
from release_dossier.ledger.hypotheses import RULES
from release_dossier.ledger.judged import by_rows
from release_dossier.ledger.receipts import match, read_journal
from release_dossier.ledger.rulesets import Ruleset, always, named
from release_dossier.ledger.settlement import sell
from release_dossier.ledger.verify import Verified, verify
from release_dossier.sources.ledgers import verify_ledger
from tests.ledger.test_ledgers import SHARED, failed
from tests.ledger.test_rules import check, judged, settled, town

ERAS = named("v3.8.1")
BIG = [
    ("alice", 10, "YES", 1),
    ("bob", 10_000, "NO", 2),
    ("carol", 10_000, "NO", 3),
    ("dave", 50_000, "YES", 4),
    ("erin", 50_000, "YES", 5),
]
BURNED = [("a", 10, "YES", 1), ("b", 10, "YES", 2), ("c", 1, "NO", 3)]


def test_credits_of_each_market_and_in_total() -> None:
    """A sale worth 417 credits a share mints 416 each; a pool nobody won is burned; each in its market, with the total beside it."""
    v = judged(settled(town([*BIG, ("alice", -20, "YES", 6)]), ERAS), ERAS)
    assert v.markets == ({"market": "1", "minted_by_sales": "8320", "minted_by_payouts": "0", "burned": "0", "unexplained": "0"},)
    assert v.totals["minted"] == "8320"
    assert check(v, "R5").why.startswith("8320 credits minted")
    v = judged(settled(town(BURNED, result="NO"), ERAS), ERAS)
    assert (v.markets[0]["burned"], v.totals["burned"]) == ("21", "21")
    over = [("a", 1, "YES", 1), ("b", 2, "YES", 2), ("a", -3, "YES", 3), ("c", 3, "YES", 4), ("c", 1, "YES", 5), ("a", 1, "NO", 6)]
    v = judged(settled(town(over, result="YES"), ERAS), ERAS)
    assert v.markets[0]["minted_by_payouts"] == "19"


def test_one_credit_is_one_credit() -> None:
    """In a statement of account, in what was burned, and in what may be sold."""
    ledger = settled(town([("a", 1, "NO", 1)], result="YES"), ERAS)
    assert [x.formula for x in replay(ledger, ERAS, {}).lines["a"] if x.what == "buy"] == ["1 credit on NO"]
    assert check(judged(ledger, ERAS), "R3").why == "1 credit burned: lawful under these rules, and nothing backs it"
    sold = judged(settled(town([("a", 1, "NO", 1), ("b", 1, "NO", 2), ("c", 2, "NO", 3), ("a", -9, "NO", 4)]), ERAS), ERAS)
    assert "may be sold" in check(sold, "R1").examples[0].why
    assert " 1 shares" not in check(sold, "R1").examples[0].why


def test_unexplained_credits_are_a_markets_where_only_it_moved_them() -> None:
    """Of a user with one market, in its line; the sum of all lines and users is the total."""
    ledger = settled(town(BURNED, result="YES"), ERAS)
    users = tuple(msgspec.structs.replace(u, balance=u.balance + (7 if u.username == "a" else 0)) for u in ledger.users)
    v = judged(msgspec.structs.replace(ledger, users=users), ERAS)
    assert [m["unexplained"] for m in v.markets if m["market"] == "1"] == ["7"]
    assert v.totals["unexplained"] == "7"
    other = tuple(msgspec.structs.replace(u, balance=u.balance + {"a": 7, "b": -7}.get(u.username, 0)) for u in ledger.users)
    v = judged(msgspec.structs.replace(ledger, users=other), ERAS)
    assert [m["unexplained"] for m in v.markets if m["market"] == "1"] == [v.totals["unexplained"]] == ["14"]


@pytest.mark.parametrize(
    ("what", "id", "orders", "result", "credits"),
    [("minted", "R5", [*BIG, ("alice", -20, "YES", 6)], "", 8320), ("burned", "R3", BURNED, "NO", 21)],
)
def test_what_is_lawful_and_unbacked_has_its_own_threshold(what: str, id: str, orders: Any, result: str, credits: int) -> None:
    """A warning with its amount at the threshold, a failure one below it."""
    ledger = settled(town(orders, result=result), ERAS)
    assert check(judged(ledger, ERAS, most={what: credits}), id).state == "warn"
    v = judged(ledger, ERAS, most={what: credits - 1})
    assert (check(v, id).state, v.verdict) == ("fail", "fail")
    assert str(credits) in check(v, id).why


DEGENERATE = [(u, a, "YES", i) for i, (u, a) in enumerate([("alice", 2), ("alice", 3), ("alice", 2), ("bob", 2), ("alice", -10)])]


def test_an_open_degenerate_market_leaves_no_account_open() -> None:
    """It pays nothing, and each sale had its price: a credit too many is named, also where one of its users has it, by every engine. Once a
    sale is priced on it, and once it is resolved, nothing says what its users should have."""
    for more, result, known in ([], "", True), ([("bob", -1, "YES", 9)], "", False), ([], "YES", False):
        ledger = settled(town([*DEGENERATE, *more], result=result), ERAS)
        assert check(judged(ledger, ERAS), "T").state == ("pass" if known else "inconclusive")
        richer = tuple(msgspec.structs.replace(u, balance=u.balance + 50 * (u.username == "bob")) for u in ledger.users)
        wrong = msgspec.structs.replace(ledger, users=richer)
        big = from_ledger(wrong)
        assert big is not None
        for engine in (by_rows(wrong), by_columns(big, "numba", 1)):
            v = judged(wrong, ERAS, engine=engine)
            r6 = check(v, "R6")
            assert [(e.user, e.difference) for e in r6.examples] == ([("bob", "50")] if known else [])
            assert (r6.state, check(v, "T").state) == (("fail", "fail") if known else ("inconclusive", "inconclusive"))
            assert v.totals["unexplained"] == ("50" if known else "0")
            assert v.findings[0]["users"] == ["alice", "bob"]


LAWFUL = [
    ("bob", 3, "YES", 1), ("alice", 3, "YES", 2), ("alice", 1, "NO", 3), ("bob", 1, "YES", 4), ("bob", -2, "YES", 5), ("bob", 2, "YES", 6),
    ("alice", 3, "YES", 7), ("alice", -14, "YES", 8),
]  # fmt: skip


@pytest.mark.parametrize("result", ["", "YES", "NO", "N/A"])
def test_a_pool_lawful_sales_took_below_nothing_warns(result: str) -> None:
    """v3.8.1 allowed each of these orders and settled the market: S9 warns with the amount, by every engine. A sale it forbids fails."""
    for orders, state, pool in (LAWFUL, "warn", 3), ([*LAWFUL, ("bob", -6, "YES", 9)], "fail", 9):
        ledger = settled(town(orders, result=result), ERAS)
        big = from_ledger(ledger)
        assert big is not None
        for engine in (by_rows(ledger), by_columns(big, "numba", 1)):
            v = judged(ledger, ERAS, engine=engine)
            s9 = check(v, "S9")
            assert (s9.state, s9.violations, s9.examples[0].difference) == (state, 1, str(-pool))
            assert (s9.why, v.verdict) == (
                ("3 credits below nothing by sales these rules allow, and nothing backs them", "pass") if state == "warn" else ("", "fail")
            )
            assert [f["kind"] for f in v.findings] == ["pool-below-nothing"]


def test_a_degenerate_market_is_a_finding_with_the_orders_that_led_there() -> None:
    """Its kind, the order after which nothing has an answer, the pool after each; resolved, T and its users are not judged."""
    v = judged(settled(town(DEGENERATE, result="YES"), ERAS), ERAS)
    (found,) = v.findings
    assert (found["type"], found["kind"], found["market"]) == ("degenerate-market", "weights-sum-to-nothing", "1")
    assert [o["pool"] for o in found["orders"]] == ["2", "5", "7", "9", "-1"]
    assert found["users"] == ["alice", "bob"]
    assert {"R4", "S9"} <= failed(v)
    assert check(v, "T").state == "inconclusive"
    below = judged(settled(town([("a", 9, "YES", 1), ("b", 5, "NO", 2), ("a", -20, "YES", 3)]), ERAS), ERAS)
    assert [f["kind"] for f in below.findings] == ["pool-below-nothing"]


def wrong_by(ledger: Any, rules: Ruleset) -> Verified:
    """A ledger whose balances follow other rules than it is judged by, with every sale's request known."""
    other = replay(ledger, always("x", rules), {})
    users = tuple(msgspec.structs.replace(u, balance=other.expected(u.username)[0]) for u in ledger.users)
    return judged(msgspec.structs.replace(ledger, users=users), ERAS)


TRADED = [("a", 10, "YES", 1), ("b", 10, "NO", 2), ("c", 30, "YES", 3), ("a", -4, "YES", 4), ("b", 20, "NO", 5), ("a", 5, "NO", 6)]


@pytest.mark.parametrize(
    ("dimension", "value", "name"),
    [("settlement_weight", 10, "settlement weight"), ("work_profit", "threshold", "work profit"), ("work_profit", "none", "work profit")],
)
def test_another_rule_that_explains_every_credit_is_named(dimension: str, value: Any, name: str) -> None:
    """Judged by today's rules, written under another dimension: the guess names it, and how many it explains."""
    v = wrong_by(town(TRADED, result="YES"), msgspec.structs.replace(ERAS.eras[0].rules, **{dimension: value}))
    assert v.verdict == "fail"
    best = [h for h in v.hypotheses if h["fits"] == name]
    assert best
    assert best[0]["explains"] == best[0]["of"]
    assert v.verdict == "fail"


def test_every_rule_of_the_guesses_exists() -> None:
    """Each guess changes a dimension to a value it may have."""
    for dimension, value, _, _ in RULES:
        msgspec.convert(msgspec.to_builtins(msgspec.structs.replace(ERAS.eras[0].rules, **{dimension: value})), Ruleset)


def test_double_resolve_and_half_a_resolve() -> None:
    """Whole payouts too many, with the market and the moment; a payout that never came; and what a journal says of it."""
    ledger = settled(town(TRADED, result="YES"), ERAS)
    a = replay(ledger, ERAS, {})
    won = dict(a.settled[0].winners)
    twice = tuple(msgspec.structs.replace(u, balance=u.balance + 2 * won.get(u.username, 0)) for u in ledger.users)
    v = judged(msgspec.structs.replace(ledger, users=twice), ERAS)
    guess = next(h for h in v.hypotheses if h["fits"] == "double resolve")
    assert (guess["market"], "3 times" in guess["words"], guess["at"][:10]) == ("1", True, "1970-01-01")
    assert "have its payout more than once" in guess["words"]
    assert len(won) > 1
    alone = settled(town([("a", 10, "YES", 1), ("b", 4, "NO", 2)], result="YES"), ERAS)
    due = dict(replay(alone, ERAS, {}).settled[0].winners)["a"]
    for n in (1, 2, 8):
        more = tuple(msgspec.structs.replace(u, balance=u.balance + n * due * (u.username == "a")) for u in alone.users)
        words = [h["words"] for h in judged(msgspec.structs.replace(alone, users=more), ERAS).hypotheses if h["fits"] == "double resolve"]
        assert words == (["market 1 was paid 2 times: a has its payout more than once"] if n == 1 else [])
    never = tuple(msgspec.structs.replace(u, balance=u.balance - won.get(u.username, 0)) for u in ledger.users)
    v = judged(msgspec.structs.replace(ledger, users=never), ERAS)
    assert "half a resolve" in {h["fits"] for h in v.hypotheses}
    requests = [{"path": "/v0/markets/1/resolve", "method": "POST", "status": 204, "actor": "mod", "body": {}}] * 3
    journal = read_journal(requests)
    assert journal.resolves == ((1, 3),)
    told = verify(msgspec.structs.replace(ledger, users=twice), ERAS, journal=journal, answers=None, written_by="")
    again = next(h for h in told.hypotheses if "3 for market 1" in h["words"])
    assert (again["market"], again["at"][:10]) == ("1", "1970-01-01")
    late = msgspec.structs.replace(ledger, users=twice, bets=(*ledger.bets, Bet(99, "a", 1, 5, "YES", 10**12, False)))
    journal = read_journal([{**requests[0], "path": f"/v0/markets/{m}/resolve"} for m in range(1, 20) for _ in range(2)])
    told = verify(late, ERAS, journal=journal, answers=None, written_by="")
    assert "late order" in {h["fits"] for h in told.hypotheses}  # however many markets were resolved again
    assert any("2 for market 12 and of 7 more markets" in h["words"] for h in told.hypotheses)


RACE = [("a", 10, "YES", 1000), ("b", 10, "NO", 2000), ("c", 30, "YES", 3000), ("e", 5, "YES", 3500), ("d", 90, "NO", 3995)]  # milliseconds
MINT = [("a", 10, "YES", 1000), ("b", 10_000, "NO", 2000), ("c", 50_000, "YES", 3000), ("e", 5, "NO", 3500), ("d", 90, "NO", 3995)]


@pytest.mark.parametrize(("orders", "asked"), [(RACE, 20), (RACE, 40), (RACE, 80), (MINT, 4000), (MINT, 9000)])
def test_a_sale_that_raced_an_order_is_said_to_have(orders: list[tuple[str, int, str, int]], asked: int) -> None:
    """Sold on the history without the order five milliseconds before it: the guess says so to the millisecond, from the rows alone and
    with the requests; not where a request was done before the other began, where the order is older, or for another difference."""
    rules = ERAS.eras[0].rules
    bets = tuple(Bet(i, u, 1, n, side, at * 1000, False) for i, (u, n, side, at) in enumerate(orders, 1))
    base = town([(u, n, side, 1) for u, n, side, _ in orders])
    rows = market_rows(msgspec.structs.replace(base, bets=bets))[1]
    raced = sell(rows[:-1], "a", True, asked, rules)
    assert raced.shares > 0
    assert raced != sell(rows, "a", True, asked, rules)

    def verified(at: int, off: int = 0, requests: list[dict[str, Any]] | None = None) -> Verified:
        sold = Bet(9, "a", 1, -raced.shares, "YES", at * 1000, False)
        ledger = settled(msgspec.structs.replace(base, bets=(*bets, sold)), ERAS)
        (sale,) = replay(ledger, ERAS, {9: asked}).sales
        due = replay(ledger, ERAS, {9: asked}).expected("a")[0] - sale.low + raced.credit + off
        users = tuple(msgspec.structs.replace(u, balance=due if u.username == "a" else u.balance) for u in ledger.users)
        made = read_journal(requests) if requests is not None else None
        return verify(msgspec.structs.replace(ledger, users=users), ERAS, journal=made, answers=None, written_by="")

    def asked_for(of_bet: tuple[str, str], of_sale: tuple[str, str], at: str) -> list[dict[str, Any]]:
        bet = {"placedAt": "1970-01-01T00:00:03.995Z"}
        sale = {"transactionAt": at, "sharesSold": raced.shares}
        both = (
            order("/v0/bet", "d", 90, bet, outcome="NO", started_at=of_bet[0], ended_at=of_bet[1]),
            order("/v0/sell", "a", asked, sale, started_at=of_sale[0], ended_at=of_sale[1]),
        )
        return [{"method": "POST", "status": 201, **o} for o in both]

    def said(v: Verified) -> list[str]:
        return [h["words"] for h in v.hypotheses if h["fits"] == "raced order"]

    moment = "1970-01-01T00:00:0{}Z".format
    at, early, late = moment("4.000"), (moment("3.990"), moment("3.998")), (moment("3.999"), moment("4.001"))
    v = verified(4000)
    assert v.verdict in ("fail", "inconclusive")
    if v.verdict == "fail":
        assert any("1 sale of a went as if orders up to 5.0 ms before had not been there" in w for w in said(v)), v.hypotheses
    together = asked_for((moment("3.990"), moment("4.002")), (moment("3.980"), moment("4.010")), at)
    v = verified(4000, requests=together)
    assert check(v, "R6").state == "fail"
    assert any("5.0 ms" in w for w in said(v)), v.hypotheses
    assert not said(verified(4000, requests=asked_for(early, late, at)))
    assert not said(verified(4000, 50, requests=together))
    assert not said(verified(4100, requests=asked_for(early, (moment("3.980"), moment("4.110")), moment("4.100"))))


def test_a_row_of_another_size_is_no_lost_request() -> None:
    """What was accepted and stored otherwise, and what was accepted and not stored, are two guesses."""
    ledger = settled(town([("a", 10, "YES", 1), ("b", 7, "NO", 2)]), ERAS)
    other = order("/v0/bet", "a", 12, {"placedAt": "1970-01-01T00:00:01Z"})
    lost = order("/v0/bet", "a", 99, {"placedAt": "1970-01-01T00:00:09Z"})
    for orders, names in (
        ((other,), {"another row than asked"}),
        ((lost,), {"half a request"}),
        ((other, lost), {"another row than asked", "half a request"}),
    ):
        v = verify(ledger, ERAS, journal=journal(*orders), answers=None, written_by="")
        assert check(v, "J1").state == "fail"
        assert {h["fits"] for h in v.hypotheses} == names
        assert all(h["words"].startswith("1 ") for h in v.hypotheses)


def test_a_guess_for_one_of_many_is_not_made() -> None:
    """One user of nine off by just what undoing an order of theirs would give: a small number, by chance. Of four, it is said."""
    names = "abcdefghi"
    ledger = settled(town([(u, 10 + i, "YES" if i % 2 else "NO", i + 1) for i, u in enumerate(names)]), ERAS)
    for users, said in ((names[:4], True), (names, False)):
        off = dict.fromkeys(users, 997) | {"a": 11}
        wrong = tuple(msgspec.structs.replace(u, balance=u.balance + off.get(u.username, 0)) for u in ledger.users)
        v = judged(msgspec.structs.replace(ledger, users=wrong), ERAS)
        assert check(v, "R6").violations == len(users)
        assert any(h["words"].startswith("a is off by exactly one buy") for h in v.hypotheses) is said


def test_an_order_written_back() -> None:
    """Exactly one order and its fee undone."""
    ledger = settled(town(TRADED, result="YES"), ERAS)
    users = tuple(msgspec.structs.replace(u, balance=u.balance + (31 if u.username == "c" else 0)) for u in ledger.users)
    v = judged(msgspec.structs.replace(ledger, users=users), ERAS)
    assert any(h["fits"] == "lost update" and h["words"].startswith("c is off by exactly one buy") for h in v.hypotheses)


def test_a_clean_ledger_has_no_guesses() -> None:
    """Nothing wrong, nothing guessed; and a guess never changes a verdict."""
    assert judged(settled(town(TRADED, result="YES"), ERAS), ERAS).hypotheses == ()


FITS = {
    "01-over-cashout/buggy": "over-cashout", "02-valuation/buggy": "valuation", "03-sale-dust/buggy": "sale dust",
    "04-work-profit/buggy": "work profit", "10-lost-update/buggy": "lost update", "11-payout-before-save/buggy": "payout before save",
    "12-settlement-weight/buggy": "settlement weight", "mutants/02-na-ignores-sells": "refund without sales",
    "mutants/03-group-work-profit-on-na": "work profit on N/A", "mutants/04-fee-on-every-bet": "fee on every order",
    "mutants/05-late-bets-accepted": "late order", "mutants/06-dust-uncapped": "dust uncapped",
    "mutants/09-fee-not-charged-but-paid": "fee not charged", "captured/v3.8.1-replay": "double resolve",
}  # fmt: skip


@pytest.mark.captured
@pytest.mark.parametrize("case", list(FITS))
def test_guesses_at_real_bugs(case: str) -> None:
    """The first guess at what a real buggy build did is what it did."""
    if not SHARED.exists():
        pytest.skip("needs ../shared: ledgers real builds wrote")
    folder = next(p for p in SHARED.rglob(Path(case).name) if str(p).endswith(case))
    v = verify_ledger(folder / "ledger.sqlite", ruleset=str(folder / "rules.json"), receipts=str(folder / "journal.ndjson.xz"))
    assert v.hypotheses[0]["fits"] == FITS[case]


# The journal against the rows


def journal(*orders: dict[str, Any]) -> Any:
    return read_journal([{"method": "POST", "status": 201, **o} for o in orders])


def order(path: str, user: str, amount: int, reply: Any = None, outcome: str = "YES", **more: Any) -> dict[str, Any]:
    return {"path": path, "actor": user, "body": {"marketId": 1, "amount": amount, "outcome": outcome}, "reply": reply, **more}


def test_a_request_that_cannot_be_read_leaves_the_check_open() -> None:
    """Its place is said; an order that has no row is still found."""
    ledger = settled(town([("a", 10, "YES", 1)]), ERAS)
    kept, lost = order("/v0/bet", "a", 10), order("/v0/bet", "a", 11)
    requests = [{"method": "POST", "status": 201, **o} for o in (kept, kept | {"body": "cut off"})]
    for records, state in (([*requests, None], "inconclusive"), ([*requests, None, {"method": "POST", "status": 201, **lost}], "fail")):
        j1 = check(verify(ledger, ERAS, journal=read_journal(records), answers=None, written_by=""), "J1")
        assert j1.state == state
        if state == "inconclusive":
            assert (j1.looked_at, j1.of) == (1, 3)
            assert j1.why == "2 requests of the journal could not be read, the first is request 1"


def test_a_record_kept_twice_is_one_order() -> None:
    """A log shipped again accuses nobody; the same order begun at another moment, or a record without moments, is one more."""
    ledger = settled(town([("a", 10, "YES", 1)]), ERAS)
    kept = order("/v0/bet", "a", 10, {"placedAt": "1970-01-01T00:00:01Z"}, started_at="1970-01-01T00:00:00.9Z")
    for again, state in ((kept, "pass"), (kept | {"started_at": "1970-01-01T00:00:00.8Z"}, "fail"), (kept | {"started_at": None}, "fail")):
        v = verify(ledger, ERAS, journal=journal(kept, again, again | {"status": 409}), answers=None, written_by="")
        assert check(v, "J1").state == state


def test_accepted_orders_are_held_against_their_rows() -> None:
    """Each has its row; one without, one whose row says another size, and one that cannot be read are each said."""
    ledger = settled(town([("a", 10, "YES", 1), ("b", 5, "YES", 2), ("a", -4, "YES", 3)]), ERAS)
    sold = {"result": {"sharesSold": 4, "transactionAt": "1970-01-01T00:00:03Z"}}
    good = [order("/v0/bet", "a", 10), order("/v0/bet", "b", 5), order("/v0/sell", "a", 5, sold)]
    v = verify(ledger, ERAS, journal=journal(*good), answers=None, written_by="")
    assert check(v, "J1").state == "pass"
    lost = verify(ledger, ERAS, journal=journal(*good, order("/v0/bet", "a", 99)), answers=None, written_by="")
    assert (check(lost, "J1").state, check(lost, "J1").examples[0].difference) == ("fail", "99")
    told = {"result": {"sharesSold": 3, "transactionAt": "1970-01-01T00:00:03Z"}}
    other = verify(ledger, ERAS, journal=journal(*good[:2], order("/v0/sell", "a", 5, told)), answers=None, written_by="")
    assert "its row 3 says 4" in check(other, "J1").examples[0].why
    assert match(journal(*good[:2], order("/v0/sell", "a", 5, told)), ledger).asked == {3: 5}
    for bad in (order("/v0/sell", "a", 5, {"result": {"sharesSold": -4}}), order("/v0/bet", "a", 1, body={"marketId": "x"})):
        unread = verify(ledger, ERAS, journal=journal(*good, bad), answers=None, written_by="")
        assert (
            check(unread, "J1").state,
            "1 request of the journal could not be read, the first is request 3" in check(unread, "J1").why,
        ) == ("inconclusive", True)


def test_a_journal_kept_in_front_of_the_server_is_read_the_same() -> None:
    """There its paths begin with /api; one that has something behind a question mark is the same path."""
    ledger = settled(town([("a", 10, "YES", 1), ("b", 5, "YES", 2)]), ERAS)
    kept = journal(order("/api/v0/bet", "a", 10), order("/v0/bet?from=page", "b", 5), order("/api/v0/markets/1/resolve", "mod", 1))
    assert (match(kept, ledger).rows_without, len(kept.orders), kept.resolves) == (0, 2, ((1, 1),))
    assert journal(order("/api/v0/sell/quote", "a", 10), order("/apiv0/bet", "a", 10), {"path": None}).orders == ()


SOLD = [("a", 10, "YES", 1), ("b", 1000, "NO", 2), ("c", 5000, "YES", 3), ("a", -1, "YES", 10), ("a", -1, "YES", 20), ("b", 1, "NO", 21)]


@pytest.mark.parametrize("reply", [None, {"result": {"sharesSold": 1}}])
def test_a_journal_that_begins_later_than_the_ledger_gives_no_sale_anothers_request(reply: Any) -> None:
    """Where no reply names the moment: by when the request was on its way; else what was asked for is not taken as known."""
    ledger = town(SOLD)
    history = market_rows(ledger)[1]
    price = [sell(history[:i], "a", True, 10**6, ERAS.eras[0].rules).price for i in (3, 4)]
    late = order("/v0/sell", "a", price[1] + 1, reply)
    when = {"started_at": "1970-01-01T00:00:19.9Z", "ended_at": "1970-01-01T00:00:20.1Z"}
    assert match(journal(late | when), ledger).asked == {5: price[1] + 1}
    for begun in ({}, {"started_at": when["started_at"]}):
        found = match(journal(late | begun), ledger)
        assert (found.asked, found.without_row, found.rows_without) == ({}, (), 5)
    early = order("/v0/sell", "a", price[0], reply, started_at="1970-01-01T00:00:09Z")
    both = match(journal(late | {"started_at": when["started_at"]}, early), ledger)
    assert both.asked == {4: price[0], 5: price[1] + 1}
    at_once = [order("/v0/sell", "a", n, reply, started_at="1970-01-01T00:00:09Z", ended_at="1970-01-01T00:00:21Z") for n in price]
    assert match(journal(*at_once), ledger).asked == ({} if price[0] != price[1] else {4: price[0], 5: price[1]})


def test_a_journal_names_the_servers_of_each_era() -> None:
    """Runs of one version, in order of time, a return to an older one included."""
    at = "2026-01-01T00:00:0{}Z".format
    requests = [
        {"path": "/", "started_at": at(i), "ended_at": at(i), "version": v} for i, v in enumerate(["v3.7.1", "v3.7.1", "v3.8.0", "v3.7.1"])
    ]
    assert [v for v, _, _ in read_journal(requests).versions] == ["v3.7.1", "v3.8.0", "v3.7.1"]
