"""oasdiff's JSON: its lists of `breaking` changes and `changelog`, and what `diff` and `summary` say differs.

It ends with 0 whatever it finds, unless told to fail. An empty list does not say which documents were compared, so it proves nothing.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers.given import Given, count, mapping, objects, whole_json, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example, first
from release_dossier.limits import LIMITS_MAX

NAME = "oasdiff"
_ERR, _WARN = 3, 2


def recognises(head: bytes) -> bool:
    """A list of changes with their level, or what differs by path."""
    keys = outline(head)
    if keys.get("") == "[":
        return {"[].id", "[].level", "[].text"} <= keys.keys()
    return {"diff", "details"} <= keys.keys() or bool({"paths.added", "paths.modified", "paths.deleted"} & keys.keys())


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every change by its level.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    value = whole_json(stream)
    if isinstance(value, dict):
        return _differences(value)
    entries = objects(value, "file")
    errors = [e for e in entries if e.get("level") == _ERR]
    warnings = [e for e in entries if e.get("level") == _WARN]
    odd = [e for e in entries if e.get("level") not in (1, _WARN, _ERR)]
    operations = {_operation(e) for e in entries if e.get("operation")}
    bad = [example(f"{_operation(e)}: {word(e.get('text'))}", _where(e), id=word(e.get("id"))) for e in errors]
    verdict: Any = "fail" if bad else "inconclusive" if odd or not entries or given.exit_status is None else "pass"
    why = "an empty list does not say what was compared" if not entries else "the exit status did not come with it"
    limits = [f"risky: {_operation(e)}: {word(e.get('text'))}" for e in warnings[: LIMITS_MAX - 1]]
    return Reading(
        kind="api-contract",
        format=NAME,
        verdict=verdict,
        looked_at=len(operations),
        of=None,
        cause=(f"{len(odd)} changes have no level" if odd else why) if verdict == "inconclusive" else "",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={
            "entries": Fact(len(entries), "changes"),
            "breaking": Fact(len(errors), "changes"),
            "risky": Fact(len(warnings), "changes"),
            "rules": Fact(len({e.get("id") for e in entries if isinstance(e.get("id"), str)}), "rules"),
            "operations_changed": Fact(len(operations), "operations"),
            "places": Fact(len({_operation(e) for e in entries}), "places"),  # operations, and the components as one
            "operations_broken": Fact(len({_operation(e) for e in errors}), "operations"),
        },
        limits=(*limits, "operations without a change are not in the list"),
        tool="oasdiff",
    )


def _operation(e: dict[str, Any]) -> str:
    return f"{word(e.get('operation'))} {word(e.get('path'))}".strip() or "components"


def _where(e: dict[str, Any]) -> str:
    source = next((s for k in ("revisionSource", "baseSource") if isinstance(s := e.get(k), dict)), {})
    return f"{word(source.get('file'))}:{source.get('line')}" if source else _operation(e)


def _differences(value: dict[str, Any]) -> Reading:
    """`diff` and `summary` say what differs and not whether it breaks anybody."""
    details = mapping(value.get("details"), "details") if "details" in value else value
    facts = {}
    for part in ("paths", "endpoints", "schemas"):
        table = mapping(details.get(part), part)
        for how in ("added", "deleted", "modified"):
            n = table.get(how)
            facts[f"{part}_{how}"] = Fact(
                len(n) if isinstance(n, (list, dict)) else count(n), part if part != "endpoints" else "operations"
            )
    return Reading(
        kind="api-contract",
        format=NAME,
        verdict="inconclusive",
        looked_at=0,
        of=None,
        cause="it says what differs, not whether that breaks anybody: oasdiff breaking says it",
        facts=facts,
        tool="oasdiff",
    )
