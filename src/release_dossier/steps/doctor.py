"""Doctor: everything a release needs, looked at one by one. A check that cannot look says so; none of them changes anything."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from shlex import quote

from release_dossier.approval import members
from release_dossier.errors import DossierError, counted
from release_dossier.evidence.kinds import kind
from release_dossier.evidence.own import check
from release_dossier.project import Settings
from release_dossier.refusals import CODES
from release_dossier.rules.packs import freeze
from release_dossier.sources.runner import isolation_here
from release_dossier.steps.decide import check_witness, kept_checkpoint
from release_dossier.steps.world import World, open_world, producer_key_path


def examine(start: Path, environ: Mapping[str, str], now: datetime) -> list[dict[str, str]]:
    """`{name, state, detail, help}` per check; state is pass, warn or fail."""
    out = []

    def say(name: str, state: str, detail: str, help: str = "") -> None:
        out.append({"name": name, "state": state, "detail": detail, "help": help})

    tools = (("git", "fail", "reads the repository"), ("ssh-keygen", "warn", "signs with agents and keys under a passphrase"))
    for tool, absent, why in tools:
        there = shutil.which(tool, path=environ.get("PATH"))
        say(tool, "pass" if there else absent, there or f"not installed; {why}", "" if there else f"install {tool}")
    try:
        world = open_world(start, environ, now)
    except DossierError as e:
        say("project", "fail", str(e), _remedy(e))
        return out
    say("project", "pass", f"{world.trust.document.project_name}, identity {world.trust.project[:19]}…")
    _adoption(world, say)
    _keys(world, say)
    _log(world, say)
    kind = isolation_here(environ)
    say(
        "isolation",
        "pass" if kind == "namespace" else "warn",
        f"planned commands run with isolation {kind}",
        "" if kind == "namespace" else "allow unprivileged user namespaces",
    )
    return out


def _remedy(e: DossierError) -> str:
    return e.help or CODES.get(e.code, ("", ""))[1]


def _adoption(world: World, say: object) -> None:
    assert callable(say)
    ref = world.protected_ref()
    if not world.repo.exists(ref):
        say("protected branch", "fail", f"{ref} does not exist", f"git branch {world.pin.protected_branch}")
        return
    try:
        found = world.settings_at(ref)
    except DossierError as e:
        say("protected branch", "fail", str(e), _remedy(e))
        return
    if found is None:
        say(
            "protected branch",
            "fail",
            f"dossier.toml is not on {world.protected_name()}: bootstrap, nothing is allowed",
            "commit dossier.toml and dossier.trust.json there"
            + (f": git push {world.pin.remote} {world.pin.protected_branch}" if world.pin.remote else ""),
        )
        return
    settings = found[0]
    say("protected branch", "pass", f"{ref} holds the settings of {counted(len(settings.service), 'service')}")
    planned = [p.name for p in settings.evidence if p.run]
    say(
        "evidence plan",
        "pass" if settings.evidence else "warn",
        f"{len(planned)} run by command, {len(settings.evidence) - len(planned)} brought as files",
        "" if settings.evidence else "add [[evidence]] to dossier.toml",
    )
    for service in settings.service:
        if service.owners and not members(service.owners, world.trust):
            say(
                f"owners of {service.name}",
                "warn",
                f"{', '.join(service.owners)}: nobody of the trust document, so nobody can sign or waive as owner",
                "name another in dossier.toml, or dossier trust propose",
            )
    for plan in settings.evidence:
        own = plan.run and "/" in plan.run[0]  # made by its own `prepare`, or in the repository
        if plan.run and not own and not shutil.which(plan.run[0], path=world.environ.get("PATH")):
            say(f"evidence {plan.name}", "warn", f"{plan.run[0]} is not installed here", f"install {plan.run[0]}")
    _kinds(settings, say)
    try:
        freeze(settings.rules, [(s.name, s.asked, s.owners) for s in settings.service], lambda f: world.repo.file_at(ref, f))
    except DossierError as e:
        say("rules", "fail", str(e), e.help or "mend them on the protected branch; then: dossier rules lint")
    for k in settings.keyless:
        if world.repo.file_at(ref, k.root) is None:
            say(
                f"keyless {k.name}", "fail", f"no {k.root} on {world.protected_name()}", "commit the trusted root, as Sigstore publishes it"
            )
    remote = world.pin.remote
    if remote and remote not in world.repo.remotes():
        say(f"remote {remote}", "warn", "the repository has none of this name", f"git remote add {remote} ADDRESS")
    elif remote:
        r = world.repo.result("ls-remote", "--heads", remote, ok=(0, 128))
        say(
            f"remote {remote}",
            "pass" if r.returncode == 0 else "warn",
            "answers" if r.returncode == 0 else "does not answer",
            "" if r.returncode == 0 else f"git ls-remote {remote}",
        )


def _kinds(settings: Settings, say: Callable[..., None]) -> None:
    """Kinds of the project's own that could not be read, and plans of a kind there is not: found before evidence waits for them."""
    for own in settings.kind:
        try:
            check(own)
            kind(own.name, settings.kind)
        except DossierError as e:
            say(
                f"kind {own.name}", "fail", str(e), e.help or "mend it in dossier.toml; then: dossier evidence read FILE --kind " + own.name
            )
    mine = {own.name for own in settings.kind}  # what is wrong with those is said above
    for plan in settings.evidence:
        try:
            kind(plan.kind, settings.kind)
        except DossierError as e:
            if plan.kind not in mine:
                say(f"evidence {plan.name}", "fail", str(e), e.help)


def _keys(world: World, say: object) -> None:
    assert callable(say)
    try:
        signer = world.signer()
    except DossierError as e:
        say("producer key", "fail", str(e), _remedy(e))
        return
    producer = world.trust.producer_of_key(signer.key_id)
    if producer is None:
        say(
            "producer key",
            "fail",
            f"{signer.key_id} is not in the trust document",
            f"dossier trust propose --producer NAME --public {quote(f'{producer_key_path(world.home, world.environ)}.pub')} --key YOUR-KEY",
        )
    else:
        say("producer key", "pass", f"{signer.key_id} is producer {producer.id}")
    roles = {r for p in world.trust.document.people for r in p.roles}
    missing = {"trust-root", "release-manager", "ops"} - roles
    known = len(world.trust.document.people)
    people = "1 person" if known == 1 else f"{known} people"
    alone = known == 1 and _mode(world) == "team"
    words = [f"nobody is {', '.join(sorted(missing))}"] if missing else []
    words += ["in a team nobody approves a change of their own, so nothing one person wrote can be released"] if alone else []
    help = "dossier trust propose --person WHO --role release-manager --public THEIRS.pub --key FILE" if words else ""
    say("people", "warn" if words else "pass", "; ".join((people, *words)), help)


def _mode(world: World) -> str:
    """Solo or team, as the protected branch says; empty where it says nothing."""
    ref = world.protected_ref()
    try:
        found = world.settings_at(ref) if world.repo.exists(ref) else None
    except DossierError:  # said where the protected branch is looked at
        return ""
    return found[0].project.mode if found else ""


def _log(world: World, say: object) -> None:
    assert callable(say)
    try:
        kept = kept_checkpoint(world)
        entries = world.store.entries()
        check_witness(world, kept)
    except DossierError as e:
        say("log", "fail", str(e), _remedy(e))
        return
    say("log", "pass", f"{len(entries)} entries, numbered and chained")
