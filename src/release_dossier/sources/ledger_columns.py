"""Ledgers read as columns, for those too large to be read as rows. Only what is plain is read so: whole numbers in columns of whole
numbers, times in columns of times. Anything else is left to the readers of rows, which name the place of what they refuse."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from release_dossier.ledger import columns as c
from release_dossier.ledger.account import Step
from release_dossier.ledger.fast.big import NONE, SAFE, Big, Markets, Orders, Users, spans
from release_dossier.ledger.identity import OTHER_SIDE, Columns, identity
from release_dossier.sources import ledger_files, ledger_postgres
from release_dossier.sources.ledger_rows import TABLES, YEAR_2, YEAR_10000, Reader, Table, assemble, wanted

LARGE = ("users", "markets", "bets")


class NotPlain(Exception):
    """A column that only the readers of rows may judge."""


ROWS_AT_ONCE = 16_000_000  # bets held at once: about 300 bytes each while they are judged
BYTES_A_ROW = 320
Have = Callable[[str], list[str] | None]  # the columns of a table, None where there is no such table
Fetch = Callable[[str, list[str]], pa.Table]
WORDS = frozenset(["username", "outcome", "user_type", "resolution_result", "lifecycle_status", "creator_username", "steward_username"])
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


def from_folder(folder: Path, rows_at_once: int = ROWS_AT_ONCE, duckdb_memory_bytes: int = 0) -> Big | None:
    """A folder of Parquet as columns; None where it is not plain. More bets than `rows_at_once` are read market by market, twice.

    Raises:
        Refused: as `assemble` for its small tables.
    """
    import pyarrow.parquet as pq

    def have(table: str) -> list[str] | None:
        file = folder / f"{table}.parquet"
        return pq.read_schema(file).names if file.is_file() else None

    def fetch(table: str, names: list[str]) -> pa.Table:
        if duckdb_memory_bytes:
            return _by_duckdb(folder / f"{table}.parquet", names, duckdb_memory_bytes)
        return pq.read_table(folder / f"{table}.parquet", columns=names, read_dictionary=[n for n in names if n in WORDS])

    def rows(table: str, must: tuple[str, ...], may: tuple[str, ...]) -> Table:
        names = have(table)
        if names is None:
            return None
        found = pq.read_table(folder / f"{table}.parquet", columns=wanted(folder.name, table, must, may, names))
        return [{"rowid": i, **row} for i, row in enumerate(found.to_pylist(), 1)]

    def stream(names: list[str]) -> ParquetBets | None:
        file = folder / "bets.parquet"
        return ParquetBets(file, names, rows_at_once) if pq.read_metadata(file).num_rows > rows_at_once else None

    try:
        return big_from(have, fetch, rows, folder.name, left_out_when_empty=True, stream=stream)
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
        return [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')] or None

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


def from_server(address: str, statement_seconds: int, least: int) -> tuple[Big | c.Ledger, dict[str, str]]:
    """A running PostgreSQL as of one moment, and which moment that was: as columns, or as rows with fewer than `least` bets or odd ones.

    Raises:
        Refused, Unavailable: as `ledger_postgres.from_server`.
    """
    at = ledger_postgres.place(address)
    with ledger_postgres.snapshot(address, statement_seconds) as (connection, facts):
        tables = ledger_postgres.tables_of(connection, at)
        kinds = {t: ledger_postgres.kinds(connection, tables[t][0]) for t in LARGE if t in tables}
        rows = ledger_postgres.rows_of(connection, tables, at)

        def fetch(table: str, names: list[str]) -> pa.Table:
            from release_dossier.sources import ledger_postgres_copy

            if any(n not in kinds[table] for n in names):
                raise NotPlain
            return ledger_postgres_copy.copied(connection, tables[table][1], table, {n: kinds[table][n] for n in names}, WORDS)

        try:
            if "bets" in tables and ledger_postgres.at_least(connection, tables["bets"][1], "bets", least):
                return big_from(lambda t: list(kinds[t]) if t in kinds else None, fetch, rows, at), facts
        except (NotPlain, pa.ArrowException, UnicodeError):
            pass
        return assemble(rows, at), facts


SQLITE_ROWS = 100_000  # rows a round of reading brings


def _arrow(name: str, column: tuple[Any, ...]) -> pa.Array:
    """A column of SQLite: words, whole numbers, or times as the server's exports write them."""
    if name in WORDS:
        return pa.array(column, pa.string()).dictionary_encode()
    if not name.endswith(("_at", "_time")):
        return pa.array(column, pa.int64())
    missing = np.array([x is None or x == "" for x in column], bool)
    texts = [x or ZERO for x in column]
    if any(type(x) is not str or len(x) != len(ZERO) or x[-1] != "Z" or x[10] != "T" for x in texts):
        raise NotPlain
    try:
        micros = np.array([x[:-1] for x in texts], "M8[us]").astype(np.int64)
    except ValueError:
        raise NotPlain from None
    return pa.array(micros, mask=missing).cast(pa.timestamp("us", tz="UTC"))


