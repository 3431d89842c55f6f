"""Who somebody is, asked of a provider: what it answers otherwise is said with its address, and nobody is logged in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import pytest

from release_dossier.errors import DossierError
from release_dossier.sources.identity import Provider, claims_of, oidc
from tests.sources.test_outside import says, server

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DESCRIBED = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("status", "body", "due"),
    [
        (500, b"{}", ("Unavailable", "identity.answer", DESCRIBED, "HTTP 500", "an answer")),
        (200, b"<html>", ("Unavailable", "identity.answer", DESCRIBED, "Expecting value: line 1 column 1 (char 0)", "JSON")),
        (200, b"[" * 200_000, ("Unavailable", "identity.answer", DESCRIBED, "*", "JSON")),
        (200, b"[]", ("Unavailable", "identity.answer", DESCRIBED, "list", "a JSON object")),
        (200, b'{"issuer": "https://other"}', ("Refused", "identity.provider", "", "a description of 'https://other'", "its own")),
        (200, None, ("Refused", "identity.provider", "", "no 'authorization_endpoint'", "an OpenID provider's description")),
    ],
)
def test_a_description_that_is_none(status: int, body: bytes | None, due: tuple[str, str, str, str, str]) -> None:
    """Another status, no JSON, another issuer's, or one that does not say where to go."""

    def answer(h: BaseHTTPRequestHandler) -> None:
        says(status, json.dumps({"issuer": f"http://{h.headers['host']}"}).encode() if body is None else body)(h)

    with server(answer) as (url, _), pytest.raises(DossierError) as e:
        oidc(url, private=True)
    found = "*" if due[3] == "*" else e.value.found
    assert (type(e.value).__name__, e.value.code, e.value.at.removeprefix(url), found, e.value.expected) == due


@pytest.mark.parametrize(
    ("status", "body", "due"),
    [
        (200, {"error": "bad_verification_code"}, ("identity.code", "/token", "bad_verification_code", "a code that stands")),
        (400, {}, ("identity.code", "/token", "HTTP 400", "a code that stands")),
        (200, {"access_token": "t"}, ("identity.token", "/user", "no user", "the user the token is of")),
        (200, {"id": "7", "login": "ann"}, ("identity.token", "/user", "no user", "the user the token is of")),
        (200, {"id": 7, "login": None}, ("identity.token", "/user", "no user", "the user the token is of")),
    ],
)
def test_a_code_that_names_nobody(status: int, body: object, due: tuple[str, str, str, str]) -> None:
    """A code the provider does not take, and a token that is of no user."""
    with server(says(status, json.dumps(body).encode())) as (url, _):
        github = Provider(authorize="", token=f"{url}/token", user=f"{url}/user", private=True)
        with pytest.raises(DossierError) as e:
            claims_of(github, "dossier", "shh", "back", "c", "v", "n", NOW)
    assert (e.value.code, e.value.at.removeprefix(url), e.value.found, e.value.expected) == due


def test_an_id_token_that_is_none() -> None:
    """No token where one is due."""
    with server(says(200, b'{"keys": []}')) as (url, _), pytest.raises(DossierError) as e:
        claims_of(Provider(authorize="", token=url, keys=url, issuer=url, private=True), "dossier", "shh", "back", "c", "v", "n", NOW)
    assert (e.value.code, e.value.at, e.value.expected) == ("identity.token", url, "an ID token for this login")
