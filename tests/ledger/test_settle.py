"""`ledger settle` and `ledger compare`: what any market gives after any order, and who would be paid differently."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from release_dossier.cli.ledger import _settled
from release_dossier.errors import Refused
from release_dossier.ledger.account import replay
from release_dossier.ledger.rulesets import Era, Eras, named
from release_dossier.ledger.settle import Question, compare, settle
from tests.ledger.test_ledgers import SHARED, unpacked
from tests.ledger.test_rules import town
from tests.town import START, Town

ERAS = named("v3.8.1")
FIVE = [("alice", 10, "YES", 1), ("bob", 10, "NO", 2), ("alice", 10, "YES", 3), ("bob", 10, "NO", 4), ("carol", 30, "YES", 5)]


def one(ledger: Any, **asked: Any) -> dict[str, Any]:
    (found,) = settle(ledger, ERAS, Question(**asked))
    return found


def test_any_market_after_any_order() -> None:
    """After two orders, as it is, and as if it were resolved each way."""
    ledger = town(FIVE)
    after = one(ledger, after=2)
    assert (after["orders"], after["probability"], {p["user"]: p["value"] for p in after["positions"]}) == (
        2,
        0.5,
        {"alice": "13", "bob": "7"},
    )
    now = one(ledger)
    assert (now["probability"], now["volume"], now["payouts"]) == (0.7112676056338029, "70", [])
    assert one(ledger, result="YES")["payouts"] == [{"user": "alice", "credits": "70"}]
    assert one(ledger, result="N/A")["payouts"] == [{"user": u, "credits": c} for u, c in (("alice", "20"), ("bob", "20"), ("carol", "30"))]


def test_what_may_be_sold_and_what_a_sale_comes_to() -> None:
    """Each holder's shares with their price, and the server's answer to a request."""
    now = one(town(FIVE), sale=("alice", True, 7))
    alice = next(p for p in now["positions"] if p["user"] == "alice")
    assert (alice["sellable"], alice["price"]) == ("50", "1")
    assert (now["sale"]["shares"], now["sale"]["credit"], now["sale"]["refused"]) == ("7", "7", "")
    assert one(town(FIVE), sale=("carol", True, 7))["sale"]["refused"].startswith("NO_POSITION")


def test_markets_and_orders_that_are_not_there() -> None:
    """Refused by name."""
    for asked in ({"market": 9}, {"after": 99}, {"market": 9, "after": 1}):
        with pytest.raises(Refused) as e:
            settle(town(FIVE), ERAS, Question(**asked))
        assert e.value.code in ("ledger.unknown-market", "ledger.unknown-order")


def test_a_pool_without_a_probability_to_show_is_settled_all_the_same() -> None:
    """At -10 the weight of what is shown has no answer, and that of money has: positions and payouts are those the server gives."""
    orders = [("a", 30, "YES", 1), ("b", 5, "NO", 2), ("a", -45, "YES", 3), ("b", 40, "YES", 4)]
    now = one(town(orders), result="YES")
    assert (now["volume"], now["probability_shown"], now["why"]) == ("30", None, "")
    winners = replay(town(orders, result="YES"), ERAS, {}).settled[0].winners
    assert now["payouts"] == [{"user": u, "credits": str(c)} for u, c in sorted(winners)] != []


def test_a_market_without_an_answer_says_so() -> None:
    """Five lawful orders bring the pool to −1: no number, no hang, the order named."""
    found = one(
        town([("alice", 2, "YES", 1), ("alice", 3, "YES", 2), ("alice", 2, "YES", 3), ("bob", 2, "YES", 4), ("alice", -10, "YES", 5)])
    )
    assert (found["probability"], found["positions"], "order 5" in found["why"]) == (None, [], True)


def test_two_rulesets_on_one_ledger() -> None:
    """Nobody under the same; who sold what later rules forbid, with the sale, under others."""
    ledger = town([("a", 10, "YES", 1), ("a", -5, "YES", 2), ("b", 3, "NO", 3)], result="YES")
    assert compare((ledger, ERAS), (ledger, ERAS), 10)["users_differ"] == 0
    found = compare((ledger, named("v3.5.2")), (ledger, ERAS), 10)
    assert (found["users_differ"], found["users"][0]["user"], found["users"][0]["for"][0]["what"]) == (1, "a", "sale")
    assert int(found["users"][0]["difference"]) < 0


def test_two_ledgers_under_one_ruleset() -> None:
    """One more order of carol: she, the steward and whoever it moves, and the market whose payout changed."""
    a, b = town(FIVE, result="YES"), town([*FIVE, ("dave", 40, "NO", 6)], result="YES")
    found = compare((a, ERAS), (b, ERAS), 10)
    differ = {u["user"]: int(u["difference"]) for u in found["users"]}
    want = {u: replay(b, ERAS, {}).expected(u)[1] - replay(a, ERAS, {}).expected(u)[1] for u in ("alice", "bob", "carol", "dave", "mod")}
    assert differ == {u: d for u, d in want.items() if d}
    assert found["markets"][0]["market"] == "1"
    assert found["difference"] == str(sum(differ.values()))


def test_commands(tmp_path: Path) -> None:
    """settle with a sale, compare with exit 10 and 0, each refusing what makes no sense."""
    case = unpacked("before-770", tmp_path)
    file = str(case / "ledger.sqlite")
    there = Town.__new__(Town)
    there.repo, there.env, there.now = tmp_path, {"PATH": "/usr/bin:/bin"}, START
    code, out, _ = there.run("ledger", "settle", file, "--after", "20", "--sell", "alice:YES:50", "--result", "open")
    assert (code, "sale:" in out) == (0, True)
    assert there.run("ledger", "settle", file, "--sell", "alice:YES:50")[0] == 2
    for sale in ("alice:MAYBE:x", "alice:YES:²", f"alice:YES:{'9' * 5000}", "alice:YES:-5"):
        assert there.run("ledger", "settle", file, "--market", "1", "--sell", sale)[0] == 2
    assert there.run("ledger", "verify", file, "--memory", "9" * 5000)[0] == 2
    code, out, _ = there.run("ledger", "compare", file, "--ruleset", "v3.5.2", "--other-ruleset", "v3.6.0", "--json")
    assert (code, json.loads(out)["users_differ"] > 0) == (10, True)
    assert there.run("ledger", "compare", file, file)[0] == 0
    assert there.run("ledger", "compare", file)[0] == 2


@pytest.mark.captured
def test_positions_the_real_server_showed() -> None:
    """Every open and resolved market of v3.8.1's capture: settle gives the positions the server's own page shows."""
    if not SHARED.exists():
        pytest.skip("needs ../shared: answers real servers gave")
    import lzma

    from release_dossier.sources.ledgers import read_ledger

    case = SHARED / "captured/v3.8.1-small"
    mine = {m["id"]: m for m in settle(read_ledger(case / "ledger.sqlite"), ERAS, Question())}
    seen = 0
    for line in lzma.decompress((case / "answers.ndjson.xz").read_bytes()).splitlines():
        r = json.loads(line)
        if r["path"].startswith("/v0/markets/positions/") and r["path"].count("/") == 4 and "?" not in r["path"]:
            shown = {(x["username"], x["yesSharesOwned"], x["noSharesOwned"], x["value"]) for x in r["body"]["result"]}
            have = {(p["user"], int(p["yes"]), int(p["no"]), int(p["value"])) for p in mine[int(r["path"].rsplit("/", 1)[1])]["positions"]}
            assert have == shown, r["path"]
            seen += 1
    assert seen > 10


def test_rules_nobody_named_are_those_the_schema_fits(tmp_path: Path) -> None:
    """Of an older release's ledger not the newest ones; and a note says which they were."""
    file = unpacked("v3.8.1", tmp_path) / "ledger.sqlite"
    with closing(sqlite3.connect(file)) as db:
        db.execute("DELETE FROM schema_migrations WHERE id > '20251020140500'")
        db.commit()
    there = Town.__new__(Town)
    there.repo, there.env, there.now = tmp_path, {"PATH": "/usr/bin:/bin"}, START
    note = "no rules were named: these are those of v3.1.0, the newest its schema fits; --ruleset or --timeline says which"
    code, out, _ = there.run("ledger", "settle", str(file))
    assert (code, out.splitlines()[0]) == (0, f"  note: {note}")
    found = json.loads(there.run("ledger", "settle", str(file), "--json")[1])
    assert (found["ruleset"], found["notes"]) == ("v3.1.0", [note])
    found = json.loads(there.run("ledger", "compare", str(file), "--other-ruleset", "v3.8.1", "--json")[1])
    assert (found["a"]["ruleset"], found["b"]["ruleset"], found["notes"]) == ("v3.1.0", "v3.8.1", [note])
    assert found["a"]["digest"] == found["b"]["digest"]
    (tmp_path / "newer").mkdir()
    newer = unpacked("before-770", tmp_path / "newer") / "ledger.sqlite"
    found = json.loads(there.run("ledger", "compare", str(file), str(newer), "--json")[1])
    assert (found["a"]["ruleset"], found["b"]["ruleset"], found["notes"][0]) == ("v3.1.0", "v3.8.1", f"A: {note}")
    assert found["notes"][1].startswith("B: no rules were named: these are those of v3.8.1")
    found = json.loads(there.run("ledger", "compare", str(file), str(newer), "--ruleset", "v3.6", "--json")[1])
    assert (found["a"]["ruleset"], found["b"]["ruleset"], found["notes"]) == ("v3.6", "v3.6", [])
    found = json.loads(there.run("ledger", "settle", str(file), "--ruleset", "v3.8.1", "--json")[1])
    assert (found["ruleset"], found["notes"]) == ("v3.8.1", [])


