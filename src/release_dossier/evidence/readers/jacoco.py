"""JaCoCo XML: packages of source files with lines, and what of each instruction and branch was missed and covered."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import covered
from release_dossier.evidence.readers.given import Given, epoch, local, whole, xml_events
from release_dossier.evidence.readers.sniff import root
from release_dossier.evidence.reading import Reading

NAME = "jacoco"


def recognises(head: bytes) -> bool:
    """Its root, and the name of its format or sessions and counters."""
    return root(head)[0] == "report" and (b"JACOCO" in head or b"<sessioninfo" in head or b"<counter" in head or b"<package" in head)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every line of every source file; what only has counters is counted by them.

    Raises:
        Refused: `xml.*`.
    """
    c = covered.Covered()
    c.tool = "JaCoCo"
    path: list[str] = []
    package = file = ""
    for event, element in xml_events(stream):
        name = local(element.tag)
        if event == "start":
            path.append(name)
            if name == "package":
                package = element.get("name") or ""
            elif name == "sourcefile":
                file = "/".join(x for x in (package, element.get("name") or "") if x)
            elif name == "sessioninfo":
                c.observed_at = epoch(element.get("dump")) or c.observed_at
        else:
            path.pop()
            if name == "line" and path[-1:] == ["sourcefile"]:
                _line(element, file, c)
            elif name == "counter" and path == ["report"] and element.get("type") == "LINE":
                _sum(element, c)
            if name in ("line", "class", "package", "sourcefile", "method"):
                element.clear()
    return covered.reading(NAME, c, given)


def _line(element: Any, file: str, c: covered.Covered) -> None:
    number, missed, ran, branches_missed, branches = (whole(element.get(a, "0")) for a in ("nr", "mi", "ci", "mb", "cb"))
    if not number or missed is None or ran is None or branches_missed is None or branches is None:
        c.broken.append(f"a line of {file}: {dict(element.attrib)}")
        return
    c.line(file, number, ran > 0)
    if branches + branches_missed:
        c.add(c.branches, file, branches, branches + branches_missed)


def _sum(element: Any, c: covered.Covered) -> None:
    missed, ran = whole(element.get("missed")), whole(element.get("covered"))
    there = sum(len(x) for x in c.lines.values())
    if missed is None or ran is None:
        c.broken.append(f"counter LINE: {dict(element.attrib)}")
    elif missed + ran > there:
        c.broken.append(f"it counts {missed + ran} lines and shows {there}")
