"""Checkstyle's XML, as Checkstyle and many linters write it. Many leave out files without a finding: how many there were is not known."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence.readers import lint
from release_dossier.evidence.readers.given import Given, local, whole, wrong_shape, xml_events
from release_dossier.evidence.readers.sniff import root
from release_dossier.evidence.reading import Reading

NAME = "checkstyle"
_WORDS = {"error": "error", "warning": "warning", "info": "note", "ignore": "none"}


def recognises(head: bytes) -> bool:
    """Its root."""
    return root(head)[0] == "checkstyle"


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every error of every file.

    Raises:
        Refused: `evidence.shape`, `xml.*`.
    """
    return lint.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> lint.Report:
    """The report. An exception in a file: it could not be read."""
    out = lint.Report("checkstyle")
    file = ""
    begun = False
    for event, element in xml_events(stream):
        name = local(element.tag)
        if event == "start":
            if not begun and name != "checkstyle":
                wrong_shape("root", name, "checkstyle")
            begun = True
            if name == "checkstyle":
                out.tool_version = element.get("version") or ""
            elif name == "file":
                file = element.get("name") or ""
        elif name == "error":
            level = lint.level(element.get("severity", "error"), _WORDS, f"{file} error {len(out.found) + 1} severity")
            out.found.append(lint.Found(level, element.get("source") or "", element.get("message") or "", file, whole(element.get("line"))))
        elif name == "exception":
            out.unread.append(file)
        if event == "end" and name in ("error", "file", "exception"):
            element.clear()
    out.limits.append("how many files were looked at is not in it")
    return out
