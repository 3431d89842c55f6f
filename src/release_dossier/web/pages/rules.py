"""The rules of a service as they stand on the protected branch: each line and where it came from."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from release_dossier.errors import Refused
from release_dossier.rules.packs import freeze, thaw
from release_dossier.web import views
from release_dossier.web.paper import page, place_of

router = APIRouter()


@router.get("/rules")
def rules(request: Request, service: str = "") -> Response:
    """The effective pack of one service; the first when none is asked for."""
    place = place_of(request)
    now = place.clock()
    ground = place.ground()
    services = list(ground.settings.service) if ground.settings else []
    chosen = next((s for s in services if s.name == service), None if service else next(iter(services), None))
    if service and chosen is None:
        raise Refused("page.filter", at="service", found=service, expected=", ".join(s.name for s in services) or "a service")
    frozen = None
    if chosen is not None and ground.settings is not None:
        frozen = thaw(freeze(ground.settings.rules, [(chosen.name, chosen.criticality, chosen.owners)]))
    owners = [p.id for p in ground.world.trust.document.people if "rule-owner" in p.roles]
    return page(
        request,
        "rules.html",
        now,
        section="/rules",
        title=f"Rules of {chosen.name}" if chosen else "Rules",
        services=services,
        chosen=chosen,
        frozen=frozen,
        owners=owners,
        branch=ground.world.pin.protected_branch,
        words=views.rule_words,
    )
