"""The transparency log: entries that chain, the Merkle tree over them (RFC 6962 §2.1), and checkpoints (C2SP).

1. An entry is one line of canonical JSON. Entries are numbered from 0, and each names the SHA-256 of the line before it.
2. The tree's leaves are the names of the lines (SHA-256 of a line without its newline), which a salt in the line makes say nothing to
   whoever does not have it: the tree can be shown to everybody. Lines without a salt, which older logs have, are leaves themselves.
   Root and size of the tree, signed, are the checkpoint.
3. Whoever keeps an old checkpoint can tell whether the log still holds everything it held then: `extends`.
4. A last line without newline is a crash in the middle of a write: it never was an entry.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable

import msgspec

from release_dossier.errors import Corrupt
from release_dossier.limits import LOG_ENTRIES_MAX
from release_dossier.trust.keys import Signer, parse_public
from release_dossier.trust.merkle import EMPTY_ROOT, Frontier, Tree, leaf_hash, node_hash, tree_root, verify_consistency, verify_inclusion
from release_dossier.trust.note import NOTE_SIGNATURES_MAX, note_key_hash, note_line, note_signers, parse_note

__all__ = [
    "EMPTY_ROOT",
    "NOTE_SIGNATURES_MAX",
    "ORIGIN",
    "Checkpoint",
    "Entry",
    "Frontier",
    "Tree",
    "checkpoint_signers",
    "extends",
    "leaf_data",
    "leaf_hash",
    "leaf_of",
    "leaves_of",
    "line_digest",
    "make_checkpoint",
    "next_entry",
    "node_hash",
    "note_key_hash",
    "note_line",
    "origin_of",
    "parse_checkpoint",
    "parse_entries",
    "parse_entry",
    "parse_head",
    "parse_note",
    "root_of",
    "tree_root",
    "verify_consistency",
    "verify_inclusion",
    "whole_lines",
]
ORIGIN = "release-dossier/"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `digest` names the statement, `envelope` the very bytes it was signed in, `change` the change it belongs to;
    `key` is a free word to find it by (evidence name, service, role); `prev` is empty in entry 0. `at` is RFC 3339 UTC.
    `salt` is 32 hexadecimal digits nobody can guess (rule 2)."""

    # In the order RFC 8785 sorts them, so that encoding a struct writes canonical JSON.
    at: str
    change: str
    digest: str
    envelope: str
    key: str
    n: int
    prev: str
    salt: str = ""
    type: str

    def line(self) -> bytes:
        """The entry as it stands in the log, without newline."""
        return msgspec.json.encode(self)


class Checkpoint(msgspec.Struct, frozen=True):
    """A checkpoint as read: whose log, how many entries, and the root over them. `signatures` are (name, key hash, bytes)."""

    origin: str
    size: int
    root: bytes
    text: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]


def next_entry(before: Entry | None, *, type: str, digest: str, envelope: str, change: str, key: str, at: str, salt: str = "") -> Entry:
    """The entry that follows `before`."""
    prev, n = ("", 0) if before is None else (line_digest(before.line()), before.n + 1)
    return Entry(at=at, change=change, digest=digest, envelope=envelope, key=key, n=n, prev=prev, salt=salt, type=type)


def line_digest(line: bytes) -> str:
    """How an entry names the one before it."""
    return "sha256:" + hashlib.sha256(line).hexdigest()


def leaf_data(line: bytes) -> bytes:
    """What the tree holds of an entry's line, and what the log shows of it (rule 2)."""
    # No value can hold these bytes: a quotation mark inside a JSON string has a backslash in front.
    return line_digest(line).encode() if b',"salt":"' in line else line


def leaf_of(line: bytes) -> bytes:
    """The leaf hash of an entry's line."""
    return leaf_hash(leaf_data(line))


def whole_lines(raw: bytes) -> int:
    """How many bytes of `raw` are whole lines (rule 4)."""
    return raw.rfind(b"\n") + 1


def parse_entry(line: bytes, at: str = "log entry") -> Entry:
    """The entry on one line, without its end; numbering and chain are not asked.

    Raises:
        Corrupt: `log.entry`.
    """
    try:
        entry = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise Corrupt("log.entry", at=at, found=str(e), expected="an entry as canonical JSON") from e
    if entry.line() != line:
        raise Corrupt("log.entry", at=at, found="another spelling", expected="canonical JSON of the known fields")
    return entry


