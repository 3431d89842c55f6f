"""Rules on trial: table tests beside a pack, a proposal over what was decided before, and one requirement explained. Pure, stores nothing.

1. A table test gives facts and attempts and expects a state. It is judged by the gate itself, over a dossier made of nothing else.
2. A simulation judges a stored dossier by other rules at the moment it was decided, and compares requirement by requirement and role by
   role. Approvals count as if they were over the results the proposal gives: what is compared is who is asked, not when people signed.
3. An explanation shows the condition with the values in it, what was looked at, each attempt, and what would turn it green.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from release_dossier.approval import RoleTally, Voices, tally
from release_dossier.change import Change, ChangedService, Issue, Scope
from release_dossier.dossier import Attempt, Dossier, Finding, LogPoint
from release_dossier.errors import Refused, counted, shown
from release_dossier.evidence.reading import Counterexample, Fact
from release_dossier.gate import OPEN_STATES, Result, electorate_of, judge, step
from release_dossier.project import parse_toml, seconds
from release_dossier.rules.cel import ask, bind
from release_dossier.rules.compare import conjuncts
from release_dossier.rules.freshness import ends
from release_dossier.rules.moment import moment, span, stamp
from release_dossier.rules.requirement import Frozen, Requirement
from release_dossier.trust.document import Key, Producer, Trust, TrustDocument

NOW = datetime(2026, 1, 1, tzinfo=UTC)  # of every table test: a case says ages, never moments
PRINT = "sha256:" + "0" * 64
_SERVICE = "service"
_AGE_DEFAULT = "1h"
_NAME_OR_TEXT = re.compile(
    r"""facts\s*\.\s*(\w+)|facts\s*\[\s*(?:'([^']*)'|"([^"]*)")\s*\]|(?<![\w.])(?:looked_at|of|verdict)\b|'[^']*'|"[^"]*\""""
)


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of a table: what evidence says, and the state that follows. With `attempts`, each of them is laid over these fields."""

    name: str
    requirement: str
    state: str
    cause: str | None = None
    verdict: str = "pass"
    looked_at: int = 100
    of: int | None = 100
    facts: dict[str, Any] = {}  # name → [value, unit]
    age: str = _AGE_DEFAULT
    age_max: str = "7d"
    skipped: tuple[str, ...] = ()
    environment: str = "test"
    isolation: str = "namespace"
    imported_by: str | None = None
    written_by: str = "1.0.0"
    tool: str = "tool"
    tool_version: str = "1.0"
    infrastructure: bool = False
    attempts: tuple[dict[str, Any], ...] = ()
    nothing: bool = False  # there is no evidence at all


_OF_ATTEMPT = frozenset(Case.__struct_fields__) - {"name", "requirement", "state", "cause", "attempts", "nothing"}
_T = TypeVar("_T")


class Tried(msgspec.Struct, frozen=True):
    """A case, judged."""

    pack: str
    name: str
    requirement: str
    expected: str
    found: str
    reason: str

    @property
    def ok(self) -> bool:
        return self.expected == self.found


class Moved(msgspec.Struct, frozen=True):
    """One requirement that a proposal judges otherwise, or one role (`approval ROLE`) of which it asks others. `before` or `after` is empty
    where only one of the two asks it."""

    service: str
    id: str
    before: str
    after: str
    reason: str


class Simulated(msgspec.Struct, frozen=True):
    """One stored dossier under a proposal: whether its requirements were met, are met now, and what moved. Signatures count where one of
    the two has all it asks for and the other has not."""

    dossier: str
    services: str
    before: bool
    after: bool
    moved: tuple[Moved, ...]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement on one dossier. `parts` are the condition's conjuncts with values in them, and whether each holds."""

    requirement: str
    service: str
    title: str
    state: str
    cause: str
    reason: str
    condition: str
    values: dict[str, Any]
    parts: tuple[tuple[str, str], ...]
    looked_at: int
    of: int | None
    asked: str
    attempts: tuple[dict[str, str], ...]
    fresh_until: str
    countdown: str
    to_green: tuple[str, ...]
    owner: str
    why: str
    origin: tuple[str, ...]
    severity: str


