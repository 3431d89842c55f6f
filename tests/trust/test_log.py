"""The log: entries, tree, proofs, checkpoints."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_dossier.digest import canonical
from release_dossier.errors import Corrupt, DossierError
from release_dossier.trust.keys import P256, generate, parse_private
from release_dossier.trust.log import (
    EMPTY_ROOT,
    Entry,
    Frontier,
    Tree,
    checkpoint_signers,
    extends,
    leaf_hash,
    leaves_of,
    make_checkpoint,
    next_entry,
    node_hash,
    origin_of,
    parse_checkpoint,
    parse_entries,
    root_of,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from release_dossier.trust.merkle import Inclusions

PROJECT = "sha256:" + "ab" * 32


def entries(n: int) -> tuple[Entry, ...]:
    out: list[Entry] = []
    for i in range(n):
        name = "sha256:" + hashlib.sha256(b"%d" % i).hexdigest()
        out.append(
            next_entry(
                out[-1] if out else None, type="evidence", digest=name, envelope=name, change="c", key=f"k{i}", at="2026-01-01T00:00:00Z"
            )
        )
    return tuple(out)


def raw(rows: tuple[Entry, ...]) -> bytes:
    return b"".join(e.line() + b"\n" for e in rows)


def reference_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, written as it stands there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(reference_root(leaves[:k]), reference_root(leaves[k:]))


LEAVES = [leaf_hash(b"%d" % i) for i in range(40)]


def test_roots_and_proofs_of_every_size() -> None:
    """Frontier, tree and the definition agree; every leaf's proof verifies; every smaller tree is shown to be the beginning."""
    for n in range(len(LEAVES) + 1):
        leaves = LEAVES[:n]
        tree, root = Tree(leaves), reference_root(leaves)
        assert tree_root(leaves) == tree.root() == root
        for i in range(n):
            proof = tree.inclusion(i)
            assert verify_inclusion(leaves[i], i, n, proof, root)
            assert not verify_inclusion(leaves[i], i + 1, n, proof, root)
            assert not verify_inclusion(leaf_hash(b"other"), i, n, proof, root)
            assert not verify_inclusion(leaves[i], i, n, (*proof, root), root)
            assert not verify_inclusion(leaves[i], i, n, proof, EMPTY_ROOT)
        for old in range(1, n + 1):
            proof, before = tree.consistency(old), reference_root(LEAVES[:old])
            assert verify_consistency(old, n, before, root, proof)
            assert not verify_consistency(old, n, EMPTY_ROOT, root, proof)
            assert not verify_consistency(old, n, before, EMPTY_ROOT, proof)
            assert not verify_consistency(old, n, before, root, (*proof, root))
            if proof:
                assert not verify_consistency(old, n, before, root, proof[:-1])


def test_from_nothing_nothing_follows() -> None:
    """A proof from size 0 would let every tree pass and is refused, as are sizes that shrink."""
    root = tree_root(LEAVES[:3])
    assert not verify_consistency(0, 3, EMPTY_ROOT, root, ())
    assert not verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, ())
    assert not verify_consistency(4, 3, root, root, ())
    assert not verify_inclusion(LEAVES[0], 0, 0, (), EMPTY_ROOT)
    assert not verify_inclusion(LEAVES[0], -1, 1, (), LEAVES[0])
    assert not verify_inclusion(LEAVES[0][:31], 0, 1, (), LEAVES[0][:31])


def test_a_leaf_never_passes_for_a_node() -> None:
    """The second preimage that plain Merkle trees allow."""
    a, b = LEAVES[:2]
    assert leaf_hash(a + b) != node_hash(a, b)
    assert Frontier([leaf_hash(a + b)]).root() != Frontier([a, b]).root()


def test_entries_are_read_back() -> None:
    """Written and read they are the same, also in two parts."""
    rows = entries(5)
    assert parse_entries(raw(rows)) == rows
    assert parse_entries(raw(rows[3:]), rows[2]) == rows[3:]
    assert parse_entries(b"") == ()


text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(text, text)
def test_a_line_is_canonical_json(change: str, key: str) -> None:
    """Whatever the words, an entry's line is what RFC 8785 writes."""
    entry = next_entry(None, type="evidence", digest="d", envelope="e", change=change, key=key, at="t")
    assert entry.line() == canonical(msgspec.to_builtins(entry))
    assert parse_entries(entry.line() + b"\n") == (entry,)


