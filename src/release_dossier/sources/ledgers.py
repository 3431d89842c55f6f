"""Ledgers as they lie: a SQLite file, opened immutable, or a folder of Parquet; and the files beside them. Reads only.

The same rows give the same `Ledger`, whichever way they lie, and the same digest: SHA-256 over the canonical rows.
Nothing from outside becomes part of an SQL text: table and column names are the constants below.
"""

from __future__ import annotations

import json
import lzma
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.digest import parse_json, sha256
from release_dossier.errors import Refused
from release_dossier.ledger import columns as c
from release_dossier.ledger.receipts import Journal, read_journal
from release_dossier.ledger.rulesets import DEFAULT, NAMED, Eras, always, microseconds, named, parse_ruleset, parse_timeline
from release_dossier.ledger.verify import Verified, verify
from release_dossier.limits import EVIDENCE_LINE_BYTES_MAX, LEDGER_FILE_BYTES_MAX

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
    "market_group_members": (("group_id", "market_id"), ("deleted_at",)),
    "market_group_answer_additions": (("id", "group_id", "market_id", "status", "proposed_by", "addition_cost"), ("deleted_at",)),
    "market_stewardship_audits": (("market_id", "from_steward_username", "created_at"), ()),
    "moderator_role_audits": (("username", "to_moderator_status", "created_at"), ()),
    "market_accounting_snapshots": (("market_id", "net_bet_volume", "bet_count", "last_processed_bet_id", "is_stale"), ("deleted_at",)),
    "schema_migrations": (("id",), ()),
}
NEEDED = ("users", "bets", "markets")
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
# newest migration of a release → the family its schema belongs to
MIGRATIONS = {"20251020140500": "v2.1.0–v3.1.0", "20260607094000": "v3.2.0–v3.4.0", "20260618090000": "v3.5.2–v3.8.1"}
# optional table → migration it came with
SINCE = {
    "market_stewardship_audits": "20251208090000",
    "moderator_role_audits": "20251027090000",
    "market_accounting_snapshots": "20260607090000",
    "market_groups": "20260612090000",
    "market_group_members": "20260612090000",
    "market_group_answer_additions": "20260614090000",
}
_EPOCH_YEARS = ("0001-01-01", "0000-12-31")
Table = list[dict[str, Any]] | None
_Read = Callable[[str, tuple[str, ...], tuple[str, ...]], Table]


def verify_ledger(
    source: Path,
    *,
    ruleset: str | None = None,
    timeline: str | None = None,
    receipts: str | None = None,
    answers: str | None = None,
    economics: str | None = None,
    written_by: str = "",
    require: Sequence[str] = (),
    only: Sequence[str] = (),
    assume_schema: bool = False,
) -> Verified:
    """Read a ledger and judge it. The rules: a timeline, else a named or given ruleset, else those of v3.8, which is then said.

    Raises:
        Refused: `ledger.*`, `json.*`: naming table, row and column, or file and line.
    """
    eras, notes = rules_for(ruleset, timeline, written_by, economics)
    ledger = read_ledger(source)
    if assume_schema and not ledger.known:
        notes = [*notes, f"migration {ledger.migration} is unknown and was taken for {ledger.schema}"]
        ledger = msgspec.structs.replace(ledger, known=True)
    elif not ledger.known:
        notes = [*notes, f"migration {ledger.migration} is not known: nothing is certain under it (--assume-schema judges it all the same)"]
    if receipts and not Path(receipts).exists():
        notes = [*notes, f"no receipts at {Path(receipts).name}: judged without"]
        receipts = None
    return verify(
        ledger,
        eras,
        journal=read_receipts(Path(receipts)) if receipts else None,
        answers=records(Path(answers)) if answers else None,
        written_by=written_by,
        require=require,
        only=only,
        notes=notes,
    )


def rules_for(ruleset: str | None, timeline: str | None, written_by: str, economics: str | None) -> tuple[Eras, list[str]]:
    """The rules a call names, and a note where it names none."""
    if timeline and ruleset:
        raise Refused("ledger.two-rules", at="--timeline", found="both --timeline and --ruleset", expected="one of them")
    notes: list[str] = []
    if timeline:
        eras = parse_timeline(_json(Path(timeline)), Path(timeline).name)
    elif ruleset and (ruleset in NAMED or not Path(ruleset).exists()):
        eras = named(ruleset)
    elif ruleset:
        eras = always(Path(ruleset).name, parse_ruleset(_json(Path(ruleset)), Path(ruleset).name))
    elif written_by in NAMED or f"v{written_by}" in NAMED:
        eras = named(written_by if written_by in NAMED else f"v{written_by}")
    else:
        eras = named(DEFAULT)
        notes.append(f"no rules were named: judged under {DEFAULT}; --ruleset or --timeline says others")
    if economics:
        over = _json(Path(economics))
        if not isinstance(over, Mapping):
            raise Refused("ledger.ruleset", at=economics, found=type(over).__name__, expected="an object of ruleset keys")
        eras = Eras(
            f"{eras.name} with {Path(economics).name}",
            tuple(msgspec.structs.replace(e, rules=parse_ruleset({**msgspec.to_builtins(e.rules), **over}, economics)) for e in eras.eras),
        )
    return eras, notes


