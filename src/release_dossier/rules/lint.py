"""What is wrong with a set of rules, beside what freezing refuses. Each check is a function here and a line in `CHECKS`.

An `error` is a rule that cannot do what it says; a `warning` one that likely does not mean what it says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, permutations, product
from math import prod
from typing import Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.evidence.kinds import KINDS, Kind, kind
from release_dossier.evidence.own import takes_personal
from release_dossier.project import OwnKind, Plan, seconds
from release_dossier.rules.cel import ask, named_facts
from release_dossier.rules.compare import STRICTER, WORDS, changed, conjuncts
from release_dossier.rules.moment import span
from release_dossier.rules.packs import OWN, OWNER, Effective
from release_dossier.rules.requirement import ApprovalRule, Need, Requirement
from release_dossier.trust.document import Trust

SAMPLES_MAX = 20_000  # valuations of one condition; each takes about 10 µs
_HOW_MANY = r"(?<![\w.])(?:looked_at|of)\b"
# What a dossier says of its change by itself: finding → its kind, and the facts it has with their unit.
_RULES_CHANGED = (("rules_changed", "rules"),)
FINDINGS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "scope": ("scope", tuple((f, "files") for f in ("files", "files_inside", "files_outside", "files_unbound"))),
    "authorship": ("authorship", tuple((f, "commits") for f in ("commits", "commits_bound", "commits_bound_by_platform"))),
    "criteria": ("criteria", (("lines_changed", "lines"),)),
    "registered": ("criteria", _RULES_CHANGED),
    "protected-rules": ("criteria", _RULES_CHANGED),
}
_BY_SERVICE = ("coverage", "profile")  # kinds whose facts of a <service> are of the project's own services
ISOLATIONS = ("namespace", "process", "none")  # how a run can have been kept apart, as evidence says it


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: `code` is the name of the check."""

    code: str
    level: str
    at: str
    found: str
    expected: str


class Ruleset(msgspec.Struct, frozen=True):
    """What is linted: requirements in force, what is planned, who is asked, and what table tests try (`service/id`).

    `plans` and `trust` are None where there is no project: then nothing is said about what only a project knows. `kinds` are its own.
    """

    effective: tuple[Effective, ...]
    approvals: tuple[ApprovalRule, ...] = ()
    plans: tuple[Plan, ...] | None = None
    trust: Trust | None = None
    owners: Mapping[str, Sequence[str]] = {}
    services: tuple[str, ...] = ()
    own: tuple[Mapping[str, Any], ...] = ()
    kinds: tuple[OwnKind, ...] = ()
    unwaivable: Mapping[str, frozenset[str]] = {}  # service → kinds its pack lets nobody sign away

    def requirements(self) -> Iterator[tuple[str, Requirement]]:
        """Each with its place in words."""
        for e in self.effective:
            yield f"{e.requirement.service}/{e.requirement.id}", e.requirement


def lint_rules(rules: Ruleset) -> tuple[Problem, ...]:
    """Every problem, errors first."""
    found = [Problem(code, level, *said) for code, level, check in CHECKS for said in check(rules)]
    return tuple(sorted(found, key=lambda p: (p.level != "error", p.at, p.code)))


Said = Iterator[tuple[str, str, str]]  # at, found, expected


def _kind(rules: Ruleset, name: str) -> Kind | None:
    try:
        return kind(name, rules.kinds)
    except Refused:
        return None


def _unknown_kind(rules: Ruleset) -> Said:
    for at, r in rules.requirements():
        if r.source == "evidence" and _kind(rules, r.kind) is None:
            yield at, f"kind {r.kind}", f"one of {', '.join(k.name for k in KINDS)}, or a reader of your own that gives it"
    asked = {r.kind for _, r in rules.requirements()} | {kind for kind, _ in FINDINGS.values()}
    for service, kinds in rules.unwaivable.items():
        for name in sorted(kinds - asked):
            if _kind(rules, name) is None:
                yield f"{service} unwaivable", f"kind {name}", f"a kind a requirement has: {', '.join(sorted(asked))}"


