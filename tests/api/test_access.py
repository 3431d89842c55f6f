"""Who may do what: every role at every address, and every way to pretend."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sqlite3
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from joserfc import jwk, jwt

from release_dossier.errors import Unavailable
from release_dossier.store.access import AccessStore
from release_dossier.web import pages
from release_dossier.web.access import LOCAL, NEEDS, ROLES, need_of
from release_dossier.web.app import make_app
from release_dossier.web.guard import RATES, Pace, cookie_name
from release_dossier.web.login import local_path
from release_dossier.web.place import GROUND_SECONDS_MAX, Options, Place
from tests.town import TESTS, Town

HOST = "http://127.0.0.1"
# What each address of the API needs, written by hand beside the table in access.py: both have to say the same.
SCOPES = {
    "open": ["GET /healthz", "GET /readyz"],
    "read": [
        "GET /metrics",
        "GET /badges/{service}.svg",
        "GET /schemas",
        "GET /schemas/{name}",
        "GET /schemas/facts/{name}",
        *(
            f"GET /api/v1/{p}"
            for p in (
                "project",
                "releases",
                "releases/{service}/{version}",
                "documents",
                "documents/{digest}",
                "documents/{digest}/envelope",
                "documents/{digest}/proof",
                "evidence",
                "artifacts/{digest}",
                "posture",
                "compare",
                "dossiers/{digest}/payload",
                "log/checkpoint",
                "log/tile/{path}",
                "schemas",
                "schemas/{name}",
                "schemas/facts/{name}",
                "jobs/{id}",
                "deliveries",
                "deliveries/{id}",
                "events",
                "status/{service}",
            )
        ),
    ],
    "write": [
        "POST /api/v1/changes",
        "POST /api/v1/changes/{change}/evidence/{name}",
        "POST /api/v1/changes/{change}/dossier",
        "POST /api/v1/artifacts",
        "POST /api/v1/dossiers/{digest}/decision",
    ],
    "sign": [
        "POST /api/v1/drafts",
        "POST /api/v1/dossiers/{digest}/approvals",
        "POST /api/v1/dossiers/{digest}/rejections",
        "POST /api/v1/dossiers/{digest}/waivers",
        "POST /api/v1/documents/{digest}/withdrawals",
    ],
    "release": [
        "POST /api/v1/dossiers/{digest}/releases",
        "POST /api/v1/dossiers/{digest}/deliveries",
        "POST /api/v1/deployments",
        "POST /api/v1/deliveries/{id}/tries",
    ],
}
MAY = {
    "nobody": ["open"],
    "viewer": ["open", "read"],
    "contributor": ["open", "read", "write"],
    "approver": ["open", "read", "write", "sign"],
    "admin": ["open", "read", "write", "sign", "release"],
}
TABLE = [(scope, operation) for scope, operations in SCOPES.items() for operation in operations]


PAGES = {
    "read": [
        "GET /",
        "GET /releases/{service}/{version:path}",
        "GET /c/{digest}",
        "GET /d/{digest}",
        "GET /evidence/{digest}",
        "GET /evidence/{digest}/account/{user}",
        "GET /artifacts/{digest}",
        "GET /compare",
        "GET /compare.md",
        "GET /posture",
        "GET /payload/{digest}",
        "GET /payload/{digest}/file",
        "GET /rules",
        "GET /rules/propose",
        "GET /rules/simulate",
        "GET /explain/{digest}/{requirement}",
        "GET /log",
        "GET /log/{n}",
        "GET /passkey",
        "GET /sign/{digest}",
    ],
    "open": ["GET /theme"],
    "sign": ["POST /passkey", "POST /sign/{digest}/sign"],
    "release": ["POST /payload/{digest}/send"],
}
PAGE_TABLE = [(scope, operation) for scope, operations in PAGES.items() for operation in operations]


class Provider:
    """An OpenID provider on loopback. `claims` go into the next ID token; `key` signs it."""

    def __init__(self) -> None:
        self.key = jwk.RSAKey.generate_key(2048, {"kid": "1"})
        self.published = self.key
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {}
        self.asked: list[dict[str, list[str]]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                there = provider.url
                if self.path == "/.well-known/openid-configuration":
                    body: Any = {
                        "issuer": provider.issuer,
                        "authorization_endpoint": f"{there}/authorize",
                        "token_endpoint": f"{there}/token",
                        "jwks_uri": f"{there}/keys",
                    }
                else:
                    body = {"keys": [provider.published.as_dict(private=False)]}
                self.say(body)

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                provider.asked.append(form)
                token = jwt.encode({"alg": provider.algorithm, "kid": "1"}, provider.claims, provider.key, algorithms=[provider.algorithm])
                self.say({"id_token": token, "access_token": "a", "token_type": "Bearer"})

            def say(self, body: Any) -> None:
                raw = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.issuer = self.url


class House:
    """A project behind a login: its town, its server, and a client without redirects or cookies of its own making."""

    def __init__(self, root: Path, provider: Provider) -> None:
        members = '[[access.member]]\nwho = "sub:s-1"\nrole = "contributor"\nperson = "ann"\n'
        access = (
            f'\n[access]\nlogin = "oidc"\nissuer = "{provider.issuer}"\nprivate = true\nclient_id = "dossier"\n'
            f'client_secret_env = "SECRET"\nhosts = ["127.0.0.1"]\n{members}'
        )
        self.town, self.provider = Town(root, settings=TESTS + access), provider
        self.town.env["SECRET"] = "shh"
        self.ticks = 0.0
        self.place = Place(self.town.repo, self.town.env, self.town.tick, lambda: self.ticks)
        self.lines: list[str] = []
        self.app = make_app(self.place, Options(base_url=HOST, login=True), log=self.lines.append)
        self.store: AccessStore = self.app.state.access

    def client(self) -> TestClient:
        return TestClient(self.app, base_url=HOST, follow_redirects=False)

    def token(self, role: str, *scopes: str, person: str = "", days: float = 1) -> str:
        now = self.town.now
        return self.store.make_token("t", role, scopes, person, now.isoformat(), (now + timedelta(days=days)).isoformat())[1]

    def bearer(self, role: str, *scopes: str, **more: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(role, *scopes, **more)}"}

    def begin(self, c: TestClient, where: str = "/") -> dict[str, str]:
        """Begin a login; what the provider is told."""
        there = c.get("/login", params={"next": where}).headers["location"]
        return {k: v[0] for k, v in parse_qs(urlsplit(there).query).items()}

    def claims(self, asked: dict[str, str], **other: Any) -> dict[str, Any]:
        now = int(self.town.now.timestamp())
        good = {"iss": self.provider.issuer, "sub": "s-1", "aud": "dossier", "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        return {k: v for k, v in {**good, "name": "Ann", **other}.items() if v is not None}

    def log_in(self, c: TestClient, where: str = "/", **other: Any) -> Any:
        asked = self.begin(c, where)
        self.provider.claims = self.claims(asked, **other)
        return c.get("/login/callback", params={"state": asked["state"], "code": "c"})


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    p = Provider()
    yield p
    p.http.shutdown()
    p.http.server_close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> House:
    return House(tmp_path_factory.mktemp("house"), provider)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATES, "login", (10_000, 10_000.0))


def filled(template: str) -> str:
    words = {
        "n": "0",
        "user": "bob",
        "requirement": "tests",
        "digest": "0" * 64,
        "change": "0" * 64,
        "id": "msg_" + "0" * 32,
        "name": "change.v1.json",
        "path": "0/000",
    }
    for name in ("digest", "change", "id", "name", "path", "service", "version", "n", "user", "requirement"):
        template = template.replace("{" + name + "}", words.get(name, name))
    return template


def test_every_address_is_in_the_table(house: House) -> None:
    """What is described and what this table names are the same operations, and access.py gives each the same scope."""
    described = {f"{m.upper()} {p}" for p, methods in house.app.openapi()["paths"].items() for m in methods}
    assert described == {operation for _, operation in TABLE}
    for scope, operation in TABLE:
        method, path = operation.split(" ")
        found = need_of(method, filled(path))
        assert found == scope or (found == "badge" and scope == "read"), operation


@pytest.mark.parametrize("role", MAY)
def test_every_role_at_every_address(house: House, role: str) -> None:
    """Turned away with 401 (nobody) or 403 exactly where the role's scopes do not reach; never anywhere else."""
    headers = {} if role == "nobody" else house.bearer(role)
    wrong = []
    with house.client() as c:
        for scope, operation in TABLE:
            method, path = operation.split(" ")
            if operation == "GET /api/v1/events" and scope in MAY[role]:
                continue  # never ends; test_live.py listens
            status = c.request(method, filled(path), headers=headers, params={"a": "x", "b": "y", "audience": "raw"}).status_code
            expected = 401 if role == "nobody" else 403
            if (status in (401, 403)) != (scope not in MAY[role]) or (scope not in MAY[role] and status != expected):
                wrong.append((operation, status))
    assert wrong == []


