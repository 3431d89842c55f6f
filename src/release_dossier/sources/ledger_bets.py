"""Bets as columns, in pieces small enough to stay in the processor's cache: read once in order of ids for what they are, and hashed; then
put market by market, each in order of time, to be judged.

Those that fit are read once and held. Of a file with more, the second reading takes some markets at a time: row groups say which markets
they hold, so that a lot reads only those that have some of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from release_dossier.ledger import columns as c
from release_dossier.ledger.account import Step
from release_dossier.ledger.fast.big import NONE, SAFE, Orders
from release_dossier.ledger.fast.names import NOBODY, filled, found
from release_dossier.ledger.fast.order import count, late, put
from release_dossier.ledger.identity import OTHER_SIDE, Columns
from release_dossier.sources.ledger_arrow import WORDS, NotPlain, encoded, gone, moments, places, text_bytes, whole
from release_dossier.sources.ledger_rows import INT96

PIECE_ROWS = 65_536
GROUPS_AHEAD = 2  # row groups read while one is used: a small one among them is then no pause
HASHES_WAITING = 8  # pieces that may wait to be hashed
K = TypeVar("K")
V = TypeVar("V")


class OutOfOrder(NotPlain):
    """Rows that do not lie in order of ids, or one twice."""


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

    def frozen(self) -> Piece:
        """The same, where Arrow's own memory may not be written to: compiled code then sees one kind of array."""
        for column in (self.id, self.amount, self.at):
            column.flags.writeable = False
        return self

    def alone(self) -> Piece:
        """The same without what else lies in Arrow's memory."""
        ids, market, amount, at = (x.copy() for x in (self.id, self.market, self.amount, self.at))
        return self._replace(id=ids, market=market, amount=amount, at=at).frozen()

    def row(self, i: int) -> tuple[Any, ...]:
        """One row, its user as a number."""
        side = self.odd.get(i, "YES" if self.side[i] == 1 else "NO")
        return int(self.id[i]), int(self.user[i]), int(self.market[i]), int(self.amount[i]), side, int(self.at[i]), bool(self.gone[i])


_EMPTY = np.zeros(0, np.int64)
NOTHING = Piece(_EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, {}, np.zeros(0, bool))


def number_after(word: str, names: list[str], extra: list[str]) -> int:
    """The number of a name no user has: after those of users, as it came to `extra`."""
    if word not in extra:
        extra.append(word)
    return len(names) + extra.index(word)


class Names:
    """Numbers of users by their names. Names no user has are numbered after them, in order of appearance."""

    def __init__(self, names: list[str]) -> None:
        self.__setstate__((text_bytes(pa.array(names, pa.string())), len(names), {}))

    def __getstate__(self) -> tuple[tuple[Any, Any], int, dict[str, int]]:
        """What is carried to another process: the table is filled there sooner than it is sent."""
        return self.known, self.users, self.strangers

    def __setstate__(self, state: tuple[tuple[Any, Any], int, dict[str, int]]) -> None:
        self.known, self.users, self.strangers = state
        self.table = filled(*self.known)
        self.last: tuple[tuple[int, ...], pa.Array, Any] | None = None

    def of(self, column: pa.DictionaryArray) -> Any:
        """The numbers of those a column names; -1 for NULL."""
        at, numbers = places(column.indices), self._numbers(column.dictionary)
        user = numbers[at]
        new = at[user == NOBODY]
        if len(new):
            for i in dict.fromkeys(new.tolist()):
                numbers[i] = self.strangers.setdefault(column.dictionary[i].as_py(), self.users + len(self.strangers))
            user = numbers[at]
        return user

    def _numbers(self, dictionary: pa.Array) -> Any:
        """The number of each word of a dictionary, then -1: worked out once for all pieces that share it."""
        lies = (*(b.address if b else 0 for b in dictionary.buffers()), dictionary.offset, len(dictionary))
        if self.last is None or self.last[0] != lies:
            if dictionary.null_count:
                raise NotPlain
            raw, where = text_bytes(dictionary.cast(pa.string()))
            numbers = found(self.table, *self.known, raw, where[:-1], np.diff(where))
            self.last = lies, dictionary, np.append(numbers, np.int32(-1))
        return self.last[2]

    def number_strangers(self, user: Any, raw: Any, start: Any, length: Any) -> None:
        """Number those `found` knows as NOBODY: name i stands in `raw` from start[i] on for length[i] bytes."""
        for i in np.flatnonzero(user == NOBODY).tolist():
            word = raw[start[i] : start[i] + length[i]].tobytes().decode()
            user[i] = self.strangers.setdefault(word, self.users + len(self.strangers))

    def appeared(self, user: Any) -> Any:
        """The same numbers, where rows that lie in another order than they were read name strangers: again in order of appearance."""
        _, first = np.unique(user[user >= self.users], return_index=True)
        words = list(self.strangers)
        order = np.argsort(first)
        self.strangers = {words[i]: self.users + place for place, i in enumerate(order.tolist())}
        number = np.empty(len(words), np.int32)
        number[order] = np.arange(self.users, self.users + len(words))
        return np.where(user >= self.users, number[np.maximum(user - self.users, 0)], user) if words else user


