"""The rules of SocialPredict as dimensions, because they changed between commits and not only between releases.

A ruleset is a record, not a version: a build in between is a file with these keys. `Eras` says which was in force when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from typing import Any, Literal

import msgspec

from release_dossier.errors import Refused


class Ruleset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Facts: docs/ledger-checks.md. `create_cost_stored` None: as the schema has it."""

    settlement_weight: int = 1  # weight of the 0.5 prior in settlement
    valuation: Literal["volume", "shares"] = "shares"  # what values of an unresolved market are scaled to
    sell: Literal["one_to_one", "owned", "projection", "lots_projection", "lots_consume"] = "lots_consume"  # what may be sold
    sale_credit: Literal["gross", "net"] = "net"  # whether dust is taken off the credit of a sale
    work_profit: Literal["none", "threshold", "full"] = "full"  # what a steward gets of the participation fees
    group_na_work_profit: bool = False
    initial_bet_fee: int = 1
    buy_fee: int = 0
    create_market_cost: int = 10
    create_cost_stored: bool | None = None
    max_dust: int = 1
    dust_over_cap: Literal["refused", "capped"] = "capped"
    max_debt: int = 500
    add_answer_cost: int = 2
    display_weight: int = 10  # weight of the 0.5 prior in the probability that is shown; 0: shown by another prior. Never moves money


_V200 = Ruleset(
    settlement_weight=10, valuation="volume", sell="owned", sale_credit="gross", work_profit="none",
    create_cost_stored=False, max_dust=2, dust_over_cap="refused",
)  # fmt: skip
_V300 = msgspec.structs.replace(_V200, settlement_weight=1)
_V320 = Ruleset(valuation="volume", sell="owned", work_profit="threshold", create_cost_stored=True)
_V350 = msgspec.structs.replace(_V320, work_profit="full")
_V360 = msgspec.structs.replace(_V350, sell="projection")
_V370 = msgspec.structs.replace(_V360, valuation="shares", sell="lots_projection")
_V380 = msgspec.structs.replace(_V370, sell="lots_consume")
# release → (rules, commit of its tag whose code they were read from). Releases that share rules have the same blobs of the files that
# decide money: probabilities, shares, positions, valuation, sellable, sales, resolution, setup.
NAMED: dict[str, tuple[Ruleset, str]] = {
    "v2.0.0": (_V200, "78f0e699d1d3dd35a577f959128509b3da56021f"),
    "v2.1.0": (_V200, "2a93a4138ddcc33544bb8cf49712f7870f77f6d0"),
    "v3.0.0": (_V300, "f013e3d88d3a26a68a4ce5ccb52ddaae518ca29b"),
    "v3.0.1": (_V300, "1c4af34b6144a357b10fe0543f19d4791bbeb7c7"),
    "v3.1.0": (_V300, "dd0cd00fc41c066b38c47b0d628cb8b4c4a094ef"),
    "v3.2.0": (_V320, "8d5986df5d8f8a0d41a63accfd96a4010c01d3e9"),
    "v3.3.0": (_V320, "ddf3274e7d5dbc4a4a9be5d137532728a95941cd"),
    "v3.4.0": (_V320, "37a2aadbd3c494ba0887a73326e0f5ca095ce26b"),
    "v3.5.0": (_V350, "f4963d71254c76e176fbbf70305f988b14eba999"),
    "v3.5.1": (_V350, "7dd870deaeab5973c3baaedd01751445d0925e75"),
    "v3.5.2": (_V350, "52b000408f91e38119f982b614a6e5623f7c8d58"),
    "v3.6.0": (_V360, "b31b8188e413d8d0ab8c07167f67ef7f1d07876c"),
    "v3.7.0": (_V370, "bce970a4af4f10012e771c26d87a203f9d183f88"),
    "v3.7.1": (_V370, "a1f6af4004abceb4643e6752788cc7382e38f1d6"),
    "v3.8.0": (_V380, "9ef6530b06daf3223da214aa9c353ddc07d481d6"),
    "v3.8.1": (_V380, "3d978faac6b3391d5b6a9af4aa37a283d48699a7"),
}


