"""Ledgers real builds wrote, judged as their truth says: the check, the user, the credits; and what one changed row does."""

from __future__ import annotations

import json
import lzma
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_dossier.digest import canonical
from release_dossier.errors import Refused
from release_dossier.ledger.columns import Ledger, User
from release_dossier.ledger.evidence import readings
from release_dossier.ledger.rulesets import always, microseconds, named, parse_ruleset, parse_timeline
from release_dossier.ledger.verify import Verified, statement_of_account, verify
from release_dossier.sources.ledgers import read_ledger, rules_for, verify_ledger
from tests.town import Town

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared/socialpredict/ledgers"
DATA = ROOT / "src/release_dossier/demo/data"


def unpacked(case: str, to: Path) -> Path:
    """A small capture of the package, its ledger unpacked."""
    for file in (DATA / case).iterdir():
        name = file.name.removesuffix(".xz") if file.name.startswith("ledger") else file.name
        (to / name).write_bytes(lzma.decompress(file.read_bytes()) if file.name.startswith("ledger") else file.read_bytes())
    return to


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked("v3.8.1", tmp_path_factory.mktemp("clean"))


def judge(case: Path, **more: Any) -> Verified:
    return verify_ledger(case / "ledger.sqlite", ruleset=str(case / "rules.json"), receipts=str(case / "journal.ndjson.xz"), **more)


def off(v: Verified) -> dict[str, int]:
    return {str(e.user): int(e.difference) for c in v.checks if c.id == "R6" for e in c.examples}


def failed(v: Verified) -> set[str]:
    return {c.id for c in v.checks if c.state == "fail"}


def test_a_bug_that_shipped(tmp_path: Path) -> None:
    """The build before #770: five users to the credit, and the sales that went too far, each with its market."""
    v = judge(unpacked("before-770", tmp_path))
    assert off(v) == {"alice": 5, "bob": 61, "dave": 28, "erin": 197, "frank": 69}
    assert {"R1", "R6", "T"} <= failed(v)
    assert any(h["fits"] == "over-cashout" for h in v.hypotheses)
    invariants, payouts = readings(v)
    assert (payouts.verdict, payouts.counterexamples[0].text[:28]) == ("fail", "erin has 197 credits too man")
    assert invariants.kind == "ledger-invariants"


@pytest.mark.parametrize("case", ["after-770", "v3.8.0", "v3.8.1"])
def test_clean_ledgers_stay_clean(case: str, tmp_path: Path) -> None:
    """A correct build's ledger passes, with every user looked at."""
    v = judge(unpacked(case, tmp_path))
    assert (v.verdict, off(v), v.totals["unexplained"]) == ("pass", {}, "0")
    assert readings(v)[1].looked_at == v.ledger["users"]


def test_without_receipts_nothing_inside_the_interval_is_claimed(tmp_path: Path) -> None:
    """Frank's 69 are 67 outside the interval; the result says that receipts would sharpen it."""
    case = unpacked("before-770", tmp_path)
    v = verify_ledger(case / "ledger.sqlite", ruleset=str(case / "rules.json"))
    assert off(v)["frank"] == 67
    assert "receipts" in next(c.why for c in v.checks if c.id == "R6")
    assert next(c.state for c in v.checks if c.id == "J1") == "missing"


@pytest.mark.parametrize("engine", ["python", "numba"])
@pytest.mark.parametrize("table", ["markets", "market_groups"])
def test_what_is_marked_deleted_cost_what_it_cost(clean: Path, tmp_path: Path, table: str, engine: str) -> None:
    """A market or group taken from sight gives nobody a credit back: its maker and steward are not accused."""
    shutil.copytree(clean, tmp_path / "c")
    with closing(sqlite3.connect(tmp_path / "c" / "ledger.sqlite")) as db, db:
        assert db.execute(f"UPDATE {table} SET deleted_at = '2030-01-01T00:00:00.000000Z'").rowcount
    v = judge(tmp_path / "c", engine=engine)
    assert (failed(v), off(v)) == ({"S14"} if table == "markets" else set(), {})
    assert v.totals == judge(clean).totals


