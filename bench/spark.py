"""The ledger engine on Spark, net of session start: on one local core and on two, and what a bet costs when there are more.
Only the ratios travel.

`python bench/spark.py` judges 5 million bets and 1 million; with `large`, 100 million and 10 million.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cold import keep
from ledger import ERAS, figure, made, spec

from release_dossier.sources import ledger_columns as columns
from release_dossier.sources import ledger_spark

LOTS_MIN, ROWS_A_LOT = 8, 2_000_000
RUNS = 2
SIZES = {False: (1_000_000, 5_000_000), True: (10_000_000, 100_000_000)}


def judged(cores: int, folder: Path, bets: int) -> tuple[float, float]:
    """Seconds to read what every row is, and to judge, on so many cores and no other; the better of some runs each.

    A process of its own, held to those cores with all it starts: the threads that read ahead would else use the others.
    """
    command = [sys.executable, __file__, "on", str(cores), str(folder), str(bets)]
    reading, judging = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
    return float(reading), float(judging)


def on(cores: int, folder: Path, bets: int) -> None:
    """Judge a ledger on so many cores; print seconds to read and to judge. The first lots only load the kernel."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))
    reading, judging = [], []
    with ledger_spark.session(cores) as spark:
        for run in range(RUNS):
            began = time.perf_counter()
            big = columns.from_folder(folder, min(ROWS_A_LOT, bets // LOTS_MIN))
            assert big is not None
            reading.append(time.perf_counter() - began)
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
    with tempfile.TemporaryDirectory() as scratch:
        folders = {n: made(Path(scratch) / str(n), spec(n, n // 100, sales=10))[0] for n in (small, large)}
        read_1, judge_1 = judged(1, folders[large], large)
        read_2, judge_2 = judged(2, folders[large], large)
        read_s, judge_s = judged(2, folders[small], small)
    cost = (read_2 + judge_2) / large / ((read_s + judge_s) / small)
    both = (read_1 + judge_1) / (read_2 + judge_2)
    keep(
        "spark",
        [
            figure(f"reading and judging {large:,} bets: 1 core to 2", both, "times faster", 1.6, at_least=True),
            figure(f"judging alone {large:,} bets: 1 core to 2", judge_1 / judge_2, "times faster"),
            figure(f"a bet of {large:,} beside one of {small:,}", cost, "times the cost", 1.2),
            figure(f"reading {large:,} bets, where it was asked for", read_2, "s"),
            figure(f"judging {large:,} bets on two cores", judge_2, "s"),
        ],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["on"]:
        on(int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
