"""What comes with a file and stands in none of them: exit status, what was asked for, what is expected. And what readers share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import msgspec

from release_dossier.digest import parse_json
from release_dossier.errors import Refused
from release_dossier.evidence.reading import Fact
from release_dossier.limits import DOCUMENT_BYTES_MAX, EVIDENCE_LINE_BYTES_MAX, LIMITS_MAX

_EXACT_MAX = 2**53 - 1  # the largest number that canonical JSON (RFC 8785) still tells from its neighbours


class Given(msgspec.Struct, frozen=True):
    """See the module."""

    exit_status: int | None
    asked: dict[str, Any]
    expectations: dict[str, str]

    def declared(self, name: str) -> tuple[str, ...]:
        """A comma-separated expectation."""
        return tuple(dict.fromkeys(x.strip() for x in self.expectations.get(name, "").split(",") if x.strip()))


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
    """A line of NDJSON read strictly, None when it is no JSON object: a key that is there twice could mean two things."""
    try:
        value = parse_json(line, "line", EVIDENCE_LINE_BYTES_MAX)
    except Refused:
        return None
    return value if isinstance(value, dict) else None


def numbers(pairs: dict[str, tuple[Any, str]]) -> dict[str, Fact]:
    """Facts of those values that can be measured: null, text, NaN and infinity are none, nor is less than nothing or more than all."""
    out = {}
    for name, (value, unit) in pairs.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and 0 <= value <= (1 if unit == "ratio" else _EXACT_MAX):
            out[name] = Fact(value, unit)
    return out


def without(pairs: dict[str, tuple[Any, str]], facts: dict[str, Fact]) -> tuple[str, ...]:
    """The sentence that names the figures a file should have and has not, for `limits`."""
    names = [n for n in pairs if n not in facts]
    return (f"no usable figure for: {', '.join(names)}",) if names else ()


def count(value: Any) -> int:
    """`value` as a number of things that were looked at; 0 when it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _EXACT_MAX:
        return 0
    return int(value) if value == int(value) else 0


def skips(names: list[tuple[str, str]]) -> list[str]:
    """A line for each of the first skipped tests, `skipped: NAME why`: rules allow a skip by NAME, which ends at the first space."""
    said = [f"skipped: {'_'.join(name.split()) or 'unnamed'} {' '.join(why.split())}".strip()[:240] for name, why in names[:LIMITS_MAX]]
    return [*said, f"{len(names) - LIMITS_MAX} more were skipped and are not named"] if len(names) > LIMITS_MAX else said


def test_facts(tests: int, passed: int, failed: int, skipped: int) -> dict[str, Fact]:
    """The facts of kind `tests`."""
    return {
        "tests": Fact(tests, "tests"),
        "passed": Fact(passed, "tests"),
        "failed": Fact(failed, "tests"),
        "skipped": Fact(skipped, "tests"),
    }
