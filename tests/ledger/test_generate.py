"""Generated ledgers: the same from the same seed, correct to the credit under every ruleset, and wrong as a named defect when asked."""

from __future__ import annotations

import json
import resource
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click import BadParameter
from click.testing import CliRunner

from release_dossier.cli.ledger import ledger, memory_bytes
from release_dossier.cli.progress import words
from release_dossier.errors import Refused, Unavailable
from release_dossier.ledger.account import Accounts, replay
from release_dossier.ledger.checks import Check, all_checks
from release_dossier.ledger.columns import Ledger
from release_dossier.ledger.fast.kernel import OTHER
from release_dossier.ledger.generate import Bets, Spec, World, as_ledger, generate, requests
from release_dossier.ledger.mutants import MUTANTS, Made, mutate
from release_dossier.ledger.rulesets import NAMED, always
from release_dossier.sources.ledger_writer import bets_table, tables, writing
from release_dossier.sources.ledgers import read_ledger
from tests.ledger.servers import Server

# under which rules a mutation has a place; the newest where nothing is said
ELSEWHERE = {"work-profit-threshold": "v3.5.2"}


def made(seed: int, rules: str, bets: int = 150, markets: int = 12, users: int = 16) -> Made:
    world, cohorts = generate(Spec(seed=seed, bets=bets, markets=markets, users=users, sales=25, rules=NAMED[rules][0]))
    return Made(world, Bets.joined(list(cohorts)))


def judged(ledger: Ledger, rules: str, asked: dict[int, int]) -> tuple[Accounts, list[Check]]:
    eras = always(rules, NAMED[rules][0])
    accounts = replay(ledger, eras, asked)
    return accounts, all_checks(ledger, accounts, eras)


@pytest.mark.parametrize("rules", list(NAMED))
def test_what_is_correct_is_never_accused(rules: str) -> None:
    """No check fails or doubts, without the requests; with them every user is known to the credit."""
    for seed in range(20):
        m = made(seed, rules, markets=3 + seed % 12)
        ledger = as_ledger(m.world, m.bets)
        for asked in ({}, requests(m.bets)):
            accounts, checks = judged(ledger, rules, asked)
            assert [(c.id, c.examples) for c in checks if c.state in ("fail", "inconclusive")] == [], f"seed {seed}"
        assert all(low == high for low, high in (accounts.expected(u.username) for u in ledger.users))


@pytest.mark.parametrize("name", list(MUTANTS))
def test_every_mutation_is_caught(name: str) -> None:
    """By the check it names, in the first world that has a place for it."""
    rules = ELSEWHERE.get(name, "v3.8.1")
    for seed in range(12):
        m = made(seed, rules, bets=1200, markets=40, users=30)
        try:
            mutate(name, m)
        except Refused:
            continue
        failed = {c.id for c in judged(as_ledger(m.world, m.bets), rules, requests(m.bets))[1] if c.state == "fail"}
        assert MUTANTS[name].check in failed
        return
    pytest.fail("no world has a place for it")


def test_an_order_that_is_gone_is_one_that_moved_money() -> None:
    """Not the last one of all where its market was resolved N/A, which gave back what was charged: nobody is off by that."""
    m = made(5, "v3.8.1", 1500, 15, 30)
    last = int(m.bets.market[-1])
    assert m.world.result[last] == OTHER
    assert mutate("order-without-row", m) == 1
    assert int(m.bets.market[-1]) == last
    assert "R6" in {c.id for c in judged(as_ledger(m.world, m.bets), "v3.8.1", requests(m.bets))[1] if c.state == "fail"}


def test_the_same_seed_gives_the_same_ledger_and_another_does_not() -> None:
    """Bets, balances and everything else, in one cohort or in many."""
    one, two, other = (as_ledger(m.world, m.bets) for m in (made(7, "v3.8.1"), made(7, "v3.8.1"), made(8, "v3.8.1")))
    assert one == two != other


def put(m: Made, destination: str, then: type[BaseException] | None = None) -> None:
    with writing(destination) as sink:
        sink("bets", bets_table(m.world, m.bets))
        for name, rows in tables(m.world):
            sink(name, rows)
        if then:
            raise then


def plain(ledger: Ledger) -> dict[str, Any]:
    rows = {f: getattr(ledger, f) for f in ("users", "bets", "markets", "groups", "members", "additions", "schema", "known")}
    return rows | {"snapshots": sorted(ledger.snapshots or (), key=lambda s: s.market_id)}


@pytest.mark.parametrize("rules", ["v2.1.0", "v3.2.0", "v3.8.1"])
def test_what_is_written_is_what_is_read(rules: str, tmp_path: Path) -> None:
    """SQLite and Parquet give back the rows that were made, of every schema."""
    m = made(3, rules, bets=300, markets=40)
    put(m, str(tmp_path / "a.sqlite"))
    put(m, str(tmp_path / "b"))
    read = [read_ledger(tmp_path / "a.sqlite"), read_ledger(tmp_path / "b")]
    assert plain(read[0]) == plain(read[1]) == plain(as_ledger(m.world, m.bets))
    assert read[0].digest == read[1].digest


