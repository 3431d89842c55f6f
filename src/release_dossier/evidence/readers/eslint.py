"""ESLint's JSON: every file it looked at, with messages and those a comment suppressed; with its metadata around them or not. A fatal
message: the file could not be parsed.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import lint
from release_dossier.evidence.readers.given import Given, objects, whole, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "eslint"


def recognises(head: bytes) -> bool:
    """A list of files with messages."""
    top = outline(head)
    return any(top.get(at) == "[" and f"{at}[].filePath" in top and f"{at}[].messages" in top for at in ("", "results"))


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every message.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return lint.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> lint.Report:
    """The report. What a file counts must be what it shows."""
    out = lint.Report("ESLint")
    d = whole_json(stream)
    if isinstance(d, dict):
        d = d.get("results")
    if not isinstance(d, list):
        wrong_shape("file", d, "a list of files")
    out.files = len(d)
    for i, file in enumerate(objects(d, "file")):
        name = word(file.get("filePath"))
        if not name or not isinstance(file.get("messages"), list):
            wrong_shape(f"[{i}]", ", ".join(list(file)[:5]), "filePath and messages")
        messages = objects(file.get("messages"), f"[{i}].messages")
        errors = sum(_one(out, m, name, f"[{i}].messages[{j}]", False) == "error" for j, m in enumerate(messages))
        for j, m in enumerate(objects(file.get("suppressedMessages"), f"[{i}].suppressedMessages")):
            _one(out, m, name, f"[{i}].suppressedMessages[{j}]", True)
        said = (whole(file.get("errorCount", errors)), whole(file.get("warningCount", len(messages) - errors)))
        if said != (errors, len(messages) - errors):
            out.broken.append(f"{name} counts {said[0]} errors and {said[1]} warnings, and shows {errors} and {len(messages) - errors}")
    return out


def _one(out: lint.Report, m: dict[str, Any], file: str, at: str, suppressed: bool) -> str:
    severity = m.get("severity")
    level = {1: "warning", 2: "error"}.get(severity if isinstance(severity, int) else 0)
    if level is None:
        wrong_shape(f"{at}.severity", str(severity), "1 or 2")
    if m.get("fatal") is True:
        out.unread.append(f"{file}: {word(m.get('message'))}")
    line = m.get("line")
    out.found.append(
        lint.Found(
            level, word(m.get("ruleId")) or "syntax", word(m.get("message")), file, line if isinstance(line, int) else None, suppressed
        )
    )
    return level
