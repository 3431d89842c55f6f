"""CycloneDX with vulnerabilities and no components: a VEX. It is no scan, so it never passes; what it says is affected fails."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence.readers import cyclonedx, openvex, vex
from release_dossier.evidence.readers.given import Given
from release_dossier.evidence.reading import Reading

NAME = "cyclonedx-vex"
recognises = cyclonedx.recognises_vex


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every analysis.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `json.*`.
    """
    return openvex.reading(NAME, vex.statements({"bomFormat": "CycloneDX"} | cyclonedx.valid(stream)), "")
