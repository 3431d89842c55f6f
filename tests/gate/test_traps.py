"""Traps other people's gates fell into, by their number in the collection; each names what happened there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from time import thread_time
from typing import Any

import msgspec
import pytest

from release_dossier.digest import canonical
from release_dossier.dossier import Absent
from release_dossier.errors import DossierError
from release_dossier.evidence.reading import Fact
from release_dossier.gate import OPEN_STATES, explain, rework
from release_dossier.trust.merkle import Frontier, leaf_hash, node_hash
from tests.gate.town import (
    DAY,
    HOUR,
    NOW,
    approval,
    attempt,
    dossier,
    facts,
    failing,
    finding,
    killed,
    line,
    one,
    rule,
    ruled,
    rules,
    say,
    signed_off,
    stamp,
    trust,
    waiver,
)

P95: dict[str, Any] = {"condition": "facts.p95 <= 300.0", "needs": [{"fact": "p95", "type": "float", "unit": "ms"}]}


def test_trap_01_empty_is_missing_never_pass() -> None:
    """An empty check list, no data and no policy passed elsewhere; here evidence of nothing is missing and no rules deny."""
    assert line(one(attempt(looked_at=0, of=0))).state == "missing"
    assert line(one()).state == "missing"
    assert signed_off(dossier(attempt(), rules=rules())).outcome == "DENY"


def test_trap_02_missing_is_not_failed() -> None:
    """Nobody is paged for what is not finished yet: missing and inconclusive are not fail, and say what is expected."""
    d = one(more={"absent": (Absent("tests", "tests", "bank", "required by tests"),)})
    assert (line(d).state, line(one(killed())).state) == ("missing", "inconclusive")
    assert "required by tests" in explain(ruled(d), d)


def test_trap_03_a_waiver_names_the_exact_item() -> None:
    """A waiver for `latency` waives neither `latency-p99` nor the same of another service, in any order, and shows in the verdict."""
    asked = [rule("latency"), rule("latency-p99"), rule("latency", service="web")]
    three = (failing("latency"), failing("latency-p99"), failing("latency", service="web"))
    d = dossier(*three, rules=rules(*asked), services=(("bank", "1"), ("web", "2")))
    noise = waiver(requirement="latency-p99", reason=" ", n=5)
    for said in ((waiver(requirement="latency"), noise), (noise, waiver(requirement="latency"))):
        r = ruled(d, *said)
        assert [x.state for x in r.requirements] == ["waived", "fail", "fail"]
        assert r.requirements[0].waived_from == "fail"
        text = explain(r, d)
        assert "~ bank/latency" in text
        assert "0 of 3 requirements met, 1 waived" in text


def test_trap_05_evidence_of_another_tree_or_machine() -> None:
    """Evidence about another fingerprint is stale, of another environment missing: 1 vCPU says nothing of 8."""
    assert line(one(attempt(fingerprint="sha256:old"))).state == "stale"
    assert line(one(attempt(environment="1-vcpu"), environment="8-vcpu")).state == "missing"


@pytest.mark.parametrize("value", [None, float("nan"), "", "0"])
def test_trap_06_null_is_not_zero(value: Any) -> None:
    """A null, empty or NaN metric was read as 0 and passed elsewhere; here it is an error, and an absent one missing."""
    assert line(one(attempt(facts={"p95": Fact(value, "ms")}), **P95)).state == "error"
    assert line(one(attempt(), **P95)).state == "missing"


def test_trap_07_boundaries_are_exact_and_shown() -> None:
    """At the limit is within `<=`; a hair over fails, and the words never read '300 <= 300 does not hold'."""
    assert line(one(attempt(facts=facts(p95=(300.0, "ms"))), **P95)).state == "pass"
    r = line(one(attempt(facts=facts(p95=(300.00000000000006, "ms"))), **P95))
    assert r.state == "fail"
    assert "p95 = 300.00000000000006 ms" in r.reason
    old = line(one(attempt(age_max_s=HOUR - 1, observed_at=stamp(ago=HOUR))))
    assert "1 h ago, limit 59 min 59 s" in old.reason


def test_trap_09_a_verdict_is_never_earlier_than_its_evidence() -> None:
    """Deciding at a moment before the evidence was recorded is an error, and approvals of later count for nothing."""
    d = one(attempt())
    before = NOW.replace(hour=10)
    assert line(d, now=before).state == "error"
    assert signed_off(d).outcome == "ALLOW"
    assert ruled(one(), now=before).at < attempt().recorded_at


def test_trap_10_one_malformed_record_hides_no_other() -> None:
    """An attempt and a statement that cannot be read leave every other requirement judged, and are named."""
    d = dossier(attempt(observed_at="?"), attempt("lint"), rules=rules(rule(), rule("lint")))
    r = ruled(d, say("waiver", {"person": 1}, "rita"))
    assert [x.state for x in r.requirements] == ["error", "pass"]
    assert [n for n in r.notes if n.startswith("waiver sha256:") and "cannot be read" in n]


def test_trap_11_deny_is_not_an_error() -> None:
    """A denial is a decision that is returned; only a caller's mistake or rules that are none are raised."""
    assert ruled(one(failing())).outcome == "DENY"
    with pytest.raises(DossierError):
        ruled(one(), now=NOW.replace(tzinfo=None))