def _facts(rules: Ruleset, r: Requirement) -> tuple[tuple[str, str], ...]:
    """The facts a requirement's evidence or finding can have, each with its unit; none where nobody knows."""
    if r.source == "finding":
        return FINDINGS[r.evidence][1] if r.evidence in FINDINGS else ()
    known = _kind(rules, r.kind)
    facts = tuple((name, unit) for name, unit, _ in known.facts) if known else ()
    if rules.plans is None or r.kind not in _BY_SERVICE:
        return facts
    services = [re.sub(r"\W+", "_", s, flags=re.ASCII) for s in rules.services]
    return tuple((f, unit) for name, unit in facts for f in ([name.replace("<service>", s) for s in services] if "<" in name else [name]))


def _unit_of(facts: Sequence[tuple[str, str]], fact: str) -> str | None:
    """The unit a fact comes in, None when there is no such fact."""
    for name, unit in facts:
        if name == fact or ("<" in name and re.fullmatch(re.sub("<[^>]*>", ".+", re.escape(name)), fact)):
            return unit
    return None


def _unknown_fact(rules: Ruleset) -> Said:
    for at, r in rules.requirements():
        facts = _facts(rules, r)
        for name in (*(n.fact for n in r.needs), *r.topology) if facts else ():
            if _unit_of(facts, name) is None:
                yield at, f"fact {name}", f"a fact {r.kind} gives: {', '.join(n for n, _ in facts)}"


_MEASURED = frozenset(("ms", "s", "min", "ratio", "percent", "1/s"))
_TYPE_OF = {"words": ("str",), "name": ("str",), "flag": ("bool",)}  # of every other unit of ours: a number


def _unit(rules: Ruleset) -> Said:
    for at, r in rules.requirements():
        facts = _facts(rules, r)
        for n in r.needs:
            unit = _unit_of(facts, n.fact)
            if unit is None:
                continue
            if n.unit != unit and (n.unit or unit not in ("", "name", "words")):
                yield at, f"{n.fact} in {n.unit or 'any unit'}", f"unit = {unit!r}, which {r.kind} gives it in"
            if unit in _MEASURED and n.type == "int":
                yield at, f"{n.fact} as int", f"type = 'float': what is measured in {unit} has fractions, and no evidence meets the other"
            elif unit == "credits" and n.type != "int":
                yield at, f"{n.fact} as {n.type}", "type = 'int': money is counted in whole credits"
            elif n.type not in (types := _types(rules, r, unit)):
                yield at, f"{n.fact} as {n.type}", f"type = {' or '.join(map(repr, types))}, which {r.kind} gives it as"
        for name, value in r.topology.items():
            unit = _unit_of(facts, name)
            if unit is not None and type(value).__name__ not in (types := _types(rules, r, unit)):
                yield at, f"{name} = {value!r}", f"{' or '.join(types)}, which {r.kind} gives it as"

        whole = {n.fact for n in r.needs if n.type == "int"}
        for part in conjuncts(r.condition):
            if "/" in part and re.search(r"(?<!\w)\d*\.\d", part) and "double" not in part and set(named_facts(part)) <= whole:
                yield at, f"`{part}` divides whole numbers", "double(…) / double(…): 95 / 100 is 0 in CEL"


def _types(rules: Ruleset, r: Requirement, unit: str) -> tuple[str, ...]:
    """The types a fact of this unit comes in. What a project calls words in a kind of its own is the project's to know."""
    if any(k.name == r.kind for k in rules.kinds) or not any(k.name == r.kind for k in KINDS):
        return ("int", "float", "bool", "str")
    return _TYPE_OF.get(unit, ("int", "float"))


def _personal(rules: Ruleset) -> Said:
    """Of a personal value a statement holds a commitment, which no condition can look into."""
    for at, r in rules.requirements():
        own = next((k for k in rules.kinds if k.name == r.kind), None)
        hidden = takes_personal(own) if own else ()
        for n in r.needs:
            if n.fact in hidden:
                yield at, f"{n.fact}, a personal value of kind {r.kind}", "a fact without the value: a count, a limit that is met"


def _always(rules: Ruleset, holds: bool) -> Said:
    for at, r in rules.requirements():
        answers = set(_answers(r, any(k.name == r.kind for k in KINDS)))
        if answers and (answers - {"error"} == {"pass"} if holds else "pass" not in answers):
            yield at, f"`{r.condition}` {'always' if holds else 'never'} holds", "a condition that some evidence meets and some does not"


