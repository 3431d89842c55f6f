"""staticcheck's JSON (`-f json`): a line a problem. It can end after any line, and without a problem it is empty."""

from __future__ import annotations

from typing import IO

from release_dossier.errors import Refused
from release_dossier.evidence.readers import lint
from release_dossier.evidence.readers.given import Given, Lines, mapping, record, word
from release_dossier.evidence.reading import Reading

NAME = "staticcheck"
_WORDS = {"error": "error", "warning": "warning", "ignored": "none"}


def recognises(head: bytes) -> bool:
    """The first line is a problem with its code and place."""
    first = record(head.lstrip().partition(b"\n")[0])
    return first is not None and {"code", "severity", "location", "message"} <= first.keys()


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every problem."""

    def whole(s: IO[bytes]) -> lint.Report:
        return parse(s, given.exit_status)

    return lint.reading(NAME, whole, stream, given)


def parse(stream: IO[bytes], exit_status: int | None) -> lint.Report:
    """The report."""
    out = lint.Report("staticcheck")
    lines = Lines(stream)
    for number, line in lines:
        x = record(line)
        try:
            if x is None:
                raise Refused("evidence.shape", at=f"line {number}", found=repr(line[:60])[2:-1], expected="a problem")
            at = mapping(x.get("location"), f"line {number} location")
            level = lint.level(x.get("severity"), _WORDS, f"line {number} severity")
        except Refused as e:
            out.broken.append(f"{e.at}: {e.found}")
            continue
        place = at.get("line")
        hushed = level == "none"
        found = lint.Found(
            level, word(x.get("code")), word(x.get("message")), word(at.get("file")), place if isinstance(place, int) else None, hushed
        )
        out.found.append(found)
    out.cut = lines.doubt(exit_status)
    return out
