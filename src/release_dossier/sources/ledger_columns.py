"""Ledgers read as columns, for those too large to be read as rows. Only what is plain is read so: whole numbers in columns of whole
numbers, times in columns of times. Anything else is left to the readers of rows, which name the place of what they refuse."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from release_dossier.aside import Aside
from release_dossier.ledger import columns as c
from release_dossier.ledger.account import Step
from release_dossier.ledger.fast.big import NONE, SAFE, Big, Markets, Users, spans
from release_dossier.ledger.identity import Columns, identity
from release_dossier.sources import ledger_files, ledger_postgres
from release_dossier.sources.ledger_arrow import WORDS, NotPlain, encoded, gone, moments, text, truth, whole
from release_dossier.sources.ledger_bets import (
    GROUPS_AHEAD,
    Bets,
    Copied,
    Names,
    OutOfOrder,
    Piece,
    RowGroups,
    Watched,
    number_after,
    order_of,
    read_ahead,
)
from release_dossier.sources.ledger_rows import INT96, TABLES, Reader, Table, assemble, migrations, wanted

LARGE = ("users", "markets", "bets")


ROWS_AT_ONCE = 16_000_000  # bets held at once: about 300 bytes each while they are judged, and the next ones are read
BYTES_A_ROW = 360
BYTES_A_ROW_KEPT = 40
REST_BYTES = 2 * 1024**3  # what reading and judging take beside those
SMALL = 100_000  # bets that one thread puts in order as fast as two
Have = Callable[[str], list[str] | None]  # the columns of a table, None where there is no such table
Fetch = Callable[[str, list[str]], pa.Table]
Stream = Callable[[list[str], list[str]], RowGroups | Copied | None]
People = tuple[Users, Columns]
WAYS_OUT = (NotPlain, pa.ArrowException, OSError, UnicodeError, sqlite3.Error)


def _by_duckdb(file: Path, names: list[str], memory_bytes: int) -> pa.Table:
    """Columns of a Parquet file through DuckDB, which keeps to its memory and spills beside the file's folder no byte: it only scans."""
    import duckdb

    listed = ", ".join(f'"{n}"' for n in names)
    try:
        with duckdb.connect(config={"memory_limit": f"{memory_bytes // 2**20}MiB"}) as db:
            found = db.execute(f"SELECT {listed} FROM read_parquet(?)", [str(file)]).arrow()
            return found if isinstance(found, pa.Table) else found.read_all()
    except duckdb.Error as e:
        raise NotPlain from e


