"""`dossier log`"""

from __future__ import annotations

import click

from release_dossier.cli import edge


@click.group()
def log() -> None:
    """The transparency log: every statement, in the order it happened."""


@log.command()
@edge.json_option
def checkpoint(as_json: bool) -> None:
    """The signed head of the log."""
    note = edge.open_world().store.checkpoint().decode()
    lines = note.splitlines()
    edge.emit({"origin": lines[0], "size": int(lines[1]), "root": lines[2], "note": note}, as_json, lambda: note.rstrip("\n"))


@log.command()
@edge.json_option
def audit(as_json: bool) -> None:
    """Read the log from its start: numbering, chain, documents, checkpoint, and the checkpoint kept in the repository."""
    from release_dossier.steps.decide import check_witness, kept_checkpoint
    from release_dossier.trust.log import root_of

    world = edge.open_world()
    entries = world.store.entries()
    for e in entries:
        world.store.document(e.digest)
    witness = check_witness(world, kept_checkpoint(world))
    root = root_of(entries)
    words = f"{len(entries)} entries, every document there, root {root}; " + (
        f"extends {witness}" if witness else "unwitnessed: no checkpoint is kept elsewhere"
    )
    edge.emit({"size": len(entries), "root": root, "witness": witness}, as_json, lambda: words)


@log.command()
@click.argument("document", metavar="ID")
@edge.json_option
def prove(document: str, as_json: bool) -> None:
    """The inclusion proof of one document under the current head."""
    from release_dossier.steps.look import proof

    found = proof(edge.open_world(), document)
    lines = [f"entry {found['index']} of {found['size']}", f"root {found['root']}", *(f"  {h}" for h in found["path"])]
    edge.emit(found, as_json, lambda: "\n".join(lines))


@log.command()
@edge.json_option
def publish(as_json: bool) -> None:
    """Keep the head in the repository (refs/dossier/log), so that a log rolled back is found."""
    from release_dossier.steps.decide import check_witness, kept_checkpoint, publish_checkpoint
    from release_dossier.steps.world import LOG_REF

    world = edge.open_world()
    check_witness(world, kept_checkpoint(world))
    publish_checkpoint(world)
    edge.emit(
        {"ref": LOG_REF, "size": len(world.store.entries())},
        as_json,
        lambda: f"{LOG_REF} holds the head; push it: git push REMOTE {LOG_REF}",
    )
