"""Passkeys (W3C WebAuthn Level 2): what people sign in a browser, verified offline years later, without the site it was made on.

1. The challenge is SHA-256 of the bytes every signature is over (the pre-authentication encoding), so the assertion names the
   statement and nothing else. No server's memory of a challenge is needed to check it.
2. The site (relying party) is part of the key's name: OpenSSH's `sk-…` line with the host name as application. An assertion counts only
   with that site's hash inside, made on a page of that site over https (or on localhost), and not inside of somebody else's page.
3. The authenticator says that a person was there and was recognised (user present and user verified). One without the other is nothing.
4. What is kept is the browser's own three values, base64url, as canonical JSON: one signature has one spelling.

The signature counter is not judged: synced passkeys leave it at zero, and offline there is no earlier one to compare with. A copy of an
assertion is over the same statement, and the same statement by the same person counts once.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import msgspec

from release_dossier.digest import canonical, parse_json
from release_dossier.errors import Refused
from release_dossier.trust.keys import SK_ED25519, SK_P256, Key, PublicKey, passkey, verifies_passkey

ASSERTION_CHARS_MAX = 8 * 1024  # characters; a real one takes about 700, extensions a few hundred more
PRESENT, VERIFIED, ATTESTED, EXTENDED = 0x01, 0x04, 0x40, 0x80  # flags of authenticator data (WebAuthn §6.1)
HEAD_BYTES = 37  # hash of the site, flags, counter
_HTTPS = re.compile(r"https://([a-z0-9.-]+)(?::[0-9]{1,5})?\Z")
_LOCAL = re.compile(r"http://(localhost)(?::[0-9]{1,5})?\Z")


class _Assertion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    authenticatorData: str
    clientDataJSON: str
    signature: str


def challenge(message: bytes) -> bytes:
    """What the browser is asked to sign for `message`: 32 bytes."""
    return hashlib.sha256(message).digest()


def assertion_text(authenticator_data: bytes, client_data: bytes, signature: bytes) -> str:
    """The three values of an `AuthenticatorAssertionResponse` as the typed signature `webauthn` keeps them."""
    values = {"authenticatorData": authenticator_data, "clientDataJSON": client_data, "signature": signature}
    return canonical({k: _text(v) for k, v in values.items()}).decode()


def key_of_credential(cose: bytes, site: str, credential_id: bytes) -> Key:
    """The trust document's key for a credential public key in COSE form, as registration returns it: ES256 or EdDSA.

    Raises:
        Refused: `key.unsupported` for other algorithms, `key.public-syntax` for what is no such key.
    """
    import cbor2

    try:
        value: Any = cbor2.loads(cose)
        kind, algorithm = value[1], value[3]
        if (kind, algorithm, value[-1]) == (2, -7, 1):
            point, name = b"\x04" + value[-2] + value[-3], SK_P256
        elif (kind, algorithm, value[-1]) == (1, -8, 6):
            point, name = b"" + value[-2], SK_ED25519  # bytes and nothing that could be made into some
        else:
            raise Refused("key.unsupported", at="passkey", found=f"algorithm {algorithm}", expected="ES256 (-7) or EdDSA (-8)")
    except (cbor2.CBORDecodeError, LookupError, TypeError) as e:
        raise Refused("key.public-syntax", at="passkey", found=str(e) or type(e).__name__, expected="a COSE key") from e
    return passkey(name, point, site, _text(credential_id))


def verify_assertion(text: str, message: bytes, public: PublicKey, at: str = "passkey signature") -> bool:
    """Whether `text` is an assertion by `public` over `message` (1 to 3).

    Raises:
        Refused: `passkey.syntax` for what is no assertion, `json.*`.
    """
    if not public.site:
        return False
    authenticator, client, signature = _parse(text, at)
    if not _about(client, message, public.site, at) or not _by_a_person(authenticator, public.site):
        return False
    return verifies_passkey(public, signature, authenticator + hashlib.sha256(client).digest())


def _parse(text: str, at: str) -> tuple[bytes, bytes, bytes]:
    if len(text) > ASSERTION_CHARS_MAX:
        raise Refused("passkey.syntax", at=at, found=f"{len(text)} characters", expected=f"at most {ASSERTION_CHARS_MAX}")
    value = parse_json(text.encode("utf-8", "surrogatepass"), at)
    try:
        a = msgspec.convert(value, _Assertion)
    except msgspec.ValidationError as e:
        raise Refused("passkey.syntax", at=at, found=str(e), expected="authenticatorData, clientDataJSON, signature") from e
    out = [_bytes(x, at) for x in (a.authenticatorData, a.clientDataJSON, a.signature)]
    if canonical(value).decode() != text:
        raise Refused("passkey.syntax", at=at, found="another spelling", expected="canonical JSON")
    return out[0], out[1], out[2]


def _about(client: bytes, message: bytes, site: str, at: str) -> bool:
    """Client data (WebAuthn §5.8.1): an assertion, over this challenge, on a page of this site."""
    said = parse_json(client, f"{at} clientDataJSON")
    if not isinstance(said, dict) or said.get("type") != "webauthn.get" or said.get("challenge") != _text(challenge(message)):
        return False
    if said.get("crossOrigin", False) is not False or "topOrigin" in said:
        return False
    origin = said.get("origin")
    page = (_HTTPS.match(origin) or (_LOCAL.match(origin) if site == "localhost" else None)) if isinstance(origin, str) else None
    return page is not None and (page[1] == site or page[1].endswith(f".{site}"))


def _by_a_person(authenticator: bytes, site: str) -> bool:
    """Authenticator data (WebAuthn §6.1): of this site, a person present and verified, no byte left to choose."""
    if len(authenticator) < HEAD_BYTES or authenticator[:32] != hashlib.sha256(site.encode()).digest():
        return False
    flags = authenticator[32]
    if flags & ATTESTED or bool(flags & EXTENDED) != (len(authenticator) > HEAD_BYTES):
        return False
    return flags & PRESENT != 0 and flags & VERIFIED != 0


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str, at: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        data = b""
    if not data or _text(data) != text:
        raise Refused("passkey.syntax", at=at, found=repr(text[:40]), expected="base64url without padding")
    return data
