"""The API put together, and everything it needs, hung into the application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from release_dossier.errors import DossierError, Misuse, Refused
from release_dossier.store.access import AccessStore
from release_dossier.web import api_read, api_watch, api_write, login
from release_dossier.web.describe import describe
from release_dossier.web.desk import Desk
from release_dossier.web.gauge import Gauge, Tracer
from release_dossier.web.guard import Guard
from release_dossier.web.paper import refused
from release_dossier.web.place import Options, Place
from release_dossier.web.problem import MACHINES, MEDIA_TYPE, body_of, status_of

PREFIX = "/api/v1"


def install(app: FastAPI, place: Place, options: Options, *, note: Callable[[str], None], log: Callable[[str], None] | None) -> None:
    """Routes, description, error shapes, the desk and the guard. `note` takes prose for whoever runs the server, `log` a line a request."""
    gauge = Gauge()
    store = AccessStore(place.home / "access.sqlite")
    tracer = _tracer(place, gauge, app.version)
    desk, feed = Desk(place, note), api_watch.Feed(place)
    app.state.desk, app.state.gauge, app.state.access, app.state.events = desk, gauge, store, feed
    for part in (api_read.api, api_write.api, api_watch.api):
        app.include_router(part, prefix=PREFIX)
    app.include_router(api_read.schemas)
    app.include_router(api_watch.root)
    app.include_router(login.router)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)
    app.router.lifespan_context = _lifespan(desk, feed, tracer)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    app.add_middleware(Guard, place=place, options=options, store=store, gauge=gauge, tracer=tracer, log=log)


def _lifespan(desk: Desk, feed: api_watch.Feed, tracer: Tracer | None) -> Any:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        desk.begin()
        try:
            yield
        finally:
            feed.close()
            desk.close()
            if tracer is not None:
                tracer.close()

    return lifespan


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = describe(app, api_write.BODIES)
    return app.openapi_schema


def _tracer(place: Place, gauge: Gauge, version: str) -> Tracer | None:
    """OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT (or its variable for traces) says where to."""
    base = place.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    url = place.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "") or (f"{base.rstrip('/')}/v1/traces" if base else "")
    if not url:
        return None
    from release_dossier.sources.outside import request

    def post(body: bytes) -> None:
        # Whoever sets a variable of this process may point it inside.
        answer = request("POST", url, {"content-type": "application/json"}, body, private=True)
        gauge.count("spans", status=str(answer.status))

    return Tracer(post, lambda n: gauge.count("spans_dropped", n), version)


def problem_response(request: Request, error: DossierError) -> Response:
    """A refusal as a problem."""
    return Response(body_of(error, getattr(request.state, "request_id", "")), status_of(error), media_type=MEDIA_TYPE)


def is_for_machines(request: Request) -> bool:
    """Whether a problem is the answer, and not a page."""
    return request.url.path.startswith(MACHINES)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    at = ".".join(str(x) for x in first["loc"])
    found = repr(first.get("input"))[:120]
    return _said(request, Refused("api.parameter", at=at, found=found, expected=str(first["msg"])), 422)


def _said(request: Request, error: DossierError, status: int) -> Response:
    """A refusal to whoever asked."""
    return problem_response(request, error) if is_for_machines(request) else refused(request, error, status)


async def _internal(request: Request, error: Exception) -> Response:
    """The one broad handler of the server: what nobody foresaw. Whoever runs it gets the traceback, raised on behind the answer."""
    refusal = Misuse("api.internal", at=request.url.path, found="a fault of this server", expected="an answer", help="tell whoever runs it")
    return _said(request, refusal, 500)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "GET")
        answer = _said(request, Refused("api.method", at=path, found=request.method, expected=allowed), 405)
        answer.headers["allow"] = allowed
        return answer
    if not is_for_machines(request):
        gone = Refused("page.unknown", at=path, found="nothing", expected="a page of this project")
        return _said(request, gone, error.status_code)
    if error.status_code == 404:
        return problem_response(request, Refused("api.unknown", at=path, found="nothing", expected="an address of /api/v1/openapi.json"))
    return JSONResponse({"title": str(error.detail), "status": error.status_code}, error.status_code, media_type=MEDIA_TYPE)
