"""What people sign: approval, rejection, withdrawal, waiver. Each is their own SSH signature over the statement's bytes.

1. The person is one of the newest trust document, and the key given is one of theirs: refused before anything is signed.
2. The statement is signed by the person; this machine signs too, as the one that recorded it.
3. The same words by the same person about the same thing are one statement: running a command again doubles nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.approval import Approval, Rejection, Waiver, Withdrawal
from release_dossier.digest import digest_of
from release_dossier.errors import Refused
from release_dossier.gate import results_of
from release_dossier.rules.packs import thaw
from release_dossier.sources.ssh import public_of, sign_with_ssh
from release_dossier.steps.decide import check_witness, decide_dossier, kept_checkpoint, publish_checkpoint, read_dossier
from release_dossier.steps.world import World, rfc3339
from release_dossier.trust.document import Person
from release_dossier.trust.dsse import pae
from release_dossier.trust.keys import key_of_public
from release_dossier.trust.statement import PAYLOAD_TYPE, Subject, state

MAY_WITHDRAW = ("trust-root", "risk-owner", "release-manager", "ops")  # evidence, dossiers, decisions and releases are nobody's own


def approve(world: World, digest: str, person: str, role: str, key: Path, comment: str, until: datetime) -> tuple[str, Approval]:
    """Sign the dossier in a role, over the results of its requirements as they stand now.

    Raises:
        Refused: `people.*`, `key.*`. Nothing was recorded.
    """
    who = _person(world, person, key)
    if role not in who.roles:
        raise Refused(
            "people.role", at="--role", found=role, expected=f"a role {who.id} holds: {', '.join(who.roles)}", help="dossier trust show"
        )
    _, decision, dossier = decide_dossier(world, digest, world.now)
    results = results_of(decision)
    for before in _mine(world, "approval", digest, who.id):
        same = msgspec.convert(before[1], Approval)
        if (
            same.role == role
            and same.results == results
            and datetime.fromisoformat(same.expires_at) > world.now
            and not _withdrawn(world, before[0])
        ):
            return before[0], same
    approval = Approval(
        dossier=digest,
        role=role,
        person=who.id,
        results=results,
        results_digest=digest_of(msgspec.to_builtins(results)),
        comment=comment,
        signed_at=world.stamp(),
        expires_at=rfc3339(until),
    )
    return _sign(world, "approval", digest, dossier.change_digest, approval, key, f"{role}/{who.id}"), approval


def reject(world: World, digest: str, person: str, key: Path, reason: str) -> tuple[str, Rejection]:
    """Say no to a dossier. It stands until it is withdrawn."""
    who = _person(world, person, key)
    dossier = read_dossier(world, digest)
    for before, predicate in _mine(world, "rejection", digest, who.id):
        same = msgspec.convert(predicate, Rejection)
        if same.reason == reason and not _withdrawn(world, before):
            return before, same
    rejection = Rejection(dossier=digest, person=who.id, reason=_reason(reason), signed_at=world.stamp())
    return _sign(world, "rejection", digest, dossier.change_digest, rejection, key, who.id), rejection


def withdraw(world: World, digest: str, person: str, key: Path, reason: str) -> tuple[str, Withdrawal]:
    """Take back a statement: one's own approval, rejection or waiver; as an owner also evidence, a dossier, a decision or a release."""
    who = _person(world, person, key)
    entry = next(e for e in world.store.entries() if e.digest == digest)
    if entry.type in ("approval", "rejection", "waiver") and world.statement(digest, entry.type).predicate["person"] != who.id:
        raise Refused("people.not-yours", at="DIGEST", found=f"{entry.type} by another person", expected=f"one by {who.id}")
    if entry.type not in ("approval", "rejection", "waiver", "evidence", "dossier", "decision", "release"):
        raise Refused(
            "people.not-withdrawable",
            at="DIGEST",
            found=entry.type,
            expected="an approval, rejection, waiver, evidence, dossier, decision or release",
        )
    if entry.type in ("evidence", "dossier", "decision", "release") and not set(who.roles) & set(MAY_WITHDRAW):
        raise Refused(
            "people.role", at="--as", found=f"{who.id}: {', '.join(who.roles)}", expected=f"a person with {' or '.join(MAY_WITHDRAW)}"
        )
    for before, predicate in _mine(world, "withdrawal", digest, who.id, field="statement"):
        return before, msgspec.convert(predicate, Withdrawal)
    withdrawal = Withdrawal(statement=digest, person=who.id, reason=_reason(reason), signed_at=world.stamp())
    return _sign(world, "withdrawal", digest, entry.change, withdrawal, key, who.id), withdrawal


