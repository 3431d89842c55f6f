"""Lint: each fault is found, at its place, and the rules we ship have none."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from release_dossier.project import OwnFact, OwnKind, Plan
from release_dossier.rules.lint import CHECKS, Ruleset, lint_rules
from release_dossier.rules.packs import effective, names, own_layers, page
from release_dossier.rules.requirement import ApprovalRule
from release_dossier.trust.document import Key, Person, Producer, Trust, TrustDocument

P95 = {"condition": "facts.latency_p95 <= 300.0", "needs": [{"fact": "latency_p95", "type": "float", "unit": "ms"}], "minimum_count": 500}
NEW: dict[str, Any] = {"id": "mine", "title": "t", "kind": "latency", "evidence": "mine", "remedy": "r", "why": "w"}
PLANS = tuple(
    Plan(n, k) for n, k in (("tests", "tests"), ("latency", "latency"), ("alert-coverage", "alert-coverage"), ("mine", "latency"))
)
PERSON = Person("ann", "Ann", ("release-manager",), (Key("SHA256:a", "a"),))
TRUST = Trust(
    "p",
    "d",
    TrustDocument(
        version=1,
        previous=None,
        project_name="x",
        threshold=1,
        people=(PERSON,),
        producers=(Producer("ci", (Key("SHA256:c", "c"),)),),
        revocations=(),
        created_at="2026-01-01T00:00:00Z",
    ),
)


def ruleset(*own: dict[str, Any], owners: tuple[str, ...] = ("@ann",), **more: Any) -> Ruleset:
    config = {"requirement": list(own)} if own else {}
    given = {
        "plans": PLANS,
        "trust": TRUST,
        "approvals": (ApprovalRule("release-manager"),),
        "owners": {"web": owners},
        "services": ("web",),
    }
    layers = tuple(layer.table for layer in own_layers(config))
    return Ruleset(effective(config, [("web", "user-facing", owners)]), own=layers, **(given | more))


def need(fact: str, type: str, unit: str = "") -> list[dict[str, str]]:
    return [{"fact": fact, "type": type, "unit": unit}]


SHARE = {"needs": need("throughput", "float", "requests/s") + need("target_rate", "float", "requests/s"), "minimum_count": 500}
HIDDEN = {"x-personal": True}
PAID = OwnKind(
    name="paid", unit="people", proves="x", does_not_prove="y", passes="true", looked_at="size(doc.people)",
    schema={"properties": {"people": {"items": {"properties": {"salary": HIDDEN, "age": {"anyOf": [HIDDEN]}}}}}},
    facts=(
        OwnFact("first", "doc.people[0].salary", "credits"),
        OwnFact("oldest", "doc.people[0].age", "years"),
        OwnFact("people", "size(doc.people)", "people"),
        OwnFact("change", "doc.change", "percent"),
    ),
)  # fmt: skip
ASKS_PAID = NEW | {"kind": "paid", "minimum_count": 1}

WHOLE = '[[requirement]]\nid = "mine"\ntitle = "t"\nkind = "latency"\nremedy = "r"\nwhy = "w"\nretries = 1\n'

# name: (what is linted, code, place, a word of what was found)
FAULTS: dict[str, tuple[Ruleset, str, str, str]] = {
    "a kind there is none of": (ruleset(NEW | {"kind": "vibes"}, plans=None), "unknown-kind", "web/mine", "vibes"),
    "a fact the kind does not give": (
        ruleset(NEW | {"condition": "facts.p95 <= 1.0", "needs": need("p95", "float"), "minimum_count": 9}),
        "unknown-fact",
        "web/mine",
        "p95",
    ),
    "a topology fact the kind does not give": (ruleset(NEW | {"topology": {"vcpus": 8}}), "unknown-fact", "web/mine", "vcpus"),
    "another unit": (ruleset(NEW | P95 | {"needs": need("latency_p95", "float", "s")}), "unit", "web/mine", "in s"),
    "no unit": (ruleset(NEW | P95 | {"needs": need("latency_p95", "float")}), "unit", "web/mine", "any unit"),
    "a measure as a whole number": (
        ruleset(NEW | {"condition": "facts.latency_p95 <= 300", "needs": need("latency_p95", "int", "ms"), "minimum_count": 500}),
        "unit",
        "web/mine",
        "as int",
    ),
    "money as float": (
        ruleset(
            NEW | {"kind": "payouts", "condition": "facts.unexplained >= 1.0", "needs": need("unexplained", "float", "credits")}, plans=None
        ),
        "unit",
        "web/mine",
        "as float",
    ),
    "text asked as a number": (
        ruleset(NEW | P95 | {"condition": "facts.load_generator <= 3.0", "needs": need("load_generator", "float", "words")}),
        "unit",
        "web/mine",
        "as float",
    ),
    "a count asked as text": (
        ruleset(
            NEW | {"kind": "payouts", "condition": "facts.users_wrong == '0'", "needs": need("users_wrong", "str", "users")}, plans=None
        ),
        "unit",
        "web/mine",
        "as str",
    ),
    "a flag asked as a number": (
        ruleset(NEW | {"kind": "readiness", "condition": "facts.ready == 1", "needs": need("ready", "int", "flag")}, plans=None),
        "unit",
        "web/mine",
        "as int",
    ),
    "a share of whole numbers": (
        ruleset(
            {
                "id": "tests",
                "condition": "facts.passed / facts.tests >= 0.9",
                "needs": [*need("passed", "int", "tests"), *need("tests", "int", "tests")],
            }
        ),
        "unit",
        "web/tests",
        "divides whole numbers",
    ),
    "a topology fact of another type": (ruleset(NEW | {"topology": {"machine": 5}}), "unit", "web/mine", "machine = 5"),
    "a fact a finding does not have": (
        ruleset(
            NEW
            | {"kind": "scope", "source": "finding", "evidence": "scope", "condition": "facts.lines <= 3", "needs": need("lines", "int")}
        ),
        "unknown-fact",
        "web/mine",
        "fact lines",
    ),
    "a fact that is somebody's own": (
        ruleset(ASKS_PAID | {"condition": "facts.first >= 9", "needs": need("first", "int", "credits")}, plans=None, kinds=(PAID,)),
        "personal",
        "web/mine",
        "first, a personal value",
    ),
    "another, deeper in the schema": (
        ruleset(ASKS_PAID | {"condition": "facts.oldest >= 9", "needs": need("oldest", "int", "years")}, plans=None, kinds=(PAID,)),
        "personal",
        "web/mine",
        "oldest, a personal value",
    ),
    "a fact a kind of its own does not give": (
        ruleset(ASKS_PAID | {"condition": "facts.last >= 9", "needs": need("last", "int", "credits")}, plans=None, kinds=(PAID,)),
        "unknown-fact",
        "web/mine",
        "fact last",
    ),
    "true of everything": (ruleset(NEW | P95 | {"condition": "facts.latency_p95 >= 0.0"}), "always-true", "web/mine", "always"),
    "true of nothing": (
        ruleset(NEW | P95 | {"condition": "facts.latency_p95 > 5.0 && facts.latency_p95 < 5.0"}),
        "always-false",
        "web/mine",
        "never",
    ),
    "less looked at than it asks": (
        ruleset(NEW | P95 | {"condition": "facts.latency_p95 < 300.0 && looked_at < 500"}),
        "always-false",
        "web/mine",
        "never",
    ),
    "a division by nothing": (
        ruleset(ASKS_PAID | {"condition": "facts.people / 0 == 0", "needs": need("people", "int", "people")}, plans=None, kinds=(PAID,)),
        "always-false",
        "web/mine",
        "never",
    ),
    "a share of nothing": (
        ruleset(NEW | SHARE | {"condition": "facts.throughput / facts.target_rate >= 0.9"}),
        "divisor",
        "web/mine",
        "holds where target_rate is 0",
    ),
    "no share is larger": (
        ruleset(NEW | {"condition": "facts.error_rate <= 1.0", "needs": need("error_rate", "float", "ratio"), "minimum_count": 9}),
        "always-true",
        "web/mine",
        "always",
    ),
    "any number looked at": (
        ruleset(NEW | P95 | {"condition": "facts.latency_p95 <= 300.0 && looked_at >= 0", "minimum_count": 1}),
        "absence-of-blame",
        "web/mine",
        "by a thousand",
    ),
    "any number there is": (
        ruleset(NEW | P95 | {"condition": "facts.latency_p95 <= 300.0 && of >= -1", "minimum_count": 1}),
        "absence-of-blame",
        "web/mine",
        "by a thousand",
    ),
    "no plan gives it": (ruleset(NEW | P95, plans=PLANS[:3]), "unreachable", "web/mine", "no [[evidence]]"),
    "a plan for another service": (
        ruleset(NEW | P95, plans=(*PLANS[:3], Plan("mine", "latency", ("api",)))),
        "unreachable",
        "web/mine",
        "for web",
    ),
    "a plan of another kind": (ruleset(NEW | P95, plans=(*PLANS[:3], Plan("mine", "tests"))), "unreachable", "web/mine", "of kind tests"),
    "a plan elsewhere": (ruleset(NEW | P95 | {"environment": "production"}), "unreachable", "web/mine", "in ci"),
    "a finding nobody makes": (ruleset(NEW | {"source": "finding"}), "unreachable", "web/mine", "finding mine"),
    "a finding of another kind": (
        ruleset(NEW | {"source": "finding", "evidence": "scope", "kind": "criteria"}),
        "unreachable",
        "web/mine",
        "scope as criteria",
    ),
    "kept apart as nothing is": (ruleset(NEW | P95 | {"isolation": ["bubble"]}), "unreachable", "web/mine", "isolation bubble"),
    "a service that only warns": (
        ruleset(*({"id": name, "severity": "warn"} for name in ("scope", "tests", "latency", "alert-coverage"))),
        "unreachable",
        "web",
        "nothing that denies",
    ),
    "only what runs here, and nothing does": (ruleset(NEW | P95 | {"imported": False}), "unreachable", "web/mine", "no command"),
    "a producer nobody lists": (ruleset(NEW | P95 | {"producers": ["lab"]}), "unreachable", "web/mine", "producer lab"),
    "a producers' role nobody holds": (ruleset(NEW | P95 | {"producer_roles": ["x"]}), "unreachable", "web/mine", "role x"),
    "a role nobody holds": (ruleset(approvals=(ApprovalRule("ops"),)), "unreachable", "approval ops", "0 of 1"),
    "a role too few hold": (
        ruleset(approvals=(ApprovalRule("release-manager", 2),)),
        "unreachable",
        "approval release-manager",
        "1 of 2",
    ),
    "owners nobody knows": (
        ruleset(approvals=(ApprovalRule("owner", services=("web",)),), owners=("@ghost",)),
        "unreachable",
        "approval owner of web",
        "@ghost",
    ),
    "a line that changes nothing": (ruleset({"id": "latency", "retries": 2}), "shadowed", "web/latency retries", "dossier.toml"),
    "an importer called as on a platform": (ruleset(NEW | {"importers": ["@ann"]}), "unreachable", "web/mine", "@ann"),
    "a kind misspelt that nobody may waive": (
        ruleset(unwaivable={"web": frozenset(("payouts", "scope", "tets"))}),
        "unknown-kind",
        "web unwaivable",
        "tets",
    ),
    "two tables of one id": (
        ruleset({"id": "latency", "retries": 1}, {"id": "latency", "retries": 0}),
        "shadowed",
        "dossier.toml requirement latency",
        "two tables",
    ),
    "two tables of one id in a pack": (
        Ruleset(effective({}, [("web", "./p.toml", ("@ann",))], lambda _: (WHOLE + WHOLE.replace("1", "2")).encode())),
        "shadowed",
        "web/mine",
        "two tables of this id in pack ./p.toml",
    ),
    "a service there is none of": (ruleset({"id": "latency", "service": "api"}), "shadowed", "dossier.toml requirement latency", "api"),
    "asked twice": (
        ruleset(NEW | P95 | {"evidence": "latency", "retries": 2}, {"id": "latency"} | P95, plans=None),
        "shadowed",
        "web/mine",
        "latency asks the same",
    ),
    "nobody's": (ruleset(owners=(), plans=None, trust=None), "no-owner", "web/tests", "no owner"),
    "a blank's": (ruleset(NEW | P95 | {"owner": " "}), "no-owner", "web/mine", "no owner"),
    "a skip without its reason": (ruleset(NEW | {"skips": [{"name": "TestA", "reason": " "}]}), "no-remedy", "web/mine", "skip TestA"),
    "a fact of a service there is none of": (
        ruleset(NEW | {"kind": "coverage", "condition": "facts.covered_ratio > 0.8", "needs": need("covered_ratio", "float", "ratio")}),
        "unknown-fact",
        "web/mine",
        "fact covered_ratio",
    ),
    "a skip that matches nothing": (
        ruleset(NEW | {"skips": [{"name": "pays out twice", "reason": "x"}]}),
        "unreachable",
        "web/mine",
        "skip 'pays out twice'",
    ),
    "no remedy": (ruleset(NEW | P95 | {"remedy": " "}), "no-remedy", "web/mine", "no remedy"),
    "no why": (ruleset(NEW | P95 | {"why": ""}), "no-remedy", "web/mine", "no why"),
    "fresher than it can be": (ruleset(NEW | P95 | {"age_max_s": 8 * 86_400}), "freshness", "web/mine", "8 d"),
    "a plan fresher than it can be": (
        ruleset(plans=(*PLANS[:3], Plan("mine", "latency", age_max="30d"))),
        "freshness",
        "evidence mine",
        "30d",
    ),
    "absence of blame beside a word": (
        ruleset(
            NEW
            | {
                "kind": "payouts",
                "condition": "facts.users_wrong == 0 && facts.ruleset == 'v3.8'",
                "needs": [*need("users_wrong", "int", "users"), *need("ruleset", "str", "name")],
            },
            plans=None,
        ),
        "absence-of-blame",
        "web/mine",
        "by a thousand",
    ),
    "absence of blame": (
        ruleset({"id": "tests", "condition": "facts.failed == 0", "needs": need("failed", "int", "tests")}),
        "absence-of-blame",
        "web/tests",
        "by a thousand",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_at_its_place(name: str) -> None:
    """Each fault has its code, its place and what was found there; alone, it is the only one of its code."""
    rules, code, at, word = FAULTS[name]
    found = [p for p in lint_rules(rules) if p.code == code]
    assert [p.at for p in found if p.at == at], [(p.code, p.at, p.found) for p in lint_rules(rules)]
    assert any(word in p.found for p in found)
    assert all(p.expected for p in found)


def test_every_check_has_a_fault() -> None:
    """No check without a rule it finds."""
    assert {code for code, _, _ in CHECKS} == {code for _, code, _, _ in FAULTS.values()}


SOUND: dict[str, dict[str, Any]] = {
    "a limit": P95,
    "a share in place of a count": P95 | {"minimum_count": 1, "minimum_percent": 100},
    "asks how much was looked at": P95 | {"condition": "facts.latency_p95 <= 300.0 && looked_at >= 500", "minimum_count": 1},
    "two facts against each other": {
        "kind": "alert-coverage",
        "condition": "facts.alerts_fired >= facts.alerts_declared",
        "needs": [*need("alerts_fired", "int", "alerts"), *need("alerts_declared", "int", "alerts")],
        "minimum_percent": 100,
    },
    "a figure of a kind of its own": {
        "kind": "paid",
        "condition": "facts.people >= 9",
        "needs": need("people", "int", "people"),
        "minimum_count": 1,
    },
    "between two numbers": P95 | {"condition": "facts.latency_p95 > 12.5 && facts.latency_p95 < 12.6"},
    "a beginning and an end": {
        "condition": "facts.load_generator.startsWith('a') && facts.load_generator.endsWith('b')",
        "needs": need("load_generator", "str", "words"),
    },
    "a number as text": {"condition": "double(facts.load_generator) < 0.5", "needs": need("load_generator", "str", "words")},
    "all that was to be looked at": P95 | {"condition": "facts.latency_p95 <= 300.0 && looked_at >= of", "minimum_count": 1},
    "a bound through another fact": {
        "condition": "facts.latency_p50 == facts.latency_p95 + 0.0 && facts.latency_p50 == 50.0",
        "needs": [*need("latency_p50", "float", "ms"), *need("latency_p95", "float", "ms")],
        "minimum_count": 9,
    },
    "many bounds": {
        "condition": " && ".join(f"facts.latency_p{n} >= 5.0" for n in (50, 75, 90, 95, 99)),
        "needs": [n for p in (50, 75, 90, 95, 99) for n in need(f"latency_p{p}", "float", "ms")],
        "minimum_count": 9,
    },
    "an address": {
        "kind": "provenance",
        "condition": "facts.builder.startsWith('https://github.com/')",
        "needs": need("builder", "str", "words"),
    },
    "decimals without a nought": {
        "condition": "facts.error_rate >= .05 && facts.error_rate <= .06",
        "needs": need("error_rate", "float", "ratio"),
        "minimum_count": 9,
    },
    "a share": {
        "kind": "tests",
        "condition": "double(facts.passed) / double(facts.tests) >= 0.9 && facts.passed * 100 / facts.tests >= 90",
        "needs": [*need("passed", "int", "tests"), *need("tests", "int", "tests")],
        "minimum_count": 9,
    },
    "a part of a measure": {
        "condition": "facts.latency_p99 / facts.latency_p50 <= 9.5",
        "needs": [*need("latency_p99", "float", "ms"), *need("latency_p50", "float", "ms")],
        "minimum_count": 9,
    },
    "an exponent": {
        "condition": "facts.error_rate >= 1E-3 && facts.error_rate <= 2E-3",
        "needs": need("error_rate", "float", "ratio"),
        "minimum_count": 9,
    },
    "below nothing": {
        "kind": "observability",
        "condition": "facts.last_max <= -5.0 && facts.last_min >= -273.15",
        "needs": [*need("last_max", "float", "value"), *need("last_min", "float", "value")],
        "minimum_count": 9,
    },
    "below nothing, in a kind of its own": {
        "kind": "paid",
        "condition": "facts.change >= -5.0",
        "needs": need("change", "float", "percent"),
        "minimum_count": 9,
    },
    "a name that is no word": {
        "kind": "observability",
        "condition": "facts['last_min.up'] >= 1.0",
        "needs": need("last_min.up", "float", "value"),
        "minimum_count": 9,
    },
    "up, and no failure": {
        "kind": "readiness",
        "condition": "facts.ready && facts.request_failures == 0",
        "needs": [*need("ready", "bool", "flag"), *need("request_failures", "int", "requests")],
    },
    "a finding of its own kind": {
        "kind": "scope",
        "source": "finding",
        "evidence": "scope",
        "condition": "facts.files <= 100",
        "needs": need("files", "int", "files"),
    },
    "a word": {"condition": "facts.load_generator == 'apart'", "needs": need("load_generator", "str", "words")},
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_rules_are_left_alone(name: str) -> None:
    """A rule that means what it says raises no error."""
    rules = ruleset(NEW | SOUND[name], plans=None, kinds=(PAID,))
    assert [p for p in lint_rules(rules) if p.at == "web/mine"] == []


def test_a_fact_of_a_service_is_found() -> None:
    """Facts that are named after the project's own services are known, however the service is written."""
    asks = {"condition": "facts.covered_web_v2 > 0.8", "needs": need("covered_web_v2", "float", "ratio"), "minimum_count": 9}
    rules = ruleset(NEW | {"kind": "coverage"} | asks, services=("web", "web.v2"))
    assert [p.code for p in lint_rules(rules) if p.at == "web/mine" and p.code != "unreachable"] == []


