"""JUnit XML, as many tools write it: `testcase` elements with `failure`, `error` or `skipped` inside, whatever stands around them."""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.errors import Refused, shown
from release_dossier.evidence.readers.given import Given, skips, test_facts
from release_dossier.evidence.reading import Counterexample, Reading, example, first

NAME = "junit"
_SUITES = ("testsuites", "testsuite")
_ROOT = re.compile(rb"<(?:[\w.-]+:)?(?:testsuites|testsuite|testrun|test-results)[\s>/]")
_BEFORE_ROOT = ((b"<?", b"?>"), (b"<!--", b"-->"))
_FAILED = ("failure", "error", "rerunFailure", "rerunError")
_FLAKY = ("flakyFailure", "flakyError")
_SAYS_FAILED = ("failed", "failure", "fail", "error")  # of attributes `status` and `result`, for tools that write no element


def recognises(head: bytes) -> bool:
    """XML whose root is a test suite, or several."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = text.decode("utf-16", "ignore").encode()
    while before := next((end for start, end in _BEFORE_ROOT if text.startswith(start)), None):
        text = text.partition(before)[2].lstrip()
    if text.startswith(b"<!DOCTYPE"):  # may declare entities; the parser refuses those by name
        return _ROOT.search(text) is not None
    return _ROOT.match(text) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """Count `testcase` elements.

    Raises:
        Refused: `junit.syntax`, `junit.entities`.
    """
    tally = _Tally()
    _parse(stream, tally)
    looked_at = tally.tests - len(tally.skipped)
    verdict, cause = _verdict(tally, looked_at, given.exit_status)
    limits = skips(tally.skipped)
    if tally.flaky:
        limits.append(f"{tally.flaky} tests passed only when tried again")
    if tally.twice:
        limits.append(f"{tally.twice} results bear the name of an earlier one and count again")
    return Reading(
        kind="tests",
        format=NAME,
        verdict=verdict,
        looked_at=looked_at,
        of=tally.tests,
        cause=cause,
        counterexamples=first(tally.bad),
        counterexamples_total=len(tally.bad),
        facts=test_facts(tally.tests, looked_at - tally.failed, tally.failed, len(tally.skipped)),
        limits=tuple(limits),
        observed_at=None,
    )


class _Tally:
    def __init__(self) -> None:
        self.tests = self.failed = self.flaky = self.twice = 0
        self.names: set[int] = set()
        self.open: list[tuple[int, int]] = []  # tests and failures before each suite that has not ended
        self.bad: list[Counterexample] = []
        self.skipped: list[tuple[str, str]] = []
        self.promised = ""


def _verdict(tally: _Tally, looked_at: int, exit_status: int | None) -> tuple[Any, str]:
    if tally.bad:
        return "fail", ""
    if looked_at == 0:
        return "missing", "no test ran" if tally.tests == 0 else f"all {tally.tests} tests were skipped"
    if tally.promised:
        return "inconclusive", tally.promised
    if exit_status:
        return "inconclusive", f"every test in it passed, and the tool ended with {exit_status}"
    return "pass", ""


def _parse(stream: IO[bytes], tally: _Tally) -> None:
    import xml.etree.ElementTree as plain

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    depth = 0
    try:
        for event, element in iterparse(stream, events=("start", "end")):
            depth += 1 if event == "start" else -1
            if depth > 200:
                raise Refused("junit.syntax", at="XML", found="more than 200 levels", expected="JUnit XML")
            if event == "end":
                _element(element, tally)
            elif _local(element.tag) in _SUITES:
                tally.open.append((tally.tests, len(tally.bad)))
    except DefusedXmlException as e:
        raise Refused("junit.entities", at="XML", found=type(e).__name__, expected="XML without entities or outside references") from e
    except plain.ParseError as e:
        raise Refused("junit.syntax", at=f"line {e.position[0]} column {e.position[1]}", found=str(e), expected="well-formed XML") from e
    except (UnicodeError, LookupError, ValueError) as e:
        raise Refused("junit.encoding", at="XML", found=str(e), expected="the encoding it declares") from e


def _element(element: Any, tally: _Tally) -> None:
    name = _local(element.tag)
    if name == "testcase":
        _case(element, tally)
        element.clear()
    elif name in _SUITES:
        tests, bad = tally.open.pop()
        for child in element:
            if _local(child.tag) in _FAILED:
                where = element.get("name") or "unnamed suite"
                tally.bad.append(example(f"{where}: {child.get('message') or (child.text or '').strip().split(chr(10))[0]}", where))
        tally.promised = tally.promised or _promise(element, tally.tests - tests, len(tally.bad) - bad)


def _promise(suite: Any, held: int, bad: int) -> str:
    """What a suite's attributes say that it does not hold; empty when it holds it, or more."""
    says = {a: int(suite.get(a, "")[:15]) for a in ("tests", "failures", "errors") if suite.get(a, "").isdecimal()}
    name = shown(suite.get("name") or _local(suite.tag), 80)
    if says.get("tests", 0) > held:
        return f"{name!r} says {says['tests']} tests and holds {held}"
    if says.get("failures", 0) + says.get("errors", 0) and not bad:
        return f"{name!r} says {says.get('failures', 0)} failures and {says.get('errors', 0)} errors and shows none"
    return ""


def _case(element: Any, tally: _Tally) -> None:
    tally.tests += 1
    name = ".".join(x for x in (element.get("classname"), element.get("name")) if x) or "unnamed"
    key = hash((element.get("classname"), element.get("file"), element.get("name")))
    tally.twice += key in tally.names
    tally.names.add(key)
    found = {_local(c.tag): c for c in element.iter()}
    bad = next((found[w] for w in _FAILED if w in found), None)
    says = {str(element.get(a, "")).lower() for a in ("status", "result")}
    tally.flaky += any(w in found for w in _FLAKY)
    if bad is not None or says & set(_SAYS_FAILED):
        tally.failed += 1
        why = (bad.get("message") or (bad.text or "").strip().split("\n")[0]) if bad is not None else "its attributes say that it failed"
        tally.bad.append(example(f"{element.get('name') or name}: {why}", name))
    elif "skipped" in found or says & {"notrun", "disabled", "skipped", "suppressed"}:
        why = found["skipped"].get("message") or "" if "skipped" in found else ""
        why = why or (found["skipped"].text or "" if "skipped" in found else "")
        tally.skipped.append((element.get("name") or name, " ".join(why.split())[:120] or element.get("classname") or ""))


def _local(tag: Any) -> str:
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""
