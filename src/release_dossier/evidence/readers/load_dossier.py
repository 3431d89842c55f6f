"""SocialPredict's own load-test dossier 0.1.0, read as it is. Its `decision` is filled in by hand and decides; conditions are facts."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, count, numbers, whole_json, without
from release_dossier.evidence.reading import Fact, Reading, example

NAME = "load-dossier"
_WORDS = (
    ("scenario", "scenario"),
    ("environment", "environment"),
    ("app_topology", "appTopology"),
    ("database_topology", "databaseTopology"),
    ("droplet_size", "dropletSize"),
    ("load_generator", "loadGenerator"),
)


def recognises(head: bytes) -> bool:
    """An object of this schema."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and b'"schemaVersion"' in head and b'"loadGenerator"' in head


def read(stream: IO[bytes], given: Given) -> Reading:
    """The figures and the decision.

    Raises:
        Refused: `load-dossier.version`, `load-dossier.shape`, `json.*`.
    """
    d = whole_json(stream)
    if not isinstance(d, dict) or d.get("schemaVersion") != "0.1.0":
        raise Refused(
            "load-dossier.version", at="schemaVersion", found=str(d.get("schemaVersion") if isinstance(d, dict) else d), expected="0.1.0"
        )
    results = d.get("results")
    if not isinstance(results, dict):
        raise Refused("load-dossier.shape", at="results", found=type(results).__name__, expected="an object")
    said = d.get("traffic")
    traffic: dict[str, Any] = said if isinstance(said, dict) else {}
    figures = {
        "latency_p50": (results.get("httpReqDurationP50Ms"), "ms"),
        "latency_p95": (results.get("httpReqDurationP95Ms"), "ms"),
        "error_rate": (results.get("errorRate"), "ratio"),
        "checks_rate": (results.get("checksRate"), "ratio"),
        "requests": (results.get("requestsTotal"), "requests"),
    }
    more = {
        "latency_p99": (results.get("httpReqDurationP99Ms"), "ms"),
        "bets_succeeded": (results.get("betsSucceeded"), "orders"),
        "bets_failed": (results.get("betsFailed"), "orders"),
        "rate_limited": (results.get("rateLimited"), "requests"),
        "target_rate": (traffic.get("targetBetRatePerSecond"), "1/s"),
    }
    facts = numbers(figures | more)
    missing = without(figures, facts)
    facts |= {name: Fact(d[key], "words") for name, key in _WORDS if isinstance(d.get(key), str) and d[key]}
    if isinstance(traffic.get("duration"), str):
        facts["duration"] = Fact(traffic["duration"], "words")
    looked_at = count(results.get("requestsTotal"))
    decision = d.get("decision")
    verdict: Any = "missing" if looked_at == 0 else decision if decision in ("pass", "fail") else "inconclusive"
    cause = {"missing": "no request was sent", "inconclusive": f"its decision is {decision!r}"}.get(verdict, "")
    if verdict == "pass" and (unfit := load.shared(str(d.get("loadGenerator", "")))):
        verdict, cause = "inconclusive", f"{unfit}: its figures are no capacity, whatever was decided"
    bad = [example(f"decided {decision} by hand", "decision")] if verdict == "fail" else []
    known = d.get("knownRisks")
    risks = [r for r in known if isinstance(r, str)] if isinstance(known, list) else []
    return Reading(
        kind="latency",
        format=NAME,
        verdict=verdict,
        looked_at=looked_at,
        of=looked_at or None,
        cause=cause,
        counterexamples=tuple(bad),
        counterexamples_total=len(bad),
        facts=facts,
        limits=("its decision was filled in by hand", *missing, *risks[:10]),
        tool="loadtest/dossier/summarize.mjs",
        observed_at=_utc(d.get("generatedAt")),
    )


def _utc(text: Any) -> str | None:
    return text if isinstance(text, str) and len(text) == 24 and text.endswith("Z") else None
