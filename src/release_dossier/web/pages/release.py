"""One release: its header, ten tabs, and the rounds it went through."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from release_dossier.approval import WAIVER_ROLES
from release_dossier.errors import DossierError, Refused
from release_dossier.trust.log import Entry
from release_dossier.web import pictures, views
from release_dossier.web.board import status_at
from release_dossier.web.catalog import Read, raw, word
from release_dossier.web.paper import address, code, page, place_of, release_address
from release_dossier.web.place import Place
from release_dossier.web.rounds import WORST_FIRST, Round, release_name

router = APIRouter()
TABS = (
    ("summary", "Summary"),
    ("scope", "Scope & changes"),
    ("evidence", "Evidence"),
    ("drift", "KPI drift"),
    ("risks", "Risks & owners"),
    ("rules", "Rules"),
    ("approvals", "Approvals"),
    ("hotspots", "Hot spots"),
    ("history", "History"),
    ("raw", "Raw"),
)
CHANCE_ROUNDS = 60  # rounds whose figures speak about chance; from 39 released ones on it can be told at 5 %
HISTORY_ROUNDS = 12  # rounds drawn in pictures of drift and in the grid of rules


class Documents(msgspec.Struct, frozen=True):
    """The documents a round stands on, read and verified; None where there is none yet."""

    change: Read
    dossier: Read | None
    decision: Read | None

    @property
    def closed(self) -> dict[str, Any] | None:
        """The dossier's content."""
        return self.dossier.statement.predicate if self.dossier else None

    @property
    def decided(self) -> dict[str, Any] | None:
        """The decision's content."""
        return self.decision.statement.predicate if self.decision else None


@router.get("/releases/{service}/{version:path}")
def release(request: Request, service: str, version: str, tab: str = "summary", change: str = "") -> Response:
    """One release on one of its tabs; `change` chooses an earlier round by the digest of its change."""
    place = place_of(request)
    now = place.clock()
    words = dict(TABS).get(tab)
    board = place.board(now)
    r = next((x for x in board.rows if (x.service, x.version) == (service, version)), None)
    if r is None or words is None:
        found = "no such release" if r is None else f"no tab {tab}"
        raise Refused("page.unknown", at=f"{service}@{version}", found=found, expected="one of the list", help="dossier list")
    mine = sorted((x for x in place.catalog.rounds.values() if (x.service, x.version) == (service, version)), key=lambda x: x.n)
    if change:
        r = next((x for x in mine if x.change.startswith(f"sha256:{change}")), r)
    docs = documents(place, r)
    needs = views.requirements(docs.closed, docs.decided, service, now) if docs.closed and docs.decided else []
    kept = "" if r.change == _row_of(board.rows, service, version).change else r.change[7:23]
    values = _TABS[tab](place, r, docs, needs, now)
    person = request.state.who.person  # nobody is offered another person's words
    values |= {k: [x for x in v if person in ("", x["person"])] for k, v in values.items() if k in ("seats", "waivers")}
    settings = place.ground().settings
    return page(
        request,
        "release.html",
        now,
        section="/",
        title=f"{service}@{version}, {words}",
        rules_of=service if settings and any(s.name == service for s in settings.service) else "",
        r={**views.row(r, now), "tab": lambda t: release_address(service, version, tab="" if t == "summary" else t, change=kept)},
        said=views.sentence(r, needs, now),
        closed=views.closed(r),
        tab=tab,
        compare=address("/compare", b=release_name(r, not kept)),
        tab_words=words,
        tabs=_tabs(place, r, docs, needs, len(mine)),
        position=mine.index(r) + 1,
        rounds=[_round(x, r, now) for x in mine],
        **_neighbours(board.rows, r),
        decision=docs.decided,
        dossier=docs.closed,
        change=docs.change.statement.predicate,
        groups={g: [n for n in needs if n["group"] == g] for g, _ in views.GROUPS},
        **values,
    )


def documents(place: Place, r: Round) -> Documents:
    """What a round stands on.

    Raises:
        Corrupt: one of them was altered.
    """
    return Documents(place.read(r.change), place.read(r.dossier) if r.dossier else None, place.read(r.decision) if r.decision else None)


@router.get("/d/{digest}")
def document(request: Request, digest: str) -> Response:
    """Whatever a digest or the beginning of one names: a release's page, evidence, or the document itself."""
    place = place_of(request)
    place.catalog.refresh()
    entry = place.catalog.find(digest)
    if entry.type == "evidence" and "raw" not in request.query_params:
        return RedirectResponse(f"/evidence/{entry.digest[7:]}", 303)
    read = place.catalog.read(entry)
    now = place.clock()
    return page(
        request, "document.html", now, title=f"{entry.type} {entry.digest[:19]}", d=shown(place, read), releases=_about(place, entry)
    )