def test_one_table_for_all_services_and_one_for_one_are_no_two() -> None:
    """A layer over a layer is what layers are for; nor is a kind misspelt that nothing of ours asks for yet."""
    rules = ruleset({"id": "latency", "retries": 1}, {"id": "latency", "service": "web", "retries": 0})
    assert [p for p in lint_rules(rules) if "two tables" in p.found] == []
    assert [p for p in lint_rules(ruleset(unwaivable={"web": frozenset(("payouts", "authorship"))})) if p.code == "unknown-kind"] == []


def test_the_example_of_the_page_is_sound() -> None:
    """What docs/rules.md shows as a project's own."""
    shown = tomllib.loads(re.findall(r"```toml\n(.*?)```", page(), re.DOTALL)[0])["rules"]["requirement"]
    assert [p for p in lint_rules(ruleset(*({k: v for k, v in r.items() if k != "service"} for r in shown))) if p.at == "web/latency"] == []


MORE: dict[str, Any] = {
    "producers": ["ci"],
    "producer_roles": ["lab"],
    "isolation": ["namespace"],
    "tools": ["k6@1"],
    "topology": {"cpus": 8},
    "same_topology": True,
    "waivable": False,
    "waivers_in_row": 0,
    "builder": "change",
    "imported": False,
    "importers": ["ann"],
    "infrastructure_retries": 0,
    "retries": 0,
}


