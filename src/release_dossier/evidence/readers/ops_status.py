"""SocialPredict's `/ops/status`: alive, ready, how many requests failed, and its pool of database connections. One answer at one moment."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers.given import Given, mapping, numbers, whole_json, without
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example

NAME = "ops-status"
_WAIT_RATIO = 1e6  # nanoseconds of a millisecond


def recognises(head: bytes) -> bool:
    """Its flags and its pool."""
    return {"live", "ready", "dbPool", "requestFailuresTotal"} <= outline(head).keys()


def read(stream: IO[bytes], given: Given) -> Reading:
    """The flags decide; the rest are facts.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    status = mapping(whole_json(stream), "file")
    pool = mapping(status.get("dbPool"), "dbPool")
    waited = pool.get("waitDurationNanoseconds")
    said = {
        "request_failures": (status.get("requestFailuresTotal"), "requests"),
        "db_connections_open": (pool.get("openConnections"), "connections"),
        "db_connections_in_use": (pool.get("inUseConnections"), "connections"),
        "db_connections_max": (pool.get("maxOpenConnections"), "connections"),
        "db_waits": (pool.get("waitCount"), "requests"),
        "db_wait": (waited / _WAIT_RATIO if isinstance(waited, int) and not isinstance(waited, bool) else None, "ms"),
    }
    flags = {k: status.get(k) for k in ("live", "ready")}
    known = {k: v for k, v in flags.items() if isinstance(v, bool)}
    bad = [example(f"it says that it is not {k}", k) for k, v in known.items() if not v]
    facts = numbers(said)
    verdict: Any = "fail" if bad else "pass" if len(known) == len(flags) else "inconclusive"
    return Reading(
        kind="readiness",
        format=NAME,
        verdict=verdict,
        looked_at=len(known),
        of=len(flags),
        cause="it does not say whether it is alive and ready" if verdict == "inconclusive" else "",
        counterexamples=tuple(bad),
        counterexamples_total=len(bad),
        facts={k: Fact(v, "flag") for k, v in known.items()} | facts,
        limits=(*without(said, facts), "counters since its last start; an answer that never came is in no file"),
        tool="socialpredict",
    )
