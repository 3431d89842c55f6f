"""SARIF and go vet: what is open, new, suppressed; what did not look; which versions are not guessed."""

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


RULES = [{"id": "R1", "defaultConfiguration": {"level": "error"}, "messageStrings": {"m": {"text": "bad {0}"}}}, {"id": "R2"}]
BROKE = {"executionSuccessful": True, "toolExecutionNotifications": [{"level": "error"}]}
PLACE = [{"physicalLocation": {"artifactLocation": {"uri": "a.go"}, "region": {"startLine": 7}}}]


def result(**more: Any) -> dict[str, Any]:
    return {"ruleId": "R2", "message": {"text": "odd"}, "locations": PLACE} | more


def sarif(*results: dict[str, Any], run: Any = None, version: str = "2.1.0") -> dict[str, Any]:
    tool = {"driver": {"name": "lint", "semanticVersion": "1.2.3", "rules": RULES}}
    one = {"tool": tool, "invocations": [{"executionSuccessful": True}], "results": list(results)} | (run or {})
    return {"version": version, "runs": [{k: v for k, v in one.items() if v is not ...}]}


@pytest.mark.parametrize(
    ("raw", "more", "verdict"),
    [
        (sarif(), {}, "pass"),
        (sarif(result()), {}, "fail"),
        (sarif(result(level="note")), {}, "pass"),
        (sarif(result(level="note")), {"expectations": {"fail_on": "note"}}, "fail"),
        (sarif(result()), {"expectations": {"fail_on": "error"}}, "pass"),
        (sarif(result(ruleId="R1")), {"expectations": {"fail_on": "error"}}, "fail"),
        (sarif(result(ruleIndex=0)), {"expectations": {"fail_on": "error"}}, "fail"),
        (sarif(result(kind="pass")), {}, "pass"),
        (sarif(result(suppressions=[{"kind": "inSource"}])), {}, "pass"),
        (sarif(result(suppressions=[{"kind": "external", "status": "rejected"}])), {}, "fail"),
        (sarif(result(suppressions=[{"kind": "inSource"}, {"kind": "external", "status": "underReview"}])), {}, "fail"),
        (sarif(result(suppressions=[])), {}, "fail"),
        (sarif(result(baselineState="new")), {}, "fail"),
        (sarif(result(baselineState="updated")), {}, "fail"),
        (sarif(result(baselineState="unchanged")), {}, "pass"),
        (sarif(result(baselineState="absent")), {}, "pass"),
        (sarif(run={"results": ...}), {}, "missing"),
        (sarif(run={"results": None}), {}, "missing"),
        (sarif(run={"invocations": [{"executionSuccessful": False}]}), {}, "missing"),
        (sarif(result(), run={"invocations": [{"executionSuccessful": False}]}), {}, "fail"),
        (
            sarif(run={"invocations": [{"executionSuccessful": True, "toolExecutionNotifications": [{"level": "error"}]}]}),
            {},
            "inconclusive",
        ),
        (sarif(run={"invocations": ...}), {}, "inconclusive"),
        (sarif(run={"invocations": ...}), {"exit_status": 0}, "pass"),
        (sarif(run={"invocations": [{"executionSuccessful": "yes"}]}), {}, "inconclusive"),
        (sarif(run={"externalPropertyFileReferences": {"results": [{"location": {}}]}}), {}, "inconclusive"),
        (sarif(), {"exit_status": 1}, "inconclusive"),
        ({"version": "2.1.0", "runs": []}, {}, "missing"),
        (sarif(result(ruleIndex=9)), {}, "inconclusive"),
        (sarif(result(ruleIndex=9), result()), {}, "fail"),
        (sarif(result(level="odd")), {}, "inconclusive"),
        (sarif(result(baselineState="odd")), {}, "inconclusive"),
        (sarif(result(message=3)), {}, "inconclusive"),
    ],
)
def test_sarif(raw: dict[str, Any], more: dict[str, Any], verdict: str) -> None:
    """What is open and bad enough fails; what did not look, or nobody can read, never passes; one bad result does not hide the others."""
    r = says(raw, **more)
    assert r.verdict == verdict
    assert r.verdict in ("pass", "fail") or r.cause


def test_several_runs_are_as_good_as_the_worst() -> None:
    """A second run that did not look takes the pass from the first."""
    both = sarif()
    both["runs"] += sarif(run={"results": None})["runs"]
    r = says(both)
    assert (r.verdict, r.looked_at, r.of, r.tool, r.tool_version) == ("inconclusive", 1, 2, "lint", "1.2.3")


def test_what_sarif_says_and_where() -> None:
    """Worst first, the message put together from its rule, the place of its first location; figures of open results."""
    r = says(sarif(result(), result(ruleId="R1", message={"id": "m", "arguments": ["x"]}), result(suppressions=[{}]), result(level="note")))
    assert [(c.text, c.where) for c in r.counterexamples] == [("R1: bad x", "a.go:7"), ("R2: odd", "a.go:7")]
    figures = {n: f.value for n, f in r.facts.items()}
    assert figures == {"results": 4, "suppressed": 1, "errors": 1, "warnings": 1, "notes": 1, "rules": 2, "files": 1}


