"""What every store knows of its log in memory: entries, where each digest stands, and the tree's frontier."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from release_dossier.digest import sha256
from release_dossier.errors import Corrupt, Refused
from release_dossier.limits import DIGEST_PREFIX_MIN
from release_dossier.ports import Put
from release_dossier.trust.dsse import parse_envelope
from release_dossier.trust.log import Checkpoint, Entry, Frontier, leaf_of, next_entry

SALT_BYTES = 16  # bytes of a salt: as many as nobody guesses


def salts(count: int) -> list[str]:
    """So many salts, each in hexadecimal."""
    raw = os.urandom(SALT_BYTES * count)
    return [raw[i : i + SALT_BYTES].hex() for i in range(0, len(raw), SALT_BYTES)]


class Index:
    """Entries in order. Only grows; a store that finds its file changed makes a new one."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.frontier = Frontier()
        self._entries: list[Entry] = []
        self._leaves: list[bytes] = []
        self._by_digest: dict[str, Entry] = {}
        self._tuple: tuple[Entry, ...] | None = None
        for e in entries:
            self.add(e)

    def add(self, entry: Entry) -> None:
        """One more entry, verified by the caller.

        Raises:
            Corrupt: `log.twice`, when its statement has an entry already.
        """
        twin = self._by_digest.get(entry.digest)
        if twin is not None:
            raise Corrupt(
                "log.twice",
                at=f"log entry {entry.n}",
                found=f"the statement of entry {twin.n} again",
                expected="one entry for each statement",
            )
        self._entries.append(entry)
        self._by_digest[entry.digest] = entry
        leaf = leaf_of(entry.line())
        self._leaves.append(leaf)
        self.frontier.append(leaf)
        self._tuple = None

    def entries(self) -> tuple[Entry, ...]:
        """All of them."""
        if self._tuple is None:
            self._tuple = tuple(self._entries)
        return self._tuple

    def root(self, size: int) -> bytes:
        """See `ports.Store.root`."""
        return self.frontier.root() if size == self.frontier.size else Frontier(self._leaves[:size]).root()

    def last(self) -> Entry | None:
        """The newest."""
        return self._entries[-1] if self._entries else None

    def get(self, digest: str) -> Entry | None:
        """The entry of a statement."""
        return self._by_digest.get(digest)

    def entry_of(self, digest: str) -> Entry:
        """The entry of a statement.

        Raises:
            Refused: `digest.unknown`.
        """
        entry = self._by_digest.get(digest)
        if entry is None:
            raise Refused("digest.unknown", at="digest", found=digest, expected="the digest of something in the log", help="dossier list")
        return entry

    def following(self, envelope: bytes, *, type: str, change: str, key: str, at: str, salt: str) -> Entry:
        """The entry `envelope` would get: the one its statement has, or the next.

        Raises:
            Refused: `envelope.*`.
        """
        digest = parse_envelope(envelope, "envelope").digest
        known = self._by_digest.get(digest)
        if known is not None:
            return known
        return next_entry(self.last(), type=type, digest=digest, envelope=sha256(envelope), change=change, key=key, at=at, salt=salt)

    def following_all(self, items: Sequence[Put], salts: Sequence[str]) -> list[Entry]:
        """The entries `items` would get in this order; a statement that is there, or comes twice, has one.

        Raises:
            Refused: `envelope.*`: one of them is no envelope.
        """
        out: list[Entry] = []
        fresh: dict[str, Entry] = {}
        last = self.last()
        for item, salt in zip(items, salts, strict=True):
            digest = parse_envelope(item.envelope, "envelope").digest
            entry = self._by_digest.get(digest) or fresh.get(digest)
            if entry is None:
                words = {"type": item.type, "change": item.change, "key": item.key, "at": item.at, "salt": salt}
                entry = last = fresh[digest] = next_entry(last, digest=digest, envelope=sha256(item.envelope), **words)
            out.append(entry)
        return out

    def find(self, prefix: str) -> str:
        """See `ports.Store.find`."""
        digits = prefix.removeprefix("sha256:")
        if not re.fullmatch(r"[0-9a-f]*", digits) or len(digits) > 64:
            raise Refused("digest.syntax", at="digest", found=prefix, expected="hexadecimal digits, sha256: in front or not")
        if len(digits) < DIGEST_PREFIX_MIN:
            raise Refused("digest.short", at="digest", found=f"{len(digits)} digits", expected=f"{DIGEST_PREFIX_MIN} or more")
        found = [d for d in self._by_digest if d.startswith(f"sha256:{digits}")]
        if len(found) > 1:
            words = ", ".join(f"{d[:23]}… ({self._by_digest[d].type})" for d in found[:5])
            raise Refused("digest.ambiguous", at="digest", found=f"{prefix}: {words}", expected="enough digits to name one")
        if not found:
            raise Refused("digest.unknown", at="digest", found=prefix, expected="the digest of something in the log", help="dossier list")
        return found[0]

    def hold_not_erased(self, artifact: str) -> None:
        """Nobody erased this artifact.

        Raises:
            Refused: `store.withheld`.
        """
        gone = next((e for e in self._entries if e.type == "erasure" and e.key == artifact), None)
        if gone is not None:
            raise Refused(
                "store.withheld", at=artifact, found=f"erased at {gone.at}, log entry {gone.n}", expected="an artifact that was kept"
            )

    def hold(self, checkpoint: Checkpoint, at: str) -> None:
        """The entries begin with what `checkpoint` says.

        Raises:
            Corrupt: `log.rolled-back` (fewer entries), `log.fork` (other ones).
        """
        size = self.frontier.size
        if checkpoint.size > size:
            raise Corrupt("log.rolled-back", at=at, found=f"{size} entries", expected=f"the {checkpoint.size} the checkpoint says")
        if self.root(checkpoint.size) != checkpoint.root:
            raise Corrupt(
                "log.fork",
                at=at,
                found=f"other entries than the first {checkpoint.size} were",
                expected="those the checkpoint was signed over",
            )


def check_document(raw: bytes, entry: Entry, at: str) -> bytes:
    """`raw` is the envelope `entry` names, around the statement it names.

    Raises:
        Corrupt: `store.altered-document`.
    """
    if sha256(raw) != entry.envelope:
        raise Corrupt("store.altered-document", at=at, found=f"bytes of digest {sha256(raw)}", expected=entry.envelope)
    # The entry was made from this very envelope, and the chain holds the entry: the statement in it is the one named.
    return raw