ZERO = "1970-01-01T00:00:00.000000Z"


def big_from(
    have: Have, fetch: Fetch, rows: Reader, at: str, *, left_out_when_empty: bool = False,
    stream: Callable[[list[str]], ParquetBets | None] = lambda names: None,
) -> Big:  # fmt: skip
    """The small tables as rows, and the first row of each large one, for what it lacks; the large ones as columns.

    Raises:
        NotPlain: something in them is for the readers of rows.
        Refused: as `assemble`.
    """
    large: dict[str, pa.Table] = {}
    for table in LARGE:
        names = have(table)
        if names is None:
            raise NotPlain
        columns = wanted(at, table, *TABLES[table], names)
        streamed = stream(columns) if table == "bets" else None
        large[table] = fetch(table, columns) if streamed is None else streamed.first()

    def read(table: str, must: tuple[str, ...], may: tuple[str, ...]) -> Table:
        if table in large:
            return [{"rowid": 1, **row} for row in large[table].slice(0, 1).to_pylist()]
        return rows(table, must, may)

    small = assemble(read, at, left_out_when_empty=left_out_when_empty)
    return big_of(small, large["users"], large["markets"], large["bets"], streamed)


def big_of(small: c.Ledger, users: pa.Table, markets: pa.Table, bets: pa.Table, streamed: ParquetBets | None = None) -> Big:
    """Tables as columns, ordered and hashed.

    Raises:
        NotPlain: something in them is for the readers of rows.
    """
    hashes = Columns(), Columns(), Columns()
    people, names = _users(users, hashes[0])
    extra: list[str] = []
    number = pa.array(names)
    places = _markets(markets, hashes[1], number, names, extra)
    if streamed is not None:
        return streamed.big(small, people, names, places, hashes, extra)
    orders, rest, strange, live = _bets(bets, hashes[2], number, names, extra, places.id)
    made = [places.created_at, places.resolved_at, orders.at, np.array([b.placed_at for b in rest if b.placed_at is not None], np.int64)]
    small = msgspec.structs.replace(small, users=(), markets=(), bets=())
    small = msgspec.structs.replace(small, digest=identity(small, *hashes))
    people = msgspec.structs.replace(people, names=[*names, *extra])
    return Big(
        small=small, users=people, markets=places, strange=strange, rest=rest, live=live, parts=lambda: iter((orders,)),
        moments=spans(small, made), last_order=int(orders.at.max()) if live else None,
    )  # fmt: skip


def _sorted(table: pa.Table) -> pa.Table:
    ids = whole(table["id"])
    if len(ids) and not (ids[1:] > ids[:-1]).all():
        order = np.argsort(ids, kind="stable")
        if (ids[order][1:] == ids[order][:-1]).any():
            raise NotPlain
        table = table.take(pa.array(order))
    return table


def whole(column: pa.ChunkedArray, null: int | None = None) -> Any:
    """A column of whole numbers; `null` stands where there is none, without it there must be one."""
    if pa.types.is_null(column.type):
        column = column.cast(pa.int64())
    if not pa.types.is_integer(column.type) or column.type == pa.uint64() or (column.null_count and null is None):
        raise NotPlain
    filled = column.fill_null(null) if column.null_count else column
    return np.ascontiguousarray(filled.cast(pa.int64()).to_numpy())


