"""The trust document: people, producers, roles, keys and revocations, as a chain of signed versions.

1. Version 1 is the project's identity: its digest is `project` in every later statement. It names itself by no project
   (`project` is the word `self`), because nothing can hold its own digest.
2. Version n+1 names the digest of version n and is signed by the threshold of version n and by its own threshold, counted in people:
   one person with two keys is one person.
3. The newest version whose chain holds decides, also about signatures made under earlier ones.
4. A revoked key counts for nothing signed after `at`; what it signed before counts only with a log entry from before.
   A revocation stays in every later version: a key that was given up does not come back.
5. A key belongs to one person or one producer, named by its own fingerprint.
6. People and producers are named by plain words: their names become lines of allowed-signers files, where `*` is everybody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from release_dossier.digest import canonical, digest_of, parse_json
from release_dossier.errors import Corrupt, Refused
from release_dossier.moment import moment
from release_dossier.trust.dsse import Envelope, envelope_of, parse_envelope, valid_keys
from release_dossier.trust.keys import Key, parse_public
from release_dossier.trust.statement import Statement, Subject, parse_statement, state

__all__ = [
    "ROOT_ROLE",
    "SELF",
    "Key",
    "Person",
    "Producer",
    "Revocation",
    "Trust",
    "TrustDocument",
    "append_version",
    "first_version",
    "next_version",
    "parse_chain",
]
SELF = "self"
ROOT_ROLE = "trust-root"
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
VERSIONS_MAX = 1000  # versions of one chain; a project that changes its people weekly reaches it after nineteen years


class Person(msgspec.Struct, frozen=True):
    """A person: roles by name, SSH keys, and the e-mail addresses git may show for them (free text, binds nothing by itself)."""

    id: str
    name: str
    roles: tuple[str, ...]
    keys: tuple[Key, ...]
    emails: tuple[str, ...] = ()


class Producer(msgspec.Struct, frozen=True):
    """A machine or process that signs statements. `kinds` it may produce; empty means any. `roles` a rule may ask for."""

    id: str
    keys: tuple[Key, ...]
    kinds: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


class Revocation(msgspec.Struct, frozen=True):
    """From `at` (RFC 3339 UTC) on the key counts for nothing."""

    key: str
    at: str
    reason: str


class TrustDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One version. `threshold` is how many people of role `trust-root` must sign a change of this document."""

    version: int
    previous: str | None
    project_name: str
    threshold: int
    people: tuple[Person, ...]
    producers: tuple[Producer, ...]
    revocations: tuple[Revocation, ...]
    created_at: str

    def holders(self) -> tuple[Person | Producer, ...]:
        """Everybody who has keys."""
        return (*self.people, *self.producers)

    def public_keys(self) -> dict[str, str]:
        """Key id → public line, of every person and producer, revoked or not."""
        return {key.id: key.public for holder in self.holders() for key in holder.keys}

    def machine_keys(self) -> dict[str, str]:
        """As `public_keys`, of producers alone: what is recorded is recorded by a machine, and a person's key signs their own word only."""
        return {key.id: key.public for p in self.producers for key in p.keys}

    def revoked_at(self, key: str) -> str | None:
        """When `key` was revoked, the earliest where it was said twice; None if it was not."""
        return min((r.at for r in self.revocations if r.key == key), key=_instant, default=None)


class Trust(msgspec.Struct, frozen=True):
    """A verified chain: identity of the project (digest of version 1), digest of the newest version, that version, and the digest of
    every version up to it."""

    project: str
    digest: str
    document: TrustDocument
    line: tuple[str, ...] = ()

    def person_of_key(self, key: str) -> Person | None:
        """The person who holds `key` in the newest version, revoked or not."""
        return next((p for p in self.document.people if any(k.id == key for k in p.keys)), None)

    def person(self, person_id: str) -> Person | None:
        """The person with this id."""
        return next((p for p in self.document.people if p.id == person_id), None)

    def producer_of_key(self, key: str) -> Producer | None:
        """The producer that holds `key` in the newest version, revoked or not."""
        return next((p for p in self.document.producers if any(k.id == key for k in p.keys)), None)

    def revoked_at(self, key: str) -> str | None:
        """When `key` was revoked, None if it was not."""
        return self.document.revoked_at(key)

    def public_keys(self) -> dict[str, str]:
        """Key id → public line, of every person and producer."""
        return self.document.public_keys()

    def machine_keys(self) -> dict[str, str]:
        """See `TrustDocument.machine_keys`."""
        return self.document.machine_keys()

    def counts(self, key: str, signed_at: str, logged_before: bool) -> bool:
        """Whether a valid signature by `key`, said to be of `signed_at`, counts now (rule 4).

        `logged_before` is whether the log holds it with an entry from before the key's revocation: `signed_at` alone is what
        the holder of a stolen key writes. Without a revocation it does not matter.
        """
        if key not in self.public_keys():
            return False
        revoked = self.revoked_at(key)
        return revoked is None or (logged_before and _instant(signed_at) < _instant(revoked))


