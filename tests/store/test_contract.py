"""What every store promises (ports.py), held against each."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from release_dossier.digest import sha256
from release_dossier.errors import Corrupt, Refused, Unavailable
from release_dossier.ports import Put, Store
from release_dossier.trust.dsse import parse_envelope
from release_dossier.trust.log import extends, parse_checkpoint, root_of
from tests.store.conftest_store import AT, OTHER, envelope, put, put_all


def test_what_is_put_is_there(store: Store) -> None:
    """Entry, document, log and checkpoint say the same thing."""
    entries = [put(store, i) for i in range(5)]
    assert store.entries() == tuple(entries)
    assert [e.n for e in entries] == [0, 1, 2, 3, 4]
    assert entries[0].digest == parse_envelope(envelope(0), "x").digest
    assert (entries[2].type, entries[2].change, entries[2].key, entries[2].at) == ("evidence", "c", "k2", AT)
    assert store.document(entries[3].digest) == envelope(3)
    c = parse_checkpoint(store.checkpoint())
    assert (c.size, "sha256:" + c.root.hex()) == (5, root_of(entries))
    assert store.recovered == ()


def test_a_new_store_is_empty_and_has_a_checkpoint(store: Store) -> None:
    """Nothing is something that can be signed."""
    assert store.entries() == ()
    assert parse_checkpoint(store.checkpoint()).size == 0


def test_putting_again_doubles_nothing(store: Store) -> None:
    """Same statement, same entry, whoever signed it this time and whatever it is called; the first envelope stays."""
    first = put(store, 1)
    assert put(store, 1) == first
    assert store.put(envelope(1, OTHER), type="evidence", change="d", key="other", at="2027-01-01T00:00:00Z") == first
    assert len(store.entries()) == 1
    assert store.document(first.digest) == envelope(1)


def test_many_at_once_are_as_one_after_another(store: Store) -> None:
    """In their order, each once, also where one is there already or comes twice; one that is no envelope leaves nothing of the lot."""
    put(store, 1)
    entries = put_all(store, (0, 1, 2, 0, 3))
    assert [e.n for e in entries] == [1, 0, 2, 1, 3]
    assert [e.key for e in store.entries()] == ["k1", "k0", "k2", "k3"]
    assert root_of(store.entries()) == "sha256:" + parse_checkpoint(store.checkpoint()).root.hex()
    with pytest.raises(Refused):
        store.put_all([Put(envelope=e, type="evidence", change="c", key="k", at=AT) for e in (envelope(7), b"{}")])
    assert len(store.entries()) == 4
    assert put_all(store, ()) == []
    assert put(store, 9).n == 4


def test_entries_never_change(store: Store) -> None:
    """A tuple handed out stays as it was; a longer log extends every checkpoint before it."""
    put(store, 0)
    before, kept = store.entries(), store.checkpoint()
    put(store, 1)
    assert len(before) == 1
    assert store.entries()[:1] == before
    assert extends(len(store.entries()), store.root, kept)
    assert store.entries() is store.entries()


def test_only_envelopes_are_put(store: Store) -> None:
    """Anything else is refused and leaves nothing."""
    with pytest.raises(Refused):
        store.put(b"{}", type="evidence", change="c", key="k", at=AT)
    assert store.entries() == ()


def test_a_document_without_an_entry_does_not_exist(store: Store) -> None:
    """What no entry names is unknown, whatever lies in the folder."""
    with pytest.raises(Refused) as e:
        store.document("sha256:" + "0" * 64)
    assert e.value.code == "digest.unknown"


def test_prefixes(store: Store) -> None:
    """Eight digits name a statement when they name one; `sha256:` in front changes nothing."""
    digest = put(store, 0).digest
    assert store.find(digest) == store.find(digest[7:]) == store.find(digest[:15]) == store.find(digest[7:15]) == digest
    for prefix, code in (
        (digest[7:14], "digest.short"),
        ("sha256:", "digest.short"),
        ("0" * 8, "digest.unknown"),
        ("HEAD....", "digest.syntax"),
        (digest + "0", "digest.syntax"),
        (digest.upper()[7:], "digest.syntax") if digest[7:].upper() != digest[7:] else ("x", "digest.syntax"),
    ):
        with pytest.raises(Refused) as e:
            store.find(prefix)
        assert e.value.code == code


def test_an_ambiguous_prefix_is_refused() -> None:
    """Two statements that begin alike, found by nobody's luck: the index is asked directly."""
    from release_dossier.store.index import Index
    from release_dossier.trust.log import next_entry

    a, b = "sha256:" + "1" * 64, "sha256:" + "1" * 63 + "2"
    first = next_entry(None, type="t", digest=a, envelope=a, change="", key="", at=AT)
    index = Index([first, next_entry(first, type="t", digest=b, envelope=b, change="", key="", at=AT)])
    with pytest.raises(Refused) as e:
        index.find("1" * 20)
    assert e.value.code == "digest.ambiguous"
    assert index.find(b) == b
    with pytest.raises(Corrupt) as c:
        index.add(next_entry(index.last(), type="t", digest=a, envelope=a, change="", key="", at=AT))
    assert c.value.code == "log.twice"


