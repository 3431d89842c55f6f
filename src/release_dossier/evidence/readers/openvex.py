"""OpenVEX alone: what its author holds of vulnerabilities. It is no scan, so it never passes; what it says is affected fails."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import vex
from release_dossier.evidence.readers.given import Given, mapping, whole_json, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example, first

NAME = "openvex"


def recognises(head: bytes) -> bool:
    """Its context."""
    return "openvex" in outline(head).get("@context", "").lower()


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every statement.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    d = mapping(whole_json(stream), "file")
    return reading(NAME, vex.statements(d), word(d.get("author")))


def reading(format: str, said: list[vex.Said], author: str) -> Reading:
    """What a VEX says where no scan comes with it."""
    counts = {status: sum(s.status == status for s in said) for status in vex.STATUSES}
    bad = [
        example(f"{', '.join(sorted(s.ids))} affects {', '.join(s.parts or s.products) or 'it'}") for s in said if s.status == "affected"
    ]
    verdict: Any = "missing" if not said else "fail" if bad else "inconclusive"
    cause = {"missing": "it states nothing", "inconclusive": "it says what its author holds, and nobody scanned anything"}.get(verdict, "")
    return Reading(
        kind="vulnerabilities",
        format=format,
        verdict=verdict,
        looked_at=len(said),
        of=len(said),
        cause=cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={f"statements_{status}": Fact(n, "statements") for status, n in counts.items()},
        limits=(f"stated by {author}",) if author else (),
    )
