"""How a route is described: one table of words for parameters, answers as our own structs, every failure a problem.

The description is OpenAPI 3.1, whose schemas are JSON Schema 2020-12: those of our structs as msgspec writes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from release_dossier.approval import Approval, Rejection, Waiver, Withdrawal
from release_dossier.change import Change
from release_dossier.digest import parse_json
from release_dossier.dossier import Dossier
from release_dossier.errors import Corrupt, Refused
from release_dossier.evidence.erasure import Erasure
from release_dossier.evidence.statement import Evidence, Started
from release_dossier.gate import Decision
from release_dossier.limits import BODY_BYTES_MAX
from release_dossier.payload import Payload
from release_dossier.posture import Deployment
from release_dossier.release import Release
from release_dossier.trust.document import TrustDocument
from release_dossier.web import answers
from release_dossier.web.problem import MEDIA_TYPE, Problem

# What a document's predicate is, by its type.
PREDICATES: dict[str, type] = {
    "trust": TrustDocument,
    "change": Change,
    "started": Started,
    "evidence": Evidence,
    "dossier": Dossier,
    "approval": Approval,
    "rejection": Rejection,
    "withdrawal": Withdrawal,
    "waiver": Waiver,
    "decision": Decision,
    "release": Release,
    "deployment": Deployment,
    "erasure": Erasure,
}
TYPES = tuple(PREDICATES)
IMMUTABLE = "private, max-age=31536000, immutable"  # private: a cache in between has no business with what a login guards
REFERENCE = "#/components/schemas/{name}"

Digest = Annotated[str, Path(description="a digest, or its first eight or more digits", pattern=r"^(sha256:)?[0-9a-f]{8,64}$")]
Cursor = Annotated[str, Query(description="`next` of the page before", max_length=400, pattern=r"^[A-Za-z0-9_-]*$")]
Limit = Annotated[int, Query(description="most items of a page", ge=1, le=500)]
Moment = Annotated[str, Query(description="RFC 3339; what if it were then", max_length=40)]


def described(
    answer: type | None, status: int = 200, *, media: str = "application/json", headers: dict[str, Any] | None = None, also: int = 0
) -> Any:
    """`responses` of a route: one answer, `also` under another status, and problems. Without a struct it is text, or JSON of any shape."""
    free = {"type": "object"} if "json" in media else {"type": "string"}
    schema: dict[str, Any] = {"$ref": REFERENCE.format(name=answer.__name__)} if answer else free
    ok: dict[str, Any] = {"description": (answer.__doc__ or "").split("\n")[0] if answer else "", "content": {media: {"schema": schema}}}
    if headers:
        ok["headers"] = headers
    trouble = {"description": "a refusal", "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(name="Problem")}}}}
    return {status: ok, **({also: ok} if also else {}), 422: trouble, "4XX": trouble, "5XX": trouble}


def asks(body: type | None, media: str = "application/json", **more: Any) -> dict[str, Any]:
    """`openapi_extra` of a route with a body."""
    schema = {"$ref": REFERENCE.format(name=body.__name__)} if body else {"type": "string", "format": "binary"}
    return {"requestBody": {"required": True, "content": {media: {"schema": schema}}}, **more}


def answer(value: Any, status: int = 200, **headers: str) -> Response:
    """A struct as JSON."""
    return Response(msgspec.json.encode(value), status, {k.replace("_", "-"): v for k, v in headers.items()}, "application/json")


def fixed(request: Request, digest: str, make: Callable[[], bytes], media: str, **headers: str) -> Response:
    """What a digest names: the digest is its ETag, and it is good for ever. Nothing is read for who has it already."""
    said = {"etag": f'"{digest}"', "cache-control": IMMUTABLE, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return Response(None, 304, said) if _has(request, said["etag"]) else Response(make(), 200, said, media)


def _has(request: Request, tag: str) -> bool:
    known = [t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")]
    return tag in known or "*" in known


def download(request: Request, file: FilePath, digest: str, name: str) -> Response:
    """A file that `digest` names, held against it, to keep and never to run; piece by piece, however large it is.

    Raises:
        Corrupt: `store.altered-artifact`.
    """
    csp = "sandbox; default-src 'none'"
    said = {"etag": f'"{digest}"', "cache-control": IMMUTABLE, "content-security-policy": csp}
    if _has(request, said["etag"]):
        return Response(None, 304, said)
    with file.open("rb") as data:
        found = f"sha256:{hashlib.file_digest(data, 'sha256').hexdigest()}"
    if found != digest:
        raise Corrupt("store.altered-artifact", at=digest, found=found, expected=digest)
    return _Download(file, media_type="application/octet-stream", filename=name, headers=said)


class _Download(FileResponse):
    """A file, or a range of its bytes. A range in another unit is passed over (RFC 9110 §14.2)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept = [(k, v) for k, v in scope["headers"] if k != b"range" or v.strip().lower().startswith(b"bytes=")]
        await super().__call__({**scope, "headers": kept}, receive, send)


