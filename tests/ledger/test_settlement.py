"""What the rules give, float for float: named vectors, the real code's own answers, and what has no answer."""

from __future__ import annotations

import json
import lzma
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest

from release_dossier.ledger.rulesets import NAMED, Ruleset
from release_dossier.ledger.settlement import (
    Degenerate,
    Position,
    Row,
    go_round,
    may_sell,
    payouts,
    positions,
    probabilities,
    quote,
    sell,
    volume,
)

GOLDEN = Path(__file__).resolve().parents[3] / "shared/socialpredict/kernel/golden-go-v3.8.1.ndjson.xz"
NOW = NAMED["v3.8.1"][0]


def rows(history: str) -> list[Row]:
    """`a Y10,b N10` as orders a second apart."""
    out = []
    for i, word in enumerate(history.split(",")):
        user, order = word.split()
        out.append(Row(user, order[0] == "Y", int(order[1:]), i * 1_000_000, i + 1))
    return out


VECTORS: list[tuple[str, float, list[int], dict[str, int], dict[str, int]]] = [
    ("a Y10", 0.9545454545454546, [10], {"a": 10}, {}),
    ("a Y10,b N10", 0.5, [15, 5], {"a": 20}, {"b": 20}),
    ("a Y10,b Y10,c N1", 0.9318181818181818, [8, 13, 0], {"a": 8, "b": 13}, {}),
    ("alice Y10,bob N10,alice Y10,bob N10,carol Y30", 0.7112676056338029, [41, 10, 9, 10, 0], {"alice": 70}, {"bob": 70}),
    (
        "patrick N50,jimmy N51,jimmy N51,jyron Y10,testuser03 Y30",
        0.20984455958549222,
        [49, 51, 52, 40, 0],
        {"jyron": 192},
        {"jimmy": 123, "patrick": 69},
    ),
    ("A N50,B N25", 0.006578947368421052, [75, 0], {}, {"A": 75}),
    ("A N1,B N1", 0.16666666666666666, [2, 0], {}, {"A": 2}),
    ("a Y1,b Y2,a Y-3,c Y3,c Y1,a N1", 0.75, [1, 40, -120, 60, 24, 0], {"c": 24}, {}),
]


def paid(history: list[Row], result: str) -> dict[str, int]:
    return {u: p.value for u, p in positions(history, NOW, result).items() if p.value > 0}


@pytest.mark.parametrize(("history", "p", "x", "yes", "no"), VECTORS)
def test_vectors(history: str, p: float, x: list[int], yes: dict[str, int], no: dict[str, int]) -> None:
    """Probability, what each order is credited, and who is paid on YES and on NO."""
    h = rows(history)
    r, credited = payouts(h, 1)
    if history != VECTORS[-1][0]:
        assert r == p
    assert credited == x
    assert sum(credited) == volume(h)
    assert paid(h, "YES") == yes
    if no:
        assert paid(h, "NO") == no
    assert paid(h, "N/A") == {}


BIG = "alice Y10,bob N10000,carol N10000,dave Y50000,erin Y50000"


def test_a_sale_can_be_worth_far_more_than_it_cost() -> None:
    """Alice paid 10 and may sell 20 shares at 417 credits each; afterwards she holds 21 again, one of them unlocked."""
    q = quote(rows(BIG), "alice", True, NOW)
    assert (q.owned, q.value, q.sellable, q.price) == (20, 8350, 20, 417)
    after = [*rows(BIG), Row("alice", True, -20, 9_000_000, 9)]
    again = quote(after, "alice", True, NOW)
    assert (again.owned, again.sellable, again.price) == (21, 1, 318)
    assert paid(after, "YES") == {"alice": 6687, "dave": 106613, "erin": 6690}


def test_lots_are_used_up_by_earlier_sales() -> None:
    """Vector 7: after buys, a sale and buys again, 17 of A's 70 shares and all 35 of B's may be sold."""
    h = rows("A N50,B N25,A N-75,A N75,B N10,A N20")
    assert payouts(h, 1)[1] == [18, 18, 18, 17, 17, 17]
    assert (quote(h, "A", False, NOW).owned, quote(h, "A", False, NOW).sellable) == (70, 17)
    assert (quote(h, "B", False, NOW).owned, quote(h, "B", False, NOW).sellable) == (35, 35)


