"""What people sign: approval, rejection, withdrawal, waiver. Each is their own signature over the statement's bytes.

1. The person is one of the newest trust document, and the key given is one of theirs: refused before anything is signed.
2. The statement is signed by the person; this machine signs too, as the one that recorded it.
3. Words and signature come apart: a draft is made here, signed with an SSH key here or with a passkey in a browser, and recorded when the
   signature is that person's over those very words.
4. The same words by the same person about the same thing are one statement: running a command again doubles nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.approval import WAIVER_ROLES, Approval, Rejection, Waiver, Withdrawal, members
from release_dossier.digest import digest_of
from release_dossier.dossier import Dossier
from release_dossier.errors import Refused
from release_dossier.evidence.erasure import Erasure
from release_dossier.gate import asked_of_people, authors_of, producers_of, results_of
from release_dossier.limits import CLOCK_SKEW_SECONDS_MAX
from release_dossier.rules.moment import after
from release_dossier.rules.packs import OWNER, thaw
from release_dossier.sources.ssh import public_of, sign_with_ssh
from release_dossier.steps.decide import PEOPLE, check_witness, decide_dossier, kept_checkpoint, publish_checkpoint, read_dossier
from release_dossier.steps.world import World, instant, rfc3339
from release_dossier.trust.document import Person
from release_dossier.trust.dsse import Envelope, pae, valid_keys
from release_dossier.trust.keys import key_of_public
from release_dossier.trust.log import Entry
from release_dossier.trust.statement import PAYLOAD_TYPE, Statement, Subject, state

MAY_WITHDRAW = ("trust-root", "risk-owner", "release-manager", "ops")  # evidence, dossiers, decisions and releases are nobody's own


Record = Approval | Rejection | Withdrawal | Waiver | Erasure


class Draft(msgspec.Struct, frozen=True):
    """Words not yet signed. `recorded` is the digest of the statement that says the same already, empty where none does."""

    word: str
    target: str
    change: str
    key: str
    record: Record
    statement: Statement
    recorded: str = ""

    @property
    def message(self) -> bytes:
        """The bytes to sign: an SSH key signs them, a passkey their SHA-256 (trust/webauthn.py)."""
        return pae(PAYLOAD_TYPE, self.statement.raw)


def approve(world: World, digest: str, person: str, role: str, key: Path, comment: str, until: datetime) -> tuple[str, Approval]:
    """Sign the dossier in a role, over the results of its requirements as they stand now.

    Raises:
        Refused: `people.*`, `key.*`. Nothing was recorded.
    """
    _own_key(world, person_of(world, person), key)
    return sign(world, draft_approval(world, digest, person, role, comment, until), key)  # type: ignore[return-value]


def draft_approval(world: World, digest: str, person: str, role: str, comment: str, until: datetime) -> Draft:
    """What `approve` signs, for a signature made elsewhere: hand it to `record_signed`.

    Raises:
        Refused: `people.*`.
    """
    who = person_of(world, person)
    _, decision, dossier = decide_dossier(world, digest, world.now)
    _may_sign_as(world, who, role, dossier)
    if until <= world.now:
        raise Refused("people.past", at="--until", found=rfc3339(until), expected=f"a moment after {world.stamp()}")
    results = results_of(decision)
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
    return _drafted(world, "approval", digest, dossier, approval, f"{role}/{who.id}")


def _may_sign_as(world: World, who: Person, role: str, dossier: Dossier) -> None:
    """A role the person holds, or `owner` of a service that has to be signed by its owners; and no signature that could never count."""
    owns = [o.service for o in dossier.owners if dossier.change.mode == "solo" or who.id in members(o.owners, world.trust)]
    if role != OWNER and role not in who.roles:
        expected = f"a role {who.id} holds: {', '.join(who.roles)}"
        raise Refused("people.role", at="--role", found=role, expected=expected, help="dossier trust show")
    if role == OWNER and not owns:
        expected = "an owner of " + ", ".join(f"{o.service} ({', '.join(o.owners) or 'nobody'})" for o in dossier.owners)
        raise Refused("people.role", at="--role", found=f"{OWNER}, which {who.id} is of none", expected=expected, help="dossier trust show")
    rule = next((a for a in asked_of_people(thaw(dossier.rules), dossier) if a.role == role), None)
    if rule is None or dossier.change.mode != "team":
        return
    wrote, brought = rule.not_author and who.id in authors_of(dossier), rule.not_producer and who.id in producers_of(dossier)
    if wrote or brought:
        found = f"{who.id}, who {'owns or wrote the change' if wrote else 'brought evidence for it'}"
        raise Refused("people.own-work", at="--as", found=found, expected=f"somebody else who signs as {role}", help="dossier trust show")


def reject(world: World, digest: str, person: str, key: Path, reason: str) -> tuple[str, Rejection]:
    """Say no to a dossier. It stands until it is withdrawn."""
    _own_key(world, person_of(world, person), key)
    return sign(world, draft_rejection(world, digest, person, reason), key)  # type: ignore[return-value]


def draft_rejection(world: World, digest: str, person: str, reason: str) -> Draft:
    """What `reject` signs."""
    who = person_of(world, person)
    dossier = read_dossier(world, digest)
    rejection = Rejection(dossier=digest, person=who.id, reason=_reason(reason), signed_at=world.stamp())
    return _drafted(world, "rejection", digest, dossier, rejection, who.id)


def withdraw(world: World, digest: str, person: str, key: Path, reason: str) -> tuple[str, Withdrawal]:
    """Take back a statement: one's own approval, rejection or waiver; as an owner also evidence, a dossier, a decision or a release."""
    _own_key(world, person_of(world, person), key)
    return sign(world, draft_withdrawal(world, digest, person, reason), key)  # type: ignore[return-value]


