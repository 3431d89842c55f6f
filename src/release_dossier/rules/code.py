"""A requirement as the TOML a project writes: text, form and code say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from release_dossier.rules.requirement import Requirement

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_WHOSE = ("id", "service")  # which requirement is meant; every other key says something of it


def as_code(requirement: Requirement) -> str:
    """Every key of it that says something: as `[[rules.requirement]]` of dossier.toml."""
    plain: dict[str, Any] = msgspec.to_builtins(requirement)
    defaults = {f.encode_name: f.default for f in msgspec.structs.fields(Requirement)}
    said = {k: v for k, v in plain.items() if k != "origin" and (k in _WHOSE or _shape(v) != _shape(defaults[k]))}
    return override(requirement.id, requirement.service, said)


def override(id: str, service: str, keys: Mapping[str, Any]) -> str:
    """A table that changes these keys of one requirement of one service. Values are text, numbers, flags, lists and tables of them."""
    lines = [f"{k} = {_value(v)}" for k, v in {"id": id, "service": service, **keys}.items()]
    return "\n".join(["[[rules.requirement]]", *lines, ""])


def _shape(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k if _BARE.match(k) else _value(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON's text, numbers and flags are TOML's too
