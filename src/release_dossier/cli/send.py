"""`dossier payload`, `send`"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from release_dossier.cli import edge
from release_dossier.errors import EXIT_OK, EXIT_REFUSED, EXIT_UNAVAILABLE, Misuse, counted

if TYPE_CHECKING:
    from release_dossier.delivery import State
    from release_dossier.steps.world import World

pause: Callable[[float], None] = time.sleep


@click.command(epilog="Example: dossier payload v1.4.0 --audience customer -o payload.json")
@click.argument("digest", metavar="[DIGEST]", required=False)
@click.option("--audience", metavar="A", help="auditor, customer, github, webhook or raw")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="write the payload's exact bytes here")
@click.option("--open", "path", metavar="POINTER", help="the opening of one withheld place: its value and the salt that proves it")
@click.option("--check", type=click.Path(path_type=Path), metavar="FILE", help="a payload somebody was sent; hold --opening against it")
@click.option("--opening", type=click.Path(path_type=Path), metavar="FILE", help="an opening somebody was sent")
@edge.json_option
def payload(
    digest: str | None, audience: str | None, output: Path | None, path: str | None, check: Path | None, opening: Path | None, as_json: bool
) -> None:
    """What of a dossier (digest, release or tag) leaves the house for an audience: what is in it, what is withheld, its size."""
    import msgspec

    if check is not None or opening is not None:
        _check(check, opening, as_json)
        return
    if digest is None or audience is None:
        raise Misuse("payload.words", at="command line", found="no DIGEST or no --audience", expected="both, or --check and --opening")
    from release_dossier.steps.payload import opening_of, payload_for
    from release_dossier.store.files import write_out

    world = edge.open_world()
    if path is not None:
        found = msgspec.to_builtins(opening_of(world, digest, audience, path))
        edge.emit(found, as_json, lambda: msgspec.json.encode(found).decode())
        return
    made = payload_for(world, digest, audience)
    if output is not None:
        write_out(output, made.raw)
    value = {
        "audience": audience,
        "dossier": made.payload.dossier,
        "digest": made.digest,
        "bytes": len(made.raw),
        "included": [{"path": m.path, "bytes": m.bytes} for m in made.included],
        "withheld": [msgspec.to_builtins(m) for m in made.payload.withheld],
        "payload": msgspec.to_builtins(made.payload),
        "signature": made.signature,
    }
    edge.emit(value, as_json, lambda: _words(value, output))


def _check(check: Path | None, opening: Path | None, as_json: bool) -> None:
    from release_dossier.payload import check_opening, read_opening, read_payload
    from release_dossier.sources.files import open_evidence

    if check is None or opening is None:
        raise Misuse("payload.words", at="command line", found="--check or --opening alone", expected="both")
    with open_evidence(check) as sent, open_evidence(opening) as shown:
        held = read_opening(shown.read(), str(opening))
        check_opening(read_payload(sent.read(), str(check)), held)
    value = {"path": held.path, "value": held.value, "opened": True}
    edge.emit(value, as_json, lambda: f"✓ {held.path} was withheld as this, and is: {held.value!r}")


def _words(v: dict[str, Any], output: Path | None) -> str:
    lines = [f"payload for {v['audience']} of dossier {v['dossier']}: {v['bytes']} bytes, {v['digest']}", ""]
    lines += [f"  in        {m['path'] or '/'} ({m['bytes']} bytes)" for m in _grouped(v["included"])]
    lines += [f"  withheld  {m['path'] or '/'} ({m['bytes']} bytes)" for m in _grouped(v["withheld"])]
    lines += ["", f"{counted(len(v['included']), 'place')} in it, {len(v['withheld'])} withheld"]
    lines.append(f"written to {output}" if output else "-o FILE writes it, --json prints it")
    return "\n".join(lines)


def _grouped(marks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Marks of list items as one line a field: /evidence/*/facts."""
    out: dict[str, int] = {}
    for m in marks:
        path = "/".join("*" if step.isdecimal() else step for step in str(m["path"]).split("/"))
        out[path] = out.get(path, 0) + int(m["bytes"])
    return [{"path": p, "bytes": b} for p, b in sorted(out.items())]


