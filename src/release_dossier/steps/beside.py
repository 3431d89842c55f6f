"""What stands beside a file of evidence and in none: which lines the change touches, whose paths are whose, what a VEX says, and what the
last release measured.

1. Lines and paths are git's, at the change's base and head. A VEX is a file of the repository as it stands at the head (`vex` among a
   plan's options, comma-separated), so that it is reviewed with the change.
2. The last release is that of a service the plan is for. Its facts are beside every measurement; its own file too where readers compare
   files and only facts come of it (a bill of materials, measurements). Where a comparison would let findings through, the plan must ask
   for it: `compare = "last-release"`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from release_dossier.change import Change
from release_dossier.digest import parse_json
from release_dossier.dossier import Dossier
from release_dossier.drift import newest
from release_dossier.errors import Refused
from release_dossier.evidence.statement import Evidence
from release_dossier.limits import DOCUMENT_BYTES_MAX
from release_dossier.project import Plan, Settings
from release_dossier.steps.world import World

_COMPARED = ("sbom", "latency", "benchmarks")  # kinds in which the last release's file adds facts, or what the plan's options ask for


def asked(world: World, change: Change, plan: Plan, settings: Settings, at: str) -> dict[str, Any]:
    """What readers of this plan's kind find under `asked`. `at` is when its file came to be, as far as known.

    Raises:
        Refused: `collect.no-vex`, `json.*`.
    """
    out: dict[str, Any] = {"at": at} if at else {}
    if plan.kind in ("coverage", "profile"):
        out["services"] = {s.name: list(s.paths) for s in settings.service}
    if plan.kind == "coverage":
        out["files"] = [f.path for f in world.repo.files(change.head)]
        out["changed"] = world.repo.changed_lines(change.base, change.head)
    if plan.options.get("vex"):
        out["vex"] = [_vex(world, change, path.strip()) for path in plan.options["vex"].split(",")]
    if plan.kind in _COMPARED and (before := _before(world, change, plan)):
        out["base"] = {"facts": msgspec.to_builtins(before.facts)}
    return out


def last_release(world: World, change: Change, plan: Plan) -> bytes | None:
    """The file the last release's evidence of this plan was read from; None where there is none that can be had."""
    if plan.kind not in _COMPARED and plan.options.get("compare") != "last-release":
        return None
    before = _before(world, change, plan)
    files = [a for a in before.artifacts if not a.name.endswith(".log") and a.bytes <= DOCUMENT_BYTES_MAX] if before else []
    if not files:
        return None
    try:
        return world.store.artifact(files[-1].digest)
    except Refused:  # withheld: erased by a signed word
        return None


def _vex(world: World, change: Change, path: str) -> Any:
    raw = world.repo.file_at(change.head, path)
    if raw is None:
        raise Refused("collect.no-vex", at="options.vex", found=f"no {path} at the head", expected="a file of the repository")
    return parse_json(raw, path)


def _before(world: World, change: Change, plan: Plan) -> Evidence | None:
    """The newest evidence of this plan in the last released dossier of the first service that has one."""
    entries = list(world.store.entries())
    for service in change.services:
        if plan.services and service.name not in plan.services:
            continue
        own = f"{service.name}@{service.version}"
        others = (e for e in reversed(entries) if e.type == "release" and e.key.split("@")[0] == service.name and e.key != own)
        entry = next(others, None)
        if entry is None:
            continue
        release = world.statement(entry.digest, "release").predicate
        dossier = msgspec.convert(world.statement(release["dossier"], "dossier").predicate, Dossier)
        found = next((a for a in newest(dossier.evidence) if a.service == service.name and a.name == plan.name), None)
        if found is not None and found.digest is not None:
            return msgspec.convert(world.statement(found.digest, "evidence").predicate, Evidence)
    return None
