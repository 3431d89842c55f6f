"""Two releases side by side."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from release_dossier.errors import Refused
from release_dossier.web.comparing import Side, compared, fact_words, markdown, paying_words
from release_dossier.web.pages.release import documents
from release_dossier.web.paper import address, page, place_of
from release_dossier.web.paying import Paying, paid_differently
from release_dossier.web.place import Place
from release_dossier.web.rounds import Round

router = APIRouter()
CHOICES_MAX = 400  # releases offered in a picker, the newest first; a name typed into the address reaches the others


@router.get("/compare")
def compare(request: Request, a: str = "", b: str = "") -> Response:
    """From `a` (default: the release before that passed) to `b` (default: the newest)."""
    place = place_of(request)
    now = place.clock()
    rows = [r for r in place.board(now).rows if r.dossier]
    right = _named(rows, b) if b else next(iter(rows), None)
    left = _named(rows, a) if a else _passed_before(rows, right)
    one, two = _side(place, left), _side(place, right)
    found = compared(one, two) if one and two else None
    paying = _paying(place, left, right, one, two) if left and right and one and two else None
    return page(
        request,
        "compare.html",
        now,
        section="/compare",
        title=f"{_name(left)} beside {_name(right)}" if left and right else "Compare",
        choices=[_name(r) for r in rows[:CHOICES_MAX]],
        a=_name(left),
        b=_name(right),
        c=found,
        words=fact_words,
        paying_words=paying_words,
        text=markdown(one, two, found, paying) if found and one and two else "",
        plain=address("/compare.md", a=_name(left), b=_name(right)),
        payouts=_payouts(one, two) if one and two else [],
        paying=paying,
    )


@router.get("/compare.md")
def as_markdown(request: Request, a: str, b: str) -> Response:
    """The same as Markdown."""
    place = place_of(request)
    rows = [r for r in place.board(place.clock()).rows if r.dossier]
    first, second = _named(rows, a), _named(rows, b)
    left, right = _side(place, first), _side(place, second)
    assert left is not None
    assert right is not None
    paying = _paying(place, first, second, left, right)
    return PlainTextResponse(markdown(left, right, compared(left, right), paying), media_type="text/markdown; charset=utf-8")


def _named(rows: list[Round], name: str) -> Round:
    """The release a name, a tag or the beginning of a digest says."""
    digits = name.removeprefix("sha256:")
    found = next((r for r in rows if name in (f"{r.service}@{r.version}", r.tag)), None)
    if found is None and len(digits) >= 8:
        found = next((r for r in rows if any(d[7:].startswith(digits) for d in (r.dossier, r.decision, r.change) if d)), None)
    if found is None:
        raise Refused("page.unknown", at=name, found="no such release with a dossier", expected="one of the list", help="dossier list")
    return found


def _passed_before(rows: list[Round], right: Round | None) -> Round | None:
    """The last release of the same service that was released or allowed before, else any before."""
    if right is None:
        return None
    older = [r for r in rows if r.service == right.service and r.n < right.n]
    return next((r for r in older if r.status in ("released", "allowed")), next(iter(older), None))


def _side(place: Place, r: Round | None) -> Side | None:
    if r is None:
        return None
    docs = documents(place, r)
    assert docs.closed is not None
    return Side(_name(r), r.dossier, docs.closed, docs.decided)


def _name(r: Round | None) -> str:
    return f"{r.service}@{r.version}" if r else ""


def _payouts(*sides: Side) -> list[dict[str, Any]]:
    """What each side's newest payouts evidence says is wrong, user by user: credits too many or too few."""
    wrong: list[dict[str, int]] = []
    for side in sides:
        mine = [x for x in side.dossier["evidence"] if x["kind"] == "payouts" and x["digest"]]
        users: dict[str, int] = {}
        for e in mine[-1]["counterexamples"] if mine else ():
            detail = e.get("detail", {})
            if detail.get("check") == "R6" and detail.get("user"):
                users[detail["user"]] = int(detail["difference"])
        wrong.append(users)
    one, two = wrong
    both = sorted(one.keys() | two.keys(), key=lambda u: (-abs(two.get(u, 0) - one.get(u, 0)), u))
    return [{"user": u, "a": one.get(u, 0), "b": two.get(u, 0)} for u in both]


def _paying(place: Place, left: Round, right: Round, one: Side, two: Side) -> Paying | None:
    """The newer release's ledger under both releases' rules; None where it has no ledger in evidence, or the two are no one service."""
    a, b = (_payouts_evidence(place, s.dossier, r.service) for s, r in ((one, left), (two, right)))
    if b is None or left.service != right.service:
        return None
    return paid_differently(place, a, b, (left.version, right.version), _name(right))


def _payouts_evidence(place: Place, dossier: dict[str, Any], service: str) -> dict[str, Any] | None:
    mine = [x for x in dossier["evidence"] if x["kind"] == "payouts" and x["digest"] and x["service"] == service]
    if not mine:
        return None
    read: dict[str, Any] = place.catalog.read(place.catalog.find(mine[-1]["digest"])).statement.predicate
    return read
