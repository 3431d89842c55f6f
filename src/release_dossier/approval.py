"""What people signed, and what of it counts.

 * A statement counts when a key of the person it names signed it, listed in the newest trust document, not revoked before the log
   recorded it.
 * An approval is over one dossier, one role and the results it was shown: when any of those is another now, it has lapsed, and says
   which. It ends when it says it ends.
 * One person is one person, whatever the number of keys. An author's approval does not count where the rule says so.
 * A rejection stands until the one who made it takes it back.
 * A waiver is for one requirement of one service of one dossier, by the one who may, until a moment. It is never for an error.

Withdrawals and rejections make a decision stricter. Leaving one out is not caught here but by the log, which has no gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from release_dossier.rules.requirement import ApprovalRule, Requirement
from release_dossier.trust.document import Trust
from release_dossier.trust.statement import Statement

WAIVER_ROLES = ("risk-owner",)


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, the ids of the keys whose signatures over it were verified, and where and when the log recorded it."""

    statement: Statement
    keys: frozenset[str]
    logged_at: str
    n: int


class ResultLine(msgspec.Struct, frozen=True):
    """The state of one requirement, as an approval was shown it."""

    id: str
    service: str
    state: str


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A person's signature over a dossier in a role, and the results they saw."""

    dossier: str
    role: str
    person: str
    results: tuple[ResultLine, ...]
    results_digest: str
    comment: str
    signed_at: str
    expires_at: str


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A person's no."""

    dossier: str
    person: str
    reason: str
    signed_at: str


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """Taking back the statement with this digest."""

    statement: str
    person: str
    reason: str
    signed_at: str


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """An exception."""

    dossier: str
    requirement: str
    service: str
    person: str
    reason: str
    until: str
    signed_at: str


class Counted(msgspec.Struct, frozen=True):
    """An approval that counts."""

    person: str
    signed_at: str
    expires_at: str
    statement: str


class RefusedApproval(msgspec.Struct, frozen=True):
    """An approval that does not count, and why."""

    person: str
    reason: str
    statement: str


class RoleTally(msgspec.Struct, frozen=True):
    """Approvals counted for one role: `missing` people are still to sign."""

    role: str
    needed: int
    counted: tuple[Counted, ...]
    refused: tuple[RefusedApproval, ...]
    missing: int


class Voices(msgspec.Struct, frozen=True):
    """Every statement of people that is about a dossier, apart by kind, in log order."""

    approvals: tuple[tuple[Signed, Approval], ...]
    rejections: tuple[tuple[Signed, Rejection], ...]
    waivers: tuple[tuple[Signed, Waiver], ...]
    withdrawn: dict[str, Withdrawal]  # digest taken back → by a withdrawal whose signature counts


def hear(statements: Sequence[Signed], project: str, trust: Trust) -> Voices:
    """Sort what was said. A statement of another project, or one that cannot be read, is nobody's word here."""
    approvals: list[tuple[Signed, Approval]] = []
    rejections: list[tuple[Signed, Rejection]] = []
    waivers: list[tuple[Signed, Waiver]] = []
    withdrawn: dict[str, Withdrawal] = {}
    for s in sorted(statements, key=lambda s: (s.n, s.statement.digest)):
        if s.statement.project != project:
            continue
        try:
            match s.statement.word:
                case "approval":
                    approvals.append((s, msgspec.convert(s.statement.predicate, Approval)))
                case "rejection":
                    rejections.append((s, msgspec.convert(s.statement.predicate, Rejection)))
                case "waiver":
                    waivers.append((s, msgspec.convert(s.statement.predicate, Waiver)))
                case "withdrawal":
                    w = msgspec.convert(s.statement.predicate, Withdrawal)
                    if not unsigned(s, w.person, w.signed_at, trust):
                        withdrawn.setdefault(w.statement, w)
        except msgspec.ValidationError:
            continue
    return Voices(tuple(approvals), tuple(rejections), tuple(waivers), withdrawn)


def unsigned(s: Signed, person: str, signed_at: str, trust: Trust) -> str:
    """Why a statement is not this person's word; empty when it is."""
    who = trust.person(person)
    if who is None:
        return f"{person} is not in trust version {trust.document.version}"
    mine = sorted(k.id for k in who.keys if k.id in s.keys)
    if not mine:
        return f"no key of {person} signed it"
    for key in mine:
        revoked = trust.revoked_at(key)
        before = revoked is not None and datetime.fromisoformat(s.logged_at) < datetime.fromisoformat(revoked)
        if trust.counts(key, signed_at, before):
            return ""
    return f"the key {mine[0]} of {person} is revoked"