@pytest.mark.parametrize("key", MORE)
def test_who_asks_more_in_one_key_is_not_shadowed(key: str) -> None:
    """A requirement is in another's shadow only where the other asks as much in every key."""
    twice = NEW | P95 | {"evidence": "latency", "retries": 2}
    for own, hidden in ((twice, True), (twice | {key: MORE[key]}, False)):
        other = {"id": "latency"} | P95 | ({"retries": 1} if key == "retries" else {})
        found = [p for p in lint_rules(ruleset(own, other, plans=None, trust=None)) if p.code == "shadowed" and p.at == "web/mine"]
        assert bool(found) is hidden


@pytest.mark.parametrize("name", names())
def test_our_packs_have_no_fault(name: str) -> None:
    """Every pack we ship lints clean."""
    assert lint_rules(Ruleset(effective({}, [("s", name, ("@o",))]))) == ()


@pytest.mark.parametrize(
    ("condition", "wrong"),
    [
        ("facts.throughput / facts.target_rate >= 0.9", True),
        ("facts.throughput > 0.0 && facts.throughput / facts.target_rate >= 0.9", True),
        ("facts.target_rate >= 0.0 && facts.throughput / facts.target_rate >= 0.9", True),
        ("facts.target_rate > 0.0 && facts.throughput / facts.target_rate >= 0.9", False),
        ("facts.throughput / facts.target_rate >= 0.9 && facts.target_rate >= 1.0", False),
        ("facts.throughput / 2.0 >= facts.target_rate", False),
        ("facts.throughput / facts.target_rate <= 1.5", False),
        ("facts.throughput / double(looked_at) >= facts.target_rate", False),
    ],
)
def test_what_is_divided_by_is_above_zero(condition: str, wrong: bool) -> None:
    """1.0 / 0.0 is more than any bound, so a rule over a share says that there is something it is a share of."""
    found = lint_rules(ruleset(NEW | SHARE | {"condition": condition}))
    assert ("divisor" in {p.code for p in found}) is wrong
