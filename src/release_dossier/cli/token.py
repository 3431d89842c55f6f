"""`dossier token`"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from release_dossier.cli import edge
from release_dossier.errors import Misuse

if TYPE_CHECKING:
    from release_dossier.store.access import AccessStore, Token

DAYS = 90


@click.group(cls=edge.Group)
def token() -> None:
    """Tokens for machines at the server of this project: new, list, revoke."""


@token.command(epilog="Example: dossier token new --name ci --role contributor --scope write")
@click.option("--name", required=True, metavar="NAME", help="what it is for, as logs show it")
@click.option("--role", required=True, type=click.Choice(["viewer", "contributor", "approver", "admin"]), help="what it may do")
@click.option("--scope", "scopes", multiple=True, metavar="S", help="only these of the role: read, write, sign, release, admin")
@click.option("--until", metavar="RFC3339", help=f"when it ends; in {DAYS} days when not given")
@click.option("--person", default="", metavar="WHO", help="whose words alone it may carry")
@edge.json_option
def new(name: str, role: str, scopes: tuple[str, ...], until: str | None, person: str, as_json: bool) -> None:
    """Make a token and show it, once: only its hash is kept."""
    from release_dossier.web.access import ROLES

    stray = next((s for s in scopes if s not in ROLES[role]), None)
    if stray is not None:
        raise Misuse("access.scope", at="--scope", found=stray, expected=f"of a {role}: {', '.join(ROLES[role])}")
    store, now = _store()
    ends = edge.moment(until, "--until") or now + timedelta(days=DAYS)
    if ends <= now:
        raise Misuse("access.scope", at="--until", found=str(until), expected="a moment to come")
    made, text = store.make_token(name, role, scopes, person.lstrip("@"), now.isoformat(), ends.isoformat())
    words = f"{text}\nshown once. {name}: {role}, until {made.expires_at}. Use it as: Authorization: Bearer {text[:16]}…"
    edge.emit({"token": text, **_shown(made)}, as_json, lambda: words)


@token.command("list", epilog="Example: dossier token list")
@edge.json_option
def list_(as_json: bool) -> None:
    """Every token: whose, for what, until when."""
    store, now = _store()
    tokens = [_shown(t) for t in store.tokens()]
    edge.emit(
        {"tokens": tokens}, as_json, lambda: "\n".join(_line(t, now) for t in store.tokens()) or "no token yet. next: dossier token new"
    )


@token.command(epilog="Example: dossier token revoke ID")
@click.argument("id")
@edge.json_option
def revoke(id: str, as_json: bool) -> None:
    """End a token at once."""
    store, now = _store()
    ended = store.revoke(id, now.isoformat())
    edge.emit({"token": _shown(ended)}, as_json, lambda: f"revoked {ended.id} ({ended.name}) at {ended.revoked_at}")


def _store() -> tuple[AccessStore, datetime]:
    from release_dossier.store.access import AccessStore

    world = edge.open_world()
    return AccessStore(world.home / "access.sqlite"), world.now


def _shown(t: Token) -> dict[str, Any]:
    import msgspec

    out: dict[str, Any] = msgspec.to_builtins(t)
    return {**out, "scopes": list(t.scopes)}


def _line(t: Token, now: datetime) -> str:
    state = (
        f"revoked {t.revoked_at}"
        if t.revoked_at
        else f"ended {t.expires_at}"
        if t.expires_at <= now.isoformat()
        else f"until {t.expires_at}"
    )
    return f"{t.id}  {t.name:20} {t.role:12} {' '.join(t.scopes) or 'all of its role':24} {state}"
