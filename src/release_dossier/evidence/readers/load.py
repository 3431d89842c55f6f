"""What a load test measured, as every reader of one gives it, and what is said of it.

1. Asked for: the thresholds the tool itself judged; `budget` among the expectations, as in `p95 <= 300 ms, error_rate <= 1 %,
   throughput >= 50 /s`; and `slower_max_percent`, beside the base release's facts (`asked.base.facts`). Nothing asked for proves nothing.
2. Where the generator shared the server's machine (`load_generator = "shared"`), or the host was overloaded, or the generator could not
   send what it was asked to, absolute figures of time and rate say nothing of a capacity: such a budget is open, kept or not. A comparison
   with a base that was measured alike still stands. Errors stay errors.
3. Requests that failed where nothing says how many may: a quick answer may be a refusal, so a budget of time alone does not pass.
4. Times are milliseconds here, whatever the file has; how percentiles came about stands among the limits.
"""

from __future__ import annotations

import re
from array import array
from math import ceil, exp, floor, log
from typing import Any

from release_dossier.evidence.readers.given import Given, mapping, numbers, wrong_shape
from release_dossier.evidence.readers.given import without as absent
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first

MILLISECONDS = {
    "ns": 1e-6,
    "us": 1e-3,
    "µs": 1e-3,
    "μs": 1e-3,
    "ms": 1.0,
    "s": 1e3,
    "sec": 1e3,
    "secs": 1e3,
    "m": 6e4,
    "min": 6e4,
    "h": 3.6e6,
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zµμ]+)")
_BUDGET = re.compile(r"(p\d{1,2}(?:\.\d+)?|max|mean|error_rate|throughput)\s*(<=|<|>=|>)\s*(\d+(?:\.\d+)?)\s*(ms|s|%|/s)\Z")
_EXACT_MAX = 200_000  # values kept one by one; beyond that they are counted in steps of a thousandth
_STEP = log(1.001)
_CONDITIONS = ("topology", "machine", "load_generator", "scenario", "duration", "target_rate")
_ALWAYS = ("latency_p50", "latency_p95", "latency_max", "error_rate", "requests", "throughput")


class Distribution:
    """Percentiles of a stream of values from 0 in bounded memory: exact to `_EXACT_MAX` values, within a thousandth beyond."""

    def __init__(self) -> None:
        self.exact: array[float] | None = array("d")
        self.steps: dict[int, int] = {}
        self.count = 0
        self.total = self.max = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.max = max(self.max, value)
        if self.exact is not None:
            self.exact.append(value)
            if self.count > _EXACT_MAX:
                for v in self.exact:
                    self._step(v)
                self.exact = None
        else:
            self._step(value)

    def _step(self, value: float) -> None:
        at = round(log(value) / _STEP) if value > 0 else -(10**9)
        self.steps[at] = self.steps.get(at, 0) + 1

    def percentiles(self, *which: float) -> dict[float, float]:
        """Between the two nearest values, as k6 does it."""
        if not self.count:
            return {}
        if self.exact is not None:
            ordered = sorted(self.exact)
            at = {p: p / 100 * (self.count - 1) for p in which}
            return {p: ordered[floor(x)] + (ordered[ceil(x)] - ordered[floor(x)]) * (x - floor(x)) for p, x in at.items()}
        out = {}
        ranks = sorted((ceil(p / 100 * self.count), p) for p in which)
        seen = 0
        for step in sorted(self.steps):
            seen += self.steps[step]
            while ranks and ranks[0][0] <= seen:
                out[ranks.pop(0)[1]] = min(exp(step * _STEP), self.max) if step > -(10**9) else 0.0
        return out

    @property
    def how(self) -> str:
        """How they came about, in words."""
        if self.exact is not None:
            return f"percentiles are ours, between the two nearest of {self.count} values"
        return f"percentiles are ours, within a thousandth, over {self.count} values"


class Run:
    """What a file says of a run. Times in ms. `promised` are thresholds as the tool judged them: (metric, words, held)."""

    def __init__(self, tool: str, version: str = "") -> None:
        self.tool, self.tool_version = tool, version
        self.requests = 0
        self.failed: int | None = None
        self.dropped = 0
        self.figures: dict[str, tuple[Any, str]] = {}
        self.words: dict[str, str] = {}
        self.promised: list[tuple[str, str, bool]] = []
        self.errors: list[tuple[int, str, str]] = []  # how often, what, where
        self.broken: list[str] = []
        self.limits: list[str] = []
        self.overloaded = ""
        self.cut = ""
        self.observed_at: str | None = None

    def measured(self, d: Distribution, seconds: float | None = None) -> None:
        """Figures of a distribution, and the rate over `seconds`."""
        found = d.percentiles(50, 90, 95, 99)
        self.figures |= {f"latency_p{p:g}": (round(v, 6), "ms") for p, v in found.items()}
        if d.count:
            self.figures |= {"latency_max": (d.max, "ms"), "latency_mean": (round(d.total / d.count, 6), "ms")}
        if seconds:
            self.figures["throughput"] = (round(d.count / seconds, 6), "1/s")
        self.limits.append(d.how)


