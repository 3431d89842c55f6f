"""YAML as values, strictly and bounded: what `digest.parse_json` is for JSON.

1. Built from the parser's events, never by constructors: no tag makes an object, and nesting costs a refusal instead of a stack.
2. The core schema of YAML 1.2: `yes`, `on`, `1:30` and dates stay text, so that a reader sees what Go's parsers see.
3. A key that is there twice is refused; an alias counts again for every node behind it, so a bomb of aliases is refused.
4. A mapping remembers the line it begins at.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import IO, Any

from release_dossier.digest import parse_json
from release_dossier.errors import Refused
from release_dossier.limits import DOCUMENT_BYTES_MAX, JSON_DEPTH_MAX, YAML_NODES_MAX

_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"(?:[-+]?[0-9]{1,40}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,20})\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?\Z")
_TAGS = frozenset(f"tag:yaml.org,2002:{t}" for t in ("str", "int", "float", "bool", "null", "map", "seq", "binary", "timestamp"))


class Table(dict[str, Any]):
    """A mapping, and the line it begins at (1 is the first)."""

    line: int = 0


class _Open:
    """A list or mapping that is being filled. `nodes` counts what it holds, for aliases of it."""

    __slots__ = ("anchor", "key", "merged", "nodes", "value")

    def __init__(self, value: Any, anchor: str | None) -> None:
        self.value, self.anchor, self.nodes = value, anchor, 1
        self.key: str | None = None
        self.merged: list[Any] = []


def documents(stream: IO[bytes]) -> list[Any]:
    """The documents of a stream, empty ones left out. JSON is read as JSON.

    Raises:
        Refused: `yaml.syntax`, `yaml.key-twice`, `yaml.too-large`, `yaml.too-deep`, `yaml.tag`, `json.*`.
    """
    raw = stream.read(DOCUMENT_BYTES_MAX + 1)
    if len(raw) > DOCUMENT_BYTES_MAX:
        raise Refused("yaml.too-large", at="file", found="more than that", expected=f"at most {DOCUMENT_BYTES_MAX} bytes")
    if raw.lstrip()[:1] in (b"{", b"[") and b"\n---" not in raw:
        try:
            return [parse_json(raw, "file")]
        except Refused as e:
            if b": " not in raw or b'"' in raw.lstrip()[:64]:
                raise e  # JSON that is broken, and no flow mapping of YAML
    return [value for value in _documents(raw) if value is not None]


def documents_and_doubt(stream: IO[bytes], exit_status: int | None) -> tuple[list[Any], str]:
    """The documents, and why they may not be all there were: YAML can end anywhere. Empty for JSON, and where a last line has its end and
    the exit status of what wrote it came along."""
    raw = stream.read(DOCUMENT_BYTES_MAX + 1)
    found = documents(io.BytesIO(raw))
    if raw.lstrip()[:1] in (b"{", b"["):
        return found, ""
    if not raw.endswith((b"\n", b"\r")):
        return found, "its last line does not end: it may have been cut off"
    return found, "the exit status did not come with it: it may have been cut off" if exit_status is None else ""


def _documents(raw: bytes) -> Iterator[Any]:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from _build(yaml.parse(io.BytesIO(raw), Loader=loader))
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        at = f"line {mark.line + 1} column {mark.column + 1}" if mark else "file"
        raise Refused("yaml.syntax", at=at, found=str(e.problem or e.context), expected="YAML") from e
    except (yaml.YAMLError, UnicodeError, ValueError) as e:
        raise Refused("yaml.syntax", at="file", found=str(e).splitlines()[0], expected="YAML") from e


def _build(events: Any) -> Iterator[Any]:
    """Each document, from the parser's events."""
    import yaml

    stack: list[_Open] = []
    anchors: dict[str, tuple[Any, int]] = {}
    done: Any = None
    nodes = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            anchors, done = {}, None
        elif isinstance(event, yaml.DocumentEndEvent):
            yield done
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise Refused("yaml.syntax", at=f"line {line}", found=f"an alias of {event.anchor}", expected="an anchor before it")
            value, size = anchors[event.anchor]
            nodes += size
            _put(stack, value, size, line)
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            value = _scalar(event, line, is_key=bool(stack) and isinstance(stack[-1].value, dict) and stack[-1].key is None)
            if event.anchor:
                anchors[event.anchor] = (value, 1)
            done = value if not stack else done
            _put(stack, value, 1, line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            nodes += 1
            _known(event.tag, line)
            value = [] if isinstance(event, yaml.SequenceStartEvent) else Table()
            if isinstance(value, Table):
                value.line = line
            stack.append(_Open(value, event.anchor))
            if len(stack) > JSON_DEPTH_MAX:
                raise Refused("yaml.too-deep", at=f"line {line}", found="deeper nesting", expected=f"at most {JSON_DEPTH_MAX} levels")
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            closed = stack.pop()
            _merge(closed)
            if closed.anchor:
                anchors[closed.anchor] = (closed.value, closed.nodes)
            done = closed.value if not stack else done
            _put(stack, closed.value, closed.nodes, line)
        if nodes > YAML_NODES_MAX:
            raise Refused("yaml.too-large", at=f"line {line}", found="more values", expected=f"at most {YAML_NODES_MAX}, aliases counted")


def _put(stack: list[_Open], value: Any, size: int, line: int) -> None:
    """Enter a finished value into what is open."""
    if not stack:
        return
    top = stack[-1]
    top.nodes += size
    if isinstance(top.value, list):
        top.value.append(value)
    elif top.key is None:
        if isinstance(value, (dict, list)):
            raise Refused("yaml.syntax", at=f"line {line}", found="a list or mapping as a key", expected="text as a key")
        top.key = str(value)
    else:
        key, top.key = top.key, None
        if key == "<<" and isinstance(value, (dict, list)):
            top.merged += value if isinstance(value, list) else [value]
        elif key in top.value:
            raise Refused("yaml.key-twice", at=f"line {line}", found=f"{key!r} twice", expected="each key once")
        else:
            top.value[key] = value


def _merge(closed: _Open) -> None:
    for other in closed.merged:
        if isinstance(other, dict):
            for key, value in other.items():
                closed.value.setdefault(key, value)


def _known(tag: str | None, line: int) -> None:
    if tag is not None and tag != "!" and tag not in _TAGS:
        raise Refused("yaml.tag", at=f"line {line}", found=tag, expected="plain YAML without tags of its own")


def _scalar(event: Any, line: int, *, is_key: bool) -> Any:
    """Text, or what it says in the core schema; a key is always text as written."""
    text: str = event.value
    _known(event.tag, line)
    if is_key or not event.implicit[0] or event.style:  # quoted, or a block of text
        return text
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text[0] in "tT"
    if _INT.match(text):
        return int(text, 0 if text[:2] in ("0o", "0x") else 10)
    if _FLOAT.match(text):
        return float(text)
    return text