def test_a_torn_last_line_is_no_entry() -> None:
    """A crash in the middle of a write leaves any prefix of the line; the entries before it stand."""
    rows = entries(3)
    whole, line = raw(rows), rows[2].line()
    for cut in range(len(line)):
        assert parse_entries(raw(rows[:2]) + line[:cut]) == rows[:2]
    assert parse_entries(whole[:-1]) == rows[:2]


def test_faults_name_the_entry() -> None:
    """Gap, repeated number, broken chain and noise, each with its code and the number of the entry."""
    rows = entries(5)
    lines = [e.line() for e in rows]
    other = msgspec.structs.replace(rows[2], key="other").line()
    cases = [
        ([*lines[:2], *lines[3:]], "log.gap", 2),
        ([*lines[:2], lines[1], *lines[2:]], "log.order", 2),
        ([lines[1], lines[0]], "log.gap", 0),
        ([*lines[:2], other, *lines[3:]], "log.chain", 3),
        ([*lines[:2], b"noise", *lines[3:]], "log.entry", 2),
        ([*lines[:2], b"", *lines[2:]], "log.entry", 2),
        ([*lines[:2], lines[2].replace(b'"n":2', b'"n": 2'), *lines[3:]], "log.entry", 2),
        ([*lines[:2], lines[2].replace(b'"n":2', b'"m":0,"n":2')], "log.entry", 2),
    ]
    for bad, code, n in cases:
        with pytest.raises(Corrupt) as e:
            parse_entries(b"\n".join(bad) + b"\n")
        assert (e.value.code, e.value.at) == (code, f"log entry {n}")
    with pytest.raises(Corrupt) as e:
        parse_entries(raw(rows[1:]))
    assert e.value.code == "log.gap"


@pytest.mark.parametrize("kind", ["ssh-ed25519", P256])
def test_a_checkpoint_is_signed_and_read(kind: str, town: Any) -> None:
    """Origin, size and root come back; only the key that signed it is named; another text is signed by nobody."""
    signer = parse_private(generate(kind)[0], "x")
    rows = entries(3)
    note = make_checkpoint(PROJECT, 3, tree_root(leaves_of(rows)), signer)
    c = parse_checkpoint(note)
    assert (c.origin, c.size, "sha256:" + c.root.hex()) == (origin_of(PROJECT), 3, root_of(rows))
    assert c.origin == "release-dossier/abababababababab"
    assert checkpoint_signers(c, [signer.public, town.key("bob").public]) == {signer.key_id}
    assert checkpoint_signers(c, [town.key("bob").public]) == frozenset()
    bigger = parse_checkpoint(note.replace(b"\n3\n", b"\n4\n"))
    assert checkpoint_signers(bigger, [signer.public]) == frozenset()


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"x",
        b"o\n1\nAAAA\n\n\xe2\x80\x94 o AAAAAAAA\n",
        b"o\n01\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 o AAAAAAAA\n",
        b"o\n-1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 o AAAAAAAA\n",
        b"\n1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 o AAAAAAAA\n",
        b"o\n1\n" + b"A" * 43 + b"=\n\n",
        b"o\n1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 o AAAAAAAA",
        b"o\n1\n" + b"A" * 43 + b"=\n\n- o AAAAAAAA\n",
        b"o\n1\n" + b"A" * 42 + b"B=\n\n\xe2\x80\x94 o AAAAAAAA\n",
        b"o\n1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 o AAAA\n",
        b"o\t\n1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 o AAAAAAAA\n",
        b"o\xff\n1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 o AAAAAAAA\n",
    ],
)
def test_what_is_no_checkpoint_is_corrupt(note: bytes) -> None:
    """Each is refused with a type; the good one beside them is read."""
    assert parse_checkpoint(b"o\n1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 o AAAAAAAA\n").size == 1
    with pytest.raises(Corrupt):
        parse_checkpoint(note)


@given(st.binary(max_size=300))
def test_noise_is_typed(noise: bytes) -> None:
    """Whatever the bytes, reading a note or a log ends in a value or a typed failure."""
    for read in (parse_checkpoint, parse_entries):
        with suppress(DossierError):
            read(noise)


def held(rows: Any, kept: bytes) -> bool:
    return extends(len(rows), lambda n: tree_root(leaves_of(rows[:n])), kept)


def test_a_checkpoint_kept_elsewhere_finds_a_rollback(town: Any) -> None:
    """A log extends every checkpoint it had; one that was cut, or written anew, extends none of those it lost."""
    rows = entries(6)
    kept = make_checkpoint(PROJECT, 4, tree_root(leaves_of(rows[:4])), town.signers["runner"])
    assert held(rows, kept)
    assert held(rows[:4], kept)
    assert not held(rows[:3], kept)
    assert not held((), kept)
    anew = json.loads(rows[1].line()) | {"key": "other"}
    assert not held((rows[0], msgspec.convert(anew, Entry), *rows[2:]), kept)
    assert held((), make_checkpoint(PROJECT, 0, EMPTY_ROOT, town.signers["runner"]))


