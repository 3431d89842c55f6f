"""Opening a file somebody brings: nothing but a plain file, of a bounded size, never through a device or a pipe, and for a bounded time."""

from __future__ import annotations

import io
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from release_dossier.errors import Refused, Unavailable
from release_dossier.limits import EVIDENCE_BYTES_MAX, EVIDENCE_SECONDS_MAX


@contextmanager
def open_evidence(path: Path) -> Iterator[IO[bytes]]:
    """The file at `path`, open for reading.

    Raises:
        Refused: `evidence.no-file`, `evidence.not-a-file`, `evidence.too-large`, before a byte is read; `evidence.too-slow` while reading.
        Unavailable: `evidence.unreadable`.
    """
    try:
        found = path.stat()
    except FileNotFoundError as e:
        raise Refused("evidence.no-file", at=str(path), found="no such file", expected="a file") from e
    except OSError as e:
        raise Unavailable("evidence.unreadable", at=str(path), found=e.strerror or "an error", expected="a file that can be read") from e
    if not stat.S_ISREG(found.st_mode):
        raise Refused("evidence.not-a-file", at=str(path), found="a folder, device or pipe", expected="a plain file")
    if found.st_size > EVIDENCE_BYTES_MAX:
        raise Refused("evidence.too-large", at=str(path), found=f"{found.st_size} bytes", expected=f"at most {EVIDENCE_BYTES_MAX} bytes")
    try:
        stream = io.BufferedReader(_Timed(io.FileIO(path), str(path)), 1024 * 1024)
    except OSError as e:
        raise Unavailable("evidence.unreadable", at=str(path), found=e.strerror or "an error", expected="a file that can be read") from e
    with stream:
        yield stream


class _Timed(io.RawIOBase):
    """A file that is read for so long and no longer. The clock runs from its opening and is asked at each block."""

    def __init__(self, inner: io.FileIO, at: str) -> None:
        self.inner, self.at, self.until = inner, at, time.monotonic() + EVIDENCE_SECONDS_MAX

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if time.monotonic() > self.until:
            raise Refused("evidence.too-slow", at=self.at, found="still reading", expected=f"at most {EVIDENCE_SECONDS_MAX} seconds")
        return self.inner.readinto(into)

    def seek(self, to: int, whence: int = 0) -> int:
        return self.inner.seek(to, whence)

    def close(self) -> None:
        self.inner.close()
        super().close()
