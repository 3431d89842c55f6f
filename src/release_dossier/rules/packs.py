"""Packs: requirements by criticality, narrowed by the project, frozen into the change.

1. A pack is TOML: `include` and `narrow` name the packs below it, `unwaivable` kinds nobody may sign away, then `[[requirement]]` and
   `[[approval]]`. It is one of ours (`money`), of one kind of evidence (`kind/sbom`), of a profile (`socialpredict/trading`), or a file
   of the repository (`./rules/pay.toml`).
2. A later layer with the same id changes only the keys it names. What is narrowed may only be made stricter, whatever lies below or
   beside it; what is included, anything.
3. Nobody loosens what may not be waived: neither `waivable`, nor a warning in place of a block, nor another kind.
4. What a project changes stands in `[[rules.requirement]]` of dossier.toml, over every pack.
5. `effective` says of every key of every requirement which layer it comes from.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from release_dossier.digest import digest_of
from release_dossier.errors import Refused, meant, shown
from release_dossier.project import parse_toml
from release_dossier.rules.cel import lint
from release_dossier.rules.compare import LOOSER, OTHER, changed
from release_dossier.rules.moment import moment
from release_dossier.rules.requirement import EDITION, ApprovalRule, Frozen, Need, Requirement

PACKS = ("internal", "user-facing", "money")
KIND = "kind"  # `kind/sbom`: what is asked of one kind of evidence, for packs that include it
DEPTH_MAX = 8  # packs below packs; ours go three deep
OWN = "dossier.toml"
OWNER = "owner"  # the role of those who answer for a service
_HERE = Path(__file__).resolve().parent.parent
_KEYS = frozenset(Requirement.__struct_fields__) - {"origin"}
_UNSAID = {f.name: "" for f in msgspec.structs.fields(Requirement) if f.required}  # what a requirement cannot do without
_WHOLE = frozenset(_UNSAID) - {"service", "owner"}
_PACK_KEYS = frozenset(("include", "narrow", "unwaivable", "witness", "unwitnessed", "requirement", "approval"))
_FORMS = {"needs": "needs = [{ fact = NAME, type = TYPE, unit = UNIT }]", "skips": "skips = [{ name = TEST, reason = WORDS }]"}
_OURS = re.compile(r"[a-z0-9-]+(?:/[a-z0-9-]+)?(?:\.tests)?\Z")

Read = Callable[[str], "bytes | None"]  # a file of the repository, at the commit the rules are read from
Asked = Sequence[tuple[str, str, Sequence[str]]]  # services: name, pack, owners


class Effective(msgspec.Struct, frozen=True):
    """A requirement as it is in force, which layer each of its keys comes from, and (key, layer) that say what was so before them."""

    requirement: Requirement
    lines: dict[str, str]
    idle: tuple[tuple[str, str], ...] = ()


class Layer(msgspec.Struct, frozen=True):
    """One table of one pack. `narrows`: what is there already may only become stricter."""

    table: dict[str, Any]
    source: str
    narrows: bool


class _Head(msgspec.Struct, frozen=True):
    """What a pack says beside its requirements and the packs below it."""

    approval: tuple[ApprovalRule, ...] = ()
    unwaivable: tuple[str, ...] = ()
    witness: bool = False
    unwitnessed: str = ""


class Pack(msgspec.Struct, frozen=True):
    """A pack with all below it: layers from the lowest up, approvals, kinds nobody may sign away, and the files it is made of.

    `witness`: None where no pack asks for a checkpoint kept elsewhere; else why it does without, empty where it does not.
    """

    layers: tuple[Layer, ...]
    approvals: tuple[ApprovalRule, ...]
    unwaivable: frozenset[str]
    files: tuple[str, ...]
    witness: str | None = None


def freeze(config: Mapping[str, Any], services: Asked, read: Read | None = None) -> dict[str, Any]:
    """The rules for these services (name, pack, owners), as plain data for the change.

    Args:
        read: gives files of the repository, for packs that lie there.

    Raises:
        Refused: `rules.*`: unknown key or requirement, a condition over facts it does not require, an empty set.
    """
    requirements = [e.requirement for e in effective(config, services, read)]
    approvals: dict[str, ApprovalRule] = {}
    witness: dict[str, str] = {}
    for service, name, _ in services:
        pack = load(name, read)
        if pack.witness is not None:
            witness[service] = pack.witness
        for rule in pack.approvals:
            mine = msgspec.structs.replace(rule, services=(service,)) if rule.role == OWNER else rule
            approvals[rule.role] = stricter(approvals.get(rule.role, mine), mine)
    if not requirements:
        found = f"no requirement of {', '.join(s for s, _, _ in services)}" if services else "no service"
        raise Refused("rules.empty", at="rules", found=found, expected="at least one: an empty gate would allow everything")
    body = {
        "requirements": msgspec.to_builtins(requirements),
        "approvals": msgspec.to_builtins(sorted(approvals.values(), key=lambda a: a.role)),
        "edition": EDITION,
    }
    body |= {"witness": witness} if witness else {}
    return {**body, "digest": digest_of(body)}


def effective(config: Mapping[str, Any], services: Asked, read: Read | None = None) -> tuple[Effective, ...]:
    """Every requirement in force for these services, with where each line of it comes from.

    Raises:
        Refused: as `freeze`.
    """
    own = own_layers(config)
    out: list[Effective] = []
    for service, name, owners in services:
        pack = load(name, read, f"service {service}" if service != name else "pack")
        mine = [layer for layer in own if layer.table.get("service") in (None, service)]
        out += _merge((*pack.layers, *mine), service, ", ".join(owners) or "nobody", pack.unwaivable)
    return tuple(out)


def stricter(a: ApprovalRule, b: ApprovalRule) -> ApprovalRule:
    """What satisfies both, for one role."""
    services = tuple(sorted({*a.services, *b.services}))
    return ApprovalRule(a.role, max(a.count, b.count), a.not_author or b.not_author, a.not_producer or b.not_producer, services)


def thaw(frozen: Mapping[str, Any]) -> Frozen:
    """What `freeze` made, as values again.

    Raises:
        Refused: `rules.shape`; `rules.edition` for rules of a later edition than this program judges.
    """
    try:
        rules = msgspec.convert(frozen, Frozen)
    except msgspec.ValidationError as e:
        raise Refused("rules.shape", at="rules", found=str(e), expected="frozen rules") from e
    if not 1 <= rules.edition <= EDITION:
        raise Refused(
            "rules.edition", at="rules edition", found=str(rules.edition), expected=f"1 to {EDITION}", help="a newer release-dossier"
        )
    return rules


def own_layers(config: Mapping[str, Any]) -> list[Layer]:
    """The project's own layers.

    Raises:
        Refused: `rules.key`.
    """
    _known(config, ("requirement",), f"{OWN} rules")
    return [Layer(t, OWN, False) for t in _tables(config.get("requirement", []), f"{OWN} rules.requirement", service=True)]


def _tables(value: Any, at: str, *, service: bool) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise Refused("rules.key", at=at, found="requirement, which is no list", expected="[[…requirement]] in double brackets, with id")
    for n, r in enumerate(value, 1):
        if not isinstance(r, dict) or not isinstance(r.get("id"), str):
            raise Refused("rules.key", at=f"{at} requirement {n}", found="a table without id", expected="[[…requirement]] with id")
        if not isinstance(r.get("service", ""), str) or ("service" in r and not service):
            raise Refused("rules.key", at=f"{at} {r['id']} service", found=repr(r["service"]), expected="one name, in dossier.toml only")
        _known(r, _KEYS - {"service"} if "service" not in r else _KEYS, f"{at} {r['id']}")
    return value


def _known(table: Mapping[str, Any], keys: Iterable[str], at: str) -> None:
    """Only these keys; the nearest to one that is none of them is named."""
    unknown = sorted(map(str, set(table) - set(keys)))
    if unknown:
        raise Refused(
            "rules.key", at=at, found=", ".join(unknown), expected=", ".join(sorted(keys)), help=meant(unknown[0], sorted(keys), 1)
        )


def load(name: str, read: Read | None = None, named_by: str = "pack") -> Pack:
    """A pack with all below it. One that several of those name lies there once, below whatever they lay over it.

    Args:
        named_by: the place that names it, for the words of a refusal.

    Raises:
        Refused: `rules.pack` when there is none of this name, or packs go round in circles; `rules.key`, `rules.shape`.
    """
    return _load(name, read, named_by, (), {})


def _load(name: str, read: Read | None, named_by: str, above: tuple[str, ...], known: dict[str, Pack]) -> Pack:
    """`above` are the packs it lies below, `known` those that were read already."""
    if name in known:
        return known[name]
    if name in above:
        circle = " → ".join((*above[above.index(name) :], name))
        raise Refused("rules.pack", at=named_by, found=shown(f"{circle}: a circle"), expected="packs that end")
    at = f"pack {name}"
    if len(above) >= DEPTH_MAX:
        raise Refused("rules.pack", at=at, found=f"more than {DEPTH_MAX} packs below each other", expected="packs that end")
    table = _parse(_text(name, read, named_by), at)
    _known(table, _PACK_KEYS, at)
    included, narrowed = (
        [_load(other, read, at, (*above, name), known) for other in _names_below(table, key, at)] for key in ("include", "narrow")
    )
    below = [*included, *narrowed]
    mine = tuple(Layer(t, at, bool(table.get("narrow"))) for t in _tables(table.get("requirement", []), at, service=False))
    try:
        head = msgspec.convert({k: v for k, v in table.items() if k in _Head.__struct_fields__}, _Head)
    except msgspec.ValidationError as e:
        expected = "[[approval]] with role, count, not_author, not_producer; unwaivable = [KIND]; witness = true; unwitnessed = WORDS"
        raise Refused("rules.shape", at=at, found=str(e), expected=expected) from e
    for a in head.approval:
        if not a.role.strip():
            raise Refused("rules.shape", at=f"{at} approval", found="an empty role", expected="a role people hold, or owner")
        if a.services:
            expected = "role, count, not_author, not_producer: owner asks the owners of every service with this pack"
            raise Refused("rules.key", at=f"{at} approval {a.role}", found="services", expected=expected)
    asked = [p.witness for p in below if p.witness is not None] + [""] * head.witness
    inherited = [a for p in below for a in p.approvals]
    layers = _each_once((*(x for p in below for x in p.layers), *mine))
    for p in narrowed:
        _only_stricter(p.layers, layers, at)
    known[name] = Pack(
        layers=layers,
        approvals=_joined(inherited, head.approval, bool(table.get("narrow"))),
        unwaivable=frozenset(head.unwaivable).union(*(p.unwaivable for p in below)),
        files=(*(f for p in below for f in p.files), *([name] if name.startswith("./") else [])),
        witness=(head.unwitnessed.strip() or min(asked)) if asked else None,
    )
    return known[name]


def _each_once(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    return tuple(layer for i, layer in enumerate(layers) if layer not in layers[:i])


def _only_stricter(narrowed: Sequence[Layer], layers: Sequence[Layer], at: str) -> None:
    """(2): every requirement of the narrowed pack asks at least as much among all layers as it does alone.

    Where it is half a requirement, only what it says is held to.
    """
    alone, among = _stacked(narrowed), _stacked(layers)
    for name, table in alone.items():
        before = table if table.keys() >= _WHOLE else {**among[name], **table}
        _held(_convert({**_UNSAID, **before}, ""), _convert({**_UNSAID, **among[name]}, ""), f"{at} requirement {name}")


def _stacked(layers: Sequence[Layer]) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        name = layer.table["id"]
        merged[name] = {**merged.get(name, {"evidence": name}), **layer.table, "origin": []}
    return merged


def _held(before: Requirement, after: Requirement, where: str) -> None:
    loose = [d for d in changed(before, after) if d.direction in (LOOSER, OTHER)]
    if loose:
        raise Refused("rules.loosened", at=where, found=loose[0].words(), expected="only what is stricter: this pack narrows")


def _joined(below: Sequence[ApprovalRule], mine: Sequence[ApprovalRule], narrows: bool) -> tuple[ApprovalRule, ...]:
    """A pack's own approvals stand in place of those it includes, and join those it narrows."""
    if mine and not narrows:
        below = ()
    roles: dict[str, ApprovalRule] = {}
    for a in (*below, *mine):
        roles[a.role] = stricter(roles.get(a.role, a), a)
    return tuple(roles.values())


