"""The published CEL cases, on the engine rules run on and on a second one: what each gets right, and where the two differ.

`score(folder)` is suite 06 of `make conformance`; `python tools/cel_suite.py FOLDER` prints it with every difference. A case whose
expression needs protocol buffers is outside of what conditions can be about (facts are JSON) and is listed as unclaimed.
"""

from __future__ import annotations

import base64
import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

Answer = tuple[str, Any]  # ("value", …), ("error", words), ("crash", words)
# Why a case is outside of what a condition can be: (reason, whether it is), asked in this order.
UNCLAIMED: tuple[tuple[str, Callable[[Mapping[str, Any]], bool]], ...] = (
    ("needs protocol buffers: facts are JSON", lambda c: bool(c["needs_proto_types"])),
    ("without type check: a condition is always checked, when rules freeze", lambda c: bool(c["disable_check"])),
    ("functions the engine does not have: cel.block, macros of two variables, addresses", lambda c: c["file"] in _ABSENT),
    ("functions declared by the case itself", lambda c: any("function" in d for d in c["full"].get("type_env", []))),
    ("bytes without an escape, published as other bytes than stand between the quotes", lambda c: _contradicts(c)),
)
_ABSENT = ("block_ext", "macros2", "network_ext")


_BYTES = re.compile(r"""b(\'{3}|"{3}|\'|")((?:(?!\1)[^\\])*)\1""")  # one literal, no backslash in it


def _contradicts(case: Mapping[str, Any]) -> bool:
    """Whether a case says of such a literal something else than the language does: its bytes are the UTF-8 of what it quotes (langdef.md,
    "String and Bytes Values")."""
    literal, due = _BYTES.fullmatch(case["expr"]), case["full"].get("value", {}).get("bytes_value")
    return literal is not None and due is not None and base64.b64decode(due) != literal[2].encode()


def cases(folder: Path) -> list[dict[str, Any]]:
    """Every case of every `*.jsonl` of CEL cases under `folder`, in order."""
    out = []
    for file in sorted(folder.rglob("*.jsonl")):
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
        out += [r for r in rows if isinstance(r, dict) and "expr" in r and "matcher" in r]
    return out


def name(case: Mapping[str, Any]) -> str:
    return f"{case['file']}/{case['section']}/{case['test']}"


def score(folder: Path, engine: Callable[[Mapping[str, Any]], Answer] | None = None) -> dict[str, Any]:
    """`{passed, total, failures[], unclaimed{reason: count}}`: of the cases a condition could be, what the engine in use answers as
    published. Every case is run, the unclaimed ones too: a crash on any of them is a failure."""
    failures, unclaimed, total = [], dict.fromkeys((r for r, _ in UNCLAIMED), 0), 0
    for c in cases(folder):
        answer = (engine or in_use)(c)
        out = outside(c)
        if out:
            unclaimed[out] += 1
        if not out or answer[0] == "crash":
            total += 1
            why = _wrong(c, answer)
            failures += [why] if why else []
    return {"passed": total - len(failures), "total": total, "failures": failures, "unclaimed": unclaimed}


def outside(case: Mapping[str, Any]) -> str:
    """Why a case is not claimed; empty when it is."""
    return next((reason for reason, applies in UNCLAIMED if applies(case)), "")


def differing(folder: Path) -> list[dict[str, str]]:
    """Where the two engines do not answer the same: case, expression, both answers."""
    out = []
    for c in cases(folder):
        if c["needs_proto_types"] or c["check_only"]:
            continue
        a, b = in_use(c), second(c)
        if not _same_answer(a, b):
            out.append({"case": name(c), "expr": c["expr"], "in_use": _words(a), "second": _words(b)})
    return out


def _same_answer(a: Answer, b: Answer) -> bool:
    return a[0] == b[0] and (a[0] != "value" or _equal(_loose(a[1]), _loose(b[1])))


def _loose(value: Any) -> Any:
    """A value without what Python's types cannot keep apart: the second engine returns plain int for uint."""
    match value:
        case ("list", items):
            return ("list", tuple(_loose(x) for x in items))
        case ("map", entries):
            return ("map", tuple((_loose(k), _loose(v)) for k, v in entries))
        case ("uint", n):
            return ("int", n)
    return value


def _words(a: Answer) -> str:
    return a[0] if a[0] != "value" else repr(a[1])


def _wrong(case: Mapping[str, Any], answer: Answer) -> str:
    """What is wrong with an answer; empty when it is the published one."""
    expected = case["full"]
    if answer[0] == "crash":
        return f"{name(case)}: {answer[1]}"
    if "eval_error" in expected:
        return "" if answer[0] == "error" else f"{name(case)}: {_words(answer)} where an error is expected"
    value = expected.get("value") or expected.get("typed_result", {}).get("result")
    if value is None and case["check_only"]:
        return "" if answer[0] == "value" else f"{name(case)}: {answer[1]}"
    want = published(value) if value is not None else ("bool", True)
    if answer[0] == "value" and _equal(answer[1], want):
        return ""
    said = answer[1] if answer[0] == "error" else _words(answer)
    return f"{name(case)}: {str(said)[:120]}, expected {want!r}"


def _equal(a: Any, b: Any) -> bool:
    """Equal with its type; NaN equals NaN, entries of a map in any order. As keys 1 and 1u are one in CEL, and the engine hands out both
    alike."""
    if type(a) is tuple and type(b) is tuple and a and b and a[0] == b[0]:
        if a[0] == "double":
            return (math.isnan(a[1]) and math.isnan(b[1])) or a[1] == b[1]
        if a[0] == "list":
            return len(a[1]) == len(b[1]) and all(map(_equal, a[1], b[1]))
        if a[0] == "map":
            return len(a[1]) == len(b[1]) and all(any(_equal(_loose(k), _loose(k2)) and _equal(v, v2) for k2, v2 in b[1]) for k, v in a[1])
    return bool(a == b)


