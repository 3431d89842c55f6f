"""What edition 2 of the gate brought: whose evidence, how fresh, how often, how severe; each state with its cause."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest

from release_dossier.dossier import Attempt, Dossier, WaivedBefore
from release_dossier.evidence.reading import Counterexample
from release_dossier.gate import CAUSES, STATES, decide, explain
from release_dossier.rules.freshness import CAUSES as STALE
from release_dossier.rules.freshness import terms
from release_dossier.rules.packs import thaw
from release_dossier.rules.requirement import EDITION
from release_dossier.trust.document import Producer
from tests.gate.test_states import SITUATIONS
from tests.gate.town import (
    CHECKPOINT,
    DIGEST,
    MACHINES,
    NOW,
    PEOPLE,
    attempt,
    dossier,
    facts,
    failing,
    finding,
    key,
    killed,
    line,
    one,
    person,
    rule,
    ruled,
    rules,
    signed_off,
    stamp,
    trust,
    waiver,
)

TOPOLOGY = attempt("topology", facts=facts(machine="8-vcpu", topology="two nodes"))
BROUGHT: dict[str, Any] = {"imported_by": "ann", "isolation": "none"}
ROLED = trust(producers=(*MACHINES, Producer("runner", (key("runner"),), (), ("release-runner",))))
BY_ROLE = {"producer": "runner", "producer_key": "SHA256:runner"}


def under(**of_rule: Any) -> dict[str, str]:
    """The terms of the rule `tests` with these keys, as an attempt remembers them."""
    return {"tests": terms(thaw(one(**of_rule).rules).requirements[0])}


# name: (state, cause, evidence, rule)
HOW: dict[str, tuple[str, str, tuple[Attempt, ...], dict[str, Any]]] = {
    "the tool asked for": ("pass", "", (attempt(),), {"tools": ["go test"]}),
    "the tool at its version": ("pass", "", (attempt(),), {"tools": ["go test@1.25"]}),
    "a patch of the version": ("pass", "", (attempt(tool_version="go1.25.3"),), {"tools": ["go test@1.25"]}),
    "one of two versions": ("pass", "", (attempt(),), {"tools": ["go test@1.24", "go test@1.25"]}),
    "an older version": ("stale", "tool", (attempt(tool_version="1.24.9"),), {"tools": ["go test@1.25"]}),
    "a version that begins alike": ("stale", "tool", (attempt(tool_version="1.251"),), {"tools": ["go test@1.25"]}),
    "no version": ("stale", "tool", (attempt(tool_version=""),), {"tools": ["go test@1.25"]}),
    "another tool": ("error", "untrusted", (attempt(tool="pytest"),), {"tools": ["go test"]}),
    "no tool": ("error", "untrusted", (attempt(tool=""),), {"tools": ["go test@1.25"]}),
    "as many cores as asked": ("pass", "", (attempt(facts=facts(vcpus=8)),), {"topology": {"vcpus": 8}}),
    "fewer cores": ("stale", "topology", (attempt(facts=facts(vcpus=1)),), {"topology": {"vcpus": 8}}),
    "true is not one": ("stale", "topology", (attempt(facts=facts(vcpus=True)),), {"topology": {"vcpus": 1}}),
    "it does not say on what": ("missing", "fact-absent", (attempt(),), {"topology": {"vcpus": 8}}),
    "the environment as it is": ("pass", "", (attempt(facts=facts(machine="8-vcpu")), TOPOLOGY), {"same_topology": True}),
    "the environment as it was before an attempt that broke off": (
        "stale",
        "topology",
        (attempt(facts=facts(machine="1-vcpu")), TOPOLOGY, killed("topology", 2)),
        {"same_topology": True},
    ),
    "the environment as it was": ("stale", "topology", (attempt(facts=facts(machine="1-vcpu")), TOPOLOGY), {"same_topology": True}),
    "the environment as it was, not asked": ("pass", "", (attempt(facts=facts(machine="1-vcpu")), TOPOLOGY), {}),
    "collected under these terms": ("pass", "", (attempt(criteria=under(retries=3)),), {}),
    "collected under other terms": ("stale", "rule", (attempt(criteria=under(minimum_count=5)),), {}),
    "collected for a rule that gave way to this one": ("stale", "rule", (attempt(criteria={"lint": "sha256:x"}),), {}),
    "too old, and under other terms": ("stale", "rule", (attempt(criteria=under(minimum_count=5), age_max_s=1),), {}),
    "too old": ("stale", "age", (attempt(age_max_s=1),), {}),
    "another fingerprint": ("stale", "fingerprint", (attempt(fingerprint="sha256:old"),), {}),
    "a producer of the role": ("pass", "", (attempt(**BY_ROLE),), {"producer_roles": ["release-runner"]}),
    "a producer of no role": ("error", "untrusted", (attempt(),), {"producer_roles": ["release-runner"]}),
    "brought by whom it may": ("pass", "", (attempt(**BROUGHT),), {"importers": ["ann"]}),
    "brought by another": ("error", "untrusted", (attempt(**BROUGHT),), {"importers": ["bob"]}),
    "run here, importers do not matter": ("pass", "", (attempt(),), {"importers": ["bob"]}),
    "data this change's version wrote": ("pass", "", (attempt(**BROUGHT, written_by="v3.8.2"),), {"builder": "change"}),
    "data this change's commit wrote": ("pass", "", (attempt(**BROUGHT, written_by="ddddddd"),), {"builder": "change"}),
    "data another build wrote": ("inconclusive", "build", (attempt(**BROUGHT, written_by="3.8.1"),), {"builder": "change"}),
    "too little of a commit": ("inconclusive", "build", (attempt(**BROUGHT, written_by="dddddd"),), {"builder": "change"}),
    "data nobody knows who wrote": ("inconclusive", "build", (attempt(**BROUGHT),), {"builder": "known"}),
    "data somebody wrote": ("pass", "", (attempt(**BROUGHT, written_by="3.8.1"),), {"builder": "known"}),
    "a run of ours wrote its own": ("pass", "", (attempt(),), {"builder": "change"}),
    "passed at last": ("pass", "flaky", (failing(), attempt(n=2)), {"retries": 1}),
    "the budget is spent": ("fail", "budget", (failing(), attempt(n=2)), {}),
    "killed, then passed": ("pass", "", (killed(), attempt(n=2)), {}),
    "the other budget is spent": ("inconclusive", "infrastructure", (killed(), attempt(n=2)), {"infrastructure_retries": 0}),
    "a chain that was cut": ("error", "gap", (attempt(criteria=under()), attempt(n=2, previous="sha256:x")), {}),
    "a chain that begins elsewhere": ("error", "gap", (attempt(previous="sha256:x"),), {}),
    "a chain that was dropped": ("error", "gap", (attempt(criteria=under()), attempt(n=2, previous=None)), {}),
    "ambiguous order": ("inconclusive", "ambiguous", (attempt(verdict="inconclusive", cause="two bets of one moment: ambiguous"),), {}),
    "the tool said so": ("inconclusive", "said", (attempt(verdict="inconclusive", cause="truncated"),), {}),
    "taken back": ("inconclusive", "taken-back", (attempt(withdrawn="x"),), {}),
    "too few": ("inconclusive", "too-few", (attempt(),), {"minimum_count": 11}),
    "nobody knows of how many": ("inconclusive", "unknown-total", (attempt(of=None),), {"minimum_percent": 1}),
}


@pytest.mark.parametrize("name", HOW)
def test_each_way_has_its_state_and_cause(name: str) -> None:
    """Tool, topology, terms, role, importer, build, budgets and chain: each decides alone, and says in one word which it was."""
    state, cause, evidence, of_rule = HOW[name]
    r = line(one(*evidence, **of_rule), by=ROLED)
    assert (r.state, r.cause) == (state, cause), r.reason
    assert r.reason or state == "pass"
    assert r.remedy or state == "pass"


def test_a_long_value_is_cut_alike_in_every_decision() -> None:
    """How a value from outside is shortened is part of the bytes a decision replays to."""
    for length, shown in ((60, "x" * 60), (61, "x" * 60 + "… (1 more characters)")):
        r = line(one(attempt(facts=facts(vcpus="x" * length)), topology={"vcpus": 8}))
        assert r.reason.startswith(f"measured with vcpus {shown}, the rule asks for 8"), r.reason


def test_every_stale_cause_is_shown_with_its_command() -> None:
    """Each reason to be stale is seen above, in words, with the command that refreshes it."""
    seen = {cause for state, cause, _, _ in HOW.values() if state == "stale"}
    assert seen == set(STALE)
    for state, _, evidence, of_rule in HOW.values():
        if state == "stale":
            d = one(*evidence, **of_rule)
            assert "next: dossier collect tests" in explain(ruled(d, by=ROLED), d)


def test_the_first_stale_cause_that_applies() -> None:
    """With several causes at once the first of rule, tool, topology, age is named, whichever they are."""
    about: dict[str, Any] = {
        "rule": {"criteria": under(minimum_count=5)},
        "tool": {"tool_version": "1.1"},
        "topology": {"facts": facts(vcpus=1)},
        "age": {"age_max_s": 1},
    }
    asks = {"tools": ["go test@1.25"], "topology": {"vcpus": 8}}
    good = {"criteria": under(**asks), "facts": facts(vcpus=8)}
    assert line(one(attempt(**good), **asks)).state == "pass"
    for size in range(1, 5):
        for causes in permutations(about, size):
            said: dict[str, Any] = dict(good)
            for c in causes:
                said |= about[c]
            assert line(one(attempt(**said), **asks)).cause == min(causes, key=STALE.index)


def test_terms_are_what_is_asked_and_nothing_else() -> None:
    """Who answers, who may bring it and what becomes of it are no terms; kind, condition, amount, skips and conditions are."""
    base = under()["tests"]
    for key_, value in (("retries", 9), ("owner", "x"), ("waivable", False), ("severity", "warn"), ("age_max_s", 5), ("producers", ["ci"])):
        assert under(**{key_: value})["tests"] == base
    for key_, value in (("minimum_count", 2), ("minimum_percent", 5), ("kind", "x"), ("environment", "x"), ("same_topology", True)):
        assert under(**{key_: value})["tests"] != base


def test_every_situation_has_a_known_cause() -> None:
    """Over every situation of the state table: the cause is one of its state's."""
    for state, evidence, of_rule in SITUATIONS.values():
        assert line(one(*evidence, **of_rule)).cause in CAUSES[state]
    assert set(CAUSES) == set(STATES)