def milliseconds(text: str) -> float | None:
    """`78.27ms`, `1m2s` or `5.1 secs`; None when it is no duration."""
    parts = _DURATION.findall(text.strip())
    if not parts or _DURATION.sub("", text).strip() or any(unit not in MILLISECONDS for _, unit in parts):
        return None
    return sum(float(n) * MILLISECONDS[unit] for n, unit in parts)


def reading(format: str, run: Run, given: Given) -> Reading:
    """What it says, see the module."""
    figures = {"requests": (run.requests, "requests")} | run.figures
    if run.failed is not None and run.requests:
        figures.setdefault("error_rate", (round(min(run.failed, run.requests) / run.requests, 9), "ratio"))
    facts = {n: Fact(f.value, f.unit, run.requests or None) if _over_requests(n) else f for n, f in numbers(figures).items()}
    lacking = absent({n: figures.get(n, (None, "")) for n in _ALWAYS}, facts)
    facts |= {k: Fact(v, "words") for k, v in (run.words | _environment(given)).items() if v}
    unfit = _unfit(run, facts, given) or _short_of(facts, given)
    bad, open_, asked = _judge(run, facts, unfit, given)
    if run.cut:
        open_.append(run.cut)
    if run.broken:
        open_.append(f"{len(run.broken)} records could not be read, the first: {run.broken[0]}")
    failed = facts["error_rate"].value if "error_rate" in facts else 0
    if failed and not any("error" in a or "failed" in a or "checks" in a for a in asked):
        open_.append(f"{_percent(failed)} of the requests failed, and nothing says how many may")
    verdict: Any = "missing" if run.requests == 0 else "fail" if bad else "inconclusive" if open_ or not asked else "pass"
    cause = {"missing": "no request was sent", "inconclusive": "; ".join(open_) or "no threshold was asked for"}.get(verdict, "")
    worst = sorted(run.errors, key=lambda e: -e[0])
    bad += [example(f"{n} × {what}", where) for n, what, where in worst] if verdict == "fail" else []
    said = [] if verdict == "fail" else [f"{n} × {what} {where}".strip() for n, what, where in worst[:5]]
    return Reading(
        kind="latency",
        format=format,
        verdict=verdict,
        looked_at=run.requests,
        of=None if run.cut and verdict != "fail" else run.requests + run.dropped,
        cause=cause,
        counterexamples=first(bad) if verdict == "fail" else (),
        counterexamples_total=len(bad) if verdict == "fail" else 0,
        facts=facts,
        limits=tuple(dict.fromkeys((*run.limits, *([f"not fit for a capacity: {unfit}"] if unfit else []), *lacking, *said))),
        tool=run.tool,
        tool_version=run.tool_version,
        observed_at=run.observed_at,
    )


def _over_requests(fact: str) -> bool:
    """Whether a figure is one over every request, so that their number is its sample size."""
    return fact.startswith("latency_") or fact == "error_rate"


def _percent(ratio: Any) -> str:
    return f"{float(ratio) * 100:.3g} %"


def _environment(given: Given) -> dict[str, str]:
    """Conditions the file does not know and the plan does."""
    around = mapping(given.asked.get("environment"), "asked.environment")
    names = ("load_generator", "topology", "machine")
    said = {n: given.expectations.get(n) or around.get(n) for n in names}
    return {n: str(v) for n, v in said.items() if v}


def _unfit(run: Run, facts: dict[str, Fact], given: Given) -> str:
    """Why absolute figures say nothing of a capacity; empty when nothing says so."""
    around = mapping(given.asked.get("environment"), "asked.environment")
    generator = facts.get("load_generator")
    if why := shared(str(generator.value) if generator else "") or run.overloaded:
        return why
    busy = around.get("cpu_percent_max")
    if isinstance(busy, (int, float)) and busy >= 95:
        return f"the host was overloaded: its processors were {busy:g} % busy"
    load, processors = around.get("load_average"), around.get("processors")
    if isinstance(load, (int, float)) and isinstance(processors, int) and load > processors > 0:
        return f"the host was overloaded: a load of {load:g} on {processors} processors"
    return ""


