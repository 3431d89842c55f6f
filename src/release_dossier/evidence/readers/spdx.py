"""SPDX 2.2 and 2.3 in JSON. A package without what the specification demands of every package is a broken record: counted and named."""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.evidence.readers import bill
from release_dossier.evidence.readers.given import Given, mapping, moment, objects, whole_json, word, wrong_shape, wrong_version
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "spdx"
VERSIONS = ("SPDX-2.2", "SPDX-2.3")
_ID = re.compile(r"SPDXRef-[A-Za-z0-9.+_-]+\Z")  # `_` is none of the specification's, and npm writes it
_NEEDED = ("name", "SPDXID", "downloadLocation")
_ELSEWHERE = ("NONE", "NOASSERTION")


def recognises(head: bytes) -> bool:
    """Its version at the top, or files or packages as only it has them (Microsoft's sbom-tool begins with those)."""
    top = outline(head)
    if top.get("files[].SPDXID", top.get("packages[].SPDXID", "")).startswith("SPDXRef-"):
        return True
    return top.get("") == "{" and ("spdxVersion" in top or (top.get("SPDXID") == "SPDXRef-DOCUMENT" and "creationInfo" in top))


def read(stream: IO[bytes], given: Given) -> Reading:
    """The packages it lists.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `json.*`.
    """
    return bill.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> bill.Bill:
    """The bill."""
    d = mapping(whole_json(stream), "file")
    out = bill.Bill()
    about = mapping(d.get("creationInfo"), "creationInfo")
    creators = about.get("creators")
    head(out, d, word(about.get("created")), [word(c) for c in creators] if isinstance(creators, list) else [])
    ids = {word(d.get("SPDXID"))}
    for i, p in enumerate(objects(d.get("packages"), "packages")):
        package(out, p, f"packages[{i}]", ids)
    for kind in ("files", "snippets"):
        ids |= {word(x.get("SPDXID")) for x in objects(d.get(kind), kind)}
    for i, r in enumerate(objects(d.get("relationships"), "relationships")):
        relation(out, f"relationships[{i}]", word(r.get("spdxElementId")), word(r.get("relatedSpdxElement")), ids)
    return out


def head(out: bill.Bill, d: dict[str, Any], created: str, creators: list[str]) -> None:
    """What the document says of itself.

    Raises:
        Refused: `evidence.version`, `evidence.shape`.
    """
    if d.get("spdxVersion") not in VERSIONS:
        wrong_version("spdxVersion", d.get("spdxVersion"), " or ".join(VERSIONS))
    for key, expected in (("SPDXID", "SPDXRef-DOCUMENT"), ("dataLicense", "CC0-1.0")):
        if d.get(key) != expected:
            wrong_shape(key, word(d.get(key)) or None, expected)
    for key in ("name", "documentNamespace"):
        if not word(d.get(key)):
            wrong_shape(key, None, "text")
    out.observed_at = moment(created)
    if out.observed_at is None:
        wrong_shape("creationInfo.created", created or None, "a moment, as in 2026-11-24T09:00:00Z")
    tool = next((c.removeprefix("Tool:").strip() for c in reversed(creators) if c.startswith("Tool:")), "")
    if not creators:
        wrong_shape("creationInfo.creators", None, "who made it")
    out.tool, _, out.tool_version = tool.rpartition("-") if "-" in tool else (tool, "", "")


def package(out: bill.Bill, p: dict[str, Any], at: str, ids: set[str]) -> None:
    """Enter one package, or say how it is broken; it is counted either way."""
    wrong = next((k for k in _NEEDED if not word(p.get(k))), "")
    if wrong:
        out.broken.append(f"{at} {word(p.get('name'))}: no {wrong}")
    elif not _ID.match(p["SPDXID"]):
        out.broken.append(f"{at} {p['name']}: SPDXID {p['SPDXID']!r}")
    elif p["SPDXID"] in ids:
        out.broken.append(f"{at} {p['name']}: SPDXID {p['SPDXID']!r} twice")
    ids.add(word(p.get("SPDXID")))
    references = objects(p.get("externalRefs"), f"{at}.externalRefs")
    purl = next((word(r.get("referenceLocator")) for r in references if r.get("referenceType") == "purl"), "")
    out.components.append(
        bill.Component(
            name=word(p.get("name")),
            version=word(p.get("versionInfo")),
            purl=purl,
            licences=bill.named([word(p.get("licenseDeclared"))]),
            known_by=bool(references or p.get("checksums")),
        )
    )


def relation(out: bill.Bill, at: str, one: str, other: str, ids: set[str]) -> None:
    """Count a relation; one with something that is not in the document is broken."""
    out.dependencies += 1
    for x in (one, other):
        if x not in ids and x not in _ELSEWHERE and not x.startswith("DocumentRef-"):
            out.broken.append(f"{at}: {x!r} is not in it")
