"""Whether clients of the last release can go on using this one."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="api-contract",
    unit="operations",
    age_max=30 * DAY,
    about_data=False,
    proves="between these two descriptions of the API nothing that a client could rely on went away",
    does_not_prove="that the server does what its description says; a handler can change under an unchanged description",
    facts=(
        ("operations", "operations", "in the new description"),
        ("operations_base", "operations", "in the base's"),
        ("operations_added", "operations", "that the base has not"),
        ("operations_removed", "operations", "that only the base has"),
        ("operations_broken", "operations", "with at least one breaking change"),
        ("breaking", "changes", "a client that keeps to the base can notice"),
        ("risky", "changes", "that a client may notice"),
        ("entries", "changes", "in the tool's list"),
        ("paths", "paths", "in the new description"),
        ("schemas", "schemas", "in the new description"),
        ("cases", "requests", "sent by a tool that tries the API against its description"),
        ("failures", "failures", "of the API against its description"),
    ),
    formats=("dredd", "oasdiff", "openapi", "schemathesis"),
)
