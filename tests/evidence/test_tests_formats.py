"""Results of tests in TAP, CTRF, pytest's JSON, .NET's XML and JUnit's odder corners."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.readers import read
from release_dossier.evidence.reading import Reading


def says(raw: Any, **more: Any) -> Reading:
    text = raw if isinstance(raw, str) else json.dumps(raw)
    return read(io.BytesIO(text.encode()), **more)


def figures(r: Reading) -> tuple[str, int, int | None, Any, Any]:
    return r.verdict, r.looked_at, r.of, r.facts["failed"].value, r.facts["skipped"].value


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        ("TAP version 13\n1..2\nok 1 - a\nok 2 - b\n", ("pass", 2, 2, 0, 0)),
        ("1..2\nok 1 a\nnot ok 2 b\n", ("fail", 2, 2, 1, 0)),
        ("1..2\nok 1 a\nok 2 b # SKIP no database\n", ("pass", 1, 2, 0, 1)),
        ("1..2\nok 1 a\nnot ok 2 b # TODO later\n", ("pass", 1, 2, 0, 1)),
        ("1..1\nok 1 a # not a directive\n", ("pass", 1, 1, 0, 0)),
        ("1..1\nok 1 a \\# skip is part of the name\n", ("pass", 1, 1, 0, 0)),
        ("1..1\nok 1 # SKIP\n", ("missing", 0, 1, 0, 1)),
        ("1..0 # skipped: nothing to do\n", ("missing", 0, 0, 0, 0)),
        ("1..3\nok 1 a\nok 2 b\n", ("inconclusive", 2, 3, 0, 0)),
        ("ok 1 a\nok 2 b\n", ("inconclusive", 2, None, 0, 0)),
        ("ok 1 a\nok 2 b\n1..2\n", ("pass", 2, 2, 0, 0)),
        ("1..1\nok 1 a\n1..1\nok 1 a\n", ("inconclusive", 2, 2, 0, 0)),
        ("1..2\nok 1 a\nok 3 b\n", ("inconclusive", 2, 2, 0, 0)),
        ("1..2\nok 1 a\nBail out! no database\n", ("fail", 1, 2, 0, 0)),
        ("TAP version 14\n1..1\n    not ok 1 - inside\n    1..1\nok 1 - a # outer says ok\n", ("pass", 1, 1, 0, 0)),
    ],
)
def test_tap(raw: str, want: tuple[Any, ...]) -> None:
    """The plan says how many; what is skipped or expected to fail is not looked at; without a plan nobody knows."""
    assert figures(says(raw)) == want
    assert says(raw).cause or want[0] in ("pass", "fail")


def ctrf(*statuses: str, **summary: int) -> dict[str, Any]:
    counts = {"tests": len(statuses), "passed": statuses.count("passed"), "failed": statuses.count("failed"), "skipped": 0} | summary
    tests = [{"name": f"t{i}", "status": s, "duration": 1} for i, s in enumerate(statuses)]
    return {"results": {"tool": {"name": "jest", "version": "29"}, "summary": counts, "tests": tests}}


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (ctrf("passed", "passed"), ("pass", 2, 2, 0, 0)),
        (ctrf("passed", "failed"), ("fail", 2, 2, 1, 0)),
        (ctrf("passed", "skipped", "pending"), ("pass", 1, 3, 0, 2)),
        (ctrf(), ("missing", 0, 0, 0, 0)),
        (ctrf("passed", "other"), ("inconclusive", 1, 2, 0, 0)),
        (ctrf("passed", tests=2), ("inconclusive", 1, 2, 0, 0)),
        (ctrf("passed", failed=1), ("fail", 1, 1, 0, 0)),
        (ctrf("passed", passed=0), ("inconclusive", 1, 1, 0, 0)),
    ],
)
def test_ctrf(raw: dict[str, Any], want: tuple[Any, ...]) -> None:
    """Statuses are counted, and a summary that says otherwise is not a pass."""
    r = says(raw)
    assert figures(r) == want
    assert (r.tool, r.tool_version) == ("jest", "29")
    raw["results"]["tests"] = [3]
    with pytest.raises(Refused) as e:
        says(raw)
    assert (e.value.code, e.value.at) == ("evidence.shape", "results.tests[0]")


def pytest_report(*outcomes: str, exitcode: Any = 0, collectors: Any = (), **summary: int) -> dict[str, Any]:
    crash = {"crash": {"path": "a.py", "lineno": 3, "message": "boom\nx"}}
    tests = [{"nodeid": f"a.py::t{i}", "outcome": o, "call": crash} for i, o in enumerate(outcomes)]
    total = {"total": len(outcomes)}
    return {"exitcode": exitcode, "root": "/r", "summary": total | summary, "tests": tests, "collectors": list(collectors)}


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (pytest_report("passed", "passed"), ("pass", 2, 2, 0, 0)),
        (pytest_report("passed", "failed", exitcode=1), ("fail", 2, 2, 1, 0)),
        (pytest_report("passed", "error", exitcode=1), ("fail", 2, 2, 1, 0)),
        (pytest_report("passed", "skipped", "xfailed"), ("pass", 1, 3, 0, 2)),
        (pytest_report(exitcode=5), ("missing", 0, 0, 0, 0)),
        (pytest_report("passed", exitcode=2), ("inconclusive", 1, 1, 0, 0)),
        (pytest_report("passed", exitcode=None), ("inconclusive", 1, 1, 0, 0)),
        (pytest_report("passed", collected=3), ("inconclusive", 1, 3, 0, 0)),
        (pytest_report("passed", collected=3, deselected=2), ("pass", 1, 1, 0, 0)),
        (pytest_report("passed", failed=1), ("fail", 1, 1, 0, 0)),
        (pytest_report("passed", collectors=[{"nodeid": "b.py", "outcome": "failed"}]), ("fail", 1, 1, 0, 0)),
    ],
)
def test_pytest(raw: dict[str, Any], want: tuple[Any, ...]) -> None:
    """pytest's own exit code is believed, and a module that could not be collected took its tests with it."""
    assert figures(says(raw)) == want


