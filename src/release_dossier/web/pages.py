"""The pages: each reads what it shows from the place, and hands plain values to a template. Complete without JavaScript."""

from __future__ import annotations

from datetime import datetime
from importlib import resources
from typing import Any
from urllib.parse import urlencode

import jinja2
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from release_dossier.errors import DossierError, Refused
from release_dossier.web import views
from release_dossier.web.board import FACETS, Query
from release_dossier.web.place import Place

router = APIRouter(include_in_schema=False)
_files = jinja2.FunctionLoader(lambda name: (resources.files("release_dossier.web") / "templates" / name).read_text("utf-8"))
_jinja = jinja2.Environment(loader=_files, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)


@router.get("/")
def releases(request: Request) -> Response:
    """The list of releases."""
    place: Place = request.app.state.place
    now = place.clock()
    query = query_of(request)
    found = place.board(now).select(query)
    rows = [views.row(r, now) for r in found.rows]
    return page(request, "releases.html", now, title="Releases", rows=rows, found=found, query=query)


@router.get("/releases/{service}/{version:path}")
def release(request: Request, service: str, version: str) -> Response:
    """One release."""
    place: Place = request.app.state.place
    now = place.clock()
    row = next((views.row(r, now) for r in place.board(now).rows if (r.service, r.version) == (service, version)), None)
    if row is None:
        raise Refused("page.unknown", at=f"{service}@{version}", found="no such release", expected="one of the list", help="dossier list")
    return page(request, "release.html", now, title=row["name"], row=row)


def query_of(request: Request) -> Query:
    """Filters from the address."""
    p = request.query_params
    chosen = {f: tuple(dict.fromkeys(v for v in p.getlist(f) if v)) for f in FACETS}
    number = p.get("page", "1")
    return Query(p.get("q", "").strip(), chosen, p.get("sort", "newest"), int(number) if number.isdecimal() and len(number) < 9 else 0)


def page(request: Request, template: str, now: datetime, status: int = 200, **values: Any) -> Response:
    """A page from a template."""
    place: Place = request.app.state.place
    text = _jinja.get_template(template).render(
        request=request, place=place, now=now, views=views, version=_version(request), address=_address, **values
    )
    return HTMLResponse(text, status)


def refused(request: Request, error: DossierError, status: int) -> Response:
    """A refusal as a page."""
    now = request.app.state.place.clock()
    return page(request, "refused.html", now, status, title="Refused", error=error)


def _version(request: Request) -> str:
    return str(request.app.version)


def _address(path: str, **params: Any) -> str:
    """`path` with parameters, empty ones left out; a tuple gives one for each value."""
    pairs = [(k, v) for k, vs in params.items() for v in (vs if isinstance(vs, tuple | list) else (vs,)) if v not in ("", None)]
    return f"{path}?{urlencode(pairs)}" if pairs else path
