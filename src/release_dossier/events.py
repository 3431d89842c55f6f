"""CloudEvents 1.0.2: what a sent event is made of, and the strict reading of one (spec §2, §3; JSON format §2 to §4).

1. `id`, `source`, `specversion` and `type` are there and not empty; `specversion` is 1.0.
2. Attribute names are lower-case letters and digits. Values are text, whole numbers of 32 bits or booleans; null says the same as absence.
3. `time` is RFC 3339, `source` a URI-reference, `dataschema` an absolute URI, `datacontenttype` a media type.
4. `data` and `data_base64` exclude each other; `data_base64` is base64.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from release_dossier.errors import Refused

EVENT_TYPE = "org.w3id.release-dossier.payload.v1"
MEDIA_TYPE = "application/cloudevents+json"
_NAME = re.compile(r"[a-z0-9]+\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z")
_MEDIA = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*(;.*)?\Z", re.DOTALL)
_URI_REFERENCE = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+\Z")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+\Z")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CORE = ("id", "source", "specversion", "type")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `data` is JSON, or bytes where the event says it is binary; None where there is none."""

    id: str
    source: str
    type: str
    specversion: str = "1.0"
    datacontenttype: str | None = None
    dataschema: str | None = None
    subject: str | None = None
    time: str | None = None
    extensions: dict[str, str | int | bool] = {}
    data: Any = None


def structured(event: Event) -> dict[str, Any]:
    """The event as one JSON object (structured mode), read back before it is returned: what we send is what we would accept.

    Raises:
        Refused: `event.*`.
    """
    named = {k: getattr(event, k) for k in (*_CORE, "datacontenttype", "dataschema", "subject", "time")}
    out = {k: v for k, v in named.items() if v is not None} | event.extensions
    if isinstance(event.data, bytes):
        out["data_base64"] = base64.b64encode(event.data).decode()
    elif event.data is not None:
        out["data"] = event.data
    parse_event(out)
    return out


def parse_event(value: Any, at: str = "event") -> Event:
    """One event in JSON format.

    Raises:
        Refused: `event.*`, naming the attribute.
    """
    if not isinstance(value, Mapping):
        raise _refusal("event.shape", at, value, "a JSON object")
    said = {str(k): v for k, v in value.items() if v is not None or k == "data"}
    for name in _CORE:
        if name not in said:
            raise _refusal("event.missing", f"{at}.{name}", None, "an attribute every event has")
    if "data" in said and "data_base64" in said:
        raise _refusal("event.data", at, "data and data_base64", "one of the two")
    attributes = {k: v for k, v in said.items() if k not in ("data", "data_base64")}
    for name, v in attributes.items():
        _attribute(name, v, f"{at}.{name}")
    if said["specversion"] != "1.0":
        raise _refusal("event.specversion", f"{at}.specversion", said["specversion"], "1.0")
    return Event(
        **{k: attributes[k] for k in (*_CORE, "datacontenttype", "dataschema", "subject", "time") if k in attributes},
        extensions={
            k: v for k, v in attributes.items() if k not in _CORE and k not in ("datacontenttype", "dataschema", "subject", "time")
        },
        data=_binary(said["data_base64"], f"{at}.data_base64") if "data_base64" in said else said.get("data"),
    )


def parse_batch(value: Any, at: str = "batch") -> tuple[Event, ...]:
    """A batch of events.

    Raises:
        Refused: `event.*`, naming event and attribute.
    """
    if not isinstance(value, list):
        raise _refusal("event.shape", at, value, "a JSON array")
    return tuple(parse_event(e, f"{at}[{i}]") for i, e in enumerate(value))


def _attribute(name: str, value: Any, at: str) -> None:
    if not _NAME.match(name):
        raise _refusal("event.name", at, name, "lower-case letters and digits")
    if name in (*_CORE, "datacontenttype", "dataschema", "subject", "time"):
        if not isinstance(value, str):
            raise _refusal("event.value", at, value, "text")
        if not value:
            raise _refusal("event.value", at, value, "text that is not empty")
    elif isinstance(value, bool) or (isinstance(value, int) and -(2**31) <= value < 2**31):
        return
    if not isinstance(value, str) or any(_forbidden(ord(c)) for c in value):
        raise _refusal("event.value", at, value, "text without control characters, a whole number of 32 bits or a boolean")
    holds, expected = _SHAPES.get(name, (_anything, ""))
    if not holds(value):
        raise _refusal("event.value", at, value, expected)


def _forbidden(c: int) -> bool:
    """Control characters, lone surrogates and noncharacters (spec §2.2, String)."""
    return c <= 0x1F or 0x7F <= c <= 0x9F or 0xD800 <= c <= 0xDFFF or 0xFDD0 <= c <= 0xFDEF or c & 0xFFFE == 0xFFFE


def _anything(_: str) -> bool:
    return True


def _is_time(text: str) -> bool:
    m = _TIME.match(text)
    if m is None:
        return False
    whole = text[:17] + ("59" if m[1] == "60" else m[1]) + text[19 + len(m[2] or "") :]  # a leap second is a moment, datetime has none
    try:
        datetime.fromisoformat(whole.upper())
    except ValueError:
        return False
    return True


def _is_reference(text: str) -> bool:
    return bool(_URI_REFERENCE.match(text)) and not _PERCENT.search(text)


def _is_absolute(text: str) -> bool:
    return _is_reference(text) and bool(_ABSOLUTE.match(text))


def _is_media(text: str) -> bool:
    return bool(_MEDIA.match(text))


_SHAPES = {
    "time": (_is_time, "RFC 3339"),
    "source": (_is_reference, "a URI-reference"),
    "dataschema": (_is_absolute, "an absolute URI"),
    "datacontenttype": (_is_media, "a media type"),
}


def _binary(value: Any, at: str) -> bytes:
    if not isinstance(value, str):
        raise _refusal("event.data", at, value, "base64 in text")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as e:
        raise _refusal("event.data", at, value, "base64") from e


def _refusal(code: str, at: str, found: Any, expected: str) -> Refused:
    return Refused(code, at=at, found="nothing" if found is None else repr(found), expected=expected)
