"""Ledgers as files: a SQLite database, opened immutable, or a folder of Parquet. Reads only, and makes no file."""

from __future__ import annotations

import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from release_dossier.errors import Refused
from release_dossier.ledger import columns as c
from release_dossier.ledger.account import Step
from release_dossier.limits import LEDGER_FILE_BYTES_MAX
from release_dossier.sources.ledger_rows import INT96, TABLES, Micros, Reader, Table, assemble, wanted

if TYPE_CHECKING:
    import pyarrow as pa


def readable(source: Path) -> None:
    """Nothing, where this user may read a file, or list a folder; also where neither is there.

    Raises:
        Refused: `ledger.no-permission`; `ledger.unreadable` where a table is a folder.
    """
    try:
        if source.is_dir():
            next(source.iterdir(), None)
            for table in TABLES:
                _one_file(source, table)
        elif source.is_file():
            _begins(source, 0)
    except PermissionError as e:
        raise Refused(
            "ledger.no-permission",
            at=str(e.filename or source),
            found="this user may not read it",
            expected="a file this user may read",
            help=f"ls -l {shlex.quote(str(e.filename or source))}",
        ) from e


def _one_file(folder: Path, table: str) -> None:
    """A table in several files, as Spark and others write it, is not taken for one that is not there."""
    file = folder / f"{table}.parquet"
    if file.is_file():
        _begins(file, 0)
        return
    for several in (file, folder / table):
        if several.is_dir():
            expected = f"one file a table: {file.name}"
            raise Refused("ledger.unreadable", at=str(several), found="a folder, as a table in several files is", expected=expected)


def from_folder(folder: Path) -> c.Ledger:
    """A folder with one Parquet file a table.

    Raises:
        Refused: as `assemble`; `ledger.unreadable` naming the file, `ledger.too-large`.
    """
    tables = list(folder.glob("*.parquet"))
    if not tables:
        inside = sorted(f.name for f in folder.iterdir() if f.suffix in (".sqlite", ".sqlite3", ".db") and f.is_file())
        raise Refused(
            "ledger.missing-table",
            at=str(folder),
            found=f"no Parquet file; {', '.join(inside)} lies inside" if inside else "no Parquet file",
            expected="a SQLite database or a folder with users.parquet, bets.parquet, markets.parquet and so on",
            help=f"dossier ledger verify {shlex.quote(str(folder / inside[0]))}" if inside else "",
        )
    size = sum(f.stat().st_size for f in tables)
    if size > LEDGER_FILE_BYTES_MAX:
        raise Refused("ledger.too-large", at=folder.name, found=f"{size} bytes", expected=f"at most {LEDGER_FILE_BYTES_MAX}")
    return assemble(_parquet(folder), folder.name, left_out_when_empty=True)


def from_sqlite(file: Path, step: Step | None = None) -> c.Ledger:
    """A SQLite database, which nobody may be writing to: it is read as it lies, without its journal.

    Raises:
        Refused: as `assemble`; `ledger.no-source`, `ledger.too-large`, `ledger.not-a-ledger`, `ledger.unreadable`, `ledger.being-written`.
    """
    at_rest(file)
    db = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        return assemble(reader_of(db, file.name, step), file.name)
    except sqlite3.DatabaseError as e:
        raise Refused("ledger.unreadable", at=file.name, found=str(e), expected="a whole SQLite database") from e
    finally:
        db.close()


def at_rest(file: Path) -> None:
    """Whether a file is a SQLite database that nobody is writing to.

    Raises:
        Refused: `ledger.no-source`, `ledger.too-large`, `ledger.not-a-ledger`, `ledger.being-written`, `ledger.unreadable`.
    """
    if not file.is_file():
        raise Refused("ledger.no-source", at=str(file), found="no such file or folder", expected="a .sqlite file or a folder of Parquet")
    if file.stat().st_size > LEDGER_FILE_BYTES_MAX:
        raise Refused("ledger.too-large", at=file.name, found=f"{file.stat().st_size} bytes", expected=f"at most {LEDGER_FILE_BYTES_MAX}")
    head = _begins(file, HEADER_BYTES)
    if head[:16] != b"SQLite format 3\0":
        raise Refused(
            "ledger.not-a-ledger",
            at=file.name,
            found=repr(head[:16]) if head else "an empty file",
            expected="a SQLite database or a folder of Parquet",
        )
    _journal_done(file)
    _whole(file, head)


def _begins(file: Path, size: int) -> bytes:
    with file.open("rb") as f:
        return f.read(size)


def _journal_done(file: Path) -> None:
    name = shlex.quote(str(file))
    file = file.resolve()  # where a link leads, there SQLite keeps them
    wal, journal = (file.with_name(file.name + suffix) for suffix in ("-wal", "-journal"))
    if wal.is_file() and wal.stat().st_size:
        at, found = wal, "changes that are not in the database yet"
        help = f"sqlite3 {name} 'PRAGMA wal_checkpoint(TRUNCATE)'"
    elif journal.is_file() and _begins(journal, 1).strip(b"\0"):  # a journal that begins with zero is done (journal_mode PERSIST)
        at, found = journal, "what the database held before a change that is not finished, or was broken off"
        help = f"once nobody writes: sqlite3 {name} 'PRAGMA schema_version' takes back what was broken off"
    else:
        return
    raise Refused("ledger.being-written", at=at.name, found=found, expected="a database nobody has open", help=help)


