"""A Prometheus server asked over HTTP, its answers recorded as they came: what `prometheus-recording` reads, now or in a year.

1. Every question is a GET of its API (`query_range`, `rules`, `alerts`, `targets`); nothing is changed there.
2. The recording names its window and ends with a line that counts its answers: one that was cut can be told.
3. An answer that did not come is recorded as such, with why. One question that fails stops no other; where none is answered, nobody is
   there, and nothing is recorded.
4. Credentials go in a header, come from a variable the caller names, and stand in no recording; the address must hold none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from release_dossier.digest import canonical, parse_json
from release_dossier.errors import DossierError, Refused, Unavailable
from release_dossier.limits import EVIDENCE_LINE_BYTES_MAX
from release_dossier.sources.outside import request

VERSION = 1
_SECONDS = 60.0  # for one answer
_PARTS = ("rules", "alerts", "targets")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask: name → PromQL, and the window, in whole seconds since 1970."""

    queries: Mapping[str, str]
    start_s: int
    end_s: int
    step_s: int


def record(address: str, asked: Asked, *, token: str = "", user_agent: str = "release-dossier") -> bytes:
    """The recording, one JSON object a line.

    Args:
        address: of the server, `https://host[:port][/prefix]`; http too, because a Prometheus mostly stands inside.
        token: of a bearer, empty for none.

    Raises:
        Refused: `prometheus.window` when the window is none; `outside.*` when the address may not be asked. Unavailable:
            `prometheus.no-answer`: nothing that was asked was answered.
    """
    if not 0 < asked.step_s <= asked.end_s - asked.start_s:
        found = f"from {asked.start_s} to {asked.end_s} in steps of {asked.step_s} s"
        raise Refused("prometheus.window", at="window", found=found, expected="an end after the beginning, and a step that fits")
    headers = {"user-agent": user_agent, "accept": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    base = address.rstrip("/")
    window = {"start": asked.start_s, "end": asked.end_s, "step": asked.step_s}
    build = _ask(f"{base}/api/v1/status/buildinfo", headers)
    rows: list[dict[str, Any]] = [{"prometheus_recording": VERSION, "server": _shown(base), "version": _version(build), **window}]
    for name, query in sorted(asked.queries.items()):
        url = f"{base}/api/v1/query_range?{urlencode({'query': query, **window}, quote_via=quote)}"
        rows.append({"name": name, "query": query, **_ask(url, headers)})
    for part in _PARTS:
        rows.append({"part": part, **_ask(f"{base}/api/v1/{part}", headers)})
    if not any("body" in row for row in (build, *rows)):
        raise Unavailable("prometheus.no-answer", at=base, found=build["error"], expected="answers of a Prometheus server")
    rows.append({"answers": len(rows) - 1})
    return b"".join(msgspec.json.encode(row, order="sorted") + b"\n" for row in rows)


def _ask(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """`status` and `body` of an answer, or `error`: why there is none.

    Raises:
        Refused: `outside.address`, `outside.private`: this address may not be asked at all.
    """
    try:
        answer = request("GET", url, headers, private=True, follow=False, seconds=_SECONDS, bytes_max=EVIDENCE_LINE_BYTES_MAX // 2)
        body = parse_json(answer.body, "answer", EVIDENCE_LINE_BYTES_MAX)
        canonical(body)
    except Refused as e:
        if e.code in ("outside.address", "outside.private"):
            raise
        return {"error": f"{e.code}: {e.found}"}
    except DossierError as e:
        return {"error": f"{e.code}: {e.found}"}
    return {"status": answer.status, "body": body}


def _version(answer: dict[str, Any]) -> str:
    body = answer.get("body")
    data = body.get("data") if isinstance(body, dict) else None
    version = data.get("version") if isinstance(data, dict) else None
    return version if isinstance(version, str) else ""


def _shown(base: str) -> str:
    return base.partition("://")[2] or base
