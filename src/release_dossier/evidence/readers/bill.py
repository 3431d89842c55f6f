"""A bill of materials as every reader of one gives it, and what is said of it.

1. A component counts as looked at when something can be found by it: a version, a package URL, a CPE or a hash. A bare name cannot.
2. `components` are those at the top, as the file lists them; `components_all` those inside of others too.
3. Expectations: `licences_denied`, `licences_allowed` (SPDX ids, comma-separated). An expression is denied when every way to satisfy it
   needs a denied licence; where licences are asked for, a component that names none leaves the question open.
4. What changed since the last release comes from that release's own bill (`base`), or from `asked.base.components`, which is
   `{identity: [versions]}` as `inventory` gives them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import IO, Any

import msgspec

from release_dossier.evidence.readers.given import Given, mapping
from release_dossier.evidence.readers.plain import plain
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first
from release_dossier.limits import TEXT_CHARS_MAX

_TOKEN = re.compile(r"\(|\)|[^\s()]+")
_NO_LICENCE = ("", "NOASSERTION", "NONE")


class Component(msgspec.Struct, frozen=True):
    """One part of what ships. `licences` are SPDX expressions or names as the file has them; `known_by` says whether a purl, CPE or hash
    is there."""

    name: str
    version: str = ""
    purl: str = ""
    licences: tuple[str, ...] = ()
    known_by: bool = False

    @property
    def identity(self) -> str:
        """What stays when the version changes."""
        return re.split(r"[@?#]", self.purl[4:])[0] if self.purl.startswith("pkg:") and "/" in self.purl else self.name


class Bill(msgspec.Struct):
    """What a file lists. `broken` names records that are not what the format has there; `cut` says why it may not be whole."""

    components: list[Component] = []
    nested: int = 0
    dependencies: int = 0
    broken: list[str] = []
    limits: list[str] = []
    cut: str = ""
    tool: str = ""
    tool_version: str = ""
    observed_at: str | None = None


def inventory(bill: Bill) -> dict[str, list[str]]:
    """Identity → versions, for the next release to compare with."""
    out: dict[str, set[str]] = {}
    for c in bill.components:
        out.setdefault(c.identity, set()).add(c.version)
    return {k: sorted(v) for k, v in sorted(out.items())}


def reading(format: str, parse: Callable[[IO[bytes]], Bill], stream: IO[bytes], given: Given) -> Reading:
    """What a bill says; `parse` is its reader's."""
    bill = parse(stream)
    before = (
        inventory(parse(plain(io.BytesIO(given.base)))) if given.base else mapping(given.asked.get("base"), "asked.base").get("components")
    )
    parts = bill.components
    usable = sum(bool(c.version or c.known_by) for c in parts)
    bad, unlicensed = _licences(bill, given)
    facts = {
        "components": Fact(len(parts), "components"),
        "components_all": Fact(len(parts) + bill.nested, "components"),
        "components_licensed": Fact(sum(bool(c.licences) for c in parts), "components"),
        "components_identified": Fact(sum(c.known_by for c in parts), "components"),
        "licences": Fact(len({x for c in parts for x in c.licences}), "licences"),
        "dependencies": Fact(bill.dependencies, "relations"),
    }
    facts |= _changed(bill, before)
    cause = bill.cut or (f"{len(bill.broken)} records could not be read, the first: {bill.broken[0]}" if bill.broken else unlicensed)
    verdict: Any = "fail" if bad else "missing" if not parts or not usable else "inconclusive" if cause else "pass"
    if verdict == "missing":
        cause = "no component can be told from another: none has a version, a package URL, a CPE or a hash" if parts else "it lists nothing"
    return Reading(
        kind="sbom",
        format=format,
        verdict=verdict,
        looked_at=usable,
        of=None if bill.cut else len(parts),
        cause="" if verdict in ("pass", "fail") else cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=facts,
        limits=(*bill.limits, *(f"not read: {b}" for b in bill.broken[:10])),
        tool=bill.tool,
        tool_version=bill.tool_version,
        observed_at=bill.observed_at,
    )


def _licences(bill: Bill, given: Given) -> tuple[list[Counterexample], str]:
    denied, allowed = frozenset(given.declared("licences_denied")), frozenset(given.declared("licences_allowed"))
    if not denied and not allowed:
        return [], ""
    bad, silent = [], 0
    for c in bill.components:
        silent += not c.licences
        wrong = [x for x in c.licences if not satisfiable(x, lambda one: one not in denied and (not allowed or one in allowed))]
        if wrong:
            bad.append(example(f"{c.name} {c.version}: {', '.join(wrong)} is not allowed".replace("  ", " "), c.purl or c.name))
    return bad, f"{silent} of {len(bill.components)} components name no licence" if silent else ""


def satisfiable(expression: str, fine: Callable[[str], bool]) -> bool:
    """Whether an SPDX licence expression can be satisfied by licences that are `fine`: one side of every OR, both of every AND.
    What is no expression is taken as one name."""
    tokens = _TOKEN.findall(expression)
    if len(tokens) > 1 and not any(t in ("AND", "OR", "WITH") for t in tokens):
        return fine(expression)
    values: list[bool] = []
    waiting: list[str] = []

    def settle() -> None:
        word, right, left = waiting.pop(), values.pop(), values.pop()
        values.append(left and right if word == "AND" else left or right)

    try:
        skip = False
        for token in tokens:
            if skip:
                skip = False  # an exception makes a licence wider, never narrower
            elif token == "(":
                waiting.append(token)
            elif token == ")":
                while waiting[-1] != "(":
                    settle()
                waiting.pop()
            elif token in ("AND", "OR"):
                while waiting and waiting[-1] == "AND" and token == "OR":
                    settle()
                waiting.append(token)
            elif token == "WITH":
                skip = True
            else:
                values.append(fine(token))
        while waiting:
            settle()
        return values == [True]
    except IndexError:
        return fine(expression)


def named(licences: list[str]) -> tuple[str, ...]:
    """Licences somebody really named, each once."""
    return tuple(dict.fromkeys(x for x in licences if x.strip() not in _NO_LICENCE))


def _changed(bill: Bill, before: Any) -> dict[str, Fact]:
    if not isinstance(before, dict):
        return {}
    now = inventory(bill)
    added = [f"{k} {' '.join(v)}".strip() for k, v in now.items() if k not in before]
    removed = [str(k) for k in before if k not in now]
    moved = [f"{k} {_words(before[k])} → {_words(v)}" for k, v in now.items() if k in before and sorted(_list(before[k])) != v]
    out = {}
    for name, what in (("added", added), ("removed", removed), ("changed", moved)):
        out[f"components_{name}"] = Fact(len(what), "components")
        if what:
            out[name] = Fact(", ".join(what)[:TEXT_CHARS_MAX], "words")
    return out


def _list(versions: Any) -> list[str]:
    return [str(v) for v in versions] if isinstance(versions, list) else [str(versions)]


def _words(versions: Any) -> str:
    return " ".join(_list(versions)) or "no version"
