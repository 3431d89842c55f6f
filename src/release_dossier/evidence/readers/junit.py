"""JUnit XML, as many tools write it: `testcase` elements with `failure`, `error` or `skipped` inside, whatever stands around them.

Some tools say more than others, and are read as they mean it: pytest counts subtests that passed and shows none of them, Newman counts each
iteration and shows one, Node's TODO may fail, CTest calls a test without its program not run, GoogleTest lists tests that it did not run.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.errors import shown
from release_dossier.evidence.readers import dredd
from release_dossier.evidence.readers.given import Given, local, skips, test_facts, xml_events
from release_dossier.evidence.readers.sniff import root
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first

NAME = "junit"
_SUITES = ("testsuites", "testsuite")
_FAILED = ("failure", "error", "rerunFailure", "rerunError")
_FLAKY = ("flakyFailure", "flakyError")
_SAYS_FAILED = ("failed", "failure", "fail", "error")  # of attributes `status` and `result`, for tools that write no element
_ENDED = frozenset(("time", "status", "result", "duration", "assertions"))  # attributes of a test that ran, one of them at least
_UUID_CHARS = 36  # as Newman names a suite
_NOT_STARTED = ("Unable to find", "Fixture dependency failed", "Insufficient resources", "Failed to change working directory")  # CTest


def recognises(head: bytes) -> bool:
    """XML whose root is a test suite, or several, and none of Dredd's: what it tries is an API's description."""
    return root(head)[0] in (*_SUITES, "testrun") and not dredd.recognises(head)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Count `testcase` elements.

    Raises:
        Refused: `xml.*`.
    """
    tally = _Tally(given.exit_status == 0)
    _parse(stream, tally)
    looked_at = 0 if tally.only_lists else tally.tests - len(tally.skipped) - len(tally.disabled) - tally.said_skipped
    verdict, cause = _verdict(tally, looked_at, given.exit_status)
    if tally.counted_more and given.exit_status != 0 and verdict == "pass":
        verdict, cause = "inconclusive", f"{tally.counted_more}, and no exit status of 0 came with it"
    limits = skips(tally.skipped + tally.disabled)
    if tally.flaky:
        limits.append(f"{tally.flaky} tests passed only when tried again")
    if tally.risky:
        limits.append(f"{tally.risky} tests are risky, and the tool ended well: most asserted nothing")
    if tally.todo:
        limits.append(f"{tally.todo} tests fail and are expected to (TODO)")
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
        facts=test_facts(tally.tests, looked_at - tally.failed, tally.failed, len(tally.skipped) + tally.said_skipped)
        | ({"disabled": Fact(len(tally.disabled), "tests")} if tally.disabled else {})
        | ({"flaky": Fact(tally.flaky, "tests")} if tally.flaky else {}),
        limits=tuple(limits),
        observed_at=None,
    )


class _Tally:
    def __init__(self, ended_well: bool) -> None:
        self.ended_well = ended_well
        self.tests = self.failed = self.flaky = self.twice = self.said_skipped = 0
        self.names: set[int] = set()
        self.open: list[tuple[int, int]] = []  # tests and failures before each suite that has not ended
        self.bad: list[Counterexample] = []
        self.skipped: list[tuple[str, str]] = []
        self.disabled: list[tuple[str, str]] = []
        self.promised = self.counted_more = ""
        self.suites = self.ids = self.listed = self.todo = self.risky = 0
        self.told = False

    @property
    def seen_bad(self) -> int:
        """Failures shown, those that count as none among them."""
        return len(self.bad) + self.risky

    @property
    def only_lists(self) -> bool:
        """Whether it is a list of where tests stand, as GoogleTest writes it, and no suite says how any ended."""
        return 0 < self.listed == self.tests and not self.told


def _verdict(tally: _Tally, looked_at: int, exit_status: int | None) -> tuple[Any, str]:
    if tally.bad:
        return "fail", ""
    if tally.only_lists:
        return "missing", f"it lists {tally.tests} tests and says of none that it ran"
    if looked_at == 0:
        return "missing", "no test ran" if tally.tests == 0 else f"all {tally.tests} tests were skipped"
    if tally.promised:
        return "inconclusive", tally.promised
    if exit_status:
        return "inconclusive", f"every test in it passed, and the tool ended with {exit_status}"
    return "pass", ""


def _parse(stream: IO[bytes], tally: _Tally) -> None:
    for event, element in xml_events(stream):
        if event == "end":
            _element(element, tally)
        elif local(element.tag) in _SUITES:
            tally.open.append((tally.tests, tally.seen_bad))


