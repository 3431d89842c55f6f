"""Collapsed stacks (Brendan Gregg's): a line a stack, outermost first, a space and a count. It can end after any line."""

from __future__ import annotations

import re
from typing import IO

from release_dossier.evidence.readers import stacks
from release_dossier.evidence.readers.given import Given, Lines
from release_dossier.evidence.reading import Reading

NAME = "collapsed-stacks"
_STACK = re.compile(rb"(\S.*?)\s+(\d{1,15}(?:\.\d+)?)\s*\Z")
_COMMENTS = (b"#", b"//")


def recognises(head: bytes) -> bool:
    """The first lines are stacks, and one of them has a frame in another."""
    lines = [x for x in head[:4096].splitlines()[:6] if x.strip() and not x.lstrip().startswith(_COMMENTS)]
    if head.lstrip()[:1] in (b"{", b"[", b"<") or not lines:
        return False
    whole = lines[:5] if len(head) < 4096 or len(lines) > 1 else lines
    return all(_STACK.match(x) for x in whole[:3]) and any(b";" in x for x in whole[:3])


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every stack.

    Raises:
        Refused: `evidence.line-too-long`.
    """
    p = stacks.Profile("collapsed stacks", "count", given)
    lines = Lines(stream)
    nested = False
    for number, line in lines:
        if line.lstrip().startswith(_COMMENTS):
            continue
        found = _STACK.match(line)
        if found is None:
            p.broken.append(f"line {number}: {line[:60]!r}")
            continue
        p.add([(x, "") for x in reversed(found[1].decode("utf-8", "replace").split(";")) if x], float(found[2]))
        nested = nested or b";" in found[1]
    if not nested:
        p.broken.append("no frame stands in another")
    p.cut = lines.doubt(given.exit_status)
    return stacks.reading(NAME, p, given)
