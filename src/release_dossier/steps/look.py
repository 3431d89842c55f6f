"""Look: what the log holds, one document whole, two dossiers side by side. Reads only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from release_dossier.dossier import Dossier
from release_dossier.drift import drift, newest
from release_dossier.errors import DossierError, Refused
from release_dossier.gate import Decision
from release_dossier.posture import gone
from release_dossier.release import Release
from release_dossier.steps.world import World
from release_dossier.trust.log import Entry
from release_dossier.trust.statement import Statement


def listing(world: World) -> list[dict[str, Any]]:
    """A line per change, newest first: where it stands. A line whose document cannot be read says so and hides no other."""
    entries, back = world.store.entries(), withdrawn(world)
    out = []
    for e in reversed(entries):
        if e.type == "change":
            try:
                out.append(_line(world, e, entries, back))
            except DossierError as why:
                out.append({"change": e.digest, "branch": e.key, "state": "unreadable", "detail": str(why)})
    return out


def withdrawn(world: World) -> dict[str, str]:
    """Every statement that was taken back → why."""
    said = (world.statement(e.digest, "withdrawal").predicate for e in world.store.entries() if e.type == "withdrawal")
    return {str(w["statement"]): str(w["reason"]) for w in said}


def gone_since(world: World, release: str, back: Mapping[str, str]) -> str | None:
    """Why the release with this digest stands no more, None while it does. `back` is `withdrawn`."""
    if not back:
        return None
    r = msgspec.convert(world.statement(release, "release").predicate, Release)
    return gone(release, r, msgspec.convert(world.statement(r.decision, "decision").predicate, Decision), back)


def shipped_on(world: World, statement: str) -> bool:
    """Whether a release falls when this statement is taken back. One that cannot be read does not say so and hides no other."""
    for e in world.store.entries():
        try:
            if e.type == "release" and gone_since(world, e.digest, {statement: ""}) is not None:
                return True
        except DossierError:
            continue
    return False


def _line(world: World, change_entry: Entry, entries: tuple[Entry, ...], back: Mapping[str, str]) -> dict[str, Any]:
    change = world.change(change_entry.digest)
    mine = [e for e in entries if e.change == change_entry.digest]
    decision = next((e for e in reversed(mine) if e.type == "decision"), None)
    dossiers = [e.digest for e in mine if e.type == "dossier"]
    outcome, unmet, dossier, why_not, labels = "undecided", [], next(reversed(dossiers), ""), "", []
    if decision is not None:
        d = world.statement(decision.digest, "decision").predicate
        outcome, dossier = str(d["outcome"]), str(d["dossier"])
        unmet = [f"{r['id']} {r['state']}" for r in d["requirements"] if r["state"] not in ("pass", "waived")]
        waits = [f"{t['role']} to sign" for t in d["approvals"] if t["missing"]]
        why_not = "" if outcome == "ALLOW" else ", ".join(waits) or next(iter(d["notes"]), "nothing was asked for")
        waived = sum(r["state"] == "waived" for r in d["requirements"])
        labels = [f"{waived} waived"] * bool(waived) + ["self-approved"] * any(n.startswith("self-approved") for n in d["notes"])
    made = [e for e in entries if e.type == "release" and e.change in dossiers]
    labels += [f"{e.key} withdrawn" for e in made if gone_since(world, e.digest, back) is not None]
    return {
        "change": change_entry.digest,
        "branch": change.branch,
        "services": [f"{s.name} {s.version}" for s in change.services],
        "owner": change.owner,
        "opened_at": change.opened_at,
        "state": outcome,
        "unmet": unmet,
        "why_not": why_not,
        "labels": labels,
        "dossier": dossier,
        "decision": decision.digest if decision else "",
        "released": [e.key for e in made],
        "objective": change.objective,
    }


def show(world: World, name: str) -> dict[str, Any]:
    """The document a digest prefix names, or the dossier a release or tag names; its log entry and the keys that signed it."""
    digest = _released(world, name) or digest_named(world, name)
    entry = next(e for e in world.store.entries() if e.digest == digest)
    statement, keys = world.signed(digest, entry.type)
    names = {k.id: p.id for p in world.trust.document.people for k in p.keys} | {
        k.id: p.id for p in world.trust.document.producers for k in p.keys
    }
    signers = sorted(names.get(k, k) for k in keys)
    return {
        "digest": digest,
        "type": entry.type,
        "log_index": entry.n,
        "logged_at": entry.at,
        "signed_by": signers,
        "predicate": statement.predicate,
    }


def release_of(world: World, name: str) -> Statement | None:
    """The newest release with this name (`service@version`) or tag; None where there is none."""
    for e in reversed(world.store.entries()):
        if e.type == "release":
            release = world.statement(e.digest, "release")
            if name in (e.key, release.predicate["tag"]):
                return release
    return None


def _released(world: World, name: str) -> str | None:
    """The dossier of that release."""
    release = release_of(world, name)
    return None if release is None else str(release.predicate["dossier"])


def _assembled(world: World, name: str) -> str | None:
    """The newest dossier about `service@version`, None where there is none."""
    for e in reversed(world.store.entries()) if "@" in name else ():
        if e.type == "dossier":
            services = world.statement(e.digest, "dossier").predicate["change"]["services"]
            if name in (f"{s['name']}@{s['version']}" for s in services):
                return e.digest
    return None


def digest_named(world: World, name: str) -> str:
    """The statement `name` is the beginning of the digest of.

    Raises:
        Refused: `look.no-release` where it cannot be one, `digest.*`.
    """
    if not re.fullmatch(r"(sha256:)?[0-9a-f]*", name):
        found, expected = "no release and no dossier of this name", "a digest, a tag, or service@version of one in the list"
        raise Refused("look.no-release", at=name, found=found, expected=expected, help="dossier list")
    return world.store.find(name)


def last_decision(world: World, dossier: str) -> dict[str, Any] | None:
    """What was last decided about a dossier, None where nothing was."""
    entry = next((e for e in reversed(world.store.entries()) if e.type == "decision" and e.key == dossier), None)
    return None if entry is None else world.statement(entry.digest, "decision").predicate


def dossier_of(world: World, name: str) -> tuple[str, Dossier]:
    """The dossier a digest, a tag or `service@version` names: the one that was released, else the newest of that version. An earlier
    round of it goes by `service@version:DIGEST`, as the pages call it.
    """
    mark = name.partition(":")[2] if "@" in name else ""
    digest = world.store.find(mark) if mark else _released(world, name) or _assembled(world, name) or digest_named(world, name)
    entry = next(e for e in world.store.entries() if e.digest == digest)
    if entry.type in ("decision", "release"):
        digest = str(world.statement(digest, entry.type).predicate["dossier"])
    elif entry.type != "dossier":
        raise Refused("look.not-a-dossier", at=name, found=f"a {entry.type}", expected="a dossier, a decision, a release or a tag")
    return digest, msgspec.convert(world.statement(digest, "dossier").predicate, Dossier)


def compare(world: World, a: str, b: str) -> dict[str, Any]:
    """Two dossiers side by side: scope, evidence, facts, rules, owners, risks. What is the same in both is only counted."""
    (da, x), (db, y) = dossier_of(world, a), dossier_of(world, b)
    ex, ey = ({(e.service, e.name): e for e in newest(d.evidence)} for d in (x, y))
    evidence = [
        {
            "service": s,
            "name": n,
            "a": ex[s, n].verdict if (s, n) in ex else "absent",
            "b": ey[s, n].verdict if (s, n) in ey else "absent",
        }
        for s, n in sorted(ex.keys() | ey.keys())
    ]
    risks_a, risks_b = ({r.id: r.text for r in d.risks} for d in (x, y))
    return {
        "a": da,
        "b": db,
        "scope": _sets(x.change.files, y.change.files),
        "evidence": [e for e in evidence if e["a"] != e["b"]],
        "evidence_same": sum(e["a"] == e["b"] for e in evidence),
        "facts": [
            msgspec.to_builtins(d) | ({"comparable": "a does not say"} if d.before is None else {})
            for d in drift(y.evidence, x.evidence, "a")
            if d.before != d.after
        ],
        "rules": {"same": x.rules == y.rules},
        "owners": _sets(
            [f"{o.service}: {', '.join(o.owners)}" for o in x.owners], [f"{o.service}: {', '.join(o.owners)}" for o in y.owners]
        ),
        "risks": _sets([f"{k}: {v}" for k, v in risks_a.items()], [f"{k}: {v}" for k, v in risks_b.items()]),
    }


def _sets(a: Any, b: Any) -> dict[str, Any]:
    return {"only_a": sorted(set(a) - set(b)), "only_b": sorted(set(b) - set(a)), "both": len(set(a) & set(b))}
