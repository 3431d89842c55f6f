"""The rules of a service as they stand on the protected branch: each line and where it came from, what a proposal would change in the
past, and one requirement explained on one dossier. What is judged here is judged by the steps, as the command line would, and stored
nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from release_dossier.errors import Refused
from release_dossier.project import SETTINGS_FILE, Settings, parse_settings
from release_dossier.rules.code import as_code, override
from release_dossier.rules.lint import Problem
from release_dossier.rules.packs import Read, freeze, thaw
from release_dossier.steps.rules import explain_one, in_force, lint_project, proposal, simulate_all
from release_dossier.steps.world import World
from release_dossier.web import views
from release_dossier.web.paper import address, page, place_of, release_address

router = APIRouter()
PROPOSAL_CHARS_MAX = 4_000  # characters of code in the address of a proposal: servers in between take 8,000 of an address
FORM = ("condition", "minimum_percent", "minimum_count", "age_max_s", "retries", "severity")  # keys the form changes; code changes any
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
    frozen, lines, problems = None, {}, tuple[Problem, ...]()
    if chosen is not None and settings is not None:
        ref = world.protected_ref() if world.repo.exists(world.protected_ref()) else "HEAD"
        frozen = thaw(freeze(settings.rules, [(chosen.name, chosen.asked, chosen.owners)], lambda name: world.repo.file_at(ref, name)))
        effective = in_force(settings, lambda name: world.repo.file_at(ref, name))
        problems = _mine(lint_project(world, settings, lambda name: world.repo.file_at(ref, name))[1], chosen.name)
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
        problems=problems,
        code={r.id: as_code(r) for r in frozen.requirements} if frozen else {},
        owners=_rule_owners(world),
        branch=world.pin.protected_branch,
        words=views.rule_words,
    )


@router.get("/rules/propose")
def propose(request: Request, service: str, id: str) -> Response:
    """A form's answers as code: the keys that differ from what is in force, for the page that tries them."""
    place = place_of(request)
    world = place.ground().world
    settings, _, read = _protected(world)
    mine = [e.requirement for e in in_force(settings, read) if (e.requirement.service, e.requirement.id) == (service, id)]
    if not mine:
        raise Refused("page.filter", at="id", found=f"{id} of {service}", expected="a requirement in force")
    said: dict[str, Any] = {}
    for key in FORM:
        now = getattr(mine[0], key)
        text = request.query_params.get(key, str(now)).strip()
        if isinstance(now, int) and not text.isdecimal():
            raise Refused("page.filter", at=key, found=text, expected="a whole number, 0 or more")
        new = int(text) if isinstance(now, int) else text
        said |= {key: new} if new != now else {}
    return RedirectResponse(address("/rules/simulate", code=override(id, service, said)), 303)


@router.get("/rules/simulate")
def simulate(request: Request, ref: str = "", code: str = "") -> Response:
    """Other rules over every stored dossier: those of a branch or commit, or those in force with `code` after them. Which would have been
    judged otherwise and why, and what lint says of them."""
    place = place_of(request)
    world = place.world()
    if code:
        settings, read = _with(world, code)
    elif ref and not ref.startswith("-"):
        settings, read = proposal(world, None, ref)
    else:
        raise Refused("page.filter", at="ref", found=ref or "nothing", expected="a branch or commit with a dossier.toml")
    found = simulate_all(world, settings, read)
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
        code=code,
        problems=lint_project(world, settings, read)[1],
        owners=_rule_owners(world),
        branch=world.pin.protected_branch,
        total=len(found),
        changed=sum(bool(s.moved) for s in found),
        tightened=sum(s.before and not s.after for s in found),
        loosened=sum(s.after and not s.before for s in found),
        moved=moved,
    )


def _protected(world: World) -> tuple[Settings, bytes, Read]:
    ref = world.protected_ref()
    commit = world.repo.resolve(ref if world.repo.exists(ref) else "HEAD", "--ref")
    found = world.settings_at(commit)
    if found is None:
        raise Refused("rules.no-settings", at=ref, found=f"no {SETTINGS_FILE}", expected="settings on the protected branch")
    return (*found, lambda name: world.repo.file_at(commit, name))


def _with(world: World, code: str) -> tuple[Settings, Read]:
    """The settings in force with lines after them.

    Raises:
        Refused: `page.filter` for too much, `settings.*` and `rules.*` for what is no rule.
    """
    if len(code) > PROPOSAL_CHARS_MAX:
        raise Refused("page.filter", at="code", found=f"{len(code)} characters", expected=f"at most {PROPOSAL_CHARS_MAX}")
    _, raw, read = _protected(world)
    return parse_settings(raw + b"\n\n" + code.replace("\r\n", "\n").encode(), f"{SETTINGS_FILE} with the proposal"), read


def _mine(problems: Iterable[Problem], service: str) -> tuple[Problem, ...]:
    """What lint says of one service's rules, its owners' approval among them, and of what is no single service's."""
    others = "approval owner of "
    return tuple(p for p in problems if p.at.split("/")[0] == service or ("/" not in p.at and p.at.removeprefix(others) in (service, p.at)))


def _rule_owners(world: World) -> list[str]:
    return [p.id for p in world.trust.document.people if "rule-owner" in p.roles]


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
