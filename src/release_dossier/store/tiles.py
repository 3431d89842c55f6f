"""The log as a folder of static files that any web server can serve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from release_dossier.errors import Unavailable
from release_dossier.store.files import replace_file
from release_dossier.trust.log import Entry, leaf_data, parse_checkpoint
from release_dossier.trust.merkle import Tree, leaf_hash
from release_dossier.trust.tiles import WIDTH, Tile, bundle_of, hashes_in, tiles_between


def published(folder: Path) -> bytes:
    """The checkpoint that stands in `folder`; empty where none does.

    Raises:
        Unavailable: `log.unreachable`.
    """
    file = folder / "checkpoint"
    try:
        return file.read_bytes() if file.exists() else b""
    except OSError as e:
        raise Unavailable("log.unreachable", at=str(file), found=e.strerror or "an error", expected="a checkpoint") from e


def write_tiles(folder: Path, entries: Sequence[Entry], checkpoint: bytes) -> int:
    """Bring `folder` to the checkpoint: tiles and bundles it lacks or a disk damaged, then the checkpoint. Returns how many were written.

    Each file appears whole or not at all, and the checkpoint last, so that a reader at any moment finds everything its checkpoint
    asks for; a crash leaves files the next call finds there. What is there as it should be is left alone.

    Raises:
        Unavailable: `log.unwritable`. Corrupt: `log.*`: `checkpoint` is none.
    """
    size = parse_checkpoint(checkpoint).size
    data = [leaf_data(e.line()) for e in entries[:size]]
    tree = Tree([leaf_hash(d) for d in data])
    written = 0
    try:
        for tile in tiles_between(0, size):
            written += _place(folder / tile.path, hashes_in(tree, tile))
            if tile.level == 0:
                at = tile.n * WIDTH
                written += _place(folder / Tile(-1, tile.n, tile.width).path, bundle_of(data[at : at + tile.width]))
        _write(folder / "checkpoint", checkpoint)
    except OSError as e:
        raise Unavailable("log.unwritable", at=str(folder), found=e.strerror or "an error", expected="a folder to write the log to") from e
    return written + 1


def _place(file: Path, content: bytes) -> int:
    if file.exists() and file.read_bytes() == content:
        return 0
    _write(file, content)
    return 1


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, content)
