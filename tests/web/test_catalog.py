"""The read model: what it folds, how it keeps up, and that it never outlives what it was made from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from release_dossier.errors import Corrupt, Refused, Unavailable
from release_dossier.steps.look import listing
from release_dossier.store.tail import Tail
from release_dossier.web.catalog import Catalog
from release_dossier.web.place import Place
from tests.store.conftest_store import envelope_in, exchange


@pytest.fixture
def copy(place: Place, tmp_path: Path) -> Callable[[], Catalog]:
    """Opens a catalog over a copy of the demo's state; called again, it opens the same copy again."""
    home = tmp_path / "state"
    shutil.copytree(place.home, home)
    for file in home.glob("index.sqlite*"):
        file.unlink()
    keys = place.ground().world.trust.public_keys()

    def opened() -> Catalog:
        return Catalog(Tail(home, place.project), home / "index.sqlite", lambda: keys, lambda: keys)

    opened.home = home  # type: ignore[attr-defined]
    return opened


def test_it_says_what_the_documents_say(place: Place) -> None:
    """Every round agrees with the list read from the documents themselves; none is unreadable."""
    place.catalog.refresh()
    rounds = {(r.change, f"{r.service} {r.version}"): r for r in place.catalog.rounds.values()}
    lines = listing(place.world())
    assert len(lines) == len(rounds) == 6
    for line in lines:
        r = rounds[line["change"], line["services"][0]]
        assert (r.dossier, r.branch, r.owner) == (line["dossier"], line["branch"], line["owner"])
        assert sorted(f"{u.id} {u.state}" for u in r.unmet) == sorted(line["unmet"])
        assert (r.status == "released") == bool(line["released"])
        assert (r.status == "blocked") == (line["state"] == "DENY")
    assert not [r.detail for r in rounds.values() if r.status == "unreadable"]


def test_opened_again_it_reads_nothing_again(copy: Callable[[], Catalog], monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start continues where the first stopped: the log is not read, and the rounds are the same."""
    first = copy()
    first.refresh()
    monkeypatch.setattr(Tail, "after", lambda *_: pytest.fail("the log was read again"))
    second = copy()
    assert second.refresh() == first.size > 50
    assert second.rounds == first.rounds


def test_an_index_that_is_no_index_is_made_again(copy: Callable[[], Catalog]) -> None:
    """Tables are an index: what stands in its place is thrown away, and the documents say the same again."""
    copy.home.joinpath("index.sqlite").write_bytes(b"not a database" * 100)  # type: ignore[attr-defined]
    catalog = copy()
    assert (catalog.refresh(), len(catalog.rounds)) == (len(catalog.entries("1")), 6)
    assert catalog.size > 50


def test_a_log_cut_short_is_corrupt(copy: Callable[[], Catalog]) -> None:
    """A log that holds less than its checkpoint signs is never shown as if it were whole."""
    log = copy.home / "log" / "entries.ndjson"  # type: ignore[attr-defined]
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(Corrupt, match=r"log\.rolled-back"):
        copy().refresh()


def test_one_altered_document_hides_no_other(copy: Callable[[], Catalog], place: Place) -> None:
    """A decision whose bytes were changed makes its release unreadable, with the reason; the others stand."""
    decision = place.catalog.entries("type = 'decision' order by n")[0]
    home = copy.home  # type: ignore[attr-defined]
    exchange(home, decision.n, envelope_in(home, decision.n).replace(b"payload", b"paYload"))
    catalog = copy()
    catalog.refresh()
    told = [r for r in catalog.rounds.values() if r.status == "unreadable"]
    assert [r.change for r in told] == [decision.change]
    assert "store.altered-document" in told[0].detail
    assert sum(r.status == "released" for r in catalog.rounds.values()) == 2


def test_documents_that_cannot_be_read_are_unavailable(copy: Callable[[], Catalog], place: Place) -> None:
    """A folder in the place of a file: said with its place, and not that the document were gone."""
    catalog = copy()
    catalog.refresh()
    decision = catalog.entries("type = 'decision' order by n")[0]
    file = copy.home / "documents" / "000000.ndjson"  # type: ignore[attr-defined]
    file.unlink()
    file.mkdir()
    with pytest.raises(Unavailable) as e:
        Tail(copy.home, place.project).document(decision)  # type: ignore[attr-defined]
    assert (e.value.code, e.value.at) == ("store.file-system", str(file))


def test_a_prefix_names_one_statement(place: Place) -> None:
    """Eight digits find a statement; fewer, other signs or strangers are refused."""
    entry = place.catalog.entries("type = 'change' order by n")[0]
    assert place.catalog.find(entry.digest[:15]) == place.catalog.find(entry.digest[7:]) == place.catalog.entry(entry.digest)
    for prefix, code in (("sha256:ab", "digest.short"), ("zzzzzzzzz", "digest.syntax"), ("0" * 20, "digest.unknown")):
        with pytest.raises(Refused, match=code):
            place.catalog.find(prefix)