def shared(generator: str) -> str:
    """Why a generator described like this did not measure the server alone; empty when it may have."""
    words = re.search(r"\b(?:shared|beside|same (?:machine|host|server|droplet))\b", generator.lower())
    return "the load generator shared the server's machine" if words else ""


def _short_of(facts: dict[str, Fact], given: Given) -> str:
    """Why the generator did not send what it was asked to (`target_rate`, a second); empty when it did, or nobody asked."""
    text = given.expectations.get("target_rate", "")
    if text and not re.fullmatch(r"\d{1,9}(?:\.\d+)?", text):
        wrong_shape("expectations.target_rate", text, "requests a second")
    if text:
        facts["target_rate"] = Fact(float(text), "1/s")
    target, reached = facts.get("target_rate"), facts.get("throughput")
    if target is None or reached is None or isinstance(target.value, str) or isinstance(reached.value, str):
        return ""
    return f"{reached.value:g} of {target.value:g} requests a second were reached" if reached.value < 0.95 * target.value else ""


def _judge(run: Run, facts: dict[str, Fact], unfit: str, given: Given) -> tuple[list[Counterexample], list[str], list[str]]:
    """(broken promises, open ones, all that was asked for)."""
    bad: list[Counterexample] = []
    open_: list[str] = []
    asked: list[str] = []
    for metric, words, held in run.promised:
        asked.append(f"{metric}: {words}")
        if unfit and not re.search(r"fail|check|error", metric):
            open_.append(f"{metric}: {words} cannot be told: {unfit}")
        elif not held:
            bad.append(example(f"{metric}: {words} was crossed", metric))
    for text in given.declared("budget"):
        name, words, kept = _budget(text, facts)
        asked.append(words)
        if kept is None:
            open_.append(f"{words}: it does not say {name}")
        elif unfit and name != "error_rate":
            open_.append(f"{words} cannot be told: {unfit}")
        elif not kept:
            bad.append(example(f"{words} is crossed: {facts[name].value:g} {facts[name].unit}", name))
    if "slower_max_percent" in given.expectations:
        asked.append("slower_max_percent")
        slower, why = _compare(facts, given)
        bad += slower
        open_ += [why] if why else []
    return bad, open_, asked


def _budget(text: str, facts: dict[str, Fact]) -> tuple[str, str, bool | None]:
    found = _BUDGET.match(text)
    unit = found[4] if found else ""
    if found is None or (found[1] == "error_rate") != (unit == "%") or (found[1] == "throughput") != (unit == "/s"):
        wrong_shape("expectations.budget", text, "as in p95 <= 300 ms, error_rate <= 1 %, throughput >= 50 /s")
    name = found[1] if found[1] in ("error_rate", "throughput") else f"latency_{found[1]}"
    limit = float(found[3]) * {"s": 1000.0, "%": 0.01}.get(unit, 1.0)
    fact = facts.get(name)
    if fact is None or isinstance(fact.value, str):
        return name, text, None
    value = float(fact.value)
    return name, text, {"<=": value <= limit, "<": value < limit, ">=": value >= limit, ">": value > limit}[found[2]]


def _compare(facts: dict[str, Fact], given: Given) -> tuple[list[Counterexample], str]:
    """Beside the base release: what became slower by more than is allowed, or why nothing can be told."""
    percent = given.expectations["slower_max_percent"].removesuffix("%").strip()
    if not re.fullmatch(r"\d{1,4}(?:\.\d+)?", percent):
        wrong_shape("expectations.slower_max_percent", percent, "percent")
    base = mapping(mapping(given.asked.get("base"), "asked.base").get("facts"), "asked.base.facts")
    if not base:
        return [], "there is no base release to compare with"
    before = {k: v.get("value") for k, v in base.items() if isinstance(v, dict)}
    for name in _CONDITIONS:
        now = facts[name].value if name in facts else None
        if now != before.get(name):
            return [], f"not measured alike: {name} was {before.get(name) or 'not said'}, is {now or 'not said'}"
    bad: list[Counterexample] = []
    seen = 0
    for name in ("latency_p50", "latency_p95", "latency_p99"):
        old, new = before.get(name), facts.get(name)
        if isinstance(old, (int, float)) and old > 0 and new is not None and not isinstance(new.value, str):
            seen += 1
            if float(new.value) > old * (1 + float(percent) / 100):
                more = (float(new.value) / old - 1) * 100
                bad.append(example(f"{name} went from {old:g} to {new.value:g} ms, {more:.1f} % slower; {percent} % are allowed", name))
    return bad, "" if seen else "base and this have no percentile in common"
