"""Documents → what pages and API show. Pure: a value of documents and of `now`; nothing here decides, reads or writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from release_dossier.approval import members
from release_dossier.chance import Standing, adjusted, standing
from release_dossier.drift import CONDITIONS
from release_dossier.gate import SAID_NO, step
from release_dossier.rules.packs import OWNER
from release_dossier.trust.document import Trust
from release_dossier.web import pictures
from release_dossier.web.board import age_at, status_at
from release_dossier.web.rounds import WORST_FIRST, Round

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


def duration(t: timedelta, most: int = 2) -> str:
    """The largest units, at most `most`: `3 h 12 min`, `2 d`, `40 s`."""
    seconds = int(abs(t.total_seconds()))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == most or (parts and unit == "d" and count >= 10):
            break
    return " ".join(p for p in parts if p) or "0 s"


def ago(then: str, now: datetime, most: int = 2) -> str:
    """`3 h ago`, `in 2 d`."""
    if not then:
        return ""
    t = now - datetime.fromisoformat(then)
    if abs(t) < timedelta(seconds=1):
        return "now"
    return f"{duration(t, most)} ago" if t > timedelta(0) else f"in {duration(t, most)}"


def freshness(since: str, until: str, now: datetime, most: int = 2) -> Span:
    """How much is left of evidence that was observed at `since` and ends at `until`."""
    if not until:
        return Span(0, "nothing that counts ends", "none")
    end = datetime.fromisoformat(until)
    begin = datetime.fromisoformat(since) if since else end
    left, whole = end - now, end - begin
    percent = 0 if whole <= timedelta(0) else max(0, min(100, round(100 * (left / whole))))
    if left <= timedelta(0):
        return Span(0, f"ended {duration(left, most)} ago", "ended")
    return Span(percent, f"ends in {duration(left, most)}", "ending" if left <= timedelta(days=1) else "fresh")


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
        "denied": list(r.denied),
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


# A release


HEADLINES = {  # facts that stand for a kind where no condition names any
    "tests": ("failed", "skipped"),
    "latency": ("latency_p95", "error_rate"),
    "payouts": ("users_wrong", "unexplained"),
    "ledger-invariants": ("checks_failed",),
    "replay-protection": ("accepted_too_often",),
    "alert-coverage": ("alerts_fired", "alerts_declared"),
    "static-analysis": ("findings", "errors"),
    "authorship": ("commits_bound", "commits"),
    "scope": ("files_outside", "files_unbound"),
    "criteria": ("lines_changed",),
}
GROUPS = (("unmet", "Unmet"), ("stale", "Stale"), ("waived", "Waived"), ("met", "Met"))


def number(value: Any) -> str:
    """A figure as people read it: thousands apart, at most four significant places behind the point."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")
    if isinstance(value, float):
        whole = f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
        return whole.replace(",", "\u202f")
    return str(value)


def fact(name: str, facts: Mapping[str, Any]) -> dict[str, str] | None:
    """A fact with its unit, None where it was not said."""
    found = facts.get(name)
    if found is None:
        return None
    samples = f"n = {number(found['samples'])}" if found.get("samples") else ""
    return {"name": name, "value": number(found["value"]), "unit": "" if found["unit"] == "ratio" else found["unit"], "samples": samples}


def limit_words(rule: Mapping[str, Any]) -> str:
    """What a rule asks for, in words."""
    words = [rule["condition"].replace("facts.", "")] if rule["condition"] else ["the verdict pass"]
    if rule["minimum_percent"]:
        words.append(f"{rule['minimum_percent']} % looked at")
    if rule["minimum_count"] > 1:
        words.append(f"at least {number(rule['minimum_count'])} looked at")
    if rule["age_max_s"]:
        words.append(f"at most {duration(timedelta(seconds=rule['age_max_s']))} old")
    if rule["environment"]:
        words.append(f"from {rule['environment']}")
    return ", ".join(words)


def looked(at: int, of: int | None) -> str:
    """`412 of 415`."""
    return f"{number(at)} of {number(of)}" if of is not None else number(at) if at else "nothing"


