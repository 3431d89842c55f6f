"""What a profile measured, as every reader of one gives it, and what is said of it.

1. A sample is a stack, innermost first, and a value. `flat` of a function is what was measured in it, `cum` what was measured in it and in
   what it called; a function that calls itself counts once a sample.
2. A sample belongs to the service (`asked.services`, name → globs) whose file stands innermost in its stack: who called a library paid for
   it. What no service's file is in belongs to none.
3. A profile proves where time or memory went; it fails nobody. Nothing sampled is `missing`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from release_dossier.evidence.readers.given import Given, mapping
from release_dossier.evidence.reading import Fact, Reading
from release_dossier.paths import matches

TOP = 25  # functions that get facts of their own, by flat and by cum
_IN_A_FACT = re.compile(r"[^A-Za-z0-9_]+")
Frame = tuple[str, str]  # function, file


class Profile:
    """What a file says, summed up as it is read."""

    def __init__(self, tool: str, unit: str, given: Given) -> None:
        self.tool, self.unit = tool, unit
        self.what = ""  # what was sampled: cpu, inuse_space, delay
        self.samples = 0
        self.total: float = 0
        self.flat: dict[str, float] = {}
        self.cum: dict[str, float] = {}
        self.services: dict[str, float] = {}
        self.broken: list[str] = []
        self.limits: list[str] = []
        self.seconds: float | None = None
        self.cut = ""
        self.observed_at: str | None = None
        globs = {
            str(k): tuple(map(str, v)) for k, v in mapping(given.asked.get("services"), "asked.services").items() if isinstance(v, list)
        }

        @lru_cache(maxsize=100_000)
        def service_of(file: str) -> str | None:
            parts = file.replace("\\", "/").strip("/").split("/")
            ends = ["/".join(parts[i:]) for i in range(len(parts))]
            return next((name for name, g in globs.items() if any(matches(end, g) for end in ends)), None) if globs and file else None

        self._service_of = service_of

    def add(self, stack: list[Frame], value: float, samples: int = 1) -> None:
        """Enter a sample, innermost frame first."""
        self.samples += samples
        self.total += value
        if not stack:
            return
        self.flat[stack[0][0]] = self.flat.get(stack[0][0], 0) + value
        for name in {name for name, _ in stack}:
            self.cum[name] = self.cum.get(name, 0) + value
        owner = next((s for _, file in stack if (s := self._service_of(file))), None)
        if owner:
            self.services[owner] = self.services.get(owner, 0) + value


def reading(format: str, p: Profile, given: Given) -> Reading:
    """What it says, see the module."""
    facts = {
        "samples": Fact(p.samples, "samples"),
        "functions": Fact(len(p.cum), "functions"),
        "total": Fact(_number(p.total), p.unit or "count", p.samples),
    }
    if p.what:
        facts["sampled"] = Fact(p.what, "words")
    if p.seconds:
        facts["duration"] = Fact(p.seconds, "s")
    for kind, of in (("flat", p.flat), ("cum", p.cum)):
        for name, value in sorted(of.items(), key=lambda x: (-x[1], x[0]))[:TOP]:
            facts[f"{kind}:{name[:200]}"] = Fact(_number(value), p.unit or "count")
    for name, value in sorted(p.services.items()):
        facts[f"share_{_IN_A_FACT.sub('_', name)}"] = Fact(round(min(value / p.total, 1.0), 6) if p.total > 0 else 0.0, "ratio")
    cause = p.cut or (f"{len(p.broken)} records could not be read, the first: {p.broken[0]}" if p.broken else "")
    verdict: Any = "missing" if p.samples == 0 or p.total <= 0 else "inconclusive" if cause else "pass"
    return Reading(
        kind="profile",
        format=format,
        verdict=verdict,
        looked_at=p.samples if verdict != "missing" else 0,
        of=None if p.cut else p.samples,
        cause="" if verdict == "pass" else "nothing was sampled" if verdict == "missing" else cause,
        facts=facts,
        limits=(*p.limits, *(f"not read: {b}" for b in p.broken[:10])),
        tool=p.tool,
        observed_at=p.observed_at,
    )


def _number(value: float) -> int | float:
    return int(value) if value == int(value) and abs(value) < 2**53 else round(value, 6)
