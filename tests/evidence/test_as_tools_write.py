"""Shapes that real runs of tools wrote and a plain reading gets wrong: the verdict is what the tool itself ended with."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.readers import read
from release_dossier.evidence.reading import Reading


def says(raw: Any, exit_status: int | None = None) -> Reading:
    text = raw if isinstance(raw, str) else json.dumps(raw)
    return read(io.BytesIO(text.encode()), exit_status=exit_status)


def pytest_xml(tests: int, cases: str, name: str = "pytest") -> str:
    return (
        f'<testsuites name="pytest tests"><testsuite name="{name}" errors="0" failures="0" tests="{tests}">{cases}</testsuite></testsuites>'
    )


def newman(tests: int, cases: int, ids: bool = True) -> str:
    suite = '<testsuite name="ok" id="{}" tests="{}">{}</testsuite>'
    case = '<testcase name="200" time="0.1"/>' * cases
    first = suite.format("d049a517-49bd-4354-9814-b7b6ff2cdfc8" if ids else "1", cases, case)
    return f'<testsuites name="c" tests="{tests}">{first}{suite.format("d049a517-49bd-4354-9814-b7b6ff2cdfc9", 0, "")}</testsuites>'


CASE = '<testcase classname="t" name="a" time="0.1"/>'
LISTED = '<testcase name="{}" file="t.cc" line="3"/>'
CTEST = (
    '<testsuite name="(empty)" tests="2" failures="0">{}<testcase name="nf" time="0" status="notrun"><skipped message="{}"/></testcase>'
    "</testsuite>"
)
SUITES = '<testsuites tests="2"><testsuite name="A" tests="2"{}>{}</testsuite></testsuites>'
TODO = (
    f'<testsuites>{CASE}<testcase name="b" failure="1"><skipped type="{{}}" message="true"/><failure message="1"/></testcase></testsuites>'
)


@pytest.mark.parametrize(
    ("raw", "exit_status", "verdict", "counts"),
    [
        # pytest counts subtests that passed in `tests` and writes no element for them
        (pytest_xml(5, CASE * 2), 0, "pass", (2, 2)),
        (pytest_xml(5, CASE * 2), None, "inconclusive", None),
        (pytest_xml(5, CASE * 2, "other"), 0, "inconclusive", None),
        # but no failure more than are shown, and something must be shown
        (pytest_xml(1, CASE).replace('failures="0"', 'failures="3"'), 0, "inconclusive", None),
        (pytest_xml(9, CASE).replace('errors="0"', 'errors="2"'), 0, "inconclusive", None),
        (pytest_xml(9, ""), 0, "inconclusive", None),
        # a test without a name was running when pytest was interrupted, or called pytest.exit(returncode=0)
        (pytest_xml(1, CASE + '<testcase time="0.000"/>'), None, "inconclusive", (1, 1)),
        (pytest_xml(1, CASE + '<testcase time="0.000"/>'), 0, "inconclusive", (1, 1)),
        # one that failed without a name is a failure all the same
        (pytest_xml(1, CASE + '<testcase><failure message="boom"/></testcase>'), 1, "fail", (2, 2)),
        # newman -n 3: the root counts every iteration, the suites show one
        (newman(6, 2), 0, "pass", (2, 2)),
        (newman(7, 2), 0, "inconclusive", None),
        (newman(6, 2), None, "inconclusive", None),
        (newman(6, 2, ids=False), 0, "inconclusive", None),
        # Node: a test that is still to do fails and is expected to
        (TODO.format("todo"), 0, "pass", (1, 2)),
        (TODO.format("todo").replace(' failure="1"', ""), 0, "fail", (2, 2)),
        (TODO.format(""), 0, "fail", (2, 2)),
        # CTest: a program that is missing is a failure, a return code that means skip is not
        (CTEST.format(CASE, "Unable to find executable"), None, "fail", (2, 2)),
        (CTEST.format(CASE, "Fixture dependency failed"), 8, "fail", (2, 2)),
        (CTEST.format(CASE, "SKIP_RETURN_CODE=77"), 0, "pass", (1, 2)),
        # GoogleTest --gtest_list_tests: where tests stand, and no word of how they ended
        (SUITES.format("", LISTED.format("a") + LISTED.format("b")), 0, "missing", (0, 2)),
        (SUITES.format(' failures="0"', LISTED.format("a") * 2), 0, "pass", (2, 2)),
        (SUITES.format("", LISTED.format("a") + CASE), 0, "pass", (2, 2)),
    ],
)  # fmt: skip
def test_junit_of_many_tools(raw: str, exit_status: int | None, verdict: str, counts: tuple[int, int] | None) -> None:
    """Each tool's own way of counting, and no more lenient for anybody else's file of the same shape."""
    r = says(raw, exit_status)
    assert r.verdict == verdict, r.cause
    assert counts is None or (r.looked_at, r.of) == counts


def test_a_todo_of_node_that_fails_is_said() -> None:
    """It does not count as a failure, and the reading says that it failed."""
    assert "1 tests fail and are expected to (TODO)" in says(TODO.format("todo"), 0).limits


def test_a_title_with_a_number_sign_before_its_directive() -> None:
    """AVA and Bats escape none: `# SKIP` behind such a title was not looked at. A `#` in the words of a title is no directive."""
    told = says("1..3\nok 1 - C# works # SKIP\nnot ok 2 - see # 12 # TODO\nok 3 - b # 7\n", 0)
    assert (told.verdict, told.looked_at, told.of, told.limits[0]) == ("pass", 1, 3, "skipped: C#_works")
    assert says("1..1\nok 1 - C# # SKIP no runtime\n", 0).verdict == "missing"
    bats = says("TAP version 13\n1..2\nok 1 a\nnot ok 2 issue #3 skipped # SKIP no # reason\n", 0)
    assert (bats.verdict, bats.limits[0]) == ("pass", "skipped: issue_#3_skipped no # reason")
    assert says("1..2\nok 1 - in C:\\\nnot ok 2 - a\\# 1\\\n", 0).verdict == "fail", "a title may end with a backslash"
    assert says("1..1\nok 1 - in C:\\\n", 0).verdict == "pass"
    for title in ("closes # 12 and its #todo", "no # sign # todolist", "# 3 # x # is to do"):
        assert says(f"1..1\nnot ok 1 - {title}\n", 0).verdict == "fail"


def node(points: str, **sums: int) -> str:
    told = {"tests": 2, "suites": 1, "pass": 0, "fail": 0, "cancelled": 0, "skipped": 0, "todo": 0} | sums
    return "TAP version 13\n" + points + "1..1\n" + "".join(f"# {k} {v}\n" for k, v in told.items())


SUITE = "# Subtest: d\n    ok 1 - x # SKIP\n    ok 2 - y # SKIP\n    1..2\nok 1 - d\n  ---\n  type: 'suite'\n  ...\n"


def test_tap_of_node() -> None:
    """A suite of which every test was skipped is `ok`; the sums at the end say that none ran. They do not make green what failed."""
    skipped = says(node(SUITE, skipped=2), 0)
    assert (skipped.verdict, skipped.looked_at, skipped.cause) == ("missing", 0, "none of 2 tests passed or failed, say its sums")
    assert says(node(SUITE, **{"pass": 1, "skipped": 1}), 0).verdict == "pass"
    assert says(SUITE.replace("# Subtest", "TAP version 13\n# Subtest") + "1..1\n# pass 0\n", 0).verdict == "pass", "not Node's sums"
    assert says(node("not ok 1 - d\n", skipped=2), 0).verdict == "fail"
    for word in ("fail", "cancelled"):
        told = says(node("ok 1 - d\n", **{"pass": 1, word: 2}), 0)
        assert (told.verdict, told.counterexamples[0].text[:7]) == ("fail", "2 tests")
    passed = node("ok 1 - d\n", **{"pass": 1})
    assert says(passed + node(SUITE, skipped=2).removeprefix("TAP version 13\n"), 0).verdict == "inconclusive", "two runs in one file"


NUNIT = (
    '<test-run id="2" result="{0}" total="1" passed="1" failed="0"><test-suite result="{0}" site="TearDown"><failure>'
    '<message>db down</message></failure><test-case name="a" result="Passed"/></test-suite></test-run>'
)
XUNIT = (
    '<assemblies><assembly name="T.dll" run-date="2026-01-01" total="1" passed="1" failed="0" skipped="0" errors="{}"><collection>'
    '<test name="a" result="Pass"/></collection></assembly></assemblies>'
)
TRX = (
    '<TestRun><Results><UnitTestResult testName="a" outcome="Passed"/></Results><ResultSummary outcome="{}"><Counters/>'
    "</ResultSummary></TestRun>"
)


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        (NUNIT.format("Failed"), "fail"), (NUNIT.format("Passed"), "pass"),
        (XUNIT.format(1), "fail"), (XUNIT.format(0), "pass"),
        (TRX.format("Completed"), "pass"), (TRX.format("Failed"), "fail"), (TRX.format("Error"), "fail"),
        *((TRX.format(word), "inconclusive") for word in ("Aborted", "PassedButRunAborted", "Timeout")),
    ],
)  # fmt: skip
def test_dotnet_runs_that_failed_outside_of_a_test(raw: str, verdict: str) -> None:
    """Every test passed, and a clean-up failed or the run was aborted: what the run says of itself counts."""
    assert says(raw).verdict == verdict


def go_bench(*events: dict[str, Any]) -> str:
    return "".join(json.dumps({"Package": "p", **e}) + "\n" for e in events)


def test_benchmarks_of_go_have_no_end() -> None:
    """`go test -json -bench .` ends the package and never the benchmark; in a package that did not end, or of a test, it was cut off."""
    start, test = {"Action": "start"}, [{"Action": a, "Test": "T"} for a in ("run", "pass")]
    bench, end = {"Action": "run", "Test": "BenchmarkX"}, {"Action": "pass"}
    r = says(go_bench(start, *test, bench, end), 0)
    assert (r.verdict, r.looked_at, r.of) == ("pass", 1, 1)
    assert says(go_bench(start, *test, bench), 0).verdict == "inconclusive"
    assert says(go_bench(start, *test, bench | {"Test": "TestX"}, end), 0).verdict == "inconclusive"
    assert says(go_bench(start, *test, bench, {"Action": "fail"}), 1).verdict == "fail"


def pytest_json(exitcode: int, *outcomes: str) -> dict[str, Any]:
    tests = [{"nodeid": f"t.py::{i}", "outcome": o} for i, o in enumerate(outcomes)]
    return {"exitcode": exitcode, "root": "/", "environment": {}, "summary": {"total": len(tests), "collected": len(tests)}, "tests": tests}


@pytest.mark.parametrize(
    ("exitcode", "outcomes", "verdict"),
    [
        (0, ("rerun", "passed"), "pass"), (0, ("subtests passed", "passed"), "pass"), 
        (1, ("subtests passed",), "fail"),
        (2, ("rerun", "passed"), "inconclusive"), (1, ("passed",), "inconclusive"),
        (0, ("sublime", "passed"), "inconclusive"), (1, ("rerun", "failed"), "fail"),
    ],
)  # fmt: skip
def test_outcomes_of_pytest_plugins(exitcode: int, outcomes: tuple[str, ...], verdict: str) -> None:
    """Tried again, and with subtests: pytest's own exit code says how it came out; 1 is a failure wherever it hides."""
    r = says(pytest_json(exitcode, *outcomes), exitcode)
    assert r.verdict == verdict
    assert ("flaky" in r.facts) is ("rerun" in outcomes)


