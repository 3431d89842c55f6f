"""The payload: what of a dossier leaves the house, for whom.

1. An audience is a list of places that may leave. What no line names is withheld, also a field that is added tomorrow.
2. Where something is withheld stands a salted commitment: SHA-256 over its place, a salt of 256 bits and its value. Whoever gets the
   opening later can check that it is what was held back, and nobody can guess it before.
3. The same dossier, decision and salt key give the same bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256 as hash256
from typing import Any, TypeVar

import msgspec

from release_dossier.digest import canonical, digest_of, parse_json
from release_dossier.errors import Refused

T = TypeVar("T")
PAYLOAD_TYPE = "https://w3id.org/release-dossier/payload/v1"
EVERYTHING = ("",)
_VERDICTS = ("/service", "/version", "/outcome")

# Audience → (what it is for, places that may leave, places within those that may not). `*` stands for any one step.
_OUTSIDE = (
    "/release/*/service",
    "/release/*/version",
    "/release/*/tag",
    "/release/*/released_at",
    "/change/objective",
    "/change/features",
    *(f"/change/services/*{x}" for x in ("/name", "/version", "/criticality")),
    "/decision/outcome",
    "/decision/at",
    "/decision/valid_until",
    *(f"/decision/services/*{x}" for x in _VERDICTS),
    *(f"/decision/requirements/*/{x}" for x in ("id", "service", "title", "state", "waived_from", "looked_at", "of")),
    *(f"/evidence/*/{x}" for x in ("name", "kind", "service", "verdict", "looked_at", "of", "observed_at", "expires_at")),
    "/absent/*/name",
    "/absent/*/kind",
    "/absent/*/service",
    "/retrospective",
)
_TEAM = (
    *_OUTSIDE,
    *(f"/change/{x}" for x in ("id", "issue", "branch", "owner", "base", "head", "in_scope", "out_of_scope")),
    "/release/*/commit",
    "/release/*/label",
    *(f"/decision/requirements/*/{x}" for x in ("reason", "owner", "remedy", "expires_at")),
    "/decision/notes",
    "/decision/approvals/*/role",
    "/decision/approvals/*/needed",
    "/decision/approvals/*/missing",
    "/decision/approvals/*/counted/*/person",
    *(f"/evidence/*/{x}" for x in ("attempt", "digest", "facts", "limits", "tool", "tool_version")),
    "/absent/*/why",
    "/drift",
    "/risks",
    "/owners",
)
AUDIENCES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "auditor": ("everything but e-mail addresses", EVERYTHING, ("/change/authors/*/email",)),
    "customer": ("what shipped and whether it was looked at; no people, files, figures or open weaknesses", _OUTSIDE, ()),
    "github": ("what a pull request needs: reasons, figures, owners; no examples from data", _TEAM, ()),
    "webhook": ("what another system acts on: as github, with every name in the change", (*_TEAM, "/change/files", "/change/tree"), ()),
    "raw": ("everything as it is kept", EVERYTHING, ()),
}


class Mark(msgspec.Struct, frozen=True):
    """One place of the document: JSON Pointer and bytes of its canonical JSON; `commitment` where it is withheld, else empty."""

    path: str
    bytes: int
    commitment: str = ""


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """What leaves. `document` holds `{"withheld": commitment}` wherever something was held back, and `withheld` names each place."""

    type: str
    audience: str
    project: str
    dossier: str
    decision: str
    document: dict[str, Any]
    withheld: tuple[Mark, ...]


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What turns a commitment back into a value: anyone who has both can check it with SHA-256 alone."""

    path: str
    salt: str
    value: Any


def make_payload(
    document: Mapping[str, Any], *, audience: str, project: str, dossier: str, decision: str, key: bytes
) -> tuple[Payload, tuple[Mark, ...]]:
    """The payload for an audience, and the places of `document` that are in it.

    Args:
        document: plain JSON, whole.
        key: 32 secret bytes of this project; whoever has them can open everything.

    Raises:
        Refused: `payload.audience`.
    """
    allowed, never = _places(audience)
    included: list[Mark] = []
    withheld: list[Mark] = []
    out = _cut(dict(document), (), allowed, never, _Salts(key, dossier, audience), included, withheld)
    made = Payload(
        type=PAYLOAD_TYPE,
        audience=audience,
        project=project,
        dossier=dossier,
        decision=decision,
        document=out,
        withheld=tuple(withheld),
    )
    return made, tuple(included)


def payload_bytes(payload: Payload) -> bytes:
    """Canonical JSON of the payload: what is signed, measured and sent."""
    return canonical(msgspec.to_builtins(payload))


