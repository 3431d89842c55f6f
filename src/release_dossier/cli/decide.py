"""`dossier assemble`, `gate`, `run`, `replay`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from release_dossier.cli import edge
from release_dossier.errors import EXIT_CORRUPT, EXIT_DENIED, counted

if TYPE_CHECKING:
    from release_dossier.dossier import Dossier
    from release_dossier.gate import Decision, Signers


@click.command(epilog="Example: dossier assemble")
@click.option("--change", metavar="BRANCH|DIGEST", help="the change; that of the branch checked out when not given")
@edge.json_option
def assemble(change: str | None, as_json: bool) -> None:
    """Close the set: scope, every attempt, what is absent, drift, risks, owners, rules. Its digest is what people sign."""
    from release_dossier.steps.assemble import assemble as assemble_dossier
    from release_dossier.steps.decide import check_witness, kept_checkpoint, publish_checkpoint

    world = edge.open_world()
    kept = kept_checkpoint(world)
    check_witness(world, kept)
    digest, dossier = assemble_dossier(world, *world.open_change(change))
    publish_checkpoint(world, kept)
    edge.emit({"dossier": dossier_json(digest, dossier)}, as_json, lambda: _assembled(digest, dossier))


def dossier_json(digest: str, dossier: Dossier) -> dict[str, Any]:
    """The dossier as the contract shows it."""
    import msgspec

    out: dict[str, Any] = msgspec.to_builtins(dossier)
    del out["change"]["rules"]
    return {**out, "digest": digest}


def _assembled(digest: str, d: Dossier) -> str:
    services = ", ".join(f"{s.name} {s.version}" for s in d.change.services)
    lines = [
        f"dossier {digest}",
        f"  for {services}: {counted(len(d.evidence), 'attempt')}, {len(d.absent)} expected and absent, {counted(len(d.risks), 'risk')}",
    ]
    lines += [f"  ○ absent  {a.name} ({a.service}): {a.why}" for a in d.absent]
    compared = [x for x in d.drift if not x.comparable]
    worse = [x for x in compared if x.direction == "worse"]
    lines.append(
        f"  drift: {len(compared)} facts compared with {compared[0].baseline}, {len(worse)} worse"
        if compared
        else "  drift: nothing to compare with yet"
    )
    lines += [
        f"    {x.evidence} {x.fact}: {x.before} → {x.after} {x.unit}"
        + (f" ({x.change_percent:+} %)" if x.change_percent is not None else "")
        for x in worse[:5]
    ]
    lines.append("next: dossier gate")
    return "\n".join(lines)


@click.command(epilog="Example: dossier gate 1a8d733a")
@click.argument("digest", required=False)
@click.option("--at", metavar="RFC3339", help="what if it were then: marked hypothetical, never stored")
@edge.json_option
def gate(digest: str | None, at: str | None, as_json: bool) -> int:
    """Decide about a dossier (the newest of this branch when none is named). Exit 0 on ALLOW, 10 on DENY."""
    from release_dossier.steps.decide import decide_dossier, decided_before, newest_dossier, signers

    world = edge.open_world()
    named = world.named(digest, "dossier") if digest else newest_dossier(world)
    decision_digest, decision, dossier = decide_dossier(world, named, edge.moment(at, "--at"))
    before, outcome = decided_before(world, dossier.change.branch, decision_digest)
    news = {"before": {"digest": before, "outcome": outcome}, "changed": outcome != decision.outcome}
    value = {"decision": decision_json(decision_digest, decision), **news}
    edge.emit(value, as_json, lambda: decision_words(decision, dossier, decision_digest, signers(world, decision, dossier)))
    return 0 if decision.outcome == "ALLOW" else EXIT_DENIED


def decision_json(digest: str, decision: Decision) -> dict[str, Any]:
    """The decision as the contract shows it."""
    import msgspec

    return {**msgspec.to_builtins(decision), "digest": digest}


def decision_words(decision: Decision, dossier: Dossier, digest: str, signers: Signers) -> str:
    """The decision for people, coloured on a terminal."""
    from release_dossier.gate import explain

    paints = {word: paint for word, (_, paint) in edge.SIGNS.items()} | {"ALLOW": "green", "DENY": "red"}

    def paint(words: str, state: str) -> str:
        return edge.colour(words, paints.get(state, "white"), bold=state in ("ALLOW", "DENY"))

    text = explain(decision, dossier, paint, signers)
    return text + (f"\ndecision {digest}" if digest else "\nhypothetical: nothing was stored")


@click.command(epilog="Example: dossier run --issue issue.md --owner ann")
@click.option("--issue", metavar="FILE|NUMBER", help="the scoped issue; not needed when the change is open at this head")
@click.option("--owner", metavar="WHO", help="who answers for the change, when the issue does not say")
@click.option("--pull", metavar="FILE|NUMBER", help="what GitHub says of the pull request's commits, where the change is opened")
@click.option("--service", "services", multiple=True, metavar="S=VERSION", help="the version a service is to become")
@edge.json_option
def run(issue: str | None, owner: str | None, pull: str | None, services: tuple[str, ...], as_json: bool) -> int:
    """Open to gate in one go for the current branch; evidence that is fresh and about this fingerprint is kept."""
    from release_dossier.cli.change import read_commits, read_issue, versions_of
    from release_dossier.cli.collect import progress
    from release_dossier.steps.decide import signers
    from release_dossier.steps.run import run as run_all

    world = edge.open_world()
    scoped = read_issue(issue) if issue else None
    vouched = read_commits(pull) if pull else None
    say = edge.note if not as_json else lambda _: None
    done = run_all(world, scoped, owner, versions_of(services), edge.now, progress(), say, vouched)
    value = {"decision": decision_json(done.decision_digest, done.decision), "stages": list(done.stages)}
    edge.emit(
        value,
        as_json,
        lambda: decision_words(done.decision, done.dossier, done.decision_digest, signers(world, done.decision, done.dossier)),
    )
    return 0 if done.decision.outcome == "ALLOW" else EXIT_DENIED


@click.command(epilog="Example: dossier replay 9d2d973a")
@click.argument("decision")
@edge.json_option
def replay(decision: str, as_json: bool) -> int:
    """Recompute a stored decision from what it names, at its own time. Exit 0 when bit-equal, else 40."""
    from release_dossier.steps.decide import replay as recompute

    world = edge.open_world()
    digest = world.named(decision, "decision")
    equal, differences = recompute(world, digest)
    words = (
        f"equal: decision {digest} recomputed bit for bit" if equal else f"NOT equal: {', '.join(differences)} differ in decision {digest}"
    )
    edge.emit({"equal": equal, "differences": list(differences), "decision": digest}, as_json, lambda: words)
    return 0 if equal else EXIT_CORRUPT
