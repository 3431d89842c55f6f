"""Opening a file somebody brings: nothing but a plain file, of a bounded size, and never through a device or a pipe."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from release_dossier.errors import Refused, Unavailable
from release_dossier.limits import EVIDENCE_BYTES_MAX


@contextmanager
def open_evidence(path: Path) -> Iterator[IO[bytes]]:
    """The file at `path`, open for reading.

    Raises:
        Refused: `evidence.no-file`, `evidence.not-a-file`, `evidence.too-large`, before a byte is read.
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
        stream = path.open("rb")
    except OSError as e:
        raise Unavailable("evidence.unreadable", at=str(path), found=e.strerror or "an error", expected="a file that can be read") from e
    with stream:
        yield stream