def under(**rules: Any) -> Ruleset:
    return msgspec.structs.replace(NOW, **rules)


def test_each_rule_of_selling() -> None:
    """The same history under the rules of five eras: how many shares, at what price, and why not."""
    h = rows("a Y10,b Y5,c N1")
    assert quote(h, "a", True, under(sell="one_to_one")).price == 1
    owned = quote(h, "a", True, under(sell="owned", valuation="volume"))
    assert owned.sellable == owned.owned > 0
    assert quote(h, "c", False, under(sell="owned")).sellable == 0
    alone = rows("a Y10")
    assert quote(alone, "a", True, under(sell="owned")).sellable == 10
    assert quote(alone, "a", True, under(sell="lots_projection")).sellable == 0
    assert quote(alone, "a", True, NOW).why == "none of their shares is unlocked by a later order of somebody else"
    assert may_sell(h, "a", True, owned.owned + 1, under(sell="owned"))[1]
    big = rows(BIG)
    assert may_sell(big, "alice", True, 20, under(sell="owned"))[1] == ""
    assert may_sell(big, "alice", True, 20, under(sell="projection"))[1].startswith("after it they would")


def test_valuation_scales_to_volume_or_to_shares() -> None:
    """Until #773 values of an open market were stretched to its whole volume."""
    h = rows("a Y10,a N10,b Y1")
    by_volume = sum(p.value for p in positions(h, under(valuation="volume"), "").values())
    by_shares = sum(p.value for p in positions(h, NOW, "").values())
    held = sum(p.yes + p.no for p in positions(h, NOW, "").values())
    assert (by_volume, by_shares) == (21, held)


def test_where_nobody_holds_a_value_above_nothing_each_keeps_his_own() -> None:
    """A pool below nothing can push the probability beyond 1, and the server then shows what a NO share is worth below nothing, where
    somebody holds more it shows 0. Nothing of it is ever paid or sold."""
    below = rows("b Y3,a Y3,a N1,b Y1,b Y-2,b Y2,a Y3,a Y-14")  # v3.8.1 showed these
    assert positions(below, NOW, "") == {"a": Position(0, 1, -1), "b": Position(0, 0, 0)}
    assert quote(below, "a", False, NOW).sellable == 0
    assert not paid(below, "NO")


@pytest.mark.parametrize(
    ("x", "r"), [(2.5, 3), (-2.5, -3), (0.49999999999999994, 0), (1.5, 2), (-0.5, -1), (4503599627370497.5, 4503599627370498)]
)
def test_rounding_is_half_away_from_zero(x: float, r: int) -> None:
    """As Go's math.Round, also where adding a half would round up by itself."""
    assert go_round(x) == r


def test_a_pool_of_minus_one_has_no_answer() -> None:
    """Five legal orders take 1+Y+N to nothing: a typed finding that names the order, not a hang or a NaN."""
    h = rows("alice Y2,alice Y3,alice Y2,bob Y2,alice Y-10")
    with pytest.raises(Degenerate) as e:
        positions(h, NOW, "YES")
    assert e.value.row is not None
    assert e.value.row.id == 5


def test_tied_orders_keep_the_order_of_their_ids() -> None:
    """Probabilities follow the rows as they are given; who gives them sorts by time, then id."""
    assert probabilities(rows("a Y1,b N1"), 1) == [0.5, 0.75, 0.5]


REFUSALS = {
    "NO_POSITION": "NO_POSITION",
    "NO_SELLABLE": "NO_POSITION",
    "bet amount must be greater than zero": "INVALID_AMOUNT",
}


