"""Go's benchmark text: a line a result, a package's name before it. It can end anywhere; a run that ended says PASS, FAIL or ok."""

from __future__ import annotations

import re
from typing import IO

from release_dossier.evidence.readers import timings
from release_dossier.evidence.readers.given import Given, Lines
from release_dossier.evidence.reading import Reading, example

NAME = "go-bench"
_RESULT = re.compile(r"(Benchmark\S*)\s+(\d+)\s+(.*\S)\s*\Z")
_FIGURE = re.compile(r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s+(\S+)")
_LATE = re.compile(r"\s*(\d+)\s+(\S.*\S)\s*\Z")  # the figures of a benchmark that printed between its name and them
_LINE = re.compile(rb"^Benchmark\S*[ \t]+\d+[ \t]+[\d.]+ \S*/\S+", re.MULTILINE)


def recognises(head: bytes) -> bool:
    """A line of a result, and no JSON around it."""
    return head.lstrip()[:1] not in (b"{", b"[", b"<") and _LINE.search(head) is not None and b"\xe2\x94\x82" not in head


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every figure of every result."""
    return timings.reading(NAME, lambda s: parse(s, given.exit_status), stream, given)


def parse(stream: IO[bytes], exit_status: int | None = 0) -> timings.Report:
    """The report. A benchmark is one of its package; a line that is no result and no word of Go's was printed by the benchmark."""
    out = timings.Report("go test -bench")
    package = printing = ""
    lines = Lines(stream)
    ended = True
    failing: set[str] = set()

    def enter(name: str, text: str) -> bool:
        figures = _FIGURE.findall(text)
        if not figures or _FIGURE.sub("", text).strip():
            return False
        for value, unit in figures:
            out.add(f"{package}.{name}" if package else name, unit, float(value))
        return True

    for number, raw in lines:
        line = raw.decode("utf-8", "replace").rstrip()
        if line.startswith("pkg: "):
            package = line[5:].strip()
        elif line.startswith(("goos: ", "goarch: ", "cpu: ")):
            key, _, value = line.partition(": ")
            out.words[key] = value.strip()
        elif line.startswith(("--- FAIL", "panic: ")) or (line.startswith("FAIL") and package not in failing):
            out.failed.append(example(line.strip(), package or f"line {number}"))
            failing.add(package)
            ended = True
        elif line.startswith(("PASS", "FAIL", "ok  \t")):
            ended = True
        elif line.startswith("Benchmark"):
            ended = False
            found = _RESULT.match(line)
            printing = "" if found else line.split()[0]
            if found is not None and not enter(found[1], found[3]):
                out.broken.append(f"line {number}: {line[:60]!r}")
        elif printing and (late := _LATE.match(line)) and enter(printing, late[2]):
            printing = ""
    out.cut = lines.doubt(exit_status) or ("" if ended else "its last run says neither PASS nor FAIL: it was cut off")
    return out