def _divisor(rules: Ruleset) -> Said:
    """A decimal divided by zero is more than any bound: a share of nothing must not pass. (Of whole numbers it is `error`.)"""
    for at, r in rules.requirements():
        for fact in sorted({m["dot"] or m["quoted"] for m in _DIVISOR.finditer(r.condition)}):
            if "pass" in _answers(r, any(k.name == r.kind for k in KINDS), zero=fact):
                yield at, f"`{r.condition}` holds where {fact} is 0", f"facts.{fact} > 0.0 && beside it"


_DIVISOR = re.compile(r"/\s*(?:double\(\s*|\(\s*)*facts(?:\.(?P<dot>\w+)|\['(?P<quoted>[^']*)'\])")


def _answers(r: Requirement, ours: bool, zero: str = "") -> Iterator[str]:
    """What a condition says at the corners: around and between the numbers it names, at nothing and at a lot, for every flag and word.

    `ours`: of a kind whose units we know. `zero`: a fact that is 0 at all of them. Nothing where there are more corners than
    `SAMPLES_MAX`: some of them would tell of the first facts only.
    """
    if not r.condition:
        return
    facts = [n.fact for n in r.needs]
    numbers = _numbers(r.condition)
    least = max(1, r.minimum_count)  # of less, no condition is asked in the end
    counts = sorted({least, least + 1_000_000, *(int(x) + d for x in numbers for d in (-1, 0, 1) if least < int(x) + d < 2**53)})
    corners = [_corners(n, _bounds(n.fact, r.condition) or numbers, r.condition, ours) for n in r.needs]
    if zero:
        corners = [[{"float": 0.0, "int": 0}.get(n.type, "0")] if n.fact == zero else c for n, c in zip(r.needs, corners, strict=True)]
    asks_how_many = re.search(_HOW_MANY, r.condition) is not None
    looked = counts if asks_how_many else [least]
    if prod(map(len, (looked, *corners))) > SAMPLES_MAX:
        return
    for values in product(looked, *corners):
        for of in {values[0], values[0] + 1_000_000} if asks_how_many else {values[0]}:
            if values[0] * 100 >= r.minimum_percent * of:
                yield ask(r.condition, dict(zip(facts, values[1:], strict=True)), values[0], of, "pass")[0]


def _numbers(condition: str) -> list[float]:
    return sorted({float(x) for x in re.findall(r"(?<![\w.])-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?", condition)})


def _bounds(fact: str, condition: str) -> list[float]:
    """The numbers a fact is compared with, where it is compared with numbers alone."""
    about = [part for part in conjuncts(condition) if fact in named_facts(part)]
    return _numbers(" && ".join(about)) if all(len(named_facts(part)) == 1 for part in about) else []


_SIGNED = ("", "credits", "value")  # units of ours that go below nothing


def _corners(need: Need, numbers: Sequence[float], condition: str, ours: bool) -> list[Any]:
    if need.type == "bool":
        return [True, False]
    signed = need.unit in _SIGNED or not ours
    between = ((a + b) / 2 for a, b in pairwise(numbers))
    near = {0.0, 1.0, 1e9, *(x + d for x in numbers for d in (-1.0, -0.25, 0.0, 0.25, 1.0)), *between, *((-1.0, -1e9) if signed else ())}
    if need.type == "str":
        words = re.findall(r"""['"]([^'"]*)['"]""", condition)
        joined = (a + b for a, b in permutations(words, 2)) if re.search(r"With|contains", condition) else ()
        read = (str(x) for n in near for x in (n, int(n))) if re.search(r"\b(?:double|int)\s*\(", condition) else ()
        return sorted({"", "x", *words, *joined, *read})
    kept = sorted(x for x in near if (signed or x >= 0) and (need.unit != "ratio" or x <= 1 or not ours))
    return sorted({int(x) for x in kept}) if need.type == "int" else kept


