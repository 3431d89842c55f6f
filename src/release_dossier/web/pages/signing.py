"""Signing in a browser: the words are shown, a person's own key signs them elsewhere or a passkey here, and only then they are recorded.

1. Nothing is kept between showing and recording: the address and the moment say the draft again, and what is recorded must be the very
   statement that was shown, whose digest the form brings back.
2. A draft is good for a quarter of an hour. Results that changed meanwhile make other words, and those were not shown.
3. The server signs for nobody. It decides anew after it recorded something, as `dossier gate` would; the same form sent again adds nothing.
"""

from __future__ import annotations

import base64
import json
import shlex
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import msgspec
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from release_dossier.digest import sha256
from release_dossier.errors import Refused
from release_dossier.limits import CLOCK_SKEW_SECONDS_MAX
from release_dossier.steps.decide import decide_dossier
from release_dossier.steps.people import Draft, draft_approval, draft_rejection, draft_waiver, draft_withdrawal, record_signed
from release_dossier.steps.world import World, instant
from release_dossier.trust.document import Person
from release_dossier.trust.dsse import Envelope, valid_keys
from release_dossier.trust.keys import Key
from release_dossier.trust.sshsig import NAMESPACE
from release_dossier.trust.statement import PAYLOAD_TYPE
from release_dossier.trust.webauthn import challenge, key_of_credential
from release_dossier.web.access import own
from release_dossier.web.paper import code, page, place_of, release_address
from release_dossier.web.place import Options, Place

router = APIRouter()
DRAFT_SECONDS_MAX = 900  # seconds between reading and signing
UNTIL_DAYS = 7  # days an approval holds when nothing else is said, as on the command line
_SIGN = f"ssh-keygen -Y sign -n {NAMESPACE} -f"
# Where OpenSSH puts a key, by the first word of its public line.
_USUAL = {"ssh-rsa": "id_rsa", "sk-ssh-ed25519@openssh.com": "id_ed25519_sk", "sk-ecdsa-sha2-nistp256@openssh.com": "id_ecdsa_sk"}
WORDS = ("approval", "rejection", "withdrawal", "waiver")
Text = Annotated[str, Form()]


class Wish(msgspec.Struct, frozen=True):
    """What somebody wants to say, as the address has it."""

    what: str
    target: str
    person: str
    role: str = ""
    reason: str = ""
    requirement: str = ""
    service: str = ""
    until: str = ""


@router.get("/sign/{digest}")
def show(
    request: Request,
    digest: str,
    what: str = "approval",
    person: str = "",
    role: str = "",
    reason: str = "",
    requirement: str = "",
    service: str = "",
    until: str = "",
    seat: str = "",
) -> Response:
    """The words to be signed, whole, and the ways to sign them. `seat` is `person/role`, as the form on the tab Approvals sends it."""
    place = place_of(request)
    place.catalog.refresh()
    person, _, role = seat.partition("/") if seat else (person, "", role)
    own(request.state.who, person)
    wish = Wish(what, place.catalog.find(digest).digest, person, role, reason, requirement, service, until)
    world = place.world()
    draft = _draft(world, wish)
    who = world.trust.person(draft.record.person)
    assert who is not None
    who = msgspec.structs.replace(who, keys=tuple(k for k in who.keys if world.trust.revoked_at(k.id) is None))
    site = _here(request).hostname or ""
    passkeys = [k for k in who.keys if k.credential and _site(k) == site]
    key_file = _key_file(world, who, request.state.who.via == "loopback")
    return page(
        request,
        "sign.html",
        world.now,
        title=f"Sign as {who.id}",
        wish=wish,
        draft=draft,
        at=world.stamp(),
        shown=msgspec.to_builtins(draft.record),
        text=code(json.dumps(json.loads(draft.statement.raw), indent=2, ensure_ascii=False)),
        command=f"printf %s {base64.b64encode(draft.message).decode()} | base64 -d | {_SIGN} {key_file}",
        challenge=_url64(challenge(draft.message)),
        credentials=" ".join(k.credential for k in passkeys),
        site=site,
        named=str(request.url.replace(hostname="localhost")),
        keys=[k for k in who.keys if not k.credential],
        releases=_releases(place, wish),
    )


