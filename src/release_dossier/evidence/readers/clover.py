"""Clover XML (istanbul, PHPUnit): files with statements, conditions and methods, and metrics that sum them up."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import covered
from release_dossier.evidence.readers.given import Given, epoch, local, whole, xml_events
from release_dossier.evidence.readers.sniff import root
from release_dossier.evidence.reading import Reading

NAME = "clover"


def recognises(head: bytes) -> bool:
    """Its root, made by or for Clover."""
    name, attributes = root(head)
    return name == "coverage" and ("clover" in attributes or ("generated" in attributes and b"<project" in head))


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every line of every file, and the statements of its metrics.

    Raises:
        Refused: `xml.*`.
    """
    c = covered.Covered("statements")
    path: list[str] = []
    file = ""
    promised: tuple[int, int] | None = None
    for event, element in xml_events(stream):
        name = local(element.tag)
        if event == "start":
            path.append(name)
            if name == "coverage":
                c.observed_at = epoch(element.get("generated"))
                c.tool_version = element.get("clover") or ""
            elif name == "file":
                file = element.get("path") or element.get("name") or ""
        else:
            path.pop()
            if name == "line" and path[-1:] == ["file"]:
                _line(element, file, c)
            elif name == "metrics" and path[-1:] == ["file"]:
                _metrics(element, file, c)
            elif name == "metrics" and path == ["coverage", "project"]:
                promised = (whole(element.get("coveredstatements")) or 0, whole(element.get("statements")) or 0)
            if name in ("line", "file", "package", "class"):
                element.clear()
    if promised is not None and promised != c.ran():
        shows = c.ran()
        c.broken.append(f"its project says that {promised[0]} of {promised[1]} statements ran, its files {shows[0]} of {shows[1]}")
    return covered.reading(NAME, c, given)


def _line(element: Any, file: str, c: covered.Covered) -> None:
    number, count = whole(element.get("num")), whole(element.get("count"))
    if number is None or count is None:
        c.broken.append(f"a line of {file}: num {element.get('num')!r} count {element.get('count')!r}")
    elif element.get("type") in ("stmt", "cond"):
        c.line(file, number, count > 0)


def _metrics(element: Any, file: str, c: covered.Covered) -> None:
    for what, of, ran in ((c.statements, "statements", "coveredstatements"), (c.branches, "conditionals", "coveredconditionals")):
        there, covered_ = whole(element.get(of, "0")), whole(element.get(ran, "0"))
        if there is None or covered_ is None or covered_ > there:
            c.broken.append(f"metrics of {file}: {of} {element.get(of)!r} {ran} {element.get(ran)!r}")
        elif there:
            c.add(what, file, covered_, there)
