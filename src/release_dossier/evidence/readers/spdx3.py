"""SPDX 3.0 as JSON-LD: a graph of elements; packages are elements, and licences hang on them by relationships."""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.evidence.readers import bill
from release_dossier.evidence.readers.given import Given, mapping, moment, objects, whole_json, word, wrong_shape, wrong_version
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "spdx3"
_CONTEXT = re.compile(r"https?://spdx\.(?:org|github\.io)/.*?(\d+\.\d+)(?:\.\d+)?")


def recognises(head: bytes) -> bool:
    """SPDX's context and a graph."""
    top = outline(head)
    return top.get("") == "{" and "spdx" in (top.get("@context", "") + top.get("@context[]", "")).lower()


def read(stream: IO[bytes], given: Given) -> Reading:
    """The packages in its graph.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `json.*`.
    """
    return bill.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> bill.Bill:
    """The bill."""
    d = mapping(whole_json(stream), "file")
    contexts = d["@context"] if isinstance(d.get("@context"), list) else [d.get("@context")]
    version = next((m[1] for c in contexts if isinstance(c, str) and (m := _CONTEXT.match(c))), None)
    if version != "3.0":
        wrong_version("@context", version or next(iter(contexts), "nothing"), "SPDX 3.0")
    graph = objects(d.get("@graph"), "@graph")
    if not graph:
        wrong_shape("@graph", d.get("@graph"), "elements")
    out = bill.Bill()
    by_id = {_id(e): e for e in graph if _id(e)}
    licences = _licences(graph, by_id)
    for i, e in enumerate(graph):
        kind = _kind(e)
        if kind == "CreationInfo":
            out.observed_at = out.observed_at or moment(e.get("created"))
        elif kind == "Tool":
            out.tool = word(e.get("name"))
        elif kind == "Relationship":
            out.dependencies += 1
        elif kind == "software_Package":
            out.components.append(_package(out, e, f"@graph[{i}]", licences))
    return out


def _id(e: dict[str, Any]) -> str:
    return word(e.get("spdxId")) or word(e.get("@id"))


def _kind(e: dict[str, Any]) -> str:
    return (word(e.get("type")) or word(e.get("@type"))).replace("software:", "software_").rpartition("/")[2]


def _licences(graph: list[dict[str, Any]], by_id: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for r in graph:
        if _kind(r) == "Relationship" and r.get("relationshipType") == "hasDeclaredLicense":
            to = r.get("to")
            for target in to if isinstance(to, list) else [to]:
                e = by_id.get(target, {}) if isinstance(target, str) else target if isinstance(target, dict) else {}
                words = word(e.get("simplelicensing_licenseExpression")) or word(e.get("name")) or word(target).rpartition("/")[2]
                out.setdefault(word(r.get("from")), []).append(words)
    return out


def _package(out: bill.Bill, e: dict[str, Any], at: str, licences: dict[str, list[str]]) -> bill.Component:
    if not word(e.get("name")) or not _id(e):
        out.broken.append(f"{at}: a package without {'name' if _id(e) else 'spdxId'}")
    known = objects(e.get("externalIdentifier"), f"{at}.externalIdentifier")
    purls = [word(x.get("identifier")) for x in known if word(x.get("externalIdentifierType")) in ("packageUrl", "packageURL", "purl")]
    purl = word(e.get("software_packageUrl")) or next(iter(purls), "")
    return bill.Component(
        name=word(e.get("name")),
        version=word(e.get("software_packageVersion")),
        purl=purl,
        licences=bill.named(licences.get(_id(e), [])),
        known_by=bool(purl or known or e.get("verifiedUsing")),
    )
