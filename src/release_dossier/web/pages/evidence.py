"""A piece of evidence at an address of its own: what it says, what it rests on, and its proof, checked again for every reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from release_dossier.digest import parse_json
from release_dossier.errors import DossierError, Refused
from release_dossier.evidence import personal
from release_dossier.evidence.erasure import Erasure
from release_dossier.evidence.kinds import KINDS
from release_dossier.steps.erase import why
from release_dossier.steps.people import MAY_WITHDRAW
from release_dossier.trust.log import leaf_of, verify_inclusion
from release_dossier.web import pictures, views
from release_dossier.web.catalog import Read, raw
from release_dossier.web.describe import download
from release_dossier.web.exhibits import VIEW_BYTES_MAX, Exhibit, exhibit
from release_dossier.web.paper import page, place_of, release_address
from release_dossier.web.paying import account as account_of
from release_dossier.web.paying import content
from release_dossier.web.place import Place

router = APIRouter()
ATTEMPTS_MAX = 40  # attempts listed on one page, the newest first
_LEDGER_KINDS = ("payouts", "ledger-invariants")


@router.get("/evidence/{digest}")
def evidence(request: Request, digest: str) -> Response:
    """One piece of evidence; in a browser with JavaScript it opens over the page it was asked from."""
    place = place_of(request)
    place.catalog.refresh()
    entry = place.catalog.find(digest)
    if entry.type != "evidence":
        raise Refused("page.unknown", at=digest, found=f"a {entry.type}", expected="evidence")
    read = place.catalog.read(entry)
    e = read.statement.predicate
    values = _openings(place, e["artifacts"])
    e = {**e, **personal.opened({k: e[k] for k in ("cause", "counterexamples", "facts", "limits")}, values)}
    now = place.clock()
    kind = next((k for k in KINDS if k.name == e["kind"]), None)
    meanings = {name: words for name, _, words in kind.facts} if kind else {}
    return page(
        request,
        "evidence.html",
        now,
        title=f"{e['name']} of {e['service']}",
        e=e,
        d=entry,
        kind=kind,
        facts=[{**(views.fact(n, e["facts"]) or {}), "means": meanings.get(n, "")} for n in sorted(e["facts"])],
        hold=views.freshness(e["observed_at"], e["expires_at"], now),
        attempts=_attempts(place, e),
        exhibits=[_shown(place, a, e["format"]) for a in e["artifacts"]],
        checks=checks(place, read),
        releases=_releases(place, e),
        personal=len(values),
        users=_users(e) if e["kind"] in _LEDGER_KINDS else [],
    )


@router.get("/evidence/{digest}/account/{user}")
def account(request: Request, digest: str, user: str) -> Response:
    """A user's statement of account under the ledger this evidence looked at, computed from the stored artifact."""
    place = place_of(request)
    place.catalog.refresh()
    entry = place.catalog.find(digest)
    e = place.catalog.read(entry).statement.predicate
    lines, ruleset = account_of(place, e, user)
    return page(request, "account.html", place.clock(), title=f"Account of {user}", e=e, d=entry, user=user, lines=lines, ruleset=ruleset)


@router.get("/artifacts/{digest}")
def artifact(request: Request, digest: str, name: str = "artifact") -> Response:
    """An artifact's bytes, as a download: never shown by the browser as a page of ours."""
    place = place_of(request)
    file = _file(place, f"sha256:{digest}")
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)[:120] or "artifact"
    return download(request, file, f"sha256:{digest}", safe)


