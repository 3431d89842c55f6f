"""Pictures as geometry: numbers in, coordinates out. Templates draw them as SVG; words beside them say the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec


class Lane(msgspec.Struct, frozen=True):
    """One bar of the freshness strip, in a drawing `Strip.width` wide; `over` is the part that lies behind now."""

    label: str
    words: str
    state: str
    x: float
    width: float
    over: float
    end: float
    y: int


class Tick(msgspec.Struct, frozen=True):
    """A mark on a time axis."""

    x: float
    words: str
    anchor: str


class Strip(msgspec.Struct, frozen=True):
    """Evidence on one time axis: bars from observed to ending, a line for now."""

    width: int
    height: int
    left: int
    now: float
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]


def strip(items: Sequence[tuple[str, str, str, str, str]], now: datetime, duration: Any) -> Strip | None:
    """Bars of (label, observed, ends, state, words), the next to end first. None when nothing ends."""
    if not items:
        return None
    width, left, lane = 720, 170, 24
    spans = sorted(((datetime.fromisoformat(a), datetime.fromisoformat(b), label, s, w) for label, a, b, s, w in items), key=lambda x: x[1])
    first, last = min(*(a for a, *_ in spans), now), max(*(b for _, b, *_ in spans), now)
    whole = (last - first) or timedelta(seconds=1)

    def x(t: datetime) -> float:
        return round(left + (width - left - 12) * ((t - first) / whole), 1)

    lanes = tuple(
        Lane(label, words, state, x(a), round(x(b) - x(a), 1), round(max(0.0, x(min(b, now)) - x(a)), 1), x(b), 8 + i * lane)
        for i, (a, b, label, state, words) in enumerate(spans)
    )
    ends = f"in {duration(last - now)}" if last > now else "now"
    ticks = [Tick(x(first), f"{duration(now - first)} ago", "start"), Tick(x(last), ends, "end")]
    at = x(now)
    if left + 90 < at < width - 100:
        ticks.append(Tick(at, "now", "middle"))
    return Strip(width, 8 + len(lanes) * lane + 20, left, at, lanes, tuple(ticks))


class Point(msgspec.Struct, frozen=True):
    """A release in a small multiple. `kind` is `dot` (released), `open` (not released) or `here`."""

    x: float
    y: float
    kind: str
    words: str


class Multiple(msgspec.Struct, frozen=True):
    """One fact over the last releases: its line, the band of released ones before, and marks where conditions changed."""

    width: int
    height: int
    line: str
    points: tuple[Point, ...]
    band: tuple[float, float] | None  # y and height
    turns: tuple[float, ...]
    low: str
    high: str


def multiple(series: Sequence[tuple[str, float, str]], turns: Sequence[int], number: Any) -> Multiple:
    """Points of (words, value, kind), oldest first; `turns` are positions before which conditions changed."""
    width, height, edge = 240, 72, 10
    values = [v for _, v, _ in series]
    low, high = min(values), max(values)
    room = high - low

    def x(i: int) -> float:
        return round(edge + (width - 2 * edge) * (i / (len(series) - 1) if len(series) > 1 else 0.5), 1)

    def y(v: float) -> float:
        return round(height - edge - (height - 2 * edge) * ((v - low) / room if room else 0.5), 1)

    points = tuple(Point(x(i), y(v), kind, words) for i, (words, v, kind) in enumerate(series))
    base = [v for _, v, kind in series if kind == "dot"]
    band = (y(max(base)) - 3, y(min(base)) - y(max(base)) + 6) if base else None
    marks = tuple(round((x(i) + x(i - 1)) / 2, 1) for i in turns if i > 0)
    line = " ".join(f"{p.x},{p.y}" for p in points) if len(points) > 1 else ""
    return Multiple(width, height, line, points, band, marks, number(low), number(high))


class Bar(msgspec.Struct, frozen=True):
    """A horizontal bar with its value in words."""

    label: str
    words: str
    width: float
    y: int


def bars(items: Sequence[tuple[str, float, str]]) -> tuple[tuple[Bar, ...], int]:
    """Bars of (label, value, words) from a common zero, and the drawing's height."""
    most = max((v for _, v, _ in items), default=0) or 1
    return tuple(Bar(label, words, round(380 * v / most, 1), i * 26 + 4) for i, (label, v, words) in enumerate(items)), len(items) * 26 + 8
