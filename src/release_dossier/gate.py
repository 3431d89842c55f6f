"""Decide whether a Dossier may ship.

`decide` is a pure function: same dossier, same statements, same trust, same `now`, same Decision, byte for byte.

 1. Every requirement of every service is judged, so that people see one list, not one surprise per attempt.
 2. States, the first that applies: error, fail, missing, stale, inconclusive, pass. A valid waiver turns any but error into waived.
 3. Only pass and waived let through, and nothing lets through an empty gate.
 4. Attempts: a gap in their numbers is an error. An attempt that fails, by its own word or by the condition, counts against the failures
    a rule tolerates, whatever came after; attempts that came to nothing have a budget of their own.
 5. Taking evidence back never helps: a withdrawn pass is no pass, anything else withdrawn still says what it said.
 6. A project that does not stand on its protected branch is in bootstrap: nothing is allowed. Nor is what shipped before it was judged.
 7. A requirement of severity warn is judged and shown, and denies nothing; a service with warnings alone is an empty gate.
 8. Criteria that the branch changes, or that moved since the change was first opened, need the rule owner's own signature.
 9. Rules frozen under an earlier edition are judged by it: what was decided then comes out bit for bit (docs/adr/0012).
10. No input is beyond it: what cannot be read is an error of that requirement, or a statement that counts for nothing and a note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from release_dossier.approval import (
    ANOTHER,
    Electorate,
    ResultLine,
    RoleTally,
    Signed,
    Voices,
    find_waiver,
    hear,
    members,
    quorum,
    standing_rejections,
    tally,
)
from release_dossier.dossier import Attempt, Dossier, Finding
from release_dossier.errors import Misuse, shown
from release_dossier.evidence.reading import VERDICTS
from release_dossier.rules.cel import ask, bind, placed
from release_dossier.rules.compare import warns
from release_dossier.rules.freshness import CAUSES as STALE_CAUSES
from release_dossier.rules.freshness import FUTURE, TOPOLOGY, ends, latest, other_tool, out_of_time, stale, too_old, unsaid
from release_dossier.rules.moment import moment, stamp
from release_dossier.rules.packs import OWNER, thaw
from release_dossier.rules.requirement import ApprovalRule, Frozen, Requirement
from release_dossier.trust.document import Trust

STATES = ("error", "fail", "missing", "stale", "inconclusive", "pass")
OPEN_STATES = ("pass", "waived")
ATTEMPTS_SHOWN_MAX = 100  # attempts whose missing numbers are listed one by one
EXAMPLES_SHOWN_MAX = 6  # counterexamples of one requirement on a terminal; rework.md has every one that was kept
RULE_OWNER = "rule-owner"
REGISTERED, BEHIND = "registered", "protected-rules"  # findings about the criteria: moved since first opened; behind the protected branch
SIGNS = {"error": "‼", "fail": "✗", "missing": "○", "stale": "◔", "inconclusive": "?", "waived": "~", "pass": "✓"}


# Why a requirement is in its state, in one word for machines: state → its causes. A pass may be `flaky` or stand on `skips`.
CAUSES: dict[str, tuple[str, ...]] = {
    "error": ("gap", "untrusted", "times", "future", "contradiction", "fact", "condition"),
    "fail": ("counterexample", "condition", "budget"),
    "missing": ("absent", "nothing-looked-at", "fact-absent", "withheld"),
    "stale": STALE_CAUSES,
    "inconclusive": (
        "broken-off",
        "said",
        "ambiguous",
        "unbound",
        "build",
        "too-few",
        "unknown-total",
        "taken-back",
        "infrastructure",
    ),
    "pass": ("", "flaky", "skips"),
}
SAID_NO, GONE = "rejected by ", "dossier withdrawn by "  # how the notes about a rejection and a withdrawn dossier begin
NOTHING = "came to nothing"  # what is said of attempts beyond the budget for those
NO_PRODUCER = "which is no producer of trust version"  # of an attempt whose machine is not listed
SKIPPED = "; skipped: "  # what begins the names of what was skipped, as a rule's `skips` take them
NEW_FINGERPRINT = "a new fingerprint"  # what a failure needs whose retries are spent


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One requirement, judged. `expires_at` is until when what carries it holds, empty where nothing ends; `waiver` is the statement
    that waived it, named from edition 3 on.

    `cause` is one of `CAUSES`, `attempts` what each attempt at this fingerprint came to where there were several. A requirement of
    severity `warn` is shown and denies nothing.
    """

    id: str
    service: str
    state: str
    waived_from: str | None
    title: str
    looked_at: int
    of: int | None
    reason: str
    owner: str
    remedy: str
    evidence: tuple[str, ...]
    expires_at: str
    cause: str = ""
    attempts: tuple[str, ...] = ()
    severity: str = "block"
    waiver: str = ""


class ServiceOutcome(msgspec.Struct, frozen=True):
    """One service: ALLOW when all it needs is met."""

    service: str
    version: str
    outcome: str


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """ALLOW or DENY, with everything it followed from by digest. `checkpoint` is {size, root} of the log it saw.

    `quorum` is who signed in words, `2 of 3, missing: ops`; `edition` is the one its rules are judged by.
    """

    dossier: str
    outcome: str
    at: str
    hypothetical: bool
    services: tuple[ServiceOutcome, ...]
    requirements: tuple[Result, ...]
    approvals: tuple[RoleTally, ...]
    notes: tuple[str, ...]
    trust: str
    checkpoint: dict[str, Any]
    witness: str
    statements: tuple[str, ...]
    valid_until: str
    quorum: str = ""
    edition: int = 1