def parse_entries(raw: bytes, after: Entry | None = None) -> tuple[Entry, ...]:
    """The entries in `raw`, numbering and chain verified, following `after` when given.

    Raises:
        Corrupt: `log.entry` (a line that is no entry), `log.gap` (numbers missing), `log.order` (a number again or too
            early), `log.chain` (the line before is not the one named); each names the entry.
    """
    out: list[Entry] = []
    last, prev = after, "" if after is None else line_digest(after.line())
    lines = raw.split(b"\n")[:-1]
    first = 0 if after is None else after.n + 1
    if first + len(lines) > LOG_ENTRIES_MAX:
        raise Corrupt("log.entry", at="log", found=f"{first + len(lines)} entries", expected=f"at most {LOG_ENTRIES_MAX}")
    for due, line in enumerate(lines, first):
        where = f"log entry {due}"
        entry = parse_entry(line, where)
        if entry.n != due:
            code = "log.gap" if entry.n > due else "log.order"
            raise Corrupt(code, at=where, found=f"number {entry.n}", expected=f"number {due}")
        if entry.prev != prev:
            raise Corrupt("log.chain", at=where, found=entry.prev or "no entry before it", expected=prev or "the first entry")
        out.append(entry)
        last, prev = entry, line_digest(line)
    assert last is None or last.n == first + len(lines) - 1
    return tuple(out)


_decoder = msgspec.json.Decoder(Entry)


def leaves_of(entries: Iterable[Entry]) -> list[bytes]:
    """Leaf hashes of `entries`."""
    return [leaf_of(e.line()) for e in entries]


def root_of(entries: Iterable[Entry]) -> str:
    """Root over `entries`, written as a digest."""
    return "sha256:" + tree_root(leaves_of(entries)).hex()


# Checkpoints: C2SP tlog-checkpoint in a signed note.


def origin_of(project: str) -> str:
    """The name of a project's log: enough of its identity to tell logs apart in other people's lists."""
    return ORIGIN + project.removeprefix("sha256:")[:16]


def make_checkpoint(project: str, size: int, root: bytes, signer: Signer) -> bytes:
    """A signed checkpoint of `project`'s log."""
    origin = origin_of(project)
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
    return text + b"\n" + note_line(origin, text, signer)


def parse_checkpoint(raw: bytes, at: str = "checkpoint") -> Checkpoint:
    """A checkpoint taken apart; signatures are not checked: see `checkpoint_signers`.

    Raises:
        Corrupt: `log.note`, `log.checkpoint`.
    """
    text, signatures = parse_note(raw, at)
    origin, size, root, _ = parse_head(text, at)
    if len(root) != 32:
        raise Corrupt("log.checkpoint", at=at, found=f"a root of {len(root)} bytes", expected="a root of 32 bytes in base64")
    return Checkpoint(origin, size, root, text, signatures)


def parse_head(text: bytes, at: str = "checkpoint") -> tuple[str, int, bytes, bytes]:
    """Origin, size, root and what follows them, of the text a checkpoint signs. The root of whatever hash: other logs have others.

    Raises:
        Corrupt: `log.checkpoint`.
    """
    lines = text.split(b"\n", 3)
    if len(lines) < 4 or not lines[0] or not re.fullmatch(rb"0|[1-9][0-9]{0,19}", lines[1]) or int(lines[1]) >= 1 << 64:
        raise Corrupt("log.checkpoint", at=at, found=repr(text[:60]), expected="origin, size and root, each on a line")
    try:
        origin, root = lines[0].decode(), base64.b64decode(lines[2], validate=True)
    except ValueError as e:
        raise Corrupt("log.checkpoint", at=at, found=repr(lines[2][:60]), expected="an origin in UTF-8 and a root in base64") from e
    if not root or base64.b64encode(root) != lines[2]:
        raise Corrupt("log.checkpoint", at=at, found=repr(lines[2][:60]), expected="a root in base64")
    return origin, int(lines[1]), root, lines[3]


def checkpoint_signers(checkpoint: Checkpoint, keys: Iterable[str]) -> frozenset[str]:
    """Ids of those of `keys` (public lines) that signed the checkpoint in the name of its own log."""
    publics = [parse_public(line, "log key") for line in keys]
    return note_signers(checkpoint.text, checkpoint.signatures, checkpoint.origin, publics)


def extends(size: int, root: Callable[[int], bytes], old_checkpoint: bytes) -> bool:
    """Whether a log of `size` entries, with `root(n)` over its first n, begins with everything it held at `old_checkpoint` (law 2).

    Its signature does not matter here: it comes from a place the store does not control.

    Raises:
        Corrupt: `log.note`, `log.checkpoint`: what was kept is no checkpoint.
    """
    old = parse_checkpoint(old_checkpoint, "kept checkpoint")
    return old.size <= size and root(old.size) == old.root
