"""What comes with a file and stands in none of them: exit status, what was asked for, what is expected. And what readers share."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any, NoReturn

import msgspec

from release_dossier.digest import parse_json
from release_dossier.errors import Refused
from release_dossier.evidence.reading import Fact
from release_dossier.limits import DOCUMENT_BYTES_MAX, EVIDENCE_LINE_BYTES_MAX, LIMITS_MAX, XML_DEPTH_MAX
from release_dossier.trust.keyless import Believed

_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")  # more digits of a second than Python reads
EXACT_MAX = 2**53 - 1  # the largest number that canonical JSON (RFC 8785) still tells from its neighbours


class Given(msgspec.Struct, frozen=True):
    """See the module. `base` is the same file as the base release had it, `keys` the public keys of signers the project trusts, by name,
    `keyless` those it trusts who have none and are named by a certificate."""

    exit_status: int | None
    asked: dict[str, Any]
    expectations: dict[str, str]
    base: bytes | None = None
    keys: dict[str, str] = {}
    keyless: tuple[Believed, ...] = ()

    def declared(self, name: str) -> tuple[str, ...]:
        """A comma-separated expectation."""
        return tuple(dict.fromkeys(x.strip() for x in self.expectations.get(name, "").split(",") if x.strip()))


def whole_json(stream: IO[bytes]) -> Any:
    """The whole stream as one JSON value, read strictly and bounded."""
    return parse_json(stream.read(DOCUMENT_BYTES_MAX + 1), "file")


def lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without their ends, see `Lines`."""
    return iter(Lines(stream))


class Lines:
    """Numbered lines that are not blank, without their ends. When they are read, `ended` says whether the last had its end: tools that
    write lines end each of them, so a file that does not was cut.

    Raises:
        Refused: `evidence.line-too-long`, while reading.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.ended = stream, True

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        number = 0
        while line := self.stream.readline(EVIDENCE_LINE_BYTES_MAX + 1):
            number += 1
            if len(line) > EVIDENCE_LINE_BYTES_MAX:
                raise Refused(
                    "evidence.line-too-long",
                    at=f"line {number}",
                    found="a longer line",
                    expected=f"at most {EVIDENCE_LINE_BYTES_MAX} bytes",
                )
            self.ended = line.endswith((b"\n", b"\r"))
            if line.strip():
                yield number, line.rstrip(b"\r\n")

    def doubt(self, exit_status: int | None) -> str:
        """Why what was read may not be all there was; empty when nothing says so."""
        if not self.ended:
            return "its last line does not end: it was cut off"
        return "the exit status did not come with it: it may have been cut off" if exit_status is None else ""


def json_objects(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """JSON objects one after the other, each starting a line with its brace or standing in one line, as Go's encoder writes them.

    Raises:
        Refused: `json.*`, `evidence.shape`, `evidence.line-too-long`, when its turn comes.
    """
    held: list[bytes] = []
    begun = size = 0
    for number, line in Lines(stream):
        held.append(line)
        begun, size = begun or number, size + len(line)
        if size > EVIDENCE_LINE_BYTES_MAX:
            raise Refused(
                "evidence.line-too-long", at=f"line {begun}", found="a longer object", expected=f"at most {EVIDENCE_LINE_BYTES_MAX} bytes"
            )
        if line.startswith(b"}") or (len(held) == 1 and line.rstrip().endswith(b"}") and line.startswith(b"{")):
            found = parse_json(b"\n".join(held), f"object at line {begun}", EVIDENCE_LINE_BYTES_MAX)
            yield mapping(found, f"object at line {begun}")
            held, begun, size = [], 0, 0
    if held:
        wrong_shape(f"line {begun}", "an object that does not end", "whole objects")


def fields(text: str, delimiter: str = ",") -> list[str]:
    """The fields of one record of CSV; none when it is no record."""
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return []


def record(line: bytes) -> dict[str, Any] | None:
    """A line of NDJSON read strictly, None when it is no JSON object: a key that is there twice could mean two things, and an integer
    beyond what a float holds is no figure."""
    try:
        value = parse_json(line, "line", EVIDENCE_LINE_BYTES_MAX)
    except Refused:
        return None
    huge = len(line) > sys.float_info.max_10_exp and _HUGE.search(line) and _beyond(value)
    return value if isinstance(value, dict) and not huge else None


_HUGE = re.compile(rb"[0-9]{309}")


def _beyond(value: Any) -> bool:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (isinstance(value, int) and abs(value) > sys.float_info.max) or any(_beyond(v) for v in below)


def wrong_shape(at: str, found: Any, expected: str) -> NoReturn:
    """Refuse a part of a file that is not what its format has there."""
    words = found if isinstance(found, str) else "nothing" if found is None else type(found).__name__
    raise Refused("evidence.shape", at=at, found=words, expected=expected)


def wrong_version(at: str, found: Any, expected: str) -> NoReturn:
    """Refuse a version of a format that this reader does not know the words of."""
    raise Refused("evidence.version", at=at, found=str(found), expected=expected)


def objects(value: Any, at: str) -> list[dict[str, Any]]:
    """`value` when it is a list of JSON objects; an absent one is empty, anything else is refused with its place."""
    if value is None:
        return []
    if not isinstance(value, list):
        wrong_shape(at, value, "a list of objects")
    for i, each in enumerate(value):
        if not isinstance(each, dict):
            wrong_shape(f"{at}[{i}]", each, "an object")
    return value


def mapping(value: Any, at: str) -> dict[str, Any]:
    """`value` when it is a JSON object; an absent one is empty, anything else is refused with its place."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        wrong_shape(at, value, "an object")
    return value


