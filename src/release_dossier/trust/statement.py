"""in-toto Statement v1: the signed body of everything we say, and the names of what we say.

A statement names its project (digest of the first trust document), so nothing signed for one project counts in another.
Its identity is the SHA-256 of its canonical bytes: the same content has the same name, whoever signs it and however often.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from release_dossier.digest import canonical, parse_canonical, parse_json, read_plainly, sha256, without_fractions
from release_dossier.errors import Refused
from release_dossier.limits import DOCUMENT_BYTES_MAX

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_STATEMENT_TYPES = STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_BASE = "https://w3id.org/release-dossier/"
# In the order of the process. The word is also the `type` of a log entry.
WORDS = (
    "trust",
    "change",
    "started",
    "evidence",
    "dossier",
    "approval",
    "rejection",
    "withdrawal",
    "waiver",
    "decision",
    "release",
    "deployment",
    "posture",
    "bundle",
    "erasure",
)
_WIDE = re.compile(rb'(?:":|[\[,])-?[0-9]{16}')  # what may be a number beyond 2^53
_PREDICATE = re.compile(re.escape(PREDICATE_BASE) + r"([a-z]+)/v1\Z")


class Subject(msgspec.Struct, frozen=True):
    """What a statement is about: a name and its digests, `{algorithm: hex}`."""

    name: str
    digest: dict[str, str]


class Statement(msgspec.Struct, frozen=True):
    """A statement as read: its word, project, subjects, predicate as plain data, and the exact bytes that are signed."""

    word: str
    project: str
    subject: tuple[Subject, ...]
    predicate: dict[str, Any]
    raw: bytes
    digest: str


def state(word: str, project: str, subject: list[Subject], predicate: dict[str, Any]) -> Statement:
    """A new statement. `predicate` gains `project`; order of keys does not matter, the bytes are canonical.

    Raises:
        Refused: `json.not-canonical`: it holds a number that would not be read back, as a fraction of 2^53 or more written without a point.
    """
    assert word in WORDS, word
    body = {
        "_type": STATEMENT_TYPE,
        "subject": [msgspec.to_builtins(s) for s in subject],
        "predicateType": f"{PREDICATE_BASE}{word}/v1",
        "predicate": {**predicate, "project": project},
    }
    raw = canonical(body)
    if _WIDE.search(raw):
        parse_statement(raw, f"a new {word}")
    return Statement(word, project, tuple(subject), body["predicate"], raw, sha256(raw))  # type: ignore[arg-type]


def parse_statement(raw: bytes, at: str) -> Statement:
    """`raw` as one of our statements.

    Raises:
        Refused: `statement.*` or `json.*`. Bytes that are not canonical are refused too: two spellings of one content
            would have two digests.
    """
    plain = _read_plainly(_plain, raw)
    named = _PREDICATE.match(plain.predicateType) if plain is not None and plain._type == STATEMENT_TYPE else None
    if plain is not None and named is not None and named[1] in WORDS:
        return Statement(named[1], plain.predicate["project"], plain.subject, plain.predicate, raw, sha256(raw))
    value, canonically = parse_canonical(raw, at)
    statement = _statement(value, raw, at)
    if not canonically:
        raise Refused("statement.not-canonical", at=at, found="other bytes than RFC 8785 writes", expected="canonical JSON")
    return statement


def reread_statement(raw: bytes, digest: str, at: str) -> Statement:
    """A statement whose bytes have the digest a log entry names: they were canonical when they entered, so that is not asked again.

    Raises:
        Refused: `statement.*`; `statement.other-digest` when they have another.
    """
    statement = _statement(msgspec.json.decode(raw), raw, at)
    if statement.digest != digest:
        raise Refused("statement.other-digest", at=at, found=statement.digest, expected=digest)
    return statement


def _statement(value: Any, raw: bytes, at: str) -> Statement:
    if not isinstance(value, dict) or value.get("_type") != STATEMENT_TYPE:
        found = str(value.get("_type")) if isinstance(value, dict) else type(value).__name__
        raise Refused("statement.type", at=f"{at} _type", found=found, expected=STATEMENT_TYPE)
    named = _PREDICATE.match(str(value.get("predicateType")))
    if named is None or named[1] not in WORDS:
        raise Refused(
            "statement.predicate-type", at=f"{at} predicateType", found=str(value.get("predicateType")), expected=f"{PREDICATE_BASE}…/v1"
        )
    try:
        body = msgspec.convert(value, _Body)
    except msgspec.ValidationError as e:
        raise Refused("statement.shape", at=at, found=str(e), expected="an in-toto Statement v1 with a project") from e
    return Statement(named[1], body.predicate["project"], body.subject, body.predicate, raw, sha256(raw))


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True):
    """in-toto ResourceDescriptor v1, as far as it is read here. One of `uri`, `digest` and `content` says what it is."""

    name: str = ""
    uri: str = ""
    digest: dict[str, str] = {}
    content: str = ""


class Foreign(msgspec.Struct, frozen=True):
    """A statement of somebody else's: what it is about, what kind of claim, and the claim as plain data."""

    predicate_type: str
    subject: tuple[Descriptor, ...]
    predicate: dict[str, Any]


