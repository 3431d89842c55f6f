"""Rules as data: lint, test, simulate, explain. What stands in the working tree is a proposal; what is in force stands in the change.

Nothing here changes anything: a proposal is judged, and that is all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from release_dossier.approval import Voices, hear
from release_dossier.dossier import Dossier
from release_dossier.errors import Refused
from release_dossier.gate import Decision
from release_dossier.project import SETTINGS_FILE, Settings, parse_settings
from release_dossier.rules.lint import Problem, Ruleset, lint_rules
from release_dossier.rules.packs import OWN, Effective, Read, effective, freeze, load, own_layers, table_name, table_of, thaw
from release_dossier.rules.requirement import Frozen, Requirement
from release_dossier.steps.decide import decision_time, read_dossier, signed_statements
from release_dossier.steps.world import World, instant
from release_dossier.trial import Explained, Simulated, Tried, cases, explain_requirement, run_table, simulate

OWN_TABLE = "dossier.tests.toml"  # table tests of a project's own requirements, beside dossier.toml


def tree(root: Path) -> Read:
    """Files of a working tree, never outside of it."""

    def read(name: str) -> bytes | None:
        file = (root / name).resolve()
        return file.read_bytes() if file.is_relative_to(root.resolve()) and file.is_file() else None

    return read


def lint_project(world: World, settings: Settings, read: Read) -> tuple[Ruleset, tuple[Problem, ...]]:
    """Every problem of a project's rules as `settings` propose them."""
    asked = [(s.name, s.asked, s.owners) for s in settings.service]
    ruleset = Ruleset(
        effective=effective(settings.rules, asked, read),
        approvals=thaw(freeze(settings.rules, asked, read)).approvals,
        plans=settings.evidence,
        trust=world.trust,
        owners={s.name: s.owners for s in settings.service},
        services=tuple(s.name for s in settings.service),
        own=tuple(layer.table for layer in own_layers(settings.rules)),
        kinds=settings.kind,
        unwaivable={s.name: load(s.asked, read).unwaivable for s in settings.service},
    )
    return ruleset, lint_rules(ruleset)


def lint_packs(names: Sequence[str], read: Read | None) -> tuple[Ruleset, tuple[Problem, ...]]:
    """Every problem of packs by themselves, as for a service called like the pack."""
    found = [e for n in names for e in effective({}, [(n, n, ("@owner",))], read)]
    packs = {n: load(n, read) for n in names}
    approvals = tuple(a for p in packs.values() for a in p.approvals)
    unwaivable = {n: p.unwaivable for n, p in packs.items()}
    ruleset = Ruleset(tuple(found), approvals, services=tuple(names), unwaivable=unwaivable)
    return ruleset, lint_rules(ruleset)


def try_packs(names: Sequence[str], read: Read | None) -> tuple[Tried, ...]:
    """The table tests beside packs. A pack without any gives none: `untried` names what no case tries."""
    out: list[Tried] = []
    for name in names:
        requirements = [e.requirement for e in effective({}, [(name, name, ("@owner",))], read)]
        out += run_table(name, cases(table_of(name, read), table_name(name)), requirements)
    return tuple(out)


def try_own(settings: Settings, read: Read) -> tuple[Tried, ...]:
    """The table tests of a project's own requirements, for every service in turn that asks the one a case names."""
    raw = read(OWN_TABLE)
    table = cases(raw.decode("utf-8", "replace"), OWN_TABLE) if raw is not None else ()
    every = effective(settings.rules, [(s.name, s.asked, s.owners) for s in settings.service], read) if table else ()
    mine: list[Requirement] = [e.requirement for e in every if OWN in e.requirement.origin]
    return run_table(OWN, table, mine)


def untried(names: Sequence[str], tried: Sequence[Tried], read: Read | None) -> list[str]:
    """Requirements of these packs with a condition that no case passes, or none turns away: nobody saw them bite."""
    out = []
    for name in names:
        for e in effective({}, [(name, name, ("@owner",))], read):
            found = {t.found.split(" ")[0] for t in tried if (t.pack, t.requirement) == (name, e.requirement.id)}
            if e.requirement.condition and not ("pass" in found and found - {"pass"}):
                out.append(f"{name}/{e.requirement.id}")
    return out


def proposal(world: World, file: Path | None, ref: str | None) -> tuple[Settings, Read]:
    """Settings to try: a file, those at a ref, or those of the working tree; with the packs that lie beside them.

    Raises:
        Refused: `rules.no-settings`, `settings.*`.
    """
    if ref is not None:
        commit = world.repo.resolve(ref, "--ref")
        found = world.settings_at(commit)
        if found is None:
            raise Refused("rules.no-settings", at="--ref", found=f"no {SETTINGS_FILE} at {ref}", expected="a commit with settings")
        return found[0], lambda name: world.repo.file_at(commit, name)
    path = file or world.repo.root / SETTINGS_FILE
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise Refused("rules.no-settings", at=str(path), found=e.strerror or "an error", expected="settings to try") from e
    return parse_settings(raw, str(path.name)), tree(world.repo.root)


def simulate_all(world: World, settings: Settings, read: Read) -> tuple[Simulated, ...]:
    """Every stored dossier under a proposal, at the moment it was last decided, or entered where it never was."""
    entries = world.store.entries()
    out = []
    for e in entries:
        if e.type != "dossier":
            continue
        dossier = read_dossier(world, e.digest)
        asked = [s for s in settings.service if s.name in {x.name for x in dossier.change.services}]
        decided = next((d for d in reversed(entries) if d.type == "decision" and d.key == e.digest), None)
        at = decision_time(_decision(world, decided.digest)) if decided else instant(e.at, "log")
        nothing = Frozen((), (), "")  # the proposal has none of its services: nothing is asked, and an empty gate allows nothing
        after = thaw(freeze(settings.rules, [(s.name, s.asked, s.owners) for s in asked], read)) if asked else nothing
        out.append(simulate(dossier, e.digest, thaw(dossier.rules), after, _voices(world), world.trust, at))
    return tuple(out)


def explain_one(world: World, digest: str, requirement: str, service: str | None) -> tuple[Explained, Requirement]:
    """One requirement on one stored dossier, now.

    Raises:
        Refused: `rules.unknown-requirement`; `rules.which-service` where several services ask it.
    """
    dossier: Dossier = read_dossier(world, digest)
    rules = thaw(dossier.rules)
    found = [r for r in rules.requirements if r.id == requirement and service in (None, r.service)]
    if not found:
        if service is not None and service not in {r.service for r in rules.requirements}:
            names = ", ".join(sorted({r.service for r in rules.requirements}))
            raise Refused("rules.unknown-requirement", at="--service", found=service, expected=names)
        known = ", ".join(sorted({r.id for r in rules.requirements}))
        raise Refused("rules.unknown-requirement", at="REQUIREMENT", found=requirement, expected=known)
    if len(found) > 1:
        names = ", ".join(r.service for r in found)
        raise Refused("rules.which-service", at="--service", found=f"{requirement} of {names}", expected="one of them")
    return explain_requirement(found[0], dossier, _voices(world), world.trust, world.now), found[0]


def in_force(settings: Settings, read: Read) -> tuple[Effective, ...]:
    """Every requirement with where each line of it comes from."""
    return effective(settings.rules, [(s.name, s.asked, s.owners) for s in settings.service], read)


def _decision(world: World, digest: str) -> Decision:
    return msgspec.convert(world.statement(digest, "decision").predicate, Decision)


def _voices(world: World) -> Voices:
    return hear(signed_statements(world, world.store.entries()), world.trust.project, world.trust)
