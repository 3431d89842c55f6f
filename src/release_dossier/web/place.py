"""The place a server works on: one project, opened once, whose people, settings and log are looked at again as they change.

`world()` opens the project as a command would and is what every write goes through; `catalog` and `read` are what pages and lists use.
The protected branch is asked again at most every few seconds: a trust document that was merged is in force then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import msgspec

from release_dossier.errors import DossierError
from release_dossier.ports import Store
from release_dossier.project import Settings
from release_dossier.steps.world import World, file_store, open_world
from release_dossier.store.tail import Tail
from release_dossier.trust.document import Trust
from release_dossier.web.board import Board
from release_dossier.web.catalog import Catalog, Read

GROUND_SECONDS = 5.0  # seconds people and settings are believed before the protected branch is asked again: three git commands
INDEXING_SECONDS = 1.0  # seconds the first fold of the log may take in silence
GROUND_SECONDS_MAX = 60.0  # seconds after which nobody is shown what they were: a page waits for the branch


class Ground(msgspec.Struct, frozen=True):
    """What a page stands on: the project opened for reading, and its settings on the protected branch."""

    world: World
    settings: Settings | None


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a server was started. `address` is what it is bound to; `login` whether somebody must say who they are."""

    address: str = "127.0.0.1"
    port: int = 8722
    base_url: str = ""  # how the outside reaches it; empty: http://address:port
    login: bool = False

    @property
    def secure(self) -> bool:
        """Whether browsers reach it over https."""
        return self.base_url.startswith("https://")


class Place:
    """One project being served. `clock` is read once a request, `ticks` are seconds that only run forwards; `note` is told what takes long
    before the first page can be shown."""

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        clock: Callable[[], datetime],
        ticks: Callable[[], float],
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.root, self.environ, self.clock, self._ticks = root, dict(environ), clock, ticks
        self._turn = threading.Lock()
        self._store: tuple[str, Store] | None = None
        world = open_world(root, self.environ, clock(), self._store_of)
        self.home, self.project = world.home, world.trust.project
        self.name = self.root.name
        self._ground, self._looked = _ground(world), ticks()
        self._keys, self._machines = world.trust.public_keys(), world.trust.machine_keys()
        self.tail = Tail(self.home, self.project)
        self.catalog = Catalog(self.tail, self.home / "index.sqlite", lambda: self._keys, lambda: self._machines)
        self._index(note)
        self._board, self._edition, self._made = Board((), clock()), -1, clock()

    def _index(self, note: Callable[[str], None]) -> None:
        slow = threading.Timer(INDEXING_SECONDS, note, (f"indexing {self.catalog.behind():,} entries…",))
        slow.daemon = True
        slow.start()
        try:
            self.catalog.refresh()
        finally:
            slow.cancel()

    def world(self) -> World:
        """The project opened anew, as a command would: for writing, and for whatever must not be a moment old."""
        return open_world(self.root, self.environ, self.clock())

    def ground(self) -> Ground:
        """People and settings, with the time of now. Older than `GROUND_SECONDS`, they are looked at again behind this answer; older than
        `GROUND_SECONDS_MAX`, before it."""
        age = self._ticks() - self._looked
        if age > GROUND_SECONDS_MAX:
            with self._turn:
                self._look()
        elif age > GROUND_SECONDS and self._turn.acquire(blocking=False):
            try:
                threading.Thread(target=self._look_behind, daemon=True).start()
            except RuntimeError:  # no thread to be had: the next page looks again
                self._turn.release()
        g = self._ground
        return Ground(msgspec.structs.replace(g.world, now=self.clock()), g.settings)

    def _look(self) -> None:
        began = self._ticks()  # what is read is as old as the beginning of reading it
        fresh = _ground(open_world(self.root, self.environ, self.clock(), self._store_of))
        if fresh.world.trust.digest != self._ground.world.trust.digest:
            self._keys, self._machines = fresh.world.trust.public_keys(), fresh.world.trust.machine_keys()
        self._ground, self._looked = fresh, began

    def _look_behind(self) -> None:
        try:
            with suppress(DossierError, OSError):  # said again, to somebody, by the look that is waited for
                self._look()
        finally:
            self._turn.release()

    def _store_of(self, home: Path, trust: Trust, environ: Mapping[str, str]) -> Store:
        """The store, opened when something asks it, and kept as long as the people are the same."""
        if self._store is None or self._store[0] != trust.digest:
            self._store = trust.digest, cast(Store, _Later(lambda: file_store(home, trust, environ)))
        return self._store[1]

    def board(self, now: datetime) -> Board:
        """The list of releases at `now`; made again when the log grew or a release changed by age."""
        self.catalog.refresh()
        if self._edition != self.catalog.edition or not self._made <= now < self._board.until:
            edition = self.catalog.edition
            self._board, self._edition, self._made = Board(tuple(self.catalog.rounds.values()), now), edition, now
        return self._board

    def read(self, digest: str) -> Read:
        """A statement by its whole digest."""
        return self.catalog.read(self.catalog.entry(digest))


class _Later:
    """A store that is opened when it is first asked for something: opening reads the whole log."""

    def __init__(self, make: Callable[[], Store]) -> None:
        self._make, self._turn = make, threading.Lock()
        self._made: Store | None = None

    def __getattr__(self, name: str) -> Any:
        with self._turn:
            if self._made is None:
                self._made = self._make()
        return getattr(self._made, name)


def _ground(world: World) -> Ground:
    found = world.settings_at(world.protected_ref()) or world.settings_at("HEAD")
    return Ground(world, found[0] if found else None)
