"""The list of releases: filters, counts, search, order, and what time does to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_dossier.errors import Refused
from release_dossier.web.board import FACETS, Board, Query, age_at, releases, status_at
from release_dossier.web.rounds import Round

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def made(n: int, **fields: object) -> Round:
    digest = "sha256:" + f"{n:064x}"
    return Round(**{"change": digest, "service": "trading", "version": f"1.{n}", "n": n, "updated": n, **fields})  # type: ignore[arg-type]


def stamp(hours: float) -> str:
    return (NOW + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


ROUNDS = st.builds(
    made,
    st.integers(0, 10_000),
    service=st.sampled_from(("trading", "frontend", "users")),
    owner=st.sampled_from(("ann", "bo", "")),
    status=st.sampled_from(("released", "allowed", "blocked", "undecided")),
    waived=st.integers(0, 1),
    valid_until=st.sampled_from(("", stamp(-1), stamp(30))),
    fresh_until=st.sampled_from(("", stamp(-1), stamp(2), stamp(48))),
    failing_kinds=st.sampled_from(((), ("tests",), ("latency", "tests"))),
)
CHOSEN = st.fixed_dictionaries(
    {},
    optional={
        "status": st.lists(st.sampled_from(("released", "lapsed", "blocked")), max_size=2).map(tuple),
        "owner": st.lists(st.sampled_from(("ann", "nobody")), max_size=2).map(tuple),
        "failing": st.lists(st.sampled_from(("tests", "latency")), max_size=2).map(tuple),
        "age": st.lists(st.sampled_from(("ended", "none")), max_size=2).map(tuple),
    },
)


def values(r: Round, facet: str) -> set[str]:
    """The plain reading of a facet."""
    return {
        "status": {status_at(r, NOW)},
        "service": {r.service},
        "owner": {r.owner or "nobody"},
        "age": {age_at(r, NOW)},
        "waiver": {"yes" if r.waived else "no"},
        "failing": set(r.failing_kinds),
    }[facet]


@given(st.lists(ROUNDS, max_size=25, unique_by=lambda r: r.n), CHOSEN)
def test_masks_and_counts_are_those_of_a_plain_loop(rounds: list[Round], chosen: dict[str, tuple[str, ...]]) -> None:
    """Alternatives within a facet, facets narrow each other, a count leaves its own facet out: as a loop over every release says."""
    found = Board(rounds, NOW).select(Query("", chosen), rows=1000)

    def fits(r: Round, leaving: str = "") -> bool:
        return all(f == leaving or not vs or values(r, f) & set(vs) for f, vs in chosen.items())

    mine = releases(rounds)[::-1]
    assert list(found.rows) == [r for r in mine if fits(r)]
    for facet in FACETS:
        for choice in found.facets[facet]:
            assert choice.count == sum(fits(r, facet) and choice.value in values(r, facet) for r in mine)


@given(st.lists(ROUNDS, min_size=1, max_size=12, unique_by=lambda r: r.n), st.integers(0, 100))
def test_a_board_is_good_until_it_says(rounds: list[Round], hours: int) -> None:
    """Until the moment it names, a board made anew says the same of every release."""
    board = Board(rounds, NOW)
    then = min(board.until - timedelta(microseconds=1), NOW + timedelta(hours=hours))
    assert Board(rounds, then).masks == board.masks


def test_the_row_of_a_release_is_the_round_that_went_out() -> None:
    """Three changes for one version: the released one is the row, whatever was opened later; else the newest."""
    early, out, late = made(1, version="3"), made(2, version="3", status="released"), made(3, version="3")
    assert releases([early, out, late]) == [out]
    assert releases([early, late]) == [late]


@pytest.mark.parametrize("words", ["3.8", "v3.8.1", "deadbeef", "#12", "cy", "SELL trading"])
def test_search_finds_tag_commit_digest_issue_and_person(words: str) -> None:
    """What a person may have in hand finds the release; every word must be in it."""
    sought = made(7, version="3.8.1", tag="v3.8.1", head="deadbeefcafe", issue="#12", signers=("cy",), objective="Sell what you hold")
    board = Board([made(1), sought, made(2)], NOW)
    assert board.select(Query(words)).rows == (sought,)
    assert board.select(Query(words + " nowhere")).total == 0


def test_what_an_earlier_round_is_called_by_finds_its_release() -> None:
    """An issue quotes the dossier that was denied; the release it became is found by it, once, and no other."""
    early, late = made(1, version="3.6.0", dossier="sha256:faeaa94f", head="deadbeef"), made(5, version="3.6.0", dossier="sha256:c01b0db6")
    board = Board([early, made(2), late], NOW)
    assert board.select(Query("faeaa94f")).rows == board.select(Query("deadbeef")).rows == (late,)
    assert early not in board.rows


def test_pages_follow_each_other_and_what_ends_first_can_come_first() -> None:
    """Every release is on exactly one page, in either order; an order nobody knows is refused."""
    rounds = [made(i, fresh_until=stamp(i * 7 % 13) if i % 3 else "") for i in range(120)]
    for sort in ("newest", "ending"):
        pages = [Board(rounds, NOW).select(Query(sort=sort, page=p)).rows for p in (1, 2, 3)]
        seen = [r for p in pages for r in p]
        assert len(seen) == len({r.change for r in seen}) == 120
        keys = [r.fresh_until or "~" for r in seen] if sort == "ending" else [-r.n for r in seen]
        assert keys == sorted(keys)
    with pytest.raises(Refused, match=r"page\.filter"):
        Board(rounds, NOW).select(Query(sort="luck"))
