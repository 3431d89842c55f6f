"""What a release is made of: components, their licences, and what changed since the last one."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="sbom",
    unit="components",
    age_max=30 * DAY,
    about_data=False,
    proves="these components were found in what ships, with these versions and licences",
    does_not_prove="that nothing else is in it: each tool counts another scope, and what it did not recognise it does not list",
    facts=(
        ("components", "components", "listed at the top"),
        ("components_all", "components", "those inside of others too"),
        ("components_licensed", "components", "of those at the top with a declared licence"),
        ("components_identified", "components", "of those at the top with a package URL, CPE, hash or the like"),
        ("licences", "licences", "that differ"),
        ("dependencies", "relations", "between components"),
        ("components_added", "components", "that the last release did not have"),
        ("components_removed", "components", "that only the last release had"),
        ("components_changed", "components", "in another version than in the last release"),
        ("added", "words", "which came"),
        ("removed", "words", "which went"),
        ("changed", "words", "which changed, from what to what"),
    ),
    formats=("cyclonedx", "cyclonedx-xml", "spdx", "spdx-tag-value", "spdx3", "syft-json"),
)