@router.get("/c/{digest}")
def by_change(request: Request, digest: str) -> Response:
    """The release a change, dossier or decision belongs to."""
    place = place_of(request)
    place.catalog.refresh()
    found = _about(place, place.catalog.find(digest))
    return RedirectResponse(found[0]["address"] if found else "/", 303)


def _about(place: Place, entry: Entry) -> list[dict[str, str]]:
    change = place.catalog.rows("select change from about where digest = ?", (raw(entry.digest),))
    digests = {f"sha256:{c.hex()}" for (c,) in change} | {entry.change}
    mine = [r for r in place.catalog.rounds.values() if r.change in digests and r.service]
    return [{"name": f"{r.service}@{r.version}", "address": release_address(r.service, r.version, change=r.change[7:23])} for r in mine]


def shown(place: Place, read: Read) -> dict[str, Any]:
    """A document as it stands, for reading."""
    names = _names(place)
    text = code(json.dumps(read.statement.predicate, indent=2, ensure_ascii=False))
    return {
        "word": read.entry.type,
        "digest": read.entry.digest,
        "n": read.entry.n,
        "at": read.entry.at,
        "signed": sorted(names.get(k, k) for k in read.keys),
        "bytes": len(read.statement.raw),
        "text": text,
    }


def _names(place: Place) -> dict[str, str]:
    document = place.ground().world.trust.document
    return {k.id: h.id for h in document.holders() for k in h.keys}


def _row_of(rows: list[Round], service: str, version: str) -> Round:
    return next(x for x in rows if (x.service, x.version) == (service, version))


def _round(x: Round, r: Round, now: datetime) -> dict[str, Any]:
    row = views.row(x, now)
    return {**row, "current": x is r, "address": release_address(x.service, x.version, tab="history", change=x.change[7:23])}


def _neighbours(rows: list[Round], r: Round) -> dict[str, Any]:
    """The releases of the same service before and after, in the order they were opened."""
    mine = [x for x in rows if x.service == r.service]
    at = next((i for i, x in enumerate(mine) if x.version == r.version), 0)
    before, after = (mine[at + 1] if at + 1 < len(mine) else None), (mine[at - 1] if at else None)
    return {
        word: x and {"version": x.version, "name": f"{x.service}@{x.version}", "address": release_address(x.service, x.version)}
        for word, x in (("before", before), ("after", after))
    }


def _tabs(place: Place, r: Round, docs: Documents, needs: list[dict[str, Any]], rounds: int) -> list[dict[str, Any]]:
    """Tabs with their count and worst state."""
    closed, decided = docs.closed, docs.decided
    change = docs.change.statement.predicate
    mine = [a for a in closed["evidence"] if a["service"] == r.service] if closed else []
    last = {a["name"]: a["verdict"] if a["digest"] else "inconclusive" for a in mine}
    absent = [a for a in closed["absent"] if a["service"] == r.service] if closed else []
    risks = (closed or change)["risks"]
    worse = [d for d in closed["drift"] if d["service"] == r.service and d["direction"] == "worse"] if closed else []
    rules = [x for x in change["rules"]["requirements"] if x["service"] == r.service]
    events = place.catalog.rows("select count(*) from entries where change = ?", (raw(r.change),))[0][0]
    high = any(x.get("severity") == "high" for x in risks)
    evidence = [*last.values(), *("missing" for _ in absent)]
    states = {
        "summary": (len(needs) if needs else None, next((s for s in WORST_FIRST if any(n["state"] == s for n in needs)), "")),
        "scope": (len(change["files"]), change["scope"]["verdict"]),
        "evidence": (len(mine), next((s for s in WORST_FIRST if s in evidence), "")),
        "drift": (len(worse), "stale" if worse else ""),
        "risks": (len(risks), "stale" if high else ""),
        "rules": (len(rules), "stale" if change["rule_changes"] else ""),
        "approvals": (f"{r.signed} of {r.needed}", "pass" if r.signed >= r.needed else "missing") if decided else (None, ""),
        "hotspots": (len(_profiles(docs, r.service)), ""),
        "history": (events, ""),
        "raw": (2 + bool(docs.dossier) + bool(docs.decision) - 1, ""),
    }
    return [{"id": i, "words": w, "count": states[i][0], "state": states[i][1]} for i, w in TABS]


