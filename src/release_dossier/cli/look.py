"""`dossier list`, `show`, `compare`"""

from __future__ import annotations

from typing import Any

import click

from release_dossier.cli import edge


@click.command("list")
@edge.json_option
def list_(as_json: bool) -> None:
    """Every change of this project, newest first, and where it stands."""
    from release_dossier.steps.look import listing

    lines = listing(edge.open_world())
    edge.emit({"changes": lines}, as_json, lambda: _table(lines))


def _table(lines: list[dict[str, Any]]) -> str:
    if not lines:
        return "no change yet. next: dossier open --issue FILE"
    paint = {"ALLOW": "green", "DENY": "red"}
    rows = []
    for c in lines:
        if c["state"] == "unreadable":
            rows.append(f"‼ unreadable  {c['branch']}: {c['detail']}")
            continue
        sign = {"ALLOW": "✓", "DENY": "✗"}.get(c["state"], "·")
        what = f"released {', '.join(c['released'])}" if c["released"] else ", ".join(c["unmet"]) or "everything met"
        verdict = edge.colour(f"{sign} {c['state']:9}", paint.get(c["state"], "white"))
        rows.append(f"{verdict} {', '.join(c['services']):24} {c['branch']:28} {c['owner']:12} {what}")
    return "\n".join(rows)


@click.command()
@click.argument("document", metavar="ID")
@edge.json_option
def show(document: str, as_json: bool) -> None:
    """One document: what it says, who signed it, where it stands in the log."""
    import json

    from release_dossier.steps.look import show as read

    found = read(edge.open_world(), document)

    def words() -> str:
        signed = ", ".join(found["signed_by"]) or "nobody listed"
        head = f"{found['type']} {found['digest']}\n  log entry {found['log_index']} at {found['logged_at']} · signed by {signed}"
        return head + "\n" + json.dumps(found["predicate"], indent=2, ensure_ascii=False)

    edge.emit(found, as_json, words)


@click.command()
@click.argument("a")
@click.argument("b")
@edge.json_option
def compare(a: str, b: str, as_json: bool) -> None:
    """Two dossiers or releases (digest, tag or service@version) side by side."""
    from release_dossier.steps.look import compare as compare_dossiers

    found = compare_dossiers(edge.open_world(), a, b)
    edge.emit(found, as_json, lambda: _compared(found))


def _compared(c: dict[str, Any]) -> str:
    lines = [f"a {c['a']}", f"b {c['b']}"]
    for what in ("scope", "owners", "risks"):
        part = c[what]
        lines.append(f"{what}: {part['both']} in both, {len(part['only_a'])} only in a, {len(part['only_b'])} only in b")
        lines += [f"  - {x}" for x in part["only_a"][:10]] + [f"  + {x}" for x in part["only_b"][:10]]
    lines.append(f"evidence: {c['evidence_same']} with the same verdict, {len(c['evidence'])} with another")
    lines += [f"  {e['name']} ({e['service']}): {e['a']} → {e['b']}" for e in c["evidence"]]
    lines.append(f"facts: {len(c['facts'])} differ")
    for f in c["facts"][:20]:
        percent = (
            f" ({f['change_percent']:+} %, {f['direction']})"
            if f["change_percent"] is not None
            else f" (not compared: {f['comparable']})"
            if f["comparable"]
            else ""
        )
        lines.append(f"  {f['evidence']} {f['fact']}: {f['before']} → {f['after']} {f['unit']}{percent}")
    lines.append("rules: the same" if c["rules"]["same"] else "rules: they differ; dossier show prints each")
    return "\n".join(lines)
