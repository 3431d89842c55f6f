"""What a kind of evidence is: what it counts, how long it stays fresh by default, what it proves and what it does not.

A default age is short where the thing looked at changes by itself (a ledger goes on being written) and long where it changes only with
the code, because then the fingerprint says so anyway. Each kind is one file in `kinds/`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import msgspec

from release_dossier.errors import counted
from release_dossier.evidence.tried import TRIED

DAY = timedelta(days=1)


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A type of evidence. `about_data`: it looks at data some build wrote, so it speaks of a change only when that build is known.
    `facts` are those readers of this kind give, with their units; `formats` the readers. A part of a fact's name in angle brackets stands
    for what the file names, as in `flat.<function>`."""

    name: str
    unit: str
    age_max: timedelta
    about_data: bool
    proves: str
    does_not_prove: str
    facts: tuple[tuple[str, str, str], ...]  # name, unit, meaning
    formats: tuple[str, ...]
    personal: tuple[str, ...] = ()  # details of its counterexamples that name people


def page(k: Kind) -> str:
    """docs/evidence/NAME.md."""
    lines = [f"# {k.name}", "", f"Counts {k.unit}. Fresh for {counted(k.age_max.days, 'day')} unless the plan or a rule says less.", ""]
    lines += [f"**Proves** {k.proves}.", "", f"**Does not prove** {k.does_not_prove}.", ""]
    if k.about_data:
        lines += [
            "It looks at data some build wrote: without `--written-by` it says that this environment stands clean, and no more.",
            "",
        ]
    lines += ["| fact | unit | meaning |", "|---|---|---|", *(f"| `{n}` | {u} | {m} |" for n, u, m in k.facts), ""]
    if k.personal:
        words = ", ".join(f"`{n}`" for n in k.personal)
        lines += [
            f"[Personal](../personal.md), so a commitment in the statement: {words} of a counterexample.",
            "",
        ]
    lines += [f"Read from: {', '.join(f'`{f}`' for f in k.formats)}.", ""]
    tried = [f"`{f}` {a if a == b else f'{a} to {b}'}" for f in k.formats if f in TRIED for a, b in [TRIED[f]]]
    lines += [
        f"Tool versions tried, where a file names its tool's: {', '.join(tried)}. Another one is read, and said to be so.",
        "",
    ] * bool(tried)
    return "\n".join(lines)


def schema(k: Kind) -> dict[str, Any]:
    """JSON Schema of the facts of a kind: `{name: {value, unit, samples?}}`, each with its unit. A reader may give more than these."""
    named = {n: _fact(u, m) for n, u, m in k.facts if "<" not in n}
    patterns = {f"^{re.sub('<[^>]*>', '.+', re.escape(n))}$": _fact(u, m) for n, u, m in k.facts if "<" in n}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://w3id.org/release-dossier/facts/{k.name}/v1",
        "title": f"Facts of kind {k.name}",
        "description": f"It proves {k.proves}. It does not prove {k.does_not_prove}.",
        "type": "object",
        "properties": named,
        **({"patternProperties": patterns} if patterns else {}),
        **({"x-personal": list(k.personal)} if k.personal else {}),
        "additionalProperties": _fact("", ""),
    }


_TEXT_UNITS = ("words", "name", "credits")


def _fact(unit: str, meaning: str) -> dict[str, Any]:
    if not unit:
        value: dict[str, Any] = {"type": ["number", "boolean", "string"]}
    elif unit == "flag":
        value = {"type": "boolean"}
    elif unit in _TEXT_UNITS:
        value = {"type": "string"} if unit != "credits" else {"type": "string", "pattern": "^-?[0-9]+$"}
    else:
        value = {"type": "number", "minimum": 0, "maximum": 1} if unit == "ratio" else {"type": "number"}
    return {
        "type": "object",
        **({"description": meaning} if meaning else {}),
        "required": ["value", "unit"],
        "properties": {
            "value": value,
            "unit": {"const": unit} if unit else {"type": "string"},
            "samples": {"type": "integer", "minimum": 0},
        },
        "additionalProperties": False,
    }
