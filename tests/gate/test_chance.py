"""Chance: against enumeration of every order there is, published q values, and what must not matter."""

from __future__ import annotations

import random
from itertools import permutations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_dossier.chance import adjusted, standing

FIGURES = st.lists(st.integers(-50, 50).map(float), max_size=60)


@given(st.lists(st.integers(0, 100).map(float), min_size=1, max_size=5, unique=True), st.integers(0, 100).map(lambda x: x + 0.5))
def test_p_is_the_share_of_orders_as_far_out(before: list[float], value: float) -> None:
    """Counted out: of all orders of the same figures, how many put one as far to either side last. Without ties it is exact."""
    among = [*before, value]
    rank = sorted(among).index(value)
    far = min(rank, len(before) - rank)
    orders = list(permutations(among))
    ranks = [sorted(o).index(o[-1]) for o in orders]
    share = sum(min(r, len(before) - r) <= far for r in ranks) / len(orders)
    assert standing(value, before).p == pytest.approx(share)


def test_few_figures_say_how_many_more() -> None:
    """Nothing can be told from under 39; from 39 the farthest out is just within 5 %."""
    assert (standing(9.0, []).p, standing(9.0, []).needed, standing(9.0, []).effect) == (1.0, 39, None)
    assert (standing(9.0, [1.0] * 38).p > 0.05, standing(9.0, [1.0] * 38).needed) == (True, 1)
    assert (standing(9.0, [1.0] * 39).p, standing(9.0, [1.0] * 39).needed) == (pytest.approx(0.05), 0)


@pytest.mark.parametrize(("n", "k"), [(5, 0), (6, 1), (8, 1), (9, 2), (20, 6), (39, 13)])
def test_the_interval_is_the_sign_tests(n: int, k: int) -> None:
    """The k-th from either end, as tables of the sign test have it; below six there is none."""
    found = standing(0.0, [float(i) for i in range(1, n + 1)])
    assert (found.low, found.high) == ((None, None) if not k else (-(n - k + 1), -k))
    if k:
        assert 2 * sum(comb(n, i) for i in range(k)) / 2**n <= 0.05


def test_the_interval_covers() -> None:
    """Of 2,000 lists drawn around a known middle, it holds that middle in at least 95 %."""
    rng = random.Random(1)
    drawn = [standing(0.0, [rng.gauss(3, 1) for _ in range(15)]) for _ in range(2000)]
    held = sum(-(s.low or 0) >= 3 >= -(s.high or 0) for s in drawn)
    assert held >= 1900


@given(FIGURES, st.integers(-60, 60).map(float), st.randoms(use_true_random=False))
def test_neither_order_nor_sign_matters(before: list[float], value: float, rng: random.Random) -> None:
    """Shuffled it is the same; turned over, the effect turns with it."""
    shuffled = list(before)
    rng.shuffle(shuffled)
    one = standing(value, before)
    assert standing(value, shuffled) == one
    other = standing(-value, [-x for x in before])
    assert (other.p, other.n, other.needed) == (one.p, one.n, one.needed)
    assert other.effect == (None if one.effect is None else -one.effect)
    assert (other.low, other.high) == tuple(None if x is None else -x for x in (one.high, one.low))


def test_q_as_published() -> None:
    """The fifteen p values of Benjamini and Hochberg (1995), section 3.3: at q = 0.05 the first four are discoveries."""
    ps = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    qs = adjusted(ps)
    assert [q <= 0.05 for q in qs] == [True] * 4 + [False] * 11
    assert qs[3] == pytest.approx(0.0095 * 15 / 4)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_q_is_never_below_p_and_keeps_their_order(ps: list[float]) -> None:
    """Looking at more figures never makes one more certain."""
    qs = adjusted(ps)
    assert all(q >= p and q <= 1 for p, q in zip(ps, qs, strict=True))
    assert all(qs[i] <= qs[j] for i in range(len(ps)) for j in range(len(ps)) if ps[i] <= ps[j])
