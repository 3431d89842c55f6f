"""Whose ledger it is: the build that wrote it, and how that is known. Unknown, a verdict is about an environment, not about a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.ledger.receipts import Journal, asked_for
from release_dossier.ledger.rulesets import NAMED, Era, Eras, Ruleset, economics, microseconds, release, release_of

UNKNOWN = "unknown: the verdict is about this environment, not about a change"


class Writer(msgspec.Struct, frozen=True):
    """`build` is a version or commit, empty where unknown; `how` says who says so; `others` contradict it."""

    build: str
    how: str
    others: tuple[str, ...] = ()


Deployed = Sequence[tuple[str, int]]  # version and moment it was deployed, in order of time


def writer(declared: str, journal: Journal | None, answers: Iterable[Any], deployed: Deployed = ()) -> Writer:
    """The first that says something: the caller, the journal's own `version` of each request, the server's answer at `/version`,
    the records of what was deployed where the ledger lives."""
    said: list[tuple[str, str]] = [(declared, "declared")] if declared else []
    if journal is not None and journal.versions:
        said.append((", then ".join(v for v, _, _ in journal.versions), "the journal names the server of each request"))
    said += [(build, f"the server answered so at {path}") for path, build in _version_answers(answers)][-1:]
    if deployed:
        said.append((", then ".join(v for v, _ in deployed), "the records of deployments to this environment"))
    if not said:
        return Writer("", UNKNOWN)
    build, how = said[0]
    mine = release_of(build) or build
    others = tuple(f"{b} ({h})" for b, h in said[1:] if (release_of(b) or b) != mine and mine not in b)
    return Writer(build, how, others)


def _version_answers(answers: Iterable[Any]) -> list[tuple[str, str]]:
    found = []
    for a in answers:
        if not isinstance(a, Mapping) or a.get("status") != 200 or not asked_for(a).endswith("/version"):
            continue
        body = a.get("body")
        result = body.get("result", body) if isinstance(body, Mapping) else body
        name = result.get("commit") or result.get("version") if isinstance(result, Mapping) else result
        if isinstance(name, str) and name:
            found.append((str(a["path"]), name))
    return found


def unknown_build(declared: str) -> list[str]:
    """The note a declared build deserves that no ruleset is known for: it stays the name of the writer, and decides nothing."""
    if not declared or release_of(declared) is not None:
        return []
    return [
        f"--written-by: {declared} is no known build, so no rules follow from it; known: {', '.join(NAMED)} and the commits of their tags"
    ]


def eras_of(journal: Journal | None) -> Eras | None:
    """The rules of a journal's servers, each from its first request to its last; None where it names none, or one that is no release."""
    if journal is None or not journal.versions:
        return None
    names = [release(v) for v, _, _ in journal.versions]
    if any(n is None for n in names):
        return None
    eras = [
        Era(first if i else None, last if i + 1 < len(names) else None, str(name), NAMED[str(name)][0])
        for i, (name, (_, first, last)) in enumerate(zip(names, journal.versions, strict=True))
    ]
    return Eras("journal " + " → ".join(e.version for e in eras), tuple(eras))


def eras_deployed(deployed: Deployed, earliest: int | None) -> Eras | None:
    """The rules of what was deployed, each until the next; None without records, for what is no release, or where rows are older."""
    names = [release(v) for v, _ in deployed]
    if not deployed or any(n is None for n in names) or (earliest is not None and earliest < deployed[0][1]):
        return None
    ends = [*(at for _, at in deployed[1:]), None]
    eras = [Era(at, end, str(n), NAMED[str(n)][0]) for n, (_, at), end in zip(names, deployed, ends, strict=True)]
    return Eras("deployed " + " → ".join(e.version for e in eras), tuple(eras))


def other_economics(answers: Iterable[Any], eras: Eras) -> list[str]:
    """Where the server's own setup differs from what the ledger is judged by."""
    out: dict[str, None] = {}
    for a in answers:
        if not isinstance(a, Mapping) or a.get("status") != 200 or asked_for(a) != "/v0/setup":
            continue
        body = a.get("body")
        at = microseconds(str(a.get("at", "")))
        try:
            said = economics(body.get("result", body) if isinstance(body, Mapping) else body, "/v0/setup")
        except Refused:
            continue
        for key, value in said.items():
            judged = {getattr(r, key) for r in eras.at(at)}
            if key in Ruleset.__struct_fields__ and value not in judged:
                out[f"the server says {key} {value}, and this is judged by {', '.join(map(str, sorted(judged)))} (--economics)"] = None
    return list(out)
