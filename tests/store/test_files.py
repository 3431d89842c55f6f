"""The embedded store: crashes at every commit point, full disks, read-only folders, tampering, two processes."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_dossier import disk
from release_dossier.digest import sha256
from release_dossier.errors import Corrupt, Misuse, Refused, Unavailable
from release_dossier.store import crash, documents, files, journal, tail
from release_dossier.store.files import FileStore, new_key
from release_dossier.store.memory import MemoryStore
from release_dossier.store.tail import Tail
from release_dossier.trust.log import extends, make_checkpoint, parse_checkpoint
from tests.store.conftest_store import OTHER, PROJECT, SIGNER, envelope, put, put_all

ROOT = Path(__file__).resolve().parents[2]
MINE = [p for p in crash.POINTS if p.startswith("store.")]
CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.store.conftest_store import PROJECT, put
from release_dossier.store import crash
from release_dossier.store.files import FileStore
store = FileStore(Path(sys.argv[1]), PROJECT)
put(store, 0)
crash.arm(sys.argv[2])
store.put_artifact(b"content")
put(store, 1)
print("survived")
"""


def killed_at(home: Path, point: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", CHILD, str(home), point, str(ROOT)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("point", MINE)
def test_kill_9_loses_and_doubles_nothing(point: str, home: Path) -> None:
    """Killed at a commit point: what was done stands, what was not can be done again, once; the next opening says what it repaired."""
    done = killed_at(home, point)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = FileStore(home, PROJECT)
    assert [e.key for e in store.entries()] == (["k0", "k1"] if point in MINE[MINE.index("store.journal") :] else ["k0"])
    late, entered = ("signed the checkpoint for log entry 1",), ("entered log entry 1", "signed the checkpoint for log entry 1")
    words = {
        **dict.fromkeys(("store.journal", "store.document-torn", "store.document"), entered),
        "store.entry-torn": ("cut off", *entered),
        "store.entry": late,
    }.get(point, ())
    said = [w for w in store.recovered if not w.startswith("removed")]
    assert [w.startswith(due) for w, due in zip(said, words, strict=True)] == [True] * len(words), store.recovered
    assert ("removed 1 unfinished file" in " ".join(store.recovered)) is point.endswith("-written")
    assert parse_checkpoint(store.checkpoint()).size == len(store.entries())
    assert store.put_artifact(b"content") == sha256(b"content")
    put(store, 1)
    put(store, 2)
    again = FileStore(home, PROJECT)
    assert again.recovered == ()
    assert [e.key for e in again.entries()] == ["k0", "k1", "k2"]
    assert [again.document(e.digest) for e in again.entries()] == [envelope_of_child(again, i) for i in range(3)]
    assert again.artifact(sha256(b"content")) == b"content"
    assert list((home / "tmp").iterdir()) == []


MANY = CHILD.replace("put(store, 1)", "put_all(store, range(1, 6))").replace("PROJECT, put", "PROJECT, put, put_all")


@pytest.mark.parametrize("point", MINE)
def test_kill_9_takes_all_of_a_batch_or_none(point: str, home: Path) -> None:
    """Five statements put together: killed anywhere, the next opening has all five in their order, or none and they can be put again."""
    assert "put_all" in MANY
    done = subprocess.run([sys.executable, "-c", MANY, str(home), point, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = FileStore(home, PROJECT)
    durable = point in MINE[MINE.index("store.journal") :]
    assert [e.key for e in store.entries()] == ["k0", *(f"k{i}" for i in range(1, 6) if durable)]
    assert parse_checkpoint(store.checkpoint()).size == len(store.entries())
    again = put_all(store, range(6))
    assert [e.n for e in again] == list(range(6))
    other = FileStore(home, PROJECT)
    assert other.recovered == ()
    assert [e.key for e in other.entries()] == [f"k{i}" for i in range(6)]
    assert all(sha256(other.document(e.digest)) == e.envelope for e in other.entries())
    assert list((home / "tmp").iterdir()) == []


def envelope_of_child(store: FileStore, n: int) -> bytes:
    """The bytes entry `n` names: the child signed with a key of its own, so they are compared by digest."""
    raw = store.document(store.entries()[n].digest)
    assert sha256(raw) == store.entries()[n].envelope
    return raw


def test_every_point_is_reached_somewhere_and_every_reach_is_a_point() -> None:
    """The table and the calls in the program name the same points."""
    root = Path(crash.__file__).parents[1]
    text = "\n".join(f.read_text() for f in root.rglob("*.py"))
    called = set(re.findall(r'\breach\("([a-z.-]+)"\)', text))
    assert called == set(crash.POINTS)


def test_an_unknown_point_is_misuse() -> None:
    """A misspelt point would make a crash test pass for nothing."""
    with pytest.raises(Misuse, match=r"^crash\.unknown-point: at commit point: found store\.nothing") as e:
        crash.arm("store.nothing")
    assert e.value.expected.split(", ") == list(crash.POINTS)
    crash.arm("store.entry")
    assert crash.armed("store.entry")
    crash.arm("")
    crash.reach("store.entry")


class Failing:
    """Stands in for `os` inside the store: the nth call of the named functions fails, before or after its effect."""

    def __init__(self, nth: int, code: int, applied: bool) -> None:
        self.left, self.code, self.applied = nth, code, applied

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in ("write", "fsync", "fdatasync"):
            return real

        def call(*args: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                if self.applied:
                    real(*args)
                elif name == "write" and len(args[1]) > 1:
                    os.write(args[0], bytes(args[1])[: len(args[1]) // 2])  # a full disk takes the first half
                raise OSError(self.code, os.strerror(self.code))
            return real(*args)

        return call


WRITES = 5  # the journal's line and its sync; document, entry and checkpoint without, as counted below


def failing_disk(m: pytest.MonkeyPatch, failing: Failing) -> None:
    m.setattr(files, "os", failing)
    m.setattr(journal, "os", failing)
    m.setattr(documents, "os", failing)
    m.setattr(disk, "os", failing)


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("nth", range(1, WRITES))
def test_a_write_that_fails_can_be_done_again(nth: int, applied: bool, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at the nth write or sync, before or although it took effect: typed, and the second try leaves it there once."""
    store = FileStore(home, PROJECT)
    put(store, 0)
    with monkeypatch.context() as m:
        failing_disk(m, Failing(nth, errno.ENOSPC, applied))
        with pytest.raises(Unavailable) as e:
            put(store, 1)
    assert e.value.code == "store.full"
    assert list((home / "tmp").iterdir()) == []
    fresh = FileStore(home, PROJECT)
    assert [e.key for e in fresh.entries()] == ["k0"]
    assert fresh.recovered == (), "what failed left nothing to be done, so that a full disk can still be read"
    put(store, 2)
    assert put(store, 1) == put(FileStore(home, PROJECT), 1)
    for look in (store, FileStore(home, PROJECT)):
        assert [e.key for e in look.entries()] == ["k0", "k2", "k1"]
        assert look.envelopes([e.digest for e in look.entries()]) == [envelope(0), envelope(2), envelope(1)]


@pytest.mark.parametrize("applied", [False, True])
def test_a_checkpoint_that_cannot_be_written_over_is_replaced(applied: bool, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last write fails and leaves half of the new checkpoint or all: the statement is there, under a whole checkpoint."""
    store = FileStore(home, PROJECT)
    put(store, 0)
    with monkeypatch.context() as m:
        failing_disk(m, Failing(WRITES, errno.EIO, applied))
        assert put(store, 1).n == 1
    fresh = FileStore(home, PROJECT)
    assert ([e.key for e in fresh.entries()], fresh.recovered) == (["k0", "k1"], ())
    assert fresh.checkpoint() == store.checkpoint()
    assert list((home / "tmp").iterdir()) == []


def test_a_checkpoint_read_while_it_is_written_is_read_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half old and half new for a moment: the reader waits it out. Half and half for good is found."""
    store = filled(home)
    file, good = home / "log" / "checkpoint", store.checkpoint()
    torn = good[:100] + good[100:].swapcase()
    file.write_bytes(torn)
    with monkeypatch.context() as m:
        m.setattr(files.time, "sleep", lambda _: file.write_bytes(good))
        assert FileStore(home, PROJECT).checkpoint() == good
    file.write_bytes(torn)
    with pytest.raises(Corrupt):
        FileStore(home, PROJECT)


def test_the_journals_end_is_found_without_remembering_it(home: Path) -> None:
    """A line divided by a kill is cut off, whatever its length; the next one stands right behind the last whole one."""
    store = filled(home)
    file = Path(store._journal.file)
    whole = file.read_bytes()
    end = whole.index(b"\0")
    assert (store._journal.size(), journal.Journal(file).size(), len(whole) > end) == (end, end, True)
    for torn in (b"{", b"x" * 700, b'{"checkpoint":"' + b" " * 9000):
        file.write_bytes(whole[:end] + torn + whole[end + len(torn) :])
        again = FileStore(home, PROJECT)
        before, after = again._journal.append(journal.Record("c", "e", "v"))
        assert (before, file.read_bytes()[before:after].count(b"\n"), set(file.read_bytes()[after:])) == (end, 1, {0})
    file.write_bytes(whole[:end])
    assert journal.Journal(file).size() == end
    assert put(FileStore(home, PROJECT), 90).n == len(store.entries()) - 1


def test_a_folder_that_was_replaced_is_written_to(home: Path) -> None:
    """A server goes on where its store was put back from a copy: the journal it held open was the other folder's."""
    store = filled(home)
    shutil.copytree(home, copy := home.with_name("copy"))
    home.rename(away := home.with_name("away"))
    copy.rename(home)
    entry = put(store, 90)
    assert [r.entry for r in store._journal.read()[1]][-1] == entry.line().decode()
    assert entry.line() not in (away / "log" / "journal.ndjson").read_bytes()


def test_writes_are_counted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The faults above reach every write: one more than the last finds nothing to fail. One of them is a sync."""
    store = FileStore(home, PROJECT)
    put(store, 0)
    failing = Failing(WRITES + 1, errno.EIO, False)
    failing_disk(monkeypatch, failing)
    put(store, 1)
    assert failing.left == 1


def lose(home: Path, data: st.DataObject, before: dict[str, bytes]) -> None:
    """A power cut: of the files written since `before`, each is as it was then, empty, cut short, or there."""
    for file in sorted(p for p in home.rglob("*") if p.is_file() and p.parent.name not in ("keys", "tmp") and p.name != "lock"):
        name = str(file.relative_to(home))
        now = file.read_bytes()
        if file.name == "journal.ndjson" or before.get(name) == now:
            continue
        fate = data.draw(st.sampled_from(["there", "old", "empty", "short", "zeros"]), label=name)
        if fate == "old" and name not in before:
            file.unlink()
        elif fate != "there":
            kept = before.get(name, b"") if file.suffix == ".ndjson" else b""
            some = data.draw(st.integers(len(kept), len(now)))
            was = before.get(name, b"")
            file.write_bytes({"old": was, "empty": kept, "short": now[:some], "zeros": now[:some] + bytes(len(now) - some)}[fate])


@settings(max_examples=40)
@given(data=st.data())
def test_a_power_cut_loses_nothing(data: st.DataObject) -> None:
    """Whatever the kernel had not yet written of documents, log and checkpoint, the first opening of the next boot has every statement."""
    with tempfile.TemporaryDirectory() as d:
        home = Path(d) / "home"
        store = FileStore(home, PROJECT)
        for n in range(2):
            put(store, n)
        store._settle()
        before = {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
        entries = [*store.entries(), *(put(store, n) for n in range(2, 2 + data.draw(st.integers(0, 4))))]
        lose(home, data, before)
        changed = {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
        text = store._journal.file
        Path(text).write_bytes(Path(text).read_bytes().replace(journal.boot().encode(), b"another boot", 1))
        again = FileStore(home, PROJECT)
        assert list(again.entries()) == entries
        for n, e in enumerate(entries):
            assert sha256(again.document(e.digest)) == e.envelope, n
        assert parse_checkpoint(again.checkpoint()).size == len(entries)
        assert put(again, 9).n == len(entries)
        fresh = FileStore(home, PROJECT)
        assert (fresh.recovered, len(fresh.entries())) == ((), len(entries) + 1)
        assert changed


def test_the_journal_begins_anew_and_stays_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its bound the files are synced and the journal is short again; every statement is there after another boot, from the files."""
    monkeypatch.setattr(files, "JOURNAL_BYTES_MAX", 4000)
    store, synced, real = FileStore(home, PROJECT), [], files.sync
    monkeypatch.setattr(files, "sync", lambda place: (synced.append(str(place)), real(place)))
    for n in range(12):
        put(store, n)
        assert store._journal.size() <= 4000 + 2000
    assert len(store._journal.read()[1]) < 6
    every = [store._documents.file_of(0), home / "documents", log(home), home / "log" / "checkpoint", home / "log"]
    assert len(synced) >= 2 * len(every)
    assert synced == [str(p) for p in every] * (len(synced) // len(every)), "all that left the journal was synced before"
    Path(store._journal.file).write_bytes(b'{"boot":"another"}\n')
    again = FileStore(home, PROJECT)
    assert [e.key for e in again.entries()] == [f"k{n}" for n in range(12)]
    assert again.recovered == ()


def test_a_journal_rewrites_no_history(home: Path) -> None:
    """One that says something else than the log is found, whichever of the two was changed; so is one with another envelope."""
    store = filled(home)
    file = Path(store._journal.file)
    good, entries = file.read_bytes().replace(journal.boot().encode(), b"another", 1), log(home).read_bytes()
    other = good.replace(b'\\"key\\":\\"k2\\"', b'\\"key\\":\\"x2\\"')
    assert other != good
    lines = good.split(b"\n")
    swapped = msgspec.json.decode(lines[2]) | {"envelope": envelope(9).decode()}
    cases = [
        (other, entries, "log.fork"),
        (b"\n".join([lines[0], lines[4], b""]), b"".join(entries.splitlines(keepends=True)[:2]), "log.rolled-back"),
        (b"\n".join([*lines[:3], b""]), entries, "log.fork"),
        (b"\n".join([*lines[:2], msgspec.json.encode(swapped), *lines[3:]]), entries, "log.journal"),
        (good + b"{}\n", entries, "log.journal"),
    ]
    for raw, text, code in cases:
        file.write_bytes(raw)
        log(home).write_bytes(text)
        with pytest.raises(Corrupt) as e:
            FileStore(home, PROJECT)
        assert e.value.code == code


@pytest.mark.parametrize("applied", [False, True])
def test_memory_fails_on_demand(applied: bool) -> None:
    """The store in memory has the same pair of faults."""
    store = MemoryStore(PROJECT, SIGNER)
    store.fail_next("put", applied=applied)
    with pytest.raises(Unavailable):
        put(store, 0)
    assert len(store.entries()) == applied
    put(store, 0)
    assert len(store.entries()) == 1
    store.fail_next("put_artifact", applied=applied)
    with pytest.raises(Unavailable):
        store.put_artifact(b"x")
    assert (sha256(b"x") in store.artifacts) is applied


def test_an_artifact_on_a_full_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed, and nothing is left."""
    store = FileStore(home, PROJECT)
    with monkeypatch.context() as m:
        failing_disk(m, Failing(1, errno.ENOSPC, False))
        with pytest.raises(Unavailable) as e:
            store.put_artifact(b"content")
    assert e.value.code == "store.full"
    assert list((home / "tmp").iterdir()) == []
    assert store.put_artifact(b"content") == sha256(b"content")


def test_a_read_only_folder_is_typed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading works; writing is unavailable and says why."""
    store = FileStore(home, PROJECT)
    put(store, 0)
    real = os.open

    def refuse(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(files.os, "open", refuse)
    again = FileStore(home, PROJECT)
    assert len(again.entries()) == 1
    for call in (lambda: put(again, 1), lambda: again.put_artifact(b"x")):
        with pytest.raises(Unavailable) as e:
            call()
        assert e.value.code == "store.read-only"
    monkeypatch.setattr(files.os, "open", real)
    assert put(again, 1).n == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "home").write_text("in the way")
    with pytest.raises(Unavailable):
        FileStore(tmp_path / "home", PROJECT)


def log(home: Path) -> Path:
    return home / "log" / "entries.ndjson"


def filled(home: Path) -> FileStore:
    store = FileStore(home, PROJECT)
    for i in range(4):
        put(store, i)
    return store


def test_cutting_the_log_is_found(home: Path) -> None:
    """The last entry removed, whole: fewer entries than the checkpoint says, in this process and in the next."""
    store = filled(home)
    lines = log(home).read_bytes().splitlines(keepends=True)
    log(home).write_bytes(b"".join(lines[:3]))
    for look in (store.entries, lambda: FileStore(home, PROJECT), lambda: put(store, 9)):
        with pytest.raises(Corrupt) as e:
            look()
        assert e.value.code == "log.rolled-back"
    log(home).unlink()
    with pytest.raises(Corrupt) as e:
        FileStore(home, PROJECT)
    assert e.value.code == "log.missing"


def test_removing_the_checkpoint_is_found(home: Path) -> None:
    """Its absence never reads as a crash."""
    filled(home)
    (home / "log" / "checkpoint").unlink()
    with pytest.raises(Corrupt) as e:
        FileStore(home, PROJECT)
    assert e.value.code == "log.no-checkpoint"


def test_emptying_or_forging_the_checkpoint_is_found(home: Path) -> None:
    """Empty, of another project, signed by a stranger, over other entries."""
    store = filled(home)
    mine = files.load_signer(home / "keys" / "producer")
    good = store.checkpoint()
    root = parse_checkpoint(good).root
    cases = [
        (b"", "log.note"),
        (make_checkpoint("sha256:" + "cd" * 32, 4, root, mine), "log.other-project"),
        (make_checkpoint(PROJECT, 4, root, OTHER), "log.checkpoint-signer"),
        (make_checkpoint(PROJECT, 4, bytes(32), mine), "log.fork"),
        (make_checkpoint(PROJECT, 3, bytes(32), mine), "log.fork"),
        (make_checkpoint(PROJECT, 5, root, mine), "log.rolled-back"),
    ]
    for raw, code in cases:
        (home / "log" / "checkpoint").write_bytes(raw)
        for look in (lambda: FileStore(home, PROJECT), lambda: put(store, 9)):
            with pytest.raises(Corrupt) as e:
                look()
            assert e.value.code == code
    (home / "log" / "checkpoint").write_bytes(make_checkpoint(PROJECT, 4, root, OTHER))
    assert len(FileStore(home, PROJECT, public_keys={OTHER.key_id: OTHER.public}).entries()) == 4


def test_rewriting_the_log_is_found_in_a_running_process(home: Path) -> None:
    """An entry exchanged under a store that has read it: the next look reads again."""
    store = filled(home)
    raw = log(home).read_bytes()
    time.sleep(2 * documents.TICK_NS / 1e9)
    log(home).write_bytes(raw.replace(b'"key":"k2"', b'"key":"x2"'))
    with pytest.raises(Corrupt) as e:
        store.entries()
    assert e.value.code == "log.chain"


def test_a_removed_or_altered_document_is_found(home: Path) -> None:
    """An entry whose document is gone, or is another envelope of the same statement, is an integrity failure."""
    store = filled(home)
    digest = store.entries()[1].digest
    file = Path(store._documents.file_of(1))
    lines = file.read_bytes().split(b"\n")
    altered, missing = "store.altered-document", "store.missing-document"
    for line, code in ((envelope(1, OTHER), altered), (envelope(2), altered), (lines[1][:-1], altered), (b'"', altered), (b"", missing)):
        file.write_bytes(b"\n".join([lines[0], line, *lines[2:]]))
        with pytest.raises(Corrupt) as e:
            store.document(digest)
        assert (e.value.code, str(file) in e.value.at) == (code, True)
        assert store.document(store.entries()[2].digest) == envelope(2), "another line is where it is now"
    for raw in (lines[0] + b"\n", lines[0] + b"\n" + lines[1], None):
        file.unlink() if raw is None else file.write_bytes(raw)
        with pytest.raises(Corrupt) as e:
            store.document(digest)
        assert e.value.code == missing
    assert put(store, 1).n == 1  # putting it again is no repair: the entry stands, the document stays gone
    assert put(store, 4).n == 4
    for look in (store, FileStore(home, PROJECT)):
        assert look.document(look.entries()[4].digest) == envelope(4), "what is missing before it moves no later one"
        with pytest.raises(Corrupt) as e:
            look.document(digest)
        assert e.value.code == missing


def test_documents_go_on_in_the_next_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was put one by one and together, by this process and the next, each is read where its entry says."""
    monkeypatch.setattr(documents, "WIDTH", 4)
    store = FileStore(home, PROJECT)
    for n in range(3):
        put(store, n)
    put_all(store, range(3, 13))
    other = FileStore(home, PROJECT)
    put(other, 13)
    put(store, 14)
    for look in (store, other, FileStore(home, PROJECT)):
        assert look.envelopes([e.digest for e in reversed(look.entries())]) == [envelope(n) for n in reversed(range(15))]
    assert [f.read_bytes().count(b"\n") for f in sorted((home / "documents").iterdir())] == [4, 4, 4, 3]


def test_the_format_on_disk() -> None:
    """256 lines to a file, named by number: other readers may rely on it."""
    assert (documents.WIDTH, documents.Documents(Path("/h")).file_of(513)) == (256, "/h/documents/000002.ndjson")


def test_documents_that_lie_behind_are_not_lost(home: Path, tmp_path: Path) -> None:
    """A log of before beside documents of after: what is written over is put aside. Lines that were moved are not written over at all."""
    store = filled(home)
    shutil.copytree(home / "log", tmp_path / "log")
    later = [put(store, n) for n in (4, 5)]
    shutil.rmtree(home / "log")
    shutil.copytree(tmp_path / "log", home / "log")
    old = FileStore(home, PROJECT)
    assert put(old, 6).n == 4
    assert old.envelopes([e.digest for e in old.entries()]) == [envelope(n) for n in (0, 1, 2, 3, 6)]
    aside = (home / "documents" / "cut-off.ndjson").read_bytes().splitlines()
    assert [sha256(line) for line in aside] == [e.envelope for e in later]
    file = Path(old._documents.file_of(0))
    good = file.read_bytes()
    for moved in (b"\n" + good, good.replace(good.splitlines(keepends=True)[1], b"", 1) + b"{}\n" * 2):
        file.write_bytes(moved)
        with pytest.raises(Corrupt) as e:
            put(FileStore(home, PROJECT), 7)
        assert (e.value.code, file.read_bytes()) == ("store.altered-document", moved)
    file.write_bytes(good)
    fresh = FileStore(home, PROJECT)
    put(fresh, 7)
    assert fresh.envelopes([e.digest for e in fresh.entries()]) == [envelope(n) for n in (0, 1, 2, 3, 6, 7)]


def test_documents_are_looked_through_in_pieces(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little a read gives and however long a file is; one that has no end of a line is not read on and on."""
    store = filled(home)
    monkeypatch.setattr(documents, "_CHUNK_BYTES", 7)
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: real(fd, min(size, 100), at))
    put(store, 4)
    for look in (store, FileStore(home, PROJECT)):
        assert look.envelopes([e.digest for e in look.entries()]) == [envelope(n) for n in range(5)]
    monkeypatch.undo()
    file = Path(store._documents.file_of(0))
    size = file.stat().st_size
    os.truncate(file, 1 << 40)
    began = time.process_time()
    fresh = FileStore(home, PROJECT)
    assert fresh.document(fresh.entries()[4].digest) == envelope(4)
    put(fresh, 5)
    assert time.process_time() - began < 5
    assert fresh.document(fresh.entries()[5].digest) == envelope(5)
    assert file.stat().st_size < 2 * size


def test_a_damaged_file_is_looked_through_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for every document that is asked for; and once more when it changed."""
    store, looks, real = filled(home), [], documents._lines_of
    file = Path(store._documents.file_of(0))
    good = file.read_bytes()
    file.write_bytes(b"\n" + good)
    monkeypatch.setattr(documents, "_lines_of", lambda fd, known=None: looks.append(known) or real(fd, known))
    for _ in range(3):
        for e in store.entries()[1:]:
            with pytest.raises(Corrupt):
                store.document(e.digest)
    assert looks == [None]
    file.write_bytes(good)
    assert store.envelopes([e.digest for e in store.entries()]) == [envelope(n) for n in range(4)]
    assert looks == [None, None]


def test_many_files_are_read_one_after_another(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call opens no more than one at a time, however many documents it asks for."""
    monkeypatch.setattr(documents, "WIDTH", 1)
    store, opened, most = filled(home), set(), []
    real_open, real_close = os.open, os.close

    def open_(path: Any, *rest: Any, **more: Any) -> int:
        fd = real_open(path, *rest, **more)
        if "documents" in str(path):
            opened.add(fd)
            most.append(len(opened))
        return fd

    def close(fd: int) -> None:
        opened.discard(fd)
        real_close(fd)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "close", close)
    assert len(store.envelopes([e.digest for e in store.entries()])) == 4
    assert (max(most), opened) == (1, set())


def test_what_is_remembered_is_of_the_entry_that_asks(home: Path) -> None:
    """Another log put in place of the one that was read, signed by the same key: its statements are not answered with those of before."""
    store = filled(home)
    time.sleep(2 * documents.TICK_NS / 1e9)
    assert len(store.envelopes([e.digest for e in store.entries()])) == 4
    entry = store.entries()[2]
    other = msgspec.structs.replace(entry, envelope=sha256(envelope(9)), digest="sha256:" + "9" * 64)
    with pytest.raises(Corrupt):
        store._documents.read([other])
    assert store._documents.read([entry]) == [envelope(2)]


def test_an_envelope_with_line_ends_is_kept_as_it_is(home: Path) -> None:
    """Somebody else's may be written over many lines: the bytes are those that were signed, and those after it are found."""
    store = FileStore(home, PROJECT)
    spread = json.dumps(json.loads(envelope(0)), indent=1, ensure_ascii=False).encode()
    assert b"\n" in spread
    store.put(spread, type="started", change="", key="k0", at="2026-01-01T00:00:00.000Z")
    put(store, 1)
    for look in (store, FileStore(home, PROJECT)):
        assert look.envelopes([e.digest for e in look.entries()]) == [spread, envelope(1)]


def test_an_altered_artifact_is_found(home: Path) -> None:
    """Hashed again on every read."""
    store = FileStore(home, PROJECT)
    digest = store.put_artifact(b"content")
    (home / "artifacts" / digest[7:9] / digest[7:]).write_bytes(b"Content")
    with pytest.raises(Corrupt) as e:
        store.artifact(digest)
    assert e.value.code == "store.altered-artifact"
    with pytest.raises(Refused):
        store.artifact("../../etc/passwd")


def test_two_processes_take_turns(home: Path) -> None:
    """Both put at once: every statement once, the chain whole, and each sees the other's."""
    code = "import sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[2])\nfrom tests.store.conftest_store import PROJECT, put\n"
    code += "from release_dossier.store.files import FileStore\n"
    code += "s = FileStore(Path(sys.argv[1]), PROJECT)\nfor i in range(int(sys.argv[3]), int(sys.argv[3]) + 20): put(s, i)\n"
    FileStore(home, PROJECT)
    running = [subprocess.Popen([sys.executable, "-c", code, str(home), str(ROOT), str(k)]) for k in (0, 10)]
    assert [p.wait(60) for p in running] == [0, 0]
    store = FileStore(home, PROJECT)
    assert sorted(e.key for e in store.entries()) == sorted(f"k{i}" for i in range(30))
    assert store.recovered == ()


def test_a_held_lock_names_its_holder(home: Path) -> None:
    """Another process holds it: a typed failure with its process id; when that process is killed the lock is free."""
    FileStore(home, PROJECT)
    code = "import sys, time\nfrom pathlib import Path\nfrom release_dossier.store.files import FileStore\n"
    code += f"s = FileStore(Path(sys.argv[1]), '{PROJECT}')\nwith s.lock():\n    print('held', flush=True)\n    time.sleep(60)\n"
    other = subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        store = FileStore(home, PROJECT)
        with pytest.raises(Unavailable) as e, store.lock(wait_s=0.1):
            pass
        assert (e.value.code, str(other.pid) in e.value.found) == ("store.locked", True)
    finally:
        other.kill()
        other.wait()
        if other.stdout is not None:
            other.stdout.close()
    put(store, 0)


def test_a_remembered_document_that_was_touched_is_read_again(home: Path) -> None:
    """A process that read a document finds it changed (same length, times put back), exchanged by a copy, and gone."""
    store = FileStore(home, PROJECT)
    entry = put(store, 1)
    file = Path(store._documents.file_of(0))
    assert store.document(entry.digest) is not store.document(entry.digest), "its file could change once more within the tick of the clock"
    time.sleep(2 * documents.TICK_NS / 1e9)
    raw = store.document(entry.digest)
    assert store.document(entry.digest) is raw, "it is remembered"
    times = file.stat()

    def found() -> str:
        with pytest.raises(Corrupt) as e:
            store.document(entry.digest)
        return e.value.code

    line = file.read_bytes()
    file.write_bytes(line.replace(b"A", b"B", 1))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert found() == "store.altered-document"
    file.write_bytes(line)
    assert store.document(entry.digest) == raw
    fresh = file.with_name("other")
    fresh.write_bytes(line[-2::-1] + b"\n")
    fresh.replace(file)
    assert found() == "store.altered-document"
    file.unlink()
    assert found() == "store.missing-document"


def held_in(home: Path) -> list[str]:
    """The files this process has open in a folder; elsewhere other threads may have some."""
    held = []
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            held.append(str(fd.readlink()))
    return sorted(name for name in held if name.startswith(f"{home}/"))


def test_what_is_remembered_is_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bound a process forgets and reads again; what it reads once more counts once. No file stays open."""
    store = FileStore(home, PROJECT)
    entries, kept, sizes = [put(store, n) for n in range(4)], store._documents, []
    for bound in (100, 2):
        monkeypatch.setattr(documents, "REMEMBERED_BYTES_MAX", bound * (len(envelope(0)) + 50))
        for n in (4, 5):
            put(store, bound + n)  # the file grows: everything in it is read again
            time.sleep(2 * documents.TICK_NS / 1e9)
            opened = held_in(home)
            assert [store.document(e.digest) for e in entries for _ in range(2)] == [envelope(n) for n in range(4) for _ in range(2)]
            assert held_in(home) == opened
            sizes.append(kept._remembered_bytes)
            assert sizes[-1] == sum(len(raw) for _, _, raw in kept._remembered.values()) <= documents.REMEMBERED_BYTES_MAX
    assert min(sizes) < max(sizes) == sum(len(envelope(n)) for n in range(4))


def test_a_checkpoint_replaced_twice_within_a_tick_is_another(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels before 6.13 give one time to what is written within 4 ms, and file systems one number to a file and the next but one."""
    store, look = filled(home), Tail(home, PROJECT)
    file = home / "log" / "checkpoint"
    monkeypatch.setattr(tail, "TICK_NS", 1 << 62)
    seen, at = look.stamp(), file.stat().st_mtime_ns
    for n in (4, 5):
        put(store, n)
        os.utime(file, ns=(at, at))
    assert look.stamp() != seen
    monkeypatch.setattr(tail, "TICK_NS", 0)
    assert look.stamp() == look.stamp(), "and what is old enough is known again"


def test_restoring_is_copying_the_folder(home: Path, tmp_path: Path) -> None:
    """A copy is a store, and an old copy is found by a checkpoint that was kept elsewhere."""
    store = filled(home)
    shutil.copytree(home, tmp_path / "old")
    put(store, 4)
    old = FileStore(tmp_path / "old", PROJECT)
    assert len(old.entries()) == 4
    assert not extends(len(old.entries()), old.root, store.checkpoint())


def test_keys_are_made_once_and_closed_to_others(home: Path, tmp_path: Path) -> None:
    """0600 in a folder of 0700; a second making keeps the first; a key elsewhere is never made."""
    FileStore(home, PROJECT)
    key = home / "keys" / "producer"
    before = key.read_bytes()
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    new_key(key)
    assert key.read_bytes() == before
    assert sorted(f.name for f in key.parent.iterdir()) == ["producer", "producer.pub"]
    with pytest.raises(Refused) as e:
        FileStore(tmp_path / "other", PROJECT, signer_path=tmp_path / "elsewhere")
    assert e.value.code == "key.missing"


def test_sweeping_leaves_the_living_alone(home: Path) -> None:
    """An unfinished file of a process that runs is not touched; one of a dead process goes."""
    FileStore(home, PROJECT)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine, theirs, odd = home / "tmp" / f"{os.getpid()}-1-1", home / "tmp" / f"{dead.pid}-1-1", home / "tmp" / "notes"
    for f in (mine, theirs, odd):
        f.write_bytes(b"x")
    assert FileStore(home, PROJECT).recovered == ("removed 1 unfinished file of a run that was killed",)
    assert (mine.exists(), theirs.exists(), odd.exists()) == (True, False, True)
    left = [folder / f"{dead.pid}~1~{name}" for folder, name in ((home, "project.json"), (home / "keys", "salt"))]
    stays = [home / "keys" / f"{dead.pid}-team", home / "keys" / f"{os.getpid()}~1~bob", home / f"{dead.pid}"]
    for f in (*left, *stays):
        f.write_bytes(b"x")
    assert FileStore(home, PROJECT).recovered == ("removed 2 unfinished files of a run that was killed",)
    assert ([f.exists() for f in left], [f.exists() for f in stays]) == ([False] * 2, [True] * 3)
