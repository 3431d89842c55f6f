"""An in-toto statement or a bare SLSA predicate without a signature: anybody can have written it, so it never passes."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence import attestation
from release_dossier.evidence.attestation import Signed
from release_dossier.evidence.readers.given import Given, mapping, whole_json, word, wrong_version
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "in-toto-statement"
_TYPES = ("https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1")


def recognises(head: bytes) -> bool:
    """A statement's type, or the parts of a build's predicate."""
    keys = outline(head)
    return keys.get("_type", "").startswith("https://in-toto.io/Statement/") or {"buildDefinition", "runDetails"} <= keys.keys()


def read(stream: IO[bytes], given: Given) -> Reading:
    """What it says.

    Raises:
        Refused: `evidence.version`, `json.*`.
    """
    value = mapping(whole_json(stream), "file")
    bare = "_type" not in value
    if not bare and value.get("_type") not in _TYPES:
        wrong_version("_type", word(value.get("_type")), " or ".join(_TYPES))
    claim = attestation.claim(value, "statement", "https://slsa.dev/provenance/v1" if bare else None)
    return attestation.reading(NAME, [Signed(claim=claim, signatures=0, by=())], given)