class Copied:
    """Bets that have been read, piece by piece, into memory; `first` has one of their rows."""

    count, may_keep, held = 1, 0, True

    def __init__(self, read: list[Piece], names: Names, first: pa.Table) -> None:
        self.known, self.first_row = names, first
        self.pieces = in_order(read, names)
        self.rows = sum(len(p.id) for p in self.pieces)

    def __call__(self, _: int) -> list[Piece]:
        return self.pieces

    def first(self) -> pa.Table:
        """One row, for what the table lacks."""
        return self.first_row


def order_of(ids: Any) -> Any | None:
    """The places of ids in order; None where they lie so.

    Raises:
        NotPlain: one is there twice.
    """
    if not len(ids) or (ids[1:] > ids[:-1]).all():
        return None
    order = np.argsort(ids, kind="stable")
    if (ids[order][1:] == ids[order][:-1]).any():
        raise NotPlain
    return order


def in_order(read: list[Piece], names: Names) -> list[Piece]:
    """Pieces whose rows lie in order of ids.

    Raises:
        NotPlain: two rows have one id.
    """
    ids = np.concatenate([_EMPTY, *(p.id for p in read)])
    order = order_of(ids)
    if order is None:
        return read
    ids = ids[order]
    user, market, amount, at, side, away = (
        np.concatenate([getattr(p, column) for p in read])[order] for column in ("user", "market", "amount", "at", "side", "gone")
    )
    user = names.appeared(user)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    lies = np.cumsum([0, *(len(p.id) for p in read)]).tolist()
    odd: list[dict[int, str]] = [{} for _ in range(0, len(order), PIECE_ROWS)]
    for begin, p in zip(lies, read, strict=False):
        for i, word in p.odd.items():
            which, row = divmod(int(place[begin + i]), PIECE_ROWS)
            odd[which][row] = word
    cuts = (slice(begin, begin + PIECE_ROWS) for begin in range(0, len(order), PIECE_ROWS))
    return [
        Piece(ids[cut], user[cut], market[cut], amount[cut], at[cut], side[cut], theirs, away[cut]).frozen()
        for cut, theirs in zip(cuts, odd, strict=True)
    ]


