"""in-toto's links as metablocks, `{"signed": …, "signatures": […]}`: what one step of a build used, made, and ended with.

The signature is over the canonical JSON of `signed`. A valid one around a step that failed is a step that failed.
"""

from __future__ import annotations

from typing import IO

from release_dossier.evidence import attestation
from release_dossier.evidence.attestation import Signed
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "in-toto-link"


def recognises(head: bytes) -> bool:
    """Something signed that is a link or a layout."""
    keys = outline(head)
    return ("signatures" in keys and "signed._type" in keys) or ("signed" in keys and keys.get("signed._type") in ("link", "layout"))


def read(stream: IO[bytes], given: Given) -> Reading:
    """One link and who signed it.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    block = mapping(whole_json(stream), "file")
    body = mapping(block.get("signed"), "signed")
    if body.get("_type") != "link":
        wrong_shape("signed._type", body.get("_type"), "link: a layout says what should happen, not what did")
    message = attestation.canonical_link(body)
    keys, _ = attestation.keys_of(given.keys)
    by = []
    every = objects(block.get("signatures"), "signatures")
    for each in every:
        try:
            signature = bytes.fromhex(word(each.get("sig")))
        except ValueError:
            continue
        by += [name for name, key in keys if key.verifies(signature, message)]
    signed = Signed(claim=attestation.claim(body, word(body.get("name"))), signatures=len(every), by=tuple(dict.fromkeys(by)))
    return attestation.reading(NAME, [signed], given)
