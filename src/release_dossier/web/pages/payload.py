"""What of a dossier leaves the house: for whom, exactly what, how much, to whom it was sent and what they answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Form, Request
from fastapi.responses import RedirectResponse, Response

from release_dossier.delivery import State
from release_dossier.payload import AUDIENCES, Mark
from release_dossier.steps.payload import payload_for
from release_dossier.steps.send import deliver, destinations, outbox, queue
from release_dossier.web.paper import address, code, page, place_of, round_address
from release_dossier.web.place import Place

router = APIRouter()
PLACES_MAX = 40  # places of one part listed one by one; what is beyond is counted
_TEXT_CHARS = 40_000  # characters of the payload shown in the page; the download has all
MOVING = timedelta(minutes=1)  # how long after a delivery was entered its page looks again by itself for what came of it


@router.get("/payload/{digest}")
def payload(request: Request, digest: str, audience: str = "github") -> Response:
    """What an audience gets of a dossier."""
    place = place_of(request)
    place.catalog.refresh()
    world = place.world()
    entry = place.catalog.find(digest)
    made = payload_for(world, entry.digest, audience)
    mine = [r for r in place.catalog.rounds.values() if r.dossier == made.payload.dossier]
    text, here = code(made.raw.decode()), f"/payload/{entry.digest[7:]}"
    return page(
        request,
        "payload.html",
        world.now,
        section="/",
        title=f"Payload for {audience}",
        made=made,
        audience=audience,
        audiences=[
            {"name": n, "words": w, "at": address(f"/payload/{entry.digest[7:]}", audience=n)} for n, (w, _, _) in AUDIENCES.items()
        ],
        included=_grouped(made.included),
        withheld=_grouped(made.payload.withheld),
        text=text[:_TEXT_CHARS],
        cut=len(text) > _TEXT_CHARS,
        download=address(f"{here}/file", audience=audience),
        d=entry.digest,
        destinations=destinations(world),
        sent=[_sent(s, world.now) for s in outbox(world).states().values() if s.delivery.dossier == made.payload.dossier][::-1],
        releases=[{"name": f"{r.service}@{r.version}", "address": round_address(r, change=r.change[7:23])} for r in mine],
    )


@router.get("/payload/{digest}/file")
def file(request: Request, digest: str, audience: str = "github") -> Response:
    """Its exact bytes."""
    place = place_of(request)
    place.catalog.refresh()
    made = payload_for(place.world(), place.catalog.find(digest).digest, audience)
    headers = {"content-disposition": f'attachment; filename="payload-{audience}-{made.payload.dossier[7:19]}.json"'}
    return Response(made.raw, media_type="application/json", headers=headers)


@router.post("/payload/{digest}/send")
def send(request: Request, tasks: BackgroundTasks, digest: str, to: Annotated[str, Form()]) -> Response:
    """Enter a delivery; it is durable when the answer leaves, and tried right behind it.

    Raises:
        Refused: `send.*`: nothing was entered.
    """
    place = place_of(request)
    place.catalog.refresh()
    made, state = queue(place.world(), place.catalog.find(digest).digest, to)
    if state.pending or state.stopped:
        tasks.add_task(_deliver, place, state.delivery.id)
    return RedirectResponse(address(f"/payload/{made.payload.dossier[7:]}", audience=made.payload.audience) + "#sent", 303)


def _deliver(place: Place, id: str) -> None:
    deliver(place.world(), id, place.clock, again=True)


def _sent(s: State, now: datetime) -> dict[str, Any]:
    tries = {e.n: e for e in s.ended}
    return {
        "to": s.delivery.destination,
        "kind": s.delivery.kind,
        "audience": s.delivery.audience,
        "queued_at": s.delivery.queued_at,
        "outcome": s.outcome,
        "next_at": s.next_at,
        "state": {"delivered": "pass", "refused": "fail", "failed": "stale"}.get(s.outcome, "missing"),
        "tries": [{"n": b.n, "at": b.at, "ended": tries.get(b.n)} for b in s.began],
        "moving": s.outcome in ("queued", "interrupted") and (now - datetime.fromisoformat(s.delivery.queued_at)) < MOVING,
    }


def _grouped(marks: tuple[Mark, ...]) -> list[dict[str, Any]]:
    """Places by their first step, with how many and how large."""
    groups: dict[str, list[Mark]] = {}
    for m in marks:
        groups.setdefault(m.path.split("/")[1] if "/" in m.path else "", []).append(m)
    return [
        {"name": name or "all of it", "count": len(mine), "bytes": sum(m.bytes for m in mine), "places": mine[:PLACES_MAX]}
        for name, mine in groups.items()
    ]
