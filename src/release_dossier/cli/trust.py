"""`dossier key`, `dossier trust`"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from release_dossier.cli import edge

if TYPE_CHECKING:
    from release_dossier.trust.document import TrustDocument


@click.group(cls=edge.Group)
def key() -> None:
    """Keys of people and producers."""


@key.command("new", epilog="Example: dossier key new runner-2")
@click.argument("name")
@edge.json_option
def key_new(name: str, as_json: bool) -> None:
    """Make an ed25519 key under .dossier/keys. It counts for nothing until the trust document lists it."""
    from release_dossier.steps.trust import make_key

    made = make_key(edge.open_world(), name)
    public = shlex.quote(f"{made['file']}.pub")
    words = f"made {made['file']}\n  {made['id']}\nnext: dossier trust propose --person {name} --role ROLE --public {public} --key YOURS"
    edge.emit({"key": made}, as_json, lambda: words)


@key.command("list", epilog="Example: dossier key list")
@edge.json_option
def key_list(as_json: bool) -> None:
    """Every key the trust document lists, and which of them this machine holds."""
    from release_dossier.steps.trust import keys

    found = keys(edge.open_world())
    rows = [
        f"{k['holder']:16} {k['kind']:9} {k['id']} {'here' if k['here'] else ''}{' REVOKED ' + k['revoked'] if k['revoked'] else ''}"
        for k in found
    ]
    edge.emit({"keys": found}, as_json, lambda: "\n".join(rows))


def _roles(roles: tuple[str, ...]) -> str:
    return f" as {', '.join(roles)}" if roles else ""


_draft = click.option(
    "--draft", type=click.Path(path_type=Path), metavar="FILE", help="where the next version waits for people who sign at other machines"
)


@click.group(cls=edge.Group)
def trust() -> None:
    """The trust document: people, roles, keys, revocations."""


@trust.command("show", epilog="Example: dossier trust show")
@_draft
@edge.json_option
def trust_show(draft: Path | None, as_json: bool) -> None:
    """The newest trust document, or what a draft of the next one changes."""
    import msgspec

    from release_dossier.steps.trust import read_draft

    world = edge.open_world()
    t = world.trust
    document, digest = t.document, t.digest
    lines = [f"trust version {document.version} · {digest}", f"  project {t.project}", *(f"  {x}" for x in _told(document))]
    if draft is not None:
        _, statement, document = read_draft(world, draft)
        digest, before, after = statement.digest, _told(t.document), _told(document)
        lines = [f"draft of version {document.version}, over {t.document.version} · {digest}"]
        lines += [*(f"- {x}" for x in before if x not in after), *(f"+ {x}" for x in after if x not in before)]
        lines += [f"next: dossier trust propose --draft {shlex.quote(str(draft))} --key YOURS"]
    value = {**msgspec.to_builtins(document), "digest": digest, "project": t.project}
    edge.emit({"trust": value}, as_json, lambda: "\n".join(lines))


def _told(d: TrustDocument) -> list[str]:
    """A line for each thing a trust document says."""
    lines = [f"a change needs {d.threshold} of the people with role trust-root"]
    lines += [f"person    {p.id} ({p.name}): {', '.join(p.roles)}{_mail(p.emails)} · {', '.join(k.id for k in p.keys)}" for p in d.people]
    lines += [
        f"producer  {p.id}: {', '.join(p.kinds) or 'any kind'}{_roles(p.roles)} · {', '.join(k.id for k in p.keys)}" for p in d.producers
    ]
    return lines + [f"revoked   {r.key} from {r.at}: {r.reason}" for r in d.revocations]


def _mail(emails: tuple[str, ...]) -> str:
    return f" · {', '.join(emails)}" if emails else ""


@trust.command("propose", epilog="Example: dossier trust propose --person bo --role ops --public bo.pub --key ann")
@click.option("--person", metavar="ID", help="add or change this person")
@click.option("--name", default="", metavar="WORDS", help="how this person is called in full")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="roles this person holds, all of them: those not named are taken away")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="addresses git shows for this person, all of them")
@click.option("--producer", metavar="ID", help="add or change this producer")
@click.option("--producer-role", "producer_roles", multiple=True, metavar="ROLE", help="roles a rule may ask of it, all of them")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="kinds it may produce, all of them; none: any")
@click.option("--public", type=click.Path(path_type=Path), metavar="FILE.pub", help="their public key")
@click.option("--revoke", metavar="KEY-ID", help="a key that counts for nothing from now on")
@click.option("--threshold", type=int, metavar="N", help="how many trust-root people must sign a change")
@click.option("--reason", default="", metavar="WORDS", help="why a key is revoked")
@click.option(
    "--key",
    "key_files",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="keys that sign the new version",
)
@_draft
@edge.json_option
def trust_propose(
    person: str | None,
    name: str,
    roles: tuple[str, ...],
    emails: tuple[str, ...],
    producer: str | None,
    producer_roles: tuple[str, ...],
    kinds: tuple[str, ...],
    public: Path | None,
    revoke: str | None,
    threshold: int | None,
    reason: str,
    key_files: tuple[Path, ...],
    draft: Path | None,
    as_json: bool,
) -> None:
    """Write the next version of the trust document, signed; it is in force once committed to the protected branch."""
    from release_dossier.steps.trust import Proposal, propose

    wish = Proposal(
        person=person,
        name=name,
        roles=roles,
        emails=emails,
        producer=producer,
        producer_roles=producer_roles,
        kinds=kinds,
        public=public,
        revoke=revoke,
        threshold=threshold,
        reason=reason,
    )
    world = edge.open_world()
    made = propose(world, wish, key_files, draft)
    if "waits" in made:
        name = shlex.quote(made["file"])
        lines = [f"a draft of version {made['version']} waits in {made['file']}: signed by {made['waits']}"]
        lines += [f"next: whoever else signs: dossier trust show --draft {name}; dossier trust propose --draft {name} --key THEIRS"]
        edge.emit({"trust": made}, as_json, lambda: "\n".join(lines))
        return
    away = "" if world.repo.branch() == world.pin.protected_branch else f"git switch {world.pin.protected_branch} && "
    commit = f"{away}git add {made['file']} && git commit -m 'trust version {made['version']}'"
    push = f" && git push {world.pin.remote} {world.pin.protected_branch}" if world.pin.remote else ""
    words = f"wrote version {made['version']} to {made['file']}\nnext: {commit}{push}"
    edge.emit({"trust": made}, as_json, lambda: words)
