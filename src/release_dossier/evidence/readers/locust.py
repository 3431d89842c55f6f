"""Locust's CSV: `_stats.csv` (a line an endpoint, the last `Aggregated`) and `_stats_history.csv` (a line a second).

Percentiles are Locust's own, rounded to two digits. A request that failed has a time too, and is in them.
"""

from __future__ import annotations

from typing import IO

from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, Lines, epoch, fields, whole, wrong_shape
from release_dossier.evidence.reading import Reading

NAME = "locust"
_STATS, _HISTORY = "Type,Name,Request Count,Failure Count,", "Timestamp,User Count,Type,Name,"
_OLD_STATS = "Type,Name,# requests,# failures,"
_PERCENTILES = {
    "50%": "latency_p50",
    "75%": "latency_p75",
    "90%": "latency_p90",
    "95%": "latency_p95",
    "99%": "latency_p99",
    "100%": "latency_max",
}


def recognises(head: bytes) -> bool:
    """Its first line."""
    line = head.lstrip().replace(b'"', b"")
    return line.startswith((_STATS.encode(), _HISTORY.encode(), _OLD_STATS.encode()))


def read(stream: IO[bytes], given: Given) -> Reading:
    """The aggregate, and which endpoints failed.

    Raises:
        Refused: `evidence.shape`, `evidence.line-too-long`.
    """
    run = load.Run("Locust")
    lines = Lines(stream)
    rows = ((number, fields(line.decode("utf-8", "replace"))) for number, line in lines)
    names = next(rows, (0, []))[1]
    history = names[:2] == ["Timestamp", "User Count"]
    last: dict[str, str] = {}
    failed = 0
    for number, row in rows:
        if len(row) != len(names):
            run.broken.append(f"line {number}: {len(row)} fields, {len(names)} are named")
            continue
        field = dict(zip(names, row, strict=True))
        if field.get("Name") in ("Aggregated", "Total"):
            if last and not history:
                run.broken.append(f"line {number}: a second sum")
            last = field
        elif not history:
            failures = whole(field.get("Failure Count", field.get("# failures", "")))
            failed += failures or 0
            if failures:
                run.errors.append(
                    (failures, f"of {field.get('Request Count', '')} failed", f"{field.get('Type', '')} {field.get('Name', '')}")
                )
    run.cut = lines.doubt(given.exit_status if history else 0) or ("" if last else "it has no line that sums it up: it was cut off")
    _sum(run, last, history)
    if last and not history and failed != run.failed:
        run.broken.append(f"its sum says that {run.failed} failed, its lines {failed}")
    return load.reading(NAME, run, given)


def _sum(run: load.Run, last: dict[str, str], history: bool) -> None:
    total = "Total " if history else ""
    requests = whole(last.get(f"{total}Request Count", last.get("# requests", "0")))
    run.failed = whole(last.get(f"{total}Failure Count", last.get("# failures", "0")))
    if requests is None or run.failed is None or run.failed > requests:
        wrong_shape("Aggregated", str(last.get(f"{total}Request Count")), "how many requests, and how many of them failed")
    run.requests = requests
    run.observed_at = epoch(last.get("Timestamp"))
    figures = {name: (_number(last.get(column)), "ms") for column, name in _PERCENTILES.items()}
    figures["latency_mean"] = (_number(last.get(f"{total}Average Response Time")), "ms")
    run.figures = figures | {"throughput": (_number(last.get("Requests/s")), "1/s")}
    if history:
        run.limits.append("percentiles and rate are those of its last ten seconds")
        for name in figures:
            run.figures.pop(name, None) if name != "latency_mean" else None
        run.figures.pop("throughput", None)
    else:
        run.limits.append("percentiles are Locust's own, rounded to two digits")


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