def test_flaky_is_shown_with_its_history() -> None:
    """A pass after a tolerated failure is met and named flaky with every attempt, on the terminal and in the decision."""
    d = one(failing(), killed(n=2), attempt(n=3), retries=1)
    r = ruled(d)
    assert r.requirements[0].attempts == ("fail", "inconclusive", "pass")
    assert "(flaky: fail, inconclusive, pass)" in explain(r, d)
    assert ruled(one(attempt())).requirements[0].attempts == ()
    assert ruled(one(failing(), attempt(n=2), retries=1)).requirements[0].attempts == ("fail", "pass")


def test_a_warning_denies_nothing_and_never_looks_green() -> None:
    """Severity warn: judged, shown with its state, noted, and let through; a service with warnings alone is an empty gate."""
    asked = rules(rule(), rule("lint", severity="warn"))
    for evidence, state in ((failing("lint"), "fail"), (attempt("lint", age_max_s=1), "stale")):
        d = dossier(attempt(), evidence, rules=asked)
        r = signed_off(d)
        assert (r.outcome, r.requirements[1].state, r.requirements[1].severity) == ("ALLOW", state, "warn")
        assert f"warning: lint of bank is {state}; it denies nothing" in r.notes
        assert "1 of 2 requirements met" in explain(r, d)
        assert "(warns)" in explain(r, d)
    only = dossier(attempt("lint"), rules=rules(rule("lint", severity="warn")))
    assert signed_off(only).outcome == "DENY"
    assert signed_off(dossier(failing(), attempt("lint"), rules=asked)).outcome == "DENY"


