"""The server: one application over one place. Pages, API and static files are routers; what every answer carries is set here.

1. Nothing a page needs comes from elsewhere, and no script or style stands inside a page: the content policy says so to the browser.
2. A failure has the same four things as on the command line, as a page for people and as RFC 9457 for machines.
3. Bound to loopback there is no login; the command refuses another address without one.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from starlette.staticfiles import StaticFiles

from release_dossier.errors import DossierError
from release_dossier.web import api
from release_dossier.web.paper import refused
from release_dossier.web.place import Options, Place
from release_dossier.web.problem import status_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), microphone=(), geolocation=(), publickey-credentials-get=(self), publickey-credentials-create=(self)",
    ),
)
VERSION = metadata.version("release-dossier")


def _silent(_: str) -> None:
    return


def make_app(
    place: Place, options: Options | None = None, *, note: Callable[[str], None] = _silent, log: Callable[[str], None] | None = None
) -> FastAPI:
    """The application over `place`. Routers find it as `request.app.state.place`, and `options` beside it."""
    from release_dossier.web import pages

    app = FastAPI(title="Release Dossier", version=VERSION, docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    app.state.place = place
    app.state.options = options or Options()
    app.add_exception_handler(DossierError, _refusal)
    static = resources.files("release_dossier.web") / "static"
    app.mount("/static", StaticFiles(directory=Path(str(static))), name="static")
    app.include_router(pages.router)
    api.install(app, place, app.state.options, note=note, log=log)
    app.add_middleware(_Headers)  # the outermost: also on what the guard turns away
    return app


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, DossierError)
    if api.is_for_machines(request):
        return api.problem_response(request, error)
    return refused(request, error, status_of(error))


class _Headers:
    """Sets `HEADERS` on every answer, whoever gives it. HEAD is GET whose answer ends behind its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        fixed = scope["path"].startswith("/static/")
        head = scope["method"] == "HEAD"

        async def sending(message: Message) -> None:
            if head and message["type"] != "http.response.start":
                return
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                moved = 300 <= message["status"] < 400  # kept, the back button would be sent to log in and from there again
                kept = b"no-store" if moved and message["status"] != 304 else b"public, max-age=3600" if fixed else b"no-cache"
                own = [*HEADERS, (b"cache-control", kept)]
                message["headers"] = [*message["headers"], *(h for h in own if h[0] not in there)]
            await send(message)
            if head:
                await send({"type": "http.response.body", "body": b""})

        await self.app({**scope, "method": "GET"} if head else scope, receive, sending)
