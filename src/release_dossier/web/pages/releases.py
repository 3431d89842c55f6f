"""The list of releases, and what any digest, tag or theme in an address leads to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from release_dossier.web import views
from release_dossier.web.board import FACETS, Query
from release_dossier.web.paper import THEMES, address, page, place_of, release_address

router = APIRouter()


@router.get("/")
def releases(request: Request) -> Response:
    """The list of releases: filters, search, order and page are all in the address."""
    place = place_of(request)
    now = place.clock()
    query = query_of(request)
    board = place.board(now)
    found = board.select(query)
    if query.page > found.pages:  # a link from when there were more
        query = msgspec.structs.replace(query, page=found.pages)
        found = board.select(query)
    rows = [_row(views.row(r, now), views.freshness(r.fresh_from, r.fresh_until, now, 1), now) for r in found.rows]
    return page(
        request,
        "releases.html",
        now,
        section="/",
        title="Releases",
        q=query.q,
        rows=rows,
        found=found,
        query=query,
        chips=_chips(query),
        toggled=_toggled(query),
        sorted_by=lambda s: _at(msgspec.structs.replace(query, sort=s, page=1)),
        paged=lambda p: _at(msgspec.structs.replace(query, page=p)),
    )


@router.get("/theme")
def theme(request: Request, to: str = "auto", back: str = "/") -> Response:
    """Keep a theme, and go back to where one was."""
    there = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
    answer = RedirectResponse(there, 303)
    if to in THEMES:
        answer.set_cookie("theme", to, max_age=365 * 86_400, samesite="strict", httponly=True)
    else:
        answer.delete_cookie("theme")
    return answer


def query_of(request: Request) -> Query:
    """Filters from the address."""
    p = request.query_params
    chosen = {f: tuple(dict.fromkeys(v for v in p.getlist(f) if v)) for f in FACETS}
    number = p.get("page", "1")
    return Query(p.get("q", "").strip(), chosen, p.get("sort", "newest"), int(number) if number.isdecimal() and len(number) < 9 else 0)


def _row(row: dict[str, Any], hold: views.Span, now: datetime) -> dict[str, Any]:
    groups: dict[str, list[str]] = {}
    for u in row["unmet"]:
        groups.setdefault(u["state"], []).append(u["id"])
    words = [(s, ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")) for s, ids in groups.items()]
    where = release_address(row["service"], row["version"]) if row["service"] else f"/d/{row['change'][7:]}"
    when = row["released_at"] or row["decided_at"] or row["opened_at"]
    return {**row, "unmet_groups": words, "hold": hold, "address": where, "when": when, "when_words": views.ago(when, now, 1)}


def _at(query: Query) -> str:
    sort = "" if query.sort == "newest" else query.sort
    return address("/", q=query.q, **query.chosen, sort=sort, page="" if query.page == 1 else query.page)


def _toggled(query: Query) -> Callable[[str, str], str]:
    def toggled(facet: str, value: str) -> str:
        now = query.chosen.get(facet, ())
        fresh = tuple(v for v in now if v != value) if value in now else (*now, value)
        return _at(msgspec.structs.replace(query, chosen={**query.chosen, facet: fresh}, page=1))

    return toggled


def _chips(query: Query) -> list[dict[str, str]]:
    toggled = _toggled(query)
    words = [{"facet": "q", "value": query.q, "address": _at(msgspec.structs.replace(query, q="", page=1))}] if query.q else []
    return words + [{"facet": f, "value": v, "address": toggled(f, v)} for f in FACETS for v in query.chosen.get(f, ())]
