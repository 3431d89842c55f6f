"""KPI drift: each fact beside the same fact of the last released dossier of that service.

A number without a comparison is said to have none; numbers measured under other conditions are shown and said to be incomparable.
This compares two measurements and says nothing about chance (chance.py does): sample sizes stand beside every figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from release_dossier.dossier import Attempt, Drift
from release_dossier.evidence.reading import Fact

# Facts that name the conditions of a measurement: when one differs, figures of the two measurements are not compared.
CONDITIONS = (
    "topology",
    "app_topology",
    "database_topology",
    "load_generator",
    "scenario",
    "duration",
    "target_rate",
    "environment",
    "droplet_size",
    "machine",
    "ruleset",
)
_LOWER_IS_BETTER = ("ms", "s", "percent-of-errors", "errors", "failures", "credits-wrong", "users-wrong")
_WORSE_WHEN_UP = (
    "latency",
    "error",
    "fail",
    "wrong",
    "unexplained",
    "skipped",
    "burned",
    "minted",
    "duplicate",
    "dropped",
    "limited",
    "uncovered",
)
_BETTER_WHEN_UP = ("throughput", "passed", "covered", "checks_rate", "succeeded", "fired")


def drift(now: Sequence[Attempt], before: Sequence[Attempt], baseline: str) -> tuple[Drift, ...]:
    """Every number of the newest attempts in `now` beside the one of the same service and evidence in `before`.

    Args:
        before: attempts of the last released dossier, empty when there is none.
        baseline: the version they were released as, "" when there is none.
    """
    old = {(a.service, a.name): a for a in newest(before)}
    out = []
    for a in newest(now):
        b = old.get((a.service, a.name))
        why = _incomparable(a, b)
        for name, fact in sorted(a.facts.items()):
            if isinstance(fact.value, bool) or not isinstance(fact.value, (int, float)):
                continue
            out.append(_line(a, name, fact, b.facts.get(name) if b else None, why, baseline))
    return tuple(out)


def newest(attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """The last finished attempt of each service and evidence, in order of first appearance."""
    last: dict[tuple[str, str], Attempt] = {}
    for a in attempts:
        if a.digest is not None:
            last[a.service, a.name] = a
    return tuple(last.values())


def _incomparable(a: Attempt, b: Attempt | None) -> str:
    if b is None:
        return "no released dossier of this service holds it"
    for name in CONDITIONS:
        x, y = a.facts.get(name), b.facts.get(name)
        if (x.value if x else None) != (y.value if y else None):
            return f"{name} was {y.value if y else 'not said'}, is {x.value if x else 'not said'}"
    if a.environment != b.environment:
        return f"environment was {b.environment}, is {a.environment}"
    return ""


def _line(a: Attempt, name: str, fact: Fact, old: Fact | None, why: str, baseline: str) -> Drift:
    if old is not None and old.unit != fact.unit:
        why = f"unit was {old.unit}, is {fact.unit}"
    if old is None and not why:
        why = "the last released dossier does not hold this fact"
    percent = None
    direction = "unknown"
    if not why and old is not None and isinstance(old.value, (int, float)) and isinstance(fact.value, (int, float)):
        if old.value:
            percent = round((fact.value - old.value) / abs(old.value) * 100, 2)
        direction = "same" if fact.value == old.value else _direction(name, fact.unit, fact.value > old.value)
    return Drift(
        service=a.service,
        evidence=a.name,
        fact=name,
        unit=fact.unit,
        before=old.value if old else None,
        after=fact.value,
        change_percent=percent,
        direction=direction,
        samples_before=old.samples if old else None,
        samples_after=fact.samples,
        comparable=why,
        baseline=baseline,
    )


def _direction(name: str, unit: str, up: bool) -> str:
    if any(w in name for w in _WORSE_WHEN_UP) or unit in _LOWER_IS_BETTER:
        return "worse" if up else "better"
    if any(w in name for w in _BETTER_WHEN_UP):
        return "better" if up else "worse"
    return "unknown"
