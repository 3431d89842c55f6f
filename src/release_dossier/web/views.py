"""Documents → what pages and API show. Pure: a value of documents and of `now`; nothing here decides, reads or writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from release_dossier.web.board import age_at, status_at
from release_dossier.web.rounds import Round

# state of a requirement, verdict of evidence or status of a round → (sign, words); colour comes from the class of the same name
STATES = {
    "error": ("!", "error"),
    "fail": ("✕", "fails"),
    "missing": ("○", "missing"),
    "stale": ("◔", "stale"),
    "inconclusive": ("?", "inconclusive"),
    "waived": ("~", "waived"),
    "pass": ("✓", "met"),
}
STATUS_WORDS = {
    "released": ("✓", "released"),
    "allowed": ("✓", "allowed"),
    "unsigned": ("✎", "awaits approval"),
    "blocked": ("✕", "blocked"),
    "lapsed": ("◔", "lapsed"),
    "undecided": ("○", "undecided"),
    "withdrawn": ("↩", "withdrawn"),
    "unreadable": ("!", "unreadable"),
}


class Span(msgspec.Struct, frozen=True):
    """Something that holds from a moment to another: how much of it is left, 0 to 100, and in words."""

    percent_left: int
    words: str
    state: str  # fresh, ending, ended, none


def duration(t: timedelta) -> str:
    """The two largest units: `3 h 12 min`, `2 d`, `40 s`."""
    seconds = int(abs(t.total_seconds()))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2 or (parts and unit == "d" and count >= 10):
            break
    return " ".join(p for p in parts if p) or "0 s"


def ago(then: str, now: datetime) -> str:
    """`3 h ago`, `in 2 d`."""
    if not then:
        return ""
    t = now - datetime.fromisoformat(then)
    if abs(t) < timedelta(seconds=1):
        return "now"
    return f"{duration(t)} ago" if t > timedelta(0) else f"in {duration(t)}"


def freshness(since: str, until: str, now: datetime) -> Span:
    """How much is left of evidence that was observed at `since` and ends at `until`."""
    if not until:
        return Span(0, "nothing that counts ends", "none")
    end = datetime.fromisoformat(until)
    begin = datetime.fromisoformat(since) if since else end
    left, whole = end - now, end - begin
    percent = 0 if whole <= timedelta(0) else max(0, min(100, round(100 * (left / whole))))
    if left <= timedelta(0):
        return Span(0, f"ended {duration(left)} ago", "ended")
    return Span(percent, f"ends in {duration(left)}", "ending" if left <= timedelta(days=1) else "fresh")


def row(r: Round, now: datetime) -> dict[str, Any]:
    """A line of the list of releases."""
    status = status_at(r, now)
    return {
        "name": f"{r.service}@{r.version}" if r.service else r.branch,
        "service": r.service,
        "version": r.version,
        "status": status,
        "worst": r.worst,
        "unmet": [{"id": u.id, "state": u.state, "kind": u.kind} for u in r.unmet],
        "waived": r.waived,
        "counts": dict(r.counts),
        "signed": r.signed,
        "needed": r.needed,
        "owner": r.owner,
        "branch": r.branch,
        "head": r.head,
        "issue": r.issue,
        "issue_title": r.issue_title,
        "objective": r.objective,
        "opened_at": r.opened_at,
        "updated_at": r.updated_at,
        "decided_at": r.decided_at,
        "released_at": r.released_at,
        "valid_until": r.valid_until,
        "fresh_from": r.fresh_from,
        "fresh_until": r.fresh_until,
        "fresh_what": r.fresh_what,
        "age": age_at(r, now),
        "change": r.change,
        "dossier": r.dossier,
        "decision": r.decision,
        "release": r.release,
        "tag": r.tag,
        "commit": r.commit,
        "label": r.label,
        "detail": r.detail,
        "undecided_since": list(r.after),
    }


def unmet_words(unmet: Iterable[Mapping[str, Any]], most: int = 3) -> str:
    """`payouts fails · tests, latency missing · 2 more`: the worst first, same states together."""
    groups: dict[str, list[str]] = {}
    items = list(unmet)
    for u in items[:most]:
        groups.setdefault(str(u["state"]), []).append(str(u["id"]))
    words = [f"{', '.join(ids)} {_verb(s, len(ids))}" for s, ids in groups.items()]
    return " · ".join([*words, f"{len(items) - most} more"] if len(items) > most else words)


def _verb(state: str, count: int) -> str:
    return "fail" if state == "fail" and count > 1 else STATES[state][1]
