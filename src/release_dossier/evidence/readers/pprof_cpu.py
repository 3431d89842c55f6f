"""pprof's oldest form, of gperftools and Java: words of 4 or 8 bytes, either end first. A header, stacks with their count, a trailer."""

from __future__ import annotations

import struct
from typing import IO

from release_dossier.errors import Refused
from release_dossier.evidence.readers import stacks
from release_dossier.evidence.readers.given import Given, wrong_shape
from release_dossier.evidence.readers.pprof_text import symbols
from release_dossier.evidence.reading import Reading
from release_dossier.limits import DOCUMENT_BYTES_MAX

NAME = "pprof-cpu"
_STACK_MAX = 10_000  # frames of one stack


def recognises(head: bytes) -> bool:
    """Its header, in one of four ways."""
    return _layout(head) is not None


def _layout(head: bytes) -> tuple[str, int] | None:
    """(order and size as `struct` has them, words of the header)."""
    for order, size in (("<I", 4), (">I", 4), ("<Q", 8), (">Q", 8)):
        if len(head) < 5 * size:
            continue
        zero, words, version, period, _ = (x[0] for x in struct.iter_unpack(order, head[: 5 * size]))
        if zero == 0 and words >= 3 and words < 32 and version in (0, 1) and 0 < period < 10**9:
            return order, words + 2
    return None


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every stack.

    Raises:
        Refused: `evidence.shape`, `json.too-large`.
    """
    raw = stream.read(DOCUMENT_BYTES_MAX + 1)
    if len(raw) > DOCUMENT_BYTES_MAX:
        raise Refused("json.too-large", at="file", found=f"more than {DOCUMENT_BYTES_MAX} bytes", expected=f"at most {DOCUMENT_BYTES_MAX}")
    layout = _layout(raw)
    if layout is None:
        wrong_shape("header", repr(raw[:20])[2:-1], "words 0, 3, 0 or 1, a period and 0")
    order, at = layout
    size = struct.calcsize(order)
    words = len(raw) // size
    period_ns = struct.unpack_from(order, raw, 3 * size)[0] * 1000
    found: list[tuple[int, tuple[int, ...]]] = []
    while True:
        if at + 2 > words:
            wrong_shape(f"word {at}", "the end of the file", "a stack or the trailer: it was cut off")
        count, depth = struct.unpack_from(f"{order[0]}2{order[1]}", raw, at * size)
        if depth > _STACK_MAX or at + 2 + depth > words:
            wrong_shape(f"word {at}", f"a stack of {depth} frames", "one that is in the file: it was cut off")
        frames = struct.unpack_from(f"{order[0]}{depth}{order[1]}", raw, (at + 2) * size)
        at += 2 + depth
        if count == 0 and frames == (0,):
            break
        found.append((count, frames))
    rest = raw[at * size :]
    names = symbols(rest.decode("utf-8", "replace").splitlines())
    p = stacks.Profile("pprof", "nanoseconds", given)
    p.what = "cpu"
    if not rest.endswith(b"\n"):
        p.cut = "it does not end with its map of memory: it was cut off"
    for count, frames in found:
        p.add([names.get(a, (f"0x{a:x}", "")) for a in frames], count * period_ns)
    return stacks.reading(NAME, p, given)