@router.post("/sign/{digest}/sign")
def record(
    request: Request,
    digest: str,
    what: Text,
    person: Text,
    at: Text,
    statement: Text,
    signature: Text,
    kind: Text = "sshsig",
    role: Text = "",
    reason: Text = "",
    requirement: Text = "",
    service: Text = "",
    until: Text = "",
) -> Response:
    """Record words somebody signed, and decide anew.

    Raises:
        Refused: `access.person`, `sign.*`, `people.*`: nothing was recorded.
    """
    own(request.state.who, person)
    place = place_of(request)
    place.catalog.refresh()
    wish = Wish(what, place.catalog.find(digest).digest, person, role, reason, requirement, service, until)
    world = place.world()
    then = instant(at, "the draft's moment")
    if not timedelta(seconds=-CLOCK_SKEW_SECONDS_MAX) <= world.now - then <= timedelta(seconds=DRAFT_SECONDS_MAX):
        expected = f"at most {DRAFT_SECONDS_MAX // 60} minutes between reading and signing"
        raise Refused("sign.late", at="the draft", found=f"words of {at}", expected=expected, help="read them again and sign")
    draft = _draft(msgspec.structs.replace(world, now=then), wish)
    if draft.statement.digest != statement:
        found, expected = "other words than were shown", "the same: something changed meanwhile"
        raise Refused("sign.changed", at="the draft", found=found, expected=expected, help="read them again and sign")
    said, _ = record_signed(world, draft, _signature(world, draft, kind, signature))
    dossier = _dossier(place, wish)
    world = place.world()
    if dossier and not _decided_since(world, dossier, said):
        decide_dossier(world, dossier)
    place.catalog.refresh()
    there = _releases(place, wish)
    return RedirectResponse(there[0]["address"] if there else "/", 303)


@router.get("/passkey")
def passkey(request: Request, person: str = "") -> Response:
    """Where a person makes a passkey for this site and learns how it comes into the trust document."""
    place = place_of(request)
    document = place.ground().world.trust.document
    site = _here(request).hostname or ""
    mine = request.state.who.person
    people = [p.id for p in document.people if mine in ("", p.id)]
    chosen = person if person in people else (people[0] if people else "")
    ask = _url64(_registration(place, chosen))
    return page(
        request,
        "passkey.html",
        place.clock(),
        title="A passkey for signing",
        people=people,
        chosen=chosen,
        site=site,
        challenge=ask,
        handle=_url64(chosen.encode()),
        named=str(request.url.replace(hostname="localhost")),
        made=None,
    )


