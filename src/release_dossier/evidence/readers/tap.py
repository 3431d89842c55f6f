"""TAP, versions 12 to 14: `ok` and `not ok` lines under a plan `1..N`. It can end anywhere: only the plan tells how many there should be.

`# SKIP` was not looked at; `# TODO` that fails is expected to and is not looked at either; `Bail out!` ends a run that broke. An indented
line belongs to a subtest, whose own result the line after it gives. Node calls a suite ok whose tests were all skipped; what ran stands in
the sums it ends with (`# pass N`).
"""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers.given import Given, Lines, skips, test_facts
from release_dossier.evidence.reading import Counterexample, Reading, example, first

NAME = "tap"
_POINT = re.compile(r"(not )?ok\b(?:\s+(\d{1,9}))?(?:\s+-)?\s*((?:[^#\\]|\\(?:.|\Z))*)(?:#\s*(.*))?\Z")
_LATE = re.compile(r"(.*?)\s#\s+((?:skip(?:ped)?|todo)\b.*)\Z", re.IGNORECASE)  # behind a title that has a `#` of its own
_SUM = re.compile(r"# (tests|pass|fail|cancelled|skipped|todo) (\d{1,9})\s*\Z")
_PLAN = re.compile(r"1\.\.(\d{1,9})\s*(?:#\s*(.*))?\Z")
_START = re.compile(rb"\A(?:\s*#[^\n]*\n)*\s*(?:TAP version 1[234]\b|1\.\.\d+\s*(?:#.*)?$|(?:not )?ok \d+\b)", re.MULTILINE)


def recognises(head: bytes) -> bool:
    """It begins with a version, a plan or a numbered result."""
    return _START.match(head) is not None


class _Run:
    def __init__(self) -> None:
        self.cut = False
        self.plan: int | None = None
        self.why_none = self.bail = ""
        self.seen: dict[int, int] = {}
        self.passed = self.failed = self.todo = self.plans = 0
        self.bad: list[Counterexample] = []
        self.skipped: list[tuple[str, str]] = []
        self.sums: dict[str, int] = {}


def read(stream: IO[bytes], given: Given) -> Reading:
    """Count the results at the margin.

    Raises:
        Refused: `tap.no-result`.
    """
    run = _Run()
    text_of = Lines(stream)
    for number, raw in text_of:
        text = raw.decode("utf-8", "replace")
        if text.startswith("Bail out!"):
            run.bail = text[9:].strip() or "no reason given"
        elif plan := _PLAN.match(text):
            run.plan, run.why_none = (run.plan or 0) + int(plan[1]), plan[2] or ""
            run.plans += 1
        elif sums := _SUM.match(text):
            run.sums[sums[1]] = run.sums.get(sums[1], 0) + int(sums[2])
        elif point := _POINT.match(text):
            title, directive = point[3].strip(), (point[4] or "").strip()
            if directive and directive[:4].lower() not in ("skip", "todo") and (late := _LATE.match(text, point.start(3))):
                title, directive = late[1].strip(), late[2].strip()
            _point(run, number, bool(point[1]), point[2], title, directive)
    if run.plan is None and not run.seen and not run.bail:
        raise Refused("tap.no-result", at="file", found="neither a plan nor a result", expected="lines of ok and not ok")
    run.cut = not text_of.ended
    return _reading(run)


def _point(run: _Run, line: int, failed: bool, number: str | None, title: str, directive: str) -> None:
    at = int(number) if number else max(run.seen, default=0) + 1
    run.seen[at] = run.seen.get(at, 0) + 1
    title = title or f"test {at}"
    word = directive[:4].lower()
    if word == "skip":
        run.skipped.append((title, directive[4:].lstrip("ped: ")))
    elif word == "todo" and failed:
        run.todo += 1
        run.skipped.append((title, directive))
    elif failed:
        run.failed += 1
        run.bad.append(example(f"{title}: not ok", f"line {line}"))
    else:
        run.passed += 1


def _reading(run: _Run) -> Reading:
    held = sum(run.seen.values())
    bad = [*run.bad, *([example(f"Bail out! {run.bail}", "Bail out!")] if run.bail else [])]
    if run.cut:
        cause = "its last line does not end: it was cut off"
    elif run.plan is None:
        cause = "it holds no plan, so nothing tells how many tests there should be"
    elif run.plan != held:
        cause = f"the plan is {run.plan} tests and {held} are there"
    elif run.plans > 1 or any(n > 1 for n in run.seen.values()):
        cause = "it holds several plans, or a test of one number twice: several runs in one file"
    elif sorted(run.seen) != list(range(1, held + 1)):
        cause = "the numbers of its tests are not those of its plan"
    else:
        cause = ""
    if run.sums.keys() >= {"tests", "pass", "fail", "skipped"}:
        broke = run.sums["fail"] + run.sums.get("cancelled", 0)
        if broke and not bad:
            bad = [example(f"{broke} tests failed or were cancelled, say its sums, and no line shows them", "# fail")]
        elif not run.sums["pass"]:
            run.passed, run.why_none = 0, f"none of {run.sums['tests']} tests passed or failed, say its sums"
    verdict: Any = "fail" if bad else "missing" if run.passed == 0 and not run.todo else "inconclusive" if cause else "pass"
    if verdict == "pass" and run.passed == 0:
        verdict = "missing"
    if verdict == "missing":
        cause = run.why_none or "no test ran"
    return Reading(
        kind="tests",
        format=NAME,
        verdict=verdict,
        looked_at=run.passed + run.failed,
        of=max(run.plan, held) if run.plan is not None else None,
        cause=cause if verdict != "fail" else "",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=test_facts(held, run.passed, run.failed, len(run.skipped)),
        limits=(*skips(run.skipped), *([f"{run.todo} tests fail and are expected to (TODO)"] if run.todo else [])),
    )
