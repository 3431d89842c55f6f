"""Go's cover profile: a mode, then a line a block: `file:line.column,line.column statements count`. It can end after any line.

A block that is listed again (one profile a package, put together) is one block, and ran when it ran once.
"""

from __future__ import annotations

import re
from typing import IO

from release_dossier.evidence.readers import covered
from release_dossier.evidence.readers.given import Given, Lines, wrong_shape
from release_dossier.evidence.reading import Reading

NAME = "go-cover"
MODES = (b"set", b"count", b"atomic")
_BLOCK = re.compile(rb"(.+):(\d{1,9})\.(\d{1,9}),(\d{1,9})\.(\d{1,9}) (\d{1,9}) (\d{1,19})\Z")
_BLOCK_LINES_MAX = 100_000  # lines of one block; a function of more is none


def recognises(head: bytes) -> bool:
    """The mode, in its first line."""
    return re.match(rb"mode: (set|count|atomic)\r?\n", head + b"\n") is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every block.

    Raises:
        Refused: `evidence.shape` when the first line is no mode.
    """
    c = covered.Covered("statements")
    c.tool = "go test"
    blocks: dict[tuple[bytes, bytes], tuple[int, bool]] = {}
    lines = Lines(stream)
    mode = b""
    for number, line in lines:
        if line.startswith(b"mode: "):
            mode = mode or line[6:]
            if line[6:] not in MODES or line[6:] != mode:
                wrong_shape(f"line {number}", line.decode("utf-8", "replace"), f"mode: {mode.decode('utf-8', 'replace')}, and nothing else")
            continue
        if not mode:
            wrong_shape(f"line {number}", line.decode("utf-8", "replace"), "mode: set, count or atomic")
        found = _BLOCK.match(line)
        if found is None or int(found[4]) - int(found[2]) not in range(_BLOCK_LINES_MAX):
            c.broken.append(f"line {number}: {line[:60]!r} is no block")
            continue
        key = (found[1], line[len(found[1]) : found.start(6)])
        count, ran = int(found[6]), int(found[7]) > 0
        blocks[key] = (count, ran or blocks.get(key, (0, False))[1])
    for (raw, place), (count, ran) in blocks.items():
        file = raw.decode("utf-8", "replace")
        c.add(c.statements, file, count if ran else 0, count)
        if count:
            start, end = (int(x.partition(b".")[0]) for x in place[1:].strip().split(b","))
            for n in range(start, end + 1):
                c.line(file, n, ran)
    c.cut = lines.doubt(given.exit_status)
    return covered.reading(NAME, c, given)