def first_version(
    *,
    project_name: str,
    threshold: int,
    people: Sequence[Person],
    producers: Sequence[Producer],
    created_at: str,
) -> Statement:
    """The statement that founds a project. Its digest becomes the project's identity.

    Raises:
        Refused: `trust.*`, when the document would not hold: threshold out of reach, a key listed twice or misnamed.
    """
    document = TrustDocument(
        version=1,
        previous=None,
        project_name=project_name,
        threshold=threshold,
        people=tuple(people),
        producers=tuple(producers),
        revocations=(),
        created_at=created_at,
    )
    return _statement(document, SELF)


def next_version(
    trust: Trust,
    *,
    created_at: str,
    people: Sequence[Person] | None = None,
    producers: Sequence[Producer] | None = None,
    revocations: Sequence[Revocation] = (),
    threshold: int | None = None,
) -> Statement:
    """The statement that changes the newest version; what is not given stays. `revocations` are added to those that stand.

    Raises:
        Refused: `trust.*`, as for `first_version`.
    """
    before = trust.document
    document = TrustDocument(
        version=before.version + 1,
        previous=trust.digest,
        project_name=before.project_name,
        threshold=before.threshold if threshold is None else threshold,
        people=before.people if people is None else tuple(people),
        producers=before.producers if producers is None else tuple(producers),
        revocations=(*before.revocations, *(r for r in revocations if r not in before.revocations)),
        created_at=created_at,
    )
    return _statement(document, trust.project)


def append_version(chain_raw: bytes, envelope: bytes, at: str = "trust document") -> bytes:
    """The chain with one more version, canonical; verified whole.

    Raises:
        Refused, Corrupt: as `parse_chain`.
    """
    versions = _versions(chain_raw, at)
    raw = canonical({"versions": [*versions, parse_envelope(envelope, at).as_json()]}) + b"\n"
    parse_chain(raw, at)
    return raw


def parse_chain(raw: bytes, at: str, project: str | None = None, digest: str | None = None) -> Trust:
    """The newest version of the chain in `raw`, every version of it verified; with `digest`, the version of that name.

    `raw` is canonical JSON, `{"versions": [envelope, …]}`.

    Raises:
        Refused: `json.*`, `envelope.*`, `statement.*`, `trust.shape`: it is not such a file.
        Corrupt: `trust.chain`, `trust.threshold` and the like: it does not hold together. `trust.other-project` when `project`
            is given and is not the digest of version 1; `trust.unknown-version` when no version is called `digest`.
    """
    trust: Trust | None = None
    for i, value in enumerate(_versions(raw, at)):
        where = f"{at} version {i + 1}"
        envelope = envelope_of(value, b"", where)
        statement = parse_statement(envelope.payload, where)
        if trust is None and project is not None and statement.digest != project:
            raise Corrupt("trust.other-project", at=where, found=statement.digest, expected=f"{project}, which is pinned")
        trust = _follow(trust, envelope, statement, where)
        if trust.digest == digest:
            return trust
    assert trust is not None
    if digest is not None:
        found = f"{trust.document.version} versions, none of this digest"
        raise Corrupt("trust.unknown-version", at=at, found=found, expected=f"{digest}, as the newest trust document has it")
    return trust


def _versions(raw: bytes, at: str) -> list[Any]:
    value = parse_json(raw, at)
    versions = value.get("versions") if isinstance(value, dict) else None
    if not isinstance(versions, list) or not 1 <= len(versions) <= VERSIONS_MAX:
        raise Refused("trust.shape", at=at, found="no list of versions", expected=f'{{"versions": [1 to {VERSIONS_MAX} envelopes]}}')
    return versions


def _follow(before: Trust | None, envelope: Envelope, statement: Statement, at: str) -> Trust:
    """One step of the chain."""
    document = follow_unsigned(before, statement, at)
    if before is not None:
        _met(before.document, document, envelope, at)
    _met(document, document, envelope, at)
    line = (*(before.line if before else ()), statement.digest)
    return Trust(before.project if before else statement.digest, statement.digest, document, line)


