"""A payload in words: GitHub Markdown that says what the payload says and nothing it withholds.

Text that came from outside is shown, never obeyed: no mention, no link, no HTML, no table of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from release_dossier.errors import counted, shown
from release_dossier.gate import SIGNS, STATES
from release_dossier.limits import GITHUB_TEXT_CHARS_MAX
from release_dossier.payload import Payload

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|~^:/])")
NOTES_MAX = 20  # notes of a decision in one brief: a page of them, far below what GitHub takes
_CONCLUSIONS = {"ALLOW": "success", "DENY": "failure"}


def plain(text: Any) -> str:
    """`text` as Markdown that shows it as it is: markup escaped, `@name` and `#7` broken so that nobody is called."""
    words = shown(str(text), 500).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", words).replace("@", "@\u2060")


def conclusion(payload: Payload) -> str:
    """What a check run on GitHub concludes: success only for ALLOW."""
    return _CONCLUSIONS.get(_outcome(payload), "neutral")


def title(payload: Payload) -> str:
    """One line: outcome, what is unmet, how many signatures are missing."""
    rows = _rows(payload)
    unmet = sum(r.get("state") not in ("pass", "waived") for r in rows)
    waived = sum(r.get("state") == "waived" for r in rows)
    words = f"{unmet} of {len(rows)} requirements unmet" if rows else "nothing was decided yet"
    unsigned = sum(t["missing"] for t in _seats(payload))
    return (
        f"{_outcome(payload)}: {words}"
        + (f", {waived} waived" if waived else "")
        + (f", {counted(unsigned, 'approval')} missing" if unsigned else "")
    )


def markdown(payload: Payload, chars_max: int = GITHUB_TEXT_CHARS_MAX) -> str:
    """The whole brief, at most `chars_max` characters; what does not fit is counted, never dropped in silence."""
    document = payload.document
    names = ", ".join(f"{plain(s.get('service'))} {plain(s.get('version'))}" for s in _list(document, "decision", "services"))
    head = [f"### {SIGNS['pass'] if _outcome(payload) == 'ALLOW' else SIGNS['fail']} {plain(title(payload))}", ""]
    if names:
        head.append(names)
    if document.get("retrospective"):
        head += ["", "Retrospective: put together after the fact. It decides nothing and counts as no baseline."]
    change = document.get("change")
    if isinstance(change, Mapping) and isinstance(change.get("objective"), str):
        head += ["", plain(change["objective"])]
    head += _beside(payload)
    tail = ["", f"Dossier `{payload.dossier}`"]
    if payload.decision:
        tail.append(f"Decision `{payload.decision}`")
    tail.append(f"{len(payload.withheld)} fields withheld, each with a commitment that can be opened.")
    rows = sorted(_rows(payload), key=lambda r: [*STATES[:5], "waived", "pass"].index(str(r.get("state"))))
    return _fitted(head, [_row(r) for r in rows], tail, chars_max)


def _fitted(head: list[str], rows: list[str], tail: list[str], chars_max: int) -> str:
    table = ["", "| | requirement | service | looked at | |", "|---|---|---|---|---|"] if rows else []
    room = chars_max - sum(len(line) + 1 for line in (*head, *table, *tail)) - 80
    kept: list[str] = []
    for row in rows:
        room -= len(row) + 1
        if room < 0:
            break
        kept.append(row)
    more = [] if len(kept) == len(rows) else ["", f"{len(kept)} of {len(rows)} requirements shown."]
    return "\n".join([*head, *table, *kept, *more, *tail])


def _beside(payload: Payload) -> list[str]:
    """What a decision says beside its requirements: who is still to sign, and its notes, a rejection among them."""
    missing = [plain(t.get("role")) for t in _seats(payload) if t["missing"]]
    decision = payload.document.get("decision")
    notes = decision.get("notes") if isinstance(decision, Mapping) else None
    said = [f"- {plain(n)}" for n in notes] if isinstance(notes, list) else []
    more = [f"- and {len(said) - NOTES_MAX} more"] if len(said) > NOTES_MAX else []
    return [*(["", f"Approvals missing: {', '.join(missing)}"] if missing else []), *([""] if said else []), *said[:NOTES_MAX], *more]


def _row(r: Mapping[str, Any]) -> str:
    state = str(r.get("state"))
    was = f" (was {r['waived_from']})" if r.get("waived_from") else ""
    of = "unknown" if r.get("of") is None else r["of"]
    reason = r.get("reason")
    words = plain(reason) if isinstance(reason, str) else ""
    cells = (
        f"{SIGNS.get(state, '?')} {plain(state)}{plain(was)}",
        plain(r.get("id")),
        plain(r.get("service")),
        f"{r.get('looked_at')} of {of}",
    )
    return "| " + " | ".join((*cells, words)) + " |"


def _outcome(payload: Payload) -> str:
    decision = payload.document.get("decision")
    return str(decision.get("outcome", "undecided")) if isinstance(decision, Mapping) else "undecided"


def _rows(payload: Payload) -> Sequence[Mapping[str, Any]]:
    return _list(payload.document, "decision", "requirements")


def _seats(payload: Payload) -> list[Mapping[str, Any]]:
    return [t for t in _list(payload.document, "decision", "approvals") if isinstance(t.get("missing"), int)]


def _list(document: Mapping[str, Any], first: str, second: str) -> Sequence[Mapping[str, Any]]:
    part = document.get(first)
    found = part.get(second) if isinstance(part, Mapping) else None
    return [x for x in found if isinstance(x, Mapping)] if isinstance(found, list) else []
