"""The log as static files: what is written is what readers of the specification need, and what is read is checked."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_dossier.errors import Corrupt, DossierError, Refused, Unavailable
from release_dossier.steps.log import follow
from release_dossier.store.tiles import write_tiles
from release_dossier.trust.keys import parse_public
from release_dossier.trust.log import (
    Entry,
    Frontier,
    leaf_data,
    leaf_of,
    leaves_of,
    make_checkpoint,
    next_entry,
    parse_checkpoint,
    tree_root,
)
from release_dossier.trust.merkle import Tree
from release_dossier.trust.note import note_key, parse_vkey
from release_dossier.trust.proof import parse_proof, proves, write_proof
from release_dossier.trust.tiles import (
    WIDTH,
    Tile,
    bundle_of,
    entries_in,
    hashes_in,
    parse_bundle,
    parse_path,
    root_at,
    tiles_between,
    vouched,
)

PROJECT = "sha256:" + "7" * 64


def log_of(n: int, salt: str = "ab" * 16) -> list[Entry]:
    out: list[Entry] = []
    for i in range(n):
        digest = f"sha256:{i:064x}"
        before = out[-1] if out else None
        out.append(
            next_entry(before, type="evidence", digest=digest, envelope=digest, change="c", key="k", at="2026-01-01T00:00:00Z", salt=salt)
        )
    return out


ENTRIES = log_of(600)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513, 600])
def test_a_log_is_read_from_its_files(size: int, tmp_path: Path, town: Any) -> None:
    """Of every size around a full tile: root and entries read from the files are the log's, and so is every earlier root."""
    signer = town.signers["runner"]
    note = make_checkpoint(PROJECT, size, tree_root(leaves_of(ENTRIES[:size])), signer)
    write_tiles(tmp_path, ENTRIES, note)
    fetch = lambda path: (tmp_path / path).read_bytes()  # noqa: E731
    assert root_at(fetch, size) == tree_root(leaves_of(ENTRIES[:size]))
    assert [e for _, e in entries_in(fetch, size)] == [leaf_data(e.line()) for e in ENTRIES[:size]]
    assert fetch("checkpoint") == note
    for earlier in {0, 1, 200, 256, 300, size} & set(range(size + 1)):
        assert root_at(fetch, earlier, size) == tree_root(leaves_of(ENTRIES[:earlier]))
    assert all(parse_path(str(p.relative_to(tmp_path))).path for p in tmp_path.glob("tile/**/*") if p.is_file())


def test_growing_writes_only_what_is_new(tmp_path: Path, town: Any) -> None:
    """A second call writes what the larger log needs and leaves full tiles as they are; the same again writes the checkpoint alone."""
    signer = town.signers["runner"]
    notes = {n: make_checkpoint(PROJECT, n, tree_root(leaves_of(ENTRIES[:n])), signer) for n in (300, 600)}
    write_tiles(tmp_path, ENTRIES, notes[300])
    full = tmp_path / "tile" / "0" / "000"
    before = full.stat()
    assert write_tiles(tmp_path, ENTRIES, notes[600]) == 6  # level 0: 001 and 002.p, their bundles, level 1, checkpoint
    assert (full.stat().st_ino, full.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert write_tiles(tmp_path, ENTRIES, notes[600]) == 1


@pytest.mark.parametrize("name", ["tile/0/000", "tile/entries/000", "tile/0/001.p/44"])
@pytest.mark.parametrize("left", [0, 20, -1])
def test_a_damaged_file_is_written_again(tmp_path: Path, town: Any, name: str, left: int) -> None:
    """What a disk cut short or altered is not taken for written: publishing again mends it."""
    note = make_checkpoint(PROJECT, 300, tree_root(leaves_of(ENTRIES[:300])), town.signers["runner"])
    write_tiles(tmp_path, ENTRIES, note)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:left] + b"?" * (left < 0))
    assert write_tiles(tmp_path, ENTRIES, note) == 2
    assert (tmp_path / name).read_bytes() == whole


def test_what_the_log_shows_says_nothing(tmp_path: Path, town: Any) -> None:
    """Nothing of a statement stands in the files of a log with salts: no name, digest or moment; another salt gives another leaf."""
    note = make_checkpoint(PROJECT, 30, tree_root(leaves_of(ENTRIES[:30])), town.signers["runner"])
    write_tiles(tmp_path, ENTRIES, note)
    shown = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    for e in ENTRIES[:30]:
        assert e.digest.encode() not in shown
        assert e.digest[7:].encode() not in shown
    assert b"evidence" not in shown
    assert b"2026" not in shown
    assert leaf_of(log_of(1)[0].line()) != leaf_of(log_of(1, "cd" * 16)[0].line())
    old = log_of(1, "")[0].line()
    assert leaf_data(old) == old  # a line without salt is a leaf itself, as older logs have it


def test_an_altered_file_is_found(tmp_path: Path, town: Any) -> None:
    """Each byte of a small log's files changed: another root, or a typed failure."""
    note = make_checkpoint(PROJECT, 3, tree_root(leaves_of(ENTRIES[:3])), town.signers["runner"])
    write_tiles(tmp_path, ENTRIES, note)
    root = tree_root(leaves_of(ENTRIES[:3]))
    files = {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.glob("tile/**/*") if p.is_file()}
    for name, content in files.items():
        for i in range(len(content)):
            bad = {**files, name: content[:i] + bytes((content[i] ^ 1,)) + content[i + 1 :]}
            try:
                found = root_at(bad.__getitem__, 3)
                list(entries_in(bad.__getitem__, 3))
            except Corrupt:
                continue
            assert found != root, (name, i)


