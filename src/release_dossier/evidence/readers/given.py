"""What comes with a file and stands in none of them: exit status, what was asked for, what is expected. And what readers share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import msgspec

from release_dossier.digest import parse_json
from release_dossier.errors import Refused
from release_dossier.evidence.reading import Fact
from release_dossier.limits import DOCUMENT_BYTES_MAX, EVIDENCE_LINE_BYTES_MAX


class Given(msgspec.Struct, frozen=True):
    """See the module."""

    exit_status: int | None
    asked: dict[str, Any]
    expectations: dict[str, str]

    def declared(self, name: str) -> tuple[str, ...]:
        """A comma-separated expectation."""
        return tuple(x.strip() for x in self.expectations.get(name, "").split(",") if x.strip())


def whole_json(stream: IO[bytes]) -> Any:
    """The whole stream as one JSON value, read strictly and bounded."""
    return parse_json(stream.read(DOCUMENT_BYTES_MAX + 1), "file")


def lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without their ends.

    Raises:
        Refused: `evidence.line-too-long`.
    """
    number = 0
    while line := stream.readline(EVIDENCE_LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > EVIDENCE_LINE_BYTES_MAX:
            raise Refused(
                "evidence.line-too-long", at=f"line {number}", found="a longer line", expected=f"at most {EVIDENCE_LINE_BYTES_MAX} bytes"
            )
        if line.strip():
            yield number, line.rstrip(b"\r\n")


def record(line: bytes) -> dict[str, Any] | None:
    """A line of NDJSON, None when it is no JSON object."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def numbers(pairs: dict[str, tuple[Any, str]]) -> dict[str, Fact]:
    """Facts of those values that are finite numbers: null, text, NaN and infinity are no facts."""
    out = {}
    for name, (value, unit) in pairs.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value and abs(value) != float("inf"):
            out[name] = Fact(value, unit)
    return out


def test_facts(tests: int, passed: int, failed: int, skipped: int) -> dict[str, Fact]:
    """The facts of kind `tests`."""
    return {
        "tests": Fact(tests, "tests"),
        "passed": Fact(passed, "tests"),
        "failed": Fact(failed, "tests"),
        "skipped": Fact(skipped, "tests"),
    }