def published(value: Mapping[str, Any]) -> Any:
    """A value of the suite as (type, value)."""
    kind, v = next(iter(value.items()))
    match kind:
        case "int64_value":
            return ("int", int(v))
        case "uint64_value":
            return ("uint", int(v))
        case "double_value":
            return ("double", float(v))
        case "bytes_value":
            return ("bytes", base64.b64decode(v))
        case "list_value":
            return ("list", tuple(published(x) for x in v.get("values", [])))
        case "map_value":
            return ("map", tuple((published(e["key"]), published(e["value"])) for e in v.get("entries", [])))
        case "null_value":
            return ("null", None)
        case "type_value":
            return ("type", v)
    return (kind.removesuffix("_value"), v)


def plain(value: Any) -> Any:
    """(type, value) as Python hands it to an engine."""
    match value:
        case ("list", items):
            return [plain(x) for x in items]
        case ("map", entries):
            return {plain(k): plain(v) for k, v in entries}
    return value[1]


# The engine in use


@lru_cache(maxsize=1)
def _extensions() -> list[Any]:
    from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

    made = (ext_bindings.ExtBindings, ext_encoders.ExtEncoders, ext_math.ExtMath, ext_optional.ExtOptional, ext_strings.ExtStrings)
    return [e() for e in made]


def in_use(case: Mapping[str, Any]) -> Answer:
    """The answer of Google's engine, with its own libraries on."""
    from cel_expr_python import cel

    full = case["full"]
    given = {k: published(b["value"]) for k, b in full.get("bindings", {}).items()}
    declared = {d["name"]: d["ident"]["type"] for d in full.get("type_env", []) if "ident" in d}
    try:
        types = {k: _type(cel.Type, declared[k]) if k in declared else cel.Type.DYN for k in {*given, *declared}}
        program = cel.NewEnv(variables=types, extensions=_extensions()).compile(case["expr"])
        if case["check_only"]:
            return "value", None
        answer = program.eval(data={k: plain(v) for k, v in given.items()})
        return _answer(answer)
    except Exception as e:  # noqa: BLE001  whatever it throws is its answer: an error
        return "error", str(e)


def _type(t: Any, declared: Mapping[str, Any]) -> Any:
    primitive = declared.get("primitive")
    if primitive:
        return {"INT64": t.INT, "UINT64": t.UINT, "DOUBLE": t.DOUBLE, "BOOL": t.BOOL, "STRING": t.STRING, "BYTES": t.BYTES}[primitive]
    if "map_type" in declared:
        return t.Map(_type(t, declared["map_type"]["key_type"]), _type(t, declared["map_type"]["value_type"]))
    if "list_type" in declared:
        return t.List(_type(t, declared["list_type"]["elem_type"]))
    return t.DYN


def _answer(answer: Any) -> Answer:
    kind = str(answer.type().name()).lower()
    if "error" in kind:
        return "error", str(answer.value())
    if "unknown" in kind:
        return "error", "unknown"
    return "value", _tagged(answer)


def _tagged(v: Any) -> Any:
    """A value of the engine as (type, value)."""
    if not hasattr(v, "type"):
        return _tagged_plain(v)
    kind = str(v.type().name()).lower()
    value = v.value()
    if kind.startswith("list"):
        return ("list", tuple(_tagged(x) for x in value))
    if kind.startswith("map"):
        return ("map", tuple((_tagged_plain(k), _tagged(value[k])) for k in value))
    if kind.startswith("type"):
        said = str(value).lower().partition("<")[0]
        return ("type", "null_type" if said == "null" else said)
    names = {"null_type": "null", "int64": "int", "uint64": "uint"}
    return (names.get(kind, kind), bytes(value) if isinstance(value, bytearray) else value)


def _tagged_plain(v: Any) -> Any:
    match v:
        case None:
            return ("null", None)
        case bool():
            return ("bool", v)
        case int():
            return ("int", v)
        case float():
            return ("double", v)
        case str():
            return ("string", v)
        case bytes():
            return ("bytes", v)
        case list():
            return ("list", tuple(_tagged_plain(x) for x in v))
        case dict():
            return ("map", tuple((_tagged_plain(k), _tagged_plain(x)) for k, x in v.items()))
    return (type(v).__name__, str(v))


# The second engine


def second(case: Mapping[str, Any]) -> Answer:
    """The answer of `common-expression-language` (Rust)."""
    import cel

    given = {k: plain(published(b["value"])) for k, b in case["full"].get("bindings", {}).items()}
    try:
        return "value", _tagged_plain(cel.evaluate(case["expr"], given))
    except Exception as e:  # noqa: BLE001  as above
        return "error", str(e)
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt | SystemExit):
            raise
        return "crash", f"{type(e).__name__}: {e}"


def main() -> None:
    folder = Path(sys.argv[1])
    said = score(folder)
    parts: dict[str, list[int]] = {}
    wrong = {f.split(":")[0] for f in said["failures"]}
    for c in cases(folder):
        if not outside(c):
            part = parts.setdefault(c["file"], [0, 0])
            part[0] += name(c) not in wrong
            part[1] += 1
    print(json.dumps({**said, "parts": parts, "differing": differing(folder)}, indent=1, default=str))


if __name__ == "__main__":
    main()
