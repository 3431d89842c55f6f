"""The transparency log: entries that chain, the Merkle tree over them (RFC 6962 §2.1), and checkpoints (C2SP).

1. An entry is one line of canonical JSON. Entries are numbered from 0, and each names the SHA-256 of the line before it.
2. The tree's leaves are the lines, without their newline. Its root and size, signed, are the checkpoint.
3. Whoever keeps an old checkpoint can tell whether the log still holds everything it held then: `extends`.
4. A last line without newline is a crash in the middle of a write: it never was an entry.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from release_dossier.errors import Corrupt, Refused
from release_dossier.limits import LOG_ENTRIES_MAX
from release_dossier.trust.keys import ED25519, P256, PublicKey, Signer, parse_public

ORIGIN = "release-dossier/"
NOTE_CHARS_MAX = 1_000_000  # characters of a signed note: the bound C2SP signed-note allows a verifier
NOTE_SIGNATURES_MAX = 100  # lines; C2SP signed-note asks verifiers to bear 16 at least


class Entry(msgspec.Struct, frozen=True):
    """One line. `digest` names the statement, `envelope` the very bytes it was signed in, `change` the change it belongs to;
    `key` is a free word to find it by (evidence name, service, role); `prev` is empty in entry 0. `at` is RFC 3339 UTC."""

    # In the order RFC 8785 sorts them, so that encoding a struct writes canonical JSON.
    at: str
    change: str
    digest: str
    envelope: str
    key: str
    n: int
    prev: str
    type: str

    def line(self) -> bytes:
        """The entry as it stands in the log, without newline."""
        return msgspec.json.encode(self)


class Checkpoint(msgspec.Struct, frozen=True):
    """A checkpoint as read: whose log, how many entries, and the root over them. `signatures` are (name, key id, bytes)."""

    origin: str
    size: int
    root: bytes
    text: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]


def next_entry(before: Entry | None, *, type: str, digest: str, envelope: str, change: str, key: str, at: str) -> Entry:
    """The entry that follows `before`."""
    prev = "" if before is None else line_digest(before.line())
    return Entry(
        at=at, change=change, digest=digest, envelope=envelope, key=key, n=0 if before is None else before.n + 1, prev=prev, type=type
    )


def line_digest(line: bytes) -> str:
    """How an entry names the one before it."""
    return "sha256:" + hashlib.sha256(line).hexdigest()


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
    lines = raw[: whole_lines(raw)].split(b"\n")[:-1]
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


# The tree. Hashes are 32 bytes; leaves are hashed with 0x00 in front and nodes with 0x01, so that none passes for the other.


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 §2.1 hash of a leaf."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1 hash of an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


EMPTY_ROOT = hashlib.sha256(b"").digest()


class Frontier:
    """The roots of the perfect subtrees of a growing tree, largest first: all that appending and the root need."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._roots: list[bytes] = []
        for leaf in leaves:
            self.append(leaf)

    def copy(self) -> Frontier:
        """Another that grows by itself."""
        other = Frontier()
        other.size, other._roots = self.size, list(self._roots)
        return other

    def kept(self) -> bytes:
        """The roots one behind the other: with the size, enough to go on later (`resumed`)."""
        return b"".join(self._roots)

    @classmethod
    def resumed(cls, size: int, kept: bytes) -> Frontier:
        """The frontier that `kept` came from."""
        assert len(kept) == 32 * size.bit_count(), "not the roots of a tree of this size"
        out = cls()
        out.size, out._roots = size, [kept[i : i + 32] for i in range(0, len(kept), 32)]
        return out

    def append(self, leaf: bytes) -> None:
        """One more leaf hash."""
        n, node = self.size, leaf
        while n & 1:
            node = node_hash(self._roots.pop(), node)
            n >>= 1
        self._roots.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root over everything appended so far."""
        if not self._roots:
            return EMPTY_ROOT
        node = self._roots[-1]
        for left in self._roots[-2::-1]:
            node = node_hash(left, node)
        return node


def leaves_of(entries: Iterable[Entry]) -> list[bytes]:
    """Leaf hashes of `entries`."""
    return [leaf_hash(e.line()) for e in entries]


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """Root over leaf hashes."""
    return Frontier(leaves).root()


def root_of(entries: Iterable[Entry]) -> str:
    """Root over `entries`, written as a digest."""
    return "sha256:" + tree_root(leaves_of(entries)).hex()


class Tree:
    """All perfect subtrees over some leaf hashes, for making many proofs: each costs a logarithm."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.size = len(leaves)
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])

    def root(self, start: int = 0, end: int | None = None) -> bytes:
        """The root over leaves `start` to `end`; `start` begins a perfect subtree."""
        end = self.size if end is None else end
        n = end - start
        if n == 0:
            return EMPTY_ROOT
        if n & (n - 1) == 0:
            level = n.bit_length() - 1
            return self._levels[level][start >> level]
        k = _split(n)
        return node_hash(self.root(start, start + k), self.root(start + k, end))

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """RFC 6962 §2.1.1: the path from leaf `index` to the root, nearest first."""
        assert 0 <= index < self.size
        return self._path(index, 0, self.size)

    def _path(self, index: int, start: int, end: int) -> tuple[bytes, ...]:
        if end - start == 1:
            return ()
        middle = start + _split(end - start)
        if index < middle:
            return (*self._path(index, start, middle), self.root(middle, end))
        return (*self._path(index, middle, end), self.root(start, middle))

    def consistency(self, old: int) -> tuple[bytes, ...]:
        """RFC 6962 §2.1.2: that the first `old` leaves are the tree of that size."""
        assert 0 < old <= self.size
        return self._subproof(old, 0, self.size, True)

    def _subproof(self, old: int, start: int, end: int, whole: bool) -> tuple[bytes, ...]:
        if old == end:
            return () if whole else (self.root(start, end),)
        middle = start + _split(end - start)
        if old <= middle:
            return (*self._subproof(old, start, middle, whole), self.root(middle, end))
        return (*self._subproof(old, middle, end, False), self.root(start, middle))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 §2.1.3.2: whether `proof` shows that leaf hash `leaf` is number `index` of the `size` leaves under `root`."""
    if not 0 <= index < size or any(len(p) != 32 for p in proof) or len(leaf) != 32:
        return False
    fn, sn, node = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            node = node_hash(p, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = node_hash(node, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and node == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162 §2.1.4.2: whether `proof` shows that the tree of `old` leaves is the beginning of the tree of `new`.

    From size 0 there is nothing to prove and every tree would pass, so it is refused.
    """
    if not 0 < old <= new or any(len(p) != 32 for p in proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root


def _split(n: int) -> int:
    """The largest power of two below `n`."""
    return 1 << ((n - 1).bit_length() - 1)


# Checkpoints: C2SP tlog-checkpoint in a signed note.


def origin_of(project: str) -> str:
    """The name of a project's log: enough of its identity to tell logs apart in other people's lists."""
    return ORIGIN + project.removeprefix("sha256:")[:16]


def make_checkpoint(project: str, size: int, root: bytes, signer: Signer) -> bytes:
    """A signed checkpoint of `project`'s log."""
    origin = origin_of(project)
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
    return text + b"\n" + note_line(origin, text, signer)


def note_line(name: str, text: bytes, signer: Signer) -> bytes:
    """The signature line of a C2SP signed note over `text`."""
    key_hash = note_key_hash(name, parse_public(signer.public, "signer"))
    return f"\u2014 {name} {base64.b64encode(key_hash + signer.sign(text)).decode()}\n".encode()


def note_key_hash(name: str, public: PublicKey) -> bytes:
    """How a note names a key (C2SP signed-note): Ed25519 is type 1; ECDSA is type 2, which hashes the key alone.

    Raises:
        Refused: `key.unsupported`, for keys notes have no type for.
    """
    if public.type == ED25519:
        return hashlib.sha256(name.encode() + b"\n\x01" + public.blob[-32:]).digest()[:4]
    if public.type == P256:
        body = b"".join(x for x in public.pem().split(b"\n") if not x.startswith(b"-"))
        return hashlib.sha256(base64.b64decode(body)).digest()[:4]
    raise Refused("key.unsupported", at="log key", found=public.type, expected=f"{ED25519} or {P256}")


def parse_checkpoint(raw: bytes, at: str = "checkpoint") -> Checkpoint:
    """A checkpoint taken apart; signatures are not checked: see `checkpoint_signers`.

    Raises:
        Corrupt: `log.checkpoint`.
    """
    text, signatures = parse_note(raw, at)
    lines = text.split(b"\n")
    if len(lines) < 4 or not lines[0] or not re.fullmatch(rb"0|[1-9][0-9]{0,18}", lines[1]):
        raise Corrupt("log.checkpoint", at=at, found=repr(raw[:60]), expected="origin, size and root, each on a line")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except ValueError as e:
        raise Corrupt("log.checkpoint", at=at, found=repr(lines[2][:60]), expected="a root in base64") from e
    if len(root) != 32 or base64.b64encode(root) != lines[2]:
        raise Corrupt("log.checkpoint", at=at, found=repr(lines[2][:60]), expected="a root of 32 bytes in base64")
    return Checkpoint(lines[0].decode(), int(lines[1]), root, text, signatures)


def parse_note(raw: bytes, at: str) -> tuple[bytes, tuple[tuple[str, bytes, bytes], ...]]:
    """The text of a C2SP signed note, newline at its end included, and its signatures: (name, key hash, signature).

    Raises:
        Corrupt: `log.note`.
    """
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as e:
        raise Corrupt("log.note", at=at, found="bytes that are not UTF-8", expected="a signed note") from e
    cut = raw.rfind(b"\n\n")
    if len(raw) > NOTE_CHARS_MAX or cut < 0 or not raw.endswith(b"\n") or re.search(rb"[\x00-\x09\x0b-\x1f]", raw):
        raise Corrupt("log.note", at=at, found=repr(raw[:60]), expected="a signed note: text, an empty line, signatures")
    lines = raw[cut + 2 :].decode().split("\n")[:-1]
    signatures = []
    for line in lines:
        words = line.split(" ")
        if len(words) != 3 or words[0] != "\u2014" or not words[1] or "+" in words[1] or any(c.isspace() for c in words[1]):
            raise Corrupt("log.note", at=at, found=repr(line[:60]), expected="a line: — NAME BASE64")
        try:
            data = base64.b64decode(words[2], validate=True)
        except ValueError as e:
            raise Corrupt("log.note", at=at, found=repr(line[:60]), expected="a signature in base64") from e
        if len(data) < 5 or base64.b64encode(data).decode() != words[2]:
            raise Corrupt("log.note", at=at, found=repr(line[:60]), expected="a signature in base64")
        signatures.append((words[1], data[:4], data[4:]))
    if not 1 <= len(signatures) <= NOTE_SIGNATURES_MAX:
        raise Corrupt("log.note", at=at, found=f"{len(signatures)} signatures", expected=f"1 to {NOTE_SIGNATURES_MAX}")
    return raw[: cut + 1], tuple(signatures)


def note_signers(text: bytes, signatures: Sequence[tuple[str, bytes, bytes]], name: str, keys: Iterable[PublicKey]) -> frozenset[str]:
    """Ids of those of `keys` that signed the note `text` as `name`. Lines of other names and keys are passed over."""
    out = set()
    for public in keys:
        if public.type not in (ED25519, P256):
            continue
        due = note_key_hash(name, public)
        if any(n == name and h == due and public.verifies(s, text) for n, h, s in signatures):
            out.add(public.id)
    return frozenset(out)


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
