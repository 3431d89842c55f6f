"""What people signed, and what of it counts.

 * A statement counts when a key of the person it names signed it, listed in the newest trust document, not revoked before the log
   recorded it.
 * An approval is over one dossier, one role and the results it was shown: when any of those is another now, it has lapsed, and says
   which. It ends when it says it ends.
 * One person is one person, whatever the number of keys. An author's approval does not count where the rule says so.
 * A rejection, an approval and a waiver are taken back by the one who made them and nobody else, whoever tried before.
 * Owners of a service are people, or teams: everybody who holds the role of that name. Each service asked has its own tally.
 * A waiver is for one requirement of one service of one dossier, by the one who may, until a moment. It is never for an error.

Withdrawals and rejections make a decision stricter. Leaving one out is not caught here but by the log, which has no gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from release_dossier.errors import shown
from release_dossier.limits import CLOCK_SKEW_SECONDS_MAX
from release_dossier.rules.moment import after, moment
from release_dossier.rules.packs import OWNER
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


ANOTHER = "lapsed: signed for dossier"  # how the reason begins that most approvals of a long-lived project do not count for


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
    withdrawn: dict[str, tuple[Withdrawal, ...]]  # digest taken back → every withdrawal of it whose signature counts
    unread: tuple[str, ...]  # in words, what was said and is nobody's word here

    def taken_back(self, digest: str, by: str | None = None) -> Withdrawal | None:
        """The first withdrawal of a statement, or with `by` the first by that person."""
        return next((w for w in self.withdrawn.get(digest, ()) if by in (None, w.person)), None)


def hear(statements: Sequence[Signed], project: str, trust: Trust) -> Voices:
    """Sort what was said. A statement of another project, or one that cannot be read, is nobody's word here; `unread` says so."""
    approvals: list[tuple[Signed, Approval]] = []
    rejections: list[tuple[Signed, Rejection]] = []
    waivers: list[tuple[Signed, Waiver]] = []
    withdrawn: dict[str, tuple[Withdrawal, ...]] = {}
    unread: list[str] = []
    for s in sorted(statements, key=lambda s: (s.n, s.statement.digest)):
        what = f"{s.statement.word} {s.statement.digest[:19]}…"
        if s.statement.project != project:
            unread.append(f"{what} is of another project and counts for nothing here")
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
                    why = unsigned(s, w.person, w.signed_at, trust)
                    if why:
                        unread.append(f"{what} takes nothing back: {why}")
                    else:
                        withdrawn[w.statement] = (*withdrawn.get(w.statement, ()), w)
        except msgspec.ValidationError as e:
            unread.append(f"{what} cannot be read and counts for nothing: {shown(str(e))}")
    return Voices(tuple(approvals), tuple(rejections), tuple(waivers), withdrawn, tuple(unread))


def unsigned(s: Signed, person: str, signed_at: str, trust: Trust) -> str:
    """Why a statement is not this person's word; empty when it is."""
    who = trust.person(person)
    if who is None:
        return f"{person} is not in trust version {trust.document.version}"
    mine = sorted(k.id for k in who.keys if k.id in s.keys)
    if not mine:
        return f"no key of {person} signed it"
    signed, logged = moment(signed_at), moment(s.logged_at)
    if signed is None or logged is None:
        return f"signed {shown(signed_at, 40)}, logged {shown(s.logged_at, 40)}: not both are moments"
    for key in mine:
        revoked = trust.revoked_at(key)
        at = moment(revoked) if revoked is not None else None
        if revoked is None or (at is not None and max(signed, logged) < at):
            return ""
    return f"the key {mine[0]} of {person} was revoked {trust.revoked_at(mine[0])}, before the log recorded this"


class Electorate(msgspec.Struct, frozen=True):
    """Who stands in which relation to a change: who wrote it, who brought evidence for it, who answers for each service, and whether one
    person alone may release (`solo`); then authors count, and are labelled by the caller."""

    authors: frozenset[str]
    producers: frozenset[str]
    owners: Mapping[str, Sequence[str]]
    solo: bool


