"""Who may do what at the server. Pure: a request's method and path, somebody and the settings in; a verdict out.

1. Every address needs one scope, by the table `NEEDS`; what no line names needs `admin`. A test holds the table against every route.
2. A role is a set of scopes. A token has the scopes it was given, and never more than its role has now.
3. Without login everybody who reaches the server is this machine's own user: so it answers on loopback only.
4. A scope lets somebody ask. What counts in a decision is a person's signature, whoever carried it here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from release_dossier.errors import Refused
from release_dossier.project import Access

ROLES: dict[str, tuple[str, ...]] = {
    "viewer": ("read",),
    "contributor": ("read", "write"),
    "approver": ("read", "write", "sign"),
    "admin": ("read", "write", "sign", "release", "admin"),
}
OPEN = "open"  # needs nobody

# (methods, path, scope): the first that matches counts
NEEDS: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (methods, re.compile(pattern + r"\Z"), scope)
    for methods, pattern, scope in (
        ("GET", r"/(healthz|readyz|favicon\.ico|robots\.txt)", OPEN),
        ("GET", r"/static/.*", OPEN),
        ("GET", r"/theme", OPEN),
        ("GET", r"/login(/callback)?", OPEN),
        ("POST", r"/login|/logout", OPEN),
        ("GET", r"/badges/.*|/api/v1/status(/.*)?", "badge"),
        ("GET", r".*", "read"),
        ("POST", r"/api/v1/artifacts|/api/v1/changes(/[^/]+/(evidence/[^/]+|dossier))?", "write"),
        ("POST", r"/api/v1/dossiers/[^/]+/decision", "write"),
        ("POST", r"/api/v1/drafts", "sign"),
        ("POST", r"/api/v1/dossiers/[^/]+/(approvals|rejections|waivers)|/api/v1/documents/[^/]+/withdrawals", "sign"),
        ("POST", r"/api/v1/dossiers/[^/]+/(releases|deliveries)|/api/v1/deployments|/api/v1/deliveries/[^/]+/tries", "release"),
        ("POST", r"(/.*)?/(evidence|decide|assemble)", "write"),
        ("POST", r"/passkey|(/.*)?/(approve|reject|waive|withdraw|draft|sign|approvals|waivers)", "sign"),
        ("POST", r"(/.*)?/(release|send|deliver)", "release"),
    )
)


class Somebody(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking: a name to show and log, what they may do, and how that is known (`loopback`, `session`, `token`)."""

    name: str
    role: str
    scopes: tuple[str, ...]
    via: str
    person: str = ""  # of the trust document, when the settings say so
    id: str = ""  # of the session or token: what rate limits count by


LOCAL = Somebody(name="this machine", role="admin", scopes=ROLES["admin"], via="loopback")


def need_of(method: str, path: str) -> str:
    """The scope a request needs."""
    method = "GET" if method in ("HEAD", "OPTIONS") else method
    return next((scope for methods, pattern, scope in NEEDS if method in methods.split() and pattern.match(path)), "admin")


def may(who: Somebody | None, need: str, *, public_badges: bool = False) -> bool:
    """Whether `who` (None: nobody has said who they are) may do what needs `need`."""
    if need == OPEN or (need == "badge" and public_badges):
        return True
    return who is not None and ("read" if need == "badge" else need) in who.scopes


def own(who: Somebody, person: str) -> None:
    """Who is known to be one person carries no other's words.

    Raises:
        Refused: `access.person`.
    """
    if who.person and who.person != person.lstrip("@"):
        raise Refused("access.person", at="person", found=person, expected=f"{who.person}, who you are here")


def role_of(access: Access, claims: Mapping[str, object]) -> tuple[str, str] | None:
    """(role, person) of somebody who logged in, None when the project does not know them. The most a line gives counts.

    Args:
        claims: what the provider vouches for: `github`, `github-id`, `email` (verified only), `sub`.
    """
    said = {f"{k}:{v}".casefold() for k, v in claims.items() if v}
    mine = [m for m in access.member if m.who.casefold() in said]
    if mine:
        best = max(mine, key=lambda m: len(ROLES[m.role]))
        return best.role, next((m.person for m in mine if m.person), "")
    return (access.visitors, "") if access.visitors else None


def scopes_of(role: str, asked: tuple[str, ...]) -> tuple[str, ...]:
    """What a token may do: what it was given, as far as its role goes."""
    return tuple(s for s in ROLES.get(role, ()) if not asked or s in asked)
