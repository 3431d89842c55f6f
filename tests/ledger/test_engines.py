"""Engines over columns say what the reference says, to the byte: on captured ledgers, generated ones, wrong ones and broken ones."""

from __future__ import annotations

import pickle
import random
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from release_dossier.digest import canonical
from release_dossier.errors import Refused
from release_dossier.ledger.columns import Addition, Bet, Group, Ledger, Market, Member, Snapshot, Standing, Stewardship, User
from release_dossier.ledger.fast.big import Big, Orders, from_ledger
from release_dossier.ledger.fast.judge import Judge, by_columns, concluded, whole
from release_dossier.ledger.fast.names import NOBODY, filled, found, mark_of
from release_dossier.ledger.generate import EPOCH, Bets, Spec, as_ledger, generate, requests
from release_dossier.ledger.judged import Judged, by_rows
from release_dossier.ledger.mutants import MUTANTS, Made, mutate
from release_dossier.ledger.rulesets import NAMED, Era, Eras, always, named
from release_dossier.ledger.verify import statement_of_account, verify
from release_dossier.sources import ledger_bets, ledger_columns, ledger_postgres_copy
from release_dossier.sources.ledger_bets import Names
from release_dossier.sources.ledger_columns import from_folder, from_sqlite
from release_dossier.sources.ledger_writer import bets_table, tables, writing
from release_dossier.sources.ledgers import read_ledger, rules_for, verify_ledger
from tests.ledger.servers import Server
from tests.ledger.test_findings import RACE
from tests.ledger.test_rules import settled, town

SHARED = Path(__file__).resolve().parents[3] / "shared/socialpredict/ledgers"


def made(rng: random.Random, rules: str) -> Made:
    spec = Spec(
        seed=rng.randrange(10**6), bets=rng.choice([0, 1, 30, 150, 300]), markets=rng.randint(1, 30), users=rng.randint(8, 30),
        sales=rng.choice([0, 25, 60]), rules=NAMED[rules][0],
    )  # fmt: skip
    world, cohorts = generate(spec)
    return Made(world, Bets.joined(list(cohorts)))


def broken(g: Ledger, rng: random.Random) -> Ledger:
    """Some rows changed into what no server writes."""
    rows: dict[str, list[Any]] = {"users": list(g.users), "bets": list(g.bets), "markets": list(g.markets)}
    moments = [b.placed_at for b in g.bets] or [5]
    names, marks = [u.username for u in g.users], [m.id for m in g.markets]
    for _ in range(rng.randint(1, 4)):
        table = rng.choice([t for t, r in rows.items() if r])
        i = rng.randrange(len(rows[table]))
        row = rows[table][i]
        changes: list[dict[str, Any]]
        if isinstance(row, Bet):
            changes = [
                {"outcome": rng.choice(["MAYBE", "", "yes"])}, {"amount": rng.choice([0, -1, -1000, 2**51, 10**6])}, {"deleted": True},
                {"username": rng.choice([None, "nobody", *names])}, {"market_id": rng.choice([None, 999, *marks])},
                {"placed_at": rng.choice([None, 10**15, *moments])}, {"placed_at": rng.choice(moments), "market_id": rng.choice(marks)},
            ]  # fmt: skip
        elif isinstance(row, User):
            changes = [{"balance": row.balance + rng.choice([1, -1, -(10**7), 10**9])}, {"deleted": True}]
        else:
            assert isinstance(row, Market)
            made_at = row.created_at or 0
            changes = [
                {"resolved": not row.resolved}, {"result": rng.choice(["YES", "NO", "N/A", "", "X"])},
                {"deleted": True, "created_at": None},
                {"resolved_at": rng.choice([None, 10**15, made_at + 5])}, {"closes_at": None}, {"rejected_at": made_at + 9},
                {"creator": rng.choice(["", "stranger", *names]), "steward": rng.choice(["", "stranger", *names])},
                {"cost": rng.choice([0, 3]) if row.cost is not None else None},
            ]  # fmt: skip
        rows[table][i] = msgspec.structs.replace(row, **rng.choice(changes))
    more: dict[str, Any] = {}
    if g.stewardships is not None and marks and rng.random() < 0.5:
        whose = ["", "stranger", *names]
        changed = [
            Stewardship(rng.choice(marks), rng.choice(whose), rng.choice(moments), rng.choice(whose)) for _ in range(rng.randint(1, 5))
        ]
        more["stewardships"] = (*g.stewardships, *changed)
        standings = [Standing(rng.choice(names), rng.choice(["suspended", "active"]), rng.choice(moments)) for _ in range(4)]
        more["standings"] = (*(g.standings or ()), *standings)
    return msgspec.structs.replace(g, **{t: tuple(r) for t, r in rows.items()}, **more)


