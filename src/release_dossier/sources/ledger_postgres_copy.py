"""Tables of PostgreSQL as columns: COPY in its binary form over the connection that holds the snapshot, taken apart by compiled code.

Rows are asked of libpq one by one, gathered to pieces of a few megabytes and taken apart by compiled code.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Collection, Iterator, Mapping
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
NAMES = frozenset(["username"])  # too many distinct ones for each piece to have its own dictionary
CAST = {WHOLE: "int8", MOMENT: "timestamptz", TRUTH: "bool", TEXT: "text"}


def copied(
    connection: psycopg.Connection[Any], schema: str, table: str, columns: Mapping[str, int], words: Collection[str],
    more: Callable[[int], None] = lambda rows: None,
) -> pa.Table:  # fmt: skip
    """Columns of a table; `more` is told how many rows have come since it was last told."""
    from psycopg import sql

    listed = sql.SQL(", ").join(sql.SQL("{}::" + CAST[kind]).format(sql.Identifier(name)) for name, kind in columns.items())
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)").format(listed, sql.Identifier(schema, table))
    parser = Parser(columns, words)
    with connection.cursor() as cursor, cursor.copy(statement):
        parts = []
        for piece in _pieces(connection.pgconn):
            parts.append(parser.part(piece))
            more(len(parts[-1]))
    return pa.concat_tables(parts)


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


class Parser:
    """Takes pieces apart; what it works on is kept from piece to piece, for fresh memory costs more than the work."""

    def __init__(self, columns: Mapping[str, int], words: Collection[str]) -> None:
        self.columns, self.words = columns, words
        self.kinds = np.array(list(columns.values()), np.int64)
        self.value, self.length = np.zeros((len(columns), 0), np.int64), np.zeros((len(columns), 0), np.int32)

    def part(self, piece: bytes) -> pa.Table:
        """The rows of a piece as columns."""
        raw = np.frombuffer(piece, np.uint8)
        most = len(raw) // (2 + 4 * len(self.kinds)) + 1
        if self.value.shape[1] < most:
            self.value, self.length = np.zeros((len(self.kinds), most), np.int64), np.zeros((len(self.kinds), most), np.int32)
        n = apart(raw, self.kinds, self.value, self.length)
        columns = zip(self.columns, self.value[:, :n], self.length[:, :n], strict=True)
        return pa.table({name: self._column(name, raw, value, length) for name, value, length in columns})

    def _column(self, name: str, raw: Any, value: Any, length: Any) -> pa.Array:
        missing = length < 0
        mask = missing if missing.any() else None
        kind = self.columns[name]
        if kind == TEXT:
            column = _text(raw, value, np.maximum(length, 0), missing)
            return column.dictionary_encode() if name in self.words and name not in NAMES else column
        if kind == MOMENT and mask is not None and mask.all():
            return pa.nulls(len(value), pa.timestamp("us", tz="UTC"))
        if kind == MOMENT:
            within = np.abs(value) < 2**62  # infinity is a time no column of ours holds
            return pa.array(np.where(within, value + EPOCH_2000, 2**62), mask=mask).cast(pa.timestamp("us", tz="UTC"))
        return pa.array(value != 0 if kind == TRUTH else value.copy(), mask=mask)


def _text(raw: Any, start: Any, length: Any, missing: Any) -> pa.Array:
    offsets = np.zeros(len(length) + 1, np.int32)
    np.cumsum(length, out=offsets[1:])
    data = np.empty(int(offsets[-1]), np.uint8)
    gathered(raw, start, length, data)
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    column = pa.Array.from_buffers(pa.string(), len(start), [valid, pa.py_buffer(offsets), pa.py_buffer(data)])
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
            elif size == 8:
                number: Any = np.int64(0)
                for j in range(8):  # of known length: unrolled
                    number = (number << 8) | np.int64(raw[at + j])
                value[f, n] = number
            else:
                value[f, n] = raw[at]  # yes or no
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
