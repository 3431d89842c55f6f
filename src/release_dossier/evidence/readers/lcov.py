"""lcov's tracefile: records of a source file, `SF:` to `end_of_record`, with a line `DA:` a line and `BRDA:` a branch.

It can end after any record. What a record sums up (`LF`, `LH`) must be what it shows.
"""

from __future__ import annotations

import re
from typing import IO

from release_dossier.evidence.readers import covered
from release_dossier.evidence.readers.given import Given, Lines
from release_dossier.evidence.reading import Reading

NAME = "lcov"
_LINE = re.compile(rb"DA:(\d{1,9}),(-?\d{1,19}|=====)(?:,.*)?\Z")
_BRANCH = re.compile(rb"BRDA:(\d{1,9}),(e?\d{1,19}),([^,]+),(-|\d{1,19})\Z")
_SUM = re.compile(rb"(LF|LH):(\d{1,9})\Z")
_OTHER = (b"TN:", b"FN", b"BRF:", b"BRH:", b"VER:", b"#", b"MC", b"MR")


def recognises(head: bytes) -> bool:
    """A test's name or a source file, then lines of it."""
    return re.match(rb"(?:\s|#[^\n]*\n)*(?:TN:[^\n]*\n\s*)*SF:", head) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every record."""
    c = covered.Covered()
    branches: dict[tuple[str, bytes], bool] = {}
    lines = Lines(stream)
    file = ""
    shown: dict[int, bool] = {}
    sums: dict[bytes, int] = {}
    for number, raw in lines:
        line = raw.strip()
        if line.startswith(b"SF:"):
            if file:
                c.broken.append(f"line {number}: the record of {file} does not end")
            file, shown, sums = line[3:].decode("utf-8", "replace"), {}, {}
            c.lines.setdefault(file, {})
        elif line == b"end_of_record":
            if sums.get(b"LF", len(shown)) != len(shown) or sums.get(b"LH", sum(shown.values())) != sum(shown.values()):
                c.broken.append(f"line {number}: {file} sums up other lines than it shows")
            file = ""
        elif line.startswith(_OTHER):
            continue
        elif file and (found := _LINE.match(line)):
            ran = found[2].isdigit() and int(found[2]) > 0
            shown[int(found[1])] = ran or shown.get(int(found[1]), False)
            c.line(file, int(found[1]), ran)
        elif file and (found := _BRANCH.match(line)):
            key = (file, line[5 : found.end(3)])
            branches[key] = (found[4] not in (b"-", b"0")) or branches.get(key, False)
        elif file and (found := _SUM.match(line)):
            sums[found[1]] = int(found[2])
        else:
            c.broken.append(f"line {number}: {line[:60]!r}")
    for (name, _), taken in branches.items():
        c.add(c.branches, name, int(taken), 1)
    c.cut = f"the record of {file} does not end: it was cut off" if file else lines.doubt(given.exit_status)
    return covered.reading(NAME, c, given)
