"""Columns of Arrow as arrays. Only what is plain becomes one: whole numbers in a column of whole numbers, times in a column of times."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from release_dossier.ledger.fast.big import NONE
from release_dossier.sources.ledger_rows import YEAR_2, YEAR_10000


class NotPlain(Exception):
    """A column that only the readers of rows may judge."""


Column: TypeAlias = "pa.Array | pa.ChunkedArray"
WORDS = frozenset(["username", "outcome", "user_type", "resolution_result", "lifecycle_status", "creator_username", "steward_username"])


def whole(column: Column, null: int | None = None) -> Any:
    """A column of whole numbers; `null` stands where there is none, without it there must be one."""
    if pa.types.is_null(column.type):
        column = column.cast(pa.int64())
    if not pa.types.is_integer(column.type) or column.type == pa.uint64() or (column.null_count and null is None):
        raise NotPlain
    filled = column.fill_null(null) if column.null_count else column
    return np.ascontiguousarray(filled.cast(pa.int64()).to_numpy())


def moments(column: Column) -> Any:
    """A column of times as microseconds since 1970 UTC; NONE where there is none, or Go's own none.

    Raises:
        pa.ArrowInvalid: one is finer.
    """
    if pa.types.is_null(column.type):
        return np.full(len(column), NONE, np.int64)
    if not pa.types.is_timestamp(column.type):
        raise NotPlain
    micros = column.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64())
    found = (micros.fill_null(NONE) if micros.null_count else micros).to_numpy()
    if not len(found):
        return found
    if found.max() >= YEAR_10000:
        raise NotPlain
    return np.where(found < YEAR_2, NONE, found) if found.min() < YEAR_2 else np.ascontiguousarray(found)


def truth(column: pa.ChunkedArray) -> Any:
    """A column of yes and no; NULL is no."""
    if pa.types.is_integer(column.type):
        return whole(column, 0) != 0
    if not pa.types.is_boolean(column.type):
        raise NotPlain
    return column.fill_null(False).to_numpy().astype(bool)


def gone(rows: pa.Table | pa.RecordBatch) -> Any:
    """Which rows are deleted."""
    if "deleted_at" not in rows.schema.names:
        return np.zeros(rows.num_rows, bool)
    column = rows.column("deleted_at")
    if pa.types.is_timestamp(column.type) and column.null_count == len(column):
        return np.zeros(len(column), bool)
    when = moments(column)
    return (when != NONE) & (when != 0)


def words(column: Column) -> Any:
    """A column of words with a dictionary of distinct ones."""
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_dictionary(column.type):
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise NotPlain
        return column.dictionary_encode()
    if not (pa.types.is_string(column.type.value_type) or pa.types.is_large_string(column.type.value_type)):
        raise NotPlain
    return column


def encoded(table: pa.Table) -> pa.Table:
    """A table whose columns of words have dictionaries."""
    for i, name in enumerate(table.column_names):
        if name in WORDS:
            table = table.set_column(i, name, words(table[name]))
    return table


def text(column: pa.ChunkedArray) -> tuple[Any, list[str | None]]:
    """A column of words as places in a list of distinct ones; -1 for NULL."""
    column = words(column)
    if not column.num_chunks:
        return np.zeros(0, np.int64), []
    one = column.unify_dictionaries()
    return np.concatenate([places(chunk.indices) for chunk in one.chunks]), one.chunk(0).dictionary.to_pylist()


def places(indices: pa.Array) -> Any:
    """Places in a dictionary; -1 for NULL."""
    return (indices.fill_null(-1) if indices.null_count else indices).to_numpy(zero_copy_only=False)


def text_bytes(column: pa.Array) -> tuple[Any, Any]:
    """A column of text without NULL as UTF-8 one after the other, and where each begins; the last entry is where the last one ends."""
    _, offsets, data = column.buffers()
    where = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1] if offsets else np.zeros(1, np.int32)
    where = where if len(where) else np.zeros(1, np.int32)
    raw = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    for part in (where, raw):
        part.flags.writeable = False
    return raw, where