def test_orders_of_one_microsecond_are_not_put_in_an_order() -> None:
    """Each way they may have come is shown with what it gives; where it changes nothing, nothing is said."""
    tie = [("alice", 10, "YES", 1), ("bob", 7, "YES", 1), ("carol", 1, "NO", 2)]
    now = one(town(tie), result="YES")
    assert "simultaneous orders may have come another way" in now["why"]
    assert [x["payouts"] for x in (now, *now["others"])] == [
        [{"user": "alice", "credits": a}, {"user": "bob", "credits": b}] for a, b in (("9", "9"), ("14", "4"))
    ]
    assert re.search("bob +is paid 9\n  or: probability .*\n(.*\n)+.*bob +is paid 4", _settled([now]))
    same = one(town([("alice", 10, "YES", 1), ("alice", 10, "YES", 1), ("carol", 1, "NO", 2)]))
    assert (same["why"], "others" in same) == ("", False)


def test_a_market_between_two_eras_is_settled_under_both() -> None:
    """What the rules before and after its resolution give, where they differ."""
    eras = Eras("two", tuple(Era(a, b, v, named(v).eras[0].rules) for a, b, v in ((None, 500, "v2.1.0"), (10**13, None, "v3.8.1"))))
    (now,) = settle(town(FIVE, result="YES"), eras, Question())
    assert "either of two eras" in now["why"]
    assert len(now["others"]) == 1