def test_every_page_is_in_the_table() -> None:
    """A page that nobody said who may see it is a red test, not an open door."""
    modules = [importlib.import_module(f"{pages.__name__}.{m.name}") for m in pkgutil.iter_modules(pages.__path__)]
    routes = [r for m in modules if hasattr(m, "router") for r in m.router.routes]
    assert {f"{method} {r.path}" for r in routes for method in r.methods if method != "HEAD"} == {operation for _, operation in PAGE_TABLE}
    for scope, operation in PAGE_TABLE:
        method, path = operation.split(" ")
        assert need_of(method, filled(path.replace(":path", ""))) == scope, operation


@pytest.mark.parametrize("role", MAY)
def test_every_role_at_every_page(house: House, role: str) -> None:
    """Nobody is sent to log in, or turned away from what changes something; whoever has no scope for it gets 403; nobody else does."""
    headers = {} if role == "nobody" else house.bearer(role)
    wrong = []
    with house.client() as c:
        for scope, operation in PAGE_TABLE:
            method, path = operation.split(" ")
            answer = c.request(method, filled(path.replace(":path", "")), headers=headers)
            turned_away = answer.status_code in (401, 403) or answer.headers.get("location", "").startswith("/login")
            expected = 303 if role == "nobody" and method == "GET" else 401 if role == "nobody" else 403
            if turned_away != (scope not in MAY[role]) or (turned_away and answer.status_code != expected):
                wrong.append((operation, answer.status_code))
    assert wrong == []