def test_a_test_of_jest_that_is_still_to_do() -> None:
    """CTRF calls it `other`; only what Jest calls a todo is one."""
    summary = {"tests": 2, "passed": 1, "failed": 0, "other": 1}
    for raw, verdict in (("todo", "pass"), ("timedOut", "inconclusive")):
        tests = [{"name": "a", "status": "passed"}, {"name": "t", "status": "other", "rawStatus": raw}]
        assert (
            says({"reportFormat": "CTRF", "results": {"tool": {"name": "jest"}, "summary": summary, "tests": tests}}, 0).verdict == verdict
        )


def k6_stream(metric: str, kind: str, threshold: Any, value: float = 1.0) -> str:
    told: dict[str, Any] = {"type": "Metric", "metric": metric, "data": {"type": kind, "thresholds": [threshold], "submetrics": None}}
    points = [
        {"type": "Point", "metric": name, "data": {"time": f"2026-01-01T00:00:{i:02d}Z", "value": v}}
        for i in range(11)
        for name, v in (("http_reqs", 1.0), ("http_req_duration", 5.0), *(((metric, value),) if metric != "http_reqs" else ()))
    ]
    return "".join(json.dumps(line) + "\n" for line in (told, *points))


@pytest.mark.parametrize(
    ("metric", "kind", "threshold", "exit_status", "verdict"),
    [
        # 11 requests in 10 seconds: a counter's rate is one a second
        ("http_reqs", "counter", "rate>0.5", 0, "pass"), ("http_reqs", "counter", "rate<0.5", 99, "fail"),
        ("http_reqs", "counter", "rate>1.05", 0, "inconclusive"), ("http_reqs", "counter", "count>10", 0, "pass"),
        ("http_req_failed", "rate", "rate<2", 0, "pass"), ("http_req_failed", "rate", "rate<0.5", 99, "fail"),
        ("http_req_failed", "rate", {"threshold": "rate<2", "abortOnFail": True, "delayAbortEval": None}, 0, "pass"),
        ("http_req_failed", "rate", {"threshold": "rate<0.01", "abortOnFail": True}, 99, "fail"),
        ("http_req_failed", "rate", {"abortOnFail": True}, 0, "inconclusive"),
    ],
)  # fmt: skip
def test_thresholds_of_k6(metric: str, kind: str, threshold: Any, exit_status: int, verdict: str) -> None:
    """A rate over a counter is one a second, and left open near its limit; thresholds written as objects are judged too."""
    assert says(k6_stream(metric, kind, threshold), exit_status).verdict == verdict


