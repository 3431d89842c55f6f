"""Kinds a project makes for itself in `dossier.toml`: a JSON Schema for its file, and CEL for what it says. No code.

1. The file must be what the schema says, else it is refused with the place: so an expression finds what it names.
2. `looked_at` counts; zero is `missing`, whatever else holds: an empty list makes every `all()` true.
3. `passes` counts only as a BOOL that is true. An expression that cannot be answered is `inconclusive`, never a pass: the engine returns
   its errors as text, which is truthy.
4. A fact that cannot be computed, or has no finite value, is absent, and the reading says so.
5. A schema refers to nothing outside of itself, and an expression looks at `doc` only.
6. What the schema marks with `"x-personal": true` is a personal value: no statement shows it (see `personal`). A number that a
   fact takes from such a place is shown no more than a name: it becomes a text, which can be committed to. Any other number is a figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import IO, Any

import msgspec

from release_dossier.errors import Refused, shown
from release_dossier.evidence.kind import Kind
from release_dossier.evidence.readers.given import EXACT_MAX, Given, whole_json, wrong_shape
from release_dossier.evidence.reading import Fact, Reading, example, first
from release_dossier.limits import TEXT_CHARS_MAX
from release_dossier.project import OwnKind, seconds

NAME = "custom"
_EXAMPLES_MAX = 1_000  # counterexamples an expression may list


def kind_of(own: OwnKind) -> Kind:
    """The kind as rules and pages see it.

    Raises:
        Refused: `settings.age`.
    """
    from datetime import timedelta

    return Kind(
        name=own.name,
        unit=own.unit,
        age_max=timedelta(seconds=seconds(own.age_max, f"kind {own.name} age_max")),
        about_data=own.about_data,
        proves=own.proves,
        does_not_prove=own.does_not_prove,
        facts=tuple((f.name, f.unit, f.meaning) for f in own.facts),
        formats=(NAME,),
    )


def check(own: OwnKind) -> None:
    """Refuse a kind that could not be read: its schema, each of its expressions, and facts that are there twice.

    Raises:
        Refused: `own.schema`, `own.expression`, `own.twice`.
    """
    _validator(msgspec.json.encode(own.schema, order="sorted"), own.name)
    for at, text in _expressions(own):
        try:
            _program(text)
        except Exception as e:
            words = (str(e).splitlines() or [type(e).__name__])[0]
            raise Refused("own.expression", at=f"kind {own.name} {at}", found=words, expected="CEL over doc") from e
    names = [f.name for f in own.facts]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise Refused("own.twice", at=f"kind {own.name} facts", found=f"{twice} twice", expected="each fact once")


def takes_personal(own: OwnKind) -> tuple[str, ...]:
    """Facts whose expression names something the schema marks personal: in a statement they may be commitments."""
    marked = frozenset(_marked(own.schema, ""))
    return tuple(f.name for f in own.facts if marked & set(re.findall(r"\w+", f.value)))


def _marked(schema: Any, name: str) -> Iterator[str]:
    """Names of the properties a schema marks `x-personal`; `name` is that of the property it is about."""
    if isinstance(schema, dict):
        if schema.get("x-personal") is True and name:
            yield name
        for key, value in schema.items():
            named = value.items() if key == "properties" and isinstance(value, dict) else ((name, value),)
            for inside, part in named:
                yield from _marked(part, inside)
    elif isinstance(schema, list):
        for part in schema:
            yield from _marked(part, name)


def read(stream: IO[bytes], own: OwnKind, given: Given) -> Reading:
    """A JSON file as `own` reads it.

    Raises:
        Refused: `own.*`, `json.*`, `evidence.shape` naming what of the file is not as the schema says.
    """
    check(own)
    doc = whole_json(stream)
    validator = _validator(msgspec.json.encode(own.schema, order="sorted"), own.name)
    for fault in validator.iter_errors(doc):
        at = ".".join(str(p) for p in fault.instance_path) or "file"
        wrong_shape(at, shown(fault.message), f"what the schema of kind {own.name} says")
    doubts: list[str] = []
    looked_at = _count(own.looked_at, doc, "looked_at", doubts) or 0
    of = _count(own.of, doc, "of", doubts) if own.of else None
    passes, why = _truth(own.passes, doc)
    bad = [example(text, own.name) for text in _texts(own.examples, doc, doubts)] if own.examples else []
    if passes is False and not bad:
        bad = [example(f"`{own.passes}` does not hold", own.name)]
    if passes is True:
        bad = []
    doubts += [why] if why else []
    doubts += [f"{looked_at} were looked at, and there are {of}"] if of is not None and looked_at > of else []
    private = {place: tuple(_leaves(_at(doc, place))) for place in _private(validator, doc)}
    facts = {}
    for f in own.facts:
        value = _value(f.value, doc)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and _tells(f.value, value, private):
            value = str(value)
        if value is None or (isinstance(value, int) and abs(value) > EXACT_MAX):
            doubts.append(f"no usable value for fact {f.name}")
        else:
            facts[f.name] = Fact(value, f.unit)
    verdict: Any = (
        "missing" if looked_at == 0 and passes is not False else "fail" if passes is False else "inconclusive" if doubts else "pass"
    )
    return Reading(
        kind=own.name,
        format=NAME,
        verdict=verdict,
        looked_at=min(looked_at, of) if of is not None else looked_at,
        of=of,
        cause="nothing was looked at" if verdict == "missing" else "; ".join(doubts) if verdict == "inconclusive" else "",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=facts,
        limits=tuple(doubts) if verdict == "fail" else (),
        tool=own.name,
        personal=tuple(dict.fromkeys(leaf for leaves in private.values() for leaf in leaves)),
    )


def _private(validator: Any, doc: Any) -> Iterator[str]:
    """JSON pointers of the places the schema marks `x-personal`."""
    for note in validator.evaluate(doc).annotations():
        if isinstance(note["annotations"], dict) and note["annotations"].get("x-personal") is True:
            yield note["instanceLocation"]


def _tells(expression: str, value: float, private: Mapping[str, Sequence[str]]) -> bool:
    """Whether a number is one from a private place that its expression names. `private`: pointer → the texts there."""
    words = set(re.findall(r"\w+", expression))
    return any(_name(place) in words and str(value) in texts for place, texts in private.items())


def _name(pointer: str) -> str:
    """The last name in a pointer; that of the list where it ends in a list."""
    return next((step for step in reversed(pointer.split("/")) if not step.isdigit()), "")


def _at(doc: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        doc = doc[int(key)] if isinstance(doc, list) else doc[key]
    return doc


def _leaves(value: Any) -> Iterator[str]:
    """The texts and numbers in a value."""
    if isinstance(value, (dict, list)):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inside)
    elif isinstance(value, str):
        yield shown(value, TEXT_CHARS_MAX)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


def _expressions(own: OwnKind) -> list[tuple[str, str]]:
    named = [("passes", own.passes), ("looked_at", own.looked_at), ("of", own.of), ("examples", own.examples)]
    return [(at, text) for at, text in named if text] + [(f"fact {f.name}", f.value) for f in own.facts]


@lru_cache(maxsize=64)
def _validator(schema: bytes, name: str) -> Any:
    import jsonschema_rs

    value = msgspec.json.decode(schema)
    try:
        jsonschema_rs.meta.validate(value)
        return jsonschema_rs.validator_for(value, retriever=_nothing_outside, pattern_options=jsonschema_rs.RegexOptions())
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as e:
        words = (str(e).splitlines() or [type(e).__name__])[0]
        raise Refused("own.schema", at=f"kind {name} schema", found=words, expected="a JSON Schema without outside references") from e


def _nothing_outside(uri: str) -> Any:
    raise ValueError(f"{uri} is outside")


@lru_cache(maxsize=256)
def _program(text: str) -> Any:
    from cel_expr_python import cel

    return cel.NewEnv(variables={"doc": cel.Type.DYN}).compile(text)


def _answer(text: str, doc: Any) -> tuple[str, Any, str]:
    """(type, value, why not)."""
    try:
        answer = _program(text).eval(data={"doc": doc})
        kind = str(answer.type()).upper()
        return (kind, answer.plain_value(), "") if "ERROR" not in kind else (kind, None, shown(str(answer.value())))
    except Exception as e:  # noqa: BLE001  whatever the engine throws, the expression has no answer
        return "", None, shown(str(e))


def _truth(text: str, doc: Any) -> tuple[bool | None, str]:
    kind, value, why = _answer(text, doc)
    if kind == "BOOL" and isinstance(value, bool):
        return value, ""
    return None, f"`{text}` cannot be answered: {why or f'it gives {kind}'}"


def _count(text: str, doc: Any, at: str, doubts: list[str]) -> int | None:
    kind, value, why = _answer(text, doc)
    if kind in ("INT", "UINT") and isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= EXACT_MAX:
        return value
    doubts.append(f"{at} is no count: {why or f'{kind} {shown(str(value), 40)}'}")
    return None


def _texts(text: str, doc: Any, doubts: list[str]) -> list[str]:
    _, value, why = _answer(text, doc)
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return value[:_EXAMPLES_MAX]
    doubts.append(f"examples are no list of texts: {why or type(value).__name__}")
    return []


def _value(text: str, doc: Any) -> int | float | bool | str | None:
    _, value, _ = _answer(text, doc)
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if isinstance(value, (bool, int, str)) else None
