"""The log as static files (C2SP tlog-tiles): any web server can serve them, any client of that specification can read them.

    checkpoint                     the signed head
    tile/<L>/<N>[.p/<W>]           256 hashes of the tree at height 8·L; the last one of a level may be narrower
    tile/entries/<N>[.p/<W>]       the entries under 256 leaves, each with its length in two bytes in front

1. A tile of level L holds the roots over 256^L leaves each; only full tiles are hashed into the level above.
2. A full tile never changes. A narrower one stands for one size of the tree, and the full one may stand in for it.
3. What is read counts only under the checkpoint's root: the last tiles of the levels give that root together, and every full tile is one
   hash of a tile of the level above. A server may show other tiles to each who asks, so each is held against what is above it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from release_dossier.errors import Corrupt, Refused, Unavailable
from release_dossier.trust.merkle import Frontier, Tree, leaf_hash, node_hash, tree_root

HEIGHT = 8  # levels of the tree in one tile, fixed by the specification
WIDTH = 1 << HEIGHT
ENTRY_BYTES_MAX = (1 << 16) - 1  # bytes of one entry: two bytes of length
HASH_BYTES = 32
_PATH = re.compile(r"tile/(entries|0|[1-9]\d?)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?\Z")

Fetch = Callable[[str], bytes]  # a path below the log's prefix → its content; raises Unavailable


class Tile(msgspec.Struct, frozen=True):
    """Tile `n` of `level` (-1: the entries), `width` hashes or entries wide."""

    level: int
    n: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies below the log's prefix."""
        digits = f"{self.n % 1000:03d}"
        n = self.n // 1000
        while n:
            digits, n = f"x{n % 1000:03d}/{digits}", n // 1000
        return f"tile/{'entries' if self.level < 0 else self.level}/{digits}" + (f".p/{self.width}" if self.width < WIDTH else "")


def parse_path(path: str) -> Tile:
    """The tile a path names, spelled in the one way there is.

    Raises:
        Refused: `tile.path`.
    """
    found = _PATH.match(path)
    level = -1 if found and found[1] == "entries" else int(found[1]) if found else 0
    tile = Tile(level, int(found[2].replace("x", "").replace("/", "")), int(found[3] or WIDTH)) if found else None
    if tile is None or tile.path != path or level > 63:
        raise Refused("tile.path", at="tile", found=repr(path[:80]), expected="tile/LEVEL/NNN or tile/entries/NNN, .p/WIDTH behind it")
    return tile


def tiles_between(old: int, new: int, height: int = HEIGHT) -> list[Tile]:
    """The hash tiles a log of `new` leaves has that it did not have at `old`, level by level. `height` is 8 in every C2SP log."""
    out, level = [], 0
    while new >> (height * level):
        before, after = old >> (height * level), new >> (height * level)
        if before != after:
            out += [Tile(level, n, 1 << height) for n in range(before >> height, after >> height)]
            if after & ((1 << height) - 1):
                out.append(Tile(level, after >> height, after & ((1 << height) - 1)))
        level += 1
    return out


def hashes_in(tree: Tree, tile: Tile) -> bytes:
    """The content of a hash tile over the leaves of `tree`."""
    return b"".join(tree.node(HEIGHT * tile.level, tile.n * WIDTH + i) for i in range(tile.width))


def bundle_of(entries: Sequence[bytes]) -> bytes:
    """The content of an entry bundle.

    Raises:
        Refused: `tile.entry-too-large`.
    """
    for e in entries:
        if len(e) > ENTRY_BYTES_MAX:
            raise Refused("tile.entry-too-large", at="log entry", found=f"{len(e)} bytes", expected=f"at most {ENTRY_BYTES_MAX}")
    return b"".join(len(e).to_bytes(2, "big") + e for e in entries)


def parse_bundle(raw: bytes, width: int, at: str) -> tuple[bytes, ...]:
    """The `width` entries of a bundle.

    Raises:
        Corrupt: `tile.entries`.
    """
    out, pos = [], 0
    for _ in range(width):
        length = int.from_bytes(raw[pos : pos + 2], "big")
        entry = raw[pos + 2 : pos + 2 + length]
        if len(raw) < pos + 2 or len(entry) != length:
            raise Corrupt("tile.entries", at=f"{at} byte {pos}", found=f"{len(raw) - pos} bytes left", expected="another entry")
        out.append(entry)
        pos += 2 + length
    if pos != len(raw):
        raise Corrupt("tile.entries", at=f"{at} byte {pos}", found=f"{len(raw) - pos} bytes more", expected=f"{width} entries and the end")
    return tuple(out)


