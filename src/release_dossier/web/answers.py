"""What the API answers, as structs: the description (OpenAPI) is made from them, and every answer is one of them."""

from __future__ import annotations

from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the log: `n` counts from 0, `key` is what the statement is found under."""

    n: int
    at: str
    type: str
    digest: str
    change: str
    key: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A signed statement. What `predicate` holds is described by the schema of its `type`."""

    digest: str
    type: str
    log_index: int
    logged_at: str
    signed_by: tuple[str, ...]
    predicate: dict[str, Any]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """DSSE 1.0.2: the statement's bytes in base64, and the signatures over them."""

    payload: str
    payloadType: str
    signatures: tuple[dict[str, Any], ...]


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the log. `next` is the cursor of the next page, empty at the end."""

    items: tuple[Entry, ...]
    next: str


class EvidenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of evidence as lists show it."""

    n: int
    digest: str
    change: str
    name: str
    kind: str
    service: str
    environment: str
    verdict: str
    attempt: int
    producer: str
    imported_by: str | None
    looked_at: int
    of: int | None
    observed_at: str
    expires_at: str


class EvidenceRows(msgspec.Struct, frozen=True, kw_only=True):
    """A page of them."""

    items: tuple[EvidenceRow, ...]
    next: str


class UnmetRow(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement that does not let through."""

    id: str
    state: str
    kind: str


class ReleaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A release as the list shows it: a service at a version, and what its newest round came to."""

    name: str
    service: str
    version: str
    status: str
    worst: str
    unmet: tuple[UnmetRow, ...]
    denied: tuple[str, ...]
    waived: int
    counts: dict[str, int]
    signed: int
    needed: int
    owner: str
    branch: str
    head: str
    issue: str
    issue_title: str
    objective: str
    opened_at: str
    updated_at: str
    decided_at: str
    released_at: str
    valid_until: str
    fresh_from: str
    fresh_until: str
    fresh_what: str
    age: str
    change: str
    dossier: str
    decision: str
    release: str
    tag: str
    commit: str
    label: str
    detail: str
    undecided_since: tuple[str, ...]


class ReleaseRows(msgspec.Struct, frozen=True, kw_only=True):
    """A page of releases, how many there are in all, and for each filter what each value would leave."""

    items: tuple[ReleaseRow, ...]
    total: int
    facets: dict[str, dict[str, int]]
    next: str


class ServiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A service of the project."""

    name: str
    criticality: str
    owners: tuple[str, ...]
    tag: str


class ProjectCard(msgspec.Struct, frozen=True, kw_only=True):
    """The project: identity, services, evidence it plans, where it may send to, and how long its log is."""

    name: str
    project: str
    mode: str
    services: tuple[ServiceLine, ...]
    evidence: tuple[str, ...]
    destinations: tuple[str, ...]
    log_size: int
    version: str
    you: str
    may: tuple[str, ...]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6962 inclusion of one statement: hashes in hex, `root` as sha256:…"""

    digest: str
    index: int
    size: int
    root: str
    path: tuple[str, ...]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What was handed in: the job, what it recorded, and item by item what was refused."""

    job: str
    state: str
    evidence: tuple[dict[str, Any], ...]
    refused: tuple[dict[str, str], ...]
    notes: tuple[str, ...]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was kept."""

    digest: str
    bytes: int


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was opened, as `dossier open --json` shows it."""

    change: dict[str, Any]
    warnings: tuple[str, ...]


class Assembled(msgspec.Struct, frozen=True, kw_only=True):
    """A dossier, as `dossier assemble --json` shows it."""

    dossier: dict[str, Any]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, as `dossier gate --json` shows it."""

    decision: dict[str, Any]


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """Words to be signed. `statement` is their digest, `message` what an SSH key signs (base64), `command` how.

    Hand back `at` and `statement` with the signature. Where `recorded` is set, somebody has said so already.
    """

    word: str
    at: str
    statement: str
    message: str
    record: dict[str, Any]
    command: str
    recorded: str


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody signed, as it was recorded."""

    digest: str
    word: str
    record: dict[str, Any]


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """What was released; empty where it was denied, with the decision that says why."""

    releases: tuple[dict[str, Any], ...]
    decision: dict[str, Any]


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """What runs where, as it was recorded."""

    deployment: dict[str, Any]


class Postures(msgspec.Struct, frozen=True, kw_only=True):
    """What stands, as `dossier posture --json` shows it."""

    posture: tuple[dict[str, Any], ...]
    hypothetical: bool


class Payloads(msgspec.Struct, frozen=True, kw_only=True):
    """A payload, as `dossier payload --json` shows it."""

    audience: str
    dossier: str
    digest: str
    bytes: int
    included: tuple[dict[str, Any], ...]
    withheld: tuple[dict[str, Any], ...]
    payload: dict[str, Any]
    signature: str


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a delivery."""

    n: int
    began: str
    ended: str
    outcome: str
    status: int
    detail: str


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery and its tries. `outcome` is queued, interrupted, failed (again after `next_at`), refused or delivered."""

    id: str
    destination: str
    kind: str
    audience: str
    dossier: str
    queued_at: str
    outcome: str
    next_at: str
    tries: tuple[Try, ...]


class Deliveries(msgspec.Struct, frozen=True, kw_only=True):
    """Every delivery, newest first, a page at a time."""

    items: tuple[Sent, ...]
    next: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two dossiers side by side, as `dossier compare --json` shows them."""

    a: str
    b: str
    scope: dict[str, Any]
    evidence: tuple[dict[str, Any], ...]
    evidence_same: int
    facts: tuple[dict[str, Any], ...]
    rules: dict[str, Any]
    owners: dict[str, Any]
    risks: dict[str, Any]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What a README needs; also what shields.io reads from an address."""

    schemaVersion: int
    label: str
    message: str
    color: str
    isError: bool
    service: str
    version: str
    status: str
    unmet: tuple[str, ...]
    valid_until: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it lives, or is ready, and why not."""

    status: str
    checks: dict[str, str]


class SchemaNames(msgspec.Struct, frozen=True, kw_only=True):
    """The schemas there are, by address."""

    schemas: tuple[str, ...]


ANSWERS: tuple[type, ...] = (
    Entry, Document, Envelope,
    Documents, EvidenceRow, EvidenceRows, ReleaseRow, ReleaseRows, ProjectCard, Proof, Recorded, Kept, Opened, Assembled,
    Decided, Drafted, Signed, Released, Deployed, Postures, Payloads, Sent, Deliveries, Comparison, Status, Health, SchemaNames,
)  # fmt: skip
