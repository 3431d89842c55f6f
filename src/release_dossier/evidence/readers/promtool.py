"""promtool's text, `check rules` and `test rules`, and amtool's `check-config`. It can end anywhere, so it needs its exit status.

promtool writes FAILED of `test rules` to the other stream: its exit status says it here. What it calls a lint error is one only where it
ended so. amtool says how a file is beside its name.
"""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.evidence.readers.given import Given, Lines
from release_dossier.evidence.reading import Fact, Reading, example, first

NAME = "promtool"
_HEAD = re.compile(rb"\A\s*(?:Checking \S+|Unit Testing:\s+\S+)")
_BESIDE = re.compile(r"\A(?:Checking|Unit Testing:) .*'\s+(SUCCESS|FAILED)\b")
_RULES = re.compile(r"SUCCESS: (\d+) rules? found")


def recognises(head: bytes) -> bool:
    """It begins with the file promtool looked at."""
    return _HEAD.match(head) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """Files that were looked at, rules found, groups that failed."""
    files = good = rules = 0
    failing = open_ = counted = testing = False
    linted: list[str] = []
    bad = []
    read = Lines(stream)
    for number, raw in read:
        text = raw.decode("utf-8", "replace")
        if text.startswith(("Checking ", "Unit Testing:")):
            files += 1
            failing, open_ = False, True
            testing = testing or text.startswith("Unit")
            if beside := _BESIDE.search(text):
                good, open_ = good + (beside[1] == "SUCCESS"), False
                bad += [example(text.strip(), f"line {number}")] if beside[1] == "FAILED" else []
        elif text.strip().startswith("SUCCESS"):
            good += open_  # one a file: a second line says nothing about the next file
            open_ = False
            found = _RULES.search(text)
            counted = counted or found is not None
            rules += int(found[1][:9]) if found else 0
        elif text.strip().startswith("FAILED"):
            failing = True
            bad.append(example("promtool says FAILED", f"line {number}"))
        elif failing and text.startswith("lint error ") and given.exit_status == 0:
            failing = False
            linted.append(text.strip())
            bad.pop()
        elif failing and text.startswith("    name: "):
            bad.append(example(text.strip().rstrip(","), f"line {number}"))
    if testing and not bad and good < files and given.exit_status == 1:
        bad = [example(f"promtool ended with 1, and {files - good} of {files} files do not say SUCCESS", "its exit status")]
    bad = [b for b in bad if b.text != "promtool says FAILED"] or bad
    verdict: Any = "fail" if bad else "missing" if (good == 0 and not linted) or (counted and rules == 0) else "pass"
    cause = "nothing was checked" if verdict == "missing" else ""
    if verdict == "pass" and (given.exit_status is None or given.exit_status or good < files):
        why = "its exit status did not come with it" if given.exit_status is None else f"it ended with {given.exit_status}"
        verdict, cause = "inconclusive", "; ".join([f"{good} of {files} files say SUCCESS", why, *linted[:3]])
    if verdict == "pass" and not read.ended:
        verdict, cause = "inconclusive", read.doubt(given.exit_status)
    return Reading(
        kind="alert-coverage",
        format=NAME,
        verdict=verdict,
        looked_at=rules or good,
        of=(rules or files) if given.exit_status is not None else None,
        cause=cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={"rules": Fact(rules, "rules"), "files": Fact(files, "files")},
        limits=("rules that are well formed and pass their tests: no alert was seen firing",),
        tool="promtool",
    )