def tally(
    rules: Sequence[ApprovalRule],
    dossier: str,
    results: Sequence[ResultLine],
    voices: Voices,
    trust: Trust,
    now: datetime,
    who: Electorate,
) -> tuple[RoleTally, ...]:
    """Count approvals per role; of the role `owner`, per service.

    Args:
        results: the requirements as they stand now, without approvals.
    """
    out = []
    for rule in rules:
        if rule.role != OWNER:
            out.append(_count(rule, rule.role, None, dossier, results, voices, trust, now, who))
        for service in rule.services if rule.role == OWNER else ():
            able = members(who.owners.get(service, ()), trust)
            out.append(_count(rule, f"{OWNER} of {service}", able, dossier, results, voices, trust, now, who))
    return tuple(out)


def _count(
    rule: ApprovalRule,
    label: str,
    able: frozenset[str] | None,
    dossier: str,
    results: Sequence[ResultLine],
    voices: Voices,
    trust: Trust,
    now: datetime,
    who: Electorate,
) -> RoleTally:
    """Approvals of one role; with `able`, only of these people."""
    counted: dict[str, Counted] = {}
    refused: list[RefusedApproval] = []
    for s, a in voices.approvals:
        if a.role != rule.role:
            continue
        why = _lapsed(s, a, dossier, results, voices, trust, now)
        if not why and able is not None and a.person not in able and not who.solo:
            why = f"{a.person} does not answer for {label.removeprefix(f'{OWNER} of ')}"
        if not why and rule.not_author and not who.solo and a.person in who.authors:
            why = f"{a.person} owns or wrote the change: one's own approval does not count"
        if not why and rule.not_producer and not who.solo and a.person in who.producers:
            why = f"{a.person} brought evidence for it: who brings proof does not approve it"
        if not why and a.person in counted:
            why = f"{a.person} has signed already: one person counts once"
        if why:
            refused.append(RefusedApproval(a.person, why, s.statement.digest))
        else:
            counted[a.person] = Counted(a.person, a.signed_at, a.expires_at, s.statement.digest)
    return RoleTally(label, rule.count, tuple(counted.values()), tuple(refused), max(0, rule.count - len(counted)))


def members(owners: Sequence[str], trust: Trust) -> frozenset[str]:
    """The people of the trust document that owners name: themselves, or by a role they hold (`@ledger`)."""
    named = {o.lstrip("@") for o in owners}
    return frozenset(p.id for p in trust.document.people if p.id in named or named & set(p.roles))


def quorum(tallies: Sequence[RoleTally]) -> str:
    """Who signed, in words: `2 of 3, missing: ops`."""
    have, need = sum(min(t.needed, len(t.counted)) for t in tallies), sum(t.needed for t in tallies)
    missing = ", ".join(f"{t.role}{f' × {t.missing}' if t.missing > 1 else ''}" for t in tallies if t.missing)
    return f"{have} of {need}" + (f", missing: {missing}" if missing else "")


def _lapsed(s: Signed, a: Approval, dossier: str, results: Sequence[ResultLine], voices: Voices, trust: Trust, now: datetime) -> str:
    """Why an approval does not stand, whoever the author is; empty when it does."""
    if a.dossier != dossier:
        return f"{ANOTHER} {a.dossier[:19]}…, this is another"
    why = unsigned(s, a.person, a.signed_at, trust)
    if why:
        return why
    person = trust.person(a.person)
    if person is None or (a.role != OWNER and a.role not in person.roles):
        return f"{a.person} does not hold the role {a.role} in trust version {trust.document.version}"
    back = voices.taken_back(s.statement.digest, a.person)
    if back is not None:
        return f"withdrawn: {shown(back.reason)}"
    signed, logged, ends = moment(a.signed_at), moment(s.logged_at), moment(a.expires_at)
    if signed is None or logged is None or ends is None:
        return f"it says no moment when it ends: {shown(a.expires_at, 40)}"
    if ends <= now:
        return f"expired {a.expires_at}"
    if signed > logged:
        return f"signed {a.signed_at}, which is after {s.logged_at}, when the log recorded it"
    if logged > after(now, CLOCK_SKEW_SECONDS_MAX):
        return f"recorded {s.logged_at}, which is after the moment decided about"
    return _changed(a.results, results)


