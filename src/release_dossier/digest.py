"""Canonical JSON and SHA-256: the two functions every identity in a dossier comes from.

Writing is RFC 8785. Reading is strict: what two parsers could understand differently is refused, because a signature over
bytes that mean two things protects neither.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from itertools import chain, compress
from typing import Any, NoReturn, TypeVar

import msgspec

from release_dossier.errors import Refused
from release_dossier.limits import DOCUMENT_BYTES_MAX, JSON_DEPTH_MAX

T = TypeVar("T")
SMALL_BYTES = 65_536  # to be read as if it were canonical first: what is large is often not ours
DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of `value` (dict, list, str, int, float, bool, None).

    Raises:
        Refused: `json.not-canonical`, for NaN, infinities, integers beyond 2^53 and anything that is not JSON.
    """
    import rfc8785

    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError) as e:
        raise Refused("json.not-canonical", at="document", found=str(e), expected="JSON that RFC 8785 can write") from e


def is_canonical(value: Any, raw: bytes) -> bool:
    """Whether `raw`, which `parse_json` read as `value`, is what `canonical` writes.

    Most documents hold no fractions, no large numbers, no escapes but the usual and no text beyond the basic plane; of those msgspec's
    sorted writing is RFC 8785's, a hundred times faster. Where `raw` shows any of them, or the two differ, the slow one has the word.
    """
    return _plainly(value, raw) or canonical(value) == raw


def _plainly(value: Any, raw: bytes) -> bool:
    """Whether `raw` is msgspec's sorted writing of `value` and holds nothing where that and RFC 8785's may part."""
    return msgspec.json.encode(value, order="sorted") == raw and not _apart(raw)


def canonical_words(value: Any) -> bytes:
    """`canonical` of text, whole numbers, lists and objects, for writing many of them: no fraction may be in it."""
    raw = msgspec.json.encode(value, order="sorted")
    return canonical(value) if _spelled(raw) or _wide(raw) else raw


def _apart(raw: bytes) -> bool:
    """Whether JSON without blanks may hold a fraction, an exponent, sixteen digits, an escape by number, or UTF-8 of four bytes. Text that
    only looks so costs time and nothing else. Asked in the order of what is cheap."""
    return _spelled(raw) or _wide(raw) or any(number.search(raw) for number in _FRACTIONS) or raw[:1] in b"-0123456789"


def _spelled(raw: bytes) -> bool:
    """Whether text in it may be spelled or sorted in two ways."""
    return _by_number(raw) or not (raw.isascii() or max(raw) < 0xF0)


def _by_number(raw: bytes) -> bool:
    """Whether a character may be written by its number."""
    return b"\\" in raw and b"\\u" in raw  # most text has no backslash, and one byte is found far quicker than two


# Each begins with bytes of its own, which a search finds far quicker than a choice of them.
_FRACTIONS = tuple(re.compile(before + rb"-?[0-9]+[.eE]") for before in (rb'":', rb"\[", rb","))


def _wide(raw: bytes) -> bool:
    """Whether a number of an object or a list may have sixteen digits. Text that only looks so costs time and nothing else."""
    digits = raw.translate(_DIGITS)
    at = digits.find(_SIXTEEN)
    while at >= 0:
        if at < 2 or raw[max(0, at - 3) : at].endswith(_BEFORE_NUMBERS):
            return True
        at = digits.find(_SIXTEEN, at + 16)  # in the same run of digits no number begins
    return False


_DIGITS, _SIXTEEN = bytes.maketrans(b"123456789", b"000000000"), b"0" * 16
_BEFORE_NUMBERS = (b'":', b"[", b",", b'":-', b"[-", b",-")


def sha256(data: bytes) -> str:
    """`sha256:<64 hex>` of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`."""
    return sha256(canonical(value))


def parse_json(raw: bytes, at: str, bytes_max: int = DOCUMENT_BYTES_MAX) -> Any:
    """`raw` as JSON, read strictly.

    Refuses duplicate keys, NaN and infinities, numbers a double cannot hold, lone surrogates, nesting beyond
    `JSON_DEPTH_MAX`, anything but UTF-8 and anything beyond `bytes_max`. A byte order mark is tolerated.

    Raises:
        Refused: `json.*`, naming `at` and the place inside it.
    """
    if len(raw) > bytes_max:
        raise Refused("json.too-large", at=at, found=f"{len(raw)} bytes", expected=f"at most {bytes_max} bytes")
    if len(raw) <= SMALL_BYTES and (value := read_plainly(_plain, raw)) is not None:
        return value
    return value if (value := _read_once_each(raw)) is not None else _read_strictly(raw, at)


def _read_strictly(raw: bytes, at: str) -> Any:
    """What `raw` says, or what is wrong with it and where."""
    try:
        text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as e:
        raise Refused("json.encoding", at=f"{at} byte {e.start}", found=repr(raw[e.start : e.start + 8]), expected="UTF-8") from e
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole)
    except RecursionError as e:
        raise _deep(at) from e
    except _Fault as e:
        raise Refused(e.code, at=at, found=e.found, expected=e.expected) from e
    except json.JSONDecodeError as e:
        found = repr(text[e.pos : e.pos + 20]) if e.pos < len(text) else "the end of the text"
        raise Refused("json.syntax", at=f"{at} line {e.lineno} column {e.colno}", found=found, expected="JSON") from e
    if text.count("[") + text.count("{") > JSON_DEPTH_MAX and _too_deep(value):
        raise _deep(at)
    if "\\u" in text and (lone := _lone_surrogate(value)) is not None:
        raise Refused("json.surrogate", at=at, found=repr(lone), expected="Unicode scalar values only")
    return value


