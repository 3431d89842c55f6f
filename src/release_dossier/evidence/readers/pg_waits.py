"""Samples of pg_locks and pg_stat_activity: who waited, for what, and on which table. One sample is a moment, many are a measurement."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import rows
from release_dossier.evidence.readers.given import Given, moment
from release_dossier.evidence.reading import Fact, Reading

NAME = "pg-waits"
TOP = 25  # tables and events that get facts of their own
_TIMES = ("sampled_at", "sample_time", "at", "now", "ts", "time")


def recognises(head: bytes) -> bool:
    """Columns of locks, or of sessions."""
    return rows.has(head, "locktype", "granted") or rows.has(head, "pid", "state", "wait_event_type")


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every row. A lock that is not granted waits; so does an active session with an event."""
    found = rows.Rows(stream, given)
    seen = waiting = 0
    tables: dict[str, int] = {}
    events: dict[str, int] = {}
    moments: set[str] = set()
    for i, row in enumerate(found):
        lock = "locktype" in row
        granted = rows.flag(row, "granted")
        if (lock and granted is None) or (not lock and "state" not in row and "pid" not in row):
            found.broken.append(f"row {i + 1}: neither a lock nor a session")
            continue
        seen += 1
        moments |= {m for t in _TIMES if (m := str(row.get(t) or ""))}
        waits = granted is False if lock else bool(row.get("wait_event")) and row.get("state") == "active"
        if not waits:
            continue
        waiting += 1
        event = f"{row.get('locktype')}:{row.get('mode', '')}" if lock else f"{row.get('wait_event_type')}:{row.get('wait_event')}"
        events[event] = events.get(event, 0) + 1
        named = [str(row["relname"])] if row.get("relname") else rows.tables(str(row.get("query") or ""))
        for table in named:
            tables[table] = tables.get(table, 0) + 1
    facts = {
        "sessions": Fact(seen, "rows"),
        "waiting": Fact(waiting, "rows"),
        "moments": Fact(max(1, len(moments)) if seen else 0, "samples"),
    }
    facts |= {f"waits_on:{t}": Fact(n, "rows") for t, n in sorted(tables.items(), key=lambda x: -x[1])[:TOP]}
    facts |= {f"waits_for:{e}": Fact(n, "rows") for e, n in sorted(events.items(), key=lambda x: -x[1])[:TOP]}
    cause = found.doubt()
    verdict: Any = "missing" if not seen else "inconclusive" if cause else "pass"
    return Reading(
        kind="database",
        format=NAME,
        verdict=verdict,
        looked_at=seen,
        of=None if found.cut else seen + len(found.broken),
        cause="" if verdict == "pass" else cause or "it holds no row",
        facts=facts,
        limits=("what waited between two samples is not in it", *(f"not read: {b}" for b in found.broken[:5])),
        tool="pg_locks, pg_stat_activity",
        observed_at=max((found_at for x in moments if (found_at := moment(x))), default=None),
    )
