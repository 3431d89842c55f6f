"""Writes generated ledgers: a folder of Parquet, a SQLite file, or tables of an empty PostgreSQL schema. All of it appears at the end, or
nothing does: what is not finished lies under a name of its own, or in a transaction, and goes away with an interruption."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from release_dossier.errors import Refused, Unavailable
from release_dossier.ledger.generate import EPOCH, LIFECYCLES, NEVER, RESOLVED, RESULTS, Bets, World, migrations
from release_dossier.sources import ledger_postgres

MOMENT = pa.timestamp("us", tz="UTC")
ROWS_A_GROUP = 1 << 20
Sink = Callable[[str, pa.Table], None]


def bets_table(world: World, bets: Bets) -> pa.Table:
    """Rows of `bets`."""
    names = pa.array(world.names)
    gone = [EPOCH if i in world.deleted_bets else None for i in bets.id.tolist()] if world.deleted_bets else [None] * len(bets.id)
    return pa.table(
        {
            "id": pa.array(bets.id),
            "created_at": _moments(bets.at),
            "deleted_at": pa.array(gone, MOMENT),
            "username": pa.DictionaryArray.from_arrays(pa.array(bets.user, pa.int32()), names).cast(pa.string()),
            "market_id": pa.array(bets.market + 1),
            "amount": pa.array(bets.amount),
            "placed_at": _moments(bets.at),
            "outcome": pa.DictionaryArray.from_arrays(pa.array(bets.yes, pa.int8()), pa.array(["NO", "YES"])).cast(pa.string()),
        }
    )


def _moments(column: Any) -> pa.Array:
    return pa.array(column, pa.int64(), mask=column == NEVER).cast(MOMENT)


def tables(world: World) -> Iterator[tuple[str, pa.Table]]:
    """Every table but `bets`, as the release of the rules has it; to be asked for once all bets were taken."""
    family, count = world.spec.family, world.spec.markets
    names = pa.array(world.names)

    def who(numbers: Any) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32()), names).cast(pa.string())

    def word(numbers: Any, words: tuple[str, ...]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int8()), pa.array(words)).cast(pa.string())

    kinds = np.zeros(world.spec.users, np.int8)
    kinds[world.moderators] = 1
    users = {
        "id": pa.array(np.arange(1, world.spec.users + 1)),
        "deleted_at": pa.nulls(world.spec.users).cast(MOMENT),
        "username": names,
        "user_type": word(kinds, ("REGULAR", "MODERATOR")),
        "initial_account_balance": pa.array(world.initial),
        "account_balance": pa.array(world.balance),
    }
    yield "users", pa.table(users)
    markets: dict[str, pa.Array] = {
        "id": pa.array(np.arange(1, count + 1)),
        "created_at": _moments(world.created),
        "deleted_at": pa.nulls(count).cast(MOMENT),
        "resolution_date_time": _moments(world.closes),
        "final_resolution_date_time": _moments(world.resolved_at),
        "is_resolved": pa.array(world.lifecycle == RESOLVED),
        "resolution_result": word(world.result, RESULTS),
        "creator_username": who(world.creator),
    }
    if family:
        markets |= {
            "lifecycle_status": word(world.lifecycle, LIFECYCLES),
            "rejected_at": _moments(world.rejected_at),
            "proposal_cost": pa.array(world.cost),
            "steward_username": who(world.steward),
        }
    yield "markets", pa.table(markets)
    yield from _rare(world)


def _rare(world: World) -> Iterator[tuple[str, pa.Table]]:
    family = world.spec.family
    applied = {"id": pa.array(migrations(family)), "applied_at": pa.array([EPOCH - 3_600_000_000] * len(migrations(family)), MOMENT)}
    yield "schema_migrations", pa.table(applied)
    if family:
        yield (
            "market_stewardship_audits",
            _rows(world.stewardships, market_id="market_id", from_steward_username="before", to_steward_username="after", created_at="at"),
        )
        yield "moderator_role_audits", _rows(world.standings, username="username", to_moderator_status="status", created_at="at")
        yield (
            "market_accounting_snapshots",
            _rows(
                world.snapshots,
                market_id="market_id",
                net_bet_volume="volume",
                bet_count="bets",
                last_processed_bet_id="last_bet",
                is_stale="stale",
            ),
        )
    if family == 2:
        yield "market_groups", _rows(
            world.groups, id="id", created_at="created_at", deleted_at=None, lifecycle_status="lifecycle", proposal_cost="cost",
            creator_username="creator", steward_username="steward", rejected_at="rejected_at",
        )  # fmt: skip
        children = np.flatnonzero(world.group >= 0)
        yield (
            "market_group_members",
            pa.table({"id": np.arange(1, len(children) + 1), "group_id": world.group[children] + 1, "market_id": children + 1}),
        )
        yield "market_group_answer_additions", _rows(
            world.additions, id="id", group_id="group_id", market_id="market_id", status="status", proposed_by="proposed_by",
            addition_cost="cost", reviewed_at="reviewed_at",
        )  # fmt: skip


def _rows(rows: list[Any], **columns: str | None) -> pa.Table:
    """Columns of structs; times by their names, numbers and words by what they are."""
    out = {}
    for name, field in columns.items():
        values = [None if field is None else getattr(r, field) for r in rows]
        if name.endswith("_at"):
            out[name] = pa.array(values, MOMENT)
        elif name.endswith(("id", "cost", "volume", "count")):
            out[name] = pa.array(values, pa.int64())
        else:
            out[name] = pa.array(values, pa.bool_() if name == "is_stale" else pa.string())
    if "id" not in out:
        out = {"id": pa.array(np.arange(1, len(rows) + 1)), **out}
    return pa.table(out)


@contextmanager
def writing(destination: str) -> Iterator[Sink]:
    """A place for tables; `bets` may come in parts. What is written becomes visible when the block ends well.

    Raises:
        Refused: `ledger.destination` where something is there already; as PostgreSQL's own for a server.
        Unavailable: `edge.file-system`; `ledger.server` and its like.
    """
    if ledger_postgres.is_address(destination):
        with _server(destination) as sink:
            yield sink
        return
    final = Path(destination)
    if final.exists():
        raise Refused("ledger.destination", at=final.name, found="something is there already", expected="a new name")
    if not final.absolute().parent.is_dir():
        raise Refused("ledger.destination", at=str(final.parent), found="no such folder", expected="a folder that exists")
    part = final.with_name(f".{final.name}.part")
    _gone(part)
    try:
        with _sqlite(part) if final.suffix in (".sqlite", ".db") else _parquet(part) as sink:
            yield sink
        part.rename(final)
    finally:
        _gone(part)


def _gone(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    part.unlink(missing_ok=True)


@contextmanager
def _parquet(folder: Path) -> Iterator[Sink]:
    import pyarrow.parquet as pq

    folder.mkdir()
    open_: dict[str, pq.ParquetWriter] = {}

    def put(name: str, rows: pa.Table) -> None:
        if name not in open_:
            words = [f.name for f in rows.schema if f.type == pa.string()]
            open_[name] = pq.ParquetWriter(folder / f"{name}.parquet", rows.schema, compression="zstd", use_dictionary=words)
        open_[name].write_table(rows, row_group_size=ROWS_A_GROUP)

    try:
        yield put
    finally:
        for writer in open_.values():
            writer.close()


@contextmanager
def _sqlite(file: Path) -> Iterator[Sink]:
    there: set[str] = set()

    def put(name: str, rows: pa.Table) -> None:
        if name not in there:
            there.add(name)
            columns = ", ".join(f'"{f.name}" {_sqlite_type(name, f)}' for f in rows.schema)
            db.execute(f'CREATE TABLE "{name}" ({columns})')
        marks = ", ".join("?" * rows.num_columns)
        columns_ = [_plain(rows.column(i)) for i in range(rows.num_columns)]
        db.executemany(f'INSERT INTO "{name}" VALUES ({marks})', zip(*columns_, strict=True))

    try:
        with closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
            yield put
            db.commit()
    except sqlite3.Error as e:
        raise Unavailable(
            "edge.file-system", at=str(file.parent), found=str(e), expected="a folder that can be written to, with room in it"
        ) from e


def _sqlite_type(table: str, field: pa.Field) -> str:
    if field.name == "id" and table != "schema_migrations":
        return "INTEGER PRIMARY KEY"
    return "BOOLEAN" if field.type == pa.bool_() else "INTEGER" if field.type == pa.int64() else "TEXT"


def _plain(column: pa.ChunkedArray) -> list[Any]:
    if column.type != MOMENT:
        return column.to_pylist()  # type: ignore[no-any-return]
    if column.null_count == len(column):
        return [None] * len(column)
    missing = column.is_null().to_numpy()
    texts = np.datetime_as_string(column.cast(pa.int64()).fill_null(0).to_numpy().astype("M8[us]")).tolist()
    return [None if gone else f"{t}Z" for t, gone in zip(texts, missing.tolist(), strict=True)]


@contextmanager
def _server(address: str) -> Iterator[Sink]:
    import io

    import psycopg
    import pyarrow.csv
    from psycopg import sql

    at = ledger_postgres.place(address)
    connection = ledger_postgres.connected(address, "dossier ledger generate")
    there: set[str] = set()

    def put(name: str, rows: pa.Table) -> None:
        if name not in there:
            there.add(name)
            columns = [sql.SQL("{} {}").format(sql.Identifier(f.name), sql.SQL(_server_type(name, f))) for f in rows.schema]
            connection.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(name), sql.SQL(", ").join(columns)))
        buffer = io.BytesIO()
        options = pyarrow.csv.WriteOptions(include_header=False)
        pyarrow.csv.write_csv(rows, buffer, options)
        names = sql.SQL(", ").join(sql.Identifier(f.name) for f in rows.schema)
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(name), names)) as copy,
        ):
            copy.write(buffer.getvalue())

    try:
        yield put
        connection.commit()
    except psycopg.errors.DuplicateTable:
        raise Refused("ledger.destination", at=at, found="tables of a ledger", expected="an empty schema") from None
    except psycopg.Error as e:
        fault = ledger_postgres.failed(e, at)
        if isinstance(fault, Unavailable):
            raise fault from None
        raise Refused("ledger.destination", at=at, found=f"SQLSTATE {e.sqlstate}", expected="a schema this role may write to") from None
    finally:
        with suppress(psycopg.Error):
            connection.close()


def _server_type(table: str, field: pa.Field) -> str:
    if field.name == "id":
        return "varchar(32) PRIMARY KEY" if table == "schema_migrations" else "bigint PRIMARY KEY"
    kinds = {pa.bool_(): "boolean", pa.int64(): "bigint", MOMENT: "timestamptz"}
    return kinds.get(field.type, "text")
