"""`dossier release`, `deployed`, `posture`"""

from __future__ import annotations

from typing import Any

import click

from release_dossier.cli import edge
from release_dossier.errors import EXIT_CORRUPT, EXIT_DENIED


@click.command(epilog="Example: dossier release 1a8d733a --push")
@click.argument("digest", required=False)
@click.option("--service", "services", multiple=True, metavar="S", help="only this service of the dossier")
@click.option("--commit", metavar="C", help="tag this commit, whose fingerprints must equal the dossier's")
@click.option("--push", is_flag=True, help="push the tag to the remote")
@edge.json_option
def release(digest: str | None, services: tuple[str, ...], commit: str | None, push: bool, as_json: bool) -> int:
    """Decide again under the lock; on ALLOW make the signed tag, the release record and the log entry, once."""
    import msgspec

    from release_dossier.cli.decide import decision_json, decision_words
    from release_dossier.steps.decide import newest_dossier, signers
    from release_dossier.steps.look import gone_since, withdrawn
    from release_dossier.steps.release import release as release_dossier

    world = edge.open_world()
    named = world.find(digest, "dossier") if digest else newest_dossier(world)
    decision_digest, decision, dossier, done = release_dossier(world, named, services=services, commit=commit, push=push)
    if not done:
        value = {"decision": decision_json(decision_digest, decision)}
        edge.emit(value, as_json, lambda: decision_words(decision, dossier, decision_digest, signers(world, decision, dossier)))
        return EXIT_DENIED
    made = [
        {**msgspec.to_builtins(d.release), "digest": d.digest, "log_index": d.log_index, "fresh": d.fresh, "pushed": d.pushed} for d in done
    ]

    def words() -> str:
        lines, back = [], withdrawn(world)
        for d in done:
            r = d.release
            how = "released" if d.fresh else "was released already:"
            label = f" · {r.label}" if r.label else ""
            gone = gone_since(world, d.digest, back)
            label += f" · withdrawn since: {gone}" if gone is not None else ""
            lines.append(f"{how} {r.service} {r.version}: tag {r.tag} on {r.commit[:12]}, log entry {d.log_index}{label}")
        return "\n".join([*lines, "next: dossier posture; dossier export " + named[:19]])

    edge.emit({"release": made[0], "releases": made}, as_json, words)
    return 0


@click.command(epilog="Example: dossier deployed --service api --environment production --version 1.4.0")
@click.option("--service", required=True, metavar="S", help="what runs")
@click.option("--environment", required=True, metavar="E", help="where")
@click.option("--version", required=True, metavar="V", help="in which version")
@click.option("--image", default="", metavar="DIGEST", help="of the image that runs")
@click.option("--observed", default="", metavar="URL", help="the address that said so")
@edge.json_option
def deployed(service: str, environment: str, version: str, image: str, observed: str, as_json: bool) -> None:
    """Record what runs where."""
    import msgspec

    from release_dossier.steps.deploy import deployed as record

    world = edge.open_world()
    digest, d = record(world, service, environment, version, image, observed)
    how = f"observed at {d.observed}" if d.observed else "declared, not observed"
    edge.emit(
        {"deployment": {**msgspec.to_builtins(d), "digest": digest}},
        as_json,
        lambda: f"{service} {version} runs in {environment} ({how})\nnext: dossier posture",
    )


@click.command(epilog="Example: dossier posture")
@click.option("--at", metavar="RFC3339", help="what if it were then: marked hypothetical")
@edge.json_option
def posture(at: str | None, as_json: bool) -> int:
    """What stands where, from which dossier, what watches it, who owns it, known risks and waivers, until when this is valid."""
    import msgspec

    from release_dossier.steps.deploy import posture as look

    world = edge.open_world()
    moment = edge.moment(at, "--at")
    lines = look(world, moment or world.now)
    value: dict[str, Any] = {"posture": [msgspec.to_builtins(s) for s in lines], "hypothetical": moment is not None}
    what_if = [f"hypothetical: as it would stand at {at}"] if moment else []
    edge.emit(
        value,
        as_json,
        lambda: "\n".join([*map(_standing, lines), *what_if]) if lines else "nothing is released yet. next: dossier release",
    )
    return EXIT_CORRUPT if any(s.standing.startswith("unreadable") for s in lines) else 0


def _standing(s: Any) -> str:
    paint = "green" if s.standing == "valid" else "red"
    label = f" · {s.label}" if s.label else ""
    out = [f"{s.service} {s.version}  {s.environment or 'no environment'}: {s.observed} · {edge.colour(s.standing, paint)}{label}"]
    out.append(f"  valid until  {s.valid_until or 'not valid'} · dossier {s.dossier[:19] or 'none'}")
    out += [f"  slo          {o['name']}: {o['target']} ({o['status']})" for o in s.slos] or ["  slo          none declared"]
    out.append(f"  alerts       {', '.join(s.alerts) or 'none'}" + (f"; unwatched: {', '.join(s.unwatched)}" if s.unwatched else ""))
    out.append(f"  owners       {', '.join(s.owners) or 'none'}")
    out += [f"  risk         {r.id} ({r.severity}): {r.text}" + (f" · {r.mitigation}" if r.mitigation else "") for r in s.risks]
    out += [f"  ~ waived     {w['requirement']} (was {w['was']}): {w['reason']}" for w in s.waivers]
    return "\n".join(out)
