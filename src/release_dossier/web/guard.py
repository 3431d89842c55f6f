"""What every request passes before anything else sees it, in this order:

1. It gets an id, which its answer, its log line and its problem carry.
2. Its host is one this server answers to: a name somebody pointed here by DNS is none (DNS rebinding).
3. A request that could change something and comes from a browser comes from our own pages (Origin, Sec-Fetch-Site).
4. Its body is announced small enough; one that is not announced is cut off where it grows too large.
5. Somebody asks: a token, a session, or with no login configured this machine. A session needs 3 even where the browser says nothing.
6. They may: `access.NEEDS`. Who asks too often waits.

Then it is counted, logged and traced, whatever came of it.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response

from release_dossier.errors import DossierError, Refused
from release_dossier.limits import BODY_BYTES_MAX, UPLOAD_BYTES_MAX
from release_dossier.project import Access
from release_dossier.store.access import AccessStore
from release_dossier.web.access import LOCAL, ROLES, Somebody, may, need_of, scopes_of
from release_dossier.web.gauge import Gauge, Tracer
from release_dossier.web.paper import turned_away
from release_dossier.web.place import Options, Place
from release_dossier.web.problem import MACHINES, MEDIA_TYPE, body_of, status_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
COOKIE = "dossier-session"
SAFE = ("GET", "HEAD", "OPTIONS")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_TRACE = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}\Z")
_UPLOADS = re.compile(r"/api/v1/(changes/[^/]+/evidence/[^/]+|artifacts)\Z")
# Per client: how many at once, and how many a second after that.
RATES = {"read": (400, 100.0), "write": (200, 20.0), "login": (10, 0.2)}
CLIENTS_MAX = 10_000  # clients whose pace is remembered; the one seen longest ago is forgotten


def cookie_name(secure: bool) -> str:
    """`__Host-` where the browser can hold it to that: only https, only this host, every path."""
    return f"__Host-{COOKIE}" if secure else COOKIE


class Pace:
    """Token buckets. `ticks` are seconds that only run forwards."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def wait(self, client: str, kind: str) -> float:
        """0 where the request may go on, else seconds until one may."""
        most, each = RATES[kind]
        now = self._ticks()
        left, at = self._left.pop((client, kind), (float(most), now))
        left = min(most, left + (now - at) * each)
        self._left[client, kind] = (left - 1 if left >= 1 else left), now
        while len(self._left) > CLIENTS_MAX:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / each