def terms(rng: random.Random, rules: str) -> Eras:
    """One ruleset, two in turn with or without a gap, or one of two."""
    mine, other, moment = NAMED[rules][0], NAMED[rng.choice(list(NAMED))][0], EPOCH + 10 * 86_400_000_000
    other = msgspec.structs.replace(other, max_debt=rng.choice([500, 500, 9_000_000]))
    later = moment + rng.choice([1, 86_400_000_000])
    return rng.choice(
        [
            always(rules, mine), always(rules, mine), always(rules, mine),
            Eras("two", (Era(None, moment, "a", other), Era(later, None, "b", mine))), Eras("any", (Era(None, None, "a", mine, (other,)),)),
        ]
    )  # fmt: skip


def same(g: Ledger, eras: Eras, asked: dict[int, int]) -> None:
    big = from_ledger(g)
    assert big is not None
    one, two = by_rows(g), by_columns(big, "numba", 2)
    a, b = one.judge(eras, asked), two.judge(eras, asked)
    assert [msgspec.to_builtins(c) for c in b.checks] == [msgspec.to_builtins(c) for c in a.checks]
    assert (b.totals, b.markets, b.findings, b.sales) == (a.totals, a.markets, a.findings, a.sales)
    assert len(b.accounts.stuck) == len(a.accounts.stuck)
    assert (two.facts.users, two.facts.markets, two.facts.bets, two.facts.last_order) == (
        one.facts.users, one.facts.markets, one.facts.bets, one.facts.last_order,
    )  # fmt: skip
    assert whole(big) == g


@pytest.mark.parametrize("seed", range(4))
def test_columns_say_what_rows_say(seed: int) -> None:
    """Checks, counts, examples, words and totals of 1,000 ledgers: correct, mutated and broken, under one or several rules."""
    rng = random.Random(seed)
    for _ in range(250):
        rules = rng.choice(list(NAMED))
        m = made(rng, rules)
        if rng.random() < 0.4 and len(m.bets.id):
            try:
                mutate(rng.choice(list(MUTANTS)), m)
            except Refused:
                continue
        g = as_ledger(m.world, m.bets)
        same(broken(g, rng) if rng.random() < 0.6 else g, terms(rng, rules), requests(m.bets) if rng.random() < 0.4 else {})


@pytest.mark.parametrize("gone", ["users", "bets", "markets"])
def test_where_there_is_nothing_every_engine_says_so(gone: str) -> None:
    """In the same words; of users that nobody is there, or that all are deleted."""
    g = msgspec.structs.replace(town([("a", 10, "YES", 1), ("b", 4, "NO", 2)], result="YES"), **{gone: ()})
    same(g, always("v3.8.1", NAMED["v3.8.1"][0]), {})
    gone_all = msgspec.structs.replace(g, users=tuple(msgspec.structs.replace(u, deleted=True) for u in g.users))
    same(gone_all, always("v3.8.1", NAMED["v3.8.1"][0]), {})
    r6 = next(c for c in by_rows(gone_all).judge(always("v3.8.1", NAMED["v3.8.1"][0]), {}).checks if c.id == "R6")
    assert (r6.state, r6.why) == ("missing", "there is nothing of the kind")