@pytest.mark.parametrize("version", ["2.2", "2.0.0", "1.0.0", "2.0.0-csd.2.beta.2019-01-24"])
def test_other_versions_are_not_guessed(version: str) -> None:
    """Refused by name."""
    with pytest.raises(Refused) as e:
        says(sarif(version=version))
    assert (e.value.code, e.value.found) == ("evidence.version", version)


def vet(*packages: dict[str, Any]) -> str:
    return "".join(f"# {next(iter(p), 'p')}\n{json.dumps(p, indent=1)}\n" for p in packages)


FINDING = {"p": {"printf": [{"posn": "a.go:3:1", "message": "wrong verb"}]}}


@pytest.mark.parametrize(
    ("raw", "more", "verdict", "looked_at", "of"),
    [
        (vet({}, {}), {"exit_status": 0}, "pass", 2, 2),
        (vet({}, {}), {}, "inconclusive", 2, None),
        (vet({}, FINDING), {"exit_status": 0}, "fail", 2, 2),
        (vet(FINDING, {}), {}, "fail", 2, None),
        (vet({"p": {"printf": {"error": "no types"}}}, FINDING), {"exit_status": 0}, "fail", 2, 2),
        (vet({}, {"p": {"printf": {"error": "no types"}}}), {"exit_status": 0}, "inconclusive", 2, 2),
        ("{}\n{}\n", {"exit_status": 0}, "pass", 2, 2),
    ],
)
def test_go_vet(raw: str, more: dict[str, Any], verdict: str, looked_at: int, of: int | None) -> None:
    """Findings fail although vet ends with 0; an analyzer that could not look, or a stream that may be cut, is no pass."""
    r = says(raw, **more, format="go-vet-json")
    assert (r.verdict, r.looked_at, r.of) == (verdict, looked_at, of)
    assert says(raw, **more).format == "go-vet-json"


def test_beside_the_base_release() -> None:
    """What the base's own log holds too is old, as often as it is there; what is new alone fails; a baseline in the file goes first."""
    base = json.dumps(sarif(result(), result(ruleId="R1"))).encode()
    same = result(locations=[{"physicalLocation": {"artifactLocation": {"uri": "a.go"}, "region": {"startLine": 99}}}])
    r = says(sarif(same), base=base)
    assert (r.verdict, r.facts["results_old"].value, r.facts["results_new"].value, r.facts["results_gone"].value) == ("pass", 1, 0, 1)
    r = says(sarif(same, same), base=base)
    assert (r.verdict, r.facts["results_old"].value, r.facts["results_new"].value) == ("fail", 1, 1)
    assert says(sarif(result(message={"text": "other"})), base=base).verdict == "fail"
    r = says(sarif(result(baselineState="unchanged"), result(baselineState="new")), base=base)
    assert (r.verdict, r.facts["results_new"].value) == ("fail", 1)


def eslint(*messages: dict[str, Any], errors: int = 0, **more: Any) -> list[dict[str, Any]]:
    return [{"filePath": "a.js", "messages": list(messages), "errorCount": errors, "warningCount": len(messages) - errors} | more]


ODD = {"ruleId": "no-undef", "severity": 2, "message": "x is not defined", "line": 3}


@pytest.mark.parametrize(
    ("raw", "more", "want"),
    [
        (eslint(), {}, ("pass", 1, 1)),
        (eslint() * 0 + [{"filePath": "a", "messages": []}], {}, ("pass", 1, 1)),
        (eslint(ODD, errors=1), {}, ("fail", 1, 1)),
        (eslint(ODD | {"severity": 1}), {}, ("fail", 1, 1)),
        (eslint(ODD | {"severity": 1}), {"expectations": {"fail_on": "error"}}, ("pass", 1, 1)),
        (eslint(ODD, errors=1), {"base": json.dumps(eslint(ODD | {"line": 9}, errors=1)).encode()}, ("pass", 1, 1)),
        (eslint(suppressedMessages=[ODD]), {}, ("pass", 1, 1)),
        (eslint(errors=1), {}, ("inconclusive", 1, 1)),
        ({"Golang errors": {"a.go": []}, "Issues": [], "Stats": {"files": 3, "found": 0}}, {}, ("inconclusive", 1, 1)),
        ({"Golang errors": {}, "Issues": [], "Stats": {"files": 0, "found": 0}}, {}, ("missing", 0, 1)),
        ({"Golang errors": {}, "Issues": [], "Stats": {"files": 3, "found": 2}}, {}, ("inconclusive", 1, 1)),
        ({"results": [], "errors": [], "paths": {"scanned": []}, "version": "1"}, {}, ("missing", 0, 1)),
        ({"results": [], "errors": [{"level": "error", "message": "m"}], "paths": {"scanned": ["a"]}}, {}, ("inconclusive", 1, 1)),
        ({"Issues": None, "Report": {"Error": "timeout"}}, {}, ("inconclusive", 1, 1)),
        ("<checkstyle><file name='a'><exception>e</exception></file></checkstyle>", {}, ("inconclusive", 1, 1)),
        ("[]", {"format": "actionlint", "exit_status": 0}, ("pass", 1, 1)),
    ],
)
def test_linters(raw: Any, more: dict[str, Any], want: tuple[Any, ...]) -> None:
    """Open findings fail from the level that is asked for; a file nobody could read, a count that does not fit, no file at all: no pass."""
    r = says(raw, **more)
    assert (r.verdict, r.looked_at, r.of) == want