def test_a_rule_that_bites_later() -> None:
    """Until `blocks_from` a rule warns, from that moment on it blocks."""
    d = dossier(attempt(), failing("lint"), rules=rules(rule(), rule("lint", blocks_from=stamp(ago=-60))))
    assert signed_off(d).outcome == "ALLOW"
    later = dossier(attempt(), failing("lint"), rules=rules(rule(), rule("lint", blocks_from=stamp())))
    assert signed_off(later).outcome == "DENY"


@pytest.mark.parametrize(
    ("before", "limit", "state"), [((), 2, "waived"), (("1",), 2, "waived"), (("2", "1"), 2, "fail"), (("1",), 1, "fail")]
)
def test_waivers_in_a_row(before: tuple[str, ...], limit: int, state: str) -> None:
    """So many releases in a row may go out on a waiver of one requirement; the next says which did. Another requirement's do not count."""
    d = one(failing(), waivers_in_row=limit)
    d = msgspec.structs.replace(d, waived_before=(WaivedBefore("bank", "tests", before), WaivedBefore("bank", "lint", ("9", "8", "7"))))
    r = line(d, waiver())
    assert r.state == state
    assert (f"and {limit} in a row is the most" in r.reason) == (state == "fail")
    assert line(one(failing(), waivers_in_row=0), waiver()).reason.endswith("no release may go out on a waiver of it")


