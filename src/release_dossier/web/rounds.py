"""What lists need to know of a release, folded from statements in log order. Pure: no clock, no file.

A *release* is a service at a version. A *round* is one change that would make it: a release has as many rounds as changes were opened for
it. The row of a release is the round that was released, else the newest.

Stored facts only: what depends on the time of looking (a decision that ran out, an age) is computed where it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from release_dossier.gate import GONE, SAID_NO, STATES

WORST_FIRST = ("error", "fail", "missing", "stale", "inconclusive", "waived", "pass")
# What a round came to, in the order people want to see them; `lapsed` is the one that only time brings.
STATUSES = ("released", "allowed", "unsigned", "blocked", "lapsed", "undecided", "withdrawn", "unreadable")
assert set(STATES) < set(WORST_FIRST)


class Unmet(msgspec.Struct, frozen=True, array_like=True):
    """A requirement that does not let through."""

    id: str
    state: str
    kind: str


class Round(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One service of one change, as lists show it. `n` is the log entry of the change, `updated` of the last statement about it."""

    change: str
    service: str
    n: int
    updated: int
    version: str = ""
    branch: str = ""
    head: str = ""
    issue: str = ""
    issue_title: str = ""
    owner: str = ""
    owners: tuple[str, ...] = ()
    criticality: str = ""
    objective: str = ""
    opened_at: str = ""
    updated_at: str = ""
    dossier: str = ""
    decision: str = ""
    decided_at: str = ""
    status: str = "undecided"
    counts: dict[str, int] = {}  # state → requirements of this service
    worst: str = ""
    unmet: tuple[Unmet, ...] = ()
    denied: tuple[str, ...] = ()  # notes of the decision that deny whatever else is met and signed
    waived: int = 0
    signed: int = 0
    needed: int = 0
    signers: tuple[str, ...] = ()
    fresh_from: str = ""  # when the evidence that ends first was observed
    fresh_until: str = ""  # and when it ends; empty when nothing that counts ends
    fresh_what: str = ""
    valid_until: str = ""
    tag: str = ""
    commit: str = ""
    released_at: str = ""
    release: str = ""
    label: str = ""  # self-approved, retrospective
    evidence: int = 0
    failing_kinds: tuple[str, ...] = ()
    detail: str = ""  # why it cannot be read
    after: tuple[str, ...] = ()  # what people said since the decision: decide again


def release_name(r: Round, listed: bool) -> str:
    """What a round is called where rounds stand side by side: the one its release is `listed` by has the release's name alone."""
    return f"{r.service}@{r.version}" if listed else f"{r.service}@{r.version}:{r.dossier[7:15]}"


def opened(digest: str, n: int, at: str, change: Mapping[str, Any]) -> list[Round]:
    """The rounds a change begins, one for each service it touches."""
    issue = change["issue"]
    label = "" if change.get("mode") != "retrospective" else "retrospective"
    return [
        Round(
            change=digest,
            service=s["name"],
            n=n,
            updated=n,
            version=s["version"],
            branch=change["branch"],
            head=change["head"],
            issue=f"#{issue['number']}" if issue.get("number") is not None else "",
            issue_title=issue["title"],
            owner=change["owner"],
            owners=tuple(s["owners"]),
            criticality=s["criticality"],
            objective=change["objective"],
            opened_at=at,
            updated_at=at,
            label=label,
        )
        for s in change["services"]
    ]


def assembled(r: Round, digest: str, n: int, at: str) -> Round:
    """Its newest dossier; what was decided about an older one is history."""
    if r.status in ("released", "withdrawn"):
        return msgspec.structs.replace(r, updated=n, updated_at=at)
    return msgspec.structs.replace(
        r,
        dossier=digest,
        updated=n,
        updated_at=at,
        status="undecided",
        decision="",
        unmet=(),
        denied=(),
        counts={},
        worst="",
        valid_until="",
        after=(),
    )


def decided(r: Round, digest: str, n: int, at: str, decision: Mapping[str, Any], dossier: Mapping[str, Any]) -> Round:
    """What a decision says of this service. A release that went out keeps the decision it went out with."""
    if r.status in ("released", "withdrawn") or decision["dossier"] != r.dossier:
        return msgspec.structs.replace(r, updated=n, updated_at=at)
    mine = [x for x in decision["requirements"] if x["service"] == r.service]
    kinds = {x["id"]: x["kind"] for x in dossier["rules"].get("requirements", ()) if x.get("service") == r.service}
    counts = {s: c for s in WORST_FIRST if (c := sum(x["state"] == s for x in mine))}
    unmet = tuple(Unmet(x["id"], x["state"], kinds.get(x["id"], x["id"])) for x in mine if x["state"] not in ("pass", "waived"))
    unmet = tuple(sorted(unmet, key=lambda u: WORST_FIRST.index(u.state)))
    outcome = next((s["outcome"] for s in decision["services"] if s["service"] == r.service), "DENY")
    missing = sum(a["missing"] for a in decision["approvals"])
    blocking = [x for x in mine if x["state"] not in ("pass", "waived") and x.get("severity") != "warn"]
    denied = tuple(n for n in decision["notes"] if n.startswith((SAID_NO, GONE)) or "so nothing is allowed" in n)
    status = "allowed" if outcome == "ALLOW" else "unsigned" if mine and not blocking and missing and not denied else "blocked"
    first = min((x for x in mine if x["expires_at"]), key=lambda x: str(x["expires_at"]), default=None)
    observed = {a["digest"]: a["observed_at"] for a in dossier["evidence"] if a["digest"]}
    return msgspec.structs.replace(
        r,
        decision=digest,
        decided_at=decision["at"],
        updated=n,
        updated_at=at,
        status=status,
        counts=counts,
        worst=next(iter(counts), ""),
        unmet=unmet,
        denied=denied,
        waived=counts.get("waived", 0),
        signed=sum(min(len(a["counted"]), a["needed"]) for a in decision["approvals"]),
        needed=sum(a["needed"] for a in decision["approvals"]),
        signers=tuple(sorted({c["person"] for a in decision["approvals"] for c in a["counted"]})),
        fresh_until=first["expires_at"] if first else "",
        fresh_from=next((observed[d] for d in first["evidence"] if d in observed), decision["at"]) if first else "",
        fresh_what=first["id"] if first else "",
        valid_until=decision["valid_until"],
        evidence=sum(a["service"] == r.service for a in dossier["evidence"]),
        failing_kinds=tuple(sorted({u.kind for u in unmet})),
        label=r.label or ("self-approved" if any("self-approved" in x for x in decision["notes"]) else ""),
        after=(),
    )


def released(r: Round, digest: str, n: int, at: str, release: Mapping[str, Any]) -> Round:
    """It went out."""
    return msgspec.structs.replace(
        r,
        status="released",
        release=digest,
        tag=release["tag"],
        commit=release["commit"],
        released_at=release["released_at"],
        label=r.label or release["label"],
        updated=n,
        updated_at=at,
        after=(),
    )


def spoken(r: Round, word: str, person: str, n: int, at: str) -> Round:
    """Somebody said something about it that no decision has heard yet."""
    said = r.after if r.status in ("released", "withdrawn") else (*r.after, f"{word} by {person}")
    return msgspec.structs.replace(r, updated=n, updated_at=at, after=said)


def taken_back(r: Round, target: str, n: int, at: str) -> Round:
    """A dossier, decision or release it stands on was withdrawn."""
    if target not in (r.release, r.dossier, r.decision, r.change):
        return msgspec.structs.replace(r, updated=n, updated_at=at)
    return msgspec.structs.replace(r, status="withdrawn", updated=n, updated_at=at)
