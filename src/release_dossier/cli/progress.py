"""How far a long command is: on a terminal one line that rewrites itself with rate and time left, elsewhere nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Step = Callable[[int, int], None]
SECONDS_BETWEEN = 0.2
SECONDS_BEFORE = 0.5  # what is quicker shows nothing


@contextmanager
def progress(unit: str) -> Iterator[Step]:
    """A function to tell how many of how many are done; the line is wiped at the end, however it comes."""
    began = time.monotonic()
    last = began - SECONDS_BETWEEN + SECONDS_BEFORE
    shown = False
    watched = sys.stderr.isatty()

    def step(done: int, of: int) -> None:
        nonlocal last, shown
        now = time.monotonic()
        if watched and now - last >= SECONDS_BETWEEN:
            last, shown = now, True
            sys.stderr.write("\r\x1b[K" + words(done, of, now - began, unit))
            sys.stderr.flush()

    try:
        yield step
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def words(done: int, of: int, seconds: float, unit: str) -> str:
    """`42 %  4,200,000 of 10,000,000 bets · 1,200,000 a second · 5 s left`."""
    rate = done / seconds if seconds > 0 else 0.0
    left = f" · {(of - done) / rate:.0f} s left" if rate > 0 and of > done else ""
    return f"{100 * done // of if of else 100:3} %  {done:,} of {of:,} {unit} · {rate:,.0f} a second{left}"