def tally(
    rules: Sequence[ApprovalRule],
    dossier: str,
    results: Sequence[ResultLine],
    voices: Voices,
    trust: Trust,
    now: datetime,
    *,
    authors: frozenset[str],
    solo: bool,
) -> tuple[RoleTally, ...]:
    """Count approvals per role.

    Args:
        results: the requirements as they stand now, without approvals.
        authors: persons who own the change or wrote it.
        solo: whether one person alone may release; then an author's approval counts, and is labelled by the caller.
    """
    out = []
    for rule in rules:
        counted: dict[str, Counted] = {}
        refused: list[RefusedApproval] = []
        for s, a in voices.approvals:
            if a.role != rule.role:
                continue
            why = _lapsed(s, a, dossier, results, voices, trust, now)
            if not why and rule.not_author and not solo and a.person in authors:
                why = f"{a.person} owns or wrote the change: one's own approval does not count"
            if not why and a.person in counted:
                why = f"{a.person} has signed already: one person counts once"
            if why:
                refused.append(RefusedApproval(a.person, why, s.statement.digest))
            else:
                counted[a.person] = Counted(a.person, a.signed_at, a.expires_at, s.statement.digest)
        out.append(RoleTally(rule.role, rule.count, tuple(counted.values()), tuple(refused), max(0, rule.count - len(counted))))
    return tuple(out)


def _lapsed(s: Signed, a: Approval, dossier: str, results: Sequence[ResultLine], voices: Voices, trust: Trust, now: datetime) -> str:
    """Why an approval does not stand, whoever the author is; empty when it does."""
    if a.dossier != dossier:
        return f"lapsed: signed for dossier {a.dossier[:19]}…, this is another"
    why = unsigned(s, a.person, a.signed_at, trust)
    if why:
        return why
    person = trust.person(a.person)
    assert person is not None
    if a.role not in person.roles:
        return f"{a.person} does not hold the role {a.role}"
    if s.statement.digest in voices.withdrawn:
        w = voices.withdrawn[s.statement.digest]
        if w.person == a.person:
            return f"withdrawn: {w.reason}"
    if datetime.fromisoformat(a.expires_at) <= now:
        return f"expired {a.expires_at}"
    if datetime.fromisoformat(a.signed_at) > datetime.fromisoformat(s.logged_at):
        return f"signed {a.signed_at}, after the log recorded it"
    return _changed(a.results, results)


def _changed(shown: Sequence[ResultLine], now: Sequence[ResultLine]) -> str:
    before, after = ({(r.service, r.id): r.state for r in x} for x in (shown, now))
    moved = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    if not moved:
        return ""
    service, name = moved[0]
    more = f" and {len(moved) - 1} more" if len(moved) > 1 else ""
    was, is_ = before.get(moved[0], "not there"), after.get(moved[0], "not there")
    return f"lapsed: {name} of {service} was {was} when {'it was signed'}, is {is_}{more}"


def standing_rejections(dossier: str, voices: Voices, trust: Trust) -> tuple[tuple[str, str], ...]:
    """(person, reason) of every no that stands for this dossier."""
    out = []
    for s, r in voices.rejections:
        back = voices.withdrawn.get(s.statement.digest)
        if r.dossier == dossier and not (back and back.person == r.person) and not unsigned(s, r.person, r.signed_at, trust):
            out.append((r.person, r.reason))
    return tuple(out)


def find_waiver(
    requirement: Requirement, dossier: str, owners: Sequence[str], voices: Voices, trust: Trust, now: datetime
) -> tuple[Waiver | None, str]:
    """The waiver in force for a requirement, and a note about one that is there and does not count."""
    note = ""
    for s, w in voices.waivers:
        if (w.dossier, w.requirement, w.service) != (dossier, requirement.id, requirement.service):
            continue
        back = voices.withdrawn.get(s.statement.digest)
        person = trust.person(w.person)
        why = unsigned(s, w.person, w.signed_at, trust)
        if not requirement.waivable:
            why = "no waiver is accepted for it"
        elif back and back.person == w.person:
            why = f"withdrawn: {back.reason}"
        elif not why and person is not None and not (set(person.roles) & set(WAIVER_ROLES) or person.id in {o.lstrip("@") for o in owners}):
            why = f"{w.person} is neither an owner of {requirement.service} nor {' or '.join(WAIVER_ROLES)}"
        elif not why and not w.reason.strip():
            why = "it gives no reason"
        elif not why and datetime.fromisoformat(w.until) <= now:
            why = f"it ended {w.until}"
        if not why:
            return w, ""
        note = f"a waiver by {w.person} does not count: {why}"
    return None, note