def moments(column: pa.ChunkedArray) -> Any:
    """A column of times as microseconds since 1970 UTC; NONE where there is none, or Go's own none."""
    if pa.types.is_null(column.type):
        return np.full(len(column), NONE, np.int64)
    if not pa.types.is_timestamp(column.type) or column.type.unit == "ns":
        raise NotPlain
    micros = column.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64())
    found = (micros.fill_null(NONE) if micros.null_count else micros).to_numpy()
    if (found >= YEAR_10000).any():
        raise NotPlain
    return np.where(found < YEAR_2, NONE, found)


def truth(column: pa.ChunkedArray) -> Any:
    """A column of yes and no; NULL is no."""
    if pa.types.is_integer(column.type):
        return whole(column, 0) != 0
    if not pa.types.is_boolean(column.type):
        raise NotPlain
    return column.fill_null(False).to_numpy().astype(bool)


def _gone(table: pa.Table) -> Any:
    if "deleted_at" not in table.column_names:
        return np.zeros(len(table), bool)
    column = table["deleted_at"]
    if pa.types.is_timestamp(column.type) and column.type.unit != "ns" and column.null_count == len(column):
        return np.zeros(len(column), bool)
    when = moments(column)
    return (when != NONE) & (when != 0)


def text(column: pa.ChunkedArray) -> tuple[Any, list[str | None]]:
    """A column of words as places in a list of distinct ones; -1 for NULL."""
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_dictionary(column.type):
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise NotPlain
        column = column.dictionary_encode()
    elif not (pa.types.is_string(column.type.value_type) or pa.types.is_large_string(column.type.value_type)):
        raise NotPlain
    if not column.num_chunks:
        return np.zeros(0, np.int64), []
    one = column.unify_dictionaries()
    distinct = one.chunk(0).dictionary
    places = np.concatenate([_places(chunk.indices) for chunk in one.chunks])
    return places, distinct.to_pylist()


def _places(indices: pa.Array) -> Any:
    return (indices.fill_null(-1) if indices.null_count else indices).to_numpy(zero_copy_only=False)


def _users(table: pa.Table, hashes: Columns) -> tuple[Users, list[str]]:
    table = _sorted(table)
    places, distinct = text(table["username"])
    if len(distinct) != len(table) or (places < 0).any() or "" in distinct:
        raise NotPlain
    names: list[str] = [str(distinct[i]) for i in places.tolist()]
    kinds, words = text(table["user_type"])
    types = [words[i] or "" if i >= 0 else "" for i in kinds.tolist()]
    initial, balance = whole(table["initial_account_balance"]), whole(table["account_balance"])
    if len(names) and max(np.abs(initial).max(), np.abs(balance).max()) >= SAFE:
        raise NotPlain
    ids, gone = whole(table["id"]), _gone(table)
    hashes.add(id=ids, username=names, user_type=types, initial=initial, balance=balance, deleted=gone)
    return Users(ids, names, types, initial, balance, gone), names


def _named(column: pa.ChunkedArray, number: pa.Array, names: list[str], extra: list[str]) -> tuple[Any, list[str]]:
    """Numbers of the users a column names, -1 for nobody, and the names; those no user has go to `extra`."""
    places, distinct = text(column)
    words = [w or "" for w in distinct]
    found = pc.index_in(pa.array(words, pa.string()), value_set=number)
    known = np.array([-1 if x is None else x for x in found.to_pylist()], np.int64)
    for i, word in enumerate(words):
        if word and known[i] < 0:
            if word not in extra:
                extra.append(word)
            known[i] = len(names) + extra.index(word)
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
        rejected_at=moments(table["rejected_at"]) if "rejected_at" in have else np.full(n, NONE, np.int64), deleted=_gone(table),
        words=words, has_lifecycle="lifecycle_status" in have and n > 0, has_cost="proposal_cost" in have and n > 0,
    )  # fmt: skip
    known = "lifecycle_status" in have
    hashes.add(
        id=made.id, created_at=made.created_at, closes_at=made.closes_at, resolved=made.resolved, resolved_at=made.resolved_at,
        result=[words[i] for i in result.tolist()], lifecycle=[words[i] if known else None for i in lifecycle.tolist()],
        cost=cost, creator=creators, steward=stewards, rejected_at=made.rejected_at, deleted=made.deleted,
    )  # fmt: skip
    return made


