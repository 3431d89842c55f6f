"""The journal: what makes a statement durable with one write to the disk.

    log/journal.ndjson    {"boot":ID} and then a line per statement: its checkpoint, entry and envelope

1. A statement happened when its line is durable. Its document, entry and checkpoint are then written as files without waiting for the
   disk: the kernel keeps those whatever happens to the process.
2. What a power cut loses of them is put back from here: the boot in the first line says whether there was one.
3. A line stays until its files are durable too. Beyond `JOURNAL_BYTES_MAX` they are synced together and the journal begins anew.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from release_dossier.errors import Corrupt
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

    def append(self, record: Record) -> tuple[int, int]:
        """`record`, durable. When that fails the journal is as long as before. Returns its length in bytes before and after.

        Raises:
            OSError: the disk says no.
        """
        line = _encoder.encode(record) + b"\n"
        fd = os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        try:
            before = _whole(fd)
            if armed("store.journal-torn"):
                os.write(fd, line[: len(line) // 2])
                reach("store.journal-torn")
            try:
                write_all(fd, line)
                os.fdatasync(fd)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(fd, before)
                raise
            return before, before + len(line)
        finally:
            os.close(fd)

    def cut(self, size: int) -> None:
        """Take back what was appended after `size` bytes."""
        os.truncate(self.file, size)

    def begin(self) -> None:
        """Empty, under this boot; durable."""
        fd = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.ftruncate(fd, 0)
            write_all(fd, msgspec.json.encode(_Head(boot())) + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)

    def size(self) -> int:
        """Length in bytes; 0 where there is none."""
        try:
            return os.stat(self.file).st_size
        except FileNotFoundError:
            return 0

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


def write_all(fd: int, data: bytes) -> None:
    """All of `data`, however often it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _whole(fd: int) -> int:
    """Length up to the last whole line; what a killed run left of another is cut off."""
    size = os.fstat(fd).st_size
    if os.pread(fd, 1, max(0, size - 1)) != b"\n":
        size = os.pread(fd, size, 0).rfind(b"\n") + 1
        os.ftruncate(fd, size)
    return size


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)
_head = msgspec.json.Decoder(_Head)
