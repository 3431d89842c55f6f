"""The ledger engine on Spark, net of session start: on one local core and on two, and what a bet costs when there are more.
Only the ratios travel. The peer is the machine: the same lots judged by plain processes, on one core and on two, in turns with Spark. What
it does not gain from a second core (a neighbour's work, memory both share) no engine gains.

`python bench/spark.py` judges 10 million bets and 1 million; with `large`, 100 million and 10 million.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cold import keep
from ledger import ERAS, figure, made, spec

from release_dossier.ledger.fast.big import Big
from release_dossier.limits import LEDGER_MEMORY_BYTES
from release_dossier.sources import ledger_columns as columns
from release_dossier.sources import ledger_spark

RUNS = 3
ROUNDS = 3  # of each kind in turns, of the sizes that do not take long
SIZES = {False: (1_000_000, 10_000_000), True: (10_000_000, 100_000_000)}


def judged(how: str, cores: int, folder: Path, bets: int) -> tuple[float, float]:
    """Seconds to read what every row is, and to judge, on so many cores and no other; the better of some runs each.

    A process of its own, held to those cores with all it starts: the threads that read ahead would else use the others.
    """
    command = [sys.executable, __file__, how, str(cores), str(folder), str(bets)]
    reading, judging = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
    return float(reading), float(judging)


def read(folder: Path, bets: int, cores: int) -> tuple[Big, float]:
    """The ledger in its lots, as `ledger verify` would have them, and how many seconds that took."""
    began = time.perf_counter()
    big = columns.from_folder(folder, ledger_spark.rows_a_lot(bets, cores, LEDGER_MEMORY_BYTES))
    assert big is not None
    return big, time.perf_counter() - began


def plain(cores: int, folder: Path, bets: int) -> None:
    """Every lot judged by so many processes, each taking its turn of them; print seconds to read and to judge. No shares are added up."""
    reading, judging = [], []
    for run in range(RUNS):
        big, took = read(folder, bets, cores)
        reading.append(took)
        if run == 0:
            _judge_lots(big, big.lots[:1])
        began = time.perf_counter()
        others = [multiprocessing.get_context("fork").Process(target=_judge_lots, args=(big, big.lots[i::cores])) for i in range(cores)]
        for process in others:
            process.start()
        for process in others:
            process.join()
        judging.append(time.perf_counter() - began)
        assert all(process.exitcode == 0 for process in others)
    print(json.dumps([min(reading), min(judging)]))


def _judge_lots(big: Big, lots: Sequence[tuple[int, int]]) -> None:
    list(ledger_spark.some_lots(SimpleNamespace(value=(big, ERAS, {})), lots))


def on(cores: int, folder: Path, bets: int) -> None:
    """Judge a ledger on so many cores; print seconds to read and to judge. The first lots only load the kernel."""
    reading, judging = [], []
    with ledger_spark.session(cores) as spark:
        for run in range(RUNS):
            big, took = read(folder, bets, cores)
            reading.append(took)
            if run == 0:
                context = spark.sparkContext
                warm = partial(ledger_spark.some_lots, context.broadcast((big, ERAS, {})))
                context.parallelize(big.lots[:cores], cores).mapPartitions(warm).count()
            began = time.perf_counter()
            found = ledger_spark.judged(spark, big, ERAS, {})
            judging.append(time.perf_counter() - began)
            if any(c.state == "fail" for c in found.checks):
                sys.exit(f"{folder} is correct and was accused: nothing is measured")
    print(json.dumps([min(reading), min(judging)]))


def main() -> None:
    """The figures, each beside its limit."""
    if not ledger_spark.AVAILABLE:
        print("no pyspark: nothing is measured. Install the extra `spark`, and Java 17.")
        return
    small, large = SIZES["large" in sys.argv]
    rounds = 1 if "large" in sys.argv else ROUNDS
    with tempfile.TemporaryDirectory() as scratch:
        folders = {n: made(Path(scratch) / str(n), spec(n, n // 100, sales=10))[0] for n in (small, large)}
        took = defaultdict[tuple[str, int], list[tuple[float, float]]](list)
        for _ in range(rounds):
            for how, cores in (("spark", 1), ("spark", 2), ("plain", 1), ("plain", 2)):
                took[how, cores].append(judged(how, cores, folders[large], large))
            took["small", 2].append(judged("spark", 2, folders[small], small))
    best = {key: (min(r for r, _ in times), min(j for _, j in times)) for key, times in took.items()}
    (read_1, judge_1), (read_2, judge_2) = best["spark", 1], best["spark", 2]
    cost = sum(best["spark", 2]) / large / (sum(best["small", 2]) / small)
    both = (read_1 + judge_1) / (read_2 + judge_2)
    machine = sum(best["plain", 1]) / sum(best["plain", 2])
    keep(
        "spark",
        [
            figure(f"reading and judging {large:,} bets: 1 core to 2", both, "times faster", 1.6, at_least=True),
            figure(f"judging alone {large:,} bets: 1 core to 2", judge_1 / judge_2, "times faster"),
            figure(f"reading and judging {large:,} bets by plain processes: 1 core to 2", machine, "times faster"),
            figure(f"a bet of {large:,} beside one of {small:,}", cost, "times the cost", 1.2),
            figure(f"reading {large:,} bets, where it was asked for", read_2, "s"),
            figure(f"judging {large:,} bets on two cores", judge_2, "s"),
        ],
    )


if __name__ == "__main__":
    if sys.argv[1:2] in (["spark"], ["plain"]):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv[2])]))
        (on if sys.argv[1] == "spark" else plain)(int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
