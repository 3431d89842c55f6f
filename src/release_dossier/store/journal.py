"""The journal: what makes a statement durable with one write to the disk.

    log/journal.ndjson    {"boot":ID} and then a line per statement: its checkpoint, entry and envelope

1. A statement happened when its line is durable. Its document, entry and checkpoint are then written as files without waiting for the
   disk: the kernel keeps those whatever happens to the process.
2. What a power cut loses of them is put back from here: the boot in the first line says whether there was one.
3. A line stays until its files are durable too. Beyond `JOURNAL_BYTES_MAX` they are synced together and the journal begins anew.
4. Room for all of it is written when it begins, as NUL bytes: syncing a line then changes nothing of the file but its content, which is a
   third cheaper. A line has no NUL byte, so the first one is the end.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from release_dossier.disk import write_all
from release_dossier.errors import Corrupt
from release_dossier.limits import JOURNAL_BYTES_MAX
from release_dossier.store.crash import armed, reach

_BOOT = "/proc/sys/kernel/random/boot_id"


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One statement as it was put: the checkpoint over it, the line of its entry, its envelope. `before` are those put together with it
    and in front of it, entry and envelope of each: one line is whole or is not."""

    checkpoint: str
    entry: str
    envelope: str
    before: tuple[tuple[str, str], ...] = ()

    def each(self) -> list[Record]:
        """Every statement of the line in order. A checkpoint goes with the last alone."""
        return [*(Record("", entry, envelope) for entry, envelope in self.before), Record(self.checkpoint, self.entry, self.envelope)]


class _Head(msgspec.Struct, frozen=True):
    boot: str


class Journal:
    """The journal in `file`. Only the holder of the store's lock writes."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)
        self._end = 0
        self._fd: int | None = None
        self._close: Callable[[], object] | None = None

    def append(self, record: Record) -> tuple[int, int]:
        """`record`, durable. When that fails the journal is as long as before. Returns its length in bytes before and after.

        Raises:
            OSError: the disk says no.
        """
        line = _encoder.encode(record) + b"\n"
        fd = self._open()
        before = self._whole(fd)
        if armed("store.journal-torn"):
            _write_at(fd, before, line[: len(line) // 2])
            reach("store.journal-torn")
        try:
            _write_at(fd, before, line)
            os.fdatasync(fd)
        except OSError:
            with suppress(OSError):
                _write_at(fd, before, bytes(len(line)))
            raise
        self._end = before + len(line)
        return before, self._end

    def cut(self, size: int) -> None:
        """Take back what was appended after `size` bytes."""
        fd = self._open()
        _write_at(fd, size, bytes(self._end_of(fd) - size))

    def forget(self) -> None:
        """Open what `file` names anew, next time: it may be another one."""
        if self._close is not None:
            self._close()
        self._fd, self._close, self._end = None, None, 0

    def _open(self) -> int:
        """Kept from one line to the next: opening it for each takes as long as all else beside the sync."""
        if self._fd is None:
            self._fd = os.open(self.file, os.O_RDWR | os.O_CLOEXEC)
            self._close = weakref.finalize(self, os.close, self._fd)
        return self._fd

    def begin(self) -> None:
        """Empty, under this boot; durable."""
        self.forget()
        head = msgspec.json.encode(_Head(boot())) + b"\n"
        fd = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.ftruncate(fd, 0)
            write_all(fd, head)
            with suppress(OSError):  # a full disk: the file grows with each line instead
                write_all(fd, bytes(JOURNAL_BYTES_MAX))
            os.fsync(fd)
        finally:
            os.close(fd)
        self._end = len(head)

    def size(self) -> int:
        """Length in bytes, up to the room; 0 where there is none."""
        if self._fd is not None:
            return self._end_of(self._fd)
        try:
            fd = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        try:
            return self._end_of(fd)
        finally:
            os.close(fd)

    def _end_of(self, fd: int) -> int:
        """Where the first NUL byte is: where it was last, or by halving."""
        if end := self._remembered(fd):
            return end
        low, high = 0, os.fstat(fd).st_size
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if os.pread(fd, 1, middle) == b"\0" else (middle + 1, high)
        self._end = low
        return low

    def _remembered(self, fd: int) -> int:
        """The end, where it still is behind the last whole line written here; else 0."""
        return self._end if self._end and os.pread(fd, 2, self._end - 1) == b"\n\0" else 0

    def _whole(self, fd: int) -> int:
        """Length up to the last whole line; what a killed run left of another is cut off."""
        if end := self._remembered(fd):
            return end
        end = self._end_of(fd)
        if os.pread(fd, 1, max(0, end - 1)) != b"\n":
            whole = os.pread(fd, end, 0).rfind(b"\n") + 1
            _write_at(fd, whole, bytes(end - whole))
            end = whole
        return end

    def read(self) -> tuple[bool, list[Record]]:
        """Whether every file written since is still as the kernel had it, and the records. A line that is not whole did not happen.

        Raises:
            Corrupt: `log.journal`.
        """
        try:
            with open(self.file, "rb") as f:
                lines = f.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return True, []
        try:
            head = _head.decode(lines[0]) if lines else _Head("")
            return bool(head.boot) and head.boot == boot(), [one for line in lines[1:] for one in _decoder.decode(line).each()]
        except msgspec.DecodeError as e:
            raise Corrupt("log.journal", at=self.file, found=str(e), expected="a line per statement") from e


def boot() -> str:
    """What the kernel calls the time since it started; empty where it has no name for it, and then no two times are the same."""
    try:
        with open(_BOOT, encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return ""


def _write_at(fd: int, at: int, data: bytes) -> None:
    os.lseek(fd, at, os.SEEK_SET)
    write_all(fd, data)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)
_head = msgspec.json.Decoder(_Head)
