"""The API, writing: open, submit evidence, assemble, decide, sign, release, record what runs, send. Everything goes through the desk."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import secrets
import shlex
from datetime import timedelta
from pathlib import Path as FilePath
from typing import Annotated, Literal

import msgspec
from fastapi import Header, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from release_dossier.delivery import State
from release_dossier.errors import Refused, Unavailable
from release_dossier.issue import parse_issue
from release_dossier.limits import UPLOAD_BYTES_MAX, UPLOAD_IDLE_SECONDS_MAX
from release_dossier.steps import deploy, intake, people
from release_dossier.steps.assemble import assemble
from release_dossier.steps.decide import decide_dossier, publish_checkpoint
from release_dossier.steps.open import open_change
from release_dossier.steps.release import release as release_dossier
from release_dossier.steps.send import deliver, deliveries, queue
from release_dossier.steps.world import World, instant, rfc3339
from release_dossier.trust.sshsig import NAMESPACE, verify_armored
from release_dossier.web.access import Somebody, own
from release_dossier.web.answers import (
    Assembled,
    Decided,
    Deliveries,
    Deployed,
    Drafted,
    Kept,
    Opened,
    Recorded,
    Released,
    Sent,
    Signed,
    Try,
)
from release_dossier.web.describe import Cursor, Digest, Limit, answer, asks, described, read_body, router
from release_dossier.web.desk import Desk

api = router()
DRAFT_MINUTES_MAX = 30  # between asking for words and bringing them back signed
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\Z")
_BESIDE = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]{0,127})=(sha256:[0-9a-f]{64})\Z")
Location = {"Location": {"schema": {"type": "string"}}}


class OpenChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Open a change: the scoped issue as Markdown or GitHub's JSON, and the branch that is proposed."""

    issue: str
    branch: str
    owner: str = ""
    services: dict[str, str] = {}


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ask for words to sign: an approval or rejection of a dossier, a waiver for one of its requirements, a withdrawal of any statement."""

    word: Literal["approval", "rejection", "waiver", "withdrawal"]
    target: str
    person: str
    role: str = ""
    comment: str = ""
    reason: str = ""
    requirement: str = ""
    service: str = ""
    until: str = ""


class Sign(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same words with a signature over them. `type` is sshsig (armored text) or webauthn (canonical JSON, and `key` names it)."""

    person: str
    at: str
    statement: str
    signature: str
    type: Literal["sshsig", "webauthn"] = "sshsig"
    key: str = ""
    role: str = ""
    comment: str = ""
    reason: str = ""
    requirement: str = ""
    service: str = ""
    until: str = ""


class MakeRelease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Release every service of a dossier, or those named."""

    services: tuple[str, ...] = ()
    commit: str = ""
    push: bool = False


class RecordDeployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What runs where."""

    service: str
    environment: str
    version: str
    image: str = ""
    observed: str = ""


class SendTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A destination of the project."""

    to: str


BODIES: tuple[type, ...] = (OpenChange, Draft, Sign, MakeRelease, RecordDeployment, SendTo)


def desk_of(request: Request) -> Desk:
    """Where what changes something is handed in."""
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


@api.post(
    "/changes",
    responses=described(Opened, 201),
    openapi_extra=asks(OpenChange),
    summary="Open a change",
    operation_id="openChange",
    status_code=201,
)
async def changes(request: Request) -> Response:
    body: OpenChange = await read_body(request, OpenChange)

    def work(world: World) -> Opened:
        issue = parse_issue(body.issue.encode("utf-8", "replace"), "issue")
        digest, change, warnings = open_change(
            world, issue, base=None, head=body.branch or None, owner=body.owner or None, versions=body.services
        )
        shown = msgspec.to_builtins(change)
        del shown["rules"]
        return Opened(change={**shown, "digest": digest, "outside_scope": list(change.scope.outside)}, warnings=warnings)

    opened = await desk_of(request).do(work)
    return answer(opened, 201, location=f"/api/v1/documents/{opened.change['digest']}")


# Evidence


@api.post(
    "/changes/{change}/evidence/{name}",
    responses=described(Recorded, 201),
    openapi_extra=asks(None, "application/octet-stream"),
    summary="Submit a file as evidence: the same request again, with the same key, is answered and not done again",
    operation_id="submitEvidence",
    status_code=201,
)
async def submit(
    request: Request,
    change: Digest,
    name: Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")],
    filename: Annotated[str, Query(description="of the file; its ending tells the format", pattern=_FILE.pattern[:-2] + "$")] = "evidence",
    written_by: Annotated[str, Query(description="the build that wrote the data in it", max_length=128)] = "",
    observed_at: Annotated[str, Query(description="RFC 3339, where the file does not say", max_length=40)] = "",
    exit_status: Annotated[int | None, Query(description="of the tool that wrote it", ge=0, le=255)] = None,
    beside: Annotated[list[str], Query(description="NAME=sha256:… of a kept artifact that belongs beside it", max_length=16)] = [],  # noqa: B006
    idempotency_key: Annotated[str, Header(max_length=255)] = "",
) -> Response:
    desk = desk_of(request)
    if observed_at:
        instant(observed_at, "observed_at")
    near = _beside(beside)
    digest, _ = await _keep(request, desk)
    who: Somebody = request.state.who

    def work(world: World) -> tuple[State, Recorded]:
        found = world.find(change, "change")
        job = intake.Job(
            change=found,
            name=name,
            artifact=digest,
            filename=filename,
            by=who.name,
            written_by=written_by,
            observed_at=observed_at,
            exit_status=exit_status,
            beside=near,
        )
        box = desk.box()
        state = intake.queue_job(box, intake.job_id(world.trust.project, who.name, idempotency_key, job), job, world.stamp())
        fresh = state.pending
        state = intake.take(world, box, state.delivery.id, desk.place.clock)
        return state, _recorded(world, state, fresh)

    state, recorded = await desk.do(work)
    desk.publish_soon()
    first = recorded.refused[0] if recorded.refused and not recorded.evidence else None
    if first is not None:
        family = Unavailable if state.pending else Refused
        raise family(first["code"], at=first["at"], found=first["found"], expected=first["expected"], help=first["help"])
    return answer(recorded, 201, location=f"/api/v1/jobs/{state.delivery.id}")


def _recorded(world: World, state: State, fresh: bool) -> Recorded:
    taken = intake.answer_of(state)
    return Recorded(
        job=state.delivery.id,
        state=state.outcome if fresh else f"{state.outcome} before",
        evidence=tuple(intake.evidence_of(world, taken.evidence)),
        refused=taken.refused,
        notes=taken.notes,
    )


@api.get("/jobs/{id}", responses=described(Recorded), summary="What came of a submission", operation_id="job")
async def job(request: Request, id: Annotated[str, Path(pattern=r"^job_[0-9a-f]{32}$")]) -> Response:
    desk = desk_of(request)
    state = desk.box().states().get(id)
    if state is None:
        raise Refused("api.unknown", at=id, found="no such job", expected="the id a submission was answered with")
    if not state.ended:
        return answer(Recorded(job=id, state=state.outcome, evidence=(), refused=(), notes=()))
    return answer(await run_in_threadpool(lambda: _recorded(desk.world(), state, True)))


@api.post(
    "/artifacts",
    responses=described(Kept, 201),
    openapi_extra=asks(None, "application/octet-stream"),
    summary="Keep a file that belongs beside evidence",
    operation_id="keepArtifact",
    status_code=201,
)
async def keep(request: Request) -> Response:
    digest, size = await _keep(request, desk_of(request))
    return answer(Kept(digest=digest, bytes=size), 201, location=f"/api/v1/artifacts/{digest}")


async def _keep(request: Request, desk: Desk) -> tuple[str, int]:
    """The body as an artifact, durable; nothing of one that never came to its end."""
    folder = desk.place.home / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"upload-{secrets.token_hex(8)}"
    try:
        size = await _stream(request, file)
        if not size:
            raise Refused("api.body", at="body", found="nothing", expected="the file")
        store = desk.place.ground().world.store
        return await run_in_threadpool(store.put_artifact, file), size
    finally:
        file.unlink(missing_ok=True)


async def _stream(request: Request, file: FilePath) -> int:
    """The body into a file, piece by piece; a client that pauses too long is given up."""
    size = 0
    pieces = request.stream().__aiter__()
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while True:
            try:
                piece = await asyncio.wait_for(anext(pieces), UPLOAD_IDLE_SECONDS_MAX)
            except StopAsyncIteration:
                return size
            except TimeoutError as e:
                raise Refused("api.slow", at="body", found=f"nothing for {UPLOAD_IDLE_SECONDS_MAX:g} s", expected="the rest of it") from e
            except ClientDisconnect as e:
                raise Refused("api.body", at="body", found="a connection that broke off", expected="the rest of it") from e
            size += len(piece)
            if size > UPLOAD_BYTES_MAX:
                raise Refused(
                    "api.too-large", at="body", found=f"more than {UPLOAD_BYTES_MAX} bytes", expected=f"at most {UPLOAD_BYTES_MAX}"
                )
            out.write(piece)


def _beside(pairs: list[str]) -> dict[str, str]:
    out = {}
    for pair in pairs:
        m = _BESIDE.match(pair)
        if m is None:
            raise Refused("api.parameter", at="beside", found=repr(pair), expected="NAME=sha256:…")
        out[m[1]] = m[2]
    return out


# Deciding


@api.post(
    "/changes/{change}/dossier", responses=described(Assembled, 201), summary="Close the set", operation_id="assemble", status_code=201
)
async def dossier(request: Request, change: Digest) -> Response:
    def work(world: World) -> Assembled:
        digest, opened = world.open_change(world.store.find(change))
        made, d = assemble(world, digest, opened)
        publish_checkpoint(world)
        shown = msgspec.to_builtins(d)
        del shown["change"]["rules"]
        return Assembled(dossier={**shown, "digest": made})

    value = await desk_of(request).do(work)
    return answer(value, 201, location=f"/api/v1/documents/{value.dossier['digest']}")


@api.post("/dossiers/{digest}/decision", responses=described(Decided, 201), summary="Decide", operation_id="decide", status_code=201)
async def decision(
    request: Request, digest: Digest, at: Annotated[str, Query(description="RFC 3339: what if, never stored", max_length=40)] = ""
) -> Response:
    def work(world: World) -> Decided:
        made, d, _ = decide_dossier(world, world.find(digest, "dossier"), instant(at, "at") if at else None)
        return Decided(decision={**msgspec.to_builtins(d), "digest": made})

    return answer(await desk_of(request).do(work), 201)


# People's words: asked for, signed elsewhere, brought back


@api.post("/drafts", responses=described(Drafted), openapi_extra=asks(Draft), summary="Words to sign", operation_id="draft")
async def drafts(request: Request) -> Response:
    body: Draft = await read_body(request, Draft)
    own(request.state.who, body.person)

    def work(world: World) -> Drafted:
        made = _draft(world, body.word, world.store.find(body.target), body)
        name = f"{body.word}.bytes"
        command = f"base64 -d message.b64 > {name} && ssh-keygen -Y sign -n {NAMESPACE} -f KEY {shlex.quote(name)} && cat {name}.sig"
        return Drafted(
            word=made.word,
            at=world.stamp(),
            statement=made.statement.digest,
            message=base64.b64encode(made.message).decode(),
            record=msgspec.to_builtins(made.record),
            command=command,
            recorded=made.recorded,
        )

    return answer(await desk_of(request).do(work))


def _draft(world: World, word: str, target: str, b: Draft | Sign) -> people.Draft:
    """The words, as `steps.people` makes them."""
    until = instant(b.until, "until") if b.until else world.now + timedelta(days=7)
    if word == "approval":
        return people.draft_approval(world, world.find(target, "dossier"), b.person, b.role, b.comment, until)
    if word == "rejection":
        return people.draft_rejection(world, world.find(target, "dossier"), b.person, b.reason)
    if word == "waiver":
        if not b.until:
            raise Refused("api.parameter", at="until", found="nothing", expected="a moment: a waiver always ends")
        return people.draft_waiver(world, world.find(target, "dossier"), b.requirement, b.service, b.person, b.reason, until)
    return people.draft_withdrawal(world, target, b.person, b.reason)


async def _signed(request: Request, word: str, target: str) -> Response:
    body: Sign = await read_body(request, Sign)
    own(request.state.who, body.person)

    def work(world: World) -> Signed:
        at = instant(body.at, "at")
        if not timedelta(0) <= world.now - at + timedelta(seconds=1) <= timedelta(minutes=DRAFT_MINUTES_MAX):
            expected = f"a moment of the last {DRAFT_MINUTES_MAX} minutes, as the draft said"
            raise Refused("api.changed", at="at", found=rfc3339(at), expected=expected, help="POST /api/v1/drafts")
        draft = _draft(msgspec.structs.replace(world, now=at), word, world.store.find(target), body)
        if draft.statement.digest != body.statement and not draft.recorded:
            expected = "the words that were signed"
            raise Refused("api.changed", at="statement", found=draft.statement.digest, expected=expected, help="POST /api/v1/drafts")
        signature = (body.type, _key_id(world, draft, body), body.signature)
        digest, record = people.record_signed(world, draft, signature)
        return Signed(digest=digest, word=word, record=msgspec.to_builtins(record))

    signed = await desk_of(request).do(work)
    return answer(signed, 201, location=f"/api/v1/documents/{signed.digest}")


def _key_id(world: World, draft: people.Draft, b: Sign) -> str:
    if b.type == "webauthn":
        return b.key
    who = world.trust.person(b.person.lstrip("@"))
    keys = {k.id: k.public for k in who.keys} if who else {}
    return verify_armored(b.signature, draft.message, NAMESPACE, keys) or "unknown"


@api.post(
    "/dossiers/{digest}/approvals",
    responses=described(Signed, 201),
    openapi_extra=asks(Sign),
    summary="Record an approval",
    operation_id="approve",
    status_code=201,
)
async def approvals(request: Request, digest: Digest) -> Response:
    return await _signed(request, "approval", digest)


@api.post(
    "/dossiers/{digest}/rejections",
    responses=described(Signed, 201),
    openapi_extra=asks(Sign),
    summary="Record a rejection",
    operation_id="reject",
    status_code=201,
)
async def rejections(request: Request, digest: Digest) -> Response:
    return await _signed(request, "rejection", digest)


@api.post(
    "/dossiers/{digest}/waivers",
    responses=described(Signed, 201),
    openapi_extra=asks(Sign),
    summary="Record a waiver",
    operation_id="waive",
    status_code=201,
)
async def waivers(request: Request, digest: Digest) -> Response:
    return await _signed(request, "waiver", digest)


@api.post(
    "/documents/{digest}/withdrawals",
    responses=described(Signed, 201),
    openapi_extra=asks(Sign),
    summary="Record a withdrawal",
    operation_id="withdraw",
    status_code=201,
)
async def withdrawals(request: Request, digest: Digest) -> Response:
    return await _signed(request, "withdrawal", digest)


# Releasing, recording, sending


@api.post(
    "/dossiers/{digest}/releases",
    responses=described(Released, 201, also=200),
    openapi_extra=asks(MakeRelease),
    summary="Decide again and release, once",
    operation_id="makeRelease",
    status_code=201,
)
async def releases(request: Request, digest: Digest) -> Response:
    body: MakeRelease = await read_body(request, MakeRelease)

    def work(world: World) -> Released:
        named = world.find(digest, "dossier")
        made, d, _, done = release_dossier(world, named, services=body.services, commit=body.commit or None, push=body.push)
        shown = [{**msgspec.to_builtins(x.release), "digest": x.digest, "log_index": x.log_index, "fresh": x.fresh} for x in done]
        return Released(releases=tuple(shown), decision={**msgspec.to_builtins(d), "digest": made})

    value = await desk_of(request).do(work)
    return answer(value, 201 if value.releases else 200)


@api.post(
    "/deployments",
    responses=described(Deployed, 201),
    openapi_extra=asks(RecordDeployment),
    summary="Record what runs where",
    operation_id="recordDeployment",
    status_code=201,
)
async def deployments(request: Request) -> Response:
    body: RecordDeployment = await read_body(request, RecordDeployment)

    def work(world: World) -> Deployed:
        digest, d = deploy.deployed(world, body.service, body.environment, body.version, body.image, body.observed)
        return Deployed(deployment={**msgspec.to_builtins(d), "digest": digest})

    return answer(await desk_of(request).do(work), 201)


@api.post(
    "/dossiers/{digest}/deliveries",
    responses=described(Sent, 201),
    openapi_extra=asks(SendTo),
    summary="Send its payload to a destination, once",
    operation_id="send",
    status_code=201,
)
async def send(request: Request, digest: Digest) -> Response:
    body: SendTo = await read_body(request, SendTo)
    desk = desk_of(request)
    _, state = await desk.do(lambda world: queue(world, digest, body.to))
    state = await run_in_threadpool(lambda: deliver(desk.world(), state.delivery.id, desk.place.clock, again=True))
    return answer(sent(state), 201, location=f"/api/v1/deliveries/{state.delivery.id}")


@api.post(
    "/deliveries/{id}/tries", responses=described(Sent, 201), summary="Try a delivery now", operation_id="tryDelivery", status_code=201
)
async def tries(request: Request, id: Annotated[str, Path(pattern=r"^msg_[0-9a-f]{32}$")]) -> Response:
    desk = desk_of(request)
    _known(desk, id)
    return answer(sent(await run_in_threadpool(lambda: deliver(desk.world(), id, desk.place.clock, again=True))), 201)


@api.get("/deliveries/{id}", responses=described(Sent), summary="A delivery and its tries", operation_id="delivery")
def delivery(request: Request, id: Annotated[str, Path(pattern=r"^msg_[0-9a-f]{32}$")]) -> Response:
    return answer(sent(_known(desk_of(request), id)))


@api.get("/deliveries", responses=described(Deliveries), summary="Deliveries, newest first", operation_id="deliveries")
def deliveries_list(request: Request, dossier: str = "", limit: Limit = 50, cursor: Cursor = "") -> Response:
    desk = desk_of(request)
    found = [s for s in reversed(deliveries(desk.world())) if not dossier or s.delivery.dossier == dossier]
    ids = [s.delivery.id for s in found]
    if cursor and cursor not in ids:
        raise Refused("api.cursor", at="cursor", found=repr(cursor), expected="`next` of the page before")
    begin = ids.index(cursor) + 1 if cursor else 0
    page = found[begin : begin + limit]
    return answer(Deliveries(items=tuple(map(sent, page)), next=page[-1].delivery.id if begin + limit < len(found) else ""))


def _known(desk: Desk, id: str) -> State:
    found = next((s for s in deliveries(desk.world()) if s.delivery.id == id), None)
    if found is None:
        raise Refused("api.unknown", at=id, found="no such delivery", expected="one of /api/v1/deliveries")
    return found


def sent(s: State) -> Sent:
    """A delivery as the API shows it."""
    ends = {e.n: e for e in s.ended}
    d = s.delivery
    tries = []
    for b in s.began:
        e = ends.get(b.n)
        said = (e.at, e.outcome, e.status, e.detail) if e else ("", "interrupted", 0, "")
        tries.append(Try(n=b.n, began=b.at, ended=said[0], outcome=said[1], status=said[2], detail=said[3]))
    return Sent(
        id=d.id,
        destination=d.destination,
        kind=d.kind,
        audience=d.audience,
        dossier=d.dossier,
        queued_at=d.queued_at,
        outcome=s.outcome,
        next_at=s.next_at,
        tries=tuple(tries),
    )