def test_postgresql_too(postgres: Server, tmp_path: Path) -> None:
    """A server gives back the same ledger; a second one does not go over the first."""
    m = made(3, "v3.8.1", bets=300, markets=40)
    address = postgres.new()
    put(m, address)
    put(m, str(tmp_path / "b"))
    assert read_ledger(address).digest == read_ledger(tmp_path / "b").digest
    with pytest.raises(Refused, match="tables of a ledger"):
        put(m, address)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """A database that does not fit: typed, exit 30, and nothing left."""
    m = made(3, "v3.8.1", bets=3000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    try:
        with pytest.raises(Unavailable) as e:
            put(m, str(tmp_path / "a.sqlite"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (e.value.code, e.value.at) == ("edge.file-system", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise."""
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda file: real(f"file:{file}?mode=ro", uri=True))
    with pytest.raises(Unavailable, match="unable to open database file"):
        put(made(3, "v3.8.1"), str(tmp_path / "a.sqlite"))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there() -> None:
    """May be there later: exit 30, as for reading."""
    with pytest.raises(Unavailable, match="nothing answers there") as e:
        put(made(3, "v3.8.1"), "postgresql://127.0.0.1:1/db")
    assert e.value.code == "ledger.server"


def test_interrupted_nothing_stays(tmp_path: Path) -> None:
    """Ctrl-C in the middle leaves neither the ledger nor a piece of it; what is there already is not touched."""
    m = made(3, "v3.8.1")
    for name in ("a.sqlite", "b"):
        with pytest.raises(KeyboardInterrupt):
            put(m, str(tmp_path / name), KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "b").mkdir()
    with pytest.raises(Refused, match="already"):
        put(m, str(tmp_path / "b"))


def test_the_command(tmp_path: Path) -> None:
    """Sizes and mutation in, one object out; the journal it writes makes every sale exact; bad words are refused."""
    out = str(tmp_path / "l")
    done = CliRunner().invoke(
        ledger, ["generate", out, "--bets", "400", "--receipts", f"{out}.ndjson", "--mutant", "dust-not-taken", "--json"]
    )
    said = json.loads(done.stdout)
    assert (said["bets"], said["markets"], said["check"], said["places"] > 0) == (400, 4, "R6", True)
    done = CliRunner().invoke(ledger, ["verify", out, "--ruleset", "v3.8.1", "--receipts", f"{out}.ndjson", "--json"])
    checks = {c["id"]: c["state"] for c in json.loads(done.stdout)["checks"]}
    assert (checks["R6"], checks["J1"]) == ("fail", "pass")
    assert "excess-to-earliest" in CliRunner().invoke(ledger, ["generate", out, "--mutant", "list"]).stdout
    before = Path(f"{out}.ndjson").read_bytes()
    for more in (["--users", "3"], ["--users", "0"], ["--markets", "0"], ["--bets", "9", "--receipts", f"{out}.ndjson"]):
        refused = CliRunner().invoke(ledger, ["generate", f"{out}2", *more])
        assert isinstance(refused.exception, Refused)
        assert not Path(f"{out}2").exists()
    assert Path(f"{out}.ndjson").read_bytes() == before


def test_worlds_have_every_path_of_money() -> None:
    """Buys, sales, each result, groups resolved and open, answers approved and not, rejections, stewards that changed before and after."""
    world: World = made(1, "v3.8.1", bets=3000, markets=400, users=60).world
    assert {int(r) for r in world.result} == {0, 1, 2, 3}
    assert {g.lifecycle for g in world.groups} == {"resolved", "published", "rejected"}
    assert {a.status for a in world.additions} == {"approved", "pending", "rejected"}
    late = {s.at > int(world.resolved_at[s.market_id - 1]) for s in world.stewardships if world.resolved_at[s.market_id - 1] > 0}
    assert late == {True, False}
    assert {s.stale for s in world.snapshots} == {True, False}
    assert any(m > 0 for m in world.rejected_at)


def test_progress_says_rate_and_time_left() -> None:
    """How much of how much, how fast, how long still; nothing where nobody watches."""
    assert words(4_200_000, 10_000_000, 3.5, "bets") == " 42 %  4,200,000 of 10,000,000 bets · 1,200,000 a second · 5 s left"
    assert words(10, 10, 1.0, "bets") == "100 %  10 of 10 bets · 10 a second"


@pytest.mark.parametrize(("text", "bytes_"), [("2GiB", 2 * 1024**3), ("800MB", 800_000_000), ("4096", 4096), ("1 GiB", 1024**3)])
def test_sizes_of_memory(text: str, bytes_: int) -> None:
    """As people write them; anything else is a matter of usage."""
    assert memory_bytes(text) == bytes_
    with pytest.raises(BadParameter):
        memory_bytes("much")