def requirements(dossier: Mapping[str, Any], decision: Mapping[str, Any], service: str, now: datetime) -> list[dict[str, Any]]:
    """Each requirement of a service as the decision has it, with what it was decided on and how long that holds from now."""
    rules = {(r["id"], r["service"]): r for r in dossier["rules"]["requirements"]}
    out = []
    for r in decision["requirements"]:
        if r["service"] != service:
            continue
        rule = rules.get((r["id"], r["service"]))
        name = rule["evidence"] if rule else r["id"]
        attempts = [a for a in dossier["evidence"] if a["name"] == name and a["service"] == service]
        shown = next((a for a in attempts if a["digest"] in r["evidence"]), None)
        finding = next((f for f in dossier["findings"] if f["name"] == name and f["service"] == service), None)
        facts = (shown or finding or {}).get("facts", {})
        named = [n["fact"] for n in rule["needs"]] if rule and rule["needs"] else HEADLINES.get(rule["kind"] if rule else "", ())
        first, command = step(r["state"], r["reason"], r["remedy"])
        hold = freshness(shown["observed_at"] if shown else decision["at"], r["expires_at"], now) if r["expires_at"] else None
        out.append(
            {
                **r,
                "rule": rule,
                "kind": rule["kind"] if rule else r["id"],
                "name": name,
                "step": {"first": first, "command": command},
                "group": {"stale": "stale", "waived": "waived", "pass": "met"}.get(r["state"], "unmet"),
                "looked": looked(r["looked_at"], r["of"]),
                "facts": [f for n in named if (f := fact(n, facts))],
                "limit": limit_words(rule) if rule else "",
                "hold": hold,
                "observed_at": shown["observed_at"] if shown else "",
                "attempts": len(attempts),
                "examples": (shown or finding or {}).get("counterexamples", ()),
                "examples_total": (shown or {}).get("counterexamples_total", 0),
            }
        )
    return sorted(out, key=lambda r: WORST_FIRST.index(r["state"]))


def counted(states: Iterable[str]) -> list[tuple[str, int]]:
    """How many of each state, worst first."""
    all_ = list(states)
    return [(s, all_.count(s)) for s in WORST_FIRST if s in all_]


class Said(msgspec.Struct, frozen=True):
    """One sentence about a release, what to do next, the command that does it, and the tab to look at."""

    words: str
    next: str = ""
    command: str = ""
    tab: str = ""


def sentence(r: Round, needs: list[dict[str, Any]], now: datetime) -> Said:
    """What a release came to, with the next thing to do and how long it holds."""
    status = status_at(r, now)
    ending = min((n for n in needs if n["hold"] and n["hold"].state != "ended"), key=lambda n: str(n["expires_at"]), default=None)
    ended = [n["id"] for n in needs if n["hold"] and n["hold"].state == "ended"]
    clock = f" The evidence of {ending['id']} {ending['hold'].words}." if ending and status in ("allowed", "unsigned", "blocked") else ""
    if ended:
        which = _listed([*ended[:3], *([f"{len(ended) - 3} more"] if len(ended) > 3 else [])])
        clock = f" Since it was decided, the time of {which} has run out.{clock}"
    said = _said(r, status, needs, now)
    return msgspec.structs.replace(said, words=said.words + clock)


def _listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _said(r: Round, status: str, needs: list[dict[str, Any]], now: datetime) -> Said:
    again = "dossier assemble && dossier gate"
    match status:
        case "released":
            waived = f" with {r.waived} waiver{'s' if r.waived > 1 else ''}" if r.waived else ""
            by = f", signed by {_listed(r.signers)}" if r.signers else ""
            return Said(f"Released as {r.tag} {ago(r.released_at, now)}: allowed{waived}{by}.", "Where it stands:", "dossier posture")
        case "allowed":
            until = f" until {stamp(r.valid_until)}, {ago(r.valid_until, now)}" if r.valid_until else ""
            return Said(f"Allowed{until}: {_met(r)}{' and signed' if r.needed else ''}.", "Ship it:", f"dossier release {r.dossier[:19]}")
        case "unsigned":
            left = r.needed - r.signed
            words = f"{_met(r).capitalize()}; {left} of {r.needed} approvals {'is' if left == 1 else 'are'} missing."
            return Said(words, "Read and sign it", tab="approvals")
        case "blocked":
            return _blocked(needs, r.denied)
        case "undecided" if r.dossier:
            return Said("The set is closed and nobody decided about it yet.", "Decide:", f"dossier gate {r.dossier[:19]}")
        case "undecided":
            return Said("Open: evidence is being collected, no dossier was assembled yet.", "When it is there:", again)
        case "lapsed":
            words = f"It was allowed until {stamp(r.valid_until)}; that ended {ago(r.valid_until, now)} and it was not released."
            return Said(words, "Fresh evidence, then:", again)
        case "withdrawn":
            return Said("Withdrawn. It does not stand any more; the history says who took it back and why.", tab="history")
    return Said(f"It cannot be read: {r.detail}", "Find out what was altered:", "dossier log audit")


