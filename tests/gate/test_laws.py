"""The laws, held against dossiers nobody would write by hand."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_dossier.approval import Signed, hear
from release_dossier.digest import canonical
from release_dossier.dossier import Attempt, Dossier
from release_dossier.errors import DossierError
from release_dossier.evidence.reading import Fact
from release_dossier.gate import OPEN_STATES, Decision, decide, explain, judge, results_of, rework
from release_dossier.rules.packs import thaw
from tests.gate.town import (
    CHECKPOINT,
    DAY,
    DIGEST,
    HOUR,
    NOW,
    PRINT,
    approval,
    attempt,
    dossier,
    failing,
    finding,
    killed,
    one,
    rejection,
    rule,
    ruled,
    rules,
    signed_off,
    stamp,
    trust,
    waiver,
    withdrawal,
)

LAW = settings(max_examples=150)
NAMES = ("tests", "latency", "payouts")


def as_bytes(d: Decision) -> bytes:
    return canonical(msgspec.to_builtins(d))


@st.composite
def attempts(draw: st.DrawFn, name: str) -> list[Attempt]:
    """Attempts of one evidence as a store writes them: numbered from 1, of any outcome."""
    out = []
    for n in range(1, draw(st.integers(0, 4)) + 1):
        how = draw(st.sampled_from(("pass", "pass", "pass", "fail", "inconclusive", "killed", "over", "withdrawn")))
        when = stamp(ago=draw(st.sampled_from((HOUR, 20 * HOUR, 30 * HOUR))))
        times = {"observed_at": when, "collected_at": when, "recorded_at": when}
        if how == "killed":
            out.append(killed(name, n))
        elif how == "withdrawn":
            out.append(attempt(name, n, draw(st.sampled_from(("pass", "fail", "inconclusive"))), withdrawn="x", **times))
        else:
            p95 = {"p95": Fact(400.0 if how == "over" else 100.0, "ms")}
            verdict = "pass" if how == "over" else how
            out.append(attempt(name, n, verdict, facts=p95, looked_at=draw(st.sampled_from((10, 10, 7, 0))), **times))
    return out


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Dossier, list[Signed]]:
    """A well-formed dossier and what people said of it, most of them near to an ALLOW."""
    asked = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)):
        more: dict[str, Any] = {"retries": draw(st.integers(0, 2)), "infrastructure_retries": draw(st.integers(0, 2))}
        more["waivable"] = draw(st.booleans())
        more["minimum_percent"] = draw(st.sampled_from((0, 70, 100)))
        if draw(st.booleans()):
            more |= {"condition": "facts.p95 <= 300.0", "needs": [{"fact": "p95", "type": "float", "unit": "ms"}]}
        asked.append(rule(name, **more))
    found = []
    if draw(st.booleans()):
        asked.append(rule("scope", source="finding"))
        found = [finding(verdict=draw(st.sampled_from(("pass", "pass", "fail"))))]
    evidence = [a for r in asked for a in (draw(attempts(r["id"])) if r.get("source") != "finding" else [])]
    d = dossier(*evidence, rules=rules(*asked), findings=found)
    said = [waiver(draw(st.sampled_from(("rita", "olga", "ops"))), r["id"], n=i) for i, r in enumerate(asked) if draw(st.booleans())]
    said += [withdrawal(w, "rita", n=30 + i) for i, w in enumerate(said) if draw(st.integers(0, 3)) == 0]
    shown = results_of(ruled(d, *said))
    said += [approval(who, over=shown, n=50 + i) for i, who in enumerate(draw(st.lists(st.sampled_from(("bob", "ann")), unique=True)))]
    if draw(st.integers(0, 5)) == 0:
        said.append(no := rejection(n=60))
        said += [withdrawal(no, draw(st.sampled_from(("ops", "bob"))), n=61)] if draw(st.booleans()) else []
    return d, said


@LAW
@given(worlds())
def test_an_allow_is_earned(world: tuple[Dossier, list[Signed]]) -> None:
    """ALLOW means: every requirement passes or is waived, each role is signed in full, and nobody's no stands."""
    d, said = world
    r = ruled(d, *said)
    if r.outcome == "ALLOW":
        assert r.requirements
        assert all(x.state in OPEN_STATES for x in r.requirements)
        assert all(x.looked_at > 0 for x in r.requirements if x.state == "pass")
        assert all(len(t.counted) >= t.needed >= 1 for t in r.approvals)
        assert not [n for n in r.notes if n.startswith(("rejected", "bootstrap"))]
        assert r.valid_until > r.at


