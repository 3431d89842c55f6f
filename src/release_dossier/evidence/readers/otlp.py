"""OpenTelemetry's export requests, JSON (one, or one a line) or protobuf: which services reported, and which spans failed.

That something was traced is not that all was: `services` declares who must report. A failed span is shown, and judged by rules, not here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.otlp import Telemetry, from_json, from_protobuf
from release_dossier.evidence.readers.given import Given, lines, numbers, record, whole_json
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example, first
from release_dossier.limits import DOCUMENT_BYTES_MAX

NAME = "otlp"


def recognises(head: bytes) -> bool:
    """Resources with spans, metrics or logs; as protobuf, a first resource that names its service."""
    if {"resourceSpans", "resourceMetrics", "resourceLogs"} & outline(head).keys():
        return True
    return head[:1] == b"\n" and b"\n\x0cservice.name\x12" in head[:4096]


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every span, data point and record.

    Raises:
        Refused: `otlp.protobuf`, `json.*`, `evidence.shape`.
    """
    t = Telemetry()
    start = stream.read(1)
    stream.seek(0)
    if start == b"\n":
        from_protobuf(stream.read(DOCUMENT_BYTES_MAX), t)
    else:
        _json(stream, t)
    wanted = given.declared("services")
    gone = [s for s in wanted if s not in t.services]
    commit = str(given.asked.get("commit", ""))
    other = sorted(c for c in t.commits if commit and c != commit)
    total = t.spans + t.points + t.logs
    words = [f"nothing of {', '.join(gone)}"] if gone else []
    words += ["which services should report is not declared"] if not wanted else []
    words += [f"{t.broken} parts could not be read"] if t.broken else []
    words += [f"it is of commit {other[0]}, not {commit}"] if other else []
    verdict: Any = "missing" if not total else "inconclusive" if words else "pass"
    failures = [example(f"{n} spans of {name} failed", name) for name, n in sorted(t.failures.items(), key=lambda x: -x[1])]
    return Reading(
        kind="observability",
        format=NAME,
        verdict=verdict,
        looked_at=len(wanted) - len(gone) if wanted else total,
        of=len(wanted) or None,
        cause="nothing was reported" if verdict == "missing" else "; ".join(words) if verdict != "pass" else "",
        counterexamples=first(failures),
        counterexamples_total=len(failures),
        facts=_facts(t),
        limits=("spans that were sampled away are not in it",),
        tool="opentelemetry",
        observed_at=_moment(t.last_ns),
    )


def _json(stream: IO[bytes], t: Telemetry) -> None:
    """One request over many lines, or one a line."""
    line = stream.readline(DOCUMENT_BYTES_MAX)
    stream.seek(0)
    if record(line) is None:
        value = whole_json(stream)
        if not isinstance(value, dict):
            raise Refused("evidence.shape", at="file", found=type(value).__name__, expected="an export request")
        from_json(value, t)
        return
    for _, each in lines(stream):
        request = record(each)
        if request is None:
            t.broken += 1
        else:
            from_json(request, t)


def _facts(t: Telemetry) -> dict[str, Fact]:
    counts = (("spans", t.spans), ("spans_failed", t.failed), ("spans_root", t.roots))
    facts = {name: Fact(n, "spans") for name, n in counts}
    facts |= {"traces": Fact(len(t.traces), "traces"), "services": Fact(len(t.services), "services")}
    facts |= {"points": Fact(t.points, "samples"), "log_records": Fact(t.logs, "records")}
    if t.roots_ms:
        ordered = sorted(t.roots_ms)
        shares = {f"root_p{p}": (ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))], "ms") for p in (50, 95)}
        facts |= {k: Fact(f.value, f.unit, samples=len(ordered)) for k, f in numbers(shares).items()}
    return facts


def _moment(ns: int) -> str | None:
    try:
        return datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if ns else None
    except (ValueError, OverflowError, OSError):
        return None