def test_the_newer_summary_of_k6() -> None:
    """It holds no thresholds: its exit status says that one was crossed, and nothing in it that any was asked for."""
    duration = {"name": "http_req_duration", "type": "trend", "values": {"avg": 2.0, "med": 2.0, "p90": 3.0, "p95": 4.0, "max": 5.0}}
    sent = {"name": "http_reqs", "type": "counter", "values": {"count": 20}}
    checks = {"metrics": [{"name": "checks_succeeded", "type": "rate", "values": {"rate": 1}}]}

    def summary(script: str) -> dict[str, Any]:
        return {
            "version": "1.0.0",
            "config": {"duration": 2.0, "execution": "local", "script": script},
            "metadata": {"k6_version": "1.8.1"},
            "results": {"checks": checks, "metrics": [duration, sent]},
        }

    asks = "export const options = { thresholds: { http_req_failed: ['rate<0.01'] } }"
    for exit_status, verdict in ((0, "inconclusive"), (99, "fail"), (None, "inconclusive")):
        assert says(summary(asks), exit_status).verdict == verdict
    facts = says(summary(asks), 0).facts
    assert (facts["latency_p95"].value, facts["throughput"].value, facts["checks_rate"].value, facts["requests"].value) == (4, 10, 1, 20)


def sarif(name: str, **run: Any) -> dict[str, Any]:
    return {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": name}}, **run}]}


def test_staticcheck_says_line_0_of_a_package_that_does_not_build() -> None:
    """Its SARIF ends with 0 and puts what the compiler said at no line: a finding, and none that cannot be read."""
    place = {"artifactLocation": {"uriBaseId": "%SRCROOT%"}, "region": {"startLine": 0, "startColumn": 0}}
    result = {"ruleId": "compile", "message": {"text": "cannot use"}, "locations": [{"physicalLocation": place}]}
    well = [{"executionSuccessful": True}]
    told = says(sarif("Staticcheck", results=[result], invocations=well), 0)
    assert (told.verdict, told.counterexamples[0].text, told.counterexamples[0].where) == ("fail", "compile: cannot use", "")
    place["artifactLocation"] = {"uri": "a.go"}
    assert says(sarif("Staticcheck", results=[result], invocations=well), 0).counterexamples[0].where == "a.go"


def test_npm_asks_a_registry_that_does_not_answer() -> None:
    """It writes the answer of the registry, and no code of its own."""
    answer = {"message": "405 Method Not Allowed - POST https://r/bulk", "statusCode": 405, "error": {"summary": "", "detail": ""}}
    told = says(answer, 1)
    assert (told.format, told.verdict, told.cause) == ("npm-audit", "missing", f"it could not look: {answer['message']}")


def test_analysers_that_did_not_read_everything() -> None:
    """Semgrep calls a part of a file it could not read a warning; Staticcheck leaves out an empty list of results; nobody else may."""
    unread = {"level": "warning", "descriptor": {"id": "Syntax error"}, "message": {"text": "`x(` was unexpected"}}
    other = unread | {"descriptor": {"id": "Deprecated rule"}}
    more = [(unread | {"descriptor": {"id": word}}, "inconclusive") for word in ("Out of memory", "Lexical error", "Fixpoint timeout")]
    for notification, verdict in ((unread, "inconclusive"), (other, "pass"), *more):
        invocations = [{"executionSuccessful": True, "toolExecutionNotifications": [notification]}]
        assert says(sarif("Semgrep OSS", results=[], invocations=invocations), 0).verdict == verdict
    well = [{"executionSuccessful": True}]
    assert says(sarif("Staticcheck", invocations=well), 0).verdict == "pass"
    assert says(sarif("Staticcheck", invocations=[{"executionSuccessful": False}]), 1).verdict == "missing"
    assert says(sarif("Staticcheck", invocations=well, results=None), 0).verdict == "missing"
    assert says(sarif("Other", invocations=well), 0).verdict == says(sarif("Staticcheck"), 0).verdict == "missing"
    for kind, verdict in (
        (["PartialParsing", [{"path": "a.py"}]], "inconclusive"),
        ("Timeout", "inconclusive"),
        ("Unknown language", "pass"),
    ):
        error = {"level": "warn", "type": kind, "message": "m", "path": "a.py"}
        assert says({"version": "1", "results": [], "errors": [error], "paths": {"scanned": ["a.py"]}}, 0).verdict == verdict


def test_a_link_of_npm_is_no_reason_to_refuse_a_bill() -> None:
    """npm copies `git@github.com:…` into `externalReferences`, which is no address; a number there is still refused."""
    component: dict[str, Any] = {"type": "library", "name": "a", "version": "1", "purl": "pkg:npm/a@1"}

    def bill(url: Any) -> dict[str, Any]:
        references = [{"type": "vcs", "url": url}]
        return {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [component | {"externalReferences": references}]}

    assert says(bill("git@github.com:pkgjs/parseargs.git")).kind == "sbom"
    with pytest.raises(Refused):
        says(bill(5))


def trivy(**more: Any) -> dict[str, Any]:
    packages = {"Target": "img", "Class": "os-pkgs", "Packages": [{"Name": "a", "Version": "1"}]}
    return {"SchemaVersion": 2, "ArtifactName": "img", "Results": [packages, {"Target": "a.py", **more}]}


def test_what_else_a_scanner_of_packages_found() -> None:
    """A secret, a failed check of configuration or a licence that is not allowed is found beside packages without a vulnerability."""
    secret = {"Class": "secret", "Secrets": [{"RuleID": "aws", "Severity": "CRITICAL"}]}
    for more, verdict in (
        (secret, "fail"),
        ({"Class": "config", "Misconfigurations": [{"ID": "DS002", "Severity": "HIGH", "Status": "FAIL"}]}, "fail"),
        ({"Class": "config", "Misconfigurations": [{"ID": "DS002", "Severity": "HIGH", "Status": "PASS"}]}, "pass"),
    ):
        assert says(trivy(**more), 0).verdict == verdict
    assert says(trivy(**secret)).counterexamples[0].text.startswith("aws (critical) in a.py")
    package = {"package": {"name": "a", "version": "1", "ecosystem": "npm"}}
    clean = {"package": {"name": "b", "version": "1", "ecosystem": "npm"}}
    called = {"vulnerabilities": [{"id": "GO-1"}], "groups": [{"ids": ["GO-1"], "experimentalAnalysis": {"GO-1": {"called": False}}}]}
    reached = {"vulnerabilities": [{"id": "GO-1"}], "groups": [{"ids": ["GO-1"]}]}
    for more, verdict in (({"license_violations": ["GPL-3.0"]}, "fail"), (called, "pass"), (reached, "fail"), ({}, "pass")):
        report = {"results": [{"source": {"path": "/x"}, "packages": [package | more, clean]}]}
        assert says(report, 0).verdict == verdict, more


def test_bills_whose_name_comes_last() -> None:
    """cyclonedx-py writes a hundred components before `bomFormat`, sbom-tool all files before `spdxVersion`: both are recognised."""
    component = {"bom-ref": "a", "name": "a", "type": "library", "version": "1", "purl": "pkg:pypi/a@1", "description": "x" * 900}
    components = [component | {"bom-ref": f"a{i}"} for i in range(100)]
    assert says({"components": components, "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}).format == "cyclonedx"
    file = {"fileName": "./a.dll", "SPDXID": "SPDXRef-File-a", "checksums": [{"algorithm": "SHA256", "checksumValue": "a" * 64}]}
    files = [file | {"SPDXID": f"SPDXRef-File-{i}", "copyrightText": "x" * 900} for i in range(100)]
    info = {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: t-1"]}
    package = {"name": "a", "SPDXID": "SPDXRef-a", "downloadLocation": "NOASSERTION"}
    about = {"SPDXID": "SPDXRef-DOCUMENT", "spdxVersion": "SPDX-2.2", "dataLicense": "CC0-1.0", "name": "a", "creationInfo": info}
    assert says({"files": files, "packages": [package], **about, "documentNamespace": "https://a.example/1"}).format == "spdx"


def test_eslint_with_its_metadata() -> None:
    """`--format json-with-metadata` puts the list into an object; source code beside a message makes it no scan of packages."""
    message = {"ruleId": "no-undef", "severity": 2, "message": "'foo' is not defined.", "line": 1}
    file = {"filePath": "/a.js", "messages": [message], "suppressedMessages": [], "errorCount": 1, "warningCount": 0, "source": "foo();"}
    r = says({"results": [file], "metadata": {"cwd": "/"}}, 1)
    assert (r.format, r.verdict) == ("eslint", "fail")


def test_a_fast_benchmark_keeps_many_rounds() -> None:
    """pytest-benchmark keeps every round of what takes microseconds."""
    stats = {
        "data": [1e-6] * 150_000,
        "min": 1e-6,
        "max": 1e-6,
        "mean": 1e-6,
        "median": 1e-6,
        "rounds": 150_000,
        "iterations": 1,
        "stddev": 0.0,
    }
    report = {
        "machine_info": {},
        "commit_info": {},
        "benchmarks": [{"name": "t", "fullname": "t.py::t", "stats": stats}],
        "version": "5.3.1",
    }
    assert says(report, 0).verdict == "pass"


def test_xml_with_what_a_test_said() -> None:
    """Jest copies control characters into XML, PowerShell's `>` makes it UTF-16 that declares UTF-8: the failure in it is found."""
    declared = '<?xml version="1.0" encoding="{}"?>'
    failed = declared + '<testsuites><testcase name="f ü"><failure>Received: "{}[31m"</failure></testcase></testsuites>'
    r = says(failed.format("UTF-8", "\x01\x1b"), 1)
    assert (r.verdict, r.counterexamples[0].text) == ("fail", 'f ü: Received: "??[31m"')
    for name in ("UTF-8", "utf-8", "utf-16"):
        wide = read(io.BytesIO(failed.format(name, "").encode("utf-16")), exit_status=1)
        assert (wide.verdict, wide.counterexamples[0].text) == ("fail", 'f ü: Received: "[31m"')
    with pytest.raises(Refused):
        read(io.BytesIO(failed.format("iso-8859-1", "").encode("utf-16")))


BENCHSTAT = """          │    a.txt    │                d.txt                │                b.txt                 │
          │   sec/op    │    sec/op     vs base               │    sec/op     vs base                │
A-8         99.95n ± 1%   100.55n ± 1%       ~ (p=0.158 n=10)   119.45n ± 1%  {} (p=0.000 n=10)
"""
FEW = """    │   a.txt      │             b.txt              │
    │    sec/op    │    sec/op      vs base           │
A-8   99.75n ± ∞ ¹   120.10n ± ∞ ¹  ~ (p=0.333 n=2) ²
"""


def test_every_set_that_benchstat_compares() -> None:
    """The third input counts as the second does; few samples are rows that tell nothing, not no rows."""
    for change, verdict in (("+19.51%", "fail"), ("      ~", "pass"), ("-19.51%", "pass")):
        r = says(BENCHSTAT.format(change), 0)
        assert (r.verdict, r.of) == (verdict, 2)
    heads = ",a.txt,,b.txt,,,,c.txt,,,\n,sec/op,CI,sec/op,CI,vs base,P,sec/op,CI,vs base,P\n"
    csv = heads + "A-8,1e-07,1%,1e-07,1%,~,p=0.1 n=10,1.2e-07,1%,{},p=0.0 n=10\n"
    assert says(csv.format("+20.00%"), 0).verdict == "fail"
    assert says(csv.format("~"), 0).verdict == "pass"
    few = says(FEW, 0)
    assert (few.verdict, few.looked_at, few.of, "± ∞" in few.cause) == ("inconclusive", 0, 1, True)


def test_a_quote_in_jmeters_csv_that_is_never_closed() -> None:
    """However many lines follow it: they are read in time that grows with them."""
    head = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,bytes\n"
    line = "1795834427301,59,get,200,OK,TG 1-1,text,true,166\n"
    began = time.process_time()
    r = says(head + line + line.replace("get", 'g"et') + line * 60_000, 0)
    assert time.process_time() - began < 5
    assert r.verdict == "inconclusive"


PHPUNIT = '<testsuites><testsuite name="R" tests="{}" errors="{}" failures="0"><testcase name="a" time="0.1"/>{}</testsuite></testsuites>'
RISKY = (
    '<testcase name="b" time="0.1"><error type="PHPUnit\\Framework\\RiskyTestError">It did not perform any assertions</error></testcase>'
)
EMPTY = (
    '<testsuites><testsuite name="W" tests="1" warnings="1"><testcase name="Warning"><warning>No tests found in class "W".</warning>'
    "</testcase></testsuite></testsuites>"
)


def test_phpunit_without_tests_and_with_risky_ones() -> None:
    """A class without tests is no pass; a risky test fails only where PHPUnit ended so."""
    assert says(EMPTY, 0).verdict == "missing"
    for exit_status, verdict in ((0, "pass"), (1, "fail"), (None, "fail")):
        assert says(PHPUNIT.format(2, 1, RISKY), exit_status).verdict == verdict
    assert "1 tests are risky" in says(PHPUNIT.format(2, 1, RISKY), 0).limits[0]
    assert says(PHPUNIT.format(2, 2, RISKY), 0).verdict == "pass", "it says two errors and shows one: at least one is there"


def test_what_promtool_and_amtool_say() -> None:
    """amtool says how a file is beside its name; promtool's FAILED of a test is on the other stream."""
    good, bad = "Checking 'am.yml'  SUCCESS\nFound:\n - global config\n", "Checking 'b.yml'  FAILED: undefined receiver\n"
    assert [says(good, 0).verdict, says(good + bad, 1).verdict, says(bad, 1).verdict] == ["pass", "fail", "fail"]
    assert "undefined receiver" in says(good + bad, 1).counterexamples[0].text
    tested = "Unit Testing:  t.yml\n\n"
    assert [says(tested, 1).verdict, says(tested + "  SUCCESS\n", 0).verdict, says(tested, 0).verdict] == ["fail", "pass", "missing"]


def test_an_answer_of_prometheus_that_warns() -> None:
    """A part of the data that is missing is said in `warnings` of a success."""
    answer: dict[str, Any] = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"a": "b"}, "value": [1, "1"]}]}}
    assert says(answer).verdict == "pass"
    partial = says(answer | {"warnings": ["fetch series: partial"]})
    assert (partial.verdict, partial.cause) == ("inconclusive", "it warns: fetch series: partial")
    assert says(answer | {"warnings": []}).verdict == "pass"