class Guard:
    """The middleware. `log` writes one line; None for silence."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        place: Place,
        options: Options,
        store: AccessStore | None,
        gauge: Gauge,
        tracer: Tracer | None = None,
        log: Callable[[str], None] | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app, self.place, self.options, self.store = app, place, options, store
        self.gauge, self.tracer, self.log = gauge, tracer, log
        self.pace = Pace(ticks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = headers.get("x-request-id", "")
        seen = _Seen(asked if _ID.match(asked) else secrets.token_hex(8), headers, scope["path"])
        scope.setdefault("state", {})["request_id"] = seen.id
        began, began_ns = time.perf_counter(), time.time_ns()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", seen.id.encode())]
            await send(message)

        try:
            refusal = await self._admit(scope, headers, seen)
            if refusal is not None:
                await refusal(scope, receive, sending)
            else:
                await self.app(scope, _bounded(receive, limit_of(scope["path"])), sending)
        except _TooLarge as e:
            if seen.status == 0:
                await _answer(e.error, seen)(scope, receive, sending)
        finally:
            self._done(scope, seen, time.perf_counter() - began, began_ns)

    async def _admit(self, scope: Scope, headers: Headers, seen: _Seen) -> Response | None:
        """None where the request may go on; `scope["state"]["who"]` says for whom."""
        try:
            access = await self._access()
            self._host(headers, access)
            foreign = self._origin(scope["method"], headers)
            _announced(headers, limit_of(scope["path"]))
            who = self._who(scope, headers, access)
            seen.who = who.name if who else ""
            need = need_of(scope["method"], scope["path"])
            if who is not None and who.via == "session" and scope["method"] not in SAFE and foreign is None:
                raise Refused(
                    "access.origin", at="Origin", found="neither Origin nor Sec-Fetch-Site", expected="a request from our own page"
                )
            if access is not None:  # without login there is one client, this machine's own user
                self._paced(scope, who, need)
            if not may(who, need, public_badges=bool(access and access.public_badges)):
                return self._turned_away(scope, who, need, seen)
        except _TooOften as e:
            answer = _answer(e.error, seen)
            answer.headers["retry-after"] = str(e.wait_s)
            return answer
        except DossierError as e:
            return _answer(e, seen)
        scope["state"]["who"], scope["state"]["still"] = who, lambda: self._still(scope, headers)
        scope["state"]["known"] = self.place.catalog.size - 1  # before anything is read for the answer
        return None

    async def _still(self, scope: Scope, headers: Headers) -> bool:
        """Whether the same request would be let in now: for an answer that lasts longer than a token or a session may."""
        try:
            who = self._who(scope, headers, await self._access())
        except DossierError:
            return False
        return may(who, need_of(scope["method"], scope["path"]))

    async def _access(self) -> Access | None:
        if not self.options.login:
            return None
        ground = await run_in_threadpool(self.place.ground)
        access = ground.settings.access if ground.settings else None
        if access is None:
            raise Refused(
                "access.login",
                at="[access] in dossier.toml",
                found="gone from the protected branch",
                expected="the login this server began with",
            )
        return access

    def _host(self, headers: Headers, access: Access | None) -> None:
        said = headers.get("host", "")
        name = (_split(f"//{said}").hostname or "") if re.fullmatch(r"[A-Za-z0-9.:\[\]-]{1,255}", said) else ""
        known = {*LOOPBACK, self.options.address.casefold()} if access is None else {h.casefold() for h in access.hosts}
        if name not in known:
            raise Refused("access.host", at="Host", found=said or "nothing", expected=", ".join(sorted(known)))

    def _origin(self, method: str, headers: Headers) -> bool | None:
        """True when the browser says the request is from our own page, None when nobody says; anything else is refused."""
        if method in SAFE:
            return None
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None:
            there = _split(origin).netloc
            if not there or there.casefold() != headers.get("host", "").casefold():
                raise Refused("access.origin", at="Origin", found=origin, expected="a request from our own page")
            return True
        if site is not None:
            if site not in ("same-origin", "none"):
                raise Refused("access.origin", at="Sec-Fetch-Site", found=site, expected="a request from our own page")
            return True
        return None

    def _who(self, scope: Scope, headers: Headers, access: Access | None) -> Somebody | None:
        """Who asks. A token that does not stand is refused, never taken for nobody."""
        now = self.place.clock().isoformat()
        words = headers.get("authorization", "").split(" ")
        if words != [""]:
            token = self.store.token(words[1], now) if self.store and len(words) == 2 and words[0].casefold() == "bearer" else None
            if token is None:
                self._slowly(scope)
                raise Refused(
                    "access.unauthenticated",
                    at="Authorization",
                    found="no token that stands",
                    expected="Bearer rd_…",
                    help="dossier token new",
                )
            scopes = scopes_of(token.role, token.scopes)
            return Somebody(name=f"token {token.name}", role=token.role, scopes=scopes, via="token", person=token.person, id=token.id)
        if access is None:
            return LOCAL
        secret = _cookie(headers, cookie_name(self.options.secure))
        known = self.store.session(secret, now) if secret and self.store else None
        if known is None:
            return None
        id, body = known
        from release_dossier.web.access import role_of

        found = role_of(access, body["claims"])  # what they may do is asked anew: a member who was removed is out at once
        if found is None:
            return None
        role, person = found
        return Somebody(name=str(body["claims"].get("name", "")), role=role, scopes=ROLES[role], via="session", person=person, id=id)

    def _slowly(self, scope: Scope) -> None:
        """Guessing is slow: who brings a wrong secret is counted like a login."""
        self._take(_address(scope), "login")

    def _paced(self, scope: Scope, who: Somebody | None, need: str) -> None:
        kind = "login" if scope["path"].startswith("/login") else "read" if scope["method"] in SAFE else "write"
        client = who.id if who is not None and who.id else _address(scope)
        if need != "open" or kind == "login":
            self._take(client, kind)

    def _take(self, client: str, kind: str) -> None:
        wait = self.pace.wait(client, kind)
        if wait:
            expected = f"{RATES[kind][1]:g} a second"
            found = "more requests than it may make"
            wait_s = int(wait) + 1
            error = Refused("access.rate", at="this client", found=found, expected=expected, help=f"wait {wait_s} s")
            raise _TooOften(error, wait_s)

    def _turned_away(self, scope: Scope, who: Somebody | None, need: str, seen: _Seen) -> Response:
        path = scope["path"]
        if who is None and not path.startswith(MACHINES) and scope["method"] in SAFE:
            here = path + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
            return RedirectResponse(f"/login?next={quote(here, safe='')}", 303)
        if who is None and seen.page:
            found = "nobody: the session has ended; nothing was recorded"
            help = f"/login?next={quote(seen.back, safe='')}"
            return _answer(Refused("access.unauthenticated", at=path, found=found, expected="somebody who is logged in", help=help), seen)
        if who is None:
            error = Refused(
                "access.unauthenticated", at="Authorization", found="nobody", expected="a token or a session", help="dossier token new"
            )
            answer = _answer(error, seen)
            answer.headers["www-authenticate"] = 'Bearer realm="release dossier"'
            return answer
        return _answer(Refused("access.forbidden", at=path, found=f"{who.name}: {', '.join(who.scopes) or 'nothing'}", expected=need), seen)

    def _done(self, scope: Scope, seen: _Seen, seconds: float, began_ns: int) -> None:
        route = _route(scope)
        self.gauge.saw(scope["method"], route, seen.status, seconds)
        if self.log is not None:
            line = {
                "at": self.place.clock().isoformat(timespec="milliseconds"),
                "request_id": seen.id,
                "method": scope["method"],
                "path": scope["path"],
                "status": seen.status,
                "ms": round(seconds * 1000, 2),
                "who": seen.who,
                "trace": seen.trace,
            }
            self.log(json.dumps(line, ensure_ascii=False))
        if self.tracer is not None:
            said: dict[str, str | int] = {
                "http.request.method": scope["method"],
                "http.route": route,
                "url.path": scope["path"],
                "http.response.status_code": seen.status,
                "dossier.request_id": seen.id,
            }
            end = began_ns + int(seconds * 1e9)
            self.tracer.span(seen.trace, seen.parent, secrets.token_hex(8), f"{scope['method']} {route}", began_ns, end, said)


class _Seen:
    """What is known of a request when it is over."""

    def __init__(self, id: str, headers: Headers, path: str) -> None:
        self.id, self.status, self.who = id, 0, ""
        self.page = "text/html" in headers.get("accept", "") and not path.startswith(MACHINES)
        from_ = _split(headers.get("referer", ""))  # of our own page: where to read it again
        self.back = from_.path + (f"?{from_.query}" if from_.query else "") if from_.netloc == headers.get("host") else "/"
        m = _TRACE.match(headers.get("traceparent", ""))
        self.trace, self.parent = (m[1], m[2]) if m else (secrets.token_hex(16), "")


class _TooOften(Exception):
    """What is refused, with room again after so many seconds."""

    def __init__(self, error: Refused, wait_s: int) -> None:
        self.error, self.wait_s = error, wait_s


class _TooLarge(Exception):
    def __init__(self, error: DossierError) -> None:
        self.error = error


def limit_of(path: str) -> int:
    """Bytes a request's body may have."""
    return UPLOAD_BYTES_MAX if _UPLOADS.match(path) else BODY_BYTES_MAX