def follow_unsigned(before: Trust | None, statement: Statement, at: str) -> TrustDocument:
    """The document in a statement, which follows `before` in all but signatures.

    Raises:
        Refused: `trust.shape`. Corrupt: `trust.chain`, `trust.revocation-dropped` and the like.
    """
    if statement.word != "trust":
        raise Corrupt("trust.chain", at=at, found=f"a {statement.word} statement", expected="a trust statement")
    try:
        document = msgspec.convert(statement.predicate, TrustDocument)
    except msgspec.ValidationError as e:
        raise Refused("trust.shape", at=at, found=str(e), expected="a trust document") from e
    said = (document.version, document.previous, statement.project)
    due = (1, None, SELF) if before is None else (before.document.version + 1, before.digest, before.project)
    if said != due:
        words = "version {}, previous {}, project {}"
        raise Corrupt("trust.chain", at=at, found=words.format(*said), expected=words.format(*due))
    if (fault := _fault(document)) is not None:
        raise Corrupt(fault[0], at=at, found=fault[1], expected=fault[2])
    gone = next((r for r in before.document.revocations if r not in document.revocations), None) if before is not None else None
    if gone is not None:
        raise Corrupt("trust.revocation-dropped", at=at, found=f"no revocation of {gone.key}", expected="every earlier revocation (rule 4)")
    return document


def _met(document: TrustDocument, newest: TrustDocument, envelope: Envelope, at: str) -> None:
    """The threshold of `document`, counted in people; a key that `document` or `newest` revokes signs nothing here."""
    valid = valid_keys(envelope, document.public_keys(), at)
    standing = {k for k in valid if document.revoked_at(k) is None and newest.revoked_at(k) is None}
    signed = sorted(p.id for p in document.people if ROOT_ROLE in p.roles and any(k.id in standing for k in p.keys))
    if len(signed) < document.threshold:
        found = f"{len(signed)} of {document.threshold} people of version {document.version} ({', '.join(signed) or 'nobody'})"
        raise Corrupt("trust.threshold", at=at, found=found, expected=f"{document.threshold} people of role {ROOT_ROLE} signing")


def _statement(document: TrustDocument, project: str) -> Statement:
    fault = _fault(document)
    if fault is not None:
        raise Refused(fault[0], at=f"trust document version {document.version}", found=fault[1], expected=fault[2])
    predicate = msgspec.to_builtins(document)
    subject = Subject(document.project_name, {"sha256": digest_of(predicate).removeprefix("sha256:")})
    return state("trust", project, [subject], predicate)


def _fault(document: TrustDocument) -> tuple[str, str, str] | None:
    """What is wrong with a document by itself: code, found, expected."""
    roots = [p for p in document.people if ROOT_ROLE in p.roles]
    able = [p for p in roots if any(document.revoked_at(k.id) is None for k in p.keys)] if _times(document) else []
    if not _times(document):
        return "trust.time", "a moment that is not RFC 3339 with an offset", "created_at and revocations as in 2026-11-24T09:00:00Z"
    if not 1 <= document.threshold <= len(able):
        return (
            "trust.threshold-reach",
            f"threshold {document.threshold}",
            f"1 to {len(able)}, the people of role {ROOT_ROLE} with a key that stands",
        )
    names = [holder.id for holder in document.holders()]
    for name in names:
        if not PLAIN.match(name):
            return "trust.name", repr(name), "letters, digits, and . _ @ - (rule 6)"
        if names.count(name) > 1:
            return "trust.twice", f"{name} twice", "each name once, of people and producers together"
    seen: set[str] = set()
    for holder in document.holders():
        for key in holder.keys:
            if key.id in seen:
                return "trust.key-shared", f"{key.id} of {holder.id} is listed twice", "one holder for each key (rule 5)"
            seen.add(key.id)
            public = parse_public(key.public, f"key {key.id} of {holder.id}")
            if (public.id, public.line) != (key.id, key.public):
                return (
                    "trust.key-name",
                    f"{key.id} for {public.id} of {holder.id}",
                    "the fingerprint of the key, and its line without comment",
                )
    return None


def _times(document: TrustDocument) -> bool:
    return all(moment(t) is not None for t in (document.created_at, *(r.at for r in document.revocations)))


def _instant(text: str) -> datetime:
    at = moment(text)
    if at is None:
        raise ValueError(f"no moment: {text!r}")
    return at