def checks(place: Place, read: Read) -> list[dict[str, str]]:
    """What was checked just now about a statement: bytes, signatures, its place in the log, the log's head. (name, state, detail)."""
    trust = place.ground().world.trust
    names = {k.id: h.id for h in trust.document.holders() for k in h.keys}
    who = ", ".join(sorted(f"{names.get(k, 'nobody')} ({k[:19]}…)" for k in read.keys))
    by = f"by {who}, listed in trust version {trust.document.version}" if read.keys else "no key the trust document lists signed it"
    catalog, entry = place.catalog, read.entry
    path = catalog.proof(entry)
    root = catalog.checkpoint.root if catalog.checkpoint else b""
    there = verify_inclusion(leaf_of(entry.line()), entry.n, catalog.size, path, root)
    leads = f"leads over {len(path)} hashes to the root {root.hex()[:12]}…" if there else "does not lead to the signed root"
    found = (
        ("bytes", True, f"its envelope has the digest log entry {entry.n} names, and holds the statement {entry.digest[:19]}…"),
        ("signature", bool(read.keys), by),
        ("log", there, f"entry {entry.n} of {catalog.size} {leads}"),
        # An unsigned or shorter head is refused before any page is made: see `Catalog.refresh`.
        ("head", True, f"the checkpoint over {catalog.size} entries is signed by a key of this project"),
    )
    return [{"name": name, "state": "pass" if holds else "fail", "detail": detail} for name, holds, detail in found]


def _attempts(place: Place, e: dict[str, Any]) -> list[dict[str, Any]]:
    columns = "digest, attempt, verdict, observed_at, looked_at, of, change"
    sql = f"select {columns} from evidence where service = ? and name = ? order by n desc limit {ATTEMPTS_MAX}"
    rows = place.catalog.rows(sql, (e["service"], e["name"]))
    mine = raw(e["change"])
    return [
        {"digest": d.hex(), "attempt": a, "verdict": v, "observed_at": o, "looked": views.looked(at, of), "here": c == mine}
        for d, a, v, o, at, of, c in rows
    ]


def _releases(place: Place, e: dict[str, Any]) -> list[dict[str, str]]:
    mine = [r for r in place.catalog.rounds_of(e["change"]) if r.service == e["service"]]
    return [
        {"name": f"{r.service}@{r.version}", "address": release_address(r.service, r.version, tab="evidence", change=r.change[7:23])}
        for r in mine
    ]


def _shown(place: Place, a: dict[str, Any], format: str) -> dict[str, Any]:
    """An artifact with what can be seen of it; one that is gone or altered says so and hides no other."""
    try:
        if a["bytes"] > VIEW_BYTES_MAX:
            raise Refused("artifact.too-large", at=a["name"], found=f"{a['bytes']} bytes", expected=f"at most {VIEW_BYTES_MAX} to be shown")
        seen, fault = exhibit(content(place, a["digest"]), a["name"], format), None
    except DossierError as found:
        seen, fault = Exhibit(form="bytes", title="Not shown"), _withheld(place, a["digest"]) or found
    return {**a, "seen": seen, "fault": fault, "drawn": pictures.bars(seen.bars) if seen.bars else None}


def _openings(place: Place, artifacts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Commitment → personal value, of those whose opening is here and whole."""
    out = {}
    for a in artifacts:
        if a["media_type"] == personal.MEDIA_TYPE:
            with suppress(DossierError):
                out[a["digest"]] = str(parse_json(content(place, a["digest"]), a["name"])["value"])
    return out


def _withheld(place: Place, digest: str) -> Refused | None:
    """By whom and why an artifact was erased; None where nobody who may signed that."""
    trust = place.ground().world.trust
    for entry in place.catalog.entries("type = 'erasure' and key = ?", (digest,)):
        read = place.catalog.read(entry)
        said = msgspec.convert(read.statement.predicate, Erasure)
        who = trust.person(said.person)
        if who is not None and set(who.roles) & set(MAY_WITHDRAW) and any(k.id in read.keys for k in who.keys):
            return Refused("store.withheld", at=digest, found=why(said), expected="an artifact that was kept")
    return None


def _file(place: Place, digest: str) -> Path:
    """Where an artifact that the log knows lies.

    Raises:
        Refused: `digest.unknown`.
    """
    if len(digest) != 71 or not set(digest[7:]) <= set("0123456789abcdef"):
        raise Refused("digest.syntax", at="artifact", found=digest, expected="64 hexadecimal digits")
    file = place.tail.artifact_file(digest)
    if not file.is_file():
        raise Refused("digest.unknown", at="artifact", found=digest, expected="an artifact of this project", help="dossier list")
    return file


def _users(e: dict[str, Any]) -> list[str]:
    """Users the counterexamples name, worst first."""
    return list(dict.fromkeys(x["detail"]["user"] for x in e["counterexamples"] if x.get("detail", {}).get("user")))
