"""Cobertura XML: classes with lines and their hits. Lines inside of methods are those of the class again."""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.evidence.readers import covered
from release_dossier.evidence.readers.given import Given, epoch, local, whole, wrong_shape, xml_events
from release_dossier.evidence.readers.sniff import root
from release_dossier.evidence.reading import Reading

NAME = "cobertura"
_CONDITIONS = re.compile(r"\((\d{1,9})/(\d{1,9})\)\s*\Z")


def recognises(head: bytes) -> bool:
    """Its root, with a rate of lines."""
    name, attributes = root(head)
    return name == "coverage" and "clover" not in attributes and ("line-rate" in attributes or b"<packages" in head)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every line of every class.

    Raises:
        Refused: `evidence.shape`, `xml.*`.
    """
    c = covered.Covered()
    path: list[str] = []
    file = ""
    says: dict[str, str] = {}
    branches: dict[tuple[str, int], tuple[int, int]] = {}
    for event, element in xml_events(stream):
        name = local(element.tag)
        if event == "start":
            if not path:
                if name != "coverage":
                    wrong_shape("root", name, "coverage")
                says = dict(element.attrib)
            path.append(name)
            if name == "class":
                file = element.get("filename") or element.get("name") or ""
        else:
            path.pop()
            if name == "line" and path[-2:] == ["class", "lines"]:
                _line(element, file, c, branches)
            if name in ("line", "class", "package", "method"):
                element.clear()
    for (of, _), (taken, there) in branches.items():
        c.add(c.branches, of, taken, there)
    c.observed_at = epoch(says.get("timestamp"))
    c.tool_version = says.get("version", "")
    _agrees(c, says)
    return covered.reading(NAME, c, given)


def _line(element: Any, file: str, c: covered.Covered, branches: dict[tuple[str, int], tuple[int, int]]) -> None:
    number, hits = whole(element.get("number")), whole(element.get("hits"))
    if number is None or hits is None or not file:
        c.broken.append(f"a line of {file or 'a class without a file'}: number {element.get('number')!r} hits {element.get('hits')!r}")
        return
    c.line(file, number, hits > 0)
    conditions = _CONDITIONS.search(element.get("condition-coverage") or "")
    if conditions:
        before = branches.get((file, number), (0, 0))
        branches[file, number] = max(before, (min(int(conditions[1]), int(conditions[2])), int(conditions[2])))


def _agrees(c: covered.Covered, says: dict[str, str]) -> None:
    """A root that counts more lines than stand in it was cut, or sums up what it does not show."""
    there = sum(len(x) for x in c.lines.values())
    promised = whole(says.get("lines-valid")) or 0
    if promised > there:
        words = f"its root says {promised} lines and it shows {there}"
        if there == 0:
            c.broken.append(words)
        else:
            c.limits.append(words)
