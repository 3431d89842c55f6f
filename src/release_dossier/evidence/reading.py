"""What a reader returns: what was looked at and of how many, what was found, which facts, and what this file does not prove.

Rules every reader keeps:

1. Green means looked at and passed. Nothing looked at is `missing`; truncated, killed, ambiguous or unfit is `inconclusive`.
2. A counterexample comes first and names its place. At most `COUNTEREXAMPLES_MAX` are kept; the count is exact.
3. A fact carries its unit. NaN, infinity and null are not zero: such a fact is absent and the reading says so.
4. One bad record never hides the others: it is counted and named.
5. A reader executes nothing, fetches nothing and follows no path found inside a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from release_dossier.errors import shown
from release_dossier.limits import COUNTEREXAMPLES_MAX, TEXT_CHARS_MAX

Verdict = Literal["pass", "fail", "inconclusive", "missing"]
# Worst first: a reading of several parts is as good as the worst of them.
VERDICTS: tuple[Verdict, ...] = ("fail", "inconclusive", "missing", "pass")


class Fact(msgspec.Struct, frozen=True, omit_defaults=True):
    """One number, flag or word with its unit.

    `value` is int, float (finite), bool or str. Money is a decimal string with unit `credits`. `samples` is how many
    observations stand behind the value, when the format says.
    """

    value: int | float | bool | str
    unit: str
    samples: int | None = None


class Counterexample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong: a sentence, and where (test name, file:line, user, endpoint)."""

    text: str
    where: str = ""
    detail: dict[str, str] = {}


class Coverage(msgspec.Struct, frozen=True):
    """How much of one unit was looked at. `of` is None where the format cannot know."""

    unit: str
    looked_at: int
    of: int | None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one file (or one run) says. Field order is the order people read.

    `looked_at` of `of` count the kind's unit; where there are several units, `coverage` lists them and these two are the
    worst. `cause` says in words why a verdict is `inconclusive` or `missing`, empty otherwise. `limits` says what would
    make this not a proof. `observed_at` is RFC 3339 UTC when the file itself says when the thing happened, else None.
    """

    kind: str
    format: str
    verdict: Verdict
    looked_at: int
    of: int | None
    cause: str = ""
    counterexamples: tuple[Counterexample, ...] = ()
    counterexamples_total: int = 0
    facts: dict[str, Fact] = {}
    coverage: tuple[Coverage, ...] = ()
    limits: tuple[str, ...] = ()
    tool: str = ""
    tool_version: str = ""
    observed_at: str | None = None
    personal: tuple[str, ...] = ()  # values the kind's schema marks personal; no statement shows them (see `personal`)

    def as_json(self) -> dict[str, Any]:
        """Plain data for canonical JSON."""
        out: dict[str, Any] = msgspec.to_builtins(self)
        del out["personal"]
        return out


def example(text: str, where: str = "", **detail: str) -> Counterexample:
    """A counterexample with text from outside bounded and stripped of control characters."""
    return Counterexample(
        shown(text, TEXT_CHARS_MAX), shown(where, TEXT_CHARS_MAX), {k: shown(v, TEXT_CHARS_MAX) for k, v in detail.items()}
    )


def first(examples: list[Counterexample]) -> tuple[Counterexample, ...]:
    """The counterexamples a statement keeps."""
    return tuple(examples[:COUNTEREXAMPLES_MAX])


def texts(reading: Reading) -> Iterator[str]:
    """Every text of a reading that comes from the file."""
    yield reading.cause
    for c in reading.counterexamples:
        yield from (c.text, c.where, *c.detail.values())
    yield from (f.value for f in reading.facts.values() if isinstance(f.value, str))
    yield from reading.limits


def retold(reading: Reading, told: Callable[[str], str], fact: Callable[[Fact, str], Fact]) -> Reading:
    """`reading` with `told` of each of its `texts`; a fact whose value is one becomes `fact` of it and of that text."""
    return msgspec.structs.replace(
        reading,
        cause=told(reading.cause),
        counterexamples=tuple(
            Counterexample(told(c.text), told(c.where), {k: told(v) for k, v in c.detail.items()}) for c in reading.counterexamples
        ),
        facts={name: fact(f, f.value) if isinstance(f.value, str) else f for name, f in reading.facts.items()},
        limits=tuple(told(x) for x in reading.limits),
    )


def printable(reading: Reading) -> Reading:
    """The reading with every text of it fit for a terminal and a page: what a file brought is bounded, and control characters are gone."""
    facts = {
        shown(n, TEXT_CHARS_MAX): Fact(shown(f.value, TEXT_CHARS_MAX), shown(f.unit), f.samples)
        if isinstance(f.value, str)
        else Fact(f.value, shown(f.unit), f.samples)
        for n, f in reading.facts.items()
    }
    return msgspec.structs.replace(
        reading,
        cause=shown(reading.cause, TEXT_CHARS_MAX),
        facts=facts,
        limits=tuple(shown(x, TEXT_CHARS_MAX) for x in reading.limits),
        tool=shown(reading.tool),
        tool_version=shown(reading.tool_version),
    )
