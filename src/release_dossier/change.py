"""The Change: what is proposed to ship, frozen when it opens.

Times are RFC 3339 UTC with `Z`. Paths are relative to the repository's root with `/`. Commits are full object names.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Risk(msgspec.Struct, frozen=True, omit_defaults=True):
    """A risk somebody declared (`declared`) or a tool found (`found`). Severity is low, medium, high or unknown."""

    id: str
    text: str
    severity: str = "unknown"
    owner: str = ""
    mitigation: str = ""
    source: str = "declared"


class Author(msgspec.Struct, frozen=True):
    """Who wrote a commit: git's free text, and the person it is bound to by a signature of a trusted key, else None.

    With `how` "platform" a platform's word binds them: it verified a signature by their account (`vouched`). A co-author is bound by the
    word of the commit's signer, when the trust document lists the address for a person. `claims` is the person an address is listed for
    who is not the one bound: it proves nothing, and keeps that person from approving all the same.
    """

    name: str
    email: str
    person: str | None
    commits: int
    how: str = "author"
    claims: str = ""


class ChangedService(msgspec.Struct, frozen=True):
    """A service the change touches: the version it is to become and the fingerprint of what would ship."""

    name: str
    version: str
    fingerprint: str
    criticality: str
    owners: tuple[str, ...]


class Issue(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the scope comes from."""

    title: str
    number: int | None = None
    url: str = ""
    source: str = ""


class Scope(msgspec.Struct, frozen=True):
    """How the issue's words bind files: every changed file is in scope, out of scope (touched all the same) or bound by no line."""

    verdict: str  # pass: all files bound and none out of scope; fail: an out-of-scope path touched; inconclusive: a file no line binds
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    unbound: tuple[str, ...]
    unmapped: tuple[str, ...]  # lines that bind no path


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The frozen proposal. `criteria` is the commit settings and rules were read from (merge-base with the protected branch)."""

    id: str
    project_name: str
    mode: str  # solo, team, or retrospective: put together after it shipped, under criteria that came later
    adopted: bool  # whether the project's settings stand on its protected branch; if not, nothing is ever allowed
    issue: Issue
    branch: str
    owner: str
    authors: tuple[Author, ...]
    base: str
    head: str
    tree: str
    criteria: str
    criteria_digest: str  # SHA-256 of dossier.toml at `criteria`
    objective: str
    in_scope: tuple[str, ...]
    out_of_scope: tuple[str, ...]
    features: tuple[str, ...]
    services: tuple[ChangedService, ...]
    files: tuple[str, ...]
    scope: Scope
    risks: tuple[Risk, ...]
    rules: dict[str, Any]  # what `rules.packs.freeze` returned: the requirements and approvals in force, per service
    rule_changes: tuple[str, ...]  # lines of dossier.toml the branch itself changes; shown, never in force
    opened_at: str
