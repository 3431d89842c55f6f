"""The API, reading: releases, documents, evidence, artifacts, the log, posture, comparison, payloads, schemas."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable
from importlib import resources
from typing import Annotated, Any, Literal
from weakref import WeakKeyDictionary

import msgspec
from fastapi import Path, Query, Request, Response

from release_dossier.digest import canonical
from release_dossier.errors import Refused
from release_dossier.payload import AUDIENCES
from release_dossier.steps.deploy import posture as stand
from release_dossier.steps.look import compare as compare_dossiers
from release_dossier.steps.payload import payload_for
from release_dossier.steps.world import World, instant
from release_dossier.trust.log import Entry as LogEntry
from release_dossier.trust.log import leaf_data, leaves_of
from release_dossier.trust.merkle import Tree
from release_dossier.trust.tiles import Tile, bundle_of, hashes_in, parse_path
from release_dossier.web import views
from release_dossier.web.access import Somebody
from release_dossier.web.answers import (
    Comparison,
    Document,
    Documents,
    Entry,
    Envelope,
    EvidenceRow,
    EvidenceRows,
    Payloads,
    Postures,
    ProjectCard,
    Proof,
    ReleaseRow,
    ReleaseRows,
    SchemaNames,
    ServiceLine,
)
from release_dossier.web.board import AGES, FACETS, SORTS
from release_dossier.web.board import Query as BoardQuery
from release_dossier.web.catalog import raw, word
from release_dossier.web.describe import IMMUTABLE, TYPES, Cursor, Digest, Limit, Moment, answer, described, download, fixed, router
from release_dossier.web.place import Place
from release_dossier.web.rounds import STATUSES, Round

api = router()
ETAG = {"ETag": {"schema": {"type": "string"}}, "Cache-Control": {"schema": {"type": "string"}}}
Values = Annotated[list[str], Query(max_length=50)]
Text = Annotated[str, Query(max_length=200)]
_EVIDENCE = (
    "n, digest, change, name, kind, service, environment, verdict, attempt, producer, imported_by, looked_at, of, observed_at, expires_at"
)


def place_of(request: Request) -> Place:
    """The place this application serves."""
    place = request.app.state.place
    assert isinstance(place, Place)
    return place


def world_of(request: Request) -> World:
    """The project for reading, at the time of now."""
    return place_of(request).ground().world


@api.get("/project", responses=described(ProjectCard), summary="The project, and what whoever asks may do", operation_id="project")
def project(request: Request) -> Response:
    place = place_of(request)
    ground = place.ground()
    who: Somebody = request.state.who
    s = ground.settings
    card = ProjectCard(
        name=s.project.name if s else place.name,
        project=place.project,
        mode=s.project.mode if s else "",
        services=tuple(ServiceLine(name=x.name, criticality=x.criticality, owners=x.owners, tag=x.tag) for x in s.service) if s else (),
        evidence=tuple(p.name for p in s.evidence) if s else (),
        destinations=tuple(d.name for d in s.destination) if s else (),
        log_size=place.catalog.refresh(),
        version=request.app.version,
        you=who.name,
        may=who.scopes,
    )
    return answer(card)


@api.get("/releases", responses=described(ReleaseRows), summary="Releases, filtered", operation_id="releases")
def releases(
    request: Request,
    q: Annotated[str, Query(description="words: tag, commit, digest, issue, person", max_length=200)] = "",
    status: Annotated[list[Literal[STATUSES]], Query(max_length=20)] = [],  # type: ignore[valid-type]  # noqa: B006
    service: Values = [],  # noqa: B006
    owner: Values = [],  # noqa: B006
    age: Annotated[list[Literal[AGES]], Query(max_length=20)] = [],  # type: ignore[valid-type]  # noqa: B006
    waiver: Annotated[list[Literal["yes", "no"]], Query(max_length=5)] = [],  # noqa: B006
    failing: Values = [],  # noqa: B006
    sort: Literal[SORTS] = "newest",  # type: ignore[valid-type]
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Response:
    place = place_of(request)
    now = place.clock()
    chosen: tuple[list[str], ...] = (status, service, owner, age, [*waiver], failing)
    given = dict(zip(FACETS, chosen, strict=True))
    query = BoardQuery(q.strip(), {f: tuple(dict.fromkeys(v)) for f, v in given.items()}, sort)
    found = place.board(now).select(query, max(1, len(place.board(now).rows)))
    rows = sorted(found.rows, key=_PLACES[sort])
    begin = bisect_right(rows, tuple(_cursor(cursor, _KINDS[sort])), key=_PLACES[sort]) if cursor else 0
    page = rows[begin : begin + limit]
    value = ReleaseRows(
        items=tuple(msgspec.convert(views.row(r, now), ReleaseRow) for r in page),
        total=found.total,
        facets={f: {c.value: c.count for c in choices} for f, choices in found.facets.items()},
        next=_next(list(_PLACES[sort](page[-1]))) if begin + limit < len(rows) else "",
    )
    return answer(value)


# What a list is ordered by, no two rows alike: a cursor is the place of the last row seen.
_PLACES: dict[str, Callable[[Round], tuple[Any, ...]]] = {
    "newest": lambda r: (-r.n, r.service),
    "ending": lambda r: (r.fresh_until or "~", -r.n, r.service),
}
_KINDS: dict[str, tuple[type, ...]] = {"newest": (int, str), "ending": (str, int, str)}


@api.get("/releases/{service}/{version}", responses=described(ReleaseRow), summary="One release", operation_id="release")
def release(request: Request, service: str, version: str) -> Response:
    place = place_of(request)
    now = place.clock()
    found = next((r for r in place.board(now).rows if (r.service, r.version) == (service, version)), None)
    if found is None:
        raise Refused("page.unknown", at=f"{service}@{version}", found="no such release", expected="one of /api/v1/releases")
    return answer(msgspec.convert(views.row(found, now), ReleaseRow))


@api.get("/documents", responses=described(Documents), summary="The log, filtered, oldest first", operation_id="documents")
def documents(
    request: Request,
    type: Annotated[list[Literal[TYPES]], Query(max_length=20)] = [],  # type: ignore[valid-type]  # noqa: B006
    change: Annotated[str, Query(pattern=r"^(sha256:[0-9a-f]{64})?$")] = "",
    key: Text = "",
    newest: bool = False,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response:
    catalog = place_of(request).catalog
    catalog.refresh()
    where, values = ["1"], list[Any]()
    if type:
        where.append(f"type in ({', '.join('?' * len(type))})")
        values += type
    if change:
        where.append("change = ?")
        values.append(raw(change))
    if key:
        where.append("key = ?")
        values.append(key)
    if cursor:
        where.append("n < ?" if newest else "n > ?")
        values.append(_cursor(cursor, (int,))[0])
    found = catalog.entries(f"{' and '.join(where)} order by n {'desc' if newest else 'asc'}", values, limit + 1)
    page = found[:limit]
    return answer(Documents(items=tuple(map(entry, page)), next=_next([page[-1].n]) if len(found) > limit else ""))


def entry(e: LogEntry) -> Entry:
    """A line of the log, as the API shows it."""
    return Entry(n=e.n, at=e.at, type=e.type, digest=e.digest, change=e.change, key=e.key)


@api.get(
    "/documents/{digest}", responses=described(Document, headers=ETAG), summary="A statement, read and verified", operation_id="document"
)
def document(request: Request, digest: Digest) -> Response:
    place = place_of(request)
    place.catalog.refresh()
    e = place.catalog.find(digest)

    def make() -> bytes:
        read = place.catalog.read(e)
        people = place.ground().world.trust.document
        names = {k.id: x.id for x in people.people for k in x.keys} | {k.id: x.id for x in people.producers for k in x.keys}
        value = Document(
            digest=e.digest,
            type=e.type,
            log_index=e.n,
            logged_at=e.at,
            signed_by=tuple(sorted(names.get(k, k) for k in read.keys)),
            predicate=read.statement.predicate,
        )
        return msgspec.json.encode(value)

    return fixed(request, e.digest, make, "application/json") if _whole(digest) else answer_now(make(), e.digest)


def _whole(digest: str) -> bool:
    """Only a whole digest names one thing for ever: a prefix may become ambiguous."""
    return len(digest.removeprefix("sha256:")) == 64


def answer_now(body: bytes, digest: str) -> Response:
    """What a prefix names today."""
    return Response(body, 200, {"etag": f'"{digest}"', "cache-control": "no-cache"}, "application/json")


@api.get(
    "/documents/{digest}/envelope",
    responses=described(Envelope, headers=ETAG),
    summary="The signed envelope (DSSE), byte for byte",
    operation_id="envelope",
)
def envelope(request: Request, digest: Digest) -> Response:
    place = place_of(request)
    place.catalog.refresh()
    e = place.catalog.find(digest)
    return fixed(request, e.digest + "/envelope", lambda: place.tail.document(e), "application/json")


@api.get("/documents/{digest}/proof", responses=described(Proof), summary="Its place in the log, provably", operation_id="proof")
def proof(request: Request, digest: Digest) -> Response:
    place = place_of(request)
    size = place.catalog.refresh()
    e = place.catalog.find(digest)
    tree = _tree(place, size)
    path = tuple(h.hex() for h in tree.inclusion(e.n))
    return answer(Proof(digest=e.digest, index=e.n, size=size, root="sha256:" + tree.root().hex(), path=path))


@api.get("/evidence", responses=described(EvidenceRows), summary="Evidence, filtered, newest first", operation_id="evidenceList")
def evidence(
    request: Request,
    kind: Text = "",
    verdict: Literal["", "pass", "fail", "inconclusive", "missing"] = "",
    service: Text = "",
    name: Text = "",
    change: Annotated[str, Query(pattern=r"^(sha256:[0-9a-f]{64})?$")] = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response:
    catalog = place_of(request).catalog
    catalog.refresh()
    asked = {"kind": kind, "verdict": verdict, "service": service, "name": name, "change": raw(change) if change else ""}
    given = {k: v for k, v in asked.items() if v}
    where = [f"{k} = ?" for k in given] + (["n < ?"] if cursor else [])
    values = [*given.values(), *([_cursor(cursor, (int,))[0]] if cursor else []), limit + 1]
    found = catalog.rows(f"select {_EVIDENCE} from evidence where {' and '.join(where) or '1'} order by n desc limit ?", values)
    items = tuple(EvidenceRow(**_evidence_row(r)) for r in found[:limit])
    return answer(EvidenceRows(items=items, next=_next([items[-1].n]) if len(found) > limit else ""))


def _evidence_row(r: tuple[Any, ...]) -> dict[str, Any]:
    out = dict(zip(_EVIDENCE.split(", "), r, strict=True))
    return {**out, "digest": word(out["digest"]), "change": word(out["change"])}


@api.get(
    "/artifacts/{digest}",
    responses=described(None, media="application/octet-stream", headers=ETAG),
    summary="A file, byte for byte, to keep and never to run",
    operation_id="artifact",
)
def artifact(request: Request, digest: Annotated[str, Path(pattern=r"^sha256:[0-9a-f]{64}$")]) -> Response:
    file = place_of(request).tail.artifact_file(digest)
    if not file.is_file():
        raise Refused("digest.unknown", at="artifact", found=digest, expected="the digest of a file that was kept")
    return download(request, file, digest, digest[7:23])


@api.get("/posture", responses=described(Postures), summary="What stands where, until when", operation_id="posture")
def posture(request: Request, at: Moment = "") -> Response:
    world = world_of(request)
    lines = stand(world, instant(at, "at") if at else world.now)
    return answer(Postures(posture=tuple(msgspec.to_builtins(x) for x in lines), hypothetical=bool(at)))


@api.get("/compare", responses=described(Comparison), summary="Two dossiers side by side", operation_id="compare")
def compare(
    request: Request,
    a: Annotated[str, Query(max_length=200, description="digest, tag or service@version")],
    b: Annotated[str, Query(max_length=200, description="digest, tag or service@version")],
) -> Response:
    return answer(msgspec.convert(compare_dossiers(world_of(request), a, b), Comparison))


@api.get("/dossiers/{digest}/payload", responses=described(Payloads), summary="What an audience may see of it", operation_id="payload")
def payload(request: Request, digest: Digest, audience: Literal[tuple(AUDIENCES)]) -> Response:  # type: ignore[valid-type]
    made = payload_for(world_of(request), digest, audience)
    return answer(payload_json(made))


def payload_json(made: Any) -> Payloads:
    """A payload as `dossier payload --json` shows it."""
    return Payloads(
        audience=made.payload.audience,
        dossier=made.payload.dossier,
        digest=made.digest,
        bytes=len(made.raw),
        included=tuple({"path": m.path, "bytes": m.bytes} for m in made.included),
        withheld=tuple(msgspec.to_builtins(m) for m in made.payload.withheld),
        payload=msgspec.to_builtins(made.payload),
        signature=made.signature,
    )


# The log, as C2SP tlog-tiles below /api/v1/log/


@api.get(
    "/log/checkpoint", responses=described(None, media="text/plain"), summary="The signed head of the log", operation_id="logCheckpoint"
)
def checkpoint(request: Request) -> Response:
    return Response(world_of(request).store.checkpoint(), 200, {"cache-control": "no-cache"}, "text/plain; charset=utf-8")


@api.get(
    "/log/tile/{path:path}",
    responses=described(None, media="application/octet-stream"),
    summary="A tile of the tree, or a bundle of entries",
    operation_id="logTile",
)
def tile(request: Request, path: str) -> Response:
    place = place_of(request)
    wanted = parse_path(f"tile/{path}")
    size = place.catalog.refresh()
    body = _tile(place, wanted, size)
    headers = {"cache-control": IMMUTABLE}
    return Response(body, 200, headers, "application/octet-stream")


def _tile(place: Place, wanted: Tile, size: int) -> bytes:
    span = 256 ** max(0, wanted.level)
    first, end = wanted.n * 256 * span, (wanted.n * 256 + wanted.width) * span
    if end > size:
        raise Refused("tile.path", at="tile", found=wanted.path, expected=f"a tile of a log of {size} entries")
    if wanted.level < 0:
        return bundle_of([leaf_data(e.line()) for e in place.ground().world.store.entries()[first:end]])
    return hashes_in(_tree(place, size), wanted)


_trees: WeakKeyDictionary[Place, Tree] = WeakKeyDictionary()


def _tree(place: Place, size: int) -> Tree:
    """The tree over the first `size` entries, made again when the log grew."""
    known = _trees.get(place)
    if known is None or known.size != size:
        known = _trees[place] = Tree(leaves_of(place.ground().world.store.entries()[:size]))
    return known


# Schemas, also at /schemas/

schemas = router()
_SCHEMAS = resources.files("release_dossier") / "schemas"
_SCHEMA_NAME = r"^[a-z-]{1,40}\.v[0-9]{1,3}\.json$"


@api.get("/schemas", responses=described(SchemaNames), summary="The schemas of every statement", operation_id="schemas")
@schemas.get("/schemas", responses=described(SchemaNames), summary="The schemas of every statement", operation_id="schemasPublished")
def schema_names(request: Request) -> Response:
    names = sorted(f.name for f in _SCHEMAS.iterdir() if f.name.endswith(".json"))
    kinds = sorted(f"facts/{f.name}" for f in (_SCHEMAS / "facts").iterdir())
    return answer(SchemaNames(schemas=tuple(f"/schemas/{n}" for n in (*names, *kinds))))


@api.get("/schemas/{name}", responses=described(None, media="application/schema+json"), summary="One schema", operation_id="schema")
@schemas.get(
    "/schemas/{name}", responses=described(None, media="application/schema+json"), summary="One schema", operation_id="schemaPublished"
)
def schema(request: Request, name: Annotated[str, Path(pattern=_SCHEMA_NAME)]) -> Response:
    return _schema(name)


@api.get(
    "/schemas/facts/{name}",
    responses=described(None, media="application/schema+json"),
    summary="The schema of a kind's facts",
    operation_id="factsSchema",
)
@schemas.get(
    "/schemas/facts/{name}",
    responses=described(None, media="application/schema+json"),
    summary="The schema of a kind's facts",
    operation_id="factsSchemaPublished",
)
def facts_schema(request: Request, name: Annotated[str, Path(pattern=_SCHEMA_NAME)]) -> Response:
    return _schema(f"facts/{name}")


def _schema(name: str) -> Response:
    file = _SCHEMAS / name
    if not file.is_file():
        raise Refused("api.unknown", at=f"/schemas/{name}", found="no such schema", expected="one of /schemas")
    return Response(file.read_bytes(), 200, {"cache-control": "public, max-age=3600"}, "application/schema+json")


# Cursors


def _next(position: list[Any]) -> str:
    return base64.urlsafe_b64encode(canonical(position)).decode().rstrip("=")


def _cursor(text: str, kinds: tuple[type, ...]) -> list[Any]:
    """The place a cursor stands for.

    Raises:
        Refused: `api.cursor`.
    """
    try:
        value = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if isinstance(value, list) and tuple(map(type, value)) == kinds and all(not isinstance(v, int) or abs(v) < 2**53 for v in value):
            return value
    except (binascii.Error, ValueError, msgspec.DecodeError):
        pass
    raise Refused("api.cursor", at="cursor", found=repr(text), expected="`next` of the page before")