def _unreachable(rules: Ruleset) -> Said:
    for at, r in rules.requirements():
        if r.source == "finding" and r.evidence not in FINDINGS:
            yield at, f"finding {r.evidence}", f"one a dossier makes: {', '.join(FINDINGS)}"
        elif r.source == "finding" and r.kind != FINDINGS[r.evidence][0]:
            yield at, f"finding {r.evidence} as {r.kind}", f"kind = {FINDINGS[r.evidence][0]!r}, which it is"
        odd = sorted(set(r.isolation) - set(ISOLATIONS))
        if odd:
            yield at, f"isolation {odd[0]}", f"one of {', '.join(ISOLATIONS)}"
        called = next((who for who in r.importers if who.startswith("@")), None)
        if called is not None:
            yield at, f"importer {called}", f"{called.lstrip('@')}: people who bring evidence are named without @"
        blank = next((k.name for k in r.skips if k.name.split() != [k.name]), None)
        if blank is not None:
            yield at, f"skip {blank!r}", f"{'_'.join(blank.split())}: blanks in the name of a test are written _"
        if r.source == "evidence" and rules.plans is not None:
            named = [p for p in rules.plans if p.name == r.evidence]
            mine = [p for p in named if not p.services or r.service in p.services]
            if not mine:
                yield at, f"no [[evidence]] {r.evidence} for {r.service}", "a plan that gives it: nothing can ever meet this"
            elif all(p.kind != r.kind for p in mine):
                yield at, f"evidence {r.evidence} of kind {mine[0].kind}", f"kind {r.kind}, which the rule asks for"
            elif r.environment and all(p.environment != r.environment for p in mine):
                yield at, f"evidence {r.evidence} in {mine[0].environment}", f"environment {r.environment}, which the rule asks for"
        if not r.imported and not r.producers and rules.plans is not None:
            runs = [p for p in rules.plans if p.name == r.evidence and p.run]
            if not runs:
                yield at, f"evidence {r.evidence} has no command", "a command: the rule accepts only what runs here"
    for service in rules.services if rules.plans is not None else ():
        if not any(r.service == service and r.severity == "block" for _, r in rules.requirements()):
            yield service, "nothing that denies", "a requirement of severity block: an empty gate allows nothing"
    yield from _unreachable_people(rules)


def _unreachable_people(rules: Ruleset) -> Said:
    if rules.trust is None:
        return
    known = {p.id: set(p.roles) for p in rules.trust.document.producers}
    for at, r in rules.requirements():
        gone = sorted(set(r.producers) - known.keys())
        if gone:
            yield at, f"producer {gone[0]}", f"one of the trust document: {', '.join(sorted(known)) or 'none'}"
        if r.producer_roles and not any(set(r.producer_roles) & roles for roles in known.values()):
            yield at, f"producers of role {', '.join(r.producer_roles)}", "a producer that holds one"
    people = rules.trust.document.people
    for a in rules.approvals:
        holders = [p.id for p in people if a.role in p.roles]
        if a.role != OWNER and len(holders) < a.count:
            yield f"approval {a.role}", f"{len(holders)} of {a.count} people hold it", f"{a.count}: dossier trust propose --role {a.role}"
        for service in a.services:
            named = {o.lstrip("@") for o in rules.owners.get(service, ())}
            if not any(p.id in named or named & set(p.roles) for p in people):
                words = ", ".join(rules.owners.get(service, ())) or "nobody"
                yield (
                    f"approval {OWNER} of {service}",
                    f"{words}, whom the trust document does not know",
                    "a person, or a role somebody holds",
                )


def _shadowed(rules: Ruleset) -> Said:
    for e in rules.effective:
        sources = [o for o in e.requirement.origin if o != OWN]
        twice = next((o for i, o in enumerate(sources) if o in sources[:i]), None)
        if twice is not None:
            at = f"{e.requirement.service}/{e.requirement.id}"
            yield at, f"two tables of this id in {twice}: the later hides the earlier", "one table, or an id of its own for each"
        for key, source in e.idle if twice is None else ():
            yield (
                f"{e.requirement.service}/{e.requirement.id} {key}",
                f"{source} says what was said below it",
                "a value of its own, or no line",
            )
    for t in rules.own:
        service = t.get("service")
        if service is not None and service not in rules.services:
            yield f"dossier.toml requirement {t['id']}", f"service {service}, which there is none of", ", ".join(rules.services)
    said = [(t["id"], t.get("service", "")) for t in rules.own]
    for name, service in dict.fromkeys(x for i, x in enumerate(said) if x in said[:i]):
        of = f" for {service}" if service else ""
        found = f"two tables of this id{of}: the later hides the earlier"
        yield f"dossier.toml requirement {name}", found, "one table, or an id of its own for each"
    all_of = list(rules.requirements())
    for i, (at, r) in enumerate(all_of):
        other = next((o for j, (_, o) in enumerate(all_of) if i != j and _covers(o, r) and (j < i or not _covers(r, o))), None)
        if other is not None:
            yield at, f"{other.id} asks the same and more of the same evidence", "something of its own"


