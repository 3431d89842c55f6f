"""The rules of SocialPredict as dimensions, because they changed between commits and not only between releases.

A ruleset is a record, not a version: a build in between is a file with these keys. `Eras` says which was in force when.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
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


_V210 = Ruleset(
    settlement_weight=10, valuation="volume", sell="owned", sale_credit="gross", work_profit="none",
    create_cost_stored=False, max_dust=2, dust_over_cap="refused",
)  # fmt: skip
_V301 = msgspec.structs.replace(_V210, settlement_weight=1)
_V320 = Ruleset(valuation="volume", sell="owned", work_profit="threshold", create_cost_stored=True)
_V352 = msgspec.structs.replace(_V320, work_profit="full")
_V360 = msgspec.structs.replace(_V352, sell="projection")
_V371 = msgspec.structs.replace(_V360, valuation="shares", sell="lots_projection")
_V380 = msgspec.structs.replace(_V371, sell="lots_consume")
# name → (rules, commit whose code they were read from)
NAMED: dict[str, tuple[Ruleset, str]] = {
    "v2.1.0": (_V210, "2a93a413"),
    "v3.0.1": (_V301, "1c4af34b"),
    "v3.2.0": (_V320, "8d5986df"),
    "v3.5.2": (_V352, "52b00040"),
    "v3.6.0": (_V360, "b31b8188"),
    "v3.7.1": (_V371, "a1f6af40"),
    "v3.8.0": (_V380, "9ef6530b"),
    "v3.8.1": (_V380, "3d978faa"),
    "v3.8": (_V380, "3d978faa"),
}
DEFAULT = "v3.8"


class Era(msgspec.Struct, frozen=True):
    """Rules in force from `start` until `end` (microseconds, None: open)."""

    start: int | None
    end: int | None
    version: str
    rules: Ruleset


class Eras(msgspec.Struct, frozen=True):
    """Which rules were in force when, in order of time. `name` is how the result calls them."""

    name: str
    eras: tuple[Era, ...]

    def at(self, moment: int | None) -> tuple[Ruleset, ...]:
        """The rules at a moment; two where it lies between eras and they differ; the newest where there is no moment."""
        if moment is None:
            return (self.eras[-1].rules,)
        before = self.eras[0]
        for era in self.eras:
            if era.start is not None and moment < era.start:
                return (before.rules,) if before.rules == era.rules or era is before else (before.rules, era.rules)
            if era.end is None or moment <= era.end:
                return (era.rules,)
            before = era
        return (before.rules,)

    def one(self, moment: int | None) -> Ruleset:
        """The rules at a moment; the later ones where it lies between eras."""
        return self.at(moment)[-1]


def named(name: str) -> Eras:
    """A named ruleset, in force always.

    Raises:
        Refused: `ledger.unknown-ruleset`.
    """
    if name not in NAMED:
        raise Refused("ledger.unknown-ruleset", at="--ruleset", found=name, expected=", ".join(NAMED), help="dossier ledger rulesets")
    return always(name, NAMED[name][0])


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
    if negative or rules.settlement_weight < 1:
        raise Refused(
            "ledger.ruleset",
            at=f"{at} {negative or 'settlement_weight'}",
            found="a number below its range",
            expected="0 or more, a weight of 1 or more",
        )
    return rules


def parse_timeline(value: Any, at: str) -> Eras:
    """A timeline file: a list of `{"from","until","version","rules"}`; further fields are ignored.

    Raises:
        Refused: `ledger.timeline`, `ledger.ruleset`.
    """
    if not isinstance(value, list) or not value or not all(isinstance(e, Mapping) for e in value):
        raise Refused("ledger.timeline", at=at, found=type(value).__name__, expected="a list of eras")
    eras = []
    for i, e in enumerate(value):
        where = f"{at} [{i}]"
        if "rules" not in e:
            raise Refused("ledger.timeline", at=where, found="no rules", expected='{"from","until","version","rules"}')
        rules = parse_ruleset(e["rules"], f"{where} rules")
        eras.append(Era(_moment(e.get("from"), where), _moment(e.get("until"), where), str(e.get("version", "")), rules))
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
    body, dot, rest = text.strip().replace(" ", "T", 1).partition(".")
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
