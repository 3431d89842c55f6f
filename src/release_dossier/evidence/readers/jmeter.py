"""JMeter's results as CSV (JTL): a line a sample. It can end after any line.

A transaction sums up samples that stand in the file too, and the steps of a redirect stand behind the sample they are part of: both are
left out, so that nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, Lines, epoch, fields, whole
from release_dossier.evidence.reading import Reading
from release_dossier.limits import EVIDENCE_LINE_BYTES_MAX

NAME = "jmeter-csv"
DEFAULT = ["timeStamp", "elapsed", "label", "responseCode", "responseMessage", "threadName", "dataType", "success", "bytes"]
TRANSACTION = "Number of samples in transaction"


def recognises(head: bytes) -> bool:
    """Its header, or lines of the default columns without one."""
    line = head.lstrip().partition(b"\n")[0].decode("utf-8", "replace")
    first = fields(line, _delimiter(line))
    bare = len(first) >= 8 and first[0].isdigit() and len(first[0]) == 13 and first[1].isdigit() and first[7] in ("true", "false")
    return bare or {"timeStamp", "elapsed", "success"} <= set(first)


class Tally:
    """Samples as they come. `seconds` from the first start to the last end."""

    def __init__(self) -> None:
        self.times = load.Distribution()
        self.failed = self.transactions = self.steps = 0
        self.first = self.last = 0
        self.errors: dict[tuple[str, str], int] = {}

    def sample(self, start: int | None, elapsed: int, good: bool, label: str, what: str) -> None:
        """Enter one; `start` in milliseconds since 1970 where the file says so."""
        self.times.add(elapsed)
        self.failed += not good
        if start:
            self.first = min(self.first or start, start)
            self.last = max(self.last, start + elapsed)
        key = (label[:200], what[:200])
        if not good and (key in self.errors or len(self.errors) < 1_000):
            self.errors[key] = self.errors.get(key, 0) + 1

    def run(self) -> load.Run:
        """What they say together."""
        out = load.Run("JMeter")
        out.requests, out.failed = self.times.count, self.failed
        out.measured(self.times, (self.last - self.first) / 1000 if self.last > self.first else None)
        out.observed_at = epoch(self.last) if self.last else None
        out.errors = [(n, what or "failed", label) for (label, what), n in self.errors.items()]
        if self.transactions:
            out.limits.append(f"{self.transactions} transactions are left out: they sum up samples that are in it")
        if self.steps:
            out.limits.append(f"{self.steps} steps of samples are left out: the sample before them sums them up")
        return out


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every sample.

    Raises:
        Refused: `evidence.line-too-long`, `evidence.shape`.
    """
    tally = Tally()
    lines = Lines(stream)
    names = DEFAULT
    broken: list[str] = []
    whole_sample: _Sample | None = None
    for number, row in _rows(lines):
        if number == 1 and "elapsed" in row:
            names = row
            continue
        field = dict(zip(names, row, strict=False))
        elapsed, good = whole(field.get("elapsed", "")), field.get("success", "").lower()
        if (
            elapsed is None
            or good not in ("true", "false")
            or len(row) < min(len(names), len(DEFAULT) - 1)
            or (names is not DEFAULT and len(row) != len(names))
        ):
            broken.append(f"line {number}: {','.join(row)[:60]!r}")
        elif field.get("responseMessage", "").startswith(TRANSACTION):
            tally.transactions += 1
        elif whole_sample is not None and whole_sample.has(field, elapsed):
            tally.steps += 1
        else:
            whole_sample = _Sample(field, elapsed)
            what = field.get("failureMessage") or f"{field.get('responseCode', '')} {field.get('responseMessage', '')}".strip()
            tally.sample(whole(field.get("timeStamp", "")), elapsed, good == "true", field.get("label", ""), what)
    run = tally.run()
    run.broken, run.cut = broken, lines.doubt(given.exit_status)
    return load.reading(NAME, run, given)


class _Sample:
    """The last sample that is no part of another. JMeter writes its parts behind it, called as it is with `-0`, `-1`, …"""

    def __init__(self, field: dict[str, str], elapsed: int) -> None:
        self.label, self.thread, self.parts = field.get("label", ""), field.get("threadName", ""), 0
        self.start = whole(field.get("timeStamp", ""))
        self.end = (self.start or 0) + elapsed

    def has(self, field: dict[str, str], elapsed: int) -> bool:
        """Whether the next sample is the next part of it: of the same thread, called so, and within its time."""
        start = whole(field.get("timeStamp", ""))
        if self.start is None or start is None or not self.start <= start <= start + elapsed <= self.end:
            return False
        if (field.get("label"), field.get("threadName")) != (f"{self.label}-{self.parts}", self.thread):
            return False
        self.parts += 1
        return True


def _delimiter(header: str) -> str:
    """JMeter takes any; where the first column is not followed by another that is known, it is a comma."""
    return header[9:10] if header.startswith("timeStamp") and header[9:10] in (";", "\t", "|") else ","


def _rows(lines: Lines) -> Iterator[tuple[int, Any]]:
    """(line, fields); a quoted field may go over many lines."""
    held: list[str] = []
    begun = size = quotes = 0
    delimiter = ""
    for number, raw in lines:
        line = raw.decode("utf-8", "replace")
        held.append(line)
        delimiter = delimiter or _delimiter(line)
        begun, size, quotes = begun or number, size + len(line), quotes + line.count('"')
        if size > EVIDENCE_LINE_BYTES_MAX:
            raise Refused(
                "evidence.line-too-long", at=f"line {begun}", found="a longer record", expected=f"at most {EVIDENCE_LINE_BYTES_MAX} bytes"
            )
        if quotes % 2 == 0:
            yield begun, fields("\n".join(held), delimiter)
            held, begun, size, quotes = [], 0, 0, 0
    if held:
        yield begun, held
