"""CTRF, the Common Test Report Format: a summary and a list of tests with a status each. Where the two differ it is no pass."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers.given import Given, count, mapping, objects, skips, test_facts, whole_json, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example, first

NAME = "ctrf"
_NOT_RUN = ("skipped", "pending")


def recognises(head: bytes) -> bool:
    """It says so, or has results with a tool and a summary of tests."""
    top = outline(head)
    return top.get("reportFormat") == "CTRF" or (top.get("results.tool") == "{" and "results.summary.tests" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Count statuses.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    report = mapping(whole_json(stream), "file")
    results = mapping(report.get("results"), "results")
    tests, summary = objects(results.get("tests"), "results.tests"), mapping(results.get("summary"), "results.summary")
    by: dict[str, list[dict[str, Any]]] = {}
    for t in tests:
        by.setdefault(word(t.get("status")) or "unnamed", []).append(t)
    passed, failed = len(by.get("passed", ())), by.get("failed", [])
    skipped = [t for w in _NOT_RUN for t in by.get(w, ())]
    skipped += [t for t in by.get("other", ()) if word(t.get("rawStatus")) == "todo"]
    other = len(tests) - passed - len(failed) - len(skipped)
    flaky = sum(t.get("flaky") is True for t in tests)
    bad = [example(f"{_title(t)}: {word(t.get('message')) or 'failed'}", _where(t)) for t in failed]
    cause = _disagreement(summary, len(tests), len(failed), passed, other)
    said_failed = count(summary.get("failed"))
    if said_failed and not bad:
        bad = [example(f"the summary says {said_failed} failed and the list shows none", "results.summary")]
    verdict: Any = "fail" if bad else "missing" if passed == 0 else "inconclusive" if cause else "pass"
    tool = mapping(results.get("tool"), "results.tool")
    return Reading(
        kind="tests",
        format=NAME,
        verdict=verdict,
        looked_at=passed + len(failed),
        of=max(len(tests), count(summary.get("tests"))),
        cause="no test ran" if verdict == "missing" else "" if verdict == "fail" else cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=test_facts(len(tests), passed, len(failed), len(skipped)) | ({"flaky": Fact(flaky, "tests")} if flaky else {}),
        limits=(*skips([(_title(t), word(t.get("message"))) for t in skipped]), *([f"{flaky} tests are flaky"] if flaky else [])),
        tool=word(tool.get("name")),
        tool_version=word(tool.get("version")),
    )


def _title(t: dict[str, Any]) -> str:
    return word(t.get("name")) or "unnamed"


def _where(t: dict[str, Any]) -> str:
    file, line = word(t.get("filePath")), t.get("line")
    return f"{file}:{line}" if file and isinstance(line, int) else file or _title(t)


def _disagreement(summary: dict[str, Any], held: int, failed: int, passed: int, other: int) -> str:
    if count(summary.get("tests")) != held:
        return f"the summary says {summary.get('tests')} tests and the list holds {held}"
    if count(summary.get("failed")) != failed or count(summary.get("passed")) != passed:
        return f"the summary says {summary.get('passed')} passed and {summary.get('failed')} failed, the list {passed} and {failed}"
    return f"{other} tests ended in a way that is not known" if other else ""
