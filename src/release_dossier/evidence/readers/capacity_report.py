"""SocialPredict's capacity reports: Markdown by hand, with tables of runs and of the host they ran on.

A report tells of many runs, most of them meant to find where it breaks. Which one counts must be said: `run` among the expectations, words
that all stand in its line (`35/sec 5m`). Its result is what the author wrote, and so is everything else.
"""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, Lines
from release_dossier.evidence.reading import Coverage, Fact, Reading, example, first

NAME = "capacity-report"
_GOOD, _BAD = re.compile(r"(?:clean )?pass\b", re.IGNORECASE), re.compile(r"fail|degraded|interrupted|invalid|aborted", re.IGNORECASE)
_P95 = re.compile(r"p95[^0-9]{0,4}(\d+(?:\.\d+)?\s?m?s)\b")
_HOST = {"droplet class": "", "size slug": "", "host cpu count": " CPU", "host ram total": "", "cpu model": "", "cpu model observed": ""}


def recognises(head: bytes) -> bool:
    """Its first heading, and what it is about."""
    line = head.lstrip().partition(b"\n")[0]
    return line.startswith(b"# SocialPredict") and (b"apacity" in line or b"Load-Test" in line)


class _Report:
    def __init__(self) -> None:
        self.runs: list[tuple[str, str, float | None, int]] = []  # label, result, p95 in ms, line
        self.host: dict[str, str] = {}
        self.heading = self.generator = self.topology = ""


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every run it tells of, with its result and what its 95th percentile was."""
    report = _Report()
    lines = Lines(stream)
    header: list[str] = []
    values: dict[str, str] = {}
    for number, raw in lines:
        line = raw.decode("utf-8", "replace").strip()
        if not line.startswith("|"):
            _finish(values, report, number)
            header, values = [], {}
            if line.startswith("#"):
                report.heading = line.lstrip("# ")
            elif line.lower().startswith("topology tested:"):
                report.topology = line.partition(":")[2].strip()
            continue
        cells = [c.strip().replace("`", "") for c in line.strip("|").split("|")]
        if not header:
            header = [c.lower() for c in cells]
        elif not all(re.fullmatch(r":?-+:?", c) for c in cells):
            _row(header, cells, report, values, number)
    _finish(values, report, 0)
    return _reading(report, lines, given)


def _row(header: list[str], cells: list[str], report: _Report, values: dict[str, str], number: int) -> None:
    field = dict(zip(header, cells, strict=False))
    if len(header) == 2 and header[0] in ("metric", "field", "constant"):
        values[cells[0].lower()] = cells[-1]
    result = field.get("result", field.get("decision", ""))
    if len(header) > 2 and (_GOOD.match(result) or _BAD.search(result)):
        label = " ".join(v for k, v in field.items() if re.search(r"scenario|duration|target|timestamp", k))
        p95 = load.milliseconds(field.get("http p95", "").split(";")[0].split(" ")[0]) or _p95(" ".join(cells))
        report.runs.append((label, result, p95, number))


def _finish(values: dict[str, str], report: _Report, number: int) -> None:
    if "result" in values:
        label = f"{report.heading} {values.get('target betting rate', '')} {values.get('measured scenario duration', '')}".strip()
        report.runs.append((label, values["result"], load.milliseconds(values.get("http p95", "")), number))
    report.generator = report.generator or values.get("load generator", "")
    report.host |= {k: f"{v}{_HOST[k]}" for k, v in values.items() if k in _HOST and k not in report.host}


def _p95(text: str) -> float | None:
    found = _P95.search(text)
    return load.milliseconds(found[1]) if found else None


def _reading(report: _Report, lines: Lines, given: Given) -> Reading:
    words = given.expectations.get("run", "").lower().split()
    chosen = [r for r in report.runs if words and all(w in r[0].lower() for w in words)]
    bad = [example(f"{label}: {result}", f"line {line}") for label, result, _, line in chosen if not _GOOD.match(result)]
    unfit = load.shared(report.generator)
    cause = "" if lines.ended else "its last line does not end: it was cut off"
    if not words:
        cause = cause or f"it tells of {len(report.runs)} runs, and nothing says which one counts"
    elif not chosen:
        cause = cause or f"none of {len(report.runs)} runs is {' '.join(words)}"
    verdict: Any = "missing" if not report.runs else "fail" if bad else "inconclusive" if cause or unfit else "pass"
    facts = {"runs": Fact(len(report.runs), "runs"), "runs_passed": Fact(sum(bool(_GOOD.match(r[1])) for r in report.runs), "runs")}
    if len(chosen) == 1 and chosen[0][2] is not None:
        facts["latency_p95"] = Fact(chosen[0][2], "ms")
    machine = ", ".join(report.host.values())
    around = {"machine": machine, "load_generator": report.generator, "topology": report.topology}
    facts |= {k: Fact(v, "words") for k, v in around.items() if v}
    tells = [f"{label}: {result}" + (f", p95 {p95:g} ms" if p95 is not None else "") for label, result, p95, _ in report.runs]
    return Reading(
        kind="latency",
        format=NAME,
        verdict=verdict,
        looked_at=len(chosen),
        of=len(chosen) if words else len(report.runs),
        cause="" if verdict in ("pass", "fail") else cause or unfit or "it tells of no run",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=facts,
        coverage=(Coverage("runs", len(chosen), len(report.runs)),) if report.runs else (),
        limits=("written by hand", *tells[:20]),
        tool="SocialPredict's load tests",
    )