def waive(
    world: World, digest: str, requirement: str, service: str, person: str, key: Path, reason: str, until: datetime
) -> tuple[str, Waiver]:
    """An exception for one requirement of one service of one dossier, until a moment.

    Raises:
        Refused: `waiver.*`: unknown requirement, one that no waiver may touch, an end that is past.
    """
    who = _person(world, person, key)
    dossier = read_dossier(world, digest)
    rule = next((r for r in thaw(dossier.rules).requirements if r.id == requirement and r.service == service), None)
    if rule is None:
        known = ", ".join(sorted({f"{r.id} ({r.service})" for r in thaw(dossier.rules).requirements}))
        raise Refused("waiver.unknown", at="REQUIREMENT", found=f"{requirement} of {service}", expected=known)
    if not rule.waivable:
        raise Refused(
            "waiver.never", at=requirement, found="a requirement no waiver may touch", expected="evidence that passes", help=rule.remedy
        )
    if until <= world.now:
        raise Refused("waiver.past", at="--until", found=rfc3339(until), expected=f"a moment after {world.stamp()}")
    for before, predicate in _mine(world, "waiver", digest, who.id):
        same = msgspec.convert(predicate, Waiver)
        if (same.requirement, same.service, same.until, same.reason) == (requirement, service, rfc3339(until), reason) and not _withdrawn(
            world, before
        ):
            return before, same
    waiver = Waiver(
        dossier=digest,
        requirement=requirement,
        service=service,
        person=who.id,
        reason=_reason(reason),
        until=rfc3339(until),
        signed_at=world.stamp(),
    )
    return _sign(world, "waiver", digest, dossier.change_digest, waiver, key, f"{requirement}/{service}"), waiver


def _person(world: World, person: str, key: Path) -> Person:
    who = world.trust.person(person.lstrip("@"))
    if who is None:
        raise Refused(
            "people.unknown",
            at="--as",
            found=person,
            expected=", ".join(sorted(p.id for p in world.trust.document.people)),
            help="dossier trust propose",
        )
    mine = key_of_public(public_of(key, world.environ))
    if not any(k.id == mine.id for k in who.keys):
        raise Refused(
            "people.other-key",
            at="--key",
            found=mine.id,
            expected=f"a key of {who.id}: {', '.join(k.id for k in who.keys)}",
            help="dossier trust show",
        )
    if world.trust.revoked_at(mine.id):
        raise Refused(
            "people.revoked-key", at="--key", found=f"{mine.id}, revoked {world.trust.revoked_at(mine.id)}", expected="a key that stands"
        )
    return who


def _reason(reason: str) -> str:
    if not reason.strip():
        raise Refused("people.no-reason", at="--reason", found="nothing", expected="a reason in words")
    return reason.strip()


def _mine(world: World, word: str, target: str, person: str, field: str = "dossier") -> list[tuple[str, Mapping[str, Any]]]:
    out: list[tuple[str, Mapping[str, Any]]] = []
    for e in world.store.entries():
        if e.type == word:
            predicate = world.statement(e.digest, word).predicate
            if predicate[field] == target and predicate["person"] == person:
                out.append((e.digest, predicate))
    return out


def _withdrawn(world: World, digest: str) -> bool:
    return any(
        world.statement(e.digest, "withdrawal").predicate["statement"] == digest for e in world.store.entries() if e.type == "withdrawal"
    )


def _sign(world: World, word: str, target: str, change: str, record: msgspec.Struct, key: Path, log_key: str) -> str:
    check_witness(world, kept_checkpoint(world))
    statement = state(word, world.trust.project, [Subject(word, {"sha256": target.removeprefix("sha256:")})], msgspec.to_builtins(record))
    signature = sign_with_ssh(key, pae(PAYLOAD_TYPE, statement.raw), world.environ)
    key_id = key_of_public(public_of(key, world.environ)).id
    with world.store.lock():
        digest = world.record(statement, change=change, key=log_key, typed=(("sshsig", key_id, signature),))
    publish_checkpoint(world)
    return digest