def _bets(
    table: pa.Table, hashes: Columns, number: pa.Array, names: list[str], extra: list[str], market_ids: Any
) -> tuple[Orders, tuple[c.Bet, ...], list[int], int]:
    """Live orders by market, the other rows, the ids of markets nobody knows, and how many orders are live."""
    table = _sorted(table)
    ids, amount, at = whole(table["id"]), whole(table["amount"]), moments(table["placed_at"])
    market, gone = whole(table["market_id"], NONE), _gone(table)
    if len(ids) and np.abs(amount).max() >= SAFE:
        raise NotPlain
    user, strangers = _bettors(table["username"], number, names)
    side, odd = _sides(table["outcome"])
    hashes.add(
        id=ids, user=np.where(user < 0, NONE, user), market=market, amount=amount, placed_at=at, side=side, deleted=gone,
        strangers=strangers, sides=[odd[i] for i in sorted(odd)],
    )  # fmt: skip
    shift = {i: names_at(word, names, extra) for i, word in enumerate(strangers, len(names))}
    if shift:
        moved = np.arange(len(names) + len(strangers))
        moved[list(shift)] = list(shift.values())
        user = np.where(user < 0, -1, moved[user])
    live = ~gone & (user >= 0) & (market != NONE) & (at != NONE)
    all_names = [*names, *extra]
    rest = tuple(
        c.Bet(
            int(ids[i]), all_names[user[i]] if user[i] >= 0 else None, None if market[i] == NONE else int(market[i]), int(amount[i]),
            odd.get(i, "YES" if side[i] == 1 else "NO"), None if at[i] == NONE else int(at[i]), bool(gone[i]),
        )
        for i in np.flatnonzero(~live).tolist()
    )  # fmt: skip
    if len(rest):
        keep = np.flatnonzero(live)
        place = {int(old): new for new, old in enumerate(keep.tolist())} if odd else {}
        ids, user, market, amount, side, at = (x[keep] for x in (ids, user, market, amount, side, at))
        odd = {place[i]: word for i, word in odd.items() if i in place}
    numbers, strange = numbered_markets(market, market_ids)
    from release_dossier.ledger.fast.order import by_market

    order = by_market(numbers, len(market_ids) + len(strange), at)
    where = {int(old): new for new, old in enumerate(order.tolist())} if odd else {}
    columns = ids, user.astype(np.int32), numbers, amount, (side == 1).astype(np.int8), at
    with ThreadPoolExecutor(2) as pool:
        ids, user, numbers, amount, yes, at = pool.map(lambda column: column.take(order), columns)
    orders = Orders(ids, user, numbers, amount, yes, at, {where[i]: word for i, word in odd.items()})
    return orders, rest, strange, len(ids)


def names_at(word: str, names: list[str], extra: list[str]) -> int:
    """The number of a name no user has."""
    if word not in extra:
        extra.append(word)
    return len(names) + extra.index(word)


def _bettors(column: pa.ChunkedArray, number: pa.Array, names: list[str]) -> tuple[Any, list[str]]:
    """Numbers of users, -1 for NULL; names no user has are numbered after them in order of appearance."""
    places, distinct = text(column)
    found = pc.index_in(pa.array(distinct, pa.string()), value_set=number)
    known = np.array([-1 if x is None else x for x in found.to_pylist()], np.int64)
    unknown = np.flatnonzero(known < 0)
    strangers: list[str] = []
    if len(unknown):
        first = [int(np.flatnonzero(places == i)[0]) if (places == i).any() else len(places) for i in unknown.tolist()]
        for i in [i for _, i in sorted(zip(first, unknown.tolist(), strict=True))]:
            if (places == i).any():
                known[i] = len(names) + len(strangers)
                strangers.append(str(distinct[i]))
    return np.append(known, -1)[places], strangers


def _sides(column: pa.ChunkedArray) -> tuple[Any, dict[int, str]]:
    """1 for YES, 0 for NO, 2 for what else is there, which is given by row."""
    places, distinct = text(column)
    codes = np.array([{"YES": 1, "NO": 0}.get(w or "", OTHER_SIDE) for w in distinct] + [OTHER_SIDE], np.int8)
    side = codes[places]
    odd = {i: (distinct[places[i]] or "") if places[i] >= 0 else "" for i in np.flatnonzero(side == OTHER_SIDE).tolist()}
    return side, odd