@given(st.data())
def test_proofs_held_against_each_other_show_what_each_shows_alone(data: st.DataObject) -> None:
    """In any order, some of them changed in any place: never a leaf that alone would not be shown, and none less."""
    size = data.draw(st.integers(1, 70))
    leaves = [leaf_hash(str(i).encode()) for i in range(size)]
    tree = Tree(leaves)
    root, known = tree_root(leaves), Inclusions(size, tree_root(leaves))
    for index in data.draw(st.lists(st.integers(0, size), max_size=40)):
        proof = [bytes(p) for p in tree.inclusion(min(index, size - 1))]
        leaf = leaves[min(index, size - 1)]
        match data.draw(st.sampled_from(["as it is", "another hash", "one less", "one more", "another leaf", "another place"])):
            case "another hash" if proof:
                proof[data.draw(st.integers(0, len(proof) - 1))] = data.draw(st.sampled_from(leaves))
            case "one less":
                proof = proof[:-1]
            case "one more":
                proof.insert(data.draw(st.integers(0, len(proof))), data.draw(st.sampled_from([*proof, root, b"short"])))
            case "another leaf":
                leaf = data.draw(st.sampled_from(leaves))
            case "another place":
                index = data.draw(st.integers(-1, size + 1))
        alone = verify_inclusion(leaf, index, size, proof, root)
        assert known.shown(leaf, index, proof) == alone


def test_a_proof_of_a_leaf_that_is_not_there() -> None:
    """No index before the first or after the last, and no leaf that is no hash, is shown by any proof."""
    leaf = leaf_hash(b"a")
    assert Inclusions(1, leaf).shown(leaf, 0, [])
    assert not Inclusions(1, leaf).shown(leaf, 1, [])
    assert not Inclusions(1, leaf).shown(leaf, -1, [])
    assert not Inclusions(1, b"short").shown(b"short", 0, [])


def test_a_frontier_says_which_nodes_a_leaf_completes() -> None:
    """Each node of the whole tree that stands over a full power of two, once, the leaf first; `made` changes no root."""
    leaves = [leaf_hash(b"%d" % i) for i in range(21)]
    tree, frontier, heard = Tree(leaves), Frontier(), list[tuple[int, int, bytes]]()
    for i, leaf in enumerate(leaves):
        before = len(heard)
        frontier.append(leaf, lambda *node: heard.append(node))
        assert heard[before] == (0, i, leaf)
    made = {(height, n): node for height, n, node in heard}
    assert len(made) == len(heard)
    assert made == {(h, n): tree.root(n << h, (n + 1) << h) for h in range(5) for n in range(21 >> h)}
    assert frontier.root() == tree_root(leaves)


def test_a_frontier_goes_on_where_it_was_kept() -> None:
    """Kept after any leaf and resumed, the root is that of the whole."""
    leaves = [leaf_hash(b"%d" % i) for i in range(40)]
    for n in range(40):
        before = Frontier(leaves[:n])
        copied = before.copy()
        assert copied.root() == before.root() == before.copy().root() == Tree(leaves[:n]).root()
        after = Frontier.resumed(n, before.kept())
        assert after.root() == before.root()
        for leaf in leaves[n:]:
            after.append(leaf)
        assert after.root() == tree_root(leaves)


@pytest.mark.parametrize("old", [-1, 0, 4])
def test_no_tree_grew_out_of_nothing_or_out_of_a_larger_one(old: int) -> None:
    """A proof is only made from one tree to one that is not smaller."""
    with pytest.raises(AssertionError):
        Tree([leaf_hash(b"%d" % i) for i in range(3)]).consistency(old)


def test_a_log_has_as_many_entries_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted with those before what is read: the last one it may have is read, one more is no log."""
    rows = entries(3)
    monkeypatch.setattr("release_dossier.trust.log.LOG_ENTRIES_MAX", 3)
    assert parse_entries(raw(rows)) == rows
    assert parse_entries(raw(rows[2:]), rows[1]) == rows[2:]
    monkeypatch.setattr("release_dossier.trust.log.LOG_ENTRIES_MAX", 2)
    for more, before in ((rows, None), (rows[2:], rows[1])):
        with pytest.raises(Corrupt, match=r"^log\.entry: at log: found 3 entries, expected at most 2$"):
            parse_entries(raw(more), before)
