"""Vitest's and Jest's JSON reporter: one object, so a file that was cut off is no JSON and refused."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers.given import Given, skips, test_facts, whole_json
from release_dossier.evidence.reading import Reading, example, first

NAME = "vitest-json"
_SKIPPED = ("pending", "skipped", "todo", "disabled")


def recognises(head: bytes) -> bool:
    """An object that counts its tests as Jest does."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and b'"numTotalTests"' in head


def read(stream: IO[bytes], given: Given) -> Reading:
    """Count assertion results.

    Raises:
        Refused: `vitest.shape`, `json.*`.
    """
    report = whole_json(stream)
    files = report.get("testResults") if isinstance(report, dict) else None
    if not isinstance(files, list):
        raise Refused("vitest.shape", at="testResults", found=type(files).__name__, expected="a list of test files")
    results = [r for i, f in enumerate(files) for r in _results(f, i)]
    failed = [r for r in results if r.get("status") == "failed"]
    skipped = [r for r in results if r.get("status") in _SKIPPED]
    passed = sum(r.get("status") == "passed" for r in results)
    unknown = len(results) - passed - len(failed) - len(skipped)
    broken = [f for f in files if f.get("status") == "failed" and not any(r.get("status") == "failed" for r in f["assertionResults"])]
    bad = [example(f"{_name(r)}: {_first_line(r)}", _name(r)) for r in failed]
    bad += [example(f"{f.get('name')} could not be run: {str(f.get('message', '')).splitlines()[:1]}", str(f.get("name"))) for f in broken]
    cause = _disagreement(report, len(results), unknown)
    verdict: Any = "fail" if bad else "missing" if passed == 0 else "inconclusive" if cause else "pass"
    cause = {"fail": "", "missing": "no test ran"}.get(verdict, cause)
    return Reading(
        kind="tests",
        format=NAME,
        verdict=verdict,
        looked_at=passed + len(failed),
        of=len(results),
        cause=cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=test_facts(len(results), passed, len(failed), len(skipped)),
        limits=tuple(skips([(str(r.get("title") or _name(r)), _name(r)) for r in skipped])),
        tool="vitest or jest",
    )


def _results(file: Any, i: int) -> list[dict[str, Any]]:
    results = file.get("assertionResults") if isinstance(file, dict) else None
    if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
        raise Refused("vitest.shape", at=f"testResults[{i}].assertionResults", found=type(results).__name__, expected="a list of results")
    return results


def _disagreement(report: dict[str, Any], held: int, unknown: int) -> str:
    """Where the report's own summary says something else than its parts; empty when they agree."""
    if report.get("numTotalTests") != held:
        return f"it says {report.get('numTotalTests')} tests and holds {held}"
    if report.get("success") is not True:
        return f"no test in it failed, and it says success {report.get('success')}"
    for name in ("numFailedTests", "numFailedTestSuites", "numRuntimeErrorTestSuites"):
        if report.get(name, 0) != 0:
            return f"no test in it failed, and it says {name} {report.get(name)}"
    return f"{unknown} tests ended in a way that is not known" if unknown else ""


def _name(r: dict[str, Any]) -> str:
    return str(r.get("fullName") or r.get("title") or "unnamed")


def _first_line(r: dict[str, Any]) -> str:
    messages = r.get("failureMessages")
    return str(messages[0]).split("\n")[0] if isinstance(messages, list) and messages else "failed"
