"""`dossier rules lint | test | simulate | explain | show`: rules as data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from release_dossier.cli import edge
from release_dossier.errors import EXIT_DENIED, Refused, counted

if TYPE_CHECKING:
    from release_dossier.rules.packs import Read
    from release_dossier.trial import Explained, Simulated

_settings = click.option(
    "--settings", "file", metavar="FILE", type=click.Path(path_type=Path), help="settings to try; dossier.toml when not given"
)
_ref = click.option("--ref", metavar="REF", help="settings and packs as they stand at a commit")


@click.group(cls=edge.Group)
def rules() -> None:
    """Rules as data: look for faults, try them on cases, on everything decided before, and on one dossier."""


@rules.command(epilog="Example: dossier rules lint")
@click.argument("packs", nargs=-1)
@_settings
@_ref
@edge.json_option
def lint(packs: tuple[str, ...], file: Path | None, ref: str | None, as_json: bool) -> int:
    """Faults of the project's rules as the working tree proposes them, or of packs by name. Exit 10 when one is an error."""
    from release_dossier.steps.rules import lint_packs, lint_project, proposal

    world = None if packs else edge.open_world()
    if world is None:
        ruleset, problems = lint_packs(packs, _here())
    else:
        ruleset, problems = lint_project(world, *proposal(world, file, ref))
    errors = sum(p.level == "error" for p in problems)
    value = {
        "problems": [_plain(p) for p in problems],
        "errors": errors,
        "warnings": len(problems) - errors,
        "requirements": len(ruleset.effective),
    }
    edge.emit(value, as_json, lambda: _lint_words(value))
    return EXIT_DENIED if errors else 0


def _lint_words(value: dict[str, Any]) -> str:
    lines = []
    for p in value["problems"]:
        sign = edge.state("fail" if p["level"] == "error" else "warn").split(" ")[0]
        lines += [f"{sign} {p['code']:17} {p['at']}", f"    found     {p['found']}", f"    expected  {p['expected']}"]
    many = f"{counted(value['requirements'], 'requirement')}: {counted(value['errors'], 'error')}, {counted(value['warnings'], 'warning')}"
    return "\n".join([*lines, many])


@rules.command(epilog="Example: dossier rules test money")
@click.argument("packs", nargs=-1)
@_settings
@edge.json_option
def test(packs: tuple[str, ...], file: Path | None, as_json: bool) -> int:
    """Table tests beside the packs: given facts, the expected state. Exit 10 when one comes out otherwise."""
    from release_dossier.steps.rules import proposal, try_own, try_packs, untried
    from release_dossier.trial import Tried

    if packs:
        names, read, own = packs, _here(), tuple[Tried, ...]()
    else:
        world = edge.open_world()
        settings, read = proposal(world, file, None)
        names, own = tuple(dict.fromkeys(s.asked for s in settings.service)), try_own(settings, read)
    tried = (*try_packs(names, read), *own)
    value = {
        "cases": [{**_plain(t), "ok": t.ok} for t in tried],
        "passed": sum(t.ok for t in tried),
        "total": len(tried),
        "untried": untried(names, tried, read),
    }
    edge.emit(value, as_json, lambda: _test_words(value))
    return 0 if tried and value["passed"] == value["total"] else EXIT_DENIED


def _test_words(value: dict[str, Any]) -> str:
    lines = []
    for t in value["cases"]:
        if not t["ok"]:
            lines += [
                f"{edge.state('fail')}  {t['pack']} · {t['name']}",
                f"    {t['requirement']} is {t['found']}, expected {t['expected']}",
            ]
            lines += [f"    {t['reason']}"] if t["reason"] else []
    lines += [f"{edge.state('missing')}  {name}: no case meets its condition, or none fails it" for name in value["untried"]]
    if not value["total"]:
        lines.append("no cases: put [[case]] beside the pack, in NAME.tests.toml")
    return "\n".join([*lines, f"{value['passed']} of {value['total']} cases came out as expected"])


@rules.command(epilog="Example: dossier rules simulate")
@_settings
@_ref
@edge.json_option
def simulate(file: Path | None, ref: str | None, as_json: bool) -> int:
    """A proposal over every stored dossier: which decisions would change, and why. Approvals count as if given over what it says."""
    from release_dossier.steps.rules import proposal, simulate_all

    world = edge.open_world()
    found = simulate_all(world, *proposal(world, file, ref))
    changed = [s for s in found if s.moved]
    value = {
        "dossiers": len(found),
        "changed": [_plain(s) for s in changed],
        "tightened": sum(s.before and not s.after for s in found),
        "loosened": sum(s.after and not s.before for s in found),
    }
    edge.emit(value, as_json, lambda: _simulated_words(changed, len(found)))
    return 0


