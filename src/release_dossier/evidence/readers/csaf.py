"""CSAF 2.0 of profile VEX, alone. It is no scan, so it never passes; what it says is affected fails."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence.readers import openvex, vex
from release_dossier.evidence.readers.given import Given, mapping, whole_json, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "csaf"


def recognises(head: bytes) -> bool:
    """Its version, in its document."""
    return "document.csaf_version" in outline(head)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every status of every product.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    d = mapping(whole_json(stream), "file")
    publisher = mapping(mapping(d.get("document"), "document").get("publisher"), "document.publisher")
    return openvex.reading(NAME, vex.statements(d), word(publisher.get("name")))
