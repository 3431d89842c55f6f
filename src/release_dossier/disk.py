"""What is asked of the file system wherever something is kept: whole writes, durable ones, a lock that is not waited for without limit."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_POLL_SECONDS = 0.02  # between two tries for a lock


def write_all(fd: int, data: bytes) -> None:
    """All of `data`, however often it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync(place: Path | str) -> None:
    """What was written to a file or folder, durable."""
    fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def lock_within(fd: int, seconds: float) -> bool:
    """Whether this process has the lock on an open file, waiting so long for another that holds it."""
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL_SECONDS)