def test_trap_12_nothing_is_cut_off_silently() -> None:
    """Counterexamples beyond what is shown are counted, on the terminal and in the note."""
    d = one(failing("tests", 1, *(f"user {i}" for i in range(20)), total=61))
    assert "and 55 more" in explain(ruled(d), d)
    assert "20 of 61 shown" in rework(ruled(d), d)


def test_trap_15_canonical_is_rfc_8785() -> None:
    """A home-made sorter broke on these elsewhere: keys by UTF-16 units, numbers as ECMAScript writes them."""
    keys = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    assert list(json.loads(canonical(keys))) == ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    numbers = [1e-7, 1e-6, 1.2345678901234568e20, 1e21, 0.1 + 0.2, -0.0, 100.0]
    assert canonical(numbers) == b"[1e-7,0.000001,123456789012345680000,1e+21,0.30000000000000004,0,100]"


def test_trap_16_leaves_and_nodes_are_apart() -> None:
    """A tree without domain separation that doubled its last leaf gave two contents one root elsewhere; not here."""
    a, b, c = (leaf_hash(x) for x in (b"a", b"b", b"c"))
    assert a == hashlib.sha256(b"\0a").digest()
    assert node_hash(a, b) == hashlib.sha256(b"\1" + a + b).digest()
    three, four = Frontier([a, b, c]).root(), Frontier([a, b, c, c]).root()
    assert three == node_hash(node_hash(a, b), c)
    assert three != four
    assert Frontier([node_hash(a, b)]).root() != leaf_hash(a + b)


def test_trap_17_what_is_decided_about_is_what_ships() -> None:
    """The decision names the dossier it was given; an approval over another digest counts for nothing."""
    d = one(attempt())
    assert ruled(d).dossier.startswith("sha256:4f1c09ab")
    assert "lapsed" in ruled(d, approval(dossier="sha256:" + "0" * 64)).approvals[0].refused[0].reason


def test_trap_18_every_skip_is_an_item() -> None:
    """Allowed skips, statements that count for nothing and an absent witness stand in the decision, none is invisible."""
    d = one(attempt(limits=("skipped: TestPg no server",)), skips=[{"name": "TestPg", "reason": "none here"}])
    r = ruled(d, waiver(project="sha256:other"), witness="")
    assert "1 skip is allowed by name: TestPg" in r.requirements[0].reason
    assert any("of another project" in n for n in r.notes)
    assert any(n.startswith("unwitnessed") for n in r.notes)


def test_trap_19_no_noise() -> None:
    """Deciding twice gives equal decisions."""
    d = one(failing(n=1), attempt(n=2))
    assert ruled(d) == ruled(d)


def test_trap_20_a_dossier_keeps_its_name() -> None:
    """Evidence that arrives later changes no decision about the dossier that is there."""
    d = one(attempt())
    later = msgspec.structs.replace(d, evidence=(*d.evidence, failing(n=2)))
    assert line(later).state == "fail"
    assert line(d).state == "pass"