def open_at(document: Mapping[str, Any], path: str, *, audience: str, dossier: str, key: bytes) -> Opening:
    """The opening of one withheld place.

    Raises:
        Refused: `payload.audience`, `payload.not-withheld`.
    """
    made, _ = make_payload(document, audience=audience, project="", dossier=dossier, decision="", key=key)
    if not any(m.path == path for m in made.withheld):
        known = ", ".join(m.path for m in made.withheld[:6]) or "nothing is withheld"
        raise Refused("payload.not-withheld", at="--open", found=path, expected=known)
    return Opening(path, _Salts(key, dossier, audience).of(path), _at(document, path))


def commitment(opening: Opening) -> str:
    """The commitment an opening belongs to."""
    return digest_of({"path": opening.path, "salt": opening.salt, "value": opening.value})


def check_opening(payload: Payload, opening: Opening) -> None:
    """Hold an opening against a payload.

    Raises:
        Refused: `payload.other-opening`: the payload does not withhold that place, or withholds another value.
    """
    mark = next((m for m in payload.withheld if m.path == opening.path), None)
    if mark is None or mark.commitment != commitment(opening) or _at(payload.document, opening.path) != {"withheld": mark.commitment}:
        expected = f"the value behind {mark.commitment}" if mark else "a place the payload withholds"
        raise Refused("payload.other-opening", at=opening.path, found=commitment(opening), expected=expected)


def read_payload(raw: bytes, at: str) -> Payload:
    """A payload somebody was sent.

    Raises:
        Refused: `payload.shape`, `json.*`.
    """
    return _read(raw, at, Payload)


def read_opening(raw: bytes, at: str) -> Opening:
    """An opening somebody was sent.

    Raises:
        Refused: `payload.shape`, `json.*`.
    """
    return _read(raw, at, Opening)


def _read(raw: bytes, at: str, kind: type[T]) -> T:
    try:
        return msgspec.convert(parse_json(raw, at), kind)
    except msgspec.ValidationError as e:
        raise Refused("payload.shape", at=at, found=str(e), expected=f"the {kind.__name__.lower()} as `dossier payload` writes it") from e


class _Salts:
    """A salt for each place: 256 bits nobody can compute without the project's key, the same at every run."""

    def __init__(self, key: bytes, dossier: str, audience: str) -> None:
        self.key, self.dossier, self.audience = key, dossier, audience

    def of(self, path: str) -> str:
        return hmac.new(self.key, canonical([self.dossier, self.audience, path]), hash256).hexdigest()


def _places(audience: str) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    entry = AUDIENCES.get(audience)
    if entry is None:
        raise Refused("payload.audience", at="--audience", found=repr(audience), expected=", ".join(AUDIENCES))
    return [p.split("/")[1:] for p in entry[1]], [p.split("/")[1:] for p in entry[2]]


def _cut(
    value: Any,
    at: tuple[str, ...],
    allowed: Sequence[Sequence[str]],
    never: Sequence[Sequence[str]],
    salts: _Salts,
    included: list[Mark],
    withheld: list[Mark],
) -> Any:
    """`value` with what may not leave replaced. `allowed` and `never` are what is left of the patterns that led here."""
    path = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in at)
    whole = [] in allowed
    if [] in never or not (allowed or whole):
        mark = Mark(path, len(canonical(value)), commitment(Opening(path, salts.of(path), value)))
        withheld.append(mark)
        return {"withheld": mark.commitment}
    if whole and not never:
        included.append(Mark(path, len(canonical(value))))
        return value
    steps = (
        value.items()
        if isinstance(value, Mapping)
        else [(str(i), v) for i, v in enumerate(value)]
        if isinstance(value, list | tuple)
        else None
    )
    if steps is None or not value:
        included.append(Mark(path, len(canonical(value))))  # nothing below it, so nothing below it is withheld
        return value
    cut = [
        (
            step,
            _cut(v, (*at, step), [[]] if whole else _below(allowed, step), _below(never, step), salts, included, withheld),
        )
        for step, v in steps
    ]
    return dict(cut) if isinstance(value, Mapping) else [v for _, v in cut]


def _below(patterns: Sequence[Sequence[str]], step: str) -> list[Sequence[str]]:
    return [p[1:] for p in patterns if p and p[0] in ("*", step)]


def _at(document: Any, path: str) -> Any:
    value: Any = document
    for step in path.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list | tuple) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            raise Refused("payload.no-place", at=path, found=f"nothing at {step!r}", expected="a place of the document")
    return value
