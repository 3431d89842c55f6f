"""What benchmarks measured, as every reader of them gives it, and what is said of it.

1. Each benchmark keeps its samples: the fact is their median with how many there are, beside it the spread (highest less lowest, in percent
   of the median). One sample has no spread, and says nothing of chance: `samples_minimum` among the expectations asks for more.
2. A benchmark that failed fails. Numbers alone pass no judgement: whether a figure is good is for a rule, or for the base release.
3. With the base release's own file and `slower_max_percent`: a benchmark is slower when its fastest sample is slower than the slowest of
   the base and the medians differ by more than that. Where the samples overlap and the medians differ by more, nothing can be told.
4. Units stay as the file has them: `ns/op` and `s` are two facts, never one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from statistics import median
from typing import IO, Any

import msgspec

from release_dossier.evidence.readers.given import Given, numbers, whole, wrong_shape
from release_dossier.evidence.readers.plain import plain
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first

FACTS_MAX = 150  # benchmarks that get facts of their own; all are counted
_SAMPLES_MAX = 1_000_000  # samples of one benchmark; pytest-benchmark keeps some hundred thousand of what takes microseconds
_FASTER_WHEN_UP = re.compile(r"(?:ops?|operations|iterations|it|MB|B)/|/s\Z")


class Measured(msgspec.Struct):
    """One benchmark in one unit. A tool that gives no samples gives median, lowest, highest and how many there were."""

    name: str
    unit: str
    samples: list[float] = []
    count: int = 0

    def figures(self) -> tuple[float, float, float, int]:
        """(median, lowest, highest, samples)."""
        return median(self.samples), min(self.samples), max(self.samples), self.count or len(self.samples)


class Report:
    """What a file says."""

    def __init__(self, tool: str, version: str = "") -> None:
        self.tool, self.tool_version = tool, version
        self.measured: dict[tuple[str, str], Measured] = {}
        self.failed: list[Counterexample] = []
        self.broken: list[str] = []
        self.limits: list[str] = []
        self.words: dict[str, str] = {}
        self.cut = ""
        self.observed_at: str | None = None

    def add(self, name: str, unit: str, *values: float, count: int = 0) -> None:
        """Enter samples of a benchmark. `count`: how many the tool took, where it gives only what sums them up."""
        of = self.measured.setdefault((name, unit), Measured(name, unit))
        if len(of.samples) + len(values) > _SAMPLES_MAX:
            wrong_shape(name, "more samples", f"at most {_SAMPLES_MAX}")
        of.samples.extend(values)
        of.count += count


def reading(format: str, parse: Callable[[IO[bytes]], Report], stream: IO[bytes], given: Given) -> Reading:
    """What it says, see the module."""
    report = parse(stream)
    names = {name for name, _ in report.measured}
    bad = list(report.failed)
    open_: list[str] = [report.cut] if report.cut else []
    if report.broken:
        open_.append(f"{len(report.broken)} records could not be read, the first: {report.broken[0]}")
    open_ += _few(report, given)
    if given.base and "slower_max_percent" in given.expectations:
        slower, unsure = _compare(report, parse(plain(io.BytesIO(given.base))), given)
        bad += slower
        open_ += unsure
    verdict: Any = "fail" if bad else "missing" if not names else "inconclusive" if open_ else "pass"
    by_name: dict[str, int] = {}  # one run of a benchmark gives a sample of each of its units
    for m in report.measured.values():
        by_name[m.name] = max(by_name.get(m.name, 0), m.figures()[3])
    counts = list(by_name.values())
    facts = {"benchmarks": Fact(len(names), "benchmarks")}
    if counts:
        facts |= {"samples": Fact(sum(counts), "samples"), "samples_min": Fact(min(counts), "samples")}
    facts |= {k: Fact(v, "words") for k, v in report.words.items() if v}
    for m in list(report.measured.values())[:FACTS_MAX]:
        facts |= _facts(m)
    left = len(report.measured) - FACTS_MAX
    limits = [*report.limits, *(f"not read: {b}" for b in report.broken[:10])]
    limits += [f"{left} more figures are not among the facts"] if left > 0 else []
    limits += ["one sample each: nothing is known of their spread"] if counts and max(counts) == 1 else []
    return Reading(
        kind="benchmarks",
        format=format,
        verdict=verdict,
        looked_at=len(names),
        of=None if report.cut and verdict != "fail" else len(names) + len(report.failed),
        cause={"missing": "no benchmark was measured", "inconclusive": "; ".join(open_[:5])}.get(verdict, ""),
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=facts,
        limits=tuple(limits),
        tool=report.tool,
        tool_version=report.tool_version,
        observed_at=report.observed_at,
    )


def _facts(m: Measured) -> dict[str, Fact]:
    middle, low, high, count = m.figures()
    key = f"{m.name}:{m.unit}"
    out = {f"median:{key}": Fact(middle, m.unit, count)} if numbers({"x": (middle, m.unit)}) else {}
    if middle and count > 1:
        out[f"spread:{key}"] = Fact(round((high - low) / abs(middle) * 100, 3), "percent", count)
    return out


def _few(report: Report, given: Given) -> list[str]:
    asked = given.expectations.get("samples_minimum")
    if asked is None:
        return []
    least = whole(asked)
    if least is None:
        wrong_shape("expectations.samples_minimum", asked, "how many samples")
    few = [m for m in report.measured.values() if m.figures()[3] < least]
    return [f"{few[0].name} has {few[0].figures()[3]} samples, {least} are asked for (and {len(few) - 1} more)"] if few else []


def _compare(report: Report, base: Report, given: Given) -> tuple[list[Counterexample], list[str]]:
    text = given.expectations["slower_max_percent"].removesuffix("%").strip()
    if not re.fullmatch(r"\d{1,4}(?:\.\d+)?", text):
        wrong_shape("expectations.slower_max_percent", text, "percent")
    bad, unsure = [], []
    common = [k for k in report.measured if k in base.measured]
    for key in common:
        now, old = report.measured[key].figures(), base.measured[key].figures()
        up = _FASTER_WHEN_UP.search(key[1]) is not None
        change = ((old[0] / now[0] if up else now[0] / old[0]) - 1) * 100 if now[0] > 0 and old[0] > 0 else 0.0
        if change <= float(text):
            continue
        apart = now[2] < old[1] if up else now[1] > old[2]
        words = f"{key[0]} went from {old[0]:g} to {now[0]:g} {key[1]}, {change:.1f} % worse; {text} % are allowed"
        if apart and min(now[3], old[3]) > 1:
            bad.append(example(words, key[0]))
        else:
            unsure.append(f"{words}, and its samples do not tell it from chance")
    return bad, unsure if common else ["base and this have no benchmark in common"]
