"""pprof's older text forms: heap and growth, contention, threads and counts of goroutines, from C++, Java and older Go.

Heap profiles of a sampling allocator are scaled up to what was allocated, contention to all of it, as pprof itself does. Addresses stay
addresses unless the file says the function. It can end after any line, but a memory map or symbols at its end say that it did not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import expm1
from typing import IO

from release_dossier.evidence.readers import stacks
from release_dossier.evidence.readers.given import Given, Lines, wrong_shape
from release_dossier.evidence.reading import Reading

NAME = "pprof-text"
_HEAP = re.compile(r"heap profile:\s*(\d{1,18}):\s*(\d{1,18})\s*\[\s*(\d{1,18}):\s*(\d{1,18})\]\s*@\s*([a-z_0-9]*)(?:/(\d{1,18}))?")
_COUNTED = re.compile(r"(\w+) profile: total (\d{1,18})")
_ENTRY = re.compile(r"\s*(\d{1,18}):\s*(\d{1,18})\s*\[\s*(\d{1,18}):\s*(\d{1,18})\]\s*@((?:\s+0x[0-9a-fA-F]+)*)\s*\Z")
_PAIR = re.compile(r"\s*(\d{1,18})\s+(\d{1,18})\s*@((?:\s+0x[0-9a-fA-F]+)*)\s*\Z")
_COUNT = re.compile(r"\s*(\d{1,18})\s*@((?:\s+0x[0-9a-fA-F]+)*)\s*\Z")
_SYMBOL = re.compile(r"\s*(0x[0-9a-fA-F]+)\s+(\S.*?)(?:\s+\(([^()]*?)(?::(\d{1,18}))?\))?\s*\Z")
_PC = re.compile(r"\s*(?:PC:\s+)?((?:0x[0-9a-fA-F]+[:\s]*)+)(.*)\Z")
_FIRST = (b"heap profile:", b"--- heapz", b"--- contention", b"--- mutex", b"--- threadz", b"--- heap ", b"--- growthz")


def recognises(head: bytes) -> bool:
    """Its first line."""
    start = head.lstrip()
    return start.startswith(_FIRST) or re.match(rb"(?:goroutine|threadcreate|block|mutex) profile: total \d+", start) is not None


def symbols(lines: list[str]) -> dict[int, stacks.Frame]:
    """Address → function and file, of lines such as ` 0x0000000c com.example.function (source.java:3)`."""
    return {int(m[1], 16): (m[2], m[3] or "") for line in lines if (m := _SYMBOL.match(line)) and len(m[1]) <= 18}


class _File:
    def __init__(self, given: Given) -> None:
        self.p = stacks.Profile("pprof", "", given)
        self.settings: dict[str, str] = {}
        self.entries: list[tuple[list[str], int, int]] = []  # addresses, count, value
        self.symbols: dict[str, stacks.Frame] = {}
        self.kind = ""
        self.rate = 0
        self.mapped = False


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every sample.

    Raises:
        Refused: `evidence.shape`, `evidence.line-too-long`.
    """
    f = _File(given)
    lines = Lines(stream)
    body = ((n, raw.decode("utf-8", "replace")) for n, raw in lines)
    _, first = next(body, (0, ""))
    _head(f, first)
    if f.kind == "thread":
        _threads(f, body)
    else:
        for number, line in body:
            _line(f, number, line)
    scale = _scale(f)
    for addresses, count, value in f.entries:
        n, v = scale(count, value)
        f.p.add([f.symbols.get(a, (a, "")) for a in addresses], v, max(1, n) if f.kind == "thread" else 1)
    if not f.p.unit:
        f.p.unit = {"heap": "bytes", "contention": "microseconds"}.get(f.kind, "count")
    f.p.cut = lines.doubt(0 if f.mapped else given.exit_status)
    return stacks.reading(NAME, f.p, given)


