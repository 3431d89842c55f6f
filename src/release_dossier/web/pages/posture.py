"""What stands where: service by environment, until when, and what watches it."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from release_dossier.posture import Standing
from release_dossier.steps.deploy import posture as stand
from release_dossier.web import views
from release_dossier.web.paper import page, place_of, release_address

router = APIRouter()


@router.get("/posture")
def posture(request: Request) -> Response:
    """The matrix, and each standing whole."""
    place = place_of(request)
    now = place.clock()
    place.catalog.refresh()
    settings = place.ground().settings
    world = place.world()
    lines = [_line(s) for s in stand(world, world.now)]
    services = list(dict.fromkeys([s.name for s in settings.service] if settings else [])) + sorted({x["service"] for x in lines})
    services = list(dict.fromkeys(services))
    places = sorted({x["environment"] for x in lines if x["environment"]})
    if any(not x["environment"] for x in lines):
        places.append("")
    cells = {(x["service"], x["environment"]): x for x in lines}
    watched = {o.service: True for o in (settings.objective if settings else ()) if o.alerts}
    return page(
        request,
        "posture.html",
        now,
        section="/posture",
        title="Posture",
        services=services,
        places=places,
        cells=cells,
        lines=lines,
        watched=watched,
        objectives=_objectives(settings),
        span=lambda x: views.freshness("", x["valid_until"], now),
    )


def _line(s: Standing) -> dict[str, Any]:
    state = "valid" if s.standing == "valid" else "lapsed" if s.standing.startswith("expired") else "withdrawn"
    state = {"unproven": "missing", "unreadable": "unreadable"}.get(s.standing.partition(":")[0], state)
    line: dict[str, Any] = msgspec.to_builtins(s)
    return {**line, "state": state, "address": release_address(s.service, s.version) if s.dossier else ""}


def _objectives(settings: Any) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for o in settings.objective if settings else ():
        out.setdefault(o.service, []).append(o)
    return out