@pytest.mark.parametrize("engine", ["python", "numba"])
def test_an_answer_left_open_had_its_buyers_too(clean: Path, tmp_path: Path, engine: str) -> None:
    """The server counts the buyers of all answers when it pays a group's steward: one it left open is S7, and nobody's credits."""
    shutil.copytree(clean, tmp_path / "c")
    with closing(sqlite3.connect(tmp_path / "c" / "ledger.sqlite")) as db, db:
        group, steward = db.execute("SELECT id, steward_username FROM market_groups WHERE lifecycle_status = 'resolved'").fetchone()
        child = db.execute("SELECT max(market_id) FROM market_group_members WHERE group_id = ?", (group,)).fetchone()[0]
        db.execute(
            "INSERT INTO users (id, username, user_type, initial_account_balance, account_balance) VALUES (99, 'yve', 'REGULAR', 0, -6)"
        )
        rows = "INSERT INTO bets (id, amount, placed_at, market_id, username, outcome) VALUES (?, ?, ?, ?, 'yve', 'NO')"
        at, end = db.execute("SELECT created_at, final_resolution_date_time FROM markets WHERE id = ?", (child,)).fetchone()
        db.execute("DELETE FROM bets WHERE market_id = ?", (child,))
        db.execute(rows, (990, 5, at, child))
        db.execute("UPDATE markets SET is_resolved = 0, resolution_result = '', lifecycle_status = 'published' WHERE id = ?", (child,))
    before = off(judge(tmp_path / "c", engine=engine)).get(steward, 0)
    with closing(sqlite3.connect(tmp_path / "c" / "ledger.sqlite")) as db, db:
        db.execute("UPDATE bets SET placed_at = ? WHERE id = 990", (end.replace("20", "21", 1),))
    v = judge(tmp_path / "c", engine=engine)
    assert ("S7" in failed(v), off(v).get(steward, 0) - before) == (True, 1)


def test_statement_of_account_ends_in_the_balance(clean: Path) -> None:
    """Every debit and credit with its formula, running to what the rules give, and the stored balance last."""
    v = judge(clean)
    for user in v.source.users:
        account = statement_of_account(v, user.username)
        assert account[-1]["balance"] == str(user.balance)
        if len(account) > 1:
            assert account[-2]["balance"] == str(user.balance)
        assert all(x["formula"] for x in account)


Change = Callable[[sqlite3.Connection], object]
# what is done to a clean ledger → a check that must fail
MUTATIONS: dict[str, tuple[str, str]] = {
    "S1": ("UPDATE bets SET outcome = 'MAYBE' WHERE id = 3", "S1"),
    "S2": ("UPDATE bets SET market_id = 9999 WHERE id = 3", "S2"),
    "S3": ("UPDATE bets SET amount = -1 WHERE id = 1", "S3"),
    "S4": (
        "UPDATE bets SET placed_at = '2030-01-01T00:00:00.000000Z' WHERE id ="
        " (SELECT max(b.id) FROM bets b JOIN markets m ON m.id = b.market_id WHERE m.is_resolved)",
        "S4",
    ),
    "S4b": ("UPDATE bets SET placed_at = '2001-01-01T00:00:00.000000Z' WHERE id = 5", "S4b"),
    "S5": ("UPDATE markets SET resolution_result = '' WHERE id = (SELECT id FROM markets WHERE is_resolved LIMIT 1)", "S5"),
    "S6": ("UPDATE markets SET lifecycle_status = 'proposed' WHERE id = (SELECT market_id FROM bets LIMIT 1)", "S6"),
    "S9": ("UPDATE bets SET amount = -100000 WHERE id = 2", "S9"),
    "S12": ("UPDATE users SET account_balance = -9000 WHERE id = 2", "S12"),
    "S14": ("UPDATE bets SET deleted_at = '2026-01-01T00:00:00.000000Z' WHERE id = 4", "S14"),
    "S17": ("UPDATE users SET account_balance = account_balance + 3 WHERE username = 'admin'", "R6"),
    "R6": ("UPDATE users SET account_balance = account_balance + 1 WHERE id = 3", "R6"),
    "R1": ("UPDATE bets SET amount = amount - 50 WHERE amount < 0 AND id = (SELECT max(id) FROM bets WHERE amount < 0)", "R1"),
    "J1": ("DELETE FROM bets WHERE id = (SELECT max(id) FROM bets)", "J1"),
    "fee": (
        "UPDATE markets SET steward_username = 'alice' WHERE id = (SELECT id FROM markets WHERE resolution_result = 'YES' LIMIT 1)",
        "R6",
    ),
}