def test_guesses_do_not_depend_on_the_engine() -> None:
    """A sale of shares nobody had, every balance as its replay gives it: each engine hands over the rows a guess is made of."""
    eras = named("v3.8.1")
    bets = tuple(Bet(i, u, 1, n, side, at * 1000, False) for i, (u, n, side, at) in enumerate(RACE, 1))
    sold = Bet(9, "a", 1, -32, "YES", 4_000_000, False)
    base = town([(u, n, side, 1) for u, n, side, _ in RACE])
    ledger = settled(msgspec.structs.replace(base, bets=(*bets, sold)), eras)
    big = from_ledger(ledger)
    assert big is not None
    for engine in (by_rows(ledger), by_columns(big, "numba", 1)):
        v = verify(ledger, eras, journal=None, answers=None, written_by="", engine=engine)
        assert [c.id for c in v.checks if c.state == "fail"] == ["R1"]
        assert [h["fits"] for h in v.hypotheses] == ["over-cashout", "raced order"]


def joined(parts: list[Orders]) -> Orders:
    """Parts of orders as one."""
    none = [np.zeros(0, np.int64)]
    columns = [np.concatenate([getattr(p, x) for p in parts] or none) for x in ("id", "user", "market", "amount", "yes", "at")]
    before = np.cumsum([0, *(len(p.id) for p in parts)]).tolist()
    return Orders(*columns, {at + i: w for at, p in zip(before, parts, strict=False) for i, w in p.odd.items()})


def added_up(big: Big, eras: Eras, asked: dict[int, int], rng: random.Random) -> Judged:
    """A ledger cut between markets, each piece judged by a judge of its own, what they found carried as bytes and added."""
    p = joined(list(big.parts()))
    count = len(big.markets.id) + len(big.strange)
    edges = sorted({0, count, *(rng.randrange(count + 1) for _ in range(rng.randint(0, 4)))})
    one = Judge(big, eras, asked, 1)
    for first, last in pairwise(edges):
        a, b = np.searchsorted(p.market, [first, last]).tolist()
        columns = [getattr(p, x)[a:b] for x in ("id", "user", "market", "amount", "yes", "at")]
        piece = Judge(big, eras, asked, 1)
        piece.part(Orders(*columns, {i - a: w for i, w in p.odd.items() if a <= i < b}))
        one.add(pickle.loads(pickle.dumps(piece.share(first, last))))  # noqa: S301 - bytes made a moment ago
    return concluded(one)


def as_found(j: Judged) -> Any:
    return [msgspec.to_builtins(x) for x in j.checks], j.totals, j.markets, j.findings, j.sales


@pytest.mark.parametrize("seed", range(2))
def test_a_ledger_split_by_market_adds_up_to_the_whole(seed: int) -> None:
    """Correct, mutated and broken ledgers, cut anywhere between two markets: what the pieces give together is what the reference says."""
    rng = random.Random(seed + 100)
    for _ in range(60):
        rules = rng.choice(list(NAMED))
        m = made(rng, rules)
        if rng.random() < 0.4 and len(m.bets.id):
            try:
                mutate(rng.choice(list(MUTANTS)), m)
            except Refused:
                continue
        g = as_ledger(m.world, m.bets)
        g = broken(g, rng) if rng.random() < 0.6 else g
        big, eras, asked = from_ledger(g), terms(rng, rules), requests(m.bets) if rng.random() < 0.4 else {}
        assert big is not None
        assert as_found(added_up(big, eras, asked, rng)) == as_found(by_rows(g).judge(eras, asked))


