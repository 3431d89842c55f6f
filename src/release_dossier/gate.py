"""Decide whether a Dossier may ship.

`decide` is a pure function: same dossier, same statements, same trust, same `now`, same Decision, byte for byte.

 * Every requirement of every service is judged, so that people see one list, not one surprise per attempt.
 * States, the first that applies: error, fail, missing, stale, inconclusive, pass. A valid waiver turns any but error into waived.
 * Only pass and waived let through, and nothing lets through an empty gate.
 * Attempts: a gap in their numbers is an error; a failure beyond the retries a rule tolerates stays a failure whatever came after;
   attempts that came to nothing have a budget of their own.
 * Taking evidence back never helps: a withdrawn pass is no pass, a withdrawn failure is still a failure.
 * A project that does not stand on its protected branch is in bootstrap: nothing is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from release_dossier.approval import ResultLine, RoleTally, Signed, Voices, find_waiver, hear, standing_rejections, tally
from release_dossier.dossier import Attempt, Dossier, Finding
from release_dossier.errors import Misuse
from release_dossier.limits import CLOCK_SKEW_SECONDS_MAX
from release_dossier.rules.cel import ask, bind
from release_dossier.rules.packs import thaw
from release_dossier.rules.requirement import Requirement
from release_dossier.trust.document import Trust

STATES = ("error", "fail", "missing", "stale", "inconclusive", "pass")
OPEN_STATES = ("pass", "waived")
SIGNS = {"error": "‼", "fail": "✗", "missing": "○", "stale": "◔", "inconclusive": "?", "waived": "~", "pass": "✓"}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement, judged. `expires_at` is until when what carries it holds, empty where nothing ends."""

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