# Table tests


def cases(text: str, at: str) -> tuple[Case, ...]:
    """The cases of a table.

    Raises:
        Refused: `rules.syntax`, `rules.case`.
    """
    try:
        table = parse_toml(text)
    except tomllib.TOMLDecodeError as e:
        raise Refused("rules.syntax", at=at, found=str(e), expected="TOML") from e
    expected = "[[case]] with name, requirement, state and what evidence says"
    strange = sorted(table.keys() - {"case"})
    if strange:
        raise Refused("rules.case", at=at, found=strange[0], expected=expected)
    listed = _of_case(table.get("case", []), list[dict[str, Any]], at, expected)
    found = tuple(_of_case(c, Case, f"{at} case {n}", expected) for n, c in enumerate(listed, 1))
    for c in found:
        for n, more in enumerate(c.attempts, 1):
            place = f"{at} case {c.name} attempt {n}"
            strange = sorted(more.keys() - _OF_ATTEMPT)
            if strange:
                raise Refused("rules.case", at=place, found=strange[0], expected=", ".join(sorted(_OF_ATTEMPT)))
            _of_case({"name": "", "requirement": "", "state": "", **more}, Case, place, "what evidence says, each of its type")
    return found


def _of_case(value: Any, type: type[_T], at: str, expected: str) -> _T:
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as e:
        raise Refused("rules.case", at=at, found=str(e), expected=expected) from e


def run_table(pack: str, table: Sequence[Case], requirements: Sequence[Requirement]) -> tuple[Tried, ...]:
    """Every case, judged by the requirement it names; one that names none is a case that fails."""
    out = []
    for c in table:
        rule = next((r for r in requirements if r.id == c.requirement), None)
        expected = c.state if c.cause is None else f"{c.state} {c.cause}"
        if rule is None:
            out.append(Tried(pack, c.name, c.requirement, expected, "no such requirement", ""))
            continue
        made = _dossier(c, rule, f"{pack} case {c.name}")
        r = judge(msgspec.structs.replace(rule, service=_SERVICE), made, Voices((), (), (), {}, ()), _TRUST, NOW)
        out.append(Tried(pack, c.name, rule.id, expected, r.state if c.cause is None else f"{r.state} {r.cause}", r.reason))
    return tuple(out)


_KEY = Key("SHA256:table", "ssh-ed25519 table")
_TRUST = Trust(
    PRINT,
    PRINT,
    TrustDocument(
        version=1,
        previous=None,
        project_name="table",
        threshold=1,
        people=(),
        producers=(Producer("runner", (_KEY,)),),
        revocations=(),
        created_at=stamp(NOW),
    ),
)


def _dossier(c: Case, rule: Requirement, at: str) -> Dossier:
    """A dossier that holds what a case says and nothing else."""
    base = {f: getattr(c, f) for f in _OF_ATTEMPT}
    rows = [] if c.nothing else [base | more for more in c.attempts or ({},)]
    as_findings = rule.source == "finding"
    change = Change(
        id="table",
        project_name="table",
        mode="team",
        adopted=True,
        issue=Issue("table"),
        branch="table",
        owner="",
        authors=(),
        base="",
        head="",
        tree="",
        criteria="",
        criteria_digest="",
        objective="",
        in_scope=(),
        out_of_scope=(),
        features=(),
        services=(ChangedService(_SERVICE, "1.0.0", PRINT, "", ()),),
        files=(),
        scope=Scope("pass", (), (), (), ()),
        risks=(),
        rules={},
        rule_changes=(),
        opened_at="",
    )
    return Dossier(
        change_digest=PRINT,
        change=change,
        evidence=() if as_findings else tuple(_attempt(rule, n, row, at) for n, row in enumerate(rows, 1)),
        findings=tuple(_finding(rule, row, at) for row in rows) if as_findings else (),
        absent=(),
        drift=(),
        risks=(),
        owners=(),
        rules={},
        log=LogPoint(0, ""),
    )


