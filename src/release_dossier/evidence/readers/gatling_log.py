"""Gatling's `simulation.log` as text (to 3.10): a line a request, tabs between. Later ones are binary. It can end after any line."""

from __future__ import annotations

import re
from typing import IO

from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, Lines, whole
from release_dossier.evidence.readers.jmeter import Tally
from release_dossier.evidence.reading import Reading

NAME = "gatling-log"
_RUN = re.compile(rb"RUN\t[^\n]*\t\d{13}\t")


def recognises(head: bytes) -> bool:
    """Its first line."""
    return _RUN.match(head) is not None or re.match(rb"ASSERTION\t[^\n]*\n(?:ASSERTION[^\n]*\n)*RUN\t", head) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every request. The name of the request, start and end stand before its status, whatever the version puts before them."""
    tally = Tally()
    lines = Lines(stream)
    broken: list[str] = []
    version = ""
    for number, raw in lines:
        field = raw.decode("utf-8", "replace").split("\t")
        if field[0] == "RUN":
            version = field[-1].strip()
        elif field[0] == "REQUEST":
            at = next((i for i in range(3, len(field)) if field[i] in ("OK", "KO") and whole(field[i - 1]) is not None), 0)
            start, end = (whole(field[at - 2]), whole(field[at - 1])) if at else (None, None)
            if start is None or end is None or end < start:
                broken.append(f"line {number}: {raw[:60]!r}")
                continue
            what = field[at + 1].strip() if len(field) > at + 1 else ""
            tally.sample(start, end - start, field[at] == "OK", field[at - 3], what)
        elif field[0] not in ("USER", "GROUP", "ASSERTION", "ERROR"):
            broken.append(f"line {number}: {raw[:60]!r}")
    run = tally.run()
    run.tool, run.tool_version = "Gatling", version
    run.broken, run.cut = broken, lines.doubt(given.exit_status)
    return load.reading(NAME, run, given)
