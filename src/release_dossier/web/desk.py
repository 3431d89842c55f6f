"""The desk: where everything that changes something is handed in. One thread does it, in order, so that a slow job never holds up a reader
and two writers never wait for each other's lock.

What a killed server left (jobs, deliveries) is taken up when the next one begins; deliveries that are due are tried in the background.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import msgspec

from release_dossier.errors import DossierError
from release_dossier.ports import Outbox
from release_dossier.steps.decide import kept_checkpoint, publish_checkpoint
from release_dossier.steps.intake import jobs_left, take
from release_dossier.steps.send import deliver, due, outbox
from release_dossier.steps.world import World
from release_dossier.web.place import Place

T = TypeVar("T")
LOOK_SECONDS = 2.0  # seconds between looks at what is due; the first retry of a delivery comes after five


class Desk:
    """The one that writes. `note` is told in words what went on in the background."""

    def __init__(self, place: Place, note: Callable[[str], None]) -> None:
        self.place, self.note = place, note
        self._over = threading.Event()
        self._publishing = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="desk")

    def begin(self) -> None:
        """Take up what was left, then look for what is due."""
        if self._over.is_set():
            self._over, self._writer = threading.Event(), ThreadPoolExecutor(1, thread_name_prefix="desk")
        self._writer.submit(self._take_up)
        self._writer.submit(self._catch_up)
        threading.Thread(target=self._send, args=(self._over,), daemon=True, name="sender").start()

    def close(self) -> None:
        """Finish what is at work; what is queued stays queued."""
        self._over.set()
        self._writer.shutdown(wait=True, cancel_futures=True)

    def world(self) -> World:
        """The project for writing, at the time of now."""
        return msgspec.structs.replace(self.place.ground().world, now=self.place.clock())

    def box(self) -> Outbox:
        """The project's outbox."""
        return outbox(self.place.ground().world)

    async def do(self, work: Callable[[World], T]) -> T:
        """`work` in the writer's thread. A caller that goes away does not stop it."""
        done: Future[T] = self._writer.submit(lambda: work(self.world()))
        return await asyncio.shield(asyncio.wrap_future(done))

    def publish_soon(self) -> None:
        """Keep the log's head in the repository, once for all that is queued now: a head that is behind is only ever a shorter log."""
        if not self._publishing:
            self._publishing = True
            self._writer.submit(self._publish)

    def _catch_up(self) -> None:
        """Publish what a killed server had not. Opening the store reads the whole log, so only where the kept head is another one."""
        if kept_checkpoint(self.world()).log != (self.place.tail.head() or b""):
            self._publish()

    def _publish(self) -> None:
        self._publishing = False
        try:
            publish_checkpoint(self.world())
        except (DossierError, OSError) as e:
            self.note(f"could not keep the log's head: {e}")

    def _take_up(self) -> None:
        try:
            world, box = self.world(), self.box()
            for id in jobs_left(box.states()):
                state = take(world, box, id, self.place.clock)
                self.note(f"took up {state.delivery.destination} ({id}), which a killed server had left: {state.outcome}")
        except (DossierError, OSError) as e:
            self.note(f"could not take up what was left: {e}")

    def _send(self, over: threading.Event) -> None:
        while not over.wait(LOOK_SECONDS):
            try:
                world = self.world()
                for id in due(world, world.now):
                    if over.is_set():
                        return
                    deliver(world, id, self.place.clock)
            except (DossierError, OSError) as e:  # a folder that cannot be read for a while must not end it
                self.note(f"sending: {e}")