def _whole(file: Path, head: bytes) -> None:
    """Whether a database has all its pages: SQLite itself reads a cut one as far as it goes, and what is lost looks like lost money."""
    page, count = int.from_bytes(head[16:18]), int.from_bytes(head[28:32])
    page = 65536 if page == 1 else page
    size = file.stat().st_size
    said = count if head[24:28] == head[92:96] else 0  # written by a SQLite before 3.7, which counted no pages
    if len(head) < HEADER_BYTES or page < 512 or size % page or (said and size != said * page):
        expected = f"{said * page} bytes, as its header says" if said else "a whole SQLite database"
        raise Refused("ledger.unreadable", at=file.name, found=f"{size} bytes", expected=expected)


HEADER_BYTES = 100  # of a SQLite database
ROWS_A_STEP = 5_000  # rows between two words about progress


def rows_about(db: sqlite3.Connection) -> int:
    """About how many rows there are, without counting them: the largest rowid of each table."""
    total = 0
    for table in TABLES:
        try:
            total += db.execute(f'SELECT max(rowid) FROM "{table}"').fetchone()[0] or 0
        except (sqlite3.Error, TypeError):
            continue  # not there, a view, or broken: whoever reads it says so
    return total


def reader_of(db: sqlite3.Connection, at: str, step: Step | None = None) -> Reader:
    """Rows of an open database; `step` is told how many of about how many are read."""
    db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    there = {name.lower() for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}

    done, total = 0, rows_about(db) if step is not None else 0

    def read(table: str, must: tuple[str, ...], may: tuple[str, ...]) -> Table:
        nonlocal done
        if table not in there:
            return None
        columns = wanted(at, table, must, may, {row[1] for row in db.execute(f'PRAGMA table_xinfo("{table}")')})
        names = ", ".join(f'"{w}"' for w in columns)
        rows = db.execute(f'SELECT {_row(db, table, columns[0])}, {names} FROM "{table}"')
        out: list[dict[str, Any]] = []
        while some := rows.fetchmany(ROWS_A_STEP):
            out += [{"rowid": row[0], **dict(zip(columns, row[1:], strict=True))} for row in some]
            done += len(some)
            if step is not None:
                step(done, max(total, done))
        return out

    return read


def _row(db: sqlite3.Connection, table: str, key: str) -> str:
    """What names a row: a view, and a table made without, has no rowid."""
    try:
        db.execute(f'SELECT rowid FROM "{table}" LIMIT 0')
    except sqlite3.OperationalError:
        return f'"{key}"'
    return "rowid"


def _parquet(folder: Path) -> Reader:
    import pyarrow
    import pyarrow.parquet

    def read(table: str, must: tuple[str, ...], may: tuple[str, ...]) -> Table:
        file = folder / f"{table}.parquet"
        if not file.is_file():
            return None
        try:
            columns = wanted(folder.name, table, must, may, pyarrow.parquet.read_schema(file).names)
            return parquet_rows(pyarrow.parquet.read_table(file, columns=columns, **INT96))
        except (pyarrow.ArrowException, OSError) as e:
            raise Refused("ledger.unreadable", at=file.name, found=str(e).splitlines()[0], expected="a whole Parquet file") from e

    return read


def parquet_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of a Parquet file, numbered from 1; moments in microseconds, where they are no finer."""
    import pyarrow as pa

    def values(column: pa.ChunkedArray) -> list[Any]:
        if not pa.types.is_timestamp(column.type):
            return list(column.to_pylist())
        if column.type.unit == "ns":
            finer = [None if x is None else divmod(x, 1000) for x in column.cast(pa.int64()).to_pylist()]
            return [None if x is None else Micros(x[0]) if not x[1] else f"{x[0]}.{x[1]:03} microseconds since 1970" for x in finer]
        micros = column.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64())
        return [None if x is None else Micros(x) for x in micros.to_pylist()]

    names = ("rowid", *table.column_names)
    return [dict(zip(names, row, strict=True)) for row in zip(range(1, len(table) + 1), *map(values, table.columns), strict=True)]


def orders_at_least(source: Path, least: int) -> bool:
    """Whether a folder of Parquet or a SQLite file has so many bets; False where it is neither."""
    try:
        if source.is_dir():
            import pyarrow.parquet as pq

            return bool(pq.read_metadata(source / "bets.parquet").num_rows >= least)
        with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            (count,) = db.execute("SELECT count(*) FROM (SELECT 1 FROM bets LIMIT ?)", (least,)).fetchone()
            return bool(count >= least)
    except (OSError, ValueError, sqlite3.Error):
        return False