async def read_body(request: Request, kind: type[Any]) -> Any:
    """The body as `kind`.

    Raises:
        Refused: `json.*`, `api.media`, `api.body`.
    """
    said = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if said != "application/json":
        raise Refused("api.media", at="Content-Type", found=said or "nothing", expected="application/json")
    value = parse_json(await request.body(), "body", BODY_BYTES_MAX)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as e:
        raise Refused("api.body", at="body", found=str(e), expected=f"a {kind.__name__} as /api/v1/openapi.json describes it") from e


def describe(app: FastAPI, bodies: tuple[type, ...]) -> dict[str, Any]:
    """The whole description."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        summary="Releases as documents: what was looked at, what was decided, who signed, what runs.",
        description="Statements are immutable: ETag is the digest. Every failure is a problem (RFC 9457): code, at, found, expected.",
        routes=app.routes,
    )
    kinds = (*answers.ANSWERS, *PREDICATES.values(), Payload, Problem, *bodies)
    _, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    components = _plainly_named(components)
    statements = {f"{k.__name__}Document": _document(word, k.__name__) for word, k in PREDICATES.items()}
    components = {**components, **statements}
    components["Document"] = {
        "description": (answers.Document.__doc__ or "").strip(),
        "oneOf": [{"$ref": REFERENCE.format(name=name)} for name in statements],
        "discriminator": {
            "propertyName": "type",
            "mapping": {word: REFERENCE.format(name=f"{k.__name__}Document") for word, k in PREDICATES.items()},
        },
    }
    schemes = {
        "token": {"type": "http", "scheme": "bearer", "description": "`dossier token new`"},
        "session": {"type": "apiKey", "in": "cookie", "name": "dossier-session", "description": "after /login"},
    }
    made["components"] = {"schemas": components, "securitySchemes": schemes}
    made["security"] = [{"token": []}, {"session": []}, {}]
    return made


def _plainly_named(components: dict[str, Any]) -> dict[str, Any]:
    """Two structs of one name stand under their module's path there: named by their part of the program instead, as generators need it."""
    names = {n: n.split(".")[-3].title() + n.split(".")[-1] for n in components if "." in n}
    text = msgspec.json.encode(components).decode()
    for old, new in names.items():
        text = text.replace(f'"{REFERENCE.format(name=old)}"', f'"{REFERENCE.format(name=new)}"').replace(f'"{old}":', f'"{new}":')
    plain: dict[str, Any] = msgspec.json.decode(text)
    return plain | {new: {**plain[new], "title": new} for new in names.values()}


def _document(word: str, name: str) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "title": f"{name}Document",
        "type": "object",
        "required": ["digest", "type", "log_index", "logged_at", "signed_by", "predicate"],
        "properties": {
            "digest": text,
            "type": {"const": word},
            "log_index": {"type": "integer"},
            "logged_at": text,
            "signed_by": {"type": "array", "items": text},
            "predicate": {"$ref": REFERENCE.format(name=name)},
        },
    }


def router() -> APIRouter:
    """A router whose routes answer with what they say."""
    return APIRouter(default_response_class=Response)
