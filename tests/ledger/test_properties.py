"""What holds of every ledger: order, silent users and how it is cut change nothing; any changed credit is found; sums never wrap."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_dossier.digest import canonical
from release_dossier.ledger.account import replay
from release_dossier.ledger.columns import Ledger, User
from release_dossier.ledger.generate import Bets, Spec, as_ledger, generate, requests
from release_dossier.ledger.rulesets import NAMED, always
from release_dossier.ledger.verify import verify
from release_dossier.sources.ledgers import read_ledger, verify_ledger
from tests.ledger.servers import Server, rows
from tests.ledger.test_ledgers import off, unpacked
from tests.ledger.test_postgres import copied

QUICK = settings(max_examples=25, suppress_health_check=list(HealthCheck))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Ledger, str, dict[int, int]]:
    """A ledger that is correct under some release's rules, the release, and what each sale asked for."""
    rules = draw(st.sampled_from(list(NAMED)))
    spec = Spec(seed=draw(st.integers(0, 10**6)), bets=120, markets=draw(st.integers(2, 12)), users=12, sales=25, rules=NAMED[rules][0])
    world, cohorts = generate(spec)
    bets = Bets.joined(list(cohorts))
    return as_ledger(world, bets), rules, requests(bets)


def result(ledger: Ledger, rules: str) -> dict[str, Any]:
    v = verify(ledger, always(rules, NAMED[rules][0]), journal=None, answers=None, written_by="")
    return json.loads(canonical(v.as_json()))  # type: ignore[no-any-return]


@QUICK
@given(world=worlds(), random=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(world: Any, random: Any) -> None:
    """Whatever order every table comes in, the result is the same to the byte."""
    ledger, rules, _ = world
    turned = {
        name: tuple(random.sample(value, len(value)))
        for name in ("users", "bets", "markets", "groups", "members", "additions", "stewardships", "standings", "snapshots")
        if (value := getattr(ledger, name)) is not None
    }
    assert result(msgspec.structs.replace(ledger, **turned), rules) == result(ledger, rules)


@QUICK
@given(world=worlds(), initial=st.integers(-500, 2**62))
def test_a_silent_user_changes_nothing(world: Any, initial: int) -> None:
    """Whoever never did anything and has what he began with leaves every total and every other account as it was."""
    ledger, rules, _ = world
    more = msgspec.structs.replace(ledger, users=(*ledger.users, User(10**9, "zz-silent", "REGULAR", initial, initial, False)))
    a, b = result(ledger, rules), result(more, rules)
    assert (b["verdict"], b["totals"], b["markets"]) == (a["verdict"], a["totals"], a["markets"])


@QUICK
@given(world=worlds(), pieces=st.integers(2, 5))
def test_a_ledger_cut_by_market_adds_up_to_the_whole(world: Any, pieces: int) -> None:
    """The accounts of parts with whole markets and groups, added up, are those of the whole."""
    ledger, rules, asked = world
    eras = always(rules, NAMED[rules][0])
    whole = replay(ledger, eras, asked)
    of_group = {m.market_id: m.group_id for m in ledger.members}

    def part(i: int) -> Ledger:
        mine = {m.id for m in ledger.markets if of_group.get(m.id, m.id) % pieces == i}
        return msgspec.structs.replace(
            ledger,
            users=tuple(msgspec.structs.replace(u, initial=u.initial if i == 0 else 0) for u in ledger.users),
            bets=tuple(b for b in ledger.bets if b.market_id in mine),
            markets=tuple(m for m in ledger.markets if m.id in mine),
            groups=None if ledger.groups is None else tuple(g for g in ledger.groups if g.id % pieces == i),
            additions=None if ledger.additions is None else tuple(a for a in ledger.additions if a.group_id % pieces == i),
        )

    parts = [replay(part(i), eras, asked) for i in range(pieces)]
    for u in ledger.users:
        sums = tuple(sum(p.expected(u.username)[end] for p in parts) for end in (0, 1))
        assert sums == whole.expected(u.username)
    assert sum(len(p.sales) for p in parts) == len(whole.sales)


@QUICK
@given(world=worlds(), data=st.data())
def test_any_single_changed_balance_is_found(world: Any, data: st.DataObject) -> None:
    """Whoever's, by however much, one credit or beyond 64 bits: with the requests known, that user and that difference and nobody else."""
    ledger, rules, asked = world
    who = data.draw(st.sampled_from([u.username for u in ledger.users]))
    by = data.draw(st.one_of(st.sampled_from([1, -1]), st.integers(-(2**70), 2**70).filter(bool)))
    users = tuple(msgspec.structs.replace(u, balance=u.balance + by) if u.username == who else u for u in ledger.users)
    changed = msgspec.structs.replace(ledger, users=users)
    a = replay(changed, always(rules, NAMED[rules][0]), asked)
    wrong = {
        u.username: u.balance - a.expected(u.username)[0] for u in users if not u.deleted and a.expected(u.username) != (u.balance,) * 2
    }
    assert wrong == {who: by}


NEAR = 2**63 - 5


def test_sums_beyond_64_bits_widen(tmp_path: Path, postgres: Server) -> None:
    """Balances near the limit of a bigint, in SQLite and PostgreSQL: each right, their total beyond 2^63, a credit too many found."""
    case = unpacked("v3.8.1", tmp_path)
    with closing(sqlite3.connect(case / "ledger.sqlite")) as db, db:
        for name in ("alice", "bob", "carol"):
            db.execute("UPDATE users SET initial_account_balance = initial_account_balance + ? WHERE username = ?", (NEAR - 10_000, name))
            db.execute("UPDATE users SET account_balance = account_balance + ? WHERE username = ?", (NEAR - 10_000, name))
    v = verify_ledger(case / "ledger.sqlite", ruleset="v3.8.1")
    assert v.verdict == "pass"
    assert sum(u.balance for u in v.source.users) > 2**64
    address = postgres.new()
    copied(case / "ledger.sqlite", address)
    assert read_ledger(address).digest == read_ledger(case / "ledger.sqlite").digest
    rows(address, "UPDATE users SET account_balance = account_balance + 50 WHERE username = 'carol'")
    assert off(verify_ledger(address, ruleset="v3.8.1")).keys() == {"carol"}