def _facts(row: Mapping[str, Any], at: str) -> dict[str, Fact]:
    out = {}
    for name, said in row["facts"].items():
        value, unit = said if isinstance(said, list) and len(said) == 2 else (said, "")
        if not isinstance(unit, str) or not isinstance(value, int | float | bool | str):
            raise Refused("rules.case", at=f"{at} facts {name}", found=repr(said), expected="[value, unit]")
        out[name] = Fact(value, unit)
    return out


def _attempt(rule: Requirement, n: int, row: Mapping[str, Any], at: str) -> Attempt:
    try:
        when = stamp(NOW - timedelta(seconds=seconds(row["age"], at)))
    except OverflowError as e:
        raise Refused("rules.case", at=f"{at} age", found=row["age"], expected="an age that begins after the year 1") from e
    age_max = seconds(row["age_max"], at)
    failed = row["verdict"] == "fail"
    return Attempt(
        digest=f"sha256:{n:064x}",
        started=f"sha256:{n + 10_000:064x}",
        name=rule.evidence,
        kind=rule.kind,
        service=_SERVICE,
        environment=row["environment"],
        fingerprint=PRINT,
        attempt=n,
        verdict=row["verdict"],
        cause="" if row["verdict"] in ("pass", "fail") else "the case says so",
        infrastructure=row["infrastructure"],
        looked_at=row["looked_at"],
        of=row["of"],
        coverage=(),
        facts=_facts(row, at),
        counterexamples=(Counterexample("the case says so"),) if failed else (),
        counterexamples_total=int(failed),
        limits=tuple(f"skipped: {x} in the case" for x in row["skipped"]),
        tool=row["tool"],
        tool_version=row["tool_version"],
        isolation=row["isolation"],
        written_by=row["written_by"],
        producer="runner",
        producer_key=_KEY.id,
        imported_by=row["imported_by"],
        observed_at=when,
        collected_at=when,
        recorded_at=when,
        age_max_s=age_max,
        expires_at=when,
        withdrawn=None,
    )


def _finding(rule: Requirement, row: Mapping[str, Any], at: str) -> Finding:
    return Finding(rule.evidence, rule.kind, _SERVICE, row["verdict"], "", row["looked_at"], row["of"], _facts(row, at), ())


# A proposal over what is stored


def simulate(dossier: Dossier, digest: str, before: Frozen, after: Frozen, voices: Voices, trust: Trust, now: datetime) -> Simulated:
    """A dossier under the rules it froze and under a proposal, at one moment. Waivers count for neither: they answer to a requirement as
    it was. What evidence was collected under other terms is judged as if it had been collected under the proposal's."""
    fresh = msgspec.structs.replace(dossier, evidence=tuple(msgspec.structs.replace(a, criteria={}) for a in dossier.evidence))
    old, new = (
        {(r.service, r.id): judge(r, fresh, voices, trust, now) for r in rules.requirements if r.service in _touched(dossier)}
        for rules in (before, after)
    )
    moved = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if (a and (a.state, a.severity)) != (b and (b.state, b.severity)):
            moved.append(Moved(*key, _state(a), _state(b), shown((b or a).reason, 160)))  # type: ignore[union-attr]
    services = ", ".join(f"{s.name} {s.version}" for s in dossier.change.services)
    met_before, met_after = (_met(results, _touched(dossier)) for results in (old, new))
    x, y = ({t.role: t for t in _signed(rules, dossier, digest, voices, trust, now)} for rules in (before, after))
    for role in sorted(x.keys() | y.keys()):
        was, then = (f"{len(t.counted)} of {t.needed}" if t else "" for t in (x.get(role), y.get(role)))
        if was != then:
            lacking = f"{y[role].missing} more to sign" if role in y and y[role].missing else ""
            moved.append(Moved(", ".join(sorted(_touched(dossier))), f"approval {role}", was, then, lacking))
    all_before, all_after = (bool(z) and all(t.missing == 0 for t in z.values()) for z in (x, y))
    met_before, met_after = met_before and (all_before or not all_after), met_after and (all_after or not all_before)
    return Simulated(digest, services, met_before, met_after, tuple(moved))


