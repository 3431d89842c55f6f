"""benchstat's comparison of sets of benchmarks with the first of them, as CSV (`-format csv`) or as its table.

A row is decided when benchstat found a difference, or when the confidence intervals of both sides are within `tolerance_percent` (5 unless
told otherwise): then no difference is what was found. A row with `~` and wide intervals says only that nothing could be told.
"""

from __future__ import annotations

import re
from typing import IO, Any

import msgspec

from release_dossier.evidence.readers.given import Given, Lines, fields, wrong_shape
from release_dossier.evidence.reading import Fact, Reading, example, first

NAME = "benchstat"
_WIDEST = 1e9  # percent: an interval without end, and whatever is wider
_INTERVAL = r"[\d.]+[^\s±]*\s*±\s*(\d+(?=\s*%)|∞)(?:\s*%)?(?:\s*[¹²³⁴-⁹]+)?"
_ROW = re.compile(rf"(\S.*?)\s+{_INTERVAL}")
_AGAINST = re.compile(rf"\s+{_INTERVAL}\s+(~|[-+]?\d+(?:\.\d+)?%)\s+\(p=[^)]*\)(?:\s*[¹²³⁴-⁹]+)*")
_HEAD = re.compile(rb"^\s+\xe2\x94\x82.*\xe2\x94\x82", re.MULTILINE)
_UP_IS_BETTER = re.compile(r"/s\b|ops?/")


class Row(msgspec.Struct, frozen=True):
    """One benchmark in one unit: the wider interval in percent, and the difference in percent, None for `~`."""

    name: str
    unit: str
    interval: float
    change: float | None


def recognises(head: bytes) -> bool:
    """Its columns."""
    return _HEAD.search(head) is not None or (b",vs base,P" in head and b",CI," in head)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every row of a comparison.

    Raises:
        Refused: `evidence.shape`.
    """
    text = given.expectations.get("tolerance_percent", "5").removesuffix("%").strip()
    if not re.fullmatch(r"\d{1,3}(?:\.\d+)?", text):
        wrong_shape("expectations.tolerance_percent", text, "percent")
    tolerance = float(text)
    rows: list[Row] = []
    broken: list[str] = []
    lines = Lines(stream)
    unit = ""
    for number, raw in lines:
        line = raw.decode("utf-8", "replace")
        if "│" in line:
            units = [w for w in re.split(r"[│\s]+", line) if "/" in w]
            unit = units[0] if units else unit
        elif ",vs base,P" in line:
            unit = fields(line)[1] if len(fields(line)) > 1 else ""
        else:
            _row(line, number, unit, rows, broken)
    worse = [r for r in rows if r.change is not None and _worse(r) > tolerance]
    decided = [r for r in rows if r.change is not None or r.interval <= tolerance]
    cut = lines.doubt(given.exit_status)
    open_ = [r for r in rows if r not in decided]
    cause = cut or (broken[0] if broken else "")
    if not cause and open_:
        wide = "∞" if open_[0].interval >= _WIDEST else f"{open_[0].interval:g}"
        cause = f"{len(open_)} of {len(rows)} rows tell nothing: {open_[0].name} is ± {wide} %"
    bad = [example(f"{r.name} is {_worse(r):g} % worse in {r.unit}; {text} % are allowed", r.name) for r in worse]
    verdict: Any = "fail" if bad else "missing" if not rows else "inconclusive" if cause else "pass"
    return Reading(
        kind="benchmarks",
        format=NAME,
        verdict=verdict,
        looked_at=len(decided),
        of=None if cut and verdict != "fail" else len(rows),
        cause="" if verdict in ("pass", "fail") else cause or "it compares nothing",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={
            "rows": Fact(len(rows), "rows"),
            "rows_changed": Fact(sum(r.change is not None for r in rows), "rows"),
            "rows_open": Fact(len(open_), "rows"),
        },
        limits=("the geometric mean over rows that tell nothing means nothing", *(f"not read: {b}" for b in broken[:10])),
        tool="benchstat",
    )


def _worse(r: Row) -> float:
    return (r.change or 0.0) * (-1 if _UP_IS_BETTER.search(r.unit) else 1)


def _row(line: str, number: int, unit: str, rows: list[Row], broken: list[str]) -> None:
    """One row for each set that is held against the first."""
    found = _ROW.match(line)
    at = found.end() if found else 0
    others: list[tuple[str, str]] = []
    while found and (other := _AGAINST.match(line, at)):
        others.append((other[1], other[2]))
        at = other.end()
    if found and others:
        name, base = found[1], found[2]
    else:
        cells = fields(line)
        if len(cells) < 7 or (len(cells) - 3) % 4 or not unit or cells[0] in ("", "geomean") or not cells[6].startswith("p="):
            if "p=" in line:
                broken.append(f"line {number}: {line[:60]!r}")
            return
        name, base = cells[0], cells[2].removesuffix("%")
        others = [(cells[i + 1].removesuffix("%"), cells[i + 2]) for i in range(3, len(cells), 4) if cells[i]]
        at = len(line)
    if line.count("(p=") > len(others) or line[at:].strip():
        broken.append(f"line {number}: {line[:60]!r}")
    try:
        for interval, change in others:
            widest = max(float("inf") if x in ("∞", "") else float(x) for x in (base, interval))
            rows.append(Row(name, unit, min(widest, _WIDEST), None if change == "~" else float(change.removesuffix("%"))))
    except ValueError:
        broken.append(f"line {number}: {line[:60]!r}")