@pytest.mark.parametrize(("limits", "above"), [((500, 100), "bceghm"), ((100, 500), "adfi"), ((300, 500), "")])
def test_a_debt_is_held_to_the_limit_of_when_it_was_made(limits: tuple[int, int], above: str) -> None:
    """Whoever last bought, made a market or a group, or had an answer added under the narrower limit owes more than allowed; a sale and a
    part of a group count nothing, who never spent is held to the wider one. Every engine, whole and in pieces, says so."""
    base = NAMED["v3.8.1"][0]
    old, new = (msgspec.structs.replace(base, max_debt=x) for x in limits)
    eras = Eras("two", (Era(None, 50_000_000, "old", old), Era(50_000_000 + 1, None, "new", new)))
    when = {"a": 10, "b": 60, "c": 60, "d": 10, "e": 60, "f": 10, "g": 60, "h": 60, "i": 10, "m": 60, "n": 60}
    bets = [(u, 300, when[u]) for u in "abch"] + [("c", 1, 10), ("d", 300, 10), ("d", -1, 70), ("i", 300, 10)]
    town_of = town([("a", 1, "YES", 1)])
    rows = tuple(Bet(j, u, 2 if u == "h" else 1, n, "YES", at * 1_000_000 + j, False) for j, (u, n, at) in enumerate(bets, 1))
    (first,) = town_of.markets

    def market(id: int, creator: str, at: int, **more: Any) -> Market:
        return msgspec.structs.replace(first, id=id, creator=creator, created_at=at * 1_000_000, **more)

    def group(id: int, creator: str, at: int) -> Group:
        return Group(
            id=id, created_at=at * 1_000_000, lifecycle="published", cost=10, creator=creator, steward="n", rejected_at=None, deleted=False
        )

    markets = (market(1, "m", 60), market(2, "f", 10), market(3, "i", 70), market(4, "a", 70, deleted=True))
    g = msgspec.structs.replace(
        town_of, bets=rows, markets=markets, members=(Member(7, 3),), groups=(group(7, "e", 60), group(8, "f", 10)),
        additions=(Addition(1, 7, 3, "approved", "g", 2, 60_000_000), Addition(2, 7, 0, "rejected", "f", 2, 60_000_000)),
        users=tuple(User(j, u, "REGULAR", 0, -300, False) for j, u in enumerate(when, 1)),
    )  # fmt: skip
    s12 = next(x for x in by_rows(g).judge(eras, {}).checks if x.id == "S12")
    assert "".join(sorted(str(e.user) for e in s12.examples)) == above
    same(g, eras, {})
    big = from_ledger(g)
    assert big is not None
    assert as_found(added_up(big, eras, {}, random.Random(3))) == as_found(by_rows(g).judge(eras, {}))


@pytest.mark.parametrize("migrated", [0, 70], ids=["rolled back to", "upgraded from"])
def test_what_a_build_does_not_know_it_leaves_alone(migrated: int) -> None:
    """A build from before v3.2, rolled back to, resolves a market without its state and takes an order without its summary: both warn.
    Under the build before or after it, or where the schema was not there yet, they fail."""
    new, old = NAMED["v3.8.1"][0], NAMED["v3.0.1"][0]
    eras = Eras("back", (Era(None, 30_000_000, "a", new), Era(40_000_000, 60_000_000, "b", old), Era(80_000_000, None, "c", new)))
    base = town([("a", 10, "YES", 10), ("b", 5, "NO", 20)])
    (market,) = base.markets

    def states(second: int, result: str, lifecycle: str, resolved: bool = True) -> tuple[str, str]:
        late = Bet(3, "a", 1, 5, "YES", second * 1_000_000, False)
        mine = msgspec.structs.replace(
            market, resolved=resolved, result=result, lifecycle=lifecycle, resolved_at=second * 1_000_000 if resolved else None
        )
        g = msgspec.structs.replace(
            base, bets=(*base.bets, late), markets=(mine, msgspec.structs.replace(market, id=2)),
            snapshots=(Snapshot(1, 15, 2, 2, False), Snapshot(2, 0, 0, 0, False)),
            applied=tuple((x, migrated * 1_000_000) for x, _ in base.applied),
        )  # fmt: skip
        same(g, eras, {})
        checks = {x.id: x for x in by_rows(g).judge(eras, {}).checks}
        assert [checks[x].violations for x in ("S5", "S16")] == [1, 1]
        return checks["S5"].state, checks["S16"].state

    left = "warn" if migrated == 0 else "fail"
    assert states(50, "YES", "published") == (left, left)
    assert states(25, "YES", "published") == states(90, "YES", "published") == ("fail", "fail")
    assert states(50, "", "published") == ("fail", left)
    assert states(50, "", "resolved", resolved=False) == ("fail", left)


def captured() -> list[Path]:
    return sorted(p.parent for p in SHARED.rglob("ledger.sqlite")) if SHARED.exists() else []