@LAW
@given(worlds())
def test_a_requirement_alone_is_judged_as_among_others(world: tuple[Dossier, list[Signed]]) -> None:
    """What `rules explain` and a trial ask of one requirement is what a decision says of it before any waiver."""
    d, said = world[0], [s for s in world[1] if s.statement.word != "waiver"]
    voices = hear(said, trust().project, trust())
    assert [judge(r, d, voices, trust(), NOW) for r in thaw(d.rules).requirements] == list(ruled(d, *said).requirements)


@LAW
@given(worlds(), st.data())
def test_removing_proof_never_helps(world: tuple[Dossier, list[Signed]], data: st.DataObject) -> None:
    """Leaving out any attempt that others follow, any finding, approval or waiver never turns DENY into ALLOW.

    Even when everybody signs anew. The last attempt, a rejection and a withdrawal are the log's to keep: it has no gaps.
    """
    d, said = world
    before = ruled(d, *said)
    followed = [a for i, a in enumerate(d.evidence) if any(b.name == a.name for b in d.evidence[i + 1 :])]
    poorer = [msgspec.structs.replace(d, evidence=tuple(a for a in d.evidence if a is not x)) for x in followed]
    poorer += [msgspec.structs.replace(d, findings=())] if d.findings else []
    if before.outcome == "DENY":
        less = [s for s in said if s.statement.word in ("approval", "waiver")]
        for gone in less:
            assert ruled(d, *(s for s in said if s is not gone)).outcome == "DENY"
        for p in poorer:
            assert ruled(p, *said).outcome == "DENY"
    anyway = signed_off(d, *said).outcome
    if anyway == "DENY" and poorer:
        assert signed_off(data.draw(st.sampled_from(poorer)), *said).outcome == "DENY"


@LAW
@given(worlds())
def test_withdrawing_evidence_never_helps(world: tuple[Dossier, list[Signed]]) -> None:
    """Taking back any attempt, in the dossier or by a statement, never turns an unmet requirement into a met one."""
    d, said = world
    states = {r.id: r.state for r in ruled(d, *said).requirements}
    for i, a in enumerate(d.evidence):
        gone = (*d.evidence[:i], msgspec.structs.replace(a, withdrawn="oops"), *d.evidence[i + 1 :])
        for r in ruled(msgspec.structs.replace(d, evidence=gone), *said).requirements:
            assert r.state not in OPEN_STATES or states[r.id] in OPEN_STATES or r.state == "waived"
            assert r.state != "pass" or states[r.id] == "pass"
        if a.digest:
            for r in ruled(d, *said, withdrawal(a.digest, "olga", n=99)).requirements:
                assert r.state != "pass" or states[r.id] == "pass"


@LAW
@given(worlds(), st.randoms(use_true_random=False))
def test_order_changes_no_byte(world: tuple[Dossier, list[Signed]], random: Any) -> None:
    """Statements in any order give the same decision, byte for byte."""
    d, said = world
    shuffled = list(said)
    random.shuffle(shuffled)
    assert as_bytes(ruled(d, *said)) == as_bytes(ruled(d, *shuffled))


@LAW
@given(worlds())
def test_a_decision_replays_from_what_it_names(world: tuple[Dossier, list[Signed]]) -> None:
    """Deciding at the moment a decision names gives the same bytes, whatever fraction of a millisecond the clock showed."""
    d, said = world
    first = ruled(d, *said, now=NOW + timedelta(microseconds=999))
    again = ruled(d, *said, now=datetime.fromisoformat(first.at))
    assert as_bytes(first) == as_bytes(again)
    assert as_bytes(first) == as_bytes(ruled(d, *said, now=NOW.astimezone(timezone(timedelta(hours=9)))))


