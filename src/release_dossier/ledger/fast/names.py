"""Finding names among many: a hash table of their bytes, filled once and asked for every dictionary and every row that is read.

Where a name lies is looked up for many names at a time, step by step: the memory that one waits for is fetched for the others meanwhile.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from release_dossier.ledger.fast.compiled import compiled

NOBODY = -2
TOGETHER = 128  # names looked up at a time


@compiled
def mark_of(data: Any, begin: int, end: int) -> int:
    """A mark of a name, from 0 to 2^62 - 1: its bytes, eight at a time and then the rest with their number, mixed as MurmurHash3 ends."""
    h = np.uint64(11400714819323198485)
    at = begin
    while at + 8 <= end:
        word = np.uint64(0)
        for j in range(8):  # of known length: one load
            word |= np.uint64(data[at + j]) << np.uint64(8 * j)
        h = (h ^ word) * np.uint64(18397679294719823053)
        h ^= h >> np.uint64(32)
        at += 8
    rest = np.uint64(end - at) << np.uint64(56)
    for j in range(end - at):
        rest |= np.uint64(data[at + j]) << np.uint64(8 * j)
    h = (h ^ rest) * np.uint64(18397679294719823053)
    h ^= h >> np.uint64(32)
    return np.int64(h >> np.uint64(2))  # type: ignore[return-value]


@compiled
def filled(data: Any, offsets: Any) -> Any:
    """The table of names, which are all different: name i is data[offsets[i]:offsets[i + 1]]. A row has its number and its mark."""
    slots = 1
    while slots < 2 * len(offsets):
        slots *= 2
    table = np.full((slots, 2), NOBODY, np.int64)
    for i in range(len(offsets) - 1):
        mark = mark_of(data, offsets[i], offsets[i + 1])
        at = mark & (slots - 1)
        while table[at, 0] != NOBODY:
            at = (at + 1) & (slots - 1)
        table[at, 0] = i
        table[at, 1] = mark
    return table


@compiled
def is_name(number: int, data: Any, offsets: Any, asked: Any, begin: int, size: int) -> bool:
    """Whether asked[begin:begin + size] is the name with that number."""
    first = offsets[number]
    if offsets[number + 1] - first != size:
        return False
    same = 0
    while same < size and data[first + same] == asked[begin + same]:
        same += 1
    return same == size


@compiled
def found(table: Any, data: Any, offsets: Any, asked: Any, start: Any, length: Any) -> Any:
    """The number of each name asked for, name i being asked[start[i]:start[i] + length[i]]: NOBODY where there is none, -1 where its length
    is below nothing."""
    out = np.empty(len(start), np.int32)
    mark = np.empty(TOGETHER, np.int64)
    place = np.empty(TOGETHER, np.int64)
    last = len(table) - 1
    for begin in range(0, len(start), TOGETHER):
        some = min(TOGETHER, len(start) - begin)
        for i in range(some):
            mark[i] = mark_of(asked, start[begin + i], start[begin + i] + max(0, length[begin + i]))
        for i in range(some):
            at = mark[i] & last
            while table[at, 0] != NOBODY and table[at, 1] != mark[i]:
                at = (at + 1) & last
            place[i] = at
        for i in range(some):
            first, size, at = start[begin + i], length[begin + i], place[i]
            while table[at, 0] != NOBODY and not is_name(table[at, 0], data, offsets, asked, first, size):
                at = (at + 1) & last  # two names with one mark, or the next name's place
            out[begin + i] = table[at, 0] if size >= 0 else -1
    return out