@pytest.mark.captured
@pytest.mark.parametrize("case", captured() or [None], ids=lambda p: "/".join(p.parts[-2:]) if p else "none")
def test_captured_ledgers(case: Path | None) -> None:
    """The whole object, but for the name of the engine, from SQLite and Parquet, under named rules, a timeline and none."""
    if case is None:
        pytest.skip("needs ../shared: ledgers real builds wrote")
    sources = [s for s in (case / "parquet", case / "ledger.sqlite") if s.exists()]
    own = {"timeline": str(case / "timeline.json")} if (case / "timeline.json").exists() else {"ruleset": str(case / "rules.json")}
    journal = case / "journal.ndjson.xz"
    more: dict[str, Any] = {**own, "receipts": str(journal)} if journal.exists() else dict(own)
    for options in (own, more, {}):
        rows = verify_ledger(sources[-1], engine="python", **options).as_json() | {"engine": ""}
        for source in sources:
            for engine in ("numba", "duckdb") if source.is_dir() else ("numba",):
                columns = verify_ledger(source, engine=engine, threads=2, **options).as_json()
                assert columns["engine"] == engine
                assert canonical(rows) == canonical(columns | {"engine": ""})
    big, eras = from_sqlite(case / "ledger.sqlite"), rules_for(own.get("ruleset"), own.get("timeline"))
    assert eras is not None
    if big is not None:
        assert as_found(added_up(big, eras, {}, random.Random(7))) == as_found(by_rows(read_ledger(case / "ledger.sqlite")).judge(eras, {}))


