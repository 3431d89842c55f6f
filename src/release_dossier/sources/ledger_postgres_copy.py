"""Tables of PostgreSQL as columns: COPY in its binary form over the connection that holds the snapshot, taken apart by compiled code.

Rows are asked of libpq one by one, gathered to pieces of a few megabytes and taken apart by compiled code.
"""

from __future__ import annotations

import logging
import selectors
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from release_dossier.ledger.fast.big import NONE, SAFE
from release_dossier.ledger.fast.compiled import compiled
from release_dossier.ledger.fast.names import NOBODY, found
from release_dossier.ledger.identity import OTHER_SIDE
from release_dossier.sources.ledger_arrow import NotPlain
from release_dossier.sources.ledger_bets import Names, Piece
from release_dossier.sources.ledger_postgres import MOMENT, OTHER, TEXT, TRUTH, WHOLE
from release_dossier.sources.ledger_rows import YEAR_2, YEAR_10000

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGconn

T = TypeVar("T", pa.Table, Piece)
# psycopg logs what ends a COPY early a second time, and without a handler Python writes that to stderr.
logging.getLogger("psycopg").addHandler(logging.NullHandler())
HEADER_BYTES = 19  # signature, flags and the length of an extension, which is none
PIECE_BYTES = 8 * 1024 * 1024
WAIT_SECONDS = 1.0  # until libpq is asked again though nothing seems to have come
EPOCH_2000 = 946_684_800_000_000  # PostgreSQL counts microseconds from the year 2000
INFINITE = 2**62
KIND_OF_BETS = {
    "id": WHOLE, "username": TEXT, "market_id": WHOLE, "amount": WHOLE, "placed_at": MOMENT, "outcome": TEXT, "deleted_at": MOMENT
}  # fmt: skip
NAMES = frozenset(["username"])  # too many distinct ones for each piece to have its own dictionary
CAST = {WHOLE: "int8", MOMENT: "timestamptz", TRUTH: "bool", TEXT: "text"}


def copied(
    connection: psycopg.Connection[Any], schema: str, table: str, columns: Mapping[str, int], words: Collection[str],
    more: Callable[[int], None] = lambda rows: None, most: int | None = None,
) -> pa.Table:  # fmt: skip
    """Columns of a table, of all its rows or of some; `more` is told how many rows have come since it was last told."""
    return pa.concat_tables(_taken(_copy(connection, schema, table, columns, most), Parser(columns, words).part, more))


def bets(
    connection: psycopg.Connection[Any], schema: str, columns: Mapping[str, int], names: Names, more: Callable[[int], None]
) -> list[Piece]:  # fmt: skip
    """The bets as they lie, their users as numbers; `more` as for `copied`.

    Raises:
        NotPlain: a column of another kind, or a number or moment that columns do not hold.
    """
    if any(KIND_OF_BETS[name] != kind for name, kind in columns.items()):
        raise NotPlain
    parser = Parser(columns, ())
    return _taken(_copy(connection, schema, "bets", columns), lambda raw: parser.piece(raw, names), more)


def _taken(pieces: Iterable[bytes], take: Callable[[bytes], T], more: Callable[[int], None]) -> list[T]:
    """What `take` makes of each piece. What it refuses is raised when all have come: a COPY that is broken off breaks the transaction."""
    out: list[T] = []
    fault: Exception | None = None
    for piece in pieces:
        try:
            if fault is None:
                out.append(take(piece))
                more(len(out[-1].id if isinstance(out[-1], Piece) else out[-1]))
        except (NotPlain, pa.ArrowException, UnicodeError) as e:
            fault = e
    if fault is not None:
        raise fault
    return out


