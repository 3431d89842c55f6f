"""Tables of PostgreSQL as columns: COPY in its binary form over the connection that holds the snapshot, taken apart by compiled code.

Rows are gathered to pieces of a few megabytes and taken apart on another thread while the next ones arrive, so reading costs little more
than the rows take to come.
"""

from __future__ import annotations

import selectors
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from release_dossier.ledger.fast.compiled import compiled
from release_dossier.sources.ledger_postgres import MOMENT, TEXT, TRUTH, WHOLE

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGconn

HEADER_BYTES = 19  # signature, flags and the length of an extension, which is none
PIECE_BYTES = 4 * 1024 * 1024
WAIT_SECONDS = 1.0  # until libpq is asked again though nothing seems to have come
EPOCH_2000 = 946_684_800_000_000  # PostgreSQL counts microseconds from the year 2000
CAST = {WHOLE: "int8", MOMENT: "timestamptz", TRUTH: "bool", TEXT: "text"}


def copied(connection: psycopg.Connection[Any], schema: str, table: str, columns: Mapping[str, int], words: Collection[str]) -> pa.Table:
    """Columns of a table."""
    from psycopg import sql

    listed = sql.SQL(", ").join(sql.SQL("{}::" + CAST[kind]).format(sql.Identifier(name)) for name, kind in columns.items())
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)").format(listed, sql.Identifier(schema, table))
    with ThreadPoolExecutor(1) as aside, connection.cursor() as cursor, cursor.copy(statement):
        made = [aside.submit(_part, piece, columns, words) for piece in _pieces(connection.pgconn)]
    parts = [m.result() for m in made]
    return pa.concat_tables(parts) if parts else _part(b"", columns, words)


def _pieces(server: PGconn) -> Iterator[bytes]:
    """Rows as they come, many to a piece, each piece ending with a row. Asked of libpq itself: psycopg's own loop takes twice as long.

    Raises:
        psycopg.Error: the statement failed, or the server went away.
    """
    from psycopg.errors import error_from_result
    from psycopg.pq import ExecStatus

    piece = bytearray()
    skip = HEADER_BYTES
    row_or_none = server.get_copy_data
    with selectors.DefaultSelector() as waiting:
        waiting.register(server.socket, selectors.EVENT_READ)
        while True:
            size, row = row_or_none(1)
            if size > 0:
                piece += row
                if len(piece) >= PIECE_BYTES:
                    yield bytes(piece[skip:]) if skip else bytes(piece)
                    skip = 0
                    piece.clear()
            elif size == 0:
                waiting.select(WAIT_SECONDS)
                server.consume_input()
            else:
                break
    while result := server.get_result():
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)
    yield bytes(piece[skip:])


def _part(piece: bytes, columns: Mapping[str, int], words: Collection[str]) -> pa.Table:
    raw = np.frombuffer(piece, np.uint8)
    fields = np.array(list(columns.values()), np.int64)
    most = len(raw) // (2 + 4 * len(fields)) + 1
    value, length = np.zeros((len(fields), most), np.int64), np.zeros((len(fields), most), np.int32)
    n = apart(raw, fields, value, length)
    out = {}
    for f, (name, kind) in enumerate(columns.items()):
        missing = length[f, :n] < 0
        if kind == TEXT:
            column = _text(raw, value[f, :n], np.maximum(length[f, :n], 0), missing)
            out[name] = column.dictionary_encode() if name in words else column
        elif kind == MOMENT:
            micros = value[f, :n]
            within = np.abs(micros) < 2**62  # infinity is a time no column of ours holds
            out[name] = pa.array(np.where(within, micros + EPOCH_2000, 2**62), mask=missing).cast(pa.timestamp("us", tz="UTC"))
        else:
            out[name] = pa.array(value[f, :n] != 0 if kind == TRUTH else value[f, :n], mask=missing)
    return pa.table(out)


def _text(raw: Any, start: Any, length: Any, missing: Any) -> pa.Array:
    offsets = np.concatenate(([0], np.cumsum(length))).astype(np.int32)
    data = np.empty(int(offsets[-1]), np.uint8)
    gathered(raw, start, length, data)
    valid = np.packbits(~missing, bitorder="little")
    buffers = [pa.py_buffer(valid), pa.py_buffer(offsets), pa.py_buffer(data)]
    column = pa.Array.from_buffers(pa.string(), len(start), buffers)
    column.validate(full=True)
    return column


@compiled
def apart(raw: Any, fields: Any, value: Any, length: Any) -> int:
    """Take rows apart: value[f, i] is a number, or where a text begins; length[f, i] its bytes, -1 for NULL. How many rows there were."""
    at = 0
    n = 0
    while at + 2 <= len(raw):
        count = raw[at] * 256 + raw[at + 1]
        at += 2
        if count != len(fields):
            break
        for f in range(len(fields)):
            size: Any = (np.int64(raw[at]) << 24) | (np.int64(raw[at + 1]) << 16) | (np.int64(raw[at + 2]) << 8) | np.int64(raw[at + 3])
            at += 4
            if size >= 2147483648:
                length[f, n] = -1
                value[f, n] = 0
                continue
            length[f, n] = size
            if fields[f] == 3:
                value[f, n] = at
            else:
                for j in range(size):
                    value[f, n] = (value[f, n] << 8) | np.int64(raw[at + j])
            at += size
        n += 1
    return n


@compiled
def gathered(raw: Any, start: Any, length: Any, data: Any) -> None:
    """Put texts one after the other."""
    at = 0
    for i in range(len(start)):
        for j in range(length[i]):
            data[at] = raw[start[i] + j]
            at += 1
