"""Whether a running system says of itself that it is ready."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="readiness",
    unit="checks",
    age_max=DAY,
    about_data=False,
    proves="when it was asked, the system said that these parts of it were well",
    does_not_prove="that what it does not check is well, or that it was well a minute later",
    facts=(
        ("checks", "checks", "the answer names"),
        ("checks_passed", "checks", "of them well"),
        ("containers", "containers", "that there are"),
        ("containers_running", "containers", "of them running"),
        ("containers_probed", "containers", "of them with a health check"),
        ("live", "flag", "it says that it is alive"),
        ("ready", "flag", "it says that it takes requests"),
        ("request_failures", "requests", "that failed since it started"),
        ("db_connections_open", "connections", "of its pool"),
        ("db_connections_max", "connections", "its pool may have"),
        ("db_waits", "requests", "that waited for a connection since it started"),
        ("db_wait", "ms", "they waited, together"),
    ),
    formats=("compose-ps", "health", "ops-status"),
)