@pytest.mark.parametrize("name", list(MUTATIONS))
def test_each_change_is_found(name: str, clean: Path, tmp_path: Path) -> None:
    """One changed row, and the check that is there for it fails."""
    shutil.copytree(clean, tmp_path / "c")
    sql, check = MUTATIONS[name]
    with closing(sqlite3.connect(tmp_path / "c" / "ledger.sqlite")) as db, db:
        assert db.execute(sql).rowcount == 1
    v = judge(tmp_path / "c")
    assert check in failed(v), {c.id: c.why for c in v.checks if c.state != "pass"}
    assert v.verdict == "fail"


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_changed_balance_is_found_to_the_credit(clean: Path, data: st.DataObject) -> None:
    """Whichever user, whatever the amount, also beyond 64 bits: found, exact, and nobody else accused."""
    ledger = read_ledger(clean / "ledger.sqlite")
    eras = named("v3.8")
    user = data.draw(st.sampled_from(ledger.users))
    by = data.draw(st.integers(-(2**70), 2**70).filter(bool))
    changed = tuple(msgspec.structs.replace(u, balance=u.balance + by) if u is user else u for u in ledger.users)
    base = check(ledger, eras)
    v = check(msgspec.structs.replace(ledger, users=changed), eras)
    low, high = base.accounts.expected(user.username)
    balance = user.balance + by
    want = balance - high if balance > high else balance - low if balance < low else 0
    assert off(v) == ({user.username: want} if want else {})


def check(ledger: Ledger, eras: Any) -> Verified:
    return verify(ledger, eras, journal=None, answers=None, written_by="")


def test_order_of_rows_and_idle_users_change_nothing(clean: Path) -> None:
    """Rows in any order give the same accounts; somebody who never bet changes nobody's."""
    ledger = read_ledger(clean / "ledger.sqlite")
    eras = named("v3.8")
    base = check(ledger, eras).as_json()
    turned = msgspec.structs.replace(ledger, bets=ledger.bets[::-1], markets=ledger.markets[::-1], users=ledger.users[::-1])
    assert canonical(check(turned, eras).as_json()) == canonical(base)
    more = msgspec.structs.replace(ledger, users=(*ledger.users, User(9999, "zoe", "REGULAR", 5, 5, False)))
    v = check(more, eras)
    assert v.verdict == "pass"
    assert v.totals == base["totals"]


