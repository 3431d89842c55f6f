"""golangci-lint's JSON. Unless it is told otherwise it shows at most 50 findings a linter and 3 with one text: the rest it hides."""

from __future__ import annotations

from collections import Counter
from typing import IO

from release_dossier.evidence.readers import lint
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "golangci-lint"
_WORDS = {
    "": "error",
    "error": "error",
    "high": "error",
    "warning": "warning",
    "medium": "warning",
    "low": "warning",
    "info": "note",
    "hint": "note",
}


def recognises(head: bytes) -> bool:
    """Issues of linters, or its report."""
    top = outline(head)
    return top.get("") == "{" and "Issues" in top and ("Issues[].FromLinter" in top or "Report" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every issue.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return lint.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> lint.Report:
    """The report. An error of its own leaves it open."""
    d = mapping(whole_json(stream), "file")
    out = lint.Report("golangci-lint")
    about = mapping(d.get("Report"), "Report")
    if "Issues" not in d or "Report" not in d:
        wrong_shape("file", ", ".join(list(d)[:5]), "Issues and Report")
    for i, x in enumerate(objects(d.get("Issues"), "Issues")):
        at = mapping(x.get("Pos"), f"Issues[{i}].Pos")
        line = at.get("Line")
        level = lint.level(x.get("Severity", ""), _WORDS, f"Issues[{i}].Severity")
        found = lint.Found(
            level, word(x.get("FromLinter")), word(x.get("Text")), word(at.get("Filename")), line if isinstance(line, int) else None
        )
        out.found.append(found)
    if word(about.get("Error")):
        out.broken.append(f"it failed itself: {word(about['Error'])}")
    out.limits += [f"it warns: {word(w.get('Text'))}" for w in objects(about.get("Warnings"), "Report.Warnings")[:5]]
    by_linter, by_text = Counter(f.rule for f in out.found), Counter((f.rule, f.message) for f in out.found)
    if any(n == 50 for n in by_linter.values()) or any(n == 3 for n in by_text.values()):
        out.limits.append("it may have been told to show at most 50 findings a linter, or 3 with one text: then it hides the rest")
    return out