@pytest.mark.parametrize("path", ["/", "/releases/shop/0.1.0", "/rules", "/nothing", "/log"])
def test_pages_ask_who_it_is(house: House, path: str) -> None:
    """Nobody is sent to log in and back to where they wanted; a viewer reads; what no line names is an admin's."""
    with house.client() as c:
        answer = c.get(path, params={"q": "a b"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path.replace('/', '%2F')}%3Fq%3Da%2Bb")
        assert c.get(path, headers=house.bearer("viewer")).status_code in (200, 404)
        assert c.post(path, headers=house.bearer("approver")).status_code == 403
        assert c.post(path).status_code == 401
    assert need_of("DELETE", "/anything") == need_of("POST", "/other") == "admin"
    assert all(scope in (*ROLES["admin"], "open", "badge") for _, _, scope in NEEDS)


def test_a_browser_is_turned_away_with_a_page(house: House) -> None:
    """Where a browser asks for a page, a refusal is one, and shows nothing of the project; a script, and the API, get the problem."""
    accept = {"accept": "text/html,application/xhtml+xml"}
    with house.client() as c:
        for answer in (
            c.get("/", headers={**accept, "host": "evil.example"}),
            c.post("/passkey", headers=accept),
            c.post("/passkey", headers={**accept, **house.bearer("viewer")}),
            c.get("/log", headers={**accept, "authorization": "Bearer rd_x"}),
        ):
            assert answer.headers["content-type"].startswith("text/html")
            assert '<main id="main"' in answer.text
            assert "access." in answer.text
            assert house.place.name not in answer.text
        for path in ("/login/callback?state=x", "/login/callback?error=access_denied", "/static/nothing", "/theme?to=dark&back=x" * 999):
            assert house.place.name not in c.get(path, headers=accept).text, path
        assert c.get("/api/v1/project", headers=accept).json()["code"] == "access.unauthenticated"
        missing = c.post(f"/payload/{'0' * 64}/send", headers={**accept, **house.bearer("admin")})
        assert (missing.status_code, missing.headers["content-type"][:9]) == (422, "text/html")


def test_a_session_carries_no_other_persons_words_to_a_page(house: House) -> None:
    """Who is ann here neither reads bo's words to sign nor brings them, as over the API."""
    words = {"what": "approval", "person": "bo", "at": "2026-11-24T09:00:00Z", "statement": "sha256:0", "signature": "x"}
    with house.client() as c:
        for person, code in (("ann", "digest.unknown"), ("bo", "access.person")):
            headers = house.bearer("approver", person="ann")
            assert code in c.get(f"/sign/{'0' * 64}?seat={person}/owner", headers=headers).text
            assert code in c.post(f"/sign/{'0' * 64}/sign", data={**words, "person": person}, headers=headers).text


def test_a_token_is_itself_or_nothing(house: House) -> None:
    """Unknown, changed, cut, in other words, ended or revoked: 401 each, also where nobody at all would be let in."""
    good = house.token("admin")
    with house.client() as c:

        def asks(value: str) -> int:
            return c.get("/api/v1/project", headers={"authorization": value}).status_code

        assert asks(f"Bearer {good}") == asks(f"bearer {good}") == 200
        other = "A" if good[-2] != "A" else "B"
        for bad in (good[:-1], good[:-2] + other + good[-1], good + "x", good.upper(), "rd_000000000000_" + good[16:], "", "rd_", "x y"):
            assert asks(f"Bearer {bad}") == 401, bad
        assert asks(good) == asks(f"Basic {good}") == asks(f"Bearer  {good}") == 401
        assert c.get("/healthz", headers={"authorization": "Bearer no"}).status_code == 401
        short = house.token("admin", days=1)
        token = house.store.token(short, house.town.now.isoformat())
        assert token is not None
        house.store.revoke(token.id, house.town.now.isoformat())
        assert asks(f"Bearer {short}") == 401
        ended = house.token("admin", days=0.5)
        assert asks(f"Bearer {ended}") == 200
        house.town.later(hours=12)
        assert asks(f"Bearer {ended}") == 401
    raw = (house.place.home / "access.sqlite").read_bytes() + (house.place.home / "access.sqlite-wal").read_bytes()
    assert good.split("_", 2)[2].encode() not in raw
    assert (house.place.home / "access.sqlite").stat().st_mode & 0o077 == 0


def test_a_token_has_its_scopes_and_no_more(house: House) -> None:
    """Narrower than its role; never wider, whatever it was given; a person's token carries only that person's words."""
    draft = {"word": "rejection", "target": "0" * 64, "person": "bob", "reason": "r"}
    with house.client() as c:
        told = c.post("/api/v1/drafts", json=draft, headers=house.bearer("admin", "read"))
        assert (told.status_code, told.json()["code"], told.json()["at"]) == (403, "access.forbidden", "/api/v1/drafts")
        assert (told.json()["found"], told.json()["expected"]) == ("token t: read", "sign")
        assert c.post("/api/v1/drafts", json=draft, headers=house.bearer("viewer", "sign")).status_code == 403
        answer = c.post("/api/v1/drafts", json=draft, headers=house.bearer("approver", person="ann"))
        assert (answer.status_code, answer.json()["code"]) == (403, "access.person")
        assert c.get("/api/v1/project", headers=house.bearer("contributor")).json()["may"] == ["read", "write"]


def test_logging_in_and_out(house: House) -> None:
    """PKCE, state and nonce go to the provider; the session is a cookie without words, good until it ends; logging out ends every copy."""
    with house.client() as c:
        asked = house.begin(c, "/rules?x=1")
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == f"{HOST}/login/callback"
        house.provider.claims = house.claims(asked)
        answer = c.get("/login/callback", params={"state": asked["state"], "code": "c-1"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/rules?x=1")
        assert house.provider.asked[-1]["client_secret"] == ["shh"]
        cookie = next(v for v in answer.headers.get_list("set-cookie") if v.startswith("dossier-session="))
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        card = c.get("/api/v1/project").json()
        assert (card["you"], card["may"]) == ("Ann", ["read", "write"])
        secret = c.cookies["dossier-session"]
        assert c.post("/logout", headers={"origin": HOST}).status_code == 200
        c.cookies.set("dossier-session", secret)
        assert c.get("/api/v1/project").status_code == 401
        assert house.log_in(c).status_code == 303
        house.town.later(hours=13)
        assert c.get("/api/v1/project").status_code == 401
    assert cookie_name(True) == "__Host-dossier-session"


def test_sessions_that_are_none(house: House) -> None:
    """Forged, changed or another's cookie is nobody."""
    with house.client() as c:
        house.log_in(c)
        secret = c.cookies["dossier-session"]
    for value in ("x", secret[:-1], secret + "x", secret.swapcase(), "../..", "a" * 5000):
        with house.client() as c:
            c.cookies.set("dossier-session", value)
            assert c.get("/api/v1/project").status_code == 401


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"sub": "s-2"},
        {"sub": "s-2", "email": "ann@example.invalid", "email_verified": False},
    ],
)
def test_an_id_token_is_for_this_login(house: House, other: dict[str, Any]) -> None:
    """Another issuer, audience, login, time or person: no session."""
    with house.client() as c:
        answer = house.log_in(c, **other)
        assert answer.status_code in (403, 422), answer.text
        assert "dossier-session" not in c.cookies
        assert c.get("/api/v1/project").status_code == 401


