"""Logging in and out: to the provider and back, a session cookie that holds nothing but its own secret.

1. A login begins with a state, a nonce and a verifier that only this server knows, and a cookie that ties it to this browser.
2. The answer must bring that state to that browser, once; then the provider is asked who it was.
3. Somebody the project does not know gets no session, whatever the provider says.
4. Where to go afterwards is a path of this server, never another's address.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from release_dossier.errors import Refused
from release_dossier.project import Access
from release_dossier.sources.identity import GITHUB, Provider, authorize_url, claims_of, github, oidc
from release_dossier.store.access import AccessStore
from release_dossier.web.access import role_of
from release_dossier.web.guard import cookie_name
from release_dossier.web.paper import logged_out
from release_dossier.web.place import Options, Place

router = APIRouter(include_in_schema=False)
LOGIN_MINUTES = 10


@router.get("/login")
async def login(request: Request, next: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """To the provider."""
    place, options, access = _known(request)
    store: AccessStore = request.app.state.access
    provider = await run_in_threadpool(provider_of, place, access)
    state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
    now = place.clock()
    body = {"nonce": nonce, "verifier": verifier, "browser": browser, "next": local_path(next)}
    store.begin_login(state, body, now.isoformat(), (now + timedelta(minutes=LOGIN_MINUTES)).isoformat())
    answer = RedirectResponse(authorize_url(provider, access.client_id, _back(options), state, nonce, verifier), 303)
    _set(answer, options, _login_cookie(options), browser, LOGIN_MINUTES * 60)
    return answer


@router.get("/login/callback")
async def callback(
    request: Request,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Back from the provider."""
    place, options, access = _known(request)
    store: AccessStore = request.app.state.access
    now = place.clock()
    begun = store.end_login(state, now.isoformat())
    browser = request.cookies.get(_login_cookie(options), "")
    if begun is None or not browser or not secrets.compare_digest(browser.encode(), str(begun["browser"]).encode()):
        raise Refused(
            "access.login", at="state", found="no login that is under way in this browser", expected="one begun here", help="/login"
        )
    if error or not code:
        raise Refused("access.login", at="the provider", found=error or "no code", expected="a code", help="/login")
    provider = await run_in_threadpool(provider_of, place, access)
    secret = place.environ.get(access.client_secret_env, "")
    asked = (provider, access.client_id, secret, _back(options), code, str(begun["verifier"]), str(begun["nonce"]), now)
    claims = await run_in_threadpool(claims_of, *asked)
    if role_of(access, claims) is None:
        found = f"{claims.get('name')}, whom this project does not know"
        raise Refused("access.forbidden", at="[[access.member]]", found=found, expected="a member", help="ask an admin of the project")
    body: dict[str, Any] = {"claims": {k: v for k, v in claims.items() if v}}
    until = (now + timedelta(hours=access.session_hours)).isoformat()
    answer = RedirectResponse(str(begun["next"]), 303)
    answer.delete_cookie(_login_cookie(options), path="/", secure=options.secure, httponly=True)
    _set(answer, options, cookie_name(options.secure), store.begin_session(body, until), access.session_hours * 3600)
    return answer


@router.post("/logout")
async def logout(request: Request) -> Response:
    """The session ends here, for every copy of its cookie."""
    place, options, _ = _known(request)
    name = cookie_name(options.secure)
    secret = request.cookies.get(name, "")
    if secret:
        request.app.state.access.end_session(secret, place.clock().isoformat())
    answer = logged_out()
    answer.headers["clear-site-data"] = '"cache"'  # the back button shows nothing of it
    answer.delete_cookie(name, path="/", secure=options.secure, httponly=True)
    return answer


def provider_of(place: Place, access: Access) -> Provider:
    """The provider the project names."""
    if access.login == "oidc":
        return oidc(access.issuer, private=access.private)
    web, api = place.environ.get("GITHUB_SERVER_URL", ""), place.environ.get("GITHUB_API_URL", "")
    return github(web or GITHUB, api or "https://api.github.com", private=bool(web or api))


def local_path(text: str) -> str:
    """`text` where it is a path of this server, else the front page."""
    parts = urlsplit(text)
    fine = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return text if fine and "\\" not in text and all(c.isprintable() for c in text) else "/"


def _known(request: Request) -> tuple[Place, Options, Access]:
    place, options = request.app.state.place, request.app.state.options
    settings = place.ground().settings
    access = settings.access if settings and options.login else None
    if access is None:
        raise Refused("access.login", at="[access]", found="no login is configured", expected="one", help="docs/api.md")
    return place, options, access


def _back(options: Options) -> str:
    return f"{options.base_url.rstrip('/')}/login/callback"


def _login_cookie(options: Options) -> str:
    return "__Host-dossier-login" if options.secure else "dossier-login"


def _set(answer: Response, options: Options, name: str, value: str, seconds: int) -> None:
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=options.secure, httponly=True, samesite="lax")