@pytest.mark.captured
def test_the_named_vectors_of_the_real_code() -> None:
    """Fifteen histories as Go answered them: probabilities by their bits, payouts, positions of each result, also with the shown weight."""
    file = GOLDEN.with_name("vectors-go-v3.8.1.json")
    if not file.exists():
        pytest.skip("needs ../shared: the captured answers of the real kernel")
    vectors = json.loads(file.read_text())
    for v in vectors:
        h, go, weight = rows(v["history"]), v["go"], v["subsidization"]
        assert [struct.pack(">d", p).hex() for p in probabilities(h, 1)] == go["p"], v["name"]
        assert payouts(h, 1)[1] == go["x"], v["name"]
        for result, name in (("", "pos"), ("YES", "posYES"), ("NO", "posNO"), ("N/A", "posN/A")):
            held = positions(h, under(settlement_weight=weight), result)
            assert {u: (p.yes, p.no, p.value) for u, p in held.items()} == {u: (x["Y"], x["N"], x["V"]) for u, x in go[name].items()}
    assert len(vectors) == 15


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        (416, (0, 417, 0, 0, 0, "INVALID_AMOUNT")),
        (417, (1, 417, 417, 0, 417, "")),
        (1251, (3, 417, 1251, 0, 1251, "")),
        (1252, (3, 417, 1251, 1, 1250, "")),
        (1255, (3, 417, 1251, 1, 1250, "")),
        (8340, (20, 417, 8340, 0, 8340, "")),
        (99999, (20, 417, 8340, 1, 8339, "")),
    ],
)
def test_what_a_request_to_sell_comes_to(asked: int, want: tuple[int, int, int, int, int, str]) -> None:
    """Whole shares of what was asked for, the rest as dust up to the cap, less than a share refused."""
    s = sell(rows(BIG), "alice", True, asked, NOW)
    assert (s.shares, s.price, s.value, s.dust, s.credit, s.refused.split(":")[0]) == want


def test_a_sale_under_older_rules() -> None:
    """Dust above the cap was refused and never taken off before #740; a sale the projection forbids is refused."""
    old = under(sale_credit="gross", dust_over_cap="refused", max_dust=2, sell="owned")
    assert sell(rows(BIG), "alice", True, 419, old).credit == 417
    assert sell(rows(BIG), "alice", True, 420, old).refused.startswith("DUST_CAP_EXCEEDED: 3")
    assert sell(rows(BIG), "alice", True, 99999, under(sell="projection")).refused.startswith("INSUFFICIENT_SHARES")


@pytest.mark.captured
def test_the_real_code_agrees_bit_for_bit() -> None:
    """1,997 histories with every intermediate result of the real settlement code: probabilities, payouts, positions, quotes."""
    if not GOLDEN.exists():
        pytest.skip("needs ../shared: the captured answers of the real kernel")
    seen = 0
    for line in lzma.decompress(GOLDEN.read_bytes()).splitlines():
        g = json.loads(line)
        h = [Row(u, o == "YES", a, t, i) for i, (u, o, a, t) in enumerate(g["bets"])]
        assert probabilities(h, 1) == g["probabilities"], g["seed"]
        assert payouts(h, 1)[1] == g["payouts"], g["seed"]
        shown = under(settlement_weight=g["display_subsidization"] or 1)
        for result, name in (("", "unresolved"), ("YES", "yes"), ("NO", "no"), ("N/A", "na")):
            want = {u: (p["Y"], p["N"], p["V"]) for u, p in g[f"positions_{name}"].items()}
            assert {u: (p.yes, p.no, p.value) for u, p in positions(h, shown, result).items()} == want, (g["seed"], name)
        for q in g["quotes"]:
            sold = sell(h, q["user"], q["outcome"] == "YES", q["requested"], NOW)
            mine = quote(h, q["user"], q["outcome"] == "YES", NOW)
            if isinstance(q["result"], list):
                assert [sold.shares, sold.price, sold.value, sold.dust, sold.credit] == q["result"], g["seed"]
                assert (mine.sellable, mine.sellable * mine.price) == (q["sellable_shares"], q["sellable_value"]), g["seed"]
            else:
                assert sold.refused.split(":")[0] == REFUSALS[q["result"]], g["seed"]
        seen += 1
    assert seen == 1997
