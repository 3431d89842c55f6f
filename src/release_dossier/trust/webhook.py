"""Standard Webhooks 1.0: `v1` signatures (HMAC-SHA256 over `id.timestamp.body`), made and checked."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import datetime
from hashlib import sha256

from release_dossier.errors import Refused

TOLERANCE_SECONDS = 300  # what a receiver's clock may differ: the reference libraries' number
_PREFIX = "whsec_"


def sign_webhook(secret: str, message: str, at: datetime, body: bytes) -> str:
    """`webhook-signature` of a message.

    Raises:
        Refused: `webhook.secret`.
    """
    signed = f"{message}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret_bytes(secret), signed, sha256).digest()).decode()


def verify_webhook(secret: str, message: str, timestamp: str, signatures: str, body: bytes, now: datetime) -> bool:
    """Whether one of the space-separated `signatures` is a `v1` of this message, and it is not older or newer than the tolerance.

    Raises:
        Refused: `webhook.secret`.
    """
    key = secret_bytes(secret)
    if not timestamp.isascii() or not timestamp.isdecimal() or abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    expected = base64.b64encode(hmac.new(key, f"{message}.{timestamp}.".encode() + body, sha256).digest())
    given = [s.partition(",") for s in signatures.split(" ")]
    return any(version == "v1" and hmac.compare_digest(expected, s.encode("utf-8", "replace")) for version, _, s in given)


def secret_bytes(secret: str) -> bytes:
    """The key in `whsec_…`, with or without its prefix.

    Raises:
        Refused: `webhook.secret`: nothing, or no base64. The secret itself is never shown.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as e:
        raise Refused("webhook.secret", at="the destination's secret", found="text that is no base64", expected=f"{_PREFIX}BASE64") from e
    if not key:
        raise Refused("webhook.secret", at="the destination's secret", found="an empty secret", expected=f"{_PREFIX}BASE64")
    return key
