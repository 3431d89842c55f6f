"""The envelopes of a folder in the order of the log, 256 to a file as in an entry bundle of tlog-tiles, a line each.

    documents/000000.ndjson    the envelopes of log entries 0 to 255

To make a file costs more than to sync one; a line costs nothing beside either. A line is the envelope as it was signed, or, where that has
line ends in it, the same as a JSON string. Where lines begin is only remembered: what is read is hashed, and what is not what the log names
is looked for once more from the start of its file.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from release_dossier.digest import sha256
from release_dossier.disk import write_all
from release_dossier.errors import Corrupt
from release_dossier.limits import DOCUMENT_BYTES_MAX, REMEMBERED_BYTES_MAX
from release_dossier.store.crash import armed, reach
from release_dossier.store.index import check_document
from release_dossier.trust.log import Entry

WIDTH = 256  # lines of a file
TICK_NS = 100_000_000  # nanoseconds; file systems count in ticks of up to 10 ms
_CHUNK_BYTES = 1024 * 1024
_LINE_BYTES_MAX = 2 * DOCUMENT_BYTES_MAX  # an envelope is 4/3 of its statement
_Stamp = tuple[int, ...]


class Documents:
    """The envelopes below `home`. Any number of readers; only the holder of the store's lock appends.

    Every method raises OSError: the file system says no.
    """

    def __init__(self, home: Path) -> None:
        self.folder = str(home / "documents")
        self._begins: dict[int, array[int]] = {}  # file → offsets of its lines, and of the end of the last
        self._searched: dict[int, _Stamp] = {}  # file → what it was when all of it was looked through for a line
        self._remembered: dict[int, tuple[_Stamp, str, bytes]] = {}  # entry → what its file was, digest of the envelope, the envelope
        self._remembered_bytes = 0

    def file_of(self, n: int) -> str:
        """Where the envelope of log entry `n` lies."""
        return f"{self.folder}/{n // WIDTH:06d}.ndjson"

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """The envelope of each entry, byte for byte. One whose file has the inode, size and times it had is not read again; the time an
        inode changed cannot be set by hand.

        Raises:
            Corrupt: `store.missing-document`, `store.altered-document`.
        """
        out: list[bytes] = []
        opened, fd, stamp = -1, -1, _Stamp()
        try:
            for entry in entries:
                if opened != entry.n // WIDTH:
                    if fd >= 0:
                        os.close(fd)
                        fd = -1
                    try:
                        fd = os.open(self.file_of(entry.n), os.O_RDONLY | os.O_CLOEXEC)
                    except FileNotFoundError as e:
                        raise self._missing(entry, "no such file") from e
                    opened, stamp = entry.n // WIDTH, _stamp_of(os.fstat(fd))
                known = self._remembered.get(entry.n)
                if known is not None and known[:2] == (stamp, entry.envelope):
                    out.append(known[2])
                else:
                    out.append(self._line(fd, stamp, entry))
                    self._remember(entry, stamp, out[-1])
        finally:
            if fd >= 0:
                os.close(fd)
        return out

    def _line(self, fd: int, stamp: _Stamp, entry: Entry) -> bytes:
        n, line = divmod(entry.n, WIDTH)
        begins = self._begins.get(n)
        if begins is None or line + 1 >= len(begins):
            begins = self._begins[n] = _lines_of(fd, begins)
        raw = _cut_out(fd, begins, line)
        if sha256(raw) != entry.envelope and self._searched.get(n) != stamp:
            begins = self._begins[n] = _lines_of(fd)
            self._searched[n] = stamp
            raw = _cut_out(fd, begins, line)
        if not raw:
            raise self._missing(entry, f"no line {line + 1}")
        return check_document(raw, entry, f"{self.file_of(entry.n)} line {line + 1}")

    def _missing(self, entry: Entry, found: str) -> Corrupt:
        expected = f"the {entry.type} of log entry {entry.n}"
        return Corrupt("store.missing-document", at=self.file_of(entry.n), found=found, expected=expected)

    def _remember(self, entry: Entry, stamp: _Stamp, raw: bytes) -> None:
        """Unless its file is so young that a change could fall into the same tick of the file system's clock."""
        if time.time_ns() - stamp[-1] < TICK_NS:
            return
        if self._remembered_bytes + len(raw) > REMEMBERED_BYTES_MAX:
            self._remembered.clear()
            self._remembered_bytes = 0
        before = self._remembered.get(entry.n)
        self._remembered[entry.n] = stamp, entry.envelope, raw
        self._remembered_bytes += len(raw) - (len(before[2]) if before else 0)

    def append(self, first: int, envelopes: Sequence[bytes], last: Entry | None) -> None:
        """The envelopes of the log entries from `first` on, which follow `last`. What a run that was killed or failed left of these very
        envelopes is written over; whole lines that say something else are put into `cut-off.ndjson`, and stay where they are while the line
        before them is not `last`. What is missing before them stays missing.

        Raises:
            Corrupt: `store.altered-document`: lines were put in or taken out.
        """
        for n in range(first // WIDTH, (first + len(envelopes) - 1) // WIDTH + 1):
            begin = max(first, n * WIDTH)
            lines = [_line_of(raw) for raw in envelopes[begin - first : (n + 1) * WIDTH - first]]
            self._extend(n, begin % WIDTH, lines, last if begin == first and begin % WIDTH else None)

    def _extend(self, n: int, line: int, lines: list[bytes], last: Entry | None) -> None:
        data = b"".join(lines)
        fd = os.open(self.file_of(n * WIDTH), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            begins = self._begins.get(n)
            if begins is None or len(begins) != line + 1 or begins[-1] != os.fstat(fd).st_size:
                begins = self._shortened(fd, line, data, last)
            if armed("store.document-torn"):
                write_all(fd, data[: len(data) // 2])
                reach("store.document-torn")
            write_all(fd, data)
        finally:
            os.close(fd)
        for each in lines:
            begins.append(begins[-1] + len(each))
        self._begins[n] = begins

    def _shortened(self, fd: int, lines: int, data: bytes, last: Entry | None) -> array[int]:
        """The file with so many lines and no more, for `data` behind them. Lines it lacks are empty."""
        whole = _lines_of(fd)
        begins = whole[: lines + 1]
        rest = b"".join(_pieces(fd, begins[-1], whole[-1]))
        if not (rest.startswith(data) or data.startswith(rest)):
            if last is not None:
                check_document(_cut_out(fd, begins, lines - 1), last, f"{self.file_of(last.n)} line {lines}")
            with open(f"{self.folder}/cut-off.ndjson", "ab") as aside:
                aside.write(rest)
                aside.flush()
                os.fsync(aside.fileno())
        os.ftruncate(fd, begins[-1])
        lacks = lines + 1 - len(begins)
        write_all(fd, b"\n" * lacks)
        begins.extend(begins[-1] + 1 + i for i in range(lacks))
        return begins


def _lines_of(fd: int, known: array[int] | None = None) -> array[int]:
    """Where each whole line begins, and where the last ends; further than `known`. A line that is longer than any is none."""
    begins = known[:] if known else array("Q", [0])
    at = begins[-1]
    while len(begins) <= WIDTH and at - begins[-1] < _LINE_BYTES_MAX and (chunk := os.pread(fd, _CHUNK_BYTES, at)):
        end = 0
        while (end := chunk.find(b"\n", end) + 1) > 0:
            begins.append(at + end)
        at += len(chunk)
    return begins


def _cut_out(fd: int, begins: array[int], line: int) -> bytes:
    """A line without its end; nothing where there is none."""
    if line + 1 >= len(begins):
        return b""
    raw = b"".join(_pieces(fd, begins[line], begins[line + 1] - 1))
    if raw.startswith(b'"'):
        with suppress(msgspec.DecodeError):
            return _text.decode(raw).encode()
    return raw


def _pieces(fd: int, begin: int, end: int) -> Iterator[bytes]:
    while begin < end and (piece := os.pread(fd, end - begin, begin)):
        begin += len(piece)
        yield piece


def _line_of(envelope: bytes) -> bytes:
    return (msgspec.json.encode(envelope.decode()) if b"\n" in envelope else envelope) + b"\n"


def _stamp_of(s: os.stat_result) -> _Stamp:
    return (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)


_text = msgspec.json.Decoder(str)
