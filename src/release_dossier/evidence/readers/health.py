"""Health answers: `application/health+json`, Spring's actuator, `{"status": "ok"}`, Kubernetes' `readyz?verbose`. One moment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any

from release_dossier.evidence.readers.given import Given, lines, mapping, whole_json, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example, first
from release_dossier.limits import JSON_DEPTH_MAX

NAME = "health"
_GOOD = frozenset(["pass", "ok", "up", "healthy", "ready", "green", "serving", "available", "alive"])
_BAD = frozenset(["fail", "down", "error", "unhealthy", "critical", "red", "out_of_service", "not ready", "unavailable", "not_serving"])
_WORDS = _GOOD | _BAD | {"warn", "degraded", "warning", "yellow", "unknown", "starting"}
_LINE = re.compile(rb"\[([+-])\](\S+) (.*)")
_PARTS = ("checks", "components", "details", "results", "entries", "dependencies", "services")
_ALONE = {"status", "version", "releaseId", "serviceId", "description", "output", "notes", "links", "time", "timestamp", "uptime", *_PARTS}


def recognises(head: bytes) -> bool:
    """A status in the words of health, beside nothing that another answer has; or Kubernetes' lines."""
    if _LINE.match(head.lstrip()):
        return True
    keys = outline(head)
    names = {k for k in keys if k and "." not in k and "[" not in k}
    return keys.get("status", "").lower() in _WORDS and names <= _ALONE


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every check the answer names, and itself. `checks` declares which must be named.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    start = stream.read(1)
    stream.seek(0)
    found = list(_lines(stream)) if start == b"[" else list(_json(mapping(whole_json(stream), "file"), "", 0))
    bad = [example(f"{name or 'it'} says {status}", name) for name, status in found if status in _BAD]
    odd = [f"{name or 'it'} says {status or 'nothing'}" for name, status in found if status not in _GOOD | _BAD]
    named = {name.rpartition(".")[2] for name, _ in found} | {name for name, _ in found}
    odd += [f"check {n} is declared and not named" for n in given.declared("checks") if n not in named]
    verdict: Any = "fail" if bad else "missing" if not found else "inconclusive" if odd else "pass"
    return Reading(
        kind="readiness",
        format=NAME,
        verdict=verdict,
        looked_at=sum(status in _GOOD | _BAD for _, status in found),
        of=len(found) or None,
        cause="" if verdict in ("pass", "fail") else "; ".join(odd[:5]) or "no status",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={"checks": Fact(len(found), "checks"), "checks_passed": Fact(sum(s in _GOOD for _, s in found), "checks")},
        limits=("what it does not check is not in it",),
        tool="health",
    )


def _json(value: dict[str, Any], at: str, depth: int) -> Iterator[tuple[str, str]]:
    """(name, status in lower case) of an answer and its parts; of a list under a name every entry counts."""
    if "status" in value:
        yield at, word(value.get("status")).lower()
    for part in _PARTS if depth < JSON_DEPTH_MAX else ():
        inside = value.get(part)
        for name, each in inside.items() if isinstance(inside, dict) else ():
            for one in each if isinstance(each, list) else [each]:
                if isinstance(one, dict):
                    yield from _json(one, f"{at}.{name}".strip("."), depth + 1)


def _lines(stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    for _, line in lines(stream):
        found = _LINE.match(line.strip())
        if found:
            yield found[2].decode("utf-8", "replace"), "ok" if found[1] == b"+" else "fail"
