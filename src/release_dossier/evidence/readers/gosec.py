"""gosec's JSON: issues, files that could not be read, and how many there were."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence.readers import lint
from release_dossier.evidence.readers.given import Given, mapping, objects, whole, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "gosec"
_WORDS = {"high": "error", "medium": "warning", "low": "note"}


def recognises(head: bytes) -> bool:
    """Its name for errors of Go beside issues."""
    top = outline(head)
    return "Golang errors" in top and ("Issues" in top or "Stats" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every issue.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return lint.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> lint.Report:
    """The report. What it counts must be what it shows."""
    d = mapping(whole_json(stream), "file")
    if not isinstance(d.get("Issues"), (list, type(None))) or "Issues" not in d or "Stats" not in d:
        wrong_shape("file", ", ".join(list(d)[:5]), "Issues and Stats")
    out = lint.Report("gosec", word(d.get("GosecVersion")))
    for i, x in enumerate(objects(d.get("Issues"), "Issues")):
        level = lint.level(x.get("severity"), _WORDS, f"Issues[{i}].severity")
        line = whole(word(x.get("line")).partition("-")[0])
        hushed = x.get("nosec") is True or bool(x.get("suppressions"))
        out.found.append(lint.Found(level, word(x.get("rule_id")), word(x.get("details")), word(x.get("file")), line, hushed))
    stats = mapping(d.get("Stats"), "Stats")
    out.files = whole(stats.get("files"))
    said = whole(stats.get("found"))
    if said is not None and said != len(out.found):
        out.broken.append(f"it counts {said} issues and shows {len(out.found)}")
    out.unread = [f"{file}: {e}"[:300] for file, e in mapping(d.get("Golang errors"), "Golang errors").items()]
    if out.files is not None:
        out.files += len(out.unread)
    return out