def test_an_id_token_is_signed_by_its_provider(house: House) -> None:
    """Another's key, no signature at all, or the public key as a secret: no session."""
    p = house.provider
    before = p.key
    try:
        p.key = jwk.RSAKey.generate_key(2048, {"kid": "1"})
        with house.client() as c:
            assert house.log_in(c).status_code == 422
        p.key, p.algorithm = jwk.OctKey.import_key("a-secret-that-is-long-enough-for-hs256", {"kid": "1"}), "HS256"
        with house.client() as c:
            assert house.log_in(c).status_code == 422
        p.key, p.algorithm = before, "RS256"
        p.issuer = "https://evil.example"
        with house.client() as c:
            assert c.get("/login").status_code == 422
    finally:
        p.key, p.algorithm, p.issuer = before, "RS256", p.url


def test_an_answer_counts_once_in_its_own_browser(house: House) -> None:
    """A state that was never given, was used, is another browser's or is too old begins nothing."""
    with house.client() as c, house.client() as thief:
        told = c.get("/login/callback", params={"state": "made-up", "code": "c"})
        assert told.status_code == 401
        assert all(x in told.text for x in ("access.login", "no login that is under way in this browser"))
        asked = house.begin(c)
        house.provider.claims = house.claims(asked)
        words = {"state": asked["state"], "code": "c"}
        assert thief.get("/login/callback", params=words).status_code == 401
        assert c.get("/login/callback", params=words).status_code == 401  # the thief used it up
        asked = house.begin(c)
        house.provider.claims = house.claims(asked)
        assert c.get("/login/callback", params={"state": asked["state"], "code": "c"}).status_code == 303
        assert c.get("/login/callback", params={"state": asked["state"], "code": "c"}).status_code == 401
        asked = house.begin(c)
        house.town.later(minutes=11)
        house.provider.claims = house.claims(asked)
        assert c.get("/login/callback", params={"state": asked["state"], "code": "c"}).status_code == 401
        asked = house.begin(c)
        assert c.get("/login/callback", params={"state": asked["state"], "error": "access_denied"}).status_code == 401


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", "evil", "/a\nb", ""])
def test_where_to_go_afterwards_is_here(path: str) -> None:
    """Never another's address."""
    assert local_path(path) == "/"
    assert local_path("/rules?x=1#y") == "/rules?x=1#y"