def _summary(place: Place, r: Round, docs: Documents, needs: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    people = place.ground().world.trust.document.people
    owners = {o.lstrip("@") for x in (docs.closed["owners"] if docs.closed else ()) if x["service"] == r.service for o in x["owners"]}
    waivers = [{"person": p.id} for p in people if set(p.roles) & set(WAIVER_ROLES) or p.id in owners]
    return {"strip": _strip(docs, needs, now), "waivers": waivers}


def _strip(docs: Documents, needs: list[dict[str, Any]], now: datetime) -> pictures.Strip | None:
    decided = docs.decided["at"] if docs.decided else ""
    items = [
        (n["id"], (n["state"] == "pass" and n["observed_at"]) or decided, n["expires_at"], n["hold"].state, n["hold"].words)
        for n in needs
        if n["hold"] and (n["observed_at"] or decided)
    ]
    return pictures.strip(items, now, views.duration)


def _evidence(place: Place, r: Round, docs: Documents, needs: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    closed = docs.closed
    sql = "select digest, name, verdict, attempt, observed_at from evidence where change = ? and service = ? order by n desc"
    loose = place.catalog.rows(sql, (raw(r.change), r.service))
    return {
        "evidence": views.attempts(closed, r.service, now) if closed else [],
        "absent": [a for a in closed["absent"] if a["service"] == r.service] if closed else [],
        "loose": [{"digest": d.hex(), "name": n, "verdict": v, "attempt": a, "observed_at": o} for d, n, v, a, o in loose],
        "strip": _strip(docs, needs, now),
    }


def _drift(place: Place, r: Round, docs: Documents, needs: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    history = []
    for x in _last_rounds(place, r, CHANCE_ROUNDS):
        found = place.catalog.rows("select body from facts where change = ? and service = ?", (raw(x.change), r.service))
        if found:
            out = x.status == "released" and x.label != "retrospective"
            kind = "here" if x.change == r.change else "dot" if out else "open"
            history.append({"version": x.version, "kind": kind, "facts": msgspec.json.decode(found[0][0])})
    here = bool(history) and history[-1]["kind"] == "here"
    return {
        "history": history[-HISTORY_ROUNDS:],
        "multiples": views.multiples(docs.closed, r.service, history, HISTORY_ROUNDS) if here else [],
    }


def _last_rounds(place: Place, r: Round, most: int = HISTORY_ROUNDS) -> list[Round]:
    """The last rounds of the service that have a dossier, oldest first, ending with this one."""
    mine = sorted((x for x in place.catalog.rounds.values() if x.service == r.service and x.dossier and x.n <= r.n), key=lambda x: x.n)
    return mine[-most:]


def _risks(place: Place, r: Round, docs: Documents, needs: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    change = docs.change.statement.predicate
    closed = docs.closed
    owners = closed["owners"] if closed else [{"service": s["name"], "owners": s["owners"]} for s in change["services"]]
    return {"risks": (closed or change)["risks"], "owners": owners}


def _rules(place: Place, r: Round, docs: Documents, needs: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    rules = [x for x in docs.change.statement.predicate["rules"]["requirements"] if x["service"] == r.service]
    columns, cells = [], []
    for x in _last_rounds(place, r)[-8:]:
        if not x.decision:
            continue
        where = release_address(x.service, x.version, change=x.change[7:23])
        columns.append({"version": x.version, "status": status_at(x, now), "address": where})
        made = place.read(x.decision).statement.predicate
        found = place.catalog.rows("select body from facts where change = ? and service = ?", (raw(x.change), r.service))
        said = msgspec.json.decode(found[0][0]) if found else {}
        cells.append({q["id"]: (q, where, said) for q in made["requirements"] if q["service"] == r.service})
    asked = {x["id"]: x for x in rules}
    ids = dict.fromkeys([*asked, *(i for c in cells for i in c)])
    limits = {i: views.limit_words(x) for i, x in asked.items()}
    rows = [{"id": i, "limit": limits.get(i, ""), "cells": [_cell(c.get(i), asked.get(i)) for c in cells]} for i in ids]
    return {"rules": rules, "heat": {"columns": columns, "rows": rows}}


def _cell(found: tuple[dict[str, Any], str, dict[str, Any]] | None, rule: dict[str, Any] | None) -> dict[str, Any] | None:
    """State, looked-at, and the facts today's rule names as they were observed then."""
    if found is None:
        return None
    q, where, said = found
    facts = said.get((rule["evidence"] or rule["id"]) if rule else "", {}).get("facts", {})
    observed = [f for n in (rule["needs"] if rule else ()) if (f := views.fact(n["fact"], facts))]
    return {"state": q["state"], "looked": views.looked(q["looked_at"], q["of"]), "observed": observed, "address": where}


def _without_other_releases(place: Place, r: Round, decision: dict[str, Any]) -> dict[str, Any]:
    """The decision without signatures for other releases: nobody's word about this one lapsed by them. Earlier rounds' stay."""
    own = {x.change for x in place.catalog.rounds.values() if (x.service, x.version) == (r.service, r.version)}

    def mine(digest: str) -> bool:
        found = place.catalog.rows("select change from about where digest = ?", (raw(digest),))
        return not found or word(found[0][0]) in own

    tallies = [{**t, "refused": [x for x in t["refused"] if mine(x["statement"])]} for t in decision["approvals"]]
    return {**decision, "approvals": tallies}


def _approvals(place: Place, r: Round, docs: Documents, needs: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    if docs.closed is None:
        return {"matrix": None, "seats": [], "said_by": []}
    decided = _without_other_releases(place, r, docs.decided) if docs.decided else None
    matrix = views.matrix(docs.closed, decided, place.ground().world.trust)
    return {"matrix": matrix, "seats": matrix["seats"], "said_by": _said(place, r)}


def _said(place: Place, r: Round) -> list[dict[str, Any]]:
    """What people said about this round, newest first, and whether they took it back."""
    where = "change = ? and type in ('approval', 'rejection', 'waiver', 'withdrawal') order by n desc"
    entries = place.catalog.entries(where, (raw(r.change),))
    back: dict[str, str] = {}
    out = []
    for e in entries:
        said = place.catalog.read(e).statement.predicate
        if e.type == "withdrawal":
            back[str(said["statement"])] = str(said["reason"])
            continue
        words = {"approval": "approved by", "rejection": "rejected by", "waiver": f"{said.get('requirement')} waived by"}[e.type]
        line = {"words": words, "person": said["person"], "role": said.get("role", ""), "at": e.at, "digest": e.digest}
        out.append({**line, "reason": said.get("reason") or said.get("comment") or "", "back": back.get(e.digest, "")})
    return out


def _history(place: Place, r: Round, docs: Documents, needs: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    keys = [raw(d) for d in (r.change, r.dossier) if d]
    marks = ", ".join("?" * len(keys))
    entries = place.catalog.entries(f"change in ({marks}) order by n desc", keys, 400)
    verdicts = dict(place.catalog.rows("select n, verdict from evidence where change = ?", (raw(r.change),)))
    return {"timeline": [_event(place, e, verdicts.get(e.n, "")) for e in entries if e.type != "started"]}


def _event(place: Place, e: Entry, verdict: str) -> dict[str, str]:
    """A line of the history. What people said is read for who said it, decisions for what they came to."""
    state, outcome, detail, who = verdict, verdict, "", ""
    if e.type in ("decision", "approval", "rejection", "withdrawal", "waiver"):
        try:
            made = place.catalog.read(e).statement.predicate
        except DossierError as why:
            state, outcome, detail = "error", why.code, "cannot be read"
        else:
            who = str(made.get("person", ""))
            detail = str(made["reason"]) if e.type in ("rejection", "withdrawal") else ""
            if e.type == "decision":
                unmet = [f"{q['id']} {q['state']}" for q in made["requirements"] if q["state"] not in ("pass", "waived")]
                state, outcome = ("pass", "ALLOW") if made["outcome"] == "ALLOW" else ("fail", "DENY")
                detail = "everything met" if not unmet else ", ".join(unmet[:4]) + (f" and {len(unmet) - 4} more" if len(unmet) > 4 else "")
    state = state or {"approval": "pass", "release": "pass", "waiver": "waived", "rejection": "fail"}.get(e.type, "")
    return {**views.event(e.type, e.key, e.at, e.digest, detail, state), "outcome": outcome, "who": who}


def _raw(place: Place, r: Round, docs: Documents, needs: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    return {"documents": [shown(place, d) for d in (docs.decision, docs.dossier, docs.change) if d]}


def _profiles(docs: Documents, service: str) -> dict[str, dict[str, Any]]:
    """The newest profile of each name in the dossier."""
    mine = docs.closed["evidence"] if docs.closed else ()
    return {a["name"]: a for a in mine if a["kind"] == "profile" and a["service"] == service and a["digest"]}


def _hotspots(place: Place, r: Round, docs: Documents, needs: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """Where each profile spent most, and how one is brought where there is none."""
    profiles = []
    for a in _profiles(docs, r.service).values():
        flat, cum = ({k[len(of) :]: f for k, f in a["facts"].items() if k.startswith(of)} for of in ("flat:", "cum:"))
        hot = [{"name": n, "flat": flat.get(n), "cum": cum.get(n)} for n in dict.fromkeys((*flat, *cum))]
        hot.sort(key=lambda x: [-(x[of]["value"] if x[of] else 0) for of in ("flat", "cum")])
        profiles.append({**a, "hot": hot})
    settings = place.ground().settings
    planned = next((p.name for p in settings.evidence if p.kind == "profile"), "") if settings else ""
    return {"profiles": profiles, "planned": planned}


def _nothing(*_: Any) -> dict[str, Any]:
    return {}


_TABS = {
    "summary": _summary,
    "scope": _nothing,
    "evidence": _evidence,
    "drift": _drift,
    "risks": _risks,
    "rules": _rules,
    "approvals": _approvals,
    "hotspots": _hotspots,
    "history": _history,
    "raw": _raw,
}