def _simulated_words(changed: list[Simulated], total: int) -> str:
    lines = []
    for s in changed:
        outcome = {(True, False): "met, would be denied", (False, True): "denied, would be met"}.get(
            (s.before, s.after), "the same outcome"
        )
        lines.append(f"dossier {s.dossier[:19]}…  {s.services}: {outcome}")
        for m in s.moved:
            lines.append(
                f"    {m.service}/{m.id}: {m.before or 'not asked'} → {m.after or 'not asked'}" + (f"; {m.reason}" if m.reason else "")
            )
    return "\n".join([*lines, f"{len(changed)} of {counted(total, 'dossier')} would be judged otherwise"])


@rules.command(epilog="Example: dossier rules explain latency 1a8d733a")
@click.argument("requirement")
@click.argument("digest", required=False)
@click.option("--service", metavar="S", help="where several services ask it")
@edge.json_option
def explain(requirement: str, digest: str | None, service: str | None, as_json: bool) -> int:
    """One requirement on one dossier: the condition with its values, what was looked at, what would turn it green. Exit 10 if it is not."""
    from release_dossier.steps.decide import newest_dossier
    from release_dossier.steps.rules import explain_one

    world = edge.open_world()
    named = world.named(digest, "dossier") if digest else newest_dossier(world)
    e, _ = explain_one(world, named, requirement, service)
    edge.emit({**_plain(e), "dossier": named}, as_json, lambda: _explained_words(e, named))
    return 0 if e.state == "pass" else EXIT_DENIED


def _explained_words(e: Explained, digest: str) -> str:
    of = "nobody knows how many" if e.of is None else str(e.of)
    lines = [f"{edge.state(e.state)}  {e.requirement} of {e.service}: {e.title}" + (f"  [{e.cause}]" if e.cause else "")]
    lines[0] += "  (warns: it denies nothing)" if e.severity == "warn" else ""
    lines += [f"  dossier    {digest[:19]}…", f"  because    {e.reason}" if e.reason else "", f"  asks       {e.asked}"]
    lines += [f"  looked at  {e.looked_at} of {of}"]
    if e.condition:
        lines.append(f"  condition  {e.condition}")
        lines += [f"    {words}  {said}" for words, said in e.parts]
    lines += [
        f"  attempt {a['attempt']}  {a['state']}, {a['looked_at']} looked at, observed {a['observed_at']} by {a['by']}" for a in e.attempts
    ]
    lines += [f"  fresh      until {e.fresh_until}: {e.countdown}"] if e.fresh_until else []
    lines += [f"  to green   {words}" for words in e.to_green]
    lines += [f"  why        {e.why}", f"  owner      {e.owner}", f"  from       {', then '.join(e.origin)}"]
    return "\n".join(line for line in lines if line)


@rules.command(epilog="Example: dossier rules show --service api")
@_settings
@_ref
@click.option("--service", metavar="S", help="only this one")
@edge.json_option
def show(file: Path | None, ref: str | None, service: str | None, as_json: bool) -> None:
    """The effective set, each line with the layer it comes from."""
    from release_dossier.steps.rules import in_force, proposal

    world = edge.open_world()
    found = [e for e in in_force(*proposal(world, file, ref)) if service in (None, e.requirement.service)]
    if not found:
        raise Refused("rules.no-service", at="--service", found=str(service), expected="a service of dossier.toml")
    value = {"requirements": [{**_plain(e.requirement), "lines": e.lines} for e in found]}
    edge.emit(value, as_json, lambda: "\n".join(_shown(r) for r in value["requirements"]))


def _shown(r: dict[str, Any]) -> str:
    lines = [f"{r['service']}/{r['id']}"]
    wide = max(len(k) for k in r["lines"])
    lines += [f"  {k:{wide}}  {_value(r[k])}    # {source}" for k, source in r["lines"].items()]
    return "\n".join(lines)


def _value(value: Any) -> str:
    from release_dossier.digest import canonical

    return str(value) if isinstance(value, str) else canonical(value).decode()


def _plain(x: Any) -> dict[str, Any]:
    import msgspec

    out: dict[str, Any] = msgspec.to_builtins(x)
    return out


def _here() -> Read:
    """Files of the project around, or of this folder where there is none."""
    from release_dossier.steps.rules import tree

    here = Path.cwd()
    return tree(next((d for d in (here, *here.parents) if (d / "dossier.toml").is_file()), here))
