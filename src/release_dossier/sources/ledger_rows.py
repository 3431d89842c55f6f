"""Rows as a database holds them → a `Ledger`: which tables and columns are read, what may be absent, and what no value may be.

Every source (SQLite, Parquet, PostgreSQL) hands over the same rows, so the same ledger gives the same `Ledger` and the same digest,
whichever way it lies. Table and column names are the constants below: nothing from outside becomes part of an SQL text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.ledger import columns as c
from release_dossier.ledger.identity import of_ledger
from release_dossier.ledger.rulesets import microseconds
from release_dossier.ledger.schema import NARROWS, SINCE, told

# table → columns read; those after the bar may be absent in older schemas.
TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "users": (("id", "username", "user_type", "initial_account_balance", "account_balance"), ("deleted_at",)),
    "bets": (("id", "username", "market_id", "amount", "placed_at", "outcome"), ("deleted_at",)),
    "markets": (
        ("id", "created_at", "resolution_date_time", "final_resolution_date_time", "is_resolved", "resolution_result", "creator_username"),
        ("deleted_at", "lifecycle_status", "proposal_cost", "steward_username", "rejected_at"),
    ),
    "market_groups": (
        ("id", "created_at", "lifecycle_status", "proposal_cost", "creator_username", "steward_username", "rejected_at"),
        ("deleted_at",),
    ),
    "market_group_members": (("group_id", "market_id"), ("deleted_at", "created_at")),
    "market_group_answer_additions": (
        ("id", "group_id", "market_id", "status", "proposed_by", "addition_cost"),
        ("deleted_at", "reviewed_at"),
    ),
    "market_stewardship_audits": (("market_id", "from_steward_username", "created_at"), ("to_steward_username",)),
    "moderator_role_audits": (("username", "to_moderator_status", "created_at"), ()),
    "market_accounting_snapshots": (("market_id", "net_bet_volume", "bet_count", "last_processed_bet_id", "is_stale"), ("deleted_at",)),
    "schema_migrations": (("id",), ("applied_at",)),
}
NEEDED = ("users", "bets", "markets")
ADDED_MICROSECONDS = 1_000_000  # after its group: an answer it did not begin with
WHOLE = frozenset(
    [
        "id",
        "market_id",
        "group_id",
        "amount",
        "initial_account_balance",
        "account_balance",
        "proposal_cost",
        "addition_cost",
        "net_bet_volume",
        "bet_count",
        "last_processed_bet_id",
    ]
)
MAY_BE_NULL = frozenset(["bets.market_id"])
MUST_NOT_BE_NULL = ("users.", "bets.amount", "bets.id", "markets.id")
YEAR_2 = -62_104_060_800_000_000  # Go's zero time is in the year 1: a moment before the year 2 is no moment
YEAR_10000 = 253_402_300_800_000_000
INT96: Any = {"coerce_int96_timestamp_unit": "us"}  # Spark's times in Parquet: in nanoseconds the year 1 would be another
Table = list[dict[str, Any]] | None


class Micros(int):
    """A moment already in microseconds since 1970 UTC; a plain integer in a column of times is refused."""


Reader = Callable[[str, tuple[str, ...], tuple[str, ...]], Table]


def wanted(at: str, table: str, must: tuple[str, ...], may: tuple[str, ...], have: Iterable[str]) -> list[str]:
    """The columns to read of a table that has `have`.

    Raises:
        Refused: `ledger.missing-column`.
    """
    there = set(have)
    lost = [m for m in must if m not in there]
    if lost:
        raise Refused("ledger.missing-column", at=f"{at} {table}.{lost[0]}", found="no such column", expected=", ".join(must))
    return [*must, *(m for m in may if m in there)]


def assemble(read: Reader, at: str, *, left_out_when_empty: bool = False) -> c.Ledger:
    """Read every table there is and make the ledger.

    Args:
        read: rows of a table with a `rowid` each, None where there is no such table.
        left_out_when_empty: the source has no file for an empty table.
    Raises:
        Refused: `ledger.missing-table`, `ledger.missing-column`, `ledger.column-type`, `ledger.null-username`, `ledger.duplicate`.
    """
    tables: dict[str, Table] = {}
    lacks: list[str] = []
    for name, (must, may) in TABLES.items():
        rows = read(name, must, may)
        if rows is None and name in NEEDED:
            raise Refused("ledger.missing-table", at=f"{at} {name}", found="no such table", expected=", ".join(NEEDED))
        tables[name] = None if rows is None else _typed(name, rows)
        if rows:
            lacks += [f"{name}.{column}" for column in may if column not in rows[0]]
    applied = _applied(tables["schema_migrations"])
    newest = max(applied, default="")
    if left_out_when_empty:
        # An export to Parquet writes no file for an empty table: what this schema has and the folder has not is empty.
        left_out = {name for name, since in SINCE.items() if name in TABLES and tables[name] is None and since <= newest}
        tables |= {name: [] for name in left_out - _had_rows(tables)}
    lacks = [x for x in [*(n for n in TABLES if tables[n] is None), *lacks] if x in NARROWS]
    schema = told(None if tables["schema_migrations"] is None else applied, lacks)
    ledger = c.Ledger(
        users=tuple(_user(r) for r in tables["users"] or ()),
        bets=tuple(_bet(r) for r in tables["bets"] or ()),
        markets=tuple(_market(r) for r in tables["markets"] or ()),
        groups=_rows(tables["market_groups"], _group),
        members=tuple(c.Member(r["group_id"], r["market_id"]) for r in tables["market_group_members"] or () if not r.get("deleted_at")),
        additions=_rows(tables["market_group_answer_additions"], _addition),
        stewardships=_rows(tables["market_stewardship_audits"], _stewardship),
        standings=_rows(tables["moderator_role_audits"], _standing),
        snapshots=_rows(tables["market_accounting_snapshots"], _snapshot),
        schema=schema.family,
        migration=schema.newest,
        known=not schema.doubt,
        doubt=schema.doubt,
        lacks=tuple(sorted(lacks)),
        applied=tuple(sorted(applied.items())),
        digest="",
    )
    _distinct(ledger, at)
    return _ordered(ledger)


def _had_rows(tables: dict[str, Table]) -> set[str]:
    """Tables that other tables say had rows: groups have their markets, and one that came after its group is an answer added to it."""
    groups, members, added = (tables[f"market_group{x}"] or () for x in ("s", "_members", "_answer_additions"))
    made = {g["id"]: g["created_at"] for g in groups}
    late = [m for m in members if (m.get("created_at") or 0) > (made.get(m["group_id"]) or YEAR_10000) + ADDED_MICROSECONDS]
    said = (("market_groups", members or added), ("market_group_members", groups), ("market_group_answer_additions", late))
    return {name for name, rows in said if rows}


def migrations(rows: Table) -> dict[str, int | None]:
    """Which migrations were applied, and when, by the rows of `schema_migrations` as they lie."""
    return _applied(None if rows is None else _typed("schema_migrations", rows))


def _applied(rows: Table) -> dict[str, int | None]:
    return {str(r["id"]): r.get("applied_at") for r in rows or ()}


def _distinct(ledger: c.Ledger, at: str) -> None:
    """A table loaded twice would count every credit twice."""
    for table, key, values in (
        ("users", "username", [u.username for u in ledger.users]),
        ("users", "id", [u.id for u in ledger.users]),
        ("bets", "id", [b.id for b in ledger.bets]),
        ("markets", "id", [m.id for m in ledger.markets]),
    ):
        if len(set(values)) != len(values):
            twice = next(v for v, n in Counter(values).items() if n > 1)
            raise Refused("ledger.duplicate", at=f"{at} {table}.{key}", found=f"{twice!r} twice", expected="each once")


def _ordered(ledger: c.Ledger) -> c.Ledger:
    """Rows in order of their ids, so that how they lay changes nothing; then the digest over them."""

    def by_id(rows: Any) -> Any:
        return None if rows is None else tuple(sorted(rows, key=lambda r: (getattr(r, "id", 0), msgspec.json.encode(r))))

    names = ("users", "bets", "markets", "groups", "members", "additions", "stewardships", "standings", "snapshots")
    ordered = msgspec.structs.replace(ledger, **{n: by_id(getattr(ledger, n)) for n in names})
    return msgspec.structs.replace(ordered, digest=of_ledger(ordered))


def _rows(rows: Table, make: Callable[[dict[str, Any]], Any]) -> tuple[Any, ...] | None:
    return None if rows is None else tuple(make(r) for r in rows)


def _typed(table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whole numbers that are whole numbers, times as microseconds, text as text; anything else is refused with its place.

    Columns in which every value is so already are taken as they lie: a glance at their types, not a look at each.
    """
    look = [name for name in rows[0] if name != "rowid" and not _right(table, name, [row[name] for row in rows])] if rows else []
    return [{**row, **{name: _value(table, name, row) for name in look}} for row in rows] if look else rows