def _covers(a: Requirement, b: Requirement) -> bool:
    """Whether whatever meets `a` meets `b`: no key of `a` asks less."""
    return a.service == b.service and all(d.direction in (STRICTER, WORDS) for d in changed(b, a))


def _no_owner(rules: Ruleset) -> Said:
    for at, r in rules.requirements():
        if r.owner.strip() in ("", "nobody"):
            yield at, "no owner", "owners of the service in dossier.toml, or an owner of the requirement"


def _no_remedy(rules: Ruleset) -> Said:
    for at, r in rules.requirements():
        if not r.remedy.strip():
            yield at, "no remedy", "the command or the link that mends it"
        if not r.why.strip():
            yield at, "no why", "why it exists: people argue with reasons"
        for skip in r.skips:
            if not skip.reason.strip():
                yield at, f"skip {skip.name} without its reason", "why it may be skipped"


def _freshness(rules: Ruleset) -> Said:
    for at, r in rules.requirements():
        known = _kind(rules, r.kind)
        default = int(known.age_max.total_seconds()) if known else 0
        if known and r.age_max_s > default:
            yield at, f"age_max_s = {r.age_max_s} ({span(r.age_max_s)})", f"at most {span(default)}, how long {r.kind} holds"
    for p in rules.plans or ():
        known = _kind(rules, p.kind)
        if known and p.age_max and seconds(p.age_max, p.name) > known.age_max.total_seconds():
            yield f"evidence {p.name}", f"age_max = {p.age_max}", f"at most {span(known.age_max.total_seconds())}, how long {p.kind} holds"


def _blame(rules: Ruleset) -> Said:
    """A condition that one clean thing meets as well as a thousand asks for absence of blame, not for proof.

    Naming `looked_at` or `of` is no proof where nothing looked at, of nothing or of one, meets it too.
    """
    for at, r in rules.requirements():
        asks = r.minimum_count > 1 or r.minimum_percent > 0
        numeric = {n.fact: 0 if n.type == "int" else 0.0 for n in r.needs if n.type in ("int", "float")}
        if asks or not r.condition or not numeric or r.source == "finding":
            continue
        others = [n for n in r.needs if n.fact not in numeric]  # a flag that is up is proof; what a text says is not
        said = [[False] if n.type == "bool" else _corners(n, [], r.condition, True) for n in others]
        if prod(map(len, said)) > SAMPLES_MAX:
            continue
        for values in product(*said):
            nothing = numeric | {n.fact: v for n, v in zip(others, values, strict=True)}
            if all(ask(r.condition, nothing, 0, of, "pass")[0] == "pass" for of in (0, 1)):
                expected = "minimum_count or minimum_percent, or looked_at in the condition: how much must have been looked at"
                yield at, f"`{r.condition}` is met by one as well as by a thousand", expected
                break


CHECKS: tuple[tuple[str, str, Callable[[Ruleset], Said]], ...] = (
    ("unknown-kind", "warning", _unknown_kind),
    ("unknown-fact", "error", _unknown_fact),
    ("unit", "error", _unit),
    ("personal", "error", _personal),
    ("always-true", "error", lambda rules: _always(rules, True)),
    ("always-false", "error", lambda rules: _always(rules, False)),
    ("divisor", "error", _divisor),
    ("unreachable", "error", _unreachable),
    ("shadowed", "warning", _shadowed),
    ("no-owner", "warning", _no_owner),
    ("no-remedy", "error", _no_remedy),
    ("freshness", "warning", _freshness),
    ("absence-of-blame", "error", _blame),
)
