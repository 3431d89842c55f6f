"""coverage.py's JSON: files with the lines that ran and those that did not."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import covered
from release_dossier.evidence.readers.given import Given, mapping, moment, whole, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "coverage-py"


def recognises(head: bytes) -> bool:
    """Its own version, and lines that ran."""
    top = outline(head)
    return top.get("") == "{" and "meta.version" in top and "files" in top


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every line of every file.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    d = mapping(whole_json(stream), "file")
    about = mapping(d.get("meta"), "meta")
    c = covered.Covered()
    c.tool, c.tool_version = "coverage.py", word(about.get("version"))
    c.observed_at = moment(about.get("timestamp"))
    for name, file in mapping(d.get("files"), "files").items():
        _file(name, mapping(file, f"files.{name}"), c)
    totals = mapping(d.get("totals"), "totals")
    said = (whole(totals.get("covered_lines")), whole(totals.get("num_statements")))
    if None not in said and said != c.ran():
        c.broken.append(f"totals: {said[0]} of {said[1]} lines ran, its files say {c.ran()[0]} of {c.ran()[1]}")
    return covered.reading(NAME, c, given)


def _file(name: str, file: dict[str, Any], c: covered.Covered) -> None:
    for key, ran in (("executed_lines", True), ("missing_lines", False)):
        numbers = file.get(key)
        if not isinstance(numbers, list):
            wrong_shape(f"files.{name}.{key}", numbers, "a list of lines")
        for n in numbers:
            number = whole(n)
            if number is None:
                wrong_shape(f"files.{name}.{key}", str(n), "lines from 0")
            c.line(name, number, ran)
    summary = mapping(file.get("summary"), f"files.{name}.summary")
    there, said = len(c.lines.get(name, {})), whole(summary.get("num_statements"))
    if said is not None and said != there:
        c.broken.append(f"files.{name}: its summary says {said} lines, it shows {there}")
    branches, taken = whole(summary.get("num_branches", 0)), whole(summary.get("covered_branches", 0))
    if branches and taken is not None:
        c.add(c.branches, name, taken, branches)