def refused(call: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as e:
        call()
    return e.value


def test_bad_ledgers_are_refused_by_name(clean: Path, tmp_path: Path) -> None:
    """Each with its own code and place; none takes the program down."""
    assert refused(lambda: read_ledger(tmp_path / "none.sqlite")).code == "ledger.no-source"
    (tmp_path / "text.sqlite").write_text("hello")
    assert refused(lambda: read_ledger(tmp_path / "text.sqlite")).code == "ledger.not-a-ledger"
    (tmp_path / "cut.sqlite").write_bytes((clean / "ledger.sqlite").read_bytes()[:20_000])
    assert refused(lambda: read_ledger(tmp_path / "cut.sqlite")).code in ("ledger.unreadable", "ledger.missing-table")
    (tmp_path / "folder").mkdir()
    assert refused(lambda: read_ledger(tmp_path / "folder")).code == "ledger.missing-table"
    (tmp_path / "folder" / "users.parquet").write_bytes(b"PAR1 and nothing")
    assert refused(lambda: read_ledger(tmp_path / "folder")).code == "ledger.unreadable"


@pytest.mark.parametrize(
    ("sql", "code", "at"),
    [
        ("UPDATE bets SET amount = 'abc' WHERE id = 17", "ledger.column-type", "bets.amount rowid 17"),
        ("UPDATE bets SET amount = 1.5 WHERE id = 17", "ledger.column-type", "bets.amount rowid 17"),
        ("UPDATE users SET account_balance = NULL WHERE id = 2", "ledger.column-type", "users.account_balance rowid 2"),
        ("UPDATE users SET username = NULL WHERE id = 2", "ledger.null-username", "users.username rowid 2"),
        ("UPDATE bets SET placed_at = 'soon' WHERE id = 17", "ledger.column-type", "bets.placed_at rowid 17"),
        ("DROP TABLE markets", "ledger.missing-table", "ledger.sqlite markets"),
        ("ALTER TABLE bets DROP COLUMN outcome", "ledger.missing-column", "ledger.sqlite bets.outcome"),
    ],
)
def test_bad_columns_name_their_place(sql: str, code: str, at: str, clean: Path, tmp_path: Path) -> None:
    """Text in an integer column, NULL where a name must be, a table that is gone: table, column and row."""
    shutil.copy(clean / "ledger.sqlite", tmp_path)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db, db:
        db.execute(sql)
    e = refused(lambda: read_ledger(tmp_path / "ledger.sqlite"))
    assert (e.code, e.at) == (code, at)


def test_unknown_migration_and_no_markets_are_never_a_pass(clean: Path, tmp_path: Path) -> None:
    """A newer schema is said to be unknown; a ledger with nothing in it shows nothing."""
    shutil.copytree(clean, tmp_path / "c")
    with closing(sqlite3.connect(tmp_path / "c" / "ledger.sqlite")) as db, db:
        db.execute("INSERT INTO schema_migrations VALUES ('20991231000000', '2099-12-31')")
    assert judge(tmp_path / "c").verdict == "inconclusive"
    assert judge(tmp_path / "c", assume_schema=True).verdict == "pass"
    with closing(sqlite3.connect(tmp_path / "c" / "ledger.sqlite")) as db, db:
        for table in ("markets", "bets", "market_groups", "market_group_members", "market_group_answer_additions"):
            db.execute(f"DELETE FROM {table}")
    v = verify_ledger(tmp_path / "c" / "ledger.sqlite", assume_schema=True)
    assert v.verdict != "pass"


def test_rules_are_refused_by_key(tmp_path: Path) -> None:
    """Unknown names, keys and values, times that are none, and two sources of rules at once."""
    assert refused(lambda: named("v9")).code == "ledger.unknown-ruleset"
    assert refused(lambda: parse_ruleset({"surprise": 1}, "r.json")).code == "ledger.ruleset"
    assert refused(lambda: parse_ruleset({"sell": "all"}, "r.json")).code == "ledger.ruleset"
    assert refused(lambda: parse_ruleset({"initial_bet_fee": -1}, "r.json")).code == "ledger.ruleset"
    assert refused(lambda: parse_timeline([], "t.json")).code == "ledger.timeline"
    assert refused(lambda: parse_timeline([{"from": "soon", "rules": {}}], "t.json")).code == "ledger.timeline"
    assert refused(lambda: rules_for("v3.8", "t.json")).code == "ledger.two-rules"


def test_rules_of_their_time() -> None:
    """Before, in, between and after eras; between two that differ, both."""
    old, new = NAMED_RULES["v3.7.1"], NAMED_RULES["v3.8.1"]
    value = [
        {
            "from": "2026-01-01T00:00:00Z",
            "until": "2026-02-01T00:00:00Z",
            "version": "a",
            "rules": msgspec.to_builtins(old),
            "note": "ignored",
        },
        {"from": "2026-03-01T00:00:00Z", "until": None, "version": "b", "rules": msgspec.to_builtins(new)},
    ]
    eras = parse_timeline(value, "t.json")
    at = {m: eras.at(microseconds(f"2026-{m}-15T00:00:00Z")) for m in ("01", "02", "04")}
    assert at == {"01": (old,), "02": (old, new), "04": (new,)}
    assert eras.at(microseconds("2025-01-01T00:00:00Z")) == (old,)
    assert always("x", new).at(None) == (new,)


NAMED_RULES = {name: named(name).eras[0].rules for name in ("v3.7.1", "v3.8.1")}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01 00:00:01+00", 1_000_000),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("1970-01-01T01:00:00.1234567+01:00", 123_456),
        ("2026-11-23T01:12:52.125067599Z", 1_795_396_372_125_067),
        ("soon", None),
    ],
)
def test_times_are_cut_as_postgresql_cuts_them(text: str, value: int | None) -> None:
    """Microseconds, finer digits dropped, with and without zone."""
    assert microseconds(text) == value


