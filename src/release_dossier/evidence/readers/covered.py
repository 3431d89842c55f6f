"""What tests ran and what they did not, as every reader of coverage gives it, and what is said of it.

1. What no test ran was not looked at: `looked_at` of `of` are statements that ran of all there are, lines where a format has no statements.
   Nothing that ran is `missing`, not a small share.
2. A line or branch that is listed twice ran when it ran once; it counts once.
3. Expectations, in whole percent: `minimum_percent` of everything, `changed_minimum_percent` of the lines the change touches. Less is
   `fail`. Nothing asked: what ran is a fact, and a rule may ask for more.
4. `asked.changed` is `{path: [[first, last], …]}`, `asked.services` is `{name: [globs]}`, both by paths of the repository. A file belongs
   to the repository path it shares the longest end with; `asked.files` lists all those there are. Where two fit alike, none does.
"""

from __future__ import annotations

import re
from typing import Any

from release_dossier.evidence.readers.given import Given, mapping, share
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first
from release_dossier.limits import LIMITS_MAX
from release_dossier.paths import matches

_IN_A_FACT = re.compile(r"[^A-Za-z0-9_]+")


class Covered:
    """Lines by file, each with whether it ran; statements and branches as (ran, all) by file."""

    def __init__(self, unit: str = "lines") -> None:
        self.unit = unit  # what `looked_at` counts: lines or statements
        self.lines: dict[str, dict[int, bool]] = {}
        self.statements: dict[str, list[int]] = {}
        self.branches: dict[str, list[int]] = {}
        self.broken: list[str] = []
        self.limits: list[str] = []
        self.more: dict[str, Fact] = {}
        self.cut = ""
        self.tool = self.tool_version = ""
        self.observed_at: str | None = None

    def line(self, file: str, number: int, ran: bool) -> None:
        """Enter a line."""
        of = self.lines.setdefault(file, {})
        of[number] = ran or of.get(number, False)

    def add(self, what: dict[str, list[int]], file: str, ran: int, of: int) -> None:
        """Enter statements or branches of a file."""
        counts = what.setdefault(file, [0, 0])
        counts[0] += min(ran, of)
        counts[1] += of

    def ran(self, files: set[str] | None = None) -> tuple[int, int]:
        """(ran, all) in `unit`, of these files or of all."""
        if self.unit == "statements":
            found = [c for f, c in self.statements.items() if files is None or f in files]
            return sum(c[0] for c in found), sum(c[1] for c in found)
        lines = [of for f, of in self.lines.items() if files is None or f in files]
        return sum(sum(of.values()) for of in lines), sum(len(of) for of in lines)


def reading(format: str, c: Covered, given: Given) -> Reading:
    """What it says, see the module."""
    ran, of = c.ran()
    places = _Places(given, set(c.lines) | set(c.statements) | set(c.branches))
    changed, changed_of, bare = _changed(c, given, places)
    facts = _facts(c, ran, of) | c.more | _by_service(c, given, places)
    if changed_of:
        facts |= {
            "changed_lines": Fact(changed_of, "lines"),
            "changed_lines_covered": Fact(changed, "lines"),
            "changed_covered": Fact(round(changed / changed_of, 6), "ratio", changed_of),
        }
    bad = _short("minimum_percent", "of everything", ran, of, c.unit, given)
    bad += _short("changed_minimum_percent", "of what the change touches", changed, changed_of, "lines", given)
    if bad:
        bad += [example(f"{b} changed and did not run", b) for b in bare]
    cause = c.cut or (f"{len(c.broken)} records could not be read, the first: {c.broken[0]}" if c.broken else "")
    verdict: Any = "missing" if of == 0 or ran == 0 else "fail" if bad else "inconclusive" if cause else "pass"
    if verdict == "missing":
        cause = "it measured nothing" if of == 0 else f"none of {of} {c.unit} ran"
    limits = [*c.limits, *(f"not read: {b}" for b in c.broken[:10]), *places.limits]
    limits += [f"changed and not run: {b}" for b in bare[:LIMITS_MAX]] if not bad else []
    return Reading(
        kind="coverage",
        format=format,
        verdict=verdict,
        looked_at=ran,
        of=None if c.cut and verdict != "fail" else of,
        cause="" if verdict in ("pass", "fail") else cause,
        counterexamples=first(bad) if verdict == "fail" else (),
        counterexamples_total=len(bad) if verdict == "fail" else 0,
        facts=facts,
        limits=tuple(limits),
        tool=c.tool,
        tool_version=c.tool_version,
        observed_at=c.observed_at,
    )


