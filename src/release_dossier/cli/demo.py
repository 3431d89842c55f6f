"""`dossier demo`"""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from release_dossier.cli import edge
from release_dossier.errors import Misuse, Unavailable


@click.command()
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="play in this new folder; a temporary one when not given")
@edge.json_option
def demo(keep: Path | None, as_json: bool) -> None:
    """Play a real release of SocialPredict through the whole process: denied to the credit, reworked, released, checked again."""
    from release_dossier.demo import story
    from release_dossier.demo.place import make_place

    root = (keep or Path(tempfile.mkdtemp(prefix="dossier-demo-")) / "demo").absolute()
    if root.exists():
        raise Misuse("demo.exists", at="--keep", found=f"{root} exists", expected="a folder to make")
    place = make_place(root, os.environ.get("PATH", os.defpath), story.START)
    stage = story.Stage(
        place=place, run=lambda args: _play(args, as_json), say=_quiet if as_json else click.echo, now=story.START, rounds=[]
    )
    before, wall, folder = dict(os.environ), edge.clock, Path.cwd()
    os.environ.clear()
    os.environ.update({**place.env, **({"NO_COLOR": "1"} if before.get("NO_COLOR") else {})})
    edge.clock = stage.clock
    os.chdir(place.repo)
    try:
        story.prologue(stage)
        story.act_one(stage)
        story.act_two(stage)
        digest = story.act_three(stage)
        bundle = story.epilogue(stage, digest)
        _, answer = _play(["gate", digest], True)
    finally:
        edge.clock = wall
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)
    stages = [{"name": what, "detail": outcome, "unmet": unmet} for what, outcome, unmet in stage.rounds]
    value = {**answer, "stages": stages, "bundle": str(bundle), "project": str(place.repo)}
    edge.emit(value, as_json, lambda: _ending(stage.rounds, bundle, place.repo))


def _quiet(_: str) -> None:
    return


def _play(args: list[str], quiet: bool) -> tuple[int, Any]:
    """Run one command as a user would, and hear its value."""
    from release_dossier.cli import main

    values: list[Any] = []
    before, edge.heard = edge.heard, values.append
    try:
        if quiet:
            with redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
                code = main.run(args)
        else:
            click.echo(edge.colour(f"\n$ dossier {shlex.join(args)}", "cyan"))
            code = main.run(args)
    finally:
        edge.heard = before
    if code not in (0, 10) or not values:
        raise Unavailable("demo.stopped", at=f"dossier {shlex.join(args)}", found=f"exit {code}", expected="exit 0 or 10")
    return code, values[-1]


def _ending(rounds: list[tuple[str, str, str]], bundle: Path, repo: Path) -> str:
    from release_dossier.demo.story import picture

    allowed = [w for w, o, _ in rounds if o == "ALLOW"]
    lines = ["", "## Where the change went round", "", *picture(rounds), ""]
    lines.append(f"{len(rounds)} decisions: {len(rounds) - len(allowed)} denied, {len(allowed)} allowed ({'; '.join(allowed)}).")
    lines.append(f"The dossier file:  {bundle}")
    lines.append(f"Look at it:        tar -tf {bundle}; the steps to check it by hand are in HOW-TO-CHECK.md inside")
    lines.append(f"The project:       {_me()} -C {repo} list    (what is true today; its evidence is of 2026-11-23)")
    return "\n".join(lines)


def _me() -> str:
    """How this command was called, so that the next line can be pasted."""
    called = Path(sys.argv[0])
    return shlex.quote(sys.argv[0]) if called.name == "dossier" and shutil.which("dossier") != str(called.absolute()) else "dossier"
