"""Asking an identity provider who somebody is: OpenID Connect (authorization code with PKCE) or GitHub's OAuth.

1. The provider's description comes from its own issuer over the guarded way outside, and must name that issuer.
2. What the browser brings back is exchanged by us, with our secret and the verifier only we know.
3. An ID token counts when one of the issuer's keys signed it with an asymmetric algorithm, for us, for this login (nonce), now.
4. An e-mail address counts only where the provider says it verified it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from release_dossier.errors import Refused, Unavailable
from release_dossier.sources.outside import request

ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
GITHUB = "https://github.com"
LEEWAY_SECONDS = 60


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send a browser, where to ask. `issuer` is empty for GitHub."""

    authorize: str
    token: str
    keys: str = ""
    issuer: str = ""
    user: str = ""
    private: bool = False


def oidc(issuer: str, *, private: bool) -> Provider:
    """The provider behind an issuer, as it describes itself.

    Raises:
        Refused: `identity.provider`. Unavailable: `outside.unreachable`, `identity.answer`.
    """
    said = _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", {}, private)
    if said.get("issuer") != issuer:
        raise Refused("identity.provider", at=issuer, found=f"a description of {said.get('issuer')!r}", expected="its own")
    try:
        return Provider(
            authorize=str(said["authorization_endpoint"]),
            token=str(said["token_endpoint"]),
            keys=str(said["jwks_uri"]),
            issuer=issuer,
            private=private,
        )
    except KeyError as e:
        raise Refused("identity.provider", at=issuer, found=f"no {e}", expected="an OpenID provider's description") from e


def github(web: str, api: str, *, private: bool) -> Provider:
    """GitHub, or another GitHub's addresses."""
    return Provider(authorize=f"{web}/login/oauth/authorize", token=f"{web}/login/oauth/access_token", user=f"{api}/user", private=private)


def authorize_url(provider: Provider, client: str, back: str, state: str, nonce: str, verifier: str) -> str:
    """Where the browser goes."""
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    params = {
        "client_id": client,
        "redirect_uri": back,
        "state": state,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
        **({"response_type": "code", "scope": "openid email profile", "nonce": nonce} if provider.issuer else {"scope": "read:user"}),
    }
    return f"{provider.authorize}{'&' if '?' in provider.authorize else '?'}{urlencode(params, quote_via=quote)}"


def claims_of(
    provider: Provider, client: str, secret: str, back: str, code: str, verifier: str, nonce: str, now: datetime
) -> dict[str, object]:
    """What the provider vouches for about whoever brought `code`: `sub`, `email` (verified), or `github`, `github-id`; and `name`.

    Raises:
        Refused: `identity.code`, `identity.token`. Unavailable: `outside.unreachable`, `identity.answer`.
    """
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "client_id": client, "code_verifier": verifier}
    body = urlencode({**form, "client_secret": secret}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    answer = request("POST", provider.token, headers, body, private=provider.private)
    said = _json(answer.body, provider.token)
    if answer.status != 200 or "error" in said:
        raise Refused(
            "identity.code", at=provider.token, found=str(said.get("error", f"HTTP {answer.status}")), expected="a code that stands"
        )
    if provider.issuer:
        return _id_token(provider, client, str(said.get("id_token", "")), nonce, now)
    bearer = {"authorization": f"Bearer {said.get('access_token', '')}", "accept": "application/vnd.github+json"}
    user = _get(provider.user, bearer, provider.private)
    if not isinstance(user.get("id"), int) or not isinstance(user.get("login"), str):
        raise Refused("identity.token", at=provider.user, found="no user", expected="the user the token is of")
    return {"github": user["login"], "github-id": user["id"], "name": user["login"]}


def _id_token(provider: Provider, client: str, text: str, nonce: str, now: datetime) -> dict[str, object]:
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    keys = _get(provider.keys, {}, provider.private)
    try:
        token = jwt.decode(text, KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
        demands = {
            "iss": {"essential": True, "value": provider.issuer},
            "sub": {"essential": True},
            "aud": {"essential": True, "value": client},
            "exp": {"essential": True},
            "iat": {"essential": True},
        }
        claims = CodeIDToken(token.claims, token.header, demands, {"nonce": nonce, "client_id": client})
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError) as e:
        raise Refused("identity.token", at=provider.issuer, found=str(e) or type(e).__name__, expected="an ID token for this login") from e
    except Exception as e:
        if type(e).__module__.startswith(("authlib", "joserfc")):
            raise Refused("identity.token", at=provider.issuer, found=str(e), expected="an ID token for this login") from e
        raise
    email = claims.get("email") if claims.get("email_verified") is True else None
    return {"sub": claims["sub"], "email": email, "name": claims.get("name") or email or claims["sub"]}


def _get(url: str, headers: Mapping[str, str], private: bool) -> dict[str, Any]:
    answer = request("GET", url, {"accept": "application/json", **headers}, private=private)
    if answer.status != 200:
        raise Unavailable("identity.answer", at=url, found=f"HTTP {answer.status}", expected="an answer")
    return _json(answer.body, url)


def _json(raw: bytes, url: str) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as e:
        raise Unavailable("identity.answer", at=url, found=str(e), expected="JSON") from e
    if not isinstance(value, dict):
        raise Unavailable("identity.answer", at=url, found=type(value).__name__, expected="a JSON object")
    return value