@router.post("/passkey")
def made(request: Request, person: Text, credential: Text) -> Response:
    """A passkey as the browser returned it, as the line a trust proposal takes. Nothing is recorded: people are changed by people.

    Raises:
        Refused: `passkey.registration`, `access.person`.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException

    own(request.state.who, person)
    place = place_of(request)
    document = place.ground().world.trust.document
    here = _here(request)
    site = here.hostname or ""
    try:
        found = verify_registration_response(
            credential=credential,
            expected_challenge=_registration(place, person),
            expected_rp_id=site,
            expected_origin=f"{here.scheme}://{here.netloc}",
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError) as e:
        expected = "a passkey made on this page, with the person recognised"
        raise Refused("passkey.registration", at="the browser's answer", found=str(e) or type(e).__name__, expected=expected) from e
    key = key_of_credential(found.credential_public_key, site, found.credential_id)
    return page(
        request,
        "passkey.html",
        place.clock(),
        title="A passkey for signing",
        people=[p.id for p in document.people],
        chosen=person,
        site=site,
        challenge="",
        handle="",
        named="",
        made={"line": f"{key.public} passkey:{key.credential}", "id": key.id, "file": f"{person}-passkey.pub"},
    )


def _here(request: Request) -> SplitResult:
    """This site as browsers reach it: whoever asks by https is met by a proxy, and the server sees http."""
    said: Options = request.app.state.options
    here = urlsplit(str(request.base_url))
    return here._replace(scheme="https") if said.secure else here


def _key_file(world: World, who: Person, here: bool) -> str:
    """The file a person's key probably lies in, as a shell takes it: for a reader on this machine (`here`) the one `init` made, else
    where OpenSSH puts a key of the kind the trust document lists."""
    made = world.home / "keys" / who.id
    if here and made.is_file():
        return shlex.quote(str(made))
    kinds = [k.public.split()[0] for k in who.keys if not k.credential]
    return "~/.ssh/" + next((_USUAL.get(k, "id_ecdsa" if k.startswith("ecdsa-") else "id_ed25519") for k in kinds), "id_ed25519")


def _draft(world: World, w: Wish) -> Draft:
    """The statement a wish comes to at `world.now`.

    Raises:
        Refused: `sign.what`, `people.*`, `waiver.*`.
    """
    match w.what:
        case "approval":
            until = instant(w.until, "until") if w.until else world.now + timedelta(days=UNTIL_DAYS)
            return draft_approval(world, w.target, w.person, w.role, w.reason, until)
        case "rejection":
            return draft_rejection(world, w.target, w.person, w.reason)
        case "withdrawal":
            return draft_withdrawal(world, w.target, w.person, w.reason)
        case "waiver":
            return draft_waiver(world, w.target, w.requirement, w.service, w.person, w.reason, _end(w.until, world.now))
    raise Refused("sign.what", at="what", found=w.what, expected=" or ".join(WORDS))


def _end(until: str, now: datetime) -> datetime:
    """A day means until its end in UTC."""
    if not until:
        return now + timedelta(days=UNTIL_DAYS)
    return instant(f"{until}T23:59:59Z" if len(until) == 10 else until, "until")


def _signature(world: World, draft: Draft, kind: str, text: str) -> tuple[str, str, str]:
    """The signature with the id of the person's key that made it. One that nobody's key made keeps the first, and is refused for that."""
    who = world.trust.person(draft.record.person)
    assert who is not None
    if kind == "sshsig":
        text = text.replace("\r\n", "\n").strip() + "\n"
    bare = [(kind, k.id, text) for k in who.keys]
    public = {k.id: k.public for k in who.keys}
    fits = (s for s in bare if valid_keys(Envelope(draft.statement.raw, PAYLOAD_TYPE, (), (s,), b""), public, "the signature"))
    return next(fits, bare[0] if bare else (kind, "", text))


def _dossier(place: Place, w: Wish) -> str:
    """The dossier a wish is about; empty for a withdrawal of something else."""
    if w.what != "withdrawal":
        return w.target
    said = place.read(w.target)
    if said.entry.type in ("approval", "rejection", "waiver"):
        return str(said.statement.predicate["dossier"])
    return w.target if said.entry.type == "dossier" else ""


def _decided_since(world: World, dossier: str, said: str) -> bool:
    """Whether the log has a decision about a dossier from after a statement."""
    entries = world.store.entries()
    n = next(e.n for e in entries if e.digest == said)
    return any(e.type == "decision" and e.key == dossier for e in entries[n:])


def _releases(place: Place, w: Wish) -> list[dict[str, str]]:
    dossier = _dossier(place, w)
    mine = [r for r in place.catalog.rounds.values() if r.dossier and r.dossier == dossier]
    return [
        {"name": f"{r.service}@{r.version}", "address": release_address(r.service, r.version, tab="approvals", change=r.change[7:23])}
        for r in mine
    ]


def _site(key: Key) -> str:
    """The site a passkey is for, as its public line has it."""
    from release_dossier.trust.keys import parse_public

    return parse_public(key.public, "a listed key").site


def _registration(place: Place, person: str) -> bytes:
    """What a browser is asked to make a passkey over: bound to project and person, so that an answer is no answer for another."""
    return bytes.fromhex(sha256(f"release-dossier passkey for {person} of {place.project}".encode())[7:])


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
