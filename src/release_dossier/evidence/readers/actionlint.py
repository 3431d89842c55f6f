"""actionlint's JSON (`-format '{{json .}}'`): errors in workflows. Without one it is an empty list: `--format actionlint`."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence.readers import lint
from release_dossier.evidence.readers.given import Given, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "actionlint"


def recognises(head: bytes) -> bool:
    """A list of errors with the file's path and their kind."""
    top = outline(head)
    return top.get("") == "[" and {"[].message", "[].filepath", "[].kind"} <= top.keys()


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every error.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return lint.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> lint.Report:
    """The report. All it has are errors."""
    d = whole_json(stream)
    if not isinstance(d, list):
        wrong_shape("file", d, "a list of errors")
    out = lint.Report("actionlint")
    for i, x in enumerate(objects(d, "file")):
        if not word(x.get("message")) or "filepath" not in x:
            wrong_shape(f"[{i}]", ", ".join(list(x)[:5]), "message and filepath")
        line = x.get("line")
        out.found.append(
            lint.Found(
                "error", word(x.get("kind")), word(x.get("message")), word(x.get("filepath")), line if isinstance(line, int) else None
            )
        )
    return out