def _met(r: Round) -> str:
    """What let it through: what only warns may be unmet, and what was waived was not met."""
    return f"every requirement{' that denies' if r.unmet else ''} is met{' or waived' if r.waived else ''}"


def _blocked(needs: list[dict[str, Any]], denied: Sequence[str] = ()) -> Said:
    unmet = [n for n in needs if n["group"] in ("unmet", "stale") and n.get("severity") != "warn"]
    parts = [f"{n} {_many(s, n)}" for s, n in counted(x["state"] for x in unmet)]
    if not unmet:
        people = not denied or any(n.startswith(SAID_NO) for n in denied)
        return Said(f"Blocked: {'; '.join(denied) or 'see what people said'}.", tab="approvals" if people else "")
    title, do = unmet[0]["title"], unmet[0]["step"]
    return Said(
        f"Blocked: {'; '.join((f'of {len(needs)} requirements ' + ', '.join(parts), *denied))}.",
        f"{title}: {do['first']}, then:" if do["first"] else f"{title}:",
        do["command"],
    )


def _many(state: str, count: int) -> str:
    one, many = {"fail": ("fails", "fail"), "error": ("is an error", "are errors")}.get(state, (f"is {state}", f"are {state}"))
    return one if count == 1 else many


def closed(r: Round) -> Said | None:
    """Why nobody's approval, rejection or waiver moves a round any more; None while it does. A lapsed one may be signed again."""
    if r.label == "retrospective":
        return Said("Retrospective: it shipped before anybody asked. It is never allowed, so there is nothing to sign or to waive.")
    match r.status:
        case "released":
            back = f"dossier withdraw {r.release[:19]} --as PERSON --key FILE --reason WHY"
            return Said(
                f"Released as {r.tag}: nothing is left to sign. What was said can still be taken back.", "Take the release back:", back
            )
        case "withdrawn":
            return Said("Withdrawn: nothing is left to sign. A new round begins with a change opened again.")
    return None


def stamp(at: str) -> str:
    """A moment for reading: `2026-11-23 09:00 UTC`."""
    return f"{at[:10]} {at[11:16]} UTC" if len(at) > 16 else at


def attempts(dossier: Mapping[str, Any], service: str, now: datetime) -> list[dict[str, Any]]:
    """Every attempt of every evidence of a service, the newest of each first, with what it holds and until when."""
    mine = [a for a in dossier["evidence"] if a["service"] == service]
    out = []
    for name in dict.fromkeys(a["name"] for a in mine):
        for i, a in enumerate(reversed([a for a in mine if a["name"] == name])):
            out.append(
                {
                    **a,
                    "newest": i == 0,
                    "looked": looked(a["looked_at"], a["of"]),
                    "hold": freshness(a["observed_at"], a["expires_at"], now),
                }
            )
    return out