def vouched(fetch: Fetch, size: int, root: bytes) -> Fetch:
    """`fetch` for a log of `size` leaves under `root`, of which nothing comes that the root does not vouch for (rule 3), but for entries,
    which `entries_in` holds against their hashes. A narrower tile that is gone since the log grew is cut from the full one (rule 2).

    Raises: Corrupt: `tile.hashes`, `tile.entries`, now and when it is asked. Whatever `fetch` raises.
    """
    last = {tile.path: _served(fetch, tile) for tile in _last_tiles(size)}
    if root_at(last.__getitem__, size) != root:
        raise Corrupt("tile.hashes", at="the log's tiles", found="another root", expected="the checkpoint's")
    newest: dict[int, tuple[str, bytes]] = {}  # level → the full tile read last: who reads on asks for it again

    def held(path: str) -> bytes:
        if path in last:
            return last[path]
        tile = parse_path(path)
        if tile.level < 0:
            return _served(fetch, tile)
        known = newest.get(tile.level)
        if known is not None and known[0] == path:
            return known[1]
        raw, above = fetch(path), _tile_of(size, tile.level + 1, tile.n // WIDTH)
        at = tile.n % WIDTH * HASH_BYTES
        if tree_root(_hashes(raw, tile)) != held(above.path)[at : at + HASH_BYTES]:
            raise Corrupt("tile.hashes", at=path, found="other hashes", expected=f"those {above.path} stands for")
        newest[tile.level] = path, raw
        return raw

    return held


def _tile_of(size: int, level: int, n: int) -> Tile:
    """Tile `n` of a level in a log of `size` leaves."""
    return Tile(level, n, min(WIDTH, (size >> (HEIGHT * level)) - n * WIDTH))


def _last_tiles(size: int) -> list[Tile]:
    """The narrower tile of every level that has one."""
    wholes = [(level, size >> (HEIGHT * level)) for level in range(8)]
    return [Tile(level, whole // WIDTH, whole % WIDTH) for level, whole in wholes if whole % WIDTH]


def _served(fetch: Fetch, tile: Tile) -> bytes:
    """A narrower tile or bundle, from the full one where only that is left."""
    try:
        return fetch(tile.path)
    except Unavailable as gone:
        full = Tile(tile.level, tile.n)
        try:
            raw = fetch(full.path)
        except Unavailable:
            raise gone from None
    return raw[: tile.width * HASH_BYTES] if tile.level >= 0 else bundle_of(parse_bundle(raw, WIDTH, full.path)[: tile.width])


def root_at(fetch: Fetch, size: int, of: int | None = None) -> bytes:
    """The root over the first `size` leaves, from the hash tiles of a log that has `of` leaves (as many, when not said). Fetches one
    tile a level, and every tile of level 0 only where the levels above do not hold it.

    Raises:
        Corrupt: `tile.hashes`. Whatever `fetch` raises.
    """
    if size == 0:
        return Frontier().root()
    whole = size if of is None else of
    roots, start = [], 0
    while start < size:
        span = 1 << ((size - start).bit_length() - 1)
        roots.append(_subtree(fetch, start, span, whole))
        start += span
    node = roots[-1]
    for left in roots[-2::-1]:
        node = node_hash(left, node)
    return node


def _subtree(fetch: Fetch, start: int, span: int, of: int) -> bytes:
    """The root over `span` leaves from `start` on: a perfect subtree, made of hashes of one tile."""
    height = span.bit_length() - 1
    level = height // HEIGHT
    first = start >> (HEIGHT * level)
    n, at = first // WIDTH, first % WIDTH
    hashes = _tile(fetch, _tile_of(of, level, n))
    row = hashes[at : at + (span >> (HEIGHT * level))]
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def _tile(fetch: Fetch, tile: Tile) -> list[bytes]:
    return _hashes(fetch(tile.path), tile)


def _hashes(raw: bytes, tile: Tile) -> list[bytes]:
    if len(raw) != tile.width * HASH_BYTES:
        raise Corrupt("tile.hashes", at=tile.path, found=f"{len(raw)} bytes", expected=f"{tile.width} hashes of {HASH_BYTES} bytes")
    return [raw[i : i + HASH_BYTES] for i in range(0, len(raw), HASH_BYTES)]


def entries_in(fetch: Fetch, size: int, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Number and content of every entry from `start` to `size`, each held against its hash in level 0.

    Raises:
        Corrupt: `tile.*`; `tile.leaf` for an entry that is not the one the tree holds. Whatever `fetch` raises.
    """
    for n in range(start // WIDTH, -(-size // WIDTH)):
        width = min(WIDTH, size - n * WIDTH)
        hashes = _tile(fetch, Tile(0, n, width))
        path = Tile(-1, n, width).path
        for i, entry in enumerate(parse_bundle(fetch(path), width, path)):
            if leaf_hash(entry) != hashes[i]:
                raise Corrupt("tile.leaf", at=f"{path} entry {n * WIDTH + i}", found="other content", expected="what the tree holds")
            if n * WIDTH + i >= start:
                yield n * WIDTH + i, entry
