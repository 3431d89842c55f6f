"""Run: from an issue to a decision in one go. What is done and still good is kept; the stages say which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

import msgspec

from release_dossier.change import Change
from release_dossier.dossier import Dossier
from release_dossier.errors import counted
from release_dossier.gate import Decision
from release_dossier.issue import ScopedIssue
from release_dossier.steps.assemble import assemble
from release_dossier.steps.collect import collect, frozen_settings
from release_dossier.steps.decide import decide_dossier
from release_dossier.steps.open import open_change
from release_dossier.steps.world import World


class Run(msgspec.Struct, frozen=True):
    """Where it ended, and a line per stage."""

    decision_digest: str
    decision: Decision
    dossier: Dossier
    stages: tuple[dict[str, str], ...]


def run(
    world: World,
    issue: ScopedIssue | None,
    owner: str | None,
    versions: Mapping[str, str],
    clock: Callable[[], datetime],
    watch: Callable[[str, float], None],
    say: Callable[[str], None],
    vouched: Mapping[str, int] | None = None,
) -> Run:
    """Open (when an issue is given, or commits came since), collect what is planned and not yet good, assemble, decide."""
    stages: list[dict[str, str]] = []

    def stage(name: str, detail: str) -> None:
        stages.append({"name": name, "detail": detail})
        say(f"{name:9} {detail}")

    opened = partial(open_change, world, base=None, head=None, vouched=vouched)
    if issue is not None:
        digest, change, warnings = opened(issue, owner=owner, versions=versions)
        becomes = ", ".join(f"{s.name} → {s.version}" for s in change.services)
        guessed = " ".join(f"--service {s.name}=VERSION" for s in change.services if s.name not in versions)
        guess = [f"the version is a guess, {guessed} names another"] if guessed else []
        stage("open", "; ".join([f"change {digest[:19]}… with {counted(len(change.files), 'file')}: {becomes}", *guess, *warnings]))
    else:
        digest, change = world.open_change()
        moved = change.head != world.repo.resolve("HEAD")
        if not moved and vouched is None:
            stage("open", f"change {digest[:19]}… stands")
        else:  # rework: the same issue about the new head, or a word about its authors; what the issue said stands in the change
            said = as_issue(change)
            kept = {s.name: s.version for s in change.services} | dict(versions)
            digest, change, warnings = opened(said, owner=owner or change.owner, versions=kept)
            how = "at the new head" if moved else "as GitHub says who made it"
            again = f"change {digest[:19]}… with {counted(len(change.files), 'file')}, the same issue {how}"
            stage("open", "; ".join([again, *warnings]))
    _, before = assemble(world, digest, change)
    wanted = _wanted(world, before, clock())
    if wanted:
        done = collect(world, digest, change, wanted, None, clock, watch)
        stage("collect", ", ".join(f"{e.name} {e.verdict}" for _, e in done.evidence) or "nothing recorded")
        for name, e in done.refused:
            stage("collect", f"{name} refused: {e}")
        world = msgspec.structs.replace(world, now=clock())  # tests take their time: judged by the moment it began, they are of the future
    else:
        stage("collect", "nothing planned with a command is missing, stale or changed")
    dossier_digest, dossier = assemble(world, digest, change)
    stage("assemble", f"dossier {dossier_digest[:19]}… with {counted(len(dossier.evidence), 'attempt')}, {len(dossier.absent)} absent")
    decision_digest, decision, dossier = decide_dossier(world, dossier_digest)
    stage("gate", decision.outcome)
    return Run(decision_digest, decision, dossier, tuple(stages))


def as_issue(change: Change) -> ScopedIssue:
    """The scoped issue a change was opened from, as the change keeps it."""
    return ScopedIssue(
        issue=change.issue,
        objective=change.objective,
        in_scope=change.in_scope,
        out_of_scope=change.out_of_scope,
        features=change.features,
        risks=change.risks,
        owner=change.owner,
    )


def _wanted(world: World, dossier: Dossier, now: datetime) -> list[str]:
    """Plans with a command whose evidence is absent for some service or too old. A failure is not run again: that is the owner's call."""
    prints = {s.name: s.fingerprint for s in dossier.change.services}
    absent = {a.name for a in dossier.absent}
    last = {(a.service, a.name): a for a in dossier.evidence if prints.get(a.service) == a.fingerprint and a.digest}
    old = {name for (_, name), a in last.items() if a.verdict == "pass" and datetime.fromisoformat(a.expires_at) <= now}
    return [p.name for p in frozen_settings(world, dossier.change).evidence if p.run and p.name in absent | old]
