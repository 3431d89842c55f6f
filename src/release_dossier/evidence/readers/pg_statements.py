"""pg_stat_statements: what each statement cost, and by its tables."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import rows
from release_dossier.evidence.readers.given import Given
from release_dossier.evidence.reading import Fact, Reading

NAME = "pg-stat-statements"
TOP = 25  # statements and tables that get facts of their own
_TIME = ("total_exec_time", "total_time")


def recognises(head: bytes) -> bool:
    """Its columns, those of version 13 or older."""
    return rows.has(head, "query", "calls", "total_exec_time") or rows.has(head, "query", "calls", "total_time")


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every statement. Times are milliseconds, as PostgreSQL counts them."""
    found = rows.Rows(stream, given)
    statements: list[tuple[float, int, str, str]] = []  # ms, calls, id, text
    by_table: dict[str, float] = {}
    for i, row in enumerate(found):
        time, calls, text = rows.number(row, *_TIME), rows.number(row, "calls"), str(row.get("query") or "")
        if time is None or calls is None or not text:
            found.broken.append(f"row {i + 1}: no query, calls and time")
            continue
        statements.append((time, int(calls), str(row.get("queryid") or i + 1), " ".join(text.split())))
        for table in rows.tables(text):
            by_table[table] = by_table.get(table, 0.0) + time
    statements.sort(key=lambda s: -s[0])
    facts = {
        "statements": Fact(len(statements), "statements"),
        "calls": Fact(sum(s[1] for s in statements), "calls"),
        "time": Fact(round(sum(s[0] for s in statements), 6), "ms"),
    }
    facts |= {f"time_of:{identity}": Fact(round(time, 6), "ms", calls) for time, calls, identity, _ in statements[:TOP]}
    facts |= {f"time_on:{t}": Fact(round(v, 6), "ms") for t, v in sorted(by_table.items(), key=lambda x: -x[1])[:TOP]}
    cause = found.doubt()
    verdict: Any = "missing" if not statements else "inconclusive" if cause else "pass"
    worst = [f"{time:g} ms in {calls} calls: {text[:160]}" for time, calls, _, text in statements[:5]]
    return Reading(
        kind="database",
        format=NAME,
        verdict=verdict,
        looked_at=len(statements),
        of=None if found.cut else len(statements) + len(found.broken),
        cause="" if verdict == "pass" else cause or "it holds no statement",
        facts=facts,
        limits=("a statement over two tables counts on both", *worst, *(f"not read: {b}" for b in found.broken[:5])),
        tool="pg_stat_statements",
    )
