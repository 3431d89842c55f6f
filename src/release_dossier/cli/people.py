"""`dossier approve`, `reject`, `withdraw`, `waive`, `erase`"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from release_dossier.cli import edge
from release_dossier.errors import shown

_as = click.option("--as", "person", required=True, metavar="PERSON", help="who signs, as the trust document names them")
_key = click.option(
    "--key", required=True, metavar="FILE", type=click.Path(path_type=Path), help="their SSH key; a .pub file asks the agent"
)
_reason = click.option("--reason", required=True, metavar="WORDS", help="why, for whoever reads it later")


def _options(*options: Callable[..., Any]) -> Callable[..., Any]:
    def wrap(f: Any) -> Any:
        for option in reversed(options):
            f = option(f)
        return f

    return wrap


@click.command(epilog="Example: dossier approve 1a8d733a --as bo --role ops --key ~/.ssh/id_ed25519")
@click.argument("digest")
@_options(_as, _key, edge.json_option)
@click.option("--role", required=True, metavar="ROLE", help="a role they hold and the rules ask for")
@click.option("--comment", default="", metavar="WORDS", help="signed with the approval")
@click.option("--until", metavar="RFC3339", help="when the approval ends; seven days when not given")
def approve(digest: str, person: str, role: str, key: Path, comment: str, until: str | None, as_json: bool) -> None:
    """Sign a dossier in a role, with your own SSH key. A new dossier or a changed result lapses it."""
    from release_dossier.steps.people import approve as sign

    world = edge.open_world()
    end = edge.moment(until, "--until") or world.now + timedelta(days=7)
    made, a = sign(world, world.find(digest, "dossier"), person, role, key, comment, end)
    words = (
        f"{a.person} approved dossier {a.dossier[:19]}… as {a.role}, until {a.expires_at}\n{_back(made, a.person, key)}\nnext: dossier gate"
    )
    _emit("approval", made, a, as_json, words)


@click.command(epilog='Example: dossier reject 1a8d733a --as bo --key bo --reason "no load test"')
@click.argument("digest")
@_options(_as, _key, _reason, edge.json_option)
def reject(digest: str, person: str, key: Path, reason: str, as_json: bool) -> None:
    """Say no to a dossier. It denies until you withdraw it."""
    from release_dossier.steps.people import reject as sign

    world = edge.open_world()
    made, r = sign(world, world.find(digest, "dossier"), person, key, reason)
    _emit("rejection", made, r, as_json, f"{r.person} rejected dossier {r.dossier[:19]}…: {shown(r.reason)}\n{_back(made, r.person, key)}")


@click.command(epilog='Example: dossier withdraw dd8d7dba --as bo --key bo --reason "read it again"')
@click.argument("digest")
@_options(_as, _key, _reason, edge.json_option)
def withdraw(digest: str, person: str, key: Path, reason: str, as_json: bool) -> None:
    """Take back your approval, rejection or waiver; as an owner also evidence, a dossier, a decision or a release."""
    from release_dossier.steps.look import shipped_on
    from release_dossier.steps.people import withdraw as sign

    world = edge.open_world()
    made, w = sign(world, world.store.find(digest), person, key, reason)
    then = f"next: dossier {'posture' if shipped_on(world, w.statement) else 'gate'}"
    _emit("withdrawal", made, w, as_json, f"{w.person} withdrew {w.statement[:19]}…: {shown(w.reason)}\n{then}")


@click.command(
    epilog='Example: dossier waive 1a8d733a latency --service api --as dee --key dee --reason "no rig yet" --until 2027-01-01T00:00:00Z'
)
@click.argument("digest")
@click.argument("requirement")
@_options(_as, _key, _reason, edge.json_option)
@click.option("--service", required=True, metavar="S", help="the service it is waived for, and no other")
@click.option("--until", required=True, metavar="RFC3339", help="when the exception ends")
def waive(digest: str, requirement: str, service: str, person: str, key: Path, reason: str, until: str, as_json: bool) -> None:
    """Sign an exception: one requirement of one service of one dossier, until a moment. It lets through and never looks green."""
    from release_dossier.steps.people import waive as sign

    world = edge.open_world()
    end = edge.moment(until, "--until")
    assert end is not None
    made, w = sign(world, world.find(digest, "dossier"), requirement, service, person, key, reason, end)
    words = f"{w.person} waived {w.requirement} of {w.service} until {w.until}: {shown(w.reason)}"
    _emit("waiver", made, w, as_json, f"{words}\n{_back(made, w.person, key)}\nnext: dossier gate")


@click.command(epilog='Example: dossier erase 44d12fe0 --as ann --key ann --reason "asked to be forgotten"')
@click.argument("artifact")
@_options(_as, _key, _reason, edge.json_option)
def erase(artifact: str, person: str, key: Path, reason: str, as_json: bool) -> None:
    """Remove an artifact, or a personal value by its commitment, for good. Decisions that stood on it show it as withheld; new ones count
    what it carried as missing."""
    import msgspec

    from release_dossier.steps.erase import elsewhere
    from release_dossier.steps.erase import erase as remove

    world = edge.open_world()
    others = elsewhere(world, artifact)
    made, e = remove(world, artifact, person, key, reason)
    lines = [f"{e.person} erased {e.artifact[:19]}…: {shown(e.reason)}"]
    lines += [f"the value stands in {name} too: dossier erase {digest[:19]}" for digest, name in others]
    value = {"erasure": {**msgspec.to_builtins(e), "digest": made, "also_in": [{"artifact": d, "name": n} for d, n in others]}}
    edge.emit(value, as_json, lambda: "\n".join([*lines, "next: dossier collect, dossier assemble"]))


def _back(digest: str, person: str, key: Path) -> str:
    return f"to take it back: dossier withdraw {digest[:19]} --as {person} --key {shlex.quote(str(key))} --reason WORDS"


def _emit(word: str, digest: str, record: Any, as_json: bool, words: str) -> None:
    import msgspec

    edge.emit({word: {**msgspec.to_builtins(record), "digest": digest}}, as_json, lambda: words)