def test_a_fraction_of_a_millisecond_decides_nothing() -> None:
    """What is observed to the microsecond is judged against the moment the decision names, not a finer one nobody can see."""
    edge = stamp(ago=-300)[:-1] + "500Z"
    d = one(attempt(observed_at=edge, collected_at=edge, recorded_at=edge))
    first = ruled(d, now=NOW + timedelta(microseconds=700))
    assert as_bytes(first) == as_bytes(ruled(d, now=datetime.fromisoformat(first.at)))


EMPTY = {
    "no rules": dossier(attempt(), rules=rules()),
    "no approvals asked": dossier(attempt(), rules=rules(rule(), approvals=())),
    "no services": one(attempt(), more={"services": ()}),
    "no evidence": one(),
    "a service without rules": one(attempt(), more={"services": (("bank", "1"), ("web", "1"))}),
    "nothing at all": dossier(rules=rules(approvals=()), services=()),
    "a rule of no service": dossier(attempt(), rules=rules(rule(), rule(service="web"))),
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_gate_allows_nothing(name: str) -> None:
    """No rules, approvals, services or evidence is never an ALLOW, and is explained."""
    d = signed_off(EMPTY[name])
    assert d.outcome == "DENY"
    assert d.valid_until == ""
    assert explain(d, EMPTY[name])


@pytest.mark.parametrize("count", [0, -1, True, "1", None, 1.0])
def test_a_role_that_asks_for_nobody_is_refused(count: Any) -> None:
    """A role that nobody needs to sign, or whose count is no number, is refused, not met."""
    with pytest.raises(DossierError, match=r"rules\.shape"):
        ruled(dossier(attempt(), rules=rules(rule(), approvals=[{"role": "ops", "count": count}])))


TEXT = st.text(max_size=12)
TIMES = st.one_of(st.sampled_from([stamp(ago=HOUR), stamp(), "", "now", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"]), TEXT)
COUNTS = st.integers(1 - 2**53, 2**53 - 1)  # what canonical JSON can hold
HUGE = st.integers(-(2**1100), 2**1100)
FACTS = st.dictionaries(
    st.sampled_from(("p95", "x")),
    st.builds(Fact, st.one_of(st.none(), st.booleans(), COUNTS, HUGE, st.floats(), TEXT), st.sampled_from(("ms", "credits", ""))),
)


@st.composite
def wild(draw: st.DrawFn) -> Attempt:
    """An attempt with anything in it."""
    fields: dict[str, Any] = {"digest": draw(st.one_of(st.none(), TEXT)), "fingerprint": draw(st.sampled_from((PRINT, "")))}
    for f in ("observed_at", "collected_at", "recorded_at"):
        fields[f] = draw(TIMES)
    for f in ("verdict", "cause", "isolation", "producer"):
        fields[f] = draw(st.one_of(TEXT, st.sampled_from(("pass", "fail", "ci"))))
    fields |= {"looked_at": draw(COUNTS), "of": draw(st.one_of(st.none(), COUNTS)), "age_max_s": draw(COUNTS)}
    fields |= {"facts": draw(FACTS), "limits": tuple(draw(st.lists(st.sampled_from(("skipped: ", "skipped: a b", "x")))))}
    fields |= {"infrastructure": draw(st.booleans()), "withdrawn": draw(st.one_of(st.none(), TEXT))}
    fields |= {"producer_key": draw(st.sampled_from(("SHA256:ci", ""))), "counterexamples_total": draw(COUNTS)}
    verdict = fields.pop("verdict")
    return attempt("tests", draw(st.one_of(st.integers(1, 3), COUNTS)), verdict, **fields)


@settings(LAW, max_examples=400)
@given(st.lists(wild(), max_size=3), FACTS, TIMES, TIMES, TIMES, COUNTS, st.booleans())
def test_decide_is_total(evidence: list[Attempt], said: Any, t1: str, t2: str, t3: str, number: int, keep: bool) -> None:
    """Whatever stands in a dossier and in statements, there is a decision, its words and its rework note; no exception, no free pass."""
    if keep:  # as well numbered, so that what is behind the gap check is reached
        evidence = [msgspec.structs.replace(a, attempt=i + 1) for i, a in enumerate(evidence)]
    needs = [{"fact": "p95", "type": "float", "unit": "ms"}, {"fact": "x", "type": "int"}]
    asked = [
        rule(condition="facts.p95 <= 300.0 && facts.x > 0", needs=needs, minimum_percent=50, retries=1),
        rule("scope", source="finding"),
    ]
    d = dossier(*evidence, rules=rules(*asked), findings=[finding(facts=said, looked_at=number, verdict=t1 or "pass")])
    statements = [
        waiver(until=t1, signed_at=t2),
        approval(signed_at=t1, expires_at=t2, over=()),
        msgspec.structs.replace(approval(n=3), logged_at=t3),
        withdrawal(str(evidence[0].digest) if evidence else "", "bob"),
    ]
    revoked = trust(revoked={"ci": stamp(ago=HOUR), "rita": stamp(), "bob": stamp(ago=DAY)})
    for by in (trust(), revoked):
        r = ruled(d, *statements, by=by)
        assert r.outcome == "DENY"
        assert explain(r, d)
        assert rework(r, d)
        as_bytes(r)


def test_a_moment_without_its_offset_is_a_misuse() -> None:
    """`now` without an offset is the caller's mistake and says so."""
    with pytest.raises(DossierError, match=r"gate\.naive-time"):
        decide(one(), DIGEST, (), trust(), datetime(2026, 11, 24), witness="", checkpoint=CHECKPOINT, hypothetical=True)


SCENE = """
import hashlib, msgspec
from release_dossier.digest import canonical
from release_dossier.gate import explain, rework
from tests.gate.test_laws import scene
d, r = scene()
text = canonical(msgspec.to_builtins(r)) + explain(r, d).encode() + rework(r, d).encode()
print(hashlib.sha256(text).hexdigest())
"""


def scene() -> tuple[Dossier, Decision]:
    """A dossier with something of everything."""
    p95 = {"condition": "facts.p95 <= 300.0", "needs": [{"fact": "p95", "type": "float", "unit": "ms"}], "retries": 1}
    asked = [rule(), rule("latency", **p95), rule("payouts"), rule("lint"), rule("scope", source="finding")]
    evidence = [attempt(), killed("latency"), attempt("latency", 2, facts={"p95": Fact(353.7, "ms")}), failing("payouts")]
    d = dossier(*evidence, rules=rules(*asked, approvals=[{"role": "release-manager"}, {"role": "ops"}]), findings=[finding()])
    said = [waiver("rita", "payouts"), rejection(), waiver("ops", "lint", n=8), approval("bob"), approval("ops", "ops", n=12)]
    return d, ruled(d, *said)


@pytest.mark.parametrize(
    ("seed", "zone", "locale"), [("0", "UTC", "C"), ("1", "Asia/Kolkata", "C.UTF-8"), ("77", "America/St_Johns", "POSIX")]
)
def test_bytes_do_not_depend_on_the_process(seed: str, zone: str, locale: str) -> None:
    """Another hash seed, time zone and locale give the same decision, explanation and rework note."""
    d, r = scene()
    text = as_bytes(r) + explain(r, d).encode() + rework(r, d).encode()
    environ = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", SCENE], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(text).hexdigest()


def test_the_decision_names_what_it_followed_from() -> None:
    """Dossier, trust version, checkpoint and every statement stand in the decision by digest, statements in log order."""
    a, w = approval(n=30), waiver(n=20)
    r = ruled(one(attempt()), a, w)
    assert r.statements == (w.statement.digest, a.statement.digest)
    assert (r.dossier, r.trust, r.checkpoint, r.at) == (DIGEST, trust().digest, CHECKPOINT, stamp())
    assert (r.witness, r.hypothetical, r.services[0].version) == ("refs/dossier/log", False, "3.8.2")
    assert NOW.tzinfo is UTC
    assert DAY == 24 * HOUR