def test_what_govulncheck_calls_a_warning() -> None:
    """In SARIF an error is called, a warning is imported and not called; as in its JSON only the first is a finding."""
    result = {"ruleId": "GO-1", "message": {"text": "m"}}
    well = [{"executionSuccessful": True}]
    for level, verdict in (("error", "fail"), ("warning", "pass"), ("note", "pass")):
        assert says(sarif("govulncheck", invocations=well, results=[result | {"level": level}]), 0).verdict == verdict
    assert says(sarif("other", invocations=well, results=[result | {"level": "warning"}]), 0).verdict == "fail"


def test_a_service_that_is_done_and_one_that_is_not_wanted() -> None:
    """Ended with 0 is done, not down; `replicas: 0` is none."""
    row = {"Name": "web", "Service": "web", "State": "running", "Health": "healthy", "ExitCode": 0, "Status": "Up"}
    done = row | {"Name": "migrate", "Service": "migrate", "State": "exited", "Health": ""}
    lines = lambda *rows: "".join(json.dumps(r) + "\n" for r in rows)  # noqa: E731
    assert says(lines(row, done), 0).verdict == "inconclusive"
    assert "ended with 0: migrate" in says(lines(row, done), 0).limits
    assert says(lines(row, done | {"ExitCode": 1}), 0).verdict == "fail"
    assert "nothing runs any more" in says(lines(done), 0).cause
    compose = "services:\n  a: {image: redis, deploy: {replicas: 2}}\n  z: {image: x, deploy: {replicas: 0}}\n  y: {image: y}\n"
    assert says(compose).facts["instances"].value == 3