def draft_withdrawal(world: World, digest: str, person: str, reason: str) -> Draft:
    """What `withdraw` signs.

    Raises:
        Refused: `people.not-yours`, `people.not-withdrawable`, `people.role`.
    """
    who = person_of(world, person)
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
        own = next(
            (
                e.digest
                for w in ("approval", "rejection", "waiver")
                for e, _ in _mine(world, w, digest, who.id)
                if not _withdrawn(world, e.digest)
            ),
            "",
        )
        raise Refused(
            "people.role",
            at="--as",
            found=f"{who.id}: {', '.join(who.roles)}",
            expected=f"a person with {' or '.join(MAY_WITHDRAW)}",
            help=f"dossier withdraw {own[:19]} takes back what {who.id} said of it" if own else "",
        )
    withdrawal = Withdrawal(statement=digest, person=who.id, reason=_reason(reason), signed_at=world.stamp())
    before, record = _said_before(world, "withdrawal", digest, withdrawal) or ("", withdrawal)
    return draft_of(world, "withdrawal", digest, entry.change, record, who.id, before)


def waive(
    world: World, digest: str, requirement: str, service: str, person: str, key: Path, reason: str, until: datetime
) -> tuple[str, Waiver]:
    """An exception for one requirement of one service of one dossier, until a moment.

    Raises:
        Refused: `waiver.*`: unknown requirement, one that no waiver may touch, an end that is past.
    """
    _own_key(world, person_of(world, person), key)
    return sign(world, draft_waiver(world, digest, requirement, service, person, reason, until), key)  # type: ignore[return-value]


