"""`dossier collect`"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from release_dossier.cli import edge

if TYPE_CHECKING:
    from release_dossier.steps.world import World


@click.command(epilog="Example: dossier collect tests --from junit.xml --exit 0")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--from", "source", metavar="FILE|ADDRESS", help="bring this file, or for money a postgresql:// address, and run no command")
@click.option("--exit", "exit_status", type=int, metavar="N", help="the exit status of the tool that wrote the file")
@click.option("--written-by", default="", metavar="VERSION|COMMIT", help="the build that wrote the data in the file")
@click.option("--change", "named", metavar="BRANCH|DIGEST", help="the change; that of the branch checked out when not given")
@click.option("--observed-at", metavar="RFC3339", help="when it was observed, where the file does not say")
@edge.json_option
def collect(
    names: tuple[str, ...],
    source: str | None,
    exit_status: int | None,
    written_by: str,
    named: str | None,
    observed_at: str | None,
    as_json: bool,
) -> int:
    """Run the planned evidence in a fresh worktree at the head, or import a file; sign each result. Exit 0 when all asked is recorded."""
    from release_dossier.sources.ledger_postgres import is_address
    from release_dossier.steps.collect import Import
    from release_dossier.steps.collect import collect as collect_evidence
    from release_dossier.steps.decide import check_witness, kept_checkpoint, publish_checkpoint

    world = edge.open_world()
    check_witness(world, kept_checkpoint(world))
    digest, change = world.open_change(named)
    where = source if source and is_address(source) else Path(source or "")
    brought = Import(where, _who(world), written_by, edge.moment(observed_at, "--observed-at"), exit_status) if source else None
    done = collect_evidence(world, digest, change, names, brought, edge.now, progress())
    publish_checkpoint(world)
    for words in done.notes:
        edge.note(f"note: {words}")
    value = {
        "evidence": [evidence_json(d, e) for d, e in done.evidence],
        "refused": [{"name": n, **e.as_json()["error"]} for n, e in done.refused],
    }
    edge.emit(value, as_json, lambda: _words(done))
    return max((e.exit_code for _, e in done.refused), default=0)


def _who(world: World) -> str:
    """Who brings a file, by the machine's own word: the platform's actor, else git's user; by their id where the trust document lists the
    account or the address, so that who brings proof is known when they approve."""
    from release_dossier.steps.init import person_id
    from release_dossier.steps.open import accounts

    actor, number = os.environ.get("GITHUB_ACTOR"), os.environ.get("GITHUB_ACTOR_ID", "")
    if actor:
        listed = accounts(world).get(int(number)) if number.isdecimal() else None
        return listed.id if listed else actor
    name, email = (
        world.repo.result("config", "--get", f"user.{x}", ok=(0, 1)).stdout.decode("utf-8", "replace").strip() for x in ("name", "email")
    )
    person = next((p.id for p in world.trust.document.people if email.lower() in {e.lower() for e in p.emails}), person_id(name))
    return (person if world.trust.person(person) else name) or os.environ.get("USER") or os.environ.get("LOGNAME") or "unknown"


def progress() -> Callable[[str, float], None]:
    """A line on a terminal's stderr while a command runs longer than a second; silence elsewhere."""
    shown = -1

    def watch(name: str, seconds: float) -> None:
        nonlocal shown
        if seconds >= 1 and int(seconds) != shown and sys.stderr.isatty():
            shown = int(seconds)
            click.echo(f"\r  {name} has run {shown} s ", nl=False, err=True)

    return watch


def evidence_json(digest: str, e: Any) -> dict[str, Any]:
    """One piece of evidence as the contract shows it."""
    import msgspec

    out: dict[str, Any] = msgspec.to_builtins(e)
    return {**out, "digest": digest, "id": digest[7:19]}


def _words(done: Any) -> str:
    lines = []
    for digest, e in done.evidence:
        of = f"{e.looked_at} of {e.of if e.of is not None else 'unknown'}"
        again = f", attempt {e.attempt}" if e.attempt > 1 else ""
        lines.append(f"{edge.state(e.verdict)}  {e.name} · {e.service} · {of} looked at{again} · {digest[:19]}…")
        lines += [f"    {x.text}" for x in e.counterexamples[:5]]
        if e.cause:
            lines.append(f"    {e.cause}")
        rest = e.counterexamples_total - min(5, len(e.counterexamples))
        if rest > 0:
            lines.append(f"    and {rest} more: dossier show {digest[:19]}")
    lines += [f"refused  {n}: {e}" for n, e in done.refused]
    then = ". next: dossier assemble && dossier gate" if done.evidence else ""
    lines.append(f"recorded {len(done.evidence)}, refused {len(done.refused)}{then}")
    return "\n".join(lines)
