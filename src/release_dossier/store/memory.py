"""A store in memory: the same promises without a disk, for tests and simulations. It can be told to fail, either way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from release_dossier.digest import sha256
from release_dossier.errors import Corrupt, Unavailable
from release_dossier.ports import LOCK_SECONDS_MAX, Put
from release_dossier.store.index import Index, check_document, salts
from release_dossier.trust.keys import Signer
from release_dossier.trust.log import Entry, make_checkpoint


class MemoryStore:
    """`ports.Store` in memory."""

    recovered: tuple[str, ...] = ()

    def __init__(self, project: str, signer: Signer) -> None:
        self.project, self.signer = project, signer
        self.documents: dict[str, bytes] = {}
        self.artifacts: dict[str, bytes] = {}
        self._index = Index()
        self._lock = threading.RLock()
        self._failing: dict[str, bool] = {}

    def fail_next(self, call: str, *, applied: bool) -> None:
        """The next `put` or `put_artifact` fails: without effect, or although it took effect."""
        assert call in ("put", "put_artifact"), call
        self._failing[call] = applied

    def put(self, envelope: bytes, *, type: str, change: str, key: str, at: str) -> Entry:
        """See `ports.Store.put`."""
        with self._lock, self._faults("put"):
            entry = self._index.following(envelope, type=type, change=change, key=key, at=at, salt=salts(1)[0])
            if self._index.get(entry.digest) is None:
                self._fault_before("put")
                self.documents[entry.digest] = envelope
                self._index.add(entry)
            return entry

    def put_all(self, items: Sequence[Put]) -> list[Entry]:
        """See `ports.Store.put_all`."""
        with self._lock, self._faults("put"):
            fresh = self._index.following_all(items, salts(len(items)))
            if any(self._index.get(e.digest) is None for e in fresh):
                self._fault_before("put")
            for item, entry in zip(items, fresh, strict=True):
                if self._index.get(entry.digest) is None:
                    self.documents[entry.digest] = item.envelope
                    self._index.add(entry)
            return fresh

    def document(self, digest: str) -> bytes:
        """See `ports.Store.document`."""
        return self.envelopes((digest,))[0]

    def envelopes(self, digests: Sequence[str]) -> list[bytes]:
        """See `ports.Store.envelopes`."""
        return [self._envelope(d) for d in digests]

    def _envelope(self, digest: str) -> bytes:
        entry = self._index.entry_of(digest)
        raw = self.documents.get(digest)
        if raw is None:
            raise Corrupt("store.missing-document", at=digest, found="nothing", expected=f"the {entry.type} of log entry {entry.n}")
        return check_document(raw, entry, digest)

    def entries(self) -> tuple[Entry, ...]:
        """See `ports.Store.entries`."""
        return self._index.entries()

    def root(self, size: int) -> bytes:
        """See `ports.Store.root`."""
        return self._index.root(size)

    def find(self, prefix: str) -> str:
        """See `ports.Store.find`."""
        return self._index.find(prefix)

    def put_artifact(self, source: Path | bytes) -> str:
        """See `ports.Store.put_artifact`."""
        from release_dossier.store.files import read_artifact

        with self._lock, self._faults("put_artifact"):
            data = source if isinstance(source, bytes) else read_artifact(source)
            self._fault_before("put_artifact")
            self.artifacts[sha256(data)] = data
            return sha256(data)

    def artifact(self, digest: str) -> bytes:
        """See `ports.Store.artifact`."""
        data = self.artifacts.get(digest)
        if data is None:
            self._index.hold_not_erased(digest)
            raise Corrupt("store.missing-artifact", at=digest, found="nothing", expected=digest)
        if sha256(data) != digest:
            raise Corrupt("store.altered-artifact", at=digest, found=sha256(data), expected=digest)
        return data

    def erase_artifact(self, digest: str) -> None:
        """See `ports.Store.erase_artifact`."""
        self.artifacts.pop(digest, None)

    @contextmanager
    def lock(self, wait_s: float = LOCK_SECONDS_MAX) -> Iterator[None]:
        """See `ports.Store.lock`."""
        if not self._lock.acquire(timeout=wait_s):
            raise Unavailable("store.locked", at="memory", found="another thread holds it", expected=f"it free within {wait_s:g} s")
        try:
            yield
        finally:
            self._lock.release()

    def checkpoint(self) -> bytes:
        """See `ports.Store.checkpoint`."""
        return make_checkpoint(self.project, self._index.frontier.size, self._index.frontier.root(), self.signer)

    def _fault_before(self, call: str) -> None:
        if self._failing.get(call) is False:
            del self._failing[call]
            raise Unavailable("store.file-system", at="memory", found="a failure asked for, without effect", expected="none")

    @contextmanager
    def _faults(self, call: str) -> Iterator[None]:
        yield
        if self._failing.pop(call, None):
            raise Unavailable("store.file-system", at="memory", found="a failure asked for, after the effect", expected="none")