def test_files_whose_keys_are_sorted_or_begin_otherwise() -> None:
    """An OpenAPI description behind its components, advisories of pnpm before `muted`, manifests behind a definition of a resource."""
    schemas = {f"S{i}": {"type": "object", "description": "d" * 200} for i in range(400)}
    paths = {"/a": {"get": {"responses": {"200": {"description": "ok"}}}}}
    api = {"components": {"schemas": schemas}, "info": {"title": "t", "version": "1"}, "openapi": "3.0.3", "paths": paths}
    assert says(api).format == "openapi"
    definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x.y}\n---\n"
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: 'c:1'}]}\n"
    assert says(definition + pod).format == "kubernetes"


JTL = ["timeStamp", "elapsed", "label", "responseCode", "responseMessage", "threadName", "success", "bytes"]


def jtl(*rows: str, delimiter: str = ",") -> str:
    return "\n".join([delimiter.join(JTL), *(r.replace(",", delimiter) for r in rows), ""])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_jmeter_counts_a_redirect_once(delimiter: str) -> None:
    whole = "1795834427361,11,redir,200,OK,T 1,true,498"
    first, second = "1795834427361,6,redir-0,302,Found,T 1,true,201", "1795834427367,5,redir-1,200,OK,T 1,true,297"
    r = says(jtl(whole, first, second, whole, first, second, delimiter=delimiter), 0)
    assert (r.looked_at, r.of) == (2, 2), r
    assert r.limits[-1].startswith("4 steps of samples are left out")
    # of another thread, beyond its time, or not the next part: a sample like any other
    for other in (first.replace("T 1", "T 2"), first.replace(",6,", ",12,"), second, first.replace("427361", "427360")):
        assert says(jtl(whole, other, delimiter=delimiter), 0).looked_at == 2, other


