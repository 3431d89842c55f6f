"""Erase an artifact or a personal value: sign why, enter that in the log, then remove the bytes.

1. The person holds a role that may speak for evidence, and the artifact is one some evidence of this project names.
2. The erasure is signed and in the log before a byte is removed: a crash between the two leaves an artifact the next call removes.
3. A personal value is named by its commitment, which is the digest of its opening (see `evidence.personal`). Which other artifacts hold it
   is said before it is gone, as far as reading them unpacked shows.
4. The statement that named the artifact stays; its digest says what was there. Who kept a copy can still show it.
5. The same bytes collected again are removed again (`steps.collect`): they count as missing, whoever names them.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import msgspec

from release_dossier.errors import Refused
from release_dossier.evidence.erasure import Erasure
from release_dossier.evidence.personal import MEDIA_TYPE
from release_dossier.evidence.readers.plain import plain
from release_dossier.evidence.statement import Evidence
from release_dossier.steps import people
from release_dossier.steps.world import World
from release_dossier.trust.log import Entry


def erase(world: World, prefix: str, person: str, key: Path, reason: str) -> tuple[str, Erasure]:
    """Erase the artifact that `prefix` names. The same again is the same erasure.

    Raises:
        Refused: `erase.*`, `people.*`, `key.*`: nothing was removed.
    """
    artifact, entry = _named(world, prefix)
    before = erased(world).get(artifact)
    if before is not None:
        world.store.erase_artifact(artifact)
        return before
    who = people.person_of(world, person)
    if not set(who.roles) & set(people.MAY_WITHDRAW):
        found = f"{who.id}, who is {', '.join(who.roles) or 'of no role'}"
        raise Refused("erase.role", at="--as", found=found, expected=f"one of {', '.join(people.MAY_WITHDRAW)}", help="dossier trust show")
    if not reason.strip():
        raise Refused("people.no-reason", at="--reason", found="nothing", expected="a reason in words")
    record = Erasure(artifact=artifact, person=who.id, reason=reason.strip(), signed_at=world.stamp())
    digest, _ = people.sign(world, people.draft_of(world, "erasure", artifact, entry.change, record, artifact), key)
    world.store.erase_artifact(artifact)
    return digest, record


def elsewhere(world: World, prefix: str) -> tuple[tuple[str, str], ...]:
    """Digest and name of the other artifacts that hold a personal value; none for what is no opening, or is erased already.

    Raises:
        Refused: `erase.unknown`.
    """
    digest, _ = _named(world, prefix)
    gone = erased(world)
    said = (world.said(e.digest, "evidence", Evidence) for e in world.store.entries() if e.type == "evidence")
    every = {a.digest: a for e in said for a in e.artifacts}
    if every[digest].media_type != MEDIA_TYPE or digest in gone:
        return ()
    value = str(msgspec.json.decode(world.store.artifact(digest))["value"]).encode()
    return tuple((a.digest, a.name) for a in every.values() if a.digest not in {digest, *gone} and _holds(world, a.digest, value))


def _holds(world: World, artifact: str, value: bytes) -> bool:
    raw = world.store.artifact(artifact)
    try:
        return value in raw or value in plain(BytesIO(raw)).read()
    except Refused:  # packed in a way that is not read here
        return False


def erased(world: World) -> dict[str, tuple[str, Erasure]]:
    """Artifact → its erasure, by a person of the trust document who may, entered before their key was revoked: digest and words."""
    out: dict[str, tuple[str, Erasure]] = {}
    for e in world.store.entries():
        if e.type == "erasure":
            statement, keys = world.signed(e.digest, "erasure")
            said = msgspec.convert(statement.predicate, Erasure)
            who = world.trust.person(said.person)
            mine = {k.id for k in who.keys} & keys if who is not None and set(who.roles) & set(people.MAY_WITHDRAW) else ()
            if any(world.trust.counts(k, e.at, True) for k in mine):
                out.setdefault(said.artifact, (e.digest, said))
    return out


def why(said: Erasure) -> str:
    """An erasure in words."""
    return f"erased by {said.person}: {said.reason}"


def _named(world: World, prefix: str) -> tuple[str, Entry]:
    digits = prefix.removeprefix("sha256:")
    found: dict[str, Entry] = {}
    for e in world.store.entries():
        if e.type == "evidence":
            evidence = msgspec.convert(world.statement(e.digest, "evidence").predicate, Evidence)
            found |= {a.digest: e for a in evidence.artifacts if a.digest.startswith(f"sha256:{digits}")}
    if len(found) != 1 or len(digits) < 8:
        words = ", ".join(sorted(found)[:5]) or "no artifact"
        raise Refused("erase.unknown", at="ARTIFACT", found=f"{prefix}: {words}", expected="the digest of one artifact of some evidence")
    return next(iter(found.items()))
