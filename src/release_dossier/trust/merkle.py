"""The Merkle tree of the transparency log (RFC 6962 §2.1, RFC 9162 §2.1): roots, proofs, and what a proof shows.

Hashes are 32 bytes; leaves are hashed with 0x00 in front and nodes with 0x01, so that none passes for the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence


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
        self._root: bytes | None = EMPTY_ROOT  # over all of them, once somebody asked
        for leaf in leaves:
            self.append(leaf)

    def copy(self) -> Frontier:
        """Another that grows by itself."""
        other = Frontier()
        other.size, other._roots, other._root = self.size, list(self._roots), self._root
        return other

    def kept(self) -> bytes:
        """The roots one behind the other: with the size, enough to go on later (`resumed`)."""
        return b"".join(self._roots)

    @classmethod
    def resumed(cls, size: int, kept: bytes) -> Frontier:
        """The frontier that `kept` came from."""
        assert len(kept) == 32 * size.bit_count(), "not the roots of a tree of this size"
        out = cls()
        out.size, out._roots, out._root = size, [kept[i : i + 32] for i in range(0, len(kept), 32)], None if size else EMPTY_ROOT
        return out

    def append(self, leaf: bytes, made: Callable[[int, int, bytes], None] | None = None) -> None:
        """One more leaf hash. `made` hears of every node this completes, the leaf first: (height, n, hash) as `Tree.node` has them."""
        n, node, height = self.size, leaf, 0
        while n & 1:
            if made:
                made(height, n, node)
            node = node_hash(self._roots.pop(), node)
            n, height = n >> 1, height + 1
        if made:
            made(height, n, node)
        self._roots.append(node)
        self._root = None
        self.size += 1

    def root(self) -> bytes:
        """The root over everything appended so far."""
        if self._root is None:
            node = self._roots[-1]
            for left in self._roots[-2::-1]:
                node = node_hash(left, node)
            self._root = node
        return self._root


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """Root over leaf hashes."""
    return Frontier(leaves).root()


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
            return self.node(level, start >> level)
        k = _split(n)
        return node_hash(self.root(start, start + k), self.root(start + k, end))

    def node(self, height: int, n: int) -> bytes:
        """Node `n` of those over 2^`height` leaves each. A tree kept elsewhere answers from there."""
        return self._levels[height][n]

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
        fn, sn, node = _up(fn, sn, node, p)
    return sn == 0 and node == root


def _up(fn: int, sn: int, node: bytes, p: bytes) -> tuple[int, int, bytes]:
    """One step of RFC 9162 §2.1.3.2 (4)."""
    if fn & 1 or fn == sn:
        node = node_hash(p, node)
        while not fn & 1 and fn:
            fn, sn = fn >> 1, sn >> 1
    else:
        node = node_hash(node, p)
    return fn >> 1, sn >> 1, node


class Inclusions:
    """Inclusion proofs of many leaves of one tree. Where a proof comes to a node from which another one has gone on to the root with the
    same hashes, it shows the same: only what is its own is hashed."""

    def __init__(self, size: int, root: bytes) -> None:
        self.size, self.root = size, root
        self._shown: dict[tuple[int, int], tuple[bytes, tuple[bytes, ...]]] = {}

    def shown(self, leaf: bytes, index: int, proof: Sequence[bytes]) -> bool:
        """What `verify_inclusion` says."""
        if not 0 <= index < self.size or len(leaf) != 32:
            return False
        fn, sn, node, rest = index, self.size - 1, leaf, tuple(proof)
        own = {}
        while rest:
            if sn == 0:
                return False
            if self._shown.get((fn, sn)) == (node, rest):
                break
            own[fn, sn] = node, rest
            if len(rest[0]) != 32:
                return False
            fn, sn, node = _up(fn, sn, node, rest[0])
            rest = rest[1:]
        else:
            if sn != 0 or node != self.root:
                return False
        self._shown |= own
        return True


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
