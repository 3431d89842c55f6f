"""Two releases side by side."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from release_dossier.errors import Refused
from release_dossier.web.board import status_at
from release_dossier.web.comparing import Side, compared, fact_words, markdown, paying_words
from release_dossier.web.pages.release import documents
from release_dossier.web.paper import address, page, place_of
from release_dossier.web.paying import Paying, paid_differently
from release_dossier.web.place import Place
from release_dossier.web.rounds import Round, release_name

router = APIRouter()
Names = dict[str, Round]
CHOICES_MAX = 400  # releases offered in a picker, the newest first; a name typed into the address reaches the others


@router.get("/compare")
def compare(request: Request, a: str = "", b: str = "") -> Response:
    """From `a` (default: the release before that passed) to `b` (default: the newest)."""
    place = place_of(request)
    now = place.clock()
    rows, names = _choices(place, now)
    right = _named(names, b) if b else next(iter(rows), None)
    left = _named(names, a) if a else _passed_before(rows, right)
    one, two = _side(place, left, names), _side(place, right, names)
    found = compared(one, two) if one and two else None
    paying = _paying(place, left, right, one, two) if left and right and one and two else None
    return page(
        request,
        "compare.html",
        now,
        section="/compare",
        title=f"{one.name} beside {two.name}" if one and two else "Compare",
        choices=[(name, _in_words(r, name, now)) for name, r in islice(names.items(), CHOICES_MAX)],
        a=one.name if one else "",
        b=two.name if two else "",
        c=found,
        words=fact_words,
        paying_words=paying_words,
        text=markdown(one, two, found, paying) if found and one and two else "",
        plain=address("/compare.md", a=one.name if one else "", b=two.name if two else ""),
        payouts=_payouts(one, two) if one and two else [],
        paying=paying,
    )


@router.get("/compare.md")
def as_markdown(request: Request, a: str, b: str) -> Response:
    """The same as Markdown."""
    place = place_of(request)
    _, names = _choices(place, place.clock())
    first, second = _named(names, a), _named(names, b)
    left, right = _side(place, first, names), _side(place, second, names)
    assert left is not None
    assert right is not None
    paying = _paying(place, first, second, left, right)
    return PlainTextResponse(markdown(left, right, compared(left, right), paying), media_type="text/markdown; charset=utf-8")


def _choices(place: Place, now: datetime) -> tuple[list[Round], Names]:
    """The releases with a dossier, and every round with one, newest first, by the name it goes by here.

    A release's round is called service@version; another round of the same version has the beginning of its dossier's digest after it.
    """
    rows = [r for r in place.board(now).rows if r.dossier]
    listed = {(r.change, r.service) for r in rows}
    others = [r for r in place.catalog.rounds.values() if r.dossier and (r.change, r.service) not in listed]
    rounds = sorted([*rows, *others], key=lambda r: r.n, reverse=True) if others else rows
    return rows, {release_name(r, (r.change, r.service) in listed): r for r in rounds}


def _in_words(r: Round, name: str, now: datetime) -> str:
    """A round in the picker: its name, what it came to, and when."""
    return f"{name} · {status_at(r, now)} {r.updated_at[:10]}"


def _named(names: Names, name: str) -> Round:
    """The release a name, a tag or the beginning of a digest says."""
    digits = name.removeprefix("sha256:")
    found = names.get(name) or next((r for r in names.values() if r.tag and r.tag == name), None)
    if found is None and len(digits) >= 8:
        found = next((r for r in names.values() if any(d[7:].startswith(digits) for d in (r.dossier, r.decision, r.change) if d)), None)
    if found is None:
        raise Refused("page.unknown", at=name, found="no such release with a dossier", expected="one of the list", help="dossier list")
    return found


def _passed_before(rows: list[Round], right: Round | None) -> Round | None:
    """The last release of the same service that was released or allowed before, else any before."""
    if right is None:
        return None
    older = [r for r in rows if r.service == right.service and r.n < right.n]
    return next((r for r in older if r.status in ("released", "allowed")), next(iter(older), None))


def _side(place: Place, r: Round | None, names: Names) -> Side | None:
    if r is None:
        return None
    docs = documents(place, r)
    assert docs.closed is not None
    return Side(next(name for name, x in names.items() if x is r), r.dossier, docs.closed, docs.decided)


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
    return paid_differently(place, a, b, (left.version, right.version), two.name)


def _payouts_evidence(place: Place, dossier: dict[str, Any], service: str) -> dict[str, Any] | None:
    mine = [x for x in dossier["evidence"] if x["kind"] == "payouts" and x["digest"] and x["service"] == service]
    if not mine:
        return None
    read: dict[str, Any] = place.catalog.read(place.catalog.find(mine[-1]["digest"])).statement.predicate
    return read