def _signed(rules: Frozen, dossier: Dossier, digest: str, voices: Voices, trust: Trust, now: datetime) -> tuple[RoleTally, ...]:
    """Approvals as these rules ask for them, whatever results they were over."""
    said = tuple((s, msgspec.structs.replace(a, results=())) for s, a in voices.approvals)
    return tally(rules.approvals, digest, (), msgspec.structs.replace(voices, approvals=said), trust, now, electorate_of(dossier))


def _touched(dossier: Dossier) -> frozenset[str]:
    return frozenset(s.name for s in dossier.change.services)


def _state(r: Result | None) -> str:
    return "" if r is None else r.state if r.severity == "block" else f"{r.state} (warns)"


def _met(results: Mapping[Any, Result], services: frozenset[str]) -> bool:
    """Whether every service is asked something that denies, and has it."""
    blocking = [r for r in results.values() if r.severity == "block"]
    return {r.service for r in blocking} >= services and all(r.state in OPEN_STATES for r in blocking)


# One requirement in words


def explain_requirement(rule: Requirement, dossier: Dossier, voices: Voices, trust: Trust, now: datetime) -> Explained:
    """One requirement on one dossier, before any waiver."""
    r = judge(rule, dossier, voices, trust, now)
    prints = {s.name: s.fingerprint for s in dossier.change.services}
    attempts = [
        a for a in dossier.evidence if (a.name, a.service, a.fingerprint) == (rule.evidence, rule.service, prints.get(rule.service))
    ]
    shown_by = next((a for a in attempts if a.digest and a.digest in r.evidence), None)
    finding = next((f for f in dossier.findings if (f.name, f.service) == (rule.evidence, rule.service)), None)
    source: Attempt | Finding | None = shown_by if rule.source == "evidence" else finding
    facts = source.facts if source else {}
    parts = _parts(rule, source)
    end = ends(rule, shown_by) if shown_by else ""
    return Explained(
        requirement=rule.id,
        service=rule.service,
        title=rule.title,
        state=r.state,
        cause=r.cause,
        reason=r.reason,
        condition=rule.condition,
        values={n.fact: {"value": facts[n.fact].value, "unit": facts[n.fact].unit} for n in rule.needs if n.fact in facts},
        parts=parts,
        looked_at=r.looked_at,
        of=r.of,
        asked=_asked(rule),
        attempts=tuple(_attempt_words(a, s) for a, s in zip(attempts, r.attempts or (r.state,) * len(attempts), strict=False)),
        fresh_until=end,
        countdown=countdown(end, now),
        to_green=_to_green(rule, r, parts),
        owner=rule.owner,
        why=rule.why,
        origin=rule.origin,
        severity=r.severity,
    )


def countdown(until: str, now: datetime) -> str:
    """`stale in 3 h 20 min`, `stale for 2 d 1 h`; empty for what does not end."""
    end = moment(until) if until else None
    if end is None:
        return ""
    left = (end - now).total_seconds()
    return f"stale in {span(left)}" if left > 0 else f"stale for {span(-left)}"


def _parts(rule: Requirement, x: Attempt | Finding | None) -> tuple[tuple[str, str], ...]:
    """Each conjunct with the values put in, and `holds`, `does not hold` or why it has no answer."""
    if not rule.condition or x is None:
        return ()
    state, why, values = bind(rule.needs, x.facts)
    out = []
    for part in conjuncts(rule.condition):
        answer = ask(part, values, x.looked_at, x.of, x.verdict) if state == "pass" else ("error", why)
        words = {"pass": "holds", "fail": "does not hold"}.get(answer[0], answer[1])
        out.append((_put_in(part, {**values, "looked_at": x.looked_at, "of": x.of, "verdict": x.verdict}), words))
    return tuple(out)