def _kind(table: str, name: str) -> str:
    """What a column holds."""
    if name in WHOLE and table != "schema_migrations":
        return "whole number"
    if name.endswith(("_at", "_time")):
        return "time"
    return "yes or no" if name in ("is_resolved", "is_stale") else "text"


def _right(table: str, name: str, values: list[Any]) -> bool:
    kinds = set(map(type, values))
    match _kind(table, name):
        case "whole number":
            return kinds == {int}
        case "time":
            return kinds == {type(None)}
        case "yes or no":
            return kinds == {bool}
    return kinds <= {int, type(None)} or (kinds == {str} and all(map(str.isascii, values)))


def _value(table: str, name: str, row: dict[str, Any]) -> Any:
    value, at = row[name], f"{table}.{name} rowid {row['rowid']}"
    match _kind(table, name):
        case "whole number":
            return _whole(value, at, f"{table}.{name}")
        case "time":
            return _time(value, at)
        case "yes or no":
            return bool(_whole(int(value) if isinstance(value, bool) else value, at, f"{table}.{name}"))
    if value is None or isinstance(value, int) or (isinstance(value, str) and _is_text(value)):
        return value
    found = "bytes that are no UTF-8" if isinstance(value, str) else f"{type(value).__name__} {value!r}"
    raise Refused("ledger.column-type", at=at, found=found, expected="text")