def test_artifacts(store: Store, tmp_path: Path) -> None:
    """Bytes and files come back by digest; the same content is one artifact."""
    file = tmp_path / "a.txt"
    file.write_bytes(b"content")
    assert store.put_artifact(file) == store.put_artifact(b"content") == sha256(b"content")
    assert store.artifact(sha256(b"content")) == b"content"
    with pytest.raises(Corrupt) as e:
        store.artifact(sha256(b"other"))
    assert e.value.code == "store.missing-artifact"


def test_an_erased_artifact_is_withheld_and_not_lost(store: Store) -> None:
    """Removed content is missing until the log says that it was erased; then it is withheld. Erasing what is not there is no fault."""
    digest = store.put_artifact(b"content")
    store.erase_artifact(digest)
    store.erase_artifact(digest)
    with pytest.raises(Corrupt) as lost:
        store.artifact(digest)
    assert lost.value.code == "store.missing-artifact"
    store.put(envelope(1), type="erasure", change="c", key=digest, at=AT)
    with pytest.raises(Refused) as gone:
        store.artifact(digest)
    assert gone.value.code == "store.withheld"


def test_a_link_or_a_folder_is_no_artifact(store: Store, tmp_path: Path) -> None:
    """What a link points to may be anything by the time it is read."""
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for file, code in (
        (tmp_path / "link", "artifact.unreadable"),
        (tmp_path, "artifact.not-a-file"),
        (tmp_path / "none", "artifact.unreadable"),
    ):
        with pytest.raises(Refused) as e:
            store.put_artifact(file)
        assert e.value.code == code


def test_an_artifact_over_the_limit_is_refused(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused while reading, with nothing left behind."""
    monkeypatch.setattr("release_dossier.store.files.ARTIFACT_BYTES_MAX", 10)
    (tmp_path / "a").write_bytes(b"x" * 11)
    with pytest.raises(Refused) as e:
        store.put_artifact(tmp_path / "a")
    assert e.value.code == "artifact.too-large"
    with pytest.raises(Corrupt):
        store.artifact(sha256(b"x" * 11))


def test_the_lock_is_entered_again_by_its_holder(store: Store) -> None:
    """Steps hold the lock around several puts."""
    with store.lock(), store.lock():
        put(store, 0)
    put(store, 1)
    assert len(store.entries()) == 2


def test_another_thread_waits_and_then_gives_up(store: Store) -> None:
    """With the lock held, a wait of nothing ends in a typed failure; after it is free the same call works."""
    seen: list[Exception | None] = []

    def other() -> None:
        try:
            with store.lock(wait_s=0.05):
                seen.append(None)
        except Unavailable as e:
            seen.append(e)

    with store.lock():
        t = threading.Thread(target=other)
        t.start()
        t.join()
    other()
    assert isinstance(seen[0], Unavailable)
    assert seen[0].code == "store.locked"
    assert seen[1] is None


def test_threads_lose_and_double_nothing(store: Store) -> None:
    """Four threads put overlapping statements; each is there once, and the chain holds."""
    threads = [threading.Thread(target=lambda k=k: [put(store, i) for i in range(k, k + 10)]) for k in range(4)]  # type: ignore[misc]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(e.key for e in store.entries()) == sorted(f"k{i}" for i in range(13))
    assert extends(len(store.entries()), store.root, store.checkpoint())
