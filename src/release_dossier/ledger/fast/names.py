"""Finding names among many: a hash table of their bytes, filled once and asked for every dictionary that is read."""

from __future__ import annotations

from typing import Any

import numpy as np

from release_dossier.ledger.fast.compiled import compiled

NOBODY = -2


@compiled
def place_of(data: Any, begin: int, end: int, slots: int) -> int:
    """Where a name is looked for first: FNV-1a of its bytes, 32 bits. `slots` is a power of two."""
    h = 2166136261
    for i in range(begin, end):
        h = ((h ^ int(data[i])) * 16777619) & 0xFFFFFFFF
    return (h ^ (h >> 16)) & (slots - 1)


@compiled
def filled(data: Any, offsets: Any) -> Any:
    """The table of names, which are all different: name i is data[offsets[i]:offsets[i + 1]]."""
    slots = 1
    while slots < 2 * len(offsets):
        slots *= 2
    table = np.full(slots, NOBODY, np.int32)
    for i in range(len(offsets) - 1):
        at = place_of(data, offsets[i], offsets[i + 1], slots)
        while table[at] != NOBODY:
            at = (at + 1) & (slots - 1)
        table[at] = i
    return table


@compiled
def found(table: Any, data: Any, offsets: Any, asked: Any, asked_offsets: Any) -> Any:
    """The number of each name asked for, NOBODY where there is none."""
    out = np.full(len(asked_offsets) - 1, NOBODY, np.int32)
    for i in range(len(out)):
        begin, end = asked_offsets[i], asked_offsets[i + 1]
        at = place_of(asked, begin, end, len(table))
        while table[at] != NOBODY:
            other = table[at]
            first = offsets[other]
            if offsets[other + 1] - first == end - begin:
                same = 0
                while same < end - begin and data[first + same] == asked[begin + same]:
                    same += 1
                if same == end - begin:
                    out[i] = other
                    break
            at = (at + 1) & (len(table) - 1)
    return out