def _put_in(part: str, values: Mapping[str, Any]) -> str:
    """A condition with the values in place of names, outside of text."""

    def value(m: re.Match[str]) -> str:
        name = m[1] or m[2] or m[3] or m[0]
        return str(values[name]).lower() if isinstance(values.get(name), bool) else repr(values[name]) if name in values else m[0]

    return _NAME_OR_TEXT.sub(value, part)


def _asked(rule: Requirement) -> str:
    share = f"{rule.minimum_percent} % of them" if rule.minimum_percent else ""
    count = f"at least {rule.minimum_count}" if rule.minimum_count > 1 or not share else ""
    much = f"{' and '.join(x for x in (count, share) if x)} looked at"
    tolerated = f", {counted(rule.retries, 'failure')} tolerated" if rule.retries else ", no failure tolerated"
    old = f", not older than {span(rule.age_max_s)}" if rule.age_max_s else ""
    return much + tolerated + old


def _attempt_words(a: Attempt, state: str) -> dict[str, str]:
    of = "unknown" if a.of is None else str(a.of)
    words = {"attempt": str(a.attempt), "state": state, "verdict": a.verdict, "looked_at": f"{a.looked_at} of {of}"}
    return words | {"observed_at": a.observed_at, "digest": a.digest or "", "by": a.imported_by or a.producer}


def _to_green(rule: Requirement, r: Result, parts: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """What would turn it green, in the order to do it."""
    if r.state == "pass":
        return ()
    unmet = [part for part, (_, said) in zip(conjuncts(rule.condition), parts, strict=True) if said == "does not hold"] if parts else []
    out = [f"a measurement in which `{part}`" for part in unmet]
    missing = [p for p in (rule.minimum_count - r.looked_at,) if r.cause == "too-few" and p > 0]
    out += [f"look at {missing[0]} more"] if missing else []
    if r.cause == "too-few" and rule.minimum_percent and r.of:
        short = -(-rule.minimum_percent * r.of // 100) - r.looked_at
        out += [f"look at {short} more of {r.of}, or name each skip with its reason on the protected branch"] if short > 0 else []
    if r.state == "fail" and len([s for s in r.attempts or ("fail",) if s == "fail"]) > rule.retries:
        spent = "a new fingerprint: the failures tolerated at this one are spent"
        waive = f"dossier waive DIGEST {rule.id} --service {rule.service} --as PERSON --key FILE --reason WORDS --until TIME"
        out.append(spent + (f", or a waiver by an owner or risk-owner: {waive}" if rule.waivable else ""))
    causes = {
        "fact-absent": f"evidence that says {', '.join(n.fact for n in rule.needs)}",
        "topology": "a measurement under the conditions there are now",
        "tool": f"a run with {', '.join(rule.tools)}",
        "rule": "evidence collected under the rule as it is now",
        "fingerprint": "evidence about this fingerprint",
        "age": "fresh evidence",
        "untrusted": "a new fingerprint, and evidence by whom the rule accepts; or a trust document that lists who it is by",
        "infrastructure": "a new fingerprint: the attempts that may come to nothing at this one are spent",
        "times": "a new fingerprint: an attempt keeps the times it has",
        "build": "evidence about data this change's own build wrote",
        "gap": "the attempts that are gone; no waiver lets an error through",
    }
    out += [causes[r.cause]] if r.cause in causes else []
    words, command = step(r.state, r.reason, rule.remedy)
    return (*out, f"{words}, then: {command}" if words else command)


__all__ = [
    "Case",
    "Explained",
    "Moved",
    "Simulated",
    "Tried",
    "cases",
    "countdown",
    "explain_requirement",
    "run_table",
    "simulate",
]
