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
        ("latency_p75", "ms", "75 % of the requests were faster"),
        ("latency_p90", "ms", "90 % of the requests were faster"),
        ("latency_p95", "ms", "95 % of the requests were faster"),
        ("latency_p99", "ms", "99 % of the requests were faster"),
        ("latency_max", "ms", "the slowest request"),
        ("latency_mean", "ms", "the average over all requests"),
        ("error_rate", "ratio", "requests that failed"),
        ("checks_rate", "ratio", "checks that held"),
        ("requests", "requests", "requests sent"),
        ("throughput", "1/s", "requests a second"),
        ("target_rate", "1/s", "requests a second that were asked for"),
        ("load_generator", "words", "where the load came from; `shared`: from the server's own machine"),
        ("topology", "words", "what the service ran on, and how many of it"),
        ("machine", "words", "the size of the machine: another size is another topology"),
        ("runs", "runs", "a report tells of"),
        ("runs_passed", "runs", "of them passed, as its author says"),
    ),
    formats=(
        "capacity-report",
        "gatling",
        "gatling-log",
        "hey",
        "jmeter-csv",
        "jmeter-xml",
        "k6-stream",
        "k6-summary",
        "load-dossier",
        "locust",
        "vegeta",
        "wrk",
    ),
)