def first_edition(d: Dossier) -> Dossier:
    old = {k: v for k, v in d.rules.items() if k != "edition"}
    return msgspec.structs.replace(d, rules=old, change=msgspec.structs.replace(d.change, rules=old))


def test_who_answers_for_a_service_by_role_may_waive() -> None:
    """Owners that are named by a role (`@ledger`) waive from this edition on; before, owners were names alone."""
    by = trust(people=(*PEOPLE, person("tess", "ledger")))
    d = one(failing())
    d = msgspec.structs.replace(d, owners=tuple(msgspec.structs.replace(o, owners=("@ledger",)) for o in d.owners))
    for edition in (2, EDITION):
        named = d.rules | {"edition": edition}
        now = msgspec.structs.replace(d, rules=named, change=msgspec.structs.replace(d.change, rules=named))
        assert ruled(now, waiver("tess"), by=by).requirements[0].state == "waived"
    assert ruled(first_edition(d), waiver("tess"), by=by).requirements[0].state == "fail"


def test_the_first_edition_is_judged_as_it_was() -> None:
    """Rules without an edition: no cause, no history, no quorum, no severity in the bytes, and no rule owner asked."""
    d = first_edition(one(failing(), attempt(n=2), retries=1, more={"rule_changes": ("x",)}))
    said = msgspec.to_builtins(decide(d, DIGEST, (), trust(), NOW, witness="w", checkpoint=CHECKPOINT, hypothetical=False))
    assert not {"quorum", "edition"} & said.keys()
    assert not {"cause", "attempts", "severity"} & said["requirements"][0].keys()
    second = msgspec.structs.replace(d, rules=d.rules | {"edition": 2})
    assert (ruled(second).quorum, ruled(second).edition) == ("0 of 2, missing: release-manager, rule-owner", 2)
    assert [a["role"] for a in said["approvals"]] == ["release-manager"]
    assert signed_off(d).outcome == "ALLOW"


def test_attempts_of_before_there_was_a_chain() -> None:
    """None names the one before and none has terms: they are judged by their numbers. Where one names any, all must."""
    loose = [msgspec.structs.replace(a, previous=None, criteria={}) for a in (failing(), attempt(n=2))]
    assert line(one(*loose, retries=1)).state == "pass"
    named = msgspec.structs.replace(loose[0], criteria={"tests": "sha256:" + "0" * 64})
    assert line(one(named, loose[1], retries=1)).state == "error"


def test_only_the_second_edition_notes_that_criteria_moved() -> None:
    """A decision of the first has the notes it always had, whatever a finding says that came later."""
    moved = finding(name="registered", verdict="fail", counterexamples=(Counterexample("tests: 3 retries instead of 1"),))
    d = one(attempt(), more={"findings": [moved]})
    words = "the criteria moved since the change was first opened: tests: 3 retries instead of 1"
    assert words in ruled(d).notes
    assert words not in ruled(first_edition(d)).notes


def test_both_editions_give_every_situation_its_state() -> None:
    """An upgrade changes what is said beside a state, never the state: every situation, both editions, the same outcome."""
    for state, evidence, of_rule in SITUATIONS.values():
        d = one(*evidence, **of_rule)
        assert line(d).state == line(first_edition(d)).state == state
        assert signed_off(d).outcome == signed_off(first_edition(d)).outcome


def test_an_edition_of_the_future_is_refused() -> None:
    """Rules of an edition this program does not know are not judged at all."""
    d = one(attempt())
    with pytest.raises(Exception, match=r"rules\.edition"):
        ruled(msgspec.structs.replace(d, rules=d.rules | {"edition": EDITION + 1}))


def test_findings_about_criteria_are_noted() -> None:
    """What the protected branch asks more by now stands in the notes, and denies only where a rule asks for it."""
    new = (Counterexample("bank/tests: new (stricter)"),)
    behind = finding("protected-rules", "fail", 1, 1, kind="criteria", counterexamples=new)
    d = dossier(attempt(), rules=rules(rule()), findings=(behind,))
    r = signed_off(d)
    assert r.outcome == "ALLOW"
    assert "the protected branch asks more since: bank/tests: new (stricter)" in r.notes
    asks = rules(rule(), rule("protected-rules", kind="criteria", source="finding"))
    assert signed_off(dossier(attempt(), rules=asks, findings=(behind,))).outcome == "DENY"
