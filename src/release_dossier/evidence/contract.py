"""Two descriptions of one HTTP API (OpenAPI 3.0 and 3.1), compared: what a client that keeps to the old one can no longer rely on.

One question answers it in both directions: is everything valid under one schema also valid under the other? A request that was valid must
stay valid (old within new); a response must be one the old description allowed (new within old). What makes the answer no is a break, with
its operation and place. What is only doubtful (a removed request property that a server may go on ignoring) is called risky.

References inside the document are followed, others are not: what stands behind them is said to be unread. `allOf` is merged; `oneOf` and
`anyOf` are compared alternative by alternative; `not` and `discriminator` are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_NAMES = re.compile(r"\{[^}/]*\}")
_NARROWER = (("int32", "int64"), ("float", "double"))
_DEPTH_MAX = 30  # levels of two schemas that are compared; beyond it they are taken as equal and said to be unread
_BOUNDS = (("minimum", 1), ("exclusiveMinimum", 1), ("minLength", 1), ("minItems", 1), ("minProperties", 1),
           ("maximum", -1), ("exclusiveMaximum", -1), ("maxLength", -1), ("maxItems", -1), ("maxProperties", -1))  # fmt: skip


class Break(msgspec.Struct, frozen=True):
    """One thing a client can no longer rely on: operation, place in it, what changed, and whether it is only risky."""

    operation: str
    place: str
    what: str
    risky: bool = False


class Comparison(msgspec.Struct, frozen=True):
    """What came of two documents. `compared` are operations of the base that were looked at, `unread` what could not be."""

    breaks: tuple[Break, ...]
    compared: int
    operations: int
    added: int
    removed: int
    unread: tuple[str, ...]


class Document:
    """One description with its references. Nothing outside of it is ever opened."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value
        self.unread: dict[str, None] = {}

    def resolved(self, part: Any) -> Any:
        """What a `$ref` points to, through chains of them; an empty object where that is outside, gone or in a circle."""
        seen = set()
        while isinstance(part, dict) and isinstance(part.get("$ref"), str):
            ref = part["$ref"]
            if ref in seen or not ref.startswith("#/"):
                self.unread[ref] = None
                return {}
            seen.add(ref)
            part = self.value
            for step in ref[2:].split("/"):
                part = part.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(part, dict) else None
            if part is None:
                self.unread[ref] = None
                return {}
        return part

    def operations(self) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
        """`METHOD /path/{}` → (as written, its path item, operation). Names of path parameters do not tell two paths apart."""
        out = {}
        for path, item in self.table(self.value.get("paths")).items():
            item = self.table(item)
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    out[f"{method.upper()} {_NAMES.sub('{}', path)}"] = (f"{method.upper()} {path}", item, item[method])
        return out

    def table(self, part: Any) -> dict[str, Any]:
        """A mapping, resolved; empty when it is none."""
        part = self.resolved(part)
        return part if isinstance(part, dict) else {}

    def parameters(self, path: str, item: dict[str, Any], operation: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
        """(in, name) → parameter; one of the path by its position."""
        places = {name[1:-1]: str(i) for i, name in enumerate(_NAMES.findall(path))}
        out = {}
        for each in (*_list(item.get("parameters")), *_list(operation.get("parameters"))):
            p = self.table(each)
            where, name = str(p.get("in", "")), str(p.get("name", ""))
            out[where, places.get(name, name) if where == "path" else name.lower() if where == "header" else name] = p
        return out


def compare(base: dict[str, Any], head: dict[str, Any]) -> Comparison:
    """Every operation of `base` against the one of `head`."""
    old, new = Document(base), Document(head)
    before, after = old.operations(), new.operations()
    breaks: list[Break] = []
    for key, (name, item, operation) in before.items():
        if key not in after:
            breaks.append(Break(name, "", "the operation is gone", risky=operation.get("deprecated") is True))
            continue
        breaks += _operation(old, new, name, (item, operation), after[key])
    gone = sum(k not in after for k in before)
    unread = tuple(dict.fromkeys([*old.unread, *new.unread]))
    return Comparison(tuple(dict.fromkeys(breaks)), len(before), len(before), sum(k not in before for k in after), gone, unread)


def _operation(old: Document, new: Document, name: str, was: tuple[Any, Any], now: tuple[str, Any, Any]) -> Iterator[Break]:
    item, operation = was
    path, head_item, head_operation = now
    before, after = old.parameters(name, item, operation), new.parameters(path, head_item, head_operation)
    for key, p in after.items():
        place = f"{key[0]} parameter {p.get('name')}"
        if p.get("required") is True and (key not in before or before[key].get("required") is not True) and key[0] != "path":
            yield Break(name, place, "is required now")
        if key in before:
            for what in _within(old, new, _schema_of(old, before[key]), _schema_of(new, p), place):
                yield Break(name, *what)
    for key, p in before.items():
        if key not in after and key[0] != "path":
            yield Break(name, f"{key[0]} parameter {p.get('name')}", "is gone", risky=True)
    yield from _request(old, new, name, old.table(operation.get("requestBody")), new.table(head_operation.get("requestBody")))
    yield from _responses(old, new, name, old.table(operation.get("responses")), new.table(head_operation.get("responses")))
    yield from _security(old, new, name, operation, head_operation)


def _schema_of(document: Document, parameter: dict[str, Any]) -> Any:
    """The schema of a parameter, which may stand in its content."""
    if "schema" in parameter:
        return parameter["schema"]
    return next((c.get("schema") for c in document.table(parameter.get("content")).values() if isinstance(c, dict)), {})


def _request(old: Document, new: Document, name: str, was: dict[str, Any], now: dict[str, Any]) -> Iterator[Break]:
    if now.get("required") is True and was.get("required") is not True:
        yield Break(name, "request body", "is required now")
    kinds = new.table(now.get("content"))
    for kind, content in old.table(was.get("content")).items():
        if kind not in kinds:
            yield Break(name, "request body", f"{kind} is no longer taken")
            continue
        place = f"request body {kind}"
        for what in _within(old, new, old.table(content).get("schema"), new.table(kinds[kind]).get("schema"), place):
            yield Break(name, *what)
        for lost in _lost(old, new, old.table(content).get("schema"), new.table(kinds[kind]).get("schema"), place):
            yield Break(name, lost, "is gone; a server may ignore it or refuse it", risky=True)


def _lost(old: Document, new: Document, was: Any, now: Any, at: str, depth: int = 0) -> Iterator[str]:
    """Properties of a request that are no longer described."""
    a, b = _merged(old, was), _merged(new, now)
    mine, others = a.get("properties", {}), b.get("properties", {})
    if depth < 6 and others:
        for name, each in mine.items():
            if name not in others:
                yield f"{at} .{name}"
            else:
                yield from _lost(old, new, each, others[name], f"{at} .{name}", depth + 1)


def _responses(old: Document, new: Document, name: str, was: dict[str, Any], now: dict[str, Any]) -> Iterator[Break]:
    for status, response in was.items():
        other = now.get(status)
        if other is None:
            if status[:1] == "2":
                yield Break(name, f"response {status}", "is gone")
            continue
        kinds = new.table(new.table(other).get("content"))
        for kind, content in old.table(old.table(response).get("content")).items():
            place = f"response {status} {kind}"
            if kind not in kinds:
                yield Break(name, f"response {status}", f"{kind} is no longer given")
                continue
            for what in _within(new, old, new.table(kinds[kind]).get("schema"), old.table(content).get("schema"), place):
                yield Break(name, *what)


def _security(old: Document, new: Document, name: str, was: dict[str, Any], now: dict[str, Any]) -> Iterator[Break]:
    """Each way to be let in must still let in. Schemes are compared by what they are: another name for the same is no change."""
    before, after = _ways(old, was), _ways(new, now)
    for way in before:
        if not any(all(scheme in way and scopes <= way[scheme] for scheme, scopes in other.items()) for other in after):
            words = " and ".join(sorted(f"{s[0]} {s[1]}".strip() for s in way)) or "no credentials"
            yield Break(name, "security", f"{words} no longer suffices")


def _ways(document: Document, operation: dict[str, Any]) -> list[dict[tuple[str, str], frozenset[str]]]:
    schemes = document.table(document.table(document.value.get("components")).get("securitySchemes"))
    said = operation.get("security", document.value.get("security"))
    out = []
    for way in _list(said) if said else [{}]:
        each = {}
        for name, scopes in (way if isinstance(way, dict) else {}).items():
            s = document.table(schemes.get(name))
            what = (str(s.get("type", name)), str(s.get("scheme") or f"{s.get('in', '')} {s.get('name', '')}".strip() or name).lower())
            each[what] = frozenset(str(x) for x in _list(scopes))
        out.append(each)
    return out


def _within(da: Document, db: Document, a: Any, b: Any, at: str) -> Iterator[tuple[str, str]]:
    """(place, why) of everything that may be valid under `a` and not under `b`."""
    yield from _sub(da, db, a, b, at, frozenset(), 0)


def _sub(da: Document, db: Document, a: Any, b: Any, at: str, above: frozenset[tuple[str, str]], depth: int) -> Iterator[tuple[str, str]]:
    refs = (_ref(a), _ref(b))
    if refs in above and refs != ("", ""):
        return
    if depth > _DEPTH_MAX:
        da.unread[f"deeper than {_DEPTH_MAX} levels at {at}"] = None
        return
    above = above | {refs}
    x, y = _merged(da, a), _merged(db, b)
    ways_a, ways_b = x.get("ways"), y.get("ways")
    if ways_a or ways_b:
        for i, one in enumerate(ways_a or [a]):
            found = [list(_sub(da, db, one, other, at, above, depth + 1)) for other in ways_b or [_without_ways(y)]]
            if all(found):
                yield (at, f"alternative {i + 1} has no match") if ways_a and ways_b else min(found, key=len)[0]
        if ways_a and ways_b:
            return
    yield from _scalars(x, y, at)
    yield from _properties(da, db, x, y, at, above, depth)
    if "items" in y and ("items" in x or not x["type"] or "array" in x["type"]):
        yield from _sub(da, db, x.get("items", {}), y["items"], f"{at}[]", above, depth + 1)


def _ref(part: Any) -> str:
    return str(part.get("$ref", "")) if isinstance(part, dict) else ""


def _without_ways(merged: dict[str, Any]) -> dict[str, Any]:
    return {"type": sorted(merged["type"]), **{k: v for k, v in merged.items() if k not in ("ways", "type", "properties", "required")},
            "properties": merged.get("properties", {}), "required": sorted(merged.get("required", ()))}  # fmt: skip


def _scalars(x: dict[str, Any], y: dict[str, Any], at: str) -> Iterator[tuple[str, str]]:
    types, others = x["type"], y["type"]
    if others and not types and "enum" not in x:
        yield at, f"was of any type, {_words(others)} is asked" if x.get("empty") else f"type {_words(others)} is not said any more"
    elif others and (extra := {t for t in types if t not in others and not (t == "integer" and "number" in others)}):
        yield at, f"type {_words(extra)} is not {_words(others)}"
    if "enum" in y:
        more = [v for v in x["enum"] if v not in y["enum"]] if "enum" in x else None
        if more is None:
            yield at, f"any value, not only {_words(y['enum'])}"
        for value in more or ():
            yield at, f"value {value!r} is not among the others"
    for key, sign in _BOUNDS:
        bound = y.get(key)
        if not _number(bound):
            continue
        own = _of_values(x["enum"], key, sign) if "enum" in x else x.get(key)
        if not isinstance(own, (int, float)) or sign * (own - float(bound or 0)) < 0:
            yield at, f"{key} {bound} against {own if _number(own) else 'none'}"
    if y.get("pattern") and x.get("pattern") != y["pattern"]:
        yield at, f"pattern {y['pattern']} against {x.get('pattern') or 'none'}"
    if y.get("format") and x.get("format") != y["format"] and (x.get("format"), y["format"]) not in _NARROWER:
        yield at, f"format {y['format']} against {x.get('format') or 'none'}"


def _of_values(values: list[Any], key: str, sign: int) -> float | None:
    """The bound that listed values keep by themselves; None where they have none of that sort."""
    sizes = [len(v) for v in values if isinstance(v, str)] if "Length" in key else [v for v in values if _number(v)]
    return float(min(sizes) if sign > 0 else max(sizes)) if sizes else None


def _properties(
    da: Document, db: Document, x: dict[str, Any], y: dict[str, Any], at: str, above: frozenset[tuple[str, str]], depth: int
) -> Iterator[tuple[str, str]]:
    mine, others = x.get("properties", {}), y.get("properties", {})
    if x["type"] and "object" not in x["type"] and not mine:
        return
    for name in sorted(y.get("required", set()) - x.get("required", set())):
        yield f"{at} .{name}", "is needed on one side and may be absent on the other"
    for name, other in others.items():
        if name in mine:
            yield from _sub(da, db, mine[name], other, f"{at} .{name}", above, depth + 1)
    closed = y.get("additionalProperties")
    if closed is False:
        for name in sorted(mine.keys() - others.keys()):
            yield f"{at} .{name}", "is not among those allowed"
    elif isinstance(closed, dict) and isinstance(x.get("additionalProperties"), dict):
        yield from _sub(da, db, x["additionalProperties"], closed, f"{at} .*", above, depth + 1)


def _merged(document: Document, schema: Any, depth: int = 0) -> dict[str, Any]:
    """A schema with its reference followed and its `allOf` merged: `type` a set, `required` a set, `ways` the alternatives, `empty` when it
    asks for nothing."""
    s = document.resolved(schema)
    if not isinstance(s, dict):
        return {"type": frozenset(), "empty": True}
    out: dict[str, Any] = {k: v for k, v in s.items() if k not in ("allOf", "oneOf", "anyOf", "$ref")}
    said = s.get("type")
    types = {said} if isinstance(said, str) else {t for t in _list(said) if isinstance(t, str)}
    if s.get("nullable") is True and types:
        types |= {"null"}
    out["properties"] = dict(s["properties"]) if isinstance(s.get("properties"), dict) else {}
    out["required"] = {str(r) for r in _list(s.get("required"))}
    ways = [w for key in ("oneOf", "anyOf") for w in _list(s.get(key))]
    for part in _list(s.get("allOf")) if depth < _DEPTH_MAX else ():
        p = _merged(document, part, depth + 1)
        out = {**p, **out, "properties": {**p["properties"], **out["properties"]} if "properties" in p else out["properties"],
               "required": out["required"] | p.get("required", set())}  # fmt: skip
        types = types or set(p["type"])
        ways += p.get("ways", [])
    if (isinstance(out.get("enum"), list) and s.get("const") is not None) or "const" in s:
        out["enum"] = [s["const"]]
    if not isinstance(out.get("enum"), list):
        out.pop("enum", None)
    out["type"] = frozenset(types) or (frozenset(["object"]) if out["properties"] else frozenset())
    out["ways"] = ways
    out["empty"] = not types and not ways and not out["properties"] and "enum" not in out
    return out


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _words(values: Any) -> str:
    return " or ".join(sorted(str(v) for v in values)[:8])