class RowGroups:
    """The row groups of a Parquet file, read one by one; `held` in memory where there are no more than `rows_at_once`."""

    def __init__(self, file: Path, names: list[str], rows_at_once: int, may_keep: int = 0) -> None:
        import pyarrow.parquet as pq

        self.file, self.names, self.may_keep = file, names, may_keep
        of = pq.read_metadata(file)
        self.count, self.rows, self.held = int(of.num_row_groups), int(of.num_rows), bool(of.num_rows <= rows_at_once)

    def __call__(self, group: int) -> pa.Table:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.file, read_dictionary=[n for n in self.names if n in WORDS], **INT96) as source:
            return source.read_row_group(group, columns=self.names)

    def whole(self) -> pa.Table:
        """All of them together."""
        return pa.concat_tables([self(group) for group in range(self.count)])

    def first(self) -> pa.Table:
        """One row, for what the table lacks."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.file, **INT96) as source:
            schema = pa.schema([source.schema_arrow.field(name) for name in self.names])
            return pa.Table.from_batches(islice(source.iter_batches(1, columns=self.names), 1), schema)


def pieces(table: pa.Table, names: Names) -> Iterator[Piece]:
    """A table in order of ids, taken apart."""
    for batch in encoded(table).to_batches(PIECE_ROWS):
        ids, amount = whole(batch.column("id")), safe(whole(batch.column("amount")))
        side, odd = _sides(batch.column("outcome"))
        market, at = whole(batch.column("market_id"), NONE), moments(batch.column("placed_at"))
        yield Piece(ids, names.of(batch.column("username")), market, amount, at, side, odd, gone(batch)).frozen()


def safe(amount: Any) -> Any:
    """Amounts that add up in 64 bits however many there are.

    Raises:
        NotPlain: one does not.
    """
    if len(amount) and (amount.max() >= SAFE or amount.min() <= -SAFE):
        raise NotPlain
    return amount


def _sides(column: pa.DictionaryArray) -> tuple[Any, dict[int, str]]:
    """1 for YES, 0 for NO, 2 for what else is there, which is given by row."""
    at, distinct = places(column.indices), column.dictionary.to_pylist()
    codes = np.array([{"YES": 1, "NO": 0}.get(w or "", OTHER_SIDE) for w in distinct] + [OTHER_SIDE], np.int8)
    side = codes[at]
    return side, {i: (distinct[at[i]] or "") if at[i] >= 0 else "" for i in np.flatnonzero(side == OTHER_SIDE).tolist()}


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


def read_ahead(read: Callable[[K], V], keys: Iterable[K], ahead: int = 1) -> Iterator[V]:
    """What `read` makes of each key in turn, the next one, or so many, while the last is used; begun at once."""
    aside, left = ThreadPoolExecutor(ahead), iter(keys)
    coming = deque(aside.submit(read, key) for key in islice(left, ahead))

    def in_turn() -> Iterator[V]:
        with aside:
            for key in left:
                coming.append(aside.submit(read, key))
                yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()

    return in_turn()


class Watched:
    """A reading of so many rows that somebody waits for: may be told to stop, and says how far it is."""

    def __init__(self, stop: Event, step: Step | None, rows: int) -> None:
        self.stop, self.step, self.rows = stop, step, rows

    def read(self, done: int) -> None:
        """So many of them are read."""
        if self.stop.is_set():
            raise NotPlain  # nobody waits any more
        if self.step is not None:
            self.step(done, self.rows)


class Bets:
    """Bets of a ledger, whose rows lie group by group in order of ids.

    For the second reading `read` gives a group once more, but for those of the first `may_keep` rows; without it all are held.
    """

    def __init__(self, read: Callable[[int], pa.Table] | None, names: Names, may_keep: int = 0) -> None:
        self.read, self.names, self.held = read, names, read is None
        self.kept: dict[int, list[Piece]] = {}
        self.may_keep = may_keep

    def learn(
        self, ids: Any, hashes: Columns, seen: Callable[[Any], None], watched: Watched, groups: Iterable[pa.Table | list[Piece]]
    ) -> None:  # fmt: skip
        """The first reading: what every row is, hashed; how many orders each market has; and the rows that are none.

        Args:
            ids: of the markets, in order.
            seen: is told the moments of the rows, piece by piece.
            watched: is told how many rows are read, and may end it.
            groups: all of them, in order of ids.
        Raises:
            NotPlain: something in them is for the readers of rows, or they do not lie in order of ids.
        """
        self.ids = ids
        self.counts = np.zeros(len(ids), np.int64)
        self.spread: list[tuple[int, int]] = []
        self.rest: list[tuple[Any, ...]] = []
        strange: dict[int, int] = {}
        sides: list[str] = []
        before = self.last_order = NONE
        done = 0
        waiting: deque[Future[None]] = deque()
        with ThreadPoolExecutor(1) as aside:
            for group, lies in enumerate(groups):
                low, high = 0, -1
                rows = sum(len(p.id) for p in lies) if isinstance(lies, list) else lies.num_rows
                for piece in self._pieces(lies):
                    if len(piece.id) and (int(piece.id[0]) <= before or (piece.id[1:] <= piece.id[:-1]).any()):
                        raise OutOfOrder
                    before = int(piece.id[-1]) if len(piece.id) else before
                    waiting.append(aside.submit(_hash, hashes, piece))
                    while len(waiting) > HASHES_WAITING:
                        waiting.popleft().result()
                    sides += [piece.odd[i] for i in sorted(piece.odd)]
                    live = piece.live
                    self.rest += [piece.row(i) for i in np.flatnonzero(~live).tolist()]
                    market, at = (x if live.all() else x[live] for x in (piece.market, piece.at))
                    if len(market):
                        number, _ = numbered_markets(market, ids)
                        beyond = market[number >= len(ids)]
                        for i, n in zip(*np.unique(beyond, return_counts=True), strict=True) if len(beyond) else ():
                            strange[int(i)] = strange.get(int(i), 0) + int(n)
                        count(number, self.counts)
                        least, most = int(market.min()), int(market.max())
                        low, high = (least, most) if high < low else (min(low, least), max(high, most))
                        self.last_order = max(self.last_order, int(at.max()))
                    seen(piece.at)
                    if self.held or rows <= self.may_keep:
                        self.kept.setdefault(group, []).append(piece if self.held else piece.alone())
                self.may_keep -= rows if group in self.kept else 0
                self.spread.append((low, high))
                done += rows
                watched.read(done)
            for hashed in waiting:
                hashed.result()
        self.names.last = None
        _hash(hashes, NOTHING)  # a table without rows is hashed too
        hashes.add(strangers=list(self.names.strangers), sides=sides)
        self.strange = sorted(strange)
        self.strange_counts = np.array([strange[i] for i in self.strange], np.int64)
        self.live = int(self.counts.sum() + self.strange_counts.sum())

    def named(self, names: list[str], extra: list[str]) -> tuple[c.Bet, ...]:
        """Give the names no user has their place after those of users and after `extra`; the rows that are no orders."""
        self.shift = np.arange(len(names) + len(self.names.strangers), dtype=np.int32)
        for word, i in self.names.strangers.items():
            self.shift[i] = number_after(word, names, extra)
        every = [*names, *self.names.strangers]
        return tuple(
            c.Bet(b, every[u] if u >= 0 else None, m if m != NONE else None, a, side, t if t != NONE else None, deleted)
            for b, u, m, a, side, t, deleted in self.rest
        )

    def lots(self, rows_at_once: int) -> Iterator[tuple[int, int]]:
        """Numbers of as many markets as may be held at once, one lot after the other; last those of markets nobody knows.

        A lot of at least half as many ends where row groups do, if any do: no group is then read for two lots.
        """
        n = len(self.ids)
        through = np.cumsum(self.counts)
        inside = np.zeros(n + 1, np.int64)  # of how many row groups: where one ends and none goes on, that is none
        for low, high in self.spread:
            begin, end = np.searchsorted(self.ids, (low, high), "right").tolist()
            inside[min(begin, end)] += 1
            inside[end] -= 1
        between = np.flatnonzero(np.cumsum(inside) == 0)
        first = 0
        while first < n:
            held = int(through[first - 1]) if first else 0
            half, last = np.searchsorted(through, (held + rows_at_once // 2, held + rows_at_once), "right").tolist()
            last = min(n, max(first + 1, last))
            ends = between[np.searchsorted(between, half, "right") : np.searchsorted(between, last, "right")]
            last = int(ends[-1]) if len(ends) and last < n else last
            yield first, last
            first = last
        if self.strange:
            yield n, n + len(self.strange)

    def of_lot(self, lot: tuple[int, int]) -> Orders:
        """Orders of one of `lots`."""
        return self.lot(*lot)

    def _read_or_kept(self, group: int) -> pa.Table | list[Piece]:
        return self.kept[group] if self.read is None or group in self.kept else self.read(group)

    def _pieces(self, group: pa.Table | list[Piece]) -> Iterable[Piece]:
        return group if isinstance(group, list) else pieces(group, self.names)

    def lot(self, first: int, last: int) -> Orders:
        """Orders of the markets with these numbers: those somebody knows, or those nobody knows."""
        n = len(self.ids)
        known = first < n
        sizes = self.counts[first:last] if known else self.strange_counts
        low, high = (int(self.ids[first]), int(self.ids[last - 1])) if known else (-(2**63), 2**63 - 1)
        start = np.append(0, np.cumsum(sizes))
        rows = int(start[-1])
        out = [np.empty(rows, kind) for kind in (np.int64, np.int32, np.int64, np.int8, np.int64)]
        free, odd = start[:-1].copy(), dict[int, str]()
        groups = [group for group, (least, most) in enumerate(self.spread) if low <= most and least <= high]
        for piece in chain.from_iterable(map(self._pieces, read_ahead(self._read_or_kept, groups, GROUPS_AHEAD))):
            number, _ = numbered_markets(piece.market, self.ids)
            if not known:
                number = np.where(number >= n, n + np.searchsorted(np.array(self.strange, np.int64), piece.market), 0)
            user = self.shift[piece.user] if self.names.strangers else piece.user
            where = np.full(len(number), -1, np.int64)
            put(number, first, last, piece.live, free, where, (piece.id, user, piece.amount, piece.side, piece.at), tuple(out))
            odd |= {int(where[i]): w for i, w in piece.odd.items() if where[i] >= 0}
        _in_time(start, out, odd)
        ids, user, amount, yes, at = out
        return Orders(ids, user, np.repeat(np.arange(first, last), sizes), amount, yes, at, odd)


def _hash(hashes: Columns, piece: Piece) -> None:
    user = piece.user.astype(np.int64)
    user[user < 0] = NONE
    hashes.add(
        id=piece.id, user=user, market=piece.market, amount=piece.amount, placed_at=piece.at, side=piece.side, deleted=piece.gone
    )  # fmt: skip


def _in_time(start: Any, columns: list[Any], odd: dict[int, str]) -> None:
    """Put the orders of markets in which a later row is an earlier order in order of time, those of one moment as they lie."""
    at = columns[-1]
    for m in late(start, at).tolist():
        first, last = int(start[m]), int(start[m + 1])
        order = np.argsort(at[first:last], kind="stable")
        for column in columns:
            column[first:last] = column[first:last][order]
        if odd:
            moved = {first + int(old): first + new for new, old in enumerate(order.tolist()) if first + int(old) in odd}
            theirs = {moved[i]: odd.pop(i) for i in list(moved)}
            odd |= theirs
