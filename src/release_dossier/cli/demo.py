"""`dossier demo`"""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import click

from release_dossier.cli import edge
from release_dossier.errors import Misuse, Unavailable


@click.command(epilog="Example: dossier demo --keep ../demo --open")
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="play in this new folder; a temporary one when not given")
@click.option("--history", is_flag=True, help="instead: a project with a retrospective dossier for each of SocialPredict's 27 tags")
@click.option("--open", "open_", is_flag=True, help="serve the project afterwards and open it in the browser")
@edge.json_option
def demo(keep: Path | None, history: bool, open_: bool, as_json: bool) -> None:
    """Play a real release of SocialPredict through the whole process: denied to the credit, reworked, released, checked again."""
    from release_dossier.demo import story
    from release_dossier.demo.place import HISTORY, make_ground, make_place

    root = (keep or Path(tempfile.mkdtemp(prefix="dossier-demo-")) / "demo").absolute()
    if root.exists():
        raise Misuse("demo.exists", at="--keep", found=f"{root} exists", expected="a folder to make")
    path = os.environ.get("PATH", os.defpath)
    place = make_ground(root, path, HISTORY) if history else make_place(root, path, story.START)
    quiet = as_json or history
    stage = story.Stage(place=place, run=lambda args: _play(args, quiet), say=_quiet if quiet else click.echo, now=story.START, rounds=[])
    with _inside(stage):
        value, ending = _history(stage) if history else _story(stage)
    edge.emit(value, as_json, ending)
    if open_:
        from release_dossier.cli.serve import run_server

        run_server(place.repo, 0, True)


def _story(stage: Any) -> tuple[dict[str, Any], Callable[[], str]]:
    from release_dossier.demo import story

    story.prologue(stage)
    story.act_one(stage)
    story.act_two(stage)
    digest = story.act_three(stage)
    bundle = story.epilogue(stage, digest)
    _, answer = _play(["gate", digest], True)
    repo = stage.place.repo
    stages = [{"name": what, "detail": outcome, "unmet": unmet} for what, outcome, unmet in stage.rounds]
    value = {**answer, "stages": stages, "bundle": str(bundle), "project": str(repo)}
    return value, lambda: _ending(stage.rounds, bundle, repo)


def _history(stage: Any) -> tuple[dict[str, Any], Callable[[], str]]:
    import msgspec

    from release_dossier.demo import story
    from release_dossier.demo.history import look_back, write_history

    write_history(stage.place)
    story.prologue(stage)
    looked = []
    for x in look_back(stage):
        looked.append(x)
        words = ", ".join(x.evidence) or "no evidence was captured"
        edge.note(f"{x.tag:11} {x.outcome}, retrospective: {words}; {', '.join(f'{n} {s}' for s, n in x.states.items())}")
    repo = stage.place.repo
    value = {"history": [msgspec.to_builtins(x) for x in looked], "project": str(repo)}
    lines = [
        f"{len(looked)} tags, each with a dossier marked retrospective. None is allowed: the criteria came later. None is a baseline.",
        "What was never captured for a tag is missing in it, not invented.",
        f"The project:  {_me()} -C {repo} serve",
    ]
    return value, lambda: "\n".join(lines)


@contextmanager
def _inside(stage: Any) -> Iterator[None]:
    """This process as somebody in the demo's repository would have it: folder, environment, clock."""
    before, wall, folder = dict(os.environ), edge.clock, Path.cwd()
    os.environ.clear()
    os.environ.update({**stage.place.env, **({"NO_COLOR": "1"} if before.get("NO_COLOR") else {})})
    edge.clock = stage.clock
    os.chdir(stage.place.repo)
    try:
        yield
    finally:
        edge.clock = wall
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)


def _quiet(_: str) -> None:
    return


def _play(args: list[str], quiet: bool) -> tuple[int, Any]:
    """Run one command as a user would, and hear its value."""
    from release_dossier.cli import main

    values: list[Any] = []
    before, edge.heard = edge.heard, values.append
    try:
        if quiet:
            silent = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
            with redirect_stdout(silent), redirect_stderr(silent):
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
    lines.append(f"Look at it:        {_me()} -C {repo} serve    (in the browser; the file itself: tar -tf, and HOW-TO-CHECK.md inside)")
    lines.append(f"Check it again:    {_me()} verify {bundle} --trust {repo / 'dossier.trust.json'} --at 2026-11-23T12:00:00Z")
    lines.append(f"The project:       {_me()} -C {repo} list    (what is true today; its evidence is of 2026-11-23)")
    return "\n".join(lines)


def _me() -> str:
    """How this command was called, so that the next line can be pasted."""
    called = Path(sys.argv[0])
    return shlex.quote(sys.argv[0]) if called.name == "dossier" and shutil.which("dossier") != str(called.absolute()) else "dossier"
