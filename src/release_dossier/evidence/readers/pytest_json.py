"""pytest's JSON report (pytest-json-report): a summary, collectors and tests with an outcome each, and pytest's own exit code."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers.given import Given, count, mapping, objects, skips, test_facts, whole_json, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example, first

NAME = "pytest-json"
_FAILED = ("failed", "error")
_NOT_RUN = ("skipped", "xfailed", "deselected")
_EXIT = {2: "it was interrupted", 3: "pytest itself failed", 4: "it was called wrongly", 5: "no test was collected"}


def recognises(head: bytes) -> bool:
    """pytest's exit code beside its summary."""
    top = outline(head)
    return "exitcode" in top and ("summary" in top or "tests" in top or b'"summary"' in head) and ("root" in top or "environment" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Count outcomes; a collector that failed took its tests with it.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    report = mapping(whole_json(stream), "file")
    tests, summary = objects(report.get("tests"), "tests"), mapping(report.get("summary"), "summary")
    outcomes = [word(t.get("outcome")) for t in tests]
    status = report.get("exitcode")
    good = ("passed", "xpassed", "rerun", "subtests passed") if status == 0 and not isinstance(status, bool) else ("passed", "xpassed")
    passed, flaky = sum(o in good for o in outcomes), outcomes.count("rerun")
    failed = [t for t, o in zip(tests, outcomes, strict=True) if o in _FAILED]
    skipped = [t for t, o in zip(tests, outcomes, strict=True) if o in _NOT_RUN]
    unknown = len(tests) - passed - len(failed) - len(skipped)
    broken = [c for c in objects(report.get("collectors"), "collectors") if c.get("outcome") == "failed"]
    bad = [example(f"{word(t.get('nodeid')) or 'unnamed'}: {_why(t)}", _where(t)) for t in failed]
    lost = [word(c.get("nodeid")) or "a module" for c in broken]
    bad += [example(f"{name} could not be collected: its tests disappeared", name) for name in lost]
    said_failed = count(summary.get("failed")) + count(summary.get("error"))
    if said_failed and not bad:
        bad = [example(f"the summary says {said_failed} failed and the list shows none", "summary")]
    if status == 1 and not isinstance(status, bool) and not bad and "subtests passed" in outcomes:
        bad = [example("pytest ended with 1, and a test had subtests: one of them failed, and the list shows none", "exitcode")]
    said = max(count(summary.get("collected")) - count(summary.get("deselected")), count(summary.get("total")))
    if said != len(tests):
        cause = f"the summary says {said} tests and the list holds {len(tests)}"
    elif status != 0 or isinstance(status, bool):
        cause = _EXIT.get(status, f"pytest ended with {status}") if isinstance(status, int) else "its exit code is missing"
    else:
        cause = f"{unknown} tests ended in a way that is not known" if unknown else ""
    verdict: Any = "fail" if bad else "missing" if passed == 0 else "inconclusive" if cause else "pass"
    return Reading(
        kind="tests",
        format=NAME,
        verdict=verdict,
        looked_at=passed + len(failed),
        of=max(len(tests), said),
        cause="" if verdict in ("fail", "pass") else (cause or "no test ran"),
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=test_facts(len(tests), passed, len(failed), len(skipped)) | ({"flaky": Fact(flaky, "tests")} if flaky else {}),
        limits=(
            *skips([(word(t.get("nodeid")), word(t.get("outcome"))) for t in skipped]),
            *([f"{flaky} tests were tried again"] if flaky else []),
        ),
        tool="pytest",
    )


def _phases(t: dict[str, Any]) -> list[dict[str, Any]]:
    return [p for p in (t.get("setup"), t.get("call"), t.get("teardown")) if isinstance(p, dict)]


def _why(t: dict[str, Any]) -> str:
    for phase in _phases(t):
        crash = phase.get("crash")
        if isinstance(crash, dict) and isinstance(crash.get("message"), str):
            return str(crash["message"]).split("\n")[0]
    return word(t.get("outcome"))


def _where(t: dict[str, Any]) -> str:
    for phase in _phases(t):
        crash = phase.get("crash")
        if isinstance(crash, dict) and isinstance(crash.get("path"), str):
            return f"{crash['path']}:{crash.get('lineno', '')}"
    return word(t.get("nodeid"))
