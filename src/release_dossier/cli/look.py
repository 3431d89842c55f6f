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
        back = c["released"] and all(f"{r} withdrawn" in c["labels"] for r in c["released"])
        state = "withdrawn" if back else "released" if c["released"] else c["state"]
        sign = {"ALLOW": "✓", "released": "✓", "DENY": "✗", "withdrawn": "↩"}.get(state, "·")
        met = "everything met" if c["state"] == "ALLOW" else c["why_not"] or "next: dossier assemble && dossier gate"
        what = " · ".join([f"{', '.join(c['released'])}" if c["released"] else ", ".join(c["unmet"]) or met, *c["labels"]])
        verdict = edge.colour(f"{sign} {state:9}", paint.get(state, "white"))
        when, digest = c["opened_at"][:10], (c["dossier"] or "no dossier")[:15]
        rows.append(f"{verdict} {when}  {digest:15}  {', '.join(c['services']):24} {c['branch']:28} {c['owner']:12} {what}")
    return "\n".join(rows)


@click.command(epilog="Example: dossier show 1a8d733a")
@click.argument("document", metavar="ID")
@edge.json_option
def show(document: str, as_json: bool) -> None:
    """One document: what it says, who signed it, where it stands in the log."""
    from release_dossier.steps.look import last_decision
    from release_dossier.steps.look import show as read

    world = edge.open_world()
    found = read(world, document)

    def words() -> str:
        signed = ", ".join(found["signed_by"]) or "nobody listed"
        head = f"{found['type']} {found['digest']}\n  log entry {found['log_index']} at {found['logged_at']} · signed by {signed}\n"
        return head + _said(found, last_decision(world, found["digest"]) if found["type"] == "dossier" else None)

    edge.emit(found, as_json, words)


def _said(found: dict[str, Any], decision: dict[str, Any] | None) -> str:
    """What a document says, for people: a dossier as its page, evidence as its table, anything else as it stands."""
    import json

    import msgspec

    if found["type"] == "dossier":
        from release_dossier.dossier import Dossier
        from release_dossier.gate import Decision
        from release_dossier.steps.bundle import summary

        made = msgspec.convert(found["predicate"], Dossier)
        return summary(found["digest"], made, msgspec.convert(decision, Decision) if decision else None)
    if found["type"] == "evidence":
        from release_dossier.evidence.statement import Evidence

        return _evidence(msgspec.convert(found["predicate"], Evidence))
    return json.dumps(found["predicate"], indent=2, ensure_ascii=False)


def _evidence(e: Any) -> str:
    of = "nobody knows how many" if e.of is None else e.of
    brought = f", brought by {e.producer.imported_by}" if e.producer.imported_by else f", isolation {e.isolation}"
    lines = [
        f"{edge.state(e.verdict)}  {e.name} · {e.service} · attempt {e.attempt} · {e.looked_at} of {of} looked at"
        + (f"; {e.cause}" if e.cause else ""),
        *(f"    {x.text}" + (f"  ({x.where})" if x.where and x.where not in x.text else "") for x in e.counterexamples),
    ]
    left = e.counterexamples_total - len(e.counterexamples)
    lines += [f"    and {left} more in the artifacts"] if left > 0 else []
    lines += [f"  {name:18} {shown_number(f.value)} {f.unit}" for name, f in e.facts.items()]
    lines += [f"  limit              {x}" for x in e.limits]
    lines += [f"  artifact           {a.digest}  {a.bytes} bytes  {a.name}" for a in e.artifacts]
    lines.append(f"  about              commit {e.commit[:12]}, fingerprint {e.fingerprint[:19]}…, environment {e.environment or 'none'}")
    tool = f" of {e.tool} {e.tool_version}".rstrip() if e.tool else ""
    lines.append(f"  written by         {e.written_by or 'unknown'}; read from {e.format}{tool}")
    lines.append(f"  producer           {e.producer.id}{brought}")
    lines.append(f"  observed {e.observed_at} · collected {e.collected_at} · recorded {e.recorded_at} · fresh until {e.expires_at}")
    return "\n".join(lines)


def shown_number(value: Any) -> str:
    """A number as people read it: six digits that count; anything else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else "none" if value is None else str(value)


@click.command(epilog="Example: dossier compare v1.3.0 v1.4.0")
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
        lines.append(f"  {f['evidence']} {f['fact']}: {shown_number(f['before'])} → {shown_number(f['after'])} {f['unit']}{percent}")
    lines.append("rules: the same" if c["rules"]["same"] else "rules: they differ; dossier show prints each")
    return "\n".join(lines)
