"""Pure Python settlement of one market: bets per second, beside integer additions in the same run as the machine's own measure."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cold import keep

from release_dossier.ledger.rulesets import named
from release_dossier.ledger.settlement import Row, positions, volume

RULES = named("v3.8.1").eras[0].rules
SIZES = (100, 10_000, 200_000)
RUNS = 7


def market(bets: int) -> list[Row]:
    """Buys of 1 to 500 credits by one user in twenty, a second apart."""
    at_random = random.Random(bets)
    users = [f"user{i}" for i in range(max(2, bets // 20))]
    return [Row(at_random.choice(users), at_random.random() < 0.5, at_random.randint(1, 500), i * 1_000_000, i + 1) for i in range(bets)]


def seconds(call: Callable[[], object]) -> float:
    """Median over the runs, after one not counted."""
    times = []
    for i in range(RUNS + 1):
        began = time.perf_counter()
        call()
        if i:
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def settled(rows: list[Row]) -> None:
    """Settle on YES, and hold that every credit of the volume went to somebody."""
    paid = sum(p.value for p in positions(rows, RULES, "YES").values())
    if paid != volume(rows):
        sys.exit(f"settled {paid} of {volume(rows)} credits: not measured")


def main() -> None:
    figures: list[dict[str, object]] = []
    for bets in SIZES:
        rows = market(bets)
        rate = bets / seconds(lambda rows=rows: settled(rows))  # type: ignore[misc]
        plain = bets / seconds(lambda rows=rows: sum(row.amount for row in rows))  # type: ignore[misc]
        figures.append({"name": f"settle a market of {bets} bets", "value": rate, "unit": "bets/s"})
        figures.append({"name": f"settling over adding up {bets} amounts", "value": plain / rate, "unit": "times the work"})
    keep("settlement", figures)


if __name__ == "__main__":
    main()
