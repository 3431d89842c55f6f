"""How fast a service answered under a load, and how often it failed."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="latency",
    unit="requests",
    age_max=7 * DAY,
    about_data=False,
    proves="under this load, from this generator, the service answered so fast and failed so often",
    does_not_prove="any other load, machine or data; a figure measured beside its generator is a shape, not a capacity",
    facts=(
        ("latency_p50", "ms", "half of the requests were faster"),
        ("latency_p95", "ms", "95 % of the requests were faster"),
        ("latency_max", "ms", "the slowest request"),
        ("error_rate", "ratio", "requests that failed"),
        ("checks_rate", "ratio", "checks that held"),
        ("requests", "requests", "requests sent"),
        ("throughput", "1/s", "requests a second"),
    ),
    formats=("k6-summary", "load-dossier"),
)
