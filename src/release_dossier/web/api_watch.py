"""The API, watching: what changes as it changes, whether the server is well, what it counts, and badges for a README."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from html import escape
from typing import Annotated

import msgspec
from fastapi import Header, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from release_dossier.errors import DossierError, Refused, Unavailable
from release_dossier.steps.send import deliveries
from release_dossier.web.answers import Health, Status
from release_dossier.web.api_read import entry, place_of
from release_dossier.web.api_write import desk_of
from release_dossier.web.board import status_at
from release_dossier.web.describe import TYPES, answer, described, router
from release_dossier.web.place import Place

api, root = router(), router()
LISTENERS_MAX = 200
LOOK_SECONDS = 0.4  # seconds between looks at the log: one stat, however many listen
STILL_SECONDS = 15.0  # seconds after which silence is broken, so that what stands between does not give up
AT_ONCE = 500
KINDS = " ".join(TYPES)
_LOOKS = {  # status → (word, colour that has contrast enough with white)
    "released": ("✓ released", "#1a7f37"),
    "allowed": ("✓ allowed", "#1a7f37"),
    "unsigned": ("◔ to be signed", "#9a6700"),
    "blocked": ("✗ blocked", "#cf222e"),
    "lapsed": ("◔ lapsed", "#9a6700"),
    "undecided": ("? undecided", "#57606a"),
    "withdrawn": ("✗ withdrawn", "#cf222e"),
    "unreadable": ("‼ unreadable", "#cf222e"),
}


class Feed:
    """Tells everybody who listens that the log grew. `address` and `kinds` are for pages."""

    address, kinds = "/api/v1/events", KINDS

    def __init__(self, place: Place) -> None:
        self.place = place
        self.listeners = 0
        self.over = False
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def news(self) -> asyncio.Event:
        """Set as soon as the log is longer than now. Asked for before looking, it tells of what comes while one looks."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(self.place.tail.stamp()))
        return self._changed

    async def _look(self, stamp: object) -> None:
        while self.listeners and not self.over:
            await asyncio.sleep(LOOK_SECONDS)
            fresh = self.place.tail.stamp()
            if fresh != stamp:
                stamp = fresh
                self.wake()

    def wake(self) -> None:
        """Everybody who waits looks now."""
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """Everybody goes."""
        self.over = True
        self.wake()


@api.get(
    "/events",
    responses=described(None, media="text/event-stream"),
    summary="Log entries as they come (server-sent events); Last-Event-ID resumes",
    operation_id="events",
)
async def events(
    request: Request,
    last_event_id: Annotated[str, Header(pattern=r"^[0-9]{0,15}$")] = "",
    after: Annotated[
        int | None, Query(description="the number of the last entry that was seen; -1 from the start", ge=-1, le=10**15)
    ] = None,
) -> Response:
    feed: Feed = request.app.state.events
    if feed.listeners >= LISTENERS_MAX:
        raise Unavailable("api.listeners", at="/api/v1/events", found=f"{feed.listeners} listen", expected=f"at most {LISTENERS_MAX}")
    size = await run_in_threadpool(feed.place.catalog.refresh)
    seen = int(last_event_id) if last_event_id else after if after is not None else size - 1
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_events(feed, seen, request.state.still), 200, headers, "text/event-stream")


async def _events(feed: Feed, seen: int, still: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
    """Until the server ends, or whoever listens may no longer."""
    feed.listeners += 1
    try:
        yield b"retry: 2000\n\n"
        while not feed.over:
            if not await still():
                return
            news = feed.news()
            found = await run_in_threadpool(_after, feed.place, seen)
            for e in found:
                seen = e.n
                yield b"id: %d\nevent: %s\ndata: %s\n\n" % (e.n, e.type.encode(), msgspec.json.encode(entry(e)))
            if not found:
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), STILL_SECONDS)
                yield b": still here\n\n"
    finally:
        feed.listeners -= 1