def test_words_for_people(tmp_path: Path) -> None:
    """Who, how much, why, what next; and the account of one user."""
    case = unpacked("before-770", tmp_path)
    town = Town.__new__(Town)
    town.repo, town.env = tmp_path, {"PATH": "/usr/bin:/bin"}
    from tests.town import START

    town.now = START
    code, out, _ = town.run("ledger", "verify", str(case / "ledger.sqlite"), "--ruleset", str(case / "rules.json"))
    assert code == 10
    assert "erin has 19" in out
    assert "--explain erin" in out
    code, out, _ = town.run("ledger", "verify", str(case / "ledger.sqlite"), "--ruleset", str(case / "rules.json"), "--explain", "erin")
    assert out.splitlines()[0] == "statement of account of erin under the rules of rules.json"
    assert out.splitlines()[-2].split() == ["stored", "balance", "-207", "-207", "users.account_balance"]
    assert out.splitlines()[-1] == "196 credits too many: balance -207, the statement comes to -406 to -403"
    settled = town.dossier("ledger", "settle", str(case / "ledger.sqlite"), "--market", "1")["markets"]
    assert (len(settled), settled[0]["id"]) == (1, 1)
    assert town.dossier("ledger", "rulesets")["rulesets"]["v3.8.1"]["commit"][:8] == "3d978faa"


def captured() -> list[Path]:
    return sorted(p.parent for p in SHARED.rglob("ledger.sqlite")) if SHARED.exists() else []


@pytest.mark.captured
@pytest.mark.parametrize("case", captured() or [None], ids=lambda p: "/".join(p.parts[-2:]) if p else "none")
def test_captured_ledgers(case: Path | None) -> None:
    """SQLite and Parquet give the same bytes; the truth beside a ledger is what is found."""
    if case is None:
        pytest.skip("needs ../shared: ledgers real builds wrote")
    timeline = case / "timeline.json"
    rules = {"timeline": str(timeline)} if timeline.exists() else {"ruleset": str(case / "rules.json")}
    journal = case / "journal.ndjson.xz"
    more: dict[str, Any] = {**rules, "receipts": str(journal)} if journal.exists() else dict(rules)
    v = verify_ledger(case / "ledger.sqlite", **more)
    if (case / "parquet").is_dir():
        other = verify_ledger(case / "parquet", **more)
        assert canonical(other.as_json()["checks"]) == canonical(v.as_json()["checks"])
    truth = case / "truth.json"
    if timeline.exists():
        assert off(v) == {}
    elif truth.exists():
        violated = {x["check"].split("_")[0]: x for x in json.loads(truth.read_text())["violated"]}
        want = {u: x["credits"] for u, x in violated.get("R6", {}).get("users", {}).items()}
        assert off(v) == want
        assert set(violated) - {"R8"} <= failed(v)


@pytest.mark.captured
def test_shown_numbers_are_held_against_their_moment() -> None:
    """R8: positions a buggy build showed are wrong, those of a correct one right, open and resolved."""
    if not SHARED.exists():
        pytest.skip("needs ../shared: answers real servers gave")
    for name, state in (
        ("mutants/01-excess-to-earliest", "fail"),
        ("mutants/00-unchanged", "warn"),  # its metrics call themselves stale
        ("known-bugs/02-valuation/buggy", "fail"),
    ):
        case = SHARED / name
        v = judge(case, answers=str(case / "answers.ndjson.xz"))
        found = next(c for c in v.checks if c.id == "R8")
        assert (found.state, found.looked_at > 10) == (state, True), name


TRUTHS = sorted(p.parent.relative_to(SHARED).as_posix() for p in SHARED.rglob("truth.json") if (p.parent / "rules.json").exists())


@pytest.mark.captured
@pytest.mark.parametrize("case", TRUTHS or ["none"])
@pytest.mark.parametrize("engine", ["python", "numba"])
def test_without_receipts_only_what_the_interval_excludes_is_claimed(case: str, engine: str) -> None:
    """R6 of a ledger alone names every user outside the interval of dust, by how much, and nobody else."""
    if not TRUTHS:
        pytest.skip("the captured ledgers are not beside the project")
    users = json.loads((SHARED / case / "truth.json").read_text())["users"]
    v = verify_ledger(SHARED / case / "ledger.sqlite", ruleset=str(SHARED / case / "rules.json"), engine=engine)
    assert off(v) == {u: x["outside"] for u, x in users.items() if x["outside"]}
