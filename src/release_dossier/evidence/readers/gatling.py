"""Gatling's report: `stats.json` (the whole, then each request) and `global_stats.json` (the whole alone)."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, mapping, whole, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "gatling"
_PERCENTILES = ("latency_p50", "latency_p75", "latency_p95", "latency_p99")  # percentiles1 to 4, as Gatling is set up unless told otherwise


def recognises(head: bytes) -> bool:
    """Numbers of requests that were OK and KO."""
    top = outline(head)
    return "numberOfRequests" in top or "stats.numberOfRequests" in top


def read(stream: IO[bytes], given: Given) -> Reading:
    """The figures of the whole, and which requests failed.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    d = mapping(whole_json(stream), "file")
    stats = mapping(d.get("stats"), "stats") if "stats" in d else d
    run = load.Run("Gatling")
    run.requests, run.failed = _requests(stats, "stats")
    for i, name in enumerate(_PERCENTILES, 1):
        run.figures[name] = (mapping(stats.get(f"percentiles{i}"), f"percentiles{i}").get("total"), "ms")
    run.figures["latency_max"] = (mapping(stats.get("maxResponseTime"), "maxResponseTime").get("total"), "ms")
    run.figures["latency_mean"] = (mapping(stats.get("meanResponseTime"), "meanResponseTime").get("total"), "ms")
    run.figures["throughput"] = (mapping(stats.get("meanNumberOfRequestsPerSecond"), "meanNumberOfRequestsPerSecond").get("total"), "1/s")
    seen = _inside(d, run)
    if seen is not None and seen != (run.requests, run.failed):
        run.broken.append(f"the whole says {run.failed} of {run.requests} failed, its requests {seen[1]} of {seen[0]}")
    run.limits.append("percentiles as Gatling computed them, the 50th, 75th, 95th and 99th unless it was told otherwise")
    return load.reading(NAME, run, given)


def _requests(stats: dict[str, Any], at: str) -> tuple[int, int]:
    said = mapping(stats.get("numberOfRequests"), f"{at}.numberOfRequests")
    total, good, bad = (whole(said.get(k)) for k in ("total", "ok", "ko"))
    if total is None or good is None or bad is None or good + bad != total:
        wrong_shape(f"{at}.numberOfRequests", str(said), "total, ok and ko that add up")
    return total, bad


def _inside(d: dict[str, Any], run: load.Run) -> tuple[int, int] | None:
    """(requests, failed) of the requests inside; None where the file has only the whole."""
    contents = d.get("contents")
    if not isinstance(contents, dict):
        return None
    total = bad = 0
    for key, entry in contents.items():
        part = mapping(entry, f"contents.{key}")
        if part.get("type") == "GROUP":
            inner = _inside(part, run)
            if inner:
                total, bad = total + inner[0], bad + inner[1]
            continue
        of, failed = _requests(mapping(part.get("stats"), f"contents.{key}.stats"), f"contents.{key}.stats")
        total, bad = total + of, bad + failed
        if failed:
            run.errors.append((failed, f"of {of} failed", word(part.get("name")) or key))
    return total, bad
