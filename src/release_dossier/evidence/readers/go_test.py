"""`go test -json`: a stream of events that can end anywhere. Only the exit status tells a finished run from a killed one.

A compile error makes tests disappear instead of failing; a package that started and never ended was cut off; `(cached)` is an earlier run.
"""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers.given import Given, lines, record, skips, test_facts
from release_dossier.evidence.reading import Reading, example, first

NAME = "go-test-json"
_ACTIONS = frozenset(
    ["start", "run", "pause", "cont", "pass", "bench", "fail", "output", "skip", "attr", "artifacts", "build-output", "build-fail"]
)

_FIELDS = frozenset(
    ["Time", "Action", "Package", "Test", "Elapsed", "Output", "ImportPath", "FailedBuild", "Key", "Value", "Path", "OutputType"]
)
_AT_LINE = re.compile(r"\S+\.go:\d+: ")  # what t.Error and t.Skip write: a file, a line and the reason


def recognises(head: bytes) -> bool:
    """The first JSON line is an event of a package or a build."""
    for line in head.splitlines():
        event = record(line)
        if event is not None:
            return _action(event) in _ACTIONS and ("Package" in event or "ImportPath" in event or event.keys() <= _FIELDS)
    return False


def _action(event: dict[str, Any]) -> str:
    action = event.get("Action")
    return action if isinstance(action, str) and isinstance(event.get("Test", ""), str) else ""


class _Run:
    def __init__(self) -> None:
        self.state: dict[tuple[str, str], str] = {}
        self.packages: dict[str, str] = {}
        self.said: dict[tuple[str, str], str] = {}
        self.builds: list[str] = []
        self.unbuilt: set[str] = set()
        self.panics: dict[str, str] = {}
        self.cached = self.broken = 0
        self.last = ""


def read(stream: IO[bytes], given: Given) -> Reading:
    """Follow every test to its end.

    Raises:
        Refused: `go-test.no-event` when no line is one.
    """
    run = _Run()
    for _, line in lines(stream):
        event = record(line)
        if event is None or _action(event) not in _ACTIONS:
            run.broken += 1
        else:
            _follow(run, event)
    if not run.packages and not run.state and not run.builds:
        raise Refused("go-test.no-event", at="file", found=f"{run.broken} lines that are no event", expected="the output of go test -json")
    return _reading(run, given)


def _follow(run: _Run, event: dict[str, Any]) -> None:
    action, package, test = event["Action"], str(event.get("Package", "")), event.get("Test")
    run.last = str(event.get("Time", "")) or run.last
    if action == "build-fail":
        run.builds.append(str(event.get("ImportPath", package)))
    elif isinstance(test, str):
        key = (package, test)
        if action in ("run", "pass", "fail", "skip"):
            run.state[key] = _worse(run.state.get(key), action)
            if run.state[key] == "pass":
                run.said.pop(key, None)  # nobody asks why it passed, and a million tests say a lot
        elif action == "output":
            text = str(event.get("Output", "")).strip()
            if text.startswith("panic:"):
                run.panics.setdefault(package, text)
            if _AT_LINE.match(text) or (text and key not in run.said and not text.startswith(("=== ", "--- "))):
                run.said[key] = text
    elif action == "start":
        run.packages[package] = _worse(run.packages.get(package), action)
    elif action in ("pass", "fail", "skip"):
        run.packages[package] = _worse(run.packages.get(package), action)
        if event.get("FailedBuild"):
            run.unbuilt.add(package)
    elif action == "output":
        text = str(event.get("Output", ""))
        run.cached += "\t(cached)" in text
        if text.startswith("panic:"):
            run.panics.setdefault(package, text.strip())


def _worse(before: str | None, now: str) -> str:
    """How it stands: what failed once stays failed, however often it is tried again (-count, a second run in the same file)."""
    return "fail" if before == "fail" else now


def _reading(run: _Run, given: Given) -> Reading:
    exit_status = given.exit_status
    for key in [k for k, s in run.state.items() if s == "run" and k[1].startswith("Benchmark") and run.packages.get(k[0]) == "pass"]:
        del run.state[key]  # a benchmark has no end of its own
    failed = [k for k, s in run.state.items() if s == "fail"]
    skipped = [k for k, s in run.state.items() if s == "skip"]
    open_ = [k for k, s in run.state.items() if s == "run"]
    passed = sum(s == "pass" for s in run.state.values())
    guilty = {p for p, _ in failed} | run.unbuilt
    dead = [p for p, s in run.packages.items() if s == "fail" and p not in guilty]
    fell = [p for p in run.panics if run.packages.get(p) not in ("pass", "fail")]  # in a package that passed, the word was only printed
    bad = [example(f"{t}: {run.said.get((p, t), 'failed')}", f"{p}.{t}") for p, t in failed]
    bad += [example(f"{p} does not build: its tests disappeared", p) for p in run.builds]
    bad += [example(f"{p} failed without a failing test" + (f": {run.panics[p]}" if p in run.panics else ""), p) for p in dead]
    bad += [example(f"{p} never ended: {run.panics[p]}", p) for p in fell]
    cut = [p for p, s in run.packages.items() if s == "start"]
    asked = given.asked.get("packages")
    unseen = [str(p) for p in asked if p not in run.packages] if isinstance(asked, list) else []
    tests = len(run.state)
    verdict, cause = _verdict(run, bad, passed, len(open_), len(cut), unseen, exit_status)
    limits = skips([(t, run.said.get((p, t), p)) for p, t in skipped])
    if run.cached:
        limits.append(f"{run.cached} packages are answered from an earlier run (cached)")
    if exit_status is None:
        limits.append("the stream can end anywhere; without the exit status it proves nothing")
    return Reading(
        kind="tests",
        format=NAME,
        verdict=verdict,
        looked_at=passed + len(failed),
        of=None if exit_status is None and verdict != "fail" else tests,
        cause=cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=test_facts(tests, passed, len(failed), len(skipped)),
        limits=tuple(limits),
        tool="go test",
        observed_at=_utc(run.last),
    )


def _verdict(run: _Run, bad: list[Any], passed: int, unended: int, cut: int, unseen: list[str], exit_status: int | None) -> tuple[Any, str]:
    if bad:
        return "fail", ""
    if unended or cut:
        return "inconclusive", f"{unended} tests and {cut} packages never ended: the stream was cut off"
    if passed == 0:
        return "missing", "no test ran"
    if unseen:
        return "inconclusive", f"{len(unseen)} packages were asked for and are not in it: {', '.join(unseen[:5])}"
    if exit_status is None:
        return "inconclusive", "the exit status did not come with it: it may have been cut off"
    if exit_status:
        return "inconclusive", f"every test in it passed, and go test ended with {exit_status}"
    if run.broken:
        return "inconclusive", f"{run.broken} lines could not be read"
    return "pass", ""


def _utc(text: str) -> str | None:
    """RFC 3339 with milliseconds of an event's time, when it is in UTC."""
    body, dot, rest = text.rstrip("Z").partition(".")
    return f"{body}{dot}{rest[:3]}Z" if text.endswith("Z") and len(body) == 19 else None