def test_a_server_read_as_columns_is_the_ledger(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's binary rows in many pieces, odd ones and changed ones among them, which then lie in no order, give what its rows give; a
    moment without end is left to the readers of rows."""
    import psycopg

    monkeypatch.setattr(ledger_postgres_copy, "PIECE_BYTES", 2_000)
    monkeypatch.setattr(ledger_bets, "PIECE_ROWS", 11)
    m = made(random.Random(9), "v3.8.1")
    address = postgres.new()
    with writing(address) as put:
        put("bets", bets_table(m.world, m.bets))
        for name, table in tables(m.world):
            put(name, table)
    for change in (
        "SELECT 1",
        "UPDATE bets SET outcome = 'MÖGLICH', username = 'niemand' WHERE id = 3",
        "UPDATE bets SET market_id = NULL, deleted_at = now() WHERE id = 4",
        "UPDATE bets SET username = 'später', outcome = '' WHERE id = 90",
        "UPDATE bets SET username = 'zuerst', outcome = 'NOT' WHERE id = 2",
        "UPDATE bets SET username = NULL, outcome = 'yes' WHERE id IN (5, 60)",
        "UPDATE bets SET outcome = 'YEA' WHERE id = 91; UPDATE bets SET outcome = 'NA' WHERE id = 92",
        "UPDATE bets SET deleted_at = '1970-01-01Z', placed_at = '0001-01-01Z' WHERE id IN (7, 61)",
        "UPDATE bets SET placed_at = '-infinity' WHERE id = 8",
        "CREATE TABLE kept AS SELECT * FROM bets ORDER BY id DESC; TRUNCATE bets; INSERT INTO bets SELECT * FROM kept",
        "ALTER TABLE bets ALTER market_id TYPE int, ALTER username TYPE varchar(40)",
        "UPDATE users SET account_balance = account_balance - 3 WHERE id = 2",
    ):
        with psycopg.connect(address) as db:
            db.execute(change)  # type: ignore[call-overload]
        rows, columns = (verify_ledger(address, ruleset="v3.8.1", engine=e).as_json() for e in ("python", "numba"))
        assert columns["engine"] == "numba"
        for value in (rows, columns):
            value["engine"] = value["read"] = ""
        assert canonical(rows) == canonical(columns)
    for amount in (-(2**63), 2**52):  # beyond what columns add up: found before the rest of a table no buffer holds has come
        with psycopg.connect(address) as db:
            db.execute("UPDATE bets SET amount = %s WHERE id = 6", (amount,))
            db.execute("DELETE FROM bets WHERE id > 1000")
            row = "SELECT created_at, now(), username, market_id, amount, placed_at, outcome FROM bets WHERE id = 1"
            db.execute(f"INSERT INTO bets SELECT 1000 + g, b.* FROM ({row}) b, generate_series(1, 60000) g")  # type: ignore[arg-type]
        rows, columns = (verify_ledger(address, ruleset="v3.8.1", engine=e) for e in ("python", "numba"))
        assert columns.engine == "python"
        assert rows.as_json() | {"read": ""} == columns.as_json() | {"read": ""}
    for column, moment in (("deleted_at", "infinity"), ("placed_at", "infinity")):
        with psycopg.connect(address) as db:
            db.execute("UPDATE bets SET deleted_at = NULL, placed_at = now() WHERE id = 5")
            db.execute(f"UPDATE bets SET {column} = '{moment}' WHERE id = 5")  # type: ignore[arg-type]
        with pytest.raises(Refused, match=rf"column-type.*bets\.{column} rowid 5"):
            verify_ledger(address, ruleset="v3.8.1", engine="numba")


@pytest.mark.parametrize("rules", ["v2.1.0", "v3.2.0", "v3.8.1"])
def test_a_folder_read_as_columns_is_the_ledger(rules: str, tmp_path: Path) -> None:
    """Same digest, same account of a user, whichever way it is read; rows in any order of files."""
    m = made(random.Random(5), rules)
    with writing(str(tmp_path / "l")) as put:
        put("bets", bets_table(m.world, m.bets).take(list(range(len(m.bets.id)))[::-1]))
        for name, table in tables(m.world):
            put(name, table)
    big = from_folder(tmp_path / "l")
    assert big is not None
    assert big.small.digest == read_ledger(tmp_path / "l").digest
    one, two = (verify_ledger(tmp_path / "l", ruleset=rules, engine=e) for e in ("python", "numba"))
    assert (one.engine, two.engine) == ("python", "numba")
    for user in ("user0000000", "user0000003"):
        assert statement_of_account(one, user) == statement_of_account(two, user)


def test_what_is_more_than_the_memory_is_read_market_by_market(tmp_path: Path) -> None:
    """Odd rows, strange markets and names in it too: the same object, however little is held at once."""
    for seed in range(6):
        rng = random.Random(seed)
        m = made(rng, "v3.8.1")
        folder = tmp_path / str(seed)
        with writing(str(folder)) as put:
            table = bets_table(m.world, m.bets)
            for at in range(0, max(1, len(m.bets.id)), 37):
                put("bets", odd_rows(table.slice(at, 37), rng))
            for name, rows in tables(m.world):
                put(name, rows)
        whole_of_it, streamed = from_folder(folder), from_folder(folder, 20)
        assert whole_of_it is not None
        assert streamed is not None
        assert streamed.small.digest == whole_of_it.small.digest == read_ledger(folder).digest
        assert whole(streamed) == whole(whole_of_it) == read_ledger(folder)
        one, two = (by_columns(b, "numba", 2).judge(always("v3.8.1", NAMED["v3.8.1"][0]), {}) for b in (whole_of_it, streamed))
        assert (one.checks, one.totals, one.markets) == (two.checks, two.totals, two.markets)


def odd_rows(table: Any, rng: random.Random) -> Any:
    """A few rows of a table of bets changed into what no server writes."""
    import pyarrow as pa

    rows = table.to_pylist()
    for _ in range(rng.randint(0, 2) if rows else 0):
        row = rng.choice(rows)
        row |= rng.choice([{"outcome": "MAYBE"}, {"username": "nobody"}, {"username": None}, {"market_id": 999}, {"market_id": None}])
    return pa.Table.from_pylist(rows, table.schema)


@pytest.mark.parametrize("seed", range(20))
def test_names_are_found_as_a_dictionary_finds_them(seed: int) -> None:
    """Empty ones, ones that begin like others, other scripts; those nobody has in order of appearance, whatever pieces they come in."""
    rng = random.Random(seed)
    every = list(
        {"".join(rng.choice(["a", "b", "é", "名", "\U0001f600"]) for _ in range(rng.randint(1, 6))) for _ in range(300)} | {"x" * 400}
    )
    rng.shuffle(every)
    names, strangers = every[: len(every) // 2], every[len(every) // 2 :]
    asked = [rng.choice([None, "", *names, *strangers]) for _ in range(500)]
    known, place = Names(names), {w: i for i, w in enumerate(names)}
    for begin in range(0, 500, 90):
        piece = asked[begin : begin + 90]
        for word in piece:
            if word is not None and word not in place:
                place[word] = len(place)
        column = pa.array(["unused", *piece], pa.string()).dictionary_encode()[1:]
        assert known.of(column).tolist() == [-1 if w is None else place[w] for w in piece]
    assert [*names, *known.strangers] == sorted(place, key=lambda w: place[w])


def text_of(words: list[str]) -> tuple[Any, Any]:
    """Words one after the other, and where each begins."""
    packed = [w.encode() for w in words]
    return np.frombuffer(b"".join(packed), np.uint8), np.cumsum([0, *(len(w) for w in packed)])


def test_names_with_one_mark_are_told_apart() -> None:
    """Also where more are asked for than are looked up together, and where a place in the table has another name's mark."""
    names = [f"user{i:07}"[i % 5 :] for i in range(1_000)]
    asked = [*names[::-1], *("x" * i for i in range(40)), ""]
    (raw, where), known = text_of(asked), text_of(names)
    table, length = filled(*known), np.diff(where)
    length[7] = -1
    place = {w: i for i, w in enumerate(names)}
    expected = [place.get(w, NOBODY) for w in asked]
    expected[7] = -1
    assert found(table, *known, raw, where[:-1], length).tolist() == expected
    for word, number in ((names[2], 2), (names[0], 0), ("nobody", NOBODY)):
        one, _ = text_of([word])
        mark = mark_of(one, 0, len(one))
        run = (mark + np.arange(3)) & 7  # three names in a row, all with the mark of the one asked for
        lying = np.full((8, 2), NOBODY, np.int64)
        lying[run, 0], lying[run, 1] = range(3), mark
        assert found(lying, *known, one, np.zeros(1, np.int64), np.array([len(one)])).tolist() == [number]


@pytest.mark.parametrize("seed", range(30))
def test_lots_end_where_row_groups_do(seed: int) -> None:
    """Every market lies in one lot, none larger than asked for unless one market is; and where groups end, a lot of half as many does."""
    rng = random.Random(seed)
    bets = ledger_bets.Bets(None, Names([]))
    ids = sorted(rng.sample(range(1, 400), 60))
    sizes = [rng.randint(0, 9) for _ in ids]
    cuts = [0, *sorted(rng.sample(range(1, 60), rng.randint(1, 12))), 60]
    groups = [(ids[a], ids[b - 1]) for a, b in pairwise(cuts)]
    bets.ids, bets.counts, bets.strange = np.array(ids), np.array(sizes), []
    bets.spread = [*groups, (0, -1)]
    at_once = rng.randint(20, 120)
    lots = list(bets.lots(at_once))
    assert [i for a, b in lots for i in range(a, b)] == list(range(60))
    assert all(sum(sizes[a:b]) <= at_once or b == a + 1 for a, b in lots)
    for a, b in lots:
        ends = [cut for cut in cuts if at_once // 2 < sum(sizes[a:cut]) <= at_once]
        assert b == 60 or not ends or b in cuts


def test_reading_says_how_far_it_is_and_stops_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Group by group; when the small tables are refused nobody waits for the rest of the large one."""
    world, cohorts = generate(Spec(seed=2, bets=300, markets=20, users=15, sales=10, rules=NAMED["v3.8.1"][0]))
    bets = bets_table(world, Bets.joined(list(cohorts)))
    with writing(str(tmp_path / "l")) as put:
        for at in range(0, len(bets), 20):
            put("bets", bets.slice(at, 20))
        for name, table in tables(world):
            put(name, table)
    seen: list[tuple[int, int]] = []
    assert from_folder(tmp_path / "l", 50, step=lambda done, of: seen.append((done, of))) is not None
    groups = -(-len(bets) // 20)
    assert seen == [(min(20 * i, len(bets)), len(bets)) for i in range(1, groups + 1)]

    def broken(*_: object, **__: object) -> None:
        raise Refused("ledger.column-type", at="x", found="y", expected="z")

    monkeypatch.setattr(ledger_columns, "assemble", broken)
    waited: list[int] = []
    stop = Event()
    monkeypatch.setattr(ledger_columns, "Event", lambda: stop)

    def slowly(done: int, _: int) -> None:
        waited.append(done)
        assert stop.wait(60)

    with pytest.raises(Refused, match=r"ledger\.column-type"):
        from_folder(tmp_path / "l", 50, step=slowly)
    assert len(waited) <= 2 < groups