def draft_waiver(world: World, digest: str, requirement: str, service: str, person: str, reason: str, until: datetime) -> Draft:
    """What `waive` signs."""
    who = person_of(world, person)
    dossier = read_dossier(world, digest)
    rule = next((r for r in thaw(dossier.rules).requirements if r.id == requirement and r.service == service), None)
    if rule is None:
        known = ", ".join(sorted({f"{r.id} ({r.service})" for r in thaw(dossier.rules).requirements}))
        raise Refused("waiver.unknown", at="REQUIREMENT", found=f"{requirement} of {service}", expected=known)
    if not rule.waivable:
        raise Refused(
            "waiver.never", at=requirement, found="a requirement no waiver may touch", expected="evidence that passes", help=rule.remedy
        )
    owners = next((o.owners for o in dossier.owners if o.service == service), ())
    if who.id not in members(owners, world.trust) and not set(who.roles) & set(WAIVER_ROLES):
        expected = f"an owner of {service} ({', '.join(owners) or 'nobody'}) or a person with {' or '.join(WAIVER_ROLES)}"
        raise Refused("people.role", at="--as", found=f"{who.id}: {', '.join(who.roles)}", expected=expected, help="dossier trust show")
    if until <= world.now:
        raise Refused("waiver.past", at="--until", found=rfc3339(until), expected=f"a moment after {world.stamp()}")
    waiver = Waiver(
        dossier=digest,
        requirement=requirement,
        service=service,
        person=who.id,
        reason=_reason(reason),
        until=rfc3339(until),
        signed_at=world.stamp(),
    )
    return _drafted(world, "waiver", digest, dossier, waiver, f"{requirement}/{service}")


def _drafted(world: World, word: str, digest: str, dossier: Dossier, record: Record, key: str) -> Draft:
    """A draft about a dossier that still waits for one, or what the same person said of it already."""
    before = _said_before(world, word, digest, record)
    if before is None:
        _still_open(world, digest, dossier)
    recorded, said = before or ("", record)
    return draft_of(world, word, digest, dossier.change_digest, said, key, recorded)


def _said_before(world: World, word: str, target: str, record: Record) -> tuple[str, Record] | None:
    """The statement that says the same already, where the same person made it and did not take it back (rule 4)."""
    field = "statement" if word == "withdrawal" else "dossier"
    to_come = after(world.now, CLOCK_SKEW_SECONDS_MAX)  # by a clock that was ahead: what allows does not count until then, and is said anew
    for entry, predicate in _mine(world, word, target, record.person, field):
        before = msgspec.convert(predicate, type(record))
        counts = not isinstance(before, Approval | Waiver) or instant(entry.at, word) <= to_come
        if counts and _same(before, record) and not _withdrawn(world, entry.digest):
            return entry.digest, before
    return None


def _same(before: Record, record: Record) -> bool:
    match before, record:
        case Approval(), Approval():
            stands = datetime.fromisoformat(before.expires_at) > datetime.fromisoformat(record.signed_at)
            return stands and (before.role, before.results) == (record.role, record.results)
        case Rejection(), Rejection():
            return before.reason == record.reason
        case Waiver(), Waiver():
            return msgspec.structs.replace(before, signed_at=record.signed_at) == record
    return isinstance(record, Withdrawal)


def _still_open(world: World, digest: str, dossier: Dossier) -> None:
    """A signature that could move nothing any more is refused before it is made, here as in the pages.

    Raises:
        Refused: `people.closed`: the dossier is retrospective, or all its services are released.
    """
    expected = "a dossier that waits for its decision"
    if dossier.change.mode == "retrospective":
        found = "a retrospective dossier: it shipped before anybody asked and is never allowed"
        raise Refused("people.closed", at="DIGEST", found=found, expected=expected, help="dossier list")
    releases = [e for e in world.store.entries() if e.type == "release" and e.change == digest]  # key: service@version
    if releases and {e.key.rpartition("@")[0] for e in releases} == {s.name for s in dossier.change.services}:
        back = f"dossier withdraw {releases[-1].digest[:19]} --as PERSON --key FILE --reason WORDS  (takes the release back)"
        raise Refused("people.closed", at="DIGEST", found="a dossier that is released", expected=expected, help=back)


def draft_of(world: World, word: str, target: str, change: str, record: Record, key: str, recorded: str = "") -> Draft:
    subject = [Subject(word, {"sha256": target.removeprefix("sha256:")})]
    statement = state(word, world.trust.project, subject, msgspec.to_builtins(record))
    return Draft(word, target, change, key, record, statement, recorded)


