"""istanbul's json-summary (vitest, jest, nyc): totals, then the same for each file. Which lines ran is not in it."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import covered
from release_dossier.evidence.readers.given import Given, mapping, whole, whole_json, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading

NAME = "istanbul-summary"
_WHAT = ("lines", "statements", "branches", "functions")


def recognises(head: bytes) -> bool:
    """A total of lines with their share."""
    return "total.lines.pct" in outline(head)


def read(stream: IO[bytes], given: Given) -> Reading:
    """The figures of each file, held against the total.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    d = mapping(whole_json(stream), "file")
    c = covered.Covered("statements")
    c.tool = "istanbul"
    sums = {w: [0, 0] for w in _WHAT}
    for name, file in d.items():
        if name == "total":
            continue
        for what in _WHAT:
            ran, of = _pair(mapping(file, name), name, what)
            sums[what][0] += ran
            sums[what][1] += of
            if what in ("statements", "branches") and of:
                c.add(c.statements if what == "statements" else c.branches, name, ran, of)
    total = mapping(d.get("total"), "total")
    for what in _WHAT:
        said = _pair(total, "total", what)
        if tuple(sums[what]) != said:
            c.broken.append(f"total.{what}: {said[0]} of {said[1]}, its files say {sums[what][0]} of {sums[what][1]}")
    c.limits.append("which lines ran is not in it, so nothing is said of changed lines")
    c.more = {n: Fact(v, w) for w in ("lines", "functions") for n, v in ((w, sums[w][1]), (f"{w}_covered", sums[w][0]))}
    return covered.reading(NAME, c, given)


def _pair(file: dict[str, Any], at: str, what: str) -> tuple[int, int]:
    found = mapping(file.get(what), f"{at}.{what}")
    ran, of = whole(found.get("covered")), whole(found.get("total"))
    if ran is None or of is None or ran > of:
        wrong_shape(f"{at}.{what}", f"{found.get('covered')} of {found.get('total')}", "how many are covered of how many")
    return ran, of
