"""SPDX 2.2 and 2.3 as tag and value. It can end between any two lines: the exit status of what wrote it must come along."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers import bill, spdx
from release_dossier.evidence.readers.given import Given, Lines
from release_dossier.evidence.reading import Reading
from release_dossier.limits import EVIDENCE_LINE_BYTES_MAX

NAME = "spdx-tag-value"
_TAG = re.compile(r"([A-Za-z][A-Za-z0-9]*):\s*(.*)\Z", re.DOTALL)
_HEAD = {"SPDXVersion": "spdxVersion", "DataLicense": "dataLicense", "DocumentName": "name", "DocumentNamespace": "documentNamespace"}
_PACKAGE = {"PackageVersion": "versionInfo", "PackageDownloadLocation": "downloadLocation", "PackageLicenseDeclared": "licenseDeclared"}
_STARTS = ("PackageName", "FileName", "SnippetSPDXID", "LicenseID")


def recognises(head: bytes) -> bool:
    """Its version in a line of its own."""
    return re.search(rb"^SPDXVersion:\s*SPDX-", head, re.MULTILINE) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """The packages it lists.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `evidence.line-too-long`.
    """

    return bill.reading(NAME, lambda s: parse(s, given.exit_status), stream, given)


def parse(stream: IO[bytes], exit_status: int | None = None) -> bill.Bill:
    """The bill."""
    out = bill.Bill()
    document: dict[str, Any] = {}
    creators: list[str] = []
    packages: list[tuple[int, dict[str, Any]]] = []
    relations: list[tuple[int, list[str]]] = []
    ids: set[str] = set()
    section = ""
    read = Lines(stream)
    for number, tag, value in _tags(read, out):
        if tag in _STARTS:
            section = tag
        if tag == "PackageName":
            packages.append((number, {"name": value}))
        elif tag == "SPDXID":
            if section == "PackageName":
                packages[-1][1].setdefault("SPDXID", value)
            elif not section:
                document.setdefault("SPDXID", value)
            ids.add(value) if section != "PackageName" else None
        elif tag == "SnippetSPDXID":
            ids.add(value)
        elif tag in _HEAD:
            document.setdefault(_HEAD[tag], value)
        elif tag == "Creator":
            creators.append(value)
        elif tag == "Created":
            document.setdefault("created", value)
        elif tag == "Relationship":
            relations.append((number, value.split()))
        elif section == "PackageName":
            _package_tag(packages[-1][1], tag, value)
    out.cut = read.doubt(exit_status)
    spdx.head(out, document, document.get("created", ""), creators)
    for number, p in packages:
        spdx.package(out, p, f"line {number}", ids)
    for number, words in relations:
        spdx.relation(out, f"line {number}", words[0] if words else "", words[2] if len(words) > 2 else "", ids)
    return out


def _package_tag(p: dict[str, Any], tag: str, value: str) -> None:
    if tag in _PACKAGE:
        p.setdefault(_PACKAGE[tag], value)
    elif tag == "PackageChecksum":
        p["checksums"] = True
    elif tag == "ExternalRef":
        words = value.split(None, 2)
        if len(words) == 3:
            p.setdefault("externalRefs", []).append({"referenceType": words[1], "referenceLocator": words[2]})


def _tags(read: Lines, out: bill.Bill) -> Iterator[tuple[int, str, str]]:
    """(line, tag, value); a value in `<text>` may go over many lines."""
    held: list[str] = []
    begun, tag, size = 0, "", 0
    for number, raw in read:
        line = raw.decode("utf-8", "replace")
        if held:
            held.append(line)
            size += len(line)
            if size > EVIDENCE_LINE_BYTES_MAX:
                raise Refused(
                    "evidence.line-too-long", at=f"line {begun}", found="a longer text", expected=f"at most {EVIDENCE_LINE_BYTES_MAX} bytes"
                )
            if "</text>" in line:
                yield begun, tag, "\n".join(held).replace("<text>", "").replace("</text>", "").strip()
                held = []
            continue
        found = _TAG.match(line.strip())
        if line.lstrip().startswith("#"):
            continue
        if found is None:
            out.broken.append(f"line {number}: {line[:60]!r} is no tag with a value")
        elif "<text>" in line and "</text>" not in line:
            held, begun, tag, size = [found[2]], number, found[1], len(line)
        else:
            yield number, found[1], found[2].replace("<text>", "").replace("</text>", "").strip()
    if held:
        out.broken.append(f"line {begun}: a text that does not end")