def sign(world: World, draft: Draft, key: Path) -> tuple[str, Record]:
    """Sign a draft with the person's SSH key and record it.

    Raises:
        Refused: `people.other-key`, `people.revoked-key`, `key.*`.
    """
    if draft.recorded:
        return draft.recorded, draft.record
    key_id = _own_key(world, person_of(world, draft.record.person), key)
    return record_signed(world, draft, ("sshsig", key_id, sign_with_ssh(key, draft.message, world.environ)))


def record_signed(world: World, draft: Draft, signature: tuple[str, str, str]) -> tuple[str, Record]:
    """Record a draft with its person's signature, made here or in a browser: (`sshsig` or `webauthn`, key id, text).

    Raises:
        Refused: `people.unsigned`: it is not this person's signature over these words; `people.revoked-key`. Nothing was recorded.
    """
    if draft.recorded:
        return draft.recorded, draft.record
    who = person_of(world, draft.record.person)
    bare = Envelope(draft.statement.raw, PAYLOAD_TYPE, (), (signature,), b"")
    valid = valid_keys(bare, {k.id: k.public for k in who.keys}, f"{draft.word} by {who.id}")
    if not valid:
        found = f"nothing that verifies as {signature[0]}"  # whose key made it, nobody knows: the id beside it is a hint
        raise Refused("people.unsigned", at="signature", found=found, expected=f"one by a key of {who.id} over these very words")
    _stands(world, signature[1])
    kept = kept_checkpoint(world)
    check_witness(world, kept)
    with world.store.lock():
        before = _said_before(world, draft.word, draft.target, draft.record) if draft.word in PEOPLE else None
        if before is not None:  # in another process, since this was drafted
            return before
        # The clock may have gone back since the words were read: what is recorded before it was signed would never count.
        at = msgspec.structs.replace(world, now=max(world.now, instant(draft.record.signed_at, draft.word)))
        digest = at.record(draft.statement, change=draft.change, key=draft.key, typed=(signature,))
    publish_checkpoint(world, kept)
    return digest, draft.record


def person_of(world: World, person: str) -> Person:
    """The person of the newest trust document with this name.

    Raises:
        Refused: `people.unknown`.
    """
    who = world.trust.person(person.lstrip("@"))
    if who is None:
        raise Refused(
            "people.unknown",
            at="--as",
            found=person,
            expected=", ".join(sorted(p.id for p in world.trust.document.people)),
            help="dossier trust propose",
        )
    return who


def _own_key(world: World, who: Person, key: Path) -> str:
    """The id of a key file, which is one of this person's and stands."""
    mine = key_of_public(public_of(key, world.environ))
    if not any(k.id == mine.id for k in who.keys):
        raise Refused(
            "people.other-key",
            at="--key",
            found=mine.id,
            expected=f"a key of {who.id}: {', '.join(k.id for k in who.keys)}",
            help="dossier trust show",
        )
    _stands(world, mine.id)
    return mine.id


def _stands(world: World, key: str) -> None:
    revoked = world.trust.revoked_at(key)
    if revoked:
        raise Refused("people.revoked-key", at="--key", found=f"{key}, revoked {revoked}", expected="a key that stands")


def _reason(reason: str) -> str:
    if not reason.strip():
        raise Refused("people.no-reason", at="--reason", found="nothing", expected="a reason in words")
    return reason.strip()


def _mine(world: World, word: str, target: str, person: str, field: str = "dossier") -> list[tuple[Entry, Mapping[str, Any]]]:
    out: list[tuple[Entry, Mapping[str, Any]]] = []
    for e in world.store.entries():
        if e.type == word:
            predicate = world.statement(e.digest, word).predicate
            if predicate[field] == target and predicate["person"] == person:
                out.append((e, predicate))
    return out


def _withdrawn(world: World, digest: str) -> bool:
    return any(
        world.statement(e.digest, "withdrawal").predicate["statement"] == digest for e in world.store.entries() if e.type == "withdrawal"
    )
