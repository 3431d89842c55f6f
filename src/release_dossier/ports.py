"""Every side effect the core needs, as contracts written by those who need them.

The store's promises, which one test suite holds against every store:

1. A statement has an entry exactly when `put` was done with it, and then for ever: entries are never changed or removed.
2. Putting a statement again, in whatever envelope, returns the entry it has. So every caller may retry anything.
3. A statement is durable, document and entry together, before its entry can be seen. A crash leaves files that are not written yet, or a
   checkpoint that is behind by one entry; opening the store again writes both and says so in `recovered`.
4. What is read is checked: a document against its entry, an entry against its chain, the log against its checkpoint.
5. One writer at a time, across processes; readers need no lock and see whole entries only.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from release_dossier.delivery import Began, Delivery, Ended, State
from release_dossier.trust.log import Entry

LOCK_SECONDS_MAX = 30.0  # seconds to wait for another process; no command holds the lock while it runs planned commands


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """One statement to keep: its envelope, and the words of its entry."""

    envelope: bytes
    type: str
    change: str
    key: str
    at: str


class Store(Protocol):
    """Statements, the log over them, and artifacts."""

    @property
    def recovered(self) -> tuple[str, ...]:
        """What opening found half done by a run that was killed, and what it did about it; empty nearly always."""
        ...

    def put(self, envelope: bytes, *, type: str, change: str, key: str, at: str) -> Entry:
        """Keep an envelope and enter its statement in the log. Durable when it returns; nothing was kept when it refuses.

        On `Unavailable` it may have taken effect or not: put it again and it is there once.

        Raises:
            Refused: `envelope.*`: this is no envelope.
            Unavailable: `store.full`, `store.read-only`, `store.file-system`, `store.locked`.
            Corrupt: `log.*`: the log was altered by someone else; nothing was appended.
        """
        ...

    def put_all(self, items: Sequence[Put]) -> list[Entry]:
        """As `put` for each in order, all of them or none, durable together: one sync and one checkpoint for the lot.

        Raises:
            As `put`. On `Unavailable` all may have taken effect, or none.
        """
        ...

    def document(self, digest: str) -> bytes:
        """The envelope of a statement: `envelopes` of one."""
        ...

    def envelopes(self, digests: Sequence[str]) -> list[bytes]:
        """The envelopes of statements, hashed when they are read. A store may remember what it read as long as it can tell that nobody
        touched it since.

        Raises:
            Refused: `digest.unknown`: no entry names it. A document without an entry does not exist.
            Corrupt: `store.missing-document`, `store.altered-document`, `log.*`.
        """
        ...

    def entries(self) -> tuple[Entry, ...]:
        """The whole log, chain and checkpoint verified. The same tuple as long as nothing was added.

        Raises:
            Corrupt: `log.*`: gap, broken chain, or fewer or other entries than the checkpoint says.
        """
        ...

    def root(self, size: int) -> bytes:
        """Root of the tree over the first `size` entries; at most as many as there are."""
        ...

    def find(self, prefix: str) -> str:
        """The one statement whose digest begins so, `sha256:` in front or not.

        Raises:
            Refused: `digest.short` (under eight digits), `digest.unknown`, `digest.ambiguous`.
        """
        ...

    def put_artifact(self, source: Path | bytes) -> str:
        """Keep a file's content under its digest; durable when it returns. The same content is kept once.

        Raises:
            Refused: `artifact.*`: a link, not a file, too large.
            Unavailable: as `put`; nothing was kept.
        """
        ...

    def artifact(self, digest: str) -> bytes:
        """An artifact's content, hashed again on every read.

        Raises:
            Refused: `store.withheld`: the log holds its erasure. Corrupt: `store.missing-artifact`, `store.altered-artifact`.
        """
        ...

    def erase_artifact(self, digest: str) -> None:
        """Remove an artifact's content for good; durable when it returns. Its erasure is in the log already. Nothing there is no fault."""
        ...

    def lock(self, wait_s: float = LOCK_SECONDS_MAX) -> AbstractContextManager[None]:
        """The only writer, until left. May be entered again by its holder. Given up by the system when the process dies.

        Raises:
            Unavailable: `store.locked`, naming the process that holds it.
        """
        ...

    def checkpoint(self) -> bytes:
        """The newest signed checkpoint, of the same moment as `entries`."""
        ...


class Outbox(Protocol):
    """What is to be sent. Nothing leaves that is not durable here before; nothing that was entered is ever forgotten."""

    def queue(self, delivery: Delivery) -> State:
        """Enter a delivery; durable when it returns. One that is there already is returned with all its tries.

        Raises:
            Unavailable: `outbox.file-system`, `outbox.locked`. Corrupt: `outbox.journal`.
        """
        ...

    def states(self) -> dict[str, State]:
        """Every delivery by id, in the order they were entered."""
        ...

    def begin(self, id: str, at: str) -> Began:
        """Announce the next try; durable when it returns, before anything leaves."""
        ...

    def end(self, ended: Ended) -> None:
        """Write down how a try ended; durable when it returns."""
        ...

    def trying(self, id: str) -> AbstractContextManager[bool]:
        """The right to try this delivery, as True, or False where another process has it. Given up by the system when the process dies."""
        ...
