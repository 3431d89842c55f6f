"""Rules beside rules: what asks more, what asks less, and what nobody can order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from release_dossier.rules.compare import LOOSER, OTHER, STRICTER, WORDS, changed, differences
from release_dossier.rules.packs import freeze, thaw
from release_dossier.rules.requirement import ApprovalRule, Frozen, Need, Requirement, Skip

BASE = Requirement(
    id="r", service="s", title="t", kind="latency", owner="o", remedy="m", why="w", evidence="r", retries=1, minimum_percent=50
)
NEED = (Need("p95", "float", "ms"),)
# key: (value before, value after, direction of the change)
WAYS: list[tuple[str, Any, Any, str]] = [
    ("minimum_count", 1, 2, STRICTER),
    ("minimum_percent", 50, 60, STRICTER),
    ("retries", 1, 0, STRICTER),
    ("infrastructure_retries", 2, 1, STRICTER),
    ("age_max_s", 0, 60, STRICTER),
    ("age_max_s", 60, 30, STRICTER),
    ("waivable", True, False, STRICTER),
    ("waivers_in_row", 2, 1, STRICTER),
    ("severity", "warn", "block", STRICTER),
    ("blocks_from", "2030-01-01T00:00:00Z", "", STRICTER),
    ("blocks_from", "2030-01-01T00:00:00Z", "2029-01-01T00:00:00Z", STRICTER),
    ("blocks_from", "2026-11-30T23:59:59-12:00", "2026-12-01T00:00:00+11:00", STRICTER),
    ("imported", True, False, STRICTER),
    ("builder", "any", "known", STRICTER),
    ("builder", "known", "change", STRICTER),
    ("same_topology", False, True, STRICTER),
    ("topology", {}, {"vcpus": 8}, STRICTER),
    ("producers", (), ("ci",), STRICTER),
    ("producers", ("ci", "lab"), ("ci",), STRICTER),
    ("isolation", (), ("namespace",), STRICTER),
    ("tools", ("a", "b"), ("a",), STRICTER),
    ("skips", (Skip("a", "x"),), (), STRICTER),
    ("needs", (), NEED, STRICTER),
    ("condition", "", "facts.p95 <= 300.0", STRICTER),
    ("condition", "facts.p95 <= 300.0", "facts.p95 <= 200.0", STRICTER),
    ("condition", "facts.n >= 1", "facts.n >= 2", STRICTER),
    ("condition", "facts.n <= 9007199254740993", "facts.n <= 9007199254740992", STRICTER),
    ("condition", "facts.a > 1", "facts.a > 1 && facts.b > 1", STRICTER),
]
UNORDERED: list[tuple[str, Any, Any, str]] = [
    ("kind", "latency", "tests", OTHER),
    ("evidence", "r", "q", OTHER),
    ("environment", "", "production", OTHER),
    ("producers", ("ci",), ("lab",), OTHER),
    ("producers", ("ci", "lab"), ("lab", "ci"), OTHER),
    ("needs", (*NEED, Need("q", "int")), (Need("q", "int"), *NEED), OTHER),
    ("topology", {"vcpus": 8}, {"vcpus": 1}, OTHER),
    ("skips", (Skip("a", "x"),), (Skip("b", "x"),), OTHER),
    ("condition", "facts.p95 <= 300.0", "facts.p99 <= 300.0", OTHER),
    ("condition", "facts.a == 1", "facts.a == 2", OTHER),
    ("condition", "facts.a > 1 && facts.b > 1", "facts.b > 1  && facts.a > 1", WORDS),
    ("condition", "facts.a > 1 && facts.b < 9", "facts.a > 2 && facts.b < 8", STRICTER),
    ("condition", "facts.a > 1 && facts.b < 9", "facts.a > 2 && facts.b < 10", OTHER),
    ("condition", "facts.a > 1 && facts.b < 9", "facts.a > 2", OTHER),
    ("condition", "facts.a > 1 && facts.b < 9", "facts.a > 0", LOOSER),
    ("condition", "facts.a < 5 && facts.a < 9", "facts.a < 6 && facts.a < 8", OTHER),
    ("condition", "facts['a b'] < 5.0 && looked_at > 3", "facts['a b'] < 5.0 && looked_at > 4", STRICTER),
    ("condition", "(facts.a + 1) < 5", "(facts.a + 1) < 5 && facts.b < 9", STRICTER),
    ("condition", "(facts.a < 5) == (facts.b < 9 && facts.c)", "(facts.a < 5) == (facts.b < 9)", OTHER),
    ("condition", "facts.s == 'a && b'", "facts.s == 'a'", OTHER),
    ("condition", "facts.s == 'a'", "facts.s == 'a' && facts.n > 1", STRICTER),
    ("skips", (Skip("a", "x"),), (Skip("a", "y"),), WORDS),
    ("condition", "facts.n >= 1", "facts.n >= 1.0", WORDS),
    ("blocks_from", "2030-01-01T00:00:00Z", "2030-01-01T01:00:00+01:00", WORDS),
    ("blocks_from", "2030-01-01T00:00:00Z", "soon", OTHER),
    ("title", "t", "u", WORDS),
    ("owner", "o", "p", WORDS),
    ("remedy", "m", "n", WORDS),
    ("why", "w", "v", WORDS),
]


@pytest.mark.parametrize(("key", "before", "after", "way"), WAYS + UNORDERED)
def test_each_key_knows_its_direction(key: str, before: Any, after: Any, way: str) -> None:
    """A key that is changed is one difference with its direction, and the other way round the opposite one."""
    a, b = (msgspec.structs.replace(BASE, **{key: x}) for x in (before, after))
    ((forth),), ((back),) = changed(a, b), changed(b, a)
    assert (forth.key, forth.direction) == (key, way)
    assert back.direction == {STRICTER: LOOSER, LOOSER: STRICTER}.get(way, way)
    assert changed(a, a) == []
    assert forth.words().startswith(f"s/r {key}: ")
    assert forth.words().endswith(f"({way})")


def test_lists_are_shown_as_packs_write_them() -> None:
    (d,) = changed(msgspec.structs.replace(BASE, producers=("ci",)), msgspec.structs.replace(BASE, producers=("ci", "lab")))
    assert d.words() == 's/r producers: ["ci"] → ["ci","lab"] (looser)'
    (d,) = changed(BASE, msgspec.structs.replace(BASE, topology={"vcpus": 8}))
    assert d.words() == 's/r topology: {} → {"vcpus":8} (stricter)'


def test_every_key_is_ordered_or_said_to_be_unordered() -> None:
    """No key of a requirement is forgotten: each has a row above."""
    rows = {key for key, *_ in WAYS + UNORDERED}
    left = set(Requirement.__struct_fields__) - rows
    assert left == {"id", "service", "origin", "source", "producer_roles", "importers"}


def frozen(*requirements: Requirement, approvals: tuple[ApprovalRule, ...] = ()) -> Frozen:
    return Frozen(requirements, approvals, "sha256:x", 2)


def test_whole_sets() -> None:
    """A requirement that comes is stricter, one that goes looser; one that only warns is neither."""
    warns = msgspec.structs.replace(BASE, id="w", severity="warn")
    assert [d.direction for d in differences(frozen(), frozen(BASE))] == [STRICTER]
    assert [d.direction for d in differences(frozen(BASE), frozen())] == [LOOSER]
    assert [d.direction for d in differences(frozen(), frozen(warns))] == [WORDS]
    assert [d.direction for d in differences(frozen(warns), frozen())] == [WORDS]
    assert [d.words() for d in differences(frozen(), frozen(BASE))] == ["s/r: new (stricter)"]


def test_approvals_are_ordered_too() -> None:
    """More people, and fewer who may not sign, are stricter; so is another role."""
    one, two = (ApprovalRule("ops"),), (ApprovalRule("ops", 2),)
    assert [d.direction for d in differences(frozen(approvals=one), frozen(approvals=two))] == [STRICTER]
    assert [d.direction for d in differences(frozen(approvals=two), frozen(approvals=one))] == [LOOSER]
    assert [d.words() for d in differences(frozen(), frozen(approvals=one))] == ["approval ops: new (stricter)"]
    assert [d.direction for d in differences(frozen(approvals=one), frozen())] == [LOOSER]
    free = (ApprovalRule("ops", not_author=False),)
    assert [d.direction for d in differences(frozen(approvals=one), frozen(approvals=free))] == [LOOSER]
    web = (ApprovalRule("owner", services=("a", "b")),)
    assert [d.direction for d in differences(frozen(approvals=(ApprovalRule("owner", services=("a",)),)), frozen(approvals=web))] == [
        STRICTER
    ]


def test_packs_above_each_other_only_tighten() -> None:
    """From internal to user-facing to money no rule is loosened: what narrows is held by the same comparison."""
    sets = [thaw(freeze({}, [("s", name, ("@o",))])) for name in ("internal", "user-facing", "money")]
    for a, b in pairwise(sets):
        found = differences(a, b)
        assert found
        assert {d.direction for d in found} <= {STRICTER, WORDS}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {"s": ""}, "s/pack witness: 'not asked' → 'asked' (stricter)"),
        ({"s": "one disk"}, {"s": ""}, "s/pack witness: 'one disk' → 'asked' (stricter)"),
        ({"s": ""}, {"s": "one disk"}, "s/pack witness: 'asked' → 'one disk' (looser)"),
        ({"s": ""}, {}, "s/pack witness: 'asked' → 'not asked' (looser)"),
        ({}, {"s": "one disk"}, "s/pack witness: 'not asked' → 'one disk' (words)"),
        ({"s": "one disk"}, {"s": "two disks"}, "s/pack witness: 'one disk' → 'two disks' (words)"),
        ({"s": ""}, {"s": ""}, ""),
    ],
)
def test_whether_a_pack_asks_for_a_witness(before: dict[str, str], after: dict[str, str], words: str) -> None:
    """Excusing a missing checkpoint asks less; why it is excused are words. Rules of an edition that never asked differ in nothing here."""
    a, b = (msgspec.structs.replace(frozen(BASE), edition=3, witness=w) for w in (before, after))
    assert "".join(d.words() for d in differences(a, b)) == words
    assert differences(frozen(BASE), b) == ()


def test_importers_stand_in_for_an_isolated_run() -> None:
    """Naming who may bring a file loosens a rule that asks how the run was kept apart; without that it tightens it."""
    for isolation, direction in (((), STRICTER), (("namespace",), OTHER)):
        a = msgspec.structs.replace(BASE, isolation=isolation)
        assert [d.direction for d in changed(a, msgspec.structs.replace(a, importers=("ann",)))] == [direction]


def test_a_warning_that_blocks_from_a_day_on_asks_more() -> None:
    """What denied nothing is never loosened by a day from which it does."""
    warns = msgspec.structs.replace(BASE, severity="warn")
    bites = msgspec.structs.replace(BASE, blocks_from="2030-01-01T00:00:00Z")
    assert {d.direction for d in changed(warns, bites)} == {STRICTER}
    assert {d.direction for d in changed(bites, BASE)} == {STRICTER}
    assert {d.direction for d in changed(BASE, bites)} == {LOOSER}
    later = msgspec.structs.replace(warns, blocks_from="2030-01-01T00:00:00Z")
    assert [d.direction for d in changed(warns, later)] == [WORDS]
