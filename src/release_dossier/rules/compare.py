"""Two sets of rules beside each other: what changed, key by key, and whether it asks more or less.

`stricter` lets through nothing the other did not; `looser` may; `other` is a change nobody can order (another kind, another condition), and
counts as looser where loosening matters and as stricter where strictness does. Words for people (title, owner, remedy, why) are `words`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from release_dossier.rules.moment import moment
from release_dossier.rules.requirement import ApprovalRule, Frozen, Requirement

STRICTER, LOOSER, OTHER, WORDS = "stricter", "looser", "other", "words"
# One comparison between a fact, or how many were looked at, and a number: what, its sign, its bound.
_BOUND = re.compile(r"(facts\.\w+|facts\[(?:'[^']*'|\"[^\"]*\")\]|looked_at)\s*(<=|>=|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?)\Z")
_JOINT = re.compile(r"""'[^']*'|"[^"]*"|[()\[\]]|&&""")


class Difference(msgspec.Struct, frozen=True):
    """One key of one requirement, one role of the approvals (then `id` is `approval ROLE`), or what a pack asks as a whole (`pack`)."""

    service: str
    id: str
    key: str
    before: Any
    after: Any
    direction: str

    def words(self) -> str:
        """`trading/latency condition: 'facts.p95 <= 300.0' → 'facts.p95 <= 400.0' (looser)`"""
        name = f"{self.service}/{self.id}" if self.service else self.id
        if self.key == "*":
            return f"{name}: {'new' if self.before is None else 'gone'} ({self.direction})"
        return f"{name} {self.key}: {_shown(self.before)} → {_shown(self.after)} ({self.direction})"


def differences(before: Frozen, after: Frozen) -> tuple[Difference, ...]:
    """What `after` asks otherwise than `before`, in a stable order."""
    old = {(r.service, r.id): r for r in before.requirements}
    new = {(r.service, r.id): r for r in after.requirements}
    out: list[Difference] = []
    for service, name in sorted(old.keys() | new.keys()):
        a, b = old.get((service, name)), new.get((service, name))
        if a is None or b is None:
            direction = (STRICTER if _blocks(b) else WORDS) if b is not None else LOOSER if _blocks(a) else WORDS
            out.append(Difference(service, name, "*", a and a.title, b and b.title, direction))
        else:
            out += changed(a, b)
    return (*out, *_approvals(before.approvals, after.approvals), *_witness(before, after))


def changed(a: Requirement, b: Requirement) -> list[Difference]:
    """Key by key, what `b` asks otherwise than `a`."""
    out = []
    for key in Requirement.__struct_fields__:
        x, y = getattr(a, key), getattr(b, key)
        if key not in ("id", "service", "origin") and x != y:
            before, after = msgspec.to_builtins(x), msgspec.to_builtins(y)
            direction = _ORDER.get(key, _other)(x, y)
            if key == "importers" and not x and a.isolation:
                direction = OTHER  # a file they bring is accepted in place of an isolated run
            elif key == "blocks_from" and not _blocks(a):
                direction = STRICTER if _blocks(b) else WORDS  # it denied nothing before
            out.append(Difference(b.service, b.id, key, before, after, direction))
    return out


def warns(r: Requirement, now: datetime) -> bool:
    """Whether an unmet requirement is shown at this moment and denies nothing."""
    starts = moment(r.blocks_from) if r.blocks_from else None
    return r.severity == "warn" or (starts is not None and now < starts)


def _blocks(r: Requirement | None) -> bool:
    return r is not None and r.severity == "block"


def _approvals(before: Sequence[ApprovalRule], after: Sequence[ApprovalRule]) -> list[Difference]:
    old, new = {a.role: a for a in before}, {a.role: a for a in after}
    out = []
    for role in sorted(old.keys() | new.keys()):
        a, b = old.get(role), new.get(role)
        if a is None or b is None:
            out.append(Difference("", f"approval {role}", "*", a and a.count, b and b.count, STRICTER if a is None else LOOSER))
            continue
        for key in ("count", "not_author", "not_producer", "services"):
            x, y = getattr(a, key), getattr(b, key)
            if x != y:
                direction = _superset(x, y) if key == "services" else STRICTER if y > x else LOOSER
                out.append(Difference("", f"approval {role}", key, msgspec.to_builtins(x), msgspec.to_builtins(y), direction))
    return out


def _witness(before: Frozen, after: Frozen) -> list[Difference]:
    """Services whose decisions began or ceased to need a checkpoint kept elsewhere. Rules before edition 3 never asked."""
    if min(before.edition, after.edition) < 3:
        return []
    out = []
    for service in sorted(before.witness.keys() | after.witness.keys()):
        a, b = (w.get(service, "not asked") or "asked" for w in (before.witness, after.witness))
        if a != b:
            direction = LOOSER if a == "asked" else STRICTER if b == "asked" else WORDS
            out.append(Difference(service, "pack", "witness", a, b, direction))
    return out


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple, dict)):
        return msgspec.json.encode(value).decode()
    return repr(value)