@click.command(epilog="Example: dossier send v1.4.0 --to ops")
@click.argument("digest", metavar="[DIGEST]", required=False)
@click.option("--to", metavar="NAME", help="a [[destination]] of dossier.toml on the protected branch")
@click.option("--due", is_flag=True, help="try everything that is still to be sent and due")
@click.option("--list", "list_", is_flag=True, help="every delivery and what came of it; sends nothing")
@click.option("--wait", default="0", metavar="SECONDS", help="go on trying as long as the next try is this near")
@edge.json_option
def send(digest: str | None, to: str | None, due: bool, list_: bool, wait: str, as_json: bool) -> int:
    """Send a dossier's payload to a destination, once, however often this is run. Exit 0 delivered, 20 refused, 30 not reached yet."""
    import msgspec

    from release_dossier.steps.send import deliveries, queue
    from release_dossier.steps.send import due as due_now

    if not wait.isdecimal():
        raise Misuse("send.words", at="--wait", found=repr(wait), expected="seconds")
    if (digest is None or to is None) and not (due or list_):
        raise Misuse("send.words", at="command line", found="no DIGEST or no --to", expected="both, or --due, or --list")
    world = edge.open_world()
    made: dict[str, Any] = {}
    if digest is not None and to is not None:
        payload, state = queue(world, digest, to)
        made = {
            "bytes": len(payload.raw),
            "included": [{"path": m.path, "bytes": m.bytes} for m in payload.included],
            "withheld": [msgspec.to_builtins(m) for m in payload.payload.withheld],
        }
        states = [_through(world, state.delivery.id, int(wait), again=True)]
    elif due:
        states = [_through(world, id, int(wait)) for id in due_now(world, edge.now())]
    else:
        states = list(deliveries(world))
    value = {**made, "deliveries": [_shown(s) for s in states]}
    edge.emit(value, as_json, lambda: "\n".join(_line(s) for s in states) or "nothing is to be sent")
    if list_:
        return EXIT_OK
    return max((_EXITS.get(s.outcome, EXIT_UNAVAILABLE) for s in states), default=EXIT_OK)


_EXITS = {"delivered": EXIT_OK, "refused": EXIT_REFUSED}


def _through(world: World, id: str, wait_s: int, *, again: bool = False) -> State:
    """Try a delivery, and again as long as its next try is at most `wait_s` away in all."""
    from release_dossier.steps.send import deliver
    from release_dossier.steps.world import instant

    state = deliver(world, id, edge.now, again=again)
    while state.outcome == "failed":
        left = (instant(state.next_at, "next_at") - edge.now()).total_seconds()
        if left > wait_s:
            break
        edge.note(f"{state.delivery.destination}: {state.ended[-1].detail}; again in {left:.0f} s")
        pause(max(0.0, left))
        wait_s -= max(1, int(left))
        state = deliver(world, id, edge.now, again=again)
    return state


def _shown(s: State) -> dict[str, Any]:
    import msgspec

    return {
        **msgspec.to_builtins(s.delivery),
        "outcome": s.outcome,
        "next_at": s.next_at,
        "tries": [
            {"n": b.n, "began": b.at, **next((msgspec.to_builtins(e) for e in s.ended if e.n == b.n), {"outcome": "interrupted"})}
            for b in s.began
        ],
    }


def _line(s: State) -> str:
    sign = {"delivered": "✓", "refused": "✗", "failed": "◔", "queued": "·", "interrupted": "◔"}[s.outcome]
    answered = s.ended[-1].detail if s.ended else "not tried yet"
    detail = "killed before an answer was kept" if s.outcome == "interrupted" else answered
    again = f"; again{f' after {s.next_at}' if s.next_at else ''}: dossier send --due" if s.pending else ""
    tries = f"{len(s.began)} {'try' if len(s.began) == 1 else 'tries'}"
    return (
        f"{sign} {s.outcome:11} {s.delivery.destination} · {s.delivery.audience} · {s.delivery.dossier[:19]}… · {tries} · {detail}{again}"
    )