def _changed(shown_then: Sequence[ResultLine], now: Sequence[ResultLine]) -> str:
    then, here = ({(r.service, r.id): r.state for r in x} for x in (shown_then, now))
    moved = sorted(k for k in then.keys() | here.keys() if then.get(k) != here.get(k))
    if not moved:
        return ""
    service, name = moved[0]
    was = then.get(moved[0], "not asked for")
    now_ = f"is {here[moved[0]]} now" if moved[0] in here else "is not asked for now"
    more = f", and {len(moved) - 1} more changed" if len(moved) > 1 else ""
    return f"lapsed: {name} of {service} was {was} when it was signed and {now_}{more}"


def standing_rejections(dossier: str, voices: Voices, trust: Trust) -> tuple[tuple[str, str, str], ...]:
    """(person, reason, digest of the statement) of every no that stands for this dossier."""
    out = []
    for s, r in voices.rejections:
        back = voices.taken_back(s.statement.digest, r.person)
        if r.dossier == dossier and back is None and not unsigned(s, r.person, r.signed_at, trust):
            out.append((r.person, shown(r.reason), s.statement.digest))
    return tuple(out)


def find_waiver(
    requirement: Requirement,
    dossier: str,
    owners: Iterable[str],
    voices: Voices,
    trust: Trust,
    now: datetime,
    before: Sequence[str] = (),
) -> tuple[Waiver | None, str]:
    """The waiver in force for a requirement and the digest of its statement; or None, and a note about one that does not count.

    `before` are the releases in a row, up to the last one, that went out on a waiver of the same.
    """
    note = ""
    for s, w in voices.waivers:
        if (w.dossier, w.requirement, w.service) != (dossier, requirement.id, requirement.service):
            continue
        why = _idle(s, w, requirement, owners, voices, trust, now) or too_often(requirement, before)
        if not why:
            return w, s.statement.digest
        note = f"a waiver by {shown(w.person, 64)} does not count: {why}"
    return None, note


def too_often(requirement: Requirement, before: Sequence[str]) -> str:
    """Why no further release may go out on a waiver of a requirement, after those in a row that did; empty where one may."""
    if len(before) < requirement.waivers_in_row:
        return ""
    if not requirement.waivers_in_row:
        return "no release may go out on a waiver of it"
    many = f"the last {len(before)} releases ({', '.join(before)})" if len(before) > 1 else f"the last release ({before[0]})"
    return f"{many} went out on a waiver of it, and {requirement.waivers_in_row} in a row is the most"


def _idle(s: Signed, w: Waiver, requirement: Requirement, owners: Iterable[str], voices: Voices, trust: Trust, now: datetime) -> str:
    """Why a waiver for this very requirement does not count; empty when it does."""
    if not requirement.waivable:
        return "no waiver is accepted for it"
    why = unsigned(s, w.person, w.signed_at, trust)
    if why:
        return why
    back = voices.taken_back(s.statement.digest, w.person)
    if back is not None:
        return f"withdrawn: {shown(back.reason)}"
    person = trust.person(w.person)
    if person is None or not (set(person.roles) & set(WAIVER_ROLES) or person.id in {o.lstrip("@") for o in owners}):
        return f"{w.person} is neither an owner of {requirement.service} nor {' or '.join(WAIVER_ROLES)}"
    if not w.reason.strip():
        return "it gives no reason"
    ends, logged = moment(w.until), moment(s.logged_at)
    if ends is None or logged is None:
        return f"it says no moment when it ends: {shown(w.until, 40)}"
    if ends <= now:
        return f"it ended {w.until}"
    if logged > after(now, CLOCK_SKEW_SECONDS_MAX):
        return f"recorded {s.logged_at}, which is after the moment decided about"
    return ""
