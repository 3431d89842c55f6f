"""Work beside the main thread: git that answers while documents are read, signatures that are checked on every core."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def uncollected() -> Iterator[None]:
    """What reads many documents, none of which holds itself: the collector of cycles would walk them again and again and find none."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Aside(Generic[T]):
    """`work` in a thread of its own, begun at once."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Aside[T]:
        return self

    def __exit__(self, *_: object) -> None:
        """Done, whatever became of it."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as e:  # noqa: BLE001 - handed to whoever asks for the result
            self._error = e

    def result(self, seconds: float | None = None) -> T:
        """What it returned, waited for; what it raised is raised here.

        Raises:
            TimeoutError: it is not done within `seconds`. Nobody hears of it any more.
        """
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError(f"no whole answer in {seconds:g} s")
        if hasattr(self, "_error"):
            raise self._error
        return self._value


def spread(items: Sequence[T], work: Callable[[T], U]) -> list[U]:
    """`work` on every item, on every core; results in the order of the items. Worth it where `work` lets go of the interpreter."""
    share = -(-len(items) // CORES)
    parts = [items[i : i + share] for i in range(0, len(items), share)] if items else []
    others = [Aside(lambda part=part: [work(x) for x in part]) for part in parts[1:]]  # type: ignore[misc]
    out = [work(x) for x in parts[0]] if parts else []
    for other in others:
        out += other.result()
    return out