def _names_below(table: Mapping[str, Any], key: str, at: str) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Refused("rules.key", at=f"{at} {key}", found=repr(value), expected="a list of names of packs")
    return value


def table_of(name: str, read: Read | None = None) -> str:
    """The table tests beside a pack, `NAME.tests.toml`; empty where there are none."""
    try:
        return _text(table_name(name), read)
    except Refused as e:
        if e.code != "rules.pack":
            raise
        return ""


def table_name(pack: str) -> str:
    """What the table tests beside a pack are called."""
    return pack.removesuffix(".toml") + ".tests" + (".toml" if pack.startswith("./") else "")


def names() -> tuple[str, ...]:
    """Every pack of ours and of the profiles."""
    profiles = _HERE / "profiles"
    found = [
        f"{p.name}/{f.name.removesuffix('.toml')}"
        for p in profiles.iterdir()
        if (p / "packs").is_dir()
        for f in (p / "packs").iterdir()
        if f.name.endswith(".toml") and not f.name.endswith(".tests.toml")
    ]
    return (*PACKS, *sorted(found), *(f"{KIND}/{k}" for k in kinds()))


def kinds() -> tuple[str, ...]:
    """Kinds of evidence with a pack of their own."""
    files = (_HERE / "rules" / "kinds").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml") and not f.name.endswith(".tests.toml")))