def _after(place: Place, seen: int) -> list:  # type: ignore[type-arg]
    place.catalog.refresh()
    return place.catalog.entries("n > ? order by n", (seen,), AT_ONCE)


@root.get("/healthz", responses=described(Health), summary="Whether it lives", operation_id="healthz")
def healthz() -> Response:
    return answer(Health(status="ok", checks={}), cache_control="no-store")


@root.get("/readyz", responses=described(Health), summary="Whether it can answer and record", operation_id="readyz")
def readyz(request: Request) -> Response:
    place = place_of(request)
    checks: dict[str, str] = {}

    def check(name: str, work: object) -> None:
        try:
            work()  # type: ignore[operator]
            checks[name] = "ok"
        except (DossierError, OSError) as e:
            checks[name] = e.code if isinstance(e, DossierError) else str(e.strerror)

    check("log", place.catalog.refresh)
    check("outbox", lambda: desk_of(request).box().states())
    check("folder", lambda: _writable(place))
    well = all(v == "ok" for v in checks.values())
    return answer(Health(status="ok" if well else "unavailable", checks=checks), 200 if well else 503, cache_control="no-store")


def _writable(place: Place) -> None:
    file = place.home / "tmp" / "ready"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")


@root.get("/metrics", responses=described(None, media="text/plain"), summary="Prometheus metrics", operation_id="metrics")
def metrics(request: Request) -> Response:
    place = place_of(request)
    now = place.clock()
    states = deliveries(desk_of(request).world())
    values = {
        "log_entries": float(place.catalog.refresh()),
        "releases": float(len(place.board(now).rows)),
        "deliveries_pending": float(sum(s.pending for s in states)),
        "deliveries_refused": float(sum(s.outcome == "refused" for s in states)),
        "listeners": float(request.app.state.events.listeners),
    }
    return Response(request.app.state.gauge.text(values), 200, {"cache-control": "no-store"}, "text/plain; version=0.0.4; charset=utf-8")


# Badges

Service = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


@api.get("/status/{service}", responses=described(Status), summary="The newest release of a service, in a few words", operation_id="status")
def status(request: Request, service: Service) -> Response:
    return answer(_status(place_of(request), service), cache_control="max-age=60")


@root.get("/badges/{service}.svg", responses=described(None, media="image/svg+xml"), summary="That, as a picture", operation_id="badge")
def badge(request: Request, service: Service) -> Response:
    s = _status(place_of(request), service)
    return Response(picture(s.label, s.message, s.color), 200, {"cache-control": "max-age=60"}, "image/svg+xml")


def _status(place: Place, service: str) -> Status:
    now = place.clock()
    rows = [r for r in place.board(now).rows if r.service == service and r.label != "retrospective"]
    r = next((r for r in rows if r.status == "released"), rows[0] if rows else None)
    if r is None:
        raise Refused("api.unknown", at=service, found="no release of such a service", expected="a service of /api/v1/project")
    word, colour = _LOOKS[status_at(r, now)]
    return Status(
        schemaVersion=1,
        label=f"dossier {service}",
        message=f"{r.version} {word}",
        color=colour,
        isError=r.status == "unreadable",
        service=service,
        version=r.version,
        status=status_at(r, now),
        unmet=tuple(f"{u.id} {u.state}" for u in r.unmet),
        valid_until=r.valid_until,
    )


def picture(label: str, message: str, colour: str) -> bytes:
    """A badge: words, sign and colour, readable without the colour."""
    left, right = 10 + round(len(label) * 6.6), 10 + round(len(message) * 6.9)
    whole, words = left + right, f"{label}: {message}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{escape(words)}">'
        f"<title>{escape(words)}</title>"
        f'<rect width="{whole}" height="20" rx="3" fill="#3d444d"/>'
        f'<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{left}z" fill="{escape(colour)}"/>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2:g}" y="14" textLength="{left - 10}">{escape(label)}</text>'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - 10}">{escape(message)}</text></g></svg>\n'
    ).encode()