class ServiceOutcome(msgspec.Struct, frozen=True):
    """One service: ALLOW when all it needs is met."""

    service: str
    version: str
    outcome: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """ALLOW or DENY, with everything it followed from by digest. `checkpoint` is {size, root} of the log it saw."""

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
    """
    if now.tzinfo is None:
        raise Misuse("gate.naive-time", at="now", found="a time without its offset", expected="UTC")
    now = now.astimezone(UTC)
    rules = thaw(dossier.rules)
    voices = hear(statements, trust.project, trust)
    bare = [judge(r, dossier, voices, trust, now) for r in rules.requirements]
    results = [_waived(r, b, dossier, digest, voices, trust, now) for r, b in zip(rules.requirements, bare, strict=True)]
    change = dossier.change
    authors = frozenset({change.owner, *(a.person for a in change.authors if a.person)})
    tallies = tally(rules.approvals, digest, [_line(r) for r in results], voices, trust, now, authors=authors, solo=change.mode == "solo")
    notes, blocked = _notes(dossier, digest, voices, trust, witness, tallies, authors)
    signed = bool(tallies) and all(t.missing == 0 for t in tallies)
    services = []
    for s in change.services:
        mine = [r for r in results if r.service == s.name]
        met = bool(mine) and all(r.state in OPEN_STATES for r in mine)
        services.append(ServiceOutcome(s.name, s.version, "ALLOW" if met and signed and not blocked else "DENY"))
    outcome = "ALLOW" if services and all(s.outcome == "ALLOW" for s in services) else "DENY"
    return Decision(
        dossier=digest,
        outcome=outcome,
        at=_stamp(now),
        hypothetical=hypothetical,
        services=tuple(services),
        requirements=tuple(results),
        approvals=tallies,
        notes=notes,
        trust=trust.digest,
        checkpoint=dict(checkpoint),
        witness=witness,
        statements=tuple(s.statement.digest for s in sorted(statements, key=lambda s: (s.n, s.statement.digest))),
        valid_until=_until(results, tallies) if outcome == "ALLOW" else "",
    )


def results_of(decision: Decision) -> tuple[ResultLine, ...]:
    """What an approval is over beside the dossier: the requirements as they stand, without approvals."""
    return tuple(_line(r) for r in decision.requirements)


def _line(r: Result) -> ResultLine:
    return ResultLine(r.id, r.service, r.state)


def _stamp(t: datetime) -> str:
    return t.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# One requirement


def judge(rule: Requirement, dossier: Dossier, voices: Voices, trust: Trust, now: datetime) -> Result:
    """The state of one requirement from what the dossier holds, before any waiver."""
    if rule.source == "finding":
        return _judge_finding(rule, next((f for f in dossier.findings if f.name == rule.evidence and f.service == rule.service), None))
    attempts = [a for a in dossier.evidence if a.name == rule.evidence and a.service == rule.service]
    if rule.environment:
        attempts = [a for a in attempts if a.environment == rule.environment]
    print_now = next((s.fingerprint for s in dossier.change.services if s.name == rule.service), None)
    current = [a for a in attempts if a.fingerprint == print_now]
    if not current:
        return _nothing_current(rule, attempts, dossier)
    last = next((a for a in reversed(current) if a.digest is not None and not _taken_back(a, voices)), None)
    shown = last or current[-1]
    for state, reason in _faults(rule, current, trust, now):
        return _result(rule, state, reason, shown)
    fails = [a for a in current if a.verdict == "fail"]
    if len(fails) > rule.retries or (fails and last is fails[-1]):
        return _result(rule, "fail", _failed(fails[-1], len(current), rule), fails[-1])
    nothing = [a for a in current if a.digest is None or a.infrastructure or a.verdict in ("inconclusive", "missing")]
    if last is None:
        return _result(rule, "inconclusive", nothing[-1].cause if nothing else "its evidence was taken back", shown)
    state, reason = _judge_last(rule, last, now)
    if state == "pass" and len(nothing) > rule.infrastructure_retries:
        reason = f"{len(nothing)} attempts came to nothing ({nothing[-1].cause}); {rule.infrastructure_retries} are tolerated"
        return _result(rule, "inconclusive", reason, last)
    if state == "pass" and (fails or nothing):
        reason = f"attempt {last.attempt} of {len(current)}; earlier ones: " + ", ".join(a.verdict for a in current if a is not last)
    return _result(rule, state, reason, last)


def _judge_finding(rule: Requirement, finding: Finding | None) -> Result:
    if finding is None:
        return _result(rule, "missing", "the dossier does not say", None)
    if finding.verdict == "pass" and (finding.looked_at == 0 or finding.looked_at != finding.of):
        return _result(rule, "missing", f"{finding.looked_at} of {finding.of} looked at", finding)
    state = finding.verdict if finding.verdict in ("pass", "fail", "inconclusive", "missing") else "error"
    reason = finding.counterexamples[0].text if finding.counterexamples and state != "pass" else finding.cause
    return _result(rule, state, finding.cause or reason, finding)


def _nothing_current(rule: Requirement, attempts: Sequence[Attempt], dossier: Dossier) -> Result:
    old = next((a for a in reversed(attempts) if a.digest is not None), None)
    if old is not None:
        return _result(rule, "stale", f"its evidence is about another fingerprint of {rule.service}: the code moved on", old)
    absent = next((a for a in dossier.absent if a.name == rule.evidence and a.service == rule.service), None)
    return _result(rule, "missing", f"nothing was looked at; {absent.why}" if absent else "nothing was looked at", None)


def _faults(rule: Requirement, current: Sequence[Attempt], trust: Trust, now: datetime) -> list[tuple[str, str]]:
    """What makes the evidence itself untrustworthy: any of it is an error, whatever the verdicts say."""
    if [a.attempt for a in current] != list(range(1, len(current) + 1)):
        numbers = ", ".join(str(a.attempt) for a in current)
        return [("error", f"attempts {numbers} are there; one between them is gone")]
    out = []
    for a in current:
        why = _untrusted(rule, a, trust) if a.digest is not None else ""
        why = why or (_out_of_time(a, now) if a.digest is not None else "")
        if why:
            out.append(("error", f"attempt {a.attempt}: {why}"))
    return out


def _untrusted(rule: Requirement, a: Attempt, trust: Trust) -> str:
    producer = trust.producer_of_key(a.producer_key)
    if producer is None or producer.id != a.producer:
        return f"it is signed by {a.producer_key}, which is no producer of trust version {trust.document.version}"
    revoked = trust.revoked_at(a.producer_key)
    if revoked and datetime.fromisoformat(a.recorded_at) >= datetime.fromisoformat(revoked):
        return f"the key of producer {producer.id} was revoked {revoked}"
    if rule.producers and producer.id not in rule.producers:
        return f"producer {producer.id} is not accepted, {', '.join(rule.producers)} is"
    if producer.kinds and a.kind not in producer.kinds:
        return f"producer {producer.id} may not produce {a.kind}"
    if a.kind != rule.kind:
        return f"it is {a.kind}, the rule asks for {rule.kind}"
    if a.imported_by and not rule.imported:
        return f"{a.imported_by} brought it; only a run of ours is accepted"
    if rule.isolation and not a.imported_by and a.isolation not in rule.isolation:
        return f"it ran with isolation {a.isolation}, the rule asks for {', '.join(rule.isolation)}"
    return ""


def _out_of_time(a: Attempt, now: datetime) -> str:
    observed, collected, recorded = (datetime.fromisoformat(t) for t in (a.observed_at, a.collected_at, a.recorded_at))
    skew = timedelta(seconds=CLOCK_SKEW_SECONDS_MAX)
    if max(observed, collected, recorded) > now + skew:
        return f"it is from the future: recorded {a.recorded_at}, observed {a.observed_at}"
    if observed > collected + skew or collected > recorded + skew:
        return f"observed {a.observed_at}, collected {a.collected_at}, recorded {a.recorded_at}: not in that order"
    return ""


def _failed(a: Attempt, count: int, rule: Requirement) -> str:
    words = a.counterexamples[0].text if a.counterexamples else a.cause or "it failed"
    more = f" and {a.counterexamples_total - 1} more" if a.counterexamples_total > 1 else ""
    if count > a.attempt or count > 1:
        spent = f"; attempt {a.attempt} of {count} failed, {rule.retries} failures are tolerated: it needs a new fingerprint or a waiver"
        return words + more + spent
    return words + more


def _judge_last(rule: Requirement, a: Attempt, now: datetime) -> tuple[str, str]:
    """The attempt that decides, by the first state that applies."""
    state, reason, values = bind(rule.needs, a.facts)
    if state == "error":
        return state, reason
    holds, why = ask(rule.condition, values, a.looked_at, a.of, a.verdict) if rule.condition and state == "pass" else ("pass", "")
    if holds in ("error", "fail"):
        return holds, why
    if a.verdict == "missing" or (a.verdict == "pass" and a.looked_at == 0):
        return "missing", a.cause or "nothing was looked at"
    if state == "missing":
        return state, reason
    age_max = timedelta(seconds=min(x for x in (rule.age_max_s, a.age_max_s) if x > 0)) if rule.age_max_s or a.age_max_s else timedelta(0)
    if now >= datetime.fromisoformat(a.observed_at) + age_max:
        return "stale", f"observed {a.observed_at}, limit {_span(age_max)}, now {_stamp(now)}"
    if a.verdict != "pass":
        return "inconclusive", a.cause or f"the evidence says {a.verdict}"
    return _enough(rule, a)


def _enough(rule: Requirement, a: Attempt) -> tuple[str, str]:
    allowed = [s for s in rule.skips if any(s.name == name for name in _skipped(a))]
    looked_at = a.looked_at + len(allowed)
    if a.looked_at < rule.minimum_count:
        return "inconclusive", f"{a.looked_at} looked at, {rule.minimum_count} asked for"
    if rule.minimum_percent:
        if a.of is None:
            return "inconclusive", f"{a.looked_at} looked at of nobody knows how many; {rule.minimum_percent} % asked for"
        if looked_at * 100 < rule.minimum_percent * a.of:
            left = [n for n in _skipped(a) if n not in {s.name for s in allowed}]
            names = f": {', '.join(left[:5])}" if left else ""
            return "inconclusive", f"{a.looked_at} of {a.of} looked at, {rule.minimum_percent} % asked for; not run{names}"
    if allowed:
        return "pass", f"{len(allowed)} skips allowed by name: " + "; ".join(f"{s.name}: {s.reason}" for s in allowed)
    return "pass", ""


def _skipped(a: Attempt) -> list[str]:
    """Names of what was skipped, as readers of tests list them in their limits."""
    return [name for line in a.limits if line.startswith("skipped: ") for name in [line.removeprefix("skipped: ").split(" ")[0]]]


def _taken_back(a: Attempt, voices: Voices) -> bool:
    return a.withdrawn is not None or (a.digest in voices.withdrawn if a.digest else False)


def _span(t: timedelta) -> str:
    hours = int(t.total_seconds()) // 3600
    return f"{hours // 24} d" if hours and hours % 24 == 0 else f"{hours} h" if hours else f"{int(t.total_seconds())} s"


def _result(rule: Requirement, state: str, reason: str, shown: Attempt | Finding | None) -> Result:
    expires = ""
    if isinstance(shown, Attempt) and state == "pass":
        age = min(x for x in (rule.age_max_s, shown.age_max_s) if x > 0)
        expires = _stamp((datetime.fromisoformat(shown.observed_at) + timedelta(seconds=age)).astimezone(UTC))
    return Result(
        id=rule.id,
        service=rule.service,
        state=state,
        waived_from=None,
        title=rule.title,
        looked_at=shown.looked_at if shown else 0,
        of=shown.of if shown else None,
        reason=reason,
        owner=rule.owner,
        remedy="" if state == "pass" else rule.remedy,
        evidence=(shown.digest,) if isinstance(shown, Attempt) and shown.digest else (),
        expires_at=expires,
    )


def _waived(rule: Requirement, r: Result, dossier: Dossier, digest: str, voices: Voices, trust: Trust, now: datetime) -> Result:
    if r.state == "pass":
        return r
    owners = next((o.owners for o in dossier.owners if o.service == rule.service), ())
    waiver, note = find_waiver(rule, digest, owners, voices, trust, now)
    if waiver is None:
        return msgspec.structs.replace(r, reason=f"{r.reason}; {note}" if note else r.reason)
    if r.state == "error":
        return msgspec.structs.replace(r, reason=f"{r.reason}; no waiver lets an error through")
    words = f"{waiver.person} until {waiver.until}: {waiver.reason}. It was: {r.reason}"
    return msgspec.structs.replace(r, state="waived", waived_from=r.state, reason=words, expires_at=waiver.until)


# The whole


def _notes(
    dossier: Dossier, digest: str, voices: Voices, trust: Trust, witness: str, tallies: Sequence[RoleTally], authors: frozenset[str]
) -> tuple[tuple[str, ...], bool]:
    """Notes in words, and whether one of them alone denies."""
    notes = []
    blocked = False
    if not dossier.change.adopted:
        notes.append("bootstrap: the project does not stand on its protected branch, so nothing is allowed")
        blocked = True
    for person, reason in standing_rejections(digest, voices, trust):
        notes.append(f"rejected by {person}: {reason}")
        blocked = True
    for taken in (digest, dossier.change_digest):
        if taken in voices.withdrawn:
            notes.append(f"withdrawn by {voices.withdrawn[taken].person}: {voices.withdrawn[taken].reason}")
            blocked = True
    if not witness:
        notes.append("unwitnessed: no checkpoint of the log is kept elsewhere, so a store rolled back as a whole would not be found")
    people = {c.person for t in tallies for c in t.counted}
    if people & authors or (people and len(people) == 1 and len(tallies) > 1):
        notes.append(f"self-approved: {', '.join(sorted(people & authors or people))} signed for their own change or for every role")
    if dossier.change.rule_changes:
        notes.append(f"the branch changes {len(dossier.change.rule_changes)} lines of dossier.toml; they are not in force for it")
    return tuple(notes), blocked


def _until(results: Sequence[Result], tallies: Sequence[RoleTally]) -> str:
    ends = [r.expires_at for r in results if r.expires_at] + [c.expires_at for t in tallies for c in t.counted]
    return _stamp(min(datetime.fromisoformat(e) for e in ends).astimezone(UTC)) if ends else ""


# For people


def explain(decision: Decision, dossier: Dossier, paint: Callable[[str, str], str] = lambda words, state: words) -> str:
    """The decision in words: what is unmet first, with counterexamples, owner and the next command; what is met on one line."""
    met = [r for r in decision.requirements if r.state == "pass"]
    waived = [r for r in decision.requirements if r.state == "waived"]
    order = {s: i for i, s in enumerate(STATES)}
    unmet = sorted((r for r in decision.requirements if r.state not in OPEN_STATES), key=lambda r: (order[r.state], r.service, r.id))
    services = ", ".join(f"{s.service} {s.version}" for s in decision.services)
    total = len(decision.requirements)
    head = f"{paint(decision.outcome, decision.outcome)}  {services} · dossier {decision.dossier[:19]}…"
    lines = [f"{head} · {len(met)} of {total} requirements met" + (f", {len(waived)} waived" if waived else "")]
    for r in unmet:
        lines += _unmet_lines(r, dossier, paint)
    lines += [f"{paint('~ waived', 'waived')} {r.id} (was {r.waived_from}) by {r.reason}" for r in waived]
    if met:
        lines.append(f"{paint('✓', 'pass')} {len(met)} met: " + " · ".join(_met(r) for r in met))
    lines.append(_approval_line(decision.approvals))
    lines += [f"note: {n}" for n in decision.notes]
    if decision.outcome == "ALLOW":
        lines.append(f"valid until {decision.valid_until}. next: dossier release" if decision.valid_until else "next: dossier release")
    elif unmet:
        lines.append(".dossier/rework.md says what to do. Then: dossier run")
    else:
        lines.append(f"what is missing is signatures. next: dossier approve {decision.dossier[:19]} --as PERSON --role ROLE --key FILE")
    return "\n".join(lines)


def _unmet_lines(r: Result, dossier: Dossier, paint: Callable[[str, str], str]) -> list[str]:
    attempt = next((a for a in dossier.evidence if a.digest and a.digest in r.evidence), None)
    of = f"{r.looked_at} of {r.of if r.of is not None else 'unknown'}"
    covered = ", ".join(f"{c.looked_at} of {c.of} {c.unit}" for c in attempt.coverage) if attempt and attempt.coverage else of
    looked = f"{covered} looked at" if r.looked_at or r.of else "nothing looked at"
    lines = [f"{paint(f'{SIGNS[r.state]} {r.id:18} {r.state}', r.state)}  {looked}"]
    if attempt and r.state == "fail" and attempt.counterexamples:
        lines += [f"    {x.text}" for x in attempt.counterexamples[:6]]
        left = attempt.counterexamples_total - min(6, len(attempt.counterexamples))
        lines += [f"    and {left} more"] if left > 0 else []
        if "needs a new fingerprint" in r.reason:
            lines.append(f"    {r.reason.rsplit('; ', 1)[-1]}")
    else:
        lines.append(f"    {r.reason}")
    lines.append(f"    next: {r.remedy}    owner: {r.owner}")
    return lines


def _met(r: Result) -> str:
    return f"{r.id} {r.looked_at} of {r.of}" if r.of is not None else r.id


def _approval_line(tallies: Sequence[RoleTally]) -> str:
    have = sum(min(t.needed, len(t.counted)) for t in tallies)
    need = sum(t.needed for t in tallies)
    parts = [f"{c.person} signed as {t.role}" for t in tallies for c in t.counted]
    missing = ", ".join(f"{t.role}{f' × {t.missing}' if t.missing > 1 else ''}" for t in tallies if t.missing)
    parts += [f"missing: {missing}"] if missing else []
    parts += [f"{x.person}'s for {t.role} does not count ({x.reason})" for t in tallies if t.missing for x in t.refused]
    return f"approvals {have} of {need}: " + " · ".join(parts)


def rework(decision: Decision, dossier: Dossier) -> str:
    """Markdown for the issue: what has to be done, by whom, with which command, every counterexample kept or counted."""
    services = ", ".join(f"{s.service} {s.version}" for s in decision.services)
    lines = [f"## {decision.outcome}: {services}", "", f"Dossier `{decision.dossier}`, decided {decision.at}.", ""]
    for r in decision.requirements:
        if r.state in OPEN_STATES:
            continue
        lines += [f"### {SIGNS[r.state]} {r.id} ({r.service}): {r.state}", "", r.reason, ""]
        attempt = next((a for a in dossier.evidence if a.digest and a.digest in r.evidence), None)
        if attempt and attempt.counterexamples:
            lines += [f"- {x.text}" for x in attempt.counterexamples]
            lines += (
                [f"- {len(attempt.counterexamples)} of {attempt.counterexamples_total} shown"]
                if attempt.counterexamples_total > len(attempt.counterexamples)
                else []
            )
            lines.append("")
        lines += [f"- [ ] `{r.remedy}` — {r.owner}", ""]
    for t in decision.approvals:
        if t.missing:
            lines.append(
                f"- [ ] {t.missing} more of role {t.role}: `dossier approve {decision.dossier[:19]} --as PERSON --role {t.role} --key FILE`"
            )
    lines += [f"- note: {n}" for n in decision.notes]
    return "\n".join(lines) + "\n"
