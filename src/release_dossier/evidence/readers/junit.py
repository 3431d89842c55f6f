"""JUnit XML, as many tools write it: `testcase` elements with `failure`, `error` or `skipped` inside, whatever stands around them."""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers.given import Given, test_facts
from release_dossier.evidence.reading import Counterexample, Reading, example, first
from release_dossier.limits import LIMITS_MAX

NAME = "junit"
_ROOT = re.compile(rb"<(?:\w+:)?(?:testsuites|testsuite|testrun|test-results)[\s>/]")
_FAILED = ("failure", "error", "rerunFailure")


def recognises(head: bytes) -> bool:
    """XML whose first elements are test suites."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = text.decode("utf-16", "ignore").encode()
    return text[:1] == b"<" and _ROOT.search(text) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """Count `testcase` elements.

    Raises:
        Refused: `junit.syntax`, `junit.entities`.
    """
    tally = _Tally()
    _parse(stream, tally)
    looked_at = tally.tests - len(tally.skipped)
    verdict, cause = _verdict(tally, looked_at, given.exit_status)
    limits = [f"skipped: {name} {why}".strip() for name, why in tally.skipped[:LIMITS_MAX]]
    return Reading(
        kind="tests",
        format=NAME,
        verdict=verdict,
        looked_at=looked_at,
        of=tally.tests,
        cause=cause,
        counterexamples=first(tally.bad),
        counterexamples_total=len(tally.bad),
        facts=test_facts(tally.tests, looked_at - len(tally.bad), len(tally.bad), len(tally.skipped)),
        limits=tuple(limits),
        observed_at=None,
    )


class _Tally:
    def __init__(self) -> None:
        self.tests = 0
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
    elif name == "testsuite":
        direct = [c for c in element if _local(c.tag) == "testcase"]
        nested = any(_local(c.tag) == "testsuite" for c in element)
        says = element.get("tests", "")
        if not nested and says.isdecimal() and int(says) > len(direct):
            tally.promised = f"suite {element.get('name', '')!r} says {says} tests and holds {len(direct)}"


def _case(element: Any, tally: _Tally) -> None:
    tally.tests += 1
    name = ".".join(x for x in (element.get("classname"), element.get("name")) if x) or "unnamed"
    found = {_local(c.tag): c for c in element}
    bad = next((found[w] for w in _FAILED if w in found), None)
    if bad is not None:
        why = bad.get("message") or (bad.text or "").strip().split("\n")[0]
        tally.bad.append(example(f"{element.get('name') or name}: {why}", name))
    elif "skipped" in found or element.get("status") in ("notrun", "disabled", "skipped"):
        why = found["skipped"].get("message") or "" if "skipped" in found else ""
        tally.skipped.append((element.get("name") or name, " ".join(why.split())[:120]))


def _local(tag: Any) -> str:
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""