def _announced(headers: Headers, most: int) -> None:
    said = headers.get("content-length")
    if said is not None and (not said.isdecimal() or len(said) > 15 or int(said) > most):
        raise _too_large(said, most)


def _too_large(found: object, most: int) -> Refused:
    return Refused("api.too-large", at="body", found=f"{found} bytes", expected=f"at most {most} bytes")


def _bounded(receive: Receive, most: int) -> Receive:
    """`receive` that ends where a body grows too large, whatever was announced."""
    size = 0

    async def receiving() -> Message:
        nonlocal size
        message = await receive()
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            if size > most:
                raise _TooLarge(_too_large(f"more than {most}", most))
        return message

    return receiving


def _answer(error: DossierError, seen: _Seen) -> Response:
    status = status_of(error)
    answer = turned_away(error, status) if seen.page else Response(body_of(error, seen.id), status, media_type=MEDIA_TYPE)
    if error.code == "api.too-large":
        answer.headers["connection"] = "close"
    return answer


def _split(address: str) -> SplitResult:
    """An address in its parts; of one that is none, no parts."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _cookie(headers: Headers, name: str) -> str:
    try:
        jar: Any = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


def _route(scope: Scope) -> str:
    """The address as it is described, never as it was asked: what is counted under it stays a short list."""
    known = str(getattr(scope.get("route"), "path", ""))
    if not known:
        return "/static" if scope["path"].startswith("/static/") else "other"
    below = scope["path"].startswith("/api/v1/") and not known.startswith("/api/v1/")
    return f"/api/v1{known}" if below else known


def _address(scope: Scope) -> str:
    """Who a request is counted as where nobody said who they are. A proxy on this machine says who asked it: the last address it gives;
    else all who log in through it would be one, and a handful of them too many."""
    client = scope.get("client")
    near = str(client[0]) if client else "unknown"
    said = Headers(scope=scope).get("x-forwarded-for", "").rpartition(",")[2].strip()
    with suppress(ValueError):
        return str(ip_address(said)) if near in LOOPBACK else near
    return near