def test_who_is_no_member_any_more_is_out(tmp_path: Path, provider: Provider) -> None:
    """Removed on the protected branch: the next request after the settings were read again is nobody's, without waiting for the session."""
    house = House(tmp_path, provider)
    with house.client() as c:
        assert house.log_in(c).status_code == 303
        assert c.get("/api/v1/project").status_code == 200
        house.town.git("switch", "-q", "main")
        house.town.write("dossier.toml", house.town.read("dossier.toml").replace("sub:s-1", "sub:s-9"))
        house.town.commit("ann left")
        house.ticks += 2 * GROUND_SECONDS_MAX
        assert c.get("/api/v1/project").status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": HOST}, 422),
        ({"sec-fetch-site": "same-origin"}, 422),
        ({}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[x"}, 403),
        ({"origin": "http://127.0.0.1:81"}, 403),
        ({"origin": "http://127.0.0.1.evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_a_sessions_request_comes_from_our_page(house: House, headers: dict[str, str], status: int) -> None:
    """Another site's page, or one that does not say, changes nothing with somebody's cookie."""
    with house.client() as c:
        house.log_in(c)
        assert c.post("/api/v1/changes", json={}, headers=headers).status_code == status


def test_without_login_too_other_pages_change_nothing(town: Town) -> None:
    """On loopback a foreign page is refused, a script is not; a name pointed here by DNS gets nothing, not even to read."""
    from tests.api.conftest import served

    with served(town) as c:
        assert c.post("/api/v1/changes", json={}).status_code == 422
        assert c.post("/api/v1/changes", json={}, headers={"origin": "https://evil.example"}).json()["code"] == "access.origin"
        for host in (
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "127.0.0.1@evil",
            "169.254.169.254",
            "[::1",
            "]",
        ):
            answer = c.get("/", headers={"host": host})
            assert (answer.status_code, answer.json()["code"]) == (421, "access.host")
            assert answer.headers["content-security-policy"]
        for host in ("127.0.0.1", "127.0.0.1:8722", "localhost:1", "[::1]:8722", "LOCALHOST"):
            assert c.get("/healthz", headers={"host": host}).status_code == 200
        assert c.get("/api/v1/project", headers={"authorization": "Bearer rd_x"}).status_code == 401
    assert LOCAL.role == "admin"


def test_who_asks_too_often_waits() -> None:
    """A bucket of its own for each client and kind; it fills again with time; the number of clients remembered is bounded."""
    now = 0.0
    pace = Pace(lambda: now)
    most, each = RATES["write"]
    assert [pace.wait("a", "write") for _ in range(most)] == [0.0] * most
    wait = pace.wait("a", "write")
    assert 0 < wait <= 1 / each
    assert pace.wait("b", "write") == pace.wait("a", "read") == 0
    now += wait + 0.001
    assert pace.wait("a", "write") == 0
    for i in range(10_100):
        pace.wait(f"c{i}", "read")
    assert len(pace._left) <= 10_000


def test_guessing_is_slow(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong tokens and logins are counted by address: soon 429 with Retry-After."""
    monkeypatch.setitem(RATES, "login", (3, 0.001))
    with TestClient(house.app, base_url=HOST, client=("203.0.113.9", 1)) as c:
        statuses = [c.get("/api/v1/project", headers={"authorization": "Bearer rd_no"}).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert int(c.get("/login").headers["retry-after"]) > 1
        told = c.get("/api/v1/project", headers={"authorization": "Bearer rd_no"}).json()
        assert (told["code"], told["at"], told["expected"]) == ("access.rate", "this client", "0.001 a second")


def test_a_team_behind_a_proxy_logs_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of this machine tells them apart, each counted alone; what they themselves put before its word, or say from elsewhere,
    does not."""
    monkeypatch.setitem(RATES, "login", (3, 0.001))

    def statuses(near: str, *forwarded: str) -> list[int]:
        with TestClient(house.app, base_url=HOST, client=(near, 1), follow_redirects=False) as c:
            return [c.get("/login", headers={"x-forwarded-for": f}).status_code for f in forwarded]

    assert statuses("127.0.0.1", *(f"198.51.100.{n}" for n in range(6))) == [303] * 6
    assert statuses("127.0.0.1", *(f"192.0.2.{n}, 198.51.100.9" for n in range(6))) == [303] * 3 + [429] * 3
    assert statuses("198.51.100.77", *(f"198.51.100.{n}" for n in range(20, 26))) == [303] * 3 + [429] * 3
    assert statuses("127.0.0.1", "", "unknown", "x" * 999, "198.51.100.1, ")[3] == 429


def test_a_form_sent_after_the_session_ended_leads_back(house: House) -> None:
    """Nothing was recorded, and after logging in one is where the words are read again; another site's page is no place to go back to."""
    accept = {"accept": "text/html", "origin": HOST}
    with house.client() as c:
        page = c.post("/sign/0/sign", headers={**accept, "referer": f"{HOST}/sign/0?seat=ann/owner"})
        assert (page.status_code, "nothing was recorded" in page.text) == (401, True)
        assert 'href="/login?next=%2Fsign%2F0%3Fseat%3Dann%2Fowner"' in page.text
        elsewhere = c.post("/sign/0/sign", headers={**accept, "referer": "http://other.example/x"})
        assert 'href="/login?next=%2F"' in elsewhere.text


def test_a_session_is_named_and_can_be_ended(house: House) -> None:
    """Every page says who one is, as what, and ends the session; nobody else's words are offered, and who only reads is told so."""
    with house.client() as c:
        assert "Log out" not in c.get("/", headers=house.bearer("viewer")).text
        house.log_in(c, name="<b>Ann</b>")
        page = c.get("/passkey").text
        assert "&lt;b&gt;Ann&lt;/b&gt;" in page
        assert 'action="/logout" method="post"' in page
        assert "You are here as contributor, who may not do this" in page
        out = c.post("/logout", headers={"origin": HOST})
        assert "Logged out" in out.text
        assert out.headers["clear-site-data"] == '"cache"'
        gone = c.get("/passkey")
        assert (gone.status_code, gone.headers["cache-control"]) == (303, "no-store")


def test_logging_in_with_github(tmp_path: Path) -> None:
    """GitHub's code becomes a token, the token a user: known by login or number, in whatever case; another user is no member."""
    who = {"login": "Ann-Octo", "id": 7}

    class GitHub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            assert (self.path, form["code"], form["client_secret"]) == ("/login/oauth/access_token", ["c"], ["shh"])
            self.say({"access_token": "gho_1"})

        def do_GET(self) -> None:
            assert (self.path, self.headers["authorization"]) == ("/user", "Bearer gho_1")
            self.say(who)

        def say(self, body: Any) -> None:
            raw = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{http.server_port}"
    access = '\n[access]\nlogin = "github"\nclient_id = "dossier"\nclient_secret_env = "SECRET"\nhosts = ["127.0.0.1"]\n'
    town = Town(tmp_path, settings=TESTS + access + '[[access.member]]\nwho = "github:ann-octo"\nrole = "viewer"\n')
    town.env |= {"SECRET": "shh", "GITHUB_SERVER_URL": url, "GITHUB_API_URL": url}
    app = make_app(Place(town.repo, town.env, town.tick, lambda: 0.0), Options(base_url=HOST, login=True))
    with TestClient(app, base_url=HOST, follow_redirects=False) as c:

        def log_in() -> int:
            there = urlsplit(c.get("/login").headers["location"])
            assert there.path == "/login/oauth/authorize"
            return c.get("/login/callback", params={"state": parse_qs(there.query)["state"][0], "code": "c"}).status_code

        assert log_in() == 303
        assert c.get("/api/v1/project").json()["you"] == "Ann-Octo"
        c.cookies.clear()
        who["login"] = "mallory"
        assert log_in() == 403
        assert c.get("/api/v1/project").status_code == 401
    http.shutdown()
    http.server_close()


def test_a_line_a_request(house: House) -> None:
    """Structured, with the id the answer carries and who asked; no secret, no query."""
    house.lines.clear()
    headers = house.bearer("viewer") | {"x-request-id": "r-1"}
    with house.client() as c:
        c.get("/api/v1/releases", params={"q": "private words"}, headers=headers)
    line = json.loads(house.lines[0])
    assert (line["request_id"], line["path"], line["status"], line["who"]) == ("r-1", "/api/v1/releases", 200, "token t")
    assert "private" not in house.lines[0]
    assert headers["authorization"].split("_", 2)[2] not in house.lines[0]
    assert datetime.fromisoformat(line["at"])


def test_tokens_on_the_command_line(town: Town) -> None:
    """Made and shown once, listed without its secret, revoked; an unknown one and a scope its role lacks are refused."""
    made = town.dossier("token", "new", "--name", "ci", "--role", "contributor", "--scope", "write")
    assert made["token"].startswith(f"rd_{made['id']}_")
    listed = town.dossier("token", "list")["tokens"]
    assert [(t["name"], t["scopes"]) for t in listed] == [("ci", ["write"])]
    assert made["token"] not in json.dumps(listed)
    assert town.dossier("token", "revoke", made["id"])["token"]["revoked_at"]
    assert town.refused("token", "revoke", "nothing")["code"] == "access.no-token"
    assert town.refused("token", "new", "--name", "x", "--role", "viewer", "--scope", "sign", code=2)["code"] == "access.scope"
    assert town.refused("token", "new", "--name", "x", "--role", "viewer", "--until", "2020-01-01T00:00:00Z", code=2)["at"] == "--until"


def test_another_address_needs_a_login(town: Town, tmp_path: Path, provider: Provider) -> None:
    """Not without [access]; not without https, not without the client's secret."""
    words = ("serve", "--host", "0.0.0.0", "--port", "0")
    code, _, err = town.run(*words)
    assert (code, "serve.login" in err) == (20, True)
    house = House(tmp_path / "house", provider)
    for more, what in ((("--base-url", "http://dossier.example"), "https://HOST"), ((), "https://HOST")):
        code, _, err = house.town.run(*words, *more)
        assert (code, what in err) == (20, True)
    del house.town.env["SECRET"]
    code, _, err = house.town.run(*words, "--base-url", "https://dossier.example")
    assert (code, "SECRET" in err) == (20, True)


def test_a_login_that_was_taken_away_lets_nobody_in(tmp_path: Path, provider: Provider) -> None:
    """A server that began with [access] answers nothing once the protected branch has none: it does not fall back to no login at all."""
    house = House(tmp_path, provider)
    with house.client() as c:
        headers = house.bearer("admin")
        assert c.get("/api/v1/project", headers=headers).status_code == 200
        house.town.git("switch", "-q", "main")
        house.town.write("dossier.toml", house.town.read("dossier.toml").partition("\n[access]")[0])
        house.town.commit("no login")
        house.town.git("switch", "-q", "fix/rounding")
        house.ticks += GROUND_SECONDS_MAX + 1
        told = c.get("/api/v1/project", headers=headers)
        assert (told.status_code, told.json()["code"], told.json()["found"]) == (401, "access.login", "gone from the protected branch")
        assert "no login is configured" in c.get("/login").text or c.get("/login").status_code == 401


def test_a_file_of_tokens_that_cannot_be_used(tmp_path: Path) -> None:
    """Unavailable, when it is opened and when it is asked: nobody is let in because nobody could be looked up."""
    (tmp_path / "no database").write_bytes(b"x" * 4096)
    for file in (tmp_path / "no database", tmp_path / "no database" / "below"):
        with pytest.raises(Unavailable) as e:
            AccessStore(file)
        assert (e.value.code, e.value.at, e.value.expected) == ("access.file", str(file), "a file that can be written")
    store = AccessStore(tmp_path / "access.sqlite")
    with sqlite3.connect(tmp_path / "access.sqlite") as other:
        other.execute("drop table tokens")
    other.close()
    with pytest.raises(Unavailable) as e:
        store.tokens()
    assert (e.value.code, e.value.at, e.value.found) == ("access.file", "access.sqlite", "no such table: tokens")