# How each key is ordered


def _words(x: Any, y: Any) -> str:
    return WORDS


def _other(x: Any, y: Any) -> str:
    return OTHER


def _up(x: Any, y: Any) -> str:
    """More is stricter; True is more than False."""
    return STRICTER if y > x else LOOSER


def _down(x: Any, y: Any) -> str:
    return STRICTER if y < x else LOOSER


def _limit(x: int, y: int) -> str:
    """A limit where 0 is none of its own."""
    return STRICTER if y and (not x or y < x) else LOOSER


def _accepted(x: Sequence[Any], y: Sequence[Any]) -> str:
    """A list of what is accepted, where empty is anything: fewer is stricter."""
    if not x or (y and set(y) < set(x)):
        return STRICTER
    return LOOSER if not y or set(x) < set(y) else OTHER


def _superset(x: Sequence[Any], y: Sequence[Any]) -> str:
    """A list of what is asked: more is stricter."""
    return STRICTER if set(x) < set(y) else LOOSER if set(y) < set(x) else OTHER


def _skips(x: Sequence[Any], y: Sequence[Any]) -> str:
    a, b = {s.name for s in x}, {s.name for s in y}
    return WORDS if a == b else STRICTER if b < a else LOOSER if a < b else OTHER


def _topology(x: dict[str, Any], y: dict[str, Any]) -> str:
    a, b = set(x.items()), set(y.items())
    return STRICTER if a < b else LOOSER if b < a else OTHER


def _condition(x: str, y: str) -> str:
    """More conjuncts, and the same comparisons with bounds nobody passes who did not before, are stricter."""
    a, b = set(conjuncts(x)), set(conjuncts(y))
    old, new = ({_compared(part): part for part in parts} for parts in (a - b, b - a))
    if (len(old), len(new)) != (len(a - b), len(b - a)):  # one thing compared twice with the same sign
        return OTHER
    ways = {_bound(old[k], new[k]) for k in old.keys() & new.keys()}
    ways |= ({LOOSER} if old.keys() - new.keys() else set()) | ({STRICTER} if new.keys() - old.keys() else set())
    ways.discard(WORDS)
    return OTHER if len(ways) > 1 else ways.pop() if ways else WORDS


def _compared(part: str) -> tuple[str, ...]:
    """What a part compares with a number, and how; else the part itself."""
    m = _BOUND.match(part)
    return (m[1], m[2]) if m else (part,)


def _bound(x: str, y: str) -> str:
    """The same comparison with another number. Python compares whole numbers with others exactly."""
    m, n = _BOUND.match(x), _BOUND.match(y)
    assert m is not None, "only comparisons with a number are compared"
    assert n is not None, "only comparisons with a number are compared"
    old, new = (float(b) if "." in b else int(b) for b in (m[3], n[3]))
    return WORDS if new == old else STRICTER if (new > old) == m[2].startswith(">") else LOOSER


def conjuncts(condition: str) -> tuple[str, ...]:
    """The parts between `&&` outside of text and brackets, in order, each once."""
    parts, start, depth = [], 0, 0
    for m in _JOINT.finditer(condition):
        depth += (m.group() in "([") - (m.group() in ")]")
        if m.group() == "&&" and depth == 0:
            parts.append(condition[start : m.start()])
            start = m.end()
    stripped = (part.strip() for part in (*parts, condition[start:]))
    return tuple(dict.fromkeys(part for part in stripped if part))


_BUILDERS = ("any", "known", "change")
_SEVERITIES = ("warn", "block")


def _rank(of: tuple[str, ...]) -> Callable[[Any, Any], str]:
    return lambda x, y: _up(of.index(x), of.index(y))


def _later(x: str, y: str) -> str:
    if not x or not y:
        return LOOSER if y else STRICTER
    old, new = moment(x), moment(y)
    if old is None or new is None:
        return OTHER
    return WORDS if new == old else LOOSER if new > old else STRICTER


_ORDER: dict[str, Callable[[Any, Any], str]] = {
    "title": _words,
    "owner": _words,
    "remedy": _words,
    "why": _words,
    "condition": _condition,
    "needs": _superset,
    "minimum_count": _up,
    "minimum_percent": _up,
    "skips": _skips,
    "age_max_s": _limit,
    "tools": _accepted,
    "topology": _topology,
    "same_topology": _up,
    "retries": _down,
    "infrastructure_retries": _down,
    "producers": _accepted,
    "producer_roles": _accepted,
    "builder": _rank(_BUILDERS),
    "imported": _down,
    "importers": _accepted,
    "isolation": _accepted,
    "waivable": _down,
    "waivers_in_row": _down,
    "severity": _rank(_SEVERITIES),
    "blocks_from": _later,
}
