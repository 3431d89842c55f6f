"""The list of releases: filters with counts, search, order, pages. Shared by the Releases page and the API.

Each value of each facet is an integer with one bit a release, newest release first, so that 10,000 releases are filtered and counted in
well under a millisecond. Within a facet values are alternatives; facets narrow each other; a count says how many releases a value would
leave under all the other facets.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from release_dossier.errors import Refused
from release_dossier.web.rounds import STATUSES, Round

PAGE_ROWS = 50
FACETS = ("status", "service", "owner", "age", "waiver", "failing")
AGES = ("fresh", "ending", "ended", "none")  # of the evidence that ends first: longer than a day, within a day, over, nothing ends
SORTS = ("newest", "ending")
SOON = timedelta(days=1)
_CLOSED = ("released", "withdrawn")


class Query(msgspec.Struct, frozen=True):
    """What is asked of the list. `chosen` is facet → values; `page` counts from 1."""

    q: str = ""
    chosen: Mapping[str, tuple[str, ...]] = {}
    sort: str = "newest"
    page: int = 1


class Choice(msgspec.Struct, frozen=True):
    """A value of a facet: how many releases it would leave, and whether it is chosen."""

    value: str
    count: int
    chosen: bool


class Selection(msgspec.Struct, frozen=True):
    """A page of releases, how many there are in all, and the facets."""

    rows: tuple[Round, ...]
    total: int
    facets: dict[str, tuple[Choice, ...]]
    pages: int


def status_at(r: Round, now: datetime) -> str:
    """What the round came to, as seen at `now`: an ALLOW that ran out unreleased has lapsed. Nothing else is for time to say."""
    if r.status == "allowed" and r.valid_until and now >= datetime.fromisoformat(r.valid_until):
        return "lapsed"
    return r.status


def age_at(r: Round, now: datetime) -> str:
    """Which of `AGES`."""
    if not r.fresh_until:
        return "none"
    left = datetime.fromisoformat(r.fresh_until) - now
    return "ended" if left <= timedelta(0) else "ending" if left <= SOON else "fresh"


def releases(rounds: Iterable[Round]) -> list[Round]:
    """One round for each release (`rounds.py`), in log order of what happened last."""
    best: dict[tuple[str, str], Round] = {}
    for r in rounds:
        known = best.get((r.service, r.version))
        if known is None or _rank(r) > _rank(known):
            best[r.service, r.version] = r
    return sorted(best.values(), key=lambda r: r.n)


def _rank(r: Round) -> tuple[bool, int]:
    return (r.status in _CLOSED, r.n)


class Board:
    """The releases as they are at `now`; good until `until`, when the next of them changes its status or age."""

    def __init__(self, rounds: Sequence[Round], now: datetime) -> None:
        self.rows = releases(rounds)[::-1]
        self.all = (1 << len(self.rows)) - 1
        listed = {(r.change, r.service) for r in self.rows}
        earlier: dict[tuple[str, str], list[str]] = {}
        for r in rounds:
            if (r.change, r.service) not in listed:
                earlier.setdefault((r.service, r.version), []).append(_marks(r))
        self._texts = ["\n".join((_text(r), *earlier.get((r.service, r.version), ()))) for r in self.rows]
        self.masks: dict[str, dict[str, int]] = {f: {} for f in FACETS}
        turns: list[str] = []
        bits: dict[tuple[str, str], list[int]] = {}
        soon = (now + SOON).isoformat()
        stamp = now.isoformat()
        for i, r in enumerate(self.rows):
            for facet, value in _values(r, now):
                bits.setdefault((facet, value), []).append(i)
            turns += [t for t in (r.valid_until, r.fresh_until) if t]
        for (facet, value), mine in bits.items():
            self.masks[facet][value] = _mask(mine, len(self.rows))
        turns.sort()
        following = [datetime.fromisoformat(turns[i]) for i in (bisect_right(turns, stamp),) if i < len(turns)]
        following += [datetime.fromisoformat(turns[i]) - SOON for i in (bisect_right(turns, soon),) if i < len(turns)]
        self.until = min(following, default=datetime.max.replace(tzinfo=now.tzinfo))
        self._ending: list[int] | None = None

    def select(self, query: Query, rows: int = PAGE_ROWS) -> Selection:
        """The page that is asked for.

        Raises:
            Refused: `page.filter`: an order or a page there is none of.
        """
        if query.sort not in SORTS or query.page < 1:
            raise Refused("page.filter", at="sort and page", found=f"{query.sort} {query.page}", expected=f"{' or '.join(SORTS)}, from 1")
        found = self._search(query.q)
        narrowed = {f: self._either(f, query.chosen.get(f, ())) for f in FACETS}
        hits = found
        for mask in narrowed.values():
            hits &= mask
        facets = {}
        for facet in FACETS:
            others = found
            for f, mask in narrowed.items():
                if f != facet:
                    others &= mask
            facets[facet] = tuple(self._choices(facet, others, query.chosen.get(facet, ())))
        total = hits.bit_count()
        skip = (query.page - 1) * rows
        order = _ones(hits) if query.sort == "newest" else (i for i in self._by_ending() if hits >> i & 1)
        page = tuple(self.rows[i] for i in islice(order, skip, skip + rows))
        return Selection(page, total, facets, -(-total // rows) or 1)

    def _either(self, facet: str, values: Iterable[str]) -> int:
        values = tuple(values)
        mask = 0
        for v in values:
            mask |= self.masks[facet].get(v, 0)
        return mask if values else self.all

    def _choices(self, facet: str, under: int, chosen: Iterable[str]) -> Iterator[Choice]:
        chosen = tuple(chosen)
        known = self.masks[facet]
        fixed = {"status": STATUSES, "age": AGES, "waiver": ("yes", "no")}.get(facet)
        order = fixed or sorted(known, key=lambda v: (-known[v].bit_count(), v))
        for v in (*order, *(c for c in chosen if c not in order)):
            count = (known.get(v, 0) & under).bit_count()
            if count or v in chosen:
                yield Choice(v, count, v in chosen)

    def _search(self, q: str) -> int:
        """Releases whose text holds every word: tag, version, branch, commit, digest, issue, person, objective."""
        words = q.casefold().split()
        if not words:
            return self.all
        hits = [i for i, text in enumerate(self._texts) if all(w in text for w in words)]
        return _mask(hits, len(self.rows))

    def _by_ending(self) -> list[int]:
        if self._ending is None:
            self._ending = sorted(range(len(self.rows)), key=lambda i: (self.rows[i].fresh_until or "~", i))
        return self._ending


def _values(r: Round, now: datetime) -> Iterator[tuple[str, str]]:
    yield "status", status_at(r, now)
    yield "service", r.service or "unknown"
    yield "owner", r.owner or "nobody"
    yield "age", age_at(r, now)
    yield "waiver", "yes" if r.waived else "no"
    for kind in r.failing_kinds:
        yield "failing", kind


def _text(r: Round) -> str:
    """What search looks in, a line each."""
    names = (f"{r.service}@{r.version}", r.tag, r.branch, r.issue, r.issue_title, r.owner, *r.owners, *r.signers, r.objective)
    return "\n".join((*names, _marks(r))).casefold()


def _marks(r: Round) -> str:
    """Its commits and digests: by those of an earlier round, as an issue quotes them, the release is found as well."""
    return "\n".join((r.head, r.commit, r.change, r.dossier, r.decision, r.release))


def _mask(bits: Iterable[int], size: int) -> int:
    whole = bytearray(size // 8 + 1)
    for i in bits:
        whole[i >> 3] |= 1 << (i & 7)
    return int.from_bytes(whole, "little")


def _ones(mask: int) -> Iterator[int]:
    """Positions of the ones, lowest first, in one pass over its bytes."""
    for at, byte in enumerate(mask.to_bytes((mask.bit_length() + 7) // 8, "little")):
        while byte:
            low = byte & -byte
            yield at * 8 + low.bit_length() - 1
            byte ^= low