def test_gatling_takes_a_request_called_as_a_status() -> None:
    run = "RUN\tS\ts\t1795834427361\t \t3.9.5\n"
    r = says(run + "REQUEST\t\tOK\t1795834427361\t1795834427371\tKO\tboom\n", 0)
    assert (r.looked_at, r.facts["error_rate"].value) == (1, 1), r


def test_go_benchmarks_that_fail_or_print() -> None:
    head, good = "pkg: ex.org/b\n", "BenchmarkA-2 \t 10\t 5 ns/op\n"
    r = says(f"{head}{good}--- FAIL: BenchmarkB\n    b_test.go:6: no\nFAIL\nexit status 1\nFAIL\tex.org/b\t0.1s\n", 1)
    assert (r.verdict, r.looked_at, r.of, len(r.counterexamples)) == ("fail", 1, 2, 1)
    assert says(f"{head}{good}FAIL\nFAIL\tex.org/b\t0.1s\n", 1).verdict == "fail"
    r = says(f"{head}{good}BenchmarkLog-2 \thello\n12 monkeys\nhello\n 20\t 7 ns/op\t 2 B/op\nPASS\n", 0)
    assert (r.verdict, r.looked_at, r.facts["median:ex.org/b.BenchmarkLog-2:ns/op"].value) == ("pass", 2, 7)


