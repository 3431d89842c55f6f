"""The kinds of evidence there are. To add one: a file here with its `KIND`, and a line in each of the two lists below, by the alphabet."""

from __future__ import annotations

from release_dossier.errors import Refused
from release_dossier.evidence.kind import Kind, page, schema
from release_dossier.evidence.kinds import (
    alert_coverage,
    api_contract,
    benchmarks,
    coverage,
    database,
    incidents,
    latency,
    ledger_invariants,
    migrations,
    observability,
    payouts,
    profile,
    provenance,
    readiness,
    replay_protection,
    review,
    sbom,
    static_analysis,
    tests,
    topology,
    vulnerabilities,
)

KINDS: tuple[Kind, ...] = (
    alert_coverage.KIND,
    api_contract.KIND,
    benchmarks.KIND,
    coverage.KIND,
    database.KIND,
    incidents.KIND,
    latency.KIND,
    ledger_invariants.KIND,
    migrations.KIND,
    observability.KIND,
    payouts.KIND,
    profile.KIND,
    provenance.KIND,
    readiness.KIND,
    replay_protection.KIND,
    review.KIND,
    sbom.KIND,
    static_analysis.KIND,
    tests.KIND,
    topology.KIND,
    vulnerabilities.KIND,
)
__all__ = ["KINDS", "Kind", "kind", "page", "schema"]


def kind(name: str) -> Kind:
    """The kind of this name.

    Raises:
        Refused: `kind.unknown`.
    """
    found = next((k for k in KINDS if k.name == name), None)
    if found is None:
        raise Refused("kind.unknown", at="kind", found=name, expected=", ".join(k.name for k in KINDS), help="dossier evidence kinds")
    return found