def _head(f: _File, line: str) -> None:
    if found := _HEAP.match(line):
        f.kind, f.p.what = "heap", "growth" if "growth" in found[5] else "inuse_space"
        f.settings["sampling"] = found[5]
        f.rate = int(found[6] or 0) if found[5] in ("heapz_v2", "heap_v2") else 0
        if found[5] == "heap":
            f.rate = 2 * int(found[6] or 0)
    elif found := _COUNTED.match(line):
        f.kind, f.p.what = "count", found[1]
    elif line.startswith("--- heap"):
        f.kind, f.p.what, f.rate = "heap", "inuse_space", 524_288
    elif line.startswith(("--- contention", "--- mutex")):
        f.kind, f.p.what = "contention", "delay"
    elif line.startswith("--- threadz"):
        f.kind, f.p.what = "thread", "thread"
    else:
        wrong_shape("line 1", line[:60], "heap, contention, threads or a count")


def _line(f: _File, number: int, line: str) -> None:
    text = line.strip()
    if (f.mapped and any(form.match(line) for form in (_ENTRY, _PAIR, _COUNT, _HEAP, _COUNTED))) or text.startswith(
        ("--- contention", "--- heap")
    ):
        f.p.broken.append(f"line {number}: {text[:60]!r} after the end")
    elif text.startswith(("MAPPED_LIBRARIES", "--- Memory map", "#")) or (f.mapped and not _SYMBOL.match(line)):
        f.mapped = f.mapped or not text.startswith("#")
    elif found := _ENTRY.match(line):
        f.entries.append((found[5].split(), int(found[1]), int(found[2])))
    elif found := _PAIR.match(line):
        one, other = int(found[1]), int(found[2])
        f.entries.append((found[3].split(), other, one))
    elif found := _COUNT.match(line):
        f.entries.append((found[2].split(), int(found[1]), int(found[1])))
    elif "=" in text and not text.startswith("0x"):
        key, _, value = text.partition("=")
        f.settings[key.strip()] = value.strip()
    elif found := _SYMBOL.match(line):
        f.symbols[found[1]] = (found[2], found[3] or "")
        f.mapped = True
    else:
        f.p.broken.append(f"line {number}: {text[:60]!r}")


def _threads(f: _File, body: Iterator[tuple[int, str]]) -> None:
    stack: list[str] = []
    same = False

    def keep() -> None:
        if same and f.entries:
            addresses, count, _ = f.entries[-1]
            f.entries[-1] = (addresses, count + 1, count + 1)
        elif stack:
            f.entries.append((stack, 1, 1))

    begun = False
    for _, line in body:
        if line.startswith("--- Memory map"):
            f.mapped = True
            break
        if line.startswith("---"):
            if begun:
                keep()
            stack, same, begun = [], False, True
        elif "same as previous thread" in line:
            same = True
        elif found := _PC.match(line.replace("creator:", " ")):
            addresses = re.findall(r"0x[0-9a-fA-F]+", found[1])
            stack += addresses
            if found[2].strip() and len(addresses) == 1:
                f.symbols[addresses[0]] = (found[2].strip(), "")
    if begun:
        keep()


def _scale(f: _File) -> Callable[[int, int], tuple[int, int]]:
    """(count, value) as they were, of what was sampled."""
    if f.kind == "heap" and f.rate:

        def heap(count: int, value: int) -> tuple[int, int]:
            if not count or not value:
                return 0, 0
            factor = -expm1(-(value / count) / f.rate)
            if not factor:
                wrong_shape("a sample", f"{value} bytes in {count} objects", "objects of at least a byte")
            return int(count / factor), int(value / factor)

        return heap
    if f.kind == "contention":
        period = int(f.settings.get("sampling period", "1")) if f.settings.get("sampling period", "1").isdigit() else 1
        hertz = float(f.settings.get("cycles/second", "0") or 0) if re.fullmatch(r"\d+", f.settings.get("cycles/second", "")) else 0.0
        if hertz:
            f.p.unit = "nanoseconds"
            return lambda count, value: (count * period, int(value * period * 1e9 / hertz))
        return lambda count, value: (count * period, value * period)
    return lambda count, value: (count, value)
