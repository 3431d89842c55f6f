"""Spark judges as the reference does. It needs Java and 400 MB of pyspark, so it is asked once in the pipeline, as the browser is."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from release_dossier.digest import canonical
from release_dossier.errors import Refused
from release_dossier.ledger.generate import Bets, Spec, generate
from release_dossier.ledger.mutants import Made, mutate
from release_dossier.ledger.rulesets import NAMED
from release_dossier.sources import ledger_spark
from release_dossier.sources.ledger_writer import bets_table, tables, writing
from release_dossier.sources.ledgers import verify_ledger
from tests.ledger.test_engines import made, odd_rows

here = pytest.mark.skipif(not ledger_spark.AVAILABLE or shutil.which("java") is None, reason="needs pyspark")


@here
def test_spark_says_what_the_reference_says(tmp_path: Path) -> None:
    """The whole object, but for the name of the engine: a correct ledger, a mutated one and one with rows no server writes."""
    for seed, mutant in ((1, None), (2, "lost-update"), (3, None)):
        world, cohorts = generate(Spec(seed=seed, bets=300, markets=20, users=15, sales=30, rules=NAMED["v3.8.1"][0]))
        m = Made(world, Bets.joined(list(cohorts)))
        if mutant:
            mutate(mutant, m)
        folder = tmp_path / str(seed)
        with writing(str(folder)) as put:
            table = bets_table(m.world, m.bets)
            put("bets", odd_rows(table, random.Random(seed)) if seed == 3 else table)
            for name, rows in tables(m.world):
                put(name, rows)
        spark, python = (verify_ledger(folder, ruleset="v3.8.1", engine=e, threads=2).as_json() for e in ("spark", "python"))
        assert (spark["engine"], python["engine"]) == ("spark", "python")
        assert canonical(spark | {"engine": ""}) == canonical(python | {"engine": ""})


def test_spark_asks_for_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of Parquet, or no pyspark: refused, and what is needed is said."""
    with pytest.raises(Refused, match=r"ledger\.no-spark.*bets\.parquet"):
        verify_ledger(tmp_path / "x.sqlite", ruleset="v3.8.1", engine="spark")
    m = made(random.Random(1), "v3.8.1")
    with writing(str(tmp_path / "l")) as put:
        put("bets", bets_table(m.world, m.bets))
        for name, rows in tables(m.world):
            put(name, rows)
    monkeypatch.setattr(ledger_spark, "AVAILABLE", False)
    with pytest.raises(Refused, match=r"ledger\.no-spark.*no pyspark"):
        verify_ledger(tmp_path / "l", ruleset="v3.8.1", engine="spark")


@here
def test_a_second_session_has_its_own_cores() -> None:
    """The first one's would pass for what `spark-defaults.conf` says."""
    for cores in (1, 2):
        with ledger_spark.session(cores) as spark:
            assert spark.sparkContext.defaultParallelism == cores


@here
def test_spark_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While its tasks run, and of as many orders as there are."""
    monkeypatch.setattr(ledger_spark, "LOOK_S", 0.005)
    world, cohorts = generate(Spec(seed=4, bets=20_000, markets=200, users=50, sales=10, rules=NAMED["v3.8.1"][0]))
    with writing(str(tmp_path / "l")) as put:
        for part in cohorts:
            put("bets", bets_table(world, part))
        for name, rows in tables(world):
            put(name, rows)
    heard: list[tuple[int, int]] = []
    verify_ledger(tmp_path / "l", ruleset="v3.8.1", engine="spark", threads=1, step=lambda done, of: heard.append((done, of)))
    assert {of for _, of in heard} == {20_000}
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert any(0 < done < 20_000 for done, _ in heard)
