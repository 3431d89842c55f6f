"""What every page is made with: templates, the shell around them, and a refusal as a page."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from importlib import resources
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from release_dossier.errors import DossierError
from release_dossier.web import views
from release_dossier.web.access import LOCAL, Somebody
from release_dossier.web.place import Place
from release_dossier.web.rounds import Round

THEMES = ("light", "dark")
_ROOT = resources.files("release_dossier.web")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def _in_order(value: Any) -> Any:
    """What would turn the letters after it around is seen itself: people sign what they read. `|e` keeps a value as it is."""
    return value if not isinstance(value, str) or isinstance(value, Markup) or value.isascii() else _TURNS.sub("\ufffd", value)


def code(text: str) -> str:
    """JSON for reading, whose letters stand in their order and which still means the same."""
    return _TURNS.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


_jinja = jinja2.Environment(
    loader=jinja2.FunctionLoader(lambda name: (_ROOT / "templates" / name).read_text("utf-8")),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
    finalize=_in_order,
)
_ASSETS = hashlib.sha256(b"".join((_ROOT / "static" / n).read_bytes() for n in ("dossier.css", "app.js"))).hexdigest()[:10]


def place_of(request: Request) -> Place:
    """The place this application serves."""
    place = request.app.state.place
    assert isinstance(place, Place)
    return place


def page(
    request: Request, template: str, now: datetime, *, section: str = "", status: int = 200, rules_of: str = "", **values: Any
) -> Response:
    """A page from a template. `rules_of` is the service whose rules the link in its header leads to."""
    theme = request.cookies.get("theme", "")
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    who: Somebody = getattr(request.state, "who", None) or LOCAL
    text = _jinja.get_template(template).render(
        who=who,
        place=place_of(request),
        now=now,
        views=views,
        version=request.app.version,
        assets=_ASSETS,
        theme=theme if theme in THEMES else "",
        here=here,
        section=section,
        rules_of=rules_of,
        status=status,
        events=getattr(request.app.state, "events", None),
        known=getattr(request.state, "known", -1),
        **values,
    )
    return HTMLResponse(text, status)


def refused(request: Request, error: DossierError, status: int) -> Response:
    """A refusal as a page; to somebody who has not logged in, one without the project."""
    if getattr(request.state, "who", None) is None:
        return turned_away(error, status)
    return page(request, "refused.html", place_of(request).clock(), status=status, title="Refused", error=error)


def turned_away(error: DossierError, status: int) -> Response:
    """A refusal as a page for somebody who was not let in: nothing of the project stands in it."""
    return HTMLResponse(_jinja.get_template("outside.html").render(error=error, status=status, views=views, assets=_ASSETS), status)


def logged_out() -> Response:
    """What is shown when a session was ended."""
    return HTMLResponse(_jinja.get_template("outside.html").render(error=None, status=200, views=views, assets=_ASSETS))


def address(path: str, **params: Any) -> str:
    """`path` with parameters, empty ones left out; a tuple gives one for each value."""
    pairs = [(k, v) for k, vs in params.items() for v in (vs if isinstance(vs, tuple | list) else (vs,)) if v not in ("", None)]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def release_address(service: str, version: str, **params: Any) -> str:
    """Where a release is shown."""
    return address(f"/releases/{quote(service, safe='')}/{quote(version, safe='')}", **params)


def round_address(r: Round, **params: Any) -> str:
    """Where a round of a release is shown."""
    return release_address(r.service, r.version, **params)
