"""An OpenAPI 3.0 or 3.1 description, held against the one of the base release (`--base FILE`, or the plan's option `base`, a path in the
repository). Without it there is nothing to compare with, and it says only what is described."""

from __future__ import annotations

import io
import re
from typing import IO, Any

from release_dossier.evidence.contract import Comparison, Document, compare
from release_dossier.evidence.readers.given import Given, mapping, word, wrong_shape, wrong_version
from release_dossier.evidence.readers.sniff import outline, top
from release_dossier.evidence.readers.yaml_tree import documents, documents_and_doubt
from release_dossier.evidence.reading import Fact, Reading, example, first
from release_dossier.limits import LIMITS_MAX

NAME = "openapi"
_VERSION = re.compile(r"3\.[01]\.\d+(?:-\S+)?\Z")


def recognises(head: bytes) -> bool:
    """`openapi`, or `swagger` of older versions, which is then refused by its version."""
    keys = top(head)
    if outline(head).get("components.schemas") == "{":
        return True  # its keys are sorted, and `openapi` comes behind
    return ("openapi" in keys or "swagger" in keys) and ("info" in keys or "paths" in keys)


def read(stream: IO[bytes], given: Given) -> Reading:
    """What is described, and what broke against the base.

    Raises:
        Refused: `yaml.*`, `json.*`, `evidence.shape`, `evidence.version`.
    """
    docs, doubt = documents_and_doubt(stream, given.exit_status)
    head = _described(docs, "file")
    document = Document(head)
    operations = document.operations()
    info = mapping(head.get("info"), "info")
    facts = {
        "operations": Fact(len(operations), "operations"),
        "operations_other": Fact(sum(k.split()[0] in ("HEAD", "OPTIONS", "TRACE") for k in operations), "operations"),
        "paths": Fact(len(mapping(head.get("paths"), "paths")), "paths"),
        "schemas": Fact(len(mapping(mapping(head.get("components"), "components").get("schemas"), "components.schemas")), "schemas"),
        "openapi": Fact(word(head.get("openapi")), "version"),
        "api_version": Fact(str(info.get("version", "")), "version"),
    }
    if given.base is None:
        return _alone(facts, len(operations))
    made = compare(_described(documents(io.BytesIO(given.base)), "base"), head)
    return _compared(made, facts, doubt)


def _described(docs: list[Any], at: str) -> dict[str, Any]:
    if len(docs) != 1 or not isinstance(docs[0], dict):
        wrong_shape(at, f"{len(docs)} documents", "one description of an API")
    head: dict[str, Any] = docs[0]
    if not _VERSION.match(str(head.get("openapi", ""))):
        wrong_version(f"{at} openapi", head.get("openapi") or f"swagger {head.get('swagger')}", "3.0 or 3.1")
    return head


def _alone(facts: dict[str, Fact], operations: int) -> Reading:
    return Reading(
        kind="api-contract",
        format=NAME,
        verdict="inconclusive" if operations else "missing",
        looked_at=0,
        of=operations,
        cause="the description of the base release did not come with it" if operations else "it describes no operation",
        facts=facts,
        tool="openapi",
    )


def _compared(c: Comparison, facts: dict[str, Fact], doubt: str) -> Reading:
    breaking = [b for b in c.breaks if not b.risky]
    risky = [b for b in c.breaks if b.risky]
    bad = [example(f"{b.operation}: {b.place} {b.what}".replace("  ", " "), b.operation, place=b.place, what=b.what) for b in breaking]
    verdict: Any = "fail" if bad else "missing" if not c.operations else "inconclusive" if c.unread or doubt else "pass"
    unread = f"not read: {', '.join(c.unread[:5])}" if c.unread else doubt
    cause = {"missing": "the base describes no operation", "inconclusive": unread}.get(verdict, "")
    limits = [f"risky: {b.operation}: {b.place} {b.what}" for b in risky[: LIMITS_MAX - 1]]
    limits += [f"{len(risky) - len(limits)} more are risky"] if len(risky) > len(limits) else []
    more = {
        "operations_base": c.operations,
        "operations_added": c.added,
        "operations_removed": c.removed,
        "operations_broken": len({b.operation for b in breaking}),
    }
    changes = {"breaking": Fact(len(breaking), "changes"), "risky": Fact(len(risky), "changes")}
    return Reading(
        kind="api-contract",
        format=NAME,
        verdict=verdict,
        looked_at=c.compared,
        of=c.operations,
        cause=cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=facts | {k: Fact(n, "operations") for k, n in more.items()} | changes,
        limits=(*limits, "two descriptions were compared, no server was asked"),
        tool="openapi",
    )
