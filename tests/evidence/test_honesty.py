"""What a reader must not be talked into: contradictions, repetitions and impossible figures never make a reading greener."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from release_dossier.cli.evidence import evidence
from release_dossier.errors import Refused
from release_dossier.evidence.kinds import KINDS, page
from release_dossier.evidence.readers import read
from release_dossier.evidence.reading import Reading
from release_dossier.sources.files import open_evidence

ROOT = Path(__file__).resolve().parents[2]
Event = dict[str, Any]


def says(raw: Any, **more: Any) -> Reading:
    text = raw if isinstance(raw, str) else json.dumps(raw)
    return read(io.BytesIO(text.encode()), **more)


def go(*events: Event, more: str = "") -> str:
    return "".join(json.dumps({"Package": "p", **e}) + "\n" for e in events) + more


START, END, BROKE = {"Action": "start"}, {"Action": "pass"}, {"Action": "fail"}
RUN, PASS, FAIL = ({"Action": a, "Test": "T"} for a in ("run", "pass", "fail"))
PANIC = {"Action": "output", "Output": "panic: boom\n"}


@pytest.mark.parametrize(
    ("raw", "more", "verdict"),
    [
        (go(START, RUN, FAIL, RUN, PASS, END), {"exit_status": 0}, "fail"),
        (go(START, RUN, PASS, BROKE, START, RUN, PASS, END), {"exit_status": 0}, "fail"),
        (go(START, RUN, more='{"Action":"fail","Action":"pass","Package":"p","Test":"T"}\n'), {"exit_status": 0}, "inconclusive"),
        (go(START, RUN, PASS, END, {"Action": "fail", "Test": 3}), {"exit_status": 0}, "inconclusive"),
        (go(START, RUN, PASS, END, {"Action": ["fail"]}), {"exit_status": 0}, "inconclusive"),
        (go(START, RUN, PASS, END, more="[" * 100_000 + "\n"), {"exit_status": 0}, "inconclusive"),
        (go(START, RUN, PASS, END, RUN), {"exit_status": 0}, "inconclusive"),
        (go(START, RUN, PASS, PANIC), {"exit_status": 2}, "fail"),
        (go(START, RUN, PASS, PANIC, END), {"exit_status": 0}, "pass"),
        (go(START, RUN, PASS, END), {"exit_status": 0, "asked": {"packages": ["p"]}}, "pass"),
        (go(START, RUN, PASS, END), {"exit_status": 0, "asked": {"packages": ["p", "q"]}}, "inconclusive"),
        (go(START, RUN, PASS, END).replace('"Package": "p", ', ""), {"exit_status": 0}, "pass"),
    ],
)
def test_go(raw: str, more: dict[str, Any], verdict: str) -> None:
    """What failed once stays failed; a key twice is no event; a panic that was only printed is none; what was asked for must be there."""
    assert says(raw, **more).verdict == verdict


@pytest.mark.parametrize(
    ("inside", "verdict"),
    [
        ('<testsuite><testcase name="a"/></testsuite>', "pass"),
        ('<testsuite failures="1"><testcase name="a"/></testsuite>', "inconclusive"),
        ('<testsuite errors="1"><testcase name="a"/></testsuite>', "inconclusive"),
        ('<testsuite><testcase name="a"/><error message="no such module"/></testsuite>', "fail"),
        ('<testsuite><testcase name="a" status="failed"/></testsuite>', "fail"),
        ('<testsuite><testcase name="a"><x><failure/></x></testcase></testsuite>', "fail"),
        ('<testsuite><testcase name="a"><failure/></testcase><testcase name="a"/></testsuite>', "fail"),
        ('<testsuite tests="1"><testcase name="a"/><testsuite tests="2"><testcase name="b"/></testsuite></testsuite>', "inconclusive"),
    ],
)
def test_junit(inside: str, verdict: str) -> None:
    """A failure counts wherever it stands, and a suite that promises more than it holds is not a pass."""
    assert says(f"<testsuites>{inside}</testsuites>").verdict == verdict
    assert says('<testsuites tests="9"><testsuite><testcase name="a"/></testsuite></testsuites>').verdict == "inconclusive"


def test_a_page_that_mentions_a_suite_is_none() -> None:
    """XML is recognised by its root, behind a declaration and comments; the same XML as UTF-16 is read too."""
    with pytest.raises(Refused) as e:
        says("<html><testsuite><testcase/></testsuite></html>")
    assert e.value.code == "evidence.unknown-format"
    xml = '<?xml version="1.0" encoding="{}"?>\n<!-- a --> <!-- b -->\n<testsuite><testcase name="a"/></testsuite>'
    assert says(xml.format("utf-8")).verdict == "pass"
    assert read(io.BytesIO(xml.format("utf-16").encode("utf-16"))).verdict == "pass"


def test_skips_are_named_so_that_a_rule_can_find_them() -> None:
    """One word a name, whatever the tool allows; then why or where; the 21st is counted."""
    case = '<testcase classname="k" name="{}"><skipped/></testcase>'
    r = says("<testsuite>" + case.format("two words") + "".join(case.format(f"s{i}") for i in range(20)) + "</testsuite>")
    assert r.limits[0] == "skipped: two_words k"
    assert [x.startswith("skipped: ") for x in r.limits] == [True] * 20 + [False]
    assert (r.limits[20], r.facts["skipped"].value) == ("1 more were skipped and are not named", 21)


def test_what_was_tried_again_or_counts_twice_is_said() -> None:
    """A test that passed only later, and results with one name, stand among the limits."""
    r = says('<testsuite><testcase name="a"><flakyFailure/></testcase><testcase name="a"/></testsuite>')
    assert r.limits == ("1 tests passed only when tried again", "1 results bear the name of an earlier one and count again")


VITEST = {"numTotalTests": 1, "success": True, "testResults": [{"status": "passed", "assertionResults": [{"status": "passed"}]}]}


@pytest.mark.parametrize(
    "change",
    [
        {"numFailedTests": 1},
        {"numFailedTestSuites": 1},
        {"numRuntimeErrorTestSuites": 1},
        {"success": None},
        {"numTotalTests": 2},
        {"numTotalTests": 2, "testResults": [{"assertionResults": [{"status": "passed"}, {"status": "exploded"}]}]},
    ],
)
def test_vitest(change: Event) -> None:
    """A report that contradicts itself is not a pass."""
    assert says(VITEST).verdict == "pass"
    assert says(VITEST | change).verdict == "inconclusive"


@pytest.mark.parametrize("files", [[3], [{"assertionResults": 3}], [{"assertionResults": [3]}], [{}]])
def test_vitest_shape(files: list[Any]) -> None:
    """Parts that are none are refused, not passed over."""
    with pytest.raises(Refused) as e:
        says(VITEST | {"testResults": files})
    assert e.value.code == "vitest.shape"


@pytest.mark.parametrize("count", [-5, 10**50, True, None, "5", 2.5])
def test_requests_that_cannot_be_counted(count: Any) -> None:
    """Less than nothing, more than a double can tell apart, a flag, a word: no request was looked at."""
    k6 = {"metrics": {"http_reqs": {"count": count, "thresholds": {"rate>1": False}}}}
    load = {"schemaVersion": "0.1.0", "loadGenerator": "k6", "decision": "pass", "results": {"requestsTotal": count}}
    for raw in (k6, load):
        r = says(raw)
        assert (r.verdict, r.looked_at) == ("missing", 0)
        assert "requests" not in r.facts or count == 2.5
        assert any("no usable figure for: latency_p50, latency_p95" in x for x in r.limits)


@pytest.mark.parametrize("value", [-1, 1.5])
def test_a_share_is_between_nothing_and_all(value: float) -> None:
    """A rate below 0 or above 1 is no fact."""
    assert "error_rate" not in says({"metrics": {"http_req_failed": {"value": value}, "http_reqs": {"count": 1}}}).facts


@pytest.mark.parametrize("thresholds", [["p(95)<5"], "crossed", None])
def test_thresholds_nobody_can_read(thresholds: Any) -> None:
    """Another shape of thresholds is refused: passing over it would turn a failed run green."""
    with pytest.raises(Refused) as e:
        says({"metrics": {"http_reqs": {"count": 5, "thresholds": {"a": False}}, "checks": {"thresholds": thresholds}}})
    assert e.value.code == "k6.shape"


@pytest.mark.parametrize(
    ("name", "statuses", "verdict"),
    [
        ("seq_duplicate_bet", {"201": 1, "409": 1}, "pass"),
        ("seq_duplicate_bet", {"201": 2}, "fail"),
        ("par_double_resolve", {"500": 6}, "missing"),
        ("par_double_resolve", {"204": 1}, "missing"),
        ("par_double_resolve", {"204": -3, "409": 2}, "missing"),
        ("par_double_resolve", {"204": True}, "missing"),
        ("not_duplicated", {"201": 5}, "missing"),
    ],
)
def test_replays(name: str, statuses: dict[str, Any], verdict: str) -> None:
    """Protection is shown only where something was repeated and something got through."""
    assert says([{"scenario": name, "statuses": statuses}]).verdict == verdict


def drill(*alerts: tuple[str, str, str]) -> str:
    lines = ({"status": s, "labels": {"alertname": n, "severity": "page", "instance": i}} for n, s, i in alerts)
    return "".join(json.dumps({"receivedAt": "2026-01-01T00:00:00Z", "payload": {"alerts": [a]}}) + "\n" for a in lines)


@pytest.mark.parametrize(
    ("alerts", "verdict", "looked_at"),
    [
        ([("X", "firing", "a"), ("X", "resolved", "a")], "pass", 1),
        ([("X", "firing", "a"), ("X", "firing", "a"), ("X", "resolved", "a"), ("X", "resolved", "a")], "pass", 1),
        ([("X", "resolved", "a")], "missing", 0),
        ([("X", "firing", "a"), ("X", "resolved", "b")], "inconclusive", 0),
        ([("X", "firing", "a"), ("X", "firing", "b"), ("X", "resolved", "a")], "inconclusive", 0),
        ([("X", "firing", "a"), ("X", "resolved", "a"), ("X", "firing", "a")], "inconclusive", 0),
        ([("X", "firing", "a"), ("X", "resolved", "a"), ("X", "odd", "a")], "inconclusive", 1),
    ],
)
def test_a_drill(alerts: list[tuple[str, str, str]], verdict: str, looked_at: int) -> None:
    """An alert is covered when every instance that was seen firing was seen resolving after it; declared twice it counts once."""
    r = says(drill(*alerts), expectations={"alerts": "X, X"})
    assert (r.verdict, r.looked_at, r.of) == (verdict, looked_at, 1)


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        ("Checking a\n  SUCCESS: 3 rules found\n", "pass"),
        ("Checking a\n  SUCCESS: 0 rules found\n", "missing"),
        ("Checking a\nChecking b\n  SUCCESS: 1 rules found\n  SUCCESS: 1 rules found\n", "inconclusive"),
    ],
)
def test_promtool(raw: str, verdict: str) -> None:
    """A file without a rule was not looked at, and one file's success is not another's."""
    assert says(raw, exit_status=0).verdict == verdict


@pytest.mark.parametrize(
    "raw", [go(START, RUN, PASS, END), "<testsuite><testcase name='a'/></testsuite>", VITEST, drill(("X", "firing", "a"))]
)
def test_no_format_passes_where_its_tool_failed(raw: Any) -> None:
    """Whatever the file says, a tool that ended badly did not finish its work."""
    assert says(raw, exit_status=1, expectations={"alerts": "X"}).verdict == "inconclusive"


def test_every_kind_has_its_page() -> None:
    """docs/evidence/KIND.md is what the kind says of itself, and there is no other page."""
    assert {f.stem: f.read_text() for f in (ROOT / "docs/evidence").glob("*.md")} == {k.name: page(k) for k in KINDS}


def test_read_from_the_command_line(tmp_path: Path) -> None:
    """Exit 0 on pass and 10 otherwise, the contract's fields in JSON; an --asked that is no object is a wrong call."""
    file, asked = tmp_path / "go", tmp_path / "asked"
    file.write_text(go(START, RUN, PASS, END))
    asked.write_text('{"packages": ["p"]}')
    r = CliRunner().invoke(evidence, ["read", str(file), "--exit", "0", "--asked", str(asked), "--json"], standalone_mode=False)
    assert json.loads(r.stdout) | {"kind": "tests", "format": "go-test-json", "verdict": "pass", "looked_at": 1, "of": 1} == json.loads(
        r.stdout
    )
    assert {"facts", "counterexamples", "limits"} <= json.loads(r.stdout).keys()
    assert r.return_value == 0
    assert CliRunner().invoke(evidence, ["read", str(file)], standalone_mode=False).return_value == 10
    for bad in ("[]", '{"expectations": [1]}'):
        asked.write_text(bad)
        r = CliRunner().invoke(evidence, ["read", str(file), "--asked", str(asked)], standalone_mode=False)
        assert isinstance(r.exception, click.BadParameter)


def test_devices_and_pipes_are_not_opened(tmp_path: Path) -> None:
    """A device or a pipe is refused without waiting for it."""
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        with pytest.raises(Refused) as e, open_evidence(path):
            pass
        assert e.value.code == "evidence.not-a-file"