def read_ledger(source: Path) -> c.Ledger:
    """A SQLite file or a folder of Parquet as a ledger.

    Raises:
        Refused: `ledger.no-source`, `ledger.not-a-ledger`, `ledger.unreadable`, `ledger.missing-table`, `ledger.column-type` and the like.
    """
    if source.is_dir():
        return _assemble(_parquet(source), str(source.name), left_out_when_empty=True)
    if not source.is_file():
        raise Refused("ledger.no-source", at=str(source), found="no such file or folder", expected="a .sqlite file or a folder of Parquet")
    if source.stat().st_size > LEDGER_FILE_BYTES_MAX:
        raise Refused(
            "ledger.too-large", at=source.name, found=f"{source.stat().st_size} bytes", expected=f"at most {LEDGER_FILE_BYTES_MAX}"
        )
    with source.open("rb") as f:
        head = f.read(16)
    if head != b"SQLite format 3\0":
        raise Refused("ledger.not-a-ledger", at=source.name, found=repr(head), expected="a SQLite database or a folder of Parquet")
    db = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        return _assemble(_sqlite(db, source.name), source.name)
    except sqlite3.DatabaseError as e:
        raise Refused("ledger.unreadable", at=source.name, found=str(e), expected="a whole SQLite database") from e
    finally:
        db.close()


def _sqlite(db: sqlite3.Connection, at: str) -> _Read:
    db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}

    def read(table: str, must: tuple[str, ...], may: tuple[str, ...]) -> Table:
        if table not in there:
            return None
        have = {row[1] for row in db.execute(f'PRAGMA table_info("{table}")')}
        wanted = _wanted(at, table, must, may, have)
        names = ", ".join(f'"{w}"' for w in wanted)
        rows = db.execute(f'SELECT rowid, {names} FROM "{table}"')
        return [{"rowid": row[0], **dict(zip(wanted, row[1:], strict=True))} for row in rows]

    return read


def _parquet(folder: Path) -> _Read:
    import pyarrow
    import pyarrow.parquet

    def read(table: str, must: tuple[str, ...], may: tuple[str, ...]) -> Table:
        file = folder / f"{table}.parquet"
        if not file.is_file():
            return None
        try:
            have = set(pyarrow.parquet.read_schema(file).names)
            wanted = _wanted(folder.name, table, must, may, have)
            return [{"rowid": i, **row} for i, row in enumerate(pyarrow.parquet.read_table(file, columns=list(wanted)).to_pylist(), 1)]
        except (pyarrow.ArrowException, OSError) as e:
            raise Refused("ledger.unreadable", at=file.name, found=str(e).splitlines()[0], expected="a whole Parquet file") from e

    return read


def _wanted(at: str, table: str, must: tuple[str, ...], may: tuple[str, ...], have: set[str]) -> list[str]:
    lost = [m for m in must if m not in have]
    if lost:
        raise Refused("ledger.missing-column", at=f"{at} {table}.{lost[0]}", found="no such column", expected=", ".join(must))
    return [*must, *(m for m in may if m in have)]


def _assemble(read: _Read, at: str, *, left_out_when_empty: bool = False) -> c.Ledger:
    tables: dict[str, Table] = {}
    for name, (must, may) in TABLES.items():
        rows = read(name, must, may)
        if rows is None and name in NEEDED:
            raise Refused("ledger.missing-table", at=f"{at} {name}", found="no such table", expected=", ".join(NEEDED))
        tables[name] = None if rows is None else [_typed(name, row) for row in rows]
    migration = max((str(r["id"]) for r in tables["schema_migrations"] or ()), default="")
    if left_out_when_empty:
        # An export to Parquet writes no file for an empty table: what this schema has and the folder has not is empty.
        tables |= {name: [] for name, since in SINCE.items() if tables[name] is None and since <= migration}
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
        schema=_family(migration),
        migration=migration or "none",
        known=not migration or migration <= max(MIGRATIONS),
        digest="",
    )
    return _ordered(ledger)


def _ordered(ledger: c.Ledger) -> c.Ledger:
    """Rows in order of their ids, so that how they lay changes nothing; then the digest over them."""

    def by_id(rows: Any) -> Any:
        return None if rows is None else tuple(sorted(rows, key=lambda r: (getattr(r, "id", 0), msgspec.json.encode(r))))

    names = ("users", "bets", "markets", "groups", "members", "additions", "stewardships", "standings", "snapshots")
    ordered = msgspec.structs.replace(ledger, **{n: by_id(getattr(ledger, n)) for n in names})
    return msgspec.structs.replace(ordered, digest=sha256(msgspec.json.encode(ordered)))