def _element(element: Any, tally: _Tally) -> None:
    name = local(element.tag)
    if name == "testcase":
        _case(element, tally)
        element.clear()
    elif name in _SUITES:
        tests, bad = tally.open.pop()
        tally.told = tally.told or any(a in element.attrib for a in ("failures", "errors", "skipped", "time"))
        for child in element:
            if local(child.tag) in _FAILED:
                where = element.get("name") or "unnamed suite"
                tally.bad.append(example(f"{where}: {child.get('message') or (child.text or '').strip().split(chr(10))[0]}", where))
        if tally.tests == tests:
            _summary(element, tally)
        tally.suites += name == "testsuite"
        tally.ids += name == "testsuite" and len(element.get("id") or "") == _UUID_CHARS
        promise = _promise(element, tally.tests - tests, tally.seen_bad - bad)
        if promise and _counts_more(element, tally.tests - tests, tally.seen_bad - bad, tally):
            tally.counted_more = tally.counted_more or promise
        else:
            tally.promised = tally.promised or promise
        element.clear()


def _summary(suite: Any, tally: _Tally) -> None:
    """A suite that counts its tests and shows none of them: its failures count, and the rest is not a pass."""
    says = _says(suite)
    failed = says.get("failures", 0) + says.get("errors", 0)
    if says.get("tests", 0) <= 0:
        return
    name = shown(suite.get("name") or local(suite.tag), 80)
    tally.tests += says["tests"]
    tally.said_skipped += min(says.get("skipped", 0), says["tests"])
    tally.failed += min(failed, says["tests"])
    if failed:
        tally.bad.append(example(f"{name}: {failed} failed, says its summary, and shows none of them", name))
    tally.promised = tally.promised or f"{name!r} says {says['tests']} tests and shows none of them"


def _says(suite: Any) -> dict[str, int]:
    return {a: int(suite.get(a, "")[:15]) for a in ("tests", "failures", "errors", "skipped") if suite.get(a, "").isdecimal()}


def _promise(suite: Any, held: int, bad: int) -> str:
    """What a suite's attributes say that it does not hold; empty when it holds it, or more."""
    says = _says(suite)
    name = shown(suite.get("name") or local(suite.tag), 80)
    if says.get("tests", 0) > held:
        return f"{name!r} says {says['tests']} tests and holds {held}"
    if says.get("failures", 0) + says.get("errors", 0) and not bad:
        return f"{name!r} says {says.get('failures', 0)} failures and {says.get('errors', 0)} errors and shows none"
    return ""


def _counts_more(suite: Any, held: int, bad: int, tally: _Tally) -> bool:
    """Whether a suite may say more tests than it shows, and no failure more: pytest's with subtests, Newman's root of many iterations."""
    says = _says(suite)
    if not held or says.get("failures", 0) + says.get("errors", 0) > bad:
        return False
    if "failures" in suite.attrib or "errors" in suite.attrib:
        return bool(suite.get("name") == "pytest")
    return says.get("tests", 0) % held == 0 and tally.ids == tally.suites > 0


def _case(element: Any, tally: _Tally) -> None:
    if element.attrib.keys() == {"time"} and not len(element):  # as pytest writes the one that was running
        tally.promised = tally.promised or "a test in it has no name: it was running when the run was cut off"
        return
    tally.tests += 1
    tally.listed += not len(element) and element.attrib.keys() >= {"file", "line"} and not _ENDED & element.attrib.keys()
    name = ".".join(x for x in (element.get("classname"), element.get("name")) if x) or "unnamed"
    key = hash((element.get("classname"), element.get("file"), element.get("name")))
    tally.twice += key in tally.names
    tally.names.add(key)
    found = {local(c.tag): c for c in element.iter()}
    bad = next((found[w] for w in _FAILED if w in found), None)
    says = {str(element.get(a, "")).lower() for a in ("status", "result")}
    tally.flaky += any(w in found for w in _FLAKY)
    skipped = found.get("skipped", found.get("skip"))
    todo = skipped is not None and skipped.get("type") == "todo" and "failure" in element.attrib  # as Node writes it
    tally.todo += todo
    warned = found.get("warning")
    if warned is not None and "No tests found" in (warned.text or ""):
        skipped = warned  # PHPUnit puts it in the place of a class without tests
    if bad is not None and tally.ended_well and (bad.get("type") or "").endswith("RiskyTestError"):
        tally.risky += 1
        bad = None  # PHPUnit, unless it is told --fail-on-risky
    if "notrun" in says and skipped is not None and (skipped.get("message") or "").startswith(_NOT_STARTED):
        bad = skipped
    if (bad is not None or says & set(_SAYS_FAILED)) and not todo:
        tally.failed += 1
        why = (bad.get("message") or (bad.text or "").strip().split("\n")[0]) if bad is not None else "its attributes say that it failed"
        tally.bad.append(example(f"{element.get('name') or name}: {why}", name))
    elif skipped is not None or says & {"skipped", "ignored"}:
        why = (skipped.get("message") or skipped.text or "") if skipped is not None else ""
        tally.skipped.append((element.get("name") or name, " ".join(why.split())[:120] or element.get("classname") or ""))
    elif "disabled" in found or says & {"notrun", "disabled", "suppressed"}:
        tally.disabled.append((element.get("name") or name, "disabled"))