class Era(msgspec.Struct, frozen=True):
    """Rules in force from `start` until `end` (microseconds, None: open); where nobody says which, `others` may have been instead."""

    start: int | None
    end: int | None
    version: str
    rules: Ruleset
    others: tuple[Ruleset, ...] = ()

    @property
    def possible(self) -> tuple[Ruleset, ...]:
        """Every ruleset that may have been in force, the likeliest last."""
        return (*self.others, self.rules)


class Eras(msgspec.Struct, frozen=True):
    """Which rules were in force when, in order of time. `name` is how the result calls them."""

    name: str
    eras: tuple[Era, ...]

    def at(self, moment: int | None) -> tuple[Ruleset, ...]:
        """Every ruleset that may have been in force at a moment, the likeliest last; without a moment, the newest.

        Between two eras, and where two overlap: those of both.
        """
        return tuple(dict.fromkeys(rules for i in self.holding(moment) for rules in self.eras[i].possible))

    def holding(self, moment: int | None) -> list[int]:
        """Which eras a moment may lie in, by number: the one before it and the one after it where it lies between two."""
        if moment is None or len(self.eras) == 1:
            return [len(self.eras) - 1]
        each = list(enumerate(self.eras))
        inside = [i for i, e in each if (e.start is None or e.start <= moment) and (e.end is None or moment <= e.end)]
        if inside:
            return inside
        ended = max((e.end for e in self.eras if e.end is not None and e.end < moment), default=None)
        begun = min((e.start for e in self.eras if e.start is not None and e.start > moment), default=None)
        return [i for i, e in each if (e.end is not None and e.end == ended) or (e.start is not None and e.start == begun)]

    def under(self, changed: Mapping[str, int], name: str) -> Eras:
        """The same eras with some economics of the operator's own. A build from before v3.0 settles by the weight it shows.

        Raises:
            Refused: `ledger.ruleset`.
        """

        def changes(rules: Ruleset) -> Ruleset:
            one = rules.settlement_weight == rules.display_weight != 1 and "display_weight" in changed
            if one and not changed["display_weight"] and "settlement_weight" not in changed:
                raise Refused(
                    "ledger.ruleset",
                    at=f"{name} marketcreation",
                    found="a probability that does not begin at one half with some weight",
                    expected="initialMarketProbability 0.5, no initialMarketYes or initialMarketNo: before v3.0 it settles markets, too",
                    help="where a newer build wrote it, --ruleset says so",
                )
            weight = {"settlement_weight": changed["display_weight"]} if one else {}
            return parse_ruleset({**msgspec.to_builtins(rules), **weight, **changed}, name)

        return Eras(
            f"{self.name} with {name}",
            tuple(msgspec.structs.replace(e, rules=changes(e.rules), others=tuple(map(changes, e.others))) for e in self.eras),
        )

    def one(self, moment: int | None) -> Ruleset:
        """The likeliest rules at a moment; the later ones where it lies between eras."""
        return self.at(moment)[-1]


def release(name: str) -> str | None:
    """The release a name means: `v3.8.1`, `3.8.1`, or `v3.8` for the last of v3.8; None where it means none."""
    full = name if name.startswith("v") else f"v{name}"
    if full in NAMED:
        return full
    return next((r for r in reversed(NAMED) if r.rpartition(".")[0] == full), None)


def named(name: str) -> Eras:
    """The rules of a release, in force always.

    Raises:
        Refused: `ledger.unknown-ruleset`.
    """
    found = release(name)
    if found is None:
        raise Refused("ledger.unknown-ruleset", at="--ruleset", found=name, expected=", ".join(NAMED), help="dossier ledger rulesets")
    return always(name, NAMED[found][0])


def release_of(commit_or_version: str) -> str | None:
    """The release a version or (a prefix of at least 7 digits of) its commit names."""
    if len(commit_or_version) >= 7:
        for name, (_, commit) in NAMED.items():
            if commit.startswith(commit_or_version.lower()):
                return name
    return release(commit_or_version) if commit_or_version else None


