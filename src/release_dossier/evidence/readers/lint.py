"""What a tool that reads code found, as every reader of one but SARIF's gives it, and what is said of it.

1. A finding fails when its level is `warning` or `error`; `fail_on` among the expectations (`error`, `warning`, `note`) says otherwise.
2. Where the base release's own report comes along, what stands in it too is old: counted, and not failing. Alike are two findings of one
   rule with one message in one file, wherever they stand in it; what a file has more of than it had is new.
3. A file the tool could not read was not looked at, and leaves the rest open; where it could read none, nothing was looked at.
4. A finding that is counted and not shown (`hidden`) leaves it open when its level fails.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from typing import IO, Any

import msgspec

from release_dossier.evidence.readers.given import Given, wrong_shape
from release_dossier.evidence.readers.plain import plain
from release_dossier.evidence.reading import Coverage, Fact, Reading, example, first

LEVELS = ("error", "warning", "note", "none")  # worst first
# What Semgrep reports as a warning and means that part of a file was not looked at.
NOT_READ = frozenset(
    ("PartialParsing", "Syntax error", "Lexical error", "Other syntax error", "AST builder error", "Timeout", "Out of memory",
     "Stack overflow", "Fixpoint timeout", "Timeout during interfile analysis", "OOM during interfile analysis")
)  # fmt: skip


class Found(msgspec.Struct, frozen=True):
    """One finding. `suppressed` when somebody said that it may stay."""

    level: str
    rule: str
    message: str
    file: str
    line: int | None = None
    suppressed: bool = False

    @property
    def alike(self) -> tuple[str, str, str]:
        """What stays when lines move."""
        return self.rule, self.message, self.file


class Report:
    """What a file says. `files` None: it does not say how many it looked at; `unread` of them could not be."""

    def __init__(self, tool: str, version: str = "") -> None:
        self.tool, self.tool_version = tool, version
        self.found: list[Found] = []
        self.files: int | None = None
        self.unread: list[str] = []
        self.broken: list[str] = []
        self.hidden: dict[str, int] = {}  # level → findings it counts and does not show
        self.limits: list[str] = []
        self.cut = ""
        self.blind = ""  # why it looked at nothing


def threshold(given: Given) -> tuple[str, ...]:
    """The levels that fail.

    Raises:
        Refused: `evidence.shape`.
    """
    fail_on = given.expectations.get("fail_on", "warning")
    if fail_on not in LEVELS[:3]:
        wrong_shape("expectations.fail_on", fail_on, "error, warning or note")
    return LEVELS[: LEVELS.index(fail_on) + 1]


def reading(format: str, parse: Callable[[IO[bytes]], Report], stream: IO[bytes], given: Given) -> Reading:
    """What it says, see the module."""
    failing = threshold(given)
    report = parse(stream)
    before = Counter(f.alike for f in parse(plain(io.BytesIO(given.base))).found if not f.suppressed) if given.base else None
    open_ = [f for f in report.found if not f.suppressed]
    old, new = _apart(open_, before)
    bad = [example(f"{f.rule}: {f.message}", _where(f), level=f.level) for f in sorted(new, key=_worst) if f.level in failing]
    facts = {
        "results": Fact(len(report.found), "results"),
        "suppressed": Fact(len(report.found) - len(open_), "results"),
        "errors": Fact(sum(f.level == "error" for f in open_), "results"),
        "warnings": Fact(sum(f.level == "warning" for f in open_), "results"),
        "notes": Fact(sum(f.level == "note" for f in open_), "results"),
        "rules": Fact(len({f.rule for f in report.found}), "rules"),
        "files": Fact(len({f.file for f in report.found}), "files"),
    }
    if before is not None:
        gone = sum((before - Counter(f.alike for f in open_)).values())
        facts |= {
            "results_new": Fact(len(new), "results"),
            "results_old": Fact(len(old), "results"),
            "results_gone": Fact(gone, "results"),
        }
    cause = report.cut or (f"{len(report.broken)} records could not be read, the first: {report.broken[0]}" if report.broken else "")
    cause = cause or (f"{len(report.unread)} files could not be read, the first: {report.unread[0]}" if report.unread else "")
    unseen = sum(n for level, n in report.hidden.items() if level in failing)
    cause = cause or (f"{unseen} results of level {' or '.join(failing)} are counted and not shown" if unseen else "")
    none_read = report.files is not None and report.files <= len(report.unread)
    blind = report.blind or ("it looked at no file" if none_read else "")
    verdict: Any = "fail" if bad else "missing" if blind else "inconclusive" if cause else "pass"
    looked = None if report.files is None else max(0, report.files - len(report.unread))
    limits = [*report.limits, *(f"not looked at: {u}" for u in report.unread[:10])]
    limits += [f"{n} results of level {level} are counted and not shown" for level, n in report.hidden.items()]
    limits += [f"{len(old)} open results were there in the base already"] if old else []
    return Reading(
        kind="static-analysis",
        format=format,
        verdict=verdict,
        looked_at=0 if blind else 1,
        of=None if report.cut and verdict != "fail" else 1,
        cause="" if verdict in ("pass", "fail") else blind if verdict == "missing" else cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=facts,
        coverage=(Coverage("files", looked, report.files),) if looked is not None else (),
        limits=tuple(limits),
        tool=report.tool,
        tool_version=report.tool_version,
    )


def _apart(found: list[Found], before: Counter[tuple[str, str, str]] | None) -> tuple[list[Found], list[Found]]:
    """(old, new)."""
    if before is None:
        return [], found
    left = before.copy()
    old: list[Found] = []
    new: list[Found] = []
    for f in found:
        (old if left[f.alike] > 0 else new).append(f)
        left[f.alike] -= 1
    return old, new


def _worst(f: Found) -> tuple[int, str, int]:
    return LEVELS.index(f.level), f.file, f.line or 0


def _where(f: Found) -> str:
    return f"{f.file}:{f.line}" if f.line else f.file


def level(text: Any, words: dict[str, str], at: str) -> str:
    """A tool's own word as one of LEVELS.

    Raises:
        Refused: `evidence.shape` for a word nobody knows: it may be the worst there is.
    """
    found = words.get(str(text).lower())
    if found is None:
        wrong_shape(at, str(text), ", ".join(words))
    return found
