"""A ledger judged on Spark: each task reads the orders of some markets and judges them; what they found is added up here, in order.

The same readers, kernel and laws as on one machine, so the same bytes. Executors need this package and see the folder at the same path.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import msgspec

from release_dossier.aside import Aside, uncollected
from release_dossier.errors import Refused
from release_dossier.ledger.account import Step
from release_dossier.ledger.fast.big import Big
from release_dossier.ledger.fast.judge import Judge, Share, by_columns, concluded
from release_dossier.ledger.judged import Engine, Judged
from release_dossier.ledger.rulesets import Eras
from release_dossier.sources.ledger_columns import rows_within

AVAILABLE = find_spec("pyspark") is not None  # the extra `spark`
DRIVER_MEMORY = "4g"  # at most: what every task found of every user passes through it
LOTS_A_CORE = 4  # and tasks: about, so that one with large markets does not keep the others waiting
LOOK_S = 0.5  # between two looks at how many tasks are done


@contextmanager
def session(threads: int) -> Iterator[Any]:
    """A Spark session where `spark-defaults.conf` says, else on so many local cores; stopped afterwards. One that runs already is used
    as it is, and left running.

    Raises:
        Refused: `ledger.no-spark`.
    """
    if not AVAILABLE:
        raise Refused("ledger.no-spark", at="--engine spark", found="no pyspark", expected="the extra `spark`, and Java 17")
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = (
        SparkSession.builder.appName("dossier ledger")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.ui.showConsoleProgress", "false")
    )
    if not _said("spark.master"):
        builder = builder.master(f"local[{threads}]")
    if not _said("spark.driver.memory"):
        builder = builder.config("spark.driver.memory", DRIVER_MEMORY)
    try:
        spark = builder.getOrCreate()
    except (PySparkException, OSError) as e:
        found = str(e).splitlines()[0]
        raise Refused("ledger.no-spark", at="--engine spark", found=found, expected="Java 17 or newer, on PATH or in JAVA_HOME") from e
    try:
        yield spark
    finally:
        spark.stop()


@cache
def _said(key: str) -> bool:
    """Whether `spark-defaults.conf` says this; asked before the first session, whose own setting would pass for it afterwards."""
    from pyspark import SparkConf

    return bool(SparkConf().contains(key))


def rows_a_lot(rows: int, threads: int, memory_bytes: int) -> int:
    """How many bets a lot of a ledger of so many has at most."""
    return min(rows_within(memory_bytes) // threads, rows // (LOTS_A_CORE * threads))


def by_spark(big: Big, threads: int, step: Step | None = None) -> Engine:
    """An engine whose tasks each judge one lot of markets."""

    def judge(eras: Eras, asked: Mapping[int, int]) -> Judged:
        with session(threads) as spark:
            return judged(spark, big, eras, asked, step)

    return msgspec.structs.replace(by_columns(big, "spark", threads), judge=judge)


def judged(spark: Any, big: Big, eras: Eras, asked: Mapping[int, int], step: Step | None = None) -> Judged:
    """Judge every lot of a ledger on a session, and add up what was found."""
    context = spark.sparkContext
    with uncollected():
        rest = msgspec.structs.replace(big.small, additions=None, stewardships=None, standings=None, snapshots=None)
        given = context.broadcast((msgspec.structs.replace(big, small=rest), eras, dict(asked)))  # what a lot is judged by, no more
        whole = Judge(big, eras, asked, 1)
        few = LOTS_A_CORE * context.defaultParallelism  # each task sends back what it found of every user
        tasks = max(1, len(big.lots) if len(big.lots) <= 2 * few else few)
        shares = context.parallelize(big.lots, tasks).mapPartitions(partial(some_lots, given))
        for share in shares.collect() if step is None else _watched(context, shares.collect, big.live, step):
            whole.add(share)
        return concluded(whole)


def _watched(context: Any, work: Callable[[], list[Share]], live: int, step: Step) -> list[Share]:
    """What the tasks of one job gave, `step` being told how far they are. Ctrl-C ends them: Spark's own handler does."""
    tracker = context.statusTracker()
    with Aside(work) as job:
        while True:
            try:
                return job.result(LOOK_S)
            except TimeoutError:
                for stage in map(tracker.getStageInfo, tracker.getActiveStageIds()):
                    if stage is not None:
                        step(live * stage.numCompletedTasks // stage.numTasks, live)


def some_lots(given: Any, lots: Iterable[tuple[int, int]]) -> Iterator[Share]:
    """What one task does: read the orders of neighbouring markets, lot by lot, and judge them. `given` is a broadcast of ledger, rules and
    what sales asked for. One share for all of them: it has an entry for each user, and goes to whoever asked."""
    big, eras, asked = given.value
    gc.freeze()  # Spark's worker collects garbage after each task: walking what stays, modules and ledger, takes longer than the rest of it
    judge, first, last = Judge(big, eras, asked, 1), None, 0
    for begin, end in lots:
        judge.part(big.lot(begin, end))
        first, last = begin if first is None else first, end
    if first is not None:
        yield judge.share(first, last)
