"""What is to be sent, durable before it is tried: a journal of deliveries and of every try, beside the log in the project's folder.

    outbox/deliveries.ndjson   queued, began, ended: one line each, appended and synced
    outbox/locks/<id>          held while a delivery is tried; given up by the system when the process dies

1. A delivery has an id made from what is sent and to whom, the same at every call: queueing it again finds it.
2. `began` is durable before anything leaves. A process killed after it leaves a try without an end: the next one sends the same id again,
   and the receiver, or our own look at what is already there, keeps it from counting twice.
3. One process tries a delivery at a time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from release_dossier.delivery import Began, Delivery, Ended, State
from release_dossier.disk import lock_within, sync, write_all
from release_dossier.errors import Corrupt, Unavailable
from release_dossier.ports import LOCK_SECONDS_MAX
from release_dossier.store.crash import reach


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    queued: Delivery | None = None
    began: Began | None = None
    ended: Ended | None = None


class FileOutbox:
    """`ports.Outbox` in the folder `home`.

    Raises:
        Unavailable: `outbox.file-system`, `outbox.locked`. Corrupt: `outbox.journal`.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "outbox"
        self.file = self.folder / "deliveries.ndjson"
        self._turn = threading.Lock()
        self._read, self._inode, self._states = 0, 0, dict[str, State]()  # bytes taken in, of which file, and what they came to

    def queue(self, delivery: Delivery) -> State:
        """See `ports.Outbox.queue`."""
        with self._lock("queue", wait=True):
            known = self.states().get(delivery.id)
            if known is not None:
                return known
            self._append(_Line(queued=delivery))
            reach("outbox.queued")
        return State(delivery=delivery)

    def states(self) -> dict[str, State]:
        """See `ports.Outbox.states`."""
        with self._turn:
            raw = self._fresh()
            if raw:
                self._take_in(raw[: raw.rfind(b"\n") + 1])  # what a killed process left of a line did not happen
            return dict(self._states)

    def _fresh(self) -> bytes:
        """What the file gained since it was read; all of it where it is another or a shorter one."""
        try:
            with open(self.file, "rb") as f:
                stat = os.fstat(f.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._read:
                    self._read, self._inode, self._states = 0, stat.st_ino, {}
                f.seek(self._read)
                return f.read()
        except FileNotFoundError:
            self._read, self._inode, self._states = 0, 0, {}
            return b""
        except OSError as e:
            raise _unavailable(e, self.file) from e

    def _take_in(self, raw: bytes) -> None:
        out = self._states
        try:
            for line in raw.split(b"\n")[:-1]:
                said = _decoder.decode(line)
                if said.queued is not None:
                    out[said.queued.id] = State(delivery=said.queued)
                elif said.began is not None:
                    before = out[said.began.id]
                    out[said.began.id] = msgspec.structs.replace(before, began=(*before.began, said.began))
                elif said.ended is not None:
                    before = out[said.ended.id]
                    out[said.ended.id] = msgspec.structs.replace(before, ended=(*before.ended, said.ended))
        except (msgspec.DecodeError, KeyError) as e:
            self._inode = 0  # read it from the start next time
            raise Corrupt("outbox.journal", at=str(self.file), found=str(e), expected="a line for each step of a delivery") from e
        self._read += len(raw)

    def begin(self, id: str, at: str) -> Began:
        """See `ports.Outbox.begin`."""
        with self._lock("queue", wait=True):
            began = Began(id=id, n=len(self.states()[id].began) + 1, at=at)
            self._append(_Line(began=began))
        reach("outbox.began")
        return began

    def end(self, ended: Ended) -> None:
        """See `ports.Outbox.end`."""
        with self._lock("queue", wait=True):
            self._append(_Line(ended=ended))

    @contextmanager
    def trying(self, id: str) -> Iterator[bool]:
        """See `ports.Outbox.trying`."""
        try:
            with self._lock(id, wait=False):
                yield True
        except BlockingIOError:
            yield False

    @contextmanager
    def _lock(self, name: str, *, wait: bool) -> Iterator[None]:
        locks = self.folder / "locks"
        try:
            if not locks.is_dir():
                locks.mkdir(parents=True, exist_ok=True)
                sync(self.folder.parent)
            fd = os.open(locks / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise _unavailable(e, locks) from e
        try:
            self._acquire(fd, locks / name, LOCK_SECONDS_MAX if wait else 0.0)
            yield
        finally:
            os.close(fd)

    def _acquire(self, fd: int, file: Path, wait_s: float) -> None:
        """Held for as long as a line takes: whoever has it longer was stopped."""
        try:
            held = lock_within(fd, wait_s)
        except OSError as e:
            raise _unavailable(e, file) from e
        if not held and wait_s:
            found = "another process holds it"
            raise Unavailable("outbox.locked", at=str(file), found=found, expected=f"it free within {wait_s:g} s")
        if not held:
            raise BlockingIOError

    def _append(self, line: _Line) -> None:
        """One line, durable; half a line of a killed process before it is cut off."""
        try:
            fd = os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(fd).st_size
                if not size:
                    sync(self.folder)  # the journal's own name is durable before its first line counts
                if size and os.pread(fd, 1, size - 1) != b"\n":
                    os.ftruncate(fd, os.pread(fd, size, 0).rfind(b"\n") + 1)
                write_all(fd, msgspec.json.encode(line) + b"\n")
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as e:
            raise _unavailable(e, self.file) from e


_decoder = msgspec.json.Decoder(_Line)


def _unavailable(e: OSError, at: Path) -> Unavailable:
    return Unavailable("outbox.file-system", at=str(at), found=e.strerror or "an error", expected="a folder that can be written")
