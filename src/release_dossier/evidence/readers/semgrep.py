"""Semgrep's JSON: results, errors of its own, and the files it scanned. It ends with 0 whatever it finds, unless it is told `--error`."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import lint
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "semgrep"
_WORDS = {"error": "error", "critical": "error", "high": "error", "warning": "warning", "medium": "warning", "info": "note", "low": "note"}
_WORDS |= {"inventory": "none", "experiment": "none"}


def recognises(head: bytes) -> bool:
    """Results of checks, or what it scanned."""
    top = outline(head)
    return top.get("results") == "[" and ("results[].check_id" in top or "paths.scanned" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every result.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return lint.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> lint.Report:
    """The report."""
    d = mapping(whole_json(stream), "file")
    out = lint.Report("Semgrep", word(d.get("version")))
    for i, x in enumerate(objects(d.get("results"), "results")):
        more = mapping(x.get("extra"), f"results[{i}].extra")
        line = mapping(x.get("start"), f"results[{i}].start").get("line")
        level = lint.level(more.get("severity"), _WORDS, f"results[{i}].extra.severity")
        hushed = more.get("is_ignored") is True
        place = line if isinstance(line, int) else None
        out.found.append(lint.Found(level, word(x.get("check_id")), word(more.get("message")), word(x.get("path")), place, hushed))
    scanned = mapping(d.get("paths"), "paths").get("scanned")
    if not isinstance(scanned, list):
        wrong_shape("paths.scanned", scanned, "a list of files")
    out.files = len(scanned)
    for e in objects(d.get("errors"), "errors"):
        words = f"{word(e.get('path'))} {word(e.get('message'))}".strip()[:300]
        (out.broken if word(e.get("level")) == "error" or _kind(e) in lint.NOT_READ else out.limits).append(words)
    return out


def _kind(error: dict[str, Any]) -> str:
    """What sort of error it is: a word, or a list that begins with one. Some, called warnings, mean that part of a file was not read."""
    kind = error.get("type")
    return word(kind[0] if isinstance(kind, list) and kind else kind)