def test_a_level_nobody_knows() -> None:
    """It may be the worst there is, so the file is refused."""
    with pytest.raises(Refused) as e:
        says("<checkstyle><file name='a'><error severity='dire' message='m'/></file></checkstyle>")
    assert e.value.code == "evidence.shape"


def bandit(*shown: str, counted: dict[str, int] | None = None, errors: tuple[str, ...] = (), files: tuple[str, ...] = ("a.py",)) -> Any:
    """`shown`: severities of results; `counted`: those in its totals, where they are not the same."""
    sums = {s: shown.count(s) for s in ("UNDEFINED", "LOW", "MEDIUM", "HIGH")} | (counted or {})
    totals = {f"SEVERITY.{s}": n for s, n in sums.items()} | {"nosec": 0, "skipped_tests": 0}
    link = "https://bandit.readthedocs.io/en/1.9.4/plugins/b602.html"
    one = {"test_id": "B602", "issue_text": "shell", "filename": "a.py", "line_number": 3, "more_info": link}
    return {
        "errors": [{"filename": f, "reason": "syntax error"} for f in errors],
        "generated_at": "2026-11-26T21:34:38Z",
        "metrics": {"_totals": totals} | {f: {"loc": 2} for f in files},
        "results": [one | {"issue_severity": s} for s in shown],
    }


@pytest.mark.parametrize(
    ("raw", "more", "verdict", "cause"),
    [
        (bandit(), {}, "pass", ""),
        (bandit("LOW"), {}, "pass", ""),
        (bandit("LOW"), {"expectations": {"fail_on": "note"}}, "fail", ""),
        (bandit("MEDIUM"), {}, "fail", ""),
        (bandit("MEDIUM"), {"expectations": {"fail_on": "error"}}, "pass", ""),
        (bandit("HIGH"), {"expectations": {"fail_on": "error"}}, "fail", ""),
        (bandit("UNDEFINED"), {"expectations": {"fail_on": "error"}}, "fail", ""),
        (bandit(counted={"LOW": 2}), {}, "pass", ""),
        (bandit(counted={"LOW": 2}), {"expectations": {"fail_on": "note"}}, "inconclusive", "2 results of level"),
        (bandit(counted={"MEDIUM": 1}), {}, "inconclusive", "1 results of level error or warning are counted and not shown"),
        (bandit("HIGH", counted={"HIGH": 2}), {}, "fail", ""),
        (bandit("LOW", counted={"LOW": 0}), {}, "inconclusive", "counts 0 of level note and shows 1"),
        (bandit(errors=("a.py",), files=("a.py", "b.py")), {}, "inconclusive", "a.py: syntax error"),
        (bandit(errors=("./nosuch",), files=("b.py",)), {}, "inconclusive", "./nosuch"),
        (bandit(errors=("./nosuch",), files=()), {}, "missing", "looked at no file"),
        (bandit(errors=("a.py",)), {}, "missing", "looked at no file"),
        (bandit(files=()), {}, "missing", "looked at no file"),
        (bandit() | {"metrics": {"_totals": {"SEVERITY.HIGH": 0}, "a.py": {}}}, {}, "inconclusive", "does not count severity"),
    ],
)
def test_bandit(raw: Any, more: dict[str, Any], verdict: str, cause: str) -> None:
    """What it counts and does not show, could not parse or did not find is no pass, although it may end with 0."""
    r = says(raw, **more)
    assert (r.format, r.verdict) == ("bandit", verdict)
    assert cause in r.cause
    assert bool(r.cause) == bool(cause)


def test_what_bandit_says_and_where() -> None:
    """The place, the version out of its links, how many files it read, and what `# nosec` keeps out of the file."""
    raw = bandit("HIGH", "LOW", files=("a.py", "b.py"), errors=("b.py",))
    raw["metrics"]["_totals"]["nosec"] = 4
    r = says(raw)
    assert [(c.text, c.where) for c in r.counterexamples] == [("B602: shell", "a.py:3")]
    assert (r.tool, r.tool_version, r.coverage[0].looked_at, r.coverage[0].of) == ("bandit", "1.9.4", 1, 2)
    assert any("4 whole, 0 for some test" in x for x in r.limits)


@pytest.mark.parametrize("key", ["results", "metrics", "errors"])
def test_bandit_of_another_shape_is_refused(key: str) -> None:
    """A report without one of its three parts is no report."""
    with pytest.raises(Refused) as e:
        says(bandit() | {key: None}, format="bandit")
    assert e.value.code == "evidence.shape"
