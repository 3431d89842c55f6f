"""`make ledger-fuzz`: correct ledgers by seed under every ruleset, none of which may be accused, by any engine.
`make ledger-engines`: ledgers by seed, right and wrong, judged by every engine from every kind of file: the same bytes.
`make ledger-mutants`: every mutation, the check that finds it, its first example and what it needs, into docs/ledger-mutants.md."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "ledger-mutants.md"

from release_dossier.digest import canonical  # noqa: E402
from release_dossier.errors import Refused  # noqa: E402
from release_dossier.ledger.checks import Check  # noqa: E402
from release_dossier.ledger.fast.big import from_ledger  # noqa: E402
from release_dossier.ledger.fast.judge import by_columns  # noqa: E402
from release_dossier.ledger.generate import Bets, Spec, as_ledger, generate, requests  # noqa: E402
from release_dossier.ledger.judged import by_rows  # noqa: E402
from release_dossier.ledger.mutants import MUTANTS, Made, mutate  # noqa: E402
from release_dossier.ledger.rulesets import NAMED, always  # noqa: E402
from release_dossier.sources import ledger_spark  # noqa: E402
from release_dossier.sources.ledger_writer import bets_table, tables, writing  # noqa: E402
from release_dossier.sources.ledgers import verify_ledger  # noqa: E402


def made(seed: int, rules: str, bets: int, markets: int, users: int) -> Made:
    world, cohorts = generate(Spec(seed=seed, bets=bets, markets=markets, users=users, sales=25, rules=NAMED[rules][0]))
    return Made(world, Bets.joined(list(cohorts)))


def fuzz(count: int) -> int:
    """Ledgers each with 20 to 300 bets; says of every ruleset how many, with how many bets and sales, and how many were accused."""
    wrong = 0
    distinct = {rules: name for name, (rules, _) in NAMED.items()}  # releases with the same rules give the same ledgers
    for rules in distinct.values():
        began, alarms, orders, sales = time.monotonic(), 0, 0, 0
        eras = always(rules, NAMED[rules][0])
        for seed in range(count):
            m = made(seed, rules, 20 + seed * 37 % 280, 3 + seed % 14, 8 + seed % 25)
            g = as_ledger(m.world, m.bets)
            columns = from_ledger(g)
            assert columns is not None
            for asked in ({}, requests(m.bets)):
                found = by_rows(g).judge(eras, asked)
                accused = [c.id for c in found.checks if c.state in ("fail", "inconclusive")]
                if asked and any(low != high for low, high in (found.accounts.expected(u.username) for u in g.users)):
                    accused.append("not exact with receipts")
                other = by_columns(columns, "numba", 1).judge(eras, asked)
                if msgspec.to_builtins(other.checks) != msgspec.to_builtins(found.checks) or other.totals != found.totals:
                    accused.append("engines differ")
                if accused:
                    alarms += 1
                    print(f"  seed {seed} under {rules}: {', '.join(accused)}")
            orders += len(m.bets.id)
            sales += found.sales
        wrong += alarms
        print(
            f"{rules:8} {count} correct ledgers, {orders:,} bets, {sales:,} sales: {alarms} false alarms ({time.monotonic() - began:.0f} s)"
        )
    return wrong


def engines(count: int) -> int:
    """Every other ledger is mutated; says how many were judged by which engines, and how many objects differed from the reference's."""
    names = ["numba", "duckdb", *(["spark"] if ledger_spark.AVAILABLE else [])]
    began, wrong, failed = time.monotonic(), 0, 0
    with ledger_spark.session(2) if "spark" in names else nullcontext(), tempfile.TemporaryDirectory() as scratch:
        for seed in range(count):
            rng = random.Random(seed)
            rules = rng.choice(list(NAMED))
            m = made(seed, rules, 20 + seed * 37 % 280, 3 + seed % 14, 8 + seed % 25)
            if seed % 2:
                with suppress(Refused):  # no place for it in this world: judged as it is
                    mutate(rng.choice(list(MUTANTS)), m)
            place = Path(scratch) / str(seed)
            files = [place / "parquet", place / "ledger.sqlite"]
            for file in files:
                file.parent.mkdir(exist_ok=True)
                with writing(str(file)) as put:
                    put("bets", bets_table(m.world, m.bets))
                    for name, rows in tables(m.world):
                        put(name, rows)
            objects = [verify_ledger(files[0], ruleset=rules, engine="python").as_json()]
            failed += objects[0]["verdict"] == "fail"
            objects += [verify_ledger(files[0], ruleset=rules, engine=name, threads=2).as_json() for name in names]
            objects += [verify_ledger(files[1], ruleset=rules, engine=name).as_json() for name in ("python", "numba")]
            different = [x["engine"] for x in objects[1:] if canonical(x | {"engine": ""}) != canonical(objects[0] | {"engine": ""})]
            if different:
                wrong += 1
                print(f"  seed {seed} under {rules}: {', '.join(different)} differ from the reference")
            shutil.rmtree(place)
    print(
        f"{count} ledgers, {failed} of them wrong, from Parquet by python, {', '.join(names)}, from SQLite by python, numba: "
        f"{wrong} differ ({time.monotonic() - began:.0f} s)"
    )
    return wrong


def mutants() -> int:
    """Write the table; how many mutations were missed."""
    rows, missed = [], 0
    for name, mutant in MUTANTS.items():
        found = next(filter(None, (_caught(name, rules) for rules in ("v3.8.1", "v3.5.2", "v3.2.0", "v2.1.0"))), None)
        if found is None:
            missed += 1
            print(f"{name}: not caught by {mutant.check}")
            rows.append(f"| {name} | {mutant.about} | missed | | |")
            continue
        check, alone = found
        needs = "ledger" if alone else "ledger and receipts"
        example = check.examples[0].why if check.examples else check.why
        rows.append(f"| {name} | {mutant.about} | {check.id} | {example} | {needs} |")
    head = (
        "# What a wrong ledger shows\n\nMade by `make ledger-mutants` from generated ledgers of 1,200 bets\n"
        "(`dossier ledger generate --mutant NAME`). "
        "Each defect bites at up to five places; the check is the one that must find it, in the first world that has a place for it.\n"
        "`ledger and receipts`: it lies inside the interval that dust leaves open, and shows only where the requests are known.\n\n"
        "| mutation | what is wrong | check | first example | needs |\n|---|---|---|---|---|\n"
    )
    PAGE.write_text(head + "\n".join(rows) + "\n")
    print(f"{len(MUTANTS) - missed} of {len(MUTANTS)} mutations caught; {PAGE.relative_to(ROOT)}")
    return missed


def _caught(name: str, rules: str) -> tuple[Check, bool] | None:
    """(the check that failed, whether the ledger alone shows it) in the first world with a place for the mutation."""
    for seed in range(12):
        m = made(seed, rules, 1200, 40, 30)
        try:
            mutate(name, m)
        except Refused:
            continue
        engine, eras = by_rows(as_ledger(m.world, m.bets)), always(rules, NAMED[rules][0])
        alone, told = (engine.judge(eras, asked).checks for asked in ({}, requests(m.bets)))
        wanted = MUTANTS[name].check
        failed = next((c for c in told if c.id == wanted and c.state == "fail"), None)
        return None if failed is None else (failed, any(c.id == wanted and c.state == "fail" for c in alone))
    return None


if __name__ == "__main__":
    what = sys.argv[1]
    sys.exit(bool(mutants() if what == "mutants" else {"fuzz": fuzz, "engines": engines}[what](int(sys.argv[2]))))