def word(value: Any) -> str:
    """`value` when it is text, else empty."""
    return value if isinstance(value, str) else ""


def moment(text: Any) -> str | None:
    """RFC 3339 UTC with milliseconds of an ISO 8601 text; None when it is none, or does not say its offset."""
    if not isinstance(text, str) or not 19 <= len(text) <= 40:
        return None
    try:
        t = datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", text))
        return t.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if t.tzinfo else None
    except (ValueError, OverflowError):
        return None


def epoch(number: Any) -> str | None:
    """RFC 3339 UTC of seconds or milliseconds since 1970, text or number; None when it lies outside of 2001 to 2100."""
    try:
        value = float(number)
    except (TypeError, ValueError):
        return None
    seconds = value / 1000 if value > 1e11 else value
    if not 978_307_200 <= seconds <= 4_102_444_800:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole(text: Any) -> int | None:
    """A whole number from 0, of at most 15 digits, as text or as number; None when it is none."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text if 0 <= text < 10**15 else None
    if isinstance(text, (str, bytes)) and 0 < len(text) <= 15 and text.isdigit() and text.isascii():
        return int(text)
    return None


def share(text: Any, at: str) -> int:
    """Percent as an expectation asks for them: a whole number from 0 to 100.

    Raises:
        Refused: `evidence.shape`.
    """
    found = whole(str(text).removesuffix("%").strip())
    if found is None or found > 100:
        wrong_shape(f"expectations.{at}", str(text), "whole percent, from 0 to 100")
    return found


def xml_events(stream: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """`("start" | "end", element)` in the order of the file, without entities, outside references or deep nesting. The encoding is the one
    the file declares; control characters, which XML does not allow and tools copy from what a test said, become `?`. Whoever reads clears
    elements it is done with (`element.clear()`), so that memory stays bounded.

    Raises:
        Refused: `xml.entities`, `xml.syntax`, `xml.encoding`, `xml.too-deep`.
    """
    import xml.etree.ElementTree as plain

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    depth = 0
    try:
        for event, element in iterparse(_Printable(stream), events=("start", "end")):
            depth += 1 if event == "start" else -1
            if depth > XML_DEPTH_MAX:
                raise Refused("xml.too-deep", at="XML", found=f"more than {XML_DEPTH_MAX} levels", expected=f"at most {XML_DEPTH_MAX}")
            yield event, element
    except DefusedXmlException as e:
        raise Refused("xml.entities", at="XML", found=type(e).__name__, expected="XML without entities or outside references") from e
    except plain.ParseError as e:
        raise Refused("xml.syntax", at=f"line {e.position[0]} column {e.position[1]}", found=str(e), expected="well-formed XML") from e
    except (UnicodeError, LookupError, ValueError) as e:
        raise Refused("xml.encoding", at="XML", found=str(e), expected="the encoding it declares") from e


class _Printable:
    """XML as its bytes come, with `?` for control characters. In an encoding of more than one byte a letter they stay."""

    _TABLE = bytes(0x3F if b < 0x20 and b not in (0x09, 0x0A, 0x0D) else b for b in range(256))

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._wide: bool | None = None

    def read(self, size: int) -> bytes:
        raw = self._stream.read(size)
        if self._wide is None:
            self._wide = raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw[:4]
        return raw if self._wide else raw.translate(self._TABLE)


def local(tag: Any) -> str:
    """An element's name without its namespace; empty for comments and instructions."""
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""


def numbers(pairs: dict[str, tuple[Any, str]]) -> dict[str, Fact]:
    """Facts of those values that can be measured: null, text, NaN and infinity are none, nor is less than nothing or more than all."""
    out = {}
    for name, (value, unit) in pairs.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and 0 <= value <= (1 if unit == "ratio" else EXACT_MAX):
            out[name] = Fact(value, unit)
    return out


def without(pairs: dict[str, tuple[Any, str]], facts: dict[str, Fact]) -> tuple[str, ...]:
    """The sentence that names the figures a file should have and has not, for `limits`."""
    names = [n for n in pairs if n not in facts]
    return (f"no usable figure for: {', '.join(names)}",) if names else ()


def count(value: Any) -> int:
    """`value` as a number of things that were looked at; 0 when it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= EXACT_MAX:
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