def _text(name: str, read: Read | None, at: str = "pack") -> str:
    if name.startswith("./"):
        raw = read(name.removeprefix("./")) if read is not None else None
        if raw is None:
            raise Refused("rules.pack", at=at, found=f"{name}, which is not in the repository", expected="a file of it")
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            raise Refused("rules.syntax", at=name, found=str(e), expected="TOML in UTF-8") from e
    if _OURS.match(name):
        profile, _, pack = name.rpartition("/")
        place = _HERE
        where = {"": "rules/criticality", KIND: "rules/kinds"}.get(profile, f"profiles/{profile}/packs")
        file = place / where / f"{pack}.toml"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    beside = [n for n in names() if name.partition("/")[1] and n.startswith(f"{name.partition('/')[0]}/")]
    expected = ", ".join(beside) or f"{', '.join(PACKS)}, {KIND}/NAME, PROFILE/NAME or ./FILE.toml"
    raise Refused("rules.pack", at=at, found=name, expected=expected, help=meant(name, names(), 1))


def _parse(text: str, at: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except tomllib.TOMLDecodeError as e:
        raise Refused("rules.syntax", at=at, found=str(e), expected="TOML") from e


def _merge(layers: Sequence[Layer], service: str, owner: str, unwaivable: frozenset[str]) -> list[Effective]:
    merged: dict[str, dict[str, Any]] = {}
    lines: dict[str, dict[str, str]] = {}
    idle: dict[str, list[tuple[str, str]]] = {}
    for layer in layers:
        name = layer.table["id"]
        where = f"{layer.source} requirement {name}"
        fresh = {"owner": owner, "evidence": name, "origin": []}
        before = merged.get(name)
        after = {**(before or fresh), **{k: v for k, v in layer.table.items() if k not in ("origin", "service")}}
        if before is not None:
            _not_loosened(before, after, layer, where, service, unwaivable)
            same = [k for k, v in layer.table.items() if k not in ("id", "service", "origin") and k in before and before[k] == v]
            idle.setdefault(name, []).extend((k, layer.source) for k in same)
        after["origin"] = [*after["origin"], layer.source]
        merged[name] = after
        lines[name] = {**lines.get(name, {"owner": "the service", "evidence": "its id"}), **dict.fromkeys(layer.table, layer.source)}
    half = next((table for table in merged.values() if not table.keys() >= _WHOLE), None)
    if half is not None:
        _convert(half, service, merged)
    return [_finished(table, lines[name], service, unwaivable, tuple(idle.get(name, ()))) for name, table in merged.items()]


def _not_loosened(
    before: Mapping[str, Any], after: Mapping[str, Any], layer: Layer, where: str, service: str, unwaivable: frozenset[str]
) -> None:
    """(2) and (3)."""
    was, kind = before.get("kind"), after.get("kind")
    if was in unwaivable and kind != was:
        raise Refused("rules.loosened", at=where, found=f"kind = {kind}", expected=f"{was}: the pack lets nobody sign this away")
    if not before.get("waivable", True):
        for key, strict in (("waivable", False), ("severity", "block"), ("blocks_from", "")):
            if after.get(key, strict) != strict:
                found = f"{key} = {str(after[key]).lower()}"
                raise Refused("rules.loosened", at=where, found=found, expected=f"{strict!r}: the pack lets nobody sign this away".lower())
    if layer.narrows:
        _held(_convert(before, service), _convert(after, service), where)


def _convert(table: Mapping[str, Any], service: str, beside: Iterable[str] = ()) -> Requirement:
    try:
        return msgspec.convert({**table, "service": service}, Requirement)
    except msgspec.ValidationError as e:
        where = f"requirement {table['id']}" + (f" of {service}" if service else "")
        where += f" in {', '.join(dict.fromkeys(table['origin']))}" if table.get("origin") else ""
        key = re.search(r"`\$\.(?:needs\[[0-9]+\]\.)?(\w+)[^`]*`\Z", str(e))
        expected = _form(key[1] if key else "") or "id, title, kind, remedy and why, each of its type"
        if not table.keys() >= _WHOLE:
            expected += "; or the id of a requirement that is there already, to change it"
        near = meant(table["id"], sorted(set(beside) - {table["id"]}), 1)
        raise Refused("rules.shape", at=where, found=str(e), expected=expected, help=near) from e


def _form(key: str) -> str:
    """What a key takes where that is one of a few words or a table; empty of any other."""
    choices = {k: get_args(t) for of in (Requirement, Need) for k, t in get_type_hints(of).items()}
    words = [repr(x) for x in choices.get(key, ()) if isinstance(x, str)]
    return f"{key} = {' or '.join(words)}" if words else _FORMS.get(key, "")


def _finished(
    table: dict[str, Any], lines: dict[str, str], service: str, unwaivable: frozenset[str], idle: tuple[tuple[str, str], ...]
) -> Effective:
    where = f"requirement {table['id']} of {service}"
    requirement = _convert(table, service)
    if not requirement.id.strip():
        raise Refused("rules.shape", at=f"{where} in {table['origin'][-1]}", found="an empty id", expected="what it is called")
    if requirement.kind in unwaivable:
        if table.get("waivable") is True or requirement.severity != "block" or requirement.blocks_from:
            expected = f"a block nobody waives: its pack says so of every {requirement.kind}"
            raise Refused("rules.loosened", at=where, found="waivable, or a warning", expected=expected)
        requirement = msgspec.structs.replace(requirement, waivable=False)
        lines = {**lines, "waivable": "its kind"}
    if requirement.blocks_from and moment(requirement.blocks_from) is None:
        raise Refused(
            "rules.shape", at=f"{where} blocks_from", found=requirement.blocks_from, expected="RFC 3339, as in 2026-12-01T00:00:00Z"
        )
    said_in = f" in {lines['condition']}" if "condition" in lines else ""
    lint(requirement.condition, tuple(n.fact for n in requirement.needs), f"{where}{said_in}")
    return Effective(requirement, {k: v for k, v in sorted(lines.items()) if k not in ("id", "service", "origin")}, idle)


def page() -> str:
    """docs/rules.md: every requirement of every pack."""
    lines = [
        "# What each pack demands",
        "",
        "Made from the packs by `make docs`. A service gets the pack of its criticality, or the one it",
    ]
    lines += ["names with `pack`. `dossier rules show` prints a project's own set, each line with the layer it comes from.", ""]
    for name in (n for n in names() if not n.startswith(f"{KIND}/")):
        frozen = thaw(freeze({}, [("service", name, ("@owner",))]))
        lines += [f"## {name}", "", "| requirement | asks for | how much | retries | waivable | why |", "|---|---|---|---|---|---|"]
        for r in frozen.requirements:
            share = f"{r.minimum_percent} %" if r.minimum_percent else f"at least {r.minimum_count}"
            asks = f"{r.title} (`{r.kind}`)" + (f": `{r.condition}`" if r.condition else "")
            label = r.id if r.severity == "block" else f"{r.id} (warns)"
            lines.append(f"| {label} | {asks} | {share} | {r.retries} | {'yes' if r.waivable else 'never'} | {r.why} |")
        roles = ", ".join(
            f"{a.count} × {a.role}" + (", not the author" if a.not_author else "") + (" or who brought evidence" if a.not_producer else "")
            for a in frozen.approvals
        )
        lines += ["", f"Approvals: {roles}.", ""]
    lines += [
        "## One kind of evidence",
        "",
        *_KINDS.splitlines(),
        "",
        "| pack | asks for | how much | unmet, it | why |",
        "|---|---|---|---|---|",
    ]
    for kind in kinds():
        for e in effective({}, [("service", f"{KIND}/{kind}", ("@owner",))]):
            r = e.requirement
            share = f"{r.minimum_percent} %" if r.minimum_percent else f"at least {r.minimum_count}"
            asks = f"{r.title}" + (f": `{r.condition}`" if r.condition else "")
            unmet = "denies" if r.severity == "block" else "warns"
            lines.append(f"| {KIND}/{kind} | {asks} | {share} | {unmet} | {r.why} |")
    return "\n".join([*lines, "", _REST])


_KINDS = """What is asked by default of kinds that no pack above names. A pack of the project includes those it wants beside a criticality,
as in `include = ["money", "kind/vulnerabilities", "kind/sbom"]` in `./rules/pay.toml`, which the service names as its `pack`."""


_REST = """## A project's own

`[[rules.requirement]]` in dossier.toml, with the same `id`, changes the keys it names, for one `service` or for all. In force only as
committed on the protected branch before the change left it; what the branch itself changes is shown and not in force.

```toml
[[rules.requirement]]
id = "latency"
service = "trading"
condition = "facts.latency_p95 <= 300.0"
needs = [{ fact = "latency_p95", type = "float", unit = "ms" }]
minimum_count = 500

[[rules.requirement]]
id = "tests"
skips = [{ name = "TestPostgres", reason = "needs a database: tests-postgres asks for it" }]
```

A condition is [CEL](https://cel.dev) over `facts`, `looked_at`, `of` and `verdict`. A fact whose name is more than letters, digits and
`_` is named in quotes: `facts['last_min.up']`. Every fact a condition names stands in `needs`: one that is absent makes the requirement
`missing`, one of another type or unit `error`, before the condition is asked. So is a condition that names `of` about evidence that does
not say how many there are. `||`, `!`, `?:`, `has` and the list macros are refused: they are how absence hides. So are line breaks,
comments, backslashes, tripled quotes and signs nobody sees. Money facts (unit `credits`) are integers; beyond 64 bits they are `error`.

Functions are `contains`, `startsWith`, `endsWith`, `double` and `int`; lists stand after `in`. Everything else is refused, because CEL
engines answer differently about it (`tools/cel_suite.py` says where). So are decimals from 2^53 on, and beside arithmetic `!=` and a
comparison of comparisons. A text that `double` or `int` reads is `error` unless it is a plain decimal number.

| key | says |
|---|---|
| `minimum_count`, `minimum_percent`, `skips` | how much must have been looked at; a skip by its name (blanks are `_`), with its reason |
| `age_max_s`, `tools` | how old it may be, and which tools at which version made it |
| `topology`, `same_topology` | the conditions it must be measured under: as named, or as the newest `topology` evidence says |
| `retries`, `infrastructure_retries` | failures, and attempts that came to nothing, that may come before a pass |
| `producers`, `producer_roles`, `isolation` | whose word it may be, by name or role, and how it ran |
| `imported`, `importers`, `builder` | whether it may be brought and by whom, and whose build wrote the data |
| `waivable`, `waivers_in_row` | whether a waiver is accepted, and how many releases in a row may go out on one |
| `severity`, `blocks_from` | `warn` shows and denies nothing; with a date it warns until then |

A pack is TOML too: `include` (what is below may be changed), `narrow` (it may only be made stricter), `unwaivable` kinds, and
`[[approval]]` with `role`, `count`, `not_author`, `not_producer`. The role `owner` asks one owner of every touched service.
`witness = true` denies what no checkpoint kept elsewhere witnesses (`money` says so); `unwitnessed = "why not"` excuses it, in the notes.
`pack = "./rules/pay.toml"` is a file of the repository.

## Trying them

    dossier rules lint                    # unknown facts, units, personal values, always true or false, nobody's, absence of blame
    dossier rules test                    # the tables beside the packs: NAME.tests.toml, and dossier.tests.toml for your own
    dossier rules simulate --ref BRANCH   # every stored dossier under a proposal: what would be judged otherwise, and why
    dossier rules explain REQUIREMENT     # one requirement on one dossier, with its values, and what would turn it green

```toml
[[case]]
name = "over its limit"
requirement = "latency"
facts = { latency_p95 = [320.0, "ms"] }
state = "fail"
```

## What a state means

An attempt over its condition is a failed attempt: it counts against `retries`, and collecting until one is under it does not help.
A requirement the pack lets nobody waive stays so.

States, the first that applies: `error`, `fail`, `missing`, `stale`, `inconclusive`, `pass`; a valid waiver turns any but `error` into
`waived`, which lets through and never looks green.

Stale has a cause, the first that applies: `fingerprint` (the code moved on), `rule` (it was collected before the rule was what it is now,
or for one that gave way to it), `tool`, `topology`, `age`. Other states name theirs too, in `cause`. Criteria freeze when a change opens.
A branch that changes them, or a change that is opened again under looser ones, needs the rule owner's own signature; what the protected
branch asks more by now is shown, and `money` requires it.
"""
