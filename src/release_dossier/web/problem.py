"""Failures over HTTP: RFC 9457, with the same four things a refusal says on the command line."""

from __future__ import annotations

from typing import Any

import msgspec

from release_dossier.errors import Corrupt, DossierError, Misuse, Refused, Unavailable

MEDIA_TYPE = "application/problem+json"
MACHINES = ("/api/", "/healthz", "/readyz", "/metrics", "/badges/", "/schemas")  # where a problem is the answer, and not a page
# What HTTP has a word of its own for; every other refusal has the status of its family.
STATUSES = {
    "access.unauthenticated": 401,
    "access.login": 401,
    "access.forbidden": 403,
    "access.origin": 403,
    "access.person": 403,
    "access.host": 421,
    "access.rate": 429,
    "api.too-large": 413,
    "api.slow": 408,
    "api.internal": 500,
    "api.media": 415,
    "api.method": 405,
    "api.unknown": 404,
    "api.key-reused": 409,
    "api.changed": 409,
    "digest.unknown": 404,
    "page.unknown": 404,
    "release.version-taken": 409,
    "release.tag-exists": 409,
    "tile.path": 404,
}
_FAMILIES = ((Refused, 422), (Misuse, 400), (Unavailable, 503), (Corrupt, 500))


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457 members, and the four things: code, at, found, expected; help is the next thing to do, empty for none."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    at: str
    found: str
    expected: str
    help: str
    request_id: str = ""


def status_of(error: DossierError) -> int:
    """The HTTP status of a refusal."""
    known = STATUSES.get(error.code)
    return known or next((status for family, status in _FAMILIES if isinstance(error, family)), 500)


def problem(error: DossierError, request_id: str = "") -> Problem:
    """The refusal as a problem."""
    said: dict[str, Any] = error.as_json()["error"]
    return Problem(
        type=f"/refusals#{error.code}", title=error.code, status=status_of(error), detail=str(error), request_id=request_id, **said
    )


def body_of(error: DossierError, request_id: str = "") -> bytes:
    """That, as JSON."""
    return msgspec.json.encode(problem(error, request_id))