def _family(migration: str) -> str:
    known = [m for m in MIGRATIONS if m <= migration]
    return MIGRATIONS[max(known)] if known else "before migrations were kept" if not migration else "older than v2.1.0"


def _rows(rows: Table, make: Callable[[dict[str, Any]], Any]) -> tuple[Any, ...] | None:
    return None if rows is None else tuple(make(r) for r in rows)


def _typed(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Whole numbers that are whole numbers, times as microseconds, text as text; anything else is refused with its place."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        at = f"{table}.{name} rowid {row['rowid']}"
        if name in WHOLE and table != "schema_migrations":
            out[name] = _whole(value, at, may_be_null=table == "bets" and name == "market_id")
        elif name.endswith(("_at", "_time")):
            out[name] = _time(value, at)
        elif name in ("is_resolved", "is_stale"):
            out[name] = bool(_whole(int(value) if isinstance(value, bool) else value, at))
        elif value is None or isinstance(value, (str, int)):
            out[name] = value
        else:
            raise Refused("ledger.column-type", at=at, found=f"{type(value).__name__} {value!r}", expected="text")
    return out


def _whole(value: Any, at: str, *, may_be_null: bool = False) -> int | None:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if value is None and (may_be_null or not at.startswith(("users.", "bets.amount", "bets.id"))):
        return None if may_be_null else 0
    kind = "text" if isinstance(value, str) else "NULL" if value is None else type(value).__name__
    found = kind if value is None else f"{kind} {value!r}"
    raise Refused("ledger.column-type", at=at, found=found, expected="integer")


def _time(value: Any, at: str) -> int | None:
    """Microseconds; the year 1 of Go's zero time, and a time before it, are no time."""
    if value is None or value == "":
        return None
    if hasattr(value, "isoformat"):
        value = value.isoformat()
    moment = microseconds(value) if isinstance(value, str) else None
    if moment is None:
        raise Refused("ledger.column-type", at=at, found=repr(value), expected="a time")
    return None if str(value)[:10] in _EPOCH_YEARS else moment


def _word(value: Any) -> str:
    return "" if value is None else str(value)


def _user(r: dict[str, Any]) -> c.User:
    if r["username"] is None:
        raise Refused("ledger.null-username", at=f"users.username rowid {r['rowid']}", found="NULL", expected="a username")
    return c.User(
        r["id"], _word(r["username"]), _word(r["user_type"]), r["initial_account_balance"], r["account_balance"], bool(r.get("deleted_at"))
    )


def _bet(r: dict[str, Any]) -> c.Bet:
    return c.Bet(r["id"], r["username"], r["market_id"], r["amount"], _word(r["outcome"]), r["placed_at"], bool(r.get("deleted_at")))


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
    return c.Addition(r["id"], r["group_id"], r["market_id"], _word(r["status"]), _word(r["proposed_by"]), r["addition_cost"])


def _stewardship(r: dict[str, Any]) -> c.Stewardship:
    return c.Stewardship(r["market_id"], _word(r["from_steward_username"]), r["created_at"] or 0)


def _standing(r: dict[str, Any]) -> c.Standing:
    return c.Standing(_word(r["username"]), _word(r["to_moderator_status"]), r["created_at"] or 0)


def _snapshot(r: dict[str, Any]) -> c.Snapshot:
    return c.Snapshot(r["market_id"], r["net_bet_volume"], r["bet_count"], r["last_processed_bet_id"], r["is_stale"])


def _json(file: Path) -> Any:
    try:
        return parse_json(file.read_bytes(), file.name)
    except OSError as e:
        raise Refused("ledger.unreadable", at=str(file), found=e.strerror or "an error", expected="a JSON file") from e


def read_receipts(file: Path) -> Journal:
    """The journal in `file`."""
    return read_journal(records(file))


def records(file: Path) -> Iterator[Any]:
    """The records of an NDJSON file, plain or xz; a line that is no JSON is None, so that it is counted and hides no other.

    Raises:
        Refused: `ledger.unreadable`.
    """
    try:
        with file.open("rb") as raw:
            packed = raw.read(6) == b"\xfd7zXZ\0"
        with lzma.open(file) if packed else file.open("rb") as lines:
            while line := lines.readline(EVIDENCE_LINE_BYTES_MAX):
                if line.strip():
                    yield _record(line)
    except (OSError, EOFError, lzma.LZMAError) as e:
        found = (e.strerror if isinstance(e, OSError) else None) or str(e) or "the end of the file"
        raise Refused("ledger.unreadable", at=file.name, found=found, expected="NDJSON, plain or xz") from e


def _record(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