def rows_within(memory_bytes: int) -> int:
    """How many bets may be held at once: half of the memory is for users, markets, what is read and the interpreter."""
    return max(100_000, memory_bytes // 2 // BYTES_A_ROW)


def kept_within(memory_bytes: int) -> int:
    """How many bets may stay in memory between the two readings of those that are too many: of what is left beyond the rest, most."""
    return max(0, memory_bytes - REST_BYTES) * 3 // 4 // BYTES_A_ROW_KEPT


def from_folder(
    folder: Path, rows_at_once: int = ROWS_AT_ONCE, duckdb_memory_bytes: int = 0, step: Step | None = None, may_keep: int = 0
) -> Big | None:
    """A folder of Parquet as columns; None where it is not plain. More bets than `rows_at_once` are read market by market, twice,
    but for the first `may_keep`.

    Raises:
        Refused: as `assemble` for its small tables.
    """
    import pyarrow.parquet as pq

    def have(table: str) -> list[str] | None:
        file = folder / f"{table}.parquet"
        names: list[str] = pq.read_schema(file).names if file.is_file() else []
        if len(set(names)) < len(names):
            raise NotPlain
        return names or None

    def fetch(table: str, names: list[str]) -> pa.Table:
        if duckdb_memory_bytes:
            return _by_duckdb(folder / f"{table}.parquet", names, duckdb_memory_bytes)
        words = [n for n in names if n in WORDS]
        return pq.read_table(folder / f"{table}.parquet", columns=names, read_dictionary=words, **INT96)

    def rows(table: str, must: tuple[str, ...], may: tuple[str, ...]) -> Table:
        names = have(table)
        if names is None:
            return None
        columns = wanted(folder.name, table, must, may, names)
        return ledger_files.parquet_rows(pq.read_table(folder / f"{table}.parquet", columns=columns, **INT96))

    def stream(columns: list[str], _: list[str]) -> RowGroups | None:
        groups = RowGroups(folder / "bets.parquet", columns, rows_at_once, may_keep)
        return None if groups.held and duckdb_memory_bytes else groups

    try:
        return big_from(have, fetch, rows, folder.name, left_out_when_empty=True, stream=stream, rows_at_once=rows_at_once, step=step)
    except WAYS_OUT:
        return None


def from_sqlite(file: Path, step: Step | None = None) -> Big | None:
    """A SQLite database as columns; None where it is not plain.

    Raises:
        Refused: as `ledger_files.at_rest`, and as `assemble` for its small tables.
    """
    ledger_files.at_rest(file)
    db = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    done, total = 0, ledger_files.rows_about(db) if step is not None else 0

    def have(table: str) -> list[str] | None:
        return [row[1] for row in db.execute(f'PRAGMA table_xinfo("{table}")')] or None

    def fetch(table: str, names: list[str]) -> pa.Table:
        nonlocal done
        listed = ", ".join(f'"{n}"' for n in names)
        rows = db.execute(f'SELECT {listed} FROM "{table}"')
        parts: list[list[Any]] = [[] for _ in names]
        while some := rows.fetchmany(SQLITE_ROWS):
            for part, name, column in zip(parts, names, zip(*some, strict=True), strict=True):
                part.append(_arrow(name, column))
            done += len(some)
            if step is not None:
                step(done, max(total, done))
        empty = [[_arrow(name, ())] for name in names]
        return pa.table(dict(zip(names, map(pa.chunked_array, parts if parts[0] else empty), strict=True)))

    try:
        return big_from(have, fetch, ledger_files.reader_of(db, file.name), file.name)
    except WAYS_OUT:
        return None
    finally:
        db.close()


def from_server(address: str, statement_seconds: int, least: int, step: Step | None = None) -> tuple[Big | c.Ledger, dict[str, str]]:
    """A running PostgreSQL as of one moment, and which moment that was: as columns, or as rows with fewer than `least` bets or odd ones.

    Raises:
        Refused, Unavailable: as `ledger_postgres.from_server`.
    """
    at = ledger_postgres.place(address)
    with ledger_postgres.snapshot(address, statement_seconds) as (connection, facts):
        tables = ledger_postgres.tables_of(connection, at)
        facts |= ledger_postgres.apart(tables)
        kinds = {t: ledger_postgres.kinds(connection, tables[t][0]) for t in LARGE if t in tables}
        done, total = 0, ledger_postgres.rows_about(connection, tables) if step is not None else 0

        def more(rows: int) -> None:
            nonlocal done
            done += rows
            if step is not None:
                step(done, max(total, done))

        rows = ledger_postgres.rows_of(connection, tables, at)

        def fetch(table: str, names: list[str]) -> pa.Table:
            from release_dossier.sources import ledger_postgres_copy

            with ledger_postgres.reading(f"{at} {table}"):
                return ledger_postgres_copy.copied(connection, tables[table][1], table, {n: kinds[table][n] for n in names}, WORDS, more)

        def stream(columns: list[str], names: list[str]) -> Copied:
            from release_dossier.sources import ledger_postgres_copy as copy

            its, known, schema = {n: kinds["bets"][n] for n in columns}, Names(names), tables["bets"][1]
            with ledger_postgres.reading(f"{at} bets"):
                first = copy.copied(connection, schema, "bets", its, (), most=1)
                return Copied(copy.bets(connection, schema, its, known, more), known, first)

        try:
            with ledger_postgres.reading(f"{at} bets"):
                many = "bets" in tables and ledger_postgres.at_least(connection, tables["bets"][1], "bets", least)
            if many:
                return big_from(lambda t: list(kinds[t]) if t in kinds else None, fetch, rows, at, stream=stream), facts
        except (NotPlain, pa.ArrowException, UnicodeError):
            pass
        return assemble(ledger_postgres.rows_of(connection, tables, at, step), at), facts


SQLITE_ROWS = 100_000  # rows a round of reading brings


def _arrow(name: str, column: tuple[Any, ...]) -> pa.Array:
    """A column of SQLite: words, whole numbers, or times as the server's exports write them."""
    plain = str if name in WORDS or name.endswith(("_at", "_time")) else int
    if not set(map(type, column)) <= {plain, type(None)}:
        raise NotPlain  # Arrow takes 10.5 for 10, and bytes for text
    if name in WORDS:
        return pa.array(column, pa.string()).dictionary_encode()
    if plain is int:
        return pa.array(column, pa.int64())
    missing = np.array([x is None or x == "" for x in column], bool)
    texts = [x or ZERO for x in column]
    if any(len(x) != len(ZERO) or x[-1] != "Z" or x[10] != "T" for x in texts):
        raise NotPlain
    try:
        micros = np.array([x[:-1] for x in texts], "M8[us]").astype(np.int64)
    except ValueError:
        raise NotPlain from None
    return pa.array(micros, mask=missing).cast(pa.timestamp("us", tz="UTC"))


ZERO = "1970-01-01T00:00:00.000000Z"


def big_from(
    have: Have, fetch: Fetch, rows: Reader, at: str, *, left_out_when_empty: bool = False, stream: Stream = lambda columns, names: None,
    rows_at_once: int = ROWS_AT_ONCE, step: Step | None = None,
) -> Big:  # fmt: skip
    """The small tables as rows, and the first row of each large one, for what it lacks; the large ones as columns, meanwhile.

    Args:
        stream: another way than `fetch` to read bets, if it has one: from their columns and the names of users in order of ids.
    Raises:
        NotPlain: something in them is for the readers of rows.
        Refused: as `assemble`.
    """

    def columns(table: str) -> list[str]:
        names = have(table)
        if names is None:
            raise NotPlain
        return wanted(at, table, *TABLES[table], names)

    large = {table: fetch(table, columns(table)) for table in ("users", "markets")}
    people = _users(large["users"])
    groups = stream(columns("bets"), people[0].names)
    large["bets"] = fetch("bets", columns("bets")) if groups is None else groups.first()

    known: dict[str, Table] = {n: ledger_files.parquet_rows(table.slice(0, 1)) for n, table in large.items()}
    known["schema_migrations"] = rows("schema_migrations", *TABLES["schema_migrations"])

    def read(table: str, must: tuple[str, ...], may: tuple[str, ...]) -> Table:
        return known[table] if table in known else rows(table, must, may)

    stop = Event()
    applied = tuple(migrations(known["schema_migrations"]).items())
    watched = Watched(stop, step, groups.rows if groups is not None else len(large["bets"]))
    with Aside(lambda: _columns(people, large, groups, applied, watched)) as made:
        try:
            small = assemble(read, at, left_out_when_empty=left_out_when_empty)
            return made.result().big(small, rows_at_once)
        except BaseException:
            stop.set()
            raise


class Read(NamedTuple):
    """The large tables as columns."""

    users: Users
    markets: Markets
    extra: list[str]
    bets: Bets
    hashes: tuple[Columns, Columns, Columns]
    moments: list[Any]

    def big(self, small: c.Ledger, rows_at_once: int) -> Big:
        """Them and the small ones as one ledger."""
        bets, names = self.bets, self.users.names
        rest = bets.named(names, self.extra)
        small = msgspec.structs.replace(small, users=(), markets=(), bets=())
        small = msgspec.structs.replace(small, digest=identity(small, *self.hashes))
        half = rows_at_once if not bets.held or bets.live < SMALL else min(rows_at_once, 1 + bets.live // 2)
        lots = tuple(bets.lots(half))
        parts: Callable[[], Any] = partial(read_ahead, bets.of_lot, lots)
        if bets.held:
            with ThreadPoolExecutor(2) as pool:
                parts = partial(iter, list(pool.map(bets.of_lot, lots)))
            bets.kept = {}
        return Big(
            small=small, users=msgspec.structs.replace(self.users, names=[*names, *self.extra]), markets=self.markets,
            strange=bets.strange, rest=rest, live=bets.live, parts=parts, moments=spans(small.applied, self.moments),
            last_order=bets.last_order if bets.live else None, lots=() if bets.held else lots, lot=None if bets.held else bets.lot,
        )  # fmt: skip


def _columns(
    people: People, large: dict[str, pa.Table], groups: RowGroups | Copied | None, applied: Sequence[tuple[str, int | None]],
    watched: Watched,
) -> Read:  # fmt: skip
    """The large tables, read and hashed; of the moments in `bets` those that the spans between migrations need."""
    users, hashes = people[0], (people[1], Columns())
    names, extra = users.names, list[str]()
    coming = groups if groups is None else read_ahead(groups, range(groups.count), GROUPS_AHEAD)
    markets = _markets(large["markets"], hashes[1], pa.array(names, pa.string()), names, extra)
    made = [markets.created_at, markets.resolved_at]

    may_keep = groups.may_keep if groups is not None else 0

    def learnt(its_groups: Iterable[pa.Table | list[Piece]], again: Callable[[int], pa.Table] | None) -> Read:
        known = groups.known if isinstance(groups, Copied) else Names(names)
        bets, its, at = Bets(again, known, may_keep), Columns(), list(made)
        bets.learn(markets.id, its, lambda x: at.append(np.array(spans(applied, [x]), np.int64)), watched, its_groups)
        return Read(users, markets, extra, bets, (*hashes, its), at)

    if groups is None or coming is None:
        return learnt(iter([_sorted(encoded(large.pop("bets")))]), None)
    try:
        return learnt(coming, groups if isinstance(groups, RowGroups) and not groups.held else None)
    except OutOfOrder:
        if not groups.held or isinstance(groups, Copied):
            raise
        return learnt(iter([_sorted(encoded(groups.whole()))]), None)


def _sorted(table: pa.Table) -> pa.Table:
    order = order_of(whole(table["id"]))
    return table if order is None else table.take(pa.array(order))


def _users(table: pa.Table) -> People:
    """The users, and their columns hashed."""
    hashes, table = Columns(), _sorted(table)
    places, distinct = text(table["username"])
    if len(distinct) != len(table) or (places < 0).any() or "" in distinct:
        raise NotPlain
    names: list[str] = [str(distinct[i]) for i in places.tolist()]
    kinds, words = text(table["user_type"])
    types = [words[i] or "" if i >= 0 else "" for i in kinds.tolist()]
    initial, balance = whole(table["initial_account_balance"]), whole(table["account_balance"])
    if len(names) and (max(initial.max(), balance.max()) >= SAFE or min(initial.min(), balance.min()) <= -SAFE):
        raise NotPlain
    ids, deleted = whole(table["id"]), gone(table)
    hashes.add(id=ids, username=names, user_type=types, initial=initial, balance=balance, deleted=deleted)
    return Users(ids, names, types, initial, balance, deleted), hashes


def _named(column: pa.ChunkedArray, number: pa.Array, names: list[str], extra: list[str]) -> tuple[Any, list[str]]:
    """Numbers of the users a column names, -1 for nobody, and the names; those no user has go to `extra`."""
    places, distinct = text(column)
    words = [w or "" for w in distinct]
    found = pc.index_in(pa.array(words, pa.string()), value_set=number)
    known = np.array([-1 if x is None else x for x in found.to_pylist()], np.int64)
    for i, word in enumerate(words):
        if word and known[i] < 0:
            known[i] = number_after(word, names, extra)
    numbers = np.append(known, -1)[places]
    return numbers, [words[i] if i >= 0 else "" for i in places.tolist()]


def _markets(table: pa.Table, hashes: Columns, number: pa.Array, names: list[str], extra: list[str]) -> Markets:
    table = _sorted(table)
    have = set(table.column_names)
    n = len(table)
    results, result_words = text(table["resolution_result"])
    lives, life_words = text(table["lifecycle_status"]) if "lifecycle_status" in have else (np.zeros(n, np.int64), [""])
    words = [w or "" for w in result_words] + [""] + [w or "" for w in life_words] + [""]
    result = np.where(results < 0, len(result_words), results)
    lifecycle = np.where(lives < 0, len(words) - 1, lives + len(result_words) + 1)
    creator, creators = _named(table["creator_username"], number, names, extra)
    steward, stewards = (
        _named(table["steward_username"], number, names, extra) if "steward_username" in have else (np.full(n, -1, np.int64), [""] * n)
    )
    cost = whole(table["proposal_cost"], 0) if "proposal_cost" in have else np.full(n, NONE, np.int64)
    made = Markets(
        id=whole(table["id"]), created_at=moments(table["created_at"]), closes_at=moments(table["resolution_date_time"]),
        resolved=truth(table["is_resolved"]), resolved_at=moments(table["final_resolution_date_time"]), result=result, lifecycle=lifecycle,
        cost=cost, creator=creator, steward=steward,
        rejected_at=moments(table["rejected_at"]) if "rejected_at" in have else np.full(n, NONE, np.int64), deleted=gone(table),
        words=words, has_lifecycle="lifecycle_status" in have and n > 0, has_cost="proposal_cost" in have and n > 0,
    )  # fmt: skip
    known = "lifecycle_status" in have
    hashes.add(
        id=made.id, created_at=made.created_at, closes_at=made.closes_at, resolved=made.resolved, resolved_at=made.resolved_at,
        result=[words[i] for i in result.tolist()], lifecycle=[words[i] if known else None for i in lifecycle.tolist()],
        cost=cost, creator=creators, steward=stewards, rejected_at=made.rejected_at, deleted=made.deleted,
    )  # fmt: skip
    return made