def test_where_pytest_broke() -> None:
    """The file and line of the crash, and its first line."""
    r = says(pytest_report("failed", exitcode=1))
    assert (r.counterexamples[0].text, r.counterexamples[0].where) == ("a.py::t0: boom", "a.py:3")


XUNIT = (
    '<assemblies><assembly name="a" run-date="x" test-framework="xUnit 2" total="{}" failed="{}" skipped="{}">{}</assembly></assemblies>'
)
PASS, FAIL = '<test name="t" result="Pass"/>', '<test name="u" result="Fail"><failure><message>2 is not 3</message></failure></test>'
SKIP = '<test name="v" result="Skip"><reason>no database</reason></test>'
NUNIT2 = '<test-results total="1" failures="{}" errors="0" not-run="1"><test-suite><results>{}</results></test-suite></test-results>'
TRX = '<TestRun xmlns="urn:x"><Results>{}</Results><ResultSummary outcome="{}"><Counters total="{}"/></ResultSummary></TestRun>'


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (XUNIT.format(1, 0, 0, PASS), ("pass", 1, 1, 0, 0)),
        (XUNIT.format(3, 1, 1, PASS + FAIL + SKIP), ("fail", 2, 3, 1, 1)),
        (XUNIT.format(2, 1, 0, PASS), ("fail", 1, 2, 1, 0)),
        (XUNIT.format(2, 0, 0, PASS), ("inconclusive", 1, 2, 0, 0)),
        (XUNIT.format(1, 0, 0, '<test name="t" result="Odd"/>'), ("missing", 0, 1, 0, 0)),
        (XUNIT.format(0, 0, 0, ""), ("missing", 0, 0, 0, 0)),
        (
            NUNIT2.format(0, '<test-case executed="True" success="True"/><test-case executed="False"/>'),
            ("pass", 1, 2, 0, 1),
        ),
        (NUNIT2.format(1, '<test-case name="a" executed="True" success="False"/>'), ("fail", 1, 2, 1, 1)),
        ('<test-run total="1" failed="0"><test-case name="a" result="Passed"/></test-run>', ("pass", 1, 1, 0, 0)),
        ('<test-run total="1" failed="1"><test-case name="a" result="Failed"/></test-run>', ("fail", 1, 1, 1, 0)),
        (TRX.format('<UnitTestResult testName="a" outcome="Passed"/>', "Completed", 1), ("pass", 1, 1, 0, 0)),
        (TRX.format('<UnitTestResult testName="a" outcome="Passed"/>', "Failed", 1), ("fail", 1, 1, 0, 0)),
        (TRX.format('<UnitTestResult testName="a" outcome="Failed"/>', "Failed", 1), ("fail", 1, 1, 1, 0)),
    ],
)
def test_dotnet(raw: str, want: tuple[Any, ...]) -> None:
    """xUnit.net, NUnit 2 and 3, Visual Studio: results are counted, and a summary that knows of more failures is believed."""
    assert figures(says(raw)) == want


def test_why_an_xunit_test_failed() -> None:
    """The message inside the failure."""
    assert says(XUNIT.format(2, 1, 0, PASS + FAIL)).counterexamples[0].text == "u: 2 is not 3"


@pytest.mark.parametrize(
    ("suite", "want"),
    [
        ('<testsuite name="s" tests="6" failures="1" skipped="2"/>', ("fail", 4, 6, 1, 2)),
        ('<testsuite name="s" tests="6"/>', ("inconclusive", 6, 6, 0, 0)),
        ('<testsuite><testcase name="a" status="notrun"/><testcase name="b"/></testsuite>', ("pass", 1, 2, 0, 0)),
        ('<testsuite><testcase name="a"><skipped/><failure/></testcase></testsuite>', ("fail", 1, 1, 1, 0)),
        ('<testsuite><testcase name="a"><skipped/></testcase><testcase name="b"/></testsuite>', ("pass", 1, 2, 0, 1)),
    ],
)
def test_junit_corners(suite: str, want: tuple[Any, ...]) -> None:
    """A suite that only counts is no proof and its failures are failures; a disabled test is not looked at and is not called skipped."""
    assert figures(says(suite)) == want
