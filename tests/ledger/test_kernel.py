"""The compiled arithmetic beside the reference: the same bits on random histories under every ruleset, and where it must hand over."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from release_dossier.ledger.fast import kernel
from release_dossier.ledger.fast.market import rules_row
from release_dossier.ledger.rulesets import NAMED, Ruleset
from release_dossier.ledger.settlement import Degenerate, Row, may_sell, positions, probabilities, quote

RULES = list({msgspec.structs.replace(r, sell=sell) for r, _ in NAMED.values() for sell in kernel.SELLS})


class Columns:
    """A history as the kernel takes it."""

    def __init__(self, rows: Sequence[Row], weight: int) -> None:
        self.names: dict[str, int] = {}
        self.n = len(rows)
        self.user = np.array([self.names.setdefault(r.user, len(self.names)) for r in rows], dtype=np.int32)
        self.amount = np.array([r.amount for r in rows], dtype=np.int64)
        self.yes = np.array([r.yes for r in rows], dtype=np.int8)
        self.users = len(self.names)
        self.p = np.zeros(self.n + 2)
        self.x, self.lots = (np.zeros(self.n + 1, dtype=np.int64) for _ in range(2))
        self.held = [np.zeros(self.users, dtype=np.int64) for _ in range(4)]
        self.state = kernel.chances(self.n, weight, self.amount, self.yes, self.p)

    def sums(self, n: int) -> tuple[int, int]:
        """Volume of the first n orders, and of it the YES side."""
        return int(self.amount[:n].sum()), int(self.amount[:n][self.yes[:n] == 1].sum())

    def paid(self, result: int) -> dict[str, int] | None:
        v, y = self.sums(self.n)
        order, value = self.held[2:]
        state = kernel.settled(
            self.n, self.users, v, y, result, self.p, self.amount, self.yes, self.user, self.x, *self.held[:2], order, value
        )
        return None if state == kernel.HANDED else {u: int(value[i]) for u, i in self.names.items()}

    def sale(self, i: int, rules: Any) -> tuple[int, int, int, bool] | None:
        """(owned, sellable, price, whether the rules let it pass) of the sale that is order i."""
        v, y = self.sums(i)
        who, side, shares = int(self.user[i]), int(self.yes[i]), -int(self.amount[i])
        where = (self.p, self.amount, self.yes, self.user, self.x, *self.held[:2])
        state, owned, other, value, sellable, price = kernel.quoted(i, self.users, v, y, rules, who, side, *where, self.lots)
        if state == kernel.HANDED:
            return None
        passes = shares <= sellable
        if passes and rules[kernel.SELL] in (kernel.PROJECTION, kernel.LOTS_PROJECTION):
            state, good = kernel.projected(i, self.users, v, y, rules, who, side, shares, owned, other, value, price, *where)
            if state == kernel.HANDED:
                return None
            passes = bool(good)
        return owned, sellable, price, passes


def history(rng: random.Random, rules: Ruleset) -> list[Row]:
    """Buys and sales, most of them such as the rules allow."""
    users = [f"u{i}" for i in range(rng.randint(1, 6))]
    most = rng.choice([3, 50, 5000, 10**9])
    rows: list[Row] = []
    for i in range(rng.randint(1, 30)):
        user, yes = rng.choice(users), rng.random() < 0.5
        shares = 0
        if rows and rng.random() < 0.3:
            try:
                shares = rng.randint(1, max(1, quote(rows, user, yes, rules).sellable)) if rng.random() < 0.8 else rng.randint(1, most)
            except Degenerate:
                break
        rows.append(Row(user, yes, -shares or rng.randint(1, most), i * 1000, i + 1))
    return rows


def same(rows: Sequence[Row], rules: Ruleset) -> int:
    """Hold the kernel to the reference on a history; how many answers were compared."""
    mine = Columns(rows, rules.settlement_weight)
    try:
        assert mine.p[: mine.n + 1].tolist() == probabilities(rows, rules.settlement_weight)
    except Degenerate:
        assert mine.state == kernel.HANDED
        return 0
    compared = 0
    for result, word in ((kernel.YES, "YES"), (kernel.NO, "NO")):
        if (paid := mine.paid(result)) is not None:
            assert paid == {u: p.value for u, p in positions(rows, rules, word).items()}
            compared += 1
    for i, row in enumerate(rows):
        if row.amount < 0 and (found := mine.sale(i, rules_row(rules))) is not None:
            q, against = may_sell(rows[:i], row.user, row.yes, -row.amount, rules)
            assert found == (q.owned, q.sellable, q.price, not against)
            compared += 1
    return compared


@pytest.mark.parametrize("seed", range(4))
def test_the_kernel_answers_as_the_reference(seed: int) -> None:
    """Probabilities, payouts, what may be sold and at which price: bit for bit, under every ruleset and way of selling."""
    rng = random.Random(seed)
    assert sum(same(history(rng, rules), rules) for rules in (rng.choice(RULES) for _ in range(250))) > 900


def test_what_is_near_the_limits_of_64_bits_is_handed_over() -> None:
    """A pool of -1 has no answer, and amounts beyond 2^52 are for whole numbers of any size: neither gets a number from the kernel."""
    five = [Row(u, True, a, i, i + 1) for i, (u, a) in enumerate((("a", 2), ("a", 3), ("a", 2), ("b", 2), ("a", -10)))]
    assert Columns(five, 1).state == kernel.HANDED
    assert Columns([Row("a", True, 2**60, 1, 1), Row("b", False, 2**60, 2, 2)], 1).paid(kernel.YES) is None