def multiples(dossier: Mapping[str, Any] | None, service: str, history: list[dict[str, Any]], drawn: int) -> list[dict[str, Any]]:
    """Small multiples: each number of the newest attempts over the last releases, beside what the dossier itself compares it with.

    Args:
        history: oldest first, the release looked at last: `{"version", "kind", "facts": {evidence: {"facts", "environment"}}}`.
        drawn: how many of them are drawn, the newest; all that were released speak about chance.
    """
    if dossier is None or not history:
        return []
    compared = {(d["evidence"], d["fact"]): d for d in dossier["drift"] if d["service"] == service}
    out = []
    for name, said in sorted(history[-1]["facts"].items()):
        for key, value in sorted(said["facts"].items()):
            if isinstance(value["value"], bool) or not isinstance(value["value"], int | float):
                continue
            series, conditions = [], []
            for h in history[-drawn:]:
                then = h["facts"].get(name)
                old = then["facts"].get(key) if then else None
                if old is None or old["unit"] != value["unit"] or isinstance(old["value"], str | bool):
                    continue
                series.append((f"{h['version']}: {number(old['value'])} {value['unit']}", float(old["value"]), h["kind"]))
                conditions.append(_conditions(then))
            alike = [x for h in history[:-1] if (x := _alike(h, name, key, said)) is not None]
            turns = [i for i in range(1, len(conditions)) if conditions[i] != conditions[i - 1]]
            d = compared.get((name, key))
            out.append(
                {
                    "evidence": name,
                    "fact": key,
                    "value": number(value["value"]),
                    "unit": value["unit"],
                    "samples": value.get("samples"),
                    "digest": said["digest"],
                    "picture": pictures.multiple(series, turns, number),
                    "described": "; ".join(s for s, _, _ in series),
                    "direction": d["direction"] if d else "unknown",
                    "change": _change(d),
                    "moved": bool(d and d["before"] is not None and d["before"] != d["after"]),
                    "turns": len(turns),
                    "count": len(series),
                    "standing": standing(float(value["value"]), alike),
                }
            )
    qs = adjusted([m["standing"].p for m in out])
    out = [{**m, "chance": _chance(m["standing"], q, m["unit"])} for m, q in zip(out, qs, strict=True)]
    return sorted(out, key=lambda m: (m["direction"] != "worse", m["direction"] != "better", not m["moved"]))


def _alike(h: Mapping[str, Any], name: str, key: str, said: Mapping[str, Any]) -> float | None:
    """The figure of an earlier release, if it was released and measured under the conditions of this one."""
    then = h["facts"].get(name)
    old = then["facts"].get(key) if then else None
    if h["kind"] != "dot" or old is None or isinstance(old["value"], str | bool) or old["unit"] != said["facts"][key]["unit"]:
        return None
    return float(old["value"]) if _conditions(then) == _conditions(said) else None


def _chance(s: Standing, q: float, unit: str) -> str:
    """What can be said of chance, and how many more figures it would take where it is too early to say."""
    if s.effect is None:
        return ""
    more = f"inconclusive: needs {s.needed} more" if s.needed else ""
    if s.low is None or s.high is None:
        return f"by chance? {more}, {s.n} released alike before"
    words = f"{_signed(s.effect)} {unit} from the median of {s.n} [{_signed(s.low)}, {_signed(s.high)}]; p = {s.p:.2g}, q = {q:.2g}"
    return f"{words}; {more}" if more else words


def _signed(x: float) -> str:
    return f"{'+' if x > 0 else ''}{number(float(f'{x:.4g}'))}"


def _conditions(said: Mapping[str, Any] | None) -> tuple[Any, ...]:
    facts = said["facts"] if said else {}
    return (said["environment"] if said else "", *(facts.get(c, {}).get("value") for c in CONDITIONS))


def _change(d: Mapping[str, Any] | None) -> str:
    if d is None or not d["baseline"]:
        return "no comparison: nothing was released before"
    if d["comparable"]:
        return f"no comparison: {d['comparable']}"
    if d["before"] is None:
        return f"no comparison: {d['baseline']} does not say"
    if d["before"] == d["after"]:
        return f"as in {d['baseline']}"
    percent = f" ({d['change_percent']:+g} %)" if d["change_percent"] is not None else ""
    return f"from {number(d['before'])} in {d['baseline']}{percent}"


