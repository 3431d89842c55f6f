"""`dossier list`, `show`, `compare`"""

from __future__ import annotations

from typing import Any

import click

from release_dossier.cli import edge


@click.command("list", epilog="Example: dossier list")
@edge.json_option
def list_(as_json: bool) -> None:
    """Every change of this project, newest first, and where it stands."""
    from release_dossier.steps.look import listing

    lines = listing(edge.open_world())
    edge.emit({"changes": lines}, as_json, lambda: _table(lines))


def _table(lines: list[dict[str, Any]]) -> str:
    if not lines:
        return "no change yet. next: dossier open --issue FILE"
    paint = {"ALLOW": "green", "released": "green", "DENY": "red"}
    rows = []
    for c in lines:
        if c["state"] == "unreadable":
            rows.append(f"‼ unreadable  {c['branch']}: {c['detail']}")
            continue
        back = bool(c["released"]) and all(f"{r} withdrawn" in c["labels"] for r in c["released"])
