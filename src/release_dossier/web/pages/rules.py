"""The rules of a service as they stand on the protected branch: each line and where it came from, what a proposal would change in the
past, and one requirement explained on one dossier. What is judged here is judged by the steps, as the command line would, and stored
nowhere."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from release_dossier.errors import Refused
from release_dossier.rules.packs import freeze, thaw
from release_dossier.steps.rules import explain_one, in_force, proposal, simulate_all
from release_dossier.web import views
from release_dossier.web.paper import page, place_of, release_address

router = APIRouter()
SIMULATED_MAX = 100  # dossiers that would be judged otherwise, listed; what is beyond is counted


@router.get("/rules")
def rules(request: Request, service: str = "") -> Response:
    """The effective pack of one service; the first when none is asked for."""
    place = place_of(request)
    now = place.clock()
    ground = place.ground()
    world, settings = ground.world, ground.settings
    services = list(settings.service) if settings else []
    chosen = next((s for s in services if s.name == service), None if service else next(iter(services), None))
    if service and chosen is None:
        raise Refused("page.filter", at="service", found=service, expected=", ".join(s.name for s in services) or "a service")
    frozen, lines = None, {}
    if chosen is not None and settings is not None:
        ref = world.protected_ref() if world.repo.exists(world.protected_ref()) else "HEAD"
        frozen = thaw(freeze(settings.rules, [(chosen.name, chosen.asked, chosen.owners)], lambda name: world.repo.file_at(ref, name)))
        effective = in_force(settings, lambda name: world.repo.file_at(ref, name))
        lines = {e.requirement.id: e.lines for e in effective if e.requirement.service == chosen.name}
    return page(
        request,
        "rules.html",
        now,
        section="/rules",
        title=f"Rules of {chosen.name}" if chosen else "Rules",
        services=services,
        chosen=chosen,
        frozen=frozen,
        lines=lines,
        owners=[p.id for p in world.trust.document.people if "rule-owner" in p.roles],
        branch=world.pin.protected_branch,
        words=views.rule_words,
    )


@router.get("/rules/simulate")
def simulate(request: Request, ref: str = "") -> Response:
    """The rules of a branch or commit over every stored dossier: which would have been judged otherwise, and why."""
    place = place_of(request)
    world = place.world()
    if not ref or ref.startswith("-"):
        raise Refused("page.filter", at="ref", found=ref or "nothing", expected="a branch or commit with a dossier.toml")
    found = simulate_all(world, *proposal(world, None, ref))
    rounds = {r.dossier: r for r in place.catalog.rounds.values() if r.dossier}
    moved = []
    for s in [s for s in found if s.moved][:SIMULATED_MAX]:
        r = rounds.get(s.dossier)
        where = release_address(r.service, r.version, change=r.change[7:23]) if r else f"/d/{s.dossier[7:]}"
        moved.append({"name": f"{r.service}@{r.version}" if r else s.services, "address": where, "s": s})
    return page(
        request,
        "simulate.html",
        world.now,
        section="/rules",
        title="A proposal on history",
        ref=ref,
        total=len(found),
        changed=sum(bool(s.moved) for s in found),
        tightened=sum(s.before and not s.after for s in found),
        loosened=sum(s.after and not s.before for s in found),
        moved=moved,
    )


@router.get("/explain/{digest}/{requirement}")
def explain(request: Request, digest: str, requirement: str, service: str = "") -> Response:
    """One requirement on one dossier as of now: the condition with its values, what was looked at, what would turn it green."""
    place = place_of(request)
    place.catalog.refresh()
    world = place.world()
    entry = place.catalog.find(digest)
    if entry.type != "dossier":
        raise Refused("page.unknown", at=digest, found=f"a {entry.type}", expected="a dossier")
    found, _ = explain_one(world, entry.digest, requirement, service or None)
    mine = [r for r in place.catalog.rounds.values() if r.dossier == entry.digest and r.service == found.service]
    releases = [{"name": f"{r.service}@{r.version}", "address": release_address(r.service, r.version, change=r.change[7:23])} for r in mine]
    return page(request, "explain.html", world.now, title=f"{requirement} explained", x=found, d=entry.digest, releases=releases)
