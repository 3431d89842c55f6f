"""The algebra of states: every situation of evidence under every sort of waiver."""

from __future__ import annotations

from itertools import combinations

import pytest

from release_dossier.dossier import Absent, Attempt
from release_dossier.gate import OPEN_STATES, STATES
from tests.gate.town import (
    DAY,
    DIGEST,
    HOUR,
    NOW,
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
    signed_off,
    stamp,
    trust,
    waiver,
    withdrawal,
)

OTHER = "sha256:" + "0e" * 32
P95 = {"condition": "facts.p95 <= 300.0", "needs": [{"fact": "p95", "type": "float", "unit": "ms"}]}
OLD = {"observed_at": stamp(ago=30 * HOUR), "collected_at": stamp(ago=30 * HOUR), "recorded_at": stamp(ago=30 * HOUR)}
AHEAD = {"observed_at": stamp(ago=-HOUR), "collected_at": stamp(ago=-HOUR), "recorded_at": stamp(ago=-HOUR)}

# name: (state, evidence, rule)
PAST = {"observed_at": stamp(ago=HOUR), "collected_at": stamp(ago=HOUR), "recorded_at": stamp(ago=HOUR)}
SITUATIONS: dict[str, tuple[str, tuple[Attempt, ...], dict[str, object]]] = {
    "passed": ("pass", (attempt(),), {}),
    "passed with its fact": ("pass", (attempt(facts=facts(p95=(300.0, "ms"))),), P95),
    "a whole number where a fraction is asked": ("pass", (attempt(facts=facts(p95=(300, "ms"))),), P95),
    "nothing collected": ("missing", (), {}),
    "evidence of another name": ("missing", (attempt("lint"),), {}),
    "evidence of another service": ("missing", (attempt(service="web"),), {}),
    "evidence of another environment": ("missing", (attempt(),), {"environment": "production"}),
    "nothing looked at, and green": ("missing", (attempt(looked_at=0, of=0),), {}),
    "less than nothing looked at": ("missing", (attempt(looked_at=-1, of=0),), {}),
    "it says missing": ("missing", (attempt(verdict="missing", looked_at=0, of=0),), {}),
    "a fact that is absent": ("missing", (attempt(),), P95),
    "a fact that is null": ("missing", (attempt(facts=facts(p99=(1.0, "ms"))),), P95),
    "a fact that is no number": ("error", (attempt(facts=facts(p95=(float("nan"), "ms"))),), P95),
    "a fact without bound": ("error", (attempt(facts=facts(p95=(float("inf"), "ms"))),), P95),
    "a fact in another unit": ("error", (attempt(facts=facts(p95=(0.3, "s"))),), P95),
    "a fact in words": ("error", (attempt(facts=facts(p95=("300.0", "ms"))),), P95),
    "a fact that is true": ("error", (attempt(facts=facts(p95=(True, "ms"))),), P95),
    "one looked at": ("pass", (attempt(looked_at=1, of=1),), {}),
    "one looked at and over its limit": ("fail", (attempt(looked_at=1, of=1, facts=facts(p95=(300.1, "ms"))),), P95),
    "over its limit": ("fail", (attempt(facts=facts(p95=(300.1, "ms"))),), P95),
    "it failed": ("fail", (failing(),), {}),
    "inconclusive": ("inconclusive", (attempt(verdict="inconclusive", cause="truncated"),), {}),
    "a verdict nobody knows": ("error", (attempt(verdict="PASS"),), {}),
    "too few looked at": ("inconclusive", (attempt(),), {"minimum_count": 11}),
    "just enough looked at": ("pass", (attempt(),), {"minimum_count": 10}),
    "75 of 100 at 75 %": ("pass", (attempt(looked_at=75, of=100),), {"minimum_percent": 75}),
    "74 of 100 at 75 %": ("inconclusive", (attempt(looked_at=74, of=100),), {"minimum_percent": 75}),
    "749999 of 1000000 at 75 %": ("inconclusive", (attempt(looked_at=749_999, of=1_000_000),), {"minimum_percent": 75}),
    "a share beyond 2^53": ("inconclusive", (attempt(looked_at=2**60 - 1, of=2**60),), {"minimum_percent": 100}),
    "a share of nobody knows how many": ("inconclusive", (attempt(of=None),), {"minimum_percent": 1}),
    "of nobody knows how many, no share asked": ("pass", (attempt(of=None),), {}),
    "more looked at than there is": ("error", (attempt(looked_at=11, of=10),), {}),
    "all there is": ("pass", (attempt(looked_at=10, of=10),), {"minimum_percent": 100}),
    "a skip nobody allowed": ("inconclusive", (attempt(looked_at=9, limits=("skipped: TestPg no server",)),), {"minimum_percent": 100}),
    "a skip allowed by name": (
        "pass",
        (attempt(looked_at=9, limits=("skipped: TestPg no server",)),),
        {"minimum_percent": 100, "skips": [{"name": "TestPg", "reason": "no server here"}]},
    ),
    "another skip than the allowed": (
        "inconclusive",
        (attempt(looked_at=9, limits=("skipped: TestPgTwo no server",)),),
        {"minimum_percent": 100, "skips": [{"name": "TestPg", "reason": "no server here"}]},
    ),
    "one skip allowed twice": (
        "inconclusive",
        (attempt(looked_at=8, limits=("skipped: TestPg a", "skipped: TestWeb b")),),
        {"minimum_percent": 100, "skips": [{"name": "TestPg", "reason": "x"}, {"name": "TestPg", "reason": "y"}]},
    ),
    "passed, and what it looked at was erased": ("missing", (attempt(withheld="erased by ann: a customer asked"),), {}),
    "failed, and what it looked at was erased": ("fail", (failing(withheld="erased by ann: a customer asked"),), {}),
    "only skips": (
        "missing",
        (attempt(looked_at=0, of=1, limits=("skipped: TestPg no server",)),),
        {"skips": [{"name": "TestPg", "reason": "no server here"}]},
    ),
    "too old": ("stale", (attempt(**OLD),), {}),
    "old by the rule": ("stale", (attempt(),), {"age_max_s": HOUR}),
    "young by the rule": ("pass", (attempt(),), {"age_max_s": HOUR + 1}),
    "the evidence's own limit is stricter": ("stale", (attempt(age_max_s=HOUR),), {"age_max_s": DAY}),
    "no limit on its age from anybody": ("stale", (attempt(age_max_s=0),), {}),
    "a limit of a million years": ("pass", (attempt(age_max_s=10**14),), {}),
    "a limit below zero": ("stale", (attempt(age_max_s=-1),), {}),
    "about another fingerprint": ("stale", (attempt(fingerprint=OTHER),), {}),
    "failed about another fingerprint": ("stale", (failing(fingerprint=OTHER),), {}),
    "killed about another fingerprint": ("missing", (attempt(digest=None, fingerprint=OTHER),), {}),
    "from the future": ("error", (attempt(**AHEAD),), {}),
    "from within the skew of clocks": ("pass", (attempt(**{k: stamp(ago=-300) for k in AHEAD}),), {}),
    "collected before observed": ("error", (attempt(collected_at=stamp(ago=2 * HOUR)),), {}),
    "recorded before collected": ("error", (attempt(recorded_at=stamp(ago=2 * HOUR)),), {}),
    "a time that is no time": ("error", (attempt(observed_at="yesterday"),), {}),
    "a time without offset": ("error", (attempt(observed_at="2026-11-24T12:00:00"),), {}),
    "no time": ("error", (attempt(recorded_at=""),), {}),
    "signed by nobody listed": ("error", (attempt(producer_key="SHA256:eve"),), {}),
    "signed by a person": ("error", (attempt(producer="ann", producer_key="SHA256:ann"),), {}),
    "signed by another producer than it names": ("error", (attempt(producer_key="SHA256:lab"),), {}),
    "a producer the rule does not accept": ("error", (attempt(),), {"producers": ["lab"]}),
    "a producer the rule accepts": ("pass", (attempt(),), {"producers": ["lab", "ci"]}),
    "a producer that may not": ("error", (attempt(producer="lab", producer_key="SHA256:lab"),), {}),
    "another kind": ("error", (attempt(kind="latency"),), {}),
    "brought where only runs count": ("error", (attempt(imported_by="ann"),), {"imported": False}),
    "brought": ("pass", (attempt(imported_by="ann"),), {}),
    "less isolated than asked": ("error", (attempt(),), {"isolation": ["container"]}),
    "isolated as asked": ("pass", (attempt(),), {"isolation": ["container", "worktree"]}),
    "a pass over a fail": ("fail", (failing(n=1), attempt(n=2)), {}),
    "a pass over a tolerated fail": ("pass", (failing(n=1), attempt(n=2)), {"retries": 1}),
    "a pass over one fail too many": ("fail", (failing(n=1), failing(n=2), attempt(n=3)), {"retries": 1}),
    "a fail after a pass": ("fail", (attempt(n=1), failing(n=2)), {"retries": 2}),
    "over its limit, then within": (
        "fail",
        (attempt(n=1, facts=facts(p95=(353.7, "ms"))), attempt(n=2, facts=facts(p95=(153.7, "ms")))),
        P95,
    ),
    "over its limit, then within, tolerated": (
        "pass",
        (attempt(n=1, facts=facts(p95=(353.7, "ms"))), attempt(n=2, facts=facts(p95=(153.7, "ms")))),
        P95 | {"retries": 1},
    ),
    "killed": ("inconclusive", (killed(n=1),), {}),
    "killed, then passed": ("pass", (killed(n=1), attempt(n=2)), {}),
    "killed three times, then passed": ("inconclusive", (killed(n=1), killed(n=2), killed(n=3), attempt(n=4)), {}),
    "killed twice, then passed, none tolerated": ("inconclusive", (killed(n=1), attempt(n=2)), {"infrastructure_retries": 0}),
    "passed, then inconclusive": ("inconclusive", (attempt(n=1), attempt(n=2, verdict="inconclusive")), {}),
    "the machine failed and it looks green": ("inconclusive", (attempt(infrastructure=True),), {}),
    "an attempt nobody listed signed, then a good one": ("error", (attempt(n=1, producer_key="SHA256:eve"), attempt(n=2)), {"retries": 9}),
    "observed five minutes after it was collected": ("pass", (attempt(**{**PAST, "observed_at": stamp(ago=HOUR - 300)}),), {}),
    "observed a second more after it was collected": ("error", (attempt(**{**PAST, "observed_at": stamp(ago=HOUR - 301)}),), {}),
    "collected five minutes after it was recorded": ("pass", (attempt(**{**PAST, "collected_at": stamp(ago=HOUR - 300)}),), {}),
    "collected a second more after it was recorded": ("error", (attempt(**{**PAST, "collected_at": stamp(ago=HOUR - 301)}),), {}),
    "recorded in the future": ("error", (attempt(recorded_at=stamp(ago=-HOUR)),), {}),
    "unclear, nothing looked at, over its limit": (
        "inconclusive",
        (attempt(verdict="inconclusive", looked_at=0, of=None, facts=facts(p95=(353.7, "ms"))),),
        P95,
    ),
    "brought by who may, where runs are isolated": (
        "pass",
        (attempt(imported_by="ann", isolation="none"),),
        {"isolation": ["container"], "importers": ["ann"]},
    ),
    "a gap": ("error", (attempt(n=1), attempt(n=3)), {"retries": 9}),
    "no first": ("error", (attempt(n=2),), {}),
    "one number twice": ("error", (attempt(n=1), attempt(n=1, tool="b")), {}),
    "out of order": ("error", (attempt(n=2), attempt(n=1)), {}),
    "withdrawn": ("inconclusive", (attempt(withdrawn="wrong server"),), {}),
    "a fail withdrawn": ("fail", (failing(withdrawn="wrong server"),), {}),
    "a fail withdrawn, then a pass": ("fail", (failing(n=1, withdrawn="x"), attempt(n=2)), {}),
    "a pass, then a fail withdrawn": ("fail", (attempt(n=1), failing(n=2, withdrawn="x")), {"retries": 2}),
    "a pass, then nothing clear, withdrawn": (
        "inconclusive",
        (attempt(n=1), attempt(n=2, verdict="inconclusive", withdrawn="x")),
        {},
    ),
    "a pass withdrawn after a pass": ("inconclusive", (attempt(n=1), attempt(n=2, withdrawn="x")), {}),
    "a pass withdrawn, then a pass": ("pass", (attempt(n=1, withdrawn="x"), attempt(n=2)), {}),
    "a pass withdrawn, too old": ("stale", (attempt(withdrawn="x", **OLD),), {}),
    "killed after a pass": ("pass", (attempt(n=1), killed(n=2)), {}),
    "a failure the machine had": ("fail", (failing(infrastructure=True),), {}),
    "unclear and over its limit": ("fail", (attempt(verdict="inconclusive", facts=facts(p95=(353.7, "ms"))),), P95),
    "nothing looked at and over its limit": ("missing", (attempt(looked_at=0, of=0, facts=facts(p95=(353.7, "ms"))),), P95),
    "broken off and over its limit": (
        "inconclusive",
        (attempt(verdict="inconclusive", infrastructure=True, facts=facts(p95=(353.7, "ms"))),),
        P95,
    ),
    "an attempt of another environment between": (
        "pass",
        (attempt(n=1), attempt(n=2, environment="production"), attempt(n=3)),
        {"environment": "test"},
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_each_situation_has_its_state(name: str) -> None:
    """Every situation of evidence has one state, says why in words unless it passed, and passes only when it looked and saw it hold."""
    state, evidence, of_rule = SITUATIONS[name]
    r = line(one(*evidence, **of_rule))
    assert r.state == state, r.reason
    assert r.waived_from is None
    assert r.reason or state == "pass"
    assert (r.remedy == "") == (state == "pass")


WAIVERS = {
    "none": (lambda: (), False, True),
    "valid": (lambda: (waiver(),), True, True),
    "by an owner": (lambda: (waiver("olga"),), True, True),
    "expired": (lambda: (waiver(until=stamp(ago=1)),), False, True),
    "ending now": (lambda: (waiver(until=stamp()),), False, True),
    "ending no day": (lambda: (waiver(until="soon"),), False, True),
    "for another dossier": (lambda: (waiver(dossier=CHANGE_OTHER),), False, True),
    "for another requirement": (lambda: (waiver(requirement="test"),), False, True),
    "for another service": (lambda: (waiver(service="web"),), False, True),
    "of another project": (lambda: (waiver(project="sha256:" + "ee" * 32),), False, True),
    "by a stranger": (lambda: (waiver("eve"),), False, True),
    "by one who may not": (lambda: (waiver("ops"),), False, True),
    "with another's key": (lambda: (waiver(keys=("bob",)),), False, True),
    "signed by nobody": (lambda: (waiver(keys=("nobody",)),), False, True),
    "without a reason": (lambda: (waiver(reason=" "),), False, True),
    "withdrawn": (lambda: (w := waiver(), withdrawal(w, "rita")), False, True),
    "withdrawn by another": (lambda: (w := waiver(), withdrawal(w, "bob")), True, True),
    "withdrawn by another, then by its own": (lambda: (w := waiver(), withdrawal(w, "bob", n=19), withdrawal(w, "rita")), False, True),
    "withdrawn, and given again": (lambda: (w := waiver(), withdrawal(w, "rita"), waiver(reason="again", n=30)), True, True),
    "never accepted": (lambda: (waiver(),), False, False),
}
CHANGE_OTHER = "sha256:" + "dd" * 32


@pytest.mark.parametrize("how", WAIVERS)
def test_a_waiver_turns_anything_but_an_error_into_waived(how: str) -> None:
    """Only a valid waiver changes a state, only to waived, keeping what it was; an error and a pass stay what they are."""
    make, valid, waivable = WAIVERS[how]
    for state, evidence, of_rule in SITUATIONS.values():
        r = line(one(*evidence, **(of_rule | {"waivable": waivable})), *make())
        if valid and state not in ("error", "pass"):
            assert (r.state, r.waived_from) == ("waived", state)
            assert "known, #7" in r.reason or "again" in r.reason
            assert r.remedy
        else:
            assert (r.state, r.waived_from) == (state, None)


CAUSES: dict[str, dict[str, object]] = {
    "error": {"kind": "latency"},
    "fail": {"verdict": "fail"},
    "missing": {"facts": facts(other=(1.0, "ms"))},
    "stale": OLD,
    "inconclusive": {"looked_at": 3, "of": 100},
}


@pytest.mark.parametrize("causes", [c for k in range(1, 6) for c in combinations(CAUSES, k)], ids="+".join)
def test_the_first_state_that_applies(causes: tuple[str, ...]) -> None:
    """With several causes at once the state is the first of error, fail, missing, stale, inconclusive."""
    about: dict[str, object] = {"facts": facts(p95=(12.0, "ms"))}
    for cause in causes:
        about |= CAUSES[cause]
    r = line(one(attempt(**about), minimum_percent=75, **P95))  # type: ignore[arg-type]
    assert r.state == min(causes, key=STATES.index)


def test_an_error_comes_before_spent_failures() -> None:
    """A broken newest attempt is an error even when failures before it are beyond the budget: a waiver cannot hide it."""
    d = one(failing(n=1), attempt(n=2, facts=facts(p95=(0.1, "s"))), **P95)
    assert line(d, waiver()).state == "error"


FINDINGS = {
    "absent": ("missing", ()),
    "passed": ("pass", (finding(),)),
    "failed": ("fail", (finding(verdict="fail", looked_at=2),)),
    "inconclusive": ("inconclusive", (finding(verdict="inconclusive", cause="1 of 3 bound by no line"),)),
    "nothing looked at": ("missing", (finding(looked_at=0, of=0),)),
    "not all looked at": ("missing", (finding(looked_at=2),)),
    "of nobody knows how many": ("missing", (finding(of=None),)),
    "no such verdict": ("error", (finding(verdict="green"),)),
    "another kind": ("error", (finding(kind="authorship"),)),
    "another service": ("missing", (finding(service="web"),)),
    "said twice": ("error", (finding(), finding(verdict="fail"))),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_findings_are_judged_like_evidence(name: str) -> None:
    """What the change shows about itself passes only when it is there, all of it was looked at and it holds."""
    state, found = FINDINGS[name]
    r = line(dossier(rules=rules(rule("scope", source="finding")), findings=found))
    assert r.state == state, r.reason
    assert r.reason or state == "pass"


def test_a_finding_answers_the_condition_too() -> None:
    """A condition on a finding is asked: it is not silently dropped."""
    asks = {"condition": "facts.commits >= 2", "needs": [{"fact": "commits", "type": "int", "unit": "commits"}]}
    for said, state in ((facts(commits=(1, "commits")), "fail"), (facts(commits=(2, "commits")), "pass"), ({}, "missing")):
        d = dossier(rules=rules(rule("scope", source="finding", **asks)), findings=(finding(facts=said),))
        assert line(d).state == state


def test_a_revoked_producer() -> None:
    """Evidence recorded at or after its producer's revocation is an error; what was recorded before stands."""
    for at, state in ((stamp(ago=2 * HOUR), "error"), (stamp(ago=HOUR - 2), "error"), (stamp(ago=60), "pass")):
        assert line(one(attempt()), by=trust(revoked={"ci": at})).state == state


def test_what_is_asked_of_a_service_that_does_not_ship_denies_all_the_same() -> None:
    """No requirement is overlooked because its service is not in the change; a warning denies nothing there either."""
    for more, outcome in (({}, "DENY"), ({"severity": "warn"}, "ALLOW")):
        decision = signed_off(dossier(attempt(), rules=rules(rule(), rule("latency", service="other", **more))))
        assert ([s.outcome for s in decision.services], decision.outcome) == (["ALLOW"], outcome)


def test_each_attempt_of_a_revoked_producer_is_asked_its_time() -> None:
    """One recorded before the revocation vouches for none that is alike in all else and came after it."""
    later = attempt(n=2, observed_at=stamp(ago=600), collected_at=stamp(ago=600), recorded_at=stamp(ago=600))
    r = line(one(attempt(n=1), later), by=trust(revoked={"ci": stamp(ago=1800)}))
    assert (r.state, r.cause) == ("error", "untrusted")
    assert r.reason.startswith("attempt 2: the key of producer ci was revoked")
    assert line(one(attempt(n=1), later), by=trust(revoked={"lab": stamp(ago=1800)})).state == "pass"


def test_evidence_withdrawn_by_statement() -> None:
    """A listed person's withdrawal takes a pass away; one of a stranger, or signed with another's key, takes nothing."""
    a = attempt()
    assert line(one(a), withdrawal(str(a.digest), "olga")).state == "inconclusive"
    assert line(one(a), withdrawal(str(a.digest), "eve")).state == "pass"
    assert line(one(a), withdrawal(str(a.digest), "olga", keys=("bob",))).state == "pass"
    f = failing()
    assert line(one(f), withdrawal(str(f.digest), "olga")).state == "fail"


def test_a_withdrawn_error_is_still_an_error() -> None:
    """Taking back evidence that cannot be trusted does not make the rest trustworthy."""
    assert line(one(attempt(n=1), attempt(n=2, producer_key="SHA256:eve", withdrawn="oops"))).state == "error"


def test_absent_says_why() -> None:
    """What is missing says who expected it."""
    d = one(more={"absent": (Absent("tests", "tests", "bank", "required by tests"),)})
    assert line(d).reason == "nothing was looked at; required by tests"


def test_what_a_result_shows() -> None:
    """A result names the attempt that decides, what it looked at, and until when it holds by the stricter of the two limits."""
    r = line(one(failing(n=1), attempt(n=2), retries=1, age_max_s=2 * HOUR))
    assert r.evidence == (attempt(n=2).digest,)
    assert (r.looked_at, r.of, r.owner, r.expires_at) == (10, 10, "@olga", stamp(ago=-HOUR))
    assert line(one(failing(n=1), attempt(n=2))).evidence == (failing(n=1).digest,)


def test_only_pass_and_waived_let_through() -> None:
    """Every situation with every signature in place: ALLOW exactly when the state is pass or waived."""
    assert OPEN_STATES == ("pass", "waived")
    for state, evidence, of_rule in SITUATIONS.values():
        d = one(*evidence, **of_rule)
        assert (signed_off(d).outcome == "ALLOW") == (state == "pass")
        assert (signed_off(d, waiver()).outcome == "ALLOW") == (state != "error")


def test_the_end_of_an_allow() -> None:
    """An ALLOW ends with the first thing that carries it, and deciding at that moment denies."""
    d = one(attempt(), retries=1)
    allowed = signed_off(d)
    assert (allowed.outcome, allowed.valid_until) == ("ALLOW", stamp(ago=HOUR - DAY))
    end = NOW.fromisoformat(allowed.valid_until)
    assert line(d, now=end).state == "stale"
    waived = signed_off(one(failing()), waiver(until=stamp(ago=-60)))
    assert waived.valid_until == stamp(ago=-60)
    assert ruled(d).valid_until == ""
    assert allowed.dossier == DIGEST
