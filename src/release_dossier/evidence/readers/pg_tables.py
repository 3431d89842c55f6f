"""pg_stat_user_tables: how each table is read and written, and what of it is dead."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import rows
from release_dossier.evidence.readers.given import Given
from release_dossier.evidence.reading import Fact, Reading

NAME = "pg-stat-user-tables"
TOP = 50  # tables that get facts of their own
_READ, _WRITTEN = ("seq_tup_read", "idx_tup_fetch"), ("n_tup_ins", "n_tup_upd", "n_tup_del")


def recognises(head: bytes) -> bool:
    """Its columns."""
    return rows.has(head, "relname", "seq_scan", "n_live_tup")


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every table."""
    found = rows.Rows(stream, given)
    tables: dict[str, dict[str, float]] = {}
    for i, row in enumerate(found):
        name, scans, live = str(row.get("relname") or ""), rows.number(row, "seq_scan"), rows.number(row, "n_live_tup")
        if not name or scans is None or live is None or name in tables:
            found.broken.append(f"row {i + 1} {name}: no figures of a table, or twice")
            continue
        tables[name] = {
            "scans": scans,
            "rows": live,
            "dead": rows.number(row, "n_dead_tup") or 0.0,
            "read": sum(rows.number(row, c) or 0.0 for c in _READ),
            "written": sum(rows.number(row, c) or 0.0 for c in _WRITTEN),
        }
    facts = {"tables": Fact(len(tables), "tables"), "rows": Fact(int(sum(t["rows"] for t in tables.values())), "rows")}
    for name, t in sorted(tables.items(), key=lambda x: -(x[1]["read"] + x[1]["written"]))[:TOP]:
        facts |= {
            f"{what}:{name}": Fact(int(t[what]), "scans" if what == "scans" else "rows") for what in ("read", "written", "scans", "dead")
        }
    cause = found.doubt()
    verdict: Any = "missing" if not tables else "inconclusive" if cause else "pass"
    return Reading(
        kind="database",
        format=NAME,
        verdict=verdict,
        looked_at=len(tables),
        of=None if found.cut else len(tables) + len(found.broken),
        cause="" if verdict == "pass" else cause or "it holds no table",
        facts=facts,
        limits=("counted since the statistics were last reset, which is not in it", *(f"not read: {b}" for b in found.broken[:5])),
        tool="pg_stat_user_tables",
    )
