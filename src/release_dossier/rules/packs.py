"""Packs: requirements by criticality, narrowed by the project, frozen into the change.

A pack is TOML: `include`, `[[requirement]]`, `[[approval]]`. A later layer with the same id changes only the keys it names. What a
project changes stands in `[[rules.requirement]]` of dossier.toml, and each line says which layers it came from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import msgspec

from release_dossier.digest import digest_of
from release_dossier.errors import Refused
from release_dossier.rules.cel import lint
from release_dossier.rules.requirement import ApprovalRule, Frozen, Requirement

PACKS = ("internal", "user-facing", "money")
_KEYS = frozenset(Requirement.__struct_fields__)


def freeze(config: Mapping[str, Any], services: Sequence[tuple[str, str, Sequence[str]]]) -> dict[str, Any]:
    """The rules for these services (name, criticality, owners), as plain data for the change.

    Raises:
        Refused: `rules.*`: unknown key or requirement, a condition over facts it does not require, an empty set.
    """
    own = _own(config)
    requirements: list[Requirement] = []
    approvals: dict[str, ApprovalRule] = {}
    for service, criticality, owners in services:
        layers, asked = _pack(criticality)
        for override in own:
            if override.get("service") in (None, service):
                layers.append(({k: v for k, v in override.items() if k != "service"}, "dossier.toml"))
        requirements += _merge(layers, service, ", ".join(owners) or "nobody")
        for rule in asked:
            approvals[rule.role] = stricter(approvals.get(rule.role, rule), rule)
    if not requirements:
        raise Refused("rules.empty", at="rules", found="no service", expected="at least one: an empty gate would allow everything")
    body = {
        "requirements": msgspec.to_builtins(requirements),
        "approvals": msgspec.to_builtins(sorted(approvals.values(), key=lambda a: a.role)),
    }
    return {**body, "digest": digest_of(body)}


def stricter(a: ApprovalRule, b: ApprovalRule) -> ApprovalRule:
    """What satisfies both, for one role."""
    return ApprovalRule(a.role, max(a.count, b.count), a.not_author or b.not_author)


def thaw(frozen: Mapping[str, Any]) -> Frozen:
    """What `freeze` made, as values again.

    Raises:
        Refused: `rules.shape`.
    """
    try:
        return msgspec.convert(frozen, Frozen)
    except msgspec.ValidationError as e:
        raise Refused("rules.shape", at="rules", found=str(e), expected="frozen rules") from e


def _own(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    unknown = set(config) - {"requirement"}
    if unknown:
        raise Refused("rules.key", at="dossier.toml rules", found=", ".join(sorted(map(str, unknown))), expected="requirement")
    own = config.get("requirement", [])
    if not isinstance(own, list) or not all(isinstance(r, dict) and isinstance(r.get("id"), str) for r in own):
        raise Refused(
            "rules.key", at="dossier.toml rules.requirement", found="a table without id", expected="[[rules.requirement]] with id"
        )
    for r in own:
        if not isinstance(r.get("service", ""), str):
            raise Refused("rules.key", at=f"dossier.toml requirement {r['id']} service", found=repr(r["service"]), expected="one name")
    return own


def _pack(name: str) -> tuple[list[tuple[dict[str, Any], str]], list[ApprovalRule]]:
    """Layers of a pack, included ones first, and the approvals it asks for (its own, else those it includes)."""
    if name not in PACKS:
        raise Refused("rules.pack", at="criticality", found=name, expected=", ".join(PACKS))
    table = tomllib.loads((resources.files("release_dossier.rules") / "criticality" / f"{name}.toml").read_text(encoding="utf-8"))
    layers: list[tuple[dict[str, Any], str]] = []
    approvals: list[ApprovalRule] = []
    for other in table.get("include", []):
        below, asked = _pack(other)
        layers += below
        approvals += asked
    layers += [(r, f"pack {name}") for r in table["requirement"]]
    own = [msgspec.convert(a, ApprovalRule) for a in table.get("approval", [])]
    return layers, own or approvals


def _merge(layers: Sequence[tuple[dict[str, Any], str]], service: str, owner: str) -> list[Requirement]:
    merged: dict[str, dict[str, Any]] = {}
    for layer, source in layers:
        where = f"{source} requirement {layer['id']}"
        unknown = set(layer) - _KEYS - {"service"}
        if unknown:
            raise Refused(
                "rules.key", at=where, found=", ".join(sorted(unknown)), expected=", ".join(sorted(_KEYS - {"origin", "service"}))
            )
        if not merged.get(layer["id"], layer).get("waivable", True) and layer.get("waivable", False):
            raise Refused("rules.loosened", at=where, found="waivable = true", expected="false: the pack lets nobody sign this away")
        before = merged.setdefault(layer["id"], {"owner": owner, "evidence": layer["id"], "origin": []})
        before |= {k: v for k, v in layer.items() if k != "origin"}
        before["origin"] = [*before["origin"], source]
    out = []
    for table in merged.values():
        where = f"requirement {table['id']} of {service}"
        try:
            requirement = msgspec.convert({**table, "service": service}, Requirement)
        except msgspec.ValidationError as e:
            raise Refused("rules.shape", at=where, found=str(e), expected="id, title, kind, remedy and why, each of its type") from e
        lint(requirement.condition, tuple(n.fact for n in requirement.needs), where)
        out.append(requirement)
    return out


def page() -> str:
    """docs/rules.md: every requirement of every pack."""
    lines = ["# What each pack demands", "", "Made from the packs by `make docs`. A service gets the pack of its criticality.", ""]
    for name in PACKS:
        frozen = thaw(freeze({}, [("service", name, ("@owner",))]))
        lines += [f"## {name}", "", "| requirement | asks for | how much | retries | waivable | why |", "|---|---|---|---|---|---|"]
        for r in frozen.requirements:
            share = f"{r.minimum_percent} %" if r.minimum_percent else f"at least {r.minimum_count}"
            asks = f"{r.title} (`{r.kind}`)" + (f": `{r.condition}`" if r.condition else "")
            lines.append(f"| {r.id} | {asks} | {share} | {r.retries} | {'yes' if r.waivable else 'never'} | {r.why} |")
        roles = ", ".join(f"{a.count} × {a.role}{', not the author' if a.not_author else ''}" for a in frozen.approvals)
        lines += ["", f"Approvals: {roles}.", ""]
    return "\n".join([*lines, _REST])


_REST = """## A project's own

`[[rules.requirement]]` in dossier.toml, with the same `id`, changes the keys it names, for one `service` or for all. In force only as
committed on the protected branch before the change left it; what the branch itself changes is shown and not in force.

```toml
[[rules.requirement]]
id = "latency"
service = "trading"
condition = "facts.latency_p95 <= 300.0"
needs = [{ fact = "latency_p95", type = "float", unit = "ms" }]
```

A condition is [CEL](https://cel.dev) over `facts`, `looked_at`, `of` and `verdict`. Every fact it names stands in `needs`: a fact that is
absent makes the requirement `missing`, one of another type or unit `error`, before the condition is asked. `||`, `!`, `?:`, `has` and
the list macros are refused: they are how absence hides. So are line breaks, comments, backslashes and tripled quotes. Money facts (unit
`credits`) are integers; beyond 64 bits they are `error`.

An attempt over its condition is a failed attempt: it counts against `retries`, and collecting until one is under it does not help.
A requirement the pack lets nobody waive stays so.

States, the first that applies: `error`, `fail`, `missing`, `stale`, `inconclusive`, `pass`; a valid waiver turns any but `error` into
`waived`, which lets through and never looks green.
"""