def _facts(c: Covered, ran: int, of: int) -> dict[str, Fact]:
    facts = {"files": Fact(len(set(c.lines) | set(c.statements)), "files")}
    if c.lines:
        facts["lines"] = Fact(sum(len(x) for x in c.lines.values()), "lines")
        facts["lines_covered"] = Fact(sum(sum(x.values()) for x in c.lines.values()), "lines")
    for name, what in (("statements", c.statements), ("branches", c.branches)):
        if what:
            facts[name] = Fact(sum(x[1] for x in what.values()), name)
            facts[f"{name}_covered"] = Fact(sum(x[0] for x in what.values()), name)
    if of:
        facts["covered"] = Fact(round(ran / of, 6), "ratio", of)
    return facts


def _by_service(c: Covered, given: Given, places: _Places) -> dict[str, Fact]:
    out = {}
    for name, globs in mapping(given.asked.get("services"), "asked.services").items():
        files = {f for f, path in places.of.items() if isinstance(globs, list) and matches(path, [str(g) for g in globs])}
        ran, of = c.ran(files)
        if of:
            out[f"covered_{_IN_A_FACT.sub('_', str(name))}"] = Fact(round(ran / of, 6), "ratio", of)
    return out


def _short(name: str, of_what: str, ran: int, of: int, unit: str, given: Given) -> list[Counterexample]:
    asked = given.expectations.get(name)
    if asked is None:
        return []
    percent = share(asked, name)
    if of == 0 or ran * 100 >= percent * of:
        return []
    return [example(f"{ran} of {of} {unit} {of_what} ran, {percent} % are asked for", name)]


def _changed(c: Covered, given: Given, places: _Places) -> tuple[int, int, list[str]]:
    """(ran, measured, where not) of the lines that changed; what coverage does not measure (comments, braces) is in neither."""
    ran = of = 0
    bare: list[str] = []
    for path, spans in mapping(given.asked.get("changed"), "asked.changed").items():
        lines = c.lines.get(places.file(str(path)) or "", {})
        touched = sorted(n for n in lines if any(_within(n, s) for s in spans if isinstance(s, list))) if isinstance(spans, list) else []
        of += len(touched)
        ran += sum(lines[n] for n in touched)
        bare += [f"{path}:{a}" if a == b else f"{path}:{a}-{b}" for a, b in _spans([n for n in touched if not lines[n]])]
    return ran, of, bare


def _within(n: int, span: list[Any]) -> bool:
    return len(span) == 2 and isinstance(span[0], int) and isinstance(span[1], int) and span[0] <= n <= span[1]


def _spans(numbers: list[int]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1] = (out[-1][0], n)
        else:
            out.append((n, n))
    return out


class _Places:
    """Which path of the repository each file of the report is."""

    def __init__(self, given: Given, files: set[str]) -> None:
        known = given.asked.get("files")
        changed = mapping(given.asked.get("changed"), "asked.changed")
        paths = [str(p) for p in known] if isinstance(known, list) else [str(p) for p in changed]
        self.limits: list[str] = []
        by_name: dict[str, list[str]] = {}
        for p in paths:
            by_name.setdefault(p.rpartition("/")[2], []).append(p)
        self.of = {f: _nearest(f, by_name.get(f.rpartition("/")[2], [])) or f for f in files}
        self.files: dict[str, list[str]] = {}
        for f, path in self.of.items():
            self.files.setdefault(path, []).append(f)
        lost = sorted(str(p) for p in changed if self.file(str(p)) is None)
        if lost and changed:
            self.limits.append(f"changed and not in it: {', '.join(lost[:5])}" + (f" and {len(lost) - 5} more" if len(lost) > 5 else ""))

    def file(self, path: str) -> str | None:
        found = self.files.get(path, [])
        return found[0] if len(found) == 1 else None


def _nearest(file: str, paths: list[str]) -> str | None:
    """The path that shares the longest end with `file`: all of the shorter one, or at least its folder too. None when two fit alike."""
    best: list[str] = []
    most = 0
    parts = file.replace("\\", "/").strip("/").split("/")
    for p in paths:
        other = p.split("/")
        same = 0
        while same < min(len(parts), len(other)) and parts[-1 - same] == other[-1 - same]:
            same += 1
        if same < 2 and same < min(len(parts), len(other)):
            continue
        if same > most:
            best, most = [p], same
        elif same == most:
            best.append(p)
    return best[0] if len(best) == 1 else None