def numbered_markets(market: Any, ids: Any) -> tuple[Any, list[int]]:
    """Numbers of markets by their ids; those nobody knows come after, in order of their ids."""
    if len(ids) and int(ids[0]) == 1 and int(ids[-1]) == len(ids):
        number = market - 1
        unknown = (market < 1) | (market > len(ids))
    else:
        number = np.searchsorted(ids, market)
        unknown = (number >= len(ids)) | (np.append(ids, NONE)[np.minimum(number, len(ids))] != market)
    if not unknown.any():
        return number, []
    strange = np.unique(market[unknown])
    number = number.copy()
    number[unknown] = len(ids) + np.searchsorted(strange, market[unknown])
    return number, strange.tolist()


class ParquetBets:
    """Bets too many to be held at once: read once in order of ids for what they are, then market by market to be judged.

    Row groups say which markets they hold, so that a part reads only those that have some of its own.
    """

    def __init__(self, file: Path, names: list[str], rows_at_once: int) -> None:
        import pyarrow.parquet as pq

        self.file, self.names, self.rows_at_once = file, names, rows_at_once
        self.open: Callable[[], Any] = partial(pq.ParquetFile, file)
        self.words = [n for n in names if n in WORDS]

    def first(self) -> pa.Table:
        """One row, for what the table lacks."""
        with self.open() as source:
            return pa.Table.from_batches([next(source.iter_batches(1, columns=self.names))])

    def big(
        self, small: c.Ledger, people: Users, names: list[str], places: Markets, hashes: tuple[Columns, Columns, Columns], extra: list[str]
    ) -> Big:
        """The first reading: what every row is, hashed; how many orders each market has; and the rows that are none."""
        self.names_known: dict[str | None, int] = {name: i for i, name in enumerate(names)}
        self.users, self.ids = len(names), places.id
        self.strangers: list[str] = []
        self.spread: list[tuple[int, int]] = []
        self.counts = np.zeros(len(places.id), np.int64)
        strange: dict[int, int] = {}
        rest: list[tuple[Any, ...]] = []
        sides: list[str] = []
        made: list[Any] = [places.created_at, places.resolved_at]
        live = 0
        before, last = NONE, NONE
        with self.open() as source:
            for group in range(source.num_row_groups):
                piece = self.piece(source, group)
                if len(piece.id) and (int(piece.id[0]) <= before or (piece.id[1:] <= piece.id[:-1]).any()):
                    raise NotPlain  # not in order of ids, or twice the same
                before = int(piece.id[-1]) if len(piece.id) else before
                user = np.where(piece.user < 0, NONE, piece.user)
                hashes[2].add(
                    id=piece.id,
                    user=user,
                    market=piece.market,
                    amount=piece.amount,
                    placed_at=piece.at,
                    side=piece.side,
                    deleted=piece.gone,
                )
                sides += [piece.odd[i] for i in sorted(piece.odd)]
                rest += [piece.row(i) for i in np.flatnonzero(~piece.live).tolist()]
                market = piece.market[piece.live]
                number, unknown = numbered_markets(market, self.ids)
                strange |= dict.fromkeys(unknown, 0)
                self.counts += np.bincount(number[number < len(self.ids)], minlength=len(self.ids))
                self.spread.append((int(market.min()), int(market.max())) if len(market) else (0, -1))
                live += len(market)
                last = max(last, int(piece.at[piece.live].max())) if len(market) else last
                made.append(np.array(spans(small, [piece.at]), np.int64))
        hashes[2].add(strangers=self.strangers, sides=sides)
        self.strange = sorted(strange)
        self.shift = np.arange(self.users + len(self.strangers))
        for i, word in enumerate(self.strangers, self.users):
            self.shift[i] = names_at(word, names, extra)
        all_names = [*names, *self.strangers]
        small = msgspec.structs.replace(small, users=(), markets=(), bets=())
        small = msgspec.structs.replace(small, digest=identity(small, *hashes))
        return Big(
            small=small, users=msgspec.structs.replace(people, names=[*names, *extra]), markets=places, strange=self.strange,
            rest=tuple(
                c.Bet(b, all_names[u] if u >= 0 else None, m if m != NONE else None, a, side, t if t != NONE else None, gone)
                for b, u, m, a, side, t, gone in rest
            ),
            live=live, parts=self.parts, moments=spans(small, made), last_order=last if live else None,
            lots=tuple(self.lots()), lot=self.lot,
        )  # fmt: skip

    def piece(self, source: Any, group: int) -> Piece:
        """A row group as arrays; names no user has are numbered in order of appearance."""
        table = source.read_row_group(group, columns=self.names)
        amount = whole(table["amount"])
        if len(amount) and np.abs(amount).max() >= SAFE:
            raise NotPlain
        places, distinct = text(table["username"])
        known = np.array([self.names_known.get(w, -2) if w is not None else -1 for w in distinct] + [-1], np.int64)
        if (known == -2).any():
            firsts = {int(i): int(np.argmax(places == i)) for i in np.flatnonzero(known == -2) if (places == i).any()}
            for i in sorted(firsts, key=firsts.__getitem__):
                known[i] = self.names_known[distinct[i]] = self.users + len(self.strangers)
                self.strangers.append(str(distinct[i]))
        side, odd = _sides(table["outcome"])
        return Piece(
            whole(table["id"]), known[places], whole(table["market_id"], NONE), amount, moments(table["placed_at"]), side, odd, _gone(table)
        )

    def lots(self) -> Iterator[tuple[int, int]]:
        """Numbers of as many markets as may be held at once, one lot after the other; last those of markets nobody knows."""
        n = len(self.ids)
        through = np.cumsum(self.counts)
        first = 0
        while first < n:
            held = int(through[first - 1]) if first else 0
            last = min(n, max(first + 1, int(np.searchsorted(through, held + self.rows_at_once, "right"))))
            yield first, last
            first = last
        if self.strange:
            yield n, n + len(self.strange)

    def parts(self) -> Iterator[Orders]:
        """Orders of every lot in turn."""
        return (self.lot(*lot) for lot in self.lots())

    def lot(self, first: int, last: int) -> Orders:
        """Orders of the markets with these numbers."""
        from release_dossier.ledger.fast.order import by_market

        n = len(self.ids)
        low, high = (int(self.ids[first]), int(self.ids[last - 1])) if first < n else (-(2**63), 2**63 - 1)
        kept: list[tuple[Any, ...]] = []
        odd: dict[int, str] = {}
        rows = 0
        with self.open() as source:
            for group, (least, most) in enumerate(self.spread):
                if most < low or least > high:
                    continue
                piece = self.piece(source, group)
                number, _ = numbered_markets(piece.market, self.ids)
                if first >= n:
                    unknown = np.append(self.ids, NONE)[np.minimum(number, n)] != piece.market
                    number = np.where(unknown, n + np.searchsorted(np.array(self.strange, np.int64), piece.market), 0)
                mine = np.flatnonzero(piece.live & (number >= first) & (number < last))
                odd |= (
                    {rows + int(np.searchsorted(mine, i)): w for i, w in piece.odd.items() if i in set(mine.tolist())} if piece.odd else {}
                )
                user = self.shift[piece.user[mine]].astype(np.int32)
                yes = (piece.side[mine] == 1).astype(np.int8)
                kept.append((piece.id[mine], user, number[mine] - first, piece.amount[mine], yes, piece.at[mine]))
                rows += len(mine)
        ids, user, number, amount, yes, at = (np.concatenate(x) for x in zip(*kept, strict=True)) if kept else (np.zeros(0, np.int64),) * 6
        del kept
        order = by_market(number, last - first, at)
        where = {int(old): new for new, old in enumerate(order.tolist())} if odd else {}
        return Orders(
            ids[order], user[order], number[order] + first, amount[order], yes[order], at[order], {where[i]: w for i, w in odd.items()}
        )


class Piece(NamedTuple):
    """Rows of `bets` as they lie: `user` -1 for NULL, `market` and `at` NONE for NULL, `odd` the sides that are neither, by row."""

    id: Any
    user: Any
    market: Any
    amount: Any
    at: Any
    side: Any
    odd: dict[int, str]
    gone: Any

    @property
    def live(self) -> Any:
        """Which rows are orders."""
        return ~self.gone & (self.user >= 0) & (self.market != NONE) & (self.at != NONE)

    def row(self, i: int) -> tuple[Any, ...]:
        """One row, its user as a number."""
        side = self.odd.get(i, "YES" if self.side[i] == 1 else "NO")
        return int(self.id[i]), int(self.user[i]), int(self.market[i]), int(self.amount[i]), side, int(self.at[i]), bool(self.gone[i])
