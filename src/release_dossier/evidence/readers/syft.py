"""syft's own JSON: artifacts it found and how."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import bill
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "syft-json"


def recognises(head: bytes) -> bool:
    """Artifacts with who found them."""
    top = outline(head)
    return top.get("") == "{" and "artifacts" in top and "matches" not in top and (b'"foundBy"' in head or "artifactRelationships" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """The artifacts it lists.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return bill.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> bill.Bill:
    """The bill."""
    d = mapping(whole_json(stream), "file")
    if not isinstance(d.get("artifacts"), list):
        wrong_shape("artifacts", d.get("artifacts"), "a list of artifacts")
    about = mapping(d.get("descriptor"), "descriptor")
    out = bill.Bill(tool=word(about.get("name")), tool_version=word(about.get("version")))
    out.dependencies = len(objects(d.get("artifactRelationships"), "artifactRelationships"))
    for i, a in enumerate(objects(d["artifacts"], "artifacts")):
        if not word(a.get("name")):
            out.broken.append(f"artifacts[{i}]: no name")
        licences = a.get("licenses")
        out.components.append(
            bill.Component(
                name=word(a.get("name")),
                version=word(a.get("version")),
                purl=word(a.get("purl")),
                licences=bill.named([_licence(x) for x in licences] if isinstance(licences, list) else []),
                known_by=bool(a.get("purl") or a.get("cpes")),
            )
        )
    return out


def _licence(found: Any) -> str:
    return (word(found.get("spdxExpression")) or word(found.get("value"))) if isinstance(found, dict) else word(found)
