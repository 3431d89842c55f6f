"""XML reports of .NET: xUnit.net (`assembly`), NUnit 2 and 3 (`test-results`, `test-run`), Visual Studio (`TestRun`).

Each names its results its own way; what they have in common is one element a test and a word for how it ended.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.errors import shown
from release_dossier.evidence.readers.given import Given, local, skips, test_facts, xml_events
from release_dossier.evidence.readers.sniff import root
from release_dossier.evidence.reading import Counterexample, Reading, example, first

NAME = "dotnet-xml"
_TOOLS = {"assemblies": "xunit.net", "assembly": "xunit.net", "test-results": "nunit 2", "test-run": "nunit 3", "TestRun": "visual studio"}
_CASE = {"xunit.net": "test", "nunit 2": "test-case", "nunit 3": "test-case", "visual studio": "UnitTestResult"}
_PASSED = frozenset(("pass", "passed", "success", "warning"))
_SKIPPED = frozenset(("skip", "skipped", "ignored", "notrun", "notrunnable", "notexecuted", "pending", "inconclusive"))
_CUT_OFF = frozenset(("Aborted", "PassedButRunAborted", "Timeout", "Disconnected", "InProgress", "Pending", "NotRunnable"))
_SUMS = {  # of an element, the attributes that sum its tests: all, failed, skipped
    "assembly": (("total",), ("failed", "errors"), ("skipped",)),
    "test-results": (("total", "not-run"), ("failures", "errors"), ("not-run",)),
    "test-run": (("total",), ("failed",), ("skipped", "inconclusive")),
    "Counters": (("total",), ("failed", "error", "timeout", "aborted"), ("notExecuted", "inconclusive")),
}


def recognises(head: bytes) -> bool:
    """The root of one of these reports."""
    name, attributes = root(head)
    return name in _TOOLS and (name != "assembly" or "test-framework" in attributes or "run-date" in attributes)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Count one result a test; a word that is not known is not a pass.

    Raises:
        Refused: `xml.*`.
    """
    tool, case = "", ""
    tests = failed = passed = unknown = 0
    said = [0, 0, 0]  # all, failed, skipped
    bad: list[Counterexample] = []
    skipped: list[tuple[str, str]] = []
    outcome = ""
    for event, element in xml_events(stream):
        name = local(element.tag)
        if event == "start" and not tool:
            tool = _TOOLS.get(name, "")
            case = _CASE.get(tool, "")
        if event == "start":
            said = [n + sum(_count(element.get(a, "")) for a in names) for n, names in zip(said, _SUMS.get(name, ((),) * 3), strict=True)]
        elif name in ("ResultSummary", "test-run"):
            outcome = str(element.get("outcome") or element.get("result") or "")
        elif name == case:
            tests += 1
            word, title = _ended(element), element.get("name") or element.get("testName") or element.get("fullname") or "unnamed"
            if word in _SKIPPED:
                skipped.append((title, _said(element, ("reason", "message"))))
            elif word in _PASSED:
                passed += 1
            else:
                known = word.startswith(("fail", "error", "timeout", "aborted", "invalid", "cancelled"))
                failed += known
                unknown += not known
                if known:
                    bad.append(example(f"{title}: {_said(element, ('message', 'Message')) or word}", title))
            element.clear()
        elif name not in ("message", "Message", "reason", "failure", "Output", "ErrorInfo", "stack-trace", "StackTrace"):
            element.clear()
    if said[1] > failed:
        bad.append(
            example(f"{said[1]} tests, set-ups or clean-ups failed, says its summary, and {failed} tests of them are shown", "summary")
        )
    ended_badly = outcome.startswith(("Failed", "Error"))
    bad += [example(f"the run says {shown(outcome, 80)}, and no test of it does", "the run")] if ended_badly and not bad else []
    cause = f"it says {said[0]} tests and holds {tests}" if said[0] > tests else ""
    cause = cause or (f"the run says {outcome}: it was cut off" if outcome in _CUT_OFF else "")
    cause = cause or (f"{unknown} tests ended in a way that is not known" if unknown else "")
    verdict: Any = "fail" if bad else "missing" if passed == 0 else "inconclusive" if cause else "pass"
    return Reading(
        kind="tests",
        format=NAME,
        verdict=verdict,
        looked_at=passed + failed,
        of=max(tests, said[0]),
        cause="no test ran" if verdict == "missing" else cause if verdict != "fail" else "",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=test_facts(max(tests, said[0]), passed, max(failed, said[1]), max(len(skipped), said[2])),
        limits=tuple(skips(skipped)),
        tool=tool,
    )


def _ended(case: Any) -> str:
    """How a test ended, in small letters. NUnit 2 says it in two attributes."""
    if str(case.get("executed", "")).lower() == "false":
        return "notrun"
    word = str(case.get("result") or case.get("outcome") or "").lower()
    return word or {"true": "success", "false": "failure"}.get(str(case.get("success", "")).lower(), "")


def _said(case: Any, names: tuple[str, ...]) -> str:
    found = next((e for e in case.iter() if local(e.tag) in names and "".join(e.itertext()).strip()), None)
    return " ".join("".join(found.itertext()).split())[:240] if found is not None else ""


def _count(text: str) -> int:
    return int(text[:15]) if text.isdecimal() else 0