def test_promtool_calls_a_duplicate_an_error_and_ends_with_0() -> None:
    text = "Checking r.yml\n  FAILED:\nlint error 1 duplicate rule(s) found.\nMetric: a\n\n"
    assert [says(text, status).verdict for status in (0, 1, 3, None)] == ["inconclusive", "fail", "fail", "fail"]
    assert "duplicate rule" in says(text, 0).cause
    assert says(text + "Checking s.yml\n  FAILED:\nno rules\n", 0).verdict == "fail"


def test_alertmanager_routes_go_by_intervals_that_exist() -> None:
    route = "route: {{receiver: a, routes: [{{receiver: a, {}: [{}]}}]}}\n{}: [{{name: off}}]\n"
    receivers = "receivers: [{name: a, webhook_configs: [{url: x}]}]\n"
    assert says(receivers + route.format("mute_time_intervals", "off", "time_intervals"), 0).verdict == "inconclusive"
    assert says(receivers + route.format("active_time_intervals", "off", "mute_time_intervals"), 0).verdict == "inconclusive"
    for key in ("mute_time_intervals", "active_time_intervals"):
        r = says(receivers + route.format(key, "on", "time_intervals"), 0)
        assert (r.verdict, r.counterexamples[0].text) == ("fail", "route.routes[0] goes by the time interval on, which is none")


def test_prometheus_groups_digits_and_quotes_names() -> None:
    rule = "groups: [{{name: g, rules: [{{alert: A, expr: '{}'}}]}}]\n"
    assert [says(rule.format(e), 0).facts["lint_errors"].value for e in ("up_1 > 1_000", 'x_1_0{a="1_000"} > 2_0.5', "x > 1__0")] == [
        0,
        0,
        1,
    ]
    r = says('# TYPE "my.m" gauge\n{"my.m",a="b"} 1\n{"other"} 2\nup 1\n', 0)
    assert (r.facts["series"].value, r.facts["lint_errors"].value if "lint_errors" in r.facts else 0, r.verdict) == (3, 0, "inconclusive")
    assert says('# TYPE up gauge\n{a="b"} 1\n', 0).verdict == "fail"
    assert says("# TYPE up gauge\n{} 1\n", 0).verdict == "fail"
