"""Stores with real keys, and envelopes to put in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from release_dossier.ports import Put, Store
from release_dossier.store.documents import WIDTH, Documents
from release_dossier.store.files import FileStore
from release_dossier.store.memory import MemoryStore
from release_dossier.trust.dsse import seal
from release_dossier.trust.keys import generate, parse_private
from release_dossier.trust.log import Entry
from release_dossier.trust.statement import Subject, state

PROJECT = "sha256:" + "ab" * 32
SIGNER = parse_private(generate()[0], "machine")
OTHER = parse_private(generate()[0], "another machine")
AT = "2026-01-01T00:00:00Z"


def envelope(n: int, signer: object = SIGNER) -> bytes:
    """Statement number `n`, sealed."""
    return seal(state("evidence", PROJECT, [Subject("api", {"sha256": "0" * 64})], {"n": n}), (signer,))  # type: ignore[arg-type]


def put(store: Store, n: int, signer: object = SIGNER) -> Entry:
    return store.put(envelope(n, signer), type="evidence", change="c", key=f"k{n}", at=AT)


def put_all(store: Store, numbers: Iterable[int]) -> list[Entry]:
    return store.put_all([Put(envelope=envelope(n), type="evidence", change="c", key=f"k{n}", at=AT) for n in numbers])


def envelope_in(home: Path, n: int) -> bytes:
    """The envelope of log entry `n` as it lies in the folder `home`."""
    return Path(Documents(home).file_of(n)).read_bytes().split(b"\n")[n % WIDTH]


def exchange(home: Path, n: int, raw: bytes) -> None:
    """Somebody else's envelope in place of that of log entry `n`; with nothing, the document is gone."""
    file = Path(Documents(home).file_of(n))
    lines = file.read_bytes().split(b"\n")
    lines[n % WIDTH] = raw
    file.write_bytes(b"\n".join(lines))


@pytest.fixture(params=["files", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes a store; called again, the files one opens the same folder."""
    if request.param == "memory":
        return lambda: MemoryStore(PROJECT, SIGNER)
    return lambda: FileStore(tmp_path / "home", PROJECT)


@pytest.fixture
def store(make: Callable[[], Store]) -> Store:
    return make()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