def test_what_is_taken_back_is_not_called_paid(tmp_path: Path) -> None:
    """A market resolved N/A takes from who sold more than he bought; a rejected one is not called open."""
    file = unpacked("v3.8.1", tmp_path) / "ledger.sqlite"
    with closing(sqlite3.connect(file)) as db:
        market, user = db.execute("SELECT market_id, username FROM bets WHERE amount < 0 AND deleted_at IS NULL LIMIT 1").fetchone()
        db.execute("UPDATE bets SET amount = -900 WHERE amount < 0 AND market_id = ? AND username = ?", (market, user))
        empty = db.execute("SELECT id FROM markets WHERE id NOT IN (SELECT market_id FROM bets) AND is_resolved = 0").fetchone()[0]
        db.execute("UPDATE markets SET lifecycle_status = 'rejected' WHERE id = ?", (empty,))
        db.commit()
    there = Town.__new__(Town)
    there.repo, there.env, there.now = tmp_path, {"PATH": "/usr/bin:/bin"}, START
    out = there.run("ledger", "settle", str(file), "--market", str(market), "--result", "N/A")[1]
    assert re.search(rf"{user} +gives back \d+", out)
    assert "is paid -" not in out
    assert ", rejected" in there.run("ledger", "settle", str(file), "--market", str(empty))[1]
