"""The log of a folder read forwards, without keeping it: for readers that must stay small beside a long log.

`FileStore` holds every entry in memory and verifies the chain from entry 0 whenever it opens. A reader that keeps an index of its own
remembers how far it read, the last line and the tree's frontier, and verifies only what was added since. What it read before is held
by the checkpoint: the frontier it continues must give the root that is signed.

Trusted: the folder's index file as much as the folder's keys; `dossier log audit` reads the whole again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from release_dossier.errors import Corrupt, Unavailable
from release_dossier.store.documents import TICK_NS, Documents
from release_dossier.trust.log import Checkpoint, Entry, checkpoint_signers, origin_of, parse_checkpoint, parse_entries


class Tail:
    """The log and documents of `home`, for the project with identity `project`. Writes nothing and takes no lock."""

    def __init__(self, home: Path, project: str) -> None:
        self.home, self.project = home, project
        self._log, self._checkpoint_file = home / "log" / "entries.ndjson", home / "log" / "checkpoint"
        self._documents = Documents(home)

    def stamp(self) -> tuple[int, int, int, int]:
        """Another value whenever the checkpoint was replaced, and each time while its file is so young that the next but one, which may
        get its number, could have its time too; costs one stat."""
        try:
            s = self._checkpoint_file.stat()
        except FileNotFoundError:
            return (0, 0, 0, 0)
        young = time.time_ns() - s.st_mtime_ns < TICK_NS
        return (s.st_ino, s.st_size, s.st_mtime_ns, time.monotonic_ns() if young else 0)

    def head(self) -> bytes | None:
        """The newest checkpoint as it lies there, unread; None for a log that has not begun."""
        try:
            return self._checkpoint_file.read_bytes()
        except OSError:
            return None

    def checkpoint(self, public_keys: Mapping[str, str]) -> Checkpoint | None:
        """The newest checkpoint, signed by one of `public_keys`; None for a log that has not begun.

        Raises:
            Corrupt: `log.*`.
        """
        at = str(self._checkpoint_file)
        try:
            raw = self._checkpoint_file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise Unavailable("store.file-system", at=at, found=e.strerror or "an error", expected="a readable file") from e
        checkpoint = parse_checkpoint(raw, at)
        if checkpoint.origin != origin_of(self.project):
            raise Corrupt("log.other-project", at=at, found=checkpoint.origin, expected=origin_of(self.project))
        if not checkpoint_signers(checkpoint, public_keys.values()):
            found = "no valid signature of a known key"
            raise Corrupt("log.checkpoint-signer", at=at, found=found, expected="one by a key of this project")
        return checkpoint

    def after(self, offset: int, last: Entry | None, most: int) -> tuple[tuple[Entry, ...], int]:
        """Up to about `most` bytes of whole entries from byte `offset` on, which follows `last`; and the offset behind them.

        Raises:
            Corrupt: `log.*`: gap, broken chain, no entry.
        """
        try:
            with self._log.open("rb") as f:
                f.seek(offset)
                raw = f.read(most)
        except OSError as e:
            raise Unavailable("store.file-system", at=str(self._log), found=e.strerror or "an error", expected="a readable file") from e
        whole = raw.rfind(b"\n") + 1
        return parse_entries(raw[:whole], last), offset + whole

    def document(self, entry: Entry) -> bytes:
        """The envelope of an entry's statement.

        Raises:
            Corrupt: `store.missing-document`, `store.altered-document`.
        """
        try:
            return self._documents.read((entry,))[0]
        except OSError as e:
            at = self._documents.file_of(entry.n)
            raise Unavailable("store.file-system", at=at, found=e.strerror or "an error", expected="a readable file") from e

    def artifact_file(self, digest: str) -> Path:
        """Where an artifact lies; whoever reads it hashes it."""
        return self.home / "artifacts" / digest[7:9] / digest[7:]