def _is_text(value: str) -> bool:
    """Bytes that were no UTF-8 come as lone surrogates."""
    return value.isascii() or not any("\ud800" <= x <= "\udfff" for x in value)


def _whole(value: Any, at: str, column: str) -> int | None:
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if value is None and column in MAY_BE_NULL:
        return None
    if value is None and not column.startswith(MUST_NOT_BE_NULL):
        return 0
    kind = "text" if isinstance(value, str) else "NULL" if value is None else type(value).__name__
    found = kind if value is None else f"{kind} {value!r}"
    raise Refused("ledger.column-type", at=at, found=found, expected="integer")


def _time(value: Any, at: str) -> int | None:
    """Microseconds since 1970 UTC, from microseconds, text or a datetime; text without an offset is UTC. The year 1 is no time."""
    if value is None or value == "":
        return None
    if type(value) is Micros and YEAR_2 <= value < YEAR_10000:
        return int(value)
    if hasattr(value, "isoformat"):
        value = value.isoformat()
    if isinstance(value, str) and value.startswith(("0000-", "0001-")):
        return None
    moment = microseconds(value) if isinstance(value, str) else int(value) if isinstance(value, Micros) else None
    if moment is None or moment >= YEAR_10000:
        raise Refused("ledger.column-type", at=at, found=repr(value), expected="a time")
    return None if moment < YEAR_2 else moment


def _word(value: Any) -> str:
    return "" if value is None else str(value)


def _user(r: dict[str, Any]) -> c.User:
    if r["username"] is None:
        raise Refused("ledger.null-username", at=f"users.username rowid {r['rowid']}", found="NULL", expected="a username")
    return c.User(
        r["id"], _word(r["username"]), _word(r["user_type"]), r["initial_account_balance"], r["account_balance"], bool(r.get("deleted_at"))
    )


def _bet(r: dict[str, Any]) -> c.Bet:
    user = None if r["username"] is None else _word(r["username"])
    return c.Bet(r["id"], user, r["market_id"], r["amount"], _word(r["outcome"]), r["placed_at"], bool(r.get("deleted_at")))


def _market(r: dict[str, Any]) -> c.Market:
    return c.Market(
        id=r["id"],
        created_at=r["created_at"],
        closes_at=r["resolution_date_time"],
        resolved=r["is_resolved"],
        resolved_at=r["final_resolution_date_time"],
        result=_word(r["resolution_result"]),
        lifecycle=_word(r["lifecycle_status"]) if "lifecycle_status" in r else None,
        cost=r.get("proposal_cost"),
        creator=_word(r["creator_username"]),
        steward=_word(r.get("steward_username")),
        rejected_at=r.get("rejected_at"),
        deleted=bool(r.get("deleted_at")),
    )


def _group(r: dict[str, Any]) -> c.Group:
    return c.Group(
        id=r["id"],
        created_at=r["created_at"],
        lifecycle=_word(r["lifecycle_status"]),
        cost=r["proposal_cost"],
        creator=_word(r["creator_username"]),
        steward=_word(r["steward_username"]),
        rejected_at=r["rejected_at"],
        deleted=bool(r.get("deleted_at")),
    )


def _addition(r: dict[str, Any]) -> c.Addition:
    return c.Addition(
        r["id"], r["group_id"], r["market_id"], _word(r["status"]), _word(r["proposed_by"]), r["addition_cost"], r.get("reviewed_at")
    )


def _stewardship(r: dict[str, Any]) -> c.Stewardship:
    return c.Stewardship(r["market_id"], _word(r["from_steward_username"]), r["created_at"] or 0, _word(r.get("to_steward_username")))


def _standing(r: dict[str, Any]) -> c.Standing:
    return c.Standing(_word(r["username"]), _word(r["to_moderator_status"]), r["created_at"] or 0)


def _snapshot(r: dict[str, Any]) -> c.Snapshot:
    return c.Snapshot(r["market_id"], r["net_bet_volume"], r["bet_count"], r["last_processed_bet_id"], r["is_stale"])