def decide(
    dossier: Dossier,
    digest: str,
    statements: Sequence[Signed],
    trust: Trust,
    now: datetime,
    *,
    witness: str,
    checkpoint: Mapping[str, Any],
    hypothetical: bool,
) -> Decision:
    """The decision about `dossier` (whose digest is `digest`) at `now`.

    Args:
        statements: approvals, rejections, withdrawals and waivers up to `checkpoint`, in any order.
        witness: name of the place a checkpoint is kept outside the store, empty when there is none.

    Raises:
        Misuse: `gate.naive-time` for a `now` without its offset.
        Refused: `rules.shape`: the dossier's rules are none.
    """
    if now.utcoffset() is None:
        raise Misuse("gate.naive-time", at="now", found="a time without its offset", expected="UTC")
    now = now.astimezone(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # a decision is recomputed from the moment it names
    rules = thaw(dossier.rules)
    voices = hear(statements, trust.project, trust)
    change = dossier.change
    authors = authors_of(dossier)
    shelf = shelve(dossier)
    bare = [judge(r, dossier, voices, trust, now, shelf) for r in rules.requirements]
    results = [_waived(r, b, dossier, digest, voices, trust, now, rules.edition) for r, b in zip(rules.requirements, bare, strict=True)]
    if rules.edition == 1:
        results = [msgspec.structs.replace(r, cause="", attempts=(), severity="block") for r in results]
    asked = asked_of_people(rules, dossier)
    tallies = tally(asked, digest, [_line(r) for r in results], voices, trust, now, electorate_of(dossier))
    notes, blocked = _notes(dossier, digest, voices, trust, witness, tallies, authors, rules, results)
    signed = bool(tallies) and all(t.missing == 0 for t in tallies)
    strays = any(not _lets_through(r) for r in results if r.service not in {s.name for s in change.services})
    services = []
    for s in change.services:
        mine = [r for r in results if r.service == s.name]
        met = any(r.severity == "block" for r in mine) and all(map(_lets_through, mine))
        services.append(ServiceOutcome(s.name, s.version, "ALLOW" if met and signed and not blocked else "DENY"))
    outcome = "ALLOW" if services and not strays and all(s.outcome == "ALLOW" for s in services) else "DENY"
    return Decision(
        dossier=digest,
        outcome=outcome,
        at=stamp(now),
        hypothetical=hypothetical,
        services=tuple(services),
        requirements=tuple(results),
        approvals=tallies,
        notes=notes,
        trust=trust.digest,
        checkpoint=dict(checkpoint),
        witness=witness,
        statements=tuple(s.statement.digest for s in sorted(statements, key=lambda s: (s.n, s.statement.digest))),
        valid_until=_until(results, tallies, _bites(rules, results)) if outcome == "ALLOW" else "",
        quorum=quorum(tallies) if rules.edition > 1 else "",
        edition=rules.edition,
    )


def authors_of(dossier: Dossier) -> frozenset[str]:
    """Persons who own the change, wrote it, or are named in it by an address of theirs: who may not approve it."""
    change = dossier.change
    named = (change.owner, *(p for a in change.authors for p in (a.person, a.claims)))
    return frozenset(p.lstrip("@") for p in named if p)


def electorate_of(dossier: Dossier) -> Electorate:
    """Who stands in which relation to the change of a dossier."""
    owners = {o.service: o.owners for o in dossier.owners}
    return Electorate(authors_of(dossier), producers_of(dossier), owners, dossier.change.mode == "solo")


def asked_of_people(rules: Frozen, dossier: Dossier) -> tuple[ApprovalRule, ...]:
    """The approvals the rules ask for, and the rule owner's own where the criteria are touched (8)."""
    touched = bool(dossier.change.rule_changes) or any(f.name == REGISTERED and f.verdict != "pass" for f in dossier.findings)
    if rules.edition == 1 or not touched or any(a.role == RULE_OWNER for a in rules.approvals):
        return rules.approvals
    return (*rules.approvals, ApprovalRule(RULE_OWNER))


def producers_of(dossier: Dossier) -> frozenset[str]:
    """Persons who brought evidence for what would ship."""
    prints = {(s.name, s.fingerprint) for s in dossier.change.services}
    return frozenset(a.imported_by for a in dossier.evidence if a.imported_by and (a.service, a.fingerprint) in prints)


def _lets_through(r: Result) -> bool:
    return r.state in OPEN_STATES or r.severity == "warn"


def results_of(decision: Decision) -> tuple[ResultLine, ...]:
    """What an approval is over beside the dossier: the requirements as they stand, without approvals."""
    return tuple(_line(r) for r in decision.requirements)


def _line(r: Result) -> ResultLine:
    return ResultLine(r.id, r.service, r.state)


# One requirement


class Said(NamedTuple):
    """What one attempt comes to: its state, why in words, and why as one of `CAUSES`."""

    state: str
    reason: str
    cause: str = ""


class Shelf(NamedTuple):
    """What a dossier holds, by what requirements ask for it: looked through once a decision, not once a requirement."""

    attempts: Mapping[tuple[str, str], Sequence[Attempt]]  # (service, evidence) → in the order they started
    topologies: Mapping[tuple[str, str], Attempt]  # (service, environment) → the newest evidence of how it is built
    ships: Mapping[str, tuple[str, str]]  # service → (fingerprint, version)
    edition: int  # the rules' own
    asked: frozenset[tuple[str, str]]  # (service, id) of every requirement, from edition 4 on


def shelve(dossier: Dossier) -> Shelf:
    """The shelf of a dossier."""
    attempts: dict[tuple[str, str], list[Attempt]] = {}
    topologies: dict[tuple[str, str], Attempt] = {}
    for a in dossier.evidence:
        attempts.setdefault((a.service, a.name), []).append(a)
        if a.kind == TOPOLOGY and a.digest is not None:
            topologies[a.service, a.environment] = a
    ships = {s.name: (s.fingerprint, s.version) for s in dossier.change.services}
    edition = dossier.rules.get("edition", 1)
    asked = frozenset((r["service"], r["id"]) for r in dossier.rules["requirements"]) if edition > 3 else frozenset()
    return Shelf(attempts, topologies, ships, edition, asked)


_PASSED = Said("pass", "")


def judge(rule: Requirement, dossier: Dossier, voices: Voices, trust: Trust, now: datetime, shelf: Shelf | None = None) -> Result:
    """The state of one requirement from what the dossier holds, before any waiver."""
    if rule.source == "finding":
        mine = [f for f in dossier.findings if f.name == rule.evidence and f.service == rule.service]
        return _judge_finding(rule, mine, now, dossier.rules.get("edition", 1))
    shelf = shelf or shelve(dossier)
    attempts = shelf.attempts.get((rule.service, rule.evidence), ())
    print_now, version = shelf.ships.get(rule.service, (None, ""))
    current = [a for a in attempts if a.fingerprint == print_now]
    gap = _gap([a.attempt for a in current]) or _cut(current)  # before looking at one environment only: numbers run over all of them
    if rule.environment:
        attempts, current = ([a for a in x if a.environment == rule.environment] for x in (attempts, current))
    if gap and current:
        return _result(rule, Said("error", gap, "gap"), current[-1], now)
    if not current:
        return _nothing_current(rule, attempts, dossier, now)
    fault = _first_fault(rule, current, trust, now, shelf.edition)
    if fault is not None:
        a, cause, why = fault
        return _result(rule, Said("error", f"attempt {a.attempt}: {why}", cause), a, now)
    topology = shelf.topologies.get((rule.service, current[-1].environment))
    unknown = _no_topology(rule, topology, print_now, voices, trust, now) if rule.same_topology and shelf.edition > 2 else ""
    built_by = version, dossier.change.head
    said = [(a, _said(rule, a, shelf.edition, built_by)) for a in current]
    r = _judge_attempts(rule, said, voices, (topology,) if topology else (), now, unknown, shelf.asked)
    return msgspec.structs.replace(r, attempts=tuple([x.state for _, x in said])) if len(said) > 1 else r


def _no_topology(rule: Requirement, t: Attempt | None, print_now: str | None, voices: Voices, trust: Trust, now: datetime) -> str:
    """Why the newest evidence of how the environment is built does not say how it is now; empty where it does."""
    asks = Requirement(id=rule.id, service=rule.service, title="", kind=TOPOLOGY, owner="", remedy="", why="")
    if t is None:
        return "nothing says how its environment is built"
    why = "it is about another fingerprint" if t.fingerprint != print_now else "it was taken back" if _taken_back(t, voices) else ""
    why = why or (f"it says {shown(t.verdict, 40)}" if t.verdict != "pass" else "") or _untrusted(asks, t, trust, 3)
    why = why or out_of_time(t, latest(now))[1] or too_old(asks, t, now)
    return f"what says how its environment is built does not hold: {why}" if why else ""


def _judge_attempts(
    rule: Requirement,
    said: Sequence[tuple[Attempt, Said]],
    voices: Voices,
    topologies: Sequence[Attempt],
    now: datetime,
    unknown: str,
    asked: frozenset[tuple[str, str]],
) -> Result:
    """The newest attempt that ended decides, unless failures before it are beyond the budget (4) or it is a pass taken back (5).

    `unknown` is why the topology it is held against cannot be known, where the rule needs it.
    """
    ended = [x for x in said if x[0].digest is not None]
    if not ended:
        return _result(rule, said[-1][1], said[-1][0], now)
    fails = [x for x in ended if x[1].state == "fail"]
    nothing = [x for x in said if x[1].state not in ("pass", "fail")]
    last, (state, reason, cause) = ended[-1]
    if state == "error":
        return _result(rule, Said(state, f"attempt {last.attempt}: {reason}" if len(said) > 1 else reason, cause), last, now)
    if fails and (len(fails) > rule.retries or state == "fail"):
        spent = "budget" if state != "fail" else cause
        return _result(rule, Said("fail", f"{fails[-1][1].reason}; {_budget(rule, len(fails), len(said))}", spent), fails[-1][0], now)
    if state == "missing":
        return _result(rule, Said(state, reason, cause), last, now)
    if state == "pass" and _taken_back(last, voices):
        state, reason, cause = "inconclusive", "it passed and was taken back: collect it again", "taken-back"
    if state == "pass" and last.withheld:
        return _result(rule, Said("missing", f"what it looked at is withheld ({last.withheld}): collect it again", "withheld"), last, now)
    gone = {name: terms for name, terms in last.criteria.items() if asked and (rule.service, name) not in asked}
    why, old = stale(rule, last, topologies, now, gone)
    why, old = ("topology", unknown) if unknown and why in ("", "topology", "age") else (why, old)
    if old:
        return _result(rule, Said("stale", old, why), last, now)
    if state == "pass" and len(nothing) > rule.infrastructure_retries:
        many = "1 attempt" if len(nothing) == 1 else f"{len(nothing)} attempts"
        reason = f"{many} {NOTHING} ({nothing[-1][1].reason}), {rule.infrastructure_retries or 'none'} may"
        return _result(rule, Said("inconclusive", reason, "infrastructure"), last, now)
    if state == "pass" and len(said) > 1:
        earlier = f"attempt {last.attempt} of {len(said)}; the others: " + ", ".join(x.state for a, x in said if a is not last)
        reason = f"{reason}; {earlier}" if reason else earlier
        cause = "flaky" if fails else cause
    return _result(rule, Said(state, reason, cause), last, now)


def _budget(rule: Requirement, fails: int, count: int) -> str:
    tried = "its only attempt failed" if count == 1 else f"{fails} of {count} attempts failed"
    allowed = {0: "no failure is", 1: "1 failure is"}.get(rule.retries, f"{rule.retries} failures are")
    if fails <= rule.retries:
        return f"{tried} and {allowed} tolerated: collect it again"
    way = f"{NEW_FINGERPRINT} or a waiver" if rule.waivable else f"{NEW_FINGERPRINT}; no waiver is accepted"
    return f"{tried} and {allowed} tolerated: it needs {way}"


def _judge_finding(rule: Requirement, findings: Sequence[Finding], now: datetime, edition: int) -> Result:
    if not findings:
        return _result(rule, Said("missing", "the dossier does not say", "absent"), None, now)
    finding = findings[0]
    if len(findings) > 1:
        twice = f"the dossier says {rule.evidence} of {rule.service} {len(findings)} times"
        return _result(rule, Said("error", twice, "contradiction"), finding, now)
    if finding.kind != rule.kind:
        return _result(rule, Said("error", f"it is {finding.kind}, the rule asks for {rule.kind}", "untrusted"), finding, now)
    said = _said(rule, finding, edition)
    if said.state == "pass" and finding.looked_at != finding.of:
        said = Said("missing", f"{finding.looked_at} of {_many(finding.of)} looked at", "nothing-looked-at")
    return _result(rule, said, finding, now)


def _nothing_current(rule: Requirement, attempts: Sequence[Attempt], dossier: Dossier, now: datetime) -> Result:
    old = next((a for a in reversed(attempts) if a.digest is not None), None)
    if old is not None:
        moved = f"its evidence is about another fingerprint of {rule.service}: the code moved on"
        return _result(rule, Said("stale", moved, "fingerprint"), old, now)
    absent = next((a for a in dossier.absent if a.name == rule.evidence and a.service == rule.service), None)
    why = f"nothing was looked at; {absent.why}" if absent else "nothing was looked at"
    return _result(rule, Said("missing", why, "absent"), None, now)


def _gap(numbers: Sequence[int]) -> str:
    """What is wrong with the numbers of attempts, which run from 1 without a gap; empty when nothing is."""
    if list(numbers) == list(range(1, len(numbers) + 1)):
        return ""
    there = f"attempts {', '.join(map(str, numbers))} are there" if len(numbers) > 1 else f"only attempt {numbers[0]} is there"
    gone = sorted(set(range(1, max(numbers) + 1)) - set(numbers)) if max(numbers) <= ATTEMPTS_SHOWN_MAX else []
    if gone:
        return f"{there}; {', '.join(map(str, gone))} {'is' if len(gone) == 1 else 'are'} gone"
    return f"{there}; they do not run from 1 on, one by one"


def _cut(attempts: Sequence[Attempt]) -> str:
    """What is wrong with the chain of attempts, each naming the one before. Dossiers of the first edition name none."""
    if all(a.previous is None for a in attempts) and not any(a.criteria for a in attempts):
        return ""
    before = None
    for a in attempts:
        if a.previous != before:
            return f"attempt {a.attempt} names another attempt before it than the one that is there"
        before = a.started
    return ""


def _first_fault(
    rule: Requirement, attempts: Sequence[Attempt], trust: Trust, now: datetime, edition: int
) -> tuple[Attempt, str, str] | None:
    """The first attempt that is nobody's word here, or of no possible time: it, the cause, and why."""
    end = latest(now)
    same: set[tuple[Any, ...]] = set()  # attempts alike in all that trust asks are asked once, unless a key was revoked meanwhile
    for a in attempts:
        if a.digest is None:
            continue
        who = (a.producer_key, a.producer, a.kind, a.imported_by, a.isolation, a.tool)
        if who not in same:
            why = _untrusted(rule, a, trust, edition)
            if why:
                return a, "untrusted", why
            if not trust.document.revocations:
                same.add(who)
        cause, why = out_of_time(a, end)
        if why:
            return a, cause, why
    return None


def _untrusted(rule: Requirement, a: Attempt, trust: Trust, edition: int) -> str:
    producer = trust.producer_of_key(a.producer_key)
    if producer is None:
        return f"it is signed by {shown(a.producer_key, 80) or 'nobody'}, {NO_PRODUCER} {trust.document.version}"
    if producer.id != a.producer:
        return f"it names producer {shown(a.producer, 80)} and is signed by {producer.id}"
    revoked = trust.revoked_at(a.producer_key)
    if revoked is not None:
        ends = moment(revoked)
        for at in (a.recorded_at, *([a.logged_at] if edition > 2 and a.logged_at else [])):  # the signer's word, then the log's own
            recorded = moment(at)
            if ends is None or recorded is None or recorded >= ends:
                return f"the key of producer {producer.id} was revoked {revoked}, it was recorded {shown(at, 40)}"
    if rule.producers and producer.id not in rule.producers:
        return f"producer {producer.id} is not accepted, only {', '.join(rule.producers)}"
    if rule.producer_roles and not set(rule.producer_roles) & set(producer.roles):
        return f"producer {producer.id} holds none of the roles {', '.join(rule.producer_roles)}"
    if producer.kinds and a.kind not in producer.kinds:
        return f"producer {producer.id} may not produce {a.kind}"
    if a.kind != rule.kind:
        return f"it is {a.kind}, the rule asks for {rule.kind}"
    if a.imported_by and not rule.imported:
        return f"{a.imported_by} brought it; only a run of ours is accepted"
    if a.imported_by and rule.importers and a.imported_by not in rule.importers:
        return f"{shown(a.imported_by, 64)} brought it, only {', '.join(rule.importers)} may"
    if rule.isolation and not a.imported_by and a.isolation not in rule.isolation:
        return f"it ran with isolation {a.isolation}, the rule asks for {', '.join(rule.isolation)}"
    if rule.isolation and a.imported_by and edition > 2 and not rule.importers and a.isolation not in rule.isolation:
        return f"{shown(a.imported_by, 64)} brought it; the rule asks for a run with isolation {', '.join(rule.isolation)}"
    return other_tool(rule, a)


def _failed(x: Attempt | Finding) -> str:
    """Why it failed by its own word, the first counterexample and how many more there are."""
    words = shown(x.counterexamples[0].text) if x.counterexamples else shown(x.cause) or "it failed"
    total = max(x.counterexamples_total if isinstance(x, Attempt) else 0, len(x.counterexamples))
    return f"{words} and {total - 1} more" if total > 1 else words


def _said(rule: Requirement, x: Attempt | Finding, edition: int, built_by: tuple[str, str] = ("", "")) -> Said:
    """What one attempt or finding says by itself, whatever its age and whatever came before.

    `built_by` is the version and commit the change would ship.
    """
    a = x if isinstance(x, Attempt) else None
    if x.verdict not in VERDICTS:
        return Said("error", f"it says {shown(x.verdict, 40)!r}, which is none of {', '.join(VERDICTS)}", "contradiction")
    if x.of is not None and x.looked_at > x.of:
        return Said("error", f"{x.looked_at} of {x.of} looked at: more than there are", "contradiction")
    if a is not None and (a.digest is None or (a.infrastructure and a.verdict != "fail")):
        return Said("inconclusive", shown(x.cause) or "the attempt broke off", "broken-off")
    state, reason, values = bind(rule.needs, x.facts)
    if state == "error":
        return Said(state, reason, "fact")
    if x.verdict == "fail":
        return Said("fail", _failed(x), "counterexample")
    if x.verdict == "missing" or (x.verdict == "pass" and x.looked_at <= 0):
        return Said("missing", shown(x.cause) or "nothing was looked at", "nothing-looked-at")
    unnamed = unsaid(rule, a) if rule.topology and a is not None else ""
    if state == "missing" or unnamed:
        return Said("missing", reason or unnamed, "fact-absent")
    if rule.condition and x.looked_at > 0:
        holds, why = ask(rule.condition, values, x.looked_at, x.of, x.verdict)
        if holds != "pass":  # asked again with units for its words: nearly every condition holds
            holds, why = ask(rule.condition, values, x.looked_at, x.of, x.verdict, {n.fact: n.unit for n in rule.needs})
            if holds == "error" and edition > 3:
                why = placed(rule.condition, values, x.looked_at, x.of, x.verdict) or why
            return Said(holds, why, "condition")
    if x.verdict != "pass":
        cause = "unbound" if rule.kind == "authorship" else "ambiguous" if "ambiguous" in x.cause else "said"
        return Said("inconclusive", shown(x.cause) or f"the evidence says {x.verdict}", cause)
    other_build = _other_build(rule, a, built_by) if rule.builder != "any" and a is not None else ""
    return Said("inconclusive", other_build, "build") if other_build else _enough(rule, x)


def _other_build(rule: Requirement, a: Attempt, built_by: tuple[str, str]) -> str:
    """Why the build that wrote what was looked at is not the one asked for. A run of ours at this fingerprint is this change's."""
    if rule.builder == "any" or not a.imported_by:
        return ""
    version, head = built_by
    wrote = a.written_by.removeprefix("v")
    if not wrote:
        return "which build wrote what was looked at is unknown"
    if rule.builder == "known" or wrote == version or (len(wrote) >= 7 and head.startswith(wrote)):
        return ""
    return f"{shown(a.written_by, 60)} wrote what was looked at, not this change"


def _enough(rule: Requirement, x: Attempt | Finding) -> Said:
    """Whether a pass looked at enough. Shares are compared in integers; an allowed skip counts once, by name."""
    if x.looked_at < rule.minimum_count:
        return Said("inconclusive", f"{x.looked_at} looked at, {rule.minimum_count} asked for", "too-few")
    skipped = dict.fromkeys(_skipped(x)) if isinstance(x, Attempt) and x.limits else {}
    allowed = {s.name: s.reason for s in rule.skips if s.name in skipped} if skipped else {}
    if rule.minimum_percent:
        if x.of is None:
            unknown = f"{x.looked_at} looked at of nobody knows how many; {rule.minimum_percent} % asked for"
            return Said("inconclusive", unknown, "unknown-total")
        if (x.looked_at + len(allowed)) * 100 < rule.minimum_percent * x.of:
            left = [n for n in skipped if n not in allowed]
            more = f" and {len(left) - 5} more" if len(left) > 5 else ""
            names = f"{SKIPPED}{', '.join(left[:5])}{more}" if left else ""
            return Said("inconclusive", f"{x.looked_at} of {x.of} looked at, {rule.minimum_percent} % asked for{names}", "too-few")
    if allowed:
        one = "1 skip is" if len(allowed) == 1 else f"{len(allowed)} skips are"
        return Said("pass", f"{one} allowed by name: " + "; ".join(f"{name}, {why}" for name, why in allowed.items()), "skips")
    return _PASSED


def _skipped(a: Attempt) -> list[str]:
    """Names of what was skipped, as readers of tests list them in their limits: `skipped: NAME reason`."""
    return [shown(line.removeprefix("skipped: ").split(" ")[0], 120) for line in a.limits if line.startswith("skipped: ")]


def _taken_back(a: Attempt, voices: Voices) -> bool:
    return a.withdrawn is not None or (a.digest is not None and voices.taken_back(a.digest) is not None)


def _result(rule: Requirement, said: Said, shown_by: Attempt | Finding | None, now: datetime) -> Result:
    return Result(
        id=rule.id,
        service=rule.service,
        state=said.state,
        waived_from=None,
        title=rule.title,
        looked_at=shown_by.looked_at if shown_by else 0,
        of=shown_by.of if shown_by else None,
        reason=said.reason,
        owner=rule.owner,
        remedy="" if said.state == "pass" else rule.remedy,
        evidence=(shown_by.digest,) if isinstance(shown_by, Attempt) and shown_by.digest else (),
        expires_at=ends(rule, shown_by) if isinstance(shown_by, Attempt) and said.state == "pass" else "",
        cause=said.cause,
        severity="warn" if warns(rule, now) else "block",
    )


def _waived(
    rule: Requirement, r: Result, dossier: Dossier, digest: str, voices: Voices, trust: Trust, now: datetime, edition: int
) -> Result:
    if r.state == "pass":
        return r
    owners = next((o.owners for o in dossier.owners if o.service == rule.service), ())
    before = next((w.versions for w in dossier.waived_before if (w.service, w.requirement) == (rule.service, rule.id)), ())
    able = members(owners, trust) if edition > 1 else owners
    waiver, named = find_waiver(rule, digest, able, voices, trust, now, before)
    if waiver is None:
        return msgspec.structs.replace(r, reason=f"{r.reason}; {named}" if named else r.reason)
    if r.state == "error":
        return msgspec.structs.replace(r, reason=f"{r.reason}; no waiver lets an error through")
    own = ", for a change of their own," if waiver.person in authors_of(dossier) else ""
    ends = moment(waiver.until)
    assert ends is not None, "a waiver without its end counts for nothing"
    words = f"{waiver.person}{own} until {waiver.until}: {shown(waiver.reason)}. It was {r.state}: {r.reason}"
    said = named if edition > 2 else ""
    return msgspec.structs.replace(r, state="waived", waived_from=r.state, reason=words, expires_at=stamp(ends), waiver=said)


# The whole


def _notes(
    dossier: Dossier,
    digest: str,
    voices: Voices,
    trust: Trust,
    witness: str,
    tallies: Sequence[RoleTally],
    authors: frozenset[str],
    rules: Frozen,
    results: Sequence[Result],
) -> tuple[tuple[str, ...], bool]:
    """Notes in words, and whether one of them alone denies."""
    notes = []
    if not dossier.change.adopted:
        notes.append("bootstrap: the project does not stand on its protected branch, so nothing is allowed")
    if dossier.change.mode == "retrospective":
        notes.append("retrospective: it shipped before anybody asked, and the criteria came later, so nothing is allowed")
    if dossier.rules != dossier.change.rules:
        notes.append("the rules in the dossier are not those frozen into its change, so nothing is allowed")
    notes += [f"{SAID_NO}{person}: {reason}" for person, reason, _ in standing_rejections(digest, voices, trust)]
    for what, taken in (("dossier", digest), ("change", dossier.change_digest)):
        back = voices.taken_back(taken)
        if back is not None:
            notes.append(f"{what} withdrawn by {back.person}: {shown(back.reason)}")
    if rules.edition > 2 and not witness:
        notes += [
            f"unwitnessed: the pack of {service} asks for a checkpoint kept elsewhere, so nothing is allowed: dossier log publish"
            for service, why_not in sorted(rules.witness.items())
            if not why_not
        ]
    blocked = bool(notes)
    if not witness:
        notes.append("unwitnessed: no checkpoint of the log is kept elsewhere, so a store rolled back as a whole would not be found")
        notes += [f"unwitnessed by the word of the pack of {s}: {shown(why)}" for s, why in sorted(rules.witness.items()) if why]
    notes += _self_approved(tallies, authors)
    if dossier.change.rule_changes:
        many = len(dossier.change.rule_changes)
        notes.append(f"the branch changes {many} {'line' if many == 1 else 'lines'} of dossier.toml; not in force for this change")
    if rules.edition > 1:
        notes += _criteria_notes(dossier)
        unmet = [r for r in results if r.severity == "warn" and r.state not in OPEN_STATES]
        notes += [f"warning: {r.id} of {r.service} is {r.state}; it denies nothing" for r in unmet]
    return (*notes, *voices.unread), blocked


def _criteria_notes(dossier: Dossier) -> list[str]:
    """What the findings about the criteria say, once for all services."""
    said = {REGISTERED: "the criteria moved since the change was first opened", BEHIND: "the protected branch asks more since"}
    found = {(f.name, x.text) for f in dossier.findings if f.name in said for x in f.counterexamples}
    return [f"{said[name]}: {shown(text)}" for name, text in sorted(found)]


def _self_approved(tallies: Sequence[RoleTally], authors: frozenset[str]) -> list[str]:
    people = {c.person for t in tallies for c in t.counted}
    own = sorted(people & authors)
    if own:
        return [f"self-approved: {', '.join(own)} signed for a change of their own"]
    if len(people) == 1 and len(tallies) > 1 and all(t.counted for t in tallies):
        return [f"self-approved: {people.pop()} alone signed for every role"]
    return []


def _bites(rules: Frozen, results: Sequence[Result]) -> list[str]:
    """When each requirement that is unmet and only warns yet begins to deny, from edition 4 on."""
    pairs = zip(rules.requirements, results, strict=True) if rules.edition > 3 else ()
    return [q.blocks_from for q, r in pairs if q.blocks_from and q.severity == "block" and r.state not in OPEN_STATES]


def _until(results: Sequence[Result], tallies: Sequence[RoleTally], bites: Sequence[str]) -> str:
    ends = [*bites, *(r.expires_at for r in results if r.expires_at), *(c.expires_at for t in tallies for c in t.counted)]
    return min((stamp(t) for t in map(moment, ends) if t is not None), default="")


# For people

# Role → the one person who can still sign in it and the file of their key, `FILE` where it is not here; a role several can sign in is not
# in it. Where nobody can (they lack the role, wrote the change, or have signed): no person, and what `trust propose` is to be given so that
# somebody can, empty where only the settings name who it is. `rejected by PERSON` → the rejection that stands, and the file of their key.
Signers = Mapping[str, tuple[str, str]]
NOBODY: Signers = MappingProxyType({})


def explain(
    decision: Decision, dossier: Dossier, paint: Callable[[str, str], str] = lambda words, state: words, signers: Signers | None = None
) -> str:
    """The decision in words: what is unmet first, with counterexamples, owner and the next command; what is met on one line.

    Without `signers` these are the words of a bundle's summary, which is verified byte for byte: they stay as they are.
    """
    met = [r for r in decision.requirements if r.state == "pass"]
    waived = [r for r in decision.requirements if r.state == "waived"]
    unmet = sorted((r for r in decision.requirements if r.state not in OPEN_STATES), key=lambda r: (STATES.index(r.state), r.service, r.id))
    services = ", ".join(f"{s.service} {s.version}" for s in decision.services)
    total = len(decision.requirements)
    head = f"{paint(decision.outcome, decision.outcome)}  {services} · dossier {decision.dossier[:15]}…"
    lines = [
        f"{head} · {len(met)} of {total} {'requirement' if total == 1 else 'requirements'} met"
        + (f", {len(waived)} waived" if waived else "")
    ]
    name = _names(decision)
    wide = max((len(name(r)) for r in (*unmet, *waived)), default=0)
    state_wide = max((len(r.state) for r in (*unmet, *waived)), default=0)
    if signers is not None:
        unmet = [msgspec.structs.replace(r, remedy=_step(r)) for r in unmet]
    remedies = max((len(r.remedy) for r in unmet), default=0)
    for r in (*unmet, *waived):
        head = paint(f"{SIGNS[r.state]} {name(r):{wide}}  {r.state:{state_wide}}", r.state) + ("  (warns)" if r.severity == "warn" else "")
        lines += [f"{head}  {r.reason}"] if r.state == "waived" else _unmet_lines(r, dossier, head, remedies)
    if met:
        lines.append(f"{paint('✓', 'pass')} {len(met)} met: " + " · ".join(f"{name(r)}{_looked(r, dossier)}{_flaky(r)}" for r in met))
    lines += _approval_lines(decision, brief=signers is not None)
    lines += [f"note: {n}" for n in decision.notes]
    lines.append(_next(decision, any(signers is None or r.severity == "block" for r in unmet), signers))
    return "\n".join(lines)


def _flaky(r: Result) -> str:
    """Flaky evidence is never shown like one that passed at once."""
    return f" (flaky: {', '.join(r.attempts)})" if r.cause == "flaky" else ""


def _names(decision: Decision) -> Callable[[Result], str]:
    """What a requirement is called: its id, with its service where there are several."""
    several = len({r.service for r in decision.requirements}) > 1
    return lambda r: f"{r.service}/{r.id}" if several else r.id


def _next(decision: Decision, unmet: bool, signers: Signers | None) -> str:
    if decision.outcome == "ALLOW":
        return f"valid until {decision.valid_until}. next: dossier release" if decision.valid_until else "next: dossier release"
    if unmet:
        return "next: dossier run" if decision.hypothetical else ".dossier/rework.md says what to do. Then: dossier run"
    missing = next((t for t in decision.approvals if t.missing), None)
    if missing is not None:
        if signers is None:
            return f"signatures are missing. next: dossier approve {decision.dossier[:19]} --as PERSON --role ROLE --key FILE"
        why = "signatures are missing"
        if not signers.get(missing.role, ("PERSON",))[0]:
            once = bool(missing.counted)
            why = f"nobody{' else' * once} in the trust document may sign as {missing.role}: "
            why += "one person counts once" if once else "whoever wrote a change does not approve it"
        return f"{why}. next: {approve_command(decision.dossier, missing.role, signers)}"
    if signers is not None and any(n.startswith(GONE) for n in decision.notes):
        return "a withdrawn dossier stays withdrawn. next: dossier collect && dossier assemble && dossier gate"
    no = _taken_back_by(signers or {})
    if no:
        return f"somebody said no. next: {'; '.join(no)}. Or mend it and commit, then: dossier run"
    return "what denies it stands in the notes above" if decision.notes else "nothing was asked for, and an empty gate allows nothing"


def _unmet_lines(r: Result, dossier: Dossier, head: str, remedies: int) -> list[str]:
    """A failure shows what was looked at, every counterexample there is room for, and why it stands; anything else its reason."""
    attempt, examples, total = _examples(r, dossier)
    last = f"    next: {r.remedy:{remedies}}    owner: {r.owner}"
    if r.state != "fail":
        return [f"{head}  {r.reason}", last]
    lines = [f"{head}  {_coverage(r, attempt)} looked at", *(f"    {x}" for x in examples[:EXAMPLES_SHOWN_MAX])]
    left = max(total, len(examples)) - min(EXAMPLES_SHOWN_MAX, len(examples))
    lines += [f"    and {left} more"] if examples and left > 0 else []
    said = bool(examples) and r.reason.startswith(examples[0])
    why = r.reason[len(examples[0]) :].partition("; ")[2] if said else r.reason
    return [*lines, *([f"    {why}"] if why else []), last]


# What the same file brought again would lack again → the option that says it.
_OPTIONS = {"which build wrote what was looked at is unknown": "--written-by VERSION", "exit status did not come with it": "--exit N"}


def step(state: str, reason: str, remedy: str) -> tuple[str, str]:
    """What to do about an unmet requirement: what comes first in words, and the command. Where a planned command failed for good, or an
    attempt is nobody's word here, running it again is not it."""
    if state == "error" and FUTURE in reason:
        return "once that moment is past", "dossier gate"
    if state == "error" and NO_PRODUCER in reason:
        return "list its key (dossier doctor says how) and commit: what it ran before stays nobody's", "dossier run"
    if state == "error" and reason.startswith(("attempt", "only attempt")):  # of this fingerprint, for good
        return "mend what is named there and commit", "dossier run"
    if state == "inconclusive" and f" {NOTHING} (" in reason:  # their budget is spent at this fingerprint
        return "mend what came to nothing and commit", "dossier run"
    again = remedy.startswith("dossier collect ") and "--from" not in remedy
    brought = "--from" in remedy.rpartition("dossier collect ")[2]
    for said, option in _OPTIONS.items() if state == "inconclusive" and brought else ():
        if said in reason and option.split()[0] not in remedy:
            return "", f"{remedy} {option}"
    if state == "inconclusive" and SKIPPED in reason:
        words = "run what was skipped, or allow it by name on the protected branch (skips, docs/rules.md) and rebase"
        return words, "dossier run" if again else remedy
    return ("mend it and commit", "dossier run") if again and state == "fail" and NEW_FINGERPRINT in reason else ("", remedy)


def _step(r: Result) -> str:
    words, command = step(r.state, r.reason, r.remedy)
    return f"{words}, then: {command}" if words else command


def approve_command(dossier: str, role: str, signers: Signers = NOBODY) -> str:
    """The command that signs in a missing role; where nobody may, what names somebody who can."""
    person, key = signers.get(role, ("PERSON", "FILE"))
    if not person:
        named = f"name another {role} in dossier.toml on the protected branch, rebase on it, then: dossier run"
        return f"dossier trust propose {key} --key FILE" if key else named
    return f"dossier approve {dossier[:19]} --as {person} --role {_option(role)} --key {key}"


def _taken_back_by(signers: Signers) -> list[str]:
    """The command with which each person who said no would take it back."""
    said = sorted((name.removeprefix(SAID_NO), x) for name, x in signers.items() if name.startswith(SAID_NO))
    return [f"dossier withdraw {digest[:19]} --as {person} --key {key} --reason WORDS" for person, (digest, key) in said]


def _option(role: str) -> str:
    """What `--role` takes: the owners of each service sign as `owner`."""
    return OWNER if role.startswith(f"{OWNER} of ") else role


def _examples(r: Result, dossier: Dossier) -> tuple[Attempt | None, list[str], int]:
    """The attempt a result follows from, its counterexamples (or its finding's) in words, and how many there were."""
    attempt = next((a for a in dossier.evidence if a.digest and a.digest in r.evidence), None)
    if attempt is not None:
        return attempt, [shown(x.text) for x in attempt.counterexamples], attempt.counterexamples_total
    rule = next((q for q in thaw(dossier.rules).requirements if (q.id, q.service) == (r.id, r.service) and q.source == "finding"), None)
    found = [f for f in dossier.findings if rule and (f.name, f.service) == (rule.evidence, r.service)]
    examples = [shown(x.text) for f in found for x in f.counterexamples]
    return None, examples, len(examples)


def _coverage(r: Result, attempt: Attempt | None) -> str:
    if attempt and attempt.coverage:
        return ", ".join(f"{c.looked_at} of {_many(c.of)} {shown(c.unit, 40)}" for c in attempt.coverage)
    return f"{r.looked_at} of {_many(r.of)}"


def _many(of: int | None) -> str:
    return "nobody knows how many" if of is None else str(of)


def _looked(r: Result, dossier: Dossier) -> str:
    attempt = next((a for a in dossier.evidence if a.digest and a.digest in r.evidence), None)
    if attempt and len(attempt.coverage) == 1:
        return f" {_coverage(r, attempt)}"
    return f" {r.looked_at} of {r.of}" if r.of is not None else ""


def _approval_lines(decision: Decision, *, brief: bool) -> list[str]:
    """Who signed and what is missing on one line; under it why a signature that is there does not count, where one is missing."""
    tallies = decision.approvals
    have, need = sum(min(t.needed, len(t.counted)) for t in tallies), sum(t.needed for t in tallies)
    parts = [f"{c.person} signed as {t.role} {_clock(c.signed_at, decision.at)}" for t in tallies for c in t.counted]
    missing = ", ".join(f"{t.role}{f' × {t.missing}' if t.missing > 1 else ''}" for t in tallies if t.missing)
    parts += [f"missing: {missing}"] if missing else []
    refused = [line for t in tallies if t.missing for line in _refused_lines(t, brief)]
    return [f"approvals {have} of {need}: " + (" · ".join(parts) or "no role is asked"), *refused]


def _refused_lines(t: RoleTally, brief: bool) -> list[str]:
    """A line for each signature that does not count; `brief`, of those for other dossiers (each release leaves some) a person's newest."""
    newest = {x.person: x for x in t.refused if x.reason.startswith(ANOTHER)}
    said = [x for x in t.refused if not brief or not x.reason.startswith(ANOTHER) or x is newest[x.person]]
    left = len(t.refused) - len(said)
    lines = [f"    {x.person} as {t.role} does not count: {x.reason}" for x in said]
    return [*lines, *([f"    and {left} for dossiers before that"] if left else [])]


def _clock(signed_at: str, now: str) -> str:
    """The time of day, with its day unless that is the day of the decision."""
    return f"{signed_at[11:16]}" if signed_at[:10] == now[:10] and signed_at.endswith("Z") else signed_at


def rework(decision: Decision, dossier: Dossier, signers: Signers = NOBODY) -> str:
    """Markdown for the issue: what has to be done, by whom, with which command, every counterexample kept or counted."""
    services = ", ".join(f"{s.service} {s.version}" for s in decision.services)
    lines = [f"## {decision.outcome}: {services}", "", f"Dossier `{decision.dossier}`, decided {decision.at}.", ""]
    for r in decision.requirements:
        if r.state in OPEN_STATES:
            continue
        label = " (warns)" if r.severity == "warn" else ""
        lines += [f"### {SIGNS[r.state]} {r.id} ({r.service}): {r.state}{label}", "", r.reason, ""]
        _, examples, total = _examples(r, dossier)
        if examples:
            lines += [f"- {x}" for x in examples]
            lines += [f"- {len(examples)} of {total} shown"] if total > len(examples) else []
            lines.append("")
        todo = _step(r)
        lines += [f"- [ ] {todo if todo != r.remedy else f'`{todo}`'} — {r.owner}", ""]
    denied = not all(map(_lets_through, decision.requirements))
    for t in decision.approvals:
        if t.missing:
            todo = approve_command(decision.dossier, t.role, signers)
            if denied and todo.startswith("dossier approve "):
                todo = "once nothing above denies: a signature over this dossier would lapse"
            lines.append(f"- [ ] {t.missing} more of role {t.role}: {f'`{todo}`' if todo.startswith('dossier ') else todo}")
    lines += [f"- [ ] mend it, or take the rejection back: `{no}`" for no in _taken_back_by(signers)]
    lines += [f"- note: {n}" for n in decision.notes]
    return "\n".join(lines) + "\n"