def _read_once_each(raw: bytes) -> Any | None:
    """An object or a list that holds no key twice, read five times as fast; None where the strict reading has to say what it is.

    A key's text ends in `":`. There are as many of those as there are keys to be found in what was read, or more where a text holds one:
    as many, and no key was there twice.
    """
    if _BEFORE_COLON.search(raw) or (len(raw) > 400 and _LONG.search(raw)):
        return None
    value = _decoded(raw, _any)
    return value if _keys(value) == raw.count(b'":') else None


def _fraction(_: str) -> NoReturn:
    raise ValueError("a fraction")


def without_fractions(shape: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder that reads no number with a point or an exponent."""
    return msgspec.json.Decoder(shape, float_hook=_fraction)


_any, _plain = msgspec.json.Decoder(), without_fractions(dict[str, Any])


def _itself(value: Any) -> Any:
    return value


def _decoded(raw: bytes, decoder: msgspec.json.Decoder[T], loose: Callable[[T], Any] = _itself) -> T | None:
    """What `raw` says where that is read without complaint and `loose` of it is not nested too deeply, else None."""
    try:
        value = decoder.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return None if raw.count(b"[") + raw.count(b"{") > JSON_DEPTH_MAX and _too_deep(loose(value)) else value


_BEFORE_COLON = re.compile(rb'"[ \t\r\n]+:')
_LONG = re.compile(rb"[0-9]{401}|-[0-9]{400}")


def _keys(value: Any) -> int:
    """How many keys the objects in `value` have, all together; -1 where it is neither object nor list."""
    if type(value) is dict:
        level, found = list(value.values()), len(value)
    elif type(value) is list:
        level, found = value, 0
    else:
        return -1
    while level:
        below: list[Any] = []
        for v in level:
            if type(v) is dict:
                found += len(v)
                below += v.values()
            elif type(v) is list:
                below += v
        level = below
    return found


def parse_canonical(raw: bytes, at: str) -> tuple[Any, bool]:
    """`parse_json`, and whether `raw` is what `canonical` writes.

    Raises:
        Refused: as `parse_json`.
    """
    if len(raw) <= DOCUMENT_BYTES_MAX and (plain := read_plainly(_plain, raw)) is not None:
        return plain, True
    value = parse_json(raw, at)
    return value, canonical(value) == raw


def read_plainly(decoder: msgspec.json.Decoder[T], raw: bytes, loose: Callable[[T], Any] = _itself) -> T | None:
    """What `decoder`, one `without_fractions`, reads of an object whose sorted writing is `raw` to the byte, and so has each key once, no
    blank, no fraction and no lone surrogate; None where the slow reading has to say what it is. Most documents are such: this reads them
    ten times as fast. `loose` is the part of it that may nest, at its own depth or deeper."""
    if raw[:2] != b'{"':
        return None
    value = _decoded(raw, decoder, loose)
    if value is None or _spelled(raw) or _wide(raw):
        return None
    return value if msgspec.json.encode(value, order="sorted") == raw else None


def read_as(decoder: msgspec.json.Decoder[T], raw: bytes) -> T | None:
    """What `decoder` reads where its sorted writing is `raw` to the byte, and so has each key once and none it does not know; None where a
    slow reading has to say what it is. Of text, lists and whole numbers below 2^53, which nobody reads in two ways."""
    try:
        value = decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if one_spelling(raw) and msgspec.json.encode(value, order="sorted") == raw else None


def one_spelling(raw: bytes) -> bool:
    """Whether no two writers of canonical JSON escape or sort the text in it in two ways."""
    return raw.isascii() and not _by_number(raw)


class _Fault(Exception):
    def __init__(self, code: str, found: str, expected: str) -> None:
        self.code, self.found, self.expected = code, found, expected


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise _Fault("json.duplicate-key", f"key {twice!r} twice", "each key once")
    return out


def _no_constant(word: str) -> NoReturn:
    raise _Fault("json.number", word, "a finite number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _Fault("json.number", text, "a number a 64-bit float can hold")
    return value


def _whole(text: str) -> int:
    if len(text) > 400:
        raise _Fault("json.number", f"an integer of {len(text)} digits", "at most 400 digits")
    return int(text)


def _deep(at: str) -> Refused:
    return Refused("json.too-deep", at=at, found=f"more than {JSON_DEPTH_MAX} levels", expected=f"at most {JSON_DEPTH_MAX} levels")


def _too_deep(value: Any) -> bool:
    """Whether lists and objects nest deeper than allowed. Only those are walked, level by level."""
    level = [value] if type(value) in _NESTS else []
    for _ in range(JSON_DEPTH_MAX):
        inside = list(chain.from_iterable(v.values() if type(v) is dict else v for v in level))
        level = list(compress(inside, map(_NESTS.__contains__, map(type, inside))))
        if not level:
            return False
    return True


_NESTS = frozenset([dict, list])


def _lone_surrogate(value: Any) -> str | None:
    stack = [value]
    while stack:
        v = stack.pop()
        if isinstance(v, str):
            try:
                v.encode("utf-8")
            except UnicodeEncodeError:
                return v
        elif isinstance(v, dict):
            stack.extend(v.keys())
            stack.extend(v.values())
        elif isinstance(v, list):
            stack.extend(v)
    return None