def possible(families: Sequence[tuple[str, int | None, Sequence[str]]]) -> Eras:
    """Rules nobody named: since the schema of a family of releases came, any build of it may have been in force, its newest likeliest.

    A build between two releases has some of what changed between them, so every mixture of the two counts.

    Args:
        families: (name, moment its schema was there, releases oldest first) in order of time.
    """
    eras = []
    order = list(NAMED)
    for i, (name, since, releases) in enumerate(families):
        first = max(0, order.index(releases[0]) - 1)
        rules = tuple(dict.fromkeys(NAMED[r][0] for r in order[first : order.index(releases[-1]) + 1]))
        mixed = [m for a, b in pairwise(rules) for m in _between(a, b)]
        distinct = (*dict.fromkeys(m for m in mixed if m not in rules), *rules)
        until = families[i + 1][1] if i + 1 < len(families) else None
        eras.append(Era(since if i else None, until, name, distinct[-1], distinct[:-1]))
    return Eras("any build of " + ", then ".join(e.version for e in eras), tuple(eras))


def _between(a: Ruleset, b: Ruleset) -> list[Ruleset]:
    """Every mixture of two rulesets. Work profit was paid in full for some commits before its threshold came, so it may be any."""
    changed = [f for f in Ruleset.__struct_fields__ if getattr(a, f) != getattr(b, f)]
    values = [("none", "threshold", "full") if f == "work_profit" else (getattr(a, f), getattr(b, f)) for f in changed]
    return [msgspec.structs.replace(b, **dict(zip(changed, choice, strict=True))) for choice in product(*values)]


def always(name: str, rules: Ruleset) -> Eras:
    """One ruleset for all time."""
    return Eras(name, (Era(None, None, name, rules),))


def parse_ruleset(value: Any, at: str) -> Ruleset:
    """A ruleset file.

    Raises:
        Refused: `ledger.ruleset`, naming the key.
    """
    try:
        rules = msgspec.convert(value, Ruleset)
    except msgspec.ValidationError as e:
        raise Refused("ledger.ruleset", at=at, found=str(e), expected=", ".join(Ruleset.__struct_fields__)) from e
    negative = next((f for f in Ruleset.__struct_fields__ if isinstance(v := getattr(rules, f), int) and v < 0 and f != "max_dust"), None)
    large = next((f for f in Ruleset.__struct_fields__ if isinstance(v := getattr(rules, f), int) and abs(v) > WIDEST.get(f, 2**50)), None)
    if large:
        raise Refused(
            "ledger.ruleset", at=f"{at} {large}", found="a number above its range", expected=f"at most {WIDEST.get(large, 2**50)}"
        )
    if negative or rules.settlement_weight < 1:
        raise Refused(
            "ledger.ruleset",
            at=f"{at} {negative or 'settlement_weight'}",
            found="a number below its range",
            expected="0 or more, a settlement weight of 1 or more",
        )
    return rules


WIDEST = {"max_debt": 2**63 - 1, "max_dust": 2**63 - 1}  # what some set so that there is no limit; other numbers are counted in credits

# SocialPredict's setup file → ruleset keys
_SETUP = {
    ("marketincentives", "createMarketCost"): "create_market_cost",
    ("marketincentives", "multipleChoiceBinary", "addAnswerCost"): "add_answer_cost",
    ("marketcreation", "initialMarketSubsidization"): "display_weight",
    ("user", "maximumDebtAllowed"): "max_debt",
    ("betting", "maxDustPerSale"): "max_dust",
    ("betting", "betFees", "initialBetFee"): "initial_bet_fee",
    ("betting", "betFees", "buySharesFee"): "buy_fee",
}
# What else the shown probability begins with, and what it is where it is nothing.
_PRIOR = {"initialMarketProbability": 0.5, "initialMarketYes": 0, "initialMarketNo": 0}