def parse_intoto(raw: bytes, at: str) -> Foreign:
    """`raw` as an in-toto Statement, v1 or v0.1, of any predicate type: at least one subject, each with a digest, all digests hexadecimal
    words by algorithm. What the predicate says is not judged.

    Raises:
        Refused: `json.*`, `statement.type`, `statement.shape`.
    """
    plain = _read_plainly(_plain_foreign, raw)
    if plain is not None and plain._type in _STATEMENT_TYPES:
        return Foreign(plain.predicateType, tuple(plain.subject), plain.predicate)
    value = parse_json(raw, at)
    if not isinstance(value, dict) or value.get("_type") not in _STATEMENT_TYPES:
        found = str(value.get("_type")) if isinstance(value, dict) else type(value).__name__
        raise Refused("statement.type", at=f"{at} _type", found=found, expected=STATEMENT_TYPE)
    try:
        body = msgspec.convert(value, _ForeignBody)
    except msgspec.ValidationError as e:
        raise Refused("statement.shape", at=at, found=str(e), expected="an in-toto Statement") from e
    return Foreign(body.predicateType, tuple(body.subject), body.predicate)


def parse_descriptor(value: Any, at: str) -> Descriptor:
    """A ResourceDescriptor from JSON that is parsed already.

    Raises:
        Refused: `statement.shape`.
    """
    try:
        found = msgspec.convert(value, Descriptor)
    except msgspec.ValidationError as e:
        raise Refused("statement.shape", at=at, found=str(e), expected="an in-toto ResourceDescriptor") from e
    if not (found.uri or found.digest or found.content):
        raise Refused("statement.shape", at=at, found="no uri, digest or content", expected="one of them")
    return found


class _ForeignBody(msgspec.Struct):
    predicateType: str
    subject: list[Descriptor]
    predicate: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if not self.predicateType or not self.subject or not all(s.digest for s in self.subject):
            raise ValueError("a predicate type, and at least one subject, each with a digest")


class _Body(msgspec.Struct):
    subject: tuple[Subject, ...]
    predicate: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.predicate.get("project"), str) or not self.predicate["project"]:
            raise ValueError("predicate names no project")


class _Plain(_Body):
    """A statement as `state` writes it: these fields and no others."""

    _type: str
    predicateType: str


class _PlainForeign(_ForeignBody, omit_defaults=True):
    """A statement of somebody else's, with these fields and no others."""

    _type: str = ""


_AnyPlain = TypeVar("_AnyPlain", _Plain, _PlainForeign)


def _read_plainly(decoder: msgspec.json.Decoder[_AnyPlain], raw: bytes) -> _AnyPlain | None:
    """What may nest in a statement is its predicate, one level down."""
    return read_plainly(decoder, raw, lambda p: [p.predicate]) if len(raw) <= DOCUMENT_BYTES_MAX else None


_plain, _plain_foreign = without_fractions(_Plain), without_fractions(_PlainForeign)
