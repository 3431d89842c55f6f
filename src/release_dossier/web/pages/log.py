"""The log: its head, its entries, one entry with its proof, and how to check it without believing this page."""

from __future__ import annotations

import base64

from fastapi import APIRouter, Request
from fastapi.responses import Response

from release_dossier.errors import Refused
from release_dossier.trust.log import leaf_of, verify_inclusion
from release_dossier.web.board import PAGE_ROWS
from release_dossier.web.paper import address, page, place_of

router = APIRouter()


@router.get("/log")
def log(request: Request, type: str = "", before: str = "") -> Response:
    """Entries, the newest first, of one type if asked."""
    place = place_of(request)
    now = place.clock()
    size = place.catalog.refresh()
    counts = place.catalog.rows("select type, count(*) from entries group by type order by count(*) desc")
    if type and type not in {t for t, _ in counts}:
        raise Refused("page.filter", at="type", found=type, expected=", ".join(t for t, _ in counts) or "nothing: the log is empty")
    start = int(before) if before.isdecimal() and len(before) < 12 else size
    where, values = ("type = ? and n < ?", (type, start)) if type else ("n < ?", (start,))
    entries = place.catalog.entries(f"{where} order by n desc", values, PAGE_ROWS + 1)
    more = len(entries) > PAGE_ROWS
    shown = entries[:PAGE_ROWS]
    checkpoint = place.catalog.checkpoint
    return page(
        request,
        "log.html",
        now,
        section="/log",
        title="Log",
        size=size,
        root=checkpoint.root.hex() if checkpoint else "",
        root_text=base64.b64encode(checkpoint.root).decode() if checkpoint else "",
        origin=checkpoint.origin if checkpoint else "",
        signers=[name for name, _, _ in checkpoint.signatures] if checkpoint else [],
        counts=counts,
        type=type,
        entries=shown,
        older=address("/log", type=type, before=shown[-1].n) if more else "",
    )


@router.get("/log/{n}")
def entry(request: Request, n: str) -> Response:
    """One entry: its line, its leaf, the path from it to the signed root."""
    place = place_of(request)
    size = place.catalog.refresh()
    found = place.catalog.entries("n = ?", (int(n),)) if n.isdecimal() and len(n) < 12 else []
    if not found:
        raise Refused("page.unknown", at=f"log entry {n}", found="no such entry", expected=f"0 to {size - 1}", help="dossier log audit")
    e = found[0]
    path, leaf = place.catalog.proof(e), leaf_of(e.line())
    root = place.catalog.checkpoint.root if place.catalog.checkpoint else b""
    return page(
        request,
        "entry.html",
        place.clock(),
        section="/log",
        title=f"Log entry {n}",
        d=e,
        size=size,
        line=e.line().decode(),
        leaf=leaf.hex(),
        path=[h.hex() for h in path],
        root=root.hex(),
        holds=verify_inclusion(leaf, e.n, size, path, root),
    )
