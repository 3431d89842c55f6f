"""zizmor's JSON, version 1: findings in workflows. Without one it is an empty list, like any other: `--format zizmor`."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import lint
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "zizmor"
_WORDS = {"high": "error", "medium": "warning", "low": "note", "informational": "note", "unknown": "error"}


def recognises(head: bytes) -> bool:
    """A list of findings with what it determined."""
    top = outline(head)
    return top.get("") == "[" and "[].ident" in top and ("[].determinations" in top or "[].desc" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every finding.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return lint.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> lint.Report:
    """The report."""
    d = whole_json(stream)
    if not isinstance(d, list):
        wrong_shape("file", d, "a list of findings")
    out = lint.Report("zizmor")
    for i, x in enumerate(objects(d, "file")):
        severity = mapping(x.get("determinations"), f"[{i}].determinations").get("severity")
        file, line = _place(objects(x.get("locations"), f"[{i}].locations"), f"[{i}].locations")
        level = lint.level(severity, _WORDS, f"[{i}].determinations.severity")
        out.found.append(lint.Found(level, word(x.get("ident")), word(x.get("desc")), file, line, x.get("ignored") is True))
    return out


def _place(locations: list[dict[str, Any]], at: str) -> tuple[str, int | None]:
    """File and line (from 1) of the primary location, else the first."""
    for wanted in ("Primary", None):
        for x in locations:
            symbolic = mapping(x.get("symbolic"), f"{at}.symbolic")
            if wanted is None or symbolic.get("kind") == wanted:
                local = mapping(mapping(symbolic.get("key"), f"{at}.key").get("Local"), f"{at}.key.Local")
                file = word(local.get("verbatim_path")) or word(local.get("given_path"))
                start = mapping(mapping(mapping(x.get("concrete"), at).get("location"), at).get("start_point"), at).get("row")
                return file, start + 1 if isinstance(start, int) and start >= 0 else None
    return "", None
