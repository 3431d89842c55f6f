"""Two releases side by side: what differs, in words and as Markdown. Pure: documents in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from release_dossier.dossier import Dossier
from release_dossier.drift import drift, newest
from release_dossier.errors import counted
from release_dossier.web.paying import Paying
from release_dossier.web.views import number

_RULE_WORDS = ("condition", "minimum_percent", "minimum_count", "age_max_s", "retries", "waivable", "producers", "imported", "isolation")


class Side(msgspec.Struct, frozen=True):
    """One of two: its name, the round's dossier and decision as stored (None where there is none), and its dossier's digest."""

    name: str
    digest: str
    dossier: dict[str, Any]
    decision: dict[str, Any] | None


def compared(a: Side, b: Side) -> dict[str, Any]:
    """What differs from a to b; what is the same is only counted. Lists are stable."""
    x, y = (msgspec.convert(s.dossier, Dossier) for s in (a, b))
    ex, ey = ({(e.service, e.name): e.verdict for e in newest(d.evidence)} for d in (x, y))
    rx, ry = (_results(s.decision) for s in (a, b))
    ux, uy = (_rules(s.dossier) for s in (a, b))
    facts = [msgspec.to_builtins(d) for d in drift(y.evidence, x.evidence, a.name)]
    facts = [{**f, "comparable": f"{a.name} does not say"} if f["before"] is None else f for f in facts]
    return {
        "scope": _sets(x.change.files, y.change.files),
        "objective": (x.change.objective, y.change.objective),
        "evidence": _pairs(ex, ey, "absent"),
        "facts": [f for f in facts if f["before"] != f["after"]],
        "services": sorted({f["service"] for f in facts}),
        "facts_same": sum(f["before"] == f["after"] for f in facts),
        "requirements": _pairs(rx, ry, "not asked"),
        "approvals": _sets(_signers(a.decision), _signers(b.decision)),
        "rules": _changed_rules(ux, uy),
        "owners": _sets(
            [f"{o.service}: {', '.join(o.owners)}" for o in x.owners], [f"{o.service}: {', '.join(o.owners)}" for o in y.owners]
        ),
        "risks": _sets([f"{r.id}: {r.text}" for r in x.risks], [f"{r.id}: {r.text}" for r in y.risks]),
    }


def _results(decision: Mapping[str, Any] | None) -> dict[tuple[str, str], str]:
    return {(r["service"], r["id"]): r["state"] for r in decision["requirements"]} if decision else {}


def _rules(dossier: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(r["service"], r["id"]): r for r in dossier["rules"].get("requirements", ())}


def _signers(decision: Mapping[str, Any] | None) -> list[str]:
    return [f"{t['role']}: {c['person']}" for t in decision["approvals"] for c in t["counted"]] if decision else []


def _pairs(x: Mapping[tuple[str, str], str], y: Mapping[tuple[str, str], str], none: str) -> dict[str, Any]:
    both = [{"service": s, "name": n, "a": x.get((s, n), none), "b": y.get((s, n), none)} for s, n in sorted(x.keys() | y.keys())]
    return {"differ": [p for p in both if p["a"] != p["b"]], "same": sum(p["a"] == p["b"] for p in both)}


def _changed_rules(x: Mapping[tuple[str, str], dict[str, Any]], y: Mapping[tuple[str, str], dict[str, Any]]) -> list[str]:
    out = [f"{n} of {s} is asked for" for s, n in sorted(y.keys() - x.keys())]
    out += [f"{n} of {s} is not asked for any more" for s, n in sorted(x.keys() - y.keys())]
    for s, n in sorted(x.keys() & y.keys()):
        one, two = x[s, n], y[s, n]
        out += [f"{n} of {s}: {k} was {one.get(k)}, is {two.get(k)}" for k in _RULE_WORDS if one.get(k) != two.get(k)]
        skips = _sets([k["name"] for k in one["skips"]], [k["name"] for k in two["skips"]])
        out += [f"{n} of {s}: {k} may be skipped" for k in skips["only_b"]]
        out += [f"{n} of {s}: {k} may not be skipped any more" for k in skips["only_a"]]
    return out


def _sets(a: Iterable[str], b: Iterable[str]) -> dict[str, Any]:
    one, two = set(a), set(b)
    return {"only_a": sorted(one - two), "only_b": sorted(two - one), "both": len(one & two)}


def markdown(a: Side, b: Side, c: Mapping[str, Any], paying: Paying | None = None) -> str:
    """The comparison for a chat or an issue. Words from outside are text: what Markdown would read as its own is escaped."""
    lines = [f"## {_plain(a.name)} → {_plain(b.name)}", "", f"`{a.digest[:19]}…` → `{b.digest[:19]}…`", ""]
    for title, key, none in (("Requirements", "requirements", "the same"), ("Evidence", "evidence", "the same verdicts")):
        lines.append(f"### {title} ({c[key]['same']} the same)")
        lines += [f"- {_plain(p['name'])} of {_plain(p['service'])}: {p['a']} → **{p['b']}**" for p in c[key]["differ"]] or [f"- {none}"]
        lines.append("")
    lines.append(f"### Facts ({c['facts_same']} the same)")
    several = len(c["services"]) > 1
    for f in c["facts"]:
        whose = f" of {_plain(f['service'])}" if several else ""
        lines.append(f"- {_plain(f['evidence'])}{whose} {_plain(f['fact'])}: {fact_words(f)}")
    lines += [] if c["facts"] else ["- the same"]
    lines.append("")
    for title, key in (("Files", "scope"), ("Approvals", "approvals"), ("Owners", "owners"), ("Risks", "risks")):
        part = c[key]
        lines.append(f"### {title} ({part['both']} in both)")
        lines += [f"- − {_plain(v)}" for v in part["only_a"]] + [f"- + {_plain(v)}" for v in part["only_b"]] or ["- the same"]
        lines.append("")
    lines += ["### Rules", *([f"- {_plain(r)}" for r in c["rules"]] or ["- the same"]), ""]
    if paying is not None:
        lines += ["### Who would be paid differently", "", _plain(paying_words(paying)), ""]
        lines += [f"- {_plain(u['user'])}: {u['a']} → {u['b']} credits ({int(u['difference']):+d})" for u in paying.users]
        lines += [""] if paying.users else []
    return "\n".join(lines)


def paying_words(p: Paying) -> str:
    """One sentence: under which rules which ledger was replayed, and for how many users it would have mattered."""
    if p.why:
        return f"Not replayed: {p.why}. By hand: {p.command}"
    one, two = p.rules
    if p.same_rules:
        return f"Nobody: both pay by the same rules ({one if one == two else f'{one}, {two}'})."
    return (
        f"The ledger of {p.of} replayed under {one} and under {two}: {p.users_differ} of {counted(p.of_users, 'user')} would have other "
        f"credits; {counted(p.markets_differ, 'market')} would pay otherwise."
    )


def fact_words(f: Mapping[str, Any]) -> str:
    """`43.4 → 37.2 ms (-14.14 %, better)`, or why there is no comparison."""
    moved = f"{_value(f['before'])} → {_value(f['after'])} {f['unit']}"
    if f["comparable"]:
        return f"{moved} (not compared: {f['comparable']})"
    return f"{moved} ({f['change_percent']:+g} %, {f['direction']})" if f["change_percent"] is not None else f"{moved} ({f['direction']})"


def _value(v: Any) -> str:
    return "not said" if v is None else number(v)


def _plain(text: Any) -> str:
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-!|~@" else c for c in str(text).replace("\n", " "))
