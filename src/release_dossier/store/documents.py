"""The envelopes of a folder in the order of the log, 256 to a file as in an entry bundle of tlog-tiles, a line each.

    documents/000000.ndjson    the envelopes of log entries 0 to 255

To make a file costs more than to sync one; a line costs nothing beside either. A line is the envelope as it was signed, or, where that has
line ends in it, the same as a JSON string. Where lines begin is only remembered: whatever is read is hashed, and what is not what the log
names is looked for once more from the start of its file.
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from release_dossier.digest import sha256
from release_dossier.errors import Corrupt
from release_dossier.limits import REMEMBERED_BYTES_MAX
from release_dossier.store.crash import armed, reach
from release_dossier.store.index import check_document
from release_dossier.store.journal import write_all
from release_dossier.trust.log import Entry

WIDTH = 256  # lines of a file
TICK_NS = 100_000_000  # nanoseconds; file systems count in ticks of up to 10 ms
_Stamp = tuple[int, ...]


class Documents:
    """The envelopes below `home`. Any number of readers; only the holder of the store's lock appends.

    Every method raises OSError: the file system says no.
    """

    def __init__(self, home: Path) -> None:
        self.folder = str(home / "documents")
        self._begins: dict[int, array[int]] = {}  # file → offsets of its lines, and of its end
        self._remembered: dict[int, tuple[_Stamp, bytes]] = {}  # entry → what its file was, and the envelope
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
        opened: dict[int, tuple[int, _Stamp]] = {}
        try:
            return [self._read(entry, opened) for entry in entries]
        finally:
            for fd, _ in opened.values():
                os.close(fd)

    def _read(self, entry: Entry, opened: dict[int, tuple[int, _Stamp]]) -> bytes:
        n = entry.n // WIDTH
        if n not in opened:
            try:
                fd = os.open(self.file_of(entry.n), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError as e:
                raise self._missing(entry, "no such file") from e
            opened[n] = fd, _stamp_of(os.fstat(fd))
        fd, stamp = opened[n]
        known = self._remembered.get(entry.n)
        if known is not None and known[0] == stamp:
            return known[1]
        raw = self._line(fd, entry)
        self._remember(entry.n, stamp, raw)
        return raw

    def _line(self, fd: int, entry: Entry) -> bytes:
        n, line = divmod(entry.n, WIDTH)
        raw = self._cut_out(fd, self._begins.get(n), line)
        if sha256(raw) != entry.envelope:
            self._begins[n] = _begins(fd)
            raw = self._cut_out(fd, self._begins[n], line)
        if not raw:
            raise self._missing(entry, f"no line {line + 1}")
        return check_document(raw, entry, f"{self.file_of(entry.n)} line {line + 1}")

    @staticmethod
    def _cut_out(fd: int, begins: array[int] | None, line: int) -> bytes:
        if begins is None or line + 1 >= len(begins):
            return b""
        raw = os.pread(fd, begins[line + 1] - begins[line] - 1, begins[line])
        if raw.startswith(b'"'):
            with suppress(msgspec.DecodeError):
                return _text.decode(raw).encode()
        return raw

    def _missing(self, entry: Entry, found: str) -> Corrupt:
        expected = f"the {entry.type} of log entry {entry.n}"
        return Corrupt("store.missing-document", at=self.file_of(entry.n), found=found, expected=expected)

    def _remember(self, n: int, stamp: _Stamp, raw: bytes) -> None:
        """Unless its file is so young that a change could fall into the same tick of the file system's clock."""
        if time.time_ns() - stamp[-1] < TICK_NS:
            return
        if self._remembered_bytes + len(raw) > REMEMBERED_BYTES_MAX:
            self._remembered.clear()
            self._remembered_bytes = 0
        before = self._remembered.get(n)
        self._remembered[n] = stamp, raw
        self._remembered_bytes += len(raw) - (len(before[1]) if before else 0)

    def append(self, first: int, envelopes: Sequence[bytes]) -> None:
        """The envelopes of the log entries from `first` on. Whatever a run that was killed or failed left there is cut off before; what is
        missing before them stays missing."""
        for n in range(first // WIDTH, (first + len(envelopes) - 1) // WIDTH + 1):
            begin = max(first, n * WIDTH)
            self._extend(n, begin % WIDTH, [_line_of(raw) for raw in envelopes[begin - first : (n + 1) * WIDTH - first]])

    def _extend(self, n: int, line: int, lines: list[bytes]) -> None:
        fd = os.open(self.file_of(n * WIDTH), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            begins = self._begins.get(n)
            if begins is None or len(begins) != line + 1 or begins[-1] != os.fstat(fd).st_size:
                begins = _shortened(fd, line)
            data = b"".join(lines)
            if armed("store.document-torn"):
                write_all(fd, data[: len(data) // 2])
                reach("store.document-torn")
            write_all(fd, data)
        finally:
            os.close(fd)
        for each in lines:
            begins.append(begins[-1] + len(each))
        self._begins[n] = begins


def _begins(fd: int) -> array[int]:
    """Where each whole line begins, and where the last ends."""
    raw = os.pread(fd, os.fstat(fd).st_size, 0)
    begins, at = array("Q", [0]), 0
    while (at := raw.find(b"\n", at) + 1) > 0:
        begins.append(at)
    return begins


def _shortened(fd: int, lines: int) -> array[int]:
    """The file with so many lines and no more. Lines it lacks are empty."""
    begins = _begins(fd)[: lines + 1]
    os.ftruncate(fd, begins[-1])
    lacks = lines + 1 - len(begins)
    write_all(fd, b"\n" * lacks)
    begins.extend(begins[-1] + 1 + i for i in range(lacks))
    return begins


def _line_of(envelope: bytes) -> bytes:
    return (msgspec.json.encode(envelope.decode()) if b"\n" in envelope else envelope) + b"\n"


def _stamp_of(s: os.stat_result) -> _Stamp:
    return (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)


_text = msgspec.json.Decoder(str)
