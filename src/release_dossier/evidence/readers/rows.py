"""Rows of a statistics view of PostgreSQL as people save them: CSV with names (`\\copy … csv header`), a JSON list (`json_agg`), or a JSON
object a line. What is said of them is each reader's; this gives the rows, and counts those that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any

from release_dossier.evidence.readers.given import Given, Lines, fields, objects, record, whole_json, wrong_shape
from release_dossier.evidence.readers.sniff import outline

_TABLE = re.compile(
    r"\b(?:from|join|into|update|table|only)\s+(?:only\s+)?((?:\"[^\"]+\"|[a-z_][\w$]*)(?:\.(?:\"[^\"]+\"|[a-z_][\w$]*))?)", re.IGNORECASE
)
_NOT_TABLES = frozenset(["select", "set", "lateral", "unnest", "generate_series", "values", "only", "if", "the"])


def has(head: bytes, *names: str) -> bool:
    """Whether the first row has these columns, in any of the three shapes."""
    start = head.lstrip()
    if start[:1] == b"[":
        top = outline(head)
        return all(f"[].{n}" in top for n in names)
    line = start.partition(b"\n")[0].strip()
    if line[:1] == b"{":
        row = record(line)
        return row is not None and all(n in row for n in names)
    columns = {c.strip() for c in fields(line.decode("utf-8", "replace"))}
    return all(n in columns for n in names)


class Rows:
    """The rows of a stream. `cut` when they are read: why there may have been more."""

    def __init__(self, stream: IO[bytes], given: Given) -> None:
        self.stream, self.given = stream, given
        self.broken: list[str] = []
        self.cut = ""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        start = self.stream.read(4096).lstrip()
        self.stream.seek(0)
        if start[:1] == b"[":
            yield from objects(whole_json(self.stream), "file")
            return
        lines = Lines(self.stream)
        names: list[str] | None = None
        held = ""
        for number, raw in lines:
            line = raw.decode("utf-8", "replace")
            if start[:1] == b"{":
                row = record(raw)
                if row is None:
                    self.broken.append(f"line {number}: {line[:60]!r}")
                else:
                    yield row
                continue
            held = f"{held}\n{line}" if held else line
            if held.count('"') % 2:
                continue
            cells, held = fields(held), ""
            if names is None:
                names = [c.strip() for c in cells]
                if len(set(names)) != len(names):
                    wrong_shape("line 1", "a column twice", "each column once")
            elif len(cells) != len(names):
                self.broken.append(f"line {number}: {len(cells)} fields, {len(names)} are named")
            else:
                yield {k: v for k, v in zip(names, cells, strict=True) if v != ""}
        if held:
            self.broken.append("the last row does not end")
        self.cut = lines.doubt(self.given.exit_status)

    def doubt(self) -> str:
        """Why the rows may not be all there were, or could not all be read; empty when nothing says so."""
        return self.cut or (f"{len(self.broken)} rows could not be read, the first: {self.broken[0]}" if self.broken else "")


def number(row: dict[str, Any], *names: str) -> float | None:
    """The first of these columns that is a number from 0."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and re.fullmatch(r"\d{1,18}(?:\.\d{1,12})?(?:[eE][+-]?\d{1,2})?", value):
            value = float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e18:
            return float(value)
    return None


def flag(row: dict[str, Any], name: str) -> bool | None:
    """True and false as PostgreSQL writes them."""
    return {"t": True, "true": True, "f": False, "false": False}.get(str(row.get(name)).lower())


def tables(statement: str) -> tuple[str, ...]:
    """The tables a statement names, without their schema when it is `public`. By its words, not by a parser."""
    found = [t.replace('"', "").lower().removeprefix("public.") for t in _TABLE.findall(statement)]
    return tuple(dict.fromkeys(t for t in found if t not in _NOT_TABLES and not t.startswith("pg_")))