def economics(value: Any, at: str) -> dict[str, int]:
    """Ruleset keys of SocialPredict's own setup file (or its answer at /v0/setup), or keys as they are. A probability that is shown by
    another prior than one half has no weight here.

    Raises:
        Refused: `ledger.ruleset`, naming the key.
    """
    if not isinstance(value, Mapping):
        raise Refused("ledger.ruleset", at=at, found="no object", expected="SocialPredict's setup file or ruleset keys")
    tree = {str(k).lower(): v for k, v in value.items()}
    if "economics" in tree:
        tree = {str(k).lower(): v for k, v in tree["economics"].items()} if isinstance(tree["economics"], Mapping) else {}
    elif not {path[0] for path in _SETUP} & set(tree):
        return dict(value)
    out = {}
    for path, key in _SETUP.items():
        node = _at(tree, path)
        if node is not None:
            if not isinstance(node, int) or isinstance(node, bool):
                raise Refused("ledger.ruleset", at=f"{at} {'.'.join(path)}", found=repr(node), expected="a whole number")
            out[key] = node
    if not out:
        raise Refused("ledger.ruleset", at=at, found="no economics", expected=", ".join(".".join(p) for p in _SETUP))
    if any(_at(tree, ("marketcreation", key)) not in (None, usual) for key, usual in _PRIOR.items()):
        out["display_weight"] = 0
    return out


def _at(tree: Any, path: Sequence[str]) -> Any:
    """What stands there, whatever the case of its names; None where nothing does."""
    for step in path:
        tree = next((v for k, v in tree.items() if str(k).lower() == step.lower()), None) if isinstance(tree, Mapping) else None
    return tree


def parse_timeline(value: Any, at: str) -> Eras:
    """A timeline file: a list of `{"from","until","version","rules"}`; further fields are ignored.

    Raises:
        Refused: `ledger.timeline`, `ledger.ruleset`.
    """
    if not isinstance(value, list) or not value or not all(isinstance(e, Mapping) for e in value):
        found = ("an era that is no object" if value else "no era") if isinstance(value, list) else "no list"
        raise Refused("ledger.timeline", at=at, found=found, expected='a list of {"from","until","version","rules"}')
    eras = []
    for i, e in enumerate(value):
        where = f"{at} [{i}]"
        if "rules" not in e:
            raise Refused("ledger.timeline", at=where, found="no rules", expected='{"from","until","version","rules"}')
        rules = parse_ruleset(e["rules"], f"{where} rules")
        start, end = _moment(e.get("from"), where), _moment(e.get("until"), where)
        if start is not None and end is not None and end < start:
            raise Refused("ledger.timeline", at=where, found=f"until {e['until']} before from {e['from']}", expected="from before until")
        eras.append(Era(start, end, str(e.get("version", "")), rules))
    eras.sort(key=lambda e: e.start if e.start is not None else -(2**62))
    return Eras("timeline " + " → ".join(e.version for e in eras), tuple(eras))


def _moment(text: Any, at: str) -> int | None:
    if text is None:
        return None
    moment = microseconds(text) if isinstance(text, str) else None
    if moment is None:
        raise Refused("ledger.timeline", at=at, found=repr(text), expected="RFC 3339 times")
    return moment


def microseconds(text: str) -> int | None:
    """Microseconds since 1970 UTC of ISO 8601 text, finer digits cut as PostgreSQL cuts them; None where it is no such text.

    Text without an offset is UTC, as the dumps write it.
    """
    body, dot, rest = text.strip().upper().replace(" ", "T", 1).partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        body += "." + rest[:digits][:6].ljust(6, "0") + rest[digits:]
    if len(body) >= 3 and body[-3] in "+-" and body[-2:].isdigit():
        body += ":00"
    try:
        t = datetime.fromisoformat(body)
    except ValueError:
        return None
    days = t.toordinal() - _EPOCH
    offset = t.utcoffset()
    seconds = days * 86400 + t.hour * 3600 + t.minute * 60 + t.second - (int(offset.total_seconds()) if offset else 0)
    return seconds * 1_000_000 + t.microsecond


_EPOCH = datetime(1970, 1, 1).toordinal()


def stamp(moment: int) -> str:
    """A moment as ISO 8601 text with microseconds."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)).isoformat(sep=" ", timespec="microseconds")[:26] + "Z"
