"""A recording of a Prometheus server (`dossier evidence record`): every answer with its window, so nothing has to be declared beside it.

Each query is judged as `prometheus-query` judges one answer; `at_least.NAME` and `at_most.NAME` among the expectations bound its samples.
Every query that was asked must have been answered, with numbers up to the end; the recording ends with a line that counts its answers.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers.given import Given, Lines, count, mapping, record, word, wrong_shape, wrong_version
from release_dossier.evidence.readers.prometheus_answer import Window, data, series, window
from release_dossier.evidence.readers.prometheus_query import answer
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Coverage, Fact, Reading, example, first

NAME = "prometheus-recording"
_VERSION = 1


def recognises(head: bytes) -> bool:
    """Its first line says so."""
    return "prometheus_recording" in outline(head)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every answer.

    Raises:
        Refused: `evidence.shape`, `evidence.version`.
    """
    asked: Window | None = None
    version, answers, promised, broken = "", 0, None, 0
    readings: dict[str, Reading] = {}
    parts: dict[str, Any] = {}
    for number, line in Lines(stream):
        row = record(line)
        if row is None:
            broken += 1
        elif "prometheus_recording" in row:
            if row["prometheus_recording"] != _VERSION:
                wrong_version(f"line {number}", row["prometheus_recording"], str(_VERSION))
            asked, version = window(row, {}), word(row.get("version"))
        elif "answers" in row:
            promised = count(row["answers"])
        else:
            answers += 1
            if "part" in row:
                parts[word(row["part"])] = _part(row, f"line {number}")
            else:
                name = word(row.get("name")) or f"line {number}"
                readings[name] = _query(row, asked, given, name, f"line {number}")
    if asked is None:
        wrong_shape("line 1", "no window", "start, end and step of what was asked")
    whole = promised == answers and not broken
    return _reading(readings, parts, "" if whole else f"{answers} of {promised or 'nobody knows how many'} answers are in it", version)


def _query(row: dict[str, Any], asked: Window | None, given: Given, name: str, at: str) -> Reading:
    error = word(row.get("error"))
    found: dict[str, Any] = {}
    if not error:
        found, error = data(mapping(row.get("body"), f"{at} body"))
    bounds = {k: v for k in ("at_least", "at_most") if (v := given.expectations.get(f"{k}.{name}"))}
    return answer(() if error else series(found), error, asked, bounds, instant=False)


def _part(row: dict[str, Any], at: str) -> Any:
    if row.get("error"):
        return None
    found, error = data(mapping(row.get("body"), f"{at} body"))
    return None if error else found


def _reading(readings: dict[str, Reading], parts: dict[str, Any], cut: str, version: str) -> Reading:
    good = [n for n, r in readings.items() if r.verdict == "pass"]
    bad = [example(f"{n}: {c.text}", c.where) for n, r in readings.items() if r.verdict == "fail" for c in r.counterexamples]
    down = _down(parts.get("targets"))
    words = [cut] if cut else []
    words += [f"{n}: {r.cause}" for n, r in readings.items() if r.verdict in ("missing", "inconclusive")][:10]
    words += [f"target {d} does not answer" for d in down[:5]]
    verdict: Any = (
        "fail"
        if bad
        else "missing"
        if not readings or not any(r.looked_at for r in readings.values())
        else "inconclusive"
        if words
        else "pass"
    )
    samples, of = sum(r.looked_at for r in readings.values()), sum(r.of or 0 for r in readings.values())
    moments = [r.observed_at for r in readings.values() if r.observed_at]
    facts = {
        "queries": Fact(len(readings), "queries"),
        "queries_answered": Fact(len(good), "queries"),
        "series": Fact(sum(int(r.facts["series"].value) for r in readings.values()), "series"),
        "samples": Fact(sum(int(r.facts["samples"].value) for r in readings.values()), "samples"),
    }
    for n, r in readings.items():
        facts |= {f"{k}.{n}": r.facts[k] for k in ("min", "max", "last_min", "last_max") if k in r.facts}
    targets = _list(parts.get("targets"), "activeTargets")
    if parts.get("targets") is not None:
        facts |= {"targets": Fact(len(targets), "targets"), "targets_up": Fact(len(targets) - len(down), "targets")}
    return Reading(
        kind="observability",
        format=NAME,
        verdict=verdict,
        looked_at=samples if not cut else min(samples, of),
        of=max(of, samples) if not cut else None,
        cause="" if verdict in ("pass", "fail") else "; ".join(words) or "no query was answered",
        counterexamples=first(bad),
        counterexamples_total=sum(r.counterexamples_total for r in readings.values()),
        facts=facts,
        coverage=(Coverage("queries", len(good), len(readings)), Coverage("samples", samples, max(of, samples))),
        limits=tuple(f"{n}: {x}" for n, r in readings.items() for x in r.limits)[:15],
        tool="prometheus",
        tool_version=version,
        observed_at=min(moments) if moments else None,
    )


def _list(value: Any, key: str) -> list[Any]:
    inside = value.get(key) if isinstance(value, dict) else None
    return inside if isinstance(inside, list) else []


def _down(targets: Any) -> list[str]:
    """Targets that do not answer their scrape."""
    out = []
    for t in _list(targets, "activeTargets"):
        if isinstance(t, dict) and t.get("health") == "down":
            labels = t.get("labels")
            out.append(word(labels.get("job")) if isinstance(labels, dict) else "unnamed")
    return out
