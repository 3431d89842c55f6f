"""The Dossier: the closed, canonical set for a change at a moment. Its digest is what people approve.

It holds no age, no countdown and no time of assembling: assembling the same statements twice gives the same bytes.
What was expected and is absent stands in it by name, so that removing proof never looks like having nothing to prove.
"""

from __future__ import annotations

from typing import Any

import msgspec

from release_dossier.change import Change, Risk
from release_dossier.evidence.reading import Counterexample, Coverage, Fact


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of one evidence, as decisions see it.

    `digest` is the evidence statement, or None where a `started` was never followed by a result: then `verdict` is
    `inconclusive`, `cause` says so and the attempt counts. `name` is the evidence plan's name.
    """

    digest: str | None
    started: str
    name: str
    kind: str
    service: str
    environment: str
    fingerprint: str
    attempt: int
    verdict: str
    cause: str
    infrastructure: bool
    looked_at: int
    of: int | None
    coverage: tuple[Coverage, ...]
    facts: dict[str, Fact]
    counterexamples: tuple[Counterexample, ...]
    counterexamples_total: int
    limits: tuple[str, ...]
    tool: str
    tool_version: str
    isolation: str
    written_by: str
    producer: str
    producer_key: str
    imported_by: str | None
    observed_at: str
    collected_at: str
    recorded_at: str
    age_max_s: int
    expires_at: str
    withdrawn: str | None  # reason, when its producer or an owner withdrew it
    previous: str | None = None  # `started` of the attempt before, so that a chain that was cut shows
    criteria: dict[str, str] = {}  # requirement → digest of its terms when the attempt started
    withheld: str = ""  # by whom and why an artifact it stands on was erased
    logged_at: str = ""  # when the log recorded the evidence, by its own word; empty in dossiers of before it stood there


class Absent(msgspec.Struct, frozen=True):
    """Expected by the rules or the plan, and not there."""

    name: str
    kind: str
    service: str
    why: str


class Finding(msgspec.Struct, frozen=True):
    """What the change itself shows (`scope`, `authorship`, `criteria`), computed while assembling: judged like evidence, never stale."""

    name: str
    kind: str
    service: str
    verdict: str
    cause: str
    looked_at: int
    of: int | None
    facts: dict[str, Fact]
    counterexamples: tuple[Counterexample, ...]


class Drift(msgspec.Struct, frozen=True):
    """One fact beside the last released dossier's. `change_percent` is None where there is no comparison; `comparable` says why not."""

    service: str
    evidence: str
    fact: str
    unit: str
    before: int | float | bool | str | None
    after: int | float | bool | str | None
    change_percent: float | None
    direction: str  # better, worse, same, unknown
    samples_before: int | None
    samples_after: int | None
    comparable: str  # "" when comparable, else the reason
    baseline: str  # version of the release compared with, "" for none


class Owner(msgspec.Struct, frozen=True):
    """Who answers for a service."""

    service: str
    owners: tuple[str, ...]


class WaivedBefore(msgspec.Struct, frozen=True):
    """The releases in a row, newest first, up to the last one, that went out on a waiver of one requirement of one service."""

    service: str
    requirement: str
    versions: tuple[str, ...]


class LogPoint(msgspec.Struct, frozen=True):
    """The log up to and including the last statement this dossier holds: number of entries and RFC 6962 root."""

    size: int
    root: str


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """The set. `change_digest` is the change statement; `evidence` holds every attempt in log order, none left out."""

    change_digest: str
    change: Change
    evidence: tuple[Attempt, ...]
    findings: tuple[Finding, ...]
    absent: tuple[Absent, ...]
    drift: tuple[Drift, ...]
    risks: tuple[Risk, ...]
    owners: tuple[Owner, ...]
    rules: dict[str, Any]
    log: LogPoint
    waived_before: tuple[WaivedBefore, ...] = ()
