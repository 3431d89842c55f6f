"""Evidence as signed: a reading, and everything needed to ask whether it still counts.

`started` precedes every attempt, so that an attempt that was killed or whose result was thrown away still counts. Three times
are kept apart: `observed_at` when the thing happened, `collected_at` when we read it, `recorded_at` when it was signed.
"""

from __future__ import annotations

import msgspec

from release_dossier.evidence.reading import Counterexample, Coverage, Fact


class Artifact(msgspec.Struct, frozen=True):
    """A file anyone can open: name as produced, digest, size in bytes."""

    name: str
    digest: str
    bytes: int
    media_type: str


class Producer(msgspec.Struct, frozen=True):
    """Who made the evidence: the producer's id in the trust document, its key, and for imports the person or machine that brought it."""

    id: str
    key: str
    imported_by: str | None


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt begins. Attempts are numbered from 1 per change, evidence name, service and fingerprint."""

    change: str
    name: str
    kind: str
    service: str
    environment: str
    fingerprint: str
    attempt: int
    previous: str | None  # digest of the `started` of attempt - 1, so that a gap shows
    started_at: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One statement about one subject by one producer."""

    change: str
    started: str  # digest of its `started`
    name: str
    kind: str
    service: str
    environment: str
    fingerprint: str
    commit: str
    tree: str
    attempt: int
    verdict: str
    cause: str
    infrastructure: bool  # the attempt failed for reasons outside what it looks at (tool missing, time limit, no output)
    looked_at: int
    of: int | None
    coverage: tuple[Coverage, ...]
    facts: dict[str, Fact]
    counterexamples: tuple[Counterexample, ...]
    counterexamples_total: int
    limits: tuple[str, ...]
    format: str
    tool: str
    tool_version: str
    command: tuple[str, ...]
    exit_status: int | None
    isolation: str  # namespace, process or none (imported)
    written_by: str  # the build that wrote the data looked at, "" when unknown
    producer: Producer
    observed_at: str
    collected_at: str
    recorded_at: str
    age_max_s: int
    expires_at: str
    artifacts: tuple[Artifact, ...]
