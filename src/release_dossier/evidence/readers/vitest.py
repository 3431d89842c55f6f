"""Vitest's and Jest's JSON reporter: one object, so a file that was cut off is no JSON and refused."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers.given import Given, test_facts, whole_json
from release_dossier.evidence.reading import Reading, example, first
from release_dossier.limits import LIMITS_MAX

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
    results = [r for f in files if isinstance(f, dict) for r in f.get("assertionResults") or () if isinstance(r, dict)]
    failed = [r for r in results if r.get("status") == "failed"]
    skipped = [r for r in results if r.get("status") in _SKIPPED]
    passed = sum(r.get("status") == "passed" for r in results)
    broken = [
        f
        for f in files
        if isinstance(f, dict) and f.get("status") == "failed" and not any(r in failed for r in f.get("assertionResults") or ())
    ]
    bad = [example(f"{_name(r)}: {_first_line(r)}", _name(r)) for r in failed]
    bad += [example(f"{f.get('name')} could not be run: {str(f.get('message', '')).splitlines()[:1]}", str(f.get("name"))) for f in broken]
    promised = report.get("numTotalTests")
    verdict: Any = "fail" if bad else "missing" if passed == 0 else "pass"
    cause = "no test ran" if verdict == "missing" else ""
    if verdict == "pass" and (promised != len(results) or report.get("success") is False or given.exit_status):
        verdict, cause = (
            "inconclusive",
            f"it says {promised} tests, success {report.get('success')}, exit {given.exit_status}; {len(results)} are in it",
        )
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
        limits=tuple(f"skipped: {str(r.get('title', _name(r))).replace(' ', '_')} {_name(r)}" for r in skipped[:LIMITS_MAX]),
        tool="vitest or jest",
    )


def _name(r: dict[str, Any]) -> str:
    return str(r.get("fullName") or r.get("title") or "unnamed")


def _first_line(r: dict[str, Any]) -> str:
    messages = r.get("failureMessages")
    return str(messages[0]).split("\n")[0] if isinstance(messages, list) and messages else "failed"