def test_trap_23_a_decision_is_quick() -> None:
    """A hundred attempts under twenty requirements are decided in well under a tenth of a second."""
    d = large()
    signed_off(d)
    start = thread_time()
    ruled(d)
    assert thread_time() - start < 0.1


def large() -> Any:
    """A hundred attempts: twenty requirements, each with five."""
    asked = [rule(f"r{i}", retries=4, **P95) for i in range(20)]
    evidence = [attempt(f"r{i}", n, facts=facts(p95=(float(n), "ms"))) for i in range(20) for n in range(1, 6)]
    return dossier(*evidence, rules=rules(*asked))


def test_trap_24_offsets_are_moments() -> None:
    """The same moment with another offset gives the same state; a time without one is an error."""
    with_offset = dict.fromkeys(("observed_at", "collected_at", "recorded_at"), "2026-11-24T18:10:00+05:30")
    assert line(one(attempt(**with_offset))).state == "pass"
    assert line(one(attempt(observed_at="2026-11-24T12:40:00"))).state == "error"


@dataclass(frozen=True)
class Broken:
    """A subject, and how it is broken."""

    field: str
    value: Any


BROKEN = [
    Broken("verdict", "fail"),
    Broken("verdict", ""),
    Broken("looked_at", 0),
    Broken("looked_at", 9),
    Broken("of", None),
    Broken("of", 9),
    Broken("facts", {}),
    Broken("facts", facts(p95=(301.0, "ms"))),
    Broken("facts", facts(p95=(1.0, "s"))),
    Broken("kind", "lint"),
    Broken("service", "web"),
    Broken("name", "lint"),
    Broken("environment", "laptop"),
    Broken("fingerprint", "sha256:old"),
    Broken("attempt", 2),
    Broken("digest", None),
    Broken("infrastructure", True),
    Broken("isolation", "none"),
    Broken("producer", "lab"),
    Broken("producer_key", "SHA256:lab"),
    Broken("producer_key", "SHA256:bob"),
    Broken("imported_by", "ann"),
    Broken("observed_at", stamp(ago=2 * DAY)),
    Broken("observed_at", stamp(ago=-DAY)),
    Broken("collected_at", stamp(ago=DAY)),
    Broken("recorded_at", stamp(ago=DAY)),
    Broken("age_max_s", 1),
    Broken("withdrawn", "wrong server"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda b: f"{b.field}={b.value!r:.20}")
def test_trap_25_each_broken_subject_turns_the_gate_red(broken: Broken) -> None:
    """Gates that could not see their subject stayed green elsewhere: here breaking any one field of a green attempt closes the gate."""
    strict = P95 | {"minimum_percent": 100, "isolation": ["worktree"], "producers": ["ci"], "imported": False, "environment": "test"}
    good = attempt(facts=facts(p95=(1.0, "ms")))
    assert signed_off(one(good, **strict)).outcome == "ALLOW"
    bad = one(msgspec.structs.replace(good, **{broken.field: broken.value}), **strict)
    assert line(bad).state not in OPEN_STATES
    assert signed_off(bad).outcome == "DENY"


def test_trap_25_each_broken_finding_and_person_turns_the_gate_red() -> None:
    """The same for findings, the trust document and the change."""
    asked = rules(rule("scope", source="finding"))
    assert signed_off(dossier(rules=asked, findings=[finding()])).outcome == "ALLOW"
    for bad in (finding(verdict="fail"), finding(looked_at=2), finding("other"), finding(service="web"), finding(kind="x")):
        assert signed_off(dossier(rules=asked, findings=[bad])).outcome == "DENY"
    d = one(attempt())
    assert signed_off(d).outcome == "ALLOW"
    assert signed_off(d, by=trust(people=())).outcome == "DENY"
    assert signed_off(d, by=trust(producers=())).outcome == "DENY"
    assert signed_off(one(attempt(), more={"adopted": False})).outcome == "DENY"
