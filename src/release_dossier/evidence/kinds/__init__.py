"""The kinds of evidence there are. To add one: a file here with its `KIND`, and a line in each of the two lists below, by the alphabet."""

from __future__ import annotations

from collections.abc import Sequence

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
from release_dossier.project import OwnKind

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


def kind(name: str, own: Sequence[OwnKind] = ()) -> Kind:
    """The kind of this name: one of these, one of the project's own, or one that a plugged reader brings.

    Raises:
        Refused: `kind.unknown`; `kind.taken` when the project's own bears the name of another.
    """
    found = next((k for k in KINDS if k.name == name), None)
    mine = next((k for k in own if k.name == name), None)
    if mine is not None:
        from release_dossier.evidence.own import kind_of

        if found is not None:
            raise Refused("kind.taken", at=f"[[kind]] {name}", found="a kind of this name is there already", expected="another name")
        return kind_of(mine)
    if found is None:
        from release_dossier.evidence.readers.plugged import kinds_plugged

        found = next((k for k in kinds_plugged() if k.name == name), None)
    if found is None:
        known = ", ".join([*(k.name for k in KINDS), *(k.name for k in own)])
        raise Refused("kind.unknown", at="kind", found=name, expected=known, help="dossier evidence kinds")
    return found