def _copy(
    connection: psycopg.Connection[Any], schema: str, table: str, columns: Mapping[str, int], most: int | None = None
) -> Iterator[bytes]:  # fmt: skip
    from psycopg import sql

    if OTHER in columns.values():
        raise NotPlain
    listed = sql.SQL(", ").join(sql.SQL("{}::" + CAST[kind]).format(sql.Identifier(name)) for name, kind in columns.items())
    rows = sql.SQL("" if most is None else f" LIMIT {most}")
    statement = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT binary)").format(listed, sql.Identifier(schema, table), rows)
    with connection.cursor() as cursor, cursor.copy(statement):
        yield from _pieces(connection.pgconn)


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
        self.place = {name: f for f, name in enumerate(columns)}
        self.value, self.length = np.zeros((len(columns), 0), np.int64), np.zeros((len(columns), 0), np.int32)

    def part(self, piece: bytes) -> pa.Table:
        """The rows of a piece as columns."""
        raw, value, length = self._room(piece)
        n = apart(raw, self.kinds, value, length)
        return pa.table({name: self._column(name, raw, value[f, :n], length[f, :n]) for name, f in self.place.items()})

    def piece(self, piece: bytes, names: Names) -> Piece:
        """The rows of a piece of `bets`."""
        raw, value, length = self._room(piece)
        place = np.array([self.place.get(name, -1) for name in KIND_OF_BETS], np.int64)
        n, (ids, user, market, amount, at, side, gone), wrong, odd = orders(
            raw, self.kinds, place, value, length, names.table, *names.known
        )
        if wrong:
            raise NotPlain
        if odd:
            names.number_strangers(user, raw, *(x[self.place["username"]] for x in (value, length)))
        start, size = (x[self.place["outcome"], :n] for x in (value, length))
        words = (
            {i: raw[start[i] : start[i] + max(0, size[i])].tobytes().decode() for i in np.flatnonzero(side == OTHER_SIDE).tolist()}
            if odd
            else {}
        )
        return Piece(ids, user, market, amount, at, side, words, gone).frozen()

    def _room(self, piece: bytes) -> tuple[Any, Any, Any]:
        """The bytes of a piece, and room for what `apart` makes of them, which holds until the next piece is taken apart."""
        raw = np.frombuffer(piece, np.uint8)
        most = len(raw) // (2 + 4 * len(self.kinds)) + 1
        if self.value.shape[1] < most:
            self.value, self.length = np.zeros((len(self.kinds), most), np.int64), np.zeros((len(self.kinds), most), np.int32)
        return raw, self.value, self.length

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
            return pa.array(_since_1970(value), mask=mask).cast(pa.timestamp("us", tz="UTC"))
        return pa.array(value != 0 if kind == TRUTH else value.copy(), mask=mask)


def _since_1970(value: Any) -> Any:
    """Microseconds since 1970 of those since 2000.

    Raises:
        NotPlain: one is infinity.
    """
    if len(value) and value.max() >= INFINITE:
        raise NotPlain
    return value + EPOCH_2000


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
def orders(raw: Any, fields: Any, place: Any, value: Any, length: Any, table: Any, data: Any, offsets: Any) -> tuple[int, Any, bool, bool]:
    """Take rows of `bets` apart: how many there were; their id, user, market, amount, moment, side and whether they are deleted; whether
    one is not plain; whether one names nobody, or a side that is neither. `place` has the field of each column, as KIND_OF_BETS lists them.
    """
    n = apart(raw, fields, value, length)
    id_, name, market_, amount_, placed, outcome, deleted = place
    user = found(table, data, offsets, raw, value[name, :n], length[name, :n])
    ids, market, amount, at = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    side, gone = np.empty(n, np.int8), np.zeros(n, np.bool_)
    wrong = False
    odd = False
    for i in range(n):
        ids[i] = value[id_, i]
        amount[i] = value[amount_, i]
        market[i] = value[market_, i] if length[market_, i] >= 0 else NONE
        wrong |= length[id_, i] < 0 or length[amount_, i] < 0 or amount[i] >= SAFE or amount[i] <= -SAFE
        at[i] = moment(value[placed, i], length[placed, i])
        wrong |= at[i] >= YEAR_10000
        begin = value[outcome, i]
        side[i] = OTHER_SIDE
        if length[outcome, i] == 3 and raw[begin] == 89 and raw[begin + 1] == 69 and raw[begin + 2] == 83:
            side[i] = 1
        elif length[outcome, i] == 2 and raw[begin] == 78 and raw[begin + 1] == 79:
            side[i] = 0
        odd |= side[i] == OTHER_SIDE or user[i] == NOBODY
        if deleted >= 0:
            when = moment(value[deleted, i], length[deleted, i])
            wrong |= when >= YEAR_10000
            gone[i] = when != NONE and when != 0
    return n, (ids, user, market, amount, at, side, gone), wrong, odd


@compiled
def moment(value: int, length: int) -> int:
    """Microseconds since 1970 of those since 2000; NONE where there is none or Go's own none; what has no end is beyond every year."""
    if length < 0:
        return NONE
    if value >= INFINITE:
        return YEAR_10000
    at = value + EPOCH_2000
    return NONE if at < YEAR_2 else at


@compiled
def gathered(raw: Any, start: Any, length: Any, data: Any) -> None:
    """Put texts one after the other."""
    at = 0
    for i in range(len(start)):
        for j in range(length[i]):
            data[at] = raw[start[i] + j]
            at += 1