def matrix(dossier: Mapping[str, Any], decision: Mapping[str, Any] | None, trust: Trust) -> dict[str, Any]:
    """Role × person: who signed, whose word lapsed and why, who could still sign; then the seats, those whose approval would count first.
    The owners of each service are a role of their own."""
    tallies = {t["role"]: t for t in (decision["approvals"] if decision else ())}
    change, people = dossier["change"], trust.document.people
    solo = change["mode"] == "solo"
    named = (p or "" for a in change["authors"] for p in (a["person"], a.get("claims", "")))
    authors = {p.lstrip("@") for p in (change["owner"], *named) if p}
    rows, seats = [], []
    asked = list(_seats(dossier, trust, solo))
    for role in tallies.keys() - {label for label, _, _ in asked}:  # asked by the gate itself, as the rule owner is for criteria that move
        extra = {"role": role, "count": tallies[role]["needed"], "not_author": True}
        asked.append((role, extra, frozenset(p.id for p in people if role in p.roles)))
    for label, rule, able in asked:
        t = tallies.get(label, {"counted": (), "refused": (), "needed": rule["count"], "missing": rule["count"]})
        cells = [_seat(p.id, p.id in able, rule, t, not solo and p.id in authors) for p in people]
        rows.append({"role": label, "needed": t["needed"], "have": min(len(t["counted"]), t["needed"]), "cells": cells})
        signed = {c["person"] for c in t["counted"]}
        for p in people:
            if p.id in able:
                barred = rule["not_author"] and not solo and p.id in authors
                why = "wrote or owns it: may only reject" if barred else "signed already" if p.id in signed else ""
                seats.append({"person": p.id, "role": rule["role"], "label": label, "why_not": why})
    return {"people": [p.id for p in people], "rows": rows, "seats": sorted(seats, key=lambda s: bool(s["why_not"]))}


def _seats(dossier: Mapping[str, Any], trust: Trust, solo: bool) -> Iterable[tuple[str, Mapping[str, Any], frozenset[str]]]:
    """(label, rule, who may) of everything somebody must sign as."""
    owners = {o["service"]: o["owners"] for o in dossier["owners"]}
    people = trust.document.people
    for rule in dossier["rules"]["approvals"]:
        if rule["role"] != OWNER:
            yield rule["role"], rule, frozenset(p.id for p in people if rule["role"] in p.roles)
        for service in rule.get("services", ()) if rule["role"] == OWNER else ():
            able = frozenset(p.id for p in people) if solo else members(owners.get(service, ()), trust)
            yield f"{OWNER} of {service}", rule, able


def _seat(person: str, able: bool, rule: Mapping[str, Any], t: Mapping[str, Any], author: bool) -> dict[str, str]:
    """One person in one role."""
    yes = next((c for c in t["counted"] if c["person"] == person), None)
    no = next((c for c in reversed(t["refused"]) if c["person"] == person), None)
    cell = {"person": person, "at": "", "until": "", "statement": ""}
    if yes:
        signed = {"at": yes["signed_at"], "until": yes["expires_at"], "statement": yes["statement"]}
        return {**cell, **signed, "state": "pass", "sign": "✓", "words": "signed"}
    if no:
        return {**cell, "state": "stale", "sign": "✕", "words": no["reason"], "statement": no["statement"]}
    if not able:
        return {**cell, "state": "none", "sign": "", "words": "not in this role"}
    if rule["not_author"] and author:
        return {**cell, "state": "missing", "sign": "–", "words": "wrote or owns it: may not sign"}
    return {**cell, "state": "open", "sign": "○", "words": "may sign"}


_EVENTS = {
    "change": ("opened", "›"),
    "started": ("began", "·"),
    "evidence": ("evidence", "e"),
    "dossier": ("dossier closed", "■"),
    "decision": ("decided", "◆"),
    "approval": ("approved", "✓"),
    "rejection": ("rejected", "✕"),
    "withdrawal": ("withdrawn", "↩"),
    "waiver": ("waived", "~"),
    "release": ("released", "⚑"),
    "deployment": ("deployed", "→"),
    "trust": ("people changed", "p"),
}


def event(kind: str, key: str, at: str, digest: str, detail: str, state: str) -> dict[str, str]:
    """One line of the history."""
    words, sign = _EVENTS.get(kind, (kind, "·"))
    line = {"kind": kind, "words": words, "sign": sign, "key": key, "at": at, "digest": digest}
    return {**line, "detail": detail, "state": state}


def rule_words(rule: Any) -> str:
    """`limit_words` of a requirement as a value."""
    return limit_words(msgspec.to_builtins(rule))
