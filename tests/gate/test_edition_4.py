"""What edition 4 of the gate says: where a condition has no answer, what a rule under another name makes stale, when a warning bites."""

from __future__ import annotations

import msgspec

from release_dossier.dossier import Dossier
from release_dossier.rules.freshness import terms
from release_dossier.rules.moment import moment
from release_dossier.rules.requirement import Requirement
from tests.gate.town import HOUR, attempt, dossier, facts, failing, line, one, rule, ruled, rules, signed_off, stamp

SHARE = "facts.tests >= 1 && facts.passed / facts.skipped >= 1"
NEEDS = [{"fact": f, "type": "int", "unit": ""} for f in ("tests", "passed", "skipped")]


def third_edition(d: Dossier) -> Dossier:
    old = d.rules | {"edition": 3}
    return msgspec.structs.replace(d, rules=old, change=msgspec.structs.replace(d.change, rules=old))


def test_what_has_no_answer_is_said_with_its_place() -> None:
    """The part of a condition that could not be evaluated, in what it stands; a condition of one part is its own place."""
    why = "gave ERROR 'INVALID_ARGUMENT: divide by zero', not true or false"
    d = one(attempt(facts=facts(tests=2, passed=2, skipped=0)), condition=SHARE, needs=NEEDS)
    assert line(d).reason == f"`facts.passed / facts.skipped >= 1` {why}, in `{SHARE}`"
    assert line(third_edition(d)).reason == f"`{SHARE}` {why}"
    alone = SHARE.partition(" && ")[2]
    d = one(attempt(facts=facts(tests=2, passed=2, skipped=0)), condition=alone, needs=NEEDS)
    assert line(d).reason == line(third_edition(d)).reason == f"`{alone}` {why}"


def test_a_rule_under_another_name_does_not_keep_its_evidence() -> None:
    """What was collected for a rule that is gone is stale for one in its place that asks otherwise, and for no other."""
    mine, asks_more = rule(minimum_count=5), rule("more", evidence="tests", minimum_count=7)
    now = {"tests": terms(msgspec.convert(mine, Requirement))}
    for criteria, others, state in (
        ({"gone": "sha256:x"}, (), "stale"),
        ({"gone": now["tests"]}, (), "pass"),  # renamed, and nothing else
        ({"more": "sha256:x"}, (asks_more,), "pass"),  # one rule more over the same evidence
        ({"gone": "sha256:x", "tests": now["tests"]}, (), "pass"),
    ):
        d = dossier(attempt(criteria=criteria), rules=rules(mine, *others))
        found = {r.id: r for r in ruled(d).requirements}["tests"]
        assert found.state == state, criteria
        assert state == "pass" or (found.cause, "gone, which gave way to this rule" in found.reason) == ("rule", True)
        assert {r.id: r for r in ruled(third_edition(d)).requirements}["tests"].state == "pass"


def test_an_allow_that_stands_on_a_warning_ends_when_it_bites() -> None:
    """`blocks_from` of what is unmet; what is met, or only ever warns, ends nothing."""
    bites = stamp(ago=-HOUR)
    for more, unmet, ends in (
        ({"blocks_from": bites}, True, True),
        ({"blocks_from": bites}, False, False),
        ({"blocks_from": bites, "severity": "warn"}, True, False),
    ):
        lint = failing("lint") if unmet else attempt("lint")
        d = dossier(attempt(), lint, rules=rules(rule(), rule("lint", **more)))
        r = signed_off(d)
        assert r.outcome == "ALLOW"
        assert (moment(r.valid_until) == moment(bites)) is ends
        assert moment(signed_off(third_edition(d)).valid_until) != moment(bites)