def test_attack_a_fork_that_shows_the_old_tiles(tmp_path: Path, town: Any) -> None:
    """A log that rewrote an entry of long ago and shows whoever saw the old one the old tile and bundle is found: the new root does not
    vouch for them."""
    signer = town.signers["runner"]
    forged = [*log_of(5), *log_of(600, "cd" * 16)[5:]]
    heads = {n: make_checkpoint(PROJECT, n, tree_root(leaves_of(e[:n])), signer) for n, e in ((100, ENTRIES), (600, forged))}
    site, seen = tmp_path / "site", tmp_path / "seen"
    key = note_key(parse_checkpoint(heads[100]).origin, parse_public(signer.public, "runner"))
    write_tiles(site, ENTRIES, heads[100])
    assert follow(str(site), key, seen)["read"] == 100
    write_tiles(site, forged, heads[600])
    shown = [*ENTRIES[:100], *forged[100:256]]
    (site / "tile/0/000").write_bytes(b"".join(leaves_of(shown)))
    (site / "tile/entries/000").write_bytes(bundle_of([leaf_data(e.line()) for e in shown]))
    with pytest.raises(Corrupt) as found:
        follow(str(site), key, seen)
    assert (found.value.code, found.value.at) == ("tile.hashes", "tile/0/000")
    assert seen.read_bytes() == heads[100]


def test_full_tiles_stand_in_for_narrower_ones_that_are_gone(tmp_path: Path, town: Any) -> None:
    """A log grows while it is read and takes its narrower tiles away, as C2SP allows: hashes and entries come from the full ones."""
    write_tiles(tmp_path, ENTRIES, make_checkpoint(PROJECT, 600, tree_root(leaves_of(ENTRIES)), town.signers["runner"]))

    def fetch(path: str) -> bytes:
        try:
            return (tmp_path / path).read_bytes()
        except FileNotFoundError as e:
            raise Unavailable("log.unreachable", at=path, found="no such file", expected="a file of the log") from e

    root = tree_root(leaves_of(ENTRIES[:300]))
    (tmp_path / "tile/1/000.p/1").write_bytes(hashes_in(Tree(leaves_of(ENTRIES[:300])), Tile(1, 0, 1)))
    shown = vouched(fetch, 300, root)
    assert [e for _, e in entries_in(shown, 300)] == [leaf_data(e.line()) for e in ENTRIES[:300]]
    with pytest.raises(Unavailable) as found:
        vouched(fetch, 560, root)
    assert found.value.at == "tile/0/002.p/48"


@pytest.mark.parametrize(
    "path", ["tile/0/0", "tile/00/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/x000/000", "tile/64/000", "tile/0/1/000", "../x"]
)
def test_a_tile_has_one_path(path: str) -> None:
    """Other spellings of a path are refused; large numbers are spelled in groups of three."""
    with pytest.raises(Refused) as found:
        parse_path(path)
    assert found.value.code == "tile.path"
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert parse_path("tile/entries/x001/x234/067.p/7") == Tile(-1, 1234067, 7)


@given(st.lists(st.binary(max_size=40), max_size=8), st.binary(max_size=30))
def test_bundles_are_read_back(entries: list[bytes], noise: bytes) -> None:
    """Entries come back; with bytes behind them, or another count, or noise instead, the failure is typed."""
    raw = bundle_of(entries)
    assert parse_bundle(raw, len(entries), "bundle") == tuple(entries)
    for bad, n in ((raw + b"x", len(entries)), (raw, len(entries) + 1)):
        with pytest.raises(Corrupt):
            parse_bundle(bad, n, "bundle")
    with suppress(DossierError):
        parse_bundle(noise, 2, "bundle")


def test_hash_tiles_are_the_specifications() -> None:
    """A tile of level 1 holds the roots over 256 leaves each; the specification's example of 70,000 entries has the tiles it says."""
    tree = Tree(leaves_of(ENTRIES))
    assert hashes_in(tree, Tile(1, 0, 2)) == Frontier(leaves_of(ENTRIES[:256])).root() + Frontier(leaves_of(ENTRIES[256:512])).root()
    found = tiles_between(0, 70_000)
    assert sum(t.level == 0 and t.width == WIDTH for t in found) == 273
    assert [(t.level, t.width) for t in found if t.width != WIDTH] == [(0, 112), (1, 17), (2, 1)]


def test_a_proof_is_one_text(town: Any) -> None:
    """A proof read back shows its own entry and no other, under the checkpoint it carries; its extra is what was said."""
    note = make_checkpoint(PROJECT, 9, tree_root(leaves_of(ENTRIES[:9])), town.signers["runner"])
    raw = write_proof(4, Tree(leaves_of(ENTRIES[:9])).inclusion(4), note, ENTRIES[4].line())
    proof = parse_proof(raw)
    assert proof.checkpoint == note
    assert proof.extra == ENTRIES[4].line()
    assert proves(proof, leaf_of(ENTRIES[4].line()))
    assert not proves(proof, leaf_of(ENTRIES[5].line()))


@pytest.mark.parametrize("text", ["", "a+b", "name+0000000+AA==", "name+00000000+AA==", "na me+00000000+AA==", "x+a1b2c3d4+" + "A" * 44])
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    """Wrong parts, wrong hash, wrong length: refused with a type."""
    with pytest.raises(Refused):
        parse_vkey(text)
